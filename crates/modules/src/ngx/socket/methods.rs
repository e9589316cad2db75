//! The methods of TCP sockets.
//!
//! ```lua
//! sock:bind(address [, port])                         --> true, or nil and why not; as everywhere below
//! sock:connect(host, port [, options])                --> 1; also ("unix:/path" [, options]); options: pool, pool_size, backlog
//! sock:setclientcert(chain, key)                      --> true; PEM texts; nil, nil forgets them
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

use super::arguments::{Arguments, answer, bad, no, type_name, wrong, yes};
use super::data::Data;
use super::tcp::{Connection, Operation, Tcp, TcpObject, Timeouts, time};
use super::{POOL_SIZE, maker};
use rille_lua::{Error, Function, Lua, MultiValue, Result, Table, UserData, Value};
use rille_runtime::net::connect::strip_unix;
use rille_runtime::net::pattern::{MAX_TEXT, Until};
use rille_runtime::net::pool::{Acquired, MAX_NAME, Pool};
use rille_runtime::net::resolve::literal;
use rille_runtime::net::tls::{Identity, Options};
use rille_runtime::net::{Net, NetError, Pattern, Received, Target};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long a connection is kept without a `setkeepalive` that says it.
const KEEPALIVE_MS: i64 = 60_000;

const CLOSED: &str = "closed";

/// What a call can be refused with before it begins: nil and this.
type Refused = &'static str;

/// What `sslhandshake` gives for a session. Sessions are resumed without it.
struct Session;

impl UserData for Session {}

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

fn tcp(arguments: &Arguments) -> Result<Rc<Tcp>> {
    Ok(arguments.object::<TcpObject>()?.0.clone())
}

// ---- connecting ----

struct Connect {
    target: std::result::Result<Target, NetError>,
    pool_name: Vec<u8>,
    pool_size: Option<usize>,
    backlog: Option<usize>,
}

fn connect(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str =
        "ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen";
    let arguments = Arguments::new(given, 2, 4, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let prepared = connect_arguments(lua, &arguments)?.and_then(|connect| {
        (tcp.check_busy(&Operation::ALL)).map_err(str::to_owned)?;
        Ok(connect)
    });
    let prepared = match prepared {
        Ok(connect) => {
            tcp.close();
            make_room(lua, &tcp.net)?;
            Ok((connect, tcp.begin(&[Operation::Connect])))
        }
        Err(why) => Err(why),
    };
    let lua = lua.clone();
    Ok(async move {
        let (connect, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, &why),
        };
        let done = tcp.connect(connect).await;
        busy.over();
        answer(&lua, done)
    })
}

/// Sockets that no script has any more are closed before it is said that there are too many.
fn make_room(lua: &Lua, net: &Net) -> Result<()> {
    if net.sockets().is_full() && net.pools().idle() == 0 {
        lua.gc_collect()?;
    }
    Ok(())
}

impl Tcp {
    async fn connect(&self, connect: Connect) -> std::result::Result<(), NetError> {
        let limit = time(self.timeouts.get().connect);
        let pools = self.net.pools();
        let pool: Option<Rc<Pool>> = match connect.pool_size {
            Some(size) => Some(pools.open(&connect.pool_name, size, connect.backlog)),
            None => pools.find(&connect.pool_name),
        };
        let slot = match pool {
            None => None,
            Some(pool) => match pool.acquire(limit).await? {
                Acquired::Slot(slot) => Some(slot),
                Acquired::Connection(stream, reused, slot) => {
                    self.connected(Connection {
                        stream,
                        pool: connect.pool_name,
                        reused,
                        slot: RefCell::new(Some(slot)),
                        read_closed: Cell::new(false),
                        write_closed: Cell::new(false),
                    });
                    return Ok(());
                }
            },
        };
        let stream = (self.net)
            .connect(&connect.target?, self.local.get(), limit)
            .await?;
        self.connected(Connection {
            stream: Rc::new(stream),
            pool: connect.pool_name,
            reused: 0,
            slot: RefCell::new(slot),
            read_closed: Cell::new(false),
            write_closed: Cell::new(false),
        });
        Ok(())
    }
}

