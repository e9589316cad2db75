//! Random bytes for unit tests, the same in every run.

/// A small generator (xorshift64*): good enough to be surprising.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// Fewer bytes than the limit.
    pub(crate) fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let len = self.below(limit);
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    /// Fewer bytes than the limit, from these.
    pub(crate) fn text(&mut self, limit: usize, from: &[u8]) -> Vec<u8> {
        let len = self.below(limit);
        (0..len).map(|_| from[self.below(from.len())]).collect()
    }
}
