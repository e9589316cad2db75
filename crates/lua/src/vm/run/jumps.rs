//! Jumps and comparisons.
//!
//! A conditional is followed by a jump word, which it executes when its condition holds (or, by its other opcode, does not).

use super::super::Event;
use super::super::meta::Outcome;
use super::arith::to_float;
use super::methods::{begin_method, enter, lua_method, operator_method, place};
use super::{begin, charge_line, go, kb, leave, ops, put, ra, rb, resume, safe_point, save, set};
use crate::dialect::Dialect;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// The jump word behind a conditional: taken if the condition holds, else skipped.
macro_rules! jump_if {
    ($holds:expr, $vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident) => {
        jump_if!($holds, $vm, $pc, $base, $i, $k, $frame, "")
    };
    ($holds:expr, $vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $place:literal) => {{
        if $holds {
            let word = *$pc;
            let distance = word.0 as i32 as i64 >> 8;
            let pc = $pc.add(1).offset(distance as isize);
            if word.0 as u8 == Op::LOOP as u8 {
                (*$vm).heap.spend(-distance);
                if (*$vm).heap.fuel < 0 {
                    return safe_point($vm, pc, $base, $i, $k, $frame);
                }
            }
            return go!($vm, pc, $base, $k, $frame, concat!($place, "taken"));
        }
        return go!(
            $vm,
            $pc.add(1),
            $base,
            $k,
            $frame,
            concat!($place, "skipped")
        );
    }};
}

