//! Target `pattern`: `find`, `match`, `gmatch` and `gsub` against a second matcher ([`oracle`]), and against the reference.

mod oracle;

use oracle::{Failure, Found, Value, search};

use crate::bytes::Bytes;
use crate::machine::{self, Mode};
use crate::text::{quote, show};
use crate::{compare, reference};

/// What patterns are put together from.
const PIECES: [&str; 46] = [
    "a", "b", "x", ".", "%a", "%d", "%s", "%w", "%l", "%u", "%p", "%x", "%A", "%D", "%S", "%W",
    "[ab]", "[^a]", "[a-c%d]", "[]x]", "[^]]", "[%]]", "[a-]", "[%a-z]", "*", "+", "-", "?", "(",
    ")", "()", "%1", "%2", "%bab", "%b()", "%f[a]", "%f[%W]", "^", "$", "%", "[", "%0", "%z", "\0",
    "é", "%c",
];
/// The bytes of subjects: few, so that something matches.
const SUBJECT: &[u8] = b"aaabbxAB01 .()[]-%^$\0\xff\n";
/// The texts that `gsub` puts in.
const REPLACEMENTS: [&str; 7] = ["<%0>", "", "%1", "%%", "x%1%1", "%9", "%x"];

struct Case {
    subject: Vec<u8>,
    pattern: Vec<u8>,
    init: i64,
    replacement: &'static str,
    max: Option<i64>,
}

fn case(data: &[u8]) -> Case {
    let mut input = Bytes::new(data);
    let mut pattern = Vec::new();
    if input.one_in(4) {
        pattern.push(b'^');
    }
    for _ in 0..1 + input.below(8) {
        if input.one_in(16) {
            pattern.push(input.byte());
        } else {
            pattern.extend_from_slice(input.pick(&PIECES).as_bytes());
        }
    }
    let init = i64::from(input.byte() as i8) % 9;
    let replacement = input.pick(&REPLACEMENTS);
    let max = input.one_in(3).then(|| i64::from(input.byte() as i8) % 4);
    let length = input.below(24);
    let subject = (0..length).map(|_| input.pick(SUBJECT)).collect();
    Case {
        subject,
        pattern,
        init: if init == 0 { 1 } else { init },
        replacement,
        max,
    }
}

/// A function of the library, and what the oracle says a call of it gives: lists of values, one for each line of output.
type Function = (&'static str, fn(&Case) -> Result<Vec<Vec<Value>>, Failure>);

const FUNCTIONS: [Function; 4] = [
    ("find", find),
    ("match", first_match),
    ("gmatch", all_matches),
    ("gsub", substitute),
];

/// The target.
pub fn target(data: &[u8]) {
    let case = case(data);
    let lua = machine::lua(rille_lua::Dialect::Lua54, false);
    let quarantined = data.len().is_multiple_of(16);
    lua.set_gc_stress(quarantined);
    lua.set_gc_quarantine(quarantined);
    for (name, oracle) in FUNCTIONS {
        let expected = match oracle(&case) {
            Err(Failure::TooMuch) => continue,
            Err(Failure::Mistake(message)) => format!("-> false \"p:1: {message}\""),
            Ok(lines) => as_output(&lines),
        };
        let program = program(name, &case);
        let ours = machine::run(&lua, program.as_bytes(), Mode::Run);
        let ours = ours.expect("the driver catches errors");
        // A mistake that `gmatch` reaches late comes after lines of output.
        assert!(
            ours.ends_with(expected.as_bytes())
                && (name == "gmatch" || ours == expected.as_bytes()),
            "{name} differs from the oracle\n   ours: {}\n oracle: {expected}\n{program}",
            String::from_utf8_lossy(&ours)
        );
        if let Some(theirs) =
            reference::run(rille_lua::Dialect::Lua54, program.as_bytes(), Mode::Run)
        {
            compare::same(
                rille_lua::Dialect::Lua54,
                program.as_bytes(),
                &ours,
                &theirs,
            );
        }
    }
    lua.set_gc_stress(false);
    machine::check_heap(&lua, "after matching");
}

/// The call as a program that prints each match on a line.
fn program(name: &str, case: &Case) -> String {
    let (s, p) = (quote(&case.subject), quote(&case.pattern));
    let init = case.init;
    match name {
        "gmatch" => format!(
            "local next = string.gmatch({s}, {p}, {init}) for i = 1, 99 do local r = table.pack(next()) \
             if r[1] == nil then break end out(table.unpack(r, 1, r.n)) end"
        ),
        "gsub" => {
            let replacement = quote(case.replacement.as_bytes());
            let max = case.max.map_or("nil".into(), |n| n.to_string());
            format!(
                "local r = table.pack(string.gsub({s}, {p}, {replacement}, {max})) out(table.unpack(r, 1, r.n))"
            )
        }
        _ => format!(
            "local r = table.pack(string.{name}({s}, {p}, {init})) out(table.unpack(r, 1, r.n))"
        ),
    }
}

fn as_output(lines: &[Vec<Value>]) -> String {
    let mut text = String::new();
    for line in lines {
        let values: Vec<String> = line.iter().map(show_value).collect();
        text.push_str(&values.join(" "));
        text.push('\n');
    }
    text + "-> true"
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        Value::Position(n) => n.to_string(),
        Value::Text(bytes) => show(bytes),
    }
}

