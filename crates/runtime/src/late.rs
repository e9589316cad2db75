//! Code that an app gets while it runs: files of a source that is not read as a whole, and modules of repositories.
//!
//! ```text
//! require, a path nothing answers --> App::fetch --> Files::code (whoever has them) --> Late: behind the files of the start
//! github.com/OWNER/REPO/blob/REF/FILE.lua --> Forge::open, once for each app and reference --> Files of that repository
//! ```
//!
//! **Invariants.** A file that is in the list stays what it is, in its place, for as long as the app is there: who has a [`FileId`] may use it at any
//! time, on any worker, without a lock. There are at most [`MAX_LATE_FILES`], of at most as many bytes of text as one VM of the app may have, and
//! the files of at most [`MAX_REPOSITORIES`]. All files of one reference are of one state of its repository.

use crate::app::{CodeFile, Target};
use crate::problem::Problem;
use crate::route::{FileId, TargetId};
use rille_lua::{Chunk, Dialect};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// The most files that an app gets while it runs.
pub const MAX_LATE_FILES: usize = 10_000;
/// The most repositories (at one reference each) that an app takes modules from.
pub const MAX_REPOSITORIES: usize = 32;
/// What the name of a module of a repository begins with.
pub const FORGE: &str = "github.com/";

/// What comes later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Files of an app, or of a repository, that are read when they are asked for.
pub trait Files: fmt::Debug + Send + Sync {
    /// The code in a file; none if there is no such file. A file that does not compile is there.
    fn code(&self, path: &str, dialect: Dialect) -> Later<Result<Option<Code>, Failure>>;

    /// That there is no such file matters to what is served, so it should be known when nobody can be asked.
    fn missed(&self, _path: &str) {}
}

/// Where repositories are.
pub trait Forge: fmt::Debug + Send + Sync {
    /// The files of a repository as it is now, or was lately. `name` is `github.com/OWNER/REPO/blob/REF`.
    fn open(&self, name: &str) -> Later<Result<Arc<dyn Files>, Failure>>;
}

/// Code that has come.
#[derive(Debug)]
pub struct Code {
    /// Compiled, or why not.
    pub code: Result<Arc<Chunk>, Problem>,
    /// As in [`CodeFile`].
    pub names_exports: bool,
    /// Of its text.
    pub bytes: u64,
    /// Of its text too: another one when that has changed.
    pub stamp: Stamp,
}

/// Stands for a text: the SHA-256 of it, or nothing where nobody compares.
pub type Stamp = [u8; 32];

/// What is known of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is this file.
    File(FileId),
    /// There is no such file.
    Missing,
    /// Nothing yet: it has to be fetched.
    No,
}

/// Why a file did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of reason.
    pub why: Why,
    /// All of it, in one line.
    pub message: String,
}

/// What kept a file from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The source does not let us see it, if it is there.
    Denied,
    /// The source does not answer as it should.
    Unavailable,
    /// It took too long.
    Late,
    /// A limit of ours.
    Limit,
}

