//! The driver: requests of a connection, one after the other.

use super::Refused;
use super::encode::{self, Body as Encoded};
use super::head::Head;
use super::wire::{Body, Next, Wire, WireError};
use crate::body::{Kind, Piece, ResponseBody};
use crate::pages;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::response::Parts;
use http::{Method, Response, StatusCode, Version};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// A body up to this size goes out in one piece with its head.
const JOINED: usize = 16 << 10;

/// What the driver has to know of a request to answer it.
struct Asked {
    version: Version,
    keep_alive: bool,
    is_head: bool,
    /// Bytes of the response's body that have been written.
    sent: u64,
}

/// A response on its way.
pub trait Answer: Future<Output = Response<ResponseBody>> + Unpin {
    /// The response has been written, or could not be; so many bytes of its body.
    fn written(&mut self, _bytes: u64) {}

    /// The request has the connection, and is to be cut off.
    fn is_cut(&self) -> bool {
        false
    }

    /// The client has gone; whether the request is to go on all the same.
    fn gone(&mut self) -> bool {
        false
    }
}

/// How a connection came to the end of its HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It is closed, or is to be.
    Closed,
    /// The client goes on in HTTP/2.
    Http2,
}

/// Serves a connection to its end. `answer` is called for each request; dropping what it gives ends the request. The error is
/// a request that was refused (and told so).
pub async fn serve<F>(
    wire: &Rc<Wire>,
    stopping: impl Fn() -> bool,
    answer: impl Fn(Head, Body) -> F,
) -> Result<Ended, Refused>
where
    F: Answer,
{
    loop {
        let head = match wire.next_head(&stopping).await {
            Ok(Next::Head(head)) => head,
            Ok(Next::Http2) => return Ok(Ended::Http2),
            Ok(Next::End) => {
                wire.say_goodbye().await;
                return Ok(Ended::Closed);
            }
            Err(WireError::Gone) => return Ok(Ended::Closed),
            Err(WireError::Refused(refused)) => {
                refuse(wire, refused).await;
                return Err(refused);
            }
        };
        let mut asked = Asked {
            version: head.version,
            keep_alive: head.keep_alive,
            is_head: head.method == Method::HEAD,
            sent: 0,
        };
        let body = wire.begin(&head);
        let mut answer = answer(head, body);
        let response = match response_of(wire, &mut answer).await {
            Some(response) => response,
            None => {
                answer.written(0);
                return Ok(Ended::Closed);
            }
        };
        asked.keep_alive &= !stopping() && wire.may_pass_over();
        wire.forgo_continue();
        let mut written = match wire.has_left() {
            true => Ok(Written::Over),
            false => respond(wire, &mut asked, response).await,
        };
        if let Ok(Written::Left(pieces)) = written {
            until_over(wire, &mut answer, pieces).await;
            written = Ok(Written::Over);
        }
        answer.written(asked.sent);
        drop(answer);
        wire.is_over();
        match written {
            Ok(Written::Whole) if asked.keep_alive && wire.pass_over().await => {}
            Ok(Written::Whole | Written::Over) => {
                wire.close().await;
                return Ok(Ended::Closed);
            }
            // The script failed after its response had begun, or the client has gone: cut off.
            Ok(Written::Cut | Written::Left(_)) | Err(_) => return Ok(Ended::Closed),
        }
    }
}

/// Answers whatever comes first with a refusal, and ends the connection.
pub async fn turn_away(wire: &Rc<Wire>, refused: Refused) {
    let head = match wire.next_head(|| false).await {
        Ok(Next::Head(head)) => head,
        Ok(Next::Http2 | Next::End) | Err(WireError::Gone) => return,
        Err(WireError::Refused(_)) => return refuse(wire, refused).await,
    };
    // What the body is, so that the client may go on sending it for a little.
    let _body = wire.begin(&head);
    refuse(wire, refused).await;
}

