//! What the libraries of 5.3 and 5.5 have and lack, compared with those of 5.4.
//!
//! **Invariant:** every library is opened as in 5.4 first; [`adapt`] then adds and takes away whole functions. What a function
//! does differently from one version to the next is in the function.

use super::before54;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;

/// Functions by library (empty: globals) that there are in some versions only.
struct Change {
    library: &'static str,
    name: &'static str,
    /// Whether a version has it.
    there: fn(Dialect) -> bool,
    /// How to make it where opening the library has not.
    add: Option<&'static NativeDef>,
}

const CHANGES: [Change; 7] = [
    Change {
        library: "",
        name: "warn",
        there: |dialect| dialect >= Dialect::Lua54,
        add: None,
    },
    Change {
        library: "coroutine",
        name: "close",
        there: |dialect| dialect >= Dialect::Lua54,
        add: None,
    },
    Change {
        library: "debug",
        name: "setcstacklimit",
        there: |dialect| dialect == Dialect::Lua54,
        add: None,
    },
    Change {
        library: "",
        name: "ipairs",
        there: |dialect| dialect == Dialect::Lua53,
        add: Some(&before54::IPAIRS),
    },
    Change {
        library: "math",
        name: "random",
        there: |dialect| dialect == Dialect::Lua53,
        add: Some(&before54::RANDOM),
    },
    Change {
        library: "math",
        name: "randomseed",
        there: |dialect| dialect == Dialect::Lua53,
        add: Some(&before54::RANDOMSEED),
    },
    Change {
        library: "table",
        name: "create",
        there: |dialect| dialect >= Dialect::Lua55,
        add: Some(&TABLE_CREATE),
    },
];

/// Makes the libraries of a fresh VM those of its version.
pub(super) fn adapt(vm: &mut Vm) -> Result<(), Thrown> {
    for change in &CHANGES {
        let library = match change.library {
            "" => Some(vm.globals),
            name => {
                let key = vm.new_str(name.as_bytes())?;
                let library = vm.globals.get(vm.heap.hash_key, Val::str(key));
                library.as_table()
            }
        };
        let Some(library) = library else { continue };
        let value = match ((change.there)(vm.dialect), change.add) {
            (true, None) => continue,
            (true, Some(def)) => Val::native(def),
            (false, Some(_)) => continue,
            (false, None) => Val::NIL,
        };
        vm.set_field(library, change.name, value)?;
    }
    Ok(())
}

static TABLE_CREATE: NativeDef = NativeDef {
    name: "create",
    run: table_create,
    cost: Cost::Slots,
};

/// `table.create(slots [, other])`: an empty table with room.
fn table_create(ctx: &mut Ctx<'_>) -> NativeResult {
    let given = [ctx.check_int(0)?, ctx.opt_int(1, 0)?];
    let mut room = [0; 2];
    for (i, room) in room.iter_mut().enumerate() {
        *room = match i32::try_from(given[i]) {
            Ok(slots @ 0..) => slots as usize,
            _ => return Err(ctx.arg_error(i, "out of range")),
        };
    }
    ctx.charge(room[0] / 16 + room[1] / 4);
    let table = ctx.new_table(room[0], room[1])?;
    ctx.ret(Val::table(table))
}

/// Up to 5.3, an error in a finalizer goes to whoever made the collector run.
pub(super) fn finalizer_error(ctx: &mut Ctx<'_>, error: Val) -> Thrown {
    if ctx.vm.dialect == Dialect::Lua51 {
        return ctx.throw(error);
    }
    let text = error.as_str().map_or(&b"no message"[..], |s| s.as_bytes());
    let message = [b"error in __gc metamethod (", text, b")"].concat();
    ctx.charge(message.len() / 16);
    ctx.vm.throw_bytes(&message)
}
