//! `resty.websocket.client` with servers that do as they like.

use crate::support::{Script, serve};
use crate::tls;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

/// What answers the key that the scripts here use.
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const KEY: &str =
    "local key = 'dGhlIHNhbXBsZSBub25jZQ=='\nlocal client = require 'resty.websocket.client'\n";

/// Reads a handshake: its lines.
fn request(stream: &mut impl Read) -> Option<Vec<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    Some(head.lines().map(str::to_owned).collect())
}

/// Sends back what comes, unmasked, as text; payloads below 126 bytes.
fn echo(stream: &mut (impl Read + Write)) -> Option<()> {
    loop {
        let mut head = [0; 6];
        stream.read_exact(&mut head).ok()?;
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        stream.read_exact(&mut payload).ok()?;
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= head[2 + at % 4];
        }
        let mut answer = vec![head[0], payload.len() as u8];
        answer.extend_from_slice(&payload);
        stream.write_all(&answer).ok()?;
    }
}

/// A server that answers handshakes with a text, and then echoes.
fn answering(answer: &'static str) -> String {
    serve(move |mut stream| {
        let Some(lines) = request(&mut stream) else {
            return;
        };
        let _ = stream.write_all(answer.replace("LINES", &lines.join("|")).as_bytes());
        let _ = echo(&mut stream);
    })
}

fn script(source: &str) -> Script {
    Script::new(&format!("{KEY}{source}"))
}

#[test]
fn the_request_is_as_lua_resty_websocket_s() {
    let echoing = "HTTP/1.1 101 x\r\nLines: LINES\r\nSec-WebSocket-Accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let printed = script(
        r#"
local wb = client:new()
local ok, err, head = wb:connect("ws://127.0.0.1:" .. at.port .. "/a/b?c=d", {
  key = key, protocols = {"x", "y"}, origin = "http://o", headers = {"X-A: b", "X-C: d"}, host = "h.test"})
print(ok, err)
for line in head:match("Lines: ([^\r\n]+)"):gmatch("[^|]+") do print(line) end
ok, err, head = client:new():connect("ws://127.0.0.1:" .. at.port, {key = key})
print(client:new():connect("ws://127.0.0.1:" .. at.port .. "/a b HTTP/1.1\r\nX: y", {key = key}))
print(client:new():connect("ws://127.0.0.1:" .. at.port, {key = key, headers = {"A: b\r\n\r\nGET"}}))
print(head:match("GET [^|]+"), head:match("Host: [^|]+") == "Host: 127.0.0.1:" .. at.port)
"#,
    )
    .at("port", answering(echoing))
    .run();
    assert_eq!(
        printed,
        [
            "1\tnil",
            "GET /a/b?c=d HTTP/1.1",
            "Upgrade: websocket",
            "Host: h.test",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Connection: Upgrade",
            "Sec-WebSocket-Protocol: x,y",
            "Origin: http://o",
            "X-A: b",
            "X-C: d",
            "nil\tline break in the handshake request",
            "nil\tline break in the handshake request",
            "GET / HTTP/1.1\ttrue",
        ]
    );
}

#[test]
fn answers_that_are_none() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 101 x\r\nA: {}", "a".repeat(200_000)).into());
    let printed = script(
        r#"
for _, port in ipairs{at.plain, at.other, at.none, at.old, at.long, at.cut} do
  local wb = client:new{timeout = 2000}
  local ok, err = wb:connect("ws://127.0.0.1:" .. port, {key = key})
  print(ok, err, (wb:send_text("x")))
end
"#,
    )
    .at("plain", answering("HTTP/1.1 404 Not Found\r\n\r\n"))
    .at(
        "other",
        answering("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: other\r\n\r\n"),
    )
    .at("none", answering("HTTP/1.1 101 x\r\n\r\n"))
    .at("old", answering("HTTP/1.0 101 x\r\n\r\n"))
    .at("long", answering(long))
    .at(
        "cut",
        serve(|mut stream| {
            let _ = request(&mut stream);
        }),
    )
    .run();
    assert_eq!(
        printed,
        [
            "nil\tunexpected HTTP response status: 404\tnil",
            "nil\tbad \"sec-websocket-accept\" response header\tnil",
            "nil\tbad \"sec-websocket-accept\" response header\tnil",
            "nil\tbad HTTP response status line: HTTP/1.0 101 x\tnil",
            "nil\tfailed to receive response header: too long\tnil",
            "nil\tfailed to receive response header: closed\tnil",
        ]
    );
}

