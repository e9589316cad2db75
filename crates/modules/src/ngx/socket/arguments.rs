//! Arguments of the methods, and how they fail.

use crate::answer::{Answer, no, type_name, yes};
use crate::text::bad_argument;
use rille_lua::{Args, Error, Function, Glance, IntoLuaMulti, Lua, MultiValue, Reply};
use rille_lua::{Result, UserDataRef, Value};
use rille_runtime::net::NetError;

/// The arguments of a call, where they lie.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(&'a Args<'a>);

impl<'a> Arguments<'a> {
    /// Fails with `complaint`, which ends with how many there are, unless there are `least` to `most`.
    pub(super) fn new(
        given: &'a Args<'a>,
        least: usize,
        most: usize,
        complaint: &str,
    ) -> Result<Arguments<'a>> {
        if !(least..=most).contains(&given.len()) {
            return Err(Error::runtime(format!("{complaint} {}", given.len())));
        }
        Ok(Arguments(given))
    }

    pub(super) fn lua(&self) -> &'a Lua {
        self.0.lua()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The argument at a position from 1; nil if there is none.
    pub(super) fn get(&self, position: usize) -> Result<Value> {
        self.0.get(position.wrapping_sub(1))
    }

    /// What it looks like. `f` cannot use the VM.
    pub(super) fn glance<R>(&self, position: usize, f: impl FnOnce(Glance<'_>) -> R) -> Result<R> {
        self.0.glance(position.wrapping_sub(1), f)
    }

    /// Whether there is anything but nil and false.
    pub(super) fn is_set(&self, position: usize) -> Result<bool> {
        self.glance(position, |value| {
            !matches!(value, Glance::Nil | Glance::Boolean(false))
        })
    }

    /// The object a method is called on.
    pub(super) fn object<T: 'static>(&self) -> Result<UserDataRef<T>> {
        match self.0.object_at::<T>(0, 1)? {
            Some(socket) => Ok(socket),
            None => Err(match self.get(1)? {
                Value::Table(_) => bad_argument(1, "bad tcp socket"),
                other => wrong(1, "table", &other),
            }),
        }
    }

    /// Adds a string, or a number as one, to `to`.
    pub(super) fn append_to(&self, position: usize, to: &mut Vec<u8>) -> Result<()> {
        let is_string = self.glance(position, |value| match value {
            Glance::String(text) => {
                to.extend_from_slice(text);
                true
            }
            _ => false,
        })?;
        if is_string {
            return Ok(());
        }
        let value = self.get(position)?;
        match self.lua().coerce_string(value.clone())? {
            Some(text) => to.extend_from_slice(&text.as_bytes()),
            None => return Err(wrong(position, "string", &value)),
        }
        Ok(())
    }

    /// A string, or a number as one.
    pub(super) fn bytes(&self, position: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append_to(position, &mut bytes)?;
        Ok(bytes)
    }

    /// The number that it is or converts to.
    pub(super) fn number(&self, position: usize) -> Result<Option<f64>> {
        self.0.number(position.wrapping_sub(1))
    }

    /// An integer, as `luaL_checkinteger` takes one: what is behind the point is cut off.
    pub(super) fn integer(&self, position: usize) -> Result<i64> {
        match self.number(position)? {
            Some(number) => Ok(number as i64),
            None => Err(wrong(position, "number", &self.get(position)?)),
        }
    }

    /// As [`Arguments::integer`]; `None` for nil.
    pub(super) fn optional_integer(&self, position: usize) -> Result<Option<i64>> {
        match self.glance(position, |value| value == Glance::Nil)? {
            true => Ok(None),
            false => self.integer(position).map(Some),
        }
    }
}

/// The function of a method that never waits.
pub(super) fn at_once<R: IntoLuaMulti + 'static>(
    lua: &Lua,
    method: impl Fn(&Args<'_>) -> Result<R> + 'static,
) -> Result<Function> {
    lua.create_direct_function(move |given| method(given).map(Reply::Now))
}

/// The error of an argument of the wrong type.
pub(super) fn wrong(position: usize, expected: &str, value: &Value) -> Error {
    bad_argument(
        position,
        format!("{expected} expected, got {}", type_name(value)),
    )
}

/// 1, or nil and why not.
pub(super) fn answer(lua: &Lua, result: std::result::Result<(), NetError>) -> Result<MultiValue> {
    match result {
        Ok(()) => Ok(yes()),
        Err(why) => no(lua, why),
    }
}

/// At once: nil and why not.
pub(super) fn refuse(lua: &Lua, why: impl std::fmt::Display) -> Result<Reply<Answer>> {
    no(lua, why).map(|values| Reply::Now(Answer::Values(values)))
}
