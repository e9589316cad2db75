//! Debug hooks: a function that a script has called at every call, return, line, or so many instructions of a coroutine.
//!
//! A coroutine with a hook runs with the interpreter's second table of handlers (`run::STEPS`), which asks
//! [`Vm::before_instruction`] before each instruction and leaves for every call; the first form knows nothing of hooks.
//! A hook is called like a metamethod, above everything live, with a frame marked `HOOK`. Where the hooked function
//! goes on when it returns is in [`Hook::after`].
//!
//! **Invariants**
//! - While the hook of a coroutine runs (`running`) it is not called again there; an error that unwinds past its
//!   frame ends that (`settle_hook`).
//! - A hooked native has a frame of its own before its hook is called, so that the hook sees it.
//! - The saved program counter of a hooked Lua function is one further while its hook runs, behind the instruction
//!   about to run, which is how lines and names are found; `hook_returned` puts it back.
//! - `top` after the hook is what it was before: an instruction may be about to take an open number of values.
//!
//! There are no hooks inside finalizers.

use super::Vm;
use super::call::{NATIVE_SLOTS, Next};
use crate::dialect::Dialect;
use crate::native::{Action, Ctx, NativeResult, Thrown};
use crate::op::{Instr, Op};
use crate::thread::Thread;
use crate::thread::frame_flags::{HOOK, TAIL, TO_NATIVE};
use crate::value::Val;
use crate::vm::debug::traceback::frame_code;

/// Bits of [`Hook::mask`].
pub(crate) mod mask {
    pub const CALL: u8 = 1;
    pub const RETURN: u8 = 2;
    pub const LINE: u8 = 4;
    pub const COUNT: u8 = 8;
}

/// No instruction yet.
const NONE: usize = usize::MAX;

/// Where the hooked function goes on when its hook returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// A Lua function, with its first instruction: the hook was called for the call.
    Entry,
    /// With the instruction that the hook was called before.
    Instruction,
    /// As `Instruction`, whose line is still to be looked at: the hook was called for the count.
    Count,
    /// With the return that the hook was called for.
    Return,
    /// A native, in its hooked frame.
    Native,
}

/// The hook of a coroutine.
pub(crate) struct Hook {
    /// What is called: a function, or nil once the hook was removed while it ran.
    pub(crate) function: Val,
    /// The events it is called for.
    pub(crate) mask: u8,
    /// Instructions from one count event to the next.
    pub(crate) count: u32,
    /// Instructions left to the next count event.
    left: u32,
    running: bool,
    after: After,
    /// How many frames there were when the hook was called.
    frames: u32,
    /// The top when the hook was called.
    top: u32,
    /// Index of the last instruction whose line was looked at, in the function that runs; `NONE` at its start.
    last: usize,
    /// The next instruction has had its hooks.
    skip: bool,
    /// The next instruction has been counted.
    counted: bool,
    /// The next return has had its hook.
    returning: bool,
    /// The values that a call or return passes: the first one's number as a local variable, and how many.
    transferred: (u32, u32),
}

impl Hook {
    pub(crate) fn new(function: Val, mask: u8, count: u32) -> Hook {
        Hook {
            function,
            mask,
            count,
            left: count,
            running: false,
            after: After::Instruction,
            frames: 0,
            top: 0,
            last: 0,
            skip: false,
            counted: false,
            returning: false,
            transferred: (0, 0),
        }
    }
}

impl Thread {
    /// The hook, if it is to be called for these events now.
    fn hook_for(&mut self, events: u8) -> Option<&mut Hook> {
        self.hook
            .as_deref_mut()
            .filter(|hook| hook.mask & events != 0 && !hook.running)
    }

    /// The values that the call or return passes for which the hook above frame `i` was called.
    pub(crate) fn transferred(&self, i: usize) -> (u32, u32) {
        match &self.hook {
            Some(hook) if hook.running && hook.frames as usize == i + 1 => hook.transferred,
            _ => (0, 0),
        }
    }

    /// Whether a hook of the coroutine runs.
    pub(crate) fn in_hook(&self) -> bool {
        self.hook.as_ref().is_some_and(|hook| hook.running)
    }

    /// Frames have gone: if the hook's was among them, it runs no more.
    pub(crate) fn settle_hook(&mut self) {
        if let Some(hook) = &mut self.hook
            && hook.running
            && self.frame_count <= hook.frames
        {
            hook.running = false;
            (hook.skip, hook.counted, hook.returning) = (false, false, false);
        }
    }
}

