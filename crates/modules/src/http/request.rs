//! A request from its first connection to the head of its last response: retries, redirects.
//!
//! ```text
//!  run:    attempt --stale, may be repeated--> attempt over a new connection
//!             |  ^
//!             v  | a redirect
//!          response --> Reader
//!  begin:  a connection and the head sent --> Sending --write*--> finish --> response, and on as above
//! ```
//!
//! **Invariants.** A request is sent twice only if the connection was a used one, it ended before anything of a response had come, the method is idempotent and the body is
//! still there. What is for one server (credentials, cookies) is not sent to another. A redirect never leads from https to http.

use super::auth::Auth;
use super::body::{Exchange, Reader};
use super::client::{Asked, Client, Connection, Route};
use super::error::{Clock, Failure, Outcome, Timeouts};
use super::h1::{H1, Sent};
use super::h2::H2;
use super::head::{Fields, Head};
use super::url::Url;
use rille_lua::{Lua, LuaString};
use rille_runtime::net::Held;
use std::rc::Rc;

/// The longest form that is signed, in bytes: that is one host call.
const MAX_SIGNED: usize = 1 << 20;

/// What is to be sent.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// A string.
    Text(LuaString),
    /// What a function gives; the length, if it is known.
    Source(Option<u64>),
}

/// A request as a script asks for it.
pub struct Spec {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: Url,
    /// The script's fields and the defaults; not those that frame the body.
    pub fields: Fields,
    /// The body.
    pub body: Body,
    /// Whether the body is a form, which OAuth signs.
    pub is_form: bool,
    /// Who asks.
    pub auth: Option<Auth>,
    /// How long things may take.
    pub times: Timeouts,
    /// How many redirects are followed; with none, a redirect is the response.
    pub redirects: u32,
    /// How to connect.
    pub route: Route,
    /// The most bytes of a body that are read.
    pub max_body: Option<usize>,
    /// Whether a script reads the body piece by piece.
    pub stream: bool,
    /// Whether compressed bodies are decompressed.
    pub decompress: bool,
}

impl Spec {
    /// How many bytes it takes outside of the VM, but for the body, which is the VM's own.
    pub fn size(&self) -> usize {
        const REST: usize = 1 << 10;
        let auth = self.auth.as_ref().map_or(0, Auth::size);
        // Each hop and each head has the URL and the fields once more.
        REST + auth + 3 * (self.url.target.len() + size_of(&self.fields))
    }
}

/// A response whose body has not been read.
pub struct Response {
    /// Its head.
    pub head: Head,
    /// From where it is, after redirects.
    pub url: Url,
    /// The version it came over.
    pub version: &'static str,
    /// Its body.
    pub reader: Reader,
    /// What stands for the head in the VM's limit.
    pub held: Held,
}

/// One request of several that redirects make.
struct Hop {
    url: Url,
    method: String,
    body: Body,
    count: u32,
}

impl Hop {
    fn first(spec: &Spec) -> Hop {
        Hop {
            url: spec.url.clone(),
            method: spec.method.clone(),
            body: spec.body.clone(),
            count: 0,
        }
    }

    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether it may be sent again when nobody knows whether it has arrived.
    fn is_repeatable(&self) -> bool {
        let idempotent = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
        idempotent.contains(&&*self.method) && !matches!(self.body, Body::Source(_))
    }

    /// The length of the body, if it is known.
    fn length(&self) -> Option<u64> {
        match &self.body {
            Body::None => Some(0),
            Body::Text(text) => Some(text.len() as u64),
            Body::Source(length) => *length,
        }
    }

