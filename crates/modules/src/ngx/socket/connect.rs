//! `connect` and `bind`.
//!
//! **Invariant:** nothing is connected, and no connection given up, before all arguments have been looked at.

use super::arguments::{Arguments, answer, refuse};
use super::methods::tcp;
use super::tcp::{Busy, Connection, Operation, Tcp, time};
use super::{POOL_SIZE, make_room};
use crate::answer::{Answer, no, type_name};
use crate::text::bad_argument;
use rille_lua::{Args, Glance, Lua, MultiValue, Reply, Result, Table, Value};
use rille_runtime::net::connect::strip_unix;
use rille_runtime::net::pool::{Acquired, MAX_NAME, Pool, Pools, Slot};
use rille_runtime::net::resolve::literal;
use rille_runtime::net::{NetError, Stream, Target};
use std::net::SocketAddr;
use std::rc::Rc;

/// Names of pools up to this length, in bytes, are looked up without making a text.
const SHORT_NAME: usize = 64;

/// Where to connect to, and through which pool.
struct Connect {
    /// The host, and behind it the port, if there is one.
    name: Vec<u8>,
    host_length: usize,
    port: u16,
    options: PoolOptions,
}

impl Connect {
    fn target(&self) -> std::result::Result<Target, NetError> {
        let host = self.name.get(..self.host_length).unwrap_or_default();
        Target::parse(host, self.port)
    }

    fn pool_name(&self) -> &[u8] {
        let name = self.options.name.as_deref().unwrap_or(&self.name);
        // Longer ones are those of hosts that do not exist.
        name.get(..MAX_NAME).unwrap_or(name)
    }

    fn pool(&self, pools: &Pools) -> Option<Rc<Pool>> {
        match self.options.size {
            Some(size) => Some(pools.open(self.pool_name(), size, self.options.backlog)),
            None => pools.find(self.pool_name()),
        }
    }
}

/// A connection from the pool is there at once.
pub(super) fn connect(given: &Args<'_>) -> Result<Reply<Answer>> {
    const COMPLAINT: &str =
        "ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen";
    let (lua, arguments) = (given.lua(), Arguments::new(given, 2, 4, COMPLAINT)?);
    let tcp = tcp(&arguments)?;
    if let Some(pool) = known_pool(arguments, tcp.net.pools())?
        && tcp.check_busy(&Operation::ALL).is_ok()
    {
        tcp.close();
        if let Some((stream, reused, slot)) = pool.take() {
            tcp.reuse(stream, reused, slot);
            return Ok(Reply::Now(Answer::Yes));
        }
    }
    let connect = match connect_arguments(arguments)? {
        Ok(connect) => connect,
        Err(why) => return refuse(lua, why),
    };
    if let Err(why) = tcp.check_busy(&Operation::ALL) {
        return refuse(lua, why);
    }
    tcp.close();
    make_room(lua, &tcp.net)?;
    let pool = connect.pool(tcp.net.pools());
    if let Some((stream, reused, slot)) = pool.as_ref().and_then(|pool| pool.take()) {
        tcp.reuse(stream, reused, slot);
        return Ok(Reply::Now(Answer::Yes));
    }
    let busy = Busy::begin(&tcp, &[Operation::Connect]);
    let later = lua.clone();
    Reply::prompt(lua, async move {
        let done = tcp.connect(connect, pool).await;
        busy.over();
        answer(&later, done).map(Answer::Values)
    })
}

/// The pool of a host and a port, as most are given, if there is one: no text is made for that.
fn known_pool(arguments: Arguments<'_>, pools: &Pools) -> Result<Option<Rc<Pool>>> {
    let port = arguments.glance(3, |value| match value {
        Glance::Integer(port) if arguments.len() == 3 => u16::try_from(port).ok(),
        _ => None,
    })?;
    let Some(port) = port else { return Ok(None) };
    arguments.glance(2, |value| {
        let Glance::String(host) = value else {
            return None;
        };
        let mut name = [0; SHORT_NAME];
        name.get_mut(..host.len())?.copy_from_slice(host);
        let mut length = host.len();
        for byte in [b':'].into_iter().chain(digits(port)) {
            *name.get_mut(length)? = byte;
            length += 1;
        }
        pools.find(name.get(..length)?)
    })
}

