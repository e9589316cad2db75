//! `require` in an app: built-in modules, then the app's own files. Never the host's file system.
//!
//! A name is looked for in `lib/`, then as a path in the app (`lib.x` and `lib/x` are the same), then
//! beside the requiring file; as `NAME.lua`, then `NAME/init.lua`. `lib/` comes first so that a handler
//! `inspect.lua` can require a library `inspect`. `github.com/OWNER/REPO/blob/REF/FILE.lua` is a file of a repository; what such a file
//! requires is looked for beside it and at the top of its repository before it is looked for in the app.
//!
//! What an app has not fetched yet is fetched: the requiring coroutine waits, nobody else does.
//!
//! A module that returns nothing gives what it has put into `exports`, a table of its own that its code sees as a global.
//!
//! **Invariants.** A file is one module, whatever it was called by, run once per VM, and once in each task that requires it; what its main
//! chunk writes to globals goes to the app's, or to the task's. `..` and NUL are refused before anything is looked up,
//! and what is looked up is the app's snapshot, so no name can leave the app.

use crate::app::App;
use crate::late::{FORGE, Known, Why, forge_path};
use crate::route::FileId;
use crate::task::Tasks;
use rille_lua::{Dialect, Error, Function, Lua, LuaString, MultiValue, Result, Table, Value};
use std::rc::Rc;
use std::sync::Arc;

/// The longest module name.
const MAX_NAME: usize = 512;

/// The Lua side: it can wait inside a module's main chunk, since it is Lua that calls it.
const PRELUDE: &str = include_str!("require.lua");

/// Installs `require` in a new VM.
pub(super) fn install(lua: &Lua, app: &Arc<App>, tasks: &Rc<Tasks>) -> Result<()> {
    let globals = lua.globals();
    let debug: Table = globals.raw_get("debug")?;
    let coroutine: Table = globals.raw_get("coroutine")?;
    let loaded = loaded_table(lua, &globals)?;
    let finder = app.clone();
    let find = lua.create_function(move |lua, (name, from): (LuaString, LuaString)| {
        // The message is raised in Lua, where the requiring file's position is known.
        match find(&finder, &name.as_bytes(), &from.as_bytes()) {
            Ok(Known::File(path)) => Ok((Some(lua.create_string(&*finder.file(path).path)?), None)),
            // It has to be fetched.
            Ok(_) => Ok((None, None)),
            Err(message) => Ok((None, Some(lua.create_string(message)?))),
        }
    })?;
    let fetcher = app.clone();
    let fetch = lua.create_async_function(move |lua, (name, from): (LuaString, LuaString)| {
        let app = fetcher.clone();
        async move {
            match fetch(&app, &name.as_bytes(), &from.as_bytes()).await {
                Ok(path) => Ok((Some(lua.create_string(&*app.file(path).path)?), None)),
                Err(message) => Ok((None, Some(lua.create_string(message)?))),
            }
        }
    })?;
    let loader = app.clone();
    type Named = (LuaString, LuaString, bool);
    let thread = lua.create_function(move |lua, (path, name, is_shared): Named| {
        let path = String::from_utf8_lossy(&path.as_bytes()).into_owned();
        let file = loader.find(&path).map(|id| loader.file(id));
        let Some(file) = file else {
            return Err(Error::runtime(format!("no file '{path}' in the app")));
        };
        let chunk = file.code.as_ref().map_err(|problem| {
            let name = String::from_utf8_lossy(&name.as_bytes()).into_owned();
            Error::runtime(format!(
                "error loading module '{name}' from file '{path}':\n\t{problem}"
            ))
        })?;
        let scope = match file.names_exports {
            true => Some(exporting_scope(lua)?),
            false => None,
        };
        let main = match &scope {
            Some(scope) => lua.load_chunk_in(chunk, scope)?,
            None => lua.load_chunk(chunk)?,
        };
        let thread = lua.create_thread(main)?;
        match is_shared {
            true => thread.set_shared_writes(true),
            false => thread.set_globals(lua.current_thread()?.own_globals())?,
        }
        Ok((thread, scope))
    })?;
    let known = Rc::downgrade(tasks);
    let task_modules = lua.create_function(move |lua, ()| match known.upgrade() {
        Some(tasks) => tasks.modules(lua),
        None => Ok(None),
    })?;
    let prelude = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
    let tools = lua.create_table()?;
    tools.raw_set("loaded", loaded)?;
    tools.raw_set("find", find)?;
    tools.raw_set("fetch", fetch)?;
    tools.raw_set("thread", thread)?;
    tools.raw_set("task_modules", task_modules)?;
    tools.raw_set("environment", lua.environment()?)?;
    tools.raw_set("getinfo", debug.raw_get::<Value>("getinfo")?)?;
    for name in ["resume", "yield", "status", "running"] {
        tools.raw_set(name, coroutine.raw_get::<Value>(name)?)?;
    }
    for name in [
        "type",
        "error",
        "next",
        "setmetatable",
        "rawget",
        "rawset",
        "sleep",
    ] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("gives_path", lua.dialect() >= Dialect::Lua54)?;
    tools.raw_set("passes_path", lua.dialect() >= Dialect::Lua52)?;
    let require: Function = prelude.call(tools)?;
    globals.raw_set("require", require)
}

