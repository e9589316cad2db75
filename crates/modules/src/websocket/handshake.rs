//! The handshake of a server (RFC 6455, section 4.2): whether a request asks for a WebSocket in the right way. No I/O.
//!
//! **Invariant:** only a request that a browser cannot be made to send by a form or a link is accepted, and, unless the app says otherwise, only one
//! of a page from the same host: browsers send cookies along wherever the page is from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::fmt;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The length of a key: 16 bytes in base64.
const KEY: usize = 24;

/// A request that is accepted.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The protocols that the client offers, in its order.
    pub protocols: Vec<Vec<u8>>,
}

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The method is not GET, or the version not HTTP/1.1.
    Request,
    /// It does not ask for an upgrade to `websocket`.
    Upgrade,
    /// The key is missing, or is none.
    Key,
    /// The version is not 13.
    Version,
    /// It is from a page of another host.
    Origin,
}

impl Refused {
    /// The status that says so.
    pub fn status(self) -> u16 {
        match self {
            Refused::Request | Refused::Key => 400,
            Refused::Upgrade | Refused::Version => 426,
            Refused::Origin => 403,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Request => "a WebSocket begins with a GET request of HTTP/1.1",
            Refused::Upgrade => "this is for WebSockets: the request asks for no upgrade to one",
            Refused::Key => "the Sec-WebSocket-Key is missing or malformed",
            Refused::Version => "only version 13 of WebSocket is spoken",
            Refused::Origin => "the page is from another host (its Origin is not allowed)",
        })
    }
}

/// Which pages may open a WebSocket.
#[derive(Debug)]
pub enum Origins {
    /// Those of the host that the request is for. Clients that are no browsers say nothing, and may too.
    Same,
    /// All.
    Any,
    /// Those of these origins: `https://example.com`.
    Of(Vec<Vec<u8>>),
}

/// The value of `Sec-WebSocket-Accept` for a key.
pub fn accept(key: &[u8]) -> String {
    let mut digest = Sha1::new();
    digest.update(key);
    digest.update(GUID);
    STANDARD.encode(digest.finalize())
}

/// Looks at the fields of a request for `host`.
pub fn check<'a>(
    is_get: bool,
    is_1_1: bool,
    host: &[u8],
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    origins: &Origins,
) -> Result<Accepted, Refused> {
    if !is_get || !is_1_1 {
        return Err(Refused::Request);
    }
    let (mut upgrades, mut connects) = (false, false);
    let (mut keys, mut versions, mut protocols, mut from) = (vec![], vec![], vec![], vec![]);
    for (name, value) in fields {
        match &*name.to_ascii_lowercase() {
            b"upgrade" => {
                upgrades |= tokens(value).any(|one| one.eq_ignore_ascii_case(b"websocket"))
            }
            b"connection" => {
                connects |= tokens(value).any(|one| one.eq_ignore_ascii_case(b"upgrade"))
            }
            b"sec-websocket-key" => keys.push(value),
            b"sec-websocket-version" => versions.push(value),
            b"sec-websocket-protocol" => protocols.extend(tokens(value).map(<[u8]>::to_vec)),
            b"origin" => from.push(value),
            _ => {}
        }
    }
    if !upgrades || !connects {
        return Err(Refused::Upgrade);
    }
    if versions != [b"13"] {
        return Err(Refused::Version);
    }
    let [key] = keys[..] else {
        return Err(Refused::Key);
    };
    if key.len() != KEY || STANDARD.decode(key).is_err() {
        return Err(Refused::Key);
    }
    let is_allowed = match (origins, &from[..]) {
        (Origins::Any, _) => true,
        (Origins::Same, []) => true,
        (Origins::Same, [one]) => is_of_host(one, host),
        (Origins::Of(all), [one]) => all.iter().any(|known| known.eq_ignore_ascii_case(one)),
        (Origins::Same | Origins::Of(_), _) => false,
    };
    match is_allowed {
        true => Ok(Accepted {
            accept: accept(key),
            protocols,
        }),
        false => Err(Refused::Origin),
    }
}

/// The parts of a list.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    (value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)).filter(|token| !token.is_empty())
}

/// Whether an origin (`scheme://host[:port]`) is of this host.
fn is_of_host(origin: &[u8], host: &[u8]) -> bool {
    let split = origin.windows(3).position(|window| window == b"://");
    let of = split.and_then(|at| origin.get(at + 3..));
    of.is_some_and(|of| !of.is_empty() && of.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    fn with(fields: &[(&str, &str)], origins: &Origins) -> Result<Accepted, Refused> {
        let fields = (fields.iter()).map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        check(true, true, b"a.test:81", fields, origins)
    }

    fn changed(name: &str, value: Option<&str>) -> Result<Accepted, Refused> {
        let mut fields: Vec<_> = GOOD.into_iter().filter(|field| field.0 != name).collect();
        fields.extend(value.map(|value| (name, value)));
        with(&fields, &Origins::Same)
    }

    #[test]
    fn the_example_of_the_rfc() {
        let accepted = with(&GOOD, &Origins::Same).unwrap();
        assert_eq!(accepted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let offered = changed("sec-websocket-protocol", Some("chat, superchat")).unwrap();
        assert_eq!(offered.protocols, [&b"chat"[..], b"superchat"]);
    }

    #[test]
    fn what_is_no_handshake() {
        for (name, value, refused) in [
            ("Upgrade", None, Refused::Upgrade),
            ("Upgrade", Some("h2c"), Refused::Upgrade),
            ("Connection", Some("close"), Refused::Upgrade),
            ("Sec-WebSocket-Version", Some("8"), Refused::Version),
            ("Sec-WebSocket-Version", None, Refused::Version),
            ("Sec-WebSocket-Key", None, Refused::Key),
            (
                "Sec-WebSocket-Key",
                Some("dGhlIHNhbXBsZSBub25jZQ"),
                Refused::Key,
            ),
            (
                "Sec-WebSocket-Key",
                Some("!GhlIHNhbXBsZSBub25jZQ=="),
                Refused::Key,
            ),
            (
                "Sec-WebSocket-Key",
                Some("dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="),
                Refused::Key,
            ),
        ] {
            assert_eq!(changed(name, value), Err(refused), "{name}: {value:?}");
        }
        let mut twice = GOOD.to_vec();
        twice.push(GOOD[2]);
        assert_eq!(with(&twice, &Origins::Same), Err(Refused::Key));
        let none = std::iter::empty();
        assert_eq!(
            check(false, true, b"", none.clone(), &Origins::Any),
            Err(Refused::Request)
        );
        assert_eq!(
            check(true, false, b"", none, &Origins::Any),
            Err(Refused::Request)
        );
    }

    #[test]
    fn origins() {
        let from = |origin: &str, origins: &Origins| {
            let mut fields = GOOD.to_vec();
            fields.push(("Origin", origin));
            with(&fields, origins).is_ok()
        };
        assert!(
            from("http://a.test:81", &Origins::Same) && from("https://A.test:81", &Origins::Same)
        );
        for other in [
            "http://a.test",
            "http://b.test:81",
            "null",
            "http://",
            "a.test:81",
            "http://a.test:81.evil",
        ] {
            assert!(!from(other, &Origins::Same), "{other}");
            assert!(from(other, &Origins::Any));
        }
        let list = Origins::Of(vec![b"https://b.test".to_vec()]);
        assert!(from("https://b.test", &list) && !from("http://b.test", &list));
        assert_eq!(with(&GOOD, &list), Err(Refused::Origin));
    }
}
