//! How functions answer: 1 for yes, nil and why for no; and what they call the types of what they were given.

use rille_lua::{IntoLuaMulti, Lua, MultiValue, Result, Value};
use std::fmt::Display;

/// What a function that is called often answers: what most calls come to takes no list of values.
pub enum Answer {
    /// 1.
    Yes,
    /// A number.
    Number(i64),
    /// Anything else.
    Values(MultiValue),
}

impl From<MultiValue> for Answer {
    fn from(values: MultiValue) -> Answer {
        Answer::Values(values)
    }
}

impl IntoLuaMulti for Answer {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(match self {
            Answer::Yes => yes(),
            Answer::Number(number) => MultiValue::from_vec(vec![Value::Integer(number)]),
            Answer::Values(values) => values,
        })
    }

    fn push_all(self, lua: &Lua) -> Result<u32> {
        match self {
            Answer::Yes => 1i64.push_all(lua),
            Answer::Number(number) => number.push_all(lua),
            Answer::Values(values) => values.push_all(lua),
        }
    }
}

/// 1, which is how OpenResty says yes.
pub fn yes() -> MultiValue {
    MultiValue::from_vec(vec![Value::Integer(1)])
}

/// nil and why not.
pub fn no(lua: &Lua, why: impl Display) -> Result<MultiValue> {
    let why = Value::String(lua.create_string(why.to_string())?);
    Ok(MultiValue::from_vec(vec![Value::Nil, why]))
}

/// The type of a value, in the words of `type`: the API tells integers from other numbers.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        value => value.type_name(),
    }
}
