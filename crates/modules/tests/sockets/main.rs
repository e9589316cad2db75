//! `ngx.socket` against real servers: each test starts some on this machine and runs a script that is told their ports in the table `at`.
//!
//! Nothing here depends on how long something takes, but for time limits of a few milliseconds that a server that says nothing must
//! hit, and generous ones that nothing must.

#[path = "../harness/certificates.rs"]
mod certificates;
#[path = "../harness/mod.rs"]
mod harness;
mod support;
mod tls;
mod websocket;
mod yields;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::thread;
use support::{Script, serve};

/// Sends back what it gets.
fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// Says `text` and ends the connection once the other side does.
fn say(text: &'static str) -> impl Fn(TcpStream) + Send + Clone + 'static {
    move |mut stream| {
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Reads and says nothing.
fn silent(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn lines_bytes_and_the_rest() {
    let printed = Script::new(
        r#"
local sock = ngx.socket.tcp()
print(type(sock), sock:connect("127.0.0.1", at.server))
print(sock:receive())
print(sock:receive("*l"))
print(sock:receive(3))
print(sock:receive("2"))
print(sock:receive(0))
print(sock:receive("*a"))
print(sock:receive("*a"))
print(sock:receive())
print(sock:receive())
print(sock:getreusedtimes())
print(sock:close())
print(sock:close())
print(sock:receive())
print(sock:send("x"))
print(sock:getreusedtimes())
"#,
    )
    .at("server", serve(say("one\r\nt\rwo\nabcdefgh\n\nrest")))
    .run();
    assert_eq!(
        printed,
        [
            "table\t1",
            "one",
            "two",
            "abc",
            "de",
            "",
            "fgh\\n\\nrest",
            "",
            "nil\tclosed\t",
            "nil\tclosed",
            "0",
            "1",
            "nil\tclosed",
            "nil\tclosed",
            "nil\tclosed",
            "nil\tclosed",
        ]
    );
}

#[test]
fn what_can_be_sent() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
local function sent(data)
  print(sock:send(data))
end
sent("abc") sent(10 / 2) sent(1.5) sent(true) sent(false) sent(nil) sent("") sent({})
sent({"a", 1, {"b", {"c"}, 2.5}, {}, "d"})
sent(2 ^ 53)
print(sock:receive(44))
print(pcall(sock.send, sock, print))
print(pcall(sock.send, sock, {"a", nil, "b"}))
print(pcall(sock.send, sock, {a = 1}))
print(pcall(sock.send, sock, {true}))
print(pcall(function() sock:send({print}) end))
print(pcall(sock.send, sock))
print(pcall(sock.send, sock, "a", "b"))
local round = {} round[1] = round
print(pcall(sock.send, sock, round))
local wide = {} for i = 1, 200001 do wide[i] = "" end
print(pcall(sock.send, sock, wide))
print(pcall(sock.send, {}, "a"))
print(pcall(sock.send, "sock", "a"))
print(sock:send("still"), sock:receive(5))
"#,
    )
    .at("server", serve(echo))
    .run();
    assert_eq!(
        printed,
        [
            "3",
            "1",
            "3",
            "4",
            "5",
            "3",
            "0",
            "0",
            "8",
            "18",
            "abc51.5truefalsenila1bc2.5d9.007199254741e+1",
            "false\tbad argument #2 to '?' (string, number, boolean, nil, or array table expected, got function)",
            "false\tbad argument #2 to '?' (bad data type nil found)",
            "false\tbad argument #2 to '?' (non-array table found)",
            "false\tbad argument #2 to '?' (bad data type boolean found)",
            "false\tindex.lua:14: bad argument #1 to 'send' (bad data type function found)",
            "false\texpecting 2 arguments (including the object), but got 1",
            "false\texpecting 2 arguments (including the object), but got 3",
            "false\tbad argument #2 to '?' (tables nested too deep)",
            "false\tbad argument #2 to '?' (too many elements)",
            "false\tbad argument #1 to '?' (bad tcp socket)",
            "false\tbad argument #1 to '?' (table expected, got string)",
            "5\t5stil",
        ]
    );
}

#[test]
fn arguments_of_connect_and_receive() {
    let printed = Script::new(
        r#"
local sock = ngx.socket.tcp()
print(sock:connect("127.0.0.1"))
print(sock:connect("127.0.0.1", 65536))
print(sock:connect("127.0.0.1", -1))
print(sock:connect("127.0.0.1", {pool = "x"}))
print(pcall(sock.connect, sock))
print(pcall(sock.connect, sock, "a", 1, {pool_size = 0}))
print(pcall(sock.connect, sock, "a", 1, {pool_size = "x"}))
print(pcall(sock.connect, sock, "a", 1, {backlog = -1}))
print(pcall(sock.connect, sock, "a", 1, {pool = {}}))
print(pcall(sock.connect, sock, "a", 1, {pool = ("x"):rep(1025)}))
print(pcall(function() return sock:connect(nil, 1) end))
print(sock:connect("unix:"))
print(sock:connect("unix:/nonexistent/socket"))
print(sock:connect("unix:/" .. ("x"):rep(200)))
print(sock:bind("nonsense"))
print(sock:bind("127.0.0.1", 70000))
print(sock:bind("127.0.0.1", "x"))
print(sock:bind("127.0.0.1"))
print(pcall(sock.settimeout, sock))
print(pcall(sock.settimeout, sock, -1))
print(pcall(sock.settimeout, sock, 2 ^ 31))
print(pcall(sock.settimeouts, sock, 1, 2))
print(sock:settimeout(nil), sock:settimeouts(0, nil, 1))
print(pcall(ngx.socket.tcp, 1))
print(sock:setoption("keepalive", true))
print(sock:setoption())
print(sock:setoption("keepalive"))
print(sock:setoption("linger", 1))
print(sock:setkeepalive())
print(sock:getfd())
print(sock:sslhandshake())
print(sock:setclientcert("x"))
print(sock:setclientcert("x", {}))
print(sock:setclientcert("x", "y"))
print(sock:setclientcert(nil, nil))
print(sock:receiveuntil(""))
print(sock:receiveuntil(("x"):rep(8193)))
print(pcall(sock.receiveuntil, sock, "x", 1))
print(pcall(sock.receiveuntil, sock, "x", {inclusive = 1}))
print(pcall(sock.receiveuntil, sock))
print(sock:receiveuntil("x")())
print(pcall(sock:receiveuntil("x"), 1, 2))
sock.field = 1
print(sock.field, pcall(function() getmetatable(sock).__index.send = 1 end))
"#,
    )
    .run();
    assert_eq!(
        printed,
        [
            "nil\tmissing the port number",
            "nil\tbad port number: 65536",
            "nil\tbad port number: -1",
            "nil\tmissing the port number",
            "false\tngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen 1",
            "false\tbad argument #4 to '?' (bad \"pool_size\" option value: 0)",
            "false\tbad argument #4 to '?' (bad \"pool_size\" option type: string)",
            "false\tbad argument #4 to '?' (bad \"backlog\" option value: -1)",
            "false\tbad argument #4 to '?' (bad \"pool\" option type: table)",
            "false\tbad argument #4 to '?' (the \"pool\" option is too long)",
            "false\tindex.lua:13: bad argument #1 to 'connect' (string expected, got nil)",
            "nil\tfailed to parse host name \"unix:\": no path in the unix domain socket",
            "nil\tno such file or directory",
            "nil\tfailed to parse host name \"unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": too long path in the unix domain socket",
            "nil\tbad address",
            "nil\tbad port number: 70000",
            "nil\texpecting port to be anumber but got type: string",
            "true",
            "false\tngx.socket settimeout: expecting 2 arguments (including the object) but seen 1",
            "false\tbad timeout value",
            "false\tbad timeout value",
            "false\tngx.socket settimeouts: expecting 4 arguments (including the object) but seen 3",
            "nil",
            "false\texpecting zero arguments, but got 1",
            "nil\tclosed",
            "nil\tmissing the \"option\" argument",
            "nil\tmissing the \"value\" argument",
            "nil\tunsupported option linger",
            "nil\tclosed",
            "nil\tclosed",
            "nil\tclosed",
            "nil\tclient certificate must be supplied with corresponding private key",
            "nil\tinvalid client certificate chain",
            "nil\tinvalid client certificate chain",
            "true",
            "nil\tpattern is empty",
            "nil\tfailed to compile pattern",
            "false\tbad argument #3 to '?' (table expected, got number)",
            "false\tbad \"inclusive\" option value type: number",
            "false\texpecting 2 or 3 arguments (including the object), but got 1",
            "nil\tclosed",
            "false\texpecting 0 or 1 argument, but seen 2",
            "1\tfalse\tindex.lua:46: attempt to modify a read-only table"
        ]
    );
}

#[test]
fn arguments_of_reads() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(pcall(sock.receive, sock, -1))
print(pcall(sock.receive, sock, "x"))
print(pcall(sock.receive, sock, "*x"))
print(pcall(sock.receive, sock, {}))
print(pcall(sock.receive, sock, nil))
print(pcall(sock.receive, sock, 1, 2))
print(pcall(sock.receive))
print(pcall(sock.receiveany, sock))
print(pcall(sock.receiveany, sock, 0))
print(pcall(sock.receiveany, sock, "x"))
print(pcall(sock.shutdown, sock, "receive"))
print(sock:receiveany(3), sock:receiveany(100), sock:receiveany(1))
"#,
    )
    .at("server", serve(say("abcdef")))
    .run();
    assert_eq!(
        printed,
        [
            "false\tbad argument #2 to '?' (bad number argument)",
            "false\tbad argument #2 to '?' (bad pattern argument: x)",
            "false\tbad argument #2 to '?' (bad pattern argument)",
            "false\tbad argument #2 to '?' (bad argument)",
            "false\tbad argument #2 to '?' (bad argument)",
            "false\texpecting 1 or 2 arguments (including the object), but got 3",
            "false\texpecting 1 or 2 arguments (including the object), but got 0",
            "false\texpecting 2 arguments (including the object), but got 1",
            "false\tbad argument #2 to '?' (bad max argument)",
            "false\tbad argument #2 to '?' (bad max argument)",
            "false\tbad argument #2 to '?' (bad shutdown argument: receive)",
            "abc\tdef\tnil\tclosed\t"
        ]
    );
}

