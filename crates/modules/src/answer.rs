//! How functions answer: 1 for yes, nil and why for no; and what they call the types of what they were given.

use rille_lua::{Lua, MultiValue, Result, Value};
use std::fmt::Display;

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
