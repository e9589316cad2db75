//! `cache`: what the app's workers share in memory, for as long as the process lives.
//!
//! ```lua
//! cache.get(key)                              --> value or nil
//! cache.set(key, value [, ttl])               --> true; a nil value deletes
//! cache.add(key, value [, ttl])               --> true; false if there is a value
//! cache.delete(key)                           --> whether there was one
//! cache.incr(key [, by [, initial [, ttl]]])  --> the sum; `by` is 1, `initial` 0 if not given. Integers too large become floats
//! cache.cas(key, old, new [, ttl])            --> true; false if the value is not `old` (by `==`; nil: no value). A nil `new` deletes
//! cache.ttl(key)                              --> seconds left, 0 for ever; nil and "not found"
//! cache.clear()
//! ```
//! As `kv`, but nothing waits and nothing lasts: when `limits.cache` is used up, what was not used for the longest time makes room. So there is
//! nothing to list, and what is not there may be made again. What cannot be done gives nil and why: "empty key", "key too long",
//! "value too long", "no memory", "not a number". A key has up to 65535 bytes, a value up to 1 MiB.
//!
//! **Invariant:** each function is one step for all workers.

use super::kept::{Argument, Codec, Given as Arg, bad_argument, charge, no, one, ttl_ms};
use super::kv::number;
use crate::app::App;
use crate::dict::{Amount, Dict, DictError, DictValue, Given, Record, now_ms};
use crate::kv::KvValue;
use crate::task::Tasks;
use rille_lua::{Lua, LuaString, MultiValue, Result, Table, Value};
use std::rc::Rc;
use std::sync::Arc;

/// The flags of bytes that are a table.
const DATA: i32 = 1;

/// What the functions share.
#[derive(Clone)]
struct Cache {
    app: Arc<App>,
    codec: Codec,
}

pub(super) fn module(lua: &Lua, app: &Arc<App>, tasks: &Rc<Tasks>) -> Result<Table> {
    let cache = Cache {
        app: app.clone(),
        codec: Codec::of(tasks),
    };
    let module = lua.create_table()?;
    let this = cache.clone();
    let get = move |lua: &Lua, key: LuaString| match this.dict().get(&key.as_bytes(), now_ms()) {
        Ok(None) => one(Value::Nil),
        Ok(Some(record)) => one(this.value(lua, &record)?),
        Err(error) => no(lua, error),
    };
    module.raw_set("get", lua.create_function(get)?)?;
    let this = cache.clone();
    let ttl = move |lua: &Lua, key: LuaString| {
        let (dict, key, now) = (this.dict(), &key.as_bytes()[..], now_ms());
        let left = match dict.get(key, now) {
            Ok(None) => Err(DictError::NotFound),
            Ok(Some(_)) => dict.ttl(key, now),
            Err(error) => Err(error),
        };
        match left {
            Ok(ms) => one(Value::Number(ms.max(0) as f64 / 1000.0)),
            Err(error) => no(lua, error),
        }
    };
    module.raw_set("ttl", lua.create_function(ttl)?)?;
    add_puts(lua, &module, &cache)?;
    let this = cache.clone();
    let delete = move |lua: &Lua, key: LuaString| {
        this.put(lua, &key, (Value::Nil, ("delete", 2)), 0, |found| {
            found.is_some()
        })
    };
    module.raw_set("delete", lua.create_function(delete)?)?;
    let clear = move |_: &Lua, ()| {
        cache.dict().flush_all(now_ms());
        Ok(())
    };
    module.raw_set("clear", lua.create_function(clear)?)?;
    Ok(module)
}

