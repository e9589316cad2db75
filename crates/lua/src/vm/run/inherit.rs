//! Names that are not where they were last, and what a table does not have: reads and writes that are up to its `__index` or
//! `__newindex`, which is one more table or a function.
//!
//! A handler for each kind of key looks at the first link, so that it needs no more registers than a handler has; longer chains of strings
//! are followed in a loop. What one handler has found for the next (a table, a function) it passes on in place of the frame, which
//! is found again by [`top_frame`].
//!
//! **Invariant:** where a handler's name says inherited or absent, the table is an ordinary one, whole, has a metatable, and is
//! known not to have the key. What is not decided here is as it was, and goes on with `get_slowly`, `set_new` or `assign_slowly`, which
//! mean the same.

use super::index::{
    assign_slowly, get_slowly, hint, read_key, set_hint, set_new, slow_set, written_name_value,
    written_object, written_value,
};
use super::methods::{begin_method, entry, place};
use super::{
    charge_line, kb, kc, ops, put, put_int, ra, rb, rc, resume, save, set, slow_value, upvalue,
};
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::table::{KIND_LAYERED, Table};
use crate::thread::Frame;
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};

/// Links of an `__index` chain that are followed here.
const MAX_LINKS: u32 = 100;
/// The flag of a metatable that is known to have no `__index`.
const NO_INDEX: u8 = 1 << Event::Index as u8;
/// The flag of a metatable that is known to have no `__newindex`.
pub(super) const NO_NEWINDEX: u8 = 1 << Event::NewIndex as u8;

/// The table that an instruction reads from, which is one.
#[inline(always)]
pub(super) unsafe fn read_table(base: *mut Val, i: Instr) -> Gc<Table> {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe {
        match i.op() {
            Op::GETTABUP => *upvalue(base, i.b()),
            // SELF has copied it, and may have overwritten its operand.
            Op::SELF => *ra(base, i).add(1),
            _ => *rb(base, i),
        }
        .raw_gc()
    }
}

/// The frame of the running function, in handlers that get something else in its place.
#[inline(always)]
unsafe fn top_frame(vm: *mut Vm) -> *mut Frame {
    // SAFETY: there is a running function.
    unsafe {
        let th = (*vm).current;
        (*th).frames.add((*th).frame_count as usize - 1)
    }
}

/// What the `__index` of the table `$t` leads to: the table `$next` for `$found` to look in, else this decides.
macro_rules! first_link {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $t:expr, |$next:ident| $found:block) => {
        let meta = Gc::from_ptr($t.meta);
        if meta.header.flags & NO_INDEX != 0 {
            put(ra($base, $i), Val::NIL);
            return super::go!($vm, $pc, $base, $k, $frame, "none");
        }
        if let Some(slot) = entry($vm, meta, Event::Index) {
            if slot.tag() == tag::TABLE {
                let $next: Gc<Table> = slot.get().raw_gc();
                $found
            } else if slot.tag() == tag::LCLOSURE {
                charge_line($vm, $pc, $frame);
                save($frame, $pc);
                let method = slot.get().payload as *mut Frame;
                return index_by_method($vm, $pc, $base, $i, $k, method);
            } else if slot.get().is_function() {
                return index_by_native($vm, $pc, $base, $i, $k, $frame);
            }
        }
        return get_slowly($vm, $pc, $base, $i, $k, $frame);
    };
}

/// Reads a name that the table `$t` does not have.
macro_rules! inherited_name {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $t:expr) => {
        first_link!($vm, $pc, $base, $i, $k, $frame, $t, |next| {
            let name = kc($k, $i);
            if let Some(slot) = next.find_at(hint(name), (*name).payload) {
                put(ra($base, $i), slot.get());
                return super::go!($vm, $pc, $base, $k, $frame, "found");
            }
            let next = next.as_ptr() as *mut Frame;
            return inherited_name_by_chain($vm, $pc, $base, $i, $k, next);
        });
    };
}

