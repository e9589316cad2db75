//! As much of DER as keys and signatures need.
//!
//! **Invariant:** what is not exactly DER is `None`; nothing is read beyond the bytes that are there.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Takes an element with this tag from the front: its content.
pub(super) fn take<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some(content)
}

/// A SubjectPublicKeyInfo.
pub(super) struct PublicKey<'a> {
    /// The object identifier of the algorithm.
    pub(super) algorithm: &'a [u8],
    /// That of its parameters, if they are one.
    pub(super) parameters: Option<&'a [u8]>,
    pub(super) bits: &'a [u8],
}

/// Reads one.
pub(super) fn public_key(mut der: &[u8]) -> Option<PublicKey<'_>> {
    let mut info = take(&mut der, SEQUENCE)?;
    let mut kind = take(&mut info, SEQUENCE)?;
    let algorithm = take(&mut kind, OBJECT)?;
    let parameters = take(&mut kind, OBJECT);
    let bits = take(&mut info, BITS)?;
    // No bit of the last byte is unused.
    let bits = bits.strip_prefix(&[0])?;
    Some(PublicKey {
        algorithm,
        parameters,
        bits,
    })
}

/// The scalar and the point of an ECPrivateKey (RFC 5915), and the object identifier of its curve.
pub(super) fn ec_private_key(mut der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut key = take(&mut der, SEQUENCE)?;
    take(&mut key, INTEGER)?;
    let scalar = take(&mut key, OCTETS)?;
    let mut curve = take(&mut key, 0xa0)?;
    let curve = take(&mut curve, OBJECT)?;
    let mut point = take(&mut key, 0xa1)?;
    let point = take(&mut point, BITS)?.strip_prefix(&[0])?;
    Some((scalar, point, curve))
}

/// The two numbers of an ECDSA signature, each of so many bytes.
pub(super) fn raw_signature(mut der: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut signature = take(&mut der, SEQUENCE)?;
    let mut raw = Vec::with_capacity(2 * bytes);
    for _ in 0..2 {
        let mut number = take(&mut signature, INTEGER)?;
        while let [0, rest @ ..] = number {
            number = rest;
        }
        let missing = bytes.checked_sub(number.len())?;
        raw.resize(raw.len() + missing, 0);
        raw.extend_from_slice(number);
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_signatures_get_their_length() {
        let der = [0x30, 7, 2, 2, 0, 0x80, 2, 1, 5];
        assert_eq!(raw_signature(&der, 2), Some(vec![0, 0x80, 0, 5]));
        assert_eq!(raw_signature(&der, 0), None);
        for length in 0..der.len() {
            assert_eq!(raw_signature(&der[..length], 2), None);
        }
    }

    #[test]
    fn lengths_beyond_the_text_are_refused() {
        for der in [
            &[0x30, 0x82, 1][..],
            &[0x30, 0x84, 0, 0, 0, 1, 0],
            &[0x30, 0x81],
            &[0x30, 2, 0],
        ] {
            assert_eq!(take(&mut &der[..], SEQUENCE), None);
        }
        let mut long = vec![0x30, 0x81, 200];
        long.resize(203, 7);
        assert_eq!(take(&mut &long[..], SEQUENCE).map(<[u8]>::len), Some(200));
    }
}
