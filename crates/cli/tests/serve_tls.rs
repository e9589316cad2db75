//! TLS: certificates by name, reloaded; handshakes good and bad; what scripts see.

mod secure_support;
mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::process::Exit;
use rille_testkit::temp::TempDir;
use rustls::ProtocolVersion;
use secure_support::{
    Authority, Signed, ask, connect, get, http2, request, run, secure, secure_with, tunnel,
};
use serve_support::{eventually, folder, rille};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VARIABLES: (&str, &str) = (
    "vars.lua",
    "local v = ngx.var
     local function all(...) for i = 1, select('#', ...) do
       local name = select(i, ...) ngx.say(name, '=', v[name]) end end
     ngx.say(request.scheme, ' ', request.host, ' ', v.server_port == tostring(request.port))
     all('scheme', 'https', 'http2', 'server_protocol', 'ssl_protocol', 'ssl_cipher', 'ssl_curve', 'ssl_server_name',
       'ssl_session_reused', 'ssl_alpn_protocol', 'ssl_client_verify', 'ssl_client_s_dn', 'ssl_client_i_dn')
     ngx.say(pcall(function() v.ssl_protocol = 'x' end))",
);

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

/// Sends a request as HTTP/1.1 on a stream of its own; all that comes.
async fn exchange(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    target: &str,
) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // Not an error: the server says that it is the end.
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
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
fn certificates_are_chosen_by_name() {
    let authority = Authority::new();
    let first = authority.sign(&["first.test"], "first");
    let second = authority.sign(&["second.test", "*.wild.test"], "second");
    let dir = folder(&[("second.pem", &second.chain), ("second.key", &second.key)]);
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let secure = secure_with(
        authority,
        &first,
        &[("index.lua", "return ngx.var.ssl_server_name or 'none'")],
        &[
            "--tls-cert",
            &at("second.pem"),
            "--tls-key",
            &at("second.key"),
        ],
    );
    run(async {
        for name in ["first.test", "second.test", "x.wild.test"] {
            let stream = connect(secure.tls, secure.authority.client(&[]), name)
                .await
                .unwrap();
            assert!(exchange(stream, "/").await.ends_with(name));
        }
        // The first answers for others, and its name is wrong for them.
        let error = connect(secure.tls, secure.authority.client(&[]), "other.test")
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    });
}

