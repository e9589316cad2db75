//! The collector: incremental tri-colour mark and sweep.
//!
//! ```text
//!  Pause --threshold--> Mark --> Resurrect --> Clear --> Close --> SweepPages --> SweepLarge --> Pause
//!                            ^ what is alive is decided
//! ```
//!
//! | phase | what it does, piece by piece |
//! |---|---|
//! | `Mark` | marks what roots reach ([`mark`]); when nothing is gray, looks again at tables that changed, then at coroutines that ran |
//! | `Resurrect` | queues dead objects with finalizers, marks what they reach |
//! | `Clear` | clears weak tables, which are hidden until then ([`weak`]) |
//! | `Close` | gives captured variables of dead coroutines a value of their own |
//! | `SweepPages`, `SweepLarge` | frees what is dead ([`sweep`]) |
//!
//! **Invariants**
//! - Colours: white (two of them; the one that is not `white` is the colour of the dead once it is decided), gray (neither bit), black.
//! - From the decision on, scripts get at nothing that is dead: strong references lead to marked objects, weak tables are hidden, strings found in the
//!   intern table are revived. So no barrier is needed then, and objects made then survive.
//! - A large table turns black when its scan *begins* and is scanned in chunks; stores into it mark the new value
//!   at once (forward barrier), and so does a node that moves, so what has been scanned stays right. Small tables turn gray again when stored to,
//!   until all that is gray has been scanned once: from then on (`remark`) every store marks.
//!
//! **The bound.** Work is counted in units of about one slot looked at; marking an object costs [`MARK_WORK`], freeing one [`FREE_WORK`].
//! A step does [`STEP_WORK`] units and then the rest of the piece it is in; the step that ends marking up to twice as much, and its
//! piece three times. The largest pieces: a chunk whose every slot holds an
//! object that is marked by it ([`MAX_PIECE`] units), and the end of marking (`finish_marking`), which scans
//! what changed on the stacks of the coroutines that are running: some frames as a rule, the whole stacks (1,000,000 values each) of
//! coroutines that called to their full depth and back between two steps. What a finalizer-less owner of Rust data (userdata, the
//! code of a chunk) does when it is dropped, and what the system does when it is given a large block back, is not counted.
//! [`Collector::max_step_work`] has the largest so far.
//!
//! **Pace.** The heap is to stay below twice what is alive (by default): a cycle begins at some distance below that goal, and its steps
//! come so often that marking ends before it, going by the work of the cycle before.

pub(crate) mod barrier;
mod mark;
mod sweep;
#[cfg(test)]
mod tests;
mod weak;

use super::page::PAGE_BYTES;
use super::system::trim;
use super::{Header, Heap, PIECES};
use crate::native::Thrown;
use crate::string::Str;
use crate::table::Table;
use crate::thread::Thread;
use crate::value::Val;
use crate::vm::Vm;
use std::collections::{BTreeMap, HashMap, VecDeque};
pub(crate) use weak::Weakness;

/// Bits of `Header::mark`.
pub(crate) mod mark_bits {
    pub const WHITE0: u8 = 1;
    pub const WHITE1: u8 = 2;
    pub const WHITES: u8 = WHITE0 | WHITE1;
    pub const BLACK: u8 = 4;
    /// The object has a finalizer that has not been called.
    pub const FINALIZER: u8 = 8;
    /// Marking the object must also mark what the ephemeron map holds for it.
    pub const EPHEMERON_KEY: u8 = 16;
    /// A coroutine whose stack has been scanned in this cycle.
    pub const SCANNED: u8 = 32;
    /// Alive for a finalizer only: weak values go.
    pub const RESURRECTED: u8 = 64;
    pub const COLOURS: u8 = WHITES | BLACK;
    /// What the sweep takes away.
    pub const OF_CYCLE: u8 = COLOURS | SCANNED | RESURRECTED;
}
use mark_bits::*;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    Pause,
    Mark,
    Resurrect,
    Clear,
    Close,
    SweepPages,
    SweepLarge,
}

