//! The store as a whole, over disks that do what disks do.

mod crash;
mod disk;
mod model;

use super::*;
use disk::TestDisk;
use redb::Builder;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const QUOTA: u64 = 1 << 30;

/// A clock that a test sets.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(ms: u64) -> Clock {
        let clock = Clock::default();
        clock.0.store(ms, Ordering::SeqCst);
        clock
    }

    fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn store_on(disk: &TestDisk, clock: &Clock) -> Arc<Store> {
    let (disk, clock) = (disk.clone(), clock.clone());
    Store::new(Settings {
        name: "test".into(),
        open: Box::new(move || {
            Ok(Builder::new()
                .set_cache_size(1 << 20)
                .create_with_backend(disk.clone())?)
        }),
        clock: Box::new(move || clock.now()),
        report: Box::new(|_| {}),
        exists: Box::new(|| true),
        open_pause: Duration::ZERO,
    })
}

fn in_memory() -> Arc<Store> {
    store_on(&TestDisk::default(), &Clock::at(1000))
}

fn wait<F: Future>(f: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(f)
}

fn is_ready<F: Future>(f: F) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(pin!(f).poll(&mut context), Poll::Ready(_))
}

fn text(text: &str) -> KvValue {
    KvValue::Bytes(text.as_bytes().into())
}

fn put(key: &str, value: Option<KvValue>) -> Op {
    Op::Put {
        key: key.as_bytes().into(),
        value,
        ttl_ms: 0,
        when: When::Always,
    }
}

fn incr(key: &str, by: i64) -> Op {
    Op::Incr {
        key: key.as_bytes().into(),
        by: KvValue::Integer(by),
        initial: KvValue::Integer(0),
        ttl_ms: 0,
    }
}

async fn write(space: &Space, op: Op) -> Result<Outcome, KvError> {
    let permit = space.room(64).await?;
    space.write(op, permit).await
}

async fn get(space: &Space, key: &str) -> Result<Option<KvValue>, KvError> {
    let reply = space.read(Query::Get(key.as_bytes().into())).await?;
    Ok(match reply.found {
        Found::Record(record) => Some(record.value),
        _ => None,
    })
}

/// Everything in a space, a page of so many at a time.
async fn all(space: &Space, limit: usize) -> Vec<(Box<[u8]>, KvValue)> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let query = Query::List {
            prefix: Box::default(),
            after,
            limit,
        };
        let Found::Page(page, next) = space.read(query).await.unwrap().found else {
            panic!("no page");
        };
        entries.extend(page);
        if next.is_none() {
            return entries;
        }
        after = next;
    }
}

#[test]
fn what_is_written_is_read() {
    let store = in_memory();
    let space = store.space("shop", QUOTA);
    wait(async {
        assert_eq!(get(&space, "a").await, Ok(None));
        assert_eq!(
            write(&space, put("a", Some(text("1")))).await,
            Ok(Outcome::Done)
        );
        assert_eq!(get(&space, "a").await, Ok(Some(text("1"))));
        assert_eq!(write(&space, put("a", None)).await, Ok(Outcome::Done));
        assert_eq!(write(&space, put("a", None)).await, Ok(Outcome::Not));
        assert_eq!(get(&space, "a").await, Ok(None));
        let sum = |n| Ok(Outcome::Number(KvValue::Integer(n)));
        assert_eq!(write(&space, incr("n", 5)).await, sum(5));
        assert_eq!(write(&space, incr("n", -7)).await, sum(-2));
        write(&space, put("n", Some(KvValue::Integer(i64::MAX))))
            .await
            .unwrap();
        assert_eq!(write(&space, incr("n", 1)).await, Err(KvError::Overflow));
        write(&space, put("n", Some(text("5")))).await.unwrap();
        assert_eq!(write(&space, incr("n", 1)).await, Err(KvError::NotANumber));
    });
}

