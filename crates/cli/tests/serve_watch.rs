//! `rille serve --watch`, and SIGHUP: what serves is like the folders.

mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::{eventually, folder, get_host, rille, serve_with};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn watch(dir: &TempDir) -> Server {
    serve_with(dir.path(), &["--workers", "2", "--watch"])
}

fn get(server: &Server) -> String {
    http::get(server.address(), "/").unwrap().text()
}

/// How many log lines contain `text`.
fn count(server: &Server, text: &str) -> usize {
    let log = server.log();
    log.lines().filter(|line| line.contains(text)).count()
}

fn log_line(server: &Server, text: &str) -> String {
    let found = server.wait_for_log(text, Duration::from_secs(10));
    found.unwrap_or_else(|| panic!("no line with {text:?} in the log:\n{}", server.log()))
}

fn hang_up(server: &Server) {
    let id = server.id().to_string();
    let told = Command::new("kill").args(["-HUP", &id]).status().unwrap();
    assert!(told.success());
}

#[test]
fn a_change_serves_in_well_under_a_second() {
    let dir = folder(&[("rille.toml", "name = 'a'\n"), ("index.lua", "return 'v0'")]);
    let server = watch(&dir);
    assert_eq!(get(&server), "v0");
    let mut slowest = Duration::ZERO;
    for number in 1..=5 {
        let text = format!("return 'v{number}'");
        let start = Instant::now();
        match number % 2 {
            0 => drop(dir.write("index.lua", &text).unwrap()),
            // As editors save.
            _ => {
                dir.write(".index.lua.new", &text).unwrap();
                let at = |name: &str| dir.path().join(name);
                fs::rename(at(".index.lua.new"), at("index.lua")).unwrap();
            }
        }
        eventually(|| get(&server) == format!("v{number}"));
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_millis(950), "{slowest:?}");
    assert_eq!(count(&server, "serves"), 5, "{}", server.log());
    // A folder that is no part of the code.
    dir.write("public/a.txt", "static").unwrap();
    dir.write("notes.txt", "x").unwrap();
    log_line(&server, "version 7 serves"); // `public` came
    std::thread::sleep(Duration::from_millis(500));
    dir.write("public/b.txt", "static").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count(&server, "serves"), 6, "{}", server.log());
}

#[test]
fn what_is_wrong_is_in_the_log_and_the_old_version_goes_on() {
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n"),
        ("index.lua", "return 'good'"),
    ]);
    let server = watch(&dir);
    for (file, text, why) in [
        (
            "index.lua",
            "return (",
            "index.lua:1: unexpected symbol near <eof>",
        ),
        ("rille.toml", "nme = 'a'", "rille.toml:1: unknown key 'nme'"),
        (
            "init.lua",
            "error('no database', 0)",
            "init.lua: no database",
        ),
        (
            "health.lua",
            "return false, 'not now'",
            "health.lua: not now",
        ),
    ] {
        let before = fs::read(dir.path().join(file)).ok();
        let lines = count(&server, "app 'a' stays as it was");
        dir.write(file, text).unwrap();
        log_line(&server, why);
        eventually(|| count(&server, "app 'a' stays as it was") == lines + 1);
        assert_eq!(get(&server), "good");
        // It is not tried again and again.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(count(&server, why), 1, "{}", server.log());
        let served = count(&server, "serves");
        match before {
            Some(before) => fs::write(dir.path().join(file), before).unwrap(),
            None => fs::remove_file(dir.path().join(file)).unwrap(),
        }
        eventually(|| count(&server, "serves") == served + 1);
    }
    assert_eq!(get(&server), "good");
}

#[test]
fn a_burst_is_one_reload_and_a_copy_is_complete() {
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n"),
        ("index.lua", "return (require('m0'))"),
    ]);
    dir.write("lib/m0.lua", "return '0'").unwrap();
    let server = watch(&dir);
    // Some 40 files, one after the other, for longer than two scans.
    for number in (1..=40).rev() {
        let next = format!("return (require('m{}'))", number + 1);
        let text = if number == 40 {
            "return 'last'".to_owned()
        } else {
            next
        };
        dir.write(&format!("lib/m{number}.lua"), &text).unwrap();
        std::thread::sleep(Duration::from_millis(15));
    }
    dir.write("lib/m0.lua", "return (require('m1'))").unwrap();
    eventually(|| get(&server) == "last");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count(&server, "serves"), 1, "{}", server.log());
}

