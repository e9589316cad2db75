//! Apps are replaced, added and removed while the server runs.
//!
//! ```text
//!   deploy(app): name taken -- hosts free? -- ports -- inherit -- PREPARE on every worker --all said yes--> COMMIT on every worker
//!                     |             |           |                      |
//!                     +-------------+-----------+----------------------+--> the reason; what serves goes on serving
//! ```
//!
//! A version is given as an [`App`] that is not shared yet, because it inherits from the one before until it is.
//!
//! **Invariants.** A name has one deploy at a time. What is in [`State`] is what every worker serves, or is about to: it changes only together with the commits
//! that are sent, under its lock, so all workers get them in one order, and a version that was refused is in no place. The calls here wait for workers: they
//! are for threads that are none.

use crate::asked::{Answer, Ask};
use crate::hosts::{AppIndex, Hosts};
use crate::ports::{self, TaskPort};
use crate::server::AppSource;
use crate::stage::Command;
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::manifest::{self, Manifest};
use rille_runtime::problem::Problem;
use rille_runtime::vm::INIT_WALL;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::UnboundedSender;

/// How long a worker may take to answer beyond what `init.lua` and `health.lua` may.
const ANSWER: Duration = Duration::from_secs(10);
/// The most apps of a server.
pub const MAX_APPS: usize = 100_000;

/// What was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The app's name.
    pub app: String,
    /// Counts the versions of the app since the server has had it, from 1.
    pub number: u64,
}

/// An app that is served.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name and which version of it.
    pub version: Version,
    /// The folder it is from; none if it could not be loaded.
    pub folder: Option<PathBuf>,
    /// Whether it answers; otherwise it answers 503, at least on one worker.
    pub is_good: bool,
    /// Since when this version has been served.
    pub since: SystemTime,
    /// Whether it was deployed, rather than named as a folder of this machine.
    pub is_deployed: bool,
    /// Where its tasks listen.
    pub ports: Vec<TaskPort>,
}

/// Changes what a running server serves. Clones are handles to the same one.
#[derive(Clone)]
pub struct Deployer(Arc<Shared>);

struct Shared {
    workers: Vec<UnboundedSender<Command>>,
    state: Mutex<State>,
    log: Log,
}

#[derive(Default)]
struct State {
    /// By place.
    apps: Vec<Option<Entry>>,
    /// Names that have a deploy.
    busy: HashSet<String>,
    /// The last deploy's number.
    deploys: u64,
}

struct Entry {
    source: AppSource,
    number: u64,
    is_good: bool,
    since: SystemTime,
    ports: Vec<TaskPort>,
}

impl Entry {
    fn is_deployed(&self) -> bool {
        matches!(&self.source, AppSource::App(app) if app.is_deployed())
    }

    /// Where it is from, for messages.
    fn origin(&self) -> String {
        match &self.source {
            AppSource::App(app) if app.is_deployed() => "a deploy".to_owned(),
            AppSource::App(app) => app.folder.display().to_string(),
            AppSource::Broken(_) => "another folder".to_owned(),
        }
    }
}

impl State {
    fn place_of(&self, name: &str) -> Option<AppIndex> {
        let is_it = |entry: &Option<Entry>| {
            entry
                .as_ref()
                .is_some_and(|entry| entry.source.manifest().name == name)
        };
        self.apps.iter().position(is_it).map(AppIndex)
    }

    fn entry(&self, place: AppIndex) -> Option<&Entry> {
        self.apps.get(place.0)?.as_ref()
    }

    fn free_place(&self) -> AppIndex {
        let free = self.apps.iter().position(Option::is_none);
        AppIndex(free.unwrap_or(self.apps.len()))
    }

    /// Who answers which host with this app in this place; or with none there.
    fn hosts(&self, place: AppIndex, manifest: Option<&Manifest>) -> Result<Hosts, String> {
        let others = self.apps.iter().enumerate().filter_map(|(at, entry)| {
            let entry = entry.as_ref().filter(|_| at != place.0)?;
            Some((AppIndex(at), entry.source.manifest()))
        });
        Hosts::new(others.chain(manifest.map(|manifest| (place, manifest))))
    }
}

impl Deployer {
    /// For workers that get these apps from the start.
    pub(crate) fn new(
        workers: Vec<UnboundedSender<Command>>,
        apps: &[AppSource],
        ports: &[TaskPort],
        log: Log,
    ) -> Deployer {
        let entry = |(place, source): (usize, &AppSource)| {
            let ports = ports.iter().filter(|port| port.app == place).cloned();
            Some(Entry {
                source: source.clone(),
                number: 1,
                is_good: matches!(source, AppSource::App(_)),
                since: SystemTime::now(),
                ports: ports.collect(),
            })
        };
        let state = State {
            apps: apps.iter().enumerate().map(entry).collect(),
            ..State::default()
        };
        Deployer(Arc::new(Shared {
            workers,
            state: Mutex::new(state),
            log,
        }))
    }