fn connect_arguments(
    lua: &Lua,
    arguments: &Arguments,
) -> Result<std::result::Result<Connect, String>> {
    let host = arguments.bytes(lua, 2)?;
    let mut count = arguments.len();
    let mut options = PoolOptions::default();
    if let Value::Table(table) = arguments.get(count) {
        options = pool_options(lua, count, table)?;
        count -= 1;
    }
    let port = match arguments.get(3) {
        Value::Table(_) => None,
        value if count >= 3 => lua.coerce_number(value.clone())?,
        _ => None,
    };
    let (port, default_name) = match port {
        Some(number) if !(0.0..65536.0).contains(&number) => {
            return Ok(Err(format!("bad port number: {}", number as i64)));
        }
        Some(number) => {
            let mut name = host.clone();
            name.extend_from_slice(format!(":{}", number as u16).as_bytes());
            (number as u16, name)
        }
        None if strip_unix(&String::from_utf8_lossy(&host)).is_some() => (0, host.clone()),
        None => return Ok(Err("missing the port number".to_owned())),
    };
    let mut pool_name = options.name.unwrap_or(default_name);
    // Longer ones are those of hosts that do not exist.
    pool_name.truncate(MAX_NAME);
    Ok(Ok(Connect {
        target: Target::parse(&host, port),
        pool_name,
        pool_size: options.size,
        backlog: options.backlog,
    }))
}

#[derive(Default)]
struct PoolOptions {
    name: Option<Vec<u8>>,
    size: Option<usize>,
    backlog: Option<usize>,
}

fn pool_options(lua: &Lua, position: usize, table: &Table) -> Result<PoolOptions> {
    let mut options = PoolOptions::default();
    let size: Value = table.get("pool_size")?;
    match lua.coerce_number(size.clone())? {
        Some(number) if number as i64 > 0 => options.size = Some(number as usize),
        Some(number) => {
            let why = format!("bad \"pool_size\" option value: {}", number as i64);
            return Err(bad(position, why));
        }
        None if size.is_nil() => {}
        None => {
            let why = format!("bad \"pool_size\" option type: {}", type_name(&size));
            return Err(bad(position, why));
        }
    }
    if let Some(number) = lua.coerce_number(table.get("backlog")?)? {
        if (number as i64) < 0 {
            let why = format!("bad \"backlog\" option value: {}", number as i64);
            return Err(bad(position, why));
        }
        options.backlog = Some(number as usize);
        options.size = options.size.or(Some(POOL_SIZE));
    }
    let name: Value = table.get("pool")?;
    match lua.coerce_string(name.clone())? {
        Some(text) if text.len() > MAX_NAME => {
            return Err(bad(position, "the \"pool\" option is too long"));
        }
        Some(text) => options.name = Some(text.as_bytes().to_vec()),
        None if name.is_nil() => {}
        None => {
            let why = format!("bad \"pool\" option type: {}", type_name(&name));
            return Err(bad(position, why));
        }
    }
    Ok(options)
}

fn bind(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(given, 2, 3, "expecting 2 or 3 arguments, but got")?;
    let tcp = tcp(&arguments)?;
    let mut port = 0;
    if arguments.len() == 3 {
        let value = arguments.get(3);
        let Some(number) = lua.coerce_number(value.clone())? else {
            let name = type_name(value);
            return no(
                lua,
                &format!("expecting port to be anumber but got type: {name}"),
            );
        };
        if !(0.0..65536.0).contains(&number) {
            return no(lua, &format!("bad port number: {}", number as i64));
        }
        port = number as u16;
    }
    match local_address(&arguments.bytes(lua, 2)?) {
        Some(address) => {
            tcp.local.set(Some(SocketAddr::new(address, port)));
            Ok(MultiValue::from_vec(vec![Value::Boolean(true)]))
        }
        None => no(lua, "bad address"),
    }
}

/// An address as `bind` takes it.
pub(super) fn local_address(text: &[u8]) -> Option<std::net::IpAddr> {
    std::str::from_utf8(text).ok().and_then(literal)
}

// ---- TLS ----

