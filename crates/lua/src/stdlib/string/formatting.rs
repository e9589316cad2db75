//! `string.format`: the arguments' side of [`super::format`].
//!
//! **Invariant:** argument 0 is the format. While a `__tostring` runs, or a pause lasts, the state is a userdata in the
//! slot behind the arguments that the caller gave.

use super::format::{self, Conversion, FormatError, Spec};
use super::quick_format;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::stdlib::access::{self, Access};
use crate::value::{Val, tag};

pub(in crate::stdlib) static FORMAT: NativeDef = NativeDef {
    name: "format",
    run: format_,
    cost: Cost::Bytes,
    quick: Some(quick_format::quick),
    switch: None,
};

/// No conversion of a number is longer: `%.99f` of the largest float with a sign.
const MAX_NUMBER: usize = 512;
/// Digits of a float that come at once; what lies beyond is long arithmetic, digit by digit.
const CHEAP_DIGITS: usize = 20;
const FUEL_FOR_DIGIT: usize = 12;
/// Bytes quoted between two looks at whether to pause.
const QUOTED_PIECE: usize = 4096;
/// Bytes of the format looked through before a look at whether to pause.
const PIECE: usize = 1 << 18;
/// Texts longer than this are not padded, and written whole if no precision is given, as in the reference.
pub(super) const MAX_PADDED: usize = 100;

struct Formatting {
    result: Buffer,
    /// Where to read on in the format.
    at: usize,
    /// The argument that was taken last.
    arg: usize,
    /// Arguments that the caller gave.
    given: usize,
    /// How much of the argument is quoted already, while a text is.
    quoted: Option<usize>,
}

enum Stop {
    Done,
    Pause,
    /// A `__tostring` and its argument are pushed.
    Call(usize),
}

fn format_(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    if ctx.vm.floats
        && let Some(text) = quick_format::try_format(ctx)?
    {
        return ctx.ret(Val::str(text));
    }
    let mut state = Formatting {
        result: ctx.buffer(),
        at: 0,
        arg: 0,
        given: ctx.nargs(),
        quoted: None,
    };
    match state.advance(ctx)? {
        Stop::Done => ctx.ret_text(&mut state.result),
        Stop::Pause => {
            ctx.keep_state(state.given, state)?;
            ctx.pause(go_on)
        }
        Stop::Call(nargs) => {
            // A `__tostring` call is a function and the value: the value is an argument, so only the function is carried.
            debug_assert_eq!(nargs, 1);
            let value = ctx.pop();
            let method = ctx.pop();
            ctx.vm.scratch.push(method);
            let kept = ctx.keep_state(state.given, state);
            ctx.vm.scratch.pop();
            kept?;
            ctx.push(method);
            ctx.push(value);
            ctx.call(nargs, converted)
        }
    }
}

fn go_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Formatting>() else {
        return ctx.ret(Val::NIL);
    };
    match state.advance(ctx)? {
        Stop::Done => ctx.ret_text(&mut state.result),
        Stop::Pause => ctx.pause(go_on),
        Stop::Call(nargs) => ctx.call(nargs, converted),
    }
}

/// The continuation with the result of a `__tostring`.
fn converted(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    let text = access::text_value(ctx, v)?;
    let end = ctx.base + ctx.nargs();
    ctx.set_top(end);
    ctx.push(Val::str(text));
    let Some(state) = ctx.kept_state::<Formatting>() else {
        return ctx.ret(Val::NIL);
    };
    let format = ctx.check_str(0)?.as_bytes();
    let spec = parse(ctx, &format[state.at..])?;
    state.write_text(ctx, &spec, text.as_bytes())?;
    state.at += spec.text_len();
    ctx.set_top(end);
    go_on(ctx)
}

fn parse<'f>(ctx: &mut Ctx<'_>, text: &'f [u8]) -> Result<Spec<'f>, Thrown> {
    let old = ctx.vm.dialect < Dialect::Lua54;
    let spec = match old {
        true => Spec::parse_loosely(text),
        false => Spec::parse(text),
    };
    let spec = spec.map_err(|error| format_error(ctx, &error))?;
    // A C pointer is shown from 5.4 on, and by LuaJIT.
    if spec.conversion == Conversion::Pointer && old && ctx.vm.dialect >= Dialect::Lua52 {
        let error = FormatError::InvalidConversion(b"%p".to_vec());
        return Err(format_error(ctx, &error));
    }
    Ok(spec)
}

#[cold]
fn format_error(ctx: &mut Ctx<'_>, error: &FormatError) -> Thrown {
    let message = match ctx.vm.dialect < Dialect::Lua54 {
        true => error.old_message(),
        false => error.message(),
    };
    ctx.error_bytes(&message)
}

