//! Sets of bytes: what `%a`, `.` and `[...]` stand for in a pattern.
//!
//! **Invariant:** membership is one load and one bit test. The classes are those of C's <ctype.h> in the "C" locale, so
//! bytes from 128 on are in no class and in every complement.

/// A set of byte values, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: ByteSet = ByteSet([0; 4]);
    pub(super) const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    #[inline(always)]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn insert_range(&mut self, first: u8, last: u8) {
        for byte in first..=last {
            self.insert(byte);
        }
    }

    pub(super) fn union(&self, other: &ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    pub(super) fn intersection(&self, other: &ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    pub(super) fn complement(&self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The only member, if there is exactly one.
    pub(super) fn single(&self) -> Option<u8> {
        if self.0.iter().map(|word| word.count_ones()).sum::<u32>() != 1 {
            return None;
        }
        let word = self.0.iter().position(|word| *word != 0)?;
        Some((word as u32 * 64 + self.0[word].trailing_zeros()) as u8)
    }
}

impl From<u8> for ByteSet {
    fn from(byte: u8) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        set.insert(byte);
        set
    }
}

/// The set `%letter` stands for; `None` if the letter names no class and `%letter` is the letter itself.
pub(super) fn class(letter: u8) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        b'a' => ALPHA,
        b'c' => CONTROL,
        b'd' => DIGIT,
        b'g' => GRAPH,
        b'l' => LOWER,
        b'p' => PUNCT,
        b's' => SPACE,
        b'u' => UPPER,
        b'w' => ALNUM,
        b'x' => HEX,
        // Deprecated since 5.2 but still honoured by the reference, and by libraries in use.
        b'z' => ZERO,
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() {
        set.complement()
    } else {
        set
    })
}

const fn ranges(ranges: &[(u8, u8)]) -> ByteSet {
    let mut words = [0u64; 4];
    let mut i = 0;
    while i < ranges.len() {
        let (first, last) = ranges[i];
        let mut byte = first;
        while byte <= last {
            words[(byte >> 6) as usize] |= 1 << (byte & 63);
            byte += 1;
        }
        i += 1;
    }
    ByteSet(words)
}

const ALPHA: ByteSet = ranges(&[(b'A', b'Z'), (b'a', b'z')]);
const CONTROL: ByteSet = ranges(&[(0, 31), (127, 127)]);
const DIGIT: ByteSet = ranges(&[(b'0', b'9')]);
const GRAPH: ByteSet = ranges(&[(33, 126)]);
const LOWER: ByteSet = ranges(&[(b'a', b'z')]);
const PUNCT: ByteSet = ranges(&[(33, 47), (58, 64), (91, 96), (123, 126)]);
const SPACE: ByteSet = ranges(&[(9, 13), (32, 32)]);
const UPPER: ByteSet = ranges(&[(b'A', b'Z')]);
const ALNUM: ByteSet = ranges(&[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]);
const HEX: ByteSet = ranges(&[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]);
const ZERO: ByteSet = ranges(&[(0, 0)]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_agree_with_the_standard_library() {
        for byte in 0..=255u8 {
            for (letter, expected) in [
                (b'a', byte.is_ascii_alphabetic()),
                (b'c', byte.is_ascii_control()),
                (b'd', byte.is_ascii_digit()),
                (b'g', byte.is_ascii_graphic()),
                (b'l', byte.is_ascii_lowercase()),
                (b'p', byte.is_ascii_punctuation()),
                (b's', byte.is_ascii_whitespace() || byte == 11),
                (b'u', byte.is_ascii_uppercase()),
                (b'w', byte.is_ascii_alphanumeric()),
                (b'x', byte.is_ascii_hexdigit()),
                (b'z', byte == 0),
            ] {
                assert_eq!(
                    class(letter).unwrap().contains(byte),
                    expected,
                    "%{} {byte}",
                    letter as char
                );
                let upper = letter.to_ascii_uppercase();
                assert_eq!(
                    class(upper).unwrap().contains(byte),
                    !expected,
                    "%{} {byte}",
                    upper as char
                );
            }
        }
        assert_eq!(class(b'b'), None);
        assert_eq!(class(b'.'), None);
    }

    #[test]
    fn set_operations() {
        let mut set = ByteSet::from(b'x');
        assert_eq!(set.single(), Some(b'x'));
        set.insert_range(b'a', b'c');
        assert_eq!(set.single(), None);
        assert!(set.contains(b'b') && !set.contains(b'd'));
        assert!(set.intersection(&set.complement()).is_empty());
        assert_eq!(set.union(&set.complement()), ByteSet::ALL);
        set.insert_range(250, 255);
        assert!(set.contains(255));
        set.insert_range(b'z', b'a'); // an empty range
        assert!(!set.contains(b'y'));
    }
}
