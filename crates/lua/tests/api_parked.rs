//! Coroutines that natives park, what they are handed, and copies of data.

use rille_lua::copy::{CopyLimits, NoCopy};
use rille_lua::function::{Cost, NativeDef};
use rille_lua::native::{Ctx, NativeResult};
use rille_lua::value::Val;
use rille_lua::{Error, Lua, MultiValue, Outcome, Result, StopReason, Table, Turn, Value};
use std::cell::Cell;
use std::rc::Rc;

static WAIT: NativeDef = NativeDef::new("wait", wait, Cost::Constant);

/// Parks until the host's count is not zero, or it is handed something; returns what it was handed, or the count.
fn wait(ctx: &mut Ctx<'_>) -> NativeResult {
    if !ctx.can_park() {
        return Err(ctx.error("cannot wait here"));
    }
    wait_on(ctx)
}

fn wait_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(count) = ctx.host_object::<Rc<Cell<i64>>>(0) else {
        return Err(ctx.error("no count"));
    };
    match count.get() {
        0 => ctx.park(wait_again),
        n => {
            let first = ctx.arg(0);
            ctx.ret2(Val::int(n), first)
        }
    }
}

fn wait_again(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.nresults() > 0 {
        let v = ctx.result(0);
        return ctx.ret(v);
    }
    wait_on(ctx)
}

/// A VM with `wait`, its count, and a table of coroutines that run these sources.
fn parked(sources: &[&str]) -> Result<(Lua, Rc<Cell<i64>>, Table)> {
    let lua = Lua::new();
    let count = Rc::new(Cell::new(0));
    let object = lua.create_host_object(count.clone())?;
    let native = lua.create_native_closure(&WAIT, &[object])?;
    lua.globals().raw_set("wait", native)?;
    let threads = lua.create_table()?;
    for (at, source) in (1..).zip(sources) {
        let main = lua.load(*source).set_name("=t").into_function()?;
        let thread = lua.create_thread(main)?;
        thread.give_arguments((at, "given"))?;
        threads.raw_set(at, thread)?;
    }
    Ok((lua, count, threads))
}

fn results(turn: Turn) -> Vec<Value> {
    match turn {
        Turn::Other(Outcome::Done(values)) => values.into_vec(),
        other => panic!("{other:?}"),
    }
}

fn hand(lua: &Lua, threads: &Table, at: i64, v: Val) -> Result<bool> {
    lua.with_native(|ctx| {
        let Some(threads) = ctx.table_of(threads) else {
            return Ok(false);
        };
        ctx.fetch_ahead(threads, at, false);
        ctx.fetch_ahead(threads, at, true);
        Ok(ctx.hand_over(threads, at, v))
    })
}

#[test]
fn what_is_parked_goes_on_in_its_next_turn() -> Result<()> {
    let (lua, count, threads) = parked(&["local n, text = ... return n, text, wait('x')"])?;
    assert!(matches!(lua.turn(&threads, 1, 1000).0, Turn::Parked));
    for _ in 0..3 {
        assert!(matches!(lua.turn(&threads, 1, 1000).0, Turn::Parked));
        assert_eq!(lua.check_heap()?, [""; 0]);
    }
    count.set(7);
    let values = results(lua.turn(&threads, 1, 1000).0);
    let shown: Vec<String> = values.iter().map(|v| v.to_string().unwrap()).collect();
    assert_eq!(shown, ["1", "given", "7", "x"]);
    let (turn, used) = lua.turn(&threads, 1, 1000);
    assert!(
        matches!(turn, Turn::Other(Outcome::Error(_))) && used == 0,
        "it has ended"
    );
    assert!(matches!(
        lua.turn(&threads, 2, 1000).0,
        Turn::Other(Outcome::Error(_))
    ));
    Ok(())
}

