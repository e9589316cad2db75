//! The interpreter: one function for each opcode, and the dispatch from one to the next.
//!
//! | file | what |
//! |---|---|
//! | [`mod@moves`] | loads, moves, captured variables, logic |
//! | [`mod@arith`] | arithmetic and bitwise operations, length, concatenation |
//! | [`mod@index`] | reads and writes of table entries |
//! | [`mod@inherit`] | the same where `__index` and `__newindex` decide |
//! | [`mod@jumps`] | jumps and comparisons |
//! | [`mod@calls`], [`mod@returns`] | calls and returns |
//! | [`mod@switches`] | calls that go to another coroutine |
//! | [`mod@natives`] | natives: what calls and returns need that are no handlers |
//! | [`mod@methods`] | metamethods that are Lua functions, for all the above |
//! | [`mod@loops`] | `for` loops |
//! | [`mod@build`] | new tables, closures, extra arguments |
//!
//! A handler has the machine's registers as its arguments: the VM, the program counter (behind the instruction), the frame's
//! first register, the instruction, the constants, the frame. It ends with `go!`, which fetches the next instruction and
//! calls its handler. In an optimised build (`threaded`, see `build.rs`) that call is the last thing a handler does, and the
//! compiler makes a jump of it: six arguments in six machine registers, one indirect jump an instruction, and
//! nothing of a rare case in the way of a common one. In other builds `go!` returns to a loop in [`Vm::run_lua`].
//!
//! **Invariants**
//! - `base`, `k` and `frame` belong to the top frame of the current coroutine. Whatever may push a frame or grow a
//!   stack saves `pc` first ([`save`]) and goes on with [`resume`], which takes everything from the frame again.
//! - `base[-1]` is the running closure.
//! - `frame.pc` is also the mark up to which straight-line code has been charged: calls and returns charge the
//!   distance from it, back-edges charge their own.
//! - Register, constant and upvalue indices are in range: the compiler's promise (`op`), checked by `compiler::verify`.
//! - A handler leaves the machine by setting `Vm::exit` and returning.
//! - No handler calls another but as its last act: a chain of handlers must not grow the native stack. So what has
//!   variables whose address is taken (a native's `Ctx`, large results) is in functions of its own that are no handlers
//!   and that are not inlined. `crates/cli/tests/machine_code.rs` reads the machine code and fails where a handler is called.
//!
//! PERF: operands are copied field by field (`set`): a 16-byte copy right after an 8-byte and a 1-byte store
//! would wait for the store buffer.

#![cfg_attr(
    threaded,
    allow(
        clippy::pointers_in_nomem_asm_block,
        reason = "the block of `go!` passes an address on and looks at nothing"
    )
)]

mod arith;
mod build;
mod calls;
mod index;
mod inherit;
mod jumps;
mod loops;
mod methods;
mod moves;
mod natives;
mod returns;
mod switches;

use super::Vm;
use super::call::Next;
use super::meta::Outcome;
use crate::function::LuaClosure;
use crate::native::Thrown;
use crate::op::{Instr, Op};
use crate::thread::Frame;
use crate::value::{Val, tag};
pub(in crate::vm) use natives::return_to_native;

/// The code of an opcode.
pub(crate) type Handler = unsafe fn(*mut Vm, *const Instr, *mut Val, Instr, *const Val, *mut Frame);

/// Where each opcode's code is.
pub(crate) type Handlers = [Handler; Op::COUNT];

/// The next instruction: fetches it and calls its handler, the last thing that a handler does.
///
/// PERF: the address of the handler passes through a piece of assembly that differs from place to place (where several are on one
/// line, or in one macro, by name), or the compiler would
/// make one dispatch of all those in a handler, with jumps to it, and one history of what comes next.
macro_rules! go {
    ($vm:expr, $pc:expr, $base:expr, $k:expr, $frame:expr) => {
        $crate::vm::run::go!($vm, $pc, $base, $k, $frame, "end")
    };
    ($vm:expr, $pc:expr, $base:expr, $k:expr, $frame:expr, $place:expr) => {{
        #[cfg(threaded)]
        {
            let pc: *const crate::op::Instr = $pc;
            let i = *pc;
            #[allow(unused_mut)]
            let mut handler = *(*$vm).handlers.as_ptr().add(i.0 as u8 as usize);
            #[cfg(not(miri))]
            std::arch::asm!(
                concat!("/* {0} ", line!(), $place, " */"),
                inout(reg) handler,
                options(pure, nomem, nostack, preserves_flags)
            );
            handler($vm, pc.add(1), $base, i, $k, $frame)
        }
        #[cfg(not(threaded))]
        {
            (*$vm).registers = Some(crate::vm::run::Registers {
                pc: $pc,
                base: $base,
                k: $k,
                frame: $frame,
            })
        }
    }};
}
use go;

