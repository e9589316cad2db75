//! What 5.5 adds: declarations of globals, and named vararg parameters.
//!
//! A named vararg parameter is a table only if something can tell: while all that is done with it is reading its fields,
//! the extra arguments stay where they are and `GETVARG` reads them there.

use super::Generator;
use super::emit::ConstantKey;
use super::operand::{Exp, Kind};
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::op::{Instr, Op};

impl Generator<'_, '_, '_> {
    /// Generates `global names = values`. All places are evaluated before the values, and each global is checked right
    /// before it gets its value.
    pub(super) fn global_declaration(&mut self, declared: Globals) -> Result<(), Fail> {
        if !declared.values.is_empty() {
            let count = declared.targets.len();
            let mut places = Vec::with_capacity(count);
            for id in self.ast.items(declared.targets) {
                places.push((id, self.expression(id)?));
            }
            let last = self.expressions(declared.values)?;
            self.adjust(count, declared.values.len(), last)?;
            for (id, place) in places.into_iter().rev() {
                self.check_new(id, declared.line)?;
                let top = self.free_register() - 1;
                self.store(&place, Kind::Fixed(top).into())?;
            }
        }
        for var in self.ast.items(declared.vars) {
            self.activate(var)?;
        }
        Ok(())
    }

    pub(super) fn global_function(
        &mut self,
        var: VarId,
        target: ExprId,
        function: ExprId,
        line: u32,
    ) -> Result<(), Fail> {
        self.activate(var)?;
        let place = self.expression(target)?;
        let function = self.expression(function)?;
        self.check_new(target, line)?;
        self.store(&place, function)?;
        // The definition happens on the line on which it begins.
        self.fix_line(line);
        Ok(())
    }

    /// Generates the check that a global is not defined yet.
    fn check_new(&mut self, global: ExprId, line: u32) -> Result<(), Fail> {
        let Expr::Global { name, .. } = self.ast.expr(global).expr else {
            debug_assert!(false, "only globals are declared");
            return Ok(());
        };
        let mut value = self.expression(global)?;
        let reg = self.put_in_any(&mut value)?;
        self.fix_line(line);
        let name = self.constant(ConstantKey::Str(name))?;
        // 0 stands for a constant that is out of reach.
        let name = u16::try_from(name + 1).unwrap_or(0);
        self.emit(Instr::abx(Op::CHECKNEW, reg, name))?;
        self.fix_line(line);
        self.free_exp(&value);
        Ok(())
    }

    /// Generates `...`, whose results and target are still open.
    pub(super) fn varargs(&mut self) -> Result<u32, Fail> {
        let function = self.ast.function(self.fun.id.unwrap_or(MAIN));
        match function.vararg_table {
            // What was stored in the table shows in `...`. In 5.1 there is no table where `...` is used.
            Some(var) if self.needs_vararg_table(function) => {
                let table = self.registers[var.0 as usize];
                self.emit_abc(Op::UNPACKVARARG, 0, table, 2)
            }
            _ => self.emit_abc(Op::VARARG, 0, 0, 2),
        }
    }

    /// Whether an expression is the vararg parameter of the function, and no table.
    pub(super) fn is_virtual_vararg(&self, object: ExprId) -> bool {
        let Expr::Local(var) = self.ast.expr(object).expr else {
            return false;
        };
        let function = self.ast.function(self.fun.id.unwrap_or(MAIN));
        matches!(self.ast.var(var).kind, VarKind::Vararg) && !self.needs_vararg_table(function)
    }

    /// Reads a field of the vararg parameter.
    pub(super) fn vararg_field(&mut self, mut key: Exp) -> Result<Exp, Fail> {
        let reg = self.put_in_any(&mut key)?;
        self.free_exp(&key);
        let pc = self.emit_abc(Op::GETVARG, 0, 0, reg)?;
        Ok(Kind::Reloc(pc).into())
    }
}
