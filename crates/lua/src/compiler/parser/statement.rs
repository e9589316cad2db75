//! Statements and blocks.

use super::Parser;
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::compiler::lexer::Token;
use crate::compiler::resolve::{GotoError, TooMany};
use crate::compiler::strings::StrId;
use crate::dialect::Dialect;
use std::collections::HashMap;

/// Most values that a `return` may list (5.5; before, registers are what limits them).
const MAX_RETURNS: usize = 254;

impl Parser<'_, '_, '_> {
    /// Whether the current token ends a block; `until` does so only where its condition sees the block's variables.
    fn ends_block(&self, with_until: bool) -> bool {
        match self.token.token {
            Token::Else | Token::ElseIf | Token::End | Token::Eof => true,
            Token::Until => with_until,
            _ => false,
        }
    }

    /// Parses the statements of a block whose scope is open.
    pub(super) fn statement_list(&mut self) -> Result<BlockId, Fail> {
        let start = self.scratch.stmts.len();
        while !self.ends_block(true) {
            let is_return = self.token.token == Token::Return;
            let ends_block = self.dialect == Dialect::Lua51 && self.token.token == Token::Break;
            self.statement()?;
            if ends_block && self.token.token == Token::Semicolon {
                self.advance()?;
            }
            if is_return || ends_block {
                break;
            }
        }
        let statements = self.ast.add_list(&self.scratch.stmts[start..]);
        self.scratch.stmts.truncate(start);
        self.lexer.budget.spend(1, std::mem::size_of::<Block>())?;
        let id = BlockId(self.ast.blocks.len() as u32);
        self.ast.blocks.push(Block {
            statements,
            end_line: self.last_line,
        });
        Ok(id)
    }

    /// Parses a block in a scope of its own.
    #[inline(never)]
    fn block(&mut self) -> Result<BlockId, Fail> {
        self.scopes.open_block(false);
        let block = self.statement_list()?;
        self.scopes.close_block(&mut self.ast);
        Ok(block)
    }

    pub(super) fn push_stmt(&mut self, stmt: Stmt, line: u32) -> Result<(), Fail> {
        self.lexer
            .budget
            .spend(1, std::mem::size_of::<StmtNode>() + 4)?;
        let id = StmtId(self.ast.stmts.len() as u32);
        self.ast.stmts.push(StmtNode {
            stmt,
            line,
            end_line: self.last_line,
        });
        self.scratch.stmts.push(id);
        Ok(())
    }

    /// What a kind of statement needs on the native stack is its function's own (none of them is inlined): nesting repeats this
    /// frame and that of one kind, not the sum of all.
    #[inline(never)]
    fn statement(&mut self) -> Result<(), Fail> {
        let line = self.line();
        self.enter()?;
        match self.token.token {
            Token::Semicolon => self.advance()?,
            Token::If => self.if_statement(line)?,
            Token::While => self.while_statement(line)?,
            Token::Do => {
                self.advance()?;
                let block = self.block()?;
                self.expect_match(Token::End, Token::Do, line)?;
                self.push_stmt(Stmt::Do(block), line)?;
            }
            Token::For => self.for_statement(line)?,
            Token::Repeat => self.repeat_statement(line)?,
            Token::Function => self.function_statement(line)?,
            Token::Local => {
                self.advance()?;
                if self.accept(Token::Function)? {
                    self.local_function(line)?;
                } else {
                    self.local_statement(line)?;
                }
            }
            Token::ColonColon => self.label_statement(line)?,
            Token::Return => self.return_statement(line)?,
            Token::Break => {
                let in_loop = self.scopes.in_loop();
                if !in_loop && self.dialect >= Dialect::Lua55 {
                    return Err(self.error("break outside loop"));
                }
                self.advance()?;
                if !in_loop {
                    if self.dialect == Dialect::Lua51 {
                        return Err(self.error("no loop to break"));
                    }
                    self.scopes.add_stray_break(line);
                }
                self.push_stmt(Stmt::Break, line)?;
            }
            Token::Goto => self.goto_statement(line)?,
            Token::Name(name) if self.dialect == Dialect::Lua51 => {
                match name == self.goto_name && matches!(self.look_ahead()?, Token::Name(_)) {
                    true => self.goto_statement(line)?,
                    false => self.expression_statement(line)?,
                }
            }
            Token::Name(name) if self.dialect >= Dialect::Lua55 => {
                match name == self.global_name && self.declares_globals()? {
                    true => self.global_statement(line)?,
                    false => self.expression_statement(line)?,
                }
            }
            _ => self.expression_statement(line)?,
        }
        self.leave();
        Ok(())
    }

    #[inline(never)]
    fn goto_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        let name_line = self.line();
        let name = self.expect_name()?;
        let id = self.scopes.add_goto(&mut self.ast, name, name_line);
        self.push_stmt(Stmt::Goto(id), line)
    }

    #[inline(never)]
    fn if_statement(&mut self, line: u32) -> Result<(), Fail> {
        let start = self.scratch.arms.len();
        loop {
            self.advance()?;
            let condition = self.expression()?;
            self.expect(Token::Then)?;
            let then_line = self.last_line;
            let body = self.block()?;
            self.lexer.budget.spend(1, std::mem::size_of::<Arm>())?;
            self.scratch.arms.push(Arm {
                condition,
                line: then_line,
                body,
            });
            if self.token.token != Token::ElseIf {
                break;
            }
        }
        let otherwise = match self.accept(Token::Else)? {
            true => Some(self.block()?),
            false => None,
        };
        self.expect_match(Token::End, Token::If, line)?;
        let arms = self.ast.add_list(&self.scratch.arms[start..]);
        self.scratch.arms.truncate(start);
        self.push_stmt(Stmt::If { arms, otherwise }, line)
    }

    #[inline(never)]
    fn while_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        let condition = self.expression()?;
        self.scopes.open_block(true);
        self.expect(Token::Do)?;
        let body = self.block()?;
        self.expect_match(Token::End, Token::While, line)?;
        self.scopes.close_block(&mut self.ast);
        self.push_stmt(Stmt::While { condition, body }, line)
    }

    #[inline(never)]
    fn repeat_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        self.scopes.open_block(true);
        self.scopes.open_block(false);
        let body = self.statement_list()?;
        self.expect_match(Token::Until, Token::Repeat, line)?;
        let condition = self.expression()?;
        self.scopes.close_block(&mut self.ast);
        self.scopes.close_block(&mut self.ast);
        self.push_stmt(Stmt::Repeat { body, condition }, line)
    }

    #[inline(never)]
    fn for_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.scopes.open_block(true);
        self.advance()?;
        let name = self.expect_name()?;
        let stmt = match self.token.token {
            Token::Assign => Stmt::NumericFor(self.numeric_for(name, line)?),
            Token::Comma | Token::In => Stmt::GenericFor(self.generic_for(name)?),
            _ => return Err(self.error("'=' or 'in' expected")),
        };
        self.expect_match(Token::End, Token::For, line)?;
        self.scopes.close_block(&mut self.ast);
        self.push_stmt(stmt, line)
    }

    #[inline(never)]
    fn numeric_for(&mut self, name: StrId, line: u32) -> Result<ForId, Fail> {
        let start = self.scratch.vars.len();
        self.declare_hidden(match self.dialect >= Dialect::Lua54 {
            true if self.dialect >= Dialect::Lua55 => {
                &["(for state)", "(for state)", "(for control)"]
            }
            true => &["(for state)"; 3],
            false => &["(for index)", "(for limit)", "(for step)"],
        })?;
        let var = self.declare(name, self.loop_variable_kind())?;
        self.scratch.vars.push(var);
        self.expect(Token::Assign)?;
        let mut values = [self.expression()?; 3];
        self.expect(Token::Comma)?;
        values[1] = self.expression()?;
        let with_step = self.accept(Token::Comma)?;
        if with_step {
            values[2] = self.expression()?;
        }
        let values = self.ast.add_list(&values[..2 + usize::from(with_step)]);
        self.for_body(start, 3, values, line)
    }

    #[inline(never)]
    fn generic_for(&mut self, name: StrId) -> Result<ForId, Fail> {
        let start = self.scratch.vars.len();
        self.declare_hidden(match self.dialect >= Dialect::Lua54 {
            // The control variable is hidden here only: in 5.5, the first variable of the script is it.
            true if self.dialect >= Dialect::Lua55 => {
                &["(for state)", "(for state)", "(for control)", "(for state)"]
            }
            true => &["(for state)"; 4],
            false => &[
                "(for generator)",
                "(for state)",
                "(for control)",
                "(for unused)",
            ],
        })?;
        // The fourth hidden value is closed when the loop ends.
        if let Some(&closing) = self.scratch.vars.last()
            && self.dialect.has_attributes()
        {
            self.ast.var_mut(closing).kind = VarKind::Close;
        }
        let var = self.declare(name, self.loop_variable_kind())?;
        self.scratch.vars.push(var);
        while self.accept(Token::Comma)? {
            let name = self.expect_name()?;
            let var = self.declare(name, VarKind::Regular)?;
            self.scratch.vars.push(var);
        }
        self.expect(Token::In)?;
        let line = self.line();
        let values = self.expression_list()?;
        self.for_body(start, 4, values, line)
    }

    /// What the variable is that controls a loop: read-only from 5.5 on.
    fn loop_variable_kind(&self) -> VarKind {
        match self.dialect >= Dialect::Lua55 {
            true => VarKind::Const,
            false => VarKind::Regular,
        }
    }

    fn declare_hidden(&mut self, names: &[&str]) -> Result<(), Fail> {
        for name in names {
            let name = self.lexer.intern(name.as_bytes())?;
            let var = self.declare(name, VarKind::Regular)?;
            self.scratch.vars.push(var);
        }
        Ok(())
    }

    /// Parses `do block`, with the first `hidden` of the variables in scope around the block.
    #[inline(never)]
    fn for_body(
        &mut self,
        start: usize,
        hidden: usize,
        values: List<ExprId>,
        line: u32,
    ) -> Result<ForId, Fail> {
        let vars = self.take_vars(start);
        for index in 0..hidden {
            self.scopes.activate(&self.ast, self.ast.item(vars, index));
        }
        self.expect(Token::Do)?;
        let do_line = self.last_line;
        self.scopes.open_block(false);
        for index in hidden..vars.len() {
            self.scopes.activate(&self.ast, self.ast.item(vars, index));
        }
        // The variables and the body are scopes of their own, as a `goto` out of the body sees.
        let body = self.block()?;
        self.scopes.close_block(&mut self.ast);
        self.lexer.budget.spend(1, std::mem::size_of::<For>())?;
        let id = ForId(self.ast.fors.len() as u32);
        self.ast.fors.push(For {
            vars,
            values,
            body,
            line,
            do_line,
        });
        Ok(id)
    }

    #[inline(never)]
    fn function_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        let name = self.expect_name()?;
        let mut target = self.variable(name)?;
        while self.token.token == Token::Dot {
            target = self.field(target)?;
        }
        let is_method = self.token.token == Token::Colon;
        if is_method {
            target = self.field(target)?;
        }
        let function = if self.dialect >= Dialect::Lua55 {
            self.assign(target)?;
            self.function_body(is_method, line)?
        } else {
            let function = self.function_body(is_method, line)?;
            self.assign(target)?;
            function
        };
        self.push_stmt(Stmt::Function { target, function }, line)
    }

    #[inline(never)]
    fn local_function(&mut self, line: u32) -> Result<(), Fail> {
        let name = self.expect_name()?;
        let var = self.declare(name, VarKind::Regular)?;
        self.scopes.activate(&self.ast, var);
        let function = self.function_body(false, self.line())?;
        self.push_stmt(Stmt::LocalFunction { var, function }, line)
    }

    #[inline(never)]
    fn local_statement(&mut self, line: u32) -> Result<(), Fail> {
        let start = self.scratch.vars.len();
        let mut closes = false;
        let default = match self.dialect >= Dialect::Lua55 {
            true => self.attribute(VarKind::Regular)?,
            false => VarKind::Regular,
        };
        loop {
            let name = self.expect_name()?;
            let var = self.declare(name, VarKind::Regular)?;
            self.scratch.vars.push(var);
            let kind = self.attribute(default)?;
            if matches!(kind, VarKind::Close) {
                if closes {
                    let message = "multiple to-be-closed variables in local list";
                    return Err(self.error_plain(message));
                }
                closes = true;
            }
            self.ast.var_mut(var).kind = kind;
            if !self.accept(Token::Comma)? {
                break;
            }
        }
        let values = match self.accept(Token::Assign)? {
            true => self.expression_list()?,
            false => List::EMPTY,
        };
        let vars = self.take_vars(start);
        if vars.len() == values.len() {
            let last = self.ast.item(vars, vars.len() - 1);
            let value = self.ast.expr(self.ast.item(values, values.len() - 1)).expr;
            if matches!(self.ast.var(last).kind, VarKind::Const) && value.constant_truth().is_some()
            {
                self.ast.var_mut(last).kind = VarKind::CompileTime(value);
                if self.dialect >= Dialect::Lua55 {
                    self.scopes.uncount();
                }
            }
        }
        self.activate(vars);
        self.push_stmt(Stmt::Local { vars, values }, line)
    }

    /// Parses `<const>`, `<close>` or nothing, which means `default`.
    pub(super) fn attribute(&mut self, default: VarKind) -> Result<VarKind, Fail> {
        if !self.attributes || !self.accept(Token::Less)? {
            return Ok(default);
        }
        let name = self.expect_name()?;
        self.expect(Token::Greater)?;
        match self.lexer.strings.get(name) {
            b"const" => Ok(VarKind::Const),
            b"close" => Ok(VarKind::Close),
            _ => Err(self.error_about("unknown attribute '", name, "'")),
        }
    }

    /// Parses a label and those right after it, which all mark the same place.
    #[inline(never)]
    fn label_statement(&mut self, line: u32) -> Result<(), Fail> {
        let mut labels = Vec::new();
        let mut known = HashMap::new();
        let mut line = line;
        loop {
            self.advance()?;
            let name = self.expect_name()?;
            labels.push((name, line));
            if self.dialect < Dialect::Lua54 {
                // Looked up before the next one is read.
                let checked = match known.insert(name, line) {
                    Some(line) => Err(GotoError::Repeated { name, line }),
                    None => self.scopes.check_label(name),
                };
                checked.map_err(|e| self.goto_error(e))?;
            }
            self.expect(Token::ColonColon)?;
            while self.accept(Token::Semicolon)? {}
            if self.token.token != Token::ColonColon {
                break;
            }
            line = self.line();
        }
        let ends_block = self.ends_block(false);
        for &(name, line) in labels.iter().rev() {
            let checked = self.scopes.check_label(name);
            checked.map_err(|e| self.goto_error(e))?;
            let added = self.scopes.add_label(&mut self.ast, name, line, ends_block);
            let (label, looked_at) = added.map_err(|e| self.goto_error(e))?;
            self.lexer.budget.spend(1 + looked_at as u64 / 8, 64)?;
            self.push_stmt(Stmt::Label(label), line)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn return_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        let values = if self.ends_block(true) || self.token.token == Token::Semicolon {
            List::EMPTY
        } else {
            self.expression_list()?
        };
        if self.dialect >= Dialect::Lua55 && values.len() > MAX_RETURNS {
            let function = self.ast.function(self.scopes.current());
            return Err(self.too_many(TooMany {
                what: "returns",
                limit: MAX_RETURNS + 1,
                line: function.line,
            }));
        }
        self.push_stmt(Stmt::Return(values), line)?;
        self.accept(Token::Semicolon)?;
        Ok(())
    }

    /// Parses a call or an assignment.
    #[inline(never)]
    fn expression_statement(&mut self, line: u32) -> Result<(), Fail> {
        let first = self.suffixed_expression()?;
        let expr = self.ast.expr(first).expr;
        // In 5.1 a call is a statement, whatever follows.
        let is_statement = self.dialect == Dialect::Lua51 && matches!(expr, Expr::Call { .. });
        if matches!(self.token.token, Token::Assign | Token::Comma) && !is_statement {
            return self.assignment(first, line);
        }
        match expr {
            Expr::Call { .. } => self.push_stmt(Stmt::Call(first), line),
            // 5.1 takes everything that is no call for an assignment.
            Expr::Global { .. }
            | Expr::Field { .. }
            | Expr::Index { .. }
            | Expr::Local(_)
            | Expr::Upvalue(_)
                if self.dialect == Dialect::Lua51 =>
            {
                Err(self.error("'=' expected"))
            }
            _ => Err(self.error("syntax error")),
        }
    }

    fn assignment(&mut self, first: ExprId, line: u32) -> Result<(), Fail> {
        let start = self.scratch.exprs.len();
        let depth = self.depth;
        let mut target = first;
        loop {
            self.assign(target)?;
            self.scratch.exprs.push(target);
            if !self.accept(Token::Comma)? {
                break;
            }
            target = self.suffixed_expression()?;
            // The reference recurses here, which limits the number of targets; a program that needs more registers
            // than there are would fail anyway.
            self.enter()?;
        }
        self.depth = depth;
        self.expect(Token::Assign)?;
        let targets = self.ast.add_list(&self.scratch.exprs[start..]);
        self.scratch.exprs.truncate(start);
        let values = self.expression_list()?;
        self.push_stmt(Stmt::Assign { targets, values }, line)
    }

    /// Checks that an expression can be assigned, and notes that it is.
    fn assign(&mut self, target: ExprId) -> Result<(), Fail> {
        let var = match self.ast.expr(target).expr {
            Expr::Global {
                name,
                read_only: true,
                ..
            } => return Err(self.constant_assigned(name)),
            Expr::Global { .. } => return Ok(()),
            Expr::Field { object, .. } | Expr::Index { object, .. } => {
                if self.is_vararg_parameter(object) {
                    // Only a real table can be changed.
                    let function = self.scopes.current();
                    self.ast.function_mut(function).vararg_escapes += 1;
                }
                return Ok(());
            }
            Expr::Local(var) => var,
            Expr::Upvalue(index) => {
                let function = self.ast.function(self.scopes.current());
                function.upvalues[index as usize].var
            }
            _ => {
                return Err(match self.named_constant {
                    Some((id, name)) if id == target => self.constant_assigned(name),
                    _ => self.error("syntax error"),
                });
            }
        };
        let var = self.ast.var_mut(var);
        if matches!(var.kind, VarKind::Regular) {
            var.assigned = true;
            return Ok(());
        }
        let name = var.name;
        Err(self.constant_assigned(name))
    }

    fn constant_assigned(&self, name: StrId) -> Fail {
        self.error_about("attempt to assign to const variable '", name, "'")
    }
}
