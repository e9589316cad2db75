//! A small store of an app that all its workers share.
//!
//! Requests of one app run on several VMs, one per worker, which share no Lua object; what they must
//! agree on is kept here. It lives as long as the process.
//!
//! **Invariant:** `bytes` is the sum over all entries of key, value and [`ENTRY_BYTES`], and never
//! exceeds `limit` by a write: room is checked before anything is stored, so a refused write changes nothing.
//! Each operation is atomic; the lock is held for one map operation and never across a wait.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an entry costs beside its key and value, about what the map spends on it.
pub const ENTRY_BYTES: u64 = 64;

/// A stored value. Tables are stored as JSON by those who want them stored.
#[derive(Debug, Clone, PartialEq)]
pub enum KvValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
    /// Any bytes.
    Bytes(Box<[u8]>),
}

impl KvValue {
    fn bytes(&self) -> u64 {
        match self {
            KvValue::Bytes(bytes) => bytes.len() as u64,
            _ => 8,
        }
    }
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvError {
    /// It would exceed the app's `kv` limit.
    Full,
    /// `incr` on a value that is not an integer.
    NotInteger,
    /// `incr` past the range of an integer.
    Overflow,
}

impl std::fmt::Display for KvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KvError::Full => "the kv store is full (limits.kv)",
            KvError::NotInteger => "the value is not an integer",
            KvError::Overflow => "the integer would overflow",
        })
    }
}

impl std::error::Error for KvError {}

/// The store of one app.
#[derive(Debug)]
pub struct Kv {
    limit: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: u64,
    map: BTreeMap<Box<[u8]>, KvValue>,
}

impl Kv {
    /// An empty store that holds at most `limit` bytes.
    pub fn new(limit: u64) -> Kv {
        Kv {
            limit: AtomicU64::new(limit),
            inner: Mutex::default(),
        }
    }

    /// Another limit, in bytes. What is over it already stays until it is deleted.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// No operation can panic half-way, so a poisoned lock still guards a sound map.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<KvValue> {
        self.lock().map.get(key).cloned()
    }

    /// Stores a value, over the old one if there is one.
    pub fn set(&self, key: &[u8], value: KvValue) -> Result<(), KvError> {
        self.lock().put(self.limit(), key, value)
    }

    /// Stores a value only if the key has none; whether it did.
    pub fn add(&self, key: &[u8], value: KvValue) -> Result<bool, KvError> {
        let mut inner = self.lock();
        if inner.map.contains_key(key) {
            return Ok(false);
        }
        inner.put(self.limit(), key, value).map(|()| true)
    }

    /// Removes a key; whether it was there.
    pub fn delete(&self, key: &[u8]) -> bool {
        let mut inner = self.lock();
        let removed = inner.map.remove(key);
        if let Some(value) = &removed {
            inner.bytes -= cost(key, value);
        }
        removed.is_some()
    }

    /// Adds `by` to an integer that starts at 0; the new value.
    pub fn incr(&self, key: &[u8], by: i64) -> Result<i64, KvError> {
        let mut inner = self.lock();
        let old = match inner.map.get(key) {
            None => 0,
            Some(KvValue::Integer(old)) => *old,
            Some(_) => return Err(KvError::NotInteger),
        };
        let new = old.checked_add(by).ok_or(KvError::Overflow)?;
        inner
            .put(self.limit(), key, KvValue::Integer(new))
            .map(|()| new)
    }

    /// Up to `max` keys with `prefix` that come after `after`, in byte order, with their values.
    pub fn list(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Vec<(Box<[u8]>, KvValue)> {
        let inner = self.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        inner
            .map
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(max)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }
}

impl Inner {
    fn put(&mut self, limit: u64, key: &[u8], value: KvValue) -> Result<(), KvError> {
        let old = self.map.get(key).map_or(0, |old| cost(key, old));
        let bytes = self.bytes - old + cost(key, &value);
        if bytes > limit {
            return Err(KvError::Full);
        }
        self.bytes = bytes;
        match self.map.get_mut(key) {
            Some(slot) => *slot = value,
            None => {
                self.map.insert(key.into(), value);
            }
        }
        Ok(())
    }
}

fn cost(key: &[u8], value: &KvValue) -> u64 {
    key.len() as u64 + value.bytes() + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> KvValue {
        KvValue::Bytes(text.as_bytes().into())
    }

    #[test]
    fn reads_what_was_written_and_counts_it() {
        let kv = Kv::new(1 << 20);
        kv.set(b"a", bytes("one")).unwrap();
        kv.set(b"a", bytes("three")).unwrap();
        assert_eq!(kv.get(b"a"), Some(bytes("three")));
        assert_eq!(kv.bytes(), 1 + 5 + ENTRY_BYTES);
        assert_eq!(kv.add(b"a", bytes("no")), Ok(false));
        assert!(kv.delete(b"a"));
        assert!(!kv.delete(b"a"));
        assert_eq!(kv.bytes(), 0);
    }

    #[test]
    fn a_full_store_refuses_and_keeps_what_it_has() {
        let kv = Kv::new(ENTRY_BYTES + 10);
        kv.set(b"k", bytes("123456789")).unwrap();
        assert_eq!(kv.set(b"k", bytes("1234567890")), Err(KvError::Full));
        assert_eq!(kv.incr(b"n", 1), Err(KvError::Full));
        assert_eq!(kv.get(b"k"), Some(bytes("123456789")));
        kv.set(b"k", bytes("1")).unwrap();
    }

    #[test]
    fn another_limit_holds_for_what_is_written_from_then_on() {
        let kv = Kv::new(1 << 20);
        kv.set(b"k", bytes(&"x".repeat(1000))).unwrap();
        kv.set_limit(500);
        assert_eq!(kv.get(b"k"), Some(bytes(&"x".repeat(1000))));
        assert_eq!(kv.set(b"n", bytes("1")), Err(KvError::Full));
        assert!(kv.delete(b"k"));
        kv.set(b"n", bytes("1")).unwrap();
    }

    #[test]
    fn incr_is_checked() {
        let kv = Kv::new(1 << 20);
        assert_eq!(kv.incr(b"n", 2), Ok(2));
        assert_eq!(kv.incr(b"n", -3), Ok(-1));
        kv.set(b"n", KvValue::Integer(i64::MAX)).unwrap();
        assert_eq!(kv.incr(b"n", 1), Err(KvError::Overflow));
        kv.set(b"n", bytes("x")).unwrap();
        assert_eq!(kv.incr(b"n", 1), Err(KvError::NotInteger));
    }

    #[test]
    fn list_pages_through_a_prefix() {
        let kv = Kv::new(1 << 20);
        for key in ["a", "b/1", "b/2", "b/3", "c"] {
            kv.set(key.as_bytes(), KvValue::Boolean(true)).unwrap();
        }
        let keys = |after: Option<&str>, max| -> Vec<String> {
            let found = kv.list(b"b/", after.map(str::as_bytes), max);
            found
                .into_iter()
                .map(|(key, _)| String::from_utf8(key.into()).unwrap())
                .collect()
        };
        assert_eq!(keys(None, 2), ["b/1", "b/2"]);
        assert_eq!(keys(Some("b/2"), 2), ["b/3"]);
        assert_eq!(keys(Some("a"), 9), ["b/1", "b/2", "b/3"]);
        assert!(keys(Some("c"), 9).is_empty());
    }
}
