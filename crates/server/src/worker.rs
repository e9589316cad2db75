//! One worker: a thread with its own runtime, listener, scheduler and VMs.
//!
//! **Invariants.** Nothing here is shared with another worker but the apps' immutable parts and
//! their `kv`. What is served is one [`Fleet`], which is replaced as a whole; a request keeps the version of its app that it began with. A worker accepts only after every `init.lua` has ended, well or not, and stops in
//! order: no new connections, idle ones closed, running requests until the deadline, the rest cut.

use crate::conn::{Conn, Timeouts, Watch};
use crate::edge::access::{AccessLog, Record};
use crate::edge::forwarded::Trust;
use crate::edge::health::Health;
use crate::exchange::Source;
use crate::fleet::{Fleet, Slot};
use crate::hostmap::HostMap;
use crate::hostmap::tenants::Tenants;
use crate::hosts::{AppIndex, Hosts};
use crate::http1::{self, Ended, Refused, Wire};
use crate::http2::{self, Streams};
use crate::mk;
use crate::retired::Retired;
use crate::service::ConnectionService;
use crate::socket::{Socket, Watched};
use crate::stage::{Command, Stage};
use crate::tls::{self, Accepted, Session, Tls};
use http::StatusCode;
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::problem::Problem;
use rille_runtime::scheduler::{Scheduler, waits_for_io};
use std::cell::{Cell, OnceCell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// Lines about misbehaving clients a second.
const CLIENT_LINES: u32 = 10;

/// An app as it is to be served.
#[derive(Clone)]
pub enum Entry {
    /// It loaded.
    App(Arc<App>),
    /// It did not; its name.
    Broken(String),
}

/// A socket that already listens, and does not block.
pub struct Listener {
    /// The socket.
    pub socket: std::net::TcpListener,
    /// What its connections begin with.
    pub tls: Option<Arc<Tls>>,
}

/// What a worker needs to start.
pub struct Setup {
    /// Counts from 0.
    pub number: usize,
    /// How many there are.
    pub workers: usize,
    /// What to accept from.
    pub listeners: Vec<Listener>,
    /// The apps, by their places.
    pub entries: Vec<Entry>,
    /// Who answers which host.
    pub hosts: Arc<Hosts>,
    /// Where lines go.
    pub log: Log,
    /// For connections that do not move.
    pub timeouts: Timeouts,
    /// What is around whatever answers.
    pub edge: Edge,
    /// Connections at once, and requests of HTTP/2 on all of them.
    pub max_connections: usize,
    /// What it is told while it runs.
    pub commands: UnboundedReceiver<Command>,
    /// Who answers hosts that no app names.
    pub host_map: Option<HostMap>,
    /// Told once, when the worker is ready.
    pub ready: Sender<Ready>,
    /// Becomes the deadline of the drain when the server is to stop.
    pub stop: watch::Receiver<Option<Instant>>,
}

/// What is around whatever answers.
#[derive(Clone, Default)]
pub struct Edge {
    /// Which proxies are trusted; none if nobody has said.
    pub trust: Option<Arc<Trust>>,
    /// Where requests are logged.
    pub access: Option<AccessLog>,
    /// Where health is asked for.
    pub health_at: Option<Arc<str>>,
    /// How it is with the process.
    pub health: Health,
}

/// What a worker says when it is ready to accept.
pub struct Ready {
    /// Apps whose `init.lua` failed here.
    pub problems: Vec<(AppIndex, Problem)>,
}

/// What the connections of a worker share.
pub struct Worker {
    /// What it serves now.
    fleet: RefCell<Rc<Fleet>>,
    /// Who answers hosts that no app names.
    tenants: OnceCell<Rc<Tenants>>,
    /// Versions that others have taken the place of, as far as they are still there.
    retired: Retired,
    number: usize,
    /// What is around whatever answers.
    pub edge: Edge,
    requests: Cell<u64>,
    connections: Cell<usize>,
    /// Requests of HTTP/2.
    streams: Rc<Streams>,
    stopping: Cell<bool>,
    log: Log,
    /// Lines about clients in the current second.
    client_lines: Cell<(Option<Instant>, u32)>,
}

impl Worker {
    /// What it serves now.
    pub fn fleet(&self) -> Rc<Fleet> {
        self.fleet.borrow().clone()
    }

    /// Serves others from now on; the former ones.
    pub fn set_fleet(&self, fleet: Fleet) -> Rc<Fleet> {
        self.fleet.replace(Rc::new(fleet))
    }

    /// Who answers hosts that no app names.
    pub fn tenants(&self) -> Option<&Rc<Tenants>> {
        self.tenants.get()
    }

    /// Versions that others have taken the place of.
    pub fn retired(&self) -> &Retired {
        &self.retired
    }

    /// Where lines go.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What tells the request with this number from all others of the process.
    pub fn id_of(&self, request: u64) -> String {
        format!("{:016x}{request:08x}", self.number)
    }

    /// A number no other request of this worker has.
    pub fn next_number(&self) -> u64 {
        let number = self.requests.get();
        self.requests.set(number + 1);
        number
    }

    /// A line about a client's mistake; only so many a second.
    fn client_line(&self, peer: SocketAddr, message: &str) {
        let (since, count) = self.client_lines.get();
        let fresh = since.is_none_or(|since| since.elapsed() >= Duration::from_secs(1));
        let (since, count) = if fresh {
            (Some(Instant::now()), 0)
        } else {
            (since, count)
        };
        self.client_lines.set((since, count + 1));
        if count < CLIENT_LINES {
            self.log.line(format_args!("client {peer}: {message}"));
        }
    }
}

/// The thread's body.
pub fn run(setup: Setup) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(waits_for_io)
        .build_local(tokio::runtime::LocalOptions::default())?;
    let result = runtime.block_on(serve(setup));
    runtime.shutdown_background();
    result
}

