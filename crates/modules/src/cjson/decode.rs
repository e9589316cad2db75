//! JSON as values.
//!
//! **Invariant:** between two steps the decoder stands where a value is expected; every position is within the text.

use super::number::{self, Number};
use super::settings::Settings;
use super::{STEP, Step, Work, null};
use rille_lua::{Dialect, Lua, LuaString, Result, Table, Value};

/// What comes next in a text.
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    End,
    String(Vec<u8>),
    Number(Number),
    Boolean(bool),
    Null,
    /// Nothing that has a meaning, and what is wrong with it.
    Wrong(&'static str),
}

impl Token {
    /// Its name in messages.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Wrong(why) => why,
        }
    }
}

/// An open container, and where its next value goes.
enum Open {
    Array { table: Table, length: i64 },
    Object { table: Table, key: LuaString },
}

/// What stopped a step: the VM, or the text.
enum Failure {
    Vm(rille_lua::Error),
    Text(String),
}

impl From<rille_lua::Error> for Failure {
    fn from(error: rille_lua::Error) -> Failure {
        Failure::Vm(error)
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

/// A text on its way to a value.
pub(super) struct Decoder {
    text: LuaString,
    at: usize,
    open: Vec<Open>,
    settings: Settings,
    /// The metatable that arrays get.
    array: Option<Table>,
}

impl Work for Decoder {
    fn step(&mut self, lua: &Lua) -> Result<std::result::Result<Step, String>> {
        let held = self.text.clone();
        let bytes = held.as_bytes();
        let mut scan = Scan {
            lua,
            text: &bytes,
            at: self.at,
            token_at: self.at,
            settings: &self.settings,
        };
        let done = work(&mut scan, &mut self.open, self.array.as_ref());
        self.at = scan.at;
        match done {
            Ok(Some(value)) => Ok(Ok(Step::Last(value))),
            Ok(None) => Ok(Ok(Step::Piece(Value::Nil))),
            Err(Failure::Text(message)) => Ok(Err(message)),
            Err(Failure::Vm(error)) => Err(error),
        }
    }

    fn bytes(&self) -> usize {
        self.at
    }
}

impl Decoder {
    pub(super) fn new(text: LuaString, settings: Settings, array: Option<Table>) -> Decoder {
        Decoder {
            text,
            at: 0,
            open: Vec::new(),
            settings,
            array,
        }
    }
}

struct Scan<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or where it went wrong.
    token_at: usize,
    settings: &'a Settings,
}

fn work(
    scan: &mut Scan<'_>,
    open: &mut Vec<Open>,
    array: Option<&Table>,
) -> Outcome<Option<Value>> {
    if scan.at == 0 && matches!(scan.text, [0, _, ..] | [_, 0, ..]) {
        let why = "JSON parser does not support UTF-16 or UTF-32";
        return Err(Failure::Text(why.to_owned()));
    }
    for _ in 0..STEP {
        let Some(mut value) = begin(scan, open, array)? else {
            continue;
        };
        loop {
            match store(scan, open, value)? {
                Stored::More => break,
                Stored::Container(container) => value = container,
                Stored::All(value) => return Ok(Some(value)),
            }
        }
    }
    Ok(None)
}

/// Reads a value; `None` if it is a container that has been opened.
fn begin(
    scan: &mut Scan<'_>,
    open: &mut Vec<Open>,
    array: Option<&Table>,
) -> Outcome<Option<Value>> {
    let token = scan.next();
    // An array may end where its first value is expected, which shows in there being none.
    let value = match token {
        Token::String(bytes) => Value::String(scan.lua.create_string(bytes)?),
        Token::Number(number) => as_value(scan.lua, number),
        Token::Boolean(boolean) => Value::Boolean(boolean),
        Token::Null => null(),
        Token::ObjectBegin => {
            scan.descend(open)?;
            let table = scan.lua.create_table()?;
            let token = scan.next();
            if matches!(token, Token::ObjectEnd) {
                return Ok(Some(Value::Table(table)));
            }
            let key = scan.key(token)?;
            open.push(Open::Object { table, key });
            return Ok(None);
        }
        Token::ArrayBegin => {
            scan.descend(open)?;
            let table = scan.lua.create_table()?;
            table.set_metatable(array.cloned())?;
            let before = scan.at;
            if matches!(scan.next(), Token::ArrayEnd) {
                return Ok(Some(Value::Table(table)));
            }
            scan.at = before;
            open.push(Open::Array { table, length: 0 });
            return Ok(None);
        }
        other => return scan.expected("value", &other),
    };
    Ok(Some(value))
}

enum Stored {
    More,
    Container(Value),
    All(Value),
}

/// Puts a value where it belongs, and reads what follows it.
fn store(scan: &mut Scan<'_>, open: &mut Vec<Open>, value: Value) -> Outcome<Stored> {
    match open.last_mut() {
        None => match scan.next() {
            Token::End => Ok(Stored::All(value)),
            other => scan.expected("the end", &other),
        },
        Some(Open::Array { table, length }) => {
            *length += 1;
            table.raw_set(*length, value)?;
            match scan.next() {
                Token::Comma => Ok(Stored::More),
                Token::ArrayEnd => Ok(closed(open)),
                other => scan.expected("comma or array end", &other),
            }
        }
        Some(Open::Object { table, key }) => {
            table.raw_set(&*key, value)?;
            match scan.next() {
                Token::Comma => {
                    let token = scan.next();
                    *key = scan.key(token)?;
                    Ok(Stored::More)
                }
                Token::ObjectEnd => Ok(closed(open)),
                other => scan.expected("comma or object end", &other),
            }
        }
    }
}

fn closed(open: &mut Vec<Open>) -> Stored {
    match open.pop() {
        Some(Open::Array { table, .. } | Open::Object { table, .. }) => {
            Stored::Container(Value::Table(table))
        }
        None => Stored::More,
    }
}

/// Integers stay integers where the language has them.
fn as_value(lua: &Lua, number: Number) -> Value {
    match number {
        Number::Integer(integer) if lua.dialect() >= Dialect::Lua53 => Value::Integer(integer),
        Number::Integer(integer) => Value::Number(integer as f64),
        Number::Float(number) => Value::Number(number),
    }
}

impl Scan<'_> {
    fn expected<T>(&self, what: &str, found: &Token) -> Outcome<T> {
        Err(Failure::Text(format!(
            "Expected {what} but found {} at character {}",
            found.name(),
            self.token_at + 1
        )))
    }

