//! A disk that stops, loses what was not synced, or fills up.

use rille_store::{Disk, DiskFile, SystemDisk};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// When a [`FaultyDisk`] stops doing what it should.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// After so many changes nothing is changed any more: the process was killed.
    Killed { steps: u64 },
    /// The same, and what was not synced is lost: the power failed.
    PowerFailed { steps: u64 },
    /// After so many bytes writes fail; other changes work.
    Full { bytes: u64 },
}

#[derive(Debug)]
struct State {
    fault: Fault,
    /// Files and folders whose contents would not survive.
    unsynced: BTreeSet<PathBuf>,
    /// Files and folders whose names would not survive.
    unnamed: BTreeSet<PathBuf>,
    /// Renames that would not survive, in order, with what is left of their target.
    renames: Vec<(PathBuf, PathBuf, Option<Vec<u8>>)>,
}

#[derive(Debug, Clone)]
pub struct FaultyDisk(Arc<Mutex<State>>);

impl FaultyDisk {
    pub fn new(fault: Fault) -> FaultyDisk {
        let state = State {
            fault,
            unsynced: BTreeSet::new(),
            unnamed: BTreeSet::new(),
            renames: Vec::new(),
        };
        FaultyDisk(Arc::new(Mutex::new(state)))
    }

    /// Whether one more change is made.
    fn step(&self) -> io::Result<()> {
        match &mut self.0.lock().unwrap().fault {
            Fault::Full { .. } => Ok(()),
            Fault::Killed { steps: 0 } | Fault::PowerFailed { steps: 0 } => {
                Err(io::Error::other("stopped"))
            }
            Fault::Killed { steps } | Fault::PowerFailed { steps } => {
                *steps -= 1;
                Ok(())
            }
        }
    }

    pub fn has_stopped(&self) -> bool {
        self.step().is_err()
    }

    /// Loses what a power failure loses.
    pub fn lose(&self) {
        let mut state = self.0.lock().unwrap();
        if !matches!(state.fault, Fault::PowerFailed { .. }) {
            return;
        }
        for path in &state.unsynced {
            if path.is_file() {
                fs::write(path, "").unwrap();
            }
        }
        for path in &state.unnamed {
            SystemDisk.remove(path).unwrap();
        }
        for (from, to, before) in std::mem::take(&mut state.renames).into_iter().rev() {
            fs::rename(&to, &from).unwrap();
            if let Some(before) = before {
                fs::write(&to, before).unwrap();
            }
        }
    }
}

impl Disk for FaultyDisk {
    fn create_folders(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let made = path.ancestors().filter(|folder| !folder.exists());
        self.0
            .lock()
            .unwrap()
            .unnamed
            .extend(made.map(Path::to_owned));
        SystemDisk.create_folders(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step()?;
        let file = SystemDisk.create_file(path)?;
        let mut state = self.0.lock().unwrap();
        state.unsynced.insert(path.to_owned());
        state.unnamed.insert(path.to_owned());
        drop(state);
        Ok(Box::new(FaultyFile {
            file,
            path: path.to_owned(),
            disk: self.clone(),
        }))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.lock().unwrap();
        state.renames.retain(|(_, to, _)| to.parent() != Some(path));
        state.unnamed.retain(|entry| entry.parent() != Some(path));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let before = fs::read(to).ok();
        SystemDisk.rename(from, to)?;
        let mut state = self.0.lock().unwrap();
        state.renames.push((from.to_owned(), to.to_owned(), before));
        let State {
            unsynced, unnamed, ..
        } = &mut *state;
        for set in [unsynced, unnamed] {
            let moved = |path: &Path| match path.strip_prefix(from) {
                Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
                Ok(rest) => to.join(rest),
                Err(_) => path.to_owned(),
            };
            *set = set.iter().map(|path| moved(path)).collect();
        }
        // The name of what is moved is one of the renames.
        state.unnamed.remove(to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.remove(path)
    }
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    disk: FaultyDisk,
}

impl Write for FaultyFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.disk.step()?;
        let room = match &mut self.disk.0.lock().unwrap().fault {
            Fault::Full { bytes: 0 } => return Err(io::ErrorKind::StorageFull.into()),
            Fault::Full { bytes } => {
                let room = data.len().min(usize::try_from(*bytes).unwrap());
                *bytes -= room as u64;
                room
            }
            // In two pieces, so that there is a step in the middle.
            _ => data.len().div_ceil(2),
        };
        self.file.write(&data[..room])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.step()?;
        self.disk.0.lock().unwrap().unsynced.remove(&self.path);
        Ok(())
    }
}
