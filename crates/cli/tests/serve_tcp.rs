//! Tasks that are started by connections to a port: `on = "tcp:PORT"`.

mod serve_support;

use rille_testkit::http;
use rille_testkit::process::Exit;
use rille_testkit::server::Server;
use serve_support::{App, app, eventually, folder, rille, run, serve_with};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const MANIFEST: &str = "[[task]]\nname = \"echo\"\non = \"tcp:0\"\n";
/// Answers lines until the client has no more.
const ECHO: &str = "local sock = ... \
    while true do local line = sock:receive() if not line then return end sock:send('echo ' .. line .. '\\n') end";

/// Where a task listens.
fn port(server: &Server, task: &str) -> SocketAddr {
    let start = format!("(task {task} at ");
    let line = server.wait_for_log(&start, Duration::from_secs(10));
    let line = line.unwrap_or_else(|| panic!("it does not listen: {}", server.log()));
    let address = line
        .split(&start)
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    address.unwrap().parse().unwrap()
}

/// A client that talks in lines.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Whether nothing comes for a moment.
    fn hears_nothing(&mut self) -> bool {
        let short = Some(Duration::from_millis(300));
        self.0.get_ref().set_read_timeout(short).unwrap();
        let nothing = self.0.fill_buf().is_err();
        self.0
            .get_ref()
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        nothing
    }

    /// Whether the other side has ended it, cleanly or not.
    fn is_at_end(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn echo(manifest: &str) -> (App, SocketAddr) {
    let app = app(&[("rille.toml", manifest), ("tasks/echo.lua", ECHO)]);
    let address = port(&app.server, "echo");
    (app, address)
}

#[test]
fn a_task_for_each_connection() {
    let (_app, address) = echo(MANIFEST);
    assert_eq!(address.ip().to_string(), "127.0.0.1");
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    for (number, client) in clients.iter_mut().enumerate().rev() {
        assert_eq!(
            client.ask(&format!("hello {number}")),
            format!("echo hello {number}")
        );
    }
    // The last words of a client that says no more are answered.
    let mut last = Client::connect(address);
    last.say("a\nb");
    last.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        (last.hear(), last.hear()),
        ("echo a".into(), "echo b".into())
    );
    assert!(last.is_at_end());
}

