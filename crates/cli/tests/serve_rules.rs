//! `[[rule]]` on the wire: redirects, and requests that another server answers.

mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::server::Server;
use serve_support::{App, app};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

#[test]
fn redirects() {
    let app = app(&[
        (
            "rille.toml",
            r#"
[[rule]]
for = "/old/*rest"
type = "redirect"
to = "/new/{rest}"
status = 301
headers = { Cache-Control = "max-age=60" }
[[rule]]
for = "/go/*rest"
type = "redirect"
to = "/{rest}"
[[rule]]
for = "/u/:id"
methods = ["GET"]
type = "redirect"
to = "https://users.test/{id}?from=here"
[[rule]]
match = '^/(?<lang>de|fr)/(\d+)$'
type = "redirect"
to = "/{2}/{lang}"
"#,
        ),
        ("index.lua", "return 'index'"),
        ("u/[id].lua", "return 'user ' .. request.params.id"),
        ("old/x.lua", "return 'never'"),
    ]);
    for (target, status, location) in [
        ("/old/x", 301, "/new/x"),
        ("/old/a%20b/c?x=1&y", 301, "/new/a%20b/c?x=1&y"),
        (
            "/old/%0d%0aSet-Cookie:%20a=b",
            301,
            "/new/%0D%0ASet-Cookie%3A%20a%3Db",
        ),
        ("/go/evil.test", 302, "/evil.test"),
        ("/go//evil.test", 302, "/evil.test"),
        ("/go/%2Fevil.test", 302, "/evil.test"),
        ("/go/%5Cevil.test", 302, "/%5Cevil.test"),
        ("/u/7%26?q=1", 302, "https://users.test/7%26?from=here"),
        ("/de/42", 302, "/42/de"),
    ] {
        let response = app.get(target);
        assert_eq!(
            (response.status, response.header("location")),
            (status, Some(location)),
            "{target}"
        );
        assert_eq!(response.header("set-cookie"), None);
    }
    assert_eq!(
        app.get("/old/x").header("cache-control"),
        Some("max-age=60")
    );
    assert_eq!(app.send("POST", "/u/7", &[], b"").text(), "user 7");
    assert_eq!(app.get("/").text(), "index");
    assert_eq!(app.get("/es/42").status, 404);
}

/// The server that is asked, and the one that asks.
struct Pair {
    _behind: App,
    front: App,
}

fn pair(rules: &str) -> Pair {
    let behind = app(&[
        ("index.lua", "return 'root ' .. request.uri"),
        (
            "echo.lua",
            "response.headers['X-Method'] = request.method
             response.headers['Connection'] = 'close'
             return request.body",
        ),
        (
            "fields.lua",
            "local names = {} for name, value in pairs(request.headers) do names[#names + 1] = name .. '=' .. value end
             table.sort(names) return table.concat(names, '\\n')",
        ),
        ("stream.lua", "for i = 1, 3 do response:write('piece ' .. i .. '\\n') response:flush() sleep(0.3) end"),
        ("large.lua", "return ('the quick brown fox '):rep(200000)"),
        ("broken.lua", "response:write('begun') response:flush() sleep(0.1) error('oops')"),
        ("slow.lua", "sleep(3) return 'late'"),
        ("status.lua", "return 418, 'teapot', {['X-One'] = 'a', ['Set-Cookie'] = {'a=1', 'b=2'}}"),
        ("none.lua", "return 204"),
        ("path/[...rest].lua", "return request.uri"),
    ]);
    let rules = rules.replace("BEHIND", &behind.address().to_string());
    let manifest = format!("[outbound]\nallow = [\"127.0.0.1\"]\n{rules}");
    let front = app(&[("rille.toml", &manifest), ("index.lua", "return 'front'")]);
    Pair {
        _behind: behind,
        front,
    }
}

const TO_ALL: &str = r#"
[limits]
body = "1 MiB"
[[rule]]
for = "/api/*rest"
type = "proxy"
to = "http://BEHIND/{rest}"
timeout = "1 s"
headers = { X-Key = "secret" }
[[rule]]
for = "/path/*rest"
type = "proxy"
to = "http://BEHIND"
preserve_host = true
"#;

