//! `http` against servers of every kind: good ones, slow ones, and those that break the rules.

#[path = "../harness/certificates.rs"]
mod certificates;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../sockets/support.rs"]
mod support;

mod bodies;
mod connections;
mod faults;
mod http2;
mod servers;
mod tls;

use servers::{Log, Peer, echo, ok, server};
use std::sync::atomic::Ordering;
use support::Script;

/// What a script prints that knows the URL `at.url` of a server as `url`, and `show`.
pub fn script(port: &str, source: &str) -> Script {
    const PRELUDE: &str = r#"
local url = "http://127.0.0.1:" .. at.port
local function show(response, err)
  if not response then return print("error", (err:gsub(":" .. at.port, ":PORT"))) end
  print(response.status, response.body)
end
"#;
    Script::new(&format!("{PRELUDE}{source}")).at("port", port)
}

#[test]
fn requests_are_what_they_are_asked_to_be() {
    let (port, counts) = echo();
    let printed = script(
        &port,
        r#"
local function raw(response, err)
  if not response then return print("error", err) end
  for line in response.body:gmatch("[^\r\n]+") do print((line:gsub(":" .. at.port, ":PORT"):gsub("rille/[%d.]+", "rille/V"))) end
  print("--")
end
raw(http.get(url))
raw(http.get(url .. "/a b?x=1#y", {query = {n = {1, 2}, a = "\xc3\xbc &"}, headers = {["X-Two"] = {"a", "b"}, accept = "text/plain"}, decompress = false}))
raw(http.post(url .. "/form", {name = "x y", list = {"1", "2"}}))
raw(http.put(url .. "/json", nil, {json = {a = {1, 2}}}))
raw(http.post(url, "text", {headers = {["Content-Type"] = "text/plain", ["Content-Length"] = 4}}))
raw(http.post(url))
raw(http.delete("http://me:p%40ss@127.0.0.1:" .. at.port .. "/x"))
raw(http.request{url = url, method = "propfind", auth = {"user", "pw"}, data = "d", headers = {host = "other.test"}})
raw(http.request(url, {auth = {type = "bearer", token = "abc"}, keepalive = false}))
raw(http.request{url = url, auth = {oauth = {consumertoken = "k", consumersecret = "s"}}, method = "GET"})
raw(http.options(url, {headers = {["User-Agent"] = "me"}}))
"#,
    )
    .run();
    let oauth = printed
        .iter()
        .position(|line| line.starts_with("authorization: OAuth "))
        .unwrap();
    for name in [
        "oauth_consumer_key=\"k\"",
        "oauth_signature=\"",
        "oauth_nonce=\"",
        "oauth_timestamp=\"1",
    ] {
        assert!(printed[oauth].contains(name), "{}", printed[oauth]);
    }
    let mut printed = printed;
    printed[oauth] = "authorization: OAuth".to_owned();
    let defaults = [
        "user-agent: rille/V",
        "accept: */*",
        "accept-encoding: gzip, deflate",
    ];
    let mut expected: Vec<&str> = Vec::new();
    let mut add = |lines: &[&'static str], with_defaults: bool, more: &[&'static str]| {
        expected.extend(lines);
        if with_defaults {
            expected.extend(defaults);
        }
        expected.extend(more);
        expected.push("--");
    };
    let host = "host: 127.0.0.1:PORT";
    add(&["GET / HTTP/1.1", host], true, &[]);
    add(
        &[
            "GET /a%20b?x=1&a=%C3%BC%20%26&n=1&n=2 HTTP/1.1",
            host,
            "X-Two: a",
            "X-Two: b",
            "accept: text/plain",
            "user-agent: rille/V",
        ],
        false,
        &[],
    );
    add(
        &[
            "POST /form HTTP/1.1",
            host,
            "content-type: application/x-www-form-urlencoded",
        ],
        true,
        &["content-length: 24", "list=1&list=2&name=x%20y"],
    );
    add(
        &["PUT /json HTTP/1.1", host],
        true,
        &[
            "content-type: application/json",
            "content-length: 11",
            "{\"a\":[1,2]}",
        ],
    );
    add(
        &["POST / HTTP/1.1", host, "Content-Type: text/plain"],
        true,
        &["content-length: 4", "text"],
    );
    add(&["POST / HTTP/1.1", host], true, &["content-length: 0"]);
    add(
        &["DELETE /x HTTP/1.1", host],
        true,
        &["authorization: Basic bWU6cEBzcw=="],
    );
    add(
        &["PROPFIND / HTTP/1.1", "host: other.test"],
        true,
        &[
            "authorization: Basic dXNlcjpwdw==",
            "content-length: 1",
            "d",
        ],
    );
    add(
        &["GET / HTTP/1.1", host],
        true,
        &["authorization: Bearer abc", "connection: close"],
    );
    add(&["GET / HTTP/1.1", host], true, &["authorization: OAuth"]);
    add(
        &[
            "OPTIONS / HTTP/1.1",
            host,
            "User-Agent: me",
            "accept: */*",
            "accept-encoding: gzip, deflate",
        ],
        false,
        &[],
    );
    assert_eq!(printed, expected);
    // One was not to be kept.
    assert_eq!(counts.all.load(Ordering::SeqCst), 2);
}

