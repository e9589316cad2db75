//! The lexer: bytes to tokens.
//!
//! **Invariant:** `line` is the line on which the last token read ends, counting `\n`, `\r`, `\r\n` and `\n\r` as one
//! line end each. Every byte is looked at a bounded number of times, and is charged to the budget.

mod text;
mod token;

pub(crate) use token::{Spanned, Token};

use super::strings::{STRING_OVERHEAD, StrId, Strings};
use super::{Budget, Fail, chunk_id_in};
use crate::dialect::Dialect;
use crate::number::{self, Number};
use crate::string::as_c_string;

/// Reads tokens off a source text.
pub(crate) struct Lexer<'s, 'b, 'm> {
    source: &'s [u8],
    position: usize,
    /// Line of the end of the last token read.
    pub line: u32,
    chunk_name: &'s [u8],
    pub dialect: Dialect,
    pub strings: Strings,
    pub budget: &'b mut Budget<'m>,
    /// Text of the string being read.
    text: Vec<u8>,
}

/// What an error message shows after "near".
enum Near<'a> {
    Text(&'a [u8]),
    Eof,
}

impl<'s, 'b, 'm> Lexer<'s, 'b, 'm> {
    pub fn new(
        source: &'s [u8],
        chunk_name: &'s [u8],
        dialect: Dialect,
        budget: &'b mut Budget<'m>,
    ) -> Self {
        Lexer {
            source,
            position: 0,
            line: 1,
            chunk_name,
            dialect,
            strings: Strings::default(),
            budget,
            text: Vec::new(),
        }
    }

