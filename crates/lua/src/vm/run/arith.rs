//! Arithmetic and bitwise operations, length, concatenation.
//!
//! Each operation does its numbers in line; what is left (strings, metamethods, errors, a divisor of zero) goes to `slow`.

use super::super::Event;
use super::super::Vm;
use super::super::debug::Operand;
use super::methods::{enter, operator_method};
use super::{
    begin, go, kb, kc, leave, ops, put_float, put_int, ra, rb, rc, resume, save, slow_value,
};
use crate::number;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::table::Table;
use crate::value::{Val, tag};

/// The float nearest to an integer.
///
/// PERF: the instruction keeps the upper half of its target register, and so waits for whatever wrote that last: a division of
/// some instructions before, as handlers use the same few registers.
#[inline(always)]
pub(super) fn to_float(i: i64) -> f64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: both instructions are of the baseline, and touch nothing but the operand named.
    unsafe {
        let f: f64;
        std::arch::asm!(
            "xorps {f}, {f}",
            "cvtsi2sd {f}, {i}",
            f = out(xmm_reg) f,
            i = in(reg) i,
            options(pure, nomem, nostack, preserves_flags)
        );
        f
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        i as f64
    }
}

/// The operand as a float when it is a number.
#[inline(always)]
unsafe fn number_of(v: *const Val) -> Option<f64> {
    // SAFETY: the caller's registers and constants are in range.
    unsafe {
        match (*v).tag {
            tag::FLOAT => Some((*v).raw_float()),
            tag::INT => Some(to_float((*v).raw_int())),
            _ => None,
        }
    }
}

/// The operand a handler's table names: `rb`, `rc`, `kb` or `kc`.
macro_rules! operand {
    (rb, $base:ident, $k:ident, $i:ident) => {
        rb($base, $i) as *const Val
    };
    (rc, $base:ident, $k:ident, $i:ident) => {
        rc($base, $i) as *const Val
    };
    (kb, $base:ident, $k:ident, $i:ident) => {
        kb($k, $i)
    };
    (kc, $base:ident, $k:ident, $i:ident) => {
        kc($k, $i)
    };
}

/// The end of a handler that computes with floats: of any two numbers; the rest is slow.
macro_rules! as_floats {
    ($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident, $b:ident, $c:ident, $float:expr, $place:literal) => {
        if let (Some(x), Some(y)) = (number_of($b), number_of($c)) {
            put_float(ra($base, $i), $float(x, y));
            return go!($vm, $pc, $base, $k, $frame, $place);
        }
        return slow($vm, $pc, $base, $i, $k, $frame);
    };
}

/// Addition, subtraction, multiplication: of integers and of floats, and with a constant of either.
///
/// PERF: an integer and a float in registers have a handler of their own, or the common ones would need more registers than a
/// handler has without saving some.
macro_rules! arithmetic {
    ($($op:ident $mixed:ident: $b:ident $c:ident, $int:expr, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::INT && (*c).tag == tag::INT {
                    put_int(ra(base, i), $int((*b).raw_int(), (*c).raw_int()));
                    return go!(vm, pc, base, k, frame, "int");
                } else if let Some((x, y)) = floats!($b $c, b, c) {
                    put_float(ra(base, i), $float(x, y));
                    return go!(vm, pc, base, k, frame, "float1");
                } else {
                    return $mixed(vm, pc, base, i, k, frame);
                }
            }
            #[inline(never)]
            $mixed => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                as_floats!(vm, pc, base, i, k, frame, b, c, $float, "float2");
            }
        )* }
    };
}
/// Two operands as floats: registers that hold floats, constants that are numbers.
macro_rules! floats {
    (rb rc, $b:ident, $c:ident) => {
        match (*$b).tag == tag::FLOAT && (*$c).tag == tag::FLOAT {
            true => Some(((*$b).raw_float(), (*$c).raw_float())),
            false => None,
        }
    };
    (rb kc, $b:ident, $c:ident) => {
        match (*$b).tag == tag::FLOAT {
            true => number_of($c).map(|y| ((*$b).raw_float(), y)),
            false => None,
        }
    };
    (kb rc, $b:ident, $c:ident) => {
        match (*$c).tag == tag::FLOAT {
            true => number_of($b).map(|x| (x, (*$c).raw_float())),
            false => None,
        }
    };
}
arithmetic! {
    ADD add_mixed: rb rc, i64::wrapping_add, |x: f64, y: f64| x + y;
    SUB sub_mixed: rb rc, i64::wrapping_sub, |x: f64, y: f64| x - y;
    MUL mul_mixed: rb rc, i64::wrapping_mul, |x: f64, y: f64| x * y;
    ADDK addk_mixed: rb kc, i64::wrapping_add, |x: f64, y: f64| x + y;
    SUBK subk_mixed: rb kc, i64::wrapping_sub, |x: f64, y: f64| x - y;
    MULK mulk_mixed: rb kc, i64::wrapping_mul, |x: f64, y: f64| x * y;
    KADD kadd_mixed: kb rc, i64::wrapping_add, |x: f64, y: f64| x + y;
    KSUB ksub_mixed: kb rc, i64::wrapping_sub, |x: f64, y: f64| x - y;
    KMUL kmul_mixed: kb rc, i64::wrapping_mul, |x: f64, y: f64| x * y;
}