#[test]
fn reading_until_a_text() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
local reader = sock:receiveuntil("\r\n--abcedhb")
for _ = 1, 8 do print(reader(4)) end
local inclusive = sock:receiveuntil("_END_", {inclusive = true})
print(inclusive())
print(inclusive(3))
print(inclusive(3))
print(inclusive(3))
print(sock:receiveuntil("never")())
print(sock:receiveuntil("never")())
"#,
    )
    .at(
        "server",
        serve(say(
            "hello, world! -agentzh\r\n--abcedhb blah_END_ab_END_tail nev",
        )),
    )
    .run();
    assert_eq!(
        printed,
        [
            "hell",
            "o, w",
            "orld",
            "! -a",
            "gent",
            "zh",
            "nil\tnil\tnil",
            " bla",
            "h_END_",
            "ab_END_",
            "nil\tnil\tnil",
            "tai",
            "nil\tclosed\tl ",
            "nil\tclosed"
        ]
    );
}

#[test]
fn time_limits() {
    let printed = Script::new(
        r#"
local sock = ngx.socket.tcp()
sock:settimeout(60000)
assert(sock:connect("127.0.0.1", at.slow))
print(sock:receiveany(1))
sock:settimeout(30)
print(sock:receive())
print(sock:receive(10))
print(sock:receiveany(10))
local reader = sock:receiveuntil("bcd")
print(reader())
sock:settimeout(60000)
assert(sock:send("go on\n"))
print(reader())
print(sock:receive())
sock:settimeouts(60000, 60000, 30)
print(sock:receive())
print(sock:close())
"#,
    )
    .at(
        "slow",
        serve(|mut stream| {
            stream.write_all(b"ab").unwrap();
            stream.read_exact(&mut [0; 6]).unwrap();
            stream.write_all(b"abcabcd\rrest\n").unwrap();
            silent(stream);
        }),
    )
    .run();
    assert_eq!(
        printed,
        [
            "a",
            "nil\ttimeout\tb",
            "nil\ttimeout\t",
            "nil\ttimeout\t",
            "nil\ttimeout\t",
            "abca",
            "rest",
            "nil\ttimeout\t",
            "1"
        ]
    );
}

