//! Variables in scope, and what leaving a scope takes.
//!
//! **Invariant:** a captured variable's register is closed (`CLOSE`, or the close flag of a return) before it is
//! reused, if the capture is by reference; so is a variable that is to be closed. Nothing else needs closing.

use super::{ActiveVar, Generator, Reg};
use crate::chunk::LocalVar;
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::op::Op;

impl Generator<'_, '_, '_> {
    /// How many variables are in scope.
    pub(super) fn level(&self) -> usize {
        self.fun.active.len()
    }

    /// The register above those of the variables below `level`.
    fn level_register(&self, level: usize) -> usize {
        match level.checked_sub(1) {
            Some(last) => self.fun.active[last].registers,
            None => 0,
        }
    }

    /// How many registers the variables in scope take.
    pub(super) fn variable_registers(&self) -> usize {
        self.level_register(self.level())
    }

    /// Brings a variable into scope. Its value is in the next register above the variables.
    pub(super) fn activate(&mut self, var: VarId) -> Result<(), Fail> {
        let info = self.ast.var(var);
        let mut registers = self.variable_registers();
        let local = match info.kind {
            VarKind::CompileTime(_) | VarKind::Global { .. } => None,
            _ => {
                self.registers[var.0 as usize] = registers as Reg;
                registers += 1;
                let name = self.text(info.name).into();
                self.budget.spend(1, 48 + self.text(info.name).len())?;
                self.fun.locals.push(LocalVar {
                    name,
                    start_pc: self.pc(),
                    end_pc: self.pc(),
                });
                Some(self.fun.locals.len() as u32 - 1)
            }
        };
        if self.is_to_be_closed(var) {
            self.fun.to_close += 1;
        }
        self.fun.active.push(ActiveVar {
            var,
            local,
            registers,
        });
        Ok(())
    }

    fn is_to_be_closed(&self, var: VarId) -> bool {
        matches!(self.ast.var(var).kind, VarKind::Close)
    }

    /// Whether some variable in scope from `level` on needs closing.
    pub(super) fn needs_close(&self, level: usize) -> bool {
        self.fun.active[level..]
            .iter()
            .any(|active| self.is_to_be_closed(active.var) || self.by_reference(active.var))
    }

    /// Closes the variables from `level` on, if they need it.
    pub(super) fn emit_close(&mut self, level: usize) -> Result<(), Fail> {
        if self.needs_close(level) {
            let reg = self.level_register(level) as Reg;
            self.emit_abc(Op::CLOSE, reg, 0, 0)?;
        }
        Ok(())
    }

    /// Takes the variables from `level` on out of scope.
    pub(super) fn leave_scope(&mut self, level: usize) -> Result<(), Fail> {
        let end = self.pc();
        while self.fun.active.len() > level {
            let Some(active) = self.fun.active.pop() else {
                break;
            };
            if let Some(local) = active.local {
                self.fun.locals[local as usize].end_pc = end;
            }
            if self.is_to_be_closed(active.var) {
                self.fun.to_close -= 1;
            }
        }
        self.fun.free_register = self.variable_registers();
        Ok(())
    }

    /// Generates a block in a scope of its own.
    pub(super) fn block(&mut self, id: BlockId) -> Result<(), Fail> {
        let level = self.level();
        self.statements(id)?;
        self.emit_close(level)?;
        self.leave_scope(level)
    }
}
