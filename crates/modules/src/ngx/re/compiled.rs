//! A compiled pattern: which engine a search takes, and what it finds.
//!
//! **Invariant:** what one call of [`Compiled::search`] does is bounded: by what the linear engine does at once, or by the
//! budget of the other one, which pauses when it is used up.

use super::backtrack::{Outcome, Search};
use super::linear::{Linear, Searched};
use super::options::Options;
use super::parse;
use super::program::Program;
use super::text::character_length;

/// Where something was found, from 0 on, the end not in it.
pub(super) type Place = Option<(usize, usize)>;

/// What PCRE returns when its limit on matching is reached.
pub(super) const MATCH_LIMIT_REACHED: i32 = -8;
/// A subject that is no UTF-8.
pub(super) const BAD_UTF8: i32 = -10;
/// A place in the middle of a character.
pub(super) const BAD_UTF8_OFFSET: i32 = -11;
/// A place behind the end.
pub(super) const BAD_OFFSET: i32 = -24;

/// Bytes of a message, as in lua-resty-core.
const MAX_MESSAGE: usize = 255;

/// How a search, or a part of one, ends.
pub(super) enum Found {
    Yes,
    No,
    /// With PCRE's number.
    Failed(i32),
    /// To be continued.
    Paused(Search),
}

/// A compiled pattern.
pub(super) struct Compiled {
    pub groups: usize,
    /// Names and their groups, in the order of the names.
    pub names: Vec<(Box<[u8]>, u32)>,
    pub options: Options,
    utf8: bool,
    minds_last_newline: bool,
    linear: Option<Linear>,
    program: Program,
}

impl Compiled {
    /// Compiles a pattern; the error is the message that OpenResty has.
    pub fn new(pattern: &[u8], options: Options) -> Result<Compiled, Vec<u8>> {
        let parsed = parse::parse(pattern, options)
            .map_err(|bad| message(pattern, &bad.message, bad.offset))?;
        Ok(Compiled {
            groups: if options.longest {
                0
            } else {
                parsed.groups as usize
            },
            utf8: parsed.utf8,
            minds_last_newline: parsed.minds_last_newline,
            linear: if options.longest {
                None
            } else {
                Linear::new(&parsed)
            },
            program: Program::new(&parsed),
            options,
            names: if options.longest {
                Vec::new()
            } else {
                parsed.names
            },
        })
    }

    /// The same without the linear engine.
    #[cfg(test)]
    pub fn only_backtracking(mut self) -> Compiled {
        self.linear = None;
        self
    }

    /// The same with the linear engine's way of searching long subjects.
    #[cfg(test)]
    pub fn always_long(mut self) -> Compiled {
        self.linear = self.linear.map(Linear::always_long);
        self
    }

    #[cfg(test)]
    pub fn is_linear(&self) -> bool {
        self.linear.is_some()
    }

    /// Bytes of memory it takes now.
    pub fn size(&self) -> usize {
        let names = self.names.iter().map(|(name, _)| 32 + name.len());
        let linear = self.linear.as_ref().map_or(0, Linear::size);
        size_of::<Compiled>() + names.sum::<usize>() + linear + self.program.size()
    }

    /// Begins a search for the first match that begins at `from` or behind. `checked`: the subject is known to be UTF-8.
    pub fn search(
        &self,
        subject: &[u8],
        from: usize,
        checked: bool,
        budget: &mut u64,
        places: &mut Vec<Place>,
    ) -> Found {
        if from > subject.len() {
            return Found::Failed(BAD_OFFSET);
        }
        if self.utf8 && !self.options.unchecked {
            if !checked {
                *budget = budget.saturating_sub(subject.len() as u64 / 16);
                if std::str::from_utf8(subject).is_err() {
                    return Found::Failed(BAD_UTF8);
                }
            }
            if subject.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
                return Found::Failed(BAD_UTF8_OFFSET);
            }
        }
        if let Some(linear) = self.linear_for(subject)
            && let Some(found) = self.search_linear(linear, subject, from, budget, places)
        {
            return found;
        }
        let Options {
            anchored, longest, ..
        } = self.options;
        let search = Search::new(&self.program, from, anchored, longest);
        self.resume(search, subject, budget, places)
    }

    /// The linear engine, if it is right for this subject.
    fn linear_for(&self, subject: &[u8]) -> Option<&Linear> {
        let special = self.minds_last_newline && subject.last() == Some(&b'\n');
        self.linear.as_ref().filter(|_| !special)
    }

    /// `None` if it would take too long.
    fn search_linear(
        &self,
        linear: &Linear,
        subject: &[u8],
        from: usize,
        budget: &mut u64,
        places: &mut Vec<Place>,
    ) -> Option<Found> {
        places.resize(self.groups + 1, None);
        let searched = linear.search(subject, from, self.options.anchored, places);
        let end = match places.first() {
            Some(Some((_, end))) => *end,
            _ => subject.len(),
        };
        *budget = budget.saturating_sub((end.saturating_sub(from) / 8) as u64 + 8);
        match searched {
            Searched::Found => Some(Found::Yes),
            Searched::NotFound => Some(Found::No),
            Searched::TooMuch => None,
        }
    }

    /// Goes on with a search of the same subject.
    pub fn resume(
        &self,
        mut search: Search,
        subject: &[u8],
        budget: &mut u64,
        places: &mut Vec<Place>,
    ) -> Found {
        places.resize(self.groups + 1, None);
        match search.run(&self.program, subject, budget) {
            Outcome::Matched => {
                search.places(places);
                Found::Yes
            }
            Outcome::NoMatch => Found::No,
            Outcome::Unsuited(code) => Found::Failed(code),
            Outcome::LimitReached => Found::Failed(MATCH_LIMIT_REACHED),
            Outcome::Paused => Found::Paused(search),
        }
    }

    /// Where the next search begins, after one from `from` that found this: behind it, and always further on.
    pub fn next(&self, subject: &[u8], from: usize, (start, end): (usize, usize)) -> usize {
        if end > start && end > from {
            return end;
        }
        let at = end.max(from);
        at + character_length(self.utf8, subject, at)
    }
}

fn message(pattern: &[u8], what: &str, offset: usize) -> Vec<u8> {
    let mut message = format!("pcre_compile() failed: {what} in \"").into_bytes();
    message.extend_from_slice(pattern.get(..MAX_MESSAGE).unwrap_or(pattern));
    message.push(b'"');
    if offset < pattern.len() {
        message.extend_from_slice(b" at \"");
        let rest = pattern.get(offset..).unwrap_or_default();
        let rest = rest.get(..MAX_MESSAGE).unwrap_or(rest);
        message.extend(rest.iter().take_while(|byte| **byte != 0));
        message.push(b'"');
    }
    message.truncate(MAX_MESSAGE);
    message
}
