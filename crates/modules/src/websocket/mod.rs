//! WebSockets for scripts: what `request:upgrade()` gives.
//!
//! ```lua
//! local ws, why, status = request:upgrade()     -- the rest of the handler talks over the WebSocket; nil when it is no such request
//! if not ws then return status, why end         -- (426, 400 or 403)
//! for message, kind in ws:messages() do         -- kind: "text" or "binary"
//!   ws:send("you said " .. message)
//! end                                           -- here the client has closed it, or has gone
//!
//! request:upgrade{protocols = {"chat"},         -- what we speak, the best first: ws.protocol is the first of them that the client offers
//!   max_message = 65536,                        -- bytes, 1 MiB if not said
//!   send_timeout = 10,                          -- seconds after which a client that takes nothing is cut off; 10 if not said
//!   ping = 30,                                  -- seconds of silence after which the client is asked whether it is there, and after as many more cut
//!                                               -- off, while somebody receives; 30 if not said, 0 for never
//!   origins = "*" or {"https://example.com"}}   -- whose pages may connect; only those of the same host if not said
//!
//! ws:send(text | number | table)     --> true, or nil and why not; a table is sent as JSON. Waits while the client is slow.
//! ws:send_binary(bytes)              --> the same
//! ws:receive([seconds])              --> message, kind; or nil, "timeout"; or nil, "closed", code, reason
//! ws:next([seconds])                 --> the next thing that happens, a message of the client's or an event of this request's mailbox:
//!                                        "text", message | "binary", message | "event", event | "timeout" | "closed", code, reason
//! ws:messages()                      --> an iterator: message, kind until it is closed
//! ws:ping([data])                    --> true, or nil and why not; pings of the client are answered without being asked
//! ws:close([code [, reason]])        --> true; 1000 if not said. The end of the handler closes too: with 1000, or with 1011 if it fails.
//! ws.protocol                        --  the protocol agreed on, or nil
//! ```
//!
//! Several coroutines may send; one at a time receives. The codes are those of RFC 6455, with 1005 for a close without one, 1006 for a lost
//! connection and 1001 when the server is stopping. After the upgrade the request has no wall limit, and `limits.cpu_per_minute` of processor time.
//!
//! | file | what |
//! |---|---|
//! | `handshake` | whether a request may become a WebSocket; pure |
//! | `connection` | messages over a stream; no Lua |
//! | this one | the object |
//! | `websocket.lua` | the methods that are made of others |
//!
//! **Invariant:** an object takes at least as much of the VM's memory as the host holds for it, apart from the connection, which is counted.

mod connection;
pub mod handshake;

pub use connection::{MAX_REASON, Settings, WebSocket};

use crate::answer::no;
use crate::text::{MAX_TEXT, bad_argument};
use connection::Message;
use rille_lua::{
    AnyUserData, Error, Function, Lua, LuaString, MultiValue, Result, Table, UserData, UserDataRef,
    Value,
};
use rille_runtime::net::timed::timed;
use rille_runtime::net::websocket::frame::{MAX_CONTROL, is_code};
use rille_runtime::task::{Tasks, Tid};
use rille_runtime::vm::AppVm;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

const PRELUDE: &str = include_str!("websocket.lua");
/// Where the metatable of the objects is.
const META: &str = "rille.websocket";
/// Entries that an object has room for: with them it takes as much of the VM's memory as the host holds for it.
const ROOM: usize = 24;
/// The longest wait, in seconds.
const MAX_SECONDS: f64 = 86_400.0 * 365.0;
/// Bytes for a unit of fuel.
const BYTES_FOR_FUEL: u64 = 16;

/// The object in Lua.
struct Object(Rc<WebSocket>);

impl UserData for Object {}

