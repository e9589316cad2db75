//! Sweeping: what is dead is freed, what is alive becomes white again. Page by page, then the large objects.

use super::mark_bits::*;
use super::{CHUNK, DISCARD_WORK, FREE_WORK, LEAVING_WORK, Phase};
use crate::function::{ConstantSlot, Proto};
use crate::heap::{Gc, Header, Heap, object_size};
use crate::string::Str;
use crate::table::Table;
use crate::thread::Thread;
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};

impl Heap {
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
                        p.constants as *mut ConstantSlot,
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
            self.gc.freed += size + parts;
            self.gc.work += FREE_WORK;
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

    pub(super) fn begin_sweep(&mut self) {
        self.gc.phase = Phase::SweepPages;
        self.gc.sweep_at = 0;
        self.gc.sweep_cell = 0;
        self.gc.sweep_freed = false;
    }

    /// Sweeps a chunk of a page. Cells that it frees are given out again when the page is done.
    fn sweep_page(&mut self) {
        let (memory, cell, used) = self.pages.cells(self.gc.sweep_at);
        let white = self.gc.white;
        let from = self.gc.sweep_cell;
        let end = used.min(from + CHUNK);
        for i in from..end {
            // SAFETY: cells below the bump mark are initialised.
            unsafe {
                let h = memory.add(i * cell) as *mut Header;
                if (*h).kind == 0 {
                    continue;
                }
                if self.gc.is_dead(h) {
                    self.free(h, true);
                    self.gc.sweep_freed = true;
                } else {
                    (*h).mark = (*h).mark & !OF_CYCLE | white;
                }
            }
        }
        self.gc.work += end.saturating_sub(from);
        self.gc.sweep_cell = end;
        if end < used {
            return;
        }
        if self.gc.sweep_freed && !self.quarantine {
            self.pages.relink(self.gc.sweep_at);
            self.gc.work += used / 2;
        }
        self.gc.sweep_freed = false;
        self.gc.sweep_cell = 0;
        self.gc.sweep_at += 1;
    }

    fn sweep_large_one(&mut self) {
        let h = self.large[self.gc.sweep_at];
        if self.gc.is_dead(h) {
            self.large.swap_remove(self.gc.sweep_at);
            return self.free(h, false);
        }
        // SAFETY: the object is alive.
        unsafe { (*h).mark = (*h).mark & !OF_CYCLE | self.gc.white };
        self.gc.sweep_at += 1;
        self.gc.work += 2;
    }

    /// Whether more empty pages are kept than the heap will need before it is collected again.
    fn has_spare_pages(&self) -> bool {
        self.pages.spare_bytes() > self.gc.growth(self.used).min(self.room())
    }

    /// One piece of sweeping. Ends the cycle when nothing is left.
    pub(super) fn sweep_some(&mut self) {
        if self.parts.has_too_much() {
            self.gc.work += LEAVING_WORK;
            return self.parts.let_some_go();
        }
        match self.gc.phase {
            Phase::SweepPages if self.gc.sweep_at < self.pages.count() => self.sweep_page(),
            Phase::SweepPages => {
                self.gc.phase = Phase::SweepLarge;
                self.gc.sweep_at = 0;
            }
            Phase::SweepLarge if self.gc.sweep_at < self.large.len() => self.sweep_large_one(),
            Phase::SweepLarge if self.has_spare_pages() => {
                self.gc.work += DISCARD_WORK;
                self.pages.discard_one();
            }
            Phase::SweepLarge => {
                self.gc.phase = Phase::Pause;
                self.gc.cycles += 1;
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
