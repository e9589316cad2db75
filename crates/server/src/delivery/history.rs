//! What has been: versions to go back to, and apps that go.
//!
//! **Invariants.** What serves after a rollback is what was recorded, and holds until its source has something new: it is recorded with what the source said
//! last. An app that is removed is forgotten before it stops, so that nothing brings it back.

use super::{Code, Delivery, Done, Refusal, blocking, finished, refused, version};
use rille_store::{BundleId, Revision, Version};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a removed app's last requests may keep it from being forgotten, beyond the grace of its tasks.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(10);
/// A version in an app's history.
#[derive(Debug, Clone)]
pub struct Past {
    /// What is recorded.
    pub version: Version,
    /// Whether it serves.
    pub serves: bool,
}

impl Delivery {
    /// Serves a version from before: the last other one, or the one whose bundle's name begins with `to`.
    pub async fn rollback(&self, name: &str, to: Option<&str>) -> Result<Done, Refusal> {
        let (me, name) = (self.clone(), name.to_owned());
        let to = to.map(str::to_owned);
        finished(async move {
            let _lock = me.lock_known(&name).await?;
            me.check_origin(&name)?;
            let task = (me.clone(), name.clone());
            let done = blocking(move || task.0.roll_back(&task.1, to.as_deref())).await;
            if let Err(refusal) = &done {
                let log = me.0.stock.log();
                log.app_line(&name, format_args!("not rolled back: {refusal}"));
            }
            done
        })
        .await
    }

    fn roll_back(&self, name: &str, to: Option<&str>) -> Result<Done, Refusal> {
        let versions = self.0.stock.store().versions(name)?;
        let newest = versions.first().ok_or_else(|| Refusal::no_app(name))?;
        let is_it = |version: &&Version| match to {
            Some(to) => version.bundle.to_string().starts_with(to),
            None => version.bundle != newest.bundle,
        };
        let chosen = versions.iter().find(is_it).ok_or_else(|| {
            let why = match to {
                Some(to) => format!("app '{name}' has had no version {to}"),
                None => {
                    format!("app '{name}' has had one version only: there is none to go back to")
                }
            };
            Refusal::new(Code::NotFound, why)
        })?;
        let app = self.0.stock.load_recorded(name, chosen.bundle)?;
        let number = self.put_in_place(app, chosen.bundle)?;
        // With what the source says now, so that it counts as unchanged until it says something else.
        let revision = match chosen.source == newest.source {
            true => newest.revision.clone(),
            false => chosen.revision.clone(),
        };
        self.record(
            name,
            number,
            version(chosen.bundle, revision, &chosen.source),
        )?;
        Ok(Done {
            app: name.to_owned(),
            changed: chosen.bundle != newest.bundle,
            number,
            bundle: Some(chosen.bundle),
            source: chosen.source.clone(),
            revision: original(&versions, chosen.bundle),
        })
    }

    /// Serves an app no more, and forgets all it has kept.
    pub async fn remove(&self, name: &str) -> Result<(), Refusal> {
        let (me, name) = (self.clone(), name.to_owned());
        finished(async move {
            let _lock = me.lock_known(&name).await?;
            me.check_origin(&name)?;
            me.remove_locked(&name).await
        })
        .await
    }

    async fn remove_locked(&self, name: &str) -> Result<(), Refusal> {
        let (me, owned) = (self.clone(), name.to_owned());
        let current = self.0.deployer.current(name);
        let until = current
            .as_ref()
            .map_or(Duration::ZERO, |app| app.manifest.deploy.grace + FAREWELL);
        let last = current.as_ref().map(Arc::downgrade);
        drop(current);
        let is_served = last.is_some();
        blocking(move || {
            let store = me.0.stock.store();
            let is_recorded = !store.versions(&owned)?.is_empty();
            // It is forgotten first: what is killed in between does not come back.
            if is_recorded {
                store.forget(&owned)?;
            }
            if is_served {
                me.0.deployer.remove(&owned).map_err(refused)?;
            }
            Ok(())
        })
        .await?;
        // Requests that have begun may still write.
        let start = Instant::now();
        while last.as_ref().is_some_and(|last| last.strong_count() > 0) && start.elapsed() < until {
            tokio::time::sleep(LOOK).await;
        }
        let cleared = match self.0.stock.kv() {
            Some(kv) => kv.clear(name).await,
            None => Ok(()),
        };
        self.known().remove(name);
        self.0.stock.log().app_line(name, "removed");
        cleared.map_err(|error| {
            Refusal::new(
                Code::Internal,
                format!("app '{name}' is removed, but not what it kept in kv: {error}"),
            )
        })
    }

    /// An app's versions, the newest first.
    pub fn versions(&self, name: &str) -> Result<Vec<Past>, Refusal> {
        let versions = self.0.stock.store().versions(name)?;
        if versions.is_empty() && self.status(name).is_none() {
            return Err(Refusal::no_app(name));
        }
        let serves = self.known().get(name).and_then(|known| known.serves);
        let mut marked = false;
        let past = versions.iter().map(|version| {
            let is_it = !marked && serves == Some(version.bundle);
            marked |= is_it;
            Past {
                version: Version {
                    revision: original(&versions, version.bundle),
                    ..version.clone()
                },
                serves: is_it,
            }
        });
        Ok(past.collect())
    }
}

/// What the source said of a bundle when it was fetched: a rollback has another revision in its record.
fn original(versions: &[Version], bundle: BundleId) -> Option<Revision> {
    let first = versions.iter().rfind(|version| version.bundle == bundle);
    first.and_then(|version| version.revision.clone())
}
