//! Programs that are stopped at every fuel value from 1 to their end: after each stop the heap is sound, and the VM goes on.
//!
//! They run on threads of 256 KiB: nothing here, nor in what a stop does, needs more native stack.

mod fault_programs;

use fault_programs::PROGRAMS;
use rille_lua::{Lua, Outcome, StopReason, Value};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The native stack that a VM may be given.
const STACK_BYTES: usize = 256 * 1024;

/// What tells that a VM is in order: it runs another script, and collects all garbage.
const AFTERWARDS: &str = "
    local t = setmetatable({}, {__index = function(_, k) return k end})
    local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(pcall(error, i)) end end)
    local _, a = co()
    return a + t[1] + select('#', table.unpack({1, 2, 3}))";

#[test]
fn stopped_at_every_fuel_value() {
    let next = AtomicUsize::new(0);
    let kills = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                std::thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, || {
                        while let Some((name, code)) =
                            PROGRAMS.get(next.fetch_add(1, Ordering::Relaxed))
                        {
                            kills.fetch_add(stop_everywhere(name, code), Ordering::Relaxed);
                        }
                    })
                    .expect("a thread")
            })
            .collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let kills = kills.into_inner();
    println!(
        "{} programs, {kills} kills, each with a check of the whole heap: no complaint",
        PROGRAMS.len()
    );
    assert!(kills > 20_000, "only {kills}");
}

/// Stops the program at each fuel value; the number of stops.
fn stop_everywhere(name: &str, code: &str) -> u64 {
    let lua = Lua::new();
    let run = |lua: &Lua| -> String {
        let done = lua.load(code).set_name("=program").exec();
        assert!(done.is_ok(), "{name}: {done:?}");
        let result: Value = lua.globals().get("result").expect("a global");
        lua.globals().set("result", Value::Nil).expect("a global");
        result.to_string().expect("a text")
    };
    let expected = run(&lua);
    assert_ne!(expected, "nil", "{name} has no result");
    let main = lua
        .load(code)
        .set_name("=program")
        .into_function()
        .expect("it compiles");
    let mut kills = 0;
    for fuel in 1.. {
        let thread = lua.create_thread(main.clone()).expect("a coroutine");
        match thread.resume_with_fuel((), fuel) {
            Outcome::Preempted => {}
            Outcome::Done(_) => break,
            other => panic!("{name}, after {fuel}: {other:?}"),
        }
        // Every other one gets to run its handlers, as far as a little fuel goes.
        let closing_fuel = if kills % 2 == 0 { 0 } else { fuel % 97 };
        thread.terminate(StopReason::Killed, closing_fuel);
        kills += 1;
        let problems = lua.check_heap().expect("nothing runs");
        assert!(
            problems.is_empty(),
            "{name}, stopped after {fuel}: {problems:#?}"
        );
        // What the killed ones leave is garbage, which every check looks at too: it is not to pile up.
        if kills % 8 == 0 {
            lua.gc_collect().expect("nothing runs");
        }
        if kills % 64 == 0 {
            let sum: i64 = lua.load(AFTERWARDS).eval().expect("the VM goes on");
            assert_eq!(sum, 5, "{name}, stopped after {fuel}");
        }
    }
    assert!(kills > 100, "{name}: only {kills}");
    lua.gc_collect().expect("nothing runs");
    let problems = lua.check_heap().expect("nothing runs");
    assert!(problems.is_empty(), "{name}: {problems:#?}");
    assert_eq!(
        run(&lua),
        expected,
        "{name}: a fresh run after {kills} kills"
    );
    kills
}
