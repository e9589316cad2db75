//! The chunked transfer coding, read strictly (RFC 9112, section 7.1).
//!
//! **Invariant:** each byte is looked at once; the decoder keeps a few words whatever comes. Extensions and trailers are
//! passed over, and there may be so much of them.

use std::ops::Range;

/// Why something is no chunked body, for whoever has sent it and for logs.
pub type Refusal = &'static str;

/// Bytes of extensions and trailers of one body.
const MAX_EXTRA: u32 = 16 << 10;
/// The largest chunk, in hexadecimal digits.
const MAX_DIGITS: u8 = 15;

/// Where in the coding the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the size, after so many digits.
    Size(u8),
    /// In extensions, up to the CR.
    Extension,
    /// At the LF behind a size.
    SizeEnd,
    /// In data.
    Data,
    /// At the CR behind data.
    DataEnd,
    /// At the LF behind data.
    DataEndLf,
    /// At the beginning of a line of trailers.
    Trailer,
    /// In such a line.
    TrailerLine,
    /// At the LF behind such a line.
    TrailerLf,
    /// At the LF that ends the body.
    Last,
    /// Behind it.
    End,
}

/// A decoder at some place in a body.
#[derive(Debug)]
pub struct Decoder {
    at: At,
    /// Of the chunk that is being read.
    left: u64,
    extra: u32,
}

/// What some input has brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// So many bytes of it are done with.
    pub used: usize,
    /// Where in it data is; empty when there is none.
    pub data: Range<usize>,
    /// The body is at its end.
    pub ended: bool,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            at: At::Size(0),
            left: 0,
            extra: 0,
        }
    }
}

impl Decoder {
    /// Reads up to the end of the next piece of data, of the body, or of the input.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Refusal> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            if self.at == At::Data {
                let count = self.left.min((input.len() - used) as u64) as usize;
                self.left -= count as u64;
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                return Ok(Step {
                    used: used + count,
                    data: used..used + count,
                    ended: false,
                });
            }
            if self.at == At::End {
                break;
            }
            self.take(byte)?;
            used += 1;
        }
        Ok(Step {
            used,
            data: used..used,
            ended: self.at == At::End,
        })
    }

    /// A byte that is no data.
    fn take(&mut self, byte: u8) -> Result<(), Refusal> {
        let malformed = Err("the chunked body is malformed");
        self.at = match (self.at, byte) {
            (At::Size(digits), _) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return malformed;
                }
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                self.left = self.left << 4 | u64::from(digit);
                At::Size(digits + 1)
            }
            (At::Size(1..), b';') => At::Extension,
            (At::Size(1..) | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, b'\n' | 0) | (At::TrailerLine, b'\n' | 0) => return malformed,
            (At::Extension, _) => self.extra(At::Extension)?,
            (At::SizeEnd, b'\n') if self.left == 0 => At::Trailer,
            (At::SizeEnd, b'\n') => At::Data,
            (At::DataEnd, b'\r') => At::DataEndLf,
            (At::DataEndLf, b'\n') => At::Size(0),
            (At::Trailer, b'\r') => At::Last,
            (At::Trailer, b'\n' | 0 | b' ' | b'\t') => return malformed,
            (At::TrailerLine, b'\r') => At::TrailerLf,
            (At::Trailer | At::TrailerLine, _) => self.extra(At::TrailerLine)?,
            (At::TrailerLf, b'\n') => At::Trailer,
            (At::Last, b'\n') => At::End,
            _ => return malformed,
        };
        Ok(())
    }

    fn extra(&mut self, next: At) -> Result<At, Refusal> {
        self.extra += 1;
        match self.extra > MAX_EXTRA {
            true => Err("the chunked body has too much beside its data"),
            false => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and how many bytes the body took; None: it is not at its end.
    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, Option<usize>), Refusal> {
        let (mut decoder, mut data, mut at) = (Decoder::default(), Vec::new(), 0);
        while at < input.len() {
            let end = input.len().min(at + piece);
            let step = decoder.decode(&input[at..end])?;
            data.extend_from_slice(&input[at..end][step.data]);
            at += step.used;
            if step.ended {
                return Ok((data, Some(at)));
            }
        }
        Ok((data, None))
    }

    #[test]
    fn bodies_in_pieces_of_any_size() {
        let body = b"5\r\nhello\r\n00A;x=\"y\"\r\n, worldly!\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET /";
        for piece in 1..=body.len() {
            let (data, used) = decode(body, piece).unwrap();
            assert_eq!(data, b"hello, worldly!");
            assert_eq!(used, Some(body.len() - 5));
        }
        assert_eq!(decode(b"0\r\n\r\n", 9).unwrap(), (vec![], Some(5)));
        assert_eq!(decode(b"3\r\nab", 9).unwrap(), (b"ab".to_vec(), None));
    }

    #[test]
    fn what_is_not_quite_chunked_is_refused() {
        for body in [
            "x",
            "\r\n",
            ";a\r\n",
            "5\nhello",
            "5\r\nhello\n",
            "5\r\nhelloX",
            "5 \r\n",
            "+5\r\n",
            "0x5\r\n",
            "-1\r\n",
            "5;a\nb\r\n",
            "0\r\n\n",
            "0\r\n a: b\r\n\r\n",
            "0\r\nX\n",
            "0\r\nX: \0\r\n",
            "1234567890123456\r\n",
            "5\r\rhello",
        ] {
            assert!(decode(body.as_bytes(), 99).is_err(), "{body:?}");
        }
        // Limits are reached, not passed.
        let extension = |n: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(n)).into_bytes();
        assert!(decode(&extension(MAX_EXTRA as usize), 999).is_ok());
        assert!(decode(&extension(MAX_EXTRA as usize + 1), 999).is_err());
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MAX_EXTRA as usize / 4 + 1));
        assert!(decode(trailers.as_bytes(), 999).is_err());
    }
}
