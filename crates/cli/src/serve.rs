//! `rille serve PATH...`: apps over HTTP until SIGINT or SIGTERM.
//!
//! What is wrong with an app is told at the start, one line each. An app that cannot be served at
//! all answers 503 while the others serve; when none can, the program ends with 1, unless it watches for that to be put right.
//! SIGHUP loads apps and certificates again, and opens the access log again. What is about sources is in `deploys`.

use crate::deploys::{self, Deploys, Running};
use crate::fetching::{self, Fetching};
use crate::reload::{Loaded, Reload, Reloader};
use crate::sources::Kind;
use crate::{bucket, descriptors, edge, operator, sources, state, tls};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rille_runtime::app::Unservable;
use rille_runtime::kv::{Settings, Store};
use rille_runtime::log::Log;
use rille_runtime::manifest::{Admission, Operator};
use rille_server::{AppSource, Config, Server, TlsConfig, admin};
use rille_store::S3;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// The most workers: beyond any machine's cores, a mistake.
const MAX_WORKERS: u64 = 1024;

/// The command's arguments.
pub fn command() -> Command {
    Command::new("serve")
        .about("Serve apps over HTTP")
        .after_help(fetching::HELP)
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .help("An app's folder, a folder of apps, git+https://..., git+ssh://..., git+file:///... or github.com/OWNER/REPO, or s3://BUCKET/FOLDER, where HOST/PATH/index.lua answers http://HOST/PATH; none is needed with --admin")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .help("Where to listen")
                .default_value("127.0.0.1:8080")
                .value_parser(parse_address),
        )
        .arg(
            Arg::new("workers")
                .long("workers")
                .value_name("N")
                .help("Threads; the number of cores if not given")
                .value_parser(value_parser!(u64).range(1..=MAX_WORKERS)),
        )
        .arg(
            Arg::new("max-connections")
                .long("max-connections")
                .value_name("N")
                .help("Connections at once, per worker; most of the file descriptors if not given")
                .value_parser(value_parser!(u64).range(1..=MAX_CONNECTIONS)),
        )
        .arg(state::argument())
        .arg(
            Arg::new("watch")
                .long("watch")
                .help(
                    "Reload an app when its files change; apps that come and go are served and not",
                )
                .action(ArgAction::SetTrue),
        )
        .args(deploys::arguments())
        .args(tls::arguments())
        .args(operator::arguments())
        .args(bucket::arguments())
        .args(edge::arguments())
}

/// The most connections that can be asked for: Linux has no more descriptors in a process.
const MAX_CONNECTIONS: u64 = 1 << 30;

/// `127.0.0.1:8080`, `[::1]:80`, `:8080` for every address, `localhost:8080`.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let full = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.replace("localhost:", "127.0.0.1:"),
    };
    full.parse()
        .map_err(|_| "write it as ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Serves; returns when told to stop.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let mut paths: Vec<PathBuf> = matches
        .get_many("path")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let log = Log::stderr();
    let usage = |message: &dyn std::fmt::Display| {
        log.line(message);
        log.close();
        ExitCode::from(2)
    };
    let tls = match tls::config(matches) {
        Ok(tls) => tls,
        Err(message) => return usage(&message),
    };
    let bucket = match bucket::take(&mut paths) {
        Ok(bucket) => bucket,
        Err(message) => return usage(&message),
    };
    let named = match deploys::sort(&paths) {
        Ok(named) => named,
        Err(message) => return usage(&message),
    };
    let code = match serve(named, bucket.as_ref(), matches, tls, &log) {
        Err(Stopped::Usage(message)) => return usage(&message),
        Ok(()) => ExitCode::SUCCESS,
        Err(Stopped::Told) => ExitCode::from(1),
        Err(Stopped::ToldOfUsage) => ExitCode::from(2),
        Err(Stopped::Because(error)) => {
            log.line(error);
            ExitCode::from(1)
        }
    };
    log.close();
    code
}

