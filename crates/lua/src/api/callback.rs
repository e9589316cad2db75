//! Host functions: how a Rust closure is called from Lua, and how its errors and panics come out.
//!
//! A host function is a native closure whose upvalue 0 is a userdata with the Rust closure in it. The natives here call
//! that with the gate open (see [`super::state`]), so it may use the VM.
//!
//! **Invariants**
//! - nothing unwinds into the VM: a panic becomes an error that says so;
//! - the closure called is held by its own `Rc`, so a script that takes upvalues apart cannot free it while it runs.

use super::convert::{FromLuaMulti, IntoLuaMulti};
use super::direct::Reply;
use super::error::{Error, Reason, Result};
use super::function::Function;
use super::state::Lua;
use super::thread::HostFuture;
use super::value::{Args, val_to_str};
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Action, Ctx, NativeResult, Thrown};
use crate::userdata::UserDataObject;
use crate::value::Val;
use crate::vm::{NO_NATIVE, Vm};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// A host function: reads its arguments, pushes its results and says how many.
pub(crate) type HostFn = Rc<dyn Fn(&Lua, &Args<'_>) -> Result<u32>>;
/// An async host function: reads its arguments, says what to wait for.
pub(crate) type AsyncHostFn = Rc<dyn Fn(&Lua, &Args<'_>) -> Result<HostFuture>>;

/// As an async one, but what is ready at once is returned at once.
pub(super) type PromptHostFn = Rc<dyn Fn(&Lua, &Args<'_>) -> Result<Prompt>>;

/// Either kind.
#[derive(Clone)]
pub(crate) enum AnyHostFn {
    Sync(HostFn),
    Async(AsyncHostFn),
}

/// What a prompt function has come to.
pub(super) enum Prompt {
    /// So many results have been pushed.
    Ready(u32),
    Waits(HostFuture),
}

static HOST_FUNCTION: NativeDef = NativeDef::new("?", call_host, Cost::Host);
static ASYNC_HOST_FUNCTION: NativeDef = NativeDef::new("?", call_async_host, Cost::Host);
pub(super) static PROMPT_HOST_FUNCTION: NativeDef =
    NativeDef::new("?", call_prompt_host, Cost::Host);
static BOUND_FUNCTION: NativeDef = NativeDef::new("?", call_bound, Cost::Slots);

/// Fuel that a call of a host function costs.
const HOST_CALL_FUEL: usize = 8;

fn call_host(ctx: &mut Ctx<'_>) -> NativeResult {
    call_hosted(ctx, ctx.upvalue(0))
}

/// Calls the host function in a userdata with the native's arguments.
pub(crate) fn call_hosted(ctx: &mut Ctx<'_>, f: Val) -> NativeResult {
    let Some(f) = hosted::<HostFn>(f) else {
        return Err(ctx.error("the host function is gone"));
    };
    run_host(ctx, |lua, args| f(lua, args)).map(Action::Return)
}

fn call_async_host(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(f) = hosted::<AsyncHostFn>(ctx.upvalue(0)) else {
        return Err(ctx.error("the host function is gone"));
    };
    let future = run_host(ctx, |lua, args| f(lua, args))?;
    Ok(wait_for(ctx, future))
}

fn call_prompt_host(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(f) = hosted::<PromptHostFn>(ctx.upvalue(0)) else {
        return Err(ctx.error("the host function is gone"));
    };
    match run_host(ctx, |lua, args| f(lua, args))? {
        Prompt::Ready(count) => Ok(Action::Return(count)),
        Prompt::Waits(future) => Ok(wait_for(ctx, future)),
    }
}

fn wait_for(ctx: &mut Ctx<'_>, future: HostFuture) -> Action {
    ctx.set_top(ctx.base + ctx.nargs);
    ctx.vm.next_future = Some(future);
    ctx.vm.next_cont = crate::native::return_results;
    ctx.vm.next_flags = 0;
    Action::Await
}

fn call_bound(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(c) = ctx.vm.thread().get(ctx.func).as_native_closure() else {
        return ctx.ret0();
    };
    let (bound, given) = (c.count(), ctx.nargs());
    ctx.charge(bound + given);
    ctx.reserve(bound + given)?;
    for i in 0..bound {
        let v = ctx.upvalue(i);
        ctx.push(v);
    }
    for i in 0..given {
        let v = ctx.arg(i);
        ctx.push(v);
    }
    ctx.tail_call(bound + given - 1)
}

/// The host object in a userdata, cloned.
fn hosted<T: Clone + 'static>(v: Val) -> Option<T> {
    v.as_userdata()?.data.as_ref()?.downcast_ref::<T>().cloned()
}

/// Runs host code with the gate open.
fn run_host<R>(
    ctx: &mut Ctx<'_>,
    f: impl FnOnce(&Lua, &Args<'_>) -> Result<R>,
) -> Result<R, Thrown> {
    let Some(lua) = Lua::of(ctx.vm) else {
        return Err(ctx.error("the Lua state is being closed"));
    };
    ctx.charge(HOST_CALL_FUEL);
    let args = Args {
        lua: &lua,
        base: ctx.base,
        count: ctx.nargs,
    };
    let outcome = {
        let _open = lua.open_gate(ctx.vm);
        catch_unwind(AssertUnwindSafe(|| f(&lua, &args)))
    };
    match outcome {
        Ok(Ok(v)) => {
            lua.drain_released(ctx.vm);
            Ok(v)
        }
        Ok(Err(e)) => Err(lua.throw(ctx.vm, e)),
        Err(panic) => Err(lua.throw(
            ctx.vm,
            Error::runtime(format_args!(
                "panic in host function: {}",
                panic_text(&*panic)
            )),
        )),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "unknown",
    }
}

// ---- making them ----

pub(crate) fn wrap<A, R>(f: impl Fn(&Lua, A) -> Result<R> + 'static) -> HostFn
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    Rc::new(move |lua, args| f(lua, A::from_args(args, 0)?)?.push_all(lua))
}

pub(crate) fn wrap_async<A, R, F>(f: impl Fn(Lua, A) -> F + 'static) -> AsyncHostFn
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
    F: Future<Output = Result<R>> + 'static,
{
    Rc::new(move |lua, args| {
        let future = f(lua.clone(), A::from_args(args, 0)?);
        Ok(into_host_future(lua, future))
    })
}

/// A future whose output is converted when it is there. It holds the VM weakly: the VM may go while it waits.
pub(crate) fn into_host_future<R: IntoLuaMulti>(
    lua: &Lua,
    f: impl Future<Output = Result<R>> + 'static,
) -> HostFuture {
    let lua = lua.weak();
    Box::pin(async move {
        let results = f.await?;
        results.into_lua_multi(&lua.upgrade().ok_or(Error::MismatchedLua)?)
    })
}

impl Lua {
    /// A function of the host's. Its arguments and results are converted; its error is raised in the script.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let repeat = lua.create_function(|_, (text, n): (String, usize)| Ok(text.repeat(n)))?;
    /// lua.globals().set("rep", repeat)?;
    /// assert_eq!(lua.load("rep('ab', 3)").eval::<String>()?, "ababab");
    /// let error = lua.load("rep('ab', 'x')").exec().unwrap_err();
    /// assert!(error.message().contains("bad argument #2 to 'rep'"), "{error}");
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn create_function<A, R>(
        &self,
        f: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.create_host_function(AnyHostFn::Sync(wrap(f)))
    }

    /// As `create_function`, for a closure that changes what it holds; calling it from inside itself is an error.
    pub fn create_function_mut<A, R>(
        &self,
        f: impl FnMut(&Lua, A) -> Result<R> + 'static,
    ) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let f = std::cell::RefCell::new(f);
        self.create_function(move |lua, args| match f.try_borrow_mut() {
            Ok(mut f) => f(lua, args),
            Err(_) => Err(Error::runtime(
                "a host function that changes its state called itself",
            )),
        })
    }

    /// A function of the host's that waits for a future. The coroutine that calls it is parked meanwhile
    /// ([`super::Outcome::Pending`]); to the script the call looks like any other.
    pub fn create_async_function<A, R, F>(
        &self,
        f: impl Fn(Lua, A) -> F + 'static,
    ) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        self.create_host_function(AnyHostFn::Async(wrap_async(f)))
    }

    /// As [`Lua::create_async_function`], for what is often ready at once: the future is polled once where the function is called, and only what is
    /// not ready then parks the coroutine. Until it has waited, the future must not call Lua functions that wait.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let double = lua.create_prompt_function(|_, n: i64| Ok(async move { Ok(n * 2) }))?;
    /// lua.globals().set("double", double)?;
    /// assert_eq!(lua.load("double(21)").eval::<i64>()?, 42);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn create_prompt_function<A, R, F>(
        &self,
        f: impl Fn(&Lua, A) -> Result<F> + 'static,
    ) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        self.create_direct_function(move |args| {
            Reply::prompt(args.lua(), f(args.lua(), A::from_args(args, 0)?)?)
        })
    }

    /// A native function written against [`crate::native`].
    pub fn create_native(&self, def: &'static NativeDef) -> Result<Function> {
        self.enter(|vm| Function(self.handle(vm, Val::native(def))))
    }

    /// A native function with captured values ([`crate::native::Ctx::upvalue`]).
    pub fn create_native_closure(
        &self,
        def: &'static NativeDef,
        captured: &[super::value::Value],
    ) -> Result<Function> {
        self.create_closure(def, captured)
    }

    pub(crate) fn create_host_function(&self, f: AnyHostFn) -> Result<Function> {
        let (def, data): (&'static NativeDef, Box<dyn Any>) = match f {
            AnyHostFn::Sync(f) => (&HOST_FUNCTION, Box::new(f)),
            AnyHostFn::Async(f) => (&ASYNC_HOST_FUNCTION, Box::new(f)),
        };
        self.create_closure_of(def, data)
    }

    /// A closure of `def` with a host function in its upvalue.
    pub(super) fn create_closure_of(
        &self,
        def: &'static NativeDef,
        data: Box<dyn Any>,
    ) -> Result<Function> {
        self.try_enter(|vm| {
            let u = Val::userdata(vm.new_userdata(data)?);
            vm.scratch.push(u);
            let made = vm.new_native_closure(def, &[u]);
            vm.scratch.pop();
            Ok(Function(self.handle(vm, Val::native_closure(made?))))
        })
    }

    pub(crate) fn create_bound(&self, values: &[super::value::Value]) -> Result<Function> {
        self.create_closure(&BOUND_FUNCTION, values)
    }

    /// A function that calls a value (a function, or what has `__call`) as lua(1) calls a chunk: it returns `true` and the
    /// results, or `false` and a message with the traceback of where the error was raised. What is not a string keeps its own
    /// words if it has `__tostring`. No traceback shows the function itself.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let f = lua.load("error 'boom'").set_name("=chunk").into_function()?;
    /// let (good, message): (bool, String) = lua.create_protected(&LuaValue::Function(f))?.call(())?;
    /// assert!(!good && message.starts_with("chunk:1: boom\nstack traceback:\n\t[C]: in function 'error'"));
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn create_protected(&self, f: &super::value::Value) -> Result<Function> {
        self.create_closure(
            &crate::stdlib::protected::PROTECTED,
            std::slice::from_ref(f),
        )
    }

    /// A value that holds a host function, for [`call_hosted`].
    pub(crate) fn create_hosted(&self, f: HostFn) -> Result<super::userdata::AnyUserData> {
        let data: Box<dyn Any> = Box::new(f);
        self.try_enter(|vm| {
            let u = Val::userdata(vm.new_userdata(data)?);
            Ok(super::userdata::AnyUserData(self.handle(vm, u)))
        })
    }

    pub(crate) fn create_closure(
        &self,
        def: &'static NativeDef,
        values: &[super::value::Value],
    ) -> Result<Function> {
        self.balanced(|top| {
            for v in values {
                self.push_value(v)?;
            }
            self.try_enter(|vm| {
                let held: Vec<Val> = (top..vm.thread().top)
                    .map(|i| vm.thread().get(i as usize))
                    .collect();
                let made = vm.new_native_closure(def, &held)?;
                Ok(Function(self.handle(vm, Val::native_closure(made))))
            })
        })
    }
}

