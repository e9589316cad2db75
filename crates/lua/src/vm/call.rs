//! Everything between two runs of the dispatch loop: calls that the loop does not make itself, returns into native
//! continuations, coroutine switches, errors on their way up, preemption, and the host's entry and exit.
//!
//! It is a state machine: [`Next`] says what is to be done, [`Vm::drive`] does it until a Lua frame is ready to run
//! (then the loop takes over, and comes back with another `Next`) or the host is to be told something ([`Exit`]).
//! Nothing here recurses: a native that calls Lua leaves a frame and a continuation.
//!
//! ```text
//!   host --enter--> drive <----------------+
//!                    |  \--> run_lua --Next-+
//!                    |          \--Thrown--> unwind --Next--> drive
//!                    +--Exit--> host
//! ```
//!
//! **Invariants**
//! - The host's entry is a native frame with `BOUNDARY | CATCH` (`enter_call`, or the first resume of a coroutine by
//!   the host): no error and no return passes it.
//! - A native frame is on the stack exactly while its native waits; its continuation runs with the frame still
//!   there, but no longer catching.
//! - The error value on its way is `vm.thrown`; while to-be-closed variables of a caught error are closed it is kept in
//!   the catching frame's first argument slot (`error_slot`).

use super::dialects::wanted_results;
use super::{NO_NATIVE, Vm};
use crate::dialect::Dialect;
use crate::function::NativeDef;
use crate::heap::Gc;
use crate::native::{Action, Cont, Ctx, NativeResult, Status, Thrown, return_results};
use crate::op::Instr;
use crate::thread::frame_flags::*;
use crate::thread::{Frame, MAX_STACK, Thread, ThreadState};
use crate::value::{Val, tag};
use crate::vm::Event;
use crate::vm::hook::{return_hooked_results, run_hooked_native};

/// What is to be done next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// The top frame is a Lua frame: run it.
    Run,
    /// Call the function at stack index `func`, with the arguments above it.
    Call {
        func: u32,
        nargs: u32,
        nresults: i16,
        flags: u16,
    },
    /// A native function or continuation returned an action. `framed`: its frame is the top frame.
    Acted {
        action: Action,
        func: u32,
        nresults: i16,
        flags: u16,
        framed: bool,
    },
    /// A function called at `func` returned the last `n` values on the stack; its frame is gone.
    Returned {
        func: u32,
        n: u32,
        nresults: i16,
        flags: u16,
    },
    /// Continue the native frame on top; results are at `results` to the top.
    Continue { results: u32, status: Status },
    /// Close the next pending variable of the catching frame on top, or deliver its error.
    CloseCaught,
    /// The Lua function whose frame is on top of a coroutine with a hook has just been called.
    Entered,
    /// The loop stopped at a safe point: collection work is due, or the slice is used up.
    SafePoint,
}

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

pub(crate) static HOST_ENTRY: NativeDef = NativeDef {
    name: "?",
    run: |ctx| ctx.ret0(),
    cost: crate::function::Cost::Constant,
};

impl Vm {
    /// Runs until the host is to be told something. `current` and `base_thread` are set by the caller.
    pub(crate) fn execute(&mut self, mut next: Next) -> Exit {
        loop {
            let thrown = match self.drive(next) {
                Ok(None) => match self.run_top_frame() {
                    Ok(n) => {
                        next = n;
                        continue;
                    }
                    Err(thrown) => thrown,
                },
                Ok(Some(exit)) => return exit,
                Err(thrown) => thrown,
            };
            next = match self.unwind(thrown) {
                Ok(n) => n,
                Err(exit) => return exit,
            };
        }
    }

    fn run_top_frame(&mut self) -> Result<Next, Thrown> {
        self.native = NO_NATIVE;
        if self.thread().hook.is_some() {
            self.run_lua::<true>()
        } else {
            self.run_lua::<false>()
        }
    }

    /// Works until a Lua frame is on top (`None`) or the host is to be told something.
    fn drive(&mut self, mut next: Next) -> Result<Option<Exit>, Thrown> {
        loop {
            next = match next {
                Next::Run => return Ok(None),
                Next::Call {
                    func,
                    nargs,
                    nresults,
                    flags,
                } => self.begin_call(func, nargs, nresults, flags)?,
                Next::Acted {
                    action,
                    func,
                    nresults,
                    flags,
                    framed,
                } => match self.act(action, func, nresults, flags, framed)? {
                    Ok(n) => n,
                    Err(exit) => return Ok(Some(exit)),
                },
                Next::Returned {
                    func,
                    n,
                    nresults,
                    flags,
                } => match self.returned(func, n, nresults, flags)? {
                    Ok(n) => n,
                    Err(exit) => return Ok(Some(exit)),
                },
                Next::Continue { results, status } if self.heap.fuel_left() < -OVERDRAFT => {
                    // A long way up through natives passes no safe point: stop here, before the next one goes on.
                    if self.run_depth > 1 {
                        return Err(Thrown::Stopped);
                    }
                    self.thread_mut().paused = Some((results, status));
                    return Ok(Some(Exit::Preempted));
                }
                Next::Continue { results, status } => {
                    match self.continue_native(results, status)? {
                        Ok(n) => n,
                        Err(exit) => return Ok(Some(exit)),
                    }
                }
                Next::CloseCaught => self.close_caught()?,
                Next::Entered => self.hook_entry()?,
                Next::SafePoint => match self.safe_point()? {
                    Ok(n) => n,
                    Err(exit) => return Ok(Some(exit)),
                },
            }
        }
    }

