//! Limits, and inputs made to exhaust something.

use super::*;

#[track_caller]
fn refused_with(source: &str, part: &str) {
    let (message, _) = refused(source.as_bytes());
    assert!(message.contains(part), "{message}");
}

/// Compiles something big on a stack no larger than a test's, and throws it away there.
fn survives(source: &str) -> Arc<Chunk> {
    let chunk = compiled(source);
    assert!(!disassemble(&chunk).is_empty());
    chunk
}

#[test]
fn nesting_is_limited() {
    let deep = |before: &str, middle: &str, after: &str, n: usize| {
        format!("{}{middle}{}", before.repeat(n), after.repeat(n))
    };
    let forms = [
        ("x = ", "(", "1", ")"),
        ("x = ", "{", "1", "}"),
        ("x = ", "f(", "1", ")"),
        ("x = ", "t[", "1", "]"),
        ("x = ", "- ", "x", ""),
        ("x = ", "not ", "x", ""),
        ("x = ", "a..", "a", ""),
        ("x = ", "a^", "a", ""),
        ("x = ", "function() return ", "1", " end"),
        ("", "do ", "", " end"),
        ("", "while a do ", "", " end"),
        ("", "if a then else ", "", " end"),
        ("", "for i = 1, 2 do ", "", " end"),
        ("", "repeat ", "", " until a"),
        ("", "function f() ", "", " end"),
        ("", "a,", "a = 1", ""),
    ];
    for (start, before, middle, after) in forms {
        let make = |n| format!("{start}{}", deep(before, middle, after, n));
        // As in the reference, 90 levels of anything are fine and 250 are not.
        if !before.starts_with("function() return") && !before.starts_with("for") {
            survives(&make(90));
        } else {
            survives(&make(45));
        }
        // A loop has three hidden variables: so many are too many sooner.
        let problem = if before.starts_with("for") {
            "too many"
        } else {
            "overflow"
        };
        refused_with(&make(250), problem);
        refused_with(&make(100_000), problem);
    }
}

#[test]
fn long_chains_do_not_recurse() {
    const N: usize = 100_000;
    let chunk = survives(&format!("return {}a", "a + ".repeat(N)));
    assert!(chunk.main.code.len() > N);
    survives(&format!("return {}a", "a and ".repeat(N)));
    survives(&format!("return {}a", "a or b and ".repeat(N)));
    survives(&format!("return {}a", "a < ".repeat(N)));
    survives(&format!("return a{}", ".b".repeat(N)));
    survives(&format!("return a{}", "[1]".repeat(N)));
    survives(&format!("f{}", "()".repeat(N)));
    survives(&format!("f{}", ":m'x'".repeat(N)));
    survives(&format!(
        "if a then b() {} end",
        "elseif a then b() ".repeat(N)
    ));
    survives(&format!("return 1{}", " + 1".repeat(N)));
    survives(&format!("return 1{}", " / 0".repeat(N)));
    survives(&";".repeat(N));
    let labels: String = (0..N / 10).map(|n| format!("::l{n}::")).collect();
    survives(&labels);
    let jumps: String = (0..N / 10)
        .map(|n| format!("if a then goto l{n} end "))
        .collect();
    survives(&format!("{jumps}{labels}"));
    survives(&format!("{labels}{jumps}"));
}

#[test]
fn big_tables_and_bodies() {
    const N: usize = 100_000;
    let chunk = survives(&format!("return {{{}}}", "1,".repeat(N)));
    assert!(chunk.main.max_stack < 60);
    let keyed: String = (0..N).map(|n| format!("k{n} = {n},")).collect();
    survives(&format!("return {{{keyed}}}"));
    survives(&"x = 1\n".repeat(N));
    survives(&format!("return '{}'", "x".repeat(10 * N)));
    survives(&format!("--{}\nreturn 1", "x".repeat(10 * N)));
    survives(&format!("x = {}", "1".repeat(N)));
    survives(&"local function f() end do end ".repeat(150));
    survives(&format!("while a do {} end", "f(a)".repeat(N)));
    refused_with(
        &format!("for i = 1, 2 do {} end", "f(a)".repeat(N)),
        "control structure too long",
    );
}

