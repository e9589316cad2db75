//! The instruction set: one table that generates the enum, the decoder, the disassembler's
//! operand descriptions and the documentation.
//!
//! An instruction is one `u32`, little end first:
//!
//! ```text
//!  31      24 23      16 15       8 7        0
//! +----------+----------+----------+----------+
//! |    C     |    B     |    A     |    op    |   ABC
//! |         Bx (u16)    |    A     |    op    |   ABx   (sBx: the same 16 bits, signed)
//! |              sJ (i24)          |    op    |   J     (Ax: the same 24 bits, unsigned)
//! +----------+----------+----------+----------+
//! ```
//!
//! Fields are whole bytes so that decoding is one zero-extending move each. `R[x]` is a register
//! of the running frame, `K[x]` a constant of its function, `Up[x]` an upvalue. A jump offset
//! counts instructions from the one *after* the jump (for a fused compare: after the `JMP` word).
//!
//! **Invariants that the interpreter relies on and the compiler must keep**
//! - every register operand is below the function's `max_stack` (and `A + n` of the ops that take runs);
//! - every `K`, `Up` and child index is in range, and has the kind the op names (a name is a string of at most `MAX_INTERNED` bytes);
//! - a conditional (`EQ` … `NTESTSET`) is always followed by a `JMP` word (forward) or `LOOP` word
//!   (backward), which is executed as part of it when the condition asks for the jump;
//! - a jump to an earlier or the same pc is a `LOOP`, `FORLOOP` or `TFORLOOP`, never a `JMP`:
//!   that is where fuel is charged;
//! - code ends in a `RETURN*`.

/// How many conditions there are, each with an opcode for holding and one for not holding.
const CONDITIONS: u8 = Op::NE as u8 - Op::EQ as u8;

impl Op {
    /// Whether it decides on the jump after it.
    pub const fn is_conditional(self) -> bool {
        self as u8 >= Op::EQ as u8 && self as u8 <= Op::NTESTSET as u8
    }
    /// Of a conditional that jumps if its condition does not hold, the one that jumps if it does; any other opcode as it is.
    pub const fn condition(self) -> Op {
        if self as u8 >= Op::NE as u8 && self as u8 <= Op::NTESTSET as u8 {
            Op::ALL[(self as u8 - CONDITIONS) as usize]
        } else {
            self
        }
    }
}

macro_rules! opcodes {
    ($( $(#[doc = $doc:expr])* $name:ident = $fmt:ident, $sets_a:ident ; )*) => {
        /// Every opcode, in encoding order.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Op { $( $(#[doc = $doc])* $name, )* }

        impl Op {
            /// All opcodes in encoding order.
            pub const ALL: &'static [Op] = &[ $( Op::$name, )* ];
            /// How many opcodes there are.
            pub const COUNT: usize = Op::ALL.len();

            /// The mnemonic, as the disassembler prints it.
            pub const fn name(self) -> &'static str {
                match self { $( Op::$name => stringify!($name), )* }
            }
            /// The operand layout.
            pub const fn format(self) -> Format {
                match self { $( Op::$name => Format::$fmt, )* }
            }
            /// Whether the instruction's result goes to `R[A]` (used to name variables in errors).
            pub const fn sets_a(self) -> bool {
                match self { $( Op::$name => opcodes!(@bool $sets_a), )* }
            }
            /// What the opcode does, in one line.
            pub const fn doc(self) -> &'static str {
                match self { $( Op::$name => concat!($($doc),*), )* }
            }
        }
    };
    (@bool yes) => { true };
    (@bool no) => { false };
}

/// The operand layout of an opcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Three byte operands.
    ABC,
    /// `A` and an unsigned 16-bit operand.
    ABx,
    /// `A` and a signed 16-bit operand.
    AsBx,
    /// A signed 24-bit jump.
    J,
    /// An unsigned 24-bit operand.
    Ax,
}

