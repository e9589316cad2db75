//! `request` and `response` as scripts see them.
//!
//! Both are one table per VM with metamethods that look at the current exchange, so that a request
//! costs nothing for what its handler does not ask for, and a `request` captured by a module is
//! always the request being served. Script-set fields (`request.user = ...`) live in the exchange.
//!
//! **Invariant:** nothing of an exchange is kept here. Outside of a request every access is an error
//! that says so.

use crate::exchange::{BodyError, Exchange};
use crate::forms;
use http::header::{CONTENT_TYPE, COOKIE};
use rille_lua::{Error, FromLuaMulti, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};
use rille_runtime::modules::json::Json;
use rille_runtime::route::percent_decode;
use rille_runtime::vm::Current;
use std::future::Future;
use std::rc::Rc;

/// The Lua side: what may wait is called from Lua, so that it can.
const PRELUDE: &str = include_str!("prelude.lua");

/// Installs `request` and `response`; returns `request`, the argument of function handlers.
pub fn install(lua: &Lua, current: &Rc<Current>, json: &Rc<Json>) -> Result<Value> {
    let tools = lua.create_table()?;
    let adding = Tools {
        lua,
        table: &tools,
        current,
    };
    install_request(&adding, json)?;
    install_response(&adding)?;
    let globals = lua.globals();
    for name in [
        "type",
        "error",
        "next",
        "select",
        "setmetatable",
        "tostring",
        "string",
        "table",
    ] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("header_meta", rille_modules::headers::metatable(lua)?)?;
    let prelude = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
    let mut made: MultiValue = prelude.call(tools)?;
    let request = made.pop_front().unwrap_or(Value::Nil);
    globals.raw_set("request", &request)?;
    globals.raw_set("response", made.pop_front().unwrap_or(Value::Nil))?;
    Ok(request)
}

/// What a tool gives back to the prelude: its value, or nil and a message. The prelude raises the
/// message where the script is, not where the prelude is.
pub fn told<R: IntoLua>(lua: &Lua, result: Result<R>) -> Result<(Value, Option<LuaString>)> {
    match result {
        Ok(value) => Ok((value.into_lua(lua)?, None)),
        Err(error) if error.is_limit() => Err(error),
        Err(error) => Ok((Value::Nil, Some(lua.create_string(error.message())?))),
    }
}

fn exchange(current: &Current) -> Result<Rc<Exchange>> {
    crate::exchange::current_exchange(current)
        .ok_or_else(|| Error::runtime("no request is being served here"))
}

/// The tools of one VM on their way into a table.
struct Tools<'a> {
    lua: &'a Lua,
    table: &'a Table,
    current: &'a Rc<Current>,
}

impl Tools<'_> {
    /// A function of the request being served.
    fn add<A: FromLuaMulti + 'static, R: IntoLua + 'static>(
        &self,
        name: &str,
        tool: impl Fn(&Lua, &Rc<Exchange>, A) -> Result<R> + 'static,
    ) -> Result<()> {
        let here = self.current.clone();
        let function = self.lua.create_function(move |lua, arguments: A| {
            told(
                lua,
                exchange(&here).and_then(|exchange| tool(lua, &exchange, arguments)),
            )
        })?;
        self.table.raw_set(name, function)
    }

    /// One that may wait.
    fn add_async<A, R, F>(
        &self,
        name: &str,
        tool: impl Fn(Lua, Rc<Exchange>, A) -> F + 'static,
    ) -> Result<()>
    where
        A: FromLuaMulti + 'static,
        R: IntoLua + 'static,
        F: Future<Output = Result<R>> + 'static,
    {
        let here = self.current.clone();
        let function = self
            .lua
            .create_async_function(move |lua: Lua, arguments: A| {
                let work = exchange(&here).map(|exchange| tool(lua.clone(), exchange, arguments));
                async move {
                    let result = match work {
                        Ok(work) => work.await,
                        Err(error) => Err(error),
                    };
                    told(&lua, result)
                }
            })?;
        self.table.raw_set(name, function)
    }
}

