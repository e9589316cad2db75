//! Targets for the readers of HTTP/1.1: `head`, `chunked`.

use rille_runtime::net::chunked::Decoder;
use rille_server::http1::head::{self, Framing, Head};

/// Target `head`: what is found to be a head is one by the letter, is kept as it came, and means the same when it is written out again.
pub fn head(data: &[u8]) {
    let data = &data[head::leading_lines(data)..];
    let end = head::find_end(data, 0);
    for seen in [1, data.len() / 2, data.len().saturating_sub(1)] {
        if end.is_none_or(|end| end > seen) {
            assert_eq!(head::find_end(data, seen), end, "after {seen} bytes");
        }
    }
    let Some(end) = end else {
        return;
    };
    let Ok(head) = head::parse(&data[..end]) else {
        return;
    };
    assert_eq!(head.raw(), &data[..end]);
    assert!(head.path().starts_with(b"/") && head.target().starts_with(head.path()));
    let named = |name: &[u8]| {
        let fields = head.fields();
        fields
            .filter(|(at, _)| at.eq_ignore_ascii_case(name))
            .count()
    };
    assert!(named(b"host") <= 1 && named(b"content-length") + named(b"transfer-encoding") <= 1);
    assert_eq!(
        head.framing == Framing::Chunked,
        named(b"transfer-encoding") == 1
    );
    let again = head::parse(&written(&head)).expect("what was read can be read again");
    let meaning = |head: &Head| {
        let fields: Vec<_> = (head.fields())
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        (
            head.method.clone(),
            head.target().to_vec(),
            head.framing,
            head.keep_alive,
            head.expects_continue,
            fields,
        )
    };
    assert_eq!(meaning(&again), meaning(&head));
}

fn written(head: &Head) -> Vec<u8> {
    let mut text = Vec::new();
    for part in [
        head.method.as_str().as_bytes(),
        b" ",
        head.target(),
        b" ",
        head.protocol().as_bytes(),
        b"\r\n",
    ] {
        text.extend_from_slice(part);
    }
    for (name, value) in head.fields() {
        for part in [name, b":", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// What a body decodes to when it comes in pieces of so many bytes: its data, and its length if it has ended.
fn decode(body: &[u8], piece: usize) -> Option<(Vec<u8>, Option<usize>)> {
    let (mut decoder, mut data, mut at) = (Decoder::default(), Vec::new(), 0);
    while at < body.len() {
        let input = &body[at..body.len().min(at + piece)];
        let step = decoder.decode(input).ok()?;
        assert!(step.used > 0 || step.ended, "no progress");
        data.extend_from_slice(&input[step.data]);
        at += step.used;
        if step.ended {
            return Some((data, Some(at)));
        }
    }
    Some((data, None))
}

/// Target `chunked`: a body is the same in whatever pieces it comes; its data, written as one chunk, is read again.
pub fn chunked(data: &[u8]) {
    let whole = decode(data, data.len().max(1));
    for piece in [1, 2, 3, 7, 64] {
        let parts = decode(data, piece);
        assert_eq!(parts, whole, "in pieces of {piece} bytes");
    }
    if let Some((content, Some(_))) = whole {
        let mut body = Vec::new();
        if !content.is_empty() {
            body.extend_from_slice(format!("{:x}\r\n", content.len()).as_bytes());
            body.extend_from_slice(&content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(decode(&body, 5), Some((content, Some(body.len()))));
    }
}
