//! Parts: what objects own outside their cells (array and hash parts of tables, stacks of coroutines).
//!
//! They are blocks of the system's allocator. Small ones that are given back are kept for the next of their size, up to
//! a limit in all: a program that makes small tables takes and gives back a block for each. Large ones are pages of their own from the
//! operating system, where it is known how to ask for them: these come zeroed, one by one when they are first touched, so
//! that taking a part costs the same whatever its size. Under a hash part that is going to be filled memory is put piece by piece ([`Parts::populate`]).
//!
//! **Invariants**
//! - Who owns a part knows its size in bytes; the block is of that size, rounded up for small ones ([`layout`]).
//! - Parts are charged by their owners; what is kept here is not charged, and bounded.
//! - A large part that is given back is charged to nobody either while its pages leave piece by piece: with every collection step, with
//!   every insert into a table that grows, and more of it than [`MAX_LEAVING`] and a share of what the VM uses before a collection cycle ends.
//!   So it is no more than what was charged when it was in use, and goes faster than the VM can take other memory.

use super::system::{SPLITS, map, populate, unmap};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::null_mut;

/// Parts of up to this many bytes are kept.
const SMALL: usize = 512;
const GRANULE: usize = 16;
const CLASSES: usize = SMALL / GRANULE + 1;
/// Parts of this many bytes are pages of their own.
const MAPPED: usize = 512 * 1024;
/// Large parts go back to the system in pieces of this many bytes (a multiple of every page size).
const LEAVING_PIECE: usize = 256 * 1024;
/// A large hash part has memory put under pieces of this many bytes (a multiple too), so that a page of it costs one fault and not two.
const POPULATED_PIECE: usize = 64 * 1024;
/// So much may be on its way for longer, and a share of what the VM uses.
const MAX_LEAVING: usize = 2 * 1024 * 1024;
const LEAVING_SHARE: usize = 16;
/// Bytes that a small VM keeps; a large one keeps a share of what it uses ([`Parts::keep_for`]).
const MAX_KEPT: usize = 128 * 1024;
const KEPT_SHARE: usize = 8;

/// A part that is kept: the next of its size.
struct Kept {
    next: *mut Kept,
}

pub(crate) struct Parts {
    kept: [*mut Kept; CLASSES],
    /// Bytes of them all.
    bytes: usize,
    limit: usize,
    /// Large parts that were given back and are on their way to the system: it takes a while for each page.
    leaving: Vec<(*mut u8, usize)>,
    leaving_bytes: usize,
    leaving_limit: usize,
}

