//! A second pattern matcher, written from the manual as plainly as possible: it walks the pattern's text and tries things in
//! order. It has nothing in common with the machine's, which compiles patterns and keeps its choices on a stack.
//!
//! **Invariant:** it takes at most [`MAX_STEPS`] steps and nests at most [`MAX_DEPTH`] deep; a case beyond that is given up
//! ([`Failure::TooMuch`]), not answered.

const MAX_STEPS: u32 = 20_000;
const MAX_DEPTH: u32 = 180;
const MAX_CAPTURES: usize = 32;

/// Why there is neither a match nor a mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The pattern is wrong, in the reference's words.
    Mistake(String),
    /// More work than an oracle does.
    TooMuch,
}

fn mistake<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Mistake(text.into()))
}

/// What a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Open,
    Position,
    Closed(usize),
}

/// A capture's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing was found.
    Nil,
    /// A piece of the subject.
    Text(Vec<u8>),
    /// A position, from 1.
    Position(usize),
}

/// A match at a place of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// First byte, from 0.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    captures: Vec<(usize, Length)>,
}

impl Found {
    /// The captures' values, without the whole match where there are none.
    pub fn captures(&self, subject: &[u8]) -> Result<Vec<Value>, Failure> {
        self.captures.iter().map(|&c| value(subject, c)).collect()
    }

    /// What `%1` and so on stand for in a replacement; `None`: there is no such capture.
    pub fn value(&self, subject: &[u8], index: usize) -> Result<Option<Value>, Failure> {
        match self.captures.get(index) {
            Some(&capture) => value(subject, capture).map(Some),
            None if index == 0 => Ok(Some(self.text(subject))),
            None => Ok(None),
        }
    }

    fn text(&self, subject: &[u8]) -> Value {
        Value::Text(subject[self.start..self.end].to_vec())
    }

    /// As `captures`, the whole match where there are none.
    pub fn values(&self, subject: &[u8]) -> Result<Vec<Value>, Failure> {
        if self.captures.is_empty() {
            return Ok(vec![self.text(subject)]);
        }
        self.captures(subject)
    }
}

fn value(subject: &[u8], (start, length): (usize, Length)) -> Result<Value, Failure> {
    match length {
        Length::Open => mistake("unfinished capture"),
        Length::Position => Ok(Value::Position(start + 1)),
        Length::Closed(n) => Ok(Value::Text(subject[start..start + n].to_vec())),
    }
}

/// The first match from `init` on; `anchored`: only there.
pub fn search(
    subject: &[u8],
    pattern: &[u8],
    init: usize,
    anchored: bool,
) -> Result<Option<Found>, Failure> {
    let mut attempt = Attempt {
        subject,
        pattern,
        captures: Vec::new(),
        steps: 0,
        depth: 0,
    };
    for start in init..=subject.len() {
        attempt.captures.clear();
        if let Some(end) = attempt.from(start, 0)? {
            let captures = attempt.captures;
            return Ok(Some(Found {
                start,
                end,
                captures,
            }));
        }
        if anchored {
            break;
        }
    }
    Ok(None)
}

struct Attempt<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: Vec<(usize, Length)>,
    steps: u32,
    depth: u32,
}

