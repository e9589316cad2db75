//! HTTP/2 on one connection, over the `h2` crate, which has the frames, the compression of fields and the flow control.
//!
//! ```text
//!  io.rs       the socket behind h2; meter.rs: what frames come that carry nothing         (meter: pure)
//!  serve.rs    accepts streams, a task for each; tells the client to go when the server stops
//!  stream.rs   what the body and the response of a request share
//!  head.rs     a stream's fields to a request's head                                       (pure)
//!  body.rs     what a script reads of a stream
//!  respond.rs  what it answers to a stream
//! ```
//!
//! **Invariants.** A stream becomes the request that HTTP/1.1 would have made of it. What the peer can make the connection keep is
//! bounded by the limits below: what is sent to a script comes as the script reads it, and what it sends is kept by the script's side
//! until the peer takes it. A stream that is reset ends its request, as a connection that is closed does.

mod body;
mod head;
mod io;
pub mod meter;
mod respond;
mod serve;
mod stream;

pub use body::Body;
pub use head::head as head_of;
pub use serve::{Connection, Streams, serve};

/// Requests at once on a connection.
pub const MAX_STREAMS: u32 = 128;
/// Bytes of a request's body that may come before its script reads, and of all of a connection's.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of a response that are kept behind what the socket takes.
const SEND_BUFFER: usize = 128 << 10;
/// Streams that this side has reset whose frames are still passed over, and for how long, in seconds.
const RESET_STREAMS: usize = 64;
const RESET_SECONDS: u64 = 2;
/// Streams that the client may take back before they have been looked at.
const PENDING_RESETS: usize = 20;
/// Streams of a connection that may break the rules.
const STREAM_ERRORS: usize = 256;