impl Vm {
    /// Sets or, without a function, removes the hook of a coroutine.
    pub(crate) fn set_hook(
        &mut self,
        mut thread: crate::heap::Gc<Thread>,
        function: Val,
        mask: u8,
        count: u32,
    ) -> Result<(), Thrown> {
        if let Some(hook) = &mut thread.hook
            && (hook.running || mask != 0)
        {
            (hook.function, hook.mask, hook.count, hook.left) = (function, mask, count, count);
        } else if mask != 0 {
            self.charge_bytes(size_of::<Hook>())?;
            thread.hook = Some(Box::new(Hook::new(function, mask, count)));
        } else if thread.hook.take().is_some() {
            self.heap.uncharge(size_of::<Hook>());
        }
        self.barrier_thread(thread);
        Ok(())
    }

    /// Whether the current coroutine has a hook for these events that is to be called now.
    #[inline]
    fn hooked(&mut self, events: u8) -> bool {
        !self.in_finalizer && self.thread_mut().hook_for(events).is_some()
    }

    /// Calls the hook above everything live.
    fn call_hook(
        &mut self,
        event: &str,
        line: Option<u32>,
        transferred: (u32, u32),
        after: After,
    ) -> Result<Next, Thrown> {
        let event = self.new_str(event.as_bytes())?;
        self.scratch.push(Val::str(event));
        let at = self.thread().extent();
        let room = self.ensure_stack(at + NATIVE_SLOTS);
        self.scratch.pop();
        room?;
        let line = line.map_or(Val::NIL, |line| self.script_value(Val::int(line as i64)));
        let t = self.thread_mut();
        let (frames, top) = (t.frame_count, t.top);
        let native = t.top_frame().is_some_and(|f| {
            // SAFETY: the frame is on top of the current coroutine.
            unsafe { (*f).is_native() }
        });
        let Some(hook) = &mut t.hook else {
            unreachable!("the caller saw that there is one");
        };
        hook.running = true;
        (hook.frames, hook.top) = (frames, top);
        (hook.after, hook.transferred) = (after, transferred);
        let function = hook.function;
        t.set(at, function);
        t.set(at + 1, Val::str(event));
        t.set(at + 2, line);
        t.top = at as u32 + 3;
        self.native = super::NO_NATIVE;
        Ok(Next::Call {
            func: at as u32,
            nargs: 2,
            nresults: 0,
            flags: HOOK | if native { TO_NATIVE } else { 0 },
        })
    }

    /// A hook returned: the function that it was called for goes on.
    pub(crate) fn hook_returned(&mut self) -> Next {
        let t = self.thread_mut();
        let Some(hook) = &mut t.hook else {
            unreachable!("a running hook is not taken away");
        };
        hook.running = false;
        let after = hook.after;
        match after {
            After::Entry | After::Native => {}
            After::Instruction => hook.skip = true,
            After::Count => hook.counted = true,
            After::Return => (hook.skip, hook.returning) = (true, true),
        }
        t.top = hook.top;
        if hook.mask == 0 {
            t.hook = None;
            self.heap.uncharge(size_of::<Hook>());
        }
        if after == After::Native {
            return Next::Continue {
                results: self.thread().top,
                status: crate::native::Status::Ok,
            };
        }
        self.move_pc(-1);
        match after {
            After::Entry => self.run_from_start(),
            _ => Next::Run,
        }
    }

    /// The Lua function on top is at its first instruction, which is a safe point.
    fn run_from_start(&self) -> Next {
        match self.heap.fuel < 0 {
            true => Next::SafePoint,
            false => Next::Run,
        }
    }

    /// Moves the saved program counter of the Lua frame on top.
    fn move_pc(&mut self, by: isize) {
        let Some(f) = self.thread_mut().top_frame() else {
            unreachable!("a Lua frame is on top")
        };
        // SAFETY: the frame is on top of the current coroutine, and its counter stays within its code: it moves behind
        // an instruction that there is, and back.
        unsafe { (*f).pc = (*f).pc.offset(by) };
    }

    // ---- Lua functions ----

    /// Before the instruction at `pc` of a coroutine with a hook. `Some`: the loop is to be left for that.
    pub(crate) fn before_instruction(&mut self, pc: *const Instr) -> Result<Option<Next>, Thrown> {
        self.heap.spend(1);
        let in_finalizer = self.in_finalizer;
        let t = self.thread_mut();
        if t.hook.is_none() {
            // It was taken away: the plain handlers go on.
            return Ok(Some(Next::Run));
        }
        let Some(frame) = t.frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let Some(hook) = t.hook_for(mask::LINE | mask::COUNT) else {
            return Ok(None);
        };
        if in_finalizer || std::mem::take(&mut hook.skip) {
            return Ok(None);
        }
        let counted = std::mem::take(&mut hook.counted);
        if hook.mask & mask::COUNT != 0 && !counted {
            hook.left = hook.left.saturating_sub(1);
            if hook.left == 0 {
                hook.left = hook.count;
                self.move_pc(1);
                return self
                    .call_hook("count", None, (0, 0), After::Count)
                    .map(Some);
            }
        }
        if hook.mask & mask::LINE == 0 {
            return Ok(None);
        }
        let last = hook.last;
        let thread = self.current_gc();
        let Some(code) = frame_code(&thread, frame.func as usize) else {
            return Ok(None);
        };
        let at = (pc as usize - code.code.as_ptr() as usize) / size_of::<Instr>();
        if code.belongs_to_next(at) {
            return Ok(None);
        }
        let line = code.line(at);
        if let Some(hook) = &mut self.thread_mut().hook {
            hook.last = at;
        }
        // What was set in another function may not be an instruction of this one.
        let last = if last < code.code.len() || last == NONE {
            last
        } else {
            0
        };
        // Before 5.4 a numeric loop begins at its end, and jumps back to its body.
        let enters_loop = code.dialect < Dialect::Lua54
            && code
                .code
                .get(last)
                .is_some_and(|instr| instr.op() == Op::FORPREP);
        if last != NONE && at > last && code.line(last) == line && !enters_loop {
            return Ok(None);
        }
        self.move_pc(1);
        self.call_hook("line", line, (0, 0), After::Instruction)
            .map(Some)
    }

