//! `ngx.shared`: the app's dictionaries (`shared_dicts` in the manifest).
//!
//! ```lua
//! local d = ngx.shared.cache           --> nil if the manifest names no such dictionary
//! d:get(key)                           --> value, flags     (flags if there are any)
//! d:get_stale(key)                     --> value, flags, stale
//! d:set(key, value [, ttl [, flags]])  --> ok, err, forcible; so do safe_set, add, safe_add, replace
//! d:delete(key)
//! d:incr(key, by [, init [, ttl]])     --> value, err, forcible
//! d:lpush(key, value)  d:rpush(key, value)  d:lpop(key)  d:rpop(key)  d:llen(key)
//! d:ttl(key)  d:expire(key, ttl)       seconds, to the millisecond; 0 is for ever
//! d:get_keys([max])                    --> up to 1024 keys; 0: all
//! d:flush_all()  d:flush_expired([max])  d:capacity()  d:free_space()
//! ```
//! As in lua-nginx-module a dictionary is a table whose element 1 stands for the memory; methods are found through its
//! metatable, so `d.get(d, key)` is `d:get(key)`.
//!
//! **Invariant:** all tables here are read-only, since all requests share them. What takes long, `get_keys` and
//! `flush_expired`, is a loop in Lua around a bounded step, so that it is preempted and charged like other code.

use crate::answer::{no, type_name};
use crate::text::at_argument;
use rille_lua::{
    Error, FromLua, Lua, LuaString, MultiValue, Result, Table, UserData, UserDataRef, Value,
    Variadic,
};
use rille_runtime::dict::{
    Amount, Dict, DictError, DictValue, Given, Item, Mode, Record, SharedBytes, Side, now_ms,
};
use rille_runtime::vm::AppVm;
use std::rc::Rc;
use std::sync::Arc;

const PRELUDE: &str = include_str!("shared.lua");

/// What `get_keys` returns when it is not told.
const DEFAULT_KEYS: i64 = 1024;

/// The dictionary of a table in `ngx.shared`: its element 1.
pub(crate) struct Zone(pub(crate) Arc<Dict>);

impl UserData for Zone {}

/// The table of all dictionaries.
pub(super) fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let shared = lua.create_table()?;
    let dicts = &vm.app().dicts;
    if !dicts.is_empty() {
        let meta = lua.create_table()?;
        meta.raw_set("__index", methods(lua)?)?;
        meta.freeze()?;
        for (name, dict) in dicts {
            let table = lua.create_table()?;
            table.raw_set(1, Zone(dict.clone()))?;
            table.set_metatable(Some(meta.clone()))?;
            table.freeze()?;
            shared.raw_set(name.as_str(), table)?;
        }
    }
    shared.freeze()?;
    Ok(shared)
}

fn methods(lua: &Lua) -> Result<Table> {
    let methods = lua.create_table()?;
    methods.raw_set("get", lua.create_function(get)?)?;
    methods.raw_set("get_stale", lua.create_function(get_stale)?)?;
    for (name, mode) in [
        ("set", Mode::Set),
        ("safe_set", Mode::SafeSet),
        ("add", Mode::Add),
        ("safe_add", Mode::SafeAdd),
        ("replace", Mode::Replace),
    ] {
        let store = move |lua: &Lua, arguments| store(lua, mode, arguments);
        methods.raw_set(name, lua.create_function(store)?)?;
    }
    methods.raw_set("delete", lua.create_function(delete)?)?;
    methods.raw_set("incr", lua.create_function(incr)?)?;
    for (name, side) in [("lpush", Side::Left), ("rpush", Side::Right)] {
        let push = move |lua: &Lua, arguments| push(lua, side, arguments);
        methods.raw_set(name, lua.create_function(push)?)?;
    }
    for (name, side) in [("lpop", Side::Left), ("rpop", Side::Right)] {
        let pop = move |lua: &Lua, arguments| pop(lua, side, arguments);
        methods.raw_set(name, lua.create_function(pop)?)?;
    }
    methods.raw_set("llen", lua.create_function(llen)?)?;
    methods.raw_set("ttl", lua.create_function(ttl)?)?;
    methods.raw_set("expire", lua.create_function(expire)?)?;
    methods.raw_set("flush_all", lua.create_function(flush_all)?)?;
    let capacity = |_: &Lua, zone: Value| Ok(borrow(&zone)?.0.capacity());
    methods.raw_set("capacity", lua.create_function(capacity)?)?;
    let free_space = |_: &Lua, zone: Value| Ok(borrow(&zone)?.0.free_space());
    methods.raw_set("free_space", lua.create_function(free_space)?)?;
    add_sweeps(lua, &methods)?;
    methods.freeze()?;
    Ok(methods)
}

