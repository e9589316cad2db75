//! Natives, called by Lua code and returned to, and values that are no functions.
//!
//! **Invariant:** nothing here is a handler (see the head of `run`): a native's `Ctx` has an address.

use super::super::call::{NATIVE_SLOTS, Next};
use super::super::{NO_NATIVE, Vm};
use super::put;
use super::returns::move_values;
use crate::function::{NativeClosure, NativeDef, Switch};
use crate::native::{Action, Ctx, Status, Thrown};
use crate::op::Instr;
use crate::thread::frame_flags::*;
use crate::value::{Val, tag};

/// Runs the quick form of the native at `f`.
#[inline(never)]
pub(super) unsafe fn run_quick(vm: *mut Vm, f: *const Val, nargs: usize, c: usize) -> Val {
    // SAFETY: the native has one; the arguments are in registers of the running function.
    unsafe {
        let Some(quick) = (*((*f).payload as *const NativeDef)).quick else {
            return Val::UNSUITED;
        };
        let one = c == 1 || c == 2;
        quick(&mut *vm, std::slice::from_raw_parts(f.add(1), nargs), one)
    }
}

/// Runs the native at stack index `func`. True: its results are where they are wanted, or another coroutine runs now; false: it
/// wants something that the machine does not do, or has thrown.
#[inline(always)]
pub(super) unsafe fn call_native(vm: *mut Vm, func: u32, nargs: usize, wanted: i16) -> bool {
    // SAFETY: the function at `func` is a native; the stack has room for it and its arguments.
    unsafe {
        let th = (*vm).current;
        let f = (*th).stack.add(func as usize);
        let def = match (*f).tag {
            tag::NATIVE => (*f).payload as *const NativeDef,
            _ => (*((*f).payload as *const NativeClosure)).def,
        };
        (*th).top = func + 1 + nargs as u32;
        call_definition(vm, func, nargs, wanted, &*def)
    }
}

/// As [`call_native`]. The native's arguments end at the top.
#[inline(never)]
unsafe fn call_definition(
    vm: *mut Vm,
    func: u32,
    nargs: usize,
    wanted: i16,
    def: &'static NativeDef,
) -> bool {
    // SAFETY: as for `call_native`.
    unsafe {
        match def.switch {
            None => run_native(vm, func, nargs, wanted, def),
            Some(Switch::Yield) => yield_some(vm, func, nargs, wanted, def),
            Some(Switch::Resume) => resume_some(vm, func, nargs, wanted, def),
            Some(Switch::Wrapped) => wrapped_some(vm, func, nargs, wanted, def),
            Some(Switch::Protected) => pcall(vm, func, nargs, wanted, def),
            Some(Switch::Handled) => xpcall(vm, func, nargs, wanted, def),
        }
    }
}

/// [`call_definition`] for natives that the interpreter need not enter: what is done instead, or else they are.
macro_rules! shortcuts {
    ($($name:ident($vm:ident, $func:ident, $nargs:ident, $wanted:ident): $shortcut:expr;)*) => { $(
        #[inline(never)]
        unsafe fn $name($vm: *mut Vm, $func: u32, nargs: usize, $wanted: i16, def: &'static NativeDef) -> bool {
            // SAFETY: as for `call_definition`.
            unsafe {
                let $nargs = nargs as u32;
                $shortcut || run_native($vm, $func, nargs, $wanted, def)
            }
        }
    )* };
}
shortcuts! {
    yield_some(vm, func, nargs, wanted): (*vm).yield_quickly::<false>(func, nargs, wanted);
    resume_some(vm, func, nargs, wanted): (*vm).resume_argument::<false>(func, nargs, wanted);
    wrapped_some(vm, func, nargs, wanted): (*vm).resume_captured::<false>(func, nargs, wanted);
    protect(vm, func, nargs, wanted): (*vm).protect_quickly(false, func, nargs, wanted);
    xpcall(vm, func, nargs, wanted): (*vm).protect_quickly(true, func, nargs, wanted);
}

/// `pcall`. Of a native: its frame is what the long way would push, and the native is called as from there.
#[inline(never)]
unsafe fn pcall(
    vm: *mut Vm,
    func: u32,
    nargs: usize,
    wanted: i16,
    pcall: &'static NativeDef,
) -> bool {
    // SAFETY: as for `call_native`, which has set the top.
    unsafe {
        let th = (*vm).current;
        let callee = func + 1;
        let f = *(*th).stack.add(callee as usize);
        let switches = match f.tag {
            _ if nargs == 0 => return run_native(vm, func, nargs, wanted, pcall),
            tag::NATIVE => (*(f.payload as *const NativeDef)).switch.is_some(),
            tag::NCLOSURE => (*(f.payload as *const NativeClosure)).def.switch.is_some(),
            _ => return protect(vm, func, nargs, wanted, pcall),
        };
        if switches
            || (*th).hook.is_some()
            || (*vm).strict
            || (*vm).floats
            || (*vm).heap.fuel < 0
            || (*th).frame_count == (*th).frame_capacity
        {
            return run_native(vm, func, nargs, wanted, pcall);
        }
        (*vm).push_protecting(func, nargs as u32, wanted, CATCH);
        match (*vm).run_native(f, callee, nargs as u32 - 1) {
            Ok(Action::Return(n)) => {
                (*vm).native = NO_NATIVE;
                let th = (*vm).current;
                (*th).frame_count -= 1;
                // The status goes below the results: the callee is there, or something above it.
                let from = (*th).stack.add(((*th).top - n) as usize - 1);
                put(from, Val::TRUE);
                move_values(th, func, from, n as usize + 1, wanted);
                return true;
            }
            Ok(action) => {
                (*vm).exit = Ok(Next::Acted {
                    action,
                    func: callee,
                    nresults: -1,
                    flags: TO_NATIVE,
                    framed: false,
                })
            }
            Err(thrown) => (*vm).exit = Err(thrown),
        }
        false
    }
}

/// As [`call_definition`], for a native that does not switch at once.
#[inline(never)]
unsafe fn run_native(
    vm: *mut Vm,
    func: u32,
    nargs: usize,
    wanted: i16,
    def: &'static NativeDef,
) -> bool {
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
pub(in crate::vm) unsafe fn return_to_native(vm: *mut Vm, results: u32) -> bool {
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
