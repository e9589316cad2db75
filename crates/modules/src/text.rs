//! Texts as scripts give them to functions: how they are converted, how long they may be, what work on them costs.
//!
//! **Invariant:** a host call is not preempted, so a text that one works on is at most [`MAX_TEXT`] bytes long and is charged for.

use rille_lua::{Error, FromLua, Function, Lua, LuaString, MultiValue, Result, Value};
use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

/// The longest text that one call takes, in bytes.
pub const MAX_TEXT: usize = 16 << 20;

/// A string, or a number as one.
pub(crate) struct Text(LuaString);

/// What OpenResty takes for a text where it is not strict: nil and false are empty, all else is what `tostring` makes of it.
pub(crate) struct Loose(LuaString);

impl FromLua for Text {
    fn from_lua(value: Value, lua: &Lua) -> Result<Text> {
        LuaString::from_lua(value, lua).and_then(limited).map(Text)
    }
}

impl FromLua for Loose {
    fn from_lua(value: Value, lua: &Lua) -> Result<Loose> {
        let text = match value {
            Value::String(text) => text,
            Value::Nil | Value::Boolean(false) => lua.create_string("")?,
            value => {
                let tostring: Function = lua.globals().raw_get("tostring")?;
                tostring.call(value)?
            }
        };
        limited(text).map(Loose)
    }
}

impl Deref for Text {
    type Target = LuaString;

    fn deref(&self) -> &LuaString {
        &self.0
    }
}

impl Deref for Loose {
    type Target = LuaString;

    fn deref(&self) -> &LuaString {
        &self.0
    }
}

impl Loose {
    /// The string itself, when the answer is the same.
    pub(crate) fn into_string(self) -> LuaString {
        self.0
    }
}

fn limited(text: LuaString) -> Result<LuaString> {
    match text.len() {
        0..=MAX_TEXT => Ok(text),
        _ => Err(too_long()),
    }
}

/// The error of a text, given or made, that is longer than [`MAX_TEXT`].
pub(crate) fn too_long() -> Error {
    Error::runtime(format_args!(
        "string longer than {} MiB",
        MAX_TEXT / (1 << 20)
    ))
}

/// The error of an argument, counted from 1, in Lua's words.
pub fn bad_argument(pos: usize, why: impl Display) -> Error {
    at_argument(pos, Error::runtime(why))
}

/// An error as that of an argument, counted from 1; one of a limit stays what it is.
pub(crate) fn at_argument(pos: usize, cause: Error) -> Error {
    if cause.is_limit() {
        return cause;
    }
    Error::BadArgument {
        to: None,
        pos,
        name: None,
        cause: Arc::new(cause),
    }
}

/// An argument, counted from 1, of a function that counts its arguments itself.
pub(crate) fn argument<T: FromLua>(lua: &Lua, all: &MultiValue, pos: usize) -> Result<T> {
    let value = all.get(pos - 1).cloned().unwrap_or_default();
    T::from_lua(value, lua).map_err(|cause| at_argument(pos, cause))
}

/// A result, or nil and why there is none.
pub(crate) type Answer<T> = std::result::Result<T, &'static str>;

/// Charges for work that takes a fraction of a nanosecond a byte: copying, escaping.
pub(crate) fn charge_text(lua: &Lua, bytes: usize) {
    lua.charge_fuel(bytes as u64 / 8);
}

/// Charges for work that takes nanoseconds a byte: hashing, encrypting.
pub(crate) fn charge_hash(lua: &Lua, bytes: usize) {
    lua.charge_fuel(bytes as u64);
}

/// Two hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out
}
