//! The collector: incremental tri-colour mark and sweep.
//!
//! ```text
//!  Pause --threshold--> Mark (steps) --> atomic --> Sweep (steps) --> Pause
//! ```
//!
//! **Invariants**
//! - Colours: white (two of them; the one that is not `white` is the colour of the dead during a sweep), gray
//!   (neither bit), black. While marking, a black object never points to a white one, except: tables on
//!   `gray_again`, coroutine stacks (rescanned in the atomic step if they ran), and weak references.
//! - A large table turns black when its scan *begins* and is scanned in chunks; stores into it mark the new value
//!   at once (forward barrier), and so does a node that moves, so what has been scanned stays right. Small tables turn gray again when stored to.
//! - Objects made while sweeping have the current white and survive.
//! - The work of one step is bounded by `STEP_WORK` plus one chunk, in every phase but the atomic one, whose
//!   work is: stacks of coroutines that ran since they were scanned, weak tables, and the list of finalizable objects.

use super::{Gc, Header, Heap, object_size};
use crate::function::{LuaClosure, NativeClosure, Proto, UpBox};
use crate::native::Thrown;
use crate::string::Str;
use crate::table::{KIND_SPLIT, Node, Place, Slot, Table};
use crate::thread::{Thread, ThreadState};
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::collections::{HashMap, VecDeque};

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
    pub const COLOURS: u8 = WHITES | BLACK;
}
use mark_bits::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Pause,
    Mark,
    SweepPages,
    SweepLarge,
}

/// Work of one step, in units of about one slot (16 bytes) looked at.
const STEP_WORK: usize = 16 * 1024;
/// Bytes allocated between two steps of a cycle.
const STEP_BYTES: usize = 64 * 1024;
/// Slots of a table or stack scanned at once.
const CHUNK: usize = 2048;
/// Tables above this many slots take the forward barrier.
const LARGE_TABLE: usize = CHUNK;
/// The first collection starts here.
const FIRST_THRESHOLD: usize = 256 * 1024;

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
    /// Growth before the next cycle, in percent of what survived the last one.
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
    gray: Vec<Gray>,
    gray_again: Vec<*mut Header>,
    weak_values: Vec<*mut Table>,
    ephemerons: Vec<*mut Table>,
    all_weak: Vec<*mut Table>,
    waiting_for_key: HashMap<usize, Vec<Val>>,
    /// Values whose key has been marked, to be marked next.
    released: Vec<Val>,
    /// The running coroutine and the end of what is live on its stack, where that is known to be less than its
    /// frame's registers: a native runs (its top), or a statement is about to begin (the active variables).
    pub(crate) live_end: Option<(*mut Thread, usize)>,
    /// Objects with finalizers, oldest first.
    pub(crate) finalizable: Vec<Val>,
    /// The VM is closing: objects made from now on get no finalizer.
    pub(crate) closing: bool,
    /// Dead objects whose finalizers are to be called, in this order.
    pub(crate) to_finalize: VecDeque<Val>,
    /// Threads with open captured variables.
    pub(crate) open_threads: Vec<*mut Thread>,
    /// The string `__mode`.
    pub(crate) mode_name: *mut Str,
    sweep_at: usize,
    in_atomic: bool,
    /// A collection is running (allocations in it would be a bug).
    busy: bool,
    /// Completed cycles.
    pub(crate) cycles: u64,
    /// The most work one step has done, in slots, and how many steps there were.
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
            pause_percent: 100,
            step_percent: 100,
            generational: false,
            whole_steps: false,
            parameters: crate::stdlib::gc::default_parameters(),
            owed: 0,
            gray: Vec::new(),
            gray_again: Vec::new(),
            weak_values: Vec::new(),
            ephemerons: Vec::new(),
            all_weak: Vec::new(),
            waiting_for_key: HashMap::new(),
            released: Vec::new(),
            live_end: None,
            finalizable: Vec::new(),
            closing: false,
            to_finalize: VecDeque::new(),
            open_threads: Vec::new(),
            mode_name: std::ptr::null_mut(),
            sweep_at: 0,
            in_atomic: false,
            busy: false,
            cycles: 0,
            max_step_work: 0,
            steps: 0,
        }
    }

    /// A string found in the intern table may be dead and not swept yet: it is alive again.
    #[inline(always)]
    pub(crate) fn revive(&self, h: &mut Header) {
        if self.phase >= Phase::SweepPages && h.mark & WHITES == self.white ^ WHITES {
            h.mark = h.mark & !WHITES | self.white;
        }
    }

    #[inline(always)]
    fn is_dead(&self, h: *mut Header) -> bool {
        // SAFETY: callers pass objects that have not been swept.
        unsafe { (*h).mark & WHITES == self.white ^ WHITES }
    }
}