/// Defines handlers: the names of the machine's registers, then opcodes and what they do; each goes on with the next
/// instruction at its end.
macro_rules! ops {
    (($vm:ident, $pc:ident, $base:ident, $i:ident, $k:ident, $frame:ident)
     $( $(#[$attr:meta])* $name:ident $([$hooked:ident])? => $body:block )*) => { $(
        $(#[$attr])*
        #[allow(non_snake_case, unused_mut, unused_variables, unused_assignments, unreachable_code)]
        pub(super) unsafe fn $name $(<const $hooked: bool>)? (
            $vm: *mut crate::vm::Vm,
            mut $pc: *const crate::op::Instr,
            mut $base: *mut crate::value::Val,
            $i: crate::op::Instr,
            mut $k: *const crate::value::Val,
            mut $frame: *mut crate::thread::Frame,
        ) {
            // SAFETY: raw pointers into the current coroutine's stacks, valid as the head of `run` says; operand
            // indices are in range by the compiler's promise.
            unsafe {
                $body
                crate::vm::run::go!($vm, $pc, $base, $k, $frame)
            }
        }
    )* };
}
use ops;

/// The value of a result, or the error leaves the machine.
macro_rules! attempt {
    ($vm:ident, $result:expr) => {
        match $result {
            Ok(v) => v,
            Err(thrown) => {
                (*$vm).exit = Err(thrown);
                return;
            }
        }
    };
}
use attempt;

#[inline(always)]
pub(super) unsafe fn set(to: *mut Val, from: *const Val) {
    // SAFETY: the caller's registers and constants are in range.
    unsafe {
        (*to).payload = (*from).payload;
        (*to).tag = (*from).tag;
    }
}
#[inline(always)]
pub(super) unsafe fn put(to: *mut Val, v: Val) {
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

/// The distance in bytes of the value that an operand names, the operand being `shift + 4` bits up in the instruction.
///
/// PERF: one shift and one mask.
#[inline(always)]
fn distance(i: Instr, shift: u32) -> usize {
    const { assert!(size_of::<Val>() == 16) };
    ((i.0 >> shift) & 0xFF0) as usize
}

/// `R[A]`, `R[B]`, `R[C]`, `K[B]`, `K[C]`.
///
/// PERF: the instruction is the fourth argument, so that on x86-64 it is in a register whose second byte, A, can be read at once.
#[inline(always)]
unsafe fn ra(base: *mut Val, i: Instr) -> *mut Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe { base.add(i.a()) }
}
#[inline(always)]
unsafe fn rb(base: *mut Val, i: Instr) -> *mut Val {
    // SAFETY: as above.
    unsafe { base.byte_add(distance(i, 12)) }
}
#[inline(always)]
unsafe fn rc(base: *mut Val, i: Instr) -> *mut Val {
    // SAFETY: as above.
    unsafe { base.byte_add(distance(i, 20)) }
}
#[inline(always)]
unsafe fn kb(k: *const Val, i: Instr) -> *const Val {
    // SAFETY: as above.
    unsafe { k.byte_add(distance(i, 12)) }
}
#[inline(always)]
unsafe fn kc(k: *const Val, i: Instr) -> *const Val {
    // SAFETY: as above.
    unsafe { k.byte_add(distance(i, 20)) }
}

/// The running closure.
#[inline(always)]
unsafe fn closure(base: *mut Val) -> *const LuaClosure {
    // SAFETY: an invariant of the machine.
    unsafe { (*base.sub(1)).payload as *const LuaClosure }
}

/// The constants of the running closure.
#[inline(always)]
unsafe fn constants(base: *mut Val) -> *const Val {
    // SAFETY: an invariant of the machine.
    unsafe { (*(*closure(base)).proto).constants }
}

/// Upvalue `n` of the running closure.
#[inline(always)]
unsafe fn upvalue(base: *mut Val, n: usize) -> *mut Val {
    // SAFETY: the operand is in range (the compiler's promise).
    unsafe { (*closure(base)).upvalue_ptr(n) }
}

#[inline(always)]
unsafe fn save(frame: *mut Frame, pc: *const Instr) {
    // SAFETY: the frame is the running one.
    unsafe { (*frame).pc = pc }
}

/// The state of the machine between two handlers, in builds where each returns to a loop.
#[cfg(not(threaded))]
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    pc: *const Instr,
    base: *mut Val,
    k: *const Val,
    frame: *mut Frame,
}

/// Goes on with the top frame of the current coroutine, whose program counter is saved.
#[inline(always)]
unsafe fn resume(vm: *mut Vm) {
    // SAFETY: the top frame is that of a Lua function.
    unsafe {
        let th = (*vm).current;
        let frame = (*th).frames.add((*th).frame_count as usize - 1);
        let base = (*th).stack.add((*frame).base as usize);
        let k = constants(base);
        go!(vm, (*frame).pc, base, k, frame)
    }
}

/// Leaves the machine for something that it does not do itself.
#[inline(always)]
unsafe fn leave(vm: *mut Vm, next: Result<Next, Thrown>) {
    // SAFETY: `vm` is the running VM.
    unsafe { (*vm).exit = next }
}

/// Charges straight-line code up to `pc` since the last mark: nothing if the mark is further on, from before a back-edge, which has
/// charged the whole loop.
#[inline(always)]
unsafe fn charge_line(vm: *mut Vm, pc: *const Instr, frame: *mut Frame) {
    const { assert!(size_of::<Instr>() == 4) };
    // SAFETY: both are of the running function.
    unsafe {
        let distance = (pc as usize).saturating_sub((*frame).pc as usize);
        (*vm).heap.spend((distance >> 2) as i64);
    }
}

/// Keeps the compiler from unrolling the loop that this is in: most have a few turns, and it would need more registers than
/// a handler has without saving some.
#[inline(always)]
fn not_unrolled() {
    #[cfg(not(miri))]
    // SAFETY: there is no instruction in it.
    unsafe {
        std::arch::asm!("", options(nomem, nostack, preserves_flags))
    }
}

/// Copies `n` values.
#[inline(always)]
pub(super) unsafe fn copy(mut from: *const Val, mut to: *mut Val, mut n: usize) {
    // SAFETY: both places are in stacks of coroutines.
    unsafe {
        while n != 0 {
            not_unrolled();
            set(to, from);
            from = from.add(1);
            to = to.add(1);
            n -= 1;
        }
    }
}

/// Sets what is between two stack slots to nil.
#[inline(always)]
pub(super) unsafe fn clear(mut from: *mut Val, to: *mut Val) {
    // SAFETY: both are in the stack of the running coroutine.
    unsafe {
        while from < to {
            not_unrolled();
            put(from, Val::NIL);
            from = from.add(1);
        }
    }
}

// What several handlers end with.
ops! { (vm, pc, base, i, k, frame)
    /// The slice is used up, or the collector has work to do: before the instruction at `pc`.
    #[cold]
    #[inline(never)]
    safe_point => {
        save(frame, pc);
        return leave(vm, Ok(Next::SafePoint));
    }

    /// Any instruction of a coroutine with a hook.
    hooked_step => {
        let at = pc.sub(1);
        save(frame, at);
        if let Some(next) = attempt!(vm, (*vm).before_instruction(at)) {
            return leave(vm, Ok(next));
        }
        let handler = HOOKED[i.op() as usize];
        return handler(vm, pc, base, i, k, frame);
    }

    EXTRAARG => {
        unreachable!("an operand word is never executed");
    }
}

/// The value of a slow operation goes to `R[A]` of the instruction before the saved `pc`, now or after a metamethod. True: the machine
/// goes on with the frame on top.
#[inline(never)]
unsafe fn slow_value(vm: *mut Vm, i: Instr, outcome: Result<Outcome<Val>, Thrown>) -> bool {
    // SAFETY: the running frame is on top.
    unsafe {
        match outcome {
            Ok(Outcome::Now(v)) => {
                let at = (*vm).frame_base() + i.a();
                (*vm).thread_mut().set(at, v);
                return true;
            }
            Ok(Outcome::Later(next)) => return begin(vm, next),
            Err(thrown) => (*vm).exit = Err(thrown),
        }
        false
    }
}

/// Begins a call of a metamethod, whose arguments are on the stack. True: it is a Lua function, whose frame is on top; else the
/// machine is to be left.
unsafe fn begin(vm: *mut Vm, next: Next) -> bool {
    // SAFETY: the running frame is on top.
    unsafe {
        if let Next::Run = next {
            return true;
        }
        if let Next::Call {
            func,
            nargs,
            nresults,
            flags,
        } = next
            && (*vm).thread().get(func as usize).tag == tag::LCLOSURE
            && (*vm).thread().hook.is_none()
        {
            match (*vm).push_lua_frame(func, nargs, nresults, flags) {
                Ok(()) if (*vm).heap.fuel < 0 => (*vm).exit = Ok(Next::SafePoint),
                Ok(()) => return true,
                Err(thrown) => (*vm).exit = Err(thrown),
            }
            return false;
        }
        (*vm).exit = Ok(next);
        false
    }
}

/// Gives the result of a metamethod to the instruction that called it. The result is as for [`begin`].
#[inline(never)]
unsafe fn finish(vm: *mut Vm, func: u32, result: Val) -> bool {
    // SAFETY: the metamethod's frame is gone, and that of its caller on top.
    unsafe {
        match (*vm).finish_instruction(func, result) {
            Ok(next) => begin(vm, next),
            Err(thrown) => {
                (*vm).exit = Err(thrown);
                false
            }
        }
    }
}

const fn handlers<const HOOKED: bool>() -> Handlers {
    let mut handlers: Handlers = [EXTRAARG; Op::COUNT];
    let mut there = [false; Op::COUNT];
    there[Op::EXTRAARG as usize] = true;
    macro_rules! of {
        ($($module:ident: $($op:ident $(<$hooked:ident>)?)*;)*) => { $( $(
            assert!(!there[Op::$op as usize], "an opcode has two handlers");
            there[Op::$op as usize] = true;
            handlers[Op::$op as usize] = $module::$op $(::<$hooked>)?;
        )* )* };
    }
    of! {
        moves: MOVE LOADI LOADF LOADK LOADKX LOADFALSE LFALSESKIP LOADTRUE LOADNIL GETUPVAL GETUPBOX SETUPBOX NOT;
        index: GETTABUP GETTABLE GETI GETFIELD SETTABUP SETTABUPK SETTABLE SETTABLEK SETI SETIK SETFIELD SETFIELDK SELF;
        arith: ADDI SUBI ADDK SUBK MULK MODK POWK DIVK IDIVK BANDK BORK BXORK SHLK SHRK KADD KSUB KMUL KDIV
            ADD SUB MUL MOD POW DIV IDIV BAND BOR BXOR SHL SHR UNM BNOT LEN LENF MODF CONCAT;
        jumps: JMP LOOP EQ LT LE EQK EQI LTI LEI GTI GEI TEST TESTSET
            NE NLT NLE NEK NEI NLTI NLEI NGTI NGEI NTEST NTESTSET;
        calls: CALL<HOOKED> TAILCALL<HOOKED>;
        returns: RETURN<HOOKED> RETURN0<HOOKED> RETURN1<HOOKED>;
        loops: FORPREP FORLOOP TFORPREP TFORCALL<HOOKED> TFORLOOP;
        build: NEWTABLE SETLIST CLOSURE VARARG PACKVARARG UNPACKVARARG GETVARG CHECKNEW CLOSE TBC;
    }
    let mut op = 0;
    while op < Op::COUNT {
        assert!(there[op], "an opcode has no handler");
        op += 1;
    }
    handlers
}

/// The handlers of a coroutine without a hook.
pub(crate) static PLAIN: Handlers = handlers::<false>();
/// The handlers that `hooked_step` goes on with.
static HOOKED: Handlers = handlers::<true>();
/// The handlers of a coroutine with a hook.
static STEPS: Handlers = [hooked_step; Op::COUNT];

impl Vm {
    /// Runs the Lua frame on top until something else is to be done.
    pub(crate) fn run_lua(&mut self) -> Result<Next, Thrown> {
        let hooked = self.thread().hook.is_some();
        if hooked != self.hooked {
            self.hooked = hooked;
            self.handlers = if hooked { STEPS } else { PLAIN };
        }
        let vm: *mut Vm = self;
        // SAFETY: the frame on top of the current coroutine is that of a Lua function (the caller's promise).
        unsafe {
            resume(vm);
            #[cfg(not(threaded))]
            while let Some(Registers { pc, base, k, frame }) = (*vm).registers.take() {
                let i = *pc;
                (*vm).handlers[i.op() as usize](vm, pc.add(1), base, i, k, frame);
            }
            std::mem::replace(&mut (*vm).exit, Ok(Next::Run))
        }
    }
}
