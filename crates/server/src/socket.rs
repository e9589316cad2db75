//! A connection's socket, plain or TLS, under the worker's watch.
//!
//! ```text
//!  http1::Wire, http2::Io --> Socket --+--------------------> Watched --> TcpStream
//!                                      +--> rustls session -->
//! ```
//!
//! **Invariants.** Whatever reads or writes, handshakes included, does so through [`Watched`]: a connection that is overdue fails at its
//! next read or write, and one whose peer takes nothing is known to stall. What has been written is on its way only once it is
//! flushed: a TLS session may keep some of it.

use crate::conn::Conn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A TCP socket that the watch may end.
pub struct Watched {
    tcp: TcpStream,
    conn: Rc<Conn>,
}

impl Watched {
    /// A socket that has been accepted.
    pub fn new(tcp: TcpStream, conn: Rc<Conn>) -> Watched {
        Watched { tcp, conn }
    }

    fn check(&self) -> io::Result<()> {
        match self.conn.has_expired() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }

    /// Looks at what comes next without taking it.
    pub fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let polled = self.tcp.poll_peek(cx, into);
        if polled.is_pending() {
            self.conn.waits(cx);
        }
        polled
    }

    fn note_write(&self, cx: &Context<'_>, is_pending: bool) {
        match is_pending {
            true => {
                self.conn.waits(cx);
                self.conn.stalls();
            }
            false => self.conn.moves(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        let polled = Pin::new(&mut this.tcp).poll_read(cx, into);
        if polled.is_pending() {
            this.conn.waits(cx);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = Pin::new(&mut this.tcp).poll_write(cx, bytes);
        this.note_write(cx, polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = Pin::new(&mut this.tcp).poll_write_vectored(cx, parts);
        this.note_write(cx, polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}

/// What a connection reads and writes.
pub enum Socket {
    /// As it is.
    Plain(Watched),
    /// Behind a handshake.
    Tls(Box<TlsStream<Watched>>),
}

impl Socket {
    /// What is below it all.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(socket) => &socket.tcp,
            Socket::Tls(socket) => &socket.get_ref().0.tcp,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, into),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
        }
    }
}
