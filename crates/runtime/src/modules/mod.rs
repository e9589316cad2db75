//! The modules and globals of every app that need nothing but the runtime.
//!
//! **Invariant:** what is installed here is one per VM, the same for every request, and keeps no
//! request's data: the tables are read-only.

mod cache;
pub mod json;
mod json_decode;
pub mod json_text;
mod kept;
mod kv;
mod log;
mod require;

use crate::app::App;
use crate::log::AppLog;
use crate::task::Tasks;
use rille_lua::{Error, Lua, MultiValue, Result, Table, Value};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What the modules of a VM share with the server.
pub struct Installed {
    /// The JSON codec, whose markers belong to this VM.
    pub json: Rc<json::Json>,
}

/// The longest `sleep`: no wall limit is longer.
const MAX_SLEEP: f64 = 86_400.0;

/// Installs them in a new VM.
pub fn install(
    lua: &Lua,
    app: &Arc<App>,
    log: &Rc<AppLog>,
    tasks: &Rc<Tasks>,
) -> Result<Installed> {
    let globals = lua.globals();
    let limit = usize::try_from(app.manifest.limits.memory).unwrap_or(usize::MAX);
    let json = json::Json::new(lua, limit)?;
    globals.raw_set("json", json.module(lua)?)?;
    globals.raw_set("log", log::module(lua, log)?)?;
    globals.raw_set("kv", kv::module(lua, app, tasks)?)?;
    globals.raw_set("cache", cache::module(lua, app, tasks)?)?;
    globals.raw_set("env", env_table(lua, app)?)?;
    globals.raw_set(
        "sleep",
        lua.create_async_function(|_, seconds: f64| sleep(seconds))?,
    )?;
    log::install_print(lua, log)?;
    require::install(lua, app, tasks)?;
    // All requests share these, so none may change them for the next.
    for name in ["json", "log", "kv", "cache"] {
        globals.raw_get::<Table>(name)?.freeze()?;
    }
    Ok(Installed { json })
}

async fn sleep(seconds: f64) -> Result<MultiValue> {
    if !(0.0..=MAX_SLEEP).contains(&seconds) {
        return Err(Error::runtime(format!(
            "bad argument #1 to 'sleep' (from 0 to {MAX_SLEEP} seconds expected)"
        )));
    }
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    Ok(MultiValue::new())
}

/// The manifest's `[env]`. A copy per VM: writing to it changes nothing outside.
fn env_table(lua: &Lua, app: &App) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, value) in &app.manifest.env {
        table.raw_set(name.as_str(), value.as_str())?;
    }
    Ok(table)
}

/// `pack` and `unpack`, which versions have in different places or not at all, for a prelude.
pub fn add_packing(lua: &Lua, tools: &Table) -> Result<()> {
    const SOURCE: &str = "
local select, unpack = ...
return function(...) return {n = select('#', ...), ...} end, unpack";
    let globals = lua.globals();
    let table: Table = globals.raw_get("table")?;
    let unpack = match table.raw_get("unpack")? {
        Value::Nil => globals.raw_get("unpack")?,
        unpack => unpack,
    };
    let select: Value = globals.raw_get("select")?;
    let (pack, unpack): (Value, Value) = lua
        .load(SOURCE)
        .set_name("=[rille]")
        .into_function()?
        .call((select, unpack))?;
    tools.raw_set("pack", pack)?;
    tools.raw_set("unpack", unpack)
}
