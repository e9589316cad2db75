//! The methods of TCP sockets.
//!
//! ```lua
//! sock:bind(address [, port])                         --> true, or nil and why not; as everywhere below
//! sock:connect(host, port [, options])                --> 1; also ("unix:/path" [, options]); options: pool, pool_size, backlog
//! sock:setclientcert(chain, key)                      --> true; of ngx.ssl, or PEM texts; nil, nil forgets them
//! sock:sslhandshake([session [, name [, verify]]])    --> a session, or true if the first argument is false
//! sock:send(data)                                     --> the number of bytes
//! sock:receive([size | "*l" | "*a"])                  --> data, or nil, why not and what has come
//! sock:receiveany(max)                                --> the same
//! sock:receiveuntil(text [, {inclusive = true}])      --> an iterator that takes a size
//! sock:shutdown("send"), sock:close()                 --> 1
//! sock:setkeepalive([milliseconds [, size]])          --> 1
//! sock:getreusedtimes(), sock:getfd()                 --> a number
//! sock:setoption(name, value), sock:getoption(name)   --> true; the value
//! sock:settimeout(ms), sock:settimeouts(connect, send, read)
//! ```

use super::arguments::{Arguments, answer};
use super::connect::{bind, connect};
use super::data::Data;
use super::handshake::{handshake, set_client_cert};
use super::receive::{read_until, receive, receive_any};
use super::settings::{get_option, set_option, set_timeout, set_timeouts};
use super::tcp::{Connection, Operation, Tcp, TcpObject, time};
use super::{POOL_SIZE, maker};
use crate::answer::{no, yes};
use crate::text::bad_argument;
use rille_lua::{Lua, MultiValue, Result, Table, Value};
use rille_runtime::net::{Net, NetError};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// How long a connection is kept without a `setkeepalive` that says it.
const KEEPALIVE_MS: i64 = 60_000;

pub(super) const CLOSED: &str = "closed";

/// What a call can be refused with before it begins: nil and this.
pub(super) type Refused = &'static str;

/// Adds the methods, and what the prelude makes methods of.
pub(super) fn install(lua: &Lua, net: &Rc<Net>, tools: &Table) -> Result<()> {
    let methods = lua.create_table()?;
    let prompt = [
        ("send", lua.create_prompt_function(send)?),
        ("receive", lua.create_prompt_function(receive)?),
        ("receiveany", lua.create_prompt_function(receive_any)?),
        ("connect", lua.create_prompt_function(connect)?),
        ("sslhandshake", lua.create_prompt_function(handshake)?),
        ("shutdown", lua.create_prompt_function(shutdown)?),
        ("bind", lua.create_function(bind)?),
        ("close", lua.create_function(close)?),
        ("setkeepalive", lua.create_function(set_keepalive)?),
        ("getreusedtimes", lua.create_function(get_reused_times)?),
        ("getfd", lua.create_function(get_fd)?),
        ("setoption", lua.create_function(set_option)?),
        ("getoption", lua.create_function(get_option)?),
        ("settimeout", lua.create_function(set_timeout)?),
        ("settimeouts", lua.create_function(set_timeouts)?),
        ("setclientcert", lua.create_function(set_client_cert)?),
    ];
    for (name, function) in prompt {
        methods.raw_set(name, function)?;
    }
    tools.raw_set("tcp", maker(lua, net, &methods, TcpObject::new)?)?;
    tools.raw_set("tcp_methods", methods)?;
    tools.raw_set("read_until", lua.create_prompt_function(read_until)?)
}

/// The socket a method is called on.
pub(super) fn tcp(arguments: &Arguments) -> Result<Rc<Tcp>> {
    Ok(arguments.object::<TcpObject>()?.0.clone())
}

// ---- sending ----

/// The connection, if it is `fit` and nothing else does one of these.
pub(super) fn ready_for(
    tcp: &Tcp,
    operations: &[Operation],
    fit: impl FnOnce(&Connection) -> bool,
) -> std::result::Result<Rc<Connection>, Refused> {
    match tcp.connection().filter(|connection| fit(connection)) {
        None => Err(match tcp.check_busy(&[Operation::Connect]) {
            // As there, an attempt under way is no connection yet, but one that is there.
            Err(busy) => busy,
            Ok(()) => CLOSED,
        }),
        Some(connection) => {
            tcp.check_busy(operations)?;
            Ok(connection)
        }
    }
}

