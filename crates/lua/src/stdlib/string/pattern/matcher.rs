//! The matcher: runs a [`Program`] over a subject, and can stop anywhere and go on later.
//!
//! **Invariant:** all state lives in [`Matcher`]; the program and the subject are passed anew to each call and must be the
//! same until the match is over. Every loop over the subject takes its steps from the caller's budget before it runs.
//!
//! An attempt goes forward through the operations. A repetition that could also have taken less (or more, if lazy) leaves a
//! [`Choice`]; when an operation fails, the latest choice is changed. Captures need no undoing: an operation that
//! reads one comes after those that set it, and these run again after any change of an earlier choice.

use super::PatternError;
use super::program::{CaptureKind, Op, Program, Single, Start};

/// Choices a match may have open at once. One per repetition, so only absurd patterns get there.
pub(super) const MAX_CHOICES: usize = 1 << 16;
/// Bytes looked at for one step, one by one or with vector instructions.
const BYTES_PER_STEP: usize = 8;
const VECTOR_BYTES_PER_STEP: usize = 64;

/// How a call of [`Matcher::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The pattern matches the bytes `start..end` of the subject.
    Match {
        /// Where the match starts.
        start: usize,
        /// One past its last byte.
        end: usize,
    },
    /// There is no match.
    NoMatch,
    /// The steps are used up; call again with more.
    Paused,
}

/// What a capture caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// The bytes `start..end` of the subject.
    Span {
        /// Where it starts.
        start: usize,
        /// One past its last byte.
        end: usize,
    },
    /// `()`: an offset from 0 into the subject.
    Position(usize),
}

/// A repetition that may yet take another number of bytes.
#[derive(Clone, Copy, Debug)]
struct Choice {
    pc: u32,
    /// Greedy: where the repetition ended last; lazy: where it may end next; optional: where it began.
    at: usize,
    /// Greedy: the first place where it may end.
    min: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Looking for the next place to try.
    Seek,
    /// Going forward from `at` and `pc`.
    Forward,
    /// Changing the latest choice.
    Back,
    Finished,
}

/// One search for a pattern in a subject.
#[derive(Debug)]
pub struct Matcher {
    mode: Mode,
    /// Where the attempt under way starts, or the next place to look at.
    start: usize,
    /// A match that ends here is passed over: the end of the match before, for `gmatch` and `gsub`.
    not_ending_at: Option<usize>,
    at: usize,
    pc: usize,
    /// How far the operation at `pc` had come when the steps ran out, in bytes, and how deep (`%b`).
    partial: usize,
    depth: usize,
    choices: Vec<Choice>,
    /// Start and end of each capture.
    captures: Vec<(usize, usize)>,
}

impl Default for Matcher {
    fn default() -> Self {
        Matcher::new()
    }
}

enum Attempt {
    Matched,
    Failed,
    Paused,
}

enum Back {
    /// Go forward again from `at` and `pc`.
    Resumed,
    Exhausted,
    Paused,
}

impl Matcher {
    /// A matcher with nothing to do. It may be used for one search after the other and keeps its buffers.
    pub const fn new() -> Matcher {
        Matcher {
            mode: Mode::Finished,
            start: 0,
            not_ending_at: None,
            at: 0,
            pc: 0,
            partial: 0,
            depth: 0,
            choices: Vec::new(),
            captures: Vec::new(),
        }
    }

    /// Prepares a search from byte `init` of the subject on, passing over matches that end at `not_ending_at`.
    pub fn begin(&mut self, program: &Program, init: usize, not_ending_at: Option<usize>) {
        self.mode = Mode::Seek;
        self.start = init;
        self.not_ending_at = not_ending_at;
        self.partial = 0;
        self.choices.clear();
        self.captures.clear();
        self.captures.resize(program.captures.len(), (0, 0));
    }

