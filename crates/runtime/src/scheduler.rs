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
//! - I/O is polled between slices: the driver yields to tokio's driver whenever [`POLL`] has
//!   been spent since the last poll. Requests that run at once, outside the driver, add to the same
//!   count and stop doing so at [`INLINE`], so a burst cannot hide the sockets either. A thread that had nothing to do but wait
//!   ([`waits_for_io`]) has polled too.
//!
//! **Invariants.** At most one coroutine runs at a time, on the thread that owns the scheduler. A
//! tenant is in the ring exactly once while it has queued work (`in_ring`). A job is in exactly one
//! place: running, `fresh`, its tenant's `current` or `queue`, or off. The driver sleeps only when
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
        !self.current.borrow().is_empty() || !self.queue.borrow().is_empty()
    }

    fn take_work(&self) -> Option<Rc<dyn Job>> {
        self.current
            .borrow_mut()
            .pop_front()
            .or_else(|| self.queue.borrow_mut().pop_front())
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
        self.since_poll.set(self.since_poll.get() + elapsed);
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
            Preempt::Vm => tenant.current.borrow_mut().push_back(job),
            Preempt::Coroutine => tenant.queue.borrow_mut().push_back(job),
        }
        self.enter_ring(tenant);
        self.wake_driver();
    }

    /// Queues work that has used its turn and has more to do, behind what else its tenant has.
    pub fn take_turns(&self, tenant: &Rc<Tenant>, job: Rc<dyn Job>) {
        tenant.queue.borrow_mut().push_back(job);
        self.enter_ring(tenant);
        self.wake_driver();
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
        self.since_poll.set(self.since_poll.get() + slice.elapsed);
        if slice.preempted {
            self.preempted(&tenant, job);
        }
        self.leave_head(&tenant);
        true
    }

    /// A fresh coroutine whose tenant can pay; the others are sent to their tenant's queue.
    fn next_fresh(&self) -> Option<Queued> {
        loop {
            let (tenant, job) = self.fresh.borrow_mut().pop_front()?;
            tenant.fill_up(self.round.get());
            let blocked = !tenant.current.borrow().is_empty();
            if !blocked && tenant.balance.get() > 0 {
                return Some((tenant, job));
            }
            tenant.queue.borrow_mut().push_back(job);
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
mod tests {
    use super::*;
    use std::cell::RefCell;

    type Trace = Rc<RefCell<Vec<&'static str>>>;

    /// Runs `left` slices of `each`, noting its name each time.
    struct Fake {
        name: &'static str,
        each: Duration,
        left: Cell<u32>,
        trace: Trace,
    }

    impl Job for Fake {
        fn run(self: Rc<Self>) -> Slice {
            self.trace.borrow_mut().push(self.name);
            self.left.set(self.left.get() - 1);
            Slice {
                elapsed: self.each,
                preempted: self.left.get() > 0,
            }
        }
    }

    fn job(trace: &Trace, name: &'static str, slices: u32, each: Duration) -> Rc<dyn Job> {
        Rc::new(Fake {
            name,
            each,
            left: Cell::new(slices),
            trace: trace.clone(),
        })
    }

    const MS: Duration = Duration::from_millis(1);
    const US: Duration = Duration::from_micros(10);

    fn steps(scheduler: &Scheduler, most: usize) -> usize {
        (0..most).take_while(|_| scheduler.step()).count()
    }

    #[test]
    fn busy_tenants_take_turns_whatever_they_have_queued() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let (a, b) = (Tenant::new(Preempt::Vm), Tenant::new(Preempt::Vm));
        for _ in 0..20 {
            scheduler.wake(&a, job(&trace, "a", 50, MS));
        }
        scheduler.wake(&b, job(&trace, "b", 50, MS));
        steps(&scheduler, 60);
        let share = trace.borrow().iter().filter(|name| **name == "b").count();
        assert!((28..=31).contains(&share), "b ran {share} of 60 slices");
    }

    #[test]
    fn a_fresh_wake_passes_a_busy_tenant_and_its_queue() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let (busy, quick) = (Tenant::new(Preempt::Vm), Tenant::new(Preempt::Vm));
        scheduler.wake(&busy, job(&trace, "busy", 1000, MS));
        steps(&scheduler, 5);
        for _ in 0..50 {
            trace.borrow_mut().clear();
            scheduler.wake(&quick, job(&trace, "quick", 1, US));
            steps(&scheduler, 1);
            assert_eq!(*trace.borrow(), ["quick"]);
            steps(&scheduler, 1);
        }
    }

    #[test]
    fn a_flood_of_fresh_wakes_pays_for_its_privilege() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let (busy, flood) = (Tenant::new(Preempt::Vm), Tenant::new(Preempt::Vm));
        scheduler.wake(&busy, job(&trace, "busy", 100_000, MS));
        for _ in 0..10_000 {
            scheduler.wake(&flood, job(&trace, "flood", 1, MS / 10));
        }
        steps(&scheduler, 1100);
        let (a, b) = (busy.used().as_millis(), flood.used().as_millis());
        assert!(a.abs_diff(b) <= 5, "busy {a} ms, flood {b} ms");
    }

    #[test]
    fn in_vm_mode_nothing_of_the_vm_runs_between_the_slices_of_one() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let tenant = Tenant::new(Preempt::Vm);
        scheduler.wake(&tenant, job(&trace, "first", 3, MS));
        scheduler.wake(&tenant, job(&trace, "second", 2, MS));
        assert_eq!(steps(&scheduler, 99), 5);
        assert_eq!(
            *trace.borrow(),
            ["first", "first", "first", "second", "second"]
        );
        assert!(!scheduler.step());
    }

    #[test]
    fn in_coroutine_mode_they_take_turns() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let tenant = Tenant::new(Preempt::Coroutine);
        scheduler.wake(&tenant, job(&trace, "a", 3, MS));
        scheduler.wake(&tenant, job(&trace, "b", 3, MS));
        steps(&scheduler, 99);
        // b is woken first-come behind a, then they alternate until a is done.
        assert_eq!(*trace.borrow(), ["a", "a", "b", "a", "b", "b"]);
    }

    #[test]
    fn running_at_once_ends_when_io_is_due_or_others_wait() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let (a, b) = (Tenant::new(Preempt::Vm), Tenant::new(Preempt::Vm));
        assert!(scheduler.may_run_now(&a));
        scheduler.settle(&a, INLINE / 2);
        assert!(scheduler.may_run_now(&a));
        scheduler.settle(&a, INLINE / 2);
        assert!(!scheduler.may_run_now(&a));
        // Who waits for I/O has polled it.
        waits_for_io();
        assert!(scheduler.may_run_now(&a));
        scheduler.settle(&a, INLINE);
        assert!(!scheduler.may_run_now(&a));
        let scheduler = Scheduler::new();
        scheduler.preempted(&b, job(&trace, "b", 1, MS));
        assert!(!scheduler.may_run_now(&a));
    }

    #[test]
    fn fuel_follows_the_clock_within_its_range() {
        let tenant = Tenant::new(Preempt::Vm);
        for _ in 0..50 {
            // 20 ns a unit.
            tenant.used_up(Duration::from_nanos(tenant.fuel() * 20));
        }
        assert!(
            (48_000..52_000).contains(&tenant.fuel()),
            "{}",
            tenant.fuel()
        );
        for elapsed in [Duration::ZERO, Duration::from_secs(3600)] {
            for _ in 0..50 {
                tenant.used_up(elapsed);
            }
            assert!(FUEL_RANGE.contains(&tenant.fuel()), "{}", tenant.fuel());
        }
    }

    #[test]
    fn debt_after_a_long_slice_is_bounded() {
        let (scheduler, trace) = (Scheduler::new(), Trace::default());
        let (slow, other) = (Tenant::new(Preempt::Vm), Tenant::new(Preempt::Vm));
        scheduler.wake(&slow, job(&trace, "slow", 2, Duration::from_secs(3600)));
        scheduler.wake(&other, job(&trace, "other", 100, MS));
        steps(&scheduler, 12);
        assert_eq!(
            trace
                .borrow()
                .iter()
                .filter(|name| **name == "slow")
                .count(),
            2
        );
    }

    #[test]
    fn the_driver_polls_io_between_slices() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(async {
            let (scheduler, trace) = (Scheduler::new(), Trace::default());
            let tenant = Tenant::new(Preempt::Vm);
            tokio::task::spawn_local(scheduler.clone().drive());
            scheduler.wake(&tenant, job(&trace, "busy", u32::MAX, MS));
            // A timer fires although the tenant is never done: the driver lets tokio run.
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(trace.borrow().len() > 10);
        });
    }
}