/// Work of one step, in units of about one slot looked at.
pub(crate) const STEP_WORK: usize = if PIECES { 64 } else { 16 * 1024 };
/// Slots of a table or stack scanned at once, and cells of a page swept.
const CHUNK: usize = if PIECES { 8 } else { 512 };
/// Tables above this many slots take the forward barrier.
const LARGE_TABLE: usize = CHUNK;
/// What marking an object costs: it is looked at, and later scanned, where it is in memory.
const MARK_WORK: usize = 6;
/// What freeing an object costs.
const FREE_WORK: usize = 6;
/// What giving a piece of a large part back to the system costs.
const LEAVING_WORK: usize = 1024;
/// What giving an empty page back costs.
const DISCARD_WORK: usize = 128;
/// The most work of a piece other than the end of marking: each slot of a chunk of nodes marks a key and a value, and each of
/// these brings as much from the ephemeron map.
#[cfg(test)]
const MAX_PIECE: usize = CHUNK * (2 + 2 * MARK_WORK) + 256;
/// The first collection starts here.
const FIRST_THRESHOLD: usize = if PIECES { 64 } else { 256 } * 1024;
/// Bytes allocated between two steps: at most, and at least.
const MAX_STEP_BYTES: usize = if PIECES { 512 } else { 64 * 1024 };
const MIN_STEP_BYTES: usize = if PIECES { 128 } else { 1024 };
/// The share of its growth to the goal that a heap has behind it when a cycle begins, in percent.
const START_PERCENT: usize = 90;

/// Of many small steps, the heap is checked after one in so many (tests).
const VERIFIED: u64 = 37;

/// A gray object and where its scan goes on.
struct Gray {
    object: *mut Header,
    from: u32,
}

pub(crate) struct Collector {
    pub(crate) phase: Phase,
    /// The white bit of new objects.
    pub(crate) white: u8,
    /// Bytes in use at which the next step is due.
    pub(crate) threshold: usize,
    /// `collectgarbage("stop")`: no steps but at the memory limit.
    pub(crate) stopped: bool,
    /// What the heap may grow by between cycles, in percent of what is alive.
    pub(crate) pause_percent: usize,
    /// How much a step does, in percent of the usual work (`collectgarbage("setstepmul")`).
    pub(crate) step_percent: usize,
    /// The mode that a script is told. There is one collector.
    pub(crate) generational: bool,
    /// A script chose the generational mode, whose smallest step finds all young garbage: here, a whole cycle.
    pub(crate) whole_steps: bool,
    /// The parameters of `collectgarbage("param")` (5.5), as `stdlib::gc` codes them. Only two have an effect.
    pub(crate) parameters: [u8; 6],
    /// Bytes that steps have been asked for and not made for yet (5.5).
    pub(crate) owed: usize,

    // ---- pace ----
    /// Bytes allocated between two steps of this cycle.
    step_bytes: usize,
    /// The heap is to be smaller than this at the end of marking.
    goal: usize,
    /// Bytes in use when what is alive was decided last, and freed since.
    used_at_decision: usize,
    freed: usize,
    /// Work of the cycle so far, and of the marking of the cycle before for each KiB that was in use.
    cycle_work: usize,
    work_per_kib: usize,

    // ---- marking ----
    gray: Vec<Gray>,
    pending: mark::Pending,
    /// Small tables that were stored to after their scan.
    gray_again: Vec<*mut Table>,
    /// Coroutines that ran after their scan, or may have: each once.
    gray_threads: Vec<*mut Thread>,
    /// Lua frames that have their flag `SCANNED_BELOW` from this cycle, in stacks of more than a chunk or two; lowest first.
    scanned_frames: HashMap<*mut Thread, Vec<u32>>,
    /// All that was gray has been scanned once.
    remark: bool,
    /// The end of marking was tried, and turned up something white.
    not_finished: bool,
    /// How far the roots that are many have been marked: handles, objects that wait for their finalizers, coroutines that ran.
    handles_at: usize,
    queue_at: usize,
    threads_at: usize,
    /// Values that wait for their key (an address) to be marked.
    waiting_for_key: BTreeMap<usize, weak::Waiting>,
    /// Values whose key has been marked, to be marked next.
    released: Vec<Val>,
    /// `RESURRECTED` while what is marked is alive for finalizers only.
    resurrected: u8,
    /// The running coroutine and the end of what is live on its stack, where that is known to be less than its
    /// frame's registers: a native runs (its top), or a statement is about to begin (the active variables).
    live_end: Option<(*mut Thread, usize)>,

