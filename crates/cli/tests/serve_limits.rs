//! Budgets, bad clients and bad scripts: each costs itself and nobody else.

mod serve_support;

use rille_testkit::http::{self, Connection};
use rille_testkit::process::Exit;
use serve_support::{app, folder, get_host, rille, run, serve};
use std::time::{Duration, Instant};

#[test]
fn a_runaway_script_is_stopped_and_the_others_are_served() {
    let dir = folder(&[
        ("busy/rille.toml", "[limits]\ncpu = '300 ms'"),
        (
            "busy/index.lua",
            "local function spin()\n  while true do end\nend\nreturn function()\n  while true do pcall(spin) end\nend",
        ),
        ("busy/load.lua", "while true do\nend"),
        ("quick/index.lua", "return function() return 'quick' end"),
    ]);
    let server = serve(dir.path());
    let address = server.address();
    std::thread::scope(|scope| {
        let busy = scope.spawn(move || get_host(address, "busy.localhost", "/"));
        let end = Instant::now() + Duration::from_millis(250);
        let mut slowest = Duration::ZERO;
        while Instant::now() < end {
            let start = Instant::now();
            assert_eq!(get_host(address, "quick.localhost", "/").text(), "quick");
            slowest = slowest.max(start.elapsed());
        }
        assert!(slowest < Duration::from_millis(100), "{slowest:?}");
        let busy = busy.join().unwrap();
        assert_eq!(
            (busy.status, busy.text().as_str()),
            (
                503,
                "503 Service Unavailable: stopped: cpu limit of 300 ms reached\n"
            )
        );
    });
    let line = server
        .wait_for_log("stopped", Duration::from_secs(5))
        .unwrap();
    assert_eq!(
        line,
        "rille: app busy: index.lua:2: stopped: cpu limit of 300 ms reached (GET /)"
    );
    assert_eq!(get_host(address, "busy.localhost", "/load").status, 503);
    assert!(
        server
            .wait_for_log("load.lua:1: stopped", Duration::from_secs(5))
            .is_some(),
        "{}",
        server.log()
    );
    assert_eq!(
        server
            .log()
            .lines()
            .filter(|line| line.contains("stopped"))
            .count(),
        2
    );
}

#[test]
fn a_script_that_waits_too_long_is_stopped_where_it_waits() {
    let app = app(&[
        ("rille.toml", "[limits]\nwall = '150 ms'"),
        (
            "index.lua",
            "local t <close> = setmetatable({}, {__close = function() cache.set('closed', true) end})\nsleep(20)",
        ),
        (
            "spin.lua",
            "local n = 0 while true do n = n + 1 coroutine.yield() end",
        ),
        ("closed.lua", "return tostring(cache.get('closed'))"),
    ]);
    let start = Instant::now();
    assert_eq!(app.get("/").status, 503);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(
        app.log_line("wall limit")
            .ends_with("index.lua:2: stopped: wall limit of 150 ms reached (GET /)")
    );
    assert_eq!(app.get("/closed").text(), "true");
    assert_eq!(app.get("/spin").status, 503);
}

#[test]
fn a_script_that_wants_too_much_memory_gets_an_error_and_the_app_lives() {
    let app = app(&[
        ("rille.toml", "[limits]\nmemory = '4 MiB'\ncpu = '5 s'"),
        ("index.lua", "local s = 'x' while true do s = s .. s end"),
        (
            "caught.lua",
            "local ok, e = pcall(string.rep, 'x', 1 << 30) return tostring(ok) .. ' ' .. e",
        ),
        (
            "json.lua",
            "local t = {} for i = 1, 100 do t[i] = ('x'):rep(100000) end return {body = t}",
        ),
    ]);
    for _ in 0..3 {
        assert_eq!(app.get("/").status, 503);
        assert_eq!(app.get("/caught").text(), "false not enough memory");
    }
    assert!(
        app.log_line("not enough memory")
            .contains("index.lua:1: not enough memory: memory limit of 4 MiB reached")
    );
    assert!(app.get("/json").status >= 500);
}