    /// Starts a call. A Lua function gets its frame; a native runs at once.
    fn begin_call(
        &mut self,
        func: u32,
        mut nargs: u32,
        mut nresults: i16,
        mut flags: u16,
    ) -> Result<Next, Thrown> {
        for passed in 1..=self.max_call_chain() {
            let f = self.thread().get(func as usize);
            match f.tag {
                tag::LCLOSURE => {
                    self.push_lua_frame(func, nargs, nresults, flags)?;
                    if self.thread().hook.is_some() && flags & HOOK != HOOK {
                        return Ok(Next::Entered);
                    }
                    return Ok(if self.heap.fuel < 0 {
                        Next::SafePoint
                    } else {
                        Next::Run
                    });
                }
                tag::NATIVE | tag::NCLOSURE => {
                    if self.thread().hook.is_some() && self.hooks_native_call() {
                        self.thread_mut().top = func + 1 + nargs;
                        self.push_native_frame(func, nargs, nresults, flags, run_hooked_native)?;
                        return self.hook_native_call(nargs);
                    }
                    let action = self.run_native(f, func, nargs)?;
                    if flags == 0 && self.quick_switch(action, func, nresults) {
                        return Ok(Next::Run);
                    }
                    return Ok(Next::Acted {
                        action,
                        func,
                        nresults,
                        flags,
                        framed: false,
                    });
                }
                _ => {
                    nargs = self.prepare_call_metamethod(func, nargs)?;
                    if self.dialect >= Dialect::Lua55 {
                        nresults = self.note_call_chain(func, passed, nresults, flags);
                        flags |= VIA_CALL;
                    }
                }
            }
        }
        Err(self.throw_str("'__call' chain too long"))
    }

    /// Pushes the frame of the Lua function at `func`, whose arguments are above it.
    #[inline]
    pub(crate) fn push_lua_frame(
        &mut self,
        func: u32,
        nargs: u32,
        nresults: i16,
        flags: u16,
    ) -> Result<(), Thrown> {
        let Some(closure) = self.thread().get(func as usize).as_lua_closure() else {
            unreachable!("the caller checked the tag");
        };
        let (params, registers, vararg, code) = {
            let p = closure.proto();
            (
                p.num_params as u32,
                p.max_stack as usize,
                p.is_vararg,
                p.code,
            )
        };
        let (base, extra) = if vararg {
            (func + 1 + nargs, nargs.saturating_sub(params))
        } else {
            (func + 1, 0)
        };
        self.native = NO_NATIVE;
        self.ensure_stack(base as usize + registers + 1)?;
        self.ensure_frame()?;
        let t = self.thread_mut();
        if vararg {
            // Fixed parameters move above the arguments; the extra ones stay where they are.
            for i in 0..params {
                let v = if i < nargs {
                    t.get((func + 1 + i) as usize)
                } else {
                    Val::NIL
                };
                t.set((base + i) as usize, v);
                if i < nargs {
                    t.set((func + 1 + i) as usize, Val::NIL);
                }
            }
        } else {
            for i in nargs..params {
                t.set((base + i) as usize, Val::NIL);
            }
        }
        t.top = base + registers as u32;
        let frame = Frame {
            pc: code,
            func,
            base,
            nresults,
            flags,
            extra,
        };
        // SAFETY: `ensure_frame` made room.
        unsafe { *t.frames.add(t.frame_count as usize) = frame };
        t.frame_count += 1;
        Ok(())
    }

    /// Puts the `__call` metamethod of the value at `func` in front of it.
    #[cold]
    pub(crate) fn prepare_call_metamethod(&mut self, func: u32, nargs: u32) -> Result<u32, Thrown> {
        let f = self.thread().get(func as usize);
        let handler = self.meta_of(f, Event::Call);
        if handler.is_nil() {
            return Err(self.call_error(func as usize, f));
        }
        let top = (func + 1 + nargs) as usize;
        self.ensure_stack(top + 2)?;
        self.heap.spend((nargs / 4) as i64);
        let t = self.thread_mut();
        for i in (func as usize..top).rev() {
            let v = t.get(i);
            t.set(i + 1, v);
        }
        t.set(func as usize, handler);
        t.top = top as u32 + 1;
        self.heap.spend(1);
        Ok(nargs + 1)
    }

    /// Runs a native function that has no frame.
    #[inline]
    pub(crate) fn run_native(&mut self, f: Val, func: u32, nargs: u32) -> NativeResult {
        let base = func as usize + 1;
        let top = base + nargs as usize;
        self.ensure_stack(top + NATIVE_SLOTS)?;
        self.thread_mut().top = top as u32;
        self.native = func;
        let def = match f.tag {
            // SAFETY: the tag's payload is a definition (see `Val::native`).
            tag::NATIVE => unsafe { &*(f.payload as *const NativeDef) },
            _ => f.raw_gc::<crate::function::NativeClosure>().def,
        };
        let mut ctx = Ctx {
            vm: self,
            func: func as usize,
            base,
            nargs: nargs as usize,
            results: top,
            status: Status::Ok,
        };
        let action = (def.run)(&mut ctx)?;
        // A count changed by `resize_args` is state that the native's frame is to keep.
        let kept = ctx.nargs as u32;
        self.native_nargs = kept;
        Ok(action)
    }

    /// Pushes the frame of a native that waits.
    pub(super) fn push_native_frame(
        &mut self,
        func: u32,
        nargs: u32,
        nresults: i16,
        flags: u16,
        cont: Cont,
    ) -> Result<(), Thrown> {
        self.ensure_frame()?;
        let t = self.thread_mut();
        let frame = Frame {
            pc: cont as *const Instr,
            func,
            base: func + 1,
            nresults,
            flags: flags | NATIVE,
            extra: nargs,
        };
        // SAFETY: `ensure_frame` made room.
        unsafe { *t.frames.add(t.frame_count as usize) = frame };
        t.frame_count += 1;
        Ok(())
    }

