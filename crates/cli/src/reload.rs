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
//! rename or a burst of them is one deploy, and a folder that is being copied is none until the copy pauses. What has been tried is not tried again until it
//! changes or somebody asks. A path whose folder cannot be read changes nothing: its apps go on.

use crate::sources::{self, Kind};
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_server::Deployer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two scans while nothing changes.
pub const PERIOD: Duration = Duration::from_millis(200);
/// How long a folder has to stay as it is before it is loaded.
pub const SETTLE: Duration = Duration::from_millis(100);
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
    log: Log,
    /// What was named on the command line.
    paths: Vec<(PathBuf, Kind)>,
    known: BTreeMap<PathBuf, Loaded>,
    /// The scan before.
    last: BTreeMap<PathBuf, u64>,
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
        log: Log,
        paths: Vec<(PathBuf, Kind)>,
        known: BTreeMap<PathBuf, Loaded>,
    ) -> Reloader {
        let last = known
            .iter()
            .map(|(folder, loaded)| (folder.clone(), loaded.print));
        Reloader {
            deployer,
            log,
            paths,
            last: last.collect(),
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

    /// Does what has settled.
    fn round(&mut self, scan: BTreeMap<PathBuf, u64>) -> Round {
        let mut round = Round::Quiet;
        let gone: Vec<PathBuf> = (self.known.keys())
            .filter(|folder| !scan.contains_key(*folder))
            .cloned()
            .collect();
        for folder in gone {
            match self.last.contains_key(&folder) {
                true => round = Round::Unsettled,
                false => self.remove(&folder),
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
        let gone: Vec<PathBuf> = (self.known.keys())
            .filter(|folder| !scan.contains_key(*folder))
            .cloned()
            .collect();
        for folder in gone {
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
        let loaded = App::load(folder);
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
                let replaces = former.clone().unwrap_or_else(|| app.name().to_owned());
                // A file that does not compile has been told.
                let is_told = app.files.iter().any(|file| file.code.is_err());
                match self.deployer.replace(&replaces, app) {
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
