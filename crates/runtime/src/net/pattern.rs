//! What a read waits for: so many bytes, a line, the end, anything, or a text. Pure: bytes in, bytes out.
//!
//! **Invariants.** What a pattern takes and gives does not depend on the pieces its input comes in (except for [`Pattern::any`], which takes what there
//! is). Each call is linear in its input, plus the length of the text that is looked for; nothing is kept but a position in it.
//!
//! The text is looked for with the automaton of Knuth, Morris and Pratt: the state is how much of the text the end of the input so far is. Bytes
//! that may be the beginning of the text are held back, as the state, until they turn out not to be.

use memchr::{memchr, memchr2};

/// The longest text that can be looked for.
pub const MAX_TEXT: usize = 8192;

/// What a read waits for.
pub struct Pattern(Kind);

enum Kind {
    Bytes { rest: usize },
    Line,
    All,
    Any { most: usize },
    Until(Box<Until>),
}

/// What came of a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fed {
    /// So much of it was taken.
    pub used: usize,
    /// Whether what was waited for is complete.
    pub done: bool,
}

impl Pattern {
    /// So many bytes.
    pub fn bytes(count: usize) -> Pattern {
        Pattern(Kind::Bytes { rest: count })
    }

    /// Up to the next line feed, which is taken and not given; nor is any carriage return.
    pub fn line() -> Pattern {
        Pattern(Kind::Line)
    }

    /// Everything up to the end.
    pub fn all() -> Pattern {
        Pattern(Kind::All)
    }

    /// What there is, at most so many bytes and at least one.
    pub fn any(most: usize) -> Pattern {
        Pattern(Kind::Any { most: most.max(1) })
    }

    /// Up to a text.
    pub fn until(until: Until) -> Pattern {
        Pattern(Kind::Until(Box::new(until)))
    }

    /// The search, if this is one.
    pub fn as_until(&self) -> Option<&Until> {
        match &self.0 {
            Kind::Until(until) => Some(until),
            _ => None,
        }
    }

    /// Takes from `input` and adds to `out`. There is input, and the pattern is not complete.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Fed {
        match &mut self.0 {
            Kind::Bytes { rest } => {
                let used = input.len().min(*rest);
                out.extend(input.iter().take(used));
                *rest -= used;
                Fed {
                    used,
                    done: *rest == 0,
                }
            }
            Kind::Line => feed_line(input, out),
            Kind::All => {
                out.extend_from_slice(input);
                Fed {
                    used: input.len(),
                    done: false,
                }
            }
            Kind::Any { most } => {
                let used = input.len().min(*most);
                out.extend(input.iter().take(used));
                Fed {
                    used,
                    done: used > 0,
                }
            }
            Kind::Until(until) => until.feed(input, out),
        }
    }

    /// The most bytes that [`Pattern::feed`] adds to its output for this input.
    pub fn room(&self, input: &[u8]) -> usize {
        match &self.0 {
            Kind::Bytes { rest } => input.len().min(*rest),
            Kind::Line => memchr(b'\n', input).unwrap_or(input.len()),
            Kind::All => input.len(),
            Kind::Any { most } => input.len().min(*most),
            Kind::Until(until) => input.len() + until.state.max(until.text.len()),
        }
    }

    /// How many more bytes it takes for certain, whatever they are: they can be read straight to where they belong.
    pub fn rest(&self) -> usize {
        match &self.0 {
            Kind::Bytes { rest } => *rest,
            Kind::All => usize::MAX,
            _ => 0,
        }
    }

    /// So many bytes have gone straight to where they belong, at most [`Pattern::rest`]; whether the pattern is complete.
    pub fn took(&mut self, count: usize) -> bool {
        match &mut self.0 {
            Kind::Bytes { rest } => {
                *rest = rest.saturating_sub(count);
                *rest == 0
            }
            _ => false,
        }
    }

    /// Whether the end of the input is what was waited for.
    pub fn ends(&self) -> bool {
        matches!(self.0, Kind::All)
    }
}

