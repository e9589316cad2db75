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
//! still there.

use super::auth::Auth;
use super::body::{Exchange, Reader};
use super::client::{Asked, Client, Connection, Route};
use super::error::{Clock, Failure, Outcome, Timeouts};
use super::h1::H1;
use super::h2::H2;
use super::head::{Fields, Head};
use super::hop::{Hop, size_of};
use super::url::Url;
use rille_lua::{Lua, LuaString};
use rille_runtime::net::Held;
use std::rc::Rc;

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
    /// Bytes that were decompressed for it.
    pub work: u64,
    /// What stands for the head in the VM's limit.
    pub held: Held,
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
            work: 0,
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
