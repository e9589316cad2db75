//! Tables: an array part with tags and payloads apart (nine bytes a slot), and a hash part of chained
//! scatter nodes with Brent's variation (a colliding node that is not in its main position is moved away).
//!
//! ```text
//!  array:  ... payload[2] payload[1] payload[0] | tag[0] tag[1] tag[2] ...
//!                                               ^ self.array
//! ```
//!
//! The first parts of a small table are in its own cell, behind the object ([`memory`]). A large table that grows does so in pieces: [`split`]
//! says what it is like meanwhile.
//!
//! **Invariants**
//! - Integer keys from 1 to `array_size` live in the array part only; all others in the hash part only.
//! - A float key with an integer value is stored as that integer; nil and NaN are never keys.
//! - Assigning nil keeps the node and its key, so `next` goes on from it; the collector turns the key of such a
//!   node into `DEAD_KEY` (keeping the address) before the key's memory can be reused.
//! - A store of a new object into a black table goes through a barrier (`heap::collect`); the functions here
//!   that store do not do it themselves: `Vm::table_set` and the interpreter do.
//! - `header.flags` caches metamethod absence when this table is a metatable (bit set: known absent); any store
//!   that may make a nil field non-nil clears it.

mod hash;
mod hidden;
mod memory;
mod resize;
mod split;
mod store;
#[cfg(test)]
mod tests;

use crate::heap::parts::Parts;
use crate::heap::{Gc, Header, PIECES, in_register, prefetch};
use crate::number::float_to_int;
use crate::string::Str;
use crate::value::{Val, tag};
pub(crate) use hash::int_seed;
use hash::{hash_float, hash_int, hash_word};
pub(crate) use hidden::clear_place;
pub(crate) use memory::inline_granules;
pub(crate) use resize::nodes_for;
pub(crate) use split::{Place, Run};
use std::ptr::{NonNull, null_mut};

/// A node of the hash part.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) val: u64,
    pub(crate) key: u64,
    pub(crate) val_tag: u8,
    pub(crate) key_tag: u8,
    /// 1: the key is where its hash leads to. (To find that out again a string would have to be looked at.)
    at_home: u16,
    /// Distance to the next node of the chain, in nodes; 0 ends it.
    pub(crate) next: i32,
}

const _: () = assert!(size_of::<Node>() == 24);

impl Node {
    #[inline(always)]
    pub(crate) fn key(&self) -> Val {
        Val {
            payload: self.key,
            tag: self.key_tag,
        }
    }
    #[inline(always)]
    pub(crate) fn value(&self) -> Val {
        Val {
            payload: self.val,
            tag: self.val_tag,
        }
    }
}

/// The hash part of a table that has none: one node, never written.
struct DummyNode(Node);
// SAFETY: the node is only read.
unsafe impl Sync for DummyNode {}
static DUMMY: DummyNode = DummyNode(Node {
    val: 0,
    key: 0,
    val_tag: tag::NIL,
    key_tag: tag::NIL,
    at_home: 0,
    next: 0,
});

#[inline(always)]
fn dummy() -> *mut Node {
    &raw const DUMMY.0 as *mut Node
}

/// Hash parts of up to this many nodes are replaced in one piece. (Few where programs are small and the pieces are what is tested.)
const MAX_WHOLE_NODES: usize = if PIECES { 64 } else { 4096 };
/// Array parts of up to this many slots are.
const MAX_WHOLE_ARRAY: usize = if PIECES { 128 } else { 64 * 1024 };

/// Tags of an array part that are looked at together.
pub(crate) const TAGS: usize = 8;

/// Largest array part, in slots.
const MAX_ARRAY_BITS: usize = 30;
/// Largest hash part, as a power of two.
const MAX_HASH_BITS: u32 = 30;

/// A table object.
#[repr(C)]
pub struct Table {
    /// `flags`: absent metamethods; `extra`: the `KIND_*` bits; `aux`: the VM's [`int_seed`], and in the bits
    /// that it leaves what is in the table's own cell ([`memory`]).
    pub(crate) header: Header,
    pub(crate) array: *mut u8,
    pub(crate) nodes: *mut Node,
    pub(crate) meta: *mut Table,
    pub(crate) array_size: u32,
    /// Nodes minus one.
    pub(crate) mask: u32,
    /// Nodes at or above this index are taken or have been tried.
    ///
    /// In a table with a kind of [`ASIDE`] this field and the next are the place of a pointer ([`Table::aside`]).
    last_free: u32,
    /// A border found before, to start the search from.
    len_hint: u32,
}

