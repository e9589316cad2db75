//! Patterns compiled: one operation for each item of the pattern, decided once instead of at every attempt.
//!
//! **Invariant:** a program refers to nothing outside itself, so it may be cached and shared between matches.
//! A mistake in a pattern becomes an operation that fails when it is *reached*, because the reference reports
//! mistakes no earlier: `("a"):match("b[")` is nil.
//!
//! Lua patterns have neither alternation nor repeated groups. Every item is therefore passed at most once on the way to
//! a match, and which captures exist and are closed at an item is known here, not only while matching.

use super::PatternError;
use super::set::{ByteSet, class};
use memchr::memmem;
use std::cell::OnceCell;

/// As in the reference.
pub(super) const MAX_CAPTURES: usize = 32;
/// Items of a pattern at which the reference can recurse, one inside the other, with its 200 levels.
const REFERENCE_LEVELS: usize = 199;
/// Literal runs are cut at this length so that comparing one is a small step.
const MAX_LITERAL: usize = 1 << 15;
/// The analysis of what can follow an item is only worth its time on patterns people write.
const MAX_ANALYSED: usize = 1 << 10;

/// What matches one byte of the subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Single {
    Any,
    Byte(u8),
    /// Index into the program's sets.
    Set(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    One(Single),
    /// `literals[start..start + len]`
    Literal {
        start: u32,
        len: u32,
    },
    /// `*`, and `+` where `plus`.
    Greedy {
        single: Single,
        plus: bool,
        /// Giving back what was taken cannot help, so no choice needs to be remembered.
        possessive: bool,
        /// What must follow, unless it is the end of the subject.
        next: Single,
    },
    /// `-`
    Lazy {
        single: Single,
        next: Single,
    },
    /// `?`
    Optional {
        single: Single,
        possessive: bool,
    },
    Open(u8),
    Close(u8),
    Position(u8),
    /// `%1`; the capture is closed.
    Same(u8),
    /// `%bxy`
    Balance(u8, u8),
    /// `%f[set]`
    Frontier(u32),
    /// `$`
    End,
    Match,
    Fail(PatternError),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CaptureKind {
    Span,
    Position,
    /// A `(` that the pattern never closes: an error once the capture is asked for.
    Unfinished,
}

/// How to find the next place where an attempt is worth while.
#[derive(Debug)]
pub(super) enum Start {
    Everywhere,
    Byte(u8),
    Set(ByteSet),
    /// The pattern begins with this many literal bytes, from 2 up.
    Literal(usize),
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Program {
    pattern: Box<[u8]>,
    /// First byte of the pattern that is not compiled yet.
    at: usize,
    finished: bool,
    anchor: bool,
    pub(super) anchored: bool,
    pub(super) ops: Vec<Op>,
    pub(super) sets: Vec<ByteSet>,
    /// The bytes of all literals, one after the other.
    pub(super) literals: Vec<u8>,
    pub(super) captures: Vec<CaptureKind>,
    pub(super) start: Start,
    finder: OnceCell<memmem::Finder<'static>>,
    /// How many more items may be repeated or captured.
    levels_left: usize,
}

impl Program {
    /// Compiles a pattern in one go: for short ones, about 20 ns an item.
    ///
    /// With `anchor`, a leading `^` ties the match to the start; without, as in `gmatch`, it is an ordinary byte.
    pub fn compile(pattern: &[u8], anchor: bool) -> Program {
        let mut program = Program::new(pattern, anchor);
        let mut unlimited = u64::MAX;
        program.compile_more(&mut unlimited);
        program
    }

    /// A program of which nothing is compiled yet; [`Program::compile_more`] does the work in steps.
    pub fn new(pattern: &[u8], anchor: bool) -> Program {
        let anchored = anchor && pattern.first() == Some(&b'^');
        Program {
            pattern: pattern.into(),
            at: usize::from(anchored),
            finished: false,
            anchor,
            anchored,
            ops: Vec::new(),
            sets: Vec::new(),
            literals: Vec::new(),
            captures: Vec::new(),
            start: Start::Everywhere,
            finder: OnceCell::new(),
            levels_left: usize::MAX,
        }
    }

    /// Makes the pattern "too complex" where it has more repetitions and captures than the reference, which recurses at
    /// each of them, has C levels. (It does not recurse at a `?` that takes nothing; we count those too.)
    pub fn limit_levels(mut self) -> Program {
        self.levels_left = REFERENCE_LEVELS;
        self
    }

    /// Whether the match is tied to where the search starts.
    pub fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether a leading `^` was to be an anchor.
    pub fn may_anchor(&self) -> bool {
        self.anchor
    }

    /// The pattern this was compiled from.
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }

    /// An upper bound of the bytes a program for a pattern of `len` bytes occupies.
    pub const fn memory_bound(len: usize) -> usize {
        len.saturating_mul(24).saturating_add(256)
    }

    /// Compiles on, taking from `steps` about one for each item; true when done.
    pub fn compile_more(&mut self, steps: &mut u64) -> bool {
        while !self.finished {
            if *steps == 0 {
                return false;
            }
            let before = self.at;
            self.item();
            *steps = steps.saturating_sub(1 + (self.at - before) as u64 / 8);
            if self.finished {
                self.analyse();
            }
        }
        true
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.pattern.get(self.at + ahead).copied()
    }

    fn item(&mut self) {
        match (self.peek(0), self.peek(1)) {
            // Indices are 32 bits wide; nobody has a pattern of 4 GiB.
            _ if self.at >= u32::MAX as usize => self.fail(PatternError::TooComplex),
            (None, _) => {
                self.ops.push(Op::Match);
                self.finished = true;
            }
            (Some(b'('), next) => self.open(next == Some(b')')),
            (Some(b')'), _) => self.close(),
            (Some(b'$'), None) => {
                self.at += 1;
                self.ops.push(Op::End);
            }
            (Some(b'%'), Some(b'b')) => self.balance(),
            (Some(b'%'), Some(b'f')) => self.frontier(),
            (Some(b'%'), Some(digit @ b'0'..=b'9')) => self.back_reference(digit),
            _ => self.single_item(),
        }
    }

    /// Appends an operation at which the reference recurses.
    fn push_level(&mut self, op: Op) {
        match self.levels_left.checked_sub(1) {
            Some(left) => {
                self.levels_left = left;
                self.ops.push(op);
            }
            None => self.fail(PatternError::TooComplex),
        }
    }

    fn fail(&mut self, error: PatternError) {
        self.ops.push(Op::Fail(error));
        self.finished = true;
    }

    fn open(&mut self, position: bool) {
        let index = self.captures.len();
        if index == MAX_CAPTURES {
            return self.fail(PatternError::TooManyCaptures);
        }
        if position {
            self.captures.push(CaptureKind::Position);
            self.push_level(Op::Position(index as u8));
            self.at += 2;
        } else {
            self.captures.push(CaptureKind::Unfinished);
            self.push_level(Op::Open(index as u8));
            self.at += 1;
        }
    }

    fn close(&mut self) {
        match self
            .captures
            .iter()
            .rposition(|kind| *kind == CaptureKind::Unfinished)
        {
            Some(index) => {
                self.captures[index] = CaptureKind::Span;
                self.push_level(Op::Close(index as u8));
                self.at += 1;
            }
            None => self.fail(PatternError::InvalidClose),
        }
    }

    fn balance(&mut self) {
        match (self.peek(2), self.peek(3)) {
            (Some(open), Some(close)) => {
                self.ops.push(Op::Balance(open, close));
                self.at += 4;
            }
            _ => self.fail(PatternError::MissingBalance),
        }
    }

    fn frontier(&mut self) {
        if self.peek(2) != Some(b'[') {
            return self.fail(PatternError::MissingFrontierSet);
        }
        match self.set_end(self.at + 2) {
            Ok(end) => {
                let set = self.bracket_set(self.at + 2, end);
                let index = self.add_set(set);
                self.ops.push(Op::Frontier(index));
                self.at = end;
            }
            Err(error) => self.fail(error),
        }
    }

    fn back_reference(&mut self, digit: u8) {
        let number = digit - b'0';
        let closed = number > 0
            && matches!(
                self.captures.get(usize::from(number) - 1),
                Some(CaptureKind::Span | CaptureKind::Position)
            );
        if closed {
            self.ops.push(Op::Same(number - 1));
            self.at += 2;
        } else {
            self.fail(PatternError::InvalidIndex(number));
        }
    }

    /// One byte, class or set, with what is repeated of it.
    fn single_item(&mut self) {
        let (single, end) = match self.single() {
            Ok(found) => found,
            Err(error) => return self.fail(error),
        };
        let op = match self.pattern.get(end) {
            Some(b'*') => Op::Greedy {
                single,
                plus: false,
                possessive: false,
                next: Single::Any,
            },
            Some(b'+') => Op::Greedy {
                single,
                plus: true,
                possessive: false,
                next: Single::Any,
            },
            Some(b'-') => Op::Lazy {
                single,
                next: Single::Any,
            },
            Some(b'?') => Op::Optional {
                single,
                possessive: false,
            },
            _ => {
                self.at = end;
                return self.mandatory(single);
            }
        };
        self.push_level(op);
        self.at = end + 1;
    }

    /// Appends an item without repetition. Neighbouring single bytes become one literal.
    fn mandatory(&mut self, single: Single) {
        let Single::Byte(byte) = single else {
            return self.ops.push(Op::One(single));
        };
        match self.ops.last_mut() {
            // The last operation's literal is also the last in the buffer.
            Some(Op::Literal { len, .. }) if (*len as usize) < MAX_LITERAL => {
                *len += 1;
                self.literals.push(byte);
            }
            Some(last @ Op::One(Single::Byte(_))) => {
                let Op::One(Single::Byte(before)) = *last else {
                    return;
                };
                *last = Op::Literal {
                    start: self.literals.len() as u32,
                    len: 2,
                };
                self.literals.extend([before, byte]);
            }
            _ => self.ops.push(Op::One(single)),
        }
    }

    /// The matcher of a single byte at `at`, and where its text ends.
    fn single(&mut self) -> Result<(Single, usize), PatternError> {
        match self.pattern[self.at] {
            b'.' => Ok((Single::Any, self.at + 1)),
            b'%' => {
                let letter = self.peek(1).ok_or(PatternError::EndsWithPercent)?;
                let single = match class(letter) {
                    Some(set) => Single::Set(self.add_set(set)),
                    None => Single::Byte(letter),
                };
                Ok((single, self.at + 2))
            }
            b'[' => {
                let end = self.set_end(self.at)?;
                let set = self.bracket_set(self.at, end);
                let single = match set.single() {
                    Some(byte) => Single::Byte(byte),
                    None => Single::Set(self.add_set(set)),
                };
                Ok((single, end))
            }
            byte => Ok((Single::Byte(byte), self.at + 1)),
        }
    }

    /// The end of the set whose `[` is at `start`. A `]` right after `[` or `[^` is a member.
    fn set_end(&self, start: usize) -> Result<usize, PatternError> {
        let mut at = start + 1;
        if self.pattern.get(at) == Some(&b'^') {
            at += 1;
        }
        let first = at;
        loop {
            match self.pattern.get(at) {
                None => return Err(PatternError::MissingBracket),
                Some(b']') if at > first => return Ok(at + 1),
                Some(b'%') => at += 2,
                Some(_) => at += 1,
            }
        }
    }

    /// The members of the set whose text is `start..end`, brackets included.
    fn bracket_set(&self, start: usize, end: usize) -> ByteSet {
        let mut text = &self.pattern[start + 1..end - 1];
        let complement = text.first() == Some(&b'^');
        if complement {
            text = &text[1..];
        }
        let mut set = ByteSet::EMPTY;
        loop {
            text = match *text {
                [] => break,
                [b'%', letter, ref rest @ ..] => {
                    match class(letter) {
                        Some(class) => set = set.union(&class),
                        None => set.insert(letter),
                    }
                    rest
                }
                // Left over when a range ends in the first of two `%`: it escapes the closing bracket.
                [b'%'] => {
                    set.insert(b']');
                    &[]
                }
                [first, b'-', last, ref rest @ ..] => {
                    set.insert_range(first, last);
                    rest
                }
                [byte, ref rest @ ..] => {
                    set.insert(byte);
                    rest
                }
            };
        }
        if complement { set.complement() } else { set }
    }

    /// The index of a set; the few most recent ones are shared.
    fn add_set(&mut self, set: ByteSet) -> u32 {
        let recent = self.sets.len().saturating_sub(8);
        match self.sets[recent..].iter().position(|known| *known == set) {
            Some(index) => (recent + index) as u32,
            None => {
                self.sets.push(set);
                self.sets.len() as u32 - 1
            }
        }
    }

    pub(super) fn members(&self, single: Single) -> ByteSet {
        match single {
            Single::Any => ByteSet::ALL,
            Single::Byte(byte) => byte.into(),
            Single::Set(index) => self.sets[index as usize],
        }
    }

    fn smallest_single(&mut self, set: ByteSet) -> Single {
        match set.single() {
            Some(byte) => Single::Byte(byte),
            None if set == ByteSet::ALL => Single::Any,
            None => Single::Set(self.add_set(set)),
        }
    }

    /// Walks the operations from the last to the first, so that each knows what can follow it.
    fn analyse(&mut self) {
        if self.ops.len() > MAX_ANALYSED {
            return;
        }
        let mut rest = Follow {
            first: ByteSet::EMPTY,
            empty: true,
            always: false,
        };
        for pc in (0..self.ops.len()).rev() {
            rest = self.analyse_op(pc, rest);
        }
        if self.anchored || rest.empty {
            return;
        }
        let leading = self
            .ops
            .iter()
            .find(|op| !matches!(op, Op::Open(_) | Op::Close(_) | Op::Position(_)));
        self.start = match (leading, rest.first.single()) {
            (Some(Op::Literal { start: 0, len }), _) => Start::Literal(*len as usize),
            (_, Some(byte)) => Start::Byte(byte),
            _ if rest.first == ByteSet::ALL => Start::Everywhere,
            _ => Start::Set(rest.first),
        };
    }

    /// Improves the operation at `pc`, given what follows it, and describes what begins with it.
    fn analyse_op(&mut self, pc: usize, rest: Follow) -> Follow {
        let op = self.ops[pc];
        let one = |first| Follow {
            first,
            empty: false,
            always: false,
        };
        match op {
            Op::Match => Follow {
                first: ByteSet::EMPTY,
                empty: true,
                always: true,
            },
            Op::Fail(_) => Follow {
                first: ByteSet::EMPTY,
                empty: true,
                always: false,
            },
            Op::End => one(ByteSet::EMPTY),
            Op::One(single) => one(self.members(single)),
            Op::Literal { start, .. } => one(self.literals[start as usize].into()),
            Op::Balance(open, _) => one(open.into()),
            Op::Open(_) | Op::Close(_) | Op::Position(_) => rest,
            Op::Same(_) => Follow {
                first: ByteSet::ALL,
                empty: true,
                always: false,
            },
            Op::Frontier(set) => {
                let first = rest.first.intersection(&self.sets[set as usize]);
                Follow {
                    first,
                    empty: rest.empty,
                    always: false,
                }
            }
            Op::Greedy { single, plus, .. } => {
                let members = self.members(single);
                let next = if rest.empty {
                    Single::Any
                } else {
                    self.smallest_single(rest.first)
                };
                let possessive = rest.makes_possessive(&members);
                self.ops[pc] = Op::Greedy {
                    single,
                    plus,
                    possessive,
                    next,
                };
                if plus {
                    one(members)
                } else {
                    rest.preceded_by(&members)
                }
            }
            Op::Lazy { single, .. } => {
                let next = if rest.empty {
                    Single::Any
                } else {
                    self.smallest_single(rest.first)
                };
                self.ops[pc] = Op::Lazy { single, next };
                rest.preceded_by(&self.members(single))
            }
            Op::Optional { single, .. } => {
                let members = self.members(single);
                let possessive = rest.makes_possessive(&members);
                self.ops[pc] = Op::Optional { single, possessive };
                rest.preceded_by(&members)
            }
        }
    }

    /// The searcher for the literal a pattern starts with, made when first needed.
    pub(super) fn finder(&self, len: usize) -> &memmem::Finder<'static> {
        self.finder
            .get_or_init(|| memmem::Finder::new(&self.literals[..len]).into_owned())
    }
}

