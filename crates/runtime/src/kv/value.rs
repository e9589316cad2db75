//! Values as they are on the disk.
//!
//! ```text
//!   record:  version u64 | expires u64 | value
//!   value:   'F' | 'T' | 'I' i64 | 'D' f64 bits | 'S' bytes | 'M' a message's bytes (a table, or null)
//! ```
//! All numbers are little-endian. `version` is the number of the commit that wrote the record; `expires` is milliseconds since 1970, 0 for
//! never. What is in `M` is as [`crate::task::Tasks::encode`] writes it.
//!
//! **Invariant:** no bytes make decoding panic; what was not written by this module is refused.

/// A stored value.
#[derive(Debug, Clone, PartialEq)]
pub enum KvValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A Lua integer.
    Integer(i64),
    /// A Lua float.
    Number(f64),
    /// A string.
    Bytes(Box<[u8]>),
    /// A table, or null, in the encoding of messages between workers.
    Data(Box<[u8]>),
}

impl KvValue {
    /// Bytes of its encoding.
    pub(super) fn len(&self) -> usize {
        1 + match self {
            KvValue::Boolean(_) => 0,
            KvValue::Integer(_) | KvValue::Number(_) => 8,
            KvValue::Bytes(bytes) | KvValue::Data(bytes) => bytes.len(),
        }
    }

    /// Whether Lua would call the two equal (`==`). Tables never are.
    pub fn equals(&self, other: &KvValue) -> bool {
        match (self, other) {
            (KvValue::Boolean(a), KvValue::Boolean(b)) => a == b,
            (KvValue::Integer(a), KvValue::Integer(b)) => a == b,
            (KvValue::Number(a), KvValue::Number(b)) => a == b,
            (KvValue::Integer(i), KvValue::Number(f))
            | (KvValue::Number(f), KvValue::Integer(i)) => is_integer(*f, *i),
            (KvValue::Bytes(a), KvValue::Bytes(b)) => a == b,
            _ => false,
        }
    }

    /// The sum as Lua makes it, but one that would wrap is an error, and so is what is no number.
    pub fn plus(&self, by: &KvValue) -> Result<KvValue, super::KvError> {
        use super::KvError;
        if let (KvValue::Integer(a), KvValue::Integer(b)) = (self, by) {
            return (a.checked_add(*b).map(KvValue::Integer)).ok_or(KvError::Overflow);
        }
        match (self.float(), by.float()) {
            (Some(a), Some(b)) => Ok(KvValue::Number(a + b)),
            _ => Err(KvError::NotANumber),
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            KvValue::Integer(i) => Some(*i as f64),
            KvValue::Number(f) => Some(*f),
            _ => None,
        }
    }
}

/// Whether a float is just this integer.
fn is_integer(f: f64, i: i64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    f.trunc() == f && (-LIMIT..LIMIT).contains(&f) && f as i64 == i
}

/// Bytes of a record before its value.
pub(super) const HEAD: usize = 16;

/// What a record says beside its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The commit that wrote it; never 0.
    pub version: u64,
    /// Milliseconds since 1970; 0: never.
    pub expires: u64,
}

impl Head {
    pub fn is_expired(self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

/// The bytes of a record.
pub(super) fn encode(head: Head, value: &KvValue) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + value.len());
    out.extend_from_slice(&head.version.to_le_bytes());
    out.extend_from_slice(&head.expires.to_le_bytes());
    match value {
        KvValue::Boolean(false) => out.push(b'F'),
        KvValue::Boolean(true) => out.push(b'T'),
        KvValue::Integer(i) => {
            out.push(b'I');
            out.extend_from_slice(&i.to_le_bytes());
        }
        KvValue::Number(f) => {
            out.push(b'D');
            out.extend_from_slice(&f.to_bits().to_le_bytes());
        }
        KvValue::Bytes(bytes) => {
            out.push(b'S');
            out.extend_from_slice(bytes);
        }
        KvValue::Data(bytes) => {
            out.push(b'M');
            out.extend_from_slice(bytes);
        }
    }
    out
}

/// The head of a record, and the bytes of its value.
pub(super) fn split(record: &[u8]) -> Option<(Head, &[u8])> {
    let (version, rest) = record.split_first_chunk()?;
    let (expires, value) = rest.split_first_chunk()?;
    let head = Head {
        version: u64::from_le_bytes(*version),
        expires: u64::from_le_bytes(*expires),
    };
    Some((head, value))
}

/// The value of these bytes.
pub(super) fn decode(value: &[u8]) -> Option<KvValue> {
    let (tag, rest) = value.split_first()?;
    Some(match tag {
        b'F' if rest.is_empty() => KvValue::Boolean(false),
        b'T' if rest.is_empty() => KvValue::Boolean(true),
        b'I' => KvValue::Integer(i64::from_le_bytes(rest.try_into().ok()?)),
        b'D' => KvValue::Number(f64::from_bits(u64::from_le_bytes(rest.try_into().ok()?))),
        b'S' => KvValue::Bytes(rest.into()),
        b'M' => KvValue::Data(rest.into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let head = Head {
            version: 7,
            expires: u64::MAX,
        };
        for value in [
            KvValue::Boolean(false),
            KvValue::Boolean(true),
            KvValue::Integer(i64::MIN),
            KvValue::Number(-0.0),
            KvValue::Bytes((*b"").into()),
            KvValue::Bytes((*b"a\0b").into()),
            KvValue::Data((*b"\x01").into()),
        ] {
            let record = encode(head, &value);
            assert_eq!(record.len(), HEAD + value.len());
            let (found, bytes) = split(&record).unwrap();
            assert_eq!((found, decode(bytes)), (head, Some(value)));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        assert_eq!(split(&[0; 15]), None);
        for bad in [
            &b""[..],
            b"F1",
            b"T\0",
            b"I1234567",
            b"D123456789",
            b"x",
            b"\0",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn equality_and_sums_are_lua_s() {
        let (i, f) = (KvValue::Integer, KvValue::Number);
        assert!(i(1).equals(&f(1.0)) && f(-0.0).equals(&i(0)));
        assert!(!f(f64::NAN).equals(&f(f64::NAN)));
        assert!(!i(i64::MAX).equals(&f(9_223_372_036_854_775_808.0)));
        assert!(!i(1).equals(&KvValue::Bytes((*b"1").into())));
        assert_eq!(i(1).plus(&i(2)), Ok(i(3)));
        assert_eq!(i(1).plus(&f(2.0)), Ok(f(3.0)));
        assert_eq!(
            i(i64::MAX).plus(&i(1)),
            Err(super::super::KvError::Overflow)
        );
        let text = KvValue::Bytes((*b"1").into());
        assert_eq!(text.plus(&i(1)), Err(super::super::KvError::NotANumber));
    }
}