const _: () = assert!(size_of::<Table>() == 48);
const _: () = assert!(std::mem::offset_of!(Table, last_free) % align_of::<*mut u8>() == 0);

/// The table is an app's environment: it has no entries itself, reads go to the running coroutine's own globals, then
/// to the app's (the table in `meta`), stores to the former. Being empty, every access to it misses the fast paths.
pub(crate) const KIND_LAYERED: u8 = 1;
/// Stores raise an error.
pub(crate) const KIND_FROZEN: u8 = 2;
/// Its parts are being replaced ([`split`]).
pub(crate) const KIND_SPLIT: u8 = 4;
/// It is weak, and the collector has not decided about its entries ([`hidden`]).
pub(crate) const KIND_HIDDEN: u8 = 8;
/// Kinds that scripts can tell from an ordinary table.
pub(crate) const KIND_SPECIAL: u8 = KIND_LAYERED | KIND_FROZEN;
/// Kinds of tables that have entries elsewhere than in their two parts.
const ASIDE: u8 = KIND_SPLIT | KIND_HIDDEN;

/// What `Table::place_node` did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placed {
    /// There is no free node.
    NoRoom,
    /// The key has a node.
    Here,
    /// The key has a node, and an entry that was in its place was moved to this one.
    Moving(*mut Node),
}

/// Where a value is stored in a table.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    // PERF: never null, so that a slot that may not be there fits two machine registers.
    payload: NonNull<u64>,
    tag: NonNull<u8>,
}

impl Slot {
    /// # Safety
    /// The pointers are to the payload and the tag of an entry.
    #[inline(always)]
    unsafe fn new(payload: *mut u64, tag: *mut u8) -> Slot {
        // SAFETY: the caller's promise.
        unsafe {
            Slot {
                payload: NonNull::new_unchecked(payload),
                tag: NonNull::new_unchecked(tag),
            }
        }
    }
    #[inline(always)]
    pub(crate) fn get(self) -> Val {
        // SAFETY: slots are made by the lookups below, from live parts of a table, and used before it changes.
        unsafe {
            Val {
                payload: *self.payload.as_ptr(),
                tag: *self.tag.as_ptr(),
            }
        }
    }
    #[inline(always)]
    pub(crate) fn tag(self) -> u8 {
        // SAFETY: as above.
        unsafe { *self.tag.as_ptr() }
    }
    #[inline(always)]
    pub(crate) fn set(self, v: Val) {
        // SAFETY: as in `get`; never made from the dummy node (its key is nil, which no lookup finds).
        unsafe {
            *self.payload.as_ptr() = v.payload;
            *self.tag.as_ptr() = v.tag;
        }
    }
    /// The same, without the payload of what has none (nil and booleans).
    #[inline(always)]
    pub(crate) fn set_shortly(self, v: Val) {
        if v.tag <= tag::TRUE {
            // SAFETY: as in `set`.
            unsafe { *self.tag.as_ptr() = v.tag }
        } else {
            self.set(v);
        }
    }
}

/// Slot `i` of an array part.
///
/// # Safety
/// It has so many.
#[inline(always)]
pub(crate) unsafe fn slot_of(array: *mut u8, i: usize) -> Slot {
    // SAFETY: the caller's promise.
    unsafe { Slot::new((array as *mut u64).sub(1 + i), array.add(i)) }
}

/// Whether any of the [`TAGS`] slots from `i` on of an array part has an object.
///
/// # Safety
/// It has so many.
#[inline(always)]
pub(crate) unsafe fn have_objects(array: *mut u8, i: usize) -> bool {
    // Sets the upper bit of each byte that is at least the first object's tag; none is above 127.
    const REACH: u64 = u64::from_ne_bytes([0x80 - tag::STR; TAGS]);
    const UPPER: u64 = u64::from_ne_bytes([0x80; TAGS]);
    // SAFETY: the caller's promise.
    let tags = unsafe { (array.add(i) as *const u64).read_unaligned() };
    tags.wrapping_add(REACH) & UPPER != 0
}

/// Entries that a traversal looks ahead.
const AHEAD: usize = 8;

