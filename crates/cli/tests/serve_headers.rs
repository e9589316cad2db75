//! Attack 32: a header with CR, LF or NUL in its name or value is an error, whichever way a script sets it, and nothing of it is sent.
//! And of attack 33, bodies that come slowly.

mod serve_support;

use rille_testkit::http::Connection;
use serve_support::app;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Ways to set a header from `n` and `v`.
const WAYS: &[(&str, &str)] = &[
    ("returned", "return 'x', {[n] = v}"),
    ("table", "return {body = 'x', headers = {[n] = v}}"),
    ("list", "return {body = 'x', headers = {[n] = {'good', v}}}"),
    ("response", "response.headers[n] = v return 'x'"),
    ("cookie", "response:set_cookie(n, v) return 'x'"),
    (
        "redirect",
        "return response:redirect('http://a/' .. n .. v)",
    ),
    ("ngx", "ngx.header[n] = v ngx.say('x')"),
    ("ngx_list", "ngx.header[n] = {'good', v} ngx.say('x')"),
    ("ngx_redirect", "return ngx.redirect('/' .. n .. v)"),
    ("mk", "mk.header(n .. ': ' .. v) mk.print('x')"),
];

/// Ways to send one.
const CLIENT: &[(&str, &str)] = &[
    ("get", "local r, e = http.get(url, {headers = {[n] = v}})"),
    (
        "method",
        "local r, e = http.request{url = url, method = 'GET' .. v, headers = {}}",
    ),
    ("url", "local r, e = http.get(url .. '/' .. v)"),
    ("host", "local r, e = http.get(url, {headers = {host = v}})"),
    (
        "websocket",
        "local r, e = require('resty.websocket.client'):new():connect(url:gsub('http', 'ws'), {headers = {n .. ': ' .. v}})",
    ),
    (
        "origin",
        "local r, e = require('resty.websocket.client'):new():connect(url:gsub('http', 'ws'), {origin = v})",
    ),
    (
        "protocol",
        "local r, e = require('resty.websocket.client'):new():connect(url:gsub('http', 'ws'), {protocols = v})",
    ),
];

/// Name and value, as Lua writes them.
const BAD: &[(&str, &str)] = &[
    ("'X-A'", r"'a\r\nX-Evil: 1'"),
    ("'X-A'", r"'a\nX-Evil: 1'"),
    ("'X-A'", r"'a\rX-Evil: 1'"),
    ("'X-A'", r"'a\0X-Evil: 1'"),
    ("'X-A'", r"'a\r\n\r\nX-Evil: 1'"),
    (r"'X-A\r\nX-Evil'", "'1'"),
    (r"'X-A\nX-Evil'", "'1'"),
    (r"'X-A\0X-Evil'", "'1'"),
];

/// Whether something that was sent has a header of its own in it, or a byte that a head cannot have.
fn is_split(sent: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sent).to_ascii_lowercase();
    let lone = |bytes: &[u8]| {
        bytes.contains(&0)
            || bytes.iter().filter(|byte| **byte == b'\r').count()
                != bytes.windows(2).filter(|two| two == b"\r\n").count()
    };
    text.lines().any(|line| line.starts_with("x-evil")) || lone(sent)
}

#[test]
fn no_way_to_set_a_header_splits_it() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let received: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let log = received.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = peer.accept() {
            let mut bytes = vec![0; 4096];
            let length = stream.read(&mut bytes).unwrap_or(0);
            log.lock().unwrap().push(bytes[..length].to_vec());
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let mut files = vec![(
        "rille.toml".to_owned(),
        "[outbound]\nallow = ['127.0.0.1']\n".to_owned(),
    )];
    let mut paths = Vec::new();
    for (number, (name, value)) in BAD.iter().enumerate() {
        for (way, code) in WAYS {
            let path = format!("{way}_{number}");
            files.push((
                format!("{path}.lua"),
                format!("local n, v = {name}, {value}\n{code}"),
            ));
            paths.push(path);
        }
        for (way, code) in CLIENT {
            let path = format!("client_{way}_{number}");
            let script = format!(
                "local n, v, url = {name}, {value}, 'http://127.0.0.1:{port}'\nlocal ok = pcall(function() {code} end) return 'done'"
            );
            files.push((format!("{path}.lua"), script));
            paths.push(path);
        }
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let app = app(&files);
    for path in &paths {
        let mut connection = Connection::open(app.address()).unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.send(request.as_bytes()).unwrap();
        let mut sent = Vec::new();
        while let Ok(bytes) = connection.receive_bytes() {
            if bytes.is_empty() {
                break;
            }
            sent.extend(bytes);
        }
        assert!(sent.starts_with(b"HTTP/1.1 "), "/{path}");
        assert!(
            !is_split(&sent),
            "/{path}: {}",
            String::from_utf8_lossy(&sent)
        );
    }
    for request in received.lock().unwrap().iter() {
        assert!(!is_split(request), "{}", String::from_utf8_lossy(request));
    }
    // What is good is sent.
    assert!(is_split(b"a: b\r\nx-evil: 1\r\n\r\n") && !is_split(b"a: b\r\nx-good: 1\r\n\r\n"));
}

/// A client that sends its body a byte at a time has the time of its request, and no more.
#[test]
fn a_body_that_trickles_in_ends_with_its_request() {
    let app = app(&[
        ("rille.toml", "[limits]\nwall = '400 ms'"),
        ("index.lua", "return 'read ' .. #request.body"),
        ("page.lua", "return 'page'"),
    ]);
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut connection = Connection::open(app.address()).unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
        connection.send(head.as_bytes()).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            if connection.send(b"1\r\nx\r\n").is_err() {
                break;
            }
            // Nobody else waits for it.
            assert_eq!(app.get("/page").text(), "page");
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = connection.receive().map(|response| response.status);
        assert!(matches!(answer, Ok(503) | Err(_)), "{framing}: {answer:?}");
        app.log_line("wall limit of 400 ms reached");
    }
}
