//! What fetches code while the server runs: its own thread, the state folder, and the sources.
//!
//! **Invariant:** nothing is made on the disk before something is fetched, and without a state folder all of it is gone when the program ends.

use rille_runtime::late::Forge;
use rille_server::Repositories;
use rille_store::{Fetcher, Limits, Options, Secret, Store, github, s3};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Fetches, on a thread of its own. Clones are handles to the same one.
#[derive(Clone)]
pub struct Fetching(Arc<Shared>);

struct Shared {
    runtime: Handle,
    folder: PathBuf,
    is_temporary: bool,
    /// Made when it is needed.
    fetcher: Mutex<Option<Arc<Fetcher>>>,
}

impl Fetching {
    /// With this state folder, or one that goes with the program.
    pub fn start(state: Option<PathBuf>) -> std::io::Result<Fetching> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("fetch".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        let is_temporary = state.is_none();
        let temporary = || std::env::temp_dir().join(format!("rille-{}", std::process::id()));
        Ok(Fetching(Arc::new(Shared {
            runtime: handle,
            folder: state.unwrap_or_else(temporary),
            is_temporary,
            fetcher: Mutex::default(),
        })))
    }

    /// Where it fetches.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// The fetcher. The error says what is wrong with the variables or the state folder.
    pub fn fetcher(&self) -> Result<Arc<Fetcher>, String> {
        let mut fetcher = (self.0.fetcher.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(fetcher) = &*fetcher {
            return Ok(fetcher.clone());
        }
        let said = |error: rille_store::Error| error.to_string();
        let options = options().map_err(said)?;
        let store = Store::open(&self.0.folder, Limits::default()).map_err(said)?;
        let made = Arc::new(Fetcher::new(store, options));
        Ok(fetcher.insert(made).clone())
    }

    /// What scripts get modules of repositories from.
    pub fn forge(&self) -> Arc<dyn Forge> {
        let fetching = self.clone();
        let open = Box::new(move || fetching.fetcher());
        Arc::new(Repositories::new(open, self.0.runtime.clone()))
    }

    /// The end: what is not to last is removed.
    pub fn close(&self) {
        if self.0.is_temporary {
            // What stays is in nobody's way.
            let _ = std::fs::remove_dir_all(&self.0.folder);
        }
    }
}

/// What the environment says of sources.
fn options() -> Result<Options, rille_store::Error> {
    let mut options = Options {
        s3: s3::Options::from_variables(variable)?,
        ..Options::default()
    };
    options.github = github::Options {
        base: variable("GITHUB_API_URL").unwrap_or(options.github.base),
        token: variable("GITHUB_TOKEN").map(Secret::new),
    };
    Ok(options)
}

/// A variable of the environment that says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