/// Asks the caches for a table, and the first of its entries.
#[inline(always)]
fn fetch_table(v: Val) {
    if v.tag == tag::TABLE {
        let t = v.payload as *const u8;
        for line in 0..4 {
            prefetch(t.wrapping_add(line * 64));
        }
    }
}

impl Table {
    pub(crate) fn initialise(&mut self) {
        self.array = null_mut();
        self.nodes = dummy();
        self.meta = null_mut();
        self.array_size = 0;
        self.mask = 0;
        self.last_free = 0;
        self.len_hint = 0;
    }

    /// Whether a store to an entry that is there needs no further thought: the collector is not done with the table, and it is of no
    /// special kind.
    #[inline(always)]
    pub(crate) fn is_plainly_writable(&self) -> bool {
        use crate::heap::collect::mark_bits::BLACK;
        if cfg!(target_endian = "little") {
            // PERF: both bytes of the header at once.
            const CARE: u32 = (BLACK as u32) << 8 | 0xFF << 24;
            // SAFETY: the header's first four bytes.
            unsafe { (&raw const self.header as *const u32).read() & CARE == 0 }
        } else {
            self.header.extra == 0 && self.header.mark & BLACK == 0
        }
    }

    /// Whether raw access is what any access without a metamethod is: it is no environment in layers, and not read-only.
    #[inline(always)]
    pub(crate) fn is_ordinary(&self) -> bool {
        self.header.extra & KIND_SPECIAL == 0
    }

    /// The app's globals behind a layered environment.
    #[inline(always)]
    pub(crate) fn layered_base(&self) -> Gc<Table> {
        debug_assert!(self.header.extra & KIND_LAYERED != 0 && !self.meta.is_null());
        // SAFETY: a layered environment's `meta` is its app's globals, which it keeps alive.
        unsafe { Gc::from_ptr(self.meta) }
    }
    #[inline(always)]
    pub(crate) fn has_nodes(&self) -> bool {
        self.nodes != dummy()
    }
    /// Slots of the hash part.
    pub(crate) fn node_count(&self) -> usize {
        if self.has_nodes() {
            self.mask as usize + 1
        } else {
            0
        }
    }
    pub(crate) fn array_bytes(slots: usize) -> usize {
        slots * 9
    }
    /// Bytes of all parts outside the object.
    pub(crate) fn part_bytes(&self) -> usize {
        if let Some(hidden) = self.hidden() {
            return hidden.part_bytes();
        }
        if let Some(split) = self.split() {
            return split.part_bytes(self);
        }
        self.array_bytes_outside() + self.node_bytes_outside()
    }
    /// Slots of all parts: what a walk over the table costs.
    pub fn slot_count(&self) -> usize {
        if let Some(hidden) = self.hidden() {
            return hidden.slot_count();
        }
        if let Some(split) = self.split() {
            return split.positions(self);
        }
        self.array_size as usize + self.node_count()
    }
    /// What a table with a kind of [`ASIDE`] has besides its parts.
    fn aside<T>(&self) -> *mut T {
        debug_assert!(self.header.extra & ASIDE != 0);
        // SAFETY: the two fields are the pointer's place, of its size and alignment.
        unsafe { (&raw const self.last_free as *const *mut T).read() }
    }
    fn set_aside<T>(&mut self, p: *mut T) {
        // SAFETY: as above.
        unsafe { (&raw mut self.last_free as *mut *mut T).write(p) };
    }
    #[inline(always)]
    pub(crate) fn node(&self, i: u32) -> *mut Node {
        // SAFETY: callers mask `i`, or stay below the node count.
        unsafe { self.nodes.add(i as usize) }
    }
    #[inline(always)]
    pub(crate) fn array_slot(&self, i: usize) -> Slot {
        debug_assert!(i < self.array_size as usize);
        // SAFETY: `i` is below the array size.
        unsafe { slot_of(self.array, i) }
    }
    #[inline(always)]
    fn array_tag(&self, i: usize) -> u8 {
        debug_assert!(i < self.array_size as usize);
        // SAFETY: `i` is below the array size.
        unsafe { *self.array.add(i) }
    }
    #[inline(always)]
    fn node_slot(n: *mut Node) -> Slot {
        // SAFETY: `n` is a live node.
        unsafe { Slot::new(&raw mut (*n).val, &raw mut (*n).val_tag) }
    }

