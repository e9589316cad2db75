//! Coroutines: a value stack, a frame stack, open captured variables and pending to-be-closed variables.
//!
//! **Invariants**
//! - Frames lie on the value stack in order: each frame's `func` is at or above the `base` of the one below.
//! - The live part of the value stack is `0..extent()`; the collector marks it and sets everything above to nil
//!   whenever it scans the thread, so that a slot that becomes live again later never holds a freed object.
//! - The registers of every Lua frame are within the stack, also those beyond its live part: a function that waits for
//!   a call goes on with all of them.
//! - `open` lists the open `UpBox`es from the highest stack slot to the lowest.
//! - A thread that is not `current` (or in its chain of resumers) does not change.

use crate::function::UpBox;
use crate::heap::Header;
use crate::heap::parts::Parts;
use crate::native::{Cont, Status};
use crate::op::Instr;
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::hook::Hook;

/// One activation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    /// Lua: the next instruction. Native: the continuation, as an address.
    pub(crate) pc: *const Instr,
    /// Stack index of the function.
    pub(crate) func: u32,
    /// Lua: stack index of `R[0]`. Native: of the first argument.
    pub(crate) base: u32,
    /// Results the caller wants; -1: all.
    pub(crate) nresults: i16,
    /// The `frame_flags`.
    pub(crate) flags: u16,
    /// Lua: number of extra arguments; if it is zero, the function is right below `base`. Native: number of arguments.
    pub(crate) extra: u32,
}

const _: () = assert!(size_of::<Frame>() == 24);
// So that the last three fields can be read and written at once.
const _: () = assert!(std::mem::offset_of!(Frame, nresults) == 16);

/// Bits of `Frame::flags`. A Lua frame called by a plain `CALL` has none of them.
pub(crate) mod frame_flags {
    /// A native function waits here for a call it made.
    pub const NATIVE: u16 = 1;
    /// The frame below is native: continue it when this one returns.
    pub const TO_NATIVE: u16 = 2;
    /// The frame below is Lua and stopped inside an instruction: finish it with the result.
    pub const META: u16 = 4;
    /// The interpreter was entered for this frame: leave it when it returns.
    pub const BOUNDARY: u16 = 8;
    /// The first frame of a coroutine.
    pub const BOTTOM: u16 = 16;
    /// Native: errors above are delivered to the continuation.
    pub const CATCH: u16 = 32;
    /// Native with CATCH: `R[0]`.. hold a message handler to run before the stack unwinds (xpcall).
    pub const HANDLER: u16 = 64;
    /// A message handler's activation: its result replaces the error.
    pub const IN_HANDLER: u16 = 128;
    /// Native with CATCH: to-be-closed variables of the failed call are being closed.
    pub const CLOSING: u16 = 256;
    /// The function was tail called (for tracebacks).
    pub const TAIL: u16 = 512;
    /// A finalizer's activation: results are dropped, errors become warnings.
    pub const FINALIZER: u16 = 1024;
    /// Reached through `__call` metamethods (5.5): `nresults` also holds how many (see `vm::dialects`).
    pub const VIA_CALL: u16 = 2048;
    /// Native with CATCH: the bottom of a coroutine that is being closed.
    pub const CLOSE_THREAD: u16 = 4096;
    /// A `__close` metamethod's activation: results are dropped and the top is kept.
    pub const CLOSER: u16 = 8192;
    /// A debug hook's activation: results are dropped, and the function it was called for goes on. There is no bit left
    /// for it; no other activation has both of these.
    pub const HOOK: u16 = CLOSER | IN_HANDLER;
    /// Native: it waits for a coroutine switch, and returns what that brings (if it is no error) as it is.
    pub const PASSES: u16 = 16384;
    /// Lua: the frame has been there since the collector noted it (`heap::collect`; `PASSES` is for natives).
    pub const SCANNED_BELOW: u16 = PASSES;
    /// Native: as `PASSES`, with `true` in front. With CATCH: the same for the call that it protects.
    pub const PASSES_STATUS: u16 = 32768;
    /// Any of these: returning takes the slow path.
    pub const SLOW_RETURN: u16 =
        TO_NATIVE | META | BOUNDARY | BOTTOM | IN_HANDLER | FINALIZER | CLOSER | VIA_CALL;
}

