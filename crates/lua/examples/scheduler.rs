//! Many coroutines on one thread, in slices of fuel: a script that never stops does not keep the others from running, and
//! async functions of the host park theirs.
//!
//! `cargo run -p rille-lua --example scheduler`

use rille_lua::prelude::*;
use rille_lua::{HostFuture, Outcome};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Instructions of a slice.
const SLICE: u64 = 50_000;
/// What one coroutine may use altogether.
const BUDGET: u64 = 5_000_000;

struct Task {
    name: &'static str,
    thread: LuaThread,
    waits: Option<HostFuture>,
    used: u64,
}

fn main() -> LuaResult<()> {
    let lua = Lua::new();
    let sleep = lua.create_async_function(|_, seconds: f64| {
        let due = Instant::now() + Duration::from_secs_f64(seconds);
        poll_fn(move |_| {
            if Instant::now() >= due {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
    })?;
    lua.globals().set("sleep", sleep)?;

    let mut tasks = VecDeque::new();
    for (name, code) in [
        (
            "sleeper",
            "for i = 1, 3 do sleep(0.01) print('slept', i) end",
        ),
        (
            "counter",
            "local n = 0 for i = 1, 200000 do n = n + i end print('counted', n)",
        ),
        (
            "greedy",
            "while true do pcall(function() while true do end end) end",
        ),
    ] {
        let thread = lua.create_thread(
            lua.load(code)
                .set_name(format!("={name}"))
                .into_function()?,
        )?;
        tasks.push_back(Task {
            name,
            thread,
            waits: None,
            used: 0,
        });
    }
    while let Some(mut task) = tasks.pop_front() {
        let before = lua.fuel_used();
        let outcome = match task.waits.take() {
            Some(mut future) => match future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(result) => task.thread.complete(result, SLICE),
                Poll::Pending => {
                    task.waits = Some(future);
                    tasks.push_back(task);
                    continue;
                }
            },
            None if task.used == 0 => task.thread.resume_with_fuel((), SLICE),
            None => task.thread.continue_with_fuel(SLICE),
        };
        task.used += lua.fuel_used() - before;
        match outcome {
            Outcome::Pending(future) => {
                task.waits = Some(future);
                tasks.push_back(task);
            }
            Outcome::Preempted if task.used < BUDGET => tasks.push_back(task),
            Outcome::Preempted => {
                println!("{}: stopped after {} instructions", task.name, task.used);
                task.thread.terminate(LuaStopReason::CpuTime, 1000);
            }
            outcome => println!(
                "{}: {outcome:?} after {} instructions",
                task.name, task.used
            ),
        }
    }
    Ok(())
}
