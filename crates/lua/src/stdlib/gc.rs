//! `collectgarbage`.
//!
//! A full collection is done in pieces, like any other: other coroutines may run in between. It also calls the finalizers of what it found dead before it returns: the native pauses, the safe
//! point that follows runs the next finalizer, and continues the native.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult};
use crate::value::Val;

pub(super) static COLLECTGARBAGE: NativeDef =
    NativeDef::new("collectgarbage", collectgarbage, Cost::Steps);

/// What there is in some version; [`has_option`] says in which.
const OPTIONS: [&str; 12] = [
    "collect",
    "stop",
    "restart",
    "count",
    "step",
    "isrunning",
    "setpause",
    "setstepmul",
    "setmajorinc",
    "incremental",
    "generational",
    "param",
];
/// Whether a version has an option.
fn has_option(dialect: Dialect, option: &str) -> bool {
    match option {
        "setpause" | "setstepmul" => dialect < Dialect::Lua55,
        "setmajorinc" => dialect == Dialect::Lua52,
        "incremental" | "generational" => dialect == Dialect::Lua52 || dialect >= Dialect::Lua54,
        "param" => dialect >= Dialect::Lua55,
        // "isrunning" came with 5.2; LuaJIT has it too.
        _ => true,
    }
}

/// What `setmajorinc` of 5.2 says it was.
const MAJOR_INCREMENT: i64 = 200;
/// Work of the smallest step, in the collector's units (about 16 bytes each).
const SMALL_STEP: usize = 1024;
/// The same up to 5.3, where a cycle takes scripts more steps.
const SMALLER_STEP: usize = 64;
/// Work between two looks at whether to pause.
const PIECE: usize = 16 * 1024;
/// Units of work that a step is given for each KiB it is asked for.
const UNITS_PER_KIB: usize = 64;
const BYTES_PER_UNIT: usize = 16;
/// Bytes for which a step is made at least, where they are counted one by one.
const SMALLEST_STEP: usize = 256;
/// The reference's pause is what the heap grows to, in percent; the collector's is what it grows by.
const PAUSE_BASE: usize = 100;

fn collectgarbage(ctx: &mut Ctx<'_>) -> NativeResult {
    let dialect = ctx.vm.dialect;
    let option = OPTIONS[ctx.check_option(0, Some(0), &OPTIONS)?];
    if !has_option(dialect, option) {
        return Err(ctx.invalid_option(0, option.as_bytes()));
    }
    if ctx.vm.in_finalizer || ctx.vm.heap.gc.closing {
        // The collector is not reentrant: finalizers get nothing of it, as in the reference.
        return ctx.ret(Val::NIL);
    }
    match option {
        "collect" => collect(ctx, Val::int(0)),
        "step" => {
            let size = ctx.opt_int(1, 0)?.clamp(0, 1 << 40) as usize;
            if size == 0 && ctx.vm.heap.gc.whole_steps {
                return collect(ctx, Val::TRUE);
            }
            // From 5.5 on, the size is in bytes, and what is too little to begin with is saved up.
            let work = match dialect >= Dialect::Lua55 {
                true => {
                    let owed = &mut ctx.vm.heap.gc.owed;
                    *owed = owed.saturating_add(size);
                    if size > 0 && *owed < SMALLEST_STEP {
                        return ctx.ret(Val::FALSE);
                    }
                    std::mem::take(owed) / BYTES_PER_UNIT
                }
                false => size * UNITS_PER_KIB,
            };
            forget_temporaries(ctx);
            let least = match dialect < Dialect::Lua54 {
                true => SMALLER_STEP,
                false => SMALL_STEP,
            };
            let units = least + work;
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
                ctx.vm.heap.stop_collector(true);
            }
            ctx.ret(Val::int(0))
        }
        "restart" => {
            ctx.vm.heap.stop_collector(false);
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
        "param" => parameter_by_name(ctx),
        mode if dialect == Dialect::Lua52 => {
            ctx.vm.heap.gc.generational = mode == "generational";
            ctx.ret(Val::int(0))
        }
        mode => set_mode(ctx, mode == "generational"),
    }
}

const PARAMETERS: [&str; 6] = [
    "minormul",
    "majorminor",
    "minormajor",
    "pause",
    "stepmul",
    "stepsize",
];
/// The values that the reference begins with.
const DEFAULTS: [u32; 6] = [20, 50, 70, 250, 200, 9600];

pub(crate) fn default_parameters() -> [u8; 6] {
    DEFAULTS.map(code_parameter)
}

/// `collectgarbage("param", name [, value])`: the old value. Pause and step size steer the collector, the others are
/// kept only.
fn parameter_by_name(ctx: &mut Ctx<'_>) -> NativeResult {
    let which = ctx.check_option(1, None, &PARAMETERS)?;
    let value = ctx.opt_int(2, -1)? as i32;
    let old = decode_parameter(ctx.vm.heap.gc.parameters[which]);
    if let Ok(value) = u32::try_from(value) {
        ctx.vm.heap.gc.parameters[which] = code_parameter(value);
        match PARAMETERS[which] {
            "pause" => drop(set_pause(ctx, i64::from(value))),
            "stepmul" => drop(set_step(ctx, i64::from(value))),
            _ => {}
        }
    }
    ctx.ret(Val::int(old))
}

/// A percentage in one byte, rounded up: four bits of exponent and four of mantissa, as the reference keeps it, so that
/// a script reads the same value back.
fn code_parameter(percent: u32) -> u8 {
    if u64::from(percent) >= (0x1F << (0xF - 7 - 1)) * 100 {
        return 0xFF;
    }
    let scaled = (u64::from(percent) * 128).div_ceil(100) as u32;
    if scaled < 0x10 {
        return scaled as u8;
    }
    // Five significant bits are kept, the first of them implied.
    let shift = (scaled + 1).next_power_of_two().trailing_zeros() - 5;
    (((scaled >> shift) - 0x10) | ((shift + 1) << 4)) as u8
}

fn decode_parameter(coded: u8) -> i64 {
    let (mantissa, exponent) = (i64::from(coded & 0xF), i32::from(coded >> 4));
    let (mantissa, exponent) = match exponent {
        0 => (mantissa, -7),
        _ => (mantissa + 0x10, exponent - 1 - 7),
    };
    match exponent {
        0.. => (100 * mantissa) << exponent,
        _ => (100 * mantissa) >> -exponent,
    }
}

/// Registers of the caller above this call hold what earlier expressions left there: garbage that would survive.
fn forget_temporaries(ctx: &mut Ctx<'_>) {
    let t = ctx.vm.thread_mut();
    for i in t.top as usize..t.extent() {
        t.set(i, Val::NIL);
    }
}

/// A full cycle from its beginning, then `result`.
fn collect(ctx: &mut Ctx<'_>, result: Val) -> NativeResult {
    forget_temporaries(ctx);
    ctx.resize_args(2)?;
    let cycles = ctx.vm.begin_full_cycle();
    ctx.set_arg(0, result);
    ctx.set_arg(1, Val::int(cycles as i64));
    collect_on(ctx)
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
    if !ctx.vm.heap.gc.has_finalizers() {
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
    ctx.vm.heap.gc.whole_steps = generational;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_back_as_the_reference_rounds_them() {
        for (given, read) in [
            (0, 0),
            (7, 7),
            (20, 20),
            (50, 50),
            (70, 68),
            (100, 100),
            (250, 250),
            (1000, 1000),
            (9600, 9600),
            (123_456_789, 396_800),
        ] {
            assert_eq!(decode_parameter(code_parameter(given)), read, "{given}");
        }
    }
}
