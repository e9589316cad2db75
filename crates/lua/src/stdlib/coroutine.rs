//! The coroutine library. The switches themselves are the core's (`vm::call`); here is who may switch, and what a
//! script is told.
//!
//! **Invariant:** only coroutines that are fresh or suspended are resumed or closed, so the chain of resumers has no
//! cycle.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef, Switch};
use crate::heap::Gc;
use crate::native::{Action, Ctx, NativeResult, Status, Thrown};
use crate::thread::{Thread, ThreadState};
use crate::value::Val;
use crate::vm::Vm;

static CREATE: NativeDef = NativeDef::new("create", create, Cost::Constant);
static RESUME: NativeDef = NativeDef {
    name: "resume",
    run: resume,
    cost: Cost::Slots,
    quick: None,
    switch: Some(Switch::Resume),
};
pub(super) static YIELD: NativeDef = NativeDef {
    name: "yield",
    run: yield_,
    cost: Cost::Slots,
    quick: None,
    switch: Some(Switch::Yield),
};
static WRAP: NativeDef = NativeDef::new("wrap", wrap, Cost::Constant);
static WRAPPED: NativeDef = NativeDef {
    name: "wrap",
    run: wrapped,
    cost: Cost::Slots,
    quick: None,
    switch: Some(Switch::Wrapped),
};
static STATUS: NativeDef = NativeDef::new("status", status, Cost::Constant);
static ISYIELDABLE: NativeDef = NativeDef::new("isyieldable", isyieldable, Cost::Constant);
static RUNNING: NativeDef = NativeDef::new("running", running, Cost::Constant);
static CLOSE: NativeDef = NativeDef::new("close", close, Cost::Slots);

fn check_thread(ctx: &mut Ctx<'_>, i: usize) -> Result<Gc<Thread>, Thrown> {
    match ctx.arg(i).as_thread() {
        Some(co) => Ok(co),
        None if ctx.vm.dialect < Dialect::Lua53 => Err(ctx.arg_error(i, "coroutine expected")),
        None if ctx.vm.dialect < Dialect::Lua54 => Err(ctx.arg_error(i, "thread expected")),
        None => Err(ctx.type_error(i, "thread")),
    }
}

/// A coroutine over the function in argument 0, with the globals of the one that makes it.
fn new_coroutine(ctx: &mut Ctx<'_>) -> Result<Gc<Thread>, Thrown> {
    if ctx.vm.dialect < Dialect::Lua52 && !ctx.arg(0).is_function() {
        return Err(ctx.arg_error(0, "Lua function expected"));
    }
    let f = ctx.check_function(0)?;
    let mut co = ctx.vm.new_thread()?;
    if ctx.vm.dialect < Dialect::Lua52 {
        super::versions::environments::inherit(ctx.vm, co)?;
    }
    let creator = ctx.vm.thread();
    co.globals = creator.globals;
    co.shared_writes = creator.shared_writes;
    co.set(1, f);
    co.top = 2;
    Ok(co)
}

fn create(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = new_coroutine(ctx)?;
    ctx.ret(Val::thread(co))
}

fn wrap(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = new_coroutine(ctx)?;
    ctx.push(Val::thread(co));
    let resumer = ctx.vm.new_native_closure(&WRAPPED, &[Val::thread(co)])?;
    ctx.ret(Val::native_closure(resumer))
}