impl PartialOrd for Phase {
    fn partial_cmp(&self, other: &Phase) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

#[inline(always)]
fn is_white(h: *mut Header) -> bool {
    // SAFETY: callers pass live objects.
    unsafe { (*h).mark & WHITES != 0 }
}

#[inline(always)]
fn is_white_object(v: Val) -> bool {
    v.is_object() && is_white(v.header())
}

impl Heap {
    #[inline(always)]
    fn mark(&mut self, v: Val) {
        if v.is_object() && is_white(v.header()) {
            self.mark_white(v.header());
        }
    }

    fn mark_object<T>(&mut self, p: *mut T) {
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
        // SAFETY: `h` is a live object.
        unsafe {
            (*h).mark &= !COLOURS;
            if (*h).mark & EPHEMERON_KEY != 0 {
                (*h).mark &= !EPHEMERON_KEY;
                let waiting = self
                    .gc
                    .waiting_for_key
                    .remove(&(h as usize))
                    .unwrap_or_default();
                self.gc
                    .released
                    .extend(waiting.into_iter().filter(|v| v.is_object()));
            }
            if (*h).kind == tag::STR {
                (*h).mark |= BLACK;
            } else {
                self.gc.gray.push(Gray { object: h, from: 0 });
            }
        }
    }

    /// What a table's metatable says in `__mode`: (weak keys, weak values).
    fn weak_mode(&self, t: Gc<Table>) -> (bool, bool) {
        let (Some(meta), Some(name)) = (
            Gc::from_nullable(t.meta),
            Gc::from_nullable(self.gc.mode_name),
        ) else {
            return (false, false);
        };
        match meta.get_interned(name).as_str() {
            None => (false, false),
            Some(mode) => (
                mode.as_bytes().contains(&b'k'),
                mode.as_bytes().contains(&b'v'),
            ),
        }
    }

    /// Scans one gray object, or one chunk of it; returns the work done.
    fn scan_one(&mut self) -> usize {
        let Some(Gray { object, from }) = self.gc.gray.pop() else {
            return 0;
        };
        // SAFETY: gray objects are alive, and their kind tells their type.
        unsafe {
            match (*object).kind {
                tag::TABLE => self.scan_table(Gc::from_ptr(object as *mut Table), from as usize),
                tag::LCLOSURE => {
                    (*object).mark |= BLACK;
                    let c = &*(object as *mut LuaClosure);
                    self.mark_object(c.proto);
                    for i in 0..c.count() {
                        self.mark(*c.upvalue_ptr(i));
                    }
                    c.count() + 2
                }
                tag::NCLOSURE => {
                    (*object).mark |= BLACK;
                    let c = &*(object as *mut NativeClosure);
                    for i in 0..c.count() {
                        self.mark(*c.upvalue_ptr(i));
                    }
                    c.count() + 2
                }
                tag::PROTO => {
                    (*object).mark |= BLACK;
                    let p = &mut *(object as *mut Proto);
                    if !p.cached.is_null() && is_white(p.cached as *mut Header) {
                        p.cached = std::ptr::null_mut();
                    }
                    for v in p.constants() {
                        self.mark(*v);
                    }
                    let children = p.function.children.len();
                    for i in 0..children {
                        self.mark_object(*p.children.add(i));
                    }
                    children + p.constants().len() + 4
                }
                tag::USERDATA => {
                    (*object).mark |= BLACK;
                    let u = &*(object as *mut UserDataObject);
                    self.mark_object(u.meta);
                    self.mark(u.user_value);
                    4
                }
                tag::UPBOX => {
                    let b = &*(object as *mut UpBox);
                    self.mark(*b.location);
                    if b.is_open() {
                        // Its stack slot changes without a barrier: it stays gray and is marked again at the end.
                        self.gc.gray_again.push(object);
                    } else {
                        (*object).mark |= BLACK;
                    }
                    2
                }
                tag::THREAD => self.scan_thread(Gc::from_ptr(object as *mut Thread), from as usize),
                kind => unreachable!("object of kind {kind} is gray"),
            }
        }
    }

