//! `for` loops.

use super::super::call::Next;
use super::calls::call_native;
use super::switches::{is_wrapped, next_of_wrapped};
use super::{
    attempt, charge_line, leave, ops, put, put_float, put_int, ra, resume, safe_point, save, set,
};
use crate::heap::Gc;
use crate::table::Table;
use crate::value::{Val, tag};

ops! { (vm, pc, base, i, k, frame)
    FORPREP => {
        let r = ra(base, i);
        if (*r).tag == tag::INT
            && (*r.add(1)).tag == tag::INT
            && (*r.add(2)).tag == tag::INT
            && (*r.add(2)).raw_int() == 1
        {
            let (start, limit) = ((*r).raw_int(), (*r.add(1)).raw_int());
            if limit == i64::MAX {
                // Before 5.4 such a loop goes on beyond it.
                return begin_other_loop(vm, pc, base, i, k, frame);
            }
            if start <= limit {
                (*r.add(1)).payload = (limit as u64).wrapping_sub(start as u64);
                put_int(r.add(3), start);
            } else {
                pc = pc.add(i.bx());
            }
            return super::go!(vm, pc, base, k, frame);
        }
        return begin_other_loop(vm, pc, base, i, k, frame);
    }
    #[inline(never)]
    begin_other_loop => {
        save(frame, pc);
        match attempt!(vm, (*vm).begin_loop(ra(base, i))) {
            true => {}
            false => pc = pc.add(i.bx()),
        }
    }
    FORLOOP => {
        let r = ra(base, i);
        if (*r.add(2)).tag != tag::INT {
            return float_loop(vm, pc, base, i, k, frame);
        }
        let count = (*r.add(1)).payload;
        if count != 0 {
            let next = (*r).raw_int().wrapping_add((*r.add(2)).raw_int());
            (*r.add(1)).payload = count - 1;
            (*r).payload = next as u64;
            put_int(r.add(3), next);
            pc = pc.sub(i.bx());
            (*vm).heap.spend(i.bx() as i64);
            if (*vm).heap.fuel < 0 {
                return safe_point(vm, pc, base, i, k, frame);
            }
        }
    }
    #[inline(never)]
    float_loop => {
        let r = ra(base, i);
        let step = (*r.add(2)).raw_float();
        let next = (*r).raw_float() + step;
        let limit = (*r.add(1)).raw_float();
        if if step > 0.0 { next <= limit } else { limit <= next } {
            (*r).payload = next.to_bits();
            put_float(r.add(3), next);
            pc = pc.sub(i.bx());
            (*vm).heap.spend(i.bx() as i64);
            if (*vm).heap.fuel < 0 {
                return safe_point(vm, pc, base, i, k, frame);
            }
        }
    }

    TFORPREP => {
        save(frame, pc);
        attempt!(vm, (*vm).mark_to_be_closed(i.a() + 3));
        pc = pc.add(i.bx());
    }
    TFORCALL [HOOKED] => {
        let r = ra(base, i);
        if !HOOKED && (*r).tag == tag::NATIVE && (*r.add(1)).tag == tag::TABLE {
            if (*r).payload == &raw const crate::stdlib::NEXT as u64 {
                return next_entry(vm, pc, base, i, k, frame);
            }
            if (*r).payload == &raw const crate::stdlib::IPAIRS_STEP as u64 {
                return next_item(vm, pc, base, i, k, frame);
            }
        }
        if !HOOKED && is_wrapped(r) {
            return next_of_wrapped(vm, pc, base, i, k, frame);
        }
        return iterate::<HOOKED>(vm, pc, base, i, k, frame);
    }
    /// The iterator is `next`, and its state a table.
    ///
    /// Where the last key was is in the payload of the fourth value, which is nil but for its tag: the key is looked at there
    /// first, so nothing depends on it.
    #[inline(never)]
    next_entry => {
        let r = ra(base, i);
        let t: Gc<Table> = (*r.add(1)).raw_gc();
        let hidden = r.add(3);
        if t.header.extra == 0
            && (*hidden).tag == tag::NIL
            && let Some(at) = t.position_behind((*hidden).payload, *r.add(2))
            && let Some((next, key, v)) = t.entry_near(at)
            && !(*vm).floats
        {
            (*hidden).payload = next as u64;
            t.fetch_ahead(next);
            put(r.add(4), key);
            put(r.add(5), v);
            for j in 2..i.c() {
                put(r.add(4 + j), Val::NIL);
            }
            return super::go!(vm, pc, base, k, frame);
        }
        return next_entry_slow(vm, pc, base, i, k, frame);
    }
    #[inline(never)]
    next_entry_slow => {
        let r = ra(base, i);
        let t: Gc<Table> = (*r.add(1)).raw_gc();
        if !t.is_ordinary() {
            return iterate::<false>(vm, pc, base, i, k, frame);
        }
        save(frame, pc);
        match attempt!(vm, (*vm).table_next(t, *r.add(2))) {
            None => put(r.add(4), Val::NIL),
            Some((key, v)) => {
                put(r.add(4), key);
                put(r.add(5), v);
                for j in 2..i.c() {
                    put(r.add(4 + j), Val::NIL);
                }
            }
        }
    }
    /// The iterator is that of `ipairs`, over a table.
    #[inline(never)]
    next_item => {
        let r = ra(base, i);
        let t: Gc<Table> = (*r.add(1)).raw_gc();
        let control = r.add(2);
        // `n` is the last index; as a position it is that of the next.
        let n = (*control).payload as usize;
        if (*control).tag == tag::INT && n < t.array_size as usize {
            let v = t.array_slot(n).get();
            if !v.is_nil() && !(*vm).floats {
                t.fetch_ahead_in_array(n);
                put_int(r.add(4), n as i64 + 1);
                put(r.add(5), v);
                for j in 2..i.c() {
                    put(r.add(4 + j), Val::NIL);
                }
                return super::go!(vm, pc, base, k, frame);
            }
        }
        return iterate::<false>(vm, pc, base, i, k, frame);
    }
    #[inline(never)]
    iterate [HOOKED] => {
        let r = ra(base, i);
        set(r.add(4), r);
        set(r.add(5), r.add(1));
        set(r.add(6), r.add(2));
        let th = (*vm).current;
        let func = r.add(4).offset_from((*th).stack) as u32;
        charge_line(vm, pc, frame);
        save(frame, pc);
        if !HOOKED && (*r.add(4)).tag == tag::LCLOSURE {
            attempt!(vm, (*vm).push_lua_frame(func, 2, i.c() as i16, 0));
            return resume(vm);
        }
        if !HOOKED && ((*r).tag == tag::NATIVE || (*r).tag == tag::NCLOSURE) {
            if call_native(vm, func, 2, i.c() as i16) {
                return resume(vm);
            }
            return;
        }
        (*th).top = func + 3;
        return leave(vm, Ok(Next::Call { func, nargs: 2, nresults: i.c() as i16, flags: 0 }));
    }
    TFORLOOP => {
        let r = ra(base, i);
        if !(*r.add(4)).is_nil() {
            set(r.add(2), r.add(4));
            pc = pc.sub(i.bx());
            (*vm).heap.spend(i.bx() as i64);
            if (*vm).heap.fuel < 0 {
                return safe_point(vm, pc, base, i, k, frame);
            }
        }
    }
}

impl crate::vm::Vm {
    /// Prepares the numeric loop whose values are at `r`: whether it runs at all.
    unsafe fn begin_loop(&mut self, r: *mut Val) -> Result<bool, crate::native::Thrown> {
        // SAFETY: a loop has four registers from `r` on (the compiler's promise), and nothing here moves the stack.
        unsafe {
            let Some([start, count, step]) = self.prepare_loop(*r, *r.add(1), *r.add(2))? else {
                return Ok(false);
            };
            put(r, start);
            put(r.add(1), count);
            put(r.add(2), step);
            put(r.add(3), start);
            Ok(true)
        }
    }
}
