//! Decimal digits of numbers, and how C's conversions lay them out: under `tostring` and under `string.format`.
//!
//! **Invariant:** digits are those of the exact value, rounded half to even, as `printf` gives them. Where 128 bits hold all that
//! decides, they are computed from the exact product of mantissa and power of ten; elsewhere the standard library's exact
//! conversion is asked.

use crate::short::{Output, Short};

const DIGIT_PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// Writes `value` in decimal at the end of `buffer` and returns where it starts.
#[inline]
pub(crate) fn write_digits(mut value: u64, buffer: &mut [u8; 20]) -> usize {
    let mut at = buffer.len();
    while value >= 100 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGIT_PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGIT_PAIRS[value as usize]);
    } else {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    at
}

/// The powers of ten up to 10^22, which is below 2^74.
const POWERS_OF_TEN: [u128; 23] = {
    let mut powers = [1u128; 23];
    let mut n = 1;
    while n < 23 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// The most significant digits that [`significant`] gives.
pub(crate) const MAX_SIGNIFICANT: usize = 17;
/// The most decimals that [`scaled`] takes.
const MAX_DECIMALS: usize = 15;
/// A number laid out here: 17 digits or 20, a point, zeros or an exponent.
pub(crate) type Text = Short<40>;

/// A finite float that is not negative and has no bits beyond the point but `shift`: `mantissa / 2^shift`. `None` for those whose bits
/// lie far away from the point, and for 2^53 and above.
#[inline]
fn parts(value: f64) -> Option<(u64, u32)> {
    let bits = value.to_bits();
    let biased = (bits >> 52) as u32;
    let shift = 1075u32.checked_sub(biased)?;
    // Subnormal numbers are among what is refused.
    (shift <= 126).then_some(((bits & ((1 << 52) - 1)) | (1 << 52), shift))
}

/// Whether what was cut off `digits` rounds it up: `remainder / 2^shift`, half to even.
#[inline]
fn rounds_up(digits: u64, remainder: u128, shift: u32) -> bool {
    let half = (1u128 << shift) >> 1;
    remainder > half || (remainder == half && shift > 0 && digits & 1 == 1)
}

/// The first `count` (1 to 17) significant digits of a finite value that is not negative, and its decimal exponent:
/// `value ~ digits * 10^(exponent - count + 1)`.
#[inline]
pub(crate) fn significant(value: f64, count: usize) -> (u64, i32) {
    if value == 0.0 {
        return (0, 0);
    }
    quick_significant(value, count).unwrap_or_else(|| exact_significant(value, count))
}

/// PERF: about a quarter of the time of the standard library's exact mode.
fn quick_significant(value: f64, count: usize) -> Option<(u64, i32)> {
    let (mantissa, shift) = parts(value)?;
    let (least, most) = (POWERS_OF_TEN[count - 1] as u64, POWERS_OF_TEN[count] as u64);
    let mut exponent = estimate_exponent(value);
    loop {
        let power = count as i32 - 1 - exponent;
        let (digits, up) = if power >= 0 {
            // The mantissa is below 2^53, so the product is below 2^127: exact.
            let product = u128::from(mantissa) * POWERS_OF_TEN.get(power as usize)?;
            let digits = (product >> shift) as u64;
            let remainder = product & ((1 << shift) - 1);
            (digits, rounds_up(digits, remainder, shift))
        } else {
            // More digits before the point than are asked for.
            let divisor = *POWERS_OF_TEN.get(-power as usize)? as u64;
            let (whole, fraction) = (mantissa >> shift, mantissa & ((1 << shift) - 1));
            let (digits, rest) = (whole / divisor, whole % divisor);
            let half = divisor / 2;
            let up = rest > half || (rest == half && (fraction > 0 || digits & 1 == 1));
            (digits, up)
        };
        if digits < least {
            exponent -= 1;
            continue;
        }
        let digits = digits + u64::from(up);
        return Some(match digits >= most {
            true => (least, exponent + 1),
            false => (digits, exponent),
        });
    }
}

/// An upper bound of the decimal exponent of a value below 2^53 and not below 2^-75, at most one too high.
fn estimate_exponent(value: f64) -> i32 {
    let binary = (value.to_bits() >> 52) as i32 - 1023;
    // 1233 / 4096 is log10(2) to within 5e-6, no power of two here is so near to one of ten, and value < 2^(binary + 1).
    ((binary + 1) * 1233) >> 12
}

#[cold]
fn exact_significant(value: f64, count: usize) -> (u64, i32) {
    let text = format!("{value:.*e}", count - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |n, b| n * 10 + u64::from(b - b'0'));
    (digits, exponent.parse().unwrap_or(0))
}

/// `value * 10^precision`, rounded half to even, if that can be had quickly and fits into 64 bits; `value` is not negative.
///
/// PERF: for the few digits that scripts ask for, this takes a third of the time of the standard library's exact mode,
/// which falls back to big numbers often.
#[inline]
pub(crate) fn scaled(value: f64, precision: usize) -> Option<u64> {
    if precision > MAX_DECIMALS {
        return None;
    }
    if value == 0.0 {
        return Some(0);
    }
    let (mantissa, shift) = parts(value)?;
    // Below 2^53 * 10^15 < 2^103: exact.
    let product = u128::from(mantissa) * POWERS_OF_TEN[precision];
    let digits = u64::try_from(product >> shift).ok()?;
    let remainder = product & ((1 << shift) - 1);
    digits.checked_add(u64::from(rounds_up(digits, remainder, shift)))
}

/// Appends a number with its last `precision` digits behind the point: what [`scaled`] gives.
pub(crate) fn write_scaled(digits: u64, precision: usize, out: &mut Text) {
    // Zeros in front, as many as it takes to have a digit before the point.
    let mut buffer = [b'0'; 20];
    let start =
        write_digits(digits, &mut buffer).min(buffer.len() - 1 - precision.min(MAX_DECIMALS));
    let (whole, fraction) =
        buffer[start..].split_at(buffer.len() - precision.min(MAX_DECIMALS) - start);
    out.append(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.append(fraction);
    }
}

/// When a number laid out by [`write_general`] has a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Point {
    /// Before digits; zeros at their end are none: `%g`.
    BeforeDigits,
    /// Always, and all zeros stay: `%#g`.
    Always,
    /// As `BeforeDigits`, and `.0` is added where the number looks like an integer.
    MarksFloats,
}

