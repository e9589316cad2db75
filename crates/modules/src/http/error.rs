//! Why a request failed, and how long its parts may take.
//!
//! **Invariant:** a message is one line that says what failed and with whom; it has no credentials and nothing of a body.

use rille_runtime::net::NetError;
use rille_runtime::net::timed::timed;
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The message.
    pub text: String,
    /// Whether the other side may not have seen the request: it closed the connection before it said anything.
    pub stale: bool,
    /// Whether the connection has ended, without saying why.
    pub is_of_connection: bool,
    /// Whether it took too long.
    pub timed_out: bool,
}

/// A result, or why there is none.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// It failed for this reason.
    pub fn new(text: impl fmt::Display) -> Failure {
        Failure {
            text: text.to_string(),
            stale: false,
            is_of_connection: false,
            timed_out: false,
        }
    }

    /// What went wrong with the connection to `peer`.
    pub fn of_net(error: NetError, peer: &str) -> Failure {
        let timed_out = matches!(error, NetError::Timeout);
        let has_ended = matches!(error, NetError::Closed | NetError::System(_));
        let text = match error {
            NetError::Closed => format!("{peer} closed the connection"),
            NetError::System(text) => format!("{text}: {peer}"),
            NetError::Tls("certificate host mismatch") => {
                format!("the certificate of {peer} is for another name")
            }
            NetError::Tls(why) if why.starts_with(|first: char| first.is_ascii_digit()) => {
                format!("the certificate of {peer} is not trusted ({why})")
            }
            NetError::Tls(why) => format!("TLS with {peer}: {why}"),
            NetError::TooMuchData(limit) => format!(
                "what {peer} sends does not fit into the app's memory limit of {limit} bytes"
            ),
            other => other.to_string(),
        };
        Failure {
            text,
            stale: has_ended,
            is_of_connection: has_ended,
            timed_out,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To have a connection: waiting for a socket, finding the address, connecting, TLS.
    pub connect: Duration,
    /// Until the other side takes more of the request.
    pub send: Duration,
    /// Until the head of the response is there; then, until there is more of its body.
    pub read: Duration,
    /// All of it, redirects included; a streamed response's body is not.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(60),
            read: Duration::from_secs(60),
            total: Some(Duration::from_secs(120)),
        }
    }
}

/// The timeouts of a request that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Of each part.
    pub times: Timeouts,
    end: Option<Instant>,
}

impl Clock {
    /// A request begins.
    pub fn start(times: Timeouts) -> Clock {
        Clock {
            times,
            end: times
                .total
                .and_then(|total| Instant::now().checked_add(total)),
        }
    }

    /// What is left has no end of its own: a streamed body.
    pub fn without_end(mut self) -> Clock {
        self.end = None;
        self
    }

    /// What the future gives, within `limit` and the total; `doing` is for the message ("connecting to a.test:80").
    pub async fn within<T>(
        &self,
        limit: Duration,
        doing: impl FnOnce() -> String,
        future: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        let left = (self.end).map(|end| end.saturating_duration_since(Instant::now()));
        let (shorter, named) = match (left, self.times.total) {
            (Some(left), Some(total)) if left < limit => (left, total),
            _ => (limit, limit),
        };
        match timed(shorter, future).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure {
                timed_out: true,
                ..Failure::new(format!(
                    "timeout after {} s while {}",
                    named.as_secs_f64(),
                    doing()
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_with_whom() {
        let said = |error| Failure::of_net(error, "a.test:80").to_string();
        assert_eq!(
            said(NetError::System("connection refused".into())),
            "connection refused: a.test:80"
        );
        assert_eq!(said(NetError::Closed), "a.test:80 closed the connection");
        assert_eq!(
            said(NetError::Tls("20: unable to get local issuer certificate")),
            "the certificate of a.test:80 is not trusted (20: unable to get local issuer certificate)"
        );
    }
}