    /// Searches on, using up to `steps` (about one for each operation tried or few bytes scanned).
    pub fn run(
        &mut self,
        program: &Program,
        subject: &[u8],
        steps: &mut u64,
    ) -> Result<Progress, PatternError> {
        loop {
            if self.mode == Mode::Seek {
                if self.start > subject.len() {
                    self.mode = Mode::Finished;
                } else if !program.anchored && !self.seek(program, subject, steps) {
                    return Ok(Progress::Paused);
                } else {
                    self.mode = Mode::Forward;
                    self.at = self.start;
                    self.pc = 0;
                }
            }
            if self.mode == Mode::Finished {
                return Ok(Progress::NoMatch);
            }
            match self.attempt(program, subject, steps)? {
                Attempt::Paused => {
                    *steps = 0;
                    return Ok(Progress::Paused);
                }
                Attempt::Matched if self.not_ending_at != Some(self.at) => {
                    self.mode = Mode::Finished;
                    return Ok(Progress::Match {
                        start: self.start,
                        end: self.at,
                    });
                }
                Attempt::Matched | Attempt::Failed => {
                    self.choices.clear();
                    self.start += 1;
                    self.mode = if program.anchored {
                        Mode::Finished
                    } else {
                        Mode::Seek
                    };
                }
            }
        }
    }

    /// The number of values a match gives: its captures, or the whole match if the pattern has none.
    pub fn value_count(&self) -> usize {
        self.captures.len().max(1)
    }

    /// The number of captures.
    pub fn capture_count(&self) -> usize {
        self.captures.len()
    }

    /// Bytes of the buffers.
    pub fn memory(&self) -> usize {
        self.choices.capacity() * size_of::<Choice>()
            + self.captures.capacity() * size_of::<(usize, usize)>()
    }

    /// Forgets the search and gives unusually large buffers back.
    pub fn shrink(&mut self) {
        self.mode = Mode::Finished;
        self.choices.clear();
        self.choices.shrink_to(64);
    }

    /// The `index`-th value (from 0) of the match `start..end` that was found last.
    pub fn capture(
        &self,
        program: &Program,
        index: usize,
        start: usize,
        end: usize,
    ) -> Result<Capture, PatternError> {
        match (program.captures.get(index), self.captures.get(index)) {
            (Some(CaptureKind::Span), Some(&(start, end))) => Ok(Capture::Span { start, end }),
            (Some(CaptureKind::Position), Some(&(at, _))) => Ok(Capture::Position(at)),
            (Some(CaptureKind::Unfinished), _) => Err(PatternError::UnfinishedCapture),
            _ if index == 0 => Ok(Capture::Span { start, end }),
            _ => Err(PatternError::InvalidIndex(index as u8 + 1)),
        }
    }

    /// Moves `start` to the next place where a match may start; the end of the subject always is one. False: paused.
    fn seek(&mut self, program: &Program, subject: &[u8], steps: &mut u64) -> bool {
        let (per_step, needle) = match &program.start {
            Start::Everywhere => return true,
            Start::Byte(_) => (VECTOR_BYTES_PER_STEP, 1),
            Start::Literal(len) => (VECTOR_BYTES_PER_STEP, *len),
            Start::Set(_) => (BYTES_PER_STEP, 1),
        };
        let ahead = subject.len() - self.start;
        let window = window(ahead, per_step, *steps);
        // A literal that starts inside the window may end beyond it.
        let text = &subject[self.start..self.start + ahead.min(window + needle - 1)];
        let found = match &program.start {
            Start::Byte(byte) => memchr::memchr(*byte, text),
            Start::Literal(len) => program.finder(*len).find(text),
            Start::Set(set) => text.iter().position(|byte| set.contains(*byte)),
            Start::Everywhere => Some(0),
        };
        let moved = found.unwrap_or(window);
        self.start += moved;
        *steps = steps.saturating_sub((moved / per_step) as u64);
        if found.is_none() && window < ahead {
            *steps = 0;
            return false;
        }
        true
    }

