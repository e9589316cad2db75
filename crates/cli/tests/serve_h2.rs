//! HTTP/2: bodies both ways at the peer's pace, what ends a request, and every limit.

mod secure_support;
mod serve_support;

use bytes::Bytes;
use h2::Reason;
use rille_testkit::process::Exit;
use secure_support::frames::*;
use secure_support::{ask, get as fetch, http2_plain, request, run};
use serve_support::{App, app, eventually};
use std::future::poll_fn;
use std::time::{Duration, Instant};

/// An app whose `/` says ok, and `/count` what was counted under `?name`.
fn with(files: &[(&str, &str)]) -> App {
    let mut all = vec![
        ("index.lua", "return 'ok'"),
        ("count.lua", "return tostring(kv.get(ngx.var.args))"),
    ];
    all.extend_from_slice(files);
    app(&all)
}

fn count(app: &App, name: &str) -> String {
    app.get(&format!("/count?{name}")).text()
}

/// What a request costs that ends early: its handler is closed where it waits.
const WAITING: (&str, &str) = (
    "wait.lua",
    "local t <close> = setmetatable({}, {__close = function() kv.incr('ended') end}) kv.incr('begun') sleep(20) return 'late'",
);

#[test]
fn requests_are_served_side_by_side() {
    let app = with(&[("slow.lua", "sleep(0.3) return 'slow'")]);
    run(async {
        let client = http2_plain(app.address()).await;
        let start = Instant::now();
        let slow: Vec<_> = (0..50)
            .map(|_| {
                let client = client.clone();
                tokio::task::spawn_local(async move { fetch(&client, "/slow").await.body })
            })
            .collect();
        assert_eq!(fetch(&client, "/").await.body, "ok");
        assert!(start.elapsed() < Duration::from_millis(290));
        for slow in slow {
            assert_eq!(slow.await.unwrap(), "slow");
        }
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn a_reset_ends_the_request_as_a_closed_connection_does() {
    let app = with(&[
        WAITING,
        (
            "stream.lua",
            "for i = 1, 1000 do ngx.say(i) if not ngx.flush(true) then break end kv.incr('said') ngx.sleep(0.01) end",
        ),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.clone().ready().await.unwrap();
        let (response, _) = ready
            .send_request(request("GET", "/wait").body(()).unwrap(), true)
            .unwrap();
        while count(&app, "begun") != "1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(response);
        eventually_async(async || count(&app, "ended") == "1").await;
        // One that streams.
        let (response, _) = ready
            .send_request(request("GET", "/stream").body(()).unwrap(), true)
            .unwrap();
        let mut body = response.await.unwrap().into_body();
        assert!(body.data().await.unwrap().is_ok());
        drop(body);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let said = count(&app, "said");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(count(&app, "said"), said);
        assert_eq!(fetch(&client, "/").await.body, "ok");
    });
    // And the connection's end those of all its streams.
    let mut raw = Raw::open(app.address());
    raw.send(&get(1, "/wait"));
    raw.send(&get(3, "/wait"));
    eventually(|| count(&app, "begun") == "3");
    drop(raw);
    eventually(|| count(&app, "ended") == "3");
}

async fn eventually_async(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_body_comes_as_the_script_reads_it() {
    let app = with(&[(
        "read.lua",
        "sleep(0.5) local n = 0 while true do local p = request.read(8192) if not p then break end n = n + #p end return tostring(n)",
    )]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.ready().await.unwrap();
        let (response, mut out) = ready
            .send_request(request("POST", "/read").body(()).unwrap(), false)
            .unwrap();
        let mut sent = 0;
        let start = Instant::now();
        let mut before = 0;
        while sent < 1_000_000 {
            out.reserve_capacity(16_384);
            if out.capacity() == 0 {
                poll_fn(|cx| out.poll_capacity(cx)).await.unwrap().unwrap();
            }
            let some = out.capacity().min(1_000_000 - sent);
            out.send_data(Bytes::from(vec![b'x'; some]), false).unwrap();
            sent += some;
            if start.elapsed() < Duration::from_millis(400) {
                before = sent;
            }
        }
        out.send_data(Bytes::new(), true).unwrap();
        // The stream's window, and not a byte more, before the script reads.
        assert_eq!(before, 65_536);
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "1000000");
    });
}

#[test]
fn a_script_writes_as_fast_as_the_client_reads() {
    let app = with(&[(
        "write.lua",
        "for i = 1, 200 do ngx.print(('x'):rep(50000)) ngx.flush(true) kv.incr('flushed') end",
    )]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.clone().ready().await.unwrap();
        let (response, _) = ready
            .send_request(request("GET", "/write").body(()).unwrap(), true)
            .unwrap();
        let mut body = response.await.unwrap().into_body();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let flushed: u32 = count(&app, "flushed").parse().unwrap_or(0);
        assert!(
            flushed <= 6,
            "{flushed} pieces of 50000 for a window of 65535"
        );
        let mut bytes = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            bytes += data.len();
        }
        assert_eq!(bytes, 10_000_000);
        assert_eq!(fetch(&client, "/").await.body, "ok");
    });
    eventually(|| count(&app, "flushed") == "200");
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let app = app(&[
        ("rille.toml", "[limits]\nbody = '100 KiB'"),
        (
            "index.lua",
            "return function(request) return 'got ' .. #request.body end",
        ),
        ("ignore.lua", "return 'ignored'"),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        let large = vec![b'x'; 200_000];
        let declared = request("POST", "/").header("content-length", large.len());
        for request in [declared, request("POST", "/")] {
            let answer = ask(&client, request, &large).await.unwrap();
            assert_eq!(answer.status, 413, "{answer:?}");
        }
        // A response that does not wait for the body.
        assert_eq!(
            ask(&client, request("POST", "/ignore"), &vec![b'x'; 60_000])
                .await
                .unwrap()
                .body,
            "ignored"
        );
        assert_eq!(
            ask(&client, request("POST", "/ignore"), &vec![b'x'; 90_000])
                .await
                .unwrap()
                .body,
            "ignored"
        );
        assert_eq!(
            ask(&client, request("POST", "/"), &large[..90_000])
                .await
                .unwrap()
                .body,
            "got 90000"
        );
    });
    // A body that never ends is not passed over for ever: the stream is reset without an error.
    let mut raw = Raw::open(app.address());
    raw.send(&frame(
        HEADERS,
        END_HEADERS,
        1,
        &fields("POST", "/ignore", &[]),
    ));
    let start = Instant::now();
    assert_eq!(raw.next_of(DATA).payload, b"ignored");
    let reset = raw.next_of(RST_STREAM);
    assert_eq!((reset.stream, reset.code()), (1, 0));
    let passed = start.elapsed();
    assert!(
        passed > Duration::from_secs(1) && passed < Duration::from_secs(5),
        "{passed:?}"
    );
}

