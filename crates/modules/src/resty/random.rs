//! `resty.random`: bytes from the system's source of randomness, and what lua-resty-random makes of them.
//!
//! ```lua
//! random.bytes(length [, strong])  --> so many bytes; they are strong ones in either case
//! random.number([[low,] high])     --> as math.random
//! random.token(length [, from])    --> so many characters of a string, or elements of a list; letters and digits if not told
//! ```
//!
//! **Invariant:** a call asks for at most [`MAX_LENGTH`] bytes or characters.

use super::object::VERSION;
use crate::text::{MAX_TEXT, bad_argument, charge_text, too_long};
use rille_lua::{Error, FromLua, Lua, LuaString, Result, Table, Value};

/// The most bytes or characters of one call.
pub const MAX_LENGTH: usize = 1 << 20;
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The module.
pub(super) fn module(lua: &Lua) -> Result<Value> {
    let module = lua.create_table()?;
    module.raw_set("_VERSION", VERSION)?;
    module.raw_set("bytes", lua.create_function(bytes)?)?;
    module.raw_set("number", lua.create_function(number)?)?;
    module.raw_set("token", lua.create_function(token)?)?;
    Ok(Value::Table(module))
}

/// How much is asked for.
struct Length(usize);

impl FromLua for Length {
    fn from_lua(value: Value, lua: &Lua) -> Result<Length> {
        match f64::from_lua(value, lua)? {
            length if (0.0..=MAX_LENGTH as f64).contains(&length) => Ok(Length(length as usize)),
            _ => Err(Error::runtime("length out of range")),
        }
    }
}

fn bytes(lua: &Lua, (Length(length), _): (Length, Value)) -> Result<Option<LuaString>> {
    charge_text(lua, length);
    let mut bytes = vec![0; length];
    match getrandom::fill(&mut bytes) {
        Ok(()) => lua.create_string(bytes).map(Some),
        Err(_) => Ok(None),
    }
}

/// Random bytes, some hundred at a time.
struct Source {
    bytes: [u8; 512],
    used: usize,
}

impl Source {
    fn new() -> Source {
        Source {
            bytes: [0; 512],
            used: 512,
        }
    }

    fn next(&mut self) -> Result<u64> {
        if self.used == self.bytes.len() {
            getrandom::fill(&mut self.bytes).map_err(Error::external)?;
            self.used = 0;
        }
        let (_, rest) = self.bytes.split_at(self.used);
        self.used += 8;
        Ok(rest
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// A number below the limit (0: any), all of which are as likely.
    fn below(&mut self, limit: u64) -> Result<u64> {
        if limit == 0 {
            return self.next();
        }
        // The numbers beyond the last multiple of the limit are drawn again.
        let beyond = (u64::MAX - limit + 1) % limit;
        loop {
            let number = self.next()?;
            if number <= u64::MAX - beyond {
                return Ok(number % limit);
            }
        }
    }
}

fn number(_: &Lua, (low, high, _): (Option<i64>, Option<i64>, Value)) -> Result<Value> {
    let mut source = Source::new();
    let (low, high, at) = match (low, high) {
        (None, _) => {
            let fraction = (source.next()? >> 11) as f64 / (1u64 << 53) as f64;
            return Ok(Value::Number(fraction));
        }
        (Some(high), None) => (1, high, 1),
        (Some(low), Some(high)) => (low, high, 2),
    };
    if low > high {
        return Err(bad_argument(at, "interval is empty"));
    }
    let count = (high.wrapping_sub(low) as u64).wrapping_add(1);
    Ok(Value::Integer(
        low.wrapping_add(source.below(count)? as i64),
    ))
}

fn token(lua: &Lua, (Length(length), from): (Length, Value)) -> Result<LuaString> {
    lua.charge_fuel(4 * length as u64);
    let mut source = Source::new();
    let token = match from {
        Value::Nil => characters(&mut source, length, ALPHANUMERIC)?,
        Value::Table(list) => elements(lua, &mut source, length, &list)?,
        text => {
            let text = LuaString::from_lua(text, lua)?;
            characters(&mut source, length, &text.as_bytes())?
        }
    };
    lua.create_string(token)
}

fn characters(source: &mut Source, length: usize, from: &[u8]) -> Result<Vec<u8>> {
    let mut token = Vec::with_capacity(length);
    for _ in 0..length {
        let at = source.below(count(from.len())?)?;
        token.extend(from.get(at as usize));
    }
    Ok(token)
}

fn elements(lua: &Lua, source: &mut Source, length: usize, list: &Table) -> Result<Vec<u8>> {
    let mut token = Vec::new();
    for _ in 0..length {
        let at = source.below(count(list.raw_len())?)?;
        let element: Value = list.raw_get(at as i64 + 1)?;
        let text = (lua.coerce_string(element)?)
            .ok_or_else(|| bad_argument(2, "list of strings expected"))?;
        if token.len() + text.len() > MAX_TEXT {
            return Err(too_long());
        }
        token.extend_from_slice(&text.as_bytes());
    }
    Ok(token)
}

fn count(elements: usize) -> Result<u64> {
    match elements {
        0 => Err(bad_argument(2, "nothing to choose from")),
        elements => Ok(elements as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_their_limit_and_all_occur() {
        let mut source = Source::new();
        for limit in [1, 2, 3, 7, 62, 1000] {
            let mut seen = vec![false; limit as usize];
            for _ in 0..limit * 40 {
                seen[source.below(limit).unwrap() as usize] = true;
            }
            assert!(seen.iter().filter(|seen| **seen).count() as u64 > limit * 9 / 10);
        }
        assert!(source.below(u64::MAX).unwrap() < u64::MAX);
        assert!((0..200).any(|_| source.below(0).unwrap() > u64::MAX / 2));
        assert!((0..200).any(|_| source.below(1 << 63).unwrap() > 1 << 62));
    }
}
