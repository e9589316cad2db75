//! A connection that has left HTTP: the script of its last request reads and writes it itself, until that request ends.
//!
//! ```text
//!   Http --asked for--> Asked --all that was said is written--> Left --its request ends--> Over
//!     \______nothing was said______________________________________^
//! ```
//!
//! **Invariants.** From `Left` on the driver reads and writes nothing; it only looks now and then whether the client has hung up. A [`RawSocket`]
//! can do nothing before `Left` and after it, and does not keep the connection open. The worker's watch does not time it: its waits have
//! limits of their own.

use super::wire::{Body, Wire};
use crate::conn::Phase;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Http,
    Asked,
    Left,
    Over,
}

/// Whose the connection is.
#[derive(Default)]
pub(super) struct Left {
    state: Cell<State>,
    /// It has been [`State::Left`].
    pub(super) was_left: Cell<bool>,
    /// The client has ended what it sends.
    hung_up: Cell<bool>,
    /// Waits for [`State::Left`].
    asking: RefCell<Option<Waker>>,
    /// Waits for what is asked, or for the client to hang up.
    driver: RefCell<Option<Waker>>,
}

fn wake(waiting: &RefCell<Option<Waker>>) {
    let waker = waiting.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Left {
    fn enter(&self, state: State) {
        self.state.set(state);
        wake(&self.asking);
    }

    fn hangs_up(&self) {
        self.hung_up.set(true);
        wake(&self.driver);
    }
}

impl Wire {
    /// Whether a script has the connection.
    pub fn has_left(&self) -> bool {
        self.left.state.get() == State::Left
    }

    /// Everything that was said is written: if the script wants the connection it gets it.
    pub fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left.state.get() == State::Asked {
            self.leave();
        }
        if self.has_left() {
            return Poll::Ready(());
        }
        *self.left.driver.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn leave(&self) {
        self.conn.enter(Phase::Left);
        self.left.enter(State::Left);
    }

    /// Waits until the client has hung up.
    pub fn poll_hung_up(&self, cx: &mut Context<'_>) -> Poll<()> {
        *self.left.driver.borrow_mut() = Some(cx.waker().clone());
        let looks = self.conn.takes_tick(cx);
        match self.left.hung_up.get() || (looks && self.is_hung_up()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Whether the client is known to have ended what it sends, read or not.
    fn is_hung_up(&self) -> bool {
        let socket = self.socket.borrow();
        let mut ready = pin!(socket.tcp().ready(Interest::READABLE));
        match ready.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => false,
            Poll::Ready(ready) => ready.is_ok_and(|ready| ready.is_read_closed()),
        }
    }

    /// A request begins.
    pub(super) fn begins(&self) {
        self.left.enter(State::Http);
    }

    /// The request has ended, or will have when its response is read.
    pub fn is_over(&self) {
        self.left.was_left.set(self.has_left());
        self.left.enter(State::Over);
    }
}

impl Body {
    /// Takes the connection, for as long as the request lasts. `is_answering`: some of a response is out or under way, and is written first. `None`:
    /// the connection has ended.
    pub async fn leave(&self, is_answering: bool) -> Option<RawSocket> {
        let wire = self.wire()?;
        if wire.left.state.get() != State::Http {
            return None;
        }
        match is_answering {
            false => wire.leave(),
            true => {
                wire.left.enter(State::Asked);
                wake(&wire.left.driver);
            }
        }
        let left = poll_fn(|cx| match wire.left.state.get() {
            State::Left => Poll::Ready(true),
            State::Asked => {
                *wire.left.asking.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Http | State::Over => Poll::Ready(false),
        });
        left.await.then(|| RawSocket(Rc::downgrade(wire)))
    }
}

/// The connection of a request that has left HTTP, what was read of it already included.
pub struct RawSocket(Weak<Wire>);

impl RawSocket {
    fn wire(&self) -> io::Result<Rc<Wire>> {
        let wire = self.0.upgrade().filter(|wire| wire.has_left());
        wire.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl AsyncRead for RawSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.wire()?;
        let mut inbox = wire.inbox.borrow_mut();
        if !inbox.is_empty() {
            let count = inbox.len().min(to.remaining());
            to.put_slice(&inbox[..count]);
            inbox.drain(..count);
            if inbox.is_empty() {
                inbox.shrink_to_fit();
            }
            return Poll::Ready(Ok(()));
        }
        let before = to.filled().len();
        let read = ready!(Pin::new(&mut *wire.socket.borrow_mut()).poll_read(cx, to));
        if read.is_err() || (to.filled().len() == before && to.remaining() > 0) {
            wire.left.hangs_up();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for RawSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.wire()?;
        let written = Pin::new(&mut *wire.socket.borrow_mut()).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Err(_))) {
            wire.left.hangs_up();
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.wire()?;
        Pin::new(&mut *wire.socket.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.wire()?;
        Pin::new(&mut *wire.socket.borrow_mut()).poll_shutdown(cx)
    }
}
