//! A pattern as instructions for the backtracking engine.
//!
//! **Invariants:** every target of a jump is an instruction; the last one is `Match`. The size is linear in that of the pattern: repetitions
//! are counted when they run.

use super::ast::{Around, Condition, Kind, Look, Mode, Node, Pattern, UNLIMITED};
use super::class::{Class, Set};
use std::collections::HashMap;
use std::rc::Rc;

/// An instruction. Places in the program are indices.
#[derive(Clone, Copy)]
pub(super) enum Inst {
    Byte(u8),
    /// A character of a set, by its index.
    Set(u32),
    /// A set, so many times.
    Run {
        set: u32,
        min: u32,
        max: u32,
        mode: Mode,
    },
    Jump(u32),
    /// The next instruction, or else that one.
    Split(u32),
    /// That one, or else the next instruction.
    SplitBack(u32),
    Open(u32),
    Close(u32),
    Look(Look),
    Keep,
    BackReference {
        reference: u32,
        caseless: bool,
    },
    /// So many characters back.
    Back(u32),
    /// A counted loop begins: its number.
    LoopInit(u32),
    /// Another iteration, or not.
    LoopNext(u32),
    LoopEnter(u32),
    /// The end of an iteration.
    LoopBack(u32),
    /// Notes the place in the stack and the subject, in that register and the next.
    Mark(u32),
    /// Nothing since that mark is tried again.
    Cut(u32),
    /// The same, and back to where the mark was in the subject.
    CutAndReturn(u32),
    /// Undoes everything since that mark, returns to it, and goes there.
    UndoAndJump(u32, u32),
    /// Goes there if no group of these has matched.
    UnlessGroup(u32, u32),
    Fail,
    Match,
}

/// What a counted loop does: `count` is its first register, and the place where an iteration began the next.
#[derive(Clone, Copy)]
pub(super) struct Loop {
    pub register: u32,
    pub min: u32,
    pub max: u32,
    pub lazy: bool,
    pub head: u32,
    pub exit: u32,
}

/// The instructions, and what they refer to.
pub(super) struct Program {
    pub code: Vec<Inst>,
    pub sets: Vec<Set>,
    pub loops: Vec<Loop>,
    pub references: Vec<Vec<u32>>,
    pub registers: u32,
    pub utf8: bool,
    pub unset_is_empty: bool,
    /// Can match only where the search begins.
    pub anchored: bool,
    /// The bytes a match can begin with; `None` if it can be empty.
    pub first: Option<[u64; 4]>,
}

/// Registers come in this order: where `\K` was; for each group from 1 on, where it began and ended last and where it was opened.
pub(super) const KEEP: u32 = 0;

/// The first of the three registers of a group.
pub(super) fn group_register(group: u32) -> u32 {
    1 + (group.saturating_sub(1)) * 3
}

struct Builder<'a> {
    program: Program,
    pattern: &'a Pattern,
    /// The sets of classes that are shared.
    known: HashMap<*const Class, u32>,
}

impl Program {
    pub fn new(pattern: &Pattern) -> Program {
        let mut first = [0; 4];
        let consumes = !first_bytes(&pattern.root, pattern.utf8, &mut first);
        let program = Program {
            code: Vec::new(),
            sets: Vec::new(),
            loops: Vec::new(),
            references: pattern.references.clone(),
            registers: group_register(pattern.groups + 1),
            utf8: pattern.utf8,
            unset_is_empty: pattern.unset_is_empty,
            anchored: is_anchored(&pattern.root),
            first: consumes.then_some(first),
        };
        let mut builder = Builder {
            program,
            pattern,
            known: HashMap::new(),
        };
        builder.node(&pattern.root);
        builder.emit(Inst::Match);
        builder.program
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.code.len() * size_of::<Inst>()
            + self.sets.iter().map(Set::size).sum::<usize>()
            + self.loops.len() * size_of::<Loop>()
            + (self.references.iter())
                .map(|groups| 24 + groups.len() * 4)
                .sum::<usize>()
    }
}

