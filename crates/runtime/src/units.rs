//! Sizes and durations as people write them: `64 MiB`, `200 ms`.
//!
//! **Invariant:** a value that would overflow, or that has no unit where one is needed, is refused;
//! nothing is rounded or wrapped silently.

use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

const DURATIONS: &[(&str, u64)] = &[
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A size in bytes: a number and one of `B KiB MiB GiB KB MB GB`, with or without a space.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, SIZES).ok_or_else(|| {
        format!(
            "'{text}' is not a size; write a number with B, KiB, MiB or GiB, such as \"64 MiB\""
        )
    })
}

/// A duration: a number and one of `us ms s min h`, with or without a space.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text, DURATIONS).map(Duration::from_nanos).ok_or_else(|| {
        format!("'{text}' is not a duration; write a number with ms, s, min or h, such as \"200 ms\"")
    })
}

/// `number unit` in the smallest unit. The number may have a fraction (`1.5 GiB`).
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = (
        &text[..digits],
        text[digits..].trim_start().to_ascii_lowercase(),
    );
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut value = whole.checked_mul(scale)?;
    if number.contains('.') {
        // Nine digits are finer than any unit above needs.
        if fraction.is_empty()
            || fraction.len() > 9
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let part: u128 = fraction.parse().ok()?;
        let extra = part * u128::from(scale) / 10u128.pow(fraction.len() as u32);
        value = value.checked_add(u64::try_from(extra).ok()?)?;
    }
    Some(value)
}

/// A size for people: the largest unit that divides it, `64 MiB`.
pub fn show_size(bytes: u64) -> String {
    for (unit, scale) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= scale && bytes.is_multiple_of(scale) {
            return format!("{} {unit}", bytes / scale);
        }
    }
    format!("{bytes} B")
}

/// A duration for people: the largest unit that divides it, `2 s`, `200 ms`.
pub fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, scale) in [
        ("h", 3_600_000_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
    ] {
        if nanos >= scale && nanos.is_multiple_of(scale) {
            return format!("{} {unit}", nanos / scale);
        }
    }
    format!("{} us", duration.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64 MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1.5 GiB"), Ok(3 << 29));
        assert_eq!(parse_size("10 kb"), Ok(10_000));
        assert_eq!(parse_size("512 B"), Ok(512));
        for bad in [
            "",
            "64",
            "MiB",
            "-1 MiB",
            "64 MB/s",
            "1. MiB",
            "99999999999999 GiB",
            "1.2.3 MiB",
            "٣ MiB",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert_eq!(show_size(64 << 20), "64 MiB");
        assert_eq!(show_size(1000), "1000 B");
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("200 ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("1.5 s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("1 min"), Ok(Duration::from_secs(60)));
        assert!(parse_duration("2").is_err());
        assert!(parse_duration("99999999999 h").is_err());
        assert_eq!(show_duration(Duration::from_secs(2)), "2 s");
        assert_eq!(show_duration(Duration::from_millis(200)), "200 ms");
    }
}