    /// Reads the next token.
    pub fn next_token(&mut self) -> Result<Spanned, Fail> {
        let before = self.position;
        let (token, start) = self.scan()?;
        let end = self.position;
        self.budget.spend(1 + (end - before) as u64 / 16, 0)?;
        Ok(Spanned { token, start, end })
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.position).copied()
    }

    fn peek_at(&self, distance: usize) -> Option<u8> {
        self.source.get(self.position + distance).copied()
    }

    /// Skips white space and comments, then reads one token.
    fn scan(&mut self) -> Result<(Token, usize), Fail> {
        loop {
            let start = self.position;
            let Some(byte) = self.peek() else {
                return Ok((Token::Eof, start));
            };
            match byte {
                b'\n' | b'\r' => self.line_end()?,
                b' ' | b'\t' | 0x0b | 0x0c => self.position += 1,
                b'-' if self.peek_at(1) == Some(b'-') => self.comment()?,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => return Ok((self.name()?, start)),
                b'0'..=b'9' => return Ok((self.numeral()?, start)),
                b'.' if matches!(self.peek_at(1), Some(b'0'..=b'9')) => {
                    return Ok((self.numeral()?, start));
                }
                b'"' | b'\'' => return Ok((self.short_string(byte)?, start)),
                b'[' => {
                    let token = match self.long_bracket() {
                        Ok(level) => Token::Str(self.long_string(level)?),
                        Err(0) => {
                            self.position += 1;
                            Token::LeftBracket
                        }
                        Err(signs) => {
                            let near = &self.source[start..start + 1 + signs];
                            return Err(
                                self.error("invalid long string delimiter", Near::Text(near))
                            );
                        }
                    };
                    return Ok((token, start));
                }
                _ => {
                    let (token, length) = self.symbol(byte);
                    self.position += length;
                    return Ok((token, start));
                }
            }
        }
    }

    fn symbol(&self, byte: u8) -> (Token, usize) {
        use Token::*;
        let next = self.peek_at(1);
        // Bitwise operators and floor division came with integers.
        let with_integers = self.dialect.has_integers();
        match (byte, next) {
            (b'~', Some(b'=')) => (NotEqual, 2),
            (b'/', _) if !with_integers => (Slash, 1),
            (b'<' | b'>', Some(b'<' | b'>')) if !with_integers => {
                (if byte == b'<' { Less } else { Greater }, 1)
            }
            (b'~' | b'&' | b'|', _) if !with_integers => (Byte(byte), 1),
            (b'.', Some(b'.')) if self.peek_at(2) == Some(b'.') => (DotDotDot, 3),
            (b'.', Some(b'.')) => (DotDot, 2),
            (b'=', Some(b'=')) => (Equal, 2),
            (b'<', Some(b'=')) => (LessEqual, 2),
            (b'<', Some(b'<')) => (ShiftLeft, 2),
            (b'>', Some(b'=')) => (GreaterEqual, 2),
            (b'>', Some(b'>')) => (ShiftRight, 2),
            (b'/', Some(b'/')) => (SlashSlash, 2),
            (b':', Some(b':')) => (ColonColon, 2),
            (b'.', _) => (Dot, 1),
            (b'=', _) => (Assign, 1),
            (b'~', _) => (Tilde, 1),
            (b'<', _) => (Less, 1),
            (b'>', _) => (Greater, 1),
            (b'/', _) => (Slash, 1),
            (b':', _) => (Colon, 1),
            (b'+', _) => (Plus, 1),
            (b'-', _) => (Minus, 1),
            (b'*', _) => (Star, 1),
            (b'%', _) => (Percent, 1),
            (b'^', _) => (Caret, 1),
            (b'#', _) => (Hash, 1),
            (b'&', _) => (Ampersand, 1),
            (b'|', _) => (Pipe, 1),
            (b'(', _) => (LeftParen, 1),
            (b')', _) => (RightParen, 1),
            (b'{', _) => (LeftBrace, 1),
            (b'}', _) => (RightBrace, 1),
            (b']', _) => (RightBracket, 1),
            (b';', _) => (Semicolon, 1),
            (b',', _) => (Comma, 1),
            _ => (Byte(byte), 1),
        }
    }

    /// Skips a line end of one or two bytes.
    fn line_end(&mut self) -> Result<(), Fail> {
        let first = self.peek();
        self.position += 1;
        if let (Some(b'\n'), Some(b'\r')) | (Some(b'\r'), Some(b'\n')) = (first, self.peek()) {
            self.position += 1;
        }
        if self.line >= i32::MAX as u32 {
            return Err(self.error("chunk has too many lines", Near::Eof));
        }
        self.line += 1;
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Fail> {
        self.position += 2;
        if self.peek() == Some(b'[')
            && let Ok(level) = self.long_bracket()
        {
            return self.long_text(level, false);
        }
        let rest = &self.source[self.position..];
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
        self.position += end.unwrap_or(rest.len());
        Ok(())
    }

    fn name(&mut self) -> Result<Token, Fail> {
        let source = self.source;
        let rest = &source[self.position..];
        let length = rest
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && *b != b'_')
            .unwrap_or(rest.len());
        let name = &rest[..length];
        self.position += length;
        match Token::keyword(name) {
            // In 5.1 the parser decides: there it is a word only where a name follows.
            Some(Token::Goto) if self.dialect == Dialect::Lua51 => {
                Ok(Token::Name(self.intern(name)?))
            }
            Some(keyword) => Ok(keyword),
            None => Ok(Token::Name(self.intern(name)?)),
        }
    }

    /// Keeps a string, charging for it if it is new.
    pub fn intern(&mut self, text: &[u8]) -> Result<StrId, Fail> {
        if let Some(id) = self.strings.find(text) {
            return Ok(id);
        }
        self.budget.spend(0, text.len() + STRING_OVERHEAD)?;
        Ok(self.strings.add(text))
    }

    /// Takes everything that could belong to a numeral, then asks whether it is one: `3x` is an error, not two tokens
    /// (but in 5.2 and 5.3).
    fn numeral(&mut self) -> Result<Token, Fail> {
        if self.dialect == Dialect::Lua51 {
            return self.numeral_of_51();
        }
        let start = self.position;
        // `.0x5` is malformed as a whole: the zero may follow a point.
        let zero = usize::from(self.peek() == Some(b'.'));
        let hexadecimal =
            self.peek_at(zero) == Some(b'0') && matches!(self.peek_at(zero + 1), Some(b'x' | b'X'));
        if hexadecimal {
            self.position += zero + 2;
        }
        while let Some(byte) = self.peek() {
            match (byte, hexadecimal) {
                (b'e' | b'E', false) | (b'p' | b'P', true) => {
                    self.position += 1;
                    if matches!(self.peek(), Some(b'+' | b'-')) {
                        self.position += 1;
                    }
                    // Before 5.4 no second exponent is taken right behind the first.
                    let goes_on = |b: u8| b == b'.' || b.is_ascii_hexdigit();
                    if self.dialect < Dialect::Lua54 && !self.peek().is_some_and(goes_on) {
                        break;
                    }
                }
                (b'.', _) => self.position += 1,
                _ if byte.is_ascii_hexdigit() => self.position += 1,
                _ => break,
            }
        }
        if self.dialect >= Dialect::Lua54
            && matches!(self.peek(), Some(b) if b.is_ascii_alphabetic() || b == b'_')
        {
            self.position += 1;
        }
        let source = self.source;
        let text = &source[start..self.position];
        if !self.dialect.has_integers() {
            return match number::parse_as_float(text) {
                Some(value) => Ok(Token::Float(value)),
                None => Err(self.error("malformed number", Near::Text(text))),
            };
        }
        match number::parse(text) {
            Some(Number::Int(value)) => Ok(Token::Int(value)),
            Some(Number::Float(value)) => Ok(Token::Float(value)),
            None => Err(self.error("malformed number", Near::Text(text))),
        }
    }

    /// 5.1 ends a numeral elsewhere, and knows no hexadecimal fractions and exponents; LuaJIT does.
    fn numeral_of_51(&mut self) -> Result<Token, Fail> {
        let start = self.position;
        let rest = &self.source[start..];
        let in_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let exponent = match rest {
            [b'0', b'x' | b'X', ..] => b'p',
            _ => b'e',
        };
        let mut before = 0;
        let whole = rest.iter().position(|&b| {
            let sign = matches!(b, b'+' | b'-') && before == exponent;
            before = b.to_ascii_lowercase();
            !sign && !in_word(b) && b != b'.'
        });
        let whole = whole.unwrap_or(rest.len());
        if let Some(value) = number::parse_as_float(&rest[..whole]) {
            self.position += whole;
            return Ok(Token::Float(value));
        }
        let end_of = |from: usize, takes: &dyn Fn(u8) -> bool| {
            let taken = rest[from..].iter().take_while(|b| takes(**b)).count();
            from + taken
        };
        let mut end = end_of(0, &|b| b.is_ascii_digit() || b == b'.');
        if let Some(b'e' | b'E') = rest.get(end) {
            end += 1;
            if let Some(b'+' | b'-') = rest.get(end) {
                end += 1;
            }
        }
        let text = &rest[..end_of(end, &in_word)];
        self.position += text.len();
        match number::parse_as_float(text) {
            Some(value) => Ok(Token::Float(value)),
            None => Err(self.error("malformed number", Near::Text(text))),
        }
    }

    fn error(&self, message: &str, near: Near) -> Fail {
        let mut text = self.message_start(message);
        text.extend_from_slice(b" near ");
        match near {
            Near::Text(near) => quote_visible(&mut text, near),
            Near::Eof if self.dialect == Dialect::Lua51 => text.extend_from_slice(b"'<eof>'"),
            Near::Eof => text.extend_from_slice(b"<eof>"),
        }
        Fail::Syntax {
            message: text,
            incomplete: matches!(near, Near::Eof),
        }
    }

    fn message_start(&self, message: &str) -> Vec<u8> {
        self.message_at(message, self.line)
    }

    fn message_at(&self, message: &str, line: u32) -> Vec<u8> {
        let mut text = chunk_id_in(self.dialect, self.chunk_name, true);
        text.extend_from_slice(format!(":{}: {message}", line).as_bytes());
        text
    }

    /// How a message of this dialect names a token.
    pub fn described(&self, token: Token) -> String {
        let name = token.described();
        // 5.1 quotes all of them.
        match self.dialect {
            Dialect::Lua51 if name.starts_with('<') => format!("'{name}'"),
            _ => name,
        }
    }

    /// An error at a token.
    #[cold]
    pub fn error_near(&self, message: &str, at: Spanned) -> Fail {
        let mut text = self.message_start(message);
        if at.token == Token::Byte(0) {
            // To the reference, this token is no token.
            return Fail::Syntax {
                message: text,
                incomplete: false,
            };
        }
        text.extend_from_slice(b" near ");
        let written = &self.source[at.start..at.end];
        match at.token {
            Token::Name(_) | Token::Int(_) | Token::Float(_) => quote_visible(&mut text, written),
            Token::Str(id) => {
                // The value between the delimiters as they are written, escapes already replaced.
                let delimiter = match written.first() {
                    Some(b'[') => 2 + written[1..].iter().take_while(|&&b| b == b'=').count(),
                    _ => 1,
                };
                let mut near = written[..delimiter].to_vec();
                near.extend_from_slice(self.strings.get(id));
                near.extend_from_slice(&written[written.len() - delimiter..]);
                quote_visible(&mut text, &near);
            }
            Token::Byte(byte) if self.dialect < Dialect::Lua53 && !byte.is_ascii_graphic() => {
                match self.dialect {
                    Dialect::Lua51 if byte.is_ascii_control() => {
                        text.extend_from_slice(format!("'char({byte})'").as_bytes());
                    }
                    Dialect::Lua51 => text.extend_from_slice(&[b'\'', byte, b'\'']),
                    _ => text.extend_from_slice(format!("char({byte})").as_bytes()),
                }
            }
            other => text.extend_from_slice(self.described(other).as_bytes()),
        }
        Fail::Syntax {
            message: text,
            incomplete: at.token == Token::Eof,
        }
    }

    /// An error in the meaning of what was read so far; it names no token.
    #[cold]
    pub fn error_plain(&self, message: &str, line: u32) -> Fail {
        Fail::Syntax {
            message: self.message_at(message, line),
            incomplete: false,
        }
    }
}

