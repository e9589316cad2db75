//! Requests that the server passes on to another one (`[[rule]]` with `type = "proxy"`): the client without scripts.
//!
//! **Invariants.** They are the VM's as those of its scripts are: `limits.sockets` and the limit of memory hold. Bodies go through piece by piece, as they
//! are: nothing is decompressed, no redirect is followed. A request whose body has begun to go out is not sent twice.

use super::body::Reader;
use super::client::{Client, Route, Version};
use super::error::{Failure, Timeouts};
use super::head::{Fields, Head};
use super::link::Keep;
use super::request::{Asker, Body, Response, Spec};
use super::url::Url;
use bytes::Bytes;
use rille_runtime::net::Held;
use rille_runtime::vm::AppVm;
use std::rc::Rc;
use std::time::Duration;

/// How many idle connections of a server are kept, and for how long.
const KEEP: Keep = Keep {
    size: 30,
    time: Duration::from_secs(60),
};

/// How long it may take to have a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The most bytes of a response's body that are given at once.
const PIECE: usize = 64 << 10;

/// Passes requests on.
pub struct Forwarder(Asker);

/// A request on its way to another server.
pub struct Passed {
    /// The method.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Its fields; not those that frame the body or are of a connection.
    pub fields: Fields,
    /// How long its body is; `None`: that is not known.
    pub length: Option<u64>,
    /// For how long the other server may be silent.
    pub timeout: Duration,
}

/// Why there is no response; `E`: why there is no body.
#[derive(Debug)]
pub enum Problem<E> {
    /// The other server was silent for too long.
    Timeout(String),
    /// It could not be reached, or what it says is no response.
    Failed(String),
    /// The request's own body.
    Body(E),
}

impl<E> From<Failure> for Problem<E> {
    fn from(failure: Failure) -> Problem<E> {
        match failure.timed_out {
            true => Problem::Timeout(failure.text),
            false => Problem::Failed(failure.text),
        }
    }
}

/// A response of another server.
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// The version it came over: "1.1" or "2".
    pub version: &'static str,
    reader: Reader,
    _held: Held,
}

impl Answer {
    /// The next bytes of the body; `None` at its end. The error says why there is no end.
    pub async fn read(&mut self) -> Result<Option<Bytes>, String> {
        match self.reader.read(PIECE).await {
            Ok(bytes) => Ok(bytes.map(Bytes::from)),
            Err(failure) => Err(failure.text),
        }
    }
}

impl Forwarder {
    /// With the sockets of this VM.
    pub fn new(vm: &AppVm) -> Forwarder {
        Forwarder(Asker {
            client: Client::new(vm.net()),
            lua: vm.lua().clone(),
        })
    }

    /// Sends a request with the body that `next` gives, and reads the head of the response.
    pub async fn send<E>(
        &self,
        passed: Passed,
        mut next: impl AsyncFnMut() -> Result<Option<Bytes>, E>,
    ) -> Result<Answer, Problem<E>> {
        let body = match passed.length {
            Some(0) => Body::None,
            length => Body::Source(length),
        };
        let has_body = !matches!(body, Body::None);
        let spec = spec(passed, body);
        let response = match has_body {
            false => self.0.run(&spec).await?,
            true => {
                let mut sending = self.0.begin(Rc::new(spec)).await?;
                let mut is_whole = true;
                while let Some(bytes) = next().await.map_err(Problem::Body)? {
                    if !sending.write(&bytes).await? {
                        is_whole = false;
                        break;
                    }
                }
                sending.finish(is_whole).await?
            }
        };
        let Response {
            head,
            version,
            reader,
            held,
            ..
        } = response;
        Ok(Answer {
            head,
            version,
            reader,
            _held: held,
        })
    }
}

fn spec(passed: Passed, body: Body) -> Spec {
    let Passed {
        method,
        url,
        fields,
        timeout,
        ..
    } = passed;
    Spec {
        method,
        url,
        fields,
        body,
        is_form: false,
        auth: None,
        times: Timeouts {
            connect: CONNECT.min(timeout),
            send: timeout,
            read: timeout,
            total: None,
        },
        redirects: 0,
        route: Route {
            socket: None,
            verify: true,
            server_name: None,
            identity: None,
            version: Version::Any,
            keep: KEEP,
        },
        max_body: None,
        stream: true,
        decompress: false,
    }
}
