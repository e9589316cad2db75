//! AES in its modes of operation, over whole messages.
//!
//! | mode | what a block is combined with | a message's length |
//! |---|---|---|
//! | ECB | nothing | whole blocks, so it is padded |
//! | CBC | the block before | whole blocks, so it is padded |
//! | CFB128, CFB8, CFB1 | the text before, in steps of 128, 8 or 1 bits | any |
//! | OFB, CTR | keys made from the vector alone | any |
//!
//! As in NIST SP 800-38A; padding is that of PKCS #7. GCM is in [`super::gcm`].
//!
//! **Invariant:** [`decrypt`] undoes [`encrypt`], and a message that could not have been made by it is `None`, not a panic.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256, Block};

/// Bytes of a block.
pub(super) const BLOCK: usize = 16;
/// Blocks that are worked on together.
const TOGETHER: usize = 8;

/// A key that is ready for use.
pub(super) enum Key {
    Bits128(Aes128),
    Bits192(Aes192),
    Bits256(Aes256),
}

/// How blocks are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Ecb,
    Cbc,
    Cfb1,
    Cfb8,
    Cfb128,
    Ofb,
    Ctr,
    Gcm,
}

impl Mode {
    pub(super) fn named(name: &str) -> Option<Mode> {
        Some(match name {
            "ecb" => Mode::Ecb,
            "cbc" => Mode::Cbc,
            "cfb1" => Mode::Cfb1,
            "cfb8" => Mode::Cfb8,
            "cfb128" => Mode::Cfb128,
            "ofb" => Mode::Ofb,
            "ctr" => Mode::Ctr,
            "gcm" => Mode::Gcm,
            _ => return None,
        })
    }

    /// Bytes of the vector that a key is derived with.
    pub(super) fn vector_len(self) -> usize {
        match self {
            Mode::Ecb => 0,
            Mode::Gcm => 12,
            _ => BLOCK,
        }
    }

    /// Bits of a message for each block that is encrypted.
    pub(super) fn bits_per_block(self) -> usize {
        match self {
            Mode::Cfb1 => 1,
            Mode::Cfb8 => 8,
            _ => 128,
        }
    }
}

impl Key {
    /// A key of 16, 24 or 32 bytes.
    pub(super) fn new(bytes: &[u8]) -> Option<Key> {
        Some(match bytes.len() {
            16 => Key::Bits128(Aes128::new_from_slice(bytes).ok()?),
            24 => Key::Bits192(Aes192::new_from_slice(bytes).ok()?),
            32 => Key::Bits256(Aes256::new_from_slice(bytes).ok()?),
            _ => return None,
        })
    }

    fn encrypt_blocks(&self, blocks: &mut [Block]) {
        match self {
            Key::Bits128(key) => key.encrypt_blocks(blocks),
            Key::Bits192(key) => key.encrypt_blocks(blocks),
            Key::Bits256(key) => key.encrypt_blocks(blocks),
        }
    }

    fn decrypt_blocks(&self, blocks: &mut [Block]) {
        match self {
            Key::Bits128(key) => key.decrypt_blocks(blocks),
            Key::Bits192(key) => key.decrypt_blocks(blocks),
            Key::Bits256(key) => key.decrypt_blocks(blocks),
        }
    }

    /// A block, encrypted.
    pub(super) fn encrypted(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Block::from(block);
        self.encrypt_blocks(std::slice::from_mut(&mut block));
        block.into()
    }
}

/// The message, encrypted; `None` if it is not of whole blocks where it has to be.
pub(super) fn encrypt(
    key: &Key,
    mode: Mode,
    vector: [u8; BLOCK],
    pads: bool,
    message: &[u8],
) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(message.len() + BLOCK);
    text.extend_from_slice(message);
    if matches!(mode, Mode::Ecb | Mode::Cbc) {
        if pads {
            let missing = BLOCK - text.len() % BLOCK;
            text.resize(text.len() + missing, missing as u8);
        }
        let (blocks, rest) = Block::slice_as_chunks_mut(&mut text);
        if !rest.is_empty() {
            return None;
        }
        match mode {
            Mode::Ecb => key.encrypt_blocks(blocks),
            _ => chain(key, vector, blocks),
        }
        return Some(text);
    }
    stream(key, mode, vector, &mut text, true)?;
    Some(text)
}

/// The message that was encrypted; `None` if there is none.
pub(super) fn decrypt(
    key: &Key,
    mode: Mode,
    vector: [u8; BLOCK],
    pads: bool,
    text: &[u8],
) -> Option<Vec<u8>> {
    let mut message = text.to_vec();
    if matches!(mode, Mode::Ecb | Mode::Cbc) {
        let (blocks, rest) = Block::slice_as_chunks_mut(&mut message);
        if !rest.is_empty() {
            return None;
        }
        match mode {
            Mode::Ecb => key.decrypt_blocks(blocks),
            _ => unchain(key, vector, blocks),
        }
        if pads {
            let len = unpadded_len(&message)?;
            message.truncate(len);
        }
        return Some(message);
    }
    stream(key, mode, vector, &mut message, false)?;
    Some(message)
}

fn unpadded_len(message: &[u8]) -> Option<usize> {
    let padding = usize::from(*message.last()?);
    let len = message.len().checked_sub(padding)?;
    let is_padding = (1..=BLOCK).contains(&padding)
        && message[len..]
            .iter()
            .all(|byte| usize::from(*byte) == padding);
    is_padding.then_some(len)
}

fn chain(key: &Key, vector: [u8; BLOCK], blocks: &mut [Block]) {
    let mut before = Block::from(vector);
    for block in blocks {
        combine(block, &before);
        key.encrypt_blocks(std::slice::from_mut(block));
        before = *block;
    }
}

