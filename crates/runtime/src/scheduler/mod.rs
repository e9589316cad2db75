//! Who runs next on a worker.
//!
//! A worker is one thread with a single-threaded tokio runtime. Sockets, timers and connections are
//! tokio tasks; Lua is not: coroutines run in *slices* of fuel that this scheduler hands out, so that
//! a script that loops costs its own budget and nobody else's latency.
//!
//! ```text
//!            arrives / its wait is over                     slice used up
//!   request ---------------------------> fresh --> running ----------------> its tenant's turn
//!              |  worker idle enough:      ^          |  done, error, waits         |
//!              +--> runs at once           |          v                             |
//!                                          |        off (its owner is told)         |
//!                                          +--- driver: ring of tenants <-----------+
//! ```
//!
//! **The rules**
//! - A slice is meant to take [`SLICE`], a millisecond. What is handed out is fuel: a tenant starts with
//!   [`FIRST_FUEL`] and each slice that was used up corrects it by what it took ([`Tenant::fuel`]), since
//!   a unit is 2 ns in a loop of additions and 15 ns in one of library calls. Whoever uses up a slice is
//!   `Preempted`.
//! - Fresh wakes run first: a request that just arrived, or whose wait just ended, most often needs
//!   microseconds. The privilege is paid for: a tenant whose `balance` is used up gets its turn in the
//!   ring like everybody else.
//! - The ring is a deficit round-robin: each round gives each tenant one [`QUANTUM`] of processor time
//!   and every slice is charged with what it took on the monotonic clock (two readings of 24 ns). A
//!   tenant with a thousand busy requests gets what a tenant with one gets.
//! - `preempt = "vm"`: a preempted coroutine is the next of its VM to run, before fresh ones, so
//!   that code between two waits is atomic within an app. `"coroutine"`: it goes to the back. (There is more than one such
//!   coroutine only where a light thread uses up the very slice in which it was spawned: it and its spawner take turns.)
//! - Tasks share nothing with requests, so a job of theirs stands *apart* ([`Job::is_apart`]): neither waits for the other to
//!   end. Within a tenant they get its time half and half, and who wants little goes first: tasks that have more to do have
//!   their turn when the others of the tenant have nothing, or have run for a [`SLICE`] since the last one.
//! - I/O is polled between slices: the driver yields to tokio's driver whenever [`POLL`] has
//!   been spent since the last poll. Requests that run at once, outside the driver, add to the same
//!   count and stop doing so at [`INLINE`], so a burst cannot hide the sockets either. A thread that had nothing to do but wait
//!   ([`waits_for_io`]) has polled too.
//!
//! **Invariants.** At most one coroutine runs at a time, on the thread that owns the scheduler. A
//! tenant is in the ring exactly once while it has queued work (`in_ring`). A job is in exactly one
//! place: running, `fresh`, its tenant's `current`, `queue` or `apart`, or off. The driver sleeps only when
//! nothing is queued.
//!
//! The scheduler knows nothing of Lua: a [`Job`] is whatever runs for a slice. That is how its tests
//! run it on virtual time.

use crate::manifest::Preempt;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long a slice is meant to take.
pub const SLICE: Duration = Duration::from_millis(1);

/// The fuel of a tenant's first slice: 1 ms at 5 ns a unit.
pub const FIRST_FUEL: u64 = 200_000;

/// The least and the most fuel of a slice: whatever the clock says, a slice gets something done, and
/// one of very cheap instructions is not much longer than the others.
pub const FUEL_RANGE: std::ops::RangeInclusive<u64> = 20_000..=600_000;

/// Processor time a tenant gets in a round.
pub const QUANTUM: Duration = Duration::from_millis(1);

/// I/O is polled when this has passed since the last time. Half a slice: after a whole one, even one
/// that was a little short, the sockets come first.
pub const POLL: Duration = Duration::from_micros(500);