#[test]
fn the_socket_and_the_end_of_its_task() {
    let app = app(&[
        (
            "rille.toml",
            "[[task]]\nname = 'Serve'\non = 'tcp:[::1]:0'\n[[task]]\nname = 'Crash'\non = 'tcp:0'\n",
        ),
        (
            "main.lua",
            r#"
function Serve(sock)
  kept = sock
  local ip, port, family = sock:getpeername()
  local _, own = sock:getsockname()
  sock:send(ip .. ' ' .. port .. ' ' .. family .. ' ' .. own .. '\n')
  sock:settimeout(50)
  local _, err = sock:receive()
  local none = {}
  for _, name in ipairs{'connect', 'bind', 'setkeepalive', 'sslhandshake'} do none[#none + 1] = tostring(sock[name]) end
  sock:send(err .. ' ' .. table.concat(none, ' ') .. '\n')
  sock:settimeout(5000)
  sock:send('all: ' .. sock:receiveuntil('END')() .. '\n')
  sock:close()
  sock:close()
  log.info(table.concat({tostring(sock:send('x')), select(2, sock:getpeername())}, ' '))
end
function Crash(sock)
  -- A light thread of the task has the socket too.
  ngx.thread.spawn(function() sock:receive() end)
  sock:send('soon\n')
  sleep(0.05)
  error('crashed with ' .. sock:getsockname())
end
"#,
        ),
    ]);
    let address = port(&app.server, "Serve");
    let mut client = Client::connect(address);
    let own = client.0.get_ref().local_addr().unwrap().port();
    assert_eq!(client.hear(), format!("::1 {own} inet6 {}", address.port()));
    assert_eq!(client.hear(), "timeout nil nil nil nil");
    client.say("one\ntwoEND");
    assert_eq!(client.hear(), "all: one");
    assert_eq!(client.hear(), "two");
    assert!(client.is_at_end());
    app.log_line("nil closed");
    // A crash closes the connection, is in the log, and others go on; it is not started again.
    let address = port(&app.server, "Crash");
    let mut clients = [Client::connect(address), Client::connect(address)];
    for client in &mut clients {
        assert_eq!(client.hear(), "soon");
        assert!(client.is_at_end());
    }
    eventually(|| app.count("crashed with 127.0.0.1") == 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(app.count("crashed with"), 2);
}

#[test]
fn one_listener_whatever_the_number_of_workers() {
    let task = "local sock = ... sock:send(ngx.worker.id() .. ' ' .. tostring(task.alive(task.self())) .. '\\n') sock:receive()";
    for (instances, workers) in [
        ("process", &["0 true"][..]),
        ("worker", &["0 true", "1 true"]),
    ] {
        let manifest = format!("{MANIFEST}instances = \"{instances}\"\n");
        let dir = folder(&[("rille.toml", &manifest), ("tasks/echo.lua", task)]);
        let server = serve_with(dir.path(), &["--workers", "2"]);
        let address = port(&server, "echo");
        assert_eq!(server.log().matches("(task echo at").count(), 1);
        // Who is quicker has more of them.
        for _ in 0..40 {
            let served = Client::connect(address).hear();
            assert!(workers.contains(&&*served), "{served} of {workers:?}");
        }
    }
}

#[test]
fn more_connections_than_allowed_wait() {
    for (manifest, why) in [
        (
            format!("{MANIFEST}connections = 2\n"),
            "task echo: 2 connections are open; new ones wait",
        ),
        (
            format!("{MANIFEST}connections = 9\n[limits]\nsockets = 2\n"),
            "task echo: too many open sockets: the limit of 2 is reached; new connections wait",
        ),
    ] {
        let (app, address) = echo(&manifest);
        let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(address)).collect();
        assert_eq!(clients[0].ask("a"), "echo a");
        assert_eq!(clients[1].ask("b"), "echo b");
        for client in &mut clients[2..] {
            client.say("c");
            assert!(client.hears_nothing());
        }
        let line = app.log_line("wait");
        assert!(line.ends_with(why), "{line}");
        assert_eq!(app.count("wait"), 1);
        clients.drain(..2);
        for client in &mut clients {
            assert_eq!(client.hear(), "echo c");
        }
    }
}

#[test]
fn more_tasks_than_allowed_are_closed() {
    let (app, address) = echo(&format!("{MANIFEST}[limits]\ntasks = 1\n"));
    let mut first = Client::connect(address);
    assert_eq!(first.ask("a"), "echo a");
    assert!(Client::connect(address).is_at_end());
    app.log_line("task echo: a connection is closed: too many tasks: the limit is 1");
    assert_eq!(first.ask("b"), "echo b");
    drop(first);
    eventually(|| {
        let mut next = Client::connect(address);
        // It may be closed before the line is written.
        writeln!(next.0.get_mut(), "c").is_ok()
            && next.0.fill_buf().is_ok_and(|line| line == b"echo c\n")
    });
}

#[test]
fn sockets_that_scripts_have_dropped_do_not_keep_others_out() {
    let app = app(&[
        ("rille.toml", &format!("{MANIFEST}[limits]\nsockets = 3\n")),
        ("tasks/echo.lua", ECHO),
        (
            "take.lua",
            "for i = 1, 3 do ngx.socket.tcp():connect('127.0.0.1', tonumber(ngx.var.arg_port)) end return 'taken'",
        ),
    ]);
    let address = port(&app.server, "echo");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = app.get(&format!(
        "/take?port={}",
        other.local_addr().unwrap().port()
    ));
    assert_eq!(taken.text(), "taken");
    assert_eq!(Client::connect(address).ask("a"), "echo a");
}

#[test]
fn out_of_descriptors_it_waits_and_goes_on() {
    let manifest = format!("{MANIFEST}[limits]\nsockets = 1000\n");
    let dir = folder(&[("rille.toml", &manifest), ("tasks/echo.lua", ECHO)]);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 40 && exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_rille"),
    ]);
    command.args([
        "serve",
        dir.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
    ]);
    let server = Server::start(&mut command).unwrap();
    let address = port(&server, "echo");
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(address)).collect();
    let refused = server.wait_for_log(
        "task echo: cannot accept a connection: ",
        Duration::from_secs(10),
    );
    assert!(refused.is_some(), "{}", server.log());
    let waiting = clients.pop().unwrap();
    clients.truncate(5);
    let mut waiting = waiting;
    assert_eq!(waiting.ask("at last"), "echo at last");
    for client in &mut clients {
        assert_eq!(client.ask("still"), "echo still");
    }
    assert_eq!(
        server.log().matches("cannot accept").count(),
        1,
        "{}",
        server.log()
    );
}

