//! Power cuts and full disks: what was acknowledged is there afterwards, and nothing is there by halves.

use super::model::{Model, Random, random_op};
use super::*;

/// A write as a power cut finds it: what there was after it, and how many syncs had ended when it was acknowledged.
struct Acknowledged {
    after: Vec<(Box<[u8]>, KvValue)>,
    syncs: usize,
}

fn entries_of(disk: TestDisk, clock: &Clock) -> Vec<(Box<[u8]>, KvValue)> {
    let store = store_on(&disk, clock);
    let entries = wait(all(&store.space("a", QUOTA), 1000));
    store.check();
    entries
}

#[test]
fn a_power_cut_at_any_sync_loses_nothing_acknowledged() {
    let (disk, clock, mut random) = (TestDisk::default(), Clock::at(1), Random::new(42));
    // A file is there as a whole or not at all: see `disk`.
    assert_eq!(entries_of(disk.clone(), &clock), []);
    let store = store_on(&disk, &clock);
    let space = store.space("a", QUOTA);
    let mut model = Model::new(QUOTA);
    let mut states = vec![Acknowledged {
        after: vec![],
        syncs: disk.syncs(),
    }];
    disk.keep_moments();
    let first = disk.syncs();
    for _ in 0..60 {
        let op = random_op(&mut random);
        let expected = model.apply(&op, 1);
        assert_eq!(wait(write(&space, op)), expected);
        states.push(Acknowledged {
            after: model.all(1),
            syncs: disk.syncs(),
        });
    }
    let moments = disk.moments();
    assert!(moments.len() >= 60, "{}", moments.len());
    let mut halves = 0;
    for (at, moment) in moments.iter().enumerate() {
        for way in 0..4 {
            let data = moment.after_a_cut(|| match way {
                0 => false,
                1 => true,
                _ => random.below(2) == 0,
            });
            let found = entries_of(TestDisk::holding(data), &clock);
            // The sync of this moment had not ended: whoever was acknowledged needs no more than those before.
            let safe = states
                .iter()
                .rposition(|state| state.syncs <= first + at)
                .unwrap();
            let is_good = (states[safe..].iter().take(2)).any(|state| state.after == found);
            assert!(is_good, "sync {at}, way {way}: {found:?}");
            halves += usize::from(way > 1);
        }
    }
    assert!(halves > 0);
}

/// Writes until the disk refuses; what was acknowledged.
fn fill(space: &Space) -> Vec<String> {
    let mut keys = Vec::new();
    for i in 0..10_000 {
        let key = format!("{i:05}");
        let value = Some(text(&key.repeat(2000)));
        match wait(write(space, put(&key, value))) {
            Ok(_) => keys.push(key),
            Err(KvError::Storage(_)) => return keys,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk is never full");
}

fn check(space: &Space, keys: &[String]) {
    for key in keys {
        let found = wait(get(space, key)).unwrap();
        assert_eq!(found, Some(text(&key.repeat(2000))), "{key}");
    }
    assert_eq!(wait(all(space, 1000)).len(), keys.len());
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let (disk, clock) = (TestDisk::default(), Clock::at(1));
    disk.set_capacity(Some(5 << 20));
    let store = store_on(&disk, &clock);
    let space = store.space("a", QUOTA);
    let mut keys = fill(&space);
    assert!(keys.len() > 100, "{}", keys.len());
    // It goes on: everything is read, small writes have room, and large ones are refused.
    check(&space, &keys);
    let refused = wait(write(&space, put("more", Some(text(&"x".repeat(900_000))))));
    assert!(matches!(refused, Err(KvError::Storage(_))), "{refused:?}");
    check(&space, &keys);
    assert_eq!(wait(write(&space, put(&keys[0], None))), Ok(Outcome::Done));
    keys.remove(0);
    disk.set_capacity(None);
    assert_eq!(
        wait(write(
            &space,
            put("99999", Some(text(&"99999".repeat(2000))))
        )),
        Ok(Outcome::Done)
    );
    keys.push("99999".into());
    check(&space, &keys);
    store.check();
    // So it is for whoever opens it after a power cut.
    drop((space, store));
    let store = store_on(&TestDisk::holding(disk.data()), &clock);
    check(&store.space("a", QUOTA), &keys);
}

#[test]
fn a_disk_that_fails_at_any_byte_loses_nothing() {
    for budget in (0..600_000).step_by(37_111) {
        let (disk, clock) = (TestDisk::default(), Clock::at(1));
        let store = store_on(&disk, &clock);
        let space = store.space("a", QUOTA);
        wait(write(
            &space,
            put("00000", Some(text(&"00000".repeat(2000)))),
        ))
        .unwrap();
        disk.set_budget(Some(budget));
        let mut keys = fill(&space);
        disk.set_budget(None);
        if keys.is_empty() {
            keys.push("00000".into());
        }
        check(&space, &keys);
        assert_eq!(
            wait(write(
                &space,
                put("zzzzz", Some(text(&"zzzzz".repeat(2000))))
            )),
            Ok(Outcome::Done)
        );
        keys.push("zzzzz".into());
        check(&space, &keys);
        store.check();
    }
}
