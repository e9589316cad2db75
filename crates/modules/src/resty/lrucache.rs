//! `resty.lrucache` and `resty.lrucache.pureffi`: caches of any Lua values, in Lua, since the collector has to see what
//! they hold. Every operation takes a bounded number of steps, `get_keys` one for each key.
//!
//! **Invariant:** the modules are read-only tables; a cache is an ordinary object of whoever made it.

use rille_lua::{Lua, Result, Table, Value};
use rille_runtime::dict::now_ms;

const SOURCE: &str = include_str!("lrucache.lua");

/// `resty.lrucache`
pub(super) fn tables(lua: &Lua) -> Result<Value> {
    module(lua, false)
}

/// `resty.lrucache.pureffi`, whose keys are strings.
pub(super) fn pureffi(lua: &Lua) -> Result<Value> {
    module(lua, true)
}

fn module(lua: &Lua, text_keys: bool) -> Result<Value> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["type", "tostring", "setmetatable", "error"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let now = lua.create_function(|_, ()| Ok(now_ms() as f64 / 1000.0))?;
    tools.raw_set("now", now)?;
    let source = lua.load(SOURCE).set_name("=resty.lrucache");
    let make: rille_lua::Function = source.into_function()?.call(tools)?;
    let module: Table = make.call(text_keys)?;
    module.freeze()?;
    Ok(Value::Table(module))
}
