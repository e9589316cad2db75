//! The ports of an app's tasks (`on = "tcp:PORT"`): bound before anything of the app runs, so that a port that is in use is an error of the start.
//!
//! **Invariant:** each has one listening socket in the process, which the app's workers share, and its versions too: a port that a version has from the one
//! before it has been listened on all the time, so nobody who connects is refused.

use crate::listener;
use rille_runtime::app::App;
use rille_runtime::manifest;
use rille_runtime::problem::Problem;
use rille_runtime::task::supervise::Trigger;
use std::net::{SocketAddr, TcpListener};

/// A port of a task.
#[derive(Debug, Clone)]
pub struct TaskPort {
    /// The place of its app.
    pub app: usize,
    /// The task's name.
    pub task: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Listens for all tasks of an app, whose place is 0 for now; with the sockets of the version before, where that has them.
pub fn open(app: &App, former: Option<&App>) -> Result<Vec<TaskPort>, Problem> {
    let mut open = Vec::new();
    for (number, task) in app.manifest.tasks.iter().enumerate() {
        let Trigger::Tcp { address, .. } = task.trigger else {
            continue;
        };
        let name = &task.name;
        let failed = |error| {
            let why = listener::explain(address, "on = \"tcp:PORT\"", &error);
            let file = app.display_path(manifest::FILE);
            Problem::at(file, task.line, format!("task {name}: {why}"))
        };
        let kept = former.and_then(|former| socket_of(former, name, address));
        let sockets = match kept {
            Some(socket) => vec![socket],
            None => listener::bind(address, 1).map_err(failed)?,
        };
        for socket in sockets {
            open.push(TaskPort {
                app: 0,
                task: name.clone(),
                address: socket.local_addr().unwrap_or(address),
            });
            app.ports.add(number, socket);
        }
    }
    Ok(open)
}

/// The socket that a version has for this address; any free port is kept by the task that has it.
fn socket_of(app: &App, name: &str, wanted: SocketAddr) -> Option<TcpListener> {
    let tasks = app.manifest.tasks.iter().enumerate();
    let mut numbers = tasks.filter_map(|(number, task)| {
        let is_its = matches!(task.trigger, Trigger::Tcp { address, .. } if address == wanted);
        (is_its && (wanted.port() != 0 || task.name == name)).then_some(number)
    });
    app.ports.get(numbers.next()?)
}
