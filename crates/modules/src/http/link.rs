//! A connection that one exchange of HTTP/1.1 uses.
//!
//! **Invariant:** a link is released to its pool once and on purpose; if it is dropped, its connection is closed, and whoever waits for a socket
//! is told.

use super::client::Shared;
use rille_runtime::net::pool::Slot;
use rille_runtime::net::{MemoryLimit, Stream};
use std::rc::Rc;
use std::time::Duration;

/// How connections are kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How many idle ones of a server.
    pub size: usize,
    /// For how long; none at all if that is zero.
    pub time: Duration,
}

/// A connection.
pub struct Link {
    shared: Rc<Shared>,
    stream: Rc<Stream>,
    pool: Vec<u8>,
    reused: u64,
    slot: Option<Slot>,
    keep: Keep,
    peer: String,
    is_released: bool,
}

impl Link {
    /// A connection to `peer`, from the pool or for it.
    pub fn new(
        shared: Rc<Shared>,
        (stream, reused, slot): (Rc<Stream>, u64, Option<Slot>),
        (pool, keep): (Vec<u8>, Keep),
        peer: String,
    ) -> Link {
        Link {
            shared,
            stream,
            pool,
            reused,
            slot,
            keep,
            peer,
            is_released: false,
        }
    }

    /// The connection itself.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Host and port, for messages.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether others have used it before.
    pub fn is_reused(&self) -> bool {
        self.reused > 0
    }

    /// What is received is charged here.
    pub fn memory(&self) -> &Rc<MemoryLimit> {
        self.shared.net.memory()
    }

    /// The next may use it.
    pub fn release(mut self) {
        if self.keep.time.is_zero() || !self.stream.is_quiet() {
            return;
        }
        self.is_released = true;
        self.shared.net.pools().put(
            &self.pool,
            (self.stream.clone(), self.reused, self.slot.take()),
            Some(self.keep.time),
            self.keep.size,
        );
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.is_released {
            self.stream.close();
            self.slot.take();
        }
        self.shared.freed.notify_one();
    }
}
