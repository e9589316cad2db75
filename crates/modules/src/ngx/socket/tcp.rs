//! A TCP or unix stream socket: its connection, and who is using it.
//!
//! ```text
//!            connect              error of read ---> read_closed  \ both:
//!  closed ------------> open ----                                   ------> closed
//!    ^                   | |      error of write --> write_closed /
//!    +-------------------+ +--> setkeepalive: closed, and the connection in its pool
//!     close, a wait stopped
//! ```
//!
//! **Invariant:** at most one operation connects, one reads and one writes at a time, each of which holds a [`Busy`]; if that is dropped before
//! it was told of the end, the operation was stopped, and the connection is closed.

use rille_lua::{UserData, UserDataRef};
use rille_runtime::net::pool::Slot;
use rille_runtime::net::tls::Identity;
use rille_runtime::net::websocket::Reader;
use rille_runtime::net::{Net, NetError, Stream};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long things may take, in milliseconds; 0: the default.
#[derive(Clone, Copy, Default)]
pub(super) struct Timeouts {
    pub(super) connect: u32,
    pub(super) send: u32,
    pub(super) read: u32,
}

/// The time that so many milliseconds of [`Timeouts`] mean.
pub(super) fn time(milliseconds: u32) -> Duration {
    match milliseconds {
        0 => super::TIMEOUT,
        some => Duration::from_millis(some.into()),
    }
}

/// A socket: the object in Lua.
pub(super) struct Tcp {
    pub(super) net: Rc<Net>,
    /// Where to connect from.
    pub(super) local: Cell<Option<SocketAddr>>,
    pub(super) timeouts: Cell<Timeouts>,
    /// Who we are in TLS handshakes.
    pub(super) identity: RefCell<Option<Rc<Identity>>>,
    connection: RefCell<Option<Rc<Connection>>>,
    /// The operations that are under way.
    busy: Cell<u8>,
}

impl UserData for Tcp {}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.close();
    }
}

/// A socket that somebody uses.
pub(super) type TcpRef = UserDataRef<Tcp>;

/// A connection of it.
pub(super) struct Connection {
    pub(super) stream: Rc<Stream>,
    /// The name of the pool for it.
    pub(super) pool: Rc<[u8]>,
    /// How often it came from there.
    pub(super) reused: u64,
    pub(super) slot: RefCell<Option<Slot>>,
    pub(super) read_closed: Cell<bool>,
    pub(super) write_closed: Cell<bool>,
    /// Reads its frames, if it is a WebSocket.
    pub(super) frames: RefCell<Reader>,
}

impl Connection {
    /// One that was used `reused` times before.
    pub(super) fn new(
        stream: Rc<Stream>,
        pool: Rc<[u8]>,
        reused: u64,
        slot: Option<Slot>,
    ) -> Connection {
        Connection {
            stream,
            pool,
            reused,
            slot: RefCell::new(slot),
            read_closed: Cell::new(false),
            write_closed: Cell::new(false),
            frames: RefCell::default(),
        }
    }
}

/// Something that only one operation at a time may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Connect = 1,
    Read = 2,
    Write = 4,
}

impl Operation {
    pub(super) const ALL: [Operation; 3] = [Operation::Connect, Operation::Read, Operation::Write];

    fn complaint(self) -> &'static str {
        match self {
            Operation::Connect => "socket busy connecting",
            Operation::Read => "socket busy reading",
            Operation::Write => "socket busy writing",
        }
    }
}

/// An operation under way.
pub(super) struct Busy {
    tcp: TcpRef,
    operations: u8,
    is_over: bool,
}

impl Busy {
    /// The operation is over, one way or the other.
    pub(super) fn over(mut self) {
        self.is_over = true;
    }
}

impl Busy {
    /// The operations begin.
    pub(super) fn begin(tcp: &TcpRef, operations: &[Operation]) -> Busy {
        let operations = operations.iter().fold(0, |all, one| all | *one as u8);
        tcp.busy.set(tcp.busy.get() | operations);
        Busy {
            tcp: tcp.clone(),
            operations,
            is_over: false,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.tcp.busy.set(self.tcp.busy.get() & !self.operations);
        if !self.is_over {
            self.tcp.close();
        }
    }
}

impl Tcp {
    pub(super) fn new(net: &Rc<Net>) -> Tcp {
        Tcp {
            net: net.clone(),
            local: Cell::new(None),
            timeouts: Cell::default(),
            identity: RefCell::default(),
            connection: RefCell::default(),
            busy: Cell::new(0),
        }
    }

    /// Why one of the operations cannot be done now.
    pub(super) fn check_busy(&self, operations: &[Operation]) -> Result<(), &'static str> {
        let busy = self.busy.get();
        match operations.iter().find(|one| busy & **one as u8 != 0) {
            Some(operation) => Err(operation.complaint()),
            None => Ok(()),
        }
    }

    /// The connection, if there is one.
    pub(super) fn connection(&self) -> Option<Rc<Connection>> {
        self.connection.borrow().clone()
    }

    /// The connection, if neither of its directions, or only one of them, is closed.
    pub(super) fn open(&self) -> Option<Rc<Connection>> {
        (self.connection()).filter(|open| !(open.read_closed.get() && open.write_closed.get()))
    }

    pub(super) fn connected(&self, connection: Connection) {
        let former = self.connection.replace(Some(Rc::new(connection)));
        drop(former);
    }

    /// Takes the connection away, without closing it.
    pub(super) fn detach(&self) -> Option<Rc<Connection>> {
        self.connection.borrow_mut().take()
    }

    /// Closes the connection, if there is one.
    pub(super) fn close(&self) {
        if let Some(connection) = self.detach() {
            connection.stream.close();
            connection.slot.borrow_mut().take();
        }
    }

    /// After an error of a read: nothing more can be read, unless it only took too long.
    pub(super) fn read_failed(&self, connection: &Rc<Connection>, error: &NetError) {
        if *error != NetError::Timeout {
            connection.read_closed.set(true);
            self.close_if_over(connection);
        }
    }

    /// After an error of a write: nothing more can be written.
    pub(super) fn write_failed(&self, connection: &Rc<Connection>) {
        connection.write_closed.set(true);
        self.close_if_over(connection);
    }

    fn close_if_over(&self, connection: &Rc<Connection>) {
        let is_ours = (self.connection.borrow().as_ref())
            .is_some_and(|current| Rc::ptr_eq(current, connection));
        if is_ours && connection.read_closed.get() && connection.write_closed.get() {
            self.close();
        }
    }
}
