//! `encode` and `decode` of `string.buffer`, for the versions that have the module: data as bytes, in LuaJIT's format.
//!
//! ```lua
//! buffer.encode(value)  --> bytes; an error for what is no data
//! buffer.decode(bytes)  --> the value; an error for what are none of these bytes
//! ```
//! Whole numbers are doubles there too, where they are no integers of 32 bits. There are no dictionaries, and no methods of these names.
//!
//! **Invariant:** both are Lua, so that they are preempted and their work is the script's; they nest at most 100 deep.

use rille_lua::{Lua, LuaString, Result, Table, Value};

const SOURCE: &str = include_str!("buffer.lua");
const NAME: &str = "string.buffer";

/// Adds them to the module, when it is required; without effect where there is none.
pub(crate) fn install(lua: &Lua, preload: &Table) -> Result<()> {
    let Value::Function(load) = preload.raw_get(NAME)? else {
        return Ok(());
    };
    let load = lua.create_function(move |lua, name: Value| {
        let module: Table = load.call(name)?;
        let functions = functions(lua)?;
        for name in ["encode", "decode"] {
            module.raw_set(name, functions.raw_get::<Value>(name)?)?;
        }
        Ok(module)
    })?;
    preload.raw_set(NAME, load)
}

fn functions(lua: &Lua) -> Result<Table> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["type", "error", "next"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    for (library, names) in [
        ("string", &["char", "byte", "sub", "format"][..]),
        ("table", &["concat"]),
        ("math", &["floor"]),
    ] {
        let library: Table = globals.raw_get(library)?;
        for name in names {
            tools.raw_set(*name, library.raw_get::<Value>(*name)?)?;
        }
    }
    tools.raw_set("null", super::cjson::null())?;
    let pack = lua.create_function(|lua, value: Value| {
        let mut bytes = vec![6];
        match value {
            Value::Integer(small) if i32::try_from(small).is_ok() => {
                bytes.extend_from_slice(&(small as i32).to_le_bytes());
            }
            value => {
                let number = lua.coerce_number(value)?.unwrap_or(0.0);
                bytes[0] = 7;
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        lua.create_string(bytes)
    })?;
    tools.raw_set("pack", pack)?;
    let unpack = lua.create_function(|_, (text, at): (LuaString, usize)| {
        let text = text.as_bytes();
        let rest = at.checked_sub(1).and_then(|at| text.get(at..));
        let number = rest.and_then(|rest| rest.first_chunk().copied());
        Ok(number.map(f64::from_le_bytes))
    })?;
    tools.raw_set("unpack", unpack)?;
    lua.load(SOURCE)
        .set_name("=string.buffer")
        .into_function()?
        .call(tools)
}
