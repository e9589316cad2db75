//! Base64 as nginx reads and writes it.
//!
//! ```lua
//! ngx.encode_base64(text [, no_padding])
//! ngx.decode_base64(text)             --> the bytes, or nil
//! ngx.decode_base64mime(text)         --> the same, but what is not of the alphabet is skipped
//! local base64 = require "ngx.base64"
//! base64.encode_base64url(text)       --> with - and _, without =
//! base64.decode_base64url(text)       --> the bytes, or nil and why not
//! ```
//! The text ends at the first `=`; whether there is one does not matter, nor do bits that are left over.
//!
//! **Invariant:** decoding a text that was encoded gives the bytes back, and no text makes it panic.

use crate::answer::type_name;
use crate::text::{Answer, Loose, Text, charge_text};
use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rille_lua::{Error, Lua, LuaString, Result, Table, Value};

static PADDED: GeneralPurpose = lenient(&STANDARD, true);
static BARE: GeneralPurpose = lenient(&STANDARD, false);
static URL: GeneralPurpose = lenient(&URL_SAFE, false);

const fn lenient(alphabet: &Alphabet, pads: bool) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(pads)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

/// Base64, with `=` at the end or without.
pub fn encode(bytes: &[u8], pads: bool) -> String {
    match pads {
        true => PADDED.encode(bytes),
        false => BARE.encode(bytes),
    }
}

/// The bytes; `None` if there is something else than the alphabet before the first `=`, or a digit too many.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BARE.decode(digits(text)).ok()
}

/// The bytes of what is of the alphabet before the first `=`; `None` if that is a digit too many.
pub fn decode_mime(text: &[u8]) -> Option<Vec<u8>> {
    let mut kept = digits(text).to_vec();
    kept.retain(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    BARE.decode(kept).ok()
}

/// Base64 for URLs, without `=`.
pub fn encode_url(bytes: &[u8]) -> String {
    URL.encode(bytes)
}

/// The bytes of base64 for URLs, as [`decode`] takes them.
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    URL.decode(digits(text)).ok()
}

fn digits(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Adds the functions of `ngx`.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    ngx.raw_set("encode_base64", lua.create_function(encode_base64)?)?;
    for (name, decode) in [
        ("decode_base64", decode as fn(&[u8]) -> Option<Vec<u8>>),
        ("decode_base64mime", decode_mime),
    ] {
        let decode = move |lua: &Lua, text: Value| match text {
            Value::String(_) => decoded(lua, lua.unpack(text)?, decode),
            _ => Err(Error::runtime("string argument only")),
        };
        ngx.raw_set(name, lua.create_function(decode)?)?;
    }
    Ok(())
}

fn encode_base64(lua: &Lua, (text, no_padding): (Loose, Value)) -> Result<LuaString> {
    let pads = match no_padding {
        Value::Nil | Value::Boolean(false) => true,
        Value::Boolean(true) => false,
        other => {
            return Err(Error::runtime(format_args!(
                "bad no_padding: boolean expected, got {}",
                type_name(&other)
            )));
        }
    };
    charge_text(lua, text.len());
    let encoded = encode(&text.as_bytes(), pads);
    lua.create_string(encoded)
}

fn decoded(
    lua: &Lua,
    text: Text,
    decode: fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Option<LuaString>> {
    charge_text(lua, text.len());
    let bytes = decode(&text.as_bytes());
    bytes.map(|bytes| lua.create_string(bytes)).transpose()
}

/// `ngx.base64`.
pub(crate) fn module(lua: &Lua) -> Result<Value> {
    let module = lua.create_table()?;
    module.raw_set("encode_base64url", lua.create_function(encode_base64url)?)?;
    module.raw_set("decode_base64url", lua.create_function(decode_base64url)?)?;
    Ok(Value::Table(module))
}

fn encode_base64url(lua: &Lua, text: Value) -> Result<Answer<LuaString>> {
    if !text.is_string() {
        return Ok(Err("must provide a string"));
    }
    let text: Text = lua.unpack(text)?;
    charge_text(lua, text.len());
    let encoded = encode_url(&text.as_bytes());
    lua.create_string(encoded).map(Ok)
}

fn decode_base64url(lua: &Lua, text: Value) -> Result<Answer<LuaString>> {
    if !text.is_string() {
        return Ok(Err("must provide a string"));
    }
    let bytes = decoded(lua, lua.unpack(text)?, decode_url)?;
    Ok(bytes.ok_or("invalid input"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn random_bytes_come_back() {
        let mut random = Random::new(4);
        for _ in 0..1000 {
            let bytes = random.bytes(50);
            assert_eq!(decode(encode(&bytes, true).as_bytes()).unwrap(), bytes);
            assert_eq!(decode(encode(&bytes, false).as_bytes()).unwrap(), bytes);
            assert_eq!(decode_mime(encode(&bytes, true).as_bytes()).unwrap(), bytes);
            assert_eq!(decode_url(encode_url(&bytes).as_bytes()).unwrap(), bytes);
        }
    }

    /// What nginx does, digit by digit: the oracle.
    fn plainly(text: &[u8], alphabet: &[u8], skips: bool) -> Option<Vec<u8>> {
        let (mut bits, mut count, mut digits, mut out) = (0u32, 0, 0, Vec::new());
        for byte in text {
            if *byte == b'=' {
                break;
            }
            match alphabet.iter().position(|digit| digit == byte) {
                None if skips => continue,
                None => return None,
                Some(value) => bits = ((bits << 6) | value as u32) & 0xfff,
            }
            digits += 1;
            count += 6;
            if count >= 8 {
                count -= 8;
                out.push((bits >> count) as u8);
            }
        }
        (digits % 4 != 1).then_some(out)
    }

    #[test]
    fn random_text_is_read_as_nginx_reads_it() {
        let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let (standard, url) = (format!("{common}+/"), format!("{common}-_"));
        let mut random = Random::new(5);
        for round in 0..4000 {
            let text = match round % 2 {
                0 => random.text(12, b"AQz09+/-_= \n"),
                _ => random.text(12, b"AQz09+/"),
            };
            let shown = text.escape_ascii().to_string();
            assert_eq!(
                decode(&text),
                plainly(&text, standard.as_bytes(), false),
                "{shown}"
            );
            assert_eq!(
                decode_mime(&text),
                plainly(&text, standard.as_bytes(), true),
                "{shown}"
            );
            assert_eq!(
                decode_url(&text),
                plainly(&text, url.as_bytes(), false),
                "{shown}"
            );
        }
    }
}
