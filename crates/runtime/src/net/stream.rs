//! A connection: TCP or a unix socket, plain or TLS; or one that somebody else has opened.
//!
//! It is used through a shared reference: one may read while another writes. It is for its users to see that there are not two readers or two writers;
//! if there are, one of them is not woken.
//!
//! **Invariants.** Input that has been read and not taken is at most [`INPUT`] bytes. No borrow is held while something waits. A future that is dropped
//! has lost nothing of the input but what it had put into its [`Received`]. Once closed, everything that waits is woken and fails.

use super::timed::{Patience, timed};
use super::transport::{Duplex, Plain, Transport};
use super::{Held, MemoryLimit, NetError, Pattern, SocketPermit, tls};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio_rustls::TlsConnector;

/// Bytes of input that are kept.
pub const INPUT: usize = 8 << 10;
/// The most that is read at once straight to where it belongs.
const DIRECT: usize = 64 << 10;

/// A connection.
pub struct Stream {
    transport: RefCell<Option<Transport>>,
    input: RefCell<Input>,
    ended: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    permit: RefCell<Option<SocketPermit>>,
}

/// Input that has not been taken.
#[derive(Default)]
struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }
}

/// What has been received for somebody, and is charged to the VM.
pub struct Received {
    bytes: Vec<u8>,
    held: Held,
}