#[test]
fn refused_and_unknown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let printed = Script::new(
        r#"
local sock = ngx.socket.tcp()
print(sock:connect("127.0.0.1", at.nobody))
print(sock:connect("localhost", at.nobody))
print(sock:connect("with a space", 80))
print(sock:connect("", 80))
print(sock:connect("localhost", at.echo))
print(sock:send("x"), sock:receive(1))
print(ngx.socket.connect("127.0.0.1", at.nobody))
local ok, err = sock:connect("does-not-exist.invalid", 80)
print(ok, err:match("^does%-not%-exist%.invalid could not be resolved %(%d: [%a ]+%)$") ~= nil)
print(sock:receive())
"#,
    )
    .at("nobody", port.to_string())
    .at("echo", serve(echo))
    .run();
    assert_eq!(
        printed,
        [
            "nil\tconnection refused",
            "nil\tconnection refused",
            "nil\twith a space could not be resolved (3: Host not found)",
            "nil\tfailed to parse host name \"\": no host",
            "1",
            "1\tx",
            "nil\tconnection refused",
            "nil\ttrue",
            "nil\tclosed"
        ]
    );
}

#[test]
fn connections_are_used_again() {
    let printed = Script::new(
        r#"
local function open(options)
  local sock = ngx.socket.tcp()
  assert(sock:connect("127.0.0.1", at.server, options))
  return sock
end
local sock = open()
print(sock:getreusedtimes(), sock:send("a"), sock:receive(1))
print(sock:setkeepalive())
print(sock:setkeepalive())
print(sock:send("x"))
sock = open()
print(sock:getreusedtimes(), sock:send("b"), sock:receive(1))
print(sock:setkeepalive(0, 5))
print(open({pool = "other"}):getreusedtimes())
sock = open()
print(sock:getreusedtimes())
-- Unread data, in the buffer or on its way.
sock:send("xyz") sock:receive(1)
print(sock:setkeepalive())
print(sock:receive(2), sock:setkeepalive())
sock = open()
print(sock:getreusedtimes())
-- Too old.
print(sock:setkeepalive(1))
ngx.sleep(0.005)
print(open():getreusedtimes())
-- At most one idle connection.
local a, b = open({pool = "small", pool_size = 1}), open({pool = "small", pool_size = 1})
print(a:setkeepalive(), b:setkeepalive())
a, b = open({pool = "small"}), open({pool = "small"})
print(a:getreusedtimes(), b:getreusedtimes())
print(pcall(open().setkeepalive, open({pool = "none"}), 1000, 0))
"#,
    )
    .at("server", serve(echo))
    .run();
    assert_eq!(
        printed,
        [
            "0\t1\ta",
            "1",
            "nil\tclosed",
            "nil\tclosed",
            "1\t1\tb",
            "1",
            "0",
            "2",
            "nil\tunread data in buffer",
            "yz\t1",
            "3",
            "1",
            "0",
            "1\t1",
            "1\t0",
            "false\tbad argument #3 to '?' (bad \"pool_size\" option value: 0)"
        ]
    );
}