opcodes! {
    /// R[A] := R[B]
    MOVE = ABC, yes;
    /// R[A] := sBx (an integer)
    LOADI = AsBx, yes;
    /// R[A] := sBx (as a float)
    LOADF = AsBx, yes;
    /// R[A] := K[Bx]
    LOADK = ABx, yes;
    /// R[A] := K[Ax of the next word, an EXTRAARG]
    LOADKX = ABC, yes;
    /// R[A] := false
    LOADFALSE = ABC, yes;
    /// R[A] := false; skip the next instruction
    LFALSESKIP = ABC, yes;
    /// R[A] := true
    LOADTRUE = ABC, yes;
    /// R[A], R[A+1], ..., R[A+B] := nil
    LOADNIL = ABC, yes;

    /// R[A] := Up[B], an upvalue captured by value (its variable is never assigned after capture)
    GETUPVAL = ABC, yes;
    /// R[A] := *Up[B], an upvalue captured by reference
    GETUPBOX = ABC, yes;
    /// *Up[B] := R[A]
    SETUPBOX = ABC, no;

    /// R[A] := Up[B][K[C]], Up[B] by value, K[C] a name
    GETTABUP = ABC, yes;
    /// R[A] := R[B][R[C]]
    GETTABLE = ABC, yes;
    /// R[A] := R[B][C], C an integer from 0 to 255
    GETI = ABC, yes;
    /// R[A] := R[B][K[C]], K[C] a name
    GETFIELD = ABC, yes;

    /// Up[A][K[B]] := R[C], Up[A] by value, K[B] a name
    SETTABUP = ABC, no;
    /// Up[A][K[B]] := K[C]
    SETTABUPK = ABC, no;
    /// R[A][R[B]] := R[C]
    SETTABLE = ABC, no;
    /// R[A][R[B]] := K[C]
    SETTABLEK = ABC, no;
    /// R[A][B] := R[C], B an integer from 0 to 255
    SETI = ABC, no;
    /// R[A][B] := K[C], B an integer from 0 to 255
    SETIK = ABC, no;
    /// R[A][K[B]] := R[C], K[B] a name
    SETFIELD = ABC, no;
    /// R[A][K[B]] := K[C], K[B] a name
    SETFIELDK = ABC, no;

    /// R[A] := {}; B is 0 or 1 + ceil(log2(hash slots)), C the array slots wanted (255 means 255 or more)
    NEWTABLE = ABC, yes;
    /// R[A+1] := R[B]; R[A] := R[B][K[C]], K[C] a name
    SELF = ABC, yes;

    /// R[A] := R[B] + sC (the event is __add)
    ADDI = ABC, yes;
    /// R[A] := R[B] - sC (the event is __sub)
    SUBI = ABC, yes;
    /// R[A] := R[B] + K[C], a number
    ADDK = ABC, yes;
    /// R[A] := R[B] - K[C], a number
    SUBK = ABC, yes;
    /// R[A] := R[B] * K[C], a number
    MULK = ABC, yes;
    /// R[A] := R[B] % K[C], a number
    MODK = ABC, yes;
    /// R[A] := R[B] ^ K[C], a number
    POWK = ABC, yes;
    /// R[A] := R[B] / K[C], a number
    DIVK = ABC, yes;
    /// R[A] := R[B] // K[C], a number
    IDIVK = ABC, yes;
    /// R[A] := R[B] & K[C], an integer
    BANDK = ABC, yes;
    /// R[A] := R[B] | K[C], an integer
    BORK = ABC, yes;
    /// R[A] := R[B] ~ K[C], an integer
    BXORK = ABC, yes;
    /// R[A] := R[B] << K[C], an integer
    SHLK = ABC, yes;
    /// R[A] := R[B] >> K[C], an integer
    SHRK = ABC, yes;
    /// R[A] := K[B] + R[C], K[B] a number
    KADD = ABC, yes;
    /// R[A] := K[B] - R[C], K[B] a number
    KSUB = ABC, yes;
    /// R[A] := K[B] * R[C], K[B] a number
    KMUL = ABC, yes;
    /// R[A] := K[B] / R[C], K[B] a number
    KDIV = ABC, yes;

    /// R[A] := R[B] + R[C]
    ADD = ABC, yes;
    /// R[A] := R[B] - R[C]
    SUB = ABC, yes;
    /// R[A] := R[B] * R[C]
    MUL = ABC, yes;
    /// R[A] := R[B] % R[C]
    MOD = ABC, yes;
    /// R[A] := R[B] ^ R[C]
    POW = ABC, yes;
    /// R[A] := R[B] / R[C]
    DIV = ABC, yes;
    /// R[A] := R[B] // R[C]
    IDIV = ABC, yes;
    /// R[A] := R[B] & R[C]
    BAND = ABC, yes;
    /// R[A] := R[B] | R[C]
    BOR = ABC, yes;
    /// R[A] := R[B] ~ R[C]
    BXOR = ABC, yes;
    /// R[A] := R[B] << R[C]
    SHL = ABC, yes;
    /// R[A] := R[B] >> R[C]
    SHR = ABC, yes;

    /// R[A] := -R[B]
    UNM = ABC, yes;
    /// R[A] := ~R[B]
    BNOT = ABC, yes;
    /// R[A] := not R[B]
    NOT = ABC, yes;
    /// R[A] := #R[B]
    LEN = ABC, yes;
    /// R[A] := #R[B], a float (5.1, 5.2: a table's `__len` counts from 5.2 on)
    LENF = ABC, yes;
    /// R[A] := R[B] - floor(R[B] / R[C]) * R[C] (5.1, 5.2; the event is __mod)
    MODF = ABC, yes;
    /// R[A] := R[A] .. ... .. R[A+B-1]; B is at least 2
    CONCAT = ABC, yes;

    /// close all upvalues and to-be-closed variables at or above R[A]
    CLOSE = ABC, no;
    /// mark R[A] as to-be-closed
    TBC = ABC, no;
    /// pc += sJ, forward only (sJ is not negative)
    JMP = J, no;
    /// pc += sJ, backward (sJ is negative); charges fuel for the distance
    LOOP = J, no;

    /// if R[A] == R[B] then execute the next word (a jump) else skip it; C is 1
    EQ = ABC, no;
    /// if R[A] < R[B] then execute the next word (a jump) else skip it; C is 1
    LT = ABC, no;
    /// if R[A] <= R[B] then execute the next word (a jump) else skip it; C is 1
    LE = ABC, no;
    /// if R[A] == K[B] then execute the next word (a jump) else skip it; C is 1 (no metamethods)
    EQK = ABC, no;
    /// if R[A] == sB then execute the next word (a jump) else skip it; C is 1 (no metamethods)
    EQI = ABC, no;
    /// if R[A] < sB then execute the next word (a jump) else skip it; C is 1
    LTI = ABC, no;
    /// if R[A] <= sB then execute the next word (a jump) else skip it; C is 1
    LEI = ABC, no;
    /// if R[A] > sB then execute the next word (a jump) else skip it; C is 1 (the event is __lt, operands swapped)
    GTI = ABC, no;
    /// if R[A] >= sB then execute the next word (a jump) else skip it; C is 1 (the event is __le, operands swapped)
    GEI = ABC, no;
    /// if truthy(R[A]) then execute the next word (a jump) else skip it; C is 1
    TEST = ABC, no;
    /// if truthy(R[B]) then R[A] := R[B] and execute the next word (a jump) else skip it; C is 1
    TESTSET = ABC, yes;

    /// as EQ, if the condition does not hold; C is 0
    NE = ABC, no;
    /// as LT, if the condition does not hold; C is 0
    NLT = ABC, no;
    /// as LE, if the condition does not hold; C is 0
    NLE = ABC, no;
    /// as EQK, if the condition does not hold; C is 0
    NEK = ABC, no;
    /// as EQI, if the condition does not hold; C is 0
    NEI = ABC, no;
    /// as LTI, if the condition does not hold; C is 0
    NLTI = ABC, no;
    /// as LEI, if the condition does not hold; C is 0
    NLEI = ABC, no;
    /// as GTI, if the condition does not hold; C is 0
    NGTI = ABC, no;
    /// as GEI, if the condition does not hold; C is 0
    NGEI = ABC, no;
    /// as TEST, if the condition does not hold; C is 0
    NTEST = ABC, no;
    /// as TESTSET, if the condition does not hold; C is 0
    NTESTSET = ABC, yes;

    /// R[A], ..., R[A+C-2] := R[A](R[A+1], ..., R[A+B-1]); B = 0: arguments up to top; C = 0: results set top
    CALL = ABC, yes;
    /// return R[A](R[A+1], ..., R[A+B-1]); B = 0: arguments up to top; C != 0: close upvalues first. Always followed by RETURN A 0 C
    TAILCALL = ABC, yes;
    /// return R[A], ..., R[A+B-2]; B = 0: up to top; C != 0: close upvalues and to-be-closed variables first
    RETURN = ABC, no;
    /// return nothing (nothing to close)
    RETURN0 = ABC, no;
    /// return R[A] (nothing to close)
    RETURN1 = ABC, no;

    /// if the loop runs at all, prepare it: R[A] start, R[A+1] limit, R[A+2] step, R[A+3] the variable; else pc += Bx
    FORPREP = ABx, no;
    /// advance the loop at R[A]; if it goes on, pc -= Bx (charges fuel Bx)
    FORLOOP = ABx, no;
    /// mark R[A+3] as to-be-closed (if it is not nil or false); pc += Bx (to the TFORCALL)
    TFORPREP = ABx, no;
    /// R[A+4], ..., R[A+3+C] := R[A](R[A+1], R[A+2]); always followed by TFORLOOP A
    TFORCALL = ABC, no;
    /// if R[A+4] ~= nil then R[A+2] := R[A+4] and pc -= Bx (charges fuel Bx)
    TFORLOOP = ABx, no;

    /// R[A][start + i] := R[A+i], 1 <= i <= B; B = 0: up to top; start is Ax of the next word, an EXTRAARG (skipped)
    SETLIST = ABC, no;
    /// R[A] := closure(child[Bx]); R[A] is written before the captures are made
    CLOSURE = ABx, yes;
    /// R[A], ..., R[A+C-2] := varargs; C = 0: all of them, results set top
    VARARG = ABC, yes;
    /// R[A] := {n = number of varargs, varargs}
    PACKVARARG = ABC, yes;
    /// R[A], ..., R[A+C-2] := R[B][1], R[B][2], ...; C = 0: R[B].n of them, results set top (R[B] is of PACKVARARG)
    UNPACKVARARG = ABC, yes;
    /// R[A] := {n = number of varargs, varargs}[R[C]], without making the table
    GETVARG = ABC, yes;
    /// unless R[A] is nil, the error that the global K[Bx-1] is already defined; Bx = 0: its name is out of reach
    CHECKNEW = ABx, no;
    /// operand of the previous instruction
    EXTRAARG = Ax, no;
}

