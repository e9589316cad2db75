//! Expressions: precedence climbing, suffixes, constructors.

use super::Parser;
use crate::compiler::Fail;
use crate::compiler::ast::*;
use crate::compiler::fold;
use crate::compiler::lexer::Token;
use crate::dialect::Dialect;

/// How tightly a unary operator binds.
const UNARY_PRIORITY: u8 = 12;

/// A binary operator with its left and right priority; a lower right one makes it right-associative.
fn binary_operator(token: Token) -> Option<(BinOp, u8, u8)> {
    Some(match token {
        Token::Or => (BinOp::Or, 1, 1),
        Token::And => (BinOp::And, 2, 2),
        Token::Less => (BinOp::Less, 3, 3),
        Token::Greater => (BinOp::Greater, 3, 3),
        Token::LessEqual => (BinOp::LessEqual, 3, 3),
        Token::GreaterEqual => (BinOp::GreaterEqual, 3, 3),
        Token::NotEqual => (BinOp::NotEqual, 3, 3),
        Token::Equal => (BinOp::Equal, 3, 3),
        Token::Pipe => (BinOp::BitOr, 4, 4),
        Token::Tilde => (BinOp::BitXor, 5, 5),
        Token::Ampersand => (BinOp::BitAnd, 6, 6),
        Token::ShiftLeft => (BinOp::ShiftLeft, 7, 7),
        Token::ShiftRight => (BinOp::ShiftRight, 7, 7),
        Token::DotDot => (BinOp::Concat, 9, 8),
        Token::Plus => (BinOp::Add, 10, 10),
        Token::Minus => (BinOp::Sub, 10, 10),
        Token::Star => (BinOp::Mul, 11, 11),
        Token::Slash => (BinOp::Div, 11, 11),
        Token::SlashSlash => (BinOp::IDiv, 11, 11),
        Token::Percent => (BinOp::Mod, 11, 11),
        Token::Caret => (BinOp::Pow, 14, 13),
        _ => return None,
    })
}

fn unary_operator(token: Token) -> Option<UnOp> {
    Some(match token {
        Token::Not => UnOp::Not,
        Token::Minus => UnOp::Minus,
        Token::Tilde => UnOp::BitNot,
        Token::Hash => UnOp::Length,
        _ => return None,
    })
}

