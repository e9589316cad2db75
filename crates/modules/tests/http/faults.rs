//! What peers do that they must not. Each gives an error that says so, and a connection that is never used again.

use crate::script;
use crate::servers::{Counts, Peer, ok};
use crate::support::serve;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A server that says something to the first request of each connection and then ends it, or waits.
fn says(text: impl AsRef<[u8]> + Send + Clone + 'static, ends: bool) -> (String, Counts) {
    let counts = Counts::default();
    let counting = counts.clone();
    let port = serve(move |stream| {
        counting.all.fetch_add(1, Ordering::SeqCst);
        let mut peer = Peer::new(stream);
        if peer.request().is_none() {
            return;
        }
        peer.say(text.as_ref());
        if !ends {
            peer.wait_for_end();
        }
    });
    (port, counts)
}

/// What two requests give, which must take two connections.
fn fault(text: impl AsRef<[u8]> + Send + Clone + 'static, ends: bool) -> String {
    let shown = String::from_utf8_lossy(text.as_ref())
        .chars()
        .take(60)
        .collect::<String>();
    let (port, counts) = says(text, ends);
    let printed = script(
        &port,
        "for _ = 1, 2 do show(http.get(url, {timeout = 5})) end",
    )
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0, "{shown:?}"));
    assert_eq!(printed[0], printed[1]);
    assert_eq!(counts.all.load(Ordering::SeqCst), 2, "{shown:?}");
    printed[0].clone()
}

#[test]
fn responses_that_are_none() {
    let long_line = format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(8000));
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(201));
    let long_head = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(70_000));
    let interim = format!(
        "{}{}",
        "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n".repeat(17),
        ok("late")
    );
    for (text, why) in [
        (
            "220 mail.test ESMTP\r\n",
            "sent something that is no HTTP response",
        ),
        ("SSH-2.0-x\r\n", "sent something that is no HTTP response"),
        (&*long_line, "sent a status line longer than 4 KiB"),
        (&*many_fields, "sent more than 200 fields"),
        (&*long_head, "sent a head longer than 64 KiB"),
        (&*interim, "sent too many interim responses"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "sent a switch to another protocol, which was not asked for",
        ),
        (
            "HTTP/3.0 200 OK\r\n\r\n",
            "sent another version than HTTP/1.1 or HTTP/1.0",
        ),
        ("HTTP/1.1 abc OK\r\n\r\n", "sent a malformed status line"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "sent both a Content-Length and a Transfer-Encoding",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "sent a Content-Length twice",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "sent a malformed Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "sent a Transfer-Encoding that is not 'chunked'",
        ),
        (
            "HTTP/1.1 200 OK\r\nA: 1\n\r\n\r\n",
            "sent a line that does not end in CR LF",
        ),
        (
            "HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
            "sent a malformed name of a field",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "sent a chunked body that is malformed",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "sent a chunked body that is malformed",
        ),
    ] {
        assert_eq!(
            fault(text.to_owned(), false),
            format!("error\t127.0.0.1:PORT {why}")
        );
    }
}

#[test]
fn responses_that_end_too_early() {
    for (text, why) in [
        ("", "closed the connection"),
        ("HTTP", "sent a head that is cut short"),
        ("HTTP/1.1 200 OK\r\nA: b", "sent a head that is cut short"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "closed the connection"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "sent a body that is cut short",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "sent a body that is cut short",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            "sent a body that is cut short",
        ),
    ] {
        assert_eq!(fault(text, true), format!("error\t127.0.0.1:PORT {why}"));
    }
    // Only the end says where this one ends.
    assert_eq!(fault("HTTP/1.1 200 OK\r\n\r\nall", true), "200\tall");
    assert_eq!(
        fault("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nall", false),
        "200\tall"
    );
}

