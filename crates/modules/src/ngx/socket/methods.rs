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

use super::arguments::{Arguments, answer, at_once, refuse};
use super::connect::{bind, connect};
use super::data::Data;
use super::handshake::{handshake, set_client_cert};
use super::receive::{read_until, receive, receive_any};
use super::settings::{get_option, set_option, set_timeout, set_timeouts};
use super::tcp::{Busy, Connection, Operation, Tcp, TcpRef, time};
use super::{POOL_SIZE, maker};
use crate::answer::{Answer, no, yes};
use crate::text::bad_argument;
use rille_lua::{Args, Error, Glance, Lua, MultiValue, Reply, Result, Table, Value};
use rille_runtime::net::timed::Patience;
use rille_runtime::net::{Net, NetError};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long a connection is kept without a `setkeepalive` that says it.
const KEEPALIVE_MS: i64 = 60_000;

pub(super) const CLOSED: &str = "closed";

/// What a call can be refused with before it begins: nil and this.
pub(super) type Refused = &'static str;

/// Adds the methods, and what the prelude makes methods of.
pub(super) fn install(lua: &Lua, net: &Rc<Net>, tools: &Table) -> Result<()> {
    let methods = lua.create_table()?;
    let all = [
        ("send", lua.create_direct_function(send)?),
        ("receive", lua.create_direct_function(receive)?),
        ("receiveany", lua.create_direct_function(receive_any)?),
        ("connect", lua.create_direct_function(connect)?),
        ("sslhandshake", lua.create_direct_function(handshake)?),
        ("shutdown", lua.create_direct_function(shutdown)?),
        ("bind", at_once(lua, bind)?),
        ("close", at_once(lua, close)?),
        ("setkeepalive", at_once(lua, set_keepalive)?),
        ("getreusedtimes", at_once(lua, get_reused_times)?),
        ("getfd", at_once(lua, get_fd)?),
        ("setoption", at_once(lua, set_option)?),
        ("getoption", at_once(lua, get_option)?),
        ("settimeout", at_once(lua, set_timeout)?),
        ("settimeouts", at_once(lua, set_timeouts)?),
        ("setclientcert", at_once(lua, set_client_cert)?),
    ];
    for (name, function) in all {
        methods.raw_set(name, function)?;
    }
    tools.raw_set("tcp", maker(lua, net, &methods, Tcp::new)?)?;
    tools.raw_set("tcp_methods", methods)?;
    tools.raw_set("read_until", lua.create_direct_function(read_until)?)
}

