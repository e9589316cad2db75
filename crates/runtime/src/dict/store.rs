//! What a dictionary holds, and every operation on it, with the time as an argument.
//!
//! Which operation drops which expired entries, moves what to the head of the order of use and evicts how many is what
//! lua-nginx-module's `ngx_http_lua_shdict.c` does, since scripts can see it: through `get_stale`, through the third
//! result of `set`, and through what is still there afterwards.
//!
//! **Invariants**
//! - `used` is the charge of all entries; with [`TABLE_BYTES`] a slot it never exceeds `capacity`: room is made before
//!   anything is stored.
//! - The order of use links every entry once: `newest` to `oldest` by `older`, and back by `newer`.
//! - An operation looks at a bounded number of entries, whatever there are. What it removes goes to the caller's
//!   [`Garbage`], to be dropped when the lock is gone; long lists go there over several operations.

use super::entry::{Entry, LIST_BYTES, Stored, plain_bytes};
use super::index::{Index, NIL, TABLE_BYTES};
use super::list::{Chunk, Item, List, Side};
use super::{DictError, Mode};
use std::sync::Arc;

/// How often a store that needs room evicts before it gives up. Each time takes one entry by force and up to two more
/// that have expired.
pub(super) const EVICTIONS: u32 = 30;

/// A removed list longer than this is dropped piece by piece.
const LONG_LIST: usize = 1024;

/// Pieces of removed lists that one operation drops.
const PIECES: usize = 8;

/// What was removed, to be dropped by the caller.
#[derive(Default)]
pub(super) struct Garbage {
    #[allow(
        clippy::vec_box,
        reason = "taking it out of its box would free the box under the lock"
    )]
    entries: Vec<Box<Entry>>,
    data: Vec<Arc<[u8]>>,
    lists: Vec<List>,
    pieces: Vec<Chunk>,
}

/// What a key leads to.
enum Found {
    Missing,
    Expired(u32),
    Live(u32),
}

/// The entries.
pub(super) struct Store {
    pub(super) capacity: u64,
    used: u64,
    index: Index,
    newest: u32,
    oldest: u32,
    /// How often everything was flushed: an entry written before the last time has expired.
    epoch: u64,
    /// Removed lists that are too long to be dropped at once. Not charged.
    graves: Vec<List>,
}

impl Store {
    pub(super) fn new(capacity: u64) -> Store {
        Store {
            capacity,
            used: 0,
            index: Index::new(),
            newest: NIL,
            oldest: NIL,
            epoch: 0,
            graves: Vec::new(),
        }
    }

    /// Bytes that are not charged to anything.
    pub(super) fn free_space(&self) -> u64 {
        self.capacity
            .saturating_sub(self.used + u64::from(self.index.slots()) * TABLE_BYTES)
    }

    /// Entries there are, expired ones too.
    pub(super) fn len(&self) -> usize {
        self.index.len() as usize
    }

    // ---- reading ----

    /// The entry of a key that has not expired.
    pub(super) fn get(
        &mut self,
        hash: u32,
        key: &[u8],
        now: u64,
        garbage: &mut Garbage,
    ) -> Option<&Entry> {
        self.tidy(now, garbage);
        match self.look_up(hash, key, now) {
            Found::Live(at) => Some(self.index.entry(at)),
            _ => None,
        }
    }

    /// The entry of a key, and whether it has expired.
    pub(super) fn get_stale(&mut self, hash: u32, key: &[u8], now: u64) -> Option<(&Entry, bool)> {
        match self.look_up(hash, key, now) {
            Found::Live(at) => Some((self.index.entry(at), false)),
            Found::Expired(at) => Some((self.index.entry(at), true)),
            Found::Missing => None,
        }
    }

    /// Milliseconds until a key expires, negative if it has; 0 if it never does.
    pub(super) fn ttl(&self, hash: u32, key: &[u8], now: u64) -> Option<i64> {
        let entry = self.index.entry(self.index.find(hash, key)?);
        Some(match self.expires(entry) {
            0 => 0,
            at if at >= now => i64::try_from(at - now).unwrap_or(i64::MAX),
            at => -i64::try_from(now - at).unwrap_or(i64::MAX),
        })
    }

