//! Tables of header fields: those of a request, and of a response of the HTTP client.
//!
//! **Invariant:** fields are kept by lower-case name; any case, and `_` for `-`, finds them.

use rille_lua::{Lua, Result, Table, Value};

/// The metatable of such tables. The functions it uses are those of the VM now, whatever scripts put in their place later.
pub fn metatable(lua: &Lua) -> Result<Table> {
    let globals = lua.globals();
    let string: Table = globals.raw_get("string")?;
    let tools = lua.create_table()?;
    for name in ["type", "rawget"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    for name in ["lower", "gsub"] {
        tools.raw_set(name, string.raw_get::<Value>(name)?)?;
    }
    let make = lua
        .load(include_str!("headers.lua"))
        .set_name("=[rille]")
        .into_function()?;
    make.call(tools)
}