impl Formatting {
    /// Formats until the end, or until something is to be waited for. Then `at` is behind the `%` of the conversion that
    /// waits.
    fn advance(&mut self, ctx: &mut Ctx<'_>) -> Result<Stop, Thrown> {
        let format = ctx.check_str(0)?.as_bytes();
        loop {
            if ctx.should_pause() || !self.result.settle(ctx) {
                return Ok(Stop::Pause);
            }
            if let Some(from) = self.quoted {
                self.quote_piece(ctx, from)?;
                continue;
            }
            let rest = &format[self.at..];
            if rest.is_empty() {
                return Ok(Stop::Done);
            }
            let literal = memchr::memchr(b'%', &rest[..rest.len().min(PIECE)]);
            let Some(literal) = literal else {
                // The end of the format, or a long way to the next conversion.
                let to = self.at + rest.len().min(PIECE);
                ctx.charge(1 + (to - self.at) / 16);
                self.result.push_argument(ctx, 0, self.at, to)?;
                self.at = to;
                continue;
            };
            ctx.charge(1 + literal / 16);
            self.result.push(ctx, &rest[..literal])?;
            self.at += literal + 1;
            let rest = &rest[literal + 1..];
            if rest.first() == Some(&b'%') {
                self.result.push(ctx, b"%")?;
                self.at += 1;
                continue;
            }
            self.arg += 1;
            if self.arg >= self.given {
                return Err(ctx.arg_error(self.arg, "no value"));
            }
            let spec = parse(ctx, rest)?;
            if let Some(nargs) = self.convert(ctx, &spec)? {
                return Ok(Stop::Call(nargs));
            }
            self.at += spec.text_len();
        }
    }

    /// Writes one argument; `Some`: its `__tostring` is to be called first.
    fn convert(&mut self, ctx: &mut Ctx<'_>, spec: &Spec<'_>) -> Result<Option<usize>, Thrown> {
        let layout = |ctx: &mut Ctx<'_>| spec.layout().map_err(|error| format_error(ctx, &error));
        match spec.conversion {
            Conversion::Int => {
                let value = match ctx.vm.floats {
                    true => self.check_cut(ctx, spec)?,
                    false => ctx.check_int(self.arg)?,
                };
                let layout = layout(ctx)?;
                self.result
                    .push_with(ctx, MAX_NUMBER, |out| spec.write_int(&layout, value, out))?;
            }
            Conversion::Char => {
                let layout = layout(ctx)?;
                let value = ctx.check_int(self.arg)?;
                self.result
                    .push_with(ctx, MAX_NUMBER, |out| spec.write_int(&layout, value, out))?;
            }
            Conversion::Float => {
                // The reference looks at the modifiers of `%a` first, and at the argument first for the others.
                if spec.is_hexadecimal() {
                    layout(ctx)?;
                }
                let value = ctx.check_num(self.arg)?;
                let layout = layout(ctx)?;
                let digits = spec.float_digits(&layout, value);
                ctx.charge(digits.saturating_sub(CHEAP_DIGITS) * FUEL_FOR_DIGIT);
                self.result
                    .push_with(ctx, MAX_NUMBER, |out| spec.write_float(&layout, value, out))?;
            }
            Conversion::Pointer => {
                let layout = layout(ctx)?;
                let v = ctx.arg(self.arg);
                let text = match v.tag {
                    tag::NIL | tag::FALSE | tag::TRUE | tag::INT | tag::FLOAT => {
                        "(null)".to_owned()
                    }
                    _ => format!("{:#x}", access::identity(ctx.vm, v)),
                };
                self.result.push_with(ctx, MAX_NUMBER, |out| {
                    layout.write_text(text.as_bytes(), out)
                })?;
            }
            Conversion::Quoted => {
                layout(ctx)?;
                self.quote(ctx)?;
            }
            Conversion::Text => {
                let v = ctx.arg(self.arg);
                if let Some(text) = v.as_str()
                    && spec.is_plain()
                {
                    self.result.push_argument(ctx, self.arg, 0, text.len())?;
                    return Ok(None);
                }
                match access::text(ctx, v)? {
                    Access::Now(text) => {
                        ctx.push(text);
                        let Some(text) = text.as_str() else {
                            return Ok(None);
                        };
                        self.write_text(ctx, spec, text.as_bytes())?;
                        ctx.pop();
                    }
                    Access::Call(nargs) => return Ok(Some(nargs)),
                }
            }
        }
        Ok(None)
    }