/// `get_keys` and `flush_expired`.
fn add_sweeps(lua: &Lua, methods: &Table) -> Result<()> {
    let tools = lua.create_table()?;
    tools.raw_set("check", lua.create_function(check_sweep)?)?;
    tools.raw_set("keys", lua.create_function(keys_step)?)?;
    tools.raw_set("flush", lua.create_function(flush_step)?)?;
    tools.raw_set("error", lua.globals().raw_get::<Value>("error")?)?;
    let prelude = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
    let (get_keys, flush_expired): (Value, Value) = prelude.call(tools)?;
    methods.raw_set("get_keys", get_keys)?;
    methods.raw_set("flush_expired", flush_expired)
}

// ---- reading and writing ----

/// The first result and the others: what has no others costs no list of them.
type Results = (Value, Variadic<Value>);

fn get(lua: &Lua, (zone, key): (Value, Value)) -> Result<Results> {
    let zone = borrow(&zone)?;
    let found = match Key::of(lua, key)? {
        Some(key) => zone.0.get(&key.bytes(), now_ms()),
        None => return Ok((Value::Nil, vec![text(lua, "nil key")?].into())),
    };
    match found {
        Ok(None) => Ok((Value::Nil, Variadic::new())),
        Ok(Some(record)) => {
            let flags = match record.flags {
                0 => Variadic::new(),
                flags => vec![Value::Integer(flags.into())].into(),
            };
            Ok((to_lua(lua, &record.value)?, flags))
        }
        Err(error) => Ok((Value::Nil, vec![text(lua, error)?].into())),
    }
}

fn get_stale(lua: &Lua, (zone, key): (Value, Value)) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    let Some(key) = Key::of(lua, key)? else {
        return no(lua, "nil key");
    };
    match zone.0.get_stale(&key.bytes(), now_ms()) {
        Ok(None) => Ok(one(Value::Nil)),
        Ok(Some(Record {
            value,
            flags,
            stale,
        })) => Ok(values([
            to_lua(lua, &value)?,
            match flags {
                0 => Value::Nil,
                flags => Value::Integer(flags.into()),
            },
            Value::Boolean(stale),
        ])),
        Err(error) => no(lua, error),
    }
}

type Store = (Value, Value, Value, Value, Value);

fn store(lua: &Lua, mode: Mode, (zone, key, value, ttl, flags): Store) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    let ttl = match given(lua, ttl, 4)? {
        Some(ttl) if ttl < 0.0 => return Err(Error::runtime("bad \"exptime\" argument")),
        ttl => millis(ttl.unwrap_or(0.0)),
    };
    // An int of C: what is larger wraps.
    let flags = given(lua, flags, 5)?.unwrap_or(0.0) as i64 as i32;
    let Some(key) = Key::of(lua, key)? else {
        return no(lua, "nil key");
    };
    let bytes;
    let value = match &value {
        Value::Nil => return store_nil(lua, &zone, mode, &key),
        Value::Boolean(value) => Given::Boolean(*value),
        Value::Integer(value) => Given::Integer(*value),
        Value::Number(value) => Given::Number(*value),
        Value::String(value) => {
            bytes = value.as_bytes();
            charge(lua, bytes.len());
            Given::Bytes(&bytes)
        }
        _ => return no(lua, "bad value type"),
    };
    let stored = zone
        .0
        .store(mode, &key.bytes(), value, ttl, flags, now_ms());
    match stored {
        (Ok(()), forcible) => Ok(stored_values(true, Value::Nil, forcible)),
        (Err(error @ (DictError::EmptyKey | DictError::KeyTooLong)), _) => no(lua, error),
        (Err(error), forcible) => Ok(stored_values(false, text(lua, error)?, forcible)),
    }
}

/// Nil deletes, where it may.
fn store_nil(lua: &Lua, zone: &Zone, mode: Mode, key: &Key) -> Result<MultiValue> {
    if let Err(error) = Dict::check_key(&key.bytes()) {
        return no(lua, error);
    }
    if !matches!(mode, Mode::Set | Mode::SafeSet) {
        let error = text(lua, "attempt to add or replace nil values")?;
        return Ok(stored_values(false, error, false));
    }
    match zone.0.delete(&key.bytes(), now_ms()) {
        Ok(_) => Ok(stored_values(true, Value::Nil, false)),
        Err(error) => no(lua, error),
    }
}