// ---- errors on their way into Lua ----

/// An error of the host's as a Lua value.
pub(crate) struct ErrorObject(pub(crate) Error);

/// The host's error in an error value.
pub(crate) fn error_of(v: Val) -> Option<Error> {
    let u: Gc<UserDataObject> = v.as_userdata()?;
    Some(u.data.as_ref()?.downcast_ref::<ErrorObject>()?.0.clone())
}

static ERROR_TO_STRING: NativeDef = NativeDef::new("__tostring", error_to_string, Cost::Bytes);
static ERROR_CONCAT: NativeDef = NativeDef::new("__concat", error_concat, Cost::Bytes);

fn error_to_string(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = error_of(ctx.arg(0))
        .map(|e| e.message())
        .unwrap_or_default();
    ctx.charge(text.len() / 16);
    ctx.ret_str(text.as_bytes())
}

fn error_concat(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut text = Vec::new();
    for i in 0..2 {
        let v = ctx.arg(i);
        match error_of(v) {
            Some(e) => text.extend_from_slice(e.message().as_bytes()),
            None => match val_to_str(ctx.vm, v)? {
                Some(s) => {
                    ctx.charge(s.len() / 16);
                    text.extend_from_slice(s.as_bytes());
                }
                None => {
                    return Err(
                        ctx.error(&format!("attempt to concatenate a {} value", v.type_name()))
                    );
                }
            },
        }
    }
    ctx.ret_str(&text)
}