fn set_client_cert(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(
        given,
        1,
        3,
        "expecting 3 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    let is_set = |value: &Value| !matches!(value, Value::Nil | Value::Boolean(false));
    let identity = match (arguments.get(2), arguments.get(3)) {
        (chain, key) if !is_set(chain) && !is_set(key) => None,
        (Value::String(chain), Value::String(key)) => {
            match Identity::from_pem(&chain.as_bytes(), &key.as_bytes(), tcp.net.memory()) {
                Ok(identity) => Some(Rc::new(identity)),
                Err(why) => return no(lua, &why.to_string()),
            }
        }
        (chain, key) if !is_set(chain) || !is_set(key) => {
            let why = "client certificate must be supplied with corresponding private key";
            return no(lua, why);
        }
        (Value::String(_), key) => {
            let name = type_name(key);
            return no(
                lua,
                &format!("bad pkey arg: PEM string expected, got {name}"),
            );
        }
        (chain, _) => {
            let name = type_name(chain);
            return no(
                lua,
                &format!("bad cert arg: PEM string expected, got {name}"),
            );
        }
    };
    *tcp.identity.borrow_mut() = identity;
    Ok(MultiValue::from_vec(vec![Value::Boolean(true)]))
}

fn handshake(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str =
        "ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen";
    let arguments = Arguments::new(given, 1, 5, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let wants_session = !matches!(arguments.get(2), Value::Boolean(false));
    let server_name = match arguments.get(3) {
        Value::Nil | Value::Boolean(false) => None,
        Value::String(name) if name.is_empty() => None,
        Value::String(name) => Some(name.to_string_lossy()),
        other => return Err(wrong(3, "string", other)),
    };
    let options = Options {
        server_name,
        verify: !matches!(arguments.get(4), Value::Nil | Value::Boolean(false)),
        identity: tcp.identity.borrow().clone(),
        alpn: Vec::new(),
    };
    let prepared = ready_for(&tcp, &Operation::ALL, |connection| {
        !connection.read_closed.get() && !connection.write_closed.get()
    })
    .map(|connection| (connection, tcp.begin(&Operation::ALL)));
    let lua = lua.clone();
    Ok(async move {
        let (connection, busy) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return no(&lua, why),
        };
        let limit = time(tcp.timeouts.get().connect);
        let done = (connection.stream)
            .handshake(tcp.net.tls(), &options, limit)
            .await;
        busy.over();
        match done {
            Ok(()) if wants_session => {
                let session = Value::UserData(lua.create_userdata(Session)?);
                Ok(MultiValue::from_vec(vec![session]))
            }
            Ok(()) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
            Err(why) => {
                tcp.close();
                no(&lua, &why.to_string())
            }
        }
    })
}

// ---- sending ----

/// The connection, if it is `fit` and nothing else does one of these.
fn ready_for(
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
                no(&lua, &why.to_string())
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
        return Err(bad(2, format!("bad shutdown argument: {shown}")));
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

// ---- receiving ----

fn receive(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 1 or 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(connection) => {
            let pattern = match arguments.len() {
                1 => Some(Pattern::line()),
                _ => pattern_of(lua, arguments.get(2))?,
            };
            match pattern {
                Some(pattern) => Reading::begin(&tcp, connection, pattern),
                None => Reading::Nothing,
            }
        }
    };
    let lua = lua.clone();
    Ok(async move { reading.finish(&lua).await })
}

/// What `receive` is to wait for; `None` for nothing at all.
fn pattern_of(lua: &Lua, value: &Value) -> Result<Option<Pattern>> {
    if let Some(number) = lua.coerce_number(value.clone())? {
        return match number as i64 {
            ..0 => Err(bad(2, "bad number argument")),
            0 => Ok(None),
            count => Ok(Some(Pattern::bytes(
                usize::try_from(count).unwrap_or(usize::MAX),
            ))),
        };
    }
    let Value::String(text) = value else {
        return Err(bad(2, "bad argument"));
    };
    match &*text.as_bytes() {
        b"*l" => Ok(Some(Pattern::line())),
        b"*a" => Ok(Some(Pattern::all())),
        [b'*', _] => Err(bad(2, "bad pattern argument")),
        other => {
            let shown: String = String::from_utf8_lossy(other).chars().take(200).collect();
            Err(bad(2, format!("bad pattern argument: {shown}")))
        }
    }
}

fn receive_any(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(connection) => match lua.coerce_number(arguments.get(2).clone())? {
            Some(most) if most as i64 > 0 => {
                Reading::begin(&tcp, connection, Pattern::any(most as usize))
            }
            _ => return Err(bad(2, "bad max argument")),
        },
    };
    let lua = lua.clone();
    Ok(async move { reading.finish(&lua).await })
}

