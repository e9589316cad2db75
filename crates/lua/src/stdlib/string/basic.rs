//! The functions of the `string` library that look at bytes: `byte char dump len lower rep reverse sub upper`.
//!
//! **Invariant:** a long text is made in pieces of at most [`CHUNK`] bytes between two looks at the fuel; the buffer of a
//! function that pauses is in a userdata in an argument slot.

use super::find::reserve_results;
use crate::compiler;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Cont, Ctx, NativeResult};
use crate::string::MAX_INTERNED;
use crate::string::MAX_LEN;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// Bytes made before a look at whether to pause.
const CHUNK: usize = 1 << 18;
/// Results pushed before a look at whether to pause.
const RESULTS: usize = 1 << 14;
/// Results up to this length are put together on the native stack.
const SMALL: usize = 128;

pub(super) static BYTE: NativeDef = NativeDef {
    name: "byte",
    run: byte,
    cost: Cost::Slots,
    quick: Some(|_, args, _| {
        let (s, at) = match args {
            [s] => (s, 1),
            [s, at] if at.tag == tag::INT => (s, at.raw_int()),
            _ => return Val::UNSUITED,
        };
        match s
            .as_str()
            .and_then(|s| s.as_bytes().get((at as usize).wrapping_sub(1)))
        {
            Some(byte) => Val::int(i64::from(*byte)),
            None => Val::UNSUITED,
        }
    }),
    switch: None,
};
pub(super) static CHAR: NativeDef = NativeDef {
    name: "char",
    run: char_,
    cost: Cost::Slots,
    quick: Some(|vm, args, _| match args {
        [v] if v.tag == tag::INT => match u8::try_from(v.raw_int()) {
            Ok(byte) => vm.intern(&[byte]).map_or(Val::UNSUITED, Val::str),
            Err(_) => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};
pub(super) static DUMP: NativeDef = NativeDef::new("dump", dump, Cost::Bytes);
pub(super) static LEN: NativeDef = NativeDef {
    name: "len",
    run: len,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args.first().and_then(|v| v.as_str()) {
        Some(s) => Val::int(s.len() as i64),
        None => Val::UNSUITED,
    }),
    switch: None,
};
pub(super) static LOWER: NativeDef = NativeDef {
    name: "lower",
    run: lower,
    cost: Cost::Bytes,
    quick: Some(|vm, args, _| quick_transform(vm, args, |bytes| bytes.make_ascii_lowercase())),
    switch: None,
};
pub(super) static REP: NativeDef = NativeDef {
    name: "rep",
    run: rep,
    cost: Cost::Bytes,
    quick: Some(quick_rep),
    switch: None,
};
pub(super) static REVERSE: NativeDef = NativeDef {
    name: "reverse",
    run: reverse,
    cost: Cost::Bytes,
    quick: Some(|vm, args, _| quick_transform(vm, args, |bytes| bytes.reverse())),
    switch: None,
};
pub(super) static SUB: NativeDef = NativeDef {
    name: "sub",
    run: sub,
    cost: Cost::Bytes,
    quick: Some(|vm, args, _| {
        let (s, start, end) = match args {
            [s, start] if start.tag == tag::INT => (s, start.raw_int(), -1),
            [s, start, end] if start.tag == tag::INT && end.tag == tag::INT => {
                (s, start.raw_int(), end.raw_int())
            }
            _ => return Val::UNSUITED,
        };
        let Some(s) = s.as_str() else {
            return Val::UNSUITED;
        };
        let len = s.len() as i64;
        let (start, end) = (start_position(start, len), end_position(end, len));
        if start == 1 && end == len {
            return Val::str(s);
        }
        let part = if start > end {
            &[][..]
        } else {
            &s.as_bytes()[start as usize - 1..end as usize]
        };
        if part.len() > MAX_INTERNED {
            return Val::UNSUITED;
        }
        vm.intern(part).map_or(Val::UNSUITED, Val::str)
    }),
    switch: None,
};
pub(super) static UPPER: NativeDef = NativeDef {
    name: "upper",
    run: upper,
    cost: Cost::Bytes,
    quick: Some(|vm, args, _| quick_transform(vm, args, |bytes| bytes.make_ascii_uppercase())),
    switch: None,
};

/// The position (from 1) that a start argument means: at least 1.
#[inline]
fn start_position(position: i64, len: i64) -> i64 {
    match position {
        1.. => position,
        0 => 1,
        _ => position.saturating_add(len).saturating_add(1).max(1),
    }
}

/// The position that an end argument means: at most the length.
#[inline]
fn end_position(position: i64, len: i64) -> i64 {
    if position >= 0 {
        position.min(len)
    } else {
        position.saturating_add(len).saturating_add(1).max(0)
    }
}

fn len(ctx: &mut Ctx<'_>) -> NativeResult {
    let s = ctx.check_str(0)?;
    ctx.ret(Val::int(s.len() as i64))
}

fn sub(ctx: &mut Ctx<'_>) -> NativeResult {
    let s = ctx.check_str(0)?;
    let len = s.len() as i64;
    let start = start_position(ctx.check_int(1)?, len);
    let end = end_position(ctx.opt_int(2, -1)?, len);
    if start > end {
        return ctx.ret_str(b"");
    }
    if start == 1 && end == len {
        return ctx.ret(Val::str(s));
    }
    part(ctx, start as usize - 1, end as usize)
}

/// Returns bytes `from..to` of argument 0, a string; many of them in pieces.
pub(super) fn part(ctx: &mut Ctx<'_>, from: usize, to: usize) -> NativeResult {
    if to - from > CHUNK {
        let mut result = ctx.buffer();
        result.push_argument(ctx, 0, from, to)?;
        return sub_pieces(ctx, Making { result });
    }
    let bytes = ctx.check_str(0)?.as_bytes();
    ctx.charge((to - from) / 16);
    ctx.ret_str(&bytes[from..to])
}

fn sub_on(ctx: &mut Ctx<'_>) -> NativeResult {
    match take_making(ctx) {
        Some(making) => sub_pieces(ctx, making),
        None => ctx.ret(Val::NIL),
    }
}

fn sub_pieces(ctx: &mut Ctx<'_>, mut making: Making) -> NativeResult {
    if !making.result.settle(ctx) {
        return pause(ctx, making, sub_on);
    }
    let s = making.result.finish(ctx)?;
    ctx.ret(Val::str(s))
}

fn byte(ctx: &mut Ctx<'_>) -> NativeResult {
    let s = ctx.check_str(0)?;
    let len = s.len() as i64;
    let given = ctx.opt_int(1, 1)?;
    let start = start_position(given, len);
    let end = end_position(ctx.opt_int(2, given)?, len);
    if start > end {
        return ctx.ret0();
    }
    let bytes = &s.as_bytes()[start as usize - 1..end as usize];
    if let [byte] = bytes {
        return ctx.ret(Val::int(i64::from(*byte)));
    }
    // While it pauses: where to go on, and the end. The results pile up above.
    ctx.resize_args(3)?;
    reserve_results(ctx, bytes.len(), "string slice too long")?;
    ctx.set_arg(1, Val::int(start - 1));
    ctx.set_arg(2, Val::int(end));
    byte_on(ctx)
}

fn byte_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let bytes = ctx.check_str(0)?.as_bytes();
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0) as usize;
    let (mut at, end) = (int(1), int(2));
    while at < end {
        if ctx.should_pause() {
            ctx.set_arg(1, Val::int(at as i64));
            return ctx.pause(byte_on);
        }
        let piece = &bytes[at..end.min(at + RESULTS)];
        ctx.charge(piece.len());
        ctx.reserve(piece.len())?;
        for byte in piece {
            ctx.push(Val::int(i64::from(*byte)));
        }
        at += piece.len();
    }
    let first = ctx.base + ctx.nargs();
    ctx.ret_from(first)
}

