//! `ngx.var`: what nginx knows of a request, and variables of scripts' own.
//!
//! Names that nginx has are read from the request as it is now; `args`, `uri`-like ones follow what scripts change. Any other name can be
//! written (there a `set` in the configuration has to declare it first), and is nil before.

use super::Adding;
use crate::exchange::Exchange;
use crate::hosts::strip_port;
use http::Version;
use http::header::HeaderName;
use rille_lua::{Error, Function, LuaString, Result, Table, Value};
use rille_modules::ngx::time;
use rille_runtime::route::percent_decode;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The most variables of a request, and the longest name and value of one.
const MAX_VARS: usize = 256;
const MAX_BYTES: usize = 64 << 10;

/// What cannot be written.
const FIXED: &[&str] = &[
    "uri",
    "document_uri",
    "request_uri",
    "host",
    "hostname",
    "remote_addr",
    "realip_remote_addr",
    "realip_remote_port",
    "remote_port",
    "binary_remote_addr",
    "server_addr",
    "server_port",
    "server_name",
    "server_protocol",
    "scheme",
    "https",
    "http2",
    "request_method",
    "request",
    "request_id",
    "request_time",
    "request_length",
    "request_body",
    "content_length",
    "content_type",
    "is_args",
    "msec",
    "time_iso8601",
    "time_local",
    "status",
    "body_bytes_sent",
    "bytes_sent",
    "pid",
    "nginx_version",
    "connection",
    "remote_user",
    "query_string",
];

pub(super) fn table(adding: &Adding<'_>) -> Result<Table> {
    let lua = adding.lua;
    let (var, meta) = (lua.create_table()?, lua.create_table()?);
    adding.add(
        &meta,
        "__index",
        |lua, exchange, (_, name): (Value, Value)| {
            let value = match &name {
                Value::Integer(at) => capture(exchange, *at),
                Value::String(name) => read(exchange, &name.as_bytes().to_ascii_lowercase()),
                _ => return Err(Error::runtime("bad variable name")),
            };
            match value {
                Some(value) => lua.create_string(value).map(Value::String),
                None => Ok(Value::Nil),
            }
        },
    )?;
    adding.add(
        &meta,
        "__newindex",
        |lua, exchange, (_, name, value): (Value, Value, Value)| {
            let Value::String(name) = name else {
                return Err(Error::runtime("bad variable name"));
            };
            let value = match &value {
                Value::Nil => None,
                Value::String(text) => Some(text.as_bytes().to_vec()),
                value => {
                    let tostring: Function = lua.globals().raw_get("tostring")?;
                    let text: LuaString = tostring.call(value)?;
                    Some(text.as_bytes().to_vec())
                }
            };
            write(exchange, &name.as_bytes().to_ascii_lowercase(), value)
        },
    )?;
    var.set_metatable(Some(meta))?;
    Ok(var)
}

/// `ngx.var[1]`: a group of an expression by its number, a parameter of a path by its place.
fn capture(exchange: &Exchange, at: i64) -> Option<Vec<u8>> {
    let params = exchange.params.borrow();
    let has_numbers =
        (params.first()).is_some_and(|(name, _)| name.starts_with(|c: char| c.is_ascii_digit()));
    let found = match has_numbers {
        true => {
            let number = at.to_string();
            params.iter().find(|(name, _)| **name == *number)
        }
        false => params.get(usize::try_from(at).ok()?.checked_sub(1)?),
    };
    found.map(|(_, value)| value.clone())
}

fn write(exchange: &Rc<Exchange>, name: &[u8], value: Option<Vec<u8>>) -> Result<()> {
    if name == b"args" {
        exchange.change(|changed| changed.query = Some(value));
        return Ok(());
    }
    let shown = String::from_utf8_lossy(name).into_owned();
    let derived = ["arg_", "http_", "cookie_", "sent_http_", "ssl_"];
    if FIXED.contains(&&*shown) || derived.iter().any(|prefix| shown.starts_with(prefix)) {
        return Err(Error::runtime(format!(
            "variable \"{shown}\" not changeable"
        )));
    }
    let mut vars = exchange.ngx.vars.borrow_mut();
    let at = vars.iter().position(|(known, _)| known == name);
    match (at, value) {
        (Some(at), Some(value)) if value.len() <= MAX_BYTES => vars[at].1 = value,
        (Some(at), None) => {
            vars.swap_remove(at);
        }
        (None, None) => {}
        (None, Some(value))
            if vars.len() < MAX_VARS && name.len() <= 256 && value.len() <= MAX_BYTES =>
        {
            vars.push((name.to_vec(), value));
        }
        _ => {
            return Err(Error::runtime(format!(
                "too many variables, or too long ({MAX_VARS} of {MAX_BYTES} bytes at most)"
            )));
        }
    }
    Ok(())
}

