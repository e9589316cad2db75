//! A host of the bucket, for all workers: its app in its newest edition, and how that is made.
//!
//! ```text
//! HOST/rille.toml, init.lua, files of its routes --> App::on_demand --> Edition 1 --look: something is not what it was--> Edition 2 ...
//!                                                        |
//!                       HOST/lib/x.lua, HOST/a/index.lua, when they are asked for (Own)
//! ```
//! An edition never changes: what it has fetched stays as it was. When a file of it has changed there is a next one, made
//! beside it, and workers go over to it one by one; if it cannot be made, the one before goes on.
//!
//! **Invariants.** A host has at most [`SLOTS`] questions to the source at a time, and all that have no edition together [`STRANGERS`] with
//! [`WAITING`] that wait: so hosts that do not exist do not keep those that do from their code. An edition with a lower number than [`Site::least`]
//! answers no request that comes from now on.

use super::Shared;
use rille_lua::Dialect;
use rille_runtime::app::{self, App, CodeFile, INIT};
use rille_runtime::late::{Code, Failure, Files, Later, Stamp, Why};
use rille_runtime::manifest::{self, Manifest};
use rille_runtime::problem::Problem;
use rille_store::on_demand::{Found, Freshness};
use rille_store::{BundlePath, ErrorKind};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Questions about one host at a time.
const SLOTS: usize = 4;
/// Questions about hosts that have no edition, at a time.
pub const STRANGERS: usize = 8;
/// Such questions that may wait.
const WAITING: usize = 64;
/// Larger texts are compiled where that may take its time.
const LONG_TEXT: usize = 64 << 10;
/// The most files that a manifest may name.
const MAX_NAMED: usize = 1000;

/// A host.
#[derive(Debug)]
pub struct Site {
    /// Its name, checked.
    pub host: Box<str>,
    /// The number of its newest edition; 0 as long as there is none.
    pub number: AtomicU64,
    /// Older editions are not to answer any more.
    pub least: AtomicU64,
    state: Mutex<State>,
    /// Held by who makes an edition.
    making: tokio::sync::Mutex<()>,
    slots: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    edition: Option<Arc<Edition>>,
    /// It has to be made again before it is used.
    is_stale: bool,
    /// When it is looked at again.
    look_at: Option<Instant>,
}

/// The app of a host, as it is found to be at a time.
#[derive(Debug)]
pub struct Edition {
    /// Counts the editions of the host, from 1.
    pub number: u64,
    /// The app.
    pub app: Arc<App>,
    /// What it was made of.
    made_of: Vec<(Box<str>, Option<Stamp>)>,
}

/// Hosts that have no edition, and wait to find out.
#[derive(Debug)]
pub struct Strangers {
    slots: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Strangers {
    fn default() -> Strangers {
        Strangers {
            slots: Semaphore::new(STRANGERS),
            waiting: AtomicUsize::new(0),
        }
    }
}

/// One that waits.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Edition {
    /// Whether there is anything of the host at the source.
    pub fn is_something(&self) -> bool {
        self.made_of.iter().any(|(_, stamp)| stamp.is_some())
    }
}

