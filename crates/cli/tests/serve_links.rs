//! `examples/links`, the OpenResty-style app, on several workers with a real Redis.

mod serve_support;

use rille_testkit::http::{self, Response};
use rille_testkit::server::Server;
use rille_testkit::temp::{TempDir, copy_tree};
use serve_support::{eventually, redis, serve_with};
use std::net::SocketAddr;
use std::time::Duration;

/// The example, with its Redis at an address.
fn links(redis: SocketAddr) -> (TempDir, Server) {
    let dir = TempDir::new("rille-links").unwrap();
    copy_tree(
        &rille_testkit::workspace_root().join("examples/links"),
        dir.path(),
    )
    .unwrap();
    let manifest = std::fs::read_to_string(dir.path().join("rille.toml")).unwrap();
    assert!(manifest.contains("127.0.0.1:6379"));
    let manifest = manifest.replace("127.0.0.1:6379", &redis.to_string());
    dir.write("rille.toml", manifest).unwrap();
    let server = serve_with(dir.path(), &["--workers", "2"]);
    (dir, server)
}

fn create(server: &Server, url: &str) -> Response {
    http::request(server.address(), "POST", "/links", &[], url.as_bytes()).unwrap()
}

fn get(server: &Server, target: &str) -> Response {
    http::get(server.address(), target).unwrap()
}

#[test]
fn links_are_made_followed_and_counted() {
    let data = TempDir::new("rille-redis").unwrap();
    let redis = redis(&data);
    let (_dir, server) = links(redis.address());
    let url = "https://www.example.com/a?b=c&d=e";
    let made = create(&server, url);
    assert_eq!(made.status, 201, "{}", server.log());
    let to = made.header("location").unwrap().to_owned();
    assert_eq!(made.text(), format!("{to}\n"));
    // The same URL again, from whichever worker.
    for _ in 0..4 {
        assert_eq!(create(&server, url).header("location"), Some(&*to));
    }
    for _ in 0..3 {
        let followed = get(&server, &to);
        assert_eq!(
            (followed.status, followed.header("location")),
            (302, Some(url))
        );
        assert_eq!(followed.header("cache-control"), Some("no-store"));
    }
    assert_eq!(get(&server, "/to/nothing").status, 404);
    for bad in ["", "ftp://x", "https://x y", "https://x\n"] {
        assert_eq!(create(&server, bad).status, 400, "{bad:?}");
    }
    eventually(|| {
        let stats = get(&server, "/stats").text();
        stats == "201 5\n302 3\n400 4\n404 1\n429 0\n502 0\nfollowed 3\n"
    });
    // Twenty a minute: nine of them are gone.
    let last: Vec<u16> = (0..13).map(|_| create(&server, url).status).collect();
    assert_eq!(last, [vec![201; 11], vec![429; 2]].concat());
    assert_eq!(
        http::request(server.address(), "GET", "/links", &[], b"")
            .unwrap()
            .status,
        405
    );
}

#[test]
fn without_redis_the_answer_is_502_and_the_log_says_why() {
    let data = TempDir::new("rille-redis").unwrap();
    let address = redis(&data).address();
    let (_dir, server) = links(address);
    assert_eq!(create(&server, "https://x").status, 502);
    assert_eq!(get(&server, "/to/x").status, 502);
    let told = server.wait_for_log("redis: connection refused", Duration::from_secs(20));
    assert!(told.is_some(), "{}", server.log());
}