#[test]
fn spaces_do_not_see_each_other() {
    let store = in_memory();
    let names = ["a", "ab", "b", "a-b"];
    let spaces: Vec<Space> = names.iter().map(|name| store.space(name, QUOTA)).collect();
    let keys = ["k", "\0", "\0b\0k", "b\0k", "\u{10ffff}"];
    wait(async {
        for (name, space) in names.iter().zip(&spaces) {
            for key in keys {
                write(space, put(key, Some(text(name)))).await.unwrap();
            }
        }
        write(&spaces[1], put("k", None)).await.unwrap();
        for (name, space) in names.iter().zip(&spaces) {
            let entries = all(space, 2).await;
            assert_eq!(entries.len(), keys.len() - usize::from(*name == "ab"));
            assert!(
                entries.iter().all(|(_, value)| *value == text(name)),
                "{name}"
            );
        }
    });
}

#[test]
fn limits_are_hit() {
    let store = in_memory();
    let space = store.space("a", QUOTA);
    let long = "k".repeat(MAX_KEY);
    let value = |bytes: usize| Some(KvValue::Bytes(vec![b'x'; bytes].into()));
    let change = |key: String, value| Change {
        key: key.into_bytes().into(),
        value,
        ttl_ms: Some(0),
    };
    let apply = |changes| Op::Apply {
        reads: Vec::new(),
        changes,
    };
    wait(async {
        assert_eq!(write(&space, put(&long, value(1))).await, Ok(Outcome::Done));
        let longer = long.clone() + "k";
        assert_eq!(
            write(&space, put(&longer, value(1))).await,
            Err(KvError::KeyTooLong)
        );
        assert_eq!(get(&space, &longer).await, Err(KvError::KeyTooLong));
        assert_eq!(
            write(&space, put("", value(1))).await,
            Err(KvError::EmptyKey)
        );
        assert_eq!(
            write(&space, put("v", value(MAX_VALUE - 1))).await,
            Ok(Outcome::Done)
        );
        assert_eq!(
            write(&space, put("v", value(MAX_VALUE))).await,
            Err(KvError::ValueTooLong)
        );
        let many = |count| {
            apply(
                (0..count)
                    .map(|i| change(format!("t{i}"), value(1)))
                    .collect(),
            )
        };
        assert_eq!(
            write(&space, many(MAX_TRANSACTION_KEYS)).await,
            Ok(Outcome::Done)
        );
        assert_eq!(
            write(&space, many(MAX_TRANSACTION_KEYS + 1)).await,
            Err(KvError::TooLarge)
        );
        let large = |count| {
            apply(
                (0..count)
                    .map(|i| change(format!("l{i}"), value(1_000_000)))
                    .collect(),
            )
        };
        assert_eq!(write(&space, large(4)).await, Ok(Outcome::Done));
        assert_eq!(write(&space, large(5)).await, Err(KvError::TooLarge));
        // A page ends at its bytes, and at its records.
        let page = |prefix: &'static str, limit| {
            let query = Query::List {
                prefix: prefix.as_bytes().into(),
                after: None,
                limit,
            };
            let space = &space;
            async move {
                match space.read(query).await.unwrap().found {
                    Found::Page(page, next) => (page.len(), next),
                    other => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(page("l", 10).await.0, 2);
        assert_eq!(page("t", 99999).await, (MAX_PAGE, None));
        assert_eq!(page("t", 0).await, (1, Some((*b"t0").into())));
    });
}

#[test]
fn a_space_has_its_quota() {
    let store = in_memory();
    let one = 1 + 10 + ENTRY_BYTES;
    let (small, other) = (store.space("small", 3 * one), store.space("other", QUOTA));
    let nine = || Some(text("123456789"));
    wait(async {
        for key in ["a", "b", "c"] {
            assert_eq!(write(&small, put(key, nine())).await, Ok(Outcome::Done));
        }
        assert_eq!(
            write(&small, put("d", Some(KvValue::Boolean(true)))).await,
            Err(KvError::Quota)
        );
        assert_eq!(
            write(&small, put("a", Some(text("1234567890")))).await,
            Err(KvError::Quota)
        );
        assert_eq!(write(&small, incr("n", 1)).await, Err(KvError::Quota));
        assert_eq!(get(&small, "a").await, Ok(nine()));
        assert_eq!(write(&other, put("d", nine())).await, Ok(Outcome::Done));
        // What makes room, does; all of a transaction counts together.
        let change = |key: &str, value| Change {
            key: key.as_bytes().into(),
            value,
            ttl_ms: Some(0),
        };
        let swap = |to: &str, value| Op::Apply {
            reads: vec![],
            changes: vec![change(to, value), change("a", None)],
        };
        assert_eq!(
            write(&small, swap("d", Some(text("1234567890")))).await,
            Err(KvError::Quota)
        );
        assert_eq!(write(&small, swap("d", nine())).await, Ok(Outcome::Done));
        assert_eq!(get(&small, "a").await, Ok(None));
        // A smaller quota lets it shrink.
        let smaller = store.space("small", one);
        assert_eq!(
            write(&smaller, put("b", Some(text("1")))).await,
            Ok(Outcome::Done)
        );
        assert_eq!(
            write(&smaller, put("b", Some(text("12")))).await,
            Err(KvError::Quota)
        );
        assert_eq!(write(&smaller, put("c", None)).await, Ok(Outcome::Done));
    });
    store.check();
}

#[test]
fn what_has_expired_is_gone_at_once_and_makes_room() {
    let (clock, one) = (Clock::at(1000), 1 + 2 + ENTRY_BYTES);
    let store = store_on(&TestDisk::default(), &clock);
    let space = store.space("a", 2 * one);
    let put = |key: &str, ttl_ms, when| Op::Put {
        key: key.as_bytes().into(),
        value: Some(text("1")),
        ttl_ms,
        when,
    };
    wait(async {
        write(&space, put("a", 500, When::Always)).await.unwrap();
        write(&space, put("b", 0, When::Always)).await.unwrap();
        clock.pass(499);
        assert_eq!(get(&space, "a").await, Ok(Some(text("1"))));
        assert_eq!(
            write(&space, put("c", 0, When::Always)).await,
            Err(KvError::Quota)
        );
        clock.pass(1);
        assert_eq!(get(&space, "a").await, Ok(None));
        assert_eq!(all(&space, 10).await.len(), 1);
        let absent = When::Equals(None);
        assert_eq!(
            write(&space, put("a", 100, absent.clone())).await,
            Ok(Outcome::Done)
        );
        assert_eq!(write(&space, put("a", 100, absent)).await, Ok(Outcome::Not));
        clock.pass(100);
        assert_eq!(
            write(&space, put("c", 0, When::Always)).await,
            Ok(Outcome::Done)
        );
        assert_eq!(all(&space, 10).await.len(), 2);
    });
    store.check();
}

#[test]
fn expired_records_are_removed_without_a_write() {
    let clock = Clock::at(1000);
    let store = store_on(&TestDisk::default(), &clock);
    let space = store.space("a", QUOTA);
    wait(async {
        for i in 0..600 {
            let op = Op::Put {
                key: format!("{i}").into_bytes().into(),
                value: Some(text("x")),
                ttl_ms: 5,
                when: When::Always,
            };
            write(&space, op).await.unwrap();
        }
    });
    assert_eq!(store.records(), 600);
    clock.pass(10);
    // In pieces, with a pause.
    let before = store.commits();
    for _ in 0..1000 {
        if store.records() == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.records(), 0);
    assert_eq!(store.commits() - before, 3);
}

#[test]
fn many_writes_share_a_commit() {
    let disk = TestDisk::default();
    let store = store_on(&disk, &Clock::at(1));
    let space = Arc::new(store.space("a", QUOTA));
    wait(async { write(&space, put("first", Some(text("1")))).await.unwrap() });
    disk.set_sync_time(Duration::from_millis(20));
    let before = store.commits();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut waiters = tokio::task::JoinSet::new();
        for _ in 0..500 {
            let space = space.clone();
            waiters.spawn(async move { write(&space, incr("n", 1)).await.unwrap() });
        }
        let mut sums: Vec<i64> = Vec::new();
        while let Some(outcome) = waiters.join_next().await {
            match outcome.unwrap() {
                Outcome::Number(KvValue::Integer(sum)) => sums.push(sum),
                other => panic!("{other:?}"),
            }
        }
        sums.sort_unstable();
        assert!(sums.into_iter().eq(1..=500));
    });
    let commits = store.commits() - before;
    assert!((1..=10).contains(&commits), "{commits}");
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let store = in_memory();
    let space = store.space("a", QUOTA);
    wait(async {
        write(&space, put("a", Some(text("1")))).await.unwrap();
        let version = match space.read(Query::Get((*b"a").into())).await.unwrap().found {
            Found::Record(record) => record.version,
            other => panic!("{other:?}"),
        };
        let apply = |version, other| Op::Apply {
            reads: vec![((*b"a").into(), version), ((*b"z").into(), other)],
            changes: vec![
                Change {
                    key: (*b"b").into(),
                    value: Some(text("2")),
                    ttl_ms: Some(0),
                },
                Change {
                    key: (*b"a").into(),
                    value: None,
                    ttl_ms: None,
                },
            ],
        };
        assert_eq!(
            write(&space, apply(version + 1, 0)).await,
            Ok(Outcome::Conflict)
        );
        assert_eq!(
            write(&space, apply(version, 1)).await,
            Ok(Outcome::Conflict)
        );
        assert_eq!(get(&space, "b").await, Ok(None));
        assert_eq!(write(&space, apply(version, 0)).await, Ok(Outcome::Done));
        assert_eq!(
            (get(&space, "a").await, get(&space, "b").await),
            (Ok(None), Ok(Some(text("2"))))
        );
        // Removed and written again is not the same.
        assert_eq!(
            write(&space, apply(version, 0)).await,
            Ok(Outcome::Conflict)
        );
        write(&space, put("a", Some(text("1")))).await.unwrap();
        assert_eq!(
            write(&space, apply(version, 0)).await,
            Ok(Outcome::Conflict)
        );
    });
    store.check();
}

