//! Apps are replaced, added and removed while the server runs: in this process, so that versions can be counted.

mod serve_support;

use rille_testkit::http::{self, Connection};
use serve_support::here::{Host, load, refused};
use serve_support::{eventually, folder, get_host, websocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MANIFEST: &str = "name = 'a'\n";

#[test]
fn a_version_takes_the_place_of_another() {
    let dir = folder(&[("rille.toml", MANIFEST), ("index.lua", "return 'one'")]);
    let host = Host::of(2, &dir);
    let mut connection = Connection::open(host.address()).unwrap();
    let mut ask = move || {
        let request = b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n";
        connection.send(request).unwrap();
        connection.receive().unwrap().text()
    };
    assert_eq!(ask(), "one");
    dir.write("index.lua", "return 'two'").unwrap();
    dir.write("more.lua", "return 'more'").unwrap();
    let version = host.deploy(&dir).unwrap();
    assert_eq!((version.app.as_str(), version.number), ("a", 2));
    // A connection that was there before, and others on both workers.
    assert_eq!(ask(), "two");
    for _ in 0..20 {
        assert_eq!(host.get("/"), "two");
        assert_eq!(host.get("/more"), "more");
    }
    let listed = host.deployer().list();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].version, version);
    assert!(listed[0].is_good);
}

#[test]
fn a_request_ends_on_the_version_it_began_with() {
    let slow = "return function() ngx.sleep(0.3) return (require('v')) end";
    let streamed = "return function() ngx.say('begin') ngx.flush(true) ngx.sleep(0.3) ngx.say((require('v'))) end";
    let dir = folder(&[
        ("rille.toml", MANIFEST),
        ("lib/v.lua", "return 'one'"),
        ("slow.lua", slow),
        ("streamed.lua", streamed),
        ("index.lua", "return (require('v'))"),
    ]);
    let host = Host::of(1, &dir);
    let address = host.address();
    let get = |target: &'static str| {
        std::thread::spawn(move || http::get(address, target).unwrap().text())
    };
    let (one, two) = (get("/slow"), get("/streamed"));
    std::thread::sleep(Duration::from_millis(100));
    dir.write("lib/v.lua", "return 'two'").unwrap();
    host.deploy(&dir).unwrap();
    assert_eq!(host.get("/"), "two");
    assert_eq!(one.join().unwrap(), "one");
    assert_eq!(two.join().unwrap(), "begin\none\n");
}

#[test]
fn a_version_that_is_not_good_is_refused() {
    let dir = folder(&[("rille.toml", MANIFEST), ("index.lua", "return 'one'")]);
    let host = Host::of(2, &dir);
    for (file, text, why) in [
        (
            "index.lua",
            "return (",
            "index.lua:1: unexpected symbol near <eof>",
        ),
        (
            "init.lua",
            "error('no database', 0)",
            "init.lua: no database",
        ),
        (
            "init.lua",
            "if ngx.worker.id() == 1 then error('not here') end",
            "init.lua:1: not here",
        ),
        ("health.lua", "return false", "health.lua: it says false"),
        (
            "health.lua",
            "return false, 'too cold'",
            "health.lua: too cold",
        ),
        (
            "health.lua",
            "local x = nil + 1",
            "health.lua:1: attempt to perform arithmetic on a nil value",
        ),
        (
            "health.lua",
            "return function() end",
            "health.lua: it returned a function: it returns true, or false and a reason",
        ),
    ] {
        dir.write(file, text).unwrap();
        let said = refused(host.deploy(&dir));
        assert!(said.ends_with(why), "{said:?} for {text}");
        assert_eq!(host.get("/"), "one");
        std::fs::remove_file(dir.path().join(file)).unwrap();
        dir.write("index.lua", "return 'one'").unwrap();
    }
    assert_eq!(host.deployer().list()[0].version.number, 1);
    dir.write("health.lua", "return true").unwrap();
    assert_eq!(host.deploy(&dir).unwrap().number, 2);
    assert_eq!(http::get(host.address(), "/health").unwrap().status, 404);
}

#[test]
fn a_health_check_that_hangs_is_refused_in_time() {
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n[deploy]\nhealth = '200 ms'\n"),
        ("index.lua", "return 'one'"),
    ]);
    let host = Host::of(2, &dir);
    for health in ["ngx.sleep(100)", "while true do end"] {
        dir.write("health.lua", health).unwrap();
        let start = Instant::now();
        let said = refused(host.deploy(&dir));
        assert!(
            said.contains("stopped: wall limit of 200 ms reached"),
            "{said}"
        );
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(host.get("/"), "one");
    }
}