#[test]
fn a_value_is_handed_to_what_is_parked_only() -> Result<()> {
    let nested = "local co = coroutine.wrap(function(a) return wait(a, 2, 3) end)
        local ok, v = pcall(co, 1) return ok, v";
    let (lua, _, threads) = parked(&["return wait()", nested, "while true do end"])?;
    assert!(!hand(&lua, &threads, 1, Val::int(5))?, "it has not begun");
    for at in 1..=2 {
        assert!(matches!(lua.turn(&threads, at, 1000).0, Turn::Parked));
        assert!(hand(&lua, &threads, at, Val::int(5))?);
        lua.gc_collect()?;
        assert_eq!(lua.check_heap()?, [""; 0]);
    }
    assert_eq!(results(lua.turn(&threads, 1, 1000).0), [Value::Integer(5)]);
    assert_eq!(
        results(lua.turn(&threads, 2, 1000).0),
        [Value::Boolean(true), Value::Integer(5)]
    );
    assert!(matches!(lua.turn(&threads, 3, 1000).0, Turn::Preempted));
    assert!(!hand(&lua, &threads, 3, Val::int(5))?, "it does not wait");
    assert!(!hand(&lua, &threads, 4, Val::int(5))?, "there is none");
    Ok(())
}

#[test]
fn handing_ends_where_there_is_no_room() -> Result<()> {
    let (lua, _, threads) = parked(&["return wait()"])?;
    assert!(matches!(lua.turn(&threads, 1, 1000).0, Turn::Parked));
    let mut handed = 0;
    while hand(&lua, &threads, 1, Val::int(handed))? {
        handed += 1;
        assert!(handed < 10_000);
    }
    assert_eq!(lua.check_heap()?, [""; 0]);
    assert_eq!(results(lua.turn(&threads, 1, 1000).0), [Value::Integer(0)]);
    Ok(())
}

#[test]
fn only_a_turn_can_park() -> Result<()> {
    let (lua, _, threads) = parked(&["return pcall(wait)"])?;
    let error = lua.load("wait()").exec().unwrap_err();
    assert!(error.message().contains("cannot wait here"), "{error}");
    let call = lua.create_function(|_, f: rille_lua::Function| f.call::<Value>(()))?;
    lua.globals().raw_set("call", call)?;
    let nested = lua
        .load("return select(2, pcall(call, wait))")
        .into_function()?;
    threads.raw_set(2, lua.create_thread(nested)?)?;
    let said = results(lua.turn(&threads, 2, 10_000).0);
    assert!(said[0].to_string()?.contains("cannot wait here"));
    // A coroutine that the host resumes otherwise would wait for ever: that is an error, not a wait.
    let other: rille_lua::Thread = threads.raw_get(1)?;
    assert!(matches!(
        other.resume_with_fuel((), 1000),
        Outcome::Error(_)
    ));
    Ok(())
}

