//! Keys that sign and verify.
//!
//! **Invariant:** a signature is made and looked at by `ring`; a key of another kind, curve or size is refused where it is parsed or used.

use super::{Maybe, der};
use ring::rand::SystemRandom;
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
    RsaParameters, UnparsedPublicKey, VerificationAlgorithm,
};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    Pkcs1,
    Pss,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
}

/// Boxed where it is large.
pub(super) enum Key {
    RsaPrivate(Box<RsaKeyPair>),
    EcPrivate(Curved),
    Ed25519Private(Box<Ed25519KeyPair>),
    RsaPublic(Vec<u8>),
    EcPublic(Bare),
    Ed25519Public(Vec<u8>),
}

/// A private key on a curve: what signs as DER, and what signs as two numbers.
pub(super) struct Curved {
    curve: Curve,
    as_der: Box<EcdsaKeyPair>,
    as_numbers: Box<EcdsaKeyPair>,
}

/// A point on a curve.
pub(super) struct Bare {
    curve: Curve,
    point: Vec<u8>,
}

const UNSUPPORTED: &str = "unsupported combination of key and digest";

impl Digest {
    /// By OpenSSL's name.
    pub(super) fn named(name: &str) -> Option<Digest> {
        Some(match name.to_ascii_lowercase().as_str() {
            "sha256" | "sha-256" => Digest::Sha256,
            "sha384" | "sha-384" => Digest::Sha384,
            "sha512" | "sha-512" => Digest::Sha512,
            _ => return None,
        })
    }
}

impl Curve {
    fn named(name: &[u8]) -> Option<Curve> {
        match name {
            P256 => Some(Curve::P256),
            P384 => Some(Curve::P384),
            _ => None,
        }
    }

    /// Each curve signs with the digest of its size.
    fn signing(self, numbers: bool) -> &'static EcdsaSigningAlgorithm {
        match (self, numbers) {
            (Curve::P256, false) => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            (Curve::P256, true) => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            (Curve::P384, false) => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            (Curve::P384, true) => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }

    fn digest(self) -> Digest {
        match self {
            Curve::P256 => Digest::Sha256,
            Curve::P384 => Digest::Sha384,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }
}

impl Key {
    /// A private key: PKCS #8, PKCS #1 or RFC 5915.
    pub(super) fn private(der: &[u8]) -> Option<Key> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Some(Key::RsaPrivate(Box::new(pair)));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Some(Key::Ed25519Private(Box::new(pair)));
        }
        [Curve::P256, Curve::P384]
            .into_iter()
            .find_map(|curve| on_curve(curve, der))
            .map(Key::EcPrivate)
    }

    /// A SubjectPublicKeyInfo.
    pub(super) fn public(der: &[u8]) -> Option<Key> {
        let key = der::public_key(der)?;
        match key.algorithm {
            RSA => Some(Key::RsaPublic(key.bits.to_vec())),
            ED25519 => Some(Key::Ed25519Public(key.bits.to_vec())),
            EC => {
                let curve = Curve::named(key.parameters?)?;
                let point = key.bits.to_vec();
                Some(Key::EcPublic(Bare { curve, point }))
            }
            _ => None,
        }
    }

    /// Bytes that the host holds for it, at most.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Key::RsaPrivate(_) => 8192,
            Key::RsaPublic(key) => 256 + key.len(),
            Key::EcPublic(key) => 256 + key.point.len(),
            Key::Ed25519Public(key) => 256 + key.len(),
            Key::EcPrivate(_) | Key::Ed25519Private(_) => 1024,
        }
    }

    pub(super) fn is_private(&self) -> bool {
        matches!(
            self,
            Key::RsaPrivate(_) | Key::EcPrivate(_) | Key::Ed25519Private(_)
        )
    }

    /// What OpenSSL calls its kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Key::RsaPrivate(_) | Key::RsaPublic(_) => "RSA",
            Key::EcPrivate(_) | Key::EcPublic(_) => "EC",
            Key::Ed25519Private(_) | Key::Ed25519Public(_) => "ED25519",
        }
    }

    /// Bytes of each number of its signatures, on a curve; else 0.
    pub(super) fn scalar(&self) -> usize {
        match self {
            Key::EcPrivate(key) => key.curve.bytes(),
            Key::EcPublic(key) => key.curve.bytes(),
            _ => 0,
        }
    }

    /// A signature. `numbers`: on a curve, as two numbers of fixed length, not as DER.
    pub(super) fn sign(
        &self,
        text: &[u8],
        digest: Digest,
        padding: Padding,
        numbers: bool,
    ) -> Maybe<Vec<u8>> {
        const FAILED: &str = "signing failed";
        let random = SystemRandom::new();
        match self {
            Key::RsaPrivate(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding(digest, padding), &random, text, &mut signature)
                    .map_err(|_| FAILED)?;
                Ok(signature)
            }
            Key::EcPrivate(key) if key.curve.digest() == digest => {
                let pair = if numbers {
                    &key.as_numbers
                } else {
                    &key.as_der
                };
                let signature = pair.sign(&random, text).map_err(|_| FAILED)?;
                Ok(signature.as_ref().to_vec())
            }
            Key::EcPrivate(_) => Err(UNSUPPORTED),
            Key::Ed25519Private(pair) => Ok(pair.sign(text).as_ref().to_vec()),
            _ => Err("not a private key"),
        }
    }

    /// Whether a signature is this key's.
    pub(super) fn verify(
        &self,
        signature: &[u8],
        text: &[u8],
        digest: Digest,
        padding: Padding,
        numbers: bool,
    ) -> Maybe<bool> {
        let is_good = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(text, signature)
                .is_ok()
        };
        Ok(match self {
            Key::RsaPublic(key) => is_good(parameters(digest, padding), key),
            Key::RsaPrivate(pair) => {
                is_good(parameters(digest, padding), pair.public_key().as_ref())
            }
            Key::EcPublic(key) => is_good(on(key.curve, digest, numbers)?, &key.point),
            Key::EcPrivate(key) => is_good(
                on(key.curve, digest, numbers)?,
                key.as_der.public_key().as_ref(),
            ),
            Key::Ed25519Public(key) => is_good(&signature::ED25519, key),
            Key::Ed25519Private(pair) => is_good(&signature::ED25519, pair.public_key().as_ref()),
        })
    }
}

