//! Connections: kept, shared out, given up, and no more of them than there may be.

use crate::script;
use crate::servers::{Counts, Peer, echo, ok, server};
use crate::support::serve;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn connections_are_used_again() {
    let (port, counts) = server(|request| match request.contains("/close") {
        true => {
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nCONNECTION".to_owned()
        }
        false => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nCONNECTION\r\n0\r\n\r\n"
                .to_owned()
        }
    });
    let printed = script(
        &port,
        r#"
for _, path in ipairs{"/", "/", "/close", "/", "/", "/"} do show(http.get(url .. path)) end
show(http.get(url, {keepalive = false}))
show(http.get(url))
local s = http.get(url, {stream = true})
show(http.get(url))
print(s:read(), s:read(), s:read())
show(http.get(url))
"#,
    )
    .run_then(|vm| {
        assert_eq!(vm.net().pools().idle(), 2);
    });
    let connections: Vec<&str> = printed
        .iter()
        .map(|line| line.rsplit('\t').next().unwrap())
        .collect();
    // The seventh used the idle one and did not keep it; the streamed one was given back at its end, and is the one used last.
    assert_eq!(connections[..8], ["1", "1", "1", "2", "2", "2", "2", "3"]);
    assert_eq!(connections[8..], ["4", "nil", "3"]);
    assert_eq!(counts.all.load(Ordering::SeqCst), 4);
}

#[test]
fn a_used_connection_that_has_ended_is_tried_once_more() {
    let counts = Counts::default();
    let counting = counts.clone();
    // Answers one request of each connection, and ends it when the next has come.
    let port = serve(move |stream| {
        let number = counting.all.fetch_add(1, Ordering::SeqCst) + 1;
        let mut peer = Peer::new(stream);
        peer.request();
        peer.say(ok(&format!("from {number}")));
        peer.request();
    });
    let printed = script(
        &port,
        r#"
show(http.get(url))
show(http.get(url))
show(http.post(url, "x"))
show(http.put(url, "x"))
show(http.get(url))
"#,
    )
    .run();
    assert_eq!(
        printed,
        [
            "200\tfrom 1",
            "200\tfrom 2",
            "error\t127.0.0.1:PORT closed the connection",
            "200\tfrom 3",
            "200\tfrom 4"
        ]
    );
    assert_eq!(counts.all.load(Ordering::SeqCst), 4);
}

#[test]
fn more_threads_than_sockets_take_turns() {
    let (port, counts) = server(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ok("x")
    });
    let source = r#"
local threads = {}
for i = 1, 100 do threads[i] = ngx.thread.spawn(function() return http.get(url) end) end
local good = 0
for i = 1, 100 do
  local ok, response, err = ngx.thread.wait(threads[i])
  if ok and response and response.body == "x" then good = good + 1 else print(err) end
end
print(good)
"#;
    let printed = script(&port, source)
        .manifest("lua = \"5.1\"\n[limits]\nsockets = 10\n")
        .run_then(|vm| assert!(vm.net().sockets().open() <= 10));
    assert_eq!(printed, ["100"]);
    assert_eq!(counts.all.load(Ordering::SeqCst), 10);
    assert!(counts.most.load(Ordering::SeqCst) <= 10);
    // With enough sockets all are there at once.
    let (port, counts) = server(|_| {
        std::thread::sleep(Duration::from_millis(500));
        ok("x")
    });
    let printed = script(&port, source)
        .manifest("lua = \"5.1\"\n[limits]\nsockets = 100\n")
        .run();
    assert_eq!(printed, ["100"]);
    assert!(counts.most.load(Ordering::SeqCst) > 50);
}

#[test]
fn a_socket_that_does_not_come_free_is_not_waited_for_without_end() {
    let (port, _) = echo();
    let printed = script(
        &port,
        r#"
local held = http.get(url, {stream = true})
show(http.get(url, {timeout = {connect = 0.2}}))
held:close()
show(http.get(url, {timeout = {connect = 0.2}, method = nil, headers = {a = 1}, query = {x = 1}, max_body = 9}))
held = nil
local dropped = http.get(url, {stream = true})
dropped = nil
print(http.get(url).status)
"#,
    )
    .manifest("lua = \"5.1\"\n[limits]\nsockets = 1\n")
    .run();
    assert_eq!(
        printed[0],
        "error\ttimeout after 0.2 s while waiting for a socket: all that the app's limits.sockets allows are in use"
    );
    assert!(
        printed[1].starts_with("error\tthe response is longer than max_body, 9 bytes"),
        "{}",
        printed[1]
    );
    assert_eq!(printed[2], "200");
}

#[test]
fn a_script_that_is_stopped_leaves_nothing_open() {
    let port = serve(|stream| Peer::new(stream).wait_for_end());
    let printed = script(&port, "http.get(url)")
        .wall(Duration::from_millis(200))
        .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
    assert!(printed[0].contains("wall limit"), "{printed:?}");
}

#[test]
fn what_requests_take_is_bounded() {
    let port = serve(|stream| Peer::new(stream).wait_for_end());
    let printed = script(
        &port,
        r#"
local full = 0
local fields = {a = ("x"):rep(65000)}
for i = 1, 60 do
  ngx.thread.spawn(function()
    local r, err = http.get(url, {headers = fields, timeout = 1})
    if err:find("memory limit") then full = full + 1 end
  end)
end
sleep(0.1)
print(full > 0 and full < 60)
"#,
    )
    .manifest("lua = \"5.1\"\n[limits]\nmemory = \"8 MiB\"\n")
    .run_then(|vm| {
        vm.lua().gc_collect().unwrap();
        assert_eq!(vm.net().memory().used(), 0);
    });
    assert_eq!(printed, ["true"]);
}

#[test]
fn timers_and_tasks_ask_too() {
    let (port, _) = echo();
    let printed = script(
        &port,
        r#"
local done = 0
timer.after(0, function() if http.get(url).ok then done = done + 1 end end)
ngx.timer.at(0, function() if http.get(url).ok then done = done + 1 end end)
local co = coroutine.wrap(function() return http.get(url).status end)
print(co())
for _ = 1, 100 do if done == 2 then break end sleep(0.02) end
print(done)
"#,
    )
    .run();
    assert_eq!(printed, ["200", "2"]);
}