#[test]
fn a_connection_that_its_peer_has_closed_is_not_used_again() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(sock:receive(1))
print(sock:setkeepalive())
-- The other side closes now.
local other = assert(ngx.socket.connect("127.0.0.1", at.go_on))
print(other:receive())
ngx.sleep(0.3)
sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(sock:getreusedtimes())
local dubious = assert(ngx.socket.connect("127.0.0.1", at.talker))
print(dubious:receive(1))
ngx.sleep(0.3)
print(dubious:setkeepalive())
print(dubious:close())
"#,
    )
    .at_closing_server()
    .at("talker", serve(say_and_keep))
    .run();
    assert_eq!(
        printed,
        [
            "a",
            "1",
            "closed",
            "0",
            "a",
            "nil\tconnection in dubious state",
            "nil\tclosed"
        ]
    );
}

/// Says one byte, later more.
fn say_and_keep(mut stream: TcpStream) {
    stream.write_all(b"a").unwrap();
    thread::sleep(std::time::Duration::from_millis(10));
    let _ = stream.write_all(b"b");
    silent(stream);
}

trait ClosingServer {
    fn at_closing_server(self) -> Self;
}

impl ClosingServer for Script {
    /// `server` says a byte and waits for a connection to `go_on`; then it closes.
    fn at_closing_server(self) -> Script {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
        let server = serve(move |mut stream| {
            stream.write_all(b"a").unwrap();
            let _ = receiver.lock().unwrap().recv();
        });
        let go_on = serve(move |mut stream| {
            sender.send(()).unwrap();
            stream.write_all(b"closed\n").unwrap();
        });
        self.at("server", server).at("go_on", go_on)
    }
}

