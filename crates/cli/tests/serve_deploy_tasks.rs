//! What becomes of tasks, timers and ports when a version of their app takes the place of another.

mod serve_support;

use rille_testkit::temp::TempDir;
use serve_support::here::{Host, refused};
use serve_support::{eventually, folder};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tells in the dictionary `said` what becomes of it.
const TELLS: &str = "
function Main()
  local said = ngx.shared.said
  said:rpush('l', 'start ' .. require('v'))
  local guard <close> = setmetatable({}, {__close = function() said:rpush('l', 'end ' .. require('v')) end})
  while true do
    local e = task.receive()
    said:rpush('l', e.what .. ' ' .. tostring(e.sender) .. ' ' .. require('v'))
    if e.what == 'deploy' and STOPS then return end
  end
end";

fn tells(grace: &str, init: &str) -> TempDir {
    let manifest = format!(
        "name = 'a'\n[deploy]\ngrace = '{grace}'\n[shared_dicts]\nsaid = '1 MiB'\n[[task]]\nname = 'Main'\n"
    );
    let list = "return function() local d, t = ngx.shared.said, {} for i = 1, d:llen('l') do t[i] = d:lpop('l') d:rpush('l', t[i]) end return table.concat(t, ', ') end";
    folder(&[
        ("rille.toml", &manifest),
        ("main.lua", TELLS),
        ("init.lua", init),
        ("lib/v.lua", "return '1'"),
        ("index.lua", list),
        (
            "ask.lua",
            "return function() return tostring(task.send('Main', 'hello')) end",
        ),
    ])
}

#[test]
fn tasks_are_told_and_the_next_ones_start_when_they_have_ended() {
    let dir = tells("5 s", "STOPS = true");
    let host = Host::of(2, &dir);
    eventually(|| host.get("/") == "start 1");
    dir.write("lib/v.lua", "return '2'").unwrap();
    let start = Instant::now();
    host.deploy(&dir).unwrap();
    eventually(|| host.get("/") == "start 1, deploy nil 1, end 1, start 2");
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "nobody waits for the grace"
    );
    assert_eq!(host.get("/ask"), "true");
    eventually(|| {
        host.get("/").ends_with("start 2, hello nil 2") || host.get("/").contains("hello")
    });
    host.deployer().remove("a").unwrap();
}

#[test]
fn tasks_that_do_not_end_are_killed() {
    let dir = tells("300 ms", "");
    let host = Host::of(2, &dir);
    eventually(|| host.get("/") == "start 1");
    dir.write("lib/v.lua", "return '2'").unwrap();
    let start = Instant::now();
    host.deploy(&dir).unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(250),
        "a deploy does not wait for that"
    );
    // Two of them are never there at once.
    eventually(|| host.get("/") == "start 1, deploy nil 1, end 1, start 2");
    assert!(start.elapsed() >= Duration::from_millis(300));
    // A version that is replaced before its tasks could begin never has any.
    for number in ["3", "4"] {
        dir.write("lib/v.lua", format!("return '{number}'"))
            .unwrap();
        host.deploy(&dir).unwrap();
    }
    eventually(|| {
        host.get("/")
            .ends_with("start 2, deploy nil 2, end 2, start 4")
    });
}

#[test]
fn tasks_of_two_versions_overlap_where_the_manifest_says_so() {
    let dir = tells("300 ms", "");
    let host = Host::of(1, &dir);
    eventually(|| host.get("/") == "start 1");
    let manifest = std::fs::read_to_string(dir.path().join("rille.toml")).unwrap();
    let manifest = manifest.replace("[deploy]", "[deploy]\noverlap = true");
    dir.write("rille.toml", &manifest).unwrap();
    dir.write("lib/v.lua", "return '2'").unwrap();
    host.deploy(&dir).unwrap();
    eventually(|| {
        let said = host.get("/");
        said.ends_with("end 1") && said.find("start 2") < said.find("end 1")
    });
}

#[test]
fn what_timers_run_ends_with_the_grace() {
    let dir = folder(&[
        ("rille.toml", "name = 'a'\n[deploy]\ngrace = '100 ms'\n"),
        (
            "init.lua",
            "ngx.timer.at(0, function() while true do cache.incr('n') ngx.sleep(0.005) end end)
             local function again() cache.incr('m') ngx.timer.at(0, again) end
             ngx.timer.at(0, again)
             ngx.timer.at(1000, function(premature) cache.set('premature', premature) end)",
        ),
        (
            "index.lua",
            "return function() return tostring(cache.get('n')) .. ' ' .. tostring(cache.get('m')) end",
        ),
        (
            "premature.lua",
            "return function() return tostring(cache.get('premature')) end",
        ),
    ]);
    let host = Host::of(1, &dir);
    let first = Arc::downgrade(&host.deployer().current("a").unwrap());
    dir.write("init.lua", "").unwrap();
    host.deploy(&dir).unwrap();
    eventually(|| first.strong_count() == 0);
    assert_eq!(host.get("/premature"), "true");
    let last = host.get("/");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.get("/"), last, "nothing of it runs any more");
}

/// What a line to a port is answered with.
fn echo(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn a_port_is_kept_and_nobody_is_refused() {
    let serve = "local sock = ... sock:send(require('v') .. sock:receive() .. '\\n')";
    let manifest = "name = 'a'\n[[task]]\nname = 'serve'\non = 'tcp:0'\n";
    let dir = folder(&[
        ("rille.toml", manifest),
        ("tasks/serve.lua", serve),
        ("lib/v.lua", "return '0 '"),
        ("index.lua", ""),
    ]);
    let host = Host::of(2, &dir);
    let port = |at: usize| host.deployer().list()[0].ports[at].address;
    let address = port(0);
    assert_eq!(echo(address, "x"), "0 x\n");
    let is_over = Arc::new(AtomicBool::new(false));
    let client = {
        let is_over = is_over.clone();
        std::thread::spawn(move || {
            let mut count = 0;
            while !is_over.load(Ordering::SeqCst) {
                let answer = echo(address, "x");
                assert!(answer.ends_with(" x\n"), "{answer:?}");
                count += 1;
            }
            count
        })
    };
    for number in 1..=50 {
        dir.write("lib/v.lua", format!("return '{number} '"))
            .unwrap();
        host.deploy(&dir).unwrap();
        assert_eq!(port(0), address);
    }
    is_over.store(true, Ordering::SeqCst);
    assert!(client.join().unwrap() > 50);
    eventually(|| echo(address, "x") == "50 x\n");
    // One more, then only that one: the other is free.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = other.local_addr().unwrap();
    let more = format!("{manifest}[[task]]\nname = 'more'\non = 'tcp:{second}'\n");
    dir.write("rille.toml", &more).unwrap();
    dir.write("tasks/more.lua", serve).unwrap();
    let said = refused(host.deploy(&dir));
    assert!(
        said.contains(&format!("{second} is in use by another program")),
        "{said}"
    );
    assert_eq!(echo(address, "x"), "50 x\n");
    drop(other);
    host.deploy(&dir).unwrap();
    assert_eq!(echo(second, "y"), "50 y\n");
    let only = format!("name = 'a'\n[[task]]\nname = 'other'\non = 'tcp:{second}'\n");
    dir.write("rille.toml", &only).unwrap();
    dir.write("tasks/other.lua", serve).unwrap();
    host.deploy(&dir).unwrap();
    assert_eq!(echo(second, "z"), "50 z\n");
    eventually(|| TcpStream::connect(address).is_err());
}
