//! Conversions of the standard library's types: numbers with range checks, text, options, collections, tuples.

use super::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, basic_name};
use super::error::{Error, Result};
use super::multi::MultiValue;
use super::state::Lua;
use super::value::{Args, Value};
use crate::number::float_to_int;
use crate::value::Val;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

// ---- booleans and numbers ----

impl IntoLua for bool {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        Ok(Value::Boolean(self))
    }
    fn push_into(self, lua: &Lua) -> Result<()> {
        lua.try_enter(|vm| Lua::push_val(vm, Val::bool(self)))
    }
}
impl FromLua for bool {
    /// Everything but nil and false is true, as in a condition.
    fn from_lua(value: Value, _: &Lua) -> Result<bool> {
        Ok(!matches!(value, Value::Nil | Value::Boolean(false)))
    }
    fn from_arg(args: &Args<'_>, i: usize) -> Result<bool> {
        args.val(i).map(Val::truthy)
    }
}

/// The integer that a value is or converts to without loss, as Lua's own functions take their arguments.
fn integer_of(value: &Value) -> Result<i64> {
    let converted = match value {
        Value::Integer(i) => return Ok(*i),
        Value::Number(n) => float_to_int(*n),
        Value::String(s) => match crate::number::parse(&s.as_bytes()) {
            Some(crate::number::Number::Int(i)) => Some(i),
            Some(crate::number::Number::Float(f)) => float_to_int(f),
            None => return Err(Error::from_lua_conversion("string", "number", None)),
        },
        v => return Err(Error::from_lua_conversion(basic_name(v), "number", None)),
    };
    converted.ok_or_else(|| {
        Error::from_lua_conversion(
            basic_name(value),
            "integer",
            Some("number has no integer representation"),
        )
    })
}

fn float_of(value: &Value) -> Result<f64> {
    match value {
        Value::Integer(i) => Ok(*i as f64),
        Value::Number(n) => Ok(*n),
        Value::String(s) => match crate::number::parse(&s.as_bytes()) {
            Some(n) => Ok(n.to_f64()),
            None => Err(Error::from_lua_conversion("string", "number", None)),
        },
        v => Err(Error::from_lua_conversion(basic_name(v), "number", None)),
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl IntoLua for $type {
            /// Numbers that no Lua integer can hold become floats.
            fn into_lua(self, _: &Lua) -> Result<Value> {
                Ok(i64::try_from(self).map_or_else(|_| Value::Number(self as f64), Value::Integer))
            }
            fn push_into(self, lua: &Lua) -> Result<()> {
                let v = i64::try_from(self).map_or_else(|_| Val::float(self as f64), Val::int);
                lua.try_enter(|vm| Lua::push_val(vm, v))
            }
        }
        impl FromLua for $type {
            fn from_lua(value: Value, _: &Lua) -> Result<$type> {
                // A float beyond i64 may still fit the wider types.
                if let Value::Number(n) = value
                    && n.fract() == 0.0
                    && float_to_int(n).is_none()
                    && n >= $type::MIN as f64
                    && n < $type::MAX as f64
                {
                    return Ok(n as $type);
                }
                let i = integer_of(&value)?;
                $type::try_from(i).map_err(|_| {
                    Error::from_lua_conversion(basic_name(&value), stringify!($type), Some("number out of range"))
                })
            }
            fn from_arg(args: &Args<'_>, i: usize) -> Result<$type> {
                if let Some(n) = args.val(i)?.as_int()
                    && let Ok(n) = $type::try_from(n)
                {
                    return Ok(n);
                }
                Self::from_lua(args.value(i)?, args.lua)
            }
        }
    )*};
}
integers! { i8 u8 i16 u16 i32 u32 i64 u64 i128 u128 isize usize }

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, _: &Lua) -> Result<Value> {
                Ok(Value::Number(self as f64))
            }
            fn push_into(self, lua: &Lua) -> Result<()> {
                lua.try_enter(|vm| Lua::push_val(vm, Val::float(self as f64)))
            }
        }
        impl FromLua for $type {
            fn from_lua(value: Value, _: &Lua) -> Result<$type> {
                float_of(&value).map(|n| n as $type)
            }
            fn from_arg(args: &Args<'_>, i: usize) -> Result<$type> {
                match args.val(i)?.as_number() {
                    Some(n) => Ok(n as $type),
                    None => Self::from_lua(args.value(i)?, args.lua),
                }
            }
        }
    )*};
}
floats! { f32 f64 }

// ---- text ----

impl IntoLua for &str {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_string(self).map(Value::String)
    }
    fn push_into(self, lua: &Lua) -> Result<()> {
        lua.push_bytes(self.as_bytes())
    }
}

