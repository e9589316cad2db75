//! Returns.
//!
//! The return to a CALL of a function is done in line, and so is that to an instruction whose metamethod it was, to `pcall`
//! and to a resumer.

use super::super::Vm;
use super::super::call::Next;
use super::calls::index_of;
use super::jumps::take_jump;
use super::natives::return_to_native;
use super::{charge_line, clear, constants, copy, finish, leave, ops, put, ra, resume, save, set};
use crate::native::Thrown;
use crate::op::{Instr, Op};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, Thread};
use crate::value::Val;

/// Goes on in the function below the one whose frame has gone.
macro_rules! go_back {
    ($th:ident, $pc:ident, $base:ident, $k:ident, $frame:ident) => {{
        $frame = $frame.sub(1);
        $base = (*$th).stack.add((*$frame).base as usize);
        $pc = (*$frame).pc;
        $k = constants($base);
    }};
}

ops! { (vm, pc, base, i, k, frame)
    RETURN1 [HOOKED] => {
        // Where no result is wanted either, its place is a register that nobody looks at any more.
        if HOOKED || !returns_plainly(frame, 1) {
            return return_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        set(base.sub(1), ra(base, i));
        let th = (*vm).current;
        (*th).frame_count -= 1;
        go_back!(th, pc, base, k, frame);
    }
    RETURN0 [HOOKED] => {
        if HOOKED || !returns_plainly(frame, 0) {
            return return_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        let th = (*vm).current;
        (*th).frame_count -= 1;
        go_back!(th, pc, base, k, frame);
    }
    RETURN [HOOKED] => {
        if i.c() != 0 {
            return return_closing::<HOOKED>(vm, pc, base, i, k, frame);
        }
        return return_other::<HOOKED>(vm, pc, base, i, k, frame);
    }
    /// RETURN from a function that has variables to close.
    #[inline(never)]
    return_closing [HOOKED] => {
        let end = (*frame).base + (i.a() + returned_count(vm, base, i)) as u32;
        if let Some(slot) = pending_close(&*(*vm).current, (*frame).base) {
            if i.b() != 0 {
                (*(*vm).current).top = end;
            }
            // Come back to this instruction after the call.
            save(frame, pc.sub(1));
            return leave(vm, (*vm).close_before_return(slot, end));
        }
        (*vm).close_boxes((*frame).base as usize);
        return return_other::<HOOKED>(vm, pc, base, i, k, frame);
    }
    /// Any number of values, from a function with extra arguments or to another number of results.
    #[inline(never)]
    return_other [HOOKED] => {
        if HOOKED && (*vm).hooks_return() {
            save(frame, pc);
            return leave(vm, (*vm).hook_return(i.a(), returned_count(vm, base, i)));
        }
        charge_line(vm, pc, frame);
        if !HOOKED && (*frame).flags & SLOW_RETURN == META {
            return return_to_instruction(vm, pc, base, i, k, frame);
        }
        if (*frame).flags & SLOW_RETURN != 0 {
            return return_specially::<HOOKED>(vm, pc, base, i, k, frame);
        }
        let n = returned_count(vm, base, i);
        let th = (*vm).current;
        move_values(th, (*frame).func, ra(base, i), n, (*frame).nresults);
        (*th).frame_count -= 1;
        if HOOKED {
            (*vm).note_return();
        }
        go_back!(th, pc, base, k, frame);
    }
    /// The function was not called by a CALL. Its line is charged.
    #[inline(never)]
    return_specially [HOOKED] => {
        let n = returned_count(vm, base, i);
        let th = (*vm).current;
        let from = ra(base, i);
        let (func, nresults, flags) = ((*frame).func, (*frame).nresults, (*frame).flags);
        if !HOOKED && flags & SLOW_RETURN == TO_NATIVE && protects(frame.sub(1)) && (*vm).heap.fuel >= 0 {
            return return_protected(vm, pc, base, i, k, frame);
        }
        (*th).frame_count -= 1;
        save(frame, pc);
        if !HOOKED && flags & SLOW_RETURN == BOTTOM && (*vm).finish_quickly(from, n) {
            return resume(vm);
        }
        if !HOOKED && flags & SLOW_RETURN == TO_NATIVE {
            move_values(th, func, from, n, -1);
            if return_to_native(vm, func) {
                return resume(vm);
            }
            return;
        }
        (*th).top = index_of(th, from) + n as u32;
        return leave(vm, Ok(Next::Returned { func, n: n as u32, nresults, flags }));
    }
    /// A metamethod returns to the instruction that called it.
    #[inline(never)]
    return_to_instruction => {
        let from = match returned_count(vm, base, i) {
            0 => &raw const NIL,
            _ => ra(base, i) as *const Val,
        };
        let th = (*vm).current;
        let caller = frame.sub(1);
        let func = (*frame).func;
        let of = *(*caller).pc.sub(1);
        let ending = ENDINGS[of.op() as usize];
        (*th).frame_count -= 1;
        // How many values are left of a concatenation is noted below the call: as a rule, its own.
        if ending == Ending::Join && (*(*th).stack.add(func as usize - 1)).raw_int() != 1 {
            save(frame, pc);
            if finish(vm, func, *from) {
                return resume(vm);
            }
            return;
        }
        // The live part ends with the caller's registers again.
        (*th).top = (*caller).base;
        frame = caller;
        base = (*th).stack.add((*frame).base as usize);
        pc = (*frame).pc;
        k = constants(base);
        if ending == Ending::Store || ending == Ending::Join {
            set(ra(base, of), from);
        } else if ending != Ending::Drop {
            // Whether it was `__lt` that was called, with the operands swapped, is noted below the call.
            let negated = ending == Ending::DecideLess
                && (*vm).dialect.le_by_lt()
                && (*(*th).stack.add(func as usize - 1)).truthy();
            if ((*from).truthy() != negated) == (of.c() != 0) {
                return take_jump(vm, pc, base, i, k, frame);
            }
            pc = pc.add(1);
        }
    }
    /// A function that was called by `pcall`, which was called by a Lua function, returns: so does `pcall`.
    #[inline(never)]
    return_protected => {
        let n = returned_count(vm, base, i);
        let th = (*vm).current;
        let (to, wanted) = ((*frame.sub(1)).func, (*frame.sub(1)).nresults);
        (*vm).heap.spend((n / 4) as i64);
        if wanted != 0 {
            move_values(th, to + 1, ra(base, i), n, if wanted < 0 { -1 } else { wanted - 1 });
            put((*th).stack.add(to as usize), Val::TRUE);
        }
        (*th).frame_count -= 2;
        frame = frame.sub(2);
        base = (*th).stack.add((*frame).base as usize);
        pc = (*frame).pc;
        k = constants(base);
    }
}

static NIL: Val = Val::NIL;

/// What is left of an instruction when the metamethod that it has called returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Nothing.
    Drop,
    /// The result goes to `R[A]`.
    Store,
    /// The result decides a condition.
    Decide,
    /// The same, of "less or equal".
    DecideLess,
    /// The result is the last value of a concatenation (`Vm::finish_instruction`); that of the whole goes to `R[A]`.
    Join,
}

static ENDINGS: [Ending; Op::COUNT] = {
    let mut endings = [Ending::Drop; Op::COUNT];
    let mut n = 0;
    while n < Op::COUNT {
        let op = Op::ALL[n];
        endings[n] = match op.condition() {
            Op::CONCAT => Ending::Join,
            Op::EQ | Op::LT | Op::LTI | Op::GTI => Ending::Decide,
            Op::LE | Op::LEI | Op::GEI => Ending::DecideLess,
            _ if op.sets_a() => Ending::Store,
            _ => Ending::Drop,
        };
        n += 1;
    }
    endings
};

/// Whether a frame is that of `pcall` (or `xpcall`), called by a Lua function and waiting for what it protects.
#[inline(always)]
unsafe fn protects(frame: *const Frame) -> bool {
    // SAFETY: the frame is in the frame stack of the running coroutine.
    unsafe { (*frame).flags & !HANDLER == NATIVE | CATCH | PASSES_STATUS }
}

/// Whether the frame's function has been called by a CALL that wants at most `n` results, and is right below its registers.
#[inline(always)]
unsafe fn returns_plainly(frame: *mut Frame, n: i16) -> bool {
    // SAFETY: the frame is the running one.
    unsafe {
        if cfg!(target_endian = "little") {
            // PERF: the three fields at once.
            let all = (&raw const (*frame).nresults as *const u64).read();
            all & !((TAIL as u64) << 16) <= n as u64
        } else {
            let wanted = (*frame).nresults;
            0 <= wanted && wanted <= n && (*frame).flags & !TAIL == 0 && (*frame).extra == 0
        }
    }
}

/// How many values a return instruction returns.
#[inline(always)]
unsafe fn returned_count(vm: *mut Vm, base: *mut Val, i: Instr) -> usize {
    // SAFETY: the top is at or above `R[A]` when B of a RETURN is 0 (the compiler's promise).
    unsafe {
        match i.op() {
            Op::RETURN0 => 0,
            Op::RETURN1 => 1,
            _ if i.b() != 0 => i.b() - 1,
            _ => {
                let th = (*vm).current;
                (*th).stack.add((*th).top as usize).offset_from(ra(base, i)) as usize
            }
        }
    }
}

/// Moves `n` values to stack index `func`, as many as wanted (-1: all, and the top is set behind them).
#[inline(always)]
pub(super) unsafe fn move_values(
    th: *mut Thread,
    func: u32,
    from: *mut Val,
    n: usize,
    wanted: i16,
) {
    // SAFETY: both places are in the stack of the coroutine, which has room for what a call wants.
    unsafe {
        let to = (*th).stack.add(func as usize);
        if wanted < 0 {
            copy(from, to, n);
            (*th).top = func + n as u32;
        } else {
            let wanted = wanted as usize;
            copy(from, to, n.min(wanted));
            clear(to.add(n), to.add(wanted));
        }
    }
}

/// The innermost pending to-be-closed variable at or above a stack index.
#[inline(always)]
pub(super) fn pending_close(t: &Thread, from: u32) -> Option<u32> {
    t.to_close.last().copied().filter(|slot| *slot >= from)
}

impl Vm {
    /// Closes the variable at `slot` from a RETURN, whose values end at `values_end`, and which is executed again afterwards.
    fn close_before_return(&mut self, slot: u32, values_end: u32) -> Result<Next, Thrown> {
        // The call is placed right behind the values: its end puts the top back there, where the RETURN looks. Values that
        // a RETURN counts itself may lie below the variables still to be closed: these stay where they are.
        self.thread_mut().to_close.pop();
        self.begin_close(slot, Val::NIL, values_end.max(slot + 1), 0)
    }
}
