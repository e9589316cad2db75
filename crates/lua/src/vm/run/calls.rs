//! Calls and returns.
//!
//! A call of a Lua function with a fixed number of parameters is done in line, and so is the return from it. Natives run here
//! too, without leaving the machine, as long as they just return.

use super::super::call::{NATIVE_SLOTS, Next};
use super::super::{NO_NATIVE, Vm};
use super::{attempt, charge_line, closure, finish, go, leave, ops, put, ra, resume, save, set};
use crate::function::{LuaClosure, NativeClosure, NativeDef, Proto, Quick};
use crate::native::{Action, Ctx, Status, Thrown};
use crate::op::Instr;
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

/// Whether the Lua function at `func` can be entered at once: its frame and registers have room, and the slice is not used up.
#[inline(always)]
unsafe fn can_enter(vm: *mut Vm, th: *const Thread, p: *const Proto, func: u32) -> bool {
    // SAFETY: the prototype is that of the function at `func` of the running coroutine.
    unsafe {
        func + (*p).frame_size < (*th).stack_size
            && (*th).frame_count < (*th).frame_capacity
            && (*vm).heap.fuel >= 0
    }
}

/// Writes the frame of a plain call.
#[inline(always)]
unsafe fn write_frame(frame: *mut Frame, pc: *const Instr, func: u32, c: usize) {
    // SAFETY: there is room for the frame.
    unsafe {
        (*frame).pc = pc;
        if cfg!(target_endian = "little") {
            // PERF: two stores for five fields.
            (&raw mut (*frame).func as *mut u64).write(func as u64 | (func as u64 + 1) << 32);
            (&raw mut (*frame).nresults as *mut u64).write((c as u16).wrapping_sub(1) as u64);
        } else {
            (*frame).func = func;
            (*frame).base = func + 1;
            (*frame).nresults = c as i16 - 1;
            (*frame).flags = 0;
            (*frame).extra = 0;
        }
    }
}

ops! { (vm, pc, base, i, k, frame)
    CALL [HOOKED] => {
        let f = ra(base, i);
        if HOOKED || (*f).tag != tag::LCLOSURE {
            return call_other::<HOOKED>(vm, pc, base, i, k, frame);
        }
        let callee = (*f).payload as *const LuaClosure;
        let p = (*callee).proto;
        // Missing arguments, or an open number of them (B is 0).
        if i.b() <= (*p).num_params as usize {
            return call_uneven(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        save(frame, pc);
        let th = (*vm).current;
        let func = index_of(th, f);
        if !can_enter(vm, th, p, func) {
            return call_slow(vm, pc, base, i, k, frame);
        }
        base = f.add(1);
        pc = (*p).code;
        frame = frame.add(1);
        write_frame(frame, pc, func, i.c());
        (*th).frame_count += 1;
        k = (*p).constants;
    }
    /// A Lua function with other arguments than it has parameters.
    #[inline(never)]
    call_uneven => {
        let f = ra(base, i);
        let p = (*((*f).payload as *const LuaClosure)).proto;
        charge_line(vm, pc, frame);
        save(frame, pc);
        let th = (*vm).current;
        let func = index_of(th, f);
        if !can_enter(vm, th, p, func) {
            return call_slow(vm, pc, base, i, k, frame);
        }
        let nargs = argument_count(vm, f, i);
        base = f.add(1);
        for n in nargs..(*p).num_params as usize {
            (*base.add(n)).tag = tag::NIL;
        }
        pc = (*p).code;
        frame = frame.add(1);
        write_frame(frame, pc, func, i.c());
        (*th).frame_count += 1;
        k = (*p).constants;
    }
    /// A Lua function with extra arguments, a stack that has to grow, a slice that is used up.
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
        let nargs = argument_count(vm, f, i);
        if !HOOKED && (*f).tag == tag::NATIVE && !(*vm).floats {
            let def = &*((*f).payload as *const NativeDef);
            if let Some(quick) = def.quick {
                let v = run_quick(quick, vm, f.add(1), nargs, i.c());
                if v.tag != tag::UNSUITED {
                    put(f, v);
                    if v.tag == tag::NOTHING || i.c() != 2 {
                        return other_results(vm, pc, base, i, k, frame);
                    }
                    return go!(vm, pc, base, k, frame);
                }
            }
        }
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
        let nargs = argument_count(vm, f, i) as u32;
        charge_line(vm, pc, frame);
        save(frame, pc);
        let th = (*vm).current;
        let func = index_of(th, f);
        if (*f).tag != tag::LCLOSURE {
            // Natives and callable values: an ordinary call, whose results the RETURN behind it returns.
            (*th).top = func + 1 + nargs;
            return leave(vm, Ok(Next::Call { func, nargs, nresults: -1, flags: 0 }));
        }
        let (to, nresults, flags) = ((*frame).func, (*frame).nresults, (*frame).flags);
        if i.c() != 0 {
            (*vm).close_boxes((*frame).base as usize);
        }
        let target = (*th).stack.add(to as usize);
        for j in 0..=nargs as usize {
            set(target.add(j), f.add(j));
        }
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
            return return_one::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        let th = (*vm).current;
        let from = ra(base, i);
        // The function is right below its registers, but for one with extra arguments.
        set((*th).stack.add((*frame).func as usize), from);
        (*th).frame_count -= 1;
        frame = frame.sub(1);
        base = (*th).stack.add((*frame).base as usize);
        k = (*(*closure(base)).proto).constants;
        return go!(vm, (*frame).pc, base, k, frame);
    }
    RETURN0 [HOOKED] => {
        if HOOKED || !returns_plainly(frame, 0) {
            return return_none::<HOOKED>(vm, pc, base, i, k, frame);
        }
        charge_line(vm, pc, frame);
        let th = (*vm).current;
        (*th).frame_count -= 1;
        frame = frame.sub(1);
        base = (*th).stack.add((*frame).base as usize);
        k = (*(*closure(base)).proto).constants;
        return go!(vm, (*frame).pc, base, k, frame);
    }
    #[inline(never)]
    return_none [HOOKED] => {
        return return_values::<HOOKED>(vm, pc, base, i, k, frame, 0);
    }
    #[inline(never)]
    return_one [HOOKED] => {
        return return_values::<HOOKED>(vm, pc, base, i, k, frame, 1);
    }
    RETURN [HOOKED] => {
        let n = match i.b() {
            0 => {
                let th = (*vm).current;
                (*th).stack.add((*th).top as usize).offset_from(ra(base, i)) as usize
            }
            b => b - 1,
        };
        if i.c() != 0 {
            let end = (*frame).base + (i.a() + n) as u32;
            if let Some(slot) = pending_close(&*(*vm).current, (*frame).base) {
                if i.b() != 0 {
                    (*(*vm).current).top = end;
                }
                // Come back to this instruction after the call.
                save(frame, pc.sub(1));
                return leave(vm, (*vm).close_before_return(slot, end));
            }
            (*vm).close_boxes((*frame).base as usize);
        }
        return return_values::<HOOKED>(vm, pc, base, i, k, frame, n);
    }
}

/// Whether the frame's function is called by a plain CALL that wants `n` results.
#[inline(always)]
unsafe fn returns_plainly(frame: *mut Frame, n: i16) -> bool {
    // SAFETY: the frame is the running one.
    unsafe {
        if cfg!(target_endian = "little") {
            // PERF: both fields at once.
            let both = (&raw const (*frame).nresults as *const u32).read();
            both & !((TAIL as u32) << 16) == n as u32
        } else {
            (*frame).nresults == n && (*frame).flags & !TAIL == 0
        }
    }
}

/// Returns the `n` values from `R[A]` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn return_values<const HOOKED: bool>(
    vm: *mut Vm,
    pc: *const Instr,
    base: *mut Val,
    i: Instr,
    _k: *const Val,
    frame: *mut Frame,
    n: usize,
) {
    // SAFETY: as for handlers.
    unsafe {
        if HOOKED && (*vm).hooks_return() {
            save(frame, pc);
            return leave(vm, (*vm).hook_return(i.a(), n));
        }
        charge_line(vm, pc, frame);
        let th = (*vm).current;
        let from = ra(base, i);
        let Frame {
            func,
            nresults,
            flags,
            ..
        } = *frame;
        (*th).frame_count -= 1;
        if !HOOKED && flags & SLOW_RETURN == META {
            save(frame, pc);
            let result = if n == 0 { Val::NIL } else { *from };
            if finish(vm, func, result) {
                resume(vm);
            }
            return;
        }
        if !HOOKED && flags & SLOW_RETURN == TO_NATIVE {
            save(frame, pc);
            move_values(th, func, from, n, -1);
            if return_to_native(vm, func) {
                resume(vm);
            }
            return;
        }
        if flags & SLOW_RETURN != 0 {
            save(frame, pc);
            (*th).top = index_of(th, from) + n as u32;
            return leave(
                vm,
                Ok(Next::Returned {
                    func,
                    n: n as u32,
                    nresults,
                    flags,
                }),
            );
        }
        move_values(th, func, from, n, nresults);
        if HOOKED {
            (*vm).note_return();
        }
        resume(vm)
    }
}

