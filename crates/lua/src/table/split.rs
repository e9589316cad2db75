//! The growth of large tables, in pieces: no insert moves a million entries.
//!
//! A table whose parts are replaced has its new parts in place at once, and the old ones beside it until they are empty:
//!
//! ```text
//!  table --> array part  [0 ...... array_size ... capacity)      nodes
//!        \-> Split       [array_size ... old_array_size)         old nodes, oldest first
//! ```
//!
//! **Invariants**
//! - An entry is in one place. Array index `i` (from 0) is in the new array part below `array_size`, in the old one from there to
//!   `old_array_size`, in the new one again from there to `capacity`; any other key is in the nodes of the table or in those of one
//!   of the old hash parts, or (an index from `capacity` up) in the old array part's tail.
//! - An index from `old_array_size` to `capacity` may also be a key of an old node until that is moved. So these indices are not
//!   below `array_size` before all old nodes are empty: what the interpreter reads in line is right, what it does not find it
//!   looks for here.
//! - Nodes, and the tail, move only when a new key is inserted, which a traversal does not allow: `next` goes on. Slots that keep their index
//!   move at any time.
//! - An insert moves at most [`MOVED_NODES`] nodes, a store or a look-up at most [`MOVED_SLOTS`] slots. New parts are so large that the old
//!   ones are empty before they are full; where a guess about the entries was wrong (large parts are sampled, not counted), a
//!   still larger hash part is begun.
//! - Moving is a store: a black table's entries are marked when they move.

use super::memory::{copy_slots, free_array, free_nodes, new_nodes, unfilled_array};
use super::{
    ASIDE, KIND_SPLIT, MAX_HASH_BITS, MAX_WHOLE_NODES, Node, Placed, Slot, Table, dummy, hash_int,
    slot_of,
};
use crate::heap::parts::Parts;
use crate::heap::{Gc, prefetch};
use crate::native::Thrown;
use crate::number::float_to_int;
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::ptr::null_mut;

/// Old nodes that one insert moves.
const MOVED_NODES: u32 = 64;
/// Slots of the old array part that one access moves.
const MOVED_SLOTS: u32 = 1024;
/// Hash parts that may be on their way out at once. The arithmetic below needs two.
const MAX_OLD: usize = 4;

/// A hash part that is being emptied, from its last node down.
#[derive(Clone, Copy)]
struct OldNodes {
    nodes: *mut Node,
    mask: u32,
    /// Nodes below this index have not been moved.
    left: u32,
}

/// What a table has besides its parts while they are being replaced.
pub(super) struct Split {
    /// Slots of the new array part.
    capacity: u32,
    /// The table's own, see [`Table`].
    last_free: u32,
    len_hint: u32,
    old_array_size: u32,
    /// The array part before; null when it has been emptied, or stays.
    old_array: *mut u8,
    /// The next slot of its tail to be moved.
    tail: u32,
    old_count: u32,
    /// Bytes of the new hash part that have memory under them.
    populated: usize,
    old: [OldNodes; MAX_OLD],
}

/// A place of a table, for those who walk over all of it.
pub(crate) enum Place {
    Slot(Slot),
    Node(*mut Node),
}

/// Places of one kind, one after the other.
pub(crate) enum Run {
    /// Slots of an array part: from an index to before another.
    Slots(*mut u8, usize, usize),
    /// Nodes: the first, and how many.
    Nodes(*mut Node, usize),
}

impl Run {
    fn len(&self) -> usize {
        match self {
            Run::Slots(_, from, end) => end - from,
            Run::Nodes(_, n) => *n,
        }
    }
}

impl Table {
    #[inline(always)]
    pub(super) fn split(&self) -> Option<&Split> {
        if self.header.extra & KIND_SPLIT == 0 {
            return None;
        }
        // SAFETY: a table of this kind has one, which lives as long as it is.
        Some(unsafe { &*self.aside::<Split>() })
    }

    fn split_mut(&mut self) -> Option<&mut Split> {
        if self.header.extra & KIND_SPLIT == 0 {
            return None;
        }
        // SAFETY: as above.
        Some(unsafe { &mut *self.aside::<Split>() })
    }

