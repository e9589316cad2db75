//! Peers that do not move, over TLS and HTTP/2: each has its time, and costs one connection. The server runs in the test, with short times.

mod secure_support;
mod serve_support;

use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_server::{AppSource, Certificate, Config, Server, TlsConfig};
use rille_testkit::http;
use rille_testkit::temp::TempDir;
use secure_support::frames::*;
use secure_support::{Authority, connect, run};
use serve_support::{eventually, folder};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Between requests, for a head and a handshake, for a response.
const IDLE: Duration = Duration::from_millis(1500);
const HEAD: Duration = Duration::from_millis(400);
const WRITE: Duration = Duration::from_millis(700);

struct Here {
    server: Server,
    log: Log,
    plain: SocketAddr,
    tls: SocketAddr,
    authority: Authority,
    _dir: TempDir,
}

fn here() -> Here {
    here_with(10_000)
}

fn here_with(max_connections: usize) -> Here {
    let dir = folder(&[
        ("index.lua", "return 'ok'"),
        (
            "large.lua",
            "cache.set('large', 'begun') return ('x'):rep(20000000)",
        ),
        (
            "stream.lua",
            "local t <close> = setmetatable({}, {__close = function() cache.set('stream', 'ended') end})
             while ngx.flush(true) or true do ngx.print(('x'):rep(100000)) end",
        ),
        ("wait.lua", "sleep(20)"),
        ("get.lua", "return tostring(cache.get(ngx.var.args))"),
    ]);
    let authority = Authority::new();
    let own = authority.sign(&["localhost"], "localhost");
    dir.write("cert.pem", &own.chain).unwrap();
    dir.write("key.pem", &own.key).unwrap();
    let log = Log::memory();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(any, log.clone());
    config.workers = 1;
    config.max_connections = max_connections;
    config.timeouts.idle = IDLE;
    config.timeouts.head = HEAD;
    config.timeouts.write = WRITE;
    config.tls = Some(TlsConfig {
        listen: any,
        certificates: vec![Certificate {
            chain: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
        }],
        clients: None,
    });
    let app = App::load(dir.path())
        .app
        .unwrap_or_else(|_| panic!("the app cannot be served"));
    let server = Server::start(config, &[AppSource::App(Arc::new(app))]).unwrap();
    Here {
        plain: server.address(),
        tls: server.tls_address().unwrap(),
        server,
        log,
        authority,
        _dir: dir,
    }
}

