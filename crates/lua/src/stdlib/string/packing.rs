//! `string.pack`, `string.packsize`, `string.unpack`: the arguments' side of [`super::pack`].
//!
//! **Invariant:** the format is argument 0. A pack takes at most one argument for each option, and an unpack gives at most
//! one result: both are bounded by the stack. Only settings and padding can make a format long without that; they are
//! charged, and their loops pause.

use super::find::{reserve_results, start_offset};
use super::pack::{self, Item, PackError, Reader, Step};
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::short::{Output, Short};
use crate::value::{Val, tag};
use crate::vm::Vm;

pub(super) static PACK: NativeDef = NativeDef {
    name: "pack",
    run: pack_,
    cost: Cost::Bytes,
    quick: Some(quick_pack),
    switch: None,
};
pub(super) static PACKSIZE: NativeDef = NativeDef::new("packsize", packsize, Cost::Bytes);
pub(super) static UNPACK: NativeDef = NativeDef::new("unpack", unpack, Cost::Bytes);

fn reader(ctx: &Ctx<'_>) -> Reader {
    reader_for(ctx.vm)
}

fn reader_for(vm: &Vm) -> Reader {
    Reader::of_version(vm.dialect >= Dialect::Lua55)
}

/// Zero bytes written before a look at whether to pause.
const CHUNK: usize = 1 << 18;

#[cold]
fn pack_error(ctx: &mut Ctx<'_>, error: PackError) -> Thrown {
    if error.is_argument_error() {
        ctx.arg_error(0, &error.to_string())
    } else {
        ctx.error_bytes(&error.message())
    }
}

/// Bytes of a result that is put together on the native stack, and options of its format.
const QUICK_RESULT: usize = 256;
const QUICK_OPTIONS: usize = 64;
/// The most bytes of a number, or of the length of a text, with its padding.
const MAX_NUMBER: usize = 32;

/// A short result of arguments that are just what the format asks for.
fn quick_pack(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let mut out = Short::<QUICK_RESULT>::new();
    let Some(fuel) = pack_quickly(reader_for(vm), args, &mut out) else {
        return Val::UNSUITED;
    };
    vm.heap.spend(fuel as i64);
    vm.new_str(out.as_bytes()).map_or(Val::UNSUITED, Val::str)
}

/// Writes the result, and gives the fuel for that; `None` where this is not for here.
fn pack_quickly(mut reader: Reader, args: &[Val], out: &mut Short<QUICK_RESULT>) -> Option<usize> {
    let (format, args) = args.split_first()?;
    let format = format.as_str()?.as_bytes();
    let mut args = args.iter();
    let mut fuel = 1;
    while fuel <= QUICK_OPTIONS {
        let total = QUICK_RESULT - out.room();
        let Some(Step {
            item,
            size,
            padding,
        }) = reader.next(format, total).ok()?
        else {
            return Some(fuel);
        };
        fuel += 1;
        if item == Item::Setting {
            continue;
        }
        if out.room() < MAX_NUMBER {
            return None;
        }
        out.fill(0, padding);
        match item {
            Item::Int | Item::Unsigned => {
                let value = args.next().filter(|v| v.tag == tag::INT)?.raw_int();
                let signed = item == Item::Int;
                pack::check_int(value, size, signed).ok()?;
                pack::pack_int(value, size, signed, reader.little, out);
            }
            Item::Float | Item::Double => {
                let value = args.next()?.as_number()?;
                pack::pack_float(value, item == Item::Float, reader.little, out);
            }
            Item::Fixed => {
                let text = args.next()?.as_str()?.as_bytes();
                let rest = size.checked_sub(text.len())?;
                append_text(out, text)?;
                if rest > out.room() {
                    return None;
                }
                out.fill(0, rest);
            }
            Item::Counted => {
                let text = args.next()?.as_str()?.as_bytes();
                // Any count of one byte or more has room for it.
                if text.len() >= QUICK_RESULT - 1 {
                    return None;
                }
                pack::pack_int(text.len() as i64, size, false, reader.little, out);
                append_text(out, text)?;
            }
            Item::Terminated => {
                let text = args.next()?.as_str()?.as_bytes();
                if text.contains(&0) {
                    return None;
                }
                append_text(out, text)?;
                out.push(0);
            }
            Item::Padding => out.push(0),
            Item::Align | Item::Setting => {}
        }
    }
    None
}

/// Appends a text, if there is room for more than that.
fn append_text(out: &mut Short<QUICK_RESULT>, text: &[u8]) -> Option<()> {
    if text.len() >= out.room() {
        return None;
    }
    out.append(text);
    Some(())
}

struct Packing {
    reader: Reader,
    result: Buffer,
    total: usize,
    /// Zero bytes that are still to be written.
    padding: usize,
    arg: usize,
    given: usize,
}

