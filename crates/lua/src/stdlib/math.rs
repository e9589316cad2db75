//! The mathematical functions, with those of older versions that the reference still has.
//!
//! **Invariant:** results keep the subtype that the reference gives them: an integer stays one where nothing is lost.

use super::random::{self, RANDOM, RANDOMSEED};
use super::versions::numbers;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown, to_integer};
use crate::number::{Number, float_to_int};
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};

/// A float, or the integer that it equals.
fn integral(f: f64) -> Val {
    float_to_int(f).map_or(Val::float(f), Val::int)
}

/// Natives that apply one function to one float.
macro_rules! float_functions {
    ($($static:ident $name:literal $f:expr;)*) => {
        $(static $static: NativeDef = NativeDef {
            name: $name,
            run: |ctx| {
                let f: fn(f64) -> f64 = $f;
                let x = ctx.check_num(0)?;
                ctx.ret(Val::float(f(x)))
            },
            cost: Cost::Constant,
            quick: Some(|_, args, _| {
                let f: fn(f64) -> f64 = $f;
                match args.first().and_then(|v| v.as_number()) {
                    Some(x) => Val::float(f(x)),
                    None => Val::UNSUITED,
                }
            }), switch: None
        };)*
    };
}

float_functions! {
    ACOS "acos" f64::acos;
    ASIN "asin" f64::asin;
    COS "cos" f64::cos;
    COSH "cosh" f64::cosh;
    DEG "deg" |x| x * (180.0 / std::f64::consts::PI);
    EXP "exp" f64::exp;
    LOG10 "log10" f64::log10;
    RAD "rad" |x| x * (std::f64::consts::PI / 180.0);
    SIN "sin" f64::sin;
    SINH "sinh" f64::sinh;
    SQRT "sqrt" f64::sqrt;
    TAN "tan" f64::tan;
    TANH "tanh" f64::tanh;
}

