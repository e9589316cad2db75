//! Lua patterns: compiled by [`Program`], matched by [`Matcher`].
//!
//! ```text
//! pattern --Program::compile--> operations --Matcher::run--> Match | NoMatch | Paused (run again later)
//! ```
//!
//! **Invariant:** no input makes the native stack deeper. What is still to be tried lies on a backtrack stack of at most
//! [`matcher::MAX_CHOICES`] entries, and a match takes no more steps at a time than it is given, whatever the pattern:
//! exponential patterns merely use up their caller's fuel.

mod matcher;
mod program;
mod set;

pub use matcher::{Capture, Matcher, Progress};
pub use program::Program;

use std::fmt;

/// A mistake in a pattern, in the words of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// `%` is the last byte.
    EndsWithPercent,
    /// A set has no `]`.
    MissingBracket,
    /// `%f` without a set.
    MissingFrontierSet,
    /// `%b` without its two bytes.
    MissingBalance,
    /// A `)` that closes nothing.
    InvalidClose,
    /// A reference to a capture that does not exist or is not closed.
    InvalidIndex(u8),
    /// A capture was asked for that the pattern opens but never closes.
    UnfinishedCapture,
    /// More than 32 captures.
    TooManyCaptures,
    /// More choices are open at the same time than a match may remember.
    TooComplex,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatternError::EndsWithPercent => "malformed pattern (ends with '%')",
            PatternError::MissingBracket => "malformed pattern (missing ']')",
            PatternError::MissingFrontierSet => "missing '[' after '%f' in pattern",
            PatternError::MissingBalance => "malformed pattern (missing arguments to '%b')",
            PatternError::InvalidClose => "invalid pattern capture",
            PatternError::InvalidIndex(number) => {
                return write!(f, "invalid capture index %{number}");
            }
            PatternError::UnfinishedCapture => "unfinished capture",
            PatternError::TooManyCaptures => "too many captures",
            PatternError::TooComplex => "pattern too complex",
        })
    }
}

impl std::error::Error for PatternError {}

/// Whether a text used as a pattern means anything but itself. (A lone `)` or `]` does not count, as in the reference:
/// `find` searches for such a text plainly.)
pub fn has_specials(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| {
        matches!(
            byte,
            b'^' | b'$' | b'*' | b'+' | b'?' | b'.' | b'(' | b'[' | b'%' | b'-'
        )
    })
}
