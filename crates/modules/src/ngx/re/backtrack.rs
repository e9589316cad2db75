//! The backtracking engine: everything that PCRE has and the linear engine does not, and subjects that are too long for that one.
//!
//! It works as PCRE's own does, on a stack of what is to be tried otherwise and of what is to be put back, and counts steps: a search
//! that takes longer than one call of the host may take pauses and is continued.
//!
//! ```text
//!  Search::new ──> run ──> Paused ──> run ──> ... ──> Matched | NoMatch | LimitReached
//! ```
//!
//! **Invariants:** between two looks at the budget there is work of a few steps, or such as is counted (a run, a text compared).
//! The stack has at most [`MAX_STACK`] entries; an attempt at one place takes at most [`MATCH_LIMIT`] steps. Nothing here depends
//! on the subject being the same, or UTF-8, from one `run` to the next.

use super::ast::{Look, Mode, UNLIMITED};
use super::program::{Inst, KEEP, Program, group_register};
use super::text::{character_length, decode, previous, same_but_case};

/// Steps of an attempt at one place: some five are what PCRE counts as one, of which its default is 10 million.
pub(super) const MATCH_LIMIT: u64 = 50_000_000;
/// Entries of the stack: 8 MiB.
pub(super) const MAX_STACK: usize = 1 << 19;
/// A register that is not set.
const UNSET: u32 = u32::MAX;

/// What is to be done when an attempt fails.
#[derive(Clone, Copy)]
enum Entry {
    /// Go on there.
    Branch { pc: u32, at: u32 },
    /// Put this back into a register.
    Register { index: u32, value: u32 },
    /// Take a character less, if that is not before `least`.
    Greedy { pc: u32, at: u32, least: u32 },
    /// Take a character more (the run is the instruction before), at most so many.
    Lazy { pc: u32, at: u32, more: u32 },
}

/// How a call of [`Search::run`] ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Matched,
    NoMatch,
    LimitReached,
    /// Something that there is not when the longest match is looked for, with PCRE's number.
    Unsuited(i32),
    Paused,
}

/// PCRE's numbers for a back reference and for a condition.
const UNSUITED_REFERENCE: i32 = -16;
const UNSUITED_CONDITION: i32 = -17;

/// A run of characters of a set, up to a place.
#[derive(Clone, Copy)]
struct RunSoFar {
    at: usize,
    count: u32,
    /// The least it can be cut back to.
    least: usize,
}

/// A search that is under way.
pub(super) struct Search {
    stack: Vec<Entry>,
    registers: Vec<u32>,
    /// Where the search began, for `\G`.
    from: usize,
    /// Where the attempt began.
    start: usize,
    at: usize,
    pc: usize,
    anchored: bool,
    longest: bool,
    best: Option<usize>,
    /// Whether an attempt is under way.
    trying: bool,
    /// How far a long run has come that was interrupted.
    run: Option<RunSoFar>,
    steps: u64,
}

impl Search {
    /// A search from `from` on; with `longest`, for the longest match at the first place that has one.
    pub fn new(program: &Program, from: usize, anchored: bool, longest: bool) -> Search {
        Search {
            stack: Vec::new(),
            registers: vec![UNSET; program.registers as usize],
            from,
            start: from,
            at: from,
            pc: 0,
            anchored: anchored || program.anchored,
            longest,
            best: None,
            trying: false,
            run: None,
            steps: 0,
        }
    }

    /// No search: what is left where one was taken out.
    pub fn none() -> Search {
        Search {
            stack: Vec::new(),
            registers: Vec::new(),
            from: 0,
            start: usize::MAX,
            at: 0,
            pc: 0,
            anchored: true,
            longest: false,
            best: None,
            trying: false,
            run: None,
            steps: 0,
        }
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.stack.capacity() * size_of::<Entry>() + self.registers.capacity() * 4
    }

    /// The places of the match and of the groups, after [`Outcome::Matched`].
    pub fn places(&self, places: &mut [Option<(usize, usize)>]) {
        let register = |index: u32| self.register(index);
        let start = match register(KEEP) {
            UNSET => self.start,
            keep => keep as usize,
        };
        for (group, place) in (0u32..).zip(places) {
            *place = match group {
                // \K in a lookahead can be behind the end.
                0 => Some((start.min(self.at), self.at)),
                _ if self.longest => None,
                _ => {
                    let first = group_register(group);
                    match (register(first), register(first + 1)) {
                        (UNSET, _) | (_, UNSET) => None,
                        (from, to) => Some((from as usize, to as usize)),
                    }
                }
            };
        }
    }

