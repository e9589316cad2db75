//! Where `log`, `print` and the server's own lines go.
//!
//! **Invariant:** a line is one line (control characters escaped), written whole, and never makes a
//! worker wait: a thread of its own writes to stderr, and lines beyond its queue, or beyond the
//! app's bytes a second, are dropped and counted. The count is told in the next line that fits.

use crate::problem::one_line;
use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines that may wait for the writer.
const QUEUE: usize = 4096;

/// The longest line; the rest of a longer one is cut off.
pub const MAX_LINE: usize = 8192;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever debugs the app.
    Debug,
    /// What happened.
    Info,
    /// What may become an error.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    /// As it stands in a line.
    pub fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// A handle to the log; clones write to the same one.
#[derive(Clone)]
pub struct Log {
    target: Arc<Target>,
    tap: Arc<OnceLock<Arc<dyn Tap>>>,
}

/// Who wants to see what is said of apps, beside the log. It is called by workers: it must not wait.
pub trait Tap: Send + Sync {
    /// A line of an app: what its scripts say, or what is said about it. It is at most [`MAX_LINE`] bytes of one line.
    fn line(&self, app: &str, message: &str);
}

enum Target {
    Writer {
        queue: Mutex<Option<SyncSender<String>>>,
        writer: Mutex<Option<JoinHandle<()>>>,
        dropped: AtomicU64,
    },
    Memory(Mutex<Vec<String>>),
}

impl Log {
    /// A log on stderr.
    pub fn stderr() -> Log {
        let (queue, lines) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("rille-log".into())
            .spawn(move || write_lines(&lines))
            .ok();
        // Without a thread the queue has no reader: lines are counted as dropped, nothing blocks.
        Log {
            target: Arc::new(Target::Writer {
                queue: Mutex::new(Some(queue)),
                writer: Mutex::new(writer),
                dropped: AtomicU64::new(0),
            }),
            tap: Arc::default(),
        }
    }

    /// A log that keeps its lines, for tests.
    pub fn memory() -> Log {
        Log {
            target: Arc::new(Target::Memory(Mutex::default())),
            tap: Arc::default(),
        }
    }

    /// Shows what is said of apps to somebody from now on; the first one is kept.
    pub fn tap(&self, tap: Arc<dyn Tap>) {
        let _ = self.tap.set(tap);
    }

    /// Writes `rille: app NAME: message`.
    pub fn app_line(&self, app: &str, message: impl fmt::Display) {
        let Some(tap) = self.tap.get() else {
            return self.line(format_args!("app {app}: {message}"));
        };
        let message = message.to_string();
        tap.line(app, &cut(one_line(&message)));
        self.line(format_args!("app {app}: {message}"));
    }

