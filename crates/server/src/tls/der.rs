//! DER, as far as certificates' names and times need it (X.690), and those as text.
//!
//! **Invariant:** a reader goes forward over bytes it has, whatever they are; nothing recurses.

/// The tag of a sequence, and of a set.
pub const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;

/// Reads values one after the other.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Over these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next value: its tag and its content.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let count = usize::from(first & 0x7f);
        let (length, rest) = match (first & 0x80 != 0, count) {
            (false, length) => (length, rest),
            (true, 1..=3) => {
                let (digits, rest) = rest.split_at_checked(count)?;
                let length = digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit));
                (length, rest)
            }
            (true, _) => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, which has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }

    /// The same as a reader.
    pub fn within(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.expect(tag).map(Reader)
    }

    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// A distinguished name as text, the last part first (RFC 2253), as OpenSSL writes it.
pub fn name(content: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Vec::new();
    let mut sets = Reader::new(content);
    while !sets.is_at_end() {
        let mut set = sets.within(SET)?;
        let mut part = Vec::new();
        while !set.is_at_end() {
            let mut pair = set.within(SEQUENCE)?;
            let (kind, value) = (pair.expect(OBJECT)?, pair.next()?);
            if !part.is_empty() {
                part.push(b'+');
            }
            attribute(&mut part, kind, value)?;
        }
        parts.push(part);
    }
    parts.reverse();
    Some(parts.join(&b','))
}

fn attribute(out: &mut Vec<u8>, kind: &[u8], (tag, value): (u8, &[u8])) -> Option<()> {
    let text = match short_name(kind) {
        Some(name) => {
            out.extend_from_slice(name.as_bytes());
            text_of(tag, value)
        }
        // What nobody has a name for is written as it is.
        None => {
            out.extend_from_slice(dotted(kind)?.as_bytes());
            None
        }
    };
    out.push(b'=');
    match text {
        Some(text) => escaped(out, &text),
        None => dump(out, tag, value),
    }
    Some(())
}

/// OpenSSL's short names (X.520, RFC 4519, PKCS #9).
fn short_name(kind: &[u8]) -> Option<&'static str> {
    Some(match kind {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 4] => "SN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "street",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x55, 4, 12] => "title",
        [0x55, 4, 13] => "description",
        [0x55, 4, 17] => "postalCode",
        [0x55, 4, 42] => "GN",
        [0x55, 4, 43] => "initials",
        [0x55, 4, 46] => "dnQualifier",
        [0x55, 4, 65] => "pseudonym",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        _ => return None,
    })
}

/// An object identifier in numbers.
fn dotted(kind: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number = 0u64;
    for byte in kind {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let (first, rest) = numbers.split_first()?;
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for number in rest {
        text.push_str(&format!(".{number}"));
    }
    Some(text)
}

/// A text in UTF-8; `None` for what is none.
fn text_of(tag: u8, value: &[u8]) -> Option<Vec<u8>> {
    const UTF8: u8 = 12;
    const BMP: u8 = 30;
    const UNIVERSAL: u8 = 28;
    let from = |chars: Option<String>| chars.map(String::into_bytes);
    match tag {
        UTF8 => std::str::from_utf8(value)
            .ok()
            .map(|text| text.as_bytes().to_vec()),
        BMP => {
            let units = value
                .chunks_exact(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]));
            from(char::decode_utf16(units).map(Result::ok).collect())
        }
        UNIVERSAL => {
            let units = (value.chunks_exact(4)).map(|four| {
                char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
            });
            from(units.collect())
        }
        // Numeric, printable, teletex, IA5, visible: a byte is a character.
        18..=20 | 22 | 26 => from(Some(value.iter().map(|byte| char::from(*byte)).collect())),
        _ => None,
    }
}

fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.iter().enumerate() {
        let at_end = (at == 0 && matches!(byte, b' ' | b'#')) || (at == last && *byte == b' ');
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend([b'\\', *byte]),
            _ if at_end => out.extend([b'\\', *byte]),
            0x20..=0x7e => out.push(*byte),
            _ => out.extend_from_slice(format!("\\{byte:02X}").as_bytes()),
        }
    }
}