fn char_(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut small = [0u8; SMALL];
    let mut long = Vec::new();
    let count = ctx.nargs();
    ctx.charge(count);
    let bytes = if count <= SMALL {
        &mut small[..count]
    } else {
        // No longer than the stack, which is bounded.
        if long.try_reserve_exact(count).is_err() {
            return Err(ctx.vm.throw_memory());
        }
        long.resize(count, 0);
        &mut long[..]
    };
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = match u8::try_from(ctx.check_count(i)?) {
            Ok(byte) => byte,
            Err(_) if ctx.vm.dialect < Dialect::Lua52 => {
                return Err(ctx.arg_error(i, "invalid value"));
            }
            Err(_) => return Err(ctx.arg_error(i, "value out of range")),
        };
    }
    ctx.ret_str(bytes)
}

fn dump(ctx: &mut Ctx<'_>) -> NativeResult {
    let lua = ctx.arg(0).as_lua_closure().is_some();
    if !lua && ctx.vm.dialect >= Dialect::Lua55 {
        return Err(ctx.arg_error(0, "Lua function expected"));
    }
    let f = ctx.check_function(0)?;
    let strip = ctx.arg(1).truthy();
    let Some(closure) = f.as_lua_closure() else {
        return Err(ctx.error("unable to dump given function"));
    };
    let code = std::sync::Arc::clone(&closure.proto().function);
    ctx.charge(code.code.len());
    let bytes = compiler::dump::dump(&code, strip);
    ctx.ret_str(&bytes)
}

// ---- texts made byte by byte ----

/// A text being made from argument 0.
struct Making {
    result: Buffer,
}

