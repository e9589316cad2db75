//! The dispatch loop: one arm per opcode, the common case of each in line, everything else through a call that
//! leaves the loop with a [`Next`] (see `call`).
//!
//! **Invariants**
//! - `pc`, `base`, `k` and `cl` belong to the top frame of the current coroutine. Whatever may push a frame or grow a
//!   stack saves `pc` first and reloads `base` after.
//! - `frame.pc` is also the mark up to which straight-line code has been charged: calls and returns charge the
//!   distance from it, back-edges charge their own.
//! - Register, constant and upvalue indices are in range: the compiler's promise (`op`), checked by `compiler::verify`.
//!
//! PERF: operands are copied field by field (`set`): a 16-byte copy right after an 8-byte and a 1-byte store
//! would wait for the store buffer.

use super::call::{NATIVE_SLOTS, Next};
use super::debug::Operand;
use super::meta::Outcome;
use super::{Event, NO_NATIVE, Vm};
use crate::function::{LuaClosure, Proto, UpBox};
use crate::heap::Gc;
use crate::heap::collect::mark_bits;
use crate::native::{Action, Ctx, Status, Thrown};
use crate::number;
use crate::op::{Instr, Op};
use crate::string::Str;
use crate::table::Table;
use crate::thread::Frame;
use crate::thread::frame_flags::*;
use crate::value::{Val, tag};

#[inline(always)]
unsafe fn set(to: *mut Val, from: *const Val) {
    // SAFETY: the caller's registers and constants are in range.
    unsafe {
        (*to).payload = (*from).payload;
        (*to).tag = (*from).tag;
    }
}
#[inline(always)]
unsafe fn put(to: *mut Val, v: Val) {
    // SAFETY: as above.
    unsafe {
        (*to).payload = v.payload;
        (*to).tag = v.tag;
    }
}
#[inline(always)]
unsafe fn put_int(to: *mut Val, i: i64) {
    // SAFETY: as above.
    unsafe {
        (*to).payload = i as u64;
        (*to).tag = tag::INT;
    }
}
#[inline(always)]
unsafe fn put_float(to: *mut Val, f: f64) {
    // SAFETY: as above.
    unsafe {
        (*to).payload = f.to_bits();
        (*to).tag = tag::FLOAT;
    }
}
/// The operand as a float when it is a number.
#[inline(always)]
unsafe fn number_of(v: *const Val) -> Option<f64> {
    // SAFETY: as above.
    unsafe { (*v).as_number() }
}

