//! Frames of WebSocket through a socket: what `resty.websocket` stands on.
//!
//! **Invariant:** a read that takes too long leaves the frame with the connection, and the next goes on with it.

use super::arguments::Arguments;
use super::methods::{ready_for, tcp};
use super::tcp::{Busy, Operation, time};
use crate::text::bad_argument;
use rille_lua::{Args, Lua, LuaString, MultiValue, Reply, Result, Value};
use rille_runtime::net::websocket::frame::{MAX_PAYLOAD, close_of, encode, encoded_len};
use rille_runtime::net::websocket::{Frame, Masking, Opcode, ReadError, Rules};

/// `data, type, err`.
fn refused(lua: &Lua, why: &str) -> Result<MultiValue> {
    let why = Value::String(lua.create_string(why)?);
    Ok(MultiValue::from_vec(vec![Value::Nil, Value::Nil, why]))
}

/// `recv_frame(sock, max_payload_len, force_masking)`
pub(crate) fn receive(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    let arguments = Arguments::new(given, 2, 3, "expecting 2 or 3 arguments, but got")?;
    let tcp = tcp(&arguments)?;
    let max = arguments.integer(2)?;
    let is_forced = arguments.is_set(3)?;
    let rules = Rules {
        masking: if is_forced {
            Masking::Required
        } else {
            Masking::Either
        },
        max_payload: u64::try_from(max).unwrap_or(0),
    };
    let operations = [Operation::Connect, Operation::Read];
    let prepared = ready_for(&tcp, &operations, |connection| {
        !connection.read_closed.get()
    })
    .map(|connection| (connection, Busy::begin(&tcp, &[Operation::Read])));
    let lua = given.lua().clone();
    Reply::prompt(given.lua(), async move {
        let (connection, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => {
                return refused(&lua, &format!("failed to receive the first 2 bytes: {why}"));
            }
        };
        let limit = time(tcp.timeouts.get().read);
        let mut reader = connection.frames.take();
        let read = (reader.read(&connection.stream, tcp.net.memory(), &rules, limit)).await;
        *connection.frames.borrow_mut() = reader;
        busy.over();
        match read {
            Ok(frame) => told(&lua, &frame),
            Err(error) => {
                if let ReadError::Net(_, why) = &error {
                    tcp.read_failed(&connection, why);
                }
                refused(&lua, &error.to_string())
            }
        }
    })
}

fn told(lua: &Lua, frame: &Frame) -> Result<MultiValue> {
    let payload = frame.payload();
    lua.charge_fuel(payload.len() as u64 / 16);
    let opcode = frame.head.opcode;
    let mut extra = match frame.head.fin {
        true => Value::Nil,
        false => Value::String(lua.create_string("again")?),
    };
    let mut data = payload;
    if opcode == Opcode::Close {
        match close_of(payload) {
            Ok(None) => {}
            Ok(Some((code, text))) => {
                data = text;
                extra = Value::Integer(code.into());
            }
            Err(violation) => return refused(lua, &violation.to_string()),
        }
    }
    Ok(MultiValue::from_vec(vec![
        Value::String(lua.create_string(data)?),
        Value::String(lua.create_string(opcode.name())?),
        extra,
    ]))
}

/// `build_frame(fin, opcode, payload_len, payload, masking)`: the frame, or nil and why not.
pub(crate) fn build(
    lua: &Lua,
    (fin, opcode, length, payload, masking): (bool, i64, i64, LuaString, bool),
) -> Result<(Option<LuaString>, Option<&'static str>)> {
    let payload = payload.as_bytes();
    if payload.len() as u64 > MAX_PAYLOAD {
        return Ok((None, Some("payload too big")));
    }
    if usize::try_from(length) != Ok(payload.len()) {
        return Err(bad_argument(3, "the length of the payload expected"));
    }
    lua.charge_fuel(payload.len() as u64 / 8);
    let mut key = None;
    if masking {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(rille_lua::Error::external)?;
        key = Some(random);
    }
    let mut frame = Vec::with_capacity(encoded_len(payload.len(), masking));
    encode(&mut frame, fin, opcode as u8, &payload, key);
    Ok((Some(lua.create_string(frame)?), None))
}