impl Lua {
    /// Throws a host function's error.
    fn throw(&self, vm: &mut Vm, e: Error) -> Thrown {
        self.prepare_throw(vm, e, |vm| vm.where_is(1))
    }

    /// Makes `e` the error being thrown; `position` is put in front of a message that has none.
    pub(crate) fn prepare_throw(
        &self,
        vm: &mut Vm,
        e: Error,
        position: impl FnOnce(&Vm) -> Vec<u8>,
    ) -> Thrown {
        let traceback = e.traceback().map(Into::into);
        let thrown = match &e {
            Error::Terminated(reason) => {
                self.0.stop_reason.set(Some(*reason));
                return Thrown::Stopped;
            }
            Error::MemoryError(_) => vm.throw_memory(),
            Error::BadArgument {
                pos,
                cause,
                name: None,
                ..
            } if vm.native != NO_NATIVE && *pos > 0 => {
                vm.arg_error(pos - 1, Reason(cause).to_string().as_bytes())
            }
            e if matches!(e.root(), Error::ExternalError(_)) => match self.error_val(vm, e) {
                Ok(v) => vm.throw_val(v),
                Err(thrown) => thrown,
            },
            e => {
                // What has a traceback has come through Lua, which has put a position in front if there is one.
                let mut text = match (&traceback, e) {
                    (None, Error::SyntaxError { .. }) | (Some(_), _) => Vec::new(),
                    (None, _) => position(vm),
                };
                text.extend_from_slice(e.message().as_bytes());
                vm.throw_bytes(&text)
            }
        };
        vm.error_traceback = traceback;
        thrown
    }

