//! One request over HTTP/1.1.
//!
//! ```text
//!   send_head -> send_body* -> finish -> read_head -> next* -> (pool)
//! ```
//!
//! **Invariants.** A connection goes to the pool only if the request was sent completely, the response was read to its end, nothing came behind it,
//! and neither side has said that it closes; whatever else ends an exchange closes the connection. No more than [`PIECE`] bytes of a body
//! are held unless all of it was asked for.

use super::error::{Clock, Failure, Outcome};
use super::head::{self, Framing, Head, MAX_HEAD, MAX_INTERIM, MAX_STATUS_LINE};
use super::link::Link;
use rille_runtime::net::chunked::Decoder;
use rille_runtime::net::pattern::Until;
use rille_runtime::net::{Held, NetError, Pattern, Received};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How much of a body is read at a time.
pub const PIECE: usize = 64 << 10;
/// There is another clock.
const NO_LIMIT: Duration = Duration::from_secs(1 << 30);

/// How the body of the request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Its length was said; so much is still to come.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Bytes of a body, charged to the VM.
pub struct Piece {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What stands for them.
    pub held: Held,
}

/// An exchange.
pub struct H1 {
    link: Link,
    clock: Clock,
    sending: Sent,
    is_sent: bool,
    /// Nothing of a response has come.
    is_silent: bool,
    framing: Framing,
    decoder: Decoder,
    is_ended: bool,
    reusable: bool,
}

impl H1 {
    /// An exchange over a connection.
    pub fn new(link: Link, clock: Clock, sending: Sent) -> H1 {
        H1 {
            link,
            clock,
            sending,
            is_sent: false,
            is_silent: true,
            framing: Framing::Length(0),
            decoder: Decoder::default(),
            is_ended: false,
            reusable: false,
        }
    }

    fn peer(&self) -> &str {
        self.link.peer()
    }

    /// A failure of this connection; whether it was a used one decides whether that can be the end of an old connection.
    fn failed(&self, error: NetError) -> Failure {
        let mut failure = Failure::of_net(error, self.peer());
        failure.stale &= self.link.is_reused() && self.is_silent;
        failure
    }

    fn malformed(&self, why: &str) -> Failure {
        Failure::new(format!("{} sent {why}", self.peer()))
    }

    /// What is left has another clock.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    // ---- the request ----

    /// Sends bytes as they are.
    pub async fn send(&self, bytes: &[u8]) -> Outcome<()> {
        let stream = self.link.stream();
        let sending = async {
            (stream.write_all(bytes, self.clock.times.send).await).map_err(|error| match error {
                NetError::Timeout => Failure::new(format!(
                    "timeout after {} s while sending to {}",
                    self.clock.times.send.as_secs_f64(),
                    self.peer()
                )),
                error => self.failed(error),
            })
        };
        let doing = || format!("sending to {}", self.peer());
        self.clock.within(NO_LIMIT, doing, sending).await
    }

