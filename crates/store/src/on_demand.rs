//! Files of a source that are fetched when they are asked for: `HOST/PATH/index.lua`, without a deploy.
//!
//! ```text
//! get --> memory (LRU) --> mirror on the disk --> origin
//!           |                 |                     |
//!           +-- fresh: that   +-- is it still so? --+-- found, unchanged, missing, or no answer
//! ```
//! A file that was looked at within `revalidate` is not asked for again; then it is asked for with what is known of it. That there is none, or
//! no answer, is remembered for `negative`. While one asks, others get the old file or wait for the same answer.
//!
//! **Invariants.** Without an answer the last good file is served, and the source is asked again after `negative`; only that it is missing makes it
//! go. An answer to a question from before a purge is not remembered. What is kept in memory is within `bytes` and `entries`; what is
//! missing is counted apart, so that asking for a lot that is not there drives nothing out.

use crate::cache::Lru;
use crate::cancel::blocking;
use crate::error::{Error, ErrorKind};
use crate::index::Hash;
use crate::mirror::Mirror;
use crate::path::BundlePath;
use crate::store::Store;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The shortest time between two looks at the same file.
pub const MIN_REVALIDATE: Duration = Duration::from_secs(120);
/// Requests to the origin at a time.
const REQUESTS: usize = 16;
/// What is remembered of what is not there.
const NEGATIVE_BYTES: usize = 4 << 20;
const NEGATIVE_ENTRIES: usize = 10_000;

/// Tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validator {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it was changed, as an HTTP date.
    pub modified: Option<String>,
}

/// Where the files are.
pub trait Origin: Send + Sync + 'static {
    /// Gets a file, unless it is the one that is known.
    fn get(
        &self,
        path: &BundlePath,
        known: &Validator,
    ) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// What an origin says.
#[derive(Debug)]
pub enum Answer {
    /// It is the one that is known.
    Unchanged,
    /// There is no such file.
    Missing,
    /// Here it is.
    Found {
        /// All of it.
        contents: Vec<u8>,
        /// What tells it from others.
        validator: Validator,
    },
}

/// Limits and times of the caches.
#[derive(Debug, Clone, Copy)]
pub struct CacheOptions {
    /// Bytes of files in memory.
    pub bytes: usize,
    /// Files in memory (SNGIN_CODECACHE_SIZE).
    pub entries: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of files on the disk.
    pub mirror_bytes: u64,
    /// How long a file is taken for granted; at least [`MIN_REVALIDATE`].
    pub revalidate: Duration,
    /// How long it is remembered that there is none, or no answer.
    pub negative: Duration,
    /// How long a question may take.
    pub deadline: Duration,
}

impl Default for CacheOptions {
    fn default() -> CacheOptions {
        CacheOptions {
            bytes: 64 << 20,
            entries: 10_000,
            file_bytes: 16 << 20,
            mirror_bytes: 1 << 30,
            revalidate: Duration::from_secs(3600),
            negative: Duration::from_secs(10),
            deadline: Duration::from_secs(30),
        }
    }
}

impl CacheOptions {
    /// The defaults with what lua-sngin's variable says, which `get` looks up.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<CacheOptions, Error> {
        let mut options = CacheOptions::default();
        if let Some(text) = get("SNGIN_CODECACHE_SIZE").filter(|text| !text.is_empty()) {
            options.entries = text.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Setup,
                    format!(
                        "SNGIN_CODECACHE_SIZE is \"{}\"; write how many files to keep in memory",
                        crate::error::quoted(text.as_bytes())
                    ),
                )
            })?;
        }
        Ok(options)
    }
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// All of it.
    pub contents: Vec<u8>,
    /// Of the contents: the same means the same code.
    pub hash: Hash,
    validator: Validator,
}

/// What may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// What is in the caches, as long as they may say so.
    Cached,
    /// Only the origin, for this one request (`$cb`). The caches learn from its answer.
    Bypass,
}

