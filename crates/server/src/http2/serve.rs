//! The driver: the streams of a connection, each in a task of its own.
//!
//! ```text
//!  accept --> head --> answer --> respond --> written
//!               (a reset drops the answer, and with it the request)
//! ```
//!
//! **Invariant.** The connection is `Busy` while it has a stream that is being answered, else `Idle`; so one that is kept open with frames
//! of other kinds alone is closed as one that is silent.

use super::io::Io;
use super::meter::Meter;
use super::respond::{Unsent, respond};
use super::stream::Stream;
use super::{Body, head_of};
use crate::body::ResponseBody;
use crate::conn::{Conn, Phase};
use crate::head::Head;
use crate::http1::Answer;
use crate::pages;
use crate::socket::Socket;
use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

/// A connection on its way to the driver.
pub struct Connection {
    /// Its socket.
    pub socket: Socket,
    /// What has been read of it.
    pub inbox: Vec<u8>,
    /// Its place under the watch.
    pub conn: Rc<Conn>,
    /// How long a client may take nothing of a response.
    pub patience: Duration,
    /// The streams of all connections.
    pub streams: Rc<Streams>,
}

/// The streams of a worker that are being answered: what many connections with many streams each may have together.
pub struct Streams {
    count: Cell<usize>,
    limit: usize,
}

impl Streams {
    /// None yet.
    pub fn new(limit: usize) -> Rc<Streams> {
        Rc::new(Streams {
            count: Cell::new(0),
            limit,
        })
    }
}

/// The streams of a connection that are being answered.
struct Open {
    count: Cell<usize>,
    all: Rc<Streams>,
    conn: Rc<Conn>,
    meter: Rc<RefCell<Meter>>,
}

/// One of them.
struct Counted(Rc<Open>);