impl Site {
    /// A host of which nothing is known yet.
    pub fn new(host: Box<str>) -> Site {
        Site {
            host,
            number: AtomicU64::new(0),
            least: AtomicU64::new(0),
            state: Mutex::default(),
            making: tokio::sync::Mutex::new(()),
            slots: Semaphore::new(SLOTS),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The edition that answers now.
    pub fn current(&self) -> Option<Arc<Edition>> {
        let state = self.state();
        state.edition.clone().filter(|_| !state.is_stale)
    }

    /// The edition that answers is this one, unless there is a newer one.
    pub fn keep(&self, shared: &Arc<Shared>, edition: &Arc<Edition>) {
        let mut state = self.state();
        let known = state.edition.as_ref().map_or(0, |known| known.number);
        if edition.number > known {
            state.edition = Some(edition.clone());
            state.is_stale = edition.number < self.least.load(Ordering::Relaxed);
            self.number.store(edition.number, Ordering::Relaxed);
            drop(state);
            // Without them the app would be another.
            let missing = edition.made_of.iter().filter(|(_, stamp)| stamp.is_none());
            missing.for_each(|(path, _)| self.remember_missing(shared, path));
        }
    }

    /// That there is no such file is to be known after a restart without the source.
    fn remember_missing(&self, shared: &Arc<Shared>, path: &str) {
        let path = BundlePath::new(format!("{}/{path}", self.host).as_bytes());
        if let Ok(path) = path {
            let known = shared.clone();
            let work = move || known.settings.bucket.remember_missing(&path);
            shared.settings.runtime.spawn_blocking(work);
        }
    }

    /// What there is of it does not answer any more.
    pub fn forget(&self) {
        let mut state = self.state();
        state.is_stale = true;
        let known = state.edition.as_ref().map_or(0, |known| known.number);
        // One that is being made now may have seen the files of before.
        self.least.store(known + 2, Ordering::Relaxed);
        self.number.store(known + 1, Ordering::Relaxed);
    }

    /// Whether it is time to look; then somebody else does not.
    pub fn is_due(&self, now: Instant, every: std::time::Duration) -> bool {
        let mut state = self.state();
        let is_due = state.look_at.is_none_or(|at| at <= now);
        if is_due {
            state.look_at = Some(now + every);
        }
        is_due
    }

    /// A file of the host as the caches or the source have it.
    pub async fn file(
        &self,
        shared: &Shared,
        path: &str,
        freshness: Freshness,
    ) -> Result<Option<Arc<Found>>, Failure> {
        let full = format!("{}/{path}", self.host);
        let Ok(full) = BundlePath::new(full.as_bytes()) else {
            return Ok(None);
        };
        let busy = || Failure::new(Why::Limit, "too many questions about hosts wait already");
        let _stranger = match self.number.load(Ordering::Relaxed) {
            0 => {
                let strangers = &shared.strangers;
                let before = strangers.waiting.fetch_add(1, Ordering::Relaxed);
                let _waits = Waits(&strangers.waiting);
                if before >= WAITING {
                    return Err(busy());
                }
                Some(strangers.slots.acquire().await.map_err(|_| busy())?)
            }
            _ => None,
        };
        let _slot = self.slots.acquire().await.map_err(|_| busy())?;
        let asked = shared.settings.bucket.get(full, freshness).await;
        asked.map_err(|error| {
            let why = match error.kind() {
                ErrorKind::Denied => Why::Denied,
                ErrorKind::TimedOut => Why::Late,
                ErrorKind::TooLarge | ErrorKind::Full => Why::Limit,
                _ => Why::Unavailable,
            };
            Failure::new(why, error.to_string())
        })
    }

    /// The same, compiled.
    async fn code(
        &self,
        shared: &Arc<Shared>,
        path: &str,
        dialect: Dialect,
    ) -> Result<Option<Code>, Failure> {
        let found = self.file(shared, path, Freshness::Cached).await?;
        let Some(found) = found else { return Ok(None) };
        if found.contents.len() as u64 > app::MAX_FILE_BYTES {
            let why = format!("{path}: larger than {} MiB", app::MAX_FILE_BYTES >> 20);
            return Err(Failure::new(Why::Limit, why));
        }
        let shown = format!("{}/{}/{path}", shared.settings.shown, self.host);
        let (path, shared) = (path.to_owned(), shared.clone());
        let is_long = found.contents.len() > LONG_TEXT;
        let work = move || shared.compile(&found, &path, &shown, dialect);
        match is_long {
            false => Ok(Some(work())),
            true => (tokio::task::spawn_blocking(work).await)
                .map(Some)
                .map_err(|_| Failure::new(Why::Unavailable, "the server is stopping")),
        }
    }

    /// The edition that answers now; if there is none, one is made, which [`Site::keep`] has not been told of.
    pub async fn edition(self: &Arc<Self>, shared: &Arc<Shared>) -> Result<Arc<Edition>, Failure> {
        if let Some(edition) = self.current() {
            return Ok(edition);
        }
        let _making = self.making.lock().await;
        match self.current() {
            Some(edition) => Ok(edition),
            None => self.make(shared).await,
        }
    }

    /// Makes the next edition.
    async fn make(self: &Arc<Self>, shared: &Arc<Shared>) -> Result<Arc<Edition>, Failure> {
        let (known, former) = {
            let state = self.state();
            let known = self.number.load(Ordering::Relaxed);
            let former = state.edition.as_ref().map(|edition| edition.app.clone());
            (
                known.max(self.least.load(Ordering::Relaxed).saturating_sub(1)),
                former,
            )
        };
        let shown = format!("{}/{}", shared.settings.shown, self.host);
        let mut made_of = Vec::new();
        let text = match self.file(shared, manifest::FILE, Freshness::Cached).await {
            Ok(found) => found,
            // Sources that let nobody list say this of what is not there.
            Err(failure) if failure.why == Why::Denied => None,
            Err(failure) => return Err(failure),
        };
        made_of.push((
            manifest::FILE.into(),
            text.as_ref().map(|text| text.hash.bytes()),
        ));
        let (manifest, mut problems) = manifest_of(shared, &self.host, text.as_deref(), &shown);
        let mut files = Vec::new();
        if problems.is_empty() {
            for path in named_files(&manifest) {
                let code = match self.code(shared, &path, manifest.dialect).await {
                    Ok(code) => code,
                    Err(failure) if failure.why == Why::Denied => None,
                    Err(failure) => return Err(failure),
                };
                made_of.push((path.as_str().into(), code.as_ref().map(|code| code.stamp)));
                if let Some(code) = code {
                    files.push(CodeFile {
                        path: path.into(),
                        code: code.code,
                        names_exports: code.names_exports,
                    });
                }
            }
            let own = Arc::new(Own {
                shared: Arc::downgrade(shared),
                site: Arc::downgrade(self),
            });
            let loaded = App::on_demand(
                PathBuf::from(&shown),
                manifest,
                files,
                own,
                &shared.settings.admission,
            );
            problems.extend(loaded.problems);
            if let Ok(mut app) = loaded.app {
                for problem in problems {
                    shared.settings.log.line(problem);
                }
                if let Some(former) = &former {
                    app.inherit(former);
                }
                shared.settle(&app);
                return Ok(Arc::new(Edition {
                    number: known + 1,
                    app: Arc::new(app),
                    made_of,
                }));
            }
        }
        for problem in &problems {
            shared.complain(problem);
        }
        let why = format!(
            "the app of '{}' could not be loaded; the server's log says why",
            self.host
        );
        Err(Failure::new(Why::Limit, why))
    }

    /// Whether all that the edition has fetched is as it was. The error is the first file that could not be looked at.
    async fn is_same(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        edition: &Edition,
        freshness: Freshness,
    ) -> (bool, Option<Failure>) {
        let fetched = edition.app.fetched();
        let mut left = edition.made_of.iter().cloned().chain(fetched);
        let mut running = JoinSet::new();
        let (mut same, mut first) = (true, None);
        loop {
            while running.len() < SLOTS {
                let Some((path, stamp)) = left.next() else {
                    break;
                };
                let (site, shared) = (self.clone(), shared.clone());
                running.spawn(async move {
                    let found = site.file(&shared, &path, freshness).await?;
                    Ok(found.map(|found| found.hash.bytes()) == stamp)
                });
            }
            match running.join_next().await {
                None => return (same, first),
                Some(Ok(Ok(is_same))) => same &= is_same,
                // Without an answer it is what it was.
                Some(Ok(Err(failure))) => first = first.or(Some(failure)),
                Some(Err(_)) => {}
            }
        }
    }

    /// Finds out whether there is something new, and makes the next edition of it beside the one that answers.
    pub async fn look(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        freshness: Freshness,
    ) -> Option<Failure> {
        let edition = self.current()?;
        let (is_same, failure) = self.is_same(shared, &edition, freshness).await;
        if is_same {
            return failure;
        }
        let _making = self.making.lock().await;
        if self.number.load(Ordering::Relaxed) != edition.number {
            return failure;
        }
        match self.make(shared).await {
            Ok(next) => {
                self.keep(shared, &next);
                failure
            }
            Err(failure) => {
                shared.complain(&format_args!("{}: goes on as it was: {failure}", self.host));
                Some(failure)
            }
        }
    }
}

/// What the manifest of a host says; without one, what apps of lua-sngin expect.
fn manifest_of(
    shared: &Shared,
    host: &str,
    text: Option<&Found>,
    shown: &str,
) -> (Manifest, Vec<Problem>) {
    let file = format!("{shown}/{}", manifest::FILE);
    let admission = &shared.settings.admission;
    let mut base = Manifest::default_of(host, admission);
    base.dialect = shared.settings.dialect;
    let (mut manifest, mut problems) = match text.map(|text| std::str::from_utf8(&text.contents)) {
        None => (base, Vec::new()),
        Some(Ok(text)) if text.len() as u64 <= manifest::MAX_BYTES => {
            base.with(text, &file, admission)
        }
        Some(Ok(_)) => (base, vec![Problem::new(&file, "larger than 1 MiB")]),
        Some(Err(_)) => (base, vec![Problem::new(&file, "is not UTF-8")]),
    };
    if let Some(task) = manifest.tasks.first() {
        let why = "a host of a bucket has no tasks of its own, since it runs only when it is asked for; deploy the app instead";
        problems.push(Problem::at(&file, task.line, why));
    }
    // Its folder is its name and its only host.
    manifest.name = host.to_owned();
    manifest.hosts.clear();
    (manifest, problems)
}

/// The files that have to be there before the first request.
fn named_files(manifest: &Manifest) -> BTreeSet<String> {
    let own = |path: &str| path.strip_prefix("./").unwrap_or(path).to_owned();
    let routes = manifest.routes.iter().flat_map(|rule| {
        let phases = rule.phases.iter().map(|phase| own(&phase.file));
        std::iter::once(own(&rule.content)).chain(phases)
    });
    std::iter::once(INIT.to_owned())
        .chain(routes)
        .take(MAX_NAMED)
        .collect()
}

/// The files of a host, for its app. The app is in the site, so nothing here keeps that.
#[derive(Debug)]
struct Own {
    shared: Weak<Shared>,
    site: Weak<Site>,
}

impl Files for Own {
    fn code(&self, path: &str, dialect: Dialect) -> Later<Result<Option<Code>, Failure>> {
        let (shared, site) = (self.shared.upgrade(), self.site.upgrade());
        let path = path.to_owned();
        Box::pin(async move {
            let (Some(shared), Some(site)) = (shared, site) else {
                return Err(Failure::new(
                    Why::Unavailable,
                    "the host is not served any more",
                ));
            };
            let known = shared.clone();
            let work = async move { site.code(&known, &path, dialect).await };
            shared.run(work).await
        })
    }

    fn missed(&self, path: &str) {
        if let (Some(shared), Some(site)) = (self.shared.upgrade(), self.site.upgrade()) {
            site.remember_missing(&shared, path);
        }
    }
}