    /// The argument of `%d` and the like where there are no integers: a float whose fraction is cut off.
    fn check_cut(&mut self, ctx: &mut Ctx<'_>, spec: &Spec<'_>) -> Result<i64, Thrown> {
        let value = ctx.check_num(self.arg)?;
        let cut = value.trunc();
        let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&cut);
        if spec.is_signed() {
            if !fits && ctx.vm.dialect >= Dialect::Lua52 {
                return Err(ctx.arg_error(self.arg, "not a number in proper range"));
            }
            // What the processor makes of a float that no integer can be.
            return Ok(if fits { cut as i64 } else { i64::MIN });
        }
        if !(0.0..18_446_744_073_709_551_616.0).contains(&cut) && ctx.vm.dialect >= Dialect::Lua52 {
            let message = "not a non-negative number in proper range";
            return Err(ctx.arg_error(self.arg, message));
        }
        Ok(if cut < 0.0 {
            cut as i64
        } else {
            cut as u64 as i64
        })
    }

    fn write_text(
        &mut self,
        ctx: &mut Ctx<'_>,
        spec: &Spec<'_>,
        text: &[u8],
    ) -> Result<(), Thrown> {
        ctx.charge(text.len() / 16);
        if spec.is_plain() {
            return self.result.push(ctx, text);
        }
        if text.contains(&0) {
            return Err(ctx.arg_error(self.arg, "string contains zeros"));
        }
        let layout = spec.layout().map_err(|error| format_error(ctx, &error))?;
        if !spec.has_precision() && text.len() >= MAX_PADDED {
            return self.result.push(ctx, text);
        }
        let room = text.len().min(layout.precision.unwrap_or(usize::MAX)) + MAX_PADDED;
        self.result
            .push_with(ctx, room, |out| layout.write_text(text, out))
    }

    /// Quotes the next piece of the argument, and ends the quotation behind the last one.
    fn quote_piece(&mut self, ctx: &mut Ctx<'_>, from: usize) -> Result<(), Thrown> {
        let text = ctx.check_str(self.arg)?.as_bytes();
        let end = text.len().min(from + QUOTED_PIECE);
        let piece = &text[from..end];
        ctx.charge(piece.len() / 4);
        let following = text.get(end).copied();
        self.result.push_with(ctx, piece.len() * 4, |out| {
            format::quote_text(piece, following, out)
        })?;
        self.quoted = (end < text.len()).then_some(end);
        if self.quoted.is_none() {
            self.result.push(ctx, b"\"")?;
        }
        Ok(())
    }

    /// `%q`
    fn quote(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let v = match ctx.vm.floats {
            // Where there are no integers, `%q` takes strings (and makes them of numbers).
            true => Val::str(ctx.check_str(self.arg)?),
            false => ctx.arg(self.arg),
        };
        if ctx.vm.dialect < Dialect::Lua52 {
            return self.quote_as_5_1(ctx);
        }
        match v.tag {
            tag::STR => {
                // The text follows piece by piece, from `advance`.
                self.quoted = Some(0);
                self.result.push(ctx, b"\"")
            }
            tag::INT => {
                let value = v.as_int().unwrap_or(0);
                self.result
                    .push_with(ctx, MAX_NUMBER, |out| format::quote_int(value, out))
            }
            tag::FLOAT => {
                let value = v.as_float().unwrap_or(0.0);
                let quote = match ctx.vm.dialect < Dialect::Lua54 {
                    true => format::quote_float_before_54,
                    false => format::quote_float,
                };
                self.result
                    .push_with(ctx, MAX_NUMBER, |out| quote(value, out))
            }
            tag::NIL => self.result.push(ctx, b"nil"),
            tag::FALSE => self.result.push(ctx, b"false"),
            tag::TRUE => self.result.push(ctx, b"true"),
            _ => Err(ctx.arg_error(self.arg, "value has no literal form")),
        }
    }

    /// `%q` of 5.1: only quotes, backslashes, line ends, carriage returns and zeros are escaped.
    fn quote_as_5_1(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let text = ctx.check_str(self.arg)?.as_bytes();
        ctx.charge(text.len() / 4);
        self.result.push(ctx, b"\"")?;
        for piece in text.chunks(4096) {
            self.result.push_with(ctx, piece.len() * 4, |out| {
                for byte in piece {
                    match byte {
                        b'"' | b'\\' | b'\n' => out.extend_from_slice(&[b'\\', *byte]),
                        b'\r' => out.extend_from_slice(b"\\r"),
                        0 => out.extend_from_slice(b"\\000"),
                        _ => out.push(*byte),
                    }
                }
            })?;
        }
        self.result.push(ctx, b"\"")
    }
}
