//! `ngx.process` and `ngx.errlog`: the parts that have a sense where workers are threads of one process.
//!
//! ```lua
//! process.type()                    --> "worker"
//! process.get_master_pid()          --> the process
//! process.enable_privileged_agent() --> nil and why not
//! errlog.raw_log(level, text)       -- a line in the log, without a position
//! errlog.get_sys_filter_level()     --> the level from which on nothing is written
//! errlog.set_filter_level(level), errlog.get_logs()   --> nil and why not: nothing captures the log
//! ```
//!
//! **Invariant:** no script ends the process or starts another.

use super::logged;
use crate::answer::no;
use rille_lua::{Error, Lua, Result, Value};
use rille_runtime::log::AppLog;
use rille_runtime::vm::AppVm;
use std::rc::Rc;

const NO_CAPTURE: &str = "directive \"lua_capture_error_log\" is not set";

/// Puts both where `require` finds them.
pub(super) fn install(vm: &Rc<AppVm>, loaded: &rille_lua::Table) -> Result<()> {
    let lua = vm.lua();
    loaded.raw_set("ngx.process", process(lua)?)?;
    loaded.raw_set("ngx.errlog", errlog(lua, vm.log())?)
}

fn process(lua: &Lua) -> Result<Value> {
    let module = lua.create_table()?;
    module.raw_set("version", super::RESTY_CORE)?;
    module.raw_set("type", lua.create_function(|_, ()| Ok("worker"))?)?;
    let pid = i64::from(std::process::id());
    let master = lua.create_function(move |_, ()| Ok(pid))?;
    module.raw_set("get_master_pid", master)?;
    let agent =
        lua.create_function(|lua, _: Value| no(lua, "API disabled in the current context"))?;
    module.raw_set("enable_privileged_agent", agent)?;
    Ok(Value::Table(module))
}

fn errlog(lua: &Lua, log: &Rc<AppLog>) -> Result<Value> {
    let module = lua.create_table()?;
    module.raw_set("version", super::RESTY_CORE)?;
    // All levels up to `ngx.DEBUG` are written.
    let level = lua.create_function(|_, ()| Ok(8))?;
    module.raw_set("get_sys_filter_level", level)?;
    let filter = lua.create_function(|lua, level: Value| match level {
        Value::Nil => no(lua, "missing \"level\" argument"),
        _ => no(lua, NO_CAPTURE),
    })?;
    module.raw_set("set_filter_level", filter)?;
    let logs = lua.create_function(|lua, _: (Value, Value)| no(lua, NO_CAPTURE))?;
    module.raw_set("get_logs", logs)?;
    let log = log.clone();
    let raw = lua.create_function(move |_, (level, text): (Value, Value)| {
        let Value::Integer(level) = level else {
            return Err(wrong(1, "must be a number"));
        };
        let Value::String(text) = text else {
            return Err(wrong(2, "must be a string"));
        };
        log.script(logged(level)?, &text.to_string_lossy());
        Ok(())
    })?;
    module.raw_set("raw_log", raw)?;
    Ok(Value::Table(module))
}

/// Argument errors of `raw_log`, which names itself whoever calls it.
fn wrong(at: usize, why: &str) -> Error {
    Error::runtime(format!("bad argument #{at} to 'raw_log' ({why})"))
}
