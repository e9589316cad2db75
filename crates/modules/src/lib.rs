//! What scripts require, beyond what the runtime gives every app: `ngx` and the natives of OpenResty's libraries.
//!
//! ```text
//!  install        once per VM, before init.lua: the globals, and package.preload for what is made when it is required
//!  ngx/           the parts of `ngx` that need no request (the server adds those that do)
//!  task/          `task`, and the names of call control
//!  timer          functions that run later, for a task or for no request
//!  buffer         `encode` and `decode` of string.buffer
//!  io             `io.open`, which finds nothing
//!  cjson/         `cjson` and `cjson.safe`
//!  websocket/     WebSockets: what `request:upgrade` gives
//!  http/          the HTTP client
//!  headers        what tables of header fields have in common
//!  resty/         what OpenResty's libraries do through its C parts or the FFI, natively
//! ```
//!
//! **Invariant:** what is installed here is one per VM and keeps no request's data.
#![forbid(unsafe_code)]

pub mod answer;
mod buffer;
pub mod cjson;
pub mod counted;
pub mod headers;
pub mod http;
mod io;
pub mod ngx;
pub mod resty;
mod task;
#[cfg(test)]
mod testing;
mod text;
mod timer;
pub mod websocket;

use rille_lua::{Lua, Result, Table, Value};
use rille_runtime::vm::AppVm;
use std::rc::Rc;

pub use text::{MAX_TEXT, bad_argument};

/// Makes a module when it is first required.
pub(crate) type Maker = fn(&Lua) -> Result<Value>;

/// Installs the modules in a new VM.
pub fn install(vm: &Rc<AppVm>) -> Result<()> {
    let lua = vm.lua();
    task::install(vm)?;
    timer::install(vm)?;
    websocket::install(vm)?;
    http::install(vm)?;
    lua.globals().raw_set("ngx", ngx::table(vm)?)?;
    let package: Table = lua.globals().raw_get("package")?;
    let preload: Table = package.raw_get("preload")?;
    for modules in [resty::MODULES, resty::openssl::MODULES, cjson::MODULES] {
        for (name, maker) in modules {
            add(lua, &preload, name, *maker)?;
        }
    }
    io::install(lua)?;
    buffer::install(lua, &preload)
}

fn add(lua: &Lua, preload: &Table, name: &str, maker: Maker) -> Result<()> {
    preload.raw_set(name, lua.create_function(move |lua, ()| maker(lua))?)
}