impl Failure {
    /// For this reason.
    pub fn new(why: Why, message: impl Into<String>) -> Failure {
        Failure {
            why,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A list that only grows; what is in it is found without a lock.
struct Growing<T> {
    /// Each twice as long as the one before.
    parts: [OnceLock<Box<[OnceLock<T>]>>; PARTS],
}

const PARTS: usize = 10;
/// The length of the first part.
const FIRST: usize = 16;

/// All parts together have room for what there may be.
const _: () = assert!(FIRST * ((1 << PARTS) - 1) >= MAX_LATE_FILES);

impl<T> Growing<T> {
    fn new() -> Growing<T> {
        Growing {
            parts: [const { OnceLock::new() }; PARTS],
        }
    }

    /// The part, and the place in it.
    fn place(at: usize) -> (usize, usize) {
        let part = (at / FIRST + 1).ilog2() as usize;
        (part, at - FIRST * ((1 << part) - 1))
    }

    fn get(&self, at: usize) -> Option<&T> {
        let (part, place) = Growing::<T>::place(at);
        self.parts.get(part)?.get()?.get(place)?.get()
    }

    /// Puts something in a place that has nothing yet. False if there is no such place.
    fn set(&self, at: usize, value: T) -> bool {
        let (part, place) = Growing::<T>::place(at);
        let Some(cell) = self.parts.get(part) else {
            return false;
        };
        let part = cell.get_or_init(|| (0..FIRST << part).map(|_| OnceLock::new()).collect());
        part.get(place)
            .is_some_and(|place| place.set(value).is_ok())
    }
}

/// A file that came, and the route to it.
struct Entry {
    file: CodeFile,
    target: Target,
    stamp: Stamp,
}

/// The files that an app has got while it ran, and where it gets them.
pub struct Late {
    /// Of the first of them.
    first: u32,
    entries: Growing<Entry>,
    index: RwLock<Index>,
    most_bytes: u64,
    /// The app's own.
    own: Option<Arc<dyn Files>>,
    forge: OnceLock<Arc<dyn Forge>>,
    repositories: Mutex<HashMap<Box<str>, Repository>>,
}

/// Opened by whoever asks first.
type Repository = Arc<tokio::sync::OnceCell<Arc<dyn Files>>>;

#[derive(Default)]
struct Index {
    by_path: HashMap<Box<str>, FileId>,
    /// What modules were looked for in vain, or before another file that was there.
    missing: HashSet<Box<str>>,
    bytes: u64,
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late")
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

/// In a [`TargetId`]: what follows is a place in the list.
const TARGET: u32 = 1 << 31;

impl Late {
    /// Of an app that has so many files already.
    pub(crate) fn new(files: usize, most_bytes: u64, own: Option<Arc<dyn Files>>) -> Late {
        Late {
            first: u32::try_from(files).unwrap_or(u32::MAX),
            entries: Growing::new(),
            index: RwLock::default(),
            most_bytes,
            own,
            forge: OnceLock::new(),
            repositories: Mutex::default(),
        }
    }

    /// Whether files of the app itself come when they are asked for.
    pub(crate) fn is_on_demand(&self) -> bool {
        self.own.is_some()
    }

    /// Whether anything can come.
    pub(crate) fn can_fetch(&self, path: &str) -> bool {
        match path.starts_with(FORGE) {
            true => self.forge.get().is_some(),
            false => self.own.is_some(),
        }
    }

    pub(crate) fn set_forge(&self, forge: &Arc<dyn Forge>) {
        self.forge.get_or_init(|| forge.clone());
    }

    pub(crate) fn find(&self, path: &str) -> Option<FileId> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_path.get(path).copied()
    }

    pub(crate) fn known(&self, path: &str) -> Known {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        match index.by_path.get(path) {
            Some(id) => Known::File(*id),
            None if index.missing.contains(path) || !self.can_fetch(path) => Known::Missing,
            None => Known::No,
        }
    }

    /// Remembers that there is no such file; as many as there may be files, and of others that is found out each time.
    pub(crate) fn miss(&self, path: &str) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = index.missing.len() < MAX_LATE_FILES
            && !index.by_path.contains_key(path)
            && index.missing.insert(path.into());
        drop(index);
        if let Some(own) = self
            .own
            .as_ref()
            .filter(|_| is_new && !path.starts_with(FORGE))
        {
            own.missed(path);
        }
    }

    /// The app's own files that have come, and what they were; those that were missing.
    pub(crate) fn own(&self) -> Vec<(Box<str>, Option<Stamp>)> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let there = index.by_path.iter().map(|(path, id)| {
            let stamp = self.entry(*id).map(|entry| entry.stamp);
            (path.clone(), stamp)
        });
        let missing = index.missing.iter().map(|path| (path.clone(), None));
        let own = there.chain(missing);
        own.filter(|(path, _)| !path.starts_with(FORGE)).collect()
    }

    fn entry(&self, id: FileId) -> Option<&Entry> {
        self.entries.get(id.0.checked_sub(self.first)? as usize)
    }

    pub(crate) fn file(&self, id: FileId) -> Option<&CodeFile> {
        self.entry(id).map(|entry| &entry.file)
    }

    pub(crate) fn target(&self, id: TargetId) -> Option<&Target> {
        let at = (id.0 & TARGET != 0).then_some(id.0 & !TARGET)?;
        self.entries.get(at as usize).map(|entry| &entry.target)
    }

    /// The route to a file of the list.
    pub(crate) fn target_of(&self, id: FileId) -> Option<TargetId> {
        Some(TargetId(id.0.checked_sub(self.first)? | TARGET))
    }

    /// Gets a file, which is then in the list.
    pub(crate) async fn fetch(
        &self,
        path: &str,
        dialect: Dialect,
    ) -> Result<Option<FileId>, Failure> {
        if let Some(known) = self.find(path) {
            return Ok(Some(known));
        }
        let code = match forge_path(path) {
            Some((repository, file)) => {
                let files = self.repository(repository).await?;
                files.code(file, dialect).await?
            }
            None => match &self.own {
                Some(own) => own.code(path, dialect).await?,
                None => None,
            },
        };
        code.map(|code| self.add(path, code)).transpose()
    }

    async fn repository(&self, name: &str) -> Result<Arc<dyn Files>, Failure> {
        let Some(forge) = self.forge.get() else {
            let why = format!("{name}: there is nothing here to fetch modules with");
            return Err(Failure::new(Why::Unavailable, why));
        };
        let repository = {
            let mut known = self
                .repositories
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // One that could not be opened leaves no trace.
            known.retain(|_, cell| cell.initialized() || Arc::strong_count(cell) > 1);
            match known.get(name) {
                Some(repository) => repository.clone(),
                None if known.len() >= MAX_REPOSITORIES => {
                    let why = format!(
                        "{name}: the app has modules of {MAX_REPOSITORIES} repositories already"
                    );
                    return Err(Failure::new(Why::Limit, why));
                }
                None => known.entry(name.into()).or_default().clone(),
            }
        };
        let open = || forge.open(name);
        repository.get_or_try_init(open).await.cloned()
    }

    /// Adds a file, unless it has come in the meantime.
    fn add(&self, path: &str, code: Code) -> Result<FileId, Failure> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = index.by_path.get(path) {
            return Ok(*known);
        }
        let limit = |what: &str| Failure::new(Why::Limit, format!("{path}: {what}"));
        let at = index.by_path.len();
        let bytes = index.bytes.saturating_add(code.bytes);
        if at >= MAX_LATE_FILES {
            return Err(limit(&format!(
                "the app has fetched {MAX_LATE_FILES} files already"
            )));
        }
        if bytes > self.most_bytes {
            let most = crate::units::show_size(self.most_bytes);
            return Err(limit(&format!(
                "the app has fetched its {most} of code already (limits.memory)"
            )));
        }
        let id = u32::try_from(at).ok();
        let id = id.and_then(|at| self.first.checked_add(at)).map(FileId);
        let id = id.ok_or_else(|| limit("the app has too many files"))?;
        let entry = Entry {
            file: CodeFile {
                path: path.into(),
                code: code.code,
                names_exports: code.names_exports,
            },
            target: Target {
                content: id,
                phases: None,
            },
            stamp: code.stamp,
        };
        if !self.entries.set(at, entry) {
            return Err(limit("the app has too many files"));
        }
        index.by_path.insert(path.into(), id);
        index.missing.remove(path);
        index.bytes = bytes;
        Ok(id)
    }
}

