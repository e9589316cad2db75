//! Arguments of the methods, and how they fail.

use crate::answer::{no, type_name, yes};
use crate::text::bad_argument;
use rille_lua::{AnyUserData, Error, Lua, MultiValue, Result, UserDataRef, Value};
use rille_runtime::net::NetError;

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
        match object.raw_index(1)? {
            Value::UserData(socket) => borrow(&socket),
            _ => Err(bad_argument(1, "bad tcp socket")),
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
    (socket.borrow()).map_err(|_| bad_argument(1, "bad tcp socket"))
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
