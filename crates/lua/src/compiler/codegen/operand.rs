//! Where a value is, and how to get it elsewhere.

use super::emit::ConstantKey;
use super::jumps::Jumps;
use super::{Generator, Reg};
use crate::compiler::Fail;
use crate::compiler::strings::StrId;
use crate::op::{Instr, Op};
use crate::string::MAX_INTERNED;

/// Where a value is or will be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    Nil,
    True,
    False,
    Int(i64),
    Float(f64),
    Str(StrId),
    /// In this register.
    Fixed(Reg),
    /// In the register of a local variable, which can also be assigned.
    Local(Reg),
    Upvalue(u8),
    /// `R[table][R[key]]`
    Indexed {
        table: Reg,
        key: Reg,
    },
    /// `R[table][key]`
    IndexedInt {
        table: Reg,
        key: u8,
    },
    /// `R[table][K[key]]`
    IndexedStr {
        table: Reg,
        key: u8,
    },
    /// `Up[upvalue][K[key]]`, the upvalue captured by value
    IndexedUpvalue {
        upvalue: u8,
        key: u8,
    },
    /// The comparison before this jump is true.
    Jump(u32),
    /// The result of this instruction, whose target register is still open.
    Reloc(u32),
    /// The results of this call.
    Call(u32),
    /// The results of this `VARARG`.
    Vararg(u32),
}

/// A value: where it is, unless one of the jumps is taken. A jump in `if_true` is taken with a true value, one in
/// `if_false` with a false one; a `TESTSET` carries the value along, other tests stand for the boolean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exp {
    pub kind: Kind,
    pub if_true: Jumps,
    pub if_false: Jumps,
}

impl From<Kind> for Exp {
    fn from(kind: Kind) -> Exp {
        Exp {
            kind,
            if_true: Jumps::NONE,
            if_false: Jumps::NONE,
        }
    }
}

impl Exp {
    /// Whether the value may come by a jump. The two lists are never the same jump.
    pub fn has_jumps(&self) -> bool {
        self.if_true != self.if_false
    }

    /// Whether there may be any number of values.
    pub fn is_multiple(&self) -> bool {
        matches!(self.kind, Kind::Call(_) | Kind::Vararg(_))
    }

    pub fn is_numeral(&self) -> bool {
        matches!(self.kind, Kind::Int(_) | Kind::Float(_)) && !self.has_jumps()
    }

    /// The value of a small integer constant that fits a signed operand. `floats`: all numbers are floats.
    pub fn small_int(&self, floats: bool) -> Option<i8> {
        match self.kind {
            Kind::Int(value) if !self.has_jumps() => i8::try_from(value).ok(),
            // In a dialect without integers operands are floats, to which an instruction converts what it holds.
            Kind::Float(value) if floats && !self.has_jumps() => {
                let small = value as i8;
                (f64::from(small).to_bits() == value.to_bits()).then_some(small)
            }
            _ => None,
        }
    }

    /// What to look a constant up by; `None` if this is not one.
    pub fn constant_key(&self) -> Option<ConstantKey> {
        if self.has_jumps() {
            return None;
        }
        Some(match self.kind {
            Kind::Nil => ConstantKey::Nil,
            Kind::True => ConstantKey::Bool(true),
            Kind::False => ConstantKey::Bool(false),
            Kind::Int(value) => ConstantKey::Int(value),
            Kind::Float(value) => ConstantKey::Float(value.to_bits()),
            Kind::Str(id) => ConstantKey::Str(id),
            _ => return None,
        })
    }
}

