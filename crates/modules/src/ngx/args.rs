//! Arguments of requests, `a=1&b=2&c`: as pairs, as a table, and back.
//!
//! ```lua
//! ngx.encode_args{a = 1, b = {"x y", true}, c = true, d = false}  --> "a=1&b=x%20y&b&c", in the order of the table
//! ngx.decode_args("a=1&b=x&b=y&c" [, max])   --> {a = "1", b = {"x", "y"}, c = true}, and "truncated" if there are more
//! ```
//! A pair without a name is left out; `max` counts it nevertheless. 100 pairs are read unless `max` says otherwise; 0 stands for all.
//!
//! **Invariant:** however long the text, at most [`MAX_PAIRS`] pairs are looked at; those beyond make the result a truncated one.

use super::escape::{Kind, escape_into, escaped_len, unescape};
use crate::answer::type_name;
use crate::text::{MAX_TEXT, Text, argument, charge_text, too_long};
use rille_lua::{Error, IntoLuaMulti, Lua, LuaString, MultiValue, Result, Table, Value};

/// How many pairs are read when nobody says how many.
pub const DEFAULT_PAIRS: usize = 100;
/// The most pairs that are read or written, even if a script asks for all.
pub const MAX_PAIRS: usize = 100_000;
/// What the second result says when there were more.
pub const TRUNCATED: &str = "truncated";

/// Fuel for an entry of a table, read or written.
const ENTRY_FUEL: u64 = 16;

/// A name and its value; `None` for a name without `=`.
pub type Pair = (Vec<u8>, Option<Vec<u8>>);

/// Arguments that were read.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// In the order of the text.
    pub pairs: Vec<Pair>,
    /// Whether there are more.
    pub truncated: bool,
}

/// The pieces between `&`, undone and with those that have no name.
struct Pieces<'a>(Option<&'a [u8]>);

impl Iterator for Pieces<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        let text = self.0?;
        let piece = match text.iter().position(|byte| *byte == b'&') {
            Some(end) => {
                self.0 = Some(&text[end + 1..]);
                &text[..end]
            }
            None => {
                self.0 = None;
                text
            }
        };
        Some(match piece.iter().position(|byte| *byte == b'=') {
            Some(at) => (unescape(&piece[..at]), Some(unescape(&piece[at + 1..]))),
            None => (unescape(piece), None),
        })
    }
}

impl Pieces<'_> {
    /// How many there are, as far as that matters.
    fn count(text: &[u8]) -> usize {
        let ends = text.iter().filter(|byte| **byte == b'&');
        ends.take(MAX_PAIRS).count() + 1
    }
}

fn limit(max: usize) -> usize {
    match max {
        0 => MAX_PAIRS,
        max => max.min(MAX_PAIRS),
    }
}

/// Gives the pairs that have a name to `take`; whether there is text behind the last of `max` (0: [`MAX_PAIRS`]).
///
/// This is how `ngx.decode_args` and `ngx.req.get_post_args` count: pairs without a name, too.
fn walk(text: &[u8], max: usize, mut take: impl FnMut(Pair) -> Result<()>) -> Result<bool> {
    let mut pieces = Pieces(Some(text));
    for pair in pieces.by_ref().take(limit(max)) {
        if !pair.0.is_empty() {
            take(pair)?;
        }
    }
    Ok(pieces.0.is_some())
}

/// The pairs of a body or of a text, as `ngx.req.get_post_args` and `ngx.decode_args` count them: `max` (0: [`MAX_PAIRS`]), with those
/// that have no name; truncated if there is text behind the last.
pub fn decode(text: &[u8], max: usize) -> Decoded {
    let mut pairs = Vec::new();
    let walked = walk(text, max, |pair| {
        pairs.push(pair);
        Ok(())
    });
    Decoded {
        pairs,
        truncated: walked.unwrap_or(true),
    }
}

/// The pairs of a query, as `ngx.req.get_uri_args` counts them: of those that have a name, `max` (0: [`MAX_PAIRS`]); truncated if there are
/// more pieces, named or not.
pub fn decode_query(text: &[u8], max: usize) -> Decoded {
    let max = limit(max);
    let pieces = Pieces::count(text);
    let named = Pieces(Some(text))
        .take(MAX_PAIRS)
        .filter(|(name, _)| !name.is_empty());
    Decoded {
        pairs: named.take(max).collect(),
        truncated: pieces > max,
    }
}

