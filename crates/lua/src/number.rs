//! Numbers: text to number and back, and the arithmetic whose Lua meaning differs from the machine's.
//!
//! **Invariant:** everything here is pure and total. No input panics, text of any length is read in one pass, and
//! conversions are correctly rounded, so that `tonumber(tostring(x))` and constants in source agree with the reference.

pub(crate) mod decimal;

use crate::dialect::Dialect;
use crate::short::Output;
use decimal::{Point, Text, write_digits};

/// A Lua number: the two subtypes are distinct values of one type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// The integer subtype.
    Int(i64),
    /// The float subtype.
    Float(f64),
}

impl Number {
    /// The number as a float.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }
}

/// Reads a whole text as a number, by the rules of `tonumber`: white space around it, a sign, decimal or hexadecimal,
/// integer if it can be one. Decimal integers that do not fit become floats, hexadecimal ones wrap around.
pub fn parse(text: &[u8]) -> Option<Number> {
    let (negative, digits) = split_sign(trim(text));
    match digits {
        [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex, negative),
        _ => parse_decimal(digits, negative),
    }
}

/// As [`parse`] for dialects without integers: all numbers are floats, and hexadecimal ones do not wrap around.
pub fn parse_as_float(text: &[u8]) -> Option<f64> {
    match parse(text)? {
        Number::Float(value) => Some(value),
        Number::Int(value) => {
            let (negative, digits) = split_sign(trim(text));
            match digits {
                // Fifteen hexadecimal digits cannot wrap; more are read once more, as a float's mantissa.
                [b'0', b'x' | b'X', hex @ ..] if hex.len() > 15 => {
                    let mut mantissa = HexMantissa::default();
                    for digit in hex.iter().copied().filter_map(hex_digit) {
                        mantissa.push(digit, false);
                    }
                    let value = mantissa.value(0);
                    Some(if negative { -value } else { value })
                }
                // In these dialects "-0" is minus zero.
                _ if value == 0 && negative => Some(-0.0),
                _ => Some(value as f64),
            }
        }
    }
}

/// As [`parse_as_float`]; in 5.1 also what C's `strtod` reads besides numerals: infinities and NaN.
pub fn parse_in(dialect: Dialect, text: &[u8]) -> Option<f64> {
    let number = parse_as_float(text);
    if number.is_some() || dialect >= Dialect::Lua52 {
        return number;
    }
    let (negative, word) = split_sign(trim(text));
    let value = match word.to_ascii_lowercase().as_slice() {
        b"inf" | b"infinity" => f64::INFINITY,
        b"nan" => f64::NAN,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Whether C's `isspace` holds in the "C" locale; unlike `u8::is_ascii_whitespace` this includes the vertical tab.
#[inline]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether a minus stands in front, and what follows the sign, if there is one.
pub(crate) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The text without the white space around it.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// A float as C's conversion to an integer gives it on x86-64: cut towards zero; the smallest integer for what does not fit.
pub(crate) fn float_to_c_int(f: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}

fn parse_decimal(digits: &[u8], negative: bool) -> Option<Number> {
    // Nineteen digits cannot overflow a u64; longer runs are rare enough to take the slow road.
    let mut value: u64 = 0;
    let mut fits = !digits.is_empty();
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return parse_decimal_float(digits, negative);
        }
        match value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit)))
        {
            Some(next) => value = next,
            None => fits = false,
        }
    }
    if fits && value <= i64::MAX as u64 + u64::from(negative) {
        let value = value as i64;
        Some(Number::Int(if negative {
            value.wrapping_neg()
        } else {
            value
        }))
    } else {
        parse_decimal_float(digits, negative)
    }
}

