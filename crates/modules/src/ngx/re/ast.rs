//! What a pattern means, between the parser and the two engines.
//!
//! **Invariants:** a tree is at most [`MAX_DEPTH`] deep, so that what walks it may recurse; what a node's `nullable`, `fixed`
//! and `depth` say is worked out once, when it is made; case is already folded: a letter that matches two characters is a
//! class.

use super::class::Class;
use std::rc::Rc;

/// Levels of a tree: 250 parentheses in one another, as in PCRE, each with an alternative, a sequence and a quantifier.
pub(super) const MAX_DEPTH: u16 = 1100;

/// A node, and what is known about it.
pub(super) struct Node {
    pub kind: Kind,
    /// Whether it can match the empty text.
    pub nullable: bool,
    /// How many characters it matches, if that is always the same and below 65536.
    pub fixed: Option<u32>,
    /// Levels from here down.
    pub depth: u16,
}

/// The kinds of nodes.
pub(super) enum Kind {
    Empty,
    /// Matches nothing.
    Fail,
    /// A code point, or a byte.
    Char(u32),
    Class(Rc<Class>),
    Look(Look),
    /// `\K`
    Keep,
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    /// A group that captures, with its number.
    Capture(u32, Box<Node>),
    Repeat(Box<Repeat>),
    /// `(?>...)`
    Atomic(Box<Node>),
    Around(Box<Around>),
    /// The text of the first of these groups that has one: an index of [`Pattern::references`].
    BackReference {
        reference: usize,
        caseless: bool,
    },
    Conditional(Box<Conditional>),
}

/// What matches at a place without taking anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// `\A`, or `^` outside of multi-line mode
    Start,
    /// `\z`
    End,
    /// `\Z`, or `$` outside of multi-line mode: at the end, or before a newline that is the end
    EndOrNewline,
    /// `^` in multi-line mode: not after a newline that is the end
    LineStart,
    /// `$` in multi-line mode
    LineEnd,
    WordBoundary,
    NotWordBoundary,
    /// `\G`
    SearchStart,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

/// No upper bound.
pub(super) const UNLIMITED: u32 = u32::MAX;

pub(super) struct Repeat {
    pub node: Node,
    pub min: u32,
    pub max: u32,
    pub mode: Mode,
}

/// A lookaround assertion.
pub(super) struct Around {
    pub node: Node,
    pub behind: bool,
    pub negative: bool,
}

pub(super) struct Conditional {
    pub condition: Condition,
    pub yes: Node,
    /// Empty if there is none.
    pub no: Option<Node>,
}

pub(super) enum Condition {
    /// Whether one of these groups has matched: an index of [`Pattern::references`].
    Group(usize),
    Around(Around),
    /// `(?(DEFINE)...)`
    Never,
}

/// A pattern that has been understood.
pub(super) struct Pattern {
    pub root: Node,
    /// Groups that capture, the whole match not counted.
    pub groups: u32,
    /// Names with their numbers, in the order of the names.
    pub names: Vec<(Box<[u8]>, u32)>,
    /// The groups that back references and conditions are about.
    pub references: Vec<Vec<u32>>,
    /// Strings are UTF-8.
    pub utf8: bool,
    /// What the linear engine has no equal of.
    pub needs_backtracking: bool,
    /// Has a `$`, `\Z` or multi-line `^`: a newline at the end of the subject is special.
    pub minds_last_newline: bool,
    /// Ranges of all classes, each as often as it is there.
    pub class_ranges: usize,
    /// A back reference to a group that has not matched matches the empty text.
    pub unset_is_empty: bool,
}

impl Node {
    fn new(kind: Kind, nullable: bool, fixed: Option<u32>, below: u16) -> Node {
        Node {
            kind,
            nullable,
            fixed,
            depth: below.saturating_add(1),
        }
    }

    pub fn empty() -> Node {
        Node::new(Kind::Empty, true, Some(0), 0)
    }

