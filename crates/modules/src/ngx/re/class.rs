//! Sets of characters: how a class is put together, and the form that the engines read.
//!
//! **Invariant:** a finished class is sorted and without overlaps; without UTF-8 it has nothing above 255, with it no surrogates.

use regex_syntax::hir::{self, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};

/// A finished class.
#[derive(Clone)]
pub(super) enum Class {
    Bytes(ClassBytes),
    Chars(ClassUnicode),
}

/// Ranges, both ends in it.
pub(super) type Ranges = &'static [(u32, u32)];

pub(super) const DIGIT: Ranges = &[(0x30, 0x39)];
pub(super) const SPACE: Ranges = &[(9, 13), (0x20, 0x20)];
pub(super) const WORD: Ranges = &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
pub(super) const HORIZONTAL: Ranges = &[
    (0x09, 0x09),
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x180e, 0x180e),
    (0x2000, 0x200a),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
];
pub(super) const VERTICAL: Ranges = &[(0x0a, 0x0d), (0x85, 0x85), (0x2028, 0x2029)];
pub(super) const NEWLINE: Ranges = &[(0x0a, 0x0a)];

/// The POSIX classes, as the "C" locale has them.
pub(super) fn posix(name: &[u8]) -> Option<Ranges> {
    Some(match name {
        b"alpha" => &[(0x41, 0x5a), (0x61, 0x7a)],
        b"lower" => &[(0x61, 0x7a)],
        b"upper" => &[(0x41, 0x5a)],
        b"alnum" => &[(0x30, 0x39), (0x41, 0x5a), (0x61, 0x7a)],
        b"ascii" => &[(0, 127)],
        b"blank" => &[(9, 9), (0x20, 0x20)],
        b"cntrl" => &[(0, 31), (127, 127)],
        b"digit" => DIGIT,
        b"graph" => &[(0x21, 0x7e)],
        b"print" => &[(0x20, 0x7e)],
        b"punct" => &[(0x21, 0x2f), (0x3a, 0x40), (0x5b, 0x60), (0x7b, 0x7e)],
        b"space" => SPACE,
        b"word" => WORD,
        b"xdigit" => &[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
        _ => return None,
    })
}

/// The largest character.
pub(super) fn largest(utf8: bool) -> u32 {
    if utf8 { 0x10_ffff } else { 0xff }
}

/// Collects the members of a class.
pub(super) struct Builder {
    utf8: bool,
    ranges: Vec<(u32, u32)>,
    /// Those to which what differs by case only is still to be added.
    caseless: Vec<(u32, u32)>,
}

impl Builder {
    pub fn new(utf8: bool) -> Builder {
        Builder {
            utf8,
            ranges: Vec::new(),
            caseless: Vec::new(),
        }
    }

    pub fn add(&mut self, low: u32, high: u32) {
        self.ranges.push((low, high));
    }

    /// A range and, with `caseless`, what differs from its members by case only.
    pub fn add_folded(&mut self, low: u32, high: u32, caseless: bool) {
        if caseless {
            self.caseless.push((low, high));
        } else {
            self.add(low, high);
        }
    }

    /// About how much work it is to finish it: the time is linear in the ranges, and in the characters of those that are folded.
    pub fn work(&self) -> usize {
        let folded = self.caseless.iter().map(|(low, high)| match high {
            ..=0x7f => 1,
            _ => 2 + (high - low) as usize / 8,
        });
        self.ranges.len() + folded.sum::<usize>()
    }

    pub fn add_all(&mut self, ranges: Ranges, negated: bool) {
        if negated {
            let mut class = finish(self.utf8, ranges);
            class.negate();
            self.add_class(&class);
        } else {
            self.ranges.extend(ranges);
        }
    }

    pub fn add_class(&mut self, class: &Class) {
        class.for_each(|low, high| self.ranges.push((low, high)));
    }

    pub fn finish(mut self, negated: bool) -> Class {
        if !self.caseless.is_empty() {
            let mut class = finish(self.utf8, &self.caseless);
            class.fold();
            self.add_class(&class);
        }
        let mut class = finish(self.utf8, &self.ranges);
        if negated {
            class.negate();
        }
        class
    }
}

fn finish(utf8: bool, ranges: &[(u32, u32)]) -> Class {
    if utf8 {
        let ranges = ranges.iter().filter_map(|(low, high)| {
            let low = char::from_u32(*low).unwrap_or('\u{e000}');
            let high = char::from_u32(*high).unwrap_or('\u{d7ff}');
            (low <= high).then(|| ClassUnicodeRange::new(low, high))
        });
        Class::Chars(ClassUnicode::new(ranges))
    } else {
        let ranges = ranges.iter().filter_map(|(low, high)| {
            let low = u8::try_from(*low).ok()?;
            let high = u8::try_from(*high).unwrap_or(u8::MAX);
            Some(ClassBytesRange::new(low, high))
        });
        Class::Bytes(ClassBytes::new(ranges))
    }
}

/// The class of these ranges, or of all else.
pub(super) fn of(utf8: bool, ranges: Ranges, negated: bool) -> Class {
    let mut class = finish(utf8, ranges);
    if negated {
        class.negate();
    }
    class
}

/// Every character.
pub(super) fn any(utf8: bool) -> Class {
    finish(utf8, &[(0, largest(utf8))])
}

/// A character and what differs from it by case only.
pub(super) fn folded(utf8: bool, c: u32) -> Class {
    let mut builder = Builder::new(utf8);
    builder.add_folded(c, c, true);
    builder.finish(false)
}

/// The characters with a Unicode property, by the property's name; `None` if there is no such property.
pub(super) fn property(utf8: bool, name: &str, negated: bool) -> Option<Class> {
    let class = match name {
        "Any" => ClassUnicode::new([ClassUnicodeRange::new('\0', '\u{10ffff}')]),
        "L&" => {
            let mut class = property_class("Lu")?;
            class.union(&property_class("Ll")?);
            class.union(&property_class("Lt")?);
            class
        }
        // Of the rest, what PCRE knows: general categories and scripts, spelled as they are there.
        _ if name.len() <= 2 || name.starts_with(|c: char| c.is_ascii_uppercase()) => {
            property_class(name)?
        }
        _ => return None,
    };
    let mut builder = Builder::new(utf8);
    builder.add_class(&Class::Chars(class));
    Some(builder.finish(negated))
}

fn property_class(name: &str) -> Option<ClassUnicode> {
    if !name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
        return None;
    }
    let pattern = format!("\\p{{{name}}}");
    let hir = regex_syntax::Parser::new().parse(&pattern).ok()?;
    match hir.kind() {
        hir::HirKind::Class(hir::Class::Unicode(class)) => Some(class.clone()),
        _ => None,
    }
}

