//! Strings, their escape sequences, and long brackets.

use super::token::Token;
use super::{Lexer, Near};
use crate::compiler::Fail;
use crate::compiler::strings::StrId;
use crate::dialect::Dialect;
use crate::number;

impl Lexer<'_, '_, '_> {
    /// At a `[`: the level of the long bracket that opens here, or else how many `=` follow the `[`.
    pub(super) fn long_bracket(&self) -> Result<usize, usize> {
        let rest = &self.source[self.position + 1..];
        let level = rest.iter().take_while(|&&b| b == b'=').count();
        match rest.get(level) {
            Some(b'[') => Ok(level),
            _ => Err(level),
        }
    }

    pub(super) fn long_string(&mut self, level: usize) -> Result<StrId, Fail> {
        self.text.clear();
        self.long_text(level, true)?;
        self.intern_text()
    }

    /// Keeps the collected text, whose bytes were charged when they were collected.
    fn intern_text(&mut self) -> Result<StrId, Fail> {
        let text = std::mem::take(&mut self.text);
        let id = self.intern(&text);
        self.text = text;
        id
    }

    /// Reads a long string or comment from its opening bracket on.
    pub(super) fn long_text(&mut self, level: usize, keep: bool) -> Result<(), Fail> {
        let first_line = self.line;
        self.position += level + 2;
        if matches!(self.peek(), Some(b'\n' | b'\r')) {
            self.line_end()?;
        }
        loop {
            let source = self.source;
            let rest = &source[self.position..];
            let plain = rest
                .iter()
                .position(|b| matches!(b, b']' | b'\n' | b'\r'))
                .unwrap_or(rest.len());
            if keep {
                self.collect(&rest[..plain])?;
            }
            self.position += plain;
            match rest.get(plain) {
                None => {
                    let what = if keep { "string" } else { "comment" };
                    let message = match self.dialect < Dialect::Lua53 {
                        true => format!("unfinished long {what}"),
                        false => format!("unfinished long {what} (starting at line {first_line})"),
                    };
                    return Err(self.error(&message, Near::Eof));
                }
                Some(b']') => {
                    let signs = rest[plain + 1..]
                        .iter()
                        .take(level)
                        .take_while(|&&b| b == b'=');
                    let signs = signs.count();
                    if signs == level && rest.get(plain + 1 + level) == Some(&b']') {
                        self.position += level + 2;
                        return Ok(());
                    }
                    if keep {
                        self.collect(&rest[plain..plain + 1 + signs])?;
                    }
                    self.position += 1 + signs;
                }
                Some(_) => {
                    self.line_end()?;
                    if keep {
                        self.collect(b"\n")?;
                    }
                }
            }
        }
    }

    fn collect(&mut self, bytes: &[u8]) -> Result<(), Fail> {
        self.budget.spend(0, bytes.len())?;
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn short_string(&mut self, quote: u8) -> Result<Token, Fail> {
        self.text.clear();
        self.position += 1;
        loop {
            let source = self.source;
            let rest = &source[self.position..];
            let plain = rest
                .iter()
                .position(|&b| b == quote || matches!(b, b'\\' | b'\n' | b'\r'))
                .unwrap_or(rest.len());
            self.collect(&rest[..plain])?;
            self.position += plain;
            match rest.get(plain) {
                None => return Err(self.error("unfinished string", Near::Eof)),
                Some(b'\\') => self.escape(quote)?,
                Some(&b) if b == quote => {
                    self.position += 1;
                    return Ok(Token::Str(self.intern_text()?));
                }
                Some(_) => {
                    let near = [&[quote], &self.text[..]].concat();
                    return Err(self.error("unfinished string", Near::Text(&near)));
                }
            }
        }
    }

    /// Reads one escape sequence, from the backslash on.
    fn escape(&mut self, quote: u8) -> Result<(), Fail> {
        let start = self.position;
        self.position += 1;
        let Some(byte) = self.peek() else {
            // The caller reports the unfinished string.
            return Ok(());
        };
        let value = match byte {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'"' | b'\'' => byte,
            b'\n' | b'\r' => {
                self.line_end()?;
                return self.collect(b"\n");
            }
            b'x' => {
                self.position += 1;
                let high = self.hex_digit(quote, start)?;
                self.position += 1;
                let low = self.hex_digit(quote, start)?;
                (high << 4 | low) as u8
            }
            // 5.1 has this one and the two above from LuaJIT.
            b'u' if self.dialect != Dialect::Lua52 => return self.unicode_escape(quote, start),
            b'z' => {
                self.position += 1;
                while let Some(b) = self.peek().filter(|&b| number::is_space(b)) {
                    if matches!(b, b'\n' | b'\r') {
                        self.line_end()?;
                    } else {
                        self.position += 1;
                    }
                }
                return Ok(());
            }
            b'0'..=b'9' => {
                let mut value = 0;
                for _ in 0..3 {
                    match self.peek() {
                        Some(b @ b'0'..=b'9') => value = value * 10 + u32::from(b - b'0'),
                        _ => break,
                    }
                    self.position += 1;
                }
                match u8::try_from(value) {
                    Ok(byte) => return self.collect(&[byte]),
                    Err(_) => {
                        let message = match self.dialect {
                            Dialect::Lua51 => "escape sequence too large",
                            _ => "decimal escape too large",
                        };
                        // 5.2 does not show the byte behind it.
                        let shown = self.dialect != Dialect::Lua52;
                        return Err(self.string_error(quote, start, message, shown));
                    }
                }
            }
            // Any other character stood for itself.
            _ if self.dialect == Dialect::Lua51 => byte,
            _ => return Err(self.string_error(quote, start, "invalid escape sequence", true)),
        };
        self.position += 1;
        self.collect(&[value])
    }

    /// The value of the hexadecimal digit at the current position, which is not passed.
    fn hex_digit(&self, quote: u8, start: usize) -> Result<u32, Fail> {
        match self.peek().and_then(|b| (b as char).to_digit(16)) {
            Some(digit) => Ok(digit),
            None => Err(self.string_error(quote, start, "hexadecimal digit expected", true)),
        }
    }

    /// The largest number that `\u{}` takes.
    fn largest_code_point(&self) -> u32 {
        if self.dialect >= Dialect::Lua54 {
            0x7FFF_FFFF
        } else {
            0x10_FFFF
        }
    }

    /// Reads `u{XXX}`, a code point.
    fn unicode_escape(&mut self, quote: u8, start: usize) -> Result<(), Fail> {
        self.position += 1;
        if self.peek() != Some(b'{') {
            return Err(self.string_error(quote, start, "missing '{'", true));
        }
        self.position += 1;
        let mut value = self.hex_digit(quote, start)?;
        self.position += 1;
        while let Some(digit) = self.peek().and_then(|b| (b as char).to_digit(16)) {
            if value > self.largest_code_point() >> 4 {
                return Err(self.string_error(quote, start, "UTF-8 value too large", true));
            }
            value = value << 4 | digit;
            if value > self.largest_code_point() {
                return Err(self.string_error(quote, start, "UTF-8 value too large", true));
            }
            self.position += 1;
        }
        if self.peek() != Some(b'}') {
            return Err(self.string_error(quote, start, "missing '}'", true));
        }
        self.position += 1;
        let (bytes, length) = encode_utf8(value);
        self.collect(&bytes[..length])
    }

    /// An error inside a string shows what has been read of it, then the escape sequence as it is written, up to and
    /// with the byte that is wrong.
    fn string_error(&self, quote: u8, escape: usize, message: &str, with_current: bool) -> Fail {
        let end = self
            .source
            .len()
            .min(self.position + usize::from(with_current));
        let mut near = vec![quote];
        near.extend_from_slice(&self.text);
        match self.dialect {
            // Only what came before the escape sequence, or nothing but it.
            Dialect::Lua51 => {}
            Dialect::Lua52 => near = self.source[escape..end].to_vec(),
            _ => near.extend_from_slice(&self.source[escape..end]),
        }
        self.error(message, Near::Text(&near))
    }
}

/// UTF-8 in its first definition, with sequences of up to six bytes for 31 bits.
fn encode_utf8(value: u32) -> ([u8; 6], usize) {
    let mut bytes = [0; 6];
    if value < 0x80 {
        bytes[0] = value as u8;
        return (bytes, 1);
    }
    // A sequence of n bytes carries 7 - n bits in the first and 6 in each that follows.
    let mut length = 2;
    while length < 6 && value >> (5 * length + 1) != 0 {
        length += 1;
    }
    let mut rest = value;
    for byte in bytes[1..length].iter_mut().rev() {
        *byte = 0x80 | (rest & 0x3F) as u8;
        rest >>= 6;
    }
    bytes[0] = (0xFFu32 << (8 - length)) as u8 | rest as u8;
    (bytes, length)
}
