//! Compression by `Accept-Encoding`, on the wire: what is compressed, what it decodes to, and what is left as it is.

mod serve_support;

use rille_testkit::http::Response;
use serve_support::{App, app};
use std::io::Read;

const HANDLERS: &[(&str, &str)] = &[
    ("index.lua", "return 'small'"),
    ("large.lua", "return ('the quick brown fox '):rep(100)"),
    (
        "huge.lua",
        "local t = {} for i = 1, 60000 do t[i] = 'line ' .. i end return table.concat(t, '\\n')",
    ),
    (
        "json.lua",
        "local t = {} for i = 1, 500 do t[i] = {id = i} end return t",
    ),
    (
        "image.lua",
        "return ('x'):rep(5000), {['Content-Type'] = 'image/png'}",
    ),
    (
        "coded.lua",
        "return ('x'):rep(5000), {['Content-Encoding'] = 'identity'}",
    ),
    (
        "kept.lua",
        "return ('x'):rep(5000), {['Cache-Control'] = 'no-transform'}",
    ),
    (
        "part.lua",
        "return 206, ('x'):rep(5000), {['Content-Range'] = 'bytes 0-4999/9999'}",
    ),
    ("tag.lua", "return ('x'):rep(5000), {ETag = '\"v1\"'}"),
    ("none.lua", "return 204"),
    (
        "broken.lua",
        "response:write(('x'):rep(5000)) response:flush() error('oops')",
    ),
    (
        "stream.lua",
        "for i = 1, 3 do response:write('piece ' .. i .. '\\n') response:flush() sleep(0.3) end",
    ),
    ("public/app.js", JS),
];

const JS: &str = "// a comment that is long enough to be compressed ................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................................\n";

fn decode(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    let body = &response.body[..];
    match response.header("content-encoding") {
        None => return body.to_vec(),
        Some("gzip") => flate2::read::GzDecoder::new(body).read_to_end(&mut out),
        Some("br") => brotli::Decompressor::new(body, 4096).read_to_end(&mut out),
        Some("zstd") => zstd::stream::read::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut out),
        Some(other) => panic!("nobody asked for {other}"),
    }
    .unwrap();
    out
}

fn get(app: &App, target: &str, accept: &str) -> Response {
    app.send("GET", target, &[("Accept-Encoding", accept)], b"")
}

#[test]
fn each_coding_decodes_to_what_was_said() {
    let app = app(HANDLERS);
    for target in ["/large", "/huge", "/json", "/app.js", "/tag"] {
        let plain = app.get(target);
        assert_eq!(plain.status, 200);
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{target}");
        for coding in ["gzip", "br", "zstd"] {
            let coded = get(&app, target, coding);
            assert_eq!(coded.header("content-encoding"), Some(coding), "{target}");
            assert_eq!(coded.header("vary"), Some("accept-encoding"));
            assert_eq!(coded.header("content-type"), plain.header("content-type"));
            assert!(coded.body.len() < plain.body.len(), "{target} {coding}");
            assert!(decode(&coded) == plain.body, "{target} {coding}");
        }
    }
    let huge = get(&app, "/huge", "gzip, deflate, br");
    assert_eq!(huge.header("content-encoding"), Some("br"));
    assert_eq!(get(&app, "/tag", "gzip").header("etag"), Some("W/\"v1\""));
    assert_eq!(get(&app, "/tag", "identity").header("etag"), Some("\"v1\""));
}

#[test]
fn what_is_left_as_it_is() {
    let app = app(HANDLERS);
    for (target, accept) in [
        ("/", "gzip"),
        ("/image", "gzip"),
        ("/coded", "gzip"),
        ("/kept", "gzip"),
        ("/part", "gzip"),
        ("/none", "gzip"),
        ("/large", "gzip;q=0"),
        ("/large", "identity"),
        ("/large", "deflate"),
        ("/large", "gzip;q=9"),
        ("/missing", "gzip"),
    ] {
        let response = get(&app, target, accept);
        let coding = response.header("content-encoding");
        assert!(
            coding.is_none_or(|coding| coding == "identity"),
            "{target} {accept}: {coding:?}"
        );
        let expects_vary = target == "/large";
        assert_eq!(response.header("vary").is_some(), expects_vary, "{target}");
    }
    let head = app.send("HEAD", "/large", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!((head.header("content-length"), head.body.len()), (None, 0));
}

#[test]
fn what_is_flushed_goes_out_at_once() {
    let app = app(HANDLERS);
    for coding in ["gzip", "br", "zstd"] {
        let mut connection = app.connect();
        let request = format!(
            "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: {coding}\r\n\r\n"
        );
        let begun = std::time::Instant::now();
        connection.send(request.as_bytes()).unwrap();
        connection.receive_bytes().unwrap();
        let first = begun.elapsed();
        assert!(first.as_millis() < 300, "the first piece took {first:?}");
        let whole = get(&app, "/stream", coding);
        assert_eq!(whole.header("content-encoding"), Some(coding));
        assert!(whole.chunked);
        assert_eq!(decode(&whole), b"piece 1\npiece 2\npiece 3\n");
    }
}

#[test]
fn a_response_that_is_cut_short_stays_one() {
    let app = app(HANDLERS);
    let headers = [("Accept-Encoding", "gzip"), ("Host", "a")];
    let cut = rille_testkit::http::request(app.address(), "GET", "/broken", &headers, b"");
    assert!(cut.is_err(), "{cut:?}");
}

#[test]
fn the_manifest_decides() {
    let with = |rules: &str| {
        let manifest = format!("[compression]\n{rules}\n");
        let mut files = HANDLERS.to_vec();
        files.push(("rille.toml", &manifest));
        app(&files)
    };
    let off = get(&with("enabled = false"), "/large", "gzip");
    assert_eq!(
        (off.header("content-encoding"), off.header("vary")),
        (None, None)
    );
    let only = with(
        "codings = [\"gzip\"]\nmin_size = \"1 B\"\ntypes = [\"text/*\", \"image/png\"]\nlevel = 9",
    );
    assert_eq!(
        get(&only, "/", "gzip, br").header("content-encoding"),
        Some("gzip")
    );
    assert_eq!(
        get(&only, "/image", "gzip").header("content-encoding"),
        Some("gzip")
    );
    assert_eq!(get(&only, "/json", "gzip").header("content-encoding"), None);
    assert_eq!(get(&only, "/large", "br").header("content-encoding"), None);
}

/// A worker that compresses much answers others in between.
#[test]
fn others_are_answered_in_between() {
    let app = app(HANDLERS);
    let address = app.address();
    let huge = std::thread::spawn(move || {
        for _ in 0..5 {
            let headers = [("Accept-Encoding", "br")];
            rille_testkit::http::request(address, "GET", "/huge", &headers, b"").unwrap();
        }
    });
    let mut longest = std::time::Duration::ZERO;
    while !huge.is_finished() {
        let begun = std::time::Instant::now();
        assert_eq!(app.get("/").status, 200);
        longest = longest.max(begun.elapsed());
    }
    huge.join().unwrap();
    assert!(longest.as_millis() < 1000, "one waited {longest:?}");
}
