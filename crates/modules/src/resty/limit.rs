//! `resty.limit.req`: requests are let through at a rate, those of a burst are delayed.
//!
//! ```lua
//! local lim = limit.new(dict, rate, burst)      --> an object; or nil, "shared dict not found"
//! lim:incoming(key, commit)                     --> seconds of delay, requests in excess; or nil, "rejected" and the like
//! lim:uncommit(key), lim:set_rate(rate), lim:set_burst(burst)
//! ```
//! lua-resty-limit-traffic has it over C data; its other limiters run as they are.
//!
//! **Invariant:** what is kept of a key is one string of 16 bytes in the dictionary: the excess in thousandths, and the time in
//! milliseconds, as there.

use rille_lua::{Function, Lua, LuaString, MultiValue, Result, Value};

const SOURCE: &str = include_str!("limit.lua");

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["setmetatable", "type", "assert"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let math: rille_lua::Table = globals.raw_get("math")?;
    for name in ["abs", "max"] {
        tools.raw_set(name, math.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("ngx", globals.raw_get::<Value>("ngx")?)?;
    let pack = lua.create_function(|lua, (excess, last): (f64, f64)| {
        let bytes = [(excess as u64).to_ne_bytes(), (last as u64).to_ne_bytes()];
        lua.create_string(bytes.as_flattened())
    })?;
    tools.raw_set("pack", pack)?;
    let unpack = lua.create_function(|_, record: LuaString| {
        let record = record.as_bytes();
        let number = |bytes: &[u8]| {
            let bytes = bytes.first_chunk().copied();
            bytes.map(|bytes| Value::Number(u64::from_ne_bytes(bytes) as f64))
        };
        let numbers = match record.len() {
            16 => [number(&record[..8]), number(&record[8..])],
            _ => [None, None],
        };
        Ok(MultiValue::from_vec(
            numbers.into_iter().flatten().collect(),
        ))
    })?;
    tools.raw_set("unpack", unpack)?;
    let make: Function = lua
        .load(SOURCE)
        .set_name("=resty.limit.req")
        .into_function()?;
    make.call(tools)
}
