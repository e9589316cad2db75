//! The `string` library.
//!
//! | file | what |
//! |---|---|
//! | `basic` | `byte char dump len lower rep reverse sub upper` |
//! | `find`, `gsub`, `quick_gsub`, `search` | the functions that take patterns, over [`pattern`] |
//! | `formatting`, `quick_format` | `format`, over [`format`](mod@format) |
//! | `packing` | `pack packsize unpack`, over [`pack`] |
//! | `long_needle` | `find` for a long text |
//! | `joining` | what the instruction `..` calls for long texts |
//! | `arithmetic` | the string metatable's arithmetic |
//!
//! [`pattern`], [`format`](mod@format) and [`pack`] know nothing of the VM: they work on bytes.

mod arithmetic;
mod basic;
mod find;
pub mod format;
mod formatting;
mod gsub;
mod joining;
mod long_needle;
pub mod pack;
mod packing;
pub mod pattern;
mod quick_format;
mod quick_gsub;
mod search;
#[cfg(test)]
pub(super) mod tests;

use crate::dialect::Dialect;
use crate::native::Thrown;
use crate::value::{Type, Val};
use crate::vm::Vm;

pub(super) use formatting::FORMAT;

/// Makes the `string` table and the metatable of strings. `dump` is for VMs that may see bytecode.
pub(crate) fn open(vm: &mut Vm, dump: bool) -> Result<(), Thrown> {
    let library = vm.new_table()?;
    vm.scratch.push(Val::table(library));
    let done = fill(vm, dump);
    vm.scratch.pop();
    done
}

fn fill(vm: &mut Vm, dump: bool) -> Result<(), Thrown> {
    let Some(library) = vm.scratch.last().and_then(|v| v.as_table()) else {
        return Ok(());
    };
    vm.register(
        library,
        &[
            &basic::BYTE,
            &basic::CHAR,
            &find::FIND,
            &formatting::FORMAT,
            &find::GMATCH,
            &gsub::GSUB,
            &basic::LEN,
            &basic::LOWER,
            &find::MATCH,
            &basic::REP,
            &basic::REVERSE,
            &basic::SUB,
            &basic::UPPER,
        ],
    )?;
    if vm.dialect >= Dialect::Lua53 {
        let natives = [&packing::PACK, &packing::PACKSIZE, &packing::UNPACK];
        vm.register(library, &natives)?;
    }
    if vm.dialect < Dialect::Lua52 {
        vm.set_field(library, "gfind", Val::native(&find::GMATCH))?;
    }
    if dump {
        vm.register(library, &[&basic::DUMP])?;
    }
    let globals = vm.globals;
    vm.set_field(globals, "string", Val::table(library))?;
    let meta = vm.new_table()?;
    // From here on the metatable is a root.
    vm.metatables[Type::String as usize] = meta.as_ptr();
    vm.set_field(meta, "__index", Val::table(library))?;
    if vm.dialect >= Dialect::Lua54 {
        for method in &arithmetic::METAMETHODS {
            vm.register(meta, &[method])?;
        }
    }
    Ok(())
}
