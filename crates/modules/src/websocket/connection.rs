//! One side of a WebSocket: messages over a [`Stream`], with what the protocol does by itself.
//!
//! ```text
//!   Open --close()--> Closing --the other side's close--> Ended
//!     \___the other side's close (answered), a violation (told), the connection lost, the server about to stop____^
//! ```
//!
//! **Invariants.** Frames go out one after the other, whole: what a stopped coroutine has left of one goes out before the next. A read or a write that is
//! given up loses nothing. Nothing is kept but the message on its way, at most `max_message` bytes, and one frame on its way out, both charged to the
//! VM's sockets. Whoever does not take what is sent to it for `send_limit` is cut off.

use rille_runtime::net::timed::timed;
use rille_runtime::net::websocket::frame::{close_of, encode, encoded_len, is_code};
use rille_runtime::net::websocket::{Frame, Masking, Opcode, ReadError, Reader, Rules, Violation};
use rille_runtime::net::{Held, MemoryLimit, NetError, Stream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// A wait for the other side that has no limit of its own.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// The most frames of one message: without data they would cost nothing but time.
const MAX_FRAGMENTS: u32 = 16 << 10;
/// The longest reason in a close frame, in bytes: two less than a control frame takes.
pub const MAX_REASON: usize = 123;

/// What is the app's choice.
pub struct Settings {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// How long the other side may take nothing of what is sent to it.
    pub send_limit: Duration,
    /// After so long a silence it is asked whether it is there, and after another one it is taken to have gone; `None`: never.
    pub ping: Option<Duration>,
}

/// A WebSocket.
pub struct WebSocket {
    stream: Stream,
    memory: Rc<MemoryLimit>,
    settings: Settings,
    /// `None` while somebody reads.
    reader: RefCell<Option<Reader>>,
    message: RefCell<Option<Joined>>,
    turn: Mutex<()>,
    outbox: RefCell<Outbox>,
    has_closed: Cell<bool>,
    /// When something has come last, or a ping has gone out since.
    heard: Cell<Instant>,
    has_asked: Cell<bool>,
    ended: RefCell<Option<Ended>>,
    stopping: watch::Receiver<bool>,
}

/// A message in the making.
struct Joined {
    is_text: bool,
    bytes: Vec<u8>,
    held: Held,
    fragments: u32,
}

/// What is on its way out.
#[derive(Default)]
struct Outbox {
    bytes: Rc<Vec<u8>>,
    sent: usize,
    _held: Option<Held>,
}

/// How it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The status code; 1005: none was given; 1006: the connection was lost.
    pub code: u16,
    /// Why, in the other side's words or ours.
    pub reason: Vec<u8>,
}

/// A message.
pub struct Message {
    /// Whether it is text, and UTF-8; bytes otherwise.
    pub is_text: bool,
    data: Data,
}

enum Data {
    Frame(Frame),
    Joined(Vec<u8>, #[allow(dead_code)] Held),
}

impl Message {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::Frame(frame) => frame.payload(),
            Data::Joined(bytes, _) => bytes,
        }
    }
}

/// What can be wrong beyond a frame.
fn refused(violation: Violation) -> Ended {
    Ended {
        code: violation.code(),
        reason: violation.to_string().into_bytes(),
    }
}

fn broken(code: u16, why: &str) -> Ended {
    Ended {
        code,
        reason: why.as_bytes().to_vec(),
    }
}

/// The reader, for as long as somebody reads.
struct Reading<'a> {
    socket: &'a WebSocket,
    reader: Reader,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        *self.socket.reader.borrow_mut() = Some(std::mem::take(&mut self.reader));
    }
}

impl WebSocket {
    /// The server's side of a connection whose handshake is over. It ends when `stopping` becomes true.
    pub fn of_server(
        stream: Stream,
        memory: Rc<MemoryLimit>,
        settings: Settings,
        stopping: watch::Receiver<bool>,
    ) -> WebSocket {
        WebSocket {
            stream,
            memory,
            settings,
            reader: RefCell::new(Some(Reader::default())),
            message: RefCell::default(),
            turn: Mutex::new(()),
            outbox: RefCell::default(),
            has_closed: Cell::new(false),
            heard: Cell::new(Instant::now()),
            has_asked: Cell::new(false),
            ended: RefCell::default(),
            stopping,
        }
    }

