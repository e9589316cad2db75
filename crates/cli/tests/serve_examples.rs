//! The examples, served together as the README says, by the real binary.

mod serve_support;

use rille_testkit::http::{self, Connection, Response};
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::{get_host, serve, serve_with};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn examples() -> std::path::PathBuf {
    rille_testkit::workspace_root().join("examples")
}

fn call(address: SocketAddr, host: &str, method: &str, target: &str, body: &str) -> Response {
    http::request(address, method, target, &[("Host", host)], body.as_bytes()).unwrap()
}

#[test]
fn hello() {
    let server = serve_with(&examples(), &[]);
    assert_eq!(
        get_host(server.address(), "hello.localhost", "/").text(),
        "Hello, world!\n"
    );
    assert_eq!(
        get_host(server.address(), "hello.localhost:8080", "/?name=Rille").text(),
        "Hello, Rille!\n"
    );
    let list = http::get(server.address(), "/").unwrap();
    for app in ["hello", "notes", "fair-busy", "fair-quick"] {
        let url = format!("http://{app}.localhost:{}/", server.address().port());
        assert!(list.text().contains(&url), "{}", list.text());
    }
    let alone = serve(&examples().join("hello"));
    assert_eq!(
        http::get(alone.address(), "/").unwrap().text(),
        "Hello, world!\n"
    );
}

#[test]
fn notes() {
    // Several workers: what one stores all of them list.
    let state = TempDir::new("rille-state").unwrap();
    let folder = state.path().to_str().unwrap();
    let server = serve_with(&examples(), &["--workers", "3", "--state", folder]);
    let notes = |method: &str, target: &str, body: &str| {
        call(server.address(), "notes.localhost", method, target, body)
    };
    assert_eq!(notes("GET", "/notes", "").text(), "[]");
    let created = notes("POST", "/notes", r#"{"text": "buy milk"}"#);
    assert_eq!(
        (created.status, created.header("location")),
        (201, Some("/notes/1"))
    );
    assert!(
        created.text().contains(r#""text":"buy milk""#),
        "{}",
        created.text()
    );
    assert_eq!(
        notes("POST", "/notes", r#"{"text": "é\n\"2\""}"#).status,
        201
    );
    for _ in 0..10 {
        let list = notes("GET", "/notes", "");
        assert_eq!(list.header("content-type"), Some("application/json"));
        assert_eq!(list.text().matches("\"id\":").count(), 2, "{}", list.text());
    }
    assert!(
        notes("GET", "/notes/2", "")
            .text()
            .contains(r#""text":"é\n\"2\"""#)
    );
    assert_eq!(notes("DELETE", "/notes/1", "").status, 204);
    assert_eq!(notes("DELETE", "/notes/1", "").status, 404);
    assert_eq!(
        notes("GET", "/notes/1", "").text(),
        r#"{"error":"there is no note 1"}"#
    );
    assert_eq!(notes("GET", "/notes/x", "").status, 400);
    assert_eq!(notes("POST", "/notes", "{").status, 400);
    assert_eq!(notes("POST", "/notes", "[]").status, 422);
    assert_eq!(notes("POST", "/notes", &"x".repeat(70_000)).status, 413);
    let refused = notes("PUT", "/notes", "");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, POST, HEAD"))
    );
}

/// The p99 of `fair-quick` over one keep-alive connection until `end`.
fn p99(address: SocketAddr, end: Instant) -> Duration {
    let mut connection = Connection::open(address).unwrap();
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        connection
            .send(b"GET / HTTP/1.1\r\nHost: fair-quick.localhost\r\n\r\n")
            .unwrap();
        assert_eq!(connection.receive().unwrap().text(), "quick\n");
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() * 99 / 100]
}

#[test]
fn fair() {
    let server: Server = serve(&examples());
    let address = server.address();
    let alone = p99(address, Instant::now() + Duration::from_millis(300));
    let start = Instant::now();
    let busy = std::thread::spawn(move || get_host(address, "fair-busy.localhost", "/"));
    std::thread::sleep(Duration::from_millis(50));
    let beside = p99(address, Instant::now() + Duration::from_secs(1));
    // A few slices of a millisecond; the rest is for a machine that is busy with other tests.
    assert!(
        beside < alone + Duration::from_millis(25),
        "alone {alone:?}, beside the loop {beside:?}"
    );
    let busy = busy.join().unwrap();
    assert_eq!(busy.status, 503);
    assert!(
        start.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        start.elapsed()
    );
    let line = server
        .wait_for_log("fair-busy: index.lua", Duration::from_secs(5))
        .unwrap();
    assert_eq!(
        line,
        "rille: app fair-busy: index.lua:3: stopped: cpu limit of 2 s reached (GET /)"
    );
    assert_eq!(server.log().matches("stopped").count(), 1);
}
