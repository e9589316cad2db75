//! The state folder: bundles as they are kept on the disk.
//!
//! ```text
//! STATE/lock              held, shared, by every process that uses the folder
//! STATE/tmp/...           what is being written, or removed; emptied by who opens the folder alone
//! STATE/bundles/ID/index  the index of a bundle (index.rs); its hash is ID
//! STATE/bundles/ID/files/ its files, as an app folder
//! STATE/apps/NAME         which versions an app has had (record.rs)
//! STATE/mirror/...        single files of sources that are fetched on demand (mirror.rs)
//! ```
//!
//! **Invariants.** What has a name below `bundles` is whole: it is written below `tmp`, synced, and renamed; removing goes the other way. So
//! whatever instant the process is killed at, or the power fails, there is a bundle or there is none. Reading trusts nothing all the same: a
//! [`Bundle`] has been compared with its index, and its index with its name, when it was opened. What a [`Bundle`] stands for is not
//! removed as long as there is one in this process.

use crate::bundle::{Bundle, Writer};
use crate::disk::{Disk, SystemDisk};
use crate::error::{Error, ErrorKind};
use crate::index::{BundleId, Hash, hex};
use crate::limits::Limits;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

/// A state folder that is open. All that is done with it waits for the disk.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    limits: Limits,
    /// Which bundles somebody in this process has.
    held: Mutex<HashMap<BundleId, Weak<Hold>>>,
    /// Records are read, changed and written by one at a time.
    pub(crate) records: Mutex<()>,
    /// Keeps other processes from emptying `tmp`.
    _lock: File,
}

/// Keeps a bundle from being removed.
#[derive(Debug)]
pub(crate) struct Hold(());

/// What [`Store::clean`] leaves.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// So many versions of each app, the newest; at least one.
    pub versions: usize,
    /// And bundles that were made within this time, whoever made them: another process may be about to record one.
    pub younger_than: Duration,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep {
            versions: 5,
            younger_than: Duration::from_secs(600),
        }
    }
}

/// Something below `tmp`, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub path: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays is removed by whoever opens the folder next.
        let _ = self.disk.remove(&self.path);
    }
}

impl Store {
    /// Opens a state folder, which is made if it is not there.
    pub fn open(root: &Path, limits: Limits) -> Result<Arc<Store>, Error> {
        Store::open_on(root, limits, Arc::new(SystemDisk))
    }

