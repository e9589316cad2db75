//! Apps from sources: deployed, rolled back, refreshed and removed while the server runs.
//!
//! ```text
//!   deploy(name, source): fetch -> bundle -> compile -> Deployer (prepare, commit) -> record
//!   rollback(name):             recorded bundle -> compile -> Deployer -> record, with the revision that it is a rollback from
//!   refetch(name):        the recorded source again, with its revision: unchanged costs one question
//! ```
//!
//! **Invariants.** One thing at a time is done to an app. What is recorded has served: a version that was refused is in no record, so that a restart
//! begins with what served last. A rollback holds until its source has something new. What was refused is not tried again by itself.
//! Everything that has begun is finished, whether or not somebody waits for it.

mod history;
mod refusal;
mod stock;

pub use history::Past;
pub use refusal::{Code, Refusal};
pub use stock::{Restored, Stock};

use crate::deploy::{Deployer, Status};
use rille_runtime::app::App;
use rille_runtime::manifest;
use rille_runtime::problem::Problem;
use rille_store::{BundleId, Fetched, Keep, Outcome, Revision, Source, Version};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{OwnedMutexGuard, Semaphore};

/// Deploys at once, of all apps.
const AT_ONCE: usize = 4;
/// How long one waits for another of the same app.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most apps that something is known of.
const MAX_KNOWN: usize = crate::deploy::MAX_APPS;

/// Changes what a server serves, from sources. Clones are handles to the same one. Its futures are for one runtime, which has to last.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    stock: Stock,
    deployer: Deployer,
    apps: Mutex<HashMap<String, Known>>,
    room: Arc<Semaphore>,
}

/// What is known of an app besides its record.
#[derive(Default)]
struct Known {
    /// Held by who changes it.
    lock: Arc<tokio::sync::Mutex<()>>,
    /// What serves.
    serves: Option<BundleId>,
    /// What was wanted last; it may never have come.
    wanted: Option<Source>,
    /// What was refused last, so that it is not tried again by itself.
    refused: Option<Refused>,
    /// What came of the last attempt.
    last: Option<Attempt>,
    /// Whether somebody waits to fetch it again.
    is_asked_again: bool,
}

#[derive(Clone)]
struct Refused {
    source: Source,
    revision: Option<Revision>,
    bundle: BundleId,
}

/// What came of an attempt to change an app.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When, in seconds since 1970.
    pub at: u64,
    /// From where.
    pub source: String,
    /// Why not.
    pub refusal: Option<Refusal>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The app.
    pub app: String,
    /// Whether another version serves than before.
    pub changed: bool,
    /// Its number.
    pub number: u64,
    /// What serves.
    pub bundle: Option<BundleId>,
    /// Where it is from.
    pub source: Source,
    /// What the source said.
    pub revision: Option<Revision>,
}

/// How a source is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Somebody wants what is there now.
    Anew,
    /// If it has changed.
    IfChanged,
}

impl Delivery {
    /// Into a server that serves `restored` already.
    pub fn new(
        stock: Stock,
        deployer: Deployer,
        restored: impl IntoIterator<Item = (String, Version)>,
    ) -> Delivery {
        let known = |(name, version): (String, Version)| {
            let known = Known {
                serves: Some(version.bundle),
                ..Known::default()
            };
            (name, known)
        };
        Delivery(Arc::new(Inner {
            stock,
            deployer,
            apps: Mutex::new(restored.into_iter().map(known).collect()),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }))
    }

    /// What replaces apps.
    pub fn deployer(&self) -> &Deployer {
        &self.0.deployer
    }

