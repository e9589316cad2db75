//! `kv`: the app's small store, shared by its workers.
//!
//! ```lua
//! kv.get(key)              --> value or nil
//! kv.set(key, value)       --> true, or nil and a message when the store is full; nil deletes
//! kv.add(key, value)       --> true if it was not there, false if it was
//! kv.delete(key)           --> whether it was there
//! kv.incr(key [, by])      --> the new integer; it starts at 0
//! kv.list([prefix [, max [, after]]]) --> {{key=, value=}, ...} in the order of the keys
//! ```
//! Keys are strings; values strings, numbers and booleans: a table goes through `json.encode`. The
//! store lives as long as the process.

use crate::app::App;
use crate::kv::{KvError, KvValue};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};
use std::sync::Arc;

/// The most entries `kv.list` returns at once, and how many when it is not told.
const MAX_LIST: i64 = 10_000;
const DEFAULT_LIST: i64 = 1_000;

pub(super) fn module(lua: &Lua, app: &Arc<App>) -> Result<Table> {
    let module = lua.create_table()?;
    let store = app.clone();
    module.raw_set(
        "get",
        lua.create_function(move |lua, key: LuaString| to_lua(lua, store.kv.get(&key.as_bytes())))?,
    )?;
    let store = app.clone();
    module.raw_set(
        "set",
        lua.create_function(move |lua, (key, value): (LuaString, Value)| {
            match from_lua("set", value)? {
                Some(value) => answer(
                    lua,
                    store
                        .kv
                        .set(&key.as_bytes(), value)
                        .map(|()| Value::Boolean(true)),
                ),
                None => Ok(MultiValue::from_vec(vec![Value::Boolean(
                    store.kv.delete(&key.as_bytes()),
                )])),
            }
        })?,
    )?;
    let store = app.clone();
    module.raw_set(
        "add",
        lua.create_function(move |lua, (key, value): (LuaString, Value)| {
            match from_lua("add", value)? {
                Some(value) => answer(
                    lua,
                    store.kv.add(&key.as_bytes(), value).map(Value::Boolean),
                ),
                None => Err(Error::runtime("bad argument #2 to 'add' (value expected)")),
            }
        })?,
    )?;
    let store = app.clone();
    module.raw_set(
        "delete",
        lua.create_function(move |_, key: LuaString| Ok(store.kv.delete(&key.as_bytes())))?,
    )?;
    let store = app.clone();
    module.raw_set(
        "incr",
        lua.create_function(move |lua, (key, by): (LuaString, Option<i64>)| {
            answer(
                lua,
                store
                    .kv
                    .incr(&key.as_bytes(), by.unwrap_or(1))
                    .map(Value::Integer),
            )
        })?,
    )?;
    let store = app.clone();
    module.raw_set(
        "list",
        lua.create_function(move |lua, (prefix, max, after): (Option<LuaString>, Option<i64>, Option<LuaString>)| {
            let max = max.unwrap_or(DEFAULT_LIST).clamp(0, MAX_LIST) as usize;
            let prefix = prefix.as_ref().map(|prefix| prefix.as_bytes());
            let after = after.as_ref().map(|after| after.as_bytes());
            let list = lua.create_table()?;
            let entries = store.kv.list(prefix.as_deref().unwrap_or_default(), after.as_deref(), max);
            for (at, (key, value)) in (1i64..).zip(entries) {
                let entry = lua.create_table()?;
                entry.raw_set("key", lua.create_string(key)?)?;
                entry.raw_set("value", to_lua(lua, Some(value))?)?;
                list.raw_set(at, entry)?;
            }
            Ok(list)
        })?,
    )?;
    Ok(module)
}

fn to_lua(lua: &Lua, value: Option<KvValue>) -> Result<Value> {
    Ok(match value {
        None => Value::Nil,
        Some(KvValue::Boolean(value)) => Value::Boolean(value),
        Some(KvValue::Integer(value)) => Value::Integer(value),
        Some(KvValue::Number(value)) => Value::Number(value),
        Some(KvValue::Bytes(value)) => Value::String(lua.create_string(value)?),
    })
}

/// `None` for nil.
fn from_lua(function: &str, value: Value) -> Result<Option<KvValue>> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Boolean(value) => KvValue::Boolean(value),
        Value::Integer(value) => KvValue::Integer(value),
        Value::Number(value) => KvValue::Number(value),
        Value::String(value) => KvValue::Bytes(value.as_bytes()[..].into()),
        other => {
            return Err(Error::runtime(format!(
                "bad argument #2 to '{function}' (string, number or boolean expected, got {}; json.encode a table)",
                other.type_name()
            )));
        }
    }))
}

fn answer(lua: &Lua, result: std::result::Result<Value, KvError>) -> Result<MultiValue> {
    Ok(MultiValue::from_vec(match result {
        Ok(value) => vec![value],
        Err(error) => vec![
            Value::Nil,
            Value::String(lua.create_string(error.to_string())?),
        ],
    }))
}
