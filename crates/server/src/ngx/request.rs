//! `ngx.req`: the request, read and changed.
//!
//! **Invariant:** what is changed is what later phases, `ngx.var`, `request` and captures see; the bytes that came are still in `raw_header`.

use super::control::arguments_text;
use super::header::{header_text, headers_table, insensitive};
use super::{ALL, Adding, text};
use crate::exchange::{BodyError, Ending, Exchange, Phase};
use bytes::Bytes;
use http::{Method, Version};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};
use rille_modules::answer::{no, type_name};
use rille_modules::ngx::args::{self, DEFAULT_PAIRS, Decoded, TRUNCATED};
use rille_modules::ngx::constants::METHODS;
use rille_modules::ngx::escape::{Kind, escape};
use std::future::pending;
use std::rc::Rc;

pub(super) fn table(adding: &Adding<'_>) -> Result<Table> {
    let req = adding.lua.create_table()?;
    line(adding, &req)?;
    arguments(adding, &req)?;
    headers(adding, &req)?;
    body(adding, &req)?;
    making(adding, &req)?;
    let package: Table = adding.lua.globals().raw_get("package")?;
    // `require "ngx.req"` has add_header.
    (package.raw_get::<Table>("loaded")?).raw_set("ngx.req", &req)?;
    Ok(req)
}

/// A method by the number that `ngx` gives it.
pub(super) fn method(number: i64) -> Result<Method> {
    METHODS
        .iter()
        .find(|(_, known)| *known == number)
        .and_then(|(name, _)| Method::from_bytes(name.as_bytes()).ok())
        .ok_or_else(|| Error::runtime(format!("unsupported HTTP method: {number}")))
}

/// A decoded path as one that can stand in a request line.
pub(super) fn encode_path(path: &[u8]) -> Vec<u8> {
    escape(path, Kind::Uri)
}

fn line(adding: &Adding<'_>, req: &Table) -> Result<()> {
    adding.add(req, "is_internal", |_, exchange, ()| {
        Ok(exchange.ngx.is_internal.get())
    })?;
    adding.add(req, "start_time", |_, exchange, ()| {
        Ok(exchange.start_time().as_millis() as f64 / 1000.0)
    })?;
    adding.add(req, "http_version", |_, exchange, ()| {
        Ok(match exchange.head.version {
            Version::HTTP_2 => 2.0,
            Version::HTTP_11 => 1.1,
            _ => 1.0,
        })
    })?;
    adding.add(req, "raw_header", |lua, exchange, no_line: Option<bool>| {
        if exchange.head.version == Version::HTTP_2 {
            return Err(Error::runtime("http2 requests not supported yet"));
        }
        let raw = exchange.head.raw();
        let skipped = match no_line {
            Some(true) => memchr::memmem::find(raw, b"\r\n").map_or(0, |at| at + 2),
            _ => 0,
        };
        lua.create_string(&raw[skipped..])
    })?;
    adding.add(req, "get_method", |lua, exchange, ()| {
        lua.create_string(exchange.method().as_str())
    })?;
    adding.add(req, "set_method", |_, exchange, number: Value| {
        let Value::Integer(number) = number else {
            return Err(Error::runtime("bad method number"));
        };
        let method = method(number)?;
        exchange.change(|changed| changed.method = Some(method));
        Ok(())
    })?;
    let here = adding.current.clone();
    let set_uri = move |_: Lua, (uri, jump, _binary): (LuaString, Option<bool>, Option<bool>)| {
        let done = super::exchange(&here).and_then(|exchange| {
            let jump = jump.unwrap_or(false);
            if jump && exchange.phase.get() != Phase::Rewrite {
                return Err(super::disabled(&format!(
                    "{}_by_lua*",
                    exchange.phase.get().name()
                )));
            }
            let uri = uri.as_bytes();
            if uri.is_empty() {
                return Err(Error::runtime(
                    "attempt to use zero-length uri",
                ));
            }
            if let Some(byte) = uri.iter().find(|byte| **byte < 0x20 || **byte == 0x7f) {
                return Err(Error::runtime(format!(
                    "unsafe byte \"0x{byte:02x}\" in uri \"{}\" (maybe you want to set the 'binary' argument?)",
                    uri.escape_ascii()
                )));
            }
            if uri.first() != Some(&b'/') {
                return Err(Error::runtime("the uri does not begin with '/'"));
            }
            // A question mark is a character of the path: arguments are set by themselves.
            let path = encode_path(&uri);
            exchange.change(|changed| changed.path = Some(path));
            if jump {
                exchange.end(Ending::Jump {
                    fresh: true,
                    to: None,
                });
            }
            Ok(jump)
        });
        async move {
            match done? {
                true => pending::<Result<()>>().await,
                false => Ok(()),
            }
        }
    };
    req.raw_set("set_uri", adding.lua.create_async_function(set_uri)?)
}