/// Reads a string through a chain of tables, the first of which is in place of the frame.
///
/// PERF: what is needed in some place only is read there, from the instruction that the compiler is kept from knowing: so there is
/// a register for everything.
macro_rules! follow_chain {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $t:ident, |$at:ident| $key:expr, |$slot:ident| $found:block) => {
        (*$vm).links = 0;
        loop {
            let t: Gc<Table> = Gc::from_ptr($t as *mut Table);
            if !t.is_whole() || (*$vm).links == MAX_LINKS {
                break;
            }
            (*$vm).links += 1;
            let key: Gc<Str> = {
                let $at = opaque($i);
                $key
            };
            if let Some($slot) = t.find_interned_here(key)
                && $slot.tag() != tag::NIL
            {
                $found
                put(ra($base, $i), $slot.get());
                return super::go!($vm, $pc, $base, $k, top_frame($vm), "found");
            }
            if t.meta.is_null() {
                put(ra($base, $i), Val::NIL);
                return super::go!($vm, $pc, $base, $k, top_frame($vm), "plain");
            }
            let meta = Gc::from_ptr(t.meta);
            if meta.header.flags & NO_INDEX != 0 {
                put(ra($base, $i), Val::NIL);
                return super::go!($vm, $pc, $base, $k, top_frame($vm), "none");
            }
            match entry($vm, meta, Event::Index) {
                Some(slot) if slot.tag() == tag::TABLE => $t = slot.get().payload as *mut Frame,
                _ => break,
            }
        }
        return get_slowly($vm, $pc, $base, $i, $k, top_frame($vm));
    };
}

/// What the `__newindex` of a table that does not have the key leads to: the table `$next` for `$found` to write to (in place of a
/// frame), else this decides.
macro_rules! first_newindex {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $t:ident, $by_method:ident, |$next:ident| $found:block) => {
        let meta = Gc::from_ptr($t.meta);
        if meta.header.flags & NO_NEWINDEX != 0 {
            return set_new($vm, $pc, $base, $i, $k, $frame);
        }
        if let Some(slot) = entry($vm, meta, Event::NewIndex) {
            if slot.tag() == tag::LCLOSURE {
                charge_line($vm, $pc, $frame);
                save($frame, $pc);
                let method = slot.get().payload as *mut Frame;
                return $by_method($vm, $pc, $base, $i, $k, method);
            } else if slot.tag() == tag::TABLE {
                let $next = slot.get().payload as *mut Frame;
                $found
            }
        }
        return assign_slowly($vm, $pc, $base, $i, $k, $frame);
    };
}

/// The function that was passed on in place of the frame, and where its call with `$n` arguments is put; `$slow` goes on if there is no such place.
macro_rules! passed_method {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $n:expr, $slow:ident) => {{
        let method = $frame as *const LuaClosure;
        $frame = top_frame($vm);
        let at = place($vm, $base, method, $n);
        if at.is_null() {
            return $slow($vm, $pc, $base, $i, $k, $frame);
        }
        (method, at)
    }};
}

/// An instruction of which the compiler does not know that it is the same.
#[inline(always)]
fn opaque(i: Instr) -> Instr {
    #[cfg(not(miri))]
    {
        let mut word = u64::from(i.0);
        // SAFETY: there is no instruction in it.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) word, options(nomem, nostack, preserves_flags))
        }
        Instr(word as u32)
    }
    #[cfg(miri)]
    i
}

