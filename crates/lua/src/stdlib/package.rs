//! `require` and the `package` table.
//!
//! `require` asks `package.searchers` one after the other and calls the loader it gets, all through continuations: a
//! searcher or a module may yield. Its state is in its arguments ([`slot`]).
//!
//! **Invariant:** files are reached through `Host::read_source` only. Native code is never loaded: the places where the
//! reference would are searched, so that messages agree, and what is found there is refused.

use super::load::load_file_text;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Action, Ctx, NativeResult, Thrown};
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::Vm;
use crate::vm::load::LoadError;

/// Registry keys, as the reference names them.
pub(super) const LOADED: &str = "_LOADED";
const PRELOAD: &str = "_PRELOAD";
/// A true value under this registry key: environment variables are not looked at (`lua -E`).
const NO_ENV: &str = "LUA_NOENV";

/// Where modules are looked for unless the environment says otherwise.
fn default_path(dialect: Dialect) -> String {
    let share =
        format!("/usr/local/share/lua/{dialect}/?.lua;/usr/local/share/lua/{dialect}/?/init.lua");
    let lib = format!("/usr/local/lib/lua/{dialect}/?.lua;/usr/local/lib/lua/{dialect}/?/init.lua");
    match dialect {
        Dialect::Lua51 => format!("./?.lua;{share};{lib}"),
        Dialect::Lua52 => format!("{share};{lib};./?.lua"),
        _ => format!("{share};{lib};./?.lua;./?/init.lua"),
    }
}

fn default_cpath(dialect: Dialect) -> String {
    let lib = format!("/usr/local/lib/lua/{dialect}/?.so;/usr/local/lib/lua/{dialect}/loadall.so");
    match dialect {
        Dialect::Lua51 => {
            format!("./?.so;{lib}")
        }
        _ => format!("{lib};./?.so"),
    }
}

/// In a sandbox, files are the app's own.
const SANDBOX_PATH: &str = "?.lua;?/init.lua";
/// Directory separator, template separator, mark of the name, and two that only dynamic libraries need.
const CONFIG: &str = "/\n;\n?\n!\n-\n";

const NO_LIBRARIES: &str = "dynamic libraries not enabled; check your Lua installation";

/// The places of `require`'s state.
mod slot {
    pub const NAME: usize = 0;
    pub const SEARCHERS: usize = 1;
    /// The searcher asked last.
    pub const INDEX: usize = 2;
    /// What the searchers have said so far.
    pub const MESSAGE: usize = 3;
    /// The loader's second argument.
    pub const DATA: usize = 4;
    pub const COUNT: usize = 5;
}

/// Upvalues of `require` and the searchers.
mod up {
    pub const PACKAGE: usize = 0;
    pub const LOADED: usize = 1;
    pub const PRELOAD: usize = 2;
}

static REQUIRE: NativeDef = NativeDef::new("require", require, Cost::Bytes);

fn loaded_table(ctx: &Ctx<'_>) -> Gc<Table> {
    match ctx.upvalue(up::LOADED).as_table() {
        Some(t) => t,
        None => unreachable!("`open` captures the table"),
    }
}

fn require(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = Val::str(ctx.check_str(slot::NAME)?);
    let v = ctx.raw_get(loaded_table(ctx), name);
    if v.truthy() {
        if v.raw_eq(in_loading()) {
            let message = quoted("loop or previous error loading module '", name, "'");
            return Err(ctx.error_bytes(&message));
        }
        return ctx.ret(v);
    }
    let list = searchers_field(ctx.vm.dialect);
    let searchers = field(ctx, list)?;
    if !searchers.is_table() {
        return Err(ctx.error(&format!("'package.{list}' must be a table")));
    }
    ctx.resize_args(slot::COUNT)?;
    ctx.set_arg(slot::SEARCHERS, searchers);
    ctx.set_arg(slot::INDEX, Val::int(0));
    let nothing = ctx.new_str(b"")?;
    ctx.set_arg(slot::MESSAGE, Val::str(nothing));
    ask_next(ctx)
}

/// What the table of loaded modules holds for one that is being loaded, in 5.1.
fn in_loading() -> Val {
    static MARK: u8 = 0;
    Val::light(&raw const MARK as usize)
}

/// How the list of searchers is called.
fn searchers_field(dialect: Dialect) -> &'static str {
    match dialect < Dialect::Lua52 {
        true => "loaders",
        false => "searchers",
    }
}

