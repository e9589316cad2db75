//! TLS: whom to trust, who we are, and the configurations made of it.
//!
//! **Invariants.** The system's roots are read once in the process, on a thread that may wait for the disk, when somebody first wants to verify. A configuration
//! is one VM's: sessions are resumed with what the same VM has verified in the same way.

use super::{Held, MemoryLimit, NetError};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How many configurations a VM keeps; each has the sessions of up to 256 servers at most.
const MAX_CONFIGS: usize = 8;
/// The largest PEM text that is read.
pub const MAX_PEM: usize = 256 << 10;

const UNKNOWN_ISSUER: &str = "20: unable to get local issuer certificate";

/// What a handshake is to do.
#[derive(Clone)]
pub struct Options {
    /// Said to the server (SNI), and what its certificate must be for.
    pub server_name: Option<String>,
    /// Whether the server's certificate must be from somebody we trust.
    pub verify: bool,
    /// Who we are, for a server that asks.
    pub identity: Option<Rc<Identity>>,
    /// Protocols to offer (ALPN), the preferred one first.
    pub alpn: Vec<Vec<u8>>,
}

impl Default for Options {
    /// Verifies, without a name.
    fn default() -> Options {
        Options {
            server_name: None,
            verify: true,
            identity: None,
            alpn: Vec::new(),
        }
    }
}

/// A certificate with its chain, and its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    _held: Held,
}

impl Identity {
    /// From PEM texts, charged to `limit`.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        limit: &Rc<MemoryLimit>,
    ) -> Result<Identity, NetError> {
        let mut held = limit.hold();
        held.grow(chain.len().saturating_add(key.len()))?;
        let chain = certificates(chain);
        if chain.is_empty() {
            return Err(NetError::Tls("invalid client certificate chain"));
        }
        let key = private_key(key).ok_or(NetError::Tls("ssl set client private key failed"))?;
        Ok(Identity {
            chain,
            key,
            _held: held,
        })
    }
}

/// The certificates in a PEM text, up to what is none.
pub fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    if pem.len() > MAX_PEM {
        return Vec::new();
    }
    CertificateDer::pem_slice_iter(pem)
        .map_while(Result::ok)
        .collect()
}

/// The first private key in a PEM text.
pub fn private_key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    if pem.len() > MAX_PEM {
        return None;
    }
    PrivateKeyDer::from_pem_slice(pem).ok()
}

// ---- whom to trust ----

/// Read when first needed, the system's and what was added.
static ROOTS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
static ADDED: Mutex<Vec<CertificateDer<'static>>> = Mutex::new(Vec::new());

/// Trusts the authorities in a PEM text too, in the whole process; how many there were. For what the operator configures.
pub fn trust(pem: &[u8]) -> usize {
    let more = certificates(pem);
    let count = more.len();
    (ADDED.lock().unwrap_or_else(PoisonError::into_inner)).extend(more);
    *ROOTS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    count
}

/// Blocks while it reads them.
fn load_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // Some may be unreadable: the others are as good as before.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let added = ADDED.lock().unwrap_or_else(PoisonError::into_inner);
    roots.add_parsable_certificates(added.iter().cloned());
    let roots = Arc::new(roots);
    *ROOTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(roots.clone());
    roots
}

async fn roots() -> Result<Arc<RootCertStore>, NetError> {
    let known = ROOTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match known {
        Some(roots) => Ok(roots),
        None => tokio::task::spawn_blocking(load_roots)
            .await
            .map_err(|_| NetError::Tls("failed to load the trusted certificates")),
    }
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider()))
}

/// Verifies signatures and, if there are roots, who has signed; and the name, if asked to.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    by_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.by_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

// ---- configurations ----

struct Known {
    options: Options,
    roots: Option<Arc<RootCertStore>>,
    config: Arc<ClientConfig>,
}

impl Known {
    fn is_for(&self, options: &Options, roots: Option<&Arc<RootCertStore>>) -> bool {
        let same_roots = match (&self.roots, roots) {
            (Some(known), Some(roots)) => Arc::ptr_eq(known, roots),
            (known, roots) => known.is_none() && roots.is_none(),
        };
        let same_identity = match (&self.options.identity, &options.identity) {
            (Some(known), Some(identity)) => Rc::ptr_eq(known, identity),
            (known, identity) => known.is_none() && identity.is_none(),
        };
        same_roots
            && same_identity
            && self.options.server_name.is_some() == options.server_name.is_some()
            && self.options.alpn == options.alpn
    }
}

/// The configurations of a VM, the one used last at the end.
#[derive(Default)]
pub struct Configs(RefCell<Vec<Known>>);

impl Configs {
    /// The configuration for a handshake.
    pub async fn config(&self, options: &Options) -> Result<Arc<ClientConfig>, NetError> {
        let roots = match options.verify {
            true => Some(roots().await?),
            false => None,
        };
        let mut known = self.0.borrow_mut();
        if let Some(at) = (known.iter()).position(|known| known.is_for(options, roots.as_ref())) {
            let found = known.remove(at);
            let config = found.config.clone();
            known.push(found);
            return Ok(config);
        }
        let config = Arc::new(configure(options, roots.as_ref())?);
        if known.len() >= MAX_CONFIGS {
            known.remove(0);
        }
        known.push(Known {
            options: options.clone(),
            roots,
            config: config.clone(),
        });
        Ok(config)
    }
}

fn configure(
    options: &Options,
    roots: Option<&Arc<RootCertStore>>,
) -> Result<ClientConfig, NetError> {
    let inner = match roots {
        None => None,
        Some(roots) => {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots.clone(), provider().clone());
            Some(builder.build().map_err(|_| NetError::Tls(UNKNOWN_ISSUER))?)
        }
    };
    let verifier = Verifier {
        inner,
        by_name: options.server_name.is_some(),
    };
    let builder = ClientConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| NetError::Tls("failed to create ssl connection"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|_| NetError::Tls("ssl set client private key failed"))?,
    };
    config.alpn_protocols.clone_from(&options.alpn);
    Ok(config)
}

/// The name for a handshake; without one, the peer's address, which is not said to it.
pub fn server_name(
    options: &Options,
    peer: Option<IpAddr>,
) -> Result<ServerName<'static>, NetError> {
    match &options.server_name {
        None => {
            let address = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
            Ok(ServerName::IpAddress(address.into()))
        }
        Some(name) => ServerName::try_from(name.clone())
            .map_err(|_| NetError::Tls("SSL_set_tlsext_host_name failed")),
    }
}

/// Why a handshake failed, in OpenSSL's words as far as there are any.
pub fn handshake_error(error: &io::Error) -> NetError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(wrong)) = inner else {
        return NetError::Tls("handshake failed");
    };
    NetError::Tls(match wrong {
        CertificateError::UnknownIssuer => UNKNOWN_ISSUER,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "certificate host mismatch"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "10: certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "9: certificate is not yet valid"
        }
        CertificateError::BadSignature => "7: certificate signature failure",
        CertificateError::Revoked => "23: certificate revoked",
        _ => "handshake failed",
    })
}
