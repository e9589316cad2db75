//! Reads and writes of table entries.
//!
//! In line: string keys that are interned, integers in the array part, tables without metatables that matter. The rest goes to
//! `slow_get` and `slow_set`, which look at the instruction again.

use super::super::debug::Operand;
use super::{attempt, kb, kc, leave, ops, put, ra, rb, rc, resume, save, slow_value, upvalue};
use crate::heap::Gc;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::table::Table;
use crate::value::{Type, Val, tag};
use crate::vm::Event;

/// `R[A] := object[key]`, the key an interned string.
macro_rules! get_string {
    ($vm:ident, $pc:ident, $base:ident, $k:ident, $i:ident, $frame:ident, $object:expr, $key:expr) => {{
        let object: *const Val = $object;
        if (*object).tag != tag::TABLE {
            return slow_get($vm, $pc, $base, $k, $i, $frame);
        }
        let t: Gc<Table> = (*object).raw_gc();
        let key: Gc<Str> = $key;
        match t.find_first(key) {
            Some(slot) => put(ra($base, $i), slot.get()),
            None => return get_further($vm, $pc, $base, $k, $i, $frame),
        }
    }};
}

/// `object[key] := value`, the key an interned string that is in the table already.
macro_rules! set_string {
    ($vm:ident, $pc:ident, $base:ident, $k:ident, $i:ident, $frame:ident, $object:expr, $key:expr, $value:expr) => {{
        let object: *const Val = $object;
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            if !t.is_plainly_writable() {
                return set_carefully($vm, $pc, $base, $k, $i, $frame);
            }
            let key: Gc<Str> = $key;
            if let Some(slot) = t.find_first(key) {
                let value: *const Val = $value;
                slot.set(*value);
                return super::go($vm, $pc, $base, $k, $frame);
            }
            return set_carefully($vm, $pc, $base, $k, $i, $frame);
        }
        return slow_set($vm, $pc, $base, $k, $i, $frame);
    }};
}

/// `object[key] := value`, the key an integer.
macro_rules! set_int {
    ($vm:ident, $pc:ident, $base:ident, $k:ident, $i:ident, $frame:ident, $object:expr, $key:expr, $value:expr) => {{
        let object: *const Val = $object;
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            if !t.is_plainly_writable() {
                return set_carefully($vm, $pc, $base, $k, $i, $frame);
            }
            let key: i64 = $key;
            let index = (key as u64).wrapping_sub(1);
            if index < t.array_size as u64 {
                let slot = t.array_slot(index as usize);
                if t.meta.is_null() || !slot.get().is_nil() {
                    let value: *const Val = $value;
                    slot.set(*value);
                    return super::go($vm, $pc, $base, $k, $frame);
                }
            }
        }
        return slow_set($vm, $pc, $base, $k, $i, $frame);
    }};
}

/// What a writing instruction writes to.
#[inline(always)]
unsafe fn written_object(base: *mut Val, i: Instr) -> Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::SETTABUP | Op::SETTABUPK => *upvalue(base, i.a()),
            _ => *ra(base, i),
        }
    }
}

/// The key that a writing instruction writes under.
#[inline(always)]
unsafe fn written_key(base: *mut Val, k: *const Val, i: Instr) -> Val {
    // SAFETY: as above.
    unsafe {
        match i.op() {
            Op::SETTABLE | Op::SETTABLEK => *rb(base, i),
            Op::SETI | Op::SETIK => Val::int(i.b() as i64),
            _ => *kb(k, i),
        }
    }
}

/// The value that a writing instruction stores.
#[inline(always)]
unsafe fn written_value(base: *mut Val, k: *const Val, i: Instr) -> Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::SETTABUP | Op::SETTABLE | Op::SETI | Op::SETFIELD => *rc(base, i),
            _ => *kc(k, i),
        }
    }
}

