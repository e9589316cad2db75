use super::*;
use crate::limits::Limits;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// What a question is answered with, and after which time.
type Reply = (Duration, Result<&'static str, ErrorKind>);

/// The path and the tag of what is known.
type Question = (String, Option<String>);

/// An origin that is told what to say, and remembers what it was asked. Texts are files, whose tag is the text; "" is missing.
#[derive(Debug, Default, Clone)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Question>>>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

impl Script {
    fn reply(&self, text: &'static str) {
        self.reply_after(Duration::ZERO, Ok(text));
    }

    fn fail(&self, kind: ErrorKind) {
        self.reply_after(Duration::ZERO, Err(kind));
    }

    fn reply_after(&self, time: Duration, reply: Result<&'static str, ErrorKind>) {
        self.replies.lock().unwrap().push_back((time, reply));
    }

    /// The questions since the last call.
    fn asked(&self) -> Vec<Question> {
        assert!(
            self.replies.lock().unwrap().is_empty(),
            "it was not asked often enough"
        );
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Origin for Script {
    async fn get(&self, path: &BundlePath, known: &Validator) -> Result<Answer, Error> {
        let (time, reply) = self
            .replies
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| panic!("asked for {path} once more"));
        self.asked
            .lock()
            .unwrap()
            .push((path.to_string(), known.etag.clone()));
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(time).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match reply {
            Err(kind) => Err(Error::new(kind, "the origin does not answer")),
            Ok("") => Ok(Answer::Missing),
            Ok(text) if known.etag.as_deref() == Some(text) => Ok(Answer::Unchanged),
            Ok(text) => Ok(Answer::Found {
                contents: text.as_bytes().to_vec(),
                validator: Validator {
                    etag: Some(text.to_owned()),
                    modified: None,
                },
            }),
        }
    }
}

#[test]
fn the_variable_of_lua_sngin() {
    let from =
        |text: Option<&'static str>| CacheOptions::from_variables(|_| text.map(str::to_owned));
    assert_eq!(from(None).unwrap().entries, 10_000);
    assert_eq!(from(Some("")).unwrap().entries, 10_000);
    assert_eq!(from(Some("5")).unwrap().entries, 5);
    assert_eq!(from(Some("many")).unwrap_err().kind(), ErrorKind::Setup);
}

struct Bench {
    script: Script,
    files: Arc<OnDemand<Script>>,
    store: Arc<Store>,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(CacheOptions::default()).await
    }

    async fn with(options: CacheOptions) -> Bench {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path(), Limits::default()).unwrap();
        let script = Script::default();
        let files = OnDemand::open(script.clone(), &store, "s3://bucket", options)
            .await
            .unwrap();
        Bench {
            script,
            files: Arc::new(files),
            store,
            _folder: folder,
        }
    }

    /// The same after a restart.
    async fn restart(&mut self) {
        let files = OnDemand::open(
            self.script.clone(),
            &self.store,
            "s3://bucket",
            CacheOptions::default(),
        )
        .await
        .unwrap();
        self.files = Arc::new(files);
    }

    async fn ask(&self, path: &str, freshness: Freshness) -> Result<Option<String>, ErrorKind> {
        let found = self
            .files
            .get(&at(path), freshness)
            .await
            .map_err(|error| error.kind())?;
        Ok(found.map(|found| {
            assert_eq!(found.hash, Hash::of(&found.contents));
            String::from_utf8(found.contents.clone()).unwrap()
        }))
    }

    async fn get(&self, path: &str) -> Result<Option<String>, ErrorKind> {
        self.ask(path, Freshness::Cached).await
    }
}

fn at(text: &str) -> BundlePath {
    BundlePath::new(text.as_bytes()).unwrap()
}

fn some(text: &str) -> Result<Option<String>, ErrorKind> {
    Ok(Some(text.to_owned()))
}

