//! `mk`: requests as scripts of the Monkey web server's Lua plugin see them.
//!
//! ```lua
//! mk.print(text)                     -- what several calls print is joined with line breaks
//! mk.request                         --> a table: server_software, document_root, server_protocol, server_name, server_addr, server_port,
//!                                    --  script_filename, script_name, request_method, remote_addr, remote_port, request_uri,
//!                                    --  query_string, data, headers (by HTTP_NAME)
//! mk.request.parseargs()             --> each name's first value, each name's list of values
//! mk.request.parsedata()             --> the same of a form, and each file's list of {filename, content_type, content}
//! mk.response.status = 404           -- also "404"; mk.response.headers["X-Name"] = value, or a list of them
//! mk.cookies.get_cookies()           --> name to value
//! mk.cookies.set_cookie{name=, value=, expiry=, secure=, httponly=, path=, domain=}
//! mk.config                          --> what the server is: workers, worker_capacity, listen_addr, user, transport, ...
//! ```
//!
//! What Monkey gets wrong is not repeated: names and values are percent-decoded, files keep their names, texts keep their NULs, addresses may be
//! IPv6, what a script keeps in `mk` is its request's own, and a script that yields is resumed.
//!
//! | file | what |
//! |---|---|
//! | this one | the table; what belongs to a request |
//! | `mk.lua` | the Lua side, made when a script first uses `mk` |
//! | `fields` | what is in `mk.request`, and the parsers of forms |
//! | `config` | `mk.config` |
//!
//! **Invariant:** until a script uses `mk` there is one empty table of it in a VM, and nothing in a request. Nothing of a request is kept in it.

mod config;
mod fields;

use crate::bindings::told;
use crate::exchange::{Exchange, current_exchange};
use rille_lua::{
    Error, FromLuaMulti, Function, IntoLuaMulti, Lua, LuaString, Result, Table, Value,
};
use rille_modules::answer::type_name;
use rille_runtime::vm::{AppVm, Current};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

pub use config::Facts;

/// The Lua side.
const PRELUDE: &str = include_str!("mk.lua");
/// Bytes of text for a unit of fuel.
const BYTES_FOR_FUEL: usize = 16;

/// What `mk` keeps for a request that uses it.
#[derive(Default)]
pub struct State(OnceCell<Box<Kept>>);

#[derive(Default)]
struct Kept {
    /// Whether something has been printed.
    printed: Cell<bool>,
    /// `mk.request`, and what scripts put into `mk`.
    own: RefCell<Option<Table>>,
}

impl State {
    fn kept(&self) -> &Kept {
        self.0.get_or_init(Box::default)
    }
}

/// Adds the global `mk` to a new VM: an empty table that is filled when it is first used.
pub fn install(vm: &Rc<AppVm>, facts: &Rc<Facts>) -> Result<()> {
    let lua = vm.lua();
    let (mk, meta) = (lua.create_table()?, lua.create_table()?);
    let response: Table = lua.globals().raw_get("response")?;
    let (current, facts) = (vm.current().clone(), facts.clone());
    let fill = lua.create_function(move |lua, (response, meta): (Table, Table)| {
        fill(lua, &current, &facts, (&meta, &response))
    })?;
    const FIRST: &str = "\
local meta, fill, response = ...
function meta.__index(mk, name) fill(response, meta) return mk[name] end
function meta.__newindex(mk, name, value) fill(response, meta) mk[name] = value end";
    let first = lua.load(FIRST).set_name("=[rille]").into_function()?;
    first.call::<()>((&meta, fill, response))?;
    meta.raw_set("__metatable", false)?;
    mk.set_metatable(Some(meta))?;
    lua.globals().raw_set("mk", mk)
}