#[test]
fn what_scripts_keep_outside_of_their_vms_is_inherited() {
    let dir = folder(&[
        (
            "rille.toml",
            "name = 'a'\n[shared_dicts]\nsame = '1 MiB'\nother = '1 MiB'\n",
        ),
        (
            "index.lua",
            "return function() local d = ngx.shared return (kv.get('k') or '-') .. (cache.get('k') or '-') .. (d.same:get('k') or '-') .. (d.other:get('k') or '-') end",
        ),
        (
            "set.lua",
            "return function() kv.set('k', 'a') cache.set('k', 'm') ngx.shared.same:set('k', 'b') ngx.shared.other:set('k', 'c') return 'set' end",
        ),
        (
            "fill.lua",
            "return function(request) return tostring(kv.set(request.query.key, ('x'):rep(1000))) end",
        ),
    ]);
    let host = Host::of(2, &dir);
    assert_eq!(host.get("/set"), "set");
    host.deploy(&dir).unwrap();
    assert_eq!(host.get("/"), "ambc");
    let smaller =
        "name = 'a'\n[limits]\nkv = '1 KiB'\n[shared_dicts]\nsame = '1 MiB'\nother = '2 MiB'\n";
    // A version that is refused changes nothing.
    dir.write("rille.toml", smaller).unwrap();
    dir.write("health.lua", "return false").unwrap();
    refused(host.deploy(&dir));
    assert_eq!(host.get("/"), "ambc");
    assert_eq!(host.get("/fill?key=f"), "true");
    dir.write("health.lua", "return true").unwrap();
    host.deploy(&dir).unwrap();
    assert_eq!(host.get("/"), "amb-");
    assert!(host.has_line("ngx.shared.other has another size than before: it begins empty"));
    assert_eq!(host.get("/fill?key=g"), "nil", "its new limit holds");
}

#[test]
fn apps_come_and_go_and_hosts_belong_to_one() {
    let a = folder(&[
        ("rille.toml", "name = 'a'\nhosts = ['x.example']\n"),
        ("index.lua", "return 'a'"),
    ]);
    let b = folder(&[
        ("rille.toml", "name = 'b'\nhosts = ['x.example']\n"),
        ("index.lua", "return 'b'"),
    ]);
    let host = Host::of(2, &a);
    let said = refused(host.deploy(&b));
    assert!(
        said.contains("apps 'a' and 'b' both answer the host x.example"),
        "{said}"
    );
    assert_eq!(host.get("/"), "a");
    b.write("rille.toml", "name = 'b'\n").unwrap();
    assert_eq!(host.deploy(&b).unwrap().number, 1);
    let get = |name: &str| get_host(host.address(), name, "/").text();
    assert_eq!(
        (get("x.example"), get("b.localhost")),
        ("a".into(), "b".into())
    );
    // A host moves when nobody has it any more.
    a.write("rille.toml", "name = 'a'\n").unwrap();
    host.deploy(&a).unwrap();
    b.write("rille.toml", "name = 'b'\nhosts = ['x.example']\n")
        .unwrap();
    host.deploy(&b).unwrap();
    assert_eq!(
        (get("x.example"), get("a.localhost")),
        ("b".into(), "a".into())
    );
    // A name is one app's, and an app may get another name.
    let said = refused(host.deployer().replace("b", load(a.path())));
    assert!(
        said.contains("an app of the name 'a' is served already"),
        "{said}"
    );
    b.write("rille.toml", "name = 'c'\n").unwrap();
    let version = host.deployer().replace("b", load(b.path())).unwrap();
    assert_eq!((version.app.as_str(), version.number), ("c", 3));
    assert_eq!(get("c.localhost"), "b");
    assert_eq!(get_host(host.address(), "b.localhost", "/").status, 404);
    host.deployer().remove("c").unwrap();
    assert!(host.deployer().remove("c").is_err());
    assert_eq!(
        get("anything.example"),
        "a",
        "the only app answers every host"
    );
    host.deployer().remove("a").unwrap();
    assert_eq!(get_host(host.address(), "a.localhost", "/").status, 404);
    assert_eq!(host.deploy(&a).unwrap().number, 1);
    assert_eq!(get("a.localhost"), "a");
}

