//! The socket that a task with `on = "tcp:PORT"` is given.
//!
//! ```lua
//! sock:getpeername(), sock:getsockname()     --> an address, a port and "inet" or "inet6"; nil and why not
//! ```
//!
//! Its other methods are those of `ngx.socket.tcp`, without those that make a connection or give it away.
//!
//! **Invariant:** the connection is closed when its task ends, whoever has the object.

use super::arguments::{Arguments, at_once};
use super::methods::{CLOSED, tcp};
use crate::answer::no;
use rille_lua::{Args, Lua, MultiValue, Result, Table, Value};
use socket2::{SockAddr, SockRef};
use std::io;

/// Those of TCP sockets that it has.
pub(super) const METHODS: &[&str] = &[
    "receive",
    "receiveany",
    "receiveuntil",
    "send",
    "settimeout",
    "settimeouts",
    "setoption",
    "getoption",
    "getfd",
    "shutdown",
    "close",
];

/// Adds those that only it has.
pub(super) fn install(lua: &Lua, methods: &Table) -> Result<()> {
    let peer = at_once(lua, |given| address(given, |s| s.peer_addr()))?;
    methods.raw_set("getpeername", peer)?;
    let local = at_once(lua, |given| address(given, |s| s.local_addr()))?;
    methods.raw_set("getsockname", local)
}

fn address(
    given: &Args<'_>,
    of: impl FnOnce(SockRef<'_>) -> io::Result<SockAddr>,
) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(given, 1, 1, "expecting only one argument, but got")?;
    let tcp = tcp(&arguments)?;
    let found = (tcp.connection()).and_then(|connection| connection.stream.with_socket(of));
    let address = match found {
        None => return no(lua, CLOSED),
        Some(Err(error)) => return no(lua, rille_runtime::net::NetError::from(error)),
        Some(Ok(address)) => address.as_socket(),
    };
    let Some(address) = address else {
        return no(lua, "unknown address");
    };
    let ip = address.ip().to_canonical();
    let family = if ip.is_ipv4() { "inet" } else { "inet6" };
    Ok(MultiValue::from_vec(vec![
        Value::String(lua.create_string(ip.to_string())?),
        Value::Integer(address.port().into()),
        Value::String(lua.create_string(family)?),
    ]))
}
