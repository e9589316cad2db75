//! Tokens.

use crate::compiler::strings::StrId;

/// A token. Names, strings and numbers carry their value; a byte that begins no token is a token of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
#[rustfmt::skip]
pub(crate) enum Token {
    And, Break, Do, Else, ElseIf, End, False, For, Function, Goto, If, In, Local, Nil, Not, Or, Repeat, Return, Then,
    True, Until, While,
    Plus, Minus, Star, Slash, SlashSlash, Percent, Caret, Hash, Ampersand, Tilde, Pipe, ShiftLeft, ShiftRight,
    Equal, NotEqual, LessEqual, GreaterEqual, Less, Greater, Assign,
    LeftParen, RightParen, LeftBrace, RightBrace, LeftBracket, RightBracket,
    ColonColon, Semicolon, Colon, Comma, Dot, DotDot, DotDotDot,
    Name(StrId), Str(StrId), Int(i64), Float(f64),
    Byte(u8),
    Eof,
}

impl Token {
    /// The text of a token that is always written the same way.
    #[rustfmt::skip]
    fn fixed_text(self) -> Option<&'static str> {
        use Token::*;
        Some(match self {
            And => "and", Break => "break", Do => "do", Else => "else", ElseIf => "elseif", End => "end",
            False => "false", For => "for", Function => "function", Goto => "goto", If => "if", In => "in",
            Local => "local", Nil => "nil", Not => "not", Or => "or", Repeat => "repeat", Return => "return",
            Then => "then", True => "true", Until => "until", While => "while",
            Plus => "+", Minus => "-", Star => "*", Slash => "/", SlashSlash => "//", Percent => "%", Caret => "^",
            Hash => "#", Ampersand => "&", Tilde => "~", Pipe => "|", ShiftLeft => "<<", ShiftRight => ">>",
            Equal => "==", NotEqual => "~=", LessEqual => "<=", GreaterEqual => ">=", Less => "<", Greater => ">",
            Assign => "=", LeftParen => "(", RightParen => ")", LeftBrace => "{", RightBrace => "}",
            LeftBracket => "[", RightBracket => "]", ColonColon => "::", Semicolon => ";", Colon => ":",
            Comma => ",", Dot => ".", DotDot => "..", DotDotDot => "...",
            Name(_) | Str(_) | Int(_) | Float(_) | Byte(_) | Eof => return None,
        })
    }

    /// How a message names the token when it was expected: quoted if it has one spelling.
    pub fn described(self) -> String {
        match self {
            Token::Name(_) => "<name>".into(),
            Token::Str(_) => "<string>".into(),
            Token::Int(_) => "<integer>".into(),
            Token::Float(_) => "<number>".into(),
            Token::Eof => "<eof>".into(),
            Token::Byte(b @ 32..=126) => format!("'{}'", b as char),
            Token::Byte(b) => format!("'<\\{b}>'"),
            fixed => format!("'{}'", fixed.fixed_text().unwrap_or_default()),
        }
    }

    /// The reserved word that a name is, if it is one.
    pub fn keyword(name: &[u8]) -> Option<Token> {
        Some(match name {
            b"and" => Token::And,
            b"break" => Token::Break,
            b"do" => Token::Do,
            b"else" => Token::Else,
            b"elseif" => Token::ElseIf,
            b"end" => Token::End,
            b"false" => Token::False,
            b"for" => Token::For,
            b"function" => Token::Function,
            b"goto" => Token::Goto,
            b"if" => Token::If,
            b"in" => Token::In,
            b"local" => Token::Local,
            b"nil" => Token::Nil,
            b"not" => Token::Not,
            b"or" => Token::Or,
            b"repeat" => Token::Repeat,
            b"return" => Token::Return,
            b"then" => Token::Then,
            b"true" => Token::True,
            b"until" => Token::Until,
            b"while" => Token::While,
            _ => return None,
        })
    }
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spanned {
    pub token: Token,
    pub start: usize,
    pub end: usize,
}
