//! `ngx.socket` against real servers: each test starts some on this machine and runs a script that is told their ports in the table `at`.
//!
//! Nothing here depends on how long something takes, but for time limits of a few milliseconds that a server that says nothing must
//! hit, and generous ones that nothing must.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use support::{Script, run, serve};

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
    let printed = run(r#"
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
"#);
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
            "nil\tbad pkey arg: PEM string expected, got table",
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
            "nil\ttimeout\tab",
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
