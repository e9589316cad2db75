//! Sockets: what scripts' sockets, the HTTP client and WebSockets stand on. Nothing here knows Lua.
//!
//! | file | what |
//! |---|---|
//! | this one | [`Net`]: what all sockets of a VM share |
//! | `error` | why something failed, in OpenResty's words |
//! | `limits` | how many sockets, and how many bytes they hold |
//! | `resolve` | names to addresses, by the system's rules |
//! | `connect` | addresses to streams |
//! | `outbound` | where an app may connect to |
//! | `stream` | [`Stream`]: a connection |
//! | `transport` | TCP or a unix socket, plain or TLS |
//! | `pattern` | what a read waits for; no I/O |
//! | `tls` | roots, client certificates, configurations |
//! | `pool` | connections kept for the next who asks |
//! | `chunked` | the chunked transfer coding of HTTP/1.1; no I/O |
//! | `udp` | connected datagram sockets |
//! | `websocket` | frames of WebSocket |
//! | `timed` | time limits that cost nothing unless something waits |
//!
//! **Invariants.** Everything here stays on one thread, its worker's. Each open socket holds a [`SocketPermit`] from before it is opened until it
//! is closed, so a VM has at most `limits.sockets` of them, idle ones included (they go first). What is received is
//! charged to the VM's [`MemoryLimit`] before room is made for it. Whoever drops a future that waits here leaves nothing behind.
//!
//! ```text
//!  Net::connect --resolve--> Address --connect--> Stream --handshake--> Stream (TLS)
//!                                                   |  ^
//!                                    Pools::put     v  |  Pools::take
//!                                                 (idle)
//! ```
//!
//! ```no_run
//! use rille_runtime::net::pattern::Until;
//! use rille_runtime::net::{Net, NetError, Pattern, Received, Target, tls};
//! use std::time::Duration;
//!
//! async fn head(net: &Net) -> Result<Vec<u8>, NetError> {
//!     let limit = Duration::from_secs(10);
//!     let target = Target::Tcp("example.com".to_owned(), 443);
//!     let stream = net.connect(&target, None, limit).await?;
//!     let options = tls::Options {
//!         server_name: Some("example.com".to_owned()),
//!         ..tls::Options::default()
//!     };
//!     stream.handshake(net.tls(), &options, limit).await?;
//!     stream.write_all(b"HEAD / HTTP/1.0\r\nHost: example.com\r\n\r\n", limit).await?;
//!     let end = Until::new(b"\r\n\r\n", true).ok_or(NetError::Closed)?;
//!     let mut head = Received::new(net.memory());
//!     stream.read(&mut Pattern::until(end), &mut head, limit).await?;
//!     Ok(head.bytes().to_vec())
//! }
//! ```

pub mod chunked;
pub mod connect;
pub mod error;
pub mod limits;
pub mod outbound;
pub mod pattern;
pub mod pool;
pub mod resolve;
pub mod stream;
pub mod timed;
pub mod tls;
mod transport;
pub mod udp;
pub mod websocket;

pub use connect::Target;
pub use error::NetError;
pub use limits::{Held, MemoryLimit, SocketLimit, SocketPermit};
pub use outbound::Outbound;
pub use pattern::Pattern;
pub use pool::Pools;
pub use resolve::Resolver;
pub use stream::{Io, Received, Stream};
pub use transport::{Duplex, Plain};

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What all sockets of a VM share.
pub struct Net {
    resolver: Rc<Resolver>,
    outbound: Arc<Outbound>,
    sockets: Rc<SocketLimit>,
    memory: Rc<MemoryLimit>,
    pools: Rc<Pools>,
    tls: tls::Configs,
}

impl Net {
    /// At most `sockets` open at a time, with at most `memory` bytes received and not yet handed on, to where `outbound` allows.
    pub fn new(sockets: usize, memory: usize, outbound: Arc<Outbound>) -> Rc<Net> {
        Rc::new(Net {
            resolver: worker_resolver(),
            outbound,
            sockets: SocketLimit::new(sockets),
            memory: MemoryLimit::new(memory),
            pools: Pools::new(),
            tls: tls::Configs::default(),
        })
    }

    /// Leave to open a socket: the connection that has been idle longest is closed if there is no other way.
    pub fn permit(&self) -> Result<SocketPermit, NetError> {
        loop {
            match self.sockets.permit() {
                Err(full) if !self.pools.evict() => return Err(full),
                Err(_) => {}
                permit => return permit,
            }
        }
    }

    /// How names become addresses.
    pub fn resolver(&self) -> &Rc<Resolver> {
        &self.resolver
    }

    /// Where it may connect to.
    pub fn outbound(&self) -> &Arc<Outbound> {
        &self.outbound
    }

    /// How many sockets are open.
    pub fn sockets(&self) -> &Rc<SocketLimit> {
        &self.sockets
    }

    /// How many bytes they hold.
    pub fn memory(&self) -> &Rc<MemoryLimit> {
        &self.memory
    }

    /// The idle connections.
    pub fn pools(&self) -> &Rc<Pools> {
        &self.pools
    }

    /// TLS configurations, with the sessions that can be resumed.
    pub fn tls(&self) -> &tls::Configs {
        &self.tls
    }
}

/// The resolver of this worker: names mean the same for all its VMs.
fn worker_resolver() -> Rc<Resolver> {
    thread_local! {
        static RESOLVER: RefCell<Option<Rc<Resolver>>> = const { RefCell::new(None) };
    }
    RESOLVER.with(|resolver| {
        (resolver.borrow_mut())
            .get_or_insert_with(Resolver::system)
            .clone()
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use std::future::Future;

    /// Runs a test that waits.
    pub fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .unwrap()
            .block_on(test);
    }
}
