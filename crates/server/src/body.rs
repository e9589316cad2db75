//! The body of a response: whole, or streamed as the script flushes it.
//!
//! **Invariant:** a streamed body that ends without its script having ended well ends in an error,
//! so that the connection is cut and the client can tell; a short body is never passed off as
//! a whole one.

use crate::conn::{Conn, Phase};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A piece of a streamed body, or the news that there will be no more.
pub type Piece = Result<Bytes, Cut>;

/// The script failed after its response had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script ended before its response did")
    }
}

impl std::error::Error for Cut {}

/// What goes out after the head.
pub enum ResponseBody {
    /// All of it.
    Full(Bytes),
    /// Piece by piece; one waits at most, so a slow client slows its script down.
    Stream {
        /// What the script flushes.
        pieces: mpsc::Receiver<Piece>,
        /// Held until the body has gone out.
        _busy: Guard,
    },
}

/// Puts the connection back to idle when a streamed body is done with.
pub struct Guard(pub Rc<Conn>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            ResponseBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            ResponseBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            ResponseBody::Stream { pieces, .. } => pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ResponseBody::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ResponseBody::Stream { .. } => SizeHint::default(),
        }
    }
}