fn decoded(lua: &Lua, decoded: Decoded, given: Option<Table>) -> Result<MultiValue> {
    let table = match given {
        Some(table) => {
            table.clear()?;
            args::fill(lua, &table, decoded.pairs)?;
            table
        }
        None => args::table(lua, decoded.pairs)?,
    };
    let mut values = vec![Value::Table(table)];
    if decoded.truncated {
        values.push(Value::String(lua.create_string(TRUNCATED)?));
    }
    Ok(MultiValue::from_vec(values))
}

fn arguments(adding: &Adding<'_>, req: &Table) -> Result<()> {
    adding.add(
        req,
        "get_uri_args",
        |lua, exchange, (max, given): (Option<i64>, Option<Table>)| {
            let max = match max {
                None | Some(..0) => DEFAULT_PAIRS,
                Some(max) => max as usize,
            };
            let query = exchange.query().unwrap_or_default();
            decoded(lua, args::decode_query(&query, max), given)
        },
    )?;
    adding.add(req, "set_uri_args", |lua, exchange, arguments: Value| {
        let query = match &arguments {
            Value::Nil => {
                return Err(Error::runtime(
                    "bad argument #1 to 'set_uri_args' (string, number, or table expected, but got nil)",
                ));
            }
            Value::Table(_) => arguments_text(lua, &arguments)?,
            _ => arguments_text(lua, &arguments)?.map(|text| escape(&text, Kind::RawArgs)),
        };
        exchange.change(|changed| changed.query = Some(query));
        Ok(())
    })?;
    adding.add(
        req,
        "get_post_args",
        |lua, exchange, (max, given): (Option<i64>, Option<Table>)| {
            let max = match max {
                None => DEFAULT_PAIRS,
                Some(..1) => 0,
                Some(max) => max as usize,
            };
            let Some(body) = exchange.ngx.body.borrow().clone() else {
                return Err(Error::runtime(
                    "no request body found; maybe you should turn on lua_need_request_body?",
                ));
            };
            decoded(lua, args::decode(&body, max), given)
        },
    )
}

fn headers(adding: &Adding<'_>, req: &Table) -> Result<()> {
    let meta = insensitive(adding.lua)?;
    adding.add(
        req,
        "get_headers",
        move |lua, exchange, (max, raw): (Option<i64>, Option<bool>)| {
            let mut all = Vec::new();
            exchange.each_field(|name, value| all.push((name.to_vec(), value.to_vec())));
            let all = all.iter().map(|(name, value)| (&name[..], &value[..]));
            headers_table(lua, all, max, raw.unwrap_or(false), &meta)
        },
    )?;
    adding.add(
        req,
        "set_header",
        |lua, exchange, (name, value): (LuaString, Value)| {
            let mut values = Vec::new();
            match &value {
                Value::Nil => {}
                Value::Table(list) => {
                    for value in list.clone().sequence_values::<Value>() {
                        values.push(header_text(lua, &value?)?);
                    }
                }
                one => values.push(header_text(lua, one)?),
            }
            set_header(exchange, &name.as_bytes(), values, false)
        },
    )?;
    adding.add(
        req,
        "add_header",
        |lua, exchange, (name, value): (LuaString, Value)| {
            let value = header_text(lua, &value)?;
            set_header(exchange, &name.as_bytes(), vec![value], true)
        },
    )?;
    adding.add(req, "clear_header", |_, exchange, name: LuaString| {
        set_header(exchange, &name.as_bytes(), Vec::new(), false)
    })
}

/// The most header fields a script may make of a request.
pub(super) const MAX_FIELDS: usize = 1000;

