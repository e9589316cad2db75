//! URLs of `http` and `https`, and what a redirect makes of them (RFC 3986).
//!
//! **Invariants.** A [`Url`] can be written into a request as it is: its host is a name or an address of a few harmless characters, its target
//! begins with `/` and has only characters that a request line may have. What is asked of one text does not depend on another's.

use crate::ngx::escape::unescape;
use std::fmt;
use std::net::Ipv6Addr;

/// The longest URL, in bytes.
pub const MAX_URL: usize = 16 << 10;
/// The longest host.
const MAX_HOST: usize = 255;

/// Why a text is no URL that can be asked for.
pub type Refusal = &'static str;

/// A URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`.
    pub secure: bool,
    /// A name in lower case or an address, IPv6 in brackets.
    pub host: String,
    /// The port, given or not.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// User and password.
    pub user: Option<(Vec<u8>, Vec<u8>)>,
}

impl Url {
    /// Reads a whole URL.
    pub fn parse(text: &[u8]) -> Result<Url, Refusal> {
        check(text)?;
        let (scheme, rest) =
            split_scheme(text).ok_or("the URL does not begin with http:// or https://")?;
        let secure = match scheme.to_ascii_lowercase().as_slice() {
            b"http" => false,
            b"https" => true,
            _ => return Err("the URL does not begin with http:// or https://"),
        };
        let rest =
            (rest.strip_prefix(b"//")).ok_or("the URL does not begin with http:// or https://")?;
        Url::of_authority(secure, rest)
    }

    /// What follows `//`.
    fn of_authority(secure: bool, text: &[u8]) -> Result<Url, Refusal> {
        let end = text
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, rest) = text.split_at(end.unwrap_or(text.len()));
        // Some take what is behind it for a path, some for a host.
        if authority.contains(&b'\\') {
            return Err("the URL's host is malformed");
        }
        let (user, place) = match authority.iter().rposition(|byte| *byte == b'@') {
            Some(at) => (authority.get(..at), authority.get(at + 1..)),
            None => (None, Some(authority)),
        };
        let (host, port) = split_port(place.unwrap_or_default())?;
        let standard = if secure { 443 } else { 80 };
        Ok(Url {
            secure,
            host: read_host(host)?,
            port: read_port(port)?.unwrap_or(standard),
            target: read_target(rest),
            user: user.map(credentials),
        })
    }

    /// What a redirect from here to `location` asks for.
    pub fn join(&self, location: &[u8]) -> Result<Url, Refusal> {
        check(location)?;
        if split_scheme(location).is_some() {
            return Url::parse(location);
        }
        if let Some(rest) = location.strip_prefix(b"//") {
            return Url::of_authority(self.secure, rest);
        }
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*self.target, None),
        };
        let location = without_fragment(location);
        let target = match location.first() {
            None => self.target.clone(),
            Some(b'?') => format!("{path}{}", escaped(location)),
            Some(b'/') => without_dots(&escaped(location)),
            Some(_) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                without_dots(&format!("{folder}/{}", escaped(location)))
            }
        };
        debug_assert!(query.is_none() || self.target.contains('?'));
        if target.len() > 3 * MAX_URL {
            return Err("the URL is too long");
        }
        Ok(Url {
            target,
            user: None,
            ..self.clone()
        })
    }

    /// Adds to the query.
    pub fn add_query(&mut self, query: &str) {
        if !query.is_empty() {
            self.target
                .push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(query);
        }
    }

    /// Host and port as the `Host` field says them: a standard port is not said.
    pub fn authority(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => self.address(),
        }
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Whether both are of the same server.
    pub fn same_origin(&self, other: &Url) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// The host without brackets.
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Without user and password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.target)
    }
}

fn check(text: &[u8]) -> Result<(), Refusal> {
    if text.len() > MAX_URL {
        return Err("the URL is too long");
    }
    match text.iter().any(u8::is_ascii_control) {
        true => Err("the URL has a control character"),
        false => Ok(()),
    }
}

/// A scheme and what follows its colon.
fn split_scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = (text.iter())
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.'))?;
    let (scheme, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b":")?;
    (scheme.first()?.is_ascii_alphabetic()).then_some((scheme, rest))
}

/// A host, and what follows the colon behind it.
fn split_port(place: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let end = match place.first() {
        Some(b'[') => {
            let close = place.iter().position(|byte| *byte == b']');
            close.ok_or("the URL's host is malformed")? + 1
        }
        _ => (place.iter())
            .position(|byte| *byte == b':')
            .unwrap_or(place.len()),
    };
    let (host, rest) = place.split_at(end);
    match rest {
        [] => Ok((host, rest)),
        [b':', port @ ..] => Ok((host, port)),
        _ => Err("the URL's host is malformed"),
    }
}