    /// Sends a piece of the body; an empty one is nothing.
    pub async fn send_body(&mut self, bytes: &[u8]) -> Outcome<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.sending {
            Sent::Length(left) => {
                *left = (left.checked_sub(bytes.len() as u64)).ok_or_else(|| {
                    Failure::new("the body is longer than its Content-Length says")
                })?;
                self.send(bytes).await
            }
            Sent::Chunked => {
                self.send(format!("{:x}\r\n", bytes.len()).as_bytes())
                    .await?;
                self.send(bytes).await?;
                self.send(b"\r\n").await
            }
        }
    }

    /// Whether it is worth while to look for a response after a piece of the body could not be sent.
    pub fn may_have_answered(&self, failure: &Failure) -> bool {
        failure.is_of_connection
    }

    /// The body is at its end.
    pub async fn finish(&mut self) -> Outcome<()> {
        match self.sending {
            Sent::Length(0) => {}
            Sent::Length(_) => {
                return Err(Failure::new(
                    "the body is shorter than its Content-Length says",
                ));
            }
            Sent::Chunked => self.send(b"0\r\n\r\n").await?,
        }
        self.is_sent = true;
        Ok(())
    }

    /// Sends the head and a whole body, and reads the head of the response, which may come before all of the body was sent.
    pub async fn ask(&mut self, head: &[u8], body: &[u8], to_head: bool) -> Outcome<Head> {
        let answer = {
            let this = &*self;
            let mut sending = pin!(async {
                this.send(head).await?;
                this.send(body).await
            });
            let mut reading = pin!(this.receive_head(to_head));
            let mut sent = None;
            let first = poll_fn(|cx| {
                if sent.is_none()
                    && let Poll::Ready(done) = sending.as_mut().poll(cx)
                {
                    sent = Some(done);
                }
                match reading.as_mut().poll(cx) {
                    Poll::Ready(head) => Poll::Ready(Some(head)),
                    Poll::Pending if sent.is_some() => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await;
            let answer = match (first, &sent) {
                (Some(answer), _) => answer,
                // It takes nothing, and there is nobody to wait for.
                (None, Some(Err(unsent))) if !unsent.is_of_connection => {
                    return Err(unsent.clone());
                }
                (None, _) => this.in_time(reading).await,
            };
            match (answer, sent) {
                // A peer that has no use for the body says so, or just closes.
                (Ok(answer), sent) => (answer, matches!(sent, Some(Ok(())))),
                (Err(failure), Some(Err(unsent))) => {
                    let stale = unsent.stale && failure.stale;
                    return Err(Failure { stale, ..unsent });
                }
                (Err(failure), _) => return Err(failure),
            }
        };
        self.is_sent = answer.1;
        self.answered(answer.0)
    }

    // ---- the response ----

    /// Reads the head of the response, once the request has been sent.
    pub async fn read_head(&mut self, to_head: bool) -> Outcome<Head> {
        let answer = self.in_time(self.receive_head(to_head)).await?;
        self.answered(answer)
    }

    async fn in_time<T>(&self, reading: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let doing = || format!("waiting for the response of {}", self.peer());
        self.clock
            .within(self.clock.times.read, doing, reading)
            .await
    }

    fn answered(&mut self, head: Head) -> Outcome<Head> {
        self.is_silent = false;
        self.framing = head.framing;
        self.is_ended = head.framing == Framing::Length(0);
        self.reusable = head.keep_alive && self.is_sent;
        Ok(head)
    }

    async fn receive_head(&self, to_head: bool) -> Outcome<Head> {
        for count in 0..=MAX_INTERIM {
            let head = self.receive_one(to_head).await;
            let head = head.map_err(|failure| Failure {
                stale: failure.stale && count == 0,
                ..failure
            })?;
            match head.status {
                101 => {
                    return Err(
                        self.malformed("a switch to another protocol, which was not asked for")
                    );
                }
                100..=199 => {}
                _ => return Ok(head),
            }
        }
        Err(self.malformed("too many interim responses"))
    }

    async fn receive_one(&self, to_head: bool) -> Outcome<Head> {
        let mut bytes = Received::new(self.link.memory());
        let line = self.until(b"\r\n", MAX_STATUS_LINE, 0, &mut bytes).await;
        if !bytes.bytes().is_empty()
            && !b"HTTP/".starts_with(bytes.bytes().get(..5).unwrap_or(bytes.bytes()))
        {
            return Err(self.malformed("something that is no HTTP response"));
        }
        match line {
            Err(NetError::Closed) if !bytes.bytes().is_empty() => {
                return Err(self.malformed("a head that is cut short"));
            }
            line => {
                if !line.map_err(|error| self.failed(error))? {
                    return Err(self.malformed("a status line longer than 4 KiB"));
                }
            }
        }
        // The end of the line is the beginning of what ends a head.
        let rest = self.until(b"\r\n\r\n", MAX_HEAD, 2, &mut bytes).await;
        match rest {
            Ok(true) => head::parse(bytes.bytes(), to_head).map_err(|why| self.malformed(why)),
            Ok(false) => Err(self.malformed("a head longer than 64 KiB")),
            Err(NetError::Closed) => Err(self.malformed("a head that is cut short")),
            Err(error) => Err(Failure {
                stale: false,
                ..self.failed(error)
            }),
        }
    }

    /// Reads up to a text, of which `state` bytes have been read, but not much more than `most`; whether it was found.
    async fn until(
        &self,
        text: &[u8],
        most: usize,
        state: usize,
        out: &mut Received,
    ) -> Result<bool, NetError> {
        let until = Until::new(text, state > 0).ok_or(NetError::Closed)?;
        let mut pattern = Pattern::until(until.resume(state).pause_after(most));
        self.link.stream().read(&mut pattern, out, NO_LIMIT).await?;
        Ok(pattern.as_until().is_some_and(Until::found))
    }

    /// The next piece of the body; `None` at its end. With `all`, a piece may be as long as the body.
    pub async fn next(&mut self, all: bool) -> Outcome<Option<Piece>> {
        loop {
            if self.is_ended {
                return Ok(None);
            }
            let clock = self.clock;
            let doing = format!("reading the response of {}", self.peer());
            let piece = clock
                .within(clock.times.read, || doing, self.advance(all))
                .await?;
            if let Some(piece) = piece.filter(|piece| !piece.bytes.is_empty()) {
                return Ok(Some(piece));
            }
        }
    }

    async fn advance(&mut self, all: bool) -> Outcome<Option<Piece>> {
        let most = match self.framing {
            Framing::Length(left) => usize::try_from(left).unwrap_or(usize::MAX).min(PIECE),
            _ => PIECE,
        };
        // A body whose length is known comes straight to where it belongs.
        let mut pattern = match (self.framing, all) {
            (Framing::Length(_), true) => Pattern::bytes(most),
            _ => Pattern::any(most),
        };
        let mut received = Received::new(self.link.memory());
        let read = self
            .link
            .stream()
            .read(&mut pattern, &mut received, NO_LIMIT)
            .await;
        match (read, self.framing) {
            (Ok(()), _) => {}
            (Err(NetError::Closed), Framing::Close) => {
                self.is_ended = true;
                return Ok(None);
            }
            (Err(NetError::Closed), _) => {
                return Err(self.malformed("a body that is cut short"));
            }
            (Err(error), _) => {
                return Err(Failure {
                    stale: false,
                    ..self.failed(error)
                });
            }
        }
        let input = received.bytes();
        let mut held = self.link.memory().hold();
        held.grow(input.len()).map_err(|error| self.failed(error))?;
        let bytes = match &mut self.framing {
            Framing::Close => input.to_vec(),
            Framing::Length(left) => {
                *left = left.saturating_sub(input.len() as u64);
                self.is_ended = *left == 0;
                input.to_vec()
            }
            Framing::Chunked => self.decode(input)?,
        };
        Ok(Some(Piece { bytes, held }))
    }

    fn decode(&mut self, mut input: &[u8]) -> Outcome<Vec<u8>> {
        let mut out = Vec::new();
        while !input.is_empty() {
            let step = (self.decoder.decode(input))
                .map_err(|_| self.malformed("a chunked body that is malformed"))?;
            out.extend_from_slice(input.get(step.data).unwrap_or_default());
            input = input.get(step.used..).unwrap_or_default();
            if step.ended {
                self.is_ended = true;
                // Nobody asked for what is behind it.
                self.reusable &= input.is_empty();
                break;
            }
        }
        Ok(out)
    }

    /// The exchange is over: the connection can be used again, or is closed.
    pub fn end(self) {
        if self.is_ended && self.reusable {
            self.link.release();
        }
    }
}
