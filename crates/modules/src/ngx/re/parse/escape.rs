//! What a backslash begins.

use super::*;

/// What an escape sequence is, in a class or outside.
pub(super) enum Escape {
    Char(u32),
    Class(Rc<Class>),
    /// What is different in a class and outside: the letter.
    Special(u8),
}

const NO_PERL: &str = "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u";
const TOO_LARGE: &str = "character value in \\x{} or \\o{} is too large";
const ZERO_REFERENCE: &str = "a numbered reference must not be zero";
const BAD_G: &str =
    "\\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number";

/// What a look-up of a property counts as.
const PROPERTY_WORK: usize = 1000;

impl Parser<'_> {
    /// After a backslash, outside of a class.
    pub(super) fn escape_item(&mut self) -> Parsed<()> {
        let start = self.at;
        let special = match self.escape(false)? {
            Escape::Char(c) => {
                self.literal(c);
                return Ok(());
            }
            Escape::Class(class) => {
                self.class(class);
                return Ok(());
            }
            Escape::Special(letter) => letter,
        };
        match special {
            b'Q' => self.quoting = true,
            b'E' => {}
            b'A' => self.look(Look::Start),
            b'Z' => self.look(Look::EndOrNewline),
            b'z' => self.look(Look::End),
            b'G' => self.look(Look::SearchStart),
            b'b' => self.look(Look::WordBoundary),
            b'B' => self.look(Look::NotWordBoundary),
            b'K' => {
                self.needs_backtracking = true;
                self.push(Node::keep());
                self.repeatable = false;
            }
            b'R' => {
                self.needs_backtracking = true;
                let both = vec![Node::char(13), Node::char(10)];
                let any = Node::class(class::of(self.utf8, class::VERTICAL, false));
                self.push(Node::atomic(Node::alternate(vec![Node::concat(both), any])));
            }
            b'N' => self.class(class::of(self.utf8, class::NEWLINE, true)),
            b'C' if !self.utf8 => self.class(class::any(false)),
            b'C' => return bad("\\C is not supported in UTF-8 mode", start),
            b'X' => return bad("\\X is not supported", start),
            b'g' => return self.group_reference(),
            b'k' => {
                let end: &[u8] = match self.peek() {
                    Some(b'{') => b"}",
                    Some(b'<') => b">",
                    Some(b'\'') => b"'",
                    _ => {
                        return bad(
                            "\\k is not followed by a braced, angle-bracketed, or quoted name",
                            self.at,
                        );
                    }
                };
                self.at += 1;
                return self.named_reference(end);
            }
            // The digits of a reference are still to be read.
            _ => {
                let number = self.number().unwrap_or(0);
                let end = self.text.len();
                self.back_reference(Target::Number(number), end);
            }
        }
        Ok(())
    }

    /// `\g1`, `\g{-1}`, `\g{name}`.
    fn group_reference(&mut self) -> Parsed<()> {
        if matches!(self.peek(), Some(b'<' | b'\'')) {
            return bad("recursion and subroutine calls are not supported", self.at);
        }
        let braced = self.eat(b"{");
        if braced && !matches!(self.peek(), Some(b'-' | b'+' | b'0'..=b'9')) {
            return self.named_reference(b"}");
        }
        let negative = self.eat(b"-");
        let Some(number) = self.number() else {
            return match braced {
                true => bad(BAD_G, self.at),
                false => bad(ZERO_REFERENCE, self.at - 1),
            };
        };
        if braced && !self.eat(b"}") {
            return bad(BAD_G, self.at);
        }
        if number == 0 {
            return bad(ZERO_REFERENCE, self.at);
        }
        let number = match negative {
            true if number > self.groups => {
                return bad(NO_SUCH_GROUP, self.at - usize::from(braced));
            }
            true => self.groups + 1 - number,
            false => number,
        };
        let end = self.text.len();
        self.back_reference(Target::Number(number), end);
        Ok(())
    }

    /// After a backslash.
    pub(super) fn escape(&mut self, in_class: bool) -> Parsed<Escape> {
        let start = self.at;
        let Some(c) = self.next_char() else {
            return bad("\\ at end of pattern", start);
        };
        let Ok(c @ ..=0x7f) = u8::try_from(c) else {
            return Ok(Escape::Char(c));
        };
        let set = |ranges, negated| Ok(Escape::Class(class::of(self.utf8, ranges, negated).into()));
        match c {
            b'd' | b'D' => set(class::DIGIT, c == b'D'),
            b's' | b'S' => set(class::SPACE, c == b'S'),
            b'w' | b'W' => set(class::WORD, c == b'W'),
            b'h' | b'H' => set(class::HORIZONTAL, c == b'H'),
            b'v' | b'V' => set(class::VERTICAL, c == b'V'),
            b'a' => Ok(Escape::Char(7)),
            b'e' => Ok(Escape::Char(27)),
            b'f' => Ok(Escape::Char(12)),
            b'n' => Ok(Escape::Char(10)),
            b'r' => Ok(Escape::Char(13)),
            b't' => Ok(Escape::Char(9)),
            b'c' => self.control(),
            b'x' => self.hexadecimal(),
            b'o' => self.braced_octal(),
            b'p' | b'P' => self.property(c == b'P'),
            b'0' => {
                self.at -= 1;
                self.octal(3)
            }
            b'1'..=b'9' => self.digits(in_class),
            b'u' if self.javascript => Ok(Escape::Char(
                self.exactly_hexadecimal(4).unwrap_or(c.into()),
            )),
            b'U' if self.javascript => Ok(Escape::Char(c.into())),
            b'N' if !in_class && self.peek() == Some(b'{') && !self.is_counted_after_brace() => {
                bad(NO_PERL, start)
            }
            b'L' | b'l' | b'U' | b'u' => bad(NO_PERL, start),
            b'N' if in_class => bad("\\N is not supported in a class", start),
            b'A' | b'Z' | b'z' | b'G' | b'b' | b'B' | b'K' | b'R' | b'N' | b'C' | b'X' | b'Q'
            | b'E' | b'g' | b'k' => Ok(Escape::Special(c)),
            _ if c.is_ascii_alphabetic() && self.flags.extra => {
                bad("unrecognized character follows \\", start)
            }
            _ => Ok(Escape::Char(c.into())),
        }
    }

    fn is_counted_after_brace(&mut self) -> bool {
        self.at += 1;
        let counted = self.is_counted();
        self.at -= 1;
        counted
    }

    fn control(&mut self) -> Parsed<Escape> {
        match self.peek() {
            None => bad("\\c at end of pattern", self.at),
            Some(byte) if byte.is_ascii() => {
                self.at += 1;
                Ok(Escape::Char(u32::from(byte.to_ascii_uppercase() ^ 0x40)))
            }
            Some(_) => bad("\\c must be followed by an ASCII character", self.at),
        }
    }

    fn hex_digit(&mut self) -> Option<u32> {
        let digit = char::from(self.peek()?).to_digit(16)?;
        self.at += 1;
        Some(digit)
    }

    /// So many digits, or none.
    fn exactly_hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest().get(..digits)?;
        if !text.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let value = u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
        self.at += digits;
        Some(value)
    }

    fn hexadecimal(&mut self) -> Parsed<Escape> {
        if self.javascript {
            let c = self.exactly_hexadecimal(2).unwrap_or(b'x'.into());
            return Ok(Escape::Char(c));
        }
        if self.eat(b"{") {
            return self.braced(16, "non-hex character in \\x{} (closing brace missing?)");
        }
        let mut value = 0;
        for _ in 0..2 {
            match self.hex_digit() {
                Some(digit) => value = value * 16 + digit,
                None => break,
            }
        }
        Ok(Escape::Char(value))
    }

    fn braced_octal(&mut self) -> Parsed<Escape> {
        if !self.eat(b"{") {
            return bad("missing opening brace after \\o", self.at);
        }
        self.braced(8, "non-octal character in \\o{} (closing brace missing?)")
    }

    /// Digits up to a `}`.
    fn braced(&mut self, radix: u32, message: &'static str) -> Parsed<Escape> {
        let mut value = 0u32;
        let mut some = false;
        while let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(radix)) {
            self.at += 1;
            some = true;
            value = value.saturating_mul(radix).saturating_add(digit);
            if value > class::largest(self.utf8) {
                while self.peek().is_some_and(|b| char::from(b).is_digit(radix)) {
                    self.at += 1;
                }
                return bad(TOO_LARGE, self.at);
            }
        }
        if !some || self.peek() != Some(b'}') {
            return bad(message, self.at);
        }
        self.at += 1;
        if (0xd800..=0xdfff).contains(&value) {
            return bad(
                "disallowed Unicode code point (>= 0xd800 && <= 0xdfff)",
                self.at - 1,
            );
        }
        Ok(Escape::Char(value))
    }

    /// At most so many octal digits.
    fn octal(&mut self, digits: usize) -> Parsed<Escape> {
        let mut value = 0;
        for _ in 0..digits {
            match self.peek() {
                Some(digit @ b'0'..=b'7') => value = value * 8 + u32::from(digit - b'0'),
                _ => break,
            }
            self.at += 1;
        }
        if value > class::largest(self.utf8) {
            return bad(
                "octal value is greater than \\377 in 8-bit non-UTF-8 mode",
                self.at - 1,
            );
        }
        Ok(Escape::Char(value))
    }

    /// `\1` to `\9...`: a reference, or else a character in octal.
    fn digits(&mut self, in_class: bool) -> Parsed<Escape> {
        self.at -= 1;
        let start = self.at;
        if !in_class {
            let number = self.number().unwrap_or(0);
            self.at = start;
            if number < 8 || number <= self.groups {
                return Ok(Escape::Special(b'1'));
            }
        }
        match self.peek() {
            Some(digit @ b'8'..) => {
                self.at += 1;
                Ok(Escape::Char(digit.into()))
            }
            _ => self.octal(3),
        }
    }

    /// `\pL`, `\p{Lu}`, `\p{^Lu}`.
    fn property(&mut self, negated: bool) -> Parsed<Escape> {
        let malformed = "malformed \\P or \\p sequence";
        let Some(first) = self.peek() else {
            return bad(malformed, self.at);
        };
        self.at += 1;
        let mut negated = negated;
        let name = if first == b'{' {
            if self.eat(b"^") {
                negated = !negated;
            }
            let rest = self.rest();
            let Some(length) = rest.iter().take(128).position(|byte| *byte == b'}') else {
                return bad(malformed, self.text.len());
            };
            let name = rest.get(..length).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            self.at += length + 1;
            name
        } else {
            char::from(first).to_string()
        };
        if let Some(class) = self.properties.get(&(name.clone(), negated)) {
            return Ok(Escape::Class(class.clone()));
        }
        self.class_work(PROPERTY_WORK)?;
        let Some(class) = class::property(self.utf8, &name, negated) else {
            return bad("unknown property name after \\P or \\p", self.at - 1);
        };
        let class = Rc::new(class);
        self.properties.insert((name, negated), class.clone());
        Ok(Escape::Class(class))
    }
}
