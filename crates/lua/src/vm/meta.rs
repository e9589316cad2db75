//! Instructions that the interpreter's handlers do not finish themselves: conversions, metamethods, concatenation, comparison.
//!
//! **Invariant:** a metamethod is called from *inside* an instruction: its frame has `META`, the instruction is the
//! one before the caller's saved pc, and [`Vm::finish_instruction`] stores the result where that instruction wants it.
//! The call is placed above everything live (`Thread::extent`), so no register changes before. Metamethods of tables that are
//! Lua functions come here only if they are special in some way: `run::methods` has entered the others.

use super::debug::Operand;
use super::{Event, NO_NATIVE, Vm};
use crate::dialect::Dialect;
use crate::function::NativeDef;
use crate::heap::Gc;
use crate::native::{Action, MAX_NUMERAL, Thrown, to_number};
use crate::number::{self, Number, float_to_int};
use crate::op::Op;
use crate::table::{KIND_FROZEN, KIND_LAYERED, Table};
use crate::thread::frame_flags::META;
use crate::value::{Val, tag};
use crate::vm::call::{NATIVE_SLOTS, Next};
use std::cmp::Ordering;

/// Links of an `__index` or `__newindex` chain that are followed.
const MAX_CHAIN: usize = 2000;

/// Integers that one concatenation writes without making strings of them, and the room for their digits.
const NUMBERS_AT_ONCE: usize = 8;
const DIGITS_AT_ONCE: usize = NUMBERS_AT_ONCE * 20;

/// What a comparison or arithmetic came to: a value now, or a call that will tell.
pub(crate) enum Outcome<T> {
    Now(T),
    Later(Next),
}

impl Vm {
    /// Places the call of a metamethod from inside the current instruction.
    #[inline(always)]
    pub(crate) fn call_meta(
        &mut self,
        f: Val,
        args: &[Val],
        nresults: i16,
    ) -> Result<Next, Thrown> {
        let at = self.thread().extent();
        if at + NATIVE_SLOTS > self.thread().stack_size as usize {
            self.scratch.push(f);
            self.scratch.extend_from_slice(args);
            let room = self.ensure_stack(at + NATIVE_SLOTS);
            self.scratch.truncate(self.scratch.len() - args.len() - 1);
            room?;
        }
        let t = self.thread_mut();
        t.set(at, f);
        for (i, v) in args.iter().enumerate() {
            t.set(at + 1 + i, *v);
        }
        t.top = (at + 1 + args.len()) as u32;
        if self.floats {
            self.make_floats(args.len() as u32);
        }
        Ok(Next::Call {
            func: at as u32,
            nargs: args.len() as u32,
            nresults,
            flags: META,
        })
    }

    /// The metamethod of a binary operation: that of the first operand, or else of the second; nil if there is none.
    #[inline(always)]
    pub(crate) fn operator_method(&self, event: Event, a: Val, b: Val) -> Val {
        let method = self.meta_of(a, event);
        match method.is_nil() {
            true => self.meta_of(b, event),
            false => method,
        }
    }

    /// Calls a metamethod. A native runs here and now: most return at once, and the machine need not be left for them. What
    /// such a one wants instead is left to do ([`Next::Acted`]); so is the call when hooks want to see it.
    pub(crate) fn call_method<const N: usize>(
        &mut self,
        f: Val,
        args: [Val; N],
        nresults: i16,
    ) -> Result<Outcome<Val>, Thrown> {
        self.heap.spend(1);
        if let Some(v) = self.call_quickly(f, &args) {
            return Ok(Outcome::Now(v));
        }
        let next = self.call_meta(f, &args, nresults)?;
        let Next::Call { func, .. } = next else {
            unreachable!("a metamethod is called")
        };
        if !matches!(f.tag, tag::NATIVE | tag::NCLOSURE) || self.thread().hook.is_some() {
            return Ok(Outcome::Later(next));
        }
        let action = self.run_native(f, func, N as u32)?;
        let Action::Return(n) = action else {
            return Ok(Outcome::Later(Next::Acted {
                action,
                func,
                nresults,
                flags: META,
                framed: false,
            }));
        };
        if self.floats {
            self.make_floats(n);
        }
        self.native = NO_NATIVE;
        let base = self.frame_base() as u32;
        let t = self.thread_mut();
        let result = match n {
            0 => Val::NIL,
            n => t.get((t.top - n) as usize),
        };
        // As when an instruction is finished: the live part ends with the frame's registers again.
        t.top = base;
        Ok(Outcome::Now(result))
    }

