//! The ports of an app's tasks (`on = "tcp:PORT"`): bound before anything of the app runs, so that a port that is in use is an error of the start.
//!
//! **Invariant:** each has one listening socket in the process, which the app's workers share.

use crate::listener;
use rille_runtime::app::App;
use rille_runtime::manifest;
use rille_runtime::problem::Problem;
use rille_runtime::task::supervise::Trigger;
use std::net::SocketAddr;

/// A port of a task.
pub struct TaskPort {
    /// The place of its app.
    pub app: usize,
    /// The task's name.
    pub task: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Listens for all tasks of an app, the one at this place.
pub fn open(app: &App, place: usize, open: &mut Vec<TaskPort>) -> Result<(), Problem> {
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
        let sockets = listener::bind(address, 1).map_err(failed)?;
        for socket in sockets {
            open.push(TaskPort {
                app: place,
                task: name.clone(),
                address: socket.local_addr().unwrap_or(address),
            });
            app.ports.add(number, socket);
        }
    }
    Ok(())
}
