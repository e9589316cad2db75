//! The sizes of a table's parts, and the move to parts of other sizes.
//!
//! **Invariant:** both parts are charged and allocated before either is touched: a table that cannot grow stays as it was.

use super::memory::{free_array, free_nodes, new_array, new_nodes};
use super::{
    MAX_ARRAY_BITS, MAX_HASH_BITS, MAX_WHOLE_ARRAY, MAX_WHOLE_NODES, Node, Placed, Table, dummy,
};
use crate::heap::Gc;
use crate::native::Thrown;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::ptr::null_mut;

/// How many keys a table has, and which integers among them: counted, and in large parts estimated from samples.
struct Census {
    /// `ints[b]`: integer keys `k` with `2^(b-1) < k <= 2^b`.
    ints: [u32; MAX_ARRAY_BITS + 1],
    int_keys: u32,
    total: u64,
    /// Slots and nodes looked at.
    seen: usize,
}

/// Nodes of a hash part for so many keys.
#[inline(always)]
pub(crate) fn nodes_for(keys: usize) -> usize {
    match keys {
        0 => 0,
        // A number that no part has.
        _ => keys.checked_next_power_of_two().unwrap_or(usize::MAX),
    }
}

/// Nodes that are looked at in a large hash part, in runs.
const SAMPLED_NODES: usize = 4096;
const NODE_RUN: usize = 64;
/// Tags that are looked at in a large stretch of an array part, in runs.
const SAMPLED_TAGS: usize = 1 << 20;
const TAG_RUN: usize = 4096;

impl Census {
    fn of(t: &Table) -> Census {
        let mut census = Census {
            ints: [0; MAX_ARRAY_BITS + 1],
            int_keys: 0,
            total: 0,
            seen: 0,
        };
        census.count_array(t);
        census.count_nodes(t);
        census
    }

    fn count_array(&mut self, t: &Table) {
        let array = t.array_size as usize;
        let mut low = 0;
        for bit in 0..=MAX_ARRAY_BITS {
            let high = (1usize << bit).min(array);
            let n = self.count_tags(t, low, high);
            self.ints[bit] += n;
            self.int_keys += n;
            self.total += u64::from(n);
            low = high;
            if high == array {
                break;
            }
        }
    }

    /// Entries of the array part from slot `low` to before `high`.
    fn count_tags(&mut self, t: &Table, low: usize, high: usize) -> u32 {
        let count = |from: usize, to: usize| {
            (from..to).fold(0, |n, i| n + u32::from(t.array_tag(i) != tag::NIL))
        };
        let len = high - low;
        if len <= SAMPLED_TAGS {
            self.seen += len / 8;
            return count(low, high);
        }
        const RUNS: usize = SAMPLED_TAGS / TAG_RUN;
        let stride = len / RUNS;
        let found: u32 = (0..RUNS)
            .map(|run| count(low + run * stride, low + run * stride + TAG_RUN))
            .sum();
        self.seen += SAMPLED_TAGS / 8;
        (u64::from(found) * len as u64 / SAMPLED_TAGS as u64) as u32
    }

    fn count_nodes(&mut self, t: &Table) {
        let nodes = t.node_count();
        if nodes <= SAMPLED_NODES {
            self.count_run(t, 0, nodes);
            return;
        }
        let mut sample = Census {
            ints: [0; MAX_ARRAY_BITS + 1],
            int_keys: 0,
            total: 0,
            seen: 0,
        };
        const RUNS: usize = SAMPLED_NODES / NODE_RUN;
        for run in 0..RUNS {
            let from = run * (nodes / RUNS);
            sample.count_run(t, from, from + NODE_RUN);
        }
        let scale = (nodes / SAMPLED_NODES) as u32;
        for (all, found) in self.ints.iter_mut().zip(sample.ints) {
            *all += found * scale;
        }
        self.int_keys += sample.int_keys * scale;
        self.total += sample.total * u64::from(scale);
        self.seen += sample.seen;
    }

    fn count_run(&mut self, t: &Table, from: usize, to: usize) {
        self.seen += to - from;
        for i in from..to {
            let n = t.node(i as u32);
            // SAFETY: below the node count.
            unsafe {
                if (*n).val_tag != tag::NIL {
                    self.add((*n).key());
                }
            }
        }
    }

    fn add(&mut self, key: Val) {
        self.total += 1;
        if key.tag == tag::INT && (1..=1i64 << MAX_ARRAY_BITS).contains(&key.raw_int()) {
            let bit = (key.payload).next_power_of_two().trailing_zeros();
            self.ints[bit as usize] += 1;
            self.int_keys += 1;
        }
    }

    /// The largest `n` (a power of two) such that more than half of the slots 1 to `n` would be in use, and how many would.
    fn best_array(&self) -> (usize, u64) {
        let (mut best, mut in_array, mut seen) = (0usize, 0u64, 0u64);
        for (bit, n) in self.ints.iter().enumerate() {
            if (1u64 << bit) / 2 >= u64::from(self.int_keys) {
                break;
            }
            seen += u64::from(*n);
            if seen > (1u64 << bit) / 2 {
                best = 1 << bit;
                in_array = seen;
            }
        }
        (best, in_array)
    }
}

impl Vm {
    /// Finds the sizes that suit the table's keys and one more, and moves everything there: at once or, in a large table, little by little.
    pub(super) fn table_rehash(&mut self, t: Gc<Table>, extra: Val) -> Result<(), Thrown> {
        let whole = t.node_count() <= MAX_WHOLE_NODES && t.array_size as usize <= MAX_WHOLE_ARRAY;
        let mut census = Census::of(&t);
        self.heap.spend((census.seen / 8) as i64);
        census.add(extra);
        let (array, in_array) = census.best_array();
        let hash = (census.total - in_array) as usize;
        if whole {
            return self.table_resize(t, array, hash);
        }
        // Large parts are sampled, and not filled to the last node (`Table::take_free_of_many`).
        let nodes = match hash {
            0 => 0,
            _ => (hash + hash / 8).next_power_of_two(),
        };
        if nodes > 1 << MAX_HASH_BITS || array > 1 << MAX_ARRAY_BITS {
            return Err(self.throw_str("table overflow"));
        }
        let few = t.node_count() <= MAX_WHOLE_NODES;
        self.move_out_of_cell(t)?;
        self.split_table(t, array, nodes)?;
        if few {
            self.move_all_nodes(t)?;
        }
        Ok(())
    }

    /// Gives the table an array part of `array` slots and a hash part for `hash` keys, and moves its entries.
    pub(crate) fn table_resize(
        &mut self,
        mut t: Gc<Table>,
        array: usize,
        hash: usize,
    ) -> Result<(), Thrown> {
        self.settle_table(t)?;
        let hash_slots = nodes_for(hash);
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
        let (inline_array, inline_nodes) = (t.has_inline_array(), t.has_inline_nodes());
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
                t.leave_inline_array();
            }
            t.leave_inline_nodes();
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
                    let key = (*n).key();
                    self.replace(&mut t, key, Table::node_slot(n).get());
                }
            }
        }
        let mut freed = 0;
        if !inline_nodes {
            free_nodes(&mut self.heap.parts, old_nodes, old_count);
            freed += old_count * size_of::<Node>();
        }
        if array != old_array && !inline_array {
            free_array(&mut self.heap.parts, old_array_ptr, old_array);
            freed += Table::array_bytes(old_array);
        }
        self.heap.uncharge(freed);
        self.barrier_resized(t);
        Ok(())
    }

    /// As `table_resize`, for a table that has no parts yet, as a rule.
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
        let hash_slots = nodes_for(hash);
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
}