fn pack_(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    let mut state = Packing {
        reader: reader(ctx),
        result: ctx.buffer(),
        total: 0,
        padding: 0,
        arg: 0,
        given: ctx.nargs(),
    };
    if state.advance(ctx)? {
        return ctx.ret_text(&mut state.result);
    }
    ctx.keep_state(state.given, state)?;
    ctx.pause(pack_on)
}

fn pack_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Packing>() else {
        return ctx.ret(Val::NIL);
    };
    if state.advance(ctx)? {
        ctx.ret_text(&mut state.result)
    } else {
        ctx.pause(pack_on)
    }
}

impl Packing {
    /// Packs to the end of the format (true), or until it should pause.
    fn advance(&mut self, ctx: &mut Ctx<'_>) -> Result<bool, Thrown> {
        let format = ctx.check_str(0)?.as_bytes();
        while !ctx.should_pause() && self.result.settle(ctx) {
            if self.padding > 0 {
                let piece = self.padding.min(CHUNK);
                ctx.charge(piece / 16);
                self.result
                    .push_with(ctx, piece, |out| out.resize(out.len() + piece, 0))?;
                self.padding -= piece;
                continue;
            }
            ctx.charge(1);
            let step = match self.reader.next(format, self.total) {
                Ok(Some(step)) => step,
                Ok(None) => return Ok(true),
                Err(error) => return Err(pack_error(ctx, error)),
            };
            let room = self.reader.max_size().saturating_sub(self.total);
            if step.size + step.padding > room && ctx.vm.dialect >= Dialect::Lua55 {
                return Err(ctx.arg_error(self.arg, "result too long"));
            }
            self.total += step.padding + step.size;
            self.result.push(ctx, &[0; 16][..step.padding])?;
            self.item(ctx, step)?;
        }
        Ok(false)
    }

    fn item(&mut self, ctx: &mut Ctx<'_>, Step { item, size, .. }: Step) -> Result<(), Thrown> {
        let little = self.reader.little;
        match item {
            Item::Padding => return self.result.push(ctx, &[0]),
            Item::Align | Item::Setting => return Ok(()),
            _ => self.arg += 1,
        }
        let arg = self.arg;
        if arg >= self.given {
            // The slot behind the arguments may hold our state: an absent argument is reported as nil, as in the reference.
            let expected = if matches!(item, Item::Fixed | Item::Counted | Item::Terminated) {
                "string"
            } else {
                "number"
            };
            return Err(ctx.arg_error(arg, &format!("{expected} expected, got nil")));
        }
        match item {
            Item::Int | Item::Unsigned => {
                let signed = item == Item::Int;
                let value = ctx.check_int(arg)?;
                if let Err(message) = pack::check_int(value, size, signed) {
                    return Err(ctx.arg_error(arg, message));
                }
                self.result.push_with(ctx, size, |out| {
                    pack::pack_int(value, size, signed, little, out)
                })
            }
            Item::Float | Item::Double => {
                let value = ctx.check_num(arg)?;
                self.result.push_with(ctx, 8, |out| {
                    pack::pack_float(value, item == Item::Float, little, out)
                })
            }
            Item::Fixed => {
                let text = ctx.check_str(arg)?.as_bytes();
                if text.len() > size {
                    return Err(ctx.arg_error(arg, "string longer than given size"));
                }
                self.result.reserve(ctx, size)?;
                self.result.push_argument(ctx, arg, 0, text.len())?;
                self.padding = size - text.len();
                Ok(())
            }
            Item::Counted => {
                let text = ctx.check_str(arg)?.as_bytes();
                let len = text.len();
                if size < 8 && len >> (8 * size) != 0 {
                    return Err(ctx.arg_error(arg, "string length does not fit in given size"));
                }
                self.result.push_with(ctx, size, |out| {
                    pack::pack_int(len as i64, size, false, little, out)
                })?;
                self.total += len;
                self.result.push_argument(ctx, arg, 0, len)
            }
            _ => {
                let text = ctx.check_str(arg)?.as_bytes();
                ctx.charge(text.len() / 8);
                if text.contains(&0) {
                    return Err(ctx.arg_error(arg, "string contains zeros"));
                }
                self.total += text.len() + 1;
                self.padding = 1;
                self.result.push_argument(ctx, arg, 0, text.len())
            }
        }
    }
}

/// The state of a long format is in arguments 1 to 3: see `Reader::save`.
fn packsize(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    ctx.resize_args(1)?;
    packsize_from(ctx, reader(ctx), 0)
}

fn packsize_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0);
    let (reader, total) = (Reader::restore(int(1)), int(2) as usize);
    packsize_from(ctx, reader, total)
}

