//! The table functions of 5.1's time: `foreach foreachi getn maxn setn`; LuaJIT's `table.new` and
//! `table.clear`; `table.create` of 5.5.
//!
//! **Invariant:** all of them are raw, and what goes through a table pauses or calls between its steps.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Thrown};
use crate::stdlib::package;
use crate::table::{KIND_FROZEN, KIND_LAYERED, Table};
use crate::value::Val;
use crate::vm::Vm;

static FOREACH: NativeDef = NativeDef::new("foreach", foreach, Cost::Steps);
static FOREACHI: NativeDef = NativeDef::new("foreachi", foreachi, Cost::Steps);
static GETN: NativeDef = NativeDef::new("getn", getn, Cost::Constant);
static MAXN: NativeDef = NativeDef::new("maxn", maxn, Cost::Slots);
static SETN: NativeDef = NativeDef::new("setn", setn, Cost::Constant);
static NEW: NativeDef = NativeDef::new("new", new, Cost::Slots);
static CLEAR: NativeDef = NativeDef::new("clear", clear, Cost::Slots);
/// 5.5's.
pub(super) static CREATE: NativeDef = NativeDef::new("create", create, Cost::Slots);
static LOAD_NEW: NativeDef = NativeDef::new("table.new", load_new, Cost::Constant);
static LOAD_CLEAR: NativeDef = NativeDef::new("table.clear", load_clear, Cost::Constant);

/// Slots that `table.new` makes room for at once; more room is made when it is needed.
const MAX_ROOM: i64 = 1 << 20;
/// Entries looked at before a look at whether to pause.
const CHUNK: usize = 2048;

/// Puts what a version has into its `table` table.
pub(in crate::stdlib) fn open(vm: &mut Vm, library: Gc<Table>) -> Result<(), Thrown> {
    vm.register(library, &[&MAXN])?;
    match vm.dialect < Dialect::Lua52 {
        true => vm.register(library, &[&FOREACH, &FOREACHI, &GETN, &SETN]),
        false => Ok(()),
    }
}

/// `require "table.new"` and `require "table.clear"`.
pub(super) fn open_preloaded(vm: &mut Vm) -> Result<(), Thrown> {
    let preload = package::preload(vm)?;
    vm.register(preload, &[&LOAD_NEW, &LOAD_CLEAR])
}

/// A module that is one function, which is also put into the `table` table.
fn load_function(ctx: &mut Ctx<'_>, f: &'static NativeDef) -> NativeResult {
    let name = Val::str(ctx.new_str(b"table")?);
    let loaded = package::loaded(ctx.vm)?;
    if let Some(library) = ctx.raw_get(loaded, name).as_table()
        && library.header.extra & KIND_FROZEN == 0
    {
        ctx.set_field(library, f.name, Val::native(f))?;
    }
    ctx.ret(Val::native(f))
}

fn load_new(ctx: &mut Ctx<'_>) -> NativeResult {
    load_function(ctx, &NEW)
}

fn load_clear(ctx: &mut Ctx<'_>) -> NativeResult {
    load_function(ctx, &CLEAR)
}

/// The table that argument 0 is: of an environment in layers, the lower one.
fn check_raw(ctx: &mut Ctx<'_>) -> Result<Gc<Table>, Thrown> {
    let t = ctx.check_table(0)?;
    Ok(match t.header.extra & KIND_LAYERED {
        0 => t,
        _ => t.layered_base(),
    })
}

fn getn(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = check_raw(ctx)?.border();
    ctx.ret(Val::int(n))
}

fn setn(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_table(0)?;
    Err(ctx.error("'setn' is obsolete"))
}

/// The largest positive number that is a key. Slot 1: where to go on; slot 2: the largest so far.
fn maxn(ctx: &mut Ctx<'_>) -> NativeResult {
    check_raw(ctx)?;
    ctx.resize_args(3)?;
    ctx.set_arg(1, Val::int(0));
    ctx.set_arg(2, Val::float(0.0));
    maxn_on(ctx)
}

fn maxn_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = check_raw(ctx)?;
    let mut largest = ctx.arg(2).as_float().unwrap_or(0.0);
    let ended = walk_on(ctx, t, |_, key| {
        if let Some(n) = key.as_number()
            && n > largest
        {
            largest = n;
        }
        Ok(())
    })?;
    if ended {
        return ctx.ret(Val::float(largest));
    }
    ctx.set_arg(2, Val::float(largest));
    ctx.pause(maxn_on)
}

