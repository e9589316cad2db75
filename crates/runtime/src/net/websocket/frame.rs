//! Frames of WebSocket (RFC 6455, section 5): bytes to frames, frames to bytes. No I/O.
//!
//! ```text
//!   First (2 bytes) --> Length (0, 2 or 8) --> Key (0 or 4) --> Payload --> a frame, and First again
//! ```
//!
//! **Invariants.** A frame is refused as soon as the bytes that are wrong with it are there: a payload above the limit before any of it has been
//! read, or room made for it. A [`Parser`] keeps a head, whatever comes.

use std::fmt;

/// The longest payload of a control frame, in bytes.
pub const MAX_CONTROL: u64 = 125;
/// The longest payload at all, in bytes: lengths have 31 bits, as in lua-resty-websocket.
pub const MAX_PAYLOAD: u64 = 0x7fff_ffff;
/// The longest head of a frame, in bytes.
pub const MAX_HEAD: usize = 14;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of a message.
    Continuation = 0,
    /// A message of text, or its beginning.
    Text = 1,
    /// A message of bytes, or its beginning.
    Binary = 2,
    /// The end.
    Close = 8,
    /// A question whether the other side is there.
    Ping = 9,
    /// The answer.
    Pong = 10,
}

impl Opcode {
    /// By its number; the reserved ones are none.
    pub fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether it is a control frame.
    pub fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }

    /// As lua-resty-websocket calls it.
    pub fn name(self) -> &'static str {
        match self {
            Opcode::Continuation => "continuation",
            Opcode::Text => "text",
            Opcode::Binary => "binary",
            Opcode::Close => "close",
            Opcode::Ping => "ping",
            Opcode::Pong => "pong",
        }
    }
}

/// Whether payloads must be masked. Those of clients are, those of servers are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masking {
    /// The other side is a client.
    Required,
    /// The other side is a server.
    Forbidden,
    /// Both are taken.
    Either,
}

/// What is taken of the other side.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether payloads must be masked.
    pub masking: Masking,
    /// The longest payload, in bytes.
    pub max_payload: u64,
}

/// What is wrong with a frame. Shown in lua-resty-websocket's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit is set.
    ReservedBits,
    /// A reserved opcode of data.
    ReservedData,
    /// A reserved opcode of control.
    ReservedControl,
    /// A client's frame is not masked.
    Unmasked,
    /// A server's frame is masked.
    Masked,
    /// A control frame has too long a payload.
    LongControl,
    /// A control frame is fragmented.
    FragmentedControl,
    /// A length has more than 31 bits.
    TooLong,
    /// The payload is above the limit.
    OverLimit,
    /// Half a status code.
    ShortClose,
}

impl Violation {
    /// The status code that says so to the other side.
    pub fn code(self) -> u16 {
        match self {
            Violation::TooLong | Violation::OverLimit => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::ReservedBits => "bad RSV1, RSV2, or RSV3 bits",
            Violation::ReservedData => "reserved non-control frames",
            Violation::ReservedControl => "reserved control frames",
            Violation::Unmasked => "frame unmasked",
            Violation::Masked => "frame masked",
            Violation::LongControl => "too long payload for control frame",
            Violation::FragmentedControl => "fragmented control frame",
            Violation::TooLong => "payload len too large",
            Violation::OverLimit => "exceeding max payload len",
            Violation::ShortClose => "close frame with a body must carry a 2-byte status code",
        })
    }
}

/// What a frame is, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether its message ends with it.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// The bytes that its payload is masked with.
    pub key: Option<[u8; 4]>,
    /// The length of its payload.
    pub length: u64,
}

/// A part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first two bytes.
    First,
    /// The length, if it has bytes of its own: so many.
    Length(usize),
    /// What the payload is masked with.
    Key,
    /// The payload.
    Payload,
}

/// A frame on its way.
#[derive(Debug)]
pub struct Parser {
    part: Part,
    head: Head,
    is_masked: bool,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser {
            part: Part::First,
            head: Head {
                fin: false,
                opcode: Opcode::Continuation,
                key: None,
                length: 0,
            },
            is_masked: false,
        }
    }
}

impl Parser {
    /// What comes next, and how many bytes it has.
    pub fn next(&self) -> (Part, usize) {
        let size = match self.part {
            Part::First => 2,
            Part::Length(bytes) => bytes,
            Part::Key => 4,
            // At most MAX_PAYLOAD.
            Part::Payload => self.head.length as usize,
        };
        (self.part, size)
    }

