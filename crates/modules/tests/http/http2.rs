//! HTTP/2, with TLS and without.

use crate::certificates::authority;
use crate::script;
use crate::servers::Log;
use crate::tls::config;
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Answer = SendResponse<Bytes>;

/// A server on a thread of its own: its port, and how many connections it had. `handle` has each request, and says whether the connection goes on.
fn server<F: Future<Output = bool> + 'static>(
    secure: bool,
    handle: impl Fn(Request<RecvStream>, Answer, usize) -> F + Send + Clone + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let tls =
        secure.then(|| TlsAcceptor::from(config(authority(), &["localhost"], None, &[b"h2"])));
    std::thread::spawn(move || {
        crate::harness::on_a_worker(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let number = counting.fetch_add(1, Ordering::SeqCst) + 1;
                let (tls, handle) = (tls.clone(), handle.clone());
                tokio::task::spawn_local(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection(stream, number, handle).await;
                            }
                        }
                        None => connection(stream, number, handle).await,
                    }
                });
            }
        });
    });
    (port.to_string(), count)
}

async fn connection<F: Future<Output = bool> + 'static>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    number: usize,
    handle: impl Fn(Request<RecvStream>, Answer, usize) -> F + 'static,
) {
    let Ok(mut connection): Result<Connection<_, Bytes>, _> = h2::server::handshake(stream).await
    else {
        return;
    };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let handling = tokio::task::spawn_local(handle(request, answer, number));
        // The next request is not waited for when this one ends the connection.
        if number == 1 && ENDS.with(|ends| ends.get()) && !handling.await.unwrap() {
            return;
        }
    }
}

