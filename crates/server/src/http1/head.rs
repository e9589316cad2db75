//! The head of a request: bytes to method, target, fields and what frames the body (RFC 9112).
//!
//! **Invariant.** A head that two readers could take for different requests is refused, not mended: bare line feeds, folded lines, a
//! length twice or beside a transfer coding, a coding other than `chunked`, no host or two.

use super::Refused;
use crate::head::Field;
pub use crate::head::{Framing, Head};
use http::{Method, StatusCode, Version};
use memchr::memmem::Finder;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

/// The largest head, in bytes.
pub const HEAD_BYTES: usize = 64 << 10;
/// The most fields of a head.
pub const MAX_FIELDS: usize = 100;
/// What ends a head.
const END: &[u8] = b"\r\n\r\n";
static FIND_END: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(END));

/// Where a head ends that begins at the first byte. `seen` bytes have been looked at before, without finding an end.
pub fn find_end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(END.len() - 1);
    FIND_END
        .find(&bytes[from..])
        .map(|at| from + at + END.len())
}

/// Empty lines before a request are passed over: how many bytes they take.
pub fn leading_lines(bytes: &[u8]) -> usize {
    bytes
        .chunks_exact(2)
        .take_while(|two| two == b"\r\n")
        .count()
        * 2
}

/// Reads a whole head: `bytes` end where it ends.
pub fn parse(bytes: &[u8]) -> Result<Head, Refused> {
    let malformed = |why| Err(Refused::new(StatusCode::BAD_REQUEST, why));
    if has_bare_line_feed(bytes) {
        return malformed("a line does not end in CR LF");
    }
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut slots) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return malformed("the request line is cut short"),
        Err(error) => return Err(refusal(error)),
    }
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return malformed("the request line is cut short");
    };
    let at = |part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start as u32..(start + part.len()) as u32
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return malformed("the method is malformed");
    };
    let target = Target::of(&method, target.as_bytes())?;
    let is_1_1 = version == 1;
    let facts = Facts::of(request.headers, is_1_1)?;
    let authority = target.authority.or(facts.host);
    if is_1_1 && facts.host.is_none() {
        return malformed("the Host field is missing");
    }
    let fields = request.headers.iter().map(|field| Field {
        name: at(field.name.as_bytes()),
        value: at(field.value),
    });
    Ok(Head {
        method,
        version: match is_1_1 {
            true => Version::HTTP_11,
            false => Version::HTTP_10,
        },
        framing: facts.framing,
        keep_alive: facts.keep_alive,
        expects_continue: facts.expects_continue,
        target: target.rest.map_or(0..0, at),
        path: target.path_length as u32,
        authority: authority.map_or(0..0, at),
        fields: fields.collect(),
        raw: bytes.into(),
    })
}

fn has_bare_line_feed(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes[at - 1] != b'\r')
}

fn refusal(error: httparse::Error) -> Refused {
    use httparse::Error;
    let (status, why) = match error {
        Error::TooManyHeaders => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "there are more than 100 fields",
        ),
        Error::Version => (
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "this is neither HTTP/1.1 nor HTTP/1.0",
        ),
        Error::HeaderName => (StatusCode::BAD_REQUEST, "the name of a field is malformed"),
        Error::HeaderValue => (StatusCode::BAD_REQUEST, "the value of a field is malformed"),
        Error::NewLine => (StatusCode::BAD_REQUEST, "a line does not end in CR LF"),
        Error::Token => (StatusCode::BAD_REQUEST, "the request line is malformed"),
        Error::Status => (StatusCode::BAD_REQUEST, "this is no request"),
    };
    Refused::new(status, why)
}

/// What a request line names.
struct Target<'a> {
    authority: Option<&'a [u8]>,
    /// Path and query; none: an absolute target without a path, or `*`.
    rest: Option<&'a [u8]>,
    path_length: usize,
}

