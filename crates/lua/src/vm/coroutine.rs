//! Coroutine switches: resume, yield, and ends of coroutines.
//!
//! **Invariant:** a coroutine that has a resumer is waited for by the native on top of that one's stack; values go from stack
//! to stack, and nothing recurses.

use super::Vm;
use super::call::{NATIVE_SLOTS, Next};
use super::entry::{Exit, HOST_ENTRY};
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::native::{Action, Cont, Ctx, NativeResult, Status, Thrown};
use crate::op::Instr;
use crate::stdlib::base::protected_done;
use crate::stdlib::coroutine::{resume_done, wrapped_done};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, MAX_STACK, Thread, ThreadState};
use crate::value::{Val, tag};
use crate::vm::run::{clear, copy, put, set};

/// Coroutines inside one another.
const MAX_COROUTINE_DEPTH: u32 = 197;
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
    #[inline]
    pub(crate) fn is_yieldable(&self) -> bool {
        let t = self.thread();
        let nested = self.base_is_call && self.current == self.base_thread;
        // PERF: most have nothing at all that could be in the way.
        let plain = !(self.in_finalizer | self.strict | nested) && t.hook.is_none();
        let closing = |f: &Frame| f.flags & CLOSE_THREAD != 0;
        if self.is_main(self.current_gc()) || t.frames().first().is_some_and(closing) {
            return false;
        }
        plain || self.may_yield()
    }

    /// As `is_yieldable`, for a coroutine that is neither the main program nor being closed.
    #[cold]
    fn may_yield(&self) -> bool {
        if self.runs_finalizer() {
            return false;
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

    /// The short cut of a switch between coroutines: from a native that Lua code called, which asks for it, to one that
    /// waits for a switch, was called by Lua code, and would only return what arrives. The values go straight to where
    /// that call wants them. `false`: nothing was done, and the long way is to be taken.
    ///
    /// PERF: the long way copies `Next`s, whose parts have just been written, in larger pieces: stalls of a dozen cycles.
    pub(crate) fn quick_switch(&mut self, action: Action, func: u32, nresults: i16) -> bool {
        let from = self.current_gc();
        let waiting = Waiting {
            func,
            nresults,
            flags: self.next_flags,
            extra: self.native_nargs,
            cont: self.next_cont,
        };
        let switched = match action {
            Action::Yield(n) => self.switch_to_waiting_resumer(from.top - n, n, waiting),
            Action::Resume { nargs } => {
                match from.get((from.top - nargs) as usize - 1).as_thread() {
                    Some(co) => self.switch_to_waiting(co, from.top - nargs, nargs, waiting),
                    None => false,
                }
            }
            _ => false,
        };
        if switched {
            self.next_flags = 0;
        }
        switched
    }

    /// A yield from the native at `func`, called by Lua code. The arguments end at the top. `false`: nothing was done (as below).
    #[inline(always)]
    pub(crate) fn yield_quickly(&mut self, func: u32, n: u32, nresults: i16) -> bool {
        let waiting = Waiting {
            func,
            nresults,
            flags: PASSES,
            extra: 0,
            cont: crate::native::return_results,
        };
        self.switch_to_waiting_resumer(func + 1, n, waiting)
    }

    /// A resume by the native at `func`, which has captured the coroutine.
    #[inline(always)]
    pub(crate) fn resume_captured(&mut self, func: u32, n: u32, nresults: i16) -> bool {
        let f = self.thread().get(func as usize).as_native_closure();
        let Some(co) = f.and_then(|f| f.upvalue(0).as_thread()) else {
            return false;
        };
        let waiting = Waiting {
            func,
            nresults,
            flags: PASSES,
            extra: 0,
            cont: wrapped_done,
        };
        self.switch_to_waiting(co, func + 1, n, waiting)
    }

    /// A resume by the native at `func`, whose first argument is the coroutine.
    #[inline(always)]
    pub(crate) fn resume_argument(&mut self, func: u32, nargs: u32, nresults: i16) -> bool {
        let co = match self.thread().get(func as usize + 1).as_thread() {
            Some(co) if nargs > 0 => co,
            _ => return false,
        };
        let waiting = Waiting {
            func,
            nresults,
            flags: PASSES_STATUS,
            extra: 1,
            cont: resume_done,
        };
        self.switch_to_waiting(co, func + 2, nargs - 1, waiting)
    }

    /// Switches to the resumer with the `n` values from stack index `first` on; the native that asks for it waits as `waiting` says.
    #[inline(always)]
    fn switch_to_waiting_resumer(&mut self, first: u32, n: u32, waiting: Waiting) -> bool {
        let mut from = self.current_gc();
        if from.resumer.is_null() || !self.is_yieldable() || from.hook.is_some() {
            return false;
        }
        // SAFETY: a resumer is alive while the coroutine it has resumed runs.
        let to = unsafe { Gc::from_ptr(from.resumer) };
        if from.frame_count == from.frame_capacity
            || to.hook.is_some()
            || !pass_values(from.slot(first as usize), n as usize, to)
        {
            return false;
        }
        waiting.push(from);
        from.top = first;
        from.state = ThreadState::Suspended;
        from.resumer = std::ptr::null_mut();
        self.current = to.as_ptr();
        self.heap.spend(4 + n as i64);
        true
    }

    /// Switches to a suspended or fresh coroutine with the `n` values from stack index `first` on; the native that asks for it
    /// waits as `waiting` says.
    #[inline(always)]
    fn switch_to_waiting(
        &mut self,
        mut co: Gc<Thread>,
        first: u32,
        n: u32,
        waiting: Waiting,
    ) -> bool {
        let mut from = self.current_gc();
        if from.depth >= MAX_COROUTINE_DEPTH
            || from.frame_count == from.frame_capacity
            || from.hook.is_some()
            || co.hook.is_some()
            || !co.leaf.is_null()
        {
            return false;
        }
        let values = from.slot(first as usize) as *const Val;
        let passed = match co.state {
            ThreadState::Suspended => pass_values(values, n as usize, co),
            ThreadState::Fresh => self.heap.fuel >= 0 && enter_fresh(values, n as usize, co),
            _ => false,
        };
        if !passed {
            return false;
        }
        waiting.push(from);
        from.top = first;
        self.barrier_thread(co);
        co.resumer = from.as_ptr();
        co.depth = from.depth + 1;
        co.state = ThreadState::Active;
        self.current = co.as_ptr();
        self.heap.spend(4 + n as i64);
        true
    }

    /// The first function of the current coroutine, whose frame is gone, has returned the `n` values at `values`: they go
    /// straight to where the native that has resumed the coroutine was called. `false`: nothing was done.
    #[inline(never)]
    pub(crate) fn finish_quickly(&mut self, values: *const Val, n: usize) -> bool {
        let mut co = self.current_gc();
        if co.resumer.is_null() {
            return false;
        }
        // SAFETY: a resumer is alive while the coroutine it has resumed runs.
        let to = unsafe { Gc::from_ptr(co.resumer) };
        if to.hook.is_some() || !pass_values(values, n, to) {
            return false;
        }
        co.state = ThreadState::Done;
        co.resumer = std::ptr::null_mut();
        co.top = 1; // it holds on to nothing any more
        self.current = to.as_ptr();
        self.heap.spend(4 + n as i64);
        true
    }

    /// Begins the call that `pcall` or (with a handler) `xpcall` at `func`, called by Lua code, protects, if it is one of a Lua
    /// function. `false`: nothing was done.
    #[inline(always)]
    pub(crate) fn protect_quickly(
        &mut self,
        handler: bool,
        func: u32,
        nargs: u32,
        nresults: i16,
    ) -> bool {
        let callee = func + 1 + handler as u32;
        let t = self.thread();
        if nargs < 1 + handler as u32
            || t.get(func as usize + 1).tag != tag::LCLOSURE
            || handler && !t.get(func as usize + 2).is_function()
            || t.hook.is_some()
            || self.strict
            || self.heap.fuel < 0
            || t.frame_count + 2 > t.frame_capacity
        {
            return false;
        }
        let f = t.get(func as usize + 1).raw_gc::<LuaClosure>();
        let p = f.proto();
        let given = nargs - 1 - handler as u32;
        // A function that may take extra arguments has no frame size that fits.
        if callee + p.frame_size >= t.stack_size {
            return false;
        }
        let t = self.thread_mut();
        if handler {
            // The handler is the first argument then.
            let (f, handler) = (t.get(func as usize + 1), t.get(func as usize + 2));
            t.put(func as usize + 1, handler);
            t.put(func as usize + 2, f);
        }
        for i in given..p.num_params as u32 {
            t.put((callee + 1 + i) as usize, Val::NIL);
        }
        // SAFETY: there is room for two frames.
        unsafe {
            let frame = t.frames.add(t.frame_count as usize);
            (*frame).pc = protected_done as Cont as *const Instr;
            (*frame).func = func;
            (*frame).base = func + 1;
            let caught = CATCH | if handler { HANDLER } else { 0 };
            Frame::set_rest(frame, nresults, NATIVE | caught | PASSES_STATUS, nargs);
            let frame = frame.add(1);
            (*frame).pc = p.code;
            (*frame).func = callee;
            (*frame).base = callee + 1;
            Frame::set_rest(frame, -1, TO_NATIVE, 0);
        }
        t.frame_count += 2;
        true
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

/// The frame of a native that waits for a switch.
#[derive(Clone, Copy)]
struct Waiting {
    func: u32,
    nresults: i16,
    flags: u16,
    extra: u32,
    cont: Cont,
}

impl Waiting {
    /// Puts it on top of a coroutine that has room for a frame.
    #[inline(always)]
    fn push(self, mut t: Gc<Thread>) {
        debug_assert!(t.frame_count < t.frame_capacity);
        // SAFETY: there is room for the frame.
        unsafe {
            let frame = t.frames.add(t.frame_count as usize);
            (*frame).pc = self.cont as *const Instr;
            (*frame).func = self.func;
            (*frame).base = self.func + 1;
            Frame::set_rest(frame, self.nresults, NATIVE | self.flags, self.extra);
        }
        t.frame_count += 1;
    }
}

/// Makes the native that waits on top of `to` return `n` values of another coroutine's stack, if it is one that would do
/// nothing else and was called by Lua code.
#[inline(always)]
fn pass_values(values: *const Val, n: usize, mut to: Gc<Thread>) -> bool {
    let Some(f) = to.top_frame() else {
        return false;
    };
    // SAFETY: the frame is on top of the coroutine; the values are on the stack of another one.
    unsafe {
        // PERF: one value for one is by far the commonest.
        if n == 1 && (*f).nresults == 1 && (*f).flags == NATIVE | PASSES {
            let at = (*f).func;
            set(to.slot(at as usize), values);
            to.frame_count -= 1;
            to.top = at;
            return true;
        }
    }
    pass_some_values(values, n, to, f)
}

/// As [`pass_values`] for any number. `f` is the frame on top of `to`.
#[inline(never)]
fn pass_some_values(values: *const Val, n: usize, mut to: Gc<Thread>, f: *const Frame) -> bool {
    // SAFETY: the frame is on top of the coroutine.
    let (at, wanted, flags) = unsafe { ((*f).func, (*f).nresults, (*f).flags) };
    if flags != NATIVE | PASSES && flags != NATIVE | PASSES_STATUS {
        return false;
    }
    let status = (flags & PASSES_STATUS != 0) as usize;
    let count = if wanted < 0 {
        n + status
    } else {
        wanted as usize
    };
    if at as usize + count >= to.stack_size as usize {
        return false;
    }
    to.frame_count -= 1;
    to.top = if wanted < 0 { at + count as u32 } else { at };
    // SAFETY: both places are in the stacks of coroutines, the second with the room that was looked for.
    unsafe {
        let mut place = to.slot(at as usize);
        let end = place.add(count);
        if status != 0 && count != 0 {
            put(place, Val::TRUE);
            place = place.add(1);
        }
        let passed = n.min(end.offset_from(place) as usize);
        copy(values, place, passed);
        clear(place.add(passed), end);
    }
    true
}

/// Enters the Lua function of a fresh coroutine with `n` values of another one's stack.
#[inline(never)]
fn enter_fresh(values: *const Val, n: usize, mut co: Gc<Thread>) -> bool {
    let Some(f) = co.get(1).as_lua_closure() else {
        return false;
    };
    let p = f.proto();
    // A function that may take extra arguments has no frame size that fits.
    if 1 + p.frame_size >= co.stack_size || 2 + n >= co.stack_size as usize {
        return false;
    }
    debug_assert!(co.frame_count == 0 && co.top == 2 && co.frame_capacity > 0);
    // SAFETY: there is room for the values and for a frame.
    unsafe {
        let base = co.slot(2);
        copy(values, base, n);
        clear(base.add(n), base.add(p.num_params as usize));
        let frame = co.frames;
        (*frame).pc = p.code;
        (*frame).func = 1;
        (*frame).base = 2;
        Frame::set_rest(frame, -1, BOTTOM, 0);
    }
    co.frame_count = 1;
    co.top = 2 + p.max_stack as u32;
    true
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
