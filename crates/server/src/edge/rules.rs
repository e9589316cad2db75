//! Redirects and proxies of the manifest (`[[rule]]`): what is answered before the routes are asked.
//!
//! A request that is passed on keeps its method, its fields and its body. Left out is what belongs to a connection (`Connection` and what it names, `TE`, `Upgrade`,
//! ...), and `Forwarded`, `X-Forwarded-*` and `X-Real-IP` are those of this server: what a client says of that is kept only if it is a trusted proxy.
//!
//! | what happens | answer |
//! |---|---|
//! | the other server cannot be reached, or what it says is no response | 502 |
//! | it is silent for longer than `timeout` | 504 |
//! | the body is over `limits.body` | 413 |
//! | a captured part of the path leads upwards | 400 |
//!
//! **Invariants.** Both bodies go through piece by piece, as fast as the slower side takes them. A response that is cut short there is cut short here. A client
//! that goes takes its request to the other server with it.

use super::access::Upstream;
use super::forwarded::Forwarded;
use crate::body::{Cut, Piece, ResponseBody};
use crate::exchange::{BODY_GAP, BodyError, Source};
use crate::fleet::Served;
use crate::head::{Framing, Head};
use crate::http1::{WireError, is_bodiless};
use crate::pages;
use crate::service::Answer;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode};
use rille_modules::http::forward::{self, Passed, Problem};
use rille_modules::http::head as theirs;
use rille_modules::http::url::Url;
use rille_runtime::rule::{Kind, Rule};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::sync::mpsc;

/// Fields of one connection (RFC 9110, section 7.6.1), and those that frame a body.
const OF_A_CONNECTION: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// From whom a request comes, and how.
pub struct Client<'a> {
    /// Who has connected.
    pub peer: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host it asks for.
    pub host: &'a str,
    /// What a trusted proxy has said.
    pub forwarded: Option<&'a Forwarded>,
}

/// What a rule makes of a request.
pub fn answer(
    served: &Rc<Served>,
    rule: &Rule,
    params: &[(&str, Vec<u8>)],
    client: &Client<'_>,
    (head, body): (&Head, Source),
) -> Result<Answer, Box<Response<ResponseBody>>> {
    let Ok(to) = rule.to.fill(params, head.target(), head.query()) else {
        let why = "a part of the path leads upwards";
        return Err(Box::new(pages::error(StatusCode::BAD_REQUEST, why)));
    };
    match rule.kind {
        Kind::Redirect { status } => Err(Box::new(redirect(rule, status, &to))),
        Kind::Proxy {
            timeout,
            preserve_host,
        } => {
            let url = Url::parse(&to)
                .map_err(|why| Box::new(pages::error(StatusCode::BAD_REQUEST, why)))?;
            let limit = served.vm.app().manifest.limits.body;
            if head.declared_length().is_some_and(|length| length > limit) {
                return Err(Box::new(refused(BodyError::TooLarge)));
            }
            let passed = Passed {
                method: head.method.as_str().to_owned(),
                fields: fields_of(head, client, rule, preserve_host),
                url,
                length: match head.framing {
                    Framing::Length(length) => Some(length),
                    Framing::Chunked => None,
                },
                timeout,
            };
            let what = format!(
                "{} {}",
                head.method,
                String::from_utf8_lossy(head.path().get(..200).unwrap_or(head.path()))
            );
            let is_head = head.method == Method::HEAD;
            let work = proxy(
                served.clone(),
                passed,
                Upload::new(body, limit),
                is_head,
                what,
            );
            Ok(Answer::waiting(None, work))
        }
    }
}

fn redirect(rule: &Rule, status: u16, to: &[u8]) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let Ok(location) = HeaderValue::from_bytes(to) else {
        return pages::error(StatusCode::BAD_REQUEST, "the redirect leads nowhere");
    };
    let mut response = pages::error(status, &String::from_utf8_lossy(to));
    let headers = response.headers_mut();
    for (name, value) in &rule.headers {
        put(headers, name, value.as_bytes(), true);
    }
    headers.insert(LOCATION, location);
    response
}

/// Puts a field in, if it is one.
fn put(headers: &mut HeaderMap, name: &str, value: &[u8], replaces: bool) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_bytes(value),
    ) {
        // More fields than there can be are left out.
        let _ = match replaces {
            true => headers.try_insert(name, value).map(drop),
            false => headers.try_append(name, value).map(drop),
        };
    }
}

/// The names that `Connection` has.
fn named_by_connection<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let names = values.flat_map(|value| value.split(|byte| *byte == b','));
    names.map(<[u8]>::trim_ascii).collect()
}