/// One encoded instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Instr(pub u32);

impl Instr {
    /// A conditional whose polarity is in C, with the opcode for it.
    pub(crate) const fn with_polarity(self) -> Instr {
        let op = self.op().condition();
        if !op.is_conditional() {
            return self;
        }
        let other = if self.c() == 0 { CONDITIONS } else { 0 };
        Instr(self.0 & !0xFF | (op as u8 + other) as u32)
    }
    /// The largest `Ax`.
    pub const MAX_AX: u32 = (1 << 24) - 1;
    /// The largest forward `sJ`; the most negative is `-MAX_J - 1`.
    pub const MAX_J: i32 = (1 << 23) - 1;

    /// Encodes an ABC instruction.
    pub const fn abc(op: Op, a: u8, b: u8, c: u8) -> Instr {
        Instr(op as u32 | (a as u32) << 8 | (b as u32) << 16 | (c as u32) << 24)
    }
    /// Encodes an ABx instruction.
    pub const fn abx(op: Op, a: u8, bx: u16) -> Instr {
        Instr(op as u32 | (a as u32) << 8 | (bx as u32) << 16)
    }
    /// Encodes an AsBx instruction.
    pub const fn asbx(op: Op, a: u8, sbx: i16) -> Instr {
        Instr::abx(op, a, sbx as u16)
    }
    /// Encodes a jump; `sj` must be within `-MAX_J - 1 ..= MAX_J`.
    pub const fn j(op: Op, sj: i32) -> Instr {
        Instr(op as u32 | (sj as u32) << 8)
    }
    /// Encodes an Ax instruction; `ax` must be at most `MAX_AX`.
    pub const fn ax(op: Op, ax: u32) -> Instr {
        Instr(op as u32 | ax << 8)
    }
    /// The opcode.
    #[inline(always)]
    pub const fn op(self) -> Op {
        let byte = self.0 as u8;
        debug_assert!((byte as usize) < Op::COUNT);
        // SAFETY: instructions are only made by the constructors above, from an `Op`; no other
        // code reaches a chunk (binary chunks are verified when they are loaded).
        unsafe { std::mem::transmute::<u8, Op>(byte) }
    }
    /// Operand A.
    #[inline(always)]
    pub const fn a(self) -> usize {
        (self.0 >> 8) as u8 as usize
    }
    /// Operand B.
    #[inline(always)]
    pub const fn b(self) -> usize {
        (self.0 >> 16) as u8 as usize
    }
    /// Operand C.
    #[inline(always)]
    pub const fn c(self) -> usize {
        (self.0 >> 24) as usize
    }
    /// Operand B, signed.
    #[inline(always)]
    pub const fn sb(self) -> i8 {
        (self.0 >> 16) as i8
    }
    /// Operand C, signed.
    #[inline(always)]
    pub const fn sc(self) -> i8 {
        (self.0 >> 24) as i8
    }
    /// Operand Bx.
    #[inline(always)]
    pub const fn bx(self) -> usize {
        (self.0 >> 16) as usize
    }
    /// Operand sBx.
    #[inline(always)]
    pub const fn sbx(self) -> i16 {
        (self.0 >> 16) as i16
    }
    /// Operand sJ.
    #[inline(always)]
    pub const fn sj(self) -> i32 {
        self.0 as i32 >> 8
    }
    /// Operand Ax.
    #[inline(always)]
    pub const fn ax_value(self) -> u32 {
        self.0 >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_survive_encoding() {
        let i = Instr::abc(Op::CALL, 1, 200, 255);
        assert_eq!((i.op(), i.a(), i.b(), i.c()), (Op::CALL, 1, 200, 255));
        assert_eq!(Instr::abc(Op::ADDI, 0, 0, -5i8 as u8).sc(), -5);
        assert_eq!(Instr::asbx(Op::LOADI, 3, -32768).sbx(), -32768);
        assert_eq!(Instr::j(Op::LOOP, -70_000).sj(), -70_000);
        assert_eq!(
            Instr::ax(Op::EXTRAARG, Instr::MAX_AX).ax_value(),
            Instr::MAX_AX
        );
    }

    #[test]
    fn conditionals_come_in_pairs() {
        for op in Op::ALL.iter().filter(|op| op.is_conditional()) {
            let plain = Instr::abc(op.condition(), 1, 2, 1);
            assert_eq!(plain.with_polarity(), plain);
            let turned = Instr::abc(op.condition(), 1, 2, 0).with_polarity();
            assert_eq!(turned.op().condition(), op.condition());
            assert_ne!(turned.op(), op.condition());
            assert!(turned.op().name().starts_with('N'));
        }
        assert_eq!(Op::NTESTSET.condition(), Op::TESTSET);
        assert!(!Op::CALL.is_conditional() && !Op::LOOP.is_conditional());
    }

    #[test]
    fn every_opcode_is_documented() {
        for (n, op) in Op::ALL.iter().enumerate() {
            assert_eq!(*op as usize, n);
            assert!(!op.doc().is_empty(), "{}", op.name());
        }
    }
}
