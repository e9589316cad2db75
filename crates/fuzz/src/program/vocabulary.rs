//! The words of generated programs, as far as they depend on the version of the language.
//!
//! **Invariant:** a list of a version has what that version has, and nothing of which COMPATIBILITY.md says that it differs
//! there. What a version *refuses* is in [`REFUSED`], which programs compile and do not run.

use rille_lua::Dialect;

const INTEGERS: [&str; 14] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "255",
    "0x7fffffff",
    "math.maxinteger",
    "math.mininteger",
    "1 << 53",
    "63",
    "64",
    "-64",
];
/// In place of integers, where there are none.
const WHOLE: [&str; 14] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "255",
    "0x7fffffff",
    "9007199254740992",
    "-9007199254740993",
    "2^31",
    "63",
    "64",
    "-64",
];

/// Literals of integers, or of what stands for them.
pub fn integers(dialect: Dialect) -> &'static [&'static str] {
    if dialect.has_integers() {
        &INTEGERS
    } else {
        &WHOLE
    }
}

const FLOATS: [&str; 16] = [
    "0.5",
    "1.0",
    "3.0",
    "1e15",
    "2^53",
    "2^63",
    "-2^63",
    "1e308",
    "1/0",
    "-1/0",
    "0/0",
    "1e100",
    "-2.5",
    "123456.789",
    "-0.0",
    "0x1p-1074",
];

/// Literals of floats. In 5.1 minus zero is whichever zero the function used first, and exponents of hexadecimal
/// numerals are LuaJIT's.
pub fn floats(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Lua51 => &FLOATS[..14],
        _ => &FLOATS,
    }
}

const STRINGS: [&str; 18] = [
    "\"\"",
    "\"a\"",
    "\"abc\"",
    "\"10\"",
    "\"0x10\"",
    "\" 5 \"",
    "\"1e1\"",
    "\"-7\"",
    "\"x y\"",
    "\"nan\"",
    "\"5.0\"",
    "\"9223372036854775808\"",
    "\"hello world\"",
    "[[long]]",
    "\"k\"",
    "'%d'",
    "\"\\0\\255\"",
    "\"\\u{20AC}z\"",
];

/// Literals of strings. `\u` came with 5.3, and before that numerals and messages end at a zero byte.
pub fn strings(dialect: Dialect) -> &'static [&'static str] {
    &STRINGS[..if dialect.has_integers() { 18 } else { 16 }]
}

const BINARY: [&str; 24] = [
    "+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>", "..", "==", "~=", "<", "<=",
    ">", ">=", "and", "or", "+", "-", "..",
];
const BINARY_OF_FLOATS: [&str; 18] = [
    "+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or", "+", "-",
    "..",
];

/// Binary operators, `and` and `or` among them.
pub fn binary(dialect: Dialect) -> &'static [&'static str] {
    if dialect.has_integers() {
        &BINARY
    } else {
        &BINARY_OF_FLOATS
    }
}

/// Binary operators whose result is made of their operands.
pub fn binary_of_scalars(dialect: Dialect) -> &'static [&'static str] {
    let all = binary(dialect);
    let (at, _) = (all.iter().enumerate())
        .find(|(_, op)| **op == "and")
        .expect("it is one of them");
    &all[..at]
}

const UNARY: [&str; 5] = ["-", "not ", "- -", "not not ", "~"];

/// Unary operators.
pub fn unary(dialect: Dialect) -> &'static [&'static str] {
    &UNARY[..if dialect.has_integers() { 5 } else { 4 }]
}

const LIMITS: [&str; 12] = [
    "1",
    "3",
    "0",
    "-2",
    "math.maxinteger",
    "math.maxinteger - 2",
    "math.mininteger",
    "math.mininteger + 2",
    "2.5",
    "1e308",
    "-1/0",
    "\"4\"",
];
const LIMITS_OF_FLOATS: [&str; 12] = [
    "1", "3", "0", "-2", "2^53", "2^53 - 2", "-2^53", "2^63", "2.5", "1e308", "-1/0", "\"4\"",
];

/// Where loops begin and end.
pub fn limits(dialect: Dialect) -> &'static [&'static str] {
    if dialect.has_integers() {
        &LIMITS
    } else {
        &LIMITS_OF_FLOATS
    }
}

const STEPS: [&str; 8] = [
    "1",
    "2",
    "-1",
    "0",
    "0.75",
    "1e308",
    "math.maxinteger",
    "math.mininteger",
];

/// Steps of loops.
pub fn steps(dialect: Dialect) -> &'static [&'static str] {
    &STEPS[..if dialect.has_integers() { 8 } else { 6 }]
}

const FORMATS: [&str; 16] = [
    "%d", "%5.2f", "%q", "%x", "%g", "%i|", "%05d", "%+d", "%e", "%%", "%u", "%s", "%-5s|",
    "%10.3s|", "%c", "%a",
];

