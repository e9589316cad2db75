//! Instructions, their lines, constants and registers.

use super::{Generator, MAX_CODE, MAX_REGISTERS, Reg};
use crate::chunk::Constant;
use crate::compiler::Fail;
use crate::compiler::strings::StrId;
use crate::op::{Instr, Op};

/// What makes two constants the same. Floats are compared by their bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ConstantKey {
    Nil,
    Bool(bool),
    Int(i64),
    Float(u64),
    Str(StrId),
}

/// What a constant costs besides the bytes of a string: its place in the table and in the index.
const CONSTANT_BYTES: usize = 64;

impl Generator<'_, '_, '_> {
    /// The position of the next instruction.
    pub(super) fn pc(&self) -> u32 {
        self.fun.code.len() as u32
    }

    /// Appends an instruction at the current line and returns its position.
    pub(super) fn emit(&mut self, instr: Instr) -> Result<u32, Fail> {
        self.budget.spend(1, 8)?;
        if self.fun.code.len() >= MAX_CODE {
            return Err(self.limit("function has too many instructions"));
        }
        self.fun.code.push(instr);
        self.fun.lines.push(self.line);
        Ok(self.fun.code.len() as u32 - 1)
    }

    pub(super) fn emit_abc(&mut self, op: Op, a: u8, b: u8, c: u8) -> Result<u32, Fail> {
        self.emit(Instr::abc(op, a, b, c))
    }

    /// Gives the last instruction another line.
    pub(super) fn fix_line(&mut self, line: u32) {
        if let Some(last) = self.fun.lines.last_mut() {
            *last = line;
        }
    }

    pub(super) fn remove_last_instruction(&mut self) {
        self.fun.code.pop();
        self.fun.lines.pop();
    }

    pub(super) fn instr(&self, pc: u32) -> Instr {
        self.fun.code[pc as usize]
    }

    pub(super) fn set_instr(&mut self, pc: u32, instr: Instr) {
        self.fun.code[pc as usize] = instr;
    }

    pub(super) fn set_a(&mut self, pc: u32, a: u8) {
        let old = self.instr(pc).0;
        self.set_instr(pc, Instr(old & !0xFF00 | u32::from(a) << 8));
    }

    pub(super) fn set_c(&mut self, pc: u32, c: u8) {
        let old = self.instr(pc).0;
        self.set_instr(pc, Instr(old & 0x00FF_FFFF | u32::from(c) << 24));
    }

    /// The last instruction, if code made now always runs right after it.
    pub(super) fn previous(&self) -> Option<Instr> {
        if self.fun.code.len() > self.fun.barrier {
            self.fun.code.last().copied()
        } else {
            None
        }
    }

    /// Sets `count` registers from `from` on to nil.
    pub(super) fn emit_nil(&mut self, from: Reg, count: usize) -> Result<(), Fail> {
        debug_assert!(count > 0 && from as usize + count <= MAX_REGISTERS);
        let (from, end) = (from as usize, from as usize + count);
        if let Some(previous) = self.previous()
            && previous.op() == Op::LOADNIL
        {
            let (start, last) = (previous.a(), previous.a() + previous.b());
            if (start..=last + 1).contains(&from) || (from..=end).contains(&start) {
                let start = start.min(from);
                let last = last.max(end - 1);
                let merged = Instr::abc(Op::LOADNIL, start as u8, (last - start) as u8, 0);
                let pc = self.pc() - 1;
                self.set_instr(pc, merged);
                return Ok(());
            }
        }
        self.emit_abc(Op::LOADNIL, from as u8, (count - 1) as u8, 0)?;
        Ok(())
    }

    pub(super) fn emit_int(&mut self, reg: Reg, value: i64) -> Result<(), Fail> {
        match i16::try_from(value) {
            Ok(small) => self.emit(Instr::asbx(Op::LOADI, reg, small)).map(drop),
            Err(_) => {
                let index = self.constant(ConstantKey::Int(value))?;
                self.emit_constant(reg, index)
            }
        }
    }

    pub(super) fn emit_float(&mut self, reg: Reg, value: f64) -> Result<(), Fail> {
        let small = value as i16;
        if f64::from(small).to_bits() == value.to_bits() {
            self.emit(Instr::asbx(Op::LOADF, reg, small)).map(drop)
        } else {
            let index = self.constant(ConstantKey::Float(value.to_bits()))?;
            self.emit_constant(reg, index)
        }
    }

    /// Loads a constant.
    pub(super) fn emit_constant(&mut self, reg: Reg, index: u32) -> Result<(), Fail> {
        match u16::try_from(index) {
            Ok(index) => self.emit(Instr::abx(Op::LOADK, reg, index)).map(drop),
            Err(_) => {
                self.emit_abc(Op::LOADKX, reg, 0, 0)?;
                self.emit(Instr::ax(Op::EXTRAARG, index)).map(drop)
            }
        }
    }

    /// The index of a constant, which is added if it is new.
    pub(super) fn constant(&mut self, key: ConstantKey) -> Result<u32, Fail> {
        if let Some(&index) = self.fun.constant_ids.get(&key) {
            return Ok(index);
        }
        let length = match key {
            ConstantKey::Str(id) => self.text(id).len(),
            _ => 0,
        };
        self.budget.spend(1, CONSTANT_BYTES + length)?;
        let index = self.fun.constants.len();
        if index > Instr::MAX_AX as usize {
            return Err(self.limit("function has too many constants"));
        }
        let constant = match key {
            ConstantKey::Nil => Constant::Nil,
            ConstantKey::Bool(value) => Constant::Bool(value),
            ConstantKey::Int(value) => Constant::Int(value),
            ConstantKey::Float(bits) => Constant::Float(f64::from_bits(bits)),
            ConstantKey::Str(id) => Constant::Str(self.strings.share(id)),
        };
        self.fun.constants.push(constant);
        self.fun.constant_ids.insert(key, index as u32);
        Ok(index as u32)
    }

    /// Sees to it that `count` more registers can be used.
    pub(super) fn check_stack(&mut self, count: usize) -> Result<(), Fail> {
        let needed = self.fun.free_register + count;
        if needed > self.fun.max_stack {
            if needed >= MAX_REGISTERS {
                return Err(self.limit("function or expression needs too many registers"));
            }
            self.fun.max_stack = needed;
        }
        Ok(())
    }

    /// Takes `count` registers.
    pub(super) fn reserve(&mut self, count: usize) -> Result<Reg, Fail> {
        self.check_stack(count)?;
        let first = self.fun.free_register;
        self.fun.free_register += count;
        Ok(first as Reg)
    }

    /// The next free register, which is not taken.
    pub(super) fn free_register(&self) -> Reg {
        self.fun.free_register as Reg
    }

    /// Gives a register back, unless it belongs to a variable.
    pub(super) fn free(&mut self, reg: Reg) {
        if reg as usize >= self.variable_registers() {
            self.fun.free_register -= 1;
            debug_assert_eq!(self.fun.free_register, reg as usize);
        }
    }

    /// Gives two registers back in the right order.
    pub(super) fn free_both(&mut self, a: Reg, b: Reg) {
        self.free(a.max(b));
        self.free(a.min(b));
    }
}
