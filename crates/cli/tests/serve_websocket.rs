//! Connections that leave HTTP: WebSockets, raw sockets, bodies as sockets, clients that leave.

mod serve_support;

use rille_testkit::http::Connection;
use serve_support::websocket::{Client, connect, connect_with};
use serve_support::{App, app, eventually, serve_with};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const MANIFEST: &str = "lua = \"5.1\"\n";

const ECHO: &str = r#"
local ws, why, status = request:upgrade{protocols = {"b", "c"}, max_message = 100000}
if not ws then return status, why end
if request.query.hello then ws:send(ws.protocol or "none") end
for message, kind in ws:messages() do
  if kind == "text" then ws:send("echo " .. message) else ws:send_binary(message) end
end
"#;

fn text(text: &str) -> Message {
    Message::text(text)
}

/// The head of a handshake with some lines changed: `None` takes one away.
fn handshake(target: &str, changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut lines = vec![
        ("Host", "a.test"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    for (name, value) in changes {
        lines.retain(|line| line.0 != *name);
        lines.extend(value.map(|value| (*name, value)));
    }
    let lines: String = (lines.iter())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("GET {target} HTTP/1.1\r\n{lines}\r\n").into_bytes()
}

/// A connection that has sent these bytes.
fn raw(app: &App, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// The head that comes first.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}

fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    rest
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    frame.extend(
        payload
            .iter()
            .zip([1, 2, 3, 4].iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

fn close_of(client: &mut Client) -> Option<CloseFrame> {
    loop {
        match client.read().unwrap() {
            Message::Close(close) => return close,
            _ => continue,
        }
    }
}

#[test]
fn messages_come_back() {
    let app = app(&[("echo.lua", ECHO)]);
    let mut client = connect(app.address(), "/echo");
    client.send(text("héllo")).unwrap();
    assert_eq!(client.read().unwrap(), text("echo héllo"));
    for length in [0, 125, 126, 65535, 65536, 99_995] {
        let bytes: Vec<u8> = (0..length).map(|at| ((at * 31) >> 3) as u8).collect();
        client.send(Message::binary(bytes.clone())).unwrap();
        assert_eq!(client.read().unwrap(), Message::binary(bytes));
    }
    client
        .send(Message::Ping(b"there?".to_vec().into()))
        .unwrap();
    assert_eq!(
        client.read().unwrap(),
        Message::Pong(b"there?".to_vec().into())
    );
    let bye = CloseFrame {
        code: CloseCode::Library(4001),
        reason: "bye".into(),
    };
    client.close(Some(bye)).unwrap();
    assert_eq!(
        close_of(&mut client).unwrap().code,
        CloseCode::Library(4001)
    );
    assert!(client.read().is_err());
}

#[test]
fn handshakes() {
    let app = app(&[("echo.lua", ECHO)]);
    let answer = |changes: &[(&str, Option<&str>)]| {
        let mut stream = raw(&app, &handshake("/echo?hello=1", changes));
        (head(&mut stream), stream)
    };
    let (good, mut stream) = answer(&[]);
    assert!(
        good.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{good}"
    );
    assert!(good.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(good.contains("upgrade: websocket\r\n") && good.contains("connection: upgrade\r\n"));
    assert!(
        !good.contains("content-") && !good.contains("sec-websocket-protocol"),
        "{good}"
    );
    let mut first = [0; 6];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"\x81\x04none");
    // The best of ours, not the first of the client's.
    let (good, _) = answer(&[("Sec-WebSocket-Protocol", Some("a, c, b"))]);
    assert!(good.contains("sec-websocket-protocol: b\r\n"), "{good}");
    for (change, status) in [
        (("Upgrade", None), 426),
        (("Upgrade", Some("h2c")), 426),
        (("Connection", Some("keep-alive")), 426),
        (("Sec-WebSocket-Version", Some("8")), 426),
        (("Sec-WebSocket-Key", Some("short")), 400),
        (("Sec-WebSocket-Key", None), 400),
        (("Origin", Some("http://evil.test")), 403),
        (("Content-Length", Some("3")), 400),
    ] {
        let (refused, _) = answer(&[change]);
        assert!(
            refused.starts_with(&format!("HTTP/1.1 {status} ")),
            "{change:?}: {refused}"
        );
        assert!(status != 426 || refused.contains("sec-websocket-version: 13\r\n"));
    }
    let (same, _) = answer(&[("Origin", Some("http://a.test"))]);
    assert!(same.starts_with("HTTP/1.1 101 "), "{same}");
    assert_eq!(app.get("/echo").status, 426);
    assert_eq!(app.send("POST", "/echo", &[], b"x").status, 400);
}

#[test]
fn what_came_with_the_handshake_is_not_lost() {
    let app = app(&[("echo.lua", ECHO)]);
    let mut bytes = handshake("/echo", &[]);
    bytes.extend(frame(0x81, b"early"));
    let mut stream = raw(&app, &bytes);
    head(&mut stream);
    let mut echo = [0; 12];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x0aecho early");
}

/// What comes back for these bytes behind a handshake, up to the end: the last frame is a close with this code.
fn refused(app: &App, bytes: &[u8]) -> u16 {
    let mut stream = raw(app, &handshake("/echo", &[]));
    head(&mut stream);
    // It may be cut off in the middle of too much.
    let _ = stream.write_all(bytes);
    let rest = rest(&mut stream);
    assert_eq!(rest[0], 0x88, "{rest:x?}");
    u16::from_be_bytes([rest[2], rest[3]])
}

#[test]
fn violations_are_refused() {
    let app = app(&[("echo.lua", ECHO)]);
    let joined = |frames: &[Vec<u8>]| frames.concat();
    for (bytes, code) in [
        // Not masked.
        (b"\x81\x02hi".to_vec(), 1002),
        (frame(0xc1, b"hi"), 1002),
        (frame(0x83, b"hi"), 1002),
        (frame(0x8b, b"hi"), 1002),
        (frame(0x09, b"hi"), 1002),
        (b"\x89\xfe\0\x7e".to_vec(), 1002),
        (frame(0x80, b"no beginning"), 1002),
        (joined(&[frame(0x01, b"a"), frame(0x81, b"b")]), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x88, b"\x03\xed"), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (frame(0x81, b"\xff\xfe"), 1007),
        // Above max_message, refused by its head alone; together with what came before; and longer than lengths are.
        (b"\x82\xff\0\0\0\0\0\x01\x86\xa1".to_vec(), 1009),
        (
            joined(&[
                frame(0x02, &[0; 100]),
                b"\x80\xff\0\0\0\0\0\x01\x86\x3d".to_vec(),
            ]),
            1009,
        ),
        (b"\x82\xff\x7f\0\0\0\0\0\0\0".to_vec(), 1009),
    ] {
        assert_eq!(refused(&app, &bytes), code, "{bytes:x?}");
    }
}

#[test]
fn fragments_and_memory_have_limits() {
    let large = ECHO.replace("100000", "16777216");
    let manifest = "[limits]\nmemory = \"1536 KiB\"\n";
    let app = app(&[("rille.toml", manifest), ("echo.lua", &large)]);
    let mut fragments = frame(0x01, b"");
    fragments.extend(frame(0x00, b"").repeat(16 << 10));
    assert_eq!(refused(&app, &fragments), 1009);
    // As a whole, and piece by piece.
    let mut whole = b"\x82\xff\0\0\0\0\0\x40\0\0\0\0\0\0".to_vec();
    whole.extend(vec![0; 4 << 20]);
    assert_eq!(refused(&app, &whole), 1009);
    let mut pieces = frame(0x02, &[0; 120]);
    pieces.extend(frame(0x00, &[0; 120]).repeat(16_000));
    pieces.extend(frame(0x80, b""));
    assert_eq!(refused(&app, &pieces), 1009);
    let mut client = connect(app.address(), "/echo");
    client.send(text("fine")).unwrap();
    assert_eq!(client.read().unwrap(), text("echo fine"));
}

#[test]
fn fragments_are_joined_and_control_frames_come_between_them() {
    let app = app(&[("echo.lua", ECHO)]);
    let mut stream = raw(&app, &handshake("/echo", &[]));
    head(&mut stream);
    // A character is cut in two; every byte comes on its own.
    let frames = [
        frame(0x01, b"\xc3"),
        frame(0x89, b"p"),
        frame(0x00, b""),
        frame(0x80, b"\xa9!"),
    ];
    for byte in frames.concat() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut echo = [0; 13];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x8a\x01p\x81\x08echo \xc3\xa9!");
}

#[test]
fn an_idle_connection_stays_beyond_all_limits_of_requests() {
    let manifest = "[limits]\nwall = \"300 ms\"\n";
    let slow = r#"
local ws = request:upgrade()
while true do
  local message, why = ws:receive(0.05)
  if message then ws:send(message) elseif why ~= "timeout" then return end
end"#;
    let app = app(&[
        ("rille.toml", manifest),
        ("echo.lua", ECHO),
        ("slow.lua", slow),
    ]);
    let mut waiting = connect(app.address(), "/echo");
    let mut polling = connect(app.address(), "/slow");
    std::thread::sleep(Duration::from_millis(1500));
    waiting.send(text("a")).unwrap();
    assert_eq!(waiting.read().unwrap(), text("echo a"));
    polling.send(text("b")).unwrap();
    assert_eq!(polling.read().unwrap(), text("b"));
    assert_eq!(app.count("stopped"), 0);
}

#[test]
fn an_app_has_so_many_upgraded_connections() {
    let raw_socket = "local sock, why = ngx.req.socket(true) if not sock then return 503, why end";
    let app = app(&[
        ("rille.toml", "[limits]\nupgrades = 2\n"),
        ("echo.lua", ECHO),
        ("raw.lua", raw_socket),
    ]);
    let first = connect(app.address(), "/echo");
    let _second = connect(app.address(), "/echo");
    let mut refused = raw(
        &app,
        &handshake("/echo", &[("Connection", Some("upgrade, close"))]),
    );
    let answer = String::from_utf8(rest(&mut refused)).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("(limits.upgrades)"),
        "{answer}"
    );
    assert_eq!(app.get("/raw").status, 503);
    drop(first);
    eventually(|| {
        let mut stream = raw(&app, &handshake("/echo", &[]));
        head(&mut stream).starts_with("HTTP/1.1 101 ")
    });
}

#[test]
fn processor_time_is_limited_by_the_minute() {
    let manifest = "[limits]\ncpu = \"50 ms\"\ncpu_per_minute = \"300 ms\"\n";
    let busy = "local ws = request:upgrade() ws:send('x') while true do end";
    let app = app(&[("rille.toml", manifest), ("busy.lua", busy)]);
    let mut client = connect(app.address(), "/busy");
    assert_eq!(client.read().unwrap(), text("x"));
    assert_eq!(close_of(&mut client).unwrap().code, CloseCode::Error);
    app.log_line("cpu limit of 300 ms a minute reached");
}

#[test]
fn the_end_of_the_handler_closes() {
    let app = app(&[
        ("done.lua", "local ws = request:upgrade() ws:send('x')"),
        ("fails.lua", "local ws = request:upgrade() error('no')"),
        (
            "says.lua",
            "local ws = request:upgrade() ws:close(4000, 'enough') return ws:send('late') and 1 or nil",
        ),
        ("exits.lua", "local ws = request:upgrade() ngx.exit(200)"),
    ]);
    for (target, code) in [
        ("/done", CloseCode::Normal),
        ("/fails", CloseCode::Error),
        ("/says", CloseCode::Library(4000)),
        ("/exits", CloseCode::Normal),
    ] {
        let mut client = connect(app.address(), target);
        assert_eq!(close_of(&mut client).unwrap().code, code, "{target}");
        assert!(client.read().is_err());
    }
    app.log_line("fails.lua:1: no");
}

#[test]
fn the_disappearance_of_a_client_wakes_who_waits() {
    let gone = r#"
local ws = request:upgrade()
ws:send("x")
local message, why, code = ws:receive()
log.info("left: " .. tostring(message) .. " " .. why .. " " .. code)"#;
    let sleeps = "local ws = request:upgrade() ws:send('x') sleep(3600)";
    let app = app(&[("gone.lua", gone), ("sleeps.lua", sleeps)]);
    let mut client = connect(app.address(), "/gone");
    client.read().unwrap();
    drop(client);
    app.log_line("left: nil closed 1006");
}

#[test]
fn a_silent_client_is_asked_whether_it_is_there() {
    let quiet = r#"
local ws = request:upgrade{ping = 0.2}
local _, why, code, reason = ws:receive()
log.info("quiet: " .. why .. " " .. code .. " " .. reason)"#;
    let app = app(&[("quiet.lua", quiet)]);
    // It answers, for as long as it reads.
    let mut client = connect(app.address(), "/quiet");
    for _ in 0..4 {
        assert_eq!(client.read().unwrap(), Message::Ping(Default::default()));
        client.flush().unwrap();
        assert_eq!(app.count("quiet:"), 0);
    }
    app.log_line("quiet: closed 1006 no answer to a ping");
    assert!(client.read().is_ok() && client.read().is_err());
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let flood = r#"
local ws = request:upgrade{send_timeout = 0.3}
local block, sent = ("x"):rep(100000), 0
while true do
  local ok, why = ws:send(block)
  if not ok then return log.info("stopped after " .. sent .. ": " .. why) end
  sent = sent + 1
end"#;
    let app = app(&[("flood.lua", flood)]);
    let _client = connect(app.address(), "/flood");
    let line = app.log_line("stopped after");
    assert!(line.contains(": timeout"), "{line}");
}

#[test]
fn a_flood_of_a_client_is_held_back() {
    // It reads one message and then waits: the rest stays with the system.
    let slow = r#"
local ws = request:upgrade()
ws:receive()
sleep(1)
local count = 1
for message in ws:messages() do count = count + 1 if message == "end" then break end end
ws:send(count)"#;
    let app = app(&[("slow.lua", slow)]);
    let mut client = connect(app.address(), "/slow");
    let block = "y".repeat(50_000);
    for _ in 0..400 {
        client.send(text(&block)).unwrap();
    }
    client.send(text("end")).unwrap();
    assert_eq!(client.read().unwrap(), text("401"));
}

#[test]
fn several_coroutines_send_and_whole_frames_arrive() {
    let app = app(&[(
        "many.lua",
        r#"
local ws = request:upgrade()
for i = 1, 20 do
  ngx.thread.spawn(function()
    for j = 1, 20 do ws:send((i .. "-"):rep(3000)) end
  end)
end
local ok, why = ws:receive(0.01)
ws:receive()"#,
    )]);
    let mut client = connect(app.address(), "/many");
    let mut counts = [0; 21];
    for _ in 0..400 {
        let message = client.read().unwrap().into_text().unwrap();
        let number = message.split('-').next().unwrap();
        assert_eq!(message.as_str(), format!("{number}-").repeat(3000));
        counts[number.parse::<usize>().unwrap()] += 1;
    }
    assert!(counts[1..].iter().all(|count| *count == 20));
}

#[test]
fn events_and_messages_in_one_wait() {
    let hub = "function Main() task.register('hub') while true do local e = task.receive() task.send(e.sender, 'echo', e.parameter) end end";
    let manifest = "[[task]]\nname = \"Main\"\non = \"start\"\n";
    let talk = r#"
local ws = request:upgrade()
while true do
  local kind, value = ws:next(5)
  if kind == "text" then task.send("hub", "say", value)
  elseif kind == "event" then ws:send{what = value.what, said = value.parameter}
  else return end
end"#;
    let app = app(&[
        ("rille.toml", manifest),
        ("main.lua", hub),
        ("talk.lua", talk),
    ]);
    let mut client = connect(app.address(), "/talk");
    for at in 0..50 {
        client.send(text(&format!("m{at}"))).unwrap();
    }
    for at in 0..50 {
        let message = client.read().unwrap().into_text().unwrap();
        assert!(
            message.contains(&format!("\"said\":\"m{at}\""))
                && message.contains("\"what\":\"echo\""),
            "{message}"
        );
    }
}

#[test]
fn the_server_says_that_it_stops() {
    let app = app(&[("echo.lua", ECHO)]);
    let mut client = connect(app.address(), "/echo");
    client.send(text("a")).unwrap();
    client.read().unwrap();
    app.server.terminate().unwrap();
    assert_eq!(close_of(&mut client).unwrap().code, CloseCode::Away);
}

#[test]
fn an_upgraded_request_says_nothing_else() {
    let app = app(&[(
        "mixed.lua",
        r#"
local ws = request:upgrade()
local again, why = request:upgrade()
ws:send(tostring(again) .. " " .. why)
local ok, err = ngx.say("x")
ws:send(tostring(ok) .. " " .. err)
return 500, "nobody reads this""#,
    )]);
    let mut client = connect(app.address(), "/mixed");
    assert_eq!(client.read().unwrap(), text("nil the response has begun"));
    assert_eq!(
        client.read().unwrap(),
        text("nil raw request socket acquired")
    );
    close_of(&mut client);
    assert!(client.read().is_err());
}

// ---- lua-resty-websocket ----

const RESTY: &str = r#"
local server = require "resty.websocket.server"
local wb, err = server:new{timeout = 5000, max_payload_len = 70000}
if not wb then
  ngx.log(ngx.ERR, "failed to new websocket: ", err)
  return ngx.exit(444)
end
while true do
  local data, typ, err = wb:recv_frame()
  if not data then
    ngx.log(ngx.ERR, "failed to receive a frame: ", err)
    return
  elseif typ == "close" then
    ngx.log(ngx.ERR, "closing with ", err, " and ", data)
    return wb:send_close(1000, "enough")
  elseif typ == "ping" then
    wb:send_pong(data)
  else
    wb:send_text(typ .. " " .. #data .. " " .. tostring(err))
  end
end
"#;

#[test]
fn resty_s_server() {
    let app = app(&[("rille.toml", MANIFEST), ("s.lua", RESTY)]);
    let mut client = connect(app.address(), "/s");
    client.send(text("hello")).unwrap();
    assert_eq!(client.read().unwrap(), text("text 5 nil"));
    client.send(Message::binary(vec![7; 70000])).unwrap();
    assert_eq!(client.read().unwrap(), text("binary 70000 nil"));
    client.send(Message::Ping(b"p".to_vec().into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong(b"p".to_vec().into()));
    client
        .close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "over".into(),
        }))
        .unwrap();
    assert_eq!(close_of(&mut client).unwrap().reason, "enough");
    app.log_line("closing with 1000 and over");
    for (bytes, why) in [
        (b"\x81\x02hi".to_vec(), "frame unmasked"),
        (frame(0xf1, b""), "bad RSV1, RSV2, or RSV3 bits"),
        (frame(0x84, b""), "reserved non-control frames"),
        (frame(0x8c, b""), "reserved control frames"),
        (frame(0x0a, b""), "fragmented control frame"),
        (b"\x89\xfe".to_vec(), "too long payload for control frame"),
        (
            b"\x82\xff\0\0\0\0\0\x01\x11\x71".to_vec(),
            "exceeding max payload len",
        ),
        (
            b"\x82\xff\0\0\0\x01\0\0\0\0".to_vec(),
            "payload len too large",
        ),
        (
            frame(0x88, b"x"),
            "close frame with a body must carry a 2-byte status code",
        ),
        (
            b"\x82".to_vec(),
            "failed to receive the first 2 bytes: closed",
        ),
        (
            b"\x82\xfe\0".to_vec(),
            "failed to receive the 2 byte payload length: closed",
        ),
        (
            b"\x82\xff\0".to_vec(),
            "failed to receive the 8 byte payload length: closed",
        ),
        (
            b"\x82\x85\0\0".to_vec(),
            "failed to read masking-len and payload: closed",
        ),
    ] {
        let mut stream = raw(&app, &handshake("/s", &[]));
        head(&mut stream);
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        app.log_line(&format!("failed to receive a frame: {why}"));
    }
    for (change, why) in [
        (("Upgrade", Some("x")), "bad \"upgrade\" request header: x"),
        (("Upgrade", None), "bad \"upgrade\" request header: nil"),
        (("Connection", None), "bad \"connection\" request header"),
        (
            ("Sec-WebSocket-Key", None),
            "bad \"sec-websocket-key\" request header",
        ),
        (
            ("Sec-WebSocket-Version", Some("12")),
            "bad \"sec-websocket-version\" request header",
        ),
    ] {
        let mut stream = raw(&app, &handshake("/s", &[change]));
        assert_eq!(rest(&mut stream), b"");
        app.log_line(&format!("failed to new websocket: {why}"));
    }
}

#[test]
fn resty_s_frames_go_on_after_a_timeout() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "s.lua",
            r#"
local wb = require("resty.websocket.server"):new{timeout = 60}
local timeouts = 0
while true do
  local data, typ, err = wb:recv_frame()
  if data then return wb:send_text(data .. " " .. (timeouts > 1 and "after timeouts" or "at once")) end
  if not err:find(": timeout", 1, true) then return ngx.log(ngx.ERR, err) end
  timeouts = timeouts + 1
end"#,
        ),
    ]);
    let mut stream = raw(&app, &handshake("/s", &[]));
    head(&mut stream);
    for byte in frame(0x81, b"slow") {
        stream.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(25));
        if byte == 3 {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let mut answer = [0; 21];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[2..], b"slow after timeouts");
}