/// Appends a text in quotes, up to its first zero byte: the reference formats it as a C string.
fn quote_visible(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'\'');
    out.extend_from_slice(as_c_string(text));
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::Unmetered;

    fn tokens(source: &[u8]) -> Vec<Token> {
        let mut meter = Unmetered;
        let mut budget = Budget::new(&mut meter);
        let mut lexer = Lexer::new(source, b"=t", Dialect::default(), &mut budget);
        let mut list = Vec::new();
        loop {
            let spanned = lexer.next_token().expect("tokens");
            if spanned.token == Token::Eof {
                return list;
            }
            list.push(spanned.token);
        }
    }

    fn string(source: &[u8]) -> Vec<u8> {
        let mut meter = Unmetered;
        let mut budget = Budget::new(&mut meter);
        let mut lexer = Lexer::new(source, b"=t", Dialect::default(), &mut budget);
        match lexer.next_token().expect("a token").token {
            Token::Str(id) => lexer.strings.get(id).to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn symbols_take_the_longest_match() {
        use Token::*;
        assert_eq!(
            tokens(b"... .. . :: : // / << < <= ~= ~ == ="),
            [
                DotDotDot, DotDot, Dot, ColonColon, Colon, SlashSlash, Slash, ShiftLeft, Less,
                LessEqual, NotEqual, Tilde, Equal, Assign
            ]
        );
        assert_eq!(tokens(b"a....b").len(), 4);
    }

    #[test]
    fn numerals() {
        use Token::*;
        assert_eq!(
            tokens(b"3 0x10 .5 3. 1e2 0xA.8p1 9223372036854775808 0xffffffffffffffff"),
            [
                Int(3),
                Int(16),
                Float(0.5),
                Float(3.0),
                Float(100.0),
                Float(21.0),
                Float(9223372036854775808.0),
                Int(-1)
            ]
        );
    }

    #[test]
    fn strings_and_escapes() {
        assert_eq!(
            string(
                br#""a\n\065\x41\u{48}\z   b\
c""#
            ),
            b"a\nAAHb\nc"
        );
        assert_eq!(string(b"'\\\r\nx'"), b"\nx");
        assert_eq!(string(b"[==[\r\na]]b]=]\n\rc]==]"), b"a]]b]=]\nc");
        assert_eq!(string(b"[[]]"), b"");
        assert_eq!(
            string(b"'\\u{7FFFFFFF}\\u{7FF}\\u{800}'"),
            b"\xFD\xBF\xBF\xBF\xBF\xBF\xDF\xBF\xE0\xA0\x80"
        );
        assert_eq!(
            string("'\\u{20AC}\\u{10FFFF}'".as_bytes()),
            "\u{20AC}\u{10FFFF}".as_bytes()
        );
    }

    #[test]
    fn comments_and_lines() {
        let mut meter = Unmetered;
        let mut budget = Budget::new(&mut meter);
        let source = b"--[==[ a\n]] ]==] --[ short\r\n--[=x\n\r  x";
        let mut lexer = Lexer::new(source, b"=t", Dialect::default(), &mut budget);
        assert!(matches!(
            lexer.next_token().expect("x").token,
            Token::Name(_)
        ));
        assert_eq!(lexer.line, 4);
    }
}
