//! Entries of a dictionary by key: a hash table that grows one bucket at a time.
//!
//! ```text
//!  buckets  [ 3 ][ - ][ 0 ]...     first slot of each chain
//!             |         |
//!  slots    [ 0: entry ][ 1: free ][ 2: free ][ 3: entry -> next in the chain ]...
//! ```
//! The table is Litwin's linear hashing ("Linear Hashing: A new tool for file and table addressing", 1980): a new slot
//! brings a new bucket, which takes its share of one older bucket's chain. So no insert moves more than one chain, and
//! nothing is ever rehashed as a whole while the dictionary is locked.
//!
//! **Invariants.** A slot is in exactly one chain: that of its hash if it has an entry, the free list if not. There are
//! at least as many buckets as slots. Slots and buckets are never given back, only reused, so a slot's number stays
//! that of its entry until the entry is removed.

use super::entry::Entry;

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// What a slot and its bucket take, in bytes.
pub(super) const TABLE_BYTES: u64 = (size_of::<Slot>() + size_of::<u32>()) as u64;

/// Buckets of an empty table.
const FIRST_BUCKETS: u32 = 8;

struct Slot {
    /// The next slot of the chain, or of the free list.
    next: u32,
    /// Of the entry's key; what a chain is searched by before keys are compared.
    hash: u32,
    entry: Option<Box<Entry>>,
}

/// The table.
pub(super) struct Index {
    slots: Chunked<Slot>,
    buckets: Chunked<u32>,
    free: u32,
    len: u32,
}

impl Index {
    pub(super) fn new() -> Index {
        let mut buckets = Chunked::new();
        for _ in 0..FIRST_BUCKETS {
            buckets.push(NIL);
        }
        Index {
            slots: Chunked::new(),
            buckets,
            free: NIL,
            len: 0,
        }
    }

    /// Slots there are, used or free.
    pub(super) fn slots(&self) -> u32 {
        self.slots.len
    }

    /// Entries there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Whether the next insert needs a new slot.
    pub(super) fn is_full(&self) -> bool {
        self.free == NIL
    }

    /// The entry in a slot, if the slot is used.
    pub(super) fn try_entry(&self, at: u32) -> Option<&Entry> {
        self.slots.get(at).entry.as_deref()
    }

    /// The entry in a slot that is used.
    pub(super) fn entry(&self, at: u32) -> &Entry {
        match &self.slots.get(at).entry {
            Some(entry) => entry,
            None => unreachable!("slot {at} is free"),
        }
    }

    /// The entry in a slot that is used.
    pub(super) fn entry_mut(&mut self, at: u32) -> &mut Entry {
        match &mut self.slots.get_mut(at).entry {
            Some(entry) => entry,
            None => unreachable!("slot {at} is free"),
        }
    }