    /// The same, with something else that changes the disk.
    pub fn open_on(root: &Path, limits: Limits, disk: Arc<dyn Disk>) -> Result<Arc<Store>, Error> {
        let is_new = !root.exists();
        for folder in ["tmp", "bundles", "apps", "mirror"] {
            let path = root.join(folder);
            disk.create_folders(&path)
                .map_err(|error| Error::disk("make", &path, &error))?;
        }
        let lock = lock(root, &*disk)?;
        let parent = root.parent().filter(|_| is_new);
        let parent = parent.map(|parent| match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        });
        for folder in [root].into_iter().chain(parent) {
            disk.sync_folder(folder)
                .map_err(|error| Error::disk("sync", folder, &error))?;
        }
        Ok(Arc::new(Store {
            root: root.to_owned(),
            disk,
            limits,
            held: Mutex::default(),
            records: Mutex::default(),
            _lock: lock,
        }))
    }

    /// The limits of what is put into it.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A new bundle, to be filled.
    pub fn writer(self: &Arc<Store>) -> Result<Writer, Error> {
        Writer::new(self.clone())
    }

    /// A bundle that is here, after all of it has been compared with its name. An error is of kind `NotFound`, or `Corrupt`, which says
    /// where: whatever writes the same bundle again replaces it.
    pub fn bundle(&self, id: BundleId) -> Result<Bundle, Error> {
        let hold = self.hold(id);
        Bundle::open(&self.bundle_folder(id), id, &self.limits, hold)
    }

    pub(crate) fn bundle_folder(&self, id: BundleId) -> PathBuf {
        self.folder("bundles").join(id.to_string())
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A name below `tmp` that nobody has.
    pub(crate) fn temporary(&self) -> Result<Temporary, Error> {
        let mut random = [0; 12];
        getrandom::fill(&mut random)
            .map_err(|_| Error::new(ErrorKind::Disk, "the system gives no random numbers"))?;
        Ok(Temporary {
            path: self.folder("tmp").join(hex(&random)),
            disk: self.disk.clone(),
        })
    }

    fn holds(&self) -> MutexGuard<'_, HashMap<BundleId, Weak<Hold>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, id: BundleId) -> Arc<Hold> {
        let mut held = self.holds();
        if let Some(hold) = held.get(&id).and_then(Weak::upgrade) {
            return hold;
        }
        held.retain(|_, hold| hold.strong_count() > 0);
        let hold = Arc::new(Hold(()));
        held.insert(id, Arc::downgrade(&hold));
        hold
    }

    /// Moves a finished folder to where bundles are; one that is corrupt makes room. What is there already and whole stays.
    pub(crate) fn install(&self, finished: &Temporary, id: BundleId) -> Result<Bundle, Error> {
        // From here on nobody removes it.
        let _hold = self.hold(id);
        let target = self.bundle_folder(id);
        let bundles = self.folder("bundles");
        match self.bundle(id) {
            Ok(bundle) => return Ok(bundle),
            Err(error) if error.kind() == ErrorKind::Corrupt => self.discard(&target)?,
            Err(_) => {}
        }
        let renamed = self.disk.rename(&finished.path, &target);
        if let Err(error) = renamed {
            // Another process may have been faster.
            return self
                .bundle(id)
                .map_err(|_| Error::disk("rename", &finished.path, &error));
        }
        self.disk
            .sync_folder(&bundles)
            .map_err(|error| Error::disk("sync", &bundles, &error))?;
        self.bundle(id)
    }

    /// Takes a bundle away, in one step as others see it.
    fn discard(&self, folder: &Path) -> Result<(), Error> {
        let trash = self.temporary()?;
        match self.disk.rename(folder, &trash.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::disk("remove", folder, &error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the bundles that no app needs. Gives the names of those it removed.
    pub fn clean(&self, keep: &Keep) -> Result<Vec<BundleId>, Error> {
        let needed = self.trim_records(keep.versions.max(1))?;
        let bundles = self.folder("bundles");
        let read = |error| Error::disk("read", &bundles, &error);
        let mut removed = Vec::new();
        for entry in fs::read_dir(&bundles).map_err(read)? {
            let entry = entry.map_err(read)?;
            let Some(id) = entry.file_name().to_str().and_then(Hash::parse) else {
                continue;
            };
            if !needed.contains(&id)
                && !is_younger(&entry.path(), keep.younger_than)
                && self.remove_unheld(id)?
            {
                removed.push(id);
            }
        }
        removed.sort();
        Ok(removed)
    }

    fn remove_unheld(&self, id: BundleId) -> Result<bool, Error> {
        // Held until it is gone: whoever wants it now finds it before, or not at all.
        let held = self.holds();
        if held.get(&id).is_some_and(|hold| hold.strong_count() > 0) {
            return Ok(false);
        }
        self.discard(&self.bundle_folder(id))?;
        Ok(true)
    }

    /// Cuts all records to so many versions, and says which bundles they name. If one cannot be read nothing may be removed.
    fn trim_records(&self, versions: usize) -> Result<BTreeSet<BundleId>, Error> {
        let mut needed = BTreeSet::new();
        for app in self.apps()? {
            needed.extend(self.trim(&app, versions)?);
        }
        Ok(needed)
    }
}

fn is_younger(folder: &Path, age: Duration) -> bool {
    // The index is written when all else is, and never again.
    let Ok(made) = fs::metadata(folder.join("index")).and_then(|index| index.modified()) else {
        return false;
    };
    SystemTime::now()
        .duration_since(made)
        .is_ok_and(|passed| passed < age)
}

/// Locks the folder for this process, and empties `tmp` if no other has.
fn lock(root: &Path, disk: &dyn Disk) -> Result<File, Error> {
    let path = root.join("lock");
    let failed = |error: &std::io::Error| Error::disk("lock", &path, error);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .read(true)
        .open(&path)
        .map_err(|error| failed(&error))?;
    if file.try_lock().is_ok() {
        empty(&root.join("tmp"), disk);
        file.unlock().map_err(|error| failed(&error))?;
    }
    file.lock_shared().map_err(|error| failed(&error))?;
    Ok(file)
}

fn empty(folder: &Path, disk: &dyn Disk) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // It is in nobody's way.
        let _ = disk.remove(&entry.path());
    }
}