/// The serial number of the certificate that a server shows.
async fn shown(secure: &secure_support::Secure) -> Vec<u8> {
    let stream = connect(secure.tls, secure.authority.client(&[]), "localhost")
        .await
        .unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn replace(dir: &TempDir, name: &str, text: &str) {
    dir.write("new", text).unwrap();
    std::fs::rename(dir.path().join("new"), dir.path().join(name)).unwrap();
}

#[test]
fn certificates_are_reloaded_when_they_change() {
    let secure = secure(
        &[
            ("index.lua", "return 'ok'"),
            ("slow.lua", "ngx.sleep(1) return 'slow'"),
        ],
        &[],
    );
    let dir = &secure.app.dir;
    let fresh = secure.authority.sign(&["localhost"], "fresh");
    run(async {
        let old = shown(&secure).await;
        let stream = connect(secure.tls, secure.authority.client(&["h2"]), "localhost")
            .await
            .unwrap();
        let before = http2(stream).await;
        assert_eq!(get(&before, "/").await.body, "ok");
        // A key without its certificate is not taken.
        replace(dir, "key.pem", &fresh.key);
        secure
            .app
            .server
            .wait_for_log("is not the key of", Duration::from_secs(10))
            .unwrap();
        assert_eq!(shown(&secure).await, old);
        replace(dir, "cert.pem", &fresh.chain);
        secure
            .app
            .server
            .wait_for_log("certificates reloaded", Duration::from_secs(10))
            .unwrap();
        let new = shown(&secure).await;
        assert_ne!(new, old);
        // The old connection lives.
        assert_eq!(get(&before, "/").await.body, "ok");
        replace(dir, "cert.pem", "nothing");
        secure
            .app
            .server
            .wait_for_log("holds no certificate", Duration::from_secs(10))
            .unwrap();
        assert_eq!(shown(&secure).await, new);
        assert_eq!(secure.app.count("the old certificates stay"), 2);
        replace(dir, "cert.pem", &fresh.chain);
        eventually(|| secure.app.count("certificates reloaded") == 2);
    });
    let hangup = Command::new("kill")
        .args(["-HUP", &secure.app.server.id().to_string()])
        .status()
        .unwrap();
    assert!(hangup.success());
    eventually(|| secure.app.count("certificates reloaded") == 3);
    assert_eq!(secure.app.get("/").text(), "ok");
}

#[test]
fn what_is_wrong_with_files_is_told_at_the_start() {
    let authority = Authority::new();
    let (own, other) = (
        authority.sign(&["a.test"], "a"),
        authority.sign(&["b.test"], "b"),
    );
    let dir = folder(&[
        ("index.lua", "return 'ok'"),
        ("cert.pem", &own.chain),
        ("key.pem", &own.key),
        ("other.key", &other.key),
        ("none.pem", "no PEM"),
        (
            "bad.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        ("half.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        (
            "locked.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        ),
    ]);
    let start = |options: &[&str]| {
        let mut args = vec!["serve".to_owned(), dir.path().to_str().unwrap().to_owned()];
        args.extend(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"].map(str::to_owned));
        args.extend(options.iter().map(|option| {
            match option.starts_with("--") || *option == "optional" {
                true => (*option).to_owned(),
                false => dir.path().join(option).to_str().unwrap().to_owned(),
            }
        }));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = serve_support::run(&args);
        let code = match outcome.exit {
            Exit::Code(code) => code,
            _ => -1,
        };
        (
            code,
            String::from_utf8_lossy(&outcome.stderr).replace(dir.path().to_str().unwrap(), "DIR"),
        )
    };
    let pair = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    for (options, message) in [
        (
            &["--tls-cert", "gone.pem", "--tls-key", "key.pem"][..],
            "DIR/gone.pem: there is no such file",
        ),
        (
            &["--tls-cert", "none.pem", "--tls-key", "key.pem"],
            "DIR/none.pem: holds no certificate in PEM",
        ),
        (
            &["--tls-cert", "bad.pem", "--tls-key", "key.pem"],
            "DIR/bad.pem: its first certificate is malformed",
        ),
        (
            &["--tls-cert", "half.pem", "--tls-key", "key.pem"],
            "DIR/half.pem: is no PEM: missing section end marker",
        ),
        (
            &["--tls-cert", "cert.pem", "--tls-key", "cert.pem"],
            "DIR/cert.pem: holds no private key in PEM",
        ),
        (
            &["--tls-cert", "cert.pem", "--tls-key", "locked.key"],
            "DIR/locked.key: holds no private key in PEM (an encrypted one",
        ),
        (
            &["--tls-cert", "cert.pem", "--tls-key", "other.key"],
            "DIR/other.key: is not the key of DIR/cert.pem",
        ),
        (
            &[&pair[..], &["--tls-client-ca", "none.pem"]].concat(),
            "DIR/none.pem: holds no certificate in PEM",
        ),
        (
            &[&pair[..], &["--tls-client-ca", "bad.pem"]].concat(),
            "DIR/bad.pem: holds a malformed certificate",
        ),
    ] {
        let (code, told) = start(options);
        assert!(
            code == 1 && told.starts_with(&format!("rille: {message}")),
            "{options:?}: {code} {told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    for (options, message) in [
        (
            &[][..],
            "rille: --tls-listen needs --tls-cert and --tls-key",
        ),
        (&["--tls-cert", "cert.pem"], "--tls-key <FILE>"),
        (&["--tls-key", "key.pem"], "--tls-cert <FILE>"),
        (&["--tls-client-ca", "cert.pem"], "--tls-cert <FILE>"),
        (
            &[&pair[..], &["--tls-key", "key.pem"]].concat(),
            "there are 1 --tls-cert and 2 --tls-key; give one key for each",
        ),
        (
            &[&pair[..], &["--tls-verify-client", "optional"]].concat(),
            "--tls-client-ca <FILE>",
        ),
    ] {
        let (code, told) = start(options);
        assert!(
            code == 2 && told.contains(message),
            "{options:?}: {code} {told}"
        );
    }
}

#[test]
fn certificates_of_clients() {
    for verify in ["on", "optional"] {
        let options = ["--tls-client-ca", "CA", "--tls-verify-client", verify];
        let secure = secure(&[VARIABLES, ("more.lua", "local v = ngx.var
            ngx.say(v.ssl_client_serial:match('^%x+$') ~= nil, ' ', #v.ssl_client_fingerprint, ' ', v.ssl_client_v_remain + 0 > 1000)
            ngx.say(v.ssl_client_v_end) ngx.print(v.ssl_client_raw_cert)")], &options);
        let client = secure.authority.sign(&[], "somebody, \"else\"");
        let stranger = Authority::named("a stranger's").sign(&[], "stranger");
        let config = |own: Option<&Signed>| Arc::new(secure.authority.client_config(&[], own));
        run(async {
            // It may verify a client only when that thinks it is done.
            let attempt = async |own: Option<&Signed>| {
                let mut stream = connect(secure.tls, config(own), "localhost").await?;
                stream
                    .write_all(
                        b"GET /vars HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                    )
                    .await?;
                let mut text = String::new();
                stream.read_to_string(&mut text).await?;
                Ok::<String, std::io::Error>(text)
            };
            let known = attempt(Some(&client)).await.unwrap();
            let expected = "ssl_client_verify=SUCCESS\nssl_client_s_dn=CN=somebody\\, \\\"else\\\"\nssl_client_i_dn=CN=test authority\n";
            assert!(known.contains(expected), "{known}");
            let stream = connect(secure.tls, config(Some(&client)), "localhost")
                .await
                .unwrap();
            let more = exchange(stream, "/more").await.replace("\r\n", "\n");
            assert!(
                more.contains("\n\ntrue 40 true\nJan  1 00:00:00 4096 GMT\n"),
                "{more}"
            );
            assert!(
                more.ends_with(&client.chain.replace("\r\n", "\n")),
                "{more}\n{}",
                client.chain
            );
            assert!(attempt(Some(&stranger)).await.is_err());
            match (verify, attempt(None).await) {
                ("on", result) => assert!(
                    result
                        .unwrap_err()
                        .to_string()
                        .contains("CertificateRequired")
                ),
                (_, result) => assert!(
                    result
                        .unwrap()
                        .contains("ssl_client_verify=NONE\nssl_client_s_dn=nil\n")
                ),
            }
            // What a ticket resumes is the same client.
            let again = config(Some(&client));
            for reused in [".", "r"] {
                let stream = connect(secure.tls, again.clone(), "localhost")
                    .await
                    .unwrap();
                let text = exchange(stream, "/vars").await;
                assert!(
                    text.contains(&format!("ssl_session_reused={reused}\n"))
                        && text.contains(expected),
                    "{text}"
                );
            }
        });
        secure
            .app
            .log_line("TLS handshake failed: invalid peer certificate: UnknownIssuer");
    }
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
            ("slow.lua", "ngx.sleep(0.5) return 'slow'"),
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
        tokio::time::sleep(Duration::from_millis(200)).await;
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
