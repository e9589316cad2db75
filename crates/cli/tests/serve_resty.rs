//! OpenResty's libraries, unmodified, as Debian packages them (`nginx.redis` for `resty.redis` and so on), in an app, with the real servers
//! they were written for: redis, memcached, dnsmasq.

mod serve_support;

use rille_testkit::http;
use rille_testkit::server::Server;
use rille_testkit::temp::{TempDir, copy_tree};
use serve_support::{folder, redis, serve, start_other};

use std::path::Path;

const LIBRARIES: &str = "/usr/share/lua/5.1/nginx";
const MANIFEST: &str =
    "lua = \"5.1\"\n[limits]\ncpu = \"5 s\"\n[outbound]\nallow = [\"127.0.0.1\"]\n";

/// An app with these handlers and the installed libraries.
fn app(handlers: &[(&str, &str)]) -> (TempDir, Server) {
    let dir = folder(&[("rille.toml", MANIFEST)]);
    for (name, text) in handlers {
        dir.write(name, text).unwrap();
    }
    let from = Path::new(LIBRARIES);
    for package in ["redis", "memcached", "dns", "cookie", "redis-connector"] {
        let sign = match package {
            "dns" => "dns/resolver.lua".to_owned(),
            "redis-connector" => "redis/connector.lua".to_owned(),
            name => format!("{name}.lua"),
        };
        assert!(
            from.join(&sign).exists(),
            "apt-get install lua-nginx-{package}"
        );
    }
    copy_tree(from, &dir.path().join("lib/nginx")).unwrap();
    let server = serve(dir.path());
    (dir, server)
}

fn get(server: &Server, handler: &str, port: u16) -> String {
    let target = format!("/{handler}?port={port}");
    let response = http::get(server.address(), &target).unwrap();
    assert_eq!(response.status, 200, "{}", server.log());
    response.text()
}