    /// A part of the head has come, all of it. An error is the end: what follows cannot be told.
    pub fn head(&mut self, bytes: &[u8], rules: &Rules) -> Result<(), Violation> {
        match self.part {
            Part::First => {
                let [first, second] = *bytes else {
                    return Ok(());
                };
                self.first(first, second, rules)
            }
            Part::Length(_) => {
                let length = (bytes.iter()).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
                self.has_length(length, rules)
            }
            Part::Key => {
                self.head.key = bytes.try_into().ok();
                self.part = Part::Payload;
                Ok(())
            }
            Part::Payload => Ok(()),
        }
    }

    fn first(&mut self, first: u8, second: u8, rules: &Rules) -> Result<(), Violation> {
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let bits = first & 0x0f;
        let Some(opcode) = Opcode::from_bits(bits) else {
            return Err(match bits & 8 {
                0 => Violation::ReservedData,
                _ => Violation::ReservedControl,
            });
        };
        self.is_masked = second & 0x80 != 0;
        match (rules.masking, self.is_masked) {
            (Masking::Required, false) => return Err(Violation::Unmasked),
            (Masking::Forbidden, true) => return Err(Violation::Masked),
            _ => {}
        }
        self.head = Head {
            fin: first & 0x80 != 0,
            opcode,
            key: None,
            length: 0,
        };
        let length = second & 0x7f;
        if opcode.is_control() && u64::from(length) > MAX_CONTROL {
            return Err(Violation::LongControl);
        }
        if opcode.is_control() && !self.head.fin {
            return Err(Violation::FragmentedControl);
        }
        self.part = match length {
            126 => Part::Length(2),
            127 => Part::Length(8),
            length => return self.has_length(length.into(), rules),
        };
        Ok(())
    }

    fn has_length(&mut self, length: u64, rules: &Rules) -> Result<(), Violation> {
        if length > MAX_PAYLOAD {
            return Err(Violation::TooLong);
        }
        if length > rules.max_payload {
            return Err(Violation::OverLimit);
        }
        self.head.length = length;
        self.part = match self.is_masked {
            true => Part::Key,
            false => Part::Payload,
        };
        Ok(())
    }

    /// The payload has come, all of it: it is unmasked, and the next frame begins.
    pub fn payload(&mut self, payload: &mut [u8]) -> Head {
        if let Some(key) = self.head.key {
            mask(payload, key);
        }
        self.part = Part::First;
        self.head
    }
}

/// Masks a payload, or unmasks it.
pub fn mask(data: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = data.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// How many bytes a frame with so long a payload has.
pub fn encoded_len(length: usize, is_masked: bool) -> usize {
    let extended = match length {
        ..126 => 0,
        126..0x1_0000 => 2,
        _ => 8,
    };
    2 + extended + if is_masked { 4 } else { 0 } + length
}

/// Adds a frame to `out`. Of `opcode` the lower four bits are taken; nothing is checked.
pub fn encode(out: &mut Vec<u8>, fin: bool, opcode: u8, payload: &[u8], key: Option<[u8; 4]>) {
    out.push(if fin { 0x80 } else { 0 } | opcode & 0x0f);
    let masked = if key.is_some() { 0x80 } else { 0 };
    let length = payload.len();
    match length {
        // The arms say that it fits.
        ..126 => out.push(masked | length as u8),
        126..0x1_0000 => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        out.extend_from_slice(&key);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let (Some(key), Some(payload)) = (key, out.get_mut(start..)) {
        mask(payload, key);
    }
}

/// What the payload of a close frame says: a status code, and a text; `None`: nothing.
pub fn close_of(payload: &[u8]) -> Result<Option<(u16, &[u8])>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::ShortClose),
        [first, second, text @ ..] => Ok(Some((u16::from_be_bytes([*first, *second]), text))),
    }
}

