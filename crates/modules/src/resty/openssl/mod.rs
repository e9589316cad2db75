//! `resty.openssl.digest`, `.hmac`, `.rand`, `.kdf`, `.cipher` and `.pkey`, and `resty.evp`: the parts of lua-resty-openssl and of
//! lua-resty-jwt's own binding that other libraries use, without OpenSSL.
//!
//! ```lua
//! digest.new(name), hmac.new(key, name)   --> an object with update(text...), final([text]), reset()
//! rand.bytes(n)
//! kdf.derive{type = kdf.PBKDF2 or kdf.HKDF, md = name, outlen = n, pass, salt, pbkdf2_iter or hkdf_key, hkdf_info}
//! cipher.new("aes-256-gcm")               --> an object with encrypt(key, iv, text, no_padding, aad), decrypt(..., aad, tag), get_aead_tag()
//! pkey.new(pem or der)                    --> a key with sign(text [, name]), verify(signature, text [, name]), is_private()
//! evp.RSASigner, evp.RSAVerifier, evp.ECSigner, evp.ECVerifier, evp.Cert, evp.PublicKey
//! ```
//! Keys are RSA (2048 bits and more), EC on P-256 and P-384, and Ed25519. What a script asks for beyond that is nil and why not.
//!
//! | file | what |
//! |---|---|
//! | `der` | reading DER |
//! | `key` | keys: parsing, signing, verifying |
//! | `pbkdf2` | keys from passwords, in steps |
//! | `openssl.lua` | the modules, over these and the other natives |
//!
//! **Invariant:** keys are made of at most 64 KiB of text, and what a script keeps of them is charged to its VM.

mod der;
mod key;
mod pbkdf2;

use crate::Maker;
use crate::text::Text;
use key::{Digest, Key, Padding};
use rille_lua::{
    Function, Lua, LuaString, MultiValue, Result, Table, UserData, UserDataRef, Value,
};
use rille_runtime::net::tls;

const SOURCE: &str = include_str!("openssl.lua");

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[
    ("resty.openssl.digest", |lua| part(lua, "digest")),
    ("resty.openssl.hmac", |lua| part(lua, "hmac")),
    ("resty.openssl.rand", |lua| part(lua, "rand")),
    ("resty.openssl.kdf", |lua| part(lua, "kdf")),
    ("resty.openssl.cipher", |lua| part(lua, "cipher")),
    ("resty.openssl.pkey", |lua| part(lua, "pkey")),
    ("resty.evp", |lua| part(lua, "evp")),
];

/// Fuel of a signature: about a millisecond.
const SIGN_FUEL: u64 = 200_000;
/// Fuel of looking at one.
const VERIFY_FUEL: u64 = 20_000;

/// The modules of a VM, once one of them has been required.
struct Parts(Table);

struct Object(Key);

impl UserData for Object {}

fn part(lua: &Lua, name: &str) -> Result<Value> {
    let known = lua.app_data_ref::<Parts>().map(|parts| parts.0.clone());
    let parts = match known {
        Some(parts) => parts,
        None => {
            let parts: Table = (lua.load(SOURCE).set_name("=resty.openssl"))
                .into_function()?
                .call(tools(lua)?)?;
            lua.set_app_data(Parts(parts.clone()));
            parts
        }
    };
    parts.raw_get(name)
}

/// Whether a text, PEM or DER, is a key or a certificate with one; for tests that feed it anything.
pub fn is_key(text: &[u8]) -> bool {
    READERS.iter().any(|read| read(text).is_some())
}

type Reader = fn(&[u8]) -> Option<Key>;

/// A private key, a public key, the public key of a certificate.
const READERS: [Reader; 3] = [
    |text| match pem(text) {
        true => Key::private(&tls::private_key_from_pem(text)?),
        false => Key::private(text),
    },
    |text| match pem(text) {
        true => Key::public(&tls::public_key_from_pem(text)?),
        false => Key::public(text),
    },
    |text| Key::public(&tls::certificate_public_key(&certificate(text)?)?),
];

fn tools(lua: &Lua) -> Result<Table> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in [
        "require",
        "setmetatable",
        "type",
        "tonumber",
        "tostring",
        "select",
        "error",
        "ipairs",
    ] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let string: Table = globals.raw_get("string")?;
    for name in ["format", "match", "lower", "sub", "rep", "char", "find"] {
        tools.raw_set(name, string.raw_get::<Value>(name)?)?;
    }
    pbkdf2::install(lua, &tools)?;
    keys(lua, &tools)?;
    Ok(tools)
}

