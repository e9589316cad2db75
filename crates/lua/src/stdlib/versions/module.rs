//! `module` and `package.seeall` of 5.1 (and 5.2, which still has them).
//!
//! **Invariant:** `module` changes the environment of the function that calls it, and of nothing else; what it makes global goes where
//! an assignment to a global in that coroutine would go.

use super::environments::open_to_scripts;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Thrown};
use crate::stdlib::package;
use crate::table::{KIND_LAYERED, Table};
use crate::value::Val;
use crate::vm::Vm;

static MODULE: NativeDef = NativeDef::new("module", module, Cost::Bytes);
static SEEALL: NativeDef = NativeDef::new("seeall", seeall, Cost::Constant);

/// Argument slots of `module` while it calls its options, which follow.
mod slot {
    pub const NAME: usize = 0;
    pub const TABLE: usize = 1;
    pub const NEXT: usize = 2;
    pub const OPTIONS: usize = 3;
}

pub(in crate::stdlib) fn open(vm: &mut Vm, package: Gc<Table>) -> Result<(), Thrown> {
    let globals = vm.globals;
    vm.register(globals, &[&MODULE])?;
    vm.register(package, &[&SEEALL])
}

/// `package.seeall(module)`: what the module has not, it takes from the globals.
fn seeall(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    let meta = match ctx.metatable(Val::table(t)) {
        Some(meta) => meta,
        None => {
            let meta = ctx.new_table(0, 1)?;
            ctx.push(Val::table(meta));
            ctx.vm.set_metatable(Val::table(t), Some(meta))?;
            meta
        }
    };
    let globals = Val::table(ctx.vm.environment);
    ctx.set_field(meta, "__index", globals)?;
    ctx.ret0()
}

/// `t[key]`, raw; an environment in layers is one table.
fn get(ctx: &Ctx<'_>, t: Gc<Table>, key: Val) -> Val {
    if t.header.extra & KIND_LAYERED == 0 {
        return ctx.raw_get(t, key);
    }
    ctx.vm
        .own_global(key)
        .unwrap_or_else(|| ctx.raw_get(t.layered_base(), key))
}

fn set(ctx: &mut Ctx<'_>, mut t: Gc<Table>, key: Val, v: Val) -> Result<(), Thrown> {
    if t.header.extra & KIND_LAYERED != 0 {
        t = ctx.vm.layered_target(t);
    }
    ctx.raw_set(t, key, v)
}

/// The table at a dotted name in the globals, made where there is none; `None`: something else is in the way.
fn find_table(ctx: &mut Ctx<'_>, name: &[u8]) -> Result<Option<Gc<Table>>, Thrown> {
    let mut t = ctx.vm.environment;
    let mark = ctx.top();
    ctx.push(Val::NIL);
    ctx.push(Val::NIL);
    for part in name.split(|b| *b == b'.') {
        ctx.charge(1 + part.len() / 16);
        let key = Val::str(ctx.new_str(part)?);
        ctx.set_at(mark, key);
        let v = get(ctx, t, key);
        if let Some(next) = v.as_table() {
            t = next;
        } else if v.is_nil() {
            let made = ctx.new_table(0, 4)?;
            ctx.set_at(mark + 1, Val::table(made));
            set(ctx, t, key, Val::table(made))?;
            t = made;
        } else {
            return Ok(None);
        }
    }
    ctx.set_top(mark);
    Ok(Some(t))
}

/// `module(name [, option ...])`
fn module(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(slot::NAME)?;
    let key = Val::str(name);
    // Two slots in front of the options.
    let options = ctx.nargs() - 1;
    ctx.resize_args(slot::OPTIONS + options)?;
    for i in (0..options).rev() {
        let v = ctx.arg(1 + i);
        ctx.set_arg(slot::OPTIONS + i, v);
    }
    let loaded = package::loaded(ctx.vm)?;
    let t = match ctx.raw_get(loaded, key).as_table() {
        Some(t) => t,
        None => {
            let Some(t) = find_table(ctx, name.as_bytes())? else {
                let mut message = b"name conflict for module '".to_vec();
                message.extend_from_slice(name.as_bytes());
                message.push(b'\'');
                return Err(ctx.error_bytes(&message));
            };
            t
        }
    };
    ctx.set_arg(slot::TABLE, Val::table(t));
    ctx.set_arg(slot::NEXT, Val::int(0));
    ctx.raw_set(loaded, key, Val::table(t))?;
    let known = Val::str(ctx.new_str(b"_NAME")?);
    if ctx.raw_get(t, known).is_nil() {
        describe(ctx, t, name.as_bytes())?;
    }
    let thread = ctx.vm.current_gc();
    let caller = ctx.vm.level(&thread, 1).map(|a| thread.get(a.func));
    let Some(closure) = caller.and_then(|f| open_to_scripts(ctx.vm, f)) else {
        return Err(ctx.error("'module' not called from a Lua function"));
    };
    ctx.vm.set_environment(closure, Val::table(t));
    call_options(ctx)
}

/// `_M`, `_NAME` and `_PACKAGE`.
fn describe(ctx: &mut Ctx<'_>, t: Gc<Table>, name: &[u8]) -> Result<(), Thrown> {
    ctx.set_field(t, "_M", Val::table(t))?;
    let whole = ctx.arg(slot::NAME);
    ctx.set_field(t, "_NAME", whole)?;
    let prefix = name.iter().rposition(|b| *b == b'.').map_or(0, |at| at + 1);
    let prefix = Val::str(ctx.new_str(&name[..prefix])?);
    ctx.set_field(t, "_PACKAGE", prefix)
}

/// Calls the options that are left with the module.
fn call_options(ctx: &mut Ctx<'_>) -> NativeResult {
    loop {
        let next = ctx.arg(slot::NEXT).raw_int();
        let at = slot::OPTIONS + next as usize;
        if at >= ctx.nargs() {
            let t = ctx.arg(slot::TABLE);
            return match ctx.vm.dialect < Dialect::Lua52 {
                true => ctx.ret0(),
                false => ctx.ret(t),
            };
        }
        ctx.set_arg(slot::NEXT, Val::int(next + 1));
        let option = ctx.arg(at);
        // What is no function is passed over, as in the reference.
        if option.is_function() {
            let t = ctx.arg(slot::TABLE);
            ctx.push(option);
            ctx.push(t);
            return ctx.call(1, option_ran);
        }
    }
}

fn option_ran(ctx: &mut Ctx<'_>) -> NativeResult {
    let results = ctx.results();
    ctx.set_top(results);
    call_options(ctx)
}
