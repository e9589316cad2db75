//! A dictionary in memory that all workers of an app share: what scripts know as `ngx.shared.NAME`.
//!
//! | file | what |
//! |---|---|
//! | this one | [`Dict`]: the lock around a store |
//! | `store` | the operations, on virtual time |
//! | `index` | the hash table and its slots |
//! | `entry`, `list` | what is kept, and what that is charged |
//! | `model` | the same in a few naive lines, for tests and fuzzing |
//!
//! ```text
//!  hash the key, copy the value  |lock|  find, link, swap pointers  |unlock|  copy the value out, free garbage
//! ```
//! **Invariants.** A dictionary never holds more than its capacity (see `entry` for what is charged). Under the lock no
//! operation copies a value, frees one, or looks at more entries than a constant; the long ones, [`Dict::keys`] and
//! [`Dict::flush_expired`], go on from where they were, so that their callers can let others in between. Keys are hashed
//! under a random key, so no choice of keys makes chains long.

mod entry;
mod index;
mod list;
#[doc(hidden)]
pub mod model;
mod store;
#[cfg(test)]
mod tests;

pub use list::{Item, Side};
pub use store::Amount;

use entry::{Entry, Stored};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store::{Garbage, Store};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 65_535;

/// Slots that [`Dict::keys`] and [`Dict::flush_expired`] look at in one go.
pub const SLOTS_AT_ONCE: u32 = 1024;

/// A value to be stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
    /// Any bytes.
    Bytes(&'a [u8]),
}

/// A value as it is read.
#[derive(Debug, Clone, PartialEq)]
pub enum DictValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
    /// Any bytes.
    Bytes(SharedBytes),
}

/// Bytes that are still the dictionary's: nothing has been copied yet.
#[derive(Clone)]
pub struct SharedBytes {
    data: Arc<[u8]>,
    from: usize,
    to: usize,
}

impl Deref for SharedBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.data.get(self.from..self.to).unwrap_or_default()
    }
}

impl PartialEq for SharedBytes {
    fn eq(&self, other: &SharedBytes) -> bool {
        **self == **other
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// What was found for a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The value.
    pub value: DictValue,
    /// The user's flags; 0 is none.
    pub flags: i32,
    /// Whether it has expired.
    pub stale: bool,
}

/// When a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Always.
    Set,
    /// Always, but nothing is evicted for it.
    SafeSet,
    /// If the key has no value.
    Add,
    /// If the key has no value; nothing is evicted for it.
    SafeAdd,
    /// If the key has a value.
    Replace,
}

/// Why an operation was refused. The texts are those of lua-nginx-module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DictError {
    /// The key has no bytes.
    EmptyKey,
    /// The key is longer than [`MAX_KEY`].
    KeyTooLong,
    /// There is no room, even after what may be evicted is gone.
    NoMemory,
    /// `add` of a key that has a value.
    Exists,
    /// The key has no value.
    NotFound,
    /// `incr` of what is no number.
    NotANumber,
    /// A list operation on what is no list.
    NotAList,
    /// Reading a list as a value.
    IsAList,
}

impl fmt::Display for DictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DictError::EmptyKey => "empty key",
            DictError::KeyTooLong => "key too long",
            DictError::NoMemory => "no memory",
            DictError::Exists => "exists",
            DictError::NotFound => "not found",
            DictError::NotANumber => "not a number",
            DictError::NotAList => "value not a list",
            DictError::IsAList => "value is a list",
        })
    }
}

impl std::error::Error for DictError {}

/// A shared dictionary. Times are milliseconds of any clock that starts above 1 and does not go back, such as
/// [`now_ms`]; a ttl of 0 is for ever.
pub struct Dict {
    capacity: u64,
    hasher: RandomState,
    store: Mutex<Store>,
}

impl fmt::Debug for Dict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dict({} bytes)", self.capacity)
    }
}

/// The clock for dictionaries: milliseconds since 1970, but never back.
pub fn now_ms() -> u64 {
    static START: OnceLock<(Instant, u64)> = OnceLock::new();
    let (start, at) = START.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis() as u64);
        (Instant::now(), ms.max(1000))
    });
    at + start.elapsed().as_millis() as u64
}

impl Dict {
    /// An empty dictionary of so many bytes.
    pub fn new(capacity: u64) -> Dict {
        Dict {
            capacity,
            hasher: RandomState::new(),
            store: Mutex::new(Store::new(capacity)),
        }
    }

