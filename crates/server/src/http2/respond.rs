//! A response on a stream.
//!
//! **Invariants.** Bytes are handed to `h2` only as the peer has room for them. A body that is cut short, or is not of the length that
//! was said, ends in a reset; one whose peer takes nothing for too long too.

use super::stream::Stream;
use crate::body::{Piece, ResponseBody, name_type};
use crate::date;
use crate::http1::is_bodiless;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::{Response, Version};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Why a response was not sent to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// The client has gone, or has reset the stream.
    Gone,
    /// This is for the client to know.
    Reset(Reason),
}

impl From<h2::Error> for Unsent {
    fn from(_: h2::Error) -> Unsent {
        Unsent::Gone
    }
}

/// Sends a response. `patience`: how long the peer may take nothing of it.
pub async fn respond(
    stream: &Stream,
    is_head: bool,
    mut response: Response<ResponseBody>,
    patience: Duration,
) -> Result<(), Unsent> {
    name_type(&mut response);
    let (parts, body) = response.into_parts();
    if parts.status.is_informational() {
        // There is nothing to switch to here.
        return Err(Unsent::Reset(Reason::INTERNAL_ERROR));
    }
    match body {
        ResponseBody::None => Err(Unsent::Reset(Reason::INTERNAL_ERROR)),
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => {
            let has_none = is_head || is_bodiless(parts.status) || bytes.is_empty();
            let head = head(parts, Some(bytes.len() as u64));
            let mut out = stream.send(head, has_none)?.ok_or(Unsent::Gone)?;
            match has_none {
                true => Ok(()),
                false => send(stream, &mut out, bytes, true, patience).await,
            }
        }
        ResponseBody::Stream(pieces, length) => {
            let has_none = is_head || is_bodiless(parts.status);
            let mut out = stream
                .send(head(parts, length), has_none)?
                .ok_or(Unsent::Gone)?;
            match has_none {
                true => Ok(()),
                false => send_pieces(stream, &mut out, pieces, length, patience).await,
            }
        }
    }
}

fn head(parts: Parts, length: Option<u64>) -> Response<()> {
    let mut head = Response::from_parts(parts, ());
    *head.version_mut() = Version::HTTP_2;
    let bodiless = is_bodiless(head.status());
    let headers = head.headers_mut();
    // What belongs to a connection of HTTP/1.1.
    for name in [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        TE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ] {
        headers.remove(name);
    }
    if let (false, Some(length)) = (bodiless, length) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !headers.contains_key(DATE) {
        headers.insert(DATE, date::with(HeaderValue::clone));
    }
    head
}

/// Sends bytes as there is room for them.
async fn send(
    stream: &Stream,
    out: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_last: bool,
    patience: Duration,
) -> Result<(), Unsent> {
    while !data.is_empty() {
        out.reserve_capacity(data.len());
        if out.capacity() == 0 {
            let room = poll_fn(|cx| out.poll_capacity(cx));
            match tokio::time::timeout(patience, room).await {
                Ok(Some(room)) => room?,
                Ok(None) => return Err(Unsent::Gone),
                Err(_) => return Err(Unsent::Reset(Reason::CANCEL)),
            };
        }
        let piece = data.split_to(out.capacity().min(data.len()));
        if !piece.is_empty() {
            stream.adds(piece.len());
            out.send_data(piece, is_last && data.is_empty())?;
            stream.meter().borrow_mut().sent();
        }
    }
    Ok(())
}

async fn send_pieces(
    stream: &Stream,
    out: &mut SendStream<Bytes>,
    mut pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
    patience: Duration,
) -> Result<(), Unsent> {
    let cut = Unsent::Reset(Reason::INTERNAL_ERROR);
    // What is still to come of the length that has been promised.
    let mut left = length;
    loop {
        let next = poll_fn(|cx| match pieces.poll_recv(cx) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending => out.poll_reset(cx).map(|_| None),
        });
        let data = match next.await {
            Some(Some(Ok(data))) => data,
            Some(Some(Err(_))) => return Err(cut),
            Some(None) => break,
            None => return Err(Unsent::Gone),
        };
        if let Some(left) = &mut left {
            *left = left.checked_sub(data.len() as u64).ok_or(cut)?;
        }
        send(stream, out, data, false, patience).await?;
    }
    match left {
        Some(1..) => Err(cut),
        _ => Ok(out.send_data(Bytes::new(), true)?),
    }
}