    fn descend(&self, open: &[Open]) -> Outcome<()> {
        let depth = open.len() as i64 + 1;
        match depth <= self.settings.decode_depth {
            true => Ok(()),
            false => Err(Failure::Text(format!(
                "Found too many nested data structures ({depth}) at character {}",
                self.at
            ))),
        }
    }

    /// A key and its colon.
    fn key(&mut self, token: Token) -> Outcome<LuaString> {
        let Token::String(key) = token else {
            return self.expected("object key string", &token);
        };
        match self.next() {
            Token::Colon => Ok(self.lua.create_string(key)?),
            other => self.expected("colon", &other),
        }
    }

    fn wrong(&mut self, at: usize, why: &'static str) -> Token {
        self.token_at = at;
        Token::Wrong(why)
    }

    fn next(&mut self) -> Token {
        if let Err(at) = self.skip() {
            return self.wrong(at, "unclosed comment");
        }
        self.token_at = self.at;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(byte) = rest.first() else {
            return Token::End;
        };
        let single = match byte {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(rest),
            _ => return self.word(rest),
        };
        self.at += 1;
        single
    }

    /// Passes over white space, and comments if they are allowed; the error is where one begins that does not end.
    fn skip(&mut self) -> std::result::Result<(), usize> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            match rest {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => self.at += 1,
                [b'/', b'*', after @ ..] if self.settings.allows_comments => {
                    let end = memchr::memmem::find(after, b"*/").ok_or(self.at)?;
                    self.at += 4 + end;
                }
                [b'/', b'/', after @ ..] if self.settings.allows_comments => {
                    let end = memchr::memchr(b'\n', after).unwrap_or(after.len());
                    self.at += 2 + end;
                }
                _ => return Ok(()),
            }
        }
    }

    fn word(&mut self, rest: &[u8]) -> Token {
        let words = [
            (&b"true"[..], Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        match self.settings.decode_invalid && is_invalid_number(rest) {
            true => self.number(rest),
            false => self.wrong(self.at, "invalid token"),
        }
    }

    fn number(&mut self, rest: &[u8]) -> Token {
        let is_refused = !self.settings.decode_invalid && is_invalid_number(rest);
        let (number, length) = number::read(rest);
        if is_refused || length == 0 {
            return self.wrong(self.at, "invalid number");
        }
        self.at += length;
        Token::Number(number)
    }

    fn string(&mut self) -> Token {
        let mut bytes = Vec::new();
        let mut at = self.at + 1;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            match rest {
                [] | [0, ..] => return self.wrong(at, "unexpected end of string"),
                [b'"', ..] => break,
                [b'\\', b'u', ..] => match unicode(rest, &mut bytes) {
                    Some(length) => at += length,
                    None => return self.wrong(at, "invalid unicode escape code"),
                },
                [b'\\', code, ..] => {
                    bytes.push(match code {
                        b'"' | b'\\' | b'/' => *code,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        _ => return self.wrong(at, "invalid escape code"),
                    });
                    at += 2;
                }
                [b'\\'] => return self.wrong(at, "invalid escape code"),
                _ => {
                    let plain = rest
                        .iter()
                        .position(|byte| matches!(byte, 0 | b'"' | b'\\'))
                        .unwrap_or(rest.len());
                    bytes.extend_from_slice(&rest[..plain]);
                    at += plain;
                }
            }
        }
        self.at = at + 1;
        Token::String(bytes)
    }
}

/// `\uXXXX`, or two of them that make one character: its bytes, and the length of what was read.
fn unicode(rest: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let first = code_unit(rest)?;
    let (code, length) = match first {
        0xdc00..=0xdfff => return None,
        0xd800..=0xdbff => {
            let second = code_unit(rest.get(6..)?)?;
            if !(0xdc00..=0xdfff).contains(&second) {
                return None;
            }
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (code, 12)
        }
        code => (code, 6),
    };
    let character = char::from_u32(code)?;
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(length)
}

fn code_unit(rest: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = rest else {
        return None;
    };
    let digits = digits.first_chunk::<4>()?;
    digits.iter().try_fold(0, |code, digit| {
        Some(code * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// What JSON does not have and C's `strtod` reads: hexadecimal, infinite and not-a-number, a plus, leading zeros.
fn is_invalid_number(rest: &[u8]) -> bool {
    let unsigned = match rest {
        [b'+', ..] => return true,
        [b'-', unsigned @ ..] => unsigned,
        _ => rest,
    };
    match unsigned {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'0'..=b'9', ..] => false,
        _ => [&b"inf"[..], b"nan"].iter().any(|word| {
            let start = unsigned.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        }),
    }
}
