//! Where scripts may connect to: each way there is for a script to reach a socket, against what each kind of app may reach. The servers are
//! real ones on this machine, and count who came.

mod harness;

use rille_runtime::log::Log;
use rille_runtime::manifest::{Admission, Operator};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server that answers each connection with `answer`: its port, and how many came.
fn server(answer: impl Fn() -> String + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = answer_one(&mut stream, &answer());
        }
    });
    (port, count)
}

fn answer_one(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let _ = stream.read(&mut [0; 4096])?;
    write!(
        stream,
        "HTTP/1.1 {text}Content-Length: 2\r\nConnection: close\r\n\r\nhi"
    )
}

/// The operator of these words.
fn operator(words: &[&str]) -> Arc<Operator> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let (operator, problems) = Operator::parse("", "", &words);
    assert_eq!(problems, []);
    Arc::new(operator)
}

/// What a script prints in an app of this manifest. `PORT` stands for a port, in the script, the manifest and what is printed.
fn printed(admission: &Admission, manifest: &str, port: u16, script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let fill = |text: &str| text.replace("PORT", &port.to_string());
    std::fs::write(folder.path().join("rille.toml"), fill(manifest)).unwrap();
    std::fs::write(folder.path().join("index.lua"), fill(script)).unwrap();
    let app = harness::load_for(folder.path(), admission);
    let lines = harness::on_a_worker(async {
        let vm = harness::vm(&app, &Log::memory());
        harness::printed(&vm, "index.lua", Duration::from_secs(60)).await
    });
    let hide = |line: &String| line.replace(&port.to_string(), "PORT");
    lines.iter().map(hide).collect()
}

const NO: &str = "refused by the outbound policy: only the operator of the server can allow it (rille serve --outbound)";