thread_local! {
    /// Whether the first connection waits for what its requests say.
    static ENDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Answers with a text.
fn say(mut answer: Answer, text: &str) {
    let response = Response::builder()
        .header("x-a", "1")
        .header("x-a", "2")
        .body(())
        .unwrap();
    if let Ok(mut body) = answer.send_response(response, false) {
        let _ = body.send_data(Bytes::copy_from_slice(text.as_bytes()), true);
    }
}

async fn whole(mut body: RecvStream) -> String {
    let mut all = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn requests_share_a_connection() {
    for secure in [true, false] {
        let log = Log::default();
        let adding = log.clone();
        let (port, count) = server(secure, move |request, answer, _| {
            let adding = adding.clone();
            async move {
                let (parts, body) = request.into_parts();
                let fields: Vec<String> = (parts.headers.iter())
                    .filter(|(name, _)| *name != "user-agent")
                    .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
                    .collect();
                let body = whole(body).await;
                adding.add(format!(
                    "{} {} {} {}",
                    parts.method,
                    parts.uri.path_and_query().unwrap(),
                    fields.join(" "),
                    body.len()
                ));
                tokio::time::sleep(Duration::from_millis(20)).await;
                say(answer, &format!("got {}", body.len()));
                true
            }
        });
        let scheme = if secure { "https" } else { "http" };
        let printed = script(
            &port,
            r#"
local url = at.scheme .. "://localhost:" .. at.port
local options = at.scheme == "http" and {version = "2"} or {}
local function with(more) for k, v in pairs(options) do more[k] = v end return more end
local threads = {}
for i = 1, 100 do threads[i] = ngx.thread.spawn(function() return http.get(url .. "/" .. i, options) end) end
local good = 0
for i = 1, 100 do
  local _, r, err = ngx.thread.wait(threads[i])
  if r and r.body == "got 0" and r.version == "2" then good = good + 1 else print(err) end
end
print(good)
local r = http.get(url, options)
print(r.status, r.reason, r.headers["X-A"], r.version, (r.url:gsub(at.port, "PORT")))
show(http.post(url, ("x"):rep(1000000), with{headers = {Host = "me.test", Connection = "keep-alive"}}))
local n = 0
show(http.post(url, function() n = n + 1 if n <= 10 then return ("y"):rep(50000) end end, options))
show(http.post(url, "", options))
print(#http.get(url, with{stream = true}):read("a"))
"#,
        )
        .at("scheme", scheme)
        .manifest("lua = \"5.1\"\n[limits]\nsockets = 2\n")
        .run_then(|vm| assert_eq!(vm.net().sockets().open(), 1));
        assert_eq!(
            printed,
            [
                "100".to_owned(),
                format!("200\t\t1, 2\t2\t{scheme}://localhost:PORT/"),
                "200\tgot 1000000".to_owned(),
                "200\tgot 500000".to_owned(),
                "200\tgot 0".to_owned(),
                "5".to_owned(),
            ]
        );
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let seen = log.lines();
        let accepts = "accept=*/* accept-encoding=gzip, deflate";
        assert_eq!(seen[100], format!("GET / {accepts} 0"));
        assert_eq!(
            seen[101],
            format!("POST / {accepts} content-length=1000000 1000000")
        );
        assert_eq!(seen[102], format!("POST / {accepts} 500000"));
    }
}

#[test]
fn faults_of_http2() {
    let (port, count) = server(false, |request, mut answer, _| async move {
        let head = || Response::builder();
        match request.uri().path() {
            "/reset" => answer.send_reset(Reason::INTERNAL_ERROR),
            "/refused" => answer.send_reset(Reason::REFUSED_STREAM),
            "/stall" => tokio::time::sleep(Duration::from_secs(60)).await,
            "/cut" => {
                let mut body = answer
                    .send_response(head().body(()).unwrap(), false)
                    .unwrap();
                let _ = body.send_data(Bytes::from_static(b"abc"), false);
                tokio::time::sleep(Duration::from_millis(20)).await;
                body.send_reset(Reason::CANCEL);
            }
            "/short" => {
                let mut body = answer
                    .send_response(head().header("content-length", 5).body(()).unwrap(), false)
                    .unwrap();
                let _ = body.send_data(Bytes::from_static(b"abc"), true);
            }
            "/hang" => {
                let mut body = answer
                    .send_response(head().body(()).unwrap(), false)
                    .unwrap();
                let _ = body.send_data(Bytes::from_static(b"abc"), false);
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            "/fields" => {
                let mut response = head();
                for at in 0..201 {
                    response = response.header(format!("f{at}"), "x");
                }
                let _ = answer.send_response(response.body(()).unwrap(), true);
            }
            "/interim" => {
                for _ in 0..40 {
                    let early = head().status(103).body(()).unwrap();
                    let _ = answer.send_informational(early);
                }
                say(answer, "late");
            }
            "/early" => {
                let early = head().status(103).body(()).unwrap();
                let _ = answer.send_informational(early);
                say(answer, "late");
            }
            "/long" => {
                let mut body = answer
                    .send_response(head().body(()).unwrap(), false)
                    .unwrap();
                while body
                    .send_data(Bytes::from(vec![b'x'; 1 << 16]), false)
                    .is_ok()
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            "/no-body" => {
                // The request's is not read.
                say(answer, "enough");
            }
            _ => say(answer, "fine"),
        }
        true
    });
    let printed = script(
        &port,
        r#"
local function get(path, more)
  local options = {version = "2", timeout = 0.5}
  for k, v in pairs(more or {}) do options[k] = v end
  show(http.get(url .. path, options))
end
get("/reset") get("/refused") get("/stall") get("/cut") get("/short") get("/hang") get("/fields") get("/interim") get("/early")
get("/long", {max_body = 300000, timeout = 10})
show(http.post(url .. "/no-body", ("x"):rep(1000000), {version = "2", timeout = 5}))
get("/")
"#,
    )
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 1));
    let expected = [
        "HTTP/2 with 127.0.0.1:PORT: ",
        "HTTP/2 with 127.0.0.1:PORT: ",
        "timeout after 0.5 s while waiting for the response of 127.0.0.1:PORT",
        "HTTP/2 with 127.0.0.1:PORT: ",
        "HTTP/2 with 127.0.0.1:PORT: ",
        "timeout after 0.5 s while reading the response of 127.0.0.1:PORT",
        "127.0.0.1:PORT sent more than 200 fields",
        "127.0.0.1:PORT sent too many interim responses",
    ];
    for (line, wanted) in printed.iter().zip(expected) {
        assert!(
            line.starts_with(&format!("error\t{wanted}")),
            "{line} is not {wanted}"
        );
    }
    assert_eq!(printed[8], "200\tlate");
    assert!(
        printed[9].starts_with("error\tthe response is longer than max_body"),
        "{}",
        printed[9]
    );
    assert_eq!(printed[10], "200\tenough");
    assert_eq!(printed[11], "200\tfine");
    // A refused one is tried over a connection that nobody has used.
    assert!(count.load(Ordering::SeqCst) <= 3, "{count:?}");
}

#[test]
fn a_peer_that_does_not_speak_it() {
    use crate::servers::Peer;
    let port = crate::support::serve(|stream| {
        let mut peer = Peer::new(stream);
        peer.say("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
        peer.wait_for_end();
    });
    let silent = crate::support::serve(|stream| Peer::new(stream).wait_for_end());
    let printed = script(
        &port,
        r#"
show(http.get(url, {version = "2", timeout = 5}))
local r, err = http.get("http://127.0.0.1:" .. at.silent, {version = "2", timeout = 0.3})
print(r, (err:gsub(":%d+", ":PORT")))
"#,
    )
    .at("silent", silent)
    .run_then(|vm| {
        assert!(vm.net().sockets().open() <= 1);
    });
    assert!(
        printed[0].starts_with("error\tHTTP/2 with 127.0.0.1:PORT: "),
        "{}",
        printed[0]
    );
    assert_eq!(
        printed[1],
        "nil\ttimeout after 0.3 s while waiting for the response of 127.0.0.1:PORT"
    );
}

#[test]
fn a_connection_that_ends_is_replaced() {
    let (port, count) = server(false, |_, answer, number| async move {
        // The first connection has one request, and none when the second comes.
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        let seen = SEEN.fetch_add(1, Ordering::SeqCst);
        ENDS.with(|ends| ends.set(true));
        if number == 1 && seen > 0 {
            return false;
        }
        say(answer, &format!("from {number}"));
        true
    });
    let printed = script(
        &port,
        r#"
for _ = 1, 3 do show(http.get(url, {version = "2", timeout = 5})) end
"#,
    )
    .run();
    assert_eq!(printed, ["200\tfrom 1", "200\tfrom 2", "200\tfrom 2"]);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_connection_ends_with_its_vm() {
    let ended = Log::default();
    let adding = ended.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        crate::harness::on_a_worker(async move {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let answers = |_, answer, _| async move {
                say(answer, "x");
                true
            };
            connection(stream, 2, answers).await;
            adding.add("ended");
        });
    });
    let printed = script(
        &port,
        "show(http.get(url, {version = '2', keepalive = 1000}))",
    )
    .run();
    assert_eq!(printed, ["200\tx"]);
    serving.join().unwrap();
    assert_eq!(ended.lines(), ["ended"]);
}

#[test]
fn idle_connections_are_closed() {
    let (port, _) = server(false, |_, answer, _| async move {
        say(answer, "x");
        true
    });
    let printed = script(
        &port,
        r#"
show(http.get(url, {version = "2", keepalive = 0.1}))
sleep(0.5)
"#,
    )
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
    assert_eq!(printed, ["200\tx"]);
}
