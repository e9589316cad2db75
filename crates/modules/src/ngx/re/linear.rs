//! The linear engine: what has an equal in `regex_automata` runs there, in time linear in the subject.
//!
//! Not here: back references, lookaround, atomic groups, `\K`, `\G`, conditions, groups of the same number, and parts that can match nothing repeated without end
//! (whose iterations PCRE counts differently). `$` and multi-line `^` are those of `regex_automata`, which do not mind a newline at the
//! end: with such a subject the other engine is taken.
//!
//! A search whose bytes times the pattern's states are few takes `regex_automata`'s choice of engines. A longer one takes the lazy DFA alone,
//! which gives up where it would have to make states again and again: some engines that could follow take milliseconds for a kilobyte.
//!
//! **Invariants:** an engine takes at most [`NFA_BYTES`], [`ONE_PASS_BYTES`], [`LAZY_BYTES`] (each way, and once more for long subjects), and what is
//! linear in the number of its states: a pattern that is larger has no linear engine. A search does at most [`QUICK_WORK`], or reads
//! [`MAX_BYTES`] twice and makes as many states as fit into the caches a few times.

use super::ast::{Kind, Look, Mode, Node, Pattern, UNLIMITED};
use regex_automata::hybrid::{dfa, regex as lazy};
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{self, Hir};
use std::cell::RefCell;

const NFA_BYTES: usize = 256 << 10;
const ONE_PASS_BYTES: usize = 64 << 10;
const LAZY_BYTES: usize = 128 << 10;
/// Ranges of classes that are given to `regex_syntax`.
const MAX_CLASS_RANGES: usize = 20_000;
/// Levels of a tree that `regex_syntax` and `regex_automata` are given to recurse on.
const MAX_DEPTH: u16 = 300;
/// States times bytes of a search by whatever engine.
const QUICK_WORK: usize = 1 << 20;
/// Bytes of a search.
const MAX_BYTES: usize = 4 << 20;

/// A compiled pattern.
pub(super) struct Linear {
    regex: Regex,
    states: usize,
    /// States times bytes up to which a search is short.
    short_work: usize,
    utf8: bool,
    /// For long searches; made for the first.
    hir: Hir,
    scratch: RefCell<Scratch>,
}

/// What a search needs besides, made for the first and kept for the next.
#[derive(Default)]
struct Scratch {
    cache: Option<Cache>,
    slots: Vec<Option<NonMaxUsize>>,
    long: Long,
}

/// The engine for long searches.
#[derive(Default)]
enum Long {
    #[default]
    NotMade,
    /// It could not be made.
    None,
    Made(Box<(lazy::Regex, lazy::Cache)>),
}

/// How a search ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Searched {
    Found,
    NotFound,
    /// It would take too long.
    TooMuch,
}