async fn serve(setup: Setup) -> std::io::Result<()> {
    let Setup {
        number,
        workers,
        listeners,
        entries,
        hosts,
        log,
        timeouts,
        edge,
        max_connections,
        commands,
        host_map,
        ready,
        mut stop,
    } = setup;
    let scheduler = Scheduler::new();
    tokio::task::spawn_local(scheduler.clone().drive());
    let watch = Watch::new(timeouts);
    tokio::task::spawn_local(watch.clone().run());
    let facts = Rc::new(mk::Facts::new(workers, max_connections, &listeners));
    let worker = Rc::new(Worker {
        fleet: RefCell::default(),
        tenants: OnceCell::new(),
        retired: Retired::default(),
        number,
        edge,
        requests: Cell::new(0),
        connections: Cell::new(0),
        streams: Streams::new(max_connections),
        stopping: Cell::new(false),
        log,
        client_lines: Cell::new((None, 0)),
    });
    let stage = Stage::new(worker.clone(), scheduler, number, facts);
    if let Some(map) = host_map {
        let tenants = Tenants::new(map, &stage);
        worker.tenants.get_or_init(|| Rc::new(tenants));
    }
    let mut slots = Vec::new();
    let mut problems = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        slots.push(match entry {
            Entry::Broken(name) => Slot::Broken(name.into()),
            Entry::App(app) => match stage.start_app(&app).await {
                Ok(served) => Slot::Live(Rc::new(served)),
                Err(problem) => {
                    problems.push((AppIndex(index), problem));
                    Slot::Broken(app.name().into())
                }
            },
        });
    }
    worker.set_fleet(Fleet::new(hosts, slots, 1));
    let listeners: Vec<_> = (listeners.into_iter())
        .map(|listener| Ok((TcpListener::from_std(listener.socket)?, listener.tls)))
        .collect::<std::io::Result<_>>()?;
    // If nobody listens any more the server has given up; so does the worker.
    if ready.send(Ready { problems }).is_err() {
        return Ok(());
    }
    drop(ready);
    let accepting: Vec<_> = (listeners.into_iter())
        .map(|(listener, tls)| {
            let (worker, watch) = (worker.clone(), watch.clone());
            tokio::task::spawn_local(accept(worker, watch, listener, tls, max_connections))
        })
        .collect();
    let obeying = tokio::task::spawn_local(stage.clone().obey(commands));
    let _ = stop.wait_for(Option::is_some).await;
    // What was being prepared goes.
    obeying.abort();
    let _ = obeying.await;
    for accepting in accepting {
        accepting.abort();
        let _ = accepting.await;
    }
    let deadline = (*stop.borrow()).unwrap_or_else(Instant::now);
    drain(&worker, &watch, deadline).await;
    Ok(())
}

async fn accept(
    worker: Rc<Worker>,
    watch: Rc<Watch>,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    max_connections: usize,
) {
    let mut complained: Option<Instant> = None;
    loop {
        let error = if worker.connections.get() >= max_connections {
            format!("{max_connections} connections are open; new ones wait")
        } else {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // It counts from here: its task runs when those that are accepted with it have been.
                    tokio::task::spawn_local(connection(
                        Counted::new(&worker),
                        watch.clone(),
                        stream,
                        peer,
                        tls.clone(),
                    ));
                    continue;
                }
                // It went before it was accepted; nothing is wrong here.
                Err(error) if is_of_peer(error.kind()) => continue,
                Err(error) => {
                    let open = worker.connections.get();
                    format!("cannot accept a connection beside {open}: {error}; new ones wait")
                }
            }
        };
        // Out of descriptors or of room: say so, not too often, and let some connections end.
        if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
            complained = Some(Instant::now());
            worker.log().line(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether an error of `accept` is one of the connection, not of the listener.
fn is_of_peer(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted)
}

