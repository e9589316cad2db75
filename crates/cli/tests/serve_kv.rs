//! `kv` of served apps: what lasts, where it is, and that a killed server loses nothing it has acknowledged.

mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::process::Exit;
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::{folder, get_host, rille, serve_with};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn state() -> TempDir {
    TempDir::new("rille-state").unwrap()
}

fn serve(app: &Path, state: &Path) -> Server {
    let state = state.to_str().unwrap();
    serve_with(app, &["--workers", "3", "--state", state])
}

fn text(server: &Server, target: &str) -> String {
    http::get(server.address(), target).unwrap().text()
}

const COUNTER: (&str, &str) = (
    "index.lua",
    "return tostring(kv.incr('hits')) .. ' ' .. tostring(cache.incr('hits'))",
);

#[test]
fn it_is_shared_by_workers_and_outlives_the_process() {
    let (app, state) = (folder(&[COUNTER]), state());
    for run in 0..2 {
        let server = serve(app.path(), state.path());
        for hit in 1..=20 {
            // A new connection each time, so that the kernel spreads them over the workers.
            assert_eq!(text(&server, "/"), format!("{} {hit}", run * 20 + hit));
        }
        server.terminate().unwrap();
        assert_eq!(server.wait(LIMIT).unwrap(), Exit::Code(0));
    }
}

#[test]
fn apps_do_not_see_each_other() {
    let dump = "local t = {} for i, e in ipairs((kv.list(''))) do t[i] = e.key .. '=' .. e.value end return table.concat(t, ' ')";
    let set = "local ok, why = kv.set('k', request.query.v) return ok and 'stored' or why";
    let apps = folder(&[
        ("a/index.lua", dump),
        ("a/set.lua", set),
        ("a/rille.toml", "[limits]\nkv = '100 B'\n"),
        ("ab/index.lua", dump),
        ("ab/set.lua", set),
    ]);
    let state = state();
    let server = serve(apps.path(), state.path());
    let call = |host: &str, target: &str| get_host(server.address(), host, target).text();
    assert_eq!(call("a.localhost", "/set?v=1"), "stored");
    assert_eq!(call("ab.localhost", "/set?v=2"), "stored");
    assert_eq!(call("a.localhost", "/"), "k=1");
    assert_eq!(call("ab.localhost", "/"), "k=2");
    let long = format!("/set?v={}", "x".repeat(100));
    assert_eq!(call("a.localhost", &long), "quota");
    assert_eq!(call("ab.localhost", &long), "stored");
}