/// How much may run outside the driver between two polls of I/O.
pub const INLINE: Duration = Duration::from_micros(250);

thread_local! {
    /// Counts the times this thread has waited for I/O.
    static WAITS: Cell<u64> = const { Cell::new(0) };
}

/// The worker's thread is going to wait for I/O: what was ready has been polled. For tokio's `on_thread_park`.
pub fn waits_for_io() {
    WAITS.set(WAITS.get() + 1);
}

const QUANTUM_NS: i64 = QUANTUM.as_nanos() as i64;

/// Something that runs in slices.
pub trait Job {
    /// Runs for a slice. Whoever waits for the job's outcome is told by the job.
    fn run(self: Rc<Self>) -> Slice;

    /// Whether it shares nothing with the other jobs of its tenant, and so may run between two slices of one of them.
    fn is_apart(&self) -> bool {
        false
    }
}

/// What a slice was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// What it took.
    pub elapsed: Duration,
    /// Whether there is more to run now; otherwise the job is off: it ended or waits.
    pub preempted: bool,
}

/// An app on this worker, as the scheduler sees it.
pub struct Tenant {
    preempt: Preempt,
    /// Nanoseconds of processor time it may still use in its round; negative is debt.
    balance: Cell<i64>,
    /// The round in which `balance` was last filled up.
    round: Cell<u64>,
    in_ring: Cell<bool>,
    /// Whether it stands at the head of the ring and has had its round's quantum.
    at_head: Cell<bool>,
    /// The coroutines that were preempted and must be the next of this VM (`preempt = "vm"`).
    current: RefCell<VecDeque<Rc<dyn Job>>>,
    queue: RefCell<VecDeque<Rc<dyn Job>>>,
    /// Jobs that share nothing with the others ([`Job::is_apart`]).
    apart: RefCell<VecDeque<Rc<dyn Job>>>,
    /// What the others have used since one of `apart` has run.
    since_apart: Cell<Duration>,
    /// Processor time used since the worker started.
    used: Cell<Duration>,
    fuel: Cell<u64>,
}

impl Tenant {
    /// A tenant with a full balance.
    pub fn new(preempt: Preempt) -> Rc<Tenant> {
        Rc::new(Tenant {
            preempt,
            balance: Cell::new(QUANTUM_NS),
            round: Cell::new(0),
            in_ring: Cell::new(false),
            at_head: Cell::new(false),
            current: RefCell::default(),
            queue: RefCell::default(),
            apart: RefCell::default(),
            since_apart: Cell::default(),
            used: Cell::default(),
            fuel: Cell::new(FIRST_FUEL),
        })
    }

    /// The fuel of its next slice.
    #[inline]
    pub fn fuel(&self) -> u64 {
        self.fuel.get()
    }

    /// Learns from a slice that used up its fuel. A quarter of the difference at a time: now and
    /// then a slice looks long only because the machine had something else to do.
    pub fn used_up(&self, elapsed: Duration) {
        let fuel = self.fuel.get();
        let nanos = elapsed.as_nanos().max(1);
        let ideal = u128::from(fuel) * SLICE.as_nanos() / nanos;
        let ideal = u64::try_from(ideal)
            .unwrap_or(u64::MAX)
            .clamp(*FUEL_RANGE.start(), *FUEL_RANGE.end());
        self.fuel.set(fuel - fuel / 4 + ideal / 4);
    }

    /// Processor time used since the worker started.
    pub fn used(&self) -> Duration {
        self.used.get()
    }

    fn has_work(&self) -> bool {
        [&self.current, &self.queue, &self.apart]
            .iter()
            .any(|jobs| !jobs.borrow().is_empty())
    }

    fn take_work(&self) -> Option<Rc<dyn Job>> {
        let order = match self.since_apart.get() >= SLICE {
            true => [&self.apart, &self.current, &self.queue],
            false => [&self.current, &self.queue, &self.apart],
        };
        order.iter().find_map(|jobs| jobs.borrow_mut().pop_front())
    }

