//! The `utf8` library.
//!
//! **Invariant:** text is read as bytes; nothing assumes that it is valid. Long texts are read in pieces that are charged
//! before they are read, and the native pauses between them.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;

/// Characters looked at before a look at whether to pause.
const CHUNK: usize = 1 << 14;
/// The largest code: UTF-8 as it was first defined, with up to six bytes.
const MAX_CODE: u64 = 0x7FFF_FFFF;
const MAX_UNICODE: u32 = 0x10_FFFF;
const INVALID: &str = "invalid UTF-8 code";

/// The largest code of a version.
fn max_code(dialect: Dialect) -> u64 {
    match dialect < Dialect::Lua54 {
        true => u64::from(MAX_UNICODE),
        false => MAX_CODE,
    }
}

/// How argument `lax` and the version say to decode. Up to 5.3, all codes up to U+10FFFF count, surrogates too.
fn mode(ctx: &Ctx<'_>, lax: bool) -> Mode {
    match (ctx.vm.dialect < Dialect::Lua54, lax) {
        (true, _) => Mode::Unicode,
        (false, true) => Mode::Lax,
        (false, false) => Mode::Strict,
    }
}

/// Which codes are characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// Up to U+10FFFF without surrogates.
    Strict,
    /// Up to U+10FFFF.
    Unicode,
    /// Up to 2^31.
    Lax,
}

/// The words for a position that is outside of the text.
fn outside(ctx: &mut Ctx<'_>, i: usize, what: &str) -> Thrown {
    let old = ctx.vm.dialect < Dialect::Lua54;
    let place = match (old, what) {
        (false, _) => "out of bounds",
        (true, "initial position " | "final position ") => "out of string",
        (true, _) => "out of range",
    };
    ctx.arg_error(i, &format!("{what}{place}"))
}

/// Matches exactly one character, given valid text.
const CHAR_PATTERN: &[u8] = b"[\0-\x7F\xC2-\xFD][\x80-\xBF]*";

static CHAR: NativeDef = NativeDef::new("char", char_, Cost::Slots);
static CODEPOINT: NativeDef = NativeDef::new("codepoint", codepoint, Cost::Slots);
static CODES: NativeDef = NativeDef::new("codes", codes, Cost::Constant);
static LEN: NativeDef = NativeDef::new("len", len, Cost::Bytes);
static OFFSET: NativeDef = NativeDef::new("offset", offset, Cost::Bytes);
static NEXT_STRICT: NativeDef =
    NativeDef::new("for iterator", |ctx| next_code(ctx, false), Cost::Bytes);
static NEXT_LAX: NativeDef =
    NativeDef::new("for iterator", |ctx| next_code(ctx, true), Cost::Bytes);

/// Makes the `utf8` table.
pub(crate) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let library = vm.new_table()?;
    let globals = vm.globals;
    vm.scratch.push(Val::table(library));
    let done = vm.set_field(globals, "utf8", Val::table(library));
    vm.scratch.pop();
    done?;
    vm.register(library, &[&CHAR, &CODEPOINT, &CODES, &LEN, &OFFSET])?;
    let pattern = vm.new_str(CHAR_PATTERN)?;
    vm.scratch.push(Val::str(pattern));
    let done = vm.set_field(library, "charpattern", Val::str(pattern));
    vm.scratch.pop();
    done
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The character at the start of `text` and its length in bytes. Overlong forms are none.
fn decode(text: &[u8], mode: Mode) -> Option<(u32, usize)> {
    let first = *text.first()?;
    if first < 0x80 {
        return Some((u32::from(first), 1));
    }
    let len = first.leading_ones() as usize;
    if !(2..=6).contains(&len) || text.len() < len {
        return None;
    }
    let mut code = u32::from(first) & (0x7F >> len);
    for byte in &text[1..len] {
        if !is_continuation(*byte) {
            return None;
        }
        code = code << 6 | u32::from(byte & 0x3F);
    }
    const SMALLEST: [u32; 7] = [0, 0, 0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000];
    let valid = code >= SMALLEST[len]
        && (mode == Mode::Lax || code <= MAX_UNICODE)
        && (mode != Mode::Strict || !(0xD800..=0xDFFF).contains(&code));
    valid.then_some((code, len))
}

