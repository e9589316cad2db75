//! Functions in the heap: prototypes (a chunk's function with this VM's constants), closures, captured
//! variables, and native definitions.
//!
//! **Invariants**
//! - `LuaClosure.upvalues[i]` holds the value itself where the chunk says `by_value`, and an `UPBOX` value
//!   where it does not; the instructions that read them rely on it without checking.
//! - `UpBox.location` points into its thread's stack while open, and at its own `closed` field afterwards.
//! - `Proto.code` points into `Proto.function`, which the prototype keeps alive.

use crate::chunk::FunctionCode;
use crate::heap::Header;
use crate::native::{Ctx, NativeResult};
use crate::op::Instr;
use crate::value::Val;
use crate::vm::Vm;
use std::rc::Rc;
use std::sync::Arc;

/// What a call of a native function is charged besides what it charges itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cost {
    /// The work of one call is bounded by a constant.
    Constant,
    /// The function charges by the byte of what it reads or makes, before the work.
    Bytes,
    /// The function charges by the table or stack slot, before the work.
    Slots,
    /// The function charges by the step of an algorithm (match steps, comparisons), as it goes.
    Steps,
    /// A function of the embedding program; it charges what it says.
    Host,
}

/// The common case of a native: from its arguments to its one result (or the first of them, if the last argument says that no
/// other is wanted), [`Val::NOTHING`] for none, or [`Val::UNSUITED`] where this is not
/// the common case; the native is called then as if nothing had been tried. It throws nothing, calls nothing and leaves the
/// coroutine alone. It may allocate, and so collect: its arguments are in registers of the function that runs.
///
/// It is not used where numbers are floats (5.1, 5.2) and in coroutines with a hook.
pub type Quick = fn(&mut Vm, &[Val], bool) -> Val;

/// What a native does that the interpreter can do without entering it: switch between coroutines, as a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Switch {
    /// To the resumer, with its arguments.
    Yield,
    /// To the coroutine that is its first argument, with the others.
    Resume,
    /// To the coroutine that it has captured, with its arguments.
    Wrapped,
    /// To none: it calls its first argument with the others, and catches errors.
    Protected,
    /// To none: the same with its second argument as the message handler.
    Handled,
}