const STATE: usize = 3;

fn lower(ctx: &mut Ctx<'_>) -> NativeResult {
    transform(ctx, |bytes| bytes.make_ascii_lowercase(), lower_on)
}

fn lower_on(ctx: &mut Ctx<'_>) -> NativeResult {
    transform_on(ctx, |bytes| bytes.make_ascii_lowercase(), lower_on)
}

fn upper(ctx: &mut Ctx<'_>) -> NativeResult {
    transform(ctx, |bytes| bytes.make_ascii_uppercase(), upper_on)
}

fn upper_on(ctx: &mut Ctx<'_>) -> NativeResult {
    transform_on(ctx, |bytes| bytes.make_ascii_uppercase(), upper_on)
}

/// As [`transform`], of a text that is interned.
#[inline(always)]
fn quick_transform(vm: &mut Vm, args: &[Val], change: fn(&mut [u8])) -> Val {
    let mut small = [0u8; MAX_INTERNED];
    let text = args.first().and_then(|v| v.as_str());
    let place = text.and_then(|text| Some((text, small.get_mut(..text.len())?)));
    let Some((text, place)) = place else {
        return Val::UNSUITED;
    };
    place.copy_from_slice(text.as_bytes());
    change(place);
    vm.intern(place).map_or(Val::UNSUITED, Val::str)
}

/// Copies argument 0 through `change`.
fn transform(ctx: &mut Ctx<'_>, change: fn(&mut [u8]), on: Cont) -> NativeResult {
    let source = ctx.check_str(0)?.as_bytes();
    if source.len() <= SMALL {
        let mut small = [0u8; SMALL];
        let bytes = &mut small[..source.len()];
        bytes.copy_from_slice(source);
        change(bytes);
        return ctx.ret_str(bytes);
    }
    let mut result = ctx.buffer();
    result.reserve(ctx, source.len())?;
    transform_pieces(ctx, Making { result }, change, on)
}

fn transform_on(ctx: &mut Ctx<'_>, change: fn(&mut [u8]), on: Cont) -> NativeResult {
    match take_making(ctx) {
        Some(making) => transform_pieces(ctx, making, change, on),
        None => ctx.ret(Val::NIL),
    }
}

fn transform_pieces(
    ctx: &mut Ctx<'_>,
    mut making: Making,
    change: fn(&mut [u8]),
    on: Cont,
) -> NativeResult {
    let source = ctx.check_str(0)?.as_bytes();
    while making.result.len() < source.len() {
        if ctx.should_pause() {
            return pause(ctx, making, on);
        }
        let rest = &source[making.result.len()..];
        let piece = &rest[..rest.len().min(CHUNK)];
        ctx.charge(piece.len() / 16);
        making.result.push_with(ctx, piece.len(), |out| {
            let from = out.len();
            out.extend_from_slice(piece);
            change(&mut out[from..]);
        })?;
    }
    let s = making.result.finish(ctx)?;
    ctx.ret(Val::str(s))
}

fn reverse(ctx: &mut Ctx<'_>) -> NativeResult {
    let source = ctx.check_str(0)?.as_bytes();
    if source.len() <= SMALL {
        let mut small = [0u8; SMALL];
        let bytes = &mut small[..source.len()];
        bytes.copy_from_slice(source);
        bytes.reverse();
        return ctx.ret_str(bytes);
    }
    let mut result = ctx.buffer();
    result.reserve(ctx, source.len())?;
    reverse_pieces(ctx, Making { result })
}

fn reverse_on(ctx: &mut Ctx<'_>) -> NativeResult {
    match take_making(ctx) {
        Some(making) => reverse_pieces(ctx, making),
        None => ctx.ret(Val::NIL),
    }
}

fn reverse_pieces(ctx: &mut Ctx<'_>, mut making: Making) -> NativeResult {
    let source = ctx.check_str(0)?.as_bytes();
    while making.result.len() < source.len() {
        if ctx.should_pause() {
            return pause(ctx, making, reverse_on);
        }
        let rest = &source[..source.len() - making.result.len()];
        let piece = &rest[rest.len().saturating_sub(CHUNK)..];
        ctx.charge(piece.len() / 16);
        making
            .result
            .push_with(ctx, piece.len(), |out| out.extend(piece.iter().rev()))?;
    }
    let s = making.result.finish(ctx)?;
    ctx.ret(Val::str(s))
}

fn quick_rep(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let mut small = [0u8; SMALL];
    let (text, count) = match args {
        [text, count] if count.tag == tag::INT => (text.as_str(), count.raw_int().max(0)),
        _ => return Val::UNSUITED,
    };
    let Some(text) = text else {
        return Val::UNSUITED;
    };
    let total = text.len().checked_mul(count as usize);
    let Some(place) = total.and_then(|total| small.get_mut(..total)) else {
        return Val::UNSUITED;
    };
    if !place.is_empty() {
        fill(place, 0, text.as_bytes(), b"");
    }
    vm.new_str(place).map_or(Val::UNSUITED, Val::str)
}

