//! From JSON text to tables, a step at a time.
//!
//! **Invariant:** between steps the decoder stands where a value is expected; what it has built is in
//! the VM, held by `stack`.

use super::json::{Json, MAX_DEPTH, STEP};
use super::json_text::{JsonError, Token, next_token};
use rille_lua::{Lua, LuaString, Result, Table, Value};

/// The outer error is the VM's (no memory), the inner one the text's.
type Decoded<T> = Result<std::result::Result<T, JsonError>>;

/// A container being filled, and the key its next value goes to.
enum Open {
    Array { table: Table, len: i64 },
    Object { table: Table, key: LuaString },
}

enum Stored {
    /// Its container goes on.
    More,
    /// It was the last of its container.
    Complete(Value),
    /// It was the whole text.
    Top(Value),
}

/// A text on its way to a value.
pub(super) struct Decoder {
    text: LuaString,
    at: usize,
    stack: Vec<Open>,
}

/// Ends the decoding with an error at a position.
macro_rules! wrong {
    ($at:expr, $message:expr) => {
        return Ok(Err(JsonError {
            message: $message,
            at: $at,
        }))
    };
}

/// Passes an error of the text on.
macro_rules! good {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl Decoder {
    pub(super) fn new(text: LuaString) -> Decoder {
        Decoder {
            text,
            at: 0,
            stack: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> &LuaString {
        &self.text
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Decodes up to [`STEP`] values; the result when that was all.
    pub(super) fn step(&mut self, lua: &Lua, json: &Json) -> Decoded<Option<Value>> {
        let held = self.text.clone();
        let text = &held.as_bytes()[..];
        let mut scan = Scan {
            text,
            at: self.at,
            lua,
            json,
            stack: &mut self.stack,
        };
        let mut result = Ok(None);
        for _ in 0..STEP {
            match scan.value()? {
                Ok(None) => {}
                done => {
                    result = done;
                    break;
                }
            }
        }
        self.at = scan.at;
        Ok(result)
    }
}

/// The decoder while it has the text in its hands.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    lua: &'a Lua,
    json: &'a Json,
    stack: &'a mut Vec<Open>,
}

impl Scan<'_> {
    /// Reads a value, or the start of a container, and stores what is complete with it.
    fn value(&mut self) -> Decoded<Option<Value>> {
        let start = self.start_of_token();
        let token = good!(next_token(self.text, &mut self.at));
        let mut value = match token {
            Token::ObjectStart | Token::ArrayStart => {
                if self.stack.len() == MAX_DEPTH {
                    wrong!(start, "nested too deeply");
                }
                match good!(self.open(matches!(token, Token::ObjectStart))?) {
                    Some(empty) => empty,
                    None => return Ok(Ok(None)),
                }
            }
            Token::String(bytes) => Value::String(self.lua.create_string(bytes)?),
            Token::Integer(integer) => Value::Integer(integer),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(boolean) => Value::Boolean(boolean),
            Token::Null => Value::Table(self.json.null.clone()),
            Token::End => wrong!(start, "unexpected end"),
            _ => wrong!(start, "a value was expected"),
        };
        loop {
            match good!(self.store(value)?) {
                Stored::More => return Ok(Ok(None)),
                Stored::Complete(container) => value = container,
                Stored::Top(top) => return Ok(Ok(Some(top))),
            }
        }
    }

    fn start_of_token(&mut self) -> usize {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at
    }

    fn take(&mut self, byte: u8) -> bool {
        let start = self.start_of_token();
        let found = self.text.get(start) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// Opens a container; an empty one is complete at once.
    fn open(&mut self, object: bool) -> Decoded<Option<Value>> {
        let table = self.lua.create_table()?;
        if self.take(if object { b'}' } else { b']' }) {
            if !object {
                table.set_metatable(Some(self.json.array_mt.clone()))?;
            }
            return Ok(Ok(Some(Value::Table(table))));
        }
        let open = match object {
            false => Open::Array { table, len: 0 },
            true => Open::Object {
                table,
                key: good!(self.key()?),
            },
        };
        self.stack.push(open);
        Ok(Ok(None))
    }

    /// A key and its colon.
    fn key(&mut self) -> Decoded<LuaString> {
        let start = self.start_of_token();
        let Token::String(key) = good!(next_token(self.text, &mut self.at)) else {
            wrong!(start, "a key in quotes was expected");
        };
        let key = self.lua.create_string(key)?;
        let colon = self.start_of_token();
        if !self.take(b':') {
            wrong!(colon, "':' was expected");
        }
        Ok(Ok(key))
    }

    /// Puts a value where it belongs and looks at what follows it.
    fn store(&mut self, value: Value) -> Decoded<Stored> {
        let object = match self.stack.last_mut() {
            None => {
                let at = self.start_of_token();
                if at < self.text.len() {
                    wrong!(at, "the end was expected");
                }
                return Ok(Ok(Stored::Top(value)));
            }
            Some(Open::Array { table, len }) => {
                *len += 1;
                table.raw_set(*len, value)?;
                false
            }
            Some(Open::Object { table, key }) => {
                table.raw_set(&*key, value)?;
                true
            }
        };
        let at = self.start_of_token();
        if self.take(b',') {
            if object {
                let next = good!(self.key()?);
                if let Some(Open::Object { key, .. }) = self.stack.last_mut() {
                    *key = next;
                }
            }
            return Ok(Ok(Stored::More));
        }
        if !self.take(if object { b'}' } else { b']' }) {
            wrong!(
                at,
                if object {
                    "',' or '}' was expected"
                } else {
                    "',' or ']' was expected"
                }
            );
        }
        match self.stack.pop() {
            Some(Open::Array { table, .. } | Open::Object { table, .. }) => {
                Ok(Ok(Stored::Complete(Value::Table(table))))
            }
            None => wrong!(at, "unexpected end"),
        }
    }
}
