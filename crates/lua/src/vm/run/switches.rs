//! Calls that go from one coroutine to another: `yield`, `resume` and what `wrap` makes, where no more than a value is passed.
//!
//! What such a call needs beside that is tested by [`mod@crate::vm::switch`]; where a test fails nothing has been done, and the native is
//! called as any other is.

use super::calls::{argument_count, call_plainly, index_of};
use super::loops::iterate;
use super::{charge_line, ops, ra, resume, save, set};
use crate::function::{NativeClosure, Switch};
use crate::value::{Val, tag};

/// Whether a value is a function of `coroutine.wrap`.
#[inline(always)]
pub(super) unsafe fn is_wrapped(f: *const Val) -> bool {
    // SAFETY: a register of the running function.
    unsafe {
        (*f).tag == tag::NCLOSURE
            && (*((*f).payload as *const NativeClosure)).def.switch == Some(Switch::Wrapped)
    }
}

/// Calls of the natives: each with the switch that is tried.
macro_rules! switching_calls {
    ($($call:ident: $switch:ident;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            #[inline(never)]
            $call => {
                let f = ra(base, i);
                let nargs = argument_count(vm, f, i);
                charge_line(vm, pc, frame);
                save(frame, pc);
                let func = index_of((*vm).current, f);
                if !(*vm).$switch::<true>(func, nargs as u32, i.c() as i16 - 1) {
                    return call_plainly::<false>(vm, pc, base, i, k, frame);
                }
                return resume(vm);
            }
        )* }
    };
}
switching_calls! {
    call_yield: yield_quickly;
    call_resume: resume_argument;
    call_wrapped: resume_captured;
}

ops! { (vm, pc, base, i, k, frame)
    /// The iterator of a loop is such a function.
    #[inline(never)]
    next_of_wrapped => {
        let r = ra(base, i);
        set(r.add(4), r);
        set(r.add(5), r.add(1));
        set(r.add(6), r.add(2));
        charge_line(vm, pc, frame);
        save(frame, pc);
        let func = index_of((*vm).current, r.add(4));
        if !(*vm).resume_captured::<true>(func, 2, i.c() as i16) {
            return iterate::<false>(vm, pc, base, i, k, frame);
        }
        return resume(vm);
    }
}
