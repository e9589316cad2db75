//! Connections that are kept open for the next who asks.
//!
//! ```text
//!                    +--idle--+ take (the one used last)
//!   put ---------->  |        | ------------------------> who asks
//!                    +--------+                              ^
//!                       | too many, too old, ended           | or a slot, to connect with: at once, or,
//!                       v                                    | in a pool with a backlog, when one is free
//!                     closed                               waiting
//! ```
//!
//! **Invariants.** `connections` of a pool is the number of its [`Slot`]s, its idle connections included; a pool with none, for which nobody waits, is forgotten.
//! Of a pool with a backlog there are never more than its size. A connection that is handed out was quiet at that moment. Those that wait are
//! served in their order.

use super::timed::timed;
use super::{NetError, Stream};
use crate::recent;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The longest name of a pool, in bytes.
pub const MAX_NAME: usize = 1024;
/// How often idle connections are looked at: one that its peer has closed, or whose time is over, is closed then.
const SWEEP: Duration = Duration::from_secs(1);

/// The pools of a VM.
pub struct Pools {
    this: Weak<Pools>,
    pools: RefCell<HashMap<Rc<[u8]>, Rc<Pool>>>,
    /// Counts what becomes idle, to know what has been so longest.
    clock: Cell<u64>,
    swept: Cell<bool>,
}

/// A pool.
pub struct Pool {
    name: Rc<[u8]>,
    size: usize,
    backlog: Option<usize>,
    pools: Weak<Pools>,
    connections: Cell<usize>,
    /// The one used last at the front.
    idle: RefCell<VecDeque<Idle>>,
    waiting: RefCell<VecDeque<Rc<Waiter>>>,
    is_serving: Cell<bool>,
}

struct Idle {
    stream: Rc<Stream>,
    reused: u64,
    until: Option<Instant>,
    since: u64,
}

impl Idle {
    fn is_good(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until) && self.stream.is_quiet()
    }
}

/// One of a pool's connections, whether it exists yet or not.
pub struct Slot(Option<Rc<Pool>>);

/// What a pool gives.
pub enum Acquired {
    /// A connection, and how often it has been used again.
    Connection(Rc<Stream>, u64, Slot),
    /// Leave to make one.
    Slot(Slot),
}

#[derive(Default)]
struct Waiter {
    grant: RefCell<Option<Acquired>>,
    waker: RefCell<Option<Waker>>,
}

impl Pools {
    /// None yet.
    pub fn new() -> Rc<Pools> {
        Rc::new_cyclic(|this| Pools {
            this: this.clone(),
            pools: RefCell::default(),
            clock: Cell::new(0),
            swept: Cell::new(false),
        })
    }

    /// The pool of this name, if there is one.
    pub fn find(&self, name: &[u8]) -> Option<Rc<Pool>> {
        self.pools.borrow().get(name).cloned()
    }

    /// The pool of this name; a new one keeps at most `size` idle connections, and with a backlog has at most `size` at all.
    pub fn open(&self, name: &[u8], size: usize, backlog: Option<usize>) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        if let Some(pool) = pools.get(name) {
            return pool.clone();
        }
        let name: Rc<[u8]> = name.into();
        let pool = Rc::new(Pool {
            name: name.clone(),
            size: size.max(1),
            backlog,
            pools: self.this.clone(),
            connections: Cell::new(0),
            idle: RefCell::default(),
            waiting: RefCell::default(),
            is_serving: Cell::new(false),
        });
        pools.insert(name, pool.clone());
        pool
    }

    /// Keeps a quiet connection for `keepalive`, or for as long as it lasts, in the pool of this name, which is made with `size` if it does not exist.
    pub fn put(
        &self,
        name: &[u8],
        (stream, reused, slot): (Rc<Stream>, u64, Option<Slot>),
        keepalive: Option<Duration>,
        size: usize,
    ) {
        let pool = match slot.and_then(Slot::into_pool) {
            // A pool that has connections is the one of its name.
            Some(counted) if *counted.name == *name => counted,
            other => {
                // It was no connection of this pool.
                let pool = self.open(name, size, None);
                drop(Slot(other));
                pool.connections.set(pool.connections.get() + 1);
                pool
            }
        };
        if pool.idle.borrow().len() >= pool.size {
            pool.close_oldest();
        }
        self.clock.set(self.clock.get() + 1);
        pool.idle.borrow_mut().push_front(Idle {
            stream,
            reused,
            until: keepalive.and_then(|keepalive| recent::now().checked_add(keepalive)),
            since: self.clock.get(),
        });
        pool.serve();
        self.watch();
    }

    /// How many connections are idle.
    pub fn idle(&self) -> usize {
        let pools = self.pools.borrow();
        pools.values().map(|pool| pool.idle.borrow().len()).sum()
    }

    /// Closes the connection that has been idle longest; false if there is none.
    pub fn evict(&self) -> bool {
        let oldest = {
            let pools = self.pools.borrow();
            (pools.values())
                .filter_map(|pool| Some((pool.idle.borrow().back()?.since, pool)))
                .min_by_key(|(since, _)| *since)
                .map(|(_, pool)| pool.clone())
        };
        oldest.is_some_and(|pool| pool.close_oldest())
    }

    /// Sees to it that idle connections are looked at, for as long as there are any.
    fn watch(&self) {
        if self.swept.replace(true) {
            return;
        }
        let this = self.this.clone();
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(pools) = this.upgrade() else { return };
                pools.sweep();
                if pools.idle() == 0 {
                    pools.swept.set(false);
                    return;
                }
            }
        });
    }

    /// Closes what has ended or is too old.
    fn sweep(&self) {
        let pools: Vec<Rc<Pool>> = self.pools.borrow().values().cloned().collect();
        let now = Instant::now();
        for pool in pools {
            let count = pool.idle.borrow().len();
            let (good, bad): (VecDeque<Idle>, VecDeque<Idle>) =
                (pool.idle.take().into_iter()).partition(|idle| idle.is_good(now));
            *pool.idle.borrow_mut() = good;
            debug_assert!(pool.idle.borrow().len() + bad.len() == count);
            for idle in bad {
                pool.close(idle);
            }
        }
    }
}

