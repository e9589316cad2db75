//! Short texts, put together on the native stack: numbers as they are shown, and results that are copied once, into their string.
//!
//! **Invariant:** a [`Short`] never writes outside of its array. Who appends to it knows that there is room; what had none would be
//! left out.

/// Where bytes are appended: a vector, or a text on the stack.
pub trait Output {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]);
    /// Appends a byte `n` times.
    fn fill(&mut self, byte: u8, n: usize);
}

impl Output for Vec<u8> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    #[inline]
    fn fill(&mut self, byte: u8, n: usize) {
        self.resize(self.len() + n, byte);
    }
}

/// A text of at most `N` bytes.
#[derive(Clone, Copy)]
pub struct Short<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Short<N> {
    /// An empty one.
    #[inline]
    pub fn new() -> Short<N> {
        Short {
            len: 0,
            bytes: [0; N],
        }
    }
    /// The bytes so far.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
    /// The bytes so far, to be changed in place.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
    /// How many more bytes there is room for.
    #[inline]
    pub fn room(&self) -> usize {
        N - self.len
    }
    /// Appends a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        debug_assert!(self.room() > 0);
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }
    /// Drops the bytes from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Short<N> {
        Short::new()
    }
}

impl<const N: usize> Output for Short<N> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.room());
        if let Some(place) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
    #[inline]
    fn fill(&mut self, byte: u8, n: usize) {
        debug_assert!(n <= self.room());
        if let Some(place) = self.bytes.get_mut(self.len..self.len + n) {
            place.fill(byte);
            self.len += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_appended_up_to_the_end() {
        let mut text = Short::<8>::new();
        text.append(b"abc");
        text.fill(b'-', 3);
        text.push(b'x');
        assert_eq!((text.as_bytes(), text.room()), (&b"abc---x"[..], 1));
        text.fill(b'!', 1);
        text.append(b"");
        assert_eq!((text.as_bytes(), text.room()), (&b"abc---x!"[..], 0));
        text.truncate(2);
        text.as_bytes_mut().make_ascii_uppercase();
        assert_eq!(text.as_bytes(), b"AB");
    }
}