/// Bits of a coroutine's `header.extra`.
pub(crate) mod thread_bits {
    /// To its script it is the main program: it cannot yield (lua(1)'s script runs in one).
    pub const IS_MAIN: u8 = 1;
    /// It waits for the host: for a future, or parked.
    pub const WAITING: u8 = 2;
    /// The collector has come by while it was waiting.
    pub const IDLE: u8 = 4;
}

/// Where a coroutine is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ThreadState {
    /// Created, not resumed yet: the function is at stack index 0.
    Fresh,
    /// Waiting in a yield (or for the host).
    Suspended,
    /// The running coroutine, or one that resumed it.
    Active,
    /// Returned, or was closed.
    Done,
    /// Died by an error; the error value is at `stack[0]` until it is closed.
    Failed,
}

/// A coroutine object.
#[repr(C)]
pub struct Thread {
    pub(crate) header: Header,
    pub(crate) stack: *mut Val,
    pub(crate) frames: *mut Frame,
    pub(crate) stack_size: u32,
    /// First free stack slot, as natives see it (see `extent`).
    pub(crate) top: u32,
    pub(crate) frame_capacity: u32,
    pub(crate) frame_count: u32,
    pub(crate) open: *mut UpBox,
    /// The coroutine that resumed this one; null when the host did.
    pub(crate) resumer: *mut Thread,
    /// The coroutine that runs when this one, resumed by the host, is continued; null: itself.
    pub(crate) leaf: *mut Thread,
    /// The coroutine's own globals over the app's; null: none.
    pub(crate) globals: *mut Table,
    /// The debug hook.
    pub(crate) hook: Option<Box<Hook>>,
    /// Stack indices of the pending to-be-closed variables, lowest first.
    pub(crate) to_close: Vec<u32>,
    pub(crate) state: ThreadState,
    /// How the call a native frame waits for ended, when it is continued.
    pub(crate) status: Status,
    /// Nested message handlers, to stop errors inside errors.
    pub(crate) handler_depth: u8,
    /// Whether writes to a layered environment go to the app's globals (init.lua, main chunks of modules).
    pub(crate) shared_writes: bool,
    /// How many coroutines wait for one another below this one.
    pub(crate) depth: u32,
    /// Preempted before the native frame on top was continued: the results' place and how the call ended.
    pub(crate) paused: Option<(u32, Status)>,
}

/// A parked coroutine with its first stacks takes this and 328 bytes.
const _: () = assert!(size_of::<Thread>() == 120);

/// Slots beyond the limit that error handling may use.
pub(crate) const ERROR_SLOTS: usize = 400;
/// The largest stack of one coroutine, in values.
pub(crate) const MAX_STACK: usize = 1_000_000;
/// The most frames of one coroutine.
pub(crate) const MAX_FRAMES: usize = 400_000;
pub(crate) const FIRST_STACK: usize = 16;
pub(crate) const FIRST_FRAMES: usize = 3;