#[test]
fn clients_that_wait_for_100_continue() {
    let app = with(&[(
        "echo.lua",
        "return function(request) return request.body end",
    )]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.clone().ready().await.unwrap();
        let asked = request("POST", "/echo").header("expect", "100-continue");
        let (mut response, mut out) = ready.send_request(asked.body(()).unwrap(), false).unwrap();
        let interim = poll_fn(|cx| response.poll_informational(cx))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(interim.status(), 100);
        out.send_data(Bytes::from_static(b"the body"), true)
            .unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "the body");
        // A script that does not read does not ask for it.
        let asked = request("POST", "/").header("expect", "100-continue");
        let (mut response, _out) = ready.send_request(asked.body(()).unwrap(), false).unwrap();
        let interim = poll_fn(|cx| response.poll_informational(cx)).await;
        assert!(!matches!(interim, Some(Ok(_))), "{interim:?}");
        let answer = ask(
            &client,
            request("POST", "/echo").header("expect", "nothing"),
            b"x",
        )
        .await
        .unwrap();
        assert_eq!(answer.status, 417);
    });
}

#[test]
fn what_is_special_about_requests_here() {
    let app = with(&[
        (
            "raw.lua",
            "ngx.say(pcall(ngx.req.raw_header)) ngx.say(ngx.req.http_version(), ' ', ngx.var.server_protocol, ' ', ngx.var.http2)",
        ),
        (
            "fields.lua",
            "ngx.say(ngx.var.http_cookie, ' ', request.cookies.b, ' ', ngx.var.http_host, ' ', ngx.var.request) ngx.say(#ngx.var.request_id)",
        ),
        (
            "capture.lua",
            "local r = ngx.location.capture('/raw') ngx.say(r.status, ' ', r.body)",
        ),
        (
            "close.lua",
            "response.headers['Connection'] = 'close' return 'still open'",
        ),
        (
            "proxy.lua",
            "response.headers['Proxy-Connection'] = 'x' return 'without'",
        ),
        ("switch.lua", "ngx.exit(101)"),
        ("silent.lua", "ngx.exit(444)"),
        ("cut.lua", "ngx.say('some') ngx.flush(true) error('cut')"),
        (
            "short.lua",
            "ngx.header.content_length = 10 ngx.say('x') ngx.flush(true)",
        ),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        let raw = "falsehttp2 requests not supported yet\n2.0 HTTP/2.0 h2c\n";
        let answer = fetch(&client, "/raw").await.body;
        assert_eq!(answer.replace("false/raw.lua:1: ", "false"), raw);
        assert_eq!(
            fetch(&client, "/capture").await.body,
            format!("200 {raw}\n")
        );
        let crumbs = request("GET", "/fields")
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let fields = ask(&client, crumbs, b"").await.unwrap().body;
        assert_eq!(fields, "a=1; b=2 2 localhost GET /fields HTTP/2.0\n32\n");
        let close = fetch(&client, "/close").await;
        assert_eq!(
            (close.body.as_str(), close.header("connection")),
            ("still open", None)
        );
        for (target, reason) in [
            ("/silent", Reason::INTERNAL_ERROR),
            ("/switch", Reason::INTERNAL_ERROR),
            ("/cut", Reason::INTERNAL_ERROR),
            ("/short", Reason::INTERNAL_ERROR),
        ] {
            let error = ask(&client, request("GET", target), b"").await.unwrap_err();
            assert_eq!(error.reason(), Some(reason), "{target}");
        }
        assert_eq!(
            ask(&client, request("GET", "/").header("host", "other"), b"")
                .await
                .unwrap()
                .status,
            400
        );
        assert_eq!(
            ask(
                &client,
                request("GET", "/").header("host", "localhost"),
                b""
            )
            .await
            .unwrap()
            .status,
            200
        );
        let proxy = fetch(&client, "/proxy").await;
        assert_eq!(
            (proxy.body.as_str(), proxy.header("proxy-connection")),
            ("without", None)
        );
        let mut many = request("GET", "/");
        for at in 0..100 {
            many = many.header(format!("x-{at}"), "y");
        }
        assert_eq!(ask(&client, many, b"").await.unwrap().status, 431);
        assert_eq!(fetch(&client, "/").await.body, "ok");
    });
}