impl Vm {
    /// Runs the Lua frame on top until something else is to be done. `HOOKED`: the coroutine has a debug hook.
    #[allow(clippy::cognitive_complexity)]
    pub(crate) fn run_lua<const HOOKED: bool>(&mut self) -> Result<Next, Thrown> {
        let vm: *mut Vm = self;
        // SAFETY: the whole loop works on raw pointers into the current coroutine's stacks, which `load!` takes from the
        // top frame and every call that may move them is followed by a `load!` or `rebase!`; operand indices are
        // in range by the compiler's promise (invariants at the head of this file and of `op`).
        unsafe {
            let mut pc: *const Instr;
            let mut base: *mut Val;
            let mut k: *const Val;
            let mut cl: *const LuaClosure;

            macro_rules! load {
                () => {{
                    let th = (*vm).current;
                    let f = (*th).frames.add((*th).frame_count as usize - 1);
                    pc = (*f).pc;
                    base = (*th).stack.add((*f).base as usize);
                    cl = (*(*th).stack.add((*f).func as usize)).payload as *const LuaClosure;
                    k = (*(*cl).proto).constants;
                }};
            }
            macro_rules! frame {
                () => {{
                    let th = (*vm).current;
                    &mut *(*th).frames.add((*th).frame_count as usize - 1)
                }};
            }
            macro_rules! save {
                () => {
                    frame!().pc = pc
                };
            }
            macro_rules! r {
                ($i:expr) => {
                    base.add($i)
                };
            }
            macro_rules! kc {
                ($i:expr) => {
                    k.add($i)
                };
            }
            // Straight-line code since the last mark is charged; the mark moves here.
            macro_rules! charge_line {
                ($f:expr) => {{
                    let distance = pc as isize - (*$f).pc as isize;
                    (*vm).heap.spend(1 + (distance.max(0) >> 2) as i64);
                    (*$f).pc = pc;
                }};
            }
            // Leaves the loop for something that is not a common case.
            macro_rules! leave {
                ($next:expr) => {{
                    save!();
                    return $next;
                }};
            }
            // A slow operation with a result for register A: now, or after a metamethod.
            macro_rules! slow_value {
                ($i:expr, $call:expr) => {{
                    save!();
                    match $call? {
                        Outcome::Now(v) => {
                            let th = (*vm).current;
                            base = (*th).stack.add(frame!().base as usize);
                            put(r!($i.a()), v);
                        }
                        Outcome::Later(next) => return Ok(next),
                    }
                }};
            }
            macro_rules! slow_assign {
                ($call:expr) => {{
                    save!();
                    if let Some(next) = $call? {
                        return Ok(next);
                    }
                }};
            }
            // The jump word behind a conditional, or skipping it.
            macro_rules! conditional {
                ($i:expr, $holds:expr) => {{
                    if $holds == ($i.c() != 0) {
                        let word = *pc;
                        pc = pc.offset(1 + word.sj() as isize);
                        if word.0 as u8 == Op::LOOP as u8 {
                            back_edge!(-word.sj() as i64);
                        }
                    } else {
                        pc = pc.add(1);
                    }
                }};
            }
            macro_rules! back_edge {
                ($distance:expr) => {{
                    (*vm).heap.spend($distance);
                    if (*vm).heap.fuel < 0 {
                        leave!(Ok(Next::SafePoint));
                    }
                }};
            }
            macro_rules! slow_condition {
                ($i:expr, $call:expr) => {{
                    save!();
                    match $call? {
                        Outcome::Now(holds) => {
                            conditional!($i, holds);
                        }
                        Outcome::Later(next) => return Ok(next),
                    }
                }};
            }
            macro_rules! arith {
                ($i:expr, $b:expr, $c:expr, $event:ident, $int:expr, $float:expr, $on:expr) => {{
                    let (b, c): (*const Val, *const Val) = ($b, $c);
                    if (*b).tag == tag::INT && (*c).tag == tag::INT {
                        put_int(r!($i.a()), $int((*b).raw_int(), (*c).raw_int()));
                    } else if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
                        put_float(r!($i.a()), $float((*b).raw_float(), (*c).raw_float()));
                    } else if let (Some(x), Some(y)) = (number_of(b), number_of(c)) {
                        put_float(r!($i.a()), $float(x, y));
                    } else {
                        let (b, c) = (*b, *c);
                        slow_value!($i, (*vm).arith(Event::$event, b, c, $on));
                    }
                }};
            }
            // Division and power: always floats.
            macro_rules! float_arith {
                ($i:expr, $b:expr, $c:expr, $event:ident, $float:expr, $on:expr) => {{
                    let (b, c): (*const Val, *const Val) = ($b, $c);
                    if let (Some(x), Some(y)) = (number_of(b), number_of(c)) {
                        put_float(r!($i.a()), $float(x, y));
                    } else {
                        let (b, c) = (*b, *c);
                        slow_value!($i, (*vm).arith(Event::$event, b, c, $on));
                    }
                }};
            }
            // Modulo and floor division: an integer divisor of zero is an error.
            macro_rules! div_arith {
                ($i:expr, $b:expr, $c:expr, $event:ident, $int:expr, $float:expr, $on:expr) => {{
                    let (b, c): (*const Val, *const Val) = ($b, $c);
                    if (*b).tag == tag::INT && (*c).tag == tag::INT && (*c).raw_int() != 0 {
                        put_int(r!($i.a()), $int((*b).raw_int(), (*c).raw_int()));
                    } else if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
                        put_float(r!($i.a()), $float((*b).raw_float(), (*c).raw_float()));
                    } else {
                        let (b, c) = (*b, *c);
                        slow_value!($i, (*vm).arith(Event::$event, b, c, $on));
                    }
                }};
            }
            macro_rules! bit_arith {
                ($i:expr, $b:expr, $c:expr, $event:ident, $int:expr, $on:expr) => {{
                    let (b, c): (*const Val, *const Val) = ($b, $c);
                    if (*b).tag == tag::INT && (*c).tag == tag::INT {
                        put_int(r!($i.a()), $int((*b).raw_int(), (*c).raw_int()));
                    } else {
                        let (b, c) = (*b, *c);
                        slow_value!($i, (*vm).arith(Event::$event, b, c, $on));
                    }
                }};
            }
            macro_rules! regs {
                ($i:expr) => {
                    [Operand::Register($i.b()), Operand::Register($i.c())]
                };
            }
            macro_rules! reg_const {
                ($i:expr) => {
                    [Operand::Register($i.b()), Operand::Constant($i.c())]
                };
            }
            macro_rules! const_reg {
                ($i:expr) => {
                    [Operand::Constant($i.b()), Operand::Register($i.c())]
                };
            }
            macro_rules! immediate {
                ($i:expr, $imm:expr, $event:ident, $int:expr, $float:expr) => {{
                    let b: *const Val = r!($i.b());
                    let imm: i64 = $imm as i64;
                    if (*b).tag == tag::INT {
                        put_int(r!($i.a()), $int((*b).raw_int(), imm));
                    } else if (*b).tag == tag::FLOAT {
                        put_float(r!($i.a()), $float((*b).raw_float(), imm as f64));
                    } else {
                        let b = *b;
                        slow_value!(
                            $i,
                            (*vm).arith(
                                Event::$event,
                                b,
                                Val::int(imm),
                                [Operand::Register($i.b()), Operand::None]
                            )
                        );
                    }
                }};
            }
            macro_rules! get_string_key {
                ($i:expr, $obj:expr, $key:expr, $operand:expr) => {{
                    let obj: Val = $obj;
                    let key: Val = $key;
                    let a = r!($i.a());
                    if obj.tag == tag::TABLE {
                        let t: Gc<Table> = obj.raw_gc();
                        let s: Gc<Str> = key.raw_gc();
                        if s.is_interned() {
                            if let Some(slot) = t.find_interned(s)
                                && !slot.get().is_nil()
                            {
                                put(a, slot.get());
                                continue;
                            }
                            if t.meta.is_null() {
                                put(a, Val::NIL);
                                continue;
                            }
                            if let Some(v) = (*vm).index_chain(t, s) {
                                put(a, v);
                                continue;
                            }
                        }
                    }
                    slow_value!($i, (*vm).index(obj, key, $operand));
                }};
            }
            macro_rules! set_string_key {
                ($obj:expr, $key:expr, $val:expr, $operand:expr) => {{
                    let obj: Val = $obj;
                    let key: Val = $key;
                    let v: Val = $val;
                    if obj.tag == tag::TABLE {
                        let t: Gc<Table> = obj.raw_gc();
                        let s: Gc<Str> = key.raw_gc();
                        if s.is_interned()
                            && t.header.extra == 0
                            && let Some(slot) = t.find_interned(s)
                            && !slot.get().is_nil()
                        {
                            slot.set(v);
                            (*vm).barrier_table(t, v);
                            continue;
                        }
                    }
                    slow_assign!((*vm).assign(obj, key, v, $operand));
                }};
            }
            macro_rules! set_int_key {
                ($obj:expr, $key:expr, $val:expr, $operand:expr) => {{
                    let obj: Val = $obj;
                    let key: i64 = $key;
                    let v: Val = $val;
                    if obj.tag == tag::TABLE {
                        let t: Gc<Table> = obj.raw_gc();
                        let index = (key as u64).wrapping_sub(1);
                        if index < t.array_size as u64 && t.header.extra == 0 {
                            let slot = t.array_slot(index as usize);
                            if t.meta.is_null() || !slot.get().is_nil() {
                                slot.set(v);
                                (*vm).barrier_table(t, v);
                                continue;
                            }
                        } else if t.meta.is_null() && t.header.extra == 0 {
                            save!();
                            (*vm).table_set_int(t, key, v)?;
                            continue;
                        }
                    }
                    slow_assign!((*vm).assign(obj, Val::int(key), v, $operand));
                }};
            }
            // Order of two operands: integers and floats in line.
            macro_rules! compare {
                ($i:expr, $event:ident, $op:tt) => {{
                    let (a, b): (*const Val, *const Val) = (r!($i.a()), r!($i.b()));
                    if (*a).tag == tag::INT && (*b).tag == tag::INT {
                        conditional!($i, ((*a).raw_int() $op (*b).raw_int()));
                    } else if (*a).tag == tag::FLOAT && (*b).tag == tag::FLOAT {
                        conditional!($i, ((*a).raw_float() $op (*b).raw_float()));
                    } else {
                        let (a, b) = (*a, *b);
                        slow_condition!($i, (*vm).less(Event::$event, a, b));
                    }
                }};
            }
            macro_rules! compare_immediate {
                ($i:expr, $op:tt, $event:ident, $swap:expr) => {{
                    let a: *const Val = r!($i.a());
                    let imm = $i.sb() as i64;
                    if (*a).tag == tag::INT {
                        conditional!($i, ((*a).raw_int() $op imm));
                    } else if (*a).tag == tag::FLOAT {
                        conditional!($i, ((*a).raw_float() $op imm as f64));
                    } else {
                        let a = *a;
                        let (x, y) = if $swap { (Val::int(imm), a) } else { (a, Val::int(imm)) };
                        slow_condition!($i, (*vm).less(Event::$event, x, y));
                    }
                }};
            }