    // ---- weak tables ----
    /// Those that are hidden.
    weak: Vec<*mut Table>,
    /// How far the last of them is cleared.
    clear_from: usize,
    /// Counts the times that hidden tables were given up.
    pub(crate) weak_round: u64,
    /// A hidden table has its parts for a store: what moves in it is marked, or goes if it is known to be dead.
    pub(crate) changing_weak: Option<(*mut Table, Weakness)>,

    // ---- finalizers ----
    /// Objects with finalizers, oldest first. While dead ones are being taken out there are gaps (nil).
    pub(crate) finalizable: Vec<Val>,
    /// Where that is: down to the oldest, then up again to close the gaps.
    finalizable_down: usize,
    finalizable_read: usize,
    finalizable_write: usize,
    /// The VM is closing: objects made from now on get no finalizer.
    pub(crate) closing: bool,
    /// Dead objects whose finalizers are to be called, in this order.
    pub(crate) to_finalize: VecDeque<Val>,

    /// Threads with open captured variables.
    pub(crate) open_threads: Vec<*mut Thread>,
    /// The string `__mode`.
    pub(crate) mode_name: *mut Str,
    /// The page that is swept and the cell in it, or the large object.
    sweep_at: usize,
    sweep_cell: usize,
    /// The page has lost a cell.
    sweep_freed: bool,
    /// A collection is running (allocations in it would be a bug).
    busy: bool,
    /// Completed cycles.
    pub(crate) cycles: u64,
    /// Work done since the VM began, the most that one step has done, and how many steps there were.
    work: usize,
    pub(crate) max_step_work: usize,
    pub(crate) steps: u64,
}

impl Collector {
    pub(crate) fn new() -> Collector {
        Collector {
            phase: Phase::Pause,
            white: WHITE0,
            threshold: FIRST_THRESHOLD,
            stopped: false,
            pause_percent: 70,
            step_percent: 100,
            generational: false,
            whole_steps: false,
            parameters: crate::stdlib::gc::default_parameters(),
            owed: 0,
            step_bytes: MAX_STEP_BYTES,
            goal: 2 * FIRST_THRESHOLD,
            used_at_decision: 0,
            freed: 0,
            cycle_work: 0,
            work_per_kib: 128,
            gray: Vec::new(),
            pending: mark::Pending::new(),
            gray_again: Vec::new(),
            gray_threads: Vec::new(),
            scanned_frames: HashMap::new(),
            remark: false,
            not_finished: false,
            handles_at: 0,
            queue_at: 0,
            threads_at: 0,
            waiting_for_key: BTreeMap::new(),
            released: Vec::new(),
            resurrected: 0,
            live_end: None,
            weak: Vec::new(),
            clear_from: 0,
            weak_round: 0,
            changing_weak: None,
            finalizable: Vec::new(),
            finalizable_down: 0,
            finalizable_read: 0,
            finalizable_write: 0,
            closing: false,
            to_finalize: VecDeque::new(),
            open_threads: Vec::new(),
            mode_name: std::ptr::null_mut(),
            sweep_at: 0,
            sweep_cell: 0,
            sweep_freed: false,
            busy: false,
            cycles: 0,
            work: 0,
            max_step_work: 0,
            steps: 0,
        }
    }