/// With a small integer as the second operand.
macro_rules! immediate {
    ($($op:ident: $int:expr, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let b = rb(base, i);
                if (*b).tag == tag::INT {
                    put_int(ra(base, i), $int((*b).raw_int(), i.sc() as i64));
                    return go!(vm, pc, base, k, frame, "int");
                } else if (*b).tag == tag::FLOAT {
                    put_float(ra(base, i), $float((*b).raw_float(), to_float(i.sc() as i64)));
                    return go!(vm, pc, base, k, frame, "float3");
                } else {
                    return slow(vm, pc, base, i, k, frame);
                }
            }
        )* }
    };
}
immediate! {
    ADDI: i64::wrapping_add, |x: f64, y: f64| x + y;
    SUBI: i64::wrapping_sub, |x: f64, y: f64| x - y;
}

/// Division: always of floats.
macro_rules! float_arithmetic {
    ($($op:ident: $b:ident $c:ident, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
                    put_float(ra(base, i), $float((*b).raw_float(), (*c).raw_float()));
                    return go!(vm, pc, base, k, frame, "float4");
                }
                as_floats!(vm, pc, base, i, k, frame, b, c, $float, "float5");
            }
        )* }
    };
}
float_arithmetic! {
    DIV: rb rc, |x: f64, y: f64| x / y;
    DIVK: rb kc, |x: f64, y: f64| x / y;
    KDIV: kb rc, |x: f64, y: f64| x / y;
}

/// Power: squares here, others elsewhere (as for divisions of floats below).
macro_rules! power {
    ($($op:ident $other:ident: $b:ident $c:ident;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::FLOAT && ((*c).tag == tag::INT && (*c).raw_int() == 2 || (*c).tag == tag::FLOAT && (*c).raw_float() == 2.0) {
                    put_float(ra(base, i), (*b).raw_float() * (*b).raw_float());
                    return go!(vm, pc, base, k, frame, "float4");
                } else {
                    return $other(vm, pc, base, i, k, frame);
                }
            }
            #[inline(never)]
            $other => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                as_floats!(vm, pc, base, i, k, frame, b, c, number::float_pow, "float5");
            }
        )* }
    };
}
power! {
    POW pow_other: rb rc;
    POWK powk_other: rb kc;
}

/// Modulo and floor division: an integer divisor of zero is an error.
///
/// PERF: floats have a handler of their own: what calls a function saves all registers of the machine.
macro_rules! division {
    ($($op:ident $floats:ident: $b:ident $c:ident, $int:expr, $float:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::INT && (*c).tag == tag::INT && (*c).raw_int() != 0 {
                    put_int(ra(base, i), $int((*b).raw_int(), (*c).raw_int()));
                    return go!(vm, pc, base, k, frame, "int");
                } else {
                    return $floats(vm, pc, base, i, k, frame);
                }
            }
            #[inline(never)]
            $floats => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
                    put_float(ra(base, i), $float((*b).raw_float(), (*c).raw_float()));
                    return go!(vm, pc, base, k, frame, "float6");
                } else {
                    return slow(vm, pc, base, i, k, frame);
                }
            }
        )* }
    };
}
division! {
    MOD mod_floats: rb rc, number::int_mod, number::float_mod;
    MODK modk_floats: rb kc, number::int_mod, number::float_mod;
    IDIV idiv_floats: rb rc, number::int_floor_div, number::float_floor_div;
    IDIVK idivk_floats: rb kc, number::int_floor_div, number::float_floor_div;
}

