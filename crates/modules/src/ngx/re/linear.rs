//! The linear engine: what has an equal in `regex_automata` runs there, in time linear in the subject.
//!
//! Not here: back references, lookaround, atomic groups, `\K`, `\G`, conditions, groups of the same number, and repeated parts that can match nothing
//! (whose iterations PCRE counts differently). `$` and multi-line `^` are those of `regex_automata`, which do not mind a newline at the
//! end: with such a subject the other engine is taken.
//!
//! **Invariant:** an engine takes at most [`NFA_BYTES`], [`ONE_PASS_BYTES`] and [`LAZY_BYTES`] (each way) of memory, and what is
//! linear in the number of its states: a pattern that is larger has no linear engine.

use super::ast::{Kind, Look, Mode, Node, Pattern, UNLIMITED};
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{self, Hir};
use std::cell::RefCell;

const NFA_BYTES: usize = 256 << 10;
const ONE_PASS_BYTES: usize = 64 << 10;
const LAZY_BYTES: usize = 128 << 10;
/// Levels of a tree that `regex_syntax` and `regex_automata` are given to recurse on.
const MAX_DEPTH: u16 = 300;
/// States times bytes of one search.
const MAX_WORK: usize = 32 << 20;

/// A compiled pattern.
pub(super) struct Linear {
    regex: Regex,
    states: usize,
    scratch: RefCell<Scratch>,
}

/// What a search needs besides, made for the first and kept for the next.
#[derive(Default)]
struct Scratch {
    cache: Option<Cache>,
    slots: Vec<Option<NonMaxUsize>>,
}

impl Linear {
    /// `None` if it has no equal or is too large.
    pub fn new(pattern: &Pattern) -> Option<Linear> {
        if pattern.needs_backtracking || pattern.root.depth > MAX_DEPTH {
            return None;
        }
        let hir = translate(&pattern.root, pattern.utf8)?;
        let config = thompson::Config::new()
            .utf8(pattern.utf8)
            .nfa_size_limit(Some(NFA_BYTES))
            .which_captures(WhichCaptures::All);
        let nfa: NFA = thompson::Compiler::new()
            .configure(config)
            .build_from_hir(&hir)
            .ok()?;
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
            states: nfa.states().len(),
            scratch: RefCell::default(),
        })
    }

    /// Whether searching so many bytes is little enough for one call.
    pub fn is_quick(&self, bytes: usize) -> bool {
        self.states.saturating_mul(bytes) <= MAX_WORK
    }

    /// Searches from `at` on. Fills in the places of the whole match and of the groups; false if there is no match.
    pub fn search(
        &self,
        subject: &[u8],
        at: usize,
        anchored: bool,
        places: &mut [Option<(usize, usize)>],
    ) -> bool {
        places.fill(None);
        if at > subject.len() {
            return false;
        }
        let mut scratch = self.scratch.borrow_mut();
        let Scratch { cache, slots } = &mut *scratch;
        let cache = cache.get_or_insert_with(|| self.regex.create_cache());
        slots.clear();
        slots.resize(places.len() * 2, None);
        let anchored = if anchored {
            Anchored::Yes
        } else {
            Anchored::No
        };
        let input = Input::new(subject)
            .span(at..subject.len())
            .anchored(anchored);
        if self.regex.search_slots_with(cache, &input, slots).is_none() {
            return false;
        }
        for (place, slots) in places.iter_mut().zip(slots.chunks_exact(2)) {
            if let [Some(from), Some(to)] = slots {
                *place = Some((from.get(), to.get()));
            }
        }
        true
    }

    /// Bytes of memory it takes now.
    pub fn size(&self) -> usize {
        let scratch = self.scratch.borrow();
        let cache = scratch.cache.as_ref().map_or(0, Cache::memory_usage);
        size_of::<Linear>() + self.regex.memory_usage() + cache + scratch.slots.capacity() * 8
    }
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
