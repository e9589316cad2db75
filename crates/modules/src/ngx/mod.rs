//! `ngx`, as lua-nginx-module has it: the parts that need no request.
//!
//! | file | what |
//! |---|---|
//! | `constants` | statuses, methods, log levels, results |
//! | `socket` | TCP, unix and datagram sockets |
//! | `ssl` | certificates and keys |
//! | `thread` | light threads |
//! | `timer` | functions that run later |
//!
//! **Invariant:** names, defaults and messages are those of lua-nginx-module 0.10; what differs is in COMPATIBILITY.md.

mod constants;
mod socket;
pub(crate) mod ssl;
mod thread;
mod timer;

use rille_lua::{Lua, Result, Table, Value};
use rille_runtime::vm::AppVm;
use std::rc::Rc;

/// The table, to which the server adds what needs a request.
pub fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let ngx = lua.create_table()?;
    constants::install(&ngx)?;
    ngx.raw_set("sleep", lua.globals().raw_get::<Value>("sleep")?)?;
    ngx.raw_set("socket", socket::table(vm)?)?;
    ngx.raw_set("thread", thread::table(vm)?)?;
    ngx.raw_set("timer", timer::table(vm)?)?;
    Ok(ngx)
}

/// `pack` and `unpack`, which versions have in different places or not at all, for a prelude.
fn add_packing(lua: &Lua, tools: &Table) -> Result<()> {
    const SOURCE: &str = "
local select, unpack = ...
return function(...) return {n = select('#', ...), ...} end, unpack";
    let globals = lua.globals();
    let table: Table = globals.raw_get("table")?;
    let unpack = match table.raw_get("unpack")? {
        Value::Nil => globals.raw_get("unpack")?,
        unpack => unpack,
    };
    let select: Value = globals.raw_get("select")?;
    let (pack, unpack): (Value, Value) = lua
        .load(SOURCE)
        .set_name("=[rille]")
        .into_function()?
        .call((select, unpack))?;
    tools.raw_set("pack", pack)?;
    tools.raw_set("unpack", unpack)
}
