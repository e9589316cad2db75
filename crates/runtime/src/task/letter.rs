//! Data as bytes, for messages between VMs of one process, and for what `kv` and `cache` keep.
//!
//! `kv` has them on the disk, so what a tag means does not change, and neither does the number of a marker.
//!
//! ```text
//!   tables: u32   value   (for each table: metatable u32, entries u32, (key value)*)
//!   value: N F T | I i64 | D f64 bits | L u64 | S u32 bytes | R u32 (a table) | K u32 (a marker)
//! ```
//!
//! **Invariants.** Neither way recurses: tables are numbered as they are found, and follow in that order. What is decoded was encoded in
//! this process; still, no bytes make it panic or allocate more than they are long.

use rille_lua::{Error, Lua, Result, Table, Value};
use std::collections::HashMap;

fn bad() -> Error {
    Error::runtime("not the bytes of a message")
}

struct Writer<'a> {
    out: Vec<u8>,
    kept: &'a Table,
    /// Whether another process may read it: no addresses then, but null.
    is_lasting: bool,
    tables: Vec<Table>,
    numbers: HashMap<usize, u32>,
}

/// The bytes of a value that a copy was made of: it is data, and not too large.
pub(super) fn encode(kept: &Table, value: &Value) -> Result<Vec<u8>> {
    encode_as(kept, value, false)
}

/// The same for a value that outlives the process: light userdata other than null is refused.
pub(super) fn encode_lasting(kept: &Table, value: &Value) -> Result<Vec<u8>> {
    encode_as(kept, value, true)
}

fn encode_as(kept: &Table, value: &Value, is_lasting: bool) -> Result<Vec<u8>> {
    let mut writer = Writer {
        out: vec![0; 4],
        kept,
        is_lasting,
        tables: Vec::new(),
        numbers: HashMap::new(),
    };
    writer.value(value)?;
    let mut at = 0;
    while let Some(table) = writer.tables.get(at).cloned() {
        writer.table(&table)?;
        at += 1;
    }
    let count = u32::try_from(writer.tables.len()).map_err(|_| bad())?;
    writer.out[..4].copy_from_slice(&count.to_le_bytes());
    Ok(writer.out)
}

