//! Coroutines as the host runs them: in slices of fuel, with every way a slice can end told apart.
//!
//! ```text
//!            resume                 complete / continue / resume
//!   Fresh ----------> (running) <-------------------------------+
//!     ^                  |                                      |
//!     | reset            +--Pending / Preempted / Yielded-------+
//!     |                  +--Done / Error / Terminated--> Finished
//!     +-----------------------------------------------------+
//! ```
//!
//! **Invariant:** a coroutine that the host has to continue (after `Pending` or `Preempted`) has a leaf, the coroutine that
//! runs when it is continued; `WAITING` in its flags tells the two apart. Scripts see it as running and cannot resume it.

use super::convert::{FromLuaMulti, IntoLuaMulti};
use super::error::{Error, Result, StopReason};
use super::function::Function;
use super::multi::MultiValue;
use super::state::{Handle, Lua, UNLIMITED_FUEL};
use super::table::Table;
use super::value::Value;
use crate::heap::Gc;
use crate::native::Thrown;
use crate::thread::{Thread as RawThread, ThreadState, thread_bits};
use crate::value::Val;
use crate::vm::Vm;
use crate::vm::call::NATIVE_SLOTS;
use crate::vm::entry::{Entry, Exit};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A boxed future that stays on its thread.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a coroutine waits for: an async function of the host, on its way.
pub type HostFuture = LocalBoxFuture<'static, Result<MultiValue>>;

/// A Lua coroutine.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let f: LuaFunction = lua.load("function(n) while true do n = n + coroutine.yield(n) end end").eval()?;
/// let thread = lua.create_thread(f)?;
/// assert_eq!(thread.resume::<i64>(1)?, 1);
/// assert_eq!(thread.resume::<i64>(10)?, 11);
/// assert_eq!(thread.status(), LuaThreadStatus::Resumable);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Thread(pub(crate) Handle);

/// Where a coroutine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadStatus {
    /// It can be resumed: it has not begun, or has yielded.
    Resumable,
    /// It runs, or has resumed what runs.
    Running,
    /// The host has to continue it (after [`Outcome::Pending`] or [`Outcome::Preempted`]).
    Waiting,
    /// It has returned, or was stopped.
    Finished,
    /// It has died by an error.
    Error,
}

/// How a slice ended.
pub enum Outcome {
    /// The coroutine returned these values.
    Done(MultiValue),
    /// The coroutine died by this error.
    Error(Error),
    /// The coroutine yielded these values; the next resume gives it its results.
    Yielded(MultiValue),
    /// The coroutine waits for this future; give its output to [`Thread::complete`].
    Pending(HostFuture),
    /// The fuel is used up; [`Thread::continue_with_fuel`] goes on.
    Preempted,
    /// The coroutine was stopped, uncatchably.
    Terminated(StopReason),
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done(v) => f.debug_tuple("Done").field(v).finish(),
            Outcome::Error(e) => f.debug_tuple("Error").field(e).finish(),
            Outcome::Yielded(v) => f.debug_tuple("Yielded").field(v).finish(),
            Outcome::Pending(_) => f.write_str("Pending"),
            Outcome::Preempted => f.write_str("Preempted"),
            Outcome::Terminated(r) => f.debug_tuple("Terminated").field(r).finish(),
        }
    }
}

/// Fuel for closing what a coroutine holds when the VM itself stops it.
const CLOSING_FUEL: u64 = 1_000_000;
/// Fuel of one poll of [`AsyncCall`] before it lets others run.
const ASYNC_SLICE_FUEL: u64 = 1_000_000;

impl Thread {
    pub(super) fn gc(&self) -> Gc<RawThread> {
        self.0.raw()
    }

    // ---- running ----