/// A field of the package table.
fn field(ctx: &mut Ctx<'_>, name: &str) -> Result<Val, Thrown> {
    let key = ctx.new_str(name.as_bytes())?;
    Ok(match ctx.upvalue(up::PACKAGE).as_table() {
        Some(package) => ctx.raw_get(package, Val::str(key)),
        None => Val::NIL,
    })
}

/// Asks the next searcher for the module.
fn ask_next(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.resize_args(slot::COUNT)?;
    let i = ctx.arg(slot::INDEX).raw_int() + 1;
    ctx.set_arg(slot::INDEX, Val::int(i));
    let searcher = ctx
        .arg(slot::SEARCHERS)
        .as_table()
        .map_or(Val::NIL, |t| t.get_int(i));
    let name = ctx.arg(slot::NAME);
    if searcher.is_nil() {
        let mut message = quoted("module '", name, "' not found:");
        if let Some(said) = ctx.arg(slot::MESSAGE).as_str() {
            message.extend_from_slice(said.as_bytes());
        }
        return Err(ctx.error_bytes(&message));
    }
    ctx.push(searcher);
    ctx.push(name);
    ctx.call(1, take_answer)
}

fn take_answer(ctx: &mut Ctx<'_>) -> NativeResult {
    let (answer, data) = (ctx.result(0), ctx.result(1));
    if answer.is_function() {
        ctx.set_arg(slot::DATA, data);
        ctx.resize_args(slot::COUNT)?;
        let name = ctx.arg(slot::NAME);
        for v in [answer, name, data] {
            ctx.push(v);
        }
        if ctx.vm.dialect < Dialect::Lua52 {
            let loaded = loaded_table(ctx);
            ctx.raw_set(loaded, name, in_loading())?;
            ctx.pop();
            return ctx.call(1, module_ran);
        }
        return ctx.call(2, module_ran);
    }
    if let Some(text) = ctx.to_str(answer)? {
        // The answer may have been a number: its text is rooted by becoming the data for a moment.
        ctx.set_arg(slot::DATA, Val::str(text));
        let said = ctx
            .arg(slot::MESSAGE)
            .as_str()
            .map_or(&b""[..], |s| s.as_bytes());
        // Before 5.4 a searcher begins the line itself.
        let begin: &[u8] = match ctx.vm.dialect < Dialect::Lua54 {
            true => b"",
            false => b"\n\t",
        };
        let whole = [said, begin, text.as_bytes()];
        ctx.charge((said.len() + text.len()) / 16);
        let whole = ctx
            .vm
            .concat_str(whole.iter().map(|p| p.len()).sum(), &whole)?;
        ctx.set_arg(slot::MESSAGE, Val::str(whole));
    }
    ask_next(ctx)
}

fn module_ran(ctx: &mut Ctx<'_>) -> NativeResult {
    let (name, result) = (ctx.arg(slot::NAME), ctx.result(0));
    let loaded = loaded_table(ctx);
    let before = ctx.raw_get(loaded, name);
    if !result.is_nil() {
        ctx.raw_set(loaded, name, result)?;
    } else if before.is_nil() || before.raw_eq(in_loading()) {
        ctx.raw_set(loaded, name, Val::TRUE)?;
    }
    let module = ctx.raw_get(loaded, name);
    if ctx.vm.dialect < Dialect::Lua54 {
        return ctx.ret(module);
    }
    let data = ctx.arg(slot::DATA);
    ctx.ret2(module, data)
}

fn quoted(before: &str, name: Val, after: &str) -> Vec<u8> {
    let name = name.as_str();
    [
        before.as_bytes(),
        name.as_ref().map_or(&b"?"[..], |s| s.as_bytes()),
        after.as_bytes(),
    ]
    .concat()
}

// ---- searching ----

/// What a search for a file came to: its name and content, or the message.
enum Search {
    Found(Vec<u8>, std::io::Result<Vec<u8>>),
    NotFound(Vec<u8>),
}

/// Looks for a file by the templates of a path. What is there but is no file counts as found.
fn search(ctx: &mut Ctx<'_>, name: &[u8], path: &[u8]) -> Search {
    let mut message = Vec::new();
    for template in path.split(|b| *b == b';') {
        let file = replace(template, b"?", name);
        ctx.charge(64 + file.len() / 4);
        match ctx.vm.host.read_source(&file) {
            Some(Ok(text)) => return Search::Found(file, Ok(text)),
            Some(Err(e)) if e.kind() == std::io::ErrorKind::IsADirectory => {
                return Search::Found(file, Err(e));
            }
            _ => {}
        }
        if !message.is_empty() {
            message.extend_from_slice(b"\n\t");
        }
        message.extend_from_slice(b"no file '");
        message.extend_from_slice(&file);
        message.push(b'\'');
    }
    Search::NotFound(message)
}

