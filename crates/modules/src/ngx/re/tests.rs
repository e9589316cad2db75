//! Patterns against PCRE's own answers, and against limits.
//!
//! `corpus.txt` has a case a line, by tabs: options, place to begin at, pattern, subject, answer. The answers are those of PCRE 8.39,
//! and where something matched or not, of PCRE2 10.42 as well: cases on which they differ are not in it, nor is what is not supported.
//! Both engines must give them. `RILLE_RE_CORPUS` names another file to be checked in its place.

use super::backtrack::{MATCH_LIMIT, Search};
use super::compiled::{Compiled, Found, Place};
use super::options::Options;
use super::{MAX_PAUSED, State, fuzz_compile, parse};
use rille_runtime::log::{AppLog, Log};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const CORPUS: &str = include_str!("corpus.txt");

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'x') => {
                let mut digit = || char::from(bytes.next().unwrap()).to_digit(16).unwrap() as u8;
                out.push(digit() * 16 + digit());
            }
            other => out.push(other.unwrap()),
        }
    }
    out
}

fn search_all(compiled: &Compiled, subject: &[u8], from: usize) -> (Found, Vec<Place>) {
    let mut places = Vec::new();
    let mut budget = 1000;
    let mut found = compiled.search(subject, from, false, &mut budget, &mut places);
    // In small slices, so that most searches pause.
    while let Found::Paused(search) = found {
        budget = 3;
        found = compiled.resume(search, subject, &mut budget, &mut places);
    }
    (found, places)
}

fn shown((found, places): (Found, Vec<Place>)) -> String {
    match found {
        Found::Yes => {
            let places: Vec<String> = (places.iter())
                .map(|place| match place {
                    Some((from, to)) => format!("{from},{to}"),
                    None => "-".into(),
                })
                .collect();
            places.join(" ")
        }
        Found::No => "no".into(),
        Found::Failed(code) => format!("fail {code}"),
        Found::Paused(_) => unreachable!(),
    }
}

/// The answers of both engines, of the linear one in both of its ways.
fn answers(letters: &str, from: usize, pattern: &[u8], subject: &[u8]) -> [String; 3] {
    let options = Options::parse(letters.replace('-', "").as_bytes()).unwrap();
    if let Err(bad) = parse::parse(pattern, options) {
        let answer = format!("error {} @{}", bad.message, bad.offset);
        return [answer.clone(), answer.clone(), answer];
    }
    let compile = || Compiled::new(pattern, options).unwrap_or_else(|_| unreachable!());
    let either = shown(search_all(&compile(), subject, from));
    let other = shown(search_all(&compile().only_backtracking(), subject, from));
    let long = shown(search_all(&compile().always_long(), subject, from));
    [either, other, long]
}

fn check_corpus(corpus: &str) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, line) in (1..).zip(corpus.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [letters, from, pattern, subject, answer] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        count += 1;
        let from = from.parse().unwrap();
        let given = answers(letters, from, &unescape(pattern), &unescape(subject));
        if given != [answer; 3] {
            wrong.push(format!("line {number}: {line}: got {given:?}"));
        }
    }
    (count, wrong)
}

