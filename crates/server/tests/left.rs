//! Requests that have their connection, after their client has hung up.

use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_server::{AppSource, Config, Server, Timeouts};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SLEEPS: &str = r#"
local ended <close> = setmetatable({}, {__close = function() log.info("ended " .. request.query.n) end})
local sock = ngx.req.socket(true)
sock:send("x")
if request.query.n == "3" then ngx.on_abort(function() log.info("told") end) end
sleep(request.query.n == "3" and 2 or 1000)"#;

fn wait_for(log: &Log, line: &str) -> Duration {
    let start = Instant::now();
    while !log.lines().iter().any(|known| known.contains(line)) {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            log.lines()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}

#[test]
fn they_end_a_while_later() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.lua"), SLEEPS).unwrap();
    let app = App::load(folder.path()).app.unwrap();
    let log = Log::memory();
    let mut config = Config::new("127.0.0.1:0".parse().unwrap(), log.clone());
    config.workers = 1;
    config.timeouts = Timeouts {
        head: Duration::from_millis(100),
        hung_up: Duration::from_millis(700),
        ..Timeouts::default()
    };
    let server = Server::start(config, &[AppSource::App(Arc::new(app))]).unwrap();
    let open = |n: u32| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        write!(stream, "GET /s?n={n} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    };
    // With data that nobody has read, and without.
    let mut first = open(1);
    first.write_all(b"unread").unwrap();
    drop((first, open(2)));
    let asked = open(3);
    assert!(wait_for(&log, "ended 1") > Duration::from_millis(300));
    wait_for(&log, "ended 2");
    drop(asked);
    wait_for(&log, "told");
    assert!(
        wait_for(&log, "ended 3") > Duration::from_millis(800),
        "it goes on"
    );
    // One whose client is there stays.
    let _there = open(4);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!log.lines().iter().any(|line| line.contains("ended 4")));
}
