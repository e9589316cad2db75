//! A request that leaves HTTP, and one whose client leaves it.
//!
//! ```text
//!   take_over --> RawSocket: the script reads and writes the connection itself, which ends with its request
//!   body_socket --> BodySocket: it reads its body as it comes
//!   when_gone(f) ... the client leaves --> f runs, as a light thread, and the request goes on
//! ```
//!
//! **Invariants.** A connection is taken once, and then what is said through `ngx` or `response` goes nowhere. A request that has taken its
//! connection has no wall limit, and its processor time is what a task has a minute (`limits.cpu_per_minute`): a chat may last for days. What bounds it is that
//! each of its waits has a limit of its own, that their number is bounded (`limits.upgrades`), and that it is ended a minute after its client has hung up.

use crate::exchange::{Exchange, Source};
use crate::http1::Body;
use http::Version;
use rille_lua::Thread;
use rille_modules::counted::Counted;
use rille_modules::websocket::WebSocket;
use rille_runtime::coroutine::Budget;
use rille_runtime::light::Threads;
use rille_runtime::net::{Stream, stream::INPUT};
use rille_runtime::vm::Context as Owner;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a request has made of its connection.
#[derive(Default)]
pub struct Upgrade {
    /// It has taken it.
    pub is_raw: Cell<bool>,
    /// Counts it, once it wants the connection.
    counted: RefCell<Option<Counted>>,
    /// A script reads the body through a socket.
    pub reads_body: Cell<bool>,
    /// Its script has failed.
    pub has_failed: Cell<bool>,
    /// What it does when its client leaves.
    abort: RefCell<Abort>,
    /// Its WebSocket, to be closed at its end.
    pub websocket: RefCell<Option<Rc<WebSocket>>>,
}

#[derive(Default)]
enum Abort {
    /// It ends.
    #[default]
    End,
    /// This light thread of the coroutine that said so begins: the thread, the coroutine. It was made then, for the coroutine may since have ended, and be
    /// somebody else's.
    Call(Box<(Thread, Thread)>),
    /// It was.
    Called,
}

impl Upgrade {
    /// The budget of a request that has taken its connection.
    pub fn budget(&self, exchange: &Exchange) -> Option<Budget> {
        (self.is_raw.get()).then(|| Budget::of_background(&exchange.served.vm))
    }

    /// Runs a light thread of `parent`'s when the client leaves; false if there is one already.
    pub fn when_gone(&self, thread: Thread, parent: Thread) -> bool {
        let mut abort = self.abort.borrow_mut();
        let is_first = matches!(*abort, Abort::End);
        if is_first {
            *abort = Abort::Call(Box::new((thread, parent)));
        }
        is_first
    }
}

/// Counts a request that is going to take its connection. The error is that the app has too many of them.
pub fn count(exchange: &Exchange) -> Result<(), &'static str> {
    let mut counted = exchange.upgrade.counted.borrow_mut();
    let served = &exchange.served;
    if counted.is_none() {
        if served.upgraded.get() as u64 >= served.vm.app().manifest.limits.upgrades {
            return Err("too many upgraded connections (limits.upgrades)");
        }
        *counted = Some(Counted::new(&served.upgraded));
    }
    Ok(())
}

/// The client has left; whether the request goes on all the same.
pub fn client_gone(exchange: &Rc<Exchange>) -> bool {
    let abort = exchange.upgrade.abort.replace(Abort::Called);
    match abort {
        Abort::End => {
            *exchange.upgrade.abort.borrow_mut() = Abort::End;
            false
        }
        Abort::Called => true,
        Abort::Call(threads) => {
            let (thread, parent) = *threads;
            let context: Rc<dyn Owner> = exchange.clone();
            let vm = &exchange.served.vm;
            // Without room for a coroutine it ends.
            Threads::spawn_later(vm, &context, parent, thread).is_ok()
        }
    }
}

