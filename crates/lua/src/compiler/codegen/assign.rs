//! Stores and assignment statements.

use super::operand::{Exp, Kind};
use super::{Generator, Reg};
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::op::{Instr, Op};

impl Generator<'_, '_, '_> {
    /// Stores a value in a variable or field.
    pub(super) fn store(&mut self, target: &Exp, mut value: Exp) -> Result<(), Fail> {
        let (with_register, with_constant, a, b) = match target.kind {
            Kind::Local(reg) => {
                self.free_exp(&value);
                return self.put_in(&mut value, reg);
            }
            Kind::Upvalue(index) => {
                debug_assert!(self.by_reference(self.upvalue_var(index)));
                let reg = self.put_in_any(&mut value)?;
                self.emit_abc(Op::SETUPBOX, reg, index, 0)?;
                self.free_exp(&value);
                return Ok(());
            }
            Kind::IndexedUpvalue { upvalue, key } => (Op::SETTABUP, Op::SETTABUPK, upvalue, key),
            Kind::IndexedInt { table, key } => (Op::SETI, Op::SETIK, table, key),
            Kind::IndexedStr { table, key } => (Op::SETFIELD, Op::SETFIELDK, table, key),
            Kind::Indexed { table, key } => (Op::SETTABLE, Op::SETTABLEK, table, key),
            other => unreachable!("the parser refused to assign to {other:?}"),
        };
        match self.constant_operand(&value)? {
            Some(constant) => self.emit_abc(with_constant, a, b, constant)?,
            None => {
                let reg = self.put_in_any(&mut value)?;
                self.emit_abc(with_register, a, b, reg)?
            }
        };
        self.free_exp(&value);
        Ok(())
    }

    /// Generates `targets = values`.
    pub(super) fn assignment(
        &mut self,
        targets: List<ExprId>,
        values: List<ExprId>,
    ) -> Result<(), Fail> {
        let mut places: Vec<Exp> = Vec::with_capacity(targets.len());
        for id in self.ast.items(targets) {
            let place = self.expression(id)?;
            if let Kind::Local(reg) = place.kind {
                self.resolve_conflict(&mut places, reg)?;
            }
            places.push(place);
        }
        let last = self.expressions(values)?;
        let mut last_place = places.len();
        match last {
            Some(mut value) if targets.len() == values.len() => {
                self.one_result(&mut value);
                last_place -= 1;
                self.store(&places[last_place], value)?;
            }
            last => self.adjust(targets.len(), values.len(), last)?,
        }
        // The other values are on top of the registers, the last uppermost.
        for place in places[..last_place].iter().rev() {
            let top = (self.fun.free_register - 1) as Reg;
            self.store(place, Kind::Fixed(top).into())?;
        }
        Ok(())
    }

    /// A local variable about to be assigned may be the table or key of a field assigned in the same statement, which
    /// needs its old value: those use a copy.
    fn resolve_conflict(&mut self, places: &mut [Exp], reg: Reg) -> Result<(), Fail> {
        let copy = self.free_register();
        let mut conflict = false;
        for place in places {
            match &mut place.kind {
                Kind::Indexed { table, key } => {
                    for part in [table, key] {
                        if *part == reg {
                            *part = copy;
                            conflict = true;
                        }
                    }
                }
                Kind::IndexedInt { table, .. } | Kind::IndexedStr { table, .. }
                    if *table == reg =>
                {
                    *table = copy;
                    conflict = true;
                }
                _ => {}
            }
        }
        if conflict {
            self.reserve(1)?;
            self.emit(Instr::abc(Op::MOVE, copy, reg, 0))?;
        }
        Ok(())
    }

    /// Makes `wanted` values out of `given`, of which `last` is the last, in new registers.
    pub(super) fn adjust(
        &mut self,
        wanted: usize,
        given: usize,
        last: Option<Exp>,
    ) -> Result<(), Fail> {
        let missing = wanted.saturating_sub(given);
        match last {
            Some(last) if last.is_multiple() => {
                // The call or vararg stands for one of the values given.
                let results = (wanted + 1).saturating_sub(given);
                // Some of the results stay in the register that the expression has by itself.
                self.check_stack(results)?;
                self.set_results(&last, Some(results))?;
                self.reserve(missing)?;
            }
            last => {
                if let Some(mut last) = last {
                    self.put_in_next(&mut last)?;
                }
                if missing > 0 {
                    let first = self.reserve(missing)?;
                    self.emit_nil(first, missing)?;
                }
            }
        }
        // Superfluous values are dropped.
        if given > wanted {
            self.fun.free_register -= given - wanted;
        }
        Ok(())
    }
}
