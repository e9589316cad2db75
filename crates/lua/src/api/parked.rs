//! Coroutines that wait for something of the host's without a future: cheap enough for a million of them.
//!
//! The coroutines are elements of a table that scripts do not see, so that each costs the host no handle. The host gives one a
//! turn ([`Lua::turn`]); a native that finds nothing to do *parks* it ([`Ctx::park`]), and when the host gives it its next turn the
//! native's continuation looks again.
//!
//! **Invariants.** A coroutine is parked exactly if it waits (`WAITING`, as for a future) and nobody has its future. Only a
//! coroutine that the host gives a turn is parked: [`Ctx::can_park`] says whether this is one.

use super::convert::IntoLuaMulti;
use super::error::{Error, Result};
use super::multi::MultiValue;
use super::state::Lua;
use super::string::LuaString;
use super::table::Table;
use super::thread::{Outcome, Thread, ThreadStatus};
use super::value::Value;
use crate::heap::{Gc, prefetch};
use crate::native::{Action, Cont, Ctx, NativeResult, Status, Thrown};
use crate::string::Str;
use crate::table::Table as RawTable;
use crate::thread::{Thread as RawThread, ThreadState, thread_bits};
use crate::value::Val;
use crate::vm::Vm;
use crate::vm::call::NATIVE_SLOTS;
use crate::vm::entry::{Entry, Exit};
use std::any::Any;

/// How a coroutine's turn ended.
#[derive(Debug)]
pub enum Turn {
    /// A native has parked it: it goes on with its next turn.
    Parked,
    /// Its fuel is used up: it goes on with its next turn.
    Preempted,
    /// Anything else. After [`Outcome::Yielded`] too it goes on with its next turn, after [`Outcome::Pending`] with
    /// [`Lua::turn_with`].
    Other(Outcome),
}

impl Lua {
    /// Starts the coroutine that is element `at` of `threads`, or goes on with it, on so much fuel. The second result is what it used.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// use rille_lua::Turn;
    /// let lua = Lua::new();
    /// let threads = lua.create_table()?;
    /// let thread = lua.create_thread(lua.load("while true do end").into_function()?)?;
    /// threads.raw_set(1, thread)?;
    /// let (turn, used) = lua.turn(&threads, 1, 10_000);
    /// assert!(matches!(turn, Turn::Preempted) && used >= 10_000);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn turn(&self, threads: &Table, at: i64, fuel: u64) -> (Turn, u64) {
        self.take_turn(|lua, vm| {
            let threads = lua.own(&threads.0)?.as_table();
            let Some(co) = threads.and_then(|t| t.get_int(at).as_thread()) else {
                return Err(Error::CoroutineUnresumable);
            };
            let (given, how) = match co.state {
                // Its arguments are on its stack.
                ThreadState::Fresh => (co.top - 2, Entry::Values),
                ThreadState::Suspended => (0, Entry::Values),
                ThreadState::Active if co.leaf.is_null() => {
                    return Err(Error::CoroutineUnresumable);
                }
                ThreadState::Active if co.header.extra & thread_bits::WAITING != 0 => {
                    (given(co), Entry::Values)
                }
                ThreadState::Active => (0, Entry::Again),
                ThreadState::Done | ThreadState::Failed => {
                    return Err(Error::CoroutineUnresumable);
                }
            };
            Ok(lua.enter_turn(vm, co, given, how, fuel))
        })
    }

    /// Goes on with a coroutine whose last turn ended with [`Outcome::Pending`], with what the future gave.
    pub fn turn_with(&self, thread: &Thread, result: Result<MultiValue>, fuel: u64) -> (Turn, u64) {
        let entered = (thread.0.lua()).and_then(|lua| thread.prepare_completion(&lua, result));
        self.take_turn(|lua, vm| {
            let (given, how) = entered?;
            lua.own(&thread.0)?;
            Ok(lua.enter_turn(vm, thread.gc(), given, how, fuel))
        })
    }

    #[inline]
    fn take_turn(&self, run: impl FnOnce(&Lua, &mut Vm) -> Result<Turn>) -> (Turn, u64) {
        let before = self.fuel_used();
        let turn = self.enter(|vm| run(self, vm)).and_then(|turn| turn);
        let turn = turn.unwrap_or_else(|error| Turn::Other(Outcome::Error(error)));
        (turn, self.fuel_used().saturating_sub(before))
    }

    #[inline]
    fn enter_turn(
        &self,
        vm: &mut Vm,
        mut co: Gc<RawThread>,
        given: u32,
        how: Entry,
        fuel: u64,
    ) -> Turn {
        co.header.extra &= !(thread_bits::WAITING | thread_bits::IDLE);
        fetch_function(co);
        match self.enter_thread(vm, co, given, how, fuel) {
            Exit::Pending if vm.next_future.is_none() => {
                co.header.extra |= thread_bits::WAITING;
                Turn::Parked
            }
            Exit::Preempted => Turn::Preempted,
            exit => {
                let thread = Thread(self.handle(vm, Val::thread(co)));
                Turn::Other(thread.outcome(self, vm, co, exit))
            }
        }
    }

    /// Runs code that is written as natives are, on behalf of nobody: it has no arguments, and its pushed values are dropped.
    pub fn with_native<R>(
        &self,
        f: impl FnOnce(&mut Ctx<'_>) -> std::result::Result<R, Thrown>,
    ) -> Result<R> {
        self.balanced(|top| {
            self.try_enter(|vm| {
                let func = top as usize;
                vm.ensure_stack(func + 1 + NATIVE_SLOTS)?;
                let t = vm.thread_mut();
                t.set(func, Val::NIL);
                t.top = top + 1;
                f(&mut Ctx {
                    vm,
                    func,
                    base: func + 1,
                    nargs: 0,
                    results: func + 1,
                    status: Status::Ok,
                })
            })
        })
    }
}