#[test]
fn script_errors_are_one_line_and_say_where() {
    let app = app(&[
        ("index.lua", "local x = nil\nreturn x.y"),
        ("table.lua", "error({code = 7})"),
        ("nothing.lua", "error()"),
        (
            "tostring.lua",
            "error(setmetatable({}, {__tostring = function() while true do end end}))",
        ),
        ("bad_return.lua", "return true"),
        ("bad_status.lua", "return 99"),
        (
            "bad_header.lua",
            "return 'x', {['A'] = 'b\\r\\nSet-Cookie: c'}",
        ),
        ("bad_header2.lua", "response.headers['A\\r\\n'] = 'b'"),
        ("bad_json.lua", "return {body = {f = print}}"),
        ("deep_json.lua", "local t = {} t.t = t return {body = t}"),
        ("good.lua", "return 'good'"),
    ]);
    for (path, line) in [
        ("/", "index.lua:2: attempt to index a nil value (local 'x')"),
        (
            "/table",
            "table.lua: (error object is a table value) (GET /table)",
        ),
        ("/nothing", "(GET /nothing)"),
        (
            "/bad_return",
            "bad_return.lua: the handler returned a boolean",
        ),
        ("/bad_status", "bad_status.lua: 99 is not a response status"),
        (
            "/bad_header",
            "bad_header.lua: invalid value of the header 'A'",
        ),
        (
            "/bad_header2",
            "bad_header2.lua:1: invalid header name 'A\\r\\n'",
        ),
        (
            "/bad_json",
            "bad_json.lua: cannot encode a function as JSON",
        ),
        (
            "/deep_json",
            "deep_json.lua: cannot encode as JSON: nested deeper",
        ),
    ] {
        let response = app.get(path);
        assert_eq!(response.status, 500, "{path}");
        assert!(!response.text().contains("attempt"), "{}", response.text());
        let line = app.log_line(line);
        assert!(line.starts_with("rille: app "), "{line}");
    }
    assert!(app.get("/tostring").status >= 500);
    assert_eq!(app.get("/good").text(), "good");
}

#[test]
fn debug_shows_the_traceback() {
    let app = app(&[
        ("rille.toml", "debug = true"),
        ("index.lua", "local function f() error('here') end\nf()"),
    ]);
    let response = app.get("/");
    assert_eq!(response.status, 500);
    assert!(
        response.text().contains("index.lua:1: here")
            && response.text().contains("stack traceback"),
        "{}",
        response.text()
    );
}

#[test]
fn a_syntax_error_in_one_handler_leaves_the_others() {
    let app = app(&[("bad.lua", "local x =\n"), ("good.lua", "return 'good'")]);
    let line = app.log_line("bad.lua");
    assert!(
        line.contains("bad.lua:1: unexpected symbol near <eof>")
            || line.contains("bad.lua:2: unexpected symbol near <eof>"),
        "{line}"
    );
    assert_eq!(app.get("/bad").status, 500);
    assert_eq!(app.get("/good").text(), "good");
}

#[test]
fn bodies_over_the_limit() {
    let app = app(&[
        ("rille.toml", "[limits]\nbody = '1 KiB'"),
        ("index.lua", "return tostring(#request.body)"),
        (
            "caught.lua",
            "local ok, e = pcall(function() return request.body end) return tostring(ok) .. ' ' .. e",
        ),
        ("ignored.lua", "return 'did not look'"),
    ]);
    assert_eq!(app.send("POST", "/", &[], &[b'x'; 1024]).text(), "1024");
    let declared = app.send("POST", "/", &[], &[b'x'; 1025]);
    assert_eq!(declared.status, 413);
    assert!(
        declared.text().contains("limit of 1 KiB"),
        "{}",
        declared.text()
    );
    let mut chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        chunked.extend_from_slice(b"200\r\n");
        chunked.extend_from_slice(&[b'y'; 512]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(http::exchange(app.address(), &chunked).unwrap().status, 413);
    let text = String::from_utf8(chunked.clone()).unwrap();
    let caught = http::exchange(
        app.address(),
        text.replacen("POST /", "POST /caught", 1).as_bytes(),
    )
    .unwrap();
    assert!(
        caught.text().starts_with("false ") && caught.text().contains("over the app's limit"),
        "{}",
        caught.text()
    );
    let ignored = http::exchange(
        app.address(),
        text.replacen("POST /", "POST /ignored", 1).as_bytes(),
    )
    .unwrap();
    assert_eq!(ignored.text(), "did not look");
}

#[test]
fn malformed_requests_are_400_and_logged() {
    let app = app(&[("index.lua", "return 'good'")]);
    for bad in [
        &b"\x01\x02\x03\r\n\r\n"[..],
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ] {
        let response = http::exchange(app.address(), bad);
        let status = response.map(|response| response.status);
        assert!(
            matches!(status, Ok(400 | 505)),
            "{status:?} for {}",
            String::from_utf8_lossy(bad)
        );
    }
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(
        http::exchange(app.address(), long.as_bytes())
            .map_or(true, |response| response.status == 431)
    );
    app.log_line("malformed request");
    assert_eq!(app.get("/").text(), "good");
}

#[test]
fn what_could_hide_a_request_is_refused() {
    let app = app(&[(
        "index.lua",
        "return function(r) return r.method .. ' ' .. r.body end",
    )]);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: +4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "Host: y\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n0\r\n\r\n{hidden}");
        let mut connection = Connection::open(app.address()).unwrap();
        connection.send(request.as_bytes()).unwrap();
        let status = connection.receive().unwrap().status;
        assert!(matches!(status, 400 | 501), "{status} for {fields:?}");
        assert!(connection.at_end().unwrap(), "{fields:?}");
    }
    // A malformed chunk ends the connection too: where the next request begins is not known.
    let mut connection = Connection::open(app.address()).unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n{hidden}"
    );
    connection.send(request.as_bytes()).unwrap();
    assert_eq!(connection.receive().unwrap().status, 400);
    assert!(connection.at_end().unwrap());
}