/// Makes the methods of the objects of a VM.
pub(crate) fn install(vm: &Rc<AppVm>) -> Result<()> {
    let lua = vm.lua();
    let tools = lua.create_table()?;
    tools.raw_set("receive", lua.create_prompt_function(receive)?)?;
    for (name, is_text) in [("send_text", true), ("send_binary", false)] {
        let send = move |lua: &Lua, (ws, bytes): (Table, LuaString)| send(lua, &ws, bytes, is_text);
        tools.raw_set(name, lua.create_prompt_function(send)?)?;
    }
    tools.raw_set("ping", lua.create_async_function(ping)?)?;
    tools.raw_set("close", lua.create_async_function(close)?)?;
    let tasks = Rc::downgrade(vm.tasks());
    let next =
        move |lua: Lua, (ws, seconds): (Table, Value)| next(lua, tasks.clone(), &ws, &seconds);
    tools.raw_set("next", lua.create_async_function(next)?)?;
    tools.raw_set("encode", vm.json().encode_function(lua)?)?;
    for name in ["type", "error", "tostring"] {
        tools.raw_set(name, lua.globals().raw_get::<Value>(name)?)?;
    }
    let prelude: Function = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
    let methods: Table = prelude.call(tools)?;
    methods.freeze()?;
    let meta = lua.create_table()?;
    meta.raw_set("__index", methods)?;
    meta.raw_set("__name", "websocket")?;
    meta.freeze()?;
    lua.set_named_registry_value(META, meta)
}

/// An object for a WebSocket.
pub fn object(lua: &Lua, socket: Rc<WebSocket>, protocol: Option<&[u8]>) -> Result<Table> {
    let object = lua.create_table_with_capacity(1, ROOM)?;
    object.raw_set(1, lua.create_userdata(Object(socket))?)?;
    if let Some(protocol) = protocol {
        object.raw_set("protocol", lua.create_string(protocol)?)?;
    }
    object.set_metatable(Some(lua.named_registry_value(META)?))?;
    Ok(object)
}

fn socket(object: &Table) -> Result<Rc<WebSocket>> {
    let wrong = || bad_argument(1, "a websocket expected");
    let data: AnyUserData = object.raw_get(1).map_err(|_| wrong())?;
    let socket: UserDataRef<Object> = data.borrow().map_err(|_| wrong())?;
    Ok(socket.0.clone())
}

/// Seconds as a time; `None`: as long as it takes.
fn limit(value: &Value) -> Result<Option<Duration>> {
    let seconds = match value {
        Value::Nil => return Ok(None),
        Value::Integer(seconds) => *seconds as f64,
        Value::Number(seconds) if !seconds.is_nan() => *seconds,
        _ => return Err(bad_argument(1, "a number of seconds expected")),
    };
    Ok((seconds <= MAX_SECONDS).then(|| Duration::from_secs_f64(seconds.max(0.0))))
}

/// What a future gives within its time; `None`: it took too long.
async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        None => Some(future.await),
        Some(limit) => timed(limit, future).await.ok(),
    }
}

fn text(lua: &Lua, bytes: impl AsRef<[u8]>) -> Result<Value> {
    lua.create_string(bytes).map(Value::String)
}

/// `message, kind`.
fn told(lua: &Lua, message: &Message) -> Result<[Value; 2]> {
    let bytes = message.bytes();
    lua.charge_fuel(bytes.len() as u64 / BYTES_FOR_FUEL);
    let kind = if message.is_text { "text" } else { "binary" };
    Ok([text(lua, bytes)?, text(lua, kind)?])
}

/// `code, reason`.
fn ending(lua: &Lua, socket: &WebSocket) -> Result<[Value; 2]> {
    match socket.ended() {
        Some(ended) => Ok([Value::Integer(ended.code.into()), text(lua, &ended.reason)?]),
        None => Ok([Value::Nil, Value::Nil]),
    }
}

fn receive(
    lua: &Lua,
    (object, seconds): (Table, Value),
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    let (socket, limit) = (socket(&object)?, limit(&seconds)?);
    let lua = lua.clone();
    Ok(async move {
        let values = match within(limit, socket.receive()).await {
            None => return no(&lua, "timeout"),
            Some(Err(why)) => return no(&lua, why),
            Some(Ok(Some(message))) => told(&lua, &message)?.to_vec(),
            Some(Ok(None)) => {
                let [code, reason] = ending(&lua, &socket)?;
                vec![Value::Nil, text(&lua, "closed")?, code, reason]
            }
        };
        Ok(MultiValue::from_vec(values))
    })
}

