//! Unary and binary operators.
//!
//! Constants stay operands as long as an instruction takes them; that decides when an operand is put in a register:
//! the left one after its operator has been read ([`Generator::infix`]), the right one at the end
//! ([`Generator::postfix`]).

use super::operand::{Exp, Kind};
use super::{Generator, Reg};
use crate::compiler::Fail;
use crate::compiler::ast::{BinOp, UnOp};
use crate::op::{Instr, Op};

/// The forms of an arithmetic or bitwise operator.
struct Forms {
    registers: Op,
    /// The right operand is a constant.
    right_constant: Op,
    /// The left operand is a constant.
    left_constant: Option<Op>,
    /// Constants must be integers.
    integer: bool,
}

fn forms(op: BinOp) -> Option<Forms> {
    let (registers, right_constant, left_constant, integer) = match op {
        BinOp::Add => (Op::ADD, Op::ADDK, Some(Op::KADD), false),
        BinOp::Sub => (Op::SUB, Op::SUBK, Some(Op::KSUB), false),
        BinOp::Mul => (Op::MUL, Op::MULK, Some(Op::KMUL), false),
        BinOp::Div => (Op::DIV, Op::DIVK, Some(Op::KDIV), false),
        BinOp::Mod => (Op::MOD, Op::MODK, None, false),
        BinOp::Pow => (Op::POW, Op::POWK, None, false),
        BinOp::IDiv => (Op::IDIV, Op::IDIVK, None, false),
        BinOp::BitAnd => (Op::BAND, Op::BANDK, None, true),
        BinOp::BitOr => (Op::BOR, Op::BORK, None, true),
        BinOp::BitXor => (Op::BXOR, Op::BXORK, None, true),
        BinOp::ShiftLeft => (Op::SHL, Op::SHLK, None, true),
        BinOp::ShiftRight => (Op::SHR, Op::SHRK, None, true),
        _ => return None,
    };
    Some(Forms {
        registers,
        right_constant,
        left_constant,
        integer,
    })
}

