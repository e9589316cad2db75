//! What the libraries of other versions than 5.4 have, lack, and do in another way.
//!
//! | file | what | in |
//! |---|---|---|
//! | [`mod@base`] | `gcinfo`, `loadstring`, `newproxy`, `unpack`, iteration that is raw, `__ipairs` | 5.1 to 5.3 |
//! | [`environments`] | `getfenv`, `setfenv`, and those of `debug` | 5.1 |
//! | [`module`] | `module`, `package.seeall` | 5.1, 5.2 |
//! | [`print`] | `print` by the global `tostring` | 5.1 to 5.3 |
//! | [`numbers`] | `tonumber` with a base, `math` as it was without integers, older random numbers | 5.1 to 5.3 |
//! | [`tables`] | `table.getn` and its time, `table.new`, `table.clear`; `table.create` | 5.1, 5.2; 5.5 |
//! | [`bit32`] | the library of that name | 5.2, 5.3 |
//! | [`bit`], [`jit`], [`ffi`], [`buffer`] | what scripts written for LuaJIT look for | 5.1 |
//!
//! **Invariant:** nothing here is opened in a VM of a version that does not have it. Where a function that all versions have
//! differs by a line or two, it asks [`Dialect`] itself; where it differs by more, it calls what is here.

pub(super) mod base;
pub(super) mod bit;
pub(super) mod bit32;
pub(super) mod buffer;
pub(crate) mod environments;
pub(super) mod ffi;
pub(super) mod jit;
pub(super) mod module;
pub(super) mod numbers;
pub(super) mod print;
pub(super) mod tables;

use crate::dialect::Dialect;
use crate::native::Thrown;
use crate::value::Val;
use crate::vm::Vm;

/// The basic functions that 5.1 and 5.2 have besides those of all versions.
pub(super) fn open_base(vm: &mut Vm) -> Result<(), Thrown> {
    base::open(vm)?;
    if vm.dialect == Dialect::Lua51 {
        environments::open(vm)?;
    }
    Ok(())
}

/// The libraries that only some versions have, and the functions of libraries that all have. The latter are opened as in
/// 5.4 first.
pub(super) fn open_libraries(vm: &mut Vm) -> Result<(), Thrown> {
    for (library, name, there) in REMOVED {
        if !there(vm.dialect) {
            set(vm, library, name, Val::NIL)?;
        }
    }
    if vm.dialect >= Dialect::Lua55 {
        set(
            vm,
            "table",
            tables::CREATE.name,
            Val::native(&tables::CREATE),
        )?;
    }
    match vm.dialect {
        Dialect::Lua51 => {
            bit::open(vm)?;
            jit::open(vm)?;
            tables::open_preloaded(vm)?;
            buffer::open(vm)?;
            ffi::open(vm)
        }
        Dialect::Lua52 | Dialect::Lua53 => bit32::open(vm),
        _ => Ok(()),
    }
}

/// Whether a version has something.
type Has = fn(Dialect) -> bool;

/// Functions of 5.4 that other versions lack: the library (empty: the globals), the name, and who has it.
const REMOVED: [(&str, &str, Has); 3] = [
    ("", "warn", |dialect| dialect >= Dialect::Lua54),
    ("coroutine", "close", |dialect| dialect >= Dialect::Lua54),
    ("debug", "setcstacklimit", |dialect| {
        dialect == Dialect::Lua54
    }),
];

/// Sets a library's field.
fn set(vm: &mut Vm, library: &str, name: &str, value: Val) -> Result<(), Thrown> {
    let library = match library {
        "" => Some(vm.globals),
        library => {
            let key = vm.new_str(library.as_bytes())?;
            let library = vm.globals.get(vm.heap.hash_key, Val::str(key));
            library.as_table()
        }
    };
    match library {
        Some(library) => vm.set_field(library, name, value),
        None => Ok(()),
    }
}