/// Attack 31 for code that is somebody else's, by every spelling the resolver takes.
#[test]
fn no_spelling_of_an_address_reaches_this_machine() {
    let (port, count) = server(|| "200 OK\r\n".to_owned());
    let tenant = Admission::of_tenants(&operator(&[]));
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "::1",
        "[::]",
        "[::ffff:127.0.0.1]",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::1]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:a9fe:a9fe]",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    let list: Vec<String> = hosts.iter().map(|host| format!("{host:?}")).collect();
    let script = format!(
        r#"
for _, host in ipairs {{ {} }} do
  local sock = ngx.socket.tcp()
  sock:settimeout(500)
  print(host, sock:connect(host, PORT))
  local udp = ngx.socket.udp()
  print(host, udp:setpeername(host, PORT))
end
"#,
        list.join(", ")
    );
    let lines = printed(&tenant, "[limits]\ncpu = \"5 s\"", port, &script);
    assert_eq!(lines.len(), 2 * hosts.len(), "{lines:?}");
    for line in &lines {
        let (host, answer) = line.split_once('\t').unwrap();
        // What this system's resolver does not take for an address is none.
        let good = answer == format!("nil\tconnection to {host} {NO}")
            || answer.starts_with(&format!("nil\t{host} could not be resolved"));
        assert!(good, "{line}");
    }
    // Those of inet_aton are addresses everywhere.
    for host in ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"] {
        let answer = format!("{host}\tnil\tconnection to {host} {NO}");
        assert!(lines.contains(&answer), "{host}: {lines:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn every_kind_of_connection_is_asked_about() {
    let (port, count) = server(|| "200 OK\r\n".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let unix = UnixListener::bind(&path).unwrap();
    unix.set_nonblocking(true).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let script = r#"
local path = "UNIX"
local function say(what, ok, err) print(what, ok and "open" or err) end
say("tcp", ngx.socket.tcp():connect("127.0.0.1", PORT))
say("tcp name", ngx.socket.tcp():connect("localhost", PORT))
say("connect", ngx.socket.connect("127.0.0.1", PORT))
say("pool", ngx.socket.tcp():connect("127.0.0.1", PORT, {pool_size = 1, pool = "p"}))
say("unix", ngx.socket.tcp():connect("unix:" .. path))
say("udp", ngx.socket.udp():setpeername("127.0.0.1", UDP))
say("udp unix", ngx.socket.udp():setpeername("unix:" .. path))
say("http", http.get("http://127.0.0.1:PORT/"))
say("http unix", http.get("http://x/", {socket = path}))
say("websocket", require("resty.websocket.client"):new():connect("ws://127.0.0.1:PORT/"))
"#
    .replace("UNIX", path.to_str().unwrap())
    .replace("UDP", &udp.local_addr().unwrap().port().to_string());
    for (admission, manifest, end) in [
        (
            Admission::of_tenants(&operator(&[])),
            "",
            "(rille serve --outbound)",
        ),
        // A tenant's manifest cannot help.
        (
            Admission::of_tenants(&operator(&[])),
            "[outbound]\nallow = [\"*\", \"127.0.0.0/8\", \"localhost\"]",
            "(rille serve --outbound)",
        ),
        (
            Admission::of_own(&operator(&[])),
            "",
            "allow it under [outbound] in rille.toml",
        ),
        (
            Admission::of_own(&operator(&["deny=127.0.0.0/8,unix:/tmp/*,*", "any"])),
            "",
            "the operator of the server denies it",
        ),
    ] {
        let lines = printed(&admission, manifest, port, &script);
        assert_eq!(lines.len(), 10, "{lines:?}");
        for line in &lines {
            let is_refused =
                line.contains("refused by the outbound policy: ") && line.ends_with(end);
            assert!(is_refused, "{line}");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert!(unix.accept().is_err());
    assert!(udp.recv(&mut [0; 8]).is_err());
}

#[test]
fn what_is_allowed_is_open() {
    let (port, count) = server(|| "200 OK\r\n".to_owned());
    let script = "print(http.get('http://127.0.0.1:PORT/').body)";
    for (admission, manifest) in [
        (
            Admission::of_own(&operator(&[])),
            "[outbound]\nallow = [\"127.0.0.1:PORT\"]",
        ),
        (Admission::of_tenants(&operator(&["allow=127.0.0.0/8"])), ""),
        (Admission::of_tenants(&operator(&["any"])), ""),
    ] {
        assert_eq!(printed(&admission, manifest, port, script), ["hi"]);
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let other = printed(
        &Admission::of_own(&operator(&[])),
        "[outbound]\nallow = [\"127.0.0.1:1\"]",
        port,
        "print(http.get('http://127.0.0.1:PORT/'))",
    );
    assert!(other[0].starts_with("nil\t"), "{other:?}");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

/// A server that is allowed sends the client to one that is not.
#[test]
fn a_redirect_is_one_more_connection() {
    let (secret, reached) = server(|| "200 OK\r\n".to_owned());
    for host in ["127.0.0.2", "2130706434", "[::ffff:127.0.0.2]", "localhost"] {
        let to = format!("302 Found\r\nLocation: http://{host}:{secret}/\r\n");
        let (port, count) = server(move || to.clone());
        let lines = printed(
            &Admission::of_own(&operator(&[])),
            "[outbound]\nallow = [\"127.0.0.1:PORT\"]",
            port,
            "print(http.get('http://127.0.0.1:PORT/'))",
        );
        assert!(
            lines[0].contains("refused by the outbound policy"),
            "{host}: {lines:?}"
        );
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

/// The machine itself by the address that others know it by.
#[test]
fn the_machine_s_own_address_is_not_public() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket
        .connect("192.0.2.1:9")
        .expect("the machine has a way to elsewhere");
    let here = socket.local_addr().unwrap().ip();
    let (port, count) = server(|| "200 OK\r\n".to_owned());
    let script = format!("print(ngx.socket.tcp():connect('{here}', PORT))");
    let lines = printed(&Admission::of_tenants(&operator(&[])), "", port, &script);
    assert_eq!(lines, [format!("nil\tconnection to {here} {NO}")]);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