#[test]
fn a_stop_waits_for_those_that_are_served() {
    let task = r#"
local sock = ...
sock:send('hello\n')
local line = sock:receive()
if line then sleep(1.5) sock:send('done ' .. line .. '\n') else sock:send('bye\n') end
"#;
    let app = app(&[
        ("rille.toml", MANIFEST),
        ("tasks/echo.lua", task),
        ("index.lua", "return 'up'"),
    ]);
    let address = port(&app.server, "echo");
    let (mut idle, mut busy) = (Client::connect(address), Client::connect(address));
    assert_eq!((idle.hear(), busy.hear()), ("hello".into(), "hello".into()));
    busy.say("work");
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    app.server.terminate().unwrap();
    eventually(|| TcpStream::connect(address).is_err());
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
    // Who says nothing is told that nothing more is read; who is being served is served.
    assert_eq!(idle.hear(), "bye");
    assert!(idle.is_at_end());
    assert_eq!(busy.hear(), "done work");
    assert!(busy.is_at_end());
    let App { server, dir } = app;
    assert_eq!(server.wait(Duration::from_secs(10)).unwrap(), Exit::Code(0));
    drop(dir);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_port_in_use_is_an_error_of_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let manifest = format!(
        "\n[[task]]\nname = \"echo\"\non = \"tcp:{}\"\n",
        address.port()
    );
    let dir = folder(&[("rille.toml", &manifest), ("tasks/echo.lua", ECHO)]);
    let path = dir.path().to_str().unwrap();
    let outcome = run(&["serve", path, "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.exit, Exit::Code(1));
    let expected = format!(
        "rille: {path}/rille.toml:3: task echo: {address} is in use by another program; stop it or choose another with on = \"tcp:PORT\"\n"
    );
    assert_eq!(outcome.stderr_text(), expected);
}

#[test]
fn an_app_whose_start_fails_does_not_listen() {
    let port = rille_testkit::server::free_port().unwrap();
    let manifest = format!("[[task]]\nname = \"echo\"\non = \"tcp:{port}\"\n");
    let dir = folder(&[
        ("bad/rille.toml", &manifest),
        ("bad/tasks/echo.lua", ECHO),
        ("bad/init.lua", "error('no')"),
        ("good/index.lua", "return 'up'"),
    ]);
    let path = dir.path().to_str().unwrap();
    let server = Server::start(&mut rille(&["serve", path, "--listen", "127.0.0.1:0"])).unwrap();
    let good = [("Host", "good.localhost")];
    let answer = http::request(server.address(), "GET", "/", &good, b"").unwrap();
    assert_eq!(answer.text(), "up");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!server.log().contains("task echo at"), "{}", server.log());
}