    /// The value of a metamethod that is a native with a quick form, if that takes the arguments. They are all on the stack too, or reachable
    /// from there.
    #[inline(always)]
    fn call_quickly(&mut self, f: Val, args: &[Val]) -> Option<Val> {
        if f.tag != tag::NATIVE || self.floats || self.thread().hook.is_some() {
            return None;
        }
        // SAFETY: the payload of such a value is the definition of a native.
        let quick = unsafe { (*(f.payload as *const NativeDef)).quick? };
        let v = quick(self, args, true);
        match v.tag {
            tag::UNSUITED => None,
            tag::NOTHING => Some(Val::NIL),
            _ => Some(v),
        }
    }

    /// As [`call_method`](Self::call_method), for a condition.
    fn call_condition(&mut self, f: Val, args: [Val; 2]) -> Result<Outcome<bool>, Thrown> {
        Ok(match self.call_method(f, args, 1)? {
            Outcome::Now(v) => Outcome::Now(v.truthy()),
            Outcome::Later(next) => Outcome::Later(next),
        })
    }

    /// Stores a metamethod's result where the interrupted instruction wants it. `func`: where the call was.
    pub(crate) fn finish_instruction(&mut self, func: u32, result: Val) -> Result<Next, Thrown> {
        // The metamethod, a native perhaps, is done: what allocates from here on does so for the frame on top, all of whose registers
        // the collector is to keep.
        self.native = NO_NATIVE;
        let le_by_lt = self.dialect.le_by_lt();
        let t = self.thread_mut();
        let Some(f) = t.top_frame() else {
            unreachable!("metamethods are called from a Lua frame")
        };
        // SAFETY: the frame is on top; its saved pc is behind an instruction of its function.
        let (frame, instr) = unsafe { (*f, *(*f).pc.sub(1)) };
        let base = frame.base as usize;
        // The live part ends with the frame's registers again: the next metamethod is called there and not above this one.
        t.top = frame.base;
        match instr.op().condition() {
            Op::LE | Op::LEI | Op::GEI if le_by_lt => {
                // Whether it was `__lt` that was called, with the operands swapped, is noted below the call.
                let negated = t.get(func as usize - 1).truthy();
                self.finish_condition((result.truthy() != negated) == (instr.c() != 0));
            }
            Op::EQ | Op::LT | Op::LE | Op::LTI | Op::LEI | Op::GTI | Op::GEI => {
                self.finish_condition(result.truthy() == (instr.c() != 0));
            }
            Op::CONCAT => {
                let left = t.get(func as usize - 1).raw_int() as usize;
                t.set(base + instr.a() + left - 1, result);
                return self.concat(base + instr.a(), left);
            }
            op if op.sets_a() => t.set(base + instr.a(), result),
            _ => {}
        }
        Ok(Next::Run)
    }

    /// The jump behind a conditional: taken or skipped.
    fn finish_condition(&mut self, jump: bool) {
        let t = self.thread_mut();
        let Some(f) = t.top_frame() else {
            unreachable!("a conditional belongs to a Lua frame")
        };
        // SAFETY: the frame is on top; a conditional is followed by a jump word.
        let charge = unsafe {
            let word = *(*f).pc;
            (*f).pc = (*f).pc.add(1);
            if jump {
                (*f).pc = (*f).pc.offset(word.sj() as isize);
            }
            if jump && word.op() == Op::LOOP {
                -word.sj() as i64
            } else {
                0
            }
        };
        self.heap.spend(charge);
    }

    // ---- indexing ----

