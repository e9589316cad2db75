//! Names of hosts to addresses.
//!
//! **Invariant:** names below `localhost` are this machine, whatever the system's resolver says (RFC 6761, section 6.3): so a bucket may be
//! in the name of a host in development, too.

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// The system's resolver, but for names of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Resolver;

type Addresses = std::vec::IntoIter<SocketAddr>;

impl Service<Name> for Resolver {
    type Response = Addresses;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Addresses, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            if is_below_localhost(name.as_str()) {
                return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))].into_iter());
            }
            let addresses = GaiResolver::new().call(name).await?;
            Ok(addresses.collect::<Vec<_>>().into_iter())
        })
    }
}

/// `localhost` itself the system knows, in both families of addresses.
fn is_below_localhost(name: &str) -> bool {
    name.trim_end_matches('.')
        .to_ascii_lowercase()
        .ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_localhost() {
        for name in ["a.localhost", "a.b.LOCALHOST."] {
            assert!(is_below_localhost(name), "{name}");
        }
        for name in ["localhost", "notlocalhost", "localhost.example.com"] {
            assert!(!is_below_localhost(name), "{name}");
        }
    }
}
