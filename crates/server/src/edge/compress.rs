//! Which responses are compressed, and how.
//!
//! A response is *suitable* if it is of a type that gains from it, is long enough (or is streamed), and nobody has said that it is to stay as it is: it
//! has a `Content-Encoding` or `Cache-Control: no-transform`, or is a part (206), an error of ranges, a switch of protocols, or nothing (204, 304). A suitable
//! response says `Vary: Accept-Encoding`, whatever the client takes, so that caches keep what they have apart.
//!
//! ```text
//!  whole, up to PIECE -----------------------------------> whole, at once
//!  longer, or streamed --task: a piece, others, a piece--> streamed; what a script flushes goes out before the next is waited for
//! ```
//!
//! **Invariants.** Between two turns of others at most [`PIECE`] bytes are compressed. At most [`MAX_ENCODERS`] bodies are being compressed on a worker, which
//! bounds the memory that takes; the rest go as they are. A body that is cut short stays one: its coding has no end.
//!
//! Compression tells how well what a client chose fits to what it should not know (BREACH): an app whose pages have both turns it off (`[compression] enabled =
//! false`), or says `Cache-Control: no-transform` on those.

use super::accept::Accepts;
use super::encoder::Encoder;
use crate::body::{Cut, Kind, Piece, ResponseBody, name_type};
use crate::http1::is_bodiless;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    VARY,
};
use http::{Response, StatusCode};
use rille_runtime::manifest::{Coding, Compression};
use std::cell::Cell;
use std::io;
use tokio::sync::mpsc;

/// What is compressed in one go, in bytes.
const PIECE: usize = 16 << 10;

/// How many bodies are compressed at once on a worker. An encoder takes some MiB at most, by its window and its level.
const MAX_ENCODERS: usize = 128;

/// Compresses a response if it is suitable and the client takes it. `is_head`: nothing of the body will be sent.
pub fn response(
    accepts: Accepts,
    rules: &Compression,
    is_head: bool,
    response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    if !rules.enabled || !is_suitable(rules, &response) {
        return response;
    }
    suitable(accepts, rules, is_head, response)
}

/// Apart, so that the way of all others is short.
#[cold]
fn suitable(
    accepts: Accepts,
    rules: &Compression,
    is_head: bool,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    add_vary(response.headers_mut());
    let Some(coding) = accepts.choose(&rules.codings) else {
        return response;
    };
    let length = match response.body() {
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => Some(bytes.len() as u64),
        ResponseBody::Stream(_, length) => *length,
        ResponseBody::None => return response,
    };
    if is_head {
        mark(&mut response, coding);
        // How long it would be nobody knows.
        let (_, nothing) = mpsc::channel(1);
        *response.body_mut() = ResponseBody::Stream(nothing, None);
        return response;
    }
    let Some(encoder) = Running::new(coding, rules.level, length) else {
        return response;
    };
    mark(&mut response, coding);
    let body = match std::mem::replace(response.body_mut(), ResponseBody::None) {
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) if bytes.len() <= PIECE => {
            match encoder.whole(&bytes) {
                Ok(out) => ResponseBody::Full(out.into()),
                Err(_) => ResponseBody::None,
            }
        }
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::task::spawn_local(encoder.follow(Input::Whole(bytes), sender));
            ResponseBody::Stream(receiver, None)
        }
        ResponseBody::Stream(pieces, length) => {
            let (sender, receiver) = mpsc::channel(1);
            let flushes = length.is_none();
            tokio::task::spawn_local(encoder.follow(Input::Pieces(pieces, flushes), sender));
            ResponseBody::Stream(receiver, None)
        }
        ResponseBody::None => ResponseBody::None,
    };
    *response.body_mut() = body;
    response
}

/// Whether a response is of those that are compressed.
fn is_suitable(rules: &Compression, response: &Response<ResponseBody>) -> bool {
    // The commonest reason first: it is short.
    let long_enough = match response.body() {
        ResponseBody::None => false,
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => {
            bytes.len() as u64 >= rules.min_size
        }
        ResponseBody::Stream(_, length) => length.is_none_or(|length| length >= rules.min_size),
    };
    let status = response.status();
    let headers = response.headers();
    long_enough
        && !is_bodiless(status)
        && !matches!(
            status,
            StatusCode::PARTIAL_CONTENT
                | StatusCode::RANGE_NOT_SATISFIABLE
                | StatusCode::RESET_CONTENT
        )
        && !headers.contains_key(CONTENT_ENCODING)
        && is_of_type(rules, response)
        && !is_to_stay(headers)
}

