//! `resty.string`: `to_hex(text)`, and `atoi(text)`, the number of decimal digits or -1.
//!
//! **Invariant:** [`atoi`] takes what nginx's does: digits only, and no number beyond 63 bits.

use super::object::VERSION;
use crate::text::{Text, charge_text, hex};
use rille_lua::{Lua, LuaString, Result, Value};

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let module = lua.create_table()?;
    module.raw_set("_VERSION", VERSION)?;
    module.raw_set("to_hex", lua.create_function(to_hex)?)?;
    let atoi = |_: &Lua, text: Text| Ok(atoi(&text.as_bytes()).unwrap_or(-1));
    module.raw_set("atoi", lua.create_function(atoi)?)?;
    Ok(Value::Table(module))
}

fn to_hex(lua: &Lua, text: Text) -> Result<LuaString> {
    charge_text(lua, text.len());
    let digits = hex(&text.as_bytes());
    lua.create_string(digits)
}

/// The number that these digits are.
fn atoi(digits: &[u8]) -> Option<i64> {
    let (first, _) = digits.split_first()?;
    if !first.is_ascii_digit() {
        return None;
    }
    digits.iter().try_fold(0i64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!(atoi(b"0012"), Some(12));
        assert_eq!(atoi(b"9223372036854775807"), Some(i64::MAX));
        for text in [
            &b""[..],
            b"9223372036854775808",
            b"-1",
            b"+1",
            b" 1",
            b"1 ",
            b"1.0",
            b"0x1",
        ] {
            assert_eq!(atoi(text), None, "{}", text.escape_ascii());
        }
    }
}