fn send(lua: &Lua, given: MultiValue) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let operations = [Operation::Connect, Operation::Write];
    let ready = ready_for(&tcp, &operations, |connection| {
        !connection.write_closed.get()
    });
    let prepared = match ready {
        Err(why) => Err(why),
        Ok(connection) => {
            let data = Data::from(lua, &tcp.net, 2, arguments.get(2))?;
            lua.charge_fuel(data.len() as u64 / 16);
            Ok((connection, data, tcp.begin(&[Operation::Write])))
        }
    };
    let lua = lua.clone();
    Ok(async move {
        let (connection, data, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, why),
        };
        let limit = time(tcp.timeouts.get().send);
        let done = match &data {
            _ if data.len() == 0 => Ok(()),
            Data::Whole(text) => connection.stream.write_all(&text.as_bytes(), limit).await,
            Data::Copied(bytes, _) => connection.stream.write_all(bytes, limit).await,
        };
        busy.over();
        match done {
            Ok(()) => Ok(MultiValue::from_vec(vec![
                Value::Integer(data.len() as i64),
            ])),
            Err(why) => {
                tcp.write_failed(&connection);
                no(&lua, why.to_string())
            }
        }
    })
}

fn shutdown(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let direction = arguments.bytes(lua, 2)?;
    if direction != b"send" {
        let shown = String::from_utf8_lossy(&direction);
        return Err(bad_argument(2, format!("bad shutdown argument: {shown}")));
    }
    let operations = [Operation::Connect, Operation::Write];
    let prepared = ready_for(&tcp, &operations, |connection| {
        !connection.write_closed.get()
    })
    .map(|connection| (connection, tcp.begin(&[Operation::Write])));
    let lua = lua.clone();
    Ok(async move {
        let (connection, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, why),
        };
        let done = connection
            .stream
            .shutdown(time(tcp.timeouts.get().send))
            .await;
        busy.over();
        tcp.write_failed(&connection);
        answer(&lua, done)
    })
}

// ---- the end of it ----

fn close(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 1 argument (including the object) but seen";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    if let Err(why) = tcp.check_busy(&Operation::ALL) {
        return no(lua, why);
    }
    if tcp.open().is_none() {
        return no(lua, CLOSED);
    }
    tcp.close();
    Ok(yes())
}

fn set_keepalive(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 1 to 3 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 3, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let timeout = (arguments.optional_integer(lua, 2)?).unwrap_or(KEEPALIVE_MS);
    let size = (arguments.optional_integer(lua, 3)?).unwrap_or(POOL_SIZE as i64);
    let is_whole = |connection: &Connection| {
        !connection.read_closed.get()
            && !connection.write_closed.get()
            && !connection.stream.has_ended()
    };
    let connection = match ready_for(&tcp, &Operation::ALL, is_whole) {
        Ok(connection) => connection,
        Err(why) => return no(lua, why),
    };
    if connection.stream.has_input() {
        return no(lua, NetError::Unread.to_string());
    }
    let pools = tcp.net.pools();
    if size <= 0 && pools.find(&connection.pool).is_none() {
        let why = format!("bad \"pool_size\" option value: {size}");
        return Err(bad_argument(arguments.len(), why));
    }
    if !connection.stream.is_quiet() {
        let has_ended = connection.stream.has_ended();
        tcp.close();
        return no(
            lua,
            if has_ended {
                CLOSED
            } else {
                "connection in dubious state"
            },
        );
    }
    tcp.detach();
    let keepalive = u64::try_from(timeout).ok().filter(|timeout| *timeout > 0);
    let slot = connection.slot.borrow_mut().take();
    pools.put(
        &connection.pool,
        (connection.stream.clone(), connection.reused, slot),
        keepalive.map(Duration::from_millis),
        usize::try_from(size).unwrap_or(1),
    );
    Ok(yes())
}

fn get_reused_times(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 1 argument (including the object), but got";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    match tcp(&arguments)?.open() {
        Some(connection) => {
            let reused = Value::Integer(connection.reused as i64);
            Ok(MultiValue::from_vec(vec![reused]))
        }
        None => no(lua, CLOSED),
    }
}

fn get_fd(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 1 argument (including the object), but got";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    match (tcp(&arguments)?.open()).and_then(|connection| connection.stream.fd()) {
        Some(fd) => Ok(MultiValue::from_vec(vec![Value::Integer(fd.into())])),
        None => no(lua, CLOSED),
    }
}
