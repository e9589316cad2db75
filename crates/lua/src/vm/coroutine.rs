//! Coroutine switches: resume, yield, and ends of coroutines.
//!
//! **Invariant:** a coroutine that has a resumer is waited for by the native on top of that one's stack; values go from stack
//! to stack, and nothing recurses.

use super::Vm;
use super::call::{NATIVE_SLOTS, Next};
use super::entry::{Exit, HOST_ENTRY};
use crate::heap::Gc;
use crate::native::{Cont, Ctx, NativeResult, Status, Thrown};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, MAX_STACK, Thread, ThreadState};
use crate::value::Val;

/// Coroutines inside one another.
pub(super) const MAX_COROUTINE_DEPTH: u32 = 197;
/// Natives that wait for one another in a coroutine of a strict VM.
const MAX_NATIVE_DEPTH: usize = 195;

impl Vm {
    /// `Action::Resume`: the coroutine is below the last `nargs` values; the native's frame is on top.
    pub(super) fn resume_coroutine(&mut self, nargs: u32) -> Result<Next, Thrown> {
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
        if self.runs_finalizer() {
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
                .is_some_and(|def| !crate::stdlib::lets_yield(def, self.dialect))
    }

    /// Strict mode: natives wait inside one another only as deep as the reference's C stack allows.
    pub(super) fn check_native_depth(&mut self) -> Result<(), Thrown> {
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
    pub(super) fn drop_native_frame(&mut self) {
        let Some(f) = self.thread().top_frame() else {
            unreachable!("the native's frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine.
        self.native = unsafe { (*f).func };
        self.thread_mut().frame_count -= 1;
    }

    pub(super) fn yield_values(&mut self, n: u32) -> Result<Result<Next, Exit>, Thrown> {
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
    pub(super) fn coroutine_finished(&mut self, n: u32) -> Result<Next, Exit> {
        self.coroutine_ended(n, Status::Ok)
    }

    pub(super) fn coroutine_ended(&mut self, n: u32, status: Status) -> Result<Next, Exit> {
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

    /// `Action::CloseThread`: the coroutine to close is the last value on the stack; the native's frame is on top.
    pub(super) fn begin_close_thread(&mut self) -> Result<Next, Thrown> {
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
        co.frame_count = 0;
        co.settle_hook();
        self.push_closing_frame(close_finished)?;
        co.status = if failed { Status::Error } else { Status::Ok };
        // Slot 1 belongs to the coroutine's function: it is the error's place, if no variable to close is there.
        let lowest = co.to_close.first().copied().unwrap_or(u32::MAX);
        debug_assert!(lowest > 1);
        co.set(1, error);
        Ok(Next::CloseCaught)
    }

    /// In the current coroutine, which has no frames any more: a catching frame at the bottom, which closes what is pending
    /// and reports to `report`.
    pub(super) fn push_closing_frame(&mut self, report: Cont) -> Result<(), Thrown> {
        self.thread_mut().set(0, Val::native(&HOST_ENTRY));
        self.close_boxes(1);
        let flags = BOTTOM | CATCH | CLOSING | CLOSE_THREAD;
        self.push_native_frame(0, 1, -1, flags, report)
    }
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