fn is_of_type(rules: &Compression, response: &Response<ResponseBody>) -> bool {
    let named = response.headers().get(CONTENT_TYPE);
    let text = match (named, response.body()) {
        (Some(named), _) => named.as_bytes(),
        (None, ResponseBody::Typed(_, kind)) => Kind::name(*kind).as_bytes(),
        (None, _) => return false,
    };
    let name = text.split(|byte| *byte == b';').next().unwrap_or_default();
    rules.has_type(name.trim_ascii())
}

/// Whether `Cache-Control` has `no-transform`.
fn is_to_stay(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|value| {
        (value.as_bytes().split(|byte| *byte == b','))
            .any(|one| one.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    })
}

/// Says `Vary: Accept-Encoding`, unless that has been said.
fn add_vary(headers: &mut HeaderMap) {
    let is_said = headers.get_all(VARY).iter().any(|value| {
        (value.as_bytes().split(|byte| *byte == b',')).any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")
        })
    });
    if !is_said {
        // A response with too many fields for one more goes without.
        let _ = headers.try_append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// The fields of a response that is compressed.
fn mark(response: &mut Response<ResponseBody>, coding: Coding) {
    name_type(response);
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    // Parts are of what is sent, and that is made anew each time.
    headers.remove(ACCEPT_RANGES);
    if let Some(tag) = headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
    {
        let weak = [b"W/", tag.as_bytes()].concat();
        match HeaderValue::from_bytes(&weak) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}

thread_local! {
    /// The bodies that are being compressed on this worker.
    static RUNNING: Cell<usize> = const { Cell::new(0) };
}

/// A body that is being compressed, and counted.
struct Running(Option<Encoder>);

/// What is to be compressed.
enum Input {
    /// All of it.
    Whole(Bytes),
    /// As it comes; whether each piece is to be readable at once.
    Pieces(mpsc::Receiver<Piece>, bool),
}

impl Running {
    /// `None`: there are too many.
    fn new(coding: Coding, level: u32, length: Option<u64>) -> Option<Running> {
        let running = RUNNING.get();
        if running >= MAX_ENCODERS {
            return None;
        }
        let encoder = Encoder::new(coding, level, length).ok()?;
        RUNNING.set(running + 1);
        Some(Running(Some(encoder)))
    }

    fn whole(mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = self.0.take().ok_or(io::ErrorKind::BrokenPipe)?;
        encoder.write(bytes)?;
        encoder.finish()
    }

    /// Compresses until there is no more, or nobody to have it.
    async fn follow(mut self, input: Input, sender: mpsc::Sender<Piece>) {
        let done = match input {
            Input::Whole(bytes) => self.all(&bytes, &sender).await,
            Input::Pieces(pieces, flushes) => self.each(pieces, flushes, &sender).await,
        };
        let last = match (done, self.0.take()) {
            (Ok(()), Some(encoder)) => encoder.finish().map_err(|_| Cut),
            (Err(Stopped::Gone), _) => return,
            _ => Err(Cut),
        };
        // The room is free before somebody slow has taken the rest.
        drop(self);
        if !matches!(&last, Ok(bytes) if bytes.is_empty()) {
            let _ = sender.send(last.map(Bytes::from)).await;
        }
    }

    async fn each(
        &mut self,
        mut pieces: mpsc::Receiver<Piece>,
        flushes: bool,
        sender: &mpsc::Sender<Piece>,
    ) -> Result<(), Stopped> {
        loop {
            let piece = tokio::select! {
                piece = pieces.recv() => piece,
                () = sender.closed() => return Err(Stopped::Gone),
            };
            match piece {
                None => return Ok(()),
                Some(Err(Cut)) => return Err(Stopped::Failed),
                Some(Ok(bytes)) => self.all(&bytes, sender).await?,
            }
            if flushes {
                self.encoder()?.flush().map_err(|_| Stopped::Failed)?;
                self.hand_on(sender).await?;
            }
        }
    }

    async fn all(&mut self, bytes: &[u8], sender: &mpsc::Sender<Piece>) -> Result<(), Stopped> {
        for (at, piece) in bytes.chunks(PIECE).enumerate() {
            if at > 0 {
                tokio::task::yield_now().await;
            }
            self.encoder()?.write(piece).map_err(|_| Stopped::Failed)?;
            self.hand_on(sender).await?;
        }
        Ok(())
    }

    fn encoder(&mut self) -> Result<&mut Encoder, Stopped> {
        self.0.as_mut().ok_or(Stopped::Failed)
    }

    /// Sends what has come out.
    async fn hand_on(&mut self, sender: &mpsc::Sender<Piece>) -> Result<(), Stopped> {
        let out = self.encoder()?.take();
        match out.is_empty() {
            true => Ok(()),
            false => (sender.send(Ok(out.into())).await).map_err(|_| Stopped::Gone),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// Why a body was not compressed to its end.
enum Stopped {
    /// Nobody is there to have it.
    Gone,
    /// It was cut short, or could not be.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&str, &str)], length: usize) -> Response<ResponseBody> {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        response
            .body(ResponseBody::Typed(vec![b'a'; length].into(), Kind::Text))
            .unwrap()
    }

    fn compressed(of: Response<ResponseBody>) -> Response<ResponseBody> {
        let accepts = Accepts::of([&b"gzip"[..]].into_iter());
        response(accepts, &Compression::default(), false, of)
    }

    #[test]
    fn what_is_compressed() {
        for (expected, status, fields, length) in [
            (true, 200, &[][..], 2000),
            (true, 200, &[], 1024),
            (false, 200, &[], 1023),
            (true, 404, &[], 2000),
            (false, 206, &[], 2000),
            (false, 416, &[], 2000),
            (false, 204, &[], 2000),
            (false, 304, &[], 2000),
            (false, 200, &[("content-encoding", "identity")], 2000),
            (false, 200, &[("content-type", "image/png")], 2000),
            (
                true,
                200,
                &[("content-type", "Text/HTML ; charset=x")],
                2000,
            ),
            (
                true,
                200,
                &[("content-type", "application/problem+json")],
                2000,
            ),
            (false, 200, &[("content-type", "text/event-stream")], 2000),
            (
                false,
                200,
                &[("cache-control", "public, No-Transform")],
                2000,
            ),
            (true, 200, &[("cache-control", "no-transformers")], 2000),
        ] {
            let response = compressed(answer(status, fields, length));
            let coding = response.headers().get(CONTENT_ENCODING);
            let is = coding.is_some_and(|coding| coding == "gzip");
            assert_eq!(is, expected, "{status} {fields:?} {length}");
            assert_eq!(response.headers().contains_key(VARY), expected);
        }
    }

    #[test]
    fn fields_of_what_is_compressed() {
        let fields = [
            ("etag", "\"x\""),
            ("vary", "Cookie"),
            ("accept-ranges", "bytes"),
        ];
        let response = compressed(answer(200, &fields, 2000));
        assert_eq!(response.headers()[ETAG], "W/\"x\"");
        assert!(!response.headers().contains_key(ACCEPT_RANGES));
        let vary: Vec<_> = response.headers().get_all(VARY).iter().collect();
        assert_eq!(vary, ["Cookie", "accept-encoding"]);
        for said in ["*", "Cookie, Accept-Encoding"] {
            let response = compressed(answer(200, &[("vary", said), ("etag", "W/\"x\"")], 2000));
            assert_eq!(response.headers()[VARY], said);
            assert_eq!(response.headers().get_all(VARY).iter().count(), 1);
            assert_eq!(response.headers()[ETAG], "W/\"x\"");
        }
    }

    #[test]
    fn there_are_only_so_many_encoders() {
        let held: Vec<_> = (0..MAX_ENCODERS)
            .map(|_| Running::new(Coding::Gzip, 1, None).unwrap())
            .collect();
        assert!(Running::new(Coding::Gzip, 1, None).is_none());
        let response = compressed(answer(200, &[], 2000));
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
        assert!(response.headers().contains_key(VARY));
        drop(held);
        assert!(Running::new(Coding::Gzip, 1, None).is_some());
    }
}