#[test]
fn what_the_other_server_is_asked() {
    let pair = pair(TO_ALL);
    let front = &pair.front;
    let fields = front.send(
        "GET",
        "/api/fields?a=b",
        &[
            ("Host", "front.test"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-Proto", "https"),
            ("X-Real-IP", "6.6.6.6"),
            ("Forwarded", "for=6.6.6.6"),
            ("X-Key", "guess"),
            ("Te", "trailers"),
            ("X-Own", "kept"),
            ("Keep-Alive", "timeout=1"),
            ("Proxy-Authorization", "Basic x"),
        ],
        b"",
    );
    let expected = format!(
        "host={}\nx-forwarded-for=127.0.0.1\nx-forwarded-host=front.test\nx-forwarded-proto=http\nx-key=secret\nx-own=kept\nx-real-ip=127.0.0.1",
        pair._behind.address()
    );
    assert_eq!(fields.text(), expected);
    let raw = b"GET /api/fields HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
    let text = http::exchange(front.address(), raw).unwrap().text();
    assert!(
        !text.contains("x-hop") && text.contains("cookie=a=1; b=2\n"),
        "{text}"
    );
    assert_eq!(front.get("/api/?q=1").text(), "root /?q=1");
    assert_eq!(
        front.get("/path/a%2Fb//c?x=%20").text(),
        "/path/a%2Fb//c?x=%20"
    );
    assert_eq!(front.get("/").text(), "front");
    for up in [
        "/api/../fields",
        "/api/%2e%2e/fields",
        "/api/a/%2e%2e%2ffields",
        "/api/%252e%252e/x",
    ] {
        assert_eq!(front.get(up).status, 400, "{up}");
    }
}

#[test]
fn bodies_and_statuses_go_through() {
    let pair = pair(TO_ALL);
    let front = &pair.front;
    let body: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let echoed = front.send(method, "/api/echo", &[], &body);
        assert_eq!(
            (echoed.status, echoed.header("x-method")),
            (200, Some(method))
        );
        assert!(echoed.body == body);
    }
    let chunked = b"POST /api/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(
        http::exchange(front.address(), chunked).unwrap().text(),
        "abcde"
    );
    let status = front.get("/api/status");
    assert_eq!((status.status, status.text().as_str()), (418, "teapot"));
    assert_eq!(status.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(front.get("/api/none").status, 204);
    let head = front.send("HEAD", "/api/large", &[], b"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("4000000"))
    );
    assert_eq!(front.get("/api/large").body.len(), 4_000_000);
    assert_eq!(front.get("/api/missing").status, 404);
    // A hundred requests use few connections.
    for _ in 0..100 {
        assert_eq!(front.get("/api/none").status, 204);
    }
}

#[test]
fn pieces_go_through_as_they_come() {
    let pair = pair(TO_ALL);
    let mut connection = pair.front.connect();
    let begun = Instant::now();
    connection
        .send(b"GET /api/stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    connection.receive_bytes().unwrap();
    assert!(
        begun.elapsed() < Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        pair.front.get("/api/stream").text(),
        "piece 1\npiece 2\npiece 3\n"
    );
    let cut = http::get(pair.front.address(), "/api/broken");
    assert!(cut.is_err(), "{cut:?}");
}

#[test]
fn limits_of_bodies() {
    let pair = pair(TO_ALL);
    let body = vec![b'x'; (1 << 20) + 1];
    assert_eq!(pair.front.send("POST", "/api/echo", &[], &body).status, 413);
    let mut connection = pair.front.connect();
    connection
        .send(b"POST /api/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let piece = [b"10000\r\n".to_vec(), vec![b'x'; 65536], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        if connection.send(&piece).is_err() {
            break;
        }
    }
    assert_eq!(connection.receive().unwrap().status, 413);
}

#[test]
fn servers_that_do_not_answer() {
    let pair = pair(TO_ALL);
    let begun = Instant::now();
    assert_eq!(pair.front.get("/api/slow").status, 504);
    assert!(begun.elapsed() < Duration::from_secs(3));
    pair.front.log_line("proxy: timeout after 1 s");

    let free = rille_testkit::server::free_port().unwrap();
    let refused = app(&[(
        "rille.toml",
        &format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n[[rule]]\nfor = \"/*rest\"\ntype = \"proxy\"\nto = \"http://127.0.0.1:{free}/{{rest}}\"\n"
        ),
    )]);
    assert_eq!(refused.get("/x").status, 502);
    refused.log_line("connection refused");
}

/// A server that says something of its own, whatever it is asked.
fn says(answer: &'static [u8]) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(answer);
    });
    (address, thread)
}

#[test]
fn servers_that_talk_nonsense() {
    for (answer, status) in [
        (&b"what?\r\n\r\n"[..], 502),
        (b"", 502),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            502,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            502,
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-a\r\nContent-Length: 2\r\n\r\nok",
            200,
        ),
    ] {
        let (address, thread) = says(answer);
        let front = app(&[(
            "rille.toml",
            &format!(
                "[outbound]\nallow = [\"127.0.0.1\"]\n[[rule]]\nfor = \"/*rest\"\ntype = \"proxy\"\nto = \"http://{address}/{{rest}}\"\ntimeout = \"2 s\"\n"
            ),
        )]);
        let response = front.get("/x");
        assert_eq!(response.status, status, "{}", answer.escape_ascii());
        assert_eq!(response.header("x-a"), None);
        drop(thread);
    }
}

/// A client that goes takes its request to the other server with it.
#[test]
fn a_client_that_goes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let front: App = app(&[(
        "rille.toml",
        &format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n[[rule]]\nfor = \"/*rest\"\ntype = \"proxy\"\nto = \"http://{address}/{{rest}}\"\n"
        ),
    )]);
    let server: &Server = &front.server;
    let mut client = Connection::open(server.address()).unwrap();
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let (mut behind, _) = listener.accept().unwrap();
    behind
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut buffer = [0; 4096];
    assert!(behind.read(&mut buffer).unwrap() > 0);
    drop(client);
    assert_eq!(behind.read(&mut buffer).unwrap(), 0);
}

/// Rules are of the manifest, which may be anybody's.
#[test]
fn a_rule_leads_nowhere_its_app_may_not_connect_to() {
    let behind = app(&[("index.lua", "return 'behind'")]);
    let address = behind.address();
    let front = app(&[(
        "rille.toml",
        &format!("[[rule]]\nfor = \"/*rest\"\ntype = \"proxy\"\nto = \"http://{address}/\"\n"),
    )]);
    let answer = front.get("/");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(!answer.text().contains("behind"));
}
