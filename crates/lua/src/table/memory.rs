//! The memory of array and hash parts.
//!
//! ```text
//!  a cell:  Table | nodes | payloads, tags     (the first parts of a small table)
//! ```
//!
//! A table that is made with room for a few entries has both parts in its own cell: one allocation, and entries that are in the
//! caches when the table is. A part that it outgrows is replaced by a block of its own; the place in the cell is then
//! unused until the table goes.
//!
//! **Invariants**
//! - The upper of the [`INLINE`] bits of a table's `aux` are the granules of its cell behind the object, which are charged with the
//!   object. They never change.
//! - [`ARRAY_INLINE`] and [`NODES_INLINE`] say that the part in use is the one in the cell. No such part is freed, or counted among the
//!   parts. They are not set while a table grows in pieces: [`super::split`] frees what it replaces.

use super::{DUMMY, Node, Table, dummy};
use crate::heap::Gc;
use crate::heap::parts::Parts;
use crate::native::Thrown;
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::ptr::null_mut;

/// The bits of a table's `aux` that say what is in its cell.
pub(super) const INLINE: u32 = 0x3F;
const ARRAY_INLINE: u32 = 1;
const NODES_INLINE: u32 = 2;
const GRANULES_SHIFT: u32 = 2;
const GRANULE: usize = 16;
/// Cells of tables are at most this large: where pages have a size for every granule.
const MAX_TABLE_CELL: usize = 256;

/// The granules that both parts take in a table's cell; 0: there are none, or they are too large.
#[inline(always)]
pub(crate) fn inline_granules(array: usize, nodes: usize) -> u32 {
    const ROOM: usize = MAX_TABLE_CELL - size_of::<Table>();
    const { assert!(ROOM / GRANULE <= (INLINE >> GRANULES_SHIFT) as usize) };
    if array > ROOM || nodes > ROOM {
        return 0;
    }
    let bytes = Table::array_bytes(array) + nodes * size_of::<Node>();
    match bytes <= ROOM {
        true => bytes.div_ceil(GRANULE) as u32,
        false => 0,
    }
}

impl Vm {
    /// See [`crate::native::Ctx::new_record`].
    pub(crate) fn new_record(
        &mut self,
        shape: Gc<Table>,
        fields: &[(Gc<Str>, Val)],
    ) -> Result<Gc<Table>, Thrown> {
        let t = self.new_like(shape)?;
        for (key, v) in fields {
            let v = self.script_value(*v);
            match t.find_interned(*key) {
                Some(slot) => {
                    slot.set(v);
                    self.barrier_table(t, v);
                }
                None => {
                    let kept = self.scratch.len();
                    self.scratch.push(Val::table(t));
                    let stored = self.table_set(t, Val::str(*key), v);
                    self.scratch.truncate(kept);
                    stored?;
                }
            }
        }
        Ok(t)
    }

    /// A table with the keys of `shape`, if that is small and has names only: all values are to be set.
    fn new_like(&mut self, shape: Gc<Table>) -> Result<Gc<Table>, Thrown> {
        let nodes = shape.node_count();
        let is_plain = shape.header.extra == 0 && shape.array_size == 0 && shape.has_nodes();
        if !is_plain || !shape.has_inline_nodes() {
            return self.new_table_sized(0, nodes);
        }
        let mut t = self.new_table_within(0, nodes)?;
        if !t.has_inline_nodes() || t.node_count() != nodes {
            return Ok(t);
        }
        // SAFETY: both have so many nodes. Where a name is depends on the VM and on their number only, and links are relative. The
        // keys are alive as long as those of `shape`; the values are none that a collection looks at until they are set.
        unsafe {
            for i in 0..nodes {
                let to = t.nodes.add(i);
                *to = *shape.nodes.add(i);
                if (*to).val_tag != tag::NIL {
                    (*to).val_tag = tag::TRUE;
                }
            }
        }
        t.last_free = shape.last_free;
        Ok(t)
    }
}

impl Table {
    /// The size of the cell of a table with this `aux`, in bytes.
    #[inline(always)]
    pub(crate) fn cell_bytes(aux: u32) -> usize {
        size_of::<Table>() + ((aux & INLINE) >> GRANULES_SHIFT) as usize * GRANULE
    }

    /// What a table's `aux` is that has so many granules behind it.
    #[inline(always)]
    pub(crate) fn aux_of(seed: u32, granules: u32) -> u32 {
        debug_assert!(seed & INLINE == 0);
        seed | granules << GRANULES_SHIFT
    }

