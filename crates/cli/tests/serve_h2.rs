//! HTTP/2: bodies both ways at the peer's pace, what ends a request, what is special. The limits are in `serve_h2_limits`.

mod secure_support;
mod serve_support;

use bytes::Bytes;
use h2::Reason;
use rille_testkit::process::Exit;
use secure_support::frames::*;
use secure_support::{
    WAITING, ask, counted, get as fetch, http2_plain, request, run, with_counts as with,
};
use serve_support::{app, eventually};
use std::future::poll_fn;
use std::time::{Duration, Instant};

#[test]
fn requests_are_served_side_by_side() {
    let app = with(&[("slow.lua", "sleep(0.6) return 'slow'")]);
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
        assert!(slow.iter().all(|slow| !slow.is_finished()));
        for slow in slow {
            assert_eq!(slow.await.unwrap(), "slow");
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
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
            "for i = 1, 1000 do ngx.say(i) if not ngx.flush(true) then break end cache.incr('said') ngx.sleep(0.01) end",
        ),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.clone().ready().await.unwrap();
        let (response, _) = ready
            .send_request(request("GET", "/wait").body(()).unwrap(), true)
            .unwrap();
        while counted(&app, "begun") != "1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(response);
        eventually_async(async || counted(&app, "ended") == "1").await;
        // One that streams.
        let (response, _) = ready
            .send_request(request("GET", "/stream").body(()).unwrap(), true)
            .unwrap();
        let mut body = response.await.unwrap().into_body();
        assert!(body.data().await.unwrap().is_ok());
        drop(body);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let said = counted(&app, "said");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(counted(&app, "said"), said);
        assert_eq!(fetch(&client, "/").await.body, "ok");
    });
    // And the connection's end those of all its streams.
    let mut raw = Raw::open(app.address());
    raw.send(&get(1, "/wait"));
    raw.send(&get(3, "/wait"));
    eventually(|| counted(&app, "begun") == "3");
    drop(raw);
    eventually(|| counted(&app, "ended") == "3");
}

async fn eventually_async(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_body_comes_as_the_script_reads_it() {
    let app = with(&[
        ("go.lua", "cache.set('go', true) return 'gone'"),
        (
            "read.lua",
            "while not cache.get('go') do sleep(0.01) end
             local n = 0 while true do local p = request.read(8192) if not p then break end n = n + #p end return tostring(n)",
        ),
    ]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.ready().await.unwrap();
        let asked = request("POST", "/read").body(()).unwrap();
        let (response, mut out) = ready.send_request(asked, false).unwrap();
        let (mut sent, mut before) = (0, None);
        while sent < 1_000_000 {
            out.reserve_capacity(16_384);
            while out.capacity() == 0 {
                let room = poll_fn(|cx| out.poll_capacity(cx));
                match tokio::time::timeout(Duration::from_millis(400), room).await {
                    Ok(room) => drop(room.unwrap().unwrap()),
                    Err(_) if before.is_none() => {
                        before = Some(sent);
                        assert_eq!(app.get("/go").text(), "gone");
                    }
                    Err(_) => {}
                }
            }
            let some = out.capacity().min(1_000_000 - sent);
            out.send_data(Bytes::from(vec![b'x'; some]), false).unwrap();
            sent += some;
        }
        out.send_data(Bytes::new(), true).unwrap();
        // The stream's window, and not a byte more, before the script reads.
        assert_eq!(before, Some(65_536));
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "1000000");
    });
}

#[test]
fn a_script_writes_as_fast_as_the_client_reads() {
    let app = with(&[(
        "write.lua",
        "for i = 1, 200 do ngx.print(('x'):rep(50000)) ngx.flush(true) cache.incr('flushed') end",
    )]);
    run(async {
        let client = http2_plain(app.address()).await;
        let mut ready = client.clone().ready().await.unwrap();
        let (response, _) = ready
            .send_request(request("GET", "/write").body(()).unwrap(), true)
            .unwrap();
        let mut body = response.await.unwrap().into_body();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let flushed: u32 = counted(&app, "flushed").parse().unwrap_or(0);
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
    eventually(|| counted(&app, "flushed") == "200");
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
            "socket.lua",
            "ngx.say(ngx.req.socket()) ngx.say(ngx.req.socket(true)) ngx.say(request:upgrade())",
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
        // Nothing can have the connection.
        let refused = fetch(&client, "/socket").await.body;
        let lines: Vec<_> = refused.lines().collect();
        assert_eq!(lines[0], "nilhttp v2 not supported yet");
        assert_eq!(lines[1], lines[0]);
        assert!(lines[2].starts_with("nil"), "{refused}");
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
fn a_server_that_stops_lets_streams_end() {
    let app = with(&[("slow.lua", "cache.incr('slow') sleep(1.5) return 'slow'")]);
    run(async {
        let client = http2_plain(app.address()).await;
        let running = client.clone();
        let running = tokio::task::spawn_local(async move { fetch(&running, "/slow").await.body });
        while counted(&app, "slow") != "1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.server.terminate().unwrap();
        app.log_line("stopping");
        tokio::time::sleep(Duration::from_millis(100)).await;
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