impl Counted {
    /// `None`: there are too many.
    fn new(open: &Rc<Open>) -> Option<Counted> {
        let all = open.all.count.get();
        if all >= open.all.limit {
            return None;
        }
        open.all.count.set(all + 1);
        if open.count.get() == 0 {
            open.conn.enter(Phase::Busy);
        }
        open.count.set(open.count.get() + 1);
        Some(Counted(open.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let open = &self.0;
        open.all.count.set(open.all.count.get() - 1);
        open.count.set(open.count.get() - 1);
        if open.count.get() == 0 {
            open.conn.enter(Phase::Idle);
        }
    }
}

/// Serves a connection to its end. `answer` is called for each stream; dropping what it gives ends the request. The error is what the
/// client did wrong.
pub async fn serve<F>(
    connection: Connection,
    stopping: impl Fn() -> bool,
    answer: impl Fn(Head, Body) -> F,
) -> Result<(), String>
where
    F: Answer + 'static,
{
    let Connection {
        socket,
        inbox,
        conn,
        patience,
        streams,
    } = connection;
    let meter = Rc::new(RefCell::new(Meter::new(conn.now())));
    let io = Io::new(socket, inbox, conn.clone(), meter.clone());
    conn.enter(Phase::Head);
    let mut connection = match builder().handshake::<_, Bytes>(io).await {
        Ok(connection) => connection,
        Err(error) => return told(&error),
    };
    conn.enter(Phase::Idle);
    let open = Rc::new(Open {
        count: Cell::new(0),
        all: streams,
        conn,
        meter: meter.clone(),
    });
    let (mut leaving, mut cut) = (false, false);
    loop {
        let accepted = poll_fn(|cx| {
            if stopping() && !leaving {
                leaving = true;
                connection.graceful_shutdown();
            }
            let polled = connection.poll_accept(cx);
            if polled.is_pending() && !cut && meter.borrow().is_over() {
                cut = true;
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                return connection.poll_accept(cx);
            }
            polled
        });
        match accepted.await {
            Some(Ok((request, respond))) => {
                begin(&open, request, respond, patience, &answer);
            }
            _ if cut => return Err("too many frames that carry nothing".to_owned()),
            Some(Err(error)) => return told(&error),
            None => return Ok(()),
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(super::MAX_STREAMS)
        .initial_window_size(super::STREAM_WINDOW)
        .initial_connection_window_size(super::CONNECTION_WINDOW)
        .max_header_list_size(crate::http1::head::HEAD_BYTES as u32)
        .max_send_buffer_size(super::SEND_BUFFER)
        .max_concurrent_reset_streams(super::RESET_STREAMS)
        .reset_stream_duration(Duration::from_secs(super::RESET_SECONDS))
        .max_pending_accept_reset_streams(super::PENDING_RESETS)
        .max_local_error_reset_streams(Some(super::STREAM_ERRORS));
    builder
}

/// What the log is told of a connection that ended badly: nothing where the peer has just gone.
fn told(error: &h2::Error) -> Result<(), String> {
    match error.is_io() || (error.is_remote() && error.is_go_away()) {
        true => Ok(()),
        false => Err(error.to_string()),
    }
}

/// A stream becomes a request, in a task of its own.
fn begin<F: Answer + 'static>(
    open: &Rc<Open>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    patience: Duration,
    answer: impl Fn(Head, Body) -> F,
) {
    let Some(counted) = Counted::new(open) else {
        // The client knows that nothing was begun, and may try again.
        respond.send_reset(Reason::REFUSED_STREAM);
        return;
    };
    let (parts, data) = request.into_parts();
    let has_ended = data.is_end_stream();
    let is_head = parts.method == Method::HEAD;
    let head = head_of(&parts, has_ended);
    let waits = (head.as_ref()).is_ok_and(|head| head.expects_continue && !has_ended);
    let stream = Rc::new(Stream::new(data, respond, waits, open.meter.clone()));
    match head {
        Ok(head) => {
            let answer = answer(head, Body::new(stream.clone()));
            tokio::task::spawn_local(follow(counted, stream, is_head, answer, patience));
        }
        Err(refused) => {
            let page = pages::error(refused.status, refused.why);
            tokio::task::spawn_local(async move {
                let _ = finish(&stream, is_head, page, patience).await;
                drop(counted);
            });
        }
    }
}

/// A request to its end.
async fn follow(
    counted: Counted,
    stream: Rc<Stream>,
    is_head: bool,
    mut answer: impl Answer,
    patience: Duration,
) {
    let _closing = Closing(&stream);
    // The client has gone, but its request wants to go on.
    let mut goes_on = false;
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = Pin::new(&mut answer).poll(cx) {
            return Poll::Ready(Some(response));
        }
        if goes_on {
            return Poll::Pending;
        }
        ready!(stream.poll_gone(cx));
        goes_on = answer.gone();
        match goes_on {
            true => Poll::Pending,
            false => Poll::Ready(None),
        }
    });
    let response = response.await.filter(|_| !goes_on);
    let Some(response) = response else {
        answer.written(0);
        return drop(counted);
    };
    let sent = respond(&stream, is_head, response, patience).await;
    answer.written(stream.sent());
    drop(answer);
    if finished(&stream, sent).await {
        stream.meter().borrow_mut().answered();
    }
    drop(counted);
}

/// Closes a stream, however its task ends.
struct Closing<'a>(&'a Stream);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A response of the server's own.
async fn finish(
    stream: &Stream,
    is_head: bool,
    page: Response<ResponseBody>,
    patience: Duration,
) -> bool {
    let _closing = Closing(stream);
    let sent = respond(stream, is_head, page, patience).await;
    finished(stream, sent).await
}

/// What follows a response; whether it was sent to its end.
async fn finished(stream: &Stream, sent: Result<(), Unsent>) -> bool {
    match sent {
        Ok(()) => {
            stream.pass_over().await;
            true
        }
        Err(Unsent::Reset(reason)) => {
            stream.reset(reason);
            false
        }
        Err(Unsent::Gone) => false,
    }
}
