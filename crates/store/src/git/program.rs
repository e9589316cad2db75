//! The `git` program, run so that it does what its arguments say and nothing else.
//!
//! ```text
//! sh -c 'ulimit ...; exec "$@"' --> git --> git-remote-https, ssh, index-pack, ...      one process group
//! ```
//!
//! **Invariants.** Of the environment only what is listed in [`KEPT`] gets through, and no configuration of the system, the user or a
//! repository's owner, so that there are no hooks, filters, aliases, helpers or rewritten URLs. One protocol is allowed at a time. A token
//! is in the environment only, and only asked for by the host it belongs to. When a [`Run`] is dropped the whole group is killed.

use super::Options;
use crate::cancel::blocking;
use crate::error::{Error, ErrorKind, quoted};
use crate::limits::Limits;
use crate::source::{Git, Transport};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// What the program may know of our environment.
const KEPT: [&str; 10] = [
    "PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "no_proxy",
    "NO_PROXY",
];
/// What a process of it may take of address space, in KiB: a bomb in a pack is not unpacked in our memory, but in the machine's.
const ADDRESS_SPACE_KIB: u64 = 4 << 20;
/// The most that is kept of what it says to its error output.
const MAX_SAID: usize = 16 << 10;
/// How often the size of a repository that is being fetched is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Gives a user and a token to git, from the environment. git asks for the host of its own key only.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$RILLE_GIT_USER\" \"$RILLE_GIT_TOKEN\"; }; f";

/// A repository of ours, below the temporary folder, and how the program is run for it.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub options: &'a Options,
    pub limits: &'a Limits,
    pub git: &'a Git,
    /// A folder of its own: home of the program, and place of the repository.
    pub folder: &'a Path,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub success: bool,
    pub stdout: Vec<u8>,
    stderr: Vec<u8>,
    code: Option<i32>,
}

impl Ended {
    /// Whether git said these words.
    pub fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.stderr).contains(words)
    }
}

/// A process that ends with its group when it is dropped.
#[derive(Debug)]
pub(super) struct Run {
    pub child: Child,
    group: Option<Pid>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            // Nobody is left of a group that has ended by itself; its number is not given away before the child was waited for.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Run {
    /// Waits for the end of it. Afterwards there may be another group of that number.
    async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await;
        if status.is_ok() {
            self.group = None;
        }
        status
    }
}

