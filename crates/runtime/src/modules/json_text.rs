//! JSON as text: the scanner and the printer beneath the codec of [`super::json`].
//!
//! **Invariant:** no recursion and no allocation beyond the strings it returns; every position is within
//! the input. Nothing here knows of Lua.

/// One token of a JSON text.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// `:`
    Colon,
    /// `,`
    Comma,
    /// A string with its escapes resolved.
    String(Vec<u8>),
    /// A number without fraction and exponent, in range.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// `true` or `false`
    Boolean(bool),
    /// `null`
    Null,
    /// The end of the text.
    End,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What was expected or found.
    pub message: &'static str,
    /// Byte offset.
    pub at: usize,
}

impl JsonError {
    /// `message at line 3, column 7`.
    pub fn describe(&self, text: &[u8]) -> String {
        let before = &text[..self.at.min(text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count();
        format!("{} at line {line}, column {column}", self.message)
    }
}

/// Reads the next token from `at` on, and moves `at` behind it.
pub fn next_token(text: &[u8], at: &mut usize) -> Result<Token, JsonError> {
    while matches!(text.get(*at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        *at += 1;
    }
    let Some(byte) = text.get(*at) else {
        return Ok(Token::End);
    };
    let single = match byte {
        b'{' => Token::ObjectStart,
        b'}' => Token::ObjectEnd,
        b'[' => Token::ArrayStart,
        b']' => Token::ArrayEnd,
        b':' => Token::Colon,
        b',' => Token::Comma,
        b'"' => return string(text, at),
        b'-' | b'0'..=b'9' => return number(text, at),
        b't' => return word(text, at, b"true", Token::Boolean(true)),
        b'f' => return word(text, at, b"false", Token::Boolean(false)),
        b'n' => return word(text, at, b"null", Token::Null),
        _ => {
            return Err(JsonError {
                message: "unexpected character",
                at: *at,
            });
        }
    };
    *at += 1;
    Ok(single)
}

fn word(text: &[u8], at: &mut usize, word: &[u8], token: Token) -> Result<Token, JsonError> {
    if !text[*at..].starts_with(word) {
        return Err(JsonError {
            message: "unexpected character",
            at: *at,
        });
    }
    *at += word.len();
    Ok(token)
}

fn number(text: &[u8], at: &mut usize) -> Result<Token, JsonError> {
    let start = *at;
    let mut end = start + usize::from(text[start] == b'-');
    let digits = |mut from: usize| {
        while text.get(from).is_some_and(u8::is_ascii_digit) {
            from += 1;
        }
        from
    };
    let whole = end;
    end = digits(end);
    let bad = |at| {
        Err(JsonError {
            message: "malformed number",
            at,
        })
    };
    if end == whole || (text[whole] == b'0' && end > whole + 1) {
        return bad(end);
    }
    let mut integer = true;
    if text.get(end) == Some(&b'.') {
        integer = false;
        let from = end + 1;
        end = digits(from);
        if end == from {
            return bad(end);
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        integer = false;
        let from = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(from);
        if end == from {
            return bad(end);
        }
    }
    *at = end;
    // The bytes are ASCII by construction.
    let digits = std::str::from_utf8(&text[start..end]).unwrap_or_default();
    if integer && let Ok(value) = digits.parse() {
        return Ok(Token::Integer(value));
    }
    match digits.parse() {
        Ok(value) => Ok(Token::Number(value)),
        Err(_) => bad(start),
    }
}

fn string(text: &[u8], at: &mut usize) -> Result<Token, JsonError> {
    let mut decoded = Vec::new();
    let mut from = *at + 1;
    loop {
        let plain = text[from..]
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
        let Some(plain) = plain else {
            return Err(JsonError {
                message: "unfinished string",
                at: *at,
            });
        };
        let end = from + plain;
        decoded.extend_from_slice(&text[from..end]);
        match text[end] {
            b'"' => {
                *at = end + 1;
                return Ok(Token::String(decoded));
            }
            b'\\' => from = escape(text, end, &mut decoded)?,
            _ => {
                return Err(JsonError {
                    message: "control character in a string",
                    at: end,
                });
            }
        }
    }
}

/// Resolves the escape at `at`; returns the position behind it.
fn escape(text: &[u8], at: usize, decoded: &mut Vec<u8>) -> Result<usize, JsonError> {
    let byte = match text.get(at + 1) {
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'/') => b'/',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unicode_escape(text, at, decoded),
        _ => {
            return Err(JsonError {
                message: "invalid escape",
                at,
            });
        }
    };
    decoded.push(byte);
    Ok(at + 2)
}

fn unicode_escape(text: &[u8], at: usize, decoded: &mut Vec<u8>) -> Result<usize, JsonError> {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |value, digit| {
            Some(value << 4 | char::from(*digit).to_digit(16)?)
        })
    };
    let first = unit(at).ok_or(JsonError {
        message: "invalid \\u escape",
        at,
    })?;
    let (code, end) = match (first, unit(at + 6)) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => (
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
            at + 12,
        ),
        _ => (first, at + 6),
    };
    let Some(c) = char::from_u32(code) else {
        return Err(JsonError {
            message: "half of a surrogate pair",
            at,
        });
    };
    decoded.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(end)
}

