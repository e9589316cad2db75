//! Pages: memory for small objects, one cell size to a page.
//!
//! **Invariants**
//! - A cell whose header kind is 0 is free; every other cell below the page's bump mark is an object.
//! - A free cell is on exactly one list: the class's (if its page is the one allocated from) or its page's.
//! - Cells at or above the bump mark have never been used; only the current page of a class has any.
//! - A page on its class's list of partial pages knows its place there, so that it leaves the list in one step.
//!
//! The first pages are blocks of the system's allocator. Once a VM has [`CHUNK`] bytes of them, full pages come from chunks of address
//! space of its own. What becomes empty there is kept for the pages to come, as far as the heap is to grow before the next
//! collection; the memory under the rest goes back to the system, from the middle of a chunk too ([`Pages::discard_one`]). The
//! system's allocator would keep it below any block that is still in use.

use super::Header;
use super::system::{discard, map, unmap};
use std::alloc::{Layout, alloc, dealloc};
use std::ptr::null_mut;

/// The largest object that lives in a page, in bytes.
pub(crate) const MAX_CELL: usize = 1024;
const GRANULE: usize = 16;
/// Sizes above this go up in coarser steps.
const FINE_LIMIT: usize = 256;
const FINE_CLASSES: usize = FINE_LIMIT / GRANULE;
const COARSE: [usize; 8] = [320, 384, 448, 512, 640, 768, 896, 1024];
const CLASSES: usize = FINE_CLASSES + COARSE.len();
/// A class's first page is small, so that an idle VM is; later ones grow to the full size.
const FIRST_PAGE: usize = 1024;
pub(super) const PAGE_BYTES: usize = 32 * 1024;
/// Full pages that are taken from the system together, by VMs that have so many bytes of pages.
const CHUNK_PAGES: usize = 16;
const CHUNK: usize = CHUNK_PAGES * PAGE_BYTES;
const NO_PAGE: u32 = u32::MAX;
/// The place of a page that is not on a list.
const NO_PLACE: u32 = u32::MAX;

/// A free cell: kind 0, then the next free cell.
#[repr(C)]
struct FreeCell {
    header: Header,
    next: *mut FreeCell,
}

pub(crate) struct Page {
    memory: *mut u8,
    bytes: u32,
    cell: u32,
    class: u8,
    /// It is part of a chunk.
    chunked: bool,
    /// Where its number is in its class's `partial`.
    partial_at: u32,
    free: *mut FreeCell,
    /// Bytes of the cells on that list.
    holes: u32,
}

#[derive(Clone)]
struct Class {
    free: *mut FreeCell,
    bump: *mut u8,
    end: *mut u8,
    current: u32,
    /// Pages with free cells, not current.
    partial: Vec<u32>,
    next_page: u32,
}

pub(crate) struct Pages {
    classes: [Class; CLASSES],
    pages: Vec<Page>,
    vacant: Vec<u32>,
    /// Bytes of all pages: what the VM takes from the system for small objects.
    pub(crate) reserved: usize,
    /// Bytes of the cells on the pages' lists.
    holes: usize,
    chunks: Vec<*mut u8>,
    /// Full pages without objects: those that have been used, and those that take no memory. There is room on either list for all.
    spare: Vec<*mut u8>,
    discarded: Vec<*mut u8>,
}

fn class_of(size: usize) -> usize {
    if size <= FINE_LIMIT {
        size.div_ceil(GRANULE) - 1
    } else {
        FINE_CLASSES
            + COARSE
                .iter()
                .position(|c| *c >= size)
                .expect("at most MAX_CELL")
    }
}

fn cell_of(class: usize) -> usize {
    if class < FINE_CLASSES {
        (class + 1) * GRANULE
    } else {
        COARSE[class - FINE_CLASSES]
    }
}

fn page_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 16).expect("page sizes are constants")
}

impl Pages {
    pub(crate) fn new() -> Pages {
        let class = Class {
            free: null_mut(),
            bump: null_mut(),
            end: null_mut(),
            current: NO_PAGE,
            partial: Vec::new(),
            next_page: FIRST_PAGE as u32,
        };
        Pages {
            classes: std::array::from_fn(|_| class.clone()),
            pages: Vec::new(),
            vacant: Vec::new(),
            reserved: 0,
            holes: 0,
            chunks: Vec::new(),
            spare: Vec::new(),
            discarded: Vec::new(),
        }
    }

