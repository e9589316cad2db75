//! `ngx.header`, `ngx.status`, `ngx.headers_sent`, `ngx.resp`.

use super::capture::capitals;
use super::{Adding, complain, text};
use crate::bindings::add_field;
use crate::exchange::{Exchange, Phase};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};
use rille_modules::answer::type_name;
use rille_modules::ngx::escape::{Kind, escape};
use std::rc::Rc;

/// How many headers tables of them have if nothing else is said.
pub(super) const DEFAULT_HEADERS: usize = 100;

/// `ngx.status` or `ngx.headers_sent`.
pub(super) fn field(exchange: &Exchange, name: &[u8]) -> Option<Value> {
    let out = exchange.out.borrow();
    match name {
        b"status" => Some(Value::Integer(match out.status {
            Some(status) => i64::from(status.as_u16()),
            None if out.said || out.committed => 200,
            None => 0,
        })),
        b"headers_sent" => Some(Value::Boolean(out.said || out.committed)),
        _ => None,
    }
}

/// Sets `ngx.status`.
pub(super) fn set_status(lua: &Lua, exchange: &Exchange, value: Value) -> Result<()> {
    if is_late(exchange) {
        complain(
            exchange,
            format_args!("attempt to set ngx.status after sending out response headers"),
        );
        return Ok(());
    }
    // A fraction is cut off.
    let status = lua.coerce_number(value)?;
    let status = status
        .filter(|status| (0.0..=999.0).contains(status))
        .map(|status| status as u16)
        .and_then(|status| StatusCode::from_u16(status).ok());
    match status {
        Some(status) => exchange.out.borrow_mut().status = Some(status),
        None => {
            return Err(Error::runtime(
                "bad argument (a status from 100 to 999 expected)",
            ));
        }
    }
    Ok(())
}

fn is_late(exchange: &Exchange) -> bool {
    if exchange.phase.get() == Phase::HeaderFilter {
        return false;
    }
    let out = exchange.out.borrow();
    out.said || out.committed
}

pub(super) fn install(adding: &Adding<'_>, ngx: &Table) -> Result<()> {
    let lua = adding.lua;
    let (header, meta) = (lua.create_table()?, lua.create_table()?);
    adding.add(
        &meta,
        "__index",
        |lua, exchange, (_, name): (Value, Value)| match text(lua, &name)? {
            Some(name) => get(lua, exchange, &name),
            None => Ok(Value::Nil),
        },
    )?;
    adding.add(
        &meta,
        "__newindex",
        |lua, exchange, (_, name, value): (Value, Value, Value)| {
            let Some(name) = text(lua, &name)? else {
                return Err(Error::runtime("the name of a header is a string"));
            };
            set(lua, exchange, &name, value, false)
        },
    )?;
    header.set_metatable(Some(meta))?;
    ngx.raw_set("header", header)?;

    let resp = lua.create_table()?;
    let insensitive = insensitive(lua)?;
    adding.add(
        &resp,
        "get_headers",
        move |lua, exchange, (max, raw): (Option<i64>, Option<bool>)| {
            let mut all = Vec::new();
            {
                let out = exchange.out.borrow();
                // Their names as they are usually written, should they not be made small.
                for (name, value) in &out.headers {
                    let name = capitals(name.as_str().as_bytes());
                    all.push((name, value.as_bytes().to_vec()));
                }
                if let Some(length) = out.length {
                    all.push((b"Content-Length".to_vec(), length.to_string().into_bytes()));
                }
            }
            let all = all
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice()));
            headers_table(lua, all, max, raw.unwrap_or(false), &insensitive)
        },
    )?;
    adding.add(
        &resp,
        "add_header",
        |lua, exchange, (name, value): (LuaString, Value)| {
            set(lua, exchange, &name.as_bytes(), value, true)
        },
    )?;
    let loaded: Table = lua
        .globals()
        .raw_get::<Table>("package")?
        .raw_get("loaded")?;
    // `require "ngx.resp"` has add_header.
    loaded.raw_set("ngx.resp", &resp)?;
    ngx.raw_set("resp", resp)
}

/// A metatable that finds headers whatever their case, `_` for `-`.
pub(super) fn insensitive(lua: &Lua) -> Result<Table> {
    let meta = lua.create_table()?;
    let index = lua.create_function(|lua, (table, name): (Table, Value)| {
        let Some(name) = text(lua, &name)? else {
            return Ok(Value::Nil);
        };
        let plain: Vec<u8> = name.iter().map(plain).collect();
        match plain == name {
            true => Ok(Value::Nil),
            false => table.raw_get(lua.create_string(plain)?),
        }
    })?;
    meta.raw_set("__index", index)?;
    Ok(meta)
}