#[test]
fn resty_s_client_talks_to_resty_s_server() {
    let client = r#"
local client = require "resty.websocket.client"
local base = "ws://127.0.0.1:" .. ngx.var.server_port
local wb = client:new{timeout = 2000, max_payload_len = 70000}
local ok, err, head = wb:connect(base .. "/s", {protocols = {"x", "y"}, origin = "http://o", headers = {"X-A: b"}})
ngx.say(ok, " ", err, " ", head:match("^HTTP/1.1 101") ~= nil, " ", head:lower():match("protocol: ([^\r\n]+)"))
ngx.say(wb:send_text("hello"))
ngx.say(wb:recv_frame())
ngx.say(wb:send_frame(false, 1, "a"))
ngx.say(wb:recv_frame())
ngx.say(wb:send_frame(true, 0, "b"))
ngx.say(wb:recv_frame())
ngx.say(wb:send_ping("p"))
ngx.say(wb:recv_frame())
ngx.say(wb:send_close(1001, "going"))
ngx.say(wb:recv_frame())
ngx.say(wb:send_text("late"))
ngx.say(wb:close())
ngx.say(client:new():connect("http://x"))
ngx.say(client:new():connect(base .. "/plain"))
ngx.say(client:new():connect("ws://127.0.0.1:1/"))
wb = client:new{max_payload_len = 10}
wb:connect(base .. "/s", {key = "x"})
ngx.say(wb:send_text(("x"):rep(11)))
ngx.say(wb:send_text("x"))
ngx.say(client:new():recv_frame())
ngx.say(client:new():connect(base .. "/s", {host = 1}))
ngx.say(client:new():connect(base .. "/s", {headers = 1}))
wb = client:new{max_send_len = 300}
wb:connect(base .. "/s")
ngx.say(wb:send_ping(("x"):rep(126)))
wb = client:new()
wb:connect(base .. "/s")
ngx.say(wb:send_close(40000))
ngx.say(wb:send_frame(false, 9, ""))
"#;
    let app = app(&[
        (
            "rille.toml",
            "lua = '5.1'\n[outbound]\nallow = ['self', '127.0.0.1']",
        ),
        ("s.lua", RESTY),
        ("c.lua", client),
        ("plain.lua", "return 'plain'"),
    ]);
    let text = app.get("/c").text();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "1 nil true x,y",
        "11nil",
        "text 5 niltextnil",
        "7nil",
        "text 1 againtextnil",
        "7nil",
        "continuation 1 niltextnil",
        "7nil",
        "ppongnil",
        "13nil",
        "enoughclose1000",
        "nilalready closed",
        "1",
        "nilbad websocket uri",
        "nilunexpected HTTP response status: 200",
        "nilfailed to connect: connection refused",
        "nilpayload too big",
        "nilfatal error already happened",
        "nilnilfailed to receive the first 2 bytes: closed",
        "nilcustom host header must be a string",
        "nilcustom headers must be a table",
        "niltoo much payload for control frame",
        "nilbad status code",
        "nilfragmented control frame",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_handshake_by_hand() {
    // Without a flush between the head and the socket.
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "hand.lua",
            r#"
ngx.status = 101
ngx.header["Upgrade"] = "websocket"
ngx.header["Connection"] = "Upgrade"
ngx.header["Sec-WebSocket-Accept"] =
  ngx.encode_base64(ngx.sha1_bin(ngx.var.http_sec_websocket_key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
local ok, err = ngx.send_headers()
local sock, err = ngx.req.socket(true)
local protocol = require "resty.websocket.protocol"
sock:settimeout(1000)
local data, typ = protocol.recv_frame(sock, 100, true)
protocol.send_frame(sock, true, 2, data:upper(), 100, false)
ngx.exit(ngx.OK)"#,
        ),
        // Somebody who says 101 and then nothing.
        ("nothing.lua", "ngx.status = 101 ngx.say('lost')"),
        ("exits.lua", "ngx.exit(101)"),
    ]);
    let mut client = connect(app.address(), "/hand");
    client.send(text("hand")).unwrap();
    assert_eq!(client.read().unwrap(), Message::binary(&b"HAND"[..]));
    assert!(client.read().is_err());
    for target in ["/nothing", "/exits"] {
        let mut stream = raw(&app, &handshake(target, &[]));
        assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
        assert_eq!(rest(&mut stream), b"");
    }
}