#[test]
fn a_broken_app_is_put_right() {
    let dir = folder(&[("rille.toml", MANIFEST), ("index.lua", "return 'one'")]);
    for (file, broken, right) in [
        ("rille.toml", "name = 'a'\nx = 1\n", MANIFEST),
        ("init.lua", "error('x')", ""),
    ] {
        dir.write(file, broken).unwrap();
        let host = Host::of(2, &dir);
        assert_eq!(http::get(host.address(), "/").unwrap().status, 503);
        assert!(!host.deployer().list()[0].is_good);
        dir.write(file, right).unwrap();
        host.deploy(&dir).unwrap();
        assert_eq!(host.get("/"), "one");
        assert!(host.deployer().list()[0].is_good);
    }
}

#[test]
fn two_hundred_versions_under_load_and_no_request_fails() {
    let text = |number: usize| {
        format!(
            "local v = '{number}' return function() ngx.sleep(0) return v .. ' ' .. require('v') end"
        )
    };
    let dir = folder(&[("rille.toml", MANIFEST)]);
    let write = |number: usize| {
        dir.write("index.lua", text(number)).unwrap();
        dir.write("lib/v.lua", format!("return '{number}'"))
            .unwrap();
    };
    write(0);
    let host = Host::of(2, &dir);
    let address = host.address();
    let is_over = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicUsize::new(0));
    let oldest = Arc::new(AtomicUsize::new(0));
    let client = |keeps: bool| {
        let (is_over, newest, oldest) = (is_over.clone(), newest.clone(), oldest.clone());
        std::thread::spawn(move || {
            let mut count = 0;
            let mut connection = Connection::open(address).unwrap();
            while !is_over.load(Ordering::SeqCst) {
                if !keeps {
                    connection = Connection::open(address).unwrap();
                }
                let least = oldest.load(Ordering::SeqCst);
                connection
                    .send(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
                    .unwrap();
                let response = connection.receive().unwrap();
                let most = newest.load(Ordering::SeqCst);
                assert_eq!(response.status, 200, "{}", response.text());
                let body = response.text();
                let (index, lib) = body.split_once(' ').unwrap();
                assert_eq!(index, lib, "an answer of two versions");
                let version: usize = index.parse().unwrap();
                assert!(
                    (least..=most).contains(&version),
                    "{version}: {least} to {most}"
                );
                count += 1;
            }
            count
        })
    };
    let clients = [client(true), client(true), client(false)];
    for number in 1..=200 {
        write(number);
        newest.store(number, Ordering::SeqCst);
        host.deploy(&dir).unwrap();
        // Whoever asks from now on gets this one.
        oldest.store(number, Ordering::SeqCst);
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        let count = client.join().unwrap();
        assert!(count > 100, "only {count} requests");
    }
}

#[test]
fn a_websocket_lives_on() {
    let echo = "return function(request) local ws = request:upgrade() while true do local text = ws:receive() if not text then return end ws:send(require('v') .. text) end end";
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n[deploy]\ngrace = '10 ms'\n"),
        ("lib/v.lua", "return 'one '"),
        ("index.lua", echo),
    ]);
    let host = Host::of(1, &dir);
    let mut old = websocket::connect(host.address(), "/");
    let first = Arc::downgrade(&host.deployer().current("a").unwrap());
    dir.write("lib/v.lua", "return 'two '").unwrap();
    host.deploy(&dir).unwrap();
    let mut new = websocket::connect(host.address(), "/");
    std::thread::sleep(Duration::from_millis(100));
    let ask = |client: &mut websocket::Client, text: &str| {
        client.send(text.into()).unwrap();
        client.read().unwrap().into_text().unwrap().to_string()
    };
    assert_eq!(ask(&mut old, "a"), "one a");
    assert_eq!(ask(&mut new, "b"), "two b");
    assert!(first.strong_count() > 0);
    old.close(None).unwrap();
    while old.read().is_ok() {}
    eventually(|| first.strong_count() == 0);
    // One of too many versions ago is told to go.
    for _ in 0..8 {
        assert_eq!(ask(&mut new, "c"), "two c");
        host.deploy(&dir).unwrap();
        // Each has somebody who keeps it.
        std::mem::forget(websocket::connect(host.address(), "/"));
    }
    host.deploy(&dir).unwrap();
    let told = format!("{:?}", new.read().unwrap());
    assert!(told.contains("Close"), "{told}");
}