fn install_request(tools: &Tools<'_>, json: &Rc<Json>) -> Result<()> {
    tools.add("field", |lua, exchange, name: LuaString| {
        read_field(lua, exchange, &name.as_bytes())
    })?;
    tools.add("fields", |lua, exchange, ()| fields_of(lua, exchange))?;
    tools.add_async("read_body", |lua, exchange, ()| async move {
        read_body(&lua, &exchange).await
    })?;
    tools.add_async("read", |lua, exchange, count: Option<i64>| async move {
        read_some(&lua, &exchange, count).await
    })?;
    let here = tools.current.clone();
    let upgrade = move |lua: Lua, options: Option<Table>| {
        let exchange = exchange(&here);
        async move { crate::websocket::upgrade(lua, exchange?, options).await }
    };
    let upgrade = tools.lua.create_async_function(upgrade)?;
    tools.table.raw_set("upgrade", upgrade)?;
    tools.add("form", |lua, exchange, body: LuaString| {
        form(lua, exchange, &body.as_bytes())
    })?;
    tools
        .table
        .raw_set("decode", json.decode_function(tools.lua)?)
}

/// A field that needs no waiting; nil for those that do and for those there are not.
fn read_field(lua: &Lua, exchange: &Exchange, name: &[u8]) -> Result<Value> {
    let head = &exchange.head;
    let text = |bytes: &[u8]| lua.create_string(bytes).map(Value::String);
    match name {
        b"method" => text(exchange.method().as_str().as_bytes()),
        b"path" => text(&percent_decode(&exchange.path())),
        b"uri" => text(head.target()),
        b"querystring" => text(&exchange.query().unwrap_or_default()),
        b"query" => {
            let query = exchange.query().unwrap_or_default();
            fields_table(lua, forms::urlencoded(&query))
        }
        b"scheme" => text(exchange.scheme().as_bytes()),
        b"host" => text(crate::hosts::strip_port(exchange.authority()).as_bytes()),
        b"port" => Ok(Value::Integer(i64::from(exchange.local.port()))),
        b"params" => params(lua, exchange),
        b"headers" => headers(lua, exchange),
        b"cookies" => {
            let cookies = head.all(&COOKIE).flat_map(forms::cookies);
            fields_table(lua, cookies.collect())
        }
        b"remote_addr" => text(exchange.peer.ip().to_canonical().to_string().as_bytes()),
        b"remote_port" => Ok(Value::Integer(i64::from(exchange.peer.port()))),
        b"id" => text(exchange.id().as_bytes()),
        b"start_time" => Ok(Value::Number(exchange.start_time().as_secs_f64())),
        _ => Ok(Value::Nil),
    }
}

/// What scripts set on `request`, made when first asked for.
fn fields_of(lua: &Lua, exchange: &Exchange) -> Result<Table> {
    if let Some(fields) = &*exchange.fields.borrow() {
        return Ok(fields.clone());
    }
    let fields = lua.create_table()?;
    *exchange.fields.borrow_mut() = Some(fields.clone());
    Ok(fields)
}

fn params(lua: &Lua, exchange: &Exchange) -> Result<Value> {
    let table = lua.create_table()?;
    for (name, value) in exchange.params.borrow().iter() {
        table.raw_set(&**name, lua.create_string(value)?)?;
    }
    Ok(Value::Table(table))
}

/// By lower-case name; those that came more than once are joined, as HTTP has it.
fn headers(lua: &Lua, exchange: &Exchange) -> Result<Value> {
    let table = lua.create_table()?;
    let mut joined: Vec<(String, Vec<u8>)> = Vec::new();
    exchange.each_field(|name, value| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let between: &[u8] = if name == COOKIE.as_str() {
            b"; "
        } else {
            b", "
        };
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.extend_from_slice(between);
                values.extend_from_slice(value);
            }
            None => joined.push((name, value.to_vec())),
        }
    });
    for (name, values) in joined {
        table.raw_set(name, lua.create_string(values)?)?;
    }
    Ok(Value::Table(table))
}

/// Names to values; a name that came more than once has a list.
fn fields_table(lua: &Lua, fields: Vec<forms::Field>) -> Result<Value> {
    let table = lua.create_table()?;
    for (name, value) in fields {
        let value = Value::String(lua.create_string(value)?);
        add_field(lua, &table, &name, value)?;
    }
    Ok(Value::Table(table))
}