/// Appends a character; `code` is at most [`MAX_CODE`].
pub(crate) fn encode(code: u32, out: &mut Vec<u8>) {
    if code < 0x80 {
        return out.push(code as u8);
    }
    // Continuation bytes from the last to the first, until the rest fits beside the length bits.
    let mut bytes = [0u8; 6];
    let mut at = 6;
    let mut rest = code;
    let mut room = 0x3F;
    while rest > room {
        at -= 1;
        bytes[at] = 0x80 | (rest & 0x3F) as u8;
        rest >>= 6;
        room >>= 1;
    }
    at -= 1;
    bytes[at] = (!room << 1) as u8 | rest as u8;
    out.extend_from_slice(&bytes[at..]);
}

/// The position (from 1) that a relative position means; 0 if it lies before the start.
fn position(given: i64, len: usize) -> i64 {
    if given >= 0 {
        given
    } else {
        given.saturating_add(len as i64).saturating_add(1).max(0)
    }
}

fn char_(ctx: &mut Ctx<'_>) -> NativeResult {
    let count = ctx.nargs();
    ctx.charge(count);
    let mut result = Vec::new();
    // At most six bytes for each of the arguments, whose number the stack bounds.
    if result.try_reserve(count * 3).is_err() {
        return Err(ctx.vm.throw_memory());
    }
    for i in 0..count {
        let code = ctx.check_int(i)? as u64;
        if code > max_code(ctx.vm.dialect) {
            return Err(ctx.arg_error(i, "value out of range"));
        }
        encode(code as u32, &mut result);
    }
    ctx.ret_str(&result)
}

fn codepoint(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let first = position(ctx.opt_int(1, 1)?, text.len());
    let last = position(ctx.opt_int(2, first)?, text.len());
    let lax = ctx.arg(3).truthy();
    if first < 1 {
        return Err(outside(ctx, 1, ""));
    }
    if last > text.len() as i64 {
        return Err(outside(ctx, 2, ""));
    }
    // While it pauses: where to go on, the end, lax. The results pile up above.
    ctx.resize_args(4)?;
    ctx.set_arg(1, Val::int(first - 1));
    ctx.set_arg(2, Val::int(last));
    ctx.set_arg(3, Val::bool(lax));
    codepoint_on(ctx)
}

fn codepoint_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0);
    let (mut at, last) = (int(1) as usize, int(2));
    let mode = mode(ctx, ctx.arg(3).truthy());
    let from = ctx.base + ctx.nargs();
    while (at as i64) < last {
        if ctx.should_pause() {
            ctx.set_arg(1, Val::int(at as i64));
            return ctx.pause(codepoint_on);
        }
        // At most as many results as bytes: the stack bounds both.
        if ctx.top() - from >= crate::thread::MAX_STACK - from.min(crate::thread::MAX_STACK) {
            return Err(ctx.error("stack overflow (string slice too long)"));
        }
        ctx.reserve(1)?;
        ctx.charge(1);
        let Some((code, len)) = decode(&text[at..], mode) else {
            return Err(ctx.error(INVALID));
        };
        ctx.push(Val::int(i64::from(code)));
        at += len;
    }
    ctx.ret_from(from)
}

fn len(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let first = position(ctx.opt_int(1, 1)?, text.len());
    let last = position(ctx.opt_int(2, -1)?, text.len());
    let lax = ctx.arg(3).truthy();
    if !(1..=text.len() as i64 + 1).contains(&first) {
        return Err(outside(ctx, 1, "initial position "));
    }
    if last > text.len() as i64 {
        return Err(outside(ctx, 2, "final position "));
    }
    // While it pauses: where to go on, the end, lax, the count.
    ctx.resize_args(5)?;
    ctx.set_arg(1, Val::int(first - 1));
    ctx.set_arg(2, Val::int(last));
    ctx.set_arg(3, Val::bool(lax));
    ctx.set_arg(4, Val::int(0));
    len_on(ctx)
}

