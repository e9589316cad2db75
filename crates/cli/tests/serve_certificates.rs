//! Certificates: chosen by name, reloaded when they change, what is wrong with their files, and those of clients.

mod secure_support;
mod serve_support;

use rille_testkit::process::Exit;
use rille_testkit::temp::TempDir;
use secure_support::{
    Authority, Signed, VARIABLES, connect, exchange, get, http2, run, secure, secure_with,
};
use serve_support::{eventually, folder};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
