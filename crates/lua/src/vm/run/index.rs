//! Reads and writes of table entries.
//!
//! In line: names (constants) that are where they were last, integers in the array part. The rest goes to handlers that look at the
//! instruction again, the last of them `slow_get` and `slow_set`.

use super::super::debug::Operand;
use super::inherit::{
    NO_NEWINDEX, get_further, inherited_int, inherited_string, set_absent, set_int_by_meta,
    set_name_further,
};
use super::{
    attempt, begin, kb, kc, leave, ops, put, ra, rb, rc, resume, save, slow_value, upvalue,
};
use crate::function::ConstantSlot;
use crate::heap::Gc;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::table::{KIND_SPLIT, Slot, Table};
use crate::value::{Type, Val, tag};
use crate::vm::{Event, Vm};

/// `R[A] := object[K]`, the constant an interned string.
macro_rules! get_name {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $object:expr) => {{
        let object: *const Val = $object;
        if (*object).tag != tag::TABLE {
            return slow_get($vm, $pc, $base, $i, $k, $frame);
        }
        let t: Gc<Table> = (*object).raw_gc();
        let name = kc($k, $i);
        match t.find_at(hint(name), (*name).payload) {
            Some(slot) => put(ra($base, $i), slot.get()),
            None => return get_further($vm, $pc, $base, $i, $k, $frame),
        }
    }};
}

/// `object[K] := value`, the constant an interned string that is in the table already.
macro_rules! set_name {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $object:expr, $value:expr) => {{
        let object: *const Val = $object;
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            let name = kb($k, $i);
            if t.is_plainly_writable()
                && let Some(slot) = t.find_at(hint(name), (*name).payload)
            {
                let value: *const Val = $value;
                slot.set(*value);
                return super::go!($vm, $pc, $base, $k, $frame);
            }
            return set_name_further($vm, $pc, $base, $i, $k, $frame);
        }
        return slow_set($vm, $pc, $base, $i, $k, $frame);
    }};
}

/// Where a constant was found as a key last.
#[inline(always)]
pub(super) unsafe fn hint(constant: *const Val) -> u32 {
    // SAFETY: constants are `ConstantSlot`s.
    unsafe { (*(constant as *const ConstantSlot)).hint }
}

/// Notes where a constant, an interned string, was found as a key.
#[inline(always)]
pub(super) unsafe fn set_hint(constant: *const Val, t: Gc<Table>, slot: Slot) {
    // SAFETY: as above; a VM's constants are its own.
    unsafe {
        let hash = (*constant).raw_gc::<Str>().hash;
        (*(constant as *mut ConstantSlot)).hint = t.hint_for(slot, hash);
    }
}

/// `R[A] :=` the entry of a slot of an array part, but for nil in a table with a metatable.
///
/// PERF: nil and booleans are their tag. Their payload, elsewhere in memory, is not looked at here, and constants of
/// these kinds are stored without it: an array of flags is a ninth of the memory.
macro_rules! get_item {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $t:ident, $slot:expr) => {{
        let slot: Slot = $slot;
        if slot.tag() > tag::TRUE {
            put(ra($base, $i), slot.get());
            return super::go!($vm, $pc, $base, $k, $frame, "item");
        }
        if slot.tag() != tag::NIL || $t.meta.is_null() {
            (*ra($base, $i)).tag = slot.tag();
            return super::go!($vm, $pc, $base, $k, $frame, "flag");
        }
    }};
}

/// `object[key] := value`, the key an integer. `$black` goes on with a table that is not plainly writable.
///
/// PERF: in this order there is always a register free.
macro_rules! set_int {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $object:expr, $key:expr, $set:ident $value:expr, $black:ident) => {{
        let object: *const Val = $object;
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            if !t.is_plainly_writable() {
                return $black($vm, $pc, $base, $i, $k, $frame);
            }
            store_int!($vm, $pc, $base, $i, $k, $frame, t, $key, $set $value);
        }
        return slow_set($vm, $pc, $base, $i, $k, $frame);
    }};
}

/// The store of [`set_int`], if it is one to the array part that needs no metamethod.
macro_rules! store_int {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $t:ident, $key:expr, $set:ident $value:expr) => {
        let key: i64 = $key;
        let index = (key as u64).wrapping_sub(1);
        if index < $t.array_size as u64 {
            let slot = $t.array_slot(index as usize);
            if $t.meta.is_null() || !slot.get().is_nil() {
                let value: *const Val = $value;
                slot.$set(*value);
                return super::go!($vm, $pc, $base, $k, $frame);
            }
        }
    };
}