    /// A Lua function has got its frame.
    pub(crate) fn hook_entry(&mut self) -> Result<Next, Thrown> {
        let t = self.thread_mut();
        if let Some(hook) = t.hook.as_mut().filter(|hook| !hook.running) {
            hook.last = NONE;
        }
        let Some(frame) = t.frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        if !self.hooked(mask::CALL) {
            return Ok(self.run_from_start());
        }
        let params = match self.thread().get(frame.func as usize).as_lua_closure() {
            Some(closure) => closure.proto().num_params as u32,
            None => 0,
        };
        let event = if frame.flags & TAIL != 0 {
            "tail call"
        } else {
            "call"
        };
        self.move_pc(1);
        self.call_hook(event, None, (1, params), After::Entry)
    }

    /// Whether the return instruction about to be executed is to have its hook first.
    pub(crate) fn hooks_return(&mut self) -> bool {
        if let Some(hook) = &mut self.thread_mut().hook
            && std::mem::take(&mut hook.returning)
        {
            return false;
        }
        self.hooked(mask::RETURN)
    }

    /// Calls the hook for a return of `n` values from register `a` on. The saved program counter is behind the instruction.
    pub(crate) fn hook_return(&mut self, a: usize, n: usize) -> Result<Next, Thrown> {
        self.call_hook("return", None, (a as u32 + 1, n as u32), After::Return)
    }

    /// A Lua function goes on behind a call: lines are compared with that of the call.
    #[inline]
    pub(crate) fn note_return(&mut self) {
        if self.thread().hook.is_some() {
            self.note_return_hooked();
        }
    }

    #[cold]
    fn note_return_hooked(&mut self) {
        let thread = self.current_gc();
        let Some(i) = thread.frames().len().checked_sub(1) else {
            return;
        };
        if !thread.frames()[i].is_native() {
            let at = self.instruction_index(&thread, i);
            let hook = self.thread_mut().hook.as_mut();
            if let Some(hook) = hook.filter(|hook| !hook.running) {
                hook.last = at;
            }
        }
    }

    // ---- natives ----

    /// A native is about to be called: if there is a hook for that, its frame is to be pushed, with this continuation.
    pub(crate) fn hooks_native_call(&mut self) -> bool {
        self.hooked(mask::CALL)
    }

    /// Calls the hook for the call of the native whose frame is on top.
    pub(crate) fn hook_native_call(&mut self, nargs: u32) -> Result<Next, Thrown> {
        self.call_hook("call", None, (1, nargs), After::Native)
    }

    /// Whether the return of a native is to have its hook first.
    pub(crate) fn hooks_native_return(&mut self) -> bool {
        self.hooks_return()
    }

    /// Calls the hook for the return of the last `n` values by the native whose frame is on top.
    pub(crate) fn hook_native_return(&mut self, n: u32) -> Result<Next, Thrown> {
        let t = self.thread_mut();
        let base = t.frames().last().map_or(0, |f| f.base);
        let first = t.top - n - base + 1;
        if let Some(f) = t.top_frame() {
            // SAFETY: the frame is on top of the current coroutine. It keeps the number of results where that of the
            // arguments was.
            unsafe { (*f).extra = n };
        }
        self.call_hook("return", None, (first, n), After::Native)
    }
}

/// Continues a native whose call had its hook: runs it.
pub(crate) fn run_hooked_native(ctx: &mut Ctx<'_>) -> NativeResult {
    match ctx.vm.thread().get(ctx.func).as_native() {
        Some(def) => (def.run)(ctx),
        None => unreachable!("the frame is that of a native"),
    }
}

/// Continues a native whose return had its hook: the values are on top.
pub(crate) fn return_hooked_results(ctx: &mut Ctx<'_>) -> NativeResult {
    if let Some(hook) = &mut ctx.vm.thread_mut().hook {
        hook.returning = true;
    }
    Ok(Action::Return(ctx.nargs() as u32))
}