    /// The keys that have not expired in `slots` slots from `from` on, at most `max`; the slot to go on from, if there
    /// are more.
    pub(super) fn keys(
        &self,
        from: u32,
        slots: u32,
        max: usize,
        now: u64,
        keys: &mut Vec<(Arc<[u8]>, u16)>,
    ) -> Option<u32> {
        let end = from.saturating_add(slots).min(self.index.slots());
        for at in from..end {
            if keys.len() == max {
                return Some(at);
            }
            if let Some(entry) = self.index.try_entry(at)
                && !self.has_expired(entry, now)
            {
                keys.push((entry.data.clone(), entry.key_len));
            }
        }
        (end < self.index.slots()).then_some(end)
    }

    // ---- writing ----

    /// Stores a value, `data` being its key and, if it is a string, its bytes. The second result says whether entries were
    /// evicted for it.
    #[allow(clippy::too_many_arguments, reason = "what an entry has")]
    pub(super) fn store(
        &mut self,
        mode: Mode,
        hash: u32,
        key: &[u8],
        data: Arc<[u8]>,
        value: Stored,
        ttl: u64,
        flags: i32,
        now: u64,
        garbage: &mut Garbage,
    ) -> (Result<(), DictError>, bool) {
        self.tidy(now, garbage);
        let found = self.look_up(hash, key, now);
        let old = match (mode, found) {
            (Mode::Replace, Found::Missing | Found::Expired(_)) => {
                garbage.data.push(data);
                return (Err(DictError::NotFound), false);
            }
            (Mode::Add | Mode::SafeAdd, Found::Live(_)) => {
                garbage.data.push(data);
                return (Err(DictError::Exists), false);
            }
            (_, Found::Missing) => None,
            (_, Found::Live(at) | Found::Expired(at)) => Some(at),
        };
        let safe = matches!(mode, Mode::SafeSet | Mode::SafeAdd);
        let mut entry = Entry::new(data, key.len(), value);
        entry.flags = flags;
        entry.expires = deadline(ttl, now);
        self.put(old, hash, entry, !safe, now, garbage)
    }

    /// Removes a key; whether it was there.
    pub(super) fn delete(
        &mut self,
        hash: u32,
        key: &[u8],
        now: u64,
        garbage: &mut Garbage,
    ) -> bool {
        self.tidy(now, garbage);
        let Some(at) = self.index.find(hash, key) else {
            return false;
        };
        self.remove(at, garbage);
        true
    }

    /// Adds to a number; `init` is where one starts that is not there, and its ttl. The last result is as in `store`.
    pub(super) fn incr(
        &mut self,
        hash: u32,
        key: &[u8],
        by: Amount,
        init: Option<(Amount, u64)>,
        now: u64,
        garbage: &mut Garbage,
    ) -> (Result<Amount, DictError>, bool) {
        self.tidy(now, garbage);
        let old = match self.look_up(hash, key, now) {
            Found::Live(at) => {
                let entry = self.index.entry_mut(at);
                let sum = match entry.value {
                    Stored::Integer(n) => Amount::Integer(n).plus(by),
                    Stored::Number(n) => Amount::Number(n).plus(by),
                    _ => return (Err(DictError::NotANumber), false),
                };
                entry.value = sum.stored();
                return (Ok(sum), false);
            }
            Found::Expired(at) => Some(at),
            Found::Missing => None,
        };
        let Some((init, ttl)) = init else {
            return (Err(DictError::NotFound), false);
        };
        let sum = by.plus(init);
        let mut entry = Entry::new(key.into(), key.len(), sum.stored());
        entry.expires = deadline(ttl, now);
        let (stored, forcible) = self.put(old, hash, entry, true, now, garbage);
        (stored.map(|()| sum), forcible)
    }