    /// A string found in the intern table, or in a weak one, may be dead and not swept yet: it is alive again.
    #[inline(always)]
    pub(crate) fn revive(&self, h: &mut Header) {
        if self.is_decided() && h.mark & WHITES == self.white ^ WHITES {
            h.mark = h.mark & !WHITES | self.white;
        }
    }

    #[inline(always)]
    fn is_dead(&self, h: *mut Header) -> bool {
        // SAFETY: callers pass objects that have not been swept.
        unsafe { (*h).mark & WHITES == self.white ^ WHITES }
    }

    /// Forgets what is known about stacks: it holds for one round of marking.
    fn forget_stacks(&mut self) {
        self.gray_threads.clear();
        self.scanned_frames.clear();
    }

    /// Whether finalizers can be called: there are some, and what they can reach is marked.
    pub(crate) fn has_finalizers(&self) -> bool {
        !self.to_finalize.is_empty() && self.phase != Phase::Resurrect
    }

    /// What a heap of which so many bytes are alive may grow by until the next cycle ends.
    fn growth(&self, live: usize) -> usize {
        (live / 100)
            .saturating_mul(self.pause_percent)
            .max(FIRST_THRESHOLD / 2)
    }
}

/// Bit of a thread's `header.flags`: it is on `open_threads`.
pub(crate) const HAS_OPEN: u8 = 1;

impl Heap {
    /// Brings the charge for the lists of objects with finalizers in line with what they take.
    fn recount_lists(&mut self) {
        let slots = self.gc.finalizable.capacity() + self.gc.to_finalize.capacity();
        let bytes = slots * size_of::<Val>();
        self.used = self.used + bytes - self.lists;
        self.lists = bytes;
    }

    /// A piece of the work on objects with finalizers: the dead ones go to the queue, newest first. False when there is nothing left of it.
    fn resurrect_some(&mut self) -> bool {
        const PIECE: usize = CHUNK / 4;
        if self.gc.finalizable_down > 0 {
            // Nothing is marked before all of them are found: one that another refers to is finalized in the same cycle.
            self.gc.work += PIECE;
            for _ in 0..PIECE.min(self.gc.finalizable_down) {
                self.gc.finalizable_down -= 1;
                let at = self.gc.finalizable_down;
                let v = self.gc.finalizable[at];
                if self.gc.is_dead(v.header()) {
                    self.gc.finalizable[at] = Val::NIL;
                    self.gc.to_finalize.push_back(v);
                }
            }
            self.recount_lists();
            return true;
        }
        if self.mark_queued() {
            return true;
        }
        if self.gc.gray.is_empty() {
            self.mark_pending();
        }
        if !self.gc.gray.is_empty() {
            self.scan_one();
            return true;
        }
        // The gaps are closed; what was registered meanwhile is at the end.
        self.gc.work += PIECE;
        for _ in 0..PIECE {
            let (from, to) = (self.gc.finalizable_read, self.gc.finalizable_write);
            if from == self.gc.finalizable.len() {
                self.gc.finalizable.truncate(to);
                self.gc.finalizable_read = 0;
                self.gc.finalizable_write = 0;
                return false;
            }
            let v = self.gc.finalizable[from];
            self.gc.finalizable_read += 1;
            if !v.is_nil() {
                self.gc.finalizable[to] = v;
                self.gc.finalizable_write += 1;
            }
        }
        true
    }

    /// Marks a chunk of the objects that wait for their finalizers: false when all are marked.
    fn mark_queued(&mut self) -> bool {
        let (from, queued) = (self.gc.queue_at, self.gc.to_finalize.len());
        if from >= queued {
            return false;
        }
        let end = queued.min(from + CHUNK);
        self.gc.queue_at = end;
        self.gc.work += end - from;
        for i in from..end {
            let v = self.gc.to_finalize[i];
            self.mark(v);
        }
        true
    }

