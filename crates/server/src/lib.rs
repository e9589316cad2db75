//! HTTP in front of the runtime: listeners, routing by host, `request` and `response`, replies.
//!
//! A request walks through [`worker`] (accept) -> [`service`] (host, route, exchange) -> [`pipeline`] (the phases of its route) ->
//! [`handler`] (what runs, stage by stage) -> `rille_runtime::vm` (a coroutine in slices) ->
//! [`reply`] (what the handler returned) -> [`finish`] -> [`filter`] (if its route has filters).
#![forbid(unsafe_code)]

pub mod admin;
mod asked;
mod bindings;
mod body;
mod conn;
mod date;
pub mod delivery;
mod deploy;
#[doc(hidden)]
pub mod edge;
mod exchange;
mod filter;
mod finish;
mod fleet;
mod forge;
#[doc(hidden)]
pub mod forms;
mod handler;
mod head;
#[doc(hidden)]
pub mod hostmap;
mod hosts;
#[doc(hidden)]
pub mod http1;
#[doc(hidden)]
pub mod http2;
mod listener;
mod mk;
mod ngx;
mod pages;
mod pipeline;
mod ports;
mod reply;
mod retired;
mod server;
mod service;
mod socket;
mod stage;
mod statics;
#[doc(hidden)]
pub mod tls;
mod upgrade;
mod websocket;
mod worker;

pub use asked::{MAX_LISTED, Sent, Task};
pub use conn::Timeouts;
pub use deploy::{Deployer, MAX_APPS, Status, Version};
pub use edge::access::{AccessConfig, AccessLog, Target as AccessTarget};
pub use edge::forwarded::{Field as ForwardedField, Range, Trust};
pub use edge::health::Health;
pub use edge::line::Format as AccessFormat;
pub use forge::Repositories;
pub use hostmap::{Bucket, HostMap, Purge, Settings as HostMapSettings};
pub use hosts::Claims;
pub use ports::TaskPort;
pub use server::{AppSource, Config, Error, Server, TlsConfig};
pub use tls::{Certificate, ClientCertificates, Verify};