fn stored_values(ok: bool, error: Value, forcible: bool) -> MultiValue {
    values([Value::Boolean(ok), error, Value::Boolean(forcible)])
}

fn delete(lua: &Lua, (zone, key): (Value, Value)) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    match Key::of(lua, key)? {
        Some(key) => store_nil(lua, &zone, Mode::Set, &key),
        None => no(lua, "nil key"),
    }
}

type Incr = (Value, Value, Value, Value, Value);

fn incr(lua: &Lua, (zone, key, by, init, ttl): Incr) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    let Some(key) = Key::of(lua, key)? else {
        return no(lua, "nil key");
    };
    if let Err(error) = Dict::check_key(&key.bytes()) {
        return no(lua, error);
    }
    let by = amount(lua, &by)?.ok_or_else(|| number_expected(&by, 3))?;
    let init = match &init {
        Value::Nil | Value::Boolean(false) => None,
        other => Some(amount(lua, other)?.ok_or_else(|| {
            Error::runtime(format!(
                "bad init arg: number expected, got {}",
                type_name(other)
            ))
        })?),
    };
    let ttl = match &ttl {
        Value::Nil => 0,
        other => {
            let seconds = lua.coerce_number(other.clone())?.ok_or_else(|| {
                Error::runtime(format!(
                    "bad init_ttl arg: number expected, got {}",
                    type_name(other)
                ))
            })?;
            if seconds < 0.0 {
                return Err(Error::runtime("bad \"init_ttl\" argument"));
            }
            if init.is_none() {
                return Err(Error::runtime(
                    "must provide \"init\" when providing \"init_ttl\"",
                ));
            }
            millis(seconds)
        }
    };
    let start = init.map(|init| (init, ttl));
    match zone.0.incr(&key.bytes(), by, start, now_ms()) {
        (Ok(sum), _) if init.is_none() => Ok(one(number(sum))),
        (Ok(sum), forcible) => Ok(values([number(sum), Value::Nil, Value::Boolean(forcible)])),
        (Err(error), _) => no(lua, error),
    }
}

fn ttl(lua: &Lua, (zone, key): (Value, Value)) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    let Some(key) = Key::of(lua, key)? else {
        return no(lua, "nil key");
    };
    match zone.0.ttl(&key.bytes(), now_ms()) {
        Ok(ms) => Ok(one(Value::Number(ms as f64 / 1000.0))),
        Err(error) => no(lua, error),
    }
}

fn expire(lua: &Lua, (zone, key, ttl): (Value, Value, Value)) -> Result<MultiValue> {
    let zone = borrow(&zone)?;
    let Some(ttl) = given(lua, ttl, 3)? else {
        return Err(Error::runtime("bad \"exptime\" argument"));
    };
    let Some(key) = Key::of(lua, key)? else {
        return no(lua, "nil key");
    };
    match zone.0.expire(&key.bytes(), millis(ttl), now_ms()) {
        Ok(()) => Ok(one(Value::Boolean(true))),
        Err(error) => no(lua, error),
    }
}

fn flush_all(_: &Lua, zone: Value) -> Result<()> {
    borrow(&zone)?.0.flush_all(now_ms());
    Ok(())
}

// ---- lists ----

fn push(lua: &Lua, side: Side, arguments: MultiValue) -> Result<MultiValue> {
    let [zone, key, value] = exactly(arguments)?;
    let zone = borrow(&zone)?;
    let Some(key) = list_key(lua, key)? else {
        return no(lua, "nil key");
    };
    if let Err(error) = Dict::check_key(&key.as_bytes()) {
        return no(lua, error);
    }
    let item = match value {
        Value::Integer(value) => Item::Integer(value),
        Value::Number(value) => Item::Number(value),
        Value::String(value) => {
            charge(lua, value.len());
            Item::Bytes(value.as_bytes()[..].into())
        }
        _ => return no(lua, "bad value type"),
    };
    match zone.0.push(&key.as_bytes(), side, item, now_ms()) {
        Ok(len) => Ok(one(Value::Integer(len as i64))),
        Err(error) => no(lua, error),
    }
}

