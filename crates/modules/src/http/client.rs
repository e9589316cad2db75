//! Connections for requests: from the pool, shared (HTTP/2), or new ones.
//!
//! ```text
//!  Client::open --known HTTP/2, open--> a stream of it
//!       |--------pool (HTTP/1.1)------> an idle connection
//!       +--------connect, TLS, ALPN---> HTTP/2: shared from now on; HTTP/1.1: for this exchange
//! ```
//! While nothing is known of a server that may speak HTTP/2, one request connects to it and the others wait for what comes of that. A request
//! that finds all sockets of the VM in use waits for one of this client's, as long as a connect may take.
//!
//! **Invariants.** What can be shared has the same key: scheme, host, port or socket, and everything that decides what is on the other end and whether
//! it was verified. At most [`MAX_ORIGINS`] servers are remembered.

use super::error::{Clock, Failure, Outcome};
use super::h2::{H2, Shares};
use super::link::{Keep, Link};
use super::url::Url;
use rille_lua::Lua;
use rille_runtime::net::pool::{Acquired, Slot};
use rille_runtime::net::timed::timed;
use rille_runtime::net::tls::{Identity, Options};
use rille_runtime::net::{Net, NetError, Stream, Target};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// How many servers are remembered.
pub const MAX_ORIGINS: usize = 256;
/// How many client certificates are remembered.
const MAX_IDENTITIES: usize = 8;
/// There is another clock.
const NO_LIMIT: Duration = Duration::from_secs(1 << 30);
/// How often one looks whether there are fewer sockets.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which version a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/2 if TLS agrees on it, otherwise 1.1.
    Any,
    /// HTTP/1.1.
    One,
    /// HTTP/2, without TLS too.
    Two,
}

/// Where and how to connect, besides what the URL says.
pub struct Route {
    /// A unix socket to connect to.
    pub socket: Option<PathBuf>,
    /// Whether the server's certificate must be good.
    pub verify: bool,
    /// The name in the certificate, if not the host.
    pub server_name: Option<String>,
    /// Who we are in TLS, and what tells it from others.
    pub identity: Option<(Rc<Identity>, [u8; 32])>,
    /// Which version.
    pub version: Version,
    /// How connections are kept.
    pub keep: Keep,
}

type Key = [u8; 32];

/// What all requests of a VM share.
pub struct Shared {
    /// Its sockets.
    pub net: Rc<Net>,
    /// One of this client's sockets is free, or idle.
    pub freed: Notify,
}

/// The client of a VM.
pub struct Client {
    shared: Rc<Shared>,
    origins: RefCell<HashMap<Key, Rc<Origin>>>,
    clock: Cell<u64>,
    identities: RefCell<Vec<(Rc<Identity>, [u8; 32])>>,
}

/// What is known of a server.
#[derive(Default)]
struct Origin {
    speaks_1_1: Cell<bool>,
    connecting: Mutex<()>,
    shares: RefCell<Option<Rc<Shares>>>,
    used: Cell<u64>,
}

/// A connection for one exchange.
pub enum Connection {
    /// HTTP/1.1, all of it.
    One(Link),
    /// HTTP/2, a share in it.
    Two(H2),
}

impl Origin {
    fn open_shares(&self) -> Option<Rc<Shares>> {
        let shares = self.shares.borrow();
        shares.as_ref().filter(|shares| shares.is_open()).cloned()
    }
}

impl Client {
    /// With nothing open yet.
    pub fn new(net: &Rc<Net>) -> Rc<Client> {
        Rc::new(Client {
            shared: Rc::new(Shared {
                net: net.clone(),
                freed: Notify::new(),
            }),
            origins: RefCell::default(),
            clock: Cell::new(0),
            identities: RefCell::default(),
        })
    }

    /// Who we are in TLS, by a chain of certificates and a key, DER. The same for the same, so that sessions are resumed.
    pub fn identity(&self, chain: &[u8], key: &[u8]) -> Result<(Rc<Identity>, [u8; 32]), NetError> {
        let mut digest = Sha256::new();
        digest.update((chain.len() as u64).to_le_bytes());
        digest.update(chain);
        digest.update(key);
        let digest: [u8; 32] = digest.finalize().into();
        let mut known = self.identities.borrow_mut();
        if let Some(found) = known.iter().find(|(_, known)| *known == digest) {
            return Ok(found.clone());
        }
        let identity = Rc::new(Identity::from_der(chain, key, self.net().memory())?);
        if known.len() >= MAX_IDENTITIES {
            known.remove(0);
        }
        known.push((identity.clone(), digest));
        Ok((identity, digest))
    }