fn add_puts(lua: &Lua, module: &Table, cache: &Cache) -> Result<()> {
    type Put = (LuaString, Value, Option<f64>);
    let this = cache.clone();
    let set = move |lua: &Lua, (key, value, ttl): Put| {
        let is_removal = value.is_nil();
        // As `delete`: whether there was one.
        let test = |found: Option<&Record>| !is_removal || found.is_some();
        this.put(
            lua,
            &key,
            (value, ("set", 2)),
            ttl_ms(ttl, ("set", 3))?,
            test,
        )
    };
    module.raw_set("set", lua.create_function(set)?)?;
    let this = cache.clone();
    let add = move |lua: &Lua, (key, value, ttl): Put| {
        if value.is_nil() {
            return Err(bad_argument("add", 2, "value expected"));
        }
        this.put(
            lua,
            &key,
            (value, ("add", 2)),
            ttl_ms(ttl, ("add", 3))?,
            |found| found.is_none(),
        )
    };
    module.raw_set("add", lua.create_function(add)?)?;
    let this = cache.clone();
    type Swap = (LuaString, Value, Value, Option<f64>);
    let cas = move |lua: &Lua, (key, old, new, ttl): Swap| {
        let ttl_ms = ttl_ms(ttl, ("cas", 4))?;
        let old = match this.codec.given(lua, old, ("cas", 2))? {
            Ok(Arg::Data(..)) => {
                return Err(bad_argument("cas", 2, "a table is never the same"));
            }
            Ok(old) => this.codec.encode(&old, ("cas", 2))?,
            // What is too long is no value of any key.
            Err(_) => return one(Value::Boolean(false)),
        };
        let test = |found: Option<&Record>| match (found, &old) {
            (Some(found), Some(old)) => is_value(found, old),
            (found, old) => found.is_none() && old.is_none(),
        };
        this.put(lua, &key, (new, ("cas", 3)), ttl_ms, test)
    };
    module.raw_set("cas", lua.create_function(cas)?)?;
    let this = cache.clone();
    type Sum = (LuaString, Value, Value, Option<f64>);
    let incr = move |lua: &Lua, (key, by, initial, ttl): Sum| {
        let (by, initial) = (
            number(lua, by, ("incr", 2), 1)?,
            number(lua, initial, ("incr", 3), 0)?,
        );
        this.incr(lua, &key, &by, &initial, ttl_ms(ttl, ("incr", 4))?)
    };
    module.raw_set("incr", lua.create_function(incr)?)
}

/// Whether an entry has this value, as `==` says it.
fn is_value(found: &Record, value: &KvValue) -> bool {
    match (&found.value, value) {
        (DictValue::Bytes(a), KvValue::Bytes(b)) => found.flags != DATA && **a == **b,
        (DictValue::Bytes(_), _) => false,
        (DictValue::Boolean(a), _) => KvValue::Boolean(*a).equals(value),
        (DictValue::Integer(a), _) => KvValue::Integer(*a).equals(value),
        (DictValue::Number(a), _) => KvValue::Number(*a).equals(value),
    }
}

/// A value as the dictionary takes it, with its flags.
fn given(value: &KvValue) -> (Given<'_>, i32) {
    match value {
        KvValue::Boolean(value) => (Given::Boolean(*value), 0),
        KvValue::Integer(value) => (Given::Integer(*value), 0),
        KvValue::Number(value) => (Given::Number(*value), 0),
        KvValue::Bytes(bytes) => (Given::Bytes(bytes), 0),
        KvValue::Data(bytes) => (Given::Bytes(bytes), DATA),
    }
}

impl Cache {
    fn dict(&self) -> &Dict {
        &self.app.cache
    }

    fn value(&self, lua: &Lua, record: &Record) -> Result<Value> {
        Ok(match &record.value {
            DictValue::Boolean(value) => Value::Boolean(*value),
            DictValue::Integer(value) => Value::Integer(*value),
            DictValue::Number(value) => Value::Number(*value),
            DictValue::Bytes(bytes) if record.flags == DATA => self.codec.table(lua, bytes)?,
            DictValue::Bytes(bytes) => {
                charge(lua, bytes.len());
                Value::String(lua.create_string(&**bytes)?)
            }
        })
    }

    /// Stores or, for nil, removes if `test` says so.
    fn put(
        &self,
        lua: &Lua,
        key: &LuaString,
        (value, argument): (Value, Argument),
        ttl_ms: u64,
        test: impl FnOnce(Option<&Record>) -> bool,
    ) -> Result<MultiValue> {
        let value = match self.codec.given(lua, value, argument)? {
            Ok(value) => self.codec.encode(&value, argument)?,
            Err(error) => return no(lua, error),
        };
        let (value, flags) = match value.as_ref().map(given) {
            Some((value, flags)) => (Some(value), flags),
            None => (None, 0),
        };
        let swapped = self
            .dict()
            .swap(&key.as_bytes(), test, value, ttl_ms, flags, now_ms());
        match swapped {
            Ok(done) => one(Value::Boolean(done)),
            Err(error) => no(lua, error),
        }
    }

    fn incr(
        &self,
        lua: &Lua,
        key: &LuaString,
        by: &KvValue,
        initial: &KvValue,
        ttl_ms: u64,
    ) -> Result<MultiValue> {
        let (Some(by), Some(initial)) = (amount(by), amount(initial)) else {
            return no(lua, DictError::NotANumber);
        };
        let init = Some((initial, ttl_ms));
        match self.dict().incr(&key.as_bytes(), by, init, now_ms()).0 {
            Ok(Amount::Integer(sum)) => one(Value::Integer(sum)),
            Ok(Amount::Number(sum)) => one(Value::Number(sum)),
            Err(error) => no(lua, error),
        }
    }
}

fn amount(value: &KvValue) -> Option<Amount> {
    match value {
        KvValue::Integer(value) => Some(Amount::Integer(*value)),
        KvValue::Number(value) => Some(Amount::Number(*value)),
        _ => None,
    }
}
