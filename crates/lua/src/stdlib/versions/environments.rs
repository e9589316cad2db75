//! Environments of functions and coroutines, as 5.1 has them: `getfenv`, `setfenv`.
//!
//! A function's environment is its hidden first captured variable. A coroutine's, which chunks loaded in it get, is kept
//! in a registry table with weak keys, made when the first script changes one; without it, it is the VM's.
//!
//! **Invariant:** where scripts are not trusted, the host's own Lua code ([`HOST_CHUNK`]) has no environment that a
//! script could see or change: it counts as native. A coroutine changes its own environment only.

use crate::compiler::HOST_CHUNK;
use crate::function::{Cost, LuaClosure, NativeDef};
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Thrown};
use crate::table::Table;
use crate::thread::Thread;
use crate::value::Val;
use crate::vm::Vm;

/// Registry key of the coroutines' environments.
const ENVIRONMENTS: &[u8] = b"_ENVIRONMENTS";

static GETFENV: NativeDef = NativeDef::new("getfenv", getfenv, Cost::Constant);
static SETFENV: NativeDef = NativeDef::new("setfenv", setfenv, Cost::Constant);
/// Of the debug library, for VMs with full access.
pub(in crate::stdlib) static DEBUG_GETFENV: NativeDef =
    NativeDef::new("getfenv", debug_getfenv, Cost::Constant);
pub(in crate::stdlib) static DEBUG_SETFENV: NativeDef =
    NativeDef::new("setfenv", debug_setfenv, Cost::Constant);

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let globals = vm.globals;
    vm.register(globals, &[&GETFENV, &SETFENV])
}

/// A Lua function that scripts may look into.
pub(super) fn open_to_scripts(vm: &Vm, f: Val) -> Option<Gc<LuaClosure>> {
    let closure = f.as_lua_closure()?;
    let host = *closure.proto().function.source == *HOST_CHUNK.as_bytes();
    (!host || vm.host.full_access()).then_some(closure)
}

/// A function's environment: that of the running coroutine for natives.
fn environment_of(vm: &mut Vm, f: Val) -> Result<Val, Thrown> {
    match open_to_scripts(vm, f) {
        Some(closure) => Ok(vm.environment_of(closure)),
        None => {
            let thread = vm.current_gc();
            environment_of_thread(vm, thread)
        }
    }
}

/// The table of coroutines' environments, if there is one.
fn environments(vm: &Vm) -> Option<Gc<Table>> {
    let hash = crate::string::hash_bytes(vm.heap.hash_key, ENVIRONMENTS);
    let key = vm.heap.strings.find(hash, ENVIRONMENTS)?;
    vm.registry.get_interned(key).as_table()
}

/// The environment that chunks loaded in a coroutine get.
pub(crate) fn environment_of_thread(vm: &mut Vm, thread: Gc<Thread>) -> Result<Val, Thrown> {
    let own = environments(vm).map(|t| t.get(vm.heap.hash_key, Val::thread(thread)));
    Ok(match own {
        Some(own) if !own.is_nil() => own,
        _ => Val::table(vm.environment),
    })
}

/// A new coroutine begins with the environment of its maker.
pub(in crate::stdlib) fn inherit(vm: &mut Vm, made: Gc<Thread>) -> Result<(), Thrown> {
    let Some(all) = environments(vm) else {
        return Ok(());
    };
    let own = all.get(vm.heap.hash_key, Val::thread(vm.current_gc()));
    if own.is_nil() {
        return Ok(());
    }
    vm.scratch.push(Val::thread(made));
    let done = vm.table_set(all, Val::thread(made), own);
    vm.scratch.pop();
    done
}

/// Gives a coroutine that is to be used anew the environment that all begin with.
pub(crate) fn forget(vm: &mut Vm, thread: Gc<Thread>) -> Result<(), Thrown> {
    match environments(vm) {
        Some(all) => vm.table_set(all, Val::thread(thread), Val::NIL),
        None => Ok(()),
    }
}

