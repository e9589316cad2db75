//! What waits for the threads of a store, in a lane for each tenant.
//!
//! **Invariants.** Lanes are served in turn, an item each, so that a tenant with many items takes no more than its share. A name is in
//! `turn` exactly once while its lane has items, and a lane without any is not kept. How much may wait is up to those who push.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

pub(super) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

struct Inner<T> {
    lanes: HashMap<Arc<str>, VecDeque<T>>,
    turn: VecDeque<Arc<str>>,
    is_closed: bool,
}

/// What [`Queue::take`] comes back with.
pub(super) enum Taken<T> {
    /// At least one item.
    Items(Vec<T>),
    /// The time is over.
    Nothing,
    /// There is nothing and never will be.
    Closed,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue {
            inner: Mutex::new(Inner {
                lanes: HashMap::new(),
                turn: VecDeque::new(),
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts an item at the end of a lane; the item back if the queue is closed.
    pub fn push(&self, lane: &Arc<str>, item: T) -> Result<(), T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.is_closed {
            return Err(item);
        }
        match inner.lanes.get_mut(lane) {
            Some(waiting) => waiting.push_back(item),
            None => {
                inner.lanes.insert(lane.clone(), VecDeque::from([item]));
                inner.turn.push_back(lane.clone());
            }
        }
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Up to `max` items as soon as there is one, waiting for `limit` at most (for ever if there is none).
    pub fn take(&self, max: usize, limit: Option<Duration>) -> Taken<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.turn.is_empty() {
            if inner.is_closed {
                return Taken::Closed;
            }
            match limit {
                None => {
                    inner = self
                        .changed
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Some(limit) => {
                    let waited = self.changed.wait_timeout(inner, limit);
                    let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    inner = guard;
                    if timeout.timed_out() && inner.turn.is_empty() && !inner.is_closed {
                        return Taken::Nothing;
                    }
                }
            }
        }
        Taken::Items(inner.take(max))
    }

    /// Takes no more items; those that wait are still given out.
    pub fn close(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.is_closed = true;
        drop(inner);
        self.changed.notify_all();
    }
}

impl<T> Inner<T> {
    fn take(&mut self, max: usize) -> Vec<T> {
        let mut items = Vec::new();
        while items.len() < max
            && let Some(name) = self.turn.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&name) else {
                continue;
            };
            items.extend(lane.pop_front());
            match lane.is_empty() {
                true => drop(self.lanes.remove(&name)),
                false => self.turn.push_back(name),
            }
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(queue: &Queue<i32>, max: usize) -> Vec<i32> {
        match queue.take(max, Some(Duration::ZERO)) {
            Taken::Items(items) => items,
            Taken::Nothing => vec![],
            Taken::Closed => vec![-1],
        }
    }

    #[test]
    fn lanes_have_their_turns() {
        let queue = Queue::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for item in 0..5 {
            queue.push(&a, item).unwrap();
        }
        queue.push(&b, 10).unwrap();
        queue.push(&b, 11).unwrap();
        assert_eq!(items(&queue, 3), [0, 10, 1]);
        assert_eq!(items(&queue, 9), [11, 2, 3, 4]);
        assert_eq!(items(&queue, 9), []);
        queue.push(&a, 5).unwrap();
        queue.close();
        assert_eq!(queue.push(&a, 6), Err(6));
        assert_eq!(items(&queue, 9), [5]);
        assert_eq!(items(&queue, 9), [-1]);
    }
}