// ---- raw sockets, bodies, aborts ----

#[test]
fn a_raw_socket_is_the_connection() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "raw.lua",
            r#"
local sock, err = ngx.req.socket(true)
ngx.say("nowhere")
local again, err = ngx.req.socket(true)
local _, said = ngx.print("x")
local _, flushed = ngx.flush(true)
local _, ended = ngx.eof()
sock:send{"HTTP/1.1 200 OK\r\n\r\n", tostring(ngx.headers_sent), "|", err, "|", said, "|", flushed, "|", ended, "\n"}
sock:send(sock:receive(5) .. "|" .. sock:receiveany(100) .. "\n")
local line = sock:receive()
local read = sock:receiveuntil("--")
sock:send(line .. "|" .. read() .. "|" .. tostring(sock.close) .. "\n")
sock:settimeout(20)
local data, err, part = sock:receive("*l")
sock:send(tostring(data) .. " " .. err .. " " .. part .. "\n")
sock:settimeouts(1000, 1000, 10000)
data, err, part = sock:receive(10)
sock:send(tostring(data) .. " " .. err .. " " .. part .. "\n")
"#,
        ),
        (
            "after.lua",
            r#"
ngx.header["X-A"] = "b"
ngx.header["Content-Length"] = 5
ngx.send_headers()
local sock = ngx.req.socket(true)
sock:send("hello")"#,
        ),
    ]);
    let mut stream = raw(
        &app,
        b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nhelloyo",
    );
    assert_eq!(head(&mut stream), "HTTP/1.1 200 OK\r\n\r\n");
    let mut first = vec![0; 165];
    let count = stream.read(&mut first).unwrap();
    let acquired = "raw request socket acquired";
    let expected = format!("true|duplicate call|{acquired}|{acquired}|{acquired}\nhello|yo\n");
    first.truncate(count);
    while first.len() < expected.len() {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    assert_eq!(String::from_utf8(first).unwrap(), expected);
    stream.write_all(b"line\r\nuntil--par").unwrap();
    let mut answer = vec![0; "line|until|nil\nnil timeout par\n".len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, b"line|until|nil\nnil timeout par\n");
    stream.write_all(b"t").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream), b"nil closed t\n");
    let mut stream = raw(
        &app,
        b"GET /after HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let after = head(&mut stream);
    assert!(
        after.contains("x-a: b\r\n") && after.contains("content-length: 5\r\n"),
        "{after}"
    );
    // The connection ends with the request: what follows it is not served.
    assert_eq!(rest(&mut stream), b"hello");
}