/// Operations on the bits of integers.
macro_rules! bitwise {
    ($($op:ident: $b:ident $c:ident, $int:expr;)*) => {
        ops! { (vm, pc, base, i, k, frame) $(
            $op => {
                let (b, c) = (operand!($b, base, k, i), operand!($c, base, k, i));
                if (*b).tag == tag::INT && (*c).tag == tag::INT {
                    put_int(ra(base, i), $int((*b).raw_int(), (*c).raw_int()));
                    return go!(vm, pc, base, k, frame, "int");
                } else {
                    return slow(vm, pc, base, i, k, frame);
                }
            }
        )* }
    };
}
bitwise! {
    BAND: rb rc, |x, y| x & y;
    BOR: rb rc, |x, y| x | y;
    BXOR: rb rc, |x, y| x ^ y;
    SHL: rb rc, number::shift_left;
    SHR: rb rc, number::shift_right;
    BANDK: rb kc, |x, y| x & y;
    BORK: rb kc, |x, y| x | y;
    BXORK: rb kc, |x, y| x ^ y;
    SHLK: rb kc, number::shift_left;
    SHRK: rb kc, number::shift_right;
}

ops! { (vm, pc, base, i, k, frame)
    UNM => {
        let b = rb(base, i);
        if (*b).tag == tag::INT {
            put_int(ra(base, i), (*b).raw_int().wrapping_neg());
            return go!(vm, pc, base, k, frame, "int");
        } else if (*b).tag == tag::FLOAT {
            put_float(ra(base, i), -(*b).raw_float());
            return go!(vm, pc, base, k, frame, "float7");
        } else {
            return slow(vm, pc, base, i, k, frame);
        }
    }
    BNOT => {
        let b = rb(base, i);
        if (*b).tag == tag::INT {
            put_int(ra(base, i), !(*b).raw_int());
            return go!(vm, pc, base, k, frame, "int");
        } else {
            return slow(vm, pc, base, i, k, frame);
        }
    }
    MODF => {
        let (b, c) = (rb(base, i), rc(base, i));
        if (*b).tag == tag::FLOAT
            && (*c).tag == tag::FLOAT
            && let Some(rest) = number::small_mod_by_floor((*b).raw_float(), (*c).raw_float())
        {
            put_float(ra(base, i), rest);
            return go!(vm, pc, base, k, frame, "float8");
        } else {
            return modf_other(vm, pc, base, i, k, frame);
        }
    }
    #[inline(never)]
    modf_other => {
        let (b, c) = (rb(base, i), rc(base, i));
        if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
            let (x, y) = ((*b).raw_float(), (*c).raw_float());
            put_float(ra(base, i), number::float_mod_by_floor(x, y));
            return go!(vm, pc, base, k, frame, "float9");
        } else {
            return slow(vm, pc, base, i, k, frame);
        }
    }

    /// Whatever operation on operands that its handler does not take.
    #[cold]
    #[inline(never)]
    slow => {
        save(frame, pc);
        if !operate(vm, base, i, k) {
            return;
        }
        return resume(vm);
    }

    LEN => {
        let b = rb(base, i);
        if (*b).tag == tag::TABLE && (*b).raw_gc::<Table>().meta.is_null() {
            put_int(ra(base, i), (*b).raw_gc::<Table>().border());
            return go!(vm, pc, base, k, frame, "int");
        } else if (*b).tag == tag::STR {
            put_int(ra(base, i), (*b).raw_gc::<Str>().len() as i64);
            return go!(vm, pc, base, k, frame, "int");
        } else {
            return slow_length(vm, pc, base, i, k, frame);
        }
    }
    LENF => {
        let b = rb(base, i);
        if (*b).tag == tag::TABLE && (*b).raw_gc::<Table>().meta.is_null() {
            put_float(ra(base, i), (*b).raw_gc::<Table>().border() as f64);
            return go!(vm, pc, base, k, frame, "float10");
        } else {
            return slow_length(vm, pc, base, i, k, frame);
        }
    }
    #[cold]
    #[inline(never)]
    slow_length => {
        save(frame, pc);
        if !slow_value(vm, i, (*vm).length(*rb(base, i), Operand::Register(i.b()))) {
            return;
        }
        return resume(vm);
    }

    CONCAT => {
        save(frame, pc);
        if !concat(vm, base, i) {
            return;
        }
        return resume(vm);
    }
}