impl Linear {
    /// `None` if it has no equal or is too large.
    pub fn new(pattern: &Pattern) -> Option<Linear> {
        if pattern.needs_backtracking
            || pattern.root.depth > MAX_DEPTH
            || pattern.class_ranges > MAX_CLASS_RANGES
        {
            return None;
        }
        let hir = translate(&pattern.root, pattern.utf8)?;
        let nfa = nfa(&hir, pattern.utf8, false)?;
        let config = Config::new()
            .utf8_empty(pattern.utf8)
            .nfa_size_limit(Some(NFA_BYTES))
            .onepass_size_limit(Some(ONE_PASS_BYTES))
            .hybrid_cache_capacity(LAZY_BYTES);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&hir)
            .ok()?;
        Some(Linear {
            regex,
            // Captures are states as well.
            states: nfa.states().len() + 2 * pattern.groups as usize,
            short_work: QUICK_WORK,
            utf8: pattern.utf8,
            hir,
            scratch: RefCell::default(),
        })
    }

    /// The same, for which every search is a long one.
    #[cfg(test)]
    pub fn always_long(mut self) -> Linear {
        self.short_work = 0;
        self
    }

    fn work(&self, bytes: usize) -> usize {
        self.states.saturating_mul(bytes)
    }

    /// Searches from `at` on. Fills in the places of the whole match and of the groups.
    pub fn search(
        &self,
        subject: &[u8],
        at: usize,
        anchored: bool,
        places: &mut [Option<(usize, usize)>],
    ) -> Searched {
        places.fill(None);
        if at > subject.len() {
            return Searched::NotFound;
        }
        let mut scratch = self.scratch.borrow_mut();
        let anchored = if anchored {
            Anchored::Yes
        } else {
            Anchored::No
        };
        let input = Input::new(subject)
            .span(at..subject.len())
            .anchored(anchored);
        if self.work(subject.len() - at) <= self.short_work {
            return self.quick(&mut scratch, &input, places);
        }
        if subject.len() - at > MAX_BYTES {
            return Searched::TooMuch;
        }
        let long = match &mut scratch.long {
            Long::Made(long) => long,
            Long::None => return Searched::TooMuch,
            not_made => {
                *not_made = self
                    .make_long()
                    .map_or(Long::None, |long| Long::Made(Box::new(long)));
                match not_made {
                    Long::Made(long) => long,
                    _ => return Searched::TooMuch,
                }
            }
        };
        let (regex, cache) = &mut **long;
        match regex.try_search(cache, &input) {
            Err(_) => Searched::TooMuch,
            Ok(None) => Searched::NotFound,
            Ok(Some(found)) => match places {
                [place] => {
                    *place = Some((found.start(), found.end()));
                    Searched::Found
                }
                _ if self.work(found.range().len()) <= QUICK_WORK => {
                    let input = input.span(found.range()).anchored(Anchored::Yes);
                    self.quick(&mut scratch, &input, places)
                }
                _ => Searched::TooMuch,
            },
        }
    }

    fn quick(
        &self,
        scratch: &mut Scratch,
        input: &Input<'_>,
        places: &mut [Option<(usize, usize)>],
    ) -> Searched {
        let Scratch { cache, slots, .. } = scratch;
        let cache = cache.get_or_insert_with(|| self.regex.create_cache());
        slots.clear();
        slots.resize(places.len() * 2, None);
        if self.regex.search_slots_with(cache, input, slots).is_none() {
            return Searched::NotFound;
        }
        for (place, slots) in places.iter_mut().zip(slots.chunks_exact(2)) {
            if let [Some(from), Some(to)] = slots {
                *place = Some((from.get(), to.get()));
            }
        }
        Searched::Found
    }

    fn make_long(&self) -> Option<(lazy::Regex, lazy::Cache)> {
        let config = dfa::Config::new()
            .cache_capacity(LAZY_BYTES)
            .minimum_cache_clear_count(Some(3));
        let build = |config: dfa::Config, reverse| {
            let nfa = nfa(&self.hir, self.utf8, reverse)?;
            dfa::Builder::new()
                .configure(config)
                .build_from_nfa(nfa)
                .ok()
        };
        let forward = build(config.clone(), false)?;
        let match_kind = regex_automata::MatchKind::All;
        let reverse = build(config.match_kind(match_kind), true)?;
        let regex = lazy::Builder::new().build_from_dfas(forward, reverse);
        let cache = regex.create_cache();
        Some((regex, cache))
    }

    /// Bytes of memory it takes now.
    pub fn size(&self) -> usize {
        let scratch = self.scratch.borrow();
        let cache = scratch.cache.as_ref().map_or(0, Cache::memory_usage);
        let long = match &scratch.long {
            Long::Made(long) => {
                let nfas = long.0.forward().get_nfa().memory_usage()
                    + long.0.reverse().get_nfa().memory_usage();
                long.1.memory_usage() + nfas
            }
            Long::None | Long::NotMade => 0,
        };
        // The tree is about as large as what is made of it.
        size_of::<Linear>()
            + 2 * self.regex.memory_usage()
            + cache
            + long
            + scratch.slots.capacity() * 8
    }
}

fn nfa(hir: &Hir, utf8: bool, reverse: bool) -> Option<NFA> {
    let captures = if reverse {
        WhichCaptures::None
    } else {
        WhichCaptures::Implicit
    };
    let config = thompson::Config::new()
        .utf8(utf8)
        .reverse(reverse)
        .nfa_size_limit(Some(NFA_BYTES))
        .which_captures(captures);
    let mut compiler = thompson::Compiler::new();
    compiler.configure(config).build_from_hir(hir).ok()
}
fn translate(node: &Node, utf8: bool) -> Option<Hir> {
    Some(match &node.kind {
        Kind::Empty => Hir::empty(),
        Kind::Fail => Hir::fail(),
        Kind::Char(c) => literal(*c, utf8)?,
        Kind::Class(class) => class.to_hir(),
        Kind::Look(look) => Hir::look(match look {
            Look::Start => hir::Look::Start,
            Look::End | Look::EndOrNewline => hir::Look::End,
            Look::LineStart => hir::Look::StartLF,
            Look::LineEnd => hir::Look::EndLF,
            Look::WordBoundary => hir::Look::WordAscii,
            Look::NotWordBoundary => hir::Look::WordAsciiNegate,
            Look::SearchStart => return None,
        }),
        Kind::Concat(nodes) => Hir::concat(translate_all(nodes, utf8)?),
        Kind::Alternate(nodes) => Hir::alternation(translate_all(nodes, utf8)?),
        Kind::Capture(group, node) => Hir::capture(hir::Capture {
            index: *group,
            name: None,
            sub: Box::new(translate(node, utf8)?),
        }),
        Kind::Repeat(repeat) => Hir::repetition(hir::Repetition {
            min: repeat.min,
            max: (repeat.max != UNLIMITED).then_some(repeat.max),
            greedy: match repeat.mode {
                Mode::Greedy => true,
                Mode::Lazy => false,
                Mode::Possessive => return None,
            },
            sub: Box::new(translate(&repeat.node, utf8)?),
        }),
        Kind::Keep
        | Kind::Atomic(_)
        | Kind::Around(_)
        | Kind::BackReference { .. }
        | Kind::Conditional(_) => return None,
    })
}

fn translate_all(nodes: &[Node], utf8: bool) -> Option<Vec<Hir>> {
    nodes.iter().map(|node| translate(node, utf8)).collect()
}

fn literal(c: u32, utf8: bool) -> Option<Hir> {
    if utf8 {
        let mut buffer = [0; 4];
        let text = char::from_u32(c)?.encode_utf8(&mut buffer);
        Some(Hir::literal(text.as_bytes()))
    } else {
        Some(Hir::literal([u8::try_from(c).ok()?]))
    }
}