    fn put(&self, job: Rc<dyn Job>) {
        let jobs = if job.is_apart() {
            &self.apart
        } else {
            &self.queue
        };
        jobs.borrow_mut().push_back(job);
    }

    /// Whether a job that has just been woken has to wait, although its tenant could pay for it.
    fn is_behind(&self, job: &dyn Job) -> bool {
        if job.is_apart() {
            let others = !self.current.borrow().is_empty() || !self.queue.borrow().is_empty();
            others && self.since_apart.get() < SLICE
        } else {
            !self.current.borrow().is_empty()
        }
    }

    /// Notes whose turn it was.
    fn has_run(&self, job: &dyn Job, elapsed: Duration) {
        let since = match job.is_apart() {
            true => Duration::ZERO,
            false => self.since_apart.get() + elapsed,
        };
        self.since_apart.set(since);
    }

    /// Fills up the balance for the rounds that have passed; never beyond one quantum.
    fn fill_up(&self, round: u64) {
        let missed = round.saturating_sub(self.round.replace(round)).min(8) as i64;
        self.balance
            .set((self.balance.get() + missed * QUANTUM_NS).min(QUANTUM_NS));
    }

    /// Debt is bounded, so that one long native call is not held against a tenant for ever.
    fn charge(&self, elapsed: Duration) {
        let nanos = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        self.balance.set(
            self.balance
                .get()
                .saturating_sub(nanos)
                .max(-4 * QUANTUM_NS),
        );
        self.used.set(self.used.get() + elapsed);
    }
}

/// Work and whose it is.
type Queued = (Rc<Tenant>, Rc<dyn Job>);

/// The scheduler of one worker.
#[derive(Default)]
pub struct Scheduler {
    fresh: RefCell<VecDeque<Queued>>,
    ring: RefCell<VecDeque<Rc<Tenant>>>,
    round: Cell<u64>,
    /// What has run since I/O was last polled.
    since_poll: Cell<Duration>,
    slices: Cell<u64>,
    /// [`WAITS`] when that was last looked at.
    waits: Cell<u64>,
    driver: RefCell<Option<Waker>>,
}

impl Scheduler {
    /// A scheduler with nothing to do. Somebody must run [`Scheduler::drive`].
    pub fn new() -> Rc<Scheduler> {
        Rc::default()
    }

    /// Whether a fresh coroutine of `tenant` may run here and now. Whoever is told yes runs one slice
    /// and reports it with [`Scheduler::settle`].
    #[inline]
    pub fn may_run_now(&self, tenant: &Tenant) -> bool {
        let waits = WAITS.get();
        if self.waits.replace(waits) != waits {
            self.since_poll.set(Duration::ZERO);
        }
        self.since_poll.get() < INLINE
            && !tenant.in_ring.get()
            && self.ring.borrow().is_empty()
            && self.fresh.borrow().is_empty()
    }

    /// Accounts for a slice that ran outside the driver.
    #[inline]
    pub fn settle(&self, tenant: &Tenant, elapsed: Duration) {
        tenant.charge(elapsed);
        tenant.since_apart.set(tenant.since_apart.get() + elapsed);
        self.count(elapsed);
        if self.since_poll.get() >= INLINE {
            self.wake_driver();
        }
    }

    /// Queues a coroutine that has just arrived or whose wait is over.
    pub fn wake(&self, tenant: &Rc<Tenant>, job: Rc<dyn Job>) {
        self.fresh.borrow_mut().push_back((tenant.clone(), job));
        self.wake_driver();
    }

    /// Queues a coroutine whose slice was used up.
    pub fn preempted(&self, tenant: &Rc<Tenant>, job: Rc<dyn Job>) {
        match tenant.preempt {
            Preempt::Vm if !job.is_apart() => tenant.current.borrow_mut().push_back(job),
            _ => tenant.put(job),
        }
        self.enter_ring(tenant);
        self.wake_driver();
    }