/// The block of a part.
#[inline(always)]
pub(crate) fn layout(bytes: usize) -> Layout {
    let size = if bytes <= SMALL {
        bytes.next_multiple_of(GRANULE)
    } else {
        bytes
    };
    // SAFETY: sizes are far below the largest there can be: they have been charged.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

impl Parts {
    pub(crate) fn new() -> Parts {
        Parts {
            kept: [null_mut(); CLASSES],
            bytes: 0,
            limit: MAX_KEPT,
            leaving: Vec::new(),
            leaving_bytes: 0,
            leaving_limit: MAX_LEAVING,
        }
    }

    /// A part of so many bytes (not zero), not initialised; null when the system has no memory.
    #[inline(always)]
    pub(crate) fn allocate(&mut self, bytes: usize) -> *mut u8 {
        debug_assert!(bytes > 0);
        if bytes <= SMALL {
            let list = &mut self.kept[bytes.div_ceil(GRANULE)];
            let part = *list;
            if !part.is_null() {
                // SAFETY: kept parts are blocks of their class's size that nobody uses.
                *list = unsafe { (*part).next };
                self.bytes -= bytes.next_multiple_of(GRANULE);
                return part as *mut u8;
            }
        }
        if bytes >= MAPPED {
            return map(bytes);
        }
        // SAFETY: the layout is not empty.
        unsafe { alloc(layout(bytes)) }
    }

    /// As [`Parts::allocate`], every byte zero.
    pub(crate) fn allocate_zeroed(&mut self, bytes: usize) -> *mut u8 {
        debug_assert!(bytes > SMALL);
        if bytes >= MAPPED {
            return map(bytes);
        }
        // SAFETY: the layout is not empty.
        unsafe { alloc_zeroed(layout(bytes)) }
    }

    /// Has the system put memory under a piece of a part of so many bytes, from a place on, if that is left to it: where the next piece
    /// begins.
    ///
    /// # Safety
    /// It is a part of so many bytes, and the place a whole number of pages behind its first byte.
    pub(crate) unsafe fn populate(part: *mut u8, bytes: usize, from: usize) -> usize {
        let piece = POPULATED_PIECE.min(bytes - from);
        if bytes >= MAPPED {
            // SAFETY: the caller's promise; a mapping ends with a whole page.
            unsafe { populate(part.add(from), piece) };
        }
        from + piece
    }

    /// Gives a part back.
    ///
    /// # Safety
    /// It is a part of so many bytes, made here or with [`layout`], and not used any more.
    #[inline(always)]
    pub(crate) unsafe fn release(&mut self, part: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let rounded = bytes.next_multiple_of(GRANULE);
            if bytes <= SMALL && self.bytes + rounded <= self.limit {
                let list = &mut self.kept[bytes.div_ceil(GRANULE)];
                (*(part as *mut Kept)).next = *list;
                *list = part as *mut Kept;
                self.bytes += rounded;
                return;
            }
            if bytes >= MAPPED {
                if self.limit == 0 || self.leaving.try_reserve(1).is_err() {
                    return unmap(part, bytes);
                }
                self.leaving.push((part, bytes));
                self.leaving_bytes += bytes;
                return;
            }
            dealloc(part, layout(bytes));
        }
    }

    /// A part of another size with the same bytes, as many as fit, and zeros behind them; null, and nothing changed, when the system has
    /// no memory. Where both are pages of their own, and the system can, no byte is copied.
    ///
    /// # Safety
    /// It is a part of `old` bytes, which only the new one is used for from now on.
    pub(crate) unsafe fn resize(&mut self, part: *mut u8, old: usize, new: usize) -> *mut u8 {
        #[cfg(all(target_os = "linux", not(miri)))]
        if old >= MAPPED && new >= MAPPED {
            // SAFETY: a mapping of `map`'s, of this size.
            let p =
                unsafe { libc::mremap(part as *mut libc::c_void, old, new, libc::MREMAP_MAYMOVE) };
            return if p == libc::MAP_FAILED {
                null_mut()
            } else {
                p as *mut u8
            };
        }
        let block = match new > SMALL {
            true => self.allocate_zeroed(new),
            false => self.allocate(new),
        };
        if block.is_null() {
            return block;
        }
        // SAFETY: the copy stays within both; what is behind it in a small part is written.
        unsafe {
            std::ptr::copy_nonoverlapping(part, block, old.min(new));
            if new <= SMALL && new > old {
                std::ptr::write_bytes(block.add(old), 0, new - old);
            }
            self.release(part, old);
        }
        block
    }

    /// Whether more is on its way than a VM may have between collections.
    #[inline(always)]
    pub(crate) fn has_too_much(&self) -> bool {
        self.leaving_bytes > self.leaving_limit
    }

    /// Gives the system a piece of what is on its way there. Called at collection steps, and at inserts into tables that grow.
    #[inline(always)]
    pub(crate) fn let_some_go(&mut self) {
        if !self.leaving.is_empty() {
            self.unmap_piece();
        }
    }

    #[cold]
    fn unmap_piece(&mut self) {
        let Some((part, bytes)) = self.leaving.pop() else {
            return;
        };
        let mut piece = bytes;
        if SPLITS && bytes > LEAVING_PIECE {
            // The end of it; its length counts in whole pages.
            let rest = (bytes - LEAVING_PIECE).next_multiple_of(LEAVING_PIECE);
            piece = bytes - rest;
            self.leaving.push((part, rest));
        }
        self.leaving_bytes -= piece;
        // SAFETY: the last bytes of a mapping that nobody uses; what is left of it is on the list.
        unsafe { unmap(part.add(bytes - piece), piece) };
    }

    /// Sets how much is kept by a VM that uses so many bytes.
    pub(crate) fn keep_for(&mut self, used: usize) {
        if self.limit > 0 {
            self.limit = MAX_KEPT + used / KEPT_SHARE;
            self.leaving_limit = MAX_LEAVING + used / LEAVING_SHARE;
        }
    }

    /// Gives what is kept back to the system.
    pub(crate) fn flush(&mut self) {
        for (class, list) in self.kept.iter_mut().enumerate() {
            while !list.is_null() {
                let part = *list;
                // SAFETY: a block of its class's size that nobody uses.
                unsafe {
                    *list = (*part).next;
                    dealloc(part as *mut u8, layout(class * GRANULE));
                }
            }
        }
        self.bytes = 0;
        for (part, bytes) in self.leaving.drain(..) {
            // SAFETY: a mapping that nobody uses, of this size.
            unsafe { unmap(part, bytes) };
        }
        self.leaving_bytes = 0;
    }

    /// From now on nothing is kept, so that every use of a part that was given back shows.
    pub(crate) fn keep_nothing(&mut self) {
        self.limit = 0;
        self.flush();
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_given_out_again_and_bounded() {
        let mut parts = Parts::new();
        let first = parts.allocate(40);
        // SAFETY: as made.
        unsafe { parts.release(first, 40) };
        assert_eq!(parts.allocate(48), first);
        let many: Vec<*mut u8> = (0..1000).map(|_| parts.allocate(500)).collect();
        for part in many {
            // SAFETY: as made.
            unsafe { parts.release(part, 500) };
        }
        assert!(parts.bytes <= MAX_KEPT);
        parts.keep_nothing();
        assert_eq!(parts.bytes, 0);
        // SAFETY: as made.
        unsafe { parts.release(first, 48) };
        assert_eq!(parts.bytes, 0);
    }

    #[test]
    fn large_ones_leave_in_pieces() {
        let bytes = MAX_LEAVING + 3 * LEAVING_PIECE + LEAVING_PIECE / 2;
        let mut parts = Parts::new();
        let part = parts.allocate(bytes);
        // SAFETY: as made.
        unsafe { parts.release(part, bytes) };
        assert_eq!(parts.leaving_bytes, bytes);
        let mut pieces = 0;
        while parts.has_too_much() {
            parts.let_some_go();
            pieces += 1;
        }
        assert_eq!(pieces, 4);
        parts.flush();
        assert_eq!(parts.leaving_bytes, 0);
    }
}