    /// Starts the coroutine, or continues it after a yield, for as long as it takes.
    ///
    /// An async function of the host cannot wait here (there is nobody to wait for it): that is an error in the script.
    pub fn resume<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua()?;
        let limit = lua.0.instruction_limit.get();
        match self.resume_with_fuel(args, limit.unwrap_or(UNLIMITED_FUEL as u64)) {
            Outcome::Done(values) | Outcome::Yielded(values) => R::from_lua_multi(values, &lua),
            Outcome::Error(e) => Err(e),
            Outcome::Terminated(reason) => Err(Error::Terminated(reason)),
            Outcome::Preempted => {
                self.terminate(StopReason::InstructionLimit, CLOSING_FUEL);
                Err(Error::Terminated(StopReason::InstructionLimit))
            }
            Outcome::Pending(_) => {
                let error =
                    Error::runtime("attempt to wait outside a coroutine that the host resumes");
                match self.complete(Err(error), limit.unwrap_or(UNLIMITED_FUEL as u64)) {
                    Outcome::Done(values) | Outcome::Yielded(values) => {
                        R::from_lua_multi(values, &lua)
                    }
                    Outcome::Error(e) => Err(e),
                    _ => {
                        self.terminate(StopReason::Killed, CLOSING_FUEL);
                        Err(Error::Terminated(StopReason::Killed))
                    }
                }
            }
        }
    }

    /// Starts the coroutine, or continues it after a yield, for at most so many instructions.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let thread = lua.create_thread(lua.load("while true do end").into_function()?)?;
    /// assert!(matches!(thread.resume_with_fuel((), 10_000), LuaOutcome::Preempted));
    /// assert!(matches!(thread.continue_with_fuel(10_000), LuaOutcome::Preempted));
    /// thread.terminate(LuaStopReason::CpuTime, 1000);
    /// assert_eq!(thread.status(), LuaThreadStatus::Finished);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn resume_with_fuel(&self, args: impl IntoLuaMulti, fuel: u64) -> Outcome {
        let run = |lua: &Lua| {
            if self.status() != ThreadStatus::Resumable {
                return Err(Error::CoroutineUnresumable);
            }
            self.give(lua, args, self.gc())
        };
        match self.0.lua().and_then(|lua| run(&lua).map(|n| (lua, n))) {
            Ok((lua, n)) => self.run(&lua, n, Entry::Values, fuel),
            Err(e) => Outcome::Error(e),
        }
    }

    /// Goes on after [`Outcome::Preempted`].
    pub fn continue_with_fuel(&self, fuel: u64) -> Outcome {
        let ready = |_: &Lua| self.status() == ThreadStatus::Waiting && !self.is_pending();
        match self.0.lua() {
            Ok(lua) if ready(&lua) => self.run(&lua, 0, Entry::Again, fuel),
            Ok(_) => Outcome::Error(Error::CoroutineUnresumable),
            Err(e) => Outcome::Error(e),
        }
    }

    /// Goes on after [`Outcome::Preempted`], with an error raised where the coroutine is: as if the function that was
    /// interrupted had called `error`.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let f = lua.load("return pcall(function() while true do end end)").into_function()?;
    /// let thread = lua.create_thread(f)?;
    /// assert!(matches!(thread.resume_with_fuel((), 10_000), LuaOutcome::Preempted));
    /// let LuaOutcome::Done(results) = thread.continue_with_error(LuaError::runtime("interrupted!"), 10_000) else { panic!() };
    /// assert_eq!(results[1].to_string()?, "interrupted!");
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn continue_with_error(&self, error: Error, fuel: u64) -> Outcome {
        let lua = match self.0.lua() {
            Ok(lua) => lua,
            Err(e) => return Outcome::Error(e),
        };
        if self.status() != ThreadStatus::Waiting || self.is_pending() {
            return Outcome::Error(Error::CoroutineUnresumable);
        }
        let mut leaf = self.leaf();
        let raised = lua.enter(|vm| {
            leaf.paused = None;
            let position = vm.caller_line(leaf);
            lua.throw_at(vm, position, error);
        });
        match raised {
            Ok(()) => self.run(&lua, 0, Entry::Error, fuel),
            Err(e) => Outcome::Error(e),
        }
    }

    /// Goes on after [`Outcome::Pending`], with what the future gave: results, or an error raised where the coroutine waits.
    pub fn complete(&self, result: Result<MultiValue>, fuel: u64) -> Outcome {
        let lua = match self.0.lua() {
            Ok(lua) => lua,
            Err(e) => return Outcome::Error(e),
        };
        match self.prepare_completion(&lua, result) {
            Ok((n, how)) => self.run(&lua, n, how, fuel),
            Err(e) => Outcome::Error(e),
        }
    }

    /// Gives a coroutine that waits for a future what that gave: how it is to be entered.
    pub(super) fn prepare_completion(
        &self,
        lua: &Lua,
        result: Result<MultiValue>,
    ) -> Result<(u32, Entry)> {
        if self.status() != ThreadStatus::Waiting || !self.is_pending() {
            return Err(Error::CoroutineUnresumable);
        }
        // SAFETY: a waiting coroutine has a leaf (invariant above), which it keeps alive.
        let leaf = unsafe { Gc::from_ptr(self.gc().leaf) };
        match result.and_then(|values| self.give(lua, values, leaf)) {
            Ok(n) => Ok((n, Entry::Values)),
            Err(e) => lua.enter(|vm| {
                lua.throw_at_wait(vm, leaf, e);
                (0, Entry::Error)
            }),
        }
    }

    /// Puts values on the stack of `to`, which waits for them.
    pub(super) fn give(
        &self,
        lua: &Lua,
        args: impl IntoLuaMulti,
        to: Gc<RawThread>,
    ) -> Result<u32> {
        if let Some(values) = args.as_values()
            && give_directly(lua, values, to)?
        {
            return Ok(values.len() as u32);
        }
        lua.balanced(|from| {
            let n = args.push_all(lua)?;
            lua.try_enter(|vm| hand_over(vm, from, n, to))?;
            Ok(n)
        })
    }

    /// Enters the coroutine and says how the slice ended.
    fn run(&self, lua: &Lua, nargs: u32, how: Entry, fuel: u64) -> Outcome {
        let ran = lua.enter(|vm| {
            let mut co = self.gc();
            co.header.extra &= !(thread_bits::WAITING | thread_bits::IDLE);
            let exit = lua.enter_thread(vm, co, nargs, how, fuel);
            self.outcome(lua, vm, co, exit)
        });
        ran.unwrap_or_else(Outcome::Error)
    }

    pub(super) fn outcome(
        &self,
        lua: &Lua,
        vm: &mut Vm,
        mut co: Gc<RawThread>,
        exit: Exit,
    ) -> Outcome {
        match exit {
            Exit::Done(from) => Outcome::Done(take_values(lua, vm, co, from)),
            Exit::Yielded(n) => {
                let from = co.top as usize - n;
                Outcome::Yielded(take_values(lua, vm, co, from))
            }
            Exit::Failed => Outcome::Error(lua.caught(vm, Thrown::Error)),
            Exit::Preempted => Outcome::Preempted,
            Exit::Pending => match vm.next_future.take() {
                Some(future) => {
                    co.header.extra |= thread_bits::WAITING;
                    Outcome::Pending(future)
                }
                None => {
                    vm.terminate(co, CLOSING_FUEL as i64);
                    Outcome::Error(Error::runtime("a host function waits for nothing"))
                }
            },
            Exit::Stopped => {
                let reason = lua
                    .0
                    .stop_reason
                    .take()
                    .unwrap_or(StopReason::InstructionLimit);
                vm.terminate(co, CLOSING_FUEL as i64);
                Outcome::Terminated(reason)
            }
        }
    }

    /// Stops the coroutine, and those it had resumed, uncatchably: their pending to-be-closed variables are closed on at
    /// most `closing_fuel` instructions altogether. Without effect on a coroutine that runs or has ended.
    ///
    /// `reason` is for the caller's records: the script sees nothing of it.
    pub fn terminate(&self, reason: StopReason, closing_fuel: u64) {
        let _ = reason;
        let Ok(lua) = self.0.lua() else { return };
        let _ = lua.enter(|vm| {
            let mut co = self.gc();
            if co.state == ThreadState::Active && co.leaf.is_null() {
                return;
            }
            co.header.extra &= !(thread_bits::WAITING | thread_bits::IDLE);
            vm.terminate(co, closing_fuel.min(UNLIMITED_FUEL as u64) as i64);
        });
    }

    /// Makes a finished (or never started) coroutine a new one that runs `f`: its memory is used again.
    pub fn reset(&self, f: Function) -> Result<()> {
        self.restart(&f, None)
    }

    /// As [`Thread::reset`], and gives it its own globals ([`Thread::set_globals`]).
    pub fn restart(&self, f: &Function, globals: Option<&Table>) -> Result<()> {
        let lua = self.0.lua()?;
        let f = lua.own(&f.0)?;
        let globals = match globals {
            Some(table) => lua.own(&table.0)?.as_table(),
            None => None,
        };
        match self.status() {
            ThreadStatus::Running => {
                return Err(Error::runtime("cannot reset a running coroutine"));
            }
            ThreadStatus::Waiting | ThreadStatus::Error => {
                self.terminate(StopReason::Killed, CLOSING_FUEL)
            }
            ThreadStatus::Resumable if self.gc().state == ThreadState::Suspended => {
                self.terminate(StopReason::Killed, CLOSING_FUEL);
            }
            _ => {}
        }
        lua.try_enter(|vm| {
            let mut co = self.gc();
            vm.barrier_thread(co);
            let outer = std::mem::replace(&mut vm.current, co.as_ptr());
            co.frame_count = 0;
            co.top = 1;
            let room = vm.ensure_stack(4);
            vm.current = outer;
            room?;
            co.set(1, f);
            co.top = 2;
            co.state = ThreadState::Fresh;
            co.status = crate::native::Status::Ok;
            co.globals = globals.map_or(std::ptr::null_mut(), Gc::as_ptr);
            co.leaf = std::ptr::null_mut();
            co.resumer = std::ptr::null_mut();
            co.depth = 0;
            co.handler_depth = 0;
            co.shared_writes = false;
            co.header.extra = 0;
            vm.barrier_thread(co);
            // What it runs next has nothing of what it ran before.
            crate::stdlib::versions::environments::forget(vm, co)
        })
    }

    /// Runs the coroutine as a future, which waits where it waits. Values it yields are lost.
    pub fn into_async<R: FromLuaMulti>(self, args: impl IntoLuaMulti) -> AsyncCall<R> {
        let start = self.0.lua().and_then(|lua| args.into_lua_multi(&lua));
        AsyncCall::of_thread(Ok(self), start)
    }

    // ---- what it is ----

    /// Where the coroutine is in its life.
    pub fn status(&self) -> ThreadStatus {
        if !self.0.is_alive() {
            return ThreadStatus::Finished;
        }
        let co = self.gc();
        match co.state {
            ThreadState::Fresh | ThreadState::Suspended => ThreadStatus::Resumable,
            ThreadState::Active if !co.leaf.is_null() => ThreadStatus::Waiting,
            ThreadState::Active => ThreadStatus::Running,
            ThreadState::Done => ThreadStatus::Finished,
            ThreadState::Failed => ThreadStatus::Error,
        }
    }

    /// Whether the coroutine waits for a future (rather than for its next slice).
    pub fn is_pending(&self) -> bool {
        self.0.is_alive() && self.gc().header.extra & thread_bits::WAITING != 0
    }

    /// Gives the coroutine its own globals over the app's, in a VM with layered globals; `None`: it has none.
    pub fn set_globals(&self, globals: Option<Table>) -> Result<()> {
        let lua = self.0.lua()?;
        let table = match &globals {
            Some(t) => lua.own(&t.0)?.as_table(),
            None => None,
        };
        lua.enter(|vm| {
            let mut co = self.gc();
            co.globals = table.map_or(std::ptr::null_mut(), Gc::as_ptr);
            if let Some(t) = table {
                vm.barrier(co.header(), Val::table(t));
            }
        })
    }

    /// The coroutine's own globals.
    pub fn own_globals(&self) -> Option<Table> {
        let lua = self.0.lua().ok()?;
        lua.enter(|vm| {
            let t = Gc::from_nullable(self.gc().globals)?;
            Some(Table(lua.handle(vm, Val::table(t))))
        })
        .ok()?
    }

    /// Whether globals that the coroutine writes go to the app's table although it has its own.
    pub fn set_shared_writes(&self, shared: bool) {
        if self.0.lua().is_ok() {
            self.gc().shared_writes = shared;
        }
    }

    /// Makes the coroutine look to its script as lua(1)'s main program does: it cannot yield, and `coroutine.running`
    /// says that it is the main one.
    pub fn set_main(&self, main: bool) {
        if self.0.lua().is_ok() {
            let mut co = self.gc();
            let bits = co.header.extra & !thread_bits::IS_MAIN;
            co.header.extra = bits | if main { thread_bits::IS_MAIN } else { 0 };
        }
    }

    /// Where the coroutine (or the one it has resumed) is, as `debug.traceback` shows it.
    pub fn traceback(&self) -> String {
        let Ok(lua) = self.0.lua() else {
            return String::new();
        };
        let text = lua.enter(|vm| vm.traceback_text(self.leaf(), 0));
        text.unwrap_or_default()
    }

    /// The chunk and line of the innermost Lua function that the coroutine is in.
    pub fn current_line(&self) -> Option<(String, u32)> {
        let lua = self.0.lua().ok()?;
        lua.enter(|vm| vm.innermost_line(self.leaf())).ok()?
    }

    fn leaf(&self) -> Gc<RawThread> {
        Gc::from_nullable(self.gc().leaf).unwrap_or(self.gc())
    }

    /// An address that names the coroutine.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        std::ptr::without_provenance(self.0.address())
    }
}

