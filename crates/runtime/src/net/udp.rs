//! Datagram sockets with a peer: UDP and unix.
//!
//! **Invariants.** The permit for the socket lives as long as the socket. A socket talks with one peer, which the app may talk with: it is asked right
//! before the socket gets it.

use super::connect::Target;
use super::timed::timed;
use super::{Net, NetError, SocketPermit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::time::Duration;
use tokio::net::{UdpSocket, UnixDatagram};

/// The longest datagram that is received whole; the rest of a longer one is lost.
pub const MAX_DATAGRAM: usize = 8192;

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

/// A datagram socket with a peer.
pub struct Datagram {
    socket: Socket,
    _permit: SocketPermit,
}

impl Net {
    /// A socket that talks with `target`, from `local` if given. `limit` is for the resolution of a name.
    pub async fn datagram(
        &self,
        target: &Target,
        local: Option<SocketAddr>,
        limit: Duration,
    ) -> Result<Datagram, NetError> {
        let permit = self.permit()?;
        let socket = match target {
            Target::Unix(path) => {
                self.outbound().check_unix(path)?;
                let socket = unix_socket()?;
                socket.connect(path)?;
                Socket::Unix(socket)
            }
            Target::Tcp(host, port) => {
                let addresses = timed(limit, self.resolver().resolve(host)).await??;
                Socket::Udp(self.udp_socket(host, &addresses, *port, local).await?)
            }
        };
        Ok(Datagram {
            socket,
            _permit: permit,
        })
    }

    async fn udp_socket(
        &self,
        host: &str,
        addresses: &[IpAddr],
        port: u16,
        local: Option<SocketAddr>,
    ) -> Result<UdpSocket, NetError> {
        let mut problem = None;
        for address in addresses {
            let any: IpAddr = match address {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let local = local.unwrap_or_else(|| (any, 0).into());
            let connected = async {
                let peer = (*address, port).into();
                self.outbound().check(host, peer)?;
                let socket = UdpSocket::bind(local).await?;
                socket.connect(peer).await?;
                Ok(socket)
            };
            match connected.await {
                Ok(socket) => return Ok(socket),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        Err(problem.unwrap_or(NetError::Closed))
    }
}

/// A unix socket with an address of its own, so that it can be answered.
fn unix_socket() -> Result<UnixDatagram, NetError> {
    let random = getrandom::u64().map_err(|_| NetError::System("error".to_owned()))?;
    let name = format!("rille-{random:016x}");
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    let socket = StdUnixDatagram::bind_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(UnixDatagram::from_std(socket)?)
}

impl Datagram {
    /// Sends a datagram, waiting for room for at most `limit`.
    pub async fn send(&self, bytes: &[u8], limit: Duration) -> Result<(), NetError> {
        let sent = match &self.socket {
            Socket::Udp(socket) => timed(limit, socket.send(bytes)).await??,
            Socket::Unix(socket) => timed(limit, socket.send(bytes)).await??,
        };
        match sent == bytes.len() {
            true => Ok(()),
            false => Err(NetError::System("partial write".to_owned())),
        }
    }

    /// Receives a datagram into `to`, waiting for at most `limit`; its length.
    pub async fn receive(&self, to: &mut [u8], limit: Duration) -> Result<usize, NetError> {
        match &self.socket {
            Socket::Udp(socket) => Ok(timed(limit, socket.recv(to)).await??),
            Socket::Unix(socket) => Ok(timed(limit, socket.recv(to)).await??),
        }
    }
}
