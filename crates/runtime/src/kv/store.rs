//! The database of the process and the threads that work on it.
//!
//! ```text
//!   Closed --first use--> Open --an error of the storage--> Closed --next use, a second later at the earliest--> Open
//! ```
//! The threads start with the first use, and so does the file: where no app uses `kv` there is neither. One thread writes. What has come
//! while it waited for the disk is its next batch, so that there are as many writes to a commit as it takes; it waits for no more to come.
//! Commits are in two phases and keep the allocator's state (see redb, `set_quick_repair`): half a commit is never taken for a whole one, whatever
//! scripts write, and a database of any size opens at once after the process was killed.
//!
//! After an error of the storage the database is closed and opened again, which takes back what was not committed.
//!
//! **Invariants.** Whoever uses the database holds the lock of its place, so that nobody does when it is closed. What panics inside the
//! database is an error of the storage: the threads go on.

use super::batch::Batch;
use super::queue::{Queue, Taken};
use super::space::{Read, Reply, Space, Write};
use super::{KvError, KvValue, Op, Outcome, disk, read};
use redb::{Database, Error};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Threads that read: so many queries may wait for the disk at once.
const READERS: usize = 4;
/// The most writes in a commit.
const MAX_BATCH: usize = 1024;
/// Expired records that a commit removes beside its writes.
const EXPIRED_AT_ONCE: usize = 256;
/// The shortest pause between two commits that only remove what has expired.
const EXPIRY_PAUSE: Duration = Duration::from_secs(1);
/// The shortest time between two reports of the same trouble.
const REPORT_PAUSE: Duration = Duration::from_secs(60);
/// The shortest time between two attempts to open a database.
const OPEN_PAUSE: Duration = Duration::from_secs(1);
/// Memory for pages of the database, in bytes.
const CACHE_BYTES: usize = 64 << 20;

type Opener = Box<dyn Fn() -> Result<Database, Error> + Send + Sync>;

/// What a store works with.
pub struct Settings {
    /// What the database is called in reports.
    pub(super) name: String,
    pub(super) open: Opener,
    /// Whether there is anything yet.
    pub(super) exists: Box<dyn Fn() -> bool + Send + Sync>,
    /// Milliseconds since 1970.
    pub(super) clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Takes what the operator should know.
    pub(super) report: Box<dyn Fn(&str) + Send + Sync>,
    /// Between two attempts to open it.
    pub(super) open_pause: Duration,
}

impl Settings {
    /// The database in a state folder. What is wrong with it is told to `report`, a line each.
    pub fn of(folder: &Path, report: impl Fn(&str) + Send + Sync + 'static) -> Settings {
        let path: PathBuf = folder.join(disk::FILE);
        Settings {
            name: path.display().to_string(),
            exists: {
                let path = path.clone();
                Box::new(move || path.exists())
            },
            open: Box::new(move || disk::open(&path, CACHE_BYTES)),
            clock: Box::new(now_ms),
            report: Box::new(report),
            open_pause: OPEN_PAUSE,
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The store of a process.
pub struct Store {
    shared: Arc<Shared>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    is_closed: bool,
    running: Vec<JoinHandle<()>>,
}

struct Shared {
    settings: Settings,
    writes: Queue<Write>,
    reads: Queue<Read>,
    place: RwLock<Place>,
    commits: AtomicU64,
}

/// Where the database is.
#[derive(Default)]
struct Place {
    database: Option<Database>,
    /// Counts how often it was opened.
    times: u64,
    /// When it could not be opened last, and why.
    failed: Option<(Instant, KvError)>,
    /// What the operator was told last, and when.
    told: Option<(Instant, KvError)>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.shared.settings.name)
    }
}

impl Store {
    /// A store that opens its database when it is used.
    pub fn new(settings: Settings) -> Arc<Store> {
        Arc::new(Store {
            shared: Arc::new(Shared {
                settings,
                writes: Queue::new(),
                reads: Queue::new(),
                place: RwLock::default(),
                commits: AtomicU64::new(0),
            }),
            threads: Mutex::default(),
        })
    }

    /// The space of an app, for at most `quota` bytes.
    pub fn space(self: &Arc<Store>, name: &str, quota: u64) -> Space {
        Space::new(self.clone(), name, quota)
    }