/// Shows `visit` the keys of a table's entries from where slot 1 says. True: to the end; false: it is time to pause, and slot 1
/// says where to go on.
fn walk_on(
    ctx: &mut Ctx<'_>,
    t: Gc<Table>,
    mut visit: impl FnMut(&mut Ctx<'_>, Val) -> Result<(), Thrown>,
) -> Result<bool, Thrown> {
    let mut at = ctx.arg(1).as_int().unwrap_or(0) as usize;
    let mut chunk_end = at + CHUNK;
    loop {
        let from = at;
        match t.entry_from(at, CHUNK) {
            Ok(None) => return Ok(true),
            Ok(Some((next, key, _))) => {
                at = next;
                visit(ctx, key)?;
            }
            Err(next) => at = next,
        }
        ctx.charge(at - from);
        if at >= chunk_end {
            chunk_end = at + CHUNK;
            if ctx.should_pause() {
                ctx.set_arg(1, Val::int(at as i64));
                return Ok(false);
            }
        }
    }
}

/// `foreach(t, f)`: calls `f(key, value)` until it returns something. Slot 2: the last key.
fn foreach(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_table(0)?;
    ctx.check_function(1)?;
    ctx.resize_args(3)?;
    ctx.set_arg(2, Val::NIL);
    foreach_next(ctx)
}

fn foreach_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = check_raw(ctx)?;
    let (f, key) = (ctx.arg(1), ctx.arg(2));
    let Some((key, v)) = ctx.vm.table_next(t, key)? else {
        return ctx.ret0();
    };
    ctx.charge(1);
    ctx.set_arg(2, key);
    for v in [f, key, v] {
        ctx.push(v);
    }
    ctx.call(2, |ctx| end_or(ctx, foreach_next))
}

/// After a call of the loop's function: a value that is not nil ends the loop.
fn end_or(ctx: &mut Ctx<'_>, go_on: fn(&mut Ctx<'_>) -> NativeResult) -> NativeResult {
    let result = ctx.result(0);
    if !result.is_nil() {
        return ctx.ret(result);
    }
    let results = ctx.results();
    ctx.set_top(results);
    go_on(ctx)
}

/// `foreachi(t, f)`: calls `f(i, t[i])` for the length that the table has at first. Slot 2: the index, slot 3: the length.
fn foreachi(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = check_raw(ctx)?.border();
    ctx.check_function(1)?;
    ctx.resize_args(4)?;
    ctx.set_arg(2, Val::int(0));
    ctx.set_arg(3, Val::int(n));
    foreachi_next(ctx)
}

fn foreachi_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = check_raw(ctx)?;
    let i = ctx.arg(2).raw_int() + 1;
    if i > ctx.arg(3).raw_int() {
        return ctx.ret0();
    }
    ctx.charge(1);
    ctx.set_arg(2, Val::int(i));
    let f = ctx.arg(1);
    for v in [f, Val::int(i), t.get_int(i)] {
        ctx.push(v);
    }
    ctx.call(2, |ctx| end_or(ctx, foreachi_next))
}

/// `table.create(slots [, other])`: an empty table with room.
fn create(ctx: &mut Ctx<'_>) -> NativeResult {
    let given = [ctx.check_int(0)?, ctx.opt_int(1, 0)?];
    let mut room = [0; 2];
    for (i, room) in room.iter_mut().enumerate() {
        *room = match i32::try_from(given[i]) {
            Ok(slots @ 0..) => slots as usize,
            _ => return Err(ctx.arg_error(i, "out of range")),
        };
    }
    ctx.charge(room[0] / 16 + room[1] / 4);
    let table = ctx.new_table(room[0], room[1])?;
    ctx.ret(Val::table(table))
}

/// `table.new(array, hash)`: an empty table with room.
fn new(ctx: &mut Ctx<'_>) -> NativeResult {
    let array = ctx.check_int(0)?.clamp(0, MAX_ROOM) as usize;
    let hash = ctx.check_int(1)?.clamp(0, MAX_ROOM) as usize;
    ctx.charge((array + hash) / 4);
    let t = ctx.new_table(array, hash)?;
    ctx.ret(Val::table(t))
}

/// `table.clear(t)`: every entry goes, the room stays.
fn clear(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    if t.header.extra & (KIND_FROZEN | KIND_LAYERED) != 0 {
        return Err(ctx.error("attempt to modify a read-only table"));
    }
    ctx.resize_args(2)?;
    ctx.set_arg(1, Val::int(0));
    clear_on(ctx)
}

fn clear_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    // An entry that is nil stays where it is, so the walk goes on behind it.
    match walk_on(ctx, t, |ctx, key| ctx.raw_set(t, key, Val::NIL))? {
        true => ctx.ret0(),
        false => ctx.pause(clear_on),
    }
}