    /// Sets when a key expires, from now; 0 is never. Revives one that has expired. Whether it was there.
    pub(super) fn expire(&mut self, hash: u32, key: &[u8], ttl: u64, now: u64) -> bool {
        let Some(at) = self.index.find(hash, key) else {
            return false;
        };
        let epoch = self.epoch;
        let entry = self.index.entry_mut(at);
        entry.expires = deadline(ttl, now);
        entry.epoch = epoch;
        true
    }

    /// Lets everything expire, and drops one to three entries.
    pub(super) fn flush_all(&mut self, now: u64, garbage: &mut Garbage) {
        self.epoch += 1;
        self.expire_oldest(true, now, garbage);
    }

    /// Drops what has expired in `slots` slots from `from` on, at most `max` entries: how many, and the slot to go on from,
    /// if there are more. Lists count as more slots.
    pub(super) fn flush_expired(
        &mut self,
        from: u32,
        slots: u32,
        max: usize,
        now: u64,
        garbage: &mut Garbage,
    ) -> (usize, Option<u32>) {
        self.drop_pieces(garbage);
        let end = from.saturating_add(slots).min(self.index.slots());
        let (mut freed, mut work) = (0, 0);
        for at in from..end {
            if freed == max || work >= slots {
                return (freed, Some(at));
            }
            work += 1;
            if let Some(entry) = self.index.try_entry(at)
                && self.has_expired(entry, now)
            {
                let items = entry.list().map_or(0, List::len).min(LONG_LIST);
                work += (items / 8) as u32;
                self.remove(at, garbage);
                freed += 1;
            }
        }
        (freed, (end < self.index.slots()).then_some(end))
    }

    // ---- lists ----

    /// Adds an item at an end of a list, which is made if the key has nothing; the list's length. Evicts nothing.
    pub(super) fn push(
        &mut self,
        hash: u32,
        key: &[u8],
        side: Side,
        item: Item,
        now: u64,
        garbage: &mut Garbage,
    ) -> Result<usize, DictError> {
        self.tidy(now, garbage);
        let at = match self.look_up(hash, key, now) {
            Found::Live(at) if self.index.entry(at).list().is_none() => {
                return Err(DictError::NotAList);
            }
            Found::Live(at) => at,
            Found::Expired(at) => {
                self.remove(at, garbage);
                self.new_list(hash, key)?
            }
            Found::Missing => self.new_list(hash, key)?,
        };
        let bytes = item.bytes();
        if bytes > self.free_space() {
            if self.index.entry(at).list().is_some_and(|l| l.len() == 0) {
                self.remove(at, garbage);
            }
            return Err(DictError::NoMemory);
        }
        self.used += bytes;
        match self.index.entry_mut(at).list_mut() {
            Some(list) => {
                list.push(side, item);
                Ok(list.len())
            }
            None => Err(DictError::NotAList),
        }
    }

    /// Takes the item at an end of a list; the key goes with the last one.
    pub(super) fn pop(
        &mut self,
        hash: u32,
        key: &[u8],
        side: Side,
        now: u64,
        garbage: &mut Garbage,
    ) -> Result<Option<Item>, DictError> {
        self.tidy(now, garbage);
        let Found::Live(at) = self.look_up(hash, key, now) else {
            return Ok(None);
        };
        let Some(list) = self.index.entry_mut(at).list_mut() else {
            return Err(DictError::NotAList);
        };
        let item = list.pop(side);
        let is_empty = list.len() == 0;
        self.used -= item.as_ref().map_or(0, Item::bytes);
        if is_empty {
            self.remove(at, garbage);
        }
        Ok(item)
    }

    /// The length of a list; 0 if there is none.
    pub(super) fn llen(
        &mut self,
        hash: u32,
        key: &[u8],
        now: u64,
        garbage: &mut Garbage,
    ) -> Result<usize, DictError> {
        self.tidy(now, garbage);
        match self.look_up(hash, key, now) {
            Found::Live(at) => match self.index.entry(at).list() {
                Some(list) => Ok(list.len()),
                None => Err(DictError::NotAList),
            },
            _ => Ok(0),
        }
    }

