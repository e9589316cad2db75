//! Memory from the operating system: mappings of their own where it is known how to ask for them, and blocks of the system's
//! allocator elsewhere (and under Miri).
//!
//! **Invariant:** what [`map`] gives is zeroed, and nothing else lies on its pages.

#[cfg(all(unix, not(miri)))]
mod pages {
    use libc::c_void;
    use std::ptr::null_mut;

    /// Whether a mapping can be given back piece by piece.
    pub(in crate::heap) const SPLITS: bool = true;

    /// Zeroed memory of its own; null when the system has none.
    pub(in crate::heap) fn map(bytes: usize) -> *mut u8 {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: a new private mapping that no file is behind.
        let p = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
        match p == libc::MAP_FAILED {
            true => null_mut(),
            false => p as *mut u8,
        }
    }

    /// Gives it back, or whole pages of it.
    ///
    /// # Safety
    /// Made by [`map`] with so many bytes, and not used any more.
    pub(in crate::heap) unsafe fn unmap(memory: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        let done = unsafe { libc::munmap(memory as *mut c_void, bytes) };
        debug_assert_eq!(done, 0);
    }

    /// Has the system put memory under some bytes of a mapping now, which it does otherwise page by page, at twice the price: a page
    /// that is read first is made again when it is written to. Where it does not take the advice, nothing is lost.
    ///
    /// # Safety
    /// They are whole pages of one of [`map`]'s.
    pub(in crate::heap) unsafe fn populate(memory: *mut u8, bytes: usize) {
        #[cfg(target_os = "linux")]
        // SAFETY: the caller's promise; what is there stays.
        unsafe {
            libc::madvise(memory as *mut c_void, bytes, libc::MADV_POPULATE_WRITE)
        };
        #[cfg(not(target_os = "linux"))]
        let _ = (memory, bytes);
    }

    /// Gives the system what is under some bytes of a mapping, whose content is lost; the addresses stay.
    ///
    /// # Safety
    /// They are whole pages of one of [`map`]'s, and nothing that is used.
    pub(in crate::heap) unsafe fn discard(memory: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise. Where the system does not take the advice, the memory is kept.
        unsafe { libc::madvise(memory as *mut c_void, bytes, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(all(unix, not(miri))))]
mod pages {
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    pub(in crate::heap) const SPLITS: bool = false;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 16).expect("what is charged is far below the largest size")
    }

    pub(in crate::heap) fn map(bytes: usize) -> *mut u8 {
        // SAFETY: the layout is not empty.
        unsafe { alloc_zeroed(layout(bytes)) }
    }

    /// # Safety
    /// All of one of [`map`]'s, which is not used any more.
    pub(in crate::heap) unsafe fn unmap(memory: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(memory, layout(bytes)) }
    }

    /// # Safety
    /// As above.
    pub(in crate::heap) unsafe fn populate(_memory: *mut u8, _bytes: usize) {}

    /// # Safety
    /// As above.
    pub(in crate::heap) unsafe fn discard(_memory: *mut u8, _bytes: usize) {}
}

pub(super) use pages::{SPLITS, discard, map, populate, unmap};

/// Has the system's allocator give back the pages that it keeps between blocks in use: glibc's does so at its end only.
pub(super) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: it may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