fn fields_of(head: &Head, client: &Client<'_>, rule: &Rule, preserve_host: bool) -> theirs::Fields {
    let named = named_by_connection(head.all(&http::header::CONNECTION));
    let is_left_out = |name: &str| {
        OF_A_CONNECTION.contains(&name)
            || matches!(name, "host" | "expect" | "x-real-ip" | "forwarded")
            || name.starts_with("x-forwarded-")
            || named
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name.as_bytes()))
            || rule.headers.iter().any(|(known, _)| known == name)
    };
    let mut fields: theirs::Fields = Vec::new();
    for (name, value) in head.fields() {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if is_left_out(&name) {
            continue;
        }
        // HTTP/2 takes cookies apart.
        let other = (fields.iter_mut()).find(|(known, _)| name == "cookie" && *known == name);
        match other {
            Some((_, cookies)) => cookies.extend([b"; ", value].concat()),
            None => fields.push((name, value.to_vec())),
        }
    }
    let mut add = |name: &str, value: Vec<u8>| {
        if !rule.headers.iter().any(|(known, _)| known == name) {
            fields.push((name.to_owned(), value));
        }
    };
    if preserve_host {
        add("host", client.host.as_bytes().to_vec());
    }
    let peer = client.peer.ip().to_canonical().to_string();
    let mut chain: Vec<u8> = Vec::new();
    if client.forwarded.is_some() {
        for value in head.all(&HeaderName::from_static("x-forwarded-for")) {
            chain.extend_from_slice(value);
            chain.extend_from_slice(b", ");
        }
    }
    chain.extend_from_slice(peer.as_bytes());
    let real = client
        .forwarded
        .map_or(client.peer, |forwarded| forwarded.client);
    add("x-forwarded-for", chain);
    add("x-forwarded-proto", client.scheme.into());
    add("x-forwarded-host", client.host.as_bytes().to_vec());
    add(
        "x-real-ip",
        real.ip().to_canonical().to_string().into_bytes(),
    );
    for (name, value) in &rule.headers {
        fields.push((name.clone(), value.clone().into_bytes()));
    }
    fields
}

/// The body of a request that is passed on.
struct Upload {
    source: Source,
    received: Cell<u64>,
    limit: u64,
}

impl Upload {
    fn new(source: Source, limit: u64) -> Upload {
        Upload {
            source,
            received: Cell::new(0),
            limit,
        }
    }

    async fn next(&self) -> Result<Option<Bytes>, BodyError> {
        match tokio::time::timeout(BODY_GAP, self.source.next()).await {
            Err(_) => Err(BodyError::TooSlow),
            Ok(Err(WireError::Gone | WireError::Refused(_))) => Err(BodyError::Broken),
            Ok(Ok(data)) => {
                let length = data.as_ref().map_or(0, |data| data.len() as u64);
                self.received.set(self.received.get() + length);
                match self.received.get() > self.limit {
                    true => Err(BodyError::TooLarge),
                    false => Ok(data),
                }
            }
        }
    }
}

fn refused(error: BodyError) -> Response<ResponseBody> {
    pages::error(error.status(), error.message())
}

async fn proxy(
    served: Rc<Served>,
    passed: Passed,
    upload: Upload,
    is_head: bool,
    what: String,
) -> Response<ResponseBody> {
    let said = |why: &str| {
        let log = served.vm.log();
        log.server(format_args!("proxy: {why} ({what})"));
    };
    let sent = served
        .forwarder()
        .send(passed, async || upload.next().await);
    match sent.await {
        Ok(answer) => passed_back(served.clone(), answer, is_head).unwrap_or_else(|| {
            said("the other server's response has no use for this protocol");
            pages::error(StatusCode::BAD_GATEWAY, "the other server's answer is none")
        }),
        Err(Problem::Body(error)) => refused(error),
        Err(Problem::Timeout(why)) => {
            said(&why);
            pages::error(
                StatusCode::GATEWAY_TIMEOUT,
                "the other server does not answer",
            )
        }
        Err(Problem::Failed(why)) => {
            said(&why);
            pages::error(
                StatusCode::BAD_GATEWAY,
                "the other server cannot be reached",
            )
        }
    }
}

/// The response of another server as this one's; `None`: it cannot be.
fn passed_back(
    served: Rc<Served>,
    answer: forward::Answer,
    is_head: bool,
) -> Option<Response<ResponseBody>> {
    let status = StatusCode::from_u16(answer.head.status).ok()?;
    if status.is_informational() {
        return None;
    }
    let values = (answer.head.fields.iter())
        .filter(|(name, _)| name == "connection")
        .map(|(_, value)| &**value);
    let named = named_by_connection(values);
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.head.fields {
        let is_named = named
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name.as_bytes()));
        if !is_named && !OF_A_CONNECTION.contains(&&**name) {
            put(&mut headers, name, value, false);
        }
    }
    let length = match answer.head.framing {
        theirs::Framing::Length(length) => Some(length),
        _ => None,
    };
    let upstream = match answer.version {
        "2" => "HTTP/2.0",
        _ => "HTTP/1.1",
    };
    let body = match is_head || is_bodiless(status) {
        true => {
            // It says how long the body would be.
            let said = answer.head.only("content-length");
            let said = said.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            let (_, nothing) = mpsc::channel(1);
            ResponseBody::Stream(nothing, said)
        }
        false if length == Some(0) => ResponseBody::Full(Bytes::new()),
        false => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::task::spawn_local(pump(served, answer, sender));
            ResponseBody::Stream(receiver, length)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.extensions_mut().insert(Upstream(upstream));
    Some(response)
}

/// Passes a body back, for as long as somebody takes it.
async fn pump(served: Rc<Served>, mut answer: forward::Answer, sender: mpsc::Sender<Piece>) {
    loop {
        let read = tokio::select! {
            read = answer.read() => read,
            () = sender.closed() => return,
        };
        let piece = match read {
            Ok(None) => return,
            Ok(Some(bytes)) => Ok(bytes),
            Err(why) => {
                served.vm.log().server(format_args!("proxy: {why}"));
                Err(Cut)
            }
        };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}