impl Received {
    /// Nothing yet.
    pub fn new(limit: &Rc<MemoryLimit>) -> Received {
        Received {
            bytes: Vec::new(),
            held: limit.hold(),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be changed where they are.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn make_room(&mut self, more: usize) -> Result<(), NetError> {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len >= more {
            return Ok(());
        }
        // Twice as much, if there is room.
        let new = (len.saturating_add(more)).max(capacity + capacity.min(self.held.room()));
        self.held.grow(new - capacity)?;
        self.bytes.reserve_exact(new - len);
        Ok(())
    }

    /// Adds what `pattern` takes of `input`.
    fn feed(
        &mut self,
        pattern: &mut Pattern,
        input: &[u8],
    ) -> Result<super::pattern::Fed, NetError> {
        self.make_room(pattern.room(input))?;
        Ok(pattern.feed(input, &mut self.bytes))
    }
}

impl Stream {
    /// A connection over `plain`.
    pub fn new(plain: Plain, permit: SocketPermit) -> Stream {
        Stream {
            transport: RefCell::new(Some(Transport::Plain(plain))),
            input: RefCell::default(),
            ended: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
            permit: RefCell::new(Some(permit)),
        }
    }

    /// A connection that is counted elsewhere: one that a server has accepted.
    pub fn over(duplex: Box<dyn Duplex>) -> Stream {
        Stream {
            transport: RefCell::new(Some(Transport::Other(duplex))),
            input: RefCell::default(),
            ended: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
            permit: RefCell::default(),
        }
    }

    // ---- reading ----

    /// Reads until `pattern` is complete, into `out`. No wait for the other side may be longer than `limit`. After a [`NetError::Timeout`] one can go
    /// on; what has come until then is in `out`, after all errors.
    pub async fn read(
        &self,
        pattern: &mut Pattern,
        out: &mut Received,
        limit: Duration,
    ) -> Result<(), NetError> {
        let mut patience = Patience::new(limit);
        poll_fn(|cx| self.poll_read_for(pattern, out, &mut patience, cx)).await
    }

    /// As [`Stream::read`], as far as that goes without waiting: pending, one goes on with the same three.
    pub fn poll_read_for(
        &self,
        pattern: &mut Pattern,
        out: &mut Received,
        patience: &mut Patience,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), NetError>> {
        let mut moved = false;
        match self.poll_pattern(pattern, out, &mut moved, cx) {
            Poll::Pending => patience.poll(moved, cx).map(|()| Err(NetError::Timeout)),
            ready => ready,
        }
    }

    /// As [`Stream::poll_read_for`], without a limit; `moved` is set when something has come.
    pub fn poll_pattern(
        &self,
        pattern: &mut Pattern,
        out: &mut Received,
        moved: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), NetError>> {
        loop {
            if self.take(pattern, out)? {
                return Poll::Ready(Ok(()));
            }
            if self.ended.get() {
                return Poll::Ready(match pattern.ends() {
                    true => Ok(()),
                    false => Err(NetError::Closed),
                });
            }
            let rest = pattern.rest();
            let direct = match rest < INPUT {
                true => ready!(self.poll_fill(cx)).map(|_| 0)?,
                false => ready!(self.poll_direct(rest, out, cx))?,
            };
            *moved = true;
            if direct > 0 && pattern.took(direct) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Takes from the input; whether the pattern is complete.
    fn take(&self, pattern: &mut Pattern, out: &mut Received) -> Result<bool, NetError> {
        let mut input = self.input.borrow_mut();
        if input.rest().is_empty() {
            return Ok(false);
        }
        let fed = out.feed(pattern, input.rest())?;
        input.take(fed.used);
        Ok(fed.done)
    }

    /// Reads more input: how many bytes; 0 at the end.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<Result<usize, NetError>> {
        let mut input = self.input.borrow_mut();
        let Input { bytes, end, .. } = &mut *input;
        if bytes.is_empty() {
            *bytes = vec![0; INPUT].into();
        }
        let polled = self.poll_read(bytes.get_mut(*end..).unwrap_or_default(), cx);
        if polled.is_pending() && *end == 0 && self.permit.borrow().is_none() {
            // There may be very many clients that say nothing.
            *bytes = Box::default();
        }
        let read = ready!(polled)?;
        *end += read;
        Poll::Ready(Ok(read))
    }

    /// Reads at most `rest` bytes to the end of `out`.
    fn poll_direct(
        &self,
        rest: usize,
        out: &mut Received,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, NetError>> {
        let len = out.bytes.len();
        let most = len.clamp(INPUT, DIRECT).min(rest);
        out.make_room(most)?;
        out.bytes.resize(len + most, 0);
        let read = self.poll_read(out.bytes.get_mut(len..).unwrap_or_default(), cx);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        out.bytes.truncate(len + count);
        read
    }

    fn poll_read(&self, to: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, NetError>> {
        let mut transport = self.transport.borrow_mut();
        let Some(transport) = &mut *transport else {
            return Poll::Ready(Err(NetError::Closed));
        };
        let mut to = ReadBuf::new(to);
        match transport.poll_read(cx, &mut to) {
            Poll::Pending => {
                remember(&self.reader, cx);
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                let read = to.filled().len();
                self.ended.set(read == 0);
                Poll::Ready(Ok(read))
            }
            // A TLS peer that just went away.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ended.set(true);
                Poll::Ready(Ok(0))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
        }
    }

    /// Gives what has come, if something has, or reads: at least one byte unless the other side has ended it.
    fn poll_some(&self, to: &mut ReadBuf<'_>, cx: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        if !self.has_input() && !self.ended.get() && to.remaining() > 0 {
            ready!(self.poll_fill(cx))?;
        }
        let mut input = self.input.borrow_mut();
        let given = input.rest().len().min(to.remaining());
        to.put_slice(input.rest().get(..given).unwrap_or_default());
        input.take(given);
        Poll::Ready(Ok(()))
    }

    // ---- writing ----

    /// Writes all of it. No wait for the other side may be longer than `limit`.
    pub async fn write_all(&self, bytes: &[u8], limit: Duration) -> Result<(), NetError> {
        let (mut written, mut patience) = (0, Patience::new(limit));
        poll_fn(|cx| {
            let before = written;
            match self.poll_write_all(bytes, &mut written, cx) {
                Poll::Pending => {
                    let late = patience.poll(written > before, cx);
                    late.map(|()| Err(NetError::Timeout))
                }
                ready => ready,
            }
        })
        .await
    }

    /// As [`Stream::write_all`], without a limit. `written` is how many of the bytes have been written, 0 at first: pending, one goes on with it.
    pub fn poll_write_all(
        &self,
        bytes: &[u8],
        written: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), NetError>> {
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            match ready!(self.poll_write(rest, cx))? {
                0 => return Poll::Ready(Err(NetError::Closed)),
                more => *written += more,
            }
        }
        self.poll_flush(cx)
    }

    /// Writes some of it: how many bytes. The wait for the other side may not be longer than `limit`; given up, it has written nothing.
    pub async fn write_some(&self, bytes: &[u8], limit: Duration) -> Result<usize, NetError> {
        let written = timed(limit, poll_fn(|cx| self.poll_write(bytes, cx))).await??;
        if written == 0 && !bytes.is_empty() {
            return Err(NetError::Closed);
        }
        Ok(written)
    }

    /// Sees to it that what was written is on its way. The wait for the other side may not be longer than `limit`.
    pub async fn flush(&self, limit: Duration) -> Result<(), NetError> {
        timed(limit, poll_fn(|cx| self.poll_flush(cx))).await?
    }

    fn poll_write(&self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<Result<usize, NetError>> {
        self.poll_out(cx, |transport, cx| transport.poll_write(cx, bytes))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        self.poll_out(cx, Transport::poll_flush)
    }

    fn poll_out<T>(
        &self,
        cx: &mut Context<'_>,
        step: impl FnOnce(&mut Transport, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<Result<T, NetError>> {
        let mut transport = self.transport.borrow_mut();
        let Some(transport) = &mut *transport else {
            return Poll::Ready(Err(NetError::Closed));
        };
        let polled = step(transport, cx);
        if polled.is_pending() {
            remember(&self.writer, cx);
        }
        polled.map_err(NetError::from)
    }

    /// Says that nothing more is going to be written.
    pub async fn shutdown(&self, limit: Duration) -> Result<(), NetError> {
        let shutdown = |cx: &mut Context<'_>| self.poll_out(cx, Transport::poll_shutdown);
        timed(limit, poll_fn(shutdown)).await?
    }

    // ---- TLS ----

    /// Whether the connection is a TLS one.
    pub fn is_tls(&self) -> bool {
        matches!(&*self.transport.borrow(), Some(Transport::Tls(_)))
    }

    /// Makes the connection a TLS one, which it stays; nothing else may use it meanwhile. It is closed if that fails.
    pub async fn handshake(
        &self,
        configs: &tls::Configs,
        options: &tls::Options,
        limit: Duration,
    ) -> Result<(), NetError> {
        if self.is_tls() {
            return Ok(());
        }
        // What came in the clear must not be taken for what came through TLS.
        if self.has_input() {
            return Err(NetError::Unread);
        }
        let name = tls::server_name(options, self.peer())?;
        let config = configs.config(options).await?;
        let plain = match self.transport.borrow_mut().take() {
            Some(Transport::Plain(plain)) => plain,
            other => {
                *self.transport.borrow_mut() = other;
                return Err(NetError::Closed);
            }
        };
        let connecting = TlsConnector::from(config).connect(name, plain);
        match timed(limit, connecting).await {
            Ok(Ok(stream)) => {
                *self.transport.borrow_mut() = Some(Transport::Tls(Box::new(stream)));
                Ok(())
            }
            Ok(Err(error)) => Err(tls::handshake_error(&error)),
            Err(timeout) => Err(timeout),
        }
    }

    /// The protocol that a TLS handshake agreed on.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        match &*self.transport.borrow() {
            Some(Transport::Tls(stream)) => stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec),
            _ => None,
        }
    }

    // ---- the connection itself ----

    /// Whether there is input that nobody has taken.
    pub fn has_input(&self) -> bool {
        !self.input.borrow().rest().is_empty()
    }

    /// Whether it is worth trying to read: false where it is known that nothing has come. Costs no system call, and wakes nobody later.
    pub fn may_be_read(&self) -> bool {
        if self.has_input() || self.ended.get() {
            return true;
        }
        let nothing = || Ok(());
        match &*self.transport.borrow() {
            Some(Transport::Plain(Plain::Tcp(tcp))) => {
                tcp.try_io(Interest::READABLE, nothing).is_ok()
            }
            Some(Transport::Plain(Plain::Unix(unix))) => {
                unix.try_io(Interest::READABLE, nothing).is_ok()
            }
            _ => true,
        }
    }

    /// Whether there is something to read, or has come already. What was not read is left.
    pub fn has_something(&self) -> bool {
        self.has_input()
            || self
                .with_socket(|socket| socket.peek(&mut [MaybeUninit::uninit()]))
                .is_some_and(|peeked| peeked.is_ok_and(|count| count > 0))
    }

    /// Whether it is open, has nothing to read and the other side has not ended it: fit for somebody else. Costs no system call if nothing has happened.
    pub fn is_quiet(&self) -> bool {
        if self.has_input() || self.ended.get() {
            return false;
        }
        if let Some(Transport::Plain(plain)) = &*self.transport.borrow() {
            let mut one = [0];
            let read = match plain {
                Plain::Tcp(stream) => stream.try_read(&mut one),
                Plain::Unix(stream) => stream.try_read(&mut one),
            };
            return matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        }
        // Without budget, tokio says that nothing has come whether it has or not.
        tokio::task::coop::has_budget_remaining()
            && (self.poll_fill(&mut Context::from_waker(Waker::noop()))).is_pending()
    }

    /// Whether the other side has ended it.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Whether it has not been closed here.
    pub fn is_open(&self) -> bool {
        self.transport.borrow().is_some()
    }

    /// Closes it. What waits for it fails.
    pub fn close(&self) {
        let transport = self.transport.borrow_mut().take();
        if let Some(mut transport @ Transport::Tls(_)) = transport {
            // Says goodbye, if that can be said at once.
            let _ = transport.poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
        self.permit.borrow_mut().take();
        for waiting in [&self.reader, &self.writer] {
            let waker = waiting.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The other side's address, if it is a TCP connection.
    pub fn peer(&self) -> Option<IpAddr> {
        self.with_plain(|plain| match plain {
            Plain::Tcp(tcp) => tcp.peer_addr().ok().map(|address| address.ip()),
            Plain::Unix(_) => None,
        })?
    }

    /// The system's number for it.
    pub fn fd(&self) -> Option<RawFd> {
        self.with_plain(|plain| plain.as_fd().as_raw_fd())
    }

    /// Looks at, or sets, something of the system's socket; `None` once it is closed.
    pub fn with_socket<R>(&self, f: impl FnOnce(socket2::SockRef<'_>) -> R) -> Option<R> {
        self.with_plain(|plain| f(socket2::SockRef::from(plain)))
    }

    fn with_plain<R>(&self, f: impl FnOnce(&Plain) -> R) -> Option<R> {
        match &*self.transport.borrow() {
            None => None,
            Some(Transport::Plain(plain)) => Some(f(plain)),
            Some(Transport::Tls(stream)) => Some(f(stream.get_ref().0)),
            Some(Transport::Other(_)) => None,
        }
    }
}

/// A connection for what wants tokio's traits: HTTP/2, WebSockets.
pub struct Io(pub Rc<Stream>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_some(to, cx).map_err(io::Error::other)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(bytes, cx).map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx).map_err(io::Error::other)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (self.0.poll_out(cx, Transport::poll_shutdown)).map_err(io::Error::other)
    }
}

/// Keeps who has to be woken when the stream is closed.
fn remember(waiting: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut waiting = waiting.borrow_mut();
    match &mut *waiting {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waiting = Some(cx.waker().clone()),
    }
}

#[cfg(test)]
mod tests;
