//! The access log: what is noted of a request, and the thread that writes it.
//!
//! ```text
//!  worker: Record::begin --> (status, bytes) --> dropped with its answer --try_send--> queue --> writer thread: line --> file
//!                                                            |full: counted                          |told in the server's log
//! ```
//!
//! **Invariants.** A worker never waits for it: what does not fit into the queue is dropped, counted, and told. A request has one line, written when its answer is
//! over, however that came. What is kept of a request is bounded ([`MAX_TARGET`], [`MAX_FIELD`]), and so is the queue.

use super::line::{self, Entry, Format};
use crate::exchange::Exchange;
use crate::head::Head;
use http::header::{REFERER, USER_AGENT};
use rille_runtime::log::Log;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Requests that may wait for the writer.
const QUEUE: usize = 4096;

/// What is kept of a target, in bytes.
const MAX_TARGET: usize = 4096;

/// What is kept of any other field, in bytes.
const MAX_FIELD: usize = 1024;

/// What is written at once, in bytes.
const CHUNK: usize = 64 << 10;

/// How often it is told that lines were lost.
const TELL: Duration = Duration::from_secs(10);

/// The status of a request whose client went before it had an answer, as nginx has it.
const GONE: u16 = 499;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard error, where the server's own lines go.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, which is added to.
    File(PathBuf),
}

/// How requests are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessConfig {
    /// The lines.
    pub format: Format,
    /// Their place.
    pub target: Target,
}

enum Message {
    Entry(Box<Entry>),
    Reopen,
    Close,
}

/// A handle to the access log; clones write to the same.
#[derive(Clone)]
pub struct AccessLog(Arc<Shared>);

