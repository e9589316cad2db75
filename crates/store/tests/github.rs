//! GitHub as a source: a stand-in for its API and for where its archives are.

mod support;

use flate2::Compression;
use flate2::write::GzEncoder;
use rille_store::{ErrorKind, Limits, Module, Options, Outcome, Revision, Secret, Source};
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::server::{Reply, Server, head, response};
use support::{Place, Repository, expected, files, git, run};

const TOKEN: &str = "ghp_very-s3cret";

/// An archive as a forge makes it.
fn archive(repository: &Repository, commit: &str) -> Vec<u8> {
    let output = Command::new("git")
        .args([
            "archive",
            "--format=tar.gz",
            &format!("--prefix=o-r-{}/", &commit[..7]),
            commit,
        ])
        .current_dir(repository.work())
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

fn repository() -> (Repository, String) {
    let repository = Repository::new(&[
        ("index.lua", "1"),
        ("apps/shop/index.lua", "shop"),
        ("apps/shop/lib/x.lua", "x"),
    ]);
    let commit = git(&repository.work(), &["rev-parse", "HEAD"]);
    (repository, commit)
}

fn options(base: &str) -> Options {
    let mut options = Options::default();
    options.github.base = base.to_owned();
    options.github.token = Some(Secret::new(TOKEN));
    options
}

/// A place whose GitHub says what `handler` does.
fn place(
    limits: Limits,
    handler: impl Fn(&support::server::Request) -> Reply + Send + Sync + 'static,
) -> (Place, Server) {
    let server = Server::start(handler);
    (Place::with(limits, options(&server.url())), server)
}

/// The error of a fetch from a GitHub that gives this reply; it has no secrets in it.
fn refused(
    limits: Limits,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (ErrorKind, String) {
    let (place, _server) = place(limits, move |_| reply());
    let (kind, message) = place.fails("github.com/o/r");
    assert!(
        !message.contains(TOKEN) && !message.contains("secret-query"),
        "{message}"
    );
    assert!(
        message.contains("github.com/o/r") || message.contains("http://"),
        "{message}"
    );
    (kind, message)
}

#[test]
fn an_archive_is_found_by_redirects_and_the_token_stays_at_home() {
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let away = Server::start(move |request| match request.header("if-none-match") {
        Some("W/\"one\"") => response(304, &[("ETag", "W/\"one\"")], b""),
        _ => response(200, &[("ETag", "W/\"one\"")], &bytes),
    });
    // Another name of the same machine is another host.
    let target = format!(
        "http://localhost:{}/legacy.tar.gz?token=secret-query",
        away.address.port()
    );
    let home = Server::start(move |request| match request.path() {
        "/api/repos/o/r/tarball" | "/api/repos/o/r/tarball/feature/%C3%A4" => {
            response(302, &[("Location", "/api/moved")], b"")
        }
        "/api/moved" => response(301, &[("Location", &target)], b""),
        path => panic!("{path}"),
    });
    let place = Place::with(Limits::default(), options(&format!("{}/api", home.url())));
    let fetched = run(place.fetch("github.com/o/r")).unwrap();
    let all = [
        ("apps/shop/index.lua", "shop"),
        ("apps/shop/lib/x.lua", "x"),
        ("index.lua", "1"),
    ];
    assert_eq!(files(&fetched.bundle), expected(&all));
    let known = fetched.revision.unwrap();
    assert_eq!(known.as_str(), "W/\"one\"");
    for request in home.requests() {
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
        assert!(request.header("user-agent").unwrap().starts_with("rille/"));
    }
    for request in away.requests() {
        assert_eq!(request.header("authorization"), None);
    }
    // Asked again there is nothing new.
    assert!(
        run(place.fetch_again("github.com/o/r", &known))
            .unwrap()
            .is_none()
    );
    let fetched = run(place.fetch("github.com/o/r/apps/shop@feature/ä")).unwrap();
    assert_eq!(
        files(&fetched.bundle),
        expected(&[("index.lua", "shop"), ("lib/x.lua", "x")])
    );
    place.is_clean();
}

#[test]
fn without_a_tag_the_commit_is_the_revision() {
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let (place, server) = place(Limits::default(), move |_| response(200, &[], &bytes));
    let known = run(place.fetch("github.com/o/r"))
        .unwrap()
        .revision
        .unwrap();
    assert_eq!(known.as_str(), commit);
    server.requests();
    assert!(
        run(place.fetch_again("github.com/o/r", &known))
            .unwrap()
            .is_some()
    );
    assert_eq!(server.requests()[0].header("if-none-match"), None);
    // A commit is for ever.
    let pinned = format!("github.com/o/r@{commit}");
    assert!(run(place.fetch_again(&pinned, &known)).unwrap().is_none());
    assert!(server.requests().is_empty());
}

#[test]
fn what_the_forge_refuses_is_said() {
    for (status, headers, kind, words) in [
        (401, vec![], ErrorKind::Denied, "the token is not valid"),
        (
            403,
            vec![],
            ErrorKind::Denied,
            "set up a token that may read it",
        ),
        (
            403,
            vec![("X-RateLimit-Remaining", "0")],
            ErrorKind::Denied,
            "too many requests",
        ),
        (429, vec![], ErrorKind::Denied, "too many requests"),
        (
            404,
            vec![],
            ErrorKind::NotFound,
            "no such repository, branch, tag or commit (any more)",
        ),
        (422, vec![], ErrorKind::NotFound, "no such branch"),
        (500, vec![], ErrorKind::Unavailable, "tried again later"),
        (418, vec![], ErrorKind::Unavailable, "tried again later"),
        (302, vec![], ErrorKind::Unavailable, "redirects to nowhere"),
        (
            302,
            vec![("Location", "relative")],
            ErrorKind::Unavailable,
            "no whole URL",
        ),
        (
            302,
            vec![("Location", "ftp://x/?secret-query")],
            ErrorKind::Unavailable,
            "not followed",
        ),
        (
            302,
            vec![("Location", "/again?secret-query")],
            ErrorKind::Unavailable,
            "redirects too often",
        ),
        (304, vec![], ErrorKind::Unavailable, "redirects to nowhere"),
    ] {
        let (found, message) = refused(Limits::default(), move || {
            response(
                status,
                &headers,
                format!("{{\"message\": \"no {TOKEN}\nno\"}}").as_bytes(),
            )
        });
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_is_broken_is_tried_again() {
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let whole = bytes.clone();
    let broken: [fn(&[u8]) -> Reply; 5] = [
        |_| response(500, &[], b""),
        |_| Reply::Bytes(Vec::new()),
        |bytes| {
            Reply::Bytes(
                [
                    head(200, &[], bytes.len()),
                    bytes[..bytes.len() / 2].to_vec(),
                ]
                .concat(),
            )
        },
        // Shorter than it is: the archive ends too early, though the body does not.
        |bytes| response(200, &[], &bytes[..bytes.len() - 20]),
        |bytes| {
            let mut bytes = bytes.to_vec();
            let at = bytes.len() - 6;
            bytes[at] ^= 1;
            response(200, &[], &bytes)
        },
    ];
    for reply in broken {
        let bytes = whole.clone();
        let count = AtomicUsize::new(0);
        let (place, server) = place(Limits::default(), move |_| {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => reply(&bytes),
                _ => response(200, &[], &bytes),
            }
        });
        let fetched = run(place.fetch("github.com/o/r")).unwrap();
        assert_eq!(fetched.bundle.index().files().len(), 3);
        assert_eq!(server.requests().len(), 3);
        place.is_clean();
        // And not for ever.
        let bytes = whole.clone();
        assert_eq!(
            refused(Limits::default(), move || reply(&bytes)).0,
            ErrorKind::Unavailable
        );
    }
}

#[test]
fn a_server_that_stalls_is_left() {
    let limits = Limits {
        stall: Duration::from_millis(200),
        ..Limits::default()
    };
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let half = [
        head(200, &[], bytes.len()),
        bytes[..bytes.len() / 2].to_vec(),
    ]
    .concat();
    for bytes in [Vec::new(), b"HTTP/1.1 200 OK\r\n".to_vec(), half] {
        let began = Instant::now();
        let (kind, message) = refused(limits, move || Reply::Stall(bytes.clone()));
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(
            message.contains("nothing came for 0.2 seconds"),
            "{message}"
        );
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    let late = Limits {
        deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let (place, _server) = place(late, |_| Reply::Stall(Vec::new()));
    assert_eq!(place.fails("github.com/o/r").0, ErrorKind::TimedOut);
}

/// A gzip of an archive with one file of zeros.
fn bomb(bytes: u64) -> Vec<u8> {
    let mut block = [0; 512];
    block[..8].copy_from_slice(b"top/bomb");
    block[124..136].copy_from_slice(format!("{bytes:011o}\0").as_bytes());
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&block).unwrap();
    for _ in 0..bytes / 65536 {
        gzip.write_all(&[0; 65536]).unwrap();
    }
    gzip.finish().unwrap()
}

#[test]
fn every_limit_is_one() {
    let small = Limits {
        files: 10,
        file_bytes: 1 << 20,
        total_bytes: 2 << 20,
        download_bytes: 1 << 20,
        ..Limits::default()
    };
    let bytes = bomb(200 << 20);
    assert!(bytes.len() < 1 << 20);
    let (kind, message) = refused(small, move || response(200, &[], &bytes));
    assert_eq!(kind, ErrorKind::TooLarge, "{message}");
    // Also where it is not wanted.
    let bytes = bomb(200 << 20);
    let (other, _server) = place(small, move |_| response(200, &[], &bytes));
    let (kind, message) = other.fails("github.com/o/r/other");
    assert_eq!(kind, ErrorKind::TooLarge);
    assert!(message.contains("unpacks to more than"), "{message}");

    let mut random = vec![0; 3 << 20];
    let mut seed: u32 = 1;
    for byte in &mut random {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (seed >> 24) as u8;
    }
    let mut stored = GzEncoder::new(Vec::new(), Compression::none());
    stored.write_all(&random).unwrap();
    let stored = stored.finish().unwrap();
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let (kind, _) = refused(Limits { files: 2, ..small }, {
        let bytes = bytes.clone();
        move || response(200, &[], &bytes)
    });
    assert_eq!(kind, ErrorKind::TooLarge);
    let (kind, message) = refused(
        Limits {
            download_bytes: 100,
            ..small
        },
        move || response(200, &[], &bytes),
    );
    assert_eq!(kind, ErrorKind::TooLarge);
    assert!(message.contains("larger than 100 bytes"), "{message}");
    // What is no archive is not read to its end.
    let (kind, _) = refused(small, move || response(200, &[], &stored));
    assert_eq!(kind, ErrorKind::Refused);
    let endless = || Reply::Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec());
    assert_eq!(refused(small, endless).0, ErrorKind::Unavailable);
    let heads = || Reply::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec());
    assert_eq!(refused(small, heads).0, ErrorKind::Unavailable);
}

#[test]
fn links_in_an_archive_are_refused() {
    let (repository, _) = repository();
    std::os::unix::fs::symlink("/etc/passwd", repository.work().join("apps/link")).unwrap();
    let commit = repository.commit(&[]);
    let bytes = archive(&repository, &commit);
    let (place, _server) = place(Limits::default(), move |_| response(200, &[], &bytes));
    let (kind, message) = place.fails("github.com/o/r");
    assert_eq!(kind, ErrorKind::Refused);
    assert!(
        message.contains("\"apps/link\" is a symbolic link"),
        "{message}"
    );
    run(place.fetch("github.com/o/r/apps/shop")).unwrap();
    let (kind, message) = place.fails("github.com/o/r/gone");
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(message.contains("no files in it"), "{message}");
}

#[test]
fn a_fetch_that_is_dropped_leaves_nothing() {
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let half = [
        head(200, &[], bytes.len()),
        bytes[..bytes.len() - 100].to_vec(),
    ]
    .concat();
    let (place, _server) = place(Limits::default(), move |_| Reply::Stall(half.clone()));
    let source = Source::parse("github.com/o/r").unwrap();
    run(async {
        let fetch = place.fetcher.fetch(&source, None);
        assert!(
            tokio::time::timeout(Duration::from_millis(300), fetch)
                .await
                .is_err()
        );
        let began = Instant::now();
        let tmp = place.folder.path().join("state/tmp");
        while fs::read_dir(&tmp).unwrap().count() > 0 {
            assert!(began.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn what_was_set_up_wrong_is_said() {
    let place = Place::with(Limits::default(), options("not a url"));
    assert_eq!(place.fails("github.com/o/r").0, ErrorKind::Setup);
    let mut odd = options("http://127.0.0.1:1");
    odd.github.token = Some(Secret::new("a\nb"));
    assert_eq!(
        Place::with(Limits::default(), odd)
            .fails("github.com/o/r")
            .0,
        ErrorKind::Setup
    );
    let mut odd = options("http://127.0.0.1:1");
    odd.ca_file = Some("/does/not/exist".into());
    assert_eq!(
        Place::with(Limits::default(), odd)
            .fails("github.com/o/r")
            .0,
        ErrorKind::Setup
    );
    let refused =
        Place::with(Limits::default(), options("http://127.0.0.1:1")).fails("github.com/o/r");
    assert_eq!(refused.0, ErrorKind::Unavailable);
    assert!(refused.1.contains("refused"), "{}", refused.1);
}

#[test]
fn certificates_are_verified() {
    let (pem, tls) = support::server::tls();
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let server = Server::start_with(Some(tls), move |_| response(200, &[], &bytes));
    let base = format!("https://localhost:{}", server.address.port());
    let (kind, message) = Place::with(Limits::default(), options(&base)).fails("github.com/o/r");
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(message.contains("certificate"), "{message}");
    let mut trusting = options(&base);
    let place = Place::new();
    let file = place.folder.path().join("ca.pem");
    fs::write(&file, pem).unwrap();
    trusting.ca_file = Some(file);
    run(Place::with(Limits::default(), trusting).fetch("github.com/o/r")).unwrap();
}

#[test]
fn a_revision_is_one_word() {
    assert!(Revision::new("W/\"x\"").is_some());
    for odd in ["", "-", "a b", "a\n", "ä", &"x".repeat(600)] {
        assert!(Revision::new(odd).is_none(), "{odd}");
    }
}

#[test]
fn a_module_is_fetched_without_the_token() {
    let (repository, commit) = repository();
    let bytes = archive(&repository, &commit);
    let (place, server) = place(Limits::default(), move |_| response(200, &[], &bytes));
    let module = Module::parse("github.com/o/r/blob/v1/apps/shop/lib/x.lua")
        .unwrap()
        .unwrap();
    let Outcome::Fetched(fetched) = run(place.fetcher.fetch_module(&module, None)).unwrap() else {
        panic!("nothing was known");
    };
    assert_eq!(fetched.bundle.read(&module.file).unwrap(), b"x");
    let requests = server.requests();
    assert_eq!(requests[0].target, "/repos/o/r/tarball/v1");
    assert_eq!(requests[0].header("authorization"), None);
}
