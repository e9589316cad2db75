//! Loops.
//!
//! The condition of a `while` stands after its body, with a jump to it before: one branch for each turn instead of
//! two.

use super::Generator;
use super::jumps::Jumps;
use super::operand::{Exp, Kind};
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::dialect::Dialect;
use crate::op::{Instr, Op};

/// A loop being generated.
pub(super) struct Loop {
    /// The `break`s out of it.
    pub breaks: Jumps,
    /// Variables in scope where a `break` arrives.
    pub level: usize,
    /// Whether what stands there closes every variable of the loop.
    pub closes: bool,
}

impl Generator<'_, '_, '_> {
    fn open_loop(&mut self, closes: bool) {
        let level = self.level();
        self.fun.loops.push(Loop {
            breaks: Jumps::NONE,
            level,
            closes,
        });
    }

    /// Ends the innermost loop: its `break`s arrive here.
    fn close_loop(&mut self) {
        if let Some(ended) = self.fun.loops.pop() {
            self.patch_to_here(ended.breaks);
        }
    }

    pub(super) fn while_loop(
        &mut self,
        condition: ExprId,
        body: BlockId,
        end_line: u32,
    ) -> Result<(), Fail> {
        if self.ast.expr(condition).expr.constant_truth() == Some(true) {
            self.line = self.ast.expr(condition).line;
            self.open_loop(false);
            let start = self.label();
            self.block(body)?;
            self.line = self.ast.block(body).end_line;
            self.jump_back(start)?;
            self.line = end_line;
            self.close_loop();
            return Ok(());
        }
        let entry = Jumps::one(self.jump()?);
        self.open_loop(false);
        let start = self.label();
        self.block(body)?;
        self.patch_to_here(entry);
        let mut condition = self.expression(condition)?;
        self.go_if_false(&mut condition)?;
        self.patch_list(condition.if_true, start);
        self.line = end_line;
        self.close_loop();
        Ok(())
    }

    pub(super) fn repeat_loop(&mut self, body: BlockId, condition: ExprId) -> Result<(), Fail> {
        self.open_loop(false);
        let start = self.label();
        let level = self.level();
        self.statements(body)?;
        let condition = self.expression(condition)?;
        let mut again = self.jump_unless(condition)?;
        if self.needs_close(level) {
            // Both ways out of the body close its variables.
            self.emit_close(level)?;
            let exit = Jumps::one(self.jump()?);
            self.patch_to_here(again);
            self.emit_close(level)?;
            again = Jumps::one(self.jump()?);
            self.leave_scope(level)?;
            self.patch_to_here(exit);
        } else {
            self.leave_scope(level)?;
        }
        self.patch_list(again, start);
        self.close_loop();
        Ok(())
    }

    pub(super) fn numeric_for(&mut self, info: For, end_line: u32) -> Result<(), Fail> {
        let level = self.level();
        self.open_loop(false);
        let base = self.free_register();
        for value in self.ast.items(info.values) {
            let mut value = self.expression(value)?;
            self.put_in_next(&mut value)?;
        }
        if info.values.len() == 2 {
            let step = self.reserve(1)?;
            match self.options.dialect.has_integers() {
                true => self.emit_int(step, 1)?,
                false => self.emit_float(step, 1.0)?,
            }
        }
        self.activate_some(info.vars, 0..3)?;
        self.line = info.do_line;
        let prepare = self.emit(Instr::abx(Op::FORPREP, base, 0))?;
        let inner = self.level();
        self.reserve(1)?;
        self.activate_some(info.vars, 3..4)?;
        self.label();
        self.block(info.body)?;
        self.line = self.ast.block(info.body).end_line;
        self.emit_close(inner)?;
        self.leave_scope(inner)?;
        let next = self.emit(Instr::abx(Op::FORLOOP, base, 0))?;
        self.fix_line(info.line);
        self.set_loop_distance(prepare, next + 1 - (prepare + 1))?;
        self.set_loop_distance(next, next + 1 - (prepare + 1))?;
        self.label();
        self.line = end_line;
        self.close_loop();
        self.leave_scope(level)
    }

    pub(super) fn generic_for(&mut self, info: For, end_line: u32) -> Result<(), Fail> {
        /// Iterator, state, control and closing value.
        const HIDDEN: usize = 4;
        /// A call of the iterator needs registers for itself and two arguments.
        const CALL: usize = 3;
        let level = self.level();
        self.open_loop(true);
        let base = self.free_register();
        let last = self.expressions(info.values)?;
        if self.options.dialect.has_attributes() {
            self.adjust(HIDDEN, info.values.len(), last)?;
        } else {
            // There is no closing value: a fourth one is dropped like any that is too many.
            self.adjust(HIDDEN - 1, info.values.len(), last)?;
            let closing = self.reserve(1)?;
            self.emit_nil(closing, 1)?;
        }
        self.activate_some(info.vars, 0..HIDDEN)?;
        self.check_stack(CALL)?;
        self.line = info.do_line;
        let prepare = self.emit(Instr::abx(Op::TFORPREP, base, 0))?;
        let inner = self.level();
        let count = info.vars.len() - HIDDEN;
        self.reserve(count)?;
        self.activate_some(info.vars, HIDDEN..info.vars.len())?;
        self.label();
        self.block(info.body)?;
        self.line = self.ast.block(info.body).end_line;
        self.emit_close(inner)?;
        self.leave_scope(inner)?;
        self.label();
        let call = self.emit_abc(Op::TFORCALL, base, 0, count as u8)?;
        self.fix_line(info.line);
        self.set_loop_distance(prepare, call - (prepare + 1))?;
        let next = self.emit(Instr::abx(Op::TFORLOOP, base, 0))?;
        self.fix_line(info.line);
        self.set_loop_distance(next, next + 1 - (prepare + 1))?;
        self.line = end_line;
        // Every way out of the loop passes here, so that breaks need not close anything themselves.
        self.close_loop();
        self.label();
        self.emit_close(level)?;
        self.leave_scope(level)
    }

    fn activate_some(
        &mut self,
        vars: List<VarId>,
        which: std::ops::Range<usize>,
    ) -> Result<(), Fail> {
        for index in which {
            let var = self.ast.item(vars, index);
            self.activate(var)?;
        }
        Ok(())
    }

    fn set_loop_distance(&mut self, pc: u32, distance: u32) -> Result<(), Fail> {
        let Ok(distance) = u16::try_from(distance) else {
            return Err(self.limit("control structure too long"));
        };
        let instr = self.instr(pc);
        self.set_instr(pc, Instr::abx(instr.op(), instr.a() as u8, distance));
        Ok(())
    }

    pub(super) fn break_loop(&mut self) -> Result<(), Fail> {
        let Some((level, closes)) = self.fun.loops.last().map(|l| (l.level, l.closes)) else {
            // The parser reports a stray break when the function ends.
            return Ok(());
        };
        if !closes {
            self.emit_close(level)?;
        }
        let jump = Jumps::one(self.jump()?);
        self.add_break(jump);
        Ok(())
    }

    pub(super) fn add_break(&mut self, jumps: Jumps) {
        let breaks = self.fun.loops.last().map_or(Jumps::NONE, |l| l.breaks);
        let breaks = self.join(jumps, breaks);
        if let Some(innermost) = self.fun.loops.last_mut() {
            innermost.breaks = breaks;
        }
    }

    /// Whether a `break` here is nothing but a jump.
    pub(super) fn break_is_plain(&self) -> bool {
        match self.fun.loops.last() {
            Some(innermost) => innermost.closes || !self.needs_close(innermost.level),
            None => false,
        }
    }

    pub(super) fn goto(&mut self, id: GotoId) -> Result<(), Fail> {
        let label = self.ast.gotos[id.0 as usize];
        let level = self.ast.labels[label.0 as usize] as usize;
        self.emit_close(level.min(self.level()))?;
        let jump = Jumps::one(self.jump()?);
        self.add_goto(label, jump);
        Ok(())
    }

    fn add_goto(&mut self, label: LabelId, jumps: Jumps) {
        let at = label.0 as usize;
        match self.label_pcs[at] {
            Some(target) => self.patch_list(jumps, target),
            None => self.label_jumps[at] = self.join(jumps, self.label_jumps[at]),
        }
    }

    pub(super) fn place_label(&mut self, id: LabelId) {
        let at = id.0 as usize;
        let here = self.label();
        self.label_pcs[at] = Some(here);
        let waiting = std::mem::take(&mut self.label_jumps[at]);
        self.patch_list(waiting, here);
    }

    /// Generates the condition of an `if`, so that what follows runs if it is true; returns the jumps taken if not.
    /// If the body does nothing but leave, its jump is made by the condition itself and the other case follows: then
    /// the result is `None`.
    pub(super) fn condition(&mut self, arm: Arm) -> Result<Option<Jumps>, Fail> {
        let mut condition = self.expression(arm.condition)?;
        let body = self.ast.block(arm.body).statements;
        let only = match body.len() {
            1 => Some(self.ast.stmt(self.ast.item(body, 0)).stmt),
            _ => None,
        };
        let leaves = match only {
            Some(Stmt::Break) => self.break_is_plain(),
            Some(Stmt::Goto(id)) => self.goto_is_plain(id),
            _ => false,
        };
        // From 5.5 on the test is made before the `then` is read; where the body is part of it, it has the body's line.
        if leaves || self.options.dialect < Dialect::Lua55 {
            self.line = arm.line;
        }
        match only {
            Some(Stmt::Break) if leaves => {
                self.go_if_false(&mut condition)?;
                self.add_break(condition.if_true);
                Ok(None)
            }
            Some(Stmt::Goto(id)) if leaves => {
                self.go_if_false(&mut condition)?;
                self.add_goto(self.ast.gotos[id.0 as usize], condition.if_true);
                Ok(None)
            }
            _ => self.jump_unless(condition).map(Some),
        }
    }

    /// Makes what follows run if the condition is true; returns the jumps taken if not.
    fn jump_unless(&mut self, mut condition: Exp) -> Result<Jumps, Fail> {
        if matches!(condition.kind, Kind::Nil | Kind::False) && !condition.has_jumps() {
            return Ok(Jumps::one(self.jump()?));
        }
        self.go_if_true(&mut condition)?;
        Ok(condition.if_false)
    }

    fn goto_is_plain(&self, id: GotoId) -> bool {
        let label = self.ast.gotos[id.0 as usize];
        let level = self.ast.labels[label.0 as usize] as usize;
        !self.needs_close(level.min(self.level()))
    }
}
