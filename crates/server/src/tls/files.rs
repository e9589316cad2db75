//! Certificates, keys and authorities, from files.
//!
//! **Invariant:** either all files are good, and keys fit their certificates, or the error names the one that is not.

use super::provider;
use rille_runtime::problem::Problem;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The largest file, in bytes: more is a mistake.
const MAX_BYTES: u64 = 4 << 20;

/// A certificate with its chain, and its key; both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The server's own certificate first.
    pub chain: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// Whether clients need a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// A client without a good one is turned away in the handshake.
    Required,
    /// One without any is served; `ngx.var.ssl_client_verify` tells.
    Optional,
}

/// Certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Who signs them: PEM.
    pub authorities: PathBuf,
    /// Whether there has to be one.
    pub verify: Verify,
}

/// All files of a listener.
pub struct Files {
    /// At least one: the first answers for names that no other has.
    pub certificates: Vec<Certificate>,
    /// `None`: clients are not asked.
    pub clients: Option<ClientCertificates>,
}

/// What is in the files.
pub struct Loaded {
    pub keys: Vec<Arc<CertifiedKey>>,
    pub clients: Option<(Arc<RootCertStore>, Verify, String)>,
    pub authorities_text: Option<Vec<u8>>,
}

/// By what a file that has changed can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let stamp = |metadata: Metadata| {
            use std::os::unix::fs::MetadataExt;
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            (modified, metadata.len(), metadata.ino())
        };
        Stamp(std::fs::metadata(path).ok().map(stamp))
    }
}

impl Files {
    /// How the files are now.
    pub fn stamps(&self) -> Vec<Stamp> {
        let pairs = self.certificates.iter();
        let paths = pairs.flat_map(|pair| [&pair.chain, &pair.key]);
        let clients = self.clients.iter().map(|clients| &clients.authorities);
        paths.chain(clients).map(|path| Stamp::of(path)).collect()
    }

    /// Reads all of them.
    pub fn load(&self) -> Result<Loaded, Problem> {
        let keys = self.certificates.iter().map(load_key);
        let keys = keys.collect::<Result<Vec<_>, Problem>>()?;
        let (mut clients, mut authorities_text) = (None, None);
        if let Some(wanted) = &self.clients {
            let text = read(&wanted.authorities)?;
            let file = shown(&wanted.authorities);
            let roots = roots(&wanted.authorities, &text)?;
            clients = Some((Arc::new(roots), wanted.verify, file));
            authorities_text = Some(text);
        }
        Ok(Loaded {
            keys,
            clients,
            authorities_text,
        })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn problem(path: &Path, why: impl AsRef<str>) -> Problem {
    Problem::new(shown(path), why)
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| {
        problem(
            path,
            match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                ErrorKind::PermissionDenied => "may not be read".to_owned(),
                _ => error.to_string(),
            },
        )
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(problem(path, "is over 4 MiB")),
        false => Ok(bytes),
    }
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(problem(path, "holds no certificate in PEM")),
        Err(error) => Err(problem(path, format!("is no PEM: {error}"))),
    }
}

fn load_key(pair: &Certificate) -> Result<Arc<CertifiedKey>, Problem> {
    let chain = certificates(&pair.chain, &read(&pair.chain)?)?;
    let own = chain
        .first()
        .map(rustls::server::ParsedCertificate::try_from);
    if !matches!(own, Some(Ok(_))) {
        return Err(problem(&pair.chain, "its first certificate is malformed"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&pair.key)?).map_err(|_| {
        let why = "holds no private key in PEM (an encrypted one cannot be used)";
        problem(&pair.key, why)
    })?;
    let key = provider().key_provider.load_private_key(key);
    let key =
        key.map_err(|_| problem(&pair.key, "its private key is of a kind that is not known"))?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            let why = format!("is not the key of {}", pair.chain.display());
            Err(problem(&pair.key, why))
        }
        _ => Ok(Arc::new(key)),
    }
}

fn roots(path: &Path, text: &[u8]) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, text)? {
        roots
            .add(certificate)
            .map_err(|error| problem(path, format!("holds a malformed certificate: {error}")))?;
    }
    Ok(roots)
}