    /// A piece of the work on coroutines with open captured variables: those of dead coroutines get values of their own. False when
    /// there is nothing left of it.
    fn close_some(&mut self) -> bool {
        const PIECE: usize = CHUNK / 8;
        let Some(&thread) = self.gc.open_threads.get(self.gc.threads_at) else {
            return false;
        };
        self.gc.work += 4;
        // SAFETY: threads on the list have not been swept, and neither have the boxes of dead ones.
        unsafe {
            if self.gc.is_dead(thread as *mut Header) {
                for _ in 0..PIECE {
                    let open = (*thread).open;
                    if open.is_null() {
                        break;
                    }
                    self.gc.work += 4;
                    (*thread).open = (*open).next_open();
                    (*open).close();
                }
            }
            if (*thread).open.is_null() {
                (*thread).header.flags &= !HAS_OPEN;
                self.gc.open_threads.swap_remove(self.gc.threads_at);
            } else if !self.gc.is_dead(thread as *mut Header) {
                self.gc.threads_at += 1;
            }
        }
        true
    }

    /// Stops the collector, except at the memory limit, or starts it again.
    pub(crate) fn stop_collector(&mut self, stop: bool) {
        self.gc.stopped = stop;
        if !stop {
            self.gc.threshold = self.used;
            self.update_trigger();
        }
    }

    /// Gives the system some of what is kept without being charged: near the limit no less than what is taken between two steps.
    fn let_some_go(&mut self) {
        self.parts.let_some_go();
        for _ in 0..MAX_STEP_BYTES.div_ceil(PAGE_BYTES) {
            if self.pages.spare_bytes() > self.room() {
                self.pages.discard_one();
            }
        }
    }

    /// The memory limit has been met: nothing is kept.
    pub(crate) fn let_all_go(&mut self) {
        self.parts.flush();
        while self.pages.spare_bytes() > 0 {
            self.pages.discard_one();
        }
        trim();
    }
}

impl Vm {
    /// Roots that are few. The running coroutines are not among them: see `finish_marking`.
    fn mark_roots(&mut self) {
        let heap = &mut self.heap;
        heap.mark_object(self.main);
        heap.mark_object(self.current);
        for v in self.metatables {
            heap.mark_object(v);
        }
        heap.mark(self.thrown);
        for v in self.roots.iter().chain(&self.scratch) {
            heap.mark(*v);
        }
        heap.gc.work += 16 + self.roots.len() + self.scratch.len();
    }

    /// A chunk of the roots that may be many: false when all are marked. A handle made later is marked when it is made, an object
    /// that is taken off the queue is on a stack.
    fn mark_many_roots(&mut self) -> bool {
        let gc = &mut self.heap.gc;
        let (from, handles) = (gc.handles_at, self.handles.len());
        if from < handles {
            let end = handles.min(from + CHUNK);
            gc.handles_at = end;
            gc.work += end - from;
            for i in from..end {
                self.heap.mark(self.handles[i]);
            }
            return true;
        }
        self.heap.mark_queued()
    }

    fn start_cycle(&mut self) {
        let gc = &mut self.heap.gc;
        debug_assert!(gc.gray.is_empty() && gc.gray_again.is_empty() && gc.weak.is_empty());
        gc.phase = Phase::Mark;
        gc.remark = false;
        gc.resurrected = 0;
        gc.handles_at = 0;
        gc.queue_at = 0;
        gc.threads_at = 0;
        gc.cycle_work = 0;
        self.mark_roots();
        self.set_pace();
    }

    /// How often steps come in the cycle that begins: so that marking ends before the goal is reached.
    fn set_pace(&mut self) {
        let used = self.heap.used;
        let gc = &mut self.heap.gc;
        let steps =
            (used / 1024 * gc.work_per_kib / STEP_WORK).max(1) * 100 / gc.step_percent.max(1);
        let room = gc.goal.saturating_sub(used);
        gc.step_bytes = (room / (steps + 1)).clamp(MIN_STEP_BYTES, MAX_STEP_BYTES);
    }

