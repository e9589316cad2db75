//! `ngx.timer`: functions that run later, for no request.
//!
//! ```lua
//! ngx.timer.at(delay, f, ...)     --> true, or nil and why not; f(premature, ...) runs after so many seconds
//! ngx.timer.every(delay, f, ...)  --> the same, again and again
//! ngx.timer.running_count(), ngx.timer.pending_count()
//! ```
//!
//! **Invariants.** At most `limits.pending_timers` of a VM wait and `limits.running_timers` run. When the server stops, those that wait run at once, with
//! `premature` true, and none can be made any more.

use crate::answer::{no, yes};
use crate::counted::Counted;
use crate::text::{argument, bad_argument};
use rille_lua::{Error, Function, Lua, MultiValue, Result, Table, Value};
use rille_runtime::coroutine::{Budget, End, Failure};
use rille_runtime::light::end_of_all;
use rille_runtime::log::Level;
use rille_runtime::vm::{AppVm, Background, Context as Owner};
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The longest delay, in seconds: what fits into 32 bits of milliseconds, as there.
const MAX_DELAY: f64 = 2_147_483.647;

#[derive(Default)]
struct Timers {
    pending: Rc<Cell<usize>>,
    running: Rc<Cell<usize>>,
}

/// One timer.
struct Timer {
    vm: Weak<AppVm>,
    timers: Rc<Timers>,
    delay: Duration,
    is_repeated: bool,
    function: Function,
    arguments: MultiValue,
}

/// The table.
pub(super) fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let table = lua.create_table()?;
    let timers: Rc<Timers> = Rc::default();
    for (name, is_repeated) in [("at", false), ("every", true)] {
        let (weak, timers) = (Rc::downgrade(vm), timers.clone());
        let add = move |lua: &Lua, given: MultiValue| {
            let (delay, function, arguments) = arguments(lua, given, is_repeated)?;
            let vm = weak.upgrade().ok_or(Error::MismatchedLua)?;
            if vm.is_stopping() && (is_repeated || !delay.is_zero()) {
                return no(lua, "process exiting");
            }
            if timers.pending.get() as u64 >= vm.app().manifest.limits.pending_timers {
                return no(lua, "too many pending timers");
            }
            let timer = Timer {
                vm: weak.clone(),
                timers: timers.clone(),
                delay,
                is_repeated,
                function,
                arguments,
            };
            let pending = Counted::new(&timers.pending);
            tokio::task::spawn_local(timer.run(pending));
            Ok(yes())
        };
        table.raw_set(name, lua.create_function(add)?)?;
    }
    let counts = timers.clone();
    let pending = move |_: &Lua, ()| Ok(counts.pending.get() as i64);
    table.raw_set("pending_count", lua.create_function(pending)?)?;
    let running = move |_: &Lua, ()| Ok(timers.running.get() as i64);
    table.raw_set("running_count", lua.create_function(running)?)?;
    Ok(table)
}

/// The delay, the function, and what it is to be given.
fn arguments(
    lua: &Lua,
    given: MultiValue,
    is_repeated: bool,
) -> Result<(Duration, Function, MultiValue)> {
    if given.len() < 2 {
        return Err(Error::runtime(format!(
            "expecting at least 2 arguments but got {}",
            given.len()
        )));
    }
    let delay: f64 = argument(lua, &given, 1)?;
    let least = if is_repeated { 0.001 } else { 0.0 };
    if is_repeated && delay.abs() < least {
        return Err(Error::runtime("delay cannot be zero"));
    }
    if !(least..=MAX_DELAY).contains(&delay) {
        return Err(bad_argument(1, "invalid delay"));
    }
    let mut given = given.into_vec().into_iter().skip(1);
    let Some(Value::Function(function)) = given.next() else {
        return Err(bad_argument(2, "Lua function expected"));
    };
    let delay = Duration::from_secs_f64(delay);
    Ok((delay, function, MultiValue::from_vec(given.collect())))
}

impl Timer {
    async fn run(self, pending: Counted) {
        let mut pending = Some(pending);
        loop {
            let Some(vm) = self.vm.upgrade() else { return };
            let mut stopping = vm.stopping();
            drop(vm);
            let premature = {
                let _pending =
                    (pending.take()).unwrap_or_else(|| Counted::new(&self.timers.pending));
                tokio::select! {
                    () = tokio::time::sleep(self.delay) => false,
                    _ = stopping.wait_for(|stopping| *stopping) => true,
                }
            };
            let Some(vm) = self.vm.upgrade() else { return };
            let most = vm.app().manifest.limits.running_timers;
            if self.timers.running.get() as u64 >= most {
                // As in nginx, a line of its own for each; here it is on the account of the app.
                vm.log().script(
                    Level::Error,
                    &format!("{most} timers run already: one was left out (limits.running_timers)"),
                );
            } else if self.is_repeated && !premature {
                // The next one is not late for this one's sake.
                let (timers, function) = (self.timers.clone(), self.function.clone());
                let arguments = self.arguments.clone();
                tokio::task::spawn_local(fire(vm, timers, function, arguments, premature));
            } else {
                fire(
                    vm,
                    self.timers.clone(),
                    self.function.clone(),
                    self.arguments.clone(),
                    premature,
                )
                .await;
            }
            if premature || !self.is_repeated {
                return;
            }
        }
    }
}

async fn fire(
    vm: Rc<AppVm>,
    timers: Rc<Timers>,
    function: Function,
    arguments: MultiValue,
    premature: bool,
) {
    if vm.is_over() {
        return;
    }
    let _running = Counted::new(&timers.running);
    let _background = vm.in_background();
    let context: Rc<dyn Owner> = Background::new(Budget::of_background(&vm), "timer");
    let started = vm.lua().create_table().and_then(|globals| {
        let thread = vm.lua().create_thread(function)?;
        thread.set_globals(Some(globals))?;
        let mut given = vec![Value::Boolean(premature)];
        given.extend(arguments.into_vec());
        let given = MultiValue::from_vec(given);
        Ok(vm.start(thread, given, Some(context.clone()), context.budget()))
    });
    let failure = match started {
        Ok(started) => match vm.unless_over(end_of_all(&context, started)).await {
            Some(End::Done(_) | End::Exited) => return,
            Some(End::Failed(failure)) => failure,
            None => return context.threads().kill_all(),
        },
        Err(error) => Failure::Script {
            message: error.message(),
            traceback: String::new(),
        },
    };
    vm.log()
        .server(format_args!("in a timer: {}", failure.with_traceback()));
}