#[test]
fn futures_wait_as_ever() -> Result<()> {
    let (lua, _, threads) = parked(&["local a = later(3) return a + 1", "later(1)", "wait()"])?;
    let later = lua.create_async_function(|_, n: i64| async move { Ok(n) })?;
    lua.globals().raw_set("later", later)?;
    assert!(matches!(
        lua.turn(&threads, 1, 1000).0,
        Turn::Other(Outcome::Pending(_))
    ));
    let thread: rille_lua::Thread = threads.raw_get(1)?;
    let given = MultiValue::from_vec(vec![Value::Integer(41)]);
    assert_eq!(
        results(lua.turn_with(&thread, Ok(given), 1000).0),
        [Value::Integer(42)]
    );
    assert!(matches!(
        lua.turn(&threads, 2, 1000).0,
        Turn::Other(Outcome::Pending(_))
    ));
    let thread: rille_lua::Thread = threads.raw_get(2)?;
    let failed = Err(Error::runtime("no luck"));
    match lua.turn_with(&thread, failed, 1000).0 {
        Turn::Other(Outcome::Error(error)) => assert!(error.message().contains("t:1: no luck")),
        other => panic!("{other:?}"),
    }
    // One that is parked ends where it is.
    assert!(matches!(lua.turn(&threads, 3, 1000).0, Turn::Parked));
    let thread: rille_lua::Thread = threads.raw_get(3)?;
    thread.terminate(StopReason::Killed, 1000);
    assert!(matches!(
        lua.turn(&threads, 3, 1000).0,
        Turn::Other(Outcome::Error(_))
    ));
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn the_collector_and_what_is_parked() -> Result<()> {
    let source = "local t = {...} local s = string.format('%s', 'x') wait() local u = {t[2], wait()} return u[1], u[2]";
    let sources = vec![source; 200];
    let (lua, count, threads) = parked(&sources)?;
    for at in 1..=200 {
        let turn = lua.turn(&threads, at, 1 << 40).0;
        assert!(matches!(turn, Turn::Parked), "{at} {turn:?}");
    }
    let before = lua.used_memory();
    for _ in 0..3 {
        lua.gc_collect()?;
    }
    // Natives had more room on their stacks than they need while they wait.
    let freed = before.saturating_sub(lua.used_memory());
    assert!(freed > 200 * 128, "{freed}");
    lua.set_gc_stress(true);
    lua.set_gc_quarantine(true);
    for at in 1..=200 {
        assert!(hand(&lua, &threads, at, Val::int(at))?);
        assert!(matches!(lua.turn(&threads, at, 1 << 40).0, Turn::Parked));
    }
    count.set(9);
    for at in 1..=200 {
        let values = results(lua.turn(&threads, at, 1 << 40).0);
        assert_eq!(values[1], Value::Integer(9));
    }
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn what_closes_is_not_waiting() -> Result<()> {
    // What is to be closed calls natives, which need room on the stack that the collector has taken back.
    let source = "local guard <close> = setmetatable({}, {__close = function()
            local t = {} for i = 1, 20 do t[i] = string.format('%d %s', i, table.concat({i, i, i}, ',')) end closed = #t
        end})
        wait()";
    let (lua, _, threads) = parked(&[source])?;
    assert!(matches!(lua.turn(&threads, 1, 1 << 40).0, Turn::Parked));
    for _ in 0..3 {
        lua.gc_collect()?;
    }
    lua.set_gc_stress(true);
    lua.set_gc_quarantine(true);
    let thread: rille_lua::Thread = threads.raw_get(1)?;
    thread.terminate(StopReason::Killed, 1 << 40);
    assert_eq!(lua.globals().raw_get::<i64>("closed")?, 20);
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

fn copy(
    lua: &Lua,
    value: &Value,
    limits: CopyLimits,
) -> Result<std::result::Result<Value, NoCopy>> {
    lua.with_native(|ctx| {
        let Some(v) = ctx.value_of(value) else {
            return Ok(Err(NoCopy::TooLarge));
        };
        let copied = ctx.copy_data(v, None, limits)?;
        Ok(copied.map(|copied| ctx.to_value(copied.value)))
    })
}

const ROOM: CopyLimits = CopyLimits {
    values: 1000,
    bytes: 100_000,
};

#[test]
fn copies_of_weak_tables_while_everything_is_collected() -> Result<()> {
    let lua = Lua::new();
    lua.set_gc_stress(true);
    lua.set_gc_quarantine(true);
    let value: Value = lua
        .load(
            "local t = setmetatable({}, {__mode = 'kv'})
             for i = 1, 30 do t[{}] = {i} t[i] = {'v' .. i} end
             return {weak = t, plain = {1, 2, 3, a = {b = {}}}}",
        )
        .eval()?;
    let copied = copy(&lua, &value, ROOM)?.expect("it is data");
    lua.globals().raw_set("c", copied)?;
    lua.load("assert(#c.plain == 3 and c.plain.a.b) for k, v in pairs(c.weak) do assert(v == nil or type(v) == 'table') end")
        .exec()?;
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn the_limits_of_copies() -> Result<()> {
    let lua = Lua::new();
    let flat: Value = lua
        .load("local t = {} for i = 1, 1001 do t[i] = i end return t")
        .eval()?;
    assert_eq!(copy(&lua, &flat, ROOM)?, Err(NoCopy::TooLarge));
    let text = Value::String(lua.create_string("x".repeat(100_001))?);
    assert_eq!(copy(&lua, &text, ROOM)?, Err(NoCopy::TooLarge));
    let twice: Value = lua
        .load("local s = ('x'):rep(60000) return {s, s}")
        .eval()?;
    assert_eq!(copy(&lua, &twice, ROOM)?, Err(NoCopy::TooLarge));
    let deep: Value = lua
        .load("local t = {} for i = 1, 900 do t = {t} end return t")
        .eval()?;
    assert!(copy(&lua, &deep, ROOM)?.is_ok());
    let cases = [
        ("print", ""),
        ("{a = {print}}", ".a[1]"),
        ("{['a b'] = {[1.5] = print}}", "[\"a b\"][1.5]"),
        ("{[true] = coroutine.create(print)}", "[boolean]"),
    ];
    for (source, expected) in cases {
        let value: Value = lua.load(source).eval()?;
        match copy(&lua, &value, ROOM)? {
            Err(NoCopy::Kind { path, .. }) => assert_eq!(path, expected),
            other => panic!("{source}: {other:?}"),
        }
    }
    Ok(())
}

#[test]
fn no_memory_for_a_copy_is_an_error_and_nothing_else() -> Result<()> {
    let lua = Lua::new();
    let value: Value = lua
        .load("local t = {} for i = 1, 50 do t[i] = {i, {i}} end return t")
        .eval()?;
    for n in 1..200 {
        lua.fail_allocation(n);
        let copied = copy(&lua, &value, ROOM);
        let left = lua.fail_allocation(0);
        match copied {
            Err(error) => assert!(matches!(error, Error::MemoryError(_)), "{error}"),
            Ok(copied) => assert!(copied.is_ok() && left > 0),
        }
        assert_eq!(lua.check_heap()?, [""; 0]);
    }
    Ok(())
}

#[test]
fn finalizers_do_not_wait() -> Result<()> {
    // Each makes garbage whose finalizer would wait, collects it, and goes on to wait itself.
    let finalized = |body: &str| {
        format!(
            "local said setmetatable({{}}, {{__gc = function() said = select(2, {body}) end}})
             collectgarbage() wait() return said"
        )
    };
    let sources = [
        finalized("pcall(wait)"),
        finalized("coroutine.resume(coroutine.create(wait))"),
        finalized("pcall(never)"),
        "setmetatable({}, {__gc = function() for i = 1, 1e5 do end end}) collectgarbage()".into(),
        "wait() return 'waited'".into(),
    ];
    let (lua, count, threads) = parked(&sources.each_ref().map(String::as_str))?;
    let never = lua.create_async_function(|_, ()| std::future::pending::<Result<()>>())?;
    lua.globals().raw_set("never", never)?;
    // That one is in the midst of its finalizer does not keep others from waiting.
    assert!(matches!(lua.turn(&threads, 4, 1000).0, Turn::Preempted));
    assert!(matches!(lua.turn(&threads, 5, 1000).0, Turn::Parked));
    assert_eq!(results(lua.turn(&threads, 4, 10_000_000).0).len(), 0);
    for at in 1..=3 {
        let turn = lua.turn(&threads, at, 10_000_000).0;
        assert!(matches!(turn, Turn::Parked), "{at}: {turn:?}");
    }
    count.set(1);
    let said: Vec<String> = [1, 2, 3, 5]
        .map(|at| results(lua.turn(&threads, at, 10_000_000).0)[0].to_string())
        .into_iter()
        .collect::<Result<_>>()?;
    let refused = [
        "cannot wait here",
        "cannot wait here",
        "attempt to wait in a finalizer",
    ];
    assert_eq!(said[..3], refused);
    assert_eq!(said[3], "waited");
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}