fn readable(tcp: &Tcp) -> std::result::Result<Rc<Connection>, Refused> {
    let operations = [Operation::Connect, Operation::Read];
    ready_for(tcp, &operations, |connection| !connection.read_closed.get())
}

/// A read that has begun, or not.
enum Reading {
    Refused(Refused),
    /// Nothing is wanted.
    Nothing,
    Begun(Box<Begun>),
}

struct Begun {
    tcp: Rc<Tcp>,
    connection: Rc<Connection>,
    busy: super::tcp::Busy,
    pattern: Pattern,
    received: Received,
}

impl Reading {
    fn begin(tcp: &Rc<Tcp>, connection: Rc<Connection>, pattern: Pattern) -> Reading {
        Reading::Begun(Box::new(Begun {
            busy: tcp.begin(&[Operation::Read]),
            tcp: tcp.clone(),
            connection,
            pattern,
            received: Received::new(tcp.net.memory()),
        }))
    }

    /// What the method returns.
    async fn finish(self, lua: &Lua) -> Result<MultiValue> {
        match self {
            Reading::Refused(why) => no(lua, why),
            Reading::Nothing => {
                let nothing = Value::String(lua.create_string("")?);
                Ok(MultiValue::from_vec(vec![nothing]))
            }
            Reading::Begun(begun) => begun.run(lua).await.0,
        }
    }
}

impl Begun {
    /// What the method returns, and the pattern as it is then.
    async fn run(mut self, lua: &Lua) -> (Result<MultiValue>, Pattern) {
        let limit = time(self.tcp.timeouts.get().read);
        let done = (self.connection.stream)
            .read(&mut self.pattern, &mut self.received, limit)
            .await;
        self.busy.over();
        let bytes = match done {
            // The VM has no room for it either.
            Err(NetError::TooMuchData(_)) => &[],
            _ => self.received.bytes(),
        };
        lua.charge_fuel(bytes.len() as u64 / 16);
        let results = lua.create_string(bytes).and_then(|data| {
            let data = Value::String(data);
            Ok(match &done {
                Ok(()) => vec![data],
                Err(why) => {
                    let why = Value::String(lua.create_string(why.to_string())?);
                    vec![Value::Nil, why, data]
                }
            })
        });
        if let Err(why) = &done {
            self.tcp.read_failed(&self.connection, why);
        }
        (results.map(MultiValue::from_vec), self.pattern)
    }
}

/// `receiveuntil(self, text, options)`; `make(socket, text, inclusive)` makes an iterator.
pub(super) fn receive_until(lua: &Lua, make: &Function, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 2 or 3 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 3, COMPLAINT)?;
    let mut inclusive = false;
    if arguments.len() == 3 {
        let Value::Table(options) = arguments.get(3) else {
            return Err(wrong(3, "table", arguments.get(3)));
        };
        match options.get::<Value>("inclusive")? {
            Value::Nil => {}
            Value::Boolean(wanted) => inclusive = wanted,
            other => {
                return Err(Error::runtime(format!(
                    "bad \"inclusive\" option value type: {}",
                    type_name(&other)
                )));
            }
        }
    }
    tcp(&arguments)?;
    let text = arguments.bytes(lua, 2)?;
    if text.is_empty() {
        return no(lua, "pattern is empty");
    }
    if text.len() > MAX_TEXT {
        return no(lua, "failed to compile pattern");
    }
    make.call((arguments.get(1), lua.create_string(text)?, inclusive))
}

/// The state of an iterator that has given its last piece: the next call says so.
const AT_END: i64 = -1;

