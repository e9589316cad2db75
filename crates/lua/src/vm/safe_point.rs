//! Safe points: where the loop stops for the collector, for finalizers, and because the slice is used up.
//!
//! **Invariant:** finalizers that wait are begun at the next safe point with room for them; a preemption does not lose them.

use super::Vm;
use super::call::{NATIVE_SLOTS, Next};
use super::entry::Exit;
use crate::native::{Status, Thrown};
use crate::thread::frame_flags::*;
use crate::value::Val;
use crate::vm::Event;

impl Vm {
    /// Collection work, finalizers, preemption. The top frame is Lua, or a native that paused.
    pub(super) fn safe_point(&mut self) -> Result<Result<Next, Exit>, Thrown> {
        if self.heap.take_interrupt() {
            self.forget_dead_registers();
            self.collect_step();
        }
        // (There may be another interrupt already.)
        if self.heap.fuel_left() < 0 {
            if self.is_nested_call() {
                return Err(Thrown::Stopped);
            }
            // The next slice begins here again, so finalizers that wait are not forgotten.
            return Ok(Err(Exit::Preempted));
        }
        let native = self.thread().top_frame().is_some_and(|f| {
            // SAFETY: the frame is on top of the current coroutine.
            unsafe { (*f).is_native() }
        });
        // At the end of the VM they are called in their order by whoever ends it.
        if !self.in_finalizer
            && !self.heap.gc.closing
            && let Some(next) = self.begin_finalizer(native)
        {
            return Ok(Ok(next));
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

    /// Calls the next queued finalizer, if there is one, on top of whatever runs. Where the stack has no room for it, it waits.
    fn begin_finalizer(&mut self, native: bool) -> Option<Next> {
        if !self.heap.gc.has_finalizers() {
            return None;
        }
        let at = self.thread().extent();
        self.ensure_stack(at + NATIVE_SLOTS).ok()?;
        let object = self.next_to_finalize()?;
        let method = self.meta_of(object, Event::Gc);
        let t = self.thread_mut();
        t.set(at, Val::native(&crate::stdlib::RUN_FINALIZER));
        t.set(at + 1, method);
        t.set(at + 2, object);
        t.top = at as u32 + 3;
        self.in_finalizer = true;
        let flags = FINALIZER | if native { TO_NATIVE } else { 0 };
        Some(Next::Call {
            func: at as u32,
            nargs: 2,
            nresults: 0,
            flags,
        })
    }
}