#[test]
fn answers_are_those_of_pcre() {
    let (count, wrong) = match std::env::var("RILLE_RE_CORPUS") {
        Ok(path) => check_corpus(&std::fs::read_to_string(path).unwrap()),
        Err(_) => check_corpus(CORPUS),
    };
    assert!(
        wrong.is_empty(),
        "{} of {count} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 0);
}

#[test]
fn what_is_not_supported_is_said() {
    let check = |letters: &str, pattern: &str, expected: &str| {
        let options = Options::parse(letters.as_bytes()).unwrap();
        let error = Compiled::new(pattern.as_bytes(), options).err().unwrap();
        let error = String::from_utf8_lossy(&error).into_owned();
        assert_eq!(error, format!("pcre_compile() failed: {expected}"));
    };
    let recursion = "recursion and subroutine calls are not supported in ";
    check("", "(?R)", &format!("{recursion}\"(?R)\" at \")\""));
    check("", "a(?1)", &format!("{recursion}\"a(?1)\" at \")\""));
    check("", "a(?-1)", &format!("{recursion}\"a(?-1)\" at \"-1)\""));
    check("", "(?&n)", &format!("{recursion}\"(?&n)\" at \"n)\""));
    check("", "(?P>n)", &format!("{recursion}\"(?P>n)\" at \">n)\""));
    check("", "\\g<1>", &format!("{recursion}\"\\g<1>\" at \"<1>\""));
    check(
        "",
        "(?(R)a)",
        &format!("{recursion}\"(?(R)a)\" at \"R)a)\""),
    );
    check(
        "",
        "(?C1)",
        "callouts are not supported in \"(?C1)\" at \"1)\"",
    );
    check("", "\\X", "\\X is not supported in \"\\X\" at \"X\"");
    check(
        "u",
        "\\C",
        "\\C is not supported in UTF-8 mode in \"\\C\" at \"C\"",
    );
    let verbs = "backtracking control verbs are not supported in ";
    check("", "(*COMMIT)", &format!("{verbs}\"(*COMMIT)\" at \")\""));
    check(
        "",
        "(*UCP)a",
        "(*UCP) is not supported in \"(*UCP)a\" at \"(*UCP)a\"",
    );
}

fn compile(letters: &str, pattern: &str) -> Result<Compiled, String> {
    let options = Options::parse(letters.as_bytes()).unwrap();
    Compiled::new(pattern.as_bytes(), options)
        .map_err(|error| String::from_utf8_lossy(&error).into_owned())
}

#[test]
fn patterns_have_limits() {
    let fails = |pattern: &str, why: &str| {
        let error = compile("u", pattern).err().unwrap();
        assert!(error.contains(why), "{error}");
    };
    assert!(compile("", &"a".repeat(parse::MAX_PATTERN)).is_ok());
    fails(
        &"a".repeat(parse::MAX_PATTERN + 1),
        "regular expression is too large",
    );
    let nested = |n: usize| "(?:a|(?=".repeat(n / 2) + "b" + &")+)?".repeat(n / 2);
    assert!(compile("", &nested(250)).is_ok());
    fails(&nested(252), "parentheses are too deeply nested");
    fails(&"a|[^\\pL]".repeat(2000), "regular expression is too large");
    fails("a{65536}", "number too big in {} quantifier");
    let long = "n".repeat(32);
    assert!(compile("", &format!("(?<{long}>)")).is_ok());
    fails(
        &format!("(?<{long}n>)"),
        "subpattern name is too long (maximum 32 characters)",
    );
    // As many groups and names as there is room for.
    let groups = compile("", &"()".repeat(32_000)).unwrap();
    assert_eq!(
        shown(search_all(&groups, b"", 0)).split(' ').count(),
        32_001
    );
    let names: String = (0..6500).map(|n| format!("(?<n{n}>)")).collect();
    assert_eq!(compile("", &names).unwrap().names.len(), 6500);
    let same = "(?<n>)".repeat(5000) + &"\\k<n>".repeat(5000);
    assert!(compile("D", &same).unwrap().size() < 2 << 20);
    assert!(!compile("", &nested(250)).unwrap().is_linear());
    // Larger than the linear engine may be: the other one counts.
    for pattern in ["(?:a{1000}b){1000}", "\\pL{500}", "(?:(?:a{9}){9}){9}{2}x"] {
        if let Ok(compiled) = compile("u", pattern) {
            assert!(
                !compiled.is_linear() && compiled.size() < 64 << 10,
                "{pattern}"
            );
        }
    }
    // Many classes that are the same are one.
    let same = compile("u", &"\\pL".repeat(20_000)).unwrap();
    assert!(!same.is_linear() && same.size() < 1 << 20);
}

#[test]
fn an_attempt_has_limits() {
    // Too many steps.
    let compiled = compile("", "^(a+)+\\1?$").unwrap();
    let subject = [&[b'a'; 40][..], b"b"].concat();
    let mut places = Vec::new();
    let mut slices = 0;
    let mut budget = 1 << 16;
    let mut found = compiled.search(&subject, 0, false, &mut budget, &mut places);
    while let Found::Paused(search) = found {
        budget = 1 << 16;
        slices += 1;
        found = compiled.resume(search, &subject, &mut budget, &mut places);
    }
    assert_eq!(shown((found, places)), "fail -8");
    assert!(slices as u64 >= MATCH_LIMIT >> 16);
    // Too much to go back to.
    let compiled = compile("", "(?:(a)|b)*\\1c").unwrap();
    let found = search_all(&compiled, &vec![b'a'; 1 << 20], 0);
    assert_eq!(shown(found), "fail -8");
}

#[test]
fn the_linear_engine_does_not_backtrack() {
    for pattern in ["^(a+)+$", "(a|aa)+$", "(x+x+)+y", "(.*)*.*=.*"] {
        let Ok(compiled) = compile("", pattern) else {
            unreachable!()
        };
        let subject = [&[b'a'; 4000][..], b"b"].concat();
        let mut budget = 1000;
        let found = compiled.search(&subject, 0, false, &mut budget, &mut Vec::new());
        if compiled.is_linear() {
            assert!(matches!(found, Found::No), "{pattern}");
        }
    }
    assert!(compile("", "^(a+)+$").unwrap().is_linear());
    assert!(!compile("", "(a*)*b").unwrap().is_linear());
}

#[test]
fn a_very_long_subject_is_searched_in_slices() {
    let compiled = compile("", "[^a]b|xyz").unwrap();
    let mut subject = vec![b'a'; (4 << 20) + 1];
    let search = |subject: &[u8]| {
        let mut budget = super::SLICE;
        let found = compiled.search(subject, 0, false, &mut budget, &mut Vec::new());
        matches!(found, Found::Paused(_))
    };
    assert!(search(&subject));
    subject.pop();
    assert!(!search(&subject));
}

#[test]
fn searches_that_wait_have_a_limit() {
    let lua = rille_lua::Lua::new();
    let state = State {
        cache: RefCell::default(),
        places: RefCell::default(),
        paused: Rc::new(Cell::new(MAX_PAUSED - 1000)),
        log: Rc::new(AppLog::new(Log::memory(), "re", 1)),
    };
    let first = state.pause(&lua, Search::none()).unwrap();
    assert!(first.is_some() && state.paused.get() > MAX_PAUSED - 1000);
    let large = compile("", &"()".repeat(100)).unwrap();
    let Found::Paused(search) =
        large
            .only_backtracking()
            .search(b"", 0, false, &mut 3, &mut Vec::new())
    else {
        unreachable!()
    };
    assert!(state.pause(&lua, search).unwrap().is_none());
    drop(first);
    assert_eq!(state.paused.get(), MAX_PAUSED - 1000);
}

#[test]
fn subjects_that_are_not_utf8() {
    let check = |letters: &str, from, pattern: &[u8], subject: &[u8], expected: &str| {
        assert_eq!(answers(letters, from, pattern, subject), [expected; 3]);
    };
    check("u", 0, b".", b"\xff", "fail -10");
    check("u", 0, b".", b"a\xc3", "fail -10");
    check("u", 1, b".", "é".as_bytes(), "fail -11");
    check("u", 3, b".", "é".as_bytes(), "fail -24");
    check("U", 0, b"a", b"\xffa\xff", "1,2");
    check("U", 0, b"(a)\\1", b"\xffaa\xff", "1,3 1,2");
    check("U", 0, b"(?<=b)a", b"\x80b\xffba\xff", "4,5");
}

/// A generator of numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "c",
    "é",
    "\u{10ffff}",
    "(",
    "(",
    ")",
    ")",
    "(?:",
    "(?>",
    "(?=",
    "(?!",
    "(?<=",
    "(?<!",
    "(?<n>",
    "(?'m'",
    "(?P<k>",
    "(?|",
    "(?i)",
    "(?^x",
    "(?x)",
    "(?(1)",
    "(?(<n>)",
    "(?(?=a)",
    "(?(DEFINE)",
    "|",
    "|",
    "*",
    "+",
    "?",
    "*?",
    "++",
    "{2}",
    "{0,3}",
    "{2,}",
    "{65535}",
    "{0}",
    "[",
    "]",
    "[^",
    "[a-z]",
    "[[:alpha:]]",
    "[:",
    "-",
    "\\",
    "\\Q",
    "\\E",
    "\\1",
    "\\2",
    "\\g{-1}",
    "\\k<n>",
    "\\d",
    "\\W",
    "\\b",
    "\\K",
    "\\G",
    "\\R",
    "\\A",
    "\\Z",
    "^",
    "$",
    ".",
    "\\x{",
    "\\x41",
    "\\p{L}",
    "\\PN",
    "\\c",
    "\\o{7}",
    "\\0",
    "\\777",
    "#",
    " ",
    "\n",
    "(*F)",
    "(*UTF8)",
    "(?#",
    ")",
    "\0",
    "{",
    "}",
    ",",
    "\\N",
    "\\h",
];

