//! Numbers as texts of `%.14g` and the like, and texts as numbers.
//!
//! **Invariant:** digits are rounded as `printf` rounds them.

use std::io::Write;

/// Writes a finite number with so many significant digits, as `%g` does.
pub(super) fn write_general(out: &mut Vec<u8>, number: f64, digits: i64) {
    let digits = digits.clamp(1, 17) as usize;
    if number == 0.0 {
        out.extend_from_slice(if number.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
        return;
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a Vec cannot fail.
    if exponent < -4 || exponent >= digits as i32 {
        out.extend_from_slice(without_zeros(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    } else {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        let fixed = format!("{number:.decimals$}");
        out.extend_from_slice(without_zeros(&fixed).as_bytes());
    }
}

fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// A number at the beginning of a text, as C's `strtod` reads one, and its length; 0: there is none. Those without fraction and exponent
/// are integers where they fit.
pub(super) fn read(text: &[u8]) -> (Number, usize) {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let rest = &text[sign..];
    let is_negative = text.first() == Some(&b'-');
    let signed = |number: f64| Number::Float(if is_negative { -number } else { number });
    for (word, value) in [
        ("infinity", f64::INFINITY),
        ("inf", f64::INFINITY),
        ("nan", f64::NAN),
    ] {
        let start = rest.get(..word.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())) {
            return (signed(value), sign + word.len());
        }
    }
    if let [b'0', b'x' | b'X', digit, ..] = rest
        && digit.is_ascii_hexdigit()
    {
        let (number, length) = hexadecimal(&rest[2..]);
        return (signed(number), sign + 2 + length);
    }
    let whole = digits(rest);
    let mut length = whole;
    if rest.get(length) == Some(&b'.') {
        let fraction = digits(&rest[length + 1..]);
        if whole + fraction > 0 {
            length += 1 + fraction;
        }
    }
    if length == 0 {
        return (Number::Float(0.0), 0);
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(length + 1), Some(b'-' | b'+')));
        let exponent = digits(&rest[length + 1 + sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    let text = std::str::from_utf8(&text[..sign + length]).unwrap_or("0");
    let number = match text.parse::<i64>() {
        // The integers have no minus zero.
        Ok(integer) if !(integer == 0 && is_negative) => Number::Integer(integer),
        _ => Number::Float(text.parse().unwrap_or(0.0)),
    };
    (number, sign + length)
}

/// What a text is as a number.
#[derive(Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Hexadecimal digits; beyond 53 bits they lose precision, not size.
fn hexadecimal(text: &[u8]) -> (f64, usize) {
    let mut number = 0.0;
    let mut length = 0;
    for byte in text {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            break;
        };
        number = number * 16.0 + f64::from(digit);
        length += 1;
    }
    (number, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(number: f64, digits: i64) -> String {
        let mut out = Vec::new();
        write_general(&mut out, number, digits);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_printed_as_printf_prints_them() {
        for (number, digits, text) in [
            (0.1, 14, "0.1"),
            (100.0, 14, "100"),
            (1e15 / 7.0, 14, "1.4285714285714e+14"),
            (1e14, 14, "1e+14"),
            (123456789012345.0, 15, "123456789012345"),
            (1e-5, 14, "1e-05"),
            (0.0001, 14, "0.0001"),
            (-2.5, 1, "-2"),
            (9.99, 2, "10"),
            (0.1, 17, "0.10000000000000001"),
            (-0.0, 14, "-0"),
            (1e300, 3, "1e+300"),
        ] {
            assert_eq!(general(number, digits), text);
        }
    }

    #[test]
    fn numbers_are_read_as_strtod_reads_them() {
        use Number::{Float, Integer};
        for (text, number, length) in [
            ("12,", Integer(12), 2),
            ("-1.5e3]", Float(-1500.0), 6),
            ("1e", Integer(1), 1),
            ("1.", Float(1.0), 2),
            (".5", Float(0.5), 2),
            (".", Float(0.0), 0),
            ("-", Float(0.0), 0),
            ("0x1F", Float(31.0), 4),
            ("0x", Integer(0), 1),
            ("-Infinity", Float(f64::NEG_INFINITY), 9),
            ("99999999999999999999", Float(1e20), 20),
            ("+7", Integer(7), 2),
        ] {
            assert_eq!(read(text.as_bytes()), (number, length), "{text}");
        }
        assert!(matches!(read(b"nan"), (Float(nan), 3) if nan.is_nan()));
        assert!(matches!(read(b"-0"), (Float(zero), 2) if zero.is_sign_negative()));
    }
}
