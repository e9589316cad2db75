//! TLS: whom to trust, who we are, and the configurations made of it.
//!
//! **Invariants.** The system's roots are read once in the process, on a thread that may wait for the disk, when somebody first wants to verify. A configuration
//! is one VM's: sessions are resumed with what the same VM has verified in the same way.

use super::{Held, MemoryLimit, NetError};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
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
/// The longest PEM or DER text of a script's that is read.
pub const MAX_PEM: usize = 256 << 10;

/// What an identity takes besides its bytes.
const IDENTITY: usize = 512;

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
    /// From certificates, the client's own first, and a private key, all DER; charged to `limit`.
    pub fn from_der(chain: &[u8], key: &[u8], limit: &Rc<MemoryLimit>) -> Result<Self, NetError> {
        let mut held = limit.hold();
        held.grow(
            IDENTITY
                .saturating_add(chain.len())
                .saturating_add(key.len()),
        )?;
        let chain = certificates_der(chain)
            .filter(|chain| !chain.is_empty())
            .ok_or(NetError::Tls("invalid client certificate chain"))?;
        let key = private_key_der(key).ok_or(NetError::Tls("ssl set client private key failed"))?;
        Ok(Identity {
            chain,
            key,
            _held: held,
        })
    }
}

/// The certificates in a PEM text, one after the other as DER; `None` if there are none, or one of them is none.
pub fn certificates_from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(within_limit(pem)?) {
        all.extend_from_slice(&certificate.ok()?);
    }
    (!all.is_empty() && certificates_der(&all).is_some()).then_some(all)
}

/// The first private key in a PEM text, as DER.
pub fn private_key_from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(within_limit(pem)?).ok()?;
    Some(key.secret_der().to_vec())
}

/// The first public key in a PEM text, as DER.
pub fn public_key_from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(within_limit(pem)?).ok()?;
    Some(key.to_vec())
}

/// The public key of a certificate, both as DER.
pub fn certificate_public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from(within_limit(der)?.to_vec());
    let certificate = rustls::server::ParsedCertificate::try_from(&certificate).ok()?;
    Some(certificate.subject_public_key_info().to_vec())
}

/// Certificates one after the other; `None` if there is something that is none.
pub fn certificates_der(der: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let mut rest = within_limit(der)?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (one, others) = rest.split_at_checked(der_length(rest)?)?;
        let certificate = CertificateDer::from(one.to_vec());
        rustls::server::ParsedCertificate::try_from(&certificate).ok()?;
        all.push(certificate);
        rest = others;
    }
    Some(all)
}

/// A private key.
pub fn private_key_der(der: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::try_from(within_limit(der)?.to_vec()).ok()
}

fn within_limit(text: &[u8]) -> Option<&[u8]> {
    (text.len() <= MAX_PEM).then_some(text)
}

/// How long the sequence is that DER begins with, its head included.
fn der_length(der: &[u8]) -> Option<usize> {
    let (&0x30, rest) = der.split_first()? else {
        return None;
    };
    let (&first, rest) = rest.split_first()?;
    let count = usize::from(first & 0x7f);
    match (first & 0x80 != 0, count) {
        (false, length) => Some(2 + length),
        (true, 1..=3) => {
            let length = (rest.get(..count)?.iter())
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            Some(2 + count + length)
        }
        (true, _) => None,
    }
}

// ---- whom to trust ----

/// Read when first needed, the system's and what was added.
static ROOTS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
static ADDED: Mutex<Vec<CertificateDer<'static>>> = Mutex::new(Vec::new());

/// Trusts the authorities in a PEM text too, in the whole process; how many there were. For what the operator configures.
pub fn trust(pem: &[u8]) -> usize {
    let more: Vec<_> = (CertificateDer::pem_slice_iter(pem))
        .map_while(std::result::Result::ok)
        .collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_taken_apart() {
        let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
        let pem = made.cert.pem() + &made.cert.pem();
        let chain = certificates_from_pem(pem.as_bytes()).unwrap();
        assert_eq!(certificates_der(&chain).unwrap().len(), 2);
        let key = private_key_from_pem(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let limit = MemoryLimit::new(10_000);
        let identity = Identity::from_der(&chain, &key, &limit).unwrap();
        assert_eq!(limit.used(), IDENTITY + chain.len() + key.len());
        drop(identity);
        assert_eq!(limit.used(), 0);
        for end in 1..chain.len() {
            if end != chain.len() / 2 {
                assert!(certificates_der(&chain[..end]).is_none(), "{end}");
            }
        }
        for text in [
            &b""[..],
            b"x",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80",
            b"\x30\x83\xff\xff",
        ] {
            assert!(certificates_der(text).is_none_or(|all| all.is_empty()));
            assert!(certificates_from_pem(text).is_none());
            assert!(private_key_from_pem(text).is_none() && private_key_der(text).is_none());
        }
        assert!(Identity::from_der(b"", &key, &limit).is_err());
        assert!(Identity::from_der(&chain, b"x", &limit).is_err());
        let none = MemoryLimit::new(10);
        assert!(Identity::from_der(&chain, &key, &none).is_err());
        assert!(certificates_from_pem(&vec![b'-'; MAX_PEM + 1]).is_none());
    }
}
