//! LuaJIT's `bit` library: operations on numbers as signed 32-bit integers.
//!
//! **Invariant:** every argument is brought into range first ([`to_bits`]): modulo 2^32, rounded to the nearest integer,
//! ties to even. Every result is a number from -2^31 to 2^31 - 1.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;

static ARSHIFT: NativeDef =
    NativeDef::new("arshift", |ctx| shift(ctx, |x, n| x >> n), Cost::Constant);
static BAND: NativeDef = NativeDef::new("band", |ctx| fold(ctx, |a, b| a & b), Cost::Slots);
static BNOT: NativeDef = NativeDef::new("bnot", |ctx| apply(ctx, |x| !x), Cost::Constant);
static BOR: NativeDef = NativeDef::new("bor", |ctx| fold(ctx, |a, b| a | b), Cost::Slots);
static BSWAP: NativeDef =
    NativeDef::new("bswap", |ctx| apply(ctx, i32::swap_bytes), Cost::Constant);
static BXOR: NativeDef = NativeDef::new("bxor", |ctx| fold(ctx, |a, b| a ^ b), Cost::Slots);
static LSHIFT: NativeDef =
    NativeDef::new("lshift", |ctx| shift(ctx, |x, n| x << n), Cost::Constant);
static ROL: NativeDef = NativeDef::new("rol", |ctx| shift(ctx, i32::rotate_left), Cost::Constant);
static ROR: NativeDef = NativeDef::new("ror", |ctx| shift(ctx, i32::rotate_right), Cost::Constant);
static RSHIFT: NativeDef = NativeDef::new(
    "rshift",
    |ctx| shift(ctx, |x, n| (x as u32 >> n) as i32),
    Cost::Constant,
);
static TOBIT: NativeDef = NativeDef::new("tobit", |ctx| apply(ctx, |x| x), Cost::Constant);
static TOHEX: NativeDef = NativeDef::new("tohex", tohex, Cost::Constant);

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let natives = [
        &ARSHIFT, &BAND, &BNOT, &BOR, &BSWAP, &BXOR, &LSHIFT, &ROL, &ROR, &RSHIFT, &TOBIT, &TOHEX,
    ];
    crate::stdlib::open_library(vm, "bit", &natives, 0).map(drop)
}

/// A number as 32 bits, modulo 2^32 from -2^51 to 2^51. Beyond that these are the bits that the references have, which add
/// the number that moves the units of a double to the end of its mantissa.
pub(super) fn to_bits(f: f64) -> u32 {
    const UNITS_AT_THE_END: f64 = 6_755_399_441_055_744.0; // 2^52 + 2^51
    (f + UNITS_AT_THE_END).to_bits() as u32
}

fn check_bits(ctx: &mut Ctx<'_>, i: usize) -> Result<i32, Thrown> {
    Ok(to_bits(ctx.check_num(i)?) as i32)
}

fn ret_bits(ctx: &mut Ctx<'_>, bits: i32) -> NativeResult {
    ctx.ret(Val::float(f64::from(bits)))
}

#[inline(always)]
fn apply(ctx: &mut Ctx<'_>, f: fn(i32) -> i32) -> NativeResult {
    let x = check_bits(ctx, 0)?;
    ret_bits(ctx, f(x))
}

#[inline(always)]
fn fold(ctx: &mut Ctx<'_>, f: fn(i32, i32) -> i32) -> NativeResult {
    let mut result = check_bits(ctx, 0)?;
    ctx.charge(ctx.nargs() / 4);
    for i in 1..ctx.nargs() {
        let x = check_bits(ctx, i)?;
        result = f(result, x);
    }
    ret_bits(ctx, result)
}

#[inline(always)]
fn shift(ctx: &mut Ctx<'_>, f: fn(i32, u32) -> i32) -> NativeResult {
    let (x, n) = (check_bits(ctx, 0)?, check_bits(ctx, 1)?);
    ret_bits(ctx, f(x, n as u32 & 31))
}

/// `tohex(x [, digits])`: hexadecimal digits, upper case if the count is negative.
fn tohex(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = check_bits(ctx, 0)? as u32;
    let digits = match ctx.is_none_or_nil(1) {
        true => 8,
        false => check_bits(ctx, 1)?,
    };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 {
        format!("{x:08X}")
    } else {
        format!("{x:08x}")
    };
    ctx.ret_str(&text.as_bytes()[8 - count..])
}

#[cfg(test)]
mod tests {
    use super::to_bits;

    #[test]
    fn numbers_are_brought_into_range() {
        for (f, expected) in [
            (0.0, 0),
            (-1.0, 0xFFFF_FFFF),
            (4_294_967_296.0, 0),
            (4_294_967_295.0, 0xFFFF_FFFF),
            (-4_294_967_297.0, 0xFFFF_FFFF),
            (0.5, 0),
            (1.5, 2),
            (-0.5, 0),
            (1e10, 1_410_065_408),
            (f64::NAN, 0),
            (f64::INFINITY, 0),
            // As lua5.2 and luajit have them.
            (2_251_799_813_685_249.0, 0),
            (-9_007_199_254_741_000.0, 16),
            (9_007_199_254_740_998.0, 3),
        ] {
            assert_eq!(to_bits(f), expected, "{f}");
        }
    }
}
