//! Arguments of the methods, and how they fail.

use rille_lua::{AnyUserData, Error, Lua, MultiValue, Result, UserDataRef, Value};
use rille_runtime::net::NetError;
use std::sync::Arc;

/// The arguments of a call.
pub(super) struct Arguments(MultiValue);

impl Arguments {
    /// Fails with `complaint`, which ends with how many there are, unless there are `least` to `most`.
    pub(super) fn new(
        given: MultiValue,
        least: usize,
        most: usize,
        complaint: &str,
    ) -> Result<Arguments> {
        if !(least..=most).contains(&given.len()) {
            return Err(Error::runtime(format!("{complaint} {}", given.len())));
        }
        Ok(Arguments(given))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The argument at a position from 1; nil if there is none.
    pub(super) fn get(&self, position: usize) -> &Value {
        (self.0.get(position.wrapping_sub(1))).unwrap_or(&Value::Nil)
    }

    /// The object a method is called on.
    pub(super) fn object<T: 'static>(&self) -> Result<UserDataRef<T>> {
        let Value::Table(object) = self.get(1) else {
            return Err(wrong(1, "table", self.get(1)));
        };
        match object.raw_get::<Value>(1)? {
            Value::UserData(socket) => borrow(&socket),
            _ => Err(bad(1, "bad tcp socket")),
        }
    }

    /// A string, or a number as one.
    pub(super) fn bytes(&self, lua: &Lua, position: usize) -> Result<Vec<u8>> {
        match lua.coerce_string(self.get(position).clone())? {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Err(wrong(position, "string", self.get(position))),
        }
    }

    /// An integer, as `luaL_checkinteger` takes one: what is behind the point is cut off.
    pub(super) fn integer(&self, lua: &Lua, position: usize) -> Result<i64> {
        match lua.coerce_number(self.get(position).clone())? {
            Some(number) => Ok(number as i64),
            None => Err(wrong(position, "number", self.get(position))),
        }
    }

    /// As [`Arguments::integer`]; `None` for nil.
    pub(super) fn optional_integer(&self, lua: &Lua, position: usize) -> Result<Option<i64>> {
        match self.get(position) {
            Value::Nil => Ok(None),
            _ => self.integer(lua, position).map(Some),
        }
    }
}

fn borrow<T: 'static>(socket: &AnyUserData) -> Result<UserDataRef<T>> {
    (socket.borrow()).map_err(|_| bad(1, "bad tcp socket"))
}

/// The error of an argument, by its position from 1.
pub(super) fn bad(position: usize, why: impl std::fmt::Display) -> Error {
    Error::BadArgument {
        to: None,
        pos: position,
        name: None,
        cause: Arc::new(Error::runtime(why)),
    }
}

/// The error of an argument of the wrong type.
pub(super) fn wrong(position: usize, expected: &str, value: &Value) -> Error {
    bad(
        position,
        format!("{expected} expected, got {}", type_name(value)),
    )
}

/// The type's name as Lua has it: the API tells integers from other numbers.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}

/// 1, which is how OpenResty says yes.
pub(super) fn yes() -> MultiValue {
    MultiValue::from_vec(vec![Value::Integer(1)])
}

/// nil and why not.
pub(super) fn no(lua: &Lua, why: &str) -> Result<MultiValue> {
    let why = Value::String(lua.create_string(why)?);
    Ok(MultiValue::from_vec(vec![Value::Nil, why]))
}

/// 1, or nil and why not.
pub(super) fn answer(lua: &Lua, result: std::result::Result<(), NetError>) -> Result<MultiValue> {
    match result {
        Ok(()) => Ok(yes()),
        Err(why) => no(lua, &why.to_string()),
    }
}
