//! Marking: gray objects are scanned, one by one or in chunks, until nothing white is reachable.
//!
//! **Invariants**
//! - `scan_one` does at most a chunk's work ([`CHUNK`] slots, and what marking their objects costs).
//! - An object that is to be scanned further is on the gray list with the place; a table whose parts changed since is begun again
//!   (`barrier_resized`), a stack may change at any time: coroutines that run are looked at again at the end of marking.

use super::mark_bits::*;
use super::{CHUNK, Gray, MARK_WORK, Weakness};
use crate::function::{LuaClosure, NativeClosure, Proto, UpBox};
use crate::heap::{Gc, Header, Heap, prefetch};
use crate::table::{KIND_LAYERED, Node, Run, TAGS, Table, have_objects, slot_of};
use crate::thread::frame_flags::SCANNED_BELOW;
use crate::thread::thread_bits::IDLE;
use crate::thread::{Thread, ThreadState};
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};

#[inline(always)]
pub(super) fn is_white(h: *mut Header) -> bool {
    // SAFETY: callers pass live objects.
    unsafe { (*h).mark & WHITES != 0 }
}

#[inline(always)]
pub(super) fn is_white_object(v: Val) -> bool {
    v.is_object() && is_white(v.header())
}

/// Objects that are to be marked soon: what has been seen of them is their address. By the time that an object comes out at the other end, its
/// header has been fetched into the cache. (Waiting for memory is most of what marking does otherwise.)
pub(super) struct Pending {
    ring: [*mut Header; PENDING],
    at: usize,
}

const PENDING: usize = 16;

impl Pending {
    pub(super) fn new() -> Pending {
        Pending {
            ring: [std::ptr::null_mut(); PENDING],
            at: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Pending::new();
    }
}

impl Heap {
    /// Marks a value that a scan has come upon, or rather the one that it came upon some values ago.
    #[inline(always)]
    fn mark_soon(&mut self, v: Val) {
        if !v.is_object() {
            return;
        }
        let h = v.header();
        prefetch(h);
        let pending = &mut self.gc.pending;
        let slot = &mut pending.ring[pending.at % PENDING];
        let old = std::mem::replace(slot, h);
        pending.at = pending.at.wrapping_add(1);
        if !old.is_null() && is_white(old) {
            self.mark_white(old);
        }
    }

    /// Marks all that is pending.
    pub(super) fn mark_pending(&mut self) {
        for i in 0..PENDING {
            let h = std::mem::replace(&mut self.gc.pending.ring[i], std::ptr::null_mut());
            self.mark_object(h);
        }
    }

    #[inline(always)]
    pub(crate) fn mark(&mut self, v: Val) {
        if v.is_object() && is_white(v.header()) {
            self.mark_white(v.header());
        }
    }

    pub(crate) fn mark_object<T>(&mut self, p: *mut T) {
        let h = p as *mut Header;
        if !p.is_null() && is_white(h) {
            self.mark_white(h);
        }
    }

    fn mark_white(&mut self, h: *mut Header) {
        self.mark_one(h);
        // What waited for a key that is marked now; a list, because each may be the key of the next.
        while let Some(v) = self.gc.released.pop() {
            if is_white(v.header()) {
                self.mark_one(v.header());
            }
        }
    }

    fn mark_one(&mut self, h: *mut Header) {
        self.gc.work += MARK_WORK;
        // SAFETY: `h` is a live object.
        unsafe {
            let mark = (*h).mark & !COLOURS | self.gc.resurrected;
            (*h).mark = mark & !EPHEMERON_KEY;
            if mark & EPHEMERON_KEY != 0 {
                let waiting = self.gc.waiting_for_key.remove(&(h as usize));
                if let Some(waiting) = waiting {
                    self.gc.released.extend_from_slice(waiting.values());
                }
            }
            if (*h).kind == tag::STR {
                (*h).mark |= BLACK;
            } else {
                if (*h).kind == tag::TABLE {
                    let t = h as *mut Table;
                    prefetch((*t).array);
                    prefetch((*t).nodes);
                }
                self.push_gray(h, 0);
            }
        }
    }

    /// What a table's metatable says in `__mode`.
    fn weakness_of(&self, t: Gc<Table>) -> Weakness {
        let (Some(meta), Some(name)) = (
            Gc::from_nullable(t.meta),
            Gc::from_nullable(self.gc.mode_name),
        ) else {
            return Weakness::NONE;
        };
        if t.header.extra & KIND_LAYERED != 0 {
            return Weakness::NONE;
        }
        match meta.get_interned(name).as_str() {
            None => Weakness::NONE,
            Some(mode) => Weakness {
                keys: mode.as_bytes().contains(&b'k'),
                values: mode.as_bytes().contains(&b'v'),
                resurrected: false,
            },
        }
    }

