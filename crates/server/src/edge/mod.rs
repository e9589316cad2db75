//! What an operator expects of the edge of a server, around whatever answers.
//!
//! | file | what |
//! |---|---|
//! | `accept` | `Accept-Encoding` to the codings a client takes (pure) |
//! | `encoder` | gzip, br and zstd, piece by piece (pure) |
//! | `compress` | which responses are compressed, and how that goes on beside other requests |
//! | `forwarded` | who the client is behind proxies that are trusted (pure) |
//! | `access`, `line` | the access log: what is noted of a request, and how it is written |
//! | `rules` | redirects and proxies of the manifest |
//! | `health` | whether the process lives and is ready |
//!
//! `service.rs` is the one place that calls them, for HTTP/1.1 and HTTP/2 alike.
//!
//! **Invariant.** A request that uses none of it pays for a few comparisons: no allocation, no clock, no lock.

pub mod accept;
pub mod access;
pub mod compress;
mod encoder;
pub mod forwarded;
pub mod health;
pub mod line;
pub mod rules;
