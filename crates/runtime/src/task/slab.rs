//! The tasks of a VM as the host knows them: small records, found by number.
//!
//! **Invariants.** A record is free or belongs to exactly one living task, whose id has the record's generation. Records lie in chunks
//! that never move, so that a million tasks are not copied when there is one more. A freed record is used again last of all.

use super::watch::Ties;
use rille_lua::MultiValue;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use tokio::task::AbortHandle;

/// A task's id: a whole number that a float holds exactly, unique among the tasks of an app in this process.
///
/// ```text
///   bits 44 to 51: the VM, from 1    24 to 43: which use of its record it is, from 1    0 to 23: its record
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Tid(pub u64);

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 20;
const VM_BITS: u32 = 8;
/// The most tasks of a VM.
pub const MAX_TASKS: usize = 1 << SLOT_BITS;
/// The most VMs of an app in a process.
pub const MAX_VMS: u32 = (1 << VM_BITS) - 1;

impl Tid {
    pub(super) fn new(vm: u32, generation: u32, slot: u32) -> Tid {
        let high = u64::from(vm) << GENERATION_BITS | u64::from(generation);
        Tid(high << SLOT_BITS | u64::from(slot))
    }

    /// The id that a number is, if it can be one.
    #[inline]
    pub fn from_integer(number: i64) -> Option<Tid> {
        let tid = Tid(u64::try_from(number).ok()?);
        let is_one = tid.0 >> (SLOT_BITS + GENERATION_BITS + VM_BITS) == 0
            && tid.vm() != 0
            && tid.generation() != 0;
        is_one.then_some(tid)
    }

    /// The number that scripts see.
    pub fn to_integer(self) -> i64 {
        self.0 as i64
    }

    #[inline]
    pub(super) fn vm(self) -> u32 {
        (self.0 >> (SLOT_BITS + GENERATION_BITS)) as u32
    }

    #[inline]
    fn generation(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32 & ((1 << GENERATION_BITS) - 1)
    }

    #[inline]
    fn slot(self) -> u32 {
        self.0 as u32 & ((1 << SLOT_BITS) - 1)
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a task is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// There is none.
    Free,
    /// It is in the queue of those that have something to run.
    Ready,
    /// It has its turn.
    Running,
    /// It is parked until there is a message, or its deadline.
    Receiving,
    /// It is parked until its deadline.
    Sleeping,
    /// It waits for a future of the host's.
    Waiting,
    /// It is no task, but has a mailbox.
    Guest,
}

/// What most tasks never need.
#[derive(Default)]
pub(super) struct Extra {
    pub ties: Ties,
    /// Bytes of each message; empty while there is at most one.
    pub sizes: VecDeque<usize>,
    /// The ring of its messages: slots, and where the first is.
    pub capacity: usize,
    pub head: usize,
    /// The future it waits for, and what that has given.
    pub waits: Option<AbortHandle>,
    pub result: Option<rille_lua::Result<MultiValue>>,
    /// Made when something wants more than its coroutine: a light thread, a timer.
    pub context: Option<Rc<super::TaskContext>>,
    /// Which child of the supervisor it is.
    pub child: Option<usize>,
    /// Why it is to end.
    pub reason: Option<String>,
    /// A guest that waits for a message.
    pub waker: Option<Waker>,
}

/// A task.
pub(super) struct Task {
    generation: u32,
    pub state: State,
    /// Whether the end of a task that it is linked with is an event.
    pub traps: bool,
    /// Whether it is to end at its next turn.
    pub killed: bool,
    /// Whether its deadline has passed.
    pub is_late: bool,
    /// Whether a future of the host's has ended.
    pub has_result: bool,
    /// Whether its `receive` takes any event, and has no deadline.
    pub takes_any: bool,
    /// Messages in its mailbox, their bytes, and how many its parked `receive` has looked at.
    pub count: u32,
    pub bytes: usize,
    pub scanned: u32,
    /// What it runs: an index into the names.
    pub name: u32,
    /// 0: none.
    pub parent: u64,
    /// When its wait is over, in nanoseconds of the clock; 0: never.
    pub deadline: u64,
    /// Nanoseconds of processor time in the minute that began last.
    pub cpu: u64,
    pub minute: u32,
    pub extra: Option<Box<Extra>>,
}

/// With the elements of the two tables, what the host adds to a parked coroutine.
const _: () = assert!(size_of::<Task>() <= 80);

impl Task {
    /// Whether it waits for whatever comes, and nothing has.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state == State::Receiving && self.takes_any && self.count == 0
    }

