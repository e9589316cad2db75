//! `tonumber` with a base, and the mathematical functions, as they are where all numbers are floats; random numbers up to 5.3.
//!
//! **Invariant:** results are floats from the start, not integers converted later: minus zero and infinities survive.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::number::{Number, split_sign, trim};
use crate::stdlib::random;
use crate::value::{Val, tag};

/// The angle of a point.
pub(in crate::stdlib) static ATAN2: NativeDef = NativeDef::new("atan2", atan2, Cost::Constant);
/// 5.1's other name for `fmod`.
pub(in crate::stdlib) static MOD: NativeDef = NativeDef::new("mod", fmod, Cost::Constant);

/// `tonumber(text, base)`: digits up to `z`, with white space around them and a sign.
pub(in crate::stdlib) fn tonumber_in_base(ctx: &mut Ctx<'_>) -> NativeResult {
    let base = ctx.check_count(1)?;
    if base == 10 && ctx.vm.dialect < Dialect::Lua52 {
        let v = ctx.check_any(0)?;
        let n = ctx.vm.number_of(v).map(Number::to_f64);
        return ctx.ret(n.map_or(Val::NIL, Val::float));
    }
    let text = ctx.check_str(0)?.as_bytes();
    if !(2..=36).contains(&base) {
        return Err(ctx.arg_error(1, "base out of range"));
    }
    ctx.charge(text.len() / 16);
    ctx.ret(parse_in_base(text, base as u32).map_or(Val::NIL, Val::float))
}

fn parse_in_base(text: &[u8], base: u32) -> Option<f64> {
    let (negative, digits) = split_sign(trim(text));
    let digits = match digits {
        [b'0', b'x' | b'X', rest @ ..] if base == 16 && !rest.is_empty() => rest,
        digits => digits,
    };
    if digits.is_empty() {
        return None;
    }
    let mut n = 0.0;
    for b in digits {
        let digit = (*b as char).to_digit(base)?;
        n = n * f64::from(base) + f64::from(digit);
    }
    Some(if negative { -n } else { n })
}

/// Two arguments, of which the second is looked at first: there they are arguments of one C call, which compilers for
/// x86-64 evaluate from the last to the first.
pub(in crate::stdlib) fn two_numbers(ctx: &mut Ctx<'_>) -> Result<(f64, f64), Thrown> {
    let second = ctx.check_num(1)?;
    Ok((ctx.check_num(0)?, second))
}

fn atan2(ctx: &mut Ctx<'_>) -> NativeResult {
    let (y, x) = two_numbers(ctx)?;
    ctx.ret(Val::float(y.atan2(x)))
}

pub(in crate::stdlib) fn fmod(ctx: &mut Ctx<'_>) -> NativeResult {
    let (a, b) = two_numbers(ctx)?;
    let rest = a % b;
    // The processor's invalid result is negative, and shows as such.
    ctx.ret(Val::float(
        match rest.is_nan() && !a.is_nan() && !b.is_nan() {
            true => -f64::NAN.abs(),
            false => rest,
        },
    ))
}

pub(in crate::stdlib) fn modf(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = ctx.check_num(0)?;
    let whole = x.trunc();
    let rest = if x.is_infinite() {
        0f64.copysign(x)
    } else {
        (x - whole).copysign(x)
    };
    ctx.ret2(Val::float(whole), Val::float(rest))
}

/// The largest or smallest of numbers.
pub(in crate::stdlib) fn extreme(ctx: &mut Ctx<'_>, largest: bool) -> NativeResult {
    let mut best = ctx.check_num(0)?;
    ctx.charge(ctx.nargs() / 4);
    for i in 1..ctx.nargs() {
        let x = ctx.check_num(i)?;
        if if largest { x > best } else { x < best } {
            best = x;
        }
    }
    ctx.ret(Val::float(best))
}

/// A bound of `random`: in 5.1 without its fraction.
fn bound(ctx: &mut Ctx<'_>, i: usize) -> Result<f64, Thrown> {
    match ctx.vm.dialect < Dialect::Lua52 {
        true => ctx.check_count(i).map(|n| n as f64),
        false => ctx.check_num(i),
    }
}

/// `random([[low,] high])`: in 5.1 the bounds are cut to integers, in 5.2 they are used as they are.
pub(in crate::stdlib) fn random(ctx: &mut Ctx<'_>) -> NativeResult {
    let r = random::next_unit(ctx.vm);
    let result = match ctx.nargs() {
        0 => r,
        1 => {
            let high = bound(ctx, 0)?;
            if high.is_nan() || high < 1.0 {
                return Err(ctx.arg_error(0, "interval is empty"));
            }
            (r * high).floor() + 1.0
        }
        2 => {
            let (low, high) = (bound(ctx, 0)?, bound(ctx, 1)?);
            if high.is_nan() || low.is_nan() || low > high {
                return Err(ctx.arg_error(1, "interval is empty"));
            }
            (r * (high - low + 1.0)).floor() + low
        }
        _ => return Err(ctx.error("wrong number of arguments")),
    };
    ctx.ret(Val::float(result))
}

/// What `random` of 5.3 refuses: 0 as the only argument, and intervals of more than 2^63 numbers.
pub(in crate::stdlib) fn check_interval(ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
    let (low, high) = match ctx.nargs() {
        1 => (1, ctx.check_int(0)?),
        2 => (ctx.check_int(0)?, ctx.check_int(1)?),
        _ => return Ok(()),
    };
    if low > high {
        return Err(ctx.arg_error(0, "interval is empty"));
    }
    if low < 0 && high > i64::MAX.wrapping_add(low) {
        return Err(ctx.arg_error(0, "interval too large"));
    }
    Ok(())
}

/// `randomseed(x)` up to 5.3: any number, an integer by its value.
pub(in crate::stdlib) fn randomseed(ctx: &mut Ctx<'_>) -> NativeResult {
    let given = ctx.check_num(0)?;
    let v = ctx.arg(0);
    let seed = match v.tag {
        tag::INT => v.raw_int() as u64,
        _ if ctx.vm.floats => given.to_bits(),
        _ => crate::number::float_to_int(given).map_or(given.to_bits(), |n| n as u64),
    };
    random::seed_with(ctx.vm, seed);
    ctx.ret0()
}

#[cfg(test)]
mod tests {
    use super::parse_in_base;

    #[test]
    fn digits_of_a_base_are_floats() {
        for (text, base, expected) in [
            ("ff", 16, Some(255.0)),
            (" -0xFF ", 16, Some(-255.0)),
            ("0x", 16, None),
            ("zz", 36, Some(1295.0)),
            ("8", 8, None),
            ("", 10, None),
            ("-", 10, None),
            ("1 1", 2, None),
            ("ffffffffffffffffff", 16, Some(4.722_366_482_869_645e21)),
        ] {
            assert_eq!(parse_in_base(text.as_bytes(), base), expected, "{text}");
        }
    }
}
