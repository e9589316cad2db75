//! One table of requests, answered the same over HTTP/1.1 and HTTP/2, with TLS and without.

mod secure_support;
mod serve_support;

use rille_testkit::http;
use secure_support::{
    Answer, Secure, ask, connect, http2, http2_plain, request, run, secure, tunnel,
};
use std::net::SocketAddr;

const MANIFEST: &str = r#"
lua = "5.1"
[limits]
body = "100 KiB"
[[route]]
path = "/phases"
rewrite = "p/rewrite.lua"
access = "p/access.lua"
content = "p/content.lua"
header_filter = "p/header.lua"
body_filter = "p/body.lua"
[[route]]
path = "/users/:id"
methods = ["GET", "PUT"]
content = "p/user.lua"
"#;

const FILES: &[(&str, &str)] = &[
    ("rille.toml", MANIFEST),
    ("p/rewrite.lua", "ngx.ctx.way = 'rewrite' ngx.req.set_header('X-Way', 'seen')"),
    ("p/access.lua", "ngx.ctx.way = ngx.ctx.way .. ' access' if ngx.var.arg_deny then ngx.exit(403) end"),
    ("p/content.lua", "ngx.say(ngx.ctx.way, ' content ', ngx.var.http_x_way) ngx.flush(true) ngx.say('end')"),
    ("p/header.lua", "ngx.header['X-Filtered'] = 'yes'"),
    ("p/body.lua", "ngx.arg[1] = ngx.arg[1]:upper()"),
    ("p/user.lua", "return 'user ' .. request.params.id"),
    ("index.lua", "return 'root'"),
    ("status.lua", "return 418, 'teapot', {['X-A'] = {'1', '2'}}"),
    ("nothing.lua", "return 204"),
    ("json.lua", "return {a = 1}"),
    ("echo.lua", "return function(request) return request.method .. ' ' .. request.body end"),
    ("pieces.lua", "local n, bytes = 0, 0 while true do local p = request.read(1000) if not p then break end
        n = n + 1 bytes = bytes + #p end ngx.say(bytes, ' ', n > 1)"),
    ("form.lua", "return request.form.a .. request.form.b"),
    ("headers.lua", "local h = ngx.req.get_headers() ngx.say(h.host, ' ', h['x-one'], ' ', type(h['x-two']), ' ', h.cookie)
        ngx.say(ngx.var.http_x_two, ' ', ngx.var.cookie_b, ' ', request.cookies.a, ' ', request.headers['x-two'])"),
    ("vars.lua", "local v = ngx.var ngx.say(v.request_method, ' ', v.request_uri, ' ', v.uri, ' ', v.args, ' ', v.host, ' ', v.arg_x)"),
    ("stream.lua", "for i = 1, 3 do ngx.say(i) ngx.flush(true) ngx.sleep(0.01) end"),
    ("eof.lua", "ngx.say('said') ngx.eof() ngx.sleep(0.01) ngx.say('never')"),
    ("exit.lua", "ngx.header['X-A'] = 'b' ngx.status = 202 ngx.say('gone') ngx.exit(202)"),
    ("exec.lua", "ngx.exec('/vars', 'x=executed')"),
    ("redirect.lua", "ngx.redirect('/other', 302)"),
    ("capture.lua", "local a, b = ngx.location.capture_multi{{'/echo', {method = ngx.HTTP_POST, body = 'inner'}}, {'/stream'}}
        ngx.say(a.status, ' ', a.body, ' ', b.body)"),
    ("length.lua", "ngx.header.content_length = 6 ngx.say('fixed')"),
    ("read.lua", "ngx.req.read_body() local data = ngx.req.get_body_data() ngx.say(#(data or ''), ' ', ngx.var.content_length or '-')"),
    ("fails.lua", "error('on purpose')"),
    ("public/file.txt", "a static file\n"),
];

type Fields = &'static [(&'static str, &'static str)];

/// Method, target, fields, body; status and the beginning of the response's body.
const TABLE: &[(&str, &str, Fields, &str, u16, &str)] = &[
    ("GET", "/", &[], "", 200, "root"),
    ("HEAD", "/", &[], "", 200, ""),
    ("GET", "/nowhere", &[], "", 404, "404 Not Found: app"),
    ("GET", "/status", &[], "", 418, "teapot"),
    ("GET", "/nothing", &[], "", 204, ""),
    ("GET", "/json", &[], "", 200, "{\"a\":1}"),
    ("POST", "/echo", &[], "some text", 200, "POST some text"),
    ("PUT", "/echo?x=1", &[], "", 200, "PUT "),
    ("POST", "/pieces", &[], "LONG", 200, "90000 true\n"),
    (
        "POST",
        "/echo",
        &[],
        "TOO LONG",
        413,
        "413 Payload Too Large",
    ),
    (
        "POST",
        "/form",
        &[("content-type", "application/x-www-form-urlencoded")],
        "a=1&b=%20x",
        200,
        "1 x",
    ),
    (
        "GET",
        "/headers",
        &[
            ("x-one", "1"),
            ("x-two", "a"),
            ("x-two", "b"),
            ("cookie", "a=1; b=2"),
        ],
        "",
        200,
        "localhost 1 table a=1; b=2\na, b 2 1 a, b\n",
    ),
    (
        "GET",
        "/vars?x=a%20b&y",
        &[],
        "",
        200,
        "GET /vars?x=a%20b&y /vars x=a%20b&y localhost a%20b\n",
    ),
    ("GET", "/stream", &[], "", 200, "1\n2\n3\n"),
    ("HEAD", "/stream", &[], "", 200, ""),
    ("GET", "/eof", &[], "", 200, "said\n"),
    ("GET", "/exit", &[], "", 202, "gone\n"),
    (
        "GET",
        "/exec",
        &[],
        "",
        200,
        "GET /exec /vars x=executed localhost executed\n",
    ),
    ("GET", "/redirect", &[], "", 302, "302 Found"),
    (
        "GET",
        "/capture",
        &[],
        "",
        200,
        "200 POST inner 1\n2\n3\n\n",
    ),
    ("GET", "/length", &[], "", 200, "fixed\n"),
    ("POST", "/read", &[], "12345", 200, "5 5\n"),
    (
        "GET",
        "/fails",
        &[],
        "",
        500,
        "500 Internal Server Error: the handler failed",
    ),
    ("GET", "/file.txt", &[], "", 200, "a static file\n"),
    (
        "GET",
        "/phases",
        &[],
        "",
        200,
        "REWRITE ACCESS CONTENT SEEN\nEND\n",
    ),
    ("GET", "/phases?deny=1", &[], "", 403, "403 FORBIDDEN\n"),
    ("GET", "/users/42", &[], "", 200, "user 42"),
    (
        "DELETE",
        "/users/42",
        &[],
        "",
        405,
        "405 Method Not Allowed",
    ),
    ("OPTIONS", "/", &[], "", 200, "root"),
];

fn body(text: &str) -> Vec<u8> {
    match text {
        "LONG" => vec![b'x'; 90_000],
        "TOO LONG" => vec![b'x'; 110_000],
        text => text.as_bytes().to_vec(),
    }
}

/// What belongs to a version, not to the answer.
const OF_VERSION: &[&str] = &["connection", "transfer-encoding", "date"];

fn over_http1(
    address: SocketAddr,
    (method, target, fields, text, ..): &(&str, &str, Fields, &str, u16, &str),
) -> Answer {
    let mut headers = vec![("Host", "localhost")];
    headers.extend_from_slice(fields);
    let response = http::request(address, method, target, &headers, &body(text)).unwrap();
    let mut headers: Vec<(String, String)> = (response.headers.iter())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    headers.sort();
    Answer {
        status: response.status,
        body: response.text(),
        headers,
    }
}

fn same(mut answer: Answer) -> Answer {
    answer
        .headers
        .retain(|(name, _)| !OF_VERSION.contains(&&**name));
    answer
}

async fn over_all(secure: &Secure) -> Vec<(&'static str, Vec<Answer>)> {
    let plain = secure.app.address();
    let tunnelled = tunnel(secure.tls, secure.authority.client(&["http/1.1"])).await;
    let mut all = Vec::new();
    for (name, address) in [("HTTP/1.1", plain), ("HTTP/1.1 over TLS", tunnelled)] {
        let work = move || TABLE.iter().map(|row| over_http1(address, row)).collect();
        all.push((name, tokio::task::spawn_blocking(work).await.unwrap()));
    }
    let config = secure.authority.client(&["h2"]);
    let stream = connect(secure.tls, config, "localhost").await.unwrap();
    for (name, client) in [
        ("h2c", http2_plain(plain).await),
        ("h2", http2(stream).await),
    ] {
        let mut answers = Vec::new();
        for (method, target, fields, text, ..) in TABLE {
            let mut request = request(method, target);
            for (name, value) in *fields {
                request = request.header(*name, *value);
            }
            if !text.is_empty() {
                request = request.header("content-length", body(text).len());
            }
            answers.push(ask(&client, request, &body(text)).await.unwrap());
        }
        all.push((name, answers));
    }
    all
}

#[test]
fn the_answers_are_the_same() {
    let secure = secure(FILES, &[]);
    let all = run(over_all(&secure));
    for (at, row) in TABLE.iter().enumerate() {
        let (method, target, _, _, status, beginning) = row;
        let mut first = None;
        for (name, answers) in &all {
            let answer = &answers[at];
            let shown = format!("{method} {target} over {name}: {answer:?}");
            assert_eq!(answer.status, *status, "{shown}");
            assert!(answer.body.starts_with(beginning), "{shown}");
            assert!(answer.header("date").is_some(), "{shown}");
            assert!(
                !name.starts_with("h2") || answer.header("connection").is_none(),
                "{shown}"
            );
            let answer = same(Answer {
                status: answer.status,
                headers: answer.headers.clone(),
                body: answer.body.clone(),
            });
            match &first {
                None => first = Some(answer),
                Some(first) => assert_eq!(&answer, first, "{shown}"),
            }
        }
    }
}