    /// `obj[key]` with all that can mean. The result goes to register A of the current instruction.
    pub(crate) fn index(
        &mut self,
        obj: Val,
        key: Val,
        operand: Operand,
    ) -> Result<Outcome<Val>, Thrown> {
        let mut obj = obj;
        for link in 0..MAX_CHAIN {
            let handler = if let Some(t) = obj.as_table() {
                if t.header.extra & KIND_LAYERED != 0 {
                    if let Some(v) = self.own_global(key) {
                        return Ok(Outcome::Now(v));
                    }
                    obj = Val::table(t.layered_base());
                    continue;
                }
                self.charge_key(key);
                let v = t.get(self.heap.hash_key, key);
                if !v.is_nil() {
                    return Ok(Outcome::Now(v));
                }
                match Gc::from_nullable(t.meta) {
                    None => return Ok(Outcome::Now(Val::NIL)),
                    Some(meta) => {
                        let h = self.meta_field(meta, Event::Index);
                        if h.is_nil() {
                            return Ok(Outcome::Now(Val::NIL));
                        }
                        h
                    }
                }
            } else {
                let h = self.meta_of(obj, Event::Index);
                if h.is_nil() {
                    return Err(self.index_error(
                        obj,
                        key,
                        if link == 0 { operand } else { Operand::None },
                    ));
                }
                h
            };
            if handler.is_function() {
                return self.call_method(handler, [obj, key], 1);
            }
            self.heap.spend(1);
            obj = handler;
        }
        Err(self.throw_str(self.chain_message(Event::Index)))
    }

    /// A key in the running coroutine's own globals, if it has any and the key is there.
    #[inline]
    pub(crate) fn own_global(&self, key: Val) -> Option<Val> {
        let own = Gc::from_nullable(self.thread().globals)?;
        let v = own.get(self.heap.hash_key, key);
        if v.is_nil() { None } else { Some(v) }
    }

    /// Where a store into a layered environment goes: the app's globals, or the coroutine's own.
    pub(crate) fn layered_target(&self, t: Gc<Table>) -> Gc<Table> {
        match Gc::from_nullable(self.thread().globals) {
            Some(own) if !self.thread().shared_writes => own,
            _ => t.layered_base(),
        }
    }

    /// `obj[key] = v` with all that can mean. `None`: done.
    pub(crate) fn assign(
        &mut self,
        obj: Val,
        key: Val,
        v: Val,
        operand: Operand,
    ) -> Result<Option<Next>, Thrown> {
        self.charge_key(key);
        let mut obj = obj;
        for link in 0..MAX_CHAIN {
            let handler = if let Some(mut t) = obj.as_table() {
                if t.header.extra & (KIND_LAYERED | KIND_FROZEN) != 0 {
                    if t.header.extra & KIND_FROZEN != 0 {
                        return Err(self.throw_str("attempt to modify a read-only table"));
                    }
                    t = self.layered_target(t);
                }
                match Gc::from_nullable(t.meta) {
                    None => return self.table_set(t, key, v).map(|()| None),
                    Some(meta) => {
                        let h = self.meta_field(meta, Event::NewIndex);
                        if h.is_nil() || !t.get(self.heap.hash_key, key).is_nil() {
                            return self.table_set(t, key, v).map(|()| None);
                        }
                        h
                    }
                }
            } else {
                let h = self.meta_of(obj, Event::NewIndex);
                if h.is_nil() {
                    return Err(self.index_error(
                        obj,
                        key,
                        if link == 0 { operand } else { Operand::None },
                    ));
                }
                h
            };
            if handler.is_function() {
                let outcome = self.call_method(handler, [obj, key, v], 0)?;
                return Ok(match outcome {
                    Outcome::Now(_) => None,
                    Outcome::Later(next) => Some(next),
                });
            }
            self.heap.spend(1);
            obj = handler;
        }
        Err(self.throw_str(self.chain_message(Event::NewIndex)))
    }

