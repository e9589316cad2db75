//! Versions of apps as they are in the state folder, and how they become apps.
//!
//! **Invariants.** Nothing here needs a server, and only [`Stock::fetch`] a network. An app that comes from here has been compiled, every file of it, and holds its bundle.

use super::refusal::{Code, Refusal};
use crate::hosts::Claims;
use rille_runtime::app::App;
use rille_runtime::kv;
use rille_runtime::late::Forge;
use rille_runtime::log::Log;
use rille_runtime::manifest::Admission;
use rille_store::{Bundle, BundleId, Error, Fetcher, Outcome, Revision, Source, Store, Version};
use std::sync::Arc;

/// The versions, and what fetches them. All but `fetch` waits for the disk and the compiler.
pub struct Stock {
    fetcher: Arc<Fetcher>,
    kv: Option<Arc<kv::Store>>,
    /// Where their modules of repositories come from.
    forge: Arc<dyn Forge>,
    /// What apps may have whose code is somebody else's.
    admission: Admission,
    log: Log,
}

/// An app that was deployed before.
pub struct Restored {
    /// It can serve.
    pub app: App,
    /// What its record says.
    pub version: Version,
}

impl Stock {
    /// Of what the fetcher fetches. Apps keep their things in `kv`, if there is such a place, have modules of repositories from `forge`, and what `admission` says.
    pub fn new(
        fetcher: Arc<Fetcher>,
        kv: Option<Arc<kv::Store>>,
        forge: Arc<dyn Forge>,
        admission: Admission,
        log: Log,
    ) -> Stock {
        Stock {
            fetcher,
            kv,
            forge,
            admission,
            log,
        }
    }

    /// Where versions are.
    pub fn store(&self) -> &Arc<Store> {
        self.fetcher.store()
    }

    /// Where apps keep their things.
    pub fn kv(&self) -> Option<&Arc<kv::Store>> {
        self.kv.as_ref()
    }

    /// Where lines go.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Fetches a source, unless it is at the revision that is known.
    pub async fn fetch(&self, source: &Source, known: Option<&Revision>) -> Result<Outcome, Error> {
        self.fetcher.fetch(source, known).await
    }

    /// Fetches an app's source, unless its newest version is what is there.
    pub async fn fetch_for(&self, name: &str, source: &Source) -> Result<Outcome, Error> {
        self.fetcher.fetch_for(name, source).await
    }

    /// The app in a bundle. What does not keep it from serving is told; the error is the first thing that does.
    pub fn load(&self, name: &str, bundle: Bundle) -> Result<App, Refusal> {
        let folder = bundle.folder().to_owned();
        let loaded = App::load_as(name, &folder, bundle, &self.admission);
        let refuse = |why: String| Refusal::new(Code::AppRefused, why);
        let Ok(app) = loaded.app else {
            let first = loaded.problems.first().map(ToString::to_string);
            return Err(refuse(
                first.unwrap_or_else(|| format!("{name} cannot be loaded")),
            ));
        };
        if let Some(problem) = app.files.iter().find_map(|file| file.code.as_ref().err()) {
            return Err(refuse(problem.to_string()));
        }
        if app.files.is_empty() && app.public.is_none() {
            return Err(refuse(format!(
                "{name}: there is no Lua file and no public folder at the source; name the folder that has the app"
            )));
        }
        for problem in &loaded.problems {
            self.log.app_line(name, problem);
        }
        app.fetch_from(&self.forge);
        if let Some(kv) = &self.kv {
            app.keep_in(kv);
        }
        Ok(app)
    }

    /// The newest version of an app that can serve. What is wrong with newer ones is told.
    pub fn restore(&self, name: &str) -> Result<Restored, Refusal> {
        let mut first = None;
        for version in self.store().versions(name)? {
            match self.load_recorded(name, version.bundle) {
                Ok(app) => return Ok(Restored { app, version }),
                Err(refusal) => {
                    self.log
                        .app_line(name, format_args!("a version is left out: {refusal}"));
                    first.get_or_insert(refusal);
                }
            }
        }
        Err(first.unwrap_or_else(|| Refusal::no_app(name)))
    }

    /// The app in a bundle that is here already.
    pub fn load_recorded(&self, name: &str, bundle: BundleId) -> Result<App, Refusal> {
        self.load(name, self.store().bundle(bundle)?)
    }

    /// The apps that were deployed and that fit beside those that are claimed: all, or those of these names. What does not fit is told and left out.
    pub fn restore_all(&self, claims: &mut Claims, only: Option<&[String]>) -> Vec<Restored> {
        let mut names = match self.store().apps() {
            Ok(names) => names,
            Err(error) => {
                self.log.line(error);
                return Vec::new();
            }
        };
        names.retain(|name| only.is_none_or(|only| only.contains(name)));
        let restored = names.iter().filter_map(|name| {
            let restored = self.restore(name).and_then(|restored| {
                let claimed = claims.claim(&restored.app.manifest);
                claimed.map_err(|why| Refusal::new(Code::AppRefused, why))?;
                Ok(restored)
            });
            let tell = |refusal: &Refusal| {
                self.log
                    .app_line(name, format_args!("not served: {refusal}"))
            };
            restored.inspect_err(tell).ok()
        });
        restored.collect()
    }
}
