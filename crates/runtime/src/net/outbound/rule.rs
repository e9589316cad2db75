//! One entry of `allow` or `deny`.
//!
//! ```text
//!   10.0.0.0/8   127.0.0.1:6379   [fd00::1]:80   fd00::/8   10.1.0.0/16:443      addresses, with or without a port
//!   db.example   *.internal.example:5432   localhost                             names as scripts give them
//!   unix:/run/x.sock   unix:/run/app/*                                           unix sockets
//!   self                                                                         where the server itself listens for requests
//!   *                                                                            everything but that
//! ```
//!
//! **Invariant:** a rule with a name matches by what the script asked for, one with an address by what is connected to; neither stands in
//! for the other.

use super::address::embedded_v4;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

/// The longest name of a host.
const MAX_NAME: usize = 253;

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    what: What,
    /// `None`: every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// The first so many bits of an address.
    Net(IpAddr, u32),
    /// A name, in lower case.
    Name(Box<str>),
    /// The end of a name, with its dot.
    Suffix(Box<str>),
    /// A path.
    Unix(Box<str>),
    /// What a path begins with, up to a slash.
    UnixBelow(Box<str>),
    Own,
    Everything,
}

impl Rule {
    /// Whether it is about this connection.
    pub fn matches(&self, host: &str, address: SocketAddr) -> bool {
        if self.port.is_some_and(|port| port != address.port()) {
            return false;
        }
        match &self.what {
            What::Net(net, length) => is_below(address.ip().to_canonical(), *net, *length),
            What::Name(name) => plain_name(host).eq_ignore_ascii_case(name),
            What::Suffix(suffix) => ends_with(plain_name(host), suffix),
            What::Everything => true,
            What::Own | What::Unix(_) | What::UnixBelow(_) => false,
        }
    }

    /// The same, also by the IPv4 addresses that are written into the address: for what must not be reached in any form.
    pub fn matches_any_form(&self, host: &str, address: SocketAddr) -> bool {
        self.matches(host, address)
            || embedded_v4(address.ip())
                .any(|inner| self.matches(host, SocketAddr::new(inner.into(), address.port())))
    }

    /// Whether it is about a unix socket.
    pub fn matches_unix(&self, path: &Path) -> bool {
        let Some(path) = path.to_str() else {
            return matches!(self.what, What::Everything);
        };
        match &self.what {
            What::Unix(known) => path == &**known,
            What::UnixBelow(start) => path.starts_with(&**start) && is_plain(path),
            What::Everything => true,
            _ => false,
        }
    }

    /// Whether it names a port of the server itself, by `self` or with its address and its number.
    pub fn names_port(&self, address: SocketAddr) -> bool {
        match self.what {
            What::Own => true,
            What::Net(..) => self.port.is_some() && self.matches("", address),
            _ => false,
        }
    }

    /// Whether it names this very address and port.
    pub fn is_exactly(&self, address: SocketAddr) -> bool {
        matches!(self.what, What::Net(..)) && self.names_port(address)
    }
}

/// Whether the first `length` bits of an address are those of `net`.
fn is_below(address: IpAddr, net: IpAddr, length: u32) -> bool {
    let (different, width) = match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits() ^ b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits(), 128),
        _ => return false,
    };
    different.checked_shr(width - length).unwrap_or(0) == 0
}

/// A name without the dot that may end it.
fn plain_name(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn ends_with(host: &str, suffix: &str) -> bool {
    let start = host.len().checked_sub(suffix.len());
    let end = start.filter(|at| *at > 0).and_then(|at| host.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// Whether a path goes nowhere but down.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| part == "..") && !path.contains('\0')
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let wrong = || {
            format!(
                "'{text}' is not an address or a host: write \"10.0.0.0/8\", \"127.0.0.1:6379\", \"[fd00::1]:80\", \"*.internal.example\", \"unix:/run/x.sock\" or \"self\""
            )
        };
        let rule = |what, port| Ok(Rule { what, port });
        match text {
            "self" => return rule(What::Own, None),
            "*" => return rule(What::Everything, None),
            _ => {}
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.strip_suffix('*') {
                Some(start) if start.ends_with('/') && is_plain(start) => {
                    rule(What::UnixBelow(start.into()), None)
                }
                None if is_plain(path) => rule(What::Unix(path.into()), None),
                _ => Err(format!(
                    "'{text}': the path of a unix socket begins with '/', has no '..', and may end in \"/*\""
                )),
            };
        }
        let (host, length, port) = split(text).ok_or_else(wrong)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return rule(net(address, length).ok_or_else(wrong)?, port);
        }
        if length.is_some() {
            return Err(wrong());
        }
        let lower = plain_name(host).to_ascii_lowercase();
        let (name, is_suffix) = match lower.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (&*lower, false),
        };
        if !is_name(name) {
            return Err(wrong());
        }
        match is_suffix {
            true => rule(What::Suffix(format!(".{name}").into()), port),
            false => rule(What::Name(name.into()), port),
        }
    }
}

