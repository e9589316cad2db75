//! `ngx`, as lua-nginx-module has it: the parts that need no request.
//!
//! | file | what |
//! |---|---|
//! | `args` | arguments of requests as pairs, as tables, as text |
//! | `base64` | base64 |
//! | `constants` | statuses, methods, log levels, results |
//! | `escape` | escapes of URIs and SQL |
//! | `hash` | digests and checksums |
//! | `re` | regular expressions |
//! | `semaphore` | what light threads wait for each other with |
//! | `shared` | dictionaries that all workers share |
//! | `socket` | TCP, unix and datagram sockets |
//! | `ssl` | certificates and keys |
//! | `thread` | light threads |
//! | `time` | the time, and dates of HTTP |
//! | `timer` | functions that run later |
//!
//! **Invariant:** names, defaults and messages are those of lua-nginx-module 0.10; what differs is in COMPATIBILITY.md.

pub mod args;
pub mod base64;
pub mod constants;
pub mod escape;
pub mod hash;
pub mod re;
mod semaphore;
mod shared;
pub mod socket;
pub(crate) mod ssl;
mod thread;
pub mod time;
mod timer;

pub(crate) use semaphore::module as semaphore;
pub(crate) use shared::{Key, Zone, millis};

use rille_lua::{Lua, Result, Table, Value};
use rille_runtime::vm::AppVm;
use std::rc::Rc;

/// The table, to which the server adds what needs a request.
pub fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let ngx = lua.create_table()?;
    constants::install(&ngx)?;
    args::install(lua, &ngx)?;
    base64::install(lua, &ngx)?;
    escape::install(lua, &ngx)?;
    hash::install(lua, &ngx)?;
    time::install(lua, &ngx)?;
    ngx.raw_set("sleep", lua.globals().raw_get::<Value>("sleep")?)?;
    ngx.raw_set("re", re::table(vm)?)?;
    ngx.raw_set("shared", shared::table(vm)?)?;
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
