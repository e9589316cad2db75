//! S3 as a source: s3s-fs, and a stand-in for what goes wrong.

#[path = "support/s3.rs"]
mod s3_server;
mod support;

use rille_store::on_demand::{CacheOptions, Freshness};
use rille_store::s3::{Options as S3Options, Style};
use rille_store::{BundlePath, ErrorKind, Limits, Options, Secret, Source};
use s3_server::{S3, SECRET, credentials};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::server::{Reply, Request, Server, head, response};
use support::{Place, expected, files, run, write};

fn with(limits: Limits, s3: S3Options) -> Place {
    Place::with(
        limits,
        Options {
            s3,
            ..Options::default()
        },
    )
}

#[test]
fn a_folder_of_a_bucket() {
    let server = S3::start(None);
    let app = [
        ("api/ü b+c.lua", "3"),
        ("index.lua", "1"),
        ("lib/x&<y>'.lua", "2"),
    ];
    let bucket = server.bucket("code");
    write(&bucket.join("apps/shop"), &app);
    write(
        &bucket,
        &[("apps/shopping/index.lua", "other"), ("index.lua", "top")],
    );
    let place = with(Limits::default(), server.options());
    let fetched = run(place.fetch("s3://code/apps/shop")).unwrap();
    assert_eq!(files(&fetched.bundle), expected(&app));
    let known = fetched.revision.unwrap();
    assert!(
        run(place.fetch_again("s3://code/apps/shop", &known))
            .unwrap()
            .is_none()
    );
    write(&bucket, &[("apps/shop/index.lua", "1 and more")]);
    let fetched = run(place.fetch_again("s3://code/apps/shop", &known))
        .unwrap()
        .unwrap();
    assert_eq!(fetched.bundle.index().files().len(), 3);
    assert_eq!(
        run(place.fetch("s3://code"))
            .unwrap()
            .bundle
            .index()
            .files()
            .len(),
        5
    );
    assert_eq!(place.fails("s3://code/apps/none").0, ErrorKind::NotFound);
    place.is_clean();
}

#[test]
fn a_listing_of_several_pages() {
    let server = S3::start(None);
    let names: Vec<String> = (0..2500)
        .map(|number| format!("f{number:04}.lua"))
        .collect();
    let app: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), name.as_str()))
        .collect();
    write(&server.bucket("code"), &app);
    let place = with(Limits::default(), server.options());
    let fetched = run(place.fetch("s3://code")).unwrap();
    assert_eq!(files(&fetched.bundle), expected(&app));
    let limits = Limits {
        files: 2499,
        ..Limits::default()
    };
    let (kind, message) = with(limits, server.options()).fails("s3://code");
    assert_eq!(kind, ErrorKind::TooLarge, "{message}");
    let limits = Limits {
        files: 1000,
        ..Limits::default()
    };
    let (kind, message) = with(limits, server.options()).fails("s3://code");
    assert_eq!(kind, ErrorKind::TooLarge, "{message}");
}

#[test]
fn large_files_and_their_limits() {
    let server = S3::start(None);
    let bucket = server.bucket("code");
    for name in ["a", "b", "c"] {
        fs::write(bucket.join(name), vec![b'x'; 20 << 20]).unwrap();
    }
    let fetched = run(with(Limits::default(), server.options()).fetch("s3://code")).unwrap();
    assert_eq!(fetched.bundle.index().bytes(), 60 << 20);
    for limits in [
        Limits {
            file_bytes: (20 << 20) - 1,
            ..Limits::default()
        },
        Limits {
            total_bytes: (60 << 20) - 1,
            ..Limits::default()
        },
    ] {
        assert_eq!(
            with(limits, server.options()).fails("s3://code").0,
            ErrorKind::TooLarge
        );
    }
}

