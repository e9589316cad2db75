//! The native parts of OpenResty's libraries.
//!
//! | file | what |
//! |---|---|
//! | `aes` | `resty.aes` |
//! | `digest` | `resty.md5`, `resty.sha1`, `resty.sha224` and so on |
//! | `hmac` | `resty.hmac` |
//! | `limit` | `resty.limit.req` |
//! | `lock` | `resty.lock` |
//! | `lrucache` | `resty.lrucache` and its `pureffi` |
//! | `object` | what objects of these are |
//! | `openssl` | `resty.openssl.digest` and others of it, `resty.evp` |
//! | `random` | `resty.random` |
//! | `string` | `resty.string` |
//! | `websocket` | `resty.websocket.server`, `client`, `protocol` |

mod aes;
mod digest;
mod hmac;
mod limit;
mod lock;
mod lrucache;
mod object;
pub mod openssl;
mod random;
mod string;
mod websocket;

use crate::Maker;
use digest::Algorithm;
use rille_lua::{Lua, Result, Value};

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[
    ("ngx.base64", crate::ngx::base64::module),
    ("ngx.re", crate::ngx::re::module),
    ("resty.aes", aes::module),
    ("resty.core", core),
    ("resty.hmac", hmac::module),
    ("resty.md5", |lua| digest::module(lua, Algorithm::Md5)),
    ("resty.random", random::module),
    ("resty.sha", digest::base),
    ("resty.sha1", |lua| digest::module(lua, Algorithm::Sha1)),
    ("resty.sha224", |lua| digest::module(lua, Algorithm::Sha224)),
    ("resty.sha256", |lua| digest::module(lua, Algorithm::Sha256)),
    ("resty.sha384", |lua| digest::module(lua, Algorithm::Sha384)),
    ("resty.sha512", |lua| digest::module(lua, Algorithm::Sha512)),
    ("resty.string", string::module),
    ("ngx.semaphore", crate::ngx::semaphore),
    ("ngx.ssl", crate::ngx::ssl::module),
    ("resty.limit.req", limit::module),
    ("resty.lock", lock::module),
    ("resty.lrucache", lrucache::tables),
    ("resty.lrucache.pureffi", lrucache::pureffi),
    ("resty.websocket.client", websocket::client),
    ("resty.websocket.protocol", websocket::protocol),
    ("resty.websocket.server", websocket::server),
];

/// `resty.core`, which programs require for its effect: here it is in effect already.
fn core(lua: &Lua) -> Result<Value> {
    let core = lua.create_table()?;
    core.raw_set("version", crate::ngx::RESTY_CORE)?;
    Ok(Value::Table(core))
}