    /// Queues work that has used its turn and has more to do, behind what else its tenant has.
    pub fn take_turns(&self, tenant: &Rc<Tenant>, job: Rc<dyn Job>) {
        tenant.put(job);
        self.enter_ring(tenant);
        self.wake_driver();
    }

    /// How many slices there have been.
    pub fn slices(&self) -> u64 {
        self.slices.get()
    }

    fn enter_ring(&self, tenant: &Rc<Tenant>) {
        if !tenant.in_ring.replace(true) {
            tenant.at_head.set(false);
            self.ring.borrow_mut().push_back(tenant.clone());
        }
    }

    #[inline]
    fn wake_driver(&self) {
        if let Some(waker) = self.driver.borrow_mut().take() {
            waker.wake();
        }
    }

    fn is_idle(&self) -> bool {
        self.fresh.borrow().is_empty() && self.ring.borrow().is_empty()
    }

    /// Runs the worker's coroutines, for ever. Spawn it once on the worker's runtime.
    pub async fn drive(self: Rc<Self>) {
        loop {
            poll_fn(|cx| {
                if !self.is_idle() || self.since_poll.get() >= INLINE {
                    return Poll::Ready(());
                }
                *self.driver.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            while self.since_poll.get() < POLL && self.step() {}
            // tokio wakes what has yielded only after it has polled I/O and timers.
            tokio::task::yield_now().await;
            self.since_poll.set(Duration::ZERO);
        }
    }

    /// Runs one slice of whoever is next; false if there is nobody.
    pub fn step(&self) -> bool {
        let Some((tenant, job)) = self.next_fresh().or_else(|| self.next_in_ring()) else {
            return false;
        };
        let slice = job.clone().run();
        tenant.charge(slice.elapsed);
        tenant.has_run(&*job, slice.elapsed);
        self.count(slice.elapsed);
        if slice.preempted {
            self.preempted(&tenant, job);
        }
        self.leave_head(&tenant);
        true
    }

    fn count(&self, elapsed: Duration) {
        self.since_poll.set(self.since_poll.get() + elapsed);
        self.slices.set(self.slices.get() + 1);
    }

    /// A fresh coroutine whose tenant can pay; the others are sent to their tenant's queue.
    fn next_fresh(&self) -> Option<Queued> {
        loop {
            let (tenant, job) = self.fresh.borrow_mut().pop_front()?;
            tenant.fill_up(self.round.get());
            if tenant.balance.get() > 0 && !tenant.is_behind(&*job) {
                return Some((tenant, job));
            }
            tenant.put(job);
            self.enter_ring(&tenant);
        }
    }

    /// The next job of the first tenant of the ring that can pay.
    fn next_in_ring(&self) -> Option<Queued> {
        loop {
            let tenant = self.ring.borrow().front().cloned()?;
            if !tenant.at_head.replace(true) {
                if tenant.round.get() == self.round.get() {
                    self.round.set(self.round.get() + 1);
                }
                tenant.fill_up(self.round.get());
            }
            if tenant.balance.get() > 0
                && let Some(job) = tenant.take_work()
            {
                return Some((tenant, job));
            }
            self.leave_head(&tenant);
        }
    }

    /// After a slice: a tenant without work leaves the ring, one that has used its quantum goes to
    /// the back.
    fn leave_head(&self, tenant: &Rc<Tenant>) {
        if !tenant.at_head.get() {
            return;
        }
        let mut ring = self.ring.borrow_mut();
        debug_assert!(ring.front().is_some_and(|head| Rc::ptr_eq(head, tenant)));
        if !tenant.has_work() {
            ring.pop_front();
            tenant.in_ring.set(false);
            tenant.at_head.set(false);
        } else if tenant.balance.get() <= 0 {
            ring.rotate_left(1);
            tenant.at_head.set(false);
        }
    }
}

#[cfg(test)]
mod tests;