/// Puts values where they go, if that takes no more than writing them there: there is room, and none has to be made.
fn give_directly(lua: &Lua, values: &MultiValue, mut to: Gc<RawThread>) -> Result<bool> {
    lua.enter(|vm| {
        let top = to.top as usize;
        let room = to.stack_size as usize;
        if top + values.len() + NATIVE_SLOTS > room {
            return Ok(false);
        }
        if values.iter().any(|value| matches!(value, Value::Error(_))) {
            return Ok(false);
        }
        vm.barrier_thread(to);
        for (i, value) in values.iter().enumerate() {
            let value = lua.val_of(value)?;
            to.set(top + i, vm.script_value(value));
        }
        to.top += values.len() as u32;
        vm.barrier_thread(to);
        Ok(true)
    })?
}

/// Moves the `n` values from stack index `from` of the running coroutine to the top of another one's stack.
fn hand_over(vm: &mut Vm, from: u32, n: u32, mut to: Gc<RawThread>) -> Result<(), Thrown> {
    vm.barrier_thread(to);
    // The stack grows for the coroutine that is current; the values stay rooted on the stack of the one that really is.
    let outer = vm.current_gc();
    let native = std::mem::replace(&mut vm.native, crate::vm::NO_NATIVE);
    vm.scratch.push(Val::thread(outer));
    vm.current = to.as_ptr();
    let room = vm.ensure_stack((to.top + n) as usize + NATIVE_SLOTS);
    vm.current = outer.as_ptr();
    vm.scratch.pop();
    vm.native = native;
    room?;
    for i in from..from + n {
        let top = to.top as usize;
        to.set(top, outer.get(i as usize));
        to.top += 1;
    }
    vm.barrier_thread(to);
    Ok(())
}

