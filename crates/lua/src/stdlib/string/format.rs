//! `string.format` without its arguments: reading conversion specifications, and laying out one value as C's printf does.
//!
//! **Invariant:** a [`Layout`] has been checked, so width and precision are below 100 and one conversion writes a bounded
//! number of bytes: at most 420 for numbers, the text plus 99 for strings.

use crate::number;
use crate::number::decimal::{self, Point};
use crate::short::{Output, Short};
use std::fmt;
use std::io::Write;

/// Flags, width and precision together may not be longer than this, as in the reference.
const MAX_MODIFIERS: usize = 20;

/// Flags, as a set.
type Flags = u8;
const LEFT: Flags = 1;
const PLUS: Flags = 2;
const SPACE: Flags = 4;
const ALTERNATE: Flags = 8;
const ZERO: Flags = 16;
/// The flags the conversions allow.
const FLOAT_FLAGS: Flags = LEFT | PLUS | SPACE | ALTERNATE | ZERO;
const HEX_FLAGS: Flags = LEFT | ALTERNATE | ZERO;
const INT_FLAGS: Flags = LEFT | PLUS | SPACE | ZERO;
const UNSIGNED_FLAGS: Flags = LEFT | ZERO;

/// The flag that a byte is; the empty set for any other byte.
#[inline]
fn flag(byte: u8) -> Flags {
    match byte {
        b'-' => LEFT,
        b'+' => PLUS,
        b' ' => SPACE,
        b'#' => ALTERNATE,
        b'0' => ZERO,
        _ => 0,
    }
}

/// The most flags before 5.4.
const OLD_FLAGS: usize = 5;

/// A mistake in a format string, in the words of the reference. The bytes are the specification, from its `%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// The conversion letter means nothing.
    InvalidConversion(Vec<u8>),
    /// The letter does not take these modifiers.
    InvalidSpecification(Vec<u8>),
    /// The modifiers go on and on.
    TooLong,
    /// `%q` takes no modifiers at all.
    QuotedModifiers,
}

impl FormatError {
    /// The message in versions before 5.4.
    pub fn old_message(&self) -> Vec<u8> {
        match self {
            FormatError::InvalidConversion(spec) => {
                [b"invalid option '", &spec[..], b"' to 'format'"].concat()
            }
            FormatError::TooLong => b"invalid format (repeated flags)".to_vec(),
            FormatError::InvalidSpecification(_) => {
                b"invalid format (width or precision too long)".to_vec()
            }
            FormatError::QuotedModifiers => self.message(),
        }
    }

    /// The message. It is no `String`: the specification is shown byte for byte.
    pub fn message(&self) -> Vec<u8> {
        match self {
            FormatError::InvalidConversion(spec) => {
                [b"invalid conversion '", &spec[..], b"' to 'format'"].concat()
            }
            FormatError::InvalidSpecification(spec) => {
                [b"invalid conversion specification: '", &spec[..], b"'"].concat()
            }
            FormatError::TooLong => b"invalid format (too long)".to_vec(),
            FormatError::QuotedModifiers => b"specifier '%q' cannot have modifiers".to_vec(),
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message()))
    }
}

impl std::error::Error for FormatError {}

/// What kind of argument a conversion takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// `%c`: an integer, written as one byte.
    Char,
    /// `%d %i %u %o %x %X`: an integer.
    Int,
    /// `%a %A %e %E %f %g %G`: a float.
    Float,
    /// `%p`: anything.
    Pointer,
    /// `%q`: a literal.
    Quoted,
    /// `%s`: anything, by `tostring`.
    Text,
}

/// A conversion specification as written; not yet checked, since the reference looks at the argument first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec<'a> {
    /// What stands after the `%`, up to and with the letter.
    text: &'a [u8],
    letter: u8,
    /// What the letter means.
    pub conversion: Conversion,
    /// Whether conversions ignore the modifiers that do not concern them, as before 5.4.
    loose: bool,
}

