//! From a source to a bundle.
//!
//! **Invariants.** A fetch ends by its deadline. Dropped before its end it stops: programs are killed, connections closed, and what was
//! written below `STATE/tmp` is removed. What is known already is not fetched again.

use crate::bundle::Bundle;
use crate::cancel::blocking;
use crate::error::{Error, ErrorKind};
use crate::record::Revision;
use crate::source::Source;
use crate::store::Store;
use crate::{folder, git};
use std::sync::Arc;

/// How sources are spoken to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The `git` program.
    pub git: git::Options,
}

/// What came of a fetch.
#[derive(Debug)]
pub enum Outcome {
    /// The source is as it was.
    Unchanged,
    /// It has been fetched.
    Fetched(Fetched),
}

/// What was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its files.
    pub bundle: Bundle,
    /// What the source said of its state.
    pub revision: Option<Revision>,
}

/// Fetches.
#[derive(Debug)]
pub struct Fetcher {
    store: Arc<Store>,
    options: Options,
}

impl Fetcher {
    /// Fetches into `store`.
    pub fn new(store: Arc<Store>, mut options: Options) -> Fetcher {
        if options.git.remembered_hosts == git::Options::default().remembered_hosts {
            options.git.remembered_hosts = store.folder("known_hosts");
        }
        Fetcher { store, options }
    }

    /// Where bundles go.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Fetches a source, unless it is still at the revision that is `known`. Give none if the bundle of that is not here.
    pub async fn fetch(&self, source: &Source, known: Option<&Revision>) -> Result<Outcome, Error> {
        let deadline = self.store.limits().deadline;
        match tokio::time::timeout(deadline, self.fetch_any(source, known)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::new(
                ErrorKind::TimedOut,
                format!("{source} was not fetched within {} seconds; it is tried again later", deadline.as_secs_f32()),
            )),
        }
    }

    async fn fetch_any(&self, source: &Source, known: Option<&Revision>) -> Result<Outcome, Error> {
        let store = self.store.clone();
        let fetched = match source {
            Source::Folder(path) => {
                let path = path.clone();
                let bundle = blocking(move |cancel| folder::copy(&store, &path, cancel)).await?;
                return Ok(Outcome::Fetched(Fetched { bundle, revision: None }));
            }
            Source::Git(git) => git::fetch(&store, &self.options.git, git, known).await?,
            Source::GitHub(_) | Source::S3(_) => return Err(Error::new(ErrorKind::Source, "not yet")),
        };
        Ok(match fetched {
            None => Outcome::Unchanged,
            Some((bundle, revision)) => Outcome::Fetched(Fetched {
                bundle,
                revision: Some(revision),
            }),
        })
    }
}