impl Builder<'_> {
    fn here(&self) -> u32 {
        // A pattern has 64 KiB, and a part of it makes a few instructions.
        self.program.code.len() as u32
    }

    fn emit(&mut self, inst: Inst) -> usize {
        self.program.code.push(inst);
        self.program.code.len() - 1
    }

    fn patch(&mut self, at: usize, inst: Inst) {
        if let Some(place) = self.program.code.get_mut(at) {
            *place = inst;
        }
    }

    fn registers(&mut self, n: u32) -> u32 {
        let first = self.program.registers;
        self.program.registers += n;
        first
    }

    fn shared_set(&mut self, class: &Rc<Class>) -> u32 {
        let address = Rc::as_ptr(class);
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let set = self.set(class);
        self.known.insert(address, set);
        set
    }

    fn set(&mut self, class: &Class) -> u32 {
        let set = Set::new(class);
        let sets = &mut self.program.sets;
        // The same one is often used again.
        let known = sets.iter().rev().take(16).position(|other| *other == set);
        match known {
            Some(back) => (sets.len() - 1 - back) as u32,
            None => {
                sets.push(set);
                (sets.len() - 1) as u32
            }
        }
    }

    fn char(&mut self, c: u32) {
        if !self.pattern.utf8 {
            self.emit(Inst::Byte(c as u8));
            return;
        }
        let mut buffer = [0; 4];
        let c = char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER);
        for byte in c.encode_utf8(&mut buffer).bytes() {
            self.emit(Inst::Byte(byte));
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Empty => {}
            Kind::Fail => {
                self.emit(Inst::Fail);
            }
            Kind::Char(c) => self.char(*c),
            Kind::Class(class) => {
                let set = self.shared_set(class);
                self.emit(Inst::Set(set));
            }
            Kind::Look(look) => {
                self.emit(Inst::Look(*look));
            }
            Kind::Keep => {
                self.emit(Inst::Keep);
            }
            Kind::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Kind::Alternate(nodes) => self.alternatives(nodes, |builder, node| builder.node(node)),
            Kind::Capture(group, node) => {
                self.emit(Inst::Open(*group));
                self.node(node);
                self.emit(Inst::Close(*group));
            }
            Kind::Repeat(repeat) => self.repeat(&repeat.node, repeat.min, repeat.max, repeat.mode),
            // The same as a possessive quantifier.
            Kind::Atomic(node) if matches!(&node.kind, Kind::Repeat(repeat) if repeat.mode == Mode::Greedy) => {
                if let Kind::Repeat(repeat) = &node.kind {
                    self.repeat(&repeat.node, repeat.min, repeat.max, Mode::Possessive);
                }
            }
            Kind::Atomic(node) => {
                let mark = self.registers(2);
                self.emit(Inst::Mark(mark));
                self.node(node);
                self.emit(Inst::Cut(mark));
            }
            Kind::Around(around) => self.around(around),
            Kind::BackReference {
                reference,
                caseless,
            } => {
                self.emit(Inst::BackReference {
                    reference: *reference as u32,
                    caseless: *caseless,
                });
            }
            Kind::Conditional(conditional) => {
                let no = conditional.no.as_ref();
                self.condition(&conditional.condition, &conditional.yes, no);
            }
        }
    }

    fn alternatives(&mut self, nodes: &[Node], mut each: impl FnMut(&mut Self, &Node)) {
        let mut ends = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            if at + 1 == nodes.len() {
                each(self, node);
                break;
            }
            let split = self.emit(Inst::Fail);
            each(self, node);
            ends.push(self.emit(Inst::Fail));
            let next = self.here();
            self.patch(split, Inst::Split(next));
        }
        let end = self.here();
        for jump in ends {
            self.patch(jump, Inst::Jump(end));
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: u32, mode: Mode) {
        if max == 0 {
            return;
        }
        if let Some(set) = self.one_character(node) {
            self.emit(Inst::Run {
                set,
                min,
                max,
                mode,
            });
            return;
        }
        if mode == Mode::Possessive && !node.nullable && max == UNLIMITED && min <= 1 {
            return self.possessive_loop(node, min);
        }
        if mode == Mode::Possessive {
            let mark = self.registers(2);
            self.emit(Inst::Mark(mark));
            self.repeat(node, min, max, Mode::Greedy);
            self.emit(Inst::Cut(mark));
            return;
        }
        let lazy = mode == Mode::Lazy;
        if max == 1 {
            self.optional(node, lazy);
        } else if !node.nullable && max == UNLIMITED && min <= 1 {
            self.plain_loop(node, min, lazy);
        } else {
            self.counted_loop(node, min, max, lazy);
        }
    }

    /// The set of what matches one character only.
    fn one_character(&mut self, node: &Node) -> Option<u32> {
        match &node.kind {
            Kind::Class(class) => Some(self.shared_set(class)),
            Kind::Char(c) => {
                let mut class = super::class::Builder::new(self.pattern.utf8);
                class.add(*c, *c);
                Some(self.set(&class.finish(false)))
            }
            _ => None,
        }
    }

    /// A split whose second way is not known yet.
    fn split(&mut self) -> usize {
        self.emit(Inst::Fail)
    }

    fn patch_split(&mut self, at: usize, to: u32, lazy: bool) {
        let split = if lazy { Inst::SplitBack } else { Inst::Split };
        self.patch(at, split(to));
    }

    fn optional(&mut self, node: &Node, lazy: bool) {
        let split = self.split();
        self.node(node);
        let end = self.here();
        self.patch_split(split, end, lazy);
    }

    fn plain_loop(&mut self, node: &Node, min: u32, lazy: bool) {
        if min == 1 {
            let head = self.here();
            self.node(node);
            self.emit(if lazy {
                Inst::Split(head)
            } else {
                Inst::SplitBack(head)
            });
            return;
        }
        let split = self.split();
        self.node(node);
        self.emit(Inst::Jump(split as u32));
        let end = self.here();
        self.patch_split(split, end, lazy);
    }

    /// A loop that forgets how to go back after each iteration, so that it can be long.
    fn possessive_loop(&mut self, node: &Node, min: u32) {
        let mark = self.registers(2);
        self.emit(Inst::Mark(mark));
        if min == 1 {
            let head = self.here();
            self.node(node);
            self.emit(Inst::Cut(mark));
            self.emit(Inst::SplitBack(head));
            return;
        }
        let split = self.split();
        self.node(node);
        self.emit(Inst::Cut(mark));
        self.emit(Inst::Jump(split as u32));
        let end = self.here();
        self.patch(split, Inst::Split(end));
    }

    fn counted_loop(&mut self, node: &Node, min: u32, max: u32, lazy: bool) {
        let number = self.program.loops.len() as u32;
        let register = self.registers(2);
        self.program.loops.push(Loop {
            register,
            min,
            max,
            lazy,
            head: 0,
            exit: 0,
        });
        self.emit(Inst::LoopInit(number));
        let head = self.here();
        self.emit(Inst::LoopNext(number));
        self.emit(Inst::LoopEnter(number));
        self.node(node);
        self.emit(Inst::LoopBack(number));
        let exit = self.here();
        if let Some(its) = self.program.loops.get_mut(number as usize) {
            (its.head, its.exit) = (head, exit);
        }
    }

    /// What an assertion is about: for one that looks behind, each alternative from where it has to begin.
    fn asserted(&mut self, around: &Around) {
        if !around.behind {
            return self.node(&around.node);
        }
        let each = |builder: &mut Self, node: &Node| {
            builder.emit(Inst::Back(node.fixed.unwrap_or(0)));
            builder.node(node);
        };
        match &around.node.kind {
            Kind::Alternate(nodes) => self.alternatives(nodes, each),
            _ => each(self, &around.node),
        }
    }

    fn around(&mut self, around: &Around) {
        let mark = self.registers(2);
        self.emit(Inst::Mark(mark));
        if !around.negative {
            self.asserted(around);
            self.emit(Inst::CutAndReturn(mark));
            return;
        }
        let split = self.split();
        self.asserted(around);
        let fail = self.here() + 1;
        self.emit(Inst::UndoAndJump(mark, fail));
        self.emit(Inst::Fail);
        let after = self.here();
        self.patch(split, Inst::Split(after));
    }

    fn condition(&mut self, condition: &Condition, yes: &Node, no: Option<&Node>) {
        match condition {
            Condition::Never => {
                if let Some(no) = no {
                    self.node(no);
                }
            }
            Condition::Group(reference) => {
                let test = self.emit(Inst::Fail);
                let other = self.both(yes, no);
                self.patch(test, Inst::UnlessGroup(*reference as u32, other));
            }
            Condition::Around(around) => {
                let mark = self.registers(2);
                self.emit(Inst::Mark(mark));
                let split = self.split();
                self.asserted(around);
                if around.negative {
                    let end = self.emit(Inst::Fail);
                    let start = self.here();
                    let other = self.both(yes, no);
                    self.patch(end, Inst::UndoAndJump(mark, other));
                    self.patch(split, Inst::Split(start));
                } else {
                    self.emit(Inst::CutAndReturn(mark));
                    let other = self.both(yes, no);
                    self.patch(split, Inst::Split(other));
                }
            }
        }
    }

    /// The one and, where the result says, the other.
    fn both(&mut self, yes: &Node, no: Option<&Node>) -> u32 {
        self.node(yes);
        let jump = self.emit(Inst::Fail);
        let other = self.here();
        if let Some(no) = no {
            self.node(no);
        }
        let end = self.here();
        self.patch(jump, Inst::Jump(end));
        other
    }
}

