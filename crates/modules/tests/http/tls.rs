//! https: who is trusted, who we are, what was agreed on.

use crate::certificates::{Authority, authority, issue, new_authority, server_config};
use crate::script;
use crate::servers::{Peer, ok};
use crate::support::serve;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::sync::Arc;

/// What a server for these names needs.
pub fn config(
    authority: &Authority,
    names: &[&str],
    clients: Option<&Authority>,
    protocols: &[&[u8]],
) -> Arc<ServerConfig> {
    let issued = issue(authority, names, |_| ());
    let mut config = server_config(issued, clients);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// A server of HTTP/1.1 over TLS that says under which name it was asked for, and what was agreed on.
fn server(config: Arc<ServerConfig>) -> String {
    serve(move |tcp| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut peer = Peer::new(StreamOwned::new(connection, tcp));
        while let Some(request) = peer.request() {
            if request.starts_with("GET /down") {
                peer.say(
                    "HTTP/1.1 301 x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
                );
                continue;
            }
            let connection = &peer.stream.conn;
            let name = connection.server_name().unwrap_or("nobody").to_owned();
            let protocol = connection
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned());
            let known = connection.peer_certificates().map_or(0, <[_]>::len);
            peer.say(ok(&format!("{name} {protocol:?} {known}")));
        }
    })
}

#[test]
fn certificates_are_verified() {
    let good = server(config(
        authority(),
        &["localhost", "127.0.0.1"],
        None,
        &[b"http/1.1"],
    ));
    let other = server(config(authority(), &["other.test"], None, &[]));
    let unknown = server(config(&new_authority("strange"), &["localhost"], None, &[]));
    let printed = script(
        "0",
        r#"
local function get(port, options, host)
  local r, err = http.get("https://" .. (host or "localhost") .. ":" .. port, options)
  print(r and r.body or (err:gsub(":%d+", ":PORT")))
end
get(at.good)
get(at.good)
get(at.good, {version = "1.1"})
get(at.good, nil, "127.0.0.1")
get(at.good, {version = "2"})
get(at.other)
get(at.other, {server_name = "other.test"})
get(at.other, {verify = false})
get(at.other)
get(at.unknown)
get(at.unknown, {verify = false})
print((select(2, http.get("https://localhost:" .. at.good .. "/down"))))
print((select(2, http.get("http://localhost:" .. at.good, {timeout = 5})) or "?"):gsub(":%d+", ":PORT"))
"#,
    )
    .at("good", good)
    .at("other", other)
    .at("unknown", unknown)
    .run();
    assert_eq!(
        printed[..12],
        [
            "localhost Some(\"http/1.1\") 0",
            "localhost Some(\"http/1.1\") 0",
            "localhost Some(\"http/1.1\") 0",
            "nobody Some(\"http/1.1\") 0",
            "TLS with localhost:PORT: handshake failed",
            "the certificate of localhost:PORT is for another name",
            "other.test None 0",
            "localhost None 0",
            "the certificate of localhost:PORT is for another name",
            "the certificate of localhost:PORT is not trusted (20: unable to get local issuer certificate)",
            "localhost None 0",
            "refused to follow a redirect from https to http://127.0.0.1/",
        ]
    );
}

#[test]
fn client_certificates() {
    let clients = new_authority("clients");
    let port = server(config(authority(), &["localhost"], Some(&clients), &[]));
    let own = issue(&clients, &["me"], |_| ());
    let printed = script(
        &port,
        r#"
local url = "https://localhost:" .. at.port
for _ = 1, 2 do show(http.get(url, {cert = at.cert, key = at.key})) end
local r, err = http.get(url, {timeout = 5})
print(r, err ~= nil)
print(pcall(http.get, url, {cert = at.key, key = at.cert}))
"#,
    )
    .at("cert", own.pem)
    .at("key", own.key.serialize_pem())
    .run();
    assert_eq!(
        printed,
        [
            "200\tlocalhost None 1",
            "200\tlocalhost None 1",
            "nil\ttrue",
            "false\tinvalid client certificate chain",
        ]
    );
}