/// What the caches have done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answered from memory.
    pub hits: u64,
    /// Answered from memory: that there is none.
    pub negative_hits: u64,
    /// Found at the origin, new or changed.
    pub fetched: u64,
    /// Still the same at the origin.
    pub unchanged: u64,
    /// Missing at the origin.
    pub missing: u64,
    /// No answer from the origin.
    pub failed: u64,
    /// Answered with an old file, since there was no answer, or none yet.
    pub stale: u64,
    /// Bytes in memory now.
    pub bytes: u64,
    /// Files in memory now.
    pub entries: u64,
}

/// The files of a source, with caches.
#[derive(Debug)]
pub struct OnDemand<O> {
    origin: O,
    mirror: Arc<Mirror>,
    options: CacheOptions,
    state: Mutex<State>,
    requests: Semaphore,
}

#[derive(Debug)]
struct State {
    files: Lru<Known>,
    negative: Lru<Negative>,
    /// Who asks for a file now. Others wait for the lock.
    flights: HashMap<BundlePath, Arc<tokio::sync::Mutex<()>>>,
    /// Counts purges.
    generation: u64,
    counters: Counters,
}

#[derive(Debug, Clone)]
struct Known {
    file: Arc<Found>,
    /// When the origin last said that it is so.
    checked: Instant,
    /// From when on it is asked again.
    due: Instant,
}

#[derive(Debug, Clone)]
struct Negative {
    until: Instant,
    /// None if there is no such file.
    error: Option<Error>,
    checked: Instant,
}

type Lookup = Result<Option<Arc<Found>>, Error>;

