//! One request and its response, as the host functions of a script see them.
//!
//! **Invariants.** An exchange is the current context of its coroutines and of no other. What a script
//! did not ask for was never built: `fields` is made on first use, the body is read when it is first
//! read. Once the head has gone out (`committed`), or a script has said something through `ngx` (`said`), status and headers no
//! longer change. What a script changes of its request is in `changed`; `head` stays as it came.

use crate::body::{Cut, Piece, ResponseBody};
use crate::edge::forwarded::{self, Forwarded};
use crate::fleet::Served;
use crate::head::Head;
use crate::http1::{self, WireError};
use crate::http2;
use crate::tls::Session;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use rille_lua::{Error, Result, Table};
use rille_runtime::coroutine::Budget;
use rille_runtime::light::Threads;
use rille_runtime::route::TargetId;
use rille_runtime::vm::{Context, Current};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// The longest wait for the next bytes of a request's body.
pub const BODY_GAP: Duration = Duration::from_secs(15);

/// Why a body could not be read; the status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// Over `limits.body`.
    TooLarge,
    /// Nothing came for [`BODY_GAP`].
    TooSlow,
    /// The client sent something malformed, or went away.
    Broken,
    /// Too many bodies are being held at once.
    NoRoom,
}

impl BodyError {
    /// The status a request ends with if its script lets the error pass.
    pub fn status(self) -> StatusCode {
        match self {
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
            BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// For the error in the script and the page of the client.
    pub fn message(self) -> &'static str {
        match self {
            BodyError::TooLarge => "the request's body is over the app's limit (limits.body)",
            BodyError::TooSlow => "the request's body came too slowly",
            BodyError::Broken => "the request's body could not be read",
            BodyError::NoRoom => "the app holds too many bodies at once (limits.memory)",
        }
    }
}

/// Bytes of bodies that the requests of one app hold outside of its VM, on one worker.
///
/// **Invariant:** `used` is the sum of what the app's live exchanges have taken, at most `limit`.
pub struct Room {
    used: Cell<u64>,
    limit: u64,
}

impl Room {
    /// The most bytes there may be.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Room for `limit` bytes.
    pub fn new(limit: u64) -> Rc<Room> {
        Rc::new(Room {
            used: Cell::new(0),
            limit,
        })
    }
}

/// What the script has said of its response so far.
#[derive(Default)]
pub struct Outgoing {
    /// `response.status`.
    pub status: Option<StatusCode>,
    /// `response.headers`.
    pub headers: HeaderMap,
    /// What was written and has not been flushed.
    pub written: Vec<u8>,
    /// Where flushed pieces go, once the head is out.
    pub stream: Option<mpsc::Sender<Piece>>,
    /// Whether the head is out.
    pub committed: bool,
    /// Whether `ngx.say` and the like have been called: to scripts the head is out.
    pub said: bool,
    /// Whether `ngx.eof` has been called.
    pub ended: bool,
    /// The length that a script has set.
    pub length: Option<u64>,
}

/// Where a request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// `rewrite`.
    Rewrite,
    /// `access`.
    Access,
    /// `content`: the handler.
    #[default]
    Content,
    /// `header_filter`.
    HeaderFilter,
    /// `body_filter`.
    BodyFilter,
    /// `log`.
    Log,
}

impl Phase {
    /// As `ngx.get_phase` has it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Rewrite => "rewrite",
            Phase::Access => "access",
            Phase::Content => "content",
            Phase::HeaderFilter => "header_filter",
            Phase::BodyFilter => "body_filter",
            Phase::Log => "log",
        }
    }
}

/// How a script ended its request, or its phase, before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// `ngx.exit`: a status, or what is to follow.
    Exit(i64),
    /// `ngx.exec`, or `ngx.req.set_uri` with a jump: another route answers.
    Jump {
        /// Whether `ngx.ctx` is forgotten.
        fresh: bool,
        /// The route, if it is not the one that the request's path leads to.
        to: Option<TargetId>,
    },
}