fn replace(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + by.len());
    let mut rest = text;
    while !what.is_empty()
        && let Some(at) = memchr::memmem::find(rest, what)
    {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

static SEARCHPATH: NativeDef = NativeDef::new("searchpath", searchpath, Cost::Bytes);

fn searchpath(ctx: &mut Ctx<'_>) -> NativeResult {
    let (name, path) = (ctx.check_str(0)?, ctx.check_str(1)?);
    let (separator, replacement) = (ctx.opt_str(2)?, ctx.opt_str(3)?);
    let separator = separator.as_ref().map_or(&b"."[..], |s| s.as_bytes());
    let replacement = replacement.as_ref().map_or(&b"/"[..], |s| s.as_bytes());
    let asked = name
        .len()
        .saturating_mul(replacement.len().max(1))
        .saturating_mul(1 + path.len());
    if asked > MAX_PATH_WORK {
        return Err(ctx.error("path too long"));
    }
    let name = replace(name.as_bytes(), separator, replacement);
    match search(ctx, &name, path.as_bytes()) {
        Search::Found(file, _) => ctx.ret_str(&file),
        Search::NotFound(message) => {
            ctx.push(Val::NIL);
            match ctx.vm.dialect < Dialect::Lua54 {
                true => ctx.push_str(&[b"\n\t", &message[..]].concat())?,
                false => ctx.push_str(&message)?,
            }
            Ok(Action::Return(2))
        }
    }
}

/// The product of the lengths of a name and a path up to which files are searched: the work is that large.
const MAX_PATH_WORK: usize = 1 << 20;

static SEARCH_PRELOAD: NativeDef =
    NativeDef::new("searcher_preload", search_preload, Cost::Constant);
static SEARCH_LUA: NativeDef = NativeDef::new("searcher_Lua", search_lua, Cost::Bytes);
static SEARCH_C: NativeDef = NativeDef::new("searcher_C", search_c, Cost::Bytes);
static SEARCH_C_ROOT: NativeDef = NativeDef::new("searcher_Croot", search_c_root, Cost::Bytes);

fn search_preload(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = Val::str(ctx.check_str(0)?);
    let loader = ctx
        .upvalue(up::PRELOAD)
        .as_table()
        .map_or(Val::NIL, |t| ctx.raw_get(t, name));
    if loader.is_nil() {
        return not_here(ctx, &quoted("no field package.preload['", name, "']"));
    }
    if ctx.vm.dialect < Dialect::Lua54 {
        return ctx.ret(loader);
    }
    ctx.push(loader);
    ctx.push_str(b":preload:")?;
    Ok(Action::Return(2))
}

/// The search of one searcher: `name` with dots as directories, by the path in a field of the package table.
fn search_field(ctx: &mut Ctx<'_>, name: &[u8], path: &'static str) -> Result<Search, Thrown> {
    let v = field(ctx, path)?;
    let Some(text) = ctx.to_str(v)? else {
        return Err(ctx.error(&format!("'package.{path}' must be a string")));
    };
    if name.len().saturating_mul(1 + text.len()) > MAX_PATH_WORK {
        return Err(ctx.error("path too long"));
    }
    // Nothing is allocated in the heap while the path is used.
    Ok(search(ctx, &replace(name, b".", b"/"), text.as_bytes()))
}

fn search_lua(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?;
    let (file, text) = match search_field(ctx, name.as_bytes(), "path")? {
        Search::Found(file, text) => (file, text),
        Search::NotFound(message) => return not_here(ctx, &message),
    };
    let loaded = match text {
        Ok(text) => load_file_text(ctx, &text, &[b"@", &file[..]].concat(), b"bt"),
        Err(e) => Err(super::load::unreadable(
            "read",
            &file,
            &super::io::io_error(&e).0,
        )),
    };
    match loaded {
        Ok(()) => {
            ctx.push_str(&file)?;
            Ok(Action::Return(2))
        }
        Err(LoadError::Refused { message, .. }) => Err(load_error(ctx, &file, &message)),
        Err(LoadError::Thrown(thrown)) => Err(thrown),
    }
}

fn load_error(ctx: &mut Ctx<'_>, file: &[u8], why: &[u8]) -> Thrown {
    let name = ctx.arg(0);
    let mut message = quoted("error loading module '", name, "' from file '");
    message.extend_from_slice(file);
    message.extend_from_slice(b"':\n\t");
    message.extend_from_slice(why);
    ctx.error_bytes(&message)
}

fn search_c(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?;
    refuse_library(ctx, name.as_bytes())
}

/// The library of the whole package may have the submodule.
fn search_c_root(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?;
    match name.as_bytes().iter().position(|b| *b == b'.') {
        Some(end) => refuse_library(ctx, &name.as_bytes()[..end]),
        None => ctx.ret0(),
    }
}

fn refuse_library(ctx: &mut Ctx<'_>, name: &[u8]) -> NativeResult {
    match search_field(ctx, name, "cpath")? {
        Search::Found(file, _) => Err(load_error(ctx, &file, NO_LIBRARIES.as_bytes())),
        Search::NotFound(message) => not_here(ctx, &message),
    }
}

/// What a searcher returns when it has no loader; before 5.4 the line begins with the message.
fn not_here(ctx: &mut Ctx<'_>, message: &[u8]) -> NativeResult {
    match ctx.vm.dialect < Dialect::Lua54 {
        true => ctx.ret_str(&[b"\n\t", message].concat()),
        false => ctx.ret_str(message),
    }
}

static LOADLIB: NativeDef = NativeDef::new("loadlib", loadlib, Cost::Constant);

fn loadlib(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    ctx.check_str(1)?;
    ctx.push(Val::NIL);
    ctx.push_str(NO_LIBRARIES.as_bytes())?;
    ctx.push_str(b"absent")?;
    Ok(Action::Return(3))
}

// ---- opening ----

/// Makes the table of loaded modules, which every library's `open` may put itself into.
pub(super) fn make_loaded(vm: &mut Vm) -> Result<(), Thrown> {
    let loaded = vm.new_table_sized(0, 16)?;
    let registry = vm.registry;
    set_rooted(vm, registry, LOADED, Val::table(loaded))
}

/// The table of loaded modules.
pub(super) fn loaded(vm: &mut Vm) -> Result<Gc<Table>, Thrown> {
    let registry = vm.registry;
    let key = vm.new_str(LOADED.as_bytes())?;
    match registry.get(vm.heap.hash_key, Val::str(key)).as_table() {
        Some(t) => Ok(t),
        None => Err(vm.throw_str("'package.loaded' is not a table")),
    }
}

/// The table of loaders by name, which the first searcher looks into.
pub(super) fn preload(vm: &mut Vm) -> Result<Gc<Table>, Thrown> {
    let registry = vm.registry;
    let key = vm.new_str(PRELOAD.as_bytes())?;
    match registry.get(vm.heap.hash_key, Val::str(key)).as_table() {
        Some(t) => Ok(t),
        None => Err(vm.throw_str("'package.preload' is not a table")),
    }
}

/// As `Vm::set_field`, for a value that nothing holds yet.
fn set_rooted(vm: &mut Vm, t: Gc<Table>, name: &str, v: Val) -> Result<(), Thrown> {
    vm.scratch.push(v);
    let done = vm.set_field(t, name, v);
    vm.scratch.pop();
    done
}

pub(crate) fn open(vm: &mut Vm, sandbox: bool) -> Result<(), Thrown> {
    let natives: &[&'static NativeDef] = if sandbox {
        &[&SEARCHPATH]
    } else {
        &[&LOADLIB, &SEARCHPATH]
    };
    let package = super::open_library(vm, "package", natives, 6)?;
    let loaded = loaded(vm)?;
    let preload = vm.new_table()?;
    let registry = vm.registry;
    set_rooted(vm, registry, PRELOAD, Val::table(preload))?;
    vm.set_field(package, "loaded", Val::table(loaded))?;
    vm.set_field(package, "preload", Val::table(preload))?;
    let path = if sandbox {
        SANDBOX_PATH.into()
    } else {
        let default = default_path(vm.dialect);
        path_from_env(vm, "LUA_PATH", &default)?
    };
    let cpath = if sandbox {
        Vec::new()
    } else {
        let default = default_cpath(vm.dialect);
        path_from_env(vm, "LUA_CPATH", &default)?
    };
    // In 5.1 the last line has no end.
    let config = match vm.dialect < Dialect::Lua52 {
        true => CONFIG.trim_end().as_bytes(),
        false => CONFIG.as_bytes(),
    };
    for (name, text) in [
        ("path", &path[..]),
        ("cpath", &cpath[..]),
        ("config", config),
    ] {
        let text = vm.new_str(text)?;
        set_rooted(vm, package, name, Val::str(text))?;
    }
    let upvalues = [Val::table(package), Val::table(loaded), Val::table(preload)];
    let searchers: &[&'static NativeDef] = match sandbox {
        true => &[&SEARCH_PRELOAD, &SEARCH_LUA],
        false => &[&SEARCH_PRELOAD, &SEARCH_LUA, &SEARCH_C, &SEARCH_C_ROOT],
    };
    let list = vm.new_table_sized(searchers.len(), 0)?;
    set_rooted(vm, package, searchers_field(vm.dialect), Val::table(list))?;
    if vm.dialect == Dialect::Lua52 {
        // 5.1's name for them.
        vm.set_field(package, "loaders", Val::table(list))?;
    }
    if vm.dialect < Dialect::Lua53 {
        super::versions::module::open(vm, package)?;
    }
    for (i, def) in searchers.iter().enumerate() {
        let searcher = Val::native_closure(vm.new_native_closure(def, &upvalues)?);
        vm.scratch.push(searcher);
        let done = vm.table_set_int(list, i as i64 + 1, searcher);
        vm.scratch.pop();
        done?;
    }
    let require = vm.new_native_closure(&REQUIRE, &upvalues)?;
    let globals = vm.globals;
    set_rooted(vm, globals, "require", Val::native_closure(require))
}

/// A path from the environment, the versioned variable first; `;;` in it stands for the default.
/// As `lua -E` does before the libraries are opened.
pub(crate) fn ignore_environment(vm: &mut Vm) -> Result<(), Thrown> {
    let registry = vm.registry;
    vm.set_field(registry, NO_ENV, Val::TRUE)
}

fn path_from_env(vm: &mut Vm, variable: &str, default: &str) -> Result<Vec<u8>, Thrown> {
    let key = vm.new_str(NO_ENV.as_bytes())?;
    let ignored = vm.registry.get(vm.heap.hash_key, Val::str(key)).tag > tag::FALSE;
    // 5.1 has no variable of its own.
    let versioned = match vm.dialect {
        Dialect::Lua51 => variable.to_owned(),
        dialect => format!("{variable}_{}", dialect.number().replace('.', "_")),
    };
    let set = if ignored {
        None
    } else {
        vm.host
            .env_var(versioned.as_bytes())
            .or_else(|| vm.host.env_var(variable.as_bytes()))
    };
    Ok(set.map_or_else(
        || default.as_bytes().to_vec(),
        |path| match vm.dialect < Dialect::Lua54 {
            true => with_defaults(&path, default),
            false => with_default(&path, default),
        },
    ))
}

/// Puts the default path in the place of the first `;;`.
fn with_default(path: &[u8], default: &str) -> Vec<u8> {
    let Some(at) = memchr::memmem::find(path, b";;") else {
        return path.to_vec();
    };
    let mut out = Vec::with_capacity(path.len() + default.len() + 2);
    if at > 0 {
        out.extend_from_slice(&path[..=at]);
    }
    out.extend_from_slice(default.as_bytes());
    if at + 2 < path.len() {
        out.extend_from_slice(&path[at + 1..]);
    }
    out
}

/// Puts the default path between the separators of every `;;`, as up to 5.3.
fn with_defaults(path: &[u8], default: &str) -> Vec<u8> {
    replace(path, b";;", format!(";{default};").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_separators_stand_for_the_default_path() {
        for (path, expected) in [
            ("x", "x"),
            ("x;;y", "x;D;y"),
            (";;y", "D;y"),
            ("x;;", "x;D"),
            (";;", "D"),
            (";;;;a", "D;;;a"),
            ("", ""),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&with_default(path.as_bytes(), "D")),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn templates_are_filled_in() {
        assert_eq!(replace(b"?/?.lua", b"?", b"a/b"), b"a/b/a/b.lua");
        assert_eq!(replace(b"abc", b"", b"x"), b"abc");
        assert_eq!(replace(b"", b"?", b"x"), b"");
    }
}