type Maybe<T> = std::result::Result<T, &'static str>;

/// An object that takes as much of the VM's memory as the host holds for it: as the room of a table.
fn charged(lua: &Lua, object: impl UserData, bytes: usize) -> Result<Value> {
    const FIELD: usize = 24;
    let room = lua.create_table_with_capacity(0, bytes.div_ceil(FIELD))?;
    let object = lua.create_userdata(object)?;
    object.set_user_value(room)?;
    Ok(Value::UserData(object))
}

fn add(lua: &Lua, tools: &Table, name: &str, parse: Reader) -> Result<()> {
    let function: Function = lua.create_function(move |lua, text: LuaString| {
        lua.charge_fuel(VERIFY_FUEL + text.len() as u64);
        match parse(&text.as_bytes()) {
            Some(key) => {
                let bytes = key.bytes();
                charged(lua, Object(key), bytes)
            }
            None => Ok(Value::Nil),
        }
    })?;
    tools.raw_set(name, function)
}

fn keys(lua: &Lua, tools: &Table) -> Result<()> {
    for (name, read) in ["private_key", "public_key", "certificate_key"]
        .iter()
        .zip(READERS)
    {
        add(lua, tools, name, read)?;
    }
    let der = lua.create_function(|lua, text: LuaString| {
        let der = certificate(&text.as_bytes());
        der.map(|der| lua.create_string(der)).transpose()
    })?;
    tools.raw_set("certificate", der)?;
    let is_private = lua.create_function(|_, key: UserDataRef<Object>| Ok(key.0.is_private()))?;
    tools.raw_set("is_private", is_private)?;
    let kind = lua.create_function(|_, key: UserDataRef<Object>| Ok(key.0.kind()))?;
    tools.raw_set("kind", kind)?;
    type Signing = (UserDataRef<Object>, Text, Option<LuaString>, bool, bool);
    let sign = |lua: &Lua, (key, text, digest, pss, raw): Signing| {
        lua.charge_fuel(SIGN_FUEL + text.len() as u64);
        let signed = usage(digest, pss)
            .and_then(|usage| key.0.sign(&text.as_bytes(), usage.0, usage.1, raw));
        answer(lua, signed.map(|signature| lua.create_string(signature)))
    };
    tools.raw_set("sign", lua.create_function(sign)?)?;
    type Verifying = (
        UserDataRef<Object>,
        LuaString,
        Text,
        Option<LuaString>,
        bool,
        bool,
    );
    let verify = |lua: &Lua, (key, signature, text, digest, pss, raw): Verifying| {
        lua.charge_fuel(VERIFY_FUEL + text.len() as u64);
        let (signature, text) = (signature.as_bytes(), text.as_bytes());
        let verified = usage(digest, pss)
            .and_then(|usage| key.0.verify(&signature, &text, usage.0, usage.1, raw));
        Ok(match verified {
            Ok(good) => (Value::Boolean(good), None),
            Err(why) => (Value::Nil, Some(why)),
        })
    };
    tools.raw_set("verify", lua.create_function(verify)?)?;
    let raw = |lua: &Lua, (key, signature): (UserDataRef<Object>, LuaString)| {
        let raw = der::raw_signature(&signature.as_bytes(), key.0.scalar());
        raw.map(|raw| lua.create_string(raw)).transpose()
    };
    tools.raw_set("raw_signature", lua.create_function(raw)?)
}

fn usage(digest: Option<LuaString>, pss: bool) -> Maybe<(Digest, Padding)> {
    let digest = match digest {
        None => Digest::Sha256,
        Some(name) => Digest::named(&name.to_string_lossy()).ok_or("invalid digest type")?,
    };
    Ok((digest, if pss { Padding::Pss } else { Padding::Pkcs1 }))
}

fn answer(lua: &Lua, done: Maybe<Result<LuaString>>) -> Result<MultiValue> {
    match done {
        Ok(text) => Ok(MultiValue::from_vec(vec![Value::String(text?)])),
        Err(why) => crate::answer::no(lua, why),
    }
}

fn pem(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"-----BEGIN").is_some()
}

/// The first certificate of a text, as DER.
fn certificate(text: &[u8]) -> Option<Vec<u8>> {
    match pem(text) {
        true => tls::certificates_from_pem(text),
        false => Some(text.to_vec()),
    }
    .and_then(|der| Some(tls::certificates_der(&der)?.first()?.to_vec()))
}