/// Checked flags, width and precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    flags: Flags,
    width: usize,
    /// Digits, or bytes of a text.
    pub precision: Option<usize>,
}

impl<'a> Spec<'a> {
    /// Reads the specification at the start of `format`, whose `%` has been passed. `%%` is not one; the caller has
    /// dealt with it.
    #[inline]
    pub fn parse(format: &'a [u8]) -> Result<Spec<'a>, FormatError> {
        let modifiers = format
            .iter()
            .take_while(|byte| {
                matches!(byte, b'-' | b'+' | b' ' | b'#' | b'.') || byte.is_ascii_digit()
            })
            .count();
        if modifiers > MAX_MODIFIERS {
            return Err(FormatError::TooLong);
        }
        Spec::after(format, modifiers, false)
    }

    /// The specification with these bytes of modifiers.
    #[inline]
    fn after(format: &'a [u8], modifiers: usize, loose: bool) -> Result<Spec<'a>, FormatError> {
        let letter = format.get(modifiers).copied().unwrap_or(0);
        let text = &format[..(modifiers + 1).min(format.len())];
        let conversion = match letter {
            b'c' => Conversion::Char,
            b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => Conversion::Int,
            b'a' | b'A' | b'e' | b'E' | b'f' | b'g' | b'G' => Conversion::Float,
            b'p' => Conversion::Pointer,
            b'q' => Conversion::Quoted,
            b's' => Conversion::Text,
            _ => return Err(FormatError::InvalidConversion(shown(text))),
        };
        Ok(Spec {
            text,
            letter,
            conversion,
            loose,
        })
    }

    /// As [`Spec::parse`], by the rules before 5.4: up to five flags, two digits of width, two of precision, and no
    /// conversion refuses any of them.
    pub fn parse_loosely(format: &'a [u8]) -> Result<Spec<'a>, FormatError> {
        let flags = count_flags(format);
        if flags > OLD_FLAGS {
            return Err(FormatError::TooLong);
        }
        let digits = |at: usize| {
            let digits = format[at..].iter().take_while(|b| b.is_ascii_digit());
            digits.take(3).count()
        };
        let width = digits(flags);
        let mut modifiers = flags + width;
        let mut precision = 0;
        if format.get(modifiers) == Some(&b'.') {
            precision = digits(modifiers + 1);
            modifiers += 1 + precision;
        }
        if width > 2 || precision > 2 {
            return Err(FormatError::InvalidSpecification(Vec::new()));
        }
        Spec::after(format, modifiers, true)
    }

    /// Whether this is `%d` or `%i`.
    pub fn is_signed(&self) -> bool {
        matches!(self.letter, b'd' | b'i')
    }

    /// Bytes of the format string the specification takes, after its `%`.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is nothing but the letter.
    pub fn is_plain(&self) -> bool {
        self.text.len() == 1
    }

    /// Whether this is `%a` or `%A`.
    pub fn is_hexadecimal(&self) -> bool {
        matches!(self.letter, b'a' | b'A')
    }

    /// Whether a precision is written.
    pub fn has_precision(&self) -> bool {
        self.text.contains(&b'.')
    }

    /// Whether the versions before 5.4 take so many flags.
    pub fn has_few_flags(&self) -> bool {
        count_flags(self.text) <= OLD_FLAGS
    }

    /// The conversion letter.
    #[inline]
    pub fn letter(&self) -> u8 {
        self.letter
    }

    /// Checks the modifiers against what the conversion allows.
    #[inline]
    pub fn layout(&self) -> Result<Layout, FormatError> {
        if self.is_plain() {
            return Ok(Layout::default());
        }
        let (flags, precision_allowed) = match self.letter {
            _ if self.loose => (FLOAT_FLAGS, true),
            b'q' => return Err(FormatError::QuotedModifiers),
            b'c' | b'p' => (LEFT, false),
            b's' => (LEFT, true),
            b'd' | b'i' => (INT_FLAGS, true),
            b'u' => (UNSIGNED_FLAGS, true),
            b'o' | b'x' | b'X' => (HEX_FLAGS, true),
            _ => (FLOAT_FLAGS, true),
        };
        let mut layout = Layout::default();
        let mut rest = self.text;
        while let [byte, tail @ ..] = rest
            && flag(*byte) & flags != 0
        {
            layout.flags |= flag(*byte);
            rest = tail;
        }
        if self.loose && matches!(self.letter, b'c' | b's' | b'p' | b'q') {
            layout.flags &= !ZERO;
            if self.letter == b'q' {
                return Ok(Layout::default());
            }
        }
        // A zero here is a flag the conversion does not take, not the start of a width.
        if rest[0] != b'0' {
            (layout.width, rest) = two_digits(rest);
            if rest[0] == b'.' && precision_allowed {
                let (precision, tail) = two_digits(&rest[1..]);
                layout.precision = Some(precision);
                rest = tail;
            }
        }
        if rest.len() > 1 {
            return Err(FormatError::InvalidSpecification(shown(self.text)));
        }
        Ok(layout)
    }

    /// Appends an integer: `%d %i %u %o %x %X`, and `%c`. At most 121 bytes.
    #[inline]
    pub fn write_int(&self, layout: &Layout, value: i64, out: &mut impl Output) {
        if self.letter == b'c' {
            return layout.pad(&[value as u8], out);
        }
        let signed = matches!(self.letter, b'd' | b'i');
        if signed && *layout == Layout::default() {
            return number::format_int(value, out);
        }
        let mut buffer = [0u8; DIGITS];
        let start = match self.letter {
            b'o' => write_in_base(value as u64, 3, b"01234567", &mut buffer),
            b'x' => write_in_base(value as u64, 4, b"0123456789abcdef", &mut buffer),
            b'X' => write_in_base(value as u64, 4, b"0123456789ABCDEF", &mut buffer),
            letter => {
                let value = match letter {
                    b'u' => value as u64,
                    _ => value.unsigned_abs(),
                };
                let mut decimal = [0; 20];
                let start = decimal::write_digits(value, &mut decimal);
                buffer[DIGITS - 20..].copy_from_slice(&decimal);
                DIGITS - 20 + start
            }
        };
        let mut digits = &buffer[start..];
        if value == 0 && layout.precision == Some(0) {
            digits = b"";
        }
        let prefix: &[u8] = match self.letter {
            b'x' if layout.has(ALTERNATE) && value != 0 => b"0x",
            b'X' if layout.has(ALTERNATE) && value != 0 => b"0X",
            _ if signed => layout.sign(value < 0),
            _ => b"",
        };
        let mut zeros = layout.precision.unwrap_or(0).saturating_sub(digits.len());
        if self.letter == b'o'
            && layout.has(ALTERNATE)
            && zeros == 0
            && digits.first() != Some(&b'0')
        {
            zeros = 1;
        }
        let fill = layout.has(ZERO) && layout.precision.is_none();
        layout.pad_number(prefix, zeros, digits, fill, out);
    }

    /// About how many digits the conversion of a float makes one by one, which is what a long one costs.
    pub fn float_digits(&self, layout: &Layout, value: f64) -> usize {
        let precision = layout.precision.unwrap_or(6);
        let magnitude = value.abs();
        let fixed = self.letter.eq_ignore_ascii_case(&b'f');
        if fixed && magnitude.is_finite() && magnitude > 1e17 {
            precision + magnitude.log10() as usize
        } else {
            precision
        }
    }

    /// Appends a float: `%a %A %e %E %f %g %G`.
    pub fn write_float(&self, layout: &Layout, value: f64, out: &mut Vec<u8>) {
        if self.write_short_float(layout, value, out) {
            return;
        }
        let sign = layout.sign(value.is_sign_negative());
        let magnitude = value.abs();
        let mut text = Vec::with_capacity(32);
        let mut prefix = Short::<3>::new();
        prefix.append(sign);
        let precision = layout.precision.unwrap_or(DEFAULT_PRECISION);
        let alternate = layout.has(ALTERNATE);
        match self.letter.to_ascii_lowercase() {
            b'a' => {
                prefix.append(b"0x");
                hexadecimal(magnitude, layout, &mut text);
            }
            b'e' => scientific(magnitude, precision, alternate, &mut text),
            b'f' => fixed(magnitude, precision, alternate, &mut text),
            _ => general(magnitude, precision, alternate, &mut text),
        }
        if self.letter.is_ascii_uppercase() {
            text.make_ascii_uppercase();
            prefix.as_bytes_mut().make_ascii_uppercase();
        }
        layout.pad_number(prefix.as_bytes(), 0, &text, layout.has(ZERO), out);
    }

    /// As [`Spec::write_float`] for what is short, at most 139 bytes: few digits, and no hexadecimal ones. `false`: nothing is
    /// written.
    #[inline]
    pub fn write_short_float(&self, layout: &Layout, value: f64, out: &mut impl Output) -> bool {
        let magnitude = value.abs();
        let precision = layout.precision.unwrap_or(DEFAULT_PRECISION);
        let alternate = layout.has(ALTERNATE);
        let mut text = decimal::Text::new();
        let fill = magnitude.is_finite();
        match self.letter.to_ascii_lowercase() {
            _ if magnitude.is_nan() => text.append(b"nan"),
            _ if !magnitude.is_finite() => text.append(b"inf"),
            b'f' => {
                let Some(digits) = decimal::scaled(magnitude, precision) else {
                    return false;
                };
                decimal::write_scaled(digits, precision, &mut text);
                if alternate && precision == 0 {
                    text.push(b'.');
                }
            }
            b'e' if precision < decimal::MAX_SIGNIFICANT => {
                let digits = decimal::significant(magnitude, precision + 1);
                decimal::write_scientific(digits, precision + 1, alternate, &mut text);
            }
            b'g' if precision <= decimal::MAX_SIGNIFICANT => {
                let count = precision.max(1);
                let point = match alternate {
                    true => Point::Always,
                    false => Point::BeforeDigits,
                };
                let digits = decimal::significant(magnitude, count);
                decimal::write_general(digits, count, point, &mut text);
            }
            _ => return false,
        }
        if self.letter.is_ascii_uppercase() {
            text.as_bytes_mut().make_ascii_uppercase();
        }
        let sign = layout.sign(value.is_sign_negative());
        layout.pad_number(sign, 0, text.as_bytes(), fill && layout.has(ZERO), out);
        true
    }
}

impl Layout {
    #[inline]
    fn has(&self, flag: Flags) -> bool {
        self.flags & flag != 0
    }

    /// Appends a text, cut to the precision and padded to the width: `%s` and `%p`.
    pub fn write_text(&self, text: &[u8], out: &mut impl Output) {
        let len = self
            .precision
            .map_or(text.len(), |precision| precision.min(text.len()));
        self.pad(&text[..len], out);
    }

    fn pad(&self, text: &[u8], out: &mut impl Output) {
        self.pad_number(b"", 0, text, false, out);
    }

    fn sign(&self, negative: bool) -> &'static [u8] {
        match negative {
            true => b"-",
            false if self.has(PLUS) => b"+",
            false if self.has(SPACE) => b" ",
            false => b"",
        }
    }

    /// Appends prefix, zeros and digits in the width; with `fill`, the padding is zeros after the prefix.
    #[inline]
    fn pad_number(
        &self,
        prefix: &[u8],
        mut zeros: usize,
        digits: &[u8],
        fill: bool,
        out: &mut impl Output,
    ) {
        let len = prefix.len() + zeros + digits.len();
        let mut padding = self.width.saturating_sub(len);
        if padding > 0 && !self.has(LEFT) {
            match fill {
                true => zeros += padding,
                false => out.fill(b' ', padding),
            }
            padding = 0;
        }
        if !prefix.is_empty() {
            out.append(prefix);
        }
        if zeros > 0 {
            out.fill(b'0', zeros);
        }
        out.append(digits);
        if padding > 0 {
            out.fill(b' ', padding);
        }
    }
}

/// Digits of an integer: 22 octal ones.
const DIGITS: usize = 24;
/// Digits behind the point, where nothing is said.
const DEFAULT_PRECISION: usize = 6;

/// Writes a number in base 2^`bits` at the end of `buffer` and returns where it starts.
fn write_in_base(mut value: u64, bits: u32, digits: &[u8], buffer: &mut [u8; DIGITS]) -> usize {
    let mut at = DIGITS;
    loop {
        at -= 1;
        buffer[at] = digits[(value & ((1 << bits) - 1)) as usize];
        value >>= bits;
        if value == 0 {
            return at;
        }
    }
}

/// The flags at the start of a specification.
fn count_flags(text: &[u8]) -> usize {
    text.iter().take_while(|byte| flag(**byte) != 0).count()
}

/// A specification for an error message; it ends at a zero byte, as a C string does.
fn shown(text: &[u8]) -> Vec<u8> {
    let mut spec = vec![b'%'];
    spec.extend(text.iter().take_while(|byte| **byte != 0));
    spec
}

/// Up to two digits. `text` ends in a letter, so there is always something left.
#[inline]
fn two_digits(text: &[u8]) -> (usize, &[u8]) {
    let digit = |byte: u8| usize::from(byte - b'0');
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => (digit(*a) * 10 + digit(*b), rest),
        [a @ b'0'..=b'9', rest @ ..] => (digit(*a), rest),
        _ => (0, text),
    }
}

// ---- floats with more digits than `decimal` has room for ----

fn fixed(value: f64, precision: usize, alternate: bool, out: &mut Vec<u8>) {
    let _ = write!(out, "{value:.precision$}"); // writing to a Vec cannot fail
    if alternate && precision == 0 {
        out.push(b'.');
    }
}

fn scientific(value: f64, precision: usize, alternate: bool, out: &mut Vec<u8>) {
    let start = out.len();
    let _ = write!(out, "{value:.precision$e}");
    // The exponent is written without sign and padding: `1.5e-7` is to be `1.5e-07`.
    let mark = out[start..]
        .iter()
        .rposition(|byte| *byte == b'e')
        .map_or(out.len(), |at| start + at);
    let exponent = exponent_at(out, mark);
    out.truncate(mark);
    if alternate && precision == 0 {
        out.push(b'.');
    }
    let _ = write!(
        out,
        "e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.unsigned_abs()
    );
}

/// The number after the `e` at `mark`.
fn exponent_at(text: &[u8], mark: usize) -> i32 {
    let digits = text
        .get(mark + 1..)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn general(value: f64, precision: usize, alternate: bool, out: &mut Vec<u8>) {
    let digits = precision.max(1);
    let start = out.len();
    scientific(value, digits - 1, alternate, out);
    let mark = out[start..]
        .iter()
        .rposition(|byte| *byte == b'e')
        .map_or(out.len(), |at| start + at);
    let exponent = exponent_at(out, mark);
    if exponent >= -4 && exponent < digits as i32 {
        out.truncate(start);
        fixed(
            value,
            (digits as i32 - 1 - exponent) as usize,
            alternate,
            out,
        );
        if !alternate {
            strip_zeros(out, start);
        }
    } else if !alternate {
        let tail = out.split_off(mark);
        strip_zeros(out, start);
        out.extend_from_slice(&tail);
    }
}

/// Removes the zeros at the end of a fraction, and the point if nothing is left of it.
fn strip_zeros(out: &mut Vec<u8>, start: usize) {
    if !out[start..].contains(&b'.') {
        return;
    }
    while out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
}

/// `1.8p+1`, what follows the `0x`.
fn hexadecimal(value: f64, layout: &Layout, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let biased = (bits >> 52) as i32;
    let exponent = match (value == 0.0, biased) {
        (true, _) => 0,
        (_, 0) => -1022, // subnormal, written as 0.x
        _ => biased - 1023,
    };
    // One digit before the point and 13 after it.
    let mut mantissa = (bits & ((1 << 52) - 1)) | (u64::from(biased != 0) << 52);
    let mut digits = 13;
    match layout.precision {
        Some(precision) if precision < 13 => {
            let dropped = 4 * (13 - precision as u32);
            let remainder = mantissa & ((1 << dropped) - 1);
            let half = 1 << (dropped - 1);
            mantissa >>= dropped;
            if remainder > half || (remainder == half && mantissa & 1 == 1) {
                mantissa += 1;
            }
            digits = precision;
        }
        Some(_) => {}
        None => {
            while digits > 0 && mantissa & 15 == 0 {
                mantissa >>= 4;
                digits -= 1;
            }
        }
    }
    let _ = write!(out, "{:x}", mantissa >> (4 * digits));
    let precision = layout.precision.unwrap_or(digits);
    if precision > 0 || layout.has(ALTERNATE) {
        out.push(b'.');
    }
    if digits > 0 {
        let _ = write!(out, "{:0digits$x}", mantissa & ((1 << (4 * digits)) - 1));
    }
    out.resize(out.len() + precision - digits, b'0');
    let _ = write!(out, "p{exponent:+}");
}

/// Appends an integer as a literal that reads back as itself: `%q`.
pub fn quote_int(value: i64, out: &mut Vec<u8>) {
    if value == i64::MIN {
        // In decimal this would be read as a float and negated.
        out.extend_from_slice(b"0x8000000000000000");
    } else {
        number::format_int(value, out);
    }
}

/// Appends a float as a literal that reads back as itself: `%q`.
pub fn quote_float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"(0/0)");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"1e9999" } else { b"-1e9999" });
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    out.extend_from_slice(b"0x");
    hexadecimal(value.abs(), &Layout::default(), out);
}

