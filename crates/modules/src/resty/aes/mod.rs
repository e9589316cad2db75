//! `resty.aes`, as lua-resty-string has it.
//!
//! ```lua
//! local aes = require "resty.aes"
//! local object = aes:new(key, salt, aes.cipher(256, "cbc"), aes.hash.sha512, 5)   -- a key is derived, as OpenSSL's EVP_BytesToKey does
//! local object = aes:new(key, nil, aes.cipher(128, "cbc"), { iv = iv, method = f })  -- the key is f(key), or key itself
//! object:encrypt(text)             --> bytes, or nil and why not; in GCM a list of the bytes and their tag
//! object:decrypt(bytes [, tag])    --> text, or nil and why not
//! ```
//! Sizes 128, 192, 256; modes ecb, cbc, cfb1, cfb8, cfb128, ofb, ctr, gcm. Further arguments of `new`: the length of the vector in GCM, and
//! whether messages are padded in ECB and CBC. In GCM both calls take, last, what is authenticated as well.
//!
//! **Invariant:** a call does at most [`MAX_BLOCKS`] blocks of work, a derivation at most [`MAX_ROUNDS`] rounds.

mod gcm;
mod modes;

use super::digest::Algorithm;
use super::object::{Class, State, VERSION};
use crate::answer::type_name;
use crate::text::{Answer, MAX_TEXT, Text, at_argument, bad_argument, charge_hash};
use modes::{BLOCK, Key, Mode};
use rille_lua::{
    AnyUserData, Error, FromLua, FromLuaMulti, Function, Lua, LuaString, MultiValue, Result, Table,
    UserData, Value,
};

/// The most blocks that a call encrypts: [`MAX_TEXT`], or in CFB8 and CFB1 the 16th and 128th part of it.
const MAX_BLOCKS: usize = MAX_TEXT / BLOCK;
/// The most rounds that a key is derived with.
pub const MAX_ROUNDS: i64 = 100_000;
/// Bytes that are looked at of the size and the name of a mode.
const MAX_SHOWN: usize = 40;
/// The longest vector of GCM, in bytes, as for the longest key.
const MAX_VECTOR: usize = 32;

const HASHES: &[(&str, Algorithm)] = &[
    ("md5", Algorithm::Md5),
    ("sha1", Algorithm::Sha1),
    ("sha224", Algorithm::Sha224),
    ("sha256", Algorithm::Sha256),
    ("sha384", Algorithm::Sha384),
    ("sha512", Algorithm::Sha512),
];

/// A key and how it is used.
struct Cipher {
    key: Key,
    mode: Mode,
    vector: [u8; MAX_VECTOR],
    /// In GCM.
    vector_len: usize,
    pads: bool,
}

impl UserData for Cipher {}

impl Cipher {
    /// The vector of all modes but GCM.
    fn block(&self) -> [u8; BLOCK] {
        self.vector.first_chunk().copied().unwrap_or_default()
    }

    fn long_vector(&self) -> &[u8] {
        &self.vector[..self.vector_len.min(MAX_VECTOR)]
    }
}

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let class = Class::new(lua, VERSION)?;
    let hashes = lua.create_table()?;
    for (name, algorithm) in HASHES {
        hashes.raw_set(*name, *algorithm)?;
    }
    class.module.raw_set("hash", hashes)?;
    class.add("cipher", lua.create_function(cipher)?)?;
    class.add("encrypt", lua.create_function(encrypt)?)?;
    class.add("decrypt", lua.create_function(decrypt)?)?;
    let module = class.module.clone();
    let new = move |lua: &Lua, given: New| match given.cipher()? {
        Ok(cipher) => class.object(lua, cipher, size_of::<Cipher>()).map(Ok),
        Err(why) => Ok(Err(why)),
    };
    module.raw_set("new", lua.create_function(new)?)?;
    Ok(Value::Table(module))
}

/// `cipher(size, mode)`: what `new` takes.
fn cipher(lua: &Lua, (size, mode): (Value, Option<LuaString>)) -> Result<Table> {
    let size = if size.is_nil() {
        Value::Integer(128)
    } else {
        size
    };
    let mode = match mode {
        Some(mode) => mode,
        None => lua.create_string("cbc")?,
    };
    let table = lua.create_table()?;
    table.raw_set("size", size)?;
    table.raw_set("cipher", mode)?;
    kind(lua, &table)?;
    Ok(table)
}

