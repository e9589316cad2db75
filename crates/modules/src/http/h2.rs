//! Requests over HTTP/2: a connection that many share, and one exchange over it.
//!
//! **Invariants.** `active` is the number of exchanges of a connection. Its driver is a task of its own, which ends with the connection: when the other side
//! closes it, when nobody has used it for long enough, when it is closed to make room. An exchange that is dropped is cancelled, and the others go on.
//! What a connection can hold is charged to the VM from its beginning.

use super::client::Shared;
use super::error::{Clock, Failure, Outcome};
use super::h1::Piece;
use super::head::{Fields, Framing, Head, MAX_FIELDS, MAX_HEAD, MAX_INTERIM};
use super::link::Keep;
use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use rille_runtime::net::{Held, Io, Stream};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::sync::Notify;

/// How much of one response may come before a script takes it.
const STREAM_WINDOW: u32 = 256 << 10;
/// How much of all responses of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What a connection takes: the windows, what is about to be sent, heads.
const CONNECTION_BYTES: usize = (CONNECTION_WINDOW as usize) + (256 << 10);
/// How much is handed to the connection at a time.
const SEND: usize = 64 << 10;
/// There is another clock.
const NO_LIMIT: Duration = Duration::from_secs(1 << 30);

/// A connection that is shared.
pub struct Shares {
    sender: SendRequest<Bytes>,
    stream: Rc<Stream>,
    shared: Rc<Shared>,
    peer: String,
    active: Cell<usize>,
    used: Cell<bool>,
    /// For how long it is kept when it is idle.
    keep: Cell<Duration>,
    changed: Notify,
    _held: Held,
}

impl Shares {
    /// Begins HTTP/2 over a new connection.
    pub async fn begin(
        shared: &Rc<Shared>,
        stream: Rc<Stream>,
        peer: String,
        keep: Keep,
    ) -> Outcome<Rc<Shares>> {
        let mut held = shared.net.memory().hold();
        held.grow(CONNECTION_BYTES)
            .map_err(|error| Failure::of_net(error, &peer))?;
        let beginning = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD as u32)
            .max_send_buffer_size(SEND)
            .max_concurrent_reset_streams(32)
            .handshake::<_, Bytes>(Io(stream.clone()));
        let (sender, connection) = beginning
            .await
            .map_err(|error| failed(&error, &peer, false))?;
        let shares = Rc::new(Shares {
            sender,
            stream,
            shared: shared.clone(),
            peer,
            active: Cell::new(0),
            used: Cell::new(false),
            keep: Cell::new(keep.time),
            changed: Notify::new(),
            _held: held,
        });
        tokio::task::spawn_local(drive(shares.clone(), connection));
        Ok(shares)
    }

    /// Whether there can be more exchanges.
    pub fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    /// Whether there is no exchange.
    pub fn is_idle(&self) -> bool {
        self.active.get() == 0
    }

    /// Whether there has been an exchange before.
    pub fn is_used(&self) -> bool {
        self.used.get()
    }

    /// Closes it, and ends all exchanges.
    pub fn close(&self) {
        self.stream.close();
        self.changed.notify_one();
        self.shared.freed.notify_one();
    }

    /// Closes it as soon as there is no exchange.
    pub fn close_when_idle(&self) {
        self.keep.set(Duration::ZERO);
        self.changed.notify_one();
    }
}

/// Moves frames until the connection ends.
async fn drive(shares: Rc<Shares>, connection: Connection<Io, Bytes>) {
    let mut connection = pin!(connection);
    loop {
        let changed = shares.changed.notified();
        let limit = match shares.is_idle() {
            true => shares.keep.get(),
            false => NO_LIMIT,
        };
        tokio::select! {
            biased;
            _ = &mut connection => break,
            () = changed => {
                if !shares.is_open() {
                    break;
                }
            }
            () = tokio::time::sleep(limit) => break,
        }
    }
    shares.close();
}

