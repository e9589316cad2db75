//! `collectgarbage`.
//!
//! A full collection also calls the finalizers of what it found dead before it returns: the native pauses, the safe
//! point that follows runs the next finalizer, and continues the native.

use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult};
use crate::value::Val;

pub(super) static COLLECTGARBAGE: NativeDef = NativeDef {
    name: "collectgarbage",
    run: collectgarbage,
    cost: Cost::Steps,
};

const OPTIONS: [&str; 10] = [
    "collect",
    "stop",
    "restart",
    "count",
    "step",
    "isrunning",
    "incremental",
    "generational",
    "setpause",
    "setstepmul",
];

/// Work of the smallest step, in the collector's units (about 16 bytes each).
const SMALL_STEP: usize = 1024;
/// Units of work that a step is given for each KiB it is asked for.
const UNITS_PER_KIB: usize = 64;
/// The reference's pause is what the heap grows to, in percent; the collector's is what it grows by.
const PAUSE_BASE: usize = 100;

fn collectgarbage(ctx: &mut Ctx<'_>) -> NativeResult {
    let option = OPTIONS[ctx.check_option(0, Some(0), &OPTIONS)?];
    if ctx.vm.in_finalizer || ctx.vm.heap.gc.closing {
        // The collector is not reentrant: finalizers get nothing of it, as in the reference.
        return ctx.ret(Val::NIL);
    }
    match option {
        "collect" => {
            forget_temporaries(ctx);
            ctx.vm.collect_everything();
            finish(ctx, Val::int(0))
        }
        "step" => {
            let kib = ctx.opt_int(1, 0)?.clamp(0, 1 << 40) as usize;
            forget_temporaries(ctx);
            let ended = ctx.vm.collect_some(SMALL_STEP + kib * UNITS_PER_KIB);
            finish(ctx, Val::bool(ended))
        }
        "count" => ctx.ret(Val::float(ctx.vm.heap.used as f64 / 1024.0)),
        "isrunning" => ctx.ret(Val::bool(!ctx.vm.heap.gc.stopped)),
        "stop" => {
            // Without trust in the script it has no effect: the memory of others is at stake too.
            if ctx.vm.host.full_access() {
                ctx.vm.heap.gc.stopped = true;
            }
            ctx.ret(Val::int(0))
        }
        "restart" => {
            ctx.vm.heap.gc.stopped = false;
            let heap = &mut ctx.vm.heap;
            heap.gc.threshold = heap.used;
            heap.update_trigger();
            ctx.ret(Val::int(0))
        }
        "setpause" => {
            let percent = ctx.opt_int(1, 0)?;
            let old = set_pause(ctx, percent);
            ctx.ret(Val::int(old))
        }
        "setstepmul" => {
            let percent = ctx.opt_int(1, 0)?;
            let old = set_step(ctx, percent);
            ctx.ret(Val::int(old))
        }
        mode => set_mode(ctx, mode == "generational"),
    }
}

/// Registers of the caller above this call hold what earlier expressions left there: garbage that would survive.
fn forget_temporaries(ctx: &mut Ctx<'_>) {
    let t = ctx.vm.thread_mut();
    for i in t.top as usize..t.extent() {
        t.set(i, Val::NIL);
    }
}

/// Lets the safe point run what finalizers there are, then returns the value (in argument 0 meanwhile).
fn finish(ctx: &mut Ctx<'_>, result: Val) -> NativeResult {
    ctx.resize_args(1)?;
    ctx.set_arg(0, result);
    run_finalizers(ctx)
}

fn run_finalizers(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.heap.gc.to_finalize.is_empty() {
        return ctx.ret(ctx.arg(0));
    }
    ctx.pause(run_finalizers)
}

/// The new pause and step size of the incremental mode; zero (and, for the generational mode, everything) is ignored.
fn set_mode(ctx: &mut Ctx<'_>, generational: bool) -> NativeResult {
    if !generational {
        let (pause, step) = (ctx.opt_int(1, 0)?, ctx.opt_int(2, 0)?);
        ctx.opt_int(3, 0)?;
        if pause != 0 {
            set_pause(ctx, pause);
        }
        if step != 0 {
            set_step(ctx, step);
        }
    } else {
        ctx.opt_int(1, 0)?;
        ctx.opt_int(2, 0)?;
    }
    let old = std::mem::replace(&mut ctx.vm.heap.gc.generational, generational);
    ctx.ret_str(if old { b"generational" } else { b"incremental" })
}

/// The reference keeps its parameters in one byte of four percent each.
fn parameter(percent: i64) -> usize {
    percent.clamp(0, 1000) as usize
}

fn set_pause(ctx: &mut Ctx<'_>, percent: i64) -> i64 {
    let pause = &mut ctx.vm.heap.gc.pause_percent;
    let old = *pause + PAUSE_BASE;
    *pause = parameter(percent).saturating_sub(PAUSE_BASE);
    old as i64
}

fn set_step(ctx: &mut Ctx<'_>, percent: i64) -> i64 {
    let step = &mut ctx.vm.heap.gc.step_percent;
    std::mem::replace(step, parameter(percent)) as i64
}