impl Writer<'_> {
    fn number(&mut self, number: usize) -> Result<()> {
        let number = u32::try_from(number).map_err(|_| bad())?;
        self.out.extend_from_slice(&number.to_le_bytes());
        Ok(())
    }

    /// A marker's number, from 1.
    fn marker(&self, table: &Table) -> Result<Option<usize>> {
        self.kept.raw_get(table)
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Nil => self.out.push(b'N'),
            Value::Boolean(false) => self.out.push(b'F'),
            Value::Boolean(true) => self.out.push(b'T'),
            Value::Integer(i) => {
                self.out.push(b'I');
                self.out.extend_from_slice(&i.to_le_bytes());
            }
            Value::Number(f) => {
                self.out.push(b'D');
                self.out.extend_from_slice(&f.to_bits().to_le_bytes());
            }
            Value::LightUserData(p) if !self.is_lasting || p.0.is_null() => {
                self.out.push(b'L');
                self.out
                    .extend_from_slice(&(p.0.addr() as u64).to_le_bytes());
            }
            Value::String(s) => {
                self.out.push(b'S');
                let bytes = s.as_bytes();
                self.number(bytes.len())?;
                self.out.extend_from_slice(&bytes);
            }
            Value::Table(table) => match self.marker(table)? {
                Some(marker) => {
                    self.out.push(b'K');
                    self.number(marker)?;
                }
                None => {
                    let next = self.tables.len() as u32;
                    let address = table.to_pointer().addr();
                    let number = *self.numbers.entry(address).or_insert(next);
                    if number == next {
                        self.tables.push(table.clone());
                    }
                    self.out.push(b'R');
                    self.number(number as usize)?;
                }
            },
            _ => return Err(bad()),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<()> {
        let meta = match table.metatable() {
            Some(meta) => self.marker(&meta)?.unwrap_or(0),
            None => 0,
        };
        self.number(meta)?;
        let place = self.out.len();
        self.number(0)?;
        let (mut count, mut key) = (0u32, Value::Nil);
        while let Some((next, value)) = table.next_entry(&key)? {
            self.value(&next)?;
            self.value(&value)?;
            count += 1;
            key = next;
        }
        self.out[place..place + 4].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    kept: &'a Table,
    left: &'a [u8],
    tables: Vec<Table>,
}

/// The value of these bytes.
pub(super) fn decode(lua: &Lua, kept: &Table, bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader {
        lua,
        kept,
        left: bytes,
        tables: Vec::new(),
    };
    let count = reader.number()?;
    if count > bytes.len() / 8 {
        return Err(bad());
    }
    for _ in 0..count {
        reader.tables.push(lua.create_table()?);
    }
    let root = reader.value()?;
    for at in 0..count {
        reader.table(at)?;
    }
    match reader.left.is_empty() {
        true => Ok(root),
        false => Err(bad()),
    }
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, left) = self.left.split_at_checked(count).ok_or_else(bad)?;
        self.left = left;
        Ok(bytes)
    }

    fn eight(&mut self) -> Result<[u8; 8]> {
        self.bytes(8)?.try_into().map_err(|_| bad())
    }

    fn number(&mut self) -> Result<usize> {
        let bytes: [u8; 4] = self.bytes(4)?.try_into().map_err(|_| bad())?;
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    fn value(&mut self) -> Result<Value> {
        let [tag] = *self.bytes(1)? else {
            return Err(bad());
        };
        Ok(match tag {
            b'N' => Value::Nil,
            b'F' => Value::Boolean(false),
            b'T' => Value::Boolean(true),
            b'I' => Value::Integer(i64::from_le_bytes(self.eight()?)),
            b'D' => Value::Number(f64::from_bits(u64::from_le_bytes(self.eight()?))),
            b'L' => {
                let address = u64::from_le_bytes(self.eight()?) as usize;
                let pointer = std::ptr::without_provenance_mut(address);
                Value::LightUserData(rille_lua::LightUserData(pointer))
            }
            b'S' => {
                let count = self.number()?;
                Value::String(self.lua.create_string(self.bytes(count)?)?)
            }
            b'R' => {
                let at = self.number()?;
                Value::Table(self.tables.get(at).ok_or_else(bad)?.clone())
            }
            b'K' => self.kept.raw_get(self.number()? as i64)?,
            _ => return Err(bad()),
        })
    }

    fn table(&mut self, at: usize) -> Result<()> {
        let table = self.tables.get(at).ok_or_else(bad)?.clone();
        let (meta, count) = (self.number()?, self.number()?);
        for _ in 0..count {
            let (key, value) = (self.value()?, self.value()?);
            table.raw_set(key, value)?;
        }
        if meta != 0 {
            table.set_metatable(self.kept.raw_get(meta as i64)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm() -> (Lua, Table) {
        let lua = Lua::new();
        let kept = lua.create_table().unwrap();
        let marker = lua.create_table().unwrap();
        kept.raw_set(&marker, 1).unwrap();
        kept.raw_set(1, &marker).unwrap();
        lua.globals().raw_set("marker", marker).unwrap();
        (lua, kept)
    }

    #[test]
    fn what_is_sent_arrives_in_another_vm() {
        let ((from, kept), (to, other)) = (vm(), vm());
        let value: Value = from
            .load(
                "local t = {1, 2.5, 'three', true, false, marker, setmetatable({}, marker), [-0.5] = {deep = {deeper = 1}}}
                 t.me, t.same, t[{}] = t, t[8], 'by table' t.again = t.same return t",
            )
            .eval()
            .unwrap();
        let bytes = encode(&kept, &value).unwrap();
        let arrived = decode(&to, &other, &bytes).unwrap();
        to.globals().raw_set("t", arrived).unwrap();
        to.load(
            "assert(t[1] == 1 and math.type(t[1]) == 'integer' and t[2] == 2.5 and t[3] == 'three' and t[4] == true)
             assert(t[5] == false and t[6] == marker and getmetatable(t[7]) == marker and t[-0.5].deep.deeper == 1)
             assert(t.me == t and t.same == t.again)
             for k, v in pairs(t) do if type(k) == 'table' then assert(v == 'by table' and next(k) == nil) end end",
        )
        .exec()
        .unwrap();
    }

    #[test]
    fn no_bytes_do_harm() {
        let (lua, kept) = vm();
        let value: Value = lua
            .load("{a = {1, 2, {}}, b = 'text', c = 1.5}")
            .eval()
            .unwrap();
        let good = encode(&kept, &value).unwrap();
        for cut in 0..good.len() {
            assert!(decode(&lua, &kept, &good[..cut]).is_err(), "{cut}");
        }
        for at in 0..good.len() {
            for byte in [0, 1, 255, b'R', b'K', b'S'] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                let _ = decode(&lua, &kept, &bytes);
            }
        }
    }
}