/// How long it takes until the server closes a connection that sends these bytes, and nothing more.
fn closed_after(address: SocketAddr, bytes: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let start = Instant::now();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => start.elapsed(),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => start.elapsed(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn handshakes_have_their_time() {
    let here = here();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for bytes in [&b""[..], b"\x16", hello, b"GET / HTT"] {
        let took = closed_after(here.tls, bytes);
        assert!(took >= HEAD && took < HEAD * 5, "{bytes:?}: {took:?}");
    }
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
        b"PRI * HT",
    ] {
        let took = closed_after(here.plain, bytes);
        assert!(
            took >= HEAD && took < IDLE + HEAD * 5,
            "{bytes:?}: {took:?}"
        );
    }
    // One that has agreed on HTTP/2 and says nothing.
    run(async {
        let config = here.authority.client(&["h2"]);
        let mut stream = connect(here.tls, config, "localhost").await.unwrap();
        let start = Instant::now();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let took = start.elapsed();
        assert!(took >= HEAD && took < HEAD * 5, "{took:?}");
    });
    assert!(
        here.log
            .lines()
            .iter()
            .any(|line| line.contains("TLS handshake too slow")),
        "{:?}",
        here.log.lines()
    );
    assert_eq!(http::get(here.plain, "/").unwrap().text(), "ok");
}

#[test]
fn idle_connections_are_told_to_go() {
    let here = here();
    // One that is kept open with pings.
    let mut raw = Raw::open(here.plain);
    raw.send(&get(1, "/"));
    raw.next_of(DATA);
    let start = Instant::now();
    raw.0
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut said = Vec::new();
    let mut some = [0; 4096];
    loop {
        let _ = raw.try_send(&frame(PING, 0, 0, &[1; 8]));
        match raw.0.read(&mut some) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&some[..count]),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    assert!(took >= IDLE && took < IDLE + HEAD * 5, "{took:?}");
    // NO_ERROR.
    let goodbye = frame(GOAWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert!(
        said.windows(goodbye.len()).any(|window| window == goodbye),
        "{said:?}"
    );
    // One of TLS: the end is said, so that it is no error.
    run(async {
        let mut stream = connect(here.tls, here.authority.client(&[]), "localhost")
            .await
            .unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let start = Instant::now();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(
            text.ends_with("ok") && start.elapsed() >= IDLE,
            "{text} {:?}",
            start.elapsed()
        );
    });
    // A head that does not come to its end.
    let mut raw = Raw::open(here.plain);
    raw.send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/", &[])));
    let start = Instant::now();
    raw.goes_away();
    assert!(start.elapsed() < IDLE + HEAD * 5, "{:?}", start.elapsed());
}

#[test]
fn a_client_that_takes_nothing_loses_its_stream() {
    let here = here();
    // A window of nothing, for every stream.
    let mut raw = Raw::bare(here.plain);
    raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    raw.send(&get(1, "/large"));
    raw.send(&get(3, "/stream"));
    let start = Instant::now();
    let mut reset = [raw.next_of(RST_STREAM), raw.next_of(RST_STREAM)]
        .map(|frame| (frame.stream, frame.code()));
    reset.sort();
    assert_eq!(reset, [(1, CANCEL), (3, CANCEL)]);
    let took = start.elapsed();
    assert!(took >= WRITE && took < WRITE * 5, "{took:?}");
    eventually(|| http::get(here.plain, "/get?stream").unwrap().text() == "ended");
    // The connection is as good as before.
    raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]));
    raw.send(&get(5, "/"));
    assert_eq!(raw.next_of(DATA).payload, b"ok");
}

#[test]
fn a_client_that_reads_nothing_loses_its_connection() {
    let here = here();
    // Wide windows, and a socket that is not read.
    let mut raw = Raw::bare(here.plain);
    raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]));
    raw.send(&get(1, "/stream"));
    eventually(|| http::get(here.plain, "/get?stream").unwrap().text() == "ended");
    run(async {
        let mut stream = connect(here.tls, here.authority.client(&[]), "localhost")
            .await
            .unwrap();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        tokio::time::sleep(WRITE * 3).await;
        // Cut off: not an end that was said.
        let mut bytes = Vec::new();
        assert!(stream.read_to_end(&mut bytes).await.is_err());
        assert!(bytes.len() < 20_000_000);
    });
    assert_eq!(http::get(here.plain, "/").unwrap().text(), "ok");
    here.server.stop();
}

#[test]
fn streams_of_all_connections_are_limited() {
    let here = here_with(5);
    let mut first = Raw::open(here.plain);
    let mut second = Raw::open(here.plain);
    for stream in [1, 3, 5] {
        first.send(&get(stream, "/wait"));
        first.send(&frame(PING, 0, 0, &[0; 8]));
        first.next_of(PING);
    }
    for stream in [1, 3, 5] {
        second.send(&get(stream, "/wait"));
    }
    let reset = second.next_of(RST_STREAM);
    assert_eq!((reset.stream, reset.code()), (5, REFUSED_STREAM));
    // One that ends makes room for another.
    first.send(&frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()));
    first.send(&frame(PING, 0, 0, &[0; 8]));
    first.next_of(PING);
    eventually(|| {
        static STREAM: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(7);
        let stream = STREAM.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
        second.send(&get(stream, "/"));
        loop {
            match second.next() {
                Some(frame) if frame.kind == DATA => return frame.payload == b"ok",
                Some(frame) if frame.kind == RST_STREAM => return false,
                Some(_) => {}
                None => panic!("the connection has ended"),
            }
        }
    });
}