    /// A piece of marking.
    fn mark_some(&mut self) {
        let gc = &mut self.heap.gc;
        if !gc.gray.is_empty() {
            return self.heap.scan_one();
        }
        self.heap.mark_pending();
        let gc = &mut self.heap.gc;
        if !gc.gray.is_empty() {
            return;
        }
        if !gc.remark {
            gc.remark = true;
            return;
        }
        if let Some(t) = gc.gray_again.pop() {
            // SAFETY: tables on the list are marked, so alive.
            if unsafe { (*t).header.mark } & COLOURS == 0 {
                self.heap.push_gray(t as *mut Header, 0);
            }
            return;
        }
        if self.mark_many_roots() {
            return;
        }
        if let Some(&t) = self.heap.gc.gray_threads.get(self.heap.gc.threads_at) {
            return self.heap.settle_thread(t);
        }
        self.finish_marking();
    }

    /// The end of marking: what can change without a barrier is looked at once more. If nothing white turns up, what is alive is decided.
    fn finish_marking(&mut self) {
        self.mark_roots();
        let mut thread = self.current;
        while !thread.is_null() {
            self.heap.gc.note_running(thread);
            // SAFETY: `current` and its resumers are alive.
            thread = unsafe { (*thread).resumer };
        }
        for i in 0..self.heap.gc.gray_threads.len() {
            let t = self.heap.gc.gray_threads[i];
            self.heap.rescan(t);
        }
        self.heap.mark_pending();
        if !self.heap.gc.gray.is_empty() {
            self.heap.gc.not_finished = true;
            // They go on running.
            for &t in &self.heap.gc.gray_threads {
                // SAFETY: threads on the list are marked, so alive.
                unsafe { (*t).header.mark &= !BLACK };
            }
            return;
        }
        let used = self.heap.used;
        let gc = &mut self.heap.gc;
        debug_assert!(gc.gray_again.is_empty());
        gc.forget_stacks();
        gc.phase = Phase::Resurrect;
        gc.white ^= WHITES;
        gc.resurrected = RESURRECTED;
        // What waits already is marked; what comes now is behind it.
        gc.queue_at = gc.to_finalize.len();
        gc.finalizable_down = gc.finalizable.len();
        gc.finalizable_read = 0;
        gc.finalizable_write = 0;
        gc.used_at_decision = used;
        gc.freed = 0;
        gc.work_per_kib = (gc.cycle_work / (used / 1024).max(1)).clamp(16, 1024);
        self.heap.parts.keep_for(used);
    }

    /// A bounded piece of collection work. Not called from allocations.
    pub(crate) fn collect_step(&mut self) {
        if self.heap.gc.stopped {
            self.heap.gc.threshold = usize::MAX;
            self.heap.update_trigger();
            return;
        }
        self.collect_some(STEP_WORK * self.heap.gc.step_percent.clamp(50, 1000) / 100);
        let used = self.heap.used;
        let gc = &mut self.heap.gc;
        if gc.phase != Phase::Pause {
            if used > gc.goal && gc.phase == Phase::Mark {
                // There is more to do than the last cycle let expect.
                gc.step_bytes = (gc.step_bytes / 2).max(MIN_STEP_BYTES);
            }
            gc.threshold = used + gc.step_bytes;
        }
        // Finalizers wait for the end of this phase, and perhaps the program for them.
        let waits = gc.phase == Phase::Resurrect && !gc.to_finalize.is_empty();
        self.heap.update_trigger();
        if waits {
            self.heap.interrupt();
        }
    }

