//! `resty.hmac`, as lua-resty-hmac has it: codes that authenticate what comes in pieces.
//!
//! ```lua
//! local hmac = require "resty.hmac"
//! local object = hmac:new(key, hmac.ALGOS.SHA256)  -- MD5 SHA1 SHA256 SHA384 SHA512; MD5 if none is named
//! object:update(text)            --> true
//! object:final([text [, true]])  --> the code, as bytes or in hexadecimal
//! object:reset()                 --> true; the key stays
//! ```
//! Once it has given its code, an object takes nothing (`update` is false, `final` nil) until it is reset.
//!
//! **Invariant:** an object's state has a fixed size, and each call works on at most [`crate::MAX_TEXT`] bytes.

use super::digest::Algorithm;
use super::object::{Class, State};
use crate::text::{Text, charge_hash, hex};
use hmac::digest::FixedOutputReset;
use hmac::{HmacReset, KeyInit, Mac};
use md5::Md5;
use rille_lua::{Lua, LuaString, Result, UserData, UserDataRef, Value};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("MD5", Algorithm::Md5),
    ("SHA1", Algorithm::Sha1),
    ("SHA256", Algorithm::Sha256),
    ("SHA384", Algorithm::Sha384),
    ("SHA512", Algorithm::Sha512),
];

/// A code under way, whatever its algorithm.
trait Keyed {
    fn update(&mut self, bytes: &[u8]);
    /// The code; what follows begins anew.
    fn finish(&mut self) -> Vec<u8>;
}

impl<M: Mac + FixedOutputReset> Keyed for M {
    fn update(&mut self, bytes: &[u8]) {
        Mac::update(self, bytes);
    }

    fn finish(&mut self) -> Vec<u8> {
        self.finalize_reset().into_bytes().to_vec()
    }
}

fn keyed<M: Keyed + KeyInit + 'static>(key: &[u8]) -> Option<Box<dyn Keyed>> {
    Some(Box::new(M::new_from_slice(key).ok()?))
}

fn start(algorithm: Algorithm, key: &[u8]) -> Option<Box<dyn Keyed>> {
    match algorithm {
        Algorithm::Md5 => keyed::<HmacReset<Md5>>(key),
        Algorithm::Sha1 => keyed::<HmacReset<Sha1>>(key),
        Algorithm::Sha224 => keyed::<HmacReset<Sha224>>(key),
        Algorithm::Sha256 => keyed::<HmacReset<Sha256>>(key),
        Algorithm::Sha384 => keyed::<HmacReset<Sha384>>(key),
        Algorithm::Sha512 => keyed::<HmacReset<Sha512>>(key),
    }
}

struct Running {
    code: Box<dyn Keyed>,
    is_over: bool,
}

impl UserData for Running {}

impl Running {
    fn update(&mut self, bytes: &[u8]) -> bool {
        if !self.is_over {
            self.code.update(bytes);
        }
        !self.is_over
    }

    fn finish(&mut self) -> Option<Vec<u8>> {
        let was_over = std::mem::replace(&mut self.is_over, true);
        (!was_over).then(|| self.code.finish())
    }

    fn reset(&mut self) {
        if !std::mem::replace(&mut self.is_over, false) {
            self.code.finish();
        }
    }
}

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let class = Class::new(lua, "0.06")?;
    let algorithms = lua.create_table()?;
    for (name, algorithm) in ALGORITHMS {
        algorithms.raw_set(*name, *algorithm)?;
    }
    class.module.raw_set("ALGOS", algorithms)?;
    class.add("update", lua.create_function(update)?)?;
    class.add("final", lua.create_function(finish)?)?;
    let reset = |_: &Lua, mut this: State<Running>| {
        this.0.reset();
        Ok(true)
    };
    class.add("reset", lua.create_function(reset)?)?;
    let module = class.module.clone();
    type Given = (Value, Text, Option<UserDataRef<Algorithm>>);
    let new = move |lua: &Lua, (_, key, algorithm): Given| {
        let algorithm = algorithm.map_or(Algorithm::Md5, |algorithm| *algorithm);
        charge_hash(lua, key.len());
        let Some(code) = start(algorithm, &key.as_bytes()) else {
            return Ok(None);
        };
        let bytes = size_of_val(&*code);
        let running = Running {
            code,
            is_over: false,
        };
        class.object(lua, running, bytes).map(Some)
    };
    module.raw_set("new", lua.create_function(new)?)?;
    Ok(Value::Table(module))
}

fn update(lua: &Lua, (mut this, text): (State<Running>, Text)) -> Result<bool> {
    charge_hash(lua, text.len());
    Ok(this.0.update(&text.as_bytes()))
}

fn finish(
    lua: &Lua,
    (mut this, text, is_hex): (State<Running>, Option<Text>, Value),
) -> Result<Option<LuaString>> {
    if let Some(text) = text {
        charge_hash(lua, text.len());
        this.0.update(&text.as_bytes());
    }
    let code = this.0.finish();
    let code = code.map(|code| match is_hex {
        Value::Boolean(true) => hex(&code),
        _ => code,
    });
    code.map(|code| lua.create_string(code)).transpose()
}
