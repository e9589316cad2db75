//! WebSocket clients that are somebody else's work.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{WebSocket, client};

pub type Client = WebSocket<TcpStream>;

/// A client whose handshake is over.
pub fn connect(address: SocketAddr, target: &str) -> Client {
    connect_with(address, target, &[]).0
}

/// A client with further fields in its handshake, and what was answered.
pub fn connect_with(
    address: SocketAddr,
    target: &str,
    fields: &[(&str, &str)],
) -> (Client, Response) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut request = format!("ws://{address}{target}")
        .into_client_request()
        .unwrap();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(name, value);
    }
    client(request, stream).unwrap()
}