/// The socket a method is called on.
pub(super) fn tcp(arguments: &Arguments<'_>) -> Result<TcpRef> {
    arguments.object::<Tcp>()
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

/// What the system takes at once is written at once, and a string from where it is; only the rest waits.
fn send(given: &Args<'_>) -> Result<Reply<Answer>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let (lua, arguments) = (given.lua(), Arguments::new(given, 2, 2, COMPLAINT)?);
    let tcp = tcp(&arguments)?;
    let operations = [Operation::Connect, Operation::Write];
    let fit = |connection: &Connection| !connection.write_closed.get();
    let connection = match ready_for(&tcp, &operations, fit) {
        Err(why) => return refuse(lua, why),
        Ok(connection) => connection,
    };
    let mut written = 0;
    let mut write = |bytes: &[u8]| {
        let mut nobody = Context::from_waker(Waker::noop());
        match bytes.is_empty() {
            true => Poll::Ready(Ok(())),
            false => (connection.stream).poll_write_all(bytes, &mut written, &mut nobody),
        }
    };
    let direct = arguments.glance(2, |value| match value {
        Glance::String(text) => Some((text.len(), write(text))),
        _ => None,
    })?;
    let (length, polled, copied) = match direct {
        Some((length, polled)) => (length, polled, None),
        None => {
            let data = Data::from(lua, &tcp.net, 2, &arguments.get(2)?)?;
            let polled = data.with_bytes(&mut write);
            (data.len(), polled, Some(data))
        }
    };
    lua.charge_fuel(length as u64 / 16);
    if let Poll::Ready(done) = polled {
        return sent(lua, &tcp, &connection, length, done).map(Reply::Now);
    }
    let data = match copied {
        Some(data) => data,
        None => Data::from(lua, &tcp.net, 2, &arguments.get(2)?)?,
    };
    let busy = Busy::begin(&tcp, &[Operation::Write]);
    let weak = lua.weak();
    Ok(Reply::later(lua, async move {
        let mut patience = Patience::new(time(tcp.timeouts.get().send));
        let stream = &connection.stream;
        let done = poll_fn(|cx| {
            let before = written;
            match data.with_bytes(|bytes| stream.poll_write_all(bytes, &mut written, cx)) {
                Poll::Pending => {
                    let late = patience.poll(written > before, cx);
                    late.map(|()| Err(NetError::Timeout))
                }
                ready => ready,
            }
        })
        .await;
        busy.over();
        let lua = weak.upgrade().ok_or(Error::MismatchedLua)?;
        sent(&lua, &tcp, &connection, data.len(), done)
    }))
}

/// What `send` returns.
fn sent(
    lua: &Lua,
    tcp: &Tcp,
    connection: &Rc<Connection>,
    length: usize,
    done: std::result::Result<(), NetError>,
) -> Result<Answer> {
    match done {
        Ok(()) => Ok(Answer::Number(length as i64)),
        Err(why) => {
            tcp.write_failed(connection);
            no(lua, why).map(Answer::Values)
        }
    }
}

fn shutdown(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let direction = arguments.bytes(2)?;
    if direction != b"send" {
        let shown = String::from_utf8_lossy(&direction);
        return Err(bad_argument(2, format!("bad shutdown argument: {shown}")));
    }
    let operations = [Operation::Connect, Operation::Write];
    let prepared = ready_for(&tcp, &operations, |connection| {
        !connection.write_closed.get()
    })
    .map(|connection| (connection, Busy::begin(&tcp, &[Operation::Write])));
    let lua = given.lua().clone();
    Reply::prompt(given.lua(), async move {
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

fn close(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
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

fn set_keepalive(given: &Args<'_>) -> Result<Answer> {
    const COMPLAINT: &str = "expecting 1 to 3 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 3, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let timeout = (arguments.optional_integer(2)?).unwrap_or(KEEPALIVE_MS);
    let size = (arguments.optional_integer(3)?).unwrap_or(POOL_SIZE as i64);
    let is_whole = |connection: &Connection| {
        !connection.read_closed.get()
            && !connection.write_closed.get()
            && !connection.stream.has_ended()
    };
    let refuse = |why: &str| no(given.lua(), why).map(Answer::Values);
    let connection = match ready_for(&tcp, &Operation::ALL, is_whole) {
        Ok(connection) => connection,
        Err(why) => return refuse(why),
    };
    if connection.stream.has_input() {
        return refuse(&NetError::Unread.to_string());
    }
    let pools = tcp.net.pools();
    if size <= 0 && pools.find(&connection.pool).is_none() {
        let why = format!("bad \"pool_size\" option value: {size}");
        return Err(bad_argument(arguments.len(), why));
    }
    if !connection.stream.is_quiet() {
        let has_ended = connection.stream.has_ended();
        tcp.close();
        return refuse(match has_ended {
            true => CLOSED,
            false => "connection in dubious state",
        });
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
    Ok(Answer::Yes)
}

fn get_reused_times(given: &Args<'_>) -> Result<Answer> {
    const COMPLAINT: &str = "expecting 1 argument (including the object), but got";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    match tcp(&arguments)?.open() {
        Some(connection) => Ok(Answer::Number(connection.reused as i64)),
        None => no(given.lua(), CLOSED).map(Answer::Values),
    }
}

fn get_fd(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    const COMPLAINT: &str = "expecting 1 argument (including the object), but got";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    match (tcp(&arguments)?.open()).and_then(|connection| connection.stream.fd()) {
        Some(fd) => Ok(MultiValue::from_vec(vec![Value::Integer(fd.into())])),
        None => no(lua, CLOSED),
    }
}