    /// Memory for a full page, from a chunk; null when the system has none.
    fn take_full(&mut self) -> *mut u8 {
        if let Some(memory) = self.spare.pop().or_else(|| self.discarded.pop()) {
            return memory;
        }
        let pages = (self.chunks.len() + 1) * CHUNK_PAGES;
        let room = self.chunks.try_reserve(1).is_ok()
            && self.spare.try_reserve(pages).is_ok()
            && self.discarded.try_reserve(pages).is_ok();
        let chunk = if room { map(CHUNK) } else { null_mut() };
        if chunk.is_null() {
            return null_mut();
        }
        self.chunks.push(chunk);
        // The first one last: it is taken next.
        // SAFETY: pages of the chunk.
        let rest = (1..CHUNK_PAGES).rev();
        self.discarded
            .extend(rest.map(|n| unsafe { chunk.add(n * PAGE_BYTES) }));
        chunk
    }

    /// Bytes of the free cells in pages with objects, which only objects of their sizes can use. Not those of the pages that are
    /// allocated from: there is one of each size.
    pub(crate) fn holes(&self) -> usize {
        self.holes
    }

    /// Bytes of pages that are kept for what is to come.
    pub(crate) fn spare_bytes(&self) -> usize {
        self.spare.len() * PAGE_BYTES
    }

    /// Gives the memory of a page that is kept back to the system. Its addresses stay.
    pub(crate) fn discard_one(&mut self) {
        if let Some(memory) = self.spare.pop() {
            // SAFETY: a page of a chunk, without objects.
            unsafe { discard(memory, PAGE_BYTES) };
            self.discarded.push(memory);
        }
    }