impl Generator<'_, '_, '_> {
    /// The index of a constant operand, if the value is a constant whose index fits.
    pub(super) fn constant_operand(&mut self, exp: &Exp) -> Result<Option<u8>, Fail> {
        match exp.constant_key() {
            Some(key) => Ok(u8::try_from(self.constant(key)?).ok()),
            None => Ok(None),
        }
    }

    /// The constant that names a field, for the instructions that take one: a string that is interned.
    pub(super) fn name_operand(&mut self, exp: &Exp) -> Result<Option<u8>, Fail> {
        match exp.kind {
            Kind::Str(id) if self.text(id).len() <= MAX_INTERNED => self.constant_operand(exp),
            _ => Ok(None),
        }
    }

    pub(super) fn free_exp(&mut self, exp: &Exp) {
        if let Kind::Fixed(reg) = exp.kind {
            self.free(reg);
        }
    }

    /// Gives back the registers of two operands in the right order.
    pub(super) fn free_exps(&mut self, a: &Exp, b: &Exp) {
        match (a.kind, b.kind) {
            (Kind::Fixed(a), Kind::Fixed(b)) => self.free_both(a, b),
            _ => {
                self.free_exp(a);
                self.free_exp(b);
            }
        }
    }

    /// Fixes the number of results of a call or `...`; `None` leaves it open.
    pub(super) fn set_results(&mut self, exp: &Exp, count: Option<usize>) -> Result<(), Fail> {
        let c = count.map_or(0, |count| count + 1) as u8;
        match exp.kind {
            Kind::Call(pc) => self.set_c(pc, c),
            Kind::Vararg(pc) => {
                self.set_c(pc, c);
                self.set_a(pc, self.free_register());
                self.reserve(1)?;
            }
            _ => debug_assert!(false, "only calls and varargs have results"),
        }
        Ok(())
    }

    /// Cuts a call or `...` to one value.
    pub(super) fn one_result(&mut self, exp: &mut Exp) {
        match exp.kind {
            Kind::Call(pc) => exp.kind = Kind::Fixed(self.instr(pc).a() as Reg),
            Kind::Vararg(pc) => {
                self.set_c(pc, 2);
                exp.kind = Kind::Reloc(pc);
            }
            _ => {}
        }
    }

    /// Makes the value stop depending on variables: reads it if it is in one that is not a register.
    pub(super) fn discharge_variables(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        let read = match exp.kind {
            Kind::Local(reg) => {
                exp.kind = Kind::Fixed(reg);
                return Ok(());
            }
            Kind::Upvalue(index) => {
                let op = match self.by_reference(self.upvalue_var(index)) {
                    true => Op::GETUPBOX,
                    false => Op::GETUPVAL,
                };
                Instr::abc(op, 0, index, 0)
            }
            Kind::IndexedUpvalue { upvalue, key } => Instr::abc(Op::GETTABUP, 0, upvalue, key),
            Kind::IndexedInt { table, key } => {
                self.free(table);
                Instr::abc(Op::GETI, 0, table, key)
            }
            Kind::IndexedStr { table, key } => {
                self.free(table);
                Instr::abc(Op::GETFIELD, 0, table, key)
            }
            Kind::Indexed { table, key } => {
                self.free_both(table, key);
                Instr::abc(Op::GETTABLE, 0, table, key)
            }
            _ => {
                self.one_result(exp);
                return Ok(());
            }
        };
        exp.kind = Kind::Reloc(self.emit(read)?);
        Ok(())
    }

    /// Puts the value in a register, except if it comes by a jump.
    fn discharge_to(&mut self, exp: &mut Exp, reg: Reg) -> Result<(), Fail> {
        self.discharge_variables(exp)?;
        match exp.kind {
            Kind::Nil => self.emit_nil(reg, 1)?,
            Kind::False => self.emit_abc(Op::LOADFALSE, reg, 0, 0).map(drop)?,
            Kind::True => self.emit_abc(Op::LOADTRUE, reg, 0, 0).map(drop)?,
            Kind::Int(value) => self.emit_int(reg, value)?,
            Kind::Float(value) => self.emit_float(reg, value)?,
            Kind::Str(id) => {
                let index = self.constant(ConstantKey::Str(id))?;
                self.emit_constant(reg, index)?;
            }
            Kind::Reloc(pc) => self.set_a(pc, reg),
            Kind::Fixed(from) if from != reg => self.emit_abc(Op::MOVE, reg, from, 0).map(drop)?,
            Kind::Fixed(_) => {}
            // Only a comparison is left: its value comes by the jump.
            _ => return Ok(()),
        }
        exp.kind = Kind::Fixed(reg);
        Ok(())
    }

    /// Puts a value that does not come by jumps in some register, leaving the jumps as they are.
    pub(super) fn put_in_some_keeping_jumps(&mut self, exp: &mut Exp) -> Result<Reg, Fail> {
        if !matches!(exp.kind, Kind::Fixed(_)) {
            let reg = self.reserve(1)?;
            self.discharge_to(exp, reg)?;
        }
        match exp.kind {
            Kind::Fixed(reg) => Ok(reg),
            _ => unreachable!("comparisons are jumped on directly"),
        }
    }

    /// Puts the value in a register, however it comes.
    pub(super) fn put_in(&mut self, exp: &mut Exp, reg: Reg) -> Result<(), Fail> {
        self.discharge_to(exp, reg)?;
        if let Kind::Jump(pc) = exp.kind {
            exp.if_true = self.join(Jumps::one(pc), exp.if_true);
        }
        if exp.has_jumps() {
            let (mut load_false, mut load_true) = (0, 0);
            if self.needs_value(exp.if_true) || self.needs_value(exp.if_false) {
                let around = match exp.kind {
                    Kind::Jump(_) => Jumps::NONE,
                    _ => Jumps::one(self.jump()?),
                };
                self.label();
                load_false = self.emit_abc(Op::LFALSESKIP, reg, 0, 0)?;
                self.label();
                load_true = self.emit_abc(Op::LOADTRUE, reg, 0, 0)?;
                self.patch_to_here(around);
            }
            let end = self.label();
            self.patch_list_values(exp.if_false, end, Some(reg), load_false);
            self.patch_list_values(exp.if_true, end, Some(reg), load_true);
        }
        *exp = Kind::Fixed(reg).into();
        Ok(())
    }

    /// Puts the value in the next free register.
    pub(super) fn put_in_next(&mut self, exp: &mut Exp) -> Result<Reg, Fail> {
        self.discharge_variables(exp)?;
        self.free_exp(exp);
        let reg = self.reserve(1)?;
        self.put_in(exp, reg)?;
        Ok(reg)
    }

    /// Puts the value in some register: where it is, if it is in one.
    pub(super) fn put_in_any(&mut self, exp: &mut Exp) -> Result<Reg, Fail> {
        self.discharge_variables(exp)?;
        if let Kind::Fixed(reg) = exp.kind {
            if !exp.has_jumps() {
                return Ok(reg);
            }
            if reg as usize >= self.variable_registers() {
                self.put_in(exp, reg)?;
                return Ok(reg);
            }
        }
        self.put_in_next(exp)
    }

    /// Puts the value in a register, unless it is an upvalue captured by value, which can be indexed as it is.
    pub(super) fn make_indexable(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        match exp.kind {
            Kind::Upvalue(index)
                if !exp.has_jumps() && !self.by_reference(self.upvalue_var(index)) =>
            {
                Ok(())
            }
            _ => self.put_in_any(exp).map(drop),
        }
    }

    /// Makes the value a constant or puts it in a register.
    pub(super) fn make_value(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        if matches!(exp.kind, Kind::Jump(_)) || exp.has_jumps() {
            self.put_in_any(exp).map(drop)
        } else {
            self.discharge_variables(exp)
        }
    }

    /// Describes `object[key]`. The object is in a register or an upvalue captured by value.
    pub(super) fn indexed(&mut self, object: &mut Exp, key: &mut Exp) -> Result<(), Fail> {
        let name = self.name_operand(key)?;
        if let (Kind::Upvalue(upvalue), Some(key)) = (object.kind, name) {
            object.kind = Kind::IndexedUpvalue { upvalue, key };
            return Ok(());
        }
        let table = match object.kind {
            Kind::Local(reg) | Kind::Fixed(reg) => reg,
            _ => self.put_in_any(object)?,
        };
        object.kind = match (name, key.kind) {
            (Some(key), _) => Kind::IndexedStr { table, key },
            (None, Kind::Int(value @ 0..=255)) if !key.has_jumps() => Kind::IndexedInt {
                table,
                key: value as u8,
            },
            (None, Kind::Float(value))
                if !self.options.dialect.has_integers()
                    && !key.has_jumps()
                    && f64::from(value as u8).to_bits() == value.to_bits() =>
            {
                Kind::IndexedInt {
                    table,
                    key: value as u8,
                }
            }
            _ => Kind::Indexed {
                table,
                key: self.put_in_any(key)?,
            },
        };
        Ok(())
    }
}
