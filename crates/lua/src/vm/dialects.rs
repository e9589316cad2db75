//! What calls, errors and coroutines do differently in some versions.
//!
//! **Invariant:** a frame whose flags have `VIA_CALL` keeps in `nresults` the results wanted and the number of `__call`
//! metamethods that led to it, which `debug.getinfo` tells as its `extraargs`; [`wanted_results`] takes them apart. Such
//! frames exist from 5.5 on only, and returning from them takes the slow path.

use super::call::Next;
use super::debug::Activation;
use super::{Event, Vm};
use crate::chunk::Constant;
use crate::dialect::Dialect;
use crate::function::Proto;
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Status, Thrown, to_number};
use crate::number::{self, Number};
use crate::string::MAX_INTERNED;
use crate::thread::frame_flags::{BOUNDARY, VIA_CALL};
use crate::thread::{Thread, ThreadState};
use crate::value::Val;
use std::collections::HashMap;
use std::sync::Arc;

/// `__call` metamethods that are values with a `__call` metamethod.
const MAX_CALL_CHAIN: u16 = 2000;
/// The same from 5.5 on, and one: the next is the error.
const MAX_COUNTED_CHAIN: u16 = 16;
/// Where the count begins in `nresults`, above any number of results that an instruction can want.
const CHAIN_SHIFT: u32 = 9;

/// The results that a frame's caller wants.
pub(super) fn wanted_results(nresults: i16, flags: u16) -> i16 {
    match flags & VIA_CALL {
        0 => nresults,
        _ => (nresults & ((1 << CHAIN_SHIFT) - 1)) - 1,
    }
}

/// The smallest `n` for which `step * n` modulo `modulus` lies between `low` and `high`, as Euclid's algorithm finds it:
/// where no multiple lies there before the first wrap, the question is the same for the remainders modulo the step.
/// `modulus` is at most 2^64, `low` at least 1, `step` below the modulus.
fn first_multiple_within(step: u128, modulus: u128, low: u128, high: u128) -> Option<u128> {
    if low > high || step == 0 {
        return None;
    }
    if 2 * step > modulus {
        // The same backwards.
        return first_multiple_within(modulus - step, modulus, modulus - high, modulus - low);
    }
    let first = low.div_ceil(step);
    if first * step <= high {
        return Some(first);
    }
    let wraps = first_multiple_within(
        (step - modulus % step) % step,
        step,
        low % step,
        high % step,
    )?;
    Some((low + modulus * wraps).div_ceil(step))
}

impl Vm {
    /// Strict mode: equal long string constants of a function and one inside it are one object, as `%p` shows.
    pub(super) fn share_long_constants(&mut self, parent: &Proto, child: Gc<Proto>) {
        let ours = &parent.function.constants;
        let theirs = &child.function.constants;
        self.heap.spend(((ours.len() + theirs.len()) / 16) as i64);
        let long = |constant: &Constant| match constant {
            Constant::Str(text) if text.len() > MAX_INTERNED => {
                Some(Arc::as_ptr(text).cast::<u8>())
            }
            _ => None,
        };
        if theirs.iter().all(|constant| long(constant).is_none()) {
            return;
        }
        let known: HashMap<_, _> = ours
            .iter()
            .enumerate()
            .filter_map(|(i, constant)| Some((long(constant)?, i)))
            .collect();
        for (i, constant) in theirs.iter().enumerate() {
            if let Some(&at) = long(constant).and_then(|text| known.get(&text)) {
                let v = parent.constants()[at];
                child.set_constant(i, v);
                self.barrier(child.header(), v);
            }
        }
    }

    /// As `prepare_loop`, for 5.3: a step of zero is no error (it loops while the limit is at or below the start), and an
    /// integer loop whose next value overflows wraps around and goes on.
    #[cold]
    pub(super) fn prepare_old_loop(
        &mut self,
        start: Val,
        limit: Val,
        step: Val,
    ) -> Result<Option<[Val; 3]>, Thrown> {
        let float = |v: Val| to_number(v).map(Number::to_f64);
        if let (Some(mut i), Some(s)) = (start.as_int(), step.as_int()) {
            let last = match to_number(limit) {
                Some(Number::Int(last)) => last,
                Some(Number::Float(f)) => match number::clip_loop_limit(f, s >= 0) {
                    Some(last) => last,
                    // With a step of zero the reference's way of not running at all is to run from 0 on.
                    None if s == 0 => {
                        i = 0;
                        i64::MIN
                    }
                    None => return Ok(None),
                },
                None => return Err(self.loop_error("limit", limit)),
            };
            if if s > 0 { i > last } else { i < last } {
                return Ok(None);
            }
            // The loop ends with the first value beyond the limit, be it after having wrapped around: at one of these
            // distances from the start, counted in the direction of the step.
            let (nearest, farthest) = match s > 0 {
                true => (i128::from(last) + 1 - i128::from(i), i64::MAX.abs_diff(i)),
                false => (i128::from(i) + 1 - i128::from(last), i.abs_diff(i64::MIN)),
            };
            let turns = first_multiple_within(
                u128::from(s.unsigned_abs()),
                1 << 64,
                nearest as u128,
                u128::from(farthest),
            );
            let count = turns.map_or(u64::MAX, |turns| turns as u64 - 1);
            return Ok(Some([Val::int(i), Val::int(count as i64), step]));
        }
        let Some(l) = float(limit) else {
            return Err(self.loop_error("limit", limit));
        };
        let Some(s) = float(step) else {
            return Err(self.loop_error("step", step));
        };
        let Some(i) = float(start) else {
            return Err(self.loop_error("initial value", start));
        };
        // As in 5.1 and 5.2, the first value is one step after what is one step before the start.
        let i = (i - s) + s;
        match if s > 0.0 { i <= l } else { l <= i } {
            true => Ok(Some([Val::float(i), Val::float(l), Val::float(s)])),
            false => Ok(None),
        }
    }