/// What the operations from some place on can do, at a place that is *not* the end of the subject.
#[derive(Clone, Copy)]
struct Follow {
    /// The bytes a match that takes at least one byte can start with.
    first: ByteSet,
    /// A match may take no byte at all (or we cannot tell).
    empty: bool,
    /// They match wherever they are tried.
    always: bool,
}

impl Follow {
    fn preceded_by(self, optional: &ByteSet) -> Follow {
        Follow {
            first: self.first.union(optional),
            ..self
        }
    }

    /// Whether a repetition of `members` never gains by taking less than it can: either the first try succeeds, or
    /// every later one starts at a byte in `members`, which nothing that follows can start with.
    fn makes_possessive(&self, members: &ByteSet) -> bool {
        self.always || (!self.empty && self.first.intersection(members).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(pattern: &str) -> Vec<Op> {
        Program::compile(pattern.as_bytes(), true).ops
    }

    #[test]
    fn neighbouring_bytes_are_one_literal() {
        assert_eq!(ops("ab%.c"), [Op::Literal { start: 0, len: 4 }, Op::Match]);
        assert_eq!(
            ops("abc*"),
            [
                Op::Literal { start: 0, len: 2 },
                Op::Greedy {
                    single: Single::Byte(b'c'),
                    plus: false,
                    possessive: true,
                    next: Single::Any
                },
                Op::Match
            ]
        );
        assert_eq!(
            ops("[a]$"),
            [Op::One(Single::Byte(b'a')), Op::End, Op::Match]
        );
        let long = "x".repeat(MAX_LITERAL + 3);
        assert_eq!(ops(&long).len(), 3);
    }

    #[test]
    fn repetitions_that_cannot_gain_are_possessive() {
        let possessive = |pattern: &str| {
            ops(pattern).iter().any(|op| {
                matches!(
                    op,
                    Op::Greedy {
                        possessive: true,
                        ..
                    } | Op::Optional {
                        possessive: true,
                        ..
                    }
                )
            })
        };
        assert!(possessive("[^,]*,"));
        assert!(possessive("(%d+)$"));
        assert!(possessive("%s*"));
        assert!(possessive("%d*%a"));
        assert!(possessive("-?%d"));
        assert!(!possessive(".*,"));
        assert!(!possessive("%w*%d"));
        assert!(!possessive("a?a"));
        assert!(!possessive("%d*()%1"));
        assert!(!possessive("(a)%d*%1"));
    }

    #[test]
    fn mistakes_fail_where_they_are_reached() {
        assert_eq!(
            ops("b["),
            [
                Op::One(Single::Byte(b'b')),
                Op::Fail(PatternError::MissingBracket)
            ]
        );
        assert_eq!(
            ops("(a))").last(),
            Some(&Op::Fail(PatternError::InvalidClose))
        );
        assert_eq!(
            ops("(a%1)").last(),
            Some(&Op::Fail(PatternError::InvalidIndex(1)))
        );
    }

    #[test]
    fn levels_are_limited_on_demand() {
        let fails = |items: usize| {
            let pattern = "a*".repeat(items);
            let mut program = Program::new(pattern.as_bytes(), true).limit_levels();
            program.compile_more(&mut u64::MAX.clone());
            program.ops.last() == Some(&Op::Fail(PatternError::TooComplex))
        };
        assert!(!fails(REFERENCE_LEVELS));
        assert!(fails(REFERENCE_LEVELS + 1));
    }

    #[test]
    fn compiling_in_steps_gives_the_same_program() {
        let pattern = b"^(%a+)%s*=%s*[\"'](.-)[\"']()%f[%z]ab?c-d$";
        let whole = Program::compile(pattern, true);
        let mut parts = Program::new(pattern, true);
        let mut rounds = 0;
        while !parts.compile_more(&mut 1) {
            rounds += 1;
        }
        assert!(rounds > 10);
        assert_eq!(format!("{:?}", whole.ops), format!("{:?}", parts.ops));
    }

    #[test]
    fn a_program_is_within_its_memory_bound() {
        for item in ["[ab]", "a*", ".?", "%d", "a.", "[^a]-", "()", "%bxy"] {
            let program = Program::compile(item.repeat(1000).as_bytes(), true);
            let used = program.pattern.len()
                + program.literals.capacity()
                + program.ops.capacity() * size_of::<Op>()
                + program.sets.capacity() * size_of::<ByteSet>();
            assert!(
                used <= Program::memory_bound(program.pattern.len()),
                "{item}: {used}"
            );
        }
    }
}
