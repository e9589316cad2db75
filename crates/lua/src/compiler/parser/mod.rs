//! The parser: tokens to the syntax tree, by recursive descent.
//!
//! **Invariant:** native recursion is bounded by [`MAX_DEPTH`](super::MAX_DEPTH): each statement and each expression
//! inside another passes [`Parser::enter`]; chains of suffixes and of left-associative operators are loops.

mod expression;
mod global;
mod statement;

use super::ast::*;
use super::lexer::{Lexer, Spanned, Token};
use super::resolve::{GotoError, Meaning, Scopes, TooMany};
use super::strings::{StrId, Strings};
use super::{Budget, Fail, MAX_DEPTH, Place};
use crate::dialect::Dialect;

/// Where to stop with an error that only the code generator sees: see [`super::locate_limit`].
pub(crate) struct StopAt {
    pub place: Place,
    pub message: &'static str,
}

/// The name of a function's environment in 5.1, where no variable holds it: one that no program can write.
pub(crate) const HIDDEN_ENVIRONMENT: &[u8] = b"(environment)";

/// Most functions written directly in one function: what `CLOSURE` can name.
const MAX_CHILDREN: u32 = u16::MAX as u32;

/// The name of chunks that belong to the host and not to a script: scripts cannot look into their environments, and they may
/// close variables whatever the dialect. A script that gives its own chunk this name gains nothing by it.
pub const HOST_CHUNK: &str = "=[rille]";

/// Parses a source text.
pub(crate) fn parse(
    source: &[u8],
    chunk_name: &[u8],
    dialect: Dialect,
    stop: Option<StopAt>,
    budget: &mut Budget,
) -> Result<(Ast, Strings), Fail> {
    let mut lexer = Lexer::new(source, chunk_name, dialect, budget);
    let environment_name = lexer.intern(match dialect.has_env_variable() {
        true => b"_ENV",
        false => HIDDEN_ENVIRONMENT,
    })?;
    let self_name = lexer.intern(b"self")?;
    let goto_name = lexer.intern(b"goto")?;
    let arg_name = lexer.intern(b"arg")?;
    let global_name = lexer.intern(b"global")?;
    let every_global = lexer.intern(b"*")?;
    let first = lexer.next_token()?;
    let mut parser = Parser {
        lexer,
        ast: Ast::default(),
        scopes: Scopes::default(),
        token: first,
        ahead: None,
        last_line: 1,
        depth: 0,
        dialect,
        // The host's own code closes variables in every version.
        attributes: dialect.has_attributes() || chunk_name == HOST_CHUNK.as_bytes(),
        environment_name,
        self_name,
        goto_name,
        arg_name,
        global_name,
        every_global,
        named_constant: None,
        environment: None,
        stop,
        scratch: Scratch::default(),
    };
    parser.scopes.set_every_global(every_global);
    parser.scopes.set_labels_by_block(dialect < Dialect::Lua54);
    parser.main_function()?;
    Ok((parser.ast, parser.lexer.strings))
}

/// Lists being collected; each user takes what it pushed above the height it found.
#[derive(Default)]
struct Scratch {
    exprs: Vec<ExprId>,
    stmts: Vec<StmtId>,
    vars: Vec<VarId>,
    items: Vec<TableItem>,
    arms: Vec<Arm>,
}

struct Parser<'s, 'b, 'm> {
    lexer: Lexer<'s, 'b, 'm>,
    ast: Ast,
    scopes: Scopes,
    /// The token to look at.
    token: Spanned,
    /// The token after it, if that was needed.
    ahead: Option<Spanned>,
    /// Line of the last token consumed.
    last_line: u32,
    depth: usize,
    dialect: Dialect,
    /// Whether local variables may have attributes.
    attributes: bool,
    environment_name: StrId,
    self_name: StrId,
    goto_name: StrId,
    arg_name: StrId,
    global_name: StrId,
    every_global: StrId,
    /// The last expression that was the name of a compile-time constant: it is no target for an assignment.
    named_constant: Option<(ExprId, StrId)>,
    /// The node for `_ENV` that globals share while it means the same.
    environment: Option<(FuncId, VarId, ExprId)>,
    stop: Option<StopAt>,
    scratch: Scratch,
}