/// Appends a string literal; false if the bytes are not UTF-8.
#[must_use]
pub fn print_string(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if std::str::from_utf8(bytes).is_err() {
        return false;
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f))
    {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
    true
}

/// Appends a float as the shortest text that reads back as the same float, `1.0` for 1; false if
/// JSON has no such number.
#[must_use]
pub fn print_number(value: f64, out: &mut Vec<u8>) -> bool {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    value.is_finite() && write!(out, "{value:?}").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token>, String> {
        let (mut at, mut tokens) = (0, Vec::new());
        loop {
            match next_token(text.as_bytes(), &mut at) {
                Ok(Token::End) => return Ok(tokens),
                Ok(token) => tokens.push(token),
                Err(error) => return Err(error.describe(text.as_bytes())),
            }
        }
    }

    fn one(text: &str) -> Token {
        tokens(text).unwrap().remove(0)
    }

    #[test]
    fn numbers() {
        assert_eq!(one("-0"), Token::Integer(0));
        assert_eq!(one("9223372036854775807"), Token::Integer(i64::MAX));
        assert_eq!(
            one("9223372036854775808"),
            Token::Number(9223372036854775808.0)
        );
        assert_eq!(one("1.5e3"), Token::Number(1500.0));
        assert_eq!(one("1E-2"), Token::Number(0.01));
        for bad in ["-", "01", "1.", "1e", "1e+", "-x"] {
            assert!(
                tokens(bad).unwrap_err().starts_with("malformed number"),
                "{bad}"
            );
        }
    }

    #[test]
    fn strings() {
        assert_eq!(
            one(r#""a\n\u00e9\ud83d\ude00\/""#),
            Token::String("a\né😀/".into())
        );
        assert_eq!(
            tokens("\"a").unwrap_err(),
            "unfinished string at line 1, column 1"
        );
        assert_eq!(
            tokens("\n \"a\\x\"").unwrap_err(),
            "invalid escape at line 2, column 4"
        );
        assert!(
            tokens(r#""\ud83d""#)
                .unwrap_err()
                .starts_with("half of a surrogate")
        );
        assert!(tokens("\"\u{1}\"").is_err());
        assert!(tokens(r#""\u12"#).is_err());
    }

    #[test]
    fn printing_reads_back() {
        let text = "a\"\\\n\t\u{0}\u{7f}é😀";
        let mut out = Vec::new();
        assert!(print_string(text.as_bytes(), &mut out));
        assert_eq!(
            one(std::str::from_utf8(&out).unwrap()),
            Token::String(text.into())
        );
        assert!(!print_string(b"\xff", &mut Vec::new()));
        for value in [1.0, -0.1, 1e300, 5e-324, f64::MAX] {
            let mut out = Vec::new();
            assert!(print_number(value, &mut out));
            assert_eq!(
                one(std::str::from_utf8(&out).unwrap()),
                Token::Number(value)
            );
        }
        assert!(
            !print_number(f64::NAN, &mut Vec::new())
                && !print_number(f64::INFINITY, &mut Vec::new())
        );
    }

    #[test]
    fn other_characters() {
        assert!(tokens("tru").is_err() && tokens("'a'").is_err());
        assert_eq!(tokens("[true,{}]").unwrap().len(), 6);
    }
}
