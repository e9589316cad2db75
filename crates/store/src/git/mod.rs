//! Git repositories as a source, by the `git` program.
//!
//! ```text
//! ls-remote --> is it what we have? --> fetch, one commit deep, into an empty repository --> ls-tree, cat-file --> Writer
//! ```
//! There is no checkout: names and bytes are read out of the objects, so that attributes, filters, and the traps of file systems
//! have nothing to work on. Submodules are left out, and files of LFS are the pointers that are in the repository, both as in a forge's archive.
//!
//! **Invariants.** What the program is kept from is said in `program.rs`. The repository lives below `STATE/tmp` and is gone afterwards.

pub mod listing;
mod objects;
mod program;
mod ssh;

use crate::bundle::Bundle;
use crate::error::{Error, ErrorKind};
use crate::record::Revision;
use crate::secret::Secret;
use crate::source::{Git, Transport};
use crate::store::Store;
use listing::{Wanted, candidates, choose, is_object};
use program::Program;
use std::path::PathBuf;
use std::sync::Arc;

/// The most that `ls-remote` may say, in bytes.
const MAX_REFERENCES: usize = 1 << 20;
/// Where a fetched reference is put.
const FETCHED: &str = "refs/rille/fetched";

/// How the `git` program is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program, by name or path.
    pub program: PathBuf,
    /// For ssh: a private key without a passphrase. Without one, what the agent has.
    pub ssh_key: Option<PathBuf>,
    /// For ssh: the keys of hosts we know; no others are accepted. Without one, the first key of a host is remembered.
    pub known_hosts: Option<PathBuf>,
    /// Where first keys are remembered.
    pub remembered_hosts: PathBuf,
    /// For https: who we are, host by host.
    pub credentials: Vec<Credential>,
    /// For https: certificates to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Who we are at a host.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The host, with its port if it is in the address of the source.
    pub host: String,
    /// The user; most forges take any for a token.
    pub user: String,
    /// The token or password.
    pub token: Secret,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            program: "git".into(),
            ssh_key: None,
            known_hosts: None,
            remembered_hosts: "/dev/null".into(),
            credentials: Vec::new(),
            ca_file: None,
        }
    }
}

impl Options {
    fn credential(&self, git: &Git) -> Option<&Credential> {
        let https = git.transport == Transport::Https;
        self.credentials
            .iter()
            .find(|credential| https && credential.host.eq_ignore_ascii_case(&git.host))
    }
}

/// Fetches a repository. `None` if it is at the commit that is known.
pub(crate) async fn fetch(
    store: &Arc<Store>,
    options: &Options,
    git: &Git,
    known: Option<&Revision>,
) -> Result<Option<(Bundle, Revision)>, Error> {
    let temporary = store.temporary()?;
    store
        .disk
        .create_folders(&temporary.path)
        .map_err(|error| Error::disk("make", &temporary.path, &error))?;
    let program = Program {
        options,
        limits: store.limits(),
        git,
        folder: &temporary.path,
    };
    let wanted = match git
        .reference
        .as_ref()
        .filter(|reference| reference.is_commit())
    {
        Some(commit) => Wanted::commit(commit),
        None => program.resolve().await?,
    };
    if known.is_some_and(|known| known.as_str() == wanted.commit) {
        return Ok(None);
    }
    program.prepare(&wanted).await?;
    let commit = program.get(&wanted).await?;
    let revision = Revision::new(&commit).ok_or_else(|| {
        Error::new(
            ErrorKind::Unavailable,
            "git gave no commit; it is tried again later",
        )
    })?;
    let files = objects::list(&program, &commit).await?;
    let bundle = objects::unpack(&program, store, files).await?;
    Ok(Some((bundle, revision)))
}

impl Program<'_> {
    /// Asks what the reference is now.
    async fn resolve(&self) -> Result<Wanted, Error> {
        let candidates = candidates(self.git.reference.as_ref());
        let peeled: Vec<String> = candidates
            .iter()
            .map(|name| format!("{name}^{{}}"))
            .collect();
        let url = self.git.url();
        let mut arguments = vec!["ls-remote", "--quiet", "--", url.as_str()];
        arguments.extend(candidates.iter().chain(&peeled).map(String::as_str));
        let ended = self.run(&arguments, MAX_REFERENCES).await?;
        if !ended.success {
            return Err(self.failure(&ended));
        }
        choose(&ended.stdout, &candidates).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                match &self.git.reference {
                    Some(reference) => format!(
                        "{url} has no branch or tag \"{}\" (any more); choose another, or a whole commit name",
                        reference.as_str()
                    ),
                    None => format!("{url} is empty; push a commit first"),
                },
            )
        })
    }

    /// Makes the empty repository, of the kind of its commits.
    async fn prepare(&self, wanted: &Wanted) -> Result<(), Error> {
        let format = match wanted.commit.len() {
            64 => "--object-format=sha256",
            _ => "--object-format=sha1",
        };
        let ended = self
            .run(&["init", "--quiet", "--bare", "--template=", format], 0)
            .await?;
        match ended.success {
            true => Ok(()),
            false => Err(self.failure(&ended)),
        }
    }

    /// Fetches, and says which commit came.
    async fn get(&self, wanted: &Wanted) -> Result<String, Error> {
        let one = format!("+{}:{FETCHED}", wanted.name);
        let ended = self.fetch(Some("--depth=1"), &[&one]).await?;
        if ended.success {
            return self
                .commit_of(FETCHED)
                .await?
                .ok_or_else(|| self.no_commit(wanted));
        }
        let is_commit = wanted.name == wanted.commit;
        // Plain web servers know neither depth nor commits by name, and other servers may not give out any commit: then all there is.
        if !is_commit && !ended.says("dumb http transport") {
            return Err(self.failure(&ended));
        }
        let all = [
            "+refs/heads/*:refs/rille/heads/*",
            "+refs/tags/*:refs/rille/tags/*",
        ];
        let (specs, name): (&[&str], _) = match is_commit {
            true => (&all, wanted.commit.as_str()),
            false => (&[&one], FETCHED),
        };
        let ended = self.fetch(None, specs).await?;
        if !ended.success {
            return Err(self.failure(&ended));
        }
        self.commit_of(name)
            .await?
            .ok_or_else(|| self.no_commit(wanted))
    }

    async fn fetch(&self, depth: Option<&str>, specs: &[&str]) -> Result<program::Ended, Error> {
        let url = self.git.url();
        let mut arguments = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        ];
        arguments.extend(depth);
        arguments.extend(["--", url.as_str()]);
        arguments.extend(specs);
        self.run(&arguments, MAX_REFERENCES).await
    }

    async fn commit_of(&self, name: &str) -> Result<Option<String>, Error> {
        let name = format!("{name}^{{commit}}");
        let ended = self
            .run(
                &[
                    "rev-parse",
                    "--verify",
                    "--quiet",
                    "--end-of-options",
                    &name,
                ],
                256,
            )
            .await?;
        let commit = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        Ok(Some(commit).filter(|commit| ended.success && is_object(commit)))
    }

    fn no_commit(&self, wanted: &Wanted) -> Error {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "{} has no commit {} (any more): a branch was rewritten or removed; choose another commit, branch or tag",
                self.git.url(),
                wanted.commit
            ),
        )
    }
}