    /// The versions, and what fetches them.
    pub fn stock(&self) -> &Stock {
        &self.0.stock
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves what is at a source under a name.
    pub async fn deploy(&self, name: &str, source: Source, how: How) -> Result<Done, Refusal> {
        check_name(name)?;
        if let Source::Folder(path) = &source
            && !path.is_absolute()
        {
            return Err(Refusal::new(
                Code::BadRequest,
                format!(
                    "{}: give the whole path of the folder, from / on: it is one of the server's machine",
                    path.display()
                ),
            ));
        }
        let (me, name) = (self.clone(), name.to_owned());
        finished(async move {
            let _lock = me.lock(&name).await?;
            me.deploy_locked(&name, source, how).await
        })
        .await
    }

    async fn deploy_locked(&self, name: &str, source: Source, how: How) -> Result<Done, Refusal> {
        self.check_origin(name)?;
        if let Some(known) = self.known().get_mut(name) {
            known.wanted = Some(source.clone());
        }
        let done = self.fetch_and_serve(name, &source, how).await;
        self.note(name, &source, done.as_ref().err());
        done
    }

    async fn fetch_and_serve(
        &self,
        name: &str,
        source: &Source,
        how: How,
    ) -> Result<Done, Refusal> {
        let _room = self.0.room.acquire().await;
        let refused = self
            .known()
            .get(name)
            .and_then(|known| known.refused.clone());
        let refused = refused.filter(|refused| how == How::IfChanged && refused.source == *source);
        let stock = &self.0.stock;
        let outcome = match (&refused, how) {
            (Some(refused), _) => stock.fetch(source, refused.revision.as_ref()).await?,
            (None, How::IfChanged) => stock.fetch_for(name, source).await?,
            (None, How::Anew) => stock.fetch(source, None).await?,
        };
        let fetched = match outcome {
            Outcome::Unchanged => return self.as_it_is(name, source, None).await,
            Outcome::Fetched(fetched) => fetched,
        };
        let id = fetched.bundle.id();
        if refused.is_some_and(|refused| refused.bundle == id) {
            return self.as_it_is(name, source, None).await;
        }
        let serves = self.known().get(name).and_then(|known| known.serves);
        if serves == Some(id) && self.0.deployer.current(name).is_some() {
            return self.as_it_is(name, source, Some(fetched)).await;
        }
        let (me, name, source) = (self.clone(), name.to_owned(), source.clone());
        blocking(move || me.serve(&name, &source, fetched)).await
    }

    /// Nothing has to be deployed; what was fetched is recorded, since its source or revision may be new.
    async fn as_it_is(
        &self,
        name: &str,
        source: &Source,
        fetched: Option<Fetched>,
    ) -> Result<Done, Refusal> {
        let number = self.status(name).map_or(0, |status| status.version.number);
        let (me, name, source) = (self.clone(), name.to_owned(), source.clone());
        blocking(move || {
            let store = me.0.stock.store();
            let newest = store.versions(&name)?.into_iter().next();
            let (bundle, revision) = match fetched {
                None => (
                    newest.as_ref().map(|newest| newest.bundle),
                    newest.and_then(|newest| newest.revision),
                ),
                Some(fetched) => {
                    let bundle = fetched.bundle.id();
                    let is_new = newest.is_none_or(|newest| {
                        newest.bundle != bundle
                            || newest.source != source
                            || newest.revision != fetched.revision
                    });
                    if is_new {
                        let version = version(bundle, fetched.revision.clone(), &source);
                        store.record(&name, version)?;
                    }
                    (Some(bundle), fetched.revision)
                }
            };
            Ok(Done {
                app: name,
                changed: false,
                number,
                bundle,
                source,
                revision,
            })
        })
        .await
    }

    /// Serves what was fetched, and records that.
    fn serve(&self, name: &str, source: &Source, fetched: Fetched) -> Result<Done, Refusal> {
        let (id, revision) = (fetched.bundle.id(), fetched.revision);
        let app = self.0.stock.load(name, fetched.bundle);
        let served = app.and_then(|app| self.put_in_place(app, id));
        let number = served.inspect_err(|_| {
            if let Some(known) = self.known().get_mut(name) {
                known.refused = Some(Refused {
                    source: source.clone(),
                    revision: revision.clone(),
                    bundle: id,
                });
            }
        })?;
        self.record(name, number, version(id, revision.clone(), source))?;
        Ok(Done {
            app: name.to_owned(),
            changed: true,
            number,
            bundle: Some(id),
            source: source.clone(),
            revision,
        })
    }

    /// Serves an app; the number of its version.
    fn put_in_place(&self, app: App, id: BundleId) -> Result<u64, Refusal> {
        let name = app.name().to_owned();
        let version = self.0.deployer.deploy(app).map_err(refused)?;
        if let Some(known) = self.known().get_mut(&name) {
            known.serves = Some(id);
            known.refused = None;
        }
        Ok(version.number)
    }

    fn record(&self, name: &str, number: u64, version: Version) -> Result<(), Refusal> {
        let (store, log) = (self.0.stock.store(), self.0.stock.log());
        log.app_line(
            name,
            format_args!("version {number} serves, from {}", version.source),
        );
        store.record(name, version).map_err(|error| {
            let refusal = Refusal::from(error);
            let message = format!(
                "version {number} of app '{name}' serves, but a restart begins with the one before, since it is not recorded: {refusal}"
            );
            Refusal::new(refusal.code, message)
        })?;
        // What no app needs any more; what is left is tried again after the next deploy.
        if let Err(error) = store.clean(&Keep::default()) {
            log.line(error);
        }
        Ok(())
    }

    /// Looks whether an app's source has something new, now or as soon as what is being done to it is done.
    pub async fn refetch(&self, name: &str, how: How) -> Result<Done, Refusal> {
        let (me, name) = (self.clone(), name.to_owned());
        finished(async move {
            let _lock = me.lock_known(&name).await?;
            let source = me.source_of(&name).await?;
            me.deploy_locked(&name, source, how).await
        })
        .await
    }

    /// The same, without waiting for it. Whoever asks while somebody else has asked and not been heard is heard with them.
    pub fn refetch_soon(&self, name: &str) -> Result<(), Refusal> {
        match self.known().get_mut(name) {
            None => return Err(Refusal::no_app(name)),
            Some(known) if known.is_asked_again => return Ok(()),
            Some(known) => known.is_asked_again = true,
        }
        let (me, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let Some(lock) = me.known().get(&name).map(|known| known.lock.clone()) else {
                return;
            };
            let _lock = lock.lock_owned().await;
            if let Some(known) = me.known().get_mut(&name) {
                known.is_asked_again = false;
            }
            // What came of it is noted.
            if let Ok(source) = me.source_of(&name).await {
                let _ = me.deploy_locked(&name, source, How::IfChanged).await;
            }
        });
        Ok(())
    }