#[test]
fn queues_are_bounded() {
    let store = in_memory();
    let (space, other) = (store.space("a", QUOTA), store.space("b", QUOTA));
    wait(async {
        let permit = space.room(QUEUE_BYTES).await.unwrap();
        assert!(!is_ready(space.room(0)) && is_ready(other.room(0)));
        drop(permit);
        assert!(is_ready(space.room(0)));
        let mut replies = Vec::new();
        for _ in 0..READS {
            replies.push(space.read(Query::Get((*b"k").into())).await.unwrap());
        }
        let query = || Query::Get((*b"k").into());
        assert!(!is_ready(space.read(query())));
        other.read(query()).await.unwrap();
        replies.pop();
        space.read(query()).await.unwrap();
    });
}

#[test]
fn a_closed_store_refuses() {
    let store = in_memory();
    let space = store.space("a", QUOTA);
    wait(async {
        write(&space, put("a", Some(text("1")))).await.unwrap();
        store.close();
        assert_eq!(write(&space, put("a", None)).await, Err(KvError::Closed));
        assert_eq!(get(&space, "a").await, Err(KvError::Closed));
    });
}

// ---- the file ----

type Reports = Arc<Mutex<Vec<String>>>;

fn in_folder(folder: &std::path::Path) -> (Arc<Store>, Reports) {
    let reports = Reports::default();
    let told = reports.clone();
    let mut settings = Settings::of(folder, move |line| told.lock().unwrap().push(line.into()));
    settings.open_pause = Duration::ZERO;
    (Store::new(settings), reports)
}

