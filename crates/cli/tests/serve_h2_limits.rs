//! HTTP/2: what is malformed, every limit, and every flood.

mod secure_support;
mod serve_support;

use bytes::Bytes;
use secure_support::frames::*;
use secure_support::{
    WAITING, counted, get as fetch, http2_plain, request, run, with_counts as with,
};
use serve_support::eventually;
use std::future::poll_fn;
use std::time::Duration;

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
    eventually(|| counted(&app, "begun") == "128");
    // One that opens more and more of them is not served for ever.
    let mut stream = 259;
    while stream < 3000 && raw.try_send(&get(stream, "/")).is_ok() {
        stream += 2;
    }
    assert_eq!(raw.goes_away(), Some(ENHANCE_YOUR_CALM));
    eventually(|| counted(&app, "ended") == "128");
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
    eventually(|| counted(&app, "begun") == counted(&app, "ended"));
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
    eventually(|| counted(&app, "begun") == counted(&app, "ended"));
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