/// Host, number of bits, port.
fn split(text: &str) -> Option<(&str, Option<u32>, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let port = match rest {
            "" => None,
            _ => Some(port(rest.strip_prefix(':')?)?),
        };
        return host.contains(':').then_some((host, None, port));
    }
    if let Some((host, rest)) = text.split_once('/') {
        let (length, number) = match rest.split_once(':') {
            Some((length, number)) => (length, Some(port(number)?)),
            None => (rest, None),
        };
        return Some((host, Some(length.parse().ok()?), number));
    }
    match text.split_once(':') {
        // More than one: IPv6.
        Some((_, rest)) if rest.contains(':') => Some((text, None, None)),
        Some((host, number)) => Some((host, None, Some(port(number)?))),
        None => Some((text, None, None)),
    }
}

fn port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// A prefix; that of a mapped address is one of IPv4.
fn net(address: IpAddr, length: Option<u32>) -> Option<What> {
    let width = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(width);
    if length > width {
        return None;
    }
    match address.to_canonical() {
        IpAddr::V4(inner) if address.is_ipv6() => {
            let length = length.checked_sub(96)?;
            Some(What::Net(inner.into(), length))
        }
        address => Some(What::Net(address, length)),
    }
}

/// Whether a text can be the name of a host, and not an address in some other spelling.
fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x"));
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.chars().all(good)
        && name.split('.').all(|part| !part.is_empty())
        && !is_number
        && name.parse::<Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str, host: &str, address: &str) -> bool {
        let rule: Rule = rule.parse().unwrap();
        rule.matches(host, address.parse().unwrap())
    }

    #[test]
    fn addresses() {
        for (rule, address, expected) in [
            ("10.0.0.0/8", "10.9.8.7:1", true),
            ("10.0.0.0/8", "11.0.0.1:1", false),
            ("10.1.2.3/8", "10.9.8.7:1", true),
            ("10.0.0.0/8:443", "10.9.8.7:443", true),
            ("10.0.0.0/8:443", "10.9.8.7:80", false),
            ("0.0.0.0/0", "127.0.0.1:1", true),
            ("0.0.0.0/0", "[::1]:1", false),
            ("::/0", "[fd00::1]:1", true),
            ("127.0.0.1", "127.0.0.1:9", true),
            ("127.0.0.1:6379", "127.0.0.1:6379", true),
            ("127.0.0.1:6379", "127.0.0.1:6380", false),
            ("127.0.0.1:6379", "[::ffff:127.0.0.1]:6379", true),
            ("::ffff:10.0.0.0/104", "10.2.3.4:5", true),
            ("[::1]:80", "[::1]:80", true),
            ("::1", "[::1]:80", true),
            ("fd00::/8", "[fd12::1]:80", true),
            ("fd00::/8", "[fe80::1]:80", false),
            ("*", "127.0.0.1:80", true),
            ("self", "127.0.0.1:80", false),
        ] {
            assert_eq!(matches(rule, "name", address), expected, "{rule} {address}");
        }
    }

    #[test]
    fn names_are_those_of_the_script() {
        for (rule, host, expected) in [
            ("db.example", "DB.example.", true),
            ("db.example", "xdb.example", false),
            ("*.example", "a.b.EXAMPLE", true),
            ("*.example", "example", false),
            ("*.example", ".example", false),
            ("*.example:80", "a.example", true),
            ("*.example:81", "a.example", false),
            ("localhost", "127.0.0.1", false),
        ] {
            assert_eq!(
                matches(rule, host, "127.0.0.1:80"),
                expected,
                "{rule} {host}"
            );
        }
        // An address in a rule does not stand for the name that has it.
        assert!(matches("127.0.0.1", "a.example", "127.0.0.1:80"));
    }

    #[test]
    fn unix_sockets() {
        let matches = |rule: &str, path: &str| {
            let rule: Rule = rule.parse().unwrap();
            rule.matches_unix(Path::new(path))
        };
        assert!(matches("unix:/run/x.sock", "/run/x.sock"));
        assert!(!matches("unix:/run/x.sock", "/run/./x.sock"));
        assert!(matches("unix:/run/app/*", "/run/app/y.sock"));
        assert!(!matches("unix:/run/app/*", "/run/app/../docker.sock"));
        assert!(!matches("unix:/run/app/*", "run/app/y.sock"));
        assert!(!matches("10.0.0.0/8", "/run/x.sock"));
        assert!(matches("*", "/run/x.sock"));
    }

    #[test]
    fn every_form_of_what_is_denied() {
        let rule: Rule = "8.8.8.8".parse().unwrap();
        for address in [
            "8.8.8.8:53",
            "[::ffff:8.8.8.8]:53",
            "[64:ff9b::808:808]:53",
            "[2002:808:808::1]:53",
        ] {
            assert!(
                rule.matches_any_form("", address.parse().unwrap()),
                "{address}"
            );
        }
        assert!(!rule.matches_any_form("", "8.8.4.4:53".parse().unwrap()));
    }

    #[test]
    fn what_is_no_rule() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "a/8",
            "fd00::/129",
            "10.0.0.1:0",
            "10.0.0.1:65536",
            "10.0.0.1:+1",
            "10.1",
            "2130706433",
            "0x7f.0x1",
            "a b",
            "a..b",
            "*.",
            "*x.example",
            "[::1",
            "[::1]x",
            "[10.0.0.1]",
            "http://a.example",
            "unix:",
            "unix:x.sock",
            "unix:/a/../b",
            "unix:/a*",
            "::ffff:10.0.0.0/8",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
