//! `string.pack` and `string.unpack` without their arguments: reading format strings, and integers of any size.
//!
//! **Invariant:** sizes and alignments are at most 16, except the byte count of `c`, which is below 2^63: the sum of two of
//! them does not overflow, more are checked;
//! a [`Reader`] is a position and two settings, so that a format can be read on after any interruption.

use crate::short::Output;
use std::fmt;

/// The widest integer, and the largest alignment.
const MAX_INT_SIZE: usize = 16;
/// The largest size of all, before 5.5 and from 5.5 on.
pub const MAX_SIZES: [usize; 2] = [i32::MAX as usize, i64::MAX as usize];
/// The alignment of C's types, which a bare `!` asks for.
const NATIVE_ALIGN: usize = 8;

/// A mistake in a format string or in the data, in the words of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackError {
    /// A size that is none from 1 to 16.
    SizeOutOfLimits(usize),
    /// `c` without a number.
    MissingSize,
    /// A letter that means nothing.
    InvalidOption(u8),
    /// An alignment that is no power of two: an error of argument 1.
    Alignment,
    /// `X` before something that has no alignment: an error of argument 1.
    InvalidNext,
    /// An integer of this many bytes whose value needs more than eight.
    DoesNotFit(usize),
}

impl PackError {
    /// Whether the reference reports this as a bad argument #1.
    pub fn is_argument_error(self) -> bool {
        matches!(self, PackError::Alignment | PackError::InvalidNext)
    }

    /// The message as bytes: an option letter is shown as it is, whatever its value.
    pub fn message(self) -> Vec<u8> {
        match self {
            PackError::InvalidOption(letter) => {
                [b"invalid format option '", &[letter][..], b"'"].concat()
            }
            error => error.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackError::SizeOutOfLimits(size) => {
                write!(f, "integral size ({size}) out of limits [1,{MAX_INT_SIZE}]")
            }
            PackError::MissingSize => f.write_str("missing size for format option 'c'"),
            PackError::InvalidOption(letter) => {
                write!(f, "invalid format option '{}'", *letter as char)
            }
            PackError::Alignment => f.write_str("format asks for alignment not power of 2"),
            PackError::InvalidNext => f.write_str("invalid next option for option 'X'"),
            PackError::DoesNotFit(size) => {
                write!(f, "{size}-byte integer does not fit into Lua Integer")
            }
        }
    }
}

impl std::error::Error for PackError {}

/// What one option stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A two's complement integer.
    Int,
    /// An unsigned integer.
    Unsigned,
    /// A single-precision float.
    Float,
    /// A double-precision float.
    Double,
    /// A text of exactly this size: `c`.
    Fixed,
    /// A text after its length, which takes this size: `s`.
    Counted,
    /// A text that ends at a zero byte: `z`.
    Terminated,
    /// One zero byte: `x`.
    Padding,
    /// Alignment only: `X`.
    Align,
    /// A setting, which neither takes nor gives anything.
    Setting,
}

/// One option with its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub item: Item,
    /// Bytes it takes; of a counted text, the bytes of the count.
    pub size: usize,
    /// Padding bytes that come before it.
    pub padding: usize,
}

/// A place in a format string, with the settings in force there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    at: usize,
    /// Whether the lowest byte comes first.
    pub little: bool,
    max_align: usize,
    wide: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Reader::new()
    }
}

impl Reader {
    /// The start of a format: native byte order, no alignment.
    pub fn new() -> Reader {
        Reader::of_version(false)
    }

    /// The same, in a version where sizes are (`wide`) or are not limited by the integer type only.
    pub fn of_version(wide: bool) -> Reader {
        Reader {
            wide,
            at: 0,
            little: cfg!(target_endian = "little"),
            max_align: 1,
        }
    }

    /// The reader as one number, for a native that pauses.
    pub fn save(&self) -> i64 {
        // Strings are shorter than 2^32 bytes, and alignments at most 16.
        (self.at as i64) << 9
            | i64::from(self.wide) << 8
            | (self.max_align as i64) << 1
            | i64::from(self.little)
    }

