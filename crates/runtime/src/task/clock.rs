//! When tasks that wait are to go on: one timer for all of them.
//!
//! **Invariants.** A task's deadline is in the set exactly while the task has it in its record. The timer sleeps until the first
//! one at most; it is there once a deadline has been set.

use super::{State, Tasks};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The longest wait.
pub const MAX_WAIT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Deadlines that are dealt with in one go.
const PIECE: usize = 10_000;

pub(super) struct Clock {
    /// What nanoseconds are counted from.
    start: Instant,
    /// In tests: the time, instead of the system's.
    pub now: Cell<Option<u64>>,
    deadlines: RefCell<BTreeSet<(u64, u32)>>,
    /// What the timer sleeps until.
    armed: Cell<u64>,
    /// Tells the timer that there is an earlier one; `None`: there is no timer.
    earlier: RefCell<Option<Rc<Notify>>>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            start: Instant::now(),
            now: Cell::new(None),
            deadlines: RefCell::default(),
            armed: Cell::new(u64::MAX),
            earlier: RefCell::default(),
        }
    }
}

impl Clock {
    /// Nanoseconds; never 0.
    pub fn now(&self) -> u64 {
        (self.now.get()).unwrap_or_else(|| self.start.elapsed().as_nanos() as u64 + 1)
    }

    pub fn remove(&self, slot: u32, deadline: u64) {
        self.deadlines.borrow_mut().remove(&(deadline, slot));
    }

    fn first(&self) -> Option<u64> {
        self.deadlines.borrow().first().map(|(at, _)| *at)
    }

    /// Ends the timer.
    pub fn stop(&self) {
        self.deadlines.borrow_mut().clear();
        if let Some(earlier) = self.earlier.borrow_mut().take() {
            earlier.notify_one();
        }
    }
}

impl Tasks {
    /// The task is to go on after so long at the latest.
    pub(super) fn set_deadline(self: &Rc<Self>, slot: u32, after: Duration) {
        let after = after.min(MAX_WAIT).as_nanos() as u64;
        let deadline = self.clock.now() + after;
        self.slab.borrow_mut().get_mut(slot).deadline = deadline;
        self.clock.deadlines.borrow_mut().insert((deadline, slot));
        if deadline < self.clock.armed.get() {
            self.arm(deadline);
        }
    }

    fn arm(self: &Rc<Self>, deadline: u64) {
        if self.clock.now.get().is_some() {
            return;
        }
        self.clock.armed.set(deadline);
        let mut earlier = self.clock.earlier.borrow_mut();
        match &*earlier {
            Some(earlier) => earlier.notify_one(),
            None => {
                let notify: Rc<Notify> = Rc::default();
                *earlier = Some(notify.clone());
                tokio::task::spawn_local(keep_time(Rc::downgrade(self), notify));
            }
        }
    }

    pub(super) fn clear_deadline(&self, slot: u32) {
        let mut slab = self.slab.borrow_mut();
        let deadline = std::mem::take(&mut slab.get_mut(slot).deadline);
        if deadline != 0 {
            self.clock.remove(slot, deadline);
        }
    }

    /// Wakes those whose deadline has passed, up to a number; true if that was all.
    pub(super) fn wake_late(self: &Rc<Self>) -> bool {
        let now = self.clock.now();
        for _ in 0..PIECE {
            let slot = {
                let mut deadlines = self.clock.deadlines.borrow_mut();
                match deadlines.first() {
                    Some((at, slot)) if *at <= now => {
                        let slot = *slot;
                        deadlines.pop_first();
                        slot
                    }
                    _ => return true,
                }
            };
            let mut slab = self.slab.borrow_mut();
            let task = slab.get_mut(slot);
            task.deadline = 0;
            task.is_late = true;
            let is_parked = matches!(task.state, State::Receiving | State::Sleeping);
            drop(slab);
            if is_parked {
                self.make_ready(slot);
            }
        }
        false
    }
}

/// The timer.
async fn keep_time(tasks: std::rc::Weak<Tasks>, earlier: Rc<Notify>) {
    loop {
        let until = {
            let Some(tasks) = tasks.upgrade() else { return };
            if tasks.clock.earlier.borrow().is_none() {
                return;
            }
            let until = match tasks.wake_late() {
                true => tasks.clock.first(),
                false => Some(0),
            };
            tasks.clock.armed.set(until.unwrap_or(u64::MAX));
            until.map(|until| tasks.clock.start + Duration::from_nanos(until))
        };
        match until {
            None => earlier.notified().await,
            Some(until) if until <= Instant::now() => tokio::task::yield_now().await,
            Some(until) => tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = earlier.notified() => {}
            },
        }
    }
}
