//! Writes inside a transaction of the database.
//!
//! ```text
//!   data    space NUL key            -> record
//!   expiry  expires u64 space NUL key -> ()      the time with its highest byte first, so that what expires first is first
//!   usage   space                    -> bytes
//!   meta    "format", "version"      -> u64
//! ```
//! **Invariant:** a record that expires is in `expiry` under just that time, and nothing else is there; `usage` is the sum over the records.
//! A write is refused before anything of it is done.

use super::space::{full_key, space_of};
use super::value::{self, Head};
use super::{CLEAR_AT_ONCE, Change, ENTRY_BYTES, KvError, KvValue, Op, Outcome, When};
use redb::{Error, ReadableTable, Table, TableDefinition, WriteTransaction};
use std::collections::HashMap;

pub(super) const DATA: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("data");
const EXPIRY: TableDefinition<'_, &[u8], ()> = TableDefinition::new("expiry");
const USAGE: TableDefinition<'_, &str, u64> = TableDefinition::new("usage");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The format of what is in the tables.
const FORMAT: u64 = 1;

/// Expired records that are removed in one go to make room in a space.
const ROOM: usize = 4096;

/// The tables of a transaction.
pub(super) struct Batch<'t> {
    data: Table<'t, &'static [u8], &'static [u8]>,
    expiry: Table<'t, &'static [u8], ()>,
    usage: Table<'t, &'static str, u64>,
    meta: Table<'t, &'static str, u64>,
    used: HashMap<Box<str>, u64>,
    version: u64,
    now: u64,
    is_changed: bool,
}

/// What is known of the record that a key has.
#[derive(Clone, Copy)]
struct Old {
    head: Head,
    bytes: u64,
}

type Checked<T> = Result<Result<T, KvError>, Error>;

/// The error of bytes that this program has not written.
pub(super) fn corrupt() -> Error {
    Error::Corrupted("a record is not what was written".into())
}

fn expiry_key(expires: u64, full: &[u8]) -> Vec<u8> {
    [&expires.to_be_bytes()[..], full].concat()
}

fn deadline(ttl_ms: u64, now: u64) -> u64 {
    match ttl_ms {
        0 => 0,
        ttl => now.saturating_add(ttl),
    }
}

fn cost(full: &[u8], space: &str, value_bytes: usize) -> u64 {
    (full.len() - (space.len() + 1).min(full.len()) + value_bytes) as u64 + ENTRY_BYTES
}

