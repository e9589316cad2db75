//! The host's door: how it calls into a VM, resumes and closes coroutines, and what ends a run.
//!
//! **Invariant:** whatever ends a run, the coroutines that were active in it are not any more, and the stack of the one that
//! was entered is as deep as before; what is left of the others is closed, with fuel of its own, or killed.

use super::call::{NATIVE_SLOTS, Next};
use super::{NO_NATIVE, Vm};
use crate::function::NativeDef;
use crate::heap::Gc;
use crate::native::{Status, Thrown, return_results};
use crate::thread::frame_flags::*;
use crate::thread::{Thread, ThreadState, thread_bits};
use crate::value::Val;
use crate::vm::Event;

/// Why the loop gave control to the host.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The entered function returned the values from this stack index to the top of `current`.
    Done(usize),
    /// The entered function failed; the value is `vm.thrown`.
    Failed,
    /// The coroutine yielded the last `n` values on its stack.
    Yielded(usize),
    /// A native waits for `vm.next_future`.
    Pending,
    /// The slice is used up.
    Preempted,
    /// A nested run used up the fuel: everything is to be stopped.
    Stopped,
}

/// How the host enters a coroutine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// With values: the arguments of the first resume, or the results of the yield or wait.
    Values,
    /// With the error `vm.thrown`, thrown where the coroutine waits.
    Error,
    /// After `Preempted`.
    Again,
}

/// Stands for the host's function in tracebacks.
pub(crate) static HOST_ENTRY: NativeDef = NativeDef {
    name: "?",
    run: |ctx| ctx.ret0(),
    cost: crate::function::Cost::Constant,
    quick: None,
    switch: None,
};

/// Runs of the loop inside one another (each is a host callback that calls Lua).
pub(crate) const MAX_NESTED_RUNS: u32 = 100;

impl Vm {
    /// Calls the function below the last `nargs` values on the current coroutine, from the host.
    /// The exit is `Done` (results from its index to the top; drop them with `set_top`), `Failed` or `Stopped`.
    pub(crate) fn enter_call(&mut self, nargs: u32) -> Result<Exit, Thrown> {
        if self.run_depth >= MAX_NESTED_RUNS {
            return Err(self.throw_str("C stack overflow"));
        }
        let top = self.thread().top;
        let func = top - nargs - 1;
        self.ensure_stack(top as usize + NATIVE_SLOTS)?;
        // In tracebacks the entry frame stands for the host function that makes the call.
        let host = match self.native {
            native if native < func && self.thread().frame_count > 0 => {
                self.thread().get(native as usize)
            }
            _ => Val::native(&HOST_ENTRY),
        };
        // Slide the call up by two: the entry frame needs a function slot and one for the error.
        let t = self.thread_mut();
        for i in (func..top).rev() {
            let v = t.get(i as usize);
            t.set(i as usize + 2, v);
        }
        t.set(func as usize, host);
        t.set(func as usize + 1, Val::NIL);
        t.top = top + 2;
        let saved_native = self.native;
        self.push_native_frame(func, 1, -1, CATCH | BOUNDARY, return_results)?;
        let outer_base = self.base_thread;
        let outer_current = self.current;
        let outer_finalizer = std::mem::take(&mut self.in_finalizer);
        self.base_thread = self.current;
        let outer_is_call = std::mem::replace(&mut self.base_is_call, true);
        self.run_depth += 1;
        let exit = self.execute(Next::Call {
            func: func + 2,
            nargs,
            nresults: -1,
            flags: TO_NATIVE,
        });
        self.run_depth -= 1;
        self.base_thread = outer_base;
        self.base_is_call = outer_is_call;
        self.in_finalizer = outer_finalizer;
        debug_assert!(self.current == outer_current || !matches!(exit, Exit::Done(_)));
        if !matches!(exit, Exit::Done(_) | Exit::Failed) {
            self.abandon(outer_current, func);
        }
        self.current = outer_current;
        self.native = saved_native;
        Ok(exit)
    }

