//! A server in the test's own process.

use rille_runtime::app::App;
use rille_runtime::kv::{Settings, Store};
use rille_runtime::log::Log;
use rille_runtime::problem::Problem;
use rille_server::{AppSource, Config, Deployer, Server, Version};
use rille_testkit::http;
use rille_testkit::temp::TempDir;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// A server of this process.
pub struct Host {
    pub server: Server,
    pub log: Log,
    /// Where its apps keep things.
    store: Arc<Store>,
    _state: TempDir,
}

impl Host {
    pub fn start(workers: usize, apps: &[AppSource]) -> Host {
        let log = Log::memory();
        let state = TempDir::new("state").unwrap();
        let lines = log.clone();
        let store = Store::new(Settings::of(state.path(), move |line| lines.line(line)));
        for app in apps {
            if let AppSource::App(app) = app {
                app.keep_in(&store);
            }
        }
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), log.clone());
        config.workers = workers;
        let server = Server::start(config, apps).unwrap();
        Host {
            server,
            log,
            store,
            _state: state,
        }
    }

    /// With one app of these files.
    pub fn of(workers: usize, dir: &TempDir) -> Host {
        Host::start(workers, &[source(dir.path())])
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn deployer(&self) -> &Deployer {
        self.server.deployer()
    }

    pub fn deploy(&self, dir: &TempDir) -> Result<Version, Problem> {
        let app = load(dir.path());
        app.keep_in(&self.store);
        self.deployer().deploy(app)
    }

    pub fn get(&self, target: &str) -> String {
        http::get(self.address(), target).unwrap().text()
    }

    pub fn has_line(&self, text: &str) -> bool {
        self.log.lines().iter().any(|line| line.contains(text))
    }
}

pub fn load(folder: &Path) -> App {
    App::load(folder).app.unwrap()
}

pub fn source(folder: &Path) -> AppSource {
    let loaded = App::load(folder);
    match loaded.app {
        Ok(app) => AppSource::App(Arc::new(app)),
        Err(unservable) => AppSource::Broken(Box::new(unservable.manifest)),
    }
}

/// A refusal, in one line.
pub fn refused(result: Result<Version, Problem>) -> String {
    result.unwrap_err().to_string()
}
