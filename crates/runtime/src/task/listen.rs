//! `on = "tcp:PORT"`: a task for each connection to a port. Its argument is the connection's socket.
//!
//! ```text
//!   accepted --a permit, a task--> its own until it ends --> closed
//!      ^                             |
//!      +-- while there is room       +--the server stops: when nothing has come for QUIET, there is nothing more to read
//! ```
//!
//! There is one listening socket in the process, whatever the number of workers: with `instances = "worker"` all accept from it, else the first.
//! What cannot be served yet waits in the system's queue, as long as that has room.
//!
//! **Invariants.** A connection holds a socket permit of its VM and is counted in [`Tasks::connections`] from when it is given to a task until that
//! task has ended; then it is closed, whoever has its socket. A task that has ended is not started again: there is nobody it could answer.

use super::supervise::Trigger;
use super::{Tasks, Tid};
use crate::net::{NetError, Plain, SocketPermit, Stream};
use crate::vm::AppVm;
use rille_lua::{Lua, Result, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Shutdown, TcpListener};
use std::rc::{Rc, Weak};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// The wait before accepting is tried again, out of descriptors or of room.
const BACKOFF: Duration = Duration::from_millis(20);
/// Between two lines about that.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// At the stop, a connection that has had nothing to read for so long is not going to.
const QUIET: Duration = Duration::from_secs(1);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The listening sockets of an app's tasks, by their place in the manifest.
#[derive(Debug, Default)]
pub struct Ports(Mutex<HashMap<usize, TcpListener>>);

impl Ports {
    /// Adds the socket of a task. It listens, and does not block.
    pub fn add(&self, task: usize, socket: TcpListener) {
        self.lock().insert(task, socket);
    }

    /// Closes them all, as far as no worker accepts from them.
    pub fn close(&self) {
        self.lock().clear();
    }

