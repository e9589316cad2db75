//! Content codings: gzip and deflate, undone piece by piece.
//!
//! **Invariants.** A step takes at most [`STEP`] bytes and so gives at most some thousand times as many; a body that ends within a
//! member, or goes on behind one, is an error.

use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use std::io::{self, Write};

/// How many bytes are taken in one step.
pub const STEP: usize = 1 << 10;

/// What is accepted, for the request.
pub const ACCEPTED: &str = "gzip, deflate";

const MALFORMED: &str = "the compressed body is malformed";

/// A decoder somewhere in a body.
pub enum Inflate {
    /// gzip.
    Gzip(GzDecoder<Vec<u8>>),
    /// deflate of which nothing has come: some peers leave the frame of zlib out.
    Undecided(Vec<u8>),
    /// deflate as it is defined.
    Zlib(ZlibDecoder<Vec<u8>>),
    /// deflate without a frame.
    Raw(DeflateDecoder<Vec<u8>>),
}

impl Inflate {
    /// For a `Content-Encoding`; `None` if it is not one of those that are undone.
    pub fn new(coding: &[u8]) -> Option<Inflate> {
        match coding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Some(Inflate::Gzip(GzDecoder::new(Vec::new()))),
            b"deflate" => Some(Inflate::Undecided(Vec::new())),
            _ => None,
        }
    }

    /// Takes a piece of at most [`STEP`] bytes; what it gives.
    pub fn step(&mut self, piece: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Inflate::Gzip(decoder) => feed(decoder, piece, |d| std::mem::take(d.get_mut())),
            Inflate::Zlib(decoder) => feed(decoder, piece, |d| std::mem::take(d.get_mut())),
            Inflate::Raw(decoder) => feed(decoder, piece, |d| std::mem::take(d.get_mut())),
            Inflate::Undecided(seen) => {
                seen.extend_from_slice(piece);
                let &[first, second, ..] = &seen[..] else {
                    return Ok(Vec::new());
                };
                let seen = std::mem::take(seen);
                let check = u16::from_be_bytes([first, second]);
                *self = match first & 15 == 8 && check % 31 == 0 {
                    true => Inflate::Zlib(ZlibDecoder::new(Vec::new())),
                    false => Inflate::Raw(DeflateDecoder::new(Vec::new())),
                };
                self.step(&seen)
            }
        }
    }

    /// The body is at its end: what was still held back.
    pub fn end(&mut self) -> Result<Vec<u8>, &'static str> {
        match self {
            Inflate::Gzip(decoder) => close(decoder.try_finish(), decoder.get_mut()),
            Inflate::Zlib(decoder) => close(decoder.try_finish(), decoder.get_mut()),
            Inflate::Raw(decoder) => close(decoder.try_finish(), decoder.get_mut()),
            Inflate::Undecided(seen) if seen.is_empty() => Ok(Vec::new()),
            Inflate::Undecided(_) => Err(MALFORMED),
        }
    }
}

fn feed<D: Write>(
    decoder: &mut D,
    mut piece: &[u8],
    take: impl Fn(&mut D) -> Vec<u8>,
) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    while !piece.is_empty() {
        match decoder.write(piece) {
            // The member is at its end, and there is more.
            Ok(0) => return Err(MALFORMED),
            Ok(used) => piece = piece.get(used..).unwrap_or_default(),
            Err(_) => return Err(MALFORMED),
        }
        out.append(&mut take(decoder));
    }
    Ok(out)
}

fn close(finished: io::Result<()>, out: &mut Vec<u8>) -> Result<Vec<u8>, &'static str> {
    match finished {
        Ok(()) => Ok(std::mem::take(out)),
        Err(_) => Err("the compressed body is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn inflate(coding: &str, body: &[u8], piece: usize) -> Result<Vec<u8>, &'static str> {
        let mut decoder = Inflate::new(coding.as_bytes()).unwrap();
        let mut out = Vec::new();
        for piece in body.chunks(piece) {
            out.append(&mut decoder.step(piece)?);
        }
        out.append(&mut decoder.end()?);
        Ok(out)
    }

    #[test]
    fn bodies_in_pieces_of_any_size() {
        let text = "so it is ".repeat(500).into_bytes();
        let best = Compression::best();
        let mut gzip = GzEncoder::new(Vec::new(), best);
        let mut zlib = ZlibEncoder::new(Vec::new(), best);
        let mut raw = DeflateEncoder::new(Vec::new(), best);
        for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
            encoder.write_all(&text).unwrap();
        }
        let bodies = [
            ("gzip", gzip.finish().unwrap()),
            ("X-GZIP", vec![]),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
        ];
        for (coding, body) in bodies {
            if body.is_empty() {
                assert!(inflate(coding, &[], 1).is_err());
                continue;
            }
            for piece in [1, 2, 7, STEP] {
                assert!(
                    inflate(coding, &body, piece).unwrap() == text,
                    "{coding} {piece}"
                );
            }
            for end in [0, 1, 2, 9, body.len() - 1] {
                let cut = inflate(coding, body.get(..end).unwrap(), 5);
                assert_eq!(
                    cut.is_ok(),
                    coding == "deflate" && end == 0,
                    "{coding} {end}"
                );
            }
            let more = [&body[..], b"x"].concat();
            assert!(inflate(coding, &more, 7).is_err(), "{coding}");
            let mut broken = body.clone();
            broken[body.len() / 2] ^= 0x55;
            let _ = inflate(coding, &broken, 7);
        }
        assert!(Inflate::new(b"br").is_none() && Inflate::new(b"identity").is_none());
    }
}
