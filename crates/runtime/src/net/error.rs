//! Why something with a socket failed.
//!
//! **Invariant:** the text of an error is what lua-nginx-module says in that case; what it does not have is said in the same style.

use std::fmt;
use std::io;

/// Why something with a socket failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetError {
    /// It took too long.
    Timeout,
    /// The other side closed the connection, or it was closed here.
    Closed,
    /// The system's message, in lower case.
    System(String),
    /// A name has no address: the name and the reason, as nginx numbers them.
    Resolve(String, &'static str),
    /// What was given as a host is none.
    Host(String, &'static str),
    /// The VM has so many open sockets, and none of them idle.
    TooManySockets(usize),
    /// What was received is more than the VM may hold.
    TooMuchData(usize),
    /// The queue of those that wait for a connection is full.
    TooManyWaiting,
    /// Data has come that nobody has read.
    Unread,
    /// The TLS handshake failed.
    Tls(&'static str),
    /// The app may not connect there: what it asked for, and why not.
    Refused(String, &'static str),
}

impl NetError {
    /// What the system said.
    pub fn of_system(error: &io::Error) -> NetError {
        match error.kind() {
            // What TLS says where a plain connection would have ended.
            io::ErrorKind::UnexpectedEof => NetError::Closed,
            _ => NetError::System(system_text(error)),
        }
    }
}

/// The system's message in lower case, without what std adds.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_ascii_lowercase()
}

impl From<io::Error> for NetError {
    fn from(error: io::Error) -> NetError {
        NetError::of_system(&error)
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetError::Timeout => f.write_str("timeout"),
            NetError::Closed => f.write_str("closed"),
            NetError::System(text) => f.write_str(text),
            NetError::Resolve(name, why) => write!(f, "{name} could not be resolved ({why})"),
            NetError::Host(name, why) => write!(f, "failed to parse host name \"{name}\": {why}"),
            NetError::TooManySockets(limit) => {
                write!(f, "too many open sockets: the limit of {limit} is reached")
            }
            NetError::TooMuchData(limit) => {
                write!(
                    f,
                    "too much data: the memory limit of {limit} bytes is reached"
                )
            }
            NetError::TooManyWaiting => f.write_str("too many waiting connect operations"),
            NetError::Unread => f.write_str("unread data in buffer"),
            NetError::Tls(why) => f.write_str(why),
            NetError::Refused(host, why) => {
                write!(
                    f,
                    "connection to {host} refused by the outbound policy: {why}"
                )
            }
        }
    }
}

impl std::error::Error for NetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_messages_are_as_in_luasocket() {
        for (number, text) in [
            (111, "connection refused"),
            (104, "connection reset by peer"),
        ] {
            let error = NetError::from(io::Error::from_raw_os_error(number));
            assert_eq!(error.to_string(), text);
        }
        let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "peer closed");
        assert_eq!(NetError::from(ended), NetError::Closed);
    }
}
