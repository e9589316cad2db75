//! `string.find`, `string.match`, `string.gmatch`.
//!
//! **Invariant:** a search that has to pause leaves its state in a userdata in an argument slot; the subject stays argument 0.

use super::long_needle;
use super::pattern::{Capture, Progress, has_specials};
use super::search::{Found, Match, Search, Wanted, search, search_quickly};
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Cont, Ctx, NativeResult, Thrown};
use crate::value::{Val, tag};
use crate::vm::Vm;

/// Bytes that a plain search looks at before it checks whether it should pause.
const PLAIN_CHUNK: usize = 1 << 18;

/// Longer texts are searched for by their hash: the searcher's preparation of a text is one step.
const LONG_NEEDLE: usize = 1 << 14;

pub(super) static FIND: NativeDef = NativeDef {
    name: "find",
    run: find,
    cost: Cost::Steps,
    quick: Some(quick_find),
    switch: None,
};
pub(super) static MATCH: NativeDef = NativeDef {
    name: "match",
    run: match_,
    cost: Cost::Steps,
    quick: Some(quick_match),
    switch: None,
};
pub(super) static GMATCH: NativeDef = NativeDef::new("gmatch", gmatch, Cost::Constant);
static GMATCH_NEXT: NativeDef = NativeDef::new("for iterator", gmatch_next, Cost::Steps);

/// Bytes that a quick form searches plainly, and bytes that it searches for.
const QUICK_TEXT: usize = 1 << 12;
const QUICK_NEEDLE: usize = 32;

/// The offset (from 0) that a start position means; it may lie beyond the end.
pub(super) fn start_offset(position: i64, len: usize) -> usize {
    match position {
        1.. => (position as u64 - 1).min(usize::MAX as u64) as usize,
        0 => 0,
        _ => len.saturating_sub(position.unsigned_abs().min(usize::MAX as u64) as usize),
    }
}

/// Subject, pattern and where to start, of the arguments of a quick form; `Err`: its result.
#[inline(always)]
fn quick_arguments<'a>(args: &[Val]) -> Result<(&'a [u8], &'a [u8], usize), Val> {
    let (subject, pattern, init) = match args {
        [subject, pattern] => (subject, pattern, 1),
        [subject, pattern, init, ..] if init.tag == tag::INT => (subject, pattern, init.raw_int()),
        _ => return Err(Val::UNSUITED),
    };
    let (Some(subject), Some(pattern)) = (subject.as_str(), pattern.as_str()) else {
        return Err(Val::UNSUITED);
    };
    let init = start_offset(init, subject.len());
    if init > subject.len() {
        return Err(Val::NIL);
    }
    Ok((subject.as_bytes(), pattern.as_bytes(), init))
}

/// Where only the start is asked for, of a pattern that has been searched for before or of a short text.
fn quick_find(vm: &mut Vm, args: &[Val], one: bool) -> Val {
    if !one {
        return Val::UNSUITED;
    }
    let (subject, pattern, init) = match quick_arguments(args) {
        Ok(arguments) => arguments,
        Err(result) => return result,
    };
    if !args.get(3).is_some_and(|plain| plain.truthy()) {
        match search_quickly(vm, subject, pattern, init, one) {
            Some(Some(((start, _), _))) => return Val::int(start as i64 + 1),
            Some(None) => return Val::NIL,
            None if has_specials(pattern) => return Val::UNSUITED,
            None => {}
        }
    }
    let text = &subject[init..];
    if text.len() > QUICK_TEXT || pattern.len() > QUICK_NEEDLE {
        return Val::UNSUITED;
    }
    vm.heap.spend(plain_cost(text, pattern) as i64);
    match plain_position(text, pattern) {
        Some(found) => Val::int((init + found) as i64 + 1),
        None => Val::NIL,
    }
}

/// Where there is but one value, or only the first is asked for.
fn quick_match(vm: &mut Vm, args: &[Val], one: bool) -> Val {
    let (subject, pattern, init) = match quick_arguments(args) {
        Ok(arguments) => arguments,
        Err(result) => return result,
    };
    // With several captures, as it seems, there is no need to look for the program.
    if !one && pattern.iter().filter(|byte| **byte == b'(').count() > 1 {
        return Val::UNSUITED;
    }
    match search_quickly(vm, subject, pattern, init, one) {
        Some(Some((_, Capture::Span { start, end }))) if end - start <= QUICK_TEXT => {
            vm.heap.spend(((end - start) / 16) as i64);
            let text = vm.new_str(&subject[start..end]);
            text.map_or(Val::UNSUITED, Val::str)
        }
        Some(Some((_, Capture::Position(at)))) => Val::int(at as i64 + 1),
        Some(None) => Val::NIL,
        _ => Val::UNSUITED,
    }
}