fn len_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0);
    let (mut at, last, mut count) = (int(1) as usize, int(2), int(4));
    let mode = mode(ctx, ctx.arg(3).truthy());
    while (at as i64) < last {
        if ctx.should_pause() {
            ctx.set_arg(1, Val::int(at as i64));
            ctx.set_arg(4, Val::int(count));
            return ctx.pause(len_on);
        }
        let before = at;
        for _ in 0..CHUNK {
            if at as i64 >= last {
                break;
            }
            let Some((_, len)) = decode(&text[at..], mode) else {
                return ctx.ret2(Val::NIL, Val::int(at as i64 + 1));
            };
            at += len;
            count += 1;
        }
        ctx.charge((at - before) / 8);
    }
    ctx.ret(Val::int(count))
}

fn offset(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let n = ctx.check_int(1)?;
    let default = if n >= 0 { 1 } else { text.len() as i64 + 1 };
    let start = position(ctx.opt_int(2, default)?, text.len());
    if !(1..=text.len() as i64 + 1).contains(&start) {
        return Err(outside(ctx, 2, "position "));
    }
    let at = start as usize - 1;
    let continues = text.get(at).is_some_and(|byte| is_continuation(*byte));
    if n != 0 && continues {
        return Err(ctx.error("initial position is a continuation byte"));
    }
    // While it pauses: characters left to pass, and where we are.
    ctx.resize_args(3)?;
    ctx.set_arg(1, Val::int(n));
    ctx.set_arg(2, Val::int(at as i64));
    if n == 0 {
        return offset_of_start(ctx, text, at);
    }
    offset_on(ctx)
}

/// The start of the character that byte `at` is in. A run of continuation bytes can be long in text that is not UTF-8.
fn offset_of_start(ctx: &mut Ctx<'_>, text: &[u8], mut at: usize) -> NativeResult {
    let least = at.saturating_sub(CHUNK);
    let before = at;
    while at > least && text.get(at).is_some_and(|byte| is_continuation(*byte)) {
        at -= 1;
    }
    ctx.charge((before - at) / 8);
    if at == least && at > 0 && text.get(at).is_some_and(|byte| is_continuation(*byte)) {
        ctx.set_arg(2, Val::int(at as i64));
        return ctx.pause(|ctx| {
            let text = ctx.check_str(0)?.as_bytes();
            let at = ctx.arg(2).as_int().unwrap_or(0) as usize;
            offset_of_start(ctx, text, at)
        });
    }
    found_offset(ctx, text, at)
}

/// The position of the character at byte `at`; from 5.5 on, that of its last byte as well.
fn found_offset(ctx: &mut Ctx<'_>, text: &[u8], at: usize) -> NativeResult {
    let first = Val::int(at as i64 + 1);
    if ctx.vm.dialect < Dialect::Lua55 {
        return ctx.ret(first);
    }
    let mut last = at;
    if text.get(at).is_some_and(|byte| *byte >= 0x80) {
        if is_continuation(text[at]) {
            return Err(ctx.error("initial position is a continuation byte"));
        }
        last += text[at + 1..]
            .iter()
            .take_while(|byte| is_continuation(**byte))
            .count();
        ctx.charge((last - at) / 8);
    }
    ctx.ret2(first, Val::int(last as i64 + 1))
}