    /// An error object. Root it before the next allocation.
    pub(crate) fn error_val(&self, vm: &mut Vm, e: &Error) -> Result<Val, Thrown> {
        // Errors that went through Lua before are taken out of their wrapping: each passage would add one.
        let mut e = e;
        while let Error::CallbackError { cause, .. } = e {
            e = cause;
        }
        let meta = match self.0.types.error_meta() {
            Some(meta) => meta,
            None => self.make_error_meta(vm)?,
        };
        let mut u = vm.new_userdata(Box::new(ErrorObject(e.clone())))?;
        u.meta = meta.raw_gc::<crate::table::Table>().as_ptr();
        Ok(Val::userdata(u))
    }

    fn make_error_meta(&self, vm: &mut Vm) -> Result<Val, Thrown> {
        let t = vm.new_table()?;
        let handle = self.handle(vm, Val::table(t));
        vm.register(t, &[&ERROR_TO_STRING, &ERROR_CONCAT])?;
        let name = vm.new_str(b"error")?;
        vm.scratch.push(Val::str(name));
        let named = vm.set_field(t, "__name", Val::str(name));
        vm.scratch.pop();
        named?;
        vm.set_field(t, "__metatable", Val::FALSE)?;
        self.0.types.set_error_meta(handle);
        Ok(Val::table(t))
    }
}
