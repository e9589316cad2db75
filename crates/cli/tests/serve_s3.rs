//! `rille serve s3://BUCKET/FOLDER`: hosts whose code is in a bucket, against s3s-fs and against a server that fails in every way.

#[path = "../../store/tests/support/s3.rs"]
#[allow(dead_code)]
mod s3;
mod serve_support;
#[path = "../../store/tests/support/mod.rs"]
mod support;

use rille_testkit::http::{self, Response};
use rille_testkit::process::Exit;
use rille_testkit::server::Server;
use s3::S3;
use serve_support::{eventually, get_host, rille};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::run;
use support::server::{Reply, Server as Fake, head, response};
use tempfile::TempDir;

const TOKEN: &str = "t0ken-of-the-operator";

/// `rille serve` on a bucket at an endpoint.
fn start(endpoint: &str, options: &[&str]) -> Server {
    let mut args = vec![
        "serve",
        "s3://code/hosts",
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
    ];
    args.extend_from_slice(options);
    let mut command = rille(&args);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", s3::KEY)
        .env("AWS_SECRET_ACCESS_KEY", s3::SECRET)
        .env("RILLE_TOKEN", TOKEN);
    Server::start(&mut command).unwrap()
}

/// A bucket with files, and a server of its hosts.
struct Hosts {
    s3: S3,
    server: Server,
}

impl Hosts {
    fn with(files: &[(&str, &str)], options: &[&str]) -> Hosts {
        let s3 = S3::start(None);
        write(&s3, files);
        let server = start(&format!("http://{}", s3.address), options);
        Hosts { s3, server }
    }

