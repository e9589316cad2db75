//! Many connections: that they cost little, and what becomes of those that there is no room for. `cargo bench -p rille --bench connections` does
//! the first with 15,000 of them.

mod serve_support;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rille_testkit::http::Connection;
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::folder;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const MANY: usize = 2000;
/// Bytes of the resident set for a connection between two requests, in a debug build.
const MOST_BYTES: usize = 8 << 10;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Serves an app on one worker that is started with these limits of open files: the one in force, and the one that may be asked for.
fn serve(soft: u64, hard: u64, options: &str) -> (TempDir, Server) {
    let dir = folder(&[(
        "index.lua",
        "return function(request) return request.query.n or 'ok' end",
    )]);
    let program = env!("CARGO_BIN_EXE_rille");
    let path = dir.path().display();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!(
        "ulimit -Sn {soft} && ulimit -Hn {hard} && \
         exec {program} serve {path} --listen 127.0.0.1:0 --workers 1 {options}"
    ));
    (dir, Server::start(&mut shell).unwrap())
}

/// Sends a request without waiting for its response.
fn ask(connection: &mut Connection) {
    connection.send(REQUEST).unwrap();
}

fn answered(connection: &mut Connection) {
    let response = connection.receive().unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
}

/// Bytes of a process's resident set.
fn resident(process: u32) -> usize {
    let path = Path::new("/proc").join(process.to_string()).join("statm");
    let text = std::fs::read_to_string(path).unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Lines of the log with this text.
fn lines(server: &Server, text: &str) -> usize {
    (server.log().lines())
        .filter(|line| line.contains(text))
        .count()
}

#[test]
fn thousands_of_connections_are_served_and_cost_little() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let needed = 2 * MANY as u64;
    assert!(
        hard >= needed,
        "this needs {needed} descriptors: ulimit -Hn"
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    // It raises its own limit.
    let (_dir, server) = serve(256, needed, "");
    let open = || {
        let mut connection = Connection::open(server.address()).unwrap();
        ask(&mut connection);
        answered(&mut connection);
        connection
    };
    // What is there once and not for each of them.
    let mut connections: Vec<_> = (0..100).map(|_| open()).collect();
    let before = resident(server.id());
    connections.extend((0..MANY).map(|_| open()));
    let each = (resident(server.id()) - before) / MANY;
    // All of them are alive, in any order, and so they are when all speak at a time.
    for at in 0..connections.len() {
        let connection = &mut connections[at * 991 % (MANY + 100)];
        ask(connection);
        answered(connection);
    }
    connections.iter_mut().for_each(ask);
    connections.iter_mut().for_each(answered);
    assert!(each <= MOST_BYTES, "{each} bytes for each connection");
    assert_eq!(server.log().lines().count(), 1, "{}", server.log());
}

/// Opens connections until `open` of them are served and some wait; then ends some, and the others are served.
fn those_beyond_wait(server: &Server, open: usize, line: &str) {
    let connect = || Connection::open(server.address()).unwrap();
    let mut served: Vec<_> = (0..open).map(|_| connect()).collect();
    for connection in &mut served {
        ask(connection);
        answered(connection);
    }
    let mut beyond: Vec<_> = (0..20).map(|_| connect()).collect();
    beyond.iter_mut().for_each(ask);
    let said = server.wait_for_log(line, Duration::from_secs(10));
    assert!(said.is_some(), "{}", server.log());
    // Those that were there first are as well off as before.
    for connection in served.iter_mut().rev() {
        ask(connection);
        answered(connection);
    }
    served.truncate(open - beyond.len());
    beyond.iter_mut().for_each(answered);
    served.iter_mut().chain(&mut beyond).for_each(ask);
    served.iter_mut().chain(&mut beyond).for_each(answered);
    assert_eq!(lines(server, "new ones wait"), 1, "{}", server.log());
}

#[test]
fn connections_beyond_the_limit_wait_until_others_end() {
    let (_dir, server) = serve(256, 256, "--max-connections 50");
    those_beyond_wait(&server, 50, "rille: 50 connections are open; new ones wait");
}

#[test]
fn without_a_descriptor_connections_wait_until_others_end() {
    let (_dir, server) = serve(100, 100, "--max-connections 1000");
    // How many it has room for is seen from what it says.
    let mut all: Vec<_> = (0..150)
        .map(|_| Connection::open(server.address()).unwrap())
        .collect();
    let line = server
        .wait_for_log("cannot accept a connection", Duration::from_secs(10))
        .unwrap_or_else(|| panic!("{}", server.log()));
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("rille:"));
    let open: usize = words
        .find_map(|word| word.trim_end_matches(':').parse().ok())
        .unwrap();
    assert!(
        (30..100).contains(&open)
            && line.contains(": Too many open files (os error 24); new ones wait"),
        "{line}"
    );
    let mut rest = all.split_off(open);
    all.iter_mut().for_each(ask);
    all.iter_mut().for_each(answered);
    rest.iter_mut().for_each(ask);
    drop(all);
    let later = rest.split_off(rest.len().min(open));
    rest.iter_mut().for_each(answered);
    drop((rest, later));
    // Nothing has been left behind: as many as before have room.
    let mut again: Vec<_> = (0..open)
        .map(|_| Connection::open(server.address()).unwrap())
        .collect();
    again.iter_mut().for_each(ask);
    again.iter_mut().for_each(answered);
    assert_eq!(lines(&server, "new ones wait"), 1, "{}", server.log());
}

#[test]
fn by_default_some_descriptors_are_kept_for_scripts() {
    let (_dir, server) = serve(64, 160, "");
    those_beyond_wait(
        &server,
        140,
        "rille: 140 connections are open; new ones wait",
    );
}