    /// Tries to match from where we are to the end of the program, changing choices until it works or none is left.
    fn attempt(
        &mut self,
        program: &Program,
        subject: &[u8],
        steps: &mut u64,
    ) -> Result<Attempt, PatternError> {
        let mut left = *steps;
        let outcome = self.attempt_with(program, subject, &mut left);
        *steps = left;
        outcome
    }

    #[inline(always)]
    fn attempt_with(
        &mut self,
        program: &Program,
        subject: &[u8],
        left: &mut u64,
    ) -> Result<Attempt, PatternError> {
        let mut at = self.at;
        let mut pc = self.pc;
        loop {
            if self.mode == Mode::Back {
                match self.back(program, subject, left) {
                    Back::Resumed => (at, pc) = (self.at, self.pc),
                    Back::Exhausted => return Ok(Attempt::Failed),
                    Back::Paused => return Ok(Attempt::Paused),
                }
                self.mode = Mode::Forward;
            }
            if *left == 0 {
                (self.at, self.pc) = (at, pc);
                return Ok(Attempt::Paused);
            }
            *left -= 1;
            let matched = match program.ops[pc] {
                Op::One(single) => {
                    let matched = at < subject.len() && accepts(program, single, subject[at]);
                    at += 1;
                    matched
                }
                Op::Literal { start, len } => {
                    let literal = &program.literals[start as usize..(start + len) as usize];
                    *left = left.saturating_sub(u64::from(len) / VECTOR_BYTES_PER_STEP as u64);
                    let matched = subject[at..].starts_with(literal);
                    at += literal.len();
                    matched
                }
                Op::Greedy {
                    single,
                    plus,
                    possessive,
                    ..
                } => {
                    let from = at + self.partial;
                    let window = match single {
                        Single::Any => subject.len() - from,
                        _ => window(subject.len() - from, BYTES_PER_STEP, *left),
                    };
                    let run = span(program, single, &subject[from..from + window]);
                    if single != Single::Any {
                        *left = left.saturating_sub((run / BYTES_PER_STEP) as u64);
                    }
                    let end = from + run;
                    if run == window && end < subject.len() {
                        self.partial = end - at;
                        (self.at, self.pc) = (at, pc);
                        return Ok(Attempt::Paused);
                    }
                    self.partial = 0;
                    let min = at + usize::from(plus);
                    if !possessive && end > min {
                        self.push(Choice {
                            pc: pc as u32,
                            at: end,
                            min,
                        })?;
                    }
                    at = end;
                    end >= min
                }
                Op::Lazy { .. } => {
                    // The first try is the same as every later one.
                    self.push(Choice {
                        pc: pc as u32,
                        at,
                        min: at,
                    })?;
                    false
                }
                Op::Optional { single, possessive } => {
                    if at < subject.len() && accepts(program, single, subject[at]) {
                        if !possessive {
                            self.push(Choice {
                                pc: pc as u32,
                                at,
                                min: at,
                            })?;
                        }
                        at += 1;
                    }
                    true
                }
                Op::Open(index) | Op::Position(index) => {
                    self.captures[usize::from(index)].0 = at;
                    true
                }
                Op::Close(index) => {
                    self.captures[usize::from(index)].1 = at;
                    true
                }
                Op::Same(index) => match self.same(program, index, subject, at, left) {
                    Some(end) => {
                        let matched = end.is_some();
                        at = end.unwrap_or(at);
                        matched
                    }
                    None => {
                        (self.at, self.pc) = (at, pc);
                        return Ok(Attempt::Paused);
                    }
                },
                Op::Balance(open, close) => match self.balance(open, close, subject, at, left) {
                    Some(end) => {
                        let matched = end.is_some();
                        at = end.unwrap_or(at);
                        matched
                    }
                    None => {
                        (self.at, self.pc) = (at, pc);
                        return Ok(Attempt::Paused);
                    }
                },
                Op::Frontier(set) => {
                    let set = &program.sets[set as usize];
                    let before = at.checked_sub(1).map_or(0, |i| subject[i]);
                    let here = subject.get(at).copied().unwrap_or(0);
                    !set.contains(before) && set.contains(here)
                }
                Op::End => at == subject.len(),
                Op::Match => {
                    self.at = at;
                    return Ok(Attempt::Matched);
                }
                Op::Fail(error) => return Err(error),
            };
            if matched {
                pc += 1;
            } else {
                self.mode = Mode::Back;
            }
        }
    }