    /// What is said about a chain of `__index` or `__newindex` that does not end.
    pub(crate) fn chain_message(&self, event: Event) -> &'static str {
        let reads = event == Event::Index;
        if self.dialect < Dialect::Lua53 {
            return if reads {
                "loop in gettable"
            } else {
                "loop in settable"
            };
        }
        match reads {
            true => "'__index' chain too long; possible loop",
            false => "'__newindex' chain too long; possible loop",
        }
    }

    // ---- arithmetic ----

    /// An arithmetic or bitwise operation that its handler does not do itself.
    #[cold]
    #[inline(never)]
    pub(crate) fn arith(
        &mut self,
        event: Event,
        a: Val,
        b: Val,
        on: [Operand; 2],
    ) -> Result<Outcome<Val>, Thrown> {
        if let Some(v) = self.arith_numbers(event, a, b)? {
            return Ok(Outcome::Now(v));
        }
        if self.dialect < Dialect::Lua54
            && let Some(v) = self.arith_strings(event, a, b)?
        {
            return Ok(Outcome::Now(v));
        }
        let handler = self.operator_method(event, a, b);
        if handler.is_nil() {
            return Err(self.arith_error(event, a, b, on));
        }
        self.call_method(handler, [a, b], 1)
    }

    /// Arithmetic on numbers and strings that are numerals, before 5.4 a thing of the language itself: strings count as
    /// floats, but for bitwise operations. `None` if an operand is neither.
    #[cold]
    fn arith_strings(&mut self, event: Event, a: Val, b: Val) -> Result<Option<Val>, Thrown> {
        let (Some(x), Some(y)) = (self.number_of(a), self.number_of(b)) else {
            return Ok(None);
        };
        let bitwise = matches!(
            event,
            Event::BAnd | Event::BOr | Event::BXor | Event::Shl | Event::Shr | Event::BNot
        );
        let value = |n: Number| match n {
            Number::Int(i) if bitwise => Val::int(i),
            n => Val::float(n.to_f64()),
        };
        self.arith_numbers(event, value(x), value(y))
    }

    /// Arithmetic on two numbers; `None` if one is not (or, for bitwise operations, has no integer value).
    pub(crate) fn arith_numbers(
        &mut self,
        event: Event,
        a: Val,
        b: Val,
    ) -> Result<Option<Val>, Thrown> {
        if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
            let v = match event {
                Event::Add => x.wrapping_add(y),
                Event::Sub => x.wrapping_sub(y),
                Event::Mul => x.wrapping_mul(y),
                Event::Mod if y == 0 => return Err(self.throw_str("attempt to perform 'n%0'")),
                Event::Mod => number::int_mod(x, y),
                Event::IDiv if y == 0 => return Err(self.throw_str("attempt to divide by zero")),
                Event::IDiv => number::int_floor_div(x, y),
                Event::Pow => return Ok(Some(Val::float(number::float_pow(x as f64, y as f64)))),
                Event::Div => return Ok(Some(Val::float(x as f64 / y as f64))),
                Event::Unm => x.wrapping_neg(),
                _ => return Ok(bitwise(event, x, y)),
            };
            return Ok(Some(Val::int(v)));
        }
        let (Some(x), Some(y)) = (a.as_number(), b.as_number()) else {
            return Ok(None);
        };
        Ok(match event {
            Event::Add => Some(Val::float(x + y)),
            Event::Sub => Some(Val::float(x - y)),
            Event::Mul => Some(Val::float(x * y)),
            Event::Mod if self.floats => Some(Val::float(number::float_mod_by_floor(x, y))),
            Event::Mod => Some(Val::float(number::float_mod(x, y))),
            Event::IDiv => Some(Val::float(number::float_floor_div(x, y))),
            Event::Pow => Some(Val::float(number::float_pow(x, y))),
            Event::Div => Some(Val::float(x / y)),
            Event::Unm => Some(Val::float(-x)),
            _ => match (strict_int(a), strict_int(b)) {
                (Some(x), Some(y)) => bitwise(event, x, y),
                _ => None,
            },
        })
    }

    /// `#v`.
    #[cold]
    pub(crate) fn length(&mut self, v: Val, on: Operand) -> Result<Outcome<Val>, Thrown> {
        if let Some(s) = v.as_str() {
            return Ok(Outcome::Now(self.script_value(Val::int(s.len() as i64))));
        }
        // In 5.1 the length of a table is its own.
        let handler = match v.tag {
            tag::TABLE if self.dialect < Dialect::Lua52 => Val::NIL,
            _ => self.meta_of(v, Event::Len),
        };
        if !handler.is_nil() {
            return self.call_method(handler, [v, v], 1);
        }
        match v.as_table() {
            Some(t) => {
                let mut t = match t.header.extra & KIND_LAYERED {
                    0 => t,
                    _ => t.layered_base(),
                };
                Ok(Outcome::Now(self.script_value(Val::int(t.border()))))
            }
            None => Err(self.operand_error("get length of", v, on)),
        }
    }

    // ---- comparison ----

    /// `a == b` for values that are not raw-equal and of the same type.
    #[cold]
    pub(crate) fn equals(&mut self, a: Val, b: Val) -> Result<Outcome<bool>, Thrown> {
        if a.tag != b.tag || !matches!(a.tag, tag::TABLE | tag::USERDATA) {
            return Ok(Outcome::Now(false));
        }
        let mut handler = self.meta_of(a, Event::Eq);
        if self.dialect < Dialect::Lua53 {
            // Both must have the same.
            if !handler.raw_eq(self.meta_of(b, Event::Eq)) {
                return Ok(Outcome::Now(false));
            }
        } else if handler.is_nil() {
            handler = self.meta_of(b, Event::Eq);
        }
        if handler.is_nil() {
            return Ok(Outcome::Now(false));
        }
        self.call_condition(handler, [a, b])
    }

    /// `a < b` (`Event::Lt`) or `a <= b` (`Event::Le`) for anything.
    #[inline(never)]
    pub(crate) fn less(&mut self, event: Event, a: Val, b: Val) -> Result<Outcome<bool>, Thrown> {
        if let Some(answer) = self.less_raw(event, a, b) {
            return Ok(Outcome::Now(answer));
        }
        let handler = self.order_method(event, a, b);
        if !self.dialect.le_by_lt() || event == Event::Lt {
            if handler.is_nil() {
                return Err(self.compare_error(a, b));
            }
            return self.call_condition(handler, [a, b]);
        }
        let negated = handler.is_nil();
        let handler = match negated {
            true => self.order_method(Event::Lt, b, a),
            false => handler,
        };
        if handler.is_nil() {
            return Err(self.compare_error(a, b));
        }
        // `finish_instruction` finds it below the call.
        let mark = self.thread().extent();
        self.ensure_stack(mark + NATIVE_SLOTS)?;
        let t = self.thread_mut();
        t.set(mark, Val::bool(negated));
        t.top = mark as u32 + 1;
        let args = if negated { [b, a] } else { [a, b] };
        Ok(match self.call_condition(handler, args)? {
            Outcome::Now(holds) => Outcome::Now(holds != negated),
            later => later,
        })
    }

    /// The metamethod that orders two values; nil if there is none.
    fn order_method(&self, event: Event, a: Val, b: Val) -> Val {
        let handler = self.meta_of(a, event);
        if self.dialect < Dialect::Lua52 {
            // Values of one type that have the same method.
            let same = a.type_of() == b.type_of() && handler.raw_eq(self.meta_of(b, event));
            return if same { handler } else { Val::NIL };
        }
        match handler.is_nil() {
            true => self.meta_of(b, event),
            false => handler,
        }
    }

    /// The order of two numbers or two strings; `None` for anything else.
    #[inline]
    pub(crate) fn less_raw(&mut self, event: Event, a: Val, b: Val) -> Option<bool> {
        if a.is_number() && b.is_number() {
            let order = compare_numbers(a, b);
            return Some(match event {
                Event::Lt => order == Some(Ordering::Less),
                _ => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            });
        }
        let (x, y) = (a.as_str()?, b.as_str()?);
        self.heap.spend((x.len().min(y.len()) / 16) as i64);
        let order = x.as_bytes().cmp(y.as_bytes());
        Some(if event == Event::Lt {
            order == Ordering::Less
        } else {
            order != Ordering::Greater
        })
    }

    // ---- concatenation ----

    /// Concatenates `n` values from stack index `at`; the result goes to `at`. Leaves for a metamethod when needed.
    pub(crate) fn concat(&mut self, at: usize, mut n: usize) -> Result<Next, Thrown> {
        while n > 1 {
            let (a, b) = (self.thread().get(at + n - 2), self.thread().get(at + n - 1));
            if !is_text(a) || !is_text(b) {
                match self.concat_meta(at, n, a, b)? {
                    Outcome::Later(next) => return Ok(next),
                    Outcome::Now(v) => self.thread_mut().set(at + n - 2, v),
                }
                n -= 1;
                continue;
            }
            if let Some(next) = self.concat_long(at, n)? {
                return Ok(next);
            }
            n = self.concat_run(at, n)?;
        }
        Ok(Next::Run)
    }

    /// Joins as many strings and numbers at the end of the run as there are; returns how many values are left.
    fn concat_run(&mut self, at: usize, n: usize) -> Result<usize, Thrown> {
        let mut first = n;
        let mut len = 0usize;
        // Integers are written here, one behind the other, from the last to the first.
        let mut digits = [0u8; DIGITS_AT_ONCE];
        let mut ends = [0usize; NUMBERS_AT_ONCE + 1];
        let mut numbers = 0;
        while first > 0 {
            let v = self.thread().get(at + first - 1);
            if let Some(s) = v.as_str() {
                len = len.saturating_add(s.len());
            } else if !is_text(v) {
                break;
            } else if numbers < NUMBERS_AT_ONCE && v.tag == tag::INT {
                let start = ends[numbers];
                let written = number::write_int(v.raw_int(), &mut digits[start..]);
                numbers += 1;
                ends[numbers] = start + written;
                len += written;
            } else {
                let s = self.number_to_str(v)?;
                self.thread_mut().set(at + first - 1, Val::str(s));
                len = len.saturating_add(s.len());
            }
            first -= 1;
        }
        let mut piece = |vm: &Vm, i: usize| match vm.thread().get(at + i).as_str() {
            Some(s) => s.as_bytes(),
            None => {
                numbers -= 1;
                &digits[ends[numbers]..ends[numbers + 1]]
            }
        };
        let s = match n - first {
            2 => {
                let (a, b) = (piece(self, first), piece(self, first + 1));
                let stack = self.thread();
                match (
                    stack.get(at + first).as_str(),
                    stack.get(at + first + 1).as_str(),
                ) {
                    (Some(whole), _) if b.is_empty() => whole,
                    (_, Some(whole)) if a.is_empty() => whole,
                    _ => self.concat_str(len, &[a, b])?,
                }
            }
            3 => {
                let pieces = [
                    piece(self, first),
                    piece(self, first + 1),
                    piece(self, first + 2),
                ];
                self.concat_str(len, &pieces)?
            }
            _ => {
                let pieces: Vec<&[u8]> = (first..n).map(|i| piece(self, i)).collect();
                self.concat_str(len, &pieces)?
            }
        };
        self.thread_mut().set(at + first, Val::str(s));
        Ok(first + 1)
    }

    #[cold]
    fn concat_meta(&mut self, at: usize, n: usize, a: Val, b: Val) -> Result<Outcome<Val>, Thrown> {
        let handler = self.operator_method(Event::Concat, a, b);
        if handler.is_nil() {
            let base = self.frame_base();
            let (i, v) = if is_text(a) { (n - 1, b) } else { (n - 2, a) };
            return Err(self.operand_error("concatenate", v, Operand::Register(at + i - base)));
        }
        // How many values there are after this step: `finish_instruction` finds it below the call.
        let mark = self.thread().extent();
        self.ensure_stack(mark + NATIVE_SLOTS)?;
        let t = self.thread_mut();
        t.set(mark, Val::int(n as i64 - 1));
        t.top = mark as u32 + 1;
        self.call_method(handler, [a, b], 1)
    }

    /// Stack index of the current Lua frame's first register.
    pub(crate) fn frame_base(&self) -> usize {
        self.thread().frames().last().map_or(0, |f| f.base as usize)
    }

    // ---- loops ----

    /// Checks a numeric loop's values (strings are converted, as the reference does); `None`: the loop does not run. Otherwise the
    /// values to put into its registers: start, iterations left (integers) or limit, step.
    #[cold]
    #[inline(never)]
    pub(crate) fn prepare_loop(
        &mut self,
        start: Val,
        limit: Val,
        step: Val,
    ) -> Result<Option<[Val; 3]>, Thrown> {
        for v in [start, limit, step] {
            let text = v.as_str().map_or(0, |s| s.len());
            self.heap.spend((text.min(MAX_NUMERAL) / 4) as i64);
        }
        if !self.floats && self.dialect < Dialect::Lua54 {
            return self.prepare_old_loop(start, limit, step);
        }
        if let (Some(i), Some(s)) = (start.as_int(), step.as_int()) {
            if s == 0 {
                return Err(self.throw_str("'for' step is zero"));
            }
            let last = match to_number(limit) {
                Some(Number::Int(l)) => l,
                Some(Number::Float(f)) => match number::clip_loop_limit(f, s > 0) {
                    Some(l) => l,
                    None => return Ok(None),
                },
                None => return Err(self.loop_error("limit", limit)),
            };
            if if s > 0 { i > last } else { i < last } {
                return Ok(None);
            }
            let distance = if s > 0 {
                (last as u64).wrapping_sub(i as u64)
            } else {
                (i as u64).wrapping_sub(last as u64)
            };
            let count = if s == 1 || s == -1 {
                distance
            } else {
                distance / s.unsigned_abs()
            };
            return Ok(Some([start, Val::int(count as i64), step]));
        }
        // Before 5.4 the initial value is looked at first.
        if self.dialect < Dialect::Lua54 && self.number_of(start).is_none() {
            return Err(self.loop_error("initial value", start));
        }
        let Some(l) = self.number_of(limit).map(Number::to_f64) else {
            return Err(self.loop_error("limit", limit));
        };
        let Some(s) = self.number_of(step).map(Number::to_f64) else {
            return Err(self.loop_error("step", step));
        };
        let Some(i) = self.number_of(start).map(Number::to_f64) else {
            return Err(self.loop_error("initial value", start));
        };
        if self.floats {
            // The first value is found like the others: by adding the step, to what is one step before the start.
            let i = (i - s) + s;
            // A step of zero runs for ever upwards to a limit that is never reached, or not at all.
            let done = if s > 0.0 { l < i } else { i < l };
            return Ok(
                (!(done || i.is_nan() || l.is_nan() || s.is_nan())).then_some([
                    Val::float(i),
                    Val::float(l),
                    Val::float(s),
                ]),
            );
        }
        if s == 0.0 {
            return Err(self.throw_str("'for' step is zero"));
        }
        if if s > 0.0 { l < i } else { i < l } {
            return Ok(None);
        }
        Ok(Some([Val::float(i), Val::float(l), Val::float(s)]))
    }
}