impl Program<'_> {
    /// The repository.
    pub fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str], stdin: Stdio, stdout: Stdio) -> Result<Run, Error> {
        let blocks = self.limits.download_bytes.div_ceil(512);
        let limits =
            format!("ulimit -c 0; ulimit -f {blocks}; ulimit -v {ADDRESS_SPACE_KIB}; exec \"$@\"");
        let mut command = Command::new("/bin/sh");
        command
            .args([
                OsStr::new("-c"),
                OsStr::new(&limits),
                OsStr::new("sh"),
                self.options.program.as_os_str(),
            ])
            .args(arguments)
            .current_dir(self.folder)
            .env_clear()
            .envs(self.environment()?)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            Error::new(
                ErrorKind::Setup,
                format!("/bin/sh cannot be started: {error}"),
            )
        })?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Ok(Run { child, group })
    }

    /// Runs the program to its end, with at most `most` bytes of output.
    pub async fn run(&self, arguments: &[&str], most: usize) -> Result<Ended, Error> {
        let mut run = self.start(arguments, Stdio::null(), Stdio::piped())?;
        let stdout = run.child.stdout.take();
        let stderr = run.child.stderr.take();
        let ended = async {
            let (stdout, stderr) =
                tokio::join!(read_most(stdout, most), read_most(stderr, MAX_SAID));
            (run.wait().await, stdout, stderr)
        };
        let (status, stdout, stderr) = tokio::select! {
            ended = ended => ended,
            error = self.watch_size() => return Err(error),
        };
        let status = status.map_err(|error| {
            Error::new(
                ErrorKind::Setup,
                format!("git cannot be waited for: {error}"),
            )
        })?;
        if stdout.len() > most {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the repository has too many branches, tags or files",
            ));
        }
        if self.is_too_large().await {
            return Err(self.too_large());
        }
        Ok(Ended {
            success: status.success(),
            stdout,
            stderr,
            code: status.code(),
        })
    }

    /// Comes back when the repository has become too large.
    async fn watch_size(&self) -> Error {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.is_too_large().await {
                return self.too_large();
            }
        }
    }

    async fn is_too_large(&self) -> bool {
        let folder = self.folder.to_owned();
        let bytes = blocking(move |_| Ok(folder_bytes(&folder))).await;
        bytes.is_ok_and(|bytes| bytes >= self.limits.download_bytes)
    }

    fn too_large(&self) -> Error {
        Error::new(
            ErrorKind::TooLarge,
            format!(
                "{} takes more than {} bytes to fetch; use a smaller repository",
                self.git.url(),
                self.limits.download_bytes
            ),
        )
    }

    fn environment(&self) -> Result<Vec<(OsString, OsString)>, Error> {
        let mut all: Vec<(OsString, OsString)> = KEPT
            .iter()
            .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)))
            .collect();
        let mut set = |name: &str, value: &OsStr| all.push((name.into(), value.into()));
        set("HOME", self.folder.as_os_str());
        set("XDG_CONFIG_HOME", self.folder.as_os_str());
        set("LC_ALL", OsStr::new("C"));
        set("GIT_CONFIG_NOSYSTEM", OsStr::new("1"));
        set("GIT_CONFIG_SYSTEM", OsStr::new("/dev/null"));
        set("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null"));
        set("GIT_ATTR_NOSYSTEM", OsStr::new("1"));
        set("GIT_TERMINAL_PROMPT", OsStr::new("0"));
        set("GIT_ASKPASS", OsStr::new("/bin/false"));
        set("SSH_ASKPASS", OsStr::new("/bin/false"));
        set("GIT_LFS_SKIP_SMUDGE", OsStr::new("1"));
        set("GIT_NO_LAZY_FETCH", OsStr::new("1"));
        set("GIT_NO_REPLACE_OBJECTS", OsStr::new("1"));
        set("GIT_DIR", self.repository().as_os_str());
        let protocol = match self.git.transport {
            Transport::Ssh => "ssh",
            Transport::Https => "https",
            Transport::File => "file",
        };
        set("GIT_ALLOW_PROTOCOL", OsStr::new(protocol));
        if self.git.transport == Transport::Ssh {
            set("GIT_SSH_VARIANT", OsStr::new("ssh"));
            set(
                "GIT_SSH_COMMAND",
                &super::ssh::command(self.options, self.limits)?,
            );
            if let Some(agent) =
                std::env::var_os("SSH_AUTH_SOCK").filter(|_| self.options.ssh_key.is_none())
            {
                set("SSH_AUTH_SOCK", &agent);
            }
        }
        let mut config = self.config();
        if let Some(credential) = self.options.credential(self.git) {
            set("RILLE_GIT_USER", OsStr::new(&credential.user));
            set("RILLE_GIT_TOKEN", OsStr::new(credential.token.reveal()));
            config.push((
                format!("credential.https://{}.helper", self.git.host),
                HELPER.into(),
            ));
        }
        set("GIT_CONFIG_COUNT", OsStr::new(&config.len().to_string()));
        for (at, (key, value)) in config.iter().enumerate() {
            set(&format!("GIT_CONFIG_KEY_{at}"), OsStr::new(key));
            set(&format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        Ok(all)
    }

    fn config(&self) -> Vec<(String, OsString)> {
        let stall = self.limits.stall.as_secs().max(1).to_string();
        let fixed = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.bigFileThreshold", "1m"),
            ("pack.threads", "1"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("fetch.unpackLimit", "1"),
            ("fetch.recurseSubmodules", "false"),
            ("submodule.recurse", "false"),
            ("transfer.bundleURI", "false"),
            ("http.followRedirects", "initial"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", stall.as_str()),
        ];
        let mut all: Vec<(String, OsString)> = fixed
            .iter()
            .map(|(key, value)| ((*key).to_owned(), OsString::from(*value)))
            .collect();
        if let Some(file) = &self.options.ca_file {
            all.push(("http.sslCAInfo".to_owned(), file.clone().into_os_string()));
        }
        all
    }

    /// What a run that failed means to whoever asked for it.
    pub fn failure(&self, ended: &Ended) -> Error {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said = match self.options.credential(self.git) {
            Some(credential) => credential.token.redact(&said),
            None => said.into_owned(),
        };
        let (kind, advice) = understand(&said, ended.code);
        Error::new(
            kind,
            format!(
                "{}: {advice} (git said: {})",
                self.git.url(),
                quoted(last_words(&said).as_bytes())
            ),
        )
    }
}

/// What git's own words mean, in its untranslated messages.
fn understand(said: &str, code: Option<i32>) -> (ErrorKind, &'static str) {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if code == Some(127) {
        (
            ErrorKind::Setup,
            "the git program is not installed; install it",
        )
    } else if has(&["No space left on device", "Disk quota exceeded"]) {
        (
            ErrorKind::Full,
            "the disk is full; make room below the state folder",
        )
    } else if has(&[
        "Host key verification failed",
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
    ]) {
        (
            ErrorKind::Setup,
            "the host's key is not the known one; put the right one into the file of known hosts",
        )
    } else if has(&["dubious ownership"]) {
        (
            ErrorKind::Setup,
            "the repository belongs to another user; run as that user",
        )
    } else if has(&[
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "Permission denied (",
        "error: 403",
        "error: 401",
    ]) {
        (
            ErrorKind::Denied,
            "access is denied; set up a key file or a token for this host",
        )
    } else if has(&[
        "not found",
        "does not appear to be a git repository",
        "does not exist",
        "Repository not found",
        "error: 404",
    ]) {
        (
            ErrorKind::NotFound,
            "there is no such repository, or we may not see it; check the address",
        )
    } else if has(&[
        "not our ref",
        "couldn't find remote ref",
        "no such remote ref",
    ]) {
        (
            ErrorKind::NotFound,
            "there is no such branch, tag or commit (any more)",
        )
    } else if has(&["transport '"]) {
        (
            ErrorKind::Denied,
            "it leads to another protocol, which is not allowed",
        )
    } else {
        (
            ErrorKind::Unavailable,
            "the repository cannot be fetched now; it is tried again later",
        )
    }
}

