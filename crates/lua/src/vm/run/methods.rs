//! Metamethods of tables that are Lua functions: their frames are pushed here, from the arguments that an instruction has at hand.
//!
//! **Invariant:** what a function here says no to is as it was, and goes the long way ([`mod@crate::vm::meta`]), which means the same.

use super::calls::index_of;
use super::{clear, closure, put};
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::op::Instr;
use crate::table::{Slot, Table};
use crate::thread::Frame;
use crate::thread::frame_flags::META;
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

/// Where the call of a metamethod with `n` values (its arguments, and what lies below it) is put: behind all that the running
/// function has. Null: it is not entered here.
#[inline(always)]
pub(super) unsafe fn place(
    vm: *mut Vm,
    base: *mut Val,
    method: *const LuaClosure,
    n: usize,
) -> *mut Val {
    // SAFETY: the running frame, whose registers begin at `base`, is on top.
    unsafe {
        let th = (*vm).current;
        let end = base.add((*(*closure(base)).proto).max_stack as usize);
        let at = end.max((*th).stack.add((*th).top as usize));
        // The size of a frame with extra arguments is more than any stack has.
        let size = n + 1 + (*(*method).proto).frame_size as usize;
        let last = at.offset_from((*th).stack) as usize + size;
        let fits = last < (*th).stack_size as usize && (*th).frame_count < (*th).frame_capacity;
        match fits && !(*vm).floats && (*vm).heap.fuel > 0 && (*th).hook.is_none() {
            true => at,
            false => std::ptr::null_mut(),
        }
    }
}

/// Writes the frame of a metamethod whose first register is at stack index `first`, and charges for it. There is room for it.
#[inline(always)]
pub(super) unsafe fn push_frame(
    vm: *mut Vm,
    frame: *mut Frame,
    code: *const Instr,
    first: u32,
    nresults: i16,
) {
    // SAFETY: the caller's promise.
    unsafe {
        (*frame).pc = code;
        (*frame).func = first - 1;
        (*frame).base = first;
        Frame::set_rest(frame, nresults, META, 0);
        (*(*vm).current).frame_count += 1;
        (*vm).native = NO_NATIVE;
        (*vm).heap.spend(1);
    }
}

/// Goes on in the metamethod of an instruction: a Lua function that is to be at `$at` ([`place`]), where `$n` arguments are behind it.
/// The running frame's `pc` is saved.
///
/// PERF: nothing is read back that has just been written, unlike after [`enter`].
macro_rules! begin_method {
    ($vm:ident, $pc:ident, $base:ident, $k:ident, $frame:ident, $method:ident, $at:ident, $n:expr, $nresults:expr) => {{
        (*$at).payload = $method as u64;
        (*$at).tag = $crate::value::tag::LCLOSURE;
        $base = $at.add(1);
        let p = (*$method).proto;
        $crate::vm::run::clear($base.add($n), $base.add((*p).num_params as usize));
        $pc = (*p).code;
        $k = (*p).constants;
        $frame = $frame.add(1);
        let first = $crate::vm::run::calls::index_of((*$vm).current, $base);
        $crate::vm::run::methods::push_frame($vm, $frame, $pc, first, $nresults);
    }};
}
pub(super) use begin_method;

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
        if method.tag != tag::LCLOSURE {
            return false;
        }
        let closure = method.payload as *const LuaClosure;
        let mut at = place(vm, base, closure, N + note.is_some() as usize);
        if at.is_null() {
            return false;
        }
        if let Some(note) = note {
            put(at, note);
            at = at.add(1);
        }
        put(at, method);
        let first = at.add(1);
        for (n, arg) in args.into_iter().enumerate() {
            put(first.add(n), arg);
        }
        let p = (*closure).proto;
        clear(first.add(N), first.add((*p).num_params as usize));
        let th = (*vm).current;
        let frame = (*th).frames.add((*th).frame_count as usize);
        push_frame(vm, frame, (*p).code, index_of(th, first), nresults);
        true
    }
}

/// The entry of a metatable for an event, if it is found at once.
#[inline(always)]
pub(super) unsafe fn entry(vm: *mut Vm, meta: Gc<Table>, event: Event) -> Option<Slot> {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match meta.is_whole() {
            true => meta.find_interned_here((*vm).event_name(event)),
            false => None,
        }
    }
}

/// The metamethod of a table for an event, if it is a function of Lua that is found at once; null otherwise, and for an environment in
/// layers, which has none of its own.
#[inline(always)]
pub(super) unsafe fn lua_method(vm: *mut Vm, v: *const Val, event: Event) -> *const LuaClosure {
    // SAFETY: `vm` is the running VM, `v` a table.
    unsafe {
        let t: Gc<Table> = (*v).raw_gc();
        if let Some(meta) = Gc::from_nullable(t.meta)
            && t.is_ordinary()
            && let Some(slot) = entry(vm, meta, event)
            && slot.tag() == tag::LCLOSURE
        {
            return slot.get().payload as *const LuaClosure;
        }
        std::ptr::null()
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
