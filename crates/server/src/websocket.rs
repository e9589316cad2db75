//! `request:upgrade()`: the handshake of a WebSocket on the request being served (`rille_modules::websocket` says what it gives).
//!
//! **Invariant:** a request that is refused is as it was: the handler answers it.

use crate::exchange::{Exchange, Phase};
use crate::upgrade::{count, take_over};
use http::header::{
    HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, StatusCode, Version};
use rille_lua::{Error, Lua, MultiValue, Result, Table, Value};
use rille_modules::websocket::handshake::{Accepted, Origins, check};
use rille_modules::websocket::{Settings, WebSocket, object};
use std::rc::Rc;
use std::time::Duration;

const MAX_MESSAGE: usize = 1 << 20;
const SEND_TIMEOUT: f64 = 10.0;
const PING: f64 = 30.0;
/// The longest `send_timeout` or `ping`, in seconds.
const MAX_SECONDS: f64 = 86_400.0;
/// The most texts in a list of the options.
const MAX_LIST: usize = 100;

/// The options.
struct Options {
    protocols: Vec<Vec<u8>>,
    origins: Origins,
    settings: Settings,
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::runtime(format!(
        "bad option '{name}' of 'upgrade' ({expected} expected)"
    ))
}

/// A text, or a list of them.
fn list(name: &str, value: &Value) -> Result<Vec<Vec<u8>>> {
    let wrong = || wrong(name, "a string or a list of strings");
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::String(one) => Ok(vec![one.as_bytes().to_vec()]),
        Value::Table(list) if list.raw_len() <= MAX_LIST => (1..=list.raw_len() as i64)
            .map(|at| match list.raw_get(at)? {
                Value::String(one) => Ok(one.as_bytes().to_vec()),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

impl Options {
    fn of(lua: &Lua, given: Option<&Table>) -> Result<Options> {
        let mut options = Options {
            protocols: Vec::new(),
            origins: Origins::Same,
            settings: Settings {
                max_message: MAX_MESSAGE,
                send_limit: Duration::from_secs_f64(SEND_TIMEOUT),
                ping: Some(Duration::from_secs_f64(PING)),
            },
        };
        let Some(given) = given else {
            return Ok(options);
        };
        options.protocols = list("protocols", &given.raw_get("protocols")?)?;
        let origins: Value = given.raw_get("origins")?;
        if !origins.is_nil() {
            let all = list("origins", &origins)?;
            options.origins = match all.iter().any(|one| one == b"*") {
                true => Origins::Any,
                false => Origins::Of(all),
            };
        }
        let number = |name: &str| -> Result<Option<f64>> {
            match given.raw_get::<Value>(name)? {
                Value::Nil => Ok(None),
                value => lua
                    .coerce_number(value)?
                    .map(Some)
                    .ok_or_else(|| wrong(name, "a number")),
            }
        };
        if let Some(bytes) = number("max_message")? {
            if !(1.0..=rille_modules::MAX_TEXT as f64).contains(&bytes) {
                return Err(wrong("max_message", "1 to 16 MiB"));
            }
            options.settings.max_message = bytes as usize;
        }
        let seconds = |name: &str| -> Result<Option<Duration>> {
            match number(name)? {
                Some(seconds) if !(0.0..=MAX_SECONDS).contains(&seconds) => {
                    Err(wrong(name, "a number of seconds"))
                }
                seconds => Ok(seconds.map(Duration::from_secs_f64)),
            }
        };
        if let Some(limit) = seconds("send_timeout")? {
            options.settings.send_limit = limit;
        }
        if let Some(ping) = seconds("ping")? {
            options.settings.ping = Some(ping).filter(|ping| !ping.is_zero());
        }
        Ok(options)
    }
}

/// The object; or nil, why not, and the status that says so.
pub async fn upgrade(lua: Lua, exchange: Rc<Exchange>, given: Option<Table>) -> Result<MultiValue> {
    let options = Options::of(&lua, given.as_ref())?;
    let no = |why: &str, status: u16| {
        let why = Value::String(lua.create_string(why)?);
        Ok(MultiValue::from_vec(vec![
            Value::Nil,
            why,
            Value::Integer(status.into()),
        ]))
    };
    if !matches!(
        exchange.phase.get(),
        Phase::Rewrite | Phase::Access | Phase::Content
    ) || exchange.ngx.depth.get() > 0
    {
        return Err(Error::runtime("a request cannot be upgraded here"));
    }
    let is_begun = exchange.committed() || exchange.out.borrow().said;
    if is_begun || !exchange.out.borrow().written.is_empty() {
        return no("the response has begun", 500);
    }
    let head = &exchange.head;
    let checked = check(
        head.method == Method::GET,
        head.version == Version::HTTP_11,
        head.authority().as_bytes(),
        head.fields(),
        &options.origins,
    );
    let accepted = match checked {
        Ok(accepted) => accepted,
        Err(refused) => {
            if refused.status() == 426 {
                put(&exchange, SEC_WEBSOCKET_VERSION, b"13");
                put(&exchange, UPGRADE, b"websocket");
            }
            return no(&refused.to_string(), refused.status());
        }
    };
    // A body would be taken for frames.
    if head.declared_length() != Some(0) {
        return no("a WebSocket's handshake has no body", 400);
    }
    if let Err(why) = count(&exchange) {
        return no(why, 503);
    }
    let protocol = agreed(&options.protocols, &accepted);
    answer(&exchange, &accepted, protocol.as_deref());
    let stream = match take_over(&exchange).await {
        Ok(stream) => stream,
        Err(why) => return no(why, 500),
    };
    let vm = &exchange.served.vm;
    let memory = vm.net().memory().clone();
    let socket = WebSocket::of_server(stream, memory, options.settings, vm.closing());
    let socket = Rc::new(socket);
    *exchange.upgrade.websocket.borrow_mut() = Some(socket.clone());
    let object = object(&lua, socket, protocol.as_deref())?;
    Ok(MultiValue::from_vec(vec![Value::Table(object)]))
}

/// The first of ours that the client offers.
fn agreed(ours: &[Vec<u8>], accepted: &Accepted) -> Option<Vec<u8>> {
    (ours.iter())
        .find(|one| accepted.protocols.contains(one))
        .cloned()
}

fn put(exchange: &Exchange, name: HeaderName, value: &[u8]) {
    // What a client has sent, or base64: it can be sent.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        exchange.out.borrow_mut().headers.insert(name, value);
    }
}

fn answer(exchange: &Exchange, accepted: &Accepted, protocol: Option<&[u8]>) {
    put(exchange, UPGRADE, b"websocket");
    put(exchange, SEC_WEBSOCKET_ACCEPT, accepted.accept.as_bytes());
    if let Some(protocol) = protocol {
        put(exchange, SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let mut out = exchange.out.borrow_mut();
    out.headers.remove(http::header::CONTENT_TYPE);
    out.status = Some(StatusCode::SWITCHING_PROTOCOLS);
    out.said = true;
}