/// Appends `count` digits as `%g` does: scientific with an exponent below -4 or not below `count`.
pub(crate) fn write_general(
    (digits, exponent): (u64, i32),
    count: usize,
    point: Point,
    out: &mut Text,
) {
    let mut buffer = [b'0'; 20];
    write_digits(digits, &mut buffer);
    let mut text = &buffer[buffer.len() - count..];
    if point != Point::Always {
        while let [rest @ .., b'0'] = text
            && !rest.is_empty()
        {
            text = rest;
        }
    }
    if !(-4..count as i32).contains(&exponent) {
        return write_with_exponent(text, exponent, point == Point::Always, out);
    }
    if exponent < 0 {
        out.append(&b"0.0000"[..1 + -exponent as usize]);
        return out.append(text);
    }
    let whole = exponent as usize + 1;
    if text.len() > whole {
        let (whole, fraction) = text.split_at(whole);
        out.append(whole);
        out.push(b'.');
        return out.append(fraction);
    }
    out.append(text);
    out.fill(b'0', whole - text.len());
    match point {
        Point::BeforeDigits => {}
        Point::Always => out.push(b'.'),
        Point::MarksFloats => out.append(b".0"),
    }
}

/// Appends `count` digits as `%e` does; `point`: with a point even if no digit follows.
pub(crate) fn write_scientific(
    (digits, exponent): (u64, i32),
    count: usize,
    point: bool,
    out: &mut Text,
) {
    let mut buffer = [b'0'; 20];
    write_digits(digits, &mut buffer);
    write_with_exponent(&buffer[buffer.len() - count..], exponent, point, out);
}

fn write_with_exponent(digits: &[u8], exponent: i32, point: bool, out: &mut Text) {
    let (first, rest) = digits.split_at(1);
    out.append(first);
    if point || !rest.is_empty() {
        out.push(b'.');
        out.append(rest);
    }
    out.append(if exponent < 0 { b"e-" } else { b"e+" });
    // Two digits at least.
    let mut buffer = [b'0'; 20];
    let start = write_digits(u64::from(exponent.unsigned_abs()), &mut buffer);
    out.append(&buffer[start.min(18)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values whose binary exponents lie around the limits of the quick ways, halves and hundredths among them.
    fn values() -> impl Iterator<Item = f64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..20_000u64).flat_map(move |i| {
            state = state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            [
                f64::from_bits((1023 - 80 + (state >> 32) % 150) << 52 | state >> 12),
                (state >> 40) as f64 + 0.5,
                (state >> 44) as f64 / 8.0,
                (state >> 50) as f64 / 100.0,
                (state >> 11) as f64,
                i as f64,
            ]
        })
    }

    #[test]
    fn the_quick_way_to_significant_digits_agrees_with_the_exact_one() {
        for (n, value) in values().enumerate() {
            let count = n % MAX_SIGNIFICANT + 1;
            if value != 0.0 {
                let exact = exact_significant(value, count);
                assert_eq!(significant(value, count), exact, "{value:e} {count}");
            }
        }
        // Powers of ten, and what is next to them.
        for power in -30..30 {
            let value: f64 = format!("1e{power}").parse().unwrap();
            for value in [value.next_down(), value, value.next_up()] {
                for count in 1..=MAX_SIGNIFICANT {
                    let exact = exact_significant(value, count);
                    assert_eq!(significant(value, count), exact, "{value:e} {count}");
                }
            }
        }
    }

    #[test]
    fn the_quick_way_to_decimals_agrees_with_the_exact_one() {
        let mut quick = 0;
        for (n, value) in values().enumerate() {
            let precision = n % 18;
            let mut out = Text::new();
            if let Some(digits) = scaled(value, precision) {
                write_scaled(digits, precision, &mut out);
                assert_eq!(out.as_bytes(), format!("{value:.precision$}").as_bytes());
                quick += 1;
            }
        }
        assert!(quick > 60_000, "{quick}");
    }

    #[test]
    fn layouts() {
        let general = |value: f64, count: usize, point: Point| {
            let mut out = Text::new();
            write_general(significant(value, count), count, point, &mut out);
            String::from_utf8(out.as_bytes().to_vec()).unwrap()
        };
        for (value, count, shown) in [
            (0.0, 6, ["0", "0.00000", "0.0"]),
            (100.0, 6, ["100", "100.000", "100.0"]),
            (123456.0, 6, ["123456", "123456.", "123456.0"]),
            (0.00012, 3, ["0.00012", "0.000120", "0.00012"]),
            (1e-5, 1, ["1e-05", "1.e-05", "1e-05"]),
            (1e100, 2, ["1e+100", "1.0e+100", "1e+100"]),
            (2.5, 1, ["2", "2.", "2.0"]),
            (9.5, 1, ["1e+01", "1.e+01", "1e+01"]),
        ] {
            let points = [Point::BeforeDigits, Point::Always, Point::MarksFloats];
            assert_eq!(points.map(|point| general(value, count, point)), shown);
        }
    }
}
