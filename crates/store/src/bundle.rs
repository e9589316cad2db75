//! A bundle: an immutable set of files with the name of its contents.
//!
//! **Invariants.** A [`Writer`] takes only what [`crate::path`] and the limits allow, counted as it is read, so that what says it is small and is not
//! is found out in time. A [`Bundle`] is what its index says, to the last byte and with nothing beside it, when it is opened and whenever
//! a file is read through it.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::index::{BundleId, Checker, FileEntry, Hash, Index};
use crate::limits::{Limits, MAX_PATH};
use crate::path::BundlePath;
use crate::store::{Hold, Store, Temporary};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is read or written in one piece.
const PIECE: usize = 64 << 10;
/// A line of an index without its path.
const INDEX_LINE: u64 = 64 + 1 + 20 + 1 + 1;

/// A bundle on the disk. As long as there is one it is not removed.
#[derive(Debug, Clone)]
pub struct Bundle {
    id: BundleId,
    folder: PathBuf,
    index: Arc<Index>,
    _hold: Arc<Hold>,
}

impl Bundle {
    /// Opens and verifies the bundle in `folder`.
    pub(crate) fn open(
        folder: &Path,
        id: BundleId,
        limits: &Limits,
        hold: Arc<Hold>,
    ) -> Result<Bundle, Error> {
        let index = read_index(folder, id, limits)?;
        let bundle = Bundle {
            id,
            folder: folder.join("files"),
            index: Arc::new(index),
            _hold: hold,
        };
        bundle.verify()?;
        Ok(bundle)
    }

    /// Its name.
    pub fn id(&self) -> BundleId {
        self.id
    }

    /// Where its files are: an app folder. Nobody may change anything in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its files.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The contents of a file, as they were when the bundle was made.
    pub fn read(&self, path: &BundlePath) -> Result<Vec<u8>, Error> {
        let Some(entry) = self.index.get(path.as_str()) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no file \"{path}\" in it"),
            ));
        };
        let mut contents = Vec::new();
        self.read_file(path, entry, &mut |piece| contents.extend_from_slice(piece))?;
        Ok(contents)
    }

    /// Compares all of it with its index.
    pub fn verify(&self) -> Result<(), Error> {
        let mut folders = BTreeSet::new();
        for (path, entry) in self.index.files() {
            folders.extend(path.folders().map(str::to_owned));
            self.read_file(path, entry, &mut |_| {})?;
        }
        self.walk(&folders)
    }

    /// Gives the pieces of a file; an error if they are not what the index says.
    fn read_file(
        &self,
        path: &BundlePath,
        entry: FileEntry,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        let place = path.below(&self.folder);
        let is_file = fs::symlink_metadata(&place).is_ok_and(|found| found.is_file());
        let file = File::open(&place).ok().filter(|_| is_file);
        let mut file = file
            .ok_or_else(|| self.corrupt(path.as_str(), "is missing"))?
            .take(entry.size.saturating_add(1));
        let mut hasher = Sha256::new();
        let mut size = 0;
        let mut piece = vec![0; PIECE];
        loop {
            let count = match file.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(self.corrupt(path.as_str(), &format!("cannot be read ({error})")));
                }
            };
            let read = piece.get(..count).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            size += read.len() as u64;
            hasher.update(read);
            take(read);
        }
        match size == entry.size && Hash::from_hasher(hasher) == entry.hash {
            true => Ok(()),
            false => Err(self.corrupt(path.as_str(), "has been changed")),
        }
    }

    /// Whether there is anything on the disk that is not in the index.
    fn walk(&self, folders: &BTreeSet<String>) -> Result<(), Error> {
        let mut waiting = vec![String::new()];
        while let Some(folder) = waiting.pop() {
            let place = self.folder.join(&folder);
            let entries = fs::read_dir(&place).map_err(|_| self.corrupt(&folder, "is missing"))?;
            for entry in entries {
                let entry = entry.map_err(|_| self.corrupt(&folder, "cannot be read"))?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let path = match folder.as_str() {
                    "" => name.into_owned(),
                    _ => format!("{folder}/{name}"),
                };
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                match is_folder {
                    true if folders.contains(&path) => waiting.push(path),
                    false if self.index.get(&path).is_some() => {}
                    _ => return Err(self.corrupt(&path, "does not belong there")),
                }
            }
        }
        Ok(())
    }

    fn corrupt(&self, path: &str, what: &str) -> Error {
        let folder = self.folder.parent().unwrap_or(&self.folder);
        corrupt(self.id, folder, &format!("the file \"{path}\" {what}"))
    }
}