#[test]
fn targets_without_a_path() {
    let app = with(&[("index.lua", "return request.method .. ' ' .. request.path")]);
    let mut raw = Raw::open(app.address());
    raw.send(&frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &fields("OPTIONS", "*", &[]),
    ));
    assert_eq!(raw.next_of(DATA).payload, b"OPTIONS /");
    raw.send(&frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        3,
        &fields("GET", "*", &[]),
    ));
    assert!(raw.next_of(DATA).payload.starts_with(b"400 Bad Request"));
    let connect = [
        field(":method", "CONNECT"),
        field(":authority", "localhost:1"),
    ]
    .concat();
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &connect));
    assert!(
        raw.next_of(DATA)
            .payload
            .starts_with(b"501 Not Implemented")
    );
}

#[test]
fn malformed_requests_are_reset() {
    let app = with(&[]);
    // Names and values that are none end the connection: what is behind them cannot be trusted.
    for (method, path, more, ends) in [
        ("GET", "/", ("connection", "close"), RST_STREAM),
        ("GET", "/", ("transfer-encoding", "chunked"), RST_STREAM),
        ("GET", "/", ("upgrade", "x"), RST_STREAM),
        ("GET", "/", ("keep-alive", "x"), RST_STREAM),
        ("GET", "/", ("proxy-connection", "x"), RST_STREAM),
        ("GET", "/", ("te", "gzip"), RST_STREAM),
        ("GET", "/", (":path", "/twice"), RST_STREAM),
        ("GET", "/", ("content-length", "x"), RST_STREAM),
        ("GET", "", ("x", "y"), RST_STREAM),
        ("GET", "/", ("Upper", "x"), GOAWAY),
        ("GET", "/", (":unknown", "x"), GOAWAY),
        ("GET", "/", ("x", "a\0b"), GOAWAY),
        ("GET", "/", ("x", "a\r\nb"), GOAWAY),
        ("GE T", "/", ("x", "y"), GOAWAY),
    ] {
        let mut raw = Raw::open(app.address());
        let fields = fields(method, path, &[more]);
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields));
        let (kind, code) = loop {
            let shown = || panic!("{method} {path} {more:?} is taken");
            let frame = raw.next().unwrap_or_else(shown);
            if frame.kind == RST_STREAM || frame.kind == GOAWAY {
                break (frame.kind, frame.code());
            }
            if frame.kind == HEADERS {
                shown();
            }
        };
        assert!(
            kind == ends && code != 0,
            "{method} {path} {more:?}: {kind} {code}"
        );
        assert!(
            kind == GOAWAY || code == PROTOCOL_ERROR,
            "{method} {path} {more:?}: {kind} {code}"
        );
    }
    let mut raw = Raw::open(app.address());
    let mut stream = 1;
    // Another length than was said.
    for (length, body) in [("3", "four"), ("5", "four")] {
        raw.send(&frame(
            HEADERS,
            END_HEADERS,
            stream,
            &fields("POST", "/", &[("content-length", length)]),
        ));
        raw.send(&frame(DATA, END_STREAM, stream, body.as_bytes()));
        let reset = raw.next_of(RST_STREAM);
        assert_eq!(
            (reset.stream, reset.code()),
            (stream, PROTOCOL_ERROR),
            "{length}"
        );
        stream += 2;
    }
    raw.send(&get(stream, "/"));
    assert_eq!(raw.next_of(DATA).payload, b"ok");
    // What is no HTTP/2 at all ends the connection.
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 100],
        b"\0\0\0",
        &frame(99, 255, 0x7fff_ffff, b""),
    ] {
        let mut raw = Raw::bare(app.address());
        let _ = raw.try_send(bytes);
        raw.end();
        raw.goes_away();
    }
    let mut raw = Raw::open(app.address());
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 50]));
    assert!(raw.goes_away().is_some_and(|code| code != 0));
    assert_eq!(app.get("/").text(), "ok");
}

