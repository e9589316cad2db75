//! `--health`: liveness and readiness, before the apps and on every host.

mod serve_support;

use serve_support::{folder, get_host, serve_with};
use std::time::Duration;

#[test]
fn live_and_ready_until_it_stops() {
    let dir = folder(&[
        ("index.lua", "return 'app'"),
        ("healthz.lua", "return 'of the app'"),
        ("slow.lua", "sleep(2) return 'done'"),
    ]);
    let server = serve_with(dir.path(), &["--workers", "2", "--health", "/healthz"]);
    for (path, body) in [
        ("/healthz", "ready\n"),
        ("/healthz/ready", "ready\n"),
        ("/healthz/live", "live\n"),
        ("/", "app"),
    ] {
        let response = get_host(server.address(), "any.test", path);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, body),
            "{path}"
        );
    }
    let fresh = get_host(server.address(), "a", "/healthz");
    assert_eq!(fresh.header("cache-control"), Some("no-store"));
    assert_eq!(
        get_host(server.address(), "a", "/healthz/other").status,
        404
    );
    // What runs when the server stops may end.
    let mut connection = rille_testkit::http::Connection::open(server.address()).unwrap();
    connection
        .send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.terminate().unwrap();
    assert_eq!(connection.receive().unwrap().text(), "done");
    server.wait(Duration::from_secs(20)).unwrap();
}

#[test]
fn without_the_option_it_is_the_apps() {
    let dir = folder(&[("healthz.lua", "return 'of the app'")]);
    let server = serve_with(dir.path(), &["--workers", "1"]);
    assert_eq!(
        get_host(server.address(), "a", "/healthz").text(),
        "of the app"
    );
    let path = dir.path().to_str().unwrap();
    let bad = serve_support::run(&["serve", path, "--health", "healthz"]);
    assert!(bad.stderr_text().contains("write it as a path"));
}
