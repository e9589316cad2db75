//! TLS of `ngx.socket`, with an authority made for the test.

use crate::certificates::{Authority, Issued, authority, issue, new_authority, server_config};
use crate::support::{Script, serve};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// A server that says its client's name (`sni`) and sends back lines; with `clients`, only to those this authority knows.
fn server(issued: Issued, clients: Option<&Authority>) -> String {
    let config = Arc::new(server_config(issued, clients));
    serve(move |tcp| handle(&config, tcp))
}

/// A server of this name, which this process trusts, that does something else.
pub fn serving(
    name: &str,
    handle: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + Clone + 'static,
) -> String {
    let issued = issue(authority(), &[name], |_| {});
    let config = Arc::new(server_config(issued, None));
    serve(move |tcp| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        handle(&mut StreamOwned::new(connection, tcp));
    })
}

fn handle(config: &Arc<ServerConfig>, tcp: TcpStream) {
    let connection = ServerConnection::new(config.clone()).unwrap();
    let mut tls = StreamOwned::new(connection, tcp);
    let mut line = Vec::new();
    let mut byte = [0];
    while let Ok(1) = tls.read(&mut byte) {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            let name = tls.conn.server_name().unwrap_or("nobody").to_owned();
            let kind = tls.conn.handshake_kind();
            let _ = write!(tls, "{name} {kind:?} ");
            if tls.write_all(&line).is_err() {
                return;
            }
            line.clear();
        }
    }
}