    const FREE: Task = Task {
        generation: 0,
        state: State::Free,
        traps: false,
        killed: false,
        is_late: false,
        has_result: false,
        takes_any: false,
        count: 0,
        bytes: 0,
        scanned: 0,
        name: 0,
        parent: 0,
        deadline: 0,
        cpu: 0,
        minute: 0,
        extra: None,
    };

    pub fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }
}

const CHUNK: usize = 1024;

/// The records.
pub(super) struct Slab {
    chunks: Vec<Box<[Task]>>,
    free: VecDeque<u32>,
    vm: u32,
    alive: usize,
}

impl Slab {
    pub fn new(vm: u32) -> Slab {
        Slab {
            chunks: Vec::new(),
            free: VecDeque::new(),
            vm,
            alive: 0,
        }
    }

    pub fn alive(&self) -> usize {
        self.alive
    }

    /// Numbers below this may be tasks.
    pub fn end(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32
    }

    /// A record for a new task; `None` if there are [`MAX_TASKS`].
    pub fn add(&mut self) -> Option<u32> {
        if self.free.is_empty() {
            let first = self.end();
            if first as usize >= MAX_TASKS {
                return None;
            }
            self.chunks.push((0..CHUNK).map(|_| Task::FREE).collect());
            self.free.extend(first..first + CHUNK as u32);
        }
        let slot = self.free.pop_front()?;
        let task = self.get_mut(slot);
        let generation = task.generation % ((1 << GENERATION_BITS) - 1) + 1;
        *task = Task {
            generation,
            state: State::Ready,
            ..Task::FREE
        };
        self.alive += 1;
        Some(slot)
    }

    /// Frees a record: no id of it is valid any more.
    pub fn remove(&mut self, slot: u32) {
        let task = self.get_mut(slot);
        *task = Task {
            generation: task.generation,
            ..Task::FREE
        };
        self.alive -= 1;
        self.free.push_back(slot);
    }

    #[inline]
    pub fn get(&self, slot: u32) -> &Task {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> &mut Task {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    pub fn tid(&self, slot: u32) -> Tid {
        Tid::new(self.vm, self.get(slot).generation, slot)
    }

    /// The number of a living task of this VM.
    #[inline]
    pub fn find(&self, tid: Tid) -> Option<u32> {
        let slot = tid.slot();
        let task = (self.chunks.get(slot as usize / CHUNK))?.get(slot as usize % CHUNK)?;
        let is_it =
            task.state != State::Free && task.generation == tid.generation() && self.vm == tid.vm();
        is_it.then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_one_task_only() {
        let mut slab = Slab::new(3);
        let first = slab.add().unwrap();
        let tid = slab.tid(first);
        assert_eq!(slab.find(tid), Some(first));
        assert_eq!(Tid::from_integer(tid.to_integer()), Some(tid));
        slab.remove(first);
        assert_eq!(slab.find(tid), None);
        for _ in 0..CHUNK - 1 {
            slab.add().unwrap();
        }
        let again = slab.add().unwrap();
        assert_eq!(again, first);
        assert_ne!(slab.tid(again), tid);
        assert_eq!(slab.find(tid), None);
        assert_eq!(slab.alive(), CHUNK);
        let elsewhere = Tid::new(4, 1, first);
        assert_eq!(slab.find(elsewhere), None);
    }

    #[test]
    fn only_numbers_with_all_parts_are_ids() {
        for number in [-1, 0, 5, 1 << 44, 1 << 24, i64::MAX, 1 << 53] {
            assert_eq!(Tid::from_integer(number), None, "{number}");
        }
        let largest = Tid::new(MAX_VMS, (1 << GENERATION_BITS) - 1, MAX_TASKS as u32 - 1);
        assert!(largest.0 < 1 << 53);
        assert_eq!(Tid::from_integer(largest.to_integer()), Some(largest));
    }

    #[test]
    fn a_generation_is_never_zero() {
        let mut slab = Slab::new(1);
        let slot = slab.add().unwrap();
        slab.get_mut(slot).generation = (1 << GENERATION_BITS) - 1;
        slab.remove(slot);
        slab.free.clear();
        slab.free.push_back(slot);
        let slot = slab.add().unwrap();
        assert_eq!(slab.get(slot).generation, 1);
    }
}
