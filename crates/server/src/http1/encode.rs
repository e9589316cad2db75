//! The head of a response to bytes.
//!
//! **Invariant:** the length or the coding, `Connection` and `Date` are written here and nowhere else; what a script set has been checked
//! before (`exchange::put_header`), so no value has a line break.

use crate::body::Kind;
use crate::date;
use http::header::{CONNECTION, CONTENT_TYPE, DATE};
use http::{HeaderMap, StatusCode, Version};

/// How a response's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none, and no length either (204, 304).
    None,
    /// So many bytes (also when they are not sent, for HEAD).
    Length(u64),
    /// Chunks.
    Chunked,
    /// Up to the end of the connection (HTTP/1.0).
    ToTheEnd,
}

/// Writes a head. `kind`: what the body is unless the headers say that.
pub fn head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    kind: Option<Kind>,
    body: Body,
    version: Version,
    keep_alive: bool,
) {
    // A client of HTTP/1.0 is answered as one of 1.1 (RFC 9110, section 6.2), but told when the connection stays.
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    out.extend_from_slice(b"\r\n");
    if let Some(kind) = kind.filter(|_| !headers.contains_key(CONTENT_TYPE)) {
        field(out, b"content-type", kind.name().as_bytes());
    }
    for (name, value) in headers {
        if name != CONNECTION {
            field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    match body {
        Body::None | Body::ToTheEnd => {}
        Body::Length(length) => {
            out.extend_from_slice(b"content-length: ");
            decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Body::Chunked => field(out, b"transfer-encoding", b"chunked"),
    }
    match (keep_alive, version) {
        _ if status == StatusCode::SWITCHING_PROTOCOLS => field(out, b"connection", b"upgrade"),
        (false, _) => field(out, b"connection", b"close"),
        (true, Version::HTTP_10) => field(out, b"connection", b"keep-alive"),
        (true, _) => {}
    }
    if !headers.contains_key(DATE) {
        out.extend_from_slice(b"date: ");
        date::with(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The beginning of a chunk of so many bytes.
pub fn chunk(out: &mut Vec<u8>, length: usize) {
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[length >> (digit * 4) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn text(body: Body, version: Version, keep_alive: bool) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(DATE, HeaderValue::from_static("today"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut out = Vec::new();
        head(
            &mut out,
            StatusCode::OK,
            &headers,
            Some(Kind::Json),
            body,
            version,
            keep_alive,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn heads() {
        let start = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: today\r\n";
        let check = |body, version, keep_alive, rest: &str| {
            assert_eq!(
                text(body, version, keep_alive),
                format!("{start}{rest}\r\n")
            );
        };
        check(
            Body::Length(0),
            Version::HTTP_11,
            true,
            "content-length: 0\r\n",
        );
        check(
            Body::Length(1234567890),
            Version::HTTP_11,
            true,
            "content-length: 1234567890\r\n",
        );
        check(
            Body::Chunked,
            Version::HTTP_11,
            true,
            "transfer-encoding: chunked\r\n",
        );
        check(Body::None, Version::HTTP_11, false, "connection: close\r\n");
        check(
            Body::Length(3),
            Version::HTTP_10,
            true,
            "content-length: 3\r\nconnection: keep-alive\r\n",
        );
        check(
            Body::ToTheEnd,
            Version::HTTP_10,
            false,
            "connection: close\r\n",
        );
    }

    #[test]
    fn a_date_is_there_when_the_script_sets_none() {
        let mut out = Vec::new();
        head(
            &mut out,
            StatusCode::NOT_FOUND,
            &HeaderMap::new(),
            Some(Kind::Json),
            Body::Length(1),
            Version::HTTP_11,
            true,
        );
        let text = String::from_utf8(out).unwrap();
        let date = text
            .split("date: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next())
            .unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
        assert!(
            text.starts_with("HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n")
                && text.ends_with("\r\n\r\n")
        );
    }

    #[test]
    fn sizes_of_chunks() {
        for (length, expected) in [
            (1, "1"),
            (15, "f"),
            (16, "10"),
            (0x1234_5678_9abc, "123456789abc"),
            (0, "0"),
        ] {
            let mut out = Vec::new();
            chunk(&mut out, length);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\r\n"));
        }
    }
}
