//! What serves is kept like the folders: on a change of their files (`--watch`), or when asked to (SIGHUP).
//!
//! ```text
//!   scan: app folders, each with a fingerprint of its code --differs from what was last tried, and twice the same--> load --> deploy
//!     ^                                                                                                               |       |
//!     +--- PERIOD later, or SETTLE while something changes ---------------------------- what is wrong is in the log <-+-------+
//! ```
//!
//! Files are polled. That needs no dependency and no kernel limit of watches, and sees bind mounts, network file systems and links that are turned to another
//! folder, which inotify does not; and a scan takes about a microsecond a file. So that it stays cheap for thousands of apps, there is
//! no scan before [`SHARE`] times what the last one took.
//!
//! **Invariants.** A version is loaded from a folder that was the same for [`SETTLE`] before and is the same afterwards, so a save by
//! rename or a burst of them is one deploy, and a folder that is being copied is none until the copy pauses. An app whose folder is gone is served for [`GONE`]. What has been tried is not tried again until it
//! changes or somebody asks. A path whose folder cannot be read changes nothing: its apps go on.

use crate::sources::{self, Kind};
use rille_runtime::app::App;
use rille_runtime::kv::Store;
use rille_runtime::log::Log;
use rille_runtime::manifest::{self, Admission};
use rille_runtime::problem::Problem;
use rille_server::{Deployer, Version};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two scans while nothing changes.
pub const PERIOD: Duration = Duration::from_millis(200);
/// How long a folder has to stay as it is before it is loaded.
pub const SETTLE: Duration = Duration::from_millis(100);
/// How long an app's folder has to be gone until it is served no more: it may be about to come back.
pub const GONE: Duration = Duration::from_secs(1);
/// The part of the time that scans may take: one in so many.
const SHARE: u32 = 20;

/// How often a folder that changes while it is loaded is tried, for somebody who asks.
const TRIES: u32 = 20;

/// Somebody asks for a reload of everything.
pub struct Reload;

/// An app folder as it was loaded last.
pub struct Loaded {
    /// The name under which it is served; none if it is not.
    pub name: Option<String>,
    /// What it was like.
    pub print: u64,
}

/// Keeps what serves like the folders.
pub struct Reloader {
    deployer: Deployer,
    /// What apps from folders may have.
    admission: Admission,
    /// Where apps keep things; none if there is no such place.
    store: Option<Arc<Store>>,
    log: Log,
    /// What was named on the command line.
    paths: Vec<(PathBuf, Kind)>,
    known: BTreeMap<PathBuf, Loaded>,
    /// The scan before.
    last: BTreeMap<PathBuf, u64>,
    /// Folders that are gone, since when.
    gone: BTreeMap<PathBuf, Instant>,
}

/// What came of a round.
#[derive(PartialEq, Eq)]
enum Round {
    /// All is as it was loaded.
    Quiet,
    /// Something changes.
    Unsettled,
}

impl Reloader {
    /// For these paths, whose apps are known to be served as they were loaded.
    pub fn new(
        deployer: Deployer,
        admission: Admission,
        store: Option<Arc<Store>>,
        log: Log,
        paths: Vec<(PathBuf, Kind)>,
        known: BTreeMap<PathBuf, Loaded>,
    ) -> Reloader {
        let last = known
            .iter()
            .map(|(folder, loaded)| (folder.clone(), loaded.print));
        Reloader {
            deployer,
            admission,
            store,
            log,
            paths,
            last: last.collect(),
            gone: BTreeMap::new(),
            known,
        }
    }

    /// Works until nobody can ask any more; with `watches` also without being asked.
    pub fn run(mut self, watches: bool, asked: &Receiver<Reload>) {
        let mut pause = PERIOD;
        loop {
            let all = match watches {
                true => match asked.recv_timeout(pause) {
                    Ok(Reload) => true,
                    Err(RecvTimeoutError::Timeout) => false,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                false => match asked.recv() {
                    Ok(Reload) => true,
                    Err(_) => return,
                },
            };
            if all {
                self.reload_all();
                continue;
            }
            let start = Instant::now();
            let scan = self.scan();
            let least = start.elapsed() * SHARE;
            pause = match self.round(scan) {
                Round::Unsettled => SETTLE.max(least),
                Round::Quiet => PERIOD.max(least),
            };
        }
    }

    /// The app folders there are, and what they are like.
    fn scan(&self) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        for (path, kind) in &self.paths {
            match sources::folders(path, *kind) {
                Ok(folders) => {
                    found.extend(folders.into_iter().map(|folder| {
                        let print = sources::fingerprint(&folder);
                        (folder, print)
                    }));
                }
                // It cannot be read, or is gone for the moment: its apps are as they were.
                Err(_) => found.extend(
                    (self.known.iter())
                        .filter(|(folder, _)| folder.starts_with(path))
                        .map(|(folder, loaded)| (folder.clone(), loaded.print)),
                ),
            }
        }
        found
    }

