//! Tables: an array part with tags and payloads apart (nine bytes a slot), and a hash part of chained
//! scatter nodes with Brent's variation (a colliding node that is not in its main position is moved away).
//!
//! ```text
//!  array:  ... payload[2] payload[1] payload[0] | tag[0] tag[1] tag[2] ...
//!                                               ^ self.array
//! ```
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

use crate::heap::parts::{Parts, layout};
use crate::heap::{Gc, Header};
use crate::native::Thrown;
use crate::number::float_to_int;
use crate::string::{Str, fold};
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::ptr::null_mut;

/// A node of the hash part.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) val: u64,
    pub(crate) key: u64,
    pub(crate) val_tag: u8,
    pub(crate) key_tag: u8,
    _pad: u16,
    /// Distance to the next node of the chain, in nodes; 0 ends it.
    pub(crate) next: i32,
}

const _: () = assert!(size_of::<Node>() == 24);

/// The hash part of a table that has none: one node, never written.
struct DummyNode(Node);
// SAFETY: the node is only read.
unsafe impl Sync for DummyNode {}
static DUMMY: DummyNode = DummyNode(Node {
    val: 0,
    key: 0,
    val_tag: tag::NIL,
    key_tag: tag::NIL,
    _pad: 0,
    next: 0,
});

#[inline(always)]
fn dummy() -> *mut Node {
    &raw const DUMMY.0 as *mut Node
}

/// Largest array part, in slots.
const MAX_ARRAY_BITS: usize = 30;
/// Largest hash part, as a power of two.
const MAX_HASH_BITS: u32 = 30;

/// A table object.
#[repr(C)]
pub struct Table {
    /// `flags`: absent metamethods; `extra`: the `KIND_*` bits; `aux`: the VM's [`int_seed`].
    pub(crate) header: Header,
    pub(crate) array: *mut u8,
    pub(crate) nodes: *mut Node,
    pub(crate) meta: *mut Table,
    pub(crate) array_size: u32,
    /// Nodes minus one.
    pub(crate) mask: u32,
    /// Nodes at or above this index are taken or have been tried.
    last_free: u32,
    /// A border found before, to start the search from.
    len_hint: u32,
}

const _: () = assert!(size_of::<Table>() == 48);

/// The table is an app's environment: it has no entries itself, reads go to the running coroutine's own globals, then
/// to the app's (the table in `meta`), stores to the former. Being empty, every access to it misses the fast paths.
pub(crate) const KIND_LAYERED: u8 = 1;
/// Stores raise an error.
pub(crate) const KIND_FROZEN: u8 = 2;

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
    payload: *mut u64,
    tag: *mut u8,
}

impl Slot {
    #[inline(always)]
    pub(crate) fn get(self) -> Val {
        // SAFETY: slots are made by the lookups below, from live parts of a table, and used before it changes.
        unsafe {
            Val {
                payload: *self.payload,
                tag: *self.tag,
            }
        }
    }
    #[inline(always)]
    pub(crate) fn set(self, v: Val) {
        // SAFETY: as in `get`; never made from the dummy node (its key is nil, which no lookup finds).
        unsafe {
            *self.payload = v.payload;
            *self.tag = v.tag;
        }
    }
}

/// What a VM's key is to integer keys: half a word, which fits the header of each table, so that a look-up needs nothing
/// but the table.
pub(crate) fn int_seed(hash_key: u64) -> u32 {
    (fold(hash_key ^ 0x8EBC_6AF0_9C88_C6E3, 0xD6E8_FEB8_6659_FD93) >> 16) as u32
}

/// The hash of an integer key for a hash part of `mask` + 1 nodes: the key's own low bits, as many as index the nodes, turned around by
/// a keyed hash of the bits above them.
///
/// Keys of one range as long as the hash part never collide, and lie as near to one another in it as they are: rows, identifiers and
/// steps of any odd width find their nodes without a miss. Two keys of different ranges collide as often as any two random numbers, and
/// which do nobody knows without the VM's key.
///
/// A plain multiplication would not do: keys that differ in their upper bits only would collide whatever the key of the
/// VM is, and a script (or a request with numbers in it) could make every look-up walk one long chain.
#[inline(always)]
fn hash_int(seed: u32, i: i64, mask: u32) -> u32 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let range = (i as u64) >> (u32::BITS - mask.leading_zeros()); // at most 30
    let h = fold(range ^ (seed as u64).wrapping_mul(SPREAD), SPREAD);
    (h ^ h >> 32) as u32 ^ i as u32
}

