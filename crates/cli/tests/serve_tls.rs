//! TLS: handshakes good and bad, what scripts see, and real clients. Certificates are in `serve_certificates`.

mod secure_support;
mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::process::Exit;
use rustls::ProtocolVersion;
use secure_support::{VARIABLES, ask, connect, exchange, get, http2, request, run, secure, tunnel};
use serve_support::rille;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn scripts_see_the_handshake() {
    let secure = secure(&[VARIABLES], &[]);
    run(async {
        let client = http2(
            connect(secure.tls, secure.authority.client(&["h2"]), "localhost")
                .await
                .unwrap(),
        );
        let body = get(&client.await, "/vars").await.body;
        let expected = "https localhost true\nscheme=https\nhttps=on\nhttp2=h2\nserver_protocol=HTTP/2.0\nssl_protocol=TLSv1.3\n\
                        ssl_cipher=TLS_AES_256_GCM_SHA384\nssl_curve=X25519\nssl_server_name=localhost\nssl_session_reused=.\n\
                        ssl_alpn_protocol=h2\nssl_client_verify=NONE\nssl_client_s_dn=nil\nssl_client_i_dn=nil\n\
                        falsevars.lua:7: variable \"ssl_protocol\" not changeable\n";
        assert_eq!(body, expected);
    });
    let plain = secure.app.get("/vars").text();
    let expected =
        "scheme=http\nhttps=\nhttp2=\nserver_protocol=HTTP/1.1\nssl_protocol=nil\nssl_cipher=nil\n";
    assert!(plain.contains(expected), "{plain}");
}