#[test]
fn a_pool_with_a_backlog_limits_its_connections() {
    let printed = Script::new(
        r#"
local options = {pool = "p", pool_size = 1, backlog = 1}
local function open(limit)
  local sock = ngx.socket.tcp()
  sock:settimeout(limit or 60000)
  return sock, sock:connect("127.0.0.1", at.server, options)
end
local first = open()
local waiting = ngx.thread.spawn(function()
  local sock = open()
  local times = sock:getreusedtimes()
  sock:send("w")
  return "waited", times, sock:receive(1), sock
end)
print(select(2, open()))
print(first:setkeepalive())
local _, word, times, byte, sock = ngx.thread.wait(waiting)
print(word, times, byte)
-- One that gives up makes room for the next.
print(select(2, open(10)))
local second = ngx.thread.spawn(function()
  local sock = open()
  return sock:getreusedtimes(), sock:close()
end)
print(sock:close())
print(ngx.thread.wait(second))
-- One that is stopped while it waits.
local holder = open()
local stopped = ngx.thread.spawn(open)
print(select(2, open(10)))
print(ngx.thread.kill(stopped))
ngx.sleep(0)
print(select(2, open(10)))
print(holder:close())
"#,
    )
    .at("server", serve(echo))
    .run();
    assert_eq!(
        printed,
        [
            "nil\ttoo many waiting connect operations",
            "1",
            "waited\t1\tw",
            "nil\ttimeout",
            "1",
            "true\t0\t1",
            "nil\ttoo many waiting connect operations",
            "1",
            "nil\ttimeout",
            "1"
        ]
    );
}

#[test]
fn one_reads_while_another_writes() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
assert(sock:setoption("sndbuf", 10000))
local size = 4 * 1024 * 1024
local text = ("x"):rep(size)
local reader = ngx.thread.spawn(function()
  local data, err = sock:receive(size)
  return data and #data, err
end)
print(sock:receive())
print(sock:receiveany(1))
print(sock:receiveuntil("x")())
print(sock:close())
print(sock:setkeepalive())
print(sock:connect("127.0.0.1", at.server))
print(sock:sslhandshake())
local writer = ngx.thread.spawn(function()
  return sock:send(text)
end)
print(sock:send("y"))
print(ngx.thread.wait(writer))
print(ngx.thread.wait(reader))
print(sock:close())
"#,
    )
    .at("server", serve(slow_echo))
    .run();
    assert_eq!(
        printed,
        [
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy reading",
            "nil\tsocket busy writing",
            "true\t4194304",
            "true\t4194304\tnil",
            "1"
        ]
    );
}

/// Sends everything back, once it has it all... or after a megabyte.
fn slow_echo(mut stream: TcpStream) {
    let mut bytes = vec![0; 1 << 20];
    thread::sleep(std::time::Duration::from_millis(50));
    while stream.read_exact(&mut bytes).is_ok() {
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

#[test]
fn a_stopped_reader_closes_the_socket() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
local reader = ngx.thread.spawn(function() return sock:receive() end)
print(ngx.thread.kill(reader))
ngx.sleep(0)
print(sock:send("x"))
print(sock:receive())
print(sock:connect("127.0.0.1", at.echo))
print(sock:send("x"), sock:receive(1))
"#,
    )
    .at("server", serve(silent))
    .at("echo", serve(echo))
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 1));
    assert_eq!(printed, ["1", "nil\tclosed", "nil\tclosed", "1", "1\tx"]);
}

#[test]
fn it_waits_wherever_lua_code_can_be() {
    let printed = Script::new(
        r#"
local function sock() return assert(ngx.socket.connect("127.0.0.1", at.server)) end
local s = sock()
local function ask(text)
  assert(s:send(text .. "\n"))
  local line = assert(s:receive())
  return line
end
print(pcall(ask, "pcall"))
print(select(2, pcall(function() error(ask("error"), 0) end)))
print(select(2, xpcall(error, function(m) return ask("handler " .. m) end, "m")))
print(setmetatable({}, {__index = function(_, key) return ask(key) end}).index)
print(setmetatable({}, {__add = function(a, b) return ask("add " .. b) end}) + 1)
print(tostring(setmetatable({}, {__tostring = function() return ask("tostring") end})))
for line in function(_, last) if not last then return ask("iterator") end end do print(line) end
local list = {3, 1, 2}
table.sort(list, function(a, b) return tonumber(ask(a)) < tonumber(ask(b)) end)
print(table.concat(list, " "))
print((("a-b"):gsub("%a", function(letter) return ask(letter:upper()) end)))
print(coroutine.wrap(function() coroutine.yield(ask("coroutine")) end)())
print(assert(loadstring("return ...", "x"))(ask("loaded")))
"#,
    )
    .at("server", serve(echo))
    .run();
    assert_eq!(
        printed,
        [
            "true\tpcall",
            "error",
            "handler m",
            "index",
            "add 1",
            "tostring",
            "iterator",
            "1 2 3",
            "A-B",
            "coroutine",
            "loaded",
        ]
    );
}