macro_rules! text {
    ($($type:ty)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, lua: &Lua) -> Result<Value> {
                lua.create_string(self.as_bytes()).map(Value::String)
            }
            fn push_into(self, lua: &Lua) -> Result<()> {
                lua.push_bytes(self.as_bytes())
            }
        }
    )*};
}
text! { String &String Box<str> Cow<'_, str> }

impl FromLua for String {
    /// Strings must be UTF-8; numbers are converted.
    fn from_lua(value: Value, lua: &Lua) -> Result<String> {
        let from = basic_name(&value);
        match lua.coerce_string(value)? {
            Some(s) => Ok(s.to_str()?.to_owned()),
            None => Err(Error::from_lua_conversion(from, "string", None)),
        }
    }
    fn from_arg(args: &Args<'_>, i: usize) -> Result<String> {
        // The text is copied where it lies; what is no text goes the way that knows the messages.
        let text = args
            .val(i)?
            .as_str()
            .map(|s| std::str::from_utf8(s.as_bytes()));
        match text {
            Some(Ok(text)) => Ok(text.to_owned()),
            _ => Self::from_lua(args.value(i)?, args.lua),
        }
    }
}
impl FromLua for Box<str> {
    fn from_lua(value: Value, lua: &Lua) -> Result<Box<str>> {
        String::from_lua(value, lua).map(Into::into)
    }
}
impl FromLua for char {
    fn from_lua(value: Value, lua: &Lua) -> Result<char> {
        let text = String::from_lua(value, lua)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(Error::from_lua_conversion(
                "string",
                "char",
                Some("one character expected"),
            )),
        }
    }
}
impl IntoLua for char {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        (&*self.encode_utf8(&mut [0; 4])).into_lua(lua)
    }
}
impl IntoLua for std::path::PathBuf {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_string(self.as_os_str().as_encoded_bytes())
            .map(Value::String)
    }
}
impl FromLua for std::path::PathBuf {
    fn from_lua(value: Value, lua: &Lua) -> Result<std::path::PathBuf> {
        String::from_lua(value, lua).map(Into::into)
    }
}

// ---- nothing, perhaps something ----

impl<T: IntoLua> IntoLua for Option<T> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        self.map_or(Ok(Value::Nil), |v| v.into_lua(lua))
    }
    fn push_into(self, lua: &Lua) -> Result<()> {
        match self {
            Some(v) => v.push_into(lua),
            None => lua.try_enter(|vm| Lua::push_val(vm, Val::NIL)),
        }
    }
}
impl<T: FromLua> FromLua for Option<T> {
    fn from_lua(value: Value, lua: &Lua) -> Result<Option<T>> {
        if value.is_nil() {
            Ok(None)
        } else {
            T::from_lua(value, lua).map(Some)
        }
    }
    fn from_arg(args: &Args<'_>, i: usize) -> Result<Option<T>> {
        if args.val(i)?.is_nil() {
            Ok(None)
        } else {
            T::from_arg(args, i).map(Some)
        }
    }
}

// ---- sequences ----

impl<T: IntoLua> IntoLua for Vec<T> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_sequence_from(self).map(Value::Table)
    }
}
impl<T: IntoLua + Clone> IntoLua for &[T] {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_sequence_from(self.iter().cloned())
            .map(Value::Table)
    }
}
impl<T: IntoLua> IntoLua for Box<[T]> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_sequence_from(self.into_vec()).map(Value::Table)
    }
}
impl<T: IntoLua, const N: usize> IntoLua for [T; N] {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_sequence_from(self).map(Value::Table)
    }
}
impl<T: FromLua> FromLua for Vec<T> {
    fn from_lua(value: Value, lua: &Lua) -> Result<Vec<T>> {
        super::table::Table::from_lua(value, lua)?
            .sequence_values()
            .collect()
    }
}
impl<T: FromLua> FromLua for Box<[T]> {
    fn from_lua(value: Value, lua: &Lua) -> Result<Box<[T]>> {
        Vec::from_lua(value, lua).map(Vec::into_boxed_slice)
    }
}
impl<T: FromLua, const N: usize> FromLua for [T; N] {
    fn from_lua(value: Value, lua: &Lua) -> Result<[T; N]> {
        let all = Vec::<T>::from_lua(value, lua)?;
        let found = all.len();
        all.try_into().map_err(|_| {
            Error::from_lua_conversion(
                "table",
                "array",
                Some(&format!("{N} elements expected, got {found}")),
            )
        })
    }
}

// ---- maps and sets ----

