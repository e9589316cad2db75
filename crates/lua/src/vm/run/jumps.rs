//! Jumps and comparisons.
//!
//! A comparison is followed by a jump word, which it executes when its condition asks for it.

use super::super::Event;
use super::super::meta::Outcome;
use super::{go, kb, leave, ops, ra, rb, safe_point, save, set};
use crate::op::Op;
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// The jump word behind a conditional: taken, or skipped.
macro_rules! jump_if {
    ($holds:expr, $vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident) => {
        jump_if!($holds, $vm, $pc, $base, $i, $k, $frame, "")
    };
    ($holds:expr, $vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $place:literal) => {{
        let holds: bool = $holds;
        if holds == ($i.c() != 0) {
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

/// Order of two registers: integers and floats in line.
macro_rules! compare {
    ($($op:ident: $cmp:tt;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (a, b) = (ra(base, i), rb(base, i));
                if (*a).tag == tag::INT && (*b).tag == tag::INT {
                    jump_if!((*a).raw_int() $cmp (*b).raw_int(), vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT && (*b).tag == tag::FLOAT {
                    jump_if!((*a).raw_float() $cmp (*b).raw_float(), vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
        )* }
    };
}
compare! {
    LT: <;
    LE: <=;
}

/// Order of a register and a small integer.
macro_rules! compare_immediate {
    ($($op:ident: $cmp:tt;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let a = ra(base, i);
                if (*a).tag == tag::INT {
                    jump_if!((*a).raw_int() $cmp i.sb() as i64, vm, pc, base, i, k, frame);
                }
                if (*a).tag == tag::FLOAT {
                    jump_if!((*a).raw_float() $cmp i.sb() as f64, vm, pc, base, i, k, frame, "float");
                }
                return slow_order(vm, pc, base, i, k, frame);
            }
        )* }
    };
}
compare_immediate! {
    LTI: <;
    LEI: <=;
    GTI: >;
    GEI: >=;
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
        let (a, b) = (ra(base, i), rb(base, i));
        if (*a).tag != (*b).tag {
            // Equal numbers of the two subtypes are the only equal values with different tags.
            let mixed = (*a).is_number() && (*b).is_number();
            jump_if!(mixed && (*a).raw_eq(*b), vm, pc, base, i, k, frame);
        }
        if (*a).tag == tag::FLOAT {
            jump_if!((*a).raw_float() == (*b).raw_float(), vm, pc, base, i, k, frame);
        }
        if (*a).tag <= tag::TRUE || (*a).payload == (*b).payload {
            jump_if!(true, vm, pc, base, i, k, frame);
        }
        if (*a).tag == tag::STR && !(*a).raw_gc::<Str>().is_interned()
            || (*a).tag == tag::TABLE && !both_plain(*a, *b)
            || (*a).tag == tag::USERDATA
        {
            return slow_equal(vm, pc, base, i, k, frame);
        }
        jump_if!(false, vm, pc, base, i, k, frame);
    }
    EQK => {
        let (a, b) = (ra(base, i), kb(k, i));
        if (*a).tag == (*b).tag && (*a).tag != tag::FLOAT {
            let same = (*a).tag <= tag::TRUE || (*a).payload == (*b).payload;
            if !same && (*a).tag == tag::STR && !(*a).raw_gc::<Str>().is_interned() {
                return slow_equal(vm, pc, base, i, k, frame);
            }
            jump_if!(same, vm, pc, base, i, k, frame);
        }
        let numbers = (*a).is_number() && (*b).is_number();
        jump_if!(numbers && (*a).raw_eq(*b), vm, pc, base, i, k, frame);
    }
    EQI => {
        let a = ra(base, i);
        let imm = i.sb() as i64;
        let holds = if (*a).tag == tag::INT {
            (*a).raw_int() == imm
        } else {
            (*a).tag == tag::FLOAT && (*a).raw_float() == imm as f64
        };
        jump_if!(holds, vm, pc, base, i, k, frame);
    }
    TEST => { jump_if!((*ra(base, i)).truthy(), vm, pc, base, i, k, frame); }
    TESTSET => {
        let b = rb(base, i);
        if (*b).truthy() == (i.c() != 0) {
            set(ra(base, i), b);
        }
        jump_if!((*b).truthy(), vm, pc, base, i, k, frame);
    }

    /// Long strings, and values that may have `__eq`.
    #[cold]
    #[inline(never)]
    slow_equal => {
        save(frame, pc);
        let a = *ra(base, i);
        let b = if i.op() == Op::EQ { *rb(base, i) } else { *kb(k, i) };
        if a.tag == tag::STR {
            (*vm).charge_equality(a, b);
            jump_if!(a.raw_eq(b), vm, pc, base, i, k, frame);
        }
        match slow_condition(vm, (*vm).equals(a, b)) {
            Some(holds) => jump_if!(holds, vm, pc, base, i, k, frame),
            None => return,
        }
    }
    /// The order of anything else.
    #[inline(never)]
    slow_order => {
        save(frame, pc);
        let (a, imm) = (*ra(base, i), Val::int(i.sb() as i64));
        let outcome = match i.op() {
            Op::LT => (*vm).less(Event::Lt, a, *rb(base, i)),
            Op::LE => (*vm).less(Event::Le, a, *rb(base, i)),
            Op::LTI => (*vm).less(Event::Lt, a, imm),
            Op::LEI => (*vm).less(Event::Le, a, imm),
            Op::GTI => (*vm).less(Event::Lt, imm, a),
            _ => (*vm).less(Event::Le, imm, a),
        };
        match slow_condition(vm, outcome) {
            Some(holds) => jump_if!(holds, vm, pc, base, i, k, frame),
            None => return,
        }
    }
}

/// Whether neither of two tables has a metatable.
#[inline(always)]
fn both_plain(a: Val, b: Val) -> bool {
    use crate::table::Table;
    a.raw_gc::<Table>().meta.is_null() && b.raw_gc::<Table>().meta.is_null()
}

/// Whether a condition holds, if that is known without a call.
unsafe fn slow_condition(
    vm: *mut Vm,
    outcome: Result<Outcome<bool>, crate::native::Thrown>,
) -> Option<bool> {
    // SAFETY: `vm` is the running VM.
    unsafe {
        match outcome {
            Ok(Outcome::Now(holds)) => return Some(holds),
            Ok(Outcome::Later(next)) => leave(vm, Ok(next)),
            Err(thrown) => leave(vm, Err(thrown)),
        }
        None
    }
}
