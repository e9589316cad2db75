//! Functions of the libraries that 5.4 replaced: `print` through the global `tostring`, `ipairs` with `__ipairs`, and the
//! random numbers' checks of 5.3.
//!
//! **Invariant:** each is registered by [`super::versions`] in the place of the newer one, and only there.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Action, Ctx, NativeResult};
use crate::value::{Val, tag};

/// `print` as it is up to 5.3: it calls whatever the global `tostring` is.
pub(super) static PRINT: NativeDef = NativeDef {
    name: "print",
    run: print,
    cost: Cost::Bytes,
};

fn print(ctx: &mut Ctx<'_>) -> NativeResult {
    // Behind the arguments: `tostring`, and the number of the argument that it is called for.
    let count = ctx.nargs();
    let globals = ctx.vm.globals;
    let key = ctx.new_str(b"tostring")?;
    let tostring = ctx.raw_get(globals, Val::str(key));
    ctx.resize_args(count + 2)?;
    ctx.set_arg(count, tostring);
    ctx.set_arg(count + 1, Val::int(0));
    print_next(ctx)
}

fn print_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let count = ctx.nargs() - 2;
    let at = ctx.arg(count + 1).raw_int() as usize;
    if at == count {
        let _ = ctx.vm.host.write_out(b"\n");
        return ctx.ret0();
    }
    let (tostring, v) = (ctx.arg(count), ctx.arg(at));
    ctx.push(tostring);
    ctx.push(v);
    ctx.call(1, print_text)
}

fn print_text(ctx: &mut Ctx<'_>) -> NativeResult {
    let count = ctx.nargs() - 2;
    let at = ctx.arg(count + 1).raw_int();
    let result = ctx.result(0);
    let Some(text) = ctx.to_str(result)? else {
        return Err(ctx.error("'tostring' must return a string to 'print'"));
    };
    ctx.charge(1 + text.len() / 16);
    // A failure to write is no error of the script's.
    if at > 0 {
        let _ = ctx.vm.host.write_out(b"\t");
    }
    let _ = ctx.vm.host.write_out(text.as_bytes());
    ctx.set_arg(count + 1, Val::int(at + 1));
    ctx.resize_args(count + 2)?;
    // `tostring` may be a native: then nothing else looks at the fuel.
    if ctx.should_pause() {
        return ctx.pause(print_next);
    }
    print_next(ctx)
}

/// `ipairs` of 5.2 and 5.3, which asks a metamethod `__ipairs` first.
pub(super) static IPAIRS: NativeDef = NativeDef {
    name: "ipairs",
    run: ipairs,
    cost: Cost::Constant,
};

fn ipairs(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    let handler = match ctx.metatable(v) {
        Some(meta) => {
            let key = ctx.new_str(b"__ipairs")?;
            ctx.raw_get(meta, Val::str(key))
        }
        None => Val::NIL,
    };
    if handler.is_nil() {
        return super::base::ipairs(ctx);
    }
    ctx.push(handler);
    ctx.push(v);
    ctx.call(1, |ctx| {
        let three = [0, 1, 2].map(|i| ctx.result(i));
        ctx.set_top(ctx.results());
        for v in three {
            ctx.push(v);
        }
        Ok(Action::Return(3))
    })
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
            let last = ctx.nargs() - 1;
            return Err(ctx.arg_error(last, "interval is empty"));
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
        super::random::reseed(ctx.vm, seed);
        ctx.ret0()
    },
    cost: Cost::Constant,
};

/// "nil or table expected": how a wrong type of several right ones is reported, which up to 5.3 does not say what it was.
pub(super) fn several_types_error(
    ctx: &mut Ctx<'_>,
    i: usize,
    expected: &str,
) -> crate::native::Thrown {
    match ctx.vm.dialect < Dialect::Lua54 {
        true => ctx.arg_error(i, &format!("{expected} expected")),
        false => ctx.type_error(i, expected),
    }
}
