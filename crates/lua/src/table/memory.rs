//! The memory of array and hash parts.

use super::{DUMMY, Node, Table};
use crate::heap::parts::Parts;
use crate::value::tag;
use std::ptr::null_mut;

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
/// # Safety
/// Both parts have these slots.
#[inline(always)]
pub(super) unsafe fn copy_slots(old: *mut u8, new: *mut u8, from: usize, n: usize) {
    // SAFETY: the caller's promise; payloads lie below the middle, in the other direction.
    unsafe {
        let end = (from + n) * 8;
        std::ptr::copy_nonoverlapping(old.sub(end), new.sub(end), n * 8);
        std::ptr::copy_nonoverlapping(old.add(from), new.add(from), n);
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
        for i in 0..count {
            nodes.add(i).write(DUMMY.0);
        }
        nodes
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
