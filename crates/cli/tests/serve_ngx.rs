//! Code written for OpenResty: phases, output, the request, captures.

mod serve_support;

use serve_support::app;

/// The beginning of every manifest here.
const MANIFEST: &str = "lua = \"5.1\"\n";

#[test]
fn hello_as_in_the_documentation() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        ("hello.lua", "ngx.say('Hello World')"),
        (
            "kinds.lua",
            "ngx.print('a', 1, 10/2, 2.5, true, nil, ngx.null, {'b', {1, 2}}) ngx.say() ngx.say{'x', 'y'}",
        ),
        (
            "typed.lua",
            "ngx.header.content_type = 'application/json' ngx.header['X-Many'] = {'1', '2'} ngx.status = 201 ngx.print('{}')",
        ),
        (
            "late.lua",
            "ngx.say('x') ngx.status = 500 ngx.header.x_late = 'y' ngx.say(ngx.headers_sent, ' ', ngx.status)",
        ),
        ("wrong.lua", "ngx.say(function() end)"),
        ("number.lua", "return ngx.say('not a status')"),
    ]);
    let hello = app.get("/hello");
    assert_eq!(
        (hello.status, hello.text().as_str()),
        (200, "Hello World\n")
    );
    assert_eq!(hello.header("content-length"), Some("12"));
    assert_eq!(app.get("/kinds").text(), "a152.5truenilnullb12\nxy\n");
    let typed = app.get("/typed");
    assert_eq!((typed.status, typed.text().as_str()), (201, "{}"));
    assert_eq!(typed.header("content-type"), Some("application/json"));
    assert_eq!(typed.all("x-many"), ["1", "2"]);
    let late = app.get("/late");
    assert_eq!((late.status, late.text().as_str()), (200, "x\ntrue 200\n"));
    assert_eq!(late.header("x-late"), None);
    assert_eq!(app.get("/wrong").status, 500);
    let number = app.get("/number");
    assert_eq!(
        (number.status, number.text().as_str()),
        (200, "not a status\n")
    );
}

#[test]
fn exits_cannot_be_caught() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "exit.lua",
            "pcall(function() ngx.exit(ngx.HTTP_NOT_FOUND) end) ngx.say('not reached')",
        ),
        (
            "said.lua",
            "ngx.status = 410 ngx.say('gone') ngx.exit(410) ngx.say('more')",
        ),
        ("ok.lua", "ngx.exit(ngx.OK) ngx.say('more')"),
        (
            "error.lua",
            "ngx.header.www_authenticate = 'Basic' ngx.exit(401)",
        ),
        (
            "coroutine.lua",
            "coroutine.wrap(function() ngx.exit(403) end)() ngx.say('more')",
        ),
        (
            "thread.lua",
            "ngx.thread.spawn(function() ngx.sleep(0.001) ngx.exit(409) end) ngx.sleep(5) ngx.say('more')",
        ),
        ("redirect.lua", "ngx.redirect('/hello?a=1', 301)"),
        ("unsafe.lua", "ngx.redirect('/a\\r\\nSet-Cookie: x')"),
        ("close.lua", "ngx.exit(444)"),
    ]);
    assert_eq!(app.get("/exit").status, 404);
    let said = app.get("/said");
    assert_eq!((said.status, said.text().as_str()), (410, "gone\n"));
    let ok = app.get("/ok");
    assert_eq!((ok.status, ok.text().as_str()), (200, ""));
    let error = app.get("/error");
    assert_eq!(
        (error.status, error.header("www-authenticate")),
        (401, Some("Basic"))
    );
    assert_eq!(app.get("/coroutine").status, 403);
    assert_eq!(app.get("/thread").status, 409);
    let redirect = app.get("/redirect");
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (301, Some("/hello?a=1"))
    );
    assert_eq!(app.get("/unsafe").status, 500);
    let mut raw = app.connect();
    raw.send(b"GET /close HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(raw.at_end().unwrap());
}

const ROUTES: &str = r#"
lua = "5.1"
[[route]]
path = "/all"
rewrite = "p/rewrite.lua"
access = "p/access.lua"
content = "p/content.lua"
header_filter = "p/header.lua"
body_filter = "p/body.lua"
log = "p/log.lua"
[[route]]
path = "/stream"
content = "p/stream.lua"
header_filter = "p/header.lua"
body_filter = "p/body.lua"
[[route]]
path = "/from"
rewrite = "p/jump.lua"
content = "p/content.lua"
[[route]]
path = "/loop"
rewrite = "p/loop.lua"
content = "p/content.lua"
"#;