fn bitwise(event: Event, x: i64, y: i64) -> Option<Val> {
    Some(Val::int(match event {
        Event::BAnd => x & y,
        Event::BOr => x | y,
        Event::BXor => x ^ y,
        Event::Shl => number::shift_left(x, y),
        Event::Shr => number::shift_right(x, y),
        Event::BNot => !x,
        _ => return None,
    }))
}

fn strict_int(v: Val) -> Option<i64> {
    match v.tag {
        tag::INT => Some(v.raw_int()),
        tag::FLOAT => float_to_int(v.raw_float()),
        _ => None,
    }
}

#[inline(always)]
fn is_text(v: Val) -> bool {
    matches!(v.tag, tag::STR | tag::INT | tag::FLOAT)
}

/// The order of two numbers, exact across subtypes; `None` with NaN.
pub(crate) fn compare_numbers(a: Val, b: Val) -> Option<Ordering> {
    match (a.as_int(), b.as_int()) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        (Some(x), None) => compare_int_float(x, b.raw_float()),
        (None, Some(y)) => compare_int_float(y, a.raw_float()).map(Ordering::reverse),
        (None, None) => a.raw_float().partial_cmp(&b.raw_float()),
    }
}

fn compare_int_float(i: i64, f: f64) -> Option<Ordering> {
    if f.is_nan() {
        return None;
    }
    if f >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if f < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    // In range: compare with the floor; a fraction breaks the tie.
    let floor = f.floor();
    Some(i.cmp(&(floor as i64)).then(if f > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}
