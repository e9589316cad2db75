//! `sslhandshake` and `setclientcert`.
//!
//! **Invariant:** nothing else uses the connection during a handshake, and none is left of one that fails.

use super::arguments::{Arguments, wrong};
use super::methods::{ready_for, tcp};
use super::tcp::{Busy, Operation, time};
use crate::answer::no;
use crate::ngx::ssl;
use rille_lua::{Args, MultiValue, Reply, Result, UserData, Value};
use rille_runtime::net::Net;
use rille_runtime::net::tls::{Identity, Options};
use std::rc::Rc;

/// What reading a certificate and a key costs, besides their length.
const CERTIFICATE_FUEL: u64 = 1000;

/// What `sslhandshake` gives for a session. Sessions are resumed without it.
struct Session;

impl UserData for Session {}

pub(super) fn set_client_cert(given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    let arguments = Arguments::new(
        given,
        1,
        3,
        "expecting 3 arguments (including the object), but got",
    )?;
    let tcp = tcp(&arguments)?;
    let (chain, key) = (arguments.get(2)?, arguments.get(3)?);
    let identity = match (arguments.is_set(2)?, arguments.is_set(3)?) {
        (false, false) => None,
        (true, true) => match identity(&tcp.net, &chain, &key) {
            Ok(identity) => Some(Rc::new(identity)),
            Err(why) => return no(lua, &why),
        },
        _ => {
            let why = "client certificate must be supplied with corresponding private key";
            return no(lua, why);
        }
    };
    let length = |value: &Value| value.as_string().map_or(0, |text| text.len() as u64);
    lua.charge_fuel(CERTIFICATE_FUEL + length(&chain) + length(&key));
    *tcp.identity.borrow_mut() = identity;
    Ok(MultiValue::from_vec(vec![Value::Boolean(true)]))
}

fn identity(net: &Net, chain: &Value, key: &Value) -> std::result::Result<Identity, String> {
    let (chain, key) = (ssl::chain_of(chain)?, ssl::key_of(key)?);
    Identity::from_der(&chain, &key, net.memory()).map_err(|why| why.to_string())
}

pub(super) fn handshake(given: &Args<'_>) -> Result<Reply<MultiValue>> {
    const COMPLAINT: &str =
        "ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen";
    let arguments = Arguments::new(given, 1, 5, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let wants_session = !matches!(arguments.get(2)?, Value::Boolean(false));
    let server_name = match arguments.get(3)? {
        Value::Nil | Value::Boolean(false) => None,
        Value::String(name) if name.is_empty() => None,
        Value::String(name) => Some(name.to_string_lossy()),
        other => return Err(wrong(3, "string", &other)),
    };
    let options = Options {
        server_name,
        verify: arguments.is_set(4)?,
        identity: tcp.identity.borrow().clone(),
        alpn: Vec::new(),
    };
    let prepared = ready_for(&tcp, &Operation::ALL, |connection| {
        !connection.read_closed.get() && !connection.write_closed.get()
    })
    .map(|connection| (connection, Busy::begin(&tcp, &Operation::ALL)));
    let lua = given.lua().clone();
    Reply::prompt(given.lua(), async move {
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
                no(&lua, why.to_string())
            }
        }
    })
}
