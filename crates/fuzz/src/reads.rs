//! Target `reads`: what a socket's read gives does not depend on the pieces that the input comes in, and is what a search from the beginning finds.

use crate::bytes::Bytes;
use rille_runtime::net::Pattern;
use rille_runtime::net::pattern::{Until, replay};

/// What is read, again and again.
#[derive(Clone, Debug)]
enum Read {
    Line,
    All,
    Bytes(usize),
    Until {
        text: Vec<u8>,
        inclusive: bool,
        size: usize,
    },
}

impl Read {
    fn decide(choices: &mut Bytes<'_>) -> Read {
        match choices.below(5) {
            0 => Read::Line,
            1 => Read::All,
            2 => Read::Bytes(1 + choices.below(8)),
            _ => {
                let text = (0..1 + choices.below(7))
                    .map(|_| choices.pick(b"ab\r\n"))
                    .collect();
                Read::Until {
                    text,
                    inclusive: choices.one_in(2),
                    size: choices.below(4),
                }
            }
        }
    }

    /// The pattern for the next read; `last` is that of the one before.
    fn pattern(&self, last: Option<&Pattern>) -> Pattern {
        match self {
            Read::Line => Pattern::line(),
            Read::All => Pattern::all(),
            Read::Bytes(count) => Pattern::bytes(*count),
            Read::Until {
                text,
                inclusive,
                size,
            } => {
                let state = last.and_then(Pattern::as_until).map_or(0, Until::state);
                let until = Until::new(text, *inclusive).expect("the text is short");
                Pattern::until(until.resume(state).pause_after(*size))
            }
        }
    }

    /// The first result, found the obvious way; `None`: this does not say.
    fn first(&self, input: &[u8]) -> Option<Vec<u8>> {
        match self {
            Read::Line => {
                let end = input.iter().position(|byte| *byte == b'\n');
                let line = input[..end.unwrap_or(input.len())].iter().copied();
                Some(line.filter(|byte| *byte != b'\r').collect())
            }
            Read::All => Some(input.to_vec()),
            Read::Bytes(count) => Some(input[..input.len().min(*count)].to_vec()),
            Read::Until {
                text,
                inclusive,
                size: 0,
            } => {
                let start = input.windows(text.len()).position(|part| part == text)?;
                let end = start + if *inclusive { text.len() } else { 0 };
                Some(input[..end].to_vec())
            }
            Read::Until { .. } => None,
        }
    }
}

/// The target.
pub fn target(data: &[u8]) {
    let (head, input) = data.split_at(data.len().min(16));
    let mut choices = Bytes::new(head);
    let read = Read::decide(&mut choices);
    // Few different bytes, so that texts occur.
    let input: Vec<u8> = input
        .iter()
        .map(|byte| b"ab\r\nabc\n"[usize::from(*byte % 8)])
        .collect();
    let whole = replay(|last| read.pattern(last), [&input[..]]);
    let single = replay(|last| read.pattern(last), input.chunks(1));
    assert_eq!(whole, single, "{read:?}");
    let mut pieces = Vec::new();
    let mut rest = &input[..];
    while !rest.is_empty() {
        let (piece, others) = rest.split_at((1 + choices.below(9)).min(rest.len()));
        pieces.push(piece);
        rest = others;
    }
    assert_eq!(whole, replay(|last| read.pattern(last), pieces), "{read:?}");
    if let Some(first) = read.first(&input) {
        assert_eq!(whole[0], first, "{read:?}");
    }
}
