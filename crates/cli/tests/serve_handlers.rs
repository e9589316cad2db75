//! What a handler returns and what it sees, over the wire.

mod serve_support;

use serve_support::app;

#[test]
fn every_kind_of_return_value() {
    let app = app(&[
        ("rille.toml", "[outbound]\nallow = ['self']"),
        ("text.lua", "return 'hello', {['X-A'] = 'b'}"),
        ("status.lua", "return 418"),
        ("status_body.lua", "return 201, 'made', {Location = '/x'}"),
        ("status_json.lua", "return 400, {error = 'no'}"),
        (
            "table.lua",
            "return {statuscode = 202, content = 'later', headers = {['Set-Cookie'] = {'a=1', 'b=2'}}}",
        ),
        (
            "json.lua",
            "return {body = {list = {1, 2.5, true, json.null}}}",
        ),
        ("data.lua", "return {status = 'open'}"),
        ("list.lua", "return {'a', 'b'}"),
        ("empty.lua", "return json.array()"),
        (
            "nothing.lua",
            "response.status = 203 response:write('a', 1, {'b', 'c'}) response.headers.x_b = 'y'",
        ),
        ("really_nothing.lua", ""),
        (
            "both.lua",
            "response:write('first ') response.headers['Content-Type'] = 'text/html' return 'second'",
        ),
        ("gone.lua", "return 204, 'ignored'"),
        (
            "passed_on.lua",
            "return http.get('http://127.0.0.1:' .. request.port .. '/' .. request.query.to)",
        ),
    ]);
    let text = app.get("/text");
    assert_eq!(
        (text.status, text.text().as_str(), text.header("x-a")),
        (200, "hello", Some("b"))
    );
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(text.header("content-length"), Some("5"));
    assert!(text.header("date").is_some());
    // The response of another server is one, whatever that said of its own connection.
    let passed_on = app.get("/passed_on?to=text");
    assert_eq!(
        (
            passed_on.status,
            passed_on.text().as_str(),
            passed_on.header("x-a")
        ),
        (200, "hello", Some("b"))
    );
    assert_eq!(passed_on.header("content-length"), Some("5"));
    assert_eq!(app.get("/passed_on?to=status_body").status, 201);
    assert_eq!(app.get("/status").status, 418);
    let made = app.get("/status_body");
    assert_eq!(
        (made.status, made.text().as_str(), made.header("location")),
        (201, "made", Some("/x"))
    );
    let error = app.get("/status_json");
    assert_eq!(
        (error.status, error.text().as_str()),
        (400, r#"{"error":"no"}"#)
    );
    assert_eq!(error.header("content-type"), Some("application/json"));
    let table = app.get("/table");
    assert_eq!((table.status, table.text().as_str()), (202, "later"));
    let cookies: Vec<&str> = table
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(app.get("/json").text(), r#"{"list":[1,2.5,true,null]}"#);
    assert_eq!(app.get("/data").text(), r#"{"status":"open"}"#);
    assert_eq!(app.get("/list").text(), r#"["a","b"]"#);
    assert_eq!(app.get("/empty").text(), "[]");
    let nothing = app.get("/nothing");
    assert_eq!(
        (
            nothing.status,
            nothing.text().as_str(),
            nothing.header("x-b")
        ),
        (203, "a1bc", Some("y"))
    );
    let really = app.get("/really_nothing");
    assert_eq!((really.status, really.body.len()), (200, 0));
    let both = app.get("/both");
    assert_eq!(
        (both.text().as_str(), both.header("content-type")),
        ("first second", Some("text/html"))
    );
    let gone = app.get("/gone");
    assert_eq!((gone.status, gone.body.len()), (204, 0));
}

#[test]
fn methods_and_allow() {
    let app = app(&[(
        "index.lua",
        "return {get = function(r) return r.method .. ' ' .. request.method end, delete = function() return 204 end}",
    )]);
    assert_eq!(app.get("/").text(), "GET GET");
    assert_eq!(app.send("DELETE", "/", &[], b"").status, 204);
    let head = app.send("HEAD", "/", &[], b"");
    assert_eq!(
        (head.status, head.body.len(), head.header("content-length")),
        (200, 0, Some("9"))
    );
    let refused = app.send("POST", "/", &[], b"x");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, DELETE, HEAD"))
    );
}

#[test]
fn a_function_is_made_once_and_called_on_every_hit() {
    let app = app(&[(
        "index.lua",
        "local count = 0\nfunction helper(n) return 'hit ' .. n end\nreturn function(r)\n\
         count = count + 1\nreturn helper(count) .. ' ' .. r.query.q\nend",
    )]);
    for hit in 1..=3 {
        assert_eq!(
            app.get(&format!("/?q=x{hit}")).text(),
            format!("hit {hit} x{hit}")
        );
    }
}

#[test]
fn what_a_request_says_of_itself() {
    let app = app(&[
        ("index.lua", ""),
        (
            "echo/[name].lua",
            r#"
        local r = request
        local out = {
          method = r.method, path = r.path, uri = r.uri, qs = r.querystring, scheme = r.scheme,
          name = r.params.name, a = r.query.a, many = r.query.many, agent = r.headers["User-AGENT"],
          agent2 = r.headers.user_agent, missing = r.headers.nope == nil, cookie = r.cookies.c,
          body = r.body, again = r.body, addr = r.remote_addr, port = type(r.remote_port), host = r.host,
          id = #r.id, time = math.abs(r.start_time - os.time()) < 5, unknown = r.unknown == nil,
        }
        r.user = "me"
        out.user = r.user
        return {body = out}"#,
        ),
    ]);
    let response = app.send(
        "POST",
        "/echo/a%2Fb?a=1+2&many=1&many=%26",
        &[("User-Agent", "test"), ("Cookie", "c=\"v\"; d=1")],
        b"the body",
    );
    let text = response.text();
    for expected in [
        r#""method":"POST""#,
        r#""path":"/echo/a/b""#,
        r#""uri":"/echo/a%2Fb?a=1+2&many=1&many=%26""#,
        r#""scheme":"http""#,
        r#""name":"a/b""#,
        r#""a":"1 2""#,
        r#""many":["1","&"]"#,
        r#""agent":"test""#,
        r#""agent2":"test""#,
        r#""missing":true"#,
        r#""cookie":"v""#,
        r#""body":"the body""#,
        r#""again":"the body""#,
        r#""addr":"127.0.0.1""#,
        r#""port":"number""#,
        r#""host":"127.0.0.1""#,
        r#""id":24"#,
        r#""time":true"#,
        r#""unknown":true"#,
        r#""user":"me""#,
    ] {
        assert!(text.contains(expected), "{expected} not in {text}");
    }
}

#[test]
fn bodies_as_json_forms_and_pieces() {
    let app = app(&[
        (
            "json.lua",
            "local v, e = request.json() if v == nil then return 400, e end return {got = v}",
        ),
        (
            "form.lua",
            "local f = request.form return {a = f.a, file = f.file and f.file.filename .. ':' .. f.file.content}",
        ),
        (
            "pieces.lua",
            "local n, t = 0, {} while true do local p = request.read(4) if not p then break end t[#t + 1] = p end return table.concat(t, '|')",
        ),
    ]);
    let post = |path: &str, kind: &str, body: &str| {
        app.send("POST", path, &[("Content-Type", kind)], body.as_bytes())
    };
    assert_eq!(
        post("/json", "application/json", r#"{"a":[1,null]}"#).text(),
        r#"{"got":{"a":[1,null]}}"#
    );
    let bad = post("/json", "application/json", "{\n\"a\":}");
    assert_eq!(
        (bad.status, bad.text().as_str()),
        (400, "a value was expected at line 2, column 5")
    );
    assert_eq!(
        post("/form", "application/x-www-form-urlencoded", "a=x+y").text(),
        r#"{"a":"x y"}"#
    );
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\ncontent\r\n--B--\r\n";
    assert_eq!(
        post("/form", "multipart/form-data; boundary=B", multipart).text(),
        r#"{"file":"f.txt:content"}"#
    );
    assert_eq!(
        post("/pieces", "text/plain", "0123456789").text(),
        "0123|4567|89"
    );
}

#[test]
fn two_requests_never_see_each_others_globals() {
    let app = app(&[
        ("init.lua", "shared = {count = 0} setting = 'from init'"),
        (
            "set.lua",
            "secret = request.query.v sleep(0.2) return tostring(secret) .. ' ' .. setting",
        ),
        (
            "get.lua",
            "shared.count = shared.count + 1 return tostring(secret) .. ' ' .. tostring(rawget(_G, 'secret')) .. ' ' .. shared.count",
        ),
        (
            "fast.lua",
            "return function(r) local seen = tostring(mine) mine = r.query.v sleep(0.05) return seen .. ' ' .. mine end",
        ),
        ("overwrite.lua", "setting = 'changed' return setting"),
    ]);
    std::thread::scope(|scope| {
        let a = scope.spawn(|| app.get("/set?v=1").text());
        let b = scope.spawn(|| app.get("/set?v=2").text());
        std::thread::sleep(std::time::Duration::from_millis(80));
        assert_eq!(app.get("/get").text(), "nil nil 1");
        assert_eq!(a.join().unwrap(), "1 from init");
        assert_eq!(b.join().unwrap(), "2 from init");
    });
    assert_eq!(app.get("/get").text(), "nil nil 2");
    assert_eq!(app.get("/overwrite").text(), "changed");
    assert_eq!(app.get("/set?v=3").text(), "3 from init");
    std::thread::scope(|scope| {
        let hits: Vec<_> = (0..8)
            .map(|n| {
                (
                    n,
                    scope.spawn({
                        let app = &app;
                        move || app.get(&format!("/fast?v={n}")).text()
                    }),
                )
            })
            .collect();
        for (n, hit) in hits {
            assert_eq!(hit.join().unwrap(), format!("nil {n}"));
        }
    });
}

#[test]
fn requests_wait_without_holding_each_other() {
    let app = app(&[(
        "index.lua",
        "return function() sleep(0.3) return 'slept' end",
    )]);
    app.get("/");
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| app.get("/").text()))
            .collect();
        for wait in waits {
            assert_eq!(wait.join().unwrap(), "slept");
        }
    });
    assert!(
        start.elapsed() < std::time::Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_response_can_be_streamed() {
    let app = app(&[
        (
            "index.lua",
            "response.headers['X-A'] = '1' for i = 1, 3 do response:write('piece ' .. i .. '\\n') response:flush() sleep(0.01) end return 'end'",
        ),
        (
            "broken.lua",
            "response:write('some') response:flush() error('later')",
        ),
    ]);
    let response = app.get("/");
    assert!(response.chunked);
    assert_eq!(response.header("x-a"), Some("1"));
    assert_eq!(response.text(), "piece 1\npiece 2\npiece 3\nend");
    // A stream that fails is cut, not ended.
    assert!(rille_testkit::http::get(app.address(), "/broken").is_err());
    app.log_line("broken.lua:1: later");
}

#[test]
fn modules_and_their_globals() {
    let app = app(&[
        (
            "lib/a.lua",
            "loads = (loads or 0) + 1 local M = {} function M.loads() return loads end M.name = ... return M",
        ),
        (
            "lib/deep/b.lua",
            "return {a = require 'lib.a', c = require 'c'}",
        ),
        ("lib/deep/c.lua", "return 'c beside b'"),
        ("lib/loop1.lua", "return require 'loop2'"),
        ("lib/loop2.lua", "return require 'loop1'"),
        ("lib/slow.lua", "sleep(0.1) return {}"),
        (
            "index.lua",
            "local a, b = require 'lib.a', require 'lib/deep/b' return {same = a == b.a and a == require 'a', loads = a.loads(), c = b.c, name = a.name}",
        ),
        ("loop.lua", "return require 'loop1'"),
        (
            "escape.lua",
            "local t = {} for _, n in ipairs{'../secret', 'a\\0b', '..', 'lib..a', '/etc/passwd', 'no.such'} do local ok, e = pcall(require, n) t[#t + 1] = tostring(ok) .. ' ' .. e:match('^[^\\n]*') end return table.concat(t, '\\n')",
        ),
        ("slow.lua", "return tostring(require 'lib.slow')"),
    ]);
    for _ in 0..2 {
        let text = app.get("/").text();
        for expected in [
            r#""same":true"#,
            r#""loads":1"#,
            r#""c":"c beside b""#,
            r#""name":"lib.a""#,
        ] {
            assert!(text.contains(expected), "{expected} not in {text}");
        }
    }
    let looped = app.get("/loop");
    assert_eq!(looped.status, 500);
    app.log_line("loop or previous error loading module 'loop1'");
    let escape = app.get("/escape").text();
    assert_eq!(escape.lines().count(), 6, "{escape}");
    assert!(
        escape.lines().all(|line| line.starts_with("false module ")),
        "{escape}"
    );
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| app.get("/slow").text()))
            .collect();
        let all: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    });
}