    /// Does what a native asked for. `framed`: its frame is on top already (it was continued).
    fn act(
        &mut self,
        action: Action,
        func: u32,
        nresults: i16,
        flags: u16,
        framed: bool,
    ) -> Result<Result<Next, Exit>, Thrown> {
        if self.floats {
            match action {
                Action::Return(n) | Action::Yield(n) => self.make_floats(n),
                Action::Call { nargs } | Action::TailCall { nargs } | Action::Resume { nargs } => {
                    self.make_floats(nargs)
                }
                Action::CloseThread | Action::Await | Action::Pause => {}
            }
        }
        if let Action::Return(n) = action {
            if self.thread().hook.is_some() && flags & FINALIZER == 0 && self.hooks_native_return()
            {
                if framed {
                    let t = self.thread_mut();
                    let f = t.frame(t.frame_count as usize - 1);
                    // SAFETY: the native's own frame is on top.
                    unsafe { (*f).pc = return_hooked_results as Cont as *const Instr };
                } else {
                    let cont = return_hooked_results;
                    self.push_native_frame(func, n, nresults, flags, cont)?;
                }
                return self.hook_native_return(n).map(Ok);
            }
            if framed {
                self.thread_mut().frame_count -= 1;
            }
            return Ok(Ok(Next::Returned {
                func,
                n,
                nresults,
                flags,
            }));
        }
        let nargs = self.native_nargs;
        let cont = self.next_cont;
        let caught = std::mem::take(&mut self.next_flags);
        if framed {
            let t = self.thread_mut();
            let f = t.frame(t.frame_count as usize - 1);
            // SAFETY: the native's own frame is on top.
            unsafe {
                (*f).pc = cont as *const Instr;
                (*f).extra = nargs;
                (*f).flags = (*f).flags & !(CATCH | HANDLER | PASSES | PASSES_STATUS) | caught;
            }
        } else {
            self.push_native_frame(func, nargs, nresults, flags | caught, cont)?;
        }
        if self.strict && matches!(action, Action::Call { .. }) {
            self.check_native_depth()?;
        }
        let top = self.thread().top;
        match action {
            Action::Call { nargs } => Ok(Ok(Next::Call {
                func: top - nargs - 1,
                nargs,
                nresults: -1,
                flags: TO_NATIVE,
            })),
            Action::TailCall { nargs } => {
                // The native's frame goes; its callee takes its place.
                let t = self.thread_mut();
                t.frame_count -= 1;
                for i in 0..=nargs {
                    let v = t.get((top - nargs - 1 + i) as usize);
                    t.set((func + i) as usize, v);
                }
                t.top = func + 1 + nargs;
                Ok(Ok(Next::Call {
                    func,
                    nargs,
                    nresults,
                    flags: flags | TAIL,
                }))
            }
            Action::Resume { nargs } => self.resume_coroutine(nargs).map(Ok),
            Action::Yield(n) => self.yield_values(n),
            Action::CloseThread => self.begin_close_thread().map(Ok),
            Action::Await => {
                if self.run_depth > 1 || self.base_thread == self.main {
                    self.drop_native_frame();
                    self.next_future = None;
                    return Err(
                        self.throw_str("attempt to wait outside a coroutine that the host resumes")
                    );
                }
                Ok(Err(Exit::Pending))
            }
            Action::Pause => Ok(Ok(Next::SafePoint)),
            Action::Return(_) => unreachable!("handled above"),
        }
    }

    /// Delivers results to whoever called.
    fn returned(
        &mut self,
        func: u32,
        n: u32,
        nresults: i16,
        flags: u16,
    ) -> Result<Result<Next, Exit>, Thrown> {
        let nresults = wanted_results(nresults, flags);
        if flags & SLOW_RETURN & !VIA_CALL == 0 {
            self.move_results(func, n, nresults);
            self.note_return();
            return Ok(Ok(Next::Run));
        }
        if flags & HOOK == HOOK {
            return Ok(Ok(self.hook_returned()));
        }
        if flags & (CLOSER | FINALIZER) != 0 {
            // Results are dropped and the top is as it was before the call.
            self.thread_mut().top = func;
            if flags & FINALIZER != 0 {
                self.in_finalizer = false;
                return Ok(Ok(if flags & TO_NATIVE != 0 {
                    self.continue_at(func)
                } else {
                    Next::SafePoint
                }));
            }
            return Ok(Ok(if flags & TO_NATIVE != 0 {
                Next::CloseCaught
            } else {
                Next::Run
            }));
        }
        if flags & IN_HANDLER != 0 {
            let top = self.thread().top;
            self.thrown = if n == 0 {
                Val::NIL
            } else {
                self.thread().get((top - n) as usize)
            };
            return Err(Thrown::Handled);
        }
        if flags & META != 0 {
            self.note_return();
            let top = self.thread().top;
            let result = if n == 0 {
                Val::NIL
            } else {
                self.thread().get((top - n) as usize)
            };
            return self.finish_instruction(func, result).map(Ok);
        }
        if flags & TO_NATIVE != 0 {
            self.move_results(func, n, -1);
            return Ok(Ok(Next::Continue {
                results: func,
                status: Status::Ok,
            }));
        }
        debug_assert!(flags & BOTTOM != 0);
        Ok(self.coroutine_finished(n))
    }

    fn continue_at(&mut self, results: u32) -> Next {
        Next::Continue {
            results,
            status: Status::Ok,
        }
    }