impl Parser<'_, '_, '_> {
    /// Parses an expression.
    pub(super) fn expression(&mut self) -> Result<ExprId, Fail> {
        self.subexpression(0)
    }

    /// Parses an expression whose binary operators bind tighter than `limit`.
    fn subexpression(&mut self, limit: u8) -> Result<ExprId, Fail> {
        self.enter()?;
        let mut left = match unary_operator(self.token.token) {
            Some(op) => {
                let line = self.line();
                self.advance()?;
                let operand = self.subexpression(UNARY_PRIORITY)?;
                self.unary(op, operand, line)?
            }
            None => self.simple_expression()?,
        };
        while let Some((op, left_priority, right_priority)) = binary_operator(self.token.token) {
            if left_priority <= limit {
                break;
            }
            let line = self.line();
            self.advance()?;
            let right = self.subexpression(right_priority)?;
            left = self.binary(op, left, right, line)?;
        }
        self.leave();
        Ok(left)
    }

    fn unary(&mut self, op: UnOp, operand: ExprId, line: u32) -> Result<ExprId, Fail> {
        match fold::unary(op, self.ast.expr(operand).expr) {
            Some(value) => self.push_expr(value, self.last_line),
            None => self.push_expr(Expr::Unary { op, operand }, line),
        }
    }

    fn binary(
        &mut self,
        op: BinOp,
        left: ExprId,
        right: ExprId,
        line: u32,
    ) -> Result<ExprId, Fail> {
        let (a, b) = (self.ast.expr(left).expr, self.ast.expr(right).expr);
        match (op, a.constant_truth()) {
            // The left side decides nothing: the value is that of the right side.
            (BinOp::And, Some(true)) | (BinOp::Or, Some(false)) => match b {
                Expr::Call { .. } | Expr::Vararg { .. } => {
                    self.push_expr(Expr::Paren(right), self.last_line)
                }
                _ => Ok(right),
            },
            _ => match fold::binary(op, a, b, self.dialect) {
                Some(value) => self.push_expr(value, self.last_line),
                None => self.push_expr(Expr::Binary { op, left, right }, line),
            },
        }
    }

    fn simple_expression(&mut self) -> Result<ExprId, Fail> {
        let expr = match self.token.token {
            Token::Int(value) => Expr::Int(value),
            Token::Float(value) => Expr::Float(value),
            Token::Str(text) => Expr::Str(text),
            Token::Nil => Expr::Nil,
            Token::True => Expr::True,
            Token::False => Expr::False,
            Token::DotDotDot => {
                if !self.ast.function(self.scopes.current()).is_vararg {
                    return Err(self.error("cannot use '...' outside a vararg function"));
                }
                let function = self.scopes.current();
                self.ast.function_mut(function).uses_varargs = true;
                Expr::Vararg {
                    line_before: self.last_line,
                }
            }
            Token::LeftBrace => return self.constructor(),
            Token::Function => {
                self.advance()?;
                return self.function_body(false, self.line());
            }
            _ => return self.suffixed_expression(),
        };
        self.advance()?;
        self.push_expr(expr, self.last_line)
    }

    #[inline(never)]
    fn primary_expression(&mut self) -> Result<ExprId, Fail> {
        match self.token.token {
            Token::Name(name) => {
                self.advance()?;
                self.variable(name)
            }
            Token::LeftParen => {
                let line = self.line();
                self.advance()?;
                let inner = self.expression()?;
                self.expect_match(Token::RightParen, Token::LeftParen, line)?;
                // A constant is the same in parentheses, but it is no longer the name of a variable.
                let expr = match self.ast.expr(inner).expr {
                    constant if constant.constant_truth().is_some() => constant,
                    _ => Expr::Paren(inner),
                };
                self.push_expr(expr, self.last_line)
            }
            _ => Err(self.error("unexpected symbol")),
        }
    }

    /// Parses a name or parenthesised expression and the indices and calls after it.
    pub(super) fn suffixed_expression(&mut self) -> Result<ExprId, Fail> {
        let first_line = self.line();
        let mut object = self.primary_expression()?;
        loop {
            object = match self.token.token {
                Token::Dot => self.field(object)?,
                Token::LeftBracket => {
                    let key = self.bracketed_key()?;
                    self.push_access(object, Expr::Index { object, key })?
                }
                Token::Colon => {
                    self.advance()?;
                    let name = self.expect_name()?;
                    let name_line = self.last_line;
                    self.call(object, Some((name, name_line)), first_line)?
                }
                Token::LeftParen | Token::Str(_) | Token::LeftBrace => {
                    self.call(object, None, first_line)?
                }
                _ => return Ok(object),
            };
        }
    }

    /// Parses `.name` or, in the name of a function statement, `:name`.
    pub(super) fn field(&mut self, object: ExprId) -> Result<ExprId, Fail> {
        self.advance()?;
        let name = self.expect_name()?;
        self.push_access(object, Expr::Field { object, name })
    }

    /// Parses `[key]`.
    #[inline(never)]
    fn bracketed_key(&mut self) -> Result<ExprId, Fail> {
        self.advance()?;
        let key = self.expression()?;
        self.expect(Token::RightBracket)?;
        Ok(key)
    }

    #[inline(never)]
    fn call(
        &mut self,
        function: ExprId,
        method: Option<(crate::compiler::strings::StrId, u32)>,
        first_line: u32,
    ) -> Result<ExprId, Fail> {
        let line = self.line();
        // The reference of these versions gives a call the line on which its whole expression begins.
        let of_expression = matches!(self.dialect, Dialect::Lua52 | Dialect::Lua53);
        let call_line = if of_expression { first_line } else { line };
        let arguments = match self.token.token {
            Token::LeftParen => {
                if self.dialect == Dialect::Lua51 && line != self.last_line {
                    let message = "ambiguous syntax (function call x new statement)";
                    return Err(self.error(message));
                }
                self.advance()?;
                let list = match self.token.token {
                    Token::RightParen => List::EMPTY,
                    _ => self.expression_list()?,
                };
                self.expect_match(Token::RightParen, Token::LeftParen, call_line)?;
                list
            }
            Token::LeftBrace => {
                let table = self.constructor()?;
                self.ast.add_list(&[table])
            }
            Token::Str(text) => {
                self.advance()?;
                let text = self.push_expr(Expr::Str(text), self.last_line)?;
                self.ast.add_list(&[text])
            }
            _ => return Err(self.error("function arguments expected")),
        };
        self.lexer.budget.spend(0, std::mem::size_of::<Call>())?;
        let call = CallId(self.ast.calls.len() as u32);
        self.ast.calls.push(Call {
            method,
            arguments,
            line: call_line,
        });
        self.push_expr(Expr::Call { function, call }, self.last_line)
    }

    /// Parses one expression or more, separated by commas.
    pub(super) fn expression_list(&mut self) -> Result<List<ExprId>, Fail> {
        let start = self.scratch.exprs.len();
        loop {
            let expr = self.expression()?;
            self.scratch.exprs.push(expr);
            let line = self.last_line;
            if !self.accept(Token::Comma)? {
                break;
            }
            self.note_late_line(expr, line);
        }
        let list = self.ast.add_list(&self.scratch.exprs[start..]);
        self.scratch.exprs.truncate(start);
        Ok(list)
    }

    /// The separator after an element that ended on `line` has been consumed.
    fn note_late_line(&mut self, element: ExprId, line: u32) {
        if self.last_line != line {
            self.ast.set_late_line(element, self.last_line);
        }
    }

    #[inline(never)]
    fn constructor(&mut self) -> Result<ExprId, Fail> {
        let line = self.line();
        let line_before = self.last_line;
        let start = self.scratch.items.len();
        let mut keyed = 0;
        let mut positional: Option<(ExprId, u32)> = None;
        self.expect(Token::LeftBrace)?;
        while self.token.token != Token::RightBrace {
            if let Some((value, line)) = positional.take() {
                self.note_late_line(value, line);
            }
            let item = self.table_item()?;
            match item.key {
                Some(_) => keyed += 1,
                None => positional = Some((item.value, self.last_line)),
            }
            self.lexer
                .budget
                .spend(0, std::mem::size_of::<TableItem>())?;
            self.scratch.items.push(item);
            if !self.accept(Token::Comma)? && !self.accept(Token::Semicolon)? {
                break;
            }
        }
        self.expect_match(Token::RightBrace, Token::LeftBrace, line)?;
        if let Some((value, line)) = positional {
            self.note_late_line(value, line);
        }
        let items = self.ast.add_list(&self.scratch.items[start..]);
        self.scratch.items.truncate(start);
        let table = TableId(self.ast.tables.len() as u32);
        self.ast.tables.push(Table {
            items,
            keyed,
            line_before,
        });
        self.push_expr(Expr::Table(table), self.last_line)
    }

    fn table_item(&mut self) -> Result<TableItem, Fail> {
        let token = self.token.token;
        let key = match token {
            Token::Name(name) if self.look_ahead()? == Token::Assign => {
                self.advance()?;
                Some(self.push_expr(Expr::Str(name), self.last_line)?)
            }
            Token::LeftBracket => Some(self.bracketed_key()?),
            _ => None,
        };
        let mut line = 0;
        if key.is_some() {
            self.expect(Token::Assign)?;
            line = self.last_line;
        }
        let value = self.expression()?;
        Ok(TableItem { key, value, line })
    }
}