    fn new(files: &[(&str, &str)]) -> Hosts {
        Hosts::with(files, &[])
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn get(&self, host: &str, target: &str) -> Response {
        get_host(self.address(), host, target)
    }

    fn text(&self, host: &str, target: &str) -> String {
        let response = self.get(host, target);
        assert_eq!(response.status, 200, "{host}{target}: {}", response.text());
        response.text()
    }

    fn purge(&self, host: &str, target: &str, token: Option<&str>) -> Response {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Host", host)];
        if let Some(authorization) = &authorization {
            headers.push(("Authorization", authorization));
        }
        http::request(self.address(), "POST", target, &headers, b"").unwrap()
    }
}

fn write(s3: &S3, files: &[(&str, &str)]) {
    support::write(&s3.bucket("code").join("hosts"), files);
}

#[test]
fn a_path_is_a_file_of_its_host() {
    let hosts = Hosts::new(&[
        ("a.example/index.lua", "return 'top of a'"),
        (
            "a.example/blog/index.lua",
            "return 'blog of ' .. request.host .. ' ' .. _VERSION .. ' \\&'",
        ),
        ("a.example/page.lua", "return 'page'"),
        (
            "a.example/api/index.lua",
            "return function(request) return request.query.x or 'none' end",
        ),
        ("a.example/error/index.lua", "error('oh no')"),
        ("a.example/broken/index.lua", "return +"),
        (
            "a.example/methods/index.lua",
            "return {get = function() return 'got' end}",
        ),
        ("a.example/lib/x.lua", "return 'secret'"),
        ("a.example/public/style.css", "b {}"),
        (
            "b.example/index.lua",
            "count = (count or 0) + 1 return 'top of b'",
        ),
    ]);
    assert_eq!(hosts.text("a.example", "/"), "top of a");
    // An escape that 5.4 refuses.
    assert_eq!(
        hosts.text("a.example", "/blog"),
        "blog of a.example Lua 5.1 &"
    );
    assert_eq!(
        hosts.text("A.Example:8080", "/blog/"),
        "blog of A.Example Lua 5.1 &".replace("A.Example", &hosts_name(&hosts))
    );
    assert_eq!(hosts.text("a.example", "/page"), "page");
    assert_eq!(hosts.text("b.example", "/"), "top of b");
    // What a request is, is the request's own: handlers are kept, requests are not.
    for x in ["1", "2", "3"] {
        assert_eq!(hosts.text("a.example", &format!("/api?x={x}")), x);
    }
    assert_eq!(hosts.text("a.example", "/api"), "none");
    assert_eq!(hosts.text("a.example", "/methods"), "got");
    for (target, status) in [
        ("/missing", 404),
        ("/error", 500),
        ("/broken", 500),
        ("/lib/x", 404),
        ("/init", 404),
        ("/index", 404),
        ("/../b.example", 404),
        ("/%2e%2e/b.example/index", 404),
        ("/..%2fb.example", 404),
        ("//index", 404),
    ] {
        let found = hosts.get("a.example", target);
        assert_eq!(found.status, status, "{target}: {}", found.text());
    }
    let style = hosts.get("a.example", "/style.css");
    assert_eq!((style.status, style.text().as_str()), (200, "b {}"));
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    let tag = style.header("etag").unwrap().to_owned();
    let headers = [("Host", "a.example"), ("If-None-Match", tag.as_str())];
    let again = http::request(hosts.address(), "GET", "/style.css", &headers, b"").unwrap();
    assert_eq!(again.status, 304);
    assert_eq!(hosts.get("c.example", "/").status, 404);
}

/// How the host is told to a script when it was sent as `A.Example:8080`.
fn hosts_name(hosts: &Hosts) -> String {
    let text = hosts.text("A.Example:8080", "/blog");
    text.split(' ').nth(2).unwrap().to_owned()
}

#[test]
fn hosts_that_are_no_names_lead_nowhere() {
    let hosts = Hosts::new(&[
        ("index.lua", "return 'outside'"),
        ("a/index.lua", "return 'inside'"),
        ("a/b/index.lua", "return 'deep'"),
    ]);
    assert_eq!(hosts.text("a", "/"), "inside");
    for host in [
        "..",
        ".",
        "a/b",
        "a%2fb",
        "[::1]",
        "a..b",
        "a\\b",
        "../hosts/a",
    ] {
        let found = hosts.get(host, "/");
        // To this machine the apps are listed at an address; there are none.
        let is_list = found.text() == "No app is served here.\n";
        assert!(
            is_list || matches!(found.status, 400 | 404),
            "{host}: {}",
            found.text()
        );
        assert!(!found.text().contains("side"), "{host}");
    }
}

#[test]
fn hosts_have_nothing_in_common() {
    let hosts = Hosts::new(&[
        (
            "a/index.lua",
            "shared = (shared or 0) + 1 cache.set('x', 'of a') return require('m').name",
        ),
        ("a/lib/m.lua", "return {name = 'm of a'}"),
        (
            "b/index.lua",
            "return require('m').name .. tostring(shared) .. tostring(cache.get('x'))",
        ),
        ("b/lib/m.lua", "return {name = 'm of b'}"),
        ("b/deep/index.lua", "return require('lib.sub.one')"),
        ("b/lib/sub/one.lua", "return 'one, ' .. require('two')"),
        ("b/lib/sub/two.lua", "return 'two'"),
        (
            "b/none/index.lua",
            "return select(2, pcall(require, 'none'))",
        ),
    ]);
    assert_eq!(hosts.text("a", "/"), "m of a");
    assert_eq!(hosts.text("b", "/"), "m of bnilnil");
    assert_eq!(hosts.text("b", "/deep"), "one, two");
    let none = hosts.text("b", "/none");
    assert!(none.contains("module 'none' not found"), "{none}");
}

#[test]
fn a_manifest_is_honoured_below_the_ceilings() {
    let hosts = Hosts::new(&[
        (
            "a/rille.toml",
            "lua = '5.4'\ndebug = true\n[limits]\ncpu = '50 ms'\n[[route]]\npath = '/u/:id'\ncontent = 'user.lua'\n",
        ),
        ("a/init.lua", "greeting = 'hello'"),
        (
            "a/user.lua",
            "return greeting .. ' ' .. request.params.id .. ' ' .. _VERSION",
        ),
        ("a/spin/index.lua", "while true do end"),
        (
            "a/eat/index.lua",
            "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end",
        ),
        ("bad/rille.toml", "colour = 1"),
        ("greedy/rille.toml", "[limits]\nmemory = '8 GiB'\n"),
        ("greedy/index.lua", "return 1"),
        ("bad/index.lua", "return 1"),
        ("tasks/rille.toml", "[[task]]\nname = 'x'\non = 'start'\n"),
        ("tasks/index.lua", "return 1"),
        ("init/init.lua", "error('not today')"),
        ("init/index.lua", "return 1"),
    ]);
    assert_eq!(hosts.text("a", "/u/7"), "hello 7 Lua 5.4");
    assert_eq!(hosts.get("a", "/spin").status, 503);
    let eaten = hosts.get("a", "/eat");
    assert!(matches!(eaten.status, 500 | 503), "{}", eaten.text());
    for (host, line) in [
        ("bad", "bad/rille.toml:1: unknown key 'colour'"),
        ("greedy", "greedy/rille.toml:2: "),
        ("tasks", "a host of a bucket has no tasks of its own"),
        ("init", "not today"),
    ] {
        let found = hosts.get(host, "/");
        assert_eq!(found.status, 503, "{host}: {}", found.text());
        assert!(
            hosts
                .server
                .wait_for_log(line, Duration::from_secs(5))
                .is_some(),
            "{line}"
        );
    }
    assert_eq!(hosts.text("a", "/u/8"), "hello 8 Lua 5.4");
}

#[test]
fn what_is_purged_is_asked_for_again() {
    let hosts = Hosts::new(&[
        ("a/index.lua", "return 'one'"),
        ("a/blog/index.lua", "return require('x')"),
        ("a/lib/x.lua", "return 'x one'"),
        ("b/purge/mine/index.lua", "return 'my own'"),
    ]);
    let now = || (hosts.text("a", "/"), hosts.text("a", "/blog"));
    let both = |top: &str, blog: &str| (top.to_owned(), blog.to_owned());
    assert_eq!(now(), both("one", "x one"));
    write(
        &hosts.s3,
        &[
            ("a/index.lua", "return 'two'"),
            ("a/lib/x.lua", "return 'x two'"),
        ],
    );
    assert_eq!(now(), both("one", "x one"));
    for token in [None, Some("wrong"), Some(""), Some("t0ken-of-the-operatos")] {
        let refused = hosts.purge("a", "/__purge/", token);
        assert_eq!(refused.status, 401, "{token:?}");
    }
    assert_eq!(now(), both("one", "x one"));
    assert_eq!(
        hosts.purge("a", "/__purge/?type=file", Some(TOKEN)).status,
        200
    );
    assert_eq!(
        hosts.purge("a", "/purge/index.lua", Some(TOKEN)).status,
        200
    );
    assert_eq!(now(), both("two", "x one"));
    assert_eq!(
        hosts
            .purge("a", "/purgecache/lib?type=folder", Some(TOKEN))
            .status,
        200
    );
    assert_eq!(now(), both("two", "x two"));
    // A new file beside one that answered, and one that was missing.
    assert_eq!(hosts.get("a", "/new").status, 404);
    write(&hosts.s3, &[("a/new/index.lua", "return 'new'")]);
    assert_eq!(hosts.get("a", "/new").status, 404);
    assert_eq!(hosts.purge("a", "/__purge/new", Some(TOKEN)).status, 200);
    assert_eq!(hosts.text("a", "/new"), "new");
    // What is gone is gone.
    fs::remove_file(hosts.s3.bucket("code").join("hosts/a/index.lua")).unwrap();
    assert_eq!(hosts.text("a", "/"), "two");
    assert_eq!(
        hosts
            .purge("a", "/__purge/?type=folder", Some(TOKEN))
            .status,
        200
    );
    assert_eq!(hosts.get("a", "/").status, 404);
    assert_eq!(hosts.text("a", "/blog"), "x two");
    assert_eq!(
        hosts.purge("a", "/__purge/?type=all", Some(TOKEN)).status,
        400
    );
    assert_eq!(hosts.purge("a", "/__purge/../b", Some(TOKEN)).status, 400);
    // These spellings belong to the app unless the token is there.
    assert_eq!(hosts.purge("b", "/purge/mine", None).text(), "my own");
    assert_eq!(
        hosts.purge("b", "/purge/mine", Some("wrong")).text(),
        "my own"
    );
}

#[test]
fn a_parameter_asks_the_source_where_it_may() {
    let files = [
        ("a/index.lua", "return 'one ' .. require('x')"),
        ("a/lib/x.lua", "return 'x one'"),
        ("d/rille.toml", "debug = true"),
        ("d/index.lua", "return 'one'"),
    ];
    let change = |hosts: &Hosts| {
        assert_eq!(hosts.text("a", "/"), "one x one");
        assert_eq!(hosts.text("d", "/"), "one");
        write(
            &hosts.s3,
            &[
                ("a/lib/x.lua", "return 'x two'"),
                ("d/index.lua", "return 'two'"),
            ],
        );
    };
    let hosts = Hosts::new(&files);
    change(&hosts);
    assert_eq!(hosts.text("a", "/?$cb=1"), "one x one");
    assert_eq!(hosts.text("d", "/?$cb=1"), "two");
    assert_eq!(hosts.text("d", "/"), "two");
    let hosts = Hosts::with(&files, &["--cb"]);
    change(&hosts);
    assert_eq!(hosts.text("a", "/?y=1&%24cb"), "one x two");
    assert_eq!(hosts.text("a", "/"), "one x two");
    assert_eq!(hosts.get("a", "/new?$cb").status, 404);
    write(&hosts.s3, &[("a/new.lua", "return 'new'")]);
    assert_eq!(hosts.text("a", "/new?$cb"), "new");
}

#[test]
fn a_restart_without_the_network_serves_what_there_was() {
    let state = TempDir::new().unwrap();
    let s3 = S3::start(None);
    let files = [
        (
            "a/index.lua",
            "return 'kept ' .. require('x') .. require('y')",
        ),
        ("a/lib/x.lua", "return 'x'"),
        ("a/y.lua", "return 'y'"),
        ("m/rille.toml", "lua = '5.4'"),
        ("m/index.lua", "return _VERSION"),
        ("m/page.lua", "return 'page'"),
    ];
    write(&s3, &files);
    let pages = [
        ("a", "/", "kept xy"),
        ("m", "/", "Lua 5.4"),
        ("m", "/page", "page"),
    ];
    let options = ["--state", state.path().to_str().unwrap()];
    let check = |server: &Server| {
        for (host, target, text) in pages {
            let found = get_host(server.address(), host, target);
            assert_eq!((found.status, found.text().as_str()), (200, text));
        }
    };
    let server = start(&format!("http://{}", s3.address), &options);
    check(&server);
    // Six files, and what is known to be missing: rille.toml, init.lua twice, lib/y.lua, lib/y/init.lua, page/index.lua.
    let mirror = fs::read_dir(state.path().join("mirror"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    eventually(|| fs::read_dir(mirror.path()).unwrap().count() == 12);
    drop(server);
    let server = start("http://127.0.0.1:9", &options);
    check(&server);
    assert_eq!(get_host(server.address(), "b", "/").status, 502);
    assert_eq!(get_host(server.address(), "a", "/other").status, 502);
}

/// A source whose next answer can be set.
struct Source {
    fake: Fake,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Good,
    Status(u16),
    Truncated,
    Stall,
}

fn source() -> Source {
    let answer = Arc::new(Mutex::new(Answer::Good));
    let said = answer.clone();
    let fake = Fake::start(move |request| {
        let is_code =
            request.path().ends_with("/a/index.lua") || request.path().ends_with("/b/index.lua");
        let answer = *said.lock().unwrap();
        match answer {
            Answer::Status(status) => response(status, &[], b""),
            Answer::Truncated => {
                let mut bytes = head(200, &[], 100);
                bytes.extend_from_slice(b"return 'half");
                Reply::Bytes(bytes)
            }
            Answer::Stall => Reply::Stall(head(200, &[], 100)),
            Answer::Good if is_code => response(200, &[("ETag", "\"1\"")], b"return 'good'"),
            Answer::Good => response(404, &[], b""),
        }
    });
    Source { fake, answer }
}

#[test]
fn a_source_that_fails_is_told_and_the_last_good_code_kept() {
    let source = source();
    let state = TempDir::new().unwrap();
    let options = ["--cb", "--state", state.path().to_str().unwrap()];
    let server = start(&source.fake.url(), &options);
    let get = |host: &str, target: &str| get_host(server.address(), host, target);
    assert_eq!(get("a", "/").text(), "good");
    for (at, (answer, status)) in [
        (Answer::Status(403), 403),
        (Answer::Status(404), 404),
        (Answer::Status(500), 502),
        (Answer::Status(503), 502),
        (Answer::Truncated, 502),
    ]
    .into_iter()
    .enumerate()
    {
        *source.answer.lock().unwrap() = answer;
        let found = get(&format!("cold{at}"), "/");
        assert_eq!(found.status, status, "{at}: {}", found.text());
        // It is remembered: nobody asks again at once.
        source.fake.requests();
        assert_eq!(get(&format!("cold{at}"), "/").status, status);
        assert_eq!(source.fake.requests().len(), 0, "{at}");
        // What was good goes on.
        assert_eq!(get("a", "/").text(), "good", "{at}");
    }
    *source.answer.lock().unwrap() = Answer::Status(500);
    assert_eq!(get("a", "/?$cb").status, 502);
    assert_eq!(get("a", "/").text(), "good");
    assert!(
        server
            .wait_for_log("cold2: ", Duration::from_secs(5))
            .is_some()
    );
}

#[test]
fn a_slow_source_keeps_nobody_else_waiting() {
    let source = source();
    let server = start(&source.fake.url(), &[]);
    let address = server.address();
    assert_eq!(get_host(address, "a", "/").text(), "good");
    *source.answer.lock().unwrap() = Answer::Stall;
    let refused = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..100)
        .map(|at| {
            let refused = refused.clone();
            std::thread::spawn(move || {
                // Those that wait are not waited for.
                let mut connection = std::net::TcpStream::connect(address).unwrap();
                let request = format!("GET / HTTP/1.1\r\nHost: random{at}.example\r\n\r\n");
                std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
                connection
                    .set_read_timeout(Some(Duration::from_secs(3)))
                    .unwrap();
                let mut text = [0; 64];
                let read = std::io::Read::read(&mut connection, &mut text).unwrap_or(0);
                if text[..read].starts_with(b"HTTP/1.1 503") {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    assert_eq!(get_host(address, "a", "/").text(), "good");
    assert!(start.elapsed() < Duration::from_millis(500));
    // A host that is there gets its code all the same.
    *source.answer.lock().unwrap() = Answer::Good;
    assert_eq!(get_host(address, "a", "/missing").status, 404);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let refused = refused.load(Ordering::Relaxed);
    assert!((20..=60).contains(&refused), "{refused} were turned away");
}

#[test]
fn hosts_make_room_for_one_another() {
    let files: Vec<(String, String)> = (0..6)
        .map(|at| {
            let code = "seen = (seen or 0) + 1 package.loaded.n = (package.loaded.n or 0) + 1 return tostring(package.loaded.n)";
            (format!("h{at}/index.lua"), code.to_owned())
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, code)| (path.as_str(), code.as_str()))
        .collect();
    let hosts = Hosts::with(&files, &["--tenants", "3"]);
    let get = |at: usize| hosts.text(&format!("h{at}"), "/");
    assert_eq!(
        (get(0), get(0), get(1), get(2)),
        ("1".into(), "2".into(), "1".into(), "1".into())
    );
    // The first was used longest ago.
    assert_eq!(
        (get(3), get(1), get(0), get(1)),
        ("1".into(), "2".into(), "1".into(), "3".into())
    );
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = rille(args);
        command
            .envs(variables.iter().copied())
            .env_remove("AWS_S3_CODE_PATH");
        if let Some(path) = variables
            .iter()
            .find(|(name, _)| *name == "AWS_S3_CODE_PATH")
        {
            command.env(path.0, path.1);
        }
        let ended =
            rille_testkit::process::run(&mut command, b"", Duration::from_secs(20)).unwrap();
        (ended.exit, ended.stderr_text())
    };
    let (code, text) = run(&["serve"], &[]);
    assert_eq!(code, Exit::Code(2));
    assert!(text.contains("nothing to serve"), "{text}");
    let (code, text) = run(&["serve"], &[("AWS_S3_CODE_PATH", "Not A Bucket")]);
    assert_eq!(code, Exit::Code(2));
    assert!(text.contains("AWS_S3_CODE_PATH"), "{text}");
    let (code, _) = run(&["serve", "s3://aaa", "s3://bbb"], &[]);
    assert_eq!(code, Exit::Code(2));
    let (code, text) = run(&["serve", "s3://aaa"], &[("AWS_ACCESS_KEY_ID", "x")]);
    assert_eq!(code, Exit::Code(1));
    assert!(text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    let (code, text) = run(
        &["serve", "s3://aaa", "--listen", "127.0.0.1:0"],
        &[("SNGIN_CODECACHE_SIZE", "many")],
    );
    assert_eq!(code, Exit::Code(1));
    assert!(text.contains("SNGIN_CODECACHE_SIZE"), "{text}");
}

#[test]
fn the_names_of_lua_sngin_do() {
    let s3 = S3::start(None);
    write(&s3, &[("a/index.lua", "return 'by its path'")]);
    let folder = TempDir::new().unwrap();
    let mut command = rille(&["serve", "--listen", "127.0.0.1:0", "--workers", "2"]);
    command
        .env("AWS_S3_CODE_PATH", "code/hosts")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SNGIN_CODECACHE_SIZE", "100")
        .env("SNGIN_APP_PATH", folder.path())
        .env("AWS_ENDPOINT_URL", format!("http://{}", s3.address))
        .env("AWS_ACCESS_KEY_ID", s3::KEY)
        .env("AWS_SECRET_ACCESS_KEY", s3::SECRET);
    let server = Server::start(&mut command).unwrap();
    for _ in 0..8 {
        assert_eq!(get_host(server.address(), "a", "/").text(), "by its path");
    }
    let mirrored = |folder: &Path| fs::read_dir(folder.join("mirror")).unwrap().count();
    assert_eq!(mirrored(folder.path()), 1);
    // Without a token nobody may purge.
    let headers = [("Host", "a"), ("Authorization", "Bearer ")];
    let refused = http::request(server.address(), "POST", "/__purge/", &headers, b"").unwrap();
    assert_eq!(refused.status, 403);
}
