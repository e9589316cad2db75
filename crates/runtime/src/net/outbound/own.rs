//! The server's own ports, and the machine's own addresses.
//!
//! **Invariant:** a port that is listened on is here before the first connection of a script can be asked about.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

/// What a port of the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Requests.
    Requests,
    /// The server's management: no app has business there.
    Admin,
}

/// Where the server listens.
#[derive(Debug, Default)]
pub struct Own(RwLock<Vec<(SocketAddr, Purpose)>>);

impl Own {
    /// The server listens there.
    pub fn listens(&self, address: SocketAddr, purpose: Purpose) {
        let mut ports = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !ports.contains(&(address, purpose)) {
            ports.push((address, purpose));
        }
    }

    /// What a connection to this address would reach, if it is the server itself.
    pub fn purpose(&self, address: SocketAddr) -> io::Result<Option<Purpose>> {
        let ports = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for (port, purpose) in ports.iter() {
            if port.port() == address.port() && is_reached(port.ip(), address.ip())? {
                found = match purpose {
                    Purpose::Admin => return Ok(Some(Purpose::Admin)),
                    Purpose::Requests => Some(Purpose::Requests),
                };
            }
        }
        Ok(found)
    }
}

/// Whether what listens on one address gets connections to the other.
fn is_reached(listening: IpAddr, address: IpAddr) -> io::Result<bool> {
    let (listening, address) = (listening.to_canonical(), address.to_canonical());
    match listening == address || address.is_unspecified() {
        true => Ok(true),
        false if listening.is_unspecified() => is_here(address),
        false => Ok(false),
    }
}

/// Whether an address is one of this machine. The error is that of the system, when it gives no socket.
///
/// The system takes the address itself as the source of what goes to it; nothing is sent.
pub fn is_here(address: IpAddr) -> io::Result<bool> {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return Ok(true);
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = match UdpSocket::bind((any, 0)) {
        Ok(socket) => socket,
        // Without IPv6 no address of it is here.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(false),
        Err(error) if address.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    // Without a way there it is not here. Any port will do.
    match socket.connect((address, 9)) {
        Ok(()) => Ok(socket.local_addr()?.ip() == address),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_addresses() {
        assert!(is_here([127, 0, 0, 1].into()).unwrap());
        assert!(is_here([127, 9, 9, 9].into()).unwrap());
        assert!(is_here("::ffff:127.0.0.1".parse().unwrap()).unwrap());
        assert!(!is_here([192, 0, 2, 1].into()).unwrap());
        // The one that packets to elsewhere come from, where there is one.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            assert!(is_here(socket.local_addr().unwrap().ip()).unwrap());
        }
    }

    #[test]
    fn own_ports_by_every_way_there() {
        let own = Own::default();
        own.listens("0.0.0.0:8080".parse().unwrap(), Purpose::Requests);
        own.listens("127.0.0.1:8081".parse().unwrap(), Purpose::Admin);
        for (address, expected) in [
            ("127.0.0.1:8080", Some(Purpose::Requests)),
            ("127.0.0.2:8080", Some(Purpose::Requests)),
            ("0.0.0.0:8080", Some(Purpose::Requests)),
            ("[::ffff:127.0.0.1]:8080", Some(Purpose::Requests)),
            ("192.0.2.1:8080", None),
            ("127.0.0.1:8081", Some(Purpose::Admin)),
            ("0.0.0.0:8081", Some(Purpose::Admin)),
            ("[::]:8081", Some(Purpose::Admin)),
            ("127.0.0.2:8081", None),
            ("127.0.0.1:8082", None),
        ] {
            assert_eq!(
                own.purpose(address.parse().unwrap()).unwrap(),
                expected,
                "{address}"
            );
        }
    }
}