fn find(ctx: &mut Ctx<'_>) -> NativeResult {
    let (subject, pattern) = (ctx.check_str(0)?.as_bytes(), ctx.check_str(1)?.as_bytes());
    let mut init = start_offset(ctx.opt_int(2, 1)?, subject.len());
    if init > subject.len() {
        if ctx.vm.dialect >= Dialect::Lua52 {
            return ctx.ret(Val::NIL);
        }
        // 5.1 goes on at the end.
        init = subject.len();
    }
    ctx.charge(pattern.len() / 16);
    if ctx.arg(3).truthy() || !has_specials(pattern) {
        return find_plainly(ctx, subject, pattern, init);
    }
    let wanted = Wanted {
        subject,
        pattern,
        anchor: true,
        init,
        not_ending_at: None,
    };
    match search(ctx, wanted, found)? {
        Ok(action) => Ok(action),
        Err(search) => pause(ctx, search, find_on),
    }
}

fn find_on(ctx: &mut Ctx<'_>) -> NativeResult {
    go_on(ctx, found, find_on)
}

fn found(ctx: &mut Ctx<'_>, found: &Match<'_>, progress: Progress) -> NativeResult {
    let Progress::Match { start, end } = progress else {
        return ctx.ret(Val::NIL);
    };
    let from = ctx.top();
    ctx.push(Val::int(start as i64 + 1));
    ctx.push(Val::int(end as i64));
    found.push_values(ctx, (start, end), false)?;
    ctx.ret_from(from)
}

/// A search for the text itself, a piece of the subject at a time.
fn find_plainly(ctx: &mut Ctx<'_>, subject: &[u8], needle: &[u8], init: usize) -> NativeResult {
    if needle.len() > LONG_NEEDLE {
        return long_needle::find(ctx, init);
    }
    let mut at = init;
    loop {
        let rest = &subject[at..];
        let piece = &rest[..rest.len().min(PLAIN_CHUNK + needle.len())];
        ctx.charge(plain_cost(piece, needle));
        if let Some(found) = plain_position(piece, needle) {
            let start = (at + found) as i64;
            return ctx.ret2(Val::int(start + 1), Val::int(start + needle.len() as i64));
        }
        if piece.len() == rest.len() {
            return ctx.ret(Val::NIL);
        }
        at += PLAIN_CHUNK;
        if ctx.should_pause() {
            ctx.resize_args(3)?;
            ctx.set_arg(2, Val::int(at as i64));
            return ctx.pause(find_plainly_on);
        }
    }
}

fn find_plainly_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let (subject, needle) = (ctx.check_str(0)?.as_bytes(), ctx.check_str(1)?.as_bytes());
    let at = ctx.arg(2).as_int().unwrap_or(0) as usize;
    find_plainly(ctx, subject, needle, at)
}

/// Each piece makes a searcher anew, at a cost that grows with the text it searches for.
fn plain_cost(piece: &[u8], needle: &[u8]) -> usize {
    match piece.len() < 64 {
        true => 1,
        false => piece.len().min(PLAIN_CHUNK) / 64 + needle.len() / 4,
    }
}

fn plain_position(text: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [byte] => memchr::memchr(*byte, text),
        _ => memchr::memmem::find(text, needle),
    }
}

fn match_(ctx: &mut Ctx<'_>) -> NativeResult {
    let (subject, pattern) = (ctx.check_str(0)?.as_bytes(), ctx.check_str(1)?.as_bytes());
    let mut init = start_offset(ctx.opt_int(2, 1)?, subject.len());
    if init > subject.len() {
        if ctx.vm.dialect >= Dialect::Lua52 {
            return ctx.ret(Val::NIL);
        }
        // 5.1 goes on at the end.
        init = subject.len();
    }
    let wanted = Wanted {
        subject,
        pattern,
        anchor: true,
        init,
        not_ending_at: None,
    };
    match search(ctx, wanted, matched)? {
        Ok(action) => Ok(action),
        Err(search) => pause(ctx, search, match_on),
    }
}

fn match_on(ctx: &mut Ctx<'_>) -> NativeResult {
    go_on(ctx, matched, match_on)
}