impl<'a> Target<'a> {
    fn of(method: &Method, target: &'a [u8]) -> Result<Target<'a>, Refused> {
        let malformed = || Refused::new(StatusCode::BAD_REQUEST, "the target is malformed");
        if method == Method::CONNECT {
            return Err(Refused::new(
                StatusCode::NOT_IMPLEMENTED,
                "CONNECT is not served",
            ));
        }
        if memchr::memchr(b'#', target).is_some() {
            return Err(malformed());
        }
        let (authority, rest) = if target.first() == Some(&b'/') {
            (None, Some(target))
        } else if target == b"*" && method == Method::OPTIONS {
            (None, None)
        } else {
            let rest = without_scheme(target).ok_or_else(malformed)?;
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
            let (authority, rest) = rest.split_at(end.unwrap_or(rest.len()));
            if !is_host(authority) || authority.is_empty() {
                return Err(malformed());
            }
            // A query without a path is one of "/": too rare to be worth keeping.
            match rest.first() {
                Some(b'?') => return Err(malformed()),
                first => (Some(authority), first.map(|_| rest)),
            }
        };
        let path_length = rest.map_or(0, |rest| memchr::memchr(b'?', rest).unwrap_or(rest.len()));
        Ok(Target {
            authority,
            rest,
            path_length,
        })
    }
}

fn without_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(target, b"://")?;
    let scheme = &target[..at];
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    known.then(|| &target[at + 3..])
}

/// Whether bytes can be a host with or without a port. Nothing that could pass for a path, a user or another field.
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'-'
                    | b'_'
                    | b':'
                    | b'['
                    | b']'
                    | b'%'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            )
    })
}

/// What the fields say of the message itself.
struct Facts<'a> {
    host: Option<&'a [u8]>,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'a> Facts<'a> {
    fn of(fields: &[httparse::Header<'a>], is_1_1: bool) -> Result<Facts<'a>, Refused> {
        let malformed = |why| Err(Refused::new(StatusCode::BAD_REQUEST, why));
        let (mut length, mut chunked) = (None, false);
        let mut facts = Facts {
            host: None,
            framing: Framing::Length(0),
            keep_alive: is_1_1,
            expects_continue: false,
        };
        for field in fields {
            let (name, value) = (field.name, field.value);
            // By length first: most fields are none of these.
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => {
                    if facts.host.replace(value).is_some() {
                        return malformed("there is more than one Host field");
                    }
                    if !is_host(value) {
                        return malformed("the Host field is malformed");
                    }
                }
                6 if name.eq_ignore_ascii_case("expect") => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(Refused::new(
                            StatusCode::EXPECTATION_FAILED,
                            "only 100-continue can be expected",
                        ));
                    }
                    facts.expects_continue = is_1_1;
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    for option in value.split(|byte| *byte == b',') {
                        let option = option.trim_ascii();
                        if option.eq_ignore_ascii_case(b"close") {
                            facts.keep_alive = false;
                        } else if option.eq_ignore_ascii_case(b"keep-alive") && !is_1_1 {
                            facts.keep_alive = true;
                        }
                    }
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let Some(value) = number(value) else {
                        return malformed("the Content-Length field is malformed");
                    };
                    if length.replace(value).is_some() {
                        return malformed("there is more than one Content-Length field");
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    if chunked || !is_1_1 {
                        return malformed("the transfer coding is not one that can be told apart");
                    }
                    if !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Refused::new(
                            StatusCode::NOT_IMPLEMENTED,
                            "only the transfer coding 'chunked' is understood",
                        ));
                    }
                    chunked = true;
                }
                _ => {}
            }
        }
        facts.framing = match (chunked, length) {
            (true, Some(_)) => return malformed("there is a length beside a transfer coding"),
            (true, None) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        Ok(facts)
    }
}

