//! The standard library: natives by table, and what opens them in a VM.

pub(crate) mod access;
pub(crate) mod base;
pub(crate) mod coroutine;
pub mod date;
pub(crate) mod debug;
pub(crate) mod gc;
pub(crate) mod io;
pub(crate) mod load;
mod math;
pub(crate) mod os;
pub(crate) mod package;
pub(crate) mod protected;
mod random;
mod sort;
pub mod string;
pub(crate) mod table;
pub(crate) mod utf8;
pub(crate) mod versions;

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Action, Ctx, NativeResult, Status, Thrown};
use crate::table::{KIND_FROZEN, Table};
use crate::value::Val;
use crate::vm::{Vm, entry};

/// `next`: the loop recognises it in generic `for`.
pub(crate) static NEXT: NativeDef = NativeDef {
    name: "next",
    run: base::next,
    cost: Cost::Slots,
    quick: Some(base::quick_next),
    switch: None,
};

pub(crate) use base::IPAIRS_STEP;

/// Calls a finalizer in protected mode: (method, object). An error in it is a warning.
pub(crate) static RUN_FINALIZER: NativeDef = NativeDef::new("__gc", run_finalizer, Cost::Constant);

fn run_finalizer(ctx: &mut Ctx<'_>) -> NativeResult {
    let (method, object) = (ctx.arg(0), ctx.arg(1));
    if !method.is_function() {
        return ctx.ret0();
    }
    ctx.push(method);
    ctx.push(object);
    ctx.call_protected(1, false, finalizer_done)
}

fn finalizer_done(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.status() == Status::Error {
        let error = ctx.result(0);
        if ctx.vm.dialect < crate::dialect::Dialect::Lua54 {
            return Err(versions::base::finalizer_error(ctx, error));
        }
        let text = match error.as_str() {
            Some(s) => s.as_bytes().to_vec(),
            None => b"error object is not a string".to_vec(),
        };
        ctx.vm
            .warn(&[b"error in __gc (", &*text, b")"].concat(), false);
    }
    Ok(Action::Return(0))
}

/// Whether the reference can yield while this native waits for a call: those that it wrote with continuations, from 5.2 on.
pub(crate) fn lets_yield(def: &'static NativeDef, dialect: Dialect) -> bool {
    let switches = [&coroutine::YIELD, &entry::HOST_ENTRY];
    let continued = [&base::PCALL, &base::XPCALL, &base::PAIRS, &load::DOFILE];
    let natives: &[&NativeDef] = match dialect {
        Dialect::Lua51 => &[],
        _ => &continued,
    };
    def.cost == Cost::Host || (switches.iter().chain(natives)).any(|n| std::ptr::eq(*n, def))
}

/// Opens all libraries. In a sandbox, what reaches the host or could forge code is left out.
pub(crate) fn open_all(vm: &mut Vm, sandbox: bool) -> Result<(), Thrown> {
    vm.sandbox |= sandbox;
    let globals = vm.globals;
    vm.table_resize(globals, 0, GLOBALS)?;
    package::make_loaded(vm)?;
    base::open(vm, sandbox)?;
    package::open(vm, sandbox)?;
    coroutine::open(vm)?;
    math::open(vm)?;
    debug::open(vm, !sandbox)?;
    io::open(vm, !sandbox)?;
    os::open(vm, !sandbox)?;
    string::open(vm, !sandbox)?;
    table::open(vm)?;
    if vm.dialect.has_integers() {
        utf8::open(vm)?;
    }
    let loaded = package::loaded(vm)?;
    for name in ["_G", "debug", "io", "os", "string", "table", "utf8"] {
        let key = vm.new_str(name.as_bytes())?;
        let library = globals.get(vm.heap.hash_key, Val::str(key));
        vm.set_field(loaded, name, library)?;
    }
    versions::open_libraries(vm)?;
    if sandbox {
        freeze(vm)?;
    }
    Ok(())
}

/// Makes read-only what all coroutines of a sandboxed VM share and none of them owns: one request must not give the next
/// another `string.format`. The globals and `package` stay the script's own.
fn freeze(vm: &mut Vm) -> Result<(), Thrown> {
    let loaded = package::loaded(vm)?;
    for name in SHARED_LIBRARIES {
        let key = vm.new_str(name.as_bytes())?;
        if let Some(mut library) = loaded.get(vm.heap.hash_key, Val::str(key)).as_table() {
            library.header.extra |= KIND_FROZEN;
        }
    }
    for meta in vm.metatables {
        if let Some(mut meta) = Gc::from_nullable(meta) {
            meta.header.extra |= KIND_FROZEN;
        }
    }
    io::freeze(vm)
}

/// The libraries that are read-only in a sandbox, as far as a version has them.
const SHARED_LIBRARIES: [&str; 10] = [
    "bit",
    "bit32",
    "coroutine",
    "debug",
    "io",
    "math",
    "os",
    "string",
    "table",
    "utf8",
];

/// Globals that there is room for without growing: ours, and some of the script's.
const GLOBALS: usize = 64;

/// Makes a library's table, global and loaded, with its natives and room for `more` fields.
fn open_library(
    vm: &mut Vm,
    name: &str,
    natives: &[&'static NativeDef],
    more: usize,
) -> Result<Gc<Table>, Thrown> {
    let library = vm.new_table_sized(0, natives.len() + more)?;
    vm.scratch.push(Val::table(library));
    let globals = vm.globals;
    let done = vm.set_field(globals, name, Val::table(library));
    vm.scratch.pop();
    done?;
    let loaded = package::loaded(vm)?;
    vm.set_field(loaded, name, Val::table(library))?;
    vm.register(library, natives)?;
    Ok(library)
}

#[cfg(test)]
mod tests;
