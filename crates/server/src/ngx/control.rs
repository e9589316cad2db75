//! `ngx.exit`, `ngx.exec`, `ngx.redirect`, `ngx.get_phase`, `ngx.log`, `ngx.ctx`, `ngx.arg`, `ngx.worker`.
//!
//! What ends a phase notes how it ended and then waits for what never comes: the pipeline sees the note, and no `pcall` can.

use super::header;
use super::{ALL, Adding, OUTPUT, check, complain, exchange, text};
use crate::exchange::{Beside, Ending, Exchange, Phase};
use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use rille_lua::{Error, Lua, LuaString, Result, Table, Value, Variadic};
use rille_modules::answer::type_name;
use rille_modules::bad_argument;
use rille_modules::ngx::{args, logged};
use rille_runtime::vm::{AppVm, Background, Current};
use std::future::pending;
use std::rc::Rc;

/// The phases that may end.
const EXITS: &[Phase] = &[
    Phase::Rewrite,
    Phase::Access,
    Phase::Content,
    Phase::HeaderFilter,
];

const REDIRECTS: [i64; 5] = [301, 302, 303, 307, 308];

pub(super) fn install(
    adding: &Adding<'_>,
    ngx: &Table,
    vm: &Rc<AppVm>,
    (worker, workers): (usize, usize),
) -> Result<()> {
    let lua = adding.lua;
    let current = adding.current.clone();
    let exit = move |_: Lua, code: i64| {
        let noted = note_exit(&current, code);
        async move {
            noted?;
            pending::<Result<()>>().await
        }
    };
    ngx.raw_set("exit", lua.create_async_function(exit)?)?;
    adding.add_async(
        OUTPUT,
        ngx,
        "redirect",
        |_, exchange, (uri, status): (LuaString, Option<i64>)| {
            let noted = redirect(&exchange, &uri.as_bytes(), status);
            async move {
                noted?;
                pending::<Result<()>>().await
            }
        },
    )?;
    adding.add_async(
        OUTPUT,
        ngx,
        "exec",
        |lua, exchange, (uri, arguments): (LuaString, Value)| {
            let noted = exec(&lua, &exchange, &uri.as_bytes(), arguments);
            async move {
                noted?;
                pending::<Result<()>>().await
            }
        },
    )?;
    let current = adding.current.clone();
    let phase = move |_: &Lua, ()| {
        let context = current.context();
        let context = context.ok_or_else(|| Error::runtime("no request found"))?;
        Ok(context.phase())
    };
    ngx.raw_set("get_phase", lua.create_function(phase)?)?;
    let log = vm.log().clone();
    let write = move |lua: &Lua, (level, values): (i64, Variadic<Value>)| {
        let level = logged(level)?;
        let mut line = Vec::new();
        for (at, value) in (1..).zip(values.iter()) {
            log_text(lua, &mut line, value, at)?;
        }
        log.script(level, &String::from_utf8_lossy(&line));
        Ok(())
    };
    ngx.raw_set("log", lua.create_function(write)?)?;
    ngx.raw_set("worker", worker_table(lua, vm, worker, workers)?)?;
    ngx.raw_set("config", config_table(lua)?)?;
    let (arg, meta) = (lua.create_table()?, lua.create_table()?);
    adding.add(
        &meta,
        "__index",
        |lua, exchange, (_, key): (Value, Value)| {
            check_arg(exchange)?;
            let arg = exchange.ngx.arg.borrow();
            match key {
                Value::Integer(1) => lua.create_string(&arg.0).map(Value::String),
                Value::Integer(2) => Ok(Value::Boolean(arg.1)),
                _ => Ok(Value::Nil),
            }
        },
    )?;
    adding.add(
        &meta,
        "__newindex",
        |lua, exchange, (_, key, value): (Value, Value, Value)| {
            check_arg(exchange)?;
            let mut arg = exchange.ngx.arg.borrow_mut();
            match (key, value) {
                (Value::Integer(1), Value::Nil) => arg.0 = Bytes::new(),
                (Value::Integer(1), value) => arg.0 = piece(lua, &value)?.into(),
                (Value::Integer(2), value) => {
                    arg.1 = !matches!(value, Value::Nil | Value::Boolean(false));
                }
                _ => {
                    return Err(Error::runtime(
                        "attempt to write to ngx.arg outside of 1 and 2",
                    ));
                }
            }
            Ok(())
        },
    )?;
    arg.set_metatable(Some(meta))?;
    ngx.raw_set("arg", arg)
}

/// `ngx.arg` is a body filter's.
fn check_arg(exchange: &Exchange) -> Result<()> {
    match exchange.phase.get() {
        Phase::BodyFilter => Ok(()),
        _ => Err(Error::runtime("API disabled in the current context")),
    }
}