#[test]
fn whatever_the_pattern_nothing_panics() {
    let mut random = Random(42);
    let mut good = 0;
    for _ in 0..30_000 {
        let mut pattern = Vec::new();
        for _ in 0..random.below(12) + 1 {
            match random.below(40) {
                0 => pattern.push(random.below(256) as u8),
                _ => pattern.extend_from_slice(random.pick(PIECES).as_bytes()),
            }
        }
        let letters = [
            random.pick(&["", "u", "U", "i", "iu"]),
            random.pick(&["", "x", "m", "s", "D", "J", "a", "d"]),
        ]
        .concat();
        let subject: Vec<u8> = (0..random.below(30))
            .flat_map(|_| {
                random
                    .pick(&["a", "b", "c", "é", "\n", "\u{ff}", "A", "1"])
                    .bytes()
            })
            .collect();
        let cut = random.below(subject.len() + 1);
        good += usize::from(compile(&letters, &String::from_utf8_lossy(&pattern)).is_ok());
        fuzz_compile(&pattern, letters.as_bytes(), &subject);
        fuzz_compile(&pattern, letters.as_bytes(), &subject[cut..]);
    }
    assert!(good > 3000, "{good}");
}

/// What one call costs on long subjects; to be run by hand.
#[test]
#[ignore = "a measurement"]
fn the_longest_call() {
    let mut random = 1u64;
    let mut noise = |letters: &[u8], n: usize| -> Vec<u8> {
        (0..n)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                letters[(random >> 33) as usize % letters.len()]
            })
            .collect()
    };
    let subjects = [
        ("ab", noise(b"ab", 1 << 20)),
        ("a", vec![b'a'; 1 << 20]),
        ("words", noise(b"abcdefgh  \n", 1 << 20)),
    ];
    let patterns = [
        "[ab]*a[ab]{10}c",
        "[ab]*a[ab]{20}c",
        "(?:[ab]*a[ab]{12}|b)*c",
        "(a|b|ab|ba)*c",
        "(a+a+)+b",
        "x",
        "[^a-z]x",
        "(\\w+) (\\w+) x",
        "\\bq\\b",
        "(.*?,){3}x",
        "(?=[^x]*x)(a)\\1",
        "(a+)\\1x",
        "(?:a|b)*+c",
        "(?<!b)(?:(a)|b){5,}c",
        "a.*b.*c.*d$",
        "(([ab])*a([ab]){10})c",
        "(a*)(a*)(a*)(a*)(a*)(a*)b",
        "((((a|b)*)c)*)d",
    ];
    for pattern in patterns {
        for (name, subject) in &subjects {
            let begun = std::time::Instant::now();
            let options = Options::parse(b"").unwrap();
            let Ok(compiled) = Compiled::new(pattern.as_bytes(), options) else {
                unreachable!()
            };
            let compiling = begun.elapsed();
            let mut places = Vec::new();
            let mut longest = std::time::Duration::ZERO;
            let begun = std::time::Instant::now();
            let mut calls = 1;
            let mut budget = super::SLICE;
            let mut found = compiled.search(subject, 0, false, &mut budget, &mut places);
            longest = longest.max(begun.elapsed());
            while let Found::Paused(search) = found {
                if begun.elapsed().as_secs() > 5 {
                    found = Found::Failed(0);
                    break;
                }
                let slice = std::time::Instant::now();
                budget = super::SLICE;
                found = compiled.resume(search, subject, &mut budget, &mut places);
                longest = longest.max(slice.elapsed());
                calls += 1;
            }
            println!(
                "{pattern:28} {name:6} linear {:5} compiled in {compiling:8.1?}, {calls:6} calls in {:9.1?}, longest {longest:9.1?} {}, {} KiB",
                compiled.is_linear(),
                begun.elapsed(),
                shown((found, places)).get(..20).unwrap_or("-"),
                compiled.size() >> 10
            );
        }
    }
}

