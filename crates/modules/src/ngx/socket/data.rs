//! What can be sent: strings, numbers, booleans, nil, and arrays of strings, numbers and arrays.
//!
//! **Invariants.** A string is sent from where it is; an array is copied, and the copy charged to the VM's sockets. Arrays have at most [`MAX_PIECES`]
//! elements, all together, and are at most [`MAX_DEPTH`] inside one another: a table that contains itself is an error.

use crate::answer::type_name;
use crate::text::bad_argument;
use rille_lua::{Glance, Lua, LuaString, Result, Table, Value};
use rille_runtime::net::{Held, Net, NetError};

/// The most elements of arrays in one call.
const MAX_PIECES: usize = 200_000;
/// How deep arrays may be inside one another.
const MAX_DEPTH: usize = 64;
/// What a copy has room for at first, in bytes.
const FIRST: usize = 128;
/// The largest whole number that is written without an exponent in all versions of the language.
const PLAIN: u64 = 99_999_999_999_999;

/// What is to be sent.
pub(super) enum Data {
    /// A string.
    Whole(LuaString),
    /// A copy.
    Copied(Vec<u8>, #[allow(dead_code)] Held),
}

impl Data {
    /// From the argument at this position.
    pub(super) fn from(lua: &Lua, net: &Net, position: usize, value: &Value) -> Result<Data> {
        let literal = |text: &str| Ok(Data::Whole(lua.create_string(text)?));
        match value {
            Value::String(text) => Ok(Data::Whole(text.clone())),
            Value::Nil => literal("nil"),
            Value::Boolean(true) => literal("true"),
            Value::Boolean(false) => literal("false"),
            Value::Integer(_) | Value::Number(_) => match lua.coerce_string(value.clone())? {
                Some(text) => Ok(Data::Whole(text)),
                None => literal("nil"),
            },
            Value::Table(table) => {
                let mut pieces = Pieces::new(lua, net, position);
                if !pieces.add_flat(table)? {
                    pieces.add_all(table)?;
                }
                lua.charge_fuel((pieces.bytes.len() / 16 + pieces.count) as u64);
                Ok(Data::Copied(pieces.bytes, pieces.held))
            }
            other => Err(bad_argument(
                position,
                format!(
                    "string, number, boolean, nil, or array table expected, got {}",
                    type_name(other)
                ),
            )),
        }
    }

    /// Calls `f` with the bytes.
    pub(super) fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Data::Whole(text) => f(&text.as_bytes()),
            Data::Copied(bytes, _) => f(bytes),
        }
    }

    /// How many bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Data::Whole(text) => text.len(),
            Data::Copied(bytes, _) => bytes.len(),
        }
    }
}

struct Pieces<'a> {
    lua: &'a Lua,
    position: usize,
    bytes: Vec<u8>,
    held: Held,
    count: usize,
}

impl Pieces<'_> {
    fn new<'a>(lua: &'a Lua, net: &Net, position: usize) -> Pieces<'a> {
        Pieces {
            lua,
            position,
            bytes: Vec::new(),
            held: net.memory().hold(),
            count: 0,
        }
    }

    /// Adds an array of strings and small whole numbers, as most are; false: it is something else, and nothing has been added.
    fn add_flat(&mut self, table: &Table) -> Result<bool> {
        let (mut next, mut failure) = (1, None);
        let is_flat = table.look(|key, value| {
            if key != Glance::Integer(next) || next > MAX_PIECES as i64 {
                return false;
            }
            next += 1;
            let added = match value {
                Glance::String(text) => self.append(text),
                Glance::Integer(digit @ 0..=9) => self.append(&[b'0' + digit as u8]),
                Glance::Integer(number) if number.unsigned_abs() <= PLAIN => {
                    self.append(number.to_string().as_bytes())
                }
                _ => return false,
            };
            failure = added.err();
            failure.is_none()
        })?;
        if let Some(why) = failure {
            return Err(bad_argument(self.position, why));
        }
        match is_flat {
            true => self.count = next as usize - 1,
            false => self.bytes.clear(),
        }
        Ok(is_flat)
    }

    /// Adds an array with the arrays in it.
    fn add_all(&mut self, table: &Table) -> Result<()> {
        let mut open = vec![(table.clone(), 1, self.length(table)?)];
        while let Some((table, next, length)) = open.last_mut() {
            if *next > *length {
                open.pop();
                continue;
            }
            let element = table.raw_get::<Value>(*next)?;
            *next += 1;
            match element {
                Value::Table(inner) if open.len() < MAX_DEPTH => {
                    let length = self.length(&inner)?;
                    open.push((inner, 1, length));
                }
                Value::Table(_) => {
                    return Err(bad_argument(self.position, "tables nested too deep"));
                }
                element => self.add(element)?,
            }
        }
        Ok(())
    }

    /// How many elements an array has, if it is one.
    fn length(&mut self, table: &Table) -> Result<i64> {
        let (mut count, mut last) = (0i64, 0i64);
        for entry in table.pairs::<Value, Value>() {
            let (key, _) = entry?;
            self.count += 1;
            if self.count > MAX_PIECES {
                return Err(bad_argument(self.position, "too many elements"));
            }
            match key {
                Value::Integer(key) if key >= 1 => {
                    count += 1;
                    last = last.max(key);
                }
                _ => return Err(bad_argument(self.position, "non-array table found")),
            }
        }
        match count == last {
            true => Ok(count),
            false => Err(bad_argument(self.position, "bad data type nil found")),
        }
    }

    fn add(&mut self, element: Value) -> Result<()> {
        let text = match &element {
            Value::String(text) => Some(text.clone()),
            Value::Integer(_) | Value::Number(_) => self.lua.coerce_string(element.clone())?,
            _ => None,
        };
        let Some(text) = text else {
            let why = format!("bad data type {} found", type_name(&element));
            return Err(bad_argument(self.position, why));
        };
        (self.append(&text.as_bytes())).map_err(|why| bad_argument(self.position, why))
    }

    fn append(&mut self, text: &[u8]) -> std::result::Result<(), NetError> {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len < text.len() {
            let more = capacity.max(FIRST).min(self.held.room());
            let new = (len + text.len()).max(capacity + more);
            self.held.grow(new - capacity)?;
            self.bytes.reserve_exact(new - len);
        }
        self.bytes.extend_from_slice(text);
        Ok(())
    }
}
