//! One pattern search by a native: compiling, matching in steps that are charged, and what a match gives.
//!
//! **Invariant:** a [`Search`] holds no heap object. The subject and the pattern are arguments (or upvalues) of the native
//! that searches, so they outlive it; the native passes the subject anew to each step.
//!
//! Short patterns are kept compiled in a cache for each thread, not for each VM: programs refer to nothing in a heap, and
//! a thousand idle VMs should not keep a cache each. The cache is never larger than [`CACHE_SLOTS`] programs of
//! patterns up to [`MAX_CACHED`] bytes.

use super::pattern::{Capture, Matcher, PatternError, Program, Progress};
use crate::dialect::Dialect;
use crate::native::{Action, Buffer, Ctx, NativeResult, Thrown};
use crate::value::Val;
use crate::vm::Vm;
use std::cell::RefCell;
use std::rc::Rc;

const CACHE_SLOTS: usize = 128;
const MAX_CACHED: usize = 128;
/// Steps a match may take before it looks whether it should pause.
const STEPS_AT_ONCE: u64 = 20_000;
/// Steps of a quick form.
const QUICK_STEPS: u64 = 500;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { programs: Vec::new(), matcher: Matcher::new() }) };
}

/// What searches leave to those that come after them.
struct Kept {
    programs: Vec<Option<Rc<Program>>>,
    /// With warm buffers.
    matcher: Matcher,
}

/// The slot of a pattern: a hash of its ends and length, enough to spread patterns that people write.
fn cache_slot(pattern: &[u8], anchor: bool) -> usize {
    let mut word = [0u8; 8];
    let head = pattern.len().min(8);
    word[..head].copy_from_slice(&pattern[..head]);
    let mut tail = [0u8; 8];
    tail[..head].copy_from_slice(&pattern[pattern.len() - head..]);
    let mixed = u64::from_le_bytes(word)
        ^ u64::from_le_bytes(tail).rotate_left(23)
        ^ (pattern.len() as u64 * 2 + u64::from(anchor)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 57) as usize
}

impl Kept {
    #[inline]
    fn find<'a>(
        programs: &'a [Option<Rc<Program>>],
        pattern: &[u8],
        anchor: bool,
    ) -> Option<&'a Rc<Program>> {
        let program = programs.get(cache_slot(pattern, anchor))?.as_ref()?;
        (program.pattern() == pattern && program.may_anchor() == anchor).then_some(program)
    }

    fn keep(&mut self, program: &Rc<Program>) {
        self.programs.resize(CACHE_SLOTS, None);
        let slot = cache_slot(program.pattern(), program.may_anchor());
        self.programs[slot] = Some(Rc::clone(program));
    }
}

/// What a native looks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub subject: &'a [u8],
    pub pattern: &'a [u8],
    /// Whether a leading `^` ties the match to the start.
    pub anchor: bool,
    /// Where the search starts.
    pub init: usize,
    /// A match that ends here is passed over.
    pub not_ending_at: Option<usize>,
}

/// How far a search with the kept matcher has come.
enum Begun {
    Answered(Action),
    /// The matcher is in the middle of it.
    Paused,
    /// The pattern is not kept.
    Unknown,
}

/// What a native does with the answer of a search.
pub(super) type Found = fn(&mut Ctx<'_>, &Match<'_>, Progress) -> NativeResult;

/// Searches, and gives the answer to `found`; or, if it has to pause before there is one, a search to go on with.
///
/// PERF: the common search, short and with a known pattern, is done where the kept matcher lies; moving it out and
/// back took a fifth of the time of a short `find`.
pub(super) fn search(
    ctx: &mut Ctx<'_>,
    wanted: Wanted<'_>,
    found: Found,
) -> Result<Result<Action, Search>, Thrown> {
    let Wanted {
        subject,
        pattern,
        anchor,
        init,
        not_ending_at,
    } = wanted;
    let begun = KEPT.with_borrow_mut(|kept| {
        let Some(program) = Kept::find(&kept.programs, pattern, anchor) else {
            return Ok(Begun::Unknown);
        };
        let matcher = &mut kept.matcher;
        matcher.begin(program, init, not_ending_at);
        let steps = ctx.steps_left().min(STEPS_AT_ONCE);
        let mut left = steps;
        let progress = matcher.run(program, subject, &mut left);
        ctx.charge((steps - left) as usize);
        match progress {
            Ok(Progress::Paused) => Ok(Begun::Paused),
            Ok(progress) => {
                let view = Match {
                    program,
                    matcher,
                    subject,
                };
                found(ctx, &view, progress).map(Begun::Answered)
            }
            Err(error) => Err(pattern_error(ctx, error)),
        }
    })?;
    let paused = match begun {
        Begun::Answered(action) => return Ok(Ok(action)),
        Begun::Paused => Search::of_kept(ctx, wanted),
        Begun::Unknown => None,
    };
    let mut search = match paused {
        Some(search) => search,
        None => {
            let mut search = Search::new(ctx, pattern, anchor, init)?;
            search.pass_over(not_ending_at);
            search
        }
    };
    match search.step(ctx, subject)? {
        Progress::Paused => Ok(Err(search)),
        progress => found(ctx, &search.view(subject), progress).map(Ok),
    }
}