    /// Scans one gray object, or one chunk of it.
    pub(super) fn scan_one(&mut self) {
        let Some(Gray { object, from }) = self.gc.gray.pop() else {
            return;
        };
        self.gc.work += 2;
        let from = from as usize;
        // SAFETY: gray objects are alive, and their kind tells their type.
        unsafe {
            match (*object).kind {
                tag::TABLE => self.scan_table(Gc::from_ptr(object as *mut Table), from),
                tag::LCLOSURE => {
                    (*object).mark |= BLACK;
                    let c = &*(object as *mut LuaClosure);
                    self.mark_object(c.proto);
                    for i in 0..c.count() {
                        self.mark_soon(*c.upvalue_ptr(i));
                    }
                    self.gc.work += c.count();
                }
                tag::NCLOSURE => {
                    (*object).mark |= BLACK;
                    let c = &*(object as *mut NativeClosure);
                    for i in 0..c.count() {
                        self.mark(*c.upvalue_ptr(i));
                    }
                    self.gc.work += c.count();
                }
                tag::PROTO => self.scan_proto(object as *mut Proto, from),
                tag::USERDATA => {
                    (*object).mark |= BLACK;
                    let u = &*(object as *mut UserDataObject);
                    self.mark_object(u.meta);
                    self.mark(u.user_value);
                }
                tag::UPBOX => {
                    (*object).mark |= BLACK;
                    let b = &*(object as *mut UpBox);
                    // The slot of an open one changes with its stack, which is looked at again, or through a box, with a barrier.
                    self.mark(*b.location);
                    if b.is_open() {
                        // A thread keeps its open variables alive: each leads to the next.
                        self.mark_object(b.next_open());
                    }
                }
                tag::THREAD => self.scan_thread(Gc::from_ptr(object as *mut Thread), from),
                kind => unreachable!("object of kind {kind} is gray"),
            }
        }
    }

    fn scan_proto(&mut self, p: *mut Proto, from: usize) {
        // SAFETY: a live prototype.
        unsafe {
            (*p).header.mark |= BLACK;
            if from == 0 && !(*p).cached.is_null() && is_white((*p).cached as *mut Header) {
                (*p).cached = std::ptr::null_mut();
            }
            let constants = (*p).constant_count as usize;
            let total = constants + (&*p).function.children.len();
            let end = total.min(from + CHUNK);
            for i in from..end.min(constants) {
                self.mark((&*p).constants()[i]);
            }
            for i in from.max(constants)..end {
                self.mark_object(*(*p).children.add(i - constants));
            }
            self.gc.work += end.saturating_sub(from);
            if end < total {
                self.push_gray(p as *mut Header, end);
            }
        }
    }

    pub(super) fn push_gray(&mut self, object: *mut Header, from: usize) {
        self.gc.gray.push(Gray {
            object,
            from: from as u32,
        });
    }

    /// What a coroutine refers to besides its stack.
    fn mark_thread_fields(&mut self, t: Gc<Thread>) {
        self.mark_object(t.globals);
        self.mark_object(t.resumer);
        self.mark_object(t.leaf);
        if let Some(hook) = &t.hook {
            let function = hook.function;
            self.mark(function);
        }
    }

    fn live_extent(&self, t: Gc<Thread>) -> usize {
        match self.gc.live_end {
            Some((thread, end)) if thread == t.as_ptr() => end.min(t.stack_size as usize),
            _ => t.extent(),
        }
    }

    /// Marks the live ones of the slots from `from` to before `end`, and sets the dead ones to nil.
    fn scan_slots(&mut self, mut t: Gc<Thread>, from: usize, end: usize) {
        let extent = self.live_extent(t);
        for i in from..end.min(extent) {
            self.mark(t.get(i));
        }
        let dead_from = extent.clamp(from, end);
        t.clear_slots(dead_from, end);
        self.gc.work += dead_from - from + (end - dead_from) / 8;
    }

    /// Scans a coroutine: its stack frame by frame, about a chunk of it.
    ///
    /// It may run between two chunks. What it changes is above the last frame that has been there all along: there the scan goes on
    /// ([`Heap::unchanged_below`]).
    fn scan_thread(&mut self, mut t: Gc<Thread>, from: usize) {
        if from == 0 {
            t.header.mark |= BLACK;
            self.mark_thread_fields(t);
        }
        let start = self.unchanged_below(t);
        let frames = t.frames();
        let behind = frames.partition_point(|f| (f.func as usize) <= start);
        let last = frames.partition_point(|f| (f.func as usize) <= start + CHUNK);
        let is_lua = |i: &usize| !frames[*i].is_native();
        // The last Lua frame that begins in the chunk, or the next one: that of a call with very many arguments may be far away.
        let next = (behind..last)
            .rev()
            .find(is_lua)
            .or_else(|| (last..frames.len()).find(is_lua));
        if t.stack_size as usize > 2 * CHUNK
            && let Some(next) = next
        {
            let end = frames[next].func as usize;
            self.scan_slots(t, start, end);
            self.note_unchanged(t, next);
            return self.push_gray(t.header(), 1);
        }
        self.scan_slots(t, start, t.stack_size as usize);
        t.header.mark |= SCANNED;
        self.mark_object(t.open);
        if t.is_at_work() {
            // It goes on running: look again at the end.
            t.header.mark &= !BLACK;
            self.gc.gray_threads.push(t.as_ptr());
        } else if t.state == ThreadState::Active && t.header.extra & IDLE == 0 {
            // It waits for the host, which may have much for it to do: its stack is left as it is for now.
            t.header.extra |= IDLE;
        } else {
            let freed = t.shrink(&mut self.parts);
            self.uncharge(freed);
        }
    }