fn asked(path: &str, tag: Option<&str>) -> Question {
    (path.to_owned(), tag.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_for_granted_for_an_hour() {
    let bench = Bench::new().await;
    bench.script.reply("one");
    assert_eq!(bench.get("h/index.lua").await, some("one"));
    tokio::time::advance(HOUR - SECOND).await;
    assert_eq!(bench.get("h/index.lua").await, some("one"));
    assert_eq!(bench.script.asked(), [asked("h/index.lua", None)]);
    tokio::time::advance(SECOND).await;
    bench.script.reply("one");
    assert_eq!(bench.get("h/index.lua").await, some("one"));
    assert_eq!(bench.get("h/index.lua").await, some("one"));
    tokio::time::advance(HOUR).await;
    bench.script.reply("two");
    assert_eq!(bench.get("h/index.lua").await, some("two"));
    assert_eq!(
        bench.script.asked(),
        [
            asked("h/index.lua", Some("one")),
            asked("h/index.lua", Some("one"))
        ]
    );
    let counters = bench.files.counters();
    assert_eq!(
        (
            counters.hits,
            counters.fetched,
            counters.unchanged,
            counters.entries
        ),
        (2, 2, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_more_often_than_every_two_minutes() {
    let bench = Bench::with(CacheOptions {
        revalidate: SECOND,
        ..CacheOptions::default()
    })
    .await;
    bench.script.reply("one");
    bench.get("a").await.unwrap();
    tokio::time::advance(MIN_REVALIDATE - SECOND).await;
    bench.get("a").await.unwrap();
    assert_eq!(bench.script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_remembered_shortly() {
    let bench = Bench::new().await;
    bench.script.reply("");
    assert_eq!(bench.get("a").await, Ok(None));
    tokio::time::advance(9 * SECOND).await;
    assert_eq!(bench.get("a").await, Ok(None));
    assert_eq!(bench.script.asked().len(), 1);
    tokio::time::advance(SECOND).await;
    bench.script.reply("one");
    assert_eq!(bench.get("a").await, some("one"));
    // A file that is removed is missing when it is due.
    tokio::time::advance(HOUR).await;
    bench.script.reply("");
    assert_eq!(bench.get("a").await, Ok(None));
    assert_eq!(bench.get("a").await, Ok(None));
    assert_eq!(bench.files.counters().negative_hits, 2);
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_remembered_shortly_too() {
    for kind in [ErrorKind::Denied, ErrorKind::Unavailable] {
        let bench = Bench::new().await;
        bench.script.fail(kind);
        assert_eq!(bench.get("a").await, Err(kind));
        assert_eq!(bench.get("a").await, Err(kind));
        assert_eq!(bench.script.asked().len(), 1);
        tokio::time::advance(10 * SECOND).await;
        bench.script.reply("one");
        assert_eq!(bench.get("a").await, some("one"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_file_is_served_without_an_answer() {
    let bench = Bench::new().await;
    bench.script.reply("one");
    bench.get("a").await.unwrap();
    tokio::time::advance(HOUR).await;
    bench.script.fail(ErrorKind::Denied);
    assert_eq!(bench.get("a").await, some("one"));
    assert_eq!(bench.get("a").await, some("one"));
    tokio::time::advance(10 * SECOND).await;
    bench.script.reply("two");
    assert_eq!(bench.get("a").await, some("two"));
    assert_eq!(bench.script.asked().len(), 3);
    assert_eq!(bench.files.counters().stale, 1);
}

#[tokio::test(start_paused = true)]
async fn a_bypass_asks_and_the_caches_learn() {
    let bench = Bench::new().await;
    bench.script.reply("one");
    assert_eq!(bench.get("a").await, some("one"));
    bench.script.reply("two");
    assert_eq!(bench.ask("a", Freshness::Bypass).await, some("two"));
    assert_eq!(bench.get("a").await, some("two"));
    bench.script.fail(ErrorKind::Unavailable);
    assert_eq!(
        bench.ask("a", Freshness::Bypass).await,
        Err(ErrorKind::Unavailable)
    );
    assert_eq!(bench.get("a").await, some("two"));
    bench.script.reply("");
    assert_eq!(bench.get("b").await, Ok(None));
    bench.script.reply("b");
    assert_eq!(bench.ask("b", Freshness::Bypass).await, some("b"));
    assert_eq!(bench.get("b").await, some("b"));
}

#[tokio::test(start_paused = true)]
async fn purging_a_file_or_a_folder() {
    let bench = Bench::new().await;
    for path in ["h/a", "h/b/c", "h2/a"] {
        bench.script.reply("one");
        bench.get(path).await.unwrap();
    }
    bench.script.reply("");
    assert_eq!(bench.get("h/missing").await, Ok(None));
    bench.script.asked();
    bench.files.purge_file(&at("h/a"));
    bench.script.reply("two");
    assert_eq!(bench.get("h/a").await, some("two"));
    // Nothing was left to ask with.
    assert_eq!(bench.script.asked(), [asked("h/a", None)]);
    bench.files.purge_folder(Some(&at("h")));
    for path in ["h/a", "h/b/c", "h/missing"] {
        bench.script.reply("three");
        assert_eq!(bench.get(path).await, some("three"));
    }
    assert_eq!(bench.get("h2/a").await, some("one"));
    bench.files.purge_folder(None);
    bench.script.reply("four");
    assert_eq!(bench.get("h2/a").await, some("four"));
    assert_eq!(bench.script.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_a_purge_is_not_remembered() {
    let bench = Bench::new().await;
    bench.script.reply_after(SECOND, Ok("old"));
    let files = bench.files.clone();
    let question = tokio::spawn(async move {
        files
            .get(&at("a"), Freshness::Cached)
            .await
            .unwrap()
            .unwrap()
            .contents
            .clone()
    });
    tokio::time::sleep(SECOND / 2).await;
    bench.files.purge_file(&at("a"));
    assert_eq!(question.await.unwrap(), b"old");
    bench.script.reply("new");
    assert_eq!(bench.get("a").await, some("new"));
    assert_eq!(bench.script.asked(), [asked("a", None), asked("a", None)]);
}

#[tokio::test(start_paused = true)]
async fn one_asks_and_all_get_the_answer() {
    let bench = Bench::new().await;
    bench.script.reply_after(SECOND, Ok("one"));
    let ask_all = || async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let files = bench.files.clone();
            all.spawn(async move {
                files
                    .get(&at("a"), Freshness::Cached)
                    .await
                    .unwrap()
                    .unwrap()
                    .contents
                    .clone()
            });
        }
        all.join_all().await
    };
    assert!(ask_all().await.iter().all(|contents| contents == b"one"));
    // When it is due one asks, and nobody else waits.
    tokio::time::advance(HOUR).await;
    bench.script.reply_after(SECOND, Ok("two"));
    let answers = ask_all().await;
    assert_eq!(
        answers
            .iter()
            .filter(|contents| *contents == b"two")
            .count(),
        1
    );
    assert_eq!(bench.script.asked().len(), 2);
    assert_eq!(bench.files.counters().stale, 49);
    assert!(bench.files.state().flights.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_nothing() {
    let bench = Bench::new().await;
    bench.script.reply_after(HOUR, Ok("one"));
    let path = at("a");
    let question = tokio::time::timeout(SECOND, bench.files.get(&path, Freshness::Cached));
    assert!(question.await.is_err());
    assert!(bench.files.state().flights.is_empty());
    bench.script.reply("two");
    assert_eq!(bench.get("a").await, some("two"));
}

#[tokio::test(start_paused = true)]
async fn a_question_has_a_deadline() {
    let bench = Bench::new().await;
    bench.script.reply_after(HOUR, Ok("one"));
    assert_eq!(bench.get("a").await, Err(ErrorKind::TimedOut));
    assert!(bench.files.state().flights.is_empty());
}

#[tokio::test(start_paused = true)]
async fn there_are_not_too_many_questions_at_a_time() {
    let bench = Bench::new().await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..100 {
        bench.script.reply_after(SECOND, Ok("one"));
        let files = bench.files.clone();
        all.spawn(async move {
            files
                .get(&at(&format!("f{number}")), Freshness::Cached)
                .await
                .unwrap()
        });
    }
    all.join_all().await;
    assert_eq!(bench.script.most_at_once.load(Ordering::SeqCst), REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_what_is_missing_drives_nothing_out() {
    let options = CacheOptions {
        bytes: 3000,
        ..CacheOptions::default()
    };
    let bench = Bench::with(options).await;
    for path in ["a", "b"] {
        bench.script.reply("one");
        bench.get(path).await.unwrap();
    }
    for number in 0..2 * NEGATIVE_ENTRIES {
        bench.script.reply("");
        bench.get(&format!("missing/{number}")).await.unwrap();
    }
    assert_eq!(bench.get("a").await, some("one"));
    let negative = |count: fn(&Lru<Negative>) -> usize| count(&bench.files.state().negative);
    assert!(negative(Lru::len) <= NEGATIVE_ENTRIES && negative(Lru::bytes) <= NEGATIVE_BYTES);
    for number in 0..20 {
        bench.script.reply("many");
        bench.get(&format!("f{number}")).await.unwrap();
    }
    assert!(bench.files.counters().bytes <= 3000);
    assert!(bench.files.counters().entries < 20);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_mirror_is_asked_about_or_served() {
    let mut bench = Bench::new().await;
    for path in ["a", "b", "c"] {
        bench.script.reply("one");
        bench.get(path).await.unwrap();
    }
    bench.files.purge_file(&at("c"));
    bench.script.asked();
    bench.restart().await;
    bench.script.reply("one");
    assert_eq!(bench.get("a").await, some("one"));
    bench.script.fail(ErrorKind::Unavailable);
    assert_eq!(bench.get("b").await, some("one"));
    bench.script.fail(ErrorKind::Unavailable);
    assert_eq!(bench.get("c").await, Err(ErrorKind::Unavailable));
    assert_eq!(
        bench.script.asked(),
        [
            asked("a", Some("one")),
            asked("b", Some("one")),
            asked("c", None)
        ]
    );
    // What is missing is gone from there, too.
    tokio::time::advance(HOUR).await;
    bench.script.reply("");
    assert_eq!(bench.get("a").await, Ok(None));
    bench.restart().await;
    bench.script.fail(ErrorKind::Unavailable);
    assert_eq!(bench.get("a").await, Err(ErrorKind::Unavailable));
}