fn feed_line(input: &[u8], out: &mut Vec<u8>) -> Fed {
    let mut rest = input;
    let mut used = 0;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        let (text, tail) = rest.split_at(at);
        out.extend_from_slice(text);
        used += at + 1;
        if tail.first() == Some(&b'\n') {
            return Fed { used, done: true };
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Fed {
        used: input.len(),
        done: false,
    }
}

/// The search for a text.
pub struct Until {
    text: Box<[u8]>,
    /// The longest border of each prefix of the text: entry `i` is that of the first `i + 1` bytes.
    borders: Box<[u16]>,
    inclusive: bool,
    /// How much of the text has been seen at the end of the input so far, and held back.
    state: usize,
    /// After so many bytes it pauses; 0: never.
    rest: usize,
    sized: bool,
    found: bool,
}

impl Until {
    /// Looks for `text`, and gives it too if `inclusive`. `None` if it is empty or longer than [`MAX_TEXT`].
    pub fn new(text: &[u8], inclusive: bool) -> Option<Until> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return None;
        }
        Some(Until {
            borders: borders(text),
            text: text.into(),
            inclusive,
            state: 0,
            rest: 0,
            sized: false,
            found: false,
        })
    }

    /// Goes on from where a search for the same text was ([`Until::state`]).
    pub fn resume(mut self, state: usize) -> Until {
        self.state = state.min(self.text.len() - 1);
        self
    }

    /// Pauses after so many bytes, or a little more where the text may have begun; 0: only at the text.
    pub fn pause_after(mut self, bytes: usize) -> Until {
        self.rest = bytes;
        self.sized = bytes > 0;
        self
    }

    /// How much of the text is held back.
    pub fn state(&self) -> usize {
        self.state
    }

    /// Whether the text was found; otherwise a complete one has paused.
    pub fn found(&self) -> bool {
        self.found
    }

    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Fed {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if self.text.get(self.state) == Some(&byte) {
                at += 1;
                self.state += 1;
                if self.state == self.text.len() {
                    self.state = 0;
                    self.found = true;
                    if self.inclusive {
                        out.extend_from_slice(&self.text);
                    }
                    return Fed {
                        used: at,
                        done: true,
                    };
                }
                continue;
            }
            let paused = if self.state == 0 {
                let plain = self.plain(input.get(at..).unwrap_or_default());
                out.extend(input.iter().skip(at).take(plain));
                at += plain;
                self.gave(plain)
            } else {
                let next = self.fall_back(byte);
                // What was held back and is no beginning of the text any more.
                let freed = self.state - next.map_or(0, |next| next - 1);
                out.extend(self.text.iter().take(freed));
                self.state = next.unwrap_or(0);
                at += usize::from(next.is_some());
                self.gave(freed)
            };
            if paused {
                return Fed {
                    used: at,
                    done: true,
                };
            }
        }
        Fed {
            used: at,
            done: false,
        }
    }

    /// How many bytes at the front of `input`, of which there are some, are certainly not of the text.
    fn plain(&self, input: &[u8]) -> usize {
        let first = self.text.first().copied().unwrap_or_default();
        let plain = memchr(first, input).unwrap_or(input.len());
        if self.sized {
            plain.min(self.rest)
        } else {
            plain
        }
    }

    /// The state after `byte`, if a shorter beginning of the text ends with it that is longer than one byte.
    fn fall_back(&self, byte: u8) -> Option<usize> {
        let mut state = self.state;
        loop {
            state = usize::from(*self.borders.get(state.checked_sub(1)?)?);
            if state == 0 {
                return None;
            }
            if self.text.get(state) == Some(&byte) {
                return Some(state + 1);
            }
        }
    }

    /// So many bytes were given: whether it is time to pause.
    fn gave(&mut self, bytes: usize) -> bool {
        self.rest = self.rest.saturating_sub(bytes);
        self.sized && self.rest == 0
    }
}

fn borders(text: &[u8]) -> Box<[u16]> {
    let mut borders: Vec<u16> = Vec::with_capacity(text.len());
    let mut border = 0usize;
    for (at, byte) in text.iter().enumerate() {
        while border > 0 && text.get(border) != Some(byte) {
            border = borders.get(border - 1).copied().map_or(0, usize::from);
        }
        if at > 0 && text.get(border) == Some(byte) {
            border += 1;
        }
        // MAX_TEXT fits.
        borders.push(u16::try_from(border).unwrap_or(u16::MAX));
    }
    borders.into()
}