    /// The slot of integer key `i`, if it has one.
    #[inline(always)]
    pub(crate) fn find_int(&self, i: i64) -> Option<Slot> {
        let index = (i as u64).wrapping_sub(1);
        if index < self.array_size as u64 {
            return Some(self.array_slot(index as usize));
        }
        self.find_int_node(i)
    }

    #[inline]
    fn find_int_node(&self, i: i64) -> Option<Slot> {
        match self.find_int_here(i) {
            None if self.header.extra & ASIDE != 0 => self.find_int_aside(i),
            found => found,
        }
    }

    /// The slot of integer key `i`, if it is in the hash part. (A table with a kind of [`ASIDE`] may have the key elsewhere.)
    #[inline(always)]
    pub(crate) fn find_int_here(&self, i: i64) -> Option<Slot> {
        let mut n = self.node(hash_int(self.header.aux, i, self.mask) & self.mask);
        loop {
            // SAFETY: chains stay inside the node array.
            unsafe {
                if (*n).key == i as u64 && (*n).key_tag == tag::INT {
                    return Some(Self::node_slot(n));
                }
                if (*n).next == 0 {
                    return None;
                }
                n = n.offset((*n).next as isize);
            }
        }
    }

    /// The slot of an interned string key, if it has one.
    #[inline(always)]
    pub(crate) fn find_interned(&self, s: Gc<Str>) -> Option<Slot> {
        match self.find_interned_here(s) {
            None if self.header.extra & ASIDE != 0 => self.find_interned_aside(s),
            found => found,
        }
    }

    /// The slot of an interned string key, if it is in the hash part. (A table with a kind of [`ASIDE`] may have the key elsewhere.)
    #[inline(always)]
    pub(crate) fn find_interned_here(&self, s: Gc<Str>) -> Option<Slot> {
        debug_assert!(s.is_interned());
        let mut n = self.node(s.hash & self.mask);
        loop {
            // SAFETY: chains stay inside the node array.
            unsafe {
                if (*n).key == s.addr() && (*n).key_tag == tag::STR {
                    return Some(Self::node_slot(n));
                }
                if (*n).next == 0 {
                    return None;
                }
                n = n.offset((*n).next as isize);
            }
        }
    }

    /// The slot of an interned string key, if it is at the node that the hint leads to and has a value.
    #[inline(always)]
    pub(crate) fn find_at(&self, hint: u32, key: u64) -> Option<Slot> {
        // PERF: the node's address in one register, not two that each access adds up.
        let n = in_register(self.node(hint & self.mask));
        // SAFETY: a node of this table, or the empty one.
        unsafe {
            let here = (*n).key == key && (*n).key_tag == tag::STR && (*n).val_tag != tag::NIL;
            here.then(|| Self::node_slot(n))
        }
    }

    /// A hint that leads to a slot found in the hash part; in larger tables it leads where the hash does.
    pub(crate) fn hint_for(&self, slot: Slot, hash: u32) -> u32 {
        if self.header.extra & ASIDE != 0 {
            return hash;
        }
        // SAFETY: the slot is that of a node of this table; `val` is the node's first field.
        let index = unsafe { (slot.payload.as_ptr() as *mut Node).offset_from(self.nodes) } as u32;
        hash & !self.mask | index
    }

    /// The slot of a key in the array part, if it is one of its indices.
    fn find_array_slot(&self, key: Val) -> Option<Slot> {
        if self.header.extra & KIND_SPLIT != 0 {
            return self.new_array_slot(key);
        }
        let index = key.payload.wrapping_sub(1);
        let is_index = key.tag == tag::INT && index < u64::from(self.array_size);
        is_index.then(|| self.array_slot(index as usize))
    }

    /// The slot of any key (already normalised), if it has one.
    pub(crate) fn find(&self, hash_key: u64, key: Val) -> Option<Slot> {
        match key.tag {
            tag::NIL => None,
            tag::INT => self.find_int(key.raw_int()),
            tag::STR if key.raw_gc::<Str>().is_interned() => self.find_interned(key.raw_gc()),
            tag::FLOAT => match float_to_int(key.raw_float()) {
                Some(i) => self.find_int(i),
                None => self.find_generic(hash_key, key),
            },
            _ => self.find_generic(hash_key, key),
        }
    }

