//! The body of a response: whole, or streamed as the script flushes it.
//!
//! **Invariant:** a streamed body that ends without its script having ended well ends in an error,
//! so that the connection is cut and the client can tell; a short body is never passed off as
//! a whole one.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;

/// A piece of a streamed body, or the news that there will be no more.
pub type Piece = Result<Bytes, Cut>;

/// The script failed after its response had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

/// What goes out after the head.
pub enum ResponseBody {
    /// Not even a head: the connection ends without a word.
    None,
    /// All of it.
    Full(Bytes),
    /// All of it, and what it is unless the headers say that.
    Typed(Bytes, Kind),
    /// Piece by piece; one waits at most, so a slow client slows its script down. The length, if it has been promised.
    Stream(mpsc::Receiver<Piece>, Option<u64>),
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// JSON.
    Json,
}

impl Kind {
    /// The type's name.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Text => "text/plain; charset=utf-8",
            Kind::Json => "application/json",
        }
    }
}

/// Puts the type of a body into the headers, for whoever looks for it there.
pub fn name_type(response: &mut Response<ResponseBody>) {
    if let ResponseBody::Typed(bytes, kind) = response.body_mut() {
        let (bytes, name) = (std::mem::take(bytes), kind.name());
        *response.body_mut() = ResponseBody::Full(bytes);
        (response.headers_mut())
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(name));
    }
}
