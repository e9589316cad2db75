//! `--trust-proxy`: who the client is, on the wire, and that nobody else can say so.

mod serve_support;

use rille_testkit::server::Server;
use serve_support::{folder, serve_with};

const FILES: &[(&str, &str)] = &[(
    "index.lua",
    "return table.concat({request.remote_addr, request.scheme, request.host, ngx.var.remote_addr, ngx.var.realip_remote_addr,
      ngx.var.scheme, ngx.var.https, ngx.var.host, request.headers['x-forwarded-for'] or '-'}, ' ')",
)];

fn ask(server: &Server, headers: &[(&str, &str)]) -> String {
    let mut all = vec![("Host", "own.test")];
    all.extend_from_slice(headers);
    rille_testkit::http::request(server.address(), "GET", "/", &all, b"")
        .unwrap()
        .text()
}

fn serve(options: &[&str]) -> (rille_testkit::temp::TempDir, Server) {
    let dir = folder(FILES);
    let mut all = vec!["--workers", "1"];
    all.extend_from_slice(options);
    let server = serve_with(dir.path(), &all);
    (dir, server)
}

#[test]
fn without_trust_fields_are_text() {
    for options in [&[][..], &["--trust-proxy", "10.0.0.0/8"]] {
        let (_dir, server) = serve(options);
        let said = ask(
            &server,
            &[
                ("X-Forwarded-For", "1.2.3.4"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "x.test"),
                ("Forwarded", "for=1.2.3.4"),
                ("X-Real-IP", "1.2.3.4"),
            ],
        );
        assert_eq!(
            said,
            "127.0.0.1 http own.test 127.0.0.1 127.0.0.1 http  own.test 1.2.3.4"
        );
    }
}

#[test]
fn with_trust_the_right_most_that_is_not_trusted() {
    let (_dir, server) = serve(&["--trust-proxy", "127.0.0.0/8,10.0.0.0/8"]);
    let said = ask(
        &server,
        &[
            ("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.0.0.2"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.test"),
        ],
    );
    assert_eq!(
        said,
        "203.0.113.9 https shop.test 203.0.113.9 127.0.0.1 https on shop.test 6.6.6.6, 203.0.113.9, 10.0.0.2"
    );
    let said = ask(
        &server,
        &[
            ("X-Forwarded-For", "[2001:db8::1]:443"),
            ("Forwarded", "for=9.9.9.9;proto=https"),
        ],
    );
    assert_eq!(
        said,
        "2001:db8::1 http own.test 2001:db8::1 127.0.0.1 http  own.test [2001:db8::1]:443"
    );
    let said = ask(
        &server,
        &[
            ("X-Forwarded-For", "203.0.113.9, <nobody>"),
            ("X-Forwarded-Host", "a b"),
        ],
    );
    assert!(said.starts_with("127.0.0.1 http own.test "), "{said}");
}

#[test]
fn other_fields() {
    let trust = ["--trust-proxy", "127.0.0.1", "--trust-proxy-header"];
    let (_dir, server) = serve(&[&trust[..], &["forwarded"]].concat());
    let said = ask(
        &server,
        &[
            ("Forwarded", "for=\"[2001:db8::7]\";proto=https;host=f.test"),
            ("X-Forwarded-For", "6.6.6.6"),
        ],
    );
    assert!(
        said.starts_with("2001:db8::7 https f.test 2001:db8::7 127.0.0.1 https on f.test"),
        "{said}"
    );
    let (_dir, server) = serve(&[&trust[..], &["x-real-ip"]].concat());
    let said = ask(
        &server,
        &[("X-Real-IP", "203.0.113.5"), ("X-Forwarded-For", "6.6.6.6")],
    );
    assert!(said.starts_with("203.0.113.5 http own.test"), "{said}");
}

#[test]
fn mistakes() {
    let dir = folder(FILES);
    let path = dir.path().to_str().unwrap();
    for (options, expected) in [
        (
            &["--trust-proxy", "10.0.0.1/8"][..],
            "has bits behind its /8",
        ),
        (
            &["--trust-proxy", "everybody"],
            "is not a range of addresses",
        ),
        (
            &["--trust-proxy", "::1", "--trust-proxy-header", "via"],
            "x-forwarded-for",
        ),
    ] {
        let mut all = vec!["serve", path];
        all.extend_from_slice(options);
        let bad = serve_support::run(&all);
        assert!(
            bad.stderr_text().contains(expected),
            "{}",
            bad.stderr_text()
        );
    }
}