impl Tcp {
    /// Takes a connection from a pool; a former one is closed.
    fn reuse(&self, stream: Rc<Stream>, reused: u64, slot: Slot) {
        let pool = slot.pool_name().unwrap_or_default();
        self.connected(Connection::new(stream, pool, reused, Some(slot)));
    }

    async fn connect(
        &self,
        connect: Connect,
        pool: Option<Rc<Pool>>,
    ) -> std::result::Result<(), NetError> {
        let limit = time(self.timeouts.get().connect);
        let slot = match pool {
            None => None,
            Some(pool) => match pool.acquire(limit).await? {
                Acquired::Slot(slot) => Some(slot),
                Acquired::Connection(stream, reused, slot) => {
                    self.reuse(stream, reused, slot);
                    return Ok(());
                }
            },
        };
        let stream = (self.net)
            .connect(&connect.target()?, self.local.get(), limit)
            .await?;
        let pool = connect.pool_name().into();
        self.connected(Connection::new(Rc::new(stream), pool, 0, slot));
        Ok(())
    }
}

fn connect_arguments(arguments: Arguments<'_>) -> Result<std::result::Result<Connect, String>> {
    let mut name = Vec::with_capacity(32);
    arguments.append_to(2, &mut name)?;
    let host_length = name.len();
    let mut count = arguments.len();
    let mut options = PoolOptions::default();
    if arguments.glance(count, |value| value == Glance::Other)?
        && let Value::Table(table) = arguments.get(count)?
    {
        options = pool_options(arguments.lua(), count, &table)?;
        count -= 1;
    }
    let port = match count {
        3.. => arguments.number(3)?,
        _ => None,
    };
    let port = match port {
        Some(number) if !(0.0..65536.0).contains(&number) => {
            return Ok(Err(format!("bad port number: {}", number as i64)));
        }
        Some(number) => {
            name.push(b':');
            name.extend(digits(number as u16));
            number as u16
        }
        None if strip_unix(&String::from_utf8_lossy(&name)).is_some() => 0,
        None => return Ok(Err("missing the port number".to_owned())),
    };
    Ok(Ok(Connect {
        name,
        host_length,
        port,
        options,
    }))
}

/// The digits of a port.
fn digits(port: u16) -> impl Iterator<Item = u8> {
    let mut unit = match port {
        0..10 => 1,
        10..100 => 10,
        100..1000 => 100,
        1000..10_000 => 1000,
        10_000.. => 10_000,
    };
    std::iter::from_fn(move || {
        let digit = port.checked_div(unit)? % 10;
        unit /= 10;
        Some(b'0' + digit as u8)
    })
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
            return Err(bad_argument(position, why));
        }
        None if size.is_nil() => {}
        None => {
            let why = format!("bad \"pool_size\" option type: {}", type_name(&size));
            return Err(bad_argument(position, why));
        }
    }
    if let Some(number) = lua.coerce_number(table.get("backlog")?)? {
        if (number as i64) < 0 {
            let why = format!("bad \"backlog\" option value: {}", number as i64);
            return Err(bad_argument(position, why));
        }
        options.backlog = Some(number as usize);
        options.size = options.size.or(Some(POOL_SIZE));
    }
    let name: Value = table.get("pool")?;
    match lua.coerce_string(name.clone())? {
        Some(text) if text.len() > MAX_NAME => {
            return Err(bad_argument(position, "the \"pool\" option is too long"));
        }
        Some(text) => options.name = Some(text.as_bytes().to_vec()),
        None if name.is_nil() => {}
        None => {
            let why = format!("bad \"pool\" option type: {}", type_name(&name));
            return Err(bad_argument(position, why));
        }
    }
    Ok(options)
}

pub(super) fn bind(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(given, 2, 3, "expecting 2 or 3 arguments, but got")?;
    let tcp = tcp(&arguments)?;
    let mut port = 0;
    if arguments.len() == 3 {
        let Some(number) = arguments.number(3)? else {
            let name = type_name(&arguments.get(3)?);
            return no(
                lua,
                format!("expecting port to be anumber but got type: {name}"),
            );
        };
        if !(0.0..65536.0).contains(&number) {
            return no(lua, format!("bad port number: {}", number as i64));
        }
        port = number as u16;
    }
    match local_address(&arguments.bytes(2)?) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_as_numbers_are() {
        for port in [0, 7, 10, 99, 100, 808, 6399, 9999, 10_000, 65_535] {
            let written: Vec<u8> = digits(port).collect();
            assert_eq!(written, port.to_string().into_bytes());
        }
    }
}