            load!();
            loop {
                if HOOKED {
                    save!();
                    if let Some(next) = (*vm).before_instruction(pc)? {
                        return Ok(next);
                    }
                }
                let i = *pc;
                pc = pc.add(1);
                match i.op() {
                    Op::MOVE => set(r!(i.a()), r!(i.b())),
                    Op::LOADI => put_int(r!(i.a()), i.sbx() as i64),
                    Op::LOADF => put_float(r!(i.a()), i.sbx() as f64),
                    Op::LOADK => set(r!(i.a()), kc!(i.bx())),
                    Op::LOADKX => {
                        set(r!(i.a()), kc!((*pc).ax_value() as usize));
                        pc = pc.add(1);
                    }
                    Op::LOADFALSE => (*r!(i.a())).tag = tag::FALSE,
                    Op::LFALSESKIP => {
                        (*r!(i.a())).tag = tag::FALSE;
                        pc = pc.add(1);
                    }
                    Op::LOADTRUE => (*r!(i.a())).tag = tag::TRUE,
                    Op::LOADNIL => {
                        for n in 0..=i.b() {
                            put(r!(i.a() + n), Val::NIL);
                        }
                    }

                    Op::GETUPVAL => set(r!(i.a()), (*cl).upvalue_ptr(i.b())),
                    Op::GETUPBOX => {
                        let b = (*(*cl).upvalue_ptr(i.b())).payload as *const UpBox;
                        set(r!(i.a()), (*b).location);
                    }
                    Op::SETUPBOX => {
                        let b = (*(*cl).upvalue_ptr(i.b())).payload as *mut UpBox;
                        let v = *r!(i.a());
                        put((*b).location, v);
                        if v.is_object() {
                            (*vm).barrier(b as *mut _, v);
                        }
                    }

                    Op::GETTABUP => {
                        let obj = *(*cl).upvalue_ptr(i.b());
                        get_string_key!(i, obj, *kc!(i.c()), Operand::Upvalue(i.b()))
                    }
                    Op::GETTABLE => {
                        let (obj, key): (*const Val, *const Val) = (r!(i.b()), r!(i.c()));
                        if (*obj).tag == tag::TABLE {
                            let t: Gc<Table> = (*obj).raw_gc();
                            if (*key).tag == tag::INT {
                                let index = ((*key).raw_int() as u64).wrapping_sub(1);
                                if index < t.array_size as u64 {
                                    let v = t.array_slot(index as usize).get();
                                    if !v.is_nil() || t.meta.is_null() {
                                        put(r!(i.a()), v);
                                        continue;
                                    }
                                } else if t.meta.is_null() {
                                    put(r!(i.a()), t.get_int((*key).raw_int()));
                                    continue;
                                }
                            } else if (*key).tag == tag::STR && (*key).raw_gc::<Str>().is_interned()
                            {
                                if let Some(slot) = t.find_interned((*key).raw_gc())
                                    && !slot.get().is_nil()
                                {
                                    put(r!(i.a()), slot.get());
                                    continue;
                                }
                                if t.meta.is_null() {
                                    put(r!(i.a()), Val::NIL);
                                    continue;
                                }
                            } else if (*key).tag == tag::FLOAT {
                                // The index of an array where numbers have no integer subtype.
                                let f = (*key).raw_float();
                                let index = (f as i64 as u64).wrapping_sub(1);
                                if index < t.array_size as u64 && f as i64 as f64 == f {
                                    let v = t.array_slot(index as usize).get();
                                    if !v.is_nil() || t.meta.is_null() {
                                        put(r!(i.a()), v);
                                        continue;
                                    }
                                } else if t.meta.is_null() {
                                    put(r!(i.a()), t.get((*vm).heap.hash_key, *key));
                                    continue;
                                }
                            } else if t.meta.is_null() && (*key).tag != tag::STR {
                                put(r!(i.a()), t.get((*vm).heap.hash_key, *key));
                                continue;
                            }
                        }
                        let (obj, key) = (*obj, *key);
                        slow_value!(i, (*vm).index(obj, key, Operand::Register(i.b())));
                    }
                    Op::GETI => {
                        let obj = *r!(i.b());
                        if obj.tag == tag::TABLE {
                            let t: Gc<Table> = obj.raw_gc();
                            let v = t.get_int(i.c() as i64);
                            if !v.is_nil() || t.meta.is_null() {
                                put(r!(i.a()), v);
                                continue;
                            }
                        }
                        slow_value!(
                            i,
                            (*vm).index(obj, Val::int(i.c() as i64), Operand::Register(i.b()))
                        );
                    }
                    Op::GETFIELD => {
                        let obj = *r!(i.b());
                        get_string_key!(i, obj, *kc!(i.c()), Operand::Register(i.b()))
                    }

                    Op::SETTABUP => {
                        let obj = *(*cl).upvalue_ptr(i.a());
                        set_string_key!(obj, *kc!(i.b()), *r!(i.c()), Operand::Upvalue(i.a()))
                    }
                    Op::SETTABUPK => {
                        let obj = *(*cl).upvalue_ptr(i.a());
                        set_string_key!(obj, *kc!(i.b()), *kc!(i.c()), Operand::Upvalue(i.a()))
                    }
                    Op::SETTABLE | Op::SETTABLEK => {
                        let (obj, key) = (*r!(i.a()), *r!(i.b()));
                        let v = if i.0 as u8 == Op::SETTABLE as u8 {
                            *r!(i.c())
                        } else {
                            *kc!(i.c())
                        };
                        if key.tag == tag::INT {
                            set_int_key!(obj, key.raw_int(), v, Operand::Register(i.a()))
                        } else if key.tag == tag::FLOAT
                            && key.raw_float() as i64 as f64 == key.raw_float()
                            && (key.raw_float() as i64) < i64::MAX
                        {
                            set_int_key!(obj, key.raw_float() as i64, v, Operand::Register(i.a()))
                        } else if key.tag == tag::STR {
                            set_string_key!(obj, key, v, Operand::Register(i.a()))
                        } else {
                            slow_assign!((*vm).assign(obj, key, v, Operand::Register(i.a())));
                        }
                    }
                    Op::SETI => set_int_key!(
                        *r!(i.a()),
                        i.b() as i64,
                        *r!(i.c()),
                        Operand::Register(i.a())
                    ),
                    Op::SETIK => set_int_key!(
                        *r!(i.a()),
                        i.b() as i64,
                        *kc!(i.c()),
                        Operand::Register(i.a())
                    ),
                    Op::SETFIELD => set_string_key!(
                        *r!(i.a()),
                        *kc!(i.b()),
                        *r!(i.c()),
                        Operand::Register(i.a())
                    ),
                    Op::SETFIELDK => set_string_key!(
                        *r!(i.a()),
                        *kc!(i.b()),
                        *kc!(i.c()),
                        Operand::Register(i.a())
                    ),

                    Op::NEWTABLE => {
                        save!();
                        let t = (*vm).new_table()?;
                        put(r!(i.a()), Val::table(t));
                        if i.b() | i.c() != 0 {
                            let hash = if i.b() == 0 {
                                0
                            } else {
                                1usize << (i.b() - 1).min(24)
                            };
                            (*vm).table_resize(t, i.c(), hash)?;
                        }
                    }
                    Op::SELF => {
                        let obj = *r!(i.b());
                        put(r!(i.a() + 1), obj);
                        get_string_key!(i, obj, *kc!(i.c()), Operand::Register(i.b()))
                    }

                    Op::ADDI => {
                        immediate!(i, i.sc(), Add, i64::wrapping_add, |x: f64, y: f64| x + y)
                    }
                    Op::SUBI => {
                        immediate!(i, i.sc(), Sub, i64::wrapping_sub, |x: f64, y: f64| x - y)
                    }
                    Op::ADDK => arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Add,
                        i64::wrapping_add,
                        |x: f64, y: f64| x + y,
                        reg_const!(i)
                    ),
                    Op::SUBK => arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Sub,
                        i64::wrapping_sub,
                        |x: f64, y: f64| x - y,
                        reg_const!(i)
                    ),
                    Op::MULK => arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Mul,
                        i64::wrapping_mul,
                        |x: f64, y: f64| x * y,
                        reg_const!(i)
                    ),
                    Op::MODK => div_arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Mod,
                        number::int_mod,
                        number::float_mod,
                        reg_const!(i)
                    ),
                    Op::POWK => float_arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Pow,
                        number::float_pow,
                        reg_const!(i)
                    ),
                    Op::DIVK => float_arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Div,
                        |x: f64, y: f64| x / y,
                        reg_const!(i)
                    ),
                    Op::IDIVK => {
                        div_arith!(
                            i,
                            r!(i.b()),
                            kc!(i.c()),
                            IDiv,
                            number::int_floor_div,
                            number::float_floor_div,
                            reg_const!(i)
                        )
                    }
                    Op::BANDK => {
                        bit_arith!(i, r!(i.b()), kc!(i.c()), BAnd, |x, y| x & y, reg_const!(i))
                    }
                    Op::BORK => {
                        bit_arith!(i, r!(i.b()), kc!(i.c()), BOr, |x, y| x | y, reg_const!(i))
                    }
                    Op::BXORK => {
                        bit_arith!(i, r!(i.b()), kc!(i.c()), BXor, |x, y| x ^ y, reg_const!(i))
                    }
                    Op::SHLK => bit_arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Shl,
                        number::shift_left,
                        reg_const!(i)
                    ),
                    Op::SHRK => bit_arith!(
                        i,
                        r!(i.b()),
                        kc!(i.c()),
                        Shr,
                        number::shift_right,
                        reg_const!(i)
                    ),
                    Op::KADD => arith!(
                        i,
                        kc!(i.b()),
                        r!(i.c()),
                        Add,
                        i64::wrapping_add,
                        |x: f64, y: f64| x + y,
                        const_reg!(i)
                    ),
                    Op::KSUB => arith!(
                        i,
                        kc!(i.b()),
                        r!(i.c()),
                        Sub,
                        i64::wrapping_sub,
                        |x: f64, y: f64| x - y,
                        const_reg!(i)
                    ),
                    Op::KMUL => arith!(
                        i,
                        kc!(i.b()),
                        r!(i.c()),
                        Mul,
                        i64::wrapping_mul,
                        |x: f64, y: f64| x * y,
                        const_reg!(i)
                    ),
                    Op::KDIV => float_arith!(
                        i,
                        kc!(i.b()),
                        r!(i.c()),
                        Div,
                        |x: f64, y: f64| x / y,
                        const_reg!(i)
                    ),

                    Op::ADD => arith!(
                        i,
                        r!(i.b()),
                        r!(i.c()),
                        Add,
                        i64::wrapping_add,
                        |x: f64, y: f64| x + y,
                        regs!(i)
                    ),
                    Op::SUB => arith!(
                        i,
                        r!(i.b()),
                        r!(i.c()),
                        Sub,
                        i64::wrapping_sub,
                        |x: f64, y: f64| x - y,
                        regs!(i)
                    ),
                    Op::MUL => arith!(
                        i,
                        r!(i.b()),
                        r!(i.c()),
                        Mul,
                        i64::wrapping_mul,
                        |x: f64, y: f64| x * y,
                        regs!(i)
                    ),
                    Op::MOD => div_arith!(
                        i,
                        r!(i.b()),
                        r!(i.c()),
                        Mod,
                        number::int_mod,
                        number::float_mod,
                        regs!(i)
                    ),
                    Op::POW => {
                        float_arith!(i, r!(i.b()), r!(i.c()), Pow, number::float_pow, regs!(i))
                    }
                    Op::DIV => float_arith!(
                        i,
                        r!(i.b()),
                        r!(i.c()),
                        Div,
                        |x: f64, y: f64| x / y,
                        regs!(i)
                    ),
                    Op::IDIV => {
                        div_arith!(
                            i,
                            r!(i.b()),
                            r!(i.c()),
                            IDiv,
                            number::int_floor_div,
                            number::float_floor_div,
                            regs!(i)
                        )
                    }
                    Op::BAND => bit_arith!(i, r!(i.b()), r!(i.c()), BAnd, |x, y| x & y, regs!(i)),
                    Op::BOR => bit_arith!(i, r!(i.b()), r!(i.c()), BOr, |x, y| x | y, regs!(i)),
                    Op::BXOR => bit_arith!(i, r!(i.b()), r!(i.c()), BXor, |x, y| x ^ y, regs!(i)),
                    Op::SHL => {
                        bit_arith!(i, r!(i.b()), r!(i.c()), Shl, number::shift_left, regs!(i))
                    }
                    Op::SHR => {
                        bit_arith!(i, r!(i.b()), r!(i.c()), Shr, number::shift_right, regs!(i))
                    }

                    Op::UNM => {
                        let b = *r!(i.b());
                        if b.tag == tag::INT {
                            put_int(r!(i.a()), b.raw_int().wrapping_neg());
                        } else if b.tag == tag::FLOAT {
                            put_float(r!(i.a()), -b.raw_float());
                        } else {
                            slow_value!(
                                i,
                                (*vm).arith(Event::Unm, b, b, [Operand::Register(i.b()); 2])
                            );
                        }
                    }
                    Op::BNOT => {
                        let b = *r!(i.b());
                        if b.tag == tag::INT {
                            put_int(r!(i.a()), !b.raw_int());
                        } else {
                            slow_value!(
                                i,
                                (*vm).arith(Event::BNot, b, b, [Operand::Register(i.b()); 2])
                            );
                        }
                    }
                    Op::NOT => {
                        let v = Val::bool(!(*r!(i.b())).truthy());
                        put(r!(i.a()), v);
                    }
                    Op::LEN => {
                        let b = *r!(i.b());
                        if b.tag == tag::TABLE && b.raw_gc::<Table>().meta.is_null() {
                            put_int(r!(i.a()), b.raw_gc::<Table>().border());
                        } else if b.tag == tag::STR {
                            put_int(r!(i.a()), b.raw_gc::<Str>().len() as i64);
                        } else {
                            slow_value!(i, (*vm).length(b, Operand::Register(i.b())));
                        }
                    }
                    Op::LENF => {
                        let b = *r!(i.b());
                        if b.tag == tag::TABLE && b.raw_gc::<Table>().meta.is_null() {
                            put_float(r!(i.a()), b.raw_gc::<Table>().border() as f64);
                        } else {
                            slow_value!(i, (*vm).length(b, Operand::Register(i.b())));
                        }
                    }
                    Op::MODF => {
                        let (b, c): (*const Val, *const Val) = (r!(i.b()), r!(i.c()));
                        if (*b).tag == tag::FLOAT && (*c).tag == tag::FLOAT {
                            let (x, y) = ((*b).raw_float(), (*c).raw_float());
                            put_float(r!(i.a()), number::float_mod_by_floor(x, y));
                        } else {
                            let (b, c) = (*b, *c);
                            slow_value!(i, (*vm).arith(Event::Mod, b, c, regs!(i)));
                        }
                    }
                    Op::CONCAT => {
                        save!();
                        let at = frame!().base as usize + i.a();
                        match (*vm).concat(at, i.b())? {
                            Next::Run => {}
                            next => return Ok(next),
                        }
                    }

                    Op::CLOSE => {
                        let from = frame!().base + i.a() as u32;
                        if let Some(slot) = pending_close(&*(*vm).current, from) {
                            // Come back to this instruction after the call.
                            pc = pc.sub(1);
                            save!();
                            return (*vm).close_next(slot);
                        }
                        (*vm).close_boxes(from as usize);
                    }
                    Op::TBC => {
                        save!();
                        (*vm).mark_to_be_closed(i.a())?;
                    }
                    Op::JMP => pc = pc.offset(i.sj() as isize),
                    Op::LOOP => {
                        pc = pc.offset(i.sj() as isize);
                        back_edge!(-i.sj() as i64);
                    }

                    Op::EQ => {
                        let (a, b): (*const Val, *const Val) = (r!(i.a()), r!(i.b()));
                        if (*a).tag == tag::STR && (*a).payload != (*b).payload {
                            (*vm).charge_equality(*a, *b);
                        }
                        if (*a).raw_eq(*b) {
                            conditional!(i, true);
                        } else if (*a).tag == (*b).tag
                            && ((*a).tag == tag::TABLE || (*a).tag == tag::USERDATA)
                        {
                            let (a, b) = (*a, *b);
                            slow_condition!(i, (*vm).equals(a, b));
                        } else {
                            conditional!(i, false);
                        }
                    }
                    Op::LT => compare!(i, Lt, <),
                    Op::LE => compare!(i, Le, <=),
                    Op::EQK => {
                        let (a, b): (*const Val, *const Val) = (r!(i.a()), kc!(i.b()));
                        if (*a).tag == tag::STR
                            && (*a).payload != (*b).payload
                            && !(*a).raw_gc::<Str>().is_interned()
                        {
                            (*vm).charge_equality(*a, *b);
                        }
                        conditional!(i, (*a).raw_eq(*b));
                    }
                    Op::EQI => {
                        let a: *const Val = r!(i.a());
                        let imm = i.sb() as i64;
                        let holds = if (*a).tag == tag::INT {
                            (*a).raw_int() == imm
                        } else {
                            (*a).tag == tag::FLOAT && (*a).raw_float() == imm as f64
                        };
                        conditional!(i, holds);
                    }
                    Op::LTI => compare_immediate!(i, <, Lt, false),
                    Op::LEI => compare_immediate!(i, <=, Le, false),
                    Op::GTI => compare_immediate!(i, >, Lt, true),
                    Op::GEI => compare_immediate!(i, >=, Le, true),
                    Op::TEST => conditional!(i, (*r!(i.a())).truthy()),
                    Op::TESTSET => {
                        let b = r!(i.b());
                        if (*b).truthy() == (i.c() != 0) {
                            set(r!(i.a()), b);
                            let word = *pc;
                            pc = pc.offset(1 + word.sj() as isize);
                            if word.0 as u8 == Op::LOOP as u8 {
                                back_edge!(-word.sj() as i64);
                            }
                        } else {
                            pc = pc.add(1);
                        }
                    }

                    Op::CALL => {
                        let th = (*vm).current;
                        let ra = r!(i.a());
                        let b = i.b();
                        let nargs = if b != 0 {
                            b - 1
                        } else {
                            (*th).stack.add((*th).top as usize).offset_from(ra) as usize - 1
                        };
                        let f = frame!();
                        charge_line!(f);
                        if HOOKED {
                            let func = ra.offset_from((*th).stack) as u32;
                            (*th).top = func + 1 + nargs as u32;
                            return Ok(Next::Call {
                                func,
                                nargs: nargs as u32,
                                nresults: i.c() as i16 - 1,
                                flags: 0,
                            });
                        }
                        if (*ra).tag == tag::LCLOSURE {
                            let callee = (*ra).payload as *const LuaClosure;
                            let p = (*callee).proto;
                            let func = ra.offset_from((*th).stack) as usize;
                            let registers = (*p).max_stack as usize;
                            if !(*p).is_vararg
                                && func + registers + 2 < (*th).stack_size as usize
                                && (*th).frame_count < (*th).frame_capacity
                            {
                                let new_base = ra.add(1);
                                let mut n = nargs;
                                while n < (*p).num_params as usize {
                                    (*new_base.add(n)).tag = tag::NIL;
                                    n += 1;
                                }
                                let code = (*p).code;
                                *(*th).frames.add((*th).frame_count as usize) = Frame {
                                    pc: code,
                                    func: func as u32,
                                    base: func as u32 + 1,
                                    nresults: i.c() as i16 - 1,
                                    flags: 0,
                                    extra: 0,
                                };
                                (*th).frame_count += 1;
                                pc = code;
                                base = new_base;
                                cl = callee;
                                k = (*p).constants;
                                if (*vm).heap.fuel < 0 {
                                    return Ok(Next::SafePoint);
                                }
                                continue;
                            }
                            (*vm).push_lua_frame(func as u32, nargs as u32, i.c() as i16 - 1, 0)?;
                            load!();
                            if (*vm).heap.fuel < 0 {
                                return Ok(Next::SafePoint);
                            }
                            continue;
                        }
                        let func = ra.offset_from((*th).stack) as usize;
                        let wanted = i.c() as i16 - 1;
                        if (*ra).tag == tag::NATIVE || (*ra).tag == tag::NCLOSURE {
                            let def = if (*ra).tag == tag::NATIVE {
                                &*((*ra).payload as *const crate::function::NativeDef)
                            } else {
                                (*((*ra).payload as *const crate::function::NativeClosure)).def
                            };
                            let top = func + 1 + nargs;
                            (*th).top = top as u32;
                            (*vm).native = func as u32;
                            if top + NATIVE_SLOTS > (*th).stack_size as usize {
                                (*vm).grow_stack(top + NATIVE_SLOTS)?;
                            }
                            let mut ctx = Ctx {
                                vm: &mut *vm,
                                func,
                                base: func + 1,
                                nargs,
                                results: top,
                                status: Status::Ok,
                            };
                            let action = (def.run)(&mut ctx)?;
                            let kept = ctx.nargs as u32;
                            (*vm).native = NO_NATIVE;
                            if let Action::Return(n) = action {
                                if (*vm).floats {
                                    (*vm).make_floats(n);
                                }
                                let th = (*vm).current;
                                base = (*th).stack.add(frame!().base as usize);
                                let to = (*th).stack.add(func);
                                let from = (*th).stack.add(((*th).top - n) as usize);
                                if n == 1 && wanted == 1 {
                                    set(to, from);
                                } else if wanted < 0 {
                                    for j in 0..n as usize {
                                        set(to.add(j), from.add(j));
                                    }
                                    (*th).top = func as u32 + n;
                                } else {
                                    for j in 0..wanted as usize {
                                        if j < n as usize {
                                            set(to.add(j), from.add(j));
                                        } else {
                                            put(to.add(j), Val::NIL);
                                        }
                                    }
                                }
                                continue;
                            }
                            (*vm).native_nargs = kept;
                            if (*vm).quick_switch(action, func as u32, wanted) {
                                load!();
                                continue;
                            }
                            return Ok(Next::Acted {
                                action,
                                func: func as u32,
                                nresults: wanted,
                                flags: 0,
                                framed: false,
                            });
                        }
                        (*th).top = (func + 1 + nargs) as u32;
                        (*vm).native = NO_NATIVE;
                        return Ok(Next::Call {
                            func: func as u32,
                            nargs: nargs as u32,
                            nresults: wanted,
                            flags: 0,
                        });
                    }
                    Op::TAILCALL => {
                        let th = (*vm).current;
                        let func = frame!().base as usize + i.a();
                        let nargs = if i.b() != 0 {
                            i.b() - 1
                        } else {
                            (*th).top as usize - func - 1
                        };
                        let f = frame!();
                        charge_line!(f);
                        if (*r!(i.a())).tag != tag::LCLOSURE {
                            // Natives and callable values: an ordinary call, whose results the RETURN behind it returns.
                            (*th).top = (func + 1 + nargs) as u32;
                            return Ok(Next::Call {
                                func: func as u32,
                                nargs: nargs as u32,
                                nresults: -1,
                                flags: 0,
                            });
                        }
                        let frame = *f;
                        if i.c() != 0 {
                            (*vm).close_boxes(frame.base as usize);
                        }
                        for j in 0..=nargs {
                            set(
                                (*th).stack.add(frame.func as usize + j),
                                (*th).stack.add(func + j),
                            );
                        }
                        (*th).top = frame.func + 1 + nargs as u32;
                        (*th).frame_count -= 1;
                        (*vm).push_lua_frame(
                            frame.func,
                            nargs as u32,
                            frame.nresults,
                            frame.flags | TAIL,
                        )?;
                        if HOOKED {
                            return Ok(Next::Entered);
                        }
                        load!();
                        if (*vm).heap.fuel < 0 {
                            return Ok(Next::SafePoint);
                        }
                    }
                    Op::RETURN => {
                        let th = (*vm).current;
                        let f = frame!();
                        let mut n = if i.b() != 0 {
                            i.b() - 1
                        } else {
                            (*th).stack.add((*th).top as usize).offset_from(r!(i.a())) as usize
                        };
                        if i.c() != 0 {
                            if let Some(slot) = pending_close(&*th, f.base) {
                                if i.b() != 0 {
                                    (*th).top = f.base + (i.a() + n) as u32;
                                }
                                pc = pc.sub(1);
                                save!();
                                return (*vm)
                                    .close_before_return(slot, f.base + (i.a() + n) as u32);
                            }
                            (*vm).close_boxes(f.base as usize);
                        }
                        if HOOKED && (*vm).hooks_return() {
                            save!();
                            return (*vm).hook_return(i.a(), n);
                        }
                        charge_line!(f);
                        let frame = *f;
                        (*th).frame_count -= 1;
                        let from = r!(i.a());
                        if frame.flags & SLOW_RETURN != 0 {
                            (*th).top = from.offset_from((*th).stack) as u32 + n as u32;
                            return Ok(Next::Returned {
                                func: frame.func,
                                n: n as u32,
                                nresults: frame.nresults,
                                flags: frame.flags,
                            });
                        }
                        let to = (*th).stack.add(frame.func as usize);
                        let wanted = frame.nresults;
                        if wanted < 0 {
                            for j in 0..n {
                                set(to.add(j), from.add(j));
                            }
                            (*th).top = frame.func + n as u32;
                        } else {
                            n = n.min(wanted as usize);
                            for j in 0..n {
                                set(to.add(j), from.add(j));
                            }
                            for j in n..wanted as usize {
                                put(to.add(j), Val::NIL);
                            }
                        }
                        load!();
                        if HOOKED {
                            (*vm).note_return();
                        }
                    }
                    Op::RETURN0 => {
                        if HOOKED && (*vm).hooks_return() {
                            save!();
                            return (*vm).hook_return(i.a(), 0);
                        }
                        let th = (*vm).current;
                        let f = frame!();
                        charge_line!(f);
                        let frame = *f;
                        (*th).frame_count -= 1;
                        if frame.flags & SLOW_RETURN != 0 {
                            return Ok(Next::Returned {
                                func: frame.func,
                                n: 0,
                                nresults: frame.nresults,
                                flags: frame.flags,
                            });
                        }
                        let to = (*th).stack.add(frame.func as usize);
                        if frame.nresults < 0 {
                            (*th).top = frame.func;
                        } else {
                            for j in 0..frame.nresults as usize {
                                put(to.add(j), Val::NIL);
                            }
                        }
                        load!();
                        if HOOKED {
                            (*vm).note_return();
                        }
                    }
                    Op::RETURN1 => {
                        if HOOKED && (*vm).hooks_return() {
                            save!();
                            return (*vm).hook_return(i.a(), 1);
                        }
                        let th = (*vm).current;
                        let f = frame!();
                        charge_line!(f);
                        let frame = *f;
                        let from = r!(i.a());
                        (*th).frame_count -= 1;
                        if frame.flags & SLOW_RETURN != 0 {
                            (*th).top = from.offset_from((*th).stack) as u32 + 1;
                            return Ok(Next::Returned {
                                func: frame.func,
                                n: 1,
                                nresults: frame.nresults,
                                flags: frame.flags,
                            });
                        }
                        let to = (*th).stack.add(frame.func as usize);
                        if frame.nresults == 1 {
                            set(to, from);
                        } else if frame.nresults < 0 {
                            set(to, from);
                            (*th).top = frame.func + 1;
                        } else if frame.nresults > 0 {
                            set(to, from);
                            for j in 1..frame.nresults as usize {
                                put(to.add(j), Val::NIL);
                            }
                        }
                        load!();
                        if HOOKED {
                            (*vm).note_return();
                        }
                    }

                    Op::FORPREP => {
                        let ra = r!(i.a());
                        let (start, limit, step) = (*ra, *ra.add(1), *ra.add(2));
                        save!();
                        match (*vm).prepare_loop(start, limit, step)? {
                            None => pc = pc.add(i.bx()),
                            Some([start, count, step]) => {
                                put(ra, start);
                                put(ra.add(1), count);
                                put(ra.add(2), step);
                                put(ra.add(3), start);
                            }
                        }
                    }
                    Op::FORLOOP => {
                        let ra = r!(i.a());
                        if (*ra.add(2)).tag == tag::INT {
                            let count = (*ra.add(1)).payload;
                            if count == 0 {
                                continue;
                            }
                            let next = (*ra).raw_int().wrapping_add((*ra.add(2)).raw_int());
                            (*ra.add(1)).payload = count - 1;
                            (*ra).payload = next as u64;
                            put_int(ra.add(3), next);
                        } else {
                            let step = (*ra.add(2)).raw_float();
                            let next = (*ra).raw_float() + step;
                            let limit = (*ra.add(1)).raw_float();
                            let goes_on = if step > 0.0 {
                                next <= limit
                            } else {
                                limit <= next
                            };
                            if !goes_on {
                                continue;
                            }
                            (*ra).payload = next.to_bits();
                            put_float(ra.add(3), next);
                        }
                        pc = pc.sub(i.bx());
                        back_edge!(i.bx() as i64);
                    }
                    Op::TFORPREP => {
                        save!();
                        (*vm).mark_to_be_closed(i.a() + 3)?;
                        pc = pc.add(i.bx());
                    }
                    Op::TFORCALL => {
                        let ra = r!(i.a());
                        if !HOOKED
                            && (*ra).tag == tag::NATIVE
                            && (*ra).payload == &raw const crate::stdlib::NEXT as u64
                            && (*ra.add(1)).tag == tag::TABLE
                            && (*ra.add(1)).raw_gc::<Table>().header.extra == 0
                        {
                            let t: Gc<Table> = (*ra.add(1)).raw_gc();
                            save!();
                            match (*vm).table_next(t, *ra.add(2))? {
                                None => put(ra.add(4), Val::NIL),
                                Some((key, v)) => {
                                    put(ra.add(4), key);
                                    put(ra.add(5), v);
                                    for j in 2..i.c() {
                                        put(ra.add(4 + j), Val::NIL);
                                    }
                                }
                            }
                            continue;
                        }
                        set(ra.add(4), ra);
                        set(ra.add(5), ra.add(1));
                        set(ra.add(6), ra.add(2));
                        let th = (*vm).current;
                        let func = ra.add(4).offset_from((*th).stack) as u32;
                        let f = frame!();
                        charge_line!(f);
                        if !HOOKED && (*ra.add(4)).tag == tag::LCLOSURE {
                            (*vm).push_lua_frame(func, 2, i.c() as i16, 0)?;
                            load!();
                            continue;
                        }
                        (*th).top = func + 3;
                        return Ok(Next::Call {
                            func,
                            nargs: 2,
                            nresults: i.c() as i16,
                            flags: 0,
                        });
                    }
                    Op::TFORLOOP => {
                        let ra = r!(i.a());
                        if !(*ra.add(4)).is_nil() {
                            set(ra.add(2), ra.add(4));
                            pc = pc.sub(i.bx());
                            back_edge!(i.bx() as i64);
                        }
                    }

                    Op::SETLIST => {
                        let th = (*vm).current;
                        let obj = *r!(i.a());
                        let start = (*pc).ax_value() as usize;
                        pc = pc.add(1);
                        save!();
                        if obj.tag != tag::TABLE {
                            // Only a binary chunk can have anything else there.
                            return Err((*vm).index_error(obj, Val::NIL, Operand::None));
                        }
                        let t: Gc<Table> = obj.raw_gc();
                        let at = frame!().base as usize + i.a();
                        let n = if i.b() != 0 {
                            i.b()
                        } else {
                            (*th).top as usize - at - 1
                        };
                        (*vm).set_list(t, start, at + 1, n)?;
                    }
                    Op::CLOSURE => {
                        save!();
                        (*vm).make_closure(cl, i.a(), i.bx())?;
                    }
                    Op::VARARG => {
                        save!();
                        (*vm).copy_varargs(i.a(), i.c() as i32 - 1)?;
                        base = (*(*vm).current).stack.add(frame!().base as usize);
                    }
                    Op::PACKVARARG => {
                        save!();
                        (*vm).pack_varargs(i.a())?;
                    }
                    Op::UNPACKVARARG => {
                        save!();
                        (*vm).unpack_varargs(i.a(), i.b(), i.c() as i32 - 1)?;
                        base = (*(*vm).current).stack.add(frame!().base as usize);
                    }
                    Op::GETVARG => (*vm).get_vararg(i.a(), i.c()),
                    Op::CHECKNEW => {
                        if !(*r!(i.a())).is_nil() {
                            save!();
                            return Err((*vm).already_defined(i.bx()));
                        }
                    }
                    Op::EXTRAARG => unreachable!("an operand word is never executed"),
                }
            }
        }
    }

    /// `R[A] := closure(child n)` with its captures. `R[A]` is written first: a recursive function captures itself.
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
    fn copy_varargs(&mut self, a: usize, wanted: i32) -> Result<(), Thrown> {
        let Some(frame) = self.thread().frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let have = frame.extra as usize;
        let n = if wanted < 0 { have } else { wanted as usize };
        let to = frame.base as usize + a;
        self.ensure_stack(to + n + NATIVE_SLOTS)?;
        self.heap.spend(n as i64);
        let from = frame.base as usize - have;
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
    fn pack_varargs(&mut self, a: usize) -> Result<(), Thrown> {
        let Some(frame) = self.thread().frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let n = frame.extra as usize;
        let t = self.new_table()?;
        let base = frame.base as usize;
        self.thread_mut().set(base + a, Val::table(t));
        self.table_resize(t, n, 1)?;
        self.set_list(t, 0, base - n, n)?;
        self.set_field(t, "n", Val::int(n as i64))
    }

    /// Stores `n` values from stack index `from` into a fresh table, behind `start` entries.
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
            self.table_resize(t, start + n, hash)?;
        }
        for i in 0..n {
            let v = self.thread().get(from + i);
            t.array_slot(start + i).set(v);
            self.barrier_table(t, v);
        }
        Ok(())
    }

    /// Marks a register of the running function as to-be-closed.
    fn mark_to_be_closed(&mut self, a: usize) -> Result<(), Thrown> {
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

    /// As `close_next` from a RETURN, whose values end at `values_end`.
    fn close_before_return(&mut self, slot: u32, values_end: u32) -> Result<Next, Thrown> {
        // The call is placed right behind the values: its end puts the top back there, where the RETURN looks. Values that
        // a RETURN counts itself may lie below the variables still to be closed: these stay where they are.
        self.thread_mut().to_close.pop();
        self.begin_close(slot, Val::NIL, values_end.max(slot + 1), 0)
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

/// The innermost pending to-be-closed variable at or above a stack index.
#[inline(always)]
fn pending_close(t: &crate::thread::Thread, from: u32) -> Option<u32> {
    t.to_close.last().copied().filter(|slot| *slot >= from)
}
