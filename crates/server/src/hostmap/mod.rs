//! Hosts whose code is in a bucket: `HOST/PATH/index.lua` answers `http://HOST/PATH`, without a deploy.
//!
//! ```text
//! process:  Shared --- Site (a host) --- Edition (its app, as it was found)         site.rs
//!              |           |  number: which edition is the newest
//! worker:   Tenants -- Tenant -- Live (a VM of an edition, paths it knows)          tenants.rs
//! ```
//! A request for a path that is known finds its handler without a lock and without a question: the hash of an edition's files was taken when it was
//! made. Whether they have changed is looked at beside the requests ([`Settings::look`]); what the caches below do not know they ask the source,
//! at most hourly.
//!
//! **Invariants.** All questions are asked on one runtime, which is no worker's. No name of a host or path makes a key outside the host's folder
//! ([`host::name`], [`rille_runtime::app::files_for`], `BundlePath`). The number of hosts, their VMs, and the questions about them are limited.

mod compiled;
pub mod find;
pub mod host;
pub mod purge;
pub mod site;
pub mod tenants;

use crate::admin::Token;
use compiled::Compiled;
use rille_lua::Dialect;
use rille_runtime::app::{App, compile_text, files_for};
use rille_runtime::kv;
use rille_runtime::late::{Code, Failure, Forge, Known, Later, Why};
use rille_runtime::log::Log;
use rille_runtime::manifest::Admission;
use rille_runtime::route::TargetId;
use rille_store::on_demand::{Found, Freshness, OnDemand, Origin};
use rille_store::{BundlePath, Error};
use site::{Edition, Site, Strangers};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// The most hosts that are remembered.
const MAX_SITES: usize = 10_000;
/// Lines about hosts a second.
const LINES: u32 = 10;

/// Where the files of hosts are.
pub trait Bucket: fmt::Debug + Send + Sync {
    /// A file; none if there is no such file.
    fn get(
        &self,
        path: BundlePath,
        freshness: Freshness,
    ) -> Later<Result<Option<Arc<Found>>, Error>>;

    /// That there is no such file is to be known when the source does not answer, too. Waits for the disk.
    fn remember_missing(&self, path: &BundlePath);

    /// Forgets a file. Waits for the disk.
    fn purge_file(&self, path: &BundlePath);

    /// Forgets all below a folder. Waits for the disk.
    fn purge_folder(&self, folder: &BundlePath);
}

impl<O: Origin + fmt::Debug> Bucket for Arc<OnDemand<O>> {
    fn get(
        &self,
        path: BundlePath,
        freshness: Freshness,
    ) -> Later<Result<Option<Arc<Found>>, Error>> {
        let files = self.clone();
        Box::pin(async move { OnDemand::get(&files, &path, freshness).await })
    }

    fn remember_missing(&self, path: &BundlePath) {
        OnDemand::remember_missing(self, path);
    }

    fn purge_file(&self, path: &BundlePath) {
        OnDemand::purge_file(self, path);
    }

    fn purge_folder(&self, folder: &BundlePath) {
        OnDemand::purge_folder(self, Some(folder));
    }
}

/// How hosts of a bucket are served.
#[derive(Debug)]
pub struct Settings {
    /// Their files.
    pub bucket: Box<dyn Bucket>,
    /// Where questions are asked: a runtime that is no worker's, and lasts.
    pub runtime: Handle,
    /// Where lines go.
    pub log: LogLine,
    /// How the bucket is named in messages.
    pub shown: String,
    /// The version of Lua of a host that does not say; 5.1, which lua-sngin's apps are written in.
    pub dialect: Dialect,
    /// What a host's manifest may ask for.
    pub admission: Admission,
    /// VMs of hosts on each worker. When there are more, the one that was used longest ago makes way.
    pub tenants: usize,
    /// Compiled files that are kept (SNGIN_CODECACHE_SIZE).
    pub chunks: usize,
    /// Who knows it may purge; nobody if there is none.
    pub token: Option<Token>,
    /// Whether `$cb` in a query asks the source, for hosts that are not in debug too.
    pub bypass: bool,
    /// How often it is looked whether files that a host uses have changed.
    pub look: Duration,
    /// Where `kv` of hosts is.
    pub kv: Option<Arc<kv::Store>>,
    /// Where modules of repositories come from.
    pub forge: Option<Arc<dyn Forge>>,
}

