//! Constant folding: what the reference computes at compile time, and nothing more.
//!
//! **Invariant:** a folded expression has the value that running it would give. What would raise an error or call a
//! metamethod is not folded, nor is a result that is NaN or a float zero (whose sign a constant would lose).

use super::ast::{BinOp, Expr, UnOp};
use crate::dialect::Dialect;
use crate::number::{self, Number};

/// The value of `op operand`, if it is folded.
pub(crate) fn unary(op: UnOp, operand: Expr) -> Option<Expr> {
    match op {
        UnOp::Not => operand
            .constant_truth()
            .map(|truth| if truth { Expr::False } else { Expr::True }),
        UnOp::Length => None,
        UnOp::Minus => match numeral(operand)? {
            Number::Int(value) => Some(Expr::Int(value.wrapping_neg())),
            Number::Float(value) => float(-value),
        },
        UnOp::BitNot => Some(Expr::Int(!to_integer(numeral(operand)?)?)),
    }
}

/// The value of `left op right`, if it is folded.
pub(crate) fn binary(op: BinOp, left: Expr, right: Expr, dialect: Dialect) -> Option<Expr> {
    let (left, right) = (numeral(left)?, numeral(right)?);
    match op {
        BinOp::BitAnd | BinOp::BitOr | BinOp::BitXor | BinOp::ShiftLeft | BinOp::ShiftRight => {
            let (a, b) = (to_integer(left)?, to_integer(right)?);
            Some(Expr::Int(match op {
                BinOp::BitAnd => a & b,
                BinOp::BitOr => a | b,
                BinOp::BitXor => a ^ b,
                BinOp::ShiftLeft => number::shift_left(a, b),
                _ => number::shift_right(a, b),
            }))
        }
        BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Mod | BinOp::IDiv => {
            if let (Number::Int(a), Number::Int(b)) = (left, right) {
                return integer_arithmetic(op, a, b).map(Expr::Int);
            }
            float_arithmetic(op, left.to_f64(), right.to_f64(), dialect)
        }
        BinOp::Div | BinOp::Pow => float_arithmetic(op, left.to_f64(), right.to_f64(), dialect),
        _ => None,
    }
}

fn integer_arithmetic(op: BinOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Mod if b != 0 => number::int_mod(a, b),
        BinOp::IDiv if b != 0 => number::int_floor_div(a, b),
        _ => return None,
    })
}

fn float_arithmetic(op: BinOp, a: f64, b: f64, dialect: Dialect) -> Option<Expr> {
    float(match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Pow => number::float_pow(a, b),
        BinOp::Div if b != 0.0 => a / b,
        BinOp::IDiv if b != 0.0 => number::float_floor_div(a, b),
        BinOp::Mod if b != 0.0 && !dialect.has_integers() => number::float_mod_by_floor(a, b),
        BinOp::Mod if b != 0.0 => number::float_mod(a, b),
        _ => return None,
    })
}

fn numeral(expr: Expr) -> Option<Number> {
    match expr {
        Expr::Int(value) => Some(Number::Int(value)),
        Expr::Float(value) => Some(Number::Float(value)),
        _ => None,
    }
}

/// The integer that a bitwise operator takes a number for.
fn to_integer(number: Number) -> Option<i64> {
    match number {
        Number::Int(value) => Some(value),
        Number::Float(value) => number::float_to_int(value),
    }
}

fn float(value: f64) -> Option<Expr> {
    (!value.is_nan() && value != 0.0).then_some(Expr::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(op: BinOp, a: i64, b: i64) -> Option<i64> {
        match binary(op, Expr::Int(a), Expr::Int(b), Dialect::default())? {
            Expr::Int(value) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn integers_wrap_and_round_down() {
        assert_eq!(int(BinOp::Add, i64::MAX, 1), Some(i64::MIN));
        assert_eq!(int(BinOp::IDiv, -7, 2), Some(-4));
        assert_eq!(int(BinOp::IDiv, i64::MIN, -1), Some(i64::MIN));
        assert_eq!(int(BinOp::Mod, -7, 3), Some(2));
        assert_eq!(int(BinOp::Mod, 7, -3), Some(-2));
        assert_eq!(int(BinOp::Mod, i64::MIN, -1), Some(0));
        assert_eq!(int(BinOp::Mod, 1, 0), None);
        assert_eq!(int(BinOp::ShiftLeft, 1, 63), Some(i64::MIN));
        assert_eq!(int(BinOp::ShiftLeft, 1, 64), Some(0));
        assert_eq!(int(BinOp::ShiftRight, -1, 60), Some(15));
        assert_eq!(int(BinOp::ShiftRight, 1, i64::MIN), Some(0));
    }

    #[test]
    fn what_is_not_folded() {
        let float = |op, a, b| binary(op, Expr::Float(a), Expr::Float(b), Dialect::default());
        assert!(float(BinOp::Sub, 1.0, 1.0).is_none());
        assert!(float(BinOp::Div, 1.0, 0.0).is_none());
        assert!(float(BinOp::BitAnd, 1.5, 1.0).is_none());
        assert!(float(BinOp::Sub, f64::INFINITY, f64::INFINITY).is_none());
        assert!(unary(UnOp::Minus, Expr::Float(0.0)).is_none());
        assert!(matches!(float(BinOp::BitAnd, 3.0, 2.0), Some(Expr::Int(2))));
        assert!(matches!(unary(UnOp::Not, Expr::Nil), Some(Expr::True)));
    }
}
