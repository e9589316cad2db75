//! `ngx.socket`: sockets as lua-nginx-module has them.
//!
//! | file | what |
//! |---|---|
//! | this one | the table, and the objects in general |
//! | `arguments` | arguments and their errors |
//! | `data` | what can be sent |
//! | `tcp` | `tcp()`, `stream()`, `connect()`: the object and its states |
//! | `methods` | its methods: what they are, and the simple ones |
//! | `connect`, `handshake`, `receive`, `settings` | the others |
//! | `frames` | frames of WebSocket |
//! | `accepted` | the sockets of tasks that are started by connections |
//! | `udp` | `udp()` |
//! | `socket.lua` | iterators, and what is made of other functions |
//!
//! As in OpenResty an object is a table, so that scripts can put fields and methods of their own into it; its first element is a userdata with the socket.
//!
//! **Invariants.** What the host holds for sockets without a connection is below the app's memory limit; with one they are counted. A socket is closed when its userdata is collected, when a coroutine is stopped while it waits for it, and when its VM goes. Methods that
//! wait are prompt functions: what is ready at once costs no trip through the event loop.

mod accepted;
mod arguments;
mod connect;
mod data;
pub(crate) mod frames;
mod handshake;
mod methods;
mod receive;
mod settings;
mod tcp;
mod udp;

use arguments::at_once;
use rille_lua::{Args, Function, Lua, Result, Table, Value};
use rille_runtime::net::{Net, Stream};
use rille_runtime::vm::AppVm;
use std::rc::Rc;
use std::time::Duration;
use tcp::{Connection, Tcp};

const PRELUDE: &str = include_str!("socket.lua");

/// Without `settimeout`.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Entries that an object has room for: with them it takes as much of the VM's memory as the host holds for it.
const ROOM: usize = 4;
/// Without a `pool_size`.
const POOL_SIZE: usize = 30;

/// The table.
pub(super) fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let tools = lua.create_table()?;
    let net = vm.net();
    methods::install(lua, net, &tools)?;
    udp::install(lua, net, &tools)?;
    let globals = lua.globals();
    for name in ["select", "error", "tonumber", "type"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let (socket, make): (Table, Function) = (lua.load(PRELUDE).set_name("=[rille]"))
        .into_function()?
        .call(&tools)?;
    let until = move |given: &Args<'_>| receive::receive_until(&make, given);
    let tcp_methods: Table = tools.raw_get("tcp_methods")?;
    tcp_methods.raw_set("receiveuntil", at_once(lua, until)?)?;
    // All requests share the methods; what one of them wants changed it changes in its own object.
    tcp_methods.freeze()?;
    tools.raw_get::<Table>("udp_methods")?.freeze()?;
    for kind in [Kind::Raw, Kind::Body, Kind::Accepted] {
        let (methods, meta) = (lua.create_table()?, lua.create_table()?);
        for name in kind.methods() {
            methods.raw_set(*name, tcp_methods.raw_get::<Value>(*name)?)?;
        }
        if let Kind::Accepted = kind {
            accepted::install(lua, &methods)?;
        }
        methods.freeze()?;
        meta.raw_set("__index", methods)?;
        meta.freeze()?;
        lua.set_named_registry_value(kind.meta(), meta)?;
    }
    let net = net.clone();
    let accept =
        move |lua: &Lua, stream| connected(lua, &net, stream, Kind::Accepted).map(Value::Table);
    vm.tasks().give_sockets(Box::new(accept));
    Ok(socket)
}

/// What a socket is that a script has not connected itself.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A request's connection.
    Raw,
    /// A request's body.
    Body,
    /// The connection of a task.
    Accepted,
}

impl Kind {
    fn methods(self) -> &'static [&'static str] {
        const ALL: [&str; 6] = [
            "receive",
            "receiveany",
            "receiveuntil",
            "settimeout",
            "settimeouts",
            "send",
        ];
        match self {
            Kind::Raw => &ALL,
            Kind::Body => ALL.split_last().map_or(&ALL, |(_, reading)| reading),
            Kind::Accepted => accepted::METHODS,
        }
    }

    /// Where the metatable is.
    fn meta(self) -> &'static str {
        match self {
            Kind::Raw => "rille.socket.raw",
            Kind::Body => "rille.socket.body",
            Kind::Accepted => "rille.socket.accepted",
        }
    }
}

/// The object of a request's socket.
pub fn request_socket(lua: &Lua, net: &Rc<Net>, stream: Stream, kind: Kind) -> Result<Table> {
    connected(lua, net, Rc::new(stream), kind)
}

/// The object of a connection that is there.
fn connected(lua: &Lua, net: &Rc<Net>, stream: Rc<Stream>, kind: Kind) -> Result<Table> {
    let socket = Tcp::new(net);
    socket.connected(Connection::new(stream, Rc::default(), 0, None));
    lua.create_table_around(socket, ROOM, &lua.named_registry_value(kind.meta())?)
}

/// A function that makes objects with these methods.
fn maker<T: rille_lua::UserData>(
    lua: &Lua,
    net: &Rc<Net>,
    methods: &Table,
    make: fn(&Rc<Net>) -> T,
) -> Result<Function> {
    let meta = lua.create_table()?;
    meta.raw_set("__index", methods)?;
    meta.freeze()?;
    let net = net.clone();
    at_once(lua, move |given| {
        let lua = given.lua();
        if !given.is_empty() {
            return Err(rille_lua::Error::runtime(format!(
                "expecting zero arguments, but got {}",
                given.len()
            )));
        }
        lua.create_table_around(make(&net), ROOM, &meta)
    })
}

/// Sockets that no script has any more are closed before it is said that there are too many.
fn make_room(lua: &Lua, net: &Net) -> Result<()> {
    if net.sockets().is_full() && net.pools().idle() == 0 {
        lua.gc_collect()?;
    }
    Ok(())
}