/// Reads `pieces` one after the other with patterns from `make`, a new one each time one is complete: what each gave, and last what the end of the
/// input interrupted. For tests and fuzzers: the result is the same however the input is cut (unless `make` gives [`Pattern::any`]).
pub fn replay<'a>(
    mut make: impl FnMut(Option<&Pattern>) -> Pattern,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Vec<u8>> {
    let mut results = vec![Vec::new()];
    let mut pattern = make(None);
    for mut piece in pieces {
        while !piece.is_empty() {
            let Some(out) = results.last_mut() else {
                return results;
            };
            let (before, room) = (out.len(), pattern.room(piece));
            let fed = pattern.feed(piece, out);
            debug_assert!(out.len() - before <= room);
            piece = piece.get(fed.used..).unwrap_or_default();
            if fed.done {
                pattern = make(Some(&pattern));
                results.push(Vec::new());
            }
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(input: &[u8], size: usize) -> Vec<&[u8]> {
        input.chunks(size).collect()
    }

    fn texts(results: &[Vec<u8>]) -> Vec<String> {
        results
            .iter()
            .map(|text| text.escape_ascii().to_string())
            .collect()
    }

    /// The same for all sizes of pieces.
    fn check(make: impl Fn(Option<&Pattern>) -> Pattern, input: &[u8], expected: &[&str]) {
        for size in 1..=input.len() {
            assert_eq!(
                texts(&replay(&make, cut(input, size))),
                expected,
                "pieces of {size}"
            );
        }
    }

    fn until(text: &str, size: usize, inclusive: bool) -> impl Fn(Option<&Pattern>) -> Pattern {
        move |before| {
            let state = before.and_then(Pattern::as_until).map_or(0, Until::state);
            let until = Until::new(text.as_bytes(), inclusive).unwrap();
            Pattern::until(until.resume(state).pause_after(size))
        }
    }

    #[test]
    fn lines_lose_every_carriage_return() {
        check(
            |_| Pattern::line(),
            b"a\r\n\nb\rc\nd\r",
            &["a", "", "bc", "d"],
        );
    }

    #[test]
    fn bytes_and_all() {
        check(|_| Pattern::bytes(3), b"abcdefgh", &["abc", "def", "gh"]);
        check(|_| Pattern::all(), b"a\nb", &["a\\nb"]);
    }

    #[test]
    fn any_takes_what_there_is() {
        let pieces: [&[u8]; 2] = [b"abcde", b"f"];
        let results = replay(|_| Pattern::any(3), pieces);
        assert_eq!(texts(&results), ["abc", "de", "f", ""]);
    }

    #[test]
    fn a_text_is_found_though_its_beginning_repeats() {
        check(until("abcabd", 0, false), b"abcabcabd-", &["abc", "-"]);
        check(until("aab", 0, false), b"aaaaab", &["aaa", ""]);
        check(
            until("--abc", 0, true),
            b"hello----abcx",
            &["hello----abc", "x"],
        );
        check(until("\r\n", 0, false), b"a\r\r\n\n", &["a\\r", "\\n"]);
    }

    #[test]
    fn a_sized_search_pauses_as_the_documentation_shows() {
        let input = b"hello, world! -agentzh\r\n--abcedhb blah";
        let make = until("\r\n--abcedhb", 4, false);
        let results = replay(make, cut(input, 7));
        let expected = ["hell", "o, w", "orld", "! -a", "gent", "zh", " bla", "h"];
        assert_eq!(texts(&results), expected);
        // Held back bytes come in one.
        check(until("abcd", 2, false), b"xabcxabcd", &["xabc", "x", ""]);
    }

    #[test]
    fn a_search_agrees_with_the_obvious_one() {
        // All inputs over two letters up to a length, all texts up to a length.
        for text_bits in 2u32..32 {
            let text: Vec<u8> = letters(text_bits);
            for input_bits in (2u32..1024).step_by(3) {
                let input = letters(input_bits);
                let make = || Pattern::until(Until::new(&text, false).unwrap());
                for size in [1, 2, 3, input.len()] {
                    let results = replay(|_| make(), cut(&input, size));
                    let place = input.windows(text.len()).position(|window| window == text);
                    let first = place.map_or(&input[..], |at| &input[..at]);
                    match place {
                        Some(_) => assert_eq!(results[0], first),
                        None => assert!(first.starts_with(&results[0])),
                    }
                }
            }
        }
    }

    #[test]
    fn the_pieces_of_a_sized_search_are_the_data() {
        for text_bits in [2u32, 5, 6, 11, 13, 22, 27] {
            let text = letters(text_bits);
            for input_bits in (2u32..2048).step_by(7) {
                let input = letters(input_bits);
                let before = input.windows(text.len()).position(|window| window == text);
                let (size, cuts) = (1 + input_bits as usize % 4, 1 + text_bits as usize % 3);
                let mut found = None;
                let mut pieces = 0;
                let results = replay(
                    |last| {
                        let last = last.and_then(Pattern::as_until);
                        if last.is_some_and(Until::found) && found.is_none() {
                            found = Some(pieces);
                        }
                        pieces += 1;
                        let until = Until::new(&text, false).unwrap();
                        let state = last.map_or(0, Until::state);
                        Pattern::until(until.resume(state).pause_after(size))
                    },
                    cut(&input, cuts),
                );
                assert_eq!(found.is_some(), before.is_some());
                let Some(found) = found else { continue };
                let data = results[..found].concat();
                assert_eq!(Some(data.len()), before);
                assert!(input.starts_with(&data));
                for piece in &results[..found - 1] {
                    assert!((size..size + text.len()).contains(&piece.len()));
                }
            }
        }
    }

    fn letters(bits: u32) -> Vec<u8> {
        let count = 31 - bits.leading_zeros();
        (0..count).map(|at| b'a' + (bits >> at & 1) as u8).collect()
    }

    #[test]
    fn texts_have_a_limit() {
        assert!(Until::new(b"", false).is_none());
        assert!(Until::new(&vec![b'a'; MAX_TEXT], false).is_some());
        assert!(Until::new(&vec![b'a'; MAX_TEXT + 1], false).is_none());
    }
}