/// Puts everything into the table.
fn fill(
    lua: &Lua,
    current: &Rc<Current>,
    facts: &Rc<Facts>,
    (meta, response): (&Table, &Table),
) -> Result<()> {
    let tools = lua.create_table()?;
    let adding = Adding {
        lua,
        tools: &tools,
        current,
    };
    fields::install(&adding)?;
    adding.add("own", own)?;
    adding.add("print", print)?;
    adding.add("get_status", |_, exchange, ()| {
        let status = exchange.out.borrow().status;
        Ok(status.map(|status| i64::from(status.as_u16())))
    })?;
    adding.add("set_status", set_status)?;
    adding.add("set_header", set_header)?;
    adding.add("sent_headers", sent_headers)?;
    let facts = facts.clone();
    let config = lua.create_function(move |lua, ()| config::table(lua, &facts))?;
    tools.raw_set("config", config)?;
    let date = lua.create_function(|_, unix: i64| Ok(rille_modules::ngx::time::http(unix)))?;
    tools.raw_set("date", date)?;
    let globals = lua.globals();
    for name in ["error", "next", "setmetatable", "tonumber", "type", "math"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("request", globals.raw_get::<Value>("request")?)?;
    tools.raw_set("response", response)?;
    let prelude: Function = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
    prelude.call((tools, meta))
}

/// Functions of one VM on their way into a table.
struct Adding<'a> {
    lua: &'a Lua,
    tools: &'a Table,
    current: &'a Rc<Current>,
}

impl Adding<'_> {
    /// A function of the request being served.
    fn add<A: FromLuaMulti + 'static, R: IntoLuaMulti + 'static>(
        &self,
        name: &str,
        f: impl Fn(&Lua, &Rc<Exchange>, A) -> Result<R> + 'static,
    ) -> Result<()> {
        let here = self.current.clone();
        let function = self.lua.create_function(move |lua, arguments: A| {
            let exchange = current_exchange(&here)
                .ok_or_else(|| Error::runtime("no request is being served here"))?;
            f(lua, &exchange, arguments)
        })?;
        self.tools.raw_set(name, function)
    }
}

/// What the request has of `mk`.
fn own(lua: &Lua, exchange: &Rc<Exchange>, (): ()) -> Result<Table> {
    if let Some(own) = &*exchange.mk.kept().own.borrow() {
        return Ok(own.clone());
    }
    let own = lua.create_table()?;
    *exchange.mk.kept().own.borrow_mut() = Some(own.clone());
    Ok(own)
}

fn print(lua: &Lua, exchange: &Rc<Exchange>, text: LuaString) -> Result<()> {
    let text = text.as_bytes();
    lua.charge_fuel((text.len() / BYTES_FOR_FUEL) as u64);
    if exchange.mk.kept().printed.replace(true) {
        exchange.write(b"\n".to_vec())?;
    }
    exchange.write(text.to_vec())
}

/// A status, also as a text. What fails is told: the Lua side raises it where the script is.
fn set_status(
    lua: &Lua,
    exchange: &Rc<Exchange>,
    status: Value,
) -> Result<(Value, Option<LuaString>)> {
    let set = match lua.coerce_integer(status.clone())? {
        Some(status) => exchange.set_status(status),
        None => Err(Error::runtime(format!(
            "a status is a whole number, not a {}",
            type_name(&status)
        ))),
    };
    told(lua, set.map(|()| true))
}

/// One header, or with a list several of the same name; nil removes them.
fn set_header(
    lua: &Lua,
    exchange: &Rc<Exchange>,
    (name, value): (Value, Value),
) -> Result<(Value, Option<LuaString>)> {
    told(lua, store(lua, exchange, &name, &value).map(|()| true))
}

fn store(lua: &Lua, exchange: &Exchange, name: &Value, value: &Value) -> Result<()> {
    let Value::String(name) = name else {
        return Err(Error::runtime("a header's name is a string"));
    };
    let name = name.as_bytes();
    let text = |value: &Value| {
        (lua.coerce_string(value.clone())?).ok_or_else(|| {
            Error::runtime(format!(
                "a header's value is a string, not a {}",
                type_name(value)
            ))
        })
    };
    match value {
        Value::Nil => exchange.set_header(&name, None, false),
        Value::Table(list) => {
            exchange.set_header(&name, None, false)?;
            for at in 1..=list.raw_len() as i64 {
                let value = text(&list.raw_get::<Value>(at)?)?;
                exchange.set_header(&name, Some(&value.as_bytes()), true)?;
            }
            Ok(())
        }
        one => exchange.set_header(&name, Some(&text(one)?.as_bytes()), false),
    }
}

/// The headers that have been set, for who goes through them.
fn sent_headers(lua: &Lua, exchange: &Rc<Exchange>, (): ()) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, value) in &exchange.out.borrow().headers {
        let value = Value::String(lua.create_string(value.as_bytes())?);
        crate::bindings::add_field(lua, &table, name.as_str().as_bytes(), value)?;
    }
    Ok(table)
}