/// The values from stack index `from` to the top, taken off a coroutine's stack.
fn take_values(lua: &Lua, vm: &mut Vm, mut co: Gc<RawThread>, from: usize) -> MultiValue {
    let values = (from..co.top as usize)
        .map(|i| {
            let v = co.get(i);
            lua.value(vm, v)
        })
        .collect();
    co.top = from as u32;
    values
}

impl Lua {
    /// Runs a coroutine on its own fuel. Inside a host function that fuel is bounded by what the run outside has left
    /// (and the allowance for nested calls), and is taken from it.
    pub(super) fn enter_thread(
        &self,
        vm: &mut Vm,
        co: Gc<RawThread>,
        nargs: u32,
        how: Entry,
        fuel: u64,
    ) -> Exit {
        self.drain_released(vm);
        let nested = vm.run_depth > 0;
        let before = vm.heap.fuel_left();
        let mut fuel = fuel.min(UNLIMITED_FUEL as u64) as i64;
        if nested {
            let allowance = self.0.nested_allowance.get().min(UNLIMITED_FUEL as u64) as i64;
            fuel = fuel.min(before.max(-allowance) + allowance);
        }
        vm.heap.set_fuel(fuel);
        let exit = vm.enter_thread(co, nargs, how);
        let used = fuel - vm.heap.fuel_left();
        if nested {
            vm.heap.set_fuel(before - used);
        } else {
            self.0
                .fuel_used
                .set(self.0.fuel_used.get().saturating_add(used.max(0) as u64));
        }
        exit
    }