fn packsize_from(ctx: &mut Ctx<'_>, mut reader: Reader, mut total: usize) -> NativeResult {
    let format = ctx.check_str(0)?.as_bytes();
    while !ctx.should_pause() {
        ctx.charge(1);
        let step = match reader.next(format, total) {
            Ok(Some(step)) => step,
            Ok(None) => return ctx.ret(Val::int(total as i64)),
            Err(error) => return Err(pack_error(ctx, error)),
        };
        if matches!(step.item, Item::Counted | Item::Terminated) {
            return Err(ctx.arg_error(0, "variable-length format"));
        }
        let size = step.size + step.padding;
        let max = reader.max_size();
        if total > max - size.min(max) {
            return Err(ctx.arg_error(0, "format result too large"));
        }
        total += size;
    }
    ctx.resize_args(3)?;
    ctx.set_arg(1, Val::int(reader.save()));
    ctx.set_arg(2, Val::int(total as i64));
    ctx.pause(packsize_on)
}

fn unpack(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    let data = ctx.check_str(1)?;
    let position = ctx.opt_int(2, 1)?;
    let at = start_offset(position, data.len());
    // Up to 5.3, positions before the first byte are not moved to it.
    let before = position == 0 || position.unsigned_abs() > data.len() as u64 && position < 0;
    if at > data.len() || before && ctx.vm.dialect < Dialect::Lua54 {
        return Err(ctx.arg_error(2, "initial position out of string"));
    }
    ctx.resize_args(4)?;
    unpack_from(ctx, reader(ctx), at)
}

/// Arguments 2 and 3 are reader and offset; the results so far lie above the arguments.
fn unpack_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0);
    let (reader, at) = (Reader::restore(int(2)), int(3) as usize);
    unpack_from(ctx, reader, at)
}

fn unpack_from(ctx: &mut Ctx<'_>, mut reader: Reader, mut at: usize) -> NativeResult {
    let format = ctx.check_str(0)?.as_bytes();
    let data = ctx.check_str(1)?.as_bytes();
    while !ctx.should_pause() {
        ctx.charge(1);
        let step = match reader.next(format, at) {
            Ok(Some(step)) => step,
            Ok(None) => {
                ctx.push(Val::int(at as i64 + 1));
                let first = ctx.base + ctx.nargs();
                return ctx.ret_from(first);
            }
            Err(error) => return Err(pack_error(ctx, error)),
        };
        // An unterminated string leaves 5.3 behind the zero that is not there.
        if at > data.len() || step.padding + step.size > data.len() - at {
            return Err(ctx.arg_error(1, "data string too short"));
        }
        at += step.padding;
        // A native has room for some without asking.
        if ctx.top() - ctx.base > 12 {
            reserve_results(ctx, 2, "too many results")?;
        }
        at = unpack_item(ctx, step, reader.little, data, at)?;
    }
    ctx.set_arg(2, Val::int(reader.save()));
    ctx.set_arg(3, Val::int(at as i64));
    ctx.pause(unpack_on)
}

/// The first zero byte; charged for what it looks at.
fn find_zero(ctx: &mut Ctx<'_>, text: &[u8]) -> Option<usize> {
    for (i, piece) in text.chunks(CHUNK).enumerate() {
        let found = memchr::memchr(0, piece);
        ctx.charge(found.unwrap_or(piece.len()) / 64);
        if let Some(at) = found {
            return Some(i * CHUNK + at);
        }
    }
    None
}

/// Pushes the value of one item at `at`, if it has one; gives the offset behind it.
fn unpack_item(
    ctx: &mut Ctx<'_>,
    Step { item, size, .. }: Step,
    little: bool,
    data: &[u8],
    at: usize,
) -> Result<usize, Thrown> {
    let bytes = &data[at..at + size];
    let rest = &data[at + size..];
    match item {
        Item::Padding | Item::Align | Item::Setting => {}
        Item::Int | Item::Unsigned => match pack::unpack_int(bytes, item == Item::Int, little) {
            Ok(value) => ctx.push(Val::int(value)),
            Err(error) => return Err(pack_error(ctx, error)),
        },
        Item::Float | Item::Double => {
            ctx.push(Val::float(pack::unpack_float(bytes, little).unwrap_or(0.0)));
        }
        Item::Fixed => {
            ctx.charge(size / 16);
            ctx.push_str(bytes)?;
        }
        Item::Counted => {
            let len = match pack::unpack_int(bytes, false, little) {
                Ok(len) => len as u64,
                Err(error) => return Err(pack_error(ctx, error)),
            };
            if len > rest.len() as u64 {
                return Err(ctx.arg_error(1, "data string too short"));
            }
            let len = len as usize;
            ctx.charge(len / 16);
            ctx.push_str(&rest[..len])?;
            return Ok(at + size + len);
        }
        Item::Terminated => {
            let len = match find_zero(ctx, rest) {
                Some(len) => len,
                // The zero that the reference keeps behind every string ends it.
                None if ctx.vm.dialect < Dialect::Lua54 => rest.len(),
                None => return Err(ctx.arg_error(1, "unfinished string for format 'z'")),
            };
            ctx.charge(len / 16);
            ctx.push_str(&rest[..len])?;
            return Ok(at + len + 1);
        }
    }
    Ok(at + size)
}