    /// Folders of apps that are not there any more.
    fn missing(&self, scan: &BTreeMap<PathBuf, u64>) -> Vec<PathBuf> {
        let known = self.known.keys();
        known
            .filter(|folder| !scan.contains_key(*folder))
            .cloned()
            .collect()
    }

    /// Does what has settled.
    fn round(&mut self, scan: BTreeMap<PathBuf, u64>) -> Round {
        let mut round = Round::Quiet;
        self.gone.retain(|folder, _| !scan.contains_key(folder));
        for folder in self.missing(&scan) {
            let since = self.gone.entry(folder.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= GONE {
                self.remove(&folder);
            }
        }
        for (folder, print) in &scan {
            if self.known.get(folder).is_some_and(|it| it.print == *print) {
                continue;
            }
            let has_settled = self.last.get(folder) == Some(print);
            if !has_settled || !self.load(folder, *print) {
                round = Round::Unsettled;
            }
        }
        self.last = scan;
        round
    }

    /// Loads everything again, changed or not.
    fn reload_all(&mut self) {
        let scan = self.scan();
        for folder in self.missing(&scan) {
            self.remove(&folder);
        }
        for folder in scan.keys() {
            for _ in 0..TRIES {
                if self.load(folder, sources::fingerprint(folder)) {
                    break;
                }
                std::thread::sleep(SETTLE);
            }
        }
        self.last = scan;
    }

    fn remove(&mut self, folder: &Path) {
        self.gone.remove(folder);
        let Some(loaded) = self.known.remove(folder) else {
            return;
        };
        if let Some(name) = loaded.name {
            match self.deployer.remove(&name) {
                Ok(()) => self.log.line(format_args!(
                    "app '{name}' is gone with {}",
                    folder.display()
                )),
                Err(problem) => self.log.line(problem),
            }
        }
        // What was refused may have wanted its name, a host or a port.
        for loaded in self.known.values_mut().filter(|it| it.name.is_none()) {
            loaded.print = 0;
        }
    }

    /// Loads and deploys a folder; false if it has changed meanwhile.
    fn load(&mut self, folder: &Path, print: u64) -> bool {
        let loaded = App::load_for(folder, &self.admission);
        if sources::fingerprint(folder) != print {
            return false;
        }
        for problem in &loaded.problems {
            self.log.line(problem);
        }
        let former = self.known.remove(folder).and_then(|it| it.name);
        let name = match loaded.app {
            Err(_) => self.refused(folder, former),
            Ok(app) => {
                if let Some(store) = &self.store {
                    app.keep_in(store);
                }
                // A file that does not compile has been told.
                let is_told = app.files.iter().any(|file| file.code.is_err());
                match self.deploy(former.as_deref(), app) {
                    Ok(version) => {
                        let (name, number) = (version.app, version.number);
                        self.log
                            .line(format_args!("app '{name}': version {number} serves"));
                        Some(name)
                    }
                    Err(problem) => {
                        if !is_told {
                            self.log.line(problem);
                        }
                        self.refused(folder, former)
                    }
                }
            }
        };
        let loaded = Loaded { name, print };
        self.known.insert(folder.to_owned(), loaded);
        true
    }

    /// Deploys a version from a folder whose app is served under the name `former`.
    fn deploy(&self, former: Option<&str>, app: App) -> Result<Version, Problem> {
        let name = app.name();
        let mut others = self.known.iter();
        match others.find(|(_, other)| other.name.as_deref() == Some(name)) {
            // The one from there is not replaced by this one.
            Some((other, _)) => Err(Problem::new(
                app.display_path(manifest::FILE),
                format!(
                    "an app of the name '{name}' is served already, from {}",
                    other.display()
                ),
            )),
            None => {
                let replaces = former.unwrap_or(name).to_owned();
                self.deployer.replace(&replaces, app)
            }
        }
    }

    fn refused(&self, folder: &Path, former: Option<String>) -> Option<String> {
        match &former {
            Some(name) => self.log.line(format_args!(
                "{}: not deployed; app '{name}' stays as it was",
                folder.display()
            )),
            None => self
                .log
                .line(format_args!("{}: not deployed", folder.display())),
        }
        former
    }
}