    pub fn fail() -> Node {
        Node::new(Kind::Fail, false, Some(0), 0)
    }

    pub fn char(c: u32) -> Node {
        Node::new(Kind::Char(c), false, Some(1), 0)
    }

    pub fn class(class: impl Into<Rc<Class>>) -> Node {
        let class = class.into();
        Node::new(Kind::Class(class), false, Some(1), 0)
    }

    pub fn look(look: Look) -> Node {
        Node::new(Kind::Look(look), true, Some(0), 0)
    }

    pub fn keep() -> Node {
        Node::new(Kind::Keep, true, Some(0), 0)
    }

    pub fn back_reference(reference: usize, caseless: bool) -> Node {
        let kind = Kind::BackReference {
            reference,
            caseless,
        };
        Node::new(kind, true, None, 0)
    }

    pub fn concat(mut nodes: Vec<Node>) -> Node {
        match nodes.len() {
            0 => return Node::empty(),
            1 => {
                if let Some(node) = nodes.pop() {
                    return node;
                }
            }
            _ => {}
        }
        let nullable = nodes.iter().all(|node| node.nullable);
        let fixed = nodes.iter().try_fold(0u32, |sum, node| {
            Some(sum + node.fixed?).filter(|sum| *sum < 65_536)
        });
        let below = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
        Node::new(Kind::Concat(nodes), nullable, fixed, below)
    }

    pub fn alternate(mut nodes: Vec<Node>) -> Node {
        if nodes.len() == 1
            && let Some(node) = nodes.pop()
        {
            return node;
        }
        let nullable = nodes.iter().any(|node| node.nullable);
        let first = nodes.first().and_then(|node| node.fixed);
        let fixed = first.filter(|_| nodes.iter().all(|node| node.fixed == first));
        let below = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
        Node::new(Kind::Alternate(nodes), nullable, fixed, below)
    }

    pub fn capture(group: u32, node: Node) -> Node {
        let (nullable, fixed, below) = (node.nullable, node.fixed, node.depth);
        Node::new(Kind::Capture(group, Box::new(node)), nullable, fixed, below)
    }

    pub fn atomic(node: Node) -> Node {
        let (nullable, fixed, below) = (node.nullable, node.fixed, node.depth);
        Node::new(Kind::Atomic(Box::new(node)), nullable, fixed, below)
    }

    pub fn around(around: Around) -> Node {
        let below = around.node.depth;
        Node::new(Kind::Around(Box::new(around)), true, Some(0), below)
    }

    pub fn repeat(node: Node, min: u32, max: u32, mode: Mode) -> Node {
        if max == 1 && min == 1 {
            return match mode {
                Mode::Possessive => Node::atomic(node),
                Mode::Greedy | Mode::Lazy => node,
            };
        }
        let nullable = min == 0 || node.nullable;
        let fixed = match node.fixed {
            Some(length) if min == max => length.checked_mul(min).filter(|sum| *sum < 65_536),
            _ => None,
        };
        let below = node.depth;
        let repeat = Repeat {
            node,
            min,
            max,
            mode,
        };
        Node::new(Kind::Repeat(Box::new(repeat)), nullable, fixed, below)
    }

    pub fn conditional(conditional: Conditional) -> Node {
        let yes = &conditional.yes;
        // What PCRE takes for the length where the other branch is missing is that of the one.
        let (no_nullable, no_fixed, no_depth) = match &conditional.no {
            Some(no) => (no.nullable, no.fixed, no.depth),
            None => (true, yes.fixed, 0),
        };
        let nullable = yes.nullable || no_nullable;
        let fixed = yes.fixed.filter(|_| yes.fixed == no_fixed);
        let condition = match &conditional.condition {
            Condition::Around(around) => around.node.depth,
            Condition::Group(_) | Condition::Never => 0,
        };
        let below = yes.depth.max(no_depth).max(condition);
        Node::new(
            Kind::Conditional(Box::new(conditional)),
            nullable,
            fixed,
            below,
        )
    }
}
