//! From a connection that has been accepted to one whose handshake is done.
//!
//! **Invariant:** nothing is read before it is known to be TLS. The whole of it takes no longer than a head may.

use super::{Session, Tls};
use crate::conn::{Conn, Phase};
use crate::socket::Watched;
use std::future::poll_fn;
use std::io;
use tokio::io::ReadBuf;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a connection turned out to be.
pub enum Accepted {
    /// Ready for requests.
    Tls(Box<TlsStream<Watched>>, Session),
    /// Somebody speaks HTTP without TLS.
    Plain(Watched),
    /// It has ended; with what was wrong, if the peer has said something.
    Ended(Option<String>),
}

/// Makes a handshake.
pub async fn accept(tls: &Tls, mut socket: Watched, conn: &Conn) -> Accepted {
    conn.enter(Phase::Head);
    match first_byte(&mut socket).await {
        Ok(Some(byte)) if is_text(byte) => return Accepted::Plain(socket),
        Ok(Some(_)) => {}
        Ok(None) | Err(_) => return Accepted::Ended(None),
    }
    let stream = match TlsAcceptor::from(tls.config()).accept(socket).await {
        Ok(stream) => stream,
        Err(error) => return Accepted::Ended(reason(&error)),
    };
    conn.enter(Phase::Idle);
    let session = Session::of(stream.get_ref().1);
    Accepted::Tls(Box::new(stream), session)
}

async fn first_byte(socket: &mut Watched) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let count = poll_fn(|cx| socket.poll_peek(cx, &mut ReadBuf::new(&mut byte))).await?;
    Ok((count > 0).then_some(byte[0]))
}

/// A record of a handshake begins with 22; a request's line with a letter.
fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

fn reason(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::InvalidData => Some(format!("TLS handshake failed: {error}")),
        io::ErrorKind::TimedOut => Some("TLS handshake too slow".to_owned()),
        _ => None,
    }
}
