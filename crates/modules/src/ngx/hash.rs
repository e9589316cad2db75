//! Digests and checksums of `ngx`: md5, md5_bin, sha1_bin, hmac_sha1, crc32_short, crc32_long.
//!
//! **Invariant:** a text is charged for before it is hashed.

use crate::text::{Loose, Text, argument, charge_hash, charge_text, hex};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table};
use sha1::{Digest, Sha1};

/// The code that authenticates a message, by SHA-1.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length is one.
    match Hmac::<Sha1>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        Err(_) => Vec::new(),
    }
}

/// Adds the functions.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    let md5_hex = |lua: &Lua, text: Loose| digest::<Md5>(lua, &text).map(|digest| hex(&digest));
    let md5_hex = move |lua: &Lua, text| lua.create_string(md5_hex(lua, text)?);
    ngx.raw_set("md5", lua.create_function(md5_hex)?)?;
    let md5_bin = |lua: &Lua, text: Loose| lua.create_string(digest::<Md5>(lua, &text)?);
    ngx.raw_set("md5_bin", lua.create_function(md5_bin)?)?;
    let sha1_bin = |lua: &Lua, text: Loose| lua.create_string(digest::<Sha1>(lua, &text)?);
    ngx.raw_set("sha1_bin", lua.create_function(sha1_bin)?)?;
    ngx.raw_set("hmac_sha1", lua.create_function(hmac_sha1_of)?)?;
    // There they differ in how they are computed.
    for name in ["crc32_short", "crc32_long"] {
        ngx.raw_set(name, lua.create_function(crc32)?)?;
    }
    Ok(())
}

fn digest<D: Digest>(lua: &Lua, text: &LuaString) -> Result<Vec<u8>> {
    charge_hash(lua, text.len());
    Ok(D::digest(&*text.as_bytes()).to_vec())
}

fn crc32(lua: &Lua, text: Loose) -> Result<u32> {
    charge_text(lua, text.len());
    Ok(crc32fast::hash(&text.as_bytes()))
}

fn hmac_sha1_of(lua: &Lua, arguments: MultiValue) -> Result<LuaString> {
    if arguments.len() != 2 {
        let seen = arguments.len();
        return Err(Error::runtime(format_args!(
            "expecting 2 arguments, but got {seen}"
        )));
    }
    let key: Text = argument(lua, &arguments, 1)?;
    let message: Text = argument(lua, &arguments, 2)?;
    charge_hash(lua, key.len() + message.len());
    lua.create_string(hmac_sha1(&key.as_bytes(), &message.as_bytes()))
}