#[test]
fn what_comes_behind_a_response_is_nobodys() {
    let smuggled = ok("SECOND");
    for first in [
        ok("first"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 304 Not\r\nContent-Length: 6\r\n\r\n".to_owned(),
    ] {
        let said = fault(format!("{first}{smuggled}"), false);
        assert!(["200\tfirst", "204\t", "304\t"].contains(&&*said), "{said}");
    }
    // What comes later closes the connection where it lies.
    let counts = Counts::default();
    let counting = counts.clone();
    let port = serve(move |stream| {
        counting.all.fetch_add(1, Ordering::SeqCst);
        let mut peer = Peer::new(stream);
        peer.request();
        peer.say(ok("first"));
        std::thread::sleep(Duration::from_millis(50));
        peer.say(ok("SECOND"));
        peer.wait_for_end();
    });
    let printed = script(&port, "for _ = 1, 2 do show(http.get(url)) sleep(0.2) end").run();
    assert_eq!(printed, ["200\tfirst", "200\tfirst"]);
    assert_eq!(counts.all.load(Ordering::SeqCst), 2);
}

#[test]
fn peers_that_stall() {
    let waiting = |text: &'static str| says(text, false).0;
    let get = "show(http.get(url, {timeout = {read = 0.2}}))";
    let stalled = |port: &str, source: &str| {
        let begun = std::time::Instant::now();
        let printed = script(port, source).run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
        assert!(begun.elapsed() < Duration::from_secs(20));
        printed[0].clone()
    };
    for text in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        assert_eq!(
            stalled(&waiting(text), get),
            "error\ttimeout after 0.2 s while waiting for the response of 127.0.0.1:PORT"
        );
    }
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\n\r\nabc",
    ] {
        assert_eq!(
            stalled(&waiting(text), get),
            "error\ttimeout after 0.2 s while reading the response of 127.0.0.1:PORT"
        );
    }
    // One that takes nothing.
    let idle = serve(|stream| {
        std::thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let body = "('x'):rep(16 * 1024 * 1024)";
    for source in [
        format!("show(http.post(url, {body}, {{timeout = {{send = 0.2}}}}))"),
        format!(
            "local piece = {body} show(http.post(url, function() return piece end, {{timeout = {{send = 0.2}}}}))"
        ),
    ] {
        assert_eq!(
            stalled(&idle, &source),
            "error\ttimeout after 0.2 s while sending to 127.0.0.1:PORT"
        );
    }
    // One that does not shake hands.
    assert_eq!(
        stalled(
            &idle,
            "show(http.get('https://127.0.0.1:' .. at.port, {timeout = {connect = 0.2}}))"
        ),
        "error\ttimeout after 0.2 s while connecting to 127.0.0.1:PORT"
    );
    // One that drips is within the limit for each wait, but not within that for all.
    let drips = |begin: &'static str| {
        serve(move |stream| {
            let mut peer = Peer::new(stream);
            peer.request();
            peer.say(begin);
            while peer.say("x") {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    for (begin, doing) in [
        ("HTTP/1.1 200 OK\r\nA: ", "waiting for"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
            "reading",
        ),
    ] {
        assert_eq!(
            stalled(
                &drips(begin),
                "show(http.get(url, {timeout = {read = 5, total = 0.3}}))"
            ),
            format!("error\ttimeout after 0.3 s while {doing} the response of 127.0.0.1:PORT")
        );
    }
    // Interim responses do not prolong it.
    let endless = serve(|stream| {
        let mut peer = Peer::new(stream);
        peer.request();
        while peer.say("HTTP/1.1 103 Early\r\n\r\n") {}
    });
    assert_eq!(
        stalled(&endless, get),
        "error\t127.0.0.1:PORT sent too many interim responses"
    );
}

#[test]
fn nobody_there() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port().to_string();
    drop(closed);
    let printed = script(
        &port,
        r#"
show(http.get(url))
show(http.get("http://[::1]:" .. at.port))
show(http.get("http://no-such-host.invalid/"))
"#,
    )
    .run();
    assert_eq!(printed[0], "error\tconnection refused: 127.0.0.1:PORT");
    assert!(printed[1].ends_with(": [::1]:PORT"), "{}", printed[1]);
    assert!(
        printed[2].starts_with("error\tno-such-host.invalid could not be resolved ("),
        "{}",
        printed[2]
    );
}