    /// A cell for an object of `size` bytes (at most `MAX_CELL`), not initialised; null when the system has no memory.
    #[inline(always)]
    pub(crate) fn allocate(&mut self, size: usize) -> *mut Header {
        let index = if size <= FINE_LIMIT {
            size.div_ceil(GRANULE) - 1
        } else {
            class_of(size)
        };
        let class = &mut self.classes[index];
        let cell = class.free;
        if !cell.is_null() {
            // SAFETY: cells on the list are free and inside a live page.
            class.free = unsafe { (*cell).next };
            return cell as *mut Header;
        }
        let cell_size = if size <= FINE_LIMIT {
            (index + 1) * GRANULE
        } else {
            cell_of(index)
        };
        let bump = class.bump;
        if (class.end as usize) - (bump as usize) >= cell_size {
            class.bump = (bump as usize + cell_size) as *mut u8;
            return bump as *mut Header;
        }
        self.allocate_slow(index)
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow(&mut self, index: usize) -> *mut Header {
        let class = &mut self.classes[index];
        if let Some(id) = class.partial.pop() {
            let page = &mut self.pages[id as usize];
            page.partial_at = NO_PLACE;
            self.holes -= std::mem::take(&mut page.holes) as usize;
            class.free = page.free;
            page.free = null_mut();
            class.current = id;
            class.bump = null_mut();
            class.end = null_mut();
        } else if !self.add_page(index) {
            return null_mut();
        }
        self.allocate(cell_of(index))
    }

    /// Gives a class a new page; false when the system has no memory.
    fn add_page(&mut self, index: usize) -> bool {
        let cell = cell_of(index);
        let class = &mut self.classes[index];
        let bytes = (class.next_page as usize / cell).max(2) * cell;
        class.next_page = (class.next_page * 4).min(PAGE_BYTES as u32);
        if self.vacant.is_empty() && self.pages.try_reserve(1).is_err() {
            return false;
        }
        let chunked = self.reserved >= CHUNK && bytes + cell > PAGE_BYTES;
        let memory = match chunked {
            true => self.take_full(),
            // SAFETY: the layout is not empty.
            false => unsafe { alloc(page_layout(bytes)) },
        };
        if memory.is_null() {
            return false;
        }
        self.reserved += bytes;
        let class = &mut self.classes[index];
        class.bump = memory;
        class.end = (memory as usize + bytes) as *mut u8;
        let page = Page {
            memory,
            bytes: bytes as u32,
            cell: cell as u32,
            class: index as u8,
            chunked,
            partial_at: NO_PLACE,
            free: null_mut(),
            holes: 0,
        };
        class.current = match self.vacant.pop() {
            Some(id) => {
                self.pages[id as usize] = page;
                id
            }
            None => {
                self.pages.push(page);
                self.pages.len() as u32 - 1
            }
        };
        true
    }

    /// How many page slots there are (some may be vacant).
    pub(crate) fn count(&self) -> usize {
        self.pages.len()
    }

    /// The used cells of a page: (first cell, cell size, number of cells below the bump mark).
    pub(crate) fn cells(&self, id: usize) -> (*mut u8, usize, usize) {
        let page = &self.pages[id];
        let class = &self.classes[page.class as usize];
        let used = if class.current == id as u32 && !class.bump.is_null() {
            class.bump as usize - page.memory as usize
        } else {
            page.bytes as usize
        };
        if page.memory.is_null() {
            (null_mut(), 1, 0)
        } else {
            (page.memory, page.cell as usize, used / page.cell as usize)
        }
    }

    /// Rebuilds the free list of a page after its dead objects were marked free (kind 0); gives an empty page
    /// back to the system. Returns the number of free cells.
    pub(crate) fn relink(&mut self, id: usize) -> usize {
        let (memory, cell, used) = self.cells(id);
        if memory.is_null() {
            return 0;
        }
        let mut list: *mut FreeCell = null_mut();
        let mut free = 0;
        for i in (0..used).rev() {
            // SAFETY: cells below the bump mark are initialised; free ones are at least a `FreeCell`'s 16 bytes.
            unsafe {
                let at = memory.add(i * cell) as *mut FreeCell;
                if (*at).header.kind == 0 {
                    (*at).next = list;
                    list = at;
                    free += 1;
                }
            }
        }
        let page = &mut self.pages[id];
        let class = &mut self.classes[page.class as usize];
        if class.current == id as u32 {
            class.free = list;
        } else if free == used && page.bytes as usize > FIRST_PAGE {
            self.release(id);
        } else {
            page.free = list;
            self.holes -= page.holes as usize;
            page.holes = (free * cell) as u32;
            self.holes += page.holes as usize;
            if free > 0 && page.partial_at == NO_PLACE {
                page.partial_at = class.partial.len() as u32;
                class.partial.push(id as u32);
            }
        }
        free
    }

    /// Takes a page off its class's list of partial pages, if it is there: the last one gets its place.
    fn leave_partial(&mut self, id: usize) {
        let page = &mut self.pages[id];
        let at = std::mem::replace(&mut page.partial_at, NO_PLACE);
        if at == NO_PLACE {
            return;
        }
        let partial = &mut self.classes[page.class as usize].partial;
        partial.swap_remove(at as usize);
        if let Some(moved) = partial.get(at as usize) {
            self.pages[*moved as usize].partial_at = at;
        }
    }

    /// Gives a page without objects back: to the system, or to be taken again.
    fn release(&mut self, id: usize) {
        self.leave_partial(id);
        let page = &mut self.pages[id];
        self.holes -= std::mem::take(&mut page.holes) as usize;
        match page.chunked {
            true => self.spare.push(page.memory),
            // SAFETY: allocated by `add_page` with this layout; no object is left in it.
            false => unsafe { dealloc(page.memory, page_layout(page.bytes as usize)) },
        }
        self.reserved -= page.bytes as usize;
        page.memory = null_mut();
        page.free = null_mut();
        page.bytes = 0;
        self.vacant.push(id as u32);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        for page in &self.pages {
            if !page.memory.is_null() && !page.chunked {
                // SAFETY: allocated by `add_page` with this layout.
                unsafe { dealloc(page.memory, page_layout(page.bytes as usize)) };
            }
        }
        for &chunk in &self.chunks {
            // SAFETY: made by `take_full` with this size.
            unsafe { unmap(chunk, CHUNK) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_class_that_fits() {
        for size in 8..=MAX_CELL {
            assert!(cell_of(class_of(size)) >= size);
            assert!(size <= 16 || cell_of(class_of(size)) < size + size / 2 + GRANULE);
        }
    }

    /// Every page on a list is where it says, and every page that says so is on it.
    fn check_partial(pages: &Pages) {
        for (index, class) in pages.classes.iter().enumerate() {
            for (at, id) in class.partial.iter().enumerate() {
                let page = &pages.pages[*id as usize];
                assert_eq!((page.partial_at as usize, page.class as usize), (at, index));
                assert!(!page.memory.is_null() && !page.free.is_null());
            }
        }
        let listed: usize = pages.classes.iter().map(|c| c.partial.len()).sum();
        let placed = pages.pages.iter().filter(|p| p.partial_at != NO_PLACE);
        assert_eq!(placed.count(), listed);
        let holes = |page: &Page| {
            let mut cell = page.free;
            let cells = std::iter::from_fn(|| {
                let this = cell;
                // SAFETY: cells on a page's list are free.
                (!this.is_null()).then(|| cell = unsafe { (*this).next })
            });
            cells.count() * page.cell as usize
        };
        for page in &pages.pages {
            assert_eq!(page.holes as usize, holes(page));
        }
        assert_eq!(pages.holes, pages.pages.iter().map(holes).sum::<usize>());
    }

    fn set_kinds(pages: &Pages, id: usize, free: impl Fn(usize) -> bool) {
        let (memory, cell, used) = pages.cells(id);
        for i in 0..used {
            let header = Header {
                kind: u8::from(!free(i)),
                mark: 0,
                flags: 0,
                extra: 0,
                aux: 0,
            };
            // SAFETY: a cell of a page, which no object is in.
            unsafe { (memory.add(i * cell) as *mut Header).write(header) };
        }
    }

    #[test]
    fn empty_pages_of_chunks_are_kept_and_taken_again() {
        let mut pages = Pages::new();
        let fill = |pages: &mut Pages, size: usize| {
            for _ in 0..4 * CHUNK / size {
                assert!(!pages.allocate(size).is_null());
            }
        };
        fill(&mut pages, 64);
        let chunks = pages.chunks.len();
        assert!(chunks >= 3, "{chunks}");
        for id in 0..pages.count() {
            set_kinds(&pages, id, |_| true);
            pages.relink(id);
        }
        let kept = pages.spare_bytes();
        assert!(kept >= 3 * CHUNK - 2 * PAGE_BYTES && pages.holes() <= FIRST_PAGE);
        // Whatever they were used for, and whether the system has them back.
        for _ in 0..CHUNK_PAGES {
            pages.discard_one();
        }
        assert_eq!(pages.spare_bytes(), kept - CHUNK);
        fill(&mut pages, 96);
        assert_eq!(pages.spare_bytes(), 0);
        assert!(pages.chunks.len() <= chunks + 1);
        check_partial(&pages);
    }

    #[test]
    fn pages_leave_the_list_of_partial_ones_in_any_order() {
        let mut pages = Pages::new();
        for _ in 0..12_000 {
            for size in [64, 320] {
                assert!(!pages.allocate(size).is_null());
            }
        }
        let count = pages.count();
        assert!(count > 100);
        // A page in which every second cell is free is partial, unless its class allocates from it.
        for id in 0..count {
            set_kinds(&pages, id, |i| i % 2 == 0);
            assert!(pages.relink(id) > 0);
        }
        check_partial(&pages);
        let listed: usize = pages.classes.iter().map(|c| c.partial.len()).sum();
        assert_eq!(listed, count - 2);
        // Some are allocated from again, others become empty, in an order that is not the list's.
        let (mut released, mut reserved) = (0, pages.reserved);
        for n in 0..count {
            let id = n * 37 % count;
            if n % 5 == 0 {
                for _ in 0..300 {
                    let cell = pages.allocate(64);
                    // SAFETY: a fresh cell.
                    unsafe { (*cell).kind = 1 };
                }
            }
            set_kinds(&pages, id, |_| true);
            pages.relink(id);
            released += usize::from(pages.reserved < reserved);
            reserved = pages.reserved;
            check_partial(&pages);
        }
        assert!(released > count / 2, "{released} of {count}");
    }
}
