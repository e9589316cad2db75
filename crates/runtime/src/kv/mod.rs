//! What an app keeps on the disk: one database for the process, a space of keys for each app.
//!
//! | file | what |
//! |---|---|
//! | this one | what is asked for and answered, limits and errors |
//! | `space` | [`Space`]: an app's part, as its VMs use it |
//! | `store` | [`Store`]: the database, the thread that writes, the threads that read |
//! | `batch`, `read` | what these do inside a transaction |
//! | `queue` | what waits for them |
//! | `value`, `disk` | bytes of records; the file |
//!
//! ```text
//!  VM --op--> queue of writes --many at once--> one transaction --fsync--> an answer to each
//!  VM --query--> queue of reads --> a snapshot of what is committed
//! ```
//! **Invariants.** A write is answered after it is on the disk, with all others of its batch, or none of them is. A read sees every write that
//! was answered before it was asked for. Keys of a space begin with its name and a NUL, which no name has, and only [`space::full_key`]
//! makes them, so no key reaches another space. `usage` of a space is the sum over its records of key, value and [`ENTRY_BYTES`], and it
//! grows to no more than the quota. What has expired is not there for anybody, whether or not it has been removed.
//!
//! **Bounds.** Writes that wait hold at most [`QUEUE_BYTES`] of a space, and [`READS`] answers of it are on their way; who wants more waits.
//! Spaces have their turns, so one that asks for much does not keep the others waiting. Nothing keeps a snapshot longer than one query:
//! a transaction of a script looks at the present each time it reads, remembers the versions, and is refused at the end unless they are
//! still the same. A snapshot held by a script that sleeps would keep the database from using again what others overwrite.

mod batch;
mod disk;
mod queue;
mod read;
mod space;
mod store;
#[cfg(test)]
mod tests;
mod value;

pub use disk::FILE;
pub use space::{Permit, Reply, Space};
pub use store::{Settings, Store};
pub use value::KvValue;

use std::fmt;
use std::sync::Arc;

/// What a record costs of the quota beside its key and value, in bytes: about what the database spends on it.
pub const ENTRY_BYTES: u64 = 64;
/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// The longest value, in bytes as it is stored.
pub const MAX_VALUE: usize = 1 << 20;
/// The most keys that a transaction reads or writes, each.
pub const MAX_TRANSACTION_KEYS: usize = 1000;
/// The most bytes of keys and values that a transaction writes.
pub const MAX_TRANSACTION_BYTES: usize = 4 << 20;
/// The most records that a [`Op::Clear`] removes: a commit is not to keep others waiting.
pub const CLEAR_AT_ONCE: usize = 4096;
/// The most records in a page of a list.
pub const MAX_PAGE: usize = 1000;
/// A page of a list ends when it has so many bytes.
pub const MAX_PAGE_BYTES: usize = 1 << 20;
/// Bytes of writes of one space that may wait.
pub const QUEUE_BYTES: usize = 8 << 20;
/// Answers to one space that may be on their way.
pub const READS: usize = 16;

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Stores a value if the key's is as expected.
    Put {
        /// Where.
        key: Box<[u8]>,
        /// What; `None` removes.
        value: Option<KvValue>,
        /// Milliseconds; 0: for ever.
        ttl_ms: u64,
        /// Only then.
        when: When,
    },
    /// Adds to a number. A key without a value starts from `initial`, for `ttl_ms`; the others keep their time.
    Incr {
        /// Where.
        key: Box<[u8]>,
        /// How much.
        by: KvValue,
        /// From where.
        initial: KvValue,
        /// Milliseconds; 0: for ever.
        ttl_ms: u64,
    },
    /// Removes up to [`CLEAR_AT_ONCE`] records of the space, whatever they are; the number of those that were there. No script asks for it.
    Clear,
    /// All of the changes, if the versions of these keys are still the same.
    Apply {
        /// Keys with the versions that were read; 0: without a value.
        reads: Vec<(Box<[u8]>, u64)>,
        /// What is to be written; each key once.
        changes: Vec<Change>,
    },
}