    fn find_generic(&self, hash_key: u64, key: Val) -> Option<Slot> {
        let mut n = self.node(self.hash_of(hash_key, key) & self.mask);
        loop {
            // SAFETY: chains stay inside the node array; only nodes with an equal tag are compared, and a key
            // that may be freed has the tag DEAD_KEY.
            unsafe {
                if (*n).key_tag == key.tag
                    && (Val {
                        payload: (*n).key,
                        tag: key.tag,
                    })
                    .raw_eq(key)
                {
                    return Some(Self::node_slot(n));
                }
                if (*n).next == 0 {
                    return match self.header.extra & ASIDE {
                        0 => None,
                        _ => self.find_aside(hash_key, key),
                    };
                }
                n = n.offset((*n).next as isize);
            }
        }
    }

    /// The value under an integer key.
    #[inline(always)]
    pub fn get_int(&self, i: i64) -> Val {
        self.find_int(i).map_or(Val::NIL, Slot::get)
    }

    /// The value under an interned string key.
    #[inline(always)]
    pub(crate) fn get_interned(&self, s: Gc<Str>) -> Val {
        self.find_interned(s).map_or(Val::NIL, Slot::get)
    }

    /// The value under any key (nil under nil and NaN), without metamethods.
    #[inline]
    pub(crate) fn get(&self, hash_key: u64, key: Val) -> Val {
        self.find(hash_key, key).map_or(Val::NIL, Slot::get)
    }

    /// A border: `n` such that `t[n] ~= nil` (or n is 0) and `t[n + 1] == nil`.
    pub fn border(&mut self) -> i64 {
        if self.header.extra & ASIDE != 0 {
            return self.border_aside();
        }
        let size = self.array_size as usize;
        if size > 0 && self.array_tag(size - 1) == tag::NIL {
            let n = self.array_border(size);
            self.len_hint = n as u32;
            return n as i64;
        }
        if !self.has_nodes() || self.find_live_int(size as i64 + 1).is_none() {
            return size as i64;
        }
        self.border_above(size as i64 + 1)
    }

    /// A border below `size`, given that the last slot is nil: near the last one found, else by bisection.
    fn array_border(&self, size: usize) -> usize {
        let hint = (self.len_hint as usize).min(size - 1);
        let (mut low, mut high) = (0, size - 1); // t[low] is non-nil (or low is 0), t[high + 1] is nil
        if hint > 0 && self.array_tag(hint - 1) == tag::NIL {
            if hint >= 2 && self.array_tag(hint - 2) != tag::NIL {
                return hint - 1;
            }
            high = hint - 1;
        } else {
            for n in hint..(hint + 4).min(size) {
                if self.array_tag(n) == tag::NIL {
                    return n;
                }
            }
            low = (hint + 4).min(size - 1);
        }
        while low < high {
            let mid = (low + high).div_ceil(2);
            if self.array_tag(mid - 1) == tag::NIL {
                high = mid - 1
            } else {
                low = mid
            }
        }
        low
    }

    fn find_live_int(&self, i: i64) -> Option<Slot> {
        self.find_int_node(i).filter(|s| !s.get().is_nil())
    }

    /// A border at or above `low`, whose key is present: doubling, then bisection.
    fn border_above(&self, mut low: i64) -> i64 {
        let mut high = low;
        loop {
            low = high;
            if high > i64::MAX / 2 {
                if self.get_int(i64::MAX).is_nil() {
                    high = i64::MAX;
                    break;
                }
                return i64::MAX;
            }
            high *= 2;
            if self.get_int(high).is_nil() {
                break;
            }
        }
        while high - low > 1 {
            let mid = low + (high - low) / 2;
            if self.get_int(mid).is_nil() {
                high = mid
            } else {
                low = mid
            }
        }
        low
    }

    /// The position after `key` in traversal order: array slots, then nodes. `None`: no such key.
    fn position_after(&self, hash_key: u64, key: Val) -> Option<usize> {
        if key.is_nil() {
            return Some(0);
        }
        if let Some(hidden) = self.hidden() {
            return hidden.position_after(hash_key, key);
        }
        if let Some(split) = self.split() {
            return split.position_after(self, hash_key, key);
        }
        let as_int = match key.tag {
            tag::INT => Some(key.raw_int()),
            tag::FLOAT => float_to_int(key.raw_float()),
            _ => None,
        };
        if let Some(i) = as_int
            && (i as u64).wrapping_sub(1) < self.array_size as u64
        {
            return Some(i as usize);
        }
        let index = self.node_index(hash_key, key)?;
        Some(self.array_size as usize + index + 1)
    }