    /// The reader that was saved.
    pub fn restore(saved: i64) -> Reader {
        Reader {
            at: (saved >> 9) as usize,
            wide: saved >> 8 & 1 != 0,
            little: saved & 1 != 0,
            max_align: (saved >> 1 & 0x7f) as usize,
        }
    }

    /// The next option, whose item would go at offset `total`; `None` at the end.
    #[inline]
    pub fn next(&mut self, format: &[u8], total: usize) -> Result<Option<Step>, PackError> {
        if self.at >= format.len() {
            return Ok(None);
        }
        let (item, size) = self.option(format)?;
        let align = if item == Item::Align {
            match self.at < format.len() {
                true => match self.option(format)? {
                    (Item::Fixed, _) | (_, 0) => return Err(PackError::InvalidNext),
                    (_, size) => size,
                },
                false => return Err(PackError::InvalidNext),
            }
        } else {
            size
        };
        let mut padding = 0;
        if align > 1 && item != Item::Fixed {
            let align = align.min(self.max_align);
            if !align.is_power_of_two() {
                return Err(PackError::Alignment);
            }
            padding = total.wrapping_neg() & (align - 1);
        }
        Ok(Some(Step {
            item,
            size,
            padding,
        }))
    }

    /// Reads one option. The caller has checked that there is one.
    fn option(&mut self, format: &[u8]) -> Result<(Item, usize), PackError> {
        let letter = format[self.at];
        self.at += 1;
        Ok(match letter {
            b'b' => (Item::Int, 1),
            b'B' => (Item::Unsigned, 1),
            b'h' => (Item::Int, 2),
            b'H' => (Item::Unsigned, 2),
            b'l' | b'j' => (Item::Int, 8),
            b'L' | b'J' | b'T' => (Item::Unsigned, 8),
            b'i' => (Item::Int, self.limited_number(format, 4)?),
            b'I' => (Item::Unsigned, self.limited_number(format, 4)?),
            b'f' => (Item::Float, 4),
            b'd' | b'n' => (Item::Double, 8),
            b's' => (Item::Counted, self.limited_number(format, 8)?),
            b'c' => (
                Item::Fixed,
                self.number(format).ok_or(PackError::MissingSize)?,
            ),
            b'z' => (Item::Terminated, 0),
            b'x' => (Item::Padding, 1),
            b'X' => (Item::Align, 0),
            b' ' => (Item::Setting, 0),
            b'<' => {
                self.little = true;
                (Item::Setting, 0)
            }
            b'>' => {
                self.little = false;
                (Item::Setting, 0)
            }
            b'=' => {
                self.little = cfg!(target_endian = "little");
                (Item::Setting, 0)
            }
            b'!' => {
                self.max_align = self.limited_number(format, NATIVE_ALIGN)?;
                (Item::Setting, 0)
            }
            letter => return Err(PackError::InvalidOption(letter)),
        })
    }

    /// The largest size of all.
    pub fn max_size(&self) -> usize {
        MAX_SIZES[usize::from(self.wide)]
    }

    fn number(&mut self, format: &[u8]) -> Option<usize> {
        // Digits are read while the number is at most this, as in the reference: more of them are a mistake.
        let start = self.at;
        let mut value = match format.get(start) {
            Some(digit @ b'0'..=b'9') => usize::from(digit - b'0'),
            _ => return None,
        };
        self.at += 1;
        let max_prefix = (self.max_size() - 9) / 10;
        while let Some(digit @ b'0'..=b'9') = format.get(self.at)
            && value <= max_prefix
        {
            value = value * 10 + usize::from(digit - b'0');
            self.at += 1;
        }
        Some(value)
    }

    fn limited_number(&mut self, format: &[u8], default: usize) -> Result<usize, PackError> {
        match self.number(format).unwrap_or(default) {
            size @ 1..=MAX_INT_SIZE => Ok(size),
            size => Err(PackError::SizeOutOfLimits(size)),
        }
    }
}

