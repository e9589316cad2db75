//! What a dictionary keeps for a key, and what that is charged.
//!
//! Charges are what the entry takes from the system's allocator: each block is counted with 8 bytes of the allocator's
//! own, rounded up to 16.
//!
//! | block | bytes before rounding |
//! |---|---|
//! | the entry | its size |
//! | key and value, in one block | 16 for the counts of an `Arc`, the key, and the value if it is a string |
//! | a list | [`LIST_BYTES`] at once, [`ITEM_BYTES`] an item, and a block of its own for each item that is a string |
//!
//! A slot of the table ([`super::index::TABLE_BYTES`]) is charged for as many entries as there have ever been at once.

use super::list::List;
use std::sync::Arc;

/// What the entry itself is charged, in bytes.
pub(super) const ENTRY_BYTES: u64 = block_bytes(size_of::<Entry>());

/// What an empty list is charged, in bytes: itself and its first places.
pub(super) const LIST_BYTES: u64 = 256;

/// What an item of a list is charged, in bytes: its place, and what is unused of the places beside it.
pub(super) const ITEM_BYTES: u64 = 64;

/// What the system's allocator takes for a block of so many bytes.
const fn block_bytes(bytes: usize) -> u64 {
    (bytes as u64 + 8).next_multiple_of(16)
}

/// What shared bytes are charged.
pub(super) const fn shared_bytes(len: usize) -> u64 {
    block_bytes(len.saturating_add(16))
}

/// A value in place. A string's bytes are behind the key in [`Entry::data`].
pub(super) enum Stored {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    String,
    List(Box<List>),
}

/// A key, its value, and its place in the order of use.
pub(super) struct Entry {
    /// The key, then the value if that is a string. Shared, so that a reader copies it after the lock is gone.
    pub(super) data: Arc<[u8]>,
    pub(super) key_len: u16,
    pub(super) value: Stored,
    /// The user's flags; 0 is none.
    pub(super) flags: i32,
    /// When it expires, in ms; 0 is never.
    pub(super) expires: u64,
    /// How often everything had been flushed when it was last written.
    pub(super) epoch: u64,
    /// The next one that was used later; [`super::index::NIL`] at the head.
    pub(super) newer: u32,
    /// The next one that was used earlier; [`super::index::NIL`] at the tail.
    pub(super) older: u32,
}

impl Entry {
    pub(super) fn new(data: Arc<[u8]>, key_len: usize, value: Stored) -> Entry {
        Entry {
            data,
            key_len: key_len as u16,
            value,
            flags: 0,
            expires: 0,
            epoch: 0,
            newer: super::index::NIL,
            older: super::index::NIL,
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        self.data
            .get(..usize::from(self.key_len))
            .unwrap_or_default()
    }

    pub(super) fn list(&self) -> Option<&List> {
        match &self.value {
            Stored::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn list_mut(&mut self) -> Option<&mut List> {
        match &mut self.value {
            Stored::List(list) => Some(list),
            _ => None,
        }
    }

    /// What it is charged, without its slot.
    pub(super) fn bytes(&self) -> u64 {
        plain_bytes(&self.data) + self.list().map_or(0, List::bytes)
    }
}

/// What an entry with this data that is no list is charged, without its slot.
pub(super) fn plain_bytes(data: &[u8]) -> u64 {
    ENTRY_BYTES + shared_bytes(data.len())
}