    fn last_free_mut(&mut self) -> &mut u32 {
        if self.header.extra & KIND_SPLIT == 0 {
            return &mut self.last_free;
        }
        // SAFETY: as above.
        unsafe { &mut (*self.aside::<Split>()).last_free }
    }

    /// As `take_free`, in a bounded number of steps: some down from the last one found, then (there may be a long stretch without any) some at
    /// random. `None` in a hash part that is not full has a chance of one in a hundred at 99 of 100 full, and is no harm: the table grows a
    /// little earlier.
    pub(super) fn take_free_of_many(&mut self, home: u32) -> Option<*mut Node> {
        const DOWN: u32 = 1024;
        const RANDOM: u32 = 512;
        let mask = self.mask;
        let mut at = *self.last_free_mut();
        let stop = at.saturating_sub(DOWN);
        while at > stop {
            at -= 1;
            // SAFETY: below the node count.
            if unsafe { (*self.node(at)).key_tag == tag::NIL } {
                *self.last_free_mut() = at;
                return Some(self.node(at));
            }
        }
        *self.last_free_mut() = at;
        if at == 0 {
            // Nothing above is free.
            return None;
        }
        let mut at = home;
        for step in 0..RANDOM {
            at = at.wrapping_mul(0x9E37_79B1).wrapping_add(step | 1) & mask;
            // SAFETY: masked.
            if unsafe { (*self.node(at)).key_tag == tag::NIL } {
                return Some(self.node(at));
            }
        }
        None
    }

    /// An old hash part, as a table that has nothing else.
    fn of_old(&self, old: &OldNodes) -> Table {
        let mut header = self.header;
        header.extra &= !ASIDE;
        Table {
            header,
            array: null_mut(),
            nodes: old.nodes,
            meta: null_mut(),
            array_size: 0,
            mask: old.mask,
            last_free: 0,
            len_hint: 0,
        }
    }