    /// The index of a key's node, be it dead.
    fn node_index(&self, hash_key: u64, key: Val) -> Option<usize> {
        let node = match self.find(hash_key, key) {
            Some(slot) => slot.payload.as_ptr() as *mut Node,
            None => self.find_dead(hash_key, key)?,
        };
        // SAFETY: both pointers are into the node array; `val` is the node's first field.
        Some(unsafe { node.offset_from(self.nodes) } as usize)
    }

    /// The position after `key`, if it is where `hint` says (a position after it, or anything).
    #[inline(always)]
    pub(crate) fn position_behind(&self, hint: u64, key: Val) -> Option<usize> {
        if key.is_nil() {
            return Some(0);
        }
        let at = (hint as usize).wrapping_sub(1);
        let array = self.array_size as usize;
        if at < array {
            return (key.tag == tag::INT && key.payload == hint).then_some(at + 1);
        }
        if at - array >= self.node_count() {
            return None;
        }
        let n = self.node((at - array) as u32);
        // SAFETY: below the node count.
        let here = unsafe { (*n).key == key.payload && (*n).key_tag == key.tag };
        here.then_some(at + 1)
    }

    /// The first non-nil entry at or after a traversal position, if there is one near: (next position, key, value).
    #[inline(always)]
    pub(crate) fn entry_near(&self, at: usize) -> Option<(usize, Val, Val)> {
        const NEAR: usize = 16;
        self.entry_from(at, NEAR).ok().flatten()
    }

    /// Asks the caches for what a traversal that is at a position comes upon a few entries later: objects lie anywhere in memory.
    #[inline(always)]
    pub(crate) fn fetch_ahead(&self, at: usize) {
        let i = at
            .wrapping_sub(self.array_size as usize)
            .wrapping_add(AHEAD);
        if i < self.mask as usize {
            let n = self.node(i as u32);
            // SAFETY: below the node count.
            let (key, v) = unsafe { ((*n).key(), (*n).value()) };
            if key.is_object() {
                prefetch(key.payload as *const u8);
            }
            fetch_table(v);
        }
    }

    /// The same for a walk over the array part, which is at slot `i`.
    #[inline(always)]
    pub(crate) fn fetch_ahead_in_array(&self, i: usize) {
        let i = i.wrapping_add(AHEAD);
        if i < self.array_size as usize {
            fetch_table(self.array_slot(i).get());
        }
    }

    /// The node whose dead key had the same address as `key`.
    fn find_dead(&self, hash_key: u64, key: Val) -> Option<*mut Node> {
        if !key.is_object() {
            return None;
        }
        let mut n = self.node(self.hash_of(hash_key, key) & self.mask);
        loop {
            // SAFETY: chains stay inside the node array.
            unsafe {
                if (*n).key_tag == tag::DEAD_KEY && (*n).key == key.payload {
                    return Some(n);
                }
                if (*n).next == 0 {
                    return None;
                }
                n = n.offset((*n).next as isize);
            }
        }
    }

    /// The first non-nil entry at or after a traversal position: (next position, key, value), and in `steps`
    /// how many slots were looked at. `limit` bounds the slots looked at: `Err(position)` when it is reached.
    #[inline(always)]
    pub(crate) fn entry_from(
        &self,
        mut at: usize,
        limit: usize,
    ) -> Result<Option<(usize, Val, Val)>, usize> {
        if self.header.extra & ASIDE != 0 {
            return self.entry_aside(at, limit);
        }
        let array = self.array_size as usize;
        let end = array + self.node_count();
        let stop = at.saturating_add(limit);
        while at < array.min(stop) {
            if self.array_tag(at) != tag::NIL {
                return Ok(Some((
                    at + 1,
                    Val::int(at as i64 + 1),
                    self.array_slot(at).get(),
                )));
            }
            at += 1;
        }
        while at < end.min(stop) {
            let n = self.node((at - array) as u32);
            // SAFETY: `n` is below the node count.
            unsafe {
                if (*n).val_tag != tag::NIL {
                    let key = (*n).key();
                    return Ok(Some((at + 1, key, Self::node_slot(n).get())));
                }
            }
            at += 1;
        }
        if at >= end { Ok(None) } else { Err(at) }
    }

