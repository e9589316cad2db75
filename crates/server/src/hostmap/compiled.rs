//! Code that is compiled once for all who have the same text under the same name.
//!
//! **Invariant:** there are at most so many chunks, of at most so many bytes of text; what was used longest ago goes first. What somebody uses
//! lives on by itself.

use rille_lua::{Chunk, Dialect};
use rille_runtime::late::Stamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// What makes one chunk another: its text, the version of the language, and the name in its messages.
type Key = (Stamp, Dialect, Arc<str>);

/// Chunks by what they are made of.
#[derive(Debug)]
pub struct Compiled {
    state: Mutex<State>,
    most_entries: usize,
    most_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// By when they were used.
    order: BTreeMap<u64, Key>,
    clock: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    chunk: Arc<Chunk>,
    bytes: u64,
    used: u64,
}

impl Compiled {
    /// For at most so many chunks of so many bytes of text.
    pub fn new(most_entries: usize, most_bytes: u64) -> Compiled {
        Compiled {
            state: Mutex::default(),
            most_entries,
            most_bytes,
        }
    }

    /// What there is for a text.
    pub fn get(&self, stamp: Stamp, dialect: Dialect, path: &str) -> Option<Arc<Chunk>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (stamp, dialect, Arc::from(path));
        state.clock += 1;
        let now = state.clock;
        let entry = state.entries.get_mut(&key)?;
        let before = std::mem::replace(&mut entry.used, now);
        let chunk = entry.chunk.clone();
        state.order.remove(&before);
        state.order.insert(now, key);
        Some(chunk)
    }

    /// Keeps what was made of a text of so many bytes.
    pub fn insert(
        &self,
        stamp: Stamp,
        dialect: Dialect,
        path: &str,
        chunk: &Arc<Chunk>,
        bytes: u64,
    ) {
        if bytes > self.most_bytes || self.most_entries == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key: Key = (stamp, dialect, path.into());
        if let Some(former) = state.entries.remove(&key) {
            state.order.remove(&former.used);
            state.bytes -= former.bytes;
        }
        while state.bytes + bytes > self.most_bytes || state.entries.len() >= self.most_entries {
            let Some((_, oldest)) = state.order.pop_first() else {
                break;
            };
            if let Some(gone) = state.entries.remove(&oldest) {
                state.bytes -= gone.bytes;
            }
        }
        state.clock += 1;
        let used = state.clock;
        state.bytes += bytes;
        state.order.insert(used, key.clone());
        state.entries.insert(
            key,
            Entry {
                chunk: chunk.clone(),
                bytes,
                used,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let chunk = rille_lua::compile_as(b"return 1", b"@x", Dialect::Lua51).unwrap();
        let compiled = Compiled::new(3, 100);
        let insert = |at: u8, bytes| compiled.insert([at; 32], Dialect::Lua51, "x", &chunk, bytes);
        let has = |at: u8| compiled.get([at; 32], Dialect::Lua51, "x").is_some();
        (1..=3).for_each(|at| insert(at, 10));
        assert!(has(1));
        insert(4, 10);
        assert!(has(1) && !has(2) && has(3) && has(4));
        insert(5, 95);
        assert!(!has(1) && !has(3) && !has(4) && has(5));
        insert(6, 101);
        assert!(!has(6) && has(5));
        // The name and the version are part of it.
        assert!(compiled.get([5; 32], Dialect::Lua54, "x").is_none());
        assert!(compiled.get([5; 32], Dialect::Lua51, "y").is_none());
        insert(5, 10);
        assert_eq!(compiled.state.lock().unwrap().bytes, 10);
        assert_eq!(compiled.state.lock().unwrap().order.len(), 1);
    }
}