    #[inline]
    fn push(&mut self, choice: Choice) -> Result<(), PatternError> {
        if self.choices.len() >= MAX_CHOICES {
            return Err(PatternError::TooComplex);
        }
        self.choices.push(choice);
        Ok(())
    }

    /// Takes the next possibility of the latest choice that has one.
    fn back(&mut self, program: &Program, subject: &[u8], left: &mut u64) -> Back {
        while let Some(choice) = self.choices.last_mut() {
            let pc = choice.pc as usize;
            match program.ops[pc] {
                Op::Greedy { next, .. } => {
                    // `choice.at` itself was tried; what comes before it down to `min` was not.
                    let per_step = match next {
                        Single::Byte(_) => VECTOR_BYTES_PER_STEP,
                        _ => BYTES_PER_STEP,
                    };
                    let low = choice.at - window(choice.at - choice.min, per_step, *left);
                    let text = &subject[low..choice.at];
                    let found = match next {
                        Single::Any => text.len().checked_sub(1),
                        Single::Byte(byte) => memchr::memrchr(byte, text),
                        Single::Set(index) => {
                            let set = &program.sets[index as usize];
                            text.iter().rposition(|byte| set.contains(*byte))
                        }
                    };
                    let Some(found) = found else {
                        if low > choice.min {
                            choice.at = low;
                            *left = 0;
                            return Back::Paused;
                        }
                        *left = left.saturating_sub((text.len() / per_step) as u64);
                        self.choices.pop();
                        continue;
                    };
                    *left = left.saturating_sub(((text.len() - found) / per_step) as u64);
                    choice.at = low + found;
                    (self.at, self.pc) = (choice.at, pc + 1);
                    if choice.at == choice.min {
                        self.choices.pop();
                    }
                    return Back::Resumed;
                }
                Op::Lazy { single, next } => {
                    let ahead = &subject[choice.at..];
                    let (window, scan) = scan_lazily(program, single, next, ahead, left);
                    choice.at += window;
                    match scan {
                        Scan::Candidate => {
                            (self.at, self.pc) = (choice.at, pc + 1);
                            match subject.get(choice.at) {
                                Some(&byte) if accepts(program, single, byte) => choice.at += 1,
                                _ => drop(self.choices.pop()),
                            }
                            return Back::Resumed;
                        }
                        Scan::Hopeless => drop(self.choices.pop()),
                        Scan::Paused => {
                            *left = 0;
                            return Back::Paused;
                        }
                    }
                }
                // Optional: the one other possibility is to take nothing.
                _ => {
                    (self.at, self.pc) = (choice.at, pc + 1);
                    self.choices.pop();
                    return Back::Resumed;
                }
            }
        }
        Back::Exhausted
    }

    /// Where a repetition of the capture's text at `at` ends; `Some(None)` if there is none, `None` when paused.
    fn same(
        &mut self,
        program: &Program,
        index: u8,
        subject: &[u8],
        at: usize,
        left: &mut u64,
    ) -> Option<Option<usize>> {
        let (start, end) = self.captures[usize::from(index)];
        if program.captures[usize::from(index)] == CaptureKind::Position
            || end - start > subject.len() - at
        {
            return Some(None); // a position is no text, and matches nothing
        }
        let (captured, here) = (&subject[start..end], &subject[at..at + (end - start)]);
        let from = self.partial;
        let to = from + window(captured.len() - from, VECTOR_BYTES_PER_STEP, *left);
        *left = left.saturating_sub(((to - from) / VECTOR_BYTES_PER_STEP) as u64);
        if captured[from..to] != here[from..to] {
            self.partial = 0;
            return Some(None);
        }
        if to < captured.len() {
            self.partial = to;
            return None;
        }
        self.partial = 0;
        Some(Some(at + captured.len()))
    }