#[test]
fn bodies_are_framed_as_they_say() {
    let app = app(&[
        ("index.lua", "return function(r) return r.body end"),
        ("ignores.lua", "return function() return 'ignored' end"),
    ]);
    let mut connection = Connection::open(app.address()).unwrap();
    // Chunks in pieces, with an extension and a trailer; the next request is right behind.
    for piece in [
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Enc",
        "oding: chunked\r\n\r\n3;a=b\r",
        "\nabc\r\n2\r\nd",
        "e\r\n0\r\nT: u\r\n\r\nPOST /ignores HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345POST / HTTP/1.1\r\n",
        "Host: x\r\nContent-Length: 2\r\n\r\nfg",
    ] {
        connection.send(piece.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for expected in ["abcde", "ignored", "fg"] {
        assert_eq!(connection.receive().unwrap().text(), expected);
    }
    // A client that waits to be asked for its body.
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(connection.receive_interim().unwrap(), 100);
    connection.send(b"hij").unwrap();
    assert_eq!(connection.receive().unwrap().text(), "hij");
    // Nobody asks: the connection ends, for the body may or may not come.
    connection
        .send(b"POST /ignores HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let response = connection.receive().unwrap();
    assert_eq!(response.text(), "ignored");
    assert_eq!(response.header("connection"), Some("close"));
    assert!(connection.at_end().unwrap());
    // HTTP/1.0 ends with the connection unless it asks otherwise.
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(
            b"GET /ignores HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /ignores HTTP/1.0\r\n\r\n",
        )
        .unwrap();
    let response = connection.receive().unwrap();
    assert_eq!(response.header("connection"), Some("keep-alive"));
    assert_eq!(connection.receive().unwrap().text(), "ignored");
    assert!(connection.at_end().unwrap());
}

#[test]
fn nothing_is_between_a_response_and_the_next() {
    let large = "0123456789".repeat(40_000);
    let app = app(&[
        ("index.lua", "return 'next'"),
        ("public/large.txt", &large),
        (
            "none.lua",
            "response.status = 204 response:write('x') response:flush()",
        ),
        (
            "early.lua",
            "response:write('early ') response:flush() response:write(request.body)",
        ),
    ]);
    let next = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    // Streamed bodies are not sent where there is none.
    for (method, target, status) in [("HEAD", "/large.txt", 200), ("GET", "/none", 204)] {
        let mut connection = Connection::open(app.address()).unwrap();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n{next}");
        connection.send(request.as_bytes()).unwrap();
        let response = connection.receive_to(method).unwrap();
        assert_eq!((response.status, response.text()), (status, String::new()));
        assert_eq!(connection.receive().unwrap().text(), "next", "{target}");
    }
    // A client is not asked for its body once the response has begun.
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(
            b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    assert_eq!(connection.receive_interim().unwrap(), 200);
    std::thread::sleep(std::time::Duration::from_millis(50));
    connection.send(b"late").unwrap();
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        rest.extend(connection.receive_bytes().unwrap());
    }
    assert_eq!(
        String::from_utf8_lossy(&rest),
        "6\r\nearly \r\n4\r\nlate\r\n0\r\n\r\n"
    );
}

#[test]
fn keep_alive_and_pipelining() {
    let app = app(&[
        ("index.lua", "return function(r) return r.query.n end"),
        ("slow.lua", "sleep(0.05) return 'slow'"),
    ]);
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(b"GET /?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /?n=2 HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    for expected in ["1", "slow", "2"] {
        assert_eq!(connection.receive().unwrap().text(), expected);
    }
    connection
        .send(b"GET /?n=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(connection.receive().unwrap().text(), "3");
    assert!(connection.at_end().unwrap());
}

#[test]
fn slow_heads_are_cut_off_and_hold_nobody_up() {
    let app = app(&[("index.lua", "return 'good'")]);
    let mut slow: Vec<Connection> = (0..20)
        .map(|_| Connection::open(app.address()).unwrap())
        .collect();
    for connection in &mut slow {
        connection.send(b"GET / HTTP/1.1\r\nHo").unwrap();
    }
    assert_eq!(app.get("/").text(), "good");
    let start = Instant::now();
    assert!(slow[0].at_end().unwrap());
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_client_that_leaves_ends_its_request() {
    let app = app(&[
        (
            "index.lua",
            "local c <close> = setmetatable({}, {__close = function() cache.set('closed', true) end}) sleep(20)",
        ),
        ("closed.lua", "return tostring(cache.get('closed'))"),
    ]);
    let mut connection = Connection::open(app.address()).unwrap();
    connection
        .send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(app.get("/closed").text(), "nil");
    drop(connection);
    let end = Instant::now() + Duration::from_secs(5);
    while app.get("/closed").text() != "true" {
        assert!(Instant::now() < end, "the handler was not closed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn stopping_lets_running_requests_end() {
    let app = app(&[("index.lua", "sleep(0.5) return 'ended'")]);
    let address = app.address();
    let idle = Connection::open(address).unwrap();
    std::thread::scope(|scope| {
        let request = scope.spawn(move || http::get(address, "/").unwrap().text());
        std::thread::sleep(Duration::from_millis(150));
        app.server.terminate().unwrap();
        assert_eq!(request.join().unwrap(), "ended");
    });
    assert!(http::get(address, "/").is_err());
    drop(idle);
    let serve_support::App { server, .. } = app;
    assert_eq!(server.wait(Duration::from_secs(5)).unwrap(), Exit::Code(0));
}

#[test]
fn mistakes_on_the_command_line_are_one_line_each() {
    let missing = run(&["serve", "/no/such/folder"]);
    assert_eq!(
        (missing.exit, missing.stderr_text().as_str()),
        (
            Exit::Code(1),
            "rille: /no/such/folder: there is no such folder\n"
        )
    );
    let empty = folder(&[("README.md", "")]);
    let outcome = run(&["serve", empty.path().to_str().unwrap()]);
    assert!(
        outcome.stderr_text().contains("holds no app"),
        "{}",
        outcome.stderr_text()
    );
    assert_eq!(run(&["serve"]).exit, Exit::Code(2));
    assert_eq!(
        run(&["serve", ".", "--listen", "nowhere"]).exit,
        Exit::Code(2)
    );
    assert_eq!(run(&["serve", ".", "--workers", "0"]).exit, Exit::Code(2));
    assert_eq!(run(&["frobnicate"]).exit, Exit::Code(2));
    let good = app(&[("index.lua", "return 1")]);
    let port = good.address().to_string();
    let taken = run(&[
        "serve",
        good.dir.path().to_str().unwrap(),
        "--listen",
        &port,
    ]);
    assert_eq!(taken.exit, Exit::Code(1));
    assert_eq!(
        taken.stderr_text(),
        format!(
            "rille: {port} is in use by another program; stop it or choose another with --listen\n"
        )
    );
}

#[test]
fn a_bad_app_does_not_keep_the_others_from_being_served() {
    let dir = folder(&[
        ("bad/rille.toml", "[limits]\nmemry = '1 MiB'"),
        ("bad/index.lua", "return 'bad'"),
        ("init/init.lua", "local x = nil\nx()"),
        ("init/index.lua", "return 'init'"),
        ("good/index.lua", "return 'good'"),
    ]);
    let server = serve(dir.path());
    let address = server.address();
    assert_eq!(get_host(address, "good.localhost", "/").text(), "good");
    for broken in ["bad", "init"] {
        let response = get_host(address, &format!("{broken}.localhost"), "/");
        assert_eq!(response.status, 503);
        assert!(
            response
                .text()
                .contains(&format!("the app '{broken}' could not be loaded"))
        );
    }
    let log = server.log();
    assert!(
        log.contains("bad/rille.toml:2: unknown key 'memry' in [limits]; did you mean 'memory'?"),
        "{log}"
    );
    assert!(
        log.contains("init/init.lua:2: attempt to call a nil value (local 'x')"),
        "{log}"
    );
    let unknown = get_host(address, "other.example", "/");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown
            .text()
            .contains("no app answers the host 'other.example'")
    );
    let list = http::get(address, "/").unwrap();
    assert_eq!(list.status, 200);
    assert!(
        list.text().contains("http://good.localhost:"),
        "{}",
        list.text()
    );
}

#[test]
fn check_lists_everything_that_is_wrong() {
    let dir = folder(&[
        ("bad/rille.toml", "nme = 'x'\n[limits]\ncpu = '0 s'"),
        ("bad/a.lua", "x ="),
        ("bad/b.lua", "goto nowhere"),
        ("good/index.lua", "return 1"),
    ]);
    let outcome = process_check(dir.path().to_str().unwrap());
    assert_eq!(outcome.0, Exit::Code(1));
    for expected in [
        "bad/rille.toml:1: unknown key 'nme'",
        "bad/rille.toml:3: cpu = \"0 s\" is out of range",
    ] {
        assert!(outcome.1.contains(expected), "{}", outcome.1);
    }
    let good = process_check(dir.path().join("good").to_str().unwrap());
    assert_eq!(good.0, Exit::Code(0), "{}", good.1);
}

fn process_check(path: &str) -> (Exit, String) {
    let outcome =
        rille_testkit::process::run(&mut rille(&["check", path]), b"", Duration::from_secs(20))
            .unwrap();
    (outcome.exit, outcome.stderr_text())
}

#[test]
fn bodies_held_at_once_are_bounded_by_the_memory_limit() {
    let app = app(&[
        (
            "rille.toml",
            "[limits]\nmemory = '2 MiB'\nbody = '1 MiB'\nwall = '5 s'",
        ),
        (
            "index.lua",
            "local first = request.read(1) sleep(1) return first",
        ),
        (
            "write.lua",
            "local s = ('x'):rep(1000) while true do response:write(s) end",
        ),
    ]);
    assert_eq!(app.get("/write").status, 500);
    app.log_line("the response is too large to keep");
    // Six requests of which each holds most of a received piece; then there is room again.
    for _ in 0..2 {
        let body = vec![b'a'; 1 << 20];
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| app.send("POST", "/", &[], &body).status))
                .collect();
            for one in all {
                assert!(matches!(one.join().unwrap(), 200 | 503));
            }
        });
    }
    assert_eq!(app.send("POST", "/", &[], b"b").text(), "b");
}

#[test]
fn a_large_table_becomes_json_on_the_requests_own_budget() {
    let dir = folder(&[
        (
            "big/rille.toml",
            "[limits]\nmemory = '512 MiB'\ncpu = '10 s'",
        ),
        (
            "big/index.lua",
            "local t = {} for i = 1, 300000 do t[i] = {id = i} end return t",
        ),
        (
            "big/decode.lua",
            "local n = json.decode('[' .. ('[1,2],'):rep(200000) .. '0]') return tostring(#n)",
        ),
        (
            "small/rille.toml",
            "[limits]\nmemory = '256 MiB'\ncpu = '20 ms'",
        ),
        (
            "small/index.lua",
            "return function() local t = {} t[1] = t return {deep = {t}} end",
        ),
        ("quick/index.lua", "return function() return 'quick' end"),
    ]);
    let server = serve(dir.path());
    let address = server.address();
    std::thread::scope(|scope| {
        let big = scope.spawn(move || get_host(address, "big.localhost", "/"));
        let begun = Instant::now();
        let mut slowest = Duration::ZERO;
        while !big.is_finished() {
            let start = Instant::now();
            assert_eq!(get_host(address, "quick.localhost", "/").text(), "quick");
            slowest = slowest.max(start.elapsed());
        }
        let whole = begun.elapsed();
        let big = big.join().unwrap();
        assert_eq!(big.status, 200, "{}", big.text());
        assert!(big.text().ends_with(r#"{"id":300000}]"#));
        // Half of the time goes into the text: nobody waited for all of that.
        assert!(slowest < whole / 3, "{slowest:?} of {whole:?}");
    });
    assert_eq!(
        get_host(address, "big.localhost", "/decode").text(),
        "200001"
    );
    assert_eq!(get_host(address, "small.localhost", "/").status, 500);
}