/// How many values the coroutine has been handed since it was parked: they are above the arguments of the native that waits.
#[inline]
fn given(co: Gc<RawThread>) -> u32 {
    let Some(leaf) = Gc::from_nullable(co.leaf) else {
        return 0;
    };
    match leaf.frames().last() {
        Some(f) => leaf.top - (f.base + f.extra),
        None => 0,
    }
}

/// Asks the caches for the function that the coroutine goes on in, below the native that waits.
#[inline]
fn fetch_function(co: Gc<RawThread>) {
    if let [.., f, _] = co.frames() {
        prefetch(co.get(f.func as usize).payload as *const u8);
    }
}

impl Thread {
    /// Gives a coroutine that has not begun the arguments of its first turn ([`Lua::turn`]), behind those it has been given before.
    pub fn give_arguments(&self, arguments: impl IntoLuaMulti) -> Result<()> {
        let lua = self.0.lua()?;
        if self.status() != ThreadStatus::Resumable || self.gc().state != ThreadState::Fresh {
            return Err(Error::CoroutineUnresumable);
        }
        self.give(&lua, arguments, self.gc()).map(|_| ())
    }
}

impl Ctx<'_> {
    /// Parks the coroutine: `cont` is entered when the host gives it its next turn. Only where [`Ctx::can_park`] says so.
    pub fn park(&mut self, cont: Cont) -> NativeResult {
        self.set_top(self.base + self.nargs);
        self.vm.next_future = None;
        self.vm.next_cont = cont;
        self.vm.next_flags = 0;
        Ok(Action::Await)
    }

    /// Whether the coroutine that runs, or the one that has resumed it, has its turn: not inside a host function that runs Lua itself,
    /// nor in a finalizer.
    #[inline]
    pub fn can_park(&self) -> bool {
        self.vm.run_depth == 1
            && !self.vm.base_is_call
            && self.vm.base_thread != self.vm.main
            && !self.vm.waits_in_finalizer()
    }

    /// The host's object in the closure's upvalue `n`, if that is a `T`.
    #[inline]
    pub fn host_object<T: Clone + 'static>(&self, n: usize) -> Option<T> {
        let object = self.upvalue(n).as_userdata()?;
        object.data.as_ref()?.downcast_ref::<T>().cloned()
    }

    /// Hands a value to the coroutine that is element `at` of `threads`, which is parked: its continuation finds it as a result. False:
    /// there is no room for it now.
    #[inline]
    pub fn hand_over(&mut self, threads: Gc<RawTable>, at: i64, v: Val) -> bool {
        let Some(co) = threads.get_int(at).as_thread() else {
            return false;
        };
        let is_parked = co.header.extra & thread_bits::WAITING != 0;
        let Some(mut leaf) = Gc::from_nullable(co.leaf).filter(|_| is_parked) else {
            return false;
        };
        let top = leaf.top;
        if top + 1 >= leaf.stack_size {
            return false;
        }
        self.vm.barrier_thread(leaf);
        leaf.set(top as usize, v);
        leaf.top = top + 1;
        true
    }

    /// Asks the caches for the coroutine that is element `at` of `threads`: it is going to have its turn. Once, and again when that has had
    /// a little time.
    #[inline]
    pub fn fetch_ahead(&self, threads: Gc<RawTable>, at: i64, is_again: bool) {
        let Some(co) = threads.get_int(at).as_thread() else {
            return;
        };
        if !is_again {
            prefetch(co.as_ptr());
            return prefetch((co.as_ptr() as *const u8).wrapping_add(64));
        }
        prefetch(co.stack);
        prefetch(co.stack.wrapping_add(4));
        prefetch(co.stack.wrapping_add(8));
        prefetch(co.frames);
    }

    /// A table with these fields, which is made most quickly if they are all the keys of `shape`, a small table. Names (of at most 40
    /// bytes) and values must be reachable. Push it before the next allocation.
    #[inline]
    pub fn new_record(
        &mut self,
        shape: Gc<RawTable>,
        fields: &[(Gc<Str>, Val)],
    ) -> std::result::Result<Gc<RawTable>, Thrown> {
        self.vm.new_record(shape, fields)
    }

    /// The table of a handle, if it is of this VM.
    #[inline]
    pub fn table_of(&self, table: &Table) -> Option<Gc<RawTable>> {
        self.vm.owns(&table.0).then_some(table.0.val)?.as_table()
    }

    /// The string of a handle, if it is of this VM.
    #[inline]
    pub fn str_of(&self, string: &LuaString) -> Option<Gc<Str>> {
        self.vm.owns(&string.0).then_some(string.0.val)?.as_str()
    }

    /// A value that the host has, if it is of this VM and no error. The handle keeps it reachable.
    pub fn value_of(&self, value: &Value) -> Option<Val> {
        Lua::of(self.vm)?.val_of(value).ok()
    }

    /// Lets the host use its API in the middle of a native; what is pushed stays where it is. `None`: the VM is being closed.
    pub fn with_lua<R>(&mut self, f: impl FnOnce(&Lua) -> R) -> Option<R> {
        let lua = Lua::of(self.vm)?;
        let result = {
            let _open = lua.open_gate(self.vm);
            f(&lua)
        };
        lua.drain_released(self.vm);
        Some(result)
    }

    /// A value as the host has it.
    pub fn to_value(&mut self, v: Val) -> Value {
        match Lua::of(self.vm) {
            Some(lua) => lua.value(self.vm, v),
            None => Value::Nil,
        }
    }
}

impl Lua {
    /// An object of the host's for [`Ctx::host_object`]. To scripts it is an opaque userdata.
    pub fn create_host_object<T: Clone + 'static>(&self, object: T) -> Result<Value> {
        let data: Box<dyn Any> = Box::new(object);
        self.try_enter(|vm| {
            let u = Val::userdata(vm.new_userdata(data)?);
            Ok(self.value(vm, u))
        })
    }
}