    /// Where the balanced text that starts at `at` ends, in the form of [`Matcher::same`].
    fn balance(
        &mut self,
        open: u8,
        close: u8,
        subject: &[u8],
        at: usize,
        left: &mut u64,
    ) -> Option<Option<usize>> {
        if self.partial == 0 {
            if subject.get(at) != Some(&open) {
                return Some(None);
            }
            self.partial = 1;
            self.depth = 1;
        }
        let from = at + self.partial;
        let window = window(subject.len() - from, BYTES_PER_STEP, *left);
        for (i, &byte) in subject[from..from + window].iter().enumerate() {
            // Closing first: with equal delimiters the second one closes.
            if byte == close {
                self.depth -= 1;
                if self.depth == 0 {
                    *left = left.saturating_sub((i / BYTES_PER_STEP) as u64);
                    self.partial = 0;
                    return Some(Some(from + i + 1));
                }
            } else if byte == open {
                self.depth += 1;
            }
        }
        *left = left.saturating_sub((window / BYTES_PER_STEP) as u64);
        if from + window < subject.len() {
            self.partial += window;
            return None;
        }
        self.partial = 0;
        Some(None)
    }
}

/// How many of `available` bytes may be looked at for the steps that are left; some, even if none are left.
#[inline(always)]
fn window(available: usize, per_step: usize, left: u64) -> usize {
    let affordable = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
        .saturating_mul(per_step);
    available.min(affordable)
}

#[inline(always)]
fn accepts(program: &Program, single: Single, byte: u8) -> bool {
    match single {
        Single::Any => true,
        Single::Byte(expected) => byte == expected,
        Single::Set(index) => program.sets[index as usize].contains(byte),
    }
}

/// How many bytes at the start of `text` are all accepted.
#[inline(always)]
fn span(program: &Program, single: Single, text: &[u8]) -> usize {
    let end = match single {
        Single::Any => None,
        Single::Byte(expected) => text.iter().position(|byte| *byte != expected),
        Single::Set(index) => {
            let set = program.sets[index as usize];
            text.iter().position(|byte| !set.contains(*byte))
        }
    };
    end.unwrap_or(text.len())
}

enum Scan {
    /// What follows may start here.
    Candidate,
    /// A byte came that the repetition does not take, and what follows cannot start with.
    Hopeless,
    Paused,
}