/// Why nothing is served.
enum Stopped {
    /// The command line is wrong.
    Usage(String),
    /// The reasons are in the log.
    Told,
    /// They are, and in the command.
    ToldOfUsage,
    /// This.
    Because(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stopped {
    fn from(error: E) -> Stopped {
        Stopped::Because(error.into())
    }
}

fn serve(
    named: deploys::Named,
    bucket: Option<&S3>,
    matches: &ArgMatches,
    tls: Option<TlsConfig>,
    log: &Log,
) -> Result<(), Stopped> {
    let watches = matches.get_flag("watch");
    let operator = operator::read(matches, log).ok_or(Stopped::ToldOfUsage)?;
    let more_may_come =
        watches || matches.contains_id("admin") || bucket.is_some() || !named.sources.is_empty();
    let Apps {
        mut apps,
        paths,
        known,
    } = load(&named.folders, &operator, more_may_come, log)?;
    // lua-sngin's name for where it keeps what it fetched.
    let state =
        state::folder(matches).or_else(|| fetching::variable("SNGIN_APP_PATH").map(PathBuf::from));
    let fetching = Fetching::start(state.clone())?;
    let forge = fetching.forge();
    let store = state.clone().map(|folder| {
        let log = log.clone();
        Store::new(Settings::of(&folder, move |line| log.line(line)))
    });
    for app in &apps {
        if let AppSource::App(app) = app {
            app.fetch_from(&forge);
            if let Some(store) = &store {
                app.keep_in(store);
            }
        }
    }
    let place = deploys::Place {
        state: state.clone(),
        fetching: fetching.clone(),
        forge: forge.clone(),
        kv: store.clone(),
        operator: operator.clone(),
    };
    let prepared = Deploys::prepare(matches, named.sources, &place, log);
    let mut deploys = prepared.map_err(Stopped::Usage)?;
    if let Some(deploys) = &mut deploys {
        deploys.restore(&mut apps);
    }
    if apps.is_empty() && deploys.is_none() && bucket.is_none() {
        return Err(Stopped::Usage(
            "nothing to serve: name an app's folder, a folder of apps or s3://BUCKET/FOLDER, or --admin 127.0.0.1:8081 to deploy apps to"
                .to_owned(),
        ));
    }
    let Some(listen) = matches.get_one::<SocketAddr>("listen") else {
        return Err(Stopped::Told);
    };
    let mut config = Config::new(*listen, log.clone());
    if let Some(workers) = matches.get_one::<u64>("workers") {
        config.workers = usize::try_from(*workers)?;
    }
    config.tls = tls;
    config.operator = operator.clone();
    let mut purge: Option<Arc<dyn admin::Purge>> = None;
    if let Some(source) = bucket {
        let map = bucket::host_map(source, matches, &place, log);
        let map = map.map_err(anyhow::Error::msg)?;
        purge = Some(Arc::new(map.clone()));
        config.host_map = Some(map);
    }
    let access = edge::configure(&mut config, matches, log)?;
    let descriptors = descriptors::raise_limit();
    let connections = matches.get_one("max-connections").copied();
    let connections = connections.unwrap_or_else(|| descriptors::connections(descriptors));
    config.max_connections = usize::try_from(connections)?;
    let workers = config.workers;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    // Signals are taken over before the first request can arrive.
    let (mut interrupt, mut terminate, mut hangup) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    let server = Server::start(config, &apps)?;
    let mut broken: Vec<usize> = (0..apps.len())
        .filter(|at| matches!(apps[*at], AppSource::Broken(_)))
        .collect();
    for (at, problem) in server.problems() {
        log.line(problem);
        if !broken.contains(at) {
            broken.push(*at);
        }
    }
    let running = deploys.map(|deploys| deploys.start(&server, purge, log));
    let deployed = server.deployer().list();
    let nothing_serves = !deployed.iter().any(|status| status.is_good);
    if nothing_serves && !watches && !matches.contains_id("admin") && bucket.is_none() {
        return Err(Stopped::Told);
    }
    // Whoever started us may not read this; that is no reason to stop.
    let _ = writeln!(
        std::io::stdout(),
        "{}",
        ready_line(&server, workers, &apps, &broken, bucket, running.as_ref())
    );
    drop(apps);
    let (ask, asked) = std::sync::mpsc::channel();
    let deployer = server.deployer().clone();
    let admission = Admission::of_own(&operator);
    let reloader = Reloader::new(
        deployer,
        admission,
        store.clone(),
        forge,
        log.clone(),
        paths,
        known,
    );
    std::thread::Builder::new()
        .name("reload".into())
        .spawn(move || reloader.run(watches, &asked))?;
    runtime.block_on(async {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                Some(()) = hangup.recv() => {
                    server.reload_certificates();
                    if let Some(access) = &access {
                        access.reopen();
                    }
                    // The thread ends after this one.
                    let _ = ask.send(Reload);
                }
            }
        }
    });
    drop(ask);
    if let Some(running) = &running {
        running.stop();
    }
    log.line("stopping: running requests may end; a second signal stops at once");
    server.stop();
    // The second signal must be seen while the workers drain.
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        std::process::exit(1);
    });
    server.join()?;
    if let Some(access) = &access {
        access.close();
    }
    if let Some(store) = store {
        store.close();
    }
    fetching.close();
    Ok(())
}