#[test]
fn half_closed_connections() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(sock:send("all of it"))
print(sock:shutdown("send"))
print(sock:send("more"))
print(sock:receive("*a"))
print(sock:setkeepalive())
print(sock:close())
-- The other side has ended what it says, and still listens.
sock = assert(ngx.socket.connect("127.0.0.1", at.ends))
print(sock:receive())
print(sock:receive())
print(sock:send("still"))
print(sock:setkeepalive())
print(sock:close())
"#,
    )
    .at(
        "server",
        serve(|mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        }),
    )
    .at("ends", serve(say("")))
    .run();
    assert_eq!(
        printed,
        [
            "9",
            "1",
            "nil\tclosed",
            "all of it",
            "nil\tclosed",
            "1",
            "nil\tclosed\t",
            "nil\tclosed",
            "5",
            "nil\tclosed",
            "1"
        ]
    );
}

#[test]
fn unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, datagram) = (folder.path().join("stream"), folder.path().join("datagram"));
    let listener = UnixListener::bind(&stream).unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut line = [0; 5];
            while stream.read_exact(&mut line).is_ok() {
                stream.write_all(&line).unwrap();
            }
        }
    });
    let socket = UnixDatagram::bind(&datagram).unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 100];
        while let Ok((count, from)) = socket.recv_from(&mut bytes) {
            socket.send_to_addr(&bytes[..count], &from).unwrap();
        }
    });
    let printed = Script::new(
        r#"
local sock = ngx.socket.stream()
print(sock:connect("unix:" .. at.stream))
print(sock:send("line\n"), sock:receive())
print(sock:setkeepalive())
print(sock:connect("unix:" .. at.stream, {pool = "other"}))
print(sock:getreusedtimes(), sock:close())
print(sock:connect("unix:" .. at.stream))
print(sock:getreusedtimes())
local udp = ngx.socket.udp()
print(udp:setpeername("unix:" .. at.datagram))
print(udp:send({"a", 1, {"b"}}), udp:receive())
print(udp:setpeername("unix:/nonexistent"))
print(udp:send("x"))
"#,
    )
    .at("stream", stream.to_str().unwrap())
    .at("datagram", datagram.to_str().unwrap())
    .run();
    assert_eq!(
        printed,
        [
            "1",
            "5\tline",
            "1",
            "1",
            "0\t1",
            "1",
            "1",
            "1",
            "1\ta1b",
            "nil\tno such file or directory",
            "nil\tclosed"
        ]
    );
}

#[test]
fn datagrams() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut bytes = [0; 100];
        while let Ok((count, from)) = socket.recv_from(&mut bytes) {
            if count > 0 {
                socket.send_to(&bytes[..count], from).unwrap();
            }
        }
    });
    let printed = Script::new(
        r#"
local sock = ngx.socket.udp()
print(type(sock), sock:send("x"))
print(sock:receive())
print(sock:bind("127.0.0.1"))
print(sock:setpeername("localhost", at.server))
print(sock:send("hello"), sock:receive())
print(sock:send({"a", 2}), sock:receive(1))
sock:settimeout(20)
print(sock:receive())
local reader = ngx.thread.spawn(function() return sock:receive() end)
print(sock:receive())
print(sock:send("x"))
print(sock:close())
print(ngx.thread.wait(reader))
print(sock:close())
print(sock:close())
print(sock:setpeername("127.0.0.1", 70000))
print(sock:bind("x"))
print(pcall(sock.setpeername, sock))
print(pcall(sock.send, sock))
print(pcall(sock.receive, sock, 1, 2))
print(pcall(sock.settimeout, sock))
"#,
    )
    .at("server", port.to_string())
    .run();
    assert_eq!(
        printed,
        [
            "table\tnil\tclosed",
            "nil\tclosed",
            "1",
            "1",
            "1\thello",
            "1\ta",
            "nil\ttimeout",
            "nil\tsocket busy",
            "nil\tsocket busy",
            "nil\tsocket busy",
            "true\tnil\ttimeout",
            "1",
            "nil\tclosed",
            "nil\tbad port number: 70000",
            "nil\tbad address",
            "false\tngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen 1",
            "false\texpecting 2 arguments (including the object), but got 1",
            "false\texpecting 1 or 2 arguments (including the object), but got 3",
            "false\tngx.socket settimeout: expecting at least 2 arguments (including the object) but seen 1"
        ]
    );
}