/// Order of two registers: integers and floats in line. Each with the opcode for not holding, which is not the opposite order: there is
/// NaN.
macro_rules! compare {
    ($($op:ident $not:ident: $int:expr, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (a, b) = (ra(base, i), rb(base, i));
                if (*a).tag == tag::INT && (*b).tag == tag::INT {
                    jump_if!($int(&(*a).raw_int(), &(*b).raw_int()), vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT && (*b).tag == tag::FLOAT {
                    jump_if!($float(&(*a).raw_float(), &(*b).raw_float()), vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
            $not => {
                let (a, b) = (ra(base, i), rb(base, i));
                if (*a).tag == tag::INT && (*b).tag == tag::INT {
                    jump_if!(!$int(&(*a).raw_int(), &(*b).raw_int()), vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT && (*b).tag == tag::FLOAT {
                    jump_if!(!$float(&(*a).raw_float(), &(*b).raw_float()), vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
        )* }
    };
}
compare! {
    LT NLT: i64::lt, f64::lt;
    LE NLE: i64::le, f64::le;
}

/// Order of a register and a small integer.
macro_rules! compare_immediate {
    ($($op:ident $not:ident: $int:expr, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let a = ra(base, i);
                if (*a).tag == tag::INT {
                    jump_if!($int(&(*a).raw_int(), &(i.sb() as i64)), vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT {
                    jump_if!($float(&(*a).raw_float(), &to_float(i.sb() as i64)), vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
            $not => {
                let a = ra(base, i);
                if (*a).tag == tag::INT {
                    jump_if!(!$int(&(*a).raw_int(), &(i.sb() as i64)), vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT {
                    jump_if!(!$float(&(*a).raw_float(), &to_float(i.sb() as i64)), vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
        )* }
    };
}
compare_immediate! {
    LTI NLTI: i64::lt, f64::lt;
    LEI NLEI: i64::le, f64::le;
    GTI NGTI: i64::gt, f64::gt;
    GEI NGEI: i64::ge, f64::ge;
}

/// Whether two values are equal, if their tags and payloads tell.
///
/// PERF: what needs more is left to [`equal_further`], so that this needs no more registers than a handler has.
#[inline(always)]
unsafe fn equal(a: *const Val, b: *const Val) -> Option<bool> {
    // SAFETY: the caller's registers and constants are in range.
    unsafe {
        if (*a).tag != (*b).tag {
            // Equal numbers of the two subtypes are the only equal values with different tags.
            let numbers = (*a).is_number() && (*b).is_number();
            return if numbers { None } else { Some(false) };
        }
        match (*a).tag {
            tag::FLOAT => None,
            tag::NIL..=tag::TRUE => Some(true),
            _ if (*a).payload == (*b).payload => Some(true),
            tag::INT..tag::STR => Some(false),
            tag::STR if (*a).raw_gc::<Str>().is_interned() => Some(false),
            _ => None,
        }
    }
}

ops! { (vm, pc, base, i, k, frame)
    JMP => { pc = pc.offset(i.sj() as isize); }
    LOOP => {
        pc = pc.offset(i.sj() as isize);
        (*vm).heap.spend(-i.sj() as i64);
        if (*vm).heap.fuel < 0 {
            return safe_point(vm, pc, base, i, k, frame);
        }
    }

    EQ => {
        match equal(ra(base, i), rb(base, i)) {
            Some(holds) => jump_if!(holds, vm, pc, base, i, k, frame),
            None => return equal_further(vm, pc, base, i, k, frame),
        }
    }
    NE => {
        match equal(ra(base, i), rb(base, i)) {
            Some(holds) => jump_if!(!holds, vm, pc, base, i, k, frame),
            None => return equal_further(vm, pc, base, i, k, frame),
        }
    }
    EQK => {
        match equal(ra(base, i), kb(k, i)) {
            Some(holds) => jump_if!(holds, vm, pc, base, i, k, frame),
            None => return equal_further(vm, pc, base, i, k, frame),
        }
    }
    NEK => {
        match equal(ra(base, i), kb(k, i)) {
            Some(holds) => jump_if!(!holds, vm, pc, base, i, k, frame),
            None => return equal_further(vm, pc, base, i, k, frame),
        }
    }
    EQI => {
        let (a, imm) = (ra(base, i), i.sb() as i64);
        if (*a).tag == tag::INT {
            jump_if!((*a).raw_int() == imm, vm, pc, base, i, k, frame);
        }
        jump_if!((*a).tag == tag::FLOAT && (*a).raw_float() == to_float(imm), vm, pc, base, i, k, frame, "other");
    }
    NEI => {
        let (a, imm) = (ra(base, i), i.sb() as i64);
        if (*a).tag == tag::INT {
            jump_if!((*a).raw_int() != imm, vm, pc, base, i, k, frame);
        }
        jump_if!(!((*a).tag == tag::FLOAT && (*a).raw_float() == to_float(imm)), vm, pc, base, i, k, frame, "other");
    }
    TEST => { jump_if!((*ra(base, i)).truthy(), vm, pc, base, i, k, frame); }
    NTEST => { jump_if!(!(*ra(base, i)).truthy(), vm, pc, base, i, k, frame); }
    TESTSET => {
        let b = rb(base, i);
        let holds = (*b).truthy();
        if holds {
            set(ra(base, i), b);
        }
        jump_if!(holds, vm, pc, base, i, k, frame);
    }
    NTESTSET => {
        let b = rb(base, i);
        let holds = !(*b).truthy();
        if holds {
            set(ra(base, i), b);
        }
        jump_if!(holds, vm, pc, base, i, k, frame);
    }

    /// The jump word behind a conditional, whose condition has turned out to hold.
    take_jump => { jump_if!(true, vm, pc, base, i, k, frame); }

    /// Numbers that are not both integers, tables without metatables.
    #[inline(never)]
    equal_further => {
        let a = ra(base, i);
        let b = if i.op().condition() == Op::EQ { rb(base, i) as *const Val } else { kb(k, i) };
        let holds = if (*a).is_number() {
            (*a).raw_eq(*b)
        } else if (*a).tag == tag::TABLE && both_plain(*a, *b) {
            false
        } else if (*a).tag == tag::TABLE {
            return equal_by_method(vm, pc, base, i, k, frame);
        } else {
            return slow_equal(vm, pc, base, i, k, frame);
        };
        jump_if!(holds == (i.c() != 0), vm, pc, base, i, k, frame);
    }
    /// Two tables, the first perhaps with an `__eq` that is a function of Lua.
    #[inline(never)]
    equal_by_method => {
        charge_line(vm, pc, frame);
        save(frame, pc);
        let method = lua_method(vm, ra(base, i), Event::Eq);
        if !method.is_null() && (*vm).dialect >= Dialect::Lua53 {
            let at = place(vm, base, method, 2);
            if !at.is_null() {
                set(at.add(1), ra(base, i));
                set(at.add(2), rb(base, i));
                begin_method!(vm, pc, base, k, frame, method, at, 2, 1);
                return go!(vm, pc, base, k, frame);
            }
        }
        return slow_equal(vm, pc, base, i, k, frame);
    }
    /// Two values, the first a table, perhaps with an `__lt` or `__le` that is a function of Lua.
    #[inline(never)]
    order_by_method => {
        charge_line(vm, pc, frame);
        save(frame, pc);
        let event = if i.op().condition() == Op::LT { Event::Lt } else { Event::Le };
        let method = lua_method(vm, ra(base, i), event);
        if !method.is_null() && (*vm).dialect >= Dialect::Lua52 {
            let mut at = place(vm, base, method, 3);
            if !at.is_null() {
                // Below the call, for "less or equal": that it is not `__lt` which does for `__le`.
                put(at, Val::FALSE);
                at = at.add(1);
                set(at.add(1), ra(base, i));
                set(at.add(2), rb(base, i));
                begin_method!(vm, pc, base, k, frame, method, at, 2, 1);
                return go!(vm, pc, base, k, frame);
            }
        }
        return any_order(vm, pc, base, i, k, frame);
    }
    /// Long strings, and values that may have `__eq`.
    #[cold]
    #[inline(never)]
    slow_equal => {
        save(frame, pc);
        let a = *ra(base, i);
        let b = if i.op().condition() == Op::EQ { *rb(base, i) } else { *kb(k, i) };
        if a.tag == tag::STR {
            (*vm).charge_equality(a, b);
            jump_if!(a.raw_eq(b) == (i.c() != 0), vm, pc, base, i, k, frame);
        }
        match equal_tables(vm, base, a, b) {
            Decided::Holds(holds) => jump_if!(holds == (i.c() != 0), vm, pc, base, i, k, frame),
            Decided::Begun => return resume(vm),
            Decided::Left => return,
        }
    }
    /// The order of anything else than two numbers of one kind.
    #[inline(never)]
    slow_order => {
        if (*ra(base, i)).tag == tag::TABLE && matches!(i.op().condition(), Op::LT | Op::LE) {
            return order_by_method(vm, pc, base, i, k, frame);
        }
        return any_order(vm, pc, base, i, k, frame);
    }
    /// The order of any two values.
    #[inline(never)]
    any_order => {
        save(frame, pc);
        match order(vm, base, i) {
            Decided::Holds(holds) => jump_if!(holds == (i.c() != 0), vm, pc, base, i, k, frame),
            Decided::Begun => return resume(vm),
            Decided::Left => return,
        }
    }
}

/// Whether neither of two tables has a metatable.
#[inline(always)]
fn both_plain(a: Val, b: Val) -> bool {
    use crate::table::Table;
    a.raw_gc::<Table>().meta.is_null() && b.raw_gc::<Table>().meta.is_null()
}

/// What came of a condition that its handler does not decide.
enum Decided {
    Holds(bool),
    /// A metamethod, whose frame is on top, will tell.
    Begun,
    /// The machine is to be left.
    Left,
}

/// The order of any two values.
#[inline(never)]
unsafe fn order(vm: *mut Vm, base: *mut Val, i: Instr) -> Decided {
    // SAFETY: the instruction is the one before the saved `pc` of the frame on top.
    unsafe {
        let (a, imm) = (*ra(base, i), Val::int(i.sb() as i64));
        let (event, a, b) = match i.op().condition() {
            Op::LT => (Event::Lt, a, *rb(base, i)),
            Op::LE => (Event::Le, a, *rb(base, i)),
            Op::LTI => (Event::Lt, a, imm),
            Op::LEI => (Event::Le, a, imm),
            Op::GTI => (Event::Lt, imm, a),
            _ => (Event::Le, imm, a),
        };
        // Before, both must have the same.
        if (*vm).dialect >= Dialect::Lua52 {
            // Below the call: that it is not `__lt` which does for `__le`, with the operands swapped.
            let note = (event == Event::Le && (*vm).dialect.le_by_lt()).then_some(Val::FALSE);
            let method = operator_method(vm, event, a, b);
            if enter(vm, base, method, [a, b], 1, note) {
                return Decided::Begun;
            }
        }
        decide(vm, (*vm).less(event, a, b))
    }
}

/// Whether two values are equal that may have `__eq`.
#[inline(never)]
unsafe fn equal_tables(vm: *mut Vm, base: *mut Val, a: Val, b: Val) -> Decided {
    // SAFETY: as above.
    unsafe {
        if (*vm).dialect >= Dialect::Lua53
            && a.tag == b.tag
            && a.payload != b.payload
            && enter(
                vm,
                base,
                operator_method(vm, Event::Eq, a, b),
                [a, b],
                1,
                None,
            )
        {
            return Decided::Begun;
        }
        decide(vm, (*vm).equals(a, b))
    }
}

unsafe fn decide(vm: *mut Vm, outcome: Result<Outcome<bool>, crate::native::Thrown>) -> Decided {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match outcome {
            Ok(Outcome::Now(holds)) => Decided::Holds(holds),
            Ok(Outcome::Later(next)) if begin(vm, next) => Decided::Begun,
            Ok(Outcome::Later(_)) => Decided::Left,
            Err(thrown) => {
                leave(vm, Err(thrown));
                Decided::Left
            }
        }
    }
}