fn matched(ctx: &mut Ctx<'_>, found: &Match<'_>, progress: Progress) -> NativeResult {
    let Progress::Match { start, end } = progress else {
        return ctx.ret(Val::NIL);
    };
    if found.value_count() == 1
        && let Capture::Span { start, end } = found.capture(ctx, 0, (start, end))?
    {
        return super::basic::part(ctx, start, end);
    }
    let from = ctx.top();
    found.push_values(ctx, (start, end), true)?;
    ctx.ret_from(from)
}

// ---- gmatch: the iterator's upvalues are subject, pattern, where to go on, and the end of the last match ----

fn gmatch(ctx: &mut Ctx<'_>) -> NativeResult {
    let subject = ctx.check_str(0)?;
    let pattern = ctx.check_str(1)?;
    // A start position is an argument from 5.4 on.
    let start = match ctx.vm.dialect >= Dialect::Lua54 {
        true => ctx.opt_int(2, 1)?,
        false => 1,
    };
    let init = start_offset(start, subject.len()).min(subject.len() + 1);
    let upvalues = [
        Val::str(subject),
        Val::str(pattern),
        Val::int(init as i64),
        Val::int(-1),
    ];
    let iterator = ctx.vm.new_native_closure(&GMATCH_NEXT, &upvalues)?;
    ctx.ret(Val::native_closure(iterator))
}

fn gmatch_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let (Some(subject), Some(pattern)) = (ctx.upvalue(0).as_str(), ctx.upvalue(1).as_str()) else {
        return ctx.ret0();
    };
    let subject = subject.as_bytes();
    let init = ctx.upvalue(2).as_int().unwrap_or(0) as usize;
    if init > subject.len() {
        return ctx.ret0();
    }
    let last = usize::try_from(ctx.upvalue(3).as_int().unwrap_or(-1)).ok();
    let pattern = pattern.as_bytes();
    let wanted = Wanted {
        subject,
        pattern,
        anchor: false,
        init,
        not_ending_at: last,
    };
    match search(ctx, wanted, gmatched)? {
        Ok(action) => Ok(action),
        Err(search) => {
            // The upvalues keep the subject; a copy in argument 0 is where a paused search looks for it.
            let v = ctx.upvalue(0);
            ctx.resize_args(1)?;
            ctx.set_arg(0, v);
            pause(ctx, search, gmatch_on)
        }
    }
}

fn gmatch_on(ctx: &mut Ctx<'_>) -> NativeResult {
    go_on(ctx, gmatched, gmatch_on)
}

fn gmatched(ctx: &mut Ctx<'_>, found: &Match<'_>, progress: Progress) -> NativeResult {
    let Progress::Match { start, end } = progress else {
        ctx.set_upvalue(2, Val::int(i64::MAX)); // beyond the end of any subject
        return ctx.ret0();
    };
    if ctx.vm.dialect < Dialect::Lua53 {
        // A match may end where the last one did; behind an empty one, the next begins a byte later.
        ctx.set_upvalue(2, Val::int((end + (start == end) as usize) as i64));
    } else {
        ctx.set_upvalue(2, Val::int(end as i64));
        ctx.set_upvalue(3, Val::int(end as i64));
    }
    let from = ctx.top();
    found.push_values(ctx, (start, end), true)?;
    ctx.ret_from(from)
}

// ---- pausing ----

/// Puts a search into a userdata behind the subject and pauses. The pattern is no longer needed: it is in the search.
fn pause(ctx: &mut Ctx<'_>, search: Search, cont: Cont) -> NativeResult {
    ctx.keep_state(2, search)?;
    ctx.pause(cont)
}

/// Goes on with the search that was paused.
fn go_on(ctx: &mut Ctx<'_>, found: Found, cont: Cont) -> NativeResult {
    let (Some(search), Some(subject)) = (ctx.kept_state::<Search>(), ctx.arg(0).as_str()) else {
        return ctx.ret(Val::NIL);
    };
    let subject = subject.as_bytes();
    match search.step(ctx, subject)? {
        Progress::Paused => ctx.pause(cont),
        progress => found(ctx, &search.view(subject), progress),
    }
}

/// Makes room on the stack for `n` values; what the reference says if there is none.
pub(super) fn reserve_results(ctx: &mut Ctx<'_>, n: usize, what: &str) -> Result<(), Thrown> {
    if n > crate::thread::MAX_STACK - ctx.top().min(crate::thread::MAX_STACK) {
        return Err(ctx.error(&format!("stack overflow ({what})")));
    }
    ctx.reserve(n)
}