    fn scan_thread(&mut self, mut t: Gc<Thread>, from: usize) -> usize {
        let active = t.state == ThreadState::Active;
        if from == 0 {
            t.header.mark |= BLACK;
            self.mark_object(t.globals);
            self.mark_object(t.resumer);
            self.mark_object(t.leaf);
            if let Some(hook) = &t.hook {
                let function = hook.function;
                self.mark(function);
            }
        }
        let extent = match self.gc.live_end {
            Some((thread, end)) if thread == t.as_ptr() => end.min(t.stack_size as usize),
            _ => t.extent(),
        };
        let end = if self.gc.in_atomic {
            extent
        } else {
            extent.min(from + CHUNK)
        };
        for i in from..end {
            self.mark(t.get(i));
        }
        if end < extent {
            self.gc.gray.push(Gray {
                object: t.header(),
                from: end as u32,
            });
        } else {
            t.clear_from(extent);
            if !active {
                let freed = t.shrink(&mut self.parts);
                self.uncharge(freed);
            }
            // A thread keeps its open variables alive: they are linked into its list.
            let mut open = t.open;
            while !open.is_null() {
                self.mark_object(open);
                // SAFETY: boxes on the list are alive.
                open = unsafe { (*open).next_open() };
            }
            if active && !self.gc.in_atomic {
                // It goes on running: look again at the end.
                t.header.mark &= !BLACK;
                self.gc.gray_again.push(t.header());
            }
        }
        end.saturating_sub(from) + 8
    }

    fn scan_table(&mut self, mut t: Gc<Table>, from: usize) -> usize {
        if from == 0 {
            self.mark_object(t.meta);
            match self.weak_mode(t) {
                (false, false) => {}
                (weak_keys, weak_values) => {
                    // Weak tables are looked at when everything strong is marked.
                    let list = match (weak_keys, weak_values) {
                        (true, true) => &mut self.gc.all_weak,
                        (true, false) => &mut self.gc.ephemerons,
                        _ => &mut self.gc.weak_values,
                    };
                    list.push(t.as_ptr());
                    return 4;
                }
            }
            t.header.mark |= BLACK;
        }
        let total = t.slot_count();
        let end = total.min(from + CHUNK);
        if t.header.extra & KIND_SPLIT != 0 {
            for i in from..end {
                match t.place(i) {
                    Place::Slot(slot) => self.mark(slot.get()),
                    Place::Node(n) => self.scan_node(n),
                }
            }
        } else {
            let array = t.array_size as usize;
            for i in from..end.min(array) {
                self.mark(t.array_slot(i).get());
            }
            for i in from.max(array)..end {
                self.scan_node(t.node((i - array) as u32));
            }
        }
        if end < total {
            self.gc.gray.push(Gray {
                object: t.header(),
                from: end as u32,
            });
        }
        end.saturating_sub(from) + 4
    }

    fn scan_node(&mut self, n: *mut Node) {
        // SAFETY: `n` is a node of a live table.
        unsafe {
            if (*n).val_tag == tag::NIL {
                kill_key(n);
            } else {
                self.mark(Val {
                    payload: (*n).key,
                    tag: (*n).key_tag,
                });
                self.mark(Val {
                    payload: (*n).val,
                    tag: (*n).val_tag,
                });
            }
        }
    }

    /// Brings the charge for the lists of objects with finalizers in line with what they take.
    fn recount_lists(&mut self) {
        let slots = self.gc.finalizable.capacity() + self.gc.to_finalize.capacity();
        let bytes = slots * size_of::<Val>();
        self.used = self.used + bytes - self.lists;
        self.lists = bytes;
    }

    fn drain_gray(&mut self) -> usize {
        let mut work = 0;
        while !self.gc.gray.is_empty() {
            work += self.scan_one();
        }
        work
    }