#[test]
fn a_request_walks_through_its_phases() {
    let app = app(&[
        ("rille.toml", ROUTES),
        (
            "p/rewrite.lua",
            "ngx.ctx.way = ngx.get_phase() ngx.sleep(0.001)",
        ),
        (
            "p/access.lua",
            "ngx.ctx.way = ngx.ctx.way .. ' ' .. ngx.get_phase() if ngx.var.arg_key ~= 'k' then ngx.exit(403) end",
        ),
        (
            "p/content.lua",
            "ngx.say(ngx.ctx.way, ' ', ngx.get_phase(), ' ', ngx.var.uri, ' ', ngx.var.args)",
        ),
        (
            "p/header.lua",
            "ngx.header.x_phase = ngx.get_phase() ngx.header.content_length = nil",
        ),
        (
            "p/body.lua",
            "ngx.arg[1] = string.upper(ngx.arg[1]) .. (ngx.arg[2] and 'END' or '|')",
        ),
        (
            "p/log.lua",
            "cache.set('logged', ngx.get_phase() .. ' ' .. ngx.var.status)",
        ),
        ("logged.lua", "return cache.get('logged') or 'nothing'"),
        (
            "p/stream.lua",
            "for i = 1, 3 do ngx.say(i, ' x') ngx.flush(true) end",
        ),
        (
            "p/jump.lua",
            "ngx.req.set_uri_args{b = 2} ngx.req.set_uri('/to', true)",
        ),
        ("p/loop.lua", "ngx.req.set_uri('/loop', true)"),
        (
            "to.lua",
            "ngx.say(ngx.var.uri, ' ', ngx.var.args, ' ', ngx.req.is_internal())",
        ),
        ("exec.lua", "ngx.ctx.a = 1 ngx.exec('/target?x=1', {y = 2})"),
        (
            "target.lua",
            "ngx.say(ngx.var.request_uri, ' ', ngx.var.uri, ' ', ngx.var.args, ' ', ngx.ctx.a)",
        ),
    ]);
    assert_eq!(app.get("/all").status, 403);
    let all = app.get("/all?key=k");
    assert_eq!(
        (all.status, all.text().as_str(), all.header("x-phase")),
        (
            200,
            "REWRITE ACCESS CONTENT /ALL KEY=K\nEND",
            Some("header_filter")
        )
    );
    let logged = || app.get("/logged").text();
    serve_support::eventually(|| logged() == "log 200");
    let stream = app.get("/stream");
    assert_eq!(stream.text(), "1 X\n|2 X\n|3 X\n|END");
    assert_eq!(stream.header("x-phase"), Some("header_filter"));
    assert_eq!(app.get("/from?a=1").text(), "/to b=2 true\n");
    assert_eq!(app.get("/loop").status, 500);
    assert_eq!(app.get("/exec").text(), "/exec /target x=1&y=2 nil\n");
}

#[test]
fn the_request_is_read_and_changed() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "args.lua",
            "local a = ngx.req.get_uri_args() ngx.say(a.x, ' ', a.y[1], a.y[2], ' ', a.z, ' ', select(2, ngx.req.get_uri_args(1)))",
        ),
        (
            "headers.lua",
            "local h = ngx.req.get_headers() ngx.say(h['X-Foo'], h.x_foo, ' ', type(h.x_two), ' ', ngx.var.http_x_foo)
             ngx.req.set_header('X-Foo', 'new') ngx.req.clear_header('X-Two')
             ngx.say(ngx.req.get_headers().x_foo, ' ', ngx.req.get_headers().x_two, ' ', request.headers.x_foo)",
        ),
        (
            "body.lua",
            "ngx.req.read_body() ngx.say(ngx.req.get_body_data(), ' ', ngx.req.get_post_args().a, ' ', ngx.req.get_method())
             ngx.req.init_body() ngx.req.append_body('b=') ngx.req.append_body('2') ngx.req.finish_body()
             ngx.say(ngx.req.get_post_args().b, ' ', ngx.var.content_length)",
        ),
        (
            "vars.lua",
            "ngx.var.mine = 'x' ngx.say(ngx.var.mine, ' ', ngx.var.nothing, ' ', ngx.var.request_method, ' ', ngx.var.cookie_c, ' ', ngx.var.host,
               ' ', ngx.var.remote_addr, ' ', ngx.var.server_protocol)
             ngx.say(select(2, pcall(function() ngx.var.uri = 'y' end)))",
        ),
        ("raw.lua", "ngx.print(ngx.req.raw_header())"),
        (
            "add.lua",
            "require 'resty.core' require('ngx.req').add_header('X-A', '1') require('ngx.resp').add_header('X-B', ngx.req.get_headers().x_a) ngx.say('ok')",
        ),
        (
            "timer.lua",
            "ngx.timer.at(0, function() local ok, err = pcall(ngx.say, 'x') cache.set('timer', err .. ' ' .. ngx.get_phase()) end) ngx.say('set')",
        ),
        ("timed.lua", "return cache.get('timer') or ''"),
    ]);
    assert_eq!(
        app.get("/args?x=a%20b&y=1&y=2&z").text(),
        "a b 12 true truncated\n"
    );
    let headers = app.send(
        "GET",
        "/headers",
        &[("X-Foo", "1"), ("X-Two", "a"), ("X-Two", "b")],
        b"",
    );
    assert_eq!(headers.text(), "11 table 1\nnew nil new\n");
    let body = app.send("POST", "/body", &[], b"a=1");
    assert_eq!(body.text(), "a=1 1 POST\n2 3\n");
    let vars = app.send("GET", "/vars", &[("Cookie", "c=1")], b"");
    let text = vars.text();
    assert!(text.starts_with("x nil GET 1 "), "{text}");
    assert!(text.contains(" 127.0.0.1 HTTP/1.1\n"), "{text}");
    assert!(
        text.ends_with("variable \"uri\" not changeable\n"),
        "{text}"
    );
    assert!(app.get("/raw").text().starts_with("GET /raw HTTP/1.1\r\n"));
    assert_eq!(app.get("/add").header("x-b"), Some("1"));
    assert_eq!(app.get("/timer").text(), "set\n");
    serve_support::eventually(|| {
        app.get("/timed")
            .text()
            .ends_with("API disabled in the context of ngx.timer timer")
    });
}

