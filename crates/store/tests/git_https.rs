//! Git repositories over https: git's own http-backend behind a small CGI, and a plain web server.

mod support;

use rille_store::git::Credential;
use rille_store::{ErrorKind, Limits, Options, Secret};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::server::{Reply, Request, Server, head, response, tls};
use support::{Place, Repository, expected, files, git, run};

const TOKEN: &str = "glpat-very's3cret$(x)";

/// What git's http-backend answers for the repositories below a folder.
fn backend(root: &Path, request: &Request) -> Reply {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env(
            "CONTENT_TYPE",
            request.header("content-type").unwrap_or_default(),
        )
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env(
            "HTTP_CONTENT_ENCODING",
            request.header("content-encoding").unwrap_or_default(),
        )
        .env(
            "GIT_PROTOCOL",
            request.header("git-protocol").unwrap_or_default(),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let fields = String::from_utf8(output[..end].to_vec()).unwrap();
    let fields: Vec<(&str, &str)> = fields
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let status = fields
        .iter()
        .find(|(name, _)| *name == "Status")
        .map_or(200, |(_, status)| status[..3].parse().unwrap());
    response(status, &fields, &output[end + 4..])
}

/// What a plain web server answers.
fn plain(root: &Path, request: &Request) -> Reply {
    match fs::read(root.join(request.path().trim_start_matches('/'))) {
        Ok(contents) => response(200, &[], &contents),
        Err(_) => response(404, &[], b""),
    }
}

struct Https {
    server: Server,
    ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl Https {
    fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Https {
        let (pem, config) = tls();
        let folder = tempfile::TempDir::new().unwrap();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, pem).unwrap();
        Https {
            server: Server::start_with(Some(config), handler),
            ca,
            _folder: folder,
        }
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.server.address.port())
    }

    fn source(&self) -> String {
        format!("git+https://{}/bare.git", self.host())
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.git.ca_file = Some(self.ca.clone());
        options
    }

    fn with_token(&self, host: &str, token: &str) -> Options {
        let mut options = self.options();
        options.git.credentials = vec![Credential {
            host: host.to_owned(),
            user: "x-access-token".to_owned(),
            token: Secret::new(token),
        }];
        options
    }

    fn place(&self) -> Place {
        Place::with(Limits::default(), self.options())
    }
}

fn repository() -> (Repository, String, String) {
    let repository = Repository::new(&[("index.lua", "1"), ("lib/x.lua", "x")]);
    let first = git(&repository.work(), &["rev-parse", "HEAD"]);
    git(
        &repository.work(),
        &["tag", "--annotate", "--message", "one", "v1"],
    );
    let second = repository.commit(&[("index.lua", "2")]);
    (repository, first, second)
}

fn all_kinds(https: &Https, first: &str, second: &str) {
    let place = https.place();
    for (suffix, text, commit) in [
        ("", "2", second),
        ("@main", "2", second),
        ("@v1", "1", first),
        (&format!("@{first}"), "1", first),
    ] {
        let fetched = run(place.fetch(&format!("{}{suffix}", https.source())))
            .unwrap_or_else(|error| panic!("{suffix}: {error}"));
        assert_eq!(
            files(&fetched.bundle),
            expected(&[("index.lua", text), ("lib/x.lua", "x")])
        );
        let known = fetched.revision.unwrap();
        assert_eq!(known.as_str(), commit);
        assert!(
            run(place.fetch_again(&format!("{}{suffix}", https.source()), &known))
                .unwrap()
                .is_none()
        );
    }
    let (kind, message) = place.fails(&format!("{}@{}", https.source(), "0123456789".repeat(4)));
    assert_eq!(kind, ErrorKind::NotFound, "{message}");
    let (kind, message) = place.fails(&format!("{}@gone", https.source()));
    assert_eq!(kind, ErrorKind::NotFound, "{message}");
    let (kind, message) = place.fails(&https.source().replace("bare", "none"));
    assert_eq!(kind, ErrorKind::NotFound, "{message}");
    place.is_clean();
}

#[test]
fn by_the_smart_protocol() {
    let (repository, first, second) = repository();
    let root = repository.folder.path().to_owned();
    let https = Https::start(move |request| backend(&root, request));
    all_kinds(&https, &first, &second);
}

#[test]
fn from_a_plain_web_server() {
    let (repository, first, second) = repository();
    git(&repository.bare(), &["update-server-info"]);
    let root = repository.folder.path().to_owned();
    let https = Https::start(move |request| plain(&root, request));
    all_kinds(&https, &first, &second);
}