/// A piece of a body: a text, or a table of them.
fn piece(lua: &Lua, value: &Value) -> Result<Vec<u8>> {
    if let Some(text) = text(lua, value)? {
        return Ok(text);
    }
    let Value::Table(list) = value else {
        return Err(Error::runtime(format!(
            "bad chunk data type: {}",
            type_name(value)
        )));
    };
    let mut bytes = Vec::new();
    pieces(lua, &mut bytes, list, 0)?;
    Ok(bytes)
}

/// The deepest nesting of tables that are a piece.
const MAX_NESTING: u32 = 64;

fn pieces(lua: &Lua, bytes: &mut Vec<u8>, list: &Table, depth: u32) -> Result<()> {
    for part in list.clone().sequence_values::<Value>() {
        match part? {
            Value::Table(inner) if depth < MAX_NESTING => pieces(lua, bytes, &inner, depth + 1)?,
            part => match text(lua, &part)? {
                Some(text) => bytes.extend_from_slice(&text),
                None => {
                    let kind = type_name(&part);
                    return Err(Error::runtime(format!("bad chunk data type: {kind}")));
                }
            },
        }
    }
    Ok(())
}

fn log_text(lua: &Lua, line: &mut Vec<u8>, value: &Value, at: usize) -> Result<()> {
    match value {
        Value::Nil => line.extend_from_slice(b"nil"),
        Value::Boolean(value) => line.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::LightUserData(pointer) if pointer.0.is_null() => line.extend_from_slice(b"null"),
        value => match text(lua, value)? {
            Some(text) => line.extend_from_slice(&text),
            None => {
                let meta = match value {
                    Value::Table(table) => table.metatable(),
                    _ => None,
                };
                let method: Value = match meta {
                    Some(meta) => meta.raw_get("__tostring")?,
                    None => Value::Nil,
                };
                let Value::Function(method) = method else {
                    return Err(bad_argument(
                        at,
                        "expected table to have __tostring metamethod",
                    ));
                };
                let text: LuaString = method.call(value)?;
                line.extend_from_slice(&text.as_bytes());
            }
        },
    }
    Ok(())
}

fn note_exit(current: &Rc<Current>, code: i64) -> Result<()> {
    if let Some(background) = current.get::<Background>() {
        background.exit();
        return Ok(());
    }
    let exchange = exchange(current)?;
    check(&exchange, EXITS)?;
    match current.get::<Beside>() {
        Some(beside) => beside.exit(),
        None => exchange.end(Ending::Exit(code)),
    }
    Ok(())
}

fn redirect(exchange: &Rc<Exchange>, uri: &[u8], status: Option<i64>) -> Result<()> {
    let status = status.unwrap_or(302);
    if !REDIRECTS.contains(&status) {
        return Err(Error::runtime(
            "only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed",
        ));
    }
    if exchange.out.borrow().said {
        return Err(Error::runtime(
            "attempt to call ngx.redirect after sending out the headers",
        ));
    }
    if let Some(byte) = uri.iter().find(|byte| **byte < 0x20 || **byte == 0x7f) {
        return Err(Error::runtime(format!(
            "unsafe byte \"0x{byte:02x}\" in redirect uri \"{}\"",
            uri.escape_ascii()
        )));
    }
    let location =
        HeaderValue::from_bytes(uri).map_err(|_| Error::runtime("unsafe redirect uri"))?;
    (exchange.out.borrow_mut().headers).insert(LOCATION, location);
    exchange.end(Ending::Exit(status));
    Ok(())
}

fn exec(lua: &Lua, exchange: &Rc<Exchange>, uri: &[u8], arguments: Value) -> Result<()> {
    if exchange.out.borrow().said {
        return Err(Error::runtime(
            "attempt to call ngx.exec after sending out response headers",
        ));
    }
    if uri.first() == Some(&b'@') {
        return exec_named(exchange, uri);
    }
    let (path, query) = target(lua, uri, &arguments)?;
    exchange.change(|changed| {
        changed.path = Some(path);
        changed.query = Some(query);
    });
    exchange.end(Ending::Jump {
        fresh: true,
        to: None,
    });
    Ok(())
}

/// A route by its name: the path and the arguments stay as they are.
fn exec_named(exchange: &Rc<Exchange>, name: &[u8]) -> Result<()> {
    let router = &exchange.served.vm.app().router;
    let name = String::from_utf8_lossy(name);
    let Some(target) = router.find_named(&name) else {
        complain(
            exchange,
            format_args!("could not find named location \"{name}\""),
        );
        exchange.end(Ending::Exit(500));
        return Ok(());
    };
    exchange.end(Ending::Jump {
        fresh: true,
        to: Some(target),
    });
    Ok(())
}

/// The path, encoded, and the query of a URI with further arguments.
pub(super) fn target(
    lua: &Lua,
    uri: &[u8],
    arguments: &Value,
) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let (path, query) = split(uri)?;
    let query = match (query, arguments_text(lua, arguments)?) {
        (Some(query), Some(more)) if !query.is_empty() => Some([query, b"&", &more].concat()),
        (_, Some(more)) => Some(more),
        (query, None) => query.map(<[u8]>::to_vec),
    };
    Ok((super::request::encode_path(path), query))
}