/// Why a coroutine cannot be resumed; `None` if it can.
#[inline]
fn refusal(ctx: &Ctx<'_>, co: Gc<Thread>) -> Option<&'static str> {
    match co.state {
        ThreadState::Fresh | ThreadState::Suspended => None,
        ThreadState::Active if ctx.vm.dialect < Dialect::Lua52 => {
            Some(match co.as_ptr() == ctx.vm.current {
                true => "cannot resume running coroutine",
                false => "cannot resume normal coroutine",
            })
        }
        ThreadState::Active => Some("cannot resume non-suspended coroutine"),
        ThreadState::Done | ThreadState::Failed => Some("cannot resume dead coroutine"),
    }
}

fn resume(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = check_thread(ctx, 0)?;
    if let Some(message) = refusal(ctx, co) {
        ctx.push(Val::FALSE);
        ctx.push_str(message.as_bytes())?;
        return Ok(Action::Return(2));
    }
    // The coroutine and the values for it are where the core wants them.
    ctx.resume(ctx.nargs() - 1, true, resume_done)
}

/// The results came to the slots behind the coroutine, which makes way for the status.
pub(crate) fn resume_done(ctx: &mut Ctx<'_>) -> NativeResult {
    let below = ctx.results() - 1;
    ctx.set_at(below, Val::bool(ctx.status() == Status::Ok));
    ctx.ret_from(below)
}

fn wrapped(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.upvalue(0);
    let Some(co) = v.as_thread() else {
        unreachable!("`wrap` captures a coroutine")
    };
    let n = ctx.nargs();
    if let Some(message) = refusal(ctx, co) {
        return Err(ctx.error(message));
    }
    // The coroutine goes below the values for it.
    ctx.push(Val::NIL);
    for i in (ctx.base..ctx.base + n).rev() {
        let v = ctx.at(i);
        ctx.set_at(i + 1, v);
    }
    ctx.set_at(ctx.base, v);
    ctx.resume(n, false, wrapped_done)
}

pub(crate) fn wrapped_done(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.status() == Status::Ok {
        return ctx.ret_from(ctx.results());
    }
    let v = ctx.upvalue(0);
    if v.as_thread()
        .is_some_and(|co| co.state == ThreadState::Failed)
    {
        // Its pending variables are closed before the error goes on.
        ctx.push(v);
        return ctx.close_thread(rethrow);
    }
    rethrow(ctx)
}

/// Throws the result; a message gets the position of whoever called the wrapped function in front.
fn rethrow(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut error = ctx.result(0);
    if ctx.vm.dialect < Dialect::Lua53 && error.is_number() {
        // A number is text enough for a position in front.
        error = Val::str(ctx.vm.number_to_str(error)?);
        ctx.push(error);
    }
    match error.as_str() {
        Some(message) if message != ctx.vm.memory_message => {
            Err(ctx.error_bytes(message.as_bytes()))
        }
        _ => Err(ctx.throw(error)),
    }
}

fn yield_(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.yield_and_return(ctx.nargs())
}

fn status_name(ctx: &Ctx<'_>, co: Gc<Thread>) -> &'static str {
    match co.state {
        ThreadState::Fresh | ThreadState::Suspended => "suspended",
        ThreadState::Active if co.as_ptr() == ctx.vm.current => "running",
        ThreadState::Active => "normal",
        ThreadState::Done | ThreadState::Failed => "dead",
    }
}

fn status(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = check_thread(ctx, 0)?;
    let name = status_name(ctx, co);
    ctx.ret_str(name.as_bytes())
}

fn isyieldable(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = if ctx.is_none(0) {
        ctx.vm.current_gc()
    } else {
        check_thread(ctx, 0)?
    };
    let yieldable = match co.as_ptr() == ctx.vm.current {
        true => ctx.vm.is_yieldable(),
        false => !ctx.vm.is_main(co),
    };
    ctx.ret(Val::bool(yieldable))
}

fn running(ctx: &mut Ctx<'_>) -> NativeResult {
    let co = ctx.vm.current_gc();
    let is_main = ctx.vm.is_main(co);
    if ctx.vm.dialect < Dialect::Lua52 {
        return ctx.ret(if is_main { Val::NIL } else { Val::thread(co) });
    }
    ctx.ret2(Val::thread(co), Val::bool(is_main))
}

/// From 5.5 on, the argument may be missing: the running coroutine.
fn optional_thread(ctx: &mut Ctx<'_>) -> Result<Gc<Thread>, Thrown> {
    match ctx.is_none(0) && ctx.vm.dialect >= Dialect::Lua55 {
        true => Ok(ctx.vm.current_gc()),
        false => check_thread(ctx, 0),
    }
}

fn close(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut co = optional_thread(ctx)?;
    match co.state {
        ThreadState::Active
            if co.as_ptr() == ctx.vm.current && ctx.vm.dialect >= Dialect::Lua55 =>
        {
            if ctx.vm.is_main(co) {
                return Err(ctx.error("cannot close main thread"));
            }
            if !ctx.vm.can_close_itself() {
                return Err(ctx.error("cannot close a running coroutine"));
            }
            ctx.push(Val::thread(co));
            ctx.close_thread(close_done)
        }
        ThreadState::Active => {
            let name = status_name(ctx, co);
            Err(ctx.error(&format!("cannot close a {name} coroutine")))
        }
        ThreadState::Fresh => {
            co.state = ThreadState::Done;
            co.top = 1;
            ctx.ret(Val::TRUE)
        }
        ThreadState::Done => ctx.ret(Val::TRUE),
        ThreadState::Suspended | ThreadState::Failed => {
            ctx.push(Val::thread(co));
            ctx.close_thread(close_done)
        }
    }
}

fn close_done(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.nresults() == 0 && ctx.status() == Status::Ok {
        return ctx.ret(Val::TRUE);
    }
    let error = ctx.result(0);
    ctx.ret2(Val::FALSE, error)
}

pub(crate) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let library = super::open_library(
        vm,
        "coroutine",
        &[&CREATE, &RESUME, &RUNNING, &STATUS, &WRAP, &YIELD],
        2,
    )?;
    // LuaJIT has it too.
    if vm.dialect != Dialect::Lua52 {
        vm.register(library, &[&ISYIELDABLE])?;
    }
    match vm.dialect.has_attributes() {
        true => vm.register(library, &[&CLOSE]),
        false => Ok(()),
    }
}
