//! The parser of PCRE's syntax, in one pass with a stack of open groups of its own.
//!
//! Where versions of PCRE differ it does as PCRE 8 does, whose messages and offsets it has; of what came later it knows `(?n)`
//! and `(?^)`. Not supported, and said so: recursion and subroutine calls, the verbs but `(*FAIL)`, callouts, `\X`, and `\C` with UTF-8.
//!
//! **Invariants:** at most [`MAX_PATTERN`] bytes and [`MAX_NESTING`] open parentheses; nothing recurses.

mod bracket;
mod escape;
mod group;

use super::ast::{
    Around, Condition, Conditional, Kind, Look, MAX_DEPTH, Mode, Node, Pattern, UNLIMITED,
};
use super::class::{self, Class};
use super::options::Options;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes a pattern can have.
pub(super) const MAX_PATTERN: usize = 64 << 10;
/// Parentheses inside one another.
const MAX_NESTING: usize = 250;
/// The largest number in a quantifier.
const MAX_REPEAT: u32 = 65_535;

/// What the classes of a pattern may be, in ranges, before it is too large.
const MAX_CLASS_WORK: usize = 150_000;

/// What is wrong with a pattern, and where.
#[derive(Debug)]
pub(super) struct Bad {
    pub message: Cow<'static, str>,
    pub offset: usize,
}

type Parsed<T> = Result<T, Bad>;

fn bad<T>(message: &'static str, offset: usize) -> Parsed<T> {
    Err(Bad {
        message: Cow::Borrowed(message),
        offset,
    })
}

const MISSING_PARENTHESIS: &str = "missing )";
const NO_SUCH_GROUP: &str = "reference to non-existent subpattern";
const NOTHING_TO_REPEAT: &str = "nothing to repeat";

/// What `(?...)` changes.
#[derive(Clone, Copy, Default)]
struct Flags {
    caseless: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
    ungreedy: bool,
    duplicate_names: bool,
    extra: bool,
    no_captures: bool,
}

/// What kind of group is open.
enum Opening {
    Plain,
    Capture(u32),
    Atomic,
    Around {
        behind: bool,
        negative: bool,
    },
    /// The condition is still to come if it is `None`.
    Conditional(Option<Condition>),
    /// `(?|`: the groups before it, and the most that an alternative came to.
    Reset {
        before: u32,
        most: u32,
    },
}

struct Frame {
    opening: Opening,
    /// Those outside.
    flags: Flags,
    alternatives: Vec<Node>,
    sequence: Vec<Node>,
}

impl Frame {
    fn new(opening: Opening, flags: Flags) -> Frame {
        Frame {
            opening,
            flags,
            alternatives: Vec::new(),
            sequence: Vec::new(),
        }
    }
}

/// The group that something refers to.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Target {
    Number(u32),
    Name(Box<[u8]>),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    flags: Flags,
    utf8: bool,
    javascript: bool,
    frames: Vec<Frame>,
    /// The group whose parts are being read: the last of `frames`, or the pattern itself.
    open: Frame,
    /// Whether a quantifier may follow.
    repeatable: bool,
    quoting: bool,
    groups: u32,
    most_groups: u32,
    /// The groups of a name, and the name of a group.
    names: HashMap<Box<[u8]>, Vec<u32>>,
    name_of: HashMap<u32, Box<[u8]>>,
    /// What is referred to, each once, with where it was first.
    targets: Vec<(Target, usize)>,
    target_ids: HashMap<Target, usize>,
    properties: HashMap<(String, bool), Rc<Class>>,
    class_work: usize,
    class_ranges: usize,
    needs_backtracking: bool,
    minds_last_newline: bool,
    /// Where the first alternative of a lookbehind ends that has no length. PCRE says so last.
    not_fixed: Option<usize>,
}

/// Understands a pattern.
pub(super) fn parse(text: &[u8], options: Options) -> Parsed<Pattern> {
    if text.len() > MAX_PATTERN {
        return bad("regular expression is too large", text.len());
    }
    let flags = Flags {
        caseless: options.caseless,
        multi_line: options.multi_line,
        dot_all: options.dot_all,
        extended: options.extended,
        duplicate_names: options.duplicate_names,
        ..Flags::default()
    };
    let mut parser = Parser {
        text,
        at: 0,
        flags,
        utf8: options.utf8,
        javascript: options.javascript,
        frames: Vec::new(),
        open: Frame::new(Opening::Plain, flags),
        repeatable: false,
        quoting: false,
        groups: 0,
        most_groups: 0,
        names: HashMap::new(),
        name_of: HashMap::new(),
        targets: Vec::new(),
        target_ids: HashMap::new(),
        properties: HashMap::new(),
        class_work: 0,
        class_ranges: 0,
        needs_backtracking: false,
        minds_last_newline: false,
        not_fixed: None,
    };
    parser.leading_verbs()?;
    if parser.utf8
        && let Err(error) = std::str::from_utf8(text)
    {
        return bad("invalid UTF-8 string", error.valid_up_to());
    }
    parser.items()?;
    parser.finish()
}

