//! Strings. The table of those that are interned is in [`crate::heap::intern`].
//!
//! **Invariants**
//! - A string's bytes never change and never move.
//! - Strings of up to [`MAX_INTERNED`] bytes are interned: equal bytes, equal pointer. Longer ones are not, and
//!   their hash is computed when first asked for.

use crate::heap::{Gc, Header};

/// The longest string that is interned, in bytes.
pub const MAX_INTERNED: usize = 40;
/// The longest string there can be, in bytes.
pub const MAX_LEN: usize = (i32::MAX - 1) as usize;

/// What C makes of bytes: those before the first zero byte.
pub(crate) fn as_c_string(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

const INTERNED: u8 = 1;
const HASHED: u8 = 2;

/// A string object: `header.aux` is the length, the bytes follow the hash.
#[repr(C)]
pub struct Str {
    pub(crate) header: Header,
    pub(crate) hash: u32,
    pub(crate) bytes: [u8; 0],
}

/// Offset of the bytes in a string object.
pub(crate) const STR_DATA: usize = std::mem::offset_of!(Str, bytes);
const _: () = assert!(STR_DATA == 12);

impl Str {
    /// Length in bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.header.aux as usize
    }
    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    #[inline(always)]
    pub(crate) fn is_interned(&self) -> bool {
        self.header.flags & INTERNED != 0
    }
}

impl Gc<Str> {
    /// The bytes. They are valid while the string is reachable from a root: a native's arguments are
    /// for as long as the native (or the frame it leaves) is on the stack.
    #[inline(always)]
    pub fn as_bytes<'a>(self) -> &'a [u8] {
        // SAFETY: as in `Str::bytes`; the caller keeps the string reachable, and strings do not move.
        unsafe { std::slice::from_raw_parts((self.addr() as *const u8).add(STR_DATA), self.len()) }
    }

    /// The hash of a string of any length, kept in the string.
    #[inline(always)]
    pub(crate) fn hash_with(mut self, key: u64) -> u32 {
        if self.header.flags & (INTERNED | HASHED) == 0 {
            let hash = hash_bytes(key, self.as_bytes());
            self.hash = hash;
            self.header.flags |= HASHED;
        }
        self.hash
    }
}

/// The two halves of the product of two words, folded: every bit of the result depends on every bit of both.
#[inline(always)]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128).wrapping_mul(b as u128);
    wide as u64 ^ (wide >> 64) as u64
}

/// Hash of a byte string under the VM's random key: 16 bytes at a time through a widening multiplication
/// whose halves are folded (the wyhash construction).
///
/// The key is in *both* factors of every multiplication. With a known constant as one, a script could choose bytes that
/// make it zero, and all else is forgotten: any number of strings with one hash, whatever the key.
#[inline]
pub(crate) fn hash_bytes(key: u64, bytes: &[u8]) -> u32 {
    #[inline(always)]
    fn read8(b: &[u8]) -> u64 {
        u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
    }
    #[inline(always)]
    fn read4(b: &[u8]) -> u64 {
        u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as u64
    }
    const P0: u64 = 0x9E37_79B9_7F4A_7C15;
    const P1: u64 = 0xD6E8_FEB8_6659_FD93;
    let len = bytes.len();
    let other_key = key.rotate_left(32) ^ P1;
    let mut h = key ^ (len as u64).wrapping_mul(P0);
    let (a, b) = if len <= 16 {
        if len >= 8 {
            (read8(bytes), read8(&bytes[len - 8..]))
        } else if len >= 4 {
            (read4(bytes), read4(&bytes[len - 4..]))
        } else if len > 0 {
            (
                (bytes[0] as u64) << 16 | (bytes[len / 2] as u64) << 8 | bytes[len - 1] as u64,
                0,
            )
        } else {
            (0, 0)
        }
    } else {
        let mut rest = bytes;
        while rest.len() > 16 {
            h = fold(read8(rest) ^ P0 ^ h, read8(&rest[8..]) ^ other_key);
            rest = &rest[16..];
        }
        (read8(&bytes[len - 16..]), read8(&bytes[len - 8..]))
    };
    let h = fold(a ^ P1 ^ h, b ^ key.rotate_left(32) ^ P0);
    (h ^ (h >> 32)) as u32
}

pub(crate) const INTERNED_FLAG: u8 = INTERNED;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_key_length_and_every_byte() {
        let base = hash_bytes(1, b"hello world, this is long enough for two rounds");
        assert_ne!(
            base,
            hash_bytes(2, b"hello world, this is long enough for two rounds")
        );
        for n in 0..48 {
            let mut bytes = *b"hello world, this is long enough for two rounds!";
            bytes[n] ^= 1;
            assert_ne!(
                hash_bytes(1, b"hello world, this is long enough for two rounds!"),
                hash_bytes(1, &bytes),
                "{n}"
            );
        }
        assert_ne!(hash_bytes(1, b""), hash_bytes(1, b"\0"));
    }

    /// Strings that collided under every key while one factor of each multiplication was a constant.
    #[test]
    fn no_piece_of_a_string_makes_the_rest_count_for_nothing() {
        for factor in [0x9E37_79B9_7F4A_7C15u64, 0xD6E8_FEB8_6659_FD93, 0] {
            let hashes: std::collections::HashSet<u32> = (0..1000u64)
                .map(|n| {
                    let mut bytes = n.to_le_bytes().to_vec();
                    bytes.extend(factor.to_le_bytes());
                    bytes.extend(b"the same end of all");
                    hash_bytes(0x0123_4567_89AB_CDEF, &bytes)
                })
                .collect();
            assert!(hashes.len() > 990, "{} of 1000", hashes.len());
        }
    }
}
