//! `print` before 5.4: it calls the global `tostring`, whatever that is.
//!
//! **Invariant:** the standard `tostring` is not called but its work done at once (`base::print`); what is here is for scripts
//! that replaced it.

use crate::native::{Ctx, NativeResult, Thrown};
use crate::stdlib::access::{self, Access};
use crate::stdlib::base::{write_out, write_text};
use crate::value::Val;

/// The global `tostring`.
pub(in crate::stdlib) fn global_tostring(ctx: &mut Ctx<'_>) -> Result<Val, Thrown> {
    let name = Val::str(ctx.new_str(b"tostring")?);
    let globals = Val::table(ctx.vm.environment);
    ctx.push(name);
    let found = access::index(ctx, globals, name)?;
    ctx.pop();
    match found {
        Access::Now(v) => Ok(v),
        Access::Call(nargs) => {
            // A metatable of the globals with a function in it has no say here.
            let top = ctx.top() - nargs - 1;
            ctx.set_top(top);
            Ok(Val::NIL)
        }
    }
}

/// Prints the arguments as `converter` shows them.
pub(in crate::stdlib) fn print_by(ctx: &mut Ctx<'_>, converter: Val) -> NativeResult {
    // Behind the arguments: the converter, and which argument is next.
    ctx.append_args(&[converter, Val::int(0)])?;
    convert_next(ctx)
}

fn convert_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() - 2;
    let at = ctx.arg(n + 1).raw_int() as usize;
    if at == n {
        write_out(ctx, b"\n");
        return ctx.ret0();
    }
    let (converter, v) = (ctx.arg(n), ctx.arg(at));
    ctx.push(converter);
    ctx.push(v);
    ctx.call(1, converted)
}

fn converted(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() - 2;
    let at = ctx.arg(n + 1).raw_int() as usize;
    let result = ctx.result(0);
    let Some(text) = ctx.to_str(result)? else {
        return Err(no_string(ctx));
    };
    write_text(ctx, at, Val::str(text));
    ctx.resize_args(n + 2)?;
    ctx.set_arg(n + 1, Val::int(at as i64 + 1));
    convert_next(ctx)
}

/// The error when what should make a string did not.
pub(in crate::stdlib) fn no_string(ctx: &mut Ctx<'_>) -> Thrown {
    ctx.error("'tostring' must return a string to 'print'")
}