/// What a script has changed of its request.
#[derive(Default)]
pub struct Changed {
    /// The method.
    pub method: Option<Method>,
    /// The path, still encoded.
    pub path: Option<Vec<u8>>,
    /// What follows the question mark.
    pub query: Option<Option<Vec<u8>>>,
    /// All fields, with their names as they are written.
    pub fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// Where a request's body comes from.
pub enum Source {
    /// The connection.
    Wire(http1::Body),
    /// A stream of HTTP/2.
    Stream(http2::Body),
    /// It is here already.
    Memory(RefCell<Option<Bytes>>),
}

impl Source {
    /// The next bytes; `None` at the end.
    pub async fn next(&self) -> std::result::Result<Option<Bytes>, WireError> {
        match self {
            Source::Wire(body) => body.next().await,
            Source::Stream(body) => body.next().await,
            Source::Memory(bytes) => Ok(bytes.take()),
        }
    }
}

/// A request and its response.
pub struct Exchange {
    /// Method, target, version and fields.
    pub head: Head,
    /// The client.
    pub peer: SocketAddr,
    /// The address that was connected to.
    pub local: SocketAddr,
    /// How the connection is secured.
    pub tls: Option<Rc<Session>>,
    /// What a trusted proxy has said.
    pub forwarded: Option<Rc<Forwarded>>,
    /// Route parameters, decoded.
    pub params: RefCell<Vec<(Box<str>, Vec<u8>)>>,
    /// Counts requests of this worker.
    pub number: u64,
    /// When the head had been read.
    pub started: Instant,
    /// The app, as it is served here.
    pub served: Rc<Served>,
    /// The worker.
    pub worker: Rc<Worker>,
    /// The body.
    pub body: Source,
    /// Whether a coroutine of the request is reading it.
    pub reading: Cell<bool>,
    /// Bytes of the body that were received and not yet given out by `read`.
    pub buffered: RefCell<Vec<u8>>,
    /// Bytes of the body received so far.
    pub received: Cell<u64>,
    /// Bytes of the response's body, when it has been written.
    pub sent: Cell<u64>,
    /// The most there may be.
    pub body_limit: u64,
    /// What of it this exchange has taken.
    pub held: Cell<u64>,
    /// The first failure to read the body.
    pub body_error: Cell<Option<BodyError>>,
    /// The response.
    pub out: RefCell<Outgoing>,
    /// The head of a streamed response, until the connection takes it.
    pub started_response: RefCell<Option<Box<Response<ResponseBody>>>>,
    /// Whoever waits for that head.
    pub head_waker: RefCell<Option<Waker>>,
    /// What scripts set on `request`, and what was built for them.
    pub fields: RefCell<Option<Table>>,
    /// Processor time used for the request.
    pub cpu: Cell<Duration>,
    /// Its light threads.
    pub threads: Threads,
    /// Where the coroutine is in its request's life that runs now, or has run last.
    pub phase: Cell<Phase>,
    /// Where the request is in its own: `rewrite`, `access` or `content`. Filters run beside the latter.
    pub stage: Cell<Phase>,
    /// The route that answers it.
    pub target: Cell<TargetId>,
    /// Set by a script that wants to end.
    pub ending: RefCell<Option<Ending>>,
    /// What scripts have changed of the request.
    pub changed: RefCell<Option<Box<Changed>>>,
    /// What only `ngx` has.
    pub ngx: crate::ngx::State,
    /// What only `mk` has.
    pub mk: crate::mk::State,
    /// What it has made of its connection.
    pub upgrade: crate::upgrade::Upgrade,
}

impl Context for Exchange {
    fn cpu(&self) -> &Cell<Duration> {
        &self.cpu
    }

    fn threads(&self) -> &Threads {
        &self.threads
    }

    fn budget(&self) -> Budget {
        if let Some(budget) = self.upgrade.budget(self) {
            return budget;
        }
        let limits = &self.served.vm.app().manifest.limits;
        Budget {
            cpu: limits.cpu,
            per_minute: false,
            deadline: self.started + limits.wall,
            wall: limits.wall,
        }
    }

