//! All workers together: start, stop, join.
//!
//! **Invariant:** [`Server::start`] returns only when every worker is ready to accept, or with the one
//! reason why none is. After [`Server::stop`] no new connection is accepted; [`Server::join`]
//! returns when every worker has ended.

use crate::conn::Timeouts;
use crate::hosts::Hosts;
use crate::listener;
use crate::worker::{self, Entry, Setup};
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::manifest::Manifest;
use rille_runtime::problem::Problem;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The stack of a worker's thread. Lua needs none of it; parsing and destructors are bounded.
const STACK: usize = 4 << 20;

/// How to serve.
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Threads.
    pub workers: usize,
    /// Connections at once, per worker.
    pub max_connections: usize,
    /// For connections that do not move.
    pub timeouts: Timeouts,
    /// How long running requests may take after [`Server::stop`].
    pub drain: Duration,
    /// Where lines go.
    pub log: Log,
}

impl Config {
    /// The defaults for an address.
    pub fn new(listen: SocketAddr, log: Log) -> Config {
        Config {
            listen,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_connections: 10_000,
            timeouts: Timeouts::default(),
            drain: Duration::from_secs(10),
            log,
        }
    }
}

/// An app to serve, or one that could not be loaded and answers 503.
#[derive(Clone)]
pub enum AppSource {
    /// It loaded.
    App(Arc<App>),
    /// It did not; what is known of it.
    Broken(Box<Manifest>),
}

impl AppSource {
    fn manifest(&self) -> &Manifest {
        match self {
            AppSource::App(app) => &app.manifest,
            AppSource::Broken(manifest) => manifest,
        }
    }
}

/// Why a server could not start.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
}

#[derive(Debug)]
enum ErrorKind {
    Hosts(String),
    Listen(SocketAddr, io::Error),
    Worker(io::Error),
    WorkerEnded,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Hosts(message) => f.write_str(message),
            ErrorKind::Listen(address, error) => f.write_str(&listener::explain(*address, error)),
            ErrorKind::Worker(error) => write!(f, "cannot start a worker: {error}"),
            ErrorKind::WorkerEnded => f.write_str("a worker ended before it was ready"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Listen(_, error) | ErrorKind::Worker(error) => Some(error),
            ErrorKind::Hosts(_) | ErrorKind::WorkerEnded => None,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error { kind }
    }
}

/// Running workers.
pub struct Server {
    address: SocketAddr,
    threads: Vec<JoinHandle<io::Result<()>>>,
    stop: watch::Sender<Option<Instant>>,
    drain: Duration,
    problems: Vec<(usize, Problem)>,
}

impl Server {
    /// Binds, makes the VMs, runs every `init.lua` and starts to accept.
    pub fn start(config: Config, apps: &[AppSource]) -> Result<Server, Error> {
        let hosts = Hosts::new(apps.iter().map(AppSource::manifest)).map_err(ErrorKind::Hosts)?;
        let workers = config.workers.max(1);
        let listeners = listener::bind(config.listen, workers)
            .map_err(|error| ErrorKind::Listen(config.listen, error))?;
        let address = listeners[0].local_addr().map_err(ErrorKind::Worker)?;
        let entries: Vec<Entry> = apps
            .iter()
            .map(|app| match app {
                AppSource::App(app) => Entry::App(app.clone()),
                AppSource::Broken(manifest) => Entry::Broken(manifest.name.clone()),
            })
            .collect();
        let hosts = Arc::new(hosts);
        let (stop, stopping) = watch::channel(None);
        let (ready, reports) = mpsc::channel();
        let mut server = Server {
            address,
            threads: Vec::new(),
            stop,
            drain: config.drain,
            problems: Vec::new(),
        };
        let workers = listeners.len();
        for (number, listener) in listeners.into_iter().enumerate() {
            let setup = Setup {
                number,
                workers,
                listener,
                entries: entries.clone(),
                hosts: hosts.clone(),
                log: config.log.clone(),
                timeouts: config.timeouts,
                max_connections: config.max_connections,
                ready: ready.clone(),
                stop: stopping.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(STACK);
            server.threads.push(
                thread
                    .spawn(move || worker::run(setup))
                    .map_err(ErrorKind::Worker)?,
            );
        }
        drop(ready);
        for _ in 0..workers {
            let Ok(report) = reports.recv() else {
                return Err(ErrorKind::WorkerEnded.into());
            };
            for (index, problem) in report.problems {
                // Each worker runs each init.lua; the same failure is told once.
                if !server.problems.iter().any(|(_, known)| *known == problem) {
                    server.problems.push((index.0, problem));
                }
            }
        }
        Ok(server)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The apps (by their place) whose `init.lua` failed; they answer 503.
    pub fn problems(&self) -> &[(usize, Problem)] {
        &self.problems
    }

    /// Stops accepting; running requests have the configured time to end.
    pub fn stop(&self) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            if first {
                *stop = Some(Instant::now() + self.drain);
            }
            first
        });
    }

    /// Waits until every worker has ended.
    pub fn join(mut self) -> io::Result<()> {
        let mut result = Ok(());
        for thread in self.threads.drain(..) {
            result = result.and(
                thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a worker panicked"))),
            );
        }
        result
    }
}

impl Drop for Server {
    /// A server that is dropped stops; its threads end by themselves.
    fn drop(&mut self) {
        self.stop();
    }
}
