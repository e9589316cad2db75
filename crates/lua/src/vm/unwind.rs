//! Errors on their way up: who catches them, message handlers, and variables that are closed on the way.
//!
//! **Invariant:** the error value on its way is `vm.thrown`; while to-be-closed variables of a caught error are closed it is
//! kept in the catching frame's first argument slot (`error_slot`).

use super::call::{NATIVE_SLOTS, Next};
use super::entry::Exit;
use super::{NO_NATIVE, Vm};
use crate::dialect::Dialect;
use crate::heap::Gc;
use crate::native::{Status, Thrown, return_results};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, MAX_STACK, ThreadState};
use crate::value::Val;
use crate::vm::Event;

/// Errors inside message handlers.
const MAX_HANDLER_DEPTH: usize = 195;
/// The same after the one that says that there were too many.
const SPARE_HANDLER_DEPTH: usize = 20;

impl Vm {
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

    /// Whether a finalizer runs in the current coroutine.
    pub(super) fn runs_finalizer(&self) -> bool {
        let frames = self.thread().frames();
        self.in_finalizer && frames.iter().any(|f| f.flags & FINALIZER != 0)
    }

    /// Whether a finalizer runs in what the host has resumed, in a coroutine of its own or not: it is not to wait, since it runs on
    /// behalf of whoever happened to be there when its object was found dead.
    pub(crate) fn waits_in_finalizer(&self) -> bool {
        if !self.in_finalizer {
            return false;
        }
        let mut co = Some(self.current_gc());
        while let Some(thread) = co {
            if thread.frames().iter().any(|f| f.flags & FINALIZER != 0) {
                return true;
            }
            co = Gc::from_nullable(thread.resumer);
        }
        false
    }

    /// The current coroutine's frames are about to go: so does a finalizer that runs there.
    pub(super) fn forget_finalizer(&mut self) {
        if self.runs_finalizer() {
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
        if self.thread().stack_size as usize > MAX_STACK {
            let mut t = self.current_gc();
            let freed = t.give_back_error_slots(&mut self.heap.parts);
            self.heap.uncharge(freed);
        }
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
    pub(super) fn close_caught(&mut self) -> Result<Next, Thrown> {
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
}

/// Where a catching frame keeps the error while variables are closed: its first argument slot, or the one behind its
/// message handler, which errors in closing see too.
fn error_slot(frame: &Frame) -> u32 {
    frame.base + (frame.flags & HANDLER != 0) as u32
}
