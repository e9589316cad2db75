//! Turns: the scheduler's job that runs the tasks of a VM.
//!
//! One job stands for all tasks of the VM that have something to run, so that a wake is a number in a queue. It gives each of them a turn
//! of at most [`TURN_FUEL`] until its own slice is used up, and then queues itself again. It stands apart from what else the app has to
//! run: tasks share nothing with it, so a request that is long between two waits does not stop them, nor they requests.
//!
//! **Invariants.** A task runs only in its turn ([`Tasks::turn`]). What it used is counted as time, by the rate at which the app's
//! slices use fuel; one that has used more than its budget in a minute, or is to be killed, is terminated before its next turn.

use super::slab::{State, Tid};
use super::{Ending, Tasks};
use crate::coroutine::{CLOSING_FUEL, Failure};
use crate::scheduler::{Job, SLICE, Slice};
use crate::units::show_duration;
use crate::vm::AppVm;
use rille_lua::{HostFuture, Outcome, StopReason, Thread, Turn};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Fuel of a turn: a fifth of what a slice has.
pub const TURN_FUEL: u64 = 40_000;
/// What a turn costs besides what it runs.
const TURN_COST: u64 = 10;
/// Lines about tasks that crashed, in a second.
const CRASH_LINES: u32 = 100;
/// Bytes of a reason.
const MAX_REASON: usize = 1024;
const MINUTE: u64 = 60_000_000_000;

pub(super) struct Runner(pub Weak<Tasks>);

impl Job for Runner {
    fn run(self: Rc<Self>) -> Slice {
        let start = Instant::now();
        if let Some(tasks) = self.0.upgrade()
            && let Some(vm) = tasks.vm()
        {
            tasks.run_some(&vm, start);
        }
        Slice {
            elapsed: start.elapsed(),
            preempted: false,
        }
    }

    fn is_apart(&self) -> bool {
        true
    }
}

impl Tasks {
    /// Puts a task that is not in the queue there.
    #[inline]
    pub(super) fn make_ready(&self, slot: u32) {
        self.slab.borrow_mut().get_mut(slot).state = State::Ready;
        self.ready.borrow_mut().push_back(slot);
        if !self.is_queued.replace(true) {
            self.queue_runner();
        }
    }

    fn queue_runner(&self) {
        let home = self.home.borrow();
        if let (Some(vm), Some(runner)) = (home.vm.upgrade(), &home.runner) {
            vm.scheduler().wake(vm.tenant(), runner.clone());
        }
    }

    fn run_some(self: &Rc<Self>, vm: &Rc<AppVm>, start: Instant) {
        let context = self.home.borrow().context.clone();
        let _current = vm.enter(context);
        let budget = vm.tenant().fuel();
        let rate = SLICE.as_nanos() as u64 * 1024 / budget.max(1);
        let minute = (self.clock.now() / MINUTE) as u32;
        let mut used = 0;
        while used < budget {
            let Some(slot) = self.ready.borrow_mut().pop_front() else {
                break;
            };
            let fuel = self.turn(vm, slot) + TURN_COST;
            used += fuel;
            self.spend(slot, fuel * rate / 1024, minute);
        }
        if used >= budget {
            vm.tenant().used_up(start.elapsed());
        }
        if self.ready.borrow().is_empty() {
            self.is_queued.set(false);
        } else if let Some(runner) = &self.home.borrow().runner {
            vm.scheduler().take_turns(vm.tenant(), runner.clone());
        }
    }

    /// Notes what a task used. Over its budget, it is not going to have another turn.
    fn spend(&self, slot: u32, nanos: u64, minute: u32) {
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        if task.state == State::Free {
            return;
        }
        if task.minute != minute {
            task.minute = minute;
            task.cpu = 0;
        }
        task.cpu += nanos;
        if let Some(context) = task.extra.as_ref().and_then(|extra| extra.context.as_ref()) {
            let cpu = &context.cpu;
            cpu.set(cpu.get() + Duration::from_nanos(nanos));
        }
        if task.cpu < self.limits.cpu_per_minute {
            return;
        }
        task.killed = true;
        task.extra().reason.get_or_insert_with(|| {
            let limit = Duration::from_nanos(self.limits.cpu_per_minute);
            format!("cpu limit of {} a minute", show_duration(limit))
        });
        let is_queued = task.state == State::Ready;
        drop(slab);
        if !is_queued {
            self.make_ready(slot);
        }
    }

