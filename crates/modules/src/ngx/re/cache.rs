//! The compiled patterns of a VM.
//!
//! **Invariant:** at most [`MAX_ENTRIES`] and, but for the one used last, [`MAX_BYTES`]; those unused for longest go first. A look-up
//! that finds something allocates nothing.

use super::compiled::Compiled;
use super::options::Options;
use std::collections::HashMap;
use std::rc::Rc;

/// Patterns, as OpenResty's `lua_regex_cache_max_entries`.
pub(super) const MAX_ENTRIES: usize = 1024;
/// Bytes that they take, all together.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// Bytes that the table takes for an entry, about.
const OVERHEAD: usize = 128;

/// An index of `entries`.
type Id = usize;
const NONE: Id = usize::MAX;

struct Entry {
    key: Rc<[u8]>,
    compiled: Rc<Compiled>,
    size: usize,
    /// The one used before and the one used after.
    older: Id,
    newer: Id,
}

/// The cache.
pub(super) struct Cache {
    ids: HashMap<Rc<[u8]>, Id>,
    entries: Vec<Entry>,
    oldest: Id,
    newest: Id,
    bytes: usize,
    /// The key that is looked for.
    key: Vec<u8>,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache {
            ids: HashMap::new(),
            entries: Vec::new(),
            oldest: NONE,
            newest: NONE,
            bytes: 0,
            key: Vec::new(),
        }
    }
}

impl Cache {
    /// The compiled pattern, which `compile` makes if it is not here.
    pub fn get<E>(
        &mut self,
        pattern: &[u8],
        options: Options,
        compile: impl FnOnce() -> Result<Compiled, E>,
    ) -> Result<Rc<Compiled>, E> {
        self.key.clear();
        self.key.extend(options.key());
        self.key.extend(pattern);
        if let Some(id) = self.ids.get(self.key.as_slice()).copied() {
            self.touch(id);
            if let Some(entry) = self.entries.get(id) {
                return Ok(entry.compiled.clone());
            }
        }
        let compiled = Rc::new(compile()?);
        self.add(compiled.clone());
        Ok(compiled)
    }

    /// Notes what the pattern used last takes now: an engine grows with what it is used for.
    pub fn settle(&mut self) {
        let Some(entry) = self.entries.get_mut(self.newest) else {
            return;
        };
        let size = entry.compiled.size() + 2 * entry.key.len() + OVERHEAD;
        self.bytes = self.bytes - entry.size + size;
        entry.size = size;
        while self.bytes > MAX_BYTES && self.oldest != self.newest {
            self.remove_oldest();
        }
    }

    fn add(&mut self, compiled: Rc<Compiled>) {
        if self.entries.len() >= MAX_ENTRIES {
            self.remove_oldest();
        }
        let key: Rc<[u8]> = self.key.as_slice().into();
        let id = self.entries.len();
        self.ids.insert(key.clone(), id);
        self.entries.push(Entry {
            key,
            compiled,
            size: 0,
            older: NONE,
            newer: NONE,
        });
        self.link(id);
    }

    fn touch(&mut self, id: Id) {
        if self.newest != id {
            self.unlink(id);
            self.link(id);
        }
    }

    /// Makes it the newest.
    fn link(&mut self, id: Id) {
        let newest = self.newest;
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.older, entry.newer) = (newest, NONE);
        }
        match self.entries.get_mut(newest) {
            Some(former) => former.newer = id,
            None => self.oldest = id,
        }
        self.newest = id;
    }

    fn unlink(&mut self, id: Id) {
        let Some((older, newer)) = self.entries.get(id).map(|entry| (entry.older, entry.newer))
        else {
            return;
        };
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    fn remove_oldest(&mut self) {
        let id = self.oldest;
        self.unlink(id);
        if id >= self.entries.len() {
            return;
        }
        let gone = self.entries.swap_remove(id);
        self.ids.remove(&gone.key);
        self.bytes -= gone.size;
        // The last one is in its place now.
        let Some((key, older, newer)) =
            (self.entries.get(id)).map(|moved| (moved.key.clone(), moved.older, moved.newer))
        else {
            return;
        };
        self.ids.insert(key, id);
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = id,
            None => self.oldest = id,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = id,
            None => self.newest = id,
        }
    }

    /// How many there are, and the bytes they take.
    #[cfg(test)]
    pub fn usage(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(cache: &mut Cache, pattern: &str) -> bool {
        let mut made = false;
        let options = Options::default();
        let compiled = cache.get(pattern.as_bytes(), options, || {
            made = true;
            Compiled::new(pattern.as_bytes(), options)
        });
        assert!(compiled.is_ok());
        cache.settle();
        made
    }

    #[test]
    fn the_number_is_limited_and_the_oldest_go() {
        let mut cache = Cache::default();
        for n in 0..MAX_ENTRIES {
            assert!(get(&mut cache, &format!("({n})\\1")));
        }
        assert!(!get(&mut cache, "(0)\\1"));
        assert!(get(&mut cache, "one more"));
        assert_eq!(cache.usage().0, MAX_ENTRIES);
        assert!(!get(&mut cache, "(0)\\1"));
        assert!(get(&mut cache, "(1)\\1"));
        for n in 0..3 * MAX_ENTRIES {
            get(&mut cache, &format!("({})\\1", n % 1500));
        }
        assert_eq!(cache.usage().0, MAX_ENTRIES);
    }

    #[test]
    fn the_bytes_are_limited() {
        let mut cache = Cache::default();
        for n in 0..300 {
            get(&mut cache, &format!("a{{400}}[b-z]{{100}}{n}"));
            assert!(cache.usage().1 <= MAX_BYTES);
        }
        assert!(cache.usage().0 < 300);
        assert!(!get(&mut cache, "a{400}[b-z]{100}299"));
    }

    #[test]
    fn options_are_part_of_the_key() {
        let mut cache = Cache::default();
        assert!(get(&mut cache, "x"));
        let caseless = Options::parse(b"i").unwrap();
        let mut made = false;
        let compiled = cache.get(b"x", caseless, || {
            made = true;
            Compiled::new(b"x", caseless)
        });
        assert!(compiled.is_ok() && made);
    }
}
