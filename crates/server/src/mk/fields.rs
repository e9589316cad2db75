//! What is in `mk.request`, and its parsers.
//!
//! **Invariant:** queries, forms and cookies are read by `forms`, as they are for `request`. What is parsed has been charged for.

use super::{Adding, BYTES_FOR_FUEL};
use crate::exchange::Exchange;
use crate::forms;
use crate::hosts::strip_port;
use http::header::{CONTENT_TYPE, COOKIE};
use rille_lua::{Lua, LuaString, Result, Table, Value};
use rille_runtime::route::percent_decode;
use std::rc::Rc;

/// What the server calls itself.
pub(super) const SOFTWARE: &str = concat!("Rille/", env!("CARGO_PKG_VERSION"));

pub(super) fn install(adding: &Adding<'_>) -> Result<()> {
    adding.add("fields", |lua, exchange, ()| fields(lua, exchange))?;
    adding.add("parse", |lua, _, text: LuaString| {
        let text = text.as_bytes();
        charge(lua, &text);
        let mut parsed = Parsed::new(lua)?;
        for (name, value) in forms::urlencoded(&text) {
            parsed.add(lua, &name, &value)?;
        }
        Ok((parsed.first, parsed.all))
    })?;
    adding.add("form", |lua, exchange, body: LuaString| {
        form(lua, exchange, &body.as_bytes())
    })?;
    adding.add("get_cookies", |lua, exchange, ()| {
        let table = lua.create_table()?;
        for (name, value) in exchange.head.all(&COOKIE).flat_map(forms::cookies) {
            let name = lua.create_string(name)?;
            if table.raw_get::<Value>(&name)?.is_nil() {
                table.raw_set(name, lua.create_string(value)?)?;
            }
        }
        Ok(table)
    })
}

fn charge(lua: &Lua, text: &[u8]) {
    lua.charge_fuel((text.len() / BYTES_FOR_FUEL) as u64);
}

/// `mk.request` without what needs waiting.
fn fields(lua: &Lua, exchange: &Rc<Exchange>) -> Result<Table> {
    let app = exchange.served.vm.app();
    let content = app.target(exchange.target.get()).content;
    let (path, query) = (exchange.path(), exchange.query());
    let uri = match &query {
        Some(query) => [&path[..], b"?", &query[..]].concat(),
        None => path.clone(),
    };
    let mut host = strip_port(exchange.head.authority()).to_ascii_lowercase();
    if host.is_empty() {
        host = app.name().to_owned();
    }
    let script = percent_decode(&path);
    let (server, client) = (address(exchange.local), address(exchange.peer));
    let file = format!("/{}", app.file(content).path);
    let method = exchange.method();
    let table = lua.create_table_with_capacity(0, 20)?;
    let texts: [(&str, &[u8]); 11] = [
        ("server_software", SOFTWARE.as_bytes()),
        // Paths are those of the app: it sees none of the host's.
        ("document_root", b"/"),
        ("server_protocol", exchange.head.protocol().as_bytes()),
        ("server_name", host.as_bytes()),
        ("server_addr", server.as_bytes()),
        ("script_name", &script),
        ("request_method", method.as_str().as_bytes()),
        ("remote_addr", client.as_bytes()),
        ("request_uri", &uri),
        ("query_string", query.as_deref().unwrap_or_default()),
        ("script_filename", file.as_bytes()),
    ];
    for (name, text) in texts {
        table.raw_set(name, lua.create_string(text)?)?;
    }
    table.raw_set("server_port", exchange.local.port())?;
    table.raw_set("remote_port", exchange.peer.port())?;
    table.raw_set("headers", headers(lua, exchange)?)?;
    Ok(table)
}

fn address(address: std::net::SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}

/// By `HTTP_NAME`; those that came more than once are joined, as HTTP has it.
fn headers(lua: &Lua, exchange: &Exchange) -> Result<Table> {
    let mut joined: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    exchange.each_field(|name, value| {
        let name: Vec<u8> = (b"HTTP_".iter())
            .chain(name)
            .map(|byte| match byte {
                b'-' => b'_',
                byte => byte.to_ascii_uppercase(),
            })
            .collect();
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((name, values)) => {
                let is_cookie = *name == b"HTTP_COOKIE";
                values.extend_from_slice(if is_cookie { b"; " } else { b", " });
                values.extend_from_slice(value);
            }
            None => joined.push((name, value.to_vec())),
        }
    });
    let table = lua.create_table_with_capacity(0, joined.len())?;
    for (name, values) in joined {
        table.raw_set(lua.create_string(name)?, lua.create_string(values)?)?;
    }
    Ok(table)
}

/// What the parsers return.
struct Parsed {
    /// Name to first value.
    first: Table,
    /// Name to a list of all values.
    all: Table,
}

impl Parsed {
    fn new(lua: &Lua) -> Result<Parsed> {
        Ok(Parsed {
            first: lua.create_table()?,
            all: lua.create_table()?,
        })
    }

    fn add(&mut self, lua: &Lua, name: &[u8], value: &[u8]) -> Result<()> {
        let value = lua.create_string(value)?;
        let name = lua.create_string(name)?;
        if self.first.raw_get::<Value>(&name)?.is_nil() {
            self.first.raw_set(&name, &value)?;
        }
        append(lua, &self.all, &name, Value::String(value))
    }
}

/// Adds a value to the list of a name.
fn append(lua: &Lua, lists: &Table, name: &LuaString, value: Value) -> Result<()> {
    match lists.raw_get::<Value>(name)? {
        Value::Table(list) => list.raw_set(list.raw_len() as i64 + 1, value),
        _ => {
            let list = lua.create_table()?;
            list.raw_set(1, value)?;
            lists.raw_set(name, list)
        }
    }
}

/// The form in a body, urlencoded or multipart: first values, all values, files. A file's content is among the values too.
fn form(lua: &Lua, exchange: &Exchange, body: &[u8]) -> Result<(Table, Table, Table)> {
    charge(lua, body);
    let mut parsed = Parsed::new(lua)?;
    let files = lua.create_table()?;
    match forms::of(exchange.head.first(&CONTENT_TYPE).unwrap_or_default(), body) {
        forms::Form::Fields(fields) => {
            for (name, value) in fields {
                parsed.add(lua, &name, &value)?;
            }
        }
        forms::Form::Parts(parts) => {
            for part in parts {
                parsed.add(lua, &part.name, part.content)?;
                if let Some(file) = crate::bindings::file_table(lua, &part)? {
                    append(
                        lua,
                        &files,
                        &lua.create_string(&part.name)?,
                        Value::Table(file),
                    )?;
                }
            }
        }
        forms::Form::None => {}
    }
    Ok((parsed.first, parsed.all, files))
}