impl Thread {
    /// Whether it runs, or something runs that it has resumed, or is going to without another look at it. What waits for the
    /// host passes the barrier when it goes on.
    #[inline(always)]
    pub(crate) fn is_at_work(&self) -> bool {
        self.state == ThreadState::Active && self.header.extra & thread_bits::WAITING == 0
    }
    #[inline(always)]
    pub(crate) fn slot(&self, i: usize) -> *mut Val {
        debug_assert!(i < self.stack_size as usize);
        // SAFETY: below the stack size.
        unsafe { self.stack.add(i) }
    }
    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> Val {
        // SAFETY: as in `slot`.
        unsafe { *self.slot(i) }
    }
    #[inline(always)]
    pub(crate) fn set(&mut self, i: usize, v: Val) {
        // SAFETY: as in `slot`.
        unsafe { *self.slot(i) = v }
    }
    /// As `set`, field by field: for what is going to be read field by field soon (see `vm::run`).
    #[inline(always)]
    pub(crate) fn put(&mut self, i: usize, v: Val) {
        // SAFETY: as in `slot`.
        unsafe {
            let slot = self.slot(i);
            (*slot).payload = v.payload;
            (*slot).tag = v.tag;
        }
    }
    #[inline(always)]
    pub(crate) fn frame(&self, i: usize) -> *mut Frame {
        debug_assert!(i < self.frame_capacity as usize);
        // SAFETY: below the capacity.
        unsafe { self.frames.add(i) }
    }
    #[inline(always)]
    pub(crate) fn top_frame(&self) -> Option<*mut Frame> {
        if self.frame_count == 0 {
            None
        } else {
            Some(self.frame(self.frame_count as usize - 1))
        }
    }
    /// The frames, oldest first.
    pub(crate) fn frames(&self) -> &[Frame] {
        // SAFETY: the first `frame_count` frames are initialised.
        unsafe { std::slice::from_raw_parts(self.frames, self.frame_count as usize) }
    }
    /// The end of the live part of the stack.
    pub(crate) fn extent(&self) -> usize {
        let top = self.top as usize;
        match self.frames().last() {
            Some(f) if f.flags & frame_flags::NATIVE == 0 => {
                let func = self.get(f.func as usize);
                let registers = func
                    .as_lua_closure()
                    .map_or(0, |c| c.proto().max_stack as usize);
                top.max(f.base as usize + registers)
                    .min(self.stack_size as usize)
            }
            _ => top,
        }
    }
    /// The end of the live part and of the registers of every Lua frame.
    fn room_needed(&self) -> usize {
        let waiting = self.frames().iter().map(|f| self.register_end(f));
        waiting.fold(self.extent(), usize::max)
    }
    /// The end of the room that a Lua frame was given; 0 for a native's.
    pub(crate) fn register_end(&self, f: &Frame) -> usize {
        match self.get(f.func as usize).as_lua_closure() {
            Some(c) if !f.is_native() => f.base as usize + c.proto().max_stack as usize + 1,
            _ => 0,
        }
    }
    /// Bytes of both stacks and the hook.
    pub(crate) fn stack_bytes(&self) -> usize {
        let hook = if self.hook.is_some() {
            size_of::<Hook>()
        } else {
            0
        };
        self.stack_size as usize * size_of::<Val>()
            + self.frame_capacity as usize * size_of::<Frame>()
            + hook
    }
    /// Frees both stacks and the hook; returns their bytes.
    pub(crate) fn release_stacks(&mut self, parts: &mut Parts) -> usize {
        let bytes = self.stack_bytes();
        // SAFETY: both were allocated with these layouts (`Vm::new_thread`, `grow_stack`, `grow_frames`).
        unsafe {
            if self.stack_size > 0 {
                parts.release(
                    self.stack as *mut u8,
                    stack_bytes_of(self.stack_size as usize),
                );
            }
            if self.frame_capacity > 0 {
                parts.release(
                    self.frames as *mut u8,
                    frame_bytes_of(self.frame_capacity as usize),
                );
            }
        }
        self.hook = None;
        self.stack_size = 0;
        self.frame_capacity = 0;
        self.frame_count = 0;
        self.top = 0;
        bytes
    }
    /// Gives back most of a value stack that is far larger than its live part: also the room that a native once had in a small
    /// one, since there may be very many parked coroutines, and it grows in one step. The coroutine must not be running.
    /// Returns the bytes freed.
    pub(crate) fn shrink(&mut self, parts: &mut Parts) -> usize {
        let old = self.stack_size as usize;
        if old <= FIRST_STACK || self.extent() * 2 > old {
            return 0;
        }
        let new = self.room_needed().max(FIRST_STACK);
        match new * 2 <= old {
            true => self.cut(new, parts),
            false => 0,
        }
    }

    /// Gives back what error handling used beyond the limit, so that the next overflow is a first one again. No native may be
    /// at work in the coroutine. Returns the bytes freed.
    pub(crate) fn give_back_error_slots(&mut self, parts: &mut Parts) -> usize {
        match self.stack_size as usize > MAX_STACK && self.room_needed() <= MAX_STACK {
            true => self.cut(MAX_STACK, parts),
            false => 0,
        }
    }

    /// Lets the open variables know where the stack is going to be.
    pub(crate) fn redirect_boxes(&mut self, stack: *mut Val) {
        let mut open = self.open;
        while !open.is_null() {
            // SAFETY: boxes on the list are alive, and at slots of the stack.
            unsafe {
                let slot = ((*open).location as usize - self.stack as usize) / size_of::<Val>();
                (*open).location = stack.add(slot);
                open = (*open).next_open();
            }
        }
    }

