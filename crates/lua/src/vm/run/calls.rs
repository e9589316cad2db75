//! Calls and returns.
//!
//! A call of a Lua function with a fixed number of parameters is done in line, and so is the return from it. Natives run here
//! too, without leaving the machine, as long as they just return.

use super::super::call::{NATIVE_SLOTS, Next};
use super::super::{Event, NO_NATIVE, Vm};
use super::jumps::take_jump;
use super::{
    attempt, charge_line, clear, closure, copy, finish, leave, not_unrolled, ops, put, ra, resume,
    save, set,
};
use crate::dialect::Dialect;
use crate::function::{LuaClosure, NativeClosure, NativeDef, Switch};
use crate::native::{Action, Ctx, Status, Thrown};
use crate::op::{Instr, Op};
use crate::thread::frame_flags::*;
use crate::thread::{Frame, Thread};
use crate::value::{Val, tag};

/// The number of arguments of a call with its function at `at`: B - 1, or all up to the top.
#[inline(always)]
unsafe fn argument_count(vm: *mut Vm, at: *mut Val, i: Instr) -> usize {
    // SAFETY: the top is above the function when B is 0 (the compiler's promise).
    unsafe {
        match i.b() {
            0 => {
                let th = (*vm).current;
                (*th).stack.add((*th).top as usize).offset_from(at) as usize - 1
            }
            b => b - 1,
        }
    }
}

#[inline(always)]
unsafe fn index_of(th: *const Thread, at: *mut Val) -> u32 {
    // SAFETY: `at` is in the stack of the coroutine.
    unsafe { at.offset_from((*th).stack) as u32 }
}

/// Whether there is room for a frame whose registers end `size` slots above the function at `func`.
#[inline(always)]
unsafe fn has_room(th: *const Thread, func: u32, size: u32) -> bool {
    // SAFETY: `th` is the running coroutine.
    unsafe { func + size < (*th).stack_size && (*th).frame_count < (*th).frame_capacity }
}

/// Writes the frame of a plain call.
#[inline(always)]
unsafe fn write_frame(
    frame: *mut Frame,
    pc: *const Instr,
    func: u32,
    base: u32,
    c: usize,
    extra: u32,
) {
    // SAFETY: there is room for the frame.
    unsafe {
        (*frame).pc = pc;
        (*frame).func = func;
        (*frame).base = base;
        Frame::set_rest(frame, c as i16 - 1, 0, extra);
    }
}

