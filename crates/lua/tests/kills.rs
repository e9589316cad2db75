//! Nothing outlives a kill: whatever construct of the language a script uses to go on, no instruction of it runs once the host
//! has stopped it, but for the closing of variables on the closing budget.
//!
//! Every attempt calls the host function `tick` for as long as it can. Stopped at several points and in several ways, the
//! count must not move again, whatever else then runs in the VM.

use rille_lua::{Error, Lua, LuaOptions, Outcome, Profile, Result, StopReason, Thread};
use std::cell::Cell;
use std::rc::Rc;

/// What an attempt does: `on` never ends and ticks, and `again` runs something over and over in protected mode.
const PRELUDE: &str = "
    local tick = ...
    function on() while true do tick() end end
    function again(f) while true do pcall(f) end end
    function try(t) return setmetatable({}, t) end";

const ATTEMPTS: &[(&str, &str)] = &[
    ("a loop", "on()"),
    ("pcall", "again(on)"),
    (
        "pcall of pcall",
        "again(function() pcall(pcall, pcall, on) end)",
    ),
    (
        "xpcall's handler",
        "again(function() xpcall(error, on) end)",
    ),
    (
        "a handler of a handler",
        "again(function() xpcall(on, function() xpcall(error, on) end) end)",
    ),
    (
        "coroutine.resume",
        "again(function() coroutine.resume(coroutine.create(on)) end)",
    ),
    (
        "coroutine.wrap",
        "again(function() coroutine.wrap(on)() end)",
    ),
    (
        "coroutines in coroutines",
        "local function f(n) if n == 0 then on() end coroutine.resume(coroutine.create(f), n - 1) end again(function() f(20) end)",
    ),
    (
        "coroutine.close",
        "again(function() local co = coroutine.create(function() local x <close> = try {__close = on} coroutine.yield() end) coroutine.resume(co) coroutine.close(co) end)",
    ),
    (
        "a wrapped coroutine's closing",
        "again(function() coroutine.wrap(function() local x <close> = try {__close = on} error('x') end)() end)",
    ),
    (
        "__close at the end of a block",
        "again(function() local x <close> = try {__close = on} end)",
    ),
    (
        "__close after an error",
        "again(function() local x <close> = try {__close = on} error('x') end)",
    ),
    (
        "__close after a break",
        "again(function() while true do local x <close> = try {__close = on} break end end)",
    ),
    (
        "a for loop's closing value",
        "again(function() for k in next, {}, nil, try {__close = on} do end end)",
    ),
    (
        "a finalizer",
        "again(function() try {__gc = on} collectgarbage() end)",
    ),
    (
        "a finalizer in a step",
        "again(function() try {__gc = on} for i = 1, 100 do collectgarbage('step') end end)",
    ),
    (
        "__index",
        "again(function() return try {__index = on}.x end)",
    ),
    (
        "__newindex",
        "again(function() try {__newindex = on}.x = 1 end)",
    ),
    ("__call", "again(function() try {__call = on}() end)"),
    ("__add", "again(function() return try {__add = on} + 1 end)"),
    ("__sub", "again(function() return 1 - try {__sub = on} end)"),
    ("__mul", "again(function() return try {__mul = on} * 1 end)"),
    ("__div", "again(function() return try {__div = on} / 1 end)"),
    ("__mod", "again(function() return try {__mod = on} % 1 end)"),
    ("__pow", "again(function() return try {__pow = on} ^ 1 end)"),
    ("__unm", "again(function() return -try {__unm = on} end)"),
    (
        "__idiv",
        "again(function() return try {__idiv = on} // 1 end)",
    ),
    (
        "__band",
        "again(function() return try {__band = on} & 1 end)",
    ),
    ("__bor", "again(function() return try {__bor = on} | 1 end)"),
    (
        "__bxor",
        "again(function() return try {__bxor = on} ~ 1 end)",
    ),
    (
        "__shl",
        "again(function() return try {__shl = on} << 1 end)",
    ),
    (
        "__shr",
        "again(function() return try {__shr = on} >> 1 end)",
    ),
    ("__bnot", "again(function() return ~try {__bnot = on} end)"),
    (
        "__concat",
        "again(function() return 'x' .. try {__concat = on} .. 'y' end)",
    ),
    ("__len", "again(function() return #try {__len = on} end)"),
    (
        "__eq",
        "again(function() return try {__eq = on} == try {} end)",
    ),
    ("__lt", "again(function() return try {__lt = on} < 1 end)"),
    ("__le", "again(function() return 1 <= try {__le = on} end)"),
    (
        "__tostring",
        "again(function() tostring(try {__tostring = on}) end)",
    ),
    ("__tostring of an error", "error(try {__tostring = on})"),
    (
        "__pairs",
        "again(function() for k in pairs(try {__pairs = on}) do end end)",
    ),
    (
        "string.format's __tostring",
        "again(function() string.format('%s', try {__tostring = on}) end)",
    ),
    (
        "sort's comparator",
        "again(function() table.sort({3, 1, 2}, on) end)",
    ),
    (
        "sort's __lt",
        "again(function() local m = {__lt = on} table.sort({setmetatable({}, m), setmetatable({}, m)}) end)",
    ),
    (
        "gsub's function",
        "again(function() ('x'):gsub('x', on) end)",
    ),
    (
        "gsub's table",
        "again(function() ('x'):gsub('x', try {__index = on}) end)",
    ),
    ("load's reader", "again(function() load(on) end)"),
    (
        "a loader",
        "package.preload.x = on again(function() require 'x' end)",
    ),
    (
        "a searcher",
        "package.searchers = {on} again(function() require 'y' end)",
    ),
    (
        "table.insert's __newindex",
        "again(function() table.insert(try {__newindex = on}, 1) end)",
    ),
    (
        "table.concat's __index",
        "again(function() table.concat(try {__index = on, __len = function() return 2 end}) end)",
    ),
    (
        "table.unpack's __index",
        "again(function() table.unpack(try {__index = on}, 1, 2) end)",
    ),
    (
        "table.move's __index",
        "again(function() table.move(try {__index = on}, 1, 2, 1, {}) end)",
    ),
    (
        "ipairs' __index",
        "again(function() for i in ipairs(try {__index = on}) do end end)",
    ),
    ("an iterator", "again(function() for x in on do end end)"),
    (
        "select over a call",
        "again(function() select('#', on()) end)",
    ),
    (
        "debug.traceback in a handler",
        "again(function() xpcall(on, debug.traceback) end)",
    ),
    (
        "an endless search",
        "local s = ('a'):rep(30000) again(function() tick_once() s:find('.-b') end)",
    ),
    (
        "an endless native",
        "again(function() tick_once() table.move({}, 1, math.maxinteger - 1, 2) end)",
    ),
    ("the host's function", "again(function() host_call(on) end)"),
    (
        "the host's function in a handler",
        "again(function() xpcall(error, function() host_call(on) end) end)",
    ),
    (
        "the host's coroutine",
        "again(function() host_resume(on) end)",
    ),
];

