//! Which addresses are anybody's: those of the Internet at large.
//!
//! The lists are IANA's registries of special-purpose addresses (RFC 6890 and what came after it), with what clouds have put elsewhere.
//!
//! **Invariant:** an address is public only if every IPv4 address that is written into it is public too: the form in which it is given
//! makes no difference.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 prefixes that are not public.
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    // This network: connecting there reaches the machine itself.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Carrier-grade NAT; some clouds have their metadata there.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local; most clouds have their metadata there.
    ([169, 254, 0, 0], 16),
    // Azure's wire server.
    ([168, 63, 129, 16], 32),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    // Relays of 6to4, given up.
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    // Benchmarks.
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, and from 240 on what is reserved, broadcast included.
    ([224, 0, 0, 0], 3),
];

/// Prefixes of 2000::/3 that are not public. Nothing outside of that is.
const SPECIAL_V6: &[([u16; 3], u32)] = &[
    // Protocols: benchmarks, ORCHID and so on. Teredo has been looked at before.
    ([0x2001, 0, 0], 23),
    // Documentation.
    ([0x2001, 0x0db8, 0], 32),
    ([0x3fff, 0, 0], 20),
];

/// Whether an address is one of the Internet at large.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(prefix, length): &([u8; 4], u32)| {
        let different = address.to_bits() ^ Ipv4Addr::from(*prefix).to_bits();
        different.checked_shr(32 - length).unwrap_or(0) == 0
    };
    !SPECIAL_V4.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let (inner, form) = embedded(address);
    if !inner.into_iter().flatten().all(is_public_v4) {
        return false;
    }
    match form {
        Form::Whole => true,
        Form::Part => {
            let [first, ..] = address.segments();
            let is_in = |(prefix, length): &([u16; 3], u32)| {
                let [a, b, c] = *prefix;
                let prefix = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits();
                (address.to_bits() ^ prefix) >> (128 - length) == 0
            };
            (0x2000..0x4000).contains(&first) && !SPECIAL_V6.iter().any(is_in)
        }
    }
}

/// What an IPv4 address in an IPv6 address says about it.
enum Form {
    /// The address stands for it, or leads to it.
    Whole,
    /// It is part of an ordinary address, or there is none.
    Part,
}

/// The IPv4 addresses that are written into an IPv6 address.
pub fn embedded_v4(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let inner = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => embedded(address).0,
    };
    inner.into_iter().flatten()
}

fn embedded(address: Ipv6Addr) -> ([Option<Ipv4Addr>; 2], Form) {
    let v4 =
        |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Mapped (RFC 4291), compatible (given up; ::1 and :: are among them), translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b]
        | [0, 0, 0, 0, 0xffff, 0, a, b]
        | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => ([v4(a, b), None], Form::Whole),
        // 6to4 (RFC 3056).
        [0x2002, a, b, ..] => ([v4(a, b), None], Form::Whole),
        // Teredo (RFC 4380): a server, and a client whose bits are turned round.
        [0x2001, 0, a, b, _, _, c, d] => ([v4(a, b), v4(!c, !d)], Form::Whole),
        // ISATAP (RFC 5214), below any prefix.
        [.., 0 | 0x200, 0x5efe, a, b] => ([v4(a, b), None], Form::Part),
        _ => ([None, None], Form::Part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn what_is_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            // Teredo with a private server, and with a private client (10.0.0.1).
            "2001:0:a00:1::f7f7:f7f7",
            "2001:0:808:808::f5ff:fffe",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff:1::1",
            "2600::5efe:10.0.0.1",
            "2600::200:5efe:127.0.0.1",
            "100::1",
            "5f00::1",
            "4000::1",
            "1::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn what_is() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
            "2600::5efe:8.8.8.8",
        ] {
            assert!(public(text), "{text}");
        }
    }
}
