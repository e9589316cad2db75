//! Fuzzer input read as a sequence of decisions.
//!
//! **Invariant:** past the end every decision is the first choice, and generators put what ends soonest first, so that
//! any input, the empty one too, makes a finite case, and cutting an input short makes a smaller case.

/// A cursor over the input.
pub struct Bytes<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    /// Reads from the first byte on.
    pub fn new(data: &'a [u8]) -> Self {
        Bytes { data, at: 0 }
    }

    /// Whether all input is used up.
    pub fn is_empty(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The next byte; 0 past the end.
    pub fn byte(&mut self) -> u8 {
        let byte = self.data.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// A number below `n` (which is at least 1).
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 256 {
            self.byte() as usize % n
        } else {
            (usize::from(self.byte()) << 8 | usize::from(self.byte())) % n
        }
    }

    /// True for about one input in `n`; false past the end.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of these; the first past the end.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Any integer, those near zero and near the limits more often.
    pub fn integer(&mut self) -> i64 {
        let small = i64::from(self.byte() as i8);
        match self.below(8) {
            0..4 => small,
            4 => i64::MAX.wrapping_add(small.min(0)),
            5 => i64::MIN.wrapping_add(small.max(0)),
            6 => (1i64 << self.below(63)).wrapping_add(small % 3),
            _ => i64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    /// Up to `max` bytes.
    pub fn take(&mut self, max: usize) -> &'a [u8] {
        let from = self.at.min(self.data.len());
        let to = (from + max).min(self.data.len());
        self.at += max;
        &self.data[from..to]
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_end_every_decision_is_the_first() {
        let mut bytes = Bytes::new(&[7]);
        assert_eq!(bytes.below(5), 2);
        assert!(bytes.is_empty());
        assert_eq!(bytes.below(5), 0);
        assert_eq!(bytes.below(1000), 0);
        assert!(!bytes.one_in(2));
        assert_eq!(bytes.integer(), 0);
        assert_eq!(bytes.pick(&[3, 4]), 3);
        assert!(bytes.rest().is_empty());
    }
}