/// The environment of a main chunk that has `exports`: that, over the globals.
fn exporting_scope(lua: &Lua) -> Result<Table> {
    let (scope, meta) = (lua.create_table()?, lua.create_table()?);
    scope.raw_set("exports", lua.create_table()?)?;
    meta.raw_set("__index", lua.environment()?)?;
    meta.raw_set("__newindex", lua.environment()?)?;
    scope.set_metatable(Some(meta))?;
    Ok(scope)
}

/// `package.loaded` as libraries expect it, with the standard tables and ours.
fn loaded_table(lua: &Lua, globals: &Table) -> Result<Table> {
    let package: Table = match globals.raw_get("package")? {
        Value::Table(package) => package,
        _ => lua.create_table()?,
    };
    let loaded: Table = match package.raw_get("loaded")? {
        Value::Table(loaded) => loaded,
        _ => lua.create_table()?,
    };
    for name in [
        "string",
        "table",
        "math",
        "os",
        "io",
        "debug",
        "coroutine",
        "utf8",
        "json",
        "log",
        "kv",
        "cache",
        "env",
    ] {
        let module: Value = globals.raw_get(name)?;
        loaded.raw_set(name, module)?;
    }
    loaded.raw_set("_G", lua.environment()?)?;
    package.raw_set("loaded", &loaded)?;
    // The standard one has what a version of the language keeps ready (`string.buffer` in 5.1).
    if !matches!(package.raw_get("preload")?, Value::Table(_)) {
        package.raw_set("preload", lua.create_table()?)?;
    }
    // Libraries split these; none of them leads anywhere here.
    package.raw_set("path", "?.lua;?/init.lua;lib/?.lua;lib/?/init.lua")?;
    package.raw_set("cpath", "")?;
    package.raw_set("config", "/\n;\n?\n!\n-\n")?;
    globals.raw_set("package", &package)?;
    loaded.raw_set("package", &package)?;
    Ok(loaded)
}

