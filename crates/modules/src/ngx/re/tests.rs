//! Patterns against PCRE's own answers, and against limits.
//!
//! `corpus.txt` has a case a line, by tabs: options, place to begin at, pattern, subject, answer. The answers are those of PCRE 8.39,
//! and where something matched or not, of PCRE2 10.42 as well: cases on which they differ are not in it. Both engines must give them.

use super::compiled::{Compiled, Found, Place};
use super::options::Options;
use super::{fuzz_compile, parse};

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
    let long = shown(search_all(&compile().as_if_long(), subject, from));
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
                shown((found, places))
                    .get(..20.min(usize::MAX))
                    .unwrap_or("-"),
                compiled.size() >> 10
            );
        }
    }
}