#[test]
fn there_are_only_so_many_sockets() {
    let printed = Script::new(
        r#"
local function open() return ngx.socket.connect("127.0.0.1", at.server) end
local held = {}
for i = 1, 4 do held[i] = assert(open()) end
print(open())
local udp = ngx.socket.udp()
print(udp:setpeername("127.0.0.1", 9))
-- An idle one makes room.
print(held[1]:setkeepalive())
print(udp:setpeername("127.0.0.1", 9))
print(open())
udp:close()
-- So does one that nobody has any more.
held[2] = nil
print(type(open()))
for i = 1, 50 do assert(open()) end
print("many")
"#,
    )
    .at("server", serve(echo))
    .manifest("lua = \"5.1\"\n[limits]\nsockets = 4\n")
    .run_then(|vm| assert!(vm.net().sockets().open() <= 4));
    assert_eq!(
        printed,
        [
            "nil\ttoo many open sockets: the limit of 4 is reached",
            "nil\ttoo many open sockets: the limit of 4 is reached",
            "1",
            "1",
            "nil\ttoo many open sockets: the limit of 4 is reached",
            "table",
            "many"
        ]
    );
}

#[test]
fn what_is_received_is_limited_by_memory() {
    let printed = Script::new(
        r#"
local function open() return assert(ngx.socket.connect("127.0.0.1", at.server)) end
local sock = open()
print(sock:receive("*a"))
print(open():receive(1e9))
print(open():receiveuntil("never")())
print(open():receive())
print(#open():receive(100000))
print(sock:receive(1))
local big = {} for i = 1, 100 do big[i] = ("x"):rep(100000) end
print(pcall(sock.send, open(), {big, big, big, big, big, big, big, big}))
"#,
    )
    .at(
        "server",
        serve(|mut stream| while stream.write_all(&[b'x'; 65536]).is_ok() {}),
    )
    .manifest("lua = \"5.1\"\n[limits]\nmemory = \"16 MiB\"\n")
    .run_then(|vm| assert_eq!(vm.net().memory().used(), 0));
    assert_eq!(
        printed,
        [
            "nil\ttoo much data: the memory limit of 16777216 bytes is reached\t",
            "nil\ttoo much data: the memory limit of 16777216 bytes is reached\t",
            "nil\ttoo much data: the memory limit of 16777216 bytes is reached\t",
            "nil\ttoo much data: the memory limit of 16777216 bytes is reached\t",
            "100000",
            "nil\tclosed",
            "false\tbad argument #2 to '?' (too much data: the memory limit of 16777216 bytes is reached)"
        ]
    );
}

#[test]
fn options() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(type(sock:getfd()))
print(sock:getoption("keepalive"), sock:setoption("keepalive", true), sock:getoption("keepalive"))
print(sock:getoption("tcp-nodelay"), sock:setoption("tcp-nodelay", 0), sock:getoption("tcp-nodelay"))
print(sock:setoption("reuseaddr", 1), sock:getoption("reuseaddr"))
print(sock:setoption("sndbuf", 1024 * 10), sock:getoption("sndbuf"))
print(sock:setoption("rcvbuf", 1024 * 10), sock:getoption("rcvbuf"))
print(pcall(sock.setoption, sock, "rcvbuf", {}))
print(sock:getoption("linger"))
-- From an address of one's own.
sock = ngx.socket.tcp()
print(sock:bind("127.0.0.2"))
print(sock:connect("127.0.0.1", at.peer))
print(sock:receive())
"#,
    )
    .at("server", serve(echo))
    .at(
        "peer",
        serve(|mut stream| {
            let peer = stream.peer_addr().unwrap().ip();
            writeln!(stream, "{peer}").unwrap();
        }),
    )
    .run();
    assert_eq!(
        printed,
        [
            "number",
            "0\ttrue\t1",
            "1\ttrue\t0",
            "true\t1",
            "true\t20480",
            "true\t20480",
            "false\tbad argument #3 to '?' (number expected, got table)",
            "nil\tunsupported option linger",
            "true",
            "1",
            "127.0.0.2"
        ]
    );
}