impl Generator<'_, '_, '_> {
    /// Whether all numbers are floats.
    fn floats(&self) -> bool {
        !self.options.dialect.has_integers()
    }

    /// Generates a unary operator written on `line`.
    pub(super) fn unary(&mut self, op: UnOp, exp: &mut Exp, line: u32) -> Result<(), Fail> {
        self.discharge_variables(exp)?;
        let op = match op {
            UnOp::Not => return self.not(exp),
            UnOp::Minus => Op::UNM,
            UnOp::BitNot => Op::BNOT,
            UnOp::Length if self.floats() => Op::LENF,
            UnOp::Length => Op::LEN,
        };
        let operand = self.put_in_any(exp)?;
        self.free_exp(exp);
        *exp = Kind::Reloc(self.emit_abc(op, 0, operand, 0)?).into();
        self.fix_line(line);
        Ok(())
    }

    fn not(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        exp.kind = match exp.kind {
            Kind::Nil | Kind::False => Kind::True,
            Kind::True | Kind::Int(_) | Kind::Float(_) | Kind::Str(_) => Kind::False,
            Kind::Jump(pc) => {
                self.negate(pc);
                Kind::Jump(pc)
            }
            _ => {
                let operand = self.put_in_some_keeping_jumps(exp)?;
                self.free_exp(exp);
                Kind::Reloc(self.emit_abc(Op::NOT, 0, operand, 0)?)
            }
        };
        // What made the operand true makes the result false; its value is not the result.
        std::mem::swap(&mut exp.if_true, &mut exp.if_false);
        self.remove_values(exp.if_true);
        self.remove_values(exp.if_false);
        Ok(())
    }

    /// Prepares the left operand of a binary operator, before the right one is generated.
    pub(super) fn infix(&mut self, op: BinOp, left: &mut Exp) -> Result<(), Fail> {
        self.discharge_variables(left)?;
        let keep = match op {
            BinOp::And => return self.go_if_true(left),
            BinOp::Or => return self.go_if_false(left),
            BinOp::Concat => return self.put_in_next(left).map(drop),
            BinOp::Equal | BinOp::NotEqual => left.constant_key().is_some(),
            BinOp::Less | BinOp::LessEqual | BinOp::Greater | BinOp::GreaterEqual => {
                left.small_int(self.floats()).is_some()
            }
            _ => left.is_numeral(),
        };
        if !keep {
            self.put_in_any(left)?;
        }
        Ok(())
    }

    /// Generates a binary operator written on `line`, both operands being there.
    pub(super) fn postfix(
        &mut self,
        op: BinOp,
        mut left: Exp,
        mut right: Exp,
        line: u32,
    ) -> Result<Exp, Fail> {
        self.discharge_variables(&mut right)?;
        match op {
            BinOp::And => {
                right.if_false = self.join(right.if_false, left.if_false);
                Ok(right)
            }
            BinOp::Or => {
                right.if_true = self.join(right.if_true, left.if_true);
                Ok(right)
            }
            BinOp::Concat => {
                self.put_in_next(&mut right)?;
                self.concat(left, right, line)
            }
            BinOp::Equal => self.equal(left, right, true),
            BinOp::NotEqual => self.equal(left, right, false),
            BinOp::Less => self.order(Op::LT, left, right),
            BinOp::LessEqual => self.order(Op::LE, left, right),
            // a > b is b < a.
            BinOp::Greater => self.order(Op::LT, right, left),
            BinOp::GreaterEqual => self.order(Op::LE, right, left),
            _ => self.arithmetic(op, &mut left, &mut right, line),
        }
    }

    /// Both operands are in registers, one after the other. `a .. b .. c` becomes one instruction: the right operand
    /// comes first, so its `CONCAT` is widened.
    fn concat(&mut self, left: Exp, right: Exp, line: u32) -> Result<Exp, Fail> {
        let (Kind::Fixed(first), Kind::Fixed(second)) = (left.kind, right.kind) else {
            unreachable!("both were put in registers");
        };
        match self.previous() {
            Some(previous) if previous.op() == Op::CONCAT && previous.a() == second as usize => {
                self.free_exp(&right);
                let wider = Instr::abc(Op::CONCAT, first, previous.b() as u8 + 1, 0);
                self.set_instr(self.pc() - 1, wider);
            }
            _ => {
                self.emit_abc(Op::CONCAT, first, 2, 0)?;
                self.free_exp(&right);
                self.fix_line(line);
            }
        }
        Ok(left)
    }

    fn arithmetic(
        &mut self,
        op: BinOp,
        left: &mut Exp,
        right: &mut Exp,
        line: u32,
    ) -> Result<Exp, Fail> {
        if op == BinOp::Mod && self.floats() {
            let (b, c) = self.two_registers(left, right)?;
            self.free_exps(left, right);
            let result = self.emit_abc(Op::MODF, 0, b, c)?;
            self.fix_line(line);
            return Ok(Kind::Reloc(result).into());
        }
        let Some(forms) = forms(op) else {
            unreachable!("the other operators have their own cases");
        };
        let immediate = match op {
            BinOp::Add => Some(Op::ADDI),
            BinOp::Sub => Some(Op::SUBI),
            _ => None,
        };
        let instr = if let (Some(op), Some(value)) = (immediate, right.small_int(self.floats())) {
            Instr::abc(op, 0, self.put_in_any(left)?, value as u8)
        } else if let Some(constant) = self.numeric_operand(right, forms.integer)? {
            let left = self.put_in_any(left)?;
            Instr::abc(forms.right_constant, 0, left, constant)
        } else if let Some(op) = forms.left_constant
            && let Some(constant) = self.numeric_operand(left, forms.integer)?
        {
            Instr::abc(op, 0, constant, self.put_in_any(right)?)
        } else {
            // A pending right operand is the last instruction: it must get its register first.
            let right = self.put_in_any(right)?;
            let left = self.put_in_any(left)?;
            Instr::abc(forms.registers, 0, left, right)
        };
        self.free_exps(left, right);
        let result = self.emit(instr)?;
        self.fix_line(line);
        Ok(Kind::Reloc(result).into())
    }

    fn numeric_operand(&mut self, exp: &Exp, integer: bool) -> Result<Option<u8>, Fail> {
        match exp.kind {
            Kind::Int(_) => self.constant_operand(exp),
            Kind::Float(_) if !integer => self.constant_operand(exp),
            _ => Ok(None),
        }
    }

    /// `left < right` or `left <= right`.
    fn order(&mut self, op: Op, mut left: Exp, mut right: Exp) -> Result<Exp, Fail> {
        let (op, a, b) = if let Some(value) = right.small_int(self.floats()) {
            let left = self.put_in_any(&mut left)?;
            let op = if op == Op::LT { Op::LTI } else { Op::LEI };
            (op, left, value as u8)
        } else if let Some(value) = left.small_int(self.floats()) {
            let right = self.put_in_any(&mut right)?;
            let op = if op == Op::LT { Op::GTI } else { Op::GEI };
            (op, right, value as u8)
        } else {
            let (a, b) = self.two_registers(&mut left, &mut right)?;
            (op, a, b)
        };
        self.free_exps(&left, &right);
        let jump = self.conditional_jump(op, a, b, true)?;
        Ok(Kind::Jump(jump).into())
    }

    /// Puts both operands in registers. The right one, which may be pending in the last instruction or a jump, goes first: if the left one
    /// has no register yet it is a constant.
    fn two_registers(&mut self, left: &mut Exp, right: &mut Exp) -> Result<(Reg, Reg), Fail> {
        let b = self.put_in_any(right)?;
        Ok((self.put_in_any(left)?, b))
    }

    fn equal(&mut self, left: Exp, right: Exp, when: bool) -> Result<Exp, Fail> {
        // Equality is symmetric, and a constant operand comes second.
        let (mut left, mut right) = match left.constant_key() {
            Some(_) => (right, left),
            None => (left, right),
        };
        let a = self.put_in_any(&mut left)?;
        let immediate = match right.kind {
            // A float equal to a small integer: the subtypes compare alike.
            Kind::Float(value) if !right.has_jumps() && f64::from(value as i8) == value => {
                Some(value as i8)
            }
            _ => right.small_int(self.floats()),
        };
        let (op, b) = if let Some(value) = immediate {
            (Op::EQI, value as u8)
        } else if let Some(constant) = self.constant_operand(&right)? {
            (Op::EQK, constant)
        } else {
            (Op::EQ, self.put_in_any(&mut right)?)
        };
        self.free_exps(&left, &right);
        let jump = self.conditional_jump(op, a, b, when)?;
        Ok(Kind::Jump(jump).into())
    }
}
