//! Which certificate answers which name.
//!
//! **Invariant:** a client that names a host gets the first certificate for that name whose key it can check, then the first for that name,
//! then the first that it can check, then the first.

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The certificates of a listener, in the order in which they were given.
#[derive(Debug)]
pub struct Keys(Vec<Arc<CertifiedKey>>);

impl Keys {
    /// At least one.
    pub fn new(keys: Vec<Arc<CertifiedKey>>) -> Keys {
        Keys(keys)
    }

    fn of(
        &self,
        name: Option<&str>,
        can_check: impl Fn(&CertifiedKey) -> bool,
    ) -> Option<&Arc<CertifiedKey>> {
        if let [only] = &self.0[..] {
            return Some(only);
        }
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let rank = |key: &Arc<CertifiedKey>| {
            let is_for = name.as_ref().is_some_and(|name| is_for(key, name));
            (!is_for, !can_check(key))
        };
        self.0.iter().min_by_key(|key| rank(key))
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let own = key.cert.first().map(ParsedCertificate::try_from);
    matches!(own, Some(Ok(own)) if verify_server_name(&own, name).is_ok())
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let can_check = |key: &CertifiedKey| key.key.choose_scheme(schemes).is_some();
        self.of(hello.server_name(), can_check).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::provider;
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm,
    };
    use rustls::SignatureScheme;
    use rustls::pki_types::PrivateKeyDer;

    fn key(names: &[&str], kind: &'static SignatureAlgorithm) -> Arc<CertifiedKey> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let pair = KeyPair::generate_for(kind).unwrap();
        let made = CertificateParams::new(names)
            .unwrap()
            .self_signed(&pair)
            .unwrap();
        let der = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
        let key = CertifiedKey::from_der(vec![made.der().clone()], der, provider()).unwrap();
        Arc::new(key)
    }

    #[test]
    fn by_name_and_by_what_the_client_can_check() {
        let keys = Keys::new(vec![
            key(&["first.test"], &PKCS_ECDSA_P256_SHA256),
            key(&["a.test", "*.b.test"], &PKCS_ED25519),
            key(&["a.test"], &PKCS_ECDSA_P256_SHA256),
        ]);
        let at = |name, schemes: &[SignatureScheme]| {
            let found = keys.of(name, |key| key.key.choose_scheme(schemes).is_some());
            let found = found.unwrap();
            keys.0.iter().position(|key| Arc::ptr_eq(key, found))
        };
        let (p256, ed25519) = (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
        );
        assert_eq!(at(None, &[p256]), Some(0));
        assert_eq!(at(Some("other.test"), &[p256]), Some(0));
        assert_eq!(at(Some("other.test"), &[ed25519]), Some(1));
        assert_eq!(at(Some("a.test"), &[p256, ed25519]), Some(1));
        assert_eq!(at(Some("A.test"), &[p256]), Some(2));
        assert_eq!(at(Some("x.b.test"), &[ed25519]), Some(1));
        assert_eq!(at(Some("x.b.test"), &[p256]), Some(1));
        assert_eq!(at(Some("x.y.b.test"), &[p256]), Some(0));
        assert_eq!(at(Some("127.0.0.1"), &[]), Some(0));
    }
}