fn pop(lua: &Lua, side: Side, arguments: MultiValue) -> Result<MultiValue> {
    let [zone, key] = exactly(arguments)?;
    let zone = borrow(&zone)?;
    let Some(key) = list_key(lua, key)? else {
        return no(lua, "nil key");
    };
    match zone.0.pop(&key.as_bytes(), side, now_ms()) {
        Ok(None) => Ok(one(Value::Nil)),
        Ok(Some(Item::Integer(value))) => Ok(one(Value::Integer(value))),
        Ok(Some(Item::Number(value))) => Ok(one(Value::Number(value))),
        Ok(Some(Item::Bytes(bytes))) => {
            charge(lua, bytes.len());
            Ok(one(Value::String(lua.create_string(&*bytes)?)))
        }
        Err(error) => no(lua, error),
    }
}

fn llen(lua: &Lua, arguments: MultiValue) -> Result<MultiValue> {
    let [zone, key] = exactly(arguments)?;
    let zone = borrow(&zone)?;
    let Some(key) = list_key(lua, key)? else {
        return no(lua, "nil key");
    };
    match zone.0.llen(&key.as_bytes(), now_ms()) {
        Ok(len) => Ok(one(Value::Integer(len as i64))),
        Err(error) => no(lua, error),
    }
}

fn exactly<const N: usize>(arguments: MultiValue) -> Result<[Value; N]> {
    let found = arguments.len();
    <[Value; N]>::try_from(arguments.into_vec())
        .map_err(|_| Error::runtime(format!("expecting {N} arguments, but only seen {found}")))
}

/// These take no key that is neither a string nor a number.
fn list_key(lua: &Lua, key: Value) -> Result<Option<LuaString>> {
    match key {
        Value::Nil => Ok(None),
        key => match LuaString::from_lua(key, lua) {
            Ok(key) => Ok(Some(key)),
            Err(cause) => Err(at_argument(2, cause)),
        },
    }
}

// ---- sweeps ----

/// The arguments of `get_keys` and `flush_expired`: the dictionary and the most to do, or nil and what is wrong.
fn check_sweep(lua: &Lua, arguments: MultiValue) -> Result<MultiValue> {
    let mut arguments = arguments.into_iter();
    let name = LuaString::from_lua(arguments.next().unwrap_or_default(), lua)?;
    let name = name.to_str()?;
    let count = arguments.len();
    let (zone, max) = match (count, arguments.next(), arguments.next()) {
        (1, Some(zone), None) => (zone, None),
        (2, Some(zone), Some(max)) => (zone, Some(max)),
        _ => {
            let message = format!("expecting 1 or 2 argument(s), but saw {count}");
            return no(lua, message);
        }
    };
    let bad = |at: u32, expected: &str, found: &Value| {
        let found = type_name(found);
        no(
            lua,
            format!(
                "bad argument #{at} to '{}' ({expected} expected, got {found})",
                &*name
            ),
        )
    };
    let Value::Table(table) = &zone else {
        return bad(1, "table", &zone);
    };
    let inner: Value = table.raw_get(1)?;
    if !matches!(&inner, Value::UserData(data) if data.is::<Zone>()) {
        return no(lua, "bad user data for the ngx_shm_zone_t pointer");
    }
    let max = match max {
        None if &*name == "get_keys" => DEFAULT_KEYS,
        None => 0,
        Some(value) => match lua.coerce_number(value.clone())? {
            Some(max) => max as i64,
            None => return bad(2, "number", &value),
        },
    };
    // None means all, and so does what is below none.
    let max = if max <= 0 { i64::MAX } else { max };
    Ok(values([inner, Value::Integer(max)]))
}

/// Puts more keys into a table that has `count`: where to go on, and how many it has then.
fn keys_step(
    lua: &Lua,
    (zone, keys, count, from, max): (UserDataRef<Zone>, Table, i64, u32, f64),
) -> Result<(Option<u32>, i64)> {
    let left = (max as i64).saturating_sub(count);
    let left = usize::try_from(left).unwrap_or(0);
    let (found, next) = zone.0.keys(from, left, now_ms());
    let mut count = count;
    for key in found {
        charge(lua, key.len() + 64);
        count += 1;
        keys.raw_set(count, lua.create_string(&*key)?)?;
    }
    lua.charge_fuel(u64::from(rille_runtime::dict::SLOTS_AT_ONCE));
    let is_done = count >= max as i64;
    Ok((next.filter(|_| !is_done), count))
}