    /// The slot of a key in the new array part, if it is one of its indices.
    pub(super) fn new_array_slot(&self, key: Val) -> Option<Slot> {
        let split = self.split()?;
        let index = key.payload.wrapping_sub(1);
        if key.tag != tag::INT || index >= u64::from(split.capacity) {
            return None;
        }
        split.array_slot(self, index)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn find_int_aside(&self, i: i64) -> Option<Slot> {
        if let Some(hidden) = self.hidden() {
            return hidden.find(|t| t.find_int(i));
        }
        let split = self.split()?;
        let index = (i as u64).wrapping_sub(1);
        let slot = split.array_slot(self, index);
        if slot.is_some() && index < u64::from(split.old_array_size) {
            return slot;
        }
        // A node that is there goes before the slot that it will move to, be its value nil or not: `next` relies on it.
        let node = split
            .old()
            .iter()
            .find_map(|old| self.of_old(old).find_int(i));
        node.or(slot)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn find_interned_aside(&self, s: Gc<Str>) -> Option<Slot> {
        if let Some(hidden) = self.hidden() {
            return hidden.find(|t| t.find_interned(s));
        }
        let old = self.split()?.old();
        old.iter().find_map(|old| self.of_old(old).find_interned(s))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn find_aside(&self, hash_key: u64, key: Val) -> Option<Slot> {
        if let Some(hidden) = self.hidden() {
            return hidden.find(|t| t.find(hash_key, key));
        }
        let old = self.split()?.old();
        old.iter()
            .find_map(|old| self.of_old(old).find(hash_key, key))
    }

    /// A border: the last one found or one near it, else by doubling and bisection.
    #[cold]
    pub(super) fn border_aside(&mut self) -> i64 {
        const NEAR: i64 = 4;
        let hint = self.split().map_or(0, |split| i64::from(split.len_hint));
        let found = if hint > 0 && self.get_int(hint).is_nil() {
            match self.get_int(1).is_nil() {
                true => 0,
                false => self.border_above(1),
            }
        } else {
            (hint..hint + NEAR)
                .find(|n| self.get_int(n + 1).is_nil())
                .unwrap_or_else(|| self.border_above(hint + NEAR))
        };
        if let Some(split) = self.split_mut() {
            split.len_hint = u32::try_from(found).unwrap_or(0);
        }
        found
    }

    /// As `entry_from`, for a table with entries elsewhere.
    #[cold]
    #[inline(never)]
    pub(super) fn entry_aside(
        &self,
        at: usize,
        limit: usize,
    ) -> Result<Option<(usize, Val, Val)>, usize> {
        if let Some(hidden) = self.hidden() {
            return hidden.entry_from(at, limit);
        }
        let end = self.slot_count();
        let stop = at.saturating_add(limit).min(end);
        for at in at..stop {
            if let Some((key, val)) = self.entry_at(at) {
                return Ok(Some((at + 1, key, val)));
            }
        }
        if stop >= end { Ok(None) } else { Err(stop) }
    }

    /// The entry at a traversal position, if its value is not nil.
    fn entry_at(&self, at: usize) -> Option<(Val, Val)> {
        match self.place(at) {
            Place::Slot(slot) => {
                let index = match self.split() {
                    Some(split) => split.index_of_slot(self, at),
                    None => at,
                };
                let val = slot.get();
                (!val.is_nil()).then(|| (Val::int(index as i64 + 1), val))
            }
            // SAFETY: a node of this table.
            Place::Node(n) => unsafe {
                ((*n).val_tag != tag::NIL).then(|| ((*n).key(), (*n).value()))
            },
        }
    }

    /// The place at a traversal position.
    pub(crate) fn place(&self, at: usize) -> Place {
        if let Some(hidden) = self.hidden() {
            return hidden.place(at);
        }
        if let Some(split) = self.split() {
            return split.place(self, at);
        }
        match at.checked_sub(self.array_size as usize) {
            None => Place::Slot(self.array_slot(at)),
            Some(i) => Place::Node(self.node(i as u32)),
        }
    }

    /// The places from a traversal position on that are of one kind and in one part, to before `end` at most; there is one. The table is not hidden.
    #[inline(always)]
    pub(crate) fn run(&self, at: usize, end: usize) -> Run {
        debug_assert!(at < end && end <= self.slot_count() && self.hidden().is_none());
        let run = match self.split() {
            Some(split) => split.run(self, at, end),
            None => match at.checked_sub(self.array_size as usize) {
                None => Run::Slots(self.array, at, end.min(self.array_size as usize)),
                Some(i) => Run::Nodes(self.node(i as u32), end - at),
            },
        };
        debug_assert!(run.len() > 0);
        run
    }

    /// Frees what is aside of the table, and makes of its array part what it is.
    pub(super) fn release_split(&mut self, parts: &mut Parts) {
        let p = self.aside::<Split>();
        // SAFETY: the table has it; it is taken out, and freed with its size.
        unsafe {
            let split = p.read();
            free_array(parts, split.old_array, split.old_slots());
            for old in split.old() {
                free_nodes(parts, old.nodes, old.mask as usize + 1);
            }
            parts.release(p as *mut u8, size_of::<Split>());
            self.array_size = split.capacity;
            self.header.extra &= !KIND_SPLIT;
            self.last_free = split.last_free;
            self.len_hint = split.len_hint;
        }
    }
}

/// Asks the caches for what the moves after the next ones will touch: strings for their hashes, then the places of their keys.
#[inline(always)]
fn fetch_for_move(t: &Table, old: &OldNodes) {
    const AHEAD: u32 = 8;
    let key_at = |distance: u32| {
        let at = old.left.checked_sub(1 + distance)?;
        // SAFETY: below the count of these nodes.
        let n = unsafe { &*old.nodes.add(at as usize) };
        (n.val_tag != tag::NIL).then(|| n.key())
    };
    if let Some(key) = key_at(2 * AHEAD)
        && key.is_object()
    {
        prefetch(key.payload as *const u8);
    }
    if let Some(key) = key_at(AHEAD) {
        let hash = match key.tag {
            tag::INT => hash_int(t.header.aux, key.raw_int(), t.mask),
            tag::STR if key.raw_gc::<Str>().is_interned() => key.raw_gc::<Str>().hash,
            _ => return,
        };
        prefetch(t.node(hash & t.mask));
    }
}

impl Split {
    fn old(&self) -> &[OldNodes] {
        &self.old[..self.old_count as usize]
    }

    /// Has memory put under the next piece of the new hash part: inserts go all over it.
    #[inline(always)]
    fn populate(&mut self, nodes: *mut Node, bytes: usize) {
        if self.populated < bytes {
            // SAFETY: the table's hash part, and what `populate` gave.
            self.populated = unsafe { Parts::populate(nodes as *mut u8, bytes, self.populated) };
        }
    }

    /// Slots of the old array part, as it was allocated.
    fn old_slots(&self) -> usize {
        if self.old_array.is_null() {
            0
        } else {
            self.old_array_size as usize
        }
    }

    pub(super) fn part_bytes(&self, t: &Table) -> usize {
        let nodes = t.node_count()
            + self
                .old()
                .iter()
                .map(|o| o.mask as usize + 1)
                .sum::<usize>();
        Table::array_bytes(self.capacity as usize + self.old_slots())
            + nodes * size_of::<Node>()
            + size_of::<Split>()
    }

    /// Slots of the old array part's tail, moved ones too.
    fn tail_slots(&self) -> usize {
        self.old_slots().saturating_sub(self.capacity as usize)
    }

    /// Positions of a traversal: the indices of the new array part, the nodes, the old nodes, the tail.
    pub(super) fn positions(&self, t: &Table) -> usize {
        let old: usize = self.old().iter().map(|o| o.mask as usize + 1).sum();
        self.capacity as usize + t.node_count() + old + self.tail_slots()
    }

    fn old_slot(&self, i: usize) -> Slot {
        debug_assert!(i < self.old_slots());
        // SAFETY: below the size of the old array part.
        unsafe { slot_of(self.old_array, i) }
    }

    /// Where array index `index` has its slot, if it has one.
    fn array_slot(&self, t: &Table, index: u64) -> Option<Slot> {
        let i = index as usize;
        if index < u64::from(self.capacity) {
            let moved = i < t.array_size as usize || i >= self.old_slots();
            return Some(match moved {
                // SAFETY: below the capacity of the table's array part.
                true => unsafe { slot_of(t.array, i) },
                false => self.old_slot(i),
            });
        }
        let in_tail = index >= u64::from(self.tail) && index < self.old_slots() as u64;
        in_tail.then(|| self.old_slot(i))
    }

    fn place(&self, t: &Table, at: usize) -> Place {
        let capacity = self.capacity as usize;
        if at < capacity {
            match self.array_slot(t, at as u64) {
                Some(slot) => return Place::Slot(slot),
                None => unreachable!("an index below the capacity has a slot"),
            }
        }
        let mut i = at - capacity;
        if i < t.node_count() {
            return Place::Node(t.node(i as u32));
        }
        i -= t.node_count();
        for old in self.old() {
            if i <= old.mask as usize {
                // SAFETY: below the count of these nodes.
                return Place::Node(unsafe { old.nodes.add(i) });
            }
            i -= old.mask as usize + 1;
        }
        Place::Slot(self.old_slot(capacity + i))
    }

    /// As [`Table::run`]: cut where the places are those of another part.
    fn run(&self, t: &Table, at: usize, end: usize) -> Run {
        let capacity = self.capacity as usize;
        if at < capacity {
            let (moved, old) = (t.array_size as usize, self.old_slots().min(capacity));
            return match at {
                _ if at < moved => Run::Slots(t.array, at, end.min(moved)),
                _ if at < old => Run::Slots(self.old_array, at, end.min(old)),
                _ => Run::Slots(t.array, at, end.min(capacity)),
            };
        }
        let (mut i, n) = (at - capacity, end - at);
        if i < t.node_count() {
            return Run::Nodes(t.node(i as u32), n.min(t.node_count() - i));
        }
        i -= t.node_count();
        for old in self.old() {
            let count = old.mask as usize + 1;
            if i < count {
                // SAFETY: below the count of these nodes.
                return Run::Nodes(unsafe { old.nodes.add(i) }, n.min(count - i));
            }
            i -= count;
        }
        Run::Slots(self.old_array, capacity + i, capacity + i + n)
    }

    /// The array index of a position that is a slot's.
    fn index_of_slot(&self, t: &Table, at: usize) -> usize {
        if at < self.capacity as usize {
            return at;
        }
        at - (self.positions(t) - self.tail_slots()) + self.capacity as usize
    }

    pub(super) fn position_after(&self, t: &Table, hash_key: u64, key: Val) -> Option<usize> {
        let as_int = match key.tag {
            tag::INT => Some(key.raw_int()),
            tag::FLOAT => float_to_int(key.raw_float()),
            _ => None,
        };
        let capacity = self.capacity as usize;
        if let Some(i) = as_int {
            let index = (i as u64).wrapping_sub(1);
            let is_node = || self.old().iter().any(|o| t.of_old(o).find_int(i).is_some());
            if index < u64::from(self.capacity)
                && (index < u64::from(self.old_array_size) || !is_node())
            {
                return Some(i as usize);
            }
            if index >= u64::from(self.tail) && index < self.old_slots() as u64 {
                let first = self.positions(t) - self.tail_slots();
                return Some(first + (index as usize - capacity) + 1);
            }
        }
        let key = as_int.map_or(key, Val::int);
        let mut first = capacity;
        let own = OldNodes {
            nodes: t.nodes,
            mask: t.mask,
            left: 0,
        };
        let own = t.has_nodes().then_some(&own);
        for part in own.into_iter().chain(self.old()) {
            if let Some(i) = t.of_old(part).node_index(hash_key, key) {
                return Some(first + i + 1);
            }
            first += part.mask as usize + 1;
        }
        None
    }
}

impl Vm {
    /// Gives a large table new parts, of so many slots and nodes, into which its entries move with the inserts to come.
    pub(super) fn split_table(
        &mut self,
        mut t: Gc<Table>,
        capacity: usize,
        hash_slots: usize,
    ) -> Result<(), Thrown> {
        debug_assert!(!t.has_inline_array() && !t.has_inline_nodes());
        let old_array_size = t.array_size as usize;
        let moves_array = capacity != old_array_size;
        let array_bytes = if moves_array {
            Table::array_bytes(capacity)
        } else {
            0
        };
        let bytes = array_bytes + hash_slots * size_of::<Node>() + size_of::<Split>();
        self.charge_bytes(bytes)?;
        let parts = &mut self.heap.parts;
        let split = parts.allocate(size_of::<Split>()) as *mut Split;
        let nodes = match hash_slots {
            0 => dummy(),
            n => new_nodes(parts, n),
        };
        let array = match moves_array && capacity > 0 {
            true => unfilled_array(parts, capacity, old_array_size),
            false => null_mut(),
        };
        if split.is_null() || nodes.is_null() || moves_array && capacity > 0 && array.is_null() {
            // SAFETY: what was allocated just now, with its size.
            unsafe {
                if !split.is_null() {
                    parts.release(split as *mut u8, size_of::<Split>());
                }
                if !nodes.is_null() {
                    free_nodes(parts, nodes, hash_slots);
                }
                if !array.is_null() {
                    free_array(parts, array, capacity);
                }
            }
            self.heap.uncharge(bytes);
            return Err(self.throw_memory());
        }
        let unused = OldNodes {
            nodes: null_mut(),
            mask: 0,
            left: 0,
        };
        let mut old = [unused; MAX_OLD];
        old[0] = OldNodes {
            nodes: t.nodes,
            mask: t.mask,
            left: t.node_count() as u32,
        };
        // SAFETY: a fresh block of the size.
        unsafe {
            split.write(Split {
                capacity: capacity as u32,
                last_free: hash_slots as u32,
                len_hint: t.len_hint,
                old_array_size: old_array_size as u32,
                old_array: if moves_array { t.array } else { null_mut() },
                tail: capacity.min(old_array_size) as u32,
                old_count: u32::from(t.has_nodes()),
                populated: 0,
                old,
            });
        }
        t.header.extra |= KIND_SPLIT;
        t.set_aside(split);
        t.nodes = nodes;
        t.mask = hash_slots.saturating_sub(1) as u32;
        if moves_array {
            t.array = array;
            t.array_size = 0;
        }
        self.barrier_resized(t);
        self.heap.spend((bytes / 1024) as i64);
        Ok(())
    }

    /// Moves some slots that keep their index. Nothing else about the table changes.
    #[cold]
    #[inline(never)]
    pub(crate) fn move_slots(&mut self, mut t: Gc<Table>) {
        let Some(split) = t.split() else { return };
        let from = t.array_size as usize;
        let end = split.old_slots().min(split.capacity as usize);
        if from >= end {
            return;
        }
        let n = (end - from).min(MOVED_SLOTS as usize);
        // SAFETY: both array parts have these slots.
        unsafe { copy_slots(split.old_array, t.array, from, n) };
        t.array_size = (from + n) as u32;
        self.heap.spend((n / 8) as i64);
        self.settle_if_moved(t);
    }

    /// The value under an integer key of a table in pieces. Some slots move, so that a table that is only read comes into one piece too.
    #[cold]
    #[inline(never)]
    pub(crate) fn get_int_moving(&mut self, t: Gc<Table>, key: i64) -> Val {
        self.move_slots(t);
        t.get_int(key)
    }

    /// Moves what an insert is to move. An error leaves every entry where it is found.
    pub(super) fn move_some(&mut self, mut t: Gc<Table>) -> Result<(), Thrown> {
        self.move_slots(t);
        self.heap.parts.let_some_go();
        let (nodes, bytes) = (t.nodes, t.node_count() * size_of::<Node>());
        if let Some(split) = t.split_mut() {
            split.populate(nodes, bytes);
        }
        let mut budget = MOVED_NODES;
        self.heap.spend(i64::from(MOVED_NODES));
        while budget > 0 {
            let Some(split) = t.split_mut() else {
                return Ok(());
            };
            if split.old_count > 0 {
                let first = &mut split.old[0];
                if first.left == 0 {
                    let done = *first;
                    split.old.copy_within(1.., 0);
                    split.old_count -= 1;
                    let count = done.mask as usize + 1;
                    free_nodes(&mut self.heap.parts, done.nodes, count);
                    self.heap.uncharge(count * size_of::<Node>());
                    continue;
                }
                budget -= 1;
                let first = *first;
                fetch_for_move(&t, &first);
                // SAFETY: below the count of these nodes.
                unsafe {
                    let n = first.nodes.add(first.left as usize - 1);
                    if (*n).val_tag != tag::NIL {
                        let key = (*n).key();
                        let val = Table::node_slot(n).get();
                        if !self.heap.gc.takes_moved(key, val) {
                            self.put_moved(t, key, val)?;
                            if (*n).val_tag == tag::NIL {
                                self.unput(t, key);
                            }
                        }
                        // The chain stays: what is behind it is still to be found.
                        (*n).val_tag = tag::NIL;
                    }
                    (*n).key_tag = tag::NIL;
                }
                if let Some(split) = t.split_mut() {
                    split.old[0].left -= 1;
                }
            } else if (split.tail as usize) < split.old_slots() {
                budget -= 1;
                let i = split.tail as usize;
                let slot = split.old_slot(i);
                let val = slot.get();
                let key = Val::int(i as i64 + 1);
                if !val.is_nil() {
                    if !self.heap.gc.takes_moved(key, val) {
                        self.put_moved(t, key, val)?;
                        if slot.get().is_nil() {
                            self.unput(t, key);
                        }
                    }
                    slot.set(Val::NIL);
                }
                if let Some(split) = t.split_mut() {
                    split.tail += 1;
                }
            } else {
                break;
            }
        }
        self.settle_if_moved(t);
        Ok(())
    }

    /// Stores an entry of the old parts in the new ones.
    fn put_moved(&mut self, t: Gc<Table>, key: Val, val: Val) -> Result<(), Thrown> {
        match t.new_array_slot(key) {
            Some(slot) => slot.set(val),
            None => self.place_new(t, key, val)?,
        }
        self.mark_moved(t, key, val);
        Ok(())
    }

    /// Room for an entry was made by a collection that took it away, from a weak table: what was put in the new parts goes again.
    #[cold]
    fn unput(&mut self, t: Gc<Table>, key: Val) {
        let Some(slot) = t.find(self.heap.hash_key, key) else {
            return;
        };
        slot.set(Val::NIL);
        if key.is_object() {
            // SAFETY: objects are keys of nodes only, whose value is their first field.
            unsafe { (*(slot.payload.as_ptr() as *mut Node)).key_tag = tag::DEAD_KEY };
        }
    }

    /// Puts a key that is in none of the table's parts into its nodes, and gives it more of them if need be.
    pub(super) fn place_new(&mut self, mut t: Gc<Table>, key: Val, val: Val) -> Result<(), Thrown> {
        loop {
            match t.place_node(self.heap.hash_key, key, val) {
                Placed::Here => return Ok(()),
                Placed::Moving(node) => {
                    self.barrier_moved(t, node);
                    return Ok(());
                }
                Placed::NoRoom => self.widen_nodes(t)?,
            }
        }
    }

    /// Gives a table that is being replaced a hash part with room for everything.
    fn widen_nodes(&mut self, mut t: Gc<Table>) -> Result<(), Thrown> {
        let Some(split) = t.split() else {
            unreachable!("only a table in pieces is widened")
        };
        let at_most = t.node_count()
            + split.old().iter().map(|o| o.left as usize).sum::<usize>()
            + split.old_slots().saturating_sub(split.tail as usize)
            + MAX_WHOLE_NODES;
        let count = (at_most + at_most / 4).next_power_of_two();
        if count > 1 << MAX_HASH_BITS || split.old_count as usize == MAX_OLD {
            return Err(self.throw_str("table overflow"));
        }
        let nodes = self.charged_nodes(count)?;
        let now = OldNodes {
            nodes: t.nodes,
            mask: t.mask,
            left: t.node_count() as u32,
        };
        let had_nodes = t.has_nodes();
        t.nodes = nodes;
        t.mask = count as u32 - 1;
        if let Some(split) = t.split_mut() {
            if had_nodes {
                split.old[split.old_count as usize] = now;
                split.old_count += 1;
            }
            split.last_free = count as u32;
            split.populated = 0;
        }
        self.barrier_resized(t);
        Ok(())
    }

    /// Ends the replacement when nothing is left in the old parts.
    fn settle_if_moved(&mut self, mut t: Gc<Table>) {
        let moved = t.array_size as usize;
        let Some(split) = t.split_mut() else { return };
        let kept = split.old_slots().min(split.capacity as usize);
        let slots = split.old_slots();
        if slots > 0 && moved >= kept && split.tail as usize >= slots {
            free_array(&mut self.heap.parts, split.old_array, slots);
            split.old_array = null_mut();
            self.heap.uncharge(Table::array_bytes(slots));
        }
        let Some(split) = t.split() else { return };
        if split.old_array.is_null() && split.old_count == 0 {
            t.release_split(&mut self.heap.parts);
            self.heap.uncharge(size_of::<Split>());
        }
    }

    /// Moves all old nodes: they are few.
    pub(super) fn move_all_nodes(&mut self, t: Gc<Table>) -> Result<(), Thrown> {
        while t.split().is_some_and(|split| split.old_count > 0) {
            self.move_some(t)?;
        }
        Ok(())
    }

    /// Moves everything that is left to move: for what needs a table in two parts.
    pub(super) fn settle_table(&mut self, t: Gc<Table>) -> Result<(), Thrown> {
        debug_assert!(t.hidden().is_none());
        while t.split().is_some() {
            self.move_some(t)?;
        }
        Ok(())
    }

    /// As [`Table::clear_entries`], of any table.
    pub(crate) fn clear_table(&mut self, mut t: Gc<Table>) {
        if t.hidden().is_some() {
            return self.with_parts(t, |vm| vm.clear_table(t));
        }
        if t.header.extra & KIND_SPLIT != 0 {
            let before = t.part_bytes();
            t.release_split(&mut self.heap.parts);
            self.heap.uncharge(before - t.part_bytes());
            self.barrier_resized(t);
        }
        t.clear_entries();
    }
}