    fn new_list(&mut self, hash: u32, key: &[u8]) -> Result<u32, DictError> {
        let data: Arc<[u8]> = key.into();
        let bytes = plain_bytes(&data) + LIST_BYTES;
        if !self.fits(bytes) {
            return Err(DictError::NoMemory);
        }
        let list = Stored::List(Box::new(List::new()));
        Ok(self.insert(hash, Entry::new(data, key.len(), list)))
    }

    // ---- expiry ----

    fn expires(&self, entry: &Entry) -> u64 {
        // What was flushed expired long ago.
        if entry.epoch == self.epoch {
            entry.expires
        } else {
            1
        }
    }

    fn has_expired(&self, entry: &Entry, now: u64) -> bool {
        let at = self.expires(entry);
        at != 0 && at <= now
    }

    /// What an operation does first: drops up to two entries that have expired, if they are the ones not used for longest.
    fn tidy(&mut self, now: u64, garbage: &mut Garbage) {
        self.drop_pieces(garbage);
        self.expire_oldest(false, now, garbage);
    }

    /// Drops up to two expired entries from the end of the order of use, and before them the last one by force; how many.
    fn expire_oldest(&mut self, force: bool, now: u64, garbage: &mut Garbage) -> u32 {
        let mut freed = 0;
        let most = if force { 3 } else { 2 };
        while freed < most && self.oldest != NIL {
            let forced = force && freed == 0;
            if !forced && !self.has_expired(self.index.entry(self.oldest), now) {
                break;
            }
            self.remove(self.oldest, garbage);
            freed += 1;
        }
        freed
    }

    /// Finds a key; what has not expired becomes the newest.
    fn look_up(&mut self, hash: u32, key: &[u8], now: u64) -> Found {
        let Some(at) = self.index.find(hash, key) else {
            return Found::Missing;
        };
        if self.has_expired(self.index.entry(at), now) {
            return Found::Expired(at);
        }
        self.unlink(at);
        self.link_newest(at);
        Found::Live(at)
    }

    // ---- room ----

    fn fits(&self, bytes: u64) -> bool {
        let slot = if self.index.is_full() { TABLE_BYTES } else { 0 };
        bytes + slot <= self.free_space() && (!self.index.is_full() || self.index.slots() < NIL)
    }

    /// Puts an entry in the place of `old`, evicting others if that may be done.
    fn put(
        &mut self,
        old: Option<u32>,
        hash: u32,
        entry: Entry,
        evict: bool,
        now: u64,
        garbage: &mut Garbage,
    ) -> (Result<(), DictError>, bool) {
        let bytes = entry.bytes();
        if let Some(at) = old {
            // What needs no more than the old one did takes its place; otherwise the old one goes first, as its room may
            // be what is needed.
            if bytes <= self.index.entry(at).bytes() {
                self.rewrite(at, entry, garbage);
                return (Ok(()), false);
            }
            self.remove(at, garbage);
        }
        let mut forcible = false;
        for _ in 0..EVICTIONS {
            if self.fits(bytes) || !evict || self.expire_oldest(true, now, garbage) == 0 {
                break;
            }
            forcible = true;
        }
        if !self.fits(bytes) {
            garbage.data.push(entry.data);
            return (Err(DictError::NoMemory), forcible);
        }
        self.insert(hash, entry);
        (Ok(()), forcible)
    }

    fn insert(&mut self, hash: u32, mut entry: Entry) -> u32 {
        entry.epoch = self.epoch;
        self.used += entry.bytes();
        let at = self.index.insert(hash, Box::new(entry));
        self.link_newest(at);
        at
    }

    /// Writes over the entry in a slot, and makes it the newest.
    fn rewrite(&mut self, at: u32, entry: Entry, garbage: &mut Garbage) {
        self.unlink(at);
        self.used += entry.bytes();
        let epoch = self.epoch;
        let slot = self.index.entry_mut(at);
        let old = std::mem::replace(slot, Entry { epoch, ..entry });
        self.used -= old.bytes();
        garbage.data.push(old.data);
        if let Stored::List(list) = old.value {
            self.bury(*list, garbage);
        }
        self.link_newest(at);
    }