#[test]
fn handshakes_verify_what_they_are_asked_to() {
    let good = server(issue(authority(), &["good.test"], |_| {}), None);
    let unknown = server(
        issue(&new_authority("strange"), &["good.test"], |_| {}),
        None,
    );
    let old = server(
        issue(authority(), &["good.test"], |params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }),
        None,
    );
    let early = server(
        issue(authority(), &["good.test"], |params| {
            params.not_before = rcgen::date_time_ymd(2900, 1, 1);
            params.not_after = rcgen::date_time_ymd(2901, 1, 1);
        }),
        None,
    );
    let printed = Script::new(
        r#"
local function try(port, ...)
  local sock = assert(ngx.socket.connect("127.0.0.1", port))
  local session, err = sock:sslhandshake(...)
  if not session then
    print(nil, err, sock:send("x"))
    return
  end
  sock:send({"he", {"llo\n"}})
  print(type(session), sock:receive())
  print(sock:close())
end
try(at.good, nil, "good.test", true)
try(at.good, false, "good.test", true)
try(at.good, nil, "other.test", true)
try(at.good, nil, "other.test", false)
try(at.good, nil, nil, true)
try(at.good)
try(at.unknown, nil, "good.test", true)
try(at.unknown, nil, nil, true)
try(at.unknown, nil, "good.test")
try(at.old, nil, "good.test", true)
try(at.early, nil, "good.test", true)
try(at.plain, nil, "good.test", true)
try(at.closes, nil, "good.test", true)
print(pcall(try, at.good, nil, {}, true))
try(at.good, nil, "not a name", true)
"#,
    )
    .at("good", good)
    .at("unknown", unknown)
    .at("old", old)
    .at("early", early)
    .at(
        "plain",
        serve(|mut stream| {
            let _ = stream.write_all(b"220 hello, this is no TLS\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }),
    )
    .at("closes", serve(drop))
    .run();
    assert_eq!(
        printed,
        [
            "userdata\tgood.test Some(Full) hello",
            "1",
            "boolean\tgood.test Some(Resumed) hello",
            "1",
            "nil\tcertificate host mismatch\tnil\tclosed",
            "userdata\tother.test Some(Full) hello",
            "1",
            "userdata\tnobody Some(Full) hello",
            "1",
            "userdata\tnobody Some(Full) hello",
            "1",
            "nil\t20: unable to get local issuer certificate\tnil\tclosed",
            "nil\t20: unable to get local issuer certificate\tnil\tclosed",
            "userdata\tgood.test Some(Full) hello",
            "1",
            "nil\t10: certificate has expired\tnil\tclosed",
            "nil\t9: certificate is not yet valid\tnil\tclosed",
            "nil\thandshake failed\tnil\tclosed",
            "nil\thandshake failed\tnil\tclosed",
            "false\tindex.lua:4: bad argument #2 to 'sslhandshake' (string expected, got table)",
            "nil\tSSL_set_tlsext_host_name failed\tnil\tclosed"
        ]
    );
}

#[test]
fn tls_connections_are_pooled_and_sessions_resumed() {
    let good = server(issue(authority(), &["good.test"], |_| {}), None);
    let printed = Script::new(
        r#"
local function ask(sock, text)
  assert(sock:send(text .. "\n"))
  return assert(sock:receive())
end
local sock = assert(ngx.socket.connect("127.0.0.1", at.good))
print(type(sock:sslhandshake(nil, "good.test", true)))
print(ask(sock, "first"))
print(sock:setkeepalive())
sock = assert(ngx.socket.connect("127.0.0.1", at.good))
print(sock:getreusedtimes(), sock:sslhandshake(false, "good.test", true))
print(ask(sock, "again"))
print(sock:close())
sock = assert(ngx.socket.connect("127.0.0.1", at.good))
print(sock:getreusedtimes(), sock:sslhandshake(false, "good.test", true))
print(ask(sock, "resumed"))
-- Both ways at once, and much of it.
local size = 1024 * 1024
local line = ("x"):rep(size)
local writer = ngx.thread.spawn(function() return sock:send({line, "\n"}) end)
local got = assert(sock:receive("*l"))
print(#got - size, ngx.thread.wait(writer))
print(sock:shutdown("send"), sock:receive("*a"), sock:close())
-- What has come in the clear is not taken for what is said in secret.
sock = assert(ngx.socket.connect("127.0.0.1", at.starttls))
print(sock:receive(), sock:sslhandshake(nil, "good.test", true))
"#,
    )
    .at("good", good)
    .at(
        "starttls",
        serve(|mut stream| {
            let _ = stream.write_all(b"go ahead\nevil");
            let _ = stream.read_to_end(&mut Vec::new());
        }),
    )
    .run();
    assert_eq!(
        printed,
        [
            "userdata",
            "good.test Some(Full) first",
            "1",
            "1\ttrue",
            "good.test Some(Full) again",
            "1",
            "0\ttrue",
            "good.test Some(Resumed) resumed",
            "24\ttrue\t1048577",
            "1\t\t1",
            "go ahead\tnil\tunread data in buffer"
        ]
    );
}

#[test]
fn clients_show_their_certificates() {
    let clients = new_authority("clients");
    let known = issue(&clients, &["client"], |_| {});
    let stranger = issue(&new_authority("strange"), &["client"], |_| {});
    let good = server(issue(authority(), &["good.test"], |_| {}), Some(&clients));
    let printed = Script::new(
        r#"
local function try(cert, key)
  local sock = ngx.socket.tcp()
  print(sock:setclientcert(cert, key))
  assert(sock:connect("127.0.0.1", at.good))
  local session, err = sock:sslhandshake(false, "good.test", true)
  if not session then
    print(err)
    return
  end
  sock:send("hello\n")
  local line, err = sock:receive()
  print(line and line:match("hello"), err and "refused")
end
try(at.cert, at.key)
try(at.stranger_cert, at.stranger_key)
try(nil, nil)
try(at.cert, "nonsense")
local ssl = require "ngx.ssl"
try(ssl.parse_pem_cert(at.cert), ssl.parse_pem_priv_key(at.key))
try(ssl.parse_der_cert(ssl.cert_pem_to_der(at.cert)), ssl.parse_der_priv_key(ssl.priv_key_pem_to_der(at.key)))
print(ssl.parse_pem_cert("x"))
print(ssl.parse_der_cert("x"))
print(ssl.parse_der_cert(""))
print(ssl.parse_pem_priv_key(at.cert))
print(ssl.parse_der_priv_key("x"))
print(ngx.socket.tcp():setclientcert(ssl.parse_pem_priv_key(at.key), ssl.parse_pem_cert(at.cert)))
try(at.cert, at.stranger_key)
"#,
    )
    .at("good", good)
    .at("cert", known.pem)
    .at("key", known.key.serialize_pem())
    .at("stranger_cert", stranger.pem)
    .at("stranger_key", stranger.key.serialize_pem())
    .run();
    assert_eq!(
        printed,
        [
            "true",
            "hello\tnil",
            "true",
            "nil\trefused",
            "true",
            "nil\trefused",
            "nil\tssl set client private key failed",
            "nil\trefused",
            "true",
            "hello\tnil",
            "true",
            "hello\tnil",
            "nil\tPEM_read_bio_X509_AUX() failed",
            "nil\td2i_X509_bio() failed",
            "nil\td2i_X509_bio() failed",
            "nil\tPEM_read_bio_PrivateKey() failed",
            "nil\td2i_PrivateKey_bio() failed",
            "nil\tinvalid client certificate chain",
            "true",
            "ssl set client private key failed"
        ]
    );
}

#[test]
fn a_stopped_handshake_leaves_nothing() {
    let printed = Script::new(
        r#"
local sock = ngx.socket.tcp()
assert(sock:connect("127.0.0.1", at.silent))
local thread = ngx.thread.spawn(function() return sock:sslhandshake(nil, "good.test", true) end)
print(sock:send("x"))
print(sock:receive())
print(sock:close())
print(ngx.thread.kill(thread))
ngx.sleep(0)
print(sock:close())
assert(sock:connect("127.0.0.1", at.silent))
sock:settimeout(20)
print(sock:sslhandshake())
print(sock:sslhandshake())
"#,
    )
    .at(
        "silent",
        serve(|mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
        }),
    )
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
    assert_eq!(
        printed,
        [
            "nil\tsocket busy connecting",
            "nil\tsocket busy connecting",
            "nil\tsocket busy connecting",
            "1",
            "nil\tclosed",
            "nil\ttimeout",
            "nil\tclosed",
        ]
    );
}
