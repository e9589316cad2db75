//! Statements of the tree.

use super::Generator;
use super::jumps::Jumps;
use super::operand::Kind;
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::op::{Instr, Op};

impl Generator<'_, '_, '_> {
    /// Generates the statements of a block, whose variables stay in scope.
    pub(super) fn statements(&mut self, id: BlockId) -> Result<(), Fail> {
        let block = self.ast.block(id);
        for id in self.ast.items(block.statements) {
            self.statement(self.ast.stmt(id))?;
            // What a statement leaves in registers are its variables; temporaries end with it.
            self.fun.free_register = self.variable_registers();
        }
        self.line = block.end_line;
        Ok(())
    }

    fn statement(&mut self, node: StmtNode) -> Result<(), Fail> {
        self.line = node.line;
        match node.stmt {
            Stmt::Local { vars, values } => self.local(vars, values, node.end_line)?,
            Stmt::Assign { targets, values } => self.assignment(targets, values)?,
            Stmt::Call(call) => {
                let call = self.expression(call)?;
                self.set_results(&call, Some(0))?;
            }
            Stmt::Do(body) => {
                self.block(body)?;
            }
            Stmt::While { condition, body } => self.while_loop(condition, body, node.end_line)?,
            Stmt::Repeat { body, condition } => self.repeat_loop(body, condition)?,
            Stmt::If { arms, otherwise } => self.if_statement(arms, otherwise)?,
            Stmt::NumericFor(id) => self.numeric_for(self.ast.for_loop(id), node.end_line)?,
            Stmt::GenericFor(id) => self.generic_for(self.ast.for_loop(id), node.end_line)?,
            Stmt::Function { target, function } => {
                let target = self.expression(target)?;
                let function = self.expression(function)?;
                self.store(&target, function)?;
                // The definition happens on the line on which it begins.
                self.fix_line(node.line);
            }
            Stmt::LocalFunction { var, function } => {
                self.local_function(var, function)?;
            }
            Stmt::Global(id) => self.global_declaration(self.ast.globals(id))?,
            Stmt::GlobalFunction {
                var,
                target,
                function,
            } => self.global_function(var, target, function, node.line)?,
            Stmt::Return(values) => self.return_statement(values, node.end_line)?,
            Stmt::Break => self.break_loop()?,
            Stmt::Goto(id) => {
                self.line = node.end_line;
                self.goto(id)?;
            }
            Stmt::Label(id) => self.place_label(id),
        }
        self.line = node.end_line;
        Ok(())
    }

    fn local(
        &mut self,
        vars: List<VarId>,
        values: List<ExprId>,
        end_line: u32,
    ) -> Result<(), Fail> {
        let last_var = self.ast.item(vars, vars.len() - 1);
        if let VarKind::CompileTime(_) = self.ast.var(last_var).kind {
            // Its value is in the program already; the values before it are not.
            for index in 0..vars.len() - 1 {
                let mut value = self.expression(self.ast.item(values, index))?;
                self.put_in_next(&mut value)?;
            }
        } else {
            if values.is_empty() {
                self.line = end_line;
            }
            let last = self.expressions(values)?;
            self.adjust(vars.len(), values.len(), last)?;
        }
        let mut closing = None;
        for var in self.ast.items(vars) {
            self.activate(var)?;
            if let VarKind::Close = self.ast.var(var).kind {
                closing = Some(var);
            }
        }
        if let Some(var) = closing {
            let reg = self.registers[var.0 as usize];
            self.emit_abc(Op::TBC, reg, 0, 0)?;
        }
        Ok(())
    }

    fn local_function(&mut self, var: VarId, function: ExprId) -> Result<(), Fail> {
        // The function sees its own name. CLOSURE writes the register before it makes the captures.
        self.activate(var)?;
        self.fun.free_register = self.variable_registers() - 1;
        let made = self.expression(function)?;
        debug_assert!(matches!(made.kind, Kind::Fixed(_)));
        // Its debug information begins after the closure is made.
        let pc = self.pc();
        if let Some(local) = self.fun.active.last().and_then(|active| active.local) {
            self.fun.locals[local as usize].start_pc = pc;
        }
        Ok(())
    }

    fn if_statement(&mut self, arms: List<Arm>, otherwise: Option<BlockId>) -> Result<(), Fail> {
        let mut ends = Jumps::NONE;
        for index in 0..arms.len() {
            let arm = self.ast.item(arms, index);
            let Some(if_false) = self.condition(arm)? else {
                continue;
            };
            self.block(arm.body)?;
            self.line = self.ast.block(arm.body).end_line;
            if index + 1 < arms.len() || otherwise.is_some() {
                let end = Jumps::one(self.jump()?);
                ends = self.join(end, ends);
            }
            self.patch_to_here(if_false);
        }
        if let Some(body) = otherwise {
            self.block(body)?;
        }
        self.patch_to_here(ends);
        Ok(())
    }

    fn return_statement(&mut self, values: List<ExprId>, end_line: u32) -> Result<(), Fail> {
        let Some(mut last) = self.expressions(values)? else {
            self.line = end_line;
            return self.emit_return(0, 0);
        };
        let first = self.variable_registers() as u8;
        if !last.is_multiple() {
            if values.len() == 1 {
                let reg = self.put_in_any(&mut last)?;
                return self.emit_return(reg, 1);
            }
            self.put_in_next(&mut last)?;
            return self.emit_return(first, values.len());
        }
        self.set_results(&last, None)?;
        let close = u8::from(self.needs_close(0));
        if let Kind::Call(pc) = last.kind
            && values.len() == 1
            && self.fun.to_close == 0
        {
            let call = self.instr(pc);
            let tail = Instr::abc(Op::TAILCALL, call.a() as u8, call.b() as u8, close);
            self.set_instr(pc, tail);
        }
        self.emit_abc(Op::RETURN, first, 0, close)?;
        Ok(())
    }

    /// Emits a return of `count` values from register `first` on.
    pub(super) fn emit_return(&mut self, first: u8, count: usize) -> Result<(), Fail> {
        let close = self.needs_close(0);
        match (count, close) {
            (0, false) => self.emit_abc(Op::RETURN0, 0, 0, 0)?,
            (1, false) => self.emit_abc(Op::RETURN1, first, 0, 0)?,
            _ => self.emit_abc(Op::RETURN, first, (count + 1) as u8, u8::from(close))?,
        };
        Ok(())
    }
}
