//! New tables and closures, extra arguments, ends of blocks.

use super::super::Vm;
use super::super::call::{NATIVE_SLOTS, Next};
use super::super::debug::Operand;
use super::returns::pending_close;
use super::{attempt, clear, closure, copy, leave, ops, put, ra, resume, save};
use crate::function::{LuaClosure, Proto};
use crate::heap::Gc;
use crate::heap::collect::mark_bits;
use crate::native::Thrown;
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::Event;

ops! { (vm, pc, base, i, k, frame)
    NEWTABLE => {
        save(frame, pc);
        if i.b() | i.c() != 0 {
            return new_table_with_parts(vm, pc, base, i, k, frame);
        }
        let t = attempt!(vm, (*vm).new_table());
        put(ra(base, i), Val::table(t));
    }
    /// NEWTABLE with room for entries.
    #[inline(never)]
    new_table_with_parts => {
        let nodes = if i.b() == 0 { 0 } else { 1usize << (i.b() - 1).min(24) };
        let t = attempt!(vm, (*vm).new_table_within(i.c(), nodes));
        put(ra(base, i), Val::table(t));
        if t.slot_count() == 0 {
            attempt!(vm, (*vm).table_first_parts(t, i.c(), nodes));
        }
    }
    SETLIST => {
        let th = (*vm).current;
        let object = *ra(base, i);
        let start = (*pc).ax_value() as usize;
        pc = pc.add(1);
        save(frame, pc);
        if object.tag != tag::TABLE {
            // Only a binary chunk can have anything else there.
            return leave(vm, Err((*vm).index_error(object, Val::NIL, Operand::None)));
        }
        let at = (*frame).base as usize + i.a();
        let n = match i.b() {
            0 => (*th).top as usize - at - 1,
            b => b,
        };
        attempt!(vm, (*vm).set_list(object.raw_gc(), start, at + 1, n));
    }
    CLOSURE => {
        save(frame, pc);
        attempt!(vm, (*vm).make_closure(closure(base), i.a(), i.bx()));
    }
    VARARG => {
        if i.c() != 0 {
            return vararg_some(vm, pc, base, i, k, frame);
        }
        let (th, to) = ((*vm).current, ra(base, i));
        let have = (*frame).extra as usize;
        let end = to.add(have).offset_from((*th).stack) as u32;
        if end + NATIVE_SLOTS as u32 >= (*th).stack_size {
            return vararg_slow(vm, pc, base, *pc.sub(1), k, frame);
        }
        (*th).top = end;
        (*vm).heap.spend(have as i64);
        // The closure is between the extra arguments and the registers.
        copy(base.sub(1 + have), to, have);
    }
    /// VARARG for a fixed number of values, which the function's registers have room for.
    #[inline(never)]
    vararg_some => {
        let (to, wanted) = (ra(base, i), i.c() - 1);
        let have = (*frame).extra as usize;
        (*vm).heap.spend(wanted as i64);
        copy(base.sub(1 + have), to, wanted.min(have));
        clear(to.add(have), to.add(wanted));
    }
    #[inline(never)]
    vararg_slow => {
        save(frame, pc);
        attempt!(vm, (*vm).copy_varargs(i.a(), i.c() as i32 - 1));
        return resume(vm);
    }
    PACKVARARG => {
        save(frame, pc);
        attempt!(vm, (*vm).pack_varargs(i.a()));
    }
    UNPACKVARARG => {
        save(frame, pc);
        attempt!(vm, (*vm).unpack_varargs(i.a(), i.b(), i.c() as i32 - 1));
        return resume(vm);
    }
    GETVARG => { (*vm).get_vararg(i.a(), i.c()); }
    CHECKNEW => {
        if !(*ra(base, i)).is_nil() {
            save(frame, pc);
            return leave(vm, Err((*vm).already_defined(i.bx())));
        }
    }
    CLOSE => {
        let from = (*frame).base + i.a() as u32;
        if let Some(slot) = pending_close(&*(*vm).current, from) {
            // Come back to this instruction after the call.
            save(frame, pc.sub(1));
            return leave(vm, (*vm).close_next(slot));
        }
        (*vm).close_boxes(from as usize);
    }
    TBC => {
        save(frame, pc);
        attempt!(vm, (*vm).mark_to_be_closed(i.a()));
    }
}

impl Vm {
    /// `R[A] := closure(child n)` with its captures. `R[A]` is written first: a recursive function captures itself.
    #[inline(never)]
    unsafe fn make_closure(
        &mut self,
        cl: *const LuaClosure,
        a: usize,
        n: usize,
    ) -> Result<(), Thrown> {
        // SAFETY: `cl` is the running closure; the child and its captures are in range (the compiler's promise).
        unsafe {
            let proto = self.child_proto((*cl).proto, n)?;
            let count = (&*proto).function.upvalues.len();
            let mut made = self.new_lua_closure(proto, count)?;
            let at = self.frame_base();
            self.thread_mut().set(at + a, Val::lua_closure(made));
            for u in 0..count {
                let (in_stack, index, by_value) = {
                    let desc = &(&*proto).function.upvalues[u];
                    (desc.in_stack, desc.index as usize, desc.by_value)
                };
                let v = if !in_stack {
                    *(*cl).upvalue_ptr(index)
                } else if by_value {
                    self.thread().get(at + index)
                } else {
                    Val::object(self.find_box(at + index)? as *mut _, tag::UPBOX)
                };
                *made.upvalue_ptr(u) = v;
            }
            made.header.extra = 0;
            if self.dialect.reuses_closures() {
                self.reuse_closure(proto, at + a, made);
            }
        }
        Ok(())
    }