fn corrupt(id: BundleId, folder: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!(
            "the bundle {id} in {} is corrupt: {what}; deploy its app again, which fetches it again",
            folder.display()
        ),
    )
}

fn read_index(folder: &Path, id: BundleId, limits: &Limits) -> Result<Index, Error> {
    if fs::symlink_metadata(folder).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no bundle {id} here; deploy its app again"),
        ));
    }
    let path = folder.join("index");
    let most = (limits.files as u64)
        .saturating_mul(INDEX_LINE + MAX_PATH as u64)
        .saturating_add(64);
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(most).read_to_end(&mut text));
    if let Err(error) = read {
        return Err(corrupt(
            id,
            folder,
            &format!("its index cannot be read ({error})"),
        ));
    }
    if Hash::of(&text) != id {
        return Err(corrupt(id, folder, "its index has been changed"));
    }
    // The hash was right, so it was an index once: with other limits.
    Index::parse(&text, limits).ok_or_else(|| {
        Error::new(
            ErrorKind::TooLarge,
            format!(
                "the bundle {id} is beyond the limits of now; raise them or deploy a smaller one"
            ),
        )
    })
}

/// A bundle that is being made. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    temporary: Temporary,
    checker: Checker,
    /// Relative to `files`, which is "".
    folders: BTreeSet<String>,
}

impl Writer {
    pub(crate) fn new(store: Arc<Store>) -> Result<Writer, Error> {
        let temporary = store.temporary()?;
        let files = temporary.path.join("files");
        store
            .disk
            .create_folders(&files)
            .map_err(|error| Error::disk("make", &files, &error))?;
        Ok(Writer {
            checker: Checker::new(*store.limits()),
            store,
            temporary,
            folders: BTreeSet::from([String::new()]),
        })
    }

    /// Adds a file with what `contents` gives until its end.
    pub fn add(
        &mut self,
        path: &BundlePath,
        contents: &mut dyn Read,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        self.checker.begin(path)?;
        self.make_folders(path)?;
        let place = path.below(&self.temporary.path.join("files"));
        let failed = |error: &std::io::Error| Error::disk("write", &place, error);
        let mut file = self
            .store
            .disk
            .create_file(&place)
            .map_err(|error| failed(&error))?;
        let mut hasher = Sha256::new();
        let mut size = 0;
        let mut piece = vec![0; PIECE];
        loop {
            cancel.check()?;
            let count = match contents.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::disk("read", Path::new(path.as_str()), &error)),
            };
            let read = piece.get(..count).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            size += read.len() as u64;
            self.checker.count(path, read.len() as u64, size)?;
            hasher.update(read);
            file.write_all(read).map_err(|error| failed(&error))?;
        }
        file.sync().map_err(|error| failed(&error))?;
        let hash = Hash::from_hasher(hasher);
        self.checker.end(path.clone(), FileEntry { hash, size });
        Ok(())
    }

    fn make_folders(&mut self, path: &BundlePath) -> Result<(), Error> {
        let files = self.temporary.path.join("files");
        for folder in path.folders() {
            if !self.folders.contains(folder) {
                let place = files.join(folder);
                self.store
                    .disk
                    .create_folders(&place)
                    .map_err(|error| Error::disk("make", &place, &error))?;
                self.folders.insert(folder.to_owned());
            }
        }
        Ok(())
    }

    /// Gives the bundle its name, and its place on the disk. One without files is an error.
    pub fn finish(self) -> Result<Bundle, Error> {
        let Writer {
            store,
            temporary,
            checker,
            folders,
        } = self;
        let index = checker.finish();
        if index.files().len() == 0 {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there are no files in it; check the name of the folder",
            ));
        }
        write_synced(&store, &temporary.path.join("index"), &index.text())?;
        let files = temporary.path.join("files");
        let folders = folders.iter().map(|folder| files.join(folder));
        for folder in folders.chain([temporary.path.clone()]) {
            store
                .disk
                .sync_folder(&folder)
                .map_err(|error| Error::disk("sync", &folder, &error))?;
        }
        store.install(&temporary, index.id())
    }
}

/// Writes a new file and waits until it is on the disk.
pub(crate) fn write_synced(store: &Store, path: &Path, text: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = store.disk.create_file(path)?;
        file.write_all(text)?;
        file.sync()
    };
    write().map_err(|error| Error::disk("write", path, &error))
}