/// Concatenates. The result is as for [`begin`].
#[inline(never)]
unsafe fn concat(vm: *mut Vm, base: *mut Val, i: Instr) -> bool {
    // SAFETY: the running frame is on top.
    unsafe {
        let n = i.b();
        let last = ra(base, i).add(n - 1);
        let (a, b) = (*last.sub(1), *last);
        let method = operator_method(vm, Event::Concat, a, b);
        // Below the call: how many values there are after it.
        let rest = Some(Val::int(n as i64 - 1));
        if enter(vm, base, method, [a, b], 1, rest) {
            return true;
        }
        let at = super::calls::index_of((*vm).current, ra(base, i)) as usize;
        match (*vm).concat(at, n) {
            Ok(next) => begin(vm, next),
            Err(thrown) => {
                leave(vm, Err(thrown));
                false
            }
        }
    }
}

/// Does an arithmetic or bitwise operation with all that can mean. The result is as for [`begin`].
#[inline(never)]
unsafe fn operate(vm: *mut Vm, base: *mut Val, i: Instr, k: *const Val) -> bool {
    // SAFETY: the instruction is the one before the saved `pc` of the frame on top.
    unsafe {
        let op = i.op();
        let event = EVENTS[op as usize];
        let (b, c) = match op {
            Op::ADDI | Op::SUBI => (*rb(base, i), Val::int(i.sc() as i64)),
            Op::UNM | Op::BNOT => (*rb(base, i), *rb(base, i)),
            Op::KADD | Op::KSUB | Op::KMUL | Op::KDIV => (*kb(k, i), *rc(base, i)),
            op if op as u8 >= Op::ADD as u8 => (*rb(base, i), *rc(base, i)),
            _ => (*rb(base, i), *kc(k, i)),
        };
        // No number or text: only a metamethod can do anything.
        let method = operator_method(vm, event, b, c);
        if method.is_function() {
            return enter(vm, base, method, [b, c], 1, None)
                || slow_value(vm, i, (*vm).call_method(method, [b, c], 1));
        }
        slow_value(vm, i, (*vm).arith(event, b, c, operands(i)))
    }
}

/// Where the operands of an operation come from, for messages.
fn operands(i: Instr) -> [Operand; 2] {
    let (register, constant) = (Operand::Register, Operand::Constant);
    match i.op() {
        Op::ADDI | Op::SUBI => [register(i.b()), Operand::None],
        Op::UNM | Op::BNOT => [register(i.b()); 2],
        Op::KADD | Op::KSUB | Op::KMUL | Op::KDIV => [constant(i.b()), register(i.c())],
        op if op as u8 >= Op::ADD as u8 => [register(i.b()), register(i.c())],
        _ => [register(i.b()), constant(i.c())],
    }
}

/// The events of arithmetic and bitwise operations.
static EVENTS: [Event; Op::COUNT] = {
    let mut events = [Event::Add; Op::COUNT];
    let mut n = 0;
    while n < Op::COUNT {
        events[n] = match Op::ALL[n] {
            Op::SUB | Op::SUBI | Op::SUBK | Op::KSUB => Event::Sub,
            Op::MUL | Op::MULK | Op::KMUL => Event::Mul,
            Op::MOD | Op::MODK | Op::MODF => Event::Mod,
            Op::POW | Op::POWK => Event::Pow,
            Op::DIV | Op::DIVK | Op::KDIV => Event::Div,
            Op::IDIV | Op::IDIVK => Event::IDiv,
            Op::BAND | Op::BANDK => Event::BAnd,
            Op::BOR | Op::BORK => Event::BOr,
            Op::BXOR | Op::BXORK => Event::BXor,
            Op::SHL | Op::SHLK => Event::Shl,
            Op::SHR | Op::SHRK => Event::Shr,
            Op::UNM => Event::Unm,
            Op::BNOT => Event::BNot,
            _ => Event::Add,
        };
        n += 1;
    }
    events
};
