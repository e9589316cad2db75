//! What frames come that carry nothing: resets, pings, settings, window updates, priorities, empty data, frames nobody knows.
//!
//! A client needs some of each; one that sends nothing else makes work for free (CVE-2019-9512, -9514, -9515, -9518, CVE-2023-44487). Each
//! costs credit. Credit comes with time, with responses and with what is written, since that has to be acknowledged.
//!
//! **Invariants.** The meter follows the frames by their lengths alone and keeps nothing but the head of one. Its credit is at most
//! [`MOST`]; once it is used up it stays so.

use std::time::Instant;

/// What a connection begins with, and the most that time can bring it to.
pub const CREDIT: u32 = 2000;
/// The most that responses can bring it to: they may all have gone out before the client acknowledges the first.
pub const MOST: u32 = 50_000;
/// What comes with a second.
const PER_SECOND: u32 = 100;
/// What comes with a stream that has been answered, and with each piece of a response: some clients acknowledge every one, for the stream
/// and for the connection.
const PER_ANSWER: u32 = 8;
const PER_PIECE: u32 = 3;
/// Bytes written that are worth 1.
const BYTES_FOR_ONE: usize = 2 << 10;
/// What a stream's reset costs: a request that was begun in vain.
const RESET: u32 = 5;

/// What a client sends before its first frame.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;

/// A count over one connection.
pub struct Meter {
    /// Bytes to pass over: the preface, a frame's payload.
    skip: usize,
    head: [u8; FRAME_HEAD],
    have: usize,
    credit: u32,
    written: usize,
    since: Instant,
    is_over: bool,
}

impl Meter {
    /// For a connection of which nothing has been read.
    pub fn new(now: Instant) -> Meter {
        Meter {
            skip: PREFACE.len(),
            head: [0; FRAME_HEAD],
            have: 0,
            credit: CREDIT,
            written: 0,
            since: now,
            is_over: false,
        }
    }

    /// Whether the client has sent too much that carries nothing.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What is left.
    pub fn credit(&self) -> u32 {
        self.credit
    }

    /// Bytes have come.
    pub fn see(&mut self, mut bytes: &[u8], now: Instant) {
        self.pass_time(now);
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (FRAME_HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == FRAME_HEAD {
                self.have = 0;
                self.frame();
            }
        }
    }

    /// A frame's head is complete.
    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.skip = length;
        let cost = match kind {
            DATA if length > 0 || flags & END_STREAM != 0 => 0,
            HEADERS => 0,
            RST_STREAM => RESET,
            _ => 1,
        };
        match self.credit.checked_sub(cost) {
            Some(left) => self.credit = left,
            None => self.is_over = true,
        }
    }

    /// By work.
    fn earn(&mut self, credit: u32) {
        self.credit = self.credit.saturating_add(credit).min(MOST);
    }

    fn pass_time(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs();
        if passed > 0 {
            self.since = now;
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            let more = passed.saturating_mul(PER_SECOND);
            self.credit = self
                .credit
                .saturating_add(more)
                .min(CREDIT.max(self.credit));
        }
    }

    /// A stream has been answered to its end.
    pub fn answered(&mut self) {
        self.earn(PER_ANSWER);
    }

    /// A piece of a response has been sent.
    pub fn sent(&mut self) {
        self.earn(PER_PIECE);
    }

    /// Bytes have been written.
    pub fn wrote(&mut self, count: usize) {
        let written = self.written + count;
        self.written = written % BYTES_FOR_ONE;
        self.earn(u32::try_from(written / BYTES_FOR_ONE).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() as u32;
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend_from_slice(payload);
        frame
    }

    fn meter() -> (Meter, Instant) {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        meter.see(PREFACE, now);
        (meter, now)
    }

    #[test]
    fn only_what_carries_nothing_costs() {
        for (bytes, cost) in [
            (frame(0, 0, b"data"), 0),
            (frame(0, END_STREAM, b""), 0),
            (frame(0, 0, b""), 1),
            (frame(1, 4, b"fields"), 0),
            (frame(2, 0, &[0; 5]), 1),
            (frame(3, 0, &[0; 4]), RESET),
            (frame(4, 0, &[]), 1),
            (frame(6, 0, &[0; 8]), 1),
            (frame(8, 0, &[0; 4]), 1),
            (frame(9, 0, b"more"), 1),
            (frame(99, 0, &[7; 300]), 1),
        ] {
            let (mut meter, now) = meter();
            meter.see(&bytes, now);
            assert_eq!(CREDIT - meter.credit(), cost, "{bytes:?}");
            // Cut anywhere it is the same.
            for at in 0..bytes.len() {
                let (mut meter, now) = self::meter();
                meter.see(&bytes[..at], now);
                meter.see(&bytes[at..], now);
                assert_eq!(CREDIT - meter.credit(), cost, "{bytes:?} at {at}");
            }
        }
    }

    #[test]
    fn credit_is_used_up_and_earned() {
        let (mut meter, now) = meter();
        let ping = frame(6, 0, &[0; 8]);
        for _ in 0..CREDIT {
            meter.see(&ping, now);
        }
        assert!(!meter.is_over() && meter.credit() == 0);
        meter.answered();
        meter.wrote(BYTES_FOR_ONE - 1);
        meter.wrote(1);
        assert_eq!(meter.credit(), PER_ANSWER + 1);
        meter.sent();
        assert_eq!(meter.credit(), PER_ANSWER + 1 + PER_PIECE);
        meter.credit = PER_ANSWER + 1;
        meter.see(&[], now + Duration::from_secs(3));
        assert_eq!(meter.credit(), PER_ANSWER + 1 + 3 * PER_SECOND);
        meter.see(&[], now + Duration::from_secs(3000));
        assert_eq!(meter.credit(), CREDIT);
        for _ in 0..MOST {
            meter.sent();
        }
        meter.see(&[], now + Duration::from_secs(3010));
        assert_eq!(meter.credit(), MOST);
        meter.credit = CREDIT;
        let reset = frame(3, 0, &[0; 4]);
        for _ in 0..=CREDIT / RESET {
            meter.see(&reset, now + Duration::from_secs(3010));
        }
        assert!(meter.is_over());
        meter.answered();
        assert!(meter.is_over());
    }
}