/// A variable's value; `None`: there is none.
pub(super) fn read(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let head = &exchange.head;
    let text = |text: &str| Some(text.as_bytes().to_vec());
    if let Some(name) = name.strip_prefix(b"arg_") {
        return argument(exchange, name);
    }
    if let Some(name) = name.strip_prefix(b"http_") {
        return field(exchange, name);
    }
    if let Some(name) = name.strip_prefix(b"sent_http_") {
        return sent(exchange, name);
    }
    if let Some(name) = name.strip_prefix(b"cookie_") {
        return cookie(exchange, name);
    }
    if let Some(name) = name.strip_prefix(b"ssl_") {
        return exchange.tls.as_ref()?.variable(name);
    }
    match name {
        b"uri" | b"document_uri" => Some(percent_decode(&exchange.path()).into_owned()),
        b"request_uri" => Some(head.target().to_vec()),
        b"args" | b"query_string" => exchange.query(),
        b"is_args" => text(match exchange.query() {
            Some(query) if !query.is_empty() => "?",
            _ => "",
        }),
        b"host" | b"http_host" => text(strip_port(exchange.authority())).map(|mut host| {
            host.make_ascii_lowercase();
            host
        }),
        b"server_name" => text(exchange.served.vm.app().name()),
        b"hostname" => text(&hostname()),
        b"remote_addr" => text(&exchange.peer.ip().to_canonical().to_string()),
        b"binary_remote_addr" => Some(match exchange.peer.ip().to_canonical() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        }),
        b"realip_remote_addr" => text(&exchange.connected().ip().to_canonical().to_string()),
        b"realip_remote_port" => text(&exchange.connected().port().to_string()),
        b"remote_port" => text(&exchange.peer.port().to_string()),
        b"server_addr" => text(&exchange.local.ip().to_canonical().to_string()),
        b"server_port" => text(&exchange.local.port().to_string()),
        b"server_protocol" => text(head.protocol()),
        b"scheme" => text(exchange.scheme()),
        b"https" => text(match exchange.scheme() {
            "https" => "on",
            _ => "",
        }),
        b"http2" => match (head.version, &exchange.tls) {
            (Version::HTTP_2, Some(_)) => text("h2"),
            (Version::HTTP_2, None) => text("h2c"),
            _ => text(""),
        },
        b"request_method" => text(exchange.method().as_str()),
        b"request" => Some(
            [
                head.method.as_str().as_bytes(),
                b" ",
                head.target(),
                b" ",
                head.protocol().as_bytes(),
            ]
            .concat(),
        ),
        // 32 digits, as nginx has them.
        b"request_id" => text(&format!("{:08x}{}", std::process::id(), exchange.id())),
        b"request_time" => text(&format!("{:.3}", exchange.started.elapsed().as_secs_f64())),
        b"request_length" => text(&(head.raw().len() as u64 + exchange.received.get()).to_string()),
        b"request_body" => {
            let body = exchange.ngx.body.borrow();
            body.as_ref().map(|body| body.to_vec())
        }
        b"content_length" => field(exchange, b"content_length"),
        b"content_type" => field(exchange, b"content_type"),
        b"status" => exchange
            .out
            .borrow()
            .status
            .map(|status| status.as_u16().to_string().into_bytes()),
        b"body_bytes_sent" | b"bytes_sent" => text(&exchange.sent.get().to_string()),
        b"msec" => text(&format!("{:.3}", now())),
        b"time_iso8601" => {
            let utc = time::utc(now() as i64);
            Some(
                utc.replace(' ', "T")
                    .into_bytes()
                    .into_iter()
                    .chain(*b"+00:00")
                    .collect(),
            )
        }
        b"time_local" => {
            let date = time::http(now() as i64);
            let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
            text(&format!(
                "{}/{}/{}:{} +0000",
                part(5, 7),
                part(8, 11),
                part(12, 16),
                part(17, 25)
            ))
        }
        b"pid" => text(&std::process::id().to_string()),
        b"nginx_version" => text(env!("CARGO_PKG_VERSION")),
        b"connection" => text(&exchange.peer.port().to_string()),
        b"document_root" => {
            let app = exchange.served.vm.app();
            app.public.as_ref().map(|_| b"/public".to_vec())
        }
        b"remote_user" => None,
        _ => {
            let vars = exchange.ngx.vars.borrow();
            let found = vars.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        }
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |now| now.as_secs_f64())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

/// The first argument of this name, as it was sent.
fn argument(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let query = exchange.query()?;
    query.split(|byte| *byte == b'&').find_map(|part| {
        let at = part.iter().position(|byte| *byte == b'=')?;
        (part[..at].eq_ignore_ascii_case(name)).then(|| part[at + 1..].to_vec())
    })
}

/// A field by its name with `_` for `-`; those that came more than once are joined.
fn field(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let mut joined: Option<Vec<u8>> = None;
    exchange.each_field(|at, value| {
        let same = at.len() == name.len()
            && at.iter().zip(name).all(|(a, b)| {
                let a = if *a == b'-' {
                    b'_'
                } else {
                    a.to_ascii_lowercase()
                };
                a == b.to_ascii_lowercase()
            });
        if same {
            match &mut joined {
                Some(values) => {
                    values.extend_from_slice(b", ");
                    values.extend_from_slice(value);
                }
                None => joined = Some(value.to_vec()),
            }
        }
    });
    joined
}

fn sent(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let name: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == b'_' { b'-' } else { *byte })
        .collect();
    let out = exchange.out.borrow();
    if name == b"content-length" {
        return out.length.map(|length| length.to_string().into_bytes());
    }
    let name = HeaderName::from_bytes(&name).ok()?;
    let values: Vec<&[u8]> = out
        .headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes())
        .collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

fn cookie(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    exchange.each_field(|field, value| {
        if found.is_none() && field.eq_ignore_ascii_case(b"cookie") {
            found = crate::forms::cookies(value)
                .into_iter()
                .find_map(|(known, value)| (known == name).then_some(value));
        }
    });
    found
}
