//! Who is told when a task ends.
//!
//! ```text
//!   monitor: the watcher gets `task-stopped`, with the reason as its parameter
//!   link:    both ways; a crash ends the other one too, unless it traps exits: then it is a `task-stopped`
//! ```
//!
//! **Invariant:** what one side holds, the other side does (on another worker: soon will), and both forget it when either ends.

use super::Tid;
use std::collections::HashSet;

/// The most tasks that one watches and is linked with.
pub const MAX_TIES: usize = 10_000;

/// A task's connections.
#[derive(Default)]
pub(super) struct Ties {
    /// Those that are told of its end.
    pub watchers: HashSet<Tid>,
    /// Those whose end it is told of.
    pub watches: HashSet<Tid>,
    pub links: HashSet<Tid>,
    /// Under which names it is registered.
    pub names: Vec<Box<str>>,
}

impl Ties {
    pub fn is_full(&self) -> bool {
        self.watches.len() + self.links.len() >= MAX_TIES
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// For people and for whoever is told: `normal`, `killed`, or the error.
    pub reason: String,
    /// Whether it did what it was to do.
    pub is_normal: bool,
}

impl Ending {
    /// It returned.
    pub fn normal() -> Ending {
        Ending {
            reason: "normal".into(),
            is_normal: true,
        }
    }

    /// It did not.
    pub fn abnormal(reason: impl Into<String>) -> Ending {
        Ending {
            reason: reason.into(),
            is_normal: false,
        }
    }
}
