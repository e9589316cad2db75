//! The `utf8` library.
//!
//! **Invariant:** text is read as bytes; nothing assumes that it is valid. Long texts are read in pieces that are charged
//! before they are read, and the native pauses between them.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::short::{Output, Short};
use crate::value::{Val, tag};
use crate::vm::Vm;

/// Characters looked at before a look at whether to pause.
const CHUNK: usize = 1 << 14;
/// The largest code: UTF-8 as it was first defined, with up to six bytes.
const MAX_CODE: u64 = 0x7FFF_FFFF;
const MAX_UNICODE: u32 = 0x10_FFFF;
const INVALID: &str = "invalid UTF-8 code";
/// Codes that the quick form of `char` takes.
const FEW: usize = 8;
/// Bytes that the quick form of `offset` passes over at most.
const NEAR: usize = 1 << 12;

/// The largest code of a version.
fn max_code(dialect: Dialect) -> u64 {
    match dialect < Dialect::Lua54 {
        true => u64::from(MAX_UNICODE),
        false => MAX_CODE,
    }
}

/// How argument `lax` and the version say to decode. Up to 5.3, all codes up to U+10FFFF count, surrogates too.
fn mode(ctx: &Ctx<'_>, lax: bool) -> Mode {
    match strict_mode(ctx.vm.dialect) {
        Mode::Strict if lax => Mode::Lax,
        mode => mode,
    }
}

