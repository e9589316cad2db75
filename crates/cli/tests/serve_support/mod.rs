//! What the tests of `rille serve` share: apps in scratch folders, and the real binary serving them.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod admin;
pub mod here;
pub mod websocket;

use rille_testkit::http::{self, Response};
use rille_testkit::process::{self, Outcome};
use rille_testkit::server::{Server, free_port};
use rille_testkit::temp::TempDir;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new("rille-serve").unwrap();
    for (name, text) in files {
        dir.write(name, text).unwrap();
    }
    dir
}

/// `rille` with arguments, and without a state folder: no test keeps anything in the user's.
pub fn rille(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(args);
    for name in ["RILLE_STATE", "XDG_STATE_HOME", "HOME"] {
        command.env_remove(name);
    }
    command
}

/// Runs `rille` to its end.
pub fn run(args: &[&str]) -> Outcome {
    process::run(&mut rille(args), b"", Duration::from_secs(20)).unwrap()
}

/// Serves a path on one worker and a free port.
pub fn serve(path: &Path) -> Server {
    serve_with(path, &["--workers", "1"])
}

/// Serves a path with further options on a free port.
pub fn serve_with(path: &Path, options: &[&str]) -> Server {
    let mut args = vec!["serve", path.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    args.extend_from_slice(options);
    Server::start(&mut rille(&args)).unwrap()
}

/// A served app, with its folder.
pub struct App {
    pub dir: TempDir,
    pub server: Server,
}

/// Serves an app with these files on one worker.
pub fn app(files: &[(&str, &str)]) -> App {
    let dir = folder(files);
    let server = serve(dir.path());
    App { dir, server }
}

impl App {
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn get(&self, target: &str) -> Response {
        http::get(self.address(), target).unwrap()
    }

    /// A connection of its own.
    pub fn connect(&self) -> http::Connection {
        http::Connection::open(self.address()).unwrap()
    }

    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        http::request(self.address(), method, target, headers, body).unwrap()
    }

    /// Waits for the log line with `text`.
    pub fn log_line(&self, text: &str) -> String {
        let found = self.server.wait_for_log(text, Duration::from_secs(10));
        found.unwrap_or_else(|| panic!("no line with {text:?} in the log:\n{}", self.server.log()))
    }

    /// How many log lines contain `text`.
    pub fn count(&self, text: &str) -> usize {
        self.server
            .log()
            .lines()
            .filter(|line| line.contains(text))
            .count()
    }
}

/// `GET target` for an app's host.
pub fn get_host(address: SocketAddr, host: &str, target: &str) -> Response {
    http::request(address, "GET", target, &[("Host", host)], b"").unwrap()
}

/// Waits until something holds; in the end it has to.
pub fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never held");
}

/// A server of somebody else's, on a port of its own, which the arguments name as `PORT`.
pub fn start_other(program: &str, package: &str, arguments: &[&str]) -> Server {
    let port = free_port().unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut command = Command::new(program);
    for argument in arguments {
        command.arg(argument.replace("PORT", &port.to_string()));
    }
    let server = Server::start_on(&mut command, address);
    server.unwrap_or_else(|error| panic!("{program}: {error}: apt-get install {package}"))
}

/// Redis, with nothing in it, which is gone with the folder.
pub fn redis(data: &TempDir) -> Server {
    let folder = data.path().to_str().unwrap();
    let options = [
        "--port",
        "PORT",
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        folder,
    ];
    start_other("redis-server", "redis-server", &options)
}