    /// Whether the host function that runs this has to have its result now: it cannot go on another time.
    pub(super) fn is_nested_call(&self) -> bool {
        self.base_is_call && self.run_depth > 1
    }

    /// A nested run ended in the middle: kills the coroutines it had resumed and drops what it left on `thread`.
    fn abandon(&mut self, thread: *mut Thread, func: u32) {
        while self.current != thread && !self.current.is_null() {
            let mut co = self.current_gc();
            self.kill(co);
            self.current = std::mem::replace(&mut co.resumer, std::ptr::null_mut());
        }
        self.current = thread;
        self.close_boxes(func as usize);
        let t = self.thread_mut();
        while t.frame_count > 0 && t.frames()[t.frame_count as usize - 1].func >= func {
            t.frame_count -= 1;
        }
        t.settle_hook();
        t.to_close.retain(|slot| *slot < func);
        t.top = func;
        self.next_future = None;
        self.thread_mut().paused = None;
    }

    /// Makes a coroutine dead without running anything of it.
    pub(super) fn kill(&mut self, mut co: Gc<Thread>) {
        let outer = std::mem::replace(&mut self.current, co.as_ptr());
        self.close_boxes(1);
        self.forget_finalizer();
        self.current = outer;
        co.frame_count = 0;
        co.settle_hook();
        co.top = 1;
        co.to_close.clear();
        co.paused = None;
        co.leaf = std::ptr::null_mut();
        co.state = ThreadState::Done;
    }

    /// Stops a coroutine that the host resumes, and those it had resumed: uncatchably. Their pending to-be-closed
    /// variables are closed on at most `closing_fuel` instructions altogether; errors in that are dropped.
    pub(crate) fn terminate(&mut self, thread: Gc<Thread>, closing_fuel: i64) {
        let fuel_before = self.heap.fuel_left();
        self.heap.set_fuel(closing_fuel);
        let mut at = if thread.leaf.is_null() {
            thread.as_ptr()
        } else {
            thread.leaf
        };
        while !at.is_null() {
            // SAFETY: the chain from the leaf to the coroutine is alive.
            let mut co = unsafe { Gc::from_ptr(at) };
            // Cut off before anything of it runs: a coroutine that ends hands its results to whoever resumed it, and that
            // one must not go on.
            let resumer = std::mem::replace(&mut co.resumer, std::ptr::null_mut());
            at = if co == thread {
                std::ptr::null_mut()
            } else {
                resumer
            };
            let protected = self.scratch.len();
            self.scratch.push(Val::thread(co));
            if let Some(next) = Gc::from_nullable(at) {
                self.scratch.push(Val::thread(next));
            }
            self.close_forcibly(co);
            self.kill(co);
            self.scratch.truncate(protected);
        }
        let used = closing_fuel - self.heap.fuel_left();
        self.heap.set_fuel(fuel_before - used);
    }

    fn close_forcibly(&mut self, mut co: Gc<Thread>) {
        let outer = std::mem::replace(&mut self.current, co.as_ptr());
        self.barrier_thread(co);
        // From here on it is at work, not waiting.
        co.header.extra &= !(thread_bits::WAITING | thread_bits::IDLE);
        co.state = ThreadState::Active;
        self.close_boxes(1);
        co.frame_count = 0;
        co.settle_hook();
        while let Some(slot) = co.to_close.pop() {
            if self.heap.fuel_left() < 0 {
                break;
            }
            co.top = slot + 1;
            co.state = ThreadState::Active; // the end of the last call has made it `Done`
            let v = co.get(slot as usize);
            let method = self.meta_of(v, Event::Close);
            if method.is_nil() || self.ensure_stack(slot as usize + NATIVE_SLOTS).is_err() {
                continue;
            }
            for (i, v) in [method, v, Val::NIL].into_iter().enumerate() {
                co.set(slot as usize + 1 + i, v);
            }
            co.top = slot + 4;
            let _ = self.enter_call(2);
            self.error_traceback = None;
        }
        self.current = outer;
    }