/// Adds a value to those of a name; a name that comes more than once has a list.
pub fn add_field(lua: &Lua, table: &Table, name: &[u8], value: Value) -> Result<()> {
    let name = lua.create_string(name)?;
    match table.raw_get::<Value>(&name)? {
        Value::Nil => table.raw_set(&name, value),
        // A file is a table too: a list is told by its first element.
        Value::Table(list) if list.raw_len() > 0 => list.raw_set(list.raw_len() as i64 + 1, value),
        one => {
            let list = lua.create_table()?;
            list.raw_set(1, one)?;
            list.raw_set(2, value)?;
            table.raw_set(&name, list)
        }
    }
}

fn body_failed(error: BodyError) -> Error {
    Error::runtime(error.message())
}

/// All of the body that has not been given out yet.
async fn read_body(lua: &Lua, exchange: &Exchange) -> Result<LuaString> {
    while let Some(data) = exchange.next_bytes().await.map_err(body_failed)? {
        exchange.keep(&data).map_err(body_failed)?;
    }
    lua.create_string(exchange.give(usize::MAX))
}

/// Up to `count` bytes of the body, at least one; nil at its end.
async fn read_some(lua: &Lua, exchange: &Exchange, count: Option<i64>) -> Result<Value> {
    let count = usize::try_from(count.unwrap_or(64 << 10).max(1)).unwrap_or(usize::MAX);
    while exchange.buffered.borrow().is_empty() {
        match exchange.next_bytes().await.map_err(body_failed)? {
            Some(data) => exchange.keep(&data).map_err(body_failed)?,
            None => return Ok(Value::Nil),
        }
    }
    lua.create_string(exchange.give(count)).map(Value::String)
}

/// The form in a body, urlencoded or multipart; an empty table for anything else.
fn form(lua: &Lua, exchange: &Exchange, body: &[u8]) -> Result<Value> {
    let content_type = exchange.head.first(&CONTENT_TYPE).unwrap_or_default();
    let parts = match forms::of(content_type, body) {
        forms::Form::Fields(fields) => return fields_table(lua, fields),
        forms::Form::Parts(parts) => parts,
        forms::Form::None => Vec::new(),
    };
    let table = lua.create_table()?;
    for part in parts {
        let value = match file_table(lua, &part)? {
            None => Value::String(lua.create_string(part.content)?),
            Some(file) => Value::Table(file),
        };
        add_field(lua, &table, &part.name, value)?;
    }
    Ok(Value::Table(table))
}

/// A part that is a file: its name, content type and content.
pub fn file_table(lua: &Lua, part: &forms::Part<'_>) -> Result<Option<Table>> {
    let Some(filename) = &part.filename else {
        return Ok(None);
    };
    let file = lua.create_table()?;
    file.raw_set("filename", lua.create_string(filename)?)?;
    if let Some(content_type) = part.content_type {
        file.raw_set("content_type", lua.create_string(content_type)?)?;
    }
    file.raw_set("content", lua.create_string(part.content)?)?;
    Ok(Some(file))
}

fn install_response(tools: &Tools<'_>) -> Result<()> {
    tools.add("get_status", |_, exchange, ()| {
        let status = exchange.out.borrow().status;
        Ok(i64::from(status.map_or(200, |status| status.as_u16())))
    })?;
    tools.add("set_status", |_, exchange, status: Value| match status {
        Value::Integer(status) => exchange.set_status(status).map(|()| true),
        other => Err(Error::runtime(format!(
            "a status is a whole number, not a {}",
            other.type_name()
        ))),
    })?;
    tools.add("get_header", |lua, exchange, name: LuaString| {
        let out = exchange.out.borrow();
        let name = name.as_bytes();
        let name = std::str::from_utf8(&name).unwrap_or_default();
        match out.headers.get(name) {
            Some(value) => lua.create_string(value.as_bytes()).map(Value::String),
            None => Ok(Value::Nil),
        }
    })?;
    for (function, append) in [("set_header", false), ("add_header", true)] {
        tools.add(
            function,
            move |_, exchange, (name, value): (LuaString, Option<LuaString>)| {
                let value = value.as_ref().map(|value| value.as_bytes());
                exchange
                    .set_header(&name.as_bytes(), value.as_deref(), append)
                    .map(|()| true)
            },
        )?;
    }
    tools.add("write", |_, exchange, text: LuaString| {
        exchange.write(text.as_bytes().to_vec()).map(|()| true)
    })?;
    tools.add_async("flush", |_, exchange, ()| async move {
        exchange.flush().await.map(|()| true)
    })
}