#[test]
fn captures_are_requests_of_their_own() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "one.lua",
            "local r = ngx.location.capture('/sub?a=1', {args = {b = 2}, method = ngx.HTTP_POST, body = 'data'})
             ngx.say(r.status, ' ', r.header['X-Sub'], ' ', r.body, ' ', r.truncated)",
        ),
        (
            "sub.lua",
            "ngx.req.read_body() ngx.status = 201 ngx.header.x_sub = 'yes'
             ngx.print(ngx.var.args, ' ', ngx.req.get_method(), ' ', ngx.req.get_body_data(), ' ', ngx.is_subrequest)",
        ),
        (
            "many.lua",
            "local a, b, c = ngx.location.capture_multi{{'/slow?n=1'}, {'/slow?n=2'}, {'/nowhere'}} ngx.say(a.body, b.body, c.status)",
        ),
        ("slow.lua", "ngx.sleep(0.01) ngx.print(ngx.var.arg_n) ngx.flush(true) ngx.print('!')"),
        ("deep.lua", "local r = ngx.location.capture('/deep') ngx.print(r.status, r.body)"),
    ]);
    assert_eq!(
        app.get("/one").text(),
        "201 yes a=1&b=2 POST data true false\n"
    );
    assert_eq!(app.get("/many").text(), "1!2!404\n");
    // Those too deep inside one another fail, the outermost request does not.
    assert_eq!(app.get("/deep").status, 200);
}

#[test]
fn output_is_streamed_and_ends() {
    let app = app(&[
        ("rille.toml", MANIFEST),
        (
            "eof.lua",
            "ngx.say('all') ngx.eof() ngx.sleep(0.02) cache.set('after', tostring(select(2, ngx.say('x'))))",
        ),
        ("after.lua", "return cache.get('after') or ''"),
        (
            "length.lua",
            "ngx.header.content_length = 4 ngx.print('ab') ngx.flush(true) ngx.print('cd')",
        ),
        (
            "short.lua",
            "ngx.header.content_length = 9 ngx.print('ab') ngx.flush(true)",
        ),
        (
            "large.lua",
            "local s = string.rep('x', 100000) for i = 1, 50 do ngx.print(s) ngx.flush(true) end",
        ),
    ]);
    assert_eq!(app.get("/eof").text(), "all\n");
    serve_support::eventually(|| app.get("/after").text() == "seen eof");
    let length = app.get("/length");
    assert_eq!(
        (length.header("content-length"), length.text().as_str()),
        (Some("4"), "abcd")
    );
    assert_eq!(app.get("/large").text().len(), 5_000_000);
    let mut raw = app.connect();
    raw.send(b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    while !raw.at_end().unwrap() {
        bytes.extend(raw.receive_bytes().unwrap());
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.contains("content-length: 9\r\n") && text.ends_with("\r\n\r\nab"),
        "{text}"
    );
}