    /// The socket of a task, once more.
    pub fn get(&self, task: usize) -> Option<TcpListener> {
        self.lock().get(&task)?.try_clone().ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the socket object that a task is given.
pub type Maker = Box<dyn Fn(&Lua, Rc<Stream>) -> Result<Value>>;

/// The open connections of a VM's tasks.
#[derive(Default)]
pub(super) struct Connections {
    maker: RefCell<Option<Maker>>,
    /// By port, by task.
    open: RefCell<HashMap<usize, HashMap<u64, Rc<Stream>>>>,
}

/// What accepts for one `[[task]]`.
struct Port {
    tasks: Weak<Tasks>,
    /// Its place in the manifest.
    number: usize,
    name: String,
    /// Connections at once.
    most: usize,
    complained: Option<Instant>,
}

impl Tasks {
    /// How sockets of connections are made; once, before tasks start.
    pub fn give_sockets(&self, maker: Maker) {
        *self.connections.maker.borrow_mut() = Some(maker);
    }

    /// How many connections have been given to tasks that have not ended.
    pub fn connections(&self) -> usize {
        self.connections
            .open
            .borrow()
            .values()
            .map(HashMap::len)
            .sum()
    }

    fn connections_of(&self, port: usize) -> usize {
        let open = self.connections.open.borrow();
        open.get(&port).map_or(0, HashMap::len)
    }

    /// Begins to accept. `is_first`: this worker has the tasks that the process has one of.
    pub(super) fn listen(self: &Rc<Self>, vm: &Rc<AppVm>, is_first: bool) {
        let manifest = &vm.app().manifest;
        for (number, child) in manifest.tasks.iter().enumerate() {
            let Trigger::Tcp { connections, .. } = child.trigger else {
                continue;
            };
            if !is_first && !child.on_each_worker {
                continue;
            }
            let listener = (vm.app().ports.get(number))
                .and_then(|socket| tokio::net::TcpListener::from_std(socket).ok());
            let Some(listener) = listener else {
                let name = &child.name;
                vm.log()
                    .server(format_args!("task {name} has no socket to listen on"));
                continue;
            };
            let most = connections.unwrap_or(manifest.limits.sockets);
            let port = Port {
                tasks: Rc::downgrade(self),
                number,
                name: child.name.clone(),
                most: usize::try_from(most).unwrap_or(usize::MAX),
                complained: None,
            };
            tokio::task::spawn_local(port.run(vm.stopping(), listener));
        }
    }

    /// The end of a task: its connection, if it has one, ends with it.
    pub(super) fn end_connection(&self, tid: Tid) {
        let mut open = self.connections.open.borrow_mut();
        let ended = open.values_mut().find_map(|port| port.remove(&tid.0));
        drop(open);
        if let Some(stream) = ended {
            stream.close();
        }
    }

    /// Starts a task for a connection; or says why not.
    fn begin_connection(
        self: &Rc<Self>,
        vm: &AppVm,
        port: &Port,
        stream: TcpStream,
        permit: SocketPermit,
    ) -> std::result::Result<(), String> {
        // What is sent is sent whole. (A connection that has gone already is its task's to find out.)
        let _ = stream.set_nodelay(true);
        let stream = Rc::new(Stream::new(Plain::Tcp(stream), permit));
        let made = match &*self.connections.maker.borrow() {
            Some(maker) => maker(vm.lua(), stream.clone()),
            None => return Err("there are no sockets here".into()),
        };
        let spawned = made.and_then(|socket| self.spawn_with(&port.name, vec![socket]));
        let why = match spawned {
            Ok(Ok(tid)) => {
                let mut open = self.connections.open.borrow_mut();
                open.entry(port.number).or_default().insert(tid.0, stream);
                return Ok(());
            }
            Ok(Err(refused)) => refused.to_string(),
            Err(error) => error.message(),
        };
        // Its object may live for a while.
        stream.close();
        Err(why)
    }
}

impl Port {
    /// Accepts until the stop, and sees to it that what is left ends.
    async fn run(
        mut self,
        mut stopping: tokio::sync::watch::Receiver<bool>,
        listener: tokio::net::TcpListener,
    ) {
        tokio::select! {
            () = self.accept(&listener) => return,
            // An error: the VM has gone.
            stopped = stopping.wait_for(|stopping| *stopping) => if stopped.is_err() { return },
        }
        drop(listener);
        let vm = self.tasks.upgrade().and_then(|tasks| tasks.vm());
        if let Some(vm) = vm {
            vm.app().ports.close();
        }
        self.run_down().await;
    }

    /// Accepts; returns when the VM has gone.
    async fn accept(&mut self, listener: &tokio::net::TcpListener) {
        loop {
            let Some(tasks) = self.tasks.upgrade() else {
                return;
            };
            let Some(vm) = tasks.vm() else { return };
            if tasks.connections_of(self.number) >= self.most {
                let why = format_args!("{} connections are open; new ones wait", self.most);
                complain(&vm, &self.name, &mut self.complained, why);
                drop((vm, tasks));
                tokio::time::sleep(BACKOFF).await;
                continue;
            }
            // Not kept while nobody comes: scripts' own sockets may need it.
            if let Err(why) = self.permit(&vm) {
                complain(
                    &vm,
                    &self.name,
                    &mut self.complained,
                    format_args!("{why}; new connections wait"),
                );
                drop((vm, tasks));
                tokio::time::sleep(BACKOFF).await;
                continue;
            }
            drop((vm, tasks));
            let accepted = listener.accept().await;
            let Some(tasks) = self.tasks.upgrade() else {
                return;
            };
            let Some(vm) = tasks.vm() else { return };
            let why = match accepted {
                Ok((stream, _)) => match self.permit(&vm) {
                    Ok(permit) => match tasks.begin_connection(&vm, self, stream, permit) {
                        // Other workers have their chance.
                        Ok(()) => {
                            drop((vm, tasks));
                            tokio::task::yield_now().await;
                            continue;
                        }
                        Err(why) => format!("a connection is closed: {why}"),
                    },
                    Err(why) => format!("a connection is closed: {why}"),
                },
                // Out of descriptors, say.
                Err(error) => format!("cannot accept a connection: {error}"),
            };
            complain(&vm, &self.name, &mut self.complained, format_args!("{why}"));
            drop((vm, tasks));
            tokio::time::sleep(BACKOFF).await;
        }
    }

    fn permit(&self, vm: &AppVm) -> std::result::Result<SocketPermit, NetError> {
        let net = vm.net();
        if net.sockets().is_full() && net.pools().idle() == 0 && self.is_time_to_say() {
            // Sockets that no script has any more.
            let _ = vm.lua().gc_collect();
        }
        net.permit()
    }

    fn is_time_to_say(&self) -> bool {
        (self.complained).is_none_or(|at| at.elapsed() > BETWEEN_LINES)
    }

    /// Nobody comes any more. Connections that have nothing to read get the end of their input.
    async fn run_down(&self) {
        let mut quiet: HashMap<u64, Instant> = HashMap::new();
        loop {
            {
                let Some(tasks) = self.tasks.upgrade() else {
                    return;
                };
                let open = tasks.connections.open.borrow();
                let Some(open) = open.get(&self.number).filter(|open| !open.is_empty()) else {
                    return;
                };
                let now = Instant::now();
                for (tid, stream) in open {
                    if stream.has_something() {
                        quiet.remove(tid);
                    } else if now.duration_since(*quiet.entry(*tid).or_insert(now)) >= QUIET {
                        // It may have gone already.
                        let _ = stream.with_socket(|socket| socket.shutdown(Shutdown::Read));
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A line about why nobody is served, unless there has just been one.
fn complain(
    vm: &AppVm,
    name: &str,
    complained: &mut Option<Instant>,
    why: std::fmt::Arguments<'_>,
) {
    if complained.is_none_or(|at| at.elapsed() > BETWEEN_LINES) {
        *complained = Some(Instant::now());
        vm.log().server(format_args!("task {name}: {why}"));
    }
}