/// A number of digits only.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT, COOKIE};

    fn refused(text: &str) -> (u16, &'static str) {
        let refused = parse(text.as_bytes()).expect_err(text);
        (refused.status.as_u16(), refused.why)
    }

    #[test]
    fn a_head_is_read_without_being_taken_apart() {
        let text = "POST /a/b%20c?x=1?&y HTTP/1.1\r\nHost: shop.example:8080\r\ncookie: a=1\r\nCOOKIE: b=2\r\n\
                    Content-Length: 12\r\nX-Empty:\r\n\r\n";
        let head = parse(text.as_bytes()).unwrap();
        assert_eq!(head.method, Method::POST);
        assert_eq!(head.target(), b"/a/b%20c?x=1?&y");
        assert_eq!(head.path(), b"/a/b%20c");
        assert_eq!(head.query(), Some(&b"x=1?&y"[..]));
        assert_eq!(head.authority(), "shop.example:8080");
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.keep_alive && !head.expects_continue && head.version == Version::HTTP_11);
        assert_eq!(head.all(&COOKIE).collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(head.first(&ACCEPT), None);
        assert_eq!(head.fields().count(), 5);
        assert_eq!(head.fields().last(), Some((&b"X-Empty"[..], &b""[..])));
        assert_eq!(head.raw(), text.as_bytes());
    }

    #[test]
    fn targets() {
        let head = |line: &str| parse(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let whole = head("GET http://b.example:1/x?y").unwrap();
        assert_eq!(
            (whole.authority(), whole.target()),
            ("b.example:1", &b"/x?y"[..])
        );
        let bare = head("GET HTTPS://b.example").unwrap();
        assert_eq!(
            (bare.authority(), bare.path(), bare.query()),
            ("b.example", &b"/"[..], None)
        );
        assert_eq!(head("OPTIONS *").unwrap().path(), b"/");
        assert_eq!(head("GET /?").unwrap().query(), Some(&b""[..]));
        for line in [
            "GET *",
            "GET a",
            "GET ftp://a/",
            "GET http:///x",
            "GET /a#b",
            "GET http://u@h/",
        ] {
            assert_eq!(head(line).unwrap_err().status, 400, "{line}");
        }
        assert_eq!(head("CONNECT a:1").unwrap_err().status, 501);
    }

    #[test]
    fn connections() {
        let keeps = |text: &str| parse(text.as_bytes()).unwrap().keep_alive;
        assert!(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!keeps(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"
        ));
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        let with = |fields: &str| refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        for fields in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: -3\r\n",
            "Content-Length: 0x3\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Host: b\r\n",
            "X : y\r\n",
            "X: a\r\n b\r\n",
            "X: a\rb\r\n",
            "X: a\nY: b\r\n",
            "X: a\0b\r\n",
            ": a\r\n",
        ] {
            assert_eq!(with(fields).0, 400, "{fields:?}");
        }
        for coding in [
            "gzip, chunked",
            "chunked, identity",
            "xchunked",
            "identity",
            "",
        ] {
            assert_eq!(
                with(&format!("Transfer-Encoding: {coding}\r\n")).0,
                501,
                "{coding}"
            );
        }
        assert_eq!(with("Expect: nothing\r\n").0, 417);
        assert_eq!(
            refused("GET / HTTP/1.1\r\n\r\n"),
            (400, "the Host field is missing")
        );
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").0, 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n").0, 400);
        assert_eq!(
            refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").0,
            400
        );
        assert_eq!(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n").0, 505);
        assert_eq!(refused("GET /\r\n\r\n").0, 400);
        assert_eq!(refused("GET / HTTP/1.1\nHost: a\r\n\r\n").0, 400);
        let many = "X: y\r\n".repeat(MAX_FIELDS);
        assert_eq!(with(&many).0, 431);
    }

    #[test]
    fn ends_are_found_wherever_the_pieces_are_cut() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let end = text.len() - 4;
        for cut in 0..text.len() {
            let seen = match find_end(&text[..cut], 0) {
                Some(found) => {
                    assert_eq!(found, end);
                    continue;
                }
                None => cut,
            };
            assert!(cut < end);
            assert_eq!(find_end(text, seen), Some(end));
        }
        assert_eq!(leading_lines(b"\r\n\r\nGET"), 4);
        assert_eq!(leading_lines(b"\rGET"), 0);
    }
}