    /// Puts the last closure of the prototype in the place of the one just made, if nothing but its address tells them apart.
    #[cold]
    unsafe fn reuse_closure(&mut self, proto: *mut Proto, slot: usize, made: Gc<LuaClosure>) {
        // SAFETY: the prototype is the closure's. A cached closure is alive: it was marked when the collector visited the
        // prototype last, or has been made since, which a prototype that is marked already does not remember.
        unsafe {
            let cached = (*proto).cached;
            let same = |u: usize| {
                let (old, new) = (*(*cached).upvalue_ptr(u), *made.upvalue_ptr(u));
                old.tag == new.tag && old.payload == new.payload
            };
            if !cached.is_null() && (0..made.count()).all(same) {
                self.thread_mut()
                    .set(slot, Val::lua_closure(Gc::from_ptr(cached)));
            } else if (*proto).header.mark & mark_bits::BLACK == 0 {
                (*proto).cached = made.as_ptr();
            }
        }
    }

    /// Copies extra arguments to `R[A]` and on: `wanted`, or all (-1) and sets the top behind them.
    #[inline(never)]
    fn copy_varargs(&mut self, a: usize, wanted: i32) -> Result<(), Thrown> {
        let Some(frame) = self.thread().frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let have = frame.extra as usize;
        let n = if wanted < 0 { have } else { wanted as usize };
        let to = frame.base as usize + a;
        self.ensure_stack(to + n + NATIVE_SLOTS)?;
        self.heap.spend(n as i64);
        let from = frame.base as usize - 1 - have;
        let t = self.thread_mut();
        for i in 0..n {
            let v = if i < have { t.get(from + i) } else { Val::NIL };
            t.set(to + i, v);
        }
        if wanted < 0 {
            t.top = (to + n) as u32;
        }
        Ok(())
    }

    /// `R[A] := {n = number of varargs, varargs}`
    #[inline(never)]
    fn pack_varargs(&mut self, a: usize) -> Result<(), Thrown> {
        let Some(frame) = self.thread().frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let n = frame.extra as usize;
        let t = self.new_table_sized(n, 1)?;
        let base = frame.base as usize;
        self.thread_mut().set(base + a, Val::table(t));
        self.set_list(t, 0, base - 1 - n, n)?;
        self.set_field(t, "n", Val::int(n as i64))
    }

    /// Stores `n` values from stack index `from` into a fresh table, behind `start` entries.
    #[inline(never)]
    fn set_list(
        &mut self,
        t: Gc<Table>,
        start: usize,
        from: usize,
        n: usize,
    ) -> Result<(), Thrown> {
        self.heap.spend(n as i64);
        if start + n > t.array_size as usize {
            let hash = if t.has_nodes() { live_nodes(t) } else { 0 };
            // A long list comes in many pieces: by a share of what there is, so that all of them together cost what the list does.
            let room = if start < 256 { 0 } else { start / 4 };
            self.table_first_parts(t, start + n + room, hash)?;
        }
        let black = t.header.mark & mark_bits::BLACK != 0;
        for i in 0..n {
            let v = self.thread().get(from + i);
            t.array_slot(start + i).set(v);
            if black {
                self.barrier_table(t, v);
            }
        }
        Ok(())
    }

    /// Marks a register of the running function as to-be-closed.
    #[inline(never)]
    pub(super) fn mark_to_be_closed(&mut self, a: usize) -> Result<(), Thrown> {
        let slot = self.frame_base() + a;
        let v = self.thread().get(slot);
        if !v.truthy() {
            return Ok(());
        }
        if self.meta_of(v, Event::Close).is_nil() {
            return Err(self.not_closable_error(a));
        }
        if self.thread_mut().to_close.try_reserve(1).is_err() {
            return Err(self.throw_memory());
        }
        self.thread_mut().to_close.push(slot as u32);
        Ok(())
    }

    /// Closes the variable at `slot` from a CLOSE instruction, which is executed again afterwards.
    fn close_next(&mut self, slot: u32) -> Result<Next, Thrown> {
        let at = self.thread().extent() as u32;
        self.thread_mut().to_close.pop();
        self.close_boxes(slot as usize);
        self.begin_close(slot, Val::NIL, at, 0)
    }
}

fn live_nodes(t: Gc<Table>) -> usize {
    let mut n = 0;
    let mut at = t.array_size as usize;
    while let Ok(Some((next, _, _))) = t.entry_from(at, usize::MAX) {
        n += 1;
        at = next;
    }
    n
}