    /// Removes all that an app keeps, in as many commits as it takes. What others write meanwhile may stay.
    pub async fn clear(self: &Arc<Store>, name: &str) -> Result<(), KvError> {
        if !(self.shared.settings.exists)() {
            return Ok(());
        }
        let space = self.space(name, 0);
        loop {
            let permit = space.room(0).await?;
            match space.write(Op::Clear, permit).await? {
                Outcome::Number(KvValue::Integer(removed)) if removed > 0 => {}
                _ => return Ok(()),
            }
        }
    }

    /// How many transactions have been committed.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Does what waits, and closes the database. Everything that is asked for from now on is refused.
    pub fn close(&self) {
        let running = {
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.is_closed = true;
            std::mem::take(&mut threads.running)
        };
        self.shared.writes.close();
        self.shared.reads.close();
        for thread in running {
            let _ = thread.join();
        }
        self.shared.close_database();
    }

    /// Panics unless the database's invariants hold.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let checked = self.shared.with_database(|database| {
            let transaction = database.begin_write()?;
            Batch::open(&transaction, 0)?.check();
            Ok(transaction.abort()?)
        });
        checked.unwrap();
    }

    /// How many records there are, expired ones too.
    #[cfg(test)]
    pub(super) fn records(&self) -> u64 {
        use redb::{ReadableDatabase, ReadableTableMetadata};
        let count = |database: &Database| {
            let snapshot = database.begin_read()?;
            Ok(snapshot.open_table(super::batch::DATA)?.len()?)
        };
        self.shared.with_database(count).unwrap()
    }

    pub(super) fn write(&self, write: Write) -> Result<(), KvError> {
        self.start()?;
        let lane = write.space.clone();
        let pushed = self.shared.writes.push(&lane, write);
        pushed.map_err(|_| KvError::Closed)
    }

    pub(super) fn read(&self, read: Read) -> Result<(), KvError> {
        self.start()?;
        let lane = read.space.clone();
        let pushed = self.shared.reads.push(&lane, read);
        pushed.map_err(|_| KvError::Closed)
    }

    /// Starts the threads that do not run yet.
    fn start(&self) -> Result<(), KvError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.is_closed {
            return Err(KvError::Closed);
        }
        while threads.running.len() <= READERS {
            let shared = self.shared.clone();
            let work: Box<dyn FnOnce() + Send> = match threads.running.len() {
                0 => Box::new(move || shared.write_all()),
                _ => Box::new(move || shared.read_all()),
            };
            let started = thread::Builder::new().name("kv".into()).spawn(work);
            let started = started.map_err(|error| KvError::Storage(error.to_string().into()))?;
            threads.running.push(started);
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a commit leaves.
struct Committed {
    outcomes: Vec<Result<Outcome, KvError>>,
    next_expiry: Option<u64>,
    is_changed: bool,
}

impl Shared {
    fn now(&self) -> u64 {
        (self.settings.clock)()
    }

    // ---- the threads ----

    fn write_all(&self) {
        let mut pause = None;
        loop {
            let writes = match self.writes.take(MAX_BATCH, pause) {
                Taken::Items(writes) => writes,
                Taken::Nothing => Vec::new(),
                Taken::Closed => return,
            };
            let committed = self.with_database(|database| self.commit(database, &writes));
            pause = match committed {
                Ok(committed) => {
                    self.commits
                        .fetch_add(u64::from(committed.is_changed), Ordering::Relaxed);
                    for (write, outcome) in writes.into_iter().zip(committed.outcomes) {
                        let _ = write.answer.send(outcome);
                        drop(write.permit);
                    }
                    let now = self.now();
                    (committed.next_expiry)
                        .map(|at| EXPIRY_PAUSE.max(Duration::from_millis(at.saturating_sub(now))))
                }
                Err(error) => {
                    for write in writes {
                        let _ = write.answer.send(Err(error.clone()));
                        drop(write.permit);
                    }
                    None
                }
            };
        }
    }

    fn read_all(&self) {
        loop {
            let reads = match self.reads.take(1, None) {
                Taken::Items(reads) => reads,
                Taken::Nothing => continue,
                Taken::Closed => return,
            };
            for read in reads {
                if read.answer.is_closed() {
                    continue;
                }
                let now = self.now();
                let found = self.read_database(|database| {
                    read::answer(database, &read.space, &read.query, now)
                });
                let _ = read.answer.send(found.map(|found| Reply {
                    found,
                    _place: read.place,
                }));
            }
        }
    }

    fn commit(&self, database: &Database, writes: &[Write]) -> Result<Committed, Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        let mut outcomes = Vec::with_capacity(writes.len());
        let (next_expiry, is_changed) = {
            let mut batch = Batch::open(&transaction, self.now())?;
            for write in writes {
                outcomes.push(batch.apply(&write.space, write.quota, &write.op)?);
            }
            batch.remove_expired(EXPIRED_AT_ONCE)?;
            (batch.next_expiry()?, batch.finish()?)
        };
        match is_changed {
            true => transaction.commit()?,
            false => transaction.abort()?,
        }
        Ok(Committed {
            outcomes,
            next_expiry,
            is_changed,
        })
    }

    // ---- the database ----

    /// Applies `f` to the database, which is opened if it is closed, and closed if `f` fails.
    fn with_database<R>(
        &self,
        f: impl FnOnce(&Database) -> Result<R, Error>,
    ) -> Result<R, KvError> {
        self.try_database(f).map_err(|(why, _)| why)
    }

    /// The same, for what only reads: it is done again if the database failed in the hands of another thread.
    fn read_database<R>(&self, f: impl Fn(&Database) -> Result<R, Error>) -> Result<R, KvError> {
        match self.try_database(&f) {
            Err((_, true)) => self.with_database(f),
            done => done.map_err(|(why, _)| why),
        }
    }

    /// The error says whether another thread met it.
    fn try_database<R>(
        &self,
        f: impl FnOnce(&Database) -> Result<R, Error>,
    ) -> Result<R, (KvError, bool)> {
        loop {
            let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = &place.database else {
                drop(place);
                self.open_database().map_err(|why| (why, false))?;
                continue;
            };
            let times = place.times;
            let done = guarded(|| f(database));
            drop(place);
            return done.map_err(|error| {
                let is_others = matches!(error, Error::PreviousIo | Error::DatabaseClosed);
                (self.failed(times, &error), is_others)
            });
        }
    }

    fn open_database(&self) -> Result<(), KvError> {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if place.database.is_some() {
            return Ok(());
        }
        if let Some((at, why)) = &place.failed
            && at.elapsed() < self.settings.open_pause
        {
            return Err(why.clone());
        }
        match guarded(&self.settings.open) {
            Ok(database) => {
                place.times += 1;
                place.database = Some(database);
                Ok(())
            }
            Err(error) => {
                let (why, advice) = disk::explain(&error);
                self.report(&mut place, &why, advice);
                place.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// Closes the database that was opened so many times before.
    fn failed(&self, times: u64, error: &Error) -> KvError {
        let (why, advice) = disk::explain(error);
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if place.times == times && place.database.is_some() {
            drop_database(&mut place);
            // It may be opened again at once: it is there, and was good.
            place.failed = None;
            self.report(&mut place, &why, advice);
        }
        why
    }

    /// Tells the operator, now and then for the same reason in a row.
    fn report(&self, place: &mut Place, why: &KvError, advice: Option<&str>) {
        if let Some((at, told)) = &place.told
            && told == why
            && at.elapsed() < REPORT_PAUSE
        {
            return;
        }
        let name = &self.settings.name;
        let text = match advice {
            Some(advice) => format!("{name}: {why}; {advice}"),
            None => format!("{name}: {why}"),
        };
        (self.settings.report)(&text);
        place.told = Some((Instant::now(), why.clone()));
    }

    fn close_database(&self) {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        drop_database(&mut place);
    }
}

fn drop_database(place: &mut Place) {
    let database = place.database.take();
    let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

/// What panics is an error: a database whose file somebody has changed may.
fn guarded<R>(f: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = (panic.downcast_ref::<String>().map(String::as_str))
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::Corrupted(text.unwrap_or("panic").to_owned()))
    })
}
