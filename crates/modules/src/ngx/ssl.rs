//! `ngx.ssl`: certificates and keys for `setclientcert`. What serves TLS is not there.
//!
//! ```lua
//! ssl.parse_pem_cert(pem), ssl.parse_der_cert(der)              --> a chain, or nil and why not; as everywhere below
//! ssl.parse_pem_priv_key(pem), ssl.parse_der_priv_key(der)      --> a key
//! ssl.cert_pem_to_der(pem), ssl.priv_key_pem_to_der(pem)        --> a string
//! ```
//!
//! **Invariant:** what a script keeps of them is in its VM: the objects hold Lua strings.

use crate::answer::{no, type_name};
use rille_lua::{Lua, LuaString, MultiValue, Result, UserData, Value};
use rille_runtime::net::tls;

/// Certificates, one after the other as DER.
pub(super) struct Chain(pub(super) LuaString);

/// A private key as DER.
pub(super) struct Key(pub(super) LuaString);

impl UserData for Chain {}
impl UserData for Key {}

const NO_CERTIFICATE: &str = "PEM_read_bio_X509_AUX() failed";
const NO_KEY: &str = "PEM_read_bio_PrivateKey() failed";

/// The module.
pub(crate) fn module(lua: &Lua) -> Result<Value> {
    let module = lua.create_table()?;
    let add = |name: &str, convert: fn(&[u8]) -> Option<Vec<u8>>, wrap: Wrap, why: &'static str| {
        let function = lua.create_function(move |lua: &Lua, text: LuaString| {
            let converted = convert(&text.as_bytes());
            lua.charge_fuel(text.len() as u64);
            let Some(der) = converted else {
                return no(lua, why);
            };
            let value = wrap(lua, lua.create_string(der)?)?;
            Ok(MultiValue::from_vec(vec![value]))
        })?;
        module.raw_set(name, function)
    };
    let same_chain = |der: &[u8]| {
        let chain = tls::certificates_der(der)?;
        (!chain.is_empty()).then(|| der.to_vec())
    };
    let same_key = |der: &[u8]| tls::private_key_der(der).map(|_| der.to_vec());
    add(
        "parse_pem_cert",
        tls::certificates_from_pem,
        chain,
        NO_CERTIFICATE,
    )?;
    add("parse_pem_priv_key", tls::private_key_from_pem, key, NO_KEY)?;
    add("parse_der_cert", same_chain, chain, "d2i_X509_bio() failed")?;
    add(
        "parse_der_priv_key",
        same_key,
        key,
        "d2i_PrivateKey_bio() failed",
    )?;
    add(
        "cert_pem_to_der",
        tls::certificates_from_pem,
        text,
        NO_CERTIFICATE,
    )?;
    add(
        "priv_key_pem_to_der",
        tls::private_key_from_pem,
        text,
        NO_KEY,
    )?;
    Ok(Value::Table(module))
}

type Wrap = fn(&Lua, LuaString) -> Result<Value>;

fn chain(lua: &Lua, der: LuaString) -> Result<Value> {
    lua.create_userdata(Chain(der)).map(Value::UserData)
}

fn key(lua: &Lua, der: LuaString) -> Result<Value> {
    lua.create_userdata(Key(der)).map(Value::UserData)
}

fn text(_: &Lua, der: LuaString) -> Result<Value> {
    Ok(Value::String(der))
}

/// The certificates that a script gives: what [`module`] has parsed, or a PEM text.
pub(crate) fn chain_of(value: &Value) -> std::result::Result<Vec<u8>, String> {
    match value {
        Value::String(pem) => tls::certificates_from_pem(&pem.as_bytes())
            .ok_or_else(|| "invalid client certificate chain".to_owned()),
        Value::UserData(object) => match object.borrow::<Chain>() {
            Ok(chain) => Ok(chain.0.as_bytes().to_vec()),
            Err(_) => Err("invalid client certificate chain".to_owned()),
        },
        other => Err(format!(
            "bad cert arg: cdata expected, got {}",
            type_name(other)
        )),
    }
}

/// The private key that a script gives: what [`module`] has parsed, or a PEM text.
pub(crate) fn key_of(value: &Value) -> std::result::Result<Vec<u8>, String> {
    match value {
        Value::String(pem) => tls::private_key_from_pem(&pem.as_bytes())
            .ok_or_else(|| "ssl set client private key failed".to_owned()),
        Value::UserData(object) => match object.borrow::<Key>() {
            Ok(key) => Ok(key.0.as_bytes().to_vec()),
            Err(_) => Err("ssl set client private key failed".to_owned()),
        },
        other => Err(format!(
            "bad pkey arg: cdata expected, got {}",
            type_name(other)
        )),
    }
}