/// Counts a connection for as long as it lives.
struct Counted(Rc<Worker>);

impl Counted {
    fn new(worker: &Rc<Worker>) -> Counted {
        worker.connections.set(worker.connections.get() + 1);
        Counted(worker.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

async fn connection(
    counted: Counted,
    watch: Rc<Watch>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
) {
    let worker = &counted.0;
    // A response is written whole; waiting for more to send with it gains nothing.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().unwrap_or(peer);
    let conn = watch.add();
    let socket = Watched::new(stream, conn.clone());
    let (socket, session) = match tls {
        None => (Socket::Plain(socket), None),
        // These are boxed, so that a plain connection of HTTP/1.1 is no larger for them.
        Some(tls) => match Box::pin(secure(worker, &tls, socket, &conn, peer)).await {
            Some((socket, session)) => (socket, Some(session)),
            None => return,
        },
    };
    let is_http2 = session.as_ref().is_some_and(|session| session.is_http2());
    let service = ConnectionService {
        worker: worker.clone(),
        peer,
        local,
        tls: session,
        last_host: RefCell::default(),
    };
    if is_http2 {
        let work = serve_http2(&service, socket, Vec::new(), conn, watch.timeouts());
        return Box::pin(work).await;
    }
    let wire = Wire::new(socket, conn.clone());
    let stopping = || worker.stopping.get() || conn.is_to_go();
    let answer = |head, body| service.call(head, Source::Wire(body));
    match http1::serve(&wire, stopping, answer).await {
        Ok(Ended::Closed) => {}
        Ok(Ended::Http2) => {
            if let Some((socket, inbox)) = wire.into_parts() {
                let work = serve_http2(&service, socket, inbox, conn, watch.timeouts());
                Box::pin(work).await;
            }
        }
        Err(refused) => {
            let why = refused.why;
            if let Some(access) = &worker.edge.access {
                access.add(Record::refused(peer.ip(), refused.status.as_u16()));
            }
            worker.client_line(peer, &format!("malformed request ({why}); refused"));
        }
    }
}

/// The handshake; `None` if there was none to be made.
async fn secure(
    worker: &Worker,
    tls: &Tls,
    socket: Watched,
    conn: &Rc<Conn>,
    peer: SocketAddr,
) -> Option<(Socket, Rc<Session>)> {
    match tls::accept(tls, socket, conn).await {
        Accepted::Tls(stream, session) => {
            conn.can_say_goodbye();
            Some((Socket::Tls(stream), Rc::new(session)))
        }
        Accepted::Plain(socket) => {
            let wire = Wire::new(Socket::Plain(socket), conn.clone());
            let why = "The plain HTTP request was sent to HTTPS port";
            http1::turn_away(&wire, Refused::new(StatusCode::BAD_REQUEST, why)).await;
            None
        }
        Accepted::Ended(why) => {
            if let Some(why) = why {
                worker.client_line(peer, &why);
            }
            None
        }
    }
}

async fn serve_http2(
    service: &ConnectionService,
    socket: Socket,
    inbox: Vec<u8>,
    conn: Rc<Conn>,
    timeouts: Timeouts,
) {
    conn.can_say_goodbye();
    let connection = http2::Connection {
        socket,
        inbox,
        conn: conn.clone(),
        patience: timeouts.write,
        streams: service.worker.streams.clone(),
    };
    let worker = &service.worker;
    let stopping = || worker.stopping.get() || conn.is_to_go();
    let answer = |head, body| service.call(head, Source::Stream(body));
    if let Err(why) = http2::serve(connection, stopping, answer).await {
        worker.client_line(service.peer, &format!("HTTP/2 connection ended: {why}"));
    }
}

/// Lets what runs end, until the deadline.
async fn drain(worker: &Rc<Worker>, watch: &Rc<Watch>, deadline: Instant) {
    worker.stopping.set(true);
    watch.wake_all();
    let live = || {
        let mut vms = worker.retired.alive();
        let fleet = worker.fleet();
        vms.extend(fleet.live().map(|served| served.vm.clone()));
        let tenants = worker.tenants().map(|tenants| tenants.live());
        vms.extend(
            tenants
                .into_iter()
                .flatten()
                .map(|served| served.vm.clone()),
        );
        vms.into_iter()
    };
    live().for_each(|vm| vm.stop());
    while worker.connections.get() > 0 || live().any(|vm| vm.background() > 0) {
        if Instant::now() >= deadline {
            let tasks: usize = live().map(|vm| vm.background()).sum();
            worker.log().line(format_args!(
                "{} connections and {tasks} background tasks cut off at the end of the drain",
                worker.connections.get()
            ));
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