/// A log that can be part of settings.
#[derive(Clone)]
pub struct LogLine(pub Log);

impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl LogLine {
    fn line(&self, message: impl fmt::Display) {
        self.0.line(message);
    }
}

impl Settings {
    /// The defaults for a bucket that is shown as `shown`.
    pub fn new(bucket: Box<dyn Bucket>, runtime: Handle, log: Log, shown: String) -> Settings {
        Settings {
            bucket,
            runtime,
            log: LogLine(log),
            shown,
            dialect: Dialect::Lua51,
            admission: Admission::default(),
            tenants: 1000,
            chunks: 10_000,
            token: None,
            bypass: false,
            look: Duration::from_secs(30),
            kv: None,
            forge: None,
        }
    }
}

/// What of a host is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// The file of a path, and what answers it.
    File,
    /// All below it, too.
    Folder,
}

/// The hosts of a bucket. Clones are handles to the same ones.
#[derive(Debug, Clone)]
pub struct HostMap(Arc<Shared>);

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    settings: Settings,
    compiled: Compiled,
    sites: Mutex<HashMap<Box<str>, Arc<Site>>>,
    strangers: Strangers,
    /// Lines in the current second.
    lines: Mutex<(Option<Instant>, u32)>,
}

/// The bytes of text whose compiled code is kept.
const COMPILED_BYTES: u64 = 64 << 20;

impl HostMap {
    /// Of these settings.
    pub fn new(settings: Settings) -> HostMap {
        HostMap(Arc::new(Shared {
            compiled: Compiled::new(settings.chunks, COMPILED_BYTES),
            sites: Mutex::default(),
            strangers: Strangers::default(),
            lines: Mutex::default(),
            settings,
        }))
    }

    /// Forgets what is known of a path of a host (`app`), in the caches and in its app: the next request finds what the source has then. `path` is as in
    /// a URL, or names a file. The error says what is wrong with it. To be called where waiting for the disk does no harm.
    pub fn purge(&self, app: &str, path: &str, what: Purge) -> Result<(), String> {
        let host = host::name(app).ok_or_else(|| format!("'{}' is no host", app.escape_debug()))?;
        let path = path.trim_matches('/');
        let full = match path {
            "" => host.to_string(),
            path => format!("{host}/{path}"),
        };
        let folder = BundlePath::new(full.as_bytes()).map_err(|error| error.to_string())?;
        let bucket = &self.0.settings.bucket;
        let files = [
            full.clone(),
            format!("{full}/index.lua"),
            format!("{full}.lua"),
        ];
        for file in files
            .iter()
            .filter(|file| file.starts_with(&format!("{host}/")))
        {
            if let Ok(file) = BundlePath::new(file.as_bytes()) {
                bucket.purge_file(&file);
            }
        }
        if what == Purge::Folder {
            bucket.purge_folder(&folder);
        }
        let site = self.0.known(&host);
        if let Some(site) = site {
            site.forget();
        }
        Ok(())
    }
}

