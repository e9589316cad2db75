//! Two texts that should be the same: ours and the reference's.
//!
//! **Invariant:** what is not compared is listed here, each entry with its reason, and nowhere else.

use rille_lua::Dialect;

/// What either side may say that makes a case say nothing.
const NOT_COMPARED: [&str; 4] = [
    // 5.1 refuses `[[` in a long string; LuaJIT and ours do not.
    "nesting of [[...]] is deprecated near '['",
    // Depth is bounded by other limits (COMPATIBILITY.md), and after such an error anything may differ.
    "stack overflow",
    "C stack overflow",
    // The reference's heap is not limited and ours is.
    "not enough memory",
];

/// Messages whose line is not compared: 5.4.4 forgets to note where a division by a constant is.
const LINE_UNKNOWN: [&str; 2] = ["attempt to divide by zero", "attempt to perform 'n%0'"];

/// What ours has in 5.1 because LuaJIT has it (COMPATIBILITY.md), and a zero byte, which 5.1's lexer takes for any
/// character that it looks for. A source with one of them reads differently.
const OF_LUAJIT: [&[u8]; 7] = [b"\0", b"goto", b"::", b";", b"\\x", b"\\z", b"\\u"];

/// As [`same`], of what compilers say to a text that may be anything.
pub fn same_verdict(dialect: Dialect, source: &[u8], ours: &[u8], theirs: &[u8]) {
    if dialect == Dialect::Lua51 && ours != theirs && has_luajit_syntax(source) {
        return;
    }
    same(dialect, source, ours, theirs);
}

fn has_luajit_syntax(source: &[u8]) -> bool {
    let hexadecimal = |at: &[u8]| {
        let [b'0', b'x' | b'X', digits @ ..] = at else {
            return false;
        };
        let after = digits.iter().find(|b| !b.is_ascii_hexdigit());
        matches!(after, Some(b'.' | b'p' | b'P'))
    };
    (0..source.len()).any(|at| {
        let rest = &source[at..];
        OF_LUAJIT.iter().any(|text| rest.starts_with(text)) || hexadecimal(rest)
    })
}

/// Panics with the program and the first lines that differ, unless the two are the same.
pub fn same(dialect: Dialect, source: &[u8], ours: &[u8], theirs: &[u8]) {
    if ours == theirs || is_excused(ours) || is_excused(theirs) {
        return;
    }
    let (ours, mut theirs) = (without_unknown_lines(ours), without_unknown_lines(theirs));
    if dialect == Dialect::Lua52 {
        // Whether 5.2 finds a global function under its plain name depends on the order of a hash (COMPATIBILITY.md).
        theirs = theirs.replace("'_G.", "'");
    }
    if ours == theirs {
        return;
    }
    let at = ours
        .lines()
        .zip(theirs.lines())
        .take_while(|(a, b)| a == b)
        .count();
    panic!(
        "different from the reference at line {} of the output\n ours: {}\ntheir: {}\n---- program of {dialect} ----\n{}",
        at + 1,
        ours.lines().nth(at).unwrap_or("(end)"),
        theirs.lines().nth(at).unwrap_or("(end)"),
        String::from_utf8_lossy(source)
    );
}

fn without_unknown_lines(text: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(text).into_owned();
    for message in LINE_UNKNOWN {
        let mut from = 0;
        while let Some(at) = text[from..].find(message).map(|at| from + at) {
            let head = text[..at].trim_end_matches(": ");
            let digits = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            text.replace_range(digits..head.len(), "?");
            from = digits + 1 + message.len();
        }
    }
    text
}

fn is_excused(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    NOT_COMPARED.iter().any(|reason| text.contains(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "line 2")]
    fn a_difference_is_a_finding() {
        same(Dialect::Lua54, b"return", b"a\nb", b"a\nc");
    }

    #[test]
    fn lines_of_divisions_are_not_compared() {
        let text = without_unknown_lines(
            b"p:12: attempt to divide by zero p:3: x l:7: attempt to divide by zero",
        );
        assert_eq!(
            text,
            "p:?: attempt to divide by zero p:3: x l:?: attempt to divide by zero"
        );
    }

    #[test]
    fn the_same_and_the_excused_are_not() {
        same(Dialect::Lua54, b"", b"a", b"a");
        same(
            Dialect::Lua54,
            b"",
            b"-> false \"p:1: stack overflow\"",
            b"a",
        );
    }
}
