//! What the tests of the store share.
#![allow(dead_code)]

pub mod server;

use rille_store::{
    Bundle, BundlePath, Error, Fetched, Fetcher, Limits, Options, Outcome, Revision, Source, Store,
};
use std::fs;
use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// Runs a future on a runtime of its own.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A state folder and a fetcher.
pub struct Place {
    pub folder: TempDir,
    pub fetcher: Fetcher,
}

impl Place {
    pub fn new() -> Place {
        Place::with(Limits::default(), Options::default())
    }

    pub fn with(limits: Limits, options: Options) -> Place {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("state"), limits).unwrap();
        let fetcher = Fetcher::new(store, options);
        Place { folder, fetcher }
    }

    pub fn store(&self) -> &Arc<Store> {
        self.fetcher.store()
    }

    pub async fn fetch(&self, source: &str) -> Result<Fetched, Error> {
        let source = Source::parse(source).unwrap();
        match self.fetcher.fetch(&source, None).await? {
            Outcome::Fetched(fetched) => Ok(fetched),
            Outcome::Unchanged => panic!("nothing was known"),
        }
    }

    pub async fn fetch_again(
        &self,
        source: &str,
        known: &Revision,
    ) -> Result<Option<Fetched>, Error> {
        let source = Source::parse(source).unwrap();
        match self.fetcher.fetch(&source, Some(known)).await? {
            Outcome::Fetched(fetched) => Ok(Some(fetched)),
            Outcome::Unchanged => Ok(None),
        }
    }

    /// The kind and the text of the error a fetch must end with; nothing may stay behind.
    pub fn fails(&self, source: &str) -> (rille_store::ErrorKind, String) {
        let error = run(self.fetch(source))
            .err()
            .unwrap_or_else(|| panic!("{source} was fetched"));
        self.is_clean();
        assert!(!error.to_string().contains('\n'), "{error}");
        (error.kind(), error.to_string())
    }

    /// Nothing is being written.
    pub fn is_clean(&self) {
        let state = self.folder.path().join("state");
        let left: Vec<_> = fs::read_dir(state.join("tmp"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Writes files below a folder.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, contents) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

/// The paths and contents of a bundle.
pub fn files(bundle: &Bundle) -> Vec<(String, String)> {
    let paths = bundle.index().files().map(|(path, _)| path.clone());
    paths
        .map(|path: BundlePath| {
            let contents = bundle.read(&path).unwrap();
            assert_eq!(fs::read(path.below(bundle.folder())).unwrap(), contents);
            (path.to_string(), String::from_utf8(contents).unwrap())
        })
        .collect()
}

/// `files` in the same form.
pub fn expected(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files
        .iter()
        .map(|(path, contents)| ((*path).to_owned(), (*contents).to_owned()))
        .collect()
}

/// Runs git in a folder, as nobody in particular, and gives what it says.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is installed");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A working copy with one commit, at `work`, and the bare repository it pushes to, at `bare.git`.
pub struct Repository {
    pub folder: TempDir,
}

impl Repository {
    pub fn new(files: &[(&str, &str)]) -> Repository {
        let folder = TempDir::new().unwrap();
        git(folder.path(), &["init", "--quiet", "--bare", "bare.git"]);
        git(folder.path(), &["init", "--quiet", "work"]);
        let repository = Repository { folder };
        git(
            &repository.work(),
            &["remote", "add", "origin", "../bare.git"],
        );
        repository.commit(files);
        repository
    }

    pub fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    pub fn bare(&self) -> std::path::PathBuf {
        self.folder.path().join("bare.git")
    }

    /// Its address as a source.
    pub fn source(&self) -> String {
        format!("git+file://{}", self.bare().display())
    }

    /// Commits these files on the branch of the working copy, pushes, and gives the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        write(&self.work(), files);
        git(&self.work(), &["add", "--all"]);
        git(
            &self.work(),
            &["commit", "--quiet", "--allow-empty", "--message", "change"],
        );
        self.push();
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    pub fn push(&self) {
        git(
            &self.work(),
            &["push", "--quiet", "--force", "--tags", "origin", "HEAD"],
        );
    }
}
