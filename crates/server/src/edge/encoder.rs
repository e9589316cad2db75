//! gzip, br and zstd, piece by piece.
//!
//! **Invariants.** What has been flushed can be decoded to all that has been written before. The room that an encoder takes is bounded whatever is
//! written: windows are [`WINDOW`] at most, which is also what clients have to hold.

use rille_runtime::manifest::Coding;
use std::io::{self, Write};

/// The window of br and zstd, as the power of two of its bytes; gzip's is smaller.
const WINDOW: u32 = 18;

/// What br buffers before it works.
const BUFFER: usize = 4096;

/// Compresses one body.
pub enum Encoder {
    /// RFC 1952.
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    /// RFC 7932.
    Br(Box<brotli::CompressorWriter<Vec<u8>>>),
    /// RFC 8878.
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// For a body of `length` bytes, if that is known. `level`: 1 to 9, from fast to small.
    pub fn new(coding: Coding, level: u32, length: Option<u64>) -> io::Result<Encoder> {
        Ok(match coding {
            Coding::Gzip => Encoder::Gzip(flate2::write::GzEncoder::new(
                Vec::new(),
                flate2::Compression::new(level),
            )),
            Coding::Br => {
                let window = length.map_or(WINDOW, window_for);
                Encoder::Br(Box::new(brotli::CompressorWriter::new(
                    Vec::new(),
                    BUFFER,
                    level,
                    window,
                )))
            }
            Coding::Zstd => {
                let level = i32::try_from(level).unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                encoder.window_log(length.map_or(WINDOW, window_for))?;
                if let Some(length) = length {
                    encoder.set_pledged_src_size(Some(length))?;
                }
                Encoder::Zstd(encoder)
            }
        })
    }

    /// Adds to the body.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Br(encoder) => encoder.write_all(bytes),
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Makes what was written decodable.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Br(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }

    /// What has come out since this was asked last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            // It is a buffer; what is in it belongs to nobody else.
            Encoder::Br(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        })
    }

    /// The body is at its end: the rest of it.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Br(encoder) => Ok(encoder.into_inner()),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// The smallest window that holds a body of this length.
fn window_for(length: u64) -> u32 {
    (u64::BITS - length.leading_zeros()).clamp(10, WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // What was flushed and not finished ends without its end.
        let _ = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Coding::Br => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
            Coding::Zstd => zstd::stream::read::Decoder::new(bytes)
                .unwrap()
                .read_to_end(&mut out),
        };
        out
    }

    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"the quick brown fox "[(state >> 24) as usize % 20]
        };
        (0..length).map(|_| byte()).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            for level in [1, 5, 9] {
                for length in [0, 1, 1000, 70_000, 300_000] {
                    let body = text(length);
                    for known in [None, Some(length as u64)] {
                        let mut encoder = Encoder::new(coding, level, known).unwrap();
                        let mut out = Vec::new();
                        for piece in body.chunks(16 << 10) {
                            encoder.write(piece).unwrap();
                            out.extend(encoder.take());
                        }
                        out.extend(encoder.finish().unwrap());
                        assert!(decode(coding, &out) == body, "{coding:?} {level} {length}");
                        assert!(length < 1000 || out.len() < length);
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            let mut encoder = Encoder::new(coding, 5, None).unwrap();
            let (mut out, mut body) = (Vec::new(), Vec::new());
            for piece in text(5000).chunks(700) {
                body.extend_from_slice(piece);
                encoder.write(piece).unwrap();
                encoder.flush().unwrap();
                out.extend(encoder.take());
                assert!(decode(coding, &out) == body, "{coding:?}");
            }
        }
    }

    #[test]
    fn windows_fit_bodies() {
        assert_eq!(
            [0, 1, 1024, 100_000, u64::MAX].map(window_for),
            [10, 10, 11, 17, 18]
        );
    }
}
