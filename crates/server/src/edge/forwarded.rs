//! Who the client is, when it comes through proxies that are trusted.
//!
//! ```text
//!  client --> proxy --> proxy --> here         X-Forwarded-For: spoofed, client, proxy
//!                         ^peer                                          <--------- read from the right, while those are trusted
//! ```
//!
//! The client is the right-most address of the chain that is not trusted: what is left of it was said by that client. A chain of trusted addresses alone gives
//! its first. Anything that is no address ends the reading: what was understood up to there holds.
//!
//! **Invariants.** Fields change nothing unless the peer is trusted. One kind of field is read, the operator's choice: another one, which a proxy passes on as it
//! came, is the client's to write. The work is linear in the fields, and they are bounded with the head.

use crate::head::Head;
use http::header::HeaderName;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A range of addresses: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Both versions as version 6; 4 is mapped.
    base: u128,
    mask: u128,
}

impl Range {
    /// Reads a range. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Range, String> {
        let wrong = || {
            format!(
                "'{text}' is not a range of addresses; write it as 10.0.0.0/8, 192.0.2.7 or fd00::/8"
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if bits > width {
            return Err(wrong());
        }
        let free = width - bits;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        let base = as_number(address);
        if base & mask != base {
            return Err(format!(
                "'{text}' has bits behind its /{bits}; they have to be zero"
            ));
        }
        Ok(Range { base, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        as_number(address) & self.mask == self.base
    }
}

fn as_number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The fields that proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Real-IP`, with `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XRealIp,
}

/// Which proxies are trusted, and how they say for whom they ask.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Their addresses.
    pub ranges: Vec<Range>,
    /// What they write.
    pub field: Field,
}

/// For whom a trusted proxy asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Who has connected.
    pub peer: SocketAddr,
    /// The client; its port is 0 if that is not known.
    pub client: SocketAddr,
    /// What the client has used: `http` or `https`.
    pub scheme: Option<&'static str>,
    /// The host it has asked for.
    pub host: Option<Box<str>>,
}

/// The host and the port that the client has asked for, as far as that is known.
pub fn host<'a>(forwarded: Option<&'a Forwarded>, head: &'a Head) -> &'a str {
    let said = forwarded.and_then(|forwarded| forwarded.host.as_deref());
    said.unwrap_or_else(|| head.authority())
}

/// `http` or `https`: what the client has used, as far as that is known.
pub fn scheme(forwarded: Option<&Forwarded>, is_secure: bool) -> &'static str {
    let here = match is_secure {
        true => "https",
        false => "http",
    };
    forwarded
        .and_then(|forwarded| forwarded.scheme)
        .unwrap_or(here)
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL: HeaderName = HeaderName::from_static("x-real-ip");
const STANDARD: HeaderName = HeaderName::from_static("forwarded");

impl Trust {
    /// Whether an address is one of a proxy's.
    pub fn has(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// For whom `peer` asks; `None` if it speaks for itself.
    pub fn read(&self, peer: SocketAddr, head: &Head) -> Option<Forwarded> {
        self.read_with(peer, |name| head.all(name).collect())
    }

    /// As [`Trust::read`], with the values of fields from `values`.
    pub fn read_with<'a>(
        &self,
        peer: SocketAddr,
        values: impl Fn(&HeaderName) -> Vec<&'a [u8]>,
    ) -> Option<Forwarded> {
        if !self.has(peer.ip()) {
            return None;
        }
        let mut found = Forwarded {
            peer,
            client: peer,
            scheme: None,
            host: None,
        };
        match self.field {
            Field::Forwarded => self.read_standard(&values(&STANDARD), &mut found),
            Field::XForwardedFor => {
                let chain = values(&FOR);
                let chain = elements(&chain);
                let at = self.walk(chain.iter().rev().map(|text| address_of(text)), &mut found);
                let index = at.map(|at| chain.len() - 1 - at);
                read_rest(&values, index, chain.len(), &mut found);
            }
            Field::XRealIp => {
                if let Some(client) = values(&REAL).last().and_then(|text| address_of(text)) {
                    found.client = client;
                }
                read_rest(&values, None, 0, &mut found);
            }
        }
        Some(found)
    }

    /// Goes along a chain, from the nearest on. Gives the place of the last address that was understood.
    fn walk(
        &self,
        chain: impl Iterator<Item = Option<SocketAddr>>,
        found: &mut Forwarded,
    ) -> Option<usize> {
        let mut last = None;
        for (at, address) in chain.enumerate() {
            let Some(address) = address else { break };
            found.client = address;
            last = Some(at);
            if !self.has(address.ip()) {
                break;
            }
        }
        last
    }

    fn read_standard(&self, values: &[&[u8]], found: &mut Forwarded) {
        let mut hops: Vec<Hop> = Vec::new();
        for value in values {
            match hops_of(value) {
                Some(more) => hops.extend(more),
                // Nobody knows where its elements end.
                None => hops.clear(),
            }
        }
        let at = self.walk(hops.iter().rev().map(|hop| hop.client), found);
        if let Some(hop) = at.and_then(|at| hops.iter().rev().nth(at)) {
            found.scheme = hop.scheme;
            found.host = hop.host.clone();
        }
    }
}