/// When a value is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Always.
    Always,
    /// If the key has this value, or has none.
    Equals(Option<KvValue>),
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where.
    pub key: Box<[u8]>,
    /// What; `None` removes.
    pub value: Option<KvValue>,
    /// Milliseconds, 0 is for ever; `None`: the time of the value that is there.
    pub ttl_ms: Option<u64>,
}

/// What came of a write that was not refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// There was nothing to do: the condition does not hold, or there is nothing to remove.
    Not,
    /// The new number.
    Number(KvValue),
    /// Something that was read has changed.
    Conflict,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The record of a key.
    Get(Box<[u8]>),
    /// A page of records in the order of their keys.
    List {
        /// What the keys begin with.
        prefix: Box<[u8]>,
        /// They come after this key.
        after: Option<Box<[u8]>>,
        /// The most records, up to [`MAX_PAGE`].
        limit: usize,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// There is no such record.
    Nothing,
    /// The record.
    Record(Record),
    /// Keys and values, and after which key the next page begins, if there is one.
    Page(Vec<(Box<[u8]>, KvValue)>, Option<Box<[u8]>>),
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The value.
    pub value: KvValue,
    /// Which commit wrote it; never 0.
    pub version: u64,
    /// Milliseconds until it expires; `None`: never.
    pub left_ms: Option<u64>,
}

/// Why something was refused. The texts are what scripts get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvError {
    /// It would exceed the app's `kv` limit.
    Quota,
    /// The key has no bytes.
    EmptyKey,
    /// The key is longer than [`MAX_KEY`].
    KeyTooLong,
    /// The value is longer than [`MAX_VALUE`].
    ValueTooLong,
    /// The transaction is beyond [`MAX_TRANSACTION_KEYS`] or [`MAX_TRANSACTION_BYTES`].
    TooLarge,
    /// `incr` of what is no number.
    NotANumber,
    /// `incr` past the range of an integer.
    Overflow,
    /// There is no state folder here.
    NoStore,
    /// The server is stopping.
    Closed,
    /// The database does not work.
    Storage(Arc<str>),
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KvError::Quota => "quota",
            KvError::EmptyKey => "empty key",
            KvError::KeyTooLong => "key too long",
            KvError::ValueTooLong => "value too long",
            KvError::TooLarge => "transaction too large",
            KvError::NotANumber => "not a number",
            KvError::Overflow => "integer overflow",
            KvError::NoStore => "no state folder",
            KvError::Closed => "closed",
            KvError::Storage(why) => return write!(f, "storage: {why}"),
        })
    }
}

impl std::error::Error for KvError {}

/// Whether these bytes can be a key.
pub fn check_key(key: &[u8]) -> Result<(), KvError> {
    match key.len() {
        0 => Err(KvError::EmptyKey),
        1..=MAX_KEY => Ok(()),
        _ => Err(KvError::KeyTooLong),
    }
}

fn check_value(value: Option<&KvValue>) -> Result<(), KvError> {
    match value.map_or(0, KvValue::len) > MAX_VALUE {
        true => Err(KvError::ValueTooLong),
        false => Ok(()),
    }
}

impl Op {
    /// Whether everything in it is within the limits.
    fn check(&self) -> Result<(), KvError> {
        match self {
            Op::Put { key, value, .. } => check_key(key).and_then(|()| check_value(value.as_ref())),
            Op::Incr { key, .. } => check_key(key),
            Op::Clear => Ok(()),
            Op::Apply { reads, changes } => {
                if reads.len().max(changes.len()) > MAX_TRANSACTION_KEYS
                    || changes.iter().map(Change::bytes).sum::<usize>() > MAX_TRANSACTION_BYTES
                {
                    return Err(KvError::TooLarge);
                }
                for change in changes {
                    check_key(&change.key)?;
                    check_value(change.value.as_ref())?;
                }
                reads.iter().try_for_each(|(key, _)| check_key(key))
            }
        }
    }
}

impl Change {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, KvValue::len)
    }
}
