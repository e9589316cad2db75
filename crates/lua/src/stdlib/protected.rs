//! A call as lua(1) makes it: protected, with the message handler that puts a traceback behind the error.
//!
//! It is a function around another one, so that the host runs it in slices like any other, and the handler runs where the
//! error is raised. It returns `true` and the results, or `false` and the message.
//!
//! **Invariant:** no traceback and no level of the debug library shows it: what the host runs looks as if the host called it.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Event;

/// Calls its upvalue with its arguments.
pub(crate) static PROTECTED: NativeDef = NativeDef::new("?", protected, Cost::Slots);

fn protected(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs();
    ctx.charge(n / 4);
    // As `xpcall` has it: the handler, the function, its arguments.
    ctx.resize_args(n + 2)?;
    for i in (0..n).rev() {
        let v = ctx.arg(i);
        ctx.set_arg(i + 2, v);
    }
    let f = ctx.upvalue(0);
    ctx.set_arg(0, Val::native(&MESSAGE_HANDLER));
    ctx.set_arg(1, f);
    ctx.call_protected(n, true, super::base::protected_done)
}

static MESSAGE_HANDLER: NativeDef = NativeDef::new("?", message_handler, Cost::Bytes);

fn message_handler(ctx: &mut Ctx<'_>) -> NativeResult {
    let error = ctx.arg(0);
    if let Some(text) = ctx.to_str(error)? {
        if text == ctx.vm.memory_message {
            // The reference has no memory left for a handler then.
            return ctx.ret(error);
        }
        // The text of a number is rooted by taking the number's place.
        ctx.set_arg(0, Val::str(text));
        let traced = traced(ctx, text.as_bytes())?;
        return ctx.ret(traced);
    }
    let method = ctx.vm.meta_of(error, Event::ToString);
    // What a sandboxed script throws is named by its type: it does not get to run once more.
    if method.is_nil() || ctx.vm.sandbox {
        return without_text(ctx);
    }
    ctx.push(method);
    ctx.push(error);
    ctx.call(1, |ctx| {
        let text = ctx.result(0);
        if text.is_str() {
            ctx.ret(text)
        } else {
            without_text(ctx)
        }
    })
}

fn without_text(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = format!("(error object is a {} value)", ctx.arg(0).type_name());
    let traced = traced(ctx, text.as_bytes())?;
    ctx.ret(traced)
}

/// The message and the traceback from where the error was raised.
fn traced(ctx: &mut Ctx<'_>, message: &[u8]) -> Result<Val, Thrown> {
    ctx.charge(message.len() / 16);
    let thread = ctx.vm.current_gc();
    let text = ctx.vm.traceback(thread, Some(message), 1);
    Ok(Val::str(ctx.new_str(&text)?))
}