/// `#` and the digits of the whole value.
fn dump(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    let mut head = vec![tag];
    match value.len() {
        short @ 0..=127 => head.push(short as u8),
        long => {
            let digits = long.to_be_bytes();
            let zeros = digits.iter().take_while(|digit| **digit == 0).count();
            head.push(0x80 | (digits.len() - zeros) as u8);
            head.extend_from_slice(&digits[zeros..]);
        }
    }
    out.push(b'#');
    for byte in head.iter().chain(value) {
        out.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
}

/// An instant, to the second.
pub struct Time {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Time {
    /// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, by its tag.
    pub fn of((tag, text): (u8, &[u8])) -> Option<Time> {
        const SHORT: u8 = 23;
        const LONG: u8 = 24;
        let text = text.strip_suffix(b"Z")?;
        if !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let pair = |at: usize| {
            let digits = text.get(at..at + 2)?;
            Some(
                digits
                    .iter()
                    .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')),
            )
        };
        let (year, at) = match (tag, text.len()) {
            (SHORT, 12) => (pair(0)?, 2),
            (LONG, 14) => (pair(0)? * 100 + pair(2)?, 4),
            _ => return None,
        };
        let time = Time {
            year: match (tag, year) {
                (SHORT, 50..) => 1900 + year,
                (SHORT, _) => 2000 + year,
                _ => year,
            },
            month: pair(at)?,
            day: pair(at + 2)?,
            hour: pair(at + 4)?,
            minute: pair(at + 6)?,
            second: pair(at + 8)?,
        };
        ((1..=12).contains(&time.month) && (1..=31).contains(&time.day)).then_some(time)
    }

    /// As OpenSSL prints it.
    pub fn text(&self) -> String {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = usize::try_from(self.month - 1)
            .ok()
            .and_then(|at| MONTHS.get(at));
        format!(
            "{} {:2} {:02}:{:02}:{:02} {} GMT",
            month.unwrap_or(&""),
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.year
        )
    }

    /// Seconds since 1970 (days from a date: Howard Hinnant's algorithm).
    pub fn unix_s(&self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let mut reader = Reader::new(b"\x04\x02ab\x04\x81\x01c\x05\x00");
        assert_eq!(reader.next(), Some((4, &b"ab"[..])));
        assert_eq!(reader.next(), Some((4, &b"c"[..])));
        assert_eq!(reader.next(), Some((5, &b""[..])));
        assert!(reader.is_at_end() && reader.next().is_none());
        for bad in [
            &b"\x04"[..],
            b"\x04\x02a",
            b"\x04\x80",
            b"\x04\x84\0\0\0\0",
            b"\x04\x82\x01",
        ] {
            assert_eq!(Reader::new(bad).next(), None, "{bad:?}");
        }
    }

    #[test]
    fn names_of_kinds_and_values() {
        // 1.2.840.113549.1.9.20 with a BMP string; 2.999.3, which nobody has a name for; a T61 string.
        let mut out = Vec::new();
        attribute(&mut out, &[0x88, 0x37, 3], (12, b"ab")).unwrap();
        out.push(b' ');
        attribute(&mut out, &[0x55, 4, 3], (30, &[0, b'x', 0x20, 0xac])).unwrap();
        out.push(b' ');
        attribute(&mut out, &[0x55, 4, 10], (20, &[0xe9])).unwrap();
        out.push(b' ');
        attribute(&mut out, &[0x55, 4, 11], (2, &[1])).unwrap();
        assert_eq!(
            out,
            b"2.999.3=#0C026162 CN=x\\E2\\82\\AC O=\\C3\\A9 OU=#020101"
        );
    }

    #[test]
    fn times() {
        let unix = |tag, text: &str| Time::of((tag, text.as_bytes())).map(|time| time.unix_s());
        assert_eq!(unix(23, "700101000000Z"), Some(0));
        assert_eq!(unix(24, "20240229123456Z"), Some(1_709_210_096));
        assert_eq!(unix(23, "491231235959Z"), Some(2_524_607_999));
        for bad in [
            "",
            "Z",
            "7001010000Z",
            "701301000000Z",
            "70010100000aZ",
            "700101000000",
        ] {
            assert_eq!(unix(23, bad), None, "{bad}");
        }
    }
}