/// Moves `n` values to stack index `func`, as many as wanted (-1: all, and the top is set behind them).
#[inline(always)]
unsafe fn move_values(th: *mut Thread, func: u32, from: *mut Val, n: usize, wanted: i16) {
    // SAFETY: both places are in the stack of the coroutine, which has room for what a call wants.
    unsafe {
        let to = (*th).stack.add(func as usize);
        if wanted < 0 {
            for j in 0..n {
                set(to.add(j), from.add(j));
            }
            (*th).top = func + n as u32;
        } else {
            let wanted = wanted as usize;
            let moved = n.min(wanted);
            for j in 0..moved {
                set(to.add(j), from.add(j));
            }
            for j in moved..wanted {
                put(to.add(j), Val::NIL);
            }
        }
    }
}

/// Runs the quick form of a native.
#[inline(never)]
unsafe fn run_quick(quick: Quick, vm: *mut Vm, args: *const Val, nargs: usize, c: usize) -> Val {
    // SAFETY: the arguments are in registers of the running function.
    unsafe {
        let one = c == 1 || c == 2;
        quick(&mut *vm, std::slice::from_raw_parts(args, nargs), one)
    }
}

/// Runs the native at stack index `func`. True: its results are where they are wanted, or another coroutine runs now; false: it
/// wants something that the machine does not do, or has thrown.
#[inline(never)]
pub(super) unsafe fn call_native(vm: *mut Vm, func: u32, nargs: usize, wanted: i16) -> bool {
    // SAFETY: the function at `func` is a native; the stack has room for it and its arguments.
    unsafe {
        let th = (*vm).current;
        let f = (*th).stack.add(func as usize);
        let def = match (*f).tag {
            tag::NATIVE => &*((*f).payload as *const NativeDef),
            _ => (*((*f).payload as *const NativeClosure)).def,
        };
        let top = func as usize + 1 + nargs;
        (*th).top = top as u32;
        if let Some(switch) = def.switch
            && (*vm).switch_quickly(switch, func, nargs as u32, wanted)
        {
            return true;
        }
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