/// A URI that begins with `/`: its path and what follows the question mark.
fn split(uri: &[u8]) -> Result<(&[u8], Option<&[u8]>)> {
    let at = uri.iter().position(|byte| *byte == b'?');
    let (path, query) = match at {
        Some(at) => (&uri[..at], Some(&uri[at + 1..])),
        None => (uri, None),
    };
    match path.first() {
        Some(b'/') => Ok((path, query)),
        _ => Err(Error::runtime("the uri does not begin with '/'")),
    }
}

/// Arguments, a text or a table of them; `None` for nil.
pub(super) fn arguments_text(lua: &Lua, arguments: &Value) -> Result<Option<Vec<u8>>> {
    match arguments {
        Value::Nil => Ok(None),
        Value::Table(table) => args::encode(lua, table).map(Some),
        value => match text(lua, value)? {
            Some(text) => Ok(Some(text)),
            None => Err(Error::runtime(format!(
                "string, number, or table expected, but got {}",
                type_name(value)
            ))),
        },
    }
}

fn worker_table(lua: &Lua, vm: &Rc<AppVm>, worker: usize, count: usize) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("id", lua.create_function(move |_, ()| Ok(worker as i64))?)?;
    let pid = std::process::id();
    table.raw_set("pid", lua.create_function(move |_, ()| Ok(i64::from(pid)))?)?;
    table.raw_set(
        "pids",
        lua.create_function(move |lua, ()| lua.create_sequence_from([i64::from(pid)]))?,
    )?;
    let weak = Rc::downgrade(vm);
    let exiting =
        move |_: &Lua, ()| Ok(weak.upgrade().is_none_or(|vm: Rc<AppVm>| vm.is_stopping()));
    table.raw_set("exiting", lua.create_function(exiting)?)?;
    table.raw_set("count", lua.create_function(move |_, ()| Ok(count as i64))?)?;
    Ok(table)
}

/// What code asks for to tell whose interface it meets.
fn config_table(lua: &Lua) -> Result<Table> {
    let config = lua.create_table()?;
    config.raw_set("subsystem", "http")?;
    config.raw_set("debug", false)?;
    config.raw_set("nginx_version", 1_027_001)?;
    config.raw_set("ngx_lua_version", 10_028)?;
    config.raw_set("prefix", lua.create_function(|_, ()| Ok("/"))?)?;
    config.raw_set("nginx_configure", lua.create_function(|_, ()| Ok(""))?)?;
    Ok(config)
}

/// The fields of `ngx` itself that are of a request.
pub(super) fn dynamic(adding: &Adding<'_>, ngx: &Table) -> Result<()> {
    let lua = adding.lua;
    let meta = lua.create_table()?;
    let current = adding.current.clone();
    let index = move |lua: &Lua, (_, name): (Value, Value)| {
        let Value::String(name) = name else {
            return Ok(Value::Nil);
        };
        let name = name.as_bytes();
        match &name[..] {
            b"ctx" => context_table(lua, &current).map(Value::Table),
            b"status" | b"headers_sent" => {
                Ok(header::field(&*exchange(&current)?, &name).unwrap_or(Value::Nil))
            }
            b"is_subrequest" => Ok(Value::Boolean(exchange(&current)?.ngx.depth.get() > 0)),
            _ => Ok(Value::Nil),
        }
    };
    meta.raw_set("__index", lua.create_function(index)?)?;
    let current = adding.current.clone();
    let newindex = move |lua: &Lua, (table, name, value): (Table, Value, Value)| {
        if let Value::String(text) = &name {
            match &text.as_bytes()[..] {
                b"ctx" => {
                    let Value::Table(ctx) = value else {
                        return Err(Error::runtime(format!(
                            "ctx should be a table while getting a {}",
                            type_name(&value)
                        )));
                    };
                    return set_context_table(&current, ctx);
                }
                b"status" => {
                    let exchange = exchange(&current)?;
                    check(&exchange, ALL)?;
                    return header::set_status(lua, &exchange, value);
                }
                _ => {}
            }
        }
        table.raw_set(name, value)
    };
    meta.raw_set("__newindex", lua.create_function(newindex)?)?;
    ngx.set_metatable(Some(meta))
}

fn context_table(lua: &Lua, current: &Rc<Current>) -> Result<Table> {
    if let Some(background) = current.get::<Background>() {
        return background.ctx(lua);
    }
    let exchange = exchange(current)?;
    if let Some(ctx) = &*exchange.ngx.ctx.borrow() {
        return Ok(ctx.clone());
    }
    let ctx = lua.create_table()?;
    *exchange.ngx.ctx.borrow_mut() = Some(ctx.clone());
    Ok(ctx)
}

fn set_context_table(current: &Rc<Current>, ctx: Table) -> Result<()> {
    if let Some(background) = current.get::<Background>() {
        background.set_ctx(ctx);
        return Ok(());
    }
    *exchange(current)?.ngx.ctx.borrow_mut() = Some(ctx);
    Ok(())
}