    fn phase(&self) -> &'static str {
        self.phase.get().name()
    }

    fn entered(&self) {
        self.phase.set(self.stage.get());
    }

    fn has_exited(&self) -> bool {
        self.ending.borrow().is_some()
    }
}

/// What the filters and the log of a request run for: they may run beside its content, and what they end is themselves.
pub struct Beside {
    /// The request.
    pub exchange: Rc<Exchange>,
    /// Which of them it is.
    pub phase: Phase,
    threads: Threads,
    exited: Cell<bool>,
}

impl Beside {
    /// A context for a phase of the request.
    pub fn new(exchange: Rc<Exchange>, phase: Phase) -> Rc<Beside> {
        Rc::new(Beside {
            exchange,
            phase,
            threads: Threads::default(),
            exited: Cell::new(false),
        })
    }

    /// `ngx.exit`.
    pub fn exit(&self) {
        self.exited.set(true);
        self.threads.wake_driver();
    }
}

impl Context for Beside {
    fn cpu(&self) -> &Cell<Duration> {
        &self.exchange.cpu
    }

    fn threads(&self) -> &Threads {
        &self.threads
    }

    fn budget(&self) -> Budget {
        self.exchange.budget()
    }

    fn phase(&self) -> &'static str {
        self.phase.name()
    }

    fn entered(&self) {
        self.exchange.phase.set(self.phase);
    }

    fn has_exited(&self) -> bool {
        self.exited.get()
    }
}

/// The request that the running coroutine belongs to.
pub fn current_exchange(current: &Current) -> Option<Rc<Exchange>> {
    match current.get::<Exchange>() {
        Some(exchange) => Some(exchange),
        None => current
            .get::<Beside>()
            .map(|beside| beside.exchange.clone()),
    }
}

/// A request as it has come, and who serves it.
pub struct Arrived {
    /// Its head.
    pub head: Head,
    /// The client.
    pub peer: SocketAddr,
    /// The address that was connected to.
    pub local: SocketAddr,
    /// How the connection is secured.
    pub tls: Option<Rc<Session>>,
    /// What a trusted proxy has said.
    pub forwarded: Option<Rc<Forwarded>>,
    /// Its body.
    pub body: Source,
    /// The app.
    pub served: Rc<Served>,
    /// The worker.
    pub worker: Rc<Worker>,
    /// When its head had been read.
    pub started: Instant,
}

impl Exchange {
    /// An exchange at its beginning.
    ///
    /// PERF: it is large, and made where it stays.
    #[inline(never)]
    pub fn begin(arrived: Arrived, params: Vec<(Box<str>, Vec<u8>)>) -> Rc<Exchange> {
        let Arrived {
            head,
            peer,
            local,
            tls,
            forwarded,
            body,
            served,
            worker,
            started,
        } = arrived;
        Rc::new(Exchange {
            head,
            peer,
            local,
            tls,
            forwarded,
            params: RefCell::new(params),
            number: worker.next_number(),
            started,
            body,
            reading: Cell::default(),
            buffered: RefCell::default(),
            received: Cell::default(),
            sent: Cell::default(),
            body_limit: served.vm.app().manifest.limits.body,
            held: Cell::default(),
            body_error: Cell::default(),
            out: RefCell::default(),
            started_response: RefCell::default(),
            head_waker: RefCell::default(),
            fields: RefCell::default(),
            cpu: Cell::default(),
            threads: Threads::default(),
            phase: Cell::default(),
            stage: Cell::default(),
            target: Cell::new(TargetId(0)),
            ending: RefCell::default(),
            changed: RefCell::default(),
            ngx: Default::default(),
            mk: Default::default(),
            upgrade: Default::default(),
            served,
            worker,
        })
    }

