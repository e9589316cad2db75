//! AES in Galois/counter mode (NIST SP 800-38D), with vectors of any length.
//!
//! **Invariant:** [`open`] gives a message only if the tag is the one that [`seal`] makes for it; tags are compared in constant time.

use super::modes::{BLOCK, Key, count};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;

/// The encrypted message, and its tag, which is also one of what goes with it.
pub(super) fn seal(key: &Key, vector: &[u8], with: &[u8], message: &[u8]) -> (Vec<u8>, [u8; TAG]) {
    let gcm = Gcm::new(key, vector);
    let mut text = message.to_vec();
    gcm.crypt(&mut text);
    let tag = gcm.tag(with, &text);
    (text, tag)
}

/// The message that was encrypted; `None` if the tag is not its.
pub(super) fn open(
    key: &Key,
    vector: &[u8],
    with: &[u8],
    text: &[u8],
    tag: &[u8; TAG],
) -> Option<Vec<u8>> {
    let gcm = Gcm::new(key, vector);
    let expected = gcm.tag(with, text);
    let difference = (expected.iter().zip(tag)).fold(0, |all, (a, b)| all | (a ^ b));
    if std::hint::black_box(difference) != 0 {
        return None;
    }
    let mut message = text.to_vec();
    gcm.crypt(&mut message);
    Some(message)
}

struct Gcm<'a> {
    key: &'a Key,
    hash: GHash,
    first: [u8; BLOCK],
}

impl<'a> Gcm<'a> {
    fn new(key: &'a Key, vector: &[u8]) -> Gcm<'a> {
        let hash = GHash::new(&key.encrypted([0; BLOCK]).into());
        let mut first = [0; BLOCK];
        if vector.len() == 12 {
            first[..12].copy_from_slice(vector);
            first[BLOCK - 1] = 1;
        } else {
            let mut hash = hash.clone();
            hash.update_padded(vector);
            hash.update_padded(&lengths(0, vector.len()));
            first = hash.finalize().into();
        }
        Gcm { key, hash, first }
    }

    fn crypt(&self, text: &mut [u8]) {
        count(self.key, text, next(self.first), next);
    }

    fn tag(&self, with: &[u8], text: &[u8]) -> [u8; TAG] {
        let mut hash = self.hash.clone();
        hash.update_padded(with);
        hash.update_padded(text);
        hash.update_padded(&lengths(with.len(), text.len()));
        let mut tag: [u8; TAG] = hash.finalize().into();
        for (byte, key) in tag.iter_mut().zip(self.key.encrypted(self.first)) {
            *byte ^= key;
        }
        tag
    }
}

/// Two lengths in bits, 64 bits each.
fn lengths(a: usize, b: usize) -> [u8; BLOCK] {
    (((a as u128 * 8) << 64) | (b as u128 * 8)).to_be_bytes()
}

/// The counter's last 32 bits count.
fn next(mut counter: [u8; BLOCK]) -> [u8; BLOCK] {
    if let Some(last) = counter.last_chunk_mut::<4>() {
        *last = u32::from_be_bytes(*last).wrapping_add(1).to_be_bytes();
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn the_counter_stays_in_its_32_bits() {
        let mut counter = [7; BLOCK];
        counter[12..].fill(0xff);
        let mut expected = [7; BLOCK];
        expected[12..].fill(0);
        assert_eq!(next(counter), expected);
    }

    #[test]
    fn random_messages_come_back_and_changed_ones_do_not() {
        let mut random = Random::new(8);
        for round in 0..500 {
            let key = Key::new(&[round as u8; 24]).unwrap();
            let (with, message) = (random.bytes(40), random.bytes(300));
            let vector = random.bytes(33);
            let (mut text, mut tag) = seal(&key, &vector, &with, &message);
            assert_eq!(open(&key, &vector, &with, &text, &tag).unwrap(), message);
            let bit = 1 << random.below(8);
            match random.below(text.len() + TAG) {
                at if at < TAG => tag[at] ^= bit,
                at => text[at - TAG] ^= bit,
            }
            assert_eq!(open(&key, &vector, &with, &text, &tag), None);
        }
    }
}