const REDIS: &str = r#"
local redis = require "nginx.redis"
local function open()
  local red = redis:new()
  red:set_timeout(2000)
  assert(red:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
  return red
end
local red = open()
red:flushall()
ngx.say("set ", red:set("dog", "an animal"), " ", red:get("dog"))
ngx.say("missing ", red:get("nobody") == ngx.null)
-- Numbers reach redis as 5.1 writes them.
ngx.say("numbers ", red:set("n", 10 / 2), " ", red:incr("n"), " ", red:get("n"))
red:init_pipeline()
red:set("cat", "Marry")
red:lpush("list", "a", "b")
red:lrange("list", 0, -1)
red:get("n", "too", "many")
local replies = red:commit_pipeline()
ngx.say("pipeline ", replies[1], " ", replies[2], " ", table.concat(replies[3], ","), " ", replies[4][1], " ", replies[4][2])
ngx.say("hash ", red:hmset("h", { a = 1, b = 2 }), " ", table.concat(red:hmget("h", "a", "b"), ","), " ", red:array_to_hash(red:hgetall("h")).b)
ngx.say("multi ", red:multi(), " ", red:set("a", 1), " ", table.concat(red:exec(), ","))
ngx.say("script ", red:eval("return {KEYS[1], ARGV[1]}", 1, "k", "v")[2])
ngx.say("big ", red:set("big", ("x"):rep(200000)), " ", #red:get("big"))
local listener = open()
ngx.say("subscribe ", table.concat(listener:subscribe("news"), ","))
local reader = ngx.thread.spawn(function() return listener:read_reply() end)
ngx.say("publish ", red:publish("news", "Hello"))
local _, reply = ngx.thread.wait(reader)
ngx.say("reply ", table.concat(reply, ","), " ", table.concat(listener:unsubscribe("news"), ","))
ngx.say("kept ", red:get_reused_times(), " ", red:set_keepalive(10000, 10))
local again = open()
ngx.say("again ", again:get_reused_times(), " ", again:set_keepalive(10000, 10))
"#;

const CONNECTOR: &str = r#"
local connector = require("nginx.redis.connector").new({ connect_timeout = 1000 })
local red, err = connector:connect({ url = "redis://127.0.0.1:" .. ngx.var.arg_port .. "/3" })
if not red then return ngx.say("failed ", err) end
ngx.say(red:set("where", "database three"), " ", red:get("where"), " ", connector:set_keepalive(red))
local other, why, previous = connector:connect({ host = "127.0.0.1", port = 1 })
ngx.say(other, " ", why)
"#;

#[test]
fn redis_is_spoken_to_by_its_library() {
    let (_dir, server) = app(&[("redis.lua", REDIS), ("connector.lua", CONNECTOR)]);
    let data = TempDir::new("rille-redis").unwrap();
    let redis = redis(&data);
    let port = redis.address().port();
    // The second time the modules are loaded, and the connection is one that was kept.
    for reused in [0, 2] {
        let again = reused + 1;
        let expected = format!(
            "set OK an animal
missing true
numbers OK 6 6
pipeline OK 2 b,a false ERR wrong number of arguments for 'get' command
hash OK 1,2 2
multi OK QUEUED OK
script v
big OK 200000
subscribe subscribe,news,1
publish 1
reply message,news,Hello unsubscribe,news,0
kept {reused} 1
again {again} 1
"
        );
        assert_eq!(get(&server, "redis", port), expected, "{}", server.log());
    }
    assert_eq!(
        get(&server, "connector", port),
        "OK database three 1\nnil connection refused\n"
    );
}

const MEMCACHED: &str = r#"
local memcached = require "nginx.memcached"
local memc = assert(memcached:new())
memc:set_timeout(2000)
assert(memc:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
ngx.say("flush ", memc:flush_all())
ngx.say("set ", memc:set("dog", 32, 0, 5))
local value, flags, err = memc:get("dog")
ngx.say("get ", value, " ", flags, " ", err)
local many = memc:gets({ "dog", "cat" })
ngx.say("gets ", many.dog[1], " ", many.dog[2], " ", #many.dog[3] > 0, " ", many.cat)
ngx.say("cas ", memc:cas("dog", 33, many.dog[3], 0, 1), " ", (memc:get("dog")))
ngx.say("add ", memc:add("dog", 1))
ngx.say("count ", memc:incr("dog", 3), " ", memc:decr("dog", 1))
ngx.say("append ", memc:append("dog", "x"), " ", (memc:get("dog")))
ngx.say("delete ", memc:delete("dog"), " ", (memc:get("dog")))
ngx.say("stats ", #memc:stats() > 10, " ", memc:version() ~= nil)
ngx.say("keep ", memc:set_keepalive(1000, 10))
"#;

#[test]
fn memcached_is_spoken_to_by_its_library() {
    let (_dir, server) = app(&[("memcached.lua", MEMCACHED)]);
    let arguments = ["-u", "nobody", "-l", "127.0.0.1", "-p", "PORT", "-U", "0"];
    let memcached = start_other("memcached", "memcached", &arguments);
    assert_eq!(
        get(&server, "memcached", memcached.address().port()),
        "flush 1
set 1
get 32 5 nil
gets 32 5 true nil
cas 1 33
add nilNOT_STORED
count 36 35
append 1 35x
delete 1 nil
stats true true
keep 1
",
        "{}",
        server.log()
    );
}

const DNS: &str = r#"
local resolver = require "nginx.dns.resolver"
local r = assert(resolver:new({ nameservers = { { "127.0.0.1", tonumber(ngx.var.arg_port) } }, retrans = 2, timeout = 1000 }))
local function show(name, kind)
  local answers, err = r:query(name, { qtype = kind })
  if not answers then return ngx.say(name, " failed ", err) end
  if answers.errcode then return ngx.say(name, " ", answers.errcode, " ", answers.errstr) end
  for _, answer in ipairs(answers) do
    local text = answer.txt
    if type(text) == "table" then text = #table.concat(text) end
    ngx.say(answer.name, " ", answer.type, " ", answer.address or answer.exchange or answer.cname or text)
  end
end
show("www.example.test", r.TYPE_A)
show("www.example.test", r.TYPE_AAAA)
show("mail.example.test", r.TYPE_MX)
show("alias.example.test", r.TYPE_CNAME)
show("txt.example.test", r.TYPE_TXT)
-- Too long for a datagram: asked again over TCP.
show("long.example.test", r.TYPE_TXT)
show("nowhere.example.test", r.TYPE_A)
ngx.say(r:tcp_query("www.example.test", { qtype = r.TYPE_A })[1].address, " ", resolver.arpa_str("1.2.3.4"))
"#;

#[test]
fn names_are_resolved_by_the_library_for_it() {
    let (_dir, server) = app(&[("dns.lua", DNS)]);
    let long = ["x", "y", "z"].map(|c| c.repeat(240)).join(",");
    let long = format!("--txt-record=long.example.test,{long}");
    let dns = start_other(
        "dnsmasq",
        "dnsmasq-base",
        &[
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--local=/example.test/",
            "--port",
            "PORT",
            "--listen-address",
            "127.0.0.1",
            "--bind-interfaces",
            "--host-record=www.example.test,192.0.2.7,2001:db8::7",
            "--mx-host=mail.example.test,mx.example.test,10",
            "--cname=alias.example.test,www.example.test",
            "--txt-record=txt.example.test,hello",
            &long,
        ],
    );
    assert_eq!(
        get(&server, "dns", dns.address().port()),
        "www.example.test 1 192.0.2.7
www.example.test 28 2001:db8:0:0:0:0:0:7
mail.example.test 15 mx.example.test
alias.example.test 5 www.example.test
txt.example.test 16 hello
long.example.test 16 720
nowhere.example.test 3 name error
192.0.2.7 4.3.2.1.in-addr.arpa
",
        "{}",
        server.log()
    );
}

const COOKIE: &str = r#"
local cookie = assert(require("nginx.cookie"):new())
ngx.say(cookie:get("a"), " ", cookie:get("b"), " ", cookie:get("none"))
ngx.say(cookie:get_all().b)
"#;

const SET_COOKIE: &str = r#"
local cookie = assert(require("nginx.cookie"):new())
assert(cookie:set({ key = "name", value = "bob", path = "/", httponly = true, max_age = 50 }))
assert(cookie:set({ key = "other", value = "x", secure = true }))
ngx.say("set")
"#;

#[test]
fn cookies_are_read_and_set_by_the_library_for_it() {
    let (_dir, server) = app(&[("cookie.lua", COOKIE), ("set.lua", SET_COOKIE)]);
    let headers = [("Cookie", "a=1; b=two; c=3")];
    let read = http::request(server.address(), "GET", "/cookie", &headers, b"").unwrap();
    assert_eq!(read.text(), "1 two nil\ntwo\n");
    let set = http::get(server.address(), "/set").unwrap();
    assert_eq!(
        set.all("set-cookie"),
        ["name=bob; Max-Age=50; Path=/; HttpOnly", "other=x; Secure"],
        "{}",
        server.log()
    );
}
