//! Short cuts from one coroutine to another, and into protected calls: the natives that ask for them are not entered.
//!
//! **Invariant:** a short cut does all that the long way (`coroutine`, `call`) would, or nothing.

use super::Vm;
use super::coroutine::MAX_COROUTINE_DEPTH;
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::heap::collect::Phase;
use crate::native::{Action, Cont};
use crate::op::Instr;
use crate::stdlib::base::protected_done;
use crate::stdlib::coroutine::{resume_done, wrapped_done};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, Thread, ThreadState};
use crate::value::{Val, tag};
use crate::vm::run::{clear, copy, put, set};

impl Vm {
    /// Whether there is anything that could keep the current coroutine, which has a resumer, from yielding.
    #[inline(always)]
    fn is_odd(&self) -> bool {
        let t = self.thread();
        let nested = self.base_is_call & (self.current == self.base_thread);
        let is_main = t.header.extra & crate::thread::thread_bits::IS_MAIN != 0;
        // SAFETY: the block of frames is never empty.
        let bottom = unsafe { (*t.frames).flags };
        debug_assert!(t.frame_count > 0 && self.current != self.main);
        self.in_finalizer | self.strict | nested | is_main | (bottom & CLOSE_THREAD != 0)
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
            Action::Yield(n) => self.switch_to_resumer_quickly::<false>(from.top - n, n, waiting),
            Action::Resume { nargs } => {
                match from.get((from.top - nargs) as usize - 1).as_thread() {
                    Some(co) => self.switch_quickly::<false>(co, from.top - nargs, nargs, waiting),
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

    /// A yield from the native at `func`, called by Lua code. The arguments end at the top. `false`: nothing was done, and the
    /// long way is to be taken (as below). With `ONE`: only what needs no call, which is most of what generators do.
    #[inline(always)]
    pub(crate) fn yield_quickly<const ONE: bool>(
        &mut self,
        func: u32,
        n: u32,
        nresults: i16,
    ) -> bool {
        let waiting = Waiting {
            func,
            nresults,
            flags: PASSES,
            extra: 0,
            cont: crate::native::return_results,
        };
        self.switch_to_resumer_quickly::<ONE>(func + 1, n, waiting)
    }

    /// A resume by the native at `func`, which has captured the coroutine.
    #[inline(always)]
    pub(crate) fn resume_captured<const ONE: bool>(
        &mut self,
        func: u32,
        n: u32,
        nresults: i16,
    ) -> bool {
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
        self.switch_quickly::<ONE>(co, func + 1, n, waiting)
    }

    /// A resume by the native at `func`, whose first argument is the coroutine.
    #[inline(always)]
    pub(crate) fn resume_argument<const ONE: bool>(
        &mut self,
        func: u32,
        nargs: u32,
        nresults: i16,
    ) -> bool {
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
        self.switch_quickly::<ONE>(co, func + 2, nargs - 1, waiting)
    }

    /// Switches to the resumer with the `n` values from stack index `first` on; the native that asks for it waits as `waiting` says.
    #[inline(always)]
    fn switch_to_resumer_quickly<const ONE: bool>(
        &mut self,
        first: u32,
        n: u32,
        waiting: Waiting,
    ) -> bool {
        let mut from = self.current_gc();
        if from.resumer.is_null() || self.is_odd() && (ONE || !self.is_yieldable()) {
            return false;
        }
        // SAFETY: a resumer is alive while the coroutine it has resumed runs.
        let to = unsafe { Gc::from_ptr(from.resumer) };
        if from.frame_count == from.frame_capacity
            || from.hook.is_some()
            || to.hook.is_some()
            || !pass_quickly::<ONE>(from.slot(first as usize), n as usize, to)
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

    /// Switches to a suspended (or, but for `ONE`, fresh) coroutine with the `n` values from stack index `first` on; the native that
    /// asks for it waits as `waiting` says.
    #[inline(always)]
    fn switch_quickly<const ONE: bool>(
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
            || ONE && self.heap.gc.phase == Phase::Mark
        {
            return false;
        }
        let values = from.slot(first as usize) as *const Val;
        let passed = match co.state {
            ThreadState::Suspended => pass_quickly::<ONE>(values, n as usize, co),
            ThreadState::Fresh if !ONE => {
                self.heap.fuel >= 0 && enter_fresh(values, n as usize, co)
            }
            _ => false,
        };
        if !passed {
            return false;
        }
        waiting.push(from);
        from.top = first;
        if !ONE {
            self.barrier_thread(co);
        }
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
        let caught = CATCH | if handler { HANDLER } else { 0 };
        self.push_protecting(func, nargs, nresults, caught);
        let t = self.thread_mut();
        // SAFETY: there was room for two frames.
        unsafe {
            let frame = t.frames.add(t.frame_count as usize);
            (*frame).pc = p.code;
            (*frame).func = callee;
            (*frame).base = callee + 1;
            Frame::set_rest(frame, -1, TO_NATIVE, 0);
        }
        t.frame_count += 1;
        true
    }

    /// Pushes the frame of `pcall` or `xpcall` at `func`, which waits for the call that it protects. There is room for it.
    #[inline(always)]
    pub(crate) fn push_protecting(&mut self, func: u32, nargs: u32, nresults: i16, caught: u16) {
        let waiting = Waiting {
            func,
            nresults,
            flags: caught | PASSES_STATUS,
            extra: nargs,
            cont: protected_done,
        };
        waiting.push(self.current_gc());
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

/// As [`pass_values`]; with `ONE`, only what needs no call: a value for one that is wanted, or whatever where none is.
#[inline(always)]
fn pass_quickly<const ONE: bool>(values: *const Val, n: usize, mut to: Gc<Thread>) -> bool {
    if !ONE {
        return pass_values(values, n, to);
    }
    let Some(f) = to.top_frame() else {
        return false;
    };
    // SAFETY: the frame is on top of the coroutine; the values are on the stack of another one.
    unsafe {
        let (at, wanted) = ((*f).func, (*f).nresults);
        if (*f).flags == NATIVE | PASSES {
            match wanted {
                0 => {}
                1 if n == 1 => set(to.slot(at as usize), values),
                _ => return false,
            }
        } else if (*f).flags == NATIVE | PASSES_STATUS && wanted as usize == n + 1 && n < 2 {
            let place = to.slot(at as usize);
            put(place, Val::TRUE);
            if n == 1 {
                set(place.add(1), values);
            }
        } else {
            return false;
        }
        to.frame_count -= 1;
        to.top = at;
    }
    true
}

/// Makes the native that waits on top of `to` return `n` values of another coroutine's stack, if it is one that would do
/// nothing else and was called by Lua code.
#[inline(never)]
fn pass_values(values: *const Val, n: usize, mut to: Gc<Thread>) -> bool {
    let Some(f) = to.top_frame() else {
        return false;
    };
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