/// Scheme and host, from the fields that have no standard. `index`: which of `count` proxies has seen the client.
fn read_rest<'a>(
    values: &impl Fn(&HeaderName) -> Vec<&'a [u8]>,
    index: Option<usize>,
    count: usize,
    found: &mut Forwarded,
) {
    let nearest = |name: &HeaderName| {
        let values = values(name);
        let all = elements(&values);
        // Either each proxy has added its own, or the last has its say.
        match index.filter(|_| all.len() == count) {
            Some(index) => all.get(index).copied(),
            None => all.last().copied(),
        }
    };
    found.scheme = nearest(&PROTO).and_then(scheme_of);
    found.host = nearest(&HOST).and_then(host_of);
}

/// The elements of a list in one or several values.
fn elements<'a>(values: &[&'a [u8]]) -> Vec<&'a [u8]> {
    (values.iter())
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address_of(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    if let Some(inner) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        let address: Ipv6Addr = inner.parse().ok()?;
        return Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), 0));
    }
    let address: SocketAddr = text.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

fn scheme_of(text: &[u8]) -> Option<&'static str> {
    ["http", "https"]
        .into_iter()
        .find(|scheme| text.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// A host as `Host` has it.
fn host_of(text: &[u8]) -> Option<Box<str>> {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    let fits = !text.is_empty() && text.len() <= 261 && text.iter().all(good);
    fits.then(|| std::str::from_utf8(text).ok().map(Into::into))?
}

/// An element of `Forwarded`.
#[derive(Default)]
struct Hop {
    client: Option<SocketAddr>,
    scheme: Option<&'static str>,
    host: Option<Box<str>>,
}

/// The elements of a value of `Forwarded`; `None` if it is malformed.
fn hops_of(mut rest: &[u8]) -> Option<Vec<Hop>> {
    let mut hops = vec![Hop::default()];
    loop {
        rest = rest.trim_ascii_start();
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'=' | b';' | b','));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if let Some(value) = rest.strip_prefix(b"=") {
            let (value, after) = value_of(value)?;
            rest = after.trim_ascii_start();
            take(hops.last_mut()?, name, &value);
        } else if !name.trim_ascii().is_empty() {
            return None;
        }
        match rest.split_first() {
            None => return Some(hops),
            Some((b';', after)) => rest = after,
            Some((b',', after)) => {
                rest = after;
                hops.push(Hop::default());
            }
            Some(_) => return None,
        }
    }
}

fn take(hop: &mut Hop, name: &[u8], value: &[u8]) {
    if name.eq_ignore_ascii_case(b"for") {
        hop.client = address_of(value);
    } else if name.eq_ignore_ascii_case(b"proto") {
        hop.scheme = scheme_of(value);
    } else if name.eq_ignore_ascii_case(b"host") {
        hop.host = host_of(value);
    }
}