impl Shared {
    fn known(&self, host: &str) -> Option<Arc<Site>> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.get(host).cloned()
    }

    /// What is known of a host.
    fn site(&self, host: &str) -> Arc<Site> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(host) {
            return site.clone();
        }
        if sites.len() >= MAX_SITES {
            // Those that no worker has at hand are found again.
            sites.retain(|_, site| Arc::strong_count(site) > 1);
        }
        let site = Arc::new(Site::new(host.into()));
        sites.insert(host.into(), site.clone());
        site
    }

    /// Runs a future where questions are asked. It goes on when nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let stopping = |_| Failure::new(Why::Unavailable, "the server is stopping");
        self.settings.runtime.spawn(work).await.map_err(stopping)?
    }

    fn compile(&self, found: &Found, path: &str, shown: &str, dialect: Dialect) -> Code {
        let stamp = found.hash.bytes();
        let bytes = found.contents.len() as u64;
        if let Some(chunk) = self.compiled.get(stamp, dialect, path) {
            return Code {
                code: Ok(chunk),
                names_exports: rille_runtime::app::names_exports(&found.contents),
                bytes,
                stamp,
            };
        }
        let mut code = compile_text(path, shown, &found.contents, dialect);
        code.stamp = stamp;
        if let Ok(chunk) = &code.code {
            self.compiled.insert(stamp, dialect, path, chunk, bytes);
        }
        code
    }

    /// Gives an app what apps have from outside.
    fn settle(&self, app: &App) {
        if let Some(store) = &self.settings.kv {
            // No app of a folder has such a name.
            let name = format!("host:{}", app.name());
            app.kv
                .get_or_init(|| store.space(&name, app.manifest.limits.kv));
        }
        if let Some(forge) = &self.settings.forge {
            app.fetch_from(forge);
        }
    }

    /// A line about a host; only so many a second.
    fn complain(&self, message: &dyn fmt::Display) {
        let now = Instant::now();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |since: Instant| now.duration_since(since) >= Duration::from_secs(1);
        if lines.0.is_none_or(is_new) {
            *lines = (Some(now), 0);
        }
        lines.1 += 1;
        if lines.1 <= LINES {
            self.settings.log.line(message);
        }
    }
}

/// The route to what answers a path in an app of files that come when they are asked for. None if nothing does.
pub async fn locate(app: &App, path: &[u8]) -> Result<Option<TargetId>, Failure> {
    let mut missing = Vec::new();
    let mut denied = None;
    for file in files_for(path) {
        let fetched = match app.known(&file) {
            Known::File(id) => Ok(Some(id)),
            Known::Missing => Ok(None),
            Known::No => app.fetch(&file).await,
        };
        match fetched {
            Ok(Some(id)) => {
                // One that comes to be there is a change of the app.
                missing.iter().for_each(|file: &String| app.miss(file));
                return Ok(app.target_of(id));
            }
            Ok(None) => missing.push(file),
            // Whether it is there nobody knows; the next one may be.
            Err(failure) if failure.why == Why::Denied => denied = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    denied.map_or(Ok(None), Err)
}

/// Whether a query has the parameter `$cb`.
pub fn has_cb(query: &[u8]) -> bool {
    query.split(|byte| *byte == b'&').any(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next();
        matches!(name, Some(b"$cb" | b"%24cb"))
    })
}

impl Shared {
    /// Asks the source what has changed of the files that the host uses, and of those that may answer a path.
    async fn bypass(self: &Arc<Self>, site: &Arc<Site>, path: &[u8]) -> Result<(), Failure> {
        let files = files_for(path);
        let (shared, site) = (self.clone(), site.clone());
        self.run(async move {
            for file in files {
                match site.file(&shared, &file, Freshness::Bypass).await {
                    Ok(Some(_)) => break,
                    Ok(None) => {}
                    Err(failure) if failure.why == Why::Denied => {}
                    Err(failure) => return Err(failure),
                }
            }
            match site.look(&shared, Freshness::Bypass).await {
                Some(failure) if failure.why != Why::Denied => Err(failure),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn edition(self: &Arc<Self>, site: &Arc<Site>) -> Result<Arc<Edition>, Failure> {
        if let Some(edition) = site.current() {
            return Ok(edition);
        }
        let (shared, site) = (self.clone(), site.clone());
        self.run(async move { site.edition(&shared).await }).await
    }

    /// Looks for changes of a host, beside everything else, if it is time to.
    fn look(self: &Arc<Self>, site: &Arc<Site>, now: Instant) {
        if site.is_due(now, self.settings.look) {
            let (shared, site) = (self.clone(), site.clone());
            self.settings.runtime.spawn(async move {
                site.look(&shared, Freshness::Cached).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_that_asks_the_source() {
        for (query, has) in [
            ("$cb", true),
            ("$cb=1", true),
            ("a=b&$cb=", true),
            ("%24cb=1&a", true),
            ("", false),
            ("cb=1", false),
            ("a=$cb", false),
            ("$cbx=1", false),
        ] {
            assert_eq!(has_cb(query.as_bytes()), has, "{query}");
        }
    }
}