impl<K: IntoLua + Eq + Hash, V: IntoLua, S: BuildHasher> IntoLua for HashMap<K, V, S> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self).map(Value::Table)
    }
}
impl<K: FromLua + Eq + Hash, V: FromLua, S: BuildHasher + Default> FromLua for HashMap<K, V, S> {
    fn from_lua(value: Value, lua: &Lua) -> Result<HashMap<K, V, S>> {
        super::table::Table::from_lua(value, lua)?.pairs().collect()
    }
}
impl<K: IntoLua + Ord, V: IntoLua> IntoLua for BTreeMap<K, V> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self).map(Value::Table)
    }
}
impl<K: FromLua + Ord, V: FromLua> FromLua for BTreeMap<K, V> {
    fn from_lua(value: Value, lua: &Lua) -> Result<BTreeMap<K, V>> {
        super::table::Table::from_lua(value, lua)?.pairs().collect()
    }
}

/// A set is a table with its elements as keys; a sequence is understood too.
fn set_elements<T: FromLua, C: FromIterator<T>>(value: Value, lua: &Lua) -> Result<C> {
    let t = super::table::Table::from_lua(value, lua)?;
    if t.raw_len() > 0 {
        return t.sequence_values().collect();
    }
    t.pairs::<T, Value>()
        .map(|pair| pair.map(|(k, _)| k))
        .collect()
}
impl<T: IntoLua + Eq + Hash, S: BuildHasher> IntoLua for HashSet<T, S> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self.into_iter().map(|v| (v, true)))
            .map(Value::Table)
    }
}
impl<T: FromLua + Eq + Hash, S: BuildHasher + Default> FromLua for HashSet<T, S> {
    fn from_lua(value: Value, lua: &Lua) -> Result<HashSet<T, S>> {
        set_elements(value, lua)
    }
}
impl<T: IntoLua + Ord> IntoLua for BTreeSet<T> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self.into_iter().map(|v| (v, true)))
            .map(Value::Table)
    }
}
impl<T: FromLua + Ord> FromLua for BTreeSet<T> {
    fn from_lua(value: Value, lua: &Lua) -> Result<BTreeSet<T>> {
        set_elements(value, lua)
    }
}

// ---- tuples: several arguments or results, the last of which may be several itself ----

impl IntoLuaMulti for () {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(MultiValue::new())
    }
    fn push_all(self, _: &Lua) -> Result<u32> {
        Ok(0)
    }
}
impl FromLuaMulti for () {
    fn from_lua_multi(_: MultiValue, _: &Lua) -> Result<()> {
        Ok(())
    }
    fn from_args(_: &Args<'_>, _: usize) -> Result<()> {
        Ok(())
    }
}

macro_rules! tuples {
    ($last:ident $($name:ident)*) => {
        impl<$($name: IntoLua,)* $last: IntoLuaMulti> IntoLuaMulti for ($($name,)* $last,) {
            #[allow(non_snake_case, unused_mut)]
            fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
                let ($($name,)* $last,) = self;
                let mut all = MultiValue::new();
                $(all.push_back($name.into_lua(lua)?);)*
                let mut rest = $last.into_lua_multi(lua)?;
                if all.is_empty() {
                    return Ok(rest);
                }
                all.append(&mut rest);
                Ok(all)
            }
            #[allow(non_snake_case, unused_mut)]
            fn push_all(self, lua: &Lua) -> Result<u32> {
                let ($($name,)* $last,) = self;
                let mut n = 0;
                $(
                    $name.push_into(lua)?;
                    n += 1;
                )*
                Ok(n + $last.push_all(lua)?)
            }
        }
        impl<$($name: FromLua,)* $last: FromLuaMulti> FromLuaMulti for ($($name,)* $last,) {
            #[allow(non_snake_case, unused_mut, unused_variables, unused_assignments)]
            fn from_lua_multi(mut values: MultiValue, lua: &Lua) -> Result<Self> {
                let mut i = 0;
                $(
                    i += 1;
                    let $name = FromLua::from_lua(values.pop_front().unwrap_or_default(), lua)
                        .map_err(|e: Error| e.at_argument(i))?;
                )*
                let $last = FromLuaMulti::from_lua_multi(values, lua)?;
                Ok(($($name,)* $last,))
            }
            #[allow(non_snake_case, unused_mut)]
            fn from_args(args: &Args<'_>, first: usize) -> Result<Self> {
                let mut i = first;
                $(
                    let $name = FromLua::from_arg(args, i).map_err(|e: Error| e.at_argument(i + 1))?;
                    i += 1;
                )*
                let $last = FromLuaMulti::from_args(args, i)?;
                Ok(($($name,)* $last,))
            }
        }
    };
}
tuples!(A);
tuples!(B A);
tuples!(C A B);
tuples!(D A B C);
tuples!(E A B C D);
tuples!(F A B C D E);
tuples!(G A B C D E F);
tuples!(H A B C D E F G);
tuples!(I A B C D E F G H);
tuples!(J A B C D E F G H I);
tuples!(K A B C D E F G H I J);
tuples!(L A B C D E F G H I J K);