fn unchain(key: &Key, vector: [u8; BLOCK], blocks: &mut [Block]) {
    let mut before = Block::from(vector);
    for blocks in blocks.chunks_mut(TOGETHER) {
        let mut given = [Block::default(); TOGETHER];
        given[..blocks.len()].copy_from_slice(blocks);
        key.decrypt_blocks(blocks);
        for (block, given) in blocks.iter_mut().zip(given) {
            combine(block, &before);
            before = given;
        }
    }
}

fn combine(bytes: &mut [u8], with: &[u8]) {
    for (byte, with) in bytes.iter_mut().zip(with) {
        *byte ^= with;
    }
}

/// The modes that take any length; `None` for the others.
fn stream(
    key: &Key,
    mode: Mode,
    vector: [u8; BLOCK],
    text: &mut [u8],
    encrypts: bool,
) -> Option<()> {
    match mode {
        Mode::Cfb1 => cfb1(key, vector, text, encrypts),
        Mode::Cfb8 => cfb8(key, vector, text, encrypts),
        Mode::Cfb128 => cfb128(key, vector, text, encrypts),
        Mode::Ofb => ofb(key, vector, text),
        Mode::Ctr => count(key, text, vector, |vector| {
            u128::from_be_bytes(vector).wrapping_add(1).to_be_bytes()
        }),
        Mode::Ecb | Mode::Cbc | Mode::Gcm => return None,
    }
    Some(())
}

fn cfb128(key: &Key, mut vector: [u8; BLOCK], text: &mut [u8], encrypts: bool) {
    for piece in text.chunks_mut(BLOCK) {
        let keys = key.encrypted(vector);
        if !encrypts {
            vector[..piece.len()].copy_from_slice(piece);
        }
        combine(piece, &keys);
        if encrypts {
            vector[..piece.len()].copy_from_slice(piece);
        }
    }
}

fn cfb8(key: &Key, mut vector: [u8; BLOCK], text: &mut [u8], encrypts: bool) {
    for byte in text {
        let given = *byte;
        *byte ^= key.encrypted(vector)[0];
        let encrypted = if encrypts { *byte } else { given };
        let shifted = (u128::from_be_bytes(vector) << 8) | u128::from(encrypted);
        vector = shifted.to_be_bytes();
    }
}

fn cfb1(key: &Key, mut vector: [u8; BLOCK], text: &mut [u8], encrypts: bool) {
    for byte in text {
        for at in (0..8).rev() {
            let given = (*byte >> at) & 1;
            let made = given ^ (key.encrypted(vector)[0] >> 7);
            *byte = (*byte & !(1 << at)) | (made << at);
            let encrypted = if encrypts { made } else { given };
            let shifted = (u128::from_be_bytes(vector) << 1) | u128::from(encrypted);
            vector = shifted.to_be_bytes();
        }
    }
}

fn ofb(key: &Key, mut vector: [u8; BLOCK], text: &mut [u8]) {
    for piece in text.chunks_mut(BLOCK) {
        vector = key.encrypted(vector);
        combine(piece, &vector);
    }
}

/// Combines a text with the encrypted values of a counter.
pub(super) fn count(
    key: &Key,
    text: &mut [u8],
    mut counter: [u8; BLOCK],
    next: impl Fn([u8; BLOCK]) -> [u8; BLOCK],
) {
    for piece in text.chunks_mut(BLOCK * TOGETHER) {
        let mut keys = [Block::default(); TOGETHER];
        for key in &mut keys {
            *key = counter.into();
            counter = next(counter);
        }
        key.encrypt_blocks(&mut keys);
        for (block, keys) in piece.chunks_mut(BLOCK).zip(&keys) {
            combine(block, keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    const MODES: [Mode; 7] = [
        Mode::Ecb,
        Mode::Cbc,
        Mode::Cfb1,
        Mode::Cfb8,
        Mode::Cfb128,
        Mode::Ofb,
        Mode::Ctr,
    ];

    fn key(random: &mut Random) -> Key {
        let len = 16 + 8 * random.below(3);
        let bytes: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
        Key::new(&bytes).unwrap()
    }

    #[test]
    fn random_messages_come_back() {
        let mut random = Random::new(7);
        for round in 0..2000 {
            let (key, mode) = (key(&mut random), MODES[round % MODES.len()]);
            let (vector, message) = ([round as u8; BLOCK], random.bytes(300));
            let text = encrypt(&key, mode, vector, true, &message).unwrap();
            assert_eq!(
                decrypt(&key, mode, vector, true, &text).unwrap(),
                message,
                "{mode:?}"
            );
            let bare = encrypt(&key, mode, vector, false, &message);
            match bare {
                Some(text) => {
                    assert_eq!(decrypt(&key, mode, vector, false, &text).unwrap(), message)
                }
                None => assert!(!message.len().is_multiple_of(BLOCK)),
            }
            // What nobody has encrypted is a message, or none.
            let _ = decrypt(&key, mode, vector, true, &message);
        }
    }

    #[test]
    fn padding_is_looked_at_as_a_whole() {
        let padded = |end: &[u8]| unpadded_len(&[&[9; 20][..], end].concat());
        assert_eq!(padded(&[1]), Some(20));
        assert_eq!(padded(&[3, 3, 3]), Some(20));
        assert_eq!(padded(&[16; 16]), Some(20));
        assert_eq!(padded(&[2, 3, 3]), None);
        assert_eq!(padded(&[0]), None);
        assert_eq!(padded(&[17; 17]), None);
        assert_eq!(unpadded_len(&[5, 5]), None);
        assert_eq!(unpadded_len(&[]), None);
    }
}