/// The bytes of the key and the mode that a table names.
fn kind(lua: &Lua, table: &Table) -> Result<(usize, Mode)> {
    let size: Value = table.get("size")?;
    let mode: Value = table.get("cipher")?;
    let bytes = match lua.coerce_integer(size.clone())? {
        Some(128) => Some(16),
        Some(192) => Some(24),
        Some(256) => Some(32),
        _ => None,
    };
    let mode = shown(&mode)?;
    match (bytes, Mode::named(&mode)) {
        (Some(bytes), Some(mode)) => Ok((bytes, mode)),
        _ => Err(Error::runtime(format_args!(
            "missing declaration for symbol 'EVP_aes_{}_{mode}'",
            shown(&size)?
        ))),
    }
}

/// The text of a value, up to what a message shows of it.
fn shown(value: &Value) -> Result<String> {
    let mut shown = value.to_string()?;
    shown.truncate(shown.floor_char_boundary(MAX_SHOWN));
    Ok(shown)
}

/// What `new` is given.
struct New {
    lua: Lua,
    key: Value,
    salt: Option<Text>,
    key_len: usize,
    mode: Mode,
    hash: Value,
    rounds: i64,
    vector_len: Option<i64>,
    pads: bool,
}

impl FromLuaMulti for New {
    fn from_lua_multi(values: MultiValue, lua: &Lua) -> Result<New> {
        type Given = (
            Value,
            Value,
            Option<Text>,
            Option<Table>,
            Value,
            Option<i64>,
            Option<i64>,
            Option<bool>,
        );
        let (_, key, salt, cipher, hash, rounds, vector_len, pads) =
            Given::from_lua_multi(values, lua)?;
        let (key_len, mode) = match cipher {
            Some(cipher) => kind(lua, &cipher)?,
            None => (16, Mode::Cbc),
        };
        Ok(New {
            lua: lua.clone(),
            key,
            salt,
            key_len,
            mode,
            hash,
            rounds: rounds.unwrap_or(1),
            vector_len,
            pads: pads.unwrap_or(true),
        })
    }
}

/// What a cipher is made of.
struct Material {
    key: Vec<u8>,
    vector: Vec<u8>,
    /// In GCM.
    vector_len: usize,
}

impl New {
    fn cipher(self) -> Result<Answer<Cipher>> {
        let made = match &self.hash {
            Value::Table(given) => self.given(given)?,
            _ => self.derived()?,
        };
        let made = match made {
            Ok(made) => made,
            Err(why) => return Ok(Err(why)),
        };
        if self.mode == Mode::Gcm && !(1..=self.key_len).contains(&made.vector_len) {
            return Ok(Err("failed to set IV length"));
        }
        let Some(key) = Key::new(&made.key) else {
            return Ok(Err("failed to init ctx"));
        };
        // What a vector lacks is zero.
        let mut vector = [0; MAX_VECTOR];
        for (room, byte) in vector.iter_mut().zip(made.vector) {
            *room = byte;
        }
        Ok(Ok(Cipher {
            key,
            mode: self.mode,
            vector,
            vector_len: made.vector_len,
            pads: self.pads,
        }))
    }

    /// The key and the vector are the script's.
    fn given(&self, given: &Table) -> Result<Answer<Material>> {
        let vector = match given.get("iv")? {
            Value::Nil | Value::Boolean(false) => return Ok(Err("iv is needed")),
            vector => Text::from_lua(vector, &self.lua)?,
        };
        if vector.len() > self.key_len {
            return Ok(Err("bad iv length"));
        }
        let key: Value = match given.get("method")? {
            Value::Nil | Value::Boolean(false) => self.key.clone(),
            method => Function::from_lua(method, &self.lua)?.call(self.key.clone())?,
        };
        let key = self.text(key)?;
        if key.len() != self.key_len {
            return Ok(Err("bad key length"));
        }
        Ok(Ok(Material {
            key: key.as_bytes().to_vec(),
            vector: vector.as_bytes().to_vec(),
            vector_len: vector.len(),
        }))
    }

    fn derived(&self) -> Result<Answer<Material>> {
        let algorithm = match &self.hash {
            Value::Nil | Value::Boolean(false) => Algorithm::Md5,
            hash => *AnyUserData::from_lua(hash.clone(), &self.lua)
                .and_then(|hash| hash.borrow::<Algorithm>())
                .map_err(|_| {
                    bad_argument(
                        5,
                        format_args!("hash or table expected, got {}", type_name(hash)),
                    )
                })?,
        };
        let salt = self.salt.as_ref().map(|salt| salt.as_bytes());
        let salt = salt.as_deref().unwrap_or_default();
        if self.salt.is_some() && salt.len() != 8 {
            return Ok(Err("salt must be 8 characters or nil"));
        }
        let secret = self.text(self.key.clone())?;
        if self.rounds > MAX_ROUNDS {
            return Ok(Err("failed to generate key and iv"));
        }
        let vector_len = self.mode.vector_len();
        let wanted = self.key_len + vector_len;
        let rounds = self.rounds.max(1) as u64;
        let made = derive(
            algorithm,
            salt,
            &secret.as_bytes(),
            rounds,
            wanted,
            |bytes| {
                charge_hash(&self.lua, bytes);
            },
        );
        let (key, vector) = made.split_at(self.key_len);
        // There, a vector of GCM is as long as the key unless told otherwise: the rest of it is zero.
        let vector_len = match self.vector_len {
            Some(len) => usize::try_from(len).unwrap_or(0),
            None => self.key_len,
        };
        Ok(Ok(Material {
            key: key.to_vec(),
            vector: vector.to_vec(),
            vector_len,
        }))
    }