    /// The fields to send, those that frame the body apart.
    fn fields(&self, spec: &Spec) -> Outcome<Fields> {
        let is_home = self.url.same_origin(&spec.url);
        let has_body = !matches!(self.body, Body::None) || matches!(spec.body, Body::None);
        let kept = |name: &str| match name.to_ascii_lowercase().as_str() {
            "authorization" | "cookie" | "proxy-authorization" | "host" => is_home,
            "content-type" | "content-encoding" | "content-language" | "content-location" => {
                has_body
            }
            _ => true,
        };
        let mut fields: Fields = (spec.fields.iter())
            .filter(|(name, _)| kept(name))
            .cloned()
            .collect();
        if !has(&fields, "host") {
            fields.insert(0, ("host".to_owned(), self.url.authority().into_bytes()));
        }
        if let Some(auth) =
            (spec.auth.as_ref()).filter(|_| is_home && !has(&fields, "authorization"))
        {
            let form = match (auth, &self.body) {
                (Auth::OAuth1(_), Body::Text(text)) if spec.is_form => {
                    if text.len() > MAX_SIGNED {
                        return Err(Failure::new("a form longer than 1 MiB cannot be signed"));
                    }
                    Some(text.as_bytes())
                }
                _ => None,
            };
            let value = auth.header(&self.method, &self.url, form.as_deref());
            let value = value.map_err(|error| Failure::new(error.message()))?;
            fields.push(("authorization".to_owned(), value.into_bytes()));
        }
        Ok(fields)
    }

    /// Whether a request without a body says that it has none.
    fn says_empty(&self) -> bool {
        matches!(&*self.method, "POST" | "PUT" | "PATCH")
    }

    /// The head for HTTP/1.1, and how the body is framed.
    fn head_1_1(&self, spec: &Spec) -> Outcome<(Vec<u8>, Sent)> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.url.target).into_bytes();
        for (name, value) in self.fields(spec)? {
            for part in [name.as_bytes(), b": ", &value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        let sent = match self.length() {
            Some(length) => {
                if length > 0 || self.says_empty() || matches!(self.body, Body::Source(_)) {
                    head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
                }
                Sent::Length(length)
            }
            None => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\n");
                Sent::Chunked
            }
        };
        if spec.route.keep.time.is_zero()
            && !spec
                .fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("connection"))
        {
            head.extend_from_slice(b"connection: close\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok((head, sent))
    }

    /// The head for HTTP/2.
    fn head_2(&self, spec: &Spec) -> Outcome<http::Request<()>> {
        let mut authority = self.url.authority();
        let mut fields = http::HeaderMap::new();
        for (name, value) in self.fields(spec)? {
            match name.to_ascii_lowercase().as_str() {
                "host" => authority = String::from_utf8_lossy(&value).into_owned(),
                // They are of a connection of HTTP/1.1.
                "connection" => {}
                lower => {
                    let name =
                        http::HeaderName::from_bytes(lower.as_bytes()).map_err(Failure::new)?;
                    let value = http::HeaderValue::from_bytes(&value).map_err(Failure::new)?;
                    (fields.try_append(name, value)).map_err(Failure::new)?;
                }
            }
        }
        if let Some(length) = self
            .length()
            .filter(|length| *length > 0 || self.says_empty())
        {
            (fields.try_insert(http::header::CONTENT_LENGTH, length.into()))
                .map_err(Failure::new)?;
        }
        let uri = (http::Uri::builder())
            .scheme(self.url.scheme())
            .authority(authority)
            .path_and_query(&*self.url.target)
            .build()
            .map_err(|error| Failure::new(format!("the URL cannot be asked for: {error}")))?;
        let mut request = (http::Request::builder())
            .method(&*self.method)
            .uri(uri)
            .version(http::Version::HTTP_2)
            .body(())
            .map_err(Failure::new)?;
        *request.headers_mut() = fields;
        Ok(request)
    }

    /// What a response leads to; `None`: it is the last.
    fn next(&self, spec: &Spec, head: &Head) -> Outcome<Option<Hop>> {
        let is_redirect = matches!(head.status, 301 | 302 | 303 | 307 | 308);
        if !is_redirect || spec.redirects == 0 || !head.has("location") {
            return Ok(None);
        }
        let from = self.url.address();
        let Some(location) = head.only("location") else {
            return Err(Failure::new(format!("{from} sent two Location fields")));
        };
        if self.count >= spec.redirects {
            return Err(Failure::new(format!(
                "more than {} redirects",
                spec.redirects
            )));
        }
        let url = (self.url.join(location)).map_err(|why| {
            Failure::new(format!(
                "{from} sent a redirect that cannot be followed: {why}"
            ))
        })?;
        if self.url.secure && !url.secure {
            return Err(Failure::new(format!(
                "refused to follow a redirect from https to {url}"
            )));
        }
        if spec.route.socket.is_some() && !url.same_origin(&spec.url) {
            return Err(Failure::new(format!(
                "refused to follow a redirect from a unix socket to {url}"
            )));
        }
        let to_get = match head.status {
            301 | 302 => self.method == "POST",
            303 => !matches!(&*self.method, "GET" | "HEAD"),
            _ => false,
        };
        let (method, body) = match (to_get, &self.body) {
            (true, _) => ("GET".to_owned(), Body::None),
            (false, Body::Source(_)) => {
                return Err(Failure::new(format!(
                    "{from} redirects to {url}, but the body, which a function has given, cannot be sent again"
                )));
            }
            (false, body) => (self.method.clone(), body.clone()),
        };
        Ok(Some(Hop {
            url: Url { user: None, ..url },
            method,
            body,
            count: self.count + 1,
        }))
    }
}

