//! The operating system library.
//!
//! A VM without full access gets what touches nothing: `clock`, `date`, `difftime`, `getenv` (the host's choice of
//! variables), `setlocale` and `time`.
//!
//! **Invariant:** everything from outside comes through the [`Host`](crate::host::Host), except files and programs,
//! which only a VM with full access reaches.

use super::date::{self, CivilTime};
use super::io::{file_result, io_error, os_str};
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Buffer, Ctx, NativeResult, Thrown, to_integer};
use crate::string::as_c_string;
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

static CLOCK: NativeDef = NativeDef::new("clock", clock, Cost::Constant);
static DATE: NativeDef = NativeDef::new("date", os_date, Cost::Bytes);
static DIFFTIME: NativeDef = NativeDef::new("difftime", difftime, Cost::Constant);
static EXECUTE: NativeDef = NativeDef::new("execute", execute, Cost::Constant);
static EXIT: NativeDef = NativeDef::new("exit", exit, Cost::Constant);
static GETENV: NativeDef = NativeDef::new("getenv", getenv, Cost::Bytes);
static REMOVE: NativeDef = NativeDef::new("remove", remove, Cost::Constant);
static RENAME: NativeDef = NativeDef::new("rename", rename, Cost::Constant);
static SETLOCALE: NativeDef = NativeDef::new("setlocale", setlocale, Cost::Constant);
static TIME: NativeDef = NativeDef::new("time", time, Cost::Constant);
static TMPNAME: NativeDef = NativeDef::new("tmpname", tmpname, Cost::Constant);

/// Sets the global `os`.
pub(crate) fn open(vm: &mut Vm, full_access: bool) -> Result<(), Thrown> {
    let t = vm.new_table()?;
    vm.scratch.push(Val::table(t));
    let done = fill(vm, t, full_access);
    vm.scratch.pop();
    done
}

fn fill(vm: &mut Vm, t: Gc<Table>, full_access: bool) -> Result<(), Thrown> {
    vm.register(t, &[&CLOCK, &DATE, &DIFFTIME, &GETENV, &SETLOCALE, &TIME])?;
    if full_access {
        vm.register(t, &[&EXECUTE, &EXIT, &REMOVE, &RENAME, &TMPNAME])?;
    }
    let globals = vm.globals;
    vm.set_field(globals, "os", Val::table(t))
}

fn clock(ctx: &mut Ctx<'_>) -> NativeResult {
    let seconds = ctx.vm.host.cpu_time();
    ctx.ret(Val::float(seconds))
}

/// No variable's name is longer.
const MAX_VARIABLE: usize = 64 * 1024;

fn getenv(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?;
    ctx.charge(name.len().min(MAX_VARIABLE) / 16);
    if name.len() > MAX_VARIABLE {
        return ctx.ret(Val::NIL);
    }
    match ctx.vm.host.env_var(name.as_bytes()) {
        Some(value) => ctx.ret_str(&value),
        None => ctx.ret(Val::NIL),
    }
}

/// There is one locale, `C`.
fn setlocale(ctx: &mut Ctx<'_>) -> NativeResult {
    const CATEGORIES: [&str; 6] = ["all", "collate", "ctype", "monetary", "numeric", "time"];
    let wanted = ctx.opt_str(0)?;
    ctx.check_option(1, Some(0), &CATEGORIES)?;
    match wanted.map(Gc::as_bytes) {
        None | Some(b"" | b"C" | b"POSIX") => ctx.ret_str(b"C"),
        Some(_) => ctx.ret(Val::NIL),
    }
}

// ---- time ----

fn difftime(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats {
        // Times are whole seconds.
        let (later, earlier) = (ctx.check_num(0)?.trunc(), ctx.opt_num(1, 0.0)?.trunc());
        return ctx.ret(Val::float(later - earlier));
    }
    let (later, earlier) = (ctx.check_int(0)?, ctx.check_int(1)?);
    ctx.ret(Val::float(later as f64 - earlier as f64))
}