struct Tested {
    lua: Lua,
    ticks: Rc<Cell<u64>>,
}

fn tested() -> Result<Tested> {
    let lua = Lua::with_options(LuaOptions {
        profile: Profile::Sandbox,
        memory_limit: 16 << 20,
        ..LuaOptions::default()
    })?;
    // Calls from inside the host end on the budget of what they run in, soon after it.
    lua.set_nested_allowance(1000);
    let ticks = Rc::new(Cell::new(0));
    let count = Rc::clone(&ticks);
    let tick = lua.create_function(move |_, ()| {
        count.set(count.get() + 1);
        Ok(())
    })?;
    lua.globals().set("tick_once", tick.clone())?;
    lua.globals().set(
        "host_call",
        lua.create_function(|_, f: rille_lua::Function| f.call::<()>(()))?,
    )?;
    lua.globals().set(
        "host_resume",
        lua.create_function(|lua, f: rille_lua::Function| lua.create_thread(f)?.resume::<()>(()))?,
    )?;
    lua.globals().set(
        "wait",
        lua.create_async_function(|_, ()| std::future::pending::<Result<()>>())?,
    )?;
    lua.load(PRELUDE).call::<()>(tick)?;
    Ok(Tested { lua, ticks })
}

impl Tested {
    /// After a kill: other scripts run, garbage is collected, and nothing of the killed one ticks.
    fn stays_dead(&self, what: &str) {
        let before = self.ticks.get();
        let check = |step: &str| {
            assert_eq!(self.ticks.get(), before, "{what}: alive after {step}");
        };
        let (thread, outcome) = start(
            self,
            "local n = 0 for i = 1, 1000 do n = n + #tostring(i) local t = {i} end return n",
            1_000_000,
        )
        .expect("the VM goes on");
        match outcome {
            Outcome::Done(values) => assert_eq!(values[0].as_integer(), Some(2893), "{what}"),
            // A finalizer that had not begun belongs to whoever comes upon it: this script, on its own budget.
            Outcome::Preempted if what.contains("finalizer") => {
                thread.terminate(StopReason::CpuTime, 0);
                return;
            }
            other => panic!("{what}: {other:?}"),
        }
        check("another script");
        let problems = self.lua.check_heap().expect("nothing runs");
        assert!(problems.is_empty(), "{what}: {problems:#?}");
        check("a heap check");
    }
}

