//! Where to connect to, and how.
//!
//! **Invariants.** The permit for a socket is there before the socket is, and goes into the stream with it. Whether the app may connect to an address
//! is asked right before that, with that address.

use super::resolve::literal;
use super::stream::Stream;
use super::timed::timed;
use super::transport::Plain;
use super::{Net, NetError};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// How many addresses of a name are tried.
const MAX_TRIES: usize = 8;
/// The longest path of a unix socket that the system takes.
const MAX_PATH: usize = 107;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host, name or address, and a port.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

impl Target {
    /// `host` with a port, or `unix:PATH`.
    pub fn parse(host: &[u8], port: u16) -> Result<Target, NetError> {
        let text = String::from_utf8_lossy(host);
        match strip_unix(&text) {
            None if text.is_empty() => Err(NetError::Host(text.into_owned(), "no host")),
            None => Ok(Target::Tcp(text.into_owned(), port)),
            Some("") => Err(NetError::Host(
                text.into_owned(),
                "no path in the unix domain socket",
            )),
            Some(path) if path.len() > MAX_PATH => Err(NetError::Host(
                text.chars().take(MAX_PATH).collect(),
                "too long path in the unix domain socket",
            )),
            Some(path) => Ok(Target::Unix(path.into())),
        }
    }
}

/// What follows `unix:`, in any case.
pub fn strip_unix(host: &str) -> Option<&str> {
    let (scheme, path) = host.split_at_checked(5)?;
    scheme.eq_ignore_ascii_case("unix:").then_some(path)
}

impl Net {
    /// Connects: resolves a name, and tries its addresses in order, all within `limit`. `local` is the address to come from; a port of 0 is any.
    pub async fn connect(
        &self,
        target: &Target,
        local: Option<SocketAddr>,
        limit: Duration,
    ) -> Result<Stream, NetError> {
        let permit = self.permit()?;
        let plain = timed(limit, self.connect_plain(target, local)).await??;
        Ok(Stream::new(plain, permit))
    }

    async fn connect_plain(
        &self,
        target: &Target,
        local: Option<SocketAddr>,
    ) -> Result<Plain, NetError> {
        match target {
            Target::Unix(path) => {
                self.outbound().check_unix(path)?;
                Ok(Plain::Unix(UnixStream::connect(path).await?))
            }
            Target::Tcp(host, port) => {
                let connect = |address: IpAddr| async move {
                    let address = (address, *port).into();
                    self.outbound().check(host, address)?;
                    Ok(connect_tcp(address, local).await?)
                };
                let tcp = match literal(host) {
                    Some(address) => connect(address).await?,
                    None => first(&self.resolver().resolve(host).await?, connect).await?,
                };
                // What is sent is sent whole.
                tcp.set_nodelay(true)?;
                Ok(Plain::Tcp(tcp))
            }
        }
    }
}

/// The first that works; if none does, the first one's error.
async fn first<T, F: Future<Output = Result<T, NetError>>>(
    addresses: &[IpAddr],
    connect: impl Fn(IpAddr) -> F,
) -> Result<T, NetError> {
    let mut problem = None;
    for address in addresses.iter().take(MAX_TRIES) {
        match connect(*address).await {
            Ok(done) => return Ok(done),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or(NetError::Closed))
}

async fn connect_tcp(address: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else {
        return TcpStream::connect(address).await;
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if local.port() != 0 {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(local)?;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let parse = |host: &str| Target::parse(host.as_bytes(), 80);
        assert_eq!(parse("a.b"), Ok(Target::Tcp("a.b".into(), 80)));
        assert_eq!(parse("UNIX:/tmp/x"), Ok(Target::Unix("/tmp/x".into())));
        for (host, why) in [
            ("unix:", "no path in the unix domain socket"),
            (
                &*format!("unix:{}", "x".repeat(108)),
                "too long path in the unix domain socket",
            ),
        ] {
            assert!(parse(host).unwrap_err().to_string().ends_with(why));
        }
    }
}