/// Changes a coroutine's environment. Both must be reachable.
fn set_thread_environment(vm: &mut Vm, thread: Gc<Thread>, env: Val) -> Result<(), Thrown> {
    let all = match environments(vm) {
        Some(all) => all,
        None => {
            let all = vm.new_table()?;
            vm.scratch.push(Val::table(all));
            let made = register_environments(vm, all);
            vm.scratch.pop();
            made?;
            all
        }
    };
    vm.table_set(all, Val::thread(thread), env)
}

fn register_environments(vm: &mut Vm, all: Gc<Table>) -> Result<(), Thrown> {
    let registry = vm.registry;
    vm.set_field(registry, "_ENVIRONMENTS", Val::table(all))?;
    let mode = Val::str(vm.new_str(b"k")?);
    vm.scratch.push(mode);
    let done = vm.set_field(all, "__mode", mode);
    vm.scratch.pop();
    done?;
    vm.set_metatable(Val::table(all), Some(all))?;
    Ok(())
}

/// What argument 0 names: a function, or the function at a level.
fn function_argument(ctx: &mut Ctx<'_>, optional: bool) -> Result<Option<Val>, Thrown> {
    if ctx.arg(0).is_function() {
        return Ok(Some(ctx.arg(0)));
    }
    let level = match optional {
        true => ctx.opt_count(0, 1)?,
        false => ctx.check_count(0)?,
    };
    let Ok(level) = usize::try_from(level) else {
        return Err(ctx.arg_error(0, "level must be non-negative"));
    };
    if level == 0 {
        return Ok(None);
    }
    let thread = ctx.vm.current_gc();
    ctx.charge(level.min(thread.frames().len()) / 8);
    match ctx.vm.level(&thread, level) {
        Some(activation) => Ok(Some(thread.get(activation.func))),
        None => Err(ctx.arg_error(0, "invalid level")),
    }
}

fn getfenv(ctx: &mut Ctx<'_>) -> NativeResult {
    let env = match function_argument(ctx, true)? {
        Some(f) => environment_of(ctx.vm, f)?,
        None => {
            let thread = ctx.vm.current_gc();
            environment_of_thread(ctx.vm, thread)?
        }
    };
    ctx.ret(env)
}

fn setfenv(ctx: &mut Ctx<'_>) -> NativeResult {
    let env = Val::table(ctx.check_table(1)?);
    let Some(f) = function_argument(ctx, false)? else {
        let thread = ctx.vm.current_gc();
        set_thread_environment(ctx.vm, thread, env)?;
        return ctx.ret0();
    };
    let Some(closure) = open_to_scripts(ctx.vm, f) else {
        return Err(ctx.error("'setfenv' cannot change environment of given object"));
    };
    ctx.vm.set_environment(closure, env);
    ctx.ret(f)
}

/// `debug.getfenv(object)`
fn debug_getfenv(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    let env = if let Some(thread) = v.as_thread() {
        environment_of_thread(ctx.vm, thread)?
    } else if v.is_function() {
        environment_of(ctx.vm, v)?
    } else {
        match v.as_userdata() {
            Some(u) if u.user_value.is_table() => u.user_value,
            Some(_) => Val::table(ctx.vm.environment),
            None => Val::NIL,
        }
    };
    ctx.ret(env)
}

/// `debug.setfenv(object, table)`
fn debug_setfenv(ctx: &mut Ctx<'_>) -> NativeResult {
    let env = Val::table(ctx.check_table(1)?);
    let v = ctx.arg(0);
    if let Some(thread) = v.as_thread() {
        set_thread_environment(ctx.vm, thread, env)?;
    } else if let Some(closure) = v.as_lua_closure() {
        ctx.vm.set_environment(closure, env);
    } else if let Some(mut u) = v.as_userdata() {
        u.user_value = env;
        ctx.vm.barrier(u.header(), env);
    } else {
        return Err(ctx.error("'setfenv' cannot change environment of given object"));
    }
    ctx.ret(v)
}

/// How many captured variables of a Lua function are hidden from scripts: in 5.1, the environment.
pub(in crate::stdlib) fn hidden_upvalues(vm: &Vm) -> usize {
    !vm.dialect.has_env_variable() as usize
}
