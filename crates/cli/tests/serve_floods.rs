//! Attack 29: whoever asks for more and more gets an error at the quota, and is stopped when it goes on asking. The neighbour on the same worker is
//! answered all the while.

mod serve_support;

use serve_support::{folder, get_host, serve, serve_with};
use std::time::{Duration, Instant};

const MANIFEST: &str = r#"
[limits]
cpu = "300 ms"
memory = "16 MiB"
wall = "5 s"
tasks = 3
timers = 3
pending_timers = 3
threads = 3
sockets = 3
subrequests = 3
response = "4 KiB"
mailbox = "1 KiB"
log = "4 KiB"
kv = "64 KiB"
[outbound]
allow = ["self"]
"#;

/// Asks until there is an error, and notes how often it was given what it asked for and the error; then goes on for ever.
const FLOOD: &str = r#"
local held = {}
local function flood()
  WHAT
end
local count = 0
while true do
  local called, ok, err = pcall(flood)
  if not called then ok, err = nil, ok end
  if not ok then
    cache.set("NAME", count .. " " .. tostring(err))
    break
  end
  count = count + 1
end
while true do pcall(flood) end
"#;

/// Name, what is done again and again, and what is noted. A request that spawns tasks is their parent, and counts as one.
const FLOODS: &[(&str, &str, &str)] = &[
    (
        "spawn",
        "return task.spawn('idle')",
        "2 too many tasks: the limit is 3",
    ),
    (
        "timer",
        "return timer.after(60, print)",
        "3 too many timers",
    ),
    (
        "every",
        "return timer.every(60, print)",
        "0 too many timers",
    ),
    (
        "ngx_timer",
        "return ngx.timer.at(60, print)",
        "3 too many pending timers",
    ),
    (
        "thread",
        "return ngx.thread.spawn(function() sleep(60) end)",
        "3 …: too many light threads",
    ),
    (
        "socket",
        "local sock = ngx.socket.tcp() held[#held + 1] = sock return sock:connect('127.0.0.1', request.port)",
        "3 too many open sockets: the limit of 3 is reached",
    ),
    (
        "udp",
        "local sock = ngx.socket.udp() held[#held + 1] = sock return sock:setpeername('127.0.0.1', request.port)",
        "3 too many open sockets: the limit of 3 is reached",
    ),
    (
        "subrequests",
        "held[#held + 1] = {'/small'} return ngx.location.capture_multi(held)",
        "3 …: too many subrequests",
    ),
    (
        "response",
        "response:write(('x'):rep(1024)) return true",
        "4 …: the response is too large to keep; call response:flush() between writes",
    ),
    (
        "memory",
        "held[#held + 1] = ('x'):rep(1 << 20) .. #held return true",
        "…not enough memory",
    ),
    (
        "kv",
        "held[#held + 1] = true return kv.set('k' .. #held, ('x'):rep(8000))",
        "8 quota",
    ),
];

