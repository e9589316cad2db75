//! `mk.config`: what the server is.
//!
//! Monkey's own names. What Rille has not (`is_daemon`, `fdt`, ...) is what Monkey would say of a server without it.
//!
//! **Invariant:** the table is read-only: all requests of a VM share it.

use super::fields::SOFTWARE;
use crate::worker::Listener;
use rille_lua::{Lua, Result, Table};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

/// A file of users that is larger is not looked at beyond this.
const MAX_USERS: u64 = 1 << 20;

/// What is known of the server when its workers start.
pub struct Facts {
    /// Workers.
    pub workers: usize,
    /// Connections at once, of each.
    max_connections: usize,
    /// Where it listens, and whether with TLS; the first is the main one.
    listens: Vec<(SocketAddr, bool)>,
}

impl Facts {
    /// For a worker with these listeners.
    pub fn new(workers: usize, max_connections: usize, listeners: &[Listener]) -> Facts {
        let listens = (listeners.iter())
            .filter_map(|listener| {
                let address = listener.socket.local_addr().ok()?;
                Some((address, listener.tls.is_some()))
            })
            .collect();
        Facts {
            workers,
            max_connections,
            listens,
        }
    }
}

pub(super) fn table(lua: &Lua, facts: &Facts) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("workers", facts.workers)?;
    table.raw_set("worker_capacity", facts.max_connections)?;
    let most = facts.workers.saturating_mul(facts.max_connections);
    table.raw_set("max_load", most)?;
    if let Some((address, _)) = facts.listens.first() {
        table.raw_set("listen_addr", address.ip().to_string())?;
        table.raw_set("server_addr", address.to_string())?;
    }
    let has_tls = facts.listens.iter().any(|(_, tls)| *tls);
    table.raw_set("transport", if has_tls { "https" } else { "http" })?;
    table.raw_set("transport_layer", "tcp")?;
    table.raw_set("server_software", SOFTWARE)?;
    table.raw_set("user", user())?;
    table.raw_set("scheduler_mode", "MK_SCHEDULER_REUSEPORT")?;
    for no in ["manual_tcp_cork", "fdt", "is_daemon", "is_seteuid"] {
        table.raw_set(no, false)?;
    }
    let features = lua.create_table()?;
    features.raw_set("SO_REUSEPORT", facts.workers > 1)?;
    features.raw_set("TCP_FASTOPEN", false)?;
    features.raw_set("TCP_AUTOCORKING", false)?;
    features.freeze()?;
    table.raw_set("kernel_features", features)?;
    table.freeze()?;
    Ok(table)
}

/// The name of the user that the server runs as; its number if it has none.
fn user() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let mut users = String::new();
    let file = std::fs::File::open("/etc/passwd");
    // Without that file users have no names.
    let _ = file.and_then(|file| file.take(MAX_USERS).read_to_string(&mut users));
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == uid).then(|| name.to_owned())
    });
    Some(name.unwrap_or(uid))
}