/// How a response was written.
enum Written {
    /// To its end.
    Whole,
    /// It was cut short.
    Cut,
    /// The script has taken the connection; there will be no more pieces when its request ends.
    Left(mpsc::Receiver<Piece>),
    /// It has had it.
    Over,
}

/// Looks whether the client is still there.
#[derive(Default)]
struct Absence {
    /// It is not, and the request wants to go on.
    goes_on: bool,
    /// It is not, and the request has got the connection: it may see for itself.
    patience: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Absence {
    /// Ready when the request is to end for its client's sake.
    fn poll(&mut self, wire: &Wire, answer: &mut impl Answer, cx: &mut Context<'_>) -> Poll<()> {
        let has_left = wire.has_left();
        if has_left && answer.is_cut() {
            return Poll::Ready(());
        }
        if self.goes_on {
            if has_left {
                // It is looked now and then whether it is cut off.
                let _ = wire.poll_hung_up(cx);
            }
            return Poll::Pending;
        }
        if let Some(patience) = &mut self.patience {
            return patience.as_mut().poll(cx);
        }
        match has_left {
            true => ready!(wire.poll_hung_up(cx)),
            false => ready!(wire.poll_gone(cx)),
        }
        if answer.gone() {
            self.goes_on = true;
            return Poll::Pending;
        }
        if !has_left {
            return Poll::Ready(());
        }
        let patience = (self.patience).insert(Box::pin(tokio::time::sleep(wire.conn.patience())));
        patience.as_mut().poll(cx)
    }
}

/// The response of a request; `None`: nobody is there to get it.
async fn response_of(wire: &Wire, answer: &mut impl Answer) -> Option<Response<ResponseBody>> {
    let mut absence = Absence::default();
    let response = poll_fn(|cx| match Pin::new(&mut *answer).poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => absence.poll(wire, answer, cx).map(|()| None),
    });
    let response = response.await;
    response.filter(|_| wire.has_left() || !absence.goes_on)
}

/// Waits for the end of a request that has the connection, and has begun a response before.
async fn until_over(wire: &Wire, answer: &mut impl Answer, mut pieces: mpsc::Receiver<Piece>) {
    let mut absence = Absence::default();
    let over = poll_fn(|cx| {
        loop {
            match pieces.poll_recv(cx) {
                // What is said now comes too late.
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return absence.poll(wire, answer, cx),
            }
        }
    });
    over.await;
}

async fn refuse(wire: &Wire, refused: Refused) {
    let mut asked = Asked {
        version: Version::HTTP_11,
        keep_alive: false,
        is_head: false,
        sent: 0,
    };
    let page = pages::error(refused.status, refused.why);
    if respond(wire, &mut asked, page).await.is_ok() {
        wire.close().await;
    }
}

/// Writes a response.
async fn respond(
    wire: &Wire,
    asked: &mut Asked,
    response: Response<ResponseBody>,
) -> io::Result<Written> {
    let (parts, body) = response.into_parts();
    let close = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    if parts.headers.get(CONNECTION).is_some_and(close) {
        asked.keep_alive = false;
    }
    // What follows is not HTTP, whether it comes or not.
    asked.keep_alive &= parts.status != StatusCode::SWITCHING_PROTOCOLS;
    match body {
        ResponseBody::None => Ok(Written::Cut),
        ResponseBody::Full(bytes) => whole(wire, asked, &parts, None, bytes).await,
        ResponseBody::Typed(bytes, kind) => whole(wire, asked, &parts, Some(kind), bytes).await,
        ResponseBody::Stream(pieces, length) => stream(wire, asked, &parts, pieces, length).await,
    }
}

/// Whether a status says that there is no body.
pub fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The head as bytes, with room for so many more.
fn head_of(
    asked: &Asked,
    parts: &Parts,
    kind: Option<Kind>,
    framing: Encoded,
    room: usize,
) -> Vec<u8> {
    let framing = match is_bodiless(parts.status) {
        true => Encoded::None,
        false => framing,
    };
    let mut out = Vec::with_capacity(256 + room);
    let (version, keep_alive) = (asked.version, asked.keep_alive);
    encode::head(
        &mut out,
        parts.status,
        &parts.headers,
        kind,
        framing,
        version,
        keep_alive,
    );
    out
}