#[test]
fn the_app_sees_its_own_environment_only() {
    let app = app(&[
        ("rille.toml", "[env]\nKEY = 'value'\n"),
        (
            "index.lua",
            "return tostring(os.getenv('KEY')) .. ' ' .. tostring(os.getenv('PATH')) .. ' ' .. env.KEY",
        ),
        (
            "host.lua",
            "local t = {} for _, f in ipairs{'os.execute', 'os.exit', 'os.remove', 'io.popen', 'io.open', 'package.loadlib', 'string.dump', 'debug.getregistry', 'dofile', 'loadfile'} do local m, n = f:match('^(%w+)%.?(%w*)$') local v = _G[m] if n ~= '' then v = v and v[n] end if v ~= nil then local ok, r = pcall(v, '/etc/passwd') if ok and r then t[#t + 1] = f end end end return table.concat(t, ' ')",
        ),
    ]);
    assert_eq!(app.get("/").text(), "value nil value");
    assert_eq!(app.get("/host").text(), "");
}

#[test]
fn cache_is_shared_by_workers() {
    let dir = serve_support::folder(&[("index.lua", "return tostring(cache.incr('hits'))")]);
    let server = serve_support::serve_with(dir.path(), &["--workers", "4"]);
    for hit in 1..=40 {
        // A new connection each time, so that the kernel spreads them over the workers.
        assert_eq!(
            rille_testkit::http::get(server.address(), "/")
                .unwrap()
                .text(),
            hit.to_string()
        );
    }
}

