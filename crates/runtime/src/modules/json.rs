//! `json`: encode and decode.
//!
//! ```lua
//! json.encode(value)  --> text; raises an error for what JSON cannot say
//! json.decode(text)   --> value, or nil and a message with line and column
//! json.null           --  JSON's null; json.array(t) marks a table as an array, even when empty
//! ```
//! A table with the keys 1..n is an array, an empty one an object unless it is marked; `decode`
//! marks empty arrays, so they survive a round trip. Integers and floats keep their subtype.
//!
//! **Invariants.** Iterative both ways: depth is bounded by [`MAX_DEPTH`], not by the native stack, and
//! the same bound ends a cycle. The work is done in steps of [`STEP`] values, which charge fuel and between
//! which the script can be preempted or stopped. Every table and string is made in the VM and counts
//! towards its memory; text being built is bounded by `max_text`.

use super::json_decode::Decoder;
use super::json_text::{print_number, print_string};
use rille_lua::{Error, Function, Lua, LuaString, Result, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// The deepest nesting, as in cjson.
pub const MAX_DEPTH: usize = 1000;

/// Values that are encoded or decoded in one step: some 100 us.
pub const STEP: usize = 1000;

/// Fuel for one value, beside a unit for every 16 bytes of text.
const VALUE_FUEL: u64 = 10;

/// What makes a step a loop that can be preempted: the steps are called from Lua.
const LOOP: &str = "\
local first, error = ...
return function(value)
  local result, step, err = first(value)
  while step do result, step, err = step() end
  if err and result == nil then return nil, err end
  return result
end";

/// As [`LOOP`], for `encode`: what JSON cannot say is an error where the script is.
const RAISING_LOOP: &str = "\
local first, error = ...
return function(value)
  local result, step, err = first(value)
  while step do result, step, err = step() end
  if err and result == nil then error(err, 2) end
  return result
end";

/// The codec of one VM: its markers.
pub struct Json {
    pub(super) null: Table,
    pub(super) array_mt: Table,
    /// The longest text that `encode` makes, in bytes.
    max_text: usize,
}

/// What a step leaves: a result, or a message, or a function for the next step.
type StepResult = (Value, Option<Function>, Option<LuaString>);

impl Json {
    /// Makes the markers in `lua`.
    pub fn new(lua: &Lua, max_text: usize) -> Result<Rc<Json>> {
        let null = lua.create_table()?;
        let meta = lua.create_table()?;
        meta.raw_set("__name", "null")?;
        meta.raw_set("__tostring", lua.create_function(|_, ()| Ok("null"))?)?;
        let refuse =
            |_: &Lua, ()| -> Result<()> { Err(Error::runtime("json.null cannot be changed")) };
        meta.raw_set("__newindex", lua.create_function(refuse)?)?;
        meta.raw_set("__metatable", false)?;
        null.set_metatable(Some(meta))?;
        let array_mt = lua.create_table()?;
        array_mt.raw_set("__name", "json.array")?;
        Ok(Rc::new(Json {
            null,
            array_mt,
            max_text,
        }))
    }

    /// What data from JSON may hold that has a meaning by what it is.
    pub fn markers(&self) -> [&Table; 2] {
        [&self.null, &self.array_mt]
    }

    /// The table that scripts see.
    pub fn module(self: &Rc<Self>, lua: &Lua) -> Result<Table> {
        let module = lua.create_table()?;
        module.raw_set("encode", self.encode_function(lua)?)?;
        module.raw_set("decode", self.decode_function(lua)?)?;
        let json = self.clone();
        let array = lua.create_function(move |lua, table: Option<Table>| {
            let table = match table {
                Some(table) => table,
                None => lua.create_table()?,
            };
            table.set_metatable(Some(json.array_mt.clone()))?;
            Ok(table)
        })?;
        module.raw_set("array", array)?;
        module.raw_set("array_mt", &self.array_mt)?;
        module.raw_set("null", &self.null)?;
        Ok(module)
    }

    /// `encode(value)`: the text; an error for what JSON cannot say.
    pub fn encode_function(self: &Rc<Self>, lua: &Lua) -> Result<Function> {
        let json = self.clone();
        let first = lua.create_function(move |lua, value: Value| json.begin_encode(lua, value))?;
        looped(lua, RAISING_LOOP, first)
    }

    fn begin_encode(self: &Rc<Self>, lua: &Lua, value: Value) -> Result<StepResult> {
        let mut encoder = Encoder::new(value);
        match step_encoder(lua, self, &mut encoder)? {
            Some(done) => Ok(done),
            None => {
                let (json, encoder) = (self.clone(), RefCell::new(encoder));
                later(lua, move |lua| {
                    step_encoder(lua, &json, &mut encoder.borrow_mut())
                })
            }
        }
    }

    /// `decode(text)`: the value, or nil and what is wrong with the text.
    pub fn decode_function(self: &Rc<Self>, lua: &Lua) -> Result<Function> {
        let json = self.clone();
        let first =
            lua.create_function(move |lua, text: LuaString| json.begin_decode(lua, text))?;
        looped(lua, LOOP, first)
    }

    fn begin_decode(self: &Rc<Self>, lua: &Lua, text: LuaString) -> Result<StepResult> {
        let mut decoder = Decoder::new(text);
        match step_decoder(lua, self, &mut decoder)? {
            Some(done) => Ok(done),
            None => {
                let (json, decoder) = (self.clone(), RefCell::new(decoder));
                later(lua, move |lua| {
                    step_decoder(lua, &json, &mut decoder.borrow_mut())
                })
            }
        }
    }

    /// The value of a text of the host's, which is short: it is decoded in one go. The error inside says what is wrong with the text.
    pub fn decode_short(
        self: &Rc<Self>,
        lua: &Lua,
        text: &[u8],
    ) -> Result<std::result::Result<Value, String>> {
        let mut decoder = Decoder::new(lua.create_string(text)?);
        loop {
            match decoder.step(lua, self)? {
                Ok(None) => {}
                Ok(Some(value)) => return Ok(Ok(value)),
                Err(error) => return Ok(Err(error.describe(text))),
            }
        }
    }

    /// The text of a small value; `None` if it takes more than one step.
    pub fn encode_small(&self, value: &Value) -> Result<Option<Vec<u8>>> {
        let mut encoder = Encoder::new(value.clone());
        Ok(encoder.step(self)?.then_some(encoder.out))
    }
}

fn looped(lua: &Lua, source: &str, first: Function) -> Result<Function> {
    let make = lua.load(source).set_name("=[rille]").into_function()?;
    make.call((first, lua.globals().raw_get::<Value>("error")?))
}

/// A result that is not there yet: a function that does the next step and, while there is more, gives
/// itself back.
fn later(
    lua: &Lua,
    step: impl Fn(&Lua) -> Result<Option<StepResult>> + 'static,
) -> Result<StepResult> {
    let function = lua.create_function(move |lua, ()| match step(lua)? {
        Some((value, _, message)) => Ok((value, false, message)),
        None => Ok((Value::Nil, true, None)),
    })?;
    // `while step do ... = step()`: the step answers whether to go on with itself.
    const SELF: &str = "\
local step = ...
local function again()
  local value, more, err = step()
  return value, more and again or nil, err
end
return again";
    let again = lua
        .load(SELF)
        .set_name("=[rille]")
        .into_function()?
        .call(function)?;
    Ok((Value::Nil, Some(again), None))
}

fn step_encoder(lua: &Lua, json: &Json, encoder: &mut Encoder) -> Result<Option<StepResult>> {
    let before = encoder.out.len();
    let stepped = encoder.step(json);
    charge(lua, encoder.out.len() - before);
    match stepped {
        Ok(false) => Ok(None),
        Ok(true) => {
            let text = lua.create_string(&encoder.out)?;
            Ok(Some((Value::String(text), None, None)))
        }
        Err(error) if error.is_limit() => Err(error),
        Err(error) => Ok(Some((
            Value::Nil,
            None,
            Some(lua.create_string(error.message())?),
        ))),
    }
}

fn step_decoder(lua: &Lua, json: &Json, decoder: &mut Decoder) -> Result<Option<StepResult>> {
    let before = decoder.position();
    let stepped = decoder.step(lua, json)?;
    charge(lua, decoder.position() - before);
    match stepped {
        Ok(None) => Ok(None),
        Ok(Some(value)) => Ok(Some((value, None, None))),
        Err(error) => {
            let message = error.describe(&decoder.text().as_bytes());
            Ok(Some((Value::Nil, None, Some(lua.create_string(message)?))))
        }
    }
}

fn charge(lua: &Lua, bytes: usize) {
    lua.charge_fuel(STEP as u64 * VALUE_FUEL / 4 + bytes as u64 / 16);
}

/// A table being encoded. Which of the last two it is shows in a pass over its keys, which is
/// taken in steps like everything else.
enum Frame {
    Unknown {
        table: Table,
        len: i64,
        seen: i64,
        key: Value,
    },
    Array {
        table: Table,
        len: i64,
        next: i64,
    },
    Object {
        table: Table,
        key: Value,
        first: bool,
    },
}

/// What a frame has next.
enum Advance {
    /// This value is to be printed.
    Value(Value),
    /// Nothing yet; ask again.
    Again,
    /// Nothing more.
    End,
}

/// A value on its way to text.
struct Encoder {
    out: Vec<u8>,
    stack: Vec<Frame>,
    next: Option<Value>,
}

impl Encoder {
    fn new(value: Value) -> Encoder {
        Encoder {
            out: Vec::new(),
            stack: Vec::new(),
            next: Some(value),
        }
    }

    /// Encodes up to [`STEP`] values; whether that was all.
    fn step(&mut self, json: &Json) -> Result<bool> {
        for _ in 0..STEP {
            if let Some(value) = self.next.take() {
                self.open(json, value)?;
            }
            if self.out.len() > json.max_text {
                return Err(Error::runtime(
                    "cannot encode as JSON: the text is too large",
                ));
            }
            let Some(frame) = self.stack.last_mut() else {
                return Ok(true);
            };
            match frame.advance(&mut self.out)? {
                Advance::Value(value) => self.next = Some(value),
                Advance::Again => {}
                Advance::End => {
                    self.stack.pop();
                }
            }
        }
        Ok(false)
    }

    /// Prints a scalar, or the start of a table that is then on the stack.
    fn open(&mut self, json: &Json, value: Value) -> Result<()> {
        let out = &mut self.out;
        match value {
            Value::Nil => out.extend_from_slice(b"null"),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::Integer(integer) => print_integer(integer, out),
            Value::Number(number) => {
                if !print_number(number, out) {
                    return Err(Error::runtime(format!("cannot encode {number} as JSON")));
                }
            }
            Value::String(text) => encode_string(&text.as_bytes(), out)?,
            Value::Table(table) if table == json.null => out.extend_from_slice(b"null"),
            Value::Table(table) => {
                if self.stack.len() == MAX_DEPTH {
                    return Err(Error::runtime(format!(
                        "cannot encode as JSON: nested deeper than {MAX_DEPTH} (or a table that contains itself)"
                    )));
                }
                self.stack.push(Frame::new(json, table, out));
            }
            other => {
                let kind = other.type_name();
                return Err(Error::runtime(format!("cannot encode a {kind} as JSON")));
            }
        }
        Ok(())
    }
}

impl Frame {
    fn new(json: &Json, table: Table, out: &mut Vec<u8>) -> Frame {
        let len = table.raw_len() as i64;
        if table.metatable().is_some_and(|meta| meta == json.array_mt) {
            return Frame::array(table, len, out);
        }
        match len {
            0 => Frame::object(table, out),
            len => Frame::Unknown {
                table,
                len,
                seen: 0,
                key: Value::Nil,
            },
        }
    }

    fn array(table: Table, len: i64, out: &mut Vec<u8>) -> Frame {
        out.push(b'[');
        Frame::Array {
            table,
            len,
            next: 1,
        }
    }

    fn object(table: Table, out: &mut Vec<u8>) -> Frame {
        out.push(b'{');
        Frame::Object {
            table,
            key: Value::Nil,
            first: true,
        }
    }

    /// The next value to print, after what stands before it.
    fn advance(&mut self, out: &mut Vec<u8>) -> Result<Advance> {
        match self {
            Frame::Unknown {
                table,
                len,
                seen,
                key,
            } => {
                let entry = table.next_entry(key)?;
                *self = match entry {
                    Some((Value::Integer(at), _)) if (1..=*len).contains(&at) => {
                        *seen += 1;
                        *key = Value::Integer(at);
                        return Ok(Advance::Again);
                    }
                    None if seen == len => Frame::array(table.clone(), *len, out),
                    _ => Frame::object(table.clone(), out),
                };
                Ok(Advance::Again)
            }
            Frame::Array { len, next, .. } if *next > *len => {
                out.push(b']');
                Ok(Advance::End)
            }
            Frame::Array { table, next, .. } => {
                if *next > 1 {
                    out.push(b',');
                }
                *next += 1;
                table.raw_get(*next - 1).map(Advance::Value)
            }
            Frame::Object { table, key, first } => {
                let Some((found, value)) = table.next_entry(key)? else {
                    out.push(b'}');
                    return Ok(Advance::End);
                };
                if !std::mem::take(first) {
                    out.push(b',');
                }
                print_key(&found, out)?;
                *key = found;
                out.push(b':');
                Ok(Advance::Value(value))
            }
        }
    }
}

fn print_key(key: &Value, out: &mut Vec<u8>) -> Result<()> {
    match key {
        Value::String(name) => encode_string(&name.as_bytes(), out),
        Value::Integer(name) => {
            out.push(b'"');
            print_integer(*name, out);
            out.push(b'"');
            Ok(())
        }
        other => {
            let kind = other.type_name();
            Err(Error::runtime(format!(
                "cannot encode a table with a {kind} key as JSON"
            )))
        }
    }
}

fn print_integer(integer: i64, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{integer}");
}

fn encode_string(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    match print_string(bytes, out) {
        true => Ok(()),
        false => Err(Error::runtime(
            "cannot encode as JSON: a string is not UTF-8",
        )),
    }
}