    /// No operation can panic half-way, so a poisoned lock still guards a sound store.
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these bytes can be a key.
    pub fn check_key(key: &[u8]) -> Result<(), DictError> {
        match key.len() {
            0 => Err(DictError::EmptyKey),
            1..=MAX_KEY => Ok(()),
            _ => Err(DictError::KeyTooLong),
        }
    }

    fn hash(&self, key: &[u8]) -> Result<u32, DictError> {
        Dict::check_key(key)?;
        Ok(self.hasher.hash_one(key) as u32)
    }

    /// The value of a key, unless it has expired.
    pub fn get(&self, key: &[u8], now_ms: u64) -> Result<Option<Record>, DictError> {
        let hash = self.hash(key)?;
        let mut garbage = Garbage::default();
        let mut store = self.lock();
        let entry = store.get(hash, key, now_ms, &mut garbage);
        let record = entry.map(|entry| record(entry, false)).transpose();
        drop(store);
        record
    }

    /// The value of a key, also if it has expired but is still there.
    pub fn get_stale(&self, key: &[u8], now_ms: u64) -> Result<Option<Record>, DictError> {
        let hash = self.hash(key)?;
        let mut store = self.lock();
        let found = store.get_stale(hash, key, now_ms);
        found.map(|(entry, stale)| record(entry, stale)).transpose()
    }

    /// Stores a value for `ttl_ms`; the second result says whether entries were evicted to make room. Where the old value
    /// has to go to make room for the new one it is gone also if that does not suffice.
    pub fn store(
        &self,
        mode: Mode,
        key: &[u8],
        value: Given<'_>,
        ttl_ms: u64,
        flags: i32,
        now_ms: u64,
    ) -> (Result<(), DictError>, bool) {
        let hash = match self.hash(key) {
            Ok(hash) => hash,
            Err(error) => return (Err(error), false),
        };
        let (data, value) = given(key, value);
        let mut garbage = Garbage::default();
        self.lock().store(
            mode,
            hash,
            key,
            data,
            value,
            ttl_ms,
            flags,
            now_ms,
            &mut garbage,
        )
    }

    /// Stores a value for `ttl_ms`, or removes it, if `test` says so of what is there now; whether it did. `test` is called under the
    /// lock, and compares at most.
    pub fn swap(
        &self,
        key: &[u8],
        test: impl FnOnce(Option<&Record>) -> bool,
        new: Option<Given<'_>>,
        ttl_ms: u64,
        flags: i32,
        now_ms: u64,
    ) -> Result<bool, DictError> {
        let hash = self.hash(key)?;
        let new = new.map(|value| given(key, value));
        let mut garbage = Garbage::default();
        let mut store = self.lock();
        let entry = store.get(hash, key, now_ms, &mut garbage);
        let found = entry.map(|entry| record(entry, false)).transpose()?;
        if !test(found.as_ref()) {
            return Ok(false);
        }
        match new {
            None => drop(store.delete(hash, key, now_ms, &mut garbage)),
            Some((data, value)) => {
                let mode = Mode::Set;
                let stored = store.store(
                    mode,
                    hash,
                    key,
                    data,
                    value,
                    ttl_ms,
                    flags,
                    now_ms,
                    &mut garbage,
                );
                stored.0?;
            }
        }
        drop(store);
        Ok(true)
    }

    /// Removes a key; whether it was there.
    pub fn delete(&self, key: &[u8], now_ms: u64) -> Result<bool, DictError> {
        let hash = self.hash(key)?;
        let mut garbage = Garbage::default();
        Ok(self.lock().delete(hash, key, now_ms, &mut garbage))
    }

    /// Adds to a number and returns the sum. `init` is what a key without a value starts from, and its ttl in ms. The second
    /// result says whether entries were evicted to make room.
    pub fn incr(
        &self,
        key: &[u8],
        by: Amount,
        init: Option<(Amount, u64)>,
        now_ms: u64,
    ) -> (Result<Amount, DictError>, bool) {
        let hash = match self.hash(key) {
            Ok(hash) => hash,
            Err(error) => return (Err(error), false),
        };
        let mut garbage = Garbage::default();
        self.lock().incr(hash, key, by, init, now_ms, &mut garbage)
    }

    /// Adds an item at an end of a list, which is made if there is none; its length. Nothing is evicted for it.
    pub fn push(
        &self,
        key: &[u8],
        side: Side,
        item: Item,
        now_ms: u64,
    ) -> Result<usize, DictError> {
        let hash = self.hash(key)?;
        let mut garbage = Garbage::default();
        // If it is refused, its bytes are freed when the lock is gone.
        let _kept = item.clone();
        self.lock()
            .push(hash, key, side, item, now_ms, &mut garbage)
    }