    fn is_empty_slot(n: *mut Node) -> bool {
        // SAFETY: `n` is a live node.
        unsafe { (*n).val_tag == tag::NIL }
    }

    /// The hash of any key that is not nil (floats that are integers must have been normalised).
    fn hash_of(&self, hash_key: u64, key: Val) -> u32 {
        match key.tag {
            tag::INT => hash_int(self.header.aux, key.raw_int(), self.mask),
            tag::FLOAT => hash_float(self.header.aux, key.payload, self.mask),
            tag::STR => key.raw_gc::<Str>().hash_with(hash_key),
            tag::FALSE => 1,
            tag::TRUE => 2,
            _ => hash_word(hash_key, key.payload),
        }
    }

    fn main_position(&self, hash_key: u64, n: *mut Node) -> *mut Node {
        // SAFETY: `n` is a live node with a value, so its key is alive.
        let key = unsafe { (*n).key() };
        self.node(self.hash_of(hash_key, key) & self.mask)
    }

    /// A node that has never had a key.
    fn take_free(&mut self, home: u32) -> Option<*mut Node> {
        if self.mask as usize >= MAX_WHOLE_NODES || self.header.extra & ASIDE != 0 {
            return self.take_free_of_many(home);
        }
        while self.last_free > 0 {
            self.last_free -= 1;
            let n = self.node(self.last_free);
            // SAFETY: below the node count.
            if unsafe { (*n).key_tag == tag::NIL } {
                return Some(n);
            }
        }
        None
    }

    /// Puts a key that is not in the table into the hash part.
    pub(crate) fn place_node(&mut self, hash_key: u64, key: Val, val: Val) -> Placed {
        if !self.has_nodes() {
            return Placed::NoRoom;
        }
        let mut placed = Placed::Here;
        let home = self.hash_of(hash_key, key) & self.mask;
        let mut at = self.node(home);
        // SAFETY: all pointers stay inside the node array.
        unsafe {
            if !Self::is_empty_slot(at) {
                let Some(free) = self.take_free(home) else {
                    return Placed::NoRoom;
                };
                if (*at).at_home == 0 {
                    // The colliding node is out of its main position: move it to the free node.
                    let mut prev = self.main_position(hash_key, at);
                    debug_assert!(prev != at);
                    while prev.offset((*prev).next as isize) != at {
                        prev = prev.offset((*prev).next as isize);
                    }
                    (*prev).next = free.offset_from(prev) as i32;
                    *free = *at;
                    placed = Placed::Moving(free);
                    if (*at).next != 0 {
                        (*free).next += at.offset_from(free) as i32;
                        (*at).next = 0;
                    }
                } else {
                    // The new key goes into the free node, behind the main position.
                    (*free).next = if (*at).next != 0 {
                        at.offset((*at).next as isize).offset_from(free) as i32
                    } else {
                        0
                    };
                    (*at).next = free.offset_from(at) as i32;
                    at = free;
                }
            }
            (*at).at_home = u16::from(at == self.node(home));
            (*at).key = key.payload;
            (*at).key_tag = key.tag;
            (*at).val = val.payload;
            (*at).val_tag = val.tag;
        }
        placed
    }

    /// Frees both parts; returns their bytes.
    pub(crate) fn release_parts(&mut self, parts: &mut Parts) -> usize {
        let bytes = self.part_bytes();
        if self.header.extra & KIND_HIDDEN != 0 {
            self.show(parts);
        }
        if self.header.extra & KIND_SPLIT != 0 {
            self.release_split(parts);
        }
        self.free_parts_outside(parts);
        bytes
    }

    /// Removes every entry and keeps the parts' memory. The parts are not being replaced.
    pub(crate) fn clear_entries(&mut self) {
        debug_assert!(self.header.extra & ASIDE == 0);
        for i in 0..self.array_size as usize {
            self.array_slot(i).set(Val::NIL);
        }
        for i in 0..self.node_count() {
            // SAFETY: below the node count.
            unsafe { *self.node(i as u32) = DUMMY.0 };
        }
        self.last_free = self.node_count() as u32;
        self.len_hint = 0;
    }
}
