//! Weak tables: found by marking, hidden ([`crate::table`]) until it is known what is alive, then cleared.
//!
//! Ephemerons (weak keys, strong values) are linear: a value whose key is not marked waits for it in a map.

use super::mark::is_white_object;
use super::mark_bits::*;
use super::{CHUNK, Collector, Phase};
use crate::heap::{Gc, Heap};
use crate::table::{Place, Table, clear_place};
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::collections::btree_map::Entry;

/// What a table does not keep alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Weakness {
    pub(crate) keys: bool,
    pub(crate) values: bool,
    /// The table itself was found alive for a finalizer only: values that are too stay in it.
    pub(crate) resurrected: bool,
}

/// Values that wait for one key: hardly ever more than one.
pub(super) enum Waiting {
    One(Val),
    Many(Vec<Val>),
}

impl Waiting {
    fn push(&mut self, v: Val) {
        match self {
            Waiting::One(first) => *self = Waiting::Many(vec![*first, v]),
            Waiting::Many(all) => all.push(v),
        }
    }

    pub(super) fn values(&self) -> &[Val] {
        match self {
            Waiting::One(v) => std::slice::from_ref(v),
            Waiting::Many(all) => all,
        }
    }
}

impl Weakness {
    pub(super) const NONE: Weakness = Weakness {
        keys: false,
        values: false,
        resurrected: false,
    };
}

impl Collector {
    /// It is known what is alive: what is not marked will be freed, or is brought back for its finalizer.
    #[inline(always)]
    pub(super) fn is_decided(&self) -> bool {
        self.phase > Phase::Mark
    }

    /// Whether a weak value must go. What is only alive for a finalizer goes too. Strings stay, and are alive from now on.
    pub(crate) fn takes_value(&self, v: Val, weakness: Weakness) -> bool {
        if !weakness.values || !v.is_object() || !self.is_decided() {
            return false;
        }
        // SAFETY: objects in weak tables have not been swept before these are cleared.
        let mark = unsafe { (*v.header()).mark };
        if v.is_str() {
            // SAFETY: as above.
            self.revive(unsafe { &mut *v.header() });
            return false;
        }
        self.is_dead(v.header()) || !weakness.resurrected && mark & RESURRECTED != 0
    }

    /// Whether an entry must go because of its key.
    fn takes_key(&self, key: Val, weakness: Weakness) -> bool {
        if !weakness.keys || !key.is_object() || !self.is_decided() {
            return false;
        }
        if key.is_str() {
            // SAFETY: as in `takes_value`.
            self.revive(unsafe { &mut *key.header() });
            return false;
        }
        self.is_dead(key.header())
    }

    /// Whether an entry must go.
    pub(crate) fn takes_entry(&self, key: Val, val: Val, weakness: Weakness) -> bool {
        self.takes_value(val, weakness) || self.takes_key(key, weakness)
    }

    /// Whether an entry of a hidden table that is being moved for a store goes instead.
    pub(crate) fn takes_moved(&self, key: Val, val: Val) -> bool {
        match self.changing_weak {
            Some((_, weakness)) if self.phase == Phase::Clear => {
                self.takes_entry(key, val, weakness)
            }
            _ => false,
        }
    }
}

impl Heap {
    /// Hides a table that was found to be weak; false where there is no memory for it (it is strong then, this time).
    pub(super) fn hide_weak(&mut self, mut t: Gc<Table>, mut weakness: Weakness) -> bool {
        weakness.resurrected = self.gc.resurrected != 0;
        let gc = &raw const self.gc;
        let Some(bytes) = t.hide(&mut self.parts, gc, weakness) else {
            return false;
        };
        self.used += bytes;
        self.gc.weak.push(t.as_ptr());
        true
    }

    /// Hides a listed table again that was given its parts for a store.
    pub(crate) fn hide_again(&mut self, mut t: Gc<Table>, weakness: Weakness, resized: bool) {
        let gc = &raw const self.gc;
        match t.hide(&mut self.parts, gc, weakness) {
            Some(bytes) => self.used += bytes,
            None => {
                // No memory: strong from here on, which is right until it is decided what is alive. Then it is cleared at once.
                if self.gc.phase == Phase::Mark {
                    self.push_gray(t.header(), 0);
                } else {
                    for at in 0..t.slot_count() {
                        clear_place(t.place(at), &self.gc, weakness);
                    }
                }
            }
        }
        if resized && self.gc.phase == Phase::Mark {
            // A scan in progress has lost its place.
            self.push_gray(t.header(), 0);
        }
        if resized {
            self.gc.clear_from = 0;
        }
    }

