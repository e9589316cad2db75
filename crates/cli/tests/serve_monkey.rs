//! Code written for the Lua plugin of the Monkey web server.

mod serve_support;

use rille_testkit::http;
use rille_testkit::process::Exit;
use rille_testkit::server::Server;
use serve_support::{App, app, folder, rille, run, serve_with};

/// An app as users of Monkey write them: a guest book, for Lua 5.2 as there.
const GUESTBOOK: &[(&str, &str)] = &[
    (
        "rille.toml",
        r#"
lua = "5.2"
debug = true
[[route]]
match = '^/guest\.lua$'
content = "guest.lua"
[[route]]
match = '^/page/(\d+)\.lua$'
content = "page.lua"
"#,
    ),
    (
        "guest.lua",
        r#"
mk.response.headers["Content-Type"] = "text/html"
local function escape(s) return (s:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" })) end
if mk.request.request_method == "POST" then
  local first, all = mk.request.parsedata()
  mk.response.status = 201
  mk.print("<h1>Thank you, " .. escape(first.name or "nobody") .. "</h1>")
  for _, colour in ipairs(all.colour or {}) do mk.print("<li>" .. escape(colour)) end
  return
end
local args, lists = mk.request.parseargs()
mk.print("<h1>Guests</h1>")
mk.print("<p>page " .. (args.page or "1") .. ", " .. #(lists.page or {}) .. " given</p>")
local names = {}
for name in pairs(args) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do mk.print(name .. "=" .. args[name]) end
"#,
    ),
    ("page.lua", "mk.print('page ' .. request.params['1'])"),
    ("broken.lua", "mk.print('before')\nlocal x = nil + 1"),
];

#[test]
fn an_app_of_monkeys() {
    for version in ["5.1", "5.2", "5.4"] {
        let manifest = GUESTBOOK[0].1.replace("5.2", version);
        let mut files = GUESTBOOK.to_vec();
        files[0].1 = &manifest;
        guest_book(&app(&files));
    }
}

fn guest_book(app: &App) {
    let page = app.get("/guest.lua?page=2&page=3&a%20b=%26+%3D&%C3%A9=1");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(
        page.text(),
        "<h1>Guests</h1>\n<p>page 2, 2 given</p>\na b=& =\npage=2\né=1"
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let thanks = app.send(
        "POST",
        "/guest.lua",
        &form,
        b"name=Jos%C3%A9+%3Cb%3E&colour=red&colour=blue",
    );
    assert_eq!(thanks.status, 201);
    assert_eq!(
        thanks.text(),
        "<h1>Thank you, José &lt;b&gt;</h1>\n<li>red\n<li>blue"
    );
    // `Match` chooses the script, `Debug on` shows what is wrong with it.
    assert_eq!(app.get("/page/42.lua").text(), "page 42");
    assert_eq!(app.get("/page/x.lua").status, 404);
    let broken = app.get("/broken");
    assert_eq!(broken.status, 500);
    assert!(
        broken.text().contains("broken.lua:2:") && broken.text().contains("traceback"),
        "{}",
        broken.text()
    );
    assert!(!broken.text().contains("before"), "{}", broken.text());
    // HEAD has the same length and no body.
    let mut connection = app.connect();
    connection
        .send(b"HEAD /guest.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let head = connection.receive_to("HEAD").unwrap();
    let length = app.get("/guest.lua").text().len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
}

#[test]
fn expressions_choose_scripts() {
    let app = app(&[
        (
            "rille.toml",
            r#"
[[route]]
path = "/api/:name"
content = "show.lua"
methods = ["GET"]
[[route]]
match = "^/(?<kind>\\w+)/(x)?(\\d+)$"
content = "show.lua"
methods = ["GET"]
[[route]]
match = '\.php$'
content = "php.lua"
"#,
        ),
        (
            "show.lua",
            "local all = {} for name, value in pairs(request.params) do all[#all + 1] = name .. '=' .. value end \
             table.sort(all) return table.concat(all, ' ') .. '|' .. tostring(ngx.var[1]) .. '|' .. tostring(ngx.var[3])",
        ),
        (
            "php.lua",
            "return 'gone', {Location = mk.request.script_name}",
        ),
        ("list/7.lua", "return 'the file'"),
        ("list/all.lua", "return 'the file'"),
    ]);
    assert_eq!(app.get("/api/7").text(), "name=7|7|nil");
    assert_eq!(app.get("/list/7").text(), "1=list 3=7 kind=list|list|7");
    assert_eq!(app.get("/list/all").text(), "the file");
    let php = app.get("/a%20b/index.php?x");
    assert_eq!(php.header("location"), Some("/a b/index.php"));
    let refused = app.send("POST", "/list/7", &[], b"");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(app.get("/none").status, 404);
}

#[test]
fn a_bad_expression_is_one_clear_error() {
    let dir = folder(&[
        (
            "rille.toml",
            "\n[[route]]\nmatch = '^/api/(\\d+\\.lua$'\ncontent = 'index.lua'",
        ),
        ("index.lua", "return ''"),
    ]);
    let path = dir.path().to_str().unwrap();
    let outcome = run(&["serve", path, "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.exit, Exit::Code(1));
    let lines = outcome.stderr_text();
    let expected = format!(
        "rille: {path}/rille.toml:3: match = '^/api/(\\d+\\.lua$': unclosed group at character 7; \
         put it right, or write a path with path = \"/...\"\n"
    );
    assert!(lines.starts_with(&expected), "{lines}");
    assert_eq!(lines.matches("unclosed").count(), 1, "{lines}");
}

/// Everything there is in `mk.request`, sorted.
const DUMP: &str = r#"
local lines = {}
for name, value in pairs(mk.request) do
  if type(value) == "string" or type(value) == "number" then
    lines[#lines + 1] = name .. "=" .. tostring(value) .. " (" .. type(value) .. ")"
  elseif type(value) == "table" then
    for key, text in pairs(value) do lines[#lines + 1] = name .. "." .. key .. "=" .. text end
  else
    lines[#lines + 1] = name .. "=" .. type(value)
  end
end
table.sort(lines)
for _, line in ipairs(lines) do mk.print(line) end
"#;

#[test]
fn all_fields_of_a_request() {
    let app = app(&[("rille.toml", "name = 'shop'"), ("dump/a b.lua", DUMP)]);
    let headers = [
        ("Host", "Shop.Localhost:99"),
        ("X-Foo-Bar", "1"),
        ("x-foo-bar", "2"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
    ];
    let answer = app.send("POST", "/dump/a%20b?x=%31&y", &headers, b"da\0ta");
    let text = answer.text();
    let port = app.address().port();
    let mut lines: Vec<&str> = text.lines().collect();
    let remote_port = lines
        .iter()
        .position(|line| line.starts_with("remote_port="));
    let remote_port = lines.remove(remote_port.unwrap());
    assert!(remote_port.ends_with("(number)"), "{remote_port}");
    assert_eq!(
        lines,
        [
            "data=da\0ta (string)",
            "document_root=/ (string)",
            "headers.HTTP_CONNECTION=close",
            "headers.HTTP_CONTENT_LENGTH=5",
            "headers.HTTP_COOKIE=a=1; b=2",
            "headers.HTTP_HOST=Shop.Localhost:99",
            "headers.HTTP_X_FOO_BAR=1, 2",
            "parseargs=function",
            "parsedata=function",
            "query_string=x=%31&y (string)",
            "remote_addr=127.0.0.1 (string)",
            "request_method=POST (string)",
            "request_uri=/dump/a%20b?x=%31&y (string)",
            "script_filename=/dump/a b.lua (string)",
            "script_name=/dump/a b (string)",
            "server_addr=127.0.0.1 (string)",
            "server_name=shop.localhost (string)",
            &format!("server_port={port} (number)"),
            "server_protocol=HTTP/1.1 (string)",
            &format!(
                "server_software=Rille/{} (string)",
                env!("CARGO_PKG_VERSION")
            ),
        ]
    );
}

#[test]
fn addresses_of_ipv6() {
    let dir = folder(&[(
        "index.lua",
        "mk.print(mk.request.remote_addr .. ' ' .. mk.request.server_addr .. ' ' .. mk.config.listen_addr)",
    )]);
    let path = dir.path().to_str().unwrap();
    let server = Server::start(&mut rille(&["serve", path, "--listen", "[::1]:0"])).unwrap();
    let answer = http::get(server.address(), "/").unwrap();
    assert_eq!(answer.text(), "::1 ::1 ::1");
}

#[test]
fn forms_keep_names_of_files_and_nuls() {
    let app = app(&[(
        "up.lua",
        r#"
local first, all, files = mk.request.parsedata()
mk.print(first.title .. "|" .. #all.file .. "|" .. first.file:gsub("%z", "NUL"))
for _, file in ipairs(files.file) do
  mk.print(file.filename .. " " .. tostring(file.content_type) .. " " .. #file.content)
end
mk.print(tostring(files.title))
"#,
    )]);
    let body = b"--XX\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nTwo files\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.bin\"\r\nContent-Type: image/png\r\n\r\n\
        \0PNG\0\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.txt\"\r\n\r\n\r\n--XX--\r\n";
    let kind = [("Content-Type", "multipart/form-data; boundary=XX")];
    let answer = app.send("POST", "/up", &kind, body);
    assert_eq!(
        answer.text(),
        "Two files|2|NULPNGNUL\na b.bin image/png 5\nc.txt nil 0\nnil"
    );
    // What is no form has no fields.
    let none = app.send("POST", "/up", &[("Content-Type", "text/plain")], b"a=1");
    assert_eq!(none.status, 500);
}

#[test]
fn print_takes_what_is_a_text() {
    let app = app(&[
        ("rille.toml", "debug = true"),
        (
            "texts.lua",
            "mk.print('') mk.print(1) mk.print('a\\0b') mk.print('')",
        ),
        ("nothing.lua", "mk.print()"),
        ("table.lua", "mk.print{}"),
    ]);
    assert_eq!(app.get("/texts").text(), "\n1\na\0b\n");
    for (path, why) in [
        (
            "/nothing",
            "nothing.lua:1: bad argument #1 to 'print' (string expected, got nil)",
        ),
        (
            "/table",
            "table.lua:1: bad argument #1 to 'print' (string expected, got table)",
        ),
    ] {
        let answer = app.get(path);
        assert_eq!(answer.status, 500);
        assert!(answer.text().contains(why), "{}", answer.text());
    }
}

#[test]
fn responses() {
    let app = app(&[
        ("rille.toml", "debug = true"),
        (
            "set.lua",
            "mk.response.status = '404' mk.response.headers['X-A'] = 1 mk.response.headers['X-B'] = {'x', 'y'} \
             mk.print(mk.response.status .. ' ' .. mk.response.headers['x-a'])",
        ),
        (
            "whole.lua",
            "mk.response.headers['X-A'] = '1' mk.response = {status = 202, headers = {['X-B'] = '2'}} mk.print('ok')",
        ),
        (
            "pairs.lua",
            "mk.response.headers['X-A'] = 'v' for name, value in pairs(mk.response.headers) do mk.print(name .. '=' .. value) end",
        ),
        ("unset.lua", "mk.print(tostring(mk.response.status))"),
        ("status.lua", "\nmk.response.status = 'many'"),
        (
            "split.lua",
            "\nmk.response.headers['X-A'] = 'a\\r\\nSet-Cookie: b'",
        ),
        ("field.lua", "\nmk.response.body = 'x'"),
        ("config.lua", "\nmk.config.workers = 3"),
        ("print.lua", "\nmk.print = print"),
    ]);
    let set = app.get("/set");
    assert_eq!((set.status, set.text().as_str()), (404, "404 1"));
    assert_eq!(set.header("x-a"), Some("1"));
    assert_eq!(set.all("x-b"), ["x", "y"]);
    let whole = app.get("/whole");
    assert_eq!((whole.status, whole.text().as_str()), (202, "ok"));
    assert_eq!(
        (whole.header("x-a"), whole.header("x-b")),
        (None, Some("2"))
    );
    assert_eq!(app.get("/pairs").text(), "x-a=v");
    assert_eq!(app.get("/unset").text(), "nil");
    for (path, why) in [
        (
            "/status",
            "status.lua:2: a status is a whole number, not a string",
        ),
        ("/split", "split.lua:2: invalid value of the header 'X-A'"),
        ("/field", "field.lua:2: mk.response has status and headers"),
        ("/config", "config.lua:2: "),
        ("/print", "print.lua:2: mk.print cannot be changed"),
    ] {
        let answer = app.get(path);
        assert_eq!(answer.status, 500, "{path}");
        assert!(answer.text().contains(why), "{}", answer.text());
        assert_eq!(answer.all("set-cookie").len(), 0);
    }
}

#[test]
fn cookies() {
    let app = app(&[
        ("rille.toml", "debug = true"),
        (
            "set.lua",
            "mk.cookies.set_cookie{name = 'a', value = '1'} \
             mk.cookies.set_cookie{name = 'b', value = 'x y', expiry = 337606980, secure = true, httponly = true, path = 'p', domain = 'shop.example'} \
             mk.cookies.set_cookie{name = 'c', value = '', expiry = 0, path = '/q', secure = 1}",
        ),
        (
            "get.lua",
            "local c = mk.cookies.get_cookies() mk.print(c.a .. '|' .. c.b .. '|' .. tostring(c.none))",
        ),
        (
            "bad.lua",
            "\nmk.cookies.set_cookie{name = 'a', value = 'x; path=/'}",
        ),
        ("no.lua", "\nmk.cookies.set_cookie()"),
        (
            "when.lua",
            "\nmk.cookies.set_cookie{name = 'a', value = '', expiry = 'soon'}",
        ),
    ]);
    assert_eq!(
        app.get("/set").all("set-cookie"),
        [
            "a=1; path=/",
            "b=x y; path=/p; domain=shop.example; expires=Fri, 12 Sep 1980 11:43:00 GMT; secure; httponly",
            "c=; path=/q",
        ]
    );
    let headers = [("Cookie", "a=1; b=\"two\"; a=3"), ("Cookie", "d=4")];
    assert_eq!(app.send("GET", "/get", &headers, b"").text(), "1|two|nil");
    for (path, why) in [
        ("/bad", "bad.lua:2: invalid cookie value"),
        ("/no", "no.lua:2: bad argument #1 to 'set_cookie'"),
        ("/when", "when.lua:2: a cookie's expiry"),
    ] {
        let answer = app.get(path);
        assert_eq!((answer.status, answer.all("set-cookie").len()), (500, 0));
        assert!(answer.text().contains(why), "{}", answer.text());
    }
}

#[test]
fn what_is_kept_in_mk_is_the_requests_own() {
    let app = app(&[
        (
            "index.lua",
            "if mk.request.query_string == 'set' then mk.mine = 'x' mk.request.more = 'y' global = 'z' end \
             mk.print(tostring(mk.mine) .. tostring(mk.request.more) .. tostring(global))",
        ),
        // Two requests that interleave, with a module that has taken `mk.request` apart before.
        (
            "lib/who.lua",
            "local mk = mk return function() return mk.request.query_string end",
        ),
        (
            "slow.lua",
            "local who = require 'lib.who' local before = who() sleep(0.05) mk.print(before .. who()) coroutine.yield() mk.print('on')",
        ),
    ]);
    assert_eq!(app.get("/?set").text(), "xyz");
    assert_eq!(app.get("/").text(), "nilnilnil");
    let others: Vec<_> = (0..8)
        .map(|number| {
            let address = app.address();
            std::thread::spawn(move || {
                let answer = http::get(address, &format!("/slow?{number}")).unwrap();
                assert_eq!(answer.text(), format!("{number}{number}\non"));
            })
        })
        .collect();
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn config() {
    let dir = folder(&[(
        "index.lua",
        "local c = mk.config for _, name in ipairs{'workers', 'worker_capacity', 'listen_addr', 'server_addr', 'server_software', \
         'transport', 'transport_layer', 'scheduler_mode', 'is_daemon'} do mk.print(name .. '=' .. tostring(c[name])) end \
         mk.print(tostring(c.kernel_features.SO_REUSEPORT)) mk.print(c.user)",
    )]);
    let server = serve_with(
        dir.path(),
        &["--workers", "2", "--max-connections", "10000"],
    );
    let user = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    assert_eq!(
        http::get(server.address(), "/").unwrap().text(),
        format!(
            "workers=2\nworker_capacity=10000\nlisten_addr=127.0.0.1\nserver_addr={}\nserver_software=Rille/{}\n\
             transport=http\ntransport_layer=tcp\nscheduler_mode=MK_SCHEDULER_REUSEPORT\nis_daemon=false\ntrue\n{}",
            server.address(),
            env!("CARGO_PKG_VERSION"),
            user.trim()
        )
    );
}

#[test]
fn a_body_over_the_limit_and_no_request() {
    let App { server, dir } = app(&[
        (
            "rille.toml",
            "[limits]\nbody = '1 KiB'\n[[task]]\nname = 'early'\nrestart = 'temporary'",
        ),
        (
            "tasks/early.lua",
            "log.info(select(2, pcall(function() return mk.request end)))",
        ),
        ("index.lua", "mk.print(#mk.request.data)"),
    ]);
    let chunks = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2048)
    );
    let answer = http::exchange(server.address(), chunks.as_bytes()).unwrap();
    assert_eq!(answer.status, 413);
    let line = server.wait_for_log(
        "no request is being served here",
        std::time::Duration::from_secs(10),
    );
    assert!(line.is_some(), "{}", server.log());
    drop(dir);
}