/// Looks for the first place where a lazy repetition may end: where a byte of `next` follows, or at the end.
/// Gives how many bytes it takes until there.
fn scan_lazily(
    program: &Program,
    single: Single,
    next: Single,
    text: &[u8],
    left: &mut u64,
) -> (usize, Scan) {
    if next == Single::Any {
        return (0, Scan::Candidate);
    }
    let (per_step, found) = match (single, next) {
        (Single::Any, Single::Byte(byte)) => {
            let window = window(text.len(), VECTOR_BYTES_PER_STEP, *left);
            (
                VECTOR_BYTES_PER_STEP,
                memchr::memchr(byte, &text[..window]).ok_or(window),
            )
        }
        _ => {
            let window = window(text.len(), BYTES_PER_STEP, *left);
            let (taken, awaited) = (program.members(single), program.members(next));
            let stop = |byte: &u8| awaited.contains(*byte) || !taken.contains(*byte);
            match text[..window].iter().position(stop) {
                Some(i) if !awaited.contains(text[i]) => return (i, Scan::Hopeless),
                Some(i) => (BYTES_PER_STEP, Ok(i)),
                None => (BYTES_PER_STEP, Err(window)),
            }
        }
    };
    let (Ok(taken) | Err(taken)) = found;
    *left = left.saturating_sub((taken / per_step) as u64);
    match found {
        Err(window) if window < text.len() => (window, Scan::Paused),
        _ => (taken, Scan::Candidate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every match with its values, as `gsub` finds them: `start-end:value,value`. Steps come `chunk` at a time.
    fn all(subject: &[u8], pattern: &[u8], chunk: u64) -> Result<String, PatternError> {
        let program = Program::compile(pattern, true);
        let mut matcher = Matcher::new();
        let mut found = Vec::new();
        let mut last = None;
        loop {
            matcher.begin(&program, last.unwrap_or(0), last);
            let outcome = loop {
                match matcher.run(&program, subject, &mut chunk.clone())? {
                    Progress::Paused => {}
                    outcome => break outcome,
                }
            };
            let Progress::Match { start, end } = outcome else {
                return Ok(found.join(" "));
            };
            let mut values = Vec::new();
            for index in 0..matcher.value_count() {
                values.push(match matcher.capture(&program, index, start, end)? {
                    Capture::Span { start, end } => {
                        String::from_utf8_lossy(&subject[start..end]).into_owned()
                    }
                    Capture::Position(at) => format!("@{at}"),
                });
            }
            found.push(format!("{start}-{end}:{}", values.join(",")));
            if pattern.starts_with(b"^") {
                return Ok(found.join(" "));
            }
            last = Some(end);
        }
    }

    #[track_caller]
    fn check(subject: &str, pattern: &str, expected: &str) {
        for chunk in [u64::MAX, 1, 2, 5] {
            let shown = match all(subject.as_bytes(), pattern.as_bytes(), chunk) {
                Ok(matches) => matches,
                Err(error) => error.to_string(),
            };
            assert_eq!(
                shown, expected,
                "{pattern:?} on {subject:?}, {chunk} steps at a time"
            );
        }
    }

    #[test]
    fn single_bytes_classes_and_sets() {
        check("hello", "l", "2-3:l 3-4:l");
        check("a1 b22", "%d+", "1-2:1 4-6:22");
        check("k=v,x:y", "[^,:=]+", "0-1:k 2-3:v 4-5:x 6-7:y");
        check("a]b", "[]]", "1-2:]");
        check("a]b^", "[^]^]+", "0-1:a 2-3:b");
        check("a-z", "[a-]+", "0-2:a-");
        check("5%", "[%d%%]+", "0-2:5%");
        check("a\0b", "%z", "1-2:\0");
        check("a.b", "%.", "1-2:.");
        check("é", "%a", "");
        check("x%]", "[a-%%]]", "");
    }

    #[test]
    fn repetitions() {
        check("aaab", "a*b", "0-4:aaab");
        check("aaab", "a*ab", "0-4:aaab");
        check("aaa", "a-", "0-0: 1-1: 2-2: 3-3:");
        check("<a><b>", "<(.-)>", "0-3:a 3-6:b");
        check("<a><b>", "<(.*)>", "0-6:a><b");
        check("-12.5e+3x", "^-?[%d.eE+-]+", "0-8:-12.5e+3");
        check("abc", "ab?c?", "0-3:abc");
        check("aa", "a?a?a", "0-2:aa");
        check("  trim me \n", "^%s*(.-)%s*$", "0-11:trim me");
        check("abcabd", ".-abd", "0-6:abcabd");
        check("key = value", "^(%w+)%s*=%s*(%w+)$", "0-11:key,value");
        check("aXbXc", "^[^X]-X(.*)", "0-5:bXc");
        check("abc", "[ab]-c", "0-3:abc");
        check("hello", "", "0-0: 1-1: 2-2: 3-3: 4-4: 5-5:");
    }

    #[test]
    fn captures_and_references() {
        check("item42 item7", "item(%d+)", "0-6:42 7-12:7");
        check("ab", "()ab()", "0-2:@0,@2");
        check("ab", "((a)(b))", "0-2:ab,a,b");
        check("say \"hi\" 'yo'", "([\"'])(.-)%1", "4-8:\",hi 9-13:',yo");
        check("aa", "()%1", "");
        check("xyxy", "(xy)%1", "0-4:xy");
    }

    #[test]
    fn balance_frontier_and_anchors() {
        check("f(a(b)c)d)", "%b()", "1-8:(a(b)c)");
        check("((", "%b()", "");
        check("x''y", "%b''", "1-3:''");
        check(
            "THE (quick) fox",
            "%f[%a]%a+",
            "0-3:THE 5-10:quick 12-15:fox",
        );
        check("ab", "%f[%z]", "2-2:");
        check("aaa", "^a", "0-1:a");
        check("a$", "a$", "");
        check("a$b", "a$b", "0-3:a$b");
        check("a^b", "a^b", "0-3:a^b");
    }

    #[test]
    fn mistakes() {
        check("a", "a%", "malformed pattern (ends with '%')");
        check("", "[a", "malformed pattern (missing ']')");
        check("a", "[a%]", "malformed pattern (missing ']')");
        check("a", "[]", "malformed pattern (missing ']')");
        check("a", "%f", "missing '[' after '%f' in pattern");
        check("a", "%bx", "malformed pattern (missing arguments to '%b')");
        check("a", "a)", "invalid pattern capture");
        check("a", "%1", "invalid capture index %1");
        check("a", "(a%1)", "invalid capture index %1");
        check("a", "%0", "invalid capture index %0");
        check("a", "(a", "unfinished capture");
        check(&"a".repeat(40), &"(a)".repeat(33), "too many captures");
        check("a", "b[", ""); // never reached
    }

    #[test]
    fn too_many_choices_are_refused() {
        let subject = vec![b'a'; 200_000];
        assert_eq!(
            all(&subject, &b".?".repeat(200_000), u64::MAX),
            Err(PatternError::TooComplex)
        );
        let some = all(&subject[..300], &b".?".repeat(300), u64::MAX).unwrap();
        assert!(some.starts_with("0-300:"));
    }

    #[test]
    fn hostile_patterns_pause() {
        let exponential = [&b"a?".repeat(26)[..], &b"a".repeat(26), b"b"].concat();
        let million = vec![b'a'; 1_000_000];
        for (subject, pattern) in [
            (&million[..26], &exponential[..]),
            (&million[..300_000], b".-b"),
            (&million, b".*.*.*b"),
            (&million, b"(.*)(.*)%1%2x"),
            (&million, b"[ab]-[ab]-c"),
            (&million, b"%baa%baa%baab"),
            (&million, b"a*a*a*a*b"),
        ] {
            let program = Program::compile(pattern, true);
            let mut matcher = Matcher::new();
            matcher.begin(&program, 0, None);
            for _ in 0..50 {
                let mut steps = 1000;
                let progress = matcher.run(&program, subject, &mut steps);
                assert_eq!(
                    progress,
                    Ok(Progress::Paused),
                    "{}",
                    String::from_utf8_lossy(pattern)
                );
                assert_eq!(steps, 0);
            }
        }
    }

    #[test]
    fn a_matcher_is_used_again() {
        let (one, two) = (
            Program::compile(b"(a)(b)", true),
            Program::compile(b"b+", true),
        );
        let mut matcher = Matcher::new();
        let mut steps = 1000;
        matcher.begin(&one, 0, None);
        assert_eq!(
            matcher.run(&one, b"xab", &mut steps),
            Ok(Progress::Match { start: 1, end: 3 })
        );
        assert_eq!(matcher.value_count(), 2);
        matcher.begin(&two, 1, None);
        assert_eq!(
            matcher.run(&two, b"abba", &mut steps),
            Ok(Progress::Match { start: 1, end: 3 })
        );
        assert_eq!(matcher.value_count(), 1);
        assert_eq!(
            matcher.run(&two, b"abba", &mut steps),
            Ok(Progress::NoMatch)
        );
        matcher.begin(&two, 5, None);
        assert_eq!(
            matcher.run(&two, b"abba", &mut steps),
            Ok(Progress::NoMatch)
        );
    }
}