    /// `http` or `https`: what the client has used, as far as that is known.
    pub fn scheme(&self) -> &'static str {
        forwarded::scheme(self.forwarded.as_deref(), self.tls.is_some())
    }

    /// The host and the port that the client has asked for, as far as that is known.
    pub fn authority(&self) -> &str {
        forwarded::host(self.forwarded.as_deref(), &self.head)
    }

    /// Who has connected: the client, or a trusted proxy.
    pub fn connected(&self) -> SocketAddr {
        self.forwarded
            .as_ref()
            .map_or(self.peer, |forwarded| forwarded.peer)
    }

    /// What `request.id` is.
    pub fn id(&self) -> String {
        self.worker.id_of(self.number)
    }

    /// The method as scripts see it.
    pub fn method(&self) -> Method {
        let changed = self.changed.borrow();
        let method = changed.as_ref().and_then(|changed| changed.method.as_ref());
        method.unwrap_or(&self.head.method).clone()
    }

    /// The path as scripts see it, still encoded.
    pub fn path(&self) -> Vec<u8> {
        let changed = self.changed.borrow();
        match changed.as_ref().and_then(|changed| changed.path.as_ref()) {
            Some(path) => path.clone(),
            None => self.head.path().to_vec(),
        }
    }

    /// What follows the question mark, as scripts see it.
    pub fn query(&self) -> Option<Vec<u8>> {
        let changed = self.changed.borrow();
        match changed.as_ref().and_then(|changed| changed.query.as_ref()) {
            Some(query) => query.clone(),
            None => self.head.query().map(<[u8]>::to_vec),
        }
    }

    /// Calls `f` with each field as scripts see it.
    pub fn each_field(&self, mut f: impl FnMut(&[u8], &[u8])) {
        let changed = self.changed.borrow();
        match changed.as_ref().and_then(|changed| changed.fields.as_ref()) {
            Some(fields) => fields.iter().for_each(|(name, value)| f(name, value)),
            None => self.head.fields().for_each(|(name, value)| f(name, value)),
        }
    }

    /// Changes the request that scripts see.
    pub fn change<R>(&self, f: impl FnOnce(&mut Changed) -> R) -> R {
        f(self.changed.borrow_mut().get_or_insert_default())
    }

    /// When the request began, since the beginning of 1970.
    pub fn start_time(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or_default()
            .saturating_sub(self.started.elapsed())
    }

    /// Whether status and headers have gone out.
    pub fn committed(&self) -> bool {
        self.out.borrow().committed
    }

    /// A script wants its request, or its phase, to end: it waits for nothing from now on.
    pub fn end(&self, ending: Ending) {
        *self.ending.borrow_mut() = Some(ending);
        self.threads.wake_driver();
    }

    /// The status that `response.status = n` sets.
    pub fn set_status(&self, status: i64) -> Result<()> {
        let status = status_code(status)?;
        self.refuse_when_committed("status")?;
        self.out.borrow_mut().status = Some(status);
        Ok(())
    }

    /// Sets a header, or with `append` adds one beside those of the same name. `None` removes it.
    pub fn set_header(&self, name: &[u8], value: Option<&[u8]>, append: bool) -> Result<()> {
        self.refuse_when_committed("headers")?;
        put_header(&mut self.out.borrow_mut().headers, name, value, append)
    }

    fn refuse_when_committed(&self, what: &str) -> Result<()> {
        match self.committed() && self.phase.get() != Phase::HeaderFilter {
            true => Err(Error::runtime(format!(
                "cannot change {what}: the response has begun (it was flushed)"
            ))),
            false => Ok(()),
        }
    }

    /// Adds to the response's body.
    pub fn write(&self, bytes: Vec<u8>) -> Result<()> {
        let kept = self.out.borrow().written.len().saturating_add(bytes.len()) as u64;
        if kept > self.served.vm.app().manifest.limits.response || !self.hold(bytes.len() as u64) {
            return Err(Error::runtime(
                "the response is too large to keep; call response:flush() between writes",
            ));
        }
        let written = &mut self.out.borrow_mut().written;
        match written.is_empty() {
            true => *written = bytes,
            false => written.extend_from_slice(&bytes),
        }
        Ok(())
    }

    /// Takes room for bytes of a body; false if there is none.
    fn hold(&self, bytes: u64) -> bool {
        let room = &self.served.room;
        let used = room.used.get() + bytes;
        if used > room.limit {
            return false;
        }
        room.used.set(used);
        self.held.set(self.held.get() + bytes);
        true
    }

    /// Gives room back.
    fn release(&self, bytes: u64) {
        self.held.set(self.held.get() - bytes);
        let room = &self.served.room;
        room.used.set(room.used.get() - bytes);
    }

    /// Keeps received bytes until they are asked for.
    pub fn keep(&self, data: &[u8]) -> std::result::Result<(), BodyError> {
        if !self.hold(data.len() as u64) {
            return Err(self.fail(BodyError::NoRoom));
        }
        self.buffered.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    /// Up to `count` of the kept bytes.
    pub fn give(&self, count: usize) -> Vec<u8> {
        let mut buffered = self.buffered.borrow_mut();
        let count = count.min(buffered.len());
        let rest = buffered.split_off(count);
        let given = std::mem::replace(&mut *buffered, rest);
        self.release(given.len() as u64);
        given
    }

    /// Sends what was written; waits while the client is slower than the script.
    pub async fn flush(self: Rc<Self>) -> Result<()> {
        let (sender, piece) = {
            let mut out = self.out.borrow_mut();
            let piece = std::mem::take(&mut out.written);
            self.release(piece.len() as u64);
            if self.head.method == Method::HEAD || out.ended {
                return Ok(());
            }
            if !out.committed {
                self.commit(&mut out);
            }
            match &out.stream {
                Some(sender) => (sender.clone(), piece),
                None => return Ok(()),
            }
        };
        if !piece.is_empty() && sender.send(Ok(piece.into())).await.is_err() {
            return Err(Error::runtime("the client has gone"));
        }
        give_turn().await;
        Ok(())
    }

    /// Sends what was written if the connection can take it now. A script that says much and then waits is not to keep it.
    pub fn push(&self, least: usize) {
        let mut out = self.out.borrow_mut();
        if out.written.len() < least.max(1) || self.head.method == Method::HEAD {
            return;
        }
        if !out.committed {
            self.commit(&mut out);
        }
        let Some(sender) = out.stream.clone() else {
            return;
        };
        if let Ok(permit) = sender.try_reserve() {
            let piece = std::mem::take(&mut out.written);
            self.release(piece.len() as u64);
            permit.send(Ok(piece.into()));
        }
    }

    /// Hands the head to the connection.
    fn commit(&self, out: &mut Outgoing) {
        let (sender, receiver) = mpsc::channel(1);
        let mut response = Response::new(ResponseBody::Stream(receiver, out.length));
        *response.status_mut() = out.status.unwrap_or(StatusCode::OK);
        *response.headers_mut() = std::mem::take(&mut out.headers);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response
                .headers_mut()
                .entry(http::header::CONTENT_TYPE)
                .or_insert(crate::pages::TEXT);
        }
        *self.started_response.borrow_mut() = Some(Box::new(response));
        if let Some(waker) = self.head_waker.borrow_mut().take() {
            waker.wake();
        }
        out.stream = Some(sender);
        out.committed = true;
    }

    /// Ends a streamed response: its last piece, or the news that it is cut short.
    pub async fn end_stream(&self, last: std::result::Result<Bytes, Cut>) {
        let Some(sender) = self.out.borrow_mut().stream.take() else {
            return;
        };
        if !matches!(&last, Ok(bytes) if bytes.is_empty()) {
            // The client may have gone; there is nobody to tell.
            let _ = sender.send(last).await;
        }
    }

    /// The next bytes of the body; `None` at its end.
    pub async fn next_bytes(&self) -> std::result::Result<Option<Bytes>, BodyError> {
        if let Some(error) = self.body_error.get() {
            return Err(error);
        }
        // Another coroutine of the same request is reading: it gets what comes.
        if self.reading.replace(true) {
            return Err(self.fail(BodyError::Broken));
        }
        let read = tokio::time::timeout(BODY_GAP, self.body.next()).await;
        self.reading.set(false);
        let data = match read {
            Err(_) => return Err(self.fail(BodyError::TooSlow)),
            Ok(Err(WireError::Gone | WireError::Refused(_))) => {
                return Err(self.fail(BodyError::Broken));
            }
            Ok(Ok(data)) => data,
        };
        let length = data.as_ref().map_or(0, |data| data.len() as u64);
        self.received.set(self.received.get() + length);
        match self.received.get() > self.body_limit {
            true => Err(self.fail(BodyError::TooLarge)),
            false => Ok(data),
        }
    }

    fn fail(&self, error: BodyError) -> BodyError {
        self.body_error.set(Some(error));
        error
    }

    /// `GET /path`, for the log.
    pub fn describe(&self) -> String {
        let path: String = String::from_utf8_lossy(self.head.path())
            .chars()
            .take(200)
            .collect();
        format!("{} {path}", self.head.method)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.release(self.held.get());
    }
}