    /// Prepares the error that a waiting coroutine is to be continued with.
    fn throw_at_wait(&self, vm: &mut Vm, leaf: Gc<RawThread>, e: Error) {
        let position = vm.innermost_line(leaf);
        self.throw_at(vm, position, e);
    }

    /// Prepares the error that a coroutine is to be continued with, with a position in front if it is a plain message.
    fn throw_at(&self, vm: &mut Vm, position: Option<(String, u32)>, e: Error) {
        let position = position.map(|(chunk, line)| format!("{chunk}:{line}: "));
        let _ = self.prepare_throw(vm, e, |_| position.unwrap_or_default().into_bytes());
    }

    /// A new coroutine that will run `f`.
    pub fn create_thread(&self, f: Function) -> Result<Thread> {
        let f = self.own(&f.0)?;
        self.try_enter(|vm| {
            let mut co = vm.new_thread()?;
            co.set(1, f);
            co.top = 2;
            Ok(Thread(self.handle(vm, Val::thread(co))))
        })
    }

    /// The coroutine that runs; at rest, the VM's main one.
    pub fn current_thread(&self) -> Result<Thread> {
        self.enter(|vm| {
            let t = Val::thread(vm.current_gc());
            Thread(self.handle(vm, t))
        })
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thread({:#x})", self.0.address())
    }
}

enum AsyncState {
    Start(MultiValue),
    Again,
    Waiting(HostFuture),
    Ended,
}

/// A call in a coroutine of its own, as a future. Dropping it stops the coroutine.
pub struct AsyncCall<R> {
    thread: Result<Thread>,
    state: AsyncState,
    /// An error before the start.
    failed: Option<Error>,
    fuel_left: u64,
    result: PhantomData<fn() -> R>,
}

impl<R: FromLuaMulti> AsyncCall<R> {
    pub(crate) fn new(f: &Function, args: impl IntoLuaMulti) -> AsyncCall<R> {
        let lua = f.0.lua();
        let start = lua.clone().and_then(|lua| args.into_lua_multi(&lua));
        let thread = lua.and_then(|lua| lua.create_thread(f.clone()));
        if let Ok(thread) = &thread {
            // Nobody takes what it yields.
            thread.set_main(true);
        }
        AsyncCall::of_thread(thread, start)
    }

    fn of_thread(thread: Result<Thread>, start: Result<MultiValue>) -> AsyncCall<R> {
        let limit = thread
            .as_ref()
            .ok()
            .and_then(|t| t.0.lua().ok())
            .and_then(|lua| lua.0.instruction_limit.get());
        let (state, failed) = match start {
            Ok(values) => (AsyncState::Start(values), None),
            Err(e) => (AsyncState::Ended, Some(e)),
        };
        AsyncCall {
            thread,
            state,
            failed,
            fuel_left: limit.unwrap_or(u64::MAX),
            result: PhantomData,
        }
    }

    pub(crate) fn failed(error: Error) -> AsyncCall<R> {
        AsyncCall {
            thread: Err(error),
            state: AsyncState::Ended,
            failed: None,
            fuel_left: 0,
            result: PhantomData,
        }
    }

    fn step(&mut self, thread: &Thread, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let lua = match thread.0.lua() {
            Ok(lua) => lua,
            Err(e) => return Poll::Ready(Err(e)),
        };
        loop {
            let slice = ASYNC_SLICE_FUEL.min(self.fuel_left);
            let before = lua.fuel_used();
            let outcome = match std::mem::replace(&mut self.state, AsyncState::Ended) {
                AsyncState::Start(args) => thread.resume_with_fuel(args, slice),
                AsyncState::Again => thread.continue_with_fuel(slice),
                AsyncState::Waiting(mut future) => match future.as_mut().poll(cx) {
                    Poll::Ready(result) => thread.complete(result, slice),
                    Poll::Pending => {
                        self.state = AsyncState::Waiting(future);
                        return Poll::Pending;
                    }
                },
                AsyncState::Ended => return Poll::Ready(Err(Error::CoroutineUnresumable)),
            };
            self.fuel_left = self.fuel_left.saturating_sub(lua.fuel_used() - before);
            match outcome {
                Outcome::Done(values) => return Poll::Ready(R::from_lua_multi(values, &lua)),
                Outcome::Error(e) => return Poll::Ready(Err(e)),
                Outcome::Terminated(reason) => return Poll::Ready(Err(Error::Terminated(reason))),
                Outcome::Yielded(_) => self.state = AsyncState::Start(MultiValue::new()),
                Outcome::Pending(future) => self.state = AsyncState::Waiting(future),
                Outcome::Preempted if self.fuel_left == 0 => {
                    thread.terminate(StopReason::InstructionLimit, CLOSING_FUEL);
                    return Poll::Ready(Err(Error::Terminated(StopReason::InstructionLimit)));
                }
                Outcome::Preempted => {
                    self.state = AsyncState::Again;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<R: FromLuaMulti> Future for AsyncCall<R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        if let Some(e) = this.failed.take() {
            return Poll::Ready(Err(e));
        }
        match this.thread.clone() {
            Ok(thread) => this.step(&thread, cx),
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

impl<R> Drop for AsyncCall<R> {
    fn drop(&mut self) {
        if let (AsyncState::Waiting(_) | AsyncState::Again, Ok(thread)) =
            (&self.state, &self.thread)
        {
            thread.terminate(StopReason::Killed, CLOSING_FUEL);
        }
    }
}
