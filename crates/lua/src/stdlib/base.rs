//! The basic functions.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;

/// `next(table [, key])`
pub(crate) fn next(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    let key = ctx.arg(1);
    match ctx.vm.table_next(t, key)? {
        None => ctx.ret(Val::NIL),
        Some((k, v)) => ctx.ret2(k, v),
    }
}

static PRINT: NativeDef = NativeDef { name: "print", run: print, cost: Cost::Bytes };

fn print(ctx: &mut Ctx<'_>) -> NativeResult {
    for i in 0..ctx.nargs() {
        if i > 0 {
            let _ = ctx.vm.host.write_out(b"\t");
        }
        let v = ctx.arg(i);
        match ctx.to_str(v)? {
            Some(s) => drop(ctx.vm.host.write_out(s.as_bytes())),
            None => drop(ctx.vm.host.write_out(format!("{v:?}").as_bytes())),
        }
    }
    let _ = ctx.vm.host.write_out(b"\n");
    ctx.ret0()
}

pub(crate) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let globals = vm.globals;
    vm.register(globals, &[&PRINT, &super::NEXT])
}