/// What a look-up and a search cost; to be run by hand.
#[test]
#[ignore = "a measurement"]
fn a_short_search() {
    let mut cache = super::cache::Cache::default();
    let mut places = Vec::new();
    for (name, pattern) in [
        ("linear", "^/user/(\\d+)"),
        ("backtracking", "^/user/(?=1)(\\d+)"),
    ] {
        let n = 200_000;
        let begun = std::time::Instant::now();
        for _ in 0..n {
            let options = Options::parse(b"jo").unwrap();
            let compiled = cache.get(pattern.as_bytes(), options, || {
                Compiled::new(pattern.as_bytes(), options)
            });
            std::hint::black_box(compiled.is_ok());
        }
        let looking_up = begun.elapsed() / n;
        let compiled = compile("", pattern).unwrap();
        let begun = std::time::Instant::now();
        for _ in 0..n {
            let mut budget = super::SLICE;
            let found = compiled.search(b"/user/12345", 0, false, &mut budget, &mut places);
            assert!(matches!(found, Found::Yes));
        }
        let searching = begun.elapsed() / n;
        let begun = std::time::Instant::now();
        for _ in 0..n {
            std::hint::black_box(compiled.size());
        }
        println!(
            "{name:14} look-up {looking_up:?}, search {searching:?}, size {:?}",
            begun.elapsed() / n
        );
    }
}

