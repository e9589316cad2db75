//! All workers together: start, stop, join.
//!
//! **Invariant:** [`Server::start`] returns only when every worker is ready to accept, or with the one
//! reason why none is. After [`Server::stop`] no new connection is accepted; [`Server::join`]
//! returns when every worker has ended.

use crate::conn::Timeouts;
use crate::deploy::Deployer;
use crate::edge::access::AccessLog;
use crate::edge::forwarded::Trust;
use crate::edge::health::Health;
use crate::hostmap::HostMap;
use crate::hosts::{AppIndex, Hosts};
use crate::listener;
use crate::ports::{self, TaskPort};
use crate::tls::{Certificate, ClientCertificates, Tls, Watcher};
use crate::worker::{self, Edge, Entry, Listener, Setup};
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::manifest::{Manifest, Operator};
use rille_runtime::net::outbound::Purpose;
use rille_runtime::problem::Problem;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

/// The stack of a worker's thread. Lua needs none of it; parsing and destructors are bounded.
const STACK: usize = 4 << 20;

/// How to serve.
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, on an address of its own.
    pub tls: Option<TlsConfig>,
    /// Threads.
    pub workers: usize,
    /// Connections at once, per worker; and as many requests of HTTP/2 on all of them, since one connection has many.
    pub max_connections: usize,
    /// For connections that do not move.
    pub timeouts: Timeouts,
    /// Which proxies are trusted to say for whom they ask; none if it has no ranges.
    pub trust: Trust,
    /// Where requests are logged.
    pub access: Option<AccessLog>,
    /// The path at which health is asked for.
    pub health: Option<String>,
    /// How long running requests may take after [`Server::stop`].
    pub drain: Duration,
    /// Where lines go.
    pub log: Log,
    /// What the apps were loaded for: it is told where the server listens.
    pub operator: Arc<Operator>,
    /// Who answers hosts that no app names.
    pub host_map: Option<HostMap>,
}

impl Config {
    /// The defaults for an address.
    pub fn new(listen: SocketAddr, log: Log) -> Config {
        Config {
            listen,
            tls: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_connections: 10_000,
            timeouts: Timeouts::default(),
            trust: Trust::default(),
            access: None,
            health: None,
            drain: Duration::from_secs(10),
            log,
            operator: Arc::default(),
            host_map: None,
        }
    }
}