/// How a version decodes where nothing is said.
fn strict_mode(dialect: Dialect) -> Mode {
    match dialect < Dialect::Lua54 {
        true => Mode::Unicode,
        false => Mode::Strict,
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

static CHAR: NativeDef = NativeDef {
    name: "char",
    run: char_,
    cost: Cost::Slots,
    quick: Some(quick_char),
    switch: None,
};
static CODEPOINT: NativeDef = NativeDef {
    name: "codepoint",
    run: codepoint,
    cost: Cost::Slots,
    quick: Some(quick_codepoint),
    switch: None,
};
static CODES: NativeDef = NativeDef::new("codes", codes, Cost::Constant);
static LEN: NativeDef = NativeDef::new("len", len, Cost::Bytes);
static OFFSET: NativeDef = NativeDef {
    name: "offset",
    run: offset,
    cost: Cost::Bytes,
    quick: Some(quick_offset),
    switch: None,
};
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
#[inline]
fn decode(text: &[u8], mode: Mode) -> Option<(u32, usize)> {
    const CONTINUES: std::ops::RangeInclusive<u8> = 0x80..=0xBF;
    let low = |byte: u8| u32::from(byte & 0x3F);
    // PERF: those that are characters in any mode, without a loop.
    match *text {
        [a @ ..=0x7F, ..] => Some((u32::from(a), 1)),
        [a @ 0xC2..=0xDF, b, ..] if CONTINUES.contains(&b) => {
            Some((u32::from(a & 0x1F) << 6 | low(b), 2))
        }
        [a @ (0xE1..=0xEC | 0xEE..=0xEF), b, c, ..]
            if CONTINUES.contains(&b) && CONTINUES.contains(&c) =>
        {
            Some((u32::from(a & 0x0F) << 12 | low(b) << 6 | low(c), 3))
        }
        [a @ 0xF0..=0xF3, b, c, d, ..]
            if CONTINUES.contains(&b)
                && CONTINUES.contains(&c)
                && CONTINUES.contains(&d)
                && (a > 0xF0 || b >= 0x90) =>
        {
            let code = u32::from(a & 0x07) << 18 | low(b) << 12 | low(c) << 6 | low(d);
            Some((code, 4))
        }
        _ => decode_any(text, mode),
    }
}

/// As [`decode`], for all there is.
fn decode_any(text: &[u8], mode: Mode) -> Option<(u32, usize)> {
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
#[inline]
pub(crate) fn encode(code: u32, out: &mut impl Output) {
    if code < 0x80 {
        return out.append(&[code as u8]);
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
    out.append(&bytes[at..]);
}

/// The position (from 1) that a relative position means; 0 if it lies before the start.
fn position(given: i64, len: usize) -> i64 {
    if given >= 0 {
        given
    } else {
        given.saturating_add(len as i64).saturating_add(1).max(0)
    }
}

/// A few codes that are characters in all versions.
fn quick_char(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let mut text = Short::<{ 4 * FEW }>::new();
    if args.len() > FEW {
        return Val::UNSUITED;
    }
    for v in args {
        if v.tag != tag::INT || !(0..=i64::from(MAX_UNICODE)).contains(&v.raw_int()) {
            return Val::UNSUITED;
        }
        encode(v.raw_int() as u32, &mut text);
    }
    vm.heap.spend(args.len() as i64);
    vm.new_str(text.as_bytes()).map_or(Val::UNSUITED, Val::str)
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

/// One character inside of the text.
fn quick_codepoint(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let (text, at) = match args {
        [text] => (text, 1),
        [text, at] if at.tag == tag::INT => (text, at.raw_int()),
        _ => return Val::UNSUITED,
    };
    let character = match (text.as_str(), at) {
        (Some(text), 1..) => text.as_bytes().get(at as usize - 1..),
        _ => None,
    };
    let mode = strict_mode(vm.dialect);
    match character.and_then(|character| decode(character, mode)) {
        Some((code, _)) => {
            vm.heap.spend(1);
            Val::int(i64::from(code))
        }
        None => Val::UNSUITED,
    }
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
        let piece = &text[at..(last as usize).min(at + CHUNK)];
        // PERF: the standard library checks and counts many bytes at once; what it refuses (a character that is cut, or none, or one
        // that only we take) is decoded here.
        let valid = match std::str::from_utf8(piece) {
            Ok(valid) => valid,
            Err(error) => std::str::from_utf8(&piece[..error.valid_up_to()]).unwrap_or_default(),
        };
        count += valid.chars().count() as i64;
        at += valid.len();
        if valid.len() < piece.len() {
            let Some((_, len)) = decode(&text[at..], mode) else {
                return ctx.ret2(Val::NIL, Val::int(at as i64 + 1));
            };
            at += len;
            count += 1;
        }
        ctx.charge(1 + (at - before) / 8);
    }
    ctx.ret(Val::int(count))
}

/// The start of a character ahead that is near.
fn quick_offset(vm: &mut Vm, args: &[Val], one: bool) -> Val {
    let (text, n, start) = match args {
        [text, n] if n.tag == tag::INT => (text, n.raw_int(), 1),
        [text, n, start] if n.tag == tag::INT && start.tag == tag::INT => {
            (text, n.raw_int(), start.raw_int())
        }
        _ => return Val::UNSUITED,
    };
    let Some(text) = text.as_str() else {
        return Val::UNSUITED;
    };
    let text = text.as_bytes();
    let inside = (1..=text.len() as i64).contains(&start);
    if n < 1 || !inside || (vm.dialect >= Dialect::Lua55 && !one) {
        return Val::UNSUITED;
    }
    let at = start as usize - 1;
    if is_continuation(text[at]) {
        return Val::UNSUITED;
    }
    let (found, left) = pass_characters(text, at, text.len().min(at + NEAR), n - 1);
    if left > 0 {
        return Val::UNSUITED;
    }
    vm.heap.spend(((found - at) / 4) as i64);
    Val::int(found as i64 + 1)
}

/// Goes on from byte `at` to the start of the `n`-th character behind it, the end of the text being one, but not beyond byte `end`;
/// how many are left then.
fn pass_characters(text: &[u8], mut at: usize, end: usize, mut n: i64) -> (usize, i64) {
    const BLOCK: usize = 32;
    // PERF: whole blocks are counted at once.
    while at + BLOCK < end {
        let block = &text[at + 1..at + 1 + BLOCK];
        let starts: u8 = block
            .iter()
            .map(|byte| u8::from(!is_continuation(*byte)))
            .sum();
        if i64::from(starts) >= n {
            break;
        }
        n -= i64::from(starts);
        at += BLOCK;
    }
    while n > 0 && at < end {
        at += 1;
        n -= i64::from(!text.get(at).is_some_and(|byte| is_continuation(*byte)));
    }
    (at, n)
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
            let left;
            (at, left) = pass_characters(text, at, end, n - 1);
            n = left + 1;
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
    let last = match last.tag {
        tag::INT => last.raw_int(),
        _ => {
            ctx.charge_numeral(last);
            crate::native::to_integer(last).unwrap_or(0)
        }
    };
    let Ok(mut at) = usize::try_from(last as u64) else {
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
    fn the_quick_way_of_decoding_agrees_with_the_general_one() {
        let edges = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
            0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFC, 0xFD, 0xFF,
        ];
        for a in edges {
            for b in edges {
                for (c, d) in edges
                    .into_iter()
                    .flat_map(|c| [(c, 0x80), (c, 0xBF), (0x80, c)])
                {
                    for len in 0..=4 {
                        let text = &[a, b, c, d][..len];
                        for mode in [Mode::Strict, Mode::Unicode, Mode::Lax] {
                            assert_eq!(decode(text, mode), decode_any(text, mode), "{text:x?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn characters_are_passed_in_blocks_as_one_by_one() {
        let text = "aβ中😀".repeat(40) + "\u{80}";
        let text = text.as_bytes();
        for at in [0, 1, 3, 6, 300] {
            for end in [at, at + 31, at + 32, at + 33, at + 64, text.len()] {
                for n in 0..170 {
                    let (mut plain, mut left) = (at, n);
                    while left > 0 && plain < end {
                        plain += 1;
                        let inside = text.get(plain).is_some_and(|byte| is_continuation(*byte));
                        left -= i64::from(!inside);
                    }
                    assert_eq!(pass_characters(text, at, end, n), (plain, left));
                }
            }
        }
    }

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