#[test]
fn static_files() {
    let app = app(&[
        ("index.lua", "return 'script'"),
        ("public/style.css", "body {}"),
        ("public/.secret", "no"),
        ("public/docs/index.html", "<p>docs"),
    ]);
    let css = app.get("/style.css");
    assert_eq!(
        (css.status, css.text().as_str(), css.header("content-type")),
        (200, "body {}", Some("text/css; charset=utf-8"))
    );
    assert_eq!(app.get("/docs/").text(), "<p>docs");
    assert_eq!(app.get("/").text(), "script");
    for missing in [
        "/.secret",
        "/../index.lua",
        "/%2e%2e/index.lua",
        "/none.txt",
    ] {
        assert_eq!(app.get(missing).status, 404, "{missing}");
    }
    assert_eq!(app.send("POST", "/style.css", &[], b"").status, 404);
    std::fs::write(app.dir.path().join("public/large.bin"), vec![7u8; 3 << 20]).unwrap();
    assert_eq!(app.get("/large.bin").body.len(), 3 << 20);
}

#[test]
fn manifest_routes() {
    let app = app(&[
        (
            "rille.toml",
            "[[route]]\npath = '/u/:id'\nmethods = ['GET']\ncontent = 'lib/user.lua'\n[[route]]\npath = '/files/*rest'\ncontent = 'lib/files.lua'\n",
        ),
        ("lib/user.lua", "return 'user ' .. request.params.id"),
        ("lib/files.lua", "return 'file ' .. request.params.rest"),
    ]);
    assert_eq!(app.get("/u/7").text(), "user 7");
    assert_eq!(app.get("/files/a/b").text(), "file a/b");
    let refused = app.send("PUT", "/u/7", &[], b"");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(app.get("/lib/user").status, 404);
}
