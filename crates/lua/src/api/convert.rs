//! How values cross between Rust and Lua: the four traits, and the conversions of this crate's own types.
//!
//! The hidden methods let the common types cross without a handle: `push_into` puts a value on the running coroutine's
//! stack, `from_arg` reads one there. Their default goes through [`Value`]; both ways give the same result.

use super::error::{Error, Result};
use super::function::Function;
use super::multi::MultiValue;
use super::state::Lua;
use super::string::LuaString;
use super::table::Table;
use super::thread::Thread;
use super::userdata::{AnyUserData, UserData, UserDataRef, UserDataRefMut};
use super::value::{Args, LightUserData, Value};

/// A Rust value that can be a Lua value.
pub trait IntoLua: Sized {
    /// The Lua value.
    fn into_lua(self, lua: &Lua) -> Result<Value>;
    #[doc(hidden)]
    fn push_into(self, lua: &Lua) -> Result<()> {
        lua.push_value(&self.into_lua(lua)?)
    }
}

/// A Lua value that can be a Rust value.
pub trait FromLua: Sized {
    /// The Rust value.
    fn from_lua(value: Value, lua: &Lua) -> Result<Self>;
    #[doc(hidden)]
    fn from_arg(args: &Args<'_>, i: usize) -> Result<Self> {
        Self::from_lua(args.value(i)?, args.lua)
    }
}

/// Rust values that can be any number of Lua values: arguments of a call, results of a host function.
pub trait IntoLuaMulti: Sized {
    /// The Lua values.
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue>;
    /// The values, if that is what it is.
    #[doc(hidden)]
    fn as_values(&self) -> Option<&MultiValue> {
        None
    }
    #[doc(hidden)]
    fn push_all(self, lua: &Lua) -> Result<u32> {
        let values = self.into_lua_multi(lua)?;
        let n = u32::try_from(values.len()).map_err(|_| Error::runtime("too many values"))?;
        for v in &values {
            lua.push_value(v)?;
        }
        Ok(n)
    }
}

/// Any number of Lua values that can be Rust values: results of a call, arguments of a host function.
pub trait FromLuaMulti: Sized {
    /// The Rust values.
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<Self>;
    #[doc(hidden)]
    fn from_args(args: &Args<'_>, first: usize) -> Result<Self> {
        Self::from_lua_multi(args.values_from(first)?, args.lua)
    }
}

impl<T: IntoLua> IntoLuaMulti for T {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        let mut all = MultiValue::with_capacity(1);
        all.push_back(self.into_lua(lua)?);
        Ok(all)
    }
    fn push_all(self, lua: &Lua) -> Result<u32> {
        self.push_into(lua).map(|()| 1)
    }
}

impl<T: FromLua> FromLuaMulti for T {
    fn from_lua_multi(mut values: MultiValue, lua: &Lua) -> Result<T> {
        T::from_lua(values.pop_front().unwrap_or_default(), lua)
    }
    fn from_args(args: &Args<'_>, first: usize) -> Result<T> {
        T::from_arg(args, first).map_err(|e| e.at_argument(first + 1))
    }
}

/// `Ok` results are as without `Result`; an error is nil and its message, as Lua's own functions return failures.
impl<T: IntoLua, E: IntoLua> IntoLuaMulti for std::result::Result<T, E> {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        match self {
            Ok(v) => (v,).into_lua_multi(lua),
            Err(e) => (Value::Nil, e).into_lua_multi(lua),
        }
    }
}

impl IntoLua for Value {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(self)
    }
}
impl IntoLua for &Value {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(self.clone())
    }
    fn push_into(self, lua: &Lua) -> Result<()> {
        lua.push_value(self)
    }
}
impl FromLua for Value {
    fn from_lua(value: Value, _: &Lua) -> Result<Value> {
        Ok(value)
    }
}

macro_rules! handle_conversions {
    ($($type:ident, $variant:ident, $name:literal;)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, _: &Lua) -> Result<Value> {
                Ok(Value::$variant(self))
            }
        }
        impl IntoLua for &$type {
            fn into_lua(self, _: &Lua) -> Result<Value> {
                Ok(Value::$variant(self.clone()))
            }
            fn push_into(self, lua: &Lua) -> Result<()> {
                let v = lua.own(&self.0)?;
                lua.try_enter(|vm| Lua::push_val(vm, v))
            }
        }
        impl FromLua for $type {
            fn from_lua(value: Value, _: &Lua) -> Result<$type> {
                match value {
                    Value::$variant(v) => Ok(v),
                    v => Err(Error::from_lua_conversion(basic_name(&v), $name, None)),
                }
            }
        }
    )*};
}
handle_conversions! {
    Table, Table, "table";
    Function, Function, "function";
    Thread, Thread, "thread";
    AnyUserData, UserData, "userdata";
}

/// The type as messages name it: integers and floats are both "number".
pub(crate) fn basic_name(v: &Value) -> &'static str {
    match v {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) => "light userdata",
        Value::Error(_) => "error",
        v => v.type_name(),
    }
}

impl IntoLua for LuaString {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(Value::String(self))
    }
}
impl IntoLua for &LuaString {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(Value::String(self.clone()))
    }
}
impl FromLua for LuaString {
    fn from_lua(value: Value, lua: &Lua) -> Result<LuaString> {
        let from = basic_name(&value);
        lua.coerce_string(value)?
            .ok_or_else(|| Error::from_lua_conversion(from, "string", None))
    }
    fn from_arg(args: &Args<'_>, i: usize) -> Result<LuaString> {
        let v = args.val(i)?;
        if v.as_str().is_some() {
            return args.lua.enter(|vm| LuaString(args.lua.handle(vm, v)));
        }
        Self::from_lua(args.value(i)?, args.lua)
    }
}

impl IntoLua for LightUserData {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(Value::LightUserData(self))
    }
}
impl FromLua for LightUserData {
    fn from_lua(value: Value, _: &Lua) -> Result<LightUserData> {
        match value {
            Value::LightUserData(p) => Ok(p),
            v => Err(Error::from_lua_conversion(
                basic_name(&v),
                "light userdata",
                None,
            )),
        }
    }
}

impl IntoLua for Error {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(Value::Error(Box::new(self)))
    }
}
impl FromLua for Error {
    fn from_lua(value: Value, _: &Lua) -> Result<Error> {
        match value {
            Value::Error(e) => Ok(*e),
            v => Ok(Error::RuntimeError(v.to_string()?)),
        }
    }
}

impl<T: UserData> IntoLua for T {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_userdata(self).map(Value::UserData)
    }
}

impl<T: 'static> FromLua for UserDataRef<T> {
    fn from_lua(value: Value, _: &Lua) -> Result<UserDataRef<T>> {
        match value {
            Value::UserData(u) => u.borrow::<T>(),
            v => Err(Error::from_lua_conversion(basic_name(&v), "userdata", None)),
        }
    }
}
impl<T: 'static> FromLua for UserDataRefMut<T> {
    fn from_lua(value: Value, _: &Lua) -> Result<UserDataRefMut<T>> {
        match value {
            Value::UserData(u) => u.borrow_mut::<T>(),
            v => Err(Error::from_lua_conversion(basic_name(&v), "userdata", None)),
        }
    }
}
