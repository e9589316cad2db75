//! What only older versions of the language have.
//!
//! | file | what | in |
//! |---|---|---|
//! | [`mod@base`] | `gcinfo`, `loadstring`, `newproxy`, `unpack`, iteration that is raw | 5.1, 5.2 |
//! | [`environments`] | `getfenv`, `setfenv`, and those of `debug` | 5.1 |
//! | [`module`] | `module`, `package.seeall` | 5.1, 5.2 |
//! | [`print`] | `print` by the global `tostring` | 5.1 to 5.3 |
//! | [`numbers`] | `tonumber` with a base, `math` as it was without integers | 5.1, 5.2 |
//! | [`tables`] | `table.getn` and its time, `table.new`, `table.clear` | 5.1, 5.2 |
//! | [`bit32`] | the library of that name | 5.2, 5.3 |
//! | [`bit`], [`jit`], [`ffi`], [`buffer`] | what scripts written for LuaJIT look for | 5.1 |
//!
//! **Invariant:** nothing here is opened in a VM of a version that does not have it; the functions that all versions have
//! ask [`Dialect`](crate::dialect::Dialect) where they differ, and call what is here in the branches of old versions.

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
use crate::vm::Vm;

/// The basic functions that 5.1 and 5.2 have besides those of all versions.
pub(super) fn open_base(vm: &mut Vm) -> Result<(), Thrown> {
    base::open(vm)?;
    if vm.dialect == Dialect::Lua51 {
        environments::open(vm)?;
    }
    Ok(())
}

/// The libraries that only old versions have.
pub(super) fn open_libraries(vm: &mut Vm) -> Result<(), Thrown> {
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