fn plain(byte: &u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

/// A table of headers, and "truncated" if there are more than `max` (100 if not said, 0: all there are).
pub(super) fn headers_table<'a>(
    lua: &Lua,
    all: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    max: Option<i64>,
    raw: bool,
    meta: &Table,
) -> Result<MultiValue> {
    let max = match max {
        None | Some(..0) => DEFAULT_HEADERS,
        Some(0) => usize::MAX,
        Some(max) => max as usize,
    };
    let table = lua.create_table()?;
    let mut truncated = false;
    for (at, (name, value)) in all.enumerate() {
        if at == max {
            truncated = true;
            break;
        }
        let value = Value::String(lua.create_string(value)?);
        match raw {
            true => add_field(lua, &table, name, value)?,
            false => add_field(lua, &table, &name.to_ascii_lowercase(), value)?,
        }
    }
    if !raw {
        table.set_metatable(Some(meta.clone()))?;
    }
    let mut values = vec![Value::Table(table)];
    if truncated {
        values.push(Value::String(lua.create_string("truncated")?));
    }
    Ok(MultiValue::from_vec(values))
}

fn get(lua: &Lua, exchange: &Rc<Exchange>, name: &[u8]) -> Result<Value> {
    let name: Vec<u8> = name.iter().map(plain).collect();
    let out = exchange.out.borrow();
    if name == b"content-length" {
        return match out.length {
            Some(length) => lua.create_string(length.to_string()).map(Value::String),
            None => Ok(Value::Nil),
        };
    }
    let Ok(name) = HeaderName::from_bytes(&name) else {
        return Ok(Value::Nil);
    };
    let mut values = out.headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(Value::Nil);
    };
    let first = Value::String(lua.create_string(first.as_bytes())?);
    let mut list = vec![first];
    for value in values {
        list.push(Value::String(lua.create_string(value.as_bytes())?));
    }
    match list.len() {
        1 => Ok(list.remove(0)),
        _ => lua.create_sequence_from(list).map(Value::Table),
    }
}

/// Sets a header or, with `append`, adds one. nil and an empty table remove it.
fn set(lua: &Lua, exchange: &Rc<Exchange>, name: &[u8], value: Value, append: bool) -> Result<()> {
    let name: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == b'_' { b'-' } else { *byte })
        .collect();
    let name = escape(&name, Kind::HeaderName);
    if is_late(exchange) {
        complain(
            exchange,
            format_args!(
                "attempt to set ngx.header.{} after sending out response headers",
                String::from_utf8_lossy(&name)
            ),
        );
        return Ok(());
    }
    let mut values = Vec::new();
    match &value {
        Value::Nil => {}
        Value::Table(list) => {
            for at in 1..=list.raw_len() as i64 {
                values.push(header_text(lua, &list.raw_get::<Value>(at)?)?);
            }
        }
        one => values.push(header_text(lua, one)?),
    }
    let mut out = exchange.out.borrow_mut();
    if name.eq_ignore_ascii_case(b"content-length") {
        out.length = match values.last() {
            None => None,
            Some(value) => Some(
                std::str::from_utf8(value)
                    .ok()
                    .and_then(|value| value.parse().ok())
                    .ok_or_else(|| Error::runtime("the content length is a number of bytes"))?,
            ),
        };
        return Ok(());
    }
    let Ok(name) = HeaderName::from_bytes(&name) else {
        return Err(Error::runtime("the name of a header is not empty"));
    };
    // The connection is the server's; what it is told of it by scripts is at most to close it.
    if matches!(
        name.as_str(),
        "transfer-encoding" | "keep-alive" | "te" | "trailer"
    ) {
        return Ok(());
    }
    // A header that there can be only one of has the last value.
    let single = matches!(name.as_str(), "content-type" | "location" | "last-modified");
    if !append || single {
        out.headers.remove(&name);
    }
    let values = match single {
        true => values.split_off(values.len().saturating_sub(1)),
        false => values,
    };
    for value in values {
        let value = HeaderValue::from_bytes(&escape(&value, Kind::HeaderValue))
            .map_err(|_| Error::runtime("the value of a header cannot be sent"))?;
        if name == http::header::CONNECTION && !value.as_bytes().eq_ignore_ascii_case(b"close") {
            continue;
        }
        out.headers
            .try_append(&name, value)
            .map_err(|_| Error::runtime("too many headers"))?;
    }
    Ok(())
}

/// The text of a header's value.
pub(super) fn header_text(lua: &Lua, value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::Boolean(value) => Ok(value.to_string().into_bytes()),
        value => text(lua, value)?.ok_or_else(|| {
            Error::runtime(format!(
                "invalid header value: string or number expected, got {}",
                type_name(value)
            ))
        }),
    }
}
