//! `ngx`, as lua-nginx-module has it: the parts that need no request.
//!
//! | file | what |
//! |---|---|
//! | `args` | arguments of requests as pairs, as tables, as text |
//! | `base64` | base64 |
//! | `constants` | statuses, methods, log levels, results |
//! | `escape` | escapes of URIs and SQL |
//! | `hash` | digests and checksums |
//! | `process` | `ngx.process`, `ngx.errlog` |
//! | `re` | regular expressions |
//! | `semaphore` | what light threads wait for each other with |
//! | `shared` | dictionaries that all workers share |
//! | `socket` | TCP, unix and datagram sockets |
//! | `ssl` | certificates and keys |
//! | `thread` | light threads |
//! | `time` | the time, and dates of HTTP |
//! | `timer` | functions that run later |
//! | `worker_thread` | run_worker_thread |
//!
//! **Invariant:** names, defaults and messages are those of lua-nginx-module 0.10; what differs is in COMPATIBILITY.md.

pub mod args;
pub mod base64;
pub mod constants;
pub mod escape;
pub mod hash;
mod process;
pub mod re;
mod semaphore;
mod shared;
pub mod socket;
pub(crate) mod ssl;
mod thread;
pub mod time;
mod timer;
mod worker_thread;

pub(crate) use semaphore::module as semaphore;
pub(crate) use shared::{Key, Zone, millis};

use rille_lua::{Error, Lua, Result, Table, Value};
use rille_runtime::log::Level;
use rille_runtime::modules::add_packing;
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
    ngx.raw_set("sleep", sleep(lua)?)?;
    ngx.raw_set("re", re::table(vm)?)?;
    ngx.raw_set("shared", shared::table(vm)?)?;
    ngx.raw_set("socket", socket::table(vm)?)?;
    ngx.raw_set("thread", thread::table(vm)?)?;
    ngx.raw_set("timer", timer::table(vm)?)?;
    worker_thread::install(lua, &ngx)?;
    let package: Table = lua.globals().raw_get("package")?;
    process::install(vm, &package.raw_get("loaded")?)?;
    Ok(ngx)
}

/// The global function, with OpenResty's words for what it refuses.
fn sleep(lua: &Lua) -> Result<Value> {
    const SOURCE: &str = "
local sleep, select, tonumber, error, format = ...
return function(...)
  local count = select('#', ...)
  if count ~= 1 then error('attempt to pass ' .. count .. ' arguments, but accepted 1', 2) end
  local seconds = tonumber((...))
  if seconds and seconds < 0 then error(format('invalid sleep duration \"%.0f\"', seconds * 1000), 2) end
  return sleep(seconds or ...)
end";
    let globals = lua.globals();
    let string: Table = globals.raw_get("string")?;
    let get = |name: &str| globals.raw_get::<Value>(name);
    lua.load(SOURCE)
        .set_name("=[rille]")
        .into_function()?
        .call((
            get("sleep")?,
            get("select")?,
            get("tonumber")?,
            get("error")?,
            string.raw_get::<Value>("format")?,
        ))
}

/// What `resty.core` and its modules say their version is.
pub(crate) const RESTY_CORE: &str = "0.1.31";

/// The level that a number of `ngx.log` is in the server's log.
pub fn logged(level: i64) -> Result<Level> {
    Ok(match level {
        0..=4 => Level::Error,
        5 => Level::Warn,
        6 | 7 => Level::Info,
        8 => Level::Debug,
        _ => return Err(Error::runtime("bad log level")),
    })
}
