//! The `bit32` library of 5.2 and 5.3: operations on numbers as unsigned 32-bit integers. In 5.3 the numbers have to be whole.
//!
//! **Invariant:** arguments are taken modulo 2^32, results are from 0 to 2^32 - 1; displacements of 32 and more shift
//! everything out, negative ones shift the other way.

use super::bit::to_bits;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;

static ARSHIFT: NativeDef = NativeDef::new("arshift", arshift, Cost::Constant);
static BAND: NativeDef = NativeDef::new("band", band, Cost::Slots);
static BNOT: NativeDef = NativeDef::new("bnot", bnot, Cost::Constant);
static BOR: NativeDef = NativeDef::new("bor", |ctx| fold(ctx, 0, |a, b| a | b), Cost::Slots);
static BTEST: NativeDef = NativeDef::new("btest", btest, Cost::Slots);
static BXOR: NativeDef = NativeDef::new("bxor", |ctx| fold(ctx, 0, |a, b| a ^ b), Cost::Slots);
static EXTRACT: NativeDef = NativeDef::new("extract", extract, Cost::Constant);
static LROTATE: NativeDef = NativeDef::new("lrotate", |ctx| rotate(ctx, 1), Cost::Constant);
static LSHIFT: NativeDef = NativeDef::new("lshift", |ctx| shift(ctx, 1), Cost::Constant);
static REPLACE: NativeDef = NativeDef::new("replace", replace, Cost::Constant);
static RROTATE: NativeDef = NativeDef::new("rrotate", |ctx| rotate(ctx, -1), Cost::Constant);
static RSHIFT: NativeDef = NativeDef::new("rshift", |ctx| shift(ctx, -1), Cost::Constant);

pub(in crate::stdlib) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let natives = [
        &ARSHIFT, &BAND, &BNOT, &BOR, &BTEST, &BXOR, &EXTRACT, &LROTATE, &LSHIFT, &REPLACE,
        &RROTATE, &RSHIFT,
    ];
    crate::stdlib::open_library(vm, "bit32", &natives, 0).map(drop)
}

fn check_bits(ctx: &mut Ctx<'_>, i: usize) -> Result<u32, Thrown> {
    match ctx.vm.floats {
        true => Ok(to_bits(ctx.check_num(i)?)),
        false => Ok(ctx.check_int(i)? as u32),
    }
}

fn ret_bits(ctx: &mut Ctx<'_>, bits: u32) -> NativeResult {
    ctx.ret(Val::int(i64::from(bits)))
}

fn folded(ctx: &mut Ctx<'_>, start: u32, f: fn(u32, u32) -> u32) -> Result<u32, Thrown> {
    let mut result = start;
    ctx.charge(ctx.nargs() / 4);
    for i in 0..ctx.nargs() {
        let x = check_bits(ctx, i)?;
        result = f(result, x);
    }
    Ok(result)
}

fn fold(ctx: &mut Ctx<'_>, start: u32, f: fn(u32, u32) -> u32) -> NativeResult {
    let result = folded(ctx, start, f)?;
    ret_bits(ctx, result)
}

fn band(ctx: &mut Ctx<'_>) -> NativeResult {
    fold(ctx, u32::MAX, |a, b| a & b)
}

fn btest(ctx: &mut Ctx<'_>) -> NativeResult {
    let common = folded(ctx, u32::MAX, |a, b| a & b)?;
    ctx.ret(Val::bool(common != 0))
}

fn bnot(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = check_bits(ctx, 0)?;
    ret_bits(ctx, !x)
}

/// Shifts to the left by `n`; to the right if it is negative.
fn shifted(x: u32, n: i64) -> u32 {
    let by = u32::try_from(n.unsigned_abs()).unwrap_or(u32::MAX);
    match n >= 0 {
        true => x.checked_shl(by).unwrap_or(0),
        false => x.checked_shr(by).unwrap_or(0),
    }
}

fn shift(ctx: &mut Ctx<'_>, direction: i64) -> NativeResult {
    let (x, n) = (check_bits(ctx, 0)?, ctx.check_count(1)?);
    ret_bits(ctx, shifted(x, n.saturating_mul(direction)))
}

fn arshift(ctx: &mut Ctx<'_>) -> NativeResult {
    let (x, n) = (check_bits(ctx, 0)?, ctx.check_count(1)?);
    if n < 0 || x >> 31 == 0 {
        return ret_bits(ctx, shifted(x, n.saturating_neg()));
    }
    ret_bits(ctx, (x as i32 >> n.min(31)) as u32)
}

fn rotate(ctx: &mut Ctx<'_>, direction: i64) -> NativeResult {
    let (x, n) = (check_bits(ctx, 0)?, ctx.check_count(1)?);
    let by = n.wrapping_mul(direction).rem_euclid(32) as u32;
    ret_bits(ctx, x.rotate_left(by))
}

/// The field that arguments `i` and the next tell: its lowest bit, and as many ones as it is wide.
fn field(ctx: &mut Ctx<'_>, i: usize) -> Result<(u32, u32), Thrown> {
    let (lowest, width) = (ctx.check_count(i)?, ctx.opt_count(i + 1, 1)?);
    if lowest < 0 {
        return Err(ctx.arg_error(i, "field cannot be negative"));
    }
    if width <= 0 {
        return Err(ctx.arg_error(i + 1, "width must be positive"));
    }
    if lowest.saturating_add(width) > 32 {
        return Err(ctx.error("trying to access non-existent bits"));
    }
    Ok((lowest as u32, u32::MAX >> (32 - width as u32)))
}

fn extract(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = check_bits(ctx, 0)?;
    let (lowest, mask) = field(ctx, 1)?;
    ret_bits(ctx, x >> lowest & mask)
}

fn replace(ctx: &mut Ctx<'_>) -> NativeResult {
    let (x, v) = (check_bits(ctx, 0)?, check_bits(ctx, 1)?);
    let (lowest, mask) = field(ctx, 2)?;
    ret_bits(ctx, x & !(mask << lowest) | (v & mask) << lowest)
}