fn os_date(ctx: &mut Ctx<'_>) -> NativeResult {
    let format = ctx.opt_str(0)?.map_or(&b"%c"[..], Gc::as_bytes);
    let unix_s = if ctx.is_none_or_nil(1) {
        ctx.vm.host.unix_time() as i64
    } else {
        ctx.check_int(1)?
    };
    let (when, format) = match format.strip_prefix(b"!") {
        Some(rest) => (date::utc_from_unix(unix_s), rest),
        None => (ctx.vm.host.local_time(unix_s), format),
    };
    let Some(when) = when else {
        return Err(ctx.error("date result cannot be represented in this installation"));
    };
    if format == b"*t" {
        let t = ctx.new_table(0, 9)?;
        ctx.push(Val::table(t));
        set_fields(ctx, t, &when)?;
        return ctx.ret_from(ctx.top() - 1);
    }
    let state = Dating {
        when,
        at: 0,
        result: ctx.buffer(),
    };
    ctx.keep_state(1, state)?;
    date_on(ctx)
}

/// A date being formatted; the format is argument 0, if any.
struct Dating {
    when: CivilTime,
    /// Where to read on in the format, behind its `!`.
    at: usize,
    result: Buffer,
}

fn date_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Dating>() else {
        return ctx.ret(Val::NIL);
    };
    let format = ctx.opt_str(0)?.map_or(&b"%c"[..], Gc::as_bytes);
    let format = format.strip_prefix(b"!").unwrap_or(format);
    while state.at < format.len() {
        if ctx.should_pause() {
            return ctx.pause(date_on);
        }
        let mut text = Vec::new();
        let end = match date::format_some(&state.when, format, state.at, &mut text) {
            Ok(end) => end,
            // What is no conversion stood for itself, as the C library has it.
            Err(at) if ctx.vm.dialect < Dialect::Lua52 => {
                text.push(b'%');
                at
            }
            Err(at) => {
                let shown = &format[at..format.len().min(at + MAX_SHOWN)];
                let message = [b"invalid conversion specifier '%", shown, b"'"].concat();
                return Err(ctx.vm.arg_error(0, &message));
            }
        };
        ctx.charge(1 + text.len());
        state.result.push(ctx, &text)?;
        state.at = end;
    }
    ctx.ret_text(&mut state.result)
}

/// Bytes of an invalid format that the message shows.
const MAX_SHOWN: usize = 1024;

/// Stores a time's fields in a table that is reachable.
fn set_fields(ctx: &mut Ctx<'_>, t: Gc<Table>, when: &CivilTime) -> Result<(), Thrown> {
    let fields = [
        ("year", when.year),
        ("month", when.month),
        ("day", when.day),
        ("hour", when.hour),
        ("min", when.minute),
        ("sec", when.second),
        ("yday", when.year_day + 1),
        ("wday", when.weekday + 1),
    ];
    for (name, n) in fields {
        ctx.set_field(t, name, Val::int(n))?;
    }
    match when.summer_time {
        Some(on) => ctx.set_field(t, "isdst", Val::bool(on)),
        None => Ok(()),
    }
}

fn time(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.is_none_or_nil(0) {
        let now = ctx.vm.host.unix_time() as i64;
        return ctx.ret(Val::int(now));
    }
    let t = ctx.check_table(0)?;
    // In this order: the first error is reported.
    if ctx.vm.dialect < Dialect::Lua54 {
        // Up to 5.3, from the small to the large ones.
        for name in ["day", "month"] {
            date_field(ctx, t, name, None, 0)?;
        }
    }
    let year = date_field(ctx, t, "year", None, 1900)?;
    let month = date_field(ctx, t, "month", None, 1)?;
    let day = date_field(ctx, t, "day", None, 0)?;
    let hour = date_field(ctx, t, "hour", Some(12), 0)?;
    let minute = date_field(ctx, t, "min", Some(0), 0)?;
    let second = date_field(ctx, t, "sec", Some(0), 0)?;
    let summer_time = match field(ctx, t, "isdst")? {
        v if v.is_nil() => None,
        v => Some(v.truthy()),
    };
    let wanted = CivilTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        weekday: 0,
        year_day: 0,
        summer_time,
        utc_offset_s: 0,
        zone: String::new(),
    };
    let host = std::rc::Rc::clone(&ctx.vm.host);
    let unix_s = host.unix_from_local(&wanted);
    let (Some(unix_s), Some(normal)) = (unix_s, unix_s.and_then(|s| host.local_time(s))) else {
        return Err(ctx.error("time result cannot be represented in this installation"));
    };
    // The table gets what the fields come to from 5.3 on.
    if ctx.vm.dialect >= Dialect::Lua53 {
        set_fields(ctx, t, &normal)?;
    }
    ctx.ret(Val::int(unix_s))
}

