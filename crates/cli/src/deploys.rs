//! The part of `rille serve` that is about sources: what was deployed serves again, sources on the command line are deployed, and the admin API listens.
//!
//! ```text
//!   prepare: state folder, token, admin address --> restore: apps from before --> (the server starts) --> start: those that wait, sources, API, refresh
//! ```
//! **Invariant:** without a source, `--admin` or a state folder that somebody named nothing of this is there: no listener, no file.

use crate::fetching::{Fetching, variable};
use clap::{Arg, ArgMatches};
use rille_runtime::app::App;
use rille_runtime::kv::Store;
use rille_runtime::late::Forge;
use rille_runtime::log::Log;
use rille_runtime::manifest::{self, Admission, Operator};
use rille_runtime::net::outbound::Purpose;
use rille_runtime::task::supervise::Trigger;
use rille_server::admin::logs::Logs;
use rille_server::admin::{self, Admin, Token};
use rille_server::delivery::{Delivery, How, Restored, Stock};
use rille_server::{AppSource, Claims, Server};
use rille_store::{Source, Version};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::task::AbortHandle;

/// The shortest time between two looks at sources.
const MIN_REFRESH: Duration = Duration::from_secs(1);

/// The command's arguments.
pub fn arguments() -> [Arg; 2] {
    [
        Arg::new("admin")
            .long("admin")
            .value_name("ADDRESS")
            .help("Where the admin API listens, such as 127.0.0.1:8081; other machines reach it only with RILLE_TOKEN set")
            .value_parser(crate::serve::parse_address),
        Arg::new("refresh")
            .long("refresh")
            .value_name("TIME")
            .help("How often git, GitHub and S3 are asked whether there is something new, such as 5m")
            .value_parser(parse_refresh),
    ]
}

/// `30s`, `5m`, `1 h`.
fn parse_refresh(text: &str) -> Result<Duration, String> {
    let minutes = text
        .strip_suffix('m')
        .filter(|number| number.trim_end().ends_with(|c: char| c.is_ascii_digit()));
    let full = minutes.map_or(text.to_owned(), |minutes| format!("{minutes}min"));
    let time = rille_runtime::units::parse_duration(&full)?;
    match time >= MIN_REFRESH {
        true => Ok(time),
        false => Err("at least 1s".to_owned()),
    }
}

/// What the paths of the command line are.
#[derive(Debug, Default, PartialEq)]
pub struct Named {
    /// Folders: apps, or folders of apps.
    pub folders: Vec<PathBuf>,
    /// Sources, with the names they are served under.
    pub sources: Vec<(String, Source)>,
}

/// Tells folders from sources. The error says what is wrong with one.
pub fn sort(paths: &[PathBuf]) -> Result<Named, String> {
    let mut named = Named::default();
    for path in paths {
        let source = match path.to_str() {
            Some(text) if !path.exists() => {
                Source::parse(text).map_err(|error| error.to_string())?
            }
            _ => Source::Folder(path.clone()),
        };
        match source {
            Source::Folder(folder) => named.folders.push(folder),
            // Hosts whose code is in a bucket have their own way (`bucket`): `HOST/PATH/index.lua`, file by file.
            Source::S3(bucket) => {
                return Err(format!(
                    "{bucket}: an app in a bucket is deployed: rille deploy NAME {bucket}"
                ));
            }
            Source::Git(_) | Source::GitHub(_) => {
                let name = name_of(&source);
                if named.sources.iter().any(|(other, _)| *other == name) {
                    return Err(format!(
                        "{source}: two sources would be served as '{name}'; deploy one of them: rille deploy NAME SOURCE"
                    ));
                }
                named.sources.push((name, source));
            }
        }
    }
    Ok(named)
}