impl Class {
    fn negate(&mut self) {
        match self {
            Class::Bytes(class) => class.negate(),
            Class::Chars(class) => class.negate(),
        }
    }

    fn fold(&mut self) {
        match self {
            Class::Bytes(class) => class.case_fold_simple(),
            // It cannot fail: the tables are built in.
            Class::Chars(class) => {
                let _ = class.try_case_fold_simple();
            }
        }
    }

    /// How many ranges it has.
    pub fn ranges(&self) -> usize {
        match self {
            Class::Bytes(class) => class.ranges().len(),
            Class::Chars(class) => class.ranges().len(),
        }
    }

    fn for_each(&self, mut f: impl FnMut(u32, u32)) {
        match self {
            Class::Bytes(class) => {
                for range in class.ranges() {
                    f(range.start().into(), range.end().into());
                }
            }
            Class::Chars(class) => {
                for range in class.ranges() {
                    f(range.start().into(), range.end().into());
                }
            }
        }
    }

    /// The one member, if there is one only.
    pub fn single(&self) -> Option<u32> {
        let mut all = (0, None);
        self.for_each(|low, high| all = (all.0 + 1 + (high - low), Some(low)));
        all.1.filter(|_| all.0 == 1)
    }

    /// For the linear engine.
    pub fn to_hir(&self) -> hir::Hir {
        hir::Hir::class(match self {
            Class::Bytes(class) => hir::Class::Bytes(class.clone()),
            Class::Chars(class) => hir::Class::Unicode(class.clone()),
        })
    }
}

/// A class as the backtracking engine reads it.
#[derive(Clone, PartialEq)]
pub(super) struct Set {
    /// Without UTF-8: the bytes. With it: the characters below 128.
    low: [u64; 4],
    /// The others, sorted.
    high: Box<[(u32, u32)]>,
}

impl Set {
    pub fn new(class: &Class) -> Set {
        let mut low = [0u64; 4];
        let mut high = Vec::new();
        let limit = match class {
            Class::Bytes(_) => 256,
            Class::Chars(_) => 128,
        };
        class.for_each(|from, to| {
            for c in from..=to.min(limit - 1) {
                if let Some(word) = low.get_mut(c as usize / 64) {
                    *word |= 1 << (c % 64);
                }
            }
            if to >= limit {
                high.push((from.max(limit), to));
            }
        });
        Set {
            low,
            high: high.into(),
        }
    }

    /// Whether a byte (without UTF-8), or a character below 128, is a member.
    #[inline]
    pub fn has_low(&self, byte: u8) -> bool {
        self.low[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// Whether a character from 128 up is a member.
    pub fn has_high(&self, c: u32) -> bool {
        let after = self.high.partition_point(|(_, to)| *to < c);
        self.high.get(after).is_some_and(|(from, _)| *from <= c)
    }

    /// Whether it has members from 128 up (with UTF-8).
    pub fn is_ascii(&self) -> bool {
        self.high.is_empty()
    }

    /// Adds the bytes that a member can begin with.
    pub fn add_first_bytes(&self, utf8: bool, first: &mut [u64; 4]) {
        for (word, more) in first.iter_mut().zip(self.low) {
            *word |= more;
        }
        if utf8 && !self.is_ascii() {
            // Whatever begins a longer character, and what is no UTF-8.
            first[2] = u64::MAX;
            first[3] = u64::MAX;
        }
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        size_of::<Set>() + self.high.len() * 8
    }
}