#[test]
fn apps_of_a_folder_come_and_go() {
    let dir = folder(&[
        ("one/index.lua", "return 'one'"),
        ("two/index.lua", "return 'two'"),
    ]);
    let server = watch(&dir);
    let ask = |name: &str| get_host(server.address(), &format!("{name}.localhost"), "/");
    assert_eq!(
        (ask("one").text(), ask("two").text()),
        ("one".into(), "two".into())
    );
    dir.write("three/index.lua", "return 'three'").unwrap();
    eventually(|| ask("three").status == 200);
    // A folder that is there again at once has not gone.
    fs::remove_dir_all(dir.path().join("two")).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(ask("two").text(), "two");
    dir.write("two/index.lua", "return 'again'").unwrap();
    eventually(|| ask("two").text() == "again");
    assert_eq!(count(&server, "is gone"), 0);
    fs::remove_dir_all(dir.path().join("two")).unwrap();
    eventually(|| ask("two").status == 404);
    log_line(&server, "app 'two' is gone with");
    // Two that want one name: the first has it, until it goes.
    dir.write("four/rille.toml", "name = 'one'").unwrap();
    dir.write("four/index.lua", "return 'four'").unwrap();
    log_line(&server, "an app of the name 'one' is served already");
    assert_eq!(ask("one").text(), "one");
    fs::remove_dir_all(dir.path().join("one")).unwrap();
    eventually(|| ask("one").text() == "four");
    // The folder of all of them is away: they go on.
    let away = dir.path().with_extension("away");
    fs::rename(dir.path(), &away).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(ask("three").text(), "three");
    fs::rename(&away, dir.path()).unwrap();
}

#[test]
fn a_broken_app_is_waited_for() {
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n"),
        ("init.lua", "x ="),
        ("index.lua", "return 'good'"),
    ]);
    let server = watch(&dir);
    assert_eq!(http::get(server.address(), "/").unwrap().status, 503);
    dir.write("init.lua", "x = 1").unwrap();
    eventually(|| get(&server) == "good");
}

#[test]
fn a_link_that_is_turned_is_a_change() {
    let dir = folder(&[
        ("1/index.lua", "return 'one'"),
        ("2/index.lua", "return 'two'"),
    ]);
    let link = |to: &str| {
        std::os::unix::fs::symlink(dir.path().join(to), dir.path().join("new")).unwrap();
        fs::rename(dir.path().join("new"), dir.path().join("current")).unwrap();
    };
    link("1");
    let path = dir.path().join("current");
    let server = serve_with(&path, &["--watch"]);
    assert_eq!(get(&server), "one");
    link("2");
    eventually(|| get(&server) == "two");
}

#[test]
fn a_signal_loads_all_again() {
    let dir = folder(&[
        ("one/index.lua", "return 'one'"),
        ("two/index.lua", "return 'two'"),
    ]);
    let server = serve_with(dir.path(), &["--workers", "2"]);
    let ask = |name: &str| get_host(server.address(), &format!("{name}.localhost"), "/");
    dir.write("one/index.lua", "return 'other'").unwrap();
    dir.write("three/index.lua", "return 'three'").unwrap();
    fs::remove_dir_all(dir.path().join("two")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ask("one").text(), "one", "nobody watches");
    hang_up(&server);
    eventually(|| ask("three").status == 200);
    assert_eq!(ask("one").text(), "other");
    assert_eq!(ask("two").status, 404);
    // Also what has not changed.
    hang_up(&server);
    log_line(&server, "app 'one': version 3 serves");
    assert_eq!(ask("one").text(), "other");
}

#[test]
fn no_request_fails_while_versions_come() {
    let dir = folder(&[("rille.toml", "name = 'a'\n"), ("index.lua", "return 'v0'")]);
    let server = watch(&dir);
    let is_over = Arc::new(AtomicBool::new(false));
    let client = |address: SocketAddr, keeps: bool| {
        let is_over = is_over.clone();
        std::thread::spawn(move || {
            let mut connection = Connection::open(address).unwrap();
            let mut last = 0;
            while !is_over.load(Ordering::SeqCst) {
                if !keeps {
                    connection = Connection::open(address).unwrap();
                }
                connection
                    .send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    .unwrap();
                let response = connection.receive().unwrap();
                assert_eq!(response.status, 200, "{}", response.text());
                let number: usize = response.text()[1..].parse().unwrap();
                assert!(number >= last || !keeps, "{number} after {last}");
                last = number;
            }
        })
    };
    let clients = [true, false].map(|keeps| client(server.address(), keeps));
    for number in 1..=20 {
        dir.write("index.lua", format!("return 'v{number}'"))
            .unwrap();
        eventually(|| get(&server) == format!("v{number}"));
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    server.terminate().unwrap();
}

#[test]
fn nothing_is_served_from_a_path_that_is_not_there() {
    let mut command = rille(&[
        "serve",
        "/no/such/folder",
        "--watch",
        "--listen",
        "127.0.0.1:0",
    ]);
    let status = command.output().unwrap();
    assert_eq!(status.status.code(), Some(1));
}