/// A field of a date table as an integer. `bias` is what the reference subtracts before it must fit a C `int`.
fn date_field(
    ctx: &mut Ctx<'_>,
    t: Gc<Table>,
    name: &str,
    default: Option<i64>,
    bias: i64,
) -> Result<i64, Thrown> {
    let v = field(ctx, t, name)?;
    ctx.charge_numeral(v);
    // Before 5.3 fractions are cut off, and what is no number counts as absent.
    let n = match ctx.vm.floats {
        true => ctx.vm.number_of(v).map(|n| n.to_f64() as i64),
        false => to_integer(v),
    };
    let Some(n) = n else {
        if ctx.vm.floats && !v.is_nil() {
            return match default {
                Some(n) => Ok(n),
                None => Err(ctx.error(&format!("field '{name}' missing in date table"))),
            };
        }
        return match default {
            Some(n) if v.is_nil() => Ok(n),
            None if v.is_nil() => Err(ctx.error(&format!("field '{name}' missing in date table"))),
            _ => Err(ctx.error(&format!("field '{name}' is not an integer"))),
        };
    };
    match n.checked_sub(bias).map(i32::try_from) {
        Some(Ok(_)) => Ok(n),
        _ => Err(ctx.error(&format!("field '{name}' is out-of-bound"))),
    }
}

/// Links of an `__index` chain that are followed.
const MAX_CHAIN: usize = 100;

/// `t[name]`; `__index` tables are looked into, `__index` functions are not called.
fn field(ctx: &mut Ctx<'_>, t: Gc<Table>, name: &str) -> Result<Val, Thrown> {
    let key = Val::str(ctx.new_str(name.as_bytes())?);
    let mut t = t;
    for _ in 0..MAX_CHAIN {
        let v = ctx.raw_get(t, key);
        if !v.is_nil() {
            return Ok(v);
        }
        let next = ctx.vm.meta_of(Val::table(t), Event::Index);
        match next.tag {
            tag::TABLE => t = next.raw_gc(),
            _ => return Ok(Val::NIL),
        }
    }
    Ok(Val::NIL)
}

// ---- programs ----

fn execute(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(command) = ctx.opt_str(0)? else {
        let shell = Command::new("/bin/sh").args(["-c", ":"]).status();
        let there = shell.is_ok_and(|s| s.success());
        return ctx.ret(match ctx.vm.dialect < Dialect::Lua52 {
            true => Val::int(i64::from(there)),
            false => Val::bool(there),
        });
    };
    flush_all(ctx.vm);
    let done = shell(command.as_bytes()).and_then(|mut c| c.status());
    match done {
        // 5.1 returns what the C function does: the wait status.
        done if ctx.vm.dialect < Dialect::Lua52 => {
            let status = done.map_or(-1, |status| status.into_raw());
            ctx.ret(Val::int(i64::from(status)))
        }
        Ok(status) => exec_result(ctx, status),
        Err(e) => file_result(ctx, Err(e), None),
    }
}

/// A program run by the shell.
pub(crate) fn shell(command: &[u8]) -> std::io::Result<Command> {
    let mut sh = Command::new("/bin/sh");
    sh.arg("-c").arg(os_str(as_c_string(command))?);
    Ok(sh)
}