/// Where the file may be that `name` means when `from` (a chunk name) requires it, in order. The error says why that is no name.
fn places(name: &[u8], from: &[u8]) -> std::result::Result<Vec<String>, String> {
    let refuse = |why: &str| format!("module '{}' {why}", String::from_utf8_lossy(name));
    let text = std::str::from_utf8(name).map_err(|_| refuse("not found: its name is not UTF-8"))?;
    if text.is_empty() || text.len() > MAX_NAME || text.contains('\0') {
        return Err(refuse("not found: that cannot be a module's name"));
    }
    let path = module_path(text);
    if path.split('/').any(|part| part == ".." || part == ".")
        || text.contains("..")
        || path.contains("//")
    {
        return Err(refuse("not found: a module's name may not contain '..'"));
    }
    let from = std::str::from_utf8(from).ok();
    let from = from.and_then(|from| from.strip_prefix('@')).unwrap_or("");
    let folder = from.rsplit_once('/').map(|(folder, _)| folder);
    let beside = folder.map(|folder| format!("{folder}/{path}"));
    let of_app = [format!("lib/{path}"), path.clone()];
    let places: Vec<String> = match forge_path(from) {
        _ if path.starts_with(FORGE) => match forge_path(&path) {
            Some(_) => vec![path],
            None => {
                return Err(refuse(
                    "not found: a module of a repository is github.com/OWNER/REPO/blob/REF/FILE.lua",
                ));
            }
        },
        Some((repository, _)) => {
            let of_repository = of_app.iter().map(|place| format!("{repository}/{place}"));
            (beside.into_iter().chain(of_repository))
                .chain(of_app.iter().cloned())
                .collect()
        }
        None => of_app.into_iter().chain(beside).collect(),
    };
    let files = |place: String| [format!("{place}.lua"), format!("{place}/init.lua")];
    Ok(places.into_iter().flat_map(files).collect())
}

fn not_found(name: &[u8], tried: &[String]) -> String {
    let name = String::from_utf8_lossy(name);
    let mut message = format!("module '{name}' not found:\n\tno built-in module '{name}'");
    for place in tried {
        message.push_str(&match place.starts_with(FORGE) {
            true => format!("\n\tno file '{place}'"),
            false => format!("\n\tno file '{place}' in the app"),
        });
    }
    message
}

/// The file that `name` means when `from` (a chunk name) requires it, unless that has to be fetched.
fn find(app: &App, name: &[u8], from: &[u8]) -> std::result::Result<Known, String> {
    let places = places(name, from)?;
    let known = places.iter().map(|place| app.known(place));
    let mut known = known.filter(|known| *known != Known::Missing);
    known.next().ok_or_else(|| not_found(name, &places))
}

/// The same, by fetching what is not there yet.
async fn fetch(app: &App, name: &[u8], from: &[u8]) -> std::result::Result<FileId, String> {
    let places = places(name, from)?;
    let mut denied = None;
    for place in &places {
        match app.known(place) {
            Known::File(id) => return Ok(id),
            Known::Missing => continue,
            Known::No => {}
        }
        match app.fetch(place).await {
            Ok(Some(id)) => return Ok(id),
            Ok(None) => app.miss(place),
            // It may be there or not: so may the next.
            Err(failure) if failure.why == Why::Denied => denied = Some(failure),
            Err(failure) => {
                return Err(format!(
                    "module '{}' could not be fetched: {failure}",
                    String::from_utf8_lossy(name)
                ));
            }
        }
    }
    let mut message = not_found(name, &places);
    if let Some(denied) = denied {
        message.push_str(&format!("\n\t{denied}"));
    }
    Err(message)
}

/// `lib.x` and `lib/x.lua` are `lib/x`; a leading `./` or `/` is dropped.
fn module_path(name: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    let name = name.strip_prefix('/').unwrap_or(name);
    match name.strip_suffix(".lua") {
        Some(name) if name.contains('/') => name.to_owned(),
        _ if name.contains('/') => name.to_owned(),
        _ => name.replace('.', "/"),
    }
}

/// A function that joins its arguments with tabs, as `print` does, and gives the text to `sink`.
pub(super) fn joined(lua: &Lua, sink: Function) -> Result<Function> {
    const JOIN: &str = "\
local sink, tostring, select, concat = ...
return function(first, ...)
  local n = select('#', ...)
  if n == 0 then return sink(tostring(first)) end
  local parts = {tostring(first), ...}
  for i = 2, n + 1 do parts[i] = tostring((select(i - 1, ...))) end
  return sink(concat(parts, '\\t'))
end";
    let globals = lua.globals();
    let table: Table = globals.raw_get("table")?;
    let arguments = MultiValue::from_vec(vec![
        Value::Function(sink),
        globals.raw_get("tostring")?,
        globals.raw_get("select")?,
        table.raw_get("concat")?,
    ]);
    lua.load(JOIN)
        .set_name("=[rille]")
        .into_function()?
        .call(arguments)
}
