//! Time limits of what waits: most waits end long before, so what counts is what it costs to begin one and to give it up.
//!
//! ```text
//!   Alarm::poll_at --first--> set --its time comes--> rung: who waits is woken, and the next poll is ready
//!                              +--dropped--> gone
//! ```
//!
//! A worker's alarms are entries of one list without order, and one task, the keeper, sleeps until the earliest of them. Setting one is a store, and a
//! wake of the keeper only if nobody's time comes earlier; dropping one is a store. When the keeper has slept it looks through the list, not more often
//! than that is worth ([`grain`]): an alarm is late by at most a millisecond, and by a tenth of a microsecond for each alarm that is set.
//! (A timer of tokio's own costs some 800 instructions, in a wheel behind a lock, and 130 bytes.)
//!
//! **Invariants.** An entry belongs to one [`Alarm`] until that is dropped. No waker is dropped or woken while the list is in use. While any alarm is set the keeper runs, and `next` is not later than the
//! earliest of them, but for the grain. An alarm never rings before its time. It stays on its thread, in a local runtime.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// The time of something that waits. It costs nothing before it is first polled.
#[derive(Default)]
pub struct Alarm {
    slot: Option<u32>,
    here: PhantomData<Rc<()>>,
}

/// An entry of the list.
enum Entry {
    /// Nobody's; the next of those that are free.
    Free(Option<u32>),
    Set(Instant, Waker),
    Rung,
}

/// The alarms of a thread.
#[derive(Default)]
struct Alarms {
    entries: Vec<Entry>,
    free: Option<u32>,
    count: usize,
    /// When the keeper wakes; `None`: when it is told to.
    next: Option<Instant>,
    keeper: Option<Waker>,
}

thread_local! {
    static ALARMS: RefCell<Alarms> = RefCell::default();
    /// Whether there is a keeper.
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
}

impl Alarm {
    /// One that is not set.
    pub fn new() -> Alarm {
        Alarm::default()
    }

    /// Ready once `at` has come; until then who polls is going to be woken. Later polls are for the time of the first.
    pub fn poll_at(&mut self, at: Instant, cx: &Context<'_>) -> Poll<()> {
        match self.slot {
            Some(slot) => poll_slot(slot, cx),
            None => {
                self.set(at, cx);
                Poll::Pending
            }
        }
    }

    fn set(&mut self, at: Instant, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let set = ALARMS.try_with(|alarms| {
            let mut alarms = alarms.borrow_mut();
            (alarms.add(Entry::Set(at, waker)), alarms.hurry(at))
        });
        // At the end of the thread nothing waits any more.
        let Ok((slot, keeper)) = set else { return };
        self.slot = slot;
        if let Some(keeper) = keeper {
            keeper.wake();
        }
        if !IS_KEPT.get() {
            tokio::task::spawn_local(keep(Kept::begin()));
        }
    }

    /// Forgets its time: the next poll sets another one.
    pub fn reset(&mut self) {
        if let Some(slot) = self.slot.take() {
            let gone = ALARMS.try_with(|alarms| alarms.borrow_mut().remove(slot));
            drop(gone);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.reset();
    }
}

impl Alarms {
    fn entry(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)
    }

    /// The place of a new entry. (`None` beyond four thousand million of them: it never rings.)
    fn add(&mut self, entry: Entry) -> Option<u32> {
        let slot = match self.free {
            Some(slot) => slot,
            None => {
                self.entries.push(Entry::Free(None));
                u32::try_from(self.entries.len() - 1).ok()?
            }
        };
        let place = self.entries.get_mut(slot as usize)?;
        if let Entry::Free(next) = std::mem::replace(place, entry) {
            self.free = next;
        }
        self.count += 1;
        Some(slot)
    }

    /// Takes an entry away; it is to be dropped when the list is not in use.
    fn remove(&mut self, slot: u32) -> Option<Entry> {
        let free = Entry::Free(self.free);
        let entry = std::mem::replace(self.entries.get_mut(slot as usize)?, free);
        self.free = Some(slot);
        self.count -= 1;
        if self.count == 0 {
            // What many have used is not kept.
            self.entries.clear();
            self.entries.shrink_to(64);
            self.free = None;
        }
        Some(entry)
    }

    /// Sees to it that the keeper does not sleep beyond `at`: who is to be woken for that.
    fn hurry(&mut self, at: Instant) -> Option<Waker> {
        if self.next.is_some_and(|next| next <= at) {
            return None;
        }
        self.next = Some(at);
        self.keeper.take()
    }

    /// The alarms whose time has come ring: who is to be woken. `next` is that of the others.
    fn ring(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        let mut next: Option<Instant> = None;
        for entry in &mut self.entries {
            match entry {
                Entry::Set(at, _) if *at <= now => {
                    if let Entry::Set(_, waker) = std::mem::replace(entry, Entry::Rung) {
                        due.push(waker);
                    }
                }
                Entry::Set(at, _) => next = Some(next.map_or(*at, |next| next.min(*at))),
                Entry::Free(_) | Entry::Rung => {}
            }
        }
        let grain = grain(self.entries.len());
        self.next = next.map(|next| next.max(now + grain));
        due
    }
}

