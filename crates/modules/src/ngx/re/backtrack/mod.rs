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

mod attempt;

use super::program::{KEEP, Program, group_register};
use super::text::character_length;
use attempt::Attempt;

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
