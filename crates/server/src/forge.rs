//! Modules of repositories: `require "github.com/OWNER/REPO/blob/REF/FILE.lua"`.
//!
//! **Invariants.** A repository is fetched as a bundle, checked and whole, and with nobody's token: scripts get what everybody may read. One that is
//! there is asked for again after [`REVALIDATE`] at the earliest, and if there is no answer it goes on as it was. So many are fetched at a time, and
//! so many are known.

use rille_lua::Dialect;
use rille_runtime::app::{MAX_FILE_BYTES, compile_text};
use rille_runtime::late::{Code, Failure, Files, Forge, Later, Why};
use rille_store::{Bundle, BundlePath, Error, ErrorKind, Fetcher, Module, Outcome, Revision};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// How long a repository is taken for granted.
const REVALIDATE: Duration = Duration::from_secs(3600);
/// How long it is remembered that one could not be fetched: scripts do not ask GitHub in a loop.
const NEGATIVE: Duration = Duration::from_secs(10);
/// The most repositories, each at a reference, that are known.
const MAX_KNOWN: usize = 256;
/// Repositories that are fetched at a time.
const FETCHES: usize = 4;

/// What makes the fetcher, when the first module is asked for.
pub type Open = Box<dyn Fn() -> Result<Arc<Fetcher>, String> + Send + Sync>;

/// Repositories, as bundles.
pub struct Repositories(Arc<Shared>);

struct Shared {
    open: Open,
    runtime: Handle,
    known: Mutex<HashMap<Box<str>, Repository>>,
    /// Those that could not be fetched, until when.
    failed: Mutex<HashMap<Box<str>, (Instant, Error)>>,
    fetches: Semaphore,
}

#[derive(Debug, Clone)]
struct Repository {
    bundle: Bundle,
    revision: Option<Revision>,
    checked: Instant,
}

impl fmt::Debug for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repositories")
    }
}

impl Repositories {
    /// Fetches on this runtime, which is no worker's and lasts.
    pub fn new(open: Open, runtime: Handle) -> Repositories {
        Repositories(Arc::new(Shared {
            open,
            runtime,
            known: Mutex::default(),
            failed: Mutex::default(),
            fetches: Semaphore::new(FETCHES),
        }))
    }
}

impl Forge for Repositories {
    fn open(&self, name: &str) -> Later<Result<Arc<dyn Files>, Failure>> {
        let (shared, name) = (self.0.clone(), name.to_owned());
        Box::pin(async move {
            let runtime = shared.runtime.clone();
            let work = async move {
                let bundle = shared
                    .bundle(&name)
                    .await
                    .map_err(|error| failure(&error))?;
                let files = Pinned {
                    name: name.into(),
                    bundle,
                    runtime: shared.runtime.clone(),
                };
                Ok(Arc::new(files) as Arc<dyn Files>)
            };
            runtime.spawn(work).await.map_err(stopping)?
        })
    }
}

fn stopping(_: tokio::task::JoinError) -> Failure {
    Failure::new(Why::Unavailable, "the server is stopping")
}

fn failure(error: &Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::TooLarge | ErrorKind::Full => Why::Limit,
        ErrorKind::TimedOut => Why::Late,
        _ => Why::Unavailable,
    };
    Failure::new(why, error.to_string())
}

impl Shared {
    fn find(&self, name: &str) -> Option<Repository> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// Why a repository could not be fetched a moment ago.
    fn failure(&self, name: &str) -> Option<Error> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, error) = failed.get(name)?;
        (*until > Instant::now()).then(|| error.clone())
    }

    fn fail(&self, name: &str, error: &Error) {
        let now = Instant::now();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MAX_KNOWN {
            failed.retain(|_, (until, _)| *until > now);
        }
        if failed.len() < MAX_KNOWN {
            failed.insert(name.into(), (now + NEGATIVE, error.clone()));
        }
    }

    /// A repository as it is, or was lately.
    async fn bundle(&self, name: &str) -> Result<Bundle, Error> {
        let fresh = |known: &Repository| known.checked.elapsed() < REVALIDATE;
        if let Some(known) = self.find(name).filter(fresh) {
            return Ok(known.bundle);
        }
        let unavailable = |why: String| Error::new(ErrorKind::Unavailable, why);
        let stopping = |_| unavailable("the server is stopping".to_owned());
        let _fetch = self.fetches.acquire().await.map_err(stopping)?;
        // Who was before may have fetched it.
        let known = self.find(name);
        if let Some(known) = known.clone().filter(fresh) {
            return Ok(known.bundle);
        }
        if let Some(error) = self.failure(name) {
            return Err(error);
        }
        // The name of any file makes it a module's.
        let module = Module::parse(&format!("{name}/init.lua"));
        let module = module.unwrap_or_else(|| Err(unavailable(format!("{name} is none"))))?;
        let fetcher = (self.open)().map_err(unavailable)?;
        let revision = known.as_ref().and_then(|known| known.revision.clone());
        let repository = match (
            fetcher.fetch_module(&module, revision.as_ref()).await,
            known,
        ) {
            (Ok(Outcome::Fetched(fetched)), _) => Repository {
                bundle: fetched.bundle,
                revision: fetched.revision,
                checked: Instant::now(),
            },
            (Ok(Outcome::Unchanged), Some(known)) => Repository {
                checked: Instant::now(),
                ..known
            },
            (Ok(Outcome::Unchanged), None) => {
                return Err(unavailable(format!(
                    "{name}: it was not asked whether it has changed"
                )));
            }
            // Without an answer it is what it was.
            (Err(_), Some(known)) => return Ok(known.bundle),
            (Err(error), None) => {
                self.fail(name, &error);
                return Err(error);
            }
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KNOWN && !all.contains_key(name) {
            let oldest = all.iter().min_by_key(|(_, known)| known.checked);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(name.into(), repository.clone());
        Ok(repository.bundle)
    }
}

/// The files of a repository in one state of it.
struct Pinned {
    name: Arc<str>,
    bundle: Bundle,
    runtime: Handle,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.name)
    }
}

impl Files for Pinned {
    fn code(&self, path: &str, dialect: Dialect) -> Later<Result<Option<Code>, Failure>> {
        let (bundle, runtime) = (self.bundle.clone(), self.runtime.clone());
        let shown = format!("{}/{path}", self.name);
        let path = path.to_owned();
        let work = move || {
            let Ok(path) = BundlePath::new(path.as_bytes()) else {
                return Ok(None);
            };
            match bundle.index().get(path.as_str()) {
                None => return Ok(None),
                Some(entry) if entry.size > MAX_FILE_BYTES => {
                    let why = format!("{shown}: larger than {} MiB", MAX_FILE_BYTES >> 20);
                    return Err(Failure::new(Why::Limit, why));
                }
                Some(_) => {}
            }
            let text = bundle.read(&path).map_err(|error| failure(&error))?;
            Ok(Some(compile_text(&shown, &shown, &text, dialect)))
        };
        Box::pin(async move { runtime.spawn_blocking(work).await.map_err(stopping)? })
    }
}