impl Parser<'_, '_, '_> {
    fn main_function(&mut self) -> Result<(), Fail> {
        self.ast.vars.push(Var {
            name: self.environment_name,
            function: OUTSIDE,
            kind: VarKind::Regular,
            assigned: false,
            captured: true,
        });
        self.scopes.activate_environment(self.environment_name);
        self.ast.functions.push(Function {
            parent: OUTSIDE,
            params: List::EMPTY,
            is_vararg: true,
            upvalues: vec![Upvalue {
                var: ENV_VAR,
                source: UpvalueSource::Local,
            }],
            body: BlockId(0),
            line: 0,
            end_line: 0,
            return_line: 0,
            vararg_table: None,
            uses_varargs: false,
            vararg_escapes: 0,
            children: 0,
        });
        self.scopes.open_function(MAIN);
        let body = self.statement_list()?;
        self.check(Token::Eof)?;
        let main = self.ast.function_mut(MAIN);
        main.body = body;
        main.return_line = self.last_line;
        self.close_function()
    }

    fn close_function(&mut self) -> Result<(), Fail> {
        let closed = self.scopes.close_function(&mut self.ast);
        closed.map_err(|e| self.goto_error(e))
    }

    /// Consumes the current token.
    fn advance(&mut self) -> Result<(), Fail> {
        self.last_line = self.lexer.line;
        self.token = match self.ahead.take() {
            Some(token) => token,
            None => self.lexer.next_token()?,
        };
        Ok(())
    }

    /// The token after the current one.
    fn look_ahead(&mut self) -> Result<Token, Fail> {
        let ahead = match self.ahead {
            Some(token) => token,
            None => self.lexer.next_token()?,
        };
        self.ahead = Some(ahead);
        Ok(ahead.token)
    }

    /// The line the lexer has reached: that of the current token.
    fn line(&self) -> u32 {
        self.lexer.line
    }

    fn error(&self, message: &str) -> Fail {
        self.lexer.error_near(message, self.token)
    }

    fn error_expected(&self, token: Token) -> Fail {
        self.error(&format!("{} expected", self.lexer.described(token)))
    }

    fn error_name_expected(&self) -> Fail {
        self.error(match self.dialect {
            Dialect::Lua51 => "'<name>' expected",
            _ => "<name> expected",
        })
    }

    fn check(&self, token: Token) -> Result<(), Fail> {
        if self.token.token == token {
            Ok(())
        } else {
            Err(self.error_expected(token))
        }
    }

    /// Consumes the token, which must be this one.
    fn expect(&mut self, token: Token) -> Result<(), Fail> {
        self.check(token)?;
        self.advance()
    }

    /// Consumes the token if it is this one.
    fn accept(&mut self, token: Token) -> Result<bool, Fail> {
        let found = self.token.token == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Consumes the token that closes what `open` began on line `line`.
    fn expect_match(&mut self, close: Token, open: Token, line: u32) -> Result<(), Fail> {
        if self.token.token == close {
            return self.advance();
        }
        if line == self.line() {
            return Err(self.error_expected(close));
        }
        Err(self.error(&format!(
            "{} expected (to close {} at line {line})",
            self.lexer.described(close),
            self.lexer.described(open)
        )))
    }

    fn expect_name(&mut self) -> Result<StrId, Fail> {
        let Token::Name(name) = self.token.token else {
            return Err(self.error_name_expected());
        };
        self.advance()?;
        Ok(name)
    }

    /// Goes one level of nesting down.
    fn enter(&mut self) -> Result<(), Fail> {
        if self.depth >= MAX_DEPTH {
            return Err(match self.dialect {
                Dialect::Lua51 => self.error_plain("chunk has too many syntax levels"),
                Dialect::Lua52 | Dialect::Lua53 => self.too_many(TooMany {
                    what: "C levels",
                    limit: MAX_DEPTH,
                    line: self.ast.function(self.scopes.current()).line,
                }),
                _ => self.error("C stack overflow"),
            });
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn too_many(&self, limit: TooMany) -> Fail {
        let place = match limit.line {
            0 => "main function".to_owned(),
            line => format!("function at line {line}"),
        };
        self.error(&format!(
            "too many {} (limit is {}) in {place}",
            limit.what, limit.limit
        ))
    }

    /// An error without a token: on the line that the lexer has reached, from 5.5 on on that of the last token used.
    fn error_plain(&self, message: &str) -> Fail {
        let line = match self.dialect >= Dialect::Lua55 {
            true => self.last_line,
            false => self.line(),
        };
        self.lexer.error_plain(message, line)
    }

    /// An error without a token, about a name: `before`, the name, `after`.
    fn error_about(&self, before: &str, name: StrId, after: &str) -> Fail {
        let mut fail = self.error_plain(before);
        if let Fail::Syntax { message, .. } = &mut fail {
            message.extend_from_slice(self.lexer.strings.get(name));
            message.extend_from_slice(after.as_bytes());
        }
        fail
    }

    fn goto_error(&self, error: GotoError) -> Fail {
        let name_of = |name| String::from_utf8_lossy(self.lexer.strings.get(name)).into_owned();
        match error {
            GotoError::Repeated { name, line } => self.error_about(
                "label '",
                name,
                &format!("' already defined on line {line}"),
            ),
            GotoError::IntoScope {
                label,
                line,
                variable,
            } => {
                let kind = match self.dialect >= Dialect::Lua55 {
                    true => "",
                    false => "local ",
                };
                let name = name_of(variable);
                let rest = format!("> at line {line} jumps into the scope of {kind}'{name}'");
                self.error_about("<goto ", label, &rest)
            }
            GotoError::Unresolved {
                label: Some(label),
                line,
            } => {
                let rest = format!("' for <goto> at line {line}");
                self.error_about("no visible label '", label, &rest)
            }
            GotoError::Unresolved { label: None, line } => {
                self.error_plain(&match self.dialect < Dialect::Lua54 {
                    true => format!("<break> at line {line} not inside a loop"),
                    false => format!("break outside loop at line {line}"),
                })
            }
        }
    }

    fn push_expr(&mut self, expr: Expr, line: u32) -> Result<ExprId, Fail> {
        self.lexer
            .budget
            .spend(1, std::mem::size_of::<ExprNode>() + 4)?;
        let id = ExprId(self.ast.exprs.len() as u32);
        self.ast.exprs.push(ExprNode { expr, line });
        match &self.stop {
            Some(stop) if stop.place.expressions == id.0 + 1 => {
                if stop.place.separator {
                    self.advance()?;
                }
                Err(self.error(self.stop.as_ref().map_or("", |stop| stop.message)))
            }
            _ => Ok(id),
        }
    }

    fn declare(&mut self, name: StrId, kind: VarKind) -> Result<VarId, Fail> {
        self.lexer.budget.spend(1, std::mem::size_of::<Var>())?;
        let declared = self.scopes.declare(&mut self.ast, name, kind);
        declared.map_err(|e| self.too_many(e))
    }

    fn resolve(&mut self, name: StrId) -> Result<Meaning, Fail> {
        let meaning = self.scopes.resolve(&mut self.ast, name);
        meaning.map_err(|e| self.too_many(e))
    }

    /// The expression that a name, just consumed, stands for.
    fn variable(&mut self, name: StrId) -> Result<ExprId, Fail> {
        let line = self.last_line;
        let expr = match self.resolve(name)? {
            Meaning::Local(var) => {
                self.note_vararg_use(var);
                Expr::Local(var)
            }
            Meaning::Upvalue(_, index) => Expr::Upvalue(index),
            Meaning::Constant(value) => {
                let id = self.push_expr(value, line)?;
                self.named_constant = Some((id, name));
                return Ok(id);
            }
            Meaning::Global { read_only } => return self.global(name, read_only),
            Meaning::Undeclared => {
                return Err(self.error_about("variable '", name, "' not declared"));
            }
        };
        self.push_expr(expr, line)
    }

    /// The expression for a global, whatever else its name may mean here.
    fn global(&mut self, name: StrId, read_only: bool) -> Result<ExprId, Fail> {
        let line = self.last_line;
        let environment = self.environment(name)?;
        let expr = Expr::Global {
            environment,
            name,
            read_only,
        };
        self.push_expr(expr, line)
    }

    /// A named vararg parameter is used; reading a field of it is found out later.
    fn note_vararg_use(&mut self, var: VarId) {
        if let VarKind::Vararg = self.ast.var(var).kind {
            let function = self.scopes.current();
            self.ast.function_mut(function).vararg_escapes += 1;
        }
    }

    /// Whether an expression is the vararg parameter of the function being read.
    fn is_vararg_parameter(&self, id: ExprId) -> bool {
        match self.ast.expr(id).expr {
            Expr::Local(var) => matches!(self.ast.var(var).kind, VarKind::Vararg),
            _ => false,
        }
    }

    /// Makes the expression for a field, reading which leaves a vararg parameter what it is.
    fn push_access(&mut self, object: ExprId, access: Expr) -> Result<ExprId, Fail> {
        if self.is_vararg_parameter(object) {
            let function = self.scopes.current();
            self.ast.function_mut(function).vararg_escapes -= 1;
        }
        self.push_expr(access, self.last_line)
    }

    /// The node for what `_ENV` means here, where a global of this name is used.
    fn environment(&mut self, user: StrId) -> Result<ExprId, Fail> {
        let function = self.scopes.current();
        let line = self.last_line;
        let (var, expr) = match self.resolve(self.environment_name)? {
            Meaning::Local(var) => {
                self.note_vararg_use(var);
                (var, Expr::Local(var))
            }
            Meaning::Upvalue(var, index) => (var, Expr::Upvalue(index)),
            Meaning::Constant(value) => return self.push_expr(value, line),
            // `_ENV` of the main function is visible unless it is declared as a global.
            Meaning::Global { .. } | Meaning::Undeclared => {
                let before = "_ENV is global when accessing variable '";
                return Err(self.error_about(before, user, "'"));
            }
        };
        match self.environment {
            Some((f, v, id)) if f == function && v == var => Ok(id),
            _ => {
                let id = self.push_expr(expr, line)?;
                self.environment = Some((function, var, id));
                Ok(id)
            }
        }
    }

    /// Parses a function from its parameters on; `function` was on line `line`.
    fn function_body(&mut self, is_method: bool, line: u32) -> Result<ExprId, Fail> {
        let parent = self.scopes.current();
        let id = FuncId(self.ast.functions.len() as u32);
        self.add_child(parent)?;
        self.lexer
            .budget
            .spend(1, std::mem::size_of::<Function>() + 256)?;
        self.ast.functions.push(Function {
            parent,
            params: List::EMPTY,
            is_vararg: false,
            upvalues: Vec::new(),
            body: BlockId(0),
            line,
            end_line: 0,
            return_line: 0,
            vararg_table: None,
            uses_varargs: false,
            vararg_escapes: 0,
            children: 0,
        });
        self.scopes.open_function(id);
        if !self.dialect.has_env_variable() {
            // Each function has its own environment, upvalue 0, and begins with that of the function that makes it.
            self.resolve(self.environment_name)?;
        }
        self.expect(Token::LeftParen)?;
        self.parameters(id, is_method)?;
        self.expect(Token::RightParen)?;
        let body = self.statement_list()?;
        let end_line = self.line();
        self.expect_match(Token::End, Token::Function, line)?;
        let function = self.ast.function_mut(id);
        function.body = body;
        function.end_line = end_line;
        function.return_line = self.last_line;
        self.close_function()?;
        self.push_expr(Expr::Function(id), self.last_line)
    }

    fn add_child(&mut self, parent: FuncId) -> Result<(), Fail> {
        let function = self.ast.function_mut(parent);
        function.children += 1;
        if function.children <= MAX_CHILDREN {
            return Ok(());
        }
        let line = function.line;
        Err(self.too_many(TooMany {
            what: "functions",
            limit: MAX_CHILDREN as usize,
            line,
        }))
    }

    fn parameters(&mut self, function: FuncId, is_method: bool) -> Result<(), Fail> {
        let start = self.scratch.vars.len();
        let mut vararg = None;
        if is_method {
            let var = self.declare(self.self_name, VarKind::Regular)?;
            self.scratch.vars.push(var);
        }
        if self.token.token != Token::RightParen {
            loop {
                match self.token.token {
                    Token::Name(name) => {
                        self.advance()?;
                        let var = self.declare(name, VarKind::Regular)?;
                        self.scratch.vars.push(var);
                    }
                    Token::DotDotDot => {
                        self.advance()?;
                        self.ast.function_mut(function).is_vararg = true;
                        if self.dialect >= Dialect::Lua55 {
                            vararg = Some(self.vararg_parameter()?);
                        }
                        break;
                    }
                    _ => return Err(self.error("<name> or '...' expected")),
                }
                if !self.accept(Token::Comma)? {
                    break;
                }
            }
        }
        let params = self.take_vars(start);
        self.ast.function_mut(function).params = params;
        self.activate(params);
        if self.dialect == Dialect::Lua51 && self.ast.function(function).is_vararg {
            // The extra arguments as a table: how they were had before `...` was an expression.
            let var = self.declare(self.arg_name, VarKind::Regular)?;
            vararg = Some(var);
        }
        if let Some(var) = vararg {
            self.scopes.activate(&self.ast, var);
            self.ast.function_mut(function).vararg_table = Some(var);
        }
        Ok(())
    }

    /// Parses the name after `...`, if there is one: of the table that holds the extra arguments (5.5).
    fn vararg_parameter(&mut self) -> Result<VarId, Fail> {
        match self.token.token {
            Token::Name(name) => {
                self.advance()?;
                self.declare(name, VarKind::Vararg)
            }
            _ => {
                let name = self.lexer.intern(b"(vararg table)")?;
                self.declare(name, VarKind::Vararg)
            }
        }
    }

    fn take_vars(&mut self, start: usize) -> List<VarId> {
        let list = self.ast.add_list(&self.scratch.vars[start..]);
        self.scratch.vars.truncate(start);
        list
    }

    fn activate(&mut self, vars: List<VarId>) {
        for index in 0..vars.len() {
            let var = self.ast.item(vars, index);
            self.scopes.activate(&self.ast, var);
        }
    }
}
