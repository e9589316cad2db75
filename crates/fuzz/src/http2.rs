//! Targets for what is read of HTTP/2 and TLS besides the crates for them: `frames`, `fields`, `certificate`.

use http::Request;
use http::header::{HOST, HeaderName, HeaderValue};
use rille_server::http1::head as http1;
use rille_server::http2::head_of;
use rille_server::http2::meter::{CREDIT, Meter, PREFACE};
use rille_server::tls::client;
use std::time::Instant;

/// Target `frames`: in whatever pieces frames come, the meter counts those that a walk over them finds.
pub fn frames(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else {
        return;
    };
    // It passes no time.
    let now = Instant::now();
    let mut meter = Meter::new(now);
    for piece in data.chunks(usize::from(size).max(1)) {
        meter.see(piece, now);
    }
    let (mut credit, mut is_over) = (CREDIT, false);
    let mut rest = data.get(PREFACE.len()..).unwrap_or_default();
    while let [a, b, c, kind, flags, _, _, _, _, payload @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let cost = match kind {
            0 if length == 0 && flags & 1 == 0 => 1,
            0 | 1 => 0,
            3 => 5,
            _ => 1,
        };
        match credit >= cost {
            true => credit -= cost,
            false => is_over = true,
        }
        rest = payload.get(length..).unwrap_or_default();
    }
    assert_eq!((meter.credit(), meter.is_over()), (credit, is_over));
}

/// Target `fields`: a request that HTTP/1.1 reads means the same when it comes as the fields of a stream.
pub fn fields(data: &[u8]) {
    let Some(end) = http1::find_end(data, 0) else {
        return;
    };
    let Ok(old) = http1::parse(&data[..end]) else {
        return;
    };
    let Ok(target) = std::str::from_utf8(old.target()) else {
        return;
    };
    let authority = old.authority();
    let request = Request::builder()
        .method(old.method.clone())
        .uri(format!("http://{authority}{target}"));
    let Ok(request) = request.body(()) else {
        return;
    };
    let (mut parts, ()) = request.into_parts();
    for (name, value) in old.fields() {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        else {
            return;
        };
        if name != HOST && parts.headers.try_append(name, value).is_err() {
            return;
        }
    }
    let Ok(new) = head_of(&parts, false) else {
        // An authority with a port that is no number is refused by one of the two only.
        return;
    };
    assert_eq!(new.method, old.method);
    assert_eq!((new.path(), new.query()), (old.path(), old.query()));
    assert_eq!(new.authority(), authority);
    for (name, _) in old.fields() {
        let Ok(name) = HeaderName::from_bytes(name) else {
            continue;
        };
        let values: Vec<&[u8]> = old.all(&name).collect();
        let joined = [values.join(&b"; "[..])];
        let expected: Vec<&[u8]> = match name.as_str() {
            "cookie" => vec![&joined[0]],
            "host" => vec![authority.as_bytes()],
            _ => values,
        };
        assert_eq!(new.all(&name).collect::<Vec<_>>(), expected, "{name}");
    }
}

/// Target `certificate`: whatever a certificate holds, what scripts are told of it is text of a line.
pub fn certificate(data: &[u8]) {
    for name in [
        "serial",
        "s_dn",
        "i_dn",
        "v_start",
        "v_end",
        "v_remain",
        "fingerprint",
        "escaped_cert",
    ] {
        if let Some(text) = client::variable(data, name.as_bytes()) {
            assert!(
                text.iter().all(|byte| (0x20..0x7f).contains(byte)),
                "{name}: {text:?}"
            );
        }
    }
    let pem = client::variable(data, b"raw_cert").expect("bytes are written as they are");
    let folded = client::variable(data, b"cert").expect("bytes are written as they are");
    assert_eq!(
        pem.iter().filter(|byte| **byte == b'\n').count(),
        data.len().div_ceil(48) + 2
    );
    assert!(
        folded
            .split(|byte| *byte == b'\n')
            .skip(1)
            .all(|line| line.starts_with(b"\t"))
    );
}
