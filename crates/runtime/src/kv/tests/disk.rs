//! A disk in memory that forgets, fills up and fails.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What has been asked of the disk since it was last synced.
#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

/// The disk at one moment: what it is sure to keep, and what it may have done of the rest.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    synced: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Default)]
struct State {
    data: Vec<u8>,
    moment: Moment,
    /// One before each sync.
    moments: Vec<Moment>,
    keeps_moments: bool,
    syncs: usize,
    sync_takes: Duration,
    /// The longest the file may become.
    capacity: Option<usize>,
    /// Bytes that may still be written.
    budget: Option<usize>,
}

#[derive(Debug, Clone, Default)]
pub struct TestDisk(Arc<Mutex<State>>);

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl TestDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A disk with this on it.
    pub fn holding(data: Vec<u8>) -> TestDisk {
        let disk = TestDisk::default();
        disk.state().moment.synced = data.clone();
        disk.state().data = data;
        disk
    }

    pub fn keep_moments(&self) {
        self.state().keeps_moments = true;
    }

    pub fn moments(&self) -> Vec<Moment> {
        std::mem::take(&mut self.state().moments)
    }

    pub fn syncs(&self) -> usize {
        self.state().syncs
    }

    pub fn set_sync_time(&self, time: Duration) {
        self.state().sync_takes = time;
    }

    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    pub fn set_budget(&self, bytes: Option<usize>) {
        self.state().budget = bytes;
    }

    pub fn data(&self) -> Vec<u8> {
        self.state().data.clone()
    }
}

impl Moment {
    /// The disk after a power cut: of each change since the last sync, `keeps` says whether it was done. Writes are kept by sectors.
    pub fn after_a_cut(&self, mut keeps: impl FnMut() -> bool) -> Vec<u8> {
        let mut data = self.synced.clone();
        for change in &self.pending {
            match change {
                // A file system does these in order, and before what is written there.
                Change::Len(len) => data.resize(*len, 0),
                Change::Write(offset, bytes) => {
                    for (at, sector) in bytes.chunks(512).enumerate() {
                        if keeps() {
                            let from = offset + at * 512;
                            data[from..from + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        data
    }
}

impl StorageBackend for TestDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().data.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let from = offset as usize;
        let found = state.data.get(from..from + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let len = len as usize;
        if len > state.data.len() && state.capacity.is_some_and(|most| len > most) {
            return Err(full());
        }
        state.data.resize(len, 0);
        state.moment.pending.push(Change::Len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let time = self.state().sync_takes;
        std::thread::sleep(time);
        let mut state = self.state();
        if state.keeps_moments {
            let moment = state.moment.clone();
            state.moments.push(moment);
        }
        state.moment = Moment {
            synced: state.data.clone(),
            pending: Vec::new(),
        };
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if let Some(budget) = state.budget {
            state.budget = Some(budget.checked_sub(bytes.len()).ok_or_else(full)?);
        }
        let from = offset as usize;
        let place = state.data.get_mut(from..from + bytes.len());
        place
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(bytes);
        let change = Change::Write(from, bytes.to_vec());
        state.moment.pending.push(change);
        Ok(())
    }
}
