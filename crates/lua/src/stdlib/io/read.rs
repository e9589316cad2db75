//! The formats of `read`: lines, counts of bytes, everything, numbers.
//!
//! **Invariant:** a format takes from the stream exactly what it returns (and, for a number, the blanks before it and
//! the characters that could have been part of one).

use super::file::Stream;
use super::file_result;
use crate::dialect::Dialect;
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::number::{self, Number};
use crate::string::MAX_LEN;
use crate::value::Val;

/// The longest numeral that is read.
const MAX_NUMERAL: usize = 200;

/// Reads the formats that are the arguments from `first` on; without any, a line.
pub(super) fn read(ctx: &mut Ctx<'_>, stream: &mut Stream, first: usize) -> NativeResult {
    stream.begin_read();
    let formats = ctx.nargs().saturating_sub(first);
    ctx.reserve(formats.max(1))?;
    let from = ctx.top();
    let mut good = true;
    if formats == 0 {
        good = read_line(ctx, stream, true)?;
    }
    for i in first..ctx.nargs() {
        if !good {
            break;
        }
        good = read_format(ctx, stream, i)?;
    }
    if let Some(e) = stream.read_error.take() {
        let copy = std::io::Error::from_raw_os_error(e.raw_os_error().unwrap_or(libc::EIO));
        stream.read_error = Some(e);
        ctx.set_top(from);
        return file_result(ctx, Err(copy), None);
    }
    if !good {
        ctx.pop();
        ctx.push(Val::NIL);
    }
    ctx.ret_from(from)
}

/// Pushes what one format reads. False: there was nothing (what is pushed does not count).
fn read_format(ctx: &mut Ctx<'_>, stream: &mut Stream, i: usize) -> Result<bool, Thrown> {
    if ctx.arg(i).is_number() {
        let n = ctx.check_int(i)?;
        if n == 0 {
            let more = stream.peek().is_some();
            ctx.push_str(b"")?;
            return Ok(more);
        }
        return match usize::try_from(n) {
            Ok(n) if n <= MAX_LEN => read_bytes(ctx, stream, n),
            _ => Err(ctx.vm.throw_memory()),
        };
    }
    let format = ctx.check_str(i)?.as_bytes();
    // The star is needed in 5.2; LuaJIT does not ask for it.
    if ctx.vm.dialect == Dialect::Lua52 && format.first() != Some(&b'*') {
        return Err(ctx.arg_error(i, "invalid option"));
    }
    match format.strip_prefix(b"*").unwrap_or(format).first() {
        Some(b'n') => read_number(ctx, stream),
        Some(b'l') => read_line(ctx, stream, true),
        Some(b'L') => read_line(ctx, stream, false),
        Some(b'a') => read_bytes(ctx, stream, usize::MAX).map(|_| true),
        _ => Err(ctx.arg_error(i, "invalid format")),
    }
}

/// A line, with or without its end. The last one need not have one.
fn read_line(ctx: &mut Ctx<'_>, stream: &mut Stream, chop: bool) -> Result<bool, Thrown> {
    let mut line: Option<Buffer> = None;
    loop {
        let piece = stream.available();
        let end = memchr::memchr(b'\n', piece);
        let kept = match end {
            Some(at) => &piece[..at + !chop as usize],
            None => piece,
        };
        let taken = end.map_or(piece.len(), |at| at + 1);
        if (end.is_some() || piece.is_empty()) && line.is_none() {
            // The common case: the whole line is there.
            ctx.charge(kept.len() / 16);
            ctx.push_str(kept)?;
            stream.take(taken);
            return Ok(end.is_some());
        }
        let mut buffer = line.take().unwrap_or_else(|| ctx.buffer());
        buffer.push(ctx, kept)?;
        stream.take(taken);
        if end.is_some() || taken == 0 {
            let s = buffer.finish(ctx)?;
            ctx.push(Val::str(s));
            return Ok(true);
        }
        line = Some(buffer);
    }
}

/// At most `n` bytes.
fn read_bytes(ctx: &mut Ctx<'_>, stream: &mut Stream, n: usize) -> Result<bool, Thrown> {
    let mut buffer = ctx.buffer();
    while buffer.len() < n {
        let piece = stream.available();
        let take = piece.len().min(n - buffer.len());
        if take == 0 {
            break;
        }
        buffer.push(ctx, &piece[..take])?;
        stream.take(take);
    }
    let some = !buffer.is_empty();
    let s = buffer.finish(ctx)?;
    ctx.push(Val::str(s));
    Ok(some)
}

/// A numeral, read as far as its characters go.
fn read_number(ctx: &mut Ctx<'_>, stream: &mut Stream) -> Result<bool, Thrown> {
    while let Some(b) = stream.peek()
        && (b.is_ascii_whitespace() || b == 0x0b)
    {
        stream.take(1);
    }
    let mut numeral = Numeral {
        stream,
        text: Vec::new(),
        too_long: false,
    };
    numeral.one_of(b"+-");
    let mut digits = 0;
    let mut hexadecimal = false;
    if numeral.one_of(b"0") {
        hexadecimal = numeral.one_of(b"xX");
        digits = !hexadecimal as usize;
    }
    digits += numeral.digits(hexadecimal);
    if numeral.one_of(b".") {
        digits += numeral.digits(hexadecimal);
    }
    if digits > 0 && numeral.one_of(if hexadecimal { b"pP" } else { b"eE" }) {
        numeral.one_of(b"+-");
        numeral.digits(false);
    }
    let parsed = if numeral.too_long {
        None
    } else {
        match ctx.vm.floats {
            true => number::parse_as_float(&numeral.text).map(Number::Float),
            false => number::parse(&numeral.text),
        }
    };
    ctx.push(match parsed {
        Some(Number::Int(n)) => Val::int(n),
        Some(Number::Float(f)) => Val::float(f),
        None => Val::NIL,
    });
    Ok(parsed.is_some())
}

struct Numeral<'s> {
    stream: &'s mut Stream,
    text: Vec<u8>,
    too_long: bool,
}

impl Numeral<'_> {
    fn accept(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        if self.too_long {
            return false;
        }
        match self.stream.peek() {
            Some(b) if wanted(b) => {
                self.too_long = self.text.len() == MAX_NUMERAL;
                if !self.too_long {
                    self.text.push(b);
                    self.stream.take(1);
                }
                !self.too_long
            }
            _ => false,
        }
    }

    fn one_of(&mut self, set: &[u8]) -> bool {
        self.accept(|b| set.contains(&b))
    }

    fn digits(&mut self, hexadecimal: bool) -> usize {
        let mut n = 0;
        while self.accept(|b| {
            if hexadecimal {
                b.is_ascii_hexdigit()
            } else {
                b.is_ascii_digit()
            }
        }) {
            n += 1;
        }
        n
    }
}