/// What one value is formatted with. 5.1 here has the `%s`, `%a` and `%c` of LuaJIT.
pub fn formats(dialect: Dialect) -> &'static [&'static str] {
    &FORMATS[..if dialect == Dialect::Lua51 { 11 } else { 16 }]
}

/// Sources that at least one version refuses, or that look like it, each with the first and the last version that it is compared in.
pub const REFUSED: [(&str, Dialect, Dialect); 46] = {
    use Dialect::{Lua51, Lua52, Lua55};
    [
        ("return 7 // 2", Lua51, Lua55),
        ("return 5 & 3", Lua51, Lua55),
        ("return 5 | 3", Lua51, Lua55),
        ("return ~1", Lua51, Lua55),
        ("return 1 ~ 2", Lua51, Lua55),
        ("return 1 << 2", Lua51, Lua55),
        ("return 1 >> 2", Lua51, Lua55),
        ("local x <const> = 1 ; x = 2", Lua51, Lua55),
        ("local x <close> = nil return 1", Lua51, Lua55),
        ("local x <foo> = 1", Lua51, Lua55),
        ("local <const> x, y = 1, 2 return x + y", Lua51, Lua55),
        ("goto nowhere", Lua52, Lua55),
        ("do ::l:: end goto l", Lua52, Lua55),
        ("::l:: do ::l:: end", Lua52, Lua55),
        ("::l:: return function() ::l:: end", Lua52, Lua55),
        ("\n::l::\n::l::", Lua52, Lua55),
        ("goto = 1 return goto", Lua51, Lua55),
        ("break", Lua51, Lua55),
        (
            "while true do\n local function f() break end end",
            Lua51,
            Lua55,
        ),
        ("while x do break x = 1 end", Lua51, Lua55),
        ("for i = 1, 2 do i = 3 end return 1", Lua51, Lua55),
        ("for k in next, {} do k = 1 end return 2", Lua51, Lua55),
        ("for i, j in next, {1} do j = 1 end return 2", Lua51, Lua55),
        ("global x x = 1 y = 2", Lua51, Lua55),
        ("global x = 1 return x, y", Lua51, Lua55),
        ("global<const> * x = 1", Lua51, Lua55),
        ("global <const> x = 1", Lua51, Lua55),
        ("global x <close> = nil", Lua51, Lua55),
        ("global = 1 return global", Lua51, Lua55),
        (
            "local function f(...t) return t.n end return f(1, 2)",
            Lua51,
            Lua55,
        ),
        ("local function f(...t) t = 1 end", Lua51, Lua55),
        ("return '\\u{48}'", Lua52, Lua55),
        ("return '\\u{80000000}'", Lua52, Lua55),
        ("return '\\q'", Lua51, Lua55),
        ("return '\\x4g'", Lua52, Lua55),
        ("return '\\300'", Lua51, Lua55),
        ("return 0x", Lua51, Lua55),
        ("return 1e", Lua51, Lua55),
        (
            "local a <const> = 5 return function() a = 6 end",
            Lua51,
            Lua55,
        ),
        ("function f() return ... end", Lua51, Lua55),
        ("local t = {} t:x = 1", Lua51, Lua55),
        ("local f = print f\n(1)", Lua51, Lua55),
        ("return 1 ;; return 2", Lua52, Lua55),
        ("a() = 1", Lua51, Lua55),
        ("(a) = 1", Lua51, Lua55),
        ("local function a.b() end", Lua51, Lua55),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use rille_lua::compiler::{Options, Unmetered, compile};

    fn compiles(source: &str, dialect: Dialect) -> bool {
        let options = Options {
            dialect,
            ..Options::default()
        };
        compile(source.as_bytes(), b"=p", &options, &mut Unmetered).is_ok()
    }

    #[test]
    fn what_is_refused_is_refused_by_some_version() {
        let taken_by_all: Vec<&str> = (REFUSED.iter())
            .map(|(source, _, _)| *source)
            .filter(|source| Dialect::ALL.iter().all(|d| compiles(source, *d)))
            .collect();
        // These only look as if.
        let expected = [
            "::l:: return function() ::l:: end",
            "for i, j in next, {1} do j = 1 end return 2",
            "global = 1 return global",
        ];
        assert_eq!(taken_by_all, expected);
    }

    #[test]
    fn every_version_takes_its_own_words() {
        for dialect in Dialect::ALL {
            let words = [
                integers(dialect),
                floats(dialect),
                strings(dialect),
                limits(dialect),
            ];
            for word in words.into_iter().chain([steps(dialect)]).flatten() {
                assert!(compiles(&format!("return {word}"), dialect), "{word}");
            }
            for op in binary(dialect) {
                assert!(compiles(&format!("return a {op} b"), dialect), "{op}");
            }
            for op in unary(dialect) {
                assert!(compiles(&format!("return {op}a"), dialect), "{op}");
            }
        }
    }
}