/// The connection, if it is one that a request can have for itself.
fn wire_of(exchange: &Exchange) -> Result<&Body, &'static str> {
    match &exchange.body {
        Source::Wire(body) => Ok(body),
        Source::Stream(_) => Err("http v2 not supported yet"),
        Source::Memory(_) => Err("attempt to read the request body in a subrequest"),
    }
}

/// Takes the connection, in place of the response or behind what has been said of one. The errors are lua-nginx-module's.
pub async fn take_over(exchange: &Rc<Exchange>) -> Result<Stream, &'static str> {
    const PENDING: &str = "pending request body reading in some other thread";
    let body = wire_of(exchange)?;
    let is_half_read = exchange.upgrade.reads_body.get() && !body.has_ended();
    if exchange.reading.get() || is_half_read {
        return Err(PENDING);
    }
    let said = exchange.out.borrow().said;
    if said && exchange.head.version == Version::HTTP_10 && !exchange.committed() {
        return Err("http 1.0 buffering");
    }
    if exchange.upgrade.is_raw.get() {
        return Err("duplicate call");
    }
    count(exchange)?;
    exchange.upgrade.is_raw.set(true);
    if said && exchange.clone().flush().await.is_err() {
        return Err("client aborted");
    }
    exchange.out.borrow_mut().said = true;
    match body.leave(exchange.committed()).await {
        Some(raw) => Ok(Stream::over(Box::new(raw))),
        None => Err("client aborted"),
    }
}

/// The body, read as a socket is. The errors are lua-nginx-module's.
pub fn body_socket(exchange: &Rc<Exchange>) -> Result<Stream, &'static str> {
    wire_of(exchange)?;
    match exchange.head.declared_length() {
        None => return Err("chunked request bodies not supported yet"),
        _ if exchange.ngx.body.borrow().is_some() || exchange.received.get() > 0 => {
            return Err("request body already exists");
        }
        _ if exchange.upgrade.is_raw.get() || exchange.upgrade.reads_body.get() => {
            return Err("request body already exists");
        }
        Some(0) => return Err("no body"),
        Some(_) => {}
    }
    exchange.upgrade.reads_body.set(true);
    Ok(Stream::over(Box::new(BodySocket {
        exchange: Rc::downgrade(exchange),
        next: None,
        rest: bytes::Bytes::new(),
    })))
}

/// Whether a request has a WebSocket.
pub fn says_farewell(exchange: &Exchange) -> bool {
    exchange.upgrade.websocket.borrow().is_some()
}

/// At the end of a request: its WebSocket is closed, in a friendly way if it has ended well.
pub async fn farewell(exchange: &Exchange) {
    let websocket = exchange.upgrade.websocket.take();
    if let Some(websocket) = websocket {
        let code = if exchange.upgrade.has_failed.get() {
            1011
        } else {
            1000
        };
        websocket.finish(code).await;
    }
}

type NextBytes = Pin<Box<dyn Future<Output = io::Result<bytes::Bytes>>>>;

/// The body of a request as a connection that can only be read.
struct BodySocket {
    exchange: Weak<Exchange>,
    /// What is being waited for.
    next: Option<NextBytes>,
    rest: bytes::Bytes,
}

/// The next bytes of a body; none at its end.
async fn next_bytes(exchange: Weak<Exchange>) -> io::Result<bytes::Bytes> {
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let exchange = exchange.upgrade().ok_or_else(gone)?;
    let next = exchange.body.next().await;
    next.map(Option::unwrap_or_default).map_err(|_| gone())
}

impl AsyncRead for BodySocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            let exchange = self.exchange.clone();
            let next = (self.next).get_or_insert_with(|| Box::pin(next_bytes(exchange)));
            let read = ready!(next.as_mut().poll(cx));
            self.next = None;
            self.rest = read?;
        }
        let count = self.rest.len().min(to.remaining()).min(INPUT);
        to.put_slice(&self.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for BodySocket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