fn hash_word(hash_key: u64, w: u64) -> u32 {
    let h = fold(
        w ^ hash_key,
        hash_key.rotate_left(32) ^ 0xD6E8_FEB8_6659_FD93,
    );
    (h ^ h >> 32) as u32
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

    /// The app's globals behind a layered environment.
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
    /// Bytes of both parts (not of the object).
    pub(crate) fn part_bytes(&self) -> usize {
        Self::array_bytes(self.array_size as usize) + self.node_count() * size_of::<Node>()
    }
    /// Slots of both parts: what a walk over the table costs.
    pub fn slot_count(&self) -> usize {
        self.array_size as usize + self.node_count()
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
        unsafe {
            Slot {
                payload: (self.array as *mut u64).sub(1 + i),
                tag: self.array.add(i),
            }
        }
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
        unsafe {
            Slot {
                payload: &raw mut (*n).val,
                tag: &raw mut (*n).val_tag,
            }
        }
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
        let mut n = self.node(hash_int(self.header.aux, i, self.mask) & self.mask);
        loop {
            // SAFETY: chains stay inside the node array.
            unsafe {
                if (*n).key_tag == tag::INT && (*n).key == i as u64 {
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
        let n = self.node(hint & self.mask);
        // SAFETY: a node of this table, or the empty one.
        unsafe {
            let here = (*n).key == key && (*n).key_tag == tag::STR && (*n).val_tag != tag::NIL;
            here.then(|| Self::node_slot(n))
        }
    }

    /// A hint that leads to a slot found in the hash part; in larger tables it leads where the hash does.
    pub(crate) fn hint_for(&self, slot: Slot, hash: u32) -> u32 {
        // SAFETY: the slot is that of a node of this table; `val` is the node's first field.
        let index = unsafe { (slot.payload as *mut Node).offset_from(self.nodes) } as u32;
        hash & !self.mask | index
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
                    return None;
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

    /// The value under an integer key that is not in the array part.
    #[inline(always)]
    pub(crate) fn get_int_node(&self, i: i64) -> Val {
        match self.has_nodes() {
            true => self.get_int(i),
            false => Val::NIL,
        }
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
        let size = self.array_size as usize;
        if size > 0 && self.array_tag(size - 1) == tag::NIL {
            let n = self.array_border(size);
            self.len_hint = n as u32;
            return n as i64;
        }
        if !self.has_nodes() || self.find_live_int(size as i64 + 1).is_none() {
            return size as i64;
        }
        self.hash_border(size as i64 + 1)
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

    /// A border above `low`, whose key is present in the hash part: doubling, then bisection.
    fn hash_border(&self, mut low: i64) -> i64 {
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
        let node = match self.find(hash_key, key) {
            Some(slot) => slot.payload as *mut Node,
            None => self.find_dead(hash_key, key)?,
        };
        // SAFETY: both pointers are into the node array; `val` is the node's first field.
        let index = unsafe { node.offset_from(self.nodes) } as usize;
        Some(self.array_size as usize + index + 1)
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
                    let key = Val {
                        payload: (*n).key,
                        tag: (*n).key_tag,
                    };
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
            tag::STR => key.raw_gc::<Str>().hash_with(hash_key),
            tag::FALSE => 1,
            tag::TRUE => 2,
            _ => hash_word(hash_key, key.payload),
        }
    }

    fn main_position(&self, hash_key: u64, n: *mut Node) -> *mut Node {
        // SAFETY: `n` is a live node with a value, so its key is alive.
        let key = unsafe {
            Val {
                payload: (*n).key,
                tag: (*n).key_tag,
            }
        };
        self.node(self.hash_of(hash_key, key) & self.mask)
    }

    fn take_free(&mut self) -> Option<*mut Node> {
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
        let mut at = self.node(self.hash_of(hash_key, key) & self.mask);
        // SAFETY: all pointers stay inside the node array.
        unsafe {
            if !Self::is_empty_slot(at) {
                let Some(free) = self.take_free() else {
                    return Placed::NoRoom;
                };
                let other = self.main_position(hash_key, at);
                if other != at {
                    // The colliding node is out of its main position: move it to the free node.
                    let mut prev = other;
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
        free_array(parts, self.array, self.array_size as usize);
        free_nodes(parts, self.nodes, self.node_count());
        self.array = null_mut();
        self.array_size = 0;
        self.nodes = dummy();
        self.mask = 0;
        bytes
    }

    /// Removes every entry and keeps the parts' memory.
    pub(crate) fn clear_entries(&mut self) {
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

#[inline(always)]
fn free_array(parts: &mut Parts, array: *mut u8, slots: usize) {
    if slots > 0 {
        // SAFETY: made by `new_array` with so many slots; `array` points behind the payloads.
        unsafe { parts.release(array.sub(slots * 8), Table::array_bytes(slots)) };
    }
}

#[inline(always)]
fn free_nodes(parts: &mut Parts, nodes: *mut Node, count: usize) {
    if count > 0 {
        // SAFETY: made by `new_nodes` with so many nodes.
        unsafe { parts.release(nodes as *mut u8, count * size_of::<Node>()) };
    }
}

/// Why a raw store was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadKey {
    Nil,
    NaN,
}

/// Normalises a key for a store: floats with an integer value become integers.
pub(crate) fn normalise_key(key: Val) -> Result<Val, BadKey> {
    match key.tag {
        tag::NIL => Err(BadKey::Nil),
        tag::FLOAT => {
            let f = key.raw_float();
            match float_to_int(f) {
                Some(i) => Ok(Val::int(i)),
                None if f.is_nan() => Err(BadKey::NaN),
                None => Ok(key),
            }
        }
        _ => Ok(key),
    }
}

impl Vm {
    /// `t[key] = val` without metamethods, with barrier. The table, key and value must be reachable from a root.
    pub(crate) fn table_set(&mut self, t: Gc<Table>, key: Val, val: Val) -> Result<(), Thrown> {
        let val = self.script_value(val);
        let key = match normalise_key(key) {
            Ok(key) => key,
            Err(BadKey::Nil) => return Err(self.throw_str("table index is nil")),
            Err(BadKey::NaN) => return Err(self.throw_str("table index is NaN")),
        };
        self.table_set_normal(t, key, val)
    }

    /// `table_set` for a normalised key.
    pub(crate) fn table_set_normal(
        &mut self,
        mut t: Gc<Table>,
        key: Val,
        val: Val,
    ) -> Result<(), Thrown> {
        t.header.flags = 0;
        if let Some(slot) = t.find(self.heap.hash_key, key) {
            slot.set(val);
            self.barrier_table(t, val);
            return Ok(());
        }
        if val.is_nil() {
            return Ok(());
        }
        self.table_insert(t, key, val)
    }

    /// `t[i] = val` without metamethods.
    pub(crate) fn table_set_int(&mut self, t: Gc<Table>, i: i64, val: Val) -> Result<(), Thrown> {
        let val = self.script_value(val);
        if let Some(slot) = t.find_int(i) {
            slot.set(val);
            self.barrier_table(t, val);
            return Ok(());
        }
        if val.is_nil() {
            return Ok(());
        }
        self.table_insert(t, Val::int(i), val)
    }

    /// Inserts a normalised key that is not in the table, with a value that is not nil.
    #[cold]
    #[inline(never)]
    pub(crate) fn table_insert(
        &mut self,
        mut t: Gc<Table>,
        key: Val,
        val: Val,
    ) -> Result<(), Thrown> {
        t.header.flags = 0;
        let append = key.tag == tag::INT
            && key.raw_int() as u64 == t.array_size as u64 + 1
            && (t.array_size == 0 || t.array_tag(t.array_size as usize - 1) != tag::NIL);
        let placed = if append {
            Placed::NoRoom
        } else {
            t.place_node(self.heap.hash_key, key, val)
        };
        if let Placed::Moving(node) = placed {
            self.barrier_moved(t, node);
        }
        if placed == Placed::NoRoom {
            self.table_rehash(t, key)?;
            match key.tag {
                tag::INT if (key.raw_int() as u64).wrapping_sub(1) < t.array_size as u64 => {
                    t.array_slot(key.raw_int() as usize - 1).set(val);
                }
                _ => {
                    let placed = t.place_node(self.heap.hash_key, key, val);
                    debug_assert!(
                        placed != Placed::NoRoom,
                        "a rehash makes room for the key it is given"
                    );
                }
            }
        }
        self.barrier_key(t, key);
        self.barrier_table(t, val);
        Ok(())
    }

    /// Finds the sizes that suit the table's keys and one more, and moves everything there.
    fn table_rehash(&mut self, t: Gc<Table>, extra: Val) -> Result<(), Thrown> {
        let mut counts = [0u32; MAX_ARRAY_BITS + 1]; // counts[b]: integer keys k with 2^(b-1) < k <= 2^b
        let mut int_keys = 0u32;
        let mut count_int = |key: i64, counts: &mut [u32; MAX_ARRAY_BITS + 1]| {
            if (1..=1i64 << MAX_ARRAY_BITS).contains(&key) {
                counts[(key as u64).next_power_of_two().trailing_zeros() as usize] += 1;
                int_keys += 1;
            }
        };
        let mut total = 1u64;
        let array = t.array_size as usize;
        let mut low = 0;
        for (bit, count) in counts.iter_mut().enumerate() {
            let high = (1usize << bit).min(array);
            let mut n = 0;
            for i in low..high {
                n += (t.array_tag(i) != tag::NIL) as u32;
            }
            *count += n;
            total += n as u64;
            low = high;
            if high == array {
                break;
            }
        }
        let array_used = (total - 1) as u32;
        for i in 0..t.node_count() {
            let n = t.node(i as u32);
            // SAFETY: below the node count.
            unsafe {
                if (*n).val_tag != tag::NIL {
                    total += 1;
                    if (*n).key_tag == tag::INT {
                        count_int((*n).key as i64, &mut counts);
                    }
                }
            }
        }
        if extra.tag == tag::INT {
            count_int(extra.raw_int(), &mut counts);
        }
        int_keys += array_used;
        self.heap.spend((t.slot_count() / 8) as i64);
        // The largest n (a power of two) such that more than n/2 of the slots 1..n would be in use.
        let (mut best, mut in_array, mut seen) = (0usize, 0u32, 0u32);
        for (bit, n) in counts.iter().enumerate() {
            if (1u64 << bit) / 2 >= int_keys as u64 {
                break;
            }
            seen += n;
            if seen as u64 > (1u64 << bit) / 2 {
                best = 1 << bit;
                in_array = seen;
            }
        }
        self.table_resize(t, best, (total - in_array as u64) as usize)
    }

    /// Gives the table an array part of `array` slots and a hash part for `hash` keys, and moves its entries.
    pub(crate) fn table_resize(
        &mut self,
        mut t: Gc<Table>,
        array: usize,
        hash: usize,
    ) -> Result<(), Thrown> {
        let hash_slots = if hash == 0 {
            0
        } else {
            hash.next_power_of_two()
        };
        if hash_slots > 1 << MAX_HASH_BITS || array > 1 << MAX_ARRAY_BITS {
            return Err(self.throw_str("table overflow"));
        }
        // Charge (and perhaps collect) for both parts before either is touched.
        let old_array = t.array_size as usize;
        let bytes = if array != old_array {
            Table::array_bytes(array)
        } else {
            0
        } + hash_slots * size_of::<Node>();
        self.charge_bytes(bytes)?;
        // Entries move one by one, each to a place of its own in a part that may be larger than any cache.
        let moved = t.node_count() + old_array.saturating_sub(array);
        self.heap.spend((moved + (array + hash_slots) / 8) as i64);
        let (old_nodes, old_count) = (t.nodes, t.node_count());
        let old_array_ptr = t.array;
        // SAFETY: fresh allocations of the sizes computed above; entries are copied within both bounds.
        unsafe {
            let nodes = if hash_slots == 0 {
                dummy()
            } else {
                new_nodes(&mut self.heap.parts, hash_slots)
            };
            let moves_array = array != old_array && array > 0;
            let new_array = if moves_array && !nodes.is_null() {
                new_array(&mut self.heap.parts, old_array_ptr, old_array, array)
            } else {
                null_mut()
            };
            if nodes.is_null() || moves_array && new_array.is_null() {
                // The system has no memory: the table stays as it was.
                if !nodes.is_null() {
                    free_nodes(&mut self.heap.parts, nodes, hash_slots);
                }
                self.heap.uncharge(bytes);
                return Err(self.throw_memory());
            }
            if array != old_array {
                t.array = new_array;
                t.array_size = array as u32;
            }
            t.nodes = nodes;
            t.mask = hash_slots.saturating_sub(1) as u32;
            t.last_free = hash_slots as u32;
            // Array entries that no longer fit go to the hash part.
            for i in array..old_array {
                let tag = *old_array_ptr.add(i);
                if tag != tag::NIL {
                    let val = Val {
                        payload: *(old_array_ptr as *mut u64).sub(1 + i),
                        tag,
                    };
                    self.replace(&mut t, Val::int(i as i64 + 1), val);
                }
            }
            for i in (0..old_count).rev() {
                let n = old_nodes.add(i);
                if (*n).val_tag != tag::NIL {
                    let key = Val {
                        payload: (*n).key,
                        tag: (*n).key_tag,
                    };
                    self.replace(&mut t, key, Table::node_slot(n).get());
                }
            }
        }
        let mut freed = old_count * size_of::<Node>();
        free_nodes(&mut self.heap.parts, old_nodes, old_count);
        if array != old_array {
            free_array(&mut self.heap.parts, old_array_ptr, old_array);
            freed += Table::array_bytes(old_array);
        }
        self.heap.uncharge(freed);
        self.barrier_resized(t);
        Ok(())
    }

    /// As `table_resize`, for a table that has no parts yet.
    #[inline(never)]
    pub(crate) fn table_first_parts(
        &mut self,
        mut t: Gc<Table>,
        array: usize,
        hash: usize,
    ) -> Result<(), Thrown> {
        const FEW: usize = 1024;
        if t.slot_count() > 0 || array > FEW || hash > FEW {
            return self.table_resize(t, array, hash);
        }
        let hash_slots = if hash == 0 {
            0
        } else {
            hash.next_power_of_two()
        };
        let bytes = Table::array_bytes(array) + hash_slots * size_of::<Node>();
        self.charge_bytes(bytes)?;
        self.heap.spend(((array + hash_slots) / 8) as i64);
        if array > 0 {
            // SAFETY: there is no old part.
            let made = unsafe { new_array(&mut self.heap.parts, null_mut(), 0, array) };
            if made.is_null() {
                self.heap.uncharge(bytes);
                return Err(self.throw_memory());
            }
            t.array = made;
            t.array_size = array as u32;
        }
        if hash_slots > 0 {
            let nodes = new_nodes(&mut self.heap.parts, hash_slots);
            if nodes.is_null() {
                // What there is already stays with the table.
                self.heap.uncharge(hash_slots * size_of::<Node>());
                return Err(self.throw_memory());
            }
            t.nodes = nodes;
            t.mask = hash_slots as u32 - 1;
            t.last_free = hash_slots as u32;
        }
        Ok(())
    }

    fn replace(&mut self, t: &mut Gc<Table>, key: Val, val: Val) {
        if key.tag == tag::INT && (key.raw_int() as u64).wrapping_sub(1) < t.array_size as u64 {
            t.array_slot(key.raw_int() as usize - 1).set(val);
        } else {
            let placed = t.place_node(self.heap.hash_key, key, val);
            debug_assert!(
                placed != Placed::NoRoom,
                "table_resize was asked for too few nodes"
            );
        }
    }

    /// The entry after `key` in traversal order. Charges fuel for the slots passed over.
    pub(crate) fn table_next(
        &mut self,
        t: Gc<Table>,
        key: Val,
    ) -> Result<Option<(Val, Val)>, Thrown> {
        let Some(at) = t.position_after(self.heap.hash_key, key) else {
            return Err(self.throw_str("invalid key to 'next'"));
        };
        let found = t.entry_from(at, usize::MAX).unwrap_or(None);
        let passed = found.map_or(t.slot_count(), |f| f.0) - at;
        self.heap.spend((passed / 4) as i64);
        Ok(found.map(|(_, k, v)| (self.script_value(k), v)))
    }
}

/// Parts of this many bytes come zeroed from the system, which is all nil and touches no page before it is used; smaller
/// ones are filled here.
const UNTOUCHED: usize = 128 * 1024;

/// A new array part with the entries of the old one, as many as fit; null when the system has no memory.
///
/// # Safety
/// `old` is an array part of `old_slots` slots (or `old_slots` is 0).
#[inline(always)]
unsafe fn new_array(parts: &mut Parts, old: *mut u8, old_slots: usize, slots: usize) -> *mut u8 {
    let bytes = Table::array_bytes(slots);
    // SAFETY: the part is not empty; the copies stay within both blocks.
    unsafe {
        let block = match bytes {
            UNTOUCHED.. => std::alloc::alloc_zeroed(layout(bytes)),
            _ => parts.allocate(bytes),
        };
        if block.is_null() {
            return null_mut();
        }
        let array = block.add(slots * 8);
        let kept = old_slots.min(slots);
        if kept > 0 {
            std::ptr::copy_nonoverlapping(old.sub(kept * 8), array.sub(kept * 8), kept * 8);
            std::ptr::copy_nonoverlapping(old, array, kept);
        }
        if bytes < UNTOUCHED {
            std::ptr::write_bytes(array.add(kept), tag::NIL, slots - kept);
        }
        array
    }
}

/// A new hash part; null when the system has no memory.
#[inline(always)]
fn new_nodes(parts: &mut Parts, count: usize) -> *mut Node {
    let bytes = count * size_of::<Node>();
    // SAFETY: the part is not empty; every node is initialised (all of the empty node is zero).
    unsafe {
        if bytes >= UNTOUCHED {
            return std::alloc::alloc_zeroed(layout(bytes)) as *mut Node;
        }
        let nodes = parts.allocate(bytes) as *mut Node;
        if nodes.is_null() {
            return null_mut();
        }
        for i in 0..count {
            nodes.add(i).write(DUMMY.0);
        }
        nodes
    }
}
