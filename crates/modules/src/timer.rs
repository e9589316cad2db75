//! `timer`: functions that run later.
//!
//! ```lua
//! local t = timer.after(seconds, f, ...)  -- f(...) after so many seconds
//! local t = timer.every(seconds, f, ...)  -- and again and again; a firing is left out while the one before still runs
//! t:cancel()                              --> whether there was anything to cancel; a firing that has begun goes on to its end
//! ```
//!
//! `f` runs as a coroutine with the globals of whoever made the timer. A timer of a task is part of it: `task.self()` is that task,
//! and its timers end with it. Made by a request or by `init.lua` it runs for no request, and the app's end is its end.
//! An error is logged. At most `limits.timers` of a VM are there at once; beyond that, the result is nil and "too many timers".
//!
//! **Invariant:** `alive` counts the followers, each one of which has its timer; what it started ends with it.

use crate::answer::no;
use crate::counted::Counted;
use rille_lua::{
    AnyUserData, Error, Function, Lua, MultiValue, Result, Table, UserData, UserDataMethods, Value,
};
use rille_runtime::coroutine::{Budget, End, Failure};
use rille_runtime::task::TaskContext;
use rille_runtime::vm::{AppVm, Background, Context as Owner};
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::task::AbortHandle;

/// The longest delay, in seconds.
const MAX_DELAY: f64 = 3.0e8;
/// The shortest time between two firings.
const LEAST_PERIOD: Duration = Duration::from_millis(1);

/// What a script holds.
struct Timer {
    follower: AbortHandle,
    state: Rc<Cell<State>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    /// Its function runs.
    Fires,
    /// Its function runs for the last time.
    Cancelled,
}

impl UserData for Timer {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("cancel", |_, this, ()| {
            if this.follower.is_finished() || this.state.get() == State::Cancelled {
                return Ok(false);
            }
            // What runs goes on to its end: it may be what cancels.
            if this.state.replace(State::Cancelled) == State::Waits {
                this.follower.abort();
            }
            Ok(true)
        });
    }
}

/// What runs when the time has come.
struct Plan {
    vm: Weak<AppVm>,
    /// `None`: each firing has a context of its own.
    context: Option<Weak<TaskContext>>,
    globals: Option<Table>,
    delay: Duration,
    is_repeated: bool,
    function: Function,
    arguments: MultiValue,
    state: Rc<Cell<State>>,
}

/// Installs the table.
pub(crate) fn install(vm: &Rc<AppVm>) -> Result<()> {
    let lua = vm.lua();
    let table = lua.create_table()?;
    let alive: Rc<Cell<usize>> = Rc::default();
    for (name, is_repeated) in [("after", false), ("every", true)] {
        let (weak, alive) = (Rc::downgrade(vm), alive.clone());
        let add = move |lua: &Lua, (seconds, function, arguments): (f64, Function, MultiValue)| {
            let delay = delay_of(name, seconds, is_repeated)?;
            let vm = weak.upgrade().ok_or(Error::MismatchedLua)?;
            if alive.get() as u64 >= vm.app().manifest.limits.timers {
                return no(lua, "too many timers");
            }
            if vm.is_stopping() {
                return no(lua, "the app is stopping");
            }
            let context = vm.tasks().context();
            let plan = Plan {
                vm: weak.clone(),
                context: context.as_ref().map(Rc::downgrade),
                globals: lua.current_thread()?.own_globals(),
                delay,
                is_repeated,
                function,
                arguments,
                state: Rc::new(Cell::new(State::Waits)),
            };
            let state = plan.state.clone();
            let counted = Counted::new(&alive);
            let follower = tokio::task::spawn_local(plan.follow(counted));
            if let Some(context) = context {
                context.ends_with(follower.abort_handle());
            }
            let follower = follower.abort_handle();
            let timer: AnyUserData = lua.create_userdata(Timer { follower, state })?;
            Ok(MultiValue::from_vec(vec![Value::UserData(timer)]))
        };
        table.raw_set(name, lua.create_function(add)?)?;
    }
    table.freeze()?;
    lua.globals().raw_set("timer", table)
}

fn delay_of(name: &str, seconds: f64, is_repeated: bool) -> Result<Duration> {
    if !(0.0..=MAX_DELAY).contains(&seconds) {
        return Err(Error::runtime(format!(
            "bad argument #1 to '{name}' (from 0 to {MAX_DELAY} seconds expected)"
        )));
    }
    let delay = Duration::from_secs_f64(seconds);
    Ok(if is_repeated {
        delay.max(LEAST_PERIOD)
    } else {
        delay
    })
}

impl Plan {
    async fn follow(self, counted: Counted) {
        let _counted = counted;
        let Some(mut stopping) = self.vm.upgrade().map(|vm| vm.stopping()) else {
            return;
        };
        let mut next = tokio::time::Instant::now() + self.delay;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                // Also when the VM has gone.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            let Some(vm) = self.vm.upgrade().filter(|vm| !vm.is_stopping()) else {
                return;
            };
            self.state.set(State::Fires);
            if !self.fire(&vm).await || !self.is_repeated {
                return;
            }
            drop(vm);
            if self.state.replace(State::Waits) == State::Cancelled {
                return;
            }
            next = (next + self.delay).max(tokio::time::Instant::now());
        }
    }

    /// Runs the function once; false if whoever it ran for has gone.
    async fn fire(&self, vm: &Rc<AppVm>) -> bool {
        let context: Rc<dyn Owner> = match &self.context {
            None => Background::new(Budget::of_background(vm), "timer"),
            Some(context) => match context.upgrade() {
                Some(context) => context,
                None => return false,
            },
        };
        let _background = vm.in_background();
        let started = vm
            .lua()
            .create_thread(self.function.clone())
            .and_then(|thread| {
                let globals = match &self.globals {
                    Some(globals) => globals.clone(),
                    None => vm.lua().create_table()?,
                };
                thread.set_globals(Some(globals))?;
                let budget = context.budget();
                Ok(vm.start(
                    thread,
                    self.arguments.clone(),
                    Some(context.clone()),
                    budget,
                ))
            });
        let failure = match started {
            Ok(started) => match vm.unless_over(self.end(&context, started)).await {
                Some(End::Done(_) | End::Exited) => return true,
                Some(End::Failed(failure)) => failure,
                None => {
                    context.threads().kill_all();
                    return false;
                }
            },
            Err(error) => Failure::Script {
                message: error.message(),
                traceback: String::new(),
            },
        };
        vm.log()
            .server(format_args!("in a timer: {}", failure.with_traceback()));
        true
    }

    /// The light threads of a task are the task's; otherwise they are the firing's.
    async fn end(
        &self,
        context: &Rc<dyn Owner>,
        started: rille_runtime::coroutine::Started,
    ) -> End {
        match self.context {
            Some(_) => started.end().await,
            None => rille_runtime::light::end_of_all(context, started).await,
        }
    }
}
