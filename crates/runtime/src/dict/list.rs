//! A value that is a list.
//!
//! **Invariants.** `len` is the number of items in all chunks and `bytes` their charge. No chunk is empty, none has more
//! than [`CHUNK`] items, and none has room for more than four times what it holds, beyond its least. So a push or pop
//! never moves more than a chunk, and what an item takes is near what it is charged.

use super::entry::{ITEM_BYTES, LIST_BYTES, shared_bytes};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most items that lie together.
pub(super) const CHUNK: usize = 32;

/// Items that lie together.
pub(super) type Chunk = VecDeque<Item>;

/// One value of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
    /// Any bytes.
    Bytes(Arc<[u8]>),
}

impl Item {
    /// What it is charged.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Item::Bytes(bytes) => ITEM_BYTES + shared_bytes(bytes.len()),
            _ => ITEM_BYTES,
        }
    }
}

/// The end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The head.
    Left,
    /// The tail.
    Right,
}

/// The items, in chunks.
pub(super) struct List {
    chunks: VecDeque<Chunk>,
    len: usize,
    bytes: u64,
}

impl List {
    pub(super) fn new() -> List {
        List {
            chunks: VecDeque::new(),
            len: 0,
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What it is charged.
    pub(super) fn bytes(&self) -> u64 {
        LIST_BYTES + self.bytes
    }

    pub(super) fn push(&mut self, side: Side, item: Item) {
        self.len += 1;
        self.bytes += item.bytes();
        match side {
            Side::Left => match self.chunks.front_mut() {
                Some(first) if first.len() < CHUNK => first.push_front(item),
                _ => self.chunks.push_front(VecDeque::from([item])),
            },
            Side::Right => match self.chunks.back_mut() {
                Some(last) if last.len() < CHUNK => last.push_back(item),
                _ => self.chunks.push_back(VecDeque::from([item])),
            },
        }
    }

    pub(super) fn pop(&mut self, side: Side) -> Option<Item> {
        let (chunk, item) = match side {
            Side::Left => {
                let chunk = self.chunks.front_mut()?;
                let item = chunk.pop_front();
                (chunk, item)
            }
            Side::Right => {
                let chunk = self.chunks.back_mut()?;
                let item = chunk.pop_back();
                (chunk, item)
            }
        };
        if chunk.len() * 4 < chunk.capacity() {
            chunk.shrink_to(chunk.len() * 2);
        }
        if chunk.is_empty() {
            match side {
                Side::Left => self.chunks.pop_front(),
                Side::Right => self.chunks.pop_back(),
            };
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        }
        let item = item?;
        self.len -= 1;
        self.bytes -= item.bytes();
        Some(item)
    }

    /// Takes some of what it holds, to be dropped elsewhere.
    pub(super) fn take_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_back()?;
        self.len -= chunk.len();
        self.bytes -= chunk.iter().map(Item::bytes).sum::<u64>();
        Some(chunk)
    }

    /// Panics unless the invariants hold. For tests.
    pub(super) fn check(&self) {
        let items = || self.chunks.iter().flatten();
        assert_eq!(items().count(), self.len);
        assert_eq!(items().map(Item::bytes).sum::<u64>(), self.bytes);
        for chunk in &self.chunks {
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_deque() {
        let mut list = List::new();
        let mut model = VecDeque::new();
        for n in 0..5000i64 {
            match n * 7919 % 11 {
                0..4 => {
                    list.push(Side::Left, Item::Integer(n));
                    model.push_front(n);
                }
                4..7 => {
                    list.push(Side::Right, Item::Integer(n));
                    model.push_back(n);
                }
                7..9 => assert_eq!(list.pop(Side::Left), model.pop_front().map(Item::Integer)),
                _ => assert_eq!(list.pop(Side::Right), model.pop_back().map(Item::Integer)),
            }
            assert_eq!(list.len(), model.len());
        }
        list.check();
        let mut left = list.len();
        while let Some(chunk) = list.take_chunk() {
            left -= chunk.len();
        }
        assert_eq!((left, list.len(), list.bytes()), (0, 0, LIST_BYTES));
    }
}