#[test]
fn streams_at_once_are_limited() {
    let app = with(&[WAITING]);
    let mut raw = Raw::open(app.address());
    let settings = raw.next_of(SETTINGS);
    let setting = |id: u16| {
        let found = settings
            .payload
            .chunks(6)
            .find(|entry| entry[..2] == id.to_be_bytes());
        found.map(|entry| u32::from_be_bytes(entry[2..].try_into().unwrap()))
    };
    // MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE.
    assert_eq!(
        (setting(3), setting(4), setting(6)),
        (Some(128), Some(65_536), Some(65_536))
    );
    for at in 0..129 {
        raw.send(&get(at * 2 + 1, "/wait"));
    }
    let reset = raw.next_of(RST_STREAM);
    assert_eq!((reset.stream, reset.code()), (257, REFUSED_STREAM));
    eventually(|| count(&app, "begun") == "128");
    // One that opens more and more of them is not served for ever.
    let mut stream = 259;
    while stream < 3000 && raw.try_send(&get(stream, "/")).is_ok() {
        stream += 2;
    }
    assert_eq!(raw.goes_away(), Some(ENHANCE_YOUR_CALM));
    eventually(|| count(&app, "ended") == "128");
    assert_eq!(app.get("/").text(), "ok");
}

#[test]
fn heads_are_limited() {
    let app = with(&[]);
    let large = fields("GET", "/", &[("x", &"y".repeat(70_000))]);
    let mut raw = Raw::open(app.address());
    let pieces: Vec<&[u8]> = large.chunks(16_000).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let kind = if at == 0 { HEADERS } else { CONTINUATION };
        let mut flags = if at == 0 { END_STREAM } else { 0 };
        if at + 1 == pieces.len() {
            flags |= END_HEADERS;
        }
        raw.send(&frame(kind, flags, 1, piece));
    }
    // The status is a name in the table and three digits in Huffman's code: 431.
    let answer = raw.next_of(HEADERS);
    assert!(answer.flags & END_STREAM != 0, "{answer:?}");
    assert_eq!(answer.payload, [0x48, 0x83, 0x69, 0x90, 0xff]);
    raw.send(&get(3, "/"));
    assert_eq!(raw.next_of(DATA).payload, b"ok");
}

