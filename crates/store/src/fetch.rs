//! From a source to a bundle.
//!
//! **Invariants.** A fetch ends by its deadline. Dropped before its end it stops: programs are killed, connections closed, and what was
//! written below `STATE/tmp` is removed. What is known already is not fetched again.

use crate::bundle::Bundle;
use crate::cancel::blocking;
use crate::error::{Error, ErrorKind};
use crate::http::Client;
use crate::on_demand::{CacheOptions, OnDemand};
use crate::record::Revision;
use crate::source::{Module, S3, Source};
use crate::store::Store;
use crate::{folder, git, github, s3};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// How sources are spoken to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The `git` program.
    pub git: git::Options,
    /// GitHub.
    pub github: github::Options,
    /// S3.
    pub s3: s3::Options,
    /// Certificates to trust besides the system's, for GitHub and S3.
    pub ca_file: Option<PathBuf>,
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

/// Fetches. Connections that are kept belong to the runtime they were made on, so one fetcher should stay on one that lasts.
#[derive(Debug)]
pub struct Fetcher {
    store: Arc<Store>,
    options: Options,
    /// Made when it is needed: it has all of the system's certificates.
    client: OnceCell<Client>,
}

impl Fetcher {
    /// Fetches into `store`.
    pub fn new(store: Arc<Store>, mut options: Options) -> Fetcher {
        if options.git.remembered_hosts == git::Options::default().remembered_hosts {
            options.git.remembered_hosts = store.folder("known_hosts");
        }
        Fetcher {
            store,
            options,
            client: OnceCell::new(),
        }
    }

    /// Where bundles go.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Fetches a source, unless it is still at the revision that is `known`. Give none if the bundle of that is not here.
    pub async fn fetch(&self, source: &Source, known: Option<&Revision>) -> Result<Outcome, Error> {
        self.in_time(source, self.fetch_any(source, known)).await
    }

    async fn fetch_any(&self, source: &Source, known: Option<&Revision>) -> Result<Outcome, Error> {
        let store = self.store.clone();
        let fetched = match source {
            Source::Folder(path) => {
                let path = path.clone();
                let bundle = blocking(move |cancel| folder::copy(&store, &path, cancel)).await?;
                return Ok(Outcome::Fetched(Fetched {
                    bundle,
                    revision: None,
                }));
            }
            Source::Git(git) => git::fetch(&store, &self.options.git, git, known).await?,
            Source::GitHub(github) => {
                github::fetch(
                    &store,
                    self.client().await?,
                    &self.options.github,
                    github,
                    known,
                )
                .await?
            }
            Source::S3(s3) => {
                s3::fetch(&store, self.client().await?, &self.options.s3, s3, known).await?
            }
        };
        Ok(outcome(fetched))
    }

    /// Fetches a source for an app, unless the app's newest version is what is there: a bundle that is corrupt is fetched again.
    pub async fn fetch_for(&self, app: &str, source: &Source) -> Result<Outcome, Error> {
        let (store, app, asked) = (self.store.clone(), app.to_owned(), source.clone());
        let known = blocking(move |_| {
            let newest = store.versions(&app)?.into_iter().next();
            let newest = newest.filter(|newest| newest.source == asked);
            let whole = newest.filter(|newest| store.bundle(newest.bundle).is_ok());
            Ok(whole.and_then(|newest| newest.revision))
        })
        .await?;
        self.fetch(source, known.as_ref()).await
    }

    /// Fetches the repository of a module that a script asks for. Scripts are not who the token belongs to, so it is not used: they
    /// get what everybody may read.
    pub async fn fetch_module(
        &self,
        module: &Module,
        known: Option<&Revision>,
    ) -> Result<Outcome, Error> {
        let options = github::Options {
            token: None,
            ..self.options.github.clone()
        };
        let fetch = async {
            let client = self.client().await?;
            github::fetch(&self.store, client, &options, &module.repository, known).await
        };
        self.in_time(&module.repository, fetch).await.map(outcome)
    }

    /// What a fetch comes to before its deadline.
    async fn in_time<T>(
        &self,
        what: &impl fmt::Display,
        fetch: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let deadline = self.store.limits().deadline;
        let late = |_| {
            let seconds = deadline.as_secs_f32();
            Error::new(
                ErrorKind::TimedOut,
                format!("{what} was not fetched within {seconds} seconds; it is tried again later"),
            )
        };
        tokio::time::timeout(deadline, fetch).await.map_err(late)?
    }

    async fn client(&self) -> Result<&Client, Error> {
        let make = || Client::new(self.options.ca_file.as_deref(), self.store.limits().stall);
        self.client.get_or_try_init(make).await
    }

    /// Files of a bucket, each fetched when it is asked for, with caches in memory and below the state folder.
    pub async fn on_demand(
        &self,
        source: &S3,
        options: CacheOptions,
    ) -> Result<OnDemand<s3::Files>, Error> {
        let client = self.client().await?.clone();
        let files = s3::Files::new(client, &self.options.s3, source, options.file_bytes)?;
        OnDemand::open(files, &self.store, &source.to_string(), options).await
    }
}

fn outcome(fetched: Option<(Bundle, Revision)>) -> Outcome {
    match fetched {
        None => Outcome::Unchanged,
        Some((bundle, revision)) => Outcome::Fetched(Fetched {
            bundle,
            revision: Some(revision),
        }),
    }
}