#[test]
fn responses_are_tables() {
    let (port, _) = server(|request| {
        if request.starts_with("HEAD") {
            return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Head: yes\r\n\r\n".to_owned();
        }
        "HTTP/1.1 404 Not Here\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 9\r\n\r\n{\"a\":[1]}".to_owned()
    });
    let printed = script(
        &port,
        r#"
local r = http.get(url .. "/x")
print(r.status, r.statuscode, r.ok, r.reason, r.version, (r.url:gsub(at.port, "PORT")))
print(r.headers["x-a"], r.headers["X-A"], r.headers.x_a, r.headers["content-length"], r.headers.nothing)
print(r.headers["Set-Cookie"][1], r.headers["Set-Cookie"][2])
print(r.body, r.content, r:json().a[1], pcall(function() r:read() end))
local h = http.head(url)
print(h.status, h.ok, h.headers.x_head, h.body, h:json())
print(http.qsencode{b = 1, a = "x y"}, http.qsparse("a=1&b=2&b=3").b[2], require("http") == http, pcall(function() http.get = 1 end))
"#,
    )
    .run();
    assert_eq!(
        printed[..5],
        [
            "404\t404\tfalse\tNot Here\t1.1\thttp://127.0.0.1:PORT/x",
            "1, 2\t1, 2\t1, 2\t9\tnil",
            "a=1\tb=2",
            "{\"a\":[1]}\t{\"a\":[1]}\t1\tfalse\tindex.lua:12: only a response to a request with stream = true is read piece by piece",
            "200\ttrue\tyes\t\tnil\tunexpected end at line 1, column 1",
        ]
    );
    assert!(
        printed[5].starts_with("a=x%20y&b=1\t3\ttrue\tfalse\t"),
        "{}",
        printed[5]
    );
}