/// Where a search begins, from 0; `None`: behind the end.
fn start(case: &Case) -> Option<usize> {
    let length = case.subject.len() as i64;
    let init = match case.init {
        i if i > 0 => i - 1,
        i if -i > length => 0,
        i => length + i,
    };
    (init <= length).then_some(init as usize)
}

/// The pattern without its anchor, and whether there was one.
fn anchored(case: &Case) -> (&[u8], bool) {
    match case.pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (&case.pattern, false),
    }
}

fn locate(case: &Case) -> Result<Option<Found>, Failure> {
    let Some(start) = start(case) else {
        return Ok(None);
    };
    let (pattern, anchor) = anchored(case);
    search(&case.subject, pattern, start, anchor)
}

fn find(case: &Case) -> Result<Vec<Vec<Value>>, Failure> {
    let plain = !case.pattern.iter().any(|b| b"^$*+?.([%-".contains(b));
    if plain && let Some(start) = start(case) {
        // `)` and `]` alone are not special to `find`.
        let wanted = &case.pattern;
        let at = (start..=case.subject.len()).find(|&i| case.subject[i..].starts_with(wanted));
        return Ok(vec![at.map_or(vec![Value::Nil], |i| {
            vec![Value::Position(i + 1), Value::Position(i + wanted.len())]
        })]);
    }
    let Some(found) = locate(case)? else {
        return Ok(vec![vec![Value::Nil]]);
    };
    let mut values = vec![Value::Position(found.start + 1), Value::Position(found.end)];
    values.extend(found.captures(&case.subject)?);
    Ok(vec![values])
}

fn first_match(case: &Case) -> Result<Vec<Vec<Value>>, Failure> {
    let found = locate(case)?;
    Ok(vec![match found {
        Some(found) => found.values(&case.subject)?,
        None => vec![Value::Nil],
    }])
}

fn all_matches(case: &Case) -> Result<Vec<Vec<Value>>, Failure> {
    let mut lines = Vec::new();
    let (mut from, mut last) = (start(case).unwrap_or(usize::MAX), None);
    while from <= case.subject.len() {
        // `^` means itself here.
        match search(&case.subject, &case.pattern, from, true)? {
            Some(found) if Some(found.end) != last => {
                lines.push(found.values(&case.subject)?);
                from = found.end;
                last = Some(from);
            }
            _ => from += 1,
        }
    }
    Ok(lines)
}

fn substitute(case: &Case) -> Result<Vec<Vec<Value>>, Failure> {
    let (pattern, anchor) = anchored(case);
    let subject = &case.subject;
    let max = case.max.unwrap_or(subject.len() as i64 + 1);
    let (mut out, mut from, mut last, mut count) = (Vec::new(), 0, None, 0);
    while i64::from(count) < max {
        match search(subject, pattern, from, true)? {
            Some(found) if Some(found.end) != last => {
                count += 1;
                replace(case, &found, &mut out)?;
                from = found.end;
                last = Some(from);
            }
            _ if from < subject.len() => {
                out.push(subject[from]);
                from += 1;
            }
            _ => break,
        }
        if anchor {
            break;
        }
    }
    out.extend_from_slice(&subject[from..]);
    Ok(vec![vec![
        Value::Text(out),
        Value::Position(count as usize),
    ]])
}

fn replace(case: &Case, found: &Found, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut template = case.replacement.bytes();
    while let Some(byte) = template.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match template.next() {
            Some(b'%') => out.push(b'%'),
            Some(b'0') => out.extend_from_slice(&case.subject[found.start..found.end]),
            Some(digit @ b'1'..=b'9') => {
                let index = usize::from(digit - b'1');
                match found.value(&case.subject, index)? {
                    Some(Value::Position(n)) => out.extend_from_slice(n.to_string().as_bytes()),
                    Some(Value::Text(text)) => out.extend_from_slice(&text),
                    _ => {
                        let message = format!("invalid capture index %{}", index + 1);
                        return Err(Failure::Mistake(message));
                    }
                }
            }
            _ => {
                return Err(Failure::Mistake(
                    "invalid use of '%' in replacement string".into(),
                ));
            }
        }
    }
    Ok(())
}