    /// Marks what weak tables hold strongly, until nothing new is reached.
    fn settle_weak(&mut self) -> usize {
        let mut work = self.drain_gray();
        let (mut values_done, mut keys_done) = (0, 0);
        loop {
            if values_done < self.gc.weak_values.len() {
                // SAFETY: tables on the lists are marked, so alive.
                let t = unsafe { Gc::from_ptr(self.gc.weak_values[values_done]) };
                values_done += 1;
                work += t.slot_count();
                each_node(t, |n| {
                    // SAFETY: a node of a live table, whose value is not nil.
                    let key = unsafe {
                        Val {
                            payload: (*n).key,
                            tag: (*n).key_tag,
                        }
                    };
                    self.mark(key);
                });
            } else if keys_done < self.gc.ephemerons.len() {
                // SAFETY: as above.
                let t = unsafe { Gc::from_ptr(self.gc.ephemerons[keys_done]) };
                keys_done += 1;
                work += t.slot_count();
                each_slot(t, |slot| self.mark(slot.get()));
                each_node(t, |n| self.mark_ephemeron(n));
            } else {
                return work;
            }
            work += self.drain_gray();
        }
    }

    fn mark_ephemeron(&mut self, n: *mut Node) {
        // SAFETY: a node of a live table, whose value is not nil.
        let (key, val) = unsafe {
            (
                Val {
                    payload: (*n).key,
                    tag: (*n).key_tag,
                },
                Val {
                    payload: (*n).val,
                    tag: (*n).val_tag,
                },
            )
        };
        if !is_white_object(key) {
            self.mark(val);
        } else if key.is_str() {
            self.mark(key);
            self.mark(val);
        } else if is_white_object(val) {
            // SAFETY: the key is a live object.
            unsafe { (*key.header()).mark |= EPHEMERON_KEY };
            self.gc
                .waiting_for_key
                .entry(key.payload as usize)
                .or_default()
                .push(val);
        }
    }

    /// Whether a weak reference to `v` must go. Strings are values: never removed.
    fn is_cleared(&mut self, v: Val) -> bool {
        if !v.is_object() {
            return false;
        }
        if v.is_str() {
            self.mark(v);
            return false;
        }
        is_white(v.header())
    }

    fn clear_values(&mut self, tables: &[*mut Table]) {
        for &t in tables {
            // SAFETY: tables on the lists are marked, so alive.
            let t = unsafe { Gc::from_ptr(t) };
            each_slot(t, |slot| {
                if self.is_cleared(slot.get()) {
                    slot.set(Val::NIL);
                }
            });
            each_node(t, |n| {
                // SAFETY: a node of a live table.
                unsafe {
                    if self.is_cleared(Val {
                        payload: (*n).val,
                        tag: (*n).val_tag,
                    }) {
                        (*n).val_tag = tag::NIL;
                    }
                }
            });
            each_empty_node(t, kill_key);
        }
    }

    fn clear_keys(&mut self, tables: &[*mut Table]) {
        for &t in tables {
            // SAFETY: as in `clear_values`.
            let t = unsafe { Gc::from_ptr(t) };
            each_node(t, |n| {
                // SAFETY: a node of a live table.
                unsafe {
                    if self.is_cleared(Val {
                        payload: (*n).key,
                        tag: (*n).key_tag,
                    }) {
                        (*n).val_tag = tag::NIL;
                    }
                }
            });
            each_empty_node(t, kill_key);
        }
    }