fn start(tested: &Tested, code: &str, fuel: u64) -> Result<(Thread, Outcome)> {
    let thread = tested
        .lua
        .create_thread(tested.lua.load(code).into_function()?)?;
    let outcome = thread.resume_with_fuel((), fuel);
    Ok((thread, outcome))
}

/// Fuel at which attempts are stopped: early, in the middle, and when each has gone round many times.
const POINTS: [u64; 6] = [50, 211, 997, 4001, 20_011, 100_003];

#[test]
fn a_budget_that_is_used_up() -> Result<()> {
    for (name, code) in ATTEMPTS {
        for fuel in POINTS {
            let what = format!("{name}, stopped after {fuel}");
            let tested = tested()?;
            let (thread, outcome) = start(&tested, code, fuel)?;
            match outcome {
                Outcome::Preempted => thread.terminate(StopReason::CpuTime, 0),
                // A nested call of the host used up what there was.
                Outcome::Terminated(_) => {}
                // The host asks an error object for its text, on a budget of its own.
                Outcome::Error(e) if name.starts_with("__tostring of an error") => {
                    assert!(e.message().contains("table value"), "{what}: {e}");
                }
                other => panic!("{what}: {other:?}"),
            }
            tested.stays_dead(&what);
            // Finalizers that have not begun belong to whoever collects the object; one that was stopped is over.
            if !code.contains("__gc") {
                tested.lua.gc_collect()?;
                tested.stays_dead(&what);
            }
        }
    }
    Ok(())
}

#[test]
fn a_host_that_cancels() -> Result<()> {
    // The same, cancelled between two slices of a budget that is not used up, and while the script waits for the host.
    for (name, code) in ATTEMPTS {
        let what = format!("{name}, cancelled");
        let tested = tested()?;
        let (thread, mut outcome) = start(&tested, code, 500)?;
        for _ in 0..7 {
            if matches!(outcome, Outcome::Preempted) {
                outcome = thread.continue_with_fuel(300);
            }
        }
        thread.terminate(StopReason::Killed, 0);
        tested.stays_dead(&what);

        let tested = self::tested()?;
        let waits = "local go_on = on function on() pcall(wait) go_on() end";
        tested.lua.load(waits).exec()?;
        let (thread, outcome) = start(&tested, code, 100_000)?;
        // Where the host cannot wait (a finalizer, a nested call) the wait is an error and the script goes on.
        if matches!(outcome, Outcome::Pending(_) | Outcome::Preempted) {
            thread.terminate(StopReason::Killed, 0);
        }
        tested.stays_dead(&format!("{name}, cancelled while it waits"));
    }
    Ok(())
}

