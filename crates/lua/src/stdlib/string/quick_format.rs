//! `string.format` where the result is short and every argument is what its conversion takes: put together on the native stack, and
//! copied once.
//!
//! **Invariant:** what is taken here comes out as [`super::formatting`] has it. Anything that is unusual (an error, a `__tostring`, a
//! long text) is not taken: nothing has happened yet, and the function is called the ordinary way.

use super::format::{self, Conversion, Spec};
use super::formatting::MAX_PADDED;
use crate::dialect::Dialect;
use crate::heap::Gc;
use crate::native::{Ctx, Thrown, to_number};
use crate::number;
use crate::short::{Output, Short};
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// Bytes of a result.
const ROOM: usize = 512;
/// The most bytes that one conversion of a number, or of a text with a width, writes.
const MAX_CONVERSION: usize = 200;
/// A literal up to the next `%` is looked through byte by byte so far.
const NEAR: usize = 16;

/// The quick form of `string.format`.
pub(super) fn quick(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let mut out = Short::<ROOM>::new();
    let Some(fuel) = put_together(vm, args.iter().copied(), &mut out) else {
        return Val::UNSUITED;
    };
    vm.heap.spend(fuel as i64);
    vm.new_str(out.as_bytes()).map_or(Val::UNSUITED, Val::str)
}

/// The same for versions without integers, whose natives have no quick forms: `None` where this is not for here.
pub(super) fn try_format(ctx: &mut Ctx<'_>) -> Result<Option<Gc<Str>>, Thrown> {
    let mut out = Short::<ROOM>::new();
    let args = (0..ctx.nargs()).map(|i| ctx.arg(i));
    match put_together(ctx.vm, args, &mut out) {
        Some(fuel) => {
            ctx.charge(fuel);
            ctx.new_str(out.as_bytes()).map(Some)
        }
        None => Ok(None),
    }
}

/// Writes the result, and gives the fuel for that; `None` where this is not for here.
fn put_together(
    vm: &Vm,
    mut args: impl Iterator<Item = Val>,
    out: &mut Short<ROOM>,
) -> Option<usize> {
    let format = args.next()?.as_str()?;
    let mut rest = format.as_bytes();
    let mut fuel = 0;
    loop {
        let literal = find_percent(rest);
        fuel += 1 + literal / 16;
        if literal > 0 {
            if literal > out.room() {
                return None;
            }
            out.append(&rest[..literal]);
        }
        let [_, after @ ..] = &rest[literal..] else {
            return Some(fuel);
        };
        rest = after;
        let letter = *rest.first()?;
        if letter == b'%' {
            if out.room() == 0 {
                return None;
            }
            out.push(b'%');
            rest = &rest[1..];
            continue;
        }
        let v = args.next()?;
        if letter == b's'
            && let Some(text) = v.as_str()
        {
            let text = text.as_bytes();
            if text.len() > out.room() {
                return None;
            }
            fuel += text.len() / 16;
            out.append(text);
            rest = &rest[1..];
            continue;
        }
        if out.room() < MAX_CONVERSION {
            return None;
        }
        if letter == b'd' && v.tag == tag::INT {
            number::format_int(v.raw_int(), out);
            rest = &rest[1..];
            continue;
        }
        let spec = Spec::parse(rest).ok()?;
        fuel += convert(vm, &spec, v, out)?;
        rest = &rest[spec.text_len()..];
    }
}

/// The offset of the next `%`, or of the end.
#[inline]
fn find_percent(text: &[u8]) -> usize {
    let near = &text[..text.len().min(NEAR)];
    match near.iter().position(|byte| *byte == b'%') {
        Some(at) => at,
        None if near.len() == text.len() => text.len(),
        None => memchr::memchr(b'%', text).unwrap_or(text.len()),
    }
}

/// Writes one argument, and gives the fuel for that.
fn convert(vm: &Vm, spec: &Spec<'_>, v: Val, out: &mut Short<ROOM>) -> Option<usize> {
    let layout = spec.layout().ok()?;
    let dialect = vm.dialect;
    if dialect < Dialect::Lua54 && !spec.has_few_flags() {
        return None;
    }
    match spec.conversion {
        Conversion::Int | Conversion::Char => {
            let value = match v.tag {
                tag::INT => v.raw_int(),
                tag::FLOAT => number::float_to_int(v.raw_float())?,
                _ => return None,
            };
            // Some versions refuse it.
            if value < 0 && vm.floats && !spec.is_signed() {
                return None;
            }
            spec.write_int(&layout, value, out);
        }
        Conversion::Float => {
            if !spec.write_short_float(&layout, v.as_number()?, out) {
                return None;
            }
        }
        Conversion::Text => {
            let digits;
            let text = match v.tag {
                tag::STR => v.raw_gc::<Str>().as_bytes(),
                tag::INT | tag::FLOAT => {
                    digits = number::text(dialect, to_number(v)?);
                    digits.as_bytes()
                }
                // A metatable may have a `__tostring`.
                tag::NIL | tag::FALSE | tag::TRUE if vm.metatable_of(v).is_none() => match v.tag {
                    tag::NIL => &b"nil"[..],
                    tag::FALSE => b"false",
                    _ => b"true",
                },
                _ => return None,
            };
            if text.len() >= MAX_PADDED || text.contains(&0) {
                return None;
            }
            layout.write_text(text, out);
            return Some(text.len() / 16);
        }
        Conversion::Quoted => {
            // 5.1 quotes other bytes, and numbers as if they were strings.
            let text = v.as_str().filter(|_| dialect >= Dialect::Lua52)?;
            let text = text.as_bytes();
            if text.len() * 4 + 2 > out.room() {
                return None;
            }
            out.push(b'"');
            format::quote_text(text, None, out);
            out.push(b'"');
            return Some(text.len() / 4);
        }
        Conversion::Pointer => return None,
    }
    Some(0)
}