ops! { (vm, pc, base, k, i, frame)
    GETTABUP => {
        get_string!(vm, pc, base, k, i, frame, upvalue(base, i.b()), (*kc(k, i)).raw_gc());
    }
    GETFIELD => {
        get_string!(vm, pc, base, k, i, frame, rb(base, i), (*kc(k, i)).raw_gc());
    }
    SELF => {
        let object = *rb(base, i);
        put(ra(base, i).add(1), object);
        if object.tag != tag::TABLE {
            return string_method(vm, pc, base, k, i, frame);
        }
        let t: Gc<Table> = object.raw_gc();
        let key: Gc<Str> = (*kc(k, i)).raw_gc();
        match t.find_first(key) {
            Some(slot) => put(ra(base, i), slot.get()),
            None => return inherited(vm, pc, base, k, i, frame),
        }
    }
    /// A string key that is not where it would be if nothing else were.
    #[inline(never)]
    get_further => {
        let object = match i.op() {
            Op::GETTABUP => *upvalue(base, i.b()),
            _ => *rb(base, i),
        };
        let key = if i.op() == Op::GETTABLE { *rc(base, i) } else { *kc(k, i) };
        let t: Gc<Table> = object.raw_gc();
        match t.find_interned(key.raw_gc()) {
            Some(slot) if !slot.get().is_nil() => put(ra(base, i), slot.get()),
            _ if t.meta.is_null() => put(ra(base, i), Val::NIL),
            _ => return inherited(vm, pc, base, k, i, frame),
        }
    }
    /// A method of a string, as a rule: an entry of the table that is the `__index` of all strings.
    #[inline(never)]
    string_method => {
        let object = ra(base, i).add(1);
        if (*object).tag == tag::STR
            && let Some(meta) = Gc::from_nullable((*vm).metatables[Type::String as usize])
            && let Some(methods) = (*vm).meta_field(meta, Event::Index).as_table()
            && let Some(slot) = methods.find_interned((*kc(k, i)).raw_gc())
            && !slot.get().is_nil()
        {
            put(ra(base, i), slot.get());
        } else {
            return slow_self(vm, pc, base, k, i, frame);
        }
    }
    /// A string key that a table does not have: perhaps the table that its metatable's `__index` is.
    #[inline(never)]
    inherited => {
        let object = match i.op() {
            Op::GETTABUP => *upvalue(base, i.b()),
            Op::SELF => *ra(base, i).add(1),
            _ => *rb(base, i),
        };
        let key = if i.op() == Op::GETTABLE { *rc(base, i) } else { *kc(k, i) };
        match (*vm).index_chain(object.raw_gc(), key.raw_gc()) {
            Some(v) => put(ra(base, i), v),
            None if i.op() == Op::SELF => return slow_self(vm, pc, base, k, i, frame),
            None => return slow_get(vm, pc, base, k, i, frame),
        }
    }

    GETTABLE => {
        let (object, key) = (rb(base, i), rc(base, i));
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            if (*key).tag == tag::INT {
                let index = ((*key).raw_int() as u64).wrapping_sub(1);
                if index < t.array_size as u64 {
                    let v = t.array_slot(index as usize).get();
                    if !v.is_nil() || t.meta.is_null() {
                        put(ra(base, i), v);
                        return super::go(vm, pc, base, k, frame);
                    }
                }
                return get_int_node(vm, pc, base, k, i, frame);
            }
            if (*key).tag == tag::STR && (*key).raw_gc::<Str>().is_interned() {
                return get_by_string(vm, pc, base, k, i, frame);
            }
            if (*key).tag == tag::FLOAT {
                return get_by_float(vm, pc, base, k, i, frame);
            }
        }
        return slow_get(vm, pc, base, k, i, frame);
    }
    /// GETTABLE with a key that is an interned string.
    #[inline(never)]
    get_by_string => {
        get_string!(vm, pc, base, k, i, frame, rb(base, i), (*rc(base, i)).raw_gc());
    }
    /// GETTABLE with a key that is a float: an index where numbers have no integer subtype.
    #[inline(never)]
    get_by_float => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        let f = (*rc(base, i)).raw_float();
        let index = (f as i64 as u64).wrapping_sub(1);
        if index < t.array_size as u64 && f as i64 as f64 == f {
            let v = t.array_slot(index as usize).get();
            if !v.is_nil() || t.meta.is_null() {
                put(ra(base, i), v);
                return super::go(vm, pc, base, k, frame);
            }
        }
        return slow_get(vm, pc, base, k, i, frame);
    }
    /// An integer key that is not in the array part.
    #[inline(never)]
    get_int_node => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        let key = if i.op() == Op::GETI { i.c() as i64 } else { (*rc(base, i)).raw_int() };
        let v = t.get_int_node(key);
        if v.is_nil() && !t.meta.is_null() {
            return slow_get(vm, pc, base, k, i, frame);
        }
        put(ra(base, i), v);
    }
    GETI => {
        let object = rb(base, i);
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            let index = i.c().wrapping_sub(1);
            if index < t.array_size as usize {
                let v = t.array_slot(index).get();
                if !v.is_nil() || t.meta.is_null() {
                    put(ra(base, i), v);
                    return super::go(vm, pc, base, k, frame);
                }
            } else if t.meta.is_null() {
                return get_int_node(vm, pc, base, k, i, frame);
            }
        }
        return slow_get(vm, pc, base, k, i, frame);
    }
    /// Any other read.
    #[inline(never)]
    slow_get => {
        save(frame, pc);
        let (object, on) = match i.op() {
            Op::GETTABUP => (*upvalue(base, i.b()), Operand::Upvalue(i.b())),
            _ => (*rb(base, i), Operand::Register(i.b())),
        };
        let key = match i.op() {
            Op::GETTABLE => *rc(base, i),
            Op::GETI => Val::int(i.c() as i64),
            _ => *kc(k, i),
        };
        if !slow_value(vm, i, (*vm).index(object, key, on)) {
            return;
        }
        return resume(vm);
    }
    /// As `slow_get` for SELF, which may have overwritten its own operand.
    #[inline(never)]
    slow_self => {
        save(frame, pc);
        let object = *ra(base, i).add(1);
        if !slow_value(vm, i, (*vm).index(object, *kc(k, i), Operand::Register(i.b()))) {
            return;
        }
        return resume(vm);
    }

    SETTABUP => {
        set_string!(vm, pc, base, k, i, frame, upvalue(base, i.a()), (*kb(k, i)).raw_gc(), rc(base, i));
    }
    SETTABUPK => {
        set_string!(vm, pc, base, k, i, frame, upvalue(base, i.a()), (*kb(k, i)).raw_gc(), kc(k, i));
    }
    SETFIELD => {
        set_string!(vm, pc, base, k, i, frame, ra(base, i), (*kb(k, i)).raw_gc(), rc(base, i));
    }
    SETFIELDK => {
        set_string!(vm, pc, base, k, i, frame, ra(base, i), (*kb(k, i)).raw_gc(), kc(k, i));
    }
    SETI => {
        set_int!(vm, pc, base, k, i, frame, ra(base, i), i.b() as i64, rc(base, i));
    }
    SETIK => {
        set_int!(vm, pc, base, k, i, frame, ra(base, i), i.b() as i64, kc(k, i));
    }
    SETTABLE => {
        let key = rb(base, i);
        if (*key).tag != tag::INT {
            return set_by_other(vm, pc, base, k, i, frame);
        }
        set_int!(vm, pc, base, k, i, frame, ra(base, i), (*key).raw_int(), rc(base, i));
    }
    SETTABLEK => {
        let key = rb(base, i);
        if (*key).tag != tag::INT {
            return set_by_other(vm, pc, base, k, i, frame);
        }
        set_int!(vm, pc, base, k, i, frame, ra(base, i), (*key).raw_int(), kc(k, i));
    }
    /// SETTABLE and SETTABLEK with a key that is no integer.
    #[inline(never)]
    set_by_other => {
        let key = rb(base, i);
        let value = if i.op() == Op::SETTABLE { rc(base, i) as *const Val } else { kc(k, i) };
        if (*key).tag == tag::STR && (*key).raw_gc::<Str>().is_interned() {
            set_string!(vm, pc, base, k, i, frame, ra(base, i), (*key).raw_gc(), value);
        }
        if (*key).tag == tag::FLOAT && (*key).raw_float() as i64 as f64 == (*key).raw_float() {
            set_int!(vm, pc, base, k, i, frame, ra(base, i), (*key).raw_float() as i64, value);
        }
        return slow_set(vm, pc, base, k, i, frame);
    }
    /// A write to a table that the collector has done with, or one of a special kind.
    #[inline(never)]
    set_carefully => {
        let (object, key, value) = (written_object(base, i), written_key(base, k, i), written_value(base, k, i));
        let t: Gc<Table> = object.raw_gc();
        let slot = match key.tag {
            _ if t.header.extra != 0 => None,
            tag::STR if key.raw_gc::<Str>().is_interned() => t.find_interned(key.raw_gc()),
            tag::INT if ((key.raw_int() as u64).wrapping_sub(1)) < t.array_size as u64 => {
                Some(t.array_slot(key.raw_int() as usize - 1))
            }
            _ => None,
        };
        match slot {
            Some(slot) if !slot.get().is_nil() || t.meta.is_null() && key.tag == tag::INT => {
                slot.set(value);
                (*vm).barrier_table(t, value);
            }
            _ => return slow_set(vm, pc, base, k, i, frame),
        }
    }
    /// Any other write.
    #[inline(never)]
    slow_set => {
        save(frame, pc);
        let (object, key, value) = (written_object(base, i), written_key(base, k, i), written_value(base, k, i));
        let on = match i.op() {
            Op::SETTABUP | Op::SETTABUPK => Operand::Upvalue(i.a()),
            _ => Operand::Register(i.a()),
        };
        if object.tag == tag::TABLE
            && key.tag == tag::INT
            && object.raw_gc::<Table>().meta.is_null()
            && object.raw_gc::<Table>().header.extra == 0
        {
            attempt!(vm, (*vm).table_set_int(object.raw_gc(), key.raw_int(), value));
            return super::go(vm, pc, base, k, frame);
        }
        match attempt!(vm, (*vm).assign(object, key, value, on)) {
            Some(next) => return leave(vm, Ok(next)),
            None => return resume(vm),
        }
    }
}