/// Adds a pair to a table: a name that is there already gets a list of values.
fn add(lua: &Lua, table: &Table, (name, value): Pair) -> Result<()> {
    lua.charge_fuel(ENTRY_FUEL);
    let name = lua.create_string(name)?;
    let value = match value {
        Some(value) => Value::String(lua.create_string(value)?),
        None => Value::Boolean(true),
    };
    match table.raw_get(&name)? {
        Value::Nil => table.raw_set(name, value),
        Value::Table(list) => list.raw_push(value),
        first => {
            let list = lua.create_table_with_capacity(4, 0)?;
            list.raw_push(first)?;
            list.raw_push(value)?;
            table.raw_set(name, list)
        }
    }
}

/// Adds pairs to a table that is empty.
pub fn fill(lua: &Lua, table: &Table, pairs: impl IntoIterator<Item = Pair>) -> Result<()> {
    pairs.into_iter().try_for_each(|pair| add(lua, table, pair))
}

/// The table of these pairs.
pub fn table(lua: &Lua, pairs: impl IntoIterator<Item = Pair>) -> Result<Table> {
    let table = lua.create_table()?;
    fill(lua, &table, pairs)?;
    Ok(table)
}

/// The text of a table of arguments. Errors, in OpenResty's words: a name that is no string, a value that cannot be one; and more than
/// [`MAX_PAIRS`] entries or [`MAX_TEXT`] bytes.
pub fn encode(lua: &Lua, arguments: &Table) -> Result<Vec<u8>> {
    let mut encoder = Encoder {
        lua,
        out: Vec::new(),
        entries: 0,
        is_first: true,
    };
    let mut key = Value::Nil;
    while let Some((name, value)) = arguments.next_entry(&key)? {
        let Value::String(text) = &name else {
            return Err(Error::runtime(
                "attempt to use a non-string key in the \"args\" option table",
            ));
        };
        encoder.entry(text, value)?;
        key = name;
    }
    charge_text(lua, encoder.out.len());
    Ok(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    out: Vec<u8>,
    entries: usize,
    is_first: bool,
}

impl Encoder<'_> {
    fn entry(&mut self, name: &LuaString, value: Value) -> Result<()> {
        let Value::Table(list) = value else {
            return self.pair(name, value);
        };
        self.count()?;
        let mut key = Value::Nil;
        while let Some((at, value)) = list.next_entry(&key)? {
            match value {
                Value::Table(_) => return Err(no_value(&value)),
                value => self.pair(name, value)?,
            }
            key = at;
        }
        Ok(())
    }

    fn pair(&mut self, name: &LuaString, value: Value) -> Result<()> {
        self.count()?;
        let value = match value {
            Value::Boolean(false) => return Ok(()),
            Value::Boolean(true) => None,
            Value::String(value) => Some(value),
            Value::Integer(_) | Value::Number(_) => self.lua.coerce_string(value)?,
            other => return Err(no_value(&other)),
        };
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b'&');
        }
        self.push(&name.as_bytes())?;
        if let Some(value) = value {
            self.out.push(b'=');
            self.push(&value.as_bytes())?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        self.entries += 1;
        self.lua.charge_fuel(ENTRY_FUEL);
        match self.entries > MAX_PAIRS {
            true => Err(Error::runtime(format_args!(
                "more than {MAX_PAIRS} query args"
            ))),
            false => Ok(()),
        }
    }

    fn push(&mut self, text: &[u8]) -> Result<()> {
        if self.out.len() + escaped_len(text, Kind::Component) > MAX_TEXT {
            return Err(too_long());
        }
        escape_into(text, Kind::Component, &mut self.out);
        Ok(())
    }
}

fn no_value(value: &Value) -> Error {
    Error::runtime(format_args!(
        "attempt to use {} as query arg value",
        type_name(value)
    ))
}

/// Adds the functions.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    ngx.raw_set("encode_args", lua.create_function(encode_args)?)?;
    ngx.raw_set("decode_args", lua.create_function(decode_args)?)
}

fn encode_args(lua: &Lua, arguments: MultiValue) -> Result<LuaString> {
    if arguments.len() != 1 {
        let seen = arguments.len();
        return Err(Error::runtime(format_args!(
            "expecting 1 argument but seen {seen}"
        )));
    }
    let table: Table = argument(lua, &arguments, 1)?;
    let encoded = encode(lua, &table)?;
    lua.create_string(encoded)
}