impl Parser<'_> {
    fn items(&mut self) -> Parsed<()> {
        while let Some(c) = self.next_char() {
            let start = self.at - self.length(c);
            if self.quoting {
                if c == u32::from(b'\\') && self.eat(b"E") {
                    self.quoting = false;
                } else {
                    self.literal(c);
                }
                continue;
            }
            match u8::try_from(c).unwrap_or(b'a') {
                b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' if self.flags.extended => {}
                b'#' if self.flags.extended => self.skip_line(),
                b'\\' => self.escape_item()?,
                b'[' => self.bracket_item(start)?,
                b'(' => self.open_group(start)?,
                b')' => self.close_group(start)?,
                b'|' => self.next_alternative(start),
                b'^' if self.flags.multi_line => self.look(Look::LineStart),
                b'^' => self.look(Look::Start),
                b'$' if self.flags.multi_line => self.look(Look::LineEnd),
                b'$' => self.look(Look::EndOrNewline),
                b'.' if self.flags.dot_all => self.class(class::any(self.utf8)),
                b'.' => self.class(class::of(self.utf8, class::NEWLINE, true)),
                b'*' => self.quantifier(0, UNLIMITED, start)?,
                b'+' => self.quantifier(1, UNLIMITED, start)?,
                b'?' => self.quantifier(0, 1, start)?,
                b'{' if self.is_counted() => self.counted()?,
                b']' if self.javascript => {
                    return bad(
                        "] is an invalid data character in JavaScript compatibility mode",
                        start,
                    );
                }
                _ => self.literal(c),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Parsed<Pattern> {
        if !self.frames.is_empty() {
            return bad(MISSING_PARENTHESIS, self.text.len());
        }
        self.next_alternative(self.text.len());
        let root = Node::alternate(std::mem::take(&mut self.open.alternatives));
        if root.depth > MAX_DEPTH {
            return bad("parentheses are too deeply nested", self.text.len());
        }
        let references = self.resolve()?;
        let mut names: Vec<(Box<[u8]>, u32)> = (self.name_of.into_iter())
            .map(|(number, name)| (name, number))
            .collect();
        names.sort();
        Ok(Pattern {
            root,
            groups: self.most_groups,
            names,
            references,
            utf8: self.utf8,
            needs_backtracking: self.needs_backtracking,
            minds_last_newline: self.minds_last_newline,
            class_ranges: self.class_ranges,
            unset_is_empty: self.javascript,
        })
    }

    /// The groups that are referred to. A name that is not there is an error before a lookbehind without a length, and a number after.
    fn resolve(&self) -> Parsed<Vec<Vec<u32>>> {
        let mut references = Vec::new();
        let mut no_number = None;
        for (target, offset) in &self.targets {
            references.push(match target {
                Target::Name(name) => match self.names.get(name) {
                    Some(numbers) => numbers.clone(),
                    None => return bad(NO_SUCH_GROUP, *offset),
                },
                Target::Number(number) => {
                    if !(1..=self.most_groups).contains(number) {
                        no_number = no_number.or(Some(*offset));
                    }
                    vec![*number]
                }
            });
        }
        if let Some(end) = self.not_fixed {
            return bad("lookbehind assertion is not fixed length", end);
        }
        match no_number {
            Some(offset) => bad(NO_SUCH_GROUP, offset),
            None => Ok(references),
        }
    }

    // ---- reading ----

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, what: &[u8]) -> bool {
        let there = self.rest().starts_with(what);
        if there {
            self.at += what.len();
        }
        there
    }

    /// The next character, or byte.
    fn next_char(&mut self) -> Option<u32> {
        let first = self.peek()?;
        if !self.utf8 || first < 0x80 {
            self.at += 1;
            return Some(first.into());
        }
        let rest = self.rest();
        let piece = rest.get(..rest.len().min(4))?;
        let valid = match std::str::from_utf8(piece) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(piece.get(..error.valid_up_to())?).ok()?,
        };
        let c = valid.chars().next()?;
        self.at += c.len_utf8();
        Some(c.into())
    }

    fn length(&self, c: u32) -> usize {
        match char::from_u32(c) {
            Some(c) if self.utf8 => c.len_utf8(),
            _ => 1,
        }
    }

    fn skip_line(&mut self) {
        while let Some(byte) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                break;
            }
        }
    }

    /// In extended mode: what means nothing.
    fn skip_space(&mut self) {
        while self.flags.extended {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r') => self.at += 1,
                Some(b'#') => self.skip_line(),
                _ => break,
            }
        }
    }

    /// A decimal number; `None` if there is no digit. Numbers too large stay too large.
    fn number(&mut self) -> Option<u32> {
        let mut number = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            let former = number.unwrap_or(0u32);
            number = Some(
                former
                    .saturating_mul(10)
                    .saturating_add((digit - b'0').into()),
            );
        }
        number
    }

    // ---- parts ----

    fn push(&mut self, node: Node) {
        self.open.sequence.push(node);
        self.repeatable = true;
    }

    fn literal(&mut self, c: u32) {
        let node = self.char_node(c);
        self.push(node);
    }

    fn char_node(&self, c: u32) -> Node {
        if self.flags.caseless {
            let class = class::folded(self.utf8, c);
            if class.single().is_none() {
                return Node::class(class);
            }
        }
        Node::char(c)
    }

    fn class(&mut self, class: impl Into<Rc<Class>>) {
        let class = class.into();
        self.class_ranges = self.class_ranges.saturating_add(class.ranges());
        self.push(Node::class(class));
    }

    /// Counts work on classes.
    fn class_work(&mut self, work: usize) -> Parsed<()> {
        self.class_work = self.class_work.saturating_add(work);
        if self.class_work > MAX_CLASS_WORK {
            return bad("regular expression is too large", self.at);
        }
        Ok(())
    }

    fn look(&mut self, look: Look) {
        match look {
            Look::EndOrNewline | Look::LineStart => self.minds_last_newline = true,
            Look::SearchStart => self.needs_backtracking = true,
            _ => {}
        }
        self.push(Node::look(look));
        self.repeatable = false;
    }

    /// The alternative that is read ends at `end`.
    fn next_alternative(&mut self, end: usize) {
        let node = Node::concat(std::mem::take(&mut self.open.sequence));
        let behind = matches!(self.open.opening, Opening::Around { behind: true, .. });
        if behind && node.fixed.is_none() && self.not_fixed.is_none() {
            self.not_fixed = Some(end);
        }
        self.open.alternatives.push(node);
        self.repeatable = false;
        if let Opening::Reset { before, most } = &mut self.open.opening {
            *most = self.groups.max(*most);
            self.groups = *before;
        }
    }

    // ---- quantifiers ----

    /// Whether what follows a `{` makes it a quantifier.
    fn is_counted(&self) -> bool {
        let rest = self.rest();
        let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
        let first = digits(rest);
        let after = rest.get(first..).unwrap_or_default();
        match after {
            _ if first == 0 => false,
            [b'}', ..] => true,
            [b',', more @ ..] => more.get(digits(more)) == Some(&b'}'),
            _ => false,
        }
    }

    fn counted(&mut self) -> Parsed<()> {
        let min = self.repeat_number()?;
        let mut max = min;
        if self.eat(b",") {
            max = match self.peek() {
                Some(b'}') => UNLIMITED,
                _ => self.repeat_number()?,
            };
        }
        if max < min {
            return bad("numbers out of order in {} quantifier", self.at);
        }
        let end = self.at;
        self.at += 1;
        self.quantifier(min, max, end)
    }

    fn repeat_number(&mut self) -> Parsed<u32> {
        let start = self.at;
        let number = self.number().unwrap_or(0);
        if number <= MAX_REPEAT {
            return Ok(number);
        }
        let mut value = 0;
        for (at, digit) in self.text.iter().enumerate().skip(start) {
            value = value * 10 + u32::from(digit.saturating_sub(b'0'));
            if value > MAX_REPEAT {
                return bad("number too big in {} quantifier", at + 1);
            }
        }
        bad("number too big in {} quantifier", self.at)
    }

    /// Repeats the last part; `end` is where the quantifier's last byte is.
    fn quantifier(&mut self, min: u32, max: u32, end: usize) -> Parsed<()> {
        if !self.repeatable {
            return bad(NOTHING_TO_REPEAT, end);
        }
        let node = self.open.sequence.pop().unwrap_or_else(Node::empty);
        self.skip_space();
        let mode = match self.peek() {
            Some(b'?') if self.flags.ungreedy => Mode::Greedy,
            Some(b'?') => Mode::Lazy,
            Some(b'+') => Mode::Possessive,
            _ if self.flags.ungreedy => Mode::Lazy,
            _ => Mode::Greedy,
        };
        if matches!(self.peek(), Some(b'?' | b'+')) {
            self.at += 1;
        }
        let node = if matches!(node.kind, Kind::Around(_)) {
            // More than once is as once.
            Node::repeat(node, min.min(1), max.min(1), Mode::Greedy)
        } else {
            if mode == Mode::Possessive || (node.nullable && max == UNLIMITED) {
                self.needs_backtracking = true;
            }
            Node::repeat(node, min, max, mode)
        };
        self.push(node);
        self.repeatable = false;
        Ok(())
    }
}
