//! The allocator of the `rille` program: the system's, with small blocks kept by the thread that frees them.
//!
//! A request that waits has a dozen blocks, and a worker has many requests that wait: they take their blocks together and give them back
//! together. glibc keeps seven blocks of a size for a thread, and for all others goes through its bins under a lock, at ten times the price.
//!
//! ```text
//!   free: block -> the thread's list of its size, if there is room, else -> System
//!   allocate: the thread's list of the size, if there is one, else System
//! ```
//!
//! **Invariants.** Every block is one of [`System`]'s, of the size of its class: whichever thread has it may give it back, kept or not. A
//! thread keeps at most [`KEPT`] bytes of a size, and nothing when it has ended. The links of a list are in the blocks themselves:
//! keeping one takes no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// The classes: 24 bytes, 40, 56 and so on, the sizes that glibc can give without waste.
const CLASSES: usize = 128;
const SMALLEST: usize = 24;
const STEP: usize = 16;
const LARGEST: usize = class_size(CLASSES - 1);
/// How blocks are aligned; what needs more is the system's matter.
const ALIGN: usize = 16;

/// The most bytes of one size that a thread keeps.
pub const KEPT: usize = 64 * 1024;

/// The allocator.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: rille_alloc::Keeping = rille_alloc::Keeping;
/// ```
pub struct Keeping;

const fn class_size(class: usize) -> usize {
    SMALLEST + class * STEP
}

/// The class of a small block; `None`: it is not one.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let fits = layout.size() <= LARGEST && layout.align() <= ALIGN;
    fits.then(|| layout.size().saturating_sub(SMALLEST - STEP + 1) / STEP)
}

/// What blocks of a class are asked for with.
#[inline]
fn layout_of(class: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and the size far from the largest.
    unsafe { Layout::from_size_align_unchecked(class_size(class), ALIGN) }
}

/// Free blocks of one size.
struct List {
    /// The first; at the beginning of each is where the next is.
    first: Cell<*mut u8>,
    /// How many more there may be.
    room: Cell<usize>,
}

/// The lists of a thread.
struct Lists([List; CLASSES]);

impl Lists {
    const fn new() -> Lists {
        let mut lists = [const { List::of(0) }; CLASSES];
        let mut class = 0;
        while class < CLASSES {
            lists[class] = List::of(KEPT / class_size(class));
            class += 1;
        }
        Lists(lists)
    }
}

impl List {
    const fn of(room: usize) -> List {
        List {
            first: Cell::new(null_mut()),
            room: Cell::new(room),
        }
    }

    /// A block, if there is one.
    #[inline]
    fn pop(&self) -> *mut u8 {
        let block = self.first.get();
        if !block.is_null() {
            // SAFETY: it is free and in this list: `push` has written there where the next one is.
            self.first.set(unsafe { block.cast::<*mut u8>().read() });
            self.room.set(self.room.get() + 1);
        }
        block
    }

    /// Takes a block, if there is room.
    ///
    /// # Safety
    /// It is of the list's class, and nobody uses it any more.
    #[inline]
    unsafe fn push(&self, block: *mut u8) -> bool {
        let Some(room) = self.room.get().checked_sub(1) else {
            return false;
        };
        // SAFETY: the caller's promise; a block has room for an address, and is aligned for one.
        unsafe { block.cast::<*mut u8>().write(self.first.get()) };
        self.first.set(block);
        self.room.set(room);
        true
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        for (class, list) in self.0.iter().enumerate() {
            loop {
                let block = list.pop();
                if block.is_null() {
                    break;
                }
                // SAFETY: a block of this class, which was in the list and is in none now.
                unsafe { System.dealloc(block, layout_of(class)) };
            }
        }
    }
}

thread_local! {
    static LISTS: Lists = const { Lists::new() };
}

// SAFETY: blocks are `System`'s, which are as large and as aligned as asked for; one that is kept was given back, and is given out once.
unsafe impl GlobalAlloc for Keeping {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        // A thread at its very end has no lists any more.
        let kept = LISTS.try_with(|lists| lists.0[class].pop());
        match kept {
            Ok(block) if !block.is_null() => block,
            // SAFETY: the size is not zero.
            _ => unsafe { System.alloc(layout_of(class)) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else {
            // SAFETY: the caller's promise; it is not of a class, so it came from there with this layout.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: the caller's promise; the layout says which class it was made for.
        let is_kept = LISTS.try_with(|lists| unsafe { lists.0[class].push(block) });
        if is_kept != Ok(true) {
            // SAFETY: as above.
            unsafe { System.dealloc(block, layout_of(class)) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class_of(layout).is_none() {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: it has so many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to the alignment, is not too large.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(wanted)) {
            (None, None) => {
                // SAFETY: the caller's promise; it came from there.
                unsafe { System.realloc(block, layout, size) }
            }
            (old, new) if old == new => block,
            _ => {
                // SAFETY: the caller's promise.
                let moved = unsafe { self.alloc(wanted) };
                if !moved.is_null() {
                    // SAFETY: both have so many bytes, and are two; then nobody uses the old one.
                    unsafe {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                }
                moved
            }
        }
    }
}

#[cfg(test)]
mod tests;