    /// Moves the last `n` values to `func`, as many as wanted (-1: all, and the top is set behind them).
    #[inline]
    pub(crate) fn move_results(&mut self, func: u32, n: u32, wanted: i16) {
        self.heap.spend((n / 4) as i64);
        let t = self.thread_mut();
        let from = (t.top - n) as usize;
        let to = func as usize;
        let copy = if wanted < 0 {
            n as usize
        } else {
            (n as usize).min(wanted as usize)
        };
        for i in 0..copy {
            let v = t.get(from + i);
            t.set(to + i, v);
        }
        if wanted < 0 {
            t.top = func + n;
        } else {
            for i in copy..wanted as usize {
                t.set(to + i, Val::NIL);
            }
        }
    }

    /// Enters the continuation of the native frame on top.
    fn continue_native(
        &mut self,
        results: u32,
        status: Status,
    ) -> Result<Result<Next, Exit>, Thrown> {
        let t = self.thread_mut();
        let Some(f) = t.top_frame() else {
            unreachable!("a native frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine.
        let frame = unsafe {
            debug_assert!((*f).is_native());
            (*f).flags &=
                !(CATCH | HANDLER | CLOSING) | if (*f).flags & BOUNDARY != 0 { CATCH } else { 0 };
            *f
        };
        if frame.flags & BOUNDARY != 0 {
            return Ok(self.leave(results, status));
        }
        let top = t.top as usize;
        self.ensure_stack(top + NATIVE_SLOTS)?;
        self.native = frame.func;
        let cont = frame.continuation();
        let mut ctx = Ctx {
            vm: self,
            func: frame.func as usize,
            base: frame.base as usize,
            nargs: frame.extra as usize,
            results: results as usize,
            status,
        };
        let action = cont(&mut ctx)?;
        let nargs = ctx.nargs as u32;
        self.native_nargs = nargs;
        let flags = frame.flags
            & !(NATIVE | CATCH | HANDLER | CLOSING | CLOSE_THREAD | PASSES | PASSES_STATUS);
        Ok(Ok(Next::Acted {
            action,
            func: frame.func,
            nresults: frame.nresults,
            flags,
            framed: true,
        }))
    }

    // ---- the host's door ----

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
    fn kill(&mut self, mut co: Gc<Thread>) {
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
    fn leave(&mut self, results: u32, status: Status) -> Result<Next, Exit> {
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
                Ok(Next::Continue {
                    results: t.top - nargs,
                    status: Status::Ok,
                })
            }
            Entry::Error => Err(Thrown::Error),
            Entry::Again => Ok(match t.paused.take() {
                Some((results, status)) => Next::Continue { results, status },
                None => Next::SafePoint,
            }),
        }
    }

    // ---- coroutines ----

    /// `Action::Resume`: the coroutine is below the last `nargs` values; the native's frame is on top.
    fn resume_coroutine(&mut self, nargs: u32) -> Result<Next, Thrown> {
        let top = self.thread().top;
        let from = top - nargs;
        let Some(mut co) = self.thread().get(from as usize - 1).as_thread() else {
            unreachable!("natives check before they resume");
        };
        debug_assert!(matches!(
            co.state,
            ThreadState::Fresh | ThreadState::Suspended
        ));
        let resumer = self.current_gc();
        if resumer.depth >= MAX_COROUTINE_DEPTH {
            let _ = self.throw_bytes(b"C stack overflow");
            return Ok(self.refuse_resume(from));
        }
        self.barrier_thread(co);
        self.heap.spend(4 + nargs as i64);
        co.resumer = resumer.as_ptr();
        self.current = if co.leaf.is_null() {
            co.as_ptr()
        } else {
            std::mem::replace(&mut co.leaf, std::ptr::null_mut())
        };
        debug_assert!(
            self.current == co.as_ptr(),
            "a coroutine that waits for the host is not resumable by scripts"
        );
        let at = co.top;
        let fresh = co.state == ThreadState::Fresh;
        co.state = ThreadState::Active; // from here on the collector leaves its stack's size alone
        // What is called or continued there makes room for itself; here only the arguments must fit.
        if self.ensure_stack((at + nargs) as usize + 1).is_err() {
            co.state = if fresh {
                ThreadState::Fresh
            } else {
                ThreadState::Suspended
            };
            self.current = resumer.as_ptr();
            co.resumer = std::ptr::null_mut();
            if at as usize + nargs as usize >= MAX_STACK {
                let _ = self.throw_bytes(b"too many arguments to resume");
            }
            return Ok(self.refuse_resume(from));
        }
        co.depth = resumer.depth + 1;
        for i in 0..nargs {
            co.set((at + i) as usize, resumer.get((from + i) as usize));
        }
        co.top = at + nargs;
        self.thread_of(resumer).top = from;
        if fresh {
            Ok(Next::Call {
                func: 1,
                nargs,
                nresults: -1,
                flags: BOTTOM,
            })
        } else {
            Ok(Next::Continue {
                results: at,
                status: Status::Ok,
            })
        }
    }

    /// A coroutine that cannot be resumed: the native that tried gets the error, as if the coroutine had failed.
    fn refuse_resume(&mut self, from: u32) -> Next {
        let error = self.thrown;
        let t = self.thread_mut();
        t.set(from as usize, error);
        t.top = from + 1;
        Next::Continue {
            results: from,
            status: Status::Error,
        }
    }

    fn thread_of(&mut self, mut t: Gc<Thread>) -> &mut Thread {
        // SAFETY: a live coroutine; the borrow of `self` keeps other references away.
        unsafe { &mut *(&mut *t as *mut Thread) }
    }

    /// Whether a coroutine is the main program to scripts: it cannot yield, and is not resumed.
    pub(crate) fn is_main(&self, t: Gc<Thread>) -> bool {
        t.as_ptr() == self.main || t.header.extra & crate::thread::thread_bits::IS_MAIN != 0
    }

    /// Whether the current coroutine may yield.
    pub(crate) fn is_yieldable(&self) -> bool {
        if self.is_main(self.current_gc()) {
            return false;
        }
        if self.in_finalizer
            && self
                .thread()
                .frames()
                .iter()
                .any(|f| f.flags & FINALIZER != 0)
        {
            return false;
        }
        if self
            .thread()
            .frames()
            .first()
            .is_some_and(|f| f.flags & CLOSE_THREAD != 0)
        {
            return false; // it is being closed
        }
        if self.thread().in_hook() {
            return false;
        }
        if self.strict && self.thread().frames().iter().any(|f| self.blocks_yield(f)) {
            return false;
        }
        !(self.base_is_call && self.current == self.base_thread)
    }

    /// Strict mode: whether a frame is that of a native that the reference cannot yield across.
    fn blocks_yield(&self, frame: &Frame) -> bool {
        frame.is_native()
            && self
                .thread()
                .get(frame.func as usize)
                .as_native()
                .is_some_and(|def| !crate::stdlib::lets_yield(def))
    }

    /// Strict mode: natives wait inside one another only as deep as the reference's C stack allows.
    fn check_native_depth(&mut self) -> Result<(), Thrown> {
        let waiting = self
            .thread()
            .frames()
            .iter()
            .filter(|f| f.is_native())
            .count();
        if waiting > MAX_NATIVE_DEPTH {
            Err(self.throw_str("C stack overflow"))
        } else {
            Ok(())
        }
    }

    /// Takes the frame off again of a native whose action is refused: it is as if the native had thrown.
    fn drop_native_frame(&mut self) {
        let Some(f) = self.thread().top_frame() else {
            unreachable!("the native's frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine.
        self.native = unsafe { (*f).func };
        self.thread_mut().frame_count -= 1;
    }

    fn yield_values(&mut self, n: u32) -> Result<Result<Next, Exit>, Thrown> {
        if !self.is_yieldable() {
            self.drop_native_frame();
            let outside = self.is_main(self.current_gc());
            let message: &[u8] = match outside {
                _ if !self.dialect.has_env_variable() => {
                    b"attempt to yield across metamethod/C-call boundary"
                }
                true => b"attempt to yield from outside a coroutine",
                false => b"attempt to yield across a C-call boundary",
            };
            return Err(self.throw_bytes(message));
        }
        let mut co = self.current_gc();
        co.state = ThreadState::Suspended;
        if co.resumer.is_null() {
            return Ok(Err(Exit::Yielded(n as usize)));
        }
        self.switch_to_resumer(n, Status::Ok).map(Ok)
    }

    /// Hands the last `n` values of the current coroutine to its resumer and continues that.
    fn switch_to_resumer(&mut self, n: u32, status: Status) -> Result<Next, Thrown> {
        let mut co = self.current_gc();
        // SAFETY: the caller checked that there is a resumer; it is alive, being in the chain of what runs.
        let mut resumer = unsafe { Gc::from_ptr(co.resumer) };
        co.resumer = std::ptr::null_mut();
        self.current = resumer.as_ptr();
        let at = resumer.top;
        let from = co.top - n;
        if let Err(e) = self.ensure_stack((at + n) as usize + NATIVE_SLOTS) {
            co.top = from;
            return Err(e);
        }
        for i in 0..n {
            resumer.set((at + i) as usize, co.get((from + i) as usize));
        }
        co.top = from;
        resumer.top = at + n;
        self.heap.spend(4 + n as i64);
        Ok(Next::Continue {
            results: at,
            status,
        })
    }

    /// The first function of a coroutine that a script resumed has returned the last `n` values.
    fn coroutine_finished(&mut self, n: u32) -> Result<Next, Exit> {
        self.coroutine_ended(n, Status::Ok)
    }

    fn coroutine_ended(&mut self, n: u32, status: Status) -> Result<Next, Exit> {
        let mut co = self.current_gc();
        co.state = ThreadState::Done;
        if co.resumer.is_null() {
            let from = (co.top - n) as usize;
            return match status {
                Status::Ok => Err(Exit::Done(from)),
                Status::Error => {
                    self.thrown = co.get(from);
                    Err(Exit::Failed)
                }
            };
        }
        let switched = self.switch_to_resumer(n, status);
        co.top = 1; // it holds on to nothing any more
        match switched {
            Ok(next) => Ok(next),
            Err(thrown) => self.unwind(thrown),
        }
    }

    /// The short cut of a switch between coroutines: from a native that Lua code called, which asks for it, to one that
    /// waits for a switch, was called by Lua code, and would only return what arrives. The values go straight to where
    /// that call wants them. `false`: nothing was done, and the long way is to be taken.
    ///
    /// PERF: the long way copies `Next`s, whose parts have just been written, in larger pieces: stalls of a dozen cycles.
    pub(crate) fn quick_switch(&mut self, action: Action, func: u32, nresults: i16) -> bool {
        let mut from = self.current_gc();
        let (n, resuming) = match action {
            Action::Yield(n) => (n, false),
            Action::Resume { nargs } => (nargs, true),
            _ => return false,
        };
        let first = from.top - n;
        let to = match resuming {
            false if from.resumer.is_null() || !self.is_yieldable() => return false,
            // SAFETY: a resumer is alive while the coroutine it has resumed runs.
            false => unsafe { Gc::from_ptr(from.resumer) },
            true => match from.get(first as usize - 1).as_thread() {
                Some(co)
                    if co.state == ThreadState::Suspended && from.depth < MAX_COROUTINE_DEPTH =>
                {
                    co
                }
                _ => return false,
            },
        };
        if from.frame_count == from.frame_capacity
            || from.hook.is_some()
            || to.hook.is_some()
            || !to.leaf.is_null()
            || !pass_values(from, first, n, to)
        {
            return false;
        }
        let flags = NATIVE | std::mem::take(&mut self.next_flags);
        let cont = self.next_cont as *const Instr;
        let frame = Frame {
            pc: cont,
            func,
            base: func + 1,
            nresults,
            flags,
            extra: self.native_nargs,
        };
        // SAFETY: there is room for the frame.
        unsafe { *from.frames.add(from.frame_count as usize) = frame };
        from.frame_count += 1;
        from.top = first;
        if resuming {
            self.barrier_thread(to);
            let mut co = to;
            co.resumer = from.as_ptr();
            co.depth = from.depth + 1;
            co.state = ThreadState::Active;
        } else {
            from.state = ThreadState::Suspended;
            from.resumer = std::ptr::null_mut();
        }
        self.current = to.as_ptr();
        self.heap.spend(4 + n as i64);
        true
    }

    /// `Action::CloseThread`: the coroutine to close is the last value on the stack; the native's frame is on top.
    fn begin_close_thread(&mut self) -> Result<Next, Thrown> {
        let top = self.thread().top;
        let Some(mut co) = self.thread().get(top as usize - 1).as_thread() else {
            unreachable!("natives check before they close");
        };
        if co.as_ptr() == self.current {
            return self.begin_close_itself();
        }
        let failed = co.state == ThreadState::Failed;
        let error = if failed {
            co.get(co.top as usize - 1)
        } else {
            Val::NIL
        };
        let resumer = self.current_gc();
        if resumer.depth >= MAX_COROUTINE_DEPTH {
            self.kill(co);
            let _ = self.throw_bytes(b"C stack overflow");
            return Ok(self.refuse_resume(top - 1));
        }
        self.barrier_thread(co);
        co.resumer = resumer.as_ptr();
        self.current = co.as_ptr();
        co.depth = resumer.depth + 1;
        co.state = ThreadState::Active;
        // All frames go; a catching frame at the bottom closes what is pending and reports.
        co.frame_count = 0;
        co.settle_hook();
        co.set(0, Val::native(&HOST_ENTRY));
        self.close_boxes(1);
        self.push_native_frame(
            0,
            1,
            -1,
            BOTTOM | CATCH | CLOSING | CLOSE_THREAD,
            close_finished,
        )?;
        co.status = if failed { Status::Error } else { Status::Ok };
        // Slot 1 belongs to the coroutine's function: it is the error's place, if no variable to close is there.
        let lowest = co.to_close.first().copied().unwrap_or(u32::MAX);
        debug_assert!(lowest > 1);
        co.set(1, error);
        Ok(Next::CloseCaught)
    }

    // ---- errors ----

    /// Finds who handles what was thrown.
    pub(crate) fn unwind(&mut self, mut thrown: Thrown) -> Result<Next, Exit> {
        loop {
            if thrown == Thrown::Stopped {
                return Err(Exit::Stopped);
            }
            match self.unwind_coroutine(thrown) {
                Ok(Some(next)) => return Ok(next),
                Ok(None) => {}
                Err(again) => {
                    thrown = again;
                    continue;
                }
            }
            // No frame of this coroutine catches it: the coroutine fails, and its resumer gets the error.
            let mut co = self.current_gc();
            self.note_traceback(co.resumer.is_null());
            self.forget_finalizer();
            let keep = self.keep_for_traceback();
            co.state = ThreadState::Failed;
            self.native = NO_NATIVE;
            let error = self.error_object();
            self.close_boxes(1);
            co.set(keep as usize, error);
            co.top = keep + 1;
            if co.resumer.is_null() {
                return Err(Exit::Failed);
            }
            match self.switch_to_resumer_with_error(error) {
                Ok(next) => return Ok(next),
                Err(again) => thrown = again,
            }
        }
    }

    /// The current coroutine fails. Its frames stay as they are for `debug.traceback`, and pending variables until it
    /// is closed; the error's place is above them: its stack index is returned. Frames go when there is no room.
    fn keep_for_traceback(&mut self) -> u32 {
        let error = self.thrown;
        self.frame_for_traceback();
        let keep = self.thread().extent();
        if self.ensure_stack(keep + 2).is_ok() {
            return keep as u32;
        }
        self.thrown = error;
        let t = self.thread_mut();
        t.frame_count = 0;
        t.to_close.last().map_or(1, |i| i + 1)
    }

    /// The current coroutine's frames are about to go: so does a finalizer that runs there.
    pub(super) fn forget_finalizer(&mut self) {
        if self.in_finalizer
            && self
                .thread()
                .frames()
                .iter()
                .any(|f| f.flags & FINALIZER != 0)
        {
            self.in_finalizer = false;
        }
    }

    fn switch_to_resumer_with_error(&mut self, error: Val) -> Result<Next, Thrown> {
        let mut co = self.current_gc();
        // SAFETY: the caller checked that there is a resumer; it is alive, being in the chain of what runs.
        let mut resumer = unsafe { Gc::from_ptr(co.resumer) };
        co.resumer = std::ptr::null_mut();
        self.current = resumer.as_ptr();
        let at = resumer.top;
        self.ensure_stack(at as usize + NATIVE_SLOTS)?;
        resumer.set(at as usize, error);
        resumer.top = at + 1;
        Ok(Next::Continue {
            results: at,
            status: Status::Error,
        })
    }

    /// Before the stack unwinds: keeps the traceback of an error that goes to the host, unless it came from a host function
    /// that had one. What a script catches needs none.
    fn note_traceback(&mut self, to_host: bool) {
        if !to_host {
            self.error_traceback = None;
        } else if self.error_traceback.is_none() {
            let text = self.traceback(self.current_gc(), None, 0);
            self.error_traceback = Some(String::from_utf8_lossy(&text).into());
        }
    }

    /// Looks for a catching frame in the current coroutine. `None`: there is none.
    fn unwind_coroutine(&mut self, thrown: Thrown) -> Result<Option<Next>, Thrown> {
        let t = self.thread();
        let Some(at) = t.frames().iter().rposition(|f| f.flags & CATCH != 0) else {
            return Ok(None);
        };
        let frame = t.frames()[at];
        let in_handler = t.frames()[at + 1..]
            .iter()
            .filter(|f| f.flags & HOOK == IN_HANDLER)
            .count();
        if frame.flags & HANDLER != 0 && thrown == Thrown::Error {
            // A native handler that fails leaves no frame with the flag: `handler_depth` counts it.
            let depth = in_handler.max(t.handler_depth as usize);
            if depth == MAX_HANDLER_DEPTH {
                // The handlers are told, too, and get some room to do without an error of their own.
                let _ = self.throw_bytes(b"C stack overflow");
            }
            let handler = self.thread().get(frame.base as usize);
            let usable = self.dialect >= Dialect::Lua53 || handler.is_function();
            if usable && depth < MAX_HANDLER_DEPTH + SPARE_HANDLER_DEPTH {
                return self.call_handler(frame).map(Some);
            }
            self.thrown = Val::NIL;
            if let Ok(s) = self.new_str(b"error in error handling") {
                self.thrown = Val::str(s);
            }
        }
        let to_host = frame.flags & BOUNDARY != 0 && (at > 0 || self.thread().resumer.is_null());
        self.note_traceback(to_host);
        self.native = NO_NATIVE;
        let error = self.error_object();
        let closing = self.in_finalizer
            && self.thread().frames()[at + 1..]
                .iter()
                .any(|f| f.flags & FINALIZER != 0);
        if closing {
            self.in_finalizer = false;
        }
        let t = self.thread_mut();
        t.handler_depth = 0;
        t.frame_count = at as u32 + 1;
        t.settle_hook();
        let keep = error_slot(&frame);
        t.set(keep as usize, error);
        // Everything above the highest pending variable is dead.
        let pending = t.to_close.last().copied().filter(|i| *i > keep);
        t.top = pending.map_or(keep + 1, |i| i + 1);
        let f = t.frame(at);
        // SAFETY: `at` is below the frame count.
        unsafe { (*f).flags |= CLOSING };
        if frame.flags & CLOSE_THREAD != 0 {
            t.status = Status::Error; // even if the error is nil
        }
        self.close_boxes(keep as usize + 1);
        Ok(Some(Next::CloseCaught))
    }

    /// Runs a message handler on top of everything, before the stack unwinds.
    fn call_handler(&mut self, frame: Frame) -> Result<Next, Thrown> {
        let error = self.thrown;
        let handler = self.thread().get(frame.base as usize);
        self.thread_mut().handler_depth += 1;
        self.frame_for_traceback();
        let at = self.thread().extent();
        self.ensure_stack(at + NATIVE_SLOTS)?;
        let t = self.thread_mut();
        t.set(at, handler);
        t.set(at + 1, error);
        t.top = at as u32 + 2;
        Ok(Next::Call {
            func: at as u32,
            nargs: 1,
            nresults: 1,
            flags: IN_HANDLER,
        })
    }

    /// A native that threw without having a frame gets one, so that a handler sees it in the traceback.
    fn frame_for_traceback(&mut self) {
        let native = self.native;
        self.native = NO_NATIVE;
        if native == NO_NATIVE {
            return;
        }
        let t = self.thread();
        let top_is_it = t
            .frames()
            .last()
            .is_some_and(|f| f.is_native() && f.func == native);
        if !top_is_it
            && native < t.top
            && self
                .push_native_frame(native, 0, 0, 0, return_results)
                .is_err()
        {
            // No room for one more frame: the traceback lacks this line.
            self.native = NO_NATIVE;
        }
    }

    /// The catching frame on top has the error in its first slot: closes its next pending variable, or delivers.
    fn close_caught(&mut self) -> Result<Next, Thrown> {
        let t = self.thread_mut();
        let Some(f) = t.top_frame() else {
            unreachable!("the catching frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine.
        let (keep, for_close) = unsafe { (error_slot(&*f), (*f).flags & CLOSE_THREAD != 0) };
        let error = t.get(keep as usize);
        match t.to_close.last().copied() {
            Some(slot) if slot > keep => {
                t.to_close.pop();
                self.begin_close(slot, error, slot + 1, TO_NATIVE)
            }
            _ => {
                t.set(keep as usize + 1, error);
                t.top = keep + 2;
                let closed = t.status == Status::Ok && error.is_nil();
                let status = if for_close && closed {
                    Status::Ok
                } else {
                    Status::Error
                };
                Ok(Next::Continue {
                    results: keep + 1,
                    status,
                })
            }
        }
    }

    /// Calls `__close` of the variable at `slot`; the call is placed at `at`.
    pub(crate) fn begin_close(
        &mut self,
        slot: u32,
        error: Val,
        at: u32,
        flags: u16,
    ) -> Result<Next, Thrown> {
        let v = self.thread().get(slot as usize);
        let method = self.meta_of(v, Event::Close);
        self.ensure_stack(at as usize + NATIVE_SLOTS)?;
        let t = self.thread_mut();
        t.set(at as usize, method);
        t.set(at as usize + 1, v);
        t.set(at as usize + 2, error);
        t.top = at + 3;
        if method.is_nil() {
            t.set(at as usize, v); // for the message
            return Err(self.close_error());
        }
        Ok(Next::Call {
            func: at,
            // From 5.5 on, there is an argument for the error only where there is one (which then is not nil).
            nargs: match error.is_nil() && self.dialect >= Dialect::Lua55 {
                true => 1,
                false => 2,
            },
            nresults: 0,
            flags: flags | CLOSER,
        })
    }

    // ---- safe points ----

    /// Collection work, finalizers, preemption. The top frame is Lua, or a native that paused.
    fn safe_point(&mut self) -> Result<Result<Next, Exit>, Thrown> {
        if self.heap.take_interrupt() {
            self.forget_dead_registers();
            self.collect_step();
        }
        if self.heap.fuel < 0 {
            if self.run_depth > 1 {
                return Err(Thrown::Stopped);
            }
            return Ok(Err(Exit::Preempted));
        }
        let native = self.thread().top_frame().is_some_and(|f| {
            // SAFETY: the frame is on top of the current coroutine.
            unsafe { (*f).is_native() }
        });
        if !self.in_finalizer && !self.heap.gc.to_finalize.is_empty() {
            return self.begin_finalizer(native).map(Ok);
        }
        if native {
            let top = self.thread().top;
            return Ok(Ok(Next::Continue {
                results: top,
                status: Status::Ok,
            }));
        }
        Ok(Ok(Next::Run))
    }

    /// Calls every finalizer there is, newest object first: the VM is about to go. Bounded by the fuel that is left.
    /// Objects that finalizers make get none.
    pub(crate) fn finalize_everything(&mut self) {
        self.queue_all_finalizers();
        while let Some(object) = self.next_to_finalize() {
            let method = self.meta_of(object, Event::Gc);
            let top = self.thread().extent();
            self.scratch.push(object);
            let room = self.ensure_stack(top + NATIVE_SLOTS);
            self.scratch.pop();
            if room.is_err() || self.heap.fuel_left() < 0 {
                return;
            }
            let t = self.thread_mut();
            t.set(top, Val::native(&crate::stdlib::RUN_FINALIZER));
            t.set(top + 1, method);
            t.set(top + 2, object);
            t.top = top as u32 + 3;
            let _ = self.enter_call(2);
            self.thread_mut().top = top as u32;
        }
    }

    /// Calls the next queued finalizer on top of whatever runs.
    fn begin_finalizer(&mut self, native: bool) -> Result<Next, Thrown> {
        let Some(object) = self.next_to_finalize() else {
            return Ok(Next::Run);
        };
        self.scratch.push(object);
        let at = self.thread().extent();
        let room = self.ensure_stack(at + NATIVE_SLOTS);
        self.scratch.pop();
        room?;
        let method = self.meta_of(object, Event::Gc);
        let t = self.thread_mut();
        t.set(at, Val::native(&crate::stdlib::RUN_FINALIZER));
        t.set(at + 1, method);
        t.set(at + 2, object);
        t.top = at as u32 + 3;
        self.in_finalizer = true;
        let flags = FINALIZER | if native { TO_NATIVE } else { 0 };
        Ok(Next::Call {
            func: at as u32,
            nargs: 2,
            nresults: 0,
            flags,
        })
    }
}

/// Where a catching frame keeps the error while variables are closed: its first argument slot, or the one behind its
/// message handler, which errors in closing see too.
fn error_slot(frame: &Frame) -> u32 {
    frame.base + (frame.flags & HANDLER != 0) as u32
}

/// Makes the native that waits on top of `to` return `n` values of another coroutine's stack, if it is one that would do
/// nothing else and was called by Lua code.
fn pass_values(from: Gc<Thread>, first: u32, n: u32, mut to: Gc<Thread>) -> bool {
    let Some(f) = to.top_frame() else {
        return false;
    };
    // SAFETY: the frame is on top of the coroutine.
    let frame = unsafe { *f };
    let passes = frame.flags & (PASSES | PASSES_STATUS);
    if passes == 0 || frame.flags != NATIVE | passes {
        return false;
    }
    let status = (passes == PASSES_STATUS) as u32;
    let at = frame.func;
    let count = if frame.nresults < 0 {
        n + status
    } else {
        frame.nresults as u32
    };
    if (at + count) as usize >= to.stack_size as usize {
        return false;
    }
    to.frame_count -= 1;
    for i in 0..count {
        let v = if i < status {
            Val::TRUE
        } else if i - status < n {
            from.get((first + i - status) as usize)
        } else {
            Val::NIL
        };
        to.set((at + i) as usize, v);
    }
    to.top = if frame.nresults < 0 { at + count } else { at };
    true
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

/// The end of closing a coroutine: nothing, or the error of its last failed `__close` (or of the coroutine itself).
fn close_finished(ctx: &mut Ctx<'_>) -> NativeResult {
    match ctx.status() {
        Status::Ok => ctx.ret0(),
        Status::Error => {
            let error = ctx.result(0);
            ctx.vm.thread_mut().status = Status::Error;
            ctx.ret(error)
        }
    }
}

/// Fuel that a cascade of returns into natives may use up beyond the slice.
const OVERDRAFT: i64 = 100_000;
/// Free slots that a native finds above its arguments.
pub(crate) const NATIVE_SLOTS: usize = 24;
/// Runs of the loop inside one another (each is a host callback that calls Lua).
pub(crate) const MAX_NESTED_RUNS: u32 = 100;
/// Coroutines inside one another.
const MAX_COROUTINE_DEPTH: u32 = 197;
/// Natives that wait for one another in a coroutine of a strict VM.
const MAX_NATIVE_DEPTH: usize = 195;
/// Errors inside message handlers.
const MAX_HANDLER_DEPTH: usize = 195;
/// The same after the one that says that there were too many.
const SPARE_HANDLER_DEPTH: usize = 20;
