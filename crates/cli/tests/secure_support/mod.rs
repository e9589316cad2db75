//! What the tests of TLS and HTTP/2 share: certificates, a server with them, and clients of both versions.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod frames;

use crate::serve_support::{App, app, folder, serve_with};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who signs the certificates of a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub der: CertificateDer<'static>,
}

/// A certificate and its key, PEM.
pub struct Signed {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Authority {
        Authority::named("test authority")
    }

    pub fn named(name: &str) -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        Authority {
            pem: made.pem(),
            der: made.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for these names; with none, for a client.
    pub fn sign(&self, names: &[&str], common_name: &str) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let usage = match names.is_empty() {
            true => ExtendedKeyUsagePurpose::ClientAuth,
            false => ExtendedKeyUsagePurpose::ServerAuth,
        };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        Signed {
            chain: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority and offers these protocols.
    pub fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        Arc::new(self.client_config(protocols, None))
    }

    pub fn client_config(&self, protocols: &[&str], own: Option<&Signed>) -> ClientConfig {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(own.chain.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    }
}

/// An app served over both, with a certificate for `localhost`.
pub struct Secure {
    pub app: App,
    pub tls: SocketAddr,
    pub authority: Authority,
}

impl Secure {
    /// The path of a file of the app's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.app.dir.path().join(name)
    }
}

/// Serves an app with these files and options.
pub fn secure(files: &[(&str, &str)], options: &[&str]) -> Secure {
    let authority = Authority::new();
    let own = authority.sign(&["localhost"], "localhost");
    secure_with(authority, &own, files, options)
}

/// The same with a certificate.
pub fn secure_with(
    authority: Authority,
    own: &Signed,
    files: &[(&str, &str)],
    options: &[&str],
) -> Secure {
    let dir = folder(files);
    dir.write("cert.pem", &own.chain).unwrap();
    dir.write("key.pem", &own.key).unwrap();
    dir.write("ca.pem", &authority.pem).unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (chain, key, ca) = (at("cert.pem"), at("key.pem"), at("ca.pem"));
    let mut all = vec!["--workers", "1", "--tls-listen", "127.0.0.1:0"];
    all.extend(["--tls-cert", &chain, "--tls-key", &key]);
    all.extend(options.iter().map(|option| match *option {
        "CA" => &*ca,
        option => option,
    }));
    let server = serve_with(dir.path(), &all);
    let tls = tls_address(&server.log());
    Secure {
        app: App { dir, server },
        tls,
        authority,
    }
}

/// The address behind `https://` in the server's first line.
pub fn tls_address(log: &str) -> SocketAddr {
    let (_, rest) = log.split_once("https://").expect("it listens for TLS");
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// Runs a client; nothing takes longer than 20 seconds.
pub fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default());
    runtime.unwrap().block_on(async {
        tokio::time::timeout(Duration::from_secs(20), client)
            .await
            .expect("the client waits in vain")
    })
}

/// A handshake.
pub async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(config).connect(name, stream).await
}

/// An address that speaks without TLS what `address` speaks with it.
pub async fn tunnel(address: SocketAddr, config: Arc<ClientConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let config = config.clone();
            tokio::task::spawn_local(async move {
                if let Ok(mut secure) = connect(address, config, "localhost").await {
                    let _ = tokio::io::copy_bidirectional(&mut plain, &mut secure).await;
                }
            });
        }
    });
    here
}

/// An HTTP/2 client over a stream.
pub async fn http2<T>(stream: T) -> SendRequest<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    client
}

/// One over the plain address.
pub async fn http2_plain(address: SocketAddr) -> SendRequest<Bytes> {
    http2(TcpStream::connect(address).await.unwrap()).await
}

/// A response that has come to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// By name.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A request for `localhost`.
pub fn request(method: &str, target: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("http://localhost{target}"))
}

/// Sends a request with its whole body; its response.
pub async fn ask(
    client: &SendRequest<Bytes>,
    request: http::request::Builder,
    body: &[u8],
) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, mut out) = client.send_request(request.body(()).unwrap(), body.is_empty())?;
    let sending = async {
        let mut body = Bytes::copy_from_slice(body);
        while !body.is_empty() {
            out.reserve_capacity(body.len());
            if out.capacity() == 0
                && !matches!(poll_fn(|cx| out.poll_capacity(cx)).await, Some(Ok(_)))
            {
                return;
            }
            let piece = body.split_to(out.capacity().min(body.len()));
            if out.send_data(piece, body.is_empty()).is_err() {
                return;
            }
        }
    };
    let receiving = async {
        let (parts, mut data) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = data.data().await {
            let piece = piece?;
            data.flow_control().release_capacity(piece.len())?;
            body.extend_from_slice(&piece);
        }
        let mut headers: Vec<(String, String)> = (parts.headers.iter())
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        headers.sort();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    tokio::pin!(sending, receiving);
    tokio::select! {
        answer = &mut receiving => answer,
        () = &mut sending => receiving.await,
    }
}

/// `GET target`.
pub async fn get(client: &SendRequest<Bytes>, target: &str) -> Answer {
    ask(client, request("GET", target), b"").await.unwrap()
}

/// An app whose `/` says ok, and `/count` what was counted under `?name`.
pub fn with_counts(files: &[(&str, &str)]) -> App {
    let mut all = vec![
        ("index.lua", "return 'ok'"),
        ("count.lua", "return tostring(cache.get(ngx.var.args))"),
    ];
    all.extend_from_slice(files);
    app(&all)
}

pub fn counted(app: &App, name: &str) -> String {
    app.get(&format!("/count?{name}")).text()
}

/// What a request costs that ends early: its handler is closed where it waits.
pub const WAITING: (&str, &str) = (
    "wait.lua",
    "local t <close> = setmetatable({}, {__close = function() cache.incr('ended') end}) cache.incr('begun') sleep(20) return 'late'",
);

/// `/vars`: what scripts see of a handshake.
pub const VARIABLES: (&str, &str) = (
    "vars.lua",
    "local v = ngx.var
     local function all(...) for i = 1, select('#', ...) do
       local name = select(i, ...) ngx.say(name, '=', v[name]) end end
     ngx.say(request.scheme, ' ', request.host, ' ', v.server_port == tostring(request.port))
     all('scheme', 'https', 'http2', 'server_protocol', 'ssl_protocol', 'ssl_cipher', 'ssl_curve', 'ssl_server_name',
       'ssl_session_reused', 'ssl_alpn_protocol', 'ssl_client_verify', 'ssl_client_s_dn', 'ssl_client_i_dn')
     ngx.say(pcall(function() v.ssl_protocol = 'x' end))",
);

/// Sends a request as HTTP/1.1 on a stream of its own; all that comes.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // Not an error: the server says that it is the end.
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}
