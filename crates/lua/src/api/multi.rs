//! Sequences of values: arguments and results.

use super::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
use super::error::Result;
use super::state::Lua;
use super::value::{Args, Value};
use std::collections::VecDeque;
use std::collections::vec_deque;
use std::ops::{Deref, DerefMut};

/// Any number of values.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let all: LuaMultiValue = lua.load("return 1, nil, 'x'").eval()?;
/// assert_eq!(all.len(), 3);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiValue(VecDeque<Value>);

impl MultiValue {
    /// No value.
    pub const fn new() -> MultiValue {
        MultiValue(VecDeque::new())
    }
    /// No value yet, with room for so many.
    pub fn with_capacity(n: usize) -> MultiValue {
        MultiValue(VecDeque::with_capacity(n))
    }
    /// These values.
    pub fn from_vec(values: Vec<Value>) -> MultiValue {
        MultiValue(values.into())
    }
    /// The values.
    pub fn into_vec(self) -> Vec<Value> {
        self.0.into()
    }
}

impl Deref for MultiValue {
    type Target = VecDeque<Value>;
    fn deref(&self) -> &VecDeque<Value> {
        &self.0
    }
}
impl DerefMut for MultiValue {
    fn deref_mut(&mut self) -> &mut VecDeque<Value> {
        &mut self.0
    }
}
impl IntoIterator for MultiValue {
    type Item = Value;
    type IntoIter = vec_deque::IntoIter<Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl<'a> IntoIterator for &'a MultiValue {
    type Item = &'a Value;
    type IntoIter = vec_deque::Iter<'a, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
impl FromIterator<Value> for MultiValue {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> MultiValue {
        MultiValue(values.into_iter().collect())
    }
}
impl From<Vec<Value>> for MultiValue {
    fn from(values: Vec<Value>) -> MultiValue {
        MultiValue(values.into())
    }
}

impl IntoLuaMulti for MultiValue {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(self)
    }
    fn as_values(&self) -> Option<&MultiValue> {
        Some(self)
    }
}
impl IntoLuaMulti for &MultiValue {
    fn into_lua_multi(self, _: &Lua) -> Result<MultiValue> {
        Ok(self.clone())
    }
}
impl FromLuaMulti for MultiValue {
    fn from_lua_multi(values: MultiValue, _: &Lua) -> Result<MultiValue> {
        Ok(values)
    }
}

/// Any number of arguments or results of one type.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let sum = lua.create_function(|_, numbers: LuaVariadic<i64>| Ok(numbers.iter().sum::<i64>()))?;
/// assert_eq!(sum.call::<i64>((1, 2, 3))?, 6);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variadic<T>(Vec<T>);

impl<T> Variadic<T> {
    /// None.
    pub const fn new() -> Variadic<T> {
        Variadic(Vec::new())
    }
    /// None yet, with room for so many.
    pub fn with_capacity(n: usize) -> Variadic<T> {
        Variadic(Vec::with_capacity(n))
    }
}
impl<T> Deref for Variadic<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}
impl<T> DerefMut for Variadic<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}
impl<T> From<Vec<T>> for Variadic<T> {
    fn from(v: Vec<T>) -> Variadic<T> {
        Variadic(v)
    }
}
impl<T> From<Variadic<T>> for Vec<T> {
    fn from(v: Variadic<T>) -> Vec<T> {
        v.0
    }
}
impl<T> FromIterator<T> for Variadic<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Variadic<T> {
        Variadic(values.into_iter().collect())
    }
}
impl<T> IntoIterator for Variadic<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl<T: IntoLua> IntoLuaMulti for Variadic<T> {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        self.0.into_iter().map(|v| v.into_lua(lua)).collect()
    }
}
impl<T: FromLua> FromLuaMulti for Variadic<T> {
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<Variadic<T>> {
        let mut all = Vec::with_capacity(values.len());
        for (i, v) in values.into_iter().enumerate() {
            all.push(T::from_lua(v, lua).map_err(|e| e.at_argument(i + 1))?);
        }
        Ok(Variadic(all))
    }
    fn from_args(args: &Args<'_>, first: usize) -> Result<Variadic<T>> {
        let count = args.count_from(first);
        let mut all = Vec::with_capacity(count);
        for i in 0..count {
            all.push(T::from_arg(args, first + i).map_err(|e| e.at_argument(i + 1))?);
        }
        Ok(Variadic(all))
    }
}