#[test]
fn signatures_are_checked_over_there() {
    let server = S3::start(None);
    write(&server.bucket("code"), &[("index.lua", "1")]);
    let wrong = S3Options {
        credentials: Some(credentials("wrong-s3cret")),
        ..server.options()
    };
    let (kind, message) = with(Limits::default(), wrong).fails("s3://code");
    assert_eq!(kind, ErrorKind::Denied);
    assert!(
        message.contains("SignatureDoesNotMatch") && message.contains("credentials are not valid"),
        "{message}"
    );
    assert!(
        !message.contains("s3cret") && !message.contains("Signature="),
        "{message}"
    );
    let none = S3Options {
        credentials: None,
        ..server.options()
    };
    let (kind, message) = with(Limits::default(), none).fails("s3://code");
    assert_eq!(kind, ErrorKind::Denied);
    assert!(message.contains("set AWS_ACCESS_KEY_ID"), "{message}");
    let (kind, message) = with(Limits::default(), server.options()).fails("s3://nothing");
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(message.contains("there is no bucket nothing"), "{message}");
}

#[test]
fn the_bucket_in_the_name_of_the_host() {
    let server = S3::start(Some("localhost"));
    write(&server.bucket("code"), &[("apps/index.lua", "1")]);
    let options = S3Options {
        endpoint: Some(format!("http://localhost:{}", server.address.port())),
        style: Style::VirtualHost,
        ..server.options()
    };
    let place = with(Limits::default(), options);
    assert_eq!(
        files(&run(place.fetch("s3://code/apps")).unwrap().bundle),
        expected(&[("index.lua", "1")])
    );
}

#[test]
fn files_on_demand() {
    let server = S3::start(None);
    let bucket = server.bucket("code");
    write(&bucket, &[("prod/a.test/x/index.lua", "1")]);
    let place = with(Limits::default(), server.options());
    let Source::S3(source) = Source::parse("s3://code/prod").unwrap() else {
        panic!("an S3 source");
    };
    let path = |text: &str| BundlePath::new(text.as_bytes()).unwrap();
    run(async {
        let options = CacheOptions {
            file_bytes: 100,
            ..CacheOptions::default()
        };
        let files = place.fetcher.on_demand(&source, options).await.unwrap();
        let get = async |text: &str, freshness| {
            let found = files
                .get(&path(text), freshness)
                .await
                .map_err(|error| error.kind())?;
            Ok::<_, ErrorKind>(
                found.map(|found| String::from_utf8(found.contents.clone()).unwrap()),
            )
        };
        let index = "a.test/x/index.lua";
        assert_eq!(
            get(index, Freshness::Cached).await,
            Ok(Some("1".to_owned()))
        );
        write(
            &bucket,
            &[
                ("prod/a.test/x/index.lua", "2"),
                ("prod/a.test/large", &"x".repeat(101)),
            ],
        );
        assert_eq!(
            get(index, Freshness::Cached).await,
            Ok(Some("1".to_owned()))
        );
        assert_eq!(
            get(index, Freshness::Bypass).await,
            Ok(Some("2".to_owned()))
        );
        assert_eq!(get("a.test/none", Freshness::Cached).await, Ok(None));
        assert_eq!(
            get("a.test/large", Freshness::Cached).await,
            Err(ErrorKind::TooLarge)
        );
    });
    // After a restart without the server there is the last good file.
    let gone = S3Options {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..server.options()
    };
    let fetcher = rille_store::Fetcher::new(
        place.store().clone(),
        Options {
            s3: gone,
            ..Options::default()
        },
    );
    run(async {
        let files = fetcher
            .on_demand(&source, CacheOptions::default())
            .await
            .unwrap();
        let found = files
            .get(&path("a.test/x/index.lua"), Freshness::Cached)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.contents, b"2");
        assert!(
            files
                .get(&path("a.test/none"), Freshness::Cached)
                .await
                .is_err()
        );
    });
}

const PAGE: &str = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>index.lua</Key><ETag>\"e\"</ETag><Size>8</Size></Contents></ListBucketResult>";

/// A place whose S3 says what `handler` does to a GET of an object, and one object to a listing.
fn stand_in(
    limits: Limits,
    handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Place, Server) {
    let server = Server::start(move |request| match request.target.contains("list-type") {
        true => response(200, &[], PAGE.as_bytes()),
        false => handler(request),
    });
    (pointed_at(&server, limits), server)
}