/// How many bytes fields take.
fn size_of(fields: &Fields) -> usize {
    const EACH: usize = 64;
    (fields.iter())
        .map(|(name, value)| EACH + name.len() + value.len())
        .sum()
}

fn has(fields: &Fields, wanted: &str) -> bool {
    fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
}

/// Somebody who asks: a client and the VM it is for.
#[derive(Clone)]
pub struct Asker {
    /// The client.
    pub client: Rc<Client>,
    /// The VM.
    pub lua: Lua,
}

impl Asker {
    /// Sends a request, and reads the head of the response.
    pub async fn run(&self, spec: &Spec) -> Outcome<Response> {
        let _held = self.hold(spec)?;
        let clock = Clock::start(spec.times);
        let hop = Hop::first(spec);
        let (exchange, head) = self.attempt(spec, &hop, clock).await?;
        self.follow(spec, hop, clock, (exchange, head)).await
    }

    /// What stands for a request in the VM's limit.
    fn hold(&self, spec: &Spec) -> Outcome<Held> {
        let mut held = self.client.net().memory().hold();
        match held.grow(spec.size()) {
            Ok(()) => Ok(held),
            Err(_) => Err(Failure::new(
                "too many requests at once for the app's memory limit",
            )),
        }
    }

    /// Follows redirects, from a response on.
    async fn follow(
        &self,
        spec: &Spec,
        mut hop: Hop,
        clock: Clock,
        first: (Exchange, Head),
    ) -> Outcome<Response> {
        let (mut exchange, mut head) = first;
        while let Some(next) = hop.next(spec, &head)? {
            self.pass_over(exchange, &head).await;
            hop = next;
            (exchange, head) = self.attempt(spec, &hop, clock).await?;
        }
        let version = match &exchange {
            Exchange::One(_) => "1.1",
            Exchange::Two(_) => "2",
        };
        if spec.stream {
            exchange.set_clock(clock.without_end());
        }
        let decompress = spec.decompress && !hop.is_head();
        let memory = self.client.net().memory();
        let mut held = memory.hold();
        (held.grow(size_of(&head.fields)))
            .map_err(|error| Failure::of_net(error, &hop.url.address()))?;
        let reader = Reader::new(exchange, &head, decompress, spec.max_body, memory)?;
        Ok(Response {
            head,
            url: hop.url,
            version,
            reader,
            held,
        })
    }

    /// Reads what little comes with a redirect, so that the connection can be used again.
    async fn pass_over(&self, exchange: Exchange, head: &Head) {
        const LITTLE: usize = 16 << 10;
        let memory = self.client.net().memory();
        if let Ok(mut reader) = Reader::new(exchange, head, false, Some(LITTLE), memory) {
            let _ = reader.all().await;
        }
    }

    async fn attempt(&self, spec: &Spec, hop: &Hop, clock: Clock) -> Outcome<(Exchange, Head)> {
        match self.once(spec, hop, clock, false).await {
            Err(failure) if failure.stale && hop.is_repeatable() => {
                self.once(spec, hop, clock, true).await
            }
            result => result,
        }
    }