    /// An app that was there from the start does not answer.
    pub(crate) fn is_broken(&self, place: AppIndex) {
        if let Some(Some(entry)) = self.state().apps.get_mut(place.0) {
            entry.is_good = false;
        }
    }

    /// Nothing under the lock can panic half-way through a change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves an app in the place of the version that has its name, or beside the others. Returns when every worker serves it. The error is why it is not
    /// served; then what was served goes on.
    pub fn deploy(&self, app: App) -> Result<Version, Problem> {
        let name = app.name().to_owned();
        self.replace(&name, app)
    }

    /// As [`Deployer::deploy`], in the place of the app that has the name `former`, which may be another than the new one's.
    pub fn replace(&self, former: &str, mut app: App) -> Result<Version, Problem> {
        let name = app.name().to_owned();
        let _busy = Busy::begin(self, [former, &name])?;
        if let Some(problem) = app.files.iter().find_map(|file| file.code.as_ref().err()) {
            return Err(problem.clone());
        }
        let (deploy, known, old) = self.look(former, &app)?;
        let lines = match &old {
            Some(old) => app.inherit(old),
            None => Vec::new(),
        };
        let ports = ports::open(&app, old.as_deref())?;
        let app = Arc::new(app);
        self.prepare(deploy, &app)?;
        let version = self.commit(deploy, known, &app, ports).inspect_err(|_| {
            self.abort(deploy);
        })?;
        for line in lines {
            self.0
                .log
                .line(Problem::new(app.display_path(manifest::FILE), line));
        }
        Ok(version)
    }

    /// Serves an app no more. Its requests end first; its tasks are told and killed as at a deploy.
    pub fn remove(&self, name: &str) -> Result<(), Problem> {
        let _busy = Busy::begin(self, [name, name])?;
        let mut state = self.state();
        let place = state.place_of(name).ok_or_else(|| no_app(name))?;
        let hosts = state.hosts(place, None);
        let hosts = hosts.map_err(|why| Problem::new(name, why))?;
        state.apps[place.0] = None;
        let done = self.send_commits(None, place, Arc::new(hosts));
        drop(state);
        self.wait_for_commits(&done);
        Ok(())
    }

    /// The version that is served under a name; none if it could not be loaded, too.
    pub fn current(&self, name: &str) -> Option<Arc<App>> {
        let state = self.state();
        match &state.entry(state.place_of(name)?)?.source {
            AppSource::App(app) => Some(app.clone()),
            AppSource::Broken(_) => None,
        }
    }

    /// Asks every worker about the tasks of an app. What has not answered in time does not.
    pub(crate) fn ask(&self, name: &str, ask: &Ask) -> Result<Vec<Answer>, Problem> {
        let place = self.state().place_of(name).ok_or_else(|| no_app(name))?;
        let (reply, answers) = channel();
        for worker in &self.0.workers {
            let _ = worker.send(Command::Ask {
                place,
                ask: ask.clone(),
                reply: reply.clone(),
            });
        }
        drop(reply);
        let until = Instant::now() + ANSWER;
        let next = |_| {
            let left = until.saturating_duration_since(Instant::now());
            answers.recv_timeout(left).ok()
        };
        Ok((0..self.0.workers.len()).map_while(next).collect())
    }

    /// What is served.
    pub fn list(&self) -> Vec<Status> {
        let state = self.state();
        let status = |entry: &Entry| Status {
            version: Version {
                app: entry.source.manifest().name.clone(),
                number: entry.number,
            },
            folder: match &entry.source {
                AppSource::App(app) => Some(app.folder.clone()),
                AppSource::Broken(_) => None,
            },
            is_good: entry.is_good,
            since: entry.since,
            is_deployed: entry.is_deployed(),
            ports: entry.ports.clone(),
        };
        state.apps.iter().flatten().map(status).collect()
    }

    /// A deploy's number, the app's place, if it has one already, and the version that is there.
    fn look(&self, former: &str, app: &App) -> Result<Looked, Problem> {
        let mut state = self.state();
        let known = state.place_of(former);
        check_place(&state, known.unwrap_or_else(|| state.free_place()), app)?;
        state.deploys += 1;
        let old = known.and_then(|place| match &state.entry(place)?.source {
            AppSource::App(app) => Some(app.clone()),
            AppSource::Broken(_) => None,
        });
        Ok((state.deploys, known, old))
    }