    /// Gives a task its turn; the fuel that it used.
    fn turn(self: &Rc<Self>, vm: &Rc<AppVm>, slot: u32) -> u64 {
        let (killed, has_result) = {
            let mut slab = self.slab.borrow_mut();
            let task = slab.get_mut(slot);
            task.state = State::Running;
            (task.killed, std::mem::take(&mut task.has_result))
        };
        if killed {
            self.terminate(vm, slot);
            return CLOSING_FUEL / 100;
        }
        let before = self.running.replace(Some(slot));
        let (turn, used) = match has_result {
            false => vm.lua().turn(&self.threads, i64::from(slot) + 1, TURN_FUEL),
            true => self.turn_with_result(vm, slot),
        };
        self.running.set(before);
        match turn {
            // The native that parked it has said what it waits for.
            Turn::Parked => self.see_to_killed(slot),
            Turn::Preempted => self.make_ready(slot),
            Turn::Other(outcome) => self.outcome(vm, slot, outcome),
        }
        used
    }

    /// A task that was killed during its turn does not wait.
    #[inline]
    fn see_to_killed(&self, slot: u32) {
        let is_killed = self.slab.borrow().get(slot).killed;
        if is_killed {
            self.make_ready(slot);
        }
    }

    #[cold]
    fn turn_with_result(&self, vm: &AppVm, slot: u32) -> (Turn, u64) {
        let result = {
            let mut slab = self.slab.borrow_mut();
            let extra = slab.get_mut(slot).extra();
            extra.waits = None;
            extra.result.take()
        };
        match (self.thread(slot), result) {
            (Some(thread), Some(result)) => vm.lua().turn_with(&thread, result, TURN_FUEL),
            _ => {
                let error = rille_lua::Error::runtime("a task waited for nothing");
                (Turn::Other(Outcome::Error(error)), 0)
            }
        }
    }

    fn thread(&self, slot: u32) -> Option<Thread> {
        self.threads.raw_get(i64::from(slot) + 1).ok()
    }

    fn outcome(self: &Rc<Self>, vm: &Rc<AppVm>, slot: u32, outcome: Outcome) {
        match outcome {
            Outcome::Done(_) => self.finish(vm, slot, &Ending::normal()),
            Outcome::Error(error) => self.crash(vm, slot, &vm.failure(&error)),
            // A yield outside of any coroutine of the task's own gives the others a turn.
            Outcome::Yielded(_) | Outcome::Preempted => self.make_ready(slot),
            Outcome::Pending(future) => {
                self.wait_for(slot, future);
                self.see_to_killed(slot);
            }
            Outcome::Terminated(reason) => {
                let ending = Ending::abnormal(format!("stopped: {reason}"));
                self.log_end(vm, slot, &ending.reason);
                self.finish(vm, slot, &ending);
            }
        }
    }

    fn crash(self: &Rc<Self>, vm: &Rc<AppVm>, slot: u32, failure: &Failure) {
        self.log_end(vm, slot, &failure.with_traceback());
        let mut reason = failure.to_string();
        if reason.len() > MAX_REASON {
            let end = (0..=MAX_REASON)
                .rev()
                .find(|at| reason.is_char_boundary(*at));
            reason.truncate(end.unwrap_or(0));
        }
        self.finish(vm, slot, &Ending::abnormal(reason));
    }