    /// Marks what a hidden table holds strongly, a chunk of it.
    pub(super) fn scan_weak(&mut self, t: Gc<Table>, from: usize, weakness: Weakness) {
        if weakness.keys && weakness.values {
            return;
        }
        let total = t.slot_count();
        let end = total.min(from + CHUNK);
        for at in from..end {
            match t.place(at) {
                Place::Slot(slot) if weakness.keys => self.mark(slot.get()),
                Place::Slot(_) => {}
                // SAFETY: a node of a live table.
                Place::Node(n) => unsafe {
                    if (*n).val_tag != tag::NIL {
                        let key = (*n).key();
                        let val = (*n).value();
                        self.mark_strong_part(key, val, weakness);
                    }
                },
            }
        }
        self.gc.work += end.saturating_sub(from);
        if end < total {
            self.push_gray(t.header(), end);
        }
    }

    /// Marks what an entry of a weak table keeps alive.
    fn mark_strong_part(&mut self, key: Val, val: Val, weakness: Weakness) {
        if weakness.values {
            if !weakness.keys {
                self.mark(key);
            }
        } else if !is_white_object(key) {
            self.mark(val);
        } else if key.is_str() {
            self.mark(key);
            self.mark(val);
        } else if is_white_object(val) {
            self.gc.work += 8;
            // SAFETY: the key is a live object.
            unsafe { (*key.header()).mark |= EPHEMERON_KEY };
            match self.gc.waiting_for_key.entry(key.payload as usize) {
                Entry::Vacant(entry) => {
                    entry.insert(Waiting::One(val));
                }
                Entry::Occupied(mut entry) => entry.get_mut().push(val),
            }
        }
    }

    /// A piece of clearing: false when there is nothing left of it.
    pub(super) fn clear_some(&mut self) -> bool {
        // What still waits waited for keys that are dead.
        for _ in 0..32 {
            if self.gc.waiting_for_key.pop_first().is_none() {
                break;
            }
            self.gc.work += 8;
        }
        if !self.gc.waiting_for_key.is_empty() {
            return true;
        }
        let Some(&t) = self.gc.weak.last() else {
            return false;
        };
        // SAFETY: tables on the list are alive.
        let mut t = unsafe { Gc::from_ptr(t) };
        // A table that has its parts for a store is cleared too, where the memory limit brings everything to an end meanwhile.
        let changing = self
            .gc
            .changing_weak
            .filter(|(table, _)| *table == t.as_ptr());
        let hidden = t.weakness();
        let Some(weakness) = hidden.or(changing.map(|(_, weakness)| weakness)) else {
            self.gc.weak.pop();
            return true;
        };
        let from = self.gc.clear_from;
        let total = t.slot_count();
        let end = total.min(from + CHUNK);
        for at in from..end {
            clear_place(t.place(at), &self.gc, weakness);
        }
        self.gc.work += 4 + 2 * end.saturating_sub(from);
        self.gc.clear_from = end;
        if end >= total {
            self.gc.clear_from = 0;
            self.gc.weak.pop();
            if hidden.is_some() {
                let freed = t.show(&mut self.parts);
                self.uncharge(freed);
            }
            t.header.mark |= BLACK;
        }
        true
    }

    /// Gives all hidden tables their parts back: nothing was decided.
    pub(super) fn show_all(&mut self) {
        while let Some(t) = self.gc.weak.pop() {
            // SAFETY: tables on the list are alive.
            let mut t = unsafe { Gc::from_ptr(t) };
            if t.weakness().is_some() {
                let freed = t.show(&mut self.parts);
                self.uncharge(freed);
            }
        }
        self.gc.clear_from = 0;
        self.gc.weak_round += 1;
    }
}

impl Vm {
    /// An entry was stored in a hidden table.
    pub(crate) fn barrier_weak(&mut self, t: Gc<Table>, key: Val, val: Val) {
        if self.heap.gc.phase != Phase::Mark || val.is_nil() {
            return;
        }
        let Some(weakness) = t.weakness() else {
            // It is strong now, for want of memory to hide it.
            self.heap.mark(key);
            return self.heap.mark(val);
        };
        self.heap.mark_strong_part(key, val, weakness);
    }
}
