//! `ngx.semaphore`: what the light threads of a worker wait for each other with.
//!
//! ```text
//!  wait --resources left--> true
//!   |
//!   +--> Waiting --post--> Granted --polled--> Taken: true
//!           |                 |
//!           | timeout         | killed: the resource goes to the next
//!           v                 v
//!         Gone              Gone
//! ```
//! **Invariants.** `waiting` is the number of waiters that are `Waiting`; if there is one, there are no resources: a post gives
//! them to the waiters first, in the order they came. A resource that was given to a waiter which ends before it has taken
//! it is given again.

use rille_lua::{AnyUserData, Lua, Result, Table, UserData, UserDataRef, Value};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SOURCE: &str = include_str!("semaphore.lua");

/// The most resources there can be: what numbers of all versions hold exactly.
const MAX_RESOURCES: i64 = 1 << 53;

/// The longest wait, in seconds; there is no request that lasts longer.
const MAX_WAIT: f64 = 1e9;

/// The module.
pub(crate) fn module(lua: &Lua) -> Result<Value> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["type", "tonumber", "error", "setmetatable"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("version", "0.1.33")?;
    let new = |_: &Lua, n: f64| Ok(Semaphore(Rc::new(Inner::new(n as i64))));
    tools.raw_set("new", lua.create_function(new)?)?;
    let is_semaphore = |_: &Lua, value: Value| {
        Ok(value
            .as_userdata()
            .is_some_and(AnyUserData::is::<Semaphore>))
    };
    tools.raw_set("is_semaphore", lua.create_function(is_semaphore)?)?;
    let take = |_: &Lua, semaphore: UserDataRef<Semaphore>| Ok(semaphore.0.take());
    tools.raw_set("take", lua.create_function(take)?)?;
    let post = |lua: &Lua, (semaphore, n): (UserDataRef<Semaphore>, f64)| {
        let woken = semaphore.0.post(n as i64);
        lua.charge_fuel(8 * woken);
        Ok(())
    };
    tools.raw_set("post", lua.create_function(post)?)?;
    let count = |_: &Lua, semaphore: UserDataRef<Semaphore>| Ok(semaphore.0.count());
    tools.raw_set("count", lua.create_function(count)?)?;
    let await_one = |_: Lua, (semaphore, seconds): (UserDataRef<Semaphore>, f64)| {
        // In the queue from now on, not from when it is first polled.
        let wait = Wait::new(&semaphore.0);
        async move { Ok(wait.within(seconds).await) }
    };
    tools.raw_set("await", lua.create_async_function(await_one)?)?;
    let source = lua.load(SOURCE).set_name("=ngx.semaphore");
    let module: Table = source.into_function()?.call(tools)?;
    module.freeze()?;
    Ok(Value::Table(module))
}

/// The semaphore as Lua holds it.
struct Semaphore(Rc<Inner>);

impl UserData for Semaphore {}

struct Inner {
    resources: Cell<i64>,
    waiting: Cell<usize>,
    /// In the order they came, with some that have gone.
    queue: RefCell<VecDeque<Rc<Waiter>>>,
}

struct Waiter {
    state: Cell<State>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Waiting,
    Granted,
    Taken,
    Gone,
}

impl Inner {
    fn new(resources: i64) -> Inner {
        Inner {
            resources: Cell::new(resources.clamp(0, MAX_RESOURCES)),
            waiting: Cell::new(0),
            queue: RefCell::default(),
        }
    }

    /// Takes a resource if there is one.
    fn take(&self) -> bool {
        let resources = self.resources.get();
        self.resources.set((resources - 1).max(0));
        resources > 0
    }