/// A native function: its name for messages, its code, and how its work is charged.
pub struct NativeDef {
    /// The name, as tracebacks show it (`insert`, not `table.insert`).
    pub name: &'static str,
    /// The code.
    pub run: fn(&mut Ctx<'_>) -> NativeResult,
    /// How its work is charged.
    pub cost: Cost,
    /// The common case of it, done where its arguments are.
    pub quick: Option<Quick>,
    /// It does nothing else.
    pub(crate) switch: Option<Switch>,
}

impl NativeDef {
    /// A native without a short way.
    pub const fn new(
        name: &'static str,
        run: fn(&mut Ctx<'_>) -> NativeResult,
        cost: Cost,
    ) -> NativeDef {
        NativeDef {
            name,
            run,
            cost,
            quick: None,
            switch: None,
        }
    }
}

/// A constant: a value, and for a string where it was found as a key last.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ConstantSlot {
    payload: u64,
    tag: u8,
    /// Modulo the number of nodes, the index of the node in the table that this constant was looked up in last. It begins as the
    /// string's hash, which is the main position in any table. Nothing depends on it: the node's key is compared.
    pub(crate) hint: u32,
}

// So that an array of them can be read as one of values.
const _: () = assert!(size_of::<ConstantSlot>() == size_of::<Val>());
const _: () =
    assert!(std::mem::offset_of!(ConstantSlot, payload) == std::mem::offset_of!(Val, payload));
const _: () = assert!(std::mem::offset_of!(ConstantSlot, tag) == std::mem::offset_of!(Val, tag));

impl ConstantSlot {
    pub(crate) fn new(v: Val) -> ConstantSlot {
        ConstantSlot {
            payload: v.payload,
            tag: v.tag,
            hint: match v.as_str() {
                Some(s) if s.is_interned() => s.hash,
                _ => 0,
            },
        }
    }
}

/// A function's code in one VM.
#[repr(C)]
pub struct Proto {
    pub(crate) header: Header,
    pub(crate) code: *const Instr,
    /// An array of `ConstantSlot`.
    pub(crate) constants: *mut Val,
    pub(crate) num_params: u8,
    pub(crate) max_stack: u8,
    pub(crate) is_vararg: bool,
    /// Stack slots that a plain call needs free above the function; more than any stack has where a call is not plain (extra
    /// arguments).
    pub(crate) frame_size: u32,
    pub(crate) constant_count: u32,
    /// Prototypes of the functions inside, made when first needed (null before).
    pub(crate) children: *mut *mut Proto,
    pub(crate) function: Arc<FunctionCode>,
    /// The closure made last, in versions that give it again if the next one would be equal; weak: the collector forgets
    /// it when it visits the prototype first.
    pub(crate) cached: *mut LuaClosure,
    /// Bytes of the whole chunk's code, if this VM compiled it: charged until the last prototype that shares it goes.
    pub(crate) private: Option<Rc<usize>>,
}

/// A Lua function with its captures.
#[repr(C)]
pub struct LuaClosure {
    /// `header.aux` is the number of upvalues.
    pub(crate) header: Header,
    pub(crate) proto: *mut Proto,
    pub(crate) upvalues: [Val; 0],
}

/// A native function with its captures.
#[repr(C)]
pub struct NativeClosure {
    /// `header.aux` is the number of upvalues.
    pub(crate) header: Header,
    pub(crate) def: &'static NativeDef,
    pub(crate) upvalues: [Val; 0],
}

/// A variable captured by reference.
#[repr(C)]
pub struct UpBox {
    pub(crate) header: Header,
    pub(crate) location: *mut Val,
    /// The value when closed; while open, `payload` is the next open box of the thread (lower in the stack).
    pub(crate) closed: Val,
}

impl UpBox {
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        !std::ptr::eq(self.location, &self.closed)
    }
    #[inline(always)]
    pub(crate) fn next_open(&self) -> *mut UpBox {
        self.closed.payload as *mut UpBox
    }
    /// Gives an open box its own copy of the value. It must have been taken off its coroutine's list.
    ///
    /// # Safety
    /// The stack slot is there.
    #[inline(always)]
    pub(crate) unsafe fn close(&mut self) {
        // SAFETY: the caller's promise.
        self.closed = unsafe { *self.location };
        self.location = &raw mut self.closed;
    }
}

impl LuaClosure {
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.header.aux as usize
    }
    #[inline(always)]
    pub(crate) fn upvalue_ptr(&self, n: usize) -> *mut Val {
        // SAFETY: closures are allocated with room for `header.aux` values behind the fixed part; callers
        // stay below it (instructions by the compiler's promise, the debug library by a check).
        unsafe { (self.upvalues.as_ptr() as *mut Val).add(n) }
    }
    #[inline(always)]
    pub(crate) fn proto(&self) -> &Proto {
        // SAFETY: a closure keeps its prototype alive, and it is never null.
        unsafe { &*self.proto }
    }
}

impl NativeClosure {
    /// Capture `n`, nil if there are not so many.
    pub(crate) fn upvalue(&self, n: usize) -> Val {
        match n < self.count() {
            // SAFETY: below the count.
            true => unsafe { *self.upvalue_ptr(n) },
            false => Val::NIL,
        }
    }
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.header.aux as usize
    }
    #[inline(always)]
    pub(crate) fn upvalue_ptr(&self, n: usize) -> *mut Val {
        debug_assert!(n < self.count());
        // SAFETY: as for `LuaClosure::upvalue_ptr`.
        unsafe { (self.upvalues.as_ptr() as *mut Val).add(n) }
    }
}

impl Proto {
    /// Puts another value in the place of a constant that is equal to it.
    pub(crate) fn set_constant(&self, n: usize, v: Val) {
        assert!(n < self.constant_count as usize);
        // SAFETY: as below, and checked.
        unsafe { *(self.constants as *mut ConstantSlot).add(n) = ConstantSlot::new(v) };
    }
    pub(crate) fn constants(&self) -> &[Val] {
        // SAFETY: `constants` has `constant_count` initialised values for the prototype's life.
        unsafe { std::slice::from_raw_parts(self.constants, self.constant_count as usize) }
    }
}
