//! Stores without metamethods, and traversal, as the rest of the VM asks for them.
//!
//! **Invariant:** what is stored goes through the collector's barrier here.

use super::{ASIDE, KIND_SPLIT, MAX_WHOLE_NODES, Placed, Slot, Table};
use crate::heap::Gc;
use crate::native::Thrown;
use crate::number::float_to_int;
use crate::value::{Val, tag};
use crate::vm::Vm;

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
        let hash_key = self.heap.hash_key;
        self.store(t, key, val, |t| t.find(hash_key, key))
    }

    /// `t[i] = val` without metamethods.
    pub(crate) fn table_set_int(&mut self, t: Gc<Table>, i: i64, val: Val) -> Result<(), Thrown> {
        let val = self.script_value(val);
        self.store(t, Val::int(i), val, |t| t.find_int(i))
    }

    /// Stores under a normalised key, whose slot is where `find` finds it, if there is one.
    #[inline(always)]
    fn store(
        &mut self,
        t: Gc<Table>,
        key: Val,
        val: Val,
        find: impl FnOnce(&Table) -> Option<Slot>,
    ) -> Result<(), Thrown> {
        if t.header.extra & ASIDE != 0 {
            if t.hidden().is_some() {
                return self.set_hidden(t, key, val);
            }
            self.move_slots(t);
        }
        if let Some(slot) = find(&t) {
            slot.set(val);
            self.barrier_table(t, val);
            return Ok(());
        }
        if val.is_nil() {
            return Ok(());
        }
        self.table_insert(t, key, val)
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
        if t.header.extra & KIND_SPLIT != 0 {
            self.move_some(t)?;
        }
        if t.header.extra & KIND_SPLIT != 0 {
            self.place_new(t, key, val)?;
        } else {
            self.insert_whole(t, key, val)?;
        }
        self.barrier_key(t, key);
        self.barrier_table(t, val);
        Ok(())
    }

    /// As `table_insert`, for a table whose parts are not being replaced; without barriers for the key and value.
    fn insert_whole(&mut self, mut t: Gc<Table>, key: Val, val: Val) -> Result<(), Thrown> {
        // The next index of an array part makes it grow, unless that means to go through a hash part many times its size.
        const MANY: usize = 8;
        let append = key.tag == tag::INT
            && key.raw_int() as u64 == t.array_size as u64 + 1
            && (t.node_count() <= MAX_WHOLE_NODES
                || t.node_count() / MANY <= t.array_size as usize)
            && (t.array_size == 0 || t.array_tag(t.array_size as usize - 1) != tag::NIL);
        let placed = if append {
            Placed::NoRoom
        } else {
            t.place_node(self.heap.hash_key, key, val)
        };
        match placed {
            Placed::Here => return Ok(()),
            Placed::Moving(node) => {
                self.barrier_moved(t, node);
                return Ok(());
            }
            Placed::NoRoom => self.table_rehash(t, key)?,
        }
        match t.find_array_slot(key) {
            Some(slot) => slot.set(val),
            None if t.header.extra & KIND_SPLIT != 0 => self.place_new(t, key, val)?,
            None => {
                let placed = t.place_node(self.heap.hash_key, key, val);
                debug_assert!(
                    placed != Placed::NoRoom,
                    "a rehash makes room for the key it is given"
                );
            }
        }
        Ok(())
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
