//! `ngx`, as lua-nginx-module has it: the parts that need no request.
//!
//! | file | what |
//! |---|---|
//! | `constants` | statuses, methods, log levels, results |
//!
//! **Invariant:** names, defaults and messages are those of lua-nginx-module 0.10; what differs is in COMPATIBILITY.md.

mod constants;

use rille_lua::{Result, Table};
use rille_runtime::vm::AppVm;
use std::rc::Rc;

/// The table, to which the server adds what needs a request.
pub fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let ngx = lua.create_table()?;
    constants::install(&ngx)?;
    Ok(ngx)
}
