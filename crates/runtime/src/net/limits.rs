//! How many sockets a VM has open, and how many bytes it has received that are not yet its own.
//!
//! **Invariant:** what a permit or a [`Held`] stands for is counted from before it exists until the guard is dropped; the counts never
//! exceed their limits.

use super::NetError;
use std::cell::Cell;
use std::rc::Rc;

/// Counts open sockets.
pub struct SocketLimit {
    limit: usize,
    open: Cell<usize>,
}

/// One open socket.
pub struct SocketPermit(Rc<SocketLimit>);

impl SocketLimit {
    /// At most so many.
    pub fn new(limit: usize) -> Rc<SocketLimit> {
        Rc::new(SocketLimit {
            limit,
            open: Cell::new(0),
        })
    }

    /// One more, unless there are too many.
    pub fn permit(self: &Rc<Self>) -> Result<SocketPermit, NetError> {
        if self.open.get() >= self.limit {
            return Err(NetError::TooManySockets(self.limit));
        }
        self.open.set(self.open.get() + 1);
        Ok(SocketPermit(self.clone()))
    }

    /// Whether there can be no more.
    pub fn is_full(&self) -> bool {
        self.open.get() >= self.limit
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.get()
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Counts bytes.
pub struct MemoryLimit {
    limit: usize,
    used: Cell<usize>,
}

/// Bytes that are held; none at first.
pub struct Held {
    limit: Rc<MemoryLimit>,
    bytes: usize,
}

impl MemoryLimit {
    /// At most so many bytes.
    pub fn new(limit: usize) -> Rc<MemoryLimit> {
        Rc::new(MemoryLimit {
            limit,
            used: Cell::new(0),
        })
    }

    /// The most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are held.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Somebody who holds nothing yet.
    pub fn hold(self: &Rc<Self>) -> Held {
        Held {
            limit: self.clone(),
            bytes: 0,
        }
    }
}

impl Held {
    /// How many more there may be.
    pub fn room(&self) -> usize {
        self.limit.limit - self.limit.used.get()
    }

    /// So many bytes more.
    pub fn grow(&mut self, more: usize) -> Result<(), NetError> {
        let used = self.limit.used.get().checked_add(more);
        match used.filter(|used| *used <= self.limit.limit) {
            Some(used) => {
                self.limit.used.set(used);
                self.bytes += more;
                Ok(())
            }
            None => Err(NetError::TooMuchData(self.limit.limit)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.limit.used.set(self.limit.used.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back() {
        let limit = SocketLimit::new(2);
        let first = limit.permit().unwrap();
        let _second = limit.permit().unwrap();
        assert_eq!(limit.permit().err(), Some(NetError::TooManySockets(2)));
        drop(first);
        assert_eq!(limit.open(), 1);
        assert!(limit.permit().is_ok());
    }

    #[test]
    fn bytes_are_refused_beyond_the_limit_and_come_back() {
        let limit = MemoryLimit::new(10);
        let (mut a, mut b) = (limit.hold(), limit.hold());
        a.grow(6).unwrap();
        assert_eq!(b.grow(5), Err(NetError::TooMuchData(10)));
        assert_eq!(b.grow(usize::MAX), Err(NetError::TooMuchData(10)));
        b.grow(4).unwrap();
        drop(a);
        assert_eq!(limit.used(), 4);
    }
}
