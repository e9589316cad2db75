//! One attempt at a match, from one place of the subject: what the instructions do.
//!
//! **Invariant:** an instruction that does more than a few steps counts them, and a long run stops when the budget is used up.

use super::{Entry, MAX_STACK, Outcome, RunSoFar, Search, UNSET};
use crate::ngx::re::ast::{Look, Mode, UNLIMITED};
use crate::ngx::re::program::{Inst, KEEP, Program, group_register};
use crate::ngx::re::text::{decode, previous, same_but_case};

/// PCRE's numbers for a back reference and for a condition, where the longest match is looked for.
const UNSUITED_REFERENCE: i32 = -16;
const UNSUITED_CONDITION: i32 = -17;

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// One slice of an attempt.
pub(super) struct Attempt<'a> {
    pub search: &'a mut Search,
    pub program: &'a Program,
    pub subject: &'a [u8],
    pub budget: &'a mut u64,
}

impl Attempt<'_> {
    /// Goes on until it matches, fails everywhere, or the budget is used up.
    pub fn run(mut self) -> Outcome {
        loop {
            if *self.budget == 0 {
                return Outcome::Paused;
            }
            *self.budget -= 1;
            let Some(inst) = self.program.code.get(self.search.pc).copied() else {
                return Outcome::NoMatch;
            };
            if matches!(inst, Inst::Match) {
                if !self.search.longest {
                    return Outcome::Matched;
                }
                let at = self.search.at;
                self.search.best = Some(self.search.best.map_or(at, |best| best.max(at)));
            }
            if self.search.longest {
                match inst {
                    Inst::BackReference { .. } => return Outcome::Unsuited(UNSUITED_REFERENCE),
                    Inst::UnlessGroup(..) => return Outcome::Unsuited(UNSUITED_CONDITION),
                    _ => {}
                }
            }
            self.search.pc += 1;
            let goes_on = !matches!(inst, Inst::Match) && self.step(inst);
            if !goes_on && !self.fail() {
                return Outcome::NoMatch;
            }
            if self.search.stack.len() >= MAX_STACK {
                return Outcome::LimitReached;
            }
        }
    }

    /// Counts work besides the step itself.
    fn count(&mut self, steps: usize) {
        *self.budget = self.budget.saturating_sub(steps as u64);
    }

    fn branch(&mut self, pc: u32) {
        let at = self.search.at as u32;
        self.search.stack.push(Entry::Branch { pc, at });
    }

    /// One instruction; false if it does not match. The next one is already set.
    #[inline(always)]
    fn step(&mut self, inst: Inst) -> bool {
        let search = &mut *self.search;
        match inst {
            Inst::Byte(byte) => {
                let there = self.subject.get(search.at) == Some(&byte);
                search.at += usize::from(there);
                there
            }
            Inst::Set(set) => self.one_of(set),
            Inst::Run {
                set,
                min,
                max,
                mode,
            } => self.run_of(set, min, max, mode),
            Inst::Jump(to) => {
                search.pc = to as usize;
                true
            }
            Inst::Split(other) => {
                self.branch(other);
                true
            }
            Inst::SplitBack(other) => {
                let next = search.pc as u32;
                search.pc = other as usize;
                self.branch(next);
                true
            }
            Inst::Open(group) => {
                let at = search.at as u32;
                search.change(group_register(group) + 2, at);
                true
            }
            Inst::Close(group) => {
                let first = group_register(group);
                let (from, to) = (search.register(first + 2), search.at as u32);
                search.change(first, from);
                search.change(first + 1, to);
                true
            }
            Inst::Look(look) => self.look(look),
            Inst::Keep => {
                let at = search.at as u32;
                search.change(KEEP, at);
                true
            }
            Inst::BackReference {
                reference,
                caseless,
            } => self.back_reference(reference, caseless),
            Inst::Back(characters) => self.back(characters),
            Inst::LoopInit(_) | Inst::LoopNext(_) | Inst::LoopEnter(_) | Inst::LoopBack(_) => {
                self.loop_step(inst)
            }
            Inst::Mark(register) => {
                let (height, at) = (search.stack.len() as u32, search.at as u32);
                search.set(register, height);
                search.set(register + 1, at);
                true
            }
            Inst::Cut(register) => {
                let height = search.register(register) as usize;
                let entries = search.cut(height);
                self.count(entries / 8);
                true
            }
            Inst::CutAndReturn(register) => {
                let height = search.register(register) as usize;
                search.at = search.register(register + 1) as usize;
                let entries = search.cut(height);
                self.count(entries / 8);
                true
            }
            Inst::UndoAndJump(register, to) => {
                let height = search.register(register) as usize;
                search.at = search.register(register + 1) as usize;
                search.pc = to as usize;
                let entries = search.undo(height);
                self.count(entries / 8);
                true
            }
            Inst::UnlessGroup(reference, other) => {
                if self.group(reference).is_none() {
                    self.search.pc = other as usize;
                }
                true
            }
            Inst::Fail | Inst::Match => false,
        }
    }

    /// Goes back to the last branch; false if there is none.
    fn fail(&mut self) -> bool {
        loop {
            let Some(entry) = self.search.stack.pop() else {
                return false;
            };
            match entry {
                Entry::Register { index, value } => self.search.set(index, value),
                Entry::Branch { pc, at } => {
                    (self.search.pc, self.search.at) = (pc as usize, at as usize);
                    return true;
                }
                Entry::Greedy { pc, at, least } => {
                    let at = previous(self.program.utf8, self.subject, at as usize, least as usize);
                    if at > least as usize {
                        let at = at as u32;
                        self.search.stack.push(Entry::Greedy { pc, at, least });
                    }
                    (self.search.pc, self.search.at) = (pc as usize, at);
                    return true;
                }
                Entry::Lazy { pc, at, more } => {
                    if self.one_more(pc, at as usize, more) {
                        return true;
                    }
                }
            }
        }
    }

    /// A lazy run, whose next instruction is at `pc`, takes another character.
    fn one_more(&mut self, pc: u32, at: usize, more: u32) -> bool {
        let run = (pc as usize)
            .checked_sub(1)
            .and_then(|run| self.program.code.get(run));
        let Some(Inst::Run { set, .. }) = run.copied() else {
            return false;
        };
        let Some(length) = self.member(set, at) else {
            return false;
        };
        let at = at + length;
        if more > 1 {
            let (at, more) = (at as u32, more - 1);
            self.search.stack.push(Entry::Lazy { pc, at, more });
        }
        (self.search.pc, self.search.at) = (pc as usize, at);
        true
    }

    /// The length of the character at a place, if it is in a set.
    #[inline]
    fn member(&self, set: u32, at: usize) -> Option<usize> {
        let set = self.program.sets.get(set as usize)?;
        let byte = *self.subject.get(at)?;
        if !self.program.utf8 || byte < 0x80 {
            return set.has_low(byte).then_some(1);
        }
        if set.is_ascii() {
            return None;
        }
        let (c, length) = decode(self.subject, at)?;
        set.has_high(c).then_some(length)
    }

    #[inline]
    fn one_of(&mut self, set: u32) -> bool {
        let length = self.member(set, self.search.at);
        self.search.at += length.unwrap_or(0);
        length.is_some()
    }

    fn run_of(&mut self, set: u32, min: u32, max: u32, mode: Mode) -> bool {
        let start = self.search.at;
        let mut run = self.search.run.take().unwrap_or(RunSoFar {
            at: start,
            count: 0,
            least: start,
        });
        let wanted = if mode == Mode::Lazy { min } else { max };
        let begun = run.at;
        let pause = begun.saturating_add((*self.budget as usize).saturating_mul(4));
        while run.count < wanted {
            if run.count == min {
                run.least = run.at;
            }
            if run.at >= pause {
                // The same instruction goes on with it.
                self.search.run = Some(run);
                self.search.pc -= 1;
                *self.budget = 0;
                return true;
            }
            match self.member(set, run.at) {
                Some(length) => run.at += length,
                None => break,
            }
            run.count += 1;
        }
        self.count((run.at - begun) / 4);
        if run.count < min {
            return false;
        }
        if run.count == min {
            run.least = run.at;
        }
        let (at, least) = (run.at, run.least);
        self.search.at = at;
        let pc = self.search.pc as u32;
        match mode {
            Mode::Greedy if at > least => self.search.stack.push(Entry::Greedy {
                pc,
                at: at as u32,
                least: least as u32,
            }),
            Mode::Lazy if max > min => self.search.stack.push(Entry::Lazy {
                pc,
                at: at as u32,
                more: max - min,
            }),
            _ => {}
        }
        true
    }

    fn look(&self, look: Look) -> bool {
        let (at, length) = (self.search.at, self.subject.len());
        let newline = |at: usize| self.subject.get(at) == Some(&b'\n');
        let after_newline = at.checked_sub(1).is_some_and(newline);
        let boundary = || {
            let before = at
                .checked_sub(1)
                .and_then(|before| self.subject.get(before));
            is_word(before) != is_word(self.subject.get(at))
        };
        match look {
            Look::Start => at == 0,
            Look::End => at == length,
            Look::EndOrNewline => at == length || (at + 1 == length && newline(at)),
            Look::LineStart => at == 0 || (after_newline && at < length),
            Look::LineEnd => at == length || newline(at),
            Look::WordBoundary => boundary(),
            Look::NotWordBoundary => !boundary(),
            Look::SearchStart => at == self.search.from,
        }
    }

    fn back(&mut self, characters: u32) -> bool {
        self.count(characters as usize / 4);
        if !self.program.utf8 {
            return match self.search.at.checked_sub(characters as usize) {
                Some(at) => {
                    self.search.at = at;
                    true
                }
                None => false,
            };
        }
        for _ in 0..characters {
            if self.search.at == 0 {
                return false;
            }
            self.search.at = previous(true, self.subject, self.search.at, 0);
        }
        true
    }

    /// Where the first group of a reference that has matched is.
    fn group(&mut self, reference: u32) -> Option<(usize, usize)> {
        let groups = self.program.references.get(reference as usize)?;
        *self.budget = self.budget.saturating_sub(groups.len() as u64 / 16);
        groups.iter().find_map(|group| {
            let first = group_register(*group);
            match (self.search.register(first), self.search.register(first + 1)) {
                (UNSET, _) | (_, UNSET) => None,
                (from, to) => Some((from as usize, to as usize)),
            }
        })
    }

    fn back_reference(&mut self, reference: u32, caseless: bool) -> bool {
        let Some((from, to)) = self.group(reference) else {
            return self.program.unset_is_empty;
        };
        let Some(text) = self.subject.get(from..to) else {
            return false;
        };
        let at = self.search.at;
        let Some(rest) = self.subject.get(at..) else {
            return false;
        };
        let length = match (caseless, self.program.utf8) {
            (false, _) => rest.starts_with(text).then_some(text.len()),
            (true, false) => (rest.get(..text.len()))
                .is_some_and(|there| there.eq_ignore_ascii_case(text))
                .then_some(text.len()),
            (true, true) => same_but_case(text, rest),
        };
        self.count(text.len() / 8);
        match length {
            Some(length) => {
                self.search.at = at + length;
                true
            }
            None => false,
        }
    }

    fn loop_step(&mut self, inst: Inst) -> bool {
        let (Inst::LoopInit(number)
        | Inst::LoopNext(number)
        | Inst::LoopEnter(number)
        | Inst::LoopBack(number)) = inst
        else {
            return false;
        };
        let Some(its) = self.program.loops.get(number as usize).copied() else {
            return false;
        };
        let search = &mut *self.search;
        let count = search.register(its.register);
        match inst {
            Inst::LoopInit(_) => search.change(its.register, 0),
            Inst::LoopNext(_) if count < its.min => {}
            Inst::LoopNext(_) if count >= its.max => search.pc = its.exit as usize,
            Inst::LoopNext(_) if its.lazy => {
                let enter = search.pc as u32;
                self.branch(enter);
                self.search.pc = its.exit as usize;
            }
            Inst::LoopNext(_) => self.branch(its.exit),
            Inst::LoopEnter(_) => {
                let at = search.at as u32;
                search.change(its.register, count.saturating_add(1));
                search.change(its.register + 1, at);
            }
            _ => {
                let is_empty = search.register(its.register + 1) as usize == search.at;
                // An iteration that took nothing is the last, where there is no other end.
                let next = if is_empty && count >= its.min && its.max == UNLIMITED {
                    its.exit
                } else {
                    its.head
                };
                search.pc = next as usize;
            }
        }
        true
    }
}