/// A token or a string in quotes, and what follows it.
fn value_of(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = (text.iter()).position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t' | b'"'));
        let (token, rest) = text.split_at(end.unwrap_or(text.len()));
        return Some((token.to_vec(), rest));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, quoted.get(at + 1..)?)),
            b'\\' => value.push(*bytes.next()?.1),
            byte => value.push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(field: Field) -> Trust {
        let ranges = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"];
        Trust {
            ranges: ranges.map(|range| Range::parse(range).unwrap()).to_vec(),
            field,
        }
    }

    fn read(
        field: Field,
        peer: &str,
        fields: &[(&'static str, &'static str)],
    ) -> Option<Forwarded> {
        trust(field).read_with(peer.parse().unwrap(), |name| {
            (fields.iter())
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.as_bytes())
                .collect()
        })
    }

    fn client(chain: &[&'static str]) -> String {
        let fields: Vec<_> = chain
            .iter()
            .map(|value| ("x-forwarded-for", *value))
            .collect();
        let found = read(Field::XForwardedFor, "10.1.1.1:99", &fields).unwrap();
        found.client.to_string()
    }

    #[test]
    fn the_right_most_that_is_not_trusted() {
        for (chain, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9:0"),
            (&["6.6.6.6, 203.0.113.9"], "203.0.113.9:0"),
            (&["6.6.6.6, 203.0.113.9, 10.2.2.2"], "203.0.113.9:0"),
            (
                &["6.6.6.6", "203.0.113.9", "10.2.2.2,192.0.2.7"],
                "203.0.113.9:0",
            ),
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3:0"),
            (&["203.0.113.9:4711"], "203.0.113.9:4711"),
            (&["2001:db8::1"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]:80, fd00::5"], "[2001:db8::1]:80"),
            (&["::ffff:203.0.113.9, ::ffff:10.0.0.1"], "203.0.113.9:0"),
            // What is no address ends it.
            (&["203.0.113.9, unknown"], "10.1.1.1:99"),
            (&["203.0.113.9, <script>, 10.2.2.2"], "10.2.2.2:0"),
            (&["203.0.113.9,"], "10.1.1.1:99"),
            (&["203.0.113.9 10.0.0.1"], "10.1.1.1:99"),
            (&["\u{fc}"], "10.1.1.1:99"),
            (&["1.2.3"], "10.1.1.1:99"),
            (&[""], "10.1.1.1:99"),
            (&[], "10.1.1.1:99"),
        ] {
            assert_eq!(client(chain), expected, "{chain:?}");
        }
    }

    #[test]
    fn others_speak_for_themselves() {
        let fields = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(read(Field::XForwardedFor, "203.0.113.1:1", &fields), None);
        assert_eq!(read(Field::XForwardedFor, "192.0.2.8:1", &fields), None);
        assert!(read(Field::XForwardedFor, "192.0.2.7:1", &fields).is_some());
        assert!(read(Field::XForwardedFor, "[::ffff:10.0.0.9]:1", &fields).is_some());
    }

    #[test]
    fn schemes_and_hosts() {
        let check = |fields: &[(&'static str, &'static str)], scheme, host| {
            let found = read(Field::XForwardedFor, "10.0.0.1:1", fields).unwrap();
            assert_eq!(
                (found.scheme, found.host.as_deref()),
                (scheme, host),
                "{fields:?}"
            );
        };
        check(&[("x-forwarded-proto", "HTTPS")], Some("https"), None);
        check(&[("x-forwarded-proto", "gopher")], None, None);
        check(&[("x-forwarded-proto", "https, http")], Some("http"), None);
        let chain = ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.2");
        check(
            &[chain, ("x-forwarded-proto", "http, https, http")],
            Some("https"),
            None,
        );
        check(
            &[("x-forwarded-host", "shop.test:81")],
            None,
            Some("shop.test:81"),
        );
        check(&[("x-forwarded-host", "a/b")], None, None);
        check(&[("x-forwarded-host", "a\r\nb")], None, None);
        // Another field than the one that was chosen is nobody's.
        check(
            &[
                ("forwarded", "for=9.9.9.9;proto=https"),
                ("x-real-ip", "8.8.8.8"),
            ],
            None,
            None,
        );
        let found = read(
            Field::XRealIp,
            "10.0.0.1:1",
            &[("x-real-ip", "8.8.8.8"), chain],
        )
        .unwrap();
        assert_eq!(found.client.to_string(), "8.8.8.8:0");
    }

    #[test]
    fn the_standard_field() {
        for (values, client, scheme, host) in [
            (
                &["for=203.0.113.9;proto=https;host=a.test"][..],
                "203.0.113.9:0",
                Some("https"),
                Some("a.test"),
            ),
            (
                &["For=\"[2001:db8::1]:80\" ; Proto=http"],
                "[2001:db8::1]:80",
                Some("http"),
                None,
            ),
            (
                &["for=6.6.6.6, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http"],
                "203.0.113.9:0",
                Some("https"),
                None,
            ),
            (
                &["for=6.6.6.6", "for=203.0.113.9;by=10.0.0.1"],
                "203.0.113.9:0",
                None,
                None,
            ),
            (&["for=203.0.113.9, for=_hidden"], "10.0.0.1:1", None, None),
            (&["for=unknown"], "10.0.0.1:1", None, None),
            (&["for=\"203.0.\\113.9\""], "203.0.113.9:0", None, None),
            // A comma in quotes is none.
            (
                &["for=6.6.6.6;x=\", for=7.7.7.7\", for=203.0.113.9"],
                "203.0.113.9:0",
                None,
                None,
            ),
            (&["for=\"203.0.113.9"], "10.0.0.1:1", None, None),
            (&["for 203.0.113.9"], "10.0.0.1:1", None, None),
            // What is behind something malformed is known again.
            (&["for=\"", "for=203.0.113.9"], "203.0.113.9:0", None, None),
            (&["proto=https"], "10.0.0.1:1", None, None),
            (&[",;,=,"], "10.0.0.1:1", None, None),
        ] {
            let fields: Vec<_> = values.iter().map(|value| ("forwarded", *value)).collect();
            let found = read(Field::Forwarded, "10.0.0.1:1", &fields).unwrap();
            let got = (
                found.client.to_string(),
                found.scheme,
                found.host.as_deref(),
            );
            assert_eq!(got, (client.to_owned(), scheme, host), "{values:?}");
        }
    }

    #[test]
    fn ranges() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "203.0.113.9", ""),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
        ] {
            let range = Range::parse(range).unwrap();
            assert!(
                range.contains(inside.parse().unwrap()),
                "{range:?} {inside}"
            );
            if let Ok(outside) = outside.parse() {
                assert!(!range.contains(outside), "{range:?} {outside}");
            }
        }
        for bad in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.1/8",
            "::/129",
            "a/8",
            "10.0.0.0/8/8",
        ] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }
}