    async fn connection(
        &self,
        spec: &Spec,
        hop: &Hop,
        clock: Clock,
        fresh: bool,
    ) -> Outcome<Connection> {
        let asked = Asked {
            lua: &self.lua,
            url: &hop.url,
            route: &spec.route,
        };
        self.client.open(asked, clock, fresh).await
    }

    async fn once(
        &self,
        spec: &Spec,
        hop: &Hop,
        clock: Clock,
        fresh: bool,
    ) -> Outcome<(Exchange, Head)> {
        let text = match &hop.body {
            Body::Text(text) => Some(text.as_bytes()),
            _ => None,
        };
        let body = text.as_deref().unwrap_or_default();
        match self.connection(spec, hop, clock, fresh).await? {
            Connection::One(link) => {
                let (head, sent) = hop.head_1_1(spec)?;
                let mut exchange = H1::new(link, clock, sent);
                let head = exchange.ask(&head, body, hop.is_head()).await?;
                Ok((Exchange::One(Box::new(exchange)), head))
            }
            Connection::Two(mut exchange) => {
                let head = hop.head_2(spec)?;
                exchange
                    .send_head(head, body.is_empty(), hop.length())
                    .await?;
                if exchange.send_body(body).await? {
                    exchange.finish()?;
                }
                let head = exchange.read_head().await?;
                Ok((Exchange::Two(Box::new(exchange)), head))
            }
        }
    }

    /// Connects, and sends the head of a request whose body a function gives.
    pub async fn begin(&self, spec: Rc<Spec>) -> Outcome<Sending> {
        let held = self.hold(&spec)?;
        let clock = Clock::start(spec.times);
        let hop = Hop::first(&spec);
        let exchange = match self.connection(&spec, &hop, clock, false).await? {
            Connection::One(link) => {
                let (head, sent) = hop.head_1_1(&spec)?;
                let exchange = H1::new(link, clock, sent);
                exchange.send(&head).await?;
                Exchange::One(Box::new(exchange))
            }
            Connection::Two(mut exchange) => {
                exchange
                    .send_head(hop.head_2(&spec)?, false, hop.length())
                    .await?;
                Exchange::Two(Box::new(exchange))
            }
        };
        Ok(Sending {
            asker: self.clone(),
            spec,
            hop,
            clock,
            exchange,
            unsent: None,
            _held: held,
        })
    }
}

/// A request whose body is being sent.
pub struct Sending {
    asker: Asker,
    spec: Rc<Spec>,
    hop: Hop,
    clock: Clock,
    exchange: Exchange,
    /// Why no more can be sent.
    unsent: Option<Failure>,
    _held: Held,
}

impl Sending {
    /// Whether a script reads the body of the response piece by piece.
    pub fn is_streamed(&self) -> bool {
        self.spec.stream
    }

    /// Sends a piece; whether the other side wants more.
    pub async fn write(&mut self, bytes: &[u8]) -> Outcome<bool> {
        match &mut self.exchange {
            Exchange::Two(exchange) => exchange.send_body(bytes).await,
            Exchange::One(exchange) => match exchange.send_body(bytes).await {
                // It may have said why.
                Err(failure) if exchange.may_have_answered(&failure) => {
                    self.unsent = Some(failure);
                    Ok(false)
                }
                sent => sent.map(|()| true),
            },
        }
    }

    /// The body is at its end, unless the other side did not want all of it: what the response is.
    pub async fn finish(mut self, is_whole: bool) -> Outcome<Response> {
        let head = match &mut self.exchange {
            Exchange::One(exchange) => {
                if is_whole {
                    exchange.finish().await?;
                }
                let head = exchange.read_head(self.hop.is_head()).await;
                head.map_err(|failure| self.unsent.take().unwrap_or(failure))?
            }
            Exchange::Two(exchange) => finish_2(exchange, is_whole).await?,
        };
        let first = (self.exchange, head);
        self.asker
            .follow(&self.spec, self.hop, self.clock, first)
            .await
    }
}

async fn finish_2(exchange: &mut H2, is_whole: bool) -> Outcome<Head> {
    if is_whole {
        exchange.finish()?;
    }
    exchange.read_head().await
}
