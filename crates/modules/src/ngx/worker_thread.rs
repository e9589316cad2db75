//! `ngx.run_worker_thread`: a function of a module, called with copies of its arguments, whose results are copied.
//!
//! ```lua
//! ok, ... = ngx.run_worker_thread(pool, module, name, ...)   --> true and the results; false and why not
//! ```
//! There it runs on a thread of its own, so that what works long keeps nobody waiting. Here no code does: the function runs in the coroutine
//! that asks, is preempted like any other, and has the whole of `ngx`. What names the pool is not looked at.
//!
//! **Invariant:** nothing that can be changed is shared: arguments and results are data.

use rille_lua::{Function, Lua, Result, Table, Value};

const PRELUDE: &str = include_str!("worker_thread.lua");

/// Adds it.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["require", "pcall", "type", "next", "select"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("null", ngx.raw_get::<Value>("null")?)?;
    super::add_packing(lua, &tools)?;
    let run: Function = (lua.load(PRELUDE).set_name("=[rille]"))
        .into_function()?
        .call(tools)?;
    ngx.raw_set("run_worker_thread", run)
}
