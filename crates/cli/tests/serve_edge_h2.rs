//! The edge of the server over HTTP/2: the same as over HTTP/1.1.

mod secure_support;
mod serve_support;

use secure_support::{ask, get, http2_plain, request, run};
use serve_support::{app, eventually, folder, serve_with};

#[test]
fn it_is_the_same_over_http2() {
    let behind = app(&[("echo.lua", "return request.method .. ' ' .. request.body")]);
    let rule = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n[[rule]]\nfor = \"/api/*rest\"\ntype = \"proxy\"\nto = \"http://{}/{{rest}}\"\n\
         [[rule]]\nfor = \"/old\"\ntype = \"redirect\"\nto = \"/new\"\n",
        behind.address()
    );
    let dir = folder(&[
        ("rille.toml", &rule),
        ("large.lua", "return ('the quick brown fox '):rep(100)"),
        (
            "who.lua",
            "return request.remote_addr .. ' ' .. request.scheme",
        ),
    ]);
    let log = dir.path().join("access.log");
    let option = format!("json:{}", log.display());
    let server = serve_with(
        dir.path(),
        &[
            "--workers",
            "1",
            "--access-log",
            &option,
            "--trust-proxy",
            "127.0.0.1",
            "--health",
            "/healthz",
        ],
    );
    run(async {
        let client = http2_plain(server.address()).await;
        let accepts = request("GET", "/large").header("accept-encoding", "gzip");
        let coded = ask(&client, accepts, b"").await.unwrap();
        assert_eq!(coded.header("content-encoding"), Some("gzip"));
        assert_eq!(coded.header("vary"), Some("accept-encoding"));
        let plain = get(&client, "/large").await;
        assert_eq!(
            (plain.header("content-encoding"), plain.body.len()),
            (None, 2000)
        );
        let body = "x".repeat(100_000);
        let echoed = ask(&client, request("POST", "/api/echo"), body.as_bytes())
            .await
            .unwrap();
        assert!(echoed.status == 200 && echoed.body == format!("POST {body}"));
        assert_eq!(get(&client, "/old").await.header("location"), Some("/new"));
        let who = request("GET", "/who")
            .header("x-forwarded-for", "6.6.6.6, 203.0.113.9")
            .header("x-forwarded-proto", "https");
        assert_eq!(
            ask(&client, who, b"").await.unwrap().body,
            "203.0.113.9 https"
        );
        assert_eq!(get(&client, "/healthz").await.body, "ready\n");
    });
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually(|| text().lines().count() >= 5);
    let text = text();
    assert!(text.contains("\"target\":\"/large\",\"protocol\":\"HTTP/2.0\",\"scheme\":\"http\",\"status\":200,\"bytes\":2000,"), "{text}");
    let proxied = text
        .lines()
        .find(|line| line.contains("/api/echo"))
        .unwrap();
    assert!(
        proxied.contains("\"bytes\":100005,") && proxied.contains("\"upstream\":\"HTTP/1.1\""),
        "{proxied}"
    );
    assert!(text.contains("\"remote_addr\":\"203.0.113.9\""), "{text}");
    assert!(!text.contains("healthz"), "{text}");
}