    /// Takes an item from an end of a list.
    pub fn pop(&self, key: &[u8], side: Side, now_ms: u64) -> Result<Option<Item>, DictError> {
        let hash = self.hash(key)?;
        let mut garbage = Garbage::default();
        self.lock().pop(hash, key, side, now_ms, &mut garbage)
    }

    /// The length of a list; 0 if there is none.
    pub fn llen(&self, key: &[u8], now_ms: u64) -> Result<usize, DictError> {
        let hash = self.hash(key)?;
        let mut garbage = Garbage::default();
        self.lock().llen(hash, key, now_ms, &mut garbage)
    }

    /// Milliseconds until a key expires: 0 if it never does, negative if it has but is still there.
    pub fn ttl(&self, key: &[u8], now_ms: u64) -> Result<i64, DictError> {
        let hash = self.hash(key)?;
        self.lock()
            .ttl(hash, key, now_ms)
            .ok_or(DictError::NotFound)
    }

    /// Lets a key expire in `ttl_ms`; one that has expired but is still there is revived.
    pub fn expire(&self, key: &[u8], ttl_ms: u64, now_ms: u64) -> Result<(), DictError> {
        let hash = self.hash(key)?;
        match self.lock().expire(hash, key, ttl_ms, now_ms) {
            true => Ok(()),
            false => Err(DictError::NotFound),
        }
    }

    /// Lets everything expire. The memory is free when the entries are: [`Dict::flush_expired`].
    pub fn flush_all(&self, now_ms: u64) {
        let mut garbage = Garbage::default();
        self.lock().flush_all(now_ms, &mut garbage);
    }

    /// Removes what has expired among the next [`SLOTS_AT_ONCE`] slots from `from` (0 at first), at most `max` entries: how
    /// many, and where to go on.
    pub fn flush_expired(&self, from: u32, max: usize, now_ms: u64) -> (usize, Option<u32>) {
        let mut garbage = Garbage::default();
        self.lock()
            .flush_expired(from, SLOTS_AT_ONCE, max, now_ms, &mut garbage)
    }

    /// The keys among the next [`SLOTS_AT_ONCE`] slots from `from` (0 at first) that have not expired, at most `max`, and
    /// where to go on. A key that is there all along is found once, whatever else is written meanwhile.
    pub fn keys(&self, from: u32, max: usize, now_ms: u64) -> (Vec<SharedBytes>, Option<u32>) {
        let mut keys = Vec::with_capacity(max.min(SLOTS_AT_ONCE as usize));
        let next = self
            .lock()
            .keys(from, SLOTS_AT_ONCE, max, now_ms, &mut keys);
        let shared = keys.into_iter().map(|(data, len)| SharedBytes {
            data,
            from: 0,
            to: usize::from(len),
        });
        (shared.collect(), next)
    }

    /// Its size in bytes.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Bytes that are not charged to anything.
    pub fn free_space(&self) -> u64 {
        self.lock().free_space()
    }

    /// Entries there are, expired ones too.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Panics unless every invariant holds. Walks all entries.
    #[doc(hidden)]
    pub fn check(&self) {
        self.lock().check();
    }
}

fn record(entry: &Entry, stale: bool) -> Result<Record, DictError> {
    let value = match &entry.value {
        Stored::Boolean(value) => DictValue::Boolean(*value),
        Stored::Integer(value) => DictValue::Integer(*value),
        Stored::Number(value) => DictValue::Number(*value),
        Stored::String => DictValue::Bytes(SharedBytes {
            data: entry.data.clone(),
            from: usize::from(entry.key_len),
            to: entry.data.len(),
        }),
        Stored::List(_) => return Err(DictError::IsAList),
    };
    Ok(Record {
        value,
        flags: entry.flags,
        stale,
    })
}

/// The block and the value of an entry to be stored.
fn given(key: &[u8], value: Given<'_>) -> (Arc<[u8]>, Stored) {
    match value {
        Given::Boolean(value) => (key.into(), Stored::Boolean(value)),
        Given::Integer(value) => (key.into(), Stored::Integer(value)),
        Given::Number(value) => (key.into(), Stored::Number(value)),
        Given::Bytes(bytes) => (joined(key, bytes), Stored::String),
    }
}

/// Key and value in one block.
fn joined(key: &[u8], value: &[u8]) -> Arc<[u8]> {
    let mut data: Arc<[u8]> = std::iter::repeat_n(0, key.len() + value.len()).collect();
    if let Some(data) = Arc::get_mut(&mut data) {
        let (first, second) = data.split_at_mut(key.len());
        first.copy_from_slice(key);
        second.copy_from_slice(value);
    }
    data
}