/// Sends until the server has enough; what it says.
fn flood(raw: &mut Raw, mut next: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    for at in 0..200_000 {
        if raw.try_send(&next(at)).is_err() {
            break;
        }
    }
    raw.goes_away()
}

#[test]
fn floods_end_their_connection() {
    let app = with(&[WAITING]);
    let address = app.address();
    let calm = Some(ENHANCE_YOUR_CALM);
    let ping = |_| frame(PING, 0, 0, &[0; 8]);
    assert_eq!(flood(&mut Raw::open(address), ping), calm, "pings");
    assert_eq!(
        flood(&mut Raw::open(address), |_| frame(SETTINGS, 0, 0, &[])),
        calm,
        "settings"
    );
    let priority = |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]);
    assert_eq!(flood(&mut Raw::open(address), priority), calm, "priorities");
    let update = |at| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1 + (at == 0) as u8]);
    assert_eq!(
        flood(&mut Raw::open(address), update),
        calm,
        "window updates"
    );
    assert_eq!(
        flood(&mut Raw::open(address), |_| frame(0x77, 0, 0, b"x")),
        calm,
        "unknown frames"
    );
    let mut raw = Raw::open(address);
    raw.send(&frame(
        HEADERS,
        END_HEADERS,
        1,
        &fields("POST", "/wait", &[]),
    ));
    assert_eq!(
        flood(&mut raw, |_| frame(DATA, 0, 1, b"")),
        calm,
        "empty data"
    );
    let mut raw = Raw::open(address);
    raw.send(&frame(
        HEADERS,
        END_HEADERS,
        1,
        &fields("POST", "/wait", &[]),
    ));
    assert_eq!(
        flood(&mut raw, |_| frame(DATA, 0, 1, b"x")),
        calm,
        "small data that nobody reads"
    );
    let mut raw = Raw::open(address);
    raw.send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/", &[])));
    assert_eq!(
        flood(&mut raw, |_| frame(CONTINUATION, 0, 1, &[])),
        calm,
        "empty continuations"
    );
    let mut raw = Raw::open(address);
    raw.send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/", &[])));
    let more = field("x", &"y".repeat(100));
    assert_eq!(
        flood(&mut raw, |_| frame(CONTINUATION, 0, 1, &more)),
        calm,
        "continuations"
    );
    assert_eq!(app.get("/").text(), "ok");
    assert!(
        app.log_line("HTTP/2 connection ended: ")
            .contains("carry nothing"),
        "{}",
        app.server.log()
    );
}