fn pointed_at(server: &Server, limits: Limits) -> Place {
    let mut credentials = credentials(SECRET);
    credentials.session_token = Some(Secret::new("token-s3cret"));
    with(
        limits,
        S3Options {
            endpoint: Some(server.url()),
            credentials: Some(credentials),
            ..S3Options::default()
        },
    )
}

#[test]
fn what_is_broken_is_tried_again_and_not_for_ever() {
    let good = || response(200, &[("ETag", "\"e\"")], b"return 1");
    let broken: Vec<fn() -> Reply> = vec![
        || {
            response(500, &[], b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>")
        },
        || response(503, &[], b"<Error><Code>SlowDown</Code></Error>"),
        || Reply::Bytes(Vec::new()),
        // Truncated.
        || Reply::Bytes([head(200, &[("ETag", "\"e\"")], 8), b"retu".to_vec()].concat()),
        // Another length than was listed.
        || response(200, &[("ETag", "\"e\"")], b"return"),
        || response(200, &[("ETag", "\"e\"")], b"return 1 and more"),
        // Another object than was listed.
        || response(200, &[("ETag", "\"f\"")], b"return 2"),
        || response(404, &[], b"<Error><Code>NoSuchKey</Code></Error>"),
        || Reply::Stall(head(200, &[], 8)),
    ];
    let limits = Limits {
        stall: Duration::from_millis(200),
        ..Limits::default()
    };
    for reply in broken {
        let count = AtomicUsize::new(0);
        let (place, server) = stand_in(limits, move |_| {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => reply(),
                _ => good(),
            }
        });
        let fetched = run(place.fetch("s3://code")).unwrap();
        assert_eq!(
            files(&fetched.bundle),
            expected(&[("index.lua", "return 1")])
        );
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.header("x-amz-security-token") == Some("token-s3cret"))
        );
        let (place, _server) = stand_in(limits, move |_| reply());
        let (kind, message) = place.fails("s3://code");
        assert!(kind.is_temporary(), "{message}");
        assert!(
            message.contains("tried again later") && !message.contains("s3cret"),
            "{message}"
        );
    }
}

#[test]
fn what_s3_refuses_is_said() {
    for (status, code, headers, kind, words) in [
        (
            403,
            "AccessDenied",
            vec![],
            ErrorKind::Denied,
            "need s3:ListBucket and s3:GetObject for the bucket code",
        ),
        (
            403,
            "InvalidAccessKeyId",
            vec![],
            ErrorKind::Denied,
            "the credentials are not valid",
        ),
        (
            400,
            "ExpiredToken",
            vec![],
            ErrorKind::Denied,
            "the credentials are not valid",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            vec![],
            ErrorKind::Setup,
            "the clock of this machine is wrong",
        ),
        (
            301,
            "PermanentRedirect",
            vec![("x-amz-bucket-region", "eu-west-1")],
            ErrorKind::Setup,
            "set AWS_REGION to eu-west-1",
        ),
        (
            301,
            "PermanentRedirect",
            vec![],
            ErrorKind::Setup,
            "check AWS_REGION and AWS_ENDPOINT_URL",
        ),
        (
            404,
            "NoSuchBucket",
            vec![],
            ErrorKind::NotFound,
            "there is no bucket code",
        ),
        (
            404,
            "",
            vec![],
            ErrorKind::NotFound,
            "check AWS_ENDPOINT_URL",
        ),
        (
            500,
            "InternalError",
            vec![],
            ErrorKind::Unavailable,
            "tried again later",
        ),
    ] {
        let server = Server::start(move |_| {
            let body =
                format!("<Error><Code>{code}</Code><Message>you sent {SECRET}\n</Message></Error>");
            response(status, &headers, body.as_bytes())
        });
        let (found, message) = pointed_at(&server, Limits::default()).fails("s3://code");
        assert_eq!(found, kind, "{message}");
        assert!(
            message.contains(words) && message.contains(code) && !message.contains("s3cret"),
            "{message}"
        );
    }
}

