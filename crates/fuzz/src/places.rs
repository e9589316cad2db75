//! Targets for names of places that a client or a tenant writes: `hosts` (of a bucket, and paths of theirs), `outbound` (where scripts may connect to).

use rille_runtime::app::files_for;
use rille_runtime::net::outbound::{Outbound, Rules, Trust, Wishes};
use rille_server::hostmap::host;
use rille_store::BundlePath;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Target `hosts`: the first line is a `Host`, the rest the path of a request. A host is one folder, in one spelling; what may answer the path is
/// a file in it that a bundle could have.
pub fn hosts(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (authority, path) = data.split_at(end.unwrap_or(data.len()));
    if let Some(host) = std::str::from_utf8(authority).ok().and_then(host::name) {
        assert!(!host.starts_with('.') && !host.ends_with('.') && !host.contains(".."));
        assert!(!host.contains(|c: char| !c.is_ascii_graphic() || "/\\:%@?#".contains(c)));
        assert_eq!(host::name(&host), Some(host.clone()));
        assert_eq!(host::name(&format!("{host}.:80")), Some(host));
    }
    for file in files_for(path.get(1..).unwrap_or_default()) {
        assert!(file.ends_with(".lua") && !file.starts_with('/'));
        let parts: Vec<&str> = file.split('/').collect();
        assert!(
            !parts
                .iter()
                .any(|part| part.is_empty() || part.starts_with('.'))
        );
        assert!(!["lib", "tasks", "public"].contains(&parts[0]) || parts.len() == 1);
        // It may be longer than paths in bundles are.
        if let Ok(path) = BundlePath::new(file.as_bytes()) {
            assert_eq!(path.as_str(), file);
        }
    }
}

/// Target `outbound`: an address of IPv4, a port, and what an operator writes, a line each. What is refused is refused in every spelling of the address,
/// and nothing is allowed by what denies.
pub fn outbound(data: &[u8]) {
    let Some((head, text)) = data.split_at_checked(6) else {
        return;
    };
    let v4 = Ipv4Addr::new(head[0], head[1], head[2], head[3]);
    let port = u16::from_be_bytes([head[4], head[5]]);
    let mut rules = Rules::default();
    let mut denials = Rules::default();
    for line in String::from_utf8_lossy(text).lines().take(20) {
        // What is not understood changes nothing but is told.
        let _ = rules.add(line);
        if line.starts_with("deny=") {
            let _ = denials.add(line);
        }
    }
    let may = |rules: &Arc<Rules>, address: IpAddr| {
        let outbound = Outbound::new(rules.clone(), Wishes::default(), Trust::Tenant);
        let address = SocketAddr::new(address, port);
        outbound.check(&address.ip().to_string(), address).is_ok()
    };
    let plain = Arc::new(Rules::default());
    let denials = Arc::new(denials);
    for address in spellings(v4) {
        assert!(may(&plain, v4.into()) || !may(&plain, address), "{address}");
        assert!(
            may(&denials, v4.into()) || !may(&denials, address),
            "{address}"
        );
        assert!(may(&plain, address) || !may(&denials, address), "{address}");
    }
    let _ = may(&Arc::new(rules), v4.into());
}

/// Addresses of IPv6 that lead to one of IPv4: mapped, compatible, NAT64, 6to4.
fn spellings(v4: Ipv4Addr) -> [IpAddr; 4] {
    let [a, b, c, d] = v4.octets().map(u16::from);
    let (high, low) = (a << 8 | b, c << 8 | d);
    [
        v4.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
    ]
    .map(IpAddr::V6)
}