    /// Frees one object.
    fn free(&mut self, h: *mut Header, in_page: bool) {
        // SAFETY: the object is dead: nothing refers to it any more. Its kind tells its type.
        unsafe {
            let size = object_size(h);
            let mut parts = 0;
            match (*h).kind {
                tag::STR => {
                    let s: Gc<Str> = Gc::from_ptr(h as *mut Str);
                    if s.is_interned() {
                        self.strings.remove(s);
                    }
                }
                tag::TABLE => parts = (*(h as *mut Table)).release_parts(&mut self.parts),
                tag::THREAD => {
                    let t = h as *mut Thread;
                    parts = (*t).release_stacks(&mut self.parts);
                    std::ptr::drop_in_place(&raw mut (*t).to_close);
                }
                tag::PROTO => {
                    let p = &mut *(h as *mut Proto);
                    let (constants, children) =
                        (p.constant_count as usize, p.function.children.len());
                    parts = constants * size_of::<Val>() + children * size_of::<*mut Proto>();
                    drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(
                        p.constants as *mut crate::function::ConstantSlot,
                        constants,
                    )));
                    drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(
                        p.children, children,
                    )));
                    std::ptr::drop_in_place(&raw mut p.function);
                    if let Some(code) = p.private.take()
                        && std::rc::Rc::strong_count(&code) == 1
                    {
                        parts += *code;
                    }
                }
                tag::USERDATA => {
                    parts = (*h).aux as usize;
                    std::ptr::drop_in_place(&raw mut (*(h as *mut UserDataObject)).data)
                }
                _ => {}
            }
            self.uncharge(size + parts);
            if self.quarantine {
                // Poison everything but the header, whose kind says free; the cell is never used again.
                std::ptr::write_bytes(
                    (h as *mut u8).add(size_of::<Header>()),
                    0xDB,
                    size - size_of::<Header>(),
                );
            }
            (*h).kind = 0;
            match (in_page, self.quarantine) {
                (true, _) => {}
                (false, true) => self.quarantined.push((h, size)),
                (false, false) => dealloc_large(h, size),
            }
        }
    }

    fn sweep_page(&mut self) -> usize {
        let (memory, cell, used) = self.pages.cells(self.gc.sweep_at);
        let white = self.gc.white;
        let mut freed = false;
        for i in 0..used {
            // SAFETY: cells below the bump mark are initialised.
            unsafe {
                let h = memory.add(i * cell) as *mut Header;
                if (*h).kind == 0 {
                    continue;
                }
                if self.gc.is_dead(h) {
                    self.free(h, true);
                    freed = true;
                } else {
                    (*h).mark = (*h).mark & !COLOURS | white;
                }
            }
        }
        if freed && !self.quarantine {
            self.pages.relink(self.gc.sweep_at);
        }
        self.gc.sweep_at += 1;
        used + 1
    }

    fn sweep_large_one(&mut self) -> usize {
        let h = self.large[self.gc.sweep_at];
        if self.gc.is_dead(h) {
            self.large.swap_remove(self.gc.sweep_at);
            self.free(h, false);
            return 16;
        }
        // SAFETY: the object is alive.
        unsafe { (*h).mark = (*h).mark & !COLOURS | self.gc.white };
        self.gc.sweep_at += 1;
        1
    }

    /// One piece of sweeping; returns the work done. Ends the cycle when nothing is left.
    fn sweep_some(&mut self) -> usize {
        match self.gc.phase {
            Phase::SweepPages if self.gc.sweep_at < self.pages.count() => self.sweep_page(),
            Phase::SweepPages => {
                self.gc.phase = Phase::SweepLarge;
                self.gc.sweep_at = 0;
                1
            }
            Phase::SweepLarge if self.gc.sweep_at < self.large.len() => self.sweep_large_one(),
            Phase::SweepLarge => {
                self.gc.phase = Phase::Pause;
                self.gc.cycles += 1;
                1
            }
            _ => unreachable!("not sweeping"),
        }
    }

    /// Frees every object: the VM is going away.
    pub(crate) fn free_everything(&mut self) {
        self.quarantine = false;
        for id in 0..self.pages.count() {
            let (memory, cell, used) = self.pages.cells(id);
            for i in 0..used {
                // SAFETY: cells below the bump mark are initialised. Strings own nothing: they go with their page.
                unsafe {
                    let h = memory.add(i * cell) as *mut Header;
                    if (*h).kind != 0 && (*h).kind != tag::STR {
                        self.free(h, true);
                    }
                }
            }
        }
        for h in std::mem::take(&mut self.large) {
            self.free(h, false);
        }
        for (h, size) in std::mem::take(&mut self.quarantined) {
            // SAFETY: it was freed by the collector, which left its memory.
            unsafe { dealloc_large(h, size) };
        }
    }
}

/// Gives the memory of an object outside pages back.
///
/// # Safety
/// Nothing uses the object any more; it has this size.
unsafe fn dealloc_large(h: *mut Header, size: usize) {
    // SAFETY: the caller's promise; `allocate_large` took it with this alignment.
    unsafe {
        let layout = std::alloc::Layout::from_size_align_unchecked(size, 16);
        std::alloc::dealloc(h as *mut u8, layout);
    }
}

fn kill_key(n: *mut Node) {
    // SAFETY: callers pass nodes of live tables (never the shared empty node, which has a nil key).
    unsafe {
        if (*n).key_tag >= tag::STR {
            (*n).key_tag = tag::DEAD_KEY;
        }
    }
}

