//! An app's part of the store.

use super::{FILE, Found, KvError, Op, Outcome, QUEUE_BYTES, Query, READS, Store};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// What a write takes of the queue's room beside its keys and values, in bytes.
const OP_BYTES: usize = 256;

/// The keys of one app. Its futures end when the store's threads have answered; one that is dropped leaves a write to go on.
pub struct Space {
    store: Arc<Store>,
    name: Arc<str>,
    quota: u64,
    room: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({} in {FILE})", self.name)
    }
}

/// Room in the queue for one write.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// An answer, which takes one of the space's places until it is dropped.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub found: Found,
    pub(super) _place: OwnedSemaphorePermit,
}

/// A write that waits for its turn.
pub(super) struct Write {
    pub space: Arc<str>,
    pub quota: u64,
    pub op: Op,
    pub answer: oneshot::Sender<Result<Outcome, KvError>>,
    pub permit: Permit,
}

/// A query that waits for its turn.
pub(super) struct Read {
    pub space: Arc<str>,
    pub query: Query,
    pub answer: oneshot::Sender<Result<Reply, KvError>>,
    pub place: OwnedSemaphorePermit,
}

/// A key as it is in the database.
pub(super) fn full_key(space: &str, key: &[u8]) -> Vec<u8> {
    [space.as_bytes(), b"\0", key].concat()
}

/// The space of a key of the database.
pub(super) fn space_of(full_key: &[u8]) -> Option<&str> {
    let end = memchr::memchr(0, full_key)?;
    std::str::from_utf8(full_key.get(..end)?).ok()
}

impl Space {
    /// The space of this name, which has no NUL, for at most `quota` bytes.
    pub(super) fn new(store: Arc<Store>, name: &str, quota: u64) -> Space {
        Space {
            store,
            name: name.replace('\0', "").into(),
            quota,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            reads: Arc::new(Semaphore::new(READS)),
        }
    }

    /// Waits for room for a write of so many bytes: ask before they are copied out of a VM.
    pub async fn room(&self, bytes: usize) -> Result<Permit, KvError> {
        let bytes = (bytes + OP_BYTES).min(QUEUE_BYTES);
        let count = u32::try_from(bytes).map_err(|_| KvError::TooLarge)?;
        let permit = self.room.clone().acquire_many_owned(count).await;
        let _permit = permit.map_err(|_| KvError::Closed)?;
        Ok(Permit { _permit })
    }

    /// Writes; the answer comes when it is on the disk.
    pub async fn write(&self, op: Op, permit: Permit) -> Result<Outcome, KvError> {
        op.check()?;
        let (answer, answered) = oneshot::channel();
        self.store.write(Write {
            space: self.name.clone(),
            quota: self.quota,
            op,
            answer,
            permit,
        })?;
        answered.await.unwrap_or_else(|_| Err(given_up()))
    }

    /// Asks.
    pub async fn read(&self, query: Query) -> Result<Reply, KvError> {
        if let Query::Get(key) = &query {
            super::check_key(key)?;
        }
        let place = self.reads.clone().acquire_owned().await;
        let (answer, answered) = oneshot::channel();
        self.store.read(Read {
            space: self.name.clone(),
            query,
            answer,
            place: place.map_err(|_| KvError::Closed)?,
        })?;
        answered.await.unwrap_or_else(|_| Err(given_up()))
    }
}

fn given_up() -> KvError {
    KvError::Storage("the database failed".into())
}