async fn whole(
    wire: &Wire,
    asked: &mut Asked,
    parts: &Parts,
    kind: Option<Kind>,
    bytes: Bytes,
) -> io::Result<Written> {
    let framing = Encoded::Length(bytes.len() as u64);
    let bytes = match asked.is_head || is_bodiless(parts.status) {
        true => Bytes::new(),
        false => bytes,
    };
    let joined = if bytes.len() <= JOINED {
        bytes.len()
    } else {
        0
    };
    let mut out = head_of(asked, parts, kind, framing, joined);
    out.extend_from_slice(&bytes[..joined]);
    let (mut one, mut both) = (
        [IoSlice::new(&out)],
        [IoSlice::new(&out), IoSlice::new(&bytes)],
    );
    let parts = if joined == bytes.len() {
        &mut one[..]
    } else {
        &mut both[..]
    };
    wire.write(parts).await?;
    asked.sent = bytes.len() as u64;
    Ok(Written::Whole)
}

/// What happens next to a response that is being written.
enum Step {
    /// A piece of it, or its end.
    Piece(Option<Piece>),
    /// The script takes the connection.
    Left,
    /// The client leaves.
    Gone,
}

async fn stream(
    wire: &Wire,
    asked: &mut Asked,
    parts: &Parts,
    mut pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
) -> io::Result<Written> {
    let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let chunked = length.is_none() && asked.version == Version::HTTP_11 && !switches;
    asked.keep_alive &= chunked || length.is_some();
    let framing = match length {
        Some(length) => Encoded::Length(length),
        None if chunked => Encoded::Chunked,
        None => Encoded::ToTheEnd,
    };
    // What is still to come of the length that has been promised.
    let mut left = length;
    let mut out = head_of(asked, parts, None, framing, 0);
    if asked.is_head || (is_bodiless(parts.status) && !switches) {
        wire.write(&mut [IoSlice::new(&out)]).await?;
        return Ok(Written::Whole);
    }
    // What has been flushed already goes out with the head.
    let mut data = match pieces.try_recv() {
        Ok(Ok(data)) => data,
        Ok(Err(_)) => return Ok(Written::Cut),
        Err(_) => Bytes::new(),
    };
    loop {
        if switches {
            data.clear();
        }
        if let Some(left) = &mut left {
            // More than was promised would be taken for the next response.
            match left.checked_sub(data.len() as u64) {
                Some(less) => *left = less,
                None => return Ok(Written::Cut),
            }
        }
        let mut end: &[u8] = b"";
        if chunked && !data.is_empty() {
            encode::chunk(&mut out, data.len());
            end = b"\r\n";
        }
        wire.write(&mut [IoSlice::new(&out), IoSlice::new(&data), IoSlice::new(end)])
            .await?;
        asked.sent += data.len() as u64;
        out.clear();
        let next = poll_fn(|cx| match pieces.poll_recv(cx) {
            Poll::Ready(piece) => Poll::Ready(Step::Piece(piece)),
            Poll::Pending if wire.poll_left(cx).is_ready() => Poll::Ready(Step::Left),
            // What comes now is for the script, the end of it too.
            Poll::Pending if switches => Poll::Pending,
            Poll::Pending => wire.poll_gone(cx).map(|()| Step::Gone),
        });
        data = match next.await {
            Step::Piece(Some(Ok(data))) => data,
            Step::Piece(None) => break,
            Step::Piece(Some(Err(_))) | Step::Gone => return Ok(Written::Cut),
            Step::Left => return Ok(Written::Left(pieces)),
        };
    }
    if left.is_some_and(|left| left > 0) {
        return Ok(Written::Cut);
    }
    if chunked {
        wire.write(&mut [IoSlice::new(b"0\r\n\r\n")]).await?;
    }
    Ok(Written::Whole)
}