    /// Makes the stack smaller; everything live, and every frame's registers, are below the new size.
    fn cut(&mut self, new: usize, parts: &mut Parts) -> usize {
        let old = self.stack_size as usize;
        debug_assert!(self.room_needed() <= new);
        // SAFETY: the block has this layout, and everything that is live stays below the new size; open variables
        // are live, and are redirected to the block's new place.
        unsafe {
            let (was, is) = (stack_bytes_of(old), stack_bytes_of(new));
            let block = parts.resize(self.stack as *mut u8, was, is) as *mut Val;
            if block.is_null() {
                return 0;
            }
            self.redirect_boxes(block);
            self.stack = block;
        }
        self.stack_size = new as u32;
        (old - new) * size_of::<Val>()
    }
    /// Sets slots to nil: they are dead.
    pub(crate) fn clear_slots(&mut self, from: usize, end: usize) {
        for i in from..end {
            // SAFETY: below the stack size.
            unsafe {
                *self.stack.add(i) = Val {
                    payload: 0,
                    tag: tag::NIL,
                }
            };
        }
    }
}

impl Frame {
    #[inline(always)]
    pub(crate) fn is_native(&self) -> bool {
        self.flags & frame_flags::NATIVE != 0
    }
    /// Writes the last three fields.
    #[inline(always)]
    pub(crate) unsafe fn set_rest(frame: *mut Frame, nresults: i16, flags: u16, extra: u32) {
        // SAFETY: the caller's frame is in the frame stack of a coroutine.
        unsafe {
            if cfg!(target_endian = "little") {
                // PERF: in one store, as returns read them at once: a larger read would wait for smaller stores.
                let rest = nresults as u16 as u64 | (flags as u64) << 16 | (extra as u64) << 32;
                (&raw mut (*frame).nresults as *mut u64).write(rest);
            } else {
                (*frame).nresults = nresults;
                (*frame).flags = flags;
                (*frame).extra = extra;
            }
        }
    }
    /// Marks a Lua frame as that of a function that was tail called, without extra arguments.
    #[inline(always)]
    pub(crate) unsafe fn make_tail(frame: *mut Frame) {
        // SAFETY: the caller's frame is in the frame stack of a coroutine.
        unsafe {
            if cfg!(target_endian = "little") {
                // PERF: as above.
                let rest = (&raw const (*frame).nresults as *const u64).read();
                let rest = rest & u32::MAX as u64 | (frame_flags::TAIL as u64) << 16;
                (&raw mut (*frame).nresults as *mut u64).write(rest);
            } else {
                (*frame).flags |= frame_flags::TAIL;
                (*frame).extra = 0;
            }
        }
    }
    /// The continuation of a native frame.
    pub(crate) fn continuation(&self) -> Cont {
        debug_assert!(self.is_native());
        // SAFETY: native frames are made by `Vm::push_native_frame` only, which stores a `Cont` here.
        unsafe { std::mem::transmute::<*const Instr, Cont>(self.pc) }
    }
}

/// Bytes of a value stack.
pub(crate) const fn stack_bytes_of(slots: usize) -> usize {
    slots * size_of::<Val>()
}

/// Bytes of a frame stack.
pub(crate) const fn frame_bytes_of(frames: usize) -> usize {
    frames * size_of::<Frame>()
}

#[cfg(test)]
mod tests {
    use crate::vm::tests::run;

    /// Bytes that each of many objects takes, made by a script's statement in a loop and kept in `t`.
    fn bytes_of_one(make: &str) -> f64 {
        let source = format!(
            "local t = {{}} for i = 1, 1000 do t[i] = false end
             collectgarbage() collectgarbage()
             local before = collectgarbage('count')
             for i = 1, 1000 do {make} end
             collectgarbage() collectgarbage()
             return (collectgarbage('count') - before) * 1024 / 1000"
        );
        let (vm, result) = run(&source, false);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
        result.expect("it runs")[0].as_number().expect("a number")
    }

    #[test]
    fn a_parked_coroutine_takes_at_most_512_bytes() {
        for body in [
            "coroutine.yield()",
            "local a = ... local b = coroutine.yield(a) return a + b",
            // Natives have had their room on its stack.
            "local a = ... local s = string.format('%d', 3) coroutine.yield(a, s)",
            "pcall(error, 'no') for i = 1, 3 do coroutine.yield(i) end",
        ] {
            let bytes = bytes_of_one(&format!(
                "local co = coroutine.create(function(...) {body} end) coroutine.resume(co, i) t[i] = co"
            ));
            // The function is a closure of its own without captured variables, 16 bytes.
            assert!(bytes > 256.0 && bytes - 16.0 <= 512.0, "{body}: {bytes}");
        }
    }
}