fn rep(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let count = ctx.check_count(1)?;
    let separator = ctx.opt_str(2)?.map_or(&b""[..], |s| s.as_bytes());
    if count <= 0 {
        return ctx.ret_str(b"");
    }
    let unit = text.len() + separator.len();
    let total = match usize::try_from(count)
        .ok()
        .and_then(|count| unit.checked_mul(count))
    {
        Some(total) if total - separator.len() <= MAX_LEN => total - separator.len(),
        _ => return Err(ctx.error("resulting string too large")),
    };
    if total <= SMALL {
        let mut small = [0u8; SMALL];
        if total > 0 {
            fill(&mut small[..total], 0, text, separator);
        }
        return ctx.ret_str(&small[..total]);
    }
    let mut result = ctx.buffer();
    result.reserve(ctx, total)?;
    ctx.resize_args(STATE)?;
    ctx.set_arg(1, Val::int(total as i64));
    rep_pieces(ctx, Making { result })
}

fn rep_on(ctx: &mut Ctx<'_>) -> NativeResult {
    match take_making(ctx) {
        Some(making) => rep_pieces(ctx, making),
        None => ctx.ret(Val::NIL),
    }
}

/// Argument 1 is the length of the result by now.
fn rep_pieces(ctx: &mut Ctx<'_>, mut making: Making) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let separator = ctx.opt_str(2)?.map_or(&b""[..], |s| s.as_bytes());
    let total = ctx.arg(1).as_int().unwrap_or(0) as usize;
    while making.result.len() < total {
        if ctx.should_pause() {
            return pause(ctx, making, rep_on);
        }
        let done = making.result.len();
        let piece = (total - done).min(CHUNK);
        ctx.charge(piece / 16);
        making.result.push_with(ctx, piece, |out| {
            let from = out.len();
            out.resize(from + piece, 0);
            fill(&mut out[from..], done, text, separator);
        })?;
    }
    let s = making.result.finish(ctx)?;
    ctx.ret(Val::str(s))
}

/// Fills `out` with the endless repetition of text and separator, from offset `offset` of that on.
fn fill(out: &mut [u8], offset: usize, text: &[u8], separator: &[u8]) {
    if let ([byte], []) = (text, separator) {
        return out.fill(*byte);
    }
    let unit = text.len() + separator.len();
    // The first unit (or what there is room for) by hand, then doubling.
    let mut done = 0;
    let first = unit.min(out.len());
    while done < first {
        let at = (offset + done) % unit;
        let rest = if at < text.len() {
            &text[at..]
        } else {
            &separator[at - text.len()..]
        };
        let n = rest.len().min(first - done);
        out[done..done + n].copy_from_slice(&rest[..n]);
        done += n;
    }
    while done < out.len() {
        let n = done.min(out.len() - done);
        out.copy_within(..n, done);
        done += n;
    }
}

fn pause(ctx: &mut Ctx<'_>, making: Making, cont: Cont) -> NativeResult {
    ctx.keep_state(STATE, making)?;
    ctx.pause(cont)
}

fn take_making(ctx: &mut Ctx<'_>) -> Option<Making> {
    let empty = ctx.buffer();
    let making = ctx.kept_state::<Making>()?;
    Some(Making {
        result: std::mem::replace(&mut making.result, empty),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        assert_eq!(start_position(0, 5), 1);
        assert_eq!(start_position(-2, 5), 4);
        assert_eq!(start_position(-9, 5), 1);
        assert_eq!(start_position(i64::MIN, 5), 1);
        assert_eq!(start_position(9, 5), 9);
        assert_eq!(end_position(9, 5), 5);
        assert_eq!(end_position(-1, 5), 5);
        assert_eq!(end_position(-9, 5), 0);
        assert_eq!(end_position(i64::MIN, 5), 0);
        assert_eq!(end_position(i64::MAX, 5), 5);
    }

    #[test]
    fn repetitions_are_the_same_in_pieces() {
        for (text, separator) in [
            (&b"abc"[..], &b","[..]),
            (b"x", b""),
            (b"", b"--"),
            (b"hello world", b"1234567"),
        ] {
            let mut whole = vec![0; 1000];
            fill(&mut whole, 0, text, separator);
            assert!(whole.starts_with(&[text, separator, text].concat()));
            let mut pieces = vec![0; 1000];
            for (i, piece) in pieces.chunks_mut(7).enumerate() {
                fill(piece, i * 7, text, separator);
            }
            assert_eq!(whole, pieces);
        }
    }
}