#[test]
fn a_token_is_for_its_host_and_in_no_argument_or_error() {
    let (repository, ..) = repository();
    let root = repository.folder.path().to_owned();
    let authorization = "Basic eC1hY2Nlc3MtdG9rZW46Z2xwYXQtdmVyeSdzM2NyZXQkKHgp";
    let https = Https::start(move |request| match request.header("authorization") {
        Some(value) if value == authorization => backend(&root, request),
        // It says what it was given, as careless servers do.
        value => {
            let said = value.map_or("", |_| "no wrong-s3cret here");
            response(
                401,
                &[
                    ("WWW-Authenticate", "Basic realm=\"x\""),
                    ("Content-Type", "text/plain"),
                ],
                said.as_bytes(),
            )
        }
    });
    // A program in the place of git that writes down how it is called.
    let folder = tempfile::TempDir::new().unwrap();
    let (program, seen) = (folder.path().join("git"), folder.path().join("seen"));
    fs::write(
        &program,
        format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >> {}\nexec git \"$@\"\n",
            seen.display()
        ),
    )
    .unwrap();
    fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut options = https.with_token(&https.host(), TOKEN);
    options.git.program = program;
    let place = Place::with(Limits::default(), options);
    let fetched = run(place.fetch(&https.source())).unwrap();
    assert_eq!(fetched.bundle.index().files().len(), 2);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(
        seen.contains("ls-remote") && !seen.contains("glpat"),
        "{seen}"
    );

    for options in [
        https.options(),
        https.with_token("other.example.com", TOKEN),
        https.with_token(&https.host(), "wrong-s3cret"),
    ] {
        https.server.requests();
        let has_wrong = options
            .git
            .credentials
            .iter()
            .any(|credential| credential.host == https.host());
        let (kind, message) = Place::with(Limits::default(), options).fails(&https.source());
        assert_eq!(kind, ErrorKind::Denied, "{message}");
        assert!(
            message.contains("set up a key file or a token") && !message.contains("s3cret"),
            "{message}"
        );
        let sent = https
            .server
            .requests()
            .iter()
            .any(|request| request.header("authorization").is_some());
        assert_eq!(sent, has_wrong);
        assert_eq!(message.contains("no [secret] here"), has_wrong, "{message}");
    }
}

#[test]
fn a_redirect_takes_no_token_along() {
    let (repository, ..) = repository();
    let other = Https::start(|_| response(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b""));
    let target = format!("https://{}", other.host());
    let root = repository.folder.path().to_owned();
    let https = Https::start(move |request| match request.header("authorization") {
        _ if request.target.starts_with("/here.git") => response(
            301,
            &[("Location", &request.target.replace("here", "moved"))],
            b"",
        ),
        None => response(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b""),
        Some(_) if request.target.starts_with("/moved.git") => backend(
            &root,
            &Request {
                target: request.target.replace("moved", "bare"),
                ..request.clone()
            },
        ),
        Some(_) => response(
            301,
            &[("Location", &format!("{target}{}", request.target))],
            b"",
        ),
    });
    let mut options = https.with_token(&https.host(), TOKEN);
    let both = https.ca.with_file_name("both.pem");
    fs::write(
        &both,
        fs::read_to_string(&https.ca).unwrap() + &fs::read_to_string(&other.ca).unwrap(),
    )
    .unwrap();
    options.git.ca_file = Some(both);
    let place = Place::with(Limits::default(), options);
    let (kind, message) = place.fails(&https.source());
    assert_eq!(kind, ErrorKind::Denied, "{message}");
    let requests = other.server.requests();
    assert!(
        !requests.is_empty()
            && requests
                .iter()
                .all(|request| request.header("authorization").is_none())
    );
    // On the same host it is followed: forges add .git by themselves.
    run(place.fetch(&format!("git+https://{}/here.git", https.host()))).unwrap();
}

#[test]
fn a_redirect_to_another_protocol_is_not_followed() {
    let (repository, ..) = repository();
    for target in [
        format!("file://{}", repository.bare().display()),
        "ext::sh -c true".to_owned(),
        "http://localhost:1/x".to_owned(),
    ] {
        let location = target.clone();
        let https = Https::start(move |request| {
            response(
                301,
                &[("Location", &format!("{location}/{}", request.target))],
                b"",
            )
        });
        let (kind, message) = https.place().fails(&https.source());
        assert!(
            matches!(kind, ErrorKind::Unavailable | ErrorKind::Denied),
            "{target}: {message}"
        );
    }
}

#[test]
fn a_server_that_fails_is_said() {
    let stall = Limits {
        stall: Duration::from_secs(1),
        ..Limits::default()
    };
    type Handler = fn(&Request) -> Reply;
    let cases: [(Handler, ErrorKind); 5] = [
        (|_| response(500, &[], b""), ErrorKind::Unavailable),
        (|_| response(403, &[], b""), ErrorKind::Denied),
        (
            |_| response(200, &[("Content-Type", "text/html")], b"<html>"),
            ErrorKind::NotFound,
        ),
        (
            |_| {
                Reply::Bytes(
                    [
                        head(
                            200,
                            &[(
                                "Content-Type",
                                "application/x-git-upload-pack-advertisement",
                            )],
                            1000,
                        ),
                        b"001e# service=git-upload-pack\n0000".to_vec(),
                    ]
                    .concat(),
                )
            },
            ErrorKind::Unavailable,
        ),
        (
            |_| Reply::Stall(head(200, &[], 100)),
            ErrorKind::Unavailable,
        ),
    ];
    for (number, (handler, expected)) in cases.into_iter().enumerate() {
        let https = Https::start(handler);
        let began = Instant::now();
        let (kind, message) = Place::with(stall, https.options()).fails(&https.source());
        assert_eq!(kind, expected, "{number}: {message}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    let https = Https::start(|_| {
        Reply::Endless(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n".to_vec(),
        )
    });
    let late = Limits {
        deadline: Duration::from_secs(2),
        ..stall
    };
    let (kind, message) = Place::with(late, https.options()).fails(&https.source());
    assert!(
        matches!(
            kind,
            ErrorKind::TimedOut | ErrorKind::NotFound | ErrorKind::Unavailable
        ),
        "{message}"
    );
    let untrusted = Place::new().fails(&https.source());
    assert_eq!(untrusted.0, ErrorKind::Unavailable);
    assert!(untrusted.1.contains("certificate"), "{}", untrusted.1);
}