/// Drops more expired entries: where to go on, and how many have been dropped.
fn flush_step(
    lua: &Lua,
    (zone, count, from, max): (UserDataRef<Zone>, i64, u32, f64),
) -> Result<(Option<u32>, i64)> {
    let left = usize::try_from((max as i64).saturating_sub(count)).unwrap_or(0);
    let (freed, next) = zone.0.flush_expired(from, left, now_ms());
    lua.charge_fuel(u64::from(rille_runtime::dict::SLOTS_AT_ONCE) + 8 * freed as u64);
    let count = count.saturating_add(freed as i64);
    let is_done = count >= max as i64;
    Ok((next.filter(|_| !is_done), count))
}

// ---- arguments and results ----

/// The dictionary that a method was called on.
fn borrow(zone: &Value) -> Result<UserDataRef<Zone>> {
    let bad = || Error::runtime("bad \"zone\" argument");
    let Value::Table(table) = zone else {
        return Err(bad());
    };
    match table.raw_get::<Value>(1)? {
        Value::UserData(zone) => zone.borrow().map_err(|_| bad()),
        _ => Err(bad()),
    }
}

/// A key as a script gives it.
pub(crate) enum Key {
    Lua(LuaString),
    Made(String),
}

impl Key {
    /// What is no string is made one as `tostring` does it; nil is no key.
    pub(crate) fn of(lua: &Lua, value: Value) -> Result<Option<Key>> {
        Ok(Some(match value {
            Value::Nil => return Ok(None),
            Value::String(key) => Key::Lua(key),
            value @ (Value::Integer(_) | Value::Number(_)) => match lua.coerce_string(value)? {
                Some(key) => Key::Lua(key),
                None => return Ok(None),
            },
            value => Key::Made(value.to_string()?),
        }))
    }

    pub(crate) fn bytes(&self) -> KeyBytes<'_> {
        match self {
            Key::Lua(key) => KeyBytes::Lua(key.as_bytes()),
            Key::Made(key) => KeyBytes::Made(key.as_bytes()),
        }
    }
}

/// The bytes of a key.
pub(crate) enum KeyBytes<'a> {
    Lua(rille_lua::BorrowedBytes<'a>),
    Made(&'a [u8]),
}

impl std::ops::Deref for KeyBytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            KeyBytes::Lua(bytes) => bytes,
            KeyBytes::Made(bytes) => bytes,
        }
    }
}

fn to_lua(lua: &Lua, value: &DictValue) -> Result<Value> {
    Ok(match value {
        DictValue::Boolean(value) => Value::Boolean(*value),
        DictValue::Integer(value) => Value::Integer(*value),
        DictValue::Number(value) => Value::Number(*value),
        DictValue::Bytes(bytes) => Value::String(copied(lua, bytes)?),
    })
}

fn copied(lua: &Lua, bytes: &SharedBytes) -> Result<LuaString> {
    charge(lua, bytes.len());
    lua.create_string(&**bytes)
}

/// Copying is charged as the library's own functions charge it.
fn charge(lua: &Lua, bytes: usize) {
    lua.charge_fuel(bytes as u64 / 16);
}

/// A number, or what converts to one.
fn amount(lua: &Lua, value: &Value) -> Result<Option<Amount>> {
    Ok(match value {
        Value::Integer(value) => Some(Amount::Integer(*value)),
        value => lua.coerce_number(value.clone())?.map(Amount::Number),
    })
}

fn number(amount: Amount) -> Value {
    match amount {
        Amount::Integer(value) => Value::Integer(value),
        Amount::Number(value) => Value::Number(value),
    }
}

/// An optional number; false is as good as nil.
fn given(lua: &Lua, value: Value, at: usize) -> Result<Option<f64>> {
    match value {
        Value::Nil | Value::Boolean(false) => Ok(None),
        value => match f64::from_lua(value, lua) {
            Ok(number) => Ok(Some(number)),
            Err(cause) => Err(at_argument(at, cause)),
        },
    }
}

/// Seconds as whole milliseconds; what is below one is 0.
pub(crate) fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).max(0.0) as u64
}

fn number_expected(value: &Value, pos: usize) -> Error {
    let cause = Error::FromLuaConversionError {
        from: type_name(value),
        to: "number".into(),
        message: None,
    };
    at_argument(pos, cause)
}

fn one(value: Value) -> MultiValue {
    values([value])
}

fn values<const N: usize>(values: [Value; N]) -> MultiValue {
    MultiValue::from_vec(Vec::from(values))
}

fn text(lua: &Lua, message: impl std::fmt::Display) -> Result<Value> {
    Ok(Value::String(lua.create_string(message.to_string())?))
}