/// Checks the shape `digits [. digits] [e [sign] digits]` with at least one digit before the exponent, then lets the
/// standard library do the correctly rounded conversion (which by itself would also accept "inf" and "nan").
fn parse_decimal_float(text: &[u8], negative: bool) -> Option<Number> {
    let whole = count_digits(text);
    let mut at = whole;
    let mut mantissa_digits = whole;
    if text.get(at) == Some(&b'.') {
        let fraction = count_digits(&text[at + 1..]);
        at += 1 + fraction;
        mantissa_digits += fraction;
    }
    if mantissa_digits == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        let exponent = count_digits(&text[at..]);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    if at != text.len() {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Number::Float(if negative { -value } else { value }))
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// The value of a hexadecimal digit.
#[inline]
pub fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Reads what follows `0x`: an integer if there is neither point nor exponent, otherwise a float.
fn parse_hex(text: &[u8], negative: bool) -> Option<Number> {
    let mut integer: u64 = 0; // wraps around
    let mut mantissa = HexMantissa::default();
    let mut any_digit = false;
    let mut at = 0;
    while let Some(digit) = text.get(at).copied().and_then(hex_digit) {
        integer = (integer << 4) | u64::from(digit);
        mantissa.push(digit, false);
        any_digit = true;
        at += 1;
    }
    if at == text.len() {
        let value = if negative {
            integer.wrapping_neg()
        } else {
            integer
        };
        return any_digit.then_some(Number::Int(value as i64));
    }
    if text[at] == b'.' {
        at += 1;
        while let Some(digit) = text.get(at).copied().and_then(hex_digit) {
            mantissa.push(digit, true);
            any_digit = true;
            at += 1;
        }
    }
    if !any_digit {
        return None;
    }
    let mut exponent: i64 = 0;
    if let Some(b'p' | b'P') = text.get(at) {
        at += 1;
        let exponent_negative = match text.get(at) {
            Some(b'-') => {
                at += 1;
                true
            }
            Some(b'+') => {
                at += 1;
                false
            }
            _ => false,
        };
        let digits = count_digits(&text[at..]);
        if digits == 0 {
            return None;
        }
        for &byte in &text[at..at + digits] {
            exponent = exponent
                .saturating_mul(10)
                .saturating_add(i64::from(byte - b'0'));
        }
        if exponent_negative {
            exponent = -exponent;
        }
        at += digits;
    }
    if at != text.len() {
        return None;
    }
    let value = mantissa.value(exponent);
    Some(Number::Float(if negative { -value } else { value }))
}

/// The significant bits of a hexadecimal float: up to 64 of them, and whether anything was lost below.
#[derive(Default)]
struct HexMantissa {
    bits: u64,
    /// Power of two by which `bits` is to be multiplied.
    exponent: i64,
    /// Some digit that did not fit was not zero, so the true value lies above `bits`.
    sticky: bool,
}

impl HexMantissa {
    fn push(&mut self, digit: u8, fraction: bool) {
        if self.bits >> 60 == 0 {
            self.bits = (self.bits << 4) | u64::from(digit);
            if fraction {
                self.exponent -= 4;
            }
        } else {
            self.sticky |= digit != 0;
            if !fraction {
                self.exponent += 4;
            }
        }
    }

    /// `bits * 2^(self.exponent + exponent)`, rounded half to even, with gradual underflow.
    fn value(&self, exponent: i64) -> f64 {
        if self.bits == 0 {
            return 0.0;
        }
        let shift = self.bits.leading_zeros();
        let bits = self.bits << shift;
        // The value is 1.xxx * 2^top, where `bits` holds 1.xxx with the point after its first bit.
        let top = self
            .exponent
            .saturating_add(exponent)
            .saturating_sub(i64::from(shift))
            .saturating_add(63);
        if top > 1023 {
            return f64::INFINITY;
        }
        // 53 bits are kept of a normal number, fewer of a subnormal one.
        let kept = if top >= -1022 { 53 } else { 53 + 1022 + top };
        if kept < 0 {
            return 0.0;
        }
        let dropped = 64 - kept as u32; // 11..=64
        let (mut quotient, remainder) = if dropped == 64 {
            (0, bits)
        } else {
            (bits >> dropped, bits << (64 - dropped))
        };
        // `remainder` is what was dropped, as a fraction of 2^64.
        let half = 1u64 << 63;
        if remainder > half || (remainder == half && (self.sticky || quotient & 1 == 1)) {
            quotient += 1;
        }
        // A carry out of the mantissa field lands in the exponent field, which is just what rounding up means.
        let biased = if top >= -1022 { (top + 1022) as u64 } else { 0 };
        f64::from_bits((biased << 52) + quotient)
    }
}

/// Writes an integer as `tostring` shows it to the beginning of `to`, which has room for 20 bytes; returns how many were written.
pub(crate) fn write_int(value: i64, to: &mut [u8]) -> usize {
    let mut buffer = [0; 20];
    let mut start = write_digits(value.unsigned_abs(), &mut buffer);
    if value < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    to[..20 - start].copy_from_slice(&buffer[start..]);
    20 - start
}

/// Appends an integer as `tostring` shows it.
#[inline]
pub fn format_int(value: i64, out: &mut impl Output) {
    let mut buffer = [0; 20];
    let mut start = write_digits(value.unsigned_abs(), &mut buffer);
    if value < 0 {
        start -= 1; // at most 19 digits were written, so there is room
        buffer[start] = b'-';
    }
    out.append(&buffer[start..]);
}

/// A float as `tostring` of a dialect shows it: `%.14g`; from 5.3 on, with `.0` added if that looks like an integer; from
/// 5.5 on, with as many digits (15, or 17) as it takes to read it back.
pub(crate) fn float_text(dialect: Dialect, value: f64) -> Text {
    let point = match dialect.has_integers() {
        true => Point::MarksFloats,
        false => Point::BeforeDigits,
    };
    if dialect <= Dialect::Lua54 || !value.is_finite() {
        return digits_text(value, SIGNIFICANT, point);
    }
    let text = digits_text(value, 15, point);
    if parse(text.as_bytes()).map(Number::to_f64) == Some(value) {
        return text;
    }
    digits_text(value, decimal::MAX_SIGNIFICANT, point)
}

/// A number as `tostring` of a dialect shows it.
pub(crate) fn text(dialect: Dialect, n: Number) -> Text {
    match n {
        Number::Int(i) => {
            let mut out = Text::new();
            format_int(i, &mut out);
            out
        }
        Number::Float(f) => float_text(dialect, f),
    }
}

/// Appends a float as `tostring` of a dialect shows it.
pub fn format_float_in(dialect: Dialect, value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(float_text(dialect, value).as_bytes());
}

/// Appends a float as `tostring` of 5.4 shows it.
pub fn format_float(value: f64, out: &mut Vec<u8>) {
    format_float_in(Dialect::Lua54, value, out);
}

/// Significant digits that `tostring` shows, before 5.5.
const SIGNIFICANT: usize = 14;

fn digits_text(value: f64, count: usize, point: Point) -> Text {
    let mut out = Text::new();
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value.is_nan() {
        out.append(b"nan");
    } else if value == f64::INFINITY {
        out.append(b"inf");
    } else if value < 1e14 && value as u64 as f64 == value {
        let mut buffer = [0; 20];
        let start = write_digits(value as u64, &mut buffer);
        out.append(&buffer[start..]);
        if point == Point::MarksFloats {
            out.append(b".0");
        }
    } else {
        decimal::write_general(decimal::significant(value, count), count, point, &mut out);
    }
    out
}

/// 2^63 as a float: the first above every integer.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// The integer equal to `value`, if there is one.
#[inline]
pub fn float_to_int(value: f64) -> Option<i64> {
    let int = value as i64; // saturates, and NaN gives 0
    // At saturation `int as f64` is 2^63, which 2^63 itself equals without fitting.
    if int as f64 == value && value != TWO_POW_63 {
        Some(int)
    } else {
        None
    }
}

/// The greatest integer not above `value`, if it fits.
#[inline]
pub fn float_to_int_floor(value: f64) -> Option<i64> {
    float_to_int(value.floor())
}

/// The least integer not below `value`, if it fits.
#[inline]
pub fn float_to_int_ceil(value: f64) -> Option<i64> {
    float_to_int(value.ceil())
}

/// The integer limit of a `for` loop over integers whose limit was written as a float; `None` if the loop cannot run.
///
/// The limit is rounded towards the start and clipped to what an integer can hold.
pub fn clip_loop_limit(limit: f64, ascending: bool) -> Option<i64> {
    let rounded = if ascending {
        limit.floor()
    } else {
        limit.ceil()
    };
    match float_to_int(rounded) {
        Some(limit) => Some(limit),
        None if rounded > 0.0 => ascending.then_some(i64::MAX),
        // NaN counts as below every integer, as in the reference.
        None => (!ascending).then_some(i64::MIN),
    }
}

/// `a // b` for integers, rounded towards minus infinity. The caller has refused `b == 0`.
#[inline]
pub fn int_floor_div(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div(b);
    if (a ^ b) < 0 && quotient.wrapping_mul(b) != a {
        quotient - 1
    } else {
        quotient
    }
}

/// `a % b` for integers, with the sign of `b`. The caller has refused `b == 0`.
#[inline]
pub fn int_mod(a: i64, b: i64) -> i64 {
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder ^ b) < 0 {
        remainder + b
    } else {
        remainder
    }
}