    fn log_end(&self, vm: &AppVm, slot: u32, why: &str) {
        let (slab, entries) = (self.slab.borrow(), self.entries.borrow());
        let name = entries.name(slab.get(slot).name);
        let tid = slab.tid(slot);
        drop((slab, entries));
        let second = self.clock.now() / 1_000_000_000;
        let (since, count) = self.crashes.get();
        let count = if since == second { count } else { 0 };
        self.crashes.set((second, count.saturating_add(1)));
        if count == CRASH_LINES {
            vm.log()
                .server("further tasks that crash in this second are left out");
        }
        if count >= CRASH_LINES {
            return;
        }
        vm.log()
            .server(format_args!("task {name} ({tid}) crashed: {why}"));
    }

    /// The task waits for a future of the host's.
    fn wait_for(self: &Rc<Self>, slot: u32, future: HostFuture) {
        let (tasks, tid) = (Rc::downgrade(self), self.slab.borrow().tid(slot));
        let waits = tokio::task::spawn_local(async move {
            let result = future.await;
            let Some(tasks) = tasks.upgrade() else { return };
            let Some(slot) = tasks.find(tid) else { return };
            let mut slab = tasks.slab.borrow_mut();
            let task = slab.get_mut(slot);
            if task.state != State::Waiting {
                return;
            }
            task.has_result = true;
            task.extra().result = Some(result);
            drop(slab);
            tasks.make_ready(slot);
        });
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        task.state = State::Waiting;
        task.extra().waits = Some(waits.abort_handle());
    }

    /// Ends a task of this VM where it is, at its next turn. False: there is none.
    pub(super) fn kill_here(&self, tid: Tid, reason: &str) -> bool {
        let Some(slot) = self.find(tid) else {
            return false;
        };
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        if task.state == State::Guest {
            return false;
        }
        if !std::mem::replace(&mut task.killed, true) {
            task.extra().reason = Some(reason.to_owned());
        }
        let is_parked = !matches!(task.state, State::Ready | State::Running);
        drop(slab);
        if is_parked {
            self.make_ready(slot);
        }
        true
    }

    /// Whether the task whose turn it is has been killed: the native is to pause for good.
    pub fn is_dying(&self) -> bool {
        let slab = self.slab.borrow();
        (self.running.get()).is_some_and(|slot| slab.get(slot).killed)
    }

    /// Ends a task that was killed: its pending `<close>` variables are closed.
    fn terminate(self: &Rc<Self>, vm: &Rc<AppVm>, slot: u32) {
        let reason = (self.slab.borrow_mut().get_mut(slot).extra().reason.take())
            .unwrap_or_else(|| "killed".into());
        if let Some(thread) = self.thread(slot) {
            let at = thread.current_line();
            let before = self.running.replace(Some(slot));
            thread.terminate(StopReason::Killed, CLOSING_FUEL);
            self.running.set(before);
            if reason.starts_with("cpu limit") {
                let at = crate::coroutine::Position(at);
                self.log_end(vm, slot, &format!("{at}: stopped: {reason} reached"));
            }
        }
        self.finish(vm, slot, &Ending::abnormal(reason));
    }

    /// A task has ended: everything of it goes, and whoever wants to know is told.
    fn finish(self: &Rc<Self>, vm: &Rc<AppVm>, slot: u32, ending: &Ending) {
        self.clear_deadline(slot);
        let (tid, extra) = {
            let mut slab = self.slab.borrow_mut();
            let tid = slab.tid(slot);
            (tid, slab.get_mut(slot).extra.take())
        };
        let at = i64::from(slot) + 1;
        // The places are there, so this cannot fail.
        for table in [&self.threads, &self.boxes] {
            let _ = table.raw_set(at, false);
        }
        let _ = self
            .modules
            .raw_set(tid.to_integer(), rille_lua::Value::Nil);
        self.slab.borrow_mut().remove(slot);
        self.end_connection(tid);
        let Some(extra) = extra else { return };
        let extra = *extra;
        if let Some(future) = extra.waits {
            future.abort();
        }
        if let Some(context) = extra.context {
            context.end();
        }
        self.untie(tid, extra.ties, ending);
        if let Some(child) = extra.child {
            self.child_ended(vm, child, tid, ending);
        }
    }
}