struct Shared {
    queue: SyncSender<Message>,
    dropped: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Opens it. `log` is told what goes wrong later.
    pub fn open(config: &AccessConfig, log: Log) -> io::Result<AccessLog> {
        let out = Out::open(&config.target)?;
        let (queue, messages) = sync_channel(QUEUE);
        let access = AccessLog(Arc::new(Shared {
            queue,
            dropped: AtomicU64::new(0),
            writer: Mutex::new(None),
        }));
        let writer = Writer {
            messages,
            out,
            target: config.target.clone(),
            format: config.format,
            // It is not to keep the queue open.
            shared: Arc::downgrade(&access.0),
            log,
            failed: 0,
            told: None,
        };
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run())?;
        *(access.0.writer.lock()).unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(access)
    }

    /// Opens the file again, which may have been moved away. What waits goes to the old one.
    pub fn reopen(&self) {
        let _ = self.0.queue.send(Message::Reopen);
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        let writer = (self.0.writer.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            let _ = self.0.queue.send(Message::Close);
            let _ = writer.join();
        }
    }

    /// Adds a request.
    pub fn add(&self, entry: Box<Entry>) {
        if self.0.queue.try_send(Message::Entry(entry)).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is written to.
enum Out {
    Stderr,
    Stdout,
    File(File),
}

impl Out {
    fn open(target: &Target) -> io::Result<Out> {
        Ok(match target {
            Target::Stderr => Out::Stderr,
            Target::Stdout => Out::Stdout,
            Target::File(path) => {
                Out::File(OpenOptions::new().create(true).append(true).open(path)?)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Out::Stderr => io::stderr().lock().write_all(bytes),
            Out::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Out::File(file) => file.write_all(bytes),
        }
    }
}

struct Writer {
    messages: Receiver<Message>,
    out: Out,
    target: Target,
    format: Format,
    shared: std::sync::Weak<Shared>,
    log: Log,
    /// Lines that could not be written.
    failed: u64,
    told: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        let mut lines = String::new();
        let mut waiting = 0;
        loop {
            let message = match self.messages.try_recv() {
                Ok(message) => Some(message),
                Err(TryRecvError::Disconnected) => Some(Message::Close),
                Err(TryRecvError::Empty) => None,
            };
            if message.is_none() || lines.len() >= CHUNK {
                self.write(&mut lines, &mut waiting);
                self.tell();
            }
            let message = match message {
                Some(message) => message,
                None => match self.messages.recv_timeout(TELL) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => Message::Close,
                },
            };
            match message {
                Message::Entry(entry) => {
                    line::write(&mut lines, self.format, &entry);
                    waiting += 1;
                }
                Message::Reopen => {
                    self.write(&mut lines, &mut waiting);
                    self.reopen();
                }
                Message::Close => {
                    self.write(&mut lines, &mut waiting);
                    self.told = None;
                    return self.tell();
                }
            }
        }
    }

    fn reopen(&mut self) {
        match Out::open(&self.target) {
            Ok(out) => self.out = out,
            Err(error) => self.log.line(format_args!(
                "the access log cannot be opened again ({error}); it goes on in the file it has"
            )),
        }
    }

    fn write(&mut self, lines: &mut String, waiting: &mut u64) {
        if !lines.is_empty() && self.out.write(lines.as_bytes()).is_err() {
            self.failed += *waiting;
        }
        lines.clear();
        lines.shrink_to(2 * CHUNK);
        *waiting = 0;
    }

    /// Says what was lost, not too often.
    fn tell(&mut self) {
        if self.told.is_some_and(|told| told.elapsed() < TELL) {
            return;
        }
        let dropped =
            (self.shared.upgrade()).map_or(0, |shared| shared.dropped.swap(0, Ordering::Relaxed));
        for (count, why) in [
            (dropped, "came faster than they can be written"),
            (std::mem::take(&mut self.failed), "could not be written"),
        ] {
            if count > 0 {
                self.told = Some(Instant::now());
                self.log.line(format_args!(
                    "access log: {count} lines are missing: they {why}"
                ));
            }
        }
    }
}

/// A request on its way to the log, where it is when this is dropped.
pub struct Record {
    log: AccessLog,
    entry: Option<Box<Entry>>,
    started: Instant,
    /// What scripts run for.
    exchange: Option<Rc<Exchange>>,
    bytes: u64,
}

/// In a response's extensions: the protocol over which another server gave it.
#[derive(Debug, Clone, Copy)]
pub struct Upstream(pub &'static str);

impl Record {
    /// Of a request that has come.
    pub fn begin(
        log: &AccessLog,
        head: &Head,
        (remote, host, scheme): (IpAddr, &str, &'static str),
    ) -> Box<Record> {
        Box::new(Record {
            log: log.clone(),
            entry: Some(Box::new(Entry {
                time: SystemTime::now(),
                id: String::new(),
                remote: remote.to_canonical(),
                host: some(host.as_bytes(), MAX_FIELD),
                app: Box::default(),
                method: head.method.as_str().into(),
                target: some(head.target(), MAX_TARGET),
                protocol: head.protocol(),
                scheme,
                status: GONE,
                bytes: 0,
                duration: Duration::ZERO,
                cpu: Duration::ZERO,
                upstream: None,
                referer: head.first(&REFERER).map(|text| some(text, MAX_FIELD)),
                agent: head.first(&USER_AGENT).map(|text| some(text, MAX_FIELD)),
            })),
            started: Instant::now(),
            exchange: None,
            bytes: 0,
        })
    }

    /// What there is of a request that was refused before it was one.
    pub fn refused(remote: IpAddr, status: u16) -> Box<Entry> {
        Box::new(Entry {
            time: SystemTime::now(),
            id: String::new(),
            remote: remote.to_canonical(),
            host: Box::default(),
            app: Box::default(),
            method: Box::default(),
            target: Box::default(),
            protocol: "",
            scheme: "",
            status,
            bytes: 0,
            duration: Duration::ZERO,
            cpu: Duration::ZERO,
            upstream: None,
            referer: None,
            agent: None,
        })
    }

    /// Scripts run for it.
    pub fn is_of(&mut self, exchange: &Rc<Exchange>) {
        self.note(|entry| entry.id = exchange.id());
        self.exchange = Some(exchange.clone());
    }

    /// Changes what will be written.
    pub fn note(&mut self, f: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            f(entry);
        }
    }

    /// So many bytes of the body have been sent.
    pub fn sent(&mut self, bytes: u64) {
        self.bytes = bytes;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else {
            return;
        };
        entry.bytes = self.bytes;
        entry.duration = self.started.elapsed();
        if let Some(exchange) = &self.exchange {
            entry.cpu = exchange.cpu.get();
        }
        self.log.add(entry);
    }
}

fn some(text: &[u8], most: usize) -> Box<[u8]> {
    text.get(..most).unwrap_or(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Box<Entry> {
        Box::new(line::tests::entry())
    }

    #[test]
    fn lines_reach_the_file_and_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let config = AccessConfig {
            format: Format::Combined,
            target: Target::File(path.clone()),
        };
        let access = AccessLog::open(&config, Log::memory()).unwrap();
        access.add(entry());
        // It is written before the file is opened again.
        access.reopen();
        let moved = dir.path().join("access.log.1");
        while std::fs::read_to_string(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        std::fs::rename(&path, &moved).unwrap();
        access.reopen();
        access.add(entry());
        access.close();
        for path in [path, moved] {
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_lost_is_told() {
        let log = Log::memory();
        let config = AccessConfig {
            format: Format::Json,
            target: Target::File("/dev/full".into()),
        };
        let access = AccessLog::open(&config, log.clone()).unwrap();
        for _ in 0..3 {
            access.add(entry());
        }
        access.close();
        let lines = log.lines().join("\n");
        assert!(
            lines.contains("lines are missing: they could not be written"),
            "{lines}"
        );
    }

    #[test]
    fn a_worker_does_not_wait_for_a_full_queue() {
        let (queue, messages) = sync_channel(QUEUE);
        let access = AccessLog(Arc::new(Shared {
            queue,
            dropped: AtomicU64::new(0),
            writer: Mutex::new(None),
        }));
        for _ in 0..QUEUE + 7 {
            access.add(entry());
        }
        assert_eq!(access.0.dropped.load(Ordering::Relaxed), 7);
        drop(messages);
    }

    #[test]
    fn a_file_that_cannot_be_opened() {
        let config = AccessConfig {
            format: Format::Json,
            target: Target::File("/nowhere/at/all".into()),
        };
        assert!(AccessLog::open(&config, Log::memory()).is_err());
    }
}
