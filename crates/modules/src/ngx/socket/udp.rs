//! `ngx.socket.udp()`: datagram sockets.
//!
//! ```lua
//! sock:bind(address)                 --> 1, or nil and why not; as everywhere below
//! sock:setpeername(host, port)       --> 1; also ("unix:/path")
//! sock:send(data)                    --> 1
//! sock:receive([size])               --> data
//! sock:close()                       --> 1
//! sock:settimeout(milliseconds)
//! ```

use super::arguments::{Arguments, answer, at_once};
use super::data::Data;
use super::tcp::time;
use super::{make_room, maker};
use crate::answer::{no, yes};
use rille_lua::{Args, Lua, MultiValue, Reply, Result, Table, UserData, Value};
use rille_runtime::net::connect::Target;
use rille_runtime::net::udp::{Datagram, MAX_DATAGRAM};
use rille_runtime::net::{Net, NetError};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

const CLOSED: &str = "closed";
const BUSY: &str = "socket busy";

struct UdpObject(Rc<Udp>);

impl UserData for UdpObject {}

struct Udp {
    net: Rc<Net>,
    local: Cell<Option<SocketAddr>>,
    timeout: Cell<u32>,
    datagram: RefCell<Option<Rc<Datagram>>>,
    is_busy: Cell<bool>,
}

/// One operation at a time; if it is stopped, the socket is closed.
struct Busy {
    udp: Rc<Udp>,
    is_over: bool,
}

impl Busy {
    fn begin(udp: &Rc<Udp>) -> Busy {
        udp.is_busy.set(true);
        Busy {
            udp: udp.clone(),
            is_over: false,
        }
    }

    fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.udp.is_busy.set(false);
        if !self.is_over {
            self.udp.datagram.borrow_mut().take();
        }
    }
}

/// Adds the methods, and what makes objects.
pub(super) fn install(lua: &Lua, net: &Rc<Net>, tools: &Table) -> Result<()> {
    let methods = lua.create_table()?;
    methods.raw_set("setpeername", lua.create_direct_function(set_peer_name)?)?;
    methods.raw_set("send", lua.create_direct_function(send)?)?;
    methods.raw_set("receive", lua.create_direct_function(receive)?)?;
    methods.raw_set("bind", at_once(lua, bind)?)?;
    methods.raw_set("close", at_once(lua, close)?)?;
    methods.raw_set("settimeout", at_once(lua, set_timeout)?)?;
    let make = |net: &Rc<Net>| {
        UdpObject(Rc::new(Udp {
            net: net.clone(),
            local: Cell::new(None),
            timeout: Cell::new(0),
            datagram: RefCell::default(),
            is_busy: Cell::new(false),
        }))
    };
    tools.raw_set("udp", maker(lua, net, &methods, make)?)?;
    tools.raw_set("udp_methods", methods)
}

fn udp(arguments: &Arguments) -> Result<Rc<Udp>> {
    Ok(arguments.object::<UdpObject>()?.0.clone())
}

impl Udp {
    /// The socket, if there is one and nobody waits for it.
    fn ready(&self) -> std::result::Result<Rc<Datagram>, &'static str> {
        let datagram = self.datagram.borrow().clone().ok_or(CLOSED)?;
        match self.is_busy.get() {
            true => Err(BUSY),
            false => Ok(datagram),
        }
    }
}

fn bind(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(given, 2, 2, "expecting 2 arguments, but got")?;
    let udp = udp(&arguments)?;
    match super::connect::local_address(&arguments.bytes(2)?) {
        Some(address) => {
            udp.local.set(Some(SocketAddr::new(address, 0)));
            Ok(yes())
        }
        None => no(lua, "bad address"),
    }
}

fn set_peer_name(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    let lua = given.lua();
    const COMPLAINT: &str =
        "ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen";
    let arguments = Arguments::new(given, 2, 3, COMPLAINT)?;
    let udp = udp(&arguments)?;
    let host = arguments.bytes(2)?;
    let port = match arguments.len() {
        3 => arguments.integer(3)?,
        _ => 0,
    };
    let prepared: std::result::Result<(Target, Busy), String> = match u16::try_from(port) {
        Err(_) => Err(format!("bad port number: {port}")),
        Ok(_) if udp.is_busy.get() => Err(BUSY.to_owned()),
        Ok(port) => {
            udp.datagram.borrow_mut().take();
            make_room(lua, &udp.net)?;
            (Target::parse(&host, port))
                .map(|target| (target, Busy::begin(&udp)))
                .map_err(|why| why.to_string())
        }
    };
    let lua = lua.clone();
    Reply::prompt(given.lua(), async move {
        let (target, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, &why),
        };
        let made = (udp.net)
            .datagram(&target, udp.local.get(), time(udp.timeout.get()))
            .await;
        busy.over();
        let done = made.map(|datagram| {
            *udp.datagram.borrow_mut() = Some(Rc::new(datagram));
        });
        answer(&lua, done)
    })
}

fn send(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    let lua = given.lua();
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let udp = udp(&arguments)?;
    let prepared = match udp.ready() {
        Err(why) => Err(why),
        Ok(datagram) => {
            let data = Data::from(lua, &udp.net, 2, &arguments.get(2)?)?;
            Ok((datagram, data, Busy::begin(&udp)))
        }
    };
    let lua = lua.clone();
    Reply::prompt(given.lua(), async move {
        let (datagram, data, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, why),
        };
        let limit = time(udp.timeout.get());
        let done = match &data {
            Data::Whole(text) => datagram.send(&text.as_bytes(), limit).await,
            Data::Copied(bytes, _) => datagram.send(bytes, limit).await,
        };
        busy.over();
        answer(&lua, done)
    })
}

fn receive(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    let lua = given.lua();
    const COMPLAINT: &str = "expecting 1 or 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 2, COMPLAINT)?;
    let udp = udp(&arguments)?;
    let size = (arguments.optional_integer(2)?).unwrap_or(MAX_DATAGRAM as i64);
    let size = usize::try_from(size)
        .unwrap_or(MAX_DATAGRAM)
        .min(MAX_DATAGRAM);
    let prepared = udp.ready().map(|datagram| (datagram, Busy::begin(&udp)));
    let lua = lua.clone();
    Reply::prompt(given.lua(), async move {
        let (datagram, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, why),
        };
        let mut bytes = vec![0; size];
        let received: std::result::Result<usize, NetError> =
            datagram.receive(&mut bytes, time(udp.timeout.get())).await;
        busy.over();
        match received {
            Ok(length) => {
                bytes.truncate(length);
                let data = Value::String(lua.create_string(bytes)?);
                Ok(MultiValue::from_vec(vec![data]))
            }
            Err(why) => no(&lua, why.to_string()),
        }
    })
}

fn close(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    const COMPLAINT: &str = "expecting 1 argument (including the object) but seen";
    let arguments = Arguments::new(given, 1, 1, COMPLAINT)?;
    let udp = udp(&arguments)?;
    match udp.ready() {
        Ok(_) => {
            udp.datagram.borrow_mut().take();
            Ok(yes())
        }
        Err(why) => no(lua, why),
    }
}

fn set_timeout(given: &Args<'_>) -> Result<()> {
    const COMPLAINT: &str =
        "ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen";
    let arguments = Arguments::new(given, 2, usize::MAX, COMPLAINT)?;
    let milliseconds = super::settings::timeout(arguments, 2)?;
    udp(&arguments)?.timeout.set(milliseconds);
    Ok(())
}
