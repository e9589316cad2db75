//! The basic functions, but for loading code (`load`) and the collector (`gc`).
//!
//! **Invariant:** the functions that work "raw" see a layered environment (see `table`) as one table: what the running
//! coroutine's own globals have, then what the app's have.

use super::access::{self, Access};
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef, Switch};
use crate::heap::Gc;
use crate::native::{Action, Ctx, MAX_NUMERAL, NativeResult, Status, Thrown};
use crate::number::{Number, split_sign, trim};
use crate::table::{KIND_FROZEN, KIND_LAYERED, Table};
use crate::value::{Type, Val, tag};
use crate::vm::{Event, Vm};

// ---- errors and protected calls ----

static ASSERT: NativeDef = NativeDef {
    name: "assert",
    run: assert,
    cost: Cost::Constant,
    quick: Some(|_, args, one| match args {
        [v] | [v, ..] if v.truthy() && (one || args.len() == 1) => *v,
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn assert(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.dialect < Dialect::Lua53 {
        return super::versions::base::assert(ctx);
    }
    if ctx.check_any(0)?.truthy() {
        return ctx.ret_from(ctx.base);
    }
    if ctx.nargs() == 1 {
        return Err(ctx.error("assertion failed!"));
    }
    let message = ctx.arg(1);
    Err(raise(ctx, message, 1))
}

static ERROR: NativeDef = NativeDef::new("error", error, Cost::Bytes);

fn error(ctx: &mut Ctx<'_>) -> NativeResult {
    let level = ctx.opt_count(1, 1)?;
    if level > 0 && ctx.vm.dialect < Dialect::Lua53 && ctx.arg(0).is_number() {
        // A number is text enough for a position in front.
        ctx.check_str(0)?;
    }
    let message = ctx.arg(0);
    Err(raise(ctx, message, level))
}

/// Throws a value; the position at a level goes in front of a string.
fn raise(ctx: &mut Ctx<'_>, message: Val, level: i64) -> Thrown {
    let Some(text) = message.as_str().filter(|_| level > 0) else {
        return ctx.throw(message);
    };
    let place = ctx
        .vm
        .where_is(usize::try_from(level).unwrap_or(usize::MAX));
    if place.is_empty() {
        return ctx.throw(message);
    }
    ctx.vm.throw_joined(&[&place, text.as_bytes()])
}

pub(super) static PCALL: NativeDef = NativeDef {
    name: "pcall",
    run: pcall,
    cost: Cost::Constant,
    quick: None,
    switch: Some(Switch::Protected),
};

fn pcall(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_any(0)?;
    // The function and its arguments are where a call wants them.
    ctx.call_protected(ctx.nargs() - 1, false, protected_done)
}

pub(super) static XPCALL: NativeDef = NativeDef {
    name: "xpcall",
    run: xpcall,
    cost: Cost::Constant,
    quick: None,
    switch: Some(Switch::Handled),
};

fn xpcall(ctx: &mut Ctx<'_>) -> NativeResult {
    // Before 5.3 anything is taken; what is no function makes an error an "error in error handling".
    let handler = match ctx.vm.dialect < Dialect::Lua53 {
        true => ctx.check_any(1)?,
        false => ctx.check_function(1)?,
    };
    let f = ctx.arg(0);
    ctx.set_arg(0, handler);
    ctx.set_arg(1, f);
    ctx.call_protected(ctx.nargs() - 2, true, protected_done)
}

/// The results stay where they are; the status goes into the slot below them, which nothing needs any more.
pub(crate) fn protected_done(ctx: &mut Ctx<'_>) -> NativeResult {
    let below = ctx.results() - 1;
    ctx.set_at(below, Val::bool(ctx.status() == Status::Ok));
    ctx.ret_from(below)
}

static WARN: NativeDef = NativeDef::new("warn", warn, Cost::Bytes);

fn warn(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    for i in 1..ctx.nargs() {
        ctx.check_str(i)?;
    }
    let last = ctx.nargs() - 1;
    for i in 0..=last {
        if let Some(piece) = ctx.arg(i).as_str() {
            if ctx.vm.warnings_on {
                ctx.charge(piece.len() / 16);
            }
            ctx.vm.warn(piece.as_bytes(), i < last);
        }
    }
    ctx.ret0()
}

// ---- text ----

static PRINT: NativeDef = NativeDef::new("print", print, Cost::Bytes);

fn print(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs();
    if ctx.vm.dialect < Dialect::Lua54 {
        let converter = super::versions::print::global_tostring(ctx)?;
        if !converter.raw_eq(Val::native(&TOSTRING)) {
            return super::versions::print::print_by(ctx, converter);
        }
    }
    print_from(ctx, 0, n)
}

/// Prints arguments `at` to `n`. While a `__tostring` runs, its argument's number is kept in slot `n`.
fn print_from(ctx: &mut Ctx<'_>, at: usize, n: usize) -> NativeResult {
    for i in at..n {
        let v = ctx.arg(i);
        match access::text(ctx, v)? {
            Access::Now(text) => write_text(ctx, i, text),
            Access::Call(nargs) => {
                // The state goes below the call.
                ctx.set_top(ctx.top() - nargs - 1);
                ctx.resize_args(n + 1)?;
                ctx.set_arg(n, Val::int(i as i64));
                access::text(ctx, v)?;
                return ctx.call(nargs, print_more);
            }
        }
    }
    write_out(ctx, b"\n");
    let _ = ctx.vm.host.printed();
    ctx.ret0()
}

fn print_more(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() - 1;
    let at = ctx.arg(n).raw_int() as usize;
    let result = ctx.result(0);
    if ctx.vm.dialect < Dialect::Lua53 && ctx.to_str(result)?.is_none() {
        return Err(super::versions::print::no_string(ctx));
    }
    let text = access::text_value(ctx, result)?;
    write_text(ctx, at, Val::str(text));
    ctx.resize_args(n + 1)?;
    print_from(ctx, at + 1, n)
}

pub(super) fn write_text(ctx: &mut Ctx<'_>, i: usize, text: Val) {
    if i > 0 {
        write_out(ctx, b"\t");
    }
    if let Some(s) = text.as_str() {
        ctx.charge(s.len() / 16);
        write_out(ctx, s.as_bytes());
    }
}

/// A failure to write is no error of the script's: the reference's `print` ignores it too.
pub(super) fn write_out(ctx: &mut Ctx<'_>, bytes: &[u8]) {
    let _ = ctx.vm.host.write_out(bytes);
}

static TOSTRING: NativeDef = NativeDef {
    name: "tostring",
    run: tostring,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [v, ..] if v.is_str() => *v,
        [v, ..] if v.is_number() => access::number_text(vm, *v).map_or(Val::UNSUITED, Val::str),
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn tostring(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    match access::text(ctx, v)? {
        Access::Now(text) => ctx.ret(text),
        Access::Call(nargs) => ctx.call(nargs, |ctx| {
            let result = ctx.result(0);
            if ctx.vm.dialect < Dialect::Lua53 {
                // Before 5.3 `__tostring` may say anything.
                return ctx.ret(result);
            }
            let text = access::text_value(ctx, result)?;
            ctx.ret(Val::str(text))
        }),
    }
}

static TONUMBER: NativeDef = NativeDef {
    name: "tonumber",
    run: tonumber,
    cost: Cost::Bytes,
    quick: Some(|vm, args, _| match args {
        [v] if v.is_number() => *v,
        [v] if v.as_str().is_some_and(|s| s.len() <= 40) => match vm.number_of(*v) {
            Some(Number::Int(i)) => Val::int(i),
            Some(Number::Float(f)) => Val::float(f),
            None => Val::NIL,
        },
        [v, base] if base.tag == tag::INT && (2..=36).contains(&base.raw_int()) => {
            match v.as_str().filter(|s| s.len() <= 40) {
                Some(s) => {
                    parse_in_base(s.as_bytes(), base.raw_int() as u64).map_or(Val::NIL, Val::int)
                }
                None => Val::UNSUITED,
            }
        }
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn tonumber(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats && !ctx.is_none_or_nil(1) {
        return super::versions::numbers::tonumber_in_base(ctx);
    }
    if ctx.is_none_or_nil(1) {
        let v = ctx.check_any(0)?;
        ctx.charge_numeral(v);
        return match ctx.vm.number_of(v) {
            Some(Number::Int(i)) => ctx.ret(Val::int(i)),
            Some(Number::Float(f)) => ctx.ret(Val::float(f)),
            None => ctx.ret(Val::NIL),
        };
    }
    let base = ctx.check_int(1)?;
    let Some(s) = ctx.arg(0).as_str() else {
        return Err(ctx.type_error(0, "string"));
    };
    if !(2..=36).contains(&base) {
        return Err(ctx.arg_error(1, "base out of range"));
    }
    if s.len() > MAX_NUMERAL {
        return ctx.ret(Val::NIL);
    }
    ctx.charge(s.len() / 4);
    ctx.ret(parse_in_base(s.as_bytes(), base as u64).map_or(Val::NIL, Val::int))
}

/// An integer in a base, wrapping around, with white space on both sides and a sign allowed.
fn parse_in_base(text: &[u8], base: u64) -> Option<i64> {
    let (negative, digits) = split_sign(trim(text));
    if digits.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for b in digits {
        let digit = (*b as char).to_digit(36).filter(|d| (*d as u64) < base)?;
        n = n.wrapping_mul(base).wrapping_add(digit as u64);
    }
    Some(if negative {
        n.wrapping_neg() as i64
    } else {
        n as i64
    })
}

static TYPE: NativeDef = NativeDef {
    name: "type",
    run: type_of,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [v, ..] => Val::str(vm.type_names[v.type_of() as usize]),
        [] => Val::UNSUITED,
    }),
    switch: None,
};

fn type_of(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_any(0)?.type_of();
    ctx.ret(Val::str(ctx.vm.type_names[t as usize]))
}

// ---- tables ----

/// The key alone, where the value is not asked for.
pub(super) fn quick_next(vm: &mut Vm, args: &[Val], one: bool) -> Val {
    let (t, key) = match args {
        [t] => (t, Val::NIL),
        [t, key] => (t, *key),
        _ => return Val::UNSUITED,
    };
    match t.as_table() {
        Some(t)
            if one
                && t.header.extra & KIND_LAYERED == 0
                && key.as_str().is_none_or(|s| s.is_interned()) =>
        {
            match vm.table_next(t, key) {
                Ok(found) => found.map_or(Val::NIL, |(key, _)| key),
                Err(_) => Val::UNSUITED,
            }
        }
        _ => Val::UNSUITED,
    }
}

/// `next(table [, key])`
pub(crate) fn next(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    let key = ctx.arg(1);
    ctx.charge_key(key);
    let found = match t.header.extra & KIND_LAYERED {
        0 => ctx.vm.table_next(t, key)?,
        _ => next_layered(ctx, t, key)?,
    };
    match found {
        None => ctx.ret(Val::NIL),
        Some((k, v)) => ctx.ret2(k, v),
    }
}

/// The coroutine's own globals come first; then those of the app that they do not hide.
fn next_layered(ctx: &mut Ctx<'_>, t: Gc<Table>, key: Val) -> Result<Option<(Val, Val)>, Thrown> {
    let base = t.layered_base();
    let own = Gc::from_nullable(ctx.vm.thread().globals);
    let mut at = key;
    if let Some(own) = own
        && (key.is_nil() || own.find(ctx.vm.heap.hash_key, key).is_some())
    {
        if let Some(found) = ctx.vm.table_next(own, key)? {
            return Ok(Some(found));
        }
        at = Val::NIL;
    }
    while let Some((k, v)) = ctx.vm.table_next(base, at)? {
        if own.is_none_or(|own| own.find(ctx.vm.heap.hash_key, k).is_none()) {
            return Ok(Some((k, v)));
        }
        at = k;
    }
    Ok(None)
}

pub(super) static PAIRS: NativeDef = NativeDef::new("pairs", pairs, Cost::Constant);

fn pairs(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.dialect < Dialect::Lua53 && ctx.is_none(0) {
        ctx.check_table(0)?;
    }
    let v = ctx.check_any(0)?;
    // In 5.1 there is no metamethod.
    let handler = match ctx.vm.dialect < Dialect::Lua52 {
        true => Val::NIL,
        false => ctx.vm.meta_of(v, Event::Pairs),
    };
    if handler.is_nil() {
        if ctx.vm.dialect < Dialect::Lua53 {
            ctx.check_table(0)?;
        }
        return ret_iteration(ctx, [Val::native(&super::NEXT), v, Val::NIL, Val::NIL]);
    }
    call_for_three(ctx, handler, v)
}

/// Calls a metamethod that says how to traverse a value: three results.
pub(super) fn call_for_three(ctx: &mut Ctx<'_>, handler: Val, v: Val) -> NativeResult {
    ctx.push(handler);
    ctx.push(v);
    ctx.call(1, |ctx| {
        let values = [0, 1, 2, 3].map(|i| ctx.result(i));
        ctx.set_top(ctx.results());
        ret_iteration(ctx, values)
    })
}

/// Returns what `pairs` gives to a loop: three values, from 5.5 on also the one to close.
fn ret_iteration(ctx: &mut Ctx<'_>, [f, state, control, closing]: [Val; 4]) -> NativeResult {
    if ctx.vm.dialect < Dialect::Lua55 {
        return ret3(ctx, [f, state, control]);
    }
    ctx.push(f);
    ctx.push(state);
    ctx.push(control);
    ctx.push(closing);
    Ok(Action::Return(4))
}

pub(super) fn ret3(ctx: &mut Ctx<'_>, values: [Val; 3]) -> NativeResult {
    for v in values {
        ctx.push(v);
    }
    Ok(Action::Return(3))
}

static IPAIRS: NativeDef = NativeDef::new("ipairs", ipairs, Cost::Constant);
pub(crate) static IPAIRS_STEP: NativeDef =
    NativeDef::new("ipairs_iterator", ipairs_step, Cost::Constant);

pub(super) fn ipairs(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.dialect < Dialect::Lua54 {
        return super::versions::base::ipairs(ctx, &IPAIRS_STEP);
    }
    let v = ctx.check_any(0)?;
    ret3(ctx, [Val::native(&IPAIRS_STEP), v, Val::int(0)])
}

fn ipairs_step(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats {
        return super::versions::base::ipairs_step(ctx);
    }
    let i = ctx.check_int(1)?.wrapping_add(1);
    let object = ctx.arg(0);
    if let Some(t) = access::plain(object) {
        let v = t.get_int(i);
        return if v.is_nil() {
            ctx.ret(v)
        } else {
            ctx.ret2(Val::int(i), v)
        };
    }
    match access::index(ctx, object, Val::int(i))? {
        Access::Now(v) => ipairs_entry(ctx, i, v),
        Access::Call(nargs) => {
            // The argument becomes the index that the call was made for.
            ctx.set_arg(1, Val::int(i));
            ctx.call(nargs, |ctx| {
                let (i, v) = (ctx.arg(1).raw_int(), ctx.result(0));
                ipairs_entry(ctx, i, v)
            })
        }
    }
}

fn ipairs_entry(ctx: &mut Ctx<'_>, i: i64, v: Val) -> NativeResult {
    if v.is_nil() {
        ctx.ret(v)
    } else {
        ctx.ret2(Val::int(i), v)
    }
}

static RAWEQUAL: NativeDef = NativeDef {
    name: "rawequal",
    run: rawequal,
    cost: Cost::Bytes,
    quick: Some(|_, args, _| match args {
        [a, b, ..] if !a.is_str() => Val::bool(a.raw_eq(*b)),
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn rawequal(ctx: &mut Ctx<'_>) -> NativeResult {
    let (a, b) = (ctx.check_any(0)?, ctx.check_any(1)?);
    if let Some(s) = a.as_str() {
        ctx.charge(s.len() / 16);
    }
    ctx.ret(Val::bool(a.raw_eq(b)))
}

static RAWLEN: NativeDef = NativeDef {
    name: "rawlen",
    run: rawlen,
    cost: Cost::Constant,
    quick: Some(|_, args, _| match args {
        [v, ..] => match (v.as_table(), v.as_str()) {
            (Some(mut t), _) if t.header.extra & KIND_LAYERED == 0 => Val::int(t.border()),
            (_, Some(s)) => Val::int(s.len() as i64),
            _ => Val::UNSUITED,
        },
        [] => Val::UNSUITED,
    }),
    switch: None,
};

fn rawlen(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.arg(0);
    let n = match (v.as_table(), v.as_str()) {
        (Some(t), _) if t.header.extra & KIND_LAYERED != 0 => t.layered_base().border(),
        (Some(mut t), _) => t.border(),
        (_, Some(s)) => s.len() as i64,
        _ if ctx.vm.dialect < Dialect::Lua54 => {
            return Err(ctx.arg_error(0, "table or string expected"));
        }
        _ => return Err(ctx.type_error(0, "table or string")),
    };
    ctx.ret(Val::int(n))
}

static RAWGET: NativeDef = NativeDef {
    name: "rawget",
    run: rawget,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [t, key, ..] if key.as_str().is_none_or(|s| s.is_interned()) => match t.as_table() {
            Some(t) if t.header.extra & KIND_LAYERED == 0 => t.get(vm.heap.hash_key, *key),
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn rawget(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    let key = ctx.check_any(1)?;
    ctx.charge_key(key);
    if t.header.extra & KIND_LAYERED != 0 {
        let v = ctx
            .vm
            .own_global(key)
            .unwrap_or_else(|| ctx.raw_get(t.layered_base(), key));
        return ctx.ret(v);
    }
    ctx.ret(ctx.raw_get(t, key))
}

static RAWSET: NativeDef = NativeDef {
    name: "rawset",
    run: rawset,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [t, key, v, ..] if key.as_str().is_none_or(|s| s.is_interned()) => match t.as_table() {
            Some(table) if table.header.extra == 0 => match vm.table_set(table, *key, *v) {
                Ok(()) => *t,
                Err(_) => Val::UNSUITED,
            },
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn rawset(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut t = ctx.check_table(0)?;
    let (key, v) = (ctx.check_any(1)?, ctx.check_any(2)?);
    ctx.charge_key(key);
    if t.header.extra & KIND_FROZEN != 0 {
        return Err(ctx.error("attempt to modify a read-only table"));
    }
    if t.header.extra & KIND_LAYERED != 0 {
        t = ctx.vm.layered_target(t);
    }
    ctx.raw_set(t, key, v)?;
    ctx.ret(ctx.arg(0))
}

static GETMETATABLE: NativeDef = NativeDef {
    name: "getmetatable",
    run: getmetatable,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [v, ..] => match vm.metatable_of(*v) {
            Some(meta) => {
                let shown = vm.meta_field(meta, Event::Metatable);
                if shown.is_nil() {
                    Val::table(meta)
                } else {
                    shown
                }
            }
            None => Val::NIL,
        },
        [] => Val::UNSUITED,
    }),
    switch: None,
};

fn getmetatable(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    let Some(meta) = ctx.metatable(v) else {
        return ctx.ret(Val::NIL);
    };
    let shown = ctx.vm.meta_field(meta, Event::Metatable);
    ctx.ret(if shown.is_nil() {
        Val::table(meta)
    } else {
        shown
    })
}

static SETMETATABLE: NativeDef = NativeDef {
    name: "setmetatable",
    run: setmetatable,
    cost: Cost::Constant,
    quick: Some(|vm, args, _| match args {
        [t, meta, ..] => match (t.as_table(), meta.as_table()) {
            // Not one that may be protected, or the object of a finalizer.
            (Some(t), Some(meta))
                if t.is_ordinary()
                    && t.meta.is_null()
                    && vm.meta_field(meta, Event::Gc).is_nil() =>
            {
                match vm.set_metatable(Val::table(t), Some(meta)) {
                    Ok(()) => Val::table(t),
                    Err(_) => Val::UNSUITED,
                }
            }
            _ => Val::UNSUITED,
        },
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn setmetatable(ctx: &mut Ctx<'_>) -> NativeResult {
    let t = ctx.check_table(0)?;
    let meta = ctx.arg(1);
    if ctx.is_none(1) || !matches!(meta.type_of(), Type::Nil | Type::Table) {
        return Err(match ctx.vm.dialect < Dialect::Lua54 {
            true => ctx.arg_error(1, "nil or table expected"),
            false => ctx.type_error(1, "nil or table"),
        });
    }
    if t.header.extra & KIND_FROZEN != 0 {
        return Err(ctx.error("attempt to modify a read-only table"));
    }
    if !ctx.vm.meta_of(Val::table(t), Event::Metatable).is_nil() {
        return Err(ctx.error("cannot change a protected metatable"));
    }
    ctx.vm.set_metatable(Val::table(t), meta.as_table())?;
    ctx.ret(Val::table(t))
}

// ---- arguments ----

static SELECT: NativeDef = NativeDef {
    name: "select",
    run: select,
    cost: Cost::Constant,
    quick: Some(|_, args, one| match args {
        [n, rest @ ..] if n.tag == tag::INT => {
            match rest.get((n.raw_int() as usize).wrapping_sub(1)) {
                Some(v) if one || n.raw_int() as usize == rest.len() => *v,
                _ => Val::UNSUITED,
            }
        }
        [sign, rest @ ..] if sign.as_str().is_some_and(|s| s.as_bytes() == b"#") => {
            Val::int(rest.len() as i64)
        }
        _ => Val::UNSUITED,
    }),
    switch: None,
};

fn select(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() as i64;
    if ctx
        .arg(0)
        .as_str()
        .is_some_and(|s| s.as_bytes().first() == Some(&b'#'))
    {
        return ctx.ret(Val::int(n - 1));
    }
    let asked = ctx.check_count(0)?;
    let from = if asked < 0 {
        n.saturating_add(asked)
    } else {
        asked.min(n)
    };
    if from < 1 {
        return Err(ctx.arg_error(0, "index out of range"));
    }
    ctx.ret_from(ctx.base + from as usize)
}

pub(crate) fn open(vm: &mut Vm, sandbox: bool) -> Result<(), Thrown> {
    let globals = vm.globals;
    vm.register(
        globals,
        &[
            &ASSERT,
            &super::gc::COLLECTGARBAGE,
            &ERROR,
            &GETMETATABLE,
            &IPAIRS,
            &super::load::LOAD,
            &super::NEXT,
            &PAIRS,
            &PCALL,
            &PRINT,
            &RAWEQUAL,
            &RAWGET,
            &RAWSET,
            &SELECT,
            &SETMETATABLE,
            &TONUMBER,
            &TOSTRING,
            &TYPE,
            &XPCALL,
        ],
    )?;
    if vm.dialect >= Dialect::Lua52 {
        vm.register(globals, &[&RAWLEN])?;
    }
    if vm.dialect < Dialect::Lua53 {
        super::versions::open_base(vm)?;
    }
    if vm.dialect >= Dialect::Lua54 {
        vm.register(globals, &[&WARN])?;
    }
    if !sandbox {
        vm.register(globals, &[&super::load::DOFILE, &super::load::LOADFILE])?;
    }
    vm.set_field(globals, "_G", Val::table(globals))?;
    let version = vm.new_str(vm.dialect.version().as_bytes())?;
    vm.set_field(globals, "_VERSION", Val::str(version))
}