static ABS: NativeDef = NativeDef {
    name: "abs",
    run: abs,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [v, ..] if v.tag == tag::INT => Val::int(v.raw_int().wrapping_abs()),
        [v, ..] if v.tag == tag::FLOAT => Val::float(v.raw_float().abs()),
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn abs(ctx: &mut Ctx<'_>) -> NativeResult {
    match ctx.check_number(0)? {
        // A string is converted to a float here, as in the reference.
        Number::Int(i) if !ctx.arg(0).is_str() && !ctx.vm.floats => {
            ctx.ret(Val::int(i.wrapping_abs()))
        }
        n => ctx.ret(Val::float(n.to_f64().abs())),
    }
}

static ATAN: NativeDef = NativeDef {
    name: "atan",
    run: atan,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [y] => y
            .as_number()
            .map_or(Val::UNSUITED, |y| Val::float(y.atan2(1.0))),
        [y, x] => match (y.as_number(), x.as_number()) {
            (Some(y), Some(x)) => Val::float(y.atan2(x)),
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn atan(ctx: &mut Ctx<'_>) -> NativeResult {
    let y = ctx.check_num(0)?;
    if ctx.vm.floats {
        // The angle of a point is `atan2`.
        return ctx.ret(Val::float(y.atan()));
    }
    let x = ctx.opt_num(1, 1.0)?;
    ctx.ret(Val::float(y.atan2(x)))
}

/// From 5.3 on only another name of `atan`.
static ATAN2: NativeDef = NativeDef::new("atan2", atan, Cost::Constant);

static CEIL: NativeDef = NativeDef {
    name: "ceil",
    run: |ctx| round(ctx, f64::ceil),
    cost: Cost::Constant,
    quick: Some(|_, args, _| quick_round(args, f64::ceil)),
    switch: None,
};
static FLOOR: NativeDef = NativeDef {
    name: "floor",
    run: |ctx| round(ctx, f64::floor),
    cost: Cost::Constant,
    quick: Some(|_, args, _| quick_round(args, f64::floor)),
    switch: None,
};

#[inline(always)]
fn quick_round(args: &[Val], f: fn(f64) -> f64) -> Val {
    match args {
        [v, ..] if v.tag == tag::INT => *v,
        [v, ..] if v.tag == tag::FLOAT => integral(f(v.raw_float())),
        _ => Val::UNSUITED,
    }
}

#[inline(always)]
fn round(ctx: &mut Ctx<'_>, f: fn(f64) -> f64) -> NativeResult {
    let v = ctx.arg(0);
    if v.tag == tag::INT {
        return ctx.ret(v);
    }
    let x = ctx.check_num(0)?;
    if ctx.vm.floats {
        return ctx.ret(Val::float(f(x)));
    }
    ctx.ret(integral(f(x)))
}

static FMOD: NativeDef = NativeDef {
    name: "fmod",
    run: fmod,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [a, b, ..] if a.tag == tag::FLOAT && b.tag == tag::FLOAT => {
            Val::float(a.raw_float() % b.raw_float())
        }
        [a, b, ..] if a.tag == tag::INT && b.tag == tag::INT && b.raw_int() != 0 => {
            Val::int(a.raw_int().wrapping_rem(b.raw_int()))
        }
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn fmod(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats {
        return numbers::fmod(ctx);
    }
    if let (Some(a), Some(b)) = (ctx.arg(0).as_int(), ctx.arg(1).as_int()) {
        if b == 0 {
            return Err(ctx.arg_error(1, "zero"));
        }
        return ctx.ret(Val::int(a.wrapping_rem(b)));
    }
    // The reference looks at the second argument first: so do C compilers evaluate its call of `fmod`.
    let b = ctx.check_num(1)?;
    let a = ctx.check_num(0)?;
    ctx.ret(Val::float(a % b))
}

static MODF: NativeDef = NativeDef::new("modf", modf, Cost::Constant);

fn modf(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats {
        return numbers::modf(ctx);
    }
    let v = ctx.arg(0);
    if v.tag == tag::INT {
        return ctx.ret2(v, Val::float(0.0));
    }
    let x = ctx.check_num(0)?;
    let whole = x.trunc();
    let rest = if x.is_infinite() { 0.0 } else { x - whole };
    ctx.ret2(integral(whole), Val::float(rest))
}

static LOG: NativeDef = NativeDef {
    name: "log",
    run: log,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [v] => v.as_number().map_or(Val::UNSUITED, |x| Val::float(x.ln())),
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn log(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = ctx.check_num(0)?;
    if ctx.is_none_or_nil(1) {
        return ctx.ret(Val::float(x.ln()));
    }
    let base = ctx.check_num(1)?;
    let result = if base == 2.0 {
        x.log2()
    } else if base == 10.0 {
        x.log10()
    } else {
        x.ln() / base.ln()
    };
    ctx.ret(Val::float(result))
}

static POW: NativeDef = NativeDef::new("pow", pow, Cost::Constant);

fn pow(ctx: &mut Ctx<'_>) -> NativeResult {
    let (x, y) = match ctx.vm.dialect {
        Dialect::Lua51 => numbers::two_numbers(ctx)?,
        _ => (ctx.check_num(0)?, ctx.check_num(1)?),
    };
    ctx.ret(Val::float(crate::number::float_pow(x, y)))
}

static FREXP: NativeDef = NativeDef::new("frexp", frexp, Cost::Constant);

fn frexp(ctx: &mut Ctx<'_>) -> NativeResult {
    let x = ctx.check_num(0)?;
    let (fraction, exponent) = split_float(x);
    ctx.ret2(Val::float(fraction), Val::int(exponent))
}

/// `x` as a fraction in [0.5, 1) (or a zero, infinity or NaN as it is) and a power of two.
fn split_float(x: f64) -> (f64, i64) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    // A subnormal is made normal first.
    let (x, scaled) = if x.abs() < f64::MIN_POSITIVE {
        (x * 2f64.powi(64), 64)
    } else {
        (x, 0)
    };
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7FF) as i64 - 1022;
    (
        f64::from_bits(bits & !(0x7FF << 52) | 1022 << 52),
        exponent - scaled,
    )
}

static LDEXP: NativeDef = NativeDef::new("ldexp", ldexp, Cost::Constant);

fn ldexp(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.dialect == Dialect::Lua51 {
        numbers::two_numbers(ctx)?;
    }
    let mut x = ctx.check_num(0)?;
    let mut exponent = i64::from(ctx.check_int(1)? as i32).clamp(-5000, 5000);
    // In steps that do not overflow by themselves; only the last may round.
    while exponent > 1000 {
        x *= 2f64.powi(1000);
        exponent -= 1000;
    }
    let (fraction, own) = split_float(x);
    if x == 0.0 || !x.is_finite() {
        return ctx.ret(Val::float(x));
    }
    let total = exponent + own;
    let result = if total < -1200 {
        fraction * 0.0
    } else if total < -1000 {
        fraction * 2f64.powi(-900) * 2f64.powi((total + 900) as i32)
    } else if total > 1000 {
        fraction * 2f64.powi(1000) * 2f64.powi((total - 1000).min(1000) as i32)
    } else {
        fraction * 2f64.powi(total as i32)
    };
    ctx.ret(Val::float(result))
}

static TOINTEGER: NativeDef = NativeDef {
    name: "tointeger",
    run: tointeger,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [v, ..] if v.is_number() => to_integer(*v).map_or(Val::NIL, Val::int),
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn tointeger(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    ctx.charge_numeral(v);
    ctx.ret(to_integer(v).map_or(Val::NIL, Val::int))
}

static TYPE: NativeDef = NativeDef {
    name: "type",
    run: number_type,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| {
        let name = match args.first().map(|v| v.tag) {
            Some(tag::INT) => b"integer".as_slice(),
            Some(tag::FLOAT) => b"float".as_slice(),
            Some(_) => return Val::NIL,
            None => return Val::UNSUITED,
        };
        vm.intern(name).map_or(Val::UNSUITED, Val::str)
    }),
    switch: None,
};

fn number_type(ctx: &mut Ctx<'_>) -> NativeResult {
    match ctx.check_any(0)?.tag {
        tag::INT => ctx.ret_str(b"integer"),
        tag::FLOAT => ctx.ret_str(b"float"),
        _ => ctx.ret(Val::NIL),
    }
}

static ULT: NativeDef = NativeDef::new("ult", ult, Cost::Constant);

fn ult(ctx: &mut Ctx<'_>) -> NativeResult {
    let (a, b) = (ctx.check_int(0)?, ctx.check_int(1)?);
    ctx.ret(Val::bool((a as u64) < b as u64))
}

// ---- the largest and the smallest, by `<` ----

static MAX: NativeDef = NativeDef {
    name: "max",
    run: |ctx| extreme(ctx, true),
    cost: Cost::Slots,
    quick: Some(|_, args, _| quick_extreme(args, true)),
    switch: None,
};
static MIN: NativeDef = NativeDef {
    name: "min",
    run: |ctx| extreme(ctx, false),
    cost: Cost::Slots,
    quick: Some(|_, args, _| quick_extreme(args, false)),
    switch: None,
};

/// Of two numbers of one subtype.
#[inline(always)]
fn quick_extreme(args: &[Val], largest: bool) -> Val {
    match args {
        [a, b] if a.tag == tag::INT && b.tag == tag::INT => {
            match (a.raw_int() < b.raw_int()) == largest {
                true => *b,
                false => *a,
            }
        }
        // The second where it is beyond the first: so is it with NaN.
        [a, b] if a.tag == tag::FLOAT && b.tag == tag::FLOAT => {
            let (x, y) = (a.raw_float(), b.raw_float());
            match if largest { x < y } else { y < x } {
                true => *b,
                false => *a,
            }
        }
        _ => Val::UNSUITED,
    }
}

#[inline(always)]
fn extreme(ctx: &mut Ctx<'_>, largest: bool) -> NativeResult {
    if ctx.vm.floats {
        return numbers::extreme(ctx, largest);
    }
    if ctx.nargs() == 2
        && let (Some(a), Some(b)) = (ctx.arg(0).as_int(), ctx.arg(1).as_int())
    {
        return ctx.ret(Val::int(if largest { a.max(b) } else { a.min(b) }));
    }
    if ctx.nargs() == 0 {
        return Err(ctx.arg_error(0, "value expected"));
    }
    let n = ctx.nargs();
    ctx.charge(n / 4);
    extreme_from(ctx, largest, 1, n)
}

/// Compares arguments `at` to `n` with the best so far, which argument 0 becomes.
fn extreme_from(ctx: &mut Ctx<'_>, largest: bool, at: usize, n: usize) -> NativeResult {
    for i in at..n {
        let (best, v) = (ctx.arg(0), ctx.arg(i));
        let (a, b) = if largest { (best, v) } else { (v, best) };
        if let Some(less) = ctx.vm.less_raw(Event::Lt, a, b) {
            if less {
                ctx.set_arg(0, v);
            }
            continue;
        }
        return ask_order(ctx, largest, i, n, [a, b]);
    }
    ctx.ret(ctx.arg(0))
}

/// Asks `__lt`. The state goes behind the arguments: which one is compared, and what is looked for.
#[cold]
fn ask_order(
    ctx: &mut Ctx<'_>,
    largest: bool,
    at: usize,
    n: usize,
    [a, b]: [Val; 2],
) -> NativeResult {
    let mut handler = ctx.vm.meta_of(a, Event::Lt);
    if handler.is_nil() {
        handler = ctx.vm.meta_of(b, Event::Lt);
    }
    if handler.is_nil() {
        return Err(ctx.vm.compare_error(a, b));
    }
    ctx.resize_args(n + 2)?;
    ctx.set_arg(n, Val::int(at as i64));
    ctx.set_arg(n + 1, Val::bool(largest));
    for v in [handler, a, b] {
        ctx.push(v);
    }
    ctx.call(2, |ctx| {
        let n = ctx.nargs() - 2;
        let (at, largest) = (ctx.arg(n).raw_int() as usize, ctx.arg(n + 1).truthy());
        if ctx.result(0).truthy() {
            let v = ctx.arg(at);
            ctx.set_arg(0, v);
        }
        ctx.resize_args(n + 2)?;
        extreme_from(ctx, largest, at + 1, n)
    })
}

pub(crate) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let natives = [
        &ABS,
        &ACOS,
        &ASIN,
        &ATAN,
        &CEIL,
        &COS,
        &COSH,
        &DEG,
        &EXP,
        &FLOOR,
        &FMOD,
        &FREXP,
        &LDEXP,
        &LOG,
        &LOG10,
        &MAX,
        &MIN,
        &MODF,
        &POW,
        &RAD,
        &RANDOM,
        &RANDOMSEED,
        &SIN,
        &SINH,
        &SQRT,
        &TAN,
        &TANH,
    ];
    let math = super::open_library(vm, "math", &natives, 7)?;
    vm.set_field(math, "pi", Val::float(std::f64::consts::PI))?;
    vm.set_field(math, "huge", Val::float(f64::INFINITY))?;
    if vm.dialect.has_integers() {
        vm.register(math, &[&TOINTEGER, &TYPE, &ULT])?;
        vm.set_field(math, "maxinteger", Val::int(i64::MAX))?;
        vm.set_field(math, "mininteger", Val::int(i64::MIN))?;
        vm.register(math, &[&ATAN2])?;
    } else {
        vm.register(math, &[&numbers::ATAN2])?;
        if vm.dialect < Dialect::Lua52 {
            vm.register(math, &[&numbers::MOD])?;
        }
    }
    random::seed_from_host(vm);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::split_float;

    #[test]
    fn floats_split_into_fraction_and_exponent() {
        for x in [
            1.0,
            -1.0,
            0.5,
            3.75,
            -1e300,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
        ] {
            let (fraction, exponent) = split_float(x);
            assert!((0.5..1.0).contains(&fraction.abs()), "{x}: {fraction}");
            let half = (exponent / 2) as i32;
            assert_eq!(
                fraction * 2f64.powi(half) * 2f64.powi(exponent as i32 - half),
                x
            );
        }
        assert_eq!(split_float(0.0), (0.0, 0));
        assert_eq!(split_float(f64::INFINITY), (f64::INFINITY, 0));
    }
}