#[test]
fn connections_are_pooled_with_their_handshake() {
    let printed = script(
        r#"
local uri, options = "ws://127.0.0.1:" .. at.port, {key = key, pool = "p", pool_size = 2}
local wb = client:new()
print((wb:connect(uri, options)))
wb:send_text("one")
print(wb:recv_frame())
print(wb:set_keepalive(10000, 10))
print(wb:recv_frame())
wb = client:new()
print(wb:connect(uri, options))
wb:send_text("two")
print(wb:recv_frame())
print(wb:close())
print(wb:send_text("three"))
"#,
    )
    .at("port", answering(ANSWER))
    .run();
    assert_eq!(
        printed,
        [
            "1",
            "one\ttext\tnil",
            "1",
            "nil\tnil\tfailed to receive the first 2 bytes: closed",
            "1\tnil\tconnection reused",
            "two\ttext\tnil",
            "1",
            "nil\talready closed",
        ]
    );
}

#[test]
fn over_tls_and_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ws.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = request(&mut stream);
            let _ = stream.write_all(ANSWER.as_bytes());
            let _ = echo(&mut stream);
        }
    });
    let secure = tls::serving("good.test", |stream| {
        let _ = request(stream);
        let _ = stream.write_all(ANSWER.as_bytes());
        let _ = echo(stream);
    });
    let printed = script(
        r#"
local function try(uri, options)
  options.key = key
  local wb = client:new{timeout = 5000}
  local ok, err = wb:connect(uri, options)
  if not ok then return print(ok, err) end
  wb:send_binary("through")
  print(wb:recv_frame())
end
try("ws://unix:" .. at.path .. ":/x", {})
local wss = "wss://127.0.0.1:" .. at.tls .. "/x"
try(wss, {ssl_verify = true, server_name = "good.test"})
try(wss, {ssl_verify = true, host = "good.test"})
try(wss, {ssl_verify = true, server_name = "other.test"})
try(wss, {})
"#,
    )
    .at("path", path.to_str().unwrap())
    .at("tls", secure)
    .run();
    let through = "through\tbinary\tnil";
    assert_eq!(printed.len(), 5, "{printed:?}");
    assert_eq!(printed[..3], [through; 3]);
    assert!(
        printed[3].starts_with("nil\tssl handshake failed: "),
        "{}",
        printed[3]
    );
    assert_eq!(printed[4], through);
}

#[test]
fn frames_are_bounded_by_the_option_and_by_memory() {
    // A head that promises, and data for as long as somebody takes it.
    let endless = |length: [u8; 8]| {
        serve(move |mut stream| {
            let _ = request(&mut stream);
            let _ = stream.write_all(ANSWER.as_bytes());
            let _ = stream.write_all(&[0x82, 0x7f]);
            let _ = stream.write_all(&length);
            while stream.write_all(&[0; 4096]).is_ok() {}
        })
    };
    let printed = script(
        r#"
local function try(port, max)
  local wb = client:new{timeout = 5000, max_recv_len = max}
  wb:connect("ws://127.0.0.1:" .. port, {key = key})
  local data, typ, err = wb:recv_frame()
  print(data, typ, err)
  print(wb:recv_frame())
end
try(at.large, 1000000)
try(at.large, 2 ^ 31)
try(at.huge, 2 ^ 40)
"#,
    )
    .manifest("lua = \"5.1\"\n[limits]\nmemory = \"8 MiB\"\n")
    .at("large", endless([0, 0, 0, 0, 0x10, 0, 0, 0]))
    .at("huge", endless([0, 0, 0, 1, 0, 0, 0, 0]))
    .run();
    let fatal = "nil\tnil\tfatal error already happened";
    assert_eq!(
        printed,
        [
            "nil\tnil\texceeding max payload len",
            fatal,
            "nil\tnil\tfailed to read masking-len and payload: too much data: the memory limit of 8388608 bytes is reached",
            fatal,
            "nil\tnil\tpayload len too large",
            fatal,
        ]
    );
}

#[test]
fn masked_servers_are_taken_and_fragments_counted() {
    let masked = serve(|mut stream| {
        let _ = request(&mut stream);
        let _ = stream.write_all(ANSWER.as_bytes());
        // "Hello", as in RFC 6455; then fragments without end.
        let _ = stream.write_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x01\x01a");
        while stream.write_all(b"\x00\x00").is_ok() {}
    });
    let printed = script(
        r#"
local wb = client:new{max_fragments = 100}
wb:connect("ws://127.0.0.1:" .. at.port, {key = key})
print(wb:recv_frame())
local count, data, typ, err = 0
repeat
  data, typ, err = wb:recv_frame()
  count = count + 1
until not data
print(count, err)
"#,
    )
    .at("port", masked)
    .run();
    assert_eq!(
        printed,
        ["Hello\ttext\tnil", "100\texceeding max fragments"]
    );
}