/// What a program's end looks like to a script: `true` or nil, then `"exit"` or `"signal"` and its number.
pub(crate) fn exec_result(ctx: &mut Ctx<'_>, status: ExitStatus) -> NativeResult {
    let (what, code) = match (status.code(), status.signal()) {
        (Some(code), _) => ("exit", code),
        (None, signal) => ("signal", signal.unwrap_or(0)),
    };
    ctx.push(if status.success() {
        Val::TRUE
    } else {
        Val::NIL
    });
    ctx.push_str(what.as_bytes())?;
    ctx.push(Val::int(code as i64));
    ctx.ret_from(ctx.top() - 3)
}

fn exit(ctx: &mut Ctx<'_>) -> NativeResult {
    let code = match ctx.arg(0).as_bool() {
        Some(good) => !good as i64,
        None => ctx.opt_int(0, 0)?,
    };
    if ctx.arg(1).truthy() {
        ctx.resize_args(2)?;
        ctx.set_arg(0, Val::int(code));
        return close_state(ctx);
    }
    leave(ctx, code)
}

/// `os.exit(code, true)`: closes the pending to-be-closed variables of the running coroutine, runs every finalizer, and
/// leaves. Argument 0 is the code; errors are dropped, as there is nobody to report them to.
fn close_state(ctx: &mut Ctx<'_>) -> NativeResult {
    let slot = ctx.vm.thread_mut().to_close.pop();
    if let Some(slot) = slot {
        let v = ctx.vm.thread().get(slot as usize);
        let method = ctx.vm.meta_of(v, Event::Close);
        ctx.push(method);
        ctx.push(v);
        ctx.push(Val::NIL);
        return ctx.call_protected(2, false, close_state);
    }
    ctx.vm.queue_all_finalizers();
    run_finalizers(ctx)
}

fn run_finalizers(ctx: &mut Ctx<'_>) -> NativeResult {
    if let Some(object) = ctx.vm.next_to_finalize() {
        let method = ctx.vm.meta_of(object, Event::Gc);
        ctx.push(Val::native(&super::RUN_FINALIZER));
        ctx.push(method);
        ctx.push(object);
        return ctx.call_protected(2, false, run_finalizers);
    }
    let code = ctx.arg(0).as_int().unwrap_or(1);
    leave(ctx, code)
}

fn leave(ctx: &mut Ctx<'_>, code: i64) -> NativeResult {
    flush_all(ctx.vm);
    let host = std::rc::Rc::clone(&ctx.vm.host);
    host.exit(code as i32)
}

/// Makes everything written so far appear: standard output and every open file.
pub(crate) fn flush_all(vm: &mut Vm) {
    let _ = vm.host.flush_out();
    super::io::flush_files(vm);
}

// ---- files ----

fn remove(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?;
    let removed = os_str(name.as_bytes()).and_then(|path| {
        std::fs::remove_file(path).or_else(|e| match e.raw_os_error() {
            // A directory: the C function removes it if it is empty.
            Some(libc::EISDIR | libc::EPERM) if std::path::Path::new(path).is_dir() => {
                std::fs::remove_dir(path)
            }
            _ => Err(e),
        })
    });
    file_result(ctx, removed, Some(name.as_bytes()))
}

fn rename(ctx: &mut Ctx<'_>) -> NativeResult {
    let (from, to) = (ctx.check_str(0)?, ctx.check_str(1)?);
    let renamed =
        os_str(from.as_bytes()).and_then(|from| std::fs::rename(from, os_str(to.as_bytes())?));
    let name = (ctx.vm.dialect < Dialect::Lua52).then(|| from.as_bytes());
    file_result(ctx, renamed, name)
}

/// Makes an empty file with a name nobody else has, and returns the name.
fn tmpname(ctx: &mut Ctx<'_>) -> NativeResult {
    match super::io::temporary_file() {
        Ok((name, _)) => ctx.ret_str(name.as_bytes()),
        Err(e) => {
            let reason = io_error(&e).0;
            Err(ctx.error(&format!("unable to generate a unique filename ({reason})")))
        }
    }
}