    /// How it has ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    // ---- receiving ----

    /// The next message; `None`: it has ended. Pings are answered meanwhile. The error is that somebody else receives.
    pub async fn receive(&self) -> Result<Option<Message>, &'static str> {
        if self.ended.borrow().is_some() {
            return Ok(None);
        }
        let Some(reader) = self.reader.borrow_mut().take() else {
            return Err("another coroutine is receiving already");
        };
        let mut reading = Reading {
            socket: self,
            reader,
        };
        let mut stopping = self.stopping.clone();
        let received = tokio::select! {
            biased;
            received = self.next_message(&mut reading.reader) => received,
            // If the VM has gone its stream has too.
            Ok(_) = stopping.wait_for(|is| *is) => Err(broken(1001, "the server is stopping")),
        };
        match received {
            Ok(message) => Ok(Some(message)),
            Err(ended) => {
                let code = ended.code;
                *self.ended.borrow_mut() = Some(ended);
                self.message.take();
                let payload = code.to_be_bytes();
                // The answer, or the news of what was wrong.
                let payload: &[u8] = if code == 1005 { b"" } else { &payload };
                if code != 1006 {
                    let _ = timed(FAREWELL, self.put(Opcode::Close, payload)).await;
                }
                Ok(None)
            }
        }
    }

    async fn next_message(&self, reader: &mut Reader) -> Result<Message, Ended> {
        loop {
            let joined = (self.message.borrow().as_ref()).map_or(0, |joined| joined.bytes.len());
            let rules = Rules {
                masking: Masking::Required,
                max_payload: (self.settings.max_message - joined) as u64,
            };
            let patience = (self.settings.ping).map_or(FOREVER, |ping| {
                ping.saturating_sub(self.heard.get().elapsed())
            });
            let read = (reader.read(&self.stream, &self.memory, &rules, patience)).await;
            if matches!(read, Err(ReadError::Net(_, NetError::Timeout))) {
                self.ask().await?;
                continue;
            }
            self.heard.set(Instant::now());
            self.has_asked.set(false);
            let frame = read.map_err(|error| match error {
                ReadError::Refused(violation) => refused(violation),
                ReadError::Net(_, NetError::TooMuchData(_)) => {
                    broken(1009, "there is no room for the message")
                }
                ReadError::Net(_, error) => broken(1006, &error.to_string()),
            })?;
            match frame.head.opcode {
                Opcode::Ping if self.has_closed.get() => {}
                Opcode::Ping => {
                    let sent = self.send_frame(Opcode::Pong, frame.payload()).await;
                    sent.map_err(|error| broken(1006, &error.to_string()))?;
                }
                Opcode::Pong => {}
                Opcode::Close => return Err(closed_by(frame.payload())),
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    if let Some(message) = self.joined(frame)? {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// Nothing has come for long.
    async fn ask(&self) -> Result<(), Ended> {
        if self.has_asked.replace(true) {
            self.stream.close();
            return Err(broken(1006, "no answer to a ping"));
        }
        self.heard.set(Instant::now());
        match self.has_closed.get() {
            true => Ok(()),
            false => (self.send_frame(Opcode::Ping, b"").await)
                .map_err(|error| broken(1006, &error.to_string())),
        }
    }

    /// Adds a frame of data to the message on its way; the message, if that was all.
    fn joined(&self, frame: Frame) -> Result<Option<Message>, Ended> {
        let mut message = self.message.borrow_mut();
        let is_first = frame.head.opcode != Opcode::Continuation;
        if is_first == message.is_some() {
            return Err(broken(1002, "the fragments of a message are not in order"));
        }
        let is_text = frame.head.opcode == Opcode::Text;
        if is_first && frame.head.fin {
            let data = Data::Frame(frame);
            return checked(Message { is_text, data }).map(Some);
        }
        let joined = message.get_or_insert_with(|| Joined {
            is_text,
            bytes: Vec::new(),
            held: self.memory.hold(),
            fragments: 0,
        });
        joined.fragments += 1;
        if joined.fragments > MAX_FRAGMENTS {
            return Err(broken(1009, "the message has too many fragments"));
        }
        joined.add(frame.payload())?;
        if !frame.head.fin {
            return Ok(None);
        }
        let done = message.take();
        let message = done.map(|joined| Message {
            is_text: joined.is_text,
            data: Data::Joined(joined.bytes, joined.held),
        });
        message.map(checked).transpose()
    }

    // ---- sending ----

    /// Sends a message. The error is that it has been closed, or the connection is lost.
    pub async fn send(&self, is_text: bool, bytes: &[u8]) -> Result<(), NetError> {
        let opcode = if is_text {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        self.send_frame(opcode, bytes).await
    }

    /// Asks whether the other side is there. At most 125 bytes are sent along.
    pub async fn ping(&self, bytes: &[u8]) -> Result<(), NetError> {
        self.send_frame(Opcode::Ping, bytes).await
    }

    /// Says that nothing more will be sent, if that has not been said.
    pub async fn close(&self, code: u16, reason: &[u8]) -> Result<(), NetError> {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(reason.iter().take(MAX_REASON));
        self.send_frame(Opcode::Close, &payload).await
    }

    /// At the end of whoever has it: a close, unless there was one.
    pub async fn finish(&self, code: u16) {
        if !self.has_closed.get() && self.ended.borrow().is_none() {
            // If it does not get through there is nobody to tell.
            let _ = timed(FAREWELL, self.close(code, b"")).await;
        }
        self.stream.close();
    }

    async fn send_frame(&self, opcode: Opcode, payload: &[u8]) -> Result<(), NetError> {
        if self.ended.borrow().is_some() {
            return Err(NetError::Closed);
        }
        self.put(opcode, payload).await
    }

    /// Sends a frame when it is its turn, unless a close was sent.
    async fn put(&self, opcode: Opcode, payload: &[u8]) -> Result<(), NetError> {
        let _turn = self.turn.lock().await;
        if self.has_closed.get() {
            return Err(NetError::Closed);
        }
        self.flush().await?;
        let length = encoded_len(payload.len(), false);
        let mut held = self.memory.hold();
        held.grow(length)?;
        let mut bytes = Vec::with_capacity(length);
        encode(&mut bytes, true, opcode as u8, payload, None);
        *self.outbox.borrow_mut() = Outbox {
            bytes: Rc::new(bytes),
            sent: 0,
            _held: Some(held),
        };
        self.has_closed.set(opcode == Opcode::Close);
        self.flush().await
    }

    /// Sends what is on its way.
    async fn flush(&self) -> Result<(), NetError> {
        loop {
            let (bytes, sent) = {
                let outbox = self.outbox.borrow();
                (outbox.bytes.clone(), outbox.sent)
            };
            let rest = bytes.get(sent..).unwrap_or_default();
            let limit = self.settings.send_limit;
            let step = match rest.is_empty() {
                true => self.stream.flush(limit).await.map(|()| 0),
                false => self.stream.write_some(rest, limit).await,
            };
            match step {
                Ok(0) => {
                    self.outbox.take();
                    return Ok(());
                }
                Ok(count) => self.outbox.borrow_mut().sent += count,
                Err(error) => {
                    self.outbox.take();
                    self.has_closed.set(true);
                    // Who receives is woken.
                    self.stream.close();
                    return Err(error);
                }
            }
        }
    }
}

impl Joined {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let full = |_| broken(1009, "there is no room for the message");
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len < bytes.len() {
            let new = (len + bytes.len()).max(capacity + capacity.min(self.held.room()));
            self.held.grow(new - capacity).map_err(full)?;
            self.bytes.reserve_exact(new - len);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

fn checked(message: Message) -> Result<Message, Ended> {
    match !message.is_text || std::str::from_utf8(message.bytes()).is_ok() {
        true => Ok(message),
        false => Err(broken(1007, "the text is not UTF-8")),
    }
}

/// What a close frame of the other side's says.
fn closed_by(payload: &[u8]) -> Ended {
    match close_of(payload) {
        Err(violation) => refused(violation),
        Ok(None) => broken(1005, ""),
        Ok(Some((code, _))) if !is_code(code) => broken(1002, "the status code is none"),
        Ok(Some((_, reason))) if std::str::from_utf8(reason).is_err() => {
            broken(1007, "the reason is not UTF-8")
        }
        Ok(Some((code, reason))) => Ended {
            code,
            reason: reason.to_vec(),
        },
    }
}