/// `a // b` for floats.
#[inline]
pub fn float_floor_div(a: f64, b: f64) -> f64 {
    (a / b).floor()
}

/// `a % b` for floats, with the sign of `b`.
#[inline]
pub fn float_mod(a: f64, b: f64) -> f64 {
    let remainder = float_rem(a, b);
    if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) {
        remainder + b
    } else {
        remainder
    }
}

/// C's `fmod`.
///
/// PERF: of whole numbers, which is what scripts take remainders of, by an integer division: a quarter of the instructions of the
/// general way, which goes bit by bit.
#[inline]
fn float_rem(a: f64, b: f64) -> f64 {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if a.abs() < EXACT && b.abs() < EXACT {
        let (x, y) = (a as i64, b as i64);
        if y != 0 && x as f64 == a && y as f64 == b {
            // Zero has the sign of the dividend.
            return ((x % y) as f64).copysign(a);
        }
    }
    a % b
}

/// `a % b` as versions 5.1 and 5.2 define it: `a - floor(a / b) * b`, so that `5 % math.huge` is NaN.
#[inline]
pub fn float_mod_by_floor(a: f64, b: f64) -> f64 {
    a - (a / b).floor() * b
}

/// [`float_mod_by_floor`] of two whole numbers below 2^31 that are not negative, by a division of integers: there it is exact.
#[inline(always)]
pub fn small_mod_by_floor(a: f64, b: f64) -> Option<f64> {
    let (x, y) = (a as i32, b as i32);
    let small = f64::from(x) == a && f64::from(y) == b && x >= 0 && y > 0;
    small.then(|| f64::from(x as u32 % y as u32))
}