/// As [`quote_float`], up to 5.3: what is not finite is written as C does.
pub fn quote_float_before_54(value: f64, out: &mut Vec<u8>) {
    match (value.is_finite(), value.is_nan(), value.is_sign_negative()) {
        (true, ..) => quote_float(value, out),
        (_, true, false) => out.extend_from_slice(b"nan"),
        (_, true, true) => out.extend_from_slice(b"-nan"),
        (_, false, false) => out.extend_from_slice(b"inf"),
        (_, false, true) => out.extend_from_slice(b"-inf"),
    }
}

/// Appends a piece of a text as it stands between the quotes of a literal, at most four times as many bytes; `following` is the
/// byte after the piece. (In pieces, so that a long text need not be quoted at once.)
pub fn quote_text(piece: &[u8], following: Option<u8>, out: &mut impl Output) {
    let mut plain = 0;
    for (i, &byte) in piece.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\') && !byte.is_ascii_control() {
            continue;
        }
        out.append(&piece[plain..i]);
        plain = i + 1;
        if matches!(byte, b'"' | b'\\' | b'\n') {
            out.append(&[b'\\', byte]);
            continue;
        }
        let mut digits = [b'0'; 20];
        let start = decimal::write_digits(u64::from(byte), &mut digits);
        let next = piece.get(i + 1).copied().or(following);
        // As many as it takes, unless a digit follows, which would be taken for one of them.
        let three = next.is_some_and(|next| next.is_ascii_digit());
        out.append(b"\\");
        out.append(&digits[if three { 17 } else { start }..]);
    }
    out.append(&piece[plain..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(format: &str, value: i64) -> String {
        let mut out = Vec::new();
        match Spec::parse(&format.as_bytes()[1..]).and_then(|spec| Ok((spec, spec.layout()?))) {
            Ok((spec, layout)) => spec.write_int(&layout, value, &mut out),
            Err(error) => return error.to_string(),
        }
        String::from_utf8(out).unwrap()
    }

    fn float(format: &str, value: f64) -> String {
        let mut out = Vec::new();
        match Spec::parse(&format.as_bytes()[1..]).and_then(|spec| Ok((spec, spec.layout()?))) {
            Ok((spec, layout)) => spec.write_float(&layout, value, &mut out),
            Err(error) => return error.to_string(),
        }
        String::from_utf8(out).unwrap()
    }

    fn text(format: &str, value: &str) -> String {
        let mut out = Vec::new();
        match Spec::parse(&format.as_bytes()[1..]).and_then(|spec| spec.layout()) {
            Ok(layout) => layout.write_text(value.as_bytes(), &mut out),
            Err(error) => return error.to_string(),
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers() {
        for (format, value, expected) in [
            ("%d", -12, "-12"),
            ("%5d", 12, "   12"),
            ("%-5d", 12, "12   "),
            ("%05d", -12, "-0012"),
            ("%+d", 12, "+12"),
            ("% d", 12, " 12"),
            ("%8.3d", -5, "    -005"),
            ("%-8.3d", -5, "-005    "),
            ("%05.1d", 12, "   12"),
            ("%.0d", 0, ""),
            ("%+.3d", 5, "+005"),
            ("%d", i64::MIN, "-9223372036854775808"),
            ("%x", -1, "ffffffffffffffff"),
            ("%X", 255, "FF"),
            ("%#x", 255, "0xff"),
            ("%#X", 255, "0XFF"),
            ("%#x", 0, "0"),
            ("%#10x", 255, "      0xff"),
            ("%#010x", 255, "0x000000ff"),
            ("%#.5x", 255, "0x000ff"),
            ("%o", 8, "10"),
            ("%#o", 8, "010"),
            ("%#.3o", 8, "010"),
            ("%#.0o", 0, "0"),
            ("%o", -1, "1777777777777777777777"),
            ("%u", -1, "18446744073709551615"),
            ("%c", 65, "A"),
            ("%-3c", 65, "A  "),
            ("%3c", 65, "  A"),
        ] {
            assert_eq!(int(format, value), expected, "{format}");
        }
    }

    #[test]
    fn floats() {
        for (format, value, expected) in [
            ("%f", 1.5, "1.500000"),
            ("%.2f", 2.675, "2.67"),
            ("%.0f", 2.5, "2"),
            ("%.0f", 3.5, "4"),
            ("%#.0f", 12.0, "12."),
            ("%5.1f", 3.125, "  3.1"),
            ("%-8.2f|", 1.0, "1.00    "),
            ("%08.2f", -1.0, "-0001.00"),
            ("%+.1f", 1.0, "+1.0"),
            ("%.20f", 0.1, "0.10000000000000000555"),
            ("%e", 12345.678, "1.234568e+04"),
            ("%E", 1e-10, "1.000000E-10"),
            ("%.0e", 15.0, "2e+01"),
            ("%#.0e", 12.0, "1.e+01"),
            ("%e", 0.0, "0.000000e+00"),
            ("%.3e", 1e300, "1.000e+300"),
            ("%g", 100000.0, "100000"),
            ("%g", 1000000.0, "1e+06"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 0.00001, "1e-05"),
            ("%g", 0.0, "0"),
            ("%#g", 12.0, "12.0000"),
            ("%.3g", 1234.5, "1.23e+03"),
            ("%.0g", 0.15, "0.1"),
            ("%G", 1e-20, "1E-20"),
            ("%.14g", 0.1, "0.1"),
            ("%.17g", 0.1, "0.10000000000000001"),
            ("%g", 999999.5, "1e+06"),
            ("%a", 1.0, "0x1p+0"),
            ("%a", -0.0, "-0x0p+0"),
            ("%a", 5e-324, "0x0.0000000000001p-1022"),
            ("%.0a", 1.5, "0x2p+0"),
            ("%.0a", 2.5, "0x1p+1"),
            ("%.1a", 1.96875, "0x2.0p+0"),
            ("%.3a", 1.0 / 3.0, "0x1.555p-2"),
            ("%.15a", 1.5, "0x1.800000000000000p+0"),
            ("%012a", 1.5, "0x00001.8p+0"),
            ("%#a", 1.0, "0x1.p+0"),
            ("%A", 0.1, "0X1.999999999999AP-4"),
            ("%f", f64::INFINITY, "inf"),
            ("%06.1f", f64::NEG_INFINITY, "  -inf"),
            ("%+E", f64::INFINITY, "+INF"),
            ("%-6g|", f64::NAN.copysign(1.0), "nan   "),
            ("%A", f64::NAN.copysign(-1.0), "-NAN"),
        ] {
            assert_eq!(
                float(format.trim_end_matches('|'), value),
                expected,
                "{format}"
            );
        }
        assert_eq!(float("%.99f", 1e308).len(), 309 + 100);
    }

    #[test]
    fn texts() {
        assert_eq!(text("%s", "abc"), "abc");
        assert_eq!(text("%5s", "abc"), "  abc");
        assert_eq!(text("%-5s", "abc"), "abc  ");
        assert_eq!(text("%.2s", "abc"), "ab");
        assert_eq!(text("%5.1s", "abc"), "    a");
        assert_eq!(text("%.s", "abc"), "");
        assert_eq!(text("%20p", "(null)"), "              (null)");
    }

    #[test]
    fn mistakes() {
        for (format, expected) in [
            ("%y", "invalid conversion '%y' to 'format'"),
            ("%", "invalid conversion '%' to 'format'"),
            ("%5", "invalid conversion '%5' to 'format'"),
            ("%.", "invalid conversion '%.' to 'format'"),
            ("%5\0d", "invalid conversion '%5' to 'format'"),
            ("%F", "invalid conversion '%F' to 'format'"),
            ("%lld", "invalid conversion '%l' to 'format'"),
            ("%123d", "invalid conversion specification: '%123d'"),
            ("%.123d", "invalid conversion specification: '%.123d'"),
            ("%..5d", "invalid conversion specification: '%..5d'"),
            ("%#d", "invalid conversion specification: '%#d'"),
            ("%+u", "invalid conversion specification: '%+u'"),
            ("%010c", "invalid conversion specification: '%010c'"),
            ("%5.2c", "invalid conversion specification: '%5.2c'"),
            ("%05s", "invalid conversion specification: '%05s'"),
            ("%.3p", "invalid conversion specification: '%.3p'"),
            (
                "%12345678901234567890d",
                "invalid conversion specification: '%12345678901234567890d'",
            ),
            ("%123456789012345678901d", "invalid format (too long)"),
            ("%5q", "specifier '%q' cannot have modifiers"),
        ] {
            assert_eq!(text(format, ""), expected, "{format}");
        }
    }

    #[test]
    fn literals() {
        let quoted = |text: &[u8]| {
            let mut out = Vec::new();
            quote_text(text, None, &mut out);
            out
        };
        assert_eq!(
            quoted(b"a\0b\x001\r\n\"\\\x80\x7f\x011"),
            b"a\\0b\\0001\\13\\\n\\\"\\\\\x80\\127\\0011"
        );
        let mut out = Vec::new();
        quote_text(b"\x01", Some(b'1'), &mut out);
        quote_int(i64::MIN, &mut out);
        quote_int(-7, &mut out);
        assert_eq!(out, b"\\0010x8000000000000000-7");
        for (value, expected) in [
            (0.1, "0x1.999999999999ap-4"),
            (3.0, "0x1.8p+1"),
            (-0.0, "-0x0p+0"),
            (f64::INFINITY, "1e9999"),
            (f64::NEG_INFINITY, "-1e9999"),
            (f64::NAN, "(0/0)"),
        ] {
            let mut out = Vec::new();
            quote_float(value, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
