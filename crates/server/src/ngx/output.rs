//! `ngx.say`, `ngx.print`, `ngx.flush`, `ngx.eof`, `ngx.send_headers`.
//!
//! What is said is kept until the handler ends, flushes, or waits with more than a packet's worth: so a short response goes out in one
//! piece with its length. To scripts the head is out from the first word on.

use super::{Adding, OUTPUT};
use crate::exchange::{Exchange, give_turn};
use http::Method;
use rille_lua::{Args, FromLuaMulti, Glance, Lua, MultiValue, Result, Table, Value, Variadic};
use rille_modules::answer::{Answer, no, type_name, yes};
use rille_modules::bad_argument;
use std::rc::Rc;

/// The deepest nesting of tables that are printed.
const MAX_DEPTH: usize = 64;
/// The script has the connection itself.
const RAW: &str = "raw request socket acquired";
/// Bytes of output for a unit of fuel.
const BYTES_FOR_FUEL: usize = 16;

pub(super) fn install(adding: &Adding<'_>, ngx: &Table) -> Result<()> {
    for (name, newline) in [("say", true), ("print", false)] {
        adding.add_in(OUTPUT, ngx, name, move |lua, exchange, words: Words| {
            output(lua, exchange, words, newline)
        })?;
    }
    adding.add_in(OUTPUT, ngx, "send_headers", |_, exchange, ()| {
        exchange.out.borrow_mut().said = true;
        Ok(yes())
    })?;
    adding.add_async(
        OUTPUT,
        ngx,
        "flush",
        |lua, exchange, wait: Option<bool>| async move {
            if exchange.upgrade.is_raw.get() {
                return no(&lua, RAW);
            }
            let said = exchange.out.borrow().said;
            if !said {
                return no(&lua, "nothing to flush");
            }
            if exchange.head.method == Method::HEAD {
                return no(&lua, "header only");
            }
            if exchange.out.borrow().ended {
                return no(&lua, "seen eof");
            }
            match wait {
                Some(true) => match exchange.flush().await {
                    Ok(()) => Ok(yes()),
                    Err(_) => no(&lua, "client aborted"),
                },
                _ => {
                    exchange.push(0);
                    give_turn().await;
                    Ok(yes())
                }
            }
        },
    )?;
    adding.add_async(OUTPUT, ngx, "eof", |lua, exchange, ()| async move {
        if exchange.upgrade.is_raw.get() {
            return no(&lua, RAW);
        }
        if exchange.out.borrow().ended {
            return no(&lua, "seen eof");
        }
        exchange.out.borrow_mut().said = true;
        // What is sent by now is all: the connection is free for the next request while the script goes on.
        let result = exchange.clone().flush().await;
        let mut out = exchange.out.borrow_mut();
        out.ended = true;
        out.stream = None;
        match result {
            Ok(()) => Ok(yes()),
            Err(_) => no(&lua, "client aborted"),
        }
    })
}

/// What is to be said.
enum Words {
    /// As text, with room for a line's end: strings and small whole numbers, as most are.
    Text(Vec<u8>),
    /// Anything.
    Values(Variadic<Value>),
}

impl FromLuaMulti for Words {
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<Words> {
        Variadic::from_lua_multi(values, lua).map(Words::Values)
    }

    fn from_args(arguments: &Args<'_>, first: usize) -> Result<Words> {
        let mut length = 1;
        let is_text = arguments.look(first, |value| match value {
            Glance::String(text) => {
                length += text.len();
                true
            }
            Glance::Integer(0..=9) => {
                length += 1;
                true
            }
            _ => false,
        })?;
        if !is_text {
            return Variadic::from_args(arguments, first).map(Words::Values);
        }
        let mut all = Vec::with_capacity(length);
        arguments.look(first, |value| {
            match value {
                Glance::String(text) => all.extend_from_slice(text),
                Glance::Integer(digit) => all.push(b'0' + digit as u8),
                _ => {}
            }
            true
        })?;
        Ok(Words::Text(all))
    }
}

fn output(lua: &Lua, exchange: &Rc<Exchange>, words: Words, newline: bool) -> Result<Answer> {
    if exchange.upgrade.is_raw.get() {
        return no(lua, RAW).map(Answer::from);
    }
    {
        let mut out = exchange.out.borrow_mut();
        if out.ended {
            return no(lua, "seen eof").map(Answer::from);
        }
        out.said = true;
    }
    let mut text = match words {
        Words::Text(text) => text,
        Words::Values(values) => {
            let mut text = Vec::new();
            for (at, value) in (1..).zip(values) {
                append(lua, &mut text, &value, 0, at)?;
            }
            text
        }
    };
    if newline {
        text.push(b'\n');
    }
    lua.charge_fuel((text.len() / BYTES_FOR_FUEL) as u64);
    if exchange.head.method == Method::HEAD {
        return no(lua, "header only").map(Answer::from);
    }
    match exchange.write(text) {
        Ok(()) => Ok(Answer::Yes),
        Err(error) => no(lua, error.message()).map(Answer::from),
    }
}

/// Adds a value's text.
fn append(lua: &Lua, out: &mut Vec<u8>, value: &Value, depth: usize, at: usize) -> Result<()> {
    let wrong = |why: String| Err(bad_argument(at, why));
    match value {
        Value::String(text) => out.extend_from_slice(&text.as_bytes()),
        // Larger ones are printed with an exponent in versions without integers.
        Value::Integer(number) if number.unsigned_abs() < 100_000_000_000_000 => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Integer(_) | Value::Number(_) => {
            if let Some(text) = lua.coerce_string(value.clone())? {
                out.extend_from_slice(&text.as_bytes());
            }
        }
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(_) if depth == MAX_DEPTH => return wrong("tables nest too deep".into()),
        Value::Table(table) => {
            let (mut entries, mut last) = (0i64, 0i64);
            for pair in table.pairs::<Value, Value>() {
                match pair?.0 {
                    Value::Integer(key) if key > 0 => {
                        entries += 1;
                        last = last.max(key);
                    }
                    _ => return wrong("non-array table found".into()),
                }
            }
            if last > entries.saturating_mul(2) + 64 {
                return wrong("non-array table found".into());
            }
            for key in 1..=last {
                append(lua, out, &table.raw_get::<Value>(key)?, depth + 1, at)?;
            }
        }
        other if depth > 0 => return wrong(format!("bad data type {} found", type_name(other))),
        other => {
            return wrong(format!(
                "string, number, boolean, nil, ngx.null, or array table expected, got {}",
                type_name(other)
            ));
        }
    }
    Ok(())
}
