//! A map from paths that forgets what was used longest ago.
//!
//! **Invariant:** `entries` and `order` have the same members, and both the bytes and the number of entries are within their limits after
//! every call. Every operation takes logarithmic time, but for purging a folder, which also takes as long as there are entries in it.

use crate::path::BundlePath;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What an entry takes besides what it says, in bytes.
const OVERHEAD: usize = 256;

/// The map.
#[derive(Debug)]
pub(crate) struct Lru<V> {
    entries: BTreeMap<BundlePath, Entry<V>>,
    /// From the time of the last use to the path.
    order: BTreeMap<u64, BundlePath>,
    clock: u64,
    bytes: usize,
    most_bytes: usize,
    most_entries: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<V> Lru<V> {
    pub fn new(most_bytes: usize, most_entries: usize) -> Lru<V> {
        Lru {
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            most_bytes,
            most_entries,
        }
    }

    /// The value at a path, which is the last one to be forgotten now.
    pub fn get(&mut self, path: &str) -> Option<&mut V> {
        let (key, entry) = self.entries.get_key_value(path)?;
        let (key, before) = (key.clone(), entry.used);
        self.clock += 1;
        self.order.remove(&before);
        self.order.insert(self.clock, key);
        let entry = self.entries.get_mut(path)?;
        entry.used = self.clock;
        Some(&mut entry.value)
    }

    /// Puts a value of so many bytes at a path. What has to go for it is given back, and so is the value itself if it is too large.
    pub fn insert(&mut self, path: BundlePath, value: V, bytes: usize) -> Vec<(BundlePath, V)> {
        let mut gone = Vec::new();
        self.remove(path.as_str());
        let bytes = bytes
            .saturating_add(2 * path.as_str().len())
            .saturating_add(OVERHEAD);
        if bytes > self.most_bytes || self.most_entries == 0 {
            gone.push((path, value));
            return gone;
        }
        while self.bytes + bytes > self.most_bytes || self.entries.len() >= self.most_entries {
            match self.oldest() {
                Some(oldest) => gone.push(oldest),
                None => break,
            }
        }
        self.clock += 1;
        self.bytes += bytes;
        self.order.insert(self.clock, path.clone());
        let used = self.clock;
        self.entries.insert(path, Entry { value, bytes, used });
        gone
    }

    fn oldest(&mut self) -> Option<(BundlePath, V)> {
        let (_, path) = self.order.pop_first()?;
        let entry = self.entries.remove(path.as_str())?;
        self.bytes -= entry.bytes;
        Some((path, entry.value))
    }

    /// Forgets a path.
    pub fn remove(&mut self, path: &str) -> Option<V> {
        let entry = self.entries.remove(path)?;
        self.order.remove(&entry.used);
        self.bytes -= entry.bytes;
        Some(entry.value)
    }

    /// Forgets all that is below a folder, or all there is.
    pub fn remove_below(&mut self, folder: Option<&BundlePath>) -> Vec<(BundlePath, V)> {
        let paths: Vec<BundlePath> = match folder {
            None => self.entries.keys().cloned().collect(),
            Some(folder) => {
                let start = format!("{folder}/");
                let from = (Bound::Included(start.as_str()), Bound::Unbounded);
                let below = self.entries.range::<str, _>(from).map(|(path, _)| path);
                below
                    .take_while(|path| path.as_str().starts_with(&start))
                    .cloned()
                    .collect()
            }
        };
        let remove = |path: BundlePath| self.remove(path.as_str()).map(|value| (path, value));
        paths.into_iter().filter_map(remove).collect()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> BundlePath {
        BundlePath::new(text.as_bytes()).unwrap()
    }

    fn paths(of: &[(BundlePath, u32)]) -> Vec<&str> {
        of.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut lru = Lru::new(3 * (OVERHEAD + 2 + 100), 100);
        for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
            assert!(lru.insert(path(name), value, 100).is_empty());
        }
        assert_eq!(lru.get("a"), Some(&mut 1));
        assert_eq!(paths(&lru.insert(path("d"), 4, 100)), ["b"]);
        assert_eq!(paths(&lru.insert(path("e"), 5, 200)), ["c", "a"]);
        assert_eq!(lru.get("b"), None);
        assert_eq!(lru.get("d"), Some(&mut 4));
        // The same again takes the place of what was there.
        assert!(lru.insert(path("e"), 6, 200).is_empty());
        assert_eq!(lru.len(), 2);
        assert_eq!(paths(&lru.insert(path("f"), 7, 10_000)), ["f"]);
        assert_eq!(lru.remove("e"), Some(6));
        assert_eq!(lru.remove("d"), Some(4));
        assert_eq!((lru.len(), lru.bytes(), lru.order.len()), (0, 0, 0));
    }

    #[test]
    fn there_are_so_many_entries() {
        let mut lru = Lru::new(usize::MAX, 2);
        lru.insert(path("a"), 1, 1);
        lru.insert(path("b"), 2, 1);
        assert_eq!(paths(&lru.insert(path("c"), 3, 1)), ["a"]);
        assert_eq!(paths(&Lru::new(1000, 0).insert(path("a"), 1, 1)), ["a"]);
    }

    #[test]
    fn a_folder_is_all_below_it_and_nothing_else() {
        let mut lru = Lru::new(1 << 20, 100);
        for name in ["a", "a-b/x", "a/x", "a/y/z", "a0", "b/a/x"] {
            lru.insert(path(name), 0, 1);
        }
        assert_eq!(paths(&lru.remove_below(Some(&path("a")))), ["a/x", "a/y/z"]);
        assert_eq!(lru.len(), 4);
        assert_eq!(lru.remove_below(None).len(), 4);
        assert_eq!(lru.bytes(), 0);
    }
}