impl Pool {
    /// A connection, or leave to make one. In a pool with a backlog that may take up to `limit`.
    pub async fn acquire(self: &Rc<Self>, limit: Duration) -> Result<Acquired, NetError> {
        if let Some((stream, reused, slot)) = self.take() {
            return Ok(Acquired::Connection(stream, reused, slot));
        }
        let Some(backlog) = self.backlog else {
            return Ok(self.one_more());
        };
        if self.connections.get() < self.size {
            return Ok(self.one_more());
        }
        if self.waiting.borrow().len() >= backlog {
            return Err(NetError::TooManyWaiting);
        }
        let waiting = Waiting {
            pool: self,
            waiter: Rc::default(),
        };
        self.waiting.borrow_mut().push_back(waiting.waiter.clone());
        timed(limit, poll_fn(|cx| waiting.poll(cx))).await
    }

    fn one_more(self: &Rc<Self>) -> Acquired {
        self.connections.set(self.connections.get() + 1);
        Acquired::Slot(Slot(Some(self.clone())))
    }

    /// Its name.
    pub fn name(&self) -> &Rc<[u8]> {
        &self.name
    }

    /// An idle connection that is good, and how often it has been used again.
    pub fn take(self: &Rc<Self>) -> Option<(Rc<Stream>, u64, Slot)> {
        let mut now = None;
        loop {
            let idle = self.idle.borrow_mut().pop_front()?;
            if idle.is_good(*now.get_or_insert_with(recent::now)) {
                return Some((idle.stream, idle.reused + 1, Slot(Some(self.clone()))));
            }
            self.close(idle);
        }
    }

    /// Gives those who wait what there is.
    fn serve(self: &Rc<Self>) {
        if self.is_serving.replace(true) {
            return;
        }
        while !self.waiting.borrow().is_empty() {
            let grant = match self.take() {
                Some((stream, reused, slot)) => Acquired::Connection(stream, reused, slot),
                None if self.connections.get() < self.size => self.one_more(),
                None => break,
            };
            let waiter = self.waiting.borrow_mut().pop_front();
            if let Some(waiter) = waiter {
                *waiter.grant.borrow_mut() = Some(grant);
                let waker = waiter.waker.borrow_mut().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        self.is_serving.set(false);
    }

    fn close_oldest(self: &Rc<Self>) -> bool {
        let oldest = self.idle.borrow_mut().pop_back();
        match oldest {
            Some(idle) => {
                self.close(idle);
                true
            }
            None => false,
        }
    }

    /// Closes a connection that was idle.
    fn close(self: &Rc<Self>, idle: Idle) {
        idle.stream.close();
        drop(Slot(Some(self.clone())));
    }

    /// One connection less.
    fn leave(self: &Rc<Self>) {
        self.connections.set(self.connections.get() - 1);
        self.serve();
        if self.connections.get() == 0
            && self.waiting.borrow().is_empty()
            && let Some(pools) = self.pools.upgrade()
        {
            let mut pools = pools.pools.borrow_mut();
            if pools
                .get(&self.name)
                .is_some_and(|pool| Rc::ptr_eq(pool, self))
            {
                pools.remove(&self.name);
            }
        }
    }
}

impl Slot {
    /// The name of the pool.
    pub fn pool_name(&self) -> Option<Rc<[u8]>> {
        self.0.as_ref().map(|pool| pool.name.clone())
    }

    /// The pool, with the connection still counted there.
    fn into_pool(mut self) -> Option<Rc<Pool>> {
        self.0.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.leave();
        }
    }
}

/// Somebody in the queue, which is left when this is dropped.
struct Waiting<'a> {
    pool: &'a Rc<Pool>,
    waiter: Rc<Waiter>,
}

