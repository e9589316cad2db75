//! Weak tables while the collector has not decided about their entries.
//!
//! From when marking finds a weak table until its entries are cleared, its parts are not in the table but in a [`Hidden`] beside it: the table
//! looks empty to everything that works in line, and those who look further come here. So the collector clears weak tables
//! piece by piece while scripts run, and no script gets at an object that is going to be freed.
//!
//! **Invariants**
//! - What a look-up or a traversal gives is alive: entries that are not are removed when they are met (or passed over, while objects are
//!   still being brought back for their finalizers).
//! - Strings are values: no entry goes because of one; those that are met are alive from then on.
//! - A hidden table is gray. Stores into one mark what it holds strongly ([`Vm::barrier_weak`]).

use super::{KIND_HIDDEN, KIND_SPLIT, Place, Slot, Table, dummy};
use crate::heap::Gc;
use crate::heap::collect::{Collector, Weakness};
use crate::heap::parts::Parts;
use crate::native::Thrown;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::ptr::null_mut;

pub(super) struct Hidden {
    /// The table as it is otherwise.
    table: Table,
    gc: *const Collector,
    weakness: Weakness,
}

impl Table {
    #[inline(always)]
    pub(super) fn hidden(&self) -> Option<&Hidden> {
        if self.header.extra & KIND_HIDDEN == 0 {
            return None;
        }
        // SAFETY: a table of this kind has one, which lives as long as it is.
        Some(unsafe { &*self.aside::<Hidden>() })
    }

    /// What the table was weak in when it was hidden.
    pub(crate) fn weakness(&self) -> Option<Weakness> {
        self.hidden().map(|hidden| hidden.weakness)
    }

    /// Hides the parts. The result is the bytes that takes; `None`: the system has no memory, and the table is as it was.
    pub(crate) fn hide(
        &mut self,
        parts: &mut Parts,
        gc: *const Collector,
        weakness: Weakness,
    ) -> Option<usize> {
        debug_assert!(self.hidden().is_none());
        let hidden = parts.allocate(size_of::<Hidden>()) as *mut Hidden;
        if hidden.is_null() {
            return None;
        }
        // SAFETY: a fresh block of the size; the copy is the owner of the parts until `show`.
        unsafe {
            hidden.write(Hidden {
                table: std::ptr::read(self),
                gc,
                weakness,
            });
        }
        self.header.extra = self.header.extra & !KIND_SPLIT | KIND_HIDDEN;
        self.set_aside(hidden);
        self.array = null_mut();
        self.array_size = 0;
        self.nodes = dummy();
        self.mask = 0;
        Some(size_of::<Hidden>())
    }

    /// Gives the table its parts back. The result is the bytes that were taken for hiding them.
    pub(crate) fn show(&mut self, parts: &mut Parts) -> usize {
        let p = self.aside::<Hidden>();
        // SAFETY: the table has it; it is taken out, and freed with its size.
        unsafe {
            let kept = &(*p).table;
            self.array = kept.array;
            self.array_size = kept.array_size;
            self.nodes = kept.nodes;
            self.mask = kept.mask;
            self.last_free = kept.last_free;
            self.len_hint = kept.len_hint;
            self.header.extra = self.header.extra & !KIND_HIDDEN | kept.header.extra & KIND_SPLIT;
            parts.release(p as *mut u8, size_of::<Hidden>());
        }
        size_of::<Hidden>()
    }
}

impl Hidden {
    fn gc(&self) -> &Collector {
        // SAFETY: the collector of the table's VM, which outlives the table.
        unsafe { &*self.gc }
    }

    pub(super) fn part_bytes(&self) -> usize {
        self.table.part_bytes() + size_of::<Hidden>()
    }

    pub(super) fn slot_count(&self) -> usize {
        self.table.slot_count()
    }

    pub(super) fn place(&self, at: usize) -> Place {
        self.table.place(at)
    }

    pub(super) fn position_after(&self, hash_key: u64, key: Val) -> Option<usize> {
        self.table.position_after(hash_key, key)
    }

    /// The slot that `find` finds. Where its value is going to be freed, it is nil from now on.
    pub(super) fn find(&self, find: impl Fn(&Table) -> Option<Slot>) -> Option<Slot> {
        let slot = find(&self.table)?;
        if self.gc().takes_value(slot.get(), self.weakness) {
            slot.set(Val::NIL);
        }
        Some(slot)
    }

    /// As `Table::entry_from`, for what is alive.
    pub(super) fn entry_from(
        &self,
        mut at: usize,
        limit: usize,
    ) -> Result<Option<(usize, Val, Val)>, usize> {
        let stop = at.saturating_add(limit);
        loop {
            let Some((next, key, val)) = self.table.entry_from(at, stop - at)? else {
                return Ok(None);
            };
            if !self.gc().takes_entry(key, val, self.weakness) {
                return Ok(Some((next, key, val)));
            }
            at = next;
            if at >= stop {
                return Err(at);
            }
        }
    }
}

impl Vm {
    /// As `table_set_normal`, of a hidden table.
    #[cold]
    #[inline(never)]
    pub(super) fn set_hidden(&mut self, t: Gc<Table>, key: Val, val: Val) -> Result<(), Thrown> {
        match t.find(self.heap.hash_key, key) {
            Some(slot) => slot.set(val),
            None if val.is_nil() => return Ok(()),
            None => self.with_parts(t, |vm| vm.table_insert(t, key, val))?,
        }
        self.barrier_weak(t, key, val);
        Ok(())
    }

    /// Does something to a table that needs its parts in their place.
    pub(super) fn with_parts<R>(&mut self, mut t: Gc<Table>, work: impl FnOnce(&mut Vm) -> R) -> R {
        let Some(weakness) = t.weakness() else {
            return work(self);
        };
        let freed = t.show(&mut self.heap.parts);
        self.heap.uncharge(freed);
        let before = (t.nodes, t.array);
        let round = self.heap.gc.weak_round;
        self.heap.gc.changing_weak = Some((t.as_ptr(), weakness));
        let result = work(self);
        self.heap.gc.changing_weak = None;
        // A collection of everything in between has decided about all entries.
        if self.heap.gc.weak_round == round {
            self.heap
                .hide_again(t, weakness, before != (t.nodes, t.array));
        }
        result
    }
}

/// Removes an entry whose key or value is going to be freed.
pub(crate) fn clear_place(place: Place, gc: &Collector, weakness: Weakness) {
    match place {
        Place::Slot(slot) => {
            if gc.takes_value(slot.get(), weakness) {
                slot.set(Val::NIL);
            }
        }
        // SAFETY: a node of a live table.
        Place::Node(n) => unsafe {
            // The key of an entry without a value may have been freed long ago.
            if (*n).val_tag != tag::NIL && gc.takes_entry((*n).key(), (*n).value(), weakness) {
                (*n).val_tag = tag::NIL;
            }
            if (*n).val_tag == tag::NIL && (*n).key_tag >= tag::STR {
                (*n).key_tag = tag::DEAD_KEY;
            }
        },
    }
}
