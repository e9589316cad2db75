//! Whom the client trusts.
//!
//! **Invariant:** the system's roots are read on a thread that may wait for the disk.

use crate::cancel::blocking;
use crate::error::{Error, ErrorKind};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration for every connection.
pub(super) async fn configuration(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let ca_file = ca_file.map(Path::to_owned);
    blocking(move |_| build(ca_file)).await
}

fn build(ca_file: Option<PathBuf>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // What of the system's cannot be read or is odd is left out, as other programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Setup,
                format!("{} is not a file of certificates: {why}", path.display()),
            )
        };
        let read =
            CertificateDer::pem_file_iter(&path).map_err(|error| wrong(&error.to_string()))?;
        let certificates: Vec<_> = read
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error.to_string()))?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(wrong("there is none in it"));
        }
    }
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder
        .map_err(|error| Error::new(ErrorKind::Setup, format!("TLS cannot be set up: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
