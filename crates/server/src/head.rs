//! The head of a request, of whatever version.
//!
//! **Invariant.** A head is kept in one piece, and the rest are places in it: what nobody asks for is not built. Whoever makes one
//! (`http1/head.rs`, `http2/head.rs`) has checked what two readers could take differently.

use http::header::HeaderName;
use http::{Method, Version};
use std::ops::Range;

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; often none.
    Length(u64),
    /// To its own end: chunks, or the data of an HTTP/2 stream.
    Chunked,
}

/// Places of a field in the head.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: Range<u32>,
    pub(crate) value: Range<u32>,
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) raw: Box<[u8]>,
    /// The method.
    pub method: Method,
    /// 1.0, 1.1 or 2.
    pub version: Version,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// Whether the client waits for "100 Continue" before it sends the body.
    pub expects_continue: bool,
    /// The target without a scheme and an authority: path and query. In `raw`, or empty (`*` included).
    pub(crate) target: Range<u32>,
    /// The length of its path.
    pub(crate) path: u32,
    /// The host, and the port if there is one: from an absolute target, or the `Host` field.
    pub(crate) authority: Range<u32>,
    pub(crate) fields: Box<[Field]>,
}

impl Head {
    fn part(&self, place: &Range<u32>) -> &[u8] {
        &self.raw[place.start as usize..place.end as usize]
    }

    /// The head as it was received, with the empty line at its end; of HTTP/2 no such thing, only something of its length.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Path and query, as they were sent.
    pub fn target(&self) -> &[u8] {
        match self.target.is_empty() {
            true => b"/",
            false => self.part(&self.target),
        }
    }

    /// The path, as it was sent.
    pub fn path(&self) -> &[u8] {
        match self.target.is_empty() {
            true => b"/",
            false => &self.part(&self.target)[..self.path as usize],
        }
    }

    /// What follows the question mark.
    pub fn query(&self) -> Option<&[u8]> {
        self.part(&self.target).get(self.path as usize + 1..)
    }

    /// As [`Head::authority`], in bytes.
    pub fn authority_bytes(&self) -> &[u8] {
        self.part(&self.authority)
    }

    /// Host and port that the request is for; empty in a request of HTTP/1.0 without any.
    pub fn authority(&self) -> &str {
        std::str::from_utf8(self.part(&self.authority)).unwrap_or("")
    }

    /// How long the body is said to be.
    pub fn declared_length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }

    /// The fields in their order, names as they were sent.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (self.fields.iter()).map(|field| (self.part(&field.name), self.part(&field.value)))
    }

    /// The version as nginx writes it.
    pub fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_11 => "HTTP/1.1",
            _ => "HTTP/1.0",
        }
    }

    /// The values of a field.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let name = name.as_str().as_bytes();
        (self.fields())
            .filter_map(move |(at, value)| at.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The first value of a field.
    pub fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.all(name).next()
    }
}