    /// The sockets of the VM.
    pub fn net(&self) -> &Rc<Net> {
        &self.shared.net
    }

    /// A connection to the server of a URL; `fresh`: one that nobody has used.
    pub async fn open(&self, asked: Asked<'_>, clock: Clock, fresh: bool) -> Outcome<Connection> {
        let is_crowded = Cell::new(false);
        let doing = || match is_crowded.get() {
            true => "waiting for a socket: all that the app's limits.sockets allows are in use"
                .to_owned(),
            false => format!("connecting to {}", asked.peer()),
        };
        let opening = Opening {
            client: self,
            asked,
            clock,
            fresh,
            is_crowded: &is_crowded,
            key: asked.key(),
        };
        clock
            .within(clock.times.connect, doing, opening.run())
            .await
    }

    /// A new connection, with TLS if the URL wants it.
    async fn connect_once(&self, asked: Asked<'_>) -> Result<Rc<Stream>, NetError> {
        let Asked { lua, url, route } = asked;
        self.make_room(lua);
        let net = self.net();
        let target = match &route.socket {
            Some(path) => Target::Unix(path.clone()),
            None => Target::Tcp(url.bare_host().to_owned(), url.port),
        };
        let stream = Rc::new(net.connect(&target, None, NO_LIMIT).await?);
        if url.secure {
            let protocols: &[&[u8]] = match route.version {
                Version::Any => &[b"h2", b"http/1.1"],
                Version::One => &[b"http/1.1"],
                Version::Two => &[b"h2"],
            };
            let name = (route.server_name.clone()).unwrap_or_else(|| url.bare_host().to_owned());
            let options = Options {
                server_name: Some(name),
                verify: route.verify,
                identity: route
                    .identity
                    .as_ref()
                    .map(|(identity, _)| identity.clone()),
                alpn: protocols.iter().map(|name| name.to_vec()).collect(),
            };
            stream.handshake(net.tls(), &options, NO_LIMIT).await?;
        }
        Ok(stream)
    }

    /// What nobody uses is closed before it is said that there are too many sockets.
    fn make_room(&self, lua: &Lua) {
        let net = self.net();
        if !net.sockets().is_full() || net.pools().idle() > 0 {
            return;
        }
        let idle: Vec<Rc<Shares>> = (self.origins.borrow().values())
            .filter_map(|origin| origin.open_shares())
            .filter(|shares| shares.is_idle())
            .collect();
        if let Some(shares) = idle.first() {
            shares.close();
            return;
        }
        // Streamed responses that no script has any more.
        let _ = lua.gc_collect();
    }

    fn origin(&self, key: Key) -> Rc<Origin> {
        let now = self.clock.get() + 1;
        self.clock.set(now);
        let mut origins = self.origins.borrow_mut();
        if origins.len() >= MAX_ORIGINS && !origins.contains_key(&key) {
            let oldest = (origins.iter())
                .filter(|(_, origin)| Rc::strong_count(origin) == 1)
                .min_by_key(|(_, origin)| origin.used.get())
                .map(|(key, _)| *key);
            if let Some(origin) = oldest.and_then(|oldest| origins.remove(&oldest))
                && let Some(shares) = origin.open_shares()
            {
                shares.close_when_idle();
            }
        }
        let origin = origins.entry(key).or_default().clone();
        origin.used.set(now);
        origin
    }
}

/// What is shared ends with the VM.
impl Drop for Client {
    fn drop(&mut self) {
        for origin in self.origins.get_mut().values() {
            let shares = origin.shares.take();
            if let Some(shares) = shares {
                shares.close();
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The VM that asks.
    pub lua: &'a Lua,
    /// The server.
    pub url: &'a Url,
    /// How to get there.
    pub route: &'a Route,
}

impl Asked<'_> {
    /// With whom one talks, for messages.
    fn peer(&self) -> String {
        match &self.route.socket {
            Some(path) => format!("unix:{}", path.display()),
            None => self.url.address(),
        }
    }

    fn key(&self) -> Key {
        let Asked { url, route, .. } = self;
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        let socket = route
            .socket
            .as_ref()
            .map(|path| path.as_os_str().as_encoded_bytes());
        add(b"http client");
        add(url.scheme().as_bytes());
        add(url.address().as_bytes());
        add(socket.unwrap_or_default());
        if url.secure {
            add(&[u8::from(route.verify)]);
            add(route.server_name.as_deref().unwrap_or_default().as_bytes());
            add(route
                .identity
                .as_ref()
                .map_or(&[][..], |(_, digest)| digest));
        }
        add(&[route.version as u8]);
        digest.finalize().into()
    }
}

/// A connection that is being looked for.
struct Opening<'a> {
    client: &'a Client,
    asked: Asked<'a>,
    clock: Clock,
    fresh: bool,
    /// Whether it waits because there are too many sockets.
    is_crowded: &'a Cell<bool>,
    key: Key,
}

/// Somebody who might open a socket: if that comes to nothing, it is the next one's turn.
struct Turn<'a>(Option<&'a Shared>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.freed.notify_one();
        }
    }
}

