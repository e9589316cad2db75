//! What was said of each app lately, for those who ask and those who follow.
//!
//! **Invariants.** An app has at most [`MAX_LINES`] lines and [`MAX_BYTES`] bytes here; the oldest go. Nobody who writes waits for somebody who reads: who
//! is slower than the app misses the oldest lines, and is told how many.

use rille_runtime::log::Tap;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The most lines of an app.
pub const MAX_LINES: usize = 1000;
/// The most bytes of an app's lines.
pub const MAX_BYTES: usize = 64 << 10;
/// The most apps with lines: beyond them those that are new have none.
const MAX_APPS: usize = crate::deploy::MAX_APPS;
/// What a line costs besides its bytes.
const LINE_BYTES: usize = 48;

/// The lines of all apps.
#[derive(Default)]
pub struct Logs {
    apps: Mutex<HashMap<Box<str>, Arc<Lines>>>,
}

/// The lines of an app.
pub struct Lines {
    ring: Mutex<Ring>,
    /// The number of the next line; sent when there is one.
    next: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    next: u64,
    is_closed: bool,
}

/// A line.
#[derive(Debug)]
pub struct Line {
    /// Counts the app's lines, from 0.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was said.
    pub text: Box<str>,
}

/// Some lines.
#[derive(Debug, Default)]
pub struct Some {
    /// How many there were before that nobody can see any more.
    pub lost: u64,
    /// The lines.
    pub lines: Vec<Arc<Line>>,
}

impl Logs {
    fn apps(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Lines>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An app's lines, if there are any.
    pub fn of(&self, app: &str) -> Option<Arc<Lines>> {
        self.apps().get(app).cloned()
    }

    /// The same; there may be some later.
    pub fn of_served(&self, app: &str) -> Option<Arc<Lines>> {
        let mut apps = self.apps();
        if let Some(lines) = apps.get(app) {
            return Some(lines.clone());
        }
        if apps.len() >= MAX_APPS {
            return None;
        }
        let lines = Arc::new(Lines {
            ring: Mutex::default(),
            next: watch::Sender::new(0),
        });
        apps.insert(app.into(), lines.clone());
        Some(lines)
    }

    /// An app is gone. Whoever follows it comes to the end.
    pub fn forget(&self, app: &str) {
        let lines = self.apps().remove(app);
        if let Some(lines) = lines {
            lines.ring().is_closed = true;
            lines.next.send_modify(|_| {});
        }
    }
}

impl Tap for Logs {
    fn line(&self, app: &str, message: &str) {
        if let Some(lines) = self.of_served(app) {
            lines.push(message);
        }
    }
}

impl Lines {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &str) {
        let mut ring = self.ring();
        let line = Line {
            number: ring.next,
            at_ms: now_ms(),
            text: text.into(),
        };
        ring.next += 1;
        ring.bytes += text.len() + LINE_BYTES;
        ring.lines.push_back(Arc::new(line));
        while ring.lines.len() > MAX_LINES || ring.bytes > MAX_BYTES {
            let Some(oldest) = ring.lines.pop_front() else {
                break;
            };
            ring.bytes -= oldest.text.len() + LINE_BYTES;
        }
        let next = ring.next;
        drop(ring);
        self.next.send_if_modified(|before| {
            // Another line may have been told first.
            let is_later = next > *before;
            *before = (*before).max(next);
            is_later
        });
    }

    /// The last lines, `most` at most.
    pub fn last(&self, most: usize) -> Some {
        let ring = self.ring();
        let skip = ring.lines.len().saturating_sub(most);
        Some {
            lost: 0,
            lines: ring.lines.iter().skip(skip).cloned().collect(),
        }
    }

    /// The lines from a number on, `most` at most.
    pub fn from(&self, number: u64, most: usize) -> Some {
        let ring = self.ring();
        let first = ring.lines.front().map_or(ring.next, |line| line.number);
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        Some {
            lost: first.saturating_sub(number),
            lines: ring.lines.iter().skip(skip).take(most).cloned().collect(),
        }
    }

    /// Tells when there is more.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// Whether there will be no more.
    pub fn is_closed(&self) -> bool {
        self.ring().is_closed
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(some: &Some) -> Vec<&str> {
        some.lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn the_oldest_lines_go_and_are_counted() {
        let logs = Logs::default();
        for i in 0..MAX_LINES + 5 {
            logs.line("a", &format!("{i}"));
        }
        let lines = logs.of("a").unwrap();
        assert_eq!(texts(&lines.last(2)), ["1003", "1004"]);
        let some = lines.from(0, 2);
        assert_eq!((some.lost, texts(&some)), (5, vec!["5", "6"]));
        let some = lines.from(1003, 10);
        assert_eq!((some.lost, texts(&some)), (0, vec!["1003", "1004"]));
        assert!(lines.from(1005, 10).lines.is_empty());
        assert!(lines.last(usize::MAX).lines.len() == MAX_LINES);
    }

    #[test]
    fn long_lines_are_fewer() {
        let logs = Logs::default();
        let long = "x".repeat(8000);
        for _ in 0..20 {
            logs.line("a", &long);
        }
        let lines = logs.of("a").unwrap();
        assert_eq!(lines.last(100).lines.len(), MAX_BYTES / (8000 + LINE_BYTES));
        assert_eq!(lines.ring().bytes, 8 * (8000 + LINE_BYTES));
    }

    #[test]
    fn followers_are_told_and_come_to_an_end() {
        let logs = Logs::default();
        let lines = logs.of_served("a").unwrap();
        let told = lines.follow();
        assert!(!told.has_changed().unwrap());
        logs.line("a", "one");
        assert!(told.has_changed().unwrap() && !lines.is_closed());
        let mut told = lines.follow();
        told.mark_unchanged();
        logs.forget("a");
        assert!(told.has_changed().unwrap() && lines.is_closed());
        assert!(logs.of("a").is_none());
    }
}
