//! `io.open` in an app: there is no file that a script could open.
//!
//! ```lua
//! io.open(name [, mode])  --> nil, "NAME: No such file or directory", 2; "Permission denied", 13 where it would write
//! ```
//! Libraries that look for a file and go on without one find that there is none.
//!
//! **Invariant:** nothing here asks the host's file system anything.

use crate::text::bad_argument;
use rille_lua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Adds it to a new `io` that has what the old one has.
pub(crate) fn install(lua: &Lua) -> Result<()> {
    let globals = lua.globals();
    let old: Table = globals.raw_get("io")?;
    let io = lua.create_table()?;
    for pair in old.pairs::<Value, Value>() {
        let (name, value) = pair?;
        io.raw_set(name, value)?;
    }
    io.raw_set("open", lua.create_function(open)?)?;
    io.freeze()?;
    globals.raw_set("io", &io)?;
    let package: Table = globals.raw_get("package")?;
    package.raw_get::<Table>("loaded")?.raw_set("io", io)
}

fn open(lua: &Lua, (name, mode): (LuaString, Option<LuaString>)) -> Result<MultiValue> {
    let mode = mode.map_or_else(|| b"r".to_vec(), |mode| mode.as_bytes().to_vec());
    let (why, code) = match &mode[..] {
        b"r" | b"rb" => ("No such file or directory", 2),
        b"r+" | b"r+b" | b"w" | b"wb" | b"w+" | b"w+b" | b"a" | b"ab" | b"a+" | b"a+b" => {
            ("Permission denied", 13)
        }
        _ => return Err(bad_argument(2, "invalid mode")),
    };
    let message = [&name.as_bytes()[..], b": ", why.as_bytes()].concat();
    Ok(MultiValue::from_vec(vec![
        Value::Nil,
        Value::String(lua.create_string(message)?),
        Value::Integer(code),
    ]))
}