/// `a ^ b`. Squaring is common and exact by a multiplication.
#[inline]
pub fn float_pow(a: f64, b: f64) -> f64 {
    if b == 2.0 { a * a } else { a.powf(b) }
}

/// `value << by`: logical, zero once everything is shifted out, to the right when `by` is negative.
#[inline]
pub fn shift_left(value: i64, by: i64) -> i64 {
    let value = value as u64;
    let shifted = match by {
        0..=63 => value << by,
        -63..=-1 => value >> -by,
        _ => 0,
    };
    shifted as i64
}

/// `value >> by`: [`shift_left`] the other way.
#[inline]
pub fn shift_right(value: i64, by: i64) -> i64 {
    shift_left(value, by.wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> i64 {
        match parse(text.as_bytes()) {
            Some(Number::Int(value)) => value,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    fn float(text: &str) -> f64 {
        match parse(text.as_bytes()) {
            Some(Number::Float(value)) => value,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    fn shown(value: f64) -> String {
        let mut out = Vec::new();
        format_float(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_are_read() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            (" \t\n\x0b\x0c\r42 \n", 42),
            ("0000000000000000000000000012", 12),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0x10", 16),
            ("-0xfF", -255),
            ("0XffffffffffffffFF", -1),
            ("0x1ffffffffffffffff", -1),
            ("-0x8000000000000000", i64::MIN),
        ] {
            assert_eq!(int(text), value, "{text:?}");
        }
    }

    #[test]
    fn floats_are_read() {
        for (text, value) in [
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5e1", -5.0),
            ("1e+2", 100.0),
            ("1E-2", 0.01),
            ("9223372036854775808", TWO_POW_63),
            ("-9223372036854775809", -TWO_POW_63),
            ("1e999", f64::INFINITY),
            ("-1e999", f64::NEG_INFINITY),
            ("1e-999", 0.0),
            ("0x.8", 0.5),
            ("0x1.", 1.0),
            ("0x1p4", 16.0),
            ("0xA.8P-1", 5.25),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("0x1.fffffffffffff7p0", 1.9999999999999998),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000000001p0", 1.0000000000000002),
            ("0x1p1023", 8.98846567431158e307),
            ("0x1p1024", f64::INFINITY),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x0p999999999999999999999999", 0.0),
            ("0x1p-999999999999999999999999", 0.0),
            ("0x1p999999999999999999999999", f64::INFINITY),
        ] {
            assert_eq!(float(text), value, "{text:?}");
        }
        assert!(float("-0.0").is_sign_negative());
        assert!(float("-0x0p1").is_sign_negative());
    }

    #[test]
    fn a_long_hexadecimal_float_keeps_its_scale() {
        let zeros = "0".repeat(1000);
        assert_eq!(float(&format!("0x1{zeros}p-4000")), 1.0);
        assert_eq!(float(&format!("0x.{zeros}1p4004")), 1.0);
    }

    #[test]
    fn without_integers_all_numbers_are_floats() {
        for (text, value) in [
            ("12", 12.0),
            (" -7 ", -7.0),
            ("9223372036854775807", 9223372036854775807.0),
            ("0x10", 16.0),
            ("-0xff", -255.0),
            ("0xffffffffffffffff", 18446744073709551615.0),
            ("-0x10000000000000000", -18446744073709551616.0),
            ("+0x1p4", 16.0),
        ] {
            assert_eq!(parse_as_float(text.as_bytes()), Some(value), "{text:?}");
        }
        assert!(parse_as_float(b"-0").is_some_and(f64::is_sign_negative));
        assert!(parse_as_float(b"0").is_some_and(f64::is_sign_positive));
        assert_eq!(parse_as_float(b"0x"), None);
        assert_eq!(float_mod_by_floor(-6.0, 3.0).to_bits(), 0);
        assert!(float_mod_by_floor(5.0, f64::INFINITY).is_nan());
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", " ", "+", "-", ".", "e1", "1e", "1e+", "0x", "0x.", "0xg", "0x1p", "0x1p+",
            "0x.p1", "1 2", "1a", "--1", "- 1", "inf", "nan", "infinity", "1..2", "1.2.3",
            "0x1.2.3", "1\0", "\u{a0}1", "1_0", "0b1", "1e1.0", "0x 1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn integers_are_shown() {
        for value in [0, 7, -7, 10, 99, 100, -100, 12345, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            format_int(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn floats_are_shown() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333"),
            (2.0 / 3.0, "0.66666666666667"),
            (100.25, "100.25"),
            (1234567890123.25, "1234567890123.2"),
            (1234567890123.75, "1234567890123.8"),
            (99999999999999.0, "99999999999999.0"),
            (99999999999999.5, "1e+14"),
            (1e14, "1e+14"),
            (1e15, "1e+15"),
            (123456789012345.0, "1.2345678901234e+14"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e-8, "1e-08"),
            (9.99999999999999e-9, "1e-08"),
            (5e-324, "4.9406564584125e-324"),
            (f64::MAX, "1.7976931348623e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN.copysign(1.0), "nan"),
            (f64::NAN.copysign(-1.0), "-nan"),
            (1.0 - f64::EPSILON / 2.0, "1.0"),
            (0.99999999999999, "0.99999999999999"),
            (123.45678901234568, "123.45678901235"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn dialects_show_floats_differently() {
        let shown = |dialect, value| {
            let mut out = Vec::new();
            format_float_in(dialect, value, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (value, old, middle, new) in [
            (3.0, "3", "3.0", "3.0"),
            (-0.0, "-0", "-0.0", "-0.0"),
            (0.1, "0.1", "0.1", "0.1"),
            (1e14, "1e+14", "1e+14", "100000000000000.0"),
            (1e15, "1e+15", "1e+15", "1e+15"),
            (1e100, "1e+100", "1e+100", "1e+100"),
            (
                2f64.powi(53),
                "9.007199254741e+15",
                "9.007199254741e+15",
                "9007199254740992.0",
            ),
            (0.1 + 0.2, "0.3", "0.3", "0.30000000000000004"),
            (
                1.0 / 3.0,
                "0.33333333333333",
                "0.33333333333333",
                "0.33333333333333331",
            ),
            (
                123456789012345.0,
                "1.2345678901234e+14",
                "1.2345678901234e+14",
                "123456789012345.0",
            ),
            (-1.5e-7, "-1.5e-07", "-1.5e-07", "-1.5e-07"),
            (
                1.0000000000000002e-5,
                "1e-05",
                "1e-05",
                "1.0000000000000003e-05",
            ),
            (
                0.00012345678901234567,
                "0.00012345678901235",
                "0.00012345678901235",
                "0.00012345678901234567",
            ),
            (f64::INFINITY, "inf", "inf", "inf"),
        ] {
            assert_eq!(shown(Dialect::Lua51, value), old);
            assert_eq!(shown(Dialect::Lua53, value), middle);
            assert_eq!(shown(Dialect::Lua55, value), new);
        }
    }

    #[test]
    fn floats_become_integers_only_exactly() {
        assert_eq!(float_to_int(3.0), Some(3));
        assert_eq!(float_to_int(-0.0), Some(0));
        assert_eq!(float_to_int(3.5), None);
        assert_eq!(float_to_int(TWO_POW_63), None);
        assert_eq!(float_to_int(-TWO_POW_63), Some(i64::MIN));
        assert_eq!(
            float_to_int(9_223_372_036_854_774_784.0),
            Some(9_223_372_036_854_774_784)
        );
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(float_to_int(value), None);
        }
        assert_eq!(float_to_int_floor(-1.5), Some(-2));
        assert_eq!(float_to_int_ceil(-1.5), Some(-1));
    }

    #[test]
    fn loop_limits_are_clipped() {
        assert_eq!(clip_loop_limit(2.7, true), Some(2));
        assert_eq!(clip_loop_limit(2.2, false), Some(3));
        assert_eq!(clip_loop_limit(f64::INFINITY, true), Some(i64::MAX));
        assert_eq!(clip_loop_limit(f64::INFINITY, false), None);
        assert_eq!(clip_loop_limit(-1e300, false), Some(i64::MIN));
        assert_eq!(clip_loop_limit(-1e300, true), None);
        assert_eq!(clip_loop_limit(f64::NAN, true), None);
        assert_eq!(clip_loop_limit(f64::NAN, false), Some(i64::MIN));
    }

    #[test]
    fn division_rounds_down() {
        for (a, b, quotient, remainder) in [
            (7, 3, 2, 1),
            (-7, 3, -3, 2),
            (7, -3, -3, -2),
            (-7, -3, 2, -1),
            (6, -3, -2, 0),
            (i64::MIN, -1, i64::MIN, 0),
        ] {
            assert_eq!(
                (int_floor_div(a, b), int_mod(a, b)),
                (quotient, remainder),
                "{a} {b}"
            );
        }
        assert_eq!(float_mod(-5.5, 2.0), 0.5);
        assert_eq!(float_mod(5.0, -f64::INFINITY), f64::NEG_INFINITY);
        assert_eq!(float_mod(-5.0, f64::INFINITY), f64::INFINITY);
        assert_eq!(float_mod(5.0, f64::INFINITY), 5.0);
        assert!(float_mod(1.0, 0.0).is_nan());
        assert!(float_mod(-0.0, 1.0).is_sign_negative());
        let edges = [0.0, 1.0, 3.0, 5.0, 10000.0, 2147483647.0, 1e15, TWO_POW_63];
        let edges = edges.map(|n| [n, n + 0.5, 9_007_199_254_740_992.0 - n]);
        for a in edges.concat().into_iter().flat_map(|n| [n, -n]) {
            for b in edges.concat().into_iter().flat_map(|n| [n, -n]) {
                let same = float_rem(a, b).to_bits() == (a % b).to_bits();
                assert!(same || (a % b).is_nan(), "{a} {b}");
            }
        }
        assert_eq!(float_floor_div(-7.0, 2.0), -4.0);
    }

    #[test]
    fn shifts_are_logical_and_total() {
        assert_eq!(shift_left(1, 63), i64::MIN);
        assert_eq!(shift_left(1, 64), 0);
        assert_eq!(shift_left(-1, -63), 1);
        assert_eq!(shift_left(-1, -64), 0);
        assert_eq!(shift_left(-1, i64::MIN), 0);
        assert_eq!(shift_right(-1, 1), i64::MAX);
        assert_eq!(shift_right(1, i64::MIN), 0);
        assert_eq!(shift_right(1, -4), 16);
    }
}