#[test]
fn a_body_is_read_as_it_comes() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "body.lua",
            r#"
local sock, err = ngx.req.socket()
if not sock then return ngx.say(err) end
sock:settimeout(5000)
local again, why = ngx.req.socket()
local raw, pending = ngx.req.socket(true)
ngx.say(why, "|", pending, "|", tostring(sock.send))
ngx.say(sock:receive(3), "|", sock:receiveuntil("-")(), "|", sock:receiveany(2), "|", sock:receive("*a"))
ngx.say(sock:receive(1))
ngx.req.read_body()
ngx.say(ngx.req.get_body_data())
"#,
        ),
        ("read.lua", "ngx.req.read_body() ngx.say(ngx.req.socket())"),
        ("many.lua", "ngx.say(pcall(ngx.req.socket, 1, 2))"),
        ("sub.lua", "ngx.print(ngx.location.capture('/inner').body)"),
        ("inner.lua", "ngx.say(pcall(ngx.req.socket, true))"),
    ]);
    let read = app.send("POST", "/body", &[], b"abcdef-ghijk");
    assert_eq!(
        read.text(),
        "request body already exists|pending request body reading in some other thread|nil\nabc|def|gh|ijk\nnilclosed\nnil\n"
    );
    assert_eq!(app.get("/body").text(), "no body\n");
    let chunked = b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    let mut stream = raw(&app, chunked);
    let text = String::from_utf8(rest(&mut stream)).unwrap();
    assert!(
        text.contains("chunked request bodies not supported yet\n"),
        "{text}"
    );
    assert_eq!(
        app.send("POST", "/read", &[], b"x").text(),
        "nilrequest body already exists\n"
    );
    assert_eq!(
        app.get("/many").text(),
        "falsemany.lua:1: expecting 0 or 1 argument, but got 2\n"
    );
    assert_eq!(
        app.get("/sub").text(),
        "falseinner.lua:1: attempt to read the request body in a subrequest\n"
    );
    // It is asked for when it is first read; the connection serves on.
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(
            b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    assert_eq!(connection.receive_interim().unwrap(), 100);
    connection.send(b"abc").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    connection.send(b"d-e").unwrap();
    assert!(connection.receive().unwrap().text().contains("abc|d|e|"));
    connection
        .send(b"GET /body HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(connection.receive().unwrap().text(), "no body\n");
}

#[test]
fn on_abort() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "ends.lua",
            "ngx.on_abort(function() ngx.log(ngx.ERR, 'one aborts') ngx.exit(499) end) ngx.sleep(20) ngx.log(ngx.ERR, 'not reached')",
        ),
        (
            "goes_on.lua",
            r#"
local ok = ngx.on_abort(function() ngx.log(ngx.ERR, 'two aborts in ', ngx.get_phase()) end)
ngx.log(ngx.ERR, "registered ", ok, " ", select(2, ngx.on_abort(print)))
ngx.sleep(0.5)
ngx.log(ngx.ERR, 'two has ended')"#,
        ),
        (
            "streams.lua",
            r#"
ngx.on_abort(function() ngx.log(ngx.ERR, 'three aborts') end)
ngx.say("x") ngx.flush(true)
ngx.sleep(0.5)
ngx.say("y")
ngx.log(ngx.ERR, 'three says ', select(2, ngx.flush(true)))"#,
        ),
        (
            "never.lua",
            "ngx.on_abort(function() ngx.log(ngx.ERR, 'four aborts') end) ngx.say('fine')",
        ),
        (
            "raw.lua",
            r#"
ngx.on_abort(function() ngx.log(ngx.ERR, 'five aborts') ngx.exit(499) end)
local sock = ngx.req.socket(true)
sock:send("x")
ngx.sleep(60)"#,
        ),
    ]);
    for target in ["/ends", "/goes_on", "/streams", "/raw"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut stream = raw(&app, request.as_bytes());
        if matches!(target, "/streams" | "/raw") {
            stream.read_exact(&mut [0]).unwrap();
        } else {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    app.log_line("one aborts");
    app.log_line("registered 1 duplicate call");
    app.log_line("two aborts in content");
    app.log_line("two has ended");
    app.log_line("three aborts");
    app.log_line("three says client aborted");
    app.log_line("five aborts");
    assert_eq!(app.get("/never").text(), "fine\n");
    assert_eq!(app.count("not reached") + app.count("four aborts"), 0);
    assert_eq!(app.count("attempt to set status"), 0);
}

#[test]
fn an_abort_has_the_globals_of_its_own_request() {
    let late = r#"
who = ngx.var.arg_who
ngx.on_abort(function() ngx.log(ngx.ERR, who, ' aborts') end)
ngx.thread.spawn(function() ngx.sleep(1) end)"#;
    let app = app(&[
        ("rille.toml", MANIFEST),
        ("late.lua", late),
        ("other.lua", "who = 'other' ngx.sleep(1)"),
    ]);
    let first = raw(&app, b"GET /late?who=first HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    let _others: Vec<_> = (0..5)
        .map(|_| raw(&app, b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    drop(first);
    app.log_line("first aborts");
}

#[test]
fn connections_end_with_their_requests() {
    let app = app(&[("echo.lua", ECHO)]);
    let folder = format!("/proc/{}/fd", app.server.id());
    let open = || {
        let files = std::fs::read_dir(&folder).unwrap();
        files
            .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .filter(|to| to.to_string_lossy().starts_with("socket:"))
            .count()
    };
    app.get("/echo");
    std::thread::sleep(Duration::from_millis(200));
    let before = open();
    let clients: Vec<Client> = (0..20).map(|_| connect(app.address(), "/echo")).collect();
    assert!(open() >= before + 20);
    drop(clients);
    eventually(|| open() <= before);
}

#[test]
fn workers_and_filters() {
    let manifest = "[[route]]\npath = \"/e\"\ncontent = \"echo.lua\"\nheader_filter = \"h.lua\"\nbody_filter = \"b.lua\"\nlog = \"l.lua\"\n";
    let dir = serve_support::folder(&[
        ("rille.toml", manifest),
        ("echo.lua", ECHO),
        ("h.lua", "ngx.header.x_filtered = 'yes'"),
        ("b.lua", "ngx.arg[1] = 'filtered'"),
        ("l.lua", "log.info('logged ' .. ngx.status)"),
    ]);
    let server = serve_with(dir.path(), &["--workers", "2"]);
    let app = App { dir, server };
    let start = Instant::now();
    let (mut client, response) = connect_with(
        app.address(),
        "/e?hello=1",
        &[("Sec-WebSocket-Protocol", "c")],
    );
    assert_eq!(response.headers()["x-filtered"], "yes");
    assert_eq!(client.read().unwrap(), text("c"));
    client.close(None).unwrap();
    close_of(&mut client);
    app.log_line("logged 101");
    assert!(start.elapsed() < Duration::from_secs(10));
}