#[test]
fn wrong_arguments_are_raised_where_the_script_is() {
    let printed = Script::new(
        r#"
local function try(...) print(select(2, pcall(...))) end
try(function() http.get() end)
try(function() http.get("ftp://a") end)
try(function() http.get("http://a\r\nX: y/") end)
try(function() http.get("http://a", {verfiy = false}) end)
try(function() http.get("http://a", 5) end)
try(function() http.get("http://a", {headers = {["a b"] = 1}}) end)
try(function() http.get("http://a", {headers = {a = "x\r\ny: z"}}) end)
try(function() http.get("http://a", {headers = {a = true}}) end)
try(function() http.get("http://a", {headers = {["Transfer-Encoding"] = "chunked"}}) end)
try(function() http.get("http://a", {headers = {Connection = "upgrade"}}) end)
try(function() http.post("http://a", "abc", {headers = {["content-length"] = 5}}) end)
try(function() http.get("http://a", {timeout = 0}) end)
try(function() http.get("http://a", {timeout = {read = "x"}}) end)
try(function() http.get("http://a", {redirects = 51}) end)
try(function() http.get("http://a", {max_body = -1}) end)
try(function() http.get("http://a", {version = "3"}) end)
try(function() http.get("http://a", {cert = "x"}) end)
try(function() http.get("http://a", {auth = {type = "digest"}}) end)
try(function() http.get("http://a", {auth = {"a:b", "c"}}) end)
try(function() http.get("http://a", {auth = {type = "bearer", token = "a\nb"}}) end)
try(function() http.post("http://a", true) end)
try(function() http.post("http://a", "x", {json = 1}) end)
try(function() http.post("http://a", nil, {json = print}) end)
try(function() http.request{url = "http://a", method = "CONNECT"} end)
try(function() http.request{url = "http://a", method = "A B"} end)
try(function() http.get("http://a", {socket = ""}) end)
local many = {}
for i = 1, 101 do many["h" .. i] = i end
try(function() http.get("http://a", {headers = many}) end)
try(function() http.get("http://a", {headers = {a = ("x"):rep(65536)}}) end)
"#,
    )
    .run();
    let without_place: Vec<&str> = (printed.iter())
        .map(|line| line.trim_start_matches(|c| c != ' ').trim_start())
        .collect();
    for line in &printed {
        assert!(line.starts_with("index.lua:"), "{line}");
    }
    let expected = [
        "there is no url",
        "the URL does not begin with http:// or https://",
        "the URL has a control character",
        "there is no option 'verfiy'; there are url, method, headers, query, params, body, data, json, auth, timeout, redirects, max_body, \
         stream, decompress, version, socket, verify, server_name, cert, key, keepalive, pool_size",
        "the options are a table, not a number",
        "the header \"a b\" has a malformed name",
        "the header 'a' has a control character",
        "the header 'a' is a string or a list of strings, not a boolean",
        "the header 'Transfer-Encoding' is the client's own",
        "the header 'Connection' is 'close' or 'keep-alive'",
        "the Content-Length is not that of the body, 3 bytes",
        "'timeout' is a time in seconds above 0 and up to 1000000",
        "'timeout.read' is a number of seconds, not a string",
        "'redirects' is false or a number from 0 to 50",
        "'max_body' is a whole number from 0 to 4294967296",
        "'version' is \"1.1\" or \"2\"",
        "'cert' and 'key' go together",
        "auth: the type is 'basic', 'bearer' or 'oauth1'",
        "auth: a user with a colon",
        "auth: a token with blanks, control characters or none at all",
        "'body' is a string, a table or a function, not a boolean",
        "there is a body beside 'json'",
        "JSON cannot say a function",
        "CONNECT is not for requests",
        "the method is malformed",
        "failed to parse host name \"unix:\": no path in the unix domain socket",
        "more than 100 headers, or 64 KiB of them",
        "more than 100 headers, or 64 KiB of them",
    ];
    for (is, wanted) in without_place.iter().zip(expected) {
        if !wanted.starts_with("JSON") {
            assert_eq!(*is, wanted);
        }
    }
    assert_eq!(without_place.len(), expected.len());
}