#[test]
fn two_deploys_of_one_app_at_once_and_a_server_that_stops() {
    let dir = folder(&[("rille.toml", MANIFEST), ("index.lua", "return 'one'")]);
    let host = Host::of(1, &dir);
    dir.write("health.lua", "ngx.sleep(0.5)").unwrap();
    let first = {
        let (deployer, app) = (host.deployer().clone(), load(dir.path()));
        std::thread::spawn(move || deployer.deploy(app))
    };
    std::thread::sleep(Duration::from_millis(100));
    let said = refused(host.deploy(&dir));
    assert!(
        said.contains("another deploy of this app is running"),
        "{said}"
    );
    assert_eq!(host.get("/"), "one");
    first.join().unwrap().unwrap();
    let (deployer, app) = (host.deployer().clone(), load(dir.path()));
    let late = std::thread::spawn(move || deployer.deploy(app));
    std::thread::sleep(Duration::from_millis(100));
    host.server.stop();
    assert!(refused(late.join().unwrap()).contains("the server is stopping"));
    host.server.join().unwrap();
}

#[test]
fn of_two_new_apps_with_one_host_the_first_gets_it() {
    let dir = folder(&[("rille.toml", MANIFEST), ("index.lua", "return 'a'")]);
    let host = Host::of(2, &dir);
    // Both are looked at before either is served.
    let new = |name: &str, seconds: &str| {
        let manifest = format!("name = '{name}'\nhosts = ['x.example']\n");
        let dir = folder(&[
            ("rille.toml", &manifest),
            ("health.lua", &format!("ngx.sleep({seconds})")),
            ("index.lua", &format!("return '{name}'")),
        ]);
        let deployer = host.deployer().clone();
        std::thread::spawn(move || deployer.deploy(load(dir.path())))
    };
    let (quick, late) = (new("quick", "0.2"), new("late", "0.6"));
    quick.join().unwrap().unwrap();
    let said = refused(late.join().unwrap());
    let why = "apps 'quick' and 'late' both answer the host x.example";
    assert!(said.contains(why), "{said}");
    assert_eq!(host.deployer().list().len(), 2);
    let get = |name: &str| get_host(host.address(), name, "/").text();
    assert_eq!(
        (get("x.example"), get("a.localhost")),
        ("quick".into(), "a".into())
    );
    host.deployer().remove("quick").unwrap();
}

#[test]
fn old_versions_are_not_too_many() {
    // It does not hear that it is to go.
    let deaf = "return function(request) request:upgrade() while true do ngx.sleep(0.01) end end";
    let dir = folder(&[
        (
            "rille.toml",
            "name = 'a'\n[deploy]\ngrace = '24 h'\noverlap = true\n[[task]]\nname = 'Main'\n",
        ),
        ("main.lua", "function Main() while true do sleep(1) end end"),
        ("index.lua", deaf),
    ]);
    let host = Host::of(1, &dir);
    let first = Arc::downgrade(&host.deployer().current("a").unwrap());
    let _client = websocket::connect(host.address(), "/");
    for _ in 0..8 {
        host.deploy(&dir).unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(first.strong_count() > 0);
    host.deploy(&dir).unwrap();
    let start = Instant::now();
    eventually(|| first.strong_count() == 0);
    assert!(
        start.elapsed() > Duration::from_secs(4),
        "it had time to go"
    );
}

#[test]
fn a_stop_waits_for_old_versions_too() {
    let dir = folder(&[
        ("rille.toml", MANIFEST),
        (
            "index.lua",
            "return function(request) local ws = request:upgrade() local _, why = ws:receive() cache.set('why', why) end",
        ),
        (
            "slow.lua",
            "return function() ngx.sleep(0.5) return 'slow' end",
        ),
    ]);
    let host = Host::of(1, &dir);
    let mut client = websocket::connect(host.address(), "/");
    let address = host.address();
    let slow = std::thread::spawn(move || http::get(address, "/slow").unwrap().text());
    std::thread::sleep(Duration::from_millis(100));
    host.deploy(&dir).unwrap();
    host.server.stop();
    let told = format!("{:?}", client.read().unwrap());
    assert!(told.contains("Close"), "{told}");
    assert_eq!(slow.join().unwrap(), "slow");
    host.server.join().unwrap();
    assert!(!host.log.lines().iter().any(|line| line.contains("cut off")));
}
