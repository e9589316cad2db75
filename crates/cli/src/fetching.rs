//! What fetches code while the server runs: its own thread, the state folder, and the sources.
//!
//! **Invariant:** nothing is made on the disk before something is fetched, and without a state folder all of it is gone when the program ends.

use rille_runtime::late::Forge;
use rille_server::Repositories;
use rille_store::git::Credential;
use rille_store::{Fetcher, Limits, Options, Secret, Store, github, s3};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// What `--help` says of the variables below.
pub const HELP: &str = "\
Sources are spoken to as these variables say:
  GITHUB_TOKEN           for private repositories of github.com/OWNER/REPO, and more than a few requests an hour
  GITHUB_API_URL         another forge with GitHub's API [default: https://api.github.com]
  RILLE_GIT_SSH_KEY      the file of a private key without a passphrase, for git+ssh; otherwise what the agent has
  RILLE_GIT_KNOWN_HOSTS  the only keys of hosts to accept, for git+ssh; otherwise the first key of a host is remembered
  RILLE_GIT_CREDENTIALS  for git+https, host by host: HOST=TOKEN or HOST=USER:TOKEN, with spaces between them
  RILLE_CA_FILE          certificates to trust besides the system's (for git+https: instead of them)
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL    for s3://BUCKET/FOLDER";

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
        let options = options(variable)?;
        let said = |error: rille_store::Error| error.to_string();
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
fn options(get: impl Fn(&str) -> Option<String>) -> Result<Options, String> {
    let said = |error: rille_store::Error| error.to_string();
    let mut options = Options {
        s3: s3::Options::from_variables(&get).map_err(said)?,
        ca_file: get("RILLE_CA_FILE").map(PathBuf::from),
        ..Options::default()
    };
    options.github = github::Options {
        base: get("GITHUB_API_URL").map_or(options.github.base, |base| {
            base.trim_end_matches('/').to_owned()
        }),
        token: get("GITHUB_TOKEN").map(Secret::new),
    };
    options.git.ssh_key = get("RILLE_GIT_SSH_KEY").map(PathBuf::from);
    options.git.known_hosts = get("RILLE_GIT_KNOWN_HOSTS").map(PathBuf::from);
    options.git.ca_file = options.ca_file.clone();
    options.git.credentials = match get("RILLE_GIT_CREDENTIALS") {
        Some(text) => text
            .split_whitespace()
            .map(credential)
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(options)
}

/// `HOST=[USER:]TOKEN`. The error has nothing of it: it may be a secret.
fn credential(text: &str) -> Result<Credential, String> {
    let wrong = || {
        "RILLE_GIT_CREDENTIALS has HOST=TOKEN or HOST=USER:TOKEN, with spaces between them"
            .to_owned()
    };
    let (host, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (user, token) = rest.split_once(':').unwrap_or(("x-access-token", rest));
    match host.is_empty() || user.is_empty() || token.is_empty() {
        true => Err(wrong()),
        false => Ok(Credential {
            host: host.to_owned(),
            user: user.to_owned(),
            token: Secret::new(token),
        }),
    }
}

/// A variable of the environment that says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_who_we_are() {
        let get = |name: &str| {
            Some(match name {
                "GITHUB_TOKEN" => "t".to_owned(),
                "GITHUB_API_URL" => "http://forge/api/".to_owned(),
                "RILLE_GIT_CREDENTIALS" => "a.example=one b.example:8443=me:two:2".to_owned(),
                "RILLE_CA_FILE" => "/ca.pem".to_owned(),
                _ => return None,
            })
        };
        let options = options(get).unwrap();
        assert_eq!(options.github.base, "http://forge/api");
        assert_eq!(options.github.token.unwrap().reveal(), "t");
        assert_eq!(options.git.ca_file, Some("/ca.pem".into()));
        let told = |at: usize| {
            let it: &Credential = &options.git.credentials[at];
            (it.host.as_str(), it.user.as_str(), it.token.reveal())
        };
        assert_eq!(told(0), ("a.example", "x-access-token", "one"));
        assert_eq!(told(1), ("b.example:8443", "me", "two:2"));
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for wrong in ["secret", "=secret", "host=", "host=:secret", "host=user:"] {
            let why = credential(wrong).unwrap_err();
            assert!(
                !why.contains("secret") && why.contains("HOST=TOKEN"),
                "{why}"
            );
        }
        let one = |name: &str| (name == "AWS_ACCESS_KEY_ID").then(|| "k".to_owned());
        assert!(options(one).unwrap_err().contains("AWS_SECRET_ACCESS_KEY"));
    }
}