    /// Searches on, for about so many steps. Those taken are taken off.
    pub fn run(&mut self, program: &Program, subject: &[u8], budget: &mut u64) -> Outcome {
        // Places are kept in 32 bits.
        if subject.len() >= UNSET as usize {
            return Outcome::LimitReached;
        }
        loop {
            if !self.trying {
                if !self.find_start(program, subject, budget) {
                    return Outcome::NoMatch;
                }
                if *budget == 0 {
                    return Outcome::Paused;
                }
                *budget = budget.saturating_sub(self.registers.len() as u64 / 16);
                self.begin();
            }
            let before = *budget;
            let outcome = Attempt {
                search: self,
                program,
                subject,
                budget,
            }
            .run();
            self.steps += before.saturating_sub(*budget);
            match outcome {
                Outcome::NoMatch => {
                    if let Some(best) = self.best {
                        self.at = best;
                        return Outcome::Matched;
                    }
                    self.trying = false;
                    if self.anchored {
                        return Outcome::NoMatch;
                    }
                    self.start += character_length(program.utf8, subject, self.start);
                }
                Outcome::Paused if self.steps > MATCH_LIMIT => return Outcome::LimitReached,
                outcome => return outcome,
            }
        }
    }

    fn begin(&mut self) {
        self.trying = true;
        self.stack.clear();
        self.registers.fill(UNSET);
        self.at = self.start;
        self.pc = 0;
        self.run = None;
        self.steps = 0;
    }

    /// Goes on to the next place where a match can begin; false if there is none. Short of the budget it may stop anywhere.
    fn find_start(&mut self, program: &Program, subject: &[u8], budget: &mut u64) -> bool {
        let Some(rest) = subject.get(self.start..) else {
            return false;
        };
        let Some(first) = &program.first else {
            return true;
        };
        let can_begin = |byte: &u8| first[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0;
        if self.anchored {
            return rest.first().is_some_and(can_begin);
        }
        let some = (budget.saturating_mul(4)).min(rest.len() as u64) as usize;
        let skipped = rest
            .get(..some)
            .unwrap_or_default()
            .iter()
            .position(can_begin);
        let steps = skipped.unwrap_or(some);
        *budget = budget.saturating_sub(steps as u64 / 4);
        self.start += steps;
        match skipped {
            Some(_) => true,
            None if some == rest.len() => false,
            None => {
                *budget = 0;
                true
            }
        }
    }

    #[inline]
    fn register(&self, index: u32) -> u32 {
        self.registers.get(index as usize).copied().unwrap_or(UNSET)
    }

    /// Sets a register without a way back.
    #[inline]
    fn set(&mut self, index: u32, value: u32) {
        if let Some(register) = self.registers.get_mut(index as usize) {
            *register = value;
        }
    }

    /// Sets a register until the attempt goes back.
    #[inline]
    fn change(&mut self, index: u32, value: u32) {
        let former = self.register(index);
        self.set(index, value);
        self.stack.push(Entry::Register {
            index,
            value: former,
        });
    }

    /// Takes away the branches above `height`, and keeps what is to be put back; how many entries it looked at.
    fn cut(&mut self, height: usize) -> usize {
        let Some(above) = self.stack.get(height..) else {
            return 0;
        };
        let mut looked_at = above.len();
        let mut kept = height;
        for at in height..self.stack.len() {
            if let Some(entry @ Entry::Register { .. }) = self.stack.get(at).copied() {
                if let Some(place) = self.stack.get_mut(kept) {
                    *place = entry;
                }
                kept += 1;
            }
        }
        self.stack.truncate(kept);
        if kept - height > 64 + 2 * self.registers.len() {
            looked_at += self.keep_first_values(height);
        }
        looked_at
    }

    /// Of what is to be put back above `height`, the first value of each register is the one that counts; how many entries there were.
    fn keep_first_values(&mut self, height: usize) -> usize {
        let mut seen = vec![false; self.registers.len()];
        let above = self.stack.split_off(height.min(self.stack.len()));
        let entries = above.len();
        self.stack.extend(above.into_iter().filter(|entry| {
            let Entry::Register { index, .. } = entry else {
                return true;
            };
            match seen.get_mut(*index as usize) {
                Some(seen) => !std::mem::replace(seen, true),
                None => false,
            }
        }));
        entries
    }

    /// Puts everything back that was changed above `height`; how many entries that were.
    fn undo(&mut self, height: usize) -> usize {
        let mut undone = 0;
        while self.stack.len() > height {
            if let Some(Entry::Register { index, value }) = self.stack.pop() {
                self.set(index, value);
            }
            undone += 1;
        }
        undone
    }
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// One slice of an attempt.
struct Attempt<'a> {
    search: &'a mut Search,
    program: &'a Program,
    subject: &'a [u8],
    budget: &'a mut u64,
}

impl Attempt<'_> {
    fn run(mut self) -> Outcome {
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