#[test]
fn its_folder_is_where_it_is_said_to_be() {
    let unused = folder(&[("index.lua", "return 'hello'")]);
    let used = folder(&[COUNTER]);
    let home = state();
    let start = |app: &Path, variables: &[(&str, &Path)]| {
        let mut command = rille(&["serve", app.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Server::start(&mut command).unwrap()
    };
    let (of_home, of_xdg) = (
        home.path().join(".local/state/rille"),
        home.path().join("xdg"),
    );
    let named = home.path().join("named");
    let server = start(unused.path(), &[("HOME", home.path())]);
    assert_eq!(text(&server, "/"), "hello");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    let server = start(used.path(), &[("HOME", home.path())]);
    assert!(!of_home.exists());
    assert_eq!(text(&server, "/"), "1 1");
    assert!(of_home.join("kv.redb").is_file());
    let server = start(
        used.path(),
        &[("HOME", home.path()), ("XDG_STATE_HOME", &of_xdg)],
    );
    assert_eq!(text(&server, "/"), "1 1");
    assert!(of_xdg.join("rille/kv.redb").is_file());
    let server = start(
        used.path(),
        &[("XDG_STATE_HOME", &of_xdg), ("RILLE_STATE", &named)],
    );
    assert_eq!(text(&server, "/"), "1 1");
    assert!(named.join("kv.redb").is_file());
}

const ANSWER: (&str, &str) = (
    "index.lua",
    "local value, err = kv.get('k') local _, why = kv.set('k', 1) return tostring(value) .. ' ' .. tostring(err) .. ' ' .. tostring(why)",
);

#[test]
fn without_a_folder_that_works_the_rest_is_served() {
    let app = folder(&[ANSWER, ("other.lua", "return 'other'")]);
    let none = serve_with(app.path(), &[]);
    assert_eq!(text(&none, "/"), "nil no state folder no state folder");
    assert_eq!(text(&none, "/other"), "other");

    let state = state();
    let file = state.write("file", "").unwrap();
    let server = serve(app.path(), &file);
    let why = "storage: Not a directory (os error 20)";
    assert_eq!(text(&server, "/"), format!("nil {why} {why}"));
    assert_eq!(text(&server, "/other"), "other");

    let first = serve(app.path(), state.path());
    assert_eq!(text(&first, "/"), "nil nil nil");
    let second = serve(app.path(), state.path());
    let why = "storage: the database is open in another process";
    assert_eq!(text(&second, "/"), format!("nil {why} {why}"));
    let line = second.wait_for_log("kv.redb", LIMIT).unwrap();
    assert!(line.contains("--state DIR"), "{line}");
    assert_eq!(text(&second, "/other"), "other");
    // Once the other is gone it works.
    first.terminate().unwrap();
    first.wait(LIMIT).unwrap();
    serve_support::eventually(|| text(&second, "/").starts_with("1 nil"));
}

#[test]
fn a_corrupt_database_is_told_and_the_rest_is_served() {
    let app = folder(&[ANSWER, ("other.lua", "return 'other'")]);
    let state = state();
    let path = state.write("kv.redb", vec![b'?'; 200_000]).unwrap();
    let server = serve(app.path(), state.path());
    for _ in 0..3 {
        let answer = text(&server, "/");
        assert!(
            answer.starts_with("nil storage: the database is corrupt"),
            "{answer}"
        );
        assert_eq!(text(&server, "/other"), "other");
    }
    let line = server.wait_for_log(path.to_str().unwrap(), LIMIT).unwrap();
    assert!(line.contains("move the file away"), "{line}");
    std::fs::rename(&path, state.path().join("bad")).unwrap();
    serve_support::eventually(|| text(&server, "/").ends_with("nil nil"));
}

// ---- kill -9 ----

/// Writes a number under its client and counts it, in one transaction.
const WRITE: &str = "
local c, n = request.query.c, math.tointeger(request.query.n)
local ok, err = kv.transaction(function(tx)
  tx:set(('%s/%09d'):format(c, n), n)
  tx:incr('count/' .. c)
end)
return ok and 200 or 500, err or 'done'";

/// How many numbers a client has, if each is there and all are counted.
const CHECK: &str = "
local c, n, after = request.query.c, 0, nil
repeat
  local page
  page, after = assert(kv.list(c .. '/', { after = after }))
  for _, entry in ipairs(page) do
    n = n + 1
    if entry.value ~= n or entry.key ~= ('%s/%09d'):format(c, n) then return 'hole at ' .. n end
  end
until not after
local count = kv.get('count/' .. c) or 0
return count == n and tostring(n) or ('counted ' .. count .. ' of ' .. n)";

const CLIENTS: usize = 4;

/// Writes one number after the other until the server is gone; the last one that was acknowledged.
fn write_on(server: &Server, client: usize, mut number: u64, started: &AtomicBool) -> u64 {
    let Ok(mut connection) = Connection::open(server.address()) else {
        return number;
    };
    loop {
        let request = format!(
            "GET /write?c={client}&n={} HTTP/1.1\r\nHost: a\r\n\r\n",
            number + 1
        );
        if connection.send(request.as_bytes()).is_err() {
            return number;
        }
        match connection.receive() {
            Ok(response) if response.status == 200 => number += 1,
            Ok(response) => panic!("{} {}", response.status, response.text()),
            Err(_) => return number,
        }
        started.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_killed_server_has_lost_nothing_it_acknowledged() {
    let kills = std::env::var("RILLE_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let app = folder(&[
        ("write.lua", WRITE),
        ("check.lua", CHECK),
        ("rille.toml", "[limits]\nkv = '1 GiB'\ncpu = '20 s'\n"),
    ]);
    let state = state();
    let (mut numbers, mut written) = ([0u64; CLIENTS], 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..=kills {
        let server = serve(app.path(), state.path());
        for (client, number) in numbers.iter_mut().enumerate() {
            let found = text(&server, &format!("/check?c={client}"));
            // What was under way when the server was killed may be there.
            let is_good = [*number, *number + 1]
                .map(|n| n.to_string())
                .contains(&found);
            assert!(
                is_good,
                "kill {kill}, client {client}: {number} acknowledged, found {found}"
            );
            *number = found.parse().unwrap();
        }
        if kill == kills {
            break;
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Every few kills as soon as it writes, so that the making of the file is hit too.
        let is_fresh = kill % 5 == 4;
        if is_fresh {
            std::fs::remove_file(state.path().join("kv.redb")).unwrap();
            numbers = [0; CLIENTS];
        }
        let server = match is_fresh {
            true => {
                drop(server);
                serve(app.path(), state.path())
            }
            false => server,
        };
        let pause = Duration::from_micros(match is_fresh {
            true => random % 20_000,
            false => random % 300_000,
        });
        let (started, before) = (AtomicBool::new(false), numbers);
        numbers = thread::scope(|scope| {
            let (server, started) = (&server, &started);
            let writers: [_; CLIENTS] = std::array::from_fn(|client| {
                let number = numbers[client];
                scope.spawn(move || write_on(server, client, number, started))
            });
            while !is_fresh && !started.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(pause);
            let pid = server.id().to_string();
            let killed = std::process::Command::new("kill")
                .args(["-9", &pid])
                .status();
            assert!(killed.unwrap().success());
            writers.map(|writer| writer.join().unwrap())
        });
        written += numbers.iter().sum::<u64>() - before.iter().sum::<u64>();
    }
    assert!(written > kills, "{written} writes in {kills} kills");
    println!("{kills} kills, {written} writes acknowledged, none lost");
}
