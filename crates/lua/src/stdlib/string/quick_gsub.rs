//! `string.gsub` of a short subject with a pattern that has been searched for before, by a text or a plain table, where the number of
//! replacements is not asked for: put together on the native stack.
//!
//! **Invariant:** as for [`super::quick_format`]. What is given up half way leaves nothing but fuel spent.

use super::pattern::{Capture, Matcher, Program, Progress};
use super::search::with_kept;
use crate::heap::Gc;
use crate::native::to_number;
use crate::number;
use crate::short::{Output, Short};
use crate::string::MAX_INTERNED;
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// Bytes of a result.
const ROOM: usize = 512;
/// Bytes of a subject; more of them are seldom done in so few steps.
const MAX_SUBJECT: usize = 256;
/// Steps of all searches, and for what is replaced.
const STEPS: u64 = 1000;

/// What matches are replaced by.
enum By<'a> {
    Text(&'a [u8]),
    Table(Gc<Table>),
}

/// The quick form of `string.gsub`.
pub(super) fn quick(vm: &mut Vm, args: &[Val], one: bool) -> Val {
    let [subject, pattern, by] = args else {
        return Val::UNSUITED;
    };
    let (Some(text), Some(pattern)) = (subject.as_str(), pattern.as_str()) else {
        return Val::UNSUITED;
    };
    let by = match (by.as_str(), by.as_table()) {
        (Some(text), _) => By::Text(text.as_bytes()),
        (_, Some(t)) if t.meta.is_null() && t.header.extra == 0 => By::Table(t),
        _ => return Val::UNSUITED,
    };
    if !one || text.len() > MAX_SUBJECT {
        return Val::UNSUITED;
    }
    let mut out = Short::<ROOM>::new();
    let changed = with_kept(pattern.as_bytes(), |program, matcher| {
        let mut left = STEPS;
        let changed = replace(
            vm,
            (program, matcher),
            text.as_bytes(),
            by,
            &mut left,
            &mut out,
        );
        vm.heap.spend((STEPS - left) as i64);
        changed
    });
    match changed {
        Some(true) => vm.new_str(out.as_bytes()).map_or(Val::UNSUITED, Val::str),
        Some(false) => *subject,
        None => Val::UNSUITED,
    }
}

/// Writes the result, and says whether it is not just the subject; `None` where this is not for here.
fn replace(
    vm: &mut Vm,
    (program, matcher): (&Program, &mut Matcher),
    subject: &[u8],
    by: By<'_>,
    left: &mut u64,
    out: &mut Short<ROOM>,
) -> Option<bool> {
    let (mut copied, mut changed) = (0, false);
    matcher.begin(program, 0, None);
    while let Progress::Match { start, end } = matcher.run(program, subject, left).ok()? {
        append(out, &subject[copied..start])?;
        match by {
            By::Text(text) => {
                *left = left.checked_sub(1 + text.len() as u64 / 16)?;
                changed = true;
                expand((program, matcher), subject, (start, end), text, out)?;
            }
            By::Table(t) => {
                *left = left.checked_sub(1)?;
                let key = match matcher.capture(program, 0, start, end).ok()? {
                    Capture::Span { start, end } if end - start <= MAX_INTERNED => {
                        Val::str(vm.intern(&subject[start..end]).ok()?)
                    }
                    Capture::Span { .. } => return None,
                    Capture::Position(at) => Val::int(at as i64 + 1),
                };
                let v = t.get(vm.heap.hash_key, key);
                changed |= v.truthy();
                match v.tag {
                    tag::NIL | tag::FALSE => append(out, &subject[start..end])?,
                    tag::STR => append(out, v.as_str()?.as_bytes())?,
                    tag::INT | tag::FLOAT => {
                        append(out, number::text(vm.dialect, to_number(v)?).as_bytes())?;
                    }
                    _ => return None,
                }
            }
        }
        copied = end;
        if program.is_anchored() {
            return finish(out, &subject[copied..], changed);
        }
        matcher.begin(program, end, Some(end));
    }
    // Without steps left the search has stopped; only where there is one is it at its end.
    if *left == 0 {
        return None;
    }
    finish(out, &subject[copied..], changed)
}

fn finish(out: &mut Short<ROOM>, rest: &[u8], changed: bool) -> Option<bool> {
    if changed {
        append(out, rest)?;
    }
    Some(changed)
}

/// Appends a replacement text, with `%0` to `%9` and `%%` expanded.
fn expand(
    (program, matcher): (&Program, &Matcher),
    subject: &[u8],
    (start, end): (usize, usize),
    mut text: &[u8],
    out: &mut Short<ROOM>,
) -> Option<()> {
    while let Some(at) = text.iter().position(|byte| *byte == b'%') {
        append(out, &text[..at])?;
        match *text.get(at + 1)? {
            b'%' => append(out, b"%")?,
            b'0' => append(out, &subject[start..end])?,
            digit @ b'1'..=b'9' => {
                let index = usize::from(digit - b'1');
                match matcher.capture(program, index, start, end).ok()? {
                    Capture::Span { start, end } => append(out, &subject[start..end])?,
                    Capture::Position(_) => return None,
                }
            }
            _ => return None,
        }
        text = &text[at + 2..];
    }
    append(out, text)
}

/// Appends bytes, if there is room.
fn append(out: &mut Short<ROOM>, bytes: &[u8]) -> Option<()> {
    if bytes.len() > out.room() {
        return None;
    }
    out.append(bytes);
    Some(())
}