/// Ready if the alarm has rung; else it is going to wake who polls now.
fn poll_slot(slot: u32, cx: &Context<'_>) -> Poll<()> {
    let polled = ALARMS.try_with(|alarms| match alarms.borrow_mut().entry(slot) {
        Some(Entry::Set(_, waker)) if waker.will_wake(cx.waker()) => (Poll::Pending, None),
        Some(Entry::Set(_, waker)) => {
            let former = std::mem::replace(waker, cx.waker().clone());
            (Poll::Pending, Some(former))
        }
        Some(Entry::Rung) => (Poll::Ready(()), None),
        Some(Entry::Free(_)) | None => (Poll::Pending, None),
    });
    // The former waker is dropped here, where the list is not in use: who knows what goes with it.
    polled.map_or(Poll::Pending, |(polled, _former)| polled)
}

/// How long the keeper sleeps at least when it has looked at so many entries: looking at one takes some two nanoseconds.
fn grain(entries: usize) -> Duration {
    Duration::from_nanos(entries as u64 * 100).max(Duration::from_micros(500))
}

/// There is a keeper for as long as this is there.
struct Kept(PhantomData<Rc<()>>);

impl Kept {
    fn begin() -> Kept {
        IS_KEPT.set(true);
        Kept(PhantomData)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // With its runtime. Another may follow on this thread.
        let _ = IS_KEPT.try_with(|is_kept| is_kept.set(false));
        let _ = ALARMS.try_with(|alarms| {
            let mut alarms = alarms.borrow_mut();
            alarms.next = None;
            alarms.keeper.take()
        });
    }
}

/// The keeper: for ever.
async fn keep(_kept: Kept) {
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let next = ALARMS.with_borrow_mut(|alarms| {
                match &mut alarms.keeper {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => alarms.keeper = Some(cx.waker().clone()),
                }
                alarms.next
            });
            let Some(next) = next else {
                return Poll::<()>::Pending;
            };
            if sleep.deadline().into_std() != next {
                sleep.as_mut().reset(next.into());
            }
            ready!(sleep.as_mut().poll(cx));
            let due = ALARMS.with_borrow_mut(|alarms| alarms.ring(Instant::now()));
            for waker in due {
                waker.wake();
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    const MS: Duration = Duration::from_millis(1);

    async fn until(at: Instant) {
        let mut alarm = Alarm::new();
        poll_fn(|cx| alarm.poll_at(at, cx)).await;
    }

    fn set() -> usize {
        ALARMS.with_borrow(|alarms| alarms.count)
    }

    #[test]
    fn they_ring_in_their_order_and_never_too_early() {
        run(async {
            let start = Instant::now();
            let rung: Rc<RefCell<Vec<u64>>> = Rc::default();
            let tasks: Vec<_> = [30, 10, 20, 5, 40, 1]
                .into_iter()
                .map(|ms| {
                    let rung = rung.clone();
                    tokio::task::spawn_local(async move {
                        let at = start + MS * ms;
                        until(at).await;
                        assert!(Instant::now() >= at);
                        rung.borrow_mut().push(ms.into());
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*rung.borrow(), [1, 5, 10, 20, 30, 40]);
            assert!(start.elapsed() < MS * 2000);
            assert_eq!(set(), 0);
        });
    }

    #[test]
    fn one_that_is_dropped_leaves_its_place_and_does_not_wake() {
        run(async {
            let late = Instant::now() + MS * 100_000;
            let mut held: Vec<Alarm> = (0..1000).map(|_| Alarm::new()).collect();
            poll_fn(|cx| {
                for alarm in &mut held {
                    assert!(alarm.poll_at(late, cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!(set(), 1000);
            held.truncate(500);
            until(Instant::now() + MS).await;
            assert_eq!(set(), 500);
            drop(held);
            assert_eq!(set(), 0);
            assert!(ALARMS.with_borrow(|alarms| alarms.entries.is_empty()));
        });
    }

    #[test]
    fn a_reset_sets_another_time() {
        run(async {
            let mut alarm = Alarm::new();
            let late = Instant::now() + MS * 100_000;
            poll_fn(|cx| {
                assert!(alarm.poll_at(late, cx).is_pending());
                alarm.reset();
                assert!(alarm.poll_at(Instant::now() + MS, cx).is_pending());
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| alarm.poll_at(late, cx)).await;
        });
    }

    #[test]
    fn another_runtime_on_the_same_thread_has_a_keeper_of_its_own() {
        for _ in 0..2 {
            run(async { until(Instant::now() + MS * 3).await });
        }
    }

    #[test]
    fn many_are_looked_at_less_often() {
        assert_eq!(grain(10), Duration::from_micros(500));
        assert_eq!(grain(1_000_000), Duration::from_millis(100));
    }
}
