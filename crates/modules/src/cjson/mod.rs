//! `cjson` and `cjson.safe`, as lua-cjson 2.1 has them, OpenResty's additions included.
//!
//! ```lua
//! cjson.encode(value), cjson.decode(text)     -- raise an error; those of cjson.safe give nil and a message
//! cjson.new()                                 -- a module with settings of its own
//! cjson.null                                  -- equal to ngx.null
//! cjson.empty_array, cjson.array_mt, cjson.empty_array_mt
//! cjson.encode_max_depth([n]) and the like    -- settings: the value they have afterwards
//! ```
//!
//! | file | what |
//! |---|---|
//! | `encode` | values as text |
//! | `decode` | text as values |
//! | `number` | numbers both ways |
//! | `settings` | the functions that change settings |
//!
//! **Invariants.** Nothing recurses on the depth of what it is given. A conversion works in steps of [`STEP`] values, between which the
//! script can be preempted or stopped; a text is at most [`crate::MAX_TEXT`] bytes long, a nesting [`MAX_DEPTH`] deep.

mod decode;
mod encode;
mod number;
mod settings;

use crate::Maker;
use crate::text::{MAX_TEXT, too_long};
use decode::Decoder;
use encode::Encoder;
use rille_lua::{Function, LightUserData, Lua, LuaString, MultiValue, Result, Table, Value};
use settings::Settings;
use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] =
    &[("cjson", |lua| make(lua, false)), ("cjson.safe", safe)];

/// The deepest nesting that can be set.
const MAX_DEPTH: i64 = 100_000;
/// Values that are converted in one step.
const STEP: usize = 1000;
/// Fuel for one value, beside one unit for every 16 bytes of text.
const VALUE_FUEL: u64 = 4;
/// What the version of lua-cjson is that this one follows.
const VERSION: &str = "2.1.0.15";