/// Whether a status code may be in a close frame (RFC 6455, section 7.4, and those registered since).
pub fn is_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Rules = Rules {
        masking: Masking::Required,
        max_payload: 1 << 20,
    };
    const ANY: Rules = Rules {
        masking: Masking::Either,
        max_payload: MAX_PAYLOAD,
    };

    type Frames = Vec<(Head, Vec<u8>)>;

    /// The frames in `input`, with their payloads, and how it ends.
    fn frames(input: &[u8], rules: &Rules) -> (Frames, Result<usize, Violation>) {
        let (mut parser, mut rest, mut all) = (Parser::default(), input, Vec::new());
        loop {
            let (part, size) = parser.next();
            let Some((bytes, behind)) = rest.split_at_checked(size) else {
                return (all, Ok(rest.len()));
            };
            rest = behind;
            if part == Part::Payload {
                let mut payload = bytes.to_vec();
                let head = parser.payload(&mut payload);
                all.push((head, payload));
            } else if let Err(violation) = parser.head(bytes, rules) {
                return (all, Err(violation));
            }
        }
    }

    fn refused(input: &[u8], rules: &Rules) -> Violation {
        frames(input, rules).1.unwrap_err()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let hello = |fin, opcode, key, length| Head {
            fin,
            opcode,
            key,
            length,
        };
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        let unmasked = b"\x81\x05Hello";
        let (all, rest) = frames(unmasked, &ANY);
        assert_eq!(
            (all, rest),
            (
                vec![(hello(true, Opcode::Text, None, 5), b"Hello".to_vec())],
                Ok(0)
            )
        );
        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let (all, _) = frames(masked, &SERVER);
        assert_eq!(
            all,
            [(hello(true, Opcode::Text, key, 5), b"Hello".to_vec())]
        );
        let mut again = Vec::new();
        encode(&mut again, true, 1, b"Hello", key);
        assert_eq!(again, masked);
        let (all, _) = frames(b"\x01\x03Hel\x80\x02lo\x89\x05Hello", &ANY);
        assert_eq!(
            all,
            [
                (hello(false, Opcode::Text, None, 3), b"Hel".to_vec()),
                (hello(true, Opcode::Continuation, None, 2), b"lo".to_vec()),
                (hello(true, Opcode::Ping, None, 5), b"Hello".to_vec()),
            ]
        );
        let mut long = Vec::new();
        encode(&mut long, true, 2, &[0; 256], None);
        assert_eq!(long[..4], [0x82, 0x7e, 1, 0]);
        let mut longer = Vec::new();
        encode(&mut longer, true, 2, &[0; 65536], None);
        assert_eq!(longer[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn what_is_against_the_rules_is_refused_at_once() {
        for (input, violation) in [
            (&b"\xc1\x80"[..], Violation::ReservedBits),
            (b"\xa1\x80", Violation::ReservedBits),
            (b"\x91\x80", Violation::ReservedBits),
            (b"\x83\x80", Violation::ReservedData),
            (b"\x87\x80", Violation::ReservedData),
            (b"\x8b\x80", Violation::ReservedControl),
            (b"\x8f\x80", Violation::ReservedControl),
            (b"\x81\x05", Violation::Unmasked),
            (b"\x89\xfe", Violation::LongControl),
            (b"\x88\xff", Violation::LongControl),
            (b"\x09\x80", Violation::FragmentedControl),
            (b"\x08\x82", Violation::FragmentedControl),
            (b"\x82\xff\0\0\0\0\x80\0\0\0", Violation::TooLong),
            (b"\x82\xff\x80\0\0\0\0\0\0\0", Violation::TooLong),
            (b"\x82\xff\0\0\0\0\0\x10\0\x01", Violation::OverLimit),
        ] {
            assert_eq!(refused(input, &SERVER), violation, "{input:x?}");
        }
        let client = Rules {
            masking: Masking::Forbidden,
            max_payload: 125,
        };
        assert_eq!(refused(b"\x81\x80", &client), Violation::Masked);
        assert_eq!(refused(b"\x81\x7e\0\x7e", &client), Violation::OverLimit);
        assert_eq!(frames(b"\x81\x7d", &client).1, Ok(0));
        assert_eq!(Violation::OverLimit.code(), 1009);
        assert_eq!(Violation::Unmasked.code(), 1002);
    }

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70001] {
            for key in [None, Some([1, 2, 3, 4]), Some([0; 4])] {
                let payload: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
                let mut out = b"x".to_vec();
                encode(&mut out, false, 2, &payload, key);
                assert_eq!(out.len(), 1 + encoded_len(length, key.is_some()));
                let (all, rest) = frames(&out[1..], &ANY);
                assert_eq!(rest, Ok(0));
                assert_eq!(all.len(), 1);
                assert_eq!((all[0].0.key, &all[0].1), (key, &payload));
            }
        }
    }

    #[test]
    fn masking_is_by_position() {
        let data: Vec<u8> = (0..100).collect();
        for length in 0..data.len() {
            let mut masked = data[..length].to_vec();
            mask(&mut masked, [9, 8, 7, 6]);
            for (at, byte) in masked.iter().enumerate() {
                assert_eq!(*byte, data[at] ^ [9, 8, 7, 6][at % 4]);
            }
        }
    }

    #[test]
    fn closes() {
        assert_eq!(close_of(b""), Ok(None));
        assert_eq!(close_of(b"\x03"), Err(Violation::ShortClose));
        assert_eq!(close_of(b"\x03\xe8bye"), Ok(Some((1000, &b"bye"[..]))));
        for (code, fits) in [
            (999, false),
            (1000, true),
            (1004, false),
            (1005, false),
            (1006, false),
            (1011, true),
            (1015, false),
            (2999, false),
            (3000, true),
            (4999, true),
            (5000, false),
        ] {
            assert_eq!(is_code(code), fits, "{code}");
        }
    }
}