impl<O: Origin> OnDemand<O> {
    /// The files of `source`, whose name tells its mirror from others.
    pub async fn open(
        origin: O,
        store: &Arc<Store>,
        source: &str,
        mut options: CacheOptions,
    ) -> Result<OnDemand<O>, Error> {
        options.revalidate = options.revalidate.max(MIN_REVALIDATE);
        let (store, source) = (store.clone(), source.to_owned());
        let mirror = blocking(move |_| {
            Mirror::open(&store, &source, options.file_bytes, options.mirror_bytes)
        })
        .await?;
        Ok(OnDemand {
            origin,
            mirror: Arc::new(mirror),
            options,
            state: Mutex::new(State {
                files: Lru::new(options.bytes, options.entries),
                negative: Lru::new(NEGATIVE_BYTES, NEGATIVE_ENTRIES),
                flights: HashMap::new(),
                generation: 0,
                counters: Counters::default(),
            }),
            requests: Semaphore::new(REQUESTS),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file; none if there is no such file.
    pub async fn get(&self, path: &BundlePath, freshness: Freshness) -> Lookup {
        let arrived = Instant::now();
        let flight = {
            let mut state = self.state();
            if freshness == Freshness::Cached
                && let Some(answer) = state.answer(path)
            {
                return answer;
            }
            let flight = state.flights.entry(path.clone()).or_default().clone();
            if let Some(stale) = state.stale_while(path, freshness, &flight) {
                return Ok(Some(stale));
            }
            flight
        };
        let _landing = Landing {
            state: &self.state,
            path,
            flight: &flight,
        };
        match tokio::time::timeout(
            self.options.deadline,
            self.ask_in_turn(path, freshness, &flight, arrived),
        )
        .await
        {
            Ok(answer) => answer,
            Err(_) => {
                let seconds = self.options.deadline.as_secs_f32();
                let error = Error::new(
                    ErrorKind::TimedOut,
                    format!(
                        "{path} was not fetched within {seconds} seconds; it is tried again later"
                    ),
                );
                self.failed(path, freshness, error)
            }
        }
    }

    async fn ask_in_turn(
        &self,
        path: &BundlePath,
        freshness: Freshness,
        flight: &tokio::sync::Mutex<()>,
        arrived: Instant,
    ) -> Lookup {
        let _turn = flight.lock().await;
        // Who was before may have had the answer already.
        let answered = match freshness {
            Freshness::Cached => self.state().answer(path),
            Freshness::Bypass => self.state().answer_since(path, arrived),
        };
        if let Some(answer) = answered {
            return answer;
        }
        let _request = self.requests.acquire().await;
        self.ask(path, freshness).await
    }

    /// Asks the origin.
    async fn ask(&self, path: &BundlePath, freshness: Freshness) -> Lookup {
        let (generation, known) = {
            let mut state = self.state();
            let known = state
                .files
                .get(path.as_str())
                .map(|known| known.file.clone());
            (state.generation, known)
        };
        let (known, was_missing) = match known {
            Some(known) => (Some(known), false),
            None => self.mirrored(path, generation).await,
        };
        let validator = known
            .as_ref()
            .map(|known| known.validator.clone())
            .unwrap_or_default();
        match self.origin.get(path, &validator).await {
            Err(_) if was_missing && freshness == Freshness::Cached => {
                let mut state = self.state();
                state.counters.failed += 1;
                state.counters.stale += 1;
                state.learn_missing(path, generation, self.options.negative);
                Ok(None)
            }
            Err(error) => self.failed(path, freshness, error),
            Ok(Answer::Missing) if was_missing => {
                self.state()
                    .learn_missing(path, generation, self.options.negative);
                Ok(None)
            }
            Ok(Answer::Missing) => {
                self.mirror_remove(path).await;
                self.state()
                    .learn_missing(path, generation, self.options.negative);
                Ok(None)
            }
            Ok(Answer::Unchanged) => match known {
                Some(file) => {
                    self.state().counters.unchanged += 1;
                    self.state()
                        .learn(path, &file, generation, self.options.revalidate);
                    Ok(Some(file))
                }
                None => self.failed(path, freshness, unasked(path)),
            },
            Ok(Answer::Found {
                contents,
                validator,
            }) => {
                let hash = Hash::of(&contents);
                let file = Arc::new(Found {
                    contents,
                    hash,
                    validator,
                });
                self.keep(path, &file, generation).await;
                Ok(Some(file))
            }
        }
    }

    /// What is on the disk, which is from before and so due; or whether there was no such file.
    async fn mirrored(&self, path: &BundlePath, generation: u64) -> (Option<Arc<Found>>, bool) {
        let (mirror, path_there) = (self.mirror.clone(), path.clone());
        let mirrored = blocking(move |_| Ok(mirror.load(&path_there))).await;
        let Ok(Some(mirrored)) = mirrored else {
            return (None, false);
        };
        if mirrored.is_missing() {
            return (None, true);
        }
        let file = Arc::new(Found {
            hash: Hash::of(&mirrored.contents),
            contents: mirrored.contents,
            validator: mirrored.validator,
        });
        self.state().learn(path, &file, generation, Duration::ZERO);
        (Some(file), false)
    }

    /// That there is no such file is to be known when the source does not answer, too. Waits for the disk.
    pub fn remember_missing(&self, path: &BundlePath) {
        // A mirror that cannot be written is as good as none.
        let _ = self.mirror.store_missing(path);
    }

    async fn keep(&self, path: &BundlePath, file: &Arc<Found>, generation: u64) {
        {
            let mut state = self.state();
            state.counters.fetched += 1;
            if state.generation != generation {
                return;
            }
            state.learn(path, file, generation, self.options.revalidate);
        }
        let (mirror, path, file) = (self.mirror.clone(), path.clone(), file.clone());
        // A mirror that cannot be written is as good as none.
        let _ = blocking(move |_| mirror.store(&path, &file.contents, &file.validator)).await;
    }

    async fn mirror_remove(&self, path: &BundlePath) {
        let (mirror, path) = (self.mirror.clone(), path.clone());
        let _ = blocking(move |_| {
            mirror.remove(&path);
            Ok(())
        })
        .await;
    }

    /// Without an answer: the last good file, if there is one and it will do.
    fn failed(&self, path: &BundlePath, freshness: Freshness, error: Error) -> Lookup {
        let now = Instant::now();
        let mut state = self.state();
        state.counters.failed += 1;
        if let Some(known) = state.files.get(path.as_str()) {
            known.due = now + self.options.negative;
            if freshness == Freshness::Cached {
                let file = known.file.clone();
                state.counters.stale += 1;
                return Ok(Some(file));
            }
            return Err(error);
        }
        let negative = Negative {
            until: now + self.options.negative,
            error: Some(error.clone()),
            checked: now,
        };
        state
            .negative
            .insert(path.clone(), negative, error.to_string().len());
        Err(error)
    }

    /// Forgets a file, here and on the disk. Waits for the disk.
    pub fn purge_file(&self, path: &BundlePath) {
        let mut state = self.state();
        state.generation += 1;
        state.files.remove(path.as_str());
        state.negative.remove(path.as_str());
        drop(state);
        self.mirror.remove(path);
    }

    /// Forgets all files below a folder, or all. Waits for the disk.
    pub fn purge_folder(&self, folder: Option<&BundlePath>) {
        let mut state = self.state();
        state.generation += 1;
        state.files.remove_below(folder);
        state.negative.remove_below(folder);
        drop(state);
        self.mirror.remove_below(folder);
    }

    /// What the caches have done.
    pub fn counters(&self) -> Counters {
        let state = self.state();
        Counters {
            bytes: state.files.bytes() as u64,
            entries: state.files.len() as u64,
            ..state.counters
        }
    }
}

fn unasked(path: &BundlePath) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "{path}: the source says that it is unchanged, and was not asked that; it is tried again later"
        ),
    )
}

