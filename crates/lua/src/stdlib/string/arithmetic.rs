//! Arithmetic on strings: the metamethods of the string metatable, which convert numerals.
//!
//! **Invariant:** they are called by the interpreter only when plain arithmetic failed, so at least one operand is a string.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, to_number};
use crate::number::Number;
use crate::value::Val;
use crate::vm::Event;

pub(super) static METAMETHODS: [NativeDef; 8] = [
    NativeDef::new("__add", |ctx| operate(ctx, Event::Add), Cost::Bytes),
    NativeDef::new("__sub", |ctx| operate(ctx, Event::Sub), Cost::Bytes),
    NativeDef::new("__mul", |ctx| operate(ctx, Event::Mul), Cost::Bytes),
    NativeDef::new("__mod", |ctx| operate(ctx, Event::Mod), Cost::Bytes),
    NativeDef::new("__pow", |ctx| operate(ctx, Event::Pow), Cost::Bytes),
    NativeDef::new("__div", |ctx| operate(ctx, Event::Div), Cost::Bytes),
    NativeDef::new("__idiv", |ctx| operate(ctx, Event::IDiv), Cost::Bytes),
    NativeDef::new("__unm", |ctx| operate(ctx, Event::Unm), Cost::Bytes),
];

fn number_value(ctx: &mut Ctx<'_>, v: Val) -> Option<Val> {
    ctx.charge_numeral(v);
    Some(match to_number(v)? {
        Number::Int(i) => Val::int(i),
        Number::Float(f) => Val::float(f),
    })
}

fn operate(ctx: &mut Ctx<'_>, event: Event) -> NativeResult {
    let (a, b) = (ctx.arg(0), ctx.arg(1));
    if let Some(x) = number_value(ctx, a)
        && let Some(y) = number_value(ctx, b)
        && let Some(v) = ctx.vm.arith_numbers(event, x, y)?
    {
        return ctx.ret(v);
    }
    // The other operand may know what to do; if it is the first one, it has been asked already.
    let handler = match b.is_str() {
        true => Val::NIL,
        false => ctx.vm.meta_of(b, event),
    };
    if handler.is_nil() {
        let name = crate::vm::EVENT_NAMES[event as usize].trim_start_matches('_');
        let message = format!(
            "attempt to {name} a '{}' with a '{}'",
            a.type_name(),
            b.type_name()
        );
        return Err(ctx.error(&message));
    }
    ctx.push(handler);
    ctx.push(a);
    ctx.push(b);
    ctx.tail_call(2)
}