/// What compiling costs at most; to be run by hand.
#[test]
#[ignore = "a measurement"]
fn the_longest_compilation() {
    let size = parse::MAX_PATTERN;
    let pieces = [
        "a",
        "[a-z]",
        "[é-я]",
        "[^é]",
        "é",
        "\\pL",
        "[\\pL]",
        "\\pL{9}",
        "a{999}",
        "(a)",
        "(a|b)",
        "(?<n>)",
        "\\k<n>",
        "a|",
        "[ab]|",
        "(?:a*b)*",
        "\\R",
        "\\b",
        "[\\x{0}-\\x{10ffff}]",
        "[à-\\x{ffff}]",
        "\\W",
        ".",
        "(?i)k",
        "(|a)*",
        "(?>a+)",
        "a{0}",
        "\\w{9}",
        "(?=a)",
        ".*a",
    ];
    for letters in ["", "iu", "Du"] {
        for piece in pieces {
            let mut worst = (std::time::Duration::ZERO, 0);
            for n in [1, 10, 100, 1000, size / piece.len() - 10] {
                let pattern = format!("(?<n>x){}", piece.repeat(n));
                let begun = std::time::Instant::now();
                let compiled = compile(letters, &pattern);
                let took = begun.elapsed();
                let _ = std::hint::black_box(compiled);
                worst = worst.max((took, n));
            }
            if worst.0.as_millis() >= 5 {
                println!(
                    "{letters:3} {piece:22} {:9.1?} for {} times",
                    worst.0, worst.1
                );
            }
        }
    }
}
