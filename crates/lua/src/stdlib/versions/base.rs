//! Basic functions of 5.1 and 5.2: `loadstring`, `unpack`, `module`, and of 5.1 alone: `gcinfo`, `newproxy`; `ipairs` and
//! errors of finalizers as they were up to 5.3.
//!
//! **Invariant:** a proxy is a userdata without data: it can carry a metatable and nothing else, so `newproxy` gives a
//! script nothing that a table would not.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::stdlib::access::{self, Access};
use crate::stdlib::{base, load, table};
use crate::value::Val;
use crate::vm::{Event, Vm};

static GCINFO: NativeDef = NativeDef::new("gcinfo", gcinfo, Cost::Constant);
static LOADSTRING: NativeDef = NativeDef::new("loadstring", load::load, Cost::Bytes);
static NEWPROXY: NativeDef = NativeDef::new("newproxy", newproxy, Cost::Constant);

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let globals = vm.globals;
    vm.register(globals, &[&table::UNPACK])?;
    if vm.dialect >= Dialect::Lua52 {
        // It is `load` under its old name.
        vm.set_field(globals, LOADSTRING.name, Val::native(&load::LOAD))?;
    } else {
        vm.register(globals, &[&GCINFO, &LOADSTRING])?;
        // The proxies whose metatables others may share; the keys are weak.
        let known = vm.new_table()?;
        vm.scratch.push(Val::table(known));
        let made = vm.new_native_closure(&NEWPROXY, &[Val::table(known)]);
        vm.scratch.pop();
        let newproxy = Val::native_closure(made?);
        vm.scratch.push(newproxy);
        let done = vm
            .set_field(globals, NEWPROXY.name, newproxy)
            .and_then(|()| {
                let mode = Val::str(vm.new_str(b"k")?);
                vm.scratch.push(mode);
                let done = vm.set_field(known, "__mode", mode);
                vm.scratch.pop();
                vm.set_metatable(Val::table(known), Some(known))?;
                done
            });
        vm.scratch.pop();
        done?;
    }
    Ok(())
}

/// `assert(v [, message])`: a nil message is none. 5.2 takes strings only; PUC-Rio's 5.1 too, LuaJIT anything.
pub(in crate::stdlib) fn assert(ctx: &mut Ctx<'_>) -> NativeResult {
    let first = ctx.vm.dialect < Dialect::Lua52;
    if first {
        ctx.check_any(0)?;
    }
    if ctx.arg(0).truthy() {
        return ctx.ret_from(ctx.base);
    }
    if ctx.is_none_or_nil(1) {
        return Err(ctx.error("assertion failed!"));
    }
    let message = ctx.arg(1);
    if first && ctx.to_str(message)?.is_none() {
        return Err(ctx.throw(message));
    }
    let message = ctx.check_str(1)?;
    ctx.charge(message.len() / 16);
    Err(ctx.error_bytes(message.as_bytes()))
}

/// The size of the heap in KiB.
fn gcinfo(ctx: &mut Ctx<'_>) -> NativeResult {
    let kib = ctx.vm.heap.used >> 10;
    ctx.ret(Val::int(kib as i64))
}

/// `newproxy([false | true | proxy])`: an empty userdata without a metatable, with a new one, or with that of a proxy.
fn newproxy(ctx: &mut Ctx<'_>) -> NativeResult {
    let like = ctx.arg(0);
    let proxy = ctx.vm.new_userdata(Box::new(()))?;
    ctx.push(Val::userdata(proxy));
    if !like.truthy() {
        return ctx.ret(Val::userdata(proxy));
    }
    let Some(known) = ctx.upvalue(0).as_table() else {
        unreachable!("`open` captures the table")
    };
    let meta = if like.as_bool() == Some(true) {
        ctx.new_table(0, 0)?
    } else {
        let meta = ctx.metatable(like).filter(|_| like.as_userdata().is_some());
        match meta.filter(|meta| ctx.raw_get(known, Val::table(*meta)).truthy()) {
            Some(meta) => meta,
            None => return Err(ctx.arg_error(0, "boolean or proxy expected")),
        }
    };
    ctx.push(Val::table(meta));
    ctx.raw_set(known, Val::table(meta), Val::TRUE)?;
    ctx.vm.set_metatable(Val::userdata(proxy), Some(meta))?;
    if ctx.vm.meta_field(meta, Event::Gc).is_nil() {
        // `__gc` is put into the metatable later, for that is where a proxy's metatable comes from.
        ctx.vm.register_finalizer(Val::userdata(proxy));
    }
    ctx.ret(Val::userdata(proxy))
}

/// Up to 5.3, an error in a finalizer goes to whoever made the collector run.
pub(in crate::stdlib) fn finalizer_error(ctx: &mut Ctx<'_>, error: Val) -> Thrown {
    if ctx.vm.dialect == Dialect::Lua51 {
        return ctx.throw(error);
    }
    let text = error.as_str().map_or(&b"no message"[..], |s| s.as_bytes());
    let message = [b"error in __gc metamethod (", text, b")"].concat();
    ctx.charge(message.len() / 16);
    ctx.vm.throw_bytes(&message)
}

// ---- ipairs ----

/// `ipairs` up to 5.3: of a table, from 5.2 on of what has `__ipairs`, in 5.3 of anything. The arguments of the loop, or the
/// call that gives them.
pub(in crate::stdlib) fn ipairs(ctx: &mut Ctx<'_>, step: &'static NativeDef) -> NativeResult {
    let v = match ctx.vm.dialect {
        Dialect::Lua53 => ctx.check_any(0)?,
        _ => ctx
            .check_any(0)
            .or_else(|_| ctx.check_table(0).map(Val::table))?,
    };
    if ctx.vm.dialect >= Dialect::Lua52 {
        let handler = ctx.metamethod(v, "__ipairs")?;
        if !handler.is_nil() {
            return base::call_for_three(ctx, handler, v);
        }
    }
    if ctx.vm.dialect < Dialect::Lua53 {
        ctx.check_table(0)?;
    }
    base::ret3(ctx, [Val::native(step), v, Val::int(0)])
}

/// One step: `table[i + 1]`, whatever metamethods the table has.
pub(in crate::stdlib) fn ipairs_step(ctx: &mut Ctx<'_>) -> NativeResult {
    let i = ctx.check_int(1)?.wrapping_add(1);
    let t = ctx.check_table(0)?;
    let v = match t.is_ordinary() {
        true => t.get_int(i),
        // An environment in layers is one table to those that work raw.
        false => match access::index(ctx, Val::table(t), Val::int(i))? {
            Access::Now(v) => v,
            Access::Call(_) => Val::NIL,
        },
    };
    if v.is_nil() {
        return ctx.ret(v);
    }
    ctx.ret2(Val::int(i), v)
}
