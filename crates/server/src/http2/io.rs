//! The socket as `h2` reads and writes it.
//!
//! **Invariant:** every byte that is read passes the meter, in its order and once. When that is used up nothing more is read.

use super::meter::Meter;
use crate::conn::Conn;
use crate::socket::Socket;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket under a meter.
pub struct Io {
    /// Read before the protocol was known.
    inbox: Vec<u8>,
    socket: Socket,
    conn: Rc<Conn>,
    meter: Rc<RefCell<Meter>>,
}

impl Io {
    /// A socket, and what has been read of it.
    pub fn new(socket: Socket, inbox: Vec<u8>, conn: Rc<Conn>, meter: Rc<RefCell<Meter>>) -> Io {
        Io {
            inbox,
            socket,
            conn,
            meter,
        }
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = polled {
            self.meter.borrow_mut().wrote(*count);
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.meter.borrow().is_over() {
            // The driver looks at the meter whenever it has polled: it ends the connection.
            return Poll::Pending;
        }
        let before = into.filled().len();
        if this.inbox.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(cx, into))?;
        } else {
            let count = into.remaining().min(this.inbox.len());
            into.put_slice(&this.inbox[..count]);
            this.inbox.drain(..count);
            if this.inbox.is_empty() {
                this.inbox = Vec::new();
            }
        }
        let now = this.conn.now();
        (this.meter.borrow_mut()).see(&into.filled()[before..], now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.socket).poll_write_vectored(cx, parts);
        this.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
