//! `require "github.com/OWNER/REPO/blob/REF/FILE.lua"` in an app of a folder, against a stand-in for the forge's archives.

mod serve_support;
#[path = "../../store/tests/support/mod.rs"]
mod support;

use rille_testkit::http;
use rille_testkit::server::Server;
use serve_support::{folder, rille};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::server::{Reply, Request, Server as Fake, response};
use support::{Repository, git};

/// The archive of the newest commit.
fn archive(repository: &Repository) -> Vec<u8> {
    let output = Command::new("git")
        .args([
            "archive",
            "--format=tar.gz",
            "--prefix=o-r-1234567/",
            "HEAD",
        ])
        .current_dir(repository.work())
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

struct Forge {
    repository: Repository,
    fake: Fake,
    is_down: Arc<Mutex<bool>>,
}

impl Forge {
    fn with(files: &[(&str, &str)]) -> Forge {
        let repository = Repository::new(files);
        let (bytes, is_down) = (archive(&repository), Arc::<Mutex<bool>>::default());
        let down = is_down.clone();
        let fake = Fake::start(move |request: &Request| -> Reply {
            assert_eq!(
                request.header("authorization"),
                None,
                "the token is nobody's but the operator's"
            );
            match request.path() {
                _ if *down.lock().unwrap() => response(500, &[], b""),
                "/repos/o/r/tarball/main" => response(200, &[("ETag", "\"1\"")], &bytes),
                _ => response(404, &[], b""),
            }
        });
        Forge {
            repository,
            fake,
            is_down,
        }
    }

    fn serve(&self, app: &std::path::Path) -> Server {
        let mut command = rille(&[
            "serve",
            app.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "2",
        ]);
        command
            .env("GITHUB_API_URL", self.fake.url())
            .env("GITHUB_TOKEN", "the-operators-token");
        Server::start(&mut command).unwrap()
    }
}

const REPOSITORY: &[(&str, &str)] = &[
    (
        "greet.lua",
        "local words = require('words') return {hello = function(n) return words.hello .. ' ' .. n end}",
    ),
    ("words.lua", "return {hello = 'hello'}"),
    (
        "deep/a.lua",
        "return 'a, ' .. require('b') .. ', ' .. require('sub.c')",
    ),
    ("deep/b.lua", "return 'b'"),
    (
        "deep/sub/c.lua",
        "return 'c, ' .. require('d') .. ', ' .. require('words').hello",
    ),
    ("deep/sub/d.lua", "return 'd'"),
    ("pkg/init.lua", "return 'pkg'"),
    ("bad.lua", "return +"),
    ("fails.lua", "error('as it should')"),
    ("own.lua", "return (require('lib.of_app'))"),
    ("counted.lua", "loads = (loads or 0) + 1 return loads"),
];

#[test]
fn modules_of_a_repository() {
    let forge = Forge::with(REPOSITORY);
    let app = folder(&[
        ("rille.toml", "debug = true"),
        (
            "index.lua",
            "local g, path = require('github.com/o/r/blob/main/greet.lua') return g.hello('you') .. ' ' .. path",
        ),
        (
            "short.lua",
            "return require('github.com/o/r/blob/main/greet').hello('you')",
        ),
        (
            "deep.lua",
            "return (require 'github.com/o/r/blob/main/deep/a.lua')",
        ),
        ("pkg.lua", "return (require 'github.com/o/r/blob/main/pkg')"),
        (
            "own.lua",
            "return (require 'github.com/o/r/blob/main/own.lua')",
        ),
        ("lib/of_app.lua", "return 'of the app'"),
        (
            "counted.lua",
            "return tostring(require 'github.com/o/r/blob/main/counted.lua')",
        ),
        (
            "handler.lua",
            "local g = require('github.com/o/r/blob/main/greet.lua') return function(r) return g.hello(r.query.n) end",
        ),
        (
            "try.lua",
            "return tostring(select(2, pcall(require, request.query.m)))",
        ),
    ]);
    let server = forge.serve(app.path());
    let get = |target: &str| http::get(server.address(), target).unwrap();
    assert_eq!(
        get("/").text(),
        "hello you github.com/o/r/blob/main/greet.lua"
    );
    assert_eq!(get("/short").text(), "hello you");
    assert_eq!(get("/deep").text(), "a, b, c, d, hello", "{}", server.log());
    assert_eq!(get("/pkg").text(), "pkg");
    assert_eq!(get("/own").text(), "of the app");
    assert_eq!(get("/handler?n=x").text(), "hello x");
    assert_eq!(get("/handler?n=y").text(), "hello y");
    for _ in 0..4 {
        assert_eq!(get("/counted").text(), "1");
    }
    // One archive for all of it, for both workers.
    assert_eq!(forge.fake.requests().len(), 1);
    for (module, expected) in [
        (
            "github.com/o/r/blob/main/none.lua",
            "no file 'github.com/o/r/blob/main/none.lua'",
        ),
        (
            "github.com/o/r/blob/main/bad.lua",
            "error loading module 'github.com/o/r/blob/main/bad.lua'",
        ),
        (
            "github.com/o/r/blob/main/fails.lua",
            "github.com/o/r/blob/main/fails.lua:1: as it should",
        ),
        (
            "github.com/o/r",
            "is github.com/OWNER/REPO/blob/REF/FILE.lua",
        ),
        (
            "github.com/o/r/tree/main/x.lua",
            "is github.com/OWNER/REPO/blob/REF/FILE.lua",
        ),
        ("github.com/o/r/blob/main/../x.lua", "may not contain '..'"),
        (
            "github.com/o/r/blob/-x/y.lua",
            "is not the name of a branch",
        ),
        (
            "github.com/o/private/blob/main/x.lua",
            "github.com/o/private",
        ),
    ] {
        let found = get(&format!("/try?m={module}")).text();
        assert!(found.contains(expected), "{module}: {found}");
    }
    assert!(git(&forge.repository.work(), &["status", "--short"]).is_empty());
}

#[test]
fn a_forge_that_is_down_is_told_and_asked_again() {
    let forge = Forge::with(REPOSITORY);
    *forge.is_down.lock().unwrap() = true;
    let app = folder(&[(
        "index.lua",
        "return require('github.com/o/r/blob/main/greet.lua').hello('you')",
    )]);
    let server = forge.serve(app.path());
    let get = || http::get(server.address(), "/").unwrap();
    assert_eq!(get().status, 500);
    let line = "module 'github.com/o/r/blob/main/greet.lua' could not be fetched: ";
    assert!(server.wait_for_log(line, Duration::from_secs(5)).is_some());
    *forge.is_down.lock().unwrap() = false;
    // Not at once: a script does not ask in a loop.
    forge.fake.requests();
    assert_eq!(get().status, 500);
    assert_eq!(forge.fake.requests().len(), 0);
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(get().text(), "hello you");
    *forge.is_down.lock().unwrap() = true;
    assert_eq!(get().text(), "hello you");
}

#[test]
fn an_app_takes_modules_of_so_many_repositories() {
    let forge = Forge::with(REPOSITORY);
    let code = "
for i = 1, 40 do
  local good, why = pcall(require, 'github.com/o/x' .. i .. '/blob/main/x.lua')
end
local good, why = pcall(require, 'github.com/o/r/blob/main/words.lua')
return tostring(good)";
    let app = folder(&[("index.lua", code)]);
    let server = forge.serve(app.path());
    // Those that are not there take no room.
    assert_eq!(http::get(server.address(), "/").unwrap().text(), "true");
}