/// Lets the connection take what it has been given before the script goes on.
pub async fn give_turn() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// A status a script may set. 1xx are the server's own.
pub fn status_code(status: i64) -> Result<StatusCode> {
    u16::try_from(status)
        .ok()
        .filter(|status| (200..1000).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| Error::runtime(format!("{status} is not a response status (200 to 999)")))
}

/// Checks and stores one header of a response.
pub fn put_header(
    headers: &mut HeaderMap,
    name: &[u8],
    value: Option<&[u8]>,
    append: bool,
) -> Result<()> {
    let shown = || String::from_utf8_lossy(name).escape_debug().to_string();
    let Ok(header) = HeaderName::from_bytes(name) else {
        return Err(Error::runtime(format!("invalid header name '{}'", shown())));
    };
    if matches!(
        header.as_str(),
        "content-length" | "transfer-encoding" | "keep-alive" | "upgrade" | "te" | "trailer"
    ) {
        return Err(Error::runtime(format!(
            "the header '{}' is the server's own",
            shown()
        )));
    }
    let Some(value) = value else {
        headers.remove(header);
        return Ok(());
    };
    if header == http::header::CONNECTION && !value.eq_ignore_ascii_case(b"close") {
        return Err(Error::runtime(
            "the header 'connection' can only be 'close'",
        ));
    }
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return Err(Error::runtime(format!(
            "invalid value of the header '{}': it has a line break, NUL or control character",
            shown()
        )));
    };
    let stored = match append {
        true => headers.try_append(header, value).is_ok(),
        false => headers.try_insert(header, value).is_ok(),
    };
    if !stored {
        return Err(Error::runtime("too many headers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, value: &str) -> std::result::Result<(), String> {
        put_header(
            &mut HeaderMap::new(),
            name.as_bytes(),
            Some(value.as_bytes()),
            false,
        )
        .map_err(|e| e.to_string())
    }

    #[test]
    fn headers_that_would_split_a_response_are_refused() {
        assert!(put("X-A", "b").is_ok());
        for value in ["a\rb", "a\nb", "a\0b", "a\r\nSet-Cookie: x"] {
            assert!(put("X-A", value).is_err(), "{value:?}");
        }
        for name in [
            "",
            "a b",
            "a\r\n",
            "a:",
            "Content-Length",
            "transfer-encoding",
        ] {
            assert!(put(name, "1").is_err(), "{name:?}");
        }
        assert!(put("Connection", "close").is_ok() && put("Connection", "upgrade").is_err());
    }

    /// One is made for each request: beyond this size the allocator keeps none of them at hand for the next.
    #[test]
    fn an_exchange_is_small() {
        let counts = 2 * size_of::<usize>();
        let size = size_of::<Exchange>() + counts;
        assert!(size <= 1032, "{size} bytes");
    }

    #[test]
    fn statuses() {
        assert_eq!(status_code(204).unwrap(), StatusCode::NO_CONTENT);
        for bad in [0, 100, 199, 1000, -1, i64::MAX] {
            assert!(status_code(bad).is_err());
        }
    }
}