/// How to serve over TLS.
pub struct TlsConfig {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// At least one; the first answers for names that no other has.
    pub certificates: Vec<Certificate>,
    /// Whether clients need certificates, and whose.
    pub clients: Option<ClientCertificates>,
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
    /// What the app says about itself, as far as that is known.
    pub fn manifest(&self) -> &Manifest {
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
    Listen(SocketAddr, &'static str, io::Error),
    Tls(Problem),
    Port(Problem),
    Worker(io::Error),
    WorkerEnded,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Hosts(message) => f.write_str(message),
            ErrorKind::Listen(address, option, error) => {
                f.write_str(&listener::explain(*address, option, error))
            }
            ErrorKind::Tls(problem) | ErrorKind::Port(problem) => problem.fmt(f),
            ErrorKind::Worker(error) => write!(f, "cannot start a worker: {error}"),
            ErrorKind::WorkerEnded => f.write_str("a worker ended before it was ready"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Listen(_, _, error) | ErrorKind::Worker(error) => Some(error),
            ErrorKind::Tls(problem) | ErrorKind::Port(problem) => Some(problem),
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
    tls: Option<(SocketAddr, Watcher)>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    stop: watch::Sender<Option<Instant>>,
    drain: Duration,
    problems: Vec<(usize, Problem)>,
    ports: Vec<TaskPort>,
    deployer: Deployer,
    health: Health,
}

impl Server {
    /// Binds, makes the VMs, runs every `init.lua` and starts to accept.
    pub fn start(config: Config, apps: &[AppSource]) -> Result<Server, Error> {
        let manifests = (0..)
            .map(AppIndex)
            .zip(apps.iter().map(AppSource::manifest));
        let hosts = Hosts::new(manifests).map_err(ErrorKind::Hosts)?;
        let workers = config.workers.max(1);
        let (address, plain) = bind(config.listen, "--listen", workers)?;
        let mut listeners: Vec<Vec<Listener>> = plain
            .into_iter()
            .map(|socket| vec![Listener { socket, tls: None }])
            .collect();
        let tls = match config.tls {
            None => None,
            Some(tls) => {
                let (address, sockets) = bind(tls.listen, "--tls-listen", workers)?;
                let tls = Tls::load(tls.certificates, tls.clients).map_err(ErrorKind::Tls)?;
                let tls = Arc::new(tls);
                for (listeners, socket) in listeners.iter_mut().zip(sockets) {
                    let tls = Some(tls.clone());
                    listeners.push(Listener { socket, tls });
                }
                let watcher = Watcher::start(tls, config.log.clone());
                Some((address, watcher.map_err(ErrorKind::Worker)?))
            }
        };
        let own = &config.operator.outbound.own;
        own.listens(address, Purpose::Requests);
        if let Some((address, _)) = &tls {
            own.listens(*address, Purpose::Requests);
        }
        let mut ports = Vec::new();
        for (place, app) in apps.iter().enumerate() {
            if let AppSource::App(app) = app {
                let open = ports::open(app, None).map_err(ErrorKind::Port)?;
                ports.extend(open.into_iter().map(|port| TaskPort { app: place, ..port }));
            }
        }
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
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..listeners.len()).map(|_| unbounded_channel()).unzip();
        let deployer = Deployer::new(senders, apps, &ports, config.log.clone());
        let mut server = Server {
            address,
            tls,
            threads: Vec::new(),
            stop,
            drain: config.drain,
            problems: Vec::new(),
            ports,
            deployer,
            health: Health::default(),
        };
        let edge = Edge {
            trust: (!config.trust.ranges.is_empty()).then(|| Arc::new(config.trust)),
            access: config.access,
            health_at: config.health.map(Into::into),
            health: server.health.clone(),
        };
        let workers = listeners.len();
        let crew = listeners.into_iter().zip(receivers);
        for (number, (listeners, commands)) in crew.enumerate() {
            let setup = Setup {
                number,
                workers,
                listeners,
                entries: entries.clone(),
                hosts: hosts.clone(),
                log: config.log.clone(),
                timeouts: config.timeouts,
                edge: edge.clone(),
                max_connections: config.max_connections,
                commands,
                host_map: config.host_map.clone(),
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
                server.deployer.is_broken(index);
                if let Some(AppSource::App(app)) = apps.get(index.0) {
                    // Nobody accepts there.
                    app.ports.close();
                }
                // Each worker runs each init.lua; the same failure is told once.
                if !server.problems.iter().any(|(_, known)| *known == problem) {
                    server.problems.push((index.0, problem));
                }
            }
        }
        server.health.is_ready_now();
        Ok(server)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|(address, _)| *address)
    }

    /// Loads the certificates again, also if their files do not look changed. What is wrong with them is in the log.
    pub fn reload_certificates(&self) {
        if let Some((_, watcher)) = &self.tls {
            watcher.reload();
        }
    }

    /// The apps (by their place) whose `init.lua` failed; they answer 503.
    pub fn problems(&self) -> &[(usize, Problem)] {
        &self.problems
    }

    /// Whether the process lives and is ready, for whoever is asked elsewhere.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What replaces, adds and removes apps while the server runs.
    pub fn deployer(&self) -> &Deployer {
        &self.deployer
    }

    /// Where the apps' tasks listened at the start.
    pub fn task_ports(&self) -> &[TaskPort] {
        &self.ports
    }

    /// Stops accepting; running requests have the configured time to end.
    pub fn stop(&self) {
        self.health.stops();
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

/// Sockets for all workers on an address; `option` names it to the user.
fn bind(
    address: SocketAddr,
    option: &'static str,
    workers: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), Error> {
    let sockets = listener::bind(address, workers)
        .map_err(|error| ErrorKind::Listen(address, option, error))?;
    let address = match sockets.first() {
        Some(socket) => socket.local_addr().map_err(ErrorKind::Worker)?,
        None => address,
    };
    Ok((address, sockets))
}

impl Drop for Server {
    /// A server that is dropped stops; its threads end by themselves.
    fn drop(&mut self) {
        self.stop();
    }
}