#[test]
fn a_listing_that_is_none_or_does_not_end() {
    let listing = |body: &'static str| Server::start(move |_| response(200, &[], body.as_bytes()));
    for body in [
        "",
        "<html>",
        "<ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken></ListBucketResult>",
        "<ListBucketResult><Contents><Key>elsewhere</Key></Contents></ListBucketResult>",
    ] {
        let (kind, message) = pointed_at(&listing(body), Limits::default()).fails("s3://code/app");
        assert_eq!(kind, ErrorKind::Unavailable, "{message}");
    }
    let key = format!(
        "<ListBucketResult><Contents><Key>{}</Key></Contents></ListBucketResult>",
        "k".repeat(2000)
    );
    let long = Server::start(move |_| response(200, &[], key.as_bytes()));
    assert_eq!(
        pointed_at(&long, Limits::default()).fails("s3://code").0,
        ErrorKind::Unavailable
    );
    let count = AtomicUsize::new(0);
    let endless = Server::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let keys: String = (0..100)
            .map(|key| format!("<Contents><Key>k{number}-{key}</Key><Size>0</Size></Contents>"))
            .collect();
        let body = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{number}</NextContinuationToken>{keys}</ListBucketResult>"
        );
        response(200, &[], body.as_bytes())
    });
    let limits = Limits {
        files: 1000,
        ..Limits::default()
    };
    assert_eq!(
        pointed_at(&endless, limits).fails("s3://code").0,
        ErrorKind::TooLarge
    );
    let huge =
        Server::start(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()));
    assert_eq!(
        pointed_at(&huge, Limits::default()).fails("s3://code").0,
        ErrorKind::TooLarge
    );
}

#[test]
fn keys_that_are_no_paths_are_refused() {
    for key in [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "a\\b",
        "a&#0x1;",
        "a&#x1;",
    ] {
        let body = format!(
            "<ListBucketResult><Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
        );
        let server = Server::start(move |_| response(200, &[], body.as_bytes()));
        let (kind, message) = pointed_at(&server, Limits::default()).fails("s3://code");
        assert!(
            matches!(kind, ErrorKind::Refused | ErrorKind::Unavailable),
            "{message}"
        );
    }
}

#[test]
fn a_validator_is_sent_back() {
    let (place, server) = stand_in(Limits::default(), |request| {
        match request.header("if-none-match") {
            Some("\"e\"") => response(304, &[], b""),
            _ => response(
                200,
                &[
                    ("ETag", "\"e\""),
                    ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
                ],
                b"return 1",
            ),
        }
    });
    let Source::S3(source) = Source::parse("s3://code/app").unwrap() else {
        panic!("an S3 source");
    };
    run(async {
        let files = place
            .fetcher
            .on_demand(&source, CacheOptions::default())
            .await
            .unwrap();
        let path = BundlePath::new(b"h/index.lua").unwrap();
        for _ in 0..2 {
            let found = files.get(&path, Freshness::Bypass).await.unwrap().unwrap();
            assert_eq!(found.contents, b"return 1");
        }
        assert_eq!(files.counters().unchanged, 1);
    });
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[1].header("if-modified-since"),
        Some("Thu, 01 Jan 2026 00:00:00 GMT")
    );
    assert_eq!(requests[1].target, "/code/app/h/index.lua");
}

#[test]
fn the_deadline_is_for_all_of_it() {
    let limits = Limits {
        deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let (place, _server) = stand_in(limits, |_| Reply::Stall(Vec::new()));
    let began = Instant::now();
    assert_eq!(
        run(place.fetch("s3://code")).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    while fs::read_dir(place.folder.path().join("state/tmp"))
        .unwrap()
        .count()
        > 0
    {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_endpoint_that_is_none_is_said() {
    for endpoint in ["", "x", "ftp://x", "http://user@x", "http://x?y", "http://"] {
        let options = S3Options {
            endpoint: Some(endpoint.to_owned()),
            ..S3Options::default()
        };
        let (kind, message) = with(Limits::default(), options).fails("s3://code");
        assert_eq!(kind, ErrorKind::Setup, "{message}");
        assert!(message.contains("AWS_ENDPOINT_URL"), "{message}");
    }
}
