//! `resty.md5`, `resty.sha1`, `resty.sha224`, `resty.sha256`, `resty.sha384`, `resty.sha512`: digests of what comes in pieces.
//!
//! ```lua
//! local object = require("resty.sha256"):new()
//! object:update(text)  --> true
//! object:final()       --> the digest, as bytes
//! object:reset()       --> true
//! ```
//! Once it has given its digest, an object takes nothing (`update` is false, `final` nil) until it is reset.
//!
//! **Invariant:** an object's state has a fixed size, and each call works on at most [`crate::MAX_TEXT`] bytes.

use super::object::{Class, State, VERSION};
use crate::text::{Text, bad_argument, charge_hash};
use md5::Md5;
use rille_lua::{Lua, LuaString, Result, UserData, Value};
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// A digest, as scripts give it to [`super::hmac`] and [`super::aes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl UserData for Algorithm {}

impl Algorithm {
    pub(super) fn start(self) -> Box<dyn DynDigest> {
        match self {
            Algorithm::Md5 => Box::new(Md5::default()),
            Algorithm::Sha1 => Box::new(Sha1::default()),
            Algorithm::Sha224 => Box::new(Sha224::default()),
            Algorithm::Sha256 => Box::new(Sha256::default()),
            Algorithm::Sha384 => Box::new(Sha384::default()),
            Algorithm::Sha512 => Box::new(Sha512::default()),
        }
    }
}

/// A digest under way.
struct Running {
    digest: Box<dyn DynDigest>,
    is_over: bool,
}

impl UserData for Running {}

impl Running {
    fn update(&mut self, bytes: &[u8]) -> bool {
        if !self.is_over {
            self.digest.update(bytes);
        }
        !self.is_over
    }

    fn finish(&mut self) -> Option<Box<[u8]>> {
        let was_over = std::mem::replace(&mut self.is_over, true);
        (!was_over).then(|| self.digest.finalize_reset())
    }

    fn reset(&mut self) {
        self.digest.reset();
        self.is_over = false;
    }
}

/// `resty.sha`, which only has a version.
pub(super) fn base(lua: &Lua) -> Result<Value> {
    Ok(Value::Table(Class::new(lua, VERSION)?.module))
}

/// The module of an algorithm.
pub(super) fn module(lua: &Lua, algorithm: Algorithm) -> Result<Value> {
    let class = Class::new(lua, VERSION)?;
    let takes_length = algorithm == Algorithm::Md5;
    let update = move |lua: &Lua, (mut this, text, length): (State<Running>, Text, Value)| {
        let text = text.as_bytes();
        let bytes = match takes_length && !length.is_nil() {
            true => first_bytes(&text, lua.unpack(length)?)?,
            false => &text[..],
        };
        charge_hash(lua, bytes.len());
        Ok(this.0.update(bytes))
    };
    class.add("update", lua.create_function(update)?)?;
    let finish = |lua: &Lua, mut this: State<Running>| -> Result<Option<LuaString>> {
        let digest = this.0.finish();
        digest.map(|digest| lua.create_string(digest)).transpose()
    };
    class.add("final", lua.create_function(finish)?)?;
    let reset = |_: &Lua, mut this: State<Running>| {
        this.0.reset();
        Ok(true)
    };
    class.add("reset", lua.create_function(reset)?)?;
    let module = class.module.clone();
    let new = move |lua: &Lua, _: Value| {
        let digest = algorithm.start();
        let bytes = size_of_val(&*digest);
        class.object(
            lua,
            Running {
                digest,
                is_over: false,
            },
            bytes,
        )
    };
    module.raw_set("new", lua.create_function(new)?)?;
    Ok(Value::Table(module))
}

fn first_bytes(text: &[u8], length: i64) -> Result<&[u8]> {
    let bytes = usize::try_from(length)
        .ok()
        .and_then(|length| text.get(..length));
    bytes.ok_or_else(|| bad_argument(3, "length out of range"))
}
