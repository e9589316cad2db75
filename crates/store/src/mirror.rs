//! Single files of a source, kept on the disk: what a restart without the network serves.
//!
//! ```text
//! STATE/mirror/SHA-256-OF-THE-SOURCE/SHA-256-OF-THE-PATH:
//!     rille-mirror 1 SHA-256-OF-WHAT-FOLLOWS
//!     PATH
//!     ENTITY-TAG or empty
//!     TIME or empty
//!     CONTENTS
//! ```
//! **Invariants.** A file that is not what its first line says is removed, and so none: nothing is synced, as whatever is lost can be fetched
//! again. The files are within their limit of bytes; what was written longest ago goes first.

use crate::cache::Lru;
use crate::error::Error;
use crate::index::Hash;
use crate::on_demand::Validator;
use crate::path::BundlePath;
use crate::store::Store;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

const FIRST_WORDS: &str = "rille-mirror 1 ";
/// In place of a time: there was no such file.
const MISSING: &str = "missing";
/// What comes before the contents, at most, in bytes.
const MAX_HEAD: u64 = 4096;
/// The most files that are mirrored of a source.
const MAX_FILES: usize = 100_000;

impl Mirrored {
    /// Whether it says that there was no such file.
    pub fn is_missing(&self) -> bool {
        self.validator.modified.as_deref() == Some(MISSING) && self.validator.etag.is_none()
    }
}

/// The mirror of a source.
#[derive(Debug)]
pub(crate) struct Mirror {
    store: Arc<Store>,
    folder: PathBuf,
    most: u64,
    /// Which files there are.
    known: Mutex<Lru<()>>,
}

/// A file as it was when it was mirrored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mirrored {
    pub contents: Vec<u8>,
    pub validator: Validator,
}

impl Mirror {
    /// Opens the mirror of a source, with files of at most `most` bytes and `total` bytes together. Waits for the disk.
    pub fn open(store: &Arc<Store>, source: &str, most: u64, total: u64) -> Result<Mirror, Error> {
        let folder = store
            .folder("mirror")
            .join(Hash::of(source.as_bytes()).to_string());
        store
            .disk
            .create_folders(&folder)
            .map_err(|error| Error::disk("make", &folder, &error))?;
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let mirror = Mirror {
            store: store.clone(),
            folder,
            most,
            known: Mutex::new(Lru::new(total, MAX_FILES)),
        };
        mirror.scan()?;
        Ok(mirror)
    }