fn decode_args(lua: &Lua, arguments: MultiValue) -> Result<MultiValue> {
    let count = arguments.len();
    if !(1..=2).contains(&count) {
        return Err(Error::runtime(format_args!(
            "expecting 1 or 2 arguments but seen {count}"
        )));
    }
    let text: Text = argument(lua, &arguments, 1)?;
    let max = match count {
        1 => DEFAULT_PAIRS,
        // Below 1 stands for all, as there.
        _ => argument::<f64>(lua, &arguments, 2)? as usize,
    };
    charge_text(lua, text.len());
    let table = lua.create_table()?;
    let truncated = walk(&text.as_bytes(), max, |pair| add(lua, &table, pair))?;
    match truncated {
        true => (table, TRUNCATED).into_lua_multi(lua),
        false => table.into_lua_multi(lua),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn pair(name: &str, value: Option<&str>) -> Pair {
        (name.into(), value.map(Into::into))
    }

    fn shown(decoded: Decoded) -> String {
        let pairs = decoded.pairs.iter().map(|(name, value)| {
            let name = String::from_utf8_lossy(name);
            match value {
                Some(value) => format!("{name}={}", String::from_utf8_lossy(value)),
                None => name.into_owned(),
            }
        });
        let mut all: Vec<String> = pairs.collect();
        if decoded.truncated {
            all.push("...".into());
        }
        all.join(" ")
    }

    #[test]
    fn pairs_are_what_stands_between_ampersands() {
        let decoded = decode(b"a=1&b&c=&=d&&e==f&g%3D=%26+h", 0);
        let expected = [
            pair("a", Some("1")),
            pair("b", None),
            pair("c", Some("")),
            pair("e", Some("=f")),
            pair("g=", Some("& h")),
        ];
        assert_eq!(decoded.pairs, expected);
        assert!(!decoded.truncated);
        assert_eq!(decode(b"", 0).pairs, []);
    }

    #[test]
    fn what_counts_for_the_maximum() {
        assert_eq!(shown(decode(b"a&b", 2)), "a b");
        assert_eq!(shown(decode(b"a&b&", 2)), "a b ...");
        assert_eq!(shown(decode(b"a&b&c", 2)), "a b ...");
        assert_eq!(shown(decode(b"&&a", 2)), "...");
        assert_eq!(shown(decode(b"&a", 2)), "a");
        assert_eq!(shown(decode_query(b"&&a", 2)), "a ...");
        assert_eq!(shown(decode_query(b"&&a&b&c", 2)), "a b ...");
        assert_eq!(shown(decode_query(b"a&b&", 2)), "a b ...");
        assert_eq!(shown(decode_query(b"a&b", 2)), "a b");
        assert_eq!(shown(decode_query(b"", 2)), "");
    }

    #[test]
    fn no_text_has_more_than_the_most_pairs() {
        let text = b"a&".repeat(MAX_PAIRS + 1);
        for decoded in [
            decode(&text, 0),
            decode(&text, usize::MAX),
            decode_query(&text, 0),
        ] {
            assert_eq!(decoded.pairs.len(), MAX_PAIRS);
            assert!(decoded.truncated);
        }
        let text = vec![b'&'; 2 * MAX_PAIRS];
        assert_eq!(decode_query(&text, 0), decode(&text, 0));
        assert!(decode_query(&text, 0).truncated);
    }

    #[test]
    fn random_pairs_come_back() {
        let mut random = Random::new(2);
        for _ in 0..500 {
            let mut text = Vec::new();
            let mut pairs: Vec<Pair> = Vec::new();
            for _ in 0..random.below(8) {
                let mut name = random.bytes(6);
                name.push(random.below(256) as u8);
                let value = (random.below(3) > 0).then(|| random.bytes(6));
                if !text.is_empty() {
                    text.push(b'&');
                }
                escape_into(&name, Kind::Component, &mut text);
                if let Some(value) = &value {
                    text.push(b'=');
                    escape_into(value, Kind::Component, &mut text);
                }
                pairs.push((name, value));
            }
            assert_eq!(decode(&text, 0).pairs, pairs);
            assert_eq!(decode_query(&text, 0).pairs, pairs);
        }
    }

    #[test]
    fn random_text_is_read_the_same_way_however_it_is_counted() {
        let mut random = Random::new(3);
        for _ in 0..2000 {
            let text = random.text(40, b"a=&%+2");
            let (all, query) = (decode(&text, 0), decode_query(&text, 0));
            assert_eq!(all, query, "{:?}", text.escape_ascii().to_string());
            let some = decode(&text, 2);
            assert_eq!(some.pairs[..], all.pairs[..some.pairs.len()]);
        }
    }
}