    /// Makes the parts of a new table, for which [`inline_granules`] found room in its cell.
    ///
    /// # Safety
    /// `t` is the cell, of the size that goes with its `aux`, and the table in it initialised.
    #[inline(always)]
    pub(crate) unsafe fn initialise_inline(t: *mut Table, array: usize, nodes: usize) {
        // SAFETY: the cell has room for the nodes, and behind them for payloads and tags.
        unsafe {
            debug_assert!(
                inline_granules(array, nodes) << GRANULES_SHIFT == (*t).header.aux & INLINE
            );
            let behind = t.add(1) as *mut u8;
            if nodes > 0 {
                (*t).nodes = behind as *mut Node;
                fill_nodes((*t).nodes, nodes);
                (*t).mask = nodes as u32 - 1;
                (*t).last_free = nodes as u32;
                (*t).header.aux |= NODES_INLINE;
            }
            if array > 0 {
                (*t).array = behind.add(nodes * size_of::<Node>() + array * 8);
                std::ptr::write_bytes((*t).array, tag::NIL, array);
                (*t).array_size = array as u32;
                (*t).header.aux |= ARRAY_INLINE;
            }
        }
    }

    #[inline(always)]
    pub(super) fn array_bytes_outside(&self) -> usize {
        match self.header.aux & ARRAY_INLINE {
            0 => Table::array_bytes(self.array_size as usize),
            _ => 0,
        }
    }

    #[inline(always)]
    pub(super) fn node_bytes_outside(&self) -> usize {
        match self.header.aux & NODES_INLINE {
            0 => self.node_count() * size_of::<Node>(),
            _ => 0,
        }
    }

    /// Frees both parts, where they are not in the cell, and leaves the table without any.
    #[inline(always)]
    pub(super) fn free_parts_outside(&mut self, parts: &mut Parts) {
        if self.header.aux & ARRAY_INLINE == 0 {
            free_array(parts, self.array, self.array_size as usize);
        }
        if self.header.aux & NODES_INLINE == 0 {
            free_nodes(parts, self.nodes, self.node_count());
        }
        self.header.aux &= !(ARRAY_INLINE | NODES_INLINE);
        self.array = null_mut();
        self.array_size = 0;
        self.nodes = dummy();
        self.mask = 0;
    }

    #[inline(always)]
    pub(super) fn has_inline_array(&self) -> bool {
        self.header.aux & ARRAY_INLINE != 0
    }
    #[inline(always)]
    pub(super) fn has_inline_nodes(&self) -> bool {
        self.header.aux & NODES_INLINE != 0
    }
    /// The array part is going to be one outside the cell.
    #[inline(always)]
    pub(super) fn leave_inline_array(&mut self) {
        self.header.aux &= !ARRAY_INLINE;
    }
    /// The hash part is going to be one outside the cell.
    #[inline(always)]
    pub(super) fn leave_inline_nodes(&mut self) {
        self.header.aux &= !NODES_INLINE;
    }
}

impl Vm {
    /// A new hash part, which is charged.
    pub(super) fn charged_nodes(&mut self, count: usize) -> Result<*mut Node, Thrown> {
        let bytes = count * size_of::<Node>();
        self.charge_bytes(bytes)?;
        let nodes = new_nodes(&mut self.heap.parts, count);
        if nodes.is_null() {
            self.heap.uncharge(bytes);
            return Err(self.throw_memory());
        }
        Ok(nodes)
    }

    /// Moves what a table has in its cell to parts outside, entry for entry.
    pub(super) fn move_out_of_cell(&mut self, mut t: Gc<Table>) -> Result<(), Thrown> {
        let (slots, count) = (t.array_size as usize, t.node_count());
        if t.has_inline_array() {
            self.charge_bytes(Table::array_bytes(slots))?;
            // SAFETY: the table's array part, of its size.
            let array = unsafe { new_array(&mut self.heap.parts, t.array, slots, slots) };
            if array.is_null() {
                self.heap.uncharge(Table::array_bytes(slots));
                return Err(self.throw_memory());
            }
            t.array = array;
            t.leave_inline_array();
        }
        if t.has_inline_nodes() {
            let nodes = self.charged_nodes(count)?;
            // SAFETY: both have so many nodes; chains are distances.
            unsafe { std::ptr::copy_nonoverlapping(t.nodes, nodes, count) };
            t.nodes = nodes;
            t.leave_inline_nodes();
        }
        Ok(())
    }
}

/// Parts of this many bytes come zeroed from the system, which is all nil and touches no page before it is used; smaller
/// ones are filled here.
const UNTOUCHED: usize = 128 * 1024;