/// What happens next.
enum Happened {
    Message(std::result::Result<Option<Message>, &'static str>),
    Event(Result<Value>),
}

fn next(
    lua: Lua,
    tasks: Weak<Tasks>,
    object: &Table,
    seconds: &Value,
) -> impl Future<Output = Result<MultiValue>> + use<> {
    let prepared = socket(object).and_then(|socket| {
        let me = (tasks.upgrade())
            .and_then(|tasks| tasks.current_or_guest())
            .ok_or_else(|| Error::runtime("there is no mailbox here: too many tasks"))?;
        Ok((socket, me, limit(seconds)?))
    });
    async move {
        let (socket, me, limit) = prepared?;
        let happened = within(limit, happens(&lua, &tasks, &socket, me)).await;
        let values = match happened {
            None => vec![text(&lua, "timeout")?],
            Some(Happened::Event(event)) => vec![text(&lua, "event")?, event?],
            Some(Happened::Message(Err(why))) => return Err(Error::runtime(why)),
            Some(Happened::Message(Ok(Some(message)))) => {
                let [data, kind] = told(&lua, &message)?;
                vec![kind, data]
            }
            Some(Happened::Message(Ok(None))) => {
                let [code, reason] = ending(&lua, &socket)?;
                vec![text(&lua, "closed")?, code, reason]
            }
        };
        Ok(MultiValue::from_vec(values))
    }
}

/// Waits for a message or an event. Events come first: a flood of messages cannot keep them back, and they are bounded by the mailbox.
async fn happens(lua: &Lua, tasks: &Weak<Tasks>, socket: &WebSocket, me: Tid) -> Happened {
    let mut message = pin!(socket.receive());
    poll_fn(|cx| {
        let Some(tasks) = tasks.upgrade() else {
            return Poll::Ready(Happened::Event(Err(Error::MismatchedLua)));
        };
        if let Poll::Ready(event) = tasks.poll_guest(lua, me, &Value::Nil, &Value::Nil, cx) {
            return Poll::Ready(Happened::Event(event));
        }
        message.as_mut().poll(cx).map(Happened::Message)
    })
    .await
}

fn done(
    lua: &Lua,
    sent: std::result::Result<(), rille_runtime::net::NetError>,
) -> Result<MultiValue> {
    match sent {
        Ok(()) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
        Err(why) => no(lua, why),
    }
}

fn send(
    lua: &Lua,
    object: &Table,
    bytes: LuaString,
    is_text: bool,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    let socket = socket(object)?;
    let length = bytes.as_bytes().len();
    if length > MAX_TEXT {
        return Err(bad_argument(1, "the message is too long"));
    }
    if is_text && std::str::from_utf8(&bytes.as_bytes()).is_err() {
        return Err(bad_argument(1, "the text is not UTF-8: use send_binary"));
    }
    lua.charge_fuel(length as u64 / BYTES_FOR_FUEL);
    let lua = lua.clone();
    Ok(async move {
        let sent = socket.send(is_text, &bytes.as_bytes()).await;
        done(&lua, sent)
    })
}

fn ping(
    lua: Lua,
    (object, bytes): (Table, Option<LuaString>),
) -> impl Future<Output = Result<MultiValue>> + use<> {
    let bytes = bytes.map_or_else(Vec::new, |bytes| bytes.as_bytes().to_vec());
    let prepared = socket(&object).and_then(|socket| match bytes.len() as u64 <= MAX_CONTROL {
        true => Ok(socket),
        false => Err(bad_argument(1, "a ping has at most 125 bytes")),
    });
    async move {
        let socket = prepared?;
        let sent = socket.ping(&bytes).await;
        done(&lua, sent)
    }
}

fn close(
    lua: Lua,
    (object, code, reason): (Table, Option<i64>, Option<LuaString>),
) -> impl Future<Output = Result<MultiValue>> + use<> {
    let reason = reason.map_or_else(Vec::new, |reason| reason.as_bytes().to_vec());
    let prepared = socket(&object).and_then(|socket| {
        let code = u16::try_from(code.unwrap_or(1000))
            .ok()
            .filter(|code| is_code(*code));
        let code = code.ok_or_else(|| bad_argument(1, "no status code: 1000 or 3000 to 4999"))?;
        if reason.len() > MAX_REASON || std::str::from_utf8(&reason).is_err() {
            return Err(bad_argument(2, "a reason is a text of at most 123 bytes"));
        }
        Ok((socket, code))
    });
    async move {
        let (socket, code) = prepared?;
        // It may have been closed already.
        let _ = socket.close(code, &reason).await;
        done(&lua, Ok(()))
    }
}
