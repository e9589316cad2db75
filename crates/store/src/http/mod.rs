//! The HTTP client that GitHub and S3 share: requests without a body, answers with a limit.
//!
//! **Invariants.** A certificate is verified, always. Nothing is waited for longer than the stall limit, no body is longer than whoever
//! reads it says, and one that ends before its length is an error. What it says of a URL in an error is scheme, host and path: a query
//! may have a signature in it. Redirects are not followed here.

mod channel;
mod resolve;
mod retry;
mod tls;

use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use resolve::Resolver;
use std::path::Path;
use std::time::Duration;

pub(crate) use channel::channel;
pub(crate) use retry::retry;

/// Connections kept for the next request to the same host.
const IDLE_CONNECTIONS: usize = 8;
const IDLE_TIME: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("rille/", env!("CARGO_PKG_VERSION"));

/// A client with its connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>,
    stall: Duration,
}

/// What came back, up to its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    /// The URL as errors have it.
    about: String,
    stall: Duration,
}

impl Client {
    /// A client that trusts the system's roots, and those in a file besides.
    pub async fn new(ca_file: Option<&Path>, stall: Duration) -> Result<Client, Error> {
        let tls = tls::configuration(ca_file).await?;
        let mut connector = HttpConnector::new_with_resolver(Resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(stall));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Ok(Client { inner, stall })
    }

    /// Gets a resource.
    pub async fn get(&self, uri: &Uri, headers: HeaderMap) -> Result<Answer, Error> {
        let about = without_query(uri);
        let mut request = Request::get(uri.clone());
        if let Some(all) = request.headers_mut() {
            *all = headers;
        }
        let request = request.header("user-agent", USER_AGENT).body(Empty::new());
        let request = request
            .map_err(|_| Error::new(ErrorKind::Source, format!("{about} cannot be asked for")))?;
        let answer = tokio::time::timeout(self.stall, self.inner.request(request)).await;
        let answer = answer.map_err(|_| stalled(&about, self.stall))?;
        let (head, body) = answer
            .map_err(|error| unavailable(&about, &causes(&error)))?
            .into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            about,
            stall: self.stall,
        })
    }
}

impl Answer {
    /// The URL that was asked for, without its query.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// A header field, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the body is going to be, if that is said.
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece of the body.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(self.stall, self.body.frame()).await;
            match frame.map_err(|_| stalled(&self.about, self.stall))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(unavailable(&self.about, &causes(&error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, of at most `most` bytes.
    pub async fn bytes(&mut self, most: u64) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        if self.length().is_some_and(|length| length > most) {
            return Err(self.too_large(most));
        }
        while let Some(piece) = self.piece().await? {
            if (body.len() as u64).saturating_add(piece.len() as u64) > most {
                return Err(self.too_large(most));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn too_large(&self, most: u64) -> Error {
        Error::new(
            ErrorKind::TooLarge,
            format!("{} is larger than {most} bytes", self.about),
        )
    }
}

/// A URL without what may be secret.
pub(crate) fn without_query(uri: &Uri) -> String {
    let host = uri.authority().map_or("", |authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    format!(
        "{}://{host}{}",
        uri.scheme_str().unwrap_or("http"),
        uri.path()
    )
}

fn stalled(about: &str, stall: Duration) -> Error {
    unavailable(
        about,
        &format!("nothing came for {} seconds", stall.as_secs_f32()),
    )
}

pub(crate) fn unavailable(about: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{about} does not answer as it should: {why}; it is tried again later"),
    )
}

/// An error with those that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text += &format!(": {words}");
        }
        cause = error.source();
    }
    crate::error::quoted(text.as_bytes())
}