/// Adds the bytes that a match of the node can begin with; whether what follows it can be first as well.
fn first_bytes(node: &Node, utf8: bool, first: &mut [u64; 4]) -> bool {
    match &node.kind {
        Kind::Char(c) => {
            let mut buffer = [0; 4];
            let byte = match char::from_u32(*c) {
                Some(c) if utf8 => c.encode_utf8(&mut buffer).bytes().next().unwrap_or(0),
                _ => *c as u8,
            };
            first[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        Kind::Class(class) => Set::new(class).add_first_bytes(utf8, first),
        Kind::Concat(nodes) => return nodes.iter().all(|node| first_bytes(node, utf8, first)),
        Kind::Alternate(nodes) => nodes.iter().for_each(|node| {
            first_bytes(node, utf8, first);
        }),
        Kind::Capture(_, node) | Kind::Atomic(node) => return first_bytes(node, utf8, first),
        Kind::Repeat(repeat) if repeat.max > 0 => {
            first_bytes(&repeat.node, utf8, first);
        }
        Kind::BackReference { .. } => *first = [u64::MAX; 4],
        Kind::Conditional(conditional) => {
            first_bytes(&conditional.yes, utf8, first);
            if let Some(no) = &conditional.no {
                first_bytes(no, utf8, first);
            }
        }
        Kind::Empty
        | Kind::Fail
        | Kind::Look(_)
        | Kind::Keep
        | Kind::Around(_)
        | Kind::Repeat(_) => {}
    }
    node.nullable
}

/// Whether a match can only be where the search begins (`\A` after that matches nowhere).
fn is_anchored(node: &Node) -> bool {
    match &node.kind {
        Kind::Look(Look::Start | Look::SearchStart) => true,
        Kind::Concat(nodes) => nodes.first().is_some_and(is_anchored),
        Kind::Alternate(nodes) => nodes.iter().all(is_anchored),
        Kind::Capture(_, node) | Kind::Atomic(node) => is_anchored(node),
        _ => false,
    }
}