#[test]
fn rapid_resets_end_their_connection() {
    let app = with(&[WAITING]);
    let reset = |stream| frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    // In one go.
    let both = |at: u32| [get(at * 2 + 1, "/wait"), reset(at * 2 + 1)].concat();
    let mut raw = Raw::open(app.address());
    let burst: Vec<u8> = (0..1000).flat_map(both).collect();
    let _ = raw.try_send(&burst);
    assert_eq!(raw.goes_away(), Some(ENHANCE_YOUR_CALM));
    // So slowly that each has begun before it is taken back.
    let mut raw = Raw::open(app.address());
    let mut sent = 0;
    for at in 0..2000 {
        if raw.try_send(&get(at * 2 + 1, "/wait")).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_micros(300));
        if raw.try_send(&reset(at * 2 + 1)).is_err() {
            break;
        }
        sent = at;
    }
    assert_eq!(raw.goes_away(), Some(ENHANCE_YOUR_CALM), "after {sent}");
    assert!(sent < 1500, "{sent}");
    eventually(|| count(&app, "begun") == count(&app, "ended"));
    // Requests that the client makes the server take back: a window that becomes too large is an error of the stream.
    let mut raw = Raw::open(app.address());
    for at in 0..2000 {
        let stream = at * 2 + 1;
        let much = frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]);
        if raw
            .try_send(&[get(stream, "/wait"), much].concat())
            .is_err()
        {
            break;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    assert_eq!(raw.goes_away(), Some(ENHANCE_YOUR_CALM));
    eventually(|| count(&app, "begun") == count(&app, "ended"));
    assert_eq!(app.get("/").text(), "ok");
}

#[test]
fn a_client_that_only_does_its_part_is_not_taken_for_a_flood() {
    let app = with(&[
        ("large.lua", "return ('x'):rep(200000)"),
        (
            "read.lua",
            "return function(request) return tostring(#request.body) end",
        ),
        (
            "events.lua",
            "for i = 1, 3000 do ngx.print('event') ngx.flush(true) end",
        ),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        // Each has to be acknowledged; as many requests as there are pieces.
        for _ in 0..300 {
            assert_eq!(fetch(&client, "/large").await.body.len(), 200_000);
        }
        for _ in 0..3000 {
            assert_eq!(fetch(&client, "/").await.body, "ok");
        }
        // Pieces of a byte that are read.
        let mut ready = client.clone().ready().await.unwrap();
        let (response, mut out) = ready
            .send_request(request("POST", "/read").body(()).unwrap(), false)
            .unwrap();
        for at in 0..5000 {
            out.reserve_capacity(1);
            if out.capacity() == 0 {
                poll_fn(|cx| out.poll_capacity(cx)).await.unwrap().unwrap();
            }
            out.send_data(Bytes::from_static(b"x"), false).unwrap();
            if at % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        out.send_data(Bytes::new(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "5000");
    });
    // One that acknowledges every little piece, for the stream and for the connection.
    let mut raw = Raw::open(app.address());
    raw.send(&get(1, "/events"));
    let mut pieces = 0;
    loop {
        let data = raw.next_of(DATA);
        if data.flags & END_STREAM != 0 {
            break;
        }
        let more = (data.payload.len() as u32).to_be_bytes();
        raw.send(
            &[
                frame(WINDOW_UPDATE, 0, 1, &more),
                frame(WINDOW_UPDATE, 0, 0, &more),
            ]
            .concat(),
        );
        pieces += 1;
    }
    assert_eq!(pieces, 3000);
}

#[test]
fn a_server_that_stops_lets_streams_end() {
    let app = with(&[("slow.lua", "kv.incr('slow') sleep(0.6) return 'slow'")]);
    run(async {
        let client = http2_plain(app.address()).await;
        let running = client.clone();
        let running = tokio::task::spawn_local(async move { fetch(&running, "/slow").await.body });
        while count(&app, "slow") != "1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.server.terminate().unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // A new one is not begun.
        let refused = ask(&client, request("GET", "/"), b"").await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(running.await.unwrap(), "slow");
    });
    assert_eq!(
        app.server.wait(Duration::from_secs(10)).unwrap(),
        Exit::Code(0)
    );
}