    /// The slot of a key.
    pub(super) fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let mut at = *self.buckets.get(self.bucket(hash));
        while at != NIL {
            let slot = self.slots.get(at);
            if slot.hash == hash && self.entry(at).key() == key {
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    /// Adds an entry whose key is not there; its slot. There must be fewer than [`NIL`] slots.
    pub(super) fn insert(&mut self, hash: u32, entry: Box<Entry>) -> u32 {
        if self.free == NIL {
            self.grow();
        }
        let at = self.free;
        let bucket = self.bucket(hash);
        let first = *self.buckets.get(bucket);
        let slot = self.slots.get_mut(at);
        self.free = slot.next;
        *slot = Slot {
            next: first,
            hash,
            entry: Some(entry),
        };
        *self.buckets.get_mut(bucket) = at;
        self.len += 1;
        at
    }

    /// Takes the entry out of a slot that is used.
    pub(super) fn remove(&mut self, at: u32) -> Box<Entry> {
        let (hash, next) = (self.slots.get(at).hash, self.slots.get(at).next);
        let bucket = self.bucket(hash);
        let mut link = *self.buckets.get(bucket);
        if link == at {
            *self.buckets.get_mut(bucket) = next;
        } else {
            while self.slots.get(link).next != at {
                link = self.slots.get(link).next;
            }
            self.slots.get_mut(link).next = next;
        }
        let slot = self.slots.get_mut(at);
        slot.next = self.free;
        self.free = at;
        self.len -= 1;
        match slot.entry.take() {
            Some(entry) => entry,
            None => unreachable!("slot {at} is free"),
        }
    }

    /// The bucket of a hash: its low bits, one fewer where that bucket is not there yet.
    fn bucket(&self, hash: u32) -> u32 {
        let mask = self.buckets.len.next_power_of_two() - 1;
        let bucket = hash & mask;
        if bucket < self.buckets.len {
            bucket
        } else {
            hash & (mask >> 1)
        }
    }

    /// A new free slot, and a bucket for it if there are not enough.
    fn grow(&mut self) {
        self.free = self.slots.push(Slot {
            next: NIL,
            hash: 0,
            entry: None,
        });
        if self.buckets.len >= self.slots.len {
            return;
        }
        let new = self.buckets.len;
        // The bucket that has had the new one's share: the new one's number without its highest bit.
        let old = new & !(1 << new.ilog2());
        let mut at = std::mem::replace(self.buckets.get_mut(old), NIL);
        self.buckets.push(NIL);
        while at != NIL {
            let bucket = self.bucket(self.slots.get(at).hash);
            let first = std::mem::replace(self.buckets.get_mut(bucket), at);
            at = std::mem::replace(&mut self.slots.get_mut(at).next, first);
        }
    }

    /// Panics unless the invariants hold. For tests.
    pub(super) fn check(&self) {
        let mut chained = 0;
        for bucket in 0..self.buckets.len {
            let mut at = *self.buckets.get(bucket);
            while at != NIL {
                let slot = self.slots.get(at);
                assert_eq!(self.bucket(slot.hash), bucket);
                assert!(slot.entry.is_some());
                chained += 1;
                assert!(chained <= self.slots.len, "a chain has a loop");
                at = slot.next;
            }
        }
        assert_eq!(chained, self.len);
        let mut at = self.free;
        while at != NIL {
            assert!(self.slots.get(at).entry.is_none());
            chained += 1;
            assert!(chained <= self.slots.len, "the free list has a loop");
            at = self.slots.get(at).next;
        }
        assert_eq!(chained, self.slots.len);
        assert!(self.buckets.len >= self.slots.len);
    }
}

/// A vector that grows without moving what it holds.
struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Chunked<T> {
    const BITS: u32 = 9;
    const SIZE: usize = 1 << Self::BITS;

    fn new() -> Chunked<T> {
        Chunked {
            chunks: Vec::new(),
            len: 0,
        }
    }

    fn get(&self, at: u32) -> &T {
        &self.chunks[(at >> Self::BITS) as usize][at as usize & (Self::SIZE - 1)]
    }

    fn get_mut(&mut self, at: u32) -> &mut T {
        &mut self.chunks[(at >> Self::BITS) as usize][at as usize & (Self::SIZE - 1)]
    }

    /// The number of the new element.
    fn push(&mut self, value: T) -> u32 {
        match self.chunks.last_mut() {
            Some(last) if last.len() < Self::SIZE => last.push(value),
            // The first chunk grows as it is needed: a small dictionary stays small.
            None => self.chunks.push(vec![value]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(Self::SIZE);
                chunk.push(value);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
        self.len - 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Stored;
    use super::*;

    fn entry(key: &str) -> Box<Entry> {
        Box::new(Entry::new(
            key.as_bytes().into(),
            key.len(),
            Stored::Boolean(true),
        ))
    }

    /// Hashes that share low bits, so that chains are long and splits move some of each.
    fn hash(n: u32) -> u32 {
        (n % 7).wrapping_mul(0x9E37_79B9) ^ (n << 3)
    }

    #[test]
    fn finds_what_is_there_while_it_grows_and_after_removals() {
        let mut index = Index::new();
        let mut at = Vec::new();
        for n in 0..3000 {
            at.push(index.insert(hash(n), entry(&n.to_string())));
            if n % 500 == 0 {
                index.check();
            }
        }
        for n in (0..3000).step_by(2) {
            assert_eq!(index.remove(at[n as usize]).key(), n.to_string().as_bytes());
        }
        index.check();
        for n in 0..3000 {
            let found = index.find(hash(n), n.to_string().as_bytes());
            assert_eq!(found, (n % 2 == 1).then_some(at[n as usize]));
        }
        assert_eq!((index.len(), index.slots()), (1500, 3000));
        for n in 0..1500 {
            index.insert(hash(n), entry(&format!("again {n}")));
        }
        assert_eq!(index.slots(), 3000, "slots are reused");
        index.check();
    }
}