    /// The lines so far, if the log keeps them.
    pub fn lines(&self) -> Vec<String> {
        match &*self.target {
            Target::Memory(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Target::Writer { .. } => Vec::new(),
        }
    }

    /// Writes `rille: message`.
    pub fn line(&self, message: impl fmt::Display) {
        let mut line = cut(format!("rille: {}", one_line(&message.to_string())));
        match &*self.target {
            Target::Memory(lines) => lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line),
            Target::Writer { queue, dropped, .. } => {
                line.push('\n');
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    line.push_str(&format!(
                        "rille: {lost} log lines dropped: stderr is too slow\n"
                    ));
                }
                let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue
                    .as_ref()
                    .is_none_or(|queue| queue.try_send(line).is_err())
                {
                    dropped.fetch_add(lost + 1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Waits until what was logged is written, and closes the log.
    pub fn close(&self) {
        if let Target::Writer { queue, writer, .. } = &*self.target {
            drop(queue.lock().unwrap_or_else(PoisonError::into_inner).take());
            if let Some(writer) = writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = writer.join();
            }
        }
    }
}

/// A line that is not longer than lines are.
fn cut(mut line: String) -> String {
    if line.len() > MAX_LINE {
        line.truncate(start_of(&line, MAX_LINE).len());
        line.push_str(" [cut]");
    }
    line
}

fn write_lines(lines: &Receiver<String>) {
    let stderr = std::io::stderr();
    for line in lines {
        // Nobody is left to tell if stderr is closed.
        let _ = stderr.lock().write_all(line.as_bytes());
    }
}

/// The log of one app on one worker, with its bytes a second.
///
/// What the server says about the app (errors of its scripts, above all) has as many bytes a second of its own: a flood of one kind does not hide the
/// other, and neither takes the room of other apps.
pub struct AppLog {
    log: Log,
    app: Box<str>,
    script: Account,
    server: Account,
}

/// Bytes a second.
struct Account {
    per_second: u64,
    left: Cell<u64>,
    since: Cell<Instant>,
    dropped: Cell<u64>,
}

/// What the server says about an app has at least this a second.
const LEAST: u64 = 64 << 10;

impl Account {
    fn new(per_second: u64) -> Account {
        Account {
            per_second,
            left: Cell::new(per_second),
            since: Cell::new(Instant::now()),
            dropped: Cell::new(0),
        }
    }

    /// Whether a line fits, and how many before it did not, if that is to be told now.
    fn pay(&self, message: &str) -> (bool, u64) {
        let cost = message.len().min(MAX_LINE) as u64;
        let mut dropped = 0;
        if self.since.get().elapsed() >= Duration::from_secs(1) {
            self.since.set(Instant::now());
            self.left.set(self.per_second);
            dropped = self.dropped.replace(0);
        }
        let left = self.left.get().checked_sub(cost);
        match left {
            Some(left) => self.left.set(left),
            None => self.dropped.set(self.dropped.get() + 1),
        }
        (left.is_some(), dropped)
    }
}

impl AppLog {
    /// A log for `app` that takes `per_second` bytes a second.
    pub fn new(log: Log, app: &str, per_second: u64) -> AppLog {
        AppLog {
            log,
            app: app.into(),
            script: Account::new(per_second),
            server: Account::new(per_second.max(LEAST)),
        }
    }

    /// A line by the script, on the app's account.
    pub fn script(&self, level: Level, message: &str) {
        self.write(&self.script, message, |message| {
            self.log
                .app_line(&self.app, format_args!("{}: {message}", level.name()));
        });
    }

    /// A line by the server about the app.
    pub fn server(&self, message: impl fmt::Display) {
        let message = message.to_string();
        self.write(&self.server, &message, |message| {
            self.log.app_line(&self.app, message);
        });
    }

    fn write(&self, account: &Account, message: &str, write: impl FnOnce(&str)) {
        let (fits, dropped) = account.pay(message);
        if dropped > 0 {
            let limit = account.per_second;
            self.log.app_line(&self.app, format_args!(
                "{dropped} log lines dropped: over the limit of {limit} bytes a second (limits.log)"
            ));
        }
        if fits {
            // One byte more than a line has room for: it is seen to have been cut.
            write(start_of(message, MAX_LINE + 1));
        }
    }
}

/// As many whole characters as fit into so many bytes.
fn start_of(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let log = Log::memory();
        AppLog::new(log.clone(), "a", 1000).script(Level::Warn, "two\nlines");
        log.line("x".repeat(MAX_LINE * 2));
        let lines = log.lines();
        assert_eq!(lines[0], "rille: app a: warn: two\\nlines");
        assert!(lines[1].len() < MAX_LINE + 10);
    }

    #[test]
    fn a_tap_sees_what_is_said_of_apps() {
        #[derive(Default)]
        struct Seen(Mutex<Vec<(String, String)>>);
        impl Tap for Seen {
            fn line(&self, app: &str, message: &str) {
                self.0.lock().unwrap().push((app.into(), message.into()));
            }
        }
        let (log, seen) = (Log::memory(), Arc::new(Seen::default()));
        log.tap(seen.clone());
        log.line("not of an app");
        let app = AppLog::new(log.clone(), "a", 100_000);
        app.script(Level::Info, "one\ntwo");
        app.server("x".repeat(MAX_LINE * 2));
        let lines = seen.0.lock().unwrap();
        assert_eq!(lines[0], ("a".to_owned(), "info: one\\ntwo".to_owned()));
        assert!(lines[1].1.len() <= MAX_LINE + " [cut]".len());
        assert_eq!((lines.len(), log.lines().len()), (2, 3));
    }

    #[test]
    fn a_flood_is_cut_off_and_the_server_still_speaks() {
        let log = Log::memory();
        let app = AppLog::new(log.clone(), "a", 100);
        for _ in 0..50 {
            app.script(Level::Info, "0123456789");
        }
        app.server("stopped");
        assert_eq!(log.lines().len(), 11);
        (app.script.since).set(Instant::now().checked_sub(Duration::from_secs(2)).unwrap());
        app.script(Level::Info, "again");
        assert!(log.lines()[11].contains("40 log lines dropped"));
    }
    #[test]
    fn the_server_s_lines_about_an_app_have_a_limit_too() {
        let log = Log::memory();
        let app = AppLog::new(log.clone(), "a", 100);
        let long = "x".repeat(1 << 20);
        for _ in 0..50 {
            app.server(&long);
        }
        // Each counts as what is written of it.
        assert_eq!(log.lines().len(), 8);
        assert!(
            log.lines()
                .iter()
                .all(|line| line.ends_with(" [cut]") && line.len() < MAX_LINE + 10)
        );
        app.script(Level::Info, "still");
        assert!(log.lines()[8].ends_with("still"));
        (app.server.since).set(Instant::now().checked_sub(Duration::from_secs(2)).unwrap());
        app.server("again");
        assert!(log.lines()[9].contains("42 log lines dropped"));
    }
}
