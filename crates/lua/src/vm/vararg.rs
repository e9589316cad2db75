//! The extra arguments of a running function, and the table they may be in.
//!
//! **Invariant:** they lie below the registers of the frame on top, `extra` of them, whether there is a table or not.

use super::Vm;
use super::call::NATIVE_SLOTS;
use crate::chunk::Constant;
use crate::native::Thrown;
use crate::value::{Val, tag};

/// More arguments than any stack has: a table that claims more is not believed.
const MAX_CLAIMED: u64 = (i32::MAX / 2) as u64;

impl Vm {
    /// `R[A] := {n = number of varargs, varargs}[R[C]]`
    #[inline(never)]
    pub(super) fn get_vararg(&mut self, a: usize, c: usize) {
        let Some(frame) = self.thread().frames().last().copied() else {
            unreachable!("a Lua frame is on top")
        };
        let (base, count) = (frame.base as usize, u64::from(frame.extra));
        let key = self.thread().get(base + c);
        let index = match key.tag {
            tag::INT => Some(key.raw_int()),
            tag::FLOAT => crate::number::float_to_int(key.raw_float()),
            _ => None,
        };
        let value = match index {
            // Between the extra arguments and the registers is the function.
            Some(index) if (index as u64).wrapping_sub(1) < count => self
                .thread()
                .get(base - 1 - count as usize + index as usize - 1),
            None if key.as_str().is_some_and(|text| text.as_bytes() == b"n") => {
                Val::int(count as i64)
            }
            _ => Val::NIL,
        };
        self.thread_mut().set(base + a, value);
    }

    /// `R[A], ... := R[B][1], ...`: so many as wanted, or (where that is negative) as the table's `n` says.
    #[inline(never)]
    pub(super) fn unpack_varargs(&mut self, a: usize, b: usize, wanted: i32) -> Result<(), Thrown> {
        let base = self.frame_base();
        let Some(table) = self.thread().get(base + b).as_table() else {
            // Only a binary chunk can have anything else there: the parameter cannot be assigned.
            return Err(self.throw_str("vararg table is not a table"));
        };
        let key = Val::str(self.new_str(b"n")?);
        let claimed = table.get(self.heap.hash_key, key);
        let have = match claimed.tag {
            tag::INT if claimed.raw_int() as u64 <= MAX_CLAIMED => claimed.raw_int() as usize,
            _ => return Err(self.throw_str("vararg table has no proper 'n'")),
        };
        let n = if wanted < 0 { have } else { wanted as usize };
        let to = base + a;
        self.ensure_stack(to + n + NATIVE_SLOTS)?;
        self.heap.spend(n as i64);
        for i in 0..n {
            let value = match i < have {
                true => table.get_int(i as i64 + 1),
                false => Val::NIL,
            };
            self.thread_mut().set(to + i, value);
        }
        if wanted < 0 {
            self.thread_mut().top = (to + n) as u32;
        }
        Ok(())
    }

    /// String constant `at` of the running function.
    fn running_constant(&self, at: usize) -> Option<Vec<u8>> {
        let thread = self.thread();
        let frame = thread.frames().last()?;
        let code = super::debug::traceback::frame_code(thread, frame.func as usize)?;
        match code.constants.get(at)? {
            Constant::Str(text) => Some(text.to_vec()),
            _ => None,
        }
    }

    /// The error of declaring a global that there is already.
    #[cold]
    pub(super) fn already_defined(&mut self, name: usize) -> Thrown {
        let name = name
            .checked_sub(1)
            .and_then(|at| self.running_constant(at))
            .unwrap_or_else(|| b"?".to_vec());
        self.native = super::NO_NATIVE;
        let mut text = self.where_is(0);
        for piece in [b"global '".as_slice(), &name, b"' already defined"] {
            text.extend_from_slice(piece);
        }
        self.throw_bytes(&text)
    }
}