/// The name of an app from a source that was given none: that of its folder or its repository.
fn name_of(source: &Source) -> String {
    let last = |path: &str| {
        path.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let (folder, repository) = match source {
        Source::Git(git) => (git.folder.as_ref(), last(&git.path)),
        Source::GitHub(github) => (github.folder.as_ref(), github.repository.clone()),
        Source::S3(s3) => (s3.folder.as_ref(), s3.bucket.clone()),
        Source::Folder(path) => (None, last(&path.to_string_lossy())),
    };
    let name = match folder {
        Some(folder) => last(folder.as_str()),
        None => repository.trim_end_matches(".git").to_owned(),
    };
    manifest::name_from_folder(name.trim_start_matches(['.', '-']))
}

/// Where code comes from, and where things are kept.
#[derive(Clone)]
pub struct Place {
    /// The state folder.
    pub state: Option<PathBuf>,
    /// What fetches.
    pub fetching: Fetching,
    /// Where modules of repositories come from.
    pub forge: Arc<dyn Forge>,
    /// Where apps keep things.
    pub kv: Option<Arc<Store>>,
    /// Whose server it is.
    pub operator: Arc<Operator>,
}

/// What is there before the server is.
pub struct Deploys {
    fetching: Fetching,
    stock: Stock,
    admin: Option<(TcpListener, Token)>,
    logs: Arc<Logs>,
    refresh: Option<Duration>,
    sources: Vec<(String, Source)>,
    /// Whether everything that was deployed serves again, or only what is named.
    restores_all: bool,
    restored: Vec<(String, Version)>,
    /// Apps whose tasks have ports: another process may have taken one, which is to keep nobody else from serving.
    waiting: Vec<App>,
}

/// What runs beside the server.
pub struct Running {
    /// Where the admin API listens.
    pub admin: Option<SocketAddr>,
    jobs: Vec<AbortHandle>,
}

impl Deploys {
    /// What the command line asks for, if it is anything. The error is one of usage or of the state folder.
    pub fn prepare(
        matches: &ArgMatches,
        sources: Vec<(String, Source)>,
        place: &Place,
        log: &Log,
    ) -> Result<Option<Deploys>, String> {
        let Place {
            state: folder,
            fetching,
            forge,
            kv,
            operator,
        } = place.clone();
        let address = matches.get_one::<SocketAddr>("admin").copied();
        let is_named = matches.contains_id("state") || variable("RILLE_STATE").is_some();
        let was_deployed = |folder: &PathBuf| is_named && folder.join("apps").is_dir();
        if address.is_none() && sources.is_empty() && !folder.as_ref().is_some_and(was_deployed) {
            return Ok(None);
        }
        let admin = match address {
            None => None,
            Some(address) => Some(listen(address, folder.as_deref())?),
        };
        // Whoever wrote what is deployed, it is not the operator's own.
        let admission = Admission::of_tenants(&operator);
        let stock = Stock::new(fetching.fetcher()?, kv, forge, admission, log.clone());
        if let Some((listener, _)) = &admin
            && let Ok(address) = listener.local_addr()
        {
            operator.outbound.own.listens(address, Purpose::Admin);
        }
        let logs = Arc::new(Logs::default());
        if admin.is_some() {
            log.tap(logs.clone());
        }
        Ok(Some(Deploys {
            fetching,
            stock,
            restores_all: is_named || admin.is_some(),
            admin,
            logs,
            refresh: matches.get_one::<Duration>("refresh").copied(),
            sources,
            restored: Vec::new(),
            waiting: Vec::new(),
        }))
    }

    /// Puts what was deployed before beside the apps that are there.
    pub fn restore(&mut self, apps: &mut Vec<AppSource>) {
        let mut claims = Claims::default();
        for app in apps.iter() {
            // The server tells who wants the same.
            let _ = claims.claim(app.manifest());
        }
        let names: Vec<String> = self.sources.iter().map(|(name, _)| name.clone()).collect();
        let only = (!self.restores_all).then_some(names.as_slice());
        for Restored { app, version } in self.stock.restore_all(&mut claims, only) {
            self.restored.push((app.name().to_owned(), version));
            let has_port = |task: &_| {
                let task: &rille_runtime::task::supervise::Child = task;
                matches!(task.trigger, Trigger::Tcp { .. })
            };
            match app.manifest.tasks.iter().any(has_port) {
                true => self.waiting.push(app),
                false => apps.push(AppSource::App(Arc::new(app))),
            }
        }
    }

    /// Serves what waits, deploys the sources, and begins with what runs beside the server. What goes wrong with an app is told.
    /// `purge` is for what is fetched file by file.
    pub fn start(
        self,
        server: &Server,
        purge: Option<Arc<dyn admin::Purge>>,
        log: &Log,
    ) -> Running {
        for app in self.waiting {
            let name = app.name().to_owned();
            if let Err(problem) = server.deployer().deploy(app) {
                log.app_line(&name, format_args!("not served: {problem}"));
            }
        }
        let runtime = self.fetching.runtime().clone();
        let delivery = Delivery::new(self.stock, server.deployer().clone(), self.restored);
        let (done, all) = mpsc::channel::<()>();
        for (name, source) in self.sources {
            let (delivery, done) = (delivery.clone(), done.clone());
            runtime.spawn(async move {
                // Why it is not deployed is told.
                let _ = delivery.deploy(&name, source, How::IfChanged).await;
                drop(done);
            });
        }
        drop(done);
        let _ = all.recv();
        let (mut jobs, mut address) = (Vec::new(), None);
        if let Some(every) = self.refresh {
            jobs.push(
                runtime
                    .spawn(delivery.clone().refresh(every))
                    .abort_handle(),
            );
        }
        if let Some((listener, token)) = self.admin {
            address = listener.local_addr().ok();
            let admin = Admin::new(delivery, token, self.logs, purge);
            let log = log.clone();
            let serving = runtime.spawn(async move {
                if let Err(error) = admin.serve(listener).await {
                    log.line(format_args!("the admin API does not answer: {error}"));
                }
            });
            jobs.push(serving.abort_handle());
        }
        Running {
            admin: address,
            jobs,
        }
    }
}

impl Running {
    /// Nothing is deployed any more.
    pub fn stop(&self) {
        self.jobs.iter().for_each(AbortHandle::abort);
    }
}

/// The admin API's listener and its token.
fn listen(address: SocketAddr, state: Option<&Path>) -> Result<(TcpListener, Token), String> {
    let token = match (crate::state::chosen_token()?, state) {
        (Some(token), _) => token,
        (None, _) if !address.ip().is_loopback() => {
            return Err(format!(
                "--admin {address} can be reached from other machines: set RILLE_TOKEN to a token of your own, or listen on 127.0.0.1"
            ));
        }
        (None, Some(state)) => Token::of_folder(state)?,
        (None, None) => {
            return Err(
                "--admin needs a place for its token: name a folder with --state".to_owned(),
            );
        }
    };
    if state.is_none() {
        return Err(
            "--admin needs a place for what is deployed: name a folder with --state".to_owned(),
        );
    }
    let listener = admin::bind(address)
        .map_err(|error| format!("cannot listen on {address} (--admin): {error}"))?;
    Ok((listener, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_folders_or_sources() {
        let sorted = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            sort(&paths)
        };
        let named = sorted(&[
            ".",
            "no/such/folder",
            "git+file:///x/My_Shop.git@v1",
            "github.com/o/r/apps/blog",
        ])
        .unwrap();
        assert_eq!(named.folders, [PathBuf::from("."), "no/such/folder".into()]);
        let names: Vec<&str> = named
            .sources
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["my_shop", "blog"]);
        assert!(
            sorted(&["github.com/a/r", "github.com/b/r"])
                .unwrap_err()
                .contains("served as 'r'")
        );
        assert!(
            sorted(&["https://github.com/o/r"])
                .unwrap_err()
                .contains("write it as github.com/OWNER/REPO")
        );
        assert!(
            sorted(&["s3://bucket/folder"])
                .unwrap_err()
                .contains("rille deploy NAME s3://bucket/folder")
        );
    }

    #[test]
    fn how_often() {
        assert_eq!(parse_refresh("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_refresh("5 min"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_refresh("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_refresh("10ms"), Err("at least 1s".to_owned()));
        assert!(parse_refresh("m").is_err() && parse_refresh("soon").is_err());
    }
}