ops! { (vm, pc, base, i, k, frame)
    /// A name that is not where it was last, perhaps not in the table at all.
    ///
    /// PERF: as a rule the node where it belongs tells, without a loop, for which registers would have to be saved.
    #[inline(never)]
    get_further => {
        let t = read_table(base, i);
        if !t.is_whole() {
            return get_global(vm, pc, base, i, k, frame);
        }
        if !t.lacks_interned_at_once((*kc(k, i)).raw_gc()) {
            return get_anywhere(vm, pc, base, i, k, frame);
        }
        if t.meta.is_null() {
            put(ra(base, i), Val::NIL);
            return super::go!(vm, pc, base, k, frame);
        }
        inherited_name!(vm, pc, base, i, k, frame, t);
    }
    /// The same, wherever in the table it is.
    #[inline(never)]
    get_anywhere => {
        let t = read_table(base, i);
        let name = kc(k, i);
        if let Some(slot) = t.find_interned_here((*name).raw_gc()) && slot.tag() != tag::NIL {
            set_hint(name, t, slot);
            put(ra(base, i), slot.get());
        } else if t.meta.is_null() {
            put(ra(base, i), Val::NIL);
        } else {
            return inherited_name(vm, pc, base, i, k, frame);
        }
    }
    /// A name in the environment of an app: among the running coroutine's globals, or among the app's. Else any peculiar table.
    #[inline(never)]
    get_global => {
        let t = read_table(base, i);
        let name = kc(k, i);
        if t.header.extra & KIND_LAYERED == 0 {
            return get_slowly(vm, pc, base, i, k, frame);
        }
        if let Some(own) = Gc::from_nullable((*(*vm).current).globals) {
            if !own.is_whole() {
                return get_slowly(vm, pc, base, i, k, frame);
            }
            if let Some(slot) = own.find_interned_here((*name).raw_gc()) && slot.tag() != tag::NIL {
                put(ra(base, i), slot.get());
                return super::go!(vm, pc, base, k, frame, "own");
            }
        }
        let t = t.layered_base();
        if let Some(slot) = t.find_at(hint(name), (*name).payload) {
            put(ra(base, i), slot.get());
            return super::go!(vm, pc, base, k, frame, "app");
        }
        if t.is_whole() && let Some(slot) = t.find_interned_here((*name).raw_gc()) && slot.tag() != tag::NIL {
            set_hint(name, t, slot);
            put(ra(base, i), slot.get());
            return super::go!(vm, pc, base, k, frame, "elsewhere");
        }
        return get_slowly(vm, pc, base, i, k, frame);
    }
    /// A name that the table does not have.
    #[inline(never)]
    inherited_name => {
        inherited_name!(vm, pc, base, i, k, frame, read_table(base, i));
    }
    /// The same, link by link. The place is noted where the first link led.
    #[inline(never)]
    inherited_name_by_chain => {
        follow_chain!(vm, pc, base, i, k, frame, |i| (*kc(k, i)).raw_gc(), |slot| {
            if (*vm).links == 1 {
                return inherited_elsewhere(vm, pc, base, i, k, top_frame(vm));
            }
        });
    }
    /// A name that the first link leads to, but not where it was last.
    #[inline(never)]
    inherited_elsewhere => {
        let name = kc(k, i);
        if let Some(link) = entry(vm, Gc::from_ptr(read_table(base, i).meta), Event::Index) {
            let next: Gc<Table> = link.get().raw_gc();
            if let Some(slot) = next.find_interned_here((*name).raw_gc()) {
                set_hint(name, next, slot);
                put(ra(base, i), slot.get());
            }
        }
    }
    /// An interned string that is no constant.
    #[inline(never)]
    inherited_string => {
        first_link!(vm, pc, base, i, k, frame, read_table(base, i), |next| {
            return inherited_string_by_chain(vm, pc, base, i, k, next.as_ptr() as *mut Frame);
        });
    }
    /// The same, link by link.
    #[inline(never)]
    inherited_string_by_chain => {
        follow_chain!(vm, pc, base, i, k, frame, |i| (*rc(base, i)).raw_gc(), |slot| {});
    }
    /// An integer.
    #[inline(never)]
    inherited_int => {
        first_link!(vm, pc, base, i, k, frame, read_table(base, i), |next| {
            let key = if i.op() == Op::GETI { i.c() as i64 } else { (*rc(base, i)).raw_int() };
            let index = (key as u64).wrapping_sub(1);
            if index < next.array_size as u64 {
                let slot = next.array_slot(index as usize);
                if slot.tag() != tag::NIL || next.meta.is_null() {
                    put(ra(base, i), slot.get());
                    return super::go!(vm, pc, base, k, frame, "found");
                }
            }
        });
    }
    /// Any key, of a table whose `__index` is a function of Lua: it is in place of the frame, whose `pc` is saved.
    #[inline(never)]
    index_by_method => {
        let (method, at) = passed_method!(vm, pc, base, i, k, frame, 2, get_slowly);
        put(at.add(1), Val::table(read_table(base, i)));
        match i.op() {
            Op::GETTABLE => set(at.add(2), rc(base, i)),
            Op::GETI => put_int(at.add(2), i.c() as i64),
            _ => set(at.add(2), kc(k, i)),
        }
        begin_method!(vm, pc, base, k, frame, method, at, 2, 1);
    }
    /// Any key, of a table whose `__index` is a native.
    #[inline(never)]
    index_by_native => {
        save(frame, pc);
        if !call_index(vm, base, i, k) {
            return;
        }
        return resume(vm);
    }

    /// A write to a table that the collector has done with, to one of a special kind, or under a name that is not where it was last.
    #[inline(never)]
    set_name_further => {
        let t: Gc<Table> = written_object(base, i).raw_gc();
        if t.header.extra != 0 {
            return slow_set(vm, pc, base, i, k, frame);
        }
        if t.meta.is_null() || !t.lacks_interned_at_once((*kb(k, i)).raw_gc()) {
            return set_name_anywhere(vm, pc, base, i, k, frame);
        }
        first_newindex!(vm, pc, base, i, k, frame, t, newindex_by_name, |next| {});
    }
    /// The same, wherever in the table it is.
    #[inline(never)]
    set_name_anywhere => {
        let t: Gc<Table> = written_object(base, i).raw_gc();
        let name = kb(k, i);
        if let Some(slot) = t.find_interned_here((*name).raw_gc()) && slot.tag() != tag::NIL {
            let value = written_name_value(base, k, i);
            slot.set(value);
            (*vm).barrier_table(t, value);
            set_hint(name, t, slot);
            return super::go!(vm, pc, base, k, frame);
        }
        match t.meta.is_null() {
            true => return set_new(vm, pc, base, i, k, frame),
            false => return set_absent_name(vm, pc, base, i, k, frame),
        }
    }
    /// A write under a name to a table that has a metatable, and does not have the key.
    #[inline(never)]
    set_absent_name => {
        let t: Gc<Table> = written_object(base, i).raw_gc();
        first_newindex!(vm, pc, base, i, k, frame, t, newindex_by_name, |next| {});
    }
    /// The same by SETTABLE, SETI and the like.
    #[inline(never)]
    set_absent => {
        let t: Gc<Table> = (*ra(base, i)).raw_gc();
        first_newindex!(vm, pc, base, i, k, frame, t, newindex_by_method, |next| {
            return set_in_next(vm, pc, base, i, k, next);
        });
    }
    /// A write to the table that is the `__newindex` of another: it is in place of the frame.
    #[inline(never)]
    set_in_next => {
        let next: Gc<Table> = Gc::from_ptr(frame as *mut Table);
        frame = top_frame(vm);
        let by_register = matches!(i.op(), Op::SETTABLE | Op::SETTABLEK);
        if next.is_plainly_writable() && (!by_register || (*rb(base, i)).tag == tag::INT) {
            let key = if by_register { (*rb(base, i)).raw_int() } else { i.b() as i64 };
            let index = (key as u64).wrapping_sub(1);
            if index < next.array_size as u64 {
                let slot = next.array_slot(index as usize);
                if slot.tag() != tag::NIL || next.meta.is_null() {
                    slot.set(written_value(base, k, i));
                    return super::go!(vm, pc, base, k, frame, "found");
                }
            }
        }
        return assign_slowly(vm, pc, base, i, k, frame);
    }
    /// A write of an integer to a table that has a metatable and may have the key.
    #[inline(never)]
    set_int_by_meta => {
        let t: Gc<Table> = (*ra(base, i)).raw_gc();
        let key = if matches!(i.op(), Op::SETI | Op::SETIK) { i.b() as i64 } else { (*rb(base, i)).raw_int() };
        let index = (key as u64).wrapping_sub(1);
        let absent = t.header.extra == 0 && if index < t.array_size as u64 {
            t.array_slot(index as usize).tag() == tag::NIL
        } else {
            !t.has_nodes() || t.find_int_here(key).is_none()
        };
        match absent {
            true => return set_absent(vm, pc, base, i, k, frame),
            false => return assign_slowly(vm, pc, base, i, k, frame),
        }
    }
    /// A write of a name to a table that does not have it, and whose `__newindex` is a function of Lua: it is in place of
    /// the frame, whose `pc` is saved.
    #[inline(never)]
    newindex_by_name => {
        let (method, at) = passed_method!(vm, pc, base, i, k, frame, 3, assign_slowly);
        put(at.add(1), written_object(base, i));
        set(at.add(2), kb(k, i));
        put(at.add(3), written_name_value(base, k, i));
        begin_method!(vm, pc, base, k, frame, method, at, 3, 0);
    }
    /// The same by SETTABLE, SETI and the like.
    #[inline(never)]
    newindex_by_method => {
        let (method, at) = passed_method!(vm, pc, base, i, k, frame, 3, assign_slowly);
        set(at.add(1), ra(base, i));
        match i.op() {
            Op::SETTABLE | Op::SETTABLEK => set(at.add(2), rb(base, i)),
            _ => put_int(at.add(2), i.b() as i64),
        }
        match i.op() {
            Op::SETTABLE | Op::SETI => set(at.add(3), rc(base, i)),
            _ => set(at.add(3), kc(k, i)),
        }
        begin_method!(vm, pc, base, k, frame, method, at, 3, 0);
    }
}

/// Calls the `__index`, a native, of the table that an instruction reads from. The result is as for [`super::begin`].
#[inline(never)]
unsafe fn call_index(vm: *mut Vm, base: *mut Val, i: Instr, k: *const Val) -> bool {
    // SAFETY: the running frame is on top; the table has a metatable.
    unsafe {
        let t = read_table(base, i);
        let key = read_key(base, k, i);
        let method = (*vm).meta_field(Gc::from_ptr(t.meta), Event::Index);
        slow_value(vm, i, (*vm).call_method(method, [Val::table(t), key], 1))
    }
}