    /// The entry frame's callee returned, or failed and everything was closed.
    pub(super) fn leave(&mut self, results: u32, status: Status) -> Result<Next, Exit> {
        let t = self.thread_mut();
        let Some(f) = t.top_frame() else {
            unreachable!("the entry frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine.
        let func = unsafe { (*f).func };
        t.frame_count -= 1;
        let n = t.top - results;
        self.move_results(func, n, -1);
        let bottom = self.thread().frame_count == 0 && self.current != self.main;
        if bottom && !self.thread().resumer.is_null() {
            // The host started this coroutine; a script resumed it last.
            return self.coroutine_ended(n, status);
        }
        if status == Status::Error {
            self.thrown = self.thread().get(func as usize);
            self.thread_mut().top = func;
            if bottom {
                self.thread_mut().state = ThreadState::Done;
            }
            return Err(Exit::Failed);
        }
        if bottom {
            self.thread_mut().state = ThreadState::Done;
        }
        Err(Exit::Done(func as usize))
    }

    /// Resumes a coroutine from the host with the last `nargs` values on *its* stack, for at most the fuel that
    /// the heap's countdown holds. The coroutine must be `Fresh` or `Suspended`, or continue after `Preempted`/`Pending`.
    pub(crate) fn enter_thread(&mut self, mut thread: Gc<Thread>, nargs: u32, how: Entry) -> Exit {
        let outer = (
            self.current,
            self.base_thread,
            self.native,
            self.base_is_call,
        );
        self.native = NO_NATIVE;
        self.scratch.push(Val::thread(self.current_gc()));
        self.base_is_call = false;
        self.run_depth += 1;
        self.base_thread = thread.as_ptr();
        let leaf = std::mem::replace(&mut thread.leaf, std::ptr::null_mut());
        self.current = if leaf.is_null() {
            thread.as_ptr()
        } else {
            leaf
        };
        self.mark_chain_active();
        let next = self.entry_point(nargs, how);
        let exit = match next {
            Ok(next) => self.execute(next),
            Err(thrown) => match self.unwind(thrown) {
                Ok(next) => self.execute(next),
                Err(exit) => exit,
            },
        };
        if matches!(exit, Exit::Pending | Exit::Preempted | Exit::Stopped) {
            thread.leaf = self.current;
        }
        (
            self.current,
            self.base_thread,
            self.native,
            self.base_is_call,
        ) = outer;
        self.scratch.pop();
        self.run_depth -= 1;
        exit
    }

    fn mark_chain_active(&mut self) {
        let mut t = self.current;
        while !t.is_null() {
            // SAFETY: `current` and its resumers are alive.
            unsafe {
                self.barrier_thread(Gc::from_ptr(t));
                t = (*t).resumer;
            }
        }
    }

    fn entry_point(&mut self, nargs: u32, how: Entry) -> Result<Next, Thrown> {
        let mut t = self.current_gc();
        match how {
            Entry::Values if t.state == ThreadState::Fresh => {
                t.state = ThreadState::Active;
                self.push_native_frame(0, 0, -1, CATCH | BOUNDARY, return_results)?;
                Ok(Next::Call {
                    func: 1,
                    nargs,
                    nresults: -1,
                    flags: TO_NATIVE,
                })
            }
            Entry::Values => {
                t.state = ThreadState::Active;
                // What waits is a native. Its continuation is entered here, which is what the machine would do.
                // SAFETY: its frame is on top of the current coroutine.
                match unsafe { super::run::return_to_native(self, t.top - nargs) } {
                    true => Ok(Next::Run),
                    false => std::mem::replace(&mut self.exit, Ok(Next::Run)),
                }
            }
            Entry::Error => Err(Thrown::Error),
            Entry::Again => Ok(match t.paused.take() {
                Some((results, status)) => Next::Continue { results, status },
                None => Next::SafePoint,
            }),
        }
    }
}
