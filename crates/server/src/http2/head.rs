//! A stream's fields to the head of a request.
//!
//! **Invariant:** what comes of it is what HTTP/1.1 would have given: the authority is the field `host`, the crumbs of a cookie are one
//! field, and what HTTP/1.1 refuses (no host, two, one that is none, too many fields, CONNECT) is refused. Pseudo-fields, fields of
//! a connection and lengths have been checked by `h2`.

use crate::head::{Field, Framing, Head};
use crate::http1::Refused;
use crate::http1::head::{MAX_FIELDS, is_host, number};
use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};
use std::ops::Range;

/// The head of a request. `has_ended`: there is no body.
pub fn head(parts: &Parts, has_ended: bool) -> Result<Head, Refused> {
    let malformed = |why| Err(Refused::new(StatusCode::BAD_REQUEST, why));
    if parts.method == Method::CONNECT {
        let why = "CONNECT is not served";
        return Err(Refused::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    let mut raw = Raw::default();
    let (target, path) = match parts.uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => {
            let place = raw.put(target.as_str().as_bytes());
            (place, target.path().len() as u32)
        }
        Some(target) if target.as_str() == "*" && parts.method == Method::OPTIONS => (0..0, 0),
        _ => return malformed("the target is malformed"),
    };
    let host = host_of(parts)?;
    let name = raw.put(HOST.as_str().as_bytes());
    let authority = raw.put(host);
    let mut fields = vec![Field {
        name,
        value: authority.clone(),
    }];
    let mut has_cookie = false;
    for (name, value) in &parts.headers {
        let value = match name {
            &HOST => continue,
            &COOKIE if has_cookie => continue,
            &COOKIE => {
                has_cookie = true;
                (
                    raw.put(COOKIE.as_str().as_bytes()),
                    raw.cookies(&parts.headers),
                )
            }
            name => (raw.put(name.as_str().as_bytes()), raw.put(value.as_bytes())),
        };
        fields.push(Field {
            name: value.0,
            value: value.1,
        });
    }
    if fields.len() > MAX_FIELDS {
        return Err(Refused::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "there are more than 100 fields",
        ));
    }
    Ok(Head {
        raw: raw.0.into(),
        method: parts.method.clone(),
        version: Version::HTTP_2,
        framing: framing(&parts.headers, has_ended)?,
        keep_alive: true,
        expects_continue: expects_continue(&parts.headers)?,
        target,
        path,
        authority,
        fields: fields.into(),
    })
}

/// The bytes that places are in.
#[derive(Default)]
struct Raw(Vec<u8>);

impl Raw {
    fn put(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(bytes);
        start..self.0.len() as u32
    }

    fn cookies(&mut self, headers: &HeaderMap) -> Range<u32> {
        let start = self.0.len() as u32;
        for (at, crumb) in headers.get_all(COOKIE).iter().enumerate() {
            let between: &[u8] = if at > 0 { b"; " } else { b"" };
            self.0.extend_from_slice(between);
            self.0.extend_from_slice(crumb.as_bytes());
        }
        start..self.0.len() as u32
    }
}

fn host_of(parts: &Parts) -> Result<&[u8], Refused> {
    let malformed = |why| Err(Refused::new(StatusCode::BAD_REQUEST, why));
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (authority, hosts.next()) {
        (None, None) => return malformed("the Host field is missing"),
        (Some(authority), None) => authority.as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (Some(authority), Some(host))
            if authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()) =>
        {
            authority.as_bytes()
        }
        (Some(_), Some(_)) => return malformed("the Host field is not the authority"),
    };
    if hosts.next().is_some() {
        return malformed("there is more than one Host field");
    }
    if !is_host(host) || host.is_empty() {
        return malformed("the Host field is malformed");
    }
    Ok(host)
}

fn framing(headers: &HeaderMap, has_ended: bool) -> Result<Framing, Refused> {
    let length = match headers.get(CONTENT_LENGTH) {
        Some(value) => Some(number(value.as_bytes()).ok_or_else(|| {
            let why = "the Content-Length field is malformed";
            Refused::new(StatusCode::BAD_REQUEST, why)
        })?),
        None => None,
    };
    Ok(match (has_ended, length) {
        (true, _) => Framing::Length(0),
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::Chunked,
    })
}

fn expects_continue(headers: &HeaderMap) -> Result<bool, Refused> {
    match headers.get(EXPECT) {
        None => Ok(false),
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(true),
        Some(_) => Err(Refused::new(
            StatusCode::EXPECTATION_FAILED,
            "only 100-continue can be expected",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn read(uri: &str, fields: &[(&str, &str)]) -> Result<Head, (u16, &'static str)> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        head(&parts, false).map_err(|refused| (refused.status.as_u16(), refused.why))
    }

    fn fields(head: &Head) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (head.fields())
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn it_is_what_http_1_would_have_given() {
        let sent = [
            ("cookie", "a=1"),
            ("accept", "x"),
            ("cookie", "b=2"),
            ("content-length", "12"),
            ("expect", "100-continue"),
        ];
        let head = read("https://shop.example:8443/a/b%20c?x=1?&y", &sent).unwrap();
        assert_eq!(head.target(), b"/a/b%20c?x=1?&y");
        assert_eq!(
            (head.path(), head.query()),
            (&b"/a/b%20c"[..], Some(&b"x=1?&y"[..]))
        );
        assert_eq!(head.authority(), "shop.example:8443");
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.expects_continue && head.protocol() == "HTTP/2.0");
        let expected = [
            ("host", "shop.example:8443"),
            ("cookie", "a=1; b=2"),
            ("accept", "x"),
            ("content-length", "12"),
            ("expect", "100-continue"),
        ];
        let fields = fields(&head);
        let fields: Vec<_> = fields.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn hosts() {
        let host = |uri, host: &[&str]| {
            let fields: Vec<_> = host.iter().map(|host| ("host", *host)).collect();
            read(uri, &fields).map(|head| head.authority().to_owned())
        };
        assert_eq!(host("https://a/", &[]).as_deref(), Ok("a"));
        assert_eq!(host("/", &["b:1"]).as_deref(), Ok("b:1"));
        assert_eq!(host("https://a/", &["A"]).as_deref(), Ok("a"));
        for (uri, hosts) in [
            ("/", &[][..]),
            ("https://a/", &["b"]),
            ("https://a/", &["a", "a"]),
            ("/", &["a", "b"]),
            ("https://u@a/", &[]),
            ("/", &["a b"]),
            ("/", &[""]),
        ] {
            assert_eq!(host(uri, hosts).unwrap_err().0, 400, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(
            read("/", &[("host", "a"), ("expect", "x")]).unwrap_err().0,
            417
        );
        assert_eq!(
            read("/", &[("host", "a"), ("content-length", "+1")])
                .unwrap_err()
                .0,
            400
        );
        let mut many = vec![("x", "y"); MAX_FIELDS - 1];
        many.push(("host", "a"));
        assert_eq!(read("/", &many).unwrap().fields().count(), MAX_FIELDS);
        many.push(("x", "y"));
        assert_eq!(read("/", &many).unwrap_err().0, 431);
        assert_eq!(read("*", &[("host", "a")]).unwrap_err().0, 400);
    }
}