#[test]
fn a_flood_meets_an_error_and_then_its_end() {
    let mut files = vec![
        ("hostile/rille.toml".to_owned(), MANIFEST.to_owned()),
        ("hostile/tasks/idle.lua".to_owned(), "sleep(60)".to_owned()),
        ("hostile/small.lua".to_owned(), "return 'small'".to_owned()),
        (
            "hostile/said.lua".to_owned(),
            "return cache.get(request.query.name) or 'nothing'".to_owned(),
        ),
        (
            "quiet/index.lua".to_owned(),
            "return function() return 'quiet' end".to_owned(),
        ),
    ];
    for (name, what, _) in FLOODS {
        let script = FLOOD.replace("WHAT", what).replace("NAME", name);
        files.push((format!("hostile/{name}.lua"), script));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let dir = folder(&files);
    let state = folder(&[]);
    let options = ["--workers", "1", "--state", state.path().to_str().unwrap()];
    let server = serve_with(dir.path(), &options);
    let address = server.address();
    for (name, _, expected) in FLOODS {
        std::thread::scope(|scope| {
            let flood =
                scope.spawn(move || get_host(address, "hostile.localhost", &format!("/{name}")));
            let mut slowest = Duration::ZERO;
            while !flood.is_finished() {
                let start = Instant::now();
                assert_eq!(get_host(address, "quiet.localhost", "/").text(), "quiet");
                slowest = slowest.max(start.elapsed());
            }
            let flood = flood.join().unwrap();
            assert_eq!(flood.status, 503, "{name}: {}", flood.text());
            assert!(
                flood.text().contains("limit of"),
                "{name}: {}",
                flood.text()
            );
            assert!(slowest < Duration::from_millis(500), "{name}: {slowest:?}");
        });
        let said = get_host(address, "hostile.localhost", &format!("/said?name={name}")).text();
        // Where it was raised, or how often it went well, is left out.
        let (start, end) = expected.split_once('…').unwrap_or(("", expected));
        assert!(
            said.starts_with(start) && said.ends_with(end),
            "{name}: {said}"
        );
    }
}

#[test]
fn a_mailbox_is_full_and_its_senders_are_stopped() {
    let dir = folder(&[
        ("rille.toml", MANIFEST),
        ("tasks/deaf.lua", "sleep(60)"),
        (
            "index.lua",
            "local tid = task.spawn('deaf') local n = 0 while true do local ok, err = task.send(tid, 'x', ('y'):rep(100)) if not ok then cache.set('said', n .. ' ' .. err) break end n = n + 1 end while true do task.send(tid, 'x', ('y'):rep(100)) end",
        ),
        ("said.lua", "return cache.get('said')"),
    ]);
    let server = serve(dir.path());
    assert_eq!(get_host(server.address(), "x", "/").status, 503);
    let said = get_host(server.address(), "x", "/said").text();
    let (count, error) = said.split_once(' ').unwrap();
    assert!((1..10).contains(&count.parse::<u32>().unwrap()), "{said}");
    assert!(error.contains("full"), "{said}");
}

/// A flood of lines is cut off and counted; those of others are all there.
#[test]
fn lines_beyond_the_limit_are_dropped_and_counted() {
    let dir = folder(&[
        ("hostile/rille.toml", MANIFEST),
        (
            "hostile/index.lua",
            "while true do log.info(('x'):rep(1000)) end",
        ),
        ("hostile/after.lua", "log.info('after') return 'after'"),
        ("hostile/error.lua", "error(('e'):rep(4000))"),
        (
            "quiet/index.lua",
            "log.info('line ' .. request.query.n) return 'quiet'",
        ),
    ]);
    let server = serve(dir.path());
    let address = server.address();
    std::thread::scope(|scope| {
        let flood = scope.spawn(move || {
            for _ in 0..3 {
                assert_eq!(get_host(address, "hostile.localhost", "/").status, 503);
            }
            for _ in 0..200 {
                assert_eq!(get_host(address, "hostile.localhost", "/error").status, 500);
            }
        });
        let mut n = 0;
        while !flood.is_finished() {
            n += 1;
            assert_eq!(
                get_host(address, "quiet.localhost", &format!("/?n={n}")).text(),
                "quiet"
            );
            if n < 1000 {
                let line = format!("app quiet: info: line {n}");
                assert!(
                    server
                        .wait_for_log(&line, Duration::from_secs(10))
                        .is_some()
                );
            }
        }
    });
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(
        get_host(address, "hostile.localhost", "/after").text(),
        "after"
    );
    let line = server.wait_for_log("app hostile: ", Duration::from_secs(10));
    assert!(line.is_some());
    let told = server.wait_for_log(
        "log lines dropped: over the limit of 4096 bytes a second (limits.log)",
        Duration::from_secs(10),
    );
    assert!(told.is_some(), "{}", server.log());
    let hostile = server
        .log()
        .lines()
        .filter(|line| line.contains("app hostile: "))
        .map(str::len)
        .sum::<usize>();
    assert!(hostile < 512 << 10, "{hostile} bytes");
    assert!(
        server
            .wait_for_log("app hostile: info: after", Duration::from_secs(10))
            .is_some()
    );
}
