//! Where apps may connect to, by the words of an operator and of a manifest, in a real server.

mod serve_support;

use rille_testkit::process::Exit;
use rille_testkit::server::Server;
use rille_testkit::temp::TempDir;
use serve_support::{folder, get_host, run, serve_with};
use std::net::TcpListener;

/// Connects to a port, or asks for a page of this server.
const ASK: &str = r#"
if request.query.url then
  local response, err = http.get(request.query.url)
  return response and response.body or err
end
local sock = ngx.socket.tcp()
sock:settimeout(2000)
local ok, err = sock:connect(request.query.host or "127.0.0.1", tonumber(request.query.port))
return ok and "open" or err
"#;

const ALLOW_IT: &str = "connection to 127.0.0.1 refused by the outbound policy: allow it under [outbound] in rille.toml";
const OPERATOR_CAN: &str = "connection to 127.0.0.1 refused by the outbound policy: only the operator of the server can allow it (rille serve --outbound)";

/// Two apps: one that says nothing, and one that wants this machine and this server.
fn apps() -> TempDir {
    folder(&[
        ("silent/index.lua", ASK),
        ("wants/index.lua", ASK),
        (
            "wants/rille.toml",
            "[outbound]\nallow = ['127.0.0.0/8', 'self']",
        ),
        ("wants/page.lua", "return 'a page'"),
    ])
}

fn ask(server: &Server, app: &str, port: u16) -> String {
    get_host(
        server.address(),
        &format!("{app}.localhost"),
        &format!("/?port={port}"),
    )
    .text()
}

#[test]
fn the_operator_has_the_last_word() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let allow = format!("allow=127.0.0.1:{port}");
    let deny = format!("deny=127.0.0.1:{port}");
    let denied = "connection to 127.0.0.1 refused by the outbound policy: the operator of the server denies it";
    for (options, silent, wants) in [
        (&[][..], ALLOW_IT, "open"),
        (&["--outbound", "manifests"], ALLOW_IT, "open"),
        (&["--outbound", "public"], OPERATOR_CAN, OPERATOR_CAN),
        (&["--outbound", "none"], OPERATOR_CAN, OPERATOR_CAN),
        (&["--outbound", "any"], "open", "open"),
        (
            &["--outbound", "public", "--outbound", &allow],
            "open",
            "open",
        ),
        (&["--outbound", "any", "--outbound", &deny], denied, denied),
    ] {
        let dir = apps();
        let server = serve_with(dir.path(), options);
        assert_eq!(ask(&server, "silent", port), silent, "{options:?}");
        assert_eq!(ask(&server, "wants", port), wants, "{options:?}");
    }
}

#[test]
fn the_server_itself_is_nobody_s_business() {
    let dir = apps();
    for (options, silent) in [
        (
            &[][..],
            "it is the server itself: allow \"self\" under [outbound] in rille.toml",
        ),
        (
            &["--outbound", "any"],
            "it is the server itself: allow \"self\" under [outbound] in rille.toml",
        ),
        (
            &["--outbound", "allow=*"],
            "it is the server itself: allow \"self\" under [outbound] in rille.toml",
        ),
        (
            &["--outbound", "public"],
            "it is the server itself; only its operator can allow it",
        ),
    ] {
        let server = serve_with(dir.path(), options);
        let port = server.address().port();
        let answer = ask(&server, "silent", port);
        assert!(answer.ends_with(silent), "{options:?}: {answer}");
        // The one that named it gets there, unless the operator says what manifests may have.
        let is_open = ask(&server, "wants", port) == "open";
        assert_eq!(is_open, options != ["--outbound", "public"], "{options:?}");
    }
    let server = serve_with(
        dir.path(),
        &["--outbound", "public", "--outbound", "allow=self"],
    );
    assert_eq!(ask(&server, "silent", server.address().port()), "open");
}

#[test]
fn what_another_version_wants_counts_from_when_it_serves() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let dir = apps();
    let server = serve_with(dir.path(), &["--watch"]);
    assert_eq!(ask(&server, "silent", port), ALLOW_IT);
    dir.write(
        "silent/rille.toml",
        "[outbound]\nallow = ['localhost', '127.0.0.1']",
    )
    .unwrap();
    serve_support::eventually(|| ask(&server, "silent", port) == "open");
}

#[test]
fn an_operator_s_file() {
    let dir = folder(&[
        (
            "operator.toml",
            "[ceilings]\nmemory = '32 MiB'\ntimers = 2\n[outbound]\nmode = 'public'\n",
        ),
        ("bad.toml", "[ceilings]\nmemory = 1\n"),
        (
            "apps/within/index.lua",
            "local t = timer.after(60, print) t = timer.after(60, print) return tostring(select(2, timer.after(60, print)))",
        ),
        ("apps/above/rille.toml", "[limits]\nmemory = '64 MiB'"),
        ("apps/above/index.lua", "return 'above'"),
    ]);
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let server = serve_with(
        &dir.path().join("apps"),
        &["--operator", &at("operator.toml")],
    );
    let address = server.address();
    assert_eq!(get_host(address, "above.localhost", "/").status, 503);
    let line = "above/rille.toml:2: memory = \"64 MiB\" is out of range: it goes from 1 MiB to 32 MiB, the operator's ceiling";
    assert!(server.log().contains(line), "{}", server.log());
    // What the manifest does not say is below the ceiling too.
    assert_eq!(
        get_host(address, "within.localhost", "/").text(),
        "too many timers"
    );
    for (options, expected) in [
        (
            &["--operator", &at("bad.toml")][..],
            "bad.toml:2: memory must be a size such as \"64 MiB\", not a whole number",
        ),
        (
            &["--operator", &at("none.toml")],
            "none.toml: No such file or directory",
        ),
        (
            &["--outbound", "privat"],
            "--outbound: 'privat' is none of any, manifests, public, none, allow=ADDRESS,... and deny=ADDRESS,...",
        ),
        (
            &["--outbound", "allow=10.0.0.0/40"],
            "--outbound: '10.0.0.0/40' is not an address or a host",
        ),
    ] {
        let apps = at("apps");
        let arguments = [&["serve", &apps, "--listen", "127.0.0.1:0"][..], options].concat();
        let outcome = run(&arguments);
        assert_eq!(outcome.exit, Exit::Code(2), "{options:?}");
        assert!(
            outcome.stderr_text().contains(expected),
            "{}",
            outcome.stderr_text()
        );
    }
}