/// What is to be served.
struct Apps {
    /// The apps.
    apps: Vec<AppSource>,
    /// Where they are from.
    paths: Vec<(PathBuf, Kind)>,
    /// Their folders.
    known: BTreeMap<PathBuf, Loaded>,
}

/// Loads the apps and tells what is wrong with them.
fn load(
    paths: &[PathBuf],
    operator: &Arc<Operator>,
    more_may_come: bool,
    log: &Log,
) -> Result<Apps, Stopped> {
    let sources = sources::load(paths, operator);
    let missing = !sources.problems.is_empty();
    for problem in &sources.problems {
        log.line(problem);
    }
    let mut apps = Vec::new();
    let mut known = BTreeMap::new();
    for (folder, print, loaded) in sources.apps {
        for problem in &loaded.problems {
            log.line(problem);
        }
        let app = match loaded.app {
            Ok(app) => AppSource::App(Arc::new(app)),
            Err(Unservable { manifest }) => {
                log.line(format_args!(
                    "{}: app '{}' answers 503 until this is put right",
                    folder.display(),
                    manifest.name
                ));
                AppSource::Broken(Box::new(manifest))
            }
        };
        let name = Some(name_of(&app).to_owned());
        known.insert(folder, Loaded { name, print });
        apps.push(app);
    }
    // A path that holds nothing is a mistake in the command, not in an app.
    let all_broken = apps.iter().all(|app| matches!(app, AppSource::Broken(_)));
    if missing || (all_broken && !apps.is_empty() && !more_may_come) {
        return Err(Stopped::Told);
    }
    Ok(Apps {
        apps,
        paths: sources.paths,
        known,
    })
}

fn name_of(app: &AppSource) -> &str {
    match app {
        AppSource::App(app) => app.name(),
        AppSource::Broken(manifest) => &manifest.name,
    }
}

/// What is served where, in one line.
fn ready_line(
    server: &Server,
    workers: usize,
    apps: &[AppSource],
    broken: &[usize],
    bucket: Option<&S3>,
    running: Option<&Running>,
) -> String {
    let s = if workers == 1 { "" } else { "s" };
    let address = server.address();
    let secure = match server.tls_address() {
        Some(address) => format!(" and https://{address}"),
        None => String::new(),
    };
    let mut line =
        format!("rille: listening on http://{address}{secure} with {workers} worker{s};");
    let served = server.deployer().list();
    let is_later = |name: &&str| !apps.iter().any(|app| name_of(app) == *name);
    let later: Vec<&str> = served
        .iter()
        .map(|status| status.version.app.as_str())
        .filter(is_later)
        .collect();
    let several = apps.len() + later.len() > 1;
    for (at, app) in apps.iter().enumerate() {
        let name = name_of(app);
        let comma = if at == 0 { "" } else { "," };
        match several {
            true => line.push_str(&format!(
                "{comma} {name} at http://{name}.localhost:{}/",
                address.port()
            )),
            false => line.push_str(&format!(" {name}")),
        }
        if broken.contains(&at) {
            line.push_str(" (broken)");
            continue;
        }
        for port in server.task_ports().iter().filter(|port| port.app == at) {
            line.push_str(&format!(" (task {} at {})", port.task, port.address));
        }
    }
    for (at, name) in later.iter().enumerate() {
        let comma = if at == 0 && apps.is_empty() { "" } else { "," };
        match several {
            true => line.push_str(&format!(
                "{comma} {name} at http://{name}.localhost:{}/",
                address.port()
            )),
            false => line.push_str(&format!(" {name}")),
        }
    }
    if let Some(bucket) = bucket {
        let comma = if served.is_empty() { "" } else { "," };
        line.push_str(&format!("{comma} hosts of {bucket}"));
    } else if served.is_empty() {
        line.push_str(" no app yet");
    }
    if let Some(address) = running.and_then(|running| running.admin) {
        line.push_str(&format!("; admin API at http://{address}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(parse_address(":80").unwrap().to_string(), "0.0.0.0:80");
        assert_eq!(
            parse_address("localhost:80").unwrap().to_string(),
            "127.0.0.1:80"
        );
        assert_eq!(parse_address("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(parse_address("8080").is_err() && parse_address("a:b").is_err());
    }
}