#[test]
fn a_wall_limit_ends_a_wait() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.silent))
print(pcall(sock.receive, sock))
"#,
    )
    .at("silent", serve(silent))
    .wall(std::time::Duration::from_secs(1))
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
    assert_eq!(
        printed,
        ["error: index.lua:3: stopped: wall limit of 1 s reached"]
    );
}

#[test]
fn in_5_4_numbers_are_sent_as_there() {
    let printed = Script::new(
        r#"
local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
print(sock:send({10 / 2, " ", 10 // 2, " ", 1 << 40, "\n"}))
print(sock:receive())
print(sock:receiveuntil("x", {inclusive = true}))
"#,
    )
    .at("server", serve(echo))
    .manifest("lua = \"5.4\"\n")
    .run();
    assert_eq!(printed[..2], ["20", "5.0 5 1099511627776"]);
}

#[test]
fn strange_arguments_are_errors_at_most() {
    let printed = Script::new(
        r#"
local strange = {
  0, -1, 1, 0.5, 2 ^ 31, 2 ^ 53, 2 ^ 63, -2 ^ 63, 1e308, 1 / 0, -1 / 0, 0 / 0,
  "", "*l", "*a", "\0", ("x"):rep(300), "7", "0x10", "unix:", "unix:\0x", "[::1", "::1", "a.b:c",
  true, false, {}, {1, {2}}, {x = 1}, print, ngx.null, coroutine.create(print), ngx.socket.tcp(), ngx.socket.udp(),
}
strange[0] = nil
local calls, panics = 0, 0
local function try(f, ...)
  calls = calls + 1
  local ok, err = pcall(f, ...)
  if not ok and tostring(err):find("panic", 1, true) then
    panics = panics + 1
    print(err)
  end
end
local methods = {
  "bind", "connect", "setclientcert", "sslhandshake", "send", "receive", "receiveany", "receiveuntil", "shutdown", "close",
  "setkeepalive", "getreusedtimes", "getfd", "setoption", "getoption", "settimeout", "settimeouts", "setpeername",
}
for _, make in ipairs {
  function() return ngx.socket.tcp() end,
  function() return assert(ngx.socket.connect("127.0.0.1", at.server)) end,
  function() return ngx.socket.udp() end,
} do
  for _, name in ipairs(methods) do
    for i = 0, #strange do
      local sock = make()
      local method = sock[name]
      if method and not (name == "connect" and i > 11) then
        if sock.setpeername then sock:settimeout(1) else sock:settimeouts(50, 50, 1) end
        try(method, sock, strange[i])
        if not (name == "connect" or name == "setpeername") or type(strange[i]) ~= "string" then
          for j = 0, #strange, 3 do
            if sock.receiveany then sock:settimeouts(50, 50, 1) end
            try(method, sock, strange[i], strange[j])
            try(method, sock, strange[i], strange[j], strange[i])
          end
        end
        try(method, strange[i])
      end
    end
  end
  collectgarbage()
end
print(calls > 5000, panics)
"#,
    )
    .at("server", serve(echo))
    .run_then(|vm| assert!(vm.net().sockets().open() <= 64));
    assert_eq!(printed, ["true\t0"]);
}

#[test]
fn sockets_without_a_connection_are_within_the_memory_limit() {
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    for source in [
        "ngx.socket.tcp()",
        "ngx.socket.udp()",
        "sock:receiveuntil('abc')",
    ] {
        let before = resident();
        let printed = Script::new(&format!(
            r#"
local t, sock = {{}}, ngx.socket.tcp()
print(pcall(function() for i = 1, 1e8 do t[i] = {source} end end))
"#
        ))
        .run_then(|_| {
            // Other tests run meanwhile: they use little.
            let more = resident().saturating_sub(before) >> 20;
            assert!(more < 2 * 64 + 32, "{more} MiB");
        });
        assert_eq!(printed, ["false\tnot enough memory"]);
    }
}
