//! Calls.
//!
//! A call of a Lua function with a fixed number of parameters is done in line. Natives run here too ([`mod@super::natives`]), without
//! leaving the machine, as long as they just return. The way back is in [`mod@super::returns`].

use super::super::NO_NATIVE;
use super::super::call::Next;
use super::methods::method_of;
pub(super) use super::natives::call_native;
use super::natives::run_quick;
use super::switches::{call_resume, call_wrapped, call_yield, is_wrapped};
use super::{
    attempt, charge_line, clear, copy, leave, not_unrolled, ops, put, ra, resume, save, set,
};
use crate::dialect::Dialect;
use crate::function::{LuaClosure, NativeDef, Switch};
use crate::op::Instr;
use crate::thread::frame_flags::TAIL;
use crate::thread::{Frame, Thread};
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};

/// The number of arguments of a call with its function at `at`: B - 1, or all up to the top.
#[inline(always)]
pub(super) unsafe fn argument_count(vm: *mut Vm, at: *mut Val, i: Instr) -> usize {
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
pub(super) unsafe fn index_of(th: *const Thread, at: *mut Val) -> u32 {
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

/// Goes on in the function with prototype `p`, called at stack index `func`, whose registers begin at index `first`. There is room for its
/// frame.
macro_rules! enter {
    ($th:ident, $p:ident, $pc:ident, $k:ident, $frame:ident, $func:expr, $first:expr, $c:expr, $extra:expr) => {{
        (*$th).frame_count += 1;
        $pc = (*$p).code;
        $frame = $frame.add(1);
        write_frame($frame, $pc, $func, $first, $c, $extra);
        $k = (*$p).constants;
    }};
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
        base = f.add(1);
        enter!(th, p, pc, k, frame, func, func + 1, i.c(), 0);
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
        enter!(th, p, pc, k, frame, func, func + 1, i.c(), 0);
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
        enter!(th, p, pc, k, frame, func, func + 1, i.c(), 0);
    }
    /// A Lua function with extra arguments, for which there is room: its parameters move behind them.
    #[inline(never)]
    call_shifted => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        let th = (*vm).current;
        let func = index_of(th, f);
        let nargs = argument_count(vm, f, i) as u32;
        let params = (*p).num_params as u32;
        enter!(th, p, pc, k, frame, func, func + nargs + 2, i.c(), nargs - params);
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
        if !HOOKED && (*f).tag == tag::NATIVE {
            let def = (*f).payload as *const NativeDef;
            if (*def).quick.is_some() && !(*vm).floats {
                return call_quick(vm, pc, base, i, k, frame);
            }
            match (*def).switch {
                Some(Switch::Yield) => return call_yield(vm, pc, base, i, k, frame),
                Some(Switch::Resume) => return call_resume(vm, pc, base, i, k, frame),
                _ => {}
            }
        }
        // From 5.5 on, frames know how they were called.
        if !HOOKED && (*f).tag == tag::TABLE && (*vm).dialect < Dialect::Lua55 {
            return call_table(vm, pc, base, i, k, frame);
        }
        if !HOOKED && is_wrapped(f) {
            return call_wrapped(vm, pc, base, i, k, frame);
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
    /// A table whose `__call` is a Lua function, as a rule: the table becomes the first argument.
    #[inline(never)]
    call_table => {
        let f = ra(base, i);
        let method = method_of(vm, (*f).raw_gc(), Event::Call);
        if method.tag != tag::LCLOSURE {
            return call_plainly::<false>(vm, pc, base, i, k, frame);
        }
        let p = (*(method.payload as *const LuaClosure)).proto;
        let nargs = argument_count(vm, f, i);
        let th = (*vm).current;
        let func = index_of(th, f);
        let fuel = (*vm).heap.fuel - (nargs / 4) as i64;
        if fuel <= 0 || !has_room(th, func, nargs as u32 + 1 + (*p).frame_size) {
            return call_plainly::<false>(vm, pc, base, i, k, frame);
        }
        (*vm).heap.fuel = fuel - 1;
        charge_line(vm, pc, frame);
        save(frame, pc);
        let mut at = f.add(nargs);
        while at >= f {
            not_unrolled();
            set(at.add(1), at);
            at = at.sub(1);
        }
        put(f, method);
        base = f.add(1);
        clear(base.add(nargs + 1), base.add((*p).num_params as usize));
        (*vm).native = NO_NATIVE;
        enter!(th, p, pc, k, frame, func, func + 1, i.c(), 0);
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
        if HOOKED || (*f).tag != tag::LCLOSURE {
            return tail_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        let p = (*((*f).payload as *const LuaClosure)).proto;
        // Missing arguments, or an open number of them (B is 0); variables to close (C).
        if (i.0 >> 16) as u8 <= (*p).num_params || i.c() != 0 {
            return tail_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        let spent = (*vm).heap.fuel < 0;
        save(frame, pc);
        let th = (*vm).current;
        let func = (*frame).func;
        if spent || func + (*p).frame_size >= (*th).stack_size {
            return tail_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        pc = (*p).code;
        (*frame).pc = pc;
        (*frame).base = func + 1;
        Frame::make_tail(frame);
        let to = (*th).stack.add(func as usize);
        base = to.add(1);
        k = (*p).constants;
        copy(f, to, i.b());
    }
    /// Any other tail call.
    #[inline(never)]
    tail_other [HOOKED] => {
        if (*ra(base, i)).tag != tag::LCLOSURE {
            // Natives and callable values: an ordinary call for all results (C is 0), which the RETURN behind it returns.
            return call_other::<HOOKED>(vm, pc, base, Instr(i.0 & 0x00FF_FFFF), k, frame);
        }
        charge_line(vm, pc, frame);
        save(frame, pc);
        if HOOKED || i.c() != 0 || (*vm).heap.fuel < 0 {
            return tail_slow::<HOOKED>(vm, pc, base, i, k, frame);
        }
        return tail_uneven(vm, pc, base, i, k, frame);
    }
    /// A tail call of a Lua function with fewer arguments than it has parameters, or an open number of arguments. The line is charged.
    #[inline(never)]
    tail_uneven => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        let th = (*vm).current;
        let func = (*frame).func;
        if func + (*p).frame_size >= (*th).stack_size {
            return tail_slow::<false>(vm, pc, base, i, k, frame);
        }
        let nargs = argument_count(vm, f, i);
        pc = (*p).code;
        (*frame).pc = pc;
        (*frame).base = func + 1;
        Frame::make_tail(frame);
        let to = (*th).stack.add(func as usize);
        base = to.add(1);
        k = (*p).constants;
        copy(f, to, nargs + 1);
        clear(base.add(nargs), base.add((*p).num_params as usize));
    }
    /// A tail call of a Lua function from one with variables to close, with missing or extra arguments, and so on. The line is charged.
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