#[test]
fn versions_and_resumption() {
    let secure = secure(&[VARIABLES], &[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(secure.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        run(async {
            let mut resumed = Vec::new();
            for _ in 0..3 {
                let stream = connect(secure.tls, config.clone(), "localhost")
                    .await
                    .unwrap();
                let expected = match stream.get_ref().1.protocol_version() {
                    Some(ProtocolVersion::TLSv1_2) => {
                        "ssl_protocol=TLSv1.2\nssl_cipher=ECDHE-ECDSA-AES256-GCM-SHA384\n"
                    }
                    _ => "ssl_protocol=TLSv1.3\nssl_cipher=TLS_AES_256_GCM_SHA384\n",
                };
                let text = exchange(stream, "/vars").await;
                assert!(
                    text.contains(expected) && text.contains("ssl_alpn_protocol=nil"),
                    "{text}"
                );
                resumed.push(text.contains("ssl_session_reused=r\n"));
            }
            assert_eq!(resumed, [false, true, true], "{version:?}");
        });
    }
}

#[test]
fn clients_without_tls_are_told() {
    let secure = secure(&[("index.lua", "return 'ok'")], &[]);
    let told = |response: http::Response| {
        assert_eq!(response.status, 400);
        assert_eq!(
            response.text(),
            "400 Bad Request: The plain HTTP request was sent to HTTPS port\n"
        );
        assert_eq!(response.header("connection"), Some("close"));
    };
    told(http::get(secure.tls, "/").unwrap());
    told(http::request(secure.tls, "POST", "/", &[], &vec![b'x'; 200_000]).unwrap());
    told(http::exchange(secure.tls, b"nonsense\r\n\r\n").unwrap());
    // What is neither ends with an alert, or without a word.
    for bytes in [
        &b"\x16\x03\x01\x00\x05abcde"[..],
        b"\x80\x2e\x01\x03\x01",
        b"\x16",
        b"\0",
    ] {
        let mut stream = TcpStream::connect(secure.tls).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer[0] == 21,
            "{bytes:?}: {answer:?}"
        );
    }
    secure.app.log_line("TLS handshake failed");
    run(async {
        let stream = connect(secure.tls, secure.authority.client(&[]), "localhost")
            .await
            .unwrap();
        assert!(exchange(stream, "/").await.ends_with("ok"));
        // Nothing that both speak.
        let error = connect(
            secure.tls,
            secure.authority.client(&["spdy/1"]),
            "localhost",
        )
        .await
        .unwrap_err();
        assert!(
            error.to_string().contains("NoApplicationProtocol"),
            "{error}"
        );
    });
}

#[test]
fn http_1_over_tls_is_the_same_driver() {
    let secure = secure(
        &[
            (
                "index.lua",
                "return function(request) return request.method .. #request.body end",
            ),
            (
                "many.lua",
                "for i = 1, 200 do ngx.print(('x'):rep(10000)) ngx.flush(true) end",
            ),
            ("large.lua", "return ('y'):rep(3000000)"),
        ],
        &[],
    );
    run(async {
        let address = tunnel(secure.tls, secure.authority.client(&["http/1.1"])).await;
        let work = tokio::task::spawn_blocking(move || {
            let mut connection = Connection::open(address).unwrap();
            for _ in 0..3 {
                connection
                    .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
                    .unwrap();
                connection.send(&vec![b'x'; 300_000]).unwrap();
                assert_eq!(connection.receive().unwrap().text(), "POST300000");
                connection.send(b"GET /many HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                let many = connection.receive().unwrap();
                assert!(
                    many.chunked
                        && many.body.len() == 2_000_000
                        && many.body.iter().all(|byte| *byte == b'x')
                );
                let large = connection.receive().unwrap();
                assert!(
                    large.body.len() == 3_000_000 && large.body.iter().all(|byte| *byte == b'y')
                );
            }
        });
        work.await.unwrap();
    });
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let secure = secure(
        &[
            ("index.lua", "return 'ok'"),
            (
                "slow.lua",
                "cache.set('begun', true) ngx.sleep(1) return 'slow'",
            ),
            ("begun.lua", "return tostring(cache.get('begun'))"),
        ],
        &[],
    );
    run(async {
        let mut idle = connect(
            secure.tls,
            secure.authority.client(&["http/1.1"]),
            "localhost",
        )
        .await
        .unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut some = [0; 4096];
        assert!(idle.read(&mut some).await.unwrap() > 0);
        let slow = http2(
            connect(secure.tls, secure.authority.client(&["h2"]), "localhost")
                .await
                .unwrap(),
        )
        .await;
        let running = tokio::task::spawn_local(async move {
            ask(&slow, request("GET", "/slow"), b"").await.unwrap().body
        });
        while secure.app.get("/begun").text() != "true" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        secure.app.server.terminate().unwrap();
        // close_notify, then the end: without it this is an error.
        assert_eq!(idle.read(&mut some).await.unwrap(), 0);
        assert_eq!(running.await.unwrap(), "slow");
    });
    let start = Instant::now();
    assert_eq!(
        secure.app.server.wait(Duration::from_secs(10)).unwrap(),
        Exit::Code(0)
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn curl_is_served() {
    let secure = secure(
        &[(
            "index.lua",
            "return function(request) return ngx.var.server_protocol .. ' ' .. #request.body end",
        )],
        &[],
    );
    let ca = secure.path("ca.pem");
    let url = |scheme: &str, port: u16| format!("{scheme}://localhost:{port}/");
    let plain = secure.app.address().port();
    for (options, url, expected) in [
        (
            &["--http2"][..],
            url("https", secure.tls.port()),
            "HTTP/2.0 10000",
        ),
        (
            &["--http1.1"],
            url("https", secure.tls.port()),
            "HTTP/1.1 10000",
        ),
        (
            &["--http1.1", "--tls-max", "1.2"],
            url("https", secure.tls.port()),
            "HTTP/1.1 10000",
        ),
        (
            &["--http2-prior-knowledge"],
            url("http", plain),
            "HTTP/2.0 10000",
        ),
        (&["--http1.1"], url("http", plain), "HTTP/1.1 10000"),
    ] {
        let body = secure.app.dir.path().join("body");
        std::fs::write(&body, vec![b'x'; 10_000]).unwrap();
        let out = Command::new("curl")
            .args(["-sS", "--fail", "--max-time", "20", "-4", "--cacert"])
            .arg(&ca)
            .args(options)
            .arg("--data-binary")
            .arg(format!("@{}", body.display()))
            .arg(&url)
            .output()
            .expect("curl is installed by cargo xtask test");
        assert!(
            out.status.success(),
            "{options:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&out.stdout), expected);
    }
    // One request after another, and at once.
    let urls = vec![url("https", secure.tls.port()); 50];
    let out = Command::new("curl")
        .args(["-sS", "-Z", "--http2", "-4", "--cacert"])
        .arg(&ca)
        .args(&urls)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "HTTP/2.0 0".repeat(50)
    );
}

#[test]
fn options_are_in_the_help() {
    let out = rille(&["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    for option in [
        "--tls-listen <ADDRESS>",
        "--tls-cert <FILE>",
        "--tls-key <FILE>",
        "--tls-client-ca <FILE>",
        "--tls-verify-client <WHEN>",
    ] {
        assert!(help.contains(option), "{help}");
    }
}

#[test]
fn a_websocket_over_tls() {
    let secure = secure(
        &[(
            "echo.lua",
            "local ws = request:upgrade() for text in ws:messages() do ws:send(request.scheme .. ' ' .. text) end",
        )],
        &[],
    );
    run(async {
        let config = secure.authority.client(&["http/1.1"]);
        let mut stream = connect(secure.tls, config, "localhost").await.unwrap();
        let head =
            b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.unwrap());
        }
        assert!(read.starts_with(b"HTTP/1.1 101 "));
        for _ in 0..3 {
            stream
                .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])
                .await
                .unwrap();
            let mut frame = [0; 10];
            stream.read_exact(&mut frame).await.unwrap();
            assert_eq!(&frame, b"\x81\x08https hi");
        }
    });
}
