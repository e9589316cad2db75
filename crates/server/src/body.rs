//! The body of a response: whole, or streamed as the script flushes it.
//!
//! **Invariant:** a streamed body that ends without its script having ended well ends in an error,
//! so that the connection is cut and the client can tell; a short body is never passed off as
//! a whole one.

use bytes::Bytes;
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
    /// Piece by piece; one waits at most, so a slow client slows its script down. The length, if it has been promised.
    Stream(mpsc::Receiver<Piece>, Option<u64>),
}