/// The lines that say what went wrong.
fn last_words(said: &str) -> String {
    let fatal = said.lines().filter(|line| {
        line.contains("fatal:")
            || line.contains("error:")
            || line.starts_with("remote:")
            || line.starts_with("ERROR:")
    });
    let words = fatal.collect::<Vec<_>>().join("; ");
    match words.is_empty() {
        true => said.lines().next_back().unwrap_or("nothing").to_owned(),
        false => words,
    }
}

/// At most `most` bytes and one more, and the rest for nobody.
async fn read_most(from: Option<impl AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut read = Vec::new();
    let Some(mut from) = from else {
        return read;
    };
    let mut piece = vec![0; 16 << 10];
    while let Ok(count) = from.read(&mut piece).await {
        let room = (most + 1).saturating_sub(read.len());
        read.extend_from_slice(piece.get(..count.min(room)).unwrap_or_default());
        if count == 0 {
            break;
        }
    }
    read
}

/// Bytes of the files below a folder, which git changes in the meantime.
fn folder_bytes(folder: &Path) -> u64 {
    let mut bytes: u64 = 0;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_git_are_understood() {
        for (said, kind) in [
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                ErrorKind::Denied,
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                ErrorKind::Denied,
            ),
            (
                "fatal: repository 'https://h/x/' not found",
                ErrorKind::NotFound,
            ),
            (
                "fatal: '/x' does not appear to be a git repository",
                ErrorKind::NotFound,
            ),
            (
                "fatal: couldn't find remote ref refs/heads/x",
                ErrorKind::NotFound,
            ),
            (
                "Host key verification failed.\nfatal: Could not read from remote repository.",
                ErrorKind::Setup,
            ),
            (
                "fatal: unable to access 'https://h/': Could not resolve host: h",
                ErrorKind::Unavailable,
            ),
            (
                "fatal: write error: No space left on device",
                ErrorKind::Full,
            ),
            ("fatal: transport 'file' not allowed", ErrorKind::Denied),
        ] {
            assert_eq!(understand(said, Some(128)).0, kind, "{said}");
        }
        assert_eq!(
            understand("sh: git: not found", Some(127)).0,
            ErrorKind::Setup
        );
    }
}