fn read_host(host: &[u8]) -> Result<String, Refusal> {
    if host.is_empty() {
        return Err("the URL has no host");
    }
    let text = std::str::from_utf8(host).map_err(|_| "the URL's host is malformed")?;
    let inner = (text.strip_prefix('[')).and_then(|host| host.strip_suffix(']'));
    if let Some(inner) = inner {
        let address: Ipv6Addr = inner.parse().map_err(|_| "the URL's host is malformed")?;
        return Ok(format!("[{address}]"));
    }
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match host.len() <= MAX_HOST && text.bytes().all(harmless) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("the URL's host is malformed"),
    }
}

fn read_port(port: &[u8]) -> Result<Option<u16>, Refusal> {
    if port.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(port)
        .ok()
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|port| port.parse::<u16>().ok())
        .filter(|port| *port > 0);
    number.map(Some).ok_or("the URL's port is malformed")
}

/// Path and query: what follows the authority.
fn read_target(rest: &[u8]) -> String {
    let rest = escaped(without_fragment(rest));
    match rest.starts_with('/') {
        true => rest,
        false => format!("/{rest}"),
    }
}

fn without_fragment(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'#').next().unwrap_or_default()
}

/// As the text is, with what may not be in a request line escaped.
fn escaped(text: &[u8]) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                let _ = write!(out, "%{byte:02X}");
            }
            0x21..=0x7e => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A path, with or without a query, whose `.` and `..` have been followed.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for part in path.split('/').skip(1) {
        ends_in_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    let slash = if ends_in_folder && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}{query}", kept.join("/"))
}

fn credentials(text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = text.iter().position(|byte| *byte == b':');
    let (user, password) = text.split_at(at.unwrap_or(text.len()));
    (
        literal(user),
        literal(password.get(1..).unwrap_or_default()),
    )
}

/// Unescaped, but for `+`, which means itself here.
fn literal(text: &[u8]) -> Vec<u8> {
    let pieces: Vec<Vec<u8>> = (text.split(|byte| *byte == b'+')).map(unescape).collect();
    pieces.join(&b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn parts() {
        for (text, address, target) in [
            ("http://a.Test", "a.test:80", "/"),
            ("HTTPS://a.test?x=1", "a.test:443", "/?x=1"),
            ("http://a.test:8080/x y#z", "a.test:8080", "/x%20y"),
            (
                "http://a.test:/p?q=ü&r=%20",
                "a.test:80",
                "/p?q=%C3%BC&r=%20",
            ),
            ("http://[::1]:99/", "[::1]:99", "/"),
            ("http://[0:0:0:0:0:0:0:1]", "[::1]:80", "/"),
            (
                "http://a.test/a\"<>\\^`{|}b",
                "a.test:80",
                "/a%22%3C%3E%5C%5E%60%7B%7C%7Db",
            ),
            ("http://a.test/../b", "a.test:80", "/../b"),
        ] {
            let url = url(text);
            assert_eq!(
                (url.address(), &*url.target),
                (address.to_owned(), target),
                "{text}"
            );
        }
        let with_user = url("http://u%40x:p+%3A:y@a.test/");
        assert_eq!(with_user.user, Some((b"u@x".to_vec(), b"p+::y".to_vec())));
        assert_eq!(with_user.to_string(), "http://a.test/");
        assert_eq!(
            url("http://u@b@a.test").user,
            Some((b"u@b".to_vec(), vec![]))
        );
        let mut with_query = url("http://a.test");
        with_query.add_query("a=1");
        with_query.add_query("b=2");
        assert_eq!(with_query.to_string(), "http://a.test/?a=1&b=2");
    }

    #[test]
    fn what_cannot_be_asked_for() {
        for text in [
            "",
            "a.test",
            "//a.test",
            "ftp://a.test",
            "http:/a.test",
            "http:a.test",
            "http://",
            "http:///x",
            "http://@/x",
            "http://a b/",
            "http://a%2e/",
            "http://a\\@b/",
            "http://[::1",
            "http://[::1]x",
            "http://[a]/",
            "http://a:b/",
            "http://a:0/",
            "http://a:65536/",
            "http://a:+1/",
            "http://a:1:2/",
            "http://a.test/\r\nX: y",
            "http://a.test/\0",
            "http://ü.test",
        ] {
            assert!(Url::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Url::parse(format!("http://a/{}", "x".repeat(MAX_URL)).as_bytes()).is_err());
        assert!(Url::parse(format!("http://{}/", "x".repeat(256)).as_bytes()).is_err());
    }

    /// The examples of RFC 3986, section 5.4, as far as they are of http.
    #[test]
    fn references() {
        let base = url("http://a/b/c/d;p?q");
        for (location, target) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("g..", "/b/c/g.."),
            ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g?y/../x", "/b/c/g?y/../x"),
        ] {
            assert_eq!(
                base.join(location.as_bytes()).unwrap().target,
                target,
                "{location}"
            );
        }
        assert_eq!(base.join(b"//g").unwrap().to_string(), "http://g/");
        assert_eq!(
            base.join(b"https://h/x").unwrap().to_string(),
            "https://h/x"
        );
        for strange in ["mailto:a@b", "javascript:1", "http:g", "/a\rb", "//"] {
            assert!(base.join(strange.as_bytes()).is_err(), "{strange:?}");
        }
    }
}
