//! Functions of 5.3 that 5.4 replaced: `ipairs` with `__ipairs`, and random numbers with other checks.
//!
//! **Invariant:** each is registered by [`super::versions`] in the place of the newer one, and only there.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult};
use crate::value::tag;

/// `ipairs` of 5.3, which asks a metamethod `__ipairs` first.
pub(super) static IPAIRS: NativeDef = NativeDef {
    name: "ipairs",
    run: ipairs,
    cost: Cost::Constant,
};

fn ipairs(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    let handler = ctx.metamethod(v, "__ipairs")?;
    if handler.is_nil() {
        return super::base::ipairs(ctx);
    }
    super::base::call_for_three(ctx, handler, v)
}

/// `math.random` of 5.3: no argument 0, and no interval of more than 2^63 numbers.
pub(super) static RANDOM: NativeDef = NativeDef {
    name: "random",
    run: random,
    cost: Cost::Constant,
};

fn random(ctx: &mut Ctx<'_>) -> NativeResult {
    let bounds = match ctx.nargs() {
        1 => Some((1, ctx.check_int(0)?)),
        2 => Some((ctx.check_int(0)?, ctx.check_int(1)?)),
        _ => None,
    };
    if let Some((low, high)) = bounds {
        if low > high {
            return Err(ctx.arg_error(0, "interval is empty"));
        }
        if low < 0 && high > i64::MAX.wrapping_add(low) {
            return Err(ctx.arg_error(0, "interval too large"));
        }
    }
    super::random::random(ctx)
}

/// `math.randomseed` of 5.3: it takes any number, and returns nothing.
pub(super) static RANDOMSEED: NativeDef = NativeDef {
    name: "randomseed",
    run: |ctx| {
        let given = ctx.check_num(0)?;
        let v = ctx.arg(0);
        let seed = match v.tag {
            tag::INT => v.raw_int(),
            _ => crate::number::float_to_int(given).unwrap_or(given.to_bits() as i64),
        };
        super::random::seed_with(ctx.vm, seed as u64);
        ctx.ret0()
    },
    cost: Cost::Constant,
};