    /// Asks every worker to make a version ready. The error is the first "no".
    fn prepare(&self, deploy: u64, app: &Arc<App>) -> Result<(), Problem> {
        let (reply, answers) = channel();
        let limit = INIT_WALL + app.manifest.deploy.health + ANSWER;
        let until = Instant::now() + limit;
        for worker in &self.0.workers {
            let command = Command::Prepare {
                deploy,
                app: app.clone(),
                reply: reply.clone(),
            };
            // A worker that has gone gives no answer.
            let _ = worker.send(command);
        }
        drop(reply);
        let failed = |why: &str| Problem::new(app.folder.display().to_string(), why);
        for _ in &self.0.workers {
            let answer = answers.recv_timeout(until.saturating_duration_since(Instant::now()));
            let answer = answer.unwrap_or_else(|error| {
                Err(match error {
                    RecvTimeoutError::Timeout => failed("a worker did not answer in time"),
                    RecvTimeoutError::Disconnected => failed("the server is stopping"),
                })
            });
            if let Err(problem) = answer {
                self.abort(deploy);
                return Err(problem);
            }
        }
        Ok(())
    }

    fn abort(&self, deploy: u64) {
        for worker in &self.0.workers {
            let _ = worker.send(Command::Abort { deploy });
        }
    }

    /// Puts a version that every worker has ready in its place; a new app, in one that is free now.
    fn commit(
        &self,
        deploy: u64,
        known: Option<AppIndex>,
        app: &Arc<App>,
        mut ports: Vec<TaskPort>,
    ) -> Result<Version, Problem> {
        let mut state = self.state();
        let place = known.unwrap_or_else(|| state.free_place());
        let hosts = check_place(&state, place, app)?;
        ports.iter_mut().for_each(|port| port.app = place.0);
        let number = state.entry(place).map_or(1, |entry| entry.number + 1);
        if state.apps.len() <= place.0 {
            state.apps.resize_with(place.0 + 1, || None);
        }
        state.apps[place.0] = Some(Entry {
            source: AppSource::App(app.clone()),
            number,
            is_good: true,
            since: SystemTime::now(),
            ports,
        });
        let done = self.send_commits(Some(deploy), place, Arc::new(hosts));
        drop(state);
        self.wait_for_commits(&done);
        Ok(Version {
            app: app.name().to_owned(),
            number,
        })
    }

    fn send_commits(
        &self,
        deploy: Option<u64>,
        place: AppIndex,
        hosts: Arc<Hosts>,
    ) -> Receiver<()> {
        let (reply, done) = channel();
        for worker in &self.0.workers {
            let _ = worker.send(Command::Commit {
                deploy,
                place,
                hosts: hosts.clone(),
                reply: reply.clone(),
            });
        }
        done
    }

    /// A worker that is late does it later, one that is stopping does not matter.
    fn wait_for_commits(&self, done: &Receiver<()>) {
        let until = Instant::now() + ANSWER;
        for _ in &self.0.workers {
            let left = until.saturating_duration_since(Instant::now());
            if done.recv_timeout(left).is_err() {
                return;
            }
        }
    }
}

/// A deploy's number, the app's place, if it has one, and what is there.
type Looked = (u64, Option<AppIndex>, Option<Arc<App>>);

/// The hosts with an app in a place; the error is why it cannot have it.
fn check_place(state: &State, place: AppIndex, app: &App) -> Result<Hosts, Problem> {
    let refuse = |why: &str| Err(Problem::new(app.display_path(manifest::FILE), why));
    if place.0 >= MAX_APPS {
        return refuse(&format!("there are {MAX_APPS} apps already"));
    }
    // What was deployed is not replaced by a folder, nor the other way round.
    let is_others = |other: &AppIndex| {
        let entry = state.entry(*other);
        *other != place || entry.is_some_and(|entry| entry.is_deployed() != app.is_deployed())
    };
    if let Some(other) = state.place_of(app.name()).filter(is_others) {
        let origin = state.entry(other).map(Entry::origin).unwrap_or_default();
        return refuse(&format!(
            "an app of the name '{}' is served already, from {origin}",
            app.name()
        ));
    }
    match state.hosts(place, Some(&app.manifest)) {
        Ok(hosts) => Ok(hosts),
        Err(why) => refuse(&why),
    }
}

fn no_app(name: &str) -> Problem {
    Problem::new(name, "there is no app of this name")
}

/// Names that have a deploy, for as long as this lives.
struct Busy {
    deployer: Deployer,
    names: [String; 2],
}

impl Busy {
    fn begin(deployer: &Deployer, names: [&str; 2]) -> Result<Busy, Problem> {
        let mut state = deployer.state();
        if let Some(name) = names.iter().find(|name| state.busy.contains(**name)) {
            return Err(Problem::new(*name, "another deploy of this app is running"));
        }
        let names = names.map(str::to_owned);
        state.busy.extend(names.iter().cloned());
        drop(state);
        Ok(Busy {
            deployer: deployer.clone(),
            names,
        })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.deployer.state();
        for name in &self.names {
            state.busy.remove(name);
        }
    }
}