/// `(socket, text, inclusive, state [, size])`: the new state, and what the iterator returns.
fn read_until(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    let arguments = Arguments::new(given, 4, 5, "expecting 0 or 1 argument, but seen")?;
    let tcp = tcp(&arguments)?;
    let size = match arguments.len() {
        5 => {
            let Some(size) = lua.coerce_number(arguments.get(5).clone())? else {
                let name = type_name(arguments.get(5));
                return Err(Error::runtime(format!(
                    "bad argument #1 to 'receiveuntil' (number expected, got {name})"
                )));
            };
            usize::try_from(size as i64).unwrap_or(0)
        }
        _ => 0,
    };
    let state = arguments.integer(lua, 4)?;
    let inclusive = matches!(arguments.get(3), Value::Boolean(true));
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(_) if state == AT_END => Reading::Nothing,
        Ok(connection) => {
            let Some(until) = Until::new(&arguments.bytes(lua, 2)?, inclusive) else {
                return Err(bad(2, "failed to compile pattern"));
            };
            let until = until
                .resume(usize::try_from(state).unwrap_or(0))
                .pause_after(size);
            Reading::begin(&tcp, connection, Pattern::until(until))
        }
    };
    let lua = lua.clone();
    Ok(async move {
        let (results, state) = match reading {
            Reading::Refused(why) => (no(&lua, why), state),
            Reading::Nothing => (Ok(MultiValue::from_vec(vec![Value::Nil; 3])), 0),
            Reading::Begun(begun) => {
                let (results, pattern) = begun.run(&lua).await;
                (results, state_after(&pattern, size > 0))
            }
        };
        let mut results = results?;
        results.push_front(Value::Integer(state));
        Ok(results)
    })
}

fn state_after(pattern: &Pattern, sized: bool) -> i64 {
    match pattern.as_until() {
        Some(until) if until.found() && sized => AT_END,
        Some(until) => until.state() as i64,
        None => 0,
    }
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
        return no(lua, &NetError::Unread.to_string());
    }
    let pools = tcp.net.pools();
    if size <= 0 && pools.find(&connection.pool).is_none() {
        let why = format!("bad \"pool_size\" option value: {size}");
        return Err(bad(arguments.len(), why));
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

// ---- settings ----

/// Sets an option of the system's socket.
fn set_option(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(
        given,
        1,
        3,
        "expecting 3 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    if arguments.get(2).is_nil() {
        return no(lua, "missing the \"option\" argument");
    }
    let number = match arguments.get(3) {
        Value::Nil => return no(lua, "missing the \"value\" argument"),
        Value::Boolean(on) => i64::from(*on),
        _ => arguments.integer(lua, 3)?,
    };
    let name = option_name(arguments.get(2));
    let Some(option) = SocketOption::find(&name) else {
        return no(lua, &format!("unsupported option {name}"));
    };
    let done = (tcp.open())
        .and_then(|open| (open.stream).with_socket(|socket| option.set(&socket, number)));
    match done {
        Some(Ok(())) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
        Some(Err(error)) => no(lua, &NetError::from(error).to_string()),
        None => no(lua, CLOSED),
    }
}

fn get_option(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(
        given,
        1,
        2,
        "expecting 2 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    if arguments.get(2).is_nil() {
        return no(lua, "missing the \"option\" argument");
    }
    let name = option_name(arguments.get(2));
    let Some(option) = SocketOption::find(&name) else {
        return no(lua, &format!("unsupported option {name}"));
    };
    let got = (tcp.open()).and_then(|open| open.stream.with_socket(|socket| option.get(&socket)));
    match got {
        Some(Ok(number)) => Ok(MultiValue::from_vec(vec![Value::Integer(number as i64)])),
        Some(Err(error)) => no(lua, &NetError::from(error).to_string()),
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
pub(super) fn timeout(lua: &Lua, value: &Value) -> Result<u32> {
    let number = lua.coerce_number(value.clone())?.unwrap_or(0.0) as i64;
    match u32::try_from(number) {
        Ok(number) if number <= 0x7fff_ffff => Ok(number),
        _ => Err(Error::runtime("bad timeout value")),
    }
}

fn set_timeout(lua: &Lua, given: MultiValue) -> Result<()> {
    const COMPLAINT: &str =
        "ngx.socket settimeout: expecting 2 arguments (including the object) but seen";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let each = timeout(lua, arguments.get(2))?;
    tcp(&arguments)?.timeouts.set(Timeouts {
        connect: each,
        send: each,
        read: each,
    });
    Ok(())
}

fn set_timeouts(lua: &Lua, given: MultiValue) -> Result<()> {
    const COMPLAINT: &str =
        "ngx.socket settimeouts: expecting 4 arguments (including the object) but seen";
    let arguments = Arguments::new(given, 4, 4, COMPLAINT)?;
    let timeouts = Timeouts {
        connect: timeout(lua, arguments.get(2))?,
        send: timeout(lua, arguments.get(3))?,
        read: timeout(lua, arguments.get(4))?,
    };
    tcp(&arguments)?.timeouts.set(timeouts);
    Ok(())
}