fn each_slot(t: Gc<Table>, mut f: impl FnMut(Slot)) {
    for i in 0..t.slot_count() {
        match t.place(i) {
            Place::Slot(slot) => f(slot),
            Place::Node(_) => {}
        }
    }
}

fn each_node(t: Gc<Table>, mut f: impl FnMut(*mut Node)) {
    for i in 0..t.slot_count() {
        match t.place(i) {
            // SAFETY: a node of the table.
            Place::Node(n) if unsafe { (*n).val_tag } != tag::NIL => f(n),
            _ => {}
        }
    }
}

fn each_empty_node(t: Gc<Table>, mut f: impl FnMut(*mut Node)) {
    for i in 0..t.slot_count() {
        match t.place(i) {
            // SAFETY: a node of the table.
            Place::Node(n) if unsafe { (*n).val_tag } == tag::NIL => f(n),
            _ => {}
        }
    }
}

/// Bit of a thread's `header.flags`: it is on `open_threads`.
pub(crate) const HAS_OPEN: u8 = 1;

/// Gives every open captured variable of a thread its own copy of the value.
pub(crate) fn close_all_boxes(t: &mut Thread) {
    let mut open = t.open;
    t.open = std::ptr::null_mut();
    while !open.is_null() {
        // SAFETY: a thread keeps the boxes on its list alive, and this runs before a sweep frees either.
        unsafe {
            let next = (*open).next_open();
            (*open).closed = *(*open).location;
            (*open).location = &raw mut (*open).closed;
            open = next;
        }
    }
}

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
        if t.slot_count() > LARGE_TABLE || self.heap.gc.in_atomic {
            self.heap.mark(v);
        } else {
            t.header.mark &= !BLACK;
            self.heap.gc.gray_again.push(t.header());
        }
    }

    /// As `barrier_table`, for the key of a new entry.
    #[inline(always)]
    pub(crate) fn barrier_key(&mut self, t: Gc<Table>, key: Val) {
        self.barrier_table(t, key);
    }

    /// An entry of a table moved to another node: a scan in progress may be past it already.
    pub(crate) fn barrier_moved(&mut self, t: Gc<Table>, node: *mut Node) {
        if t.header.mark & BLACK != 0 && self.heap.gc.phase == Phase::Mark {
            // SAFETY: the node is live.
            unsafe {
                self.heap.mark(Val {
                    payload: (*node).key,
                    tag: (*node).key_tag,
                });
                self.heap.mark(Val {
                    payload: (*node).val,
                    tag: (*node).val_tag,
                });
            }
        }
    }

    /// As [`Vm::barrier_moved`], for an entry that moves to another part.
    pub(crate) fn mark_moved(&mut self, t: Gc<Table>, key: Val, val: Val) {
        if t.header.mark & BLACK != 0 && self.heap.gc.phase == Phase::Mark {
            self.heap.mark(key);
            self.heap.mark(val);
        }
    }

    /// A table's parts were replaced: a scan in progress has lost its place.
    pub(crate) fn barrier_resized(&mut self, t: Gc<Table>) {
        if t.header.mark & BLACK != 0 && self.heap.gc.phase == Phase::Mark {
            self.heap.gc.gray.push(Gray {
                object: t.header(),
                from: 0,
            });
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
            self.heap.mark(v);
        }
    }

    /// A coroutine is about to run: what was scanned of it may change.
    #[inline(always)]
    pub(crate) fn barrier_thread(&mut self, mut t: Gc<Thread>) {
        if t.header.mark & BLACK != 0 && self.heap.gc.phase == Phase::Mark {
            t.header.mark &= !BLACK;
            self.heap.gc.gray_again.push(t.header());
        }
    }

    fn mark_roots(&mut self) {
        let heap = &mut self.heap;
        heap.mark_object(self.main);
        heap.mark_object(self.current);
        for v in self.metatables {
            heap.mark_object(v);
        }
        heap.mark(self.thrown);
        for v in self.roots.iter().chain(&self.scratch).chain(&self.handles) {
            heap.mark(*v);
        }
        for i in 0..self.heap.gc.to_finalize.len() {
            let v = self.heap.gc.to_finalize[i];
            self.heap.mark(v);
        }
    }

    fn start_cycle(&mut self) {
        debug_assert!(self.heap.gc.gray.is_empty() && self.heap.gc.gray_again.is_empty());
        self.heap.gc.phase = Phase::Mark;
        self.mark_roots();
    }

    /// The end of marking: everything that can change without a barrier is looked at once more.
    fn atomic(&mut self) -> usize {
        self.heap.gc.in_atomic = true;
        self.mark_roots();
        let mut thread = self.current;
        while !thread.is_null() {
            // The running coroutines have no barrier at all.
            // SAFETY: `current` and its resumers are alive.
            unsafe {
                (*thread).header.mark &= !COLOURS;
                self.heap.gc.gray.push(Gray {
                    object: thread as *mut Header,
                    from: 0,
                });
                thread = (*thread).resumer;
            }
        }
        let mut work = self.heap.drain_gray();
        let mut open_boxes = Vec::new();
        while let Some(object) = self.heap.gc.gray_again.pop() {
            // SAFETY: objects on the list are marked, so alive.
            unsafe {
                if (*object).kind == tag::UPBOX {
                    open_boxes.push(object);
                } else if (*object).mark & COLOURS == 0 {
                    self.heap.gc.gray.push(Gray { object, from: 0 });
                }
            }
            work += self.heap.drain_gray();
        }
        // Open variables: their slots are final now (no code runs until the sweep).
        for object in open_boxes {
            // SAFETY: as above.
            unsafe {
                (*object).mark |= BLACK;
                self.heap.mark(*(*(object as *mut UpBox)).location);
            }
        }
        work += self.heap.settle_weak();
        // `gray_again` may have got open boxes found just now.
        while let Some(object) = self.heap.gc.gray_again.pop() {
            // SAFETY: as above.
            unsafe {
                (*object).mark |= BLACK;
                if (*object).kind == tag::UPBOX {
                    self.heap.mark(*(*(object as *mut UpBox)).location);
                }
            }
            work += self.heap.settle_weak();
        }
        let values: Vec<_> = self
            .heap
            .gc
            .weak_values
            .iter()
            .chain(&self.heap.gc.all_weak)
            .copied()
            .collect();
        self.heap.clear_values(&values);
        work += self.separate_finalizable();
        work += self.heap.settle_weak();
        while let Some(object) = self.heap.gc.gray_again.pop() {
            // SAFETY: as above.
            unsafe { (*object).mark |= BLACK };
        }
        let keys: Vec<_> = self
            .heap
            .gc
            .ephemerons
            .iter()
            .chain(&self.heap.gc.all_weak)
            .copied()
            .collect();
        self.heap.clear_keys(&keys);
        let values: Vec<_> = self
            .heap
            .gc
            .weak_values
            .iter()
            .chain(&self.heap.gc.all_weak)
            .copied()
            .collect();
        self.heap.clear_values(&values);
        self.finish_atomic();
        work
    }

    fn finish_atomic(&mut self) {
        let gc = &mut self.heap.gc;
        for (address, _) in gc.waiting_for_key.drain() {
            // SAFETY: keys in the map have not been swept.
            unsafe { (*(address as *mut Header)).mark &= !EPHEMERON_KEY };
        }
        for t in gc
            .weak_values
            .drain(..)
            .chain(gc.ephemerons.drain(..))
            .chain(gc.all_weak.drain(..))
        {
            // Weak tables were left gray: black, so that the sweep whitens them like everything alive.
            // SAFETY: marked, so alive.
            unsafe { (*t).header.mark |= BLACK };
        }
        debug_assert!(gc.gray.is_empty());
        gc.open_threads.retain(|t| {
            // SAFETY: threads on the list have not been swept.
            let t = unsafe { &mut **t };
            if is_white(&raw mut t.header) {
                close_all_boxes(t);
            }
            if t.open.is_null() {
                t.header.flags &= !HAS_OPEN;
            }
            !t.open.is_null()
        });
        gc.white ^= WHITES;
        gc.phase = Phase::SweepPages;
        self.heap.parts.keep_for(self.heap.used);
        gc.sweep_at = 0;
        gc.in_atomic = false;
    }

    /// Moves dead objects with finalizers to the queue, newest first, and marks them.
    fn separate_finalizable(&mut self) -> usize {
        let all = std::mem::take(&mut self.heap.gc.finalizable);
        let work = all.len();
        let (dead, alive): (Vec<Val>, Vec<Val>) =
            all.into_iter().partition(|v| is_white(v.header()));
        self.heap.gc.finalizable = alive;
        self.heap.recount_lists();
        for v in dead.into_iter().rev() {
            self.heap.mark(v);
            self.heap.gc.to_finalize.push_back(v);
        }
        work
    }

    /// A bounded piece of collection work. Not called from allocations.
    pub(crate) fn collect_step(&mut self) {
        if self.heap.gc.stopped {
            self.heap.gc.threshold = usize::MAX;
            self.heap.update_trigger();
            return;
        }
        self.collect_some(STEP_WORK * self.heap.gc.step_percent.clamp(50, 1000) / 100);
        if self.heap.gc.phase != Phase::Pause {
            self.heap.gc.threshold = self.heap.used + STEP_BYTES;
        }
        self.heap.update_trigger();
    }

    /// Works off about `budget` units; true when a cycle ended.
    pub(crate) fn collect_some(&mut self, budget: usize) -> bool {
        if self.heap.gc.busy {
            return false;
        }
        self.heap.gc.busy = true;
        self.heap.gc.live_end = self.live_end(true);
        let cycles = self.heap.gc.cycles;
        let mut work = 0;
        while work < budget && self.heap.gc.cycles == cycles {
            work += self.collect_piece();
        }
        let ended = self.heap.gc.cycles != cycles;
        if self.heap.verify {
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
        self.heap.gc.max_step_work = self.heap.gc.max_step_work.max(work);
        self.heap.gc.steps += 1;
        // Collection is charged to whoever allocates: about one instruction for two slots.
        let fuel = self.heap.fuel_left() - (work / 2) as i64;
        self.heap.set_fuel(fuel);
        self.heap.gc.busy = false;
        ended
    }

    fn collect_piece(&mut self) -> usize {
        match self.heap.gc.phase {
            Phase::Pause => {
                self.start_cycle();
                16
            }
            Phase::Mark => {
                if self.heap.gc.gray.is_empty() {
                    self.atomic()
                } else {
                    self.heap.scan_one()
                }
            }
            Phase::SweepPages | Phase::SweepLarge => self.heap.sweep_some(),
        }
    }

    fn set_next_cycle(&mut self) {
        let used = self.heap.used;
        let growth = (used / 100).saturating_mul(self.heap.gc.pause_percent);
        self.heap.gc.threshold = used + growth.max(FIRST_THRESHOLD / 2);
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
        let gc = &mut self.heap.gc;
        gc.gray.clear();
        gc.gray_again.clear();
        gc.weak_values.clear();
        gc.ephemerons.clear();
        gc.all_weak.clear();
        gc.phase = Phase::SweepPages;
        gc.sweep_at = 0;
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

    /// A full collection: gives up a mark under way (or finishes a sweep) and runs one whole cycle. Calls no finalizer (they are
    /// queued), so it may happen inside any allocation.
    pub(crate) fn collect_everything(&mut self) {
        if self.heap.gc.busy {
            return;
        }
        self.heap.gc.busy = true;
        let fuel = self.heap.fuel_left();
        self.heap.gc.live_end = self.live_end(false);
        let mut work = 0;
        if self.heap.gc.phase == Phase::Mark {
            self.abandon_mark();
        }
        if self.heap.gc.phase != Phase::Pause {
            let cycles = self.heap.gc.cycles;
            while self.heap.gc.cycles == cycles {
                work += self.collect_piece();
            }
        }
        let cycles = self.heap.gc.cycles;
        while self.heap.gc.cycles == cycles {
            work += self.collect_piece();
        }
        self.set_next_cycle();
        self.heap.set_fuel(fuel - (work / 2) as i64);
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
        let gc = &mut self.heap.gc;
        gc.closing = true;
        let all = std::mem::take(&mut gc.finalizable);
        gc.to_finalize.extend(all.into_iter().rev());
    }

    /// Takes the next object to finalize; it may be registered again afterwards.
    pub(crate) fn next_to_finalize(&mut self) -> Option<Val> {
        let v = self.heap.gc.to_finalize.pop_front()?;
        // SAFETY: queued objects are roots, so alive.
        unsafe { (*v.header()).mark &= !FINALIZER };
        Some(v)
    }
}