    /// Works off about `budget` units; true when a cycle ended.
    pub(crate) fn collect_some(&mut self, budget: usize) -> bool {
        if self.heap.gc.busy {
            return false;
        }
        self.heap.gc.busy = true;
        self.heap.gc.live_end = self.live_end(true);
        self.heap.let_some_go();
        let cycles = self.heap.gc.cycles;
        let start = self.heap.gc.work;
        let mut allowed = budget;
        let mut extended = false;
        while self.heap.gc.work - start < allowed && self.heap.gc.cycles == cycles {
            let before = self.heap.gc.work;
            self.collect_piece();
            if std::mem::take(&mut self.heap.gc.not_finished) && !extended {
                // Were the step to end here, there would be something new on the stacks at the beginning of the next, and so on
                // for ever. Once in a step there is more work to be had: for what was found, and for looking again.
                let piece = self.heap.gc.work - before;
                allowed = allowed.max(self.heap.gc.work - start + 2 * piece + STEP_WORK);
                extended = true;
            }
        }
        let ended = self.heap.gc.cycles != cycles;
        self.heap.gc.live_end = None;
        if self.heap.verify && (!PIECES || self.heap.gc.steps.is_multiple_of(VERIFIED)) {
            let problems = self.check_heap();
            assert!(
                problems.is_empty(),
                "after step {} ({:?}): {problems:?}",
                self.heap.gc.steps,
                self.heap.gc.phase
            );
        }
        if ended {
            self.set_next_cycle();
        }
        let work = self.heap.gc.work - start;
        self.heap.gc.max_step_work = self.heap.gc.max_step_work.max(work);
        self.heap.gc.steps += 1;
        self.charge_work(work);
        self.heap.gc.busy = false;
        ended
    }

    /// Collection is charged to whoever allocates: about one instruction for an object.
    fn charge_work(&mut self, work: usize) {
        let fuel = self.heap.fuel_left() - (work / 8) as i64;
        self.heap.set_fuel(fuel);
    }

    fn collect_piece(&mut self) {
        let before = self.heap.gc.work;
        self.heap.gc.work += 1;
        match self.heap.gc.phase {
            Phase::Pause => self.start_cycle(),
            Phase::Mark => self.mark_some(),
            Phase::Resurrect => {
                if !self.heap.resurrect_some() {
                    self.heap.gc.forget_stacks();
                    self.heap.gc.resurrected = 0;
                    self.heap.gc.phase = Phase::Clear;
                }
            }
            Phase::Clear => {
                if !self.heap.clear_some() {
                    self.heap.gc.weak_round += 1;
                    self.heap.gc.threads_at = 0;
                    self.heap.gc.phase = Phase::Close;
                }
            }
            Phase::Close => {
                if !self.heap.close_some() {
                    self.heap.begin_sweep();
                }
            }
            Phase::SweepPages | Phase::SweepLarge => self.heap.sweep_some(),
        }
        self.heap.gc.cycle_work += self.heap.gc.work - before;
    }

    fn set_next_cycle(&mut self) {
        let (used, bound) = (self.heap.used, self.heap.bound());
        let gc = &mut self.heap.gc;
        let live = gc.used_at_decision.saturating_sub(gc.freed).min(used);
        // Up to what may be charged at most: to find that in the way would mean a whole collection in one step.
        let growth = gc.growth(live).min(bound.saturating_sub(live));
        gc.goal = live.saturating_add(growth);
        let start = live.saturating_add(growth / 100 * START_PERCENT);
        gc.threshold = start.max(used + FIRST_THRESHOLD / 8);
        self.heap.update_trigger();
    }

    /// Where the live part of the running coroutine's stack ends, if that is known to be below its frame's registers.
    /// `at_safe_point`: the top Lua frame stands before a statement, so no temporary of it is live.
    fn live_end(&self, at_safe_point: bool) -> Option<(*mut Thread, usize)> {
        let t = self.thread();
        if self.native != crate::vm::NO_NATIVE {
            return Some((self.current, t.top as usize));
        }
        let frame = t
            .frames()
            .last()
            .filter(|f| at_safe_point && !f.is_native())?;
        let closure = t.get(frame.func as usize).as_lua_closure()?;
        let p = closure.proto();
        let at = (frame.pc as usize - p.code as usize) / size_of::<crate::op::Instr>();
        let live = p.function.live_registers(at)?;
        Some((self.current, frame.base as usize + live))
    }

