//! The file of the database.
//!
//! **Invariants.** There is a whole database under its name, or no file. Blocks of the disk are taken when the file grows, so a disk without room is an error before anything of a commit
//! has been written, and not one half-way through it.

use super::KvError;
use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, Error, StorageBackend};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;

/// The database's file in the state folder.
pub const FILE: &str = "kv.redb";

/// Opens the database at `path`, which is made, with its folder, if it is not there: for this user alone.
pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Database, Error> {
    loop {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => return open_file(file, cache_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_file(file: File, cache_bytes: usize) -> Result<Database, Error> {
    let backend = DiskBackend {
        growing: file.try_clone()?,
        file: FileBackend::new(file)?,
    };
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    Ok(builder.create_with_backend(backend)?)
}

/// Makes an empty database, unless another process has made one meanwhile. It is written under another name and gets its own when it
/// is complete, so that nothing is left for a database that is none when this ends half-way.
fn make(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let beside = folder.join(format!("{FILE}.{:016x}", u64::from_le_bytes(random)));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options
        .open(&beside)
        .map_err(Error::from)
        .and_then(|file| open_file(file, 1 << 20))
        .and_then(|database| {
            drop(database);
            File::open(&beside)?.sync_all()?;
            match fs::hard_link(&beside, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
                _ => Ok(()),
            }
        });
    let removed = fs::remove_file(&beside);
    made?;
    removed?;
    // The name is to be found after a power cut too.
    Ok(File::open(folder)?.sync_all()?)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What went wrong, and what an operator can do about it.
pub(super) fn explain(error: &Error) -> (KvError, Option<&'static str>) {
    let corrupt = |why: String| {
        let why = format!("the database is corrupt: {why}");
        let advice = "move the file away, or put a copy that is good in its place: it is opened again when it is used next";
        (KvError::Storage(why.into()), Some(advice))
    };
    let (why, advice) = match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => (
            "the database is open in another process".into(),
            Some("give each server a state folder of its own (--state DIR)"),
        ),
        Error::UpgradeRequired(_) => (
            "the database is in another version's format".into(),
            Some("serve it with the version that wrote it, or move the file away"),
        ),
        Error::Corrupted(why) => return corrupt(why.clone()),
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            return corrupt(error.to_string());
        }
        Error::TableTypeMismatch { .. } | Error::TableIsMultimap(_) => {
            return corrupt(error.to_string());
        }
        Error::Io(error) => {
            let advice = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("make room on its disk; what was acknowledged is safe")
                }
                io::ErrorKind::PermissionDenied => Some("make it writable for this user"),
                _ => None,
            };
            (error.to_string(), advice)
        }
        other => (other.to_string(), None),
    };
    (KvError::Storage(why.into()), advice)
}

/// [`FileBackend`], with room on the disk for all of its file.
#[derive(Debug)]
struct DiskBackend {
    file: FileBackend,
    /// The same file.
    growing: File,
}

impl DiskBackend {
    #[cfg(target_os = "linux")]
    fn make_room(&self, len: u64) -> io::Result<()> {
        use nix::errno::Errno;
        let now = self.growing.metadata()?.len();
        let (Ok(from), Ok(more)) = (i64::try_from(now), i64::try_from(len.saturating_sub(now)))
        else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        if more == 0 {
            return Ok(());
        }
        let mode = nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
        loop {
            match nix::fcntl::fallocate(&self.growing, mode, from, more) {
                Err(Errno::EINTR) => {}
                // Not every file system can; there the file has holes, as it would have without this.
                Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn make_room(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }
}

impl StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.make_room(len)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
