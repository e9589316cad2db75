//! Jumps whose target is not known yet, and conditions.
//!
//! **Invariant:** a list of jumps is linked through the offset fields of its jump words, each of which is a `JMP` until
//! [`Generator::patch_list`] gives it its target, its final opcode and its offset, once. Lists are joined by putting
//! the shorter, newer part in front, so that building one takes time linear in its length.

use super::operand::{Exp, Kind};
use super::{Generator, Reg};
use crate::compiler::Fail;
use crate::dialect::Dialect;
use crate::op::{Instr, Op};

/// A list of jumps to one target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Jumps(Option<u32>);

/// The link that ends a list. It is no position of a jump: those are below `MAX_CODE`.
const END: u32 = Instr::MAX_AX;

impl Jumps {
    pub const NONE: Jumps = Jumps(None);

    /// A list of one jump.
    pub fn one(pc: u32) -> Jumps {
        Jumps(Some(pc))
    }
    pub fn is_empty(self) -> bool {
        self.0.is_none()
    }
}

impl Generator<'_, '_, '_> {
    /// Emits a jump with no target yet.
    pub(super) fn jump(&mut self) -> Result<u32, Fail> {
        self.emit(Instr::ax(Op::JMP, END))
    }

    fn next_jump(&self, pc: u32) -> Jumps {
        match self.instr(pc).ax_value() {
            END => Jumps::NONE,
            next => Jumps::one(next),
        }
    }

    /// Joins two lists. Takes time linear in the first.
    pub(super) fn join(&mut self, first: Jumps, second: Jumps) -> Jumps {
        let (Some(head), Some(rest)) = (first.0, second.0) else {
            return if first.is_empty() { second } else { first };
        };
        let mut last = head;
        while let Some(next) = self.next_jump(last).0 {
            last = next;
        }
        self.set_instr(last, Instr::ax(Op::JMP, rest));
        first
    }

    /// Marks the next instruction as a target of jumps.
    pub(super) fn label(&mut self) -> u32 {
        let here = self.pc();
        self.fun.barrier = here as usize;
        here
    }

    /// Makes one jump go to `target`.
    pub(super) fn patch_jump(&mut self, pc: u32, target: u32) {
        let offset = target as i32 - (pc as i32 + 1);
        let op = if offset < 0 { Op::LOOP } else { Op::JMP };
        self.set_instr(pc, Instr::j(op, offset));
    }

    /// Makes every jump of a list go to `target`; tests in it produce no value.
    pub(super) fn patch_list(&mut self, list: Jumps, target: u32) {
        self.patch_list_values(list, target, None, target);
    }

    /// Makes every jump of a list go to the next instruction.
    pub(super) fn patch_to_here(&mut self, list: Jumps) {
        if !list.is_empty() {
            let here = self.label();
            self.patch_list(list, here);
        }
    }

    /// Emits a jump back to `target`.
    pub(super) fn jump_back(&mut self, target: u32) -> Result<(), Fail> {
        let pc = self.jump()?;
        self.patch_jump(pc, target);
        Ok(())
    }

    /// The instruction that decides on the jump at `pc`: the test before it, or itself.
    fn control(&self, pc: u32) -> u32 {
        match pc.checked_sub(1) {
            Some(before) if self.instr(before).op().is_conditional() => before,
            _ => pc,
        }
    }

    /// Patches a list: jumps whose test produces a value put it in `reg` (or drop it) and go to `value_target`; the
    /// others go to `target`.
    pub(super) fn patch_list_values(
        &mut self,
        list: Jumps,
        value_target: u32,
        reg: Option<Reg>,
        target: u32,
    ) {
        let mut list = list;
        while let Some(pc) = list.0 {
            list = self.next_jump(pc);
            let produces = self.patch_test(pc, reg);
            self.patch_jump(pc, if produces { value_target } else { target });
        }
    }

    /// If the jump's test produces its operand as a value, makes it put that in `reg`, or produce nothing if that is
    /// where the operand is already or no value is wanted.
    fn patch_test(&mut self, pc: u32, reg: Option<Reg>) -> bool {
        let control = self.control(pc);
        let test = self.instr(control);
        if test.op() != Op::TESTSET {
            return false;
        }
        let operand = test.b() as u8;
        let patched = match reg {
            Some(reg) if reg != operand => Instr::abc(Op::TESTSET, reg, operand, test.c() as u8),
            _ => Instr::abc(Op::TEST, operand, 0, test.c() as u8),
        };
        self.set_instr(control, patched);
        true
    }

    /// Drops the values that tests in the list produce.
    pub(super) fn remove_values(&mut self, list: Jumps) {
        let mut list = list;
        while let Some(pc) = list.0 {
            self.patch_test(pc, None);
            list = self.next_jump(pc);
        }
    }

    /// Whether some jump in the list comes without a value.
    pub(super) fn needs_value(&self, list: Jumps) -> bool {
        let mut list = list;
        while let Some(pc) = list.0 {
            if self.instr(self.control(pc)).op() != Op::TESTSET {
                return true;
            }
            list = self.next_jump(pc);
        }
        false
    }

    /// Emits a test and the jump it decides on; returns the jump.
    pub(super) fn conditional_jump(&mut self, op: Op, a: u8, b: u8, c: bool) -> Result<u32, Fail> {
        self.emit_abc(op, a, b, u8::from(c))?;
        self.jump()
    }

    /// Turns the condition of a comparison around.
    pub(super) fn negate(&mut self, jump: u32) {
        let control = self.control(jump);
        let test = self.instr(control);
        debug_assert!(test.op().is_conditional() && !matches!(test.op(), Op::TEST | Op::TESTSET));
        self.set_c(control, u8::from(test.c() == 0));
    }

    /// Emits a jump that is taken if the value's truth is `when`.
    fn jump_on(&mut self, exp: &mut Exp, when: bool) -> Result<u32, Fail> {
        if let Kind::Reloc(pc) = exp.kind {
            let instr = self.instr(pc);
            if instr.op() == Op::NOT {
                self.remove_last_instruction();
                return self.conditional_jump(Op::TEST, instr.b() as u8, 0, !when);
            }
        }
        let reg = self.put_in_some_keeping_jumps(exp)?;
        self.free_exp(exp);
        self.conditional_jump(Op::TESTSET, 0, reg, when)
    }

    /// Code made now runs if the value is true; otherwise `exp.if_false` is jumped to.
    pub(super) fn go_if_true(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        self.discharge_variables(exp)?;
        let jump = match exp.kind {
            Kind::Jump(pc) => {
                self.negate(pc);
                Jumps::one(pc)
            }
            Kind::True | Kind::Int(_) | Kind::Float(_) | Kind::Str(_) => Jumps::NONE,
            _ => Jumps::one(self.jump_on(exp, false)?),
        };
        exp.if_false = self.join(jump, exp.if_false);
        self.patch_to_here(exp.if_true);
        exp.if_true = Jumps::NONE;
        Ok(())
    }

    /// Code made now runs if the value is false; otherwise `exp.if_true` is jumped to.
    pub(super) fn go_if_false(&mut self, exp: &mut Exp) -> Result<(), Fail> {
        self.discharge_variables(exp)?;
        let jump = match exp.kind {
            Kind::Jump(pc) => Jumps::one(pc),
            Kind::Nil | Kind::False => Jumps::NONE,
            _ => Jumps::one(self.jump_on(exp, true)?),
        };
        exp.if_true = self.join(jump, exp.if_true);
        self.patch_to_here(exp.if_false);
        exp.if_false = Jumps::NONE;
        Ok(())
    }

    /// Lets jumps that lead to jumps go straight to the end of the chain, and gives conditionals the opcode of their polarity. A
    /// function's jumps are all patched by then.
    pub(super) fn finish_jumps(&mut self) -> Result<(), Fail> {
        /// What the reference's jumps can span up to 5.3.
        const OLD_DISTANCE: u32 = (1 << 17) - 1;
        let limited = self.options.by_reference_captures && self.options.dialect < Dialect::Lua54;
        /// Chains are followed this far, so that the work stays linear.
        const MAX_HOPS: usize = 32;
        for pc in 0..self.pc() {
            let is_jump = |i: Instr| matches!(i.op(), Op::JMP | Op::LOOP);
            let target_of = |pc: u32, i: Instr| (pc as i32 + 1 + i.sj()) as u32;
            let instr = self.instr(pc);
            if !is_jump(instr) {
                self.set_instr(pc, instr.with_polarity());
                continue;
            }
            let mut target = target_of(pc, instr);
            for _ in 0..MAX_HOPS {
                let next = self.instr(target);
                if !is_jump(next) {
                    break;
                }
                target = target_of(target, next);
            }
            if limited && target.abs_diff(pc + 1) > OLD_DISTANCE {
                return Err(self.limit("control structure too long"));
            }
            self.patch_jump(pc, target);
        }
        Ok(())
    }
}
