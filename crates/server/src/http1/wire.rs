//! A connection's socket, what has been read from it and not used yet, and the body of the request being served.
//!
//! **Invariants.** One reader at a time: the driver between requests and once a body has ended, the request's script before that, and for good once it has
//! taken the connection (`left`). Bytes behind a
//! body are never given out as part of it. A body belongs to one request: whoever reads it after the next has begun gets an error.

use super::Refused;
use super::head::{self, Framing, HEAD_BYTES, Head};
use super::left::Left;
use crate::conn::{Conn, Phase};
use crate::socket::Socket;
use bytes::Bytes;
use http::StatusCode;
use rille_runtime::net::chunked::Decoder;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;
/// What a connection keeps for its next head while it waits.
const KEPT_BYTES: usize = 1 << 10;
/// What a client may still send, and for how long, before a connection with an unread rest is closed: so that it gets to see the
/// response.
pub const LINGER_BYTES: usize = 256 << 10;
pub const LINGER: Duration = Duration::from_secs(2);

/// The beginning of HTTP/2's preface, which is made like a head.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

thread_local! {
    /// Reading into a slice needs one that is initialised: this one is, once per worker.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why nothing more can be read.
#[derive(Debug)]
pub enum WireError {
    /// The peer has gone, or nothing came in time.
    Gone,
    /// It sent what is not served.
    Refused(Refused),
}

impl From<io::Error> for WireError {
    fn from(_: io::Error) -> WireError {
        WireError::Gone
    }
}

impl From<Refused> for WireError {
    fn from(refused: Refused) -> WireError {
        WireError::Refused(refused)
    }
}

/// What comes next on a connection.
pub enum Next {
    /// A request.
    Head(Head),
    /// Nothing.
    End,
    /// HTTP/2: the client knows that this server speaks it. Its preface is in the inbox.
    Http2,
}

/// What is left of a body.
enum Rest {
    Length(u64),
    Chunked(Decoder),
    /// It could not be read to its end.
    Broken,
}

/// A connection.
pub struct Wire {
    pub(super) socket: RefCell<Socket>,
    pub(super) conn: Rc<Conn>,
    /// Read and not used.
    pub(super) inbox: RefCell<Vec<u8>>,
    rest: RefCell<Rest>,
    /// The client waits for "100 Continue".
    owes_continue: Cell<bool>,
    /// Counts requests.
    request: Cell<u64>,
    /// Whether a script has the connection.
    pub(super) left: Left,
}

/// The body of one request.
pub struct Body {
    wire: Rc<Wire>,
    request: u64,
}

impl Wire {
    /// A connection that has been accepted, and is ready for requests.
    pub fn new(socket: Socket, conn: Rc<Conn>) -> Rc<Wire> {
        Rc::new(Wire {
            socket: RefCell::new(socket),
            conn,
            inbox: RefCell::default(),
            rest: RefCell::new(Rest::Length(0)),
            owes_continue: Cell::new(false),
            request: Cell::new(0),
            left: Left::default(),
        })
    }

    /// The socket, and what has been read from it and not used; `None` while a request's body is still in somebody's hands.
    pub fn into_parts(self: Rc<Self>) -> Option<(Socket, Vec<u8>)> {
        let wire = Rc::into_inner(self)?;
        Some((wire.socket.into_inner(), wire.inbox.into_inner()))
    }

    /// Reads once, to the inbox; 0 at the end of what the peer sends.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *self.socket.borrow_mut()).poll_read(cx, &mut read))?;
            self.inbox.borrow_mut().extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// The head of the next request, or what comes instead.
    pub async fn next_head(&self, stopping: impl Fn() -> bool) -> Result<Next, WireError> {
        let mut seen = 0;
        loop {
            if let Some(next) = self.take_head(&mut seen)? {
                return Ok(next);
            }
            let empty = self.inbox.borrow().is_empty();
            if empty {
                self.conn.enter(Phase::Idle);
                self.inbox.borrow_mut().shrink_to(KEPT_BYTES);
            }
            let read = poll_fn(|cx| match self.poll_fill(cx) {
                Poll::Pending if empty && stopping() => Poll::Ready(Ok(0)),
                polled => polled,
            });
            match read.await {
                Ok(0) if empty => return Ok(Next::End),
                Ok(0) => return Err(WireError::Gone),
                Ok(_) if empty => self.conn.enter(Phase::Head),
                Ok(_) => {}
                // A connection that nothing was asked on ends without a word.
                Err(_) if empty => return Ok(Next::End),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a head out of the inbox. `seen`: how much of the inbox has been looked at.
    fn take_head(&self, seen: &mut usize) -> Result<Option<Next>, Refused> {
        let mut inbox = self.inbox.borrow_mut();
        let skipped = head::leading_lines(&inbox);
        inbox.drain(..skipped);
        *seen = seen.saturating_sub(skipped);
        let Some(end) = head::find_end(&inbox, *seen) else {
            *seen = inbox.len();
            return match inbox.len() > HEAD_BYTES {
                true => Err(too_large()),
                false => Ok(None),
            };
        };
        if end > HEAD_BYTES {
            return Err(too_large());
        }
        let head = match head::parse(&inbox[..end]) {
            Ok(head) => head,
            Err(_) if inbox[..end] == *PREFACE && self.request.get() == 0 => {
                return Ok(Some(Next::Http2));
            }
            Err(refused) => return Err(refused),
        };
        inbox.drain(..end);
        Ok(Some(Next::Head(head)))
    }

    /// A request begins: its body is what comes next.
    pub fn begin(self: &Rc<Self>, head: &Head) -> Body {
        self.conn.enter(Phase::Busy);
        self.begins();
        self.request.set(self.request.get() + 1);
        *self.rest.borrow_mut() = match head.framing {
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(Decoder::default()),
        };
        self.owes_continue
            .set(head.expects_continue && head.framing != Framing::Length(0));
        Body {
            wire: self.clone(),
            request: self.request.get(),
        }
    }

    fn body_has_ended(&self) -> bool {
        matches!(*self.rest.borrow(), Rest::Length(0))
    }

    /// Some of the body out of the inbox; `None`: more has to be read.
    fn take_body(&self) -> Result<Option<Bytes>, WireError> {
        let mut inbox = self.inbox.borrow_mut();
        let mut rest = self.rest.borrow_mut();
        let mut used = 0;
        let mut data = Vec::new();
        match &mut *rest {
            Rest::Broken => return Err(WireError::Gone),
            Rest::Length(left) => {
                used = (*left).min(inbox.len() as u64) as usize;
                *left -= used as u64;
                data.extend_from_slice(&inbox[..used]);
            }
            // All chunks that are there: each on its own would move what is behind it.
            Rest::Chunked(decoder) => loop {
                let input = &inbox[used..];
                match decoder.decode(input) {
                    Ok(step) => {
                        data.extend_from_slice(&input[step.data]);
                        used += step.used;
                        if step.ended {
                            *rest = Rest::Length(0);
                        } else if used < inbox.len() {
                            continue;
                        }
                    }
                    // What came before it is given out first.
                    Err(why) => {
                        *rest = Rest::Broken;
                        if data.is_empty() {
                            return Err(Refused::new(StatusCode::BAD_REQUEST, why).into());
                        }
                    }
                }
                break;
            },
        }
        inbox.drain(..used);
        Ok((!data.is_empty()).then(|| data.into()))
    }

    async fn next_piece(&self) -> Result<Option<Bytes>, WireError> {
        loop {
            if self.body_has_ended() {
                return Ok(None);
            }
            if let Some(data) = self.take_body()? {
                return Ok(Some(data));
            }
            if self.body_has_ended() {
                return Ok(None);
            }
            if self.owes_continue.replace(false) {
                self.write(&mut [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")])
                    .await?;
            }
            let read = poll_fn(|cx| self.poll_fill(cx)).await;
            if !matches!(read, Ok(1..)) {
                *self.rest.borrow_mut() = Rest::Broken;
                return Err(WireError::Gone);
            }
        }
    }

    /// Whether the peer is known to have gone while its request is served. What it sends in the meantime is kept, up to a head's
    /// limit; while the body is being read nothing is known.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        while self.body_has_ended() && self.inbox.borrow().len() < HEAD_BYTES {
            if !matches!(ready!(self.poll_fill(cx)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Writes all of some bytes.
    pub async fn write(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut parts = parts;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, parts)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut parts, count);
        }
        poll_fn(|cx| Pin::new(&mut *self.socket.borrow_mut()).poll_flush(cx)).await
    }

    fn poll_write(&self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut socket = self.socket.borrow_mut();
        match parts {
            // The system has less to look at.
            [one] => Pin::new(&mut *socket).poll_write(cx, one),
            all => Pin::new(&mut *socket).poll_write_vectored(cx, all),
        }
    }

    /// A response begins: nothing is to be written between its bytes, so the client is not asked for the body any more.
    pub fn forgo_continue(&self) {
        self.owes_continue.set(false);
    }

    /// Whether what is left of a body is little enough to be passed over, and is sure to come.
    pub fn may_pass_over(&self) -> bool {
        match *self.rest.borrow() {
            Rest::Length(left) => {
                left == 0 || (left <= LINGER_BYTES as u64 && !self.owes_continue.get())
            }
            Rest::Chunked(_) => !self.owes_continue.get(),
            Rest::Broken => false,
        }
    }

    /// Passes over what is left of the body; false if there is too much of it, or it does not come.
    pub async fn pass_over(&self) -> bool {
        let mut passed = 0;
        let work = async {
            while passed <= LINGER_BYTES {
                match self.next_piece().await {
                    Ok(Some(data)) => passed += data.len(),
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
            false
        };
        self.body_has_ended() || matches!(tokio::time::timeout(LINGER, work).await, Ok(true))
    }

    /// Ends a connection between two requests: with TLS the peer is to know that nothing has been cut off.
    pub async fn say_goodbye(&self) {
        if matches!(&*self.socket.borrow(), Socket::Tls(_)) {
            let _ = poll_fn(|cx| Pin::new(&mut *self.socket.borrow_mut()).poll_shutdown(cx)).await;
        }
    }

    /// Ends the connection so that a client that still sends gets to see the response.
    pub async fn close(&self) {
        // What the other side still says of its own accord must not cut off what it has not read.
        let unread =
            self.left.was_left.get() || !self.inbox.borrow().is_empty() || !self.body_has_ended();
        let shut = poll_fn(|cx| Pin::new(&mut *self.socket.borrow_mut()).poll_shutdown(cx)).await;
        if shut.is_err() || !unread {
            return;
        }
        let mut read = 0;
        let rest = async {
            while read <= LINGER_BYTES {
                self.inbox.borrow_mut().clear();
                match poll_fn(|cx| self.poll_fill(cx)).await {
                    Ok(count @ 1..) => read += count,
                    _ => break,
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, rest).await;
    }
}

impl Body {
    /// The next bytes; `None` at the end.
    pub async fn next(&self) -> Result<Option<Bytes>, WireError> {
        match self.wire() {
            Some(wire) => wire.next_piece().await,
            None => Err(WireError::Gone),
        }
    }

    /// Whether all of it has been read.
    pub fn has_ended(&self) -> bool {
        self.wire().is_none_or(|wire| wire.body_has_ended())
    }

    /// The connection, while the request is the one that is served.
    pub(super) fn wire(&self) -> Option<&Rc<Wire>> {
        (self.request == self.wire.request.get()).then_some(&self.wire)
    }
}

fn too_large() -> Refused {
    Refused::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the head is over 64 KiB",
    )
}