    /// Finds out what is there, the oldest first.
    fn scan(&self) -> Result<(), Error> {
        let failed = |error| Error::disk("read", &self.folder, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let place = entry.map_err(failed)?.path();
            match read_path(&place).filter(|(path, ..)| self.place(path) == place) {
                Some((path, bytes, written)) => found.push((written, path, bytes)),
                None => self.discard(&place),
            }
        }
        found.sort();
        for (_, path, bytes) in found {
            self.add(path, bytes);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Lru<()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, path: &BundlePath) -> PathBuf {
        self.folder
            .join(Hash::of(path.as_str().as_bytes()).to_string())
    }

    fn add(&self, path: BundlePath, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let gone = self.known().insert(path, (), bytes);
        for (path, ()) in gone {
            self.discard(&self.place(&path));
        }
    }

    fn discard(&self, place: &Path) {
        // What cannot be removed is not believed either, when it is read.
        let _ = self.store.disk.remove(place);
    }

    /// A file that is there and whole. Waits for the disk.
    pub fn load(&self, path: &BundlePath) -> Option<Mirrored> {
        self.known().get(path.as_str())?;
        let place = self.place(path);
        let mut text = Vec::new();
        let file = File::open(&place).ok()?;
        file.take(self.most.saturating_add(MAX_HEAD))
            .read_to_end(&mut text)
            .ok()?;
        let mirrored = parse(&text, path);
        if mirrored.is_none() {
            self.known().remove(path.as_str());
            self.discard(&place);
        }
        mirrored
    }

    /// Keeps a file. Waits for the disk.
    pub fn store(
        &self,
        path: &BundlePath,
        contents: &[u8],
        validator: &Validator,
    ) -> Result<(), Error> {
        let Some(head) = head(path, validator) else {
            return Ok(());
        };
        let sum = Hash::of_parts(&[head.as_bytes(), contents]);
        let temporary = self.store.temporary()?;
        let place = self.place(path);
        let write = || {
            let mut file = self.store.disk.create_file(&temporary.path)?;
            file.write_all(format!("{FIRST_WORDS}{sum}\n{head}").as_bytes())?;
            file.write_all(contents)?;
            self.store.disk.rename(&temporary.path, &place)
        };
        write().map_err(|error| Error::disk("write", &place, &error))?;
        self.add(path.clone(), contents.len() as u64);
        Ok(())
    }

    /// Keeps that there is no such file. Waits for the disk.
    pub fn store_missing(&self, path: &BundlePath) -> Result<(), Error> {
        let validator = Validator {
            etag: None,
            modified: Some(MISSING.to_owned()),
        };
        self.store(path, b"", &validator)
    }

    /// Forgets a file.
    pub fn remove(&self, path: &BundlePath) {
        if self.known().remove(path.as_str()).is_some() {
            self.discard(&self.place(path));
        }
    }

    /// Forgets the files below a folder, or all.
    pub fn remove_below(&self, folder: Option<&BundlePath>) {
        let gone = self.known().remove_below(folder);
        for (path, ()) in gone {
            self.discard(&self.place(&path));
        }
    }
}

/// The lines between the first and the contents; `None` if something would not be one line.
fn head(path: &BundlePath, validator: &Validator) -> Option<String> {
    let line = |text: &Option<String>| text.clone().unwrap_or_default();
    let (etag, modified) = (line(&validator.etag), line(&validator.modified));
    let is_line = |text: &str| text.len() <= 512 && !text.contains('\n');
    (is_line(&etag) && is_line(&modified)).then(|| format!("{path}\n{etag}\n{modified}\n"))
}

/// The path, the size and the age of what is mirrored in a file, without looking at all of it.
fn read_path(place: &Path) -> Option<(BundlePath, u64, SystemTime)> {
    let file = File::open(place).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mut head = Vec::new();
    file.take(MAX_HEAD).read_to_end(&mut head).ok()?;
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.next()?.strip_prefix(FIRST_WORDS.as_bytes())?;
    let path = BundlePath::new(lines.next()?).ok()?;
    Some((path, metadata.len(), metadata.modified().ok()?))
}

fn parse(text: &[u8], path: &BundlePath) -> Option<Mirrored> {
    let mut parts = text.splitn(2, |byte| *byte == b'\n');
    let sum = parts.next()?.strip_prefix(FIRST_WORDS.as_bytes())?;
    let rest = parts.next()?;
    if Hash::parse(std::str::from_utf8(sum).ok()?)? != Hash::of(rest) {
        return None;
    }
    let mut parts = rest.splitn(4, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(parts.next()?).ok();
    let (found, etag, modified) = (line()?, line()?, line()?);
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let validator = Validator {
        etag: said(etag),
        modified: said(modified),
    };
    let contents = parts.next()?.to_vec();
    (found == path.as_str()).then_some(Mirrored {
        contents,
        validator,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn path(text: &str) -> BundlePath {
        BundlePath::new(text.as_bytes()).unwrap()
    }

    fn validator() -> Validator {
        Validator {
            etag: Some("\"x\"".to_owned()),
            modified: None,
        }
    }

    #[test]
    fn a_file_survives_and_a_damaged_one_does_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(folder.path(), Limits::default()).unwrap();
        let open = || Mirror::open(&store, "s3://bucket", 1000, 1 << 20).unwrap();
        let mirror = open();
        let contents = b"return\n1\0\xff".to_vec();
        for name in ["a/index.lua", "a/b", "c"] {
            mirror.store(&path(name), &contents, &validator()).unwrap();
        }
        mirror.remove_below(Some(&path("a/b")));
        mirror.remove(&path("a/b"));
        let again = open();
        assert_eq!(
            again.load(&path("a/index.lua")),
            Some(Mirrored {
                contents,
                validator: validator()
            })
        );
        assert_eq!(again.load(&path("a/b")), None);
        let place = again.place(&path("c"));
        let text = fs::read(&place).unwrap();
        for length in 0..text.len() {
            fs::write(&place, &text[..length]).unwrap();
            assert_eq!(open().load(&path("c")), None, "{length}");
            assert!(!place.exists());
        }
        let other = Mirror::open(&store, "s3://other", 1000, 1 << 20).unwrap();
        assert_eq!(other.load(&path("a/index.lua")), None);
        // What belongs to another name is not taken.
        fs::copy(again.place(&path("a/index.lua")), &place).unwrap();
        assert_eq!(open().load(&path("c")), None);
        open().remove_below(None);
        assert_eq!(fs::read_dir(&open().folder).unwrap().count(), 0);
    }

    #[test]
    fn what_was_missing_is_known() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(folder.path(), Limits::default()).unwrap();
        let open = || Mirror::open(&store, "s3://bucket", 1000, 1 << 20).unwrap();
        open().store_missing(&path("a")).unwrap();
        assert!(open().load(&path("a")).unwrap().is_missing());
        open().store(&path("a"), b"", &validator()).unwrap();
        assert!(!open().load(&path("a")).unwrap().is_missing());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(folder.path(), Limits::default()).unwrap();
        let mirror = Mirror::open(&store, "s3://bucket", 1000, 3000).unwrap();
        for name in ["a", "b", "c"] {
            mirror
                .store(&path(name), &[b'x'; 1000], &validator())
                .unwrap();
        }
        assert_eq!(fs::read_dir(&mirror.folder).unwrap().count(), 2);
        assert_eq!(mirror.load(&path("a")), None);
        assert!(mirror.load(&path("c")).is_some());
    }
}