fn set_header(
    exchange: &Rc<Exchange>,
    name: &[u8],
    values: Vec<Vec<u8>>,
    append: bool,
) -> Result<()> {
    let name = escape(name, Kind::HeaderName);
    let mut fields = Vec::new();
    exchange.each_field(|known, value| {
        if append || !known.eq_ignore_ascii_case(&name) {
            fields.push((known.to_vec(), value.to_vec()));
        }
    });
    for value in values {
        fields.push((name.clone(), escape(&value, Kind::HeaderValue)));
    }
    if fields.len() > MAX_FIELDS {
        return Err(Error::runtime("too many headers"));
    }
    exchange.change(|changed| changed.fields = Some(fields));
    Ok(())
}

/// Reads what is left of the body, once.
pub(super) async fn read_body(exchange: &Exchange) -> std::result::Result<(), BodyError> {
    if exchange.ngx.body.borrow().is_some() || exchange.upgrade.reads_body.get() {
        return Ok(());
    }
    while let Some(data) = exchange.next_bytes().await? {
        exchange.keep(&data)?;
    }
    let body = exchange.give(usize::MAX);
    *exchange.ngx.body.borrow_mut() = Some(body.into());
    Ok(())
}

fn body(adding: &Adding<'_>, req: &Table) -> Result<()> {
    adding.add_async(ALL, req, "read_body", |_, exchange, ()| async move {
        read_body(&exchange)
            .await
            .map_err(|error| Error::runtime(error.message()))
    })?;
    adding.add(req, "discard_body", |_, exchange, ()| {
        // What is left of it is passed over behind the response.
        *exchange.ngx.body.borrow_mut() = Some(Bytes::new());
        Ok(())
    })?;
    adding.add(
        req,
        "get_body_data",
        |lua, exchange, max: Option<i64>| match &*exchange.ngx.body.borrow() {
            Some(body) if !body.is_empty() => {
                let max = match max {
                    Some(max @ 1..) => (max as usize).min(body.len()),
                    _ => body.len(),
                };
                lua.create_string(&body[..max]).map(Value::String)
            }
            _ => Ok(Value::Nil),
        },
    )?;
    // A body is never in a file: the app's limit for bodies is what it may take of memory.
    adding.add(req, "get_body_file", |_, _, ()| Ok(Value::Nil))?;
    adding.add(req, "set_body_data", |lua, exchange, data: Value| {
        let Some(data) = text(lua, &data)? else {
            return Err(Error::runtime(format!(
                "bad argument #1 to 'set_body_data' (string expected, got {})",
                type_name(&data)
            )));
        };
        set_body(exchange, data)
    })?;
    adding.add(req, "set_body_file", |lua, _, _: LuaString| {
        no(lua, "an app has no files to send")
    })
}

fn set_body(exchange: &Rc<Exchange>, data: Vec<u8>) -> Result<()> {
    if data.len() as u64 > exchange.body_limit {
        return Err(Error::runtime(BodyError::TooLarge.message()));
    }
    let length = data.len().to_string().into_bytes();
    *exchange.ngx.body.borrow_mut() = Some(data.into());
    set_header(exchange, b"Content-Length", vec![length], false)
}

/// A body piece by piece: `init_body`, `append_body`, `finish_body`.
fn making(adding: &Adding<'_>, req: &Table) -> Result<()> {
    adding.add(req, "init_body", |_, exchange, _size: Option<i64>| {
        *exchange.ngx.draft.borrow_mut() = Some(Vec::new());
        Ok(())
    })?;
    adding.add(req, "append_body", |_, exchange, data: LuaString| {
        let mut draft = exchange.ngx.draft.borrow_mut();
        let Some(draft) = &mut *draft else {
            return Err(Error::runtime("not started yet"));
        };
        let data = data.as_bytes();
        if (draft.len() + data.len()) as u64 > exchange.body_limit {
            return Err(Error::runtime(BodyError::TooLarge.message()));
        }
        draft.extend_from_slice(&data);
        Ok(())
    })?;
    adding.add(req, "finish_body", |_, exchange, ()| {
        let draft = exchange.ngx.draft.take();
        match draft {
            Some(draft) => set_body(exchange, draft),
            None => Err(Error::runtime("not started yet")),
        }
    })
}
