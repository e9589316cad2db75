//! The `table` library (but for `sort`, which is in [`super::sort`]).
//!
//! | function | plain table | any table |
//! |---|---|---|
//! | `insert`, `remove`, `move` | a loop over raw accesses | [`move_on`]: one access after the other, each may be a call |
//! | `concat`, `unpack` | the same | [`Concat`], [`unpack_on`] |
//!
//! **Invariant:** state is in the argument slots, one meaning for each slot and function, named where they are set.
//! Every loop charges each element and pauses when it should.

use super::access::{self, Access};
use super::sort::SORT;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Action, Buffer, Cont, Ctx, NativeResult, Thrown};
use crate::table::Table;
use crate::value::Val;
use crate::vm::{Event, Vm};

static CONCAT: NativeDef = NativeDef::new("concat", concat, Cost::Slots);
static INSERT: NativeDef = NativeDef {
    name: "insert",
    run: insert,
    cost: Cost::Slots,
    quick: Some(|vm, args, _| match args {
        [t, v] => match t.as_table() {
            Some(mut t) if t.meta.is_null() && t.is_ordinary() => {
                let end = t.border().wrapping_add(1);
                match vm.table_set_int(t, end, *v) {
                    Ok(()) => Val::NOTHING,
                    Err(_) => Val::UNSUITED,
                }
            }
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};
static MOVE: NativeDef = NativeDef::new("move", move_, Cost::Slots);
static PACK: NativeDef = NativeDef::new("pack", pack, Cost::Slots);
static REMOVE: NativeDef = NativeDef {
    name: "remove",
    run: remove,
    cost: Cost::Slots,
    quick: Some(|vm, args, _| match args {
        [t] => match t.as_table() {
            Some(mut t) if t.meta.is_null() && t.is_ordinary() => {
                let size = t.border();
                let v = t.get_int(size);
                if size == 0 || vm.table_set_int(t, size, Val::NIL).is_err() {
                    return Val::UNSUITED;
                }
                v
            }
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};
/// Also the global `unpack` of 5.1.
pub(crate) static UNPACK: NativeDef = NativeDef::new("unpack", unpack, Cost::Slots);

/// Elements copied before a look at whether to pause.
const CHUNK: i64 = 4096;

/// Makes the `table` table.
pub(crate) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let library = vm.new_table()?;
    let globals = vm.globals;
    vm.scratch.push(Val::table(library));
    let done = vm.set_field(globals, "table", Val::table(library));
    vm.scratch.pop();
    done?;
    vm.register(library, &[&CONCAT, &INSERT, &REMOVE, &SORT])?;
    match vm.dialect {
        // LuaJIT has `move` too.
        Dialect::Lua51 => vm.register(library, &[&MOVE])?,
        Dialect::Lua52 => vm.register(library, &[&PACK, &UNPACK])?,
        _ => vm.register(library, &[&MOVE, &PACK, &UNPACK])?,
    }
    match vm.dialect < Dialect::Lua53 {
        true => super::versions::tables::open(vm, library),
        false => Ok(()),
    }
}

/// The table that a value is, if it can be accessed without looking at metamethods: it has no metatable, or the version is
/// one whose table functions are raw.
#[inline(always)]
pub(super) fn plain(ctx: &Ctx<'_>, v: Val) -> Option<Gc<Table>> {
    v.as_table()
        .filter(|t| t.is_ordinary() && (t.meta.is_null() || ctx.vm.dialect < Dialect::Lua53))
}

/// As [`plain`], of a table whose length is its own too.
#[inline(always)]
pub(super) fn plainly_long(ctx: &Ctx<'_>, v: Val) -> Option<Gc<Table>> {
    plain(ctx, v).filter(|t| {
        t.meta.is_null()
            || ctx.vm.dialect < Dialect::Lua52
            || ctx.vm.meta_of(v, Event::Len).is_nil()
    })
}

/// Checks that argument `i` is a table or, where the table functions respect metamethods, works like one.
pub(super) fn check_tablelike(ctx: &mut Ctx<'_>, i: usize, needed: &[Event]) -> Result<(), Thrown> {
    match ctx.vm.dialect < Dialect::Lua53 {
        true => ctx.check_table(i).map(drop),
        false => access::check_tablelike(ctx, i, needed),
    }
}

/// `t[key]`, raw where the table functions are.
fn get(ctx: &mut Ctx<'_>, t: Val, key: i64) -> Result<Access, Thrown> {
    match plain(ctx, t) {
        Some(t) => Ok(Access::Now(t.get_int(key))),
        None => access::index(ctx, t, Val::int(key)),
    }
}

/// An integer in an argument slot that holds state.
pub(super) fn int_slot(ctx: &Ctx<'_>, i: usize) -> i64 {
    ctx.arg(i).as_int().unwrap_or(0)
}

/// Drops everything above the argument slots.
pub(super) fn drop_pushed(ctx: &mut Ctx<'_>) {
    let end = ctx.base + ctx.nargs();
    ctx.set_top(end);
}

const ALL: [Event; 3] = [Event::Index, Event::NewIndex, Event::Len];

// ---- insert ----

fn insert(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(mut t) = plainly_long(ctx, ctx.arg(0)) else {
        check_tablelike(ctx, 0, &ALL)?;
        let given = ctx.nargs() as i64;
        return with_length(ctx, 0, given, insert_with_length);
    };
    let size = t.border();
    if ctx.nargs() == 2 {
        let v = ctx.arg(1);
        ctx.raw_set_int(t, size.wrapping_add(1), v)?;
        return ctx.ret0();
    }
    insert_at(ctx, size)
}

fn insert_with_length(ctx: &mut Ctx<'_>) -> NativeResult {
    let size = taken_length(ctx)?;
    let given = int_slot(ctx, ctx.nargs() - 1) as usize;
    ctx.resize_args(given)?;
    insert_at(ctx, size)
}

fn insert_at(ctx: &mut Ctx<'_>, size: i64) -> NativeResult {
    let end = size.wrapping_add(1);
    let (position, v) = match ctx.nargs() {
        2 => (end, ctx.arg(1)),
        3 => {
            let position = ctx.check_count(1)?;
            if ctx.vm.dialect < Dialect::Lua52 {
                return insert_anywhere(ctx, size, position);
            }
            if (position as u64).wrapping_sub(1) >= end as u64 {
                return Err(ctx.arg_error(1, "position out of bounds"));
            }
            (position, ctx.arg(2))
        }
        _ => return Err(ctx.error("wrong number of arguments to 'insert'")),
    };
    insert_up_to(ctx, size, position, v)
}

/// 5.1 accepts any position: the elements from there to the end move up, or the list grows to it.
fn insert_anywhere(ctx: &mut Ctx<'_>, size: i64, position: i64) -> NativeResult {
    let size = size.max(position.saturating_sub(1));
    let v = ctx.arg(2);
    insert_up_to(ctx, size, position, v)
}

/// Moves the elements from `position` to `size` up, and stores `v`.
fn insert_up_to(ctx: &mut Ctx<'_>, size: i64, position: i64, v: Val) -> NativeResult {
    let end = size.wrapping_add(1);
    let t = ctx.arg(0);
    let after = After::Store { position, v };
    begin_move(
        ctx,
        Move {
            from_table: t,
            to_table: t,
            from: size,
            to: end,
            count: end.saturating_sub(position),
            step: -1,
        },
        after,
    )
}

// ---- remove ----

fn remove(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(mut t) = plainly_long(ctx, ctx.arg(0)) else {
        check_tablelike(ctx, 0, &ALL)?;
        let given = ctx.nargs() as i64;
        return with_length(ctx, 0, given, remove_with_length);
    };
    let size = t.border();
    if ctx.nargs() == 1 && size > 0 {
        let v = t.get_int(size);
        ctx.push(v);
        ctx.raw_set_int(t, size, Val::NIL)?;
        return Ok(Action::Return(1));
    }
    remove_at(ctx, size)
}

fn remove_with_length(ctx: &mut Ctx<'_>) -> NativeResult {
    let size = taken_length(ctx)?;
    let given = int_slot(ctx, ctx.nargs() - 1) as usize;
    ctx.resize_args(given)?;
    remove_at(ctx, size)
}

fn remove_at(ctx: &mut Ctx<'_>, size: i64) -> NativeResult {
    let position = ctx.opt_count(1, size)?;
    if ctx.vm.dialect < Dialect::Lua52 && !(1..=size).contains(&position) {
        return ctx.ret0();
    }
    if ctx.nargs() > 1 && position != size && (position as u64).wrapping_sub(1) > size as u64 {
        return Err(ctx.arg_error(0, "position out of bounds"));
    }
    // Slot 1: the position; slot 2: the size.
    ctx.resize_args(3)?;
    ctx.set_arg(1, Val::int(position));
    ctx.set_arg(2, Val::int(size));
    let t = ctx.arg(0);
    match get(ctx, t, position)? {
        Access::Now(v) => remove_rest(ctx, v),
        Access::Call(nargs) => ctx.call(nargs, remove_got),
    }
}

fn remove_got(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    drop_pushed(ctx);
    remove_rest(ctx, v)
}

fn remove_rest(ctx: &mut Ctx<'_>, removed: Val) -> NativeResult {
    let (t, position, size) = (ctx.arg(0), int_slot(ctx, 1), int_slot(ctx, 2));
    let count = size.saturating_sub(position).max(0);
    let after = After::Clear {
        position: position.max(size),
        removed,
    };
    let from = position.wrapping_add(1);
    begin_move(
        ctx,
        Move {
            from_table: t,
            to_table: t,
            from,
            to: position,
            count,
            step: 1,
        },
        after,
    )
}

// ---- move ----

fn move_(ctx: &mut Ctx<'_>) -> NativeResult {
    let first = ctx.check_int(1)?;
    let last = ctx.check_int(2)?;
    let to = ctx.check_int(3)?;
    let target = if ctx.is_none_or_nil(4) { 0 } else { 4 };
    check_tablelike(ctx, 0, &[Event::Index])?;
    check_tablelike(ctx, target, &[Event::NewIndex])?;
    let (from_table, to_table) = (ctx.arg(0), ctx.arg(target));
    let mut count = 0;
    let mut ascending = true;
    if last >= first {
        if first <= 0 && last >= i64::MAX.wrapping_add(first) {
            return Err(ctx.arg_error(2, "too many elements to move"));
        }
        count = last - first + 1;
        if to > i64::MAX - count + 1 {
            return Err(ctx.arg_error(3, "destination wrap around"));
        }
        // Descending only where a table is moved up over itself.
        ascending = to > last || to <= first || !from_table.raw_eq(to_table);
    }
    let shift = if ascending { 0 } else { count - 1 };
    let step = if ascending { 1 } else { -1 };
    let moving = Move {
        from_table,
        to_table,
        from: first + shift,
        to: to.wrapping_add(shift),
        count,
        step,
    };
    begin_move(ctx, moving, After::Return(to_table))
}

// ---- what the three have in common: copying elements one after the other ----

struct Move {
    from_table: Val,
    to_table: Val,
    /// The first element to copy, and where it goes.
    from: i64,
    to: i64,
    count: i64,
    /// 1: upwards, -1: downwards.
    step: i64,
}

/// What is done when everything is copied.
enum After {
    /// `t[position] = v`; no result.
    Store { position: i64, v: Val },
    /// `t[position] = nil`; the result is what was removed.
    Clear { position: i64, removed: Val },
    /// The result is this.
    Return(Val),
}

/// Argument slots of a move.
mod slot {
    pub const FROM_TABLE: usize = 0;
    pub const TO_TABLE: usize = 1;
    pub const FROM: usize = 2;
    pub const TO: usize = 3;
    pub const LEFT: usize = 4;
    pub const STEP: usize = 5;
    /// The key to store at last; nil: none.
    pub const POSITION: usize = 6;
    /// The value to store there.
    pub const VALUE: usize = 7;
    /// The result.
    pub const RESULT: usize = 8;
    /// Whether there is a result.
    pub const HAS_RESULT: usize = 9;
    pub const COUNT: usize = 10;
}

fn begin_move(ctx: &mut Ctx<'_>, moving: Move, after: After) -> NativeResult {
    let (position, v, result, has_result) = match after {
        After::Store { position, v } => (Val::int(position), v, Val::NIL, false),
        After::Clear { position, removed } => (Val::int(position), Val::NIL, removed, true),
        After::Return(v) => (Val::NIL, Val::NIL, v, true),
    };
    // Making room may collect, and what is in no slot yet must survive that.
    for v in [moving.from_table, moving.to_table, v, result] {
        ctx.vm.scratch.push(v);
    }
    let room = ctx.resize_args(slot::COUNT);
    let kept = ctx.vm.scratch.len() - 4;
    ctx.vm.scratch.truncate(kept);
    room?;
    ctx.set_arg(slot::FROM_TABLE, moving.from_table);
    ctx.set_arg(slot::TO_TABLE, moving.to_table);
    ctx.set_arg(slot::FROM, Val::int(moving.from));
    ctx.set_arg(slot::TO, Val::int(moving.to));
    ctx.set_arg(slot::LEFT, Val::int(moving.count));
    ctx.set_arg(slot::STEP, Val::int(moving.step));
    ctx.set_arg(slot::POSITION, position);
    ctx.set_arg(slot::VALUE, v);
    ctx.set_arg(slot::RESULT, result);
    ctx.set_arg(slot::HAS_RESULT, Val::bool(has_result));
    move_on(ctx)
}

/// Copies the elements that are left.
fn move_on(ctx: &mut Ctx<'_>) -> NativeResult {
    while int_slot(ctx, slot::LEFT) > 0 {
        if ctx.should_pause() {
            return ctx.pause(move_on);
        }
        let (from_table, to_table) = (ctx.arg(slot::FROM_TABLE), ctx.arg(slot::TO_TABLE));
        if let (Some(from), Some(to)) = (plain(ctx, from_table), plain(ctx, to_table)) {
            move_plainly(ctx, from, to)?;
            continue;
        }
        ctx.charge(2);
        let key = ctx.arg(slot::FROM);
        match access::index(ctx, from_table, key)? {
            Access::Call(nargs) => return ctx.call(nargs, move_got),
            Access::Now(v) => {
                if let Some(action) = move_store(ctx, v)? {
                    return Ok(action);
                }
            }
        }
    }
    finish_move(ctx)
}

fn move_got(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    drop_pushed(ctx);
    match move_store(ctx, v)? {
        Some(action) => Ok(action),
        None => move_on(ctx),
    }
}

fn move_stored(ctx: &mut Ctx<'_>) -> NativeResult {
    drop_pushed(ctx);
    move_advance(ctx, 1);
    move_on(ctx)
}

/// Stores the element; `Some`: a metamethod is to do it.
fn move_store(ctx: &mut Ctx<'_>, v: Val) -> Result<Option<Action>, Thrown> {
    ctx.push(v);
    let (to_table, key) = (ctx.arg(slot::TO_TABLE), ctx.arg(slot::TO));
    match access::assign(ctx, to_table, key, v)? {
        Access::Call(nargs) => ctx.call(nargs, move_stored).map(Some),
        Access::Now(_) => {
            drop_pushed(ctx);
            move_advance(ctx, 1);
            Ok(None)
        }
    }
}

fn move_advance(ctx: &mut Ctx<'_>, n: i64) {
    let step = int_slot(ctx, slot::STEP).wrapping_mul(n);
    let (from, to) = (int_slot(ctx, slot::FROM), int_slot(ctx, slot::TO));
    ctx.set_arg(slot::FROM, Val::int(from.wrapping_add(step)));
    ctx.set_arg(slot::TO, Val::int(to.wrapping_add(step)));
    let left = int_slot(ctx, slot::LEFT) - n;
    ctx.set_arg(slot::LEFT, Val::int(left));
}

/// Copies a number of elements between tables without metatables.
fn move_plainly(
    ctx: &mut Ctx<'_>,
    from_table: Gc<Table>,
    to_table: Gc<Table>,
) -> Result<(), Thrown> {
    let count = int_slot(ctx, slot::LEFT).min(CHUNK);
    let step = int_slot(ctx, slot::STEP);
    let (mut from, mut to) = (int_slot(ctx, slot::FROM), int_slot(ctx, slot::TO));
    ctx.charge(1 + count as usize / 4);
    for _ in 0..count {
        // A value read from a table is reachable while it is stored: through that table, or, when it is
        // moved over itself, through the stack slot.
        let v = from_table.get_int(from);
        ctx.set_arg(slot::FROM, v);
        ctx.raw_set_int(to_table, to, v)?;
        from = from.wrapping_add(step);
        to = to.wrapping_add(step);
    }
    ctx.set_arg(slot::FROM, Val::int(from));
    ctx.set_arg(slot::TO, Val::int(to));
    let left = int_slot(ctx, slot::LEFT) - count;
    ctx.set_arg(slot::LEFT, Val::int(left));
    Ok(())
}

fn finish_move(ctx: &mut Ctx<'_>) -> NativeResult {
    let position = ctx.arg(slot::POSITION);
    if !position.is_nil() {
        let (table, v) = (ctx.arg(slot::TO_TABLE), ctx.arg(slot::VALUE));
        if let Some(t) = plain(ctx, table) {
            ctx.raw_set(t, position, v)?;
        } else if let Access::Call(nargs) = access::assign(ctx, table, position, v)? {
            return ctx.call(nargs, move_finished);
        }
    }
    move_finished(ctx)
}

fn move_finished(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.arg(slot::HAS_RESULT).truthy() {
        let v = ctx.arg(slot::RESULT);
        return ctx.ret(v);
    }
    ctx.ret0()
}

// ---- lengths that may be a metamethod's ----

/// Asks for the length of argument `i`; `then` takes it with [`taken_length`] and finds `keep` in the last slot.
pub(super) fn with_length(ctx: &mut Ctx<'_>, i: usize, keep: i64, then: Cont) -> NativeResult {
    let slots = ctx.nargs().max(i + 1) + 1;
    ctx.resize_args(slots)?;
    ctx.set_arg(slots - 1, Val::int(keep));
    let v = ctx.arg(i);
    match access::length(ctx, v)? {
        Access::Call(nargs) => ctx.call(nargs, then),
        Access::Now(n) => {
            ctx.results = ctx.top();
            ctx.push(n);
            then(ctx)
        }
    }
}

/// The length that `with_length` asked for.
pub(super) fn taken_length(ctx: &mut Ctx<'_>) -> Result<i64, Thrown> {
    let v = ctx.result(0);
    let n = access::length_value(ctx, v)?;
    drop_pushed(ctx);
    Ok(n)
}

// ---- pack and unpack ----

fn pack(ctx: &mut Ctx<'_>) -> NativeResult {
    let count = ctx.nargs();
    let t = ctx.new_table(count, 1)?;
    ctx.push(Val::table(t));
    ctx.set_field(t, "n", Val::int(count as i64))?;
    if count <= CHUNK as usize {
        pack_some(ctx, t, 0, count)?;
        return Ok(Action::Return(1));
    }
    // Behind the arguments: the table, and how many are in it.
    ctx.append_args(&[Val::table(t), Val::int(0)])?;
    pack_on(ctx)
}

fn pack_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let count = ctx.nargs() - 2;
    let mut next = int_slot(ctx, count + 1) as usize;
    let Some(t) = ctx.arg(count).as_table() else {
        return ctx.ret(Val::NIL);
    };
    while next < count {
        if ctx.should_pause() {
            ctx.set_arg(count + 1, Val::int(next as i64));
            return ctx.pause(pack_on);
        }
        let end = (next + CHUNK as usize).min(count);
        pack_some(ctx, t, next, end)?;
        next = end;
    }
    ctx.ret(Val::table(t))
}

fn pack_some(ctx: &mut Ctx<'_>, t: Gc<Table>, from: usize, to: usize) -> Result<(), Thrown> {
    ctx.charge(to - from);
    for i in from..to {
        let v = ctx.arg(i);
        ctx.raw_set_int(t, i as i64 + 1, v)?;
    }
    Ok(())
}

fn unpack(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.is_none_or_nil(2) {
        let v = ctx.arg(0);
        if ctx.vm.dialect < Dialect::Lua53 {
            ctx.check_table(0)?;
        }
        match plainly_long(ctx, v) {
            Some(mut t) => {
                let first = ctx.opt_count(1, 1)?;
                let last = t.border();
                return unpack_range(ctx, first, last);
            }
            None => {
                ctx.opt_int(1, 1)?;
                return with_length(ctx, 0, 0, unpack_with_length);
            }
        }
    }
    if ctx.vm.dialect < Dialect::Lua53 {
        ctx.check_table(0)?;
    }
    let first = ctx.opt_count(1, 1)?;
    let last = ctx.check_count(2)?;
    unpack_range(ctx, first, last)
}

fn unpack_with_length(ctx: &mut Ctx<'_>) -> NativeResult {
    let last = taken_length(ctx)?;
    let first = if ctx.nargs() > 2 {
        ctx.opt_count(1, 1)?
    } else {
        1
    };
    unpack_range(ctx, first, last)
}

fn unpack_range(ctx: &mut Ctx<'_>, first: i64, last: i64) -> NativeResult {
    if first > last {
        return ctx.ret0();
    }
    let count = (last as u64).wrapping_sub(first as u64);
    let room = crate::thread::MAX_STACK.saturating_sub(ctx.base + 64) as u64;
    if count >= room {
        return Err(ctx.error("too many results to unpack"));
    }
    let count = count as usize + 1;
    // Slot 1: the next index; slot 2: how many are left. The results pile up above.
    ctx.resize_args(3)?;
    ctx.reserve(count)?;
    if let Some(t) = plain(ctx, ctx.arg(0))
        && count <= CHUNK as usize
    {
        ctx.charge(count / 2);
        for i in 0..count as i64 {
            ctx.push(t.get_int(first.wrapping_add(i)));
        }
        return Ok(Action::Return(count as u32));
    }
    ctx.set_arg(1, Val::int(first));
    ctx.set_arg(2, Val::int(count as i64));
    unpack_on(ctx)
}

fn unpack_on(ctx: &mut Ctx<'_>) -> NativeResult {
    while int_slot(ctx, 2) > 0 {
        if ctx.should_pause() {
            return ctx.pause(unpack_on);
        }
        if let Some(t) = plain(ctx, ctx.arg(0)) {
            let count = int_slot(ctx, 2).min(CHUNK);
            ctx.charge(count as usize / 2);
            ctx.reserve(count as usize)?;
            for _ in 0..count {
                let v = t.get_int(int_slot(ctx, 1));
                unpack_push(ctx, v);
            }
            continue;
        }
        ctx.charge(1);
        let (t, key) = (ctx.arg(0), ctx.arg(1));
        ctx.reserve(4)?;
        match access::index(ctx, t, key)? {
            Access::Call(nargs) => return ctx.call(nargs, unpack_got),
            Access::Now(v) => unpack_push(ctx, v),
        }
    }
    let from = ctx.base + ctx.nargs();
    ctx.ret_from(from)
}

fn unpack_got(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    let results = ctx.results();
    ctx.set_top(results);
    unpack_push(ctx, v);
    unpack_on(ctx)
}

fn unpack_push(ctx: &mut Ctx<'_>, v: Val) {
    ctx.push(v);
    let next = int_slot(ctx, 1).wrapping_add(1);
    ctx.set_arg(1, Val::int(next));
    let left = int_slot(ctx, 2) - 1;
    ctx.set_arg(2, Val::int(left));
}

// ---- concat ----

/// Slots of the arguments, and of the state once it has to be kept.
const CONCAT_STATE: usize = 4;
/// The slot of a long element: that of the last index, which the state has.
const ELEMENT: usize = 3;
/// Elements up to this length are copied at once.
const LONG_ELEMENT: usize = 1 << 18;

struct Concat {
    result: Buffer,
    next: i64,
    last: i64,
    /// A separator is due before the next element.
    begun: bool,
}

enum Stop {
    Done,
    Pause,
    Call(usize),
}

fn concat(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = plainly_long(ctx, ctx.arg(0));
    if t.is_none() {
        check_tablelike(ctx, 0, &[Event::Index, Event::Len])?;
    }
    match t {
        Some(mut t) => {
            let size = t.border();
            concat_with(ctx, size)
        }
        None => {
            ctx.resize_args(CONCAT_STATE)?;
            with_length(ctx, 0, 0, concat_with_length)
        }
    }
}

fn concat_with_length(ctx: &mut Ctx<'_>) -> NativeResult {
    let size = taken_length(ctx)?;
    concat_with(ctx, size)
}

fn concat_with(ctx: &mut Ctx<'_>, size: i64) -> NativeResult {
    ctx.opt_str(1)?;
    let next = ctx.opt_count(2, 1)?;
    let last = if ctx.is_none_or_nil(3) {
        size
    } else {
        ctx.check_count(3)?
    };
    let mut state = Concat {
        result: ctx.buffer(),
        next,
        last,
        begun: false,
    };
    match state.advance(ctx)? {
        Stop::Done => state.finish(ctx),
        stop => concat_keep(ctx, state, stop),
    }
}

#[cold]
fn concat_keep(ctx: &mut Ctx<'_>, state: Concat, stop: Stop) -> NativeResult {
    // Slot 0 to 3: the arguments; slot 4: the state. What is pushed for a call is above and is pushed again.
    if let Stop::Call(_) = stop {
        drop_pushed(ctx);
    }
    ctx.keep_state(CONCAT_STATE, state)?;
    // Asking again pushes the call again: nothing has run yet.
    concat_on(ctx)
}

fn concat_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Concat>() else {
        return ctx.ret(Val::NIL);
    };
    match state.advance(ctx)? {
        Stop::Done => state.finish(ctx),
        Stop::Pause => ctx.pause(concat_on),
        Stop::Call(nargs) => ctx.call(nargs, concat_got),
    }
}

fn concat_got(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    drop_pushed(ctx);
    ctx.push(v);
    let Some(state) = ctx.kept_state::<Concat>() else {
        return ctx.ret(Val::NIL);
    };
    let separator = ctx.arg(1).as_str().map_or(&b""[..], |s| s.as_bytes());
    state.append(ctx, v, separator)?;
    drop_pushed(ctx);
    concat_on(ctx)
}

impl Concat {
    fn advance(&mut self, ctx: &mut Ctx<'_>) -> Result<Stop, Thrown> {
        let separator = ctx.arg(1).as_str().map_or(&b""[..], |s| s.as_bytes());
        if let Some(t) = plain(ctx, ctx.arg(0)) {
            return self.advance_plainly(ctx, t, separator);
        }
        while self.next <= self.last {
            if ctx.should_pause() || !self.result.settle(ctx) {
                return Ok(Stop::Pause);
            }
            let (t, key) = (ctx.arg(0), Val::int(self.next));
            match access::index(ctx, t, key)? {
                Access::Call(nargs) => return Ok(Stop::Call(nargs)),
                Access::Now(v) => {
                    ctx.push(v);
                    self.append(ctx, v, separator)?;
                    drop_pushed(ctx);
                }
            }
        }
        Ok(self.settled(ctx))
    }

    fn settled(&mut self, ctx: &mut Ctx<'_>) -> Stop {
        if self.result.settle(ctx) {
            Stop::Done
        } else {
            Stop::Pause
        }
    }

    fn advance_plainly(
        &mut self,
        ctx: &mut Ctx<'_>,
        t: Gc<Table>,
        separator: &[u8],
    ) -> Result<Stop, Thrown> {
        while self.next <= self.last {
            if ctx.should_pause() || !self.result.settle(ctx) {
                return Ok(Stop::Pause);
            }
            let v = t.get_int(self.next);
            self.append(ctx, v, separator)?;
        }
        Ok(self.settled(ctx))
    }

    /// Appends one element and, unless it is the last, the separator. The element is reachable.
    fn append(&mut self, ctx: &mut Ctx<'_>, v: Val, separator: &[u8]) -> Result<(), Thrown> {
        if self.begun && !separator.is_empty() {
            ctx.charge(separator.len() / 16);
            self.result.push_argument(ctx, 1, 0, separator.len())?;
        }
        self.begun = true;
        if let Some(s) = v.as_str() {
            ctx.charge(1 + s.len() / 16);
            if s.len() <= LONG_ELEMENT {
                self.result.push(ctx, s.as_bytes())?;
            } else {
                // It is copied in pieces, and its table may lose it meanwhile: an argument keeps it.
                if ctx.nargs() < CONCAT_STATE {
                    ctx.resize_args(CONCAT_STATE)?;
                }
                ctx.set_arg(ELEMENT, v);
                self.result.push_argument(ctx, ELEMENT, 0, s.len())?;
            }
        } else if v.is_number() {
            ctx.charge(2);
            self.result.reserve(ctx, 32)?;
            let mut text = Vec::with_capacity(32);
            ctx.vm.write_number(v, &mut text);
            self.result.push(ctx, &text)?;
        } else {
            // 5.3 shows the low half of the index.
            let index = match ctx.vm.dialect {
                Dialect::Lua53 => i64::from(self.next as i32),
                _ => self.next,
            };
            let message = format!(
                "invalid value ({}) at index {index} in table for 'concat'",
                v.type_name()
            );
            return Err(ctx.error(&message));
        }
        if self.next == self.last {
            // One more might not be an integer any more: an empty range says that all is done.
            (self.next, self.last) = (1, 0);
        } else {
            self.next += 1;
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>) -> NativeResult {
        ctx.ret_text(&mut self.result)
    }
}

#[cfg(test)]
mod tests {
    use crate::stdlib::string::tests::check;

    /// A table whose every access goes through metamethods, over `real`.
    const PROXY: &str = "local real = {5, 3, 9, 1}
        local p = setmetatable({}, {__index = function(_, k) return real[k] end,
            __newindex = function(_, k, v) real[k] = v end, __len = function() return #real end}) ";

    #[track_caller]
    fn check_proxy(source: &str, expected: &str) {
        check(&format!("{PROXY}{source}"), expected);
        check(
            &format!("local real = {{5, 3, 9, 1}} local p = real {source}"),
            expected,
        );
    }

    #[test]
    fn inserting_and_removing() {
        check_proxy(
            "table.insert(p, 7) table.insert(p, 2, 'x') return table.unpack(real)",
            "5 x 3 9 1 7",
        );
        check_proxy(
            "return table.remove(p), table.remove(p, 1), #real, real[1], real[2]",
            "1 5 2 3 9",
        );
        check_proxy(
            "return table.remove(p, 5), #real, pcall(table.insert, p, 6, 1)",
            "nil 4 false bad argument #2 to 'table.insert' (position out of bounds)",
        );
        check(
            "return table.remove({}), table.remove({}, 0), pcall(table.insert, {}, 1, 2, 3)",
            "nil nil false wrong number of arguments to 'insert'",
        );
        check(
            "return pcall(table.insert, nil, 1)",
            "false bad argument #1 to 'table.insert' (table expected, got nil)",
        );
    }

    #[test]
    fn moving() {
        check_proxy(
            "table.move(p, 1, 3, 2) return table.unpack(real)",
            "5 5 3 9",
        );
        check_proxy(
            "table.move(p, 2, 4, 1) return table.unpack(real)",
            "3 9 1 1",
        );
        check_proxy("return table.unpack(table.move(p, 1, 4, 1, {}))", "5 3 9 1");
        check(
            "return pcall(table.move, {}, 1, math.maxinteger, 2)",
            "false bad argument #4 to 'table.move' (destination wrap around)",
        );
        check(
            "return pcall(table.move, {}, math.mininteger, -1, 2)",
            "false bad argument #3 to 'table.move' (too many elements to move)",
        );
        check(
            "local t = {} for i = 1, 9999 do t[i] = i end table.move(t, 1, 9999, 2) return #t, t[1], t[2], t[10000]",
            "10000 1 1 9999",
        );
    }

    #[test]
    fn joining() {
        check_proxy(
            "return table.concat(p, '-'), table.concat(p), table.concat(p, ',', 2, 3), table.concat(p, ',', 3, 2)",
            "5-3-9-1 5391 3,9 ",
        );
        check("return table.concat({1, 2.5, 'x'}, '|')", "1|2.5|x");
        check(
            "return pcall(table.concat, {1, {}})",
            "false invalid value (table) at index 2 in table for 'concat'",
        );
        check(
            "return table.concat({[math.maxinteger] = 'x'}, ',', math.maxinteger, math.maxinteger)",
            "x",
        );
        check(
            "local t = {} for i = 1, 5000 do t[i] = 'ab' end return #table.concat(t, ', ')",
            "19998",
        );
    }

    #[test]
    fn packing_and_unpacking() {
        check_proxy("return table.unpack(p)", "5 3 9 1");
        check_proxy("return table.unpack(p, 2, 3)", "3 9");
        check(
            "local t = table.pack(1, nil, 3) return t.n, t[1], t[2], t[3], table.unpack({}, 1, 2)",
            "3 1 nil 3 nil nil",
        );
        check(
            "return pcall(table.unpack, {}, math.mininteger, math.maxinteger)",
            "false too many results to unpack",
        );
        check(
            "return pcall(table.unpack, {}, 1, 1e8)",
            "false too many results to unpack",
        );
        check(
            "return pcall(table.unpack)",
            "false attempt to get length of a nil value",
        );
    }
}