fn offset_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0);
    let (mut n, mut at) = (int(1), int(2) as usize);
    loop {
        let before = at;
        if n > 1 {
            // Forwards, the first character is the one we are at.
            let end = text.len().min(at + CHUNK);
            while n > 1 && at < end {
                at += 1;
                n -= i64::from(!text.get(at).is_some_and(|byte| is_continuation(*byte)));
            }
        } else if n < 0 {
            let end = at.saturating_sub(CHUNK);
            while n < 0 && at > end {
                at -= 1;
                n += i64::from(at == 0 || !is_continuation(text[at]));
            }
        }
        ctx.charge(before.abs_diff(at) / 4);
        let done = if n > 0 {
            n == 1 || at >= text.len()
        } else {
            n == 0 || at == 0
        };
        if done {
            break;
        }
        if ctx.should_pause() {
            ctx.set_arg(1, Val::int(n));
            ctx.set_arg(2, Val::int(at as i64));
            return ctx.pause(offset_on);
        }
    }
    if n == 1 || n == 0 {
        found_offset(ctx, text, at)
    } else {
        ctx.ret(Val::NIL)
    }
}

fn codes(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = ctx.check_str(0)?;
    let lax = ctx.arg(1).truthy();
    if text
        .as_bytes()
        .first()
        .is_some_and(|byte| is_continuation(*byte))
    {
        return Err(ctx.arg_error(0, INVALID));
    }
    ctx.push(Val::native(if lax { &NEXT_LAX } else { &NEXT_STRICT }));
    ctx.push(Val::str(text));
    ctx.push(Val::int(0));
    ctx.ret_from(ctx.top() - 3)
}

/// The iterator: (text, position of the last character) to the next position and its code.
fn next_code(ctx: &mut Ctx<'_>, lax: bool) -> NativeResult {
    let text = ctx.check_str(0)?.as_bytes();
    let last = ctx.arg(1);
    ctx.charge_numeral(last);
    let last = crate::native::to_integer(last).unwrap_or(0) as u64;
    let Ok(mut at) = usize::try_from(last) else {
        return ctx.ret0();
    };
    // The position, counted from 1, is the offset behind the last character's first byte.
    let before = at;
    while text.get(at).is_some_and(|byte| is_continuation(*byte)) {
        at += 1;
    }
    ctx.charge((at - before) / 8);
    if at >= text.len() {
        return ctx.ret0();
    }
    match decode(&text[at..], mode(ctx, lax)) {
        Some((code, len))
            if !text
                .get(at + len)
                .is_some_and(|byte| is_continuation(*byte)) =>
        {
            ctx.ret2(Val::int(at as i64 + 1), Val::int(i64::from(code)))
        }
        _ => Err(ctx.error(INVALID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_survives_encoding() {
        for code in (0..=0x11_0000)
            .step_by(7)
            .chain([0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x1_0000, 0x10_FFFF])
        {
            let mut bytes = Vec::new();
            encode(code, &mut bytes);
            match char::from_u32(code) {
                Some(c) => {
                    assert_eq!(bytes, c.to_string().as_bytes());
                    assert_eq!(decode(&bytes, Mode::Strict), Some((code, bytes.len())));
                }
                None => {
                    assert_eq!(decode(&bytes, Mode::Strict), None);
                    let surrogate = code <= MAX_UNICODE;
                    assert_eq!(decode(&bytes, Mode::Unicode).is_some(), surrogate);
                }
            }
            assert_eq!(decode(&bytes, Mode::Lax), Some((code, bytes.len())));
        }
        for code in [0x1F_FFFF, 0x20_0000, 0x3FF_FFFF, 0x400_0000, 0x7FFF_FFFF] {
            let mut bytes = Vec::new();
            encode(code, &mut bytes);
            assert_eq!(decode(&bytes, Mode::Lax), Some((code, bytes.len())));
            assert_eq!(decode(&bytes, Mode::Strict), None);
        }
    }

    #[test]
    fn bad_bytes_are_no_characters() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\xFF",
            b"\xFE\x80\x80\x80\x80\x80\x80",
            b"\xC3",
            b"\xC3a",
            b"\xE4\xBD",
            b"\xC0\x80",
            b"\xC1\xBF",
            b"\xE0\x80\x80",
            b"\xF0\x80\x80\x80",
        ] {
            assert_eq!(decode(bytes, Mode::Lax), None, "{bytes:?}");
        }
    }
}
