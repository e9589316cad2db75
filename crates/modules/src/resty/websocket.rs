//! `resty.websocket.server`, `resty.websocket.client`, `resty.websocket.protocol`, as lua-resty-websocket has them, without its FFI.
//!
//! ```lua
//! local wb, err = server:new{timeout = 5000, max_payload_len = 65535}   -- also max_recv_len, max_send_len, max_fragments, send_masked
//! local data, kind, err = wb:recv_frame()                               -- err is "again" where more of the message follows
//! local bytes, err = wb:send_text(data)                                 -- send_binary, send_continue, send_ping, send_pong, send_frame(fin, opcode, data)
//! wb:send_close(1000, "bye")  wb:set_timeout(1000)
//! local wb = client:new{timeout = 5000}                                 -- send_unmasked for send_masked
//! local ok, err, header = wb:connect("wss://host:port/path", {protocols, origin, headers, host, key, pool, pool_size, backlog,
//!     ssl_verify, server_name, client_cert, client_priv_key})
//! wb:close()  wb:set_keepalive(milliseconds, size)
//! protocol.recv_frame(sock, max, force_masking)  protocol.send_frame(sock, fin, opcode, data, max, masking)
//! protocol.build_frame(fin, opcode, length, data, masking)
//! ```
//!
//! The methods are in `websocket.lua`, over frames that the host reads and makes. Other than there, a frame that a timeout has interrupted is gone
//! on with by the next `recv_frame`; a client checks what the server has answered; the key and the masks are unpredictable.
//!
//! **Invariant:** what the host keeps of a frame on its way is the socket's, and charged as what is received.

use crate::ngx::socket::frames::{build, receive};
use crate::text::bad_argument;
use crate::websocket::handshake;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rille_lua::{Error, Function, Lua, LuaString, Result, Table, Value};

const SOURCE: &str = include_str!("websocket.lua");
/// The longest key of a client's choice, in bytes.
const MAX_KEY: usize = 1024;

pub(super) fn server(lua: &Lua) -> Result<Value> {
    module(lua, "server")
}

pub(super) fn client(lua: &Lua) -> Result<Value> {
    module(lua, "client")
}

pub(super) fn protocol(lua: &Lua) -> Result<Value> {
    module(lua, "protocol")
}

fn module(lua: &Lua, name: &str) -> Result<Value> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in [
        "type",
        "tostring",
        "tonumber",
        "setmetatable",
        "error",
        "string",
        "table",
        "ngx",
        "pairs",
    ] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("receive", lua.create_direct_function(receive)?)?;
    tools.raw_set("build", lua.create_function(build)?)?;
    let accept = |_: &Lua, key: LuaString| {
        let key = key.as_bytes();
        match key.len() <= MAX_KEY {
            true => Ok(handshake::accept(&key)),
            false => Err(bad_argument(1, "the key is too long")),
        }
    };
    tools.raw_set("accept", lua.create_function(accept)?)?;
    let key = |_: &Lua, ()| {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(Error::external)?;
        Ok(STANDARD.encode(random))
    };
    tools.raw_set("key", lua.create_function(key)?)?;
    let source = lua.load(SOURCE).set_name("=resty.websocket");
    let make: Function = source.into_function()?;
    let modules: Table = make.call(tools)?;
    let module: Table = modules.raw_get(name)?;
    module.freeze()?;
    Ok(Value::Table(module))
}