    /// Forgets an unfinished mark: a sweep that frees nothing makes everything white again.
    fn abandon_mark(&mut self) {
        self.heap.show_all();
        let used = self.heap.used;
        let gc = &mut self.heap.gc;
        gc.gray.clear();
        gc.pending.clear();
        gc.gray_again.clear();
        gc.forget_stacks();
        gc.waiting_for_key.clear();
        gc.used_at_decision = used;
        gc.freed = 0;
        self.heap.begin_sweep();
    }

    /// Gives up a mark under way, so that the next cycle to begin sees what is garbage now. The result is the count of
    /// completed cycles at which a whole one is over.
    pub(crate) fn begin_full_cycle(&mut self) -> u64 {
        if self.heap.gc.phase == Phase::Mark {
            self.abandon_mark();
        }
        let sweeping = self.heap.gc.phase != Phase::Pause;
        self.heap.gc.cycles + 1 + u64::from(sweeping)
    }

    /// Works until the cycle under way, if there is one, has ended.
    fn finish_cycle(&mut self) {
        let cycles = self.heap.gc.cycles;
        while self.heap.gc.phase != Phase::Pause && self.heap.gc.cycles == cycles {
            self.collect_piece();
        }
    }

    /// A full collection: gives up a mark under way (or finishes a sweep) and runs one whole cycle. Calls no finalizer (they are
    /// queued), so it may happen inside any allocation.
    pub(crate) fn collect_everything(&mut self) {
        if self.heap.gc.busy {
            return;
        }
        self.heap.gc.busy = true;
        self.heap.gc.live_end = self.live_end(false);
        let start = self.heap.gc.work;
        if self.heap.gc.phase == Phase::Mark {
            self.abandon_mark();
        }
        self.finish_cycle();
        self.collect_piece();
        self.finish_cycle();
        self.heap.gc.live_end = None;
        self.set_next_cycle();
        self.charge_work(self.heap.gc.work - start);
        self.heap.gc.busy = false;
        if !self.heap.gc.to_finalize.is_empty() {
            self.heap.interrupt();
        }
    }

    /// Makes room on the list of objects with finalizers for one more.
    pub(crate) fn reserve_finalizer(&mut self) -> Result<(), Thrown> {
        let list = &self.heap.gc.finalizable;
        if list.len() < list.capacity() {
            return Ok(());
        }
        let more = list.capacity().max(4);
        let bytes = more * size_of::<Val>();
        self.charge_bytes(bytes)?;
        self.heap.lists += bytes;
        let list = &mut self.heap.gc.finalizable;
        let room = list.try_reserve_exact(more);
        // The charge may have collected, and left another list.
        self.heap.recount_lists();
        room.map_err(|_| self.throw_memory())
    }

    /// Registers an object whose metatable has `__gc`; there is room (see [`Vm::reserve_finalizer`]).
    pub(crate) fn register_finalizer(&mut self, v: Val) {
        // SAFETY: `v` is a live object.
        unsafe {
            let h = v.header();
            if (*h).mark & FINALIZER == 0 && !self.heap.gc.closing {
                (*h).mark |= FINALIZER;
                self.heap.gc.finalizable.push(v);
            }
        }
    }

    /// Queues every object with a finalizer, newest first: the VM is about to go.
    pub(crate) fn queue_all_finalizers(&mut self) {
        if !self.heap.gc.busy {
            self.heap.gc.busy = true;
            self.finish_cycle();
            self.heap.gc.busy = false;
        }
        let gc = &mut self.heap.gc;
        gc.closing = true;
        let all = std::mem::take(&mut gc.finalizable);
        gc.to_finalize.extend(all.into_iter().rev());
    }

    /// Takes the next object to finalize; it may be registered again afterwards.
    pub(crate) fn next_to_finalize(&mut self) -> Option<Val> {
        let gc = &mut self.heap.gc;
        let v = gc.to_finalize.pop_front()?;
        gc.queue_at = gc.queue_at.saturating_sub(1);
        // SAFETY: queued objects are roots, so alive.
        unsafe { (*v.header()).mark &= !FINALIZER };
        Some(v)
    }
}