#[test]
fn local_variables_are_limited() {
    let names = |n: usize| {
        (0..n)
            .map(|i| format!("a{i}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    survives(&format!("local {}", names(200)));
    assert_eq!(
        refused(format!("local {}", names(201)).as_bytes()).0,
        "t:1: too many local variables (limit is 200) in main function near <eof>"
    );
    assert_eq!(
        refused(format!("\nfunction f()\nlocal {} = 1 end", names(250)).as_bytes()).0,
        "t:3: too many local variables (limit is 200) in function at line 2 near ','"
    );
    survives(&format!("function f({}) end", names(200)));
    refused_with(
        &format!("function f({}) end", names(201)),
        "too many local variables",
    );
    survives(&format!("for {} in f do end", names(196)));
    refused_with(
        &format!("for {} in f do end", names(197)),
        "too many local variables",
    );
    // Blocks give their variables back.
    survives(&format!("do local {} end ", names(200)).repeat(3));
}

#[test]
fn upvalues_are_limited() {
    let mut source = String::new();
    for function in 0..3 {
        source.push_str("local function f()\n");
        for n in 0..100 {
            source.push_str(&format!("local v{function}_{n} = 1\n"));
        }
    }
    source.push_str("return function() return ");
    for function in 0..3 {
        for n in 0..100 {
            source.push_str(&format!("v{function}_{n} + "));
        }
    }
    let complete = format!("{source}1 end{}", " end".repeat(3));
    assert_eq!(
        refused(complete.as_bytes()).0,
        "t:304: too many upvalues (limit is 255) in function at line 304 near '+'"
    );
}

#[test]
fn registers_are_limited() {
    let arguments = |n: usize| format!("f({}1)", "a,".repeat(n));
    survives(&arguments(240));
    // The reference stops at the same token.
    assert_eq!(
        refused(arguments(300).as_bytes()).0,
        "t:1: function or expression needs too many registers near 'a'"
    );
    let (tables, calls) = ("{1,".repeat(100), "f(2,".repeat(90));
    let nested = format!(
        "return {tables}{calls}3{}{}",
        ")".repeat(90),
        "}".repeat(100)
    );
    assert_eq!(
        refused(nested.as_bytes()).0,
        "t:1: function or expression needs too many registers near '('"
    );
    refused_with(
        &format!("local a = {}1", "a,".repeat(300)),
        "too many registers",
    );
    refused_with(
        &format!("return {}1", "a,".repeat(300)),
        "too many registers",
    );
    refused_with(
        &format!("local x; x.y{} = 1", ",x.y.z".repeat(180)),
        "too many registers",
    );
}

#[test]
fn functions_in_a_function_are_limited() {
    survives(&"f(function() end)".repeat(65_535));
    refused_with(
        &"f(function() end)".repeat(65_536),
        "too many functions (limit is 65535) in main function",
    );
}

#[test]
fn any_bytes_give_a_chunk_or_a_message() {
    // A small generator of token soup, seeded so that a failure can be repeated.
    const WORDS: &[&str] = &[
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if",
        "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
        "+", "-", "*", "/", "//", "%", "^", "#", "&", "~", "|", "<<", ">>", "==", "~=", "<=", ">=",
        "<", ">", "=", "(", ")", "{", "}", "[", "]", "::", ";", ":", ",", ".", "..", "...", "a",
        "b", "c", "x", "f", "1", "2.5", "'s'", "[[l]]", "<const>", "<close>", "\n", "_ENV", "\0",
    ];
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for _ in 0..20_000 {
        let length = 1 + next(24);
        let source: Vec<&str> = (0..length).map(|_| WORDS[next(WORDS.len())]).collect();
        let _ = compile(
            source.join(" ").as_bytes(),
            b"=t",
            &Options::default(),
            &mut Unmetered,
        );
    }
    for _ in 0..20_000 {
        let source: Vec<u8> = (0..next(40)).map(|_| next(256) as u8).collect();
        let _ = compile(&source, b"=t", &Options::default(), &mut Unmetered);
    }
    // Right programs with a token lost, doubled or changed.
    let seed = SAMPLES.join("\n").replace("return", "do return end --");
    let tokens: Vec<&str> = seed.split_inclusive(' ').collect();
    for _ in 0..20_000 {
        let mut changed = tokens.clone();
        let at = next(changed.len());
        match next(3) {
            0 => drop(changed.remove(at)),
            1 => changed.insert(at, changed[at]),
            _ => changed[at] = WORDS[next(WORDS.len())],
        }
        let _ = compile(
            changed.concat().as_bytes(),
            b"=t",
            &Options::default(),
            &mut Unmetered,
        );
    }
}