    fn remove(&mut self, at: u32, garbage: &mut Garbage) {
        self.unlink(at);
        let mut entry = self.index.remove(at);
        self.used -= entry.bytes();
        if entry.list().is_some_and(|list| list.len() > LONG_LIST)
            && let Stored::List(list) = std::mem::replace(&mut entry.value, Stored::String)
        {
            self.graves.push(*list);
        }
        garbage.entries.push(entry);
    }

    /// A list that was written over.
    fn bury(&mut self, list: List, garbage: &mut Garbage) {
        if list.len() > LONG_LIST {
            self.graves.push(list);
        } else {
            garbage.lists.push(list);
        }
    }

    /// Lets go of some of the long lists that were removed. Each operation adds one item at most and takes away many, so
    /// what is not charged does not pile up: it is never more than the capacity again.
    fn drop_pieces(&mut self, garbage: &mut Garbage) {
        for _ in 0..PIECES {
            let Some(list) = self.graves.last_mut() else {
                return;
            };
            match list.take_chunk() {
                Some(chunk) => garbage.pieces.push(chunk),
                None => garbage.lists.extend(self.graves.pop()),
            }
        }
    }

    // ---- the order of use ----

    fn unlink(&mut self, at: u32) {
        let (newer, older) = {
            let entry = self.index.entry(at);
            (entry.newer, entry.older)
        };
        match newer {
            NIL => self.newest = older,
            newer => self.index.entry_mut(newer).older = older,
        }
        match older {
            NIL => self.oldest = newer,
            older => self.index.entry_mut(older).newer = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let second = std::mem::replace(&mut self.newest, at);
        let entry = self.index.entry_mut(at);
        (entry.newer, entry.older) = (NIL, second);
        match second {
            NIL => self.oldest = at,
            second => self.index.entry_mut(second).newer = at,
        }
    }

    /// Items of lists that were removed and are still here.
    #[cfg(test)]
    pub(super) fn graves(&self) -> usize {
        self.graves.iter().map(List::len).sum()
    }

    /// Panics unless the invariants hold. For tests.
    pub(super) fn check(&self) {
        self.index.check();
        let (mut at, mut newer, mut count, mut bytes) = (self.newest, NIL, 0, 0);
        while at != NIL {
            let entry = self.index.entry(at);
            assert_eq!(entry.newer, newer);
            if let Some(list) = entry.list() {
                list.check();
                assert!(list.len() > 0, "an empty list was kept");
            }
            bytes += entry.bytes();
            count += 1;
            assert!(count <= self.index.len(), "the order of use has a loop");
            (newer, at) = (at, entry.older);
        }
        assert_eq!((newer, count), (self.oldest, self.index.len()));
        assert_eq!(bytes, self.used);
        assert!(self.used + u64::from(self.index.slots()) * TABLE_BYTES <= self.capacity);
    }
}

fn deadline(ttl: u64, now: u64) -> u64 {
    match ttl {
        0 => 0,
        ttl => now.saturating_add(ttl),
    }
}

/// A number to be added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
}

impl Amount {
    /// The sum: of integers an integer where there is one, a float otherwise.
    fn plus(self, by: Amount) -> Amount {
        if let (Amount::Integer(a), Amount::Integer(b)) = (self, by)
            && let Some(sum) = a.checked_add(b)
        {
            return Amount::Integer(sum);
        }
        Amount::Number(self.float() + by.float())
    }

    fn float(self) -> f64 {
        match self {
            Amount::Integer(n) => n as f64,
            Amount::Number(n) => n,
        }
    }

    fn stored(self) -> Stored {
        match self {
            Amount::Integer(n) => Stored::Integer(n),
            Amount::Number(n) => Stored::Number(n),
        }
    }
}
