//! s3s-fs: a server that speaks S3, checks signatures, and keeps its objects in a folder.

use hyper_util::rt::TokioIo;
use rille_store::Secret;
use rille_store::s3::{Credentials, Options};
use s3s::auth::SimpleAuth;
use s3s::host::SingleDomain;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

pub const KEY: &str = "AKIDTEST";
pub const SECRET: &str = "very-s3cret/key";

/// The server; its thread ends with the process.
pub struct S3 {
    pub address: SocketAddr,
    folder: TempDir,
}

impl S3 {
    /// With buckets in the path, or, for a domain, in the name of the host.
    pub fn start(domain: Option<&str>) -> S3 {
        let folder = TempDir::new().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        if let Some(domain) = domain {
            builder.set_host(SingleDomain::new(&format!("{domain}:{}", address.port())).unwrap());
        }
        let service = builder.build();
        thread::spawn(move || {
            super::run(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let service = service.clone();
                    tokio::spawn(async move {
                        let connection = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service);
                        // The client may leave at any time.
                        let _ = connection.await;
                    });
                }
            });
        });
        S3 { address, folder }
    }

    /// Where the objects of a bucket are.
    pub fn bucket(&self, name: &str) -> PathBuf {
        let bucket = self.folder.path().join(name);
        std::fs::create_dir_all(&bucket).unwrap();
        bucket
    }

    pub fn options(&self) -> Options {
        Options {
            endpoint: Some(format!("http://{}", self.address)),
            credentials: Some(credentials(SECRET)),
            ..Options::default()
        }
    }
}

pub fn credentials(secret: &str) -> Credentials {
    Credentials {
        access_key_id: KEY.to_owned(),
        secret_access_key: Secret::new(secret),
        session_token: None,
    }
}