/// Defines the writes under integers: each, and the same for a table that the collector is done with, perhaps for a long time. There
/// what is no object is stored like that.
macro_rules! int_writes {
    ($($(#[$attr:meta])* $op:ident $black:ident ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident): $before:block $key:expr, $set:ident $value:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $(#[$attr])*
            $op => {
                let ($vm, $pc, $base, $i, $k, $frame) = (vm, pc, base, i, k, frame);
                $before
                set_int!(vm, pc, base, i, k, frame, ra(base, i), $key, $set $value, $black);
            }
            #[inline(never)]
            $black => {
                let ($vm, $pc, $base, $i, $k, $frame) = (vm, pc, base, i, k, frame);
                let value: *const Val = $value;
                let t: Gc<Table> = (*ra(base, i)).raw_gc();
                if t.header.extra != 0 || (*value).is_object() {
                    return set_carefully(vm, pc, base, i, k, frame);
                }
                store_int!(vm, pc, base, i, k, frame, t, $key, $set value);
                return slow_set(vm, pc, base, i, k, frame);
            }
        )* }
    };
}
int_writes! {
    SETI seti_black (vm, pc, base, i, k, frame): {} i.b() as i64, set rc(base, i);
    SETIK setik_black (vm, pc, base, i, k, frame): {} i.b() as i64, set_shortly kc(k, i);
    SETTABLE settable_black (vm, pc, base, i, k, frame): {
        if (*rb(base, i)).tag != tag::INT {
            return set_by_other(vm, pc, base, i, k, frame);
        }
    } (*rb(base, i)).raw_int(), set rc(base, i);
    SETTABLEK settablek_black (vm, pc, base, i, k, frame): {
        if (*rb(base, i)).tag != tag::INT {
            return set_by_other(vm, pc, base, i, k, frame);
        }
    } (*rb(base, i)).raw_int(), set_shortly kc(k, i);
    /// SETTABLE and SETTABLEK with a key that is a float of an integer's value.
    #[inline(never)]
    set_by_float set_by_float_black (vm, pc, base, i, k, frame): {}
        (*rb(base, i)).raw_float() as i64,
        set if i.op() == Op::SETTABLE { rc(base, i) as *const Val } else { kc(k, i) };
}

/// Whether a key is a short string.
#[inline(always)]
fn is_interned(key: Val) -> bool {
    key.tag == tag::STR && key.raw_gc::<Str>().is_interned()
}

/// The key that a reading instruction reads under.
#[inline(always)]
pub(super) unsafe fn read_key(base: *mut Val, k: *const Val, i: Instr) -> Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::GETTABLE => *rc(base, i),
            Op::GETI => Val::int(i.c() as i64),
            _ => *kc(k, i),
        }
    }
}

/// What a writing instruction writes to.
#[inline(always)]
pub(super) unsafe fn written_object(base: *mut Val, i: Instr) -> Val {
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
pub(super) unsafe fn written_key(base: *mut Val, k: *const Val, i: Instr) -> Val {
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
pub(super) unsafe fn written_value(base: *mut Val, k: *const Val, i: Instr) -> Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::SETTABUP | Op::SETTABLE | Op::SETI | Op::SETFIELD => *rc(base, i),
            _ => *kc(k, i),
        }
    }
}

/// The value that an instruction stores under a name.
#[inline(always)]
pub(super) unsafe fn written_name_value(base: *mut Val, k: *const Val, i: Instr) -> Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::SETTABUP | Op::SETFIELD => *rc(base, i),
            _ => *kc(k, i),
        }
    }
}

