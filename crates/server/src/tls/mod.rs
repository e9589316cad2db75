//! TLS on the server's side: certificates by name, handshakes, and what scripts may know of them.
//!
//! ```text
//!  files.rs    certificates, keys and authorities, from the files that are configured
//!  keys.rs     which certificate answers which name
//!  reload.rs   the thread that looks whether the files have changed
//!  accept.rs   from a connection to a handshake that is done, or to somebody who does not speak TLS
//!  session.rs  what scripts see of a handshake; client.rs, der.rs: of the client's certificate
//! ```
//!
//! **Invariants.** A connection keeps the configuration that it began with; the next one gets what was loaded last. What cannot be loaded
//! never takes the place of what could. Tickets are sealed with keys of this process's own, which change by themselves, and when the
//! authorities do: a client that was verified by others is verified again.

mod accept;
#[doc(hidden)]
pub mod client;
mod der;
mod files;
mod keys;
mod reload;
mod session;

pub use accept::{Accepted, accept};
pub use files::{Certificate, ClientCertificates, Verify};
pub use reload::Watcher;
pub use session::Session;

use files::{Files, Loaded};
use keys::Keys;
use rille_runtime::problem::Problem;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What the server speaks, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates to serve with.
pub struct Tls {
    files: Files,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    authorities: Option<Vec<u8>>,
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider()))
}

impl Tls {
    /// Loads all files. The error names the one that is wrong.
    pub fn load(
        certificates: Vec<Certificate>,
        clients: Option<ClientCertificates>,
    ) -> Result<Tls, Problem> {
        let files = Files {
            certificates,
            clients,
        };
        let loaded = files.load()?;
        let ticketer = ring::Ticketer::new()
            .map_err(|error| Problem::new("TLS", format!("cannot make tickets: {error}")))?;
        let config = configure(&loaded, ticketer)?;
        let authorities = loaded.authorities_text;
        Ok(Tls {
            files,
            current: RwLock::new(Current {
                config: Arc::new(config),
                authorities,
            }),
        })
    }

    /// For the next handshake.
    fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.config.clone()
    }

    /// Loads all files again. What cannot be loaded changes nothing.
    fn reload(&self) -> Result<(), Problem> {
        let loaded = self.files.load()?;
        let known = self.config();
        let is_as_before = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.authorities == loaded.authorities_text
        };
        let ticketer = match is_as_before {
            true => known.ticketer.clone(),
            false => ring::Ticketer::new()
                .map_err(|error| Problem::new("TLS", format!("cannot make tickets: {error}")))?,
        };
        let config = configure(&loaded, ticketer)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current {
            config: Arc::new(config),
            authorities: loaded.authorities_text,
        };
        Ok(())
    }
}

fn configure(loaded: &Loaded, ticketer: Arc<dyn ProducesTickets>) -> Result<ServerConfig, Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new("TLS", error.to_string());
    let builder = ServerConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let builder = match &loaded.clients {
        None => builder.with_no_client_auth(),
        Some((roots, verify, file)) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.clone(), provider().clone());
            let verifier = match verify {
                Verify::Required => verifier,
                Verify::Optional => verifier.allow_unauthenticated(),
            };
            let verifier = verifier
                .build()
                .map_err(|error| Problem::new(file.clone(), error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let keys = Keys::new(loaded.keys.clone());
    let mut config = builder.with_cert_resolver(Arc::new(keys));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    config.ticketer = ticketer;
    // Tickets hold what is needed; nothing is kept here for clients that may not come back.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}
