//! Classes in brackets.

use super::escape::Escape;
use super::*;
use crate::ngx::re::class::Builder;

const UNTERMINATED: &str = "missing terminating ] for character class";

/// One part of a class.
enum Part {
    Char(u32),
    /// What cannot be the end of a range.
    Set,
}

impl Parser<'_> {
    /// After a `[` at `start`.
    pub(super) fn bracket_item(&mut self, start: usize) -> Parsed<()> {
        for (text, behind) in [(&b"[:<:]]"[..], false), (b"[:>:]]", true)] {
            if self.eat(text) {
                self.word_edge(behind);
                return Ok(());
            }
        }
        if let Some((kind, _)) = self.posix_name(start) {
            return bad(
                match kind {
                    b':' => "POSIX named classes are supported only within a class",
                    _ => "POSIX collating elements are not supported",
                },
                start,
            );
        }
        let negated = self.skip_quotes_and_eat(b'^');
        self.skip_quotes();
        if self.javascript && self.eat(b"]") {
            if negated {
                self.class(class::any(self.utf8));
            } else {
                self.push(Node::fail());
            }
            return Ok(());
        }
        let class = self.members(negated)?;
        match class.single() {
            Some(c) => self.push(Node::char(c)),
            None => self.class(class),
        }
        Ok(())
    }

    /// `[[:<:]]` and `[[:>:]]`: a boundary with a word after it, or before it.
    fn word_edge(&mut self, behind: bool) {
        self.needs_backtracking = true;
        self.look(Look::WordBoundary);
        let node = Node::class(class::of(self.utf8, class::WORD, false));
        self.push(Node::around(Around {
            node,
            behind,
            negative: false,
        }));
        self.repeatable = false;
    }

    /// `\E` and empty quotes, which mean nothing, wherever they are.
    fn skip_quotes(&mut self) {
        while !self.quoting && (self.eat(b"\\E") || self.eat(b"\\Q\\E")) {}
    }

    fn skip_quotes_and_eat(&mut self, byte: u8) -> bool {
        self.skip_quotes();
        self.eat(&[byte])
    }

    /// At a `[:name:]` (or `[.x.]`, `[=x=]`) whose `[` is at `open`: the kind, and the length with the brackets.
    fn posix_name(&self, open: usize) -> Option<(u8, usize)> {
        let text = self.text.get(open + 1..)?;
        let kind = *text.first().filter(|byte| b":.=".contains(byte))?;
        let mut at = 1;
        loop {
            let next = text.get(at + 1);
            match text.get(at)? {
                b'\\' if matches!(next, Some(b']' | b'\\')) => at += 1,
                b']' => return None,
                b'[' if next == Some(&kind) => return None,
                byte if *byte == kind && next == Some(&b']') => return Some((kind, at + 3)),
                _ => {}
            }
            at += 1;
        }
    }

    fn members(&mut self, negated: bool) -> Parsed<Class> {
        let mut class = Builder::new(self.utf8);
        let mut first = true;
        loop {
            if !self.quoting && !first && self.eat(b"]") {
                self.class_work(class.work())?;
                return Ok(class.finish(negated));
            }
            let Some(part) = self.member(&mut class)? else {
                continue;
            };
            first = false;
            let Part::Char(low) = part else {
                continue;
            };
            let high = self.range_end(low)?.unwrap_or(low);
            class.add_folded(low, high, self.flags.caseless);
        }
    }

    /// The next member. A set is added; a character is returned, since it may begin a range.
    fn member(&mut self, class: &mut Builder) -> Parsed<Option<Part>> {
        let start = self.at;
        let Some(c) = self.next_char() else {
            return bad(UNTERMINATED, self.text.len());
        };
        if self.quoting {
            if c == u32::from(b'\\') && self.eat(b"E") {
                self.quoting = false;
                return Ok(None);
            }
            return Ok(Some(Part::Char(c)));
        }
        if c == u32::from(b'[')
            && let Some((kind, length)) = self.posix_name(start)
        {
            self.posix(class, start, kind, length)?;
            return Ok(Some(Part::Set));
        }
        if c != u32::from(b'\\') {
            return Ok(Some(Part::Char(c)));
        }
        match self.escape(true)? {
            Escape::Char(c) => Ok(Some(Part::Char(c))),
            Escape::Class(set) => {
                class.add_class(&set);
                Ok(Some(Part::Set))
            }
            Escape::Special(b'Q') => {
                self.quoting = true;
                Ok(None)
            }
            Escape::Special(b'E') => Ok(None),
            Escape::Special(b'b') => Ok(Some(Part::Char(8))),
            Escape::Special(letter) if self.flags.extra => Err(Bad {
                message: format!(
                    "invalid escape sequence in character class: \\{}",
                    char::from(letter)
                )
                .into(),
                offset: self.at - 1,
            }),
            Escape::Special(letter) => Ok(Some(Part::Char(letter.into()))),
        }
    }

    fn posix(&mut self, class: &mut Builder, open: usize, kind: u8, length: usize) -> Parsed<()> {
        if kind != b':' {
            return bad("POSIX collating elements are not supported", open);
        }
        let mut name = self
            .text
            .get(open + 2..open + length - 2)
            .unwrap_or_default();
        let negated = name.first() == Some(&b'^');
        let at = open + 2 + usize::from(negated);
        if negated {
            name = name.get(1..).unwrap_or_default();
        }
        let Some(ranges) = class::posix(name) else {
            return bad("unknown POSIX class name", at);
        };
        let cased = matches!(name, b"upper" | b"lower") && self.flags.caseless;
        let ranges = match class::posix(b"alpha") {
            Some(letters) if cased => letters,
            _ => ranges,
        };
        class.add_all(ranges, negated);
        self.at = open + length;
        Ok(())
    }

    /// The other end, if a `-` and a character follow.
    fn range_end(&mut self, low: u32) -> Parsed<Option<u32>> {
        let before = self.at;
        if self.quoting {
            // \Q...a\E-z is a range as well.
            if !self.rest().starts_with(b"\\E-") {
                return Ok(None);
            }
            self.at += 2;
            self.quoting = false;
        }
        self.skip_quotes();
        if !self.eat(b"-") {
            return Ok(None);
        }
        self.skip_quotes();
        match self.peek() {
            None | Some(b']') => {
                // The hyphen is a member itself.
                self.at = before;
                while self.eat(b"\\E") || self.eat(b"\\Q\\E") {}
                return Ok(None);
            }
            _ => {}
        }
        let mut set = Builder::new(self.utf8);
        loop {
            let start = self.at;
            match self.member(&mut set)? {
                None => {}
                Some(Part::Set) => {
                    let posix = self.text.get(start) == Some(&b'[');
                    let offset = if posix { start } else { self.at - 1 };
                    return bad("invalid range in character class", offset);
                }
                Some(Part::Char(high)) if high < low => {
                    return bad("range out of order in character class", self.at - 1);
                }
                Some(Part::Char(high)) => return Ok(Some(high)),
            }
        }
    }
}
