//! Jumps and comparisons.
//!
//! A comparison is followed by a jump word, which it executes when its condition asks for it.

use super::super::Event;
use super::super::meta::Outcome;
use super::{go, kb, leave, ops, ra, rb, safe_point, save, set};
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::thread::Frame;
use crate::value::{Val, tag};
use crate::vm::Vm;

/// The jump word behind a conditional: taken, or skipped.
#[inline(always)]
unsafe fn jump_if(
    holds: bool,
    vm: *mut Vm,
    pc: *const Instr,
    base: *mut Val,
    k: *const Val,
    i: Instr,
    frame: *mut Frame,
) {
    // SAFETY: a conditional is followed by a jump word (the compiler's promise).
    unsafe {
        if holds == (i.c() != 0) {
            let word = *pc;
            let pc = pc.offset(1 + word.sj() as isize);
            if word.0 as u8 == Op::LOOP as u8 {
                (*vm).heap.spend(-word.sj() as i64);
                if (*vm).heap.fuel < 0 {
                    return safe_point(vm, pc, base, k, i, frame);
                }
            }
            go(vm, pc, base, k, frame)
        } else {
            go(vm, pc.add(1), base, k, frame)
        }
    }
}

/// Order of two registers: integers and floats in line.
macro_rules! compare {
    ($($op:ident: $cmp:tt;)*) => {
        ops! { (vm, pc, base, k, i, frame) $(
            $op => {
                let (a, b) = (ra(base, i), rb(base, i));
                if (*a).tag == tag::INT && (*b).tag == tag::INT {
                    return jump_if((*a).raw_int() $cmp (*b).raw_int(), vm, pc, base, k, i, frame);
                }
                if (*a).tag == tag::FLOAT && (*b).tag == tag::FLOAT {
                    return jump_if((*a).raw_float() $cmp (*b).raw_float(), vm, pc, base, k, i, frame);
                }
                return slow_order(vm, pc, base, k, i, frame);
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
        ops! { (vm, pc, base, k, i, frame) $(
            $op => {
                let a = ra(base, i);
                if (*a).tag == tag::INT {
                    return jump_if((*a).raw_int() $cmp i.sb() as i64, vm, pc, base, k, i, frame);
                }
                if (*a).tag == tag::FLOAT {
                    return jump_if((*a).raw_float() $cmp i.sb() as f64, vm, pc, base, k, i, frame);
                }
                return slow_order(vm, pc, base, k, i, frame);
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

ops! { (vm, pc, base, k, i, frame)
    JMP => { pc = pc.offset(i.sj() as isize); }
    LOOP => {
        pc = pc.offset(i.sj() as isize);
        (*vm).heap.spend(-i.sj() as i64);
        if (*vm).heap.fuel < 0 {
            return safe_point(vm, pc, base, k, i, frame);
        }
    }

    EQ => {
        let (a, b) = (ra(base, i), rb(base, i));
        if (*a).tag != (*b).tag {
            // Equal numbers of the two subtypes are the only equal values with different tags.
            let mixed = (*a).is_number() && (*b).is_number();
            return jump_if(mixed && (*a).raw_eq(*b), vm, pc, base, k, i, frame);
        }
        if (*a).tag == tag::FLOAT {
            return jump_if((*a).raw_float() == (*b).raw_float(), vm, pc, base, k, i, frame);
        }
        if (*a).tag <= tag::TRUE || (*a).payload == (*b).payload {
            return jump_if(true, vm, pc, base, k, i, frame);
        }
        if (*a).tag == tag::STR && !(*a).raw_gc::<Str>().is_interned()
            || (*a).tag == tag::TABLE && !both_plain(*a, *b)
            || (*a).tag == tag::USERDATA
        {
            return slow_equal(vm, pc, base, k, i, frame);
        }
        return jump_if(false, vm, pc, base, k, i, frame);
    }
    EQK => {
        let (a, b) = (ra(base, i), kb(k, i));
        if (*a).tag == (*b).tag && (*a).tag != tag::FLOAT {
            let same = (*a).tag <= tag::TRUE || (*a).payload == (*b).payload;
            if !same && (*a).tag == tag::STR && !(*a).raw_gc::<Str>().is_interned() {
                return slow_equal(vm, pc, base, k, i, frame);
            }
            return jump_if(same, vm, pc, base, k, i, frame);
        }
        let numbers = (*a).is_number() && (*b).is_number();
        return jump_if(numbers && (*a).raw_eq(*b), vm, pc, base, k, i, frame);
    }
    EQI => {
        let a = ra(base, i);
        let imm = i.sb() as i64;
        let holds = if (*a).tag == tag::INT {
            (*a).raw_int() == imm
        } else {
            (*a).tag == tag::FLOAT && (*a).raw_float() == imm as f64
        };
        return jump_if(holds, vm, pc, base, k, i, frame);
    }
    TEST => { return jump_if((*ra(base, i)).truthy(), vm, pc, base, k, i, frame); }
    TESTSET => {
        let b = rb(base, i);
        if (*b).truthy() == (i.c() != 0) {
            set(ra(base, i), b);
        }
        return jump_if((*b).truthy(), vm, pc, base, k, i, frame);
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
            return jump_if(a.raw_eq(b), vm, pc, base, k, i, frame);
        }
        match slow_condition(vm, (*vm).equals(a, b)) {
            Some(holds) => return jump_if(holds, vm, pc, base, k, i, frame),
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
            Some(holds) => return jump_if(holds, vm, pc, base, k, i, frame),
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