/// `github.com/OWNER/REPO/blob/REF` and the file in it.
pub fn forge_path(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(FORGE)?;
    let (at, _) = path.match_indices('/').nth(4)?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Echo {
        asked: AtomicUsize,
    }

    impl Files for Echo {
        fn code(&self, path: &str, dialect: Dialect) -> Later<Result<Option<Code>, Failure>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let text = format!("return '{path}'");
            let code = rille_lua::compile_as(text.as_bytes(), b"@x", dialect).unwrap();
            let there = !path.contains("missing");
            Box::pin(async move {
                Ok(there.then_some(Code {
                    code: Ok(code),
                    names_exports: false,
                    bytes: 100,
                    stamp: [1; 32],
                }))
            })
        }
    }

    #[derive(Debug, Default)]
    struct Opens(AtomicUsize);

    impl Forge for Opens {
        fn open(&self, name: &str) -> Later<Result<Arc<dyn Files>, Failure>> {
            let good = !name.ends_with("/bad");
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match good {
                    true => Ok(Arc::new(Echo::default()) as Arc<dyn Files>),
                    false => Err(Failure::new(Why::Unavailable, "no")),
                }
            })
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn places_follow_one_another() {
        let list = Growing::new();
        for at in 0..MAX_LATE_FILES {
            assert!(list.get(at).is_none() && list.set(at, at));
        }
        assert!((0..MAX_LATE_FILES).all(|at| list.get(at) == Some(&at)));
        assert!(!list.set(5, 0) && !list.set(1 << 40, 0) && list.get(1 << 40).is_none());
    }

    #[test]
    fn a_file_is_fetched_once_and_stays() {
        let files = Arc::new(Echo::default());
        let late = Late::new(3, 1000, Some(files.clone()));
        let fetch = |path: &str| run(late.fetch(path, Dialect::Lua54));
        assert_eq!(fetch("missing.lua"), Ok(None));
        assert_eq!(fetch("a.lua"), Ok(Some(FileId(3))));
        assert_eq!(fetch("b.lua"), Ok(Some(FileId(4))));
        assert_eq!(fetch("a.lua"), Ok(Some(FileId(3))));
        assert_eq!(files.asked.load(Ordering::Relaxed), 3);
        assert_eq!(late.find("b.lua"), Some(FileId(4)));
        assert_eq!(&*late.file(FileId(4)).unwrap().path, "b.lua");
        assert!(late.file(FileId(5)).is_none() && late.file(FileId(2)).is_none());
        let target = late.target_of(FileId(4)).unwrap();
        assert_eq!(late.target(target).unwrap().content, FileId(4));
        assert_eq!(late.known("missing.lua"), Known::No);
        late.miss("missing.lua");
        late.miss("a.lua");
        assert_eq!(late.known("missing.lua"), Known::Missing);
        assert_eq!(late.known("a.lua"), Known::File(FileId(3)));
        let mut own = late.own();
        own.sort();
        let expected = [
            ("a.lua", Some([1; 32])),
            ("b.lua", Some([1; 32])),
            ("missing.lua", None),
        ];
        assert_eq!(own, expected.map(|(path, stamp)| (path.into(), stamp)));
        assert!(late.target(TargetId(1)).is_none() && late.target_of(FileId(2)).is_none());
    }

    #[test]
    fn the_code_that_comes_is_limited() {
        let late = Late::new(0, 250, Some(Arc::new(Echo::default())));
        let fetch = |path: &str| run(late.fetch(path, Dialect::Lua54));
        assert!(fetch("a.lua").is_ok() && fetch("b.lua").is_ok());
        let failure = fetch("c.lua").unwrap_err();
        assert_eq!(failure.why, Why::Limit);
        assert_eq!(
            failure.to_string(),
            "c.lua: the app has fetched its 250 B of code already (limits.memory)"
        );
        let late = Late::new(0, u64::MAX, Some(Arc::new(Echo::default())));
        for at in 0..MAX_LATE_FILES {
            assert!(run(late.fetch(&format!("{at}"), Dialect::Lua54)).is_ok());
        }
        let failure = run(late.fetch("more", Dialect::Lua54)).unwrap_err();
        assert_eq!(failure.why, Why::Limit);
    }

    #[test]
    fn a_repository_is_opened_once() {
        let late = Late::new(0, 10_000, None);
        let fetch = |path: &str| run(late.fetch(path, Dialect::Lua54));
        let none = fetch("github.com/o/r/blob/main/a.lua").unwrap_err();
        assert_eq!(none.why, Why::Unavailable);
        let forge = Arc::new(Opens::default());
        late.set_forge(&(forge.clone() as Arc<dyn Forge>));
        assert_eq!(fetch("a.lua"), Ok(None));
        for path in ["x/a.lua", "b.lua", "x/a.lua"] {
            assert!(fetch(&format!("github.com/o/r/blob/main/{path}")).is_ok());
        }
        assert_eq!(forge.0.load(Ordering::Relaxed), 1);
        // What cannot be opened is tried again, and takes no room.
        for _ in 0..MAX_REPOSITORIES + 1 {
            assert!(fetch("github.com/o/r/blob/bad/a.lua").is_err());
        }
        for at in 1..MAX_REPOSITORIES {
            assert!(fetch(&format!("github.com/o/r/blob/{at}/a.lua")).is_ok());
        }
        let failure = fetch("github.com/o/r/blob/more/a.lua").unwrap_err();
        assert_eq!(failure.why, Why::Limit);
    }

    #[test]
    fn paths_of_a_forge() {
        assert_eq!(
            forge_path("github.com/o/r/blob/main/a/b.lua"),
            Some(("github.com/o/r/blob/main", "a/b.lua"))
        );
        assert_eq!(forge_path("github.com/o/r/blob/main"), None);
        assert_eq!(forge_path("lib/x.lua"), None);
    }
}