impl Opening<'_> {
    async fn run(&self) -> Outcome<Connection> {
        let may_be_2 = match self.asked.route.version {
            Version::One => false,
            Version::Two => true,
            Version::Any => self.asked.url.secure,
        };
        if !may_be_2 {
            return self.one().await;
        }
        let origin = self.client.origin(self.key);
        if origin.speaks_1_1.get() {
            return self.one().await;
        }
        if let Some(shares) = self.shares(&origin) {
            return Ok(Connection::Two(H2::new(shares, self.clock)));
        }
        let alone = origin.connecting.lock().await;
        // What the one before has found out.
        if origin.speaks_1_1.get() {
            drop(alone);
            return self.one().await;
        }
        if let Some(shares) = self.shares(&origin) {
            return Ok(Connection::Two(H2::new(shares, self.clock)));
        }
        let stream = self.connect().await?;
        let url = self.asked.url;
        if url.secure && stream.alpn().as_deref() != Some(b"h2") {
            if self.asked.route.version == Version::Two {
                return Err(Failure::new(format!(
                    "{} does not speak HTTP/2",
                    self.asked.peer()
                )));
            }
            origin.speaks_1_1.set(true);
            return Ok(self.link(stream, 0, None));
        }
        let shared = &self.client.shared;
        let shares =
            Shares::begin(shared, stream, self.asked.peer(), self.asked.route.keep).await?;
        let former = origin.shares.replace(Some(shares.clone()));
        if let Some(former) = former {
            former.close_when_idle();
        }
        Ok(Connection::Two(H2::new(shares, self.clock)))
    }

    /// A connection that is there and will do.
    fn shares(&self, origin: &Origin) -> Option<Rc<Shares>> {
        (origin.open_shares()).filter(|shares| !(self.fresh && shares.is_used()))
    }

    /// A connection for HTTP/1.1.
    async fn one(&self) -> Outcome<Connection> {
        let pools = self.client.net().pools();
        let pool = pools.open(&self.key, self.asked.route.keep.size, None);
        loop {
            let mut slot = None;
            if !self.fresh {
                match pool
                    .acquire(NO_LIMIT)
                    .await
                    .map_err(|error| self.failed(error))?
                {
                    Acquired::Connection(stream, reused, slot) => {
                        return Ok(self.link(stream, reused, Some(slot)));
                    }
                    Acquired::Slot(own) => slot = Some(own),
                }
            }
            if let Some(stream) = self.try_to_connect().await? {
                return Ok(self.link(stream, 0, slot));
            }
        }
    }

    /// A new connection.
    async fn connect(&self) -> Outcome<Rc<Stream>> {
        loop {
            if let Some(stream) = self.try_to_connect().await? {
                return Ok(stream);
            }
        }
    }

    /// A new connection; `None`: there were too many, and may be fewer now.
    async fn try_to_connect(&self) -> Outcome<Option<Rc<Stream>>> {
        let shared = &*self.client.shared;
        let mut turn = Turn(Some(shared));
        match self.client.connect_once(self.asked).await {
            Ok(stream) => {
                turn.0 = None;
                self.is_crowded.set(false);
                Ok(Some(stream))
            }
            Err(NetError::TooManySockets(_)) => {
                turn.0 = None;
                self.is_crowded.set(true);
                // Sockets of others say nothing when they are closed.
                let _ = timed(LOOK_AGAIN, shared.freed.notified()).await;
                Ok(None)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: NetError) -> Failure {
        Failure {
            stale: false,
            ..Failure::of_net(error, &self.asked.peer())
        }
    }

    fn link(&self, stream: Rc<Stream>, reused: u64, slot: Option<Slot>) -> Connection {
        let pool = (self.key.to_vec(), self.asked.route.keep);
        let shared = self.client.shared.clone();
        Connection::One(Link::new(
            shared,
            (stream, reused, slot),
            pool,
            self.asked.peer(),
        ))
    }
}
