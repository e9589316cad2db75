//! What the server itself answers: errors, and the list of apps on a bare host.
//!
//! **Invariant:** a page says what is wrong in one line and nothing about the inside of an app, unless
//! that app is in debug.

use crate::body::{Kind, ResponseBody};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use std::net::SocketAddr;

/// Plain text in UTF-8, the type of text that says nothing else.
pub const TEXT: HeaderValue = HeaderValue::from_static(Kind::Text.name());

/// `404 Not Found: why`, as text.
pub fn error(status: StatusCode, why: &str) -> Response<ResponseBody> {
    let reason = status.canonical_reason().unwrap_or("Error");
    text(status, format!("{} {reason}: {why}\n", status.as_u16()))
}

/// Some text.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// 405 with the methods there are.
pub fn method_not_allowed<'a>(
    allowed: impl IntoIterator<Item = &'a str>,
) -> Response<ResponseBody> {
    let mut allowed: Vec<&str> = allowed.into_iter().collect();
    if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
        allowed.push("HEAD");
    }
    let list = allowed.join(", ");
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("this path answers {list}"),
    );
    if let Ok(value) = HeaderValue::from_str(&list) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// No app answers the host. On this machine the apps are listed: whoever asks can read the folder.
pub fn no_app(
    host: &str,
    peer: SocketAddr,
    (scheme, port): (&str, u16),
    path: &[u8],
    names: &[&str],
) -> Response<ResponseBody> {
    let local = peer.ip().to_canonical().is_loopback();
    let bare = crate::hosts::is_bare(host);
    if !local {
        return error(StatusCode::NOT_FOUND, "no app answers this host");
    }
    let mut page = match bare {
        true => String::new(),
        false => format!(
            "404 Not Found: no app answers the host '{}'\n",
            host.escape_default()
        ),
    };
    if names.is_empty() {
        page.push_str("No app is served here.\n");
    } else {
        page.push_str("Apps served here, each at its own host:\n");
    }
    for name in names {
        page.push_str(&format!("  {scheme}://{name}.localhost:{port}/\n"));
    }
    let status = if bare && path == b"/" {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    };
    text(status, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(response: Response<ResponseBody>) -> String {
        match response.into_body() {
            ResponseBody::Full(bytes) => String::from_utf8(bytes.into()).unwrap(),
            _ => panic!("streamed"),
        }
    }

    #[test]
    fn apps_are_listed_to_this_machine_only() {
        let page = |host, peer: &str, path: &str| {
            no_app(
                host,
                peer.parse().unwrap(),
                ("http", 8080),
                path.as_bytes(),
                &["shop"],
            )
        };
        assert_eq!(
            page("localhost:8080", "127.0.0.1:9", "/").status(),
            StatusCode::OK
        );
        assert_eq!(
            page("localhost:8080", "127.0.0.1:9", "/x").status(),
            StatusCode::NOT_FOUND
        );
        let unknown = page("x.example", "[::1]:9", "/");
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        assert!(body(unknown).contains("http://shop.localhost:8080/"));
        assert!(!body(page("localhost", "10.0.0.1:9", "/")).contains("shop"));
    }

    #[test]
    fn allow_lists_head_beside_get() {
        let response = method_not_allowed(["GET", "POST"]);
        assert_eq!(response.headers()[ALLOW], "GET, POST, HEAD");
        assert_eq!(
            body(response),
            "405 Method Not Allowed: this path answers GET, POST, HEAD\n"
        );
    }
}
