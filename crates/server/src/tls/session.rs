//! What scripts see of a handshake: `ngx.var.ssl_*`.
//!
//! **Invariant:** names are OpenSSL's, as nginx gives them.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection};

/// A handshake that is done.
#[derive(Debug)]
pub struct Session {
    protocol: &'static str,
    cipher: &'static str,
    curve: &'static str,
    server_name: Option<Box<str>>,
    is_resumed: bool,
    is_http2: bool,
    has_alpn: bool,
    /// The client's certificate, which has been verified.
    client: Option<CertificateDer<'static>>,
}

impl Session {
    /// Of a connection.
    pub fn of(connection: &ServerConnection) -> Session {
        let alpn = connection.alpn_protocol();
        let group = connection.negotiated_key_exchange_group();
        let suite = connection.negotiated_cipher_suite();
        let clients = connection.peer_certificates();
        Session {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: suite.map_or("", |suite| cipher_name(suite.suite())),
            curve: group.map_or("", |group| curve_name(group.name())),
            server_name: connection.server_name().map(Into::into),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            is_http2: alpn == Some(b"h2"),
            has_alpn: alpn.is_some(),
            client: clients.and_then(|all| all.first().cloned()),
        }
    }

    /// Whether the client goes on in HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// The value of `ngx.var.ssl_NAME`; `None` for what there is not.
    pub fn variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let text = match name {
            b"protocol" => self.protocol,
            b"cipher" => self.cipher,
            b"curve" => self.curve,
            b"server_name" => self.server_name.as_deref()?,
            b"session_reused" if self.is_resumed => "r",
            b"session_reused" => ".",
            b"alpn_protocol" => match (self.is_http2, self.has_alpn) {
                (true, _) => "h2",
                (_, true) => "http/1.1",
                _ => return None,
            },
            b"client_verify" if self.client.is_some() => "SUCCESS",
            b"client_verify" => "NONE",
            _ => {
                return super::client::variable(
                    self.client.as_deref()?,
                    name.strip_prefix(b"client_")?,
                );
            }
        };
        Some(text.as_bytes().to_vec())
    }
}

fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        other => other.as_str().unwrap_or(""),
    }
}

fn curve_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "prime256v1",
        NamedGroup::secp384r1 => "secp384r1",
        other => other.as_str().unwrap_or(""),
    }
}