    /// Adds resources; how many waiters got one.
    fn post(&self, n: i64) -> u64 {
        let mut left = self.resources.get().saturating_add(n).min(MAX_RESOURCES);
        let mut woken = 0;
        while left > 0 {
            let next = self.queue.borrow_mut().pop_front();
            let Some(waiter) = next else { break };
            if waiter.state.get() == State::Waiting {
                waiter.state.set(State::Granted);
                self.waiting.set(self.waiting.get() - 1);
                (left, woken) = (left - 1, woken + 1);
                let waker = waiter.waker.borrow_mut().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        self.resources.set(left);
        woken
    }

    /// Resources left; below zero, how many wait for one.
    fn count(&self) -> i64 {
        self.resources.get() - self.waiting.get() as i64
    }

    /// One that waited does so no more. Those that are gone never outnumber the others by much.
    fn left(&self) {
        self.waiting.set(self.waiting.get() - 1);
        let mut queue = self.queue.borrow_mut();
        if queue.len() > 2 * self.waiting.get() + 16 {
            queue.retain(|waiter| waiter.state.get() == State::Waiting);
        }
    }
}

/// A place in the queue.
struct Wait {
    semaphore: Rc<Inner>,
    waiter: Rc<Waiter>,
}

impl Wait {
    fn new(semaphore: &Rc<Inner>) -> Wait {
        let waiter = Rc::new(Waiter {
            state: Cell::new(State::Waiting),
            waker: RefCell::default(),
        });
        semaphore.queue.borrow_mut().push_back(waiter.clone());
        semaphore.waiting.set(semaphore.waiting.get() + 1);
        Wait {
            semaphore: semaphore.clone(),
            waiter,
        }
    }

    /// Whether a resource came in time.
    async fn within(self, seconds: f64) -> bool {
        let seconds = if seconds < MAX_WAIT {
            seconds.max(0.0)
        } else {
            MAX_WAIT
        };
        let granted = poll_fn(|cx| self.poll(cx));
        tokio::time::timeout(Duration::from_secs_f64(seconds), granted)
            .await
            .is_ok()
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiter.state.get() == State::Granted {
            self.waiter.state.set(State::Taken);
            return Poll::Ready(());
        }
        *self.waiter.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        match self.waiter.state.replace(State::Gone) {
            State::Waiting => self.semaphore.left(),
            State::Granted => {
                self.semaphore.post(1);
            }
            State::Taken | State::Gone => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(wait: &Wait) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        wait.poll(&mut cx).is_ready()
    }

    #[test]
    fn resources_go_to_waiters_in_their_order() {
        let semaphore = Rc::new(Inner::new(1));
        assert!(semaphore.take());
        assert!(!semaphore.take());
        let waits: Vec<Wait> = (0..3).map(|_| Wait::new(&semaphore)).collect();
        assert_eq!(semaphore.count(), -3);
        assert_eq!(semaphore.post(1), 1);
        assert_eq!(semaphore.count(), -2);
        // The one who comes now does not get what was posted for the first.
        assert!(!semaphore.take());
        assert!(!poll(&waits[1]) && poll(&waits[0]));
        assert_eq!(semaphore.post(5), 2);
        assert_eq!(semaphore.count(), 3);
        assert!(poll(&waits[2]) && poll(&waits[1]));
        drop(waits);
        assert_eq!(semaphore.count(), 3);
    }

    #[test]
    fn a_waiter_that_ends_loses_no_resource() {
        let semaphore = Rc::new(Inner::new(0));
        let (first, second) = (Wait::new(&semaphore), Wait::new(&semaphore));
        semaphore.post(1);
        drop(first);
        assert!(poll(&second));
        assert_eq!(semaphore.count(), 0);
        let third = Wait::new(&semaphore);
        drop(third);
        assert_eq!(semaphore.count(), 0);
        let fourth = Wait::new(&semaphore);
        semaphore.post(1);
        drop(fourth);
        assert_eq!(semaphore.count(), 1);
        drop(second);
        assert_eq!(semaphore.count(), 1);
    }

    #[test]
    fn those_that_are_gone_are_forgotten() {
        let semaphore = Rc::new(Inner::new(0));
        let _kept = Wait::new(&semaphore);
        for _ in 0..1000 {
            drop(Wait::new(&semaphore));
        }
        assert!(semaphore.queue.borrow().len() < 20);
        assert_eq!(semaphore.count(), -1);
    }

    #[test]
    fn resources_have_a_limit() {
        let semaphore = Inner::new(i64::MAX);
        semaphore.post(i64::MAX);
        assert_eq!(semaphore.count(), MAX_RESOURCES);
    }

    #[test]
    fn any_number_of_seconds_is_one() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let semaphore = Rc::new(Inner::new(0));
        for seconds in [f64::NAN, f64::INFINITY, 1e300] {
            let wait = Wait::new(&semaphore);
            semaphore.post(1);
            assert!(runtime.block_on(async { wait.within(seconds).await }));
        }
        for seconds in [0.0, -1.0, 1e-9] {
            let wait = Wait::new(&semaphore);
            assert!(!runtime.block_on(async { wait.within(seconds).await }));
        }
        assert_eq!(semaphore.count(), 0);
    }
}
