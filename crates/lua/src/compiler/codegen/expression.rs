//! Expressions of the tree.

use super::Generator;
use super::operand::{Exp, Kind};
use crate::compiler::ast::*;
use crate::compiler::{Fail, Place};
use crate::dialect::Dialect;
use crate::op::{Instr, Op};

/// Positional items of a constructor are stored in batches of this many.
const ITEMS_PER_BATCH: usize = 50;

impl Generator<'_, '_, '_> {
    /// Generates an expression. The left side of operators, calls and indices is walked with an explicit stack: such
    /// chains may be as long as the source.
    pub(super) fn expression(&mut self, id: ExprId) -> Result<Exp, Fail> {
        let mut chain = Vec::new();
        let mut leaf = id;
        loop {
            let left = match self.ast.expr(leaf).expr {
                Expr::Binary { left, .. } => left,
                Expr::Field { object, .. } | Expr::Index { object, .. } => object,
                Expr::Call { function, .. } => function,
                _ => break,
            };
            if chain.len() == chain.capacity() {
                self.budget.spend(0, chain.len() * 4 + 16)?;
            }
            chain.push(leaf);
            leaf = left;
        }
        let mut exp = self.leaf(leaf)?;
        while let Some(id) = chain.pop() {
            exp = self.apply(id, exp)?;
        }
        Ok(exp)
    }

    /// Notes that the parser would have read this expression, all of it, by now.
    fn see(&mut self, id: ExprId) {
        self.seen = Place {
            expressions: self.seen.expressions.max(id.0 + 1),
            separator: false,
        };
    }

    /// Generates an expression that has no left side.
    fn leaf(&mut self, id: ExprId) -> Result<Exp, Fail> {
        let node = self.ast.expr(id);
        let exp = match node.expr {
            Expr::Vararg { line_before } => {
                self.line = line_before;
                let pc = self.varargs()?;
                self.line = node.line;
                Ok(Kind::Vararg(pc).into())
            }
            Expr::Function(function) => {
                let child = self.function(function)?;
                self.line = node.line;
                self.closure(child)
            }
            Expr::Global {
                environment, name, ..
            } => {
                self.line = node.line;
                self.see(id);
                let mut object = self.variable(self.ast.expr(environment).expr);
                let before = self.pc();
                self.make_indexable(&mut object)?;
                if self.pc() > before {
                    // Reading the environment has no line of its own: the access to its field has.
                    self.fix_line(0);
                }
                self.indexed(&mut object, &mut Kind::Str(name).into())?;
                Ok(object)
            }
            Expr::Paren(inner) => {
                let mut exp = self.expression(inner)?;
                self.line = node.line;
                self.discharge_variables(&mut exp)?;
                Ok(exp)
            }
            Expr::Unary { op, operand } => {
                let mut exp = self.expression(operand)?;
                let line = self.operation_line(node.line);
                self.unary(op, &mut exp, line)?;
                Ok(exp)
            }
            Expr::Table(table) => self.table(self.ast.table(table), node.line),
            simple => {
                self.line = node.line;
                Ok(self.variable(simple))
            }
        };
        self.see(id);
        exp
    }

    /// The line of an operation whose operands are there: in 5.1 where the last one ends, later the operator's.
    fn operation_line(&self, line: u32) -> u32 {
        match self.options.dialect {
            Dialect::Lua51 => self.line,
            _ => line,
        }
    }

    /// Describes a variable or constant; makes no code.
    fn variable(&self, expr: Expr) -> Exp {
        let kind = match expr {
            Expr::True => Kind::True,
            Expr::False => Kind::False,
            Expr::Int(value) => Kind::Int(value),
            Expr::Float(value) => Kind::Float(value),
            Expr::Str(id) => Kind::Str(id),
            Expr::Local(var) => Kind::Local(self.registers[var.0 as usize]),
            Expr::Upvalue(index) => Kind::Upvalue(index),
            other => {
                debug_assert!(matches!(other, Expr::Nil), "{other:?} is no leaf");
                Kind::Nil
            }
        };
        kind.into()
    }

    fn closure(&mut self, child: std::sync::Arc<crate::chunk::FunctionCode>) -> Result<Exp, Fail> {
        let index = self.fun.children.len() as u16;
        self.fun.children.push(child);
        let pc = self.emit(Instr::abx(Op::CLOSURE, 0, index))?;
        let mut exp = Kind::Reloc(pc).into();
        self.put_in_next(&mut exp)?;
        Ok(exp)
    }

    /// Generates one link of a chain whose left side is there.
    fn apply(&mut self, id: ExprId, mut left: Exp) -> Result<Exp, Fail> {
        let node = self.ast.expr(id);
        match node.expr {
            Expr::Binary { op, right, .. } => {
                self.line = node.line;
                self.infix(op, &mut left)?;
                let right = self.expression(right)?;
                self.see(id);
                let line = self.operation_line(node.line);
                self.postfix(op, left, right, line)
            }
            Expr::Field { object, name } if self.is_virtual_vararg(object) => {
                self.see(id);
                self.line = node.line;
                self.vararg_field(Kind::Str(name).into())
            }
            Expr::Index { object, key } if self.is_virtual_vararg(object) => {
                let key = self.expression(key)?;
                self.see(id);
                self.line = node.line;
                self.vararg_field(key)
            }
            Expr::Field { name, .. } => {
                self.make_indexable(&mut left)?;
                self.see(id);
                self.line = node.line;
                self.indexed(&mut left, &mut Kind::Str(name).into())?;
                Ok(left)
            }
            Expr::Index { key, .. } => {
                self.make_indexable(&mut left)?;
                let mut key = self.expression(key)?;
                self.make_value(&mut key)?;
                self.see(id);
                self.line = node.line;
                self.indexed(&mut left, &mut key)?;
                Ok(left)
            }
            Expr::Call { call, .. } => self.call(id, self.ast.call(call), left),
            other => {
                debug_assert!(false, "{other:?} is no link of a chain");
                Ok(left)
            }
        }
    }

    fn call(&mut self, id: ExprId, call: Call, mut function: Exp) -> Result<Exp, Fail> {
        let base = match call.method {
            Some((name, line)) => {
                self.line = line;
                self.method(&mut function, name)?
            }
            None => self.put_in_next(&mut function)?,
        };
        let last = self.expressions(call.arguments)?;
        self.see(id);
        self.line = self.ast.expr(id).line;
        let arguments = match last {
            Some(last) if last.is_multiple() => {
                self.set_results(&last, None)?;
                None
            }
            last => {
                if let Some(mut last) = last {
                    self.put_in_next(&mut last)?;
                }
                Some(self.fun.free_register - base as usize - 1)
            }
        };
        let b = arguments.map_or(0, |count| count + 1) as u8;
        let pc = self.emit_abc(Op::CALL, base, b, 2)?;
        self.fix_line(call.line);
        // The call takes everything from the function up and leaves, for now, one result.
        self.fun.free_register = base as usize + 1;
        Ok(Kind::Call(pc).into())
    }

    /// Puts `object.name` and `object` in two new registers.
    fn method(
        &mut self,
        object: &mut Exp,
        name: crate::compiler::strings::StrId,
    ) -> Result<super::Reg, Fail> {
        let object_register = self.put_in_any(object)?;
        let key: Exp = Kind::Str(name).into();
        match self.name_operand(&key)? {
            Some(constant) => {
                self.free_exp(object);
                let base = self.reserve(2)?;
                self.emit_abc(Op::SELF, base, object_register, constant)?;
                Ok(base)
            }
            None => {
                // The name's constant is out of reach of SELF: the same by hand.
                self.free_exp(object);
                let base = self.reserve(2)?;
                self.emit_abc(Op::MOVE, base + 1, object_register, 0)?;
                let mut key = key;
                self.put_in(&mut key, base)?;
                self.emit_abc(Op::GETTABLE, base, base + 1, base)?;
                Ok(base)
            }
        }
    }

    /// Generates a list of expressions into registers, except for the last, which is returned; `None` if there is none.
    pub(super) fn expressions(&mut self, list: List<ExprId>) -> Result<Option<Exp>, Fail> {
        for index in 0..list.len() {
            let id = self.ast.item(list, index);
            let mut exp = self.expression(id)?;
            if index + 1 == list.len() {
                return Ok(Some(exp));
            }
            self.pass_separator(id);
            self.put_in_next(&mut exp)?;
        }
        Ok(None)
    }

    /// The reference finishes a list element only after it has consumed the separator.
    fn pass_separator(&mut self, element: ExprId) {
        self.seen.separator = true;
        if let Some(line) = self.ast.late_line(element) {
            self.line = line;
        }
    }

    fn table(&mut self, table: Table, end_line: u32) -> Result<Exp, Fail> {
        self.line = table.line_before;
        let pc = self.emit_abc(Op::NEWTABLE, 0, 0, 0)?;
        let reg = self.reserve(1)?;
        let mut stored = 0;
        let mut waiting = 0;
        let mut open = false;
        let positional = table.items.len() - table.keyed as usize;
        for item in self.ast.items(table.items) {
            if item.key.is_some() {
                self.keyed_item(reg, item)?;
                continue;
            }
            let mut value = self.expression(item.value)?;
            waiting += 1;
            let is_last = stored + waiting == positional;
            // Only an item at the very end of the list gives all its values.
            let at_end = self.ast.item(table.items, table.items.len() - 1).value == item.value;
            self.pass_separator(item.value);
            if is_last && at_end && value.is_multiple() {
                self.set_results(&value, None)?;
                open = true;
                break;
            }
            self.put_in_next(&mut value)?;
            if waiting == ITEMS_PER_BATCH && !is_last {
                self.store_items(reg, stored, waiting)?;
                stored += waiting;
                waiting = 0;
            }
        }
        self.line = end_line;
        if open {
            self.set_list(reg, stored, 0)?;
        } else if waiting > 0 {
            self.set_list(reg, stored, waiting)?;
        }
        self.fun.free_register = reg as usize + 1;
        // An open number of values is one, as a rule; alone it may be any.
        let array_size = if open && positional == 1 {
            0
        } else {
            positional
        };
        let hash_size = match table.keyed {
            0 => 0,
            keyed => 1 + keyed.next_power_of_two().trailing_zeros() as u8,
        };
        let made = Instr::abc(Op::NEWTABLE, reg, hash_size, array_size.min(255) as u8);
        self.set_instr(pc, made);
        Ok(Kind::Fixed(reg).into())
    }

    fn store_items(&mut self, table: super::Reg, stored: usize, count: usize) -> Result<(), Fail> {
        self.set_list(table, stored, count)?;
        self.fun.free_register = table as usize + 1;
        Ok(())
    }

    fn set_list(&mut self, table: super::Reg, start: usize, count: usize) -> Result<(), Fail> {
        if start > Instr::MAX_AX as usize {
            return Err(self.limit("too many items in a constructor"));
        }
        self.emit_abc(Op::SETLIST, table, count as u8, 0)?;
        self.emit(Instr::ax(Op::EXTRAARG, start as u32)).map(drop)
    }

    fn keyed_item(&mut self, table: super::Reg, item: TableItem) -> Result<(), Fail> {
        let Some(key) = item.key else { return Ok(()) };
        let free = self.fun.free_register;
        let mut key = self.expression(key)?;
        self.make_value(&mut key)?;
        self.line = item.line;
        let mut target: Exp = Kind::Fixed(table).into();
        self.indexed(&mut target, &mut key)?;
        let value = self.expression(item.value)?;
        self.store(&target, value)?;
        self.fun.free_register = free;
        Ok(())
    }
}
