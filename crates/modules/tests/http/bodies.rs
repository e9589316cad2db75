//! Bodies: long ones, compressed ones, those that come or go piece by piece.

use crate::servers::{Peer, ok};
use crate::support::serve;
use crate::{logged, script};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;
use std::time::Duration;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A server of one response.
fn answers(coding: &str, body: Vec<u8>) -> String {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    serve(move |stream| {
        let mut peer = Peer::new(stream);
        while let Some(request) = peer.request() {
            peer.say(&head);
            if !request.starts_with("HEAD") {
                peer.say(&body);
            }
        }
    })
}

#[test]
fn compressed_bodies() {
    let text = b"so it goes ".repeat(1000);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&text).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
    raw.write_all(&text).unwrap();
    let whole = gzip(&text);
    let source = r#"
local r, err = http.get(url)
if not r then return print(err) end
print(#r.body, r.body:sub(1, 10), r.headers.content_encoding, r.headers.content_length)
local s = http.get(url, {stream = true})
local parts = {}
for piece in s:chunks(100) do parts[#parts + 1] = piece; assert(#piece <= 100) end
print(table.concat(parts) == r.body, http.head(url).headers.content_encoding)
"#;
    for (coding, body) in [
        ("gzip", whole.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
    ] {
        let printed = script(&answers(coding, body), source).run();
        assert_eq!(
            printed,
            [
                "11000\tso it goes\tnil\tnil".to_owned(),
                format!("true\t{coding}")
            ]
        );
    }
    // What nobody asked to be undone.
    let printed = script(
        &answers("gzip", whole.clone()),
        "local r = http.get(url, {decompress = false}) print(#r.body, r.headers.content_encoding)
         r = http.get(url, {headers = {['accept-encoding'] = 'gzip'}}) print(#r.body, r.headers.content_encoding)",
    )
    .run();
    assert_eq!(printed, vec![format!("{}\tgzip", whole.len()); 2]);
    let (cut, twice) = (
        whole[..whole.len() - 3].to_vec(),
        [&whole[..], &whole].concat(),
    );
    let mut broken = whole.clone();
    broken[14] ^= 0xff;
    for (body, why) in [
        (cut, "the compressed body is cut short"),
        (twice, "the compressed body is malformed"),
        (broken, "the compressed body is malformed"),
        (
            b"not compressed".to_vec(),
            "the compressed body is malformed",
        ),
    ] {
        let printed = script(&answers("gzip", body), "show(http.get(url))")
            .run_then(|vm| assert_eq!(vm.net().memory().used(), 0));
        assert_eq!(printed, [format!("error\t{why}")]);
    }
}

#[test]
fn bombs_do_not_go_off() {
    let bomb = gzip(&vec![0; 200 << 20]);
    assert!(bomb.len() < 1 << 20);
    let printed = script(
        &answers("gzip", bomb),
        r#"
show(http.get(url))
show(http.get(url, {max_body = 1000}))
local s, count = http.get(url, {stream = true}), 0
for _ = 1, 20 do count = count + #s:read() end
print(count > 0 and count <= 20 * 65536)
s:close()
print(s:read())
"#,
    )
    .manifest("lua = \"5.1\"\n[limits]\nmemory = \"32 MiB\"\nbody = \"1 MiB\"\n")
    .run_then(|vm| {
        assert_eq!(
            (vm.net().memory().used(), vm.net().sockets().open()),
            (0, 0)
        );
    });
    let told = "ask for more with max_body, or read it with stream = true";
    assert_eq!(
        printed,
        [
            format!("error\tthe response is longer than max_body, 1048576 bytes: {told}"),
            format!("error\tthe response is longer than max_body, 1000 bytes: {told}"),
            "true".to_owned(),
            "nil\tclosed".to_owned(),
        ]
    );
}

#[test]
fn decompression_is_processor_time() {
    let bomb = gzip(&vec![0; 400 << 20]);
    let port = answers("gzip", bomb);
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "local s = http.get('http://127.0.0.1:{port}', {{stream = true}}) repeat until not s:read(4194304) print('all')"
    );
    std::fs::write(folder.path().join("index.lua"), source).unwrap();
    let app = crate::harness::load(folder.path());
    crate::harness::on_a_worker(async {
        let vm = crate::harness::vm(&app, &rille_runtime::log::Log::memory());
        vm.init().await.unwrap();
        let (cpu, wall) = (Duration::from_millis(60), Duration::from_secs(100));
        let end = crate::harness::run(&vm, "index.lua", cpu, wall).await;
        match end {
            rille_runtime::coroutine::End::Failed(failure) => {
                assert!(
                    failure.to_string().contains("cpu limit of 60 ms"),
                    "{failure}"
                );
            }
            _ => panic!("it was not stopped"),
        }
    });
}

#[test]
fn long_bodies_are_bounded() {
    let long = "x".repeat(3 << 20);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let to_end = format!("HTTP/1.1 200 OK\r\n\r\n{long}");
    for (text, knows_length) in [(ok(&long), true), (chunked, false), (to_end, false)] {
        let port = serve(move |stream| {
            let mut peer = Peer::new(stream);
            if peer.request().is_some() {
                peer.say(&text);
            }
        });
        let printed = script(
            &port,
            r#"
show(http.get(url))
print(#http.get(url, {max_body = 3 * 1024 * 1024}).body)
show(http.get(url, {max_body = 3 * 1024 * 1024 - 1}))
local s = http.get(url, {stream = true})
print(#s:read(10), #s:read("a"), s:read(), s:read())
local n, text, err = 0
s, err = http.get(url, {stream = true, max_body = 100000})
if not s then print(err) return end
repeat text, err = s:read() n = n + #(text or "") until not text
print(n <= 100000, err ~= nil, s:read())
print(select(2, pcall(function() for _ in http.get(url, {stream = true, max_body = 1}):chunks() do end end)) ~= nil)
"#,
        )
        .manifest("lua = \"5.1\"\n[limits]\nbody = \"1 MiB\"\n")
        .run();
        assert!(
            printed[0].starts_with("error\tthe response is longer than max_body, 1048576 bytes"),
            "{}",
            printed[0]
        );
        assert_eq!(printed[1], "3145728");
        assert!(
            printed[2].starts_with("error\tthe response is longer than max_body, 3145727 bytes"),
            "{}",
            printed[2]
        );
        assert_eq!(printed[3], "10\t3145718\tnil\tnil");
        match knows_length {
            true => assert!(
                printed[4].starts_with("the response is longer than max_body, 100000 bytes")
            ),
            false => assert_eq!(printed[4..], ["true\ttrue\tnil\tclosed", "true"]),
        }
    }
}

#[test]
fn bodies_from_functions() {
    let (port, log) = logged(|_| ok("got it"));
    let printed = script(
        &port,
        r#"
local function from(list, waits)
  local i = 0
  return function() i = i + 1 if waits then sleep(0.01) end return list[i] end
end
show(http.post(url, from({"ab", "", "cde"}, true)))
show(http.put(url, from{"ab", "cde"}, {headers = {["Content-Length"] = 5}}))
show(http.put(url, from{"ab", "cde"}, {headers = {["Content-Length"] = 4}}))
show(http.put(url, from{"ab", "cde"}, {headers = {["Content-Length"] = 6}}))
print(pcall(http.post, url, from{"ab", 5}))
print(pcall(http.post, url, function() error("mine") end))
print(pcall(http.post, url, function() error({}) end))
show(http.request{url = url, body = from{}})
"#,
    )
    .run_then(|vm| assert_eq!(vm.net().sockets().open(), vm.net().pools().idle()));
    assert_eq!(
        printed[..6],
        [
            "200\tgot it",
            "200\tgot it",
            "error\tthe body is longer than its Content-Length says",
            "error\tthe body is shorter than its Content-Length says",
            "false\tthe function that gives the body gave a number, not a string",
            "false\tindex.lua:17: mine",
        ]
    );
    assert!(printed[6].starts_with("false\ttable"));
    assert_eq!(printed[7], "200\tgot it");
    let seen = log.lines();
    assert!(
        seen[0].contains("transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
        "{}",
        seen[0]
    );
    assert!(
        seen[1].ends_with("content-length: 5\r\n\r\nabcde"),
        "{}",
        seen[1]
    );
    assert!(
        seen[2].starts_with("POST ") && seen[2].ends_with("\r\n\r\n0\r\n\r\n"),
        "{}",
        seen[2]
    );
}

#[test]
fn a_response_may_come_before_the_body_was_sent() {
    for ends in [true, false] {
        let port = serve(move |stream| {
            let mut peer = Peer::new(stream);
            peer.until("\r\n\r\n");
            peer.say("HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno");
            match ends {
                // The rest is read, so that what was said is not lost.
                true => {
                    let _ = peer.stream.shutdown(std::net::Shutdown::Write);
                    std::thread::sleep(Duration::from_millis(300));
                }
                false => std::thread::sleep(Duration::from_secs(20)),
            }
        });
        let printed = script(
            &port,
            "show(http.post(url, ('x'):rep(16 * 1024 * 1024), {timeout = 10}))",
        )
        .run_then(|vm| assert_eq!(vm.net().sockets().open(), 0));
        assert_eq!(printed, ["413\tno"]);
    }
}

#[test]
fn a_streamed_response_comes_as_it_is_sent_and_outlasts_the_total() {
    let port = serve(|stream| {
        let mut peer = Peer::new(stream);
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for at in 0..5 {
            peer.say(format!("8\r\nevent {at}\n\r\n"));
            std::thread::sleep(Duration::from_millis(100));
        }
        peer.say("0\r\n\r\n");
    });
    let printed = script(
        &port,
        r#"
local s = http.get(url, {stream = true, timeout = {total = 0.2, read = 5}})
for event in s:chunks() do print(event) end
local other = http.get(url, {stream = true})
local reader = ngx.thread.spawn(function() return other:read("a") end)
print(other:read())
print(#select(2, ngx.thread.wait(reader)))
local third = http.get(url, {stream = true})
reader = ngx.thread.spawn(function() third:read("a") return "never" end)
third:close()
print(third:read())
"#,
    )
    .run();
    let events: Vec<String> = (0..5).map(|at| format!("event {at}\\n")).collect();
    assert_eq!(printed[..5], events);
    assert_eq!(
        printed[5..],
        ["nil\tthe response is being read", "40", "nil\tclosed"]
    );
}
