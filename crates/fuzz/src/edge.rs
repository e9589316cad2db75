//! Targets for what clients and proxies write in fields that the edge of the server reads: `codings`, `proxies`.

use http::header::HeaderName;
use rille_runtime::manifest::Coding;
use rille_server::edge::accept::Accepts;
use rille_server::edge::forwarded::{Field, Range, Trust};
use std::net::SocketAddr;

const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

/// Target `codings`: each line is a value. What is chosen is accepted, and as heavy as any; the lines may as well be one list.
pub fn codings(data: &[u8]) {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let accepts = Accepts::of(values.iter().copied());
    let joined = values.join(&b","[..]);
    assert_eq!(accepts, Accepts::of([&*joined].into_iter()));
    let heaviest = ALL.map(|coding| accepts.weight(coding)).into_iter().max();
    assert!(heaviest.is_some_and(|heaviest| heaviest <= 1000));
    assert_eq!(accepts.any(), heaviest > Some(0));
    if let Some(coding) = accepts.choose(&ALL) {
        assert!(accepts.weight(coding) > 0 && Some(accepts.weight(coding)) == heaviest);
    }
    for coding in ALL {
        let alone = accepts.choose(&[coding]);
        assert!(alone.is_none() || alone == Some(coding) && accepts.weight(coding) > 0);
    }
    assert_eq!(accepts.choose(&[]), None);
}

/// Target `proxies`: the first byte is the kind of field, the first line its value, the others the scheme and the host. Who is not trusted speaks for
/// itself; who is gives a client, and nothing that could not stand in a field.
pub fn proxies(data: &[u8]) {
    let (kind, rest) = data.split_first().unwrap_or((&b'X', b""));
    let field = match kind % 3 {
        0 => Field::XForwardedFor,
        1 => Field::Forwarded,
        _ => Field::XRealIp,
    };
    let ranges = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"];
    let trust = Trust {
        ranges: (ranges.iter())
            .map(|range| Range::parse(range).expect("it is one"))
            .collect(),
        field,
    };
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    let values = |name: &HeaderName| -> Vec<&[u8]> {
        match name.as_str() {
            "x-forwarded-proto" => lines.get(1).copied().into_iter().collect(),
            "x-forwarded-host" => lines.get(2).copied().into_iter().collect(),
            "forwarded" => lines.clone(),
            _ => lines.first().copied().into_iter().collect(),
        }
    };
    let stranger = SocketAddr::from(([203, 0, 113, 1], 1));
    assert!(trust.read_with(stranger, values).is_none());
    let peer = SocketAddr::from(([10, 0, 0, 1], 1));
    let found = (trust.read_with(peer, values)).expect("the peer is trusted");
    assert_eq!(found.peer, peer);
    assert_eq!(found.client.ip(), found.client.ip().to_canonical());
    if let Some(host) = &found.host {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        assert!(!host.is_empty() && host.bytes().all(harmless));
    }
    // What stands in front of an address that is not trusted changes nothing.
    if field == Field::XForwardedFor && !trust.has(found.client.ip()) {
        let longer = [b"6.6.6.6, ", lines.first().copied().unwrap_or_default()].concat();
        let again = trust.read_with(peer, |name| match name.as_str() {
            "x-forwarded-for" => vec![&*longer],
            _ => Vec::new(),
        });
        assert_eq!(again.map(|again| again.client), Some(found.client));
    }
}