#[test]
fn the_file_is_made_when_it_is_used_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep/state");
    let (store, _) = in_folder(&state);
    let space = store.space("a", QUOTA);
    assert!(!state.exists());
    wait(write(&space, put("a", Some(text("1"))))).unwrap();
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
    };
    assert_eq!(mode(&state) & 0o777, 0o700);
    assert_eq!(mode(&state.join(FILE)) & 0o777, 0o600);
    let (second, reports) = in_folder(&state);
    let refused = wait(get(&second.space("a", QUOTA), "a"))
        .unwrap_err()
        .to_string();
    assert_eq!(refused, "storage: the database is open in another process");
    assert!(reports.lock().unwrap()[0].contains("--state DIR"));
    drop((space, store));
    assert_eq!(
        wait(get(&second.space("a", QUOTA), "a")),
        Ok(Some(text("1")))
    );
}

#[test]
fn a_corrupt_file_is_told_once_and_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    let (store, reports) = in_folder(folder.path());
    let space = store.space("a", QUOTA);
    for _ in 0..3 {
        let error = wait(get(&space, "a")).unwrap_err().to_string();
        assert!(
            error.starts_with("storage: the database is corrupt"),
            "{error}"
        );
        assert!(wait(write(&space, put("a", Some(text("1"))))).is_err());
    }
    let told = reports.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(path.to_str().unwrap()) && told[0].contains("move the file away"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        wait(write(&space, put("a", Some(text("1"))))),
        Ok(Outcome::Done)
    );
}

