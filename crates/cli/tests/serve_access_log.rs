//! The access log on the wire: its lines, its files, and what clients cannot do to it.

mod serve_support;

use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::{eventually, folder, serve_with};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FILES: &[(&str, &str)] = &[
    ("rille.toml", "name = \"shop\"\n"),
    ("index.lua", "return 'hello'"),
    (
        "work.lua",
        "local x = 0 for i = 1, 300000 do x = x + i % 7 end return 201, tostring(x)",
    ),
    ("id.lua", "return request.id"),
    ("slow.lua", "sleep(5)"),
    (
        "stream.lua",
        "for i = 1, 4 do response:write(('x'):rep(1000)) response:flush() end",
    ),
];

fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    eventually(|| read().lines().count() >= count);
    let all: Vec<String> = read().lines().map(str::to_owned).collect();
    assert_eq!(all.len(), count, "{all:#?}");
    all
}

/// The app served with an access log of this format, and where that is.
fn logged(format: &str) -> (TempDir, PathBuf, Server) {
    let dir = folder(FILES);
    let log = dir.path().join("access.log");
    let option = format!("{format}:{}", log.display());
    let server = serve_with(dir.path(), &["--workers", "1", "--access-log", &option]);
    (dir, log, server)
}

fn get(server: &Server, target: &str) -> rille_testkit::http::Response {
    let headers = [
        ("User-Agent", "test/1"),
        ("Referer", "http://from.test/"),
        ("Host", "a.test"),
    ];
    rille_testkit::http::request(server.address(), "GET", target, &headers, b"").unwrap()
}

#[test]
fn combined() {
    let (_dir, log, server) = logged("combined");
    get(&server, "/?a=b");
    get(&server, "/missing");
    get(&server, "/stream");
    let all = lines(&log, 3);
    for (line, end) in all.iter().zip([
        "\"GET /?a=b HTTP/1.1\" 200 5 \"http://from.test/\" \"test/1\"",
        "\"GET /missing HTTP/1.1\" 404 ",
        "\"GET /stream HTTP/1.1\" 200 4000 \"http://from.test/\" \"test/1\"",
    ]) {
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        assert!(line.contains(end), "{line}");
    }
}

#[test]
fn json() {
    let (_dir, log, server) = logged("json");
    get(&server, "/work");
    let id = get(&server, "/id").text();
    let all = lines(&log, 2);
    for part in [
        "\"remote_addr\":\"127.0.0.1\"",
        "\"host\":\"a.test\"",
        "\"app\":\"shop\"",
        "\"method\":\"GET\",\"target\":\"/work\",\"protocol\":\"HTTP/1.1\",\"scheme\":\"http\",\"status\":201,\"bytes\":",
        "\"user_agent\":\"test/1\"}",
    ] {
        assert!(all[0].contains(part), "{part}: {}", all[0]);
    }
    let number = |line: &str, name: &str| -> u64 {
        let rest = line.split(&format!("\"{name}\":")).nth(1).unwrap();
        rest.split([',', '}']).next().unwrap().parse().unwrap()
    };
    let (cpu, duration) = (number(&all[0], "cpu_us"), number(&all[0], "duration_us"));
    assert!(cpu > 100 && cpu <= duration, "{cpu} of {duration}");
    assert!(
        all[1].contains(&format!("\"id\":\"{id}\"")),
        "{} {id}",
        all[1]
    );
}

#[test]
fn nobody_forges_a_line() {
    let (_dir, log, server) = logged("combined");
    let request = b"GET /\"%0a HTTP/1.1\r\nHost: a\r\nUser-Agent: \" 200 1\t\\ \xff\r\nConnection: close\r\n\r\n";
    let _ = rille_testkit::http::exchange(server.address(), request).unwrap();
    let _ = rille_testkit::http::exchange(server.address(), b"GET / HTTP/1.1\r\nno field\r\n\r\n")
        .unwrap();
    let all = lines(&log, 2);
    assert!(
        all[0].contains("\"GET /\\x22%0a HTTP/1.1\" 404 "),
        "{}",
        all[0]
    );
    assert!(
        all[0].ends_with("\"-\" \"\\x22 200 1\\x09\\x5C \\xFF\""),
        "{}",
        all[0]
    );
    assert!(all[1].contains("\"\" 400 0 \"-\" \"-\""), "{}", all[1]);
}

#[test]
fn a_client_that_goes_has_a_line_too() {
    let (_dir, log, server) = logged("combined");
    let mut connection = rille_testkit::http::Connection::open(server.address()).unwrap();
    connection
        .send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    drop(connection);
    let all = lines(&log, 1);
    assert!(
        all[0].contains("\"GET /slow HTTP/1.1\" 499 0"),
        "{}",
        all[0]
    );
}

#[test]
fn a_hangup_opens_the_file_again_and_the_end_loses_nothing() {
    let (_dir, log, server) = logged("combined");
    get(&server, "/");
    lines(&log, 1);
    let moved = log.with_extension("log.1");
    std::fs::rename(&log, &moved).unwrap();
    let id = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
    eventually(|| log.exists());
    for _ in 0..50 {
        get(&server, "/");
    }
    server.terminate().unwrap();
    server.wait(Duration::from_secs(20)).unwrap();
    assert_eq!(lines(&log, 50).len(), 50);
    assert_eq!(lines(&moved, 1).len(), 1);
}

#[test]
fn standard_output_and_mistakes() {
    let dir = folder(FILES);
    let server = serve_with(dir.path(), &["--workers", "1", "--access-log", "combined"]);
    get(&server, "/");
    assert!(
        server
            .wait_for_log("\"GET / HTTP/1.1\" 200 5", Duration::from_secs(10))
            .is_some()
    );
    let path = dir.path().to_str().unwrap();
    let bad = serve_support::run(&["serve", path, "--access-log", "common"]);
    assert!(bad.stderr_text().contains("write it as combined or json"));
    let bad = serve_support::run(&[
        "serve",
        path,
        "--listen",
        "127.0.0.1:0",
        "--access-log",
        "json:/nowhere/x",
    ]);
    assert!(
        bad.stderr_text()
            .contains("--access-log: cannot open /nowhere/x")
    );
}