/// Calls the first step and the others, and joins the pieces they give if there are any; `safe` says how a failure is told.
const LOOP: &str = "\
local first, error, concat, safe, joins = ...
return function(...)
  local result, err, step = first(...)
  if step then
    local pieces, more = {}, true
    while more do
      if joins then pieces[#pieces + 1] = result end
      result, err, more = step()
    end
    if joins and err == nil then
      pieces[#pieces + 1] = result
      result = concat(pieces)
    end
  end
  if err == nil then return result end
  if safe then return nil, err end
  error(err, 2)
end";

/// What marks tables; one of each in a VM.
#[derive(Clone)]
struct Marks {
    array: Table,
    empty_array: Table,
}

/// What there is of `cjson` in a VM, whichever module was required first.
struct Common(Marks);

/// JSON's null.
pub(crate) fn null() -> Value {
    Value::LightUserData(LightUserData(ptr::null_mut()))
}

/// `cjson.empty_array`: an address where nothing is.
fn empty_array() -> LightUserData {
    LightUserData(ptr::without_provenance_mut(8))
}

fn marks(lua: &Lua) -> Result<Marks> {
    if let Some(common) = lua.app_data_ref::<Common>() {
        return Ok(common.0.clone());
    }
    let marks = Marks {
        array: lua.create_table()?,
        empty_array: lua.create_table()?,
    };
    lua.set_app_data(Common(marks.clone()));
    Ok(marks)
}

fn make(lua: &Lua, safe: bool) -> Result<Value> {
    let marks = marks(lua)?;
    let settings = Rc::new(RefCell::new(Settings::default()));
    let module = lua.create_table()?;
    module.raw_set("_NAME", "cjson")?;
    module.raw_set("_VERSION", VERSION)?;
    module.raw_set("null", null())?;
    module.raw_set("empty_array", Value::LightUserData(empty_array()))?;
    module.raw_set("array_mt", &marks.array)?;
    module.raw_set("empty_array_mt", &marks.empty_array)?;
    let new = lua.create_function(move |lua, ()| make(lua, safe))?;
    module.raw_set("new", new)?;
    settings::install(lua, &module, &settings)?;
    let (used, known) = (settings.clone(), marks.clone());
    let encode = move |lua: &Lua, values: MultiValue| {
        let Some(value) = only(&values) else {
            return refused(lua, "encode");
        };
        let encoder = Encoder::new(lua, value, used.borrow().clone(), known.clone());
        begin(lua, encoder)
    };
    module.raw_set(
        "encode",
        looped(lua, lua.create_function(encode)?, safe, true)?,
    )?;
    let decode = move |lua: &Lua, values: MultiValue| {
        let Some(value) = only(&values) else {
            return refused(lua, "decode");
        };
        let text = match value {
            Value::Table(_) | Value::Nil | Value::Boolean(_) => None,
            value => lua.coerce_string(value)?,
        };
        let Some(text) = text else {
            let given = values.front().map_or("nil", crate::answer::type_name);
            let why = format!("bad argument #1 to 'decode' (string expected, got {given})");
            return Ok((Value::Nil, Some(lua.create_string(why)?), None));
        };
        if text.len() > MAX_TEXT {
            return Err(too_long());
        }
        let array = settings.borrow().marks_arrays.then(|| marks.array.clone());
        begin(lua, Decoder::new(text, settings.borrow().clone(), array))
    };
    module.raw_set(
        "decode",
        looped(lua, lua.create_function(decode)?, safe, false)?,
    )?;
    Ok(Value::Table(module))
}

/// `cjson.safe`.
pub fn safe(lua: &Lua) -> Result<Value> {
    make(lua, true)
}

fn only(values: &MultiValue) -> Option<Value> {
    match values.len() {
        1 => values.front().cloned(),
        _ => None,
    }
}

/// A result, or why there is none, or the function that does the next step.
type Begun = (Value, Option<LuaString>, Option<Function>);

fn refused(lua: &Lua, name: &str) -> Result<Begun> {
    let why = format!("bad argument #1 to '{name}' (expected 1 argument)");
    Ok((Value::Nil, Some(lua.create_string(why)?), None))
}

/// What a step came to: the end, or a piece of a text (nil where values are made) and that there is more.
enum Step {
    Last(Value),
    Piece(Value),
}

/// Work in steps. What it makes is in the VM between two of them.
trait Work: 'static {
    /// Does one; the outer error is the VM's, the inner one a message for the script.
    fn step(&mut self, lua: &Lua) -> Result<std::result::Result<Step, String>>;

    /// The bytes of text that have been worked on.
    fn bytes(&self) -> usize;
}

/// A value, why there is none, and whether there is more.
type Stepped = (Value, Option<LuaString>, bool);

fn step(lua: &Lua, work: &mut impl Work) -> Result<Stepped> {
    let before = work.bytes();
    let stepped = work.step(lua)?;
    let bytes = work.bytes().saturating_sub(before) as u64;
    lua.charge_fuel(STEP as u64 * VALUE_FUEL / 4 + bytes / 16);
    Ok(match stepped {
        Ok(Step::Last(value)) => (value, None, false),
        Ok(Step::Piece(value)) => (value, None, true),
        Err(message) => (Value::Nil, Some(lua.create_string(message)?), false),
    })
}

fn begin(lua: &Lua, mut work: impl Work) -> Result<Begun> {
    let (value, error, more) = step(lua, &mut work)?;
    if !more {
        return Ok((value, error, None));
    }
    let work = RefCell::new(work);
    let next = lua.create_function(move |lua, ()| step(lua, &mut *work.borrow_mut()))?;
    Ok((value, None, Some(next)))
}

fn looped(lua: &Lua, first: Function, safe: bool, joins: bool) -> Result<Function> {
    let make = lua.load(LOOP).set_name("=[cjson]").into_function()?;
    let globals = lua.globals();
    let error: Value = globals.raw_get("error")?;
    let concat: Value = globals.raw_get::<Table>("table")?.raw_get("concat")?;
    make.call((first, error, concat, safe, joins))
}
