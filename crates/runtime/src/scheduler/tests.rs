//! The scheduler on virtual time: jobs that say what they took.

use super::*;
use std::cell::RefCell;

type Trace = Rc<RefCell<Vec<&'static str>>>;

/// Runs `left` slices of `each`, noting its name each time.
struct Fake {
    apart: bool,
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

    fn is_apart(&self) -> bool {
        self.apart
    }
}

fn job(trace: &Trace, name: &'static str, slices: u32, each: Duration) -> Rc<dyn Job> {
    Rc::new(Fake {
        apart: false,
        name,
        each,
        left: Cell::new(slices),
        trace: trace.clone(),
    })
}

/// As what runs the tasks of an app: it has no end.
fn tasks(trace: &Trace) -> Rc<dyn Job> {
    Rc::new(Fake {
        apart: true,
        name: "tasks",
        each: MS,
        left: Cell::new(u32::MAX),
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
fn tasks_run_between_the_slices_of_a_request() {
    let (scheduler, trace) = (Scheduler::new(), Trace::default());
    let tenant = Tenant::new(Preempt::Vm);
    scheduler.take_turns(&tenant, tasks(&trace));
    scheduler.wake(&tenant, job(&trace, "first", 4, MS));
    scheduler.wake(&tenant, job(&trace, "second", 4, MS));
    steps(&scheduler, 16);
    let trace = trace.borrow();
    let requests: Vec<_> = trace.iter().filter(|name| **name != "tasks").collect();
    assert_eq!(requests[..4], [&"first"; 4]);
    assert_eq!(requests[4..], [&"second"; 4]);
    // Each a slice in turn.
    assert!(
        trace.windows(3).all(|three| three.contains(&"tasks")),
        "{trace:?}"
    );
}

#[test]
fn what_wants_little_does_not_wait_for_tasks_and_does_not_stop_them() {
    let (scheduler, trace) = (Scheduler::new(), Trace::default());
    let tenant = Tenant::new(Preempt::Vm);
    scheduler.take_turns(&tenant, tasks(&trace));
    steps(&scheduler, 3);
    // A request that arrives after any slice is the next but one at the latest.
    for _ in 0..50 {
        trace.borrow_mut().clear();
        scheduler.wake(&tenant, job(&trace, "quick", 1, US));
        steps(&scheduler, 2);
        assert!(trace.borrow().contains(&"quick"), "{:?}", trace.borrow());
    }
    // A thousand of them need ten slices in all; tasks have their half.
    for _ in 0..1000 {
        scheduler.wake(&tenant, job(&trace, "quick", 1, US));
    }
    trace.borrow_mut().clear();
    steps(&scheduler, 1009);
    let turns = trace
        .borrow()
        .iter()
        .filter(|name| **name == "tasks")
        .count();
    assert!((8..=10).contains(&turns), "{turns}");
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