/// Whether an integer fits into `size` bytes; if not, what to say about the argument.
pub fn check_int(value: i64, size: usize, signed: bool) -> Result<(), &'static str> {
    if size >= 8 {
        return Ok(());
    }
    let bits = 8 * size as u32;
    if signed {
        let limit = 1i64 << (bits - 1);
        if (-limit..limit).contains(&value) {
            Ok(())
        } else {
            Err("integer overflow")
        }
    } else if (value as u64) >> bits == 0 {
        Ok(())
    } else {
        Err("unsigned overflow")
    }
}

/// Appends an integer in `size` bytes, sign-extended if `signed`.
#[inline]
pub fn pack_int(value: i64, size: usize, signed: bool, little: bool, out: &mut impl Output) {
    let filler = if signed && value < 0 { 0xff } else { 0 };
    let mut bytes = [filler; MAX_INT_SIZE];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size.min(MAX_INT_SIZE)];
    if !little {
        bytes.reverse();
    }
    out.append(bytes);
}

/// Reads an integer of 1 to 16 bytes.
pub fn unpack_int(bytes: &[u8], signed: bool, little: bool) -> Result<i64, PackError> {
    let size = bytes.len();
    let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match little {
        true => bytes.iter().take(8).rev().fold(0, push),
        false => bytes[size.saturating_sub(8)..].iter().fold(0, push),
    } as i64;
    if size < 8 {
        let unused = 64 - 8 * size as u32;
        return Ok(if signed && unused < 64 {
            value << unused >> unused
        } else {
            value
        });
    }
    let filler = if signed && value < 0 { 0xff } else { 0 };
    let beyond = match little {
        true => &bytes[8..],
        false => &bytes[..size - 8],
    };
    if beyond.iter().any(|byte| *byte != filler) {
        return Err(PackError::DoesNotFit(size));
    }
    Ok(value)
}

/// Appends a float: four bytes for [`Item::Float`], eight otherwise.
pub fn pack_float(value: f64, single: bool, little: bool, out: &mut impl Output) {
    match (single, little) {
        (true, true) => out.append(&(value as f32).to_le_bytes()),
        (true, false) => out.append(&(value as f32).to_be_bytes()),
        (false, true) => out.append(&value.to_le_bytes()),
        (false, false) => out.append(&value.to_be_bytes()),
    }
}