    /// Notes that the stack is scanned up to a Lua frame: as long as that is there, nothing below it changes (but through
    /// captured variables and the debug library, which have barriers).
    fn note_unchanged(&mut self, t: Gc<Thread>, frame: usize) {
        // SAFETY: below the frame count.
        unsafe { (*t.frame(frame)).flags |= SCANNED_BELOW };
        let noted = self.gc.scanned_frames.entry(t.as_ptr()).or_default();
        noted.push(frame as u32);
    }

    /// The slot below which nothing has changed since the stack was scanned in this cycle.
    fn unchanged_below(&mut self, t: Gc<Thread>) -> usize {
        let Some(noted) = self.gc.scanned_frames.get_mut(&t.as_ptr()) else {
            return 0;
        };
        while let Some(&i) = noted.last() {
            // A frame that came in the place of a noted one does not have the flag.
            if let Some(f) = t.frames().get(i as usize)
                && !f.is_native()
                && f.flags & SCANNED_BELOW != 0
            {
                return f.func as usize;
            }
            noted.pop();
        }
        0
    }

    /// Scans what may have changed on a stack since it was scanned first.
    ///
    /// In one piece: at most a whole stack, of a coroutine that called to its full depth between two steps.
    pub(super) fn rescan_thread(&mut self, mut t: Gc<Thread>) {
        t.header.mark &= !COLOURS;
        if t.header.mark & SCANNED == 0 {
            // The first scan has not come to its end.
            return self.push_gray(t.header(), 0);
        }
        t.header.mark |= BLACK;
        self.mark_thread_fields(t);
        let from = self.unchanged_below(t);
        let size = t.stack_size as usize;
        self.scan_slots(t, from, size);
        if size > 2 * CHUNK
            && let Some(top) = t.frames().iter().rposition(|f| !f.is_native())
            && t.frames()[top].func as usize > from
        {
            self.note_unchanged(t, top);
        }
        self.mark_object(t.open);
    }

    fn scan_table(&mut self, mut t: Gc<Table>, from: usize) {
        if let Some(weakness) = t.weakness() {
            return self.scan_weak(t, from, weakness);
        }
        if from == 0 {
            self.mark_object(t.meta);
            let weakness = self.weakness_of(t);
            if weakness != Weakness::NONE && self.hide_weak(t, weakness) {
                return self.push_gray(t.header(), 0);
            }
            t.header.mark |= BLACK;
        }
        let total = t.slot_count();
        let end = total.min(from + CHUNK);
        let mut at = from;
        while at < end {
            match t.run(at, end) {
                Run::Slots(array, first, last) => {
                    self.scan_array(array, first, last);
                    at += last - first;
                }
                Run::Nodes(nodes, n) => {
                    for i in 0..n {
                        // SAFETY: nodes of the table.
                        self.scan_node(unsafe { nodes.add(i) });
                    }
                    at += n;
                }
            }
        }
        self.gc.work += end.saturating_sub(from);
        if end < total {
            self.push_gray(t.header(), end);
        }
    }

    /// Marks what the slots from `from` to before `end` of an array part refer to.
    fn scan_array(&mut self, array: *mut u8, mut from: usize, end: usize) {
        while from < end {
            // PERF: numbers and booleans are passed over eight at a time, by their tags alone.
            // SAFETY: slots of the array part, here and below.
            if from + TAGS <= end && unsafe { !have_objects(array, from) } {
                from += TAGS;
                continue;
            }
            let stop = end.min(from + TAGS);
            for i in from..stop {
                // SAFETY: as above.
                self.mark_soon(unsafe { slot_of(array, i) }.get());
            }
            from = stop;
        }
    }

    fn scan_node(&mut self, n: *mut Node) {
        // SAFETY: `n` is a node of a live table.
        unsafe {
            if (*n).val_tag == tag::NIL {
                // SAFETY: never the shared empty node, which has a nil key.
                if (*n).key_tag >= tag::STR {
                    (*n).key_tag = tag::DEAD_KEY;
                }
            } else {
                self.mark_soon((*n).key());
                self.mark_soon((*n).value());
            }
        }
    }
}