#[test]
fn redirects_follow_the_rules() {
    let (other, other_log) = logged(|_| ok("other"));
    let target = format!("http://127.0.0.1:{other}/there");
    let (port, log) = logged(move |request| {
        let path = request.split(' ').nth(1).unwrap();
        let (status, location) = match path.split('/').collect::<Vec<_>>()[..] {
            ["", "to", status, "other"] => (status, target.clone()),
            ["", "to", status, _] => (status, "/end".to_owned()),
            ["", "loop"] => ("302", "loop".to_owned()),
            ["", "bad"] => ("302", "gopher://x/".to_owned()),
            ["", "two"] => return "HTTP/1.1 302 x\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n".to_owned(),
            ["", "none"] => return "HTTP/1.1 302 x\r\nContent-Length: 4\r\n\r\nnone".to_owned(),
            _ => return ok("end"),
        };
        format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 5\r\n\r\nmoved")
    });
    let printed = script(
        &port,
        r#"
for _, status in ipairs{301, 302, 303, 307, 308} do
  show(http.post(url .. "/to/" .. status .. "/x", "body", {headers = {["content-type"] = "a/b"}}))
end
show(http.head(url .. "/to/303/x"))
show(http.delete(url .. "/to/302/x"))
show(http.get(url .. "/to/302/other", {auth = {"u", "p"}, headers = {cookie = "c=1", ["X-Kept"] = 1, host = "me"}}))
show(http.get(url .. "/loop", {redirects = 3}))
show(http.get(url .. "/loop"))
show(http.get(url .. "/bad"))
show(http.get(url .. "/two"))
show(http.get(url .. "/none"))
show(http.get(url .. "/to/302/x", {redirects = false}))
show(http.get(url .. "/to/302/x", {redirects = 0}))
local once = true
local function source() if once then once = false return "piece" end end
show(http.post(url .. "/to/307/x", source))
once = true
show(http.post(url .. "/to/303/x", source))
print((http.get(url .. "/to/302/x?q").url:gsub(at.port, "PORT")))
"#,
    )
    .run();
    assert_eq!(
        printed,
        [
            "200\tend",
            "200\tend",
            "200\tend",
            "200\tend",
            "200\tend",
            "200\t",
            "200\tend",
            "200\tother",
            "error\tmore than 3 redirects",
            "error\tmore than 10 redirects",
            "error\t127.0.0.1:PORT sent a redirect that cannot be followed: the URL does not begin with http:// or https://",
            "error\t127.0.0.1:PORT sent two Location fields",
            "302\tnone",
            "302\tmoved",
            "302\tmoved",
            "error\t127.0.0.1:PORT redirects to http://127.0.0.1:PORT/end, but the body, which a function has given, cannot be sent again",
            "200\tend",
            "http://127.0.0.1:PORT/end",
        ]
    );
    let seen = log.lines();
    let after_post: Vec<(&str, bool, bool)> = (seen[..10].iter())
        .filter(|request| request.contains("/end"))
        .map(|request| {
            (
                request.split(' ').next().unwrap(),
                request.ends_with("body"),
                request.contains("content-type"),
            )
        })
        .collect();
    let gets = ("GET", false, false);
    assert_eq!(
        after_post,
        [gets, gets, gets, ("POST", true, true), ("POST", true, true)]
    );
    assert!(seen[11].starts_with("HEAD /end") && seen[13].starts_with("DELETE /end"));
    let [there] = &other_log.lines()[..] else {
        panic!()
    };
    let there = there.to_ascii_lowercase();
    assert!(there.contains("x-kept: 1") && there.contains(&format!("host: 127.0.0.1:{other}\r\n")));
    assert!(
        !there.contains("authorization") && !there.contains("cookie"),
        "{there}"
    );
}

/// As [`server`], with what it was asked.
fn logged(answer: impl Fn(&str) -> String + Send + Clone + 'static) -> (String, Log) {
    let log = Log::default();
    let adding = log.clone();
    let (port, _) = server(move |request| {
        adding.add(request);
        answer(request)
    });
    (port, log)
}

#[test]
fn unix_sockets() {
    use std::os::unix::net::UnixListener;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut peer = Peer::new(stream);
                while let Some(request) = peer.request() {
                    if request.starts_with("GET /away") {
                        peer.say("HTTP/1.1 302 x\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n");
                    } else {
                        peer.say(ok(&request[..request.find("\r\nuser").unwrap()]));
                    }
                }
            });
        }
    });
    let printed = script(
        "0",
        r#"
show(http.get("http://api.test/x", {socket = at.path}))
show(http.get("http://api.test/x", {socket = "unix:" .. at.path}))
show(http.get("http://api.test/away", {socket = at.path}))
print((select(2, http.get("http://api.test/x", {socket = at.path .. "x"})):gsub("unix:.*", "")))
"#,
    )
    .at("path", path.display().to_string())
    .run();
    assert_eq!(
        printed,
        [
            "200\tGET /x HTTP/1.1\\r\\nhost: api.test",
            "200\tGET /x HTTP/1.1\\r\\nhost: api.test",
            "error\trefused to follow a redirect from a unix socket to http://other.test/",
            "no such file or directory: "
        ]
    );
}