impl Waiting<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Acquired> {
        if let Some(grant) = self.waiter.grant.borrow_mut().take() {
            return Poll::Ready(grant);
        }
        *self.waiter.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        (self.pool.waiting.borrow_mut()).retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        // What was granted and not taken.
        let grant = self.waiter.grant.borrow_mut().take();
        match grant {
            Some(Acquired::Connection(stream, ..)) => stream.close(),
            Some(Acquired::Slot(_)) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connect::Target;
    use crate::net::testing::run;
    use crate::net::{Net, Outbound};
    use tokio::net::{TcpListener, TcpStream};

    const LONG: Duration = Duration::from_secs(60);

    /// Accepts and keeps.
    async fn server() -> (Target, Rc<RefCell<Vec<TcpStream>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept: Rc<RefCell<Vec<TcpStream>>> = Rc::default();
        let keeping = kept.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                keeping.borrow_mut().push(stream);
            }
        });
        (Target::Tcp("127.0.0.1".to_owned(), port), kept)
    }

    async fn stream(net: &Net, target: &Target) -> Rc<Stream> {
        Rc::new(net.connect(target, None, LONG).await.unwrap())
    }

    fn put(net: &Net, name: &[u8], stream: Rc<Stream>) {
        net.pools().put(name, (stream, 0, None), Some(LONG), 10);
    }

    #[test]
    fn what_has_been_idle_longest_makes_room() {
        run(async {
            let net = Net::new(3, 1 << 20, Outbound::any());
            let (target, _kept) = server().await;
            let (a, b, c) = (
                stream(&net, &target).await,
                stream(&net, &target).await,
                stream(&net, &target).await,
            );
            put(&net, b"b", b.clone());
            put(&net, b"a", a.clone());
            put(&net, b"b", c.clone());
            assert_eq!((net.pools().idle(), net.sockets().open()), (3, 3));
            let _d = stream(&net, &target).await;
            assert!(!b.is_open() && a.is_open() && c.is_open());
            let _e = stream(&net, &target).await;
            assert!(!a.is_open() && net.pools().find(b"a").is_none());
            let _f = stream(&net, &target).await;
            assert!(net.connect(&target, None, LONG).await.is_err());
            assert_eq!(net.sockets().open(), 3);
        });
    }

    #[test]
    fn an_idle_connection_goes_when_its_peer_does_or_its_time_is_over() {
        run(async {
            let net = Net::new(3, 1 << 20, Outbound::any());
            let (target, kept) = server().await;
            put(&net, b"x", stream(&net, &target).await);
            while kept.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            kept.borrow_mut().clear();
            let short = Some(Duration::from_millis(1));
            let other = stream(&net, &target).await;
            net.pools().put(b"y", (other, 0, None), short, 10);
            put(&net, b"z", stream(&net, &target).await);
            let mut turns = 0;
            while net.pools().idle() > 1 {
                turns += 1;
                assert!(turns < 1000);
                tokio::time::sleep(SWEEP / 10).await;
            }
            assert_eq!(net.sockets().open(), 1);
            assert!(net.pools().find(b"z").is_some() && net.pools().find(b"x").is_none());
        });
    }

    #[test]
    fn idle_connections_go_with_their_vm() {
        run(async {
            let net = Net::new(3, 1 << 20, Outbound::any());
            let (target, kept) = server().await;
            put(&net, b"x", stream(&net, &target).await);
            while kept.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            drop(net);
            let peer = kept.borrow_mut().pop().unwrap();
            peer.readable().await.unwrap();
            assert_eq!(peer.try_read(&mut [0]).unwrap(), 0);
        });
    }

    #[test]
    fn a_backlog_is_served_in_order_and_gaps_are_closed() {
        run(async {
            let net = Net::new(8, 1 << 20, Outbound::any());
            let pool = net.pools().open(b"p", 1, Some(2));
            let Ok(Acquired::Slot(held)) = pool.acquire(LONG).await else {
                panic!("the first has a slot");
            };
            let order: Rc<RefCell<Vec<u32>>> = Rc::default();
            let waits = |number: u32| {
                let (pool, order) = (pool.clone(), order.clone());
                tokio::task::spawn_local(async move {
                    let slot = pool.acquire(LONG).await;
                    order.borrow_mut().push(number);
                    slot.is_ok()
                })
            };
            let (first, second) = (waits(1), waits(2));
            tokio::task::yield_now().await;
            assert_eq!(
                pool.acquire(LONG).await.err(),
                Some(NetError::TooManyWaiting)
            );
            // One that gives up leaves the queue.
            first.abort();
            assert!(first.await.is_err());
            let third = waits(3);
            tokio::task::yield_now().await;
            drop(held);
            assert!(second.await.unwrap() && third.await.unwrap());
            assert_eq!(*order.borrow(), [2, 3]);
            assert_eq!(pool.connections.get(), 0);
            assert!(net.pools().find(b"p").is_none());
        });
    }
}
