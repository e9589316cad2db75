//! The standard library: natives by table, and what opens them in a VM.

pub(crate) mod base;
pub mod string;

use crate::function::{Cost, NativeDef};
use crate::native::{Action, Ctx, NativeResult, Status, Thrown};
use crate::value::Val;
use crate::vm::Vm;

/// `next`: the loop recognises it in generic `for`.
pub(crate) static NEXT: NativeDef = NativeDef { name: "next", run: base::next, cost: Cost::Slots };

/// Calls a finalizer in protected mode: (method, object). An error in it is a warning.
pub(crate) static RUN_FINALIZER: NativeDef = NativeDef { name: "__gc", run: run_finalizer, cost: Cost::Constant };

fn run_finalizer(ctx: &mut Ctx<'_>) -> NativeResult {
    let (method, object) = (ctx.arg(0), ctx.arg(1));
    if !method.is_function() {
        return ctx.ret0();
    }
    ctx.push(method);
    ctx.push(object);
    ctx.call_protected(1, false, finalizer_done)
}

fn finalizer_done(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.status() == Status::Error {
        let error = ctx.result(0);
        let text = match ctx.to_str(error)? {
            Some(s) => String::from_utf8_lossy(s.as_bytes()).into_owned(),
            None => format!("(error object is a {} value)", error.type_name()),
        };
        ctx.vm.warn(format!("error in __gc ({text})").as_bytes(), false);
    }
    Ok(Action::Return(0))
}

/// Opens the libraries of an unsandboxed VM.
pub(crate) fn open_all(vm: &mut Vm) -> Result<(), Thrown> {
    base::open(vm)?;
    let _ = Val::NIL;
    Ok(())
}