#[test]
fn a_file_that_was_changed_does_not_take_the_process_down() {
    let disk = TestDisk::default();
    let clock = Clock::at(1);
    let store = store_on(&disk, &clock);
    wait(async {
        for i in 0..200 {
            let value = Some(text(&"v".repeat(i * 7)));
            write(&store.space("a", QUOTA), put(&format!("{i}"), value))
                .await
                .unwrap();
        }
    });
    store.close();
    let good = disk.data();
    let mut refused = 0;
    for at in (0..good.len()).step_by(good.len() / 61) {
        let mut bad = good.clone();
        for byte in bad.iter_mut().skip(at).take(3000) {
            *byte ^= 0x5a;
        }
        let store = store_on(&TestDisk::holding(bad), &clock);
        let space = store.space("a", QUOTA);
        wait(async {
            for i in 0..200 {
                refused += usize::from(get(&space, &format!("{i}")).await.is_err());
            }
            refused += usize::from(write(&space, put("new", Some(text("1")))).await.is_err());
        });
    }
    assert!(refused > 0);
}

#[test]
fn a_space_is_cleared_and_the_others_are_not() {
    let store = in_memory();
    wait(async {
        let (a, ab) = (store.space("a", QUOTA), store.space("ab", QUOTA));
        let count = CLEAR_AT_ONCE + 10;
        for first in (0..count).step_by(MAX_TRANSACTION_KEYS) {
            let change = |i: usize| Change {
                key: format!("{i}").into_bytes().into(),
                value: Some(text("v")),
                ttl_ms: i.is_multiple_of(2).then_some(60_000),
            };
            let last = count.min(first + MAX_TRANSACTION_KEYS);
            let op = Op::Apply {
                reads: vec![],
                changes: (first..last).map(change).collect(),
            };
            assert_eq!(write(&a, op).await, Ok(Outcome::Done));
        }
        write(&ab, put("k", Some(text("v")))).await.unwrap();
        assert_eq!(store.records(), count as u64 + 1);
        store.clear("a").await.unwrap();
        assert_eq!(store.records(), 1);
        assert_eq!(get(&ab, "k").await, Ok(Some(text("v"))));
        store.clear("a").await.unwrap();
        store.clear("nobody").await.unwrap();
        // The quota is free again.
        let small = store.space("a", 100);
        assert_eq!(
            write(&small, put("k", Some(text("v")))).await,
            Ok(Outcome::Done)
        );
    });
    store.check();
}

#[test]
fn clearing_makes_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(Settings::of(dir.path(), |_| {}));
    wait(store.clear("a")).unwrap();
    assert!(!dir.path().join(FILE).exists());
}