/// An exchange.
pub struct H2 {
    shares: Rc<Shares>,
    clock: Clock,
    /// Whether it is not the first of its connection.
    is_reused: bool,
    response: Option<ResponseFuture>,
    sending: Option<SendStream<Bytes>>,
    receiving: Option<RecvStream>,
    /// Of a body whose length was said.
    left: Option<u64>,
    /// What may wait to be sent.
    held: Held,
    is_held: bool,
}

impl Drop for H2 {
    fn drop(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.send_reset(Reason::CANCEL);
        }
        self.shares.active.set(self.shares.active.get() - 1);
        if self.shares.is_idle() {
            self.shares.changed.notify_one();
            self.shares.shared.freed.notify_one();
        }
    }
}

impl H2 {
    /// An exchange over a connection.
    pub fn new(shares: Rc<Shares>, clock: Clock) -> H2 {
        shares.active.set(shares.active.get() + 1);
        let is_reused = shares.used.replace(true);
        let held = shares.shared.net.memory().hold();
        H2 {
            shares,
            clock,
            is_reused,
            response: None,
            sending: None,
            receiving: None,
            left: None,
            held,
            is_held: false,
        }
    }

    /// Host and port, for messages.
    pub fn peer(&self) -> &str {
        &self.shares.peer
    }

