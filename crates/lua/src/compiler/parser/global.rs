//! Declarations of globals (5.5).
//!
//! ```text
//! global a, b <const> = 1, 2      names; with values, they must not be defined yet
//! global <const> *                all names
//! global function f() end
//! ```
//!
//! `global` is a name like any other where no declaration can follow it.
//!
//! **Invariant:** a declaration is a variable of kind [`VarKind::Global`], which takes part in scoping as locals do and has
//! no register.

use super::Parser;
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::compiler::lexer::Token;

impl Parser<'_, '_, '_> {
    /// Whether what follows the name `global` makes it the beginning of a declaration.
    pub(super) fn declares_globals(&mut self) -> Result<bool, Fail> {
        let next = self.look_ahead()?;
        Ok(matches!(
            next,
            Token::Less | Token::Name(_) | Token::Star | Token::Function
        ))
    }

    /// Parses a declaration; the current token is `global`, on line `line`.
    pub(super) fn global_statement(&mut self, line: u32) -> Result<(), Fail> {
        self.advance()?;
        if self.accept(Token::Function)? {
            return self.global_function(line);
        }
        let default = self.global_attribute(VarKind::Global { read_only: false })?;
        if !self.accept(Token::Star)? {
            return self.global_names(default, line);
        }
        let start = self.scratch.vars.len();
        let var = self.declare(self.every_global, default)?;
        self.scratch.vars.push(var);
        self.push_globals(start, List::EMPTY, List::EMPTY, line, line)
    }

    fn global_attribute(&mut self, default: VarKind) -> Result<VarKind, Fail> {
        match self.attribute(default)? {
            VarKind::Close => {
                let message = "global variables cannot be to-be-closed";
                Err(self.error_plain(message))
            }
            VarKind::Const => Ok(VarKind::Global { read_only: true }),
            kind => Ok(kind),
        }
    }

    fn global_names(&mut self, default: VarKind, line: u32) -> Result<(), Fail> {
        let start = self.scratch.vars.len();
        loop {
            let name = self.expect_name()?;
            let kind = self.global_attribute(default)?;
            let var = self.declare(name, kind)?;
            self.scratch.vars.push(var);
            if !self.accept(Token::Comma)? {
                break;
            }
        }
        if !self.accept(Token::Assign)? {
            return self.push_globals(start, List::EMPTY, List::EMPTY, line, line);
        }
        let values_line = self.line();
        let first_target = self.scratch.exprs.len();
        let depth = self.depth;
        for index in start..self.scratch.vars.len() {
            let name = self.ast.var(self.scratch.vars[index]).name;
            let target = self.global(name, false)?;
            self.scratch.exprs.push(target);
            // The reference recurses here, as in assignments.
            self.enter()?;
        }
        self.depth = depth;
        let targets = self.ast.add_list(&self.scratch.exprs[first_target..]);
        self.scratch.exprs.truncate(first_target);
        let values = self.expression_list()?;
        self.push_globals(start, targets, values, line, values_line)
    }

    /// Brings the variables collected since `start` into scope and makes their statement.
    fn push_globals(
        &mut self,
        start: usize,
        targets: List<ExprId>,
        values: List<ExprId>,
        line: u32,
        values_line: u32,
    ) -> Result<(), Fail> {
        let vars = self.take_vars(start);
        self.activate(vars);
        self.lexer.budget.spend(1, std::mem::size_of::<Globals>())?;
        let id = GlobalId(self.ast.globals.len() as u32);
        self.ast.globals.push(Globals {
            vars,
            targets,
            values,
            line: values_line,
        });
        self.push_stmt(Stmt::Global(id), line)
    }

    fn global_function(&mut self, line: u32) -> Result<(), Fail> {
        let name = self.expect_name()?;
        let var = self.declare(name, VarKind::Global { read_only: false })?;
        self.scopes.activate(&self.ast, var);
        let target = self.global(name, false)?;
        let function = self.function_body(false, self.line())?;
        let stmt = Stmt::GlobalFunction {
            var,
            target,
            function,
        };
        self.push_stmt(stmt, line)
    }
}
