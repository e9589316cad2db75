//! Values of `kv` and `cache`: from a script and back.
//!
//! Strings, numbers (with their subtype), booleans, tables of these, `json.null` and `ngx.null`. Tables are copied; what was one table,
//! or a cycle, is so again.
//!
//! **Invariant:** what works on a value is bounded by [`MAX_VALUE`] and charged.

use crate::kv::{KvError, KvValue, MAX_VALUE};
use crate::task::Tasks;
use rille_lua::copy::{CopyLimits, NoCopy};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Value};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// The longest time to live, in seconds: some 3000 years.
const MAX_TTL: f64 = 1e11;

/// An argument: the function's name, and its place, counted from 1.
pub(super) type Argument = (&'static str, usize);

/// A value as a script gave it: nothing has been copied out of the VM yet.
pub(super) enum Given {
    Nil,
    Scalar(KvValue),
    Text(LuaString),
    /// A copy, and at most how many bytes it is.
    Data(Value, usize),
}

/// The encoding of a VM.
#[derive(Clone)]
pub(super) struct Codec(pub Weak<Tasks>);

impl Codec {
    pub fn of(tasks: &Rc<Tasks>) -> Codec {
        Codec(Rc::downgrade(tasks))
    }

    fn tasks(&self) -> Result<Rc<Tasks>> {
        self.0.upgrade().ok_or(Error::MismatchedLua)
    }

    /// The value that a script gave as this argument. The inner error is that it is too long.
    pub fn given(
        &self,
        lua: &Lua,
        value: Value,
        (to, pos): Argument,
    ) -> Result<std::result::Result<Given, KvError>> {
        Ok(Ok(match value {
            Value::Nil => Given::Nil,
            Value::Boolean(value) => Given::Scalar(KvValue::Boolean(value)),
            Value::Integer(value) => Given::Scalar(KvValue::Integer(value)),
            Value::Number(value) => Given::Scalar(KvValue::Number(value)),
            Value::String(text) => match text.len() < MAX_VALUE {
                true => {
                    charge(lua, text.len());
                    Given::Text(text)
                }
                false => return Ok(Err(KvError::ValueTooLong)),
            },
            value => {
                let limits = CopyLimits {
                    values: MAX_VALUE,
                    bytes: MAX_VALUE - 64,
                };
                match self.tasks()?.copy_lasting(lua, &value, limits)? {
                    Ok((copy, bytes)) => {
                        charge(lua, 2 * bytes);
                        Given::Data(copy, bytes)
                    }
                    Err(NoCopy::TooLarge) => return Ok(Err(KvError::ValueTooLong)),
                    Err(NoCopy::Kind { path, type_name }) => {
                        let why = match path.is_empty() {
                            true => format!(
                                "string, number, boolean or table expected, got {type_name}"
                            ),
                            false => format!("{path} is a {type_name}"),
                        };
                        return Err(bad_argument(to, pos, why));
                    }
                }
            }
        }))
    }

    /// The value out of the VM; `None` is nil.
    pub fn encode(&self, given: &Given, (to, pos): Argument) -> Result<Option<KvValue>> {
        Ok(Some(match given {
            Given::Nil => return Ok(None),
            Given::Scalar(value) => value.clone(),
            Given::Text(text) => KvValue::Bytes(text.as_bytes()[..].into()),
            Given::Data(value, _) => {
                let bytes = self.tasks()?.encode_lasting(value);
                let bytes = bytes.map_err(|_| {
                    bad_argument(to, pos, "a light userdata other than null is in it")
                })?;
                KvValue::Data(bytes.into())
            }
        }))
    }

    /// The value in the VM.
    pub fn to_lua(&self, lua: &Lua, value: &KvValue) -> Result<Value> {
        Ok(match value {
            KvValue::Boolean(value) => Value::Boolean(*value),
            KvValue::Integer(value) => Value::Integer(*value),
            KvValue::Number(value) => Value::Number(*value),
            KvValue::Bytes(bytes) => {
                charge(lua, bytes.len());
                Value::String(lua.create_string(bytes)?)
            }
            KvValue::Data(bytes) => self.table(lua, bytes)?,
        })
    }

    /// The table, or null, of these bytes.
    pub fn table(&self, lua: &Lua, bytes: &[u8]) -> Result<Value> {
        charge(lua, 2 * bytes.len());
        self.tasks()?.decode_lasting(lua, bytes)
    }

    /// A copy of a value, as it will come out again.
    pub fn copy(&self, lua: &Lua, given: Given) -> Result<Value> {
        Ok(match given {
            Given::Nil => Value::Nil,
            Given::Scalar(value) => self.to_lua(lua, &value)?,
            Given::Text(text) => Value::String(text),
            Given::Data(value, _) => value,
        })
    }
}

impl Given {
    /// At most how many bytes it is.
    pub fn bytes(&self) -> usize {
        match self {
            Given::Nil | Given::Scalar(_) => 16,
            Given::Text(text) => text.len(),
            Given::Data(_, bytes) => *bytes,
        }
    }
}

/// Copying is charged as the library's own functions charge it.
pub(super) fn charge(lua: &Lua, bytes: usize) {
    lua.charge_fuel(bytes as u64 / 16 + 8);
}

/// A time to live in milliseconds; nil and 0 are for ever, what is less than a millisecond is one.
pub(super) fn ttl_ms(seconds: Option<f64>, (to, pos): Argument) -> Result<u64> {
    let seconds = seconds.unwrap_or(0.0);
    if !(0.0..=MAX_TTL).contains(&seconds) {
        return Err(bad_argument(to, pos, "seconds from 0 expected"));
    }
    Ok((seconds * 1000.0).ceil() as u64)
}

/// The error of an argument, counted from 1, in Lua's words.
pub(super) fn bad_argument(to: &'static str, pos: usize, why: impl std::fmt::Display) -> Error {
    Error::BadArgument {
        to: Some(to.into()),
        pos,
        name: None,
        cause: Arc::new(Error::runtime(why)),
    }
}

/// One value.
pub(super) fn one(value: Value) -> Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![value]))
}

/// nil and why.
pub(super) fn no(lua: &Lua, why: impl std::fmt::Display) -> Result<MultiValue> {
    let why = Value::String(lua.create_string(why.to_string())?);
    Ok(MultiValue::from_vec(vec![Value::Nil, why]))
}
