//! `connect` and `bind`.
//!
//! **Invariant:** nothing is connected, and no connection given up, before all arguments have been looked at.

use super::arguments::{Arguments, answer};
use super::methods::tcp;
use super::tcp::{Connection, Operation, Tcp, time};
use super::{POOL_SIZE, make_room};
use crate::answer::{no, type_name};
use crate::text::bad_argument;
use rille_lua::{Lua, MultiValue, Result, Table, Value};
use rille_runtime::net::connect::strip_unix;
use rille_runtime::net::pool::{Acquired, MAX_NAME, Pool};
use rille_runtime::net::resolve::literal;
use rille_runtime::net::{NetError, Target};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

struct Connect {
    target: std::result::Result<Target, NetError>,
    pool_name: Vec<u8>,
    pool_size: Option<usize>,
    backlog: Option<usize>,
}

pub(super) fn connect(
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
                    let pool = connect.pool_name;
                    self.connected(Connection::new(stream, pool, reused, Some(slot)));
                    return Ok(());
                }
            },
        };
        let stream = (self.net)
            .connect(&connect.target?, self.local.get(), limit)
            .await?;
        self.connected(Connection::new(Rc::new(stream), connect.pool_name, 0, slot));
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

pub(super) fn bind(lua: &Lua, given: MultiValue) -> Result<MultiValue> {
    let arguments = Arguments::new(given, 2, 3, "expecting 2 or 3 arguments, but got")?;
    let tcp = tcp(&arguments)?;
    let mut port = 0;
    if arguments.len() == 3 {
        let value = arguments.get(3);
        let Some(number) = lua.coerce_number(value.clone())? else {
            let name = type_name(value);
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
