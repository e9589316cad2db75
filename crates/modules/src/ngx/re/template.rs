//! Replacement templates: `$1`, `${1}`, `$$`.
//!
//! **Invariant:** what is not understood is an error, in lua-nginx-module's words.

use super::compiled::Place;

/// Bytes of a template that a message shows.
const MAX_SHOWN: usize = 256;

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Bytes of the template itself: from, to.
    Text(usize, usize),
    /// What a group matched.
    Group(usize),
}

/// A template, understood.
#[derive(Debug)]
pub(super) struct Template<'a> {
    source: &'a [u8],
    parts: Vec<Part>,
}

impl<'a> Template<'a> {
    /// Understands a template; the error is for the log.
    pub fn new(source: &'a [u8]) -> Result<Template<'a>, String> {
        let mut template = Template {
            source,
            parts: Vec::new(),
        };
        let mut at = 0;
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            match rest {
                [b'$', b'$', ..] => {
                    template.parts.push(Part::Text(at + 1, at + 2));
                    at += 2;
                }
                [b'$', ..] => at = template.variable(at + 1)?,
                _ => {
                    let length = memchr::memchr(b'$', rest).unwrap_or(rest.len());
                    template.parts.push(Part::Text(at, at + length));
                    at += length;
                }
            }
        }
        Ok(template)
    }

    /// A variable whose `$` is before `at`; where it ends.
    fn variable(&mut self, at: usize) -> Result<usize, String> {
        let source = self.source;
        let braced = source.get(at) == Some(&b'{');
        let start = at + usize::from(braced);
        let Some(rest) = source.get(start..).filter(|rest| !rest.is_empty()) else {
            return Err(self.invalid());
        };
        let is_number = rest.first().is_some_and(u8::is_ascii_digit);
        let belongs = |byte: &u8| {
            byte.is_ascii_digit() || (!is_number && (byte.is_ascii_alphabetic() || *byte == b'_'))
        };
        let length = rest.iter().take_while(|byte| belongs(byte)).count();
        let name = rest.get(..length).unwrap_or_default();
        let shown = String::from_utf8_lossy(name.get(..MAX_SHOWN).unwrap_or(name));
        if braced && rest.get(length) != Some(&b'}') {
            return Err(format!(
                "the closing bracket in \"{shown}\" variable is missing"
            ));
        }
        if name.is_empty() {
            return Err(self.invalid());
        }
        if !is_number {
            return Err(format!(
                "attempt to use named capturing variable \"{shown}\" (named captures not supported yet)"
            ));
        }
        let number = name.iter().fold(0usize, |number, digit| {
            (number.saturating_mul(10)).saturating_add(usize::from(digit - b'0'))
        });
        self.parts.push(Part::Group(number));
        Ok(start + length + usize::from(braced))
    }

    fn invalid(&self) -> String {
        let shown = self.source.get(..MAX_SHOWN).unwrap_or(self.source);
        format!(
            "lua script: invalid capturing variable name found in \"{}\"",
            String::from_utf8_lossy(shown)
        )
    }

    fn pieces(
        &self,
        subject: &'a [u8],
        places: &'a [Place],
    ) -> impl Iterator<Item = &'a [u8]> + use<'_, 'a> {
        self.parts.iter().map(move |part| {
            match part {
                Part::Text(from, to) => self.source.get(*from..*to),
                Part::Group(group) => {
                    let place = places.get(*group).copied().flatten();
                    place.and_then(|(from, to)| subject.get(from..to))
                }
            }
            .unwrap_or_default()
        })
    }

    /// Bytes that a replacement takes.
    pub fn length(&self, subject: &'a [u8], places: &'a [Place]) -> usize {
        (self.pieces(subject, places)).fold(0usize, |sum, piece| sum.saturating_add(piece.len()))
    }

    /// Adds a replacement.
    pub fn expand(&self, subject: &'a [u8], places: &'a [Place], out: &mut Vec<u8>) {
        for piece in self.pieces(subject, places) {
            out.extend_from_slice(piece);
        }
    }

    /// How many parts it has.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str) -> Result<String, String> {
        let places = [Some((0, 3)), Some((1, 2)), None];
        let template = Template::new(template.as_bytes())?;
        let mut out = Vec::new();
        template.expand(b"abc", &places, &mut out);
        assert_eq!(out.len(), template.length(b"abc", &places));
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn templates() {
        let good = |template, expected: &str| assert_eq!(expand(template).unwrap(), expected);
        good("", "");
        good("x", "x");
        good("[$0][$1][$2][$3]", "[abc][b][][]");
        good("${1}0 $10 $01 ${00}", "b0  b abc");
        good("$$ $$$$0 $$$1", "$ $$0 $b");
        good("$1x$99999999999999999999999", "bx");
        let bad = |template, expected: &str| assert_eq!(expand(template).unwrap_err(), expected);
        let invalid = "lua script: invalid capturing variable name found in ";
        bad("a$", &format!("{invalid}\"a$\""));
        bad("${", &format!("{invalid}\"${{\""));
        bad("${}", &format!("{invalid}\"${{}}\""));
        bad("$-", &format!("{invalid}\"$-\""));
        bad("${1", "the closing bracket in \"1\" variable is missing");
        bad("${1a}", "the closing bracket in \"1\" variable is missing");
        bad("${-}", "the closing bracket in \"\" variable is missing");
        bad(
            "$name",
            "attempt to use named capturing variable \"name\" (named captures not supported yet)",
        );
        bad(
            "${n}",
            "attempt to use named capturing variable \"n\" (named captures not supported yet)",
        );
    }
}
