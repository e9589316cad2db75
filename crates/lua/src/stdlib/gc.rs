//! `collectgarbage`.
//!
//! A full collection is done in pieces, like any other: other coroutines may run in between. It also calls the finalizers of what it found dead before it returns: the native pauses, the safe
//! point that follows runs the next finalizer, and continues the native.

use crate::dialect::Dialect;
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
/// The options of 5.1; LuaJIT has the last too.
const OPTIONS_5_1: [&str; 8] = [
    "collect",
    "stop",
    "restart",
    "count",
    "step",
    "setpause",
    "setstepmul",
    "isrunning",
];
const OPTIONS_5_2: [&str; 11] = [
    "collect",
    "stop",
    "restart",
    "count",
    "step",
    "setpause",
    "setstepmul",
    "setmajorinc",
    "isrunning",
    "generational",
    "incremental",
];

/// What `setmajorinc` of 5.2 says it was.
const MAJOR_INCREMENT: i64 = 200;
/// Work of the smallest step, in the collector's units (about 16 bytes each).
const SMALL_STEP: usize = 1024;
/// Work between two looks at whether to pause.
const PIECE: usize = 16 * 1024;
/// Units of work that a step is given for each KiB it is asked for.
const UNITS_PER_KIB: usize = 64;
/// The reference's pause is what the heap grows to, in percent; the collector's is what it grows by.
const PAUSE_BASE: usize = 100;

fn collectgarbage(ctx: &mut Ctx<'_>) -> NativeResult {
    let options: &[&'static str] = match ctx.vm.dialect {
        Dialect::Lua51 => &OPTIONS_5_1,
        Dialect::Lua52 => &OPTIONS_5_2,
        _ => &OPTIONS,
    };
    let option = options[ctx.check_option(0, Some(0), options)?];
    if ctx.vm.in_finalizer {
        // The collector is not reentrant: finalizers get nothing of it, as in the reference.
        return ctx.ret(Val::NIL);
    }
    match option {
        "collect" => {
            forget_temporaries(ctx);
            ctx.resize_args(2)?;
            let cycles = ctx.vm.begin_full_cycle();
            ctx.set_arg(0, Val::int(0));
            ctx.set_arg(1, Val::int(cycles as i64));
            collect_on(ctx)
        }
        "step" => {
            let kib = ctx.opt_int(1, 0)?.clamp(0, 1 << 40) as usize;
            forget_temporaries(ctx);
            let units = SMALL_STEP + kib * UNITS_PER_KIB;
            ctx.resize_args(2)?;
            ctx.set_arg(0, Val::FALSE);
            ctx.set_arg(1, Val::int(units as i64));
            step_on(ctx)
        }
        "count" if ctx.vm.dialect == Dialect::Lua52 => {
            let used = ctx.vm.heap.used;
            let rest = (used % 1024) as f64;
            ctx.ret2(Val::float(used as f64 / 1024.0), Val::float(rest))
        }
        "setmajorinc" => {
            // The generational mode changes nothing, and neither does when it collects everything.
            ctx.opt_int(1, 0)?;
            ctx.ret(Val::int(MAJOR_INCREMENT))
        }
        "count" => ctx.ret(Val::float(ctx.vm.heap.used as f64 / 1024.0)),
        "isrunning" => ctx.ret(Val::bool(!ctx.vm.heap.gc.stopped)),
        "stop" => {
            // Without trust in the script it has no effect: the memory of others is at stake too.
            if ctx.vm.full_access() {
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
        mode if ctx.vm.dialect == Dialect::Lua52 => {
            ctx.vm.heap.gc.generational = mode == "generational";
            ctx.ret(Val::int(0))
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

/// Collects in pieces, until so many cycles (argument 1) have ended: a whole one after the call.
fn collect_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let cycles = ctx.arg(1).as_int().unwrap_or(0) as u64;
    while ctx.vm.heap.gc.cycles < cycles {
        if ctx.should_pause() {
            return ctx.pause(collect_on);
        }
        ctx.vm.collect_some(PIECE);
    }
    run_finalizers(ctx)
}

/// Does what is left of a step (argument 1), in pieces, or up to the end of a cycle.
fn step_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut left = ctx.arg(1).as_int().unwrap_or(0);
    while left > 0 {
        if ctx.should_pause() {
            ctx.set_arg(1, Val::int(left));
            return ctx.pause(step_on);
        }
        if ctx.vm.collect_some((left as usize).min(PIECE)) {
            ctx.set_arg(0, Val::TRUE);
            break;
        }
        left -= PIECE as i64;
    }
    run_finalizers(ctx)
}

/// Lets the safe point run what finalizers there are, then returns argument 0.
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