ops! { (vm, pc, base, i, k, frame)
    GETTABUP => {
        get_name!(vm, pc, base, i, k, frame, upvalue(base, i.b()));
    }
    GETFIELD => {
        get_name!(vm, pc, base, i, k, frame, rb(base, i));
    }
    SELF => {
        let object = *rb(base, i);
        put(ra(base, i).add(1), object);
        if object.tag != tag::TABLE {
            return string_method(vm, pc, base, i, k, frame);
        }
        let t: Gc<Table> = object.raw_gc();
        let name = kc(k, i);
        match t.find_at(hint(name), (*name).payload) {
            Some(slot) => put(ra(base, i), slot.get()),
            None => return get_further(vm, pc, base, i, k, frame),
        }
    }
    /// Any read of a name.
    #[inline(never)]
    get_slowly => {
        match i.op() {
            Op::SELF => return slow_self(vm, pc, base, i, k, frame),
            _ => return slow_get(vm, pc, base, i, k, frame),
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
            return slow_self(vm, pc, base, i, k, frame);
        }
    }
    GETTABLE => {
        let (object, key) = (rb(base, i), rc(base, i));
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            if (*key).tag == tag::INT {
                let index = ((*key).raw_int() as u64).wrapping_sub(1);
                if index < t.array_size as u64 {
                    get_item!(vm, pc, base, i, k, frame, t, t.array_slot(index as usize));
                }
                return get_int_node(vm, pc, base, i, k, frame);
            }
            if (*key).tag == tag::STR && (*key).raw_gc::<Str>().is_interned() {
                return get_by_string(vm, pc, base, i, k, frame);
            }
            if (*key).tag == tag::FLOAT {
                return get_by_float(vm, pc, base, i, k, frame);
            }
        }
        return slow_get(vm, pc, base, i, k, frame);
    }
    /// GETTABLE with a key that is an interned string.
    #[inline(never)]
    get_by_string => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        match t.find_interned_here((*rc(base, i)).raw_gc()) {
            Some(slot) if !slot.get().is_nil() => put(ra(base, i), slot.get()),
            _ if !t.is_whole() => return get_by_string_further(vm, pc, base, i, k, frame),
            _ if t.meta.is_null() => put(ra(base, i), Val::NIL),
            _ => return inherited_string(vm, pc, base, i, k, frame),
        }
    }
    /// The same of a table that may have it elsewhere.
    #[inline(never)]
    get_by_string_further => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        match t.find_interned((*rc(base, i)).raw_gc()) {
            Some(slot) if !slot.get().is_nil() => put(ra(base, i), slot.get()),
            _ if t.meta.is_null() => put(ra(base, i), Val::NIL),
            _ => return slow_get(vm, pc, base, i, k, frame),
        }
    }
    /// GETTABLE with a key that is a float: an index where numbers have no integer subtype.
    #[inline(never)]
    get_by_float => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        let f = (*rc(base, i)).raw_float();
        let index = (f as i64 as u64).wrapping_sub(1);
        if index < t.array_size as u64 && f as i64 as f64 == f {
            get_item!(vm, pc, base, i, k, frame, t, t.array_slot(index as usize));
        }
        return slow_get(vm, pc, base, i, k, frame);
    }
    /// An integer key that is not in the array part.
    #[inline(never)]
    get_int_node => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        let key = if i.op() == Op::GETI { i.c() as i64 } else { (*rc(base, i)).raw_int() };
        match t.find_int_here(key) {
            _ if !t.is_whole() => return get_int_further(vm, pc, base, i, k, frame),
            Some(slot) if !slot.get().is_nil() => put(ra(base, i), slot.get()),
            _ if t.meta.is_null() => put(ra(base, i), Val::NIL),
            _ => return inherited_int(vm, pc, base, i, k, frame),
        }
    }
    /// The same of a table that may have it elsewhere.
    #[inline(never)]
    get_int_further => {
        let t: Gc<Table> = (*rb(base, i)).raw_gc();
        let key = if i.op() == Op::GETI { i.c() as i64 } else { (*rc(base, i)).raw_int() };
        let v = match t.header.extra & KIND_SPLIT {
            0 => t.get_int(key),
            _ => (*vm).get_int_moving(t, key),
        };
        if v.is_nil() && !t.meta.is_null() {
            return slow_get(vm, pc, base, i, k, frame);
        }
        put(ra(base, i), v);
    }
    GETI => {
        let object = rb(base, i);
        if (*object).tag == tag::TABLE {
            let t: Gc<Table> = (*object).raw_gc();
            let index = i.c().wrapping_sub(1);
            if index < t.array_size as usize {
                get_item!(vm, pc, base, i, k, frame, t, t.array_slot(index));
            }
            return get_int_node(vm, pc, base, i, k, frame);
        }
        return slow_get(vm, pc, base, i, k, frame);
    }
    /// Any other read.
    #[inline(never)]
    slow_get => {
        save(frame, pc);
        let (object, on) = match i.op() {
            Op::GETTABUP => (*upvalue(base, i.b()), Operand::Upvalue(i.b())),
            _ => (*rb(base, i), Operand::Register(i.b())),
        };
        let key = read_key(base, k, i);
        if !index_slowly(vm, i, object, key, on) {
            return;
        }
        return resume(vm);
    }
    /// As `slow_get` for SELF, which may have overwritten its own operand.
    #[inline(never)]
    slow_self => {
        save(frame, pc);
        let object = *ra(base, i).add(1);
        if !index_slowly(vm, i, object, *kc(k, i), Operand::Register(i.b())) {
            return;
        }
        return resume(vm);
    }

    SETTABUP => {
        set_name!(vm, pc, base, i, k, frame, upvalue(base, i.a()), rc(base, i));
    }
    SETTABUPK => {
        set_name!(vm, pc, base, i, k, frame, upvalue(base, i.a()), kc(k, i));
    }
    SETFIELD => {
        set_name!(vm, pc, base, i, k, frame, ra(base, i), rc(base, i));
    }
    SETFIELDK => {
        set_name!(vm, pc, base, i, k, frame, ra(base, i), kc(k, i));
    }
    /// SETTABLE and SETTABLEK with a key that is no integer.
    #[inline(never)]
    set_by_other => {
        let key = rb(base, i);
        if (*key).tag == tag::STR && (*key).raw_gc::<Str>().is_interned() {
            return match (*ra(base, i)).tag {
                tag::TABLE => set_by_string(vm, pc, base, i, k, frame),
                _ => slow_set(vm, pc, base, i, k, frame),
            };
        }
        if (*key).tag == tag::FLOAT && (*key).raw_float() as i64 as f64 == (*key).raw_float() {
            return set_by_float(vm, pc, base, i, k, frame);
        }
        return slow_set(vm, pc, base, i, k, frame);
    }
    /// SETTABLE and SETTABLEK of a table with a key that is an interned string.
    #[inline(never)]
    set_by_string => {
        let t: Gc<Table> = (*ra(base, i)).raw_gc();
        if t.is_plainly_writable()
            && let Some(slot) = t.find_interned_here((*rb(base, i)).raw_gc())
            && !slot.get().is_nil()
        {
            slot.set(written_value(base, k, i));
            return super::go!(vm, pc, base, k, frame);
        }
        return set_carefully(vm, pc, base, i, k, frame);
    }
    /// A write under another key to a table that the collector has done with, or to one of a special kind.
    #[inline(never)]
    set_carefully => {
        let (object, key, value) = (written_object(base, i), written_key(base, k, i), written_value(base, k, i));
        let t: Gc<Table> = object.raw_gc();
        let slot = match key.tag {
            _ if t.header.extra != 0 => None,
            _ if is_interned(key) => t.find_interned(key.raw_gc()),
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
            _ if t.header.extra == 0 && !t.meta.is_null() && is_interned(key) => {
                return set_absent(vm, pc, base, i, k, frame);
            }
            _ => return slow_set(vm, pc, base, i, k, frame),
        }
    }
    /// Any other write.
    #[inline(never)]
    slow_set => {
        let (object, key) = (written_object(base, i), written_key(base, k, i));
        if object.tag == tag::TABLE && object.raw_gc::<Table>().is_ordinary() {
            let t: Gc<Table> = object.raw_gc();
            if t.meta.is_null() || (*t.meta).header.flags & NO_NEWINDEX != 0 {
                return set_new(vm, pc, base, i, k, frame);
            }
            if key.tag == tag::INT {
                return set_int_by_meta(vm, pc, base, i, k, frame);
            }
        }
        return assign_slowly(vm, pc, base, i, k, frame);
    }
    /// A write to an ordinary table without `__newindex`, as a rule a new entry.
    #[inline(never)]
    set_new => {
        save(frame, pc);
        let t: Gc<Table> = written_object(base, i).raw_gc();
        let (key, value) = (written_key(base, k, i), written_value(base, k, i));
        if key.tag == tag::INT {
            attempt!(vm, (*vm).table_set_int(t, key.raw_int(), value));
            return super::go!(vm, pc, base, k, frame);
        }
        if is_interned(key) {
            attempt!(vm, (*vm).table_set_normal(t, key, value));
            return super::go!(vm, pc, base, k, frame);
        }
        return assign_slowly(vm, pc, base, i, k, frame);
    }
    /// Any write, with all that it can mean.
    #[inline(never)]
    assign_slowly => {
        save(frame, pc);
        let (object, key, value) = (written_object(base, i), written_key(base, k, i), written_value(base, k, i));
        let on = match i.op() {
            Op::SETTABUP | Op::SETTABUPK => Operand::Upvalue(i.a()),
            _ => Operand::Register(i.a()),
        };
        if !assign(vm, object, key, value, on) {
            return;
        }
        return resume(vm);
    }
}

/// `R[A] := object[key]` with all that can mean. The result is as for [`begin`].
#[inline(never)]
unsafe fn index_slowly(vm: *mut Vm, i: Instr, object: Val, key: Val, on: Operand) -> bool {
    // SAFETY: the running frame is on top.
    unsafe { slow_value(vm, i, (*vm).index(object, key, on)) }
}

/// `object[key] := value` with all that can mean. The result is as for [`begin`].
#[inline(never)]
unsafe fn assign(vm: *mut Vm, object: Val, key: Val, value: Val, on: Operand) -> bool {
    // SAFETY: the running frame is on top.
    unsafe {
        match (*vm).assign(object, key, value, on) {
            Ok(None) => true,
            Ok(Some(next)) => begin(vm, next),
            Err(thrown) => {
                leave(vm, Err(thrown));
                false
            }
        }
    }
}
