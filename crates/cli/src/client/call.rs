//! Requests to the admin API.
//!
//! **Invariants.** A request that is not a deploy has an answer within [`WAIT`], or fails; an answer is at most [`MAX_ANSWER`]. What fails says what to do.

use crate::fetching::variable;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rille_server::admin::Token;
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: a deploy fetches, compiles and checks.
const WAIT: Duration = Duration::from_secs(900);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 64 << 20;
/// The longest line of an event.
const MAX_EVENT: usize = 1 << 20;

/// Why a command failed.
#[derive(Debug)]
pub struct Failed {
    /// What is wrong and what to do.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

impl Failed {
    /// Something that did not work.
    pub fn new(message: impl Into<String>) -> Failed {
        Failed {
            message: message.into(),
            code: 1,
        }
    }

    /// A command that cannot be understood.
    pub fn usage(message: impl Into<String>) -> Failed {
        Failed {
            message: message.into(),
            code: 2,
        }
    }
}

/// An event of a log that is followed.
#[derive(Debug, Default)]
pub struct Event {
    /// Empty for a line.
    pub kind: String,
    /// JSON.
    pub data: String,
}

/// A server's admin API.
#[derive(Debug)]
pub struct Server {
    url: String,
    /// Host and port.
    authority: String,
    is_here: bool,
    token: String,
    runtime: Runtime,
}

impl Server {
    /// At a URL, with the token of the environment or of the state folder.
    pub fn new(url: &str, state: Option<&Path>) -> Result<Server, Failed> {
        let authority = authority(url)?;
        let is_here = is_here(&authority);
        let kept = || match (is_here, state) {
            (true, Some(state)) => Token::read(state).map_err(Failed::new),
            _ => Ok(None),
        };
        let token = match variable("RILLE_TOKEN") {
            Some(token) => token.trim().to_owned(),
            None => kept()?.map(|token| token.reveal().to_owned()).ok_or_else(|| {
                Failed::new("there is no token: set RILLE_TOKEN, or name the state folder of a server on this machine with --state")
            })?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failed::new(format!("cannot start: {error}")))?;
        Ok(Server {
            url: format!("http://{authority}"),
            authority,
            is_here,
            token,
            runtime,
        })
    }

    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        self.is_here
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn get(&self, path: &str) -> Result<Value, Failed> {
        self.call(Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        self.call(Method::POST, path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Result<Value, Failed> {
        self.call(Method::DELETE, path, None)
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
        let exchange = async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            let body = self.whole(response).await?;
            let answer = serde_json::from_slice(&body);
            let answer: Value = answer.map_err(|_| self.odd("it is not JSON"))?;
            match status.is_success() {
                true => Ok(answer),
                false => Err(self.refused(&answer)),
            }
        };
        self.runtime.block_on(async {
            let waited = tokio::time::timeout(WAIT, exchange).await;
            waited.unwrap_or_else(|_| Err(self.odd("it takes too long")))
        })
    }

    /// Calls `each` with every event until there are no more.
    pub fn follow(
        &self,
        path: &str,
        mut each: impl FnMut(&Event) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let response = self.send(Method::GET, path, None).await?;
            if !response.status().is_success() {
                let body = self.whole(response).await?;
                let answer = serde_json::from_slice(&body).unwrap_or(Value::Null);
                return Err(self.refused(&answer));
            }
            let (mut body, mut events) = (response.into_body(), Events::default());
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| self.odd("it went away"))?;
                let Some(bytes) = frame.data_ref() else {
                    continue;
                };
                for event in events
                    .push(bytes)
                    .ok_or_else(|| self.odd("an event is too long"))?
                {
                    each(&event)?;
                }
            }
            Ok(())
        })
    }

    /// The body of a response.
    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, Failed> {
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|error| self.odd(&error.to_string()))?;
        Ok(body.to_bytes())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Failed> {
        let failed = |why: &str| {
            Failed::new(format!(
                "cannot reach the admin API at {}: {why}; start rille serve with --admin, or name another with --admin URL",
                self.url
            ))
        };
        let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(&self.authority)).await;
        let stream = connecting.map_err(|_| failed("no answer"))?;
        let stream = stream.map_err(|error| failed(&error.to_string()))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| failed(&error.to_string()))?;
        tokio::spawn(connection);
        let text = body.map_or(String::new(), Value::to_string);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(text)))
            .map_err(|_| Failed::usage("the token or a name has characters that cannot be sent"))?;
        let response = sender.send_request(request).await;
        response.map_err(|error| self.odd(&error.to_string()))
    }

    fn odd(&self, why: &str) -> Failed {
        Failed::new(format!(
            "{} does not answer as Rille's admin API does: {why}",
            self.url
        ))
    }

    fn refused(&self, answer: &Value) -> Failed {
        match answer["error"]["message"].as_str() {
            Some(message) => Failed::new(rille_runtime::problem::one_line(message)),
            None => self.odd("it refused, and did not say why"),
        }
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> Result<String, Failed> {
    let wrong = |why: &str| Failed::usage(format!("'{url}' is no admin API: {why}"));
    let rest = url.strip_prefix("http://").unwrap_or(url);
    if rest.starts_with("https://") {
        return Err(wrong(
            "it speaks plain HTTP; reach one on another machine through ssh -L or a VPN",
        ));
    }
    let rest = rest.trim_end_matches('/');
    let is_good = |authority: &str| {
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        !authority.contains(['/', '@', '?', '#', ' '])
            && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    match is_good(rest) {
        true => Ok(rest.to_owned()),
        false => Err(wrong("write it as http://127.0.0.1:8081")),
    }
}

fn is_here(authority: &str) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let is_loopback = |address: IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// Puts events together.
#[derive(Debug, Default)]
struct Events {
    text: Vec<u8>,
    event: Event,
}

impl Events {
    /// The events that are whole with these bytes; `None` if one is too long.
    fn push(&mut self, bytes: &[u8]) -> Option<Vec<Event>> {
        self.text.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                whole.extend(Some(event).filter(|event| !event.data.is_empty()));
            } else if let Some((field, value)) = line.split_once(':') {
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => self.event.kind = value.to_owned(),
                    "data" => self.event.data.push_str(value),
                    _ => {}
                }
            }
        }
        (self.text.len() + self.event.data.len() <= MAX_EVENT).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers() {
        for (url, expected, here) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081", true),
            ("localhost:8081/", "localhost:8081", true),
            ("http://[::1]:80", "[::1]:80", true),
            ("http://example.com:8081", "example.com:8081", false),
            (
                "http://127.0.0.1.example.com:80",
                "127.0.0.1.example.com:80",
                false,
            ),
        ] {
            let found = authority(url).unwrap();
            assert_eq!((found.as_str(), is_here(&found)), (expected, here), "{url}");
        }
        for wrong in [
            "",
            "http://",
            "example.com",
            "https://a:1",
            "http://a:1/x",
            "http://u@a:1",
            "a:0",
            "a:99999",
        ] {
            assert_eq!(authority(wrong).unwrap_err().code, 2, "{wrong}");
        }
    }

    #[test]
    fn events_come_in_pieces() {
        let mut events = Events::default();
        assert!(events.push(b": hello\n\nid: 1\nda").unwrap().is_empty());
        let whole = events
            .push(b"ta: {}\n\nevent: lost\ndata: 2\n\nid")
            .unwrap();
        let shown: Vec<_> = whole
            .iter()
            .map(|event| (event.kind.as_str(), event.data.as_str()))
            .collect();
        assert_eq!(shown, [("", "{}"), ("lost", "2")]);
        assert!(events.push(&vec![b'x'; MAX_EVENT + 1]).is_none());
    }
}
