//! `setoption`, `getoption`, `settimeout`, `settimeouts`.

use super::arguments::Arguments;
use super::methods::{CLOSED, tcp};
use super::tcp::Timeouts;
use crate::answer::{no, type_name};
use rille_lua::{Args, Error, MultiValue, Result, Value};
use rille_runtime::net::NetError;

/// Sets an option of the system's socket.
pub(super) fn set_option(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(
        given,
        1,
        3,
        "expecting 3 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    if arguments.get(2)?.is_nil() {
        return no(lua, "missing the \"option\" argument");
    }
    let number = match arguments.get(3)? {
        Value::Nil => return no(lua, "missing the \"value\" argument"),
        Value::Boolean(on) => i64::from(on),
        _ => arguments.integer(3)?,
    };
    let name = option_name(&arguments.get(2)?);
    let Some(option) = SocketOption::find(&name) else {
        return no(lua, format!("unsupported option {name}"));
    };
    let done = (tcp.open())
        .and_then(|open| (open.stream).with_socket(|socket| option.set(&socket, number)));
    match done {
        Some(Ok(())) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
        Some(Err(error)) => no(lua, NetError::from(error).to_string()),
        None => no(lua, CLOSED),
    }
}

pub(super) fn get_option(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(
        given,
        1,
        2,
        "expecting 2 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    if arguments.get(2)?.is_nil() {
        return no(lua, "missing the \"option\" argument");
    }
    let name = option_name(&arguments.get(2)?);
    let Some(option) = SocketOption::find(&name) else {
        return no(lua, format!("unsupported option {name}"));
    };
    let got = (tcp.open()).and_then(|open| open.stream.with_socket(|socket| option.get(&socket)));
    match got {
        Some(Ok(number)) => Ok(MultiValue::from_vec(vec![Value::Integer(number as i64)])),
        Some(Err(error)) => no(lua, NetError::from(error).to_string()),
        None => no(lua, CLOSED),
    }
}

fn option_name(value: &Value) -> String {
    match value {
        Value::String(name) => name.to_string_lossy().chars().take(100).collect(),
        other => type_name(other).to_owned(),
    }
}

#[derive(Clone, Copy)]
enum SocketOption {
    KeepAlive,
    ReuseAddress,
    NoDelay,
    SendBuffer,
    ReceiveBuffer,
}

impl SocketOption {
    fn find(name: &str) -> Option<SocketOption> {
        Some(match name {
            "keepalive" => SocketOption::KeepAlive,
            "reuseaddr" => SocketOption::ReuseAddress,
            "tcp-nodelay" => SocketOption::NoDelay,
            "sndbuf" => SocketOption::SendBuffer,
            "rcvbuf" => SocketOption::ReceiveBuffer,
            _ => return None,
        })
    }

    fn set(self, socket: &socket2::Socket, value: i64) -> std::io::Result<()> {
        let on = value != 0;
        // The system has limits of its own.
        let size = usize::try_from(value).unwrap_or(0).min(i32::MAX as usize);
        match self {
            SocketOption::KeepAlive => socket.set_keepalive(on),
            SocketOption::ReuseAddress => socket.set_reuse_address(on),
            SocketOption::NoDelay => socket.set_tcp_nodelay(on),
            SocketOption::SendBuffer => socket.set_send_buffer_size(size),
            SocketOption::ReceiveBuffer => socket.set_recv_buffer_size(size),
        }
    }

    fn get(self, socket: &socket2::Socket) -> std::io::Result<usize> {
        match self {
            SocketOption::KeepAlive => socket.keepalive().map(usize::from),
            SocketOption::ReuseAddress => socket.reuse_address().map(usize::from),
            SocketOption::NoDelay => socket.tcp_nodelay().map(usize::from),
            SocketOption::SendBuffer => socket.send_buffer_size(),
            SocketOption::ReceiveBuffer => socket.recv_buffer_size(),
        }
    }
}

/// The milliseconds that an argument says; 0, which means the default, for what is no number.
pub(super) fn timeout(arguments: Arguments<'_>, position: usize) -> Result<u32> {
    let number = arguments.number(position)?.unwrap_or(0.0) as i64;
    match u32::try_from(number) {
        Ok(number) if number <= 0x7fff_ffff => Ok(number),
        _ => Err(Error::runtime("bad timeout value")),
    }
}

pub(super) fn set_timeout(given: &Args<'_>) -> Result<()> {
    const COMPLAINT: &str =
        "ngx.socket settimeout: expecting 2 arguments (including the object) but seen";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let each = timeout(arguments, 2)?;
    tcp(&arguments)?.timeouts.set(Timeouts {
        connect: each,
        send: each,
        read: each,
    });
    Ok(())
}

pub(super) fn set_timeouts(given: &Args<'_>) -> Result<()> {
    const COMPLAINT: &str =
        "ngx.socket settimeouts: expecting 4 arguments (including the object) but seen";
    let arguments = Arguments::new(given, 4, 4, COMPLAINT)?;
    let timeouts = Timeouts {
        connect: timeout(arguments, 2)?,
        send: timeout(arguments, 3)?,
        read: timeout(arguments, 4)?,
    };
    tcp(&arguments)?.timeouts.set(timeouts);
    Ok(())
}
