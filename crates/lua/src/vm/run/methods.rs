//! Metamethods of tables that are Lua functions: their frames are pushed here, from the arguments that an instruction has at hand.
//!
//! **Invariant:** what a function here says no to is as it was, and goes the long way ([`mod@crate::vm::meta`]), which means the same.

use super::{clear, closure, not_unrolled, put, set};
use crate::dialect::Dialect;
use crate::function::{LuaClosure, Proto};
use crate::heap::Gc;
use crate::string::Str;
use crate::table::Table;
use crate::thread::frame_flags::META;
use crate::thread::{Frame, Thread};
use crate::value::{Val, tag};
use crate::vm::{Event, NO_NATIVE, Vm};

/// The metamethod for an event of a table without peculiarities, nil if it has none.
#[inline(always)]
pub(super) unsafe fn method_of(vm: *mut Vm, t: Gc<Table>, event: Event) -> Val {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match Gc::from_nullable(t.meta) {
            Some(meta) if t.is_ordinary() => (*vm).meta_field(meta, event),
            _ => Val::NIL,
        }
    }
}

/// Pushes the frame of a Lua function whose first register is at stack index `first`. There is room for it.
#[inline(always)]
unsafe fn push_frame(
    vm: *mut Vm,
    th: *mut Thread,
    p: *const Proto,
    first: u32,
    nresults: i16,
    flags: u16,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = (*th).frames.add((*th).frame_count as usize);
        (*frame).pc = (*p).code;
        (*frame).func = first - 1;
        (*frame).base = first;
        Frame::set_rest(frame, nresults, flags, 0);
        (*th).frame_count += 1;
        (*vm).native = NO_NATIVE;
    }
}

/// Pushes the frame of a metamethod for the instruction before the saved `pc`, if it is a Lua function. `note`: what is to lie
/// below the call.
#[inline(always)]
pub(super) unsafe fn enter<const N: usize>(
    vm: *mut Vm,
    base: *mut Val,
    method: Val,
    args: [Val; N],
    nresults: i16,
    note: Option<Val>,
) -> bool {
    // SAFETY: the running frame, whose registers begin at `base`, is on top.
    unsafe {
        let th = (*vm).current;
        if method.tag != tag::LCLOSURE
            || (*vm).floats
            || (*vm).heap.fuel <= 0
            || (*th).hook.is_some()
        {
            return false;
        }
        let end = base.add((*(*closure(base)).proto).max_stack as usize);
        let mut at = end.max((*th).stack.add((*th).top as usize));
        let p = (*(method.payload as *const LuaClosure)).proto;
        // The size of a frame with extra arguments is more than any stack has.
        let last = at.add(N + 1).offset_from((*th).stack) as usize + (*p).frame_size as usize;
        if last >= (*th).stack_size as usize || (*th).frame_count >= (*th).frame_capacity {
            return false;
        }
        if let Some(note) = note {
            put(at, note);
            at = at.add(1);
        }
        put(at, method);
        at = at.add(1);
        for (n, arg) in args.into_iter().enumerate() {
            put(at.add(n), arg);
        }
        clear(at.add(N), at.add((*p).num_params as usize));
        let first = at.offset_from((*th).stack) as u32;
        push_frame(vm, th, p, first, nresults, META);
        (*vm).heap.spend(1);
        true
    }
}

/// The metamethod of an operation, one of whose operands is a table; nil if there is none.
#[inline(always)]
pub(super) unsafe fn operator_method(vm: *mut Vm, event: Event, a: Val, b: Val) -> Val {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match a.tag == tag::TABLE || b.tag == tag::TABLE {
            true => (*vm).operator_method(event, a, b),
            false => Val::NIL,
        }
    }
}

/// The `__index` of a table that does not have the key; nil if it is something else.
#[inline(always)]
pub(super) unsafe fn index_method(vm: *mut Vm, object: Val, key: Val) -> Val {
    // SAFETY: `vm` is the running VM.
    unsafe {
        if object.tag != tag::TABLE {
            return Val::NIL;
        }
        let t: Gc<Table> = object.raw_gc();
        let method = method_of(vm, t, Event::Index);
        match method.is_function() && is_absent(vm, t, key) {
            true => method,
            false => Val::NIL,
        }
    }
}

/// Pushes the frame of the `__call` of the table at `f`, which is called with `nargs` arguments, if that is a Lua function.
#[inline(always)]
pub(super) unsafe fn enter_callable(vm: *mut Vm, f: *mut Val, nargs: u32, nresults: i16) -> bool {
    // SAFETY: the value and its arguments are on the stack of the running coroutine.
    unsafe {
        let th = (*vm).current;
        // From 5.5 on, frames know how they were called.
        if (*f).tag != tag::TABLE || (*vm).dialect >= Dialect::Lua55 || (*th).hook.is_some() {
            return false;
        }
        let method = method_of(vm, (*f).raw_gc(), Event::Call);
        if method.tag != tag::LCLOSURE {
            return false;
        }
        let p = (*(method.payload as *const LuaClosure)).proto;
        let first = f.offset_from((*th).stack) as u32 + 1;
        let last = first as usize + nargs as usize + 1 + (*p).frame_size as usize;
        let fuel = (*vm).heap.fuel - 1 - (nargs / 4) as i64;
        if last >= (*th).stack_size as usize
            || (*th).frame_count >= (*th).frame_capacity
            || fuel < 0
        {
            return false;
        }
        (*vm).heap.fuel = fuel;
        let mut at = f.add(nargs as usize);
        while at >= f {
            not_unrolled();
            set(at.add(1), at);
            at = at.sub(1);
        }
        put(f, method);
        clear(
            f.add(nargs as usize + 2),
            f.add(1 + (*p).num_params as usize),
        );
        push_frame(vm, th, p, first, nresults, 0);
        true
    }
}

/// Whether a table is known not to have a key.
#[inline(always)]
pub(super) unsafe fn is_absent(vm: *mut Vm, t: Gc<Table>, key: Val) -> bool {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match key.tag {
            tag::STR if key.raw_gc::<Str>().is_interned() => t.get_interned(key.raw_gc()).is_nil(),
            // What it costs to look at a long string is charged elsewhere.
            tag::STR => false,
            _ => t.get((*vm).heap.hash_key, key).is_nil(),
        }
    }
}