#[test]
fn a_limit_of_instructions() -> Result<()> {
    for (name, code) in ATTEMPTS {
        let tested = tested()?;
        tested.lua.set_instruction_limit(Some(5000));
        match tested.lua.load(*code).exec() {
            Err(Error::Terminated(_)) => {}
            Err(e) if name.starts_with("__tostring of an error") => {
                assert!(e.message().contains("table value"), "{e}");
            }
            other => panic!("{name}: {other:?}"),
        }
        tested.lua.set_instruction_limit(None);
        tested.stays_dead(name);
    }
    Ok(())
}

#[test]
fn closing_gets_one_budget() -> Result<()> {
    // Many variables to close, in many coroutines, each of which would go on for ever.
    let code = "
        local function f(n)
            local a <close> = try {__close = on}
            local b <close> = try {__close = function() again(on) end}
            if n == 0 then while true do end end
            coroutine.resume(coroutine.create(f), n - 1)
        end
        f(30)";
    for budget in [0, 100, 10_000] {
        let tested = tested()?;
        let (thread, outcome) = start(&tested, code, 10_000)?;
        assert!(matches!(outcome, Outcome::Preempted), "{outcome:?}");
        assert_eq!(tested.ticks.get(), 0);
        thread.terminate(StopReason::CpuTime, budget);
        let ticks = tested.ticks.get();
        // A tick costs two instructions at least.
        assert!(ticks <= budget, "{ticks} ticks on a budget of {budget}");
        assert_eq!(
            ticks > 0,
            budget > 0,
            "{ticks} ticks on a budget of {budget}"
        );
        tested.stays_dead("closing");
        tested.lua.gc_collect()?;
        tested.stays_dead("closing");
    }
    Ok(())
}

#[test]
fn closing_does_not_bring_back_who_waits() -> Result<()> {
    // Each coroutine has a variable whose closing ends well. What has resumed it must not take that for its end, and go on.
    let code = "
        local function f(n)
            local x <close> = try {__close = function() closed = (closed or 0) + 1 end}
            if n == 0 then while true do end end
            pcall(coroutine.wrap(f), n - 1)
            on()
        end
        f(20)";
    for budget in [0, 100, 10_000, 1_000_000] {
        let tested = tested()?;
        let (thread, outcome) = start(&tested, code, 10_000)?;
        assert!(matches!(outcome, Outcome::Preempted), "{outcome:?}");
        thread.terminate(StopReason::CpuTime, budget);
        assert_eq!(tested.ticks.get(), 0, "on a budget of {budget}");
        let closed: Option<u64> = tested.lua.globals().get("closed")?;
        if budget >= 10_000 {
            assert_eq!(closed, Some(21));
        }
        tested.stays_dead("closing");
    }
    Ok(())
}

#[test]
fn the_end_of_a_vm_is_bounded() -> Result<()> {
    let tested = tested()?;
    tested.lua.set_closing_fuel(10_000);
    tested
        .lua
        .load("kept = {} for i = 1, 100 do kept[i] = try {__gc = function() again(on) end} end")
        .exec()?;
    let ticks = Rc::clone(&tested.ticks);
    drop(tested);
    assert!((1..=10_000).contains(&ticks.get()), "{}", ticks.get());
    Ok(())
}

#[test]
fn work_of_the_host_is_charged() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set(
        "work",
        lua.create_function(|lua, n: u64| {
            lua.charge_fuel(n);
            Ok(())
        })?,
    )?;
    let thread = lua.create_thread(lua.load("while true do work(1000) end").into_function()?)?;
    assert!(matches!(
        thread.resume_with_fuel((), 100_000),
        Outcome::Preempted
    ));
    let used = lua.fuel_used();
    assert!((100_000..110_000).contains(&used), "{used}");
    // Calls of the host that charge nothing are charged as the calls they are.
    let thread = lua.create_thread(lua.load("while true do work(0) end").into_function()?)?;
    assert!(matches!(
        thread.resume_with_fuel((), 100_000),
        Outcome::Preempted
    ));
    Ok(())
}