/// A new array part, for entries that move there later; null when the system has no memory. The slots below `known` have no tags yet.
#[inline(always)]
pub(super) fn unfilled_array(parts: &mut Parts, slots: usize, known: usize) -> *mut u8 {
    let bytes = Table::array_bytes(slots);
    // SAFETY: the part is not empty; tags lie behind the payloads.
    unsafe {
        let block = match bytes {
            UNTOUCHED.. => parts.allocate_zeroed(bytes),
            _ => parts.allocate(bytes),
        };
        if block.is_null() {
            return null_mut();
        }
        let array = block.add(slots * 8);
        if bytes < UNTOUCHED {
            let known = known.min(slots);
            std::ptr::write_bytes(array.add(known), tag::NIL, slots - known);
        }
        array
    }
}

/// A new array part with the entries of the old one, as many as fit; null when the system has no memory.
///
/// # Safety
/// `old` is an array part of `old_slots` slots (or `old_slots` is 0).
#[inline(always)]
pub(super) unsafe fn new_array(
    parts: &mut Parts,
    old: *mut u8,
    old_slots: usize,
    slots: usize,
) -> *mut u8 {
    let array = unfilled_array(parts, slots, old_slots);
    let kept = old_slots.min(slots);
    if !array.is_null() && kept > 0 {
        // SAFETY: the copies stay within both parts.
        unsafe { copy_slots(old, array, 0, kept) };
    }
    array
}

/// Copies `n` slots from index `from` on, from one array part to the same places of another.
///
/// PERF: the payloads of many booleans are left out. Nothing looks at them, and the memory for them may never have been touched.
///
/// # Safety
/// Both parts have these slots.
#[inline(always)]
pub(super) unsafe fn copy_slots(old: *mut u8, new: *mut u8, from: usize, n: usize) {
    // SAFETY: the caller's promise; payloads lie below the middle, in the other direction.
    unsafe {
        std::ptr::copy_nonoverlapping(old.add(from), new.add(from), n);
        let end = (from + n) * 8;
        if n < PAGE_OF_PAYLOADS {
            std::ptr::copy_nonoverlapping(old.sub(end), new.sub(end), n * 8);
        } else {
            copy_payloads(old, new, from, from + n);
        }
    }
}

/// The payloads of as many slots are a page of the system's.
const PAGE_OF_PAYLOADS: usize = 512;

/// Copies the payloads of [`copy_slots`], of a page of them where one of its slots has any.
///
/// # Safety
/// As there.
unsafe fn copy_payloads(old: *mut u8, new: *mut u8, mut from: usize, end: usize) {
    while from < end {
        let n = PAGE_OF_PAYLOADS.min(end - from);
        // SAFETY: as there.
        unsafe {
            let tags = std::slice::from_raw_parts(old.add(from), n);
            if tags.iter().any(|&t| t > tag::TRUE) {
                let end = (from + n) * 8;
                std::ptr::copy_nonoverlapping(old.sub(end), new.sub(end), n * 8);
            }
        }
        from += n;
    }
}

/// A new hash part; null when the system has no memory.
#[inline(always)]
pub(super) fn new_nodes(parts: &mut Parts, count: usize) -> *mut Node {
    let bytes = count * size_of::<Node>();
    // SAFETY: the part is not empty; every node is initialised (all of the empty node is zero).
    unsafe {
        if bytes >= UNTOUCHED {
            return parts.allocate_zeroed(bytes) as *mut Node;
        }
        let nodes = parts.allocate(bytes) as *mut Node;
        if nodes.is_null() {
            return null_mut();
        }
        fill_nodes(nodes, count);
        nodes
    }
}

/// Initialises nodes: none has an entry.
///
/// # Safety
/// There is memory for so many.
#[inline(always)]
unsafe fn fill_nodes(nodes: *mut Node, count: usize) {
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe { nodes.add(i).write(DUMMY.0) };
    }
}

#[inline(always)]
pub(super) fn free_array(parts: &mut Parts, array: *mut u8, slots: usize) {
    if slots > 0 {
        // SAFETY: made by `new_array` with so many slots; `array` points behind the payloads.
        unsafe { parts.release(array.sub(slots * 8), Table::array_bytes(slots)) };
    }
}

#[inline(always)]
pub(super) fn free_nodes(parts: &mut Parts, nodes: *mut Node, count: usize) {
    if count > 0 {
        // SAFETY: made by `new_nodes` with so many nodes.
        unsafe { parts.release(nodes as *mut u8, count * size_of::<Node>()) };
    }
}