impl Attempt<'_> {
    /// Matches the pattern from `p` on at `s`; where the match ends.
    fn from(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Failure::TooMuch);
        }
        let result = self.item(s, p);
        self.depth -= 1;
        result
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Failure::TooMuch);
        }
        Ok(())
    }

    fn item(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        self.step()?;
        let rest = &self.pattern[p..];
        match rest {
            [] => Ok(Some(s)),
            [b'(', b')', ..] => self.open(s, p + 2, Length::Position),
            [b'(', ..] => self.open(s, p + 1, Length::Open),
            [b')', ..] => self.close(s, p + 1),
            [b'$'] => Ok((s == self.subject.len()).then_some(s)),
            [b'%', b'b', ..] => self.balanced(s, p + 2),
            [b'%', b'f', ..] => self.frontier(s, p + 2),
            [b'%', digit @ b'0'..=b'9', ..] => self.again(s, p + 2, *digit),
            _ => self.repeated(s, p),
        }
    }

    fn open(&mut self, s: usize, p: usize, length: Length) -> Result<Option<usize>, Failure> {
        if self.captures.len() >= MAX_CAPTURES {
            return mistake("too many captures");
        }
        self.captures.push((s, length));
        let result = self.from(s, p)?;
        if result.is_none() {
            self.captures.pop();
        }
        Ok(result)
    }

    fn close(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        let open = self.captures.iter().rposition(|c| c.1 == Length::Open);
        let Some(at) = open else {
            return mistake("invalid pattern capture");
        };
        self.captures[at].1 = Length::Closed(s - self.captures[at].0);
        let result = self.from(s, p)?;
        if result.is_none() {
            self.captures[at].1 = Length::Open;
        }
        Ok(result)
    }

    fn balanced(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        let [open, close, ..] = self.pattern[p..] else {
            return mistake("malformed pattern (missing arguments to '%b')");
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut level = 1;
        for at in s + 1..self.subject.len() {
            self.step()?;
            let byte = self.subject[at];
            if byte == close {
                level -= 1;
                if level == 0 {
                    return self.from(at + 1, p + 2);
                }
            } else if byte == open {
                level += 1;
            }
        }
        Ok(None)
    }

    fn frontier(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        if self.pattern.get(p) != Some(&b'[') {
            return mistake("missing '[' after '%f' in pattern");
        }
        let end = self.class_end(p)?;
        let before = if s == 0 { 0 } else { self.subject[s - 1] };
        let here = self.subject.get(s).copied().unwrap_or(0);
        if !self.in_set(before, p, end) && self.in_set(here, p, end) {
            return self.from(s, end);
        }
        Ok(None)
    }

    fn again(&mut self, s: usize, p: usize, digit: u8) -> Result<Option<usize>, Failure> {
        let captured = (digit as usize)
            .checked_sub(b'1' as usize)
            .and_then(|n| self.captures.get(n).copied());
        let (start, length) = match captured {
            Some((start, Length::Closed(length))) => (start, length),
            // A position has no text to compare with.
            Some((_, Length::Position)) => return Ok(None),
            _ => return mistake(format!("invalid capture index %{}", i32::from(digit) - 48)),
        };
        let text = &self.subject[start..start + length];
        if self.subject[s..].starts_with(text) {
            return self.from(s + length, p);
        }
        Ok(None)
    }

    /// One class and what may follow it: `*`, `+`, `-` or `?`.
    fn repeated(&mut self, s: usize, p: usize) -> Result<Option<usize>, Failure> {
        let end = self.class_end(p)?;
        let suffix = self.pattern.get(end).copied();
        match suffix {
            Some(b'?') => {
                if self.one(s, p, end)
                    && let Some(found) = self.from(s + 1, end + 1)?
                {
                    return Ok(Some(found));
                }
                self.from(s, end + 1)
            }
            Some(b'-') => {
                let mut at = s;
                loop {
                    self.step()?;
                    if let Some(found) = self.from(at, end + 1)? {
                        return Ok(Some(found));
                    }
                    if !self.one(at, p, end) {
                        return Ok(None);
                    }
                    at += 1;
                }
            }
            Some(sign @ (b'*' | b'+')) => {
                let least = s + usize::from(sign == b'+');
                let mut at = s;
                while self.one(at, p, end) {
                    self.step()?;
                    at += 1;
                }
                while at >= least {
                    if let Some(found) = self.from(at, end + 1)? {
                        return Ok(Some(found));
                    }
                    if at == 0 {
                        break;
                    }
                    at -= 1;
                }
                Ok(None)
            }
            _ if self.one(s, p, end) => self.from(s + 1, end),
            _ => Ok(None),
        }
    }

    /// Where the single-character class that begins at `p` ends.
    fn class_end(&self, p: usize) -> Result<usize, Failure> {
        match self.pattern[p] {
            b'%' if p + 1 >= self.pattern.len() => mistake("malformed pattern (ends with '%')"),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.pattern.get(p + 1) == Some(&b'^'));
                // The first character belongs to the set, whatever it is.
                let first = at;
                loop {
                    match self.pattern.get(at) {
                        None => return mistake("malformed pattern (missing ']')"),
                        Some(b']') if at > first => return Ok(at + 1),
                        Some(b'%') if at + 1 >= self.pattern.len() => {
                            return mistake("malformed pattern (missing ']')");
                        }
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the subject has a byte at `s` and the class `[p, end)` takes it.
    fn one(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else {
            return false;
        };
        match self.pattern[p] {
            b'.' => true,
            b'%' => in_class(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p, end),
            literal => literal == byte,
        }
    }

    /// Whether the set `[...]` from `p` to `end` has the byte.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> bool {
        let mut inner = &self.pattern[p + 1..end - 1];
        let negated = inner.first() == Some(&b'^');
        if negated {
            inner = &inner[1..];
        }
        let mut found = false;
        while let Some(&first) = inner.first() {
            match inner {
                [b'%', class, rest @ ..] => {
                    found |= in_class(byte, *class);
                    inner = rest;
                }
                [low, b'-', high, rest @ ..] => {
                    found |= (*low..=*high).contains(&byte);
                    inner = rest;
                }
                _ => {
                    found |= first == byte;
                    inner = &inner[1..];
                }
            }
        }
        found != negated
    }
}

/// `%a` and the like in the C locale; any other letter after `%` is itself.
fn in_class(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | 9..=13),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        // Undocumented since 5.2, but still there.
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(subject: &str, pattern: &str) -> Option<(usize, usize)> {
        let found = search(subject.as_bytes(), pattern.as_bytes(), 0, false);
        found.unwrap().map(|f| (f.start, f.end))
    }

    #[test]
    fn it_matches_as_the_manual_says() {
        assert_eq!(ends("hello", "l+"), Some((2, 4)));
        assert_eq!(ends("hello", "(h)(e)l-%2"), None);
        assert_eq!(ends("abcabc", "(abc)%1"), Some((0, 6)));
        assert_eq!(ends("f(a(b)c)d", "%b()"), Some((1, 8)));
        assert_eq!(ends("THE (quick) fox", "%f[%a]%a+$"), Some((12, 15)));
        assert_eq!(ends("a]b", "[]]"), Some((1, 2)));
        assert_eq!(ends("x-y", "[a%-]"), Some((1, 2)));
        assert_eq!(ends("a.b", "%."), Some((1, 2)));
    }

    #[test]
    fn mistakes_are_found_where_they_are_reached() {
        assert_eq!(search(b"a", b"b[", 0, false), Ok(None));
        assert_eq!(
            search(b"b", b"b[", 0, false),
            Err(Failure::Mistake("malformed pattern (missing ']')".into()))
        );
    }
}