/// The span of a match, and its first value.
type Answer = ((usize, usize), Capture);

/// A search that is over soon, for quick forms: `None`, with nothing but fuel spent, where the pattern is not known yet, has a mistake
/// or takes many steps, or where a match has more than `one` value.
pub(super) fn search_quickly(
    vm: &mut Vm,
    subject: &[u8],
    pattern: &[u8],
    init: usize,
    one: bool,
) -> Option<Option<Answer>> {
    with_kept(pattern, |program, matcher| {
        matcher.begin(program, init, None);
        if !one && matcher.value_count() > 1 {
            return None;
        }
        let mut left = QUICK_STEPS;
        let progress = matcher.run(program, subject, &mut left);
        vm.heap.spend((QUICK_STEPS - left) as i64);
        match progress {
            Ok(Progress::Match { start, end }) => {
                let first = matcher.capture(program, 0, start, end).ok()?;
                Some(Some(((start, end), first)))
            }
            Ok(Progress::NoMatch) => Some(None),
            Ok(Progress::Paused) | Err(_) => None,
        }
    })
}

/// What `search` makes of the program of a pattern that may be anchored, if it is kept, and the kept matcher.
#[inline]
pub(super) fn with_kept<R>(
    pattern: &[u8],
    search: impl FnOnce(&Program, &mut Matcher) -> Option<R>,
) -> Option<R> {
    KEPT.with_borrow_mut(|kept| {
        let program = Kept::find(&kept.programs, pattern, true)?;
        search(program, &mut kept.matcher)
    })
}

/// A match in its subject.
pub(super) struct Match<'a> {
    program: &'a Program,
    matcher: &'a Matcher,
    subject: &'a [u8],
}

impl Match<'_> {
    /// How many values the match gives: its captures, or itself.
    pub(super) fn value_count(&self) -> usize {
        self.matcher.value_count()
    }

    /// Value `index` of the match `span` of the subject.
    pub(super) fn value(
        &self,
        ctx: &mut Ctx<'_>,
        index: usize,
        span: (usize, usize),
    ) -> Result<Val, Thrown> {
        match self.capture(ctx, index, span)? {
            Capture::Span { start, end } => {
                ctx.charge((end - start) / 16);
                ctx.new_str(&self.subject[start..end]).map(Val::str)
            }
            Capture::Position(at) => Ok(Val::int(at as i64 + 1)),
        }
    }

    /// As [`Match::value`], without making a string.
    pub(super) fn capture(
        &self,
        ctx: &mut Ctx<'_>,
        index: usize,
        (start, end): (usize, usize),
    ) -> Result<Capture, Thrown> {
        self.matcher
            .capture(self.program, index, start, end)
            .map_err(|error| match error {
                PatternError::InvalidIndex(_) if ctx.vm.dialect < Dialect::Lua53 => {
                    ctx.error("invalid capture index")
                }
                error => pattern_error(ctx, error),
            })
    }

    /// Pushes the captures of the match, or with `whole`, if it has none, the match itself.
    pub(super) fn push_values(
        &self,
        ctx: &mut Ctx<'_>,
        span: (usize, usize),
        whole: bool,
    ) -> Result<usize, Thrown> {
        let count = if whole {
            self.value_count()
        } else {
            self.matcher.capture_count()
        };
        ctx.reserve(count)?;
        for index in 0..count {
            let v = self.value(ctx, index, span)?;
            ctx.push(v);
        }
        ctx.charge(count);
        Ok(count)
    }
}

/// A search for a pattern, possibly one after the other in the same subject.
pub(super) struct Search {
    program: Rc<Program>,
    matcher: Matcher,
    compiled: bool,
    /// Where the search under way starts, and what it passes over (see `Matcher::begin`).
    init: usize,
    not_ending_at: Option<usize>,
    /// Stays empty: its reserve stands for the memory of a program that is not in the cache, and of a matcher that is
    /// kept while paused, so that these count against the VM's limit.
    ballast: Buffer,
}