    /// What is left has another clock.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    fn failed(&self, error: &h2::Error) -> Failure {
        failed(error, self.peer(), self.is_reused)
    }

    fn malformed(&self, why: &str) -> Failure {
        Failure::new(format!("{} sent {why}", self.peer()))
    }

    /// Sends the head; `is_end`: there is no body. `length`: of the body, if it is known.
    pub async fn send_head(
        &mut self,
        head: Request<()>,
        is_end: bool,
        length: Option<u64>,
    ) -> Outcome<()> {
        let mut sender = self.shares.sender.clone();
        let clock = self.clock;
        let doing = format!("sending to {}", self.peer());
        let sending = async {
            poll_fn(|cx| sender.poll_ready(cx))
                .await
                .map_err(|error| self.failed(&error))?;
            sender
                .send_request(head, is_end)
                .map_err(|error| self.failed(&error))
        };
        let (response, sending) = clock.within(clock.times.send, || doing, sending).await?;
        self.left = length;
        self.response = Some(response);
        self.sending = (!is_end).then_some(sending);
        Ok(())
    }

    /// Sends a piece of the body; whether the other side wants more of it.
    pub async fn send_body(&mut self, mut bytes: &[u8]) -> Outcome<bool> {
        if let Some(left) = &mut self.left {
            *left = (left.checked_sub(bytes.len() as u64))
                .ok_or_else(|| Failure::new("the body is longer than its Content-Length says"))?;
        }
        if !self.is_held && !bytes.is_empty() {
            let grown = self.held.grow(SEND);
            grown.map_err(|error| Failure::of_net(error, &self.shares.peer))?;
            self.is_held = true;
        }
        while !bytes.is_empty() {
            let wanted = bytes.len().min(SEND);
            let room = self.room(wanted).await?;
            let Some(sending) = self.sending.as_mut().filter(|_| room > 0) else {
                return Ok(false);
            };
            let (now, rest) = bytes.split_at(room.min(wanted));
            let sent = sending.send_data(Bytes::copy_from_slice(now), false);
            sent.map_err(|error| self.failed(&error))?;
            bytes = rest;
        }
        Ok(true)
    }

    /// How much of `wanted` can be sent now; 0: the other side has said that it wants nothing more.
    async fn room(&mut self, wanted: usize) -> Outcome<usize> {
        let clock = self.clock;
        let doing = format!("sending to {}", self.peer());
        let Some(sending) = &mut self.sending else {
            return Ok(0);
        };
        sending.reserve_capacity(wanted);
        let room = poll_fn(|cx| {
            loop {
                return match ready!(sending.poll_capacity(cx)) {
                    // Some was taken away again: wait for more.
                    Some(Ok(0)) => continue,
                    Some(room) => Poll::Ready(room),
                    None => Poll::Ready(Ok(0)),
                };
            }
        });
        let room = clock
            .within(clock.times.send, || doing, async { Ok(room.await) })
            .await?;
        match room {
            Err(error) if error.reason() == Some(Reason::NO_ERROR) => Ok(0),
            room => room.map_err(|error| self.failed(&error)),
        }
    }

    /// The body is at its end.
    pub fn finish(&mut self) -> Outcome<()> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(Failure::new(
                "the body is shorter than its Content-Length says",
            ));
        }
        match &mut self.sending {
            Some(sending) => {
                (sending.send_data(Bytes::new(), true)).or_else(|error| match error.is_reset() {
                    // Said when the response is read.
                    true => Ok(()),
                    false => Err(failed(&error, &self.shares.peer, false)),
                })
            }
            None => Ok(()),
        }
    }

    /// Reads the head of the response.
    pub async fn read_head(&mut self) -> Outcome<Head> {
        let Some(mut response) = self.response.take() else {
            return Err(Failure::new("the request was not sent"));
        };
        let mut interim = 0;
        let mut reading = poll_fn(move |cx| {
            while let Poll::Ready(Some(one)) = response.poll_informational(cx) {
                interim += 1;
                if one.is_err() || interim > MAX_INTERIM {
                    break;
                }
            }
            match interim > MAX_INTERIM {
                true => Poll::Ready(None),
                false => Pin::new(&mut response).poll(cx).map(Some),
            }
        });
        let doing = || format!("waiting for the response of {}", self.peer());
        let clock = self.clock;
        let response = clock
            .within(clock.times.read, doing, async { Ok((&mut reading).await) })
            .await?;
        let Some(response) = response else {
            return Err(self.malformed("too many interim responses"));
        };
        let (parts, body) = (response.map_err(|error| self.failed(&error))?).into_parts();
        if parts.headers.len() > MAX_FIELDS {
            return Err(self.malformed("more than 200 fields"));
        }
        let fields: Fields = (parts.headers.iter())
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut head = Head {
            status: parts.status.as_u16(),
            reason: Vec::new(),
            fields,
            framing: Framing::Close,
            keep_alive: true,
        };
        if body.is_end_stream() {
            head.framing = Framing::Length(0);
        } else if let Some(length) = head
            .only("content-length")
            .and_then(|length| std::str::from_utf8(length).ok()?.parse().ok())
        {
            head.framing = Framing::Length(length);
        }
        self.receiving = Some(body);
        Ok(head)
    }

    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Outcome<Option<Piece>> {
        let clock = self.clock;
        let doing = format!("reading the response of {}", self.peer());
        loop {
            let Some(receiving) = &mut self.receiving else {
                return Ok(None);
            };
            let reading = async { Ok(receiving.data().await) };
            let data = match clock
                .within(clock.times.read, || doing.clone(), reading)
                .await?
            {
                None => {
                    self.receiving = None;
                    // What was not sent is not wanted.
                    return Ok(None);
                }
                Some(Err(error)) => {
                    let why = self.failed(&error);
                    return Err(Failure {
                        stale: false,
                        ..why
                    });
                }
                Some(Ok(data)) => data,
            };
            let _ = receiving.flow_control().release_capacity(data.len());
            if data.is_empty() {
                continue;
            }
            let mut held = self.shares.shared.net.memory().hold();
            held.grow(data.len())
                .map_err(|error| Failure::of_net(error, &self.shares.peer))?;
            return Ok(Some(Piece {
                bytes: data.to_vec(),
                held,
            }));
        }
    }

    /// The exchange is over.
    pub fn end(mut self) {
        if self.receiving.is_none() {
            self.sending = None;
        }
    }
}

fn failed(error: &h2::Error, peer: &str, is_reused: bool) -> Failure {
    let refused = error.reason() == Some(Reason::REFUSED_STREAM);
    let gone = error.is_go_away() && error.is_remote() || error.is_io();
    let text = match error.reason() {
        None if error.is_io() => format!("{peer} closed the connection"),
        _ if error.is_go_away() && error.is_remote() => {
            format!("{peer} closed the connection ({error})")
        }
        _ => format!("HTTP/2 with {peer}: {error}"),
    };
    Failure {
        stale: is_reused && (refused || gone),
        ..Failure::new(text)
    }
}
