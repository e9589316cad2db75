//! `log.debug/info/warn/error(...)`, `log(...)` and `print(...)`: lines in the server's log, on the
//! app's account.

use crate::log::{AppLog, Level, MAX_LINE};
use rille_lua::{Lua, LuaString, Result, Table};
use std::rc::Rc;

/// The `log` module. The text is joined in Lua, so that `__tostring` and `__name` do as in `print`.
pub(super) fn module(lua: &Lua, log: &Rc<AppLog>) -> Result<Table> {
    let module = lua.create_table()?;
    for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
        module.raw_set(
            level.name(),
            super::require::joined(lua, sink(lua, log, level)?)?,
        )?;
    }
    let meta = lua.create_table()?;
    let call = lua
        .load("local info = ... return function(_, ...) return info(...) end")
        .set_name("=[rille]");
    let call: rille_lua::Function = call
        .into_function()?
        .call(module.raw_get::<rille_lua::Function>("info")?)?;
    meta.raw_set("__call", call)?;
    module.set_metatable(Some(meta))?;
    Ok(module)
}

/// `print` goes to the log at level info.
pub(super) fn install_print(lua: &Lua, log: &Rc<AppLog>) -> Result<()> {
    lua.globals().raw_set(
        "print",
        super::require::joined(lua, sink(lua, log, Level::Info)?)?,
    )
}

fn sink(lua: &Lua, log: &Rc<AppLog>, level: Level) -> Result<rille_lua::Function> {
    let log = log.clone();
    lua.create_function(move |_, text: LuaString| {
        let bytes = text.as_bytes();
        log.script(
            level,
            &String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_LINE)]),
        );
        Ok(())
    })
}