    /// Looks for something new in every app's source, again and again.
    pub async fn refresh(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let names: Vec<String> = self.known().keys().cloned().collect();
            let mut running = tokio::task::JoinSet::new();
            for name in names {
                let me = self.clone();
                running.spawn(async move {
                    // Somebody is at it.
                    let Ok(lock) = me.try_lock(&name) else { return };
                    if let Ok(source) = me.source_of(&name).await
                        && !matches!(source, Source::Folder(_))
                    {
                        let _ = me.deploy_locked(&name, source, How::IfChanged).await;
                    }
                    drop(lock);
                });
            }
            while running.join_next().await.is_some() {}
        }
    }

    /// What came of the last attempt to change an app.
    pub fn last_attempt(&self, name: &str) -> Option<Attempt> {
        self.known().get(name)?.last.clone()
    }

    /// Names of apps that were to be deployed, whether or not they serve.
    pub fn names(&self) -> Vec<String> {
        self.known().keys().cloned().collect()
    }

    /// How an app is served.
    pub fn status(&self, name: &str) -> Option<Status> {
        let list = self.0.deployer.list();
        list.into_iter().find(|status| status.version.app == name)
    }

    /// An error for an app that is there but was not deployed.
    fn check_origin(&self, name: &str) -> Result<(), Refusal> {
        match self.status(name) {
            Some(status) if !status.is_deployed => {
                let folder = status.folder.map(|folder| folder.display().to_string());
                Err(Refusal::new(
                    Code::NotDeployed,
                    format!(
                        "app '{name}' is served from {}, as the command line of rille serve says; change it there, or take another name",
                        folder.as_deref().unwrap_or("a folder")
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Where an app is from, or was to be.
    async fn source_of(&self, name: &str) -> Result<Source, Refusal> {
        let wanted = self
            .known()
            .get(name)
            .and_then(|known| known.wanted.clone());
        let (me, owned) = (self.clone(), name.to_owned());
        let newest = blocking(move || Ok(me.0.stock.store().versions(&owned)?.into_iter().next()));
        match (newest.await?, wanted) {
            (Some(newest), _) => Ok(newest.source),
            (None, Some(wanted)) => Ok(wanted),
            (None, None) => Err(Refusal::no_app(name)),
        }
    }

    /// Notes and tells what came of an attempt. What is the same as the last time is not told again.
    fn note(&self, name: &str, source: &Source, refusal: Option<&Refusal>) {
        let attempt = Attempt {
            at: now(),
            source: source.to_string(),
            refusal: refusal.cloned(),
        };
        let mut apps = self.known();
        let Some(known) = apps.get_mut(name) else {
            return;
        };
        let before = known.last.replace(attempt);
        drop(apps);
        let before = before.and_then(|before| before.refusal);
        let Some(refusal) = refusal.filter(|refusal| before.as_ref() != Some(refusal)) else {
            return;
        };
        let rest = match self.0.deployer.current(name) {
            Some(_) => "; the version that serves goes on",
            None => "",
        };
        let log = self.0.stock.log();
        log.app_line(name, format_args!("not deployed: {refusal}{rest}"));
    }

    /// Waits until nobody else changes an app that may be new.
    async fn lock(&self, name: &str) -> Result<OwnedMutexGuard<()>, Refusal> {
        let lock = {
            let mut apps = self.known();
            if apps.len() >= MAX_KNOWN && !apps.contains_key(name) {
                let why = format!("there are {MAX_KNOWN} apps already");
                return Err(Refusal::new(Code::AppRefused, why));
            }
            apps.entry(name.to_owned()).or_default().lock.clone()
        };
        wait_for(name, lock).await
    }

    /// The same for one that is known.
    async fn lock_known(&self, name: &str) -> Result<OwnedMutexGuard<()>, Refusal> {
        let lock = self.known().get(name).map(|known| known.lock.clone());
        match lock {
            Some(lock) => wait_for(name, lock).await,
            None => {
                self.check_origin(name)?;
                Err(Refusal::no_app(name))
            }
        }
    }

    fn try_lock(&self, name: &str) -> Result<OwnedMutexGuard<()>, Refusal> {
        let lock = self.known().get(name).map(|known| known.lock.clone());
        let lock = lock.ok_or_else(|| Refusal::no_app(name))?;
        lock.try_lock_owned().map_err(|_| busy(name))
    }
}

async fn wait_for(
    name: &str,
    lock: Arc<tokio::sync::Mutex<()>>,
) -> Result<OwnedMutexGuard<()>, Refusal> {
    let locked = tokio::time::timeout(PATIENCE, lock.lock_owned()).await;
    locked.map_err(|_| busy(name))
}

fn busy(name: &str) -> Refusal {
    Refusal::new(
        Code::Busy,
        format!("app '{name}' is being deployed by somebody else; try again when that is done"),
    )
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let starts_well = !name.starts_with(['.', '-']);
    match manifest::check_name(name) {
        Ok(()) if starts_well => Ok(()),
        Ok(()) => Err(Refusal::new(
            Code::BadRequest,
            format!("'{name}' cannot be an app's name: it begins with a letter or a digit"),
        )),
        Err(why) => Err(Refusal::new(Code::BadRequest, why)),
    }
}

fn refused(problem: Problem) -> Refusal {
    Refusal::new(Code::AppRefused, problem.to_string())
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn now() -> u64 {
    seconds(SystemTime::now())
}

fn version(bundle: BundleId, revision: Option<Revision>, source: &Source) -> Version {
    Version {
        bundle,
        since: now(),
        revision,
        source: source.clone(),
    }
}

/// Does it to its end, also if nobody waits for it any more.
async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "the server is stopping")))
}

/// Waits for the disk, the compiler and workers on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "the server is stopping")))
}