    pub(super) fn max_call_chain(&self) -> u16 {
        match self.dialect >= Dialect::Lua55 {
            true => MAX_COUNTED_CHAIN,
            false => MAX_CALL_CHAIN,
        }
    }

    /// A call at `func` has passed so many `__call` metamethods: its `nresults` with their number in it.
    #[cold]
    pub(super) fn note_call_chain(
        &mut self,
        func: u32,
        passed: u16,
        nresults: i16,
        flags: u16,
    ) -> i16 {
        self.last_call_chain = (func, passed as u8);
        (wanted_results(nresults, flags) + 1) | (passed as i16) << CHAIN_SHIFT
    }

    /// How many arguments `__call` metamethods put in front of those that the function of an activation was called with.
    pub(crate) fn extra_arguments(&self, thread: &Thread, activation: Activation) -> u8 {
        if let Some(frame) = activation.frame.map(|i| &thread.frames()[i]) {
            return match frame.flags & VIA_CALL {
                0 => 0,
                _ => (frame.nresults >> CHAIN_SHIFT) as u8,
            };
        }
        // The running native has no frame: the last chain led to it if it ended at this place and with this function.
        let (func, passed) = self.last_call_chain;
        let called = thread.get(activation.func);
        if passed == 0 || func as usize != activation.func || func + 1 >= thread.top {
            return 0;
        }
        let object = thread.get(activation.func + 1);
        match self.meta_of(object, Event::Call).raw_eq(called) {
            true => passed,
            false => 0,
        }
    }

    /// The error on its way as whoever catches it gets it: from 5.5 on it is never nil.
    pub(super) fn error_object(&mut self) -> Val {
        if self.thrown.is_nil()
            && self.dialect >= Dialect::Lua55
            && let Ok(message) = self.new_str(b"<no error object>")
        {
            self.thrown = Val::str(message);
        }
        self.thrown
    }

    /// Whether the current coroutine may close itself: not while the host, or a native that the reference runs on its C
    /// stack, waits in it for a call.
    pub(crate) fn can_close_itself(&self) -> bool {
        let thread = self.thread();
        let host_waits = thread
            .frames()
            .iter()
            .skip(1)
            .any(|f| f.flags & BOUNDARY != 0);
        let host_called = self.base_is_call && self.current == self.base_thread;
        !(host_waits || host_called)
    }

    /// Ends the current coroutine, which asked for it: no frame of it goes on, its pending variables are closed, and its
    /// resumer gets no values, or the error of the last `__close` that failed.
    pub(super) fn begin_close_itself(&mut self) -> Result<Next, Thrown> {
        self.forget_finalizer();
        let mut co = self.current_gc();
        debug_assert!(co.state == ThreadState::Active);
        co.frame_count = 0;
        self.push_closing_frame(closed_itself)?;
        co.status = Status::Ok;
        co.set(1, Val::NIL);
        Ok(Next::CloseCaught)
    }
}

/// The end of a coroutine that closed itself: no values, or the error of its last `__close` that failed.
fn closed_itself(ctx: &mut Ctx<'_>) -> NativeResult {
    match ctx.status() {
        Status::Ok => ctx.ret0(),
        Status::Error => {
            let error = ctx.result(0);
            Err(ctx.throw(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_multiple_within;

    #[test]
    fn the_first_multiple_is_what_counting_finds() {
        const MODULUS: u128 = 37;
        for step in 0..MODULUS {
            for low in 1..MODULUS {
                for high in 0..MODULUS {
                    let counted =
                        (0..MODULUS).find(|n| (low..=high).contains(&(step * n % MODULUS)));
                    let found = first_multiple_within(step, MODULUS, low, high);
                    assert_eq!(found, counted, "{step} {low} {high}");
                }
            }
        }
        let found = first_multiple_within((1 << 63) - 1, 1 << 64, 2, (1 << 63) - 4);
        assert_eq!(found, Some(5));
    }
}