impl Search {
    /// Prepares a search from byte `init` on.
    pub(super) fn new(
        ctx: &mut Ctx<'_>,
        pattern: &[u8],
        anchor: bool,
        init: usize,
    ) -> Result<Search, Thrown> {
        let mut ballast = ctx.buffer();
        let (found, matcher) = KEPT.with_borrow_mut(|kept| {
            (
                Kept::find(&kept.programs, pattern, anchor).map(Rc::clone),
                std::mem::take(&mut kept.matcher),
            )
        });
        let compiled = found.is_some() || pattern.len() <= MAX_CACHED;
        let program = match found {
            Some(program) => program,
            None if compiled => {
                ctx.charge(4 + pattern.len());
                let program = Rc::new(Program::compile(pattern, anchor));
                KEPT.with_borrow_mut(|kept| kept.keep(&program));
                program
            }
            None => {
                ctx.charge(pattern.len() / 16);
                ballast.reserve(ctx, Program::memory_bound(pattern.len()))?;
                let program = Program::new(pattern, anchor);
                Rc::new(match ctx.vm.strict {
                    true => program.limit_levels(),
                    false => program,
                })
            }
        };
        let mut search = Search {
            program,
            matcher,
            compiled,
            init,
            not_ending_at: None,
            ballast,
        };
        if compiled {
            search.matcher.begin(&search.program, init, None);
        }
        Ok(search)
    }

    /// The search that the kept matcher is in the middle of.
    fn of_kept(ctx: &mut Ctx<'_>, wanted: Wanted<'_>) -> Option<Search> {
        KEPT.with_borrow_mut(|kept| {
            let program = Kept::find(&kept.programs, wanted.pattern, wanted.anchor)?;
            Some(Search {
                program: Rc::clone(program),
                matcher: std::mem::take(&mut kept.matcher),
                compiled: true,
                init: wanted.init,
                not_ending_at: wanted.not_ending_at,
                ballast: ctx.buffer(),
            })
        })
    }

    /// Prepares the next search, after a match that ended at `end`; a match that ends there again is passed over.
    pub(super) fn go_on(&mut self, end: usize) {
        (self.init, self.not_ending_at) = (end, Some(end));
        self.matcher.begin(&self.program, end, Some(end));
    }

    /// As `go_on`, by the rules before 5.3: the next match may end where the last one did.
    pub(super) fn go_on_touching(&mut self, from: usize) {
        (self.init, self.not_ending_at) = (from, None);
        self.matcher.begin(&self.program, from, None);
    }

    /// Passes over a match that ends at `end` in the search that has just been prepared.
    pub(super) fn pass_over(&mut self, end: Option<usize>) {
        self.not_ending_at = end;
        if self.compiled {
            self.matcher.begin(&self.program, self.init, end);
        }
    }

    /// Whether the pattern is tied to where the search starts.
    pub(super) fn is_anchored(&self) -> bool {
        self.program.is_anchored()
    }

    /// Searches until there is an answer or the native should pause.
    pub(super) fn step(&mut self, ctx: &mut Ctx<'_>, subject: &[u8]) -> Result<Progress, Thrown> {
        loop {
            let steps = ctx.steps_left().min(STEPS_AT_ONCE);
            let mut left = steps;
            let progress = self.advance(subject, &mut left);
            ctx.charge((steps - left) as usize);
            match progress {
                Ok(Progress::Paused) if !ctx.should_pause() => {}
                Ok(Progress::Paused) => {
                    let bytes = self.matcher.memory();
                    self.ballast.reserve(ctx, bytes)?;
                    return Ok(Progress::Paused);
                }
                Ok(progress) => return Ok(progress),
                Err(error) => return Err(pattern_error(ctx, error)),
            }
        }
    }

    fn advance(&mut self, subject: &[u8], left: &mut u64) -> Result<Progress, PatternError> {
        if !self.compiled {
            // A program that is not compiled yet is in no cache, so this is its only owner.
            if let Some(program) = Rc::get_mut(&mut self.program)
                && !program.compile_more(left)
            {
                return Ok(Progress::Paused);
            }
            self.compiled = true;
            self.matcher
                .begin(&self.program, self.init, self.not_ending_at);
        }
        self.matcher.run(&self.program, subject, left)
    }

    /// The match that was found last.
    pub(super) fn view<'a>(&'a self, subject: &'a [u8]) -> Match<'a> {
        Match {
            program: &self.program,
            matcher: &self.matcher,
            subject,
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let mut matcher = std::mem::take(&mut self.matcher);
        matcher.shrink();
        // Not available while the thread ends, or while a match is dealt with and a collection frees this: then the
        // matcher is just dropped.
        let _ = KEPT.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut() {
                kept.matcher = matcher;
            }
        });
    }
}

#[cold]
fn pattern_error(ctx: &mut Ctx<'_>, error: PatternError) -> Thrown {
    match error {
        PatternError::InvalidIndex(_) if ctx.vm.dialect < Dialect::Lua52 => {
            ctx.error("invalid capture index")
        }
        PatternError::MissingBalance if ctx.vm.dialect < Dialect::Lua52 => {
            ctx.error("unbalanced pattern")
        }
        error => ctx.error(&error.to_string()),
    }
}