ops! { (vm, pc, base, i, k, frame)
    CALL [HOOKED] => {
        let f = ra(base, i);
        if HOOKED || (*f).tag != tag::LCLOSURE {
            return call_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        let p = (*((*f).payload as *const LuaClosure)).proto;
        // Missing arguments, or an open number of them (B is 0).
        if (i.0 >> 16) as u8 <= (*p).num_params {
            return call_uneven(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        // PERF: before anything is stored, so that the subtraction's flags tell.
        let spent = (*vm).heap.fuel < 0;
        save(frame, pc);
        if spent {
            return call_slow(vm, pc, base, i, k, frame);
        }
        let th = (*vm).current;
        let func = index_of(th, f);
        if !has_room(th, func, (*p).frame_size) {
            return call_roomy(vm, pc, base, i, k, frame);
        }
        (*th).frame_count += 1;
        base = f.add(1);
        pc = (*p).code;
        frame = frame.add(1);
        write_frame(frame, pc, func, func + 1, i.c(), 0);
        k = (*p).constants;
    }
    /// A Lua function with fewer arguments than it has parameters, or an open number of arguments.
    #[inline(never)]
    call_uneven => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        charge_line(vm, pc, frame);
        save(frame, pc);
        if (*vm).heap.fuel < 0 {
            return call_slow(vm, pc, base, i, k, frame);
        }
        let th = (*vm).current;
        let func = index_of(th, f);
        if !has_room(th, func, (*p).frame_size) {
            return call_roomy(vm, pc, base, i, k, frame);
        }
        let nargs = argument_count(vm, f, i);
        base = f.add(1);
        clear(base.add(nargs), base.add((*p).num_params as usize));
        (*th).frame_count += 1;
        pc = (*p).code;
        frame = frame.add(1);
        write_frame(frame, pc, func, func + 1, i.c(), 0);
        k = (*p).constants;
    }
    /// A Lua function that may take extra arguments. The line up to here is charged, and `pc` saved.
    #[inline(never)]
    call_roomy => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        let th = (*vm).current;
        let func = index_of(th, f);
        let nargs = argument_count(vm, f, i);
        if !(*p).is_vararg || !has_room(th, func, nargs as u32 + (*p).max_stack as u32 + 2) {
            return call_slow(vm, pc, base, i, k, frame);
        }
        if nargs > (*p).num_params as usize {
            return call_shifted(vm, pc, base, i, k, frame);
        }
        base = f.add(1);
        clear(base.add(nargs), base.add((*p).num_params as usize));
        (*th).frame_count += 1;
        pc = (*p).code;
        frame = frame.add(1);
        write_frame(frame, pc, func, func + 1, i.c(), 0);
        k = (*p).constants;
    }
    /// A Lua function with extra arguments, for which there is room: its parameters move behind them.
    #[inline(never)]
    call_shifted => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        let th = (*vm).current;
        let func = index_of(th, f);
        let nargs = argument_count(vm, f, i) as u32;
        (*th).frame_count += 1;
        pc = (*p).code;
        frame = frame.add(1);
        let params = (*p).num_params as u32;
        write_frame(frame, pc, func, func + nargs + 2, i.c(), nargs - params);
        k = (*p).constants;
        base = f.add(nargs as usize + 2);
        shift_parameters(f, base, params as usize);
    }
    /// A stack that has to grow, a slice that is used up.
    #[inline(never)]
    call_slow => {
        let f = ra(base, i);
        let nargs = argument_count(vm, f, i) as u32;
        let func = index_of((*vm).current, f);
        attempt!(vm, (*vm).push_lua_frame(func, nargs, i.c() as i16 - 1, 0));
        if (*vm).heap.fuel < 0 {
            return leave(vm, Ok(Next::SafePoint));
        }
        return resume(vm);
    }
    /// Anything but a Lua function.
    #[inline(never)]
    call_other [HOOKED] => {
        let f = ra(base, i);
        if !HOOKED
            && (*f).tag == tag::NATIVE
            && (*((*f).payload as *const NativeDef)).quick.is_some()
            && !(*vm).floats
        {
            return call_quick(vm, pc, base, i, k, frame);
        }
        return call_plainly::<HOOKED>(vm, pc, base, i, k, frame);
    }
    /// A native with a quick form.
    #[inline(never)]
    call_quick => {
        let f = ra(base, i);
        let nargs = argument_count(vm, f, i);
        let v = run_quick(vm, f, nargs, i.c());
        if v.tag == tag::UNSUITED {
            return call_plainly::<false>(vm, pc, base, i, k, frame);
        }
        put(f, v);
        if v.tag == tag::NOTHING || i.c() != 2 {
            return other_results(vm, pc, base, i, k, frame);
        }
    }
    /// A native that is entered, a value that is no function, any of them in a coroutine with a hook.
    #[inline(never)]
    call_plainly [HOOKED] => {
        let f = ra(base, i);
        let nargs = argument_count(vm, f, i);
        charge_line(vm, pc, frame);
        save(frame, pc);
        let th = (*vm).current;
        let func = index_of(th, f);
        let wanted = i.c() as i16 - 1;
        if !HOOKED && ((*f).tag == tag::NATIVE || (*f).tag == tag::NCLOSURE) {
            if call_native(vm, func, nargs, wanted) {
                return resume(vm);
            }
            return;
        }
        (*th).top = func + 1 + nargs as u32;
        (*vm).native = NO_NATIVE;
        if !HOOKED {
            if call_value(vm, func, nargs as u32, wanted) {
                return resume(vm);
            }
            return;
        }
        return leave(vm, Ok(Next::Call { func, nargs: nargs as u32, nresults: wanted, flags: 0 }));
    }
    /// The result of a quick native where not just one is wanted, or there is none.
    #[inline(never)]
    other_results => {
        let f = ra(base, i);
        let n = ((*f).tag != tag::NOTHING) as usize;
        if n == 0 {
            // No register holds it for longer: the collector would take it for an object.
            put(f, Val::NIL);
        }
        if i.c() == 0 {
            (*(*vm).current).top = index_of((*vm).current, f) + n as u32;
        } else {
            for j in n..i.c() - 1 {
                put(f.add(j), Val::NIL);
            }
        }
    }
    TAILCALL [HOOKED] => {
        let f = ra(base, i);
        if (*f).tag != tag::LCLOSURE {
            // Natives and callable values: an ordinary call for all results (C is 0), which the RETURN behind it returns.
            return call_other::<HOOKED>(vm, pc, base, Instr(i.0 & 0x00FF_FFFF), k, frame);
        }
        let p = (*((*f).payload as *const LuaClosure)).proto;
        let th = (*vm).current;
        charge_line(vm, pc, frame);
        save(frame, pc);
        let func = (*frame).func;
        if HOOKED
            || i.c() != 0
            || (*vm).heap.fuel < 0
            || func + (*p).frame_size >= (*th).stack_size
        {
            return tail_slow::<HOOKED>(vm, pc, base, i, k, frame);
        }
        let nargs = argument_count(vm, f, i);
        let to = (*th).stack.add(func as usize);
        copy(f, to, nargs + 1);
        base = to.add(1);
        clear(base.add(nargs), base.add((*p).num_params as usize));
        pc = (*p).code;
        (*frame).pc = pc;
        (*frame).base = func + 1;
        Frame::set_rest(frame, (*frame).nresults, (*frame).flags | TAIL, 0);
        k = (*p).constants;
    }
    /// A tail call of a Lua function from one with variables to close, to one with extra arguments, and so on. The line is charged.
    #[inline(never)]
    tail_slow [HOOKED] => {
        let f = ra(base, i);
        let nargs = argument_count(vm, f, i) as u32;
        let th = (*vm).current;
        let (to, nresults, flags) = ((*frame).func, (*frame).nresults, (*frame).flags);
        if i.c() != 0 {
            (*vm).close_boxes((*frame).base as usize);
        }
        copy(f, (*th).stack.add(to as usize), nargs as usize + 1);
        (*th).top = to + 1 + nargs;
        (*th).frame_count -= 1;
        attempt!(vm, (*vm).push_lua_frame(to, nargs, nresults, flags | TAIL));
        if HOOKED {
            return leave(vm, Ok(Next::Entered));
        }
        if (*vm).heap.fuel < 0 {
            return leave(vm, Ok(Next::SafePoint));
        }
        return resume(vm);
    }

    RETURN1 [HOOKED] => {
        if HOOKED || !returns_plainly(frame, 1) {
            return return_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        set(base.sub(1), ra(base, i));
        let th = (*vm).current;
        (*th).frame_count -= 1;
        frame = frame.sub(1);
        base = (*th).stack.add((*frame).base as usize);
        pc = (*frame).pc;
        k = (*(*closure(base)).proto).constants;
    }
    RETURN0 [HOOKED] => {
        if HOOKED || !returns_plainly(frame, 0) {
            return return_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        let th = (*vm).current;
        (*th).frame_count -= 1;
        frame = frame.sub(1);
        base = (*th).stack.add((*frame).base as usize);
        pc = (*frame).pc;
        k = (*(*closure(base)).proto).constants;
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
        frame = frame.sub(1);
        base = (*th).stack.add((*frame).base as usize);
        pc = (*frame).pc;
        k = (*(*closure(base)).proto).constants;
    }
    /// The function was not called by a CALL. Its line is charged.
    #[inline(never)]
    return_specially [HOOKED] => {
        let n = returned_count(vm, base, i);
        let th = (*vm).current;
        let from = ra(base, i);
        let (func, nresults, flags) = ((*frame).func, (*frame).nresults, (*frame).flags);
        if !HOOKED && flags & SLOW_RETURN == META {
            return return_to_instruction(vm, pc, base, i, k, frame);
        }
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
        if ending == Ending::Other {
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
        k = (*(*closure(base)).proto).constants;
        if ending == Ending::Store {
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
        k = (*(*closure(base)).proto).constants;
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
    /// See `Vm::finish_instruction`.
    Other,
}

static ENDINGS: [Ending; Op::COUNT] = {
    let mut endings = [Ending::Drop; Op::COUNT];
    let mut n = 0;
    while n < Op::COUNT {
        let op = Op::ALL[n];
        endings[n] = match op.condition() {
            Op::CONCAT => Ending::Other,
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

/// Whether the frame's function has been called by a CALL that wants `n` results, and is right below its registers.
#[inline(always)]
unsafe fn returns_plainly(frame: *mut Frame, n: i16) -> bool {
    // SAFETY: the frame is the running one.
    unsafe {
        if cfg!(target_endian = "little") {
            // PERF: the three fields at once.
            let all = (&raw const (*frame).nresults as *const u64).read();
            all & !((TAIL as u64) << 16) == n as u64
        } else {
            (*frame).nresults == n && (*frame).flags & !TAIL == 0 && (*frame).extra == 0
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

/// Moves the parameters of the function at `f` behind its copy, which is right below `base`.
#[inline(always)]
unsafe fn shift_parameters(f: *mut Val, base: *mut Val, params: usize) {
    // SAFETY: both places are in the stack of the running coroutine.
    unsafe {
        set(base.sub(1), f);
        for j in 0..params {
            not_unrolled();
            let from = f.add(1 + j);
            set(base.add(j), from);
            put(from, Val::NIL);
        }
    }
}

/// Moves `n` values to stack index `func`, as many as wanted (-1: all, and the top is set behind them).
#[inline(always)]
unsafe fn move_values(th: *mut Thread, func: u32, from: *mut Val, n: usize, wanted: i16) {
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

/// Runs the quick form of the native at `f`.
#[inline(never)]
unsafe fn run_quick(vm: *mut Vm, f: *const Val, nargs: usize, c: usize) -> Val {
    // SAFETY: the native has one; the arguments are in registers of the running function.
    unsafe {
        let Some(quick) = (*((*f).payload as *const NativeDef)).quick else {
            return Val::UNSUITED;
        };
        let one = c == 1 || c == 2;
        quick(&mut *vm, std::slice::from_raw_parts(f.add(1), nargs), one)
    }
}

/// Calls a value that is no function. The result is as for [`call_native`].
#[inline(never)]
unsafe fn call_value(vm: *mut Vm, func: u32, nargs: u32, wanted: i16) -> bool {
    // SAFETY: the value at `func` and its arguments are on the stack of the running coroutine.
    unsafe {
        let value = (*vm).thread().get(func as usize);
        if (*vm).dialect < Dialect::Lua55
            && (*vm).meta_of(value, Event::Call).tag == tag::LCLOSURE
            && (*vm).thread().hook.is_none()
        {
            let entered = match (*vm).prepare_call_metamethod(func, nargs) {
                Ok(nargs) => (*vm).push_lua_frame(func, nargs, wanted, 0),
                Err(thrown) => Err(thrown),
            };
            match entered {
                Ok(()) if (*vm).heap.fuel < 0 => (*vm).exit = Ok(Next::SafePoint),
                Ok(()) => return true,
                Err(thrown) => (*vm).exit = Err(thrown),
            }
            return false;
        }
        (*vm).exit = Ok(Next::Call {
            func,
            nargs,
            nresults: wanted,
            flags: 0,
        });
        false
    }
}

/// Runs the native at stack index `func`. True: its results are where they are wanted, or another coroutine runs now; false: it
/// wants something that the machine does not do, or has thrown.
#[inline(never)]
pub(super) unsafe fn call_native(vm: *mut Vm, func: u32, nargs: usize, wanted: i16) -> bool {
    // SAFETY: the function at `func` is a native; the stack has room for it and its arguments.
    unsafe {
        let def = native_at(vm, func);
        (*(*vm).current).top = func + 1 + nargs as u32;
        match def.switch {
            None => run_native(vm, def, func, nargs, wanted),
            Some(Switch::Yield) => yield_or_run(vm, func, nargs, wanted),
            Some(Switch::Resume) => resume_or_run(vm, func, nargs, wanted),
            Some(Switch::Wrapped) => resume_captured_or_run(vm, func, nargs, wanted),
            Some(Switch::Protected { handler: false }) => pcall_or_run(vm, func, nargs, wanted),
            Some(Switch::Protected { handler: true }) => xpcall_or_run(vm, func, nargs, wanted),
        }
    }
}

/// [`call_native`] for natives that the interpreter need not enter.
macro_rules! shortcuts {
    ($($name:ident($vm:ident, $func:ident, $nargs:ident, $wanted:ident): $shortcut:expr;)*) => { $(
        #[inline(never)]
        unsafe fn $name($vm: *mut Vm, $func: u32, nargs: usize, $wanted: i16) -> bool {
            // SAFETY: as for `call_native`, which has set the top.
            unsafe {
                let $nargs = nargs as u32;
                $shortcut || run_native($vm, native_at($vm, $func), $func, nargs, $wanted)
            }
        }
    )* };
}
shortcuts! {
    yield_or_run(vm, func, nargs, wanted): (*vm).yield_quickly(func, nargs, wanted);
    resume_or_run(vm, func, nargs, wanted): (*vm).resume_argument(func, nargs, wanted);
    resume_captured_or_run(vm, func, nargs, wanted): (*vm).resume_captured(func, nargs, wanted);
    pcall_or_run(vm, func, nargs, wanted): (*vm).protect_quickly(false, func, nargs, wanted);
    xpcall_or_run(vm, func, nargs, wanted): (*vm).protect_quickly(true, func, nargs, wanted);
}

/// The definition of the native at stack index `func`.
#[inline(always)]
unsafe fn native_at(vm: *mut Vm, func: u32) -> &'static NativeDef {
    // SAFETY: the function at `func` of the running coroutine is a native; definitions are static.
    unsafe {
        let f = (*(*vm).current).stack.add(func as usize);
        match (*f).tag {
            tag::NATIVE => &*((*f).payload as *const NativeDef),
            _ => (*((*f).payload as *const NativeClosure)).def,
        }
    }
}

/// As [`call_native`], for a native that does not switch at once.
#[inline(never)]
unsafe fn run_native(vm: *mut Vm, def: &NativeDef, func: u32, nargs: usize, wanted: i16) -> bool {
    // SAFETY: as for `call_native`, which has set the top.
    unsafe {
        let th = (*vm).current;
        let top = func as usize + 1 + nargs;
        (*vm).native = func;
        if top + NATIVE_SLOTS > (*th).stack_size as usize
            && let Err(thrown) = (*vm).grow_stack(top + NATIVE_SLOTS)
        {
            (*vm).exit = Err(thrown);
            return false;
        }
        let mut ctx = Ctx {
            vm: &mut *vm,
            func: func as usize,
            base: func as usize + 1,
            nargs,
            results: top,
            status: Status::Ok,
        };
        let action = match (def.run)(&mut ctx) {
            Ok(action) => action,
            Err(thrown) => {
                (*vm).exit = Err(thrown);
                return false;
            }
        };
        let kept = ctx.nargs as u32;
        (*vm).native = NO_NATIVE;
        if let Action::Return(n) = action {
            if (*vm).floats {
                (*vm).make_floats(n);
            }
            let th = (*vm).current;
            let from = (*th).stack.add(((*th).top - n) as usize);
            move_values(th, func, from, n as usize, wanted);
            return true;
        }
        (*vm).native_nargs = kept;
        if (*vm).quick_switch(action, func, wanted) {
            return true;
        }
        act(vm, action, func, wanted, 0, false)
    }
}

/// Does what a native has asked for, if it is to return to Lua code or to call a Lua function; anything else leaves the machine.
/// `framed`: the native has a frame, on top. The results are as for [`call_native`].
unsafe fn act(
    vm: *mut Vm,
    action: Action,
    func: u32,
    nresults: i16,
    flags: u16,
    framed: bool,
) -> bool {
    // SAFETY: as for handlers.
    unsafe {
        let th = (*vm).current;
        let plain = !(*vm).floats && (*th).hook.is_none();
        match action {
            Action::Return(n) if plain && framed && flags & SLOW_RETURN == 0 => {
                (*th).frame_count -= 1;
                (*vm).native = NO_NATIVE;
                let from = (*th).stack.add(((*th).top - n) as usize);
                move_values(th, func, from, n as usize, nresults);
                (*vm).heap.spend((n / 4) as i64);
                return true;
            }
            Action::Call { nargs } if plain && !(*vm).strict => {
                let callee = (*th).top - nargs - 1;
                if (*(*th).stack.add(callee as usize)).tag == tag::LCLOSURE {
                    match begin_call(vm, func, nresults, flags, framed, callee, nargs) {
                        Ok(()) if (*vm).heap.fuel < 0 => (*vm).exit = Ok(Next::SafePoint),
                        Ok(()) => return true,
                        Err(thrown) => (*vm).exit = Err(thrown),
                    }
                    return false;
                }
            }
            _ => {}
        }
        (*vm).exit = Ok(Next::Acted {
            action,
            func,
            nresults,
            flags,
            framed,
        });
        false
    }
}

/// The native at `func` waits for the Lua function at `callee`.
unsafe fn begin_call(
    vm: *mut Vm,
    func: u32,
    nresults: i16,
    flags: u16,
    framed: bool,
    callee: u32,
    nargs: u32,
) -> Result<(), Thrown> {
    // SAFETY: as for handlers.
    unsafe {
        let (cont, kept) = ((*vm).next_cont, (*vm).native_nargs);
        let caught = std::mem::take(&mut (*vm).next_flags);
        if framed {
            let th = (*vm).current;
            let f = (*th).frames.add((*th).frame_count as usize - 1);
            (*f).pc = cont as *const Instr;
            (*f).extra = kept;
            (*f).flags = (*f).flags & !(CATCH | HANDLER | PASSES | PASSES_STATUS) | caught;
        } else {
            (*vm).push_native_frame(func, kept, nresults, flags | caught, cont)?;
        }
        (*vm).push_lua_frame(callee, nargs, -1, TO_NATIVE)
    }
}

/// Goes on with the native on top, which has called a Lua function: its results are from stack index `results` to the top. The
/// result is as for [`call_native`].
#[inline(never)]
unsafe fn return_to_native(vm: *mut Vm, results: u32) -> bool {
    // SAFETY: as for handlers; the frame on top is a native's.
    unsafe {
        let th = (*vm).current;
        let f = (*th).frames.add((*th).frame_count as usize - 1);
        let top = (*th).top as usize;
        if (*f).flags & BOUNDARY != 0
            || top + NATIVE_SLOTS > (*th).stack_size as usize
            || (*vm).heap.fuel < 0
        {
            (*vm).exit = Ok(Next::Continue {
                results,
                status: Status::Ok,
            });
            return false;
        }
        (*f).flags &= !(CATCH | HANDLER | CLOSING);
        let frame = *f;
        (*vm).native = frame.func;
        let mut ctx = Ctx {
            vm: &mut *vm,
            func: frame.func as usize,
            base: frame.base as usize,
            nargs: frame.extra as usize,
            results: results as usize,
            status: Status::Ok,
        };
        match frame.continuation()(&mut ctx) {
            Ok(action) => {
                let kept = ctx.nargs as u32;
                (*vm).native_nargs = kept;
                let flags = frame.flags & !(NATIVE | CLOSE_THREAD | PASSES | PASSES_STATUS);
                act(vm, action, frame.func, frame.nresults, flags, true)
            }
            Err(thrown) => {
                (*vm).exit = Err(thrown);
                false
            }
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