    fn text(&self, key: Value) -> Result<Text> {
        Text::from_lua(key, &self.lua).map_err(|error| at_argument(2, error))
    }
}

/// Derives bytes for a key and a vector as OpenSSL's `EVP_BytesToKey` does: digests of the one before, the secret and the salt.
fn derive(
    algorithm: Algorithm,
    salt: &[u8],
    secret: &[u8],
    rounds: u64,
    wanted: usize,
    charge: impl Fn(usize),
) -> Vec<u8> {
    let mut made = Vec::new();
    let mut digest = algorithm.start();
    let mut last: Box<[u8]> = Box::default();
    while made.len() < wanted {
        charge(secret.len() + rounds as usize * 64);
        for part in [&last, secret, salt] {
            digest.update(part);
        }
        last = digest.finalize_reset();
        for _ in 1..rounds {
            digest.update(&last);
            last = digest.finalize_reset();
        }
        made.extend_from_slice(&last);
    }
    made.truncate(wanted);
    made
}

/// The object that a method was called on, with OpenResty's message if there is none.
fn this(lua: &Lua, value: Value) -> Result<State<Cipher>> {
    match value {
        Value::Table(_) => State::from_lua(value, lua),
        other => Err(Error::runtime(format_args!(
            "bad argument #1 self: table expected, got {}",
            type_name(&other)
        ))),
    }
}

/// Charges for the work on a message, and limits it.
fn limited(lua: &Lua, cipher: &Cipher, bytes: usize) -> Result<()> {
    let blocks = bytes * 8 / cipher.mode.bits_per_block();
    charge_hash(lua, blocks * BLOCK);
    match blocks > MAX_BLOCKS {
        true => Err(bad_argument(2, "string too long for this mode")),
        false => Ok(()),
    }
}

fn encrypt(
    lua: &Lua,
    (object, message, with): (Value, Text, Option<Text>),
) -> Result<Answer<Value>> {
    let this = this(lua, object)?;
    let cipher = &*this.0;
    limited(lua, cipher, message.len())?;
    let message = message.as_bytes();
    if cipher.mode == Mode::Gcm {
        let with = with.as_ref().map(|with| with.as_bytes());
        let with = with.as_deref().unwrap_or_default();
        charge_hash(lua, with.len());
        let (text, tag) = gcm::seal(&cipher.key, cipher.long_vector(), with, &message);
        let both = [lua.create_string(text)?, lua.create_string(tag)?];
        return Ok(Ok(Value::Table(lua.create_sequence_from(both)?)));
    }
    let vector = cipher.block();
    match modes::encrypt(&cipher.key, cipher.mode, vector, cipher.pads, &message) {
        Some(text) => Ok(Ok(Value::String(lua.create_string(text)?))),
        None => Ok(Err("EVP_EncryptFinal_ex failed")),
    }
}

fn decrypt(
    lua: &Lua,
    (object, text, tag, with): (Value, Text, Option<Text>, Option<Text>),
) -> Result<Answer<Value>> {
    let this = this(lua, object)?;
    let cipher = &*this.0;
    limited(lua, cipher, text.len())?;
    let text = text.as_bytes();
    let message = if cipher.mode == Mode::Gcm {
        let with = with.as_ref().map(|with| with.as_bytes());
        let with = with.as_deref().unwrap_or_default();
        charge_hash(lua, with.len());
        let tag = tag.as_ref().map(|tag| tag.as_bytes());
        let tag = tag
            .as_deref()
            .and_then(|tag| tag.first_chunk::<{ gcm::TAG }>());
        tag.and_then(|tag| gcm::open(&cipher.key, cipher.long_vector(), with, &text, tag))
    } else {
        let vector = cipher.block();
        modes::decrypt(&cipher.key, cipher.mode, vector, cipher.pads, &text)
    };
    match message {
        Some(message) => Ok(Ok(Value::String(lua.create_string(message)?))),
        None => Ok(Err("EVP_DecryptFinal_ex failed")),
    }
}