impl State {
    /// What memory may answer by itself.
    fn answer(&mut self, path: &BundlePath) -> Option<Lookup> {
        let now = Instant::now();
        if let Some(known) = self
            .files
            .get(path.as_str())
            .filter(|known| known.due > now)
        {
            let file = known.file.clone();
            self.counters.hits += 1;
            return Some(Ok(Some(file)));
        }
        let negative = self
            .negative
            .get(path.as_str())
            .filter(|negative| negative.until > now)?
            .clone();
        self.counters.negative_hits += 1;
        Some(match negative.error {
            Some(error) => Err(error),
            None => Ok(None),
        })
    }

    /// What the origin has said since a time.
    fn answer_since(&mut self, path: &BundlePath, time: Instant) -> Option<Lookup> {
        if let Some(known) = self
            .files
            .get(path.as_str())
            .filter(|known| known.checked > time)
        {
            return Some(Ok(Some(known.file.clone())));
        }
        let negative = self
            .negative
            .get(path.as_str())
            .filter(|negative| negative.checked > time)?;
        Some(match &negative.error {
            Some(error) => Err(error.clone()),
            None => Ok(None),
        })
    }

    /// The old file, while somebody else asks for the new one.
    fn stale_while(
        &mut self,
        path: &BundlePath,
        freshness: Freshness,
        flight: &tokio::sync::Mutex<()>,
    ) -> Option<Arc<Found>> {
        if freshness == Freshness::Bypass || flight.try_lock().is_ok() {
            return None;
        }
        let file = self.files.get(path.as_str())?.file.clone();
        self.counters.stale += 1;
        Some(file)
    }

    fn learn(&mut self, path: &BundlePath, file: &Arc<Found>, generation: u64, good_for: Duration) {
        if self.generation != generation {
            return;
        }
        let now = Instant::now();
        self.negative.remove(path.as_str());
        let known = Known {
            file: file.clone(),
            checked: now,
            due: now + good_for,
        };
        self.files.insert(path.clone(), known, file.contents.len());
    }

    fn learn_missing(&mut self, path: &BundlePath, generation: u64, good_for: Duration) {
        self.counters.missing += 1;
        self.files.remove(path.as_str());
        if self.generation != generation {
            return;
        }
        let now = Instant::now();
        let negative = Negative {
            until: now + good_for,
            error: None,
            checked: now,
        };
        self.negative.insert(path.clone(), negative, 0);
    }
}

/// Takes a flight off the list when the last one who was on it has gone, cancelled or not.
struct Landing<'a> {
    state: &'a Mutex<State>,
    path: &'a BundlePath,
    flight: &'a Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The list's and ours.
        if Arc::strong_count(self.flight) <= 2 {
            state.flights.remove(self.path);
        }
    }
}

#[cfg(test)]
mod tests;
