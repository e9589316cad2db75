//! HTTP/1.1 and 1.0 on one connection: a driver of our own over httparse.
//!
//! ```text
//!  wire.rs      the socket, what has been read from it and not used, the body of the request being served
//!  head.rs      bytes to a request's head; chunked.rs: to its body        (pure: no socket)
//!  encode.rs    a response's head to bytes                                  (pure)
//!  left.rs      connections that a script has taken out of HTTP
//!  serve        read a head -> answer -> write -> pass over what is left of the body -> again
//! ```
//!
//! **Invariants.** One request at a time, in the order in which they came; what follows it is kept, up to a head's limit, and then left in the
//! socket. A response is framed by this driver alone. When what comes next cannot be told for certain, the connection ends behind
//! the response.

pub mod chunked;
mod encode;
pub mod head;
mod left;
mod serve;
mod wire;

pub use head::Head;
pub use serve::{Answer, Ended, is_bodiless, serve, turn_away};
pub use wire::{Body, LINGER, LINGER_BYTES, Wire, WireError};

use http::StatusCode;

/// A request that is not served, with the status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// Why, for the client and the log.
    pub why: &'static str,
}

impl Refused {
    /// With a status, and why.
    pub fn new(status: StatusCode, why: &'static str) -> Refused {
        Refused { status, why }
    }
}
