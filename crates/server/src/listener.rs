//! One listening socket per worker on the same address.
//!
//! **Invariant:** the sockets share the port by `SO_REUSEPORT` among themselves only: an address that
//! anybody else listens on, another Rille included, is "in use".

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections the kernel queues until they are accepted.
const BACKLOG: i32 = 1024;

/// Binds `count` listeners to `address`; with port 0, all to the same free port.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // A socket without SO_REUSEPORT cannot be bound beside any listener, so this finds out whether
    // the address is free. (SO_REUSEADDR lets it pass connections in TIME_WAIT.)
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    (0..count)
        .map(|_| {
            let socket = socket(address)?;
            if count > 1 {
                socket.set_reuse_port(true)?;
            }
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What to tell the user when binding failed; `option` is where the address is from.
pub fn explain(address: SocketAddr, option: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{address} is in use by another program; stop it or choose another with {option}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "may not listen on {address}: ports below 1024 need root; choose another with {option}"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine; choose another with {option}")
        }
        _ => format!("cannot listen on {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_and_strangers_do_not() {
        let any = "127.0.0.1:0".parse().unwrap();
        let ours = bind(any, 3).unwrap();
        let address = ours[0].local_addr().unwrap();
        assert!(
            ours.iter()
                .all(|listener| listener.local_addr().unwrap() == address)
        );
        for count in [1, 2] {
            let error = bind(address, count).unwrap_err();
            assert!(
                explain(address, "--listen", &error).contains("is in use"),
                "{error}"
            );
        }
        drop(ours);
        assert!(bind(address, 1).is_ok());
    }
}
