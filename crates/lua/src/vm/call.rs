//! Everything between two runs of the interpreter. Here: calls that it does not make itself, natives, and returns into
//! their continuations. Coroutine switches are in [`coroutine`](super::coroutine), errors on their way up in
//! [`unwind`](super::unwind), preemption and finalizers in [`safe_point`](super::safe_point), the host's entry and exit in
//! [`entry`](super::entry).
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

use super::dialects::wanted_results;
use super::entry::Exit;
use super::{NO_NATIVE, Vm};
use crate::dialect::Dialect;
use crate::function::NativeDef;
use crate::native::{Action, Cont, Ctx, NativeResult, Status, Thrown};
use crate::op::Instr;
use crate::thread::Frame;
use crate::thread::frame_flags::*;
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

/// Free slots that a native finds above its arguments.
pub(crate) const NATIVE_SLOTS: usize = 24;
/// Fuel that a cascade of returns into natives may use up beyond the slice.
const OVERDRAFT: i64 = 100_000;

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
        self.run_lua()
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
                    if self.is_nested_call() {
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
        let extra = match vararg {
            true => nargs.saturating_sub(params),
            false => 0,
        };
        let base = func + 1 + if extra == 0 { 0 } else { nargs + 1 };
        self.native = NO_NATIVE;
        self.ensure_stack(base as usize + registers + 1)?;
        self.ensure_frame()?;
        let t = self.thread_mut();
        if extra == 0 {
            for i in nargs..params {
                t.set((base + i) as usize, Val::NIL);
            }
        } else {
            // Fixed parameters move above the arguments, behind the function again; the extra ones stay where they are.
            let function = t.get(func as usize);
            t.set(base as usize - 1, function);
            for i in 0..params {
                let v = t.get((func + 1 + i) as usize);
                t.set((base + i) as usize, v);
                t.set((func + 1 + i) as usize, Val::NIL);
            }
        }
        t.top = base + registers as u32;
        // SAFETY: `ensure_frame` made room.
        unsafe {
            let frame = t.frames.add(t.frame_count as usize);
            (*frame).pc = code;
            (*frame).func = func;
            (*frame).base = base;
            Frame::set_rest(frame, nresults, flags, extra);
        }
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
                // A coroutine that a host function resumed waits by itself; what a host function called cannot.
                if self.base_is_call || self.base_thread == self.main {
                    self.drop_native_frame();
                    self.next_future = None;
                    return Err(
                        self.throw_str("attempt to wait outside a coroutine that the host resumes")
                    );
                }
                if self.waits_in_finalizer() {
                    self.drop_native_frame();
                    self.next_future = None;
                    return Err(self.throw_str("attempt to wait in a finalizer"));
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
}