impl<'t> Batch<'t> {
    /// The tables of a database, made if they are not there. The error is that of another format.
    pub fn open(transaction: &'t WriteTransaction, now: u64) -> Result<Batch<'t>, Error> {
        let meta = transaction.open_table(META)?;
        let format = meta.get("format")?.map(|format| format.value());
        if format.is_some_and(|format| format != FORMAT) {
            return Err(Error::UpgradeRequired(0));
        }
        let version = meta.get("version")?.map_or(0, |version| version.value());
        Ok(Batch {
            data: transaction.open_table(DATA)?,
            expiry: transaction.open_table(EXPIRY)?,
            usage: transaction.open_table(USAGE)?,
            meta,
            used: HashMap::new(),
            version: version + 1,
            now,
            is_changed: false,
        })
    }

    /// Writes what is kept until the end; whether there is anything to commit.
    pub fn finish(mut self) -> Result<bool, Error> {
        if !self.is_changed {
            return Ok(false);
        }
        self.meta.insert("format", FORMAT)?;
        self.meta.insert("version", self.version)?;
        for (space, used) in &self.used {
            match used {
                0 => drop(self.usage.remove(&**space)?),
                used => drop(self.usage.insert(&**space, used)?),
            }
        }
        Ok(true)
    }

    /// When the next record expires, or has.
    pub fn next_expiry(&self) -> Result<Option<u64>, Error> {
        let first = self.expiry.first()?;
        Ok(first.and_then(|(key, _)| split_expiry(key.value()).map(|(expires, _)| expires)))
    }

    /// Does a write, or says why not.
    pub fn apply(&mut self, space: &str, quota: u64, op: &Op) -> Checked<Outcome> {
        match op {
            Op::Put {
                key,
                value,
                ttl_ms,
                when,
            } => {
                let full = full_key(space, key);
                let old = self.live(&full)?;
                if let When::Equals(expected) = when
                    && !self.is_value(&full, old, expected.as_ref())?
                {
                    return Ok(Ok(Outcome::Not));
                }
                if value.is_none() && old.is_none() {
                    // `cas` from nothing to nothing has done what it was asked.
                    let done = matches!(when, When::Equals(_));
                    return Ok(Ok(if done { Outcome::Done } else { Outcome::Not }));
                }
                let change = [(&full[..], value.as_ref(), deadline(*ttl_ms, self.now))];
                Ok(self.write(space, quota, &change)?.map(|()| Outcome::Done))
            }
            Op::Incr {
                key,
                by,
                initial,
                ttl_ms,
            } => {
                let full = full_key(space, key);
                let (base, expires) = match self.live(&full)? {
                    None => (Some(initial.clone()), deadline(*ttl_ms, self.now)),
                    Some(old) => (self.number(&full)?, old.head.expires),
                };
                let sum = base
                    .ok_or(KvError::NotANumber)
                    .and_then(|base| base.plus(by));
                let sum = match sum {
                    Ok(sum) => sum,
                    Err(error) => return Ok(Err(error)),
                };
                let written = self.write(space, quota, &[(&full, Some(&sum), expires)])?;
                Ok(written.map(|()| Outcome::Number(sum)))
            }
            Op::Clear => {
                let removed = self.remove_first(space, CLEAR_AT_ONCE)?;
                let number = i64::try_from(removed).unwrap_or(i64::MAX);
                Ok(Ok(Outcome::Number(KvValue::Integer(number))))
            }
            Op::Apply { reads, changes } => {
                for (key, version) in reads {
                    let old = self.live(&full_key(space, key))?;
                    if old.map_or(0, |old| old.head.version) != *version {
                        return Ok(Ok(Outcome::Conflict));
                    }
                }
                self.change_all(space, quota, changes)
            }
        }
    }

    fn change_all(&mut self, space: &str, quota: u64, changes: &[Change]) -> Checked<Outcome> {
        let mut keys = Vec::with_capacity(changes.len());
        for change in changes {
            let full = full_key(space, &change.key);
            let expires = match change.ttl_ms {
                Some(ttl) => deadline(ttl, self.now),
                None => self.live(&full)?.map_or(0, |old| old.head.expires),
            };
            keys.push((full, expires));
        }
        let all: Vec<_> = (keys.iter().zip(changes))
            .map(|((full, expires), change)| (&full[..], change.value.as_ref(), *expires))
            .collect();
        Ok(self.write(space, quota, &all)?.map(|()| Outcome::Done))
    }

    /// Removes up to `max` records that have expired; how many.
    pub fn remove_expired(&mut self, max: usize) -> Result<usize, Error> {
        let mut gone = Vec::new();
        for entry in self.expiry.iter()?.take(max) {
            let (key, _) = entry?;
            let (expires, full) = split_expiry(key.value()).ok_or_else(corrupt)?;
            if expires > self.now {
                break;
            }
            gone.push(full.to_vec());
        }
        for full in &gone {
            let space = space_of(full).ok_or_else(corrupt)?;
            self.write_one(space, full, None, 0)?;
        }
        Ok(gone.len())
    }

    /// Removes up to `max` records of a space; how many.
    fn remove_first(&mut self, space: &str, max: usize) -> Result<usize, Error> {
        let begin = full_key(space, b"");
        let mut gone = Vec::new();
        for entry in self.data.range(&begin[..]..)?.take(max) {
            let (key, _) = entry?;
            if !key.value().starts_with(&begin) {
                break;
            }
            gone.push(key.value().to_vec());
        }
        for full in &gone {
            self.write_one(space, full, None, 0)?;
        }
        Ok(gone.len())
    }

    // ---- one record ----

    fn old(&self, full: &[u8]) -> Result<Option<Old>, Error> {
        let Some(record) = self.data.get(full)? else {
            return Ok(None);
        };
        let (head, value) = value::split(record.value()).ok_or_else(corrupt)?;
        let bytes = value.len() as u64;
        Ok(Some(Old { head, bytes }))
    }

    /// The record of a key, unless it has expired.
    fn live(&self, full: &[u8]) -> Result<Option<Old>, Error> {
        Ok((self.old(full)?).filter(|old| !old.head.is_expired(self.now)))
    }

    fn value(&self, full: &[u8]) -> Result<Option<KvValue>, Error> {
        let Some(record) = self.data.get(full)? else {
            return Ok(None);
        };
        let (_, bytes) = value::split(record.value()).ok_or_else(corrupt)?;
        value::decode(bytes).map(Some).ok_or_else(corrupt)
    }

    fn number(&self, full: &[u8]) -> Result<Option<KvValue>, Error> {
        let value = self.value(full)?;
        Ok(value.filter(|value| matches!(value, KvValue::Integer(_) | KvValue::Number(_))))
    }

    /// Whether a key has just this value, or none.
    fn is_value(
        &self,
        full: &[u8],
        old: Option<Old>,
        expected: Option<&KvValue>,
    ) -> Result<bool, Error> {
        let (Some(_), Some(expected)) = (old, expected) else {
            return Ok(old.is_none() && expected.is_none());
        };
        Ok((self.value(full)?).is_some_and(|value| value.equals(expected)))
    }

    fn used(&mut self, space: &str) -> Result<u64, Error> {
        if let Some(used) = self.used.get(space) {
            return Ok(*used);
        }
        let used = self.usage.get(space)?.map_or(0, |used| used.value());
        self.used.insert(space.into(), used);
        Ok(used)
    }

    /// What the space would use after these writes, and what it uses now.
    fn sums(
        &mut self,
        space: &str,
        changes: &[(&[u8], Option<&KvValue>, u64)],
    ) -> Result<(u64, u64), Error> {
        let used = self.used(space)?;
        let (mut less, mut more) = (0u64, 0u64);
        for (full, value, _) in changes {
            if let Some(old) = self.old(full)? {
                less += cost(full, space, old.bytes as usize);
            }
            more += value.map_or(0, |value| cost(full, space, value.len()));
        }
        Ok(((used + more).saturating_sub(less), used))
    }

    /// Writes all of these, unless the space would be too large. A space whose quota has become smaller may still shrink.
    fn write(
        &mut self,
        space: &str,
        quota: u64,
        changes: &[(&[u8], Option<&KvValue>, u64)],
    ) -> Checked<()> {
        let is_too_large = |(after, before): (u64, u64)| after > quota && after > before;
        if is_too_large(self.sums(space, changes)?) {
            self.remove_expired(ROOM)?;
            if is_too_large(self.sums(space, changes)?) {
                return Ok(Err(KvError::Quota));
            }
        }
        for (full, value, expires) in changes {
            self.write_one(space, full, *value, *expires)?;
        }
        Ok(Ok(()))
    }

    fn write_one(
        &mut self,
        space: &str,
        full: &[u8],
        value: Option<&KvValue>,
        expires: u64,
    ) -> Result<(), Error> {
        let old = self.old(full)?;
        let mut used = self.used(space)?;
        self.is_changed |= old.is_some() || value.is_some();
        if let Some(old) = old {
            used = used.saturating_sub(cost(full, space, old.bytes as usize));
            if old.head.expires != 0 {
                self.expiry
                    .remove(&expiry_key(old.head.expires, full)[..])?;
            }
        }
        match value {
            None => drop(self.data.remove(full)?),
            Some(value) => {
                used += cost(full, space, value.len());
                let head = Head {
                    version: self.version,
                    expires,
                };
                self.data.insert(full, &value::encode(head, value)[..])?;
                if expires != 0 {
                    self.expiry.insert(&expiry_key(expires, full)[..], ())?;
                }
            }
        }
        self.used.insert(space.into(), used);
        Ok(())
    }

    /// Panics unless the invariants hold. Walks everything.
    #[cfg(test)]
    pub fn check(&self) {
        let mut used: HashMap<String, u64> = HashMap::new();
        let mut expiring = 0;
        for entry in self.data.iter().unwrap() {
            let (key, record) = entry.unwrap();
            let (head, bytes) = value::split(record.value()).unwrap();
            assert!(value::decode(bytes).is_some() && head.version < self.version);
            let space = space_of(key.value()).unwrap();
            *used.entry(space.into()).or_default() += cost(key.value(), space, bytes.len());
            if head.expires != 0 {
                expiring += 1;
                let at = expiry_key(head.expires, key.value());
                assert!(self.expiry.get(&at[..]).unwrap().is_some());
            }
        }
        assert_eq!(self.expiry.iter().unwrap().count(), expiring);
        let mut stored = HashMap::new();
        for entry in self.usage.iter().unwrap() {
            let (space, bytes) = entry.unwrap();
            stored.insert(space.value().to_owned(), bytes.value());
        }
        assert_eq!(stored, used);
    }
}

fn split_expiry(key: &[u8]) -> Option<(u64, &[u8])> {
    let (expires, full) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*expires), full))
}