/// Reads a float of four or eight bytes; `None` if there are other than that many.
pub fn unpack_float(bytes: &[u8], little: bool) -> Option<f64> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(f64::from(if little {
            f32::from_le_bytes(bytes)
        } else {
            f32::from_be_bytes(bytes)
        }));
    }
    let bytes = <[u8; 8]>::try_from(bytes).ok()?;
    Some(if little {
        f64::from_le_bytes(bytes)
    } else {
        f64::from_be_bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options of a format at consecutive offsets: `size+padding`, and the total.
    fn sizes(format: &str) -> Result<String, PackError> {
        let mut reader = Reader::new();
        let mut total = 0;
        let mut shown = Vec::new();
        while let Some(step) = reader.next(format.as_bytes(), total)? {
            if step.item != Item::Setting {
                shown.push(format!("{}+{}", step.size, step.padding));
            }
            total += step.size + step.padding;
        }
        Ok(format!("{} = {total}", shown.join(" ")))
    }

    #[test]
    fn formats_are_read() {
        for (format, expected) in [
            ("", " = 0"),
            (
                "bBhHiIlLjJT",
                "1+0 1+0 2+0 2+0 4+0 4+0 8+0 8+0 8+0 8+0 8+0 = 54",
            ),
            ("fdn", "4+0 8+0 8+0 = 20"),
            ("i3 I16 s2", "3+0 16+0 2+0 = 21"),
            ("!8 b i8", "1+0 8+7 = 16"),
            ("! b d", "1+0 8+7 = 16"),
            ("!4 b i8", "1+0 8+3 = 12"),
            ("!8 b i16", "1+0 16+7 = 24"),
            ("<!4 i1 !2 i4", "1+0 4+1 = 6"),
            ("!8 b Xi8 b", "1+0 0+7 1+0 = 9"),
            ("x x", "1+0 1+0 = 2"),
            ("c5 c0", "5+0 0+0 = 5"),
            ("!8 b c3", "1+0 3+0 = 4"),
            ("Xs Xx", "0+0 0+0 = 0"),
        ] {
            assert_eq!(sizes(format).as_deref(), Ok(expected), "{format}");
        }
    }

    #[test]
    fn a_reader_is_saved_and_restored() {
        let mut reader = Reader::new();
        while let Ok(Some(_)) = reader.next(b">!16 i4 i8", 0) {
            assert_eq!(Reader::restore(reader.save()), reader);
        }
        assert_eq!(reader.next(b">!16 i4 i8", 0), Ok(None));
    }

    #[test]
    fn mistakes() {
        for (format, expected) in [
            ("i17", "integral size (17) out of limits [1,16]"),
            ("i0", "integral size (0) out of limits [1,16]"),
            ("!17", "integral size (17) out of limits [1,16]"),
            (
                "i99999999999999999999",
                "integral size (999999999) out of limits [1,16]",
            ),
            ("c2147483647", "invalid format option '7'"),
            ("!3 i4", "format asks for alignment not power of 2"),
            ("!4 i3", "format asks for alignment not power of 2"),
            ("!4 Xi3", "format asks for alignment not power of 2"),
            ("c", "missing size for format option 'c'"),
            ("y", "invalid format option 'y'"),
            ("i 4", "invalid format option '4'"),
            ("X", "invalid next option for option 'X'"),
            ("Xz", "invalid next option for option 'X'"),
            ("X ", "invalid next option for option 'X'"),
            ("Xc4", "invalid next option for option 'X'"),
            ("X!4", "invalid next option for option 'X'"),
        ] {
            assert_eq!(sizes(format).unwrap_err().to_string(), expected, "{format}");
        }
        assert_eq!(
            PackError::InvalidOption(0xe9).message(),
            b"invalid format option '\xe9'"
        );
    }

    #[test]
    fn integers_of_every_size() {
        for size in 1..=16 {
            for little in [false, true] {
                for value in [0, 1, -1, 100, -128] {
                    let mut out = Vec::new();
                    pack_int(value, size, true, little, &mut out);
                    assert_eq!(out.len(), size);
                    assert_eq!(unpack_int(&out, true, little), Ok(value), "{size} {little}");
                }
            }
        }
        assert_eq!(unpack_int(&[0xff; 7], false, true), Ok(0xff_ffff_ffff_ffff));
        assert_eq!(unpack_int(&[0xff; 8], false, true), Ok(-1));
        assert_eq!(unpack_int(&[0xff; 9], true, true), Ok(-1));
        assert_eq!(
            unpack_int(&[0xff; 9], false, true),
            Err(PackError::DoesNotFit(9))
        );
        assert_eq!(
            unpack_int(b"\xff\xff\xff\xff\xff\xff\xff\xff\x00", false, true),
            Ok(-1)
        );
        assert_eq!(
            unpack_int(b"\x01\xff\xff\xff\xff\xff\xff\xff\xff", true, false),
            Err(PackError::DoesNotFit(9))
        );
    }

    #[test]
    fn overflow_is_noticed() {
        assert_eq!(check_int(127, 1, true), Ok(()));
        assert_eq!(check_int(128, 1, true), Err("integer overflow"));
        assert_eq!(check_int(-129, 1, true), Err("integer overflow"));
        assert_eq!(check_int(255, 1, false), Ok(()));
        assert_eq!(check_int(-1, 1, false), Err("unsigned overflow"));
        assert_eq!(check_int(1 << 55, 7, false), Ok(()));
        assert_eq!(check_int(1 << 56, 7, false), Err("unsigned overflow"));
        assert_eq!(check_int(-1, 8, false), Ok(()));
        assert_eq!(check_int(i64::MIN, 8, true), Ok(()));
    }

    #[test]
    fn floats() {
        for little in [false, true] {
            for (value, single) in [
                (1.5, true),
                (0.1, false),
                (f64::NEG_INFINITY, true),
                (-0.0, false),
            ] {
                let mut out = Vec::new();
                pack_float(value, single, little, &mut out);
                assert_eq!(
                    unpack_float(&out, little).map(f64::to_bits),
                    Some(value.to_bits())
                );
            }
        }
        assert_eq!(unpack_float(b"abc", true), None);
    }
}
