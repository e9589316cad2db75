//! Barriers: what a store has to tell the collector while it marks.
//!
//! **Invariants**
//! - A black object never points to a white one, but for: tables on `gray_again`, and the stacks of coroutines on `gray_threads` and of those
//!   that run, which are looked at again. (Weak tables are not black before they are cleared.)
//! - Once marking has been all around (`remark`), no table turns gray again: what is stored is marked at once.
//! - Outside of the marking phase there is nothing to tell: objects made after it is known what is alive survive, and nobody
//!   can get at one that does not.

use super::mark::is_white_object;
use super::mark_bits::*;
use super::{Collector, LARGE_TABLE, Phase};
use crate::function::UpBox;
use crate::heap::{Gc, Header, Heap};
use crate::table::{Node, Place, Table, clear_place};
use crate::thread::Thread;
use crate::value::Val;
use crate::vm::Vm;

impl Vm {
    /// Store barrier for tables: `v` was stored in `t`.
    #[inline(always)]
    pub(crate) fn barrier_table(&mut self, t: Gc<Table>, v: Val) {
        if t.header.mark & BLACK != 0 && is_white_object(v) {
            self.barrier_table_slow(t, v);
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn barrier_table_slow(&mut self, mut t: Gc<Table>, v: Val) {
        if self.heap.gc.phase != Phase::Mark {
            return;
        }
        if self.heap.gc.remark || t.slot_count() > LARGE_TABLE {
            self.heap.mark(v);
        } else {
            t.header.mark &= !BLACK;
            self.heap.gc.gray_again.push(t.as_ptr());
        }
    }

    /// As `barrier_table`, for the key of a new entry.
    #[inline(always)]
    pub(crate) fn barrier_key(&mut self, t: Gc<Table>, key: Val) {
        self.barrier_table(t, key);
    }

    /// What moves in a weak table stays for this cycle, wherever its scan is.
    fn must_mark_moves(&self, t: Gc<Table>) -> bool {
        let gc = &self.heap.gc;
        gc.phase == Phase::Mark && (t.header.mark & BLACK != 0 || gc.changing_weak.is_some())
    }

    /// An entry of a table moved to another node: a scan in progress may be past it already.
    pub(crate) fn barrier_moved(&mut self, t: Gc<Table>, node: *mut Node) {
        if let (Some((_, weakness)), Phase::Clear) =
            (self.heap.gc.changing_weak, self.heap.gc.phase)
        {
            return clear_place(Place::Node(node), &self.heap.gc, weakness);
        }
        if self.must_mark_moves(t) {
            // SAFETY: the node is live.
            unsafe {
                self.heap.mark((*node).key());
                self.heap.mark((*node).value());
            }
        }
    }

    /// As [`Vm::barrier_moved`], for an entry that moves to another part.
    pub(crate) fn mark_moved(&mut self, t: Gc<Table>, key: Val, val: Val) {
        if self.must_mark_moves(t) {
            self.heap.mark(key);
            self.heap.mark(val);
        }
    }

    /// A table's parts were replaced: a scan in progress has lost its place.
    pub(crate) fn barrier_resized(&mut self, t: Gc<Table>) {
        if t.header.mark & BLACK != 0 && self.heap.gc.phase == Phase::Mark {
            self.heap.push_gray(t.header(), 0);
        }
    }

    /// Store barrier for everything but tables: `v` was stored in the object.
    #[inline(always)]
    pub(crate) fn barrier(&mut self, object: *mut Header, v: Val) {
        // SAFETY: the object is alive.
        if unsafe { (*object).mark } & BLACK != 0
            && is_white_object(v)
            && self.heap.gc.phase == Phase::Mark
        {
            self.mark_stored(v);
        }
    }

    #[cold]
    #[inline(never)]
    fn mark_stored(&mut self, v: Val) {
        self.heap.mark(v);
    }

    /// A value that Rust holds on to.
    #[inline(always)]
    pub(crate) fn barrier_handle(&mut self, v: Val) {
        if self.heap.gc.phase == Phase::Mark {
            self.mark_stored(v);
        }
    }

    /// A new open captured variable of the running coroutine, or one that is the first of its list now.
    ///
    /// The coroutine stays alive too for this cycle: it goes on to change the variable, which may outlive it.
    #[inline(always)]
    pub(crate) fn barrier_open(&mut self, open: *mut UpBox) {
        if self.heap.gc.phase == Phase::Mark {
            self.mark_open(open);
        }
    }

    #[cold]
    #[inline(never)]
    fn mark_open(&mut self, open: *mut UpBox) {
        self.heap.mark_object(open);
        self.heap.mark_object(self.current);
    }

    /// A coroutine is about to run: what was scanned of it may change.
    #[inline(always)]
    pub(crate) fn barrier_thread(&mut self, t: Gc<Thread>) {
        if self.heap.gc.phase == Phase::Mark {
            self.barrier_thread_slow(t);
        }
    }

    #[cold]
    #[inline(never)]
    fn barrier_thread_slow(&mut self, mut t: Gc<Thread>) {
        /// So many may be waiting before the oldest are looked at: where coroutines run one after the other without end, so does marking
        /// otherwise.
        const MANY: usize = 16;
        if t.header.mark & BLACK == 0 {
            // Not reached yet, perhaps never: see `barrier_open`.
            if !t.open.is_null() {
                self.heap.mark_object(t.as_ptr());
            }
            return;
        }
        for _ in 0..2 {
            let gc = &mut self.heap.gc;
            if gc.remark && gc.gray_threads.len() > MANY {
                gc.threads_at %= gc.gray_threads.len();
                let other = gc.gray_threads[gc.threads_at];
                if other == self.current {
                    // In the middle of a switch.
                    gc.threads_at += 1;
                } else {
                    self.heap.settle_thread(other);
                }
            }
        }
        t.header.mark &= !BLACK;
        self.heap.gc.gray_threads.push(t.as_ptr());
    }
}

impl Collector {
    /// A coroutine runs, whether or not it went through the barrier.
    pub(super) fn note_running(&mut self, t: *mut Thread) {
        // SAFETY: running coroutines are alive.
        unsafe {
            if (*t).header.mark & (WHITES | BLACK) != 0 {
                (*t).header.mark &= !COLOURS;
                self.gray_threads.push(t);
            }
        }
    }
}

impl Heap {
    /// Scans a coroutine of `gray_threads`, the one at `threads_at`, again and takes it off the list, unless it runs.
    pub(super) fn settle_thread(&mut self, t: *mut Thread) {
        self.gc.work += 4;
        // SAFETY: threads on the list are marked, so alive.
        if unsafe { (*t).is_at_work() } {
            self.gc.threads_at += 1;
            return;
        }
        self.gc.gray_threads.swap_remove(self.gc.threads_at);
        self.rescan(t);
    }

    /// See [`Heap::rescan_thread`].
    pub(super) fn rescan(&mut self, t: *mut Thread) {
        // SAFETY: callers pass marked coroutines.
        self.rescan_thread(unsafe { Gc::from_ptr(t) });
    }
}