fn on_curve(curve: Curve, der: &[u8]) -> Option<Curved> {
    let pair = |numbers| {
        let random = SystemRandom::new();
        let algorithm = curve.signing(numbers);
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &random) {
            return Some(Box::new(pair));
        }
        let (scalar, point, name) = der::ec_private_key(der)?;
        if Curve::named(name)? != curve {
            return None;
        }
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar, point, &random)
            .ok()
            .map(Box::new)
    };
    Some(Curved {
        curve,
        as_der: pair(false)?,
        as_numbers: pair(true)?,
    })
}

fn encoding(digest: Digest, padding: Padding) -> &'static dyn RsaEncoding {
    match (padding, digest) {
        (Padding::Pkcs1, Digest::Sha256) => &signature::RSA_PKCS1_SHA256,
        (Padding::Pkcs1, Digest::Sha384) => &signature::RSA_PKCS1_SHA384,
        (Padding::Pkcs1, Digest::Sha512) => &signature::RSA_PKCS1_SHA512,
        (Padding::Pss, Digest::Sha256) => &signature::RSA_PSS_SHA256,
        (Padding::Pss, Digest::Sha384) => &signature::RSA_PSS_SHA384,
        (Padding::Pss, Digest::Sha512) => &signature::RSA_PSS_SHA512,
    }
}

fn parameters(digest: Digest, padding: Padding) -> &'static RsaParameters {
    match (padding, digest) {
        (Padding::Pkcs1, Digest::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (Padding::Pkcs1, Digest::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (Padding::Pkcs1, Digest::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (Padding::Pss, Digest::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        (Padding::Pss, Digest::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        (Padding::Pss, Digest::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

fn on(curve: Curve, digest: Digest, numbers: bool) -> Maybe<&'static dyn VerificationAlgorithm> {
    Ok(match (curve, digest, numbers) {
        (Curve::P256, Digest::Sha256, false) => &signature::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Digest::Sha384, false) => &signature::ECDSA_P256_SHA384_ASN1,
        (Curve::P384, Digest::Sha256, false) => &signature::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Digest::Sha384, false) => &signature::ECDSA_P384_SHA384_ASN1,
        (Curve::P256, Digest::Sha256, true) => &signature::ECDSA_P256_SHA256_FIXED,
        (Curve::P384, Digest::Sha384, true) => &signature::ECDSA_P384_SHA384_FIXED,
        _ => return Err(UNSUPPORTED),
    })
}
