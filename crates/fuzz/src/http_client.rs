//! Targets for what the HTTP client reads of others: `response`, `url`, `inflate`.

use rille_modules::http::head::{self, Framing, Head};
use rille_modules::http::inflate::{Inflate, STEP};
use rille_modules::http::url::{MAX_URL, Url};

/// Target `response`: what is found to be a head means the same when it is written out again, and is framed in one way only.
pub fn response(data: &[u8]) {
    let Ok(head) = head::parse(data, false) else {
        return;
    };
    assert!((100..=999).contains(&head.status));
    let count = |name: &str| {
        head.fields
            .iter()
            .filter(|(known, _)| known == name)
            .count()
    };
    assert!(count("content-length") + count("transfer-encoding") <= 1);
    for (name, value) in &head.fields {
        assert!(!name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
    assert!(!(head.keep_alive && head.framing == Framing::Close));
    let again = head::parse(&written(&head), false).expect("what was read can be read again");
    assert_eq!(
        (again.status, &again.fields, again.framing),
        (head.status, &head.fields, head.framing)
    );
    // The answer to HEAD is the same head without a body.
    let to_head = head::parse(data, true).expect("a head is one whatever was asked");
    assert_eq!(
        (to_head.framing, &to_head.fields),
        (Framing::Length(0), &head.fields)
    );
}

fn written(head: &Head) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {:03} ", head.status).into_bytes();
    text.extend_from_slice(&head.reason);
    text.extend_from_slice(b"\r\n");
    for (name, value) in &head.fields {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Target `url`: a URL can be written into a request, is the same when it is read again, and so is what a redirect makes of it.
pub fn url(data: &[u8]) {
    let (location, base) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (
            data.get(at + 1..).unwrap_or_default(),
            data.get(..at).unwrap_or_default(),
        ),
        None => (data, &b"https://user:pw@a.test:8443/b/c/d;p?q"[..]),
    };
    let Ok(base) = Url::parse(base) else {
        return;
    };
    check(&base);
    if let Ok(there) = base.join(location) {
        check(&there);
        assert!(there.same_origin(&base) || location.windows(2).any(|two| two == b"//"));
    }
}

fn check(url: &Url) {
    assert!(url.target.starts_with('/') && url.port > 0);
    assert!(
        url.target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    );
    assert!(!url.host.is_empty() && !url.host.contains(['/', '@', '\\', '?', '#', ' ']));
    let text = url.to_string();
    if text.len() <= MAX_URL {
        let again = Url::parse(text.as_bytes()).expect("what was written can be read");
        assert_eq!(
            again,
            Url {
                user: None,
                ..url.clone()
            }
        );
    }
}

/// Target `inflate`: a body is the same in whatever pieces it comes, and no step gives more than it may.
pub fn inflate(data: &[u8]) {
    for coding in [&b"gzip"[..], b"deflate"] {
        let whole = decode(coding, data, STEP);
        for piece in [1, 7, 100] {
            assert_eq!(
                decode(coding, data, piece),
                whole,
                "in pieces of {piece} bytes"
            );
        }
    }
}

fn decode(coding: &[u8], data: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut decoder = Inflate::new(coding)?;
    let mut out = Vec::new();
    for piece in data.chunks(piece) {
        let given = decoder.step(piece).ok()?;
        // Nothing is smaller than one part in 1032; a window may have been held back.
        assert!(given.len() <= 1032 * STEP + (64 << 10));
        out.extend_from_slice(&given);
    }
    out.extend_from_slice(&decoder.end().ok()?);
    Some(out)
}
