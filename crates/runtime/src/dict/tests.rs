//! The operations on virtual time, the limits, threads, and the comparison with the model.

use super::*;
use std::collections::BTreeSet;

fn dict() -> Dict {
    Dict::new(1 << 20)
}

fn set(dict: &Dict, key: &str, value: Given<'_>, ttl: u64, now: u64) -> bool {
    let (result, forcible) = dict.store(Mode::Set, key.as_bytes(), value, ttl, 0, now);
    result.unwrap();
    dict.check();
    forcible
}

fn get(dict: &Dict, key: &str, now: u64) -> Option<DictValue> {
    let record = dict.get(key.as_bytes(), now).unwrap();
    record.map(|record| record.value)
}

fn text(dict: &Dict, key: &str, now: u64) -> Option<String> {
    match get(dict, key, now)? {
        DictValue::Bytes(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn stale(dict: &Dict, key: &str, now: u64) -> Option<bool> {
    let record = dict.get_stale(key.as_bytes(), now).unwrap();
    record.map(|record| record.stale)
}

fn keys(dict: &Dict, now: u64) -> BTreeSet<String> {
    let (keys, next) = dict.keys(0, usize::MAX, now);
    assert_eq!(next, None);
    let keys = keys
        .iter()
        .map(|key| String::from_utf8(key.to_vec()).unwrap());
    keys.collect()
}

/// A dictionary with room for exactly `entries` entries with keys `"0"`, `"1"`, ... and numbers.
fn room_for(entries: u64) -> Dict {
    let one = entry::ENTRY_BYTES + entry::shared_bytes(1) + index::TABLE_BYTES;
    Dict::new(one * entries)
}

const NUMBER: Given<'_> = Given::Integer(1);

#[test]
fn values_of_all_types_with_their_flags() {
    let dict = dict();
    set(&dict, "b", Given::Boolean(false), 0, 1000);
    set(&dict, "i", Given::Integer(i64::MIN), 0, 1000);
    set(&dict, "n", Given::Number(0.5), 0, 1000);
    set(&dict, "s", Given::Bytes(b"\0text"), 0, 1000);
    set(&dict, "e", Given::Bytes(b""), 0, 1000);
    assert_eq!(get(&dict, "b", 1000), Some(DictValue::Boolean(false)));
    assert_eq!(get(&dict, "i", 1000), Some(DictValue::Integer(i64::MIN)));
    assert_eq!(get(&dict, "n", 1000), Some(DictValue::Number(0.5)));
    assert_eq!(text(&dict, "s", 1000).as_deref(), Some("\0text"));
    assert_eq!(text(&dict, "e", 1000).as_deref(), Some(""));
    assert_eq!(get(&dict, "?", 1000), None);
    let flags = |flags| dict.store(Mode::Set, b"s", NUMBER, 0, flags, 1000);
    assert_eq!(flags(-7), (Ok(()), false));
    assert_eq!(dict.get(b"s", 1000).unwrap().unwrap().flags, -7);
    assert_eq!(flags(0), (Ok(()), false));
    assert_eq!(dict.get(b"s", 1000).unwrap().unwrap().flags, 0);
}

#[test]
fn keys_have_limits() {
    let dict = dict();
    let long = vec![b'k'; MAX_KEY + 1];
    for (key, error) in [
        (&b""[..], DictError::EmptyKey),
        (&long, DictError::KeyTooLong),
    ] {
        assert_eq!(dict.get(key, 1), Err(error));
        assert_eq!(dict.get_stale(key, 1), Err(error));
        assert_eq!(
            dict.store(Mode::Set, key, NUMBER, 0, 0, 1),
            (Err(error), false)
        );
        assert_eq!(dict.delete(key, 1), Err(error));
        assert_eq!(
            dict.incr(key, Amount::Integer(1), None, 1),
            (Err(error), false)
        );
        assert_eq!(dict.push(key, Side::Left, Item::Integer(1), 1), Err(error));
        assert_eq!(dict.pop(key, Side::Left, 1), Err(error));
        assert_eq!(dict.llen(key, 1), Err(error));
        assert_eq!(dict.ttl(key, 1), Err(error));
        assert_eq!(dict.expire(key, 1, 1), Err(error));
    }
    let longest = &long[1..];
    assert_eq!(
        dict.store(Mode::Set, longest, NUMBER, 0, 0, 1),
        (Ok(()), false)
    );
    assert!(dict.get(longest, 1).unwrap().is_some());
    assert_eq!(dict.keys(0, 9, 1).0[0].len(), MAX_KEY);
}

#[test]
fn a_value_expires_at_its_millisecond() {
    let dict = dict();
    set(&dict, "old", NUMBER, 0, 1000);
    set(&dict, "a", NUMBER, 50, 1000);
    assert_eq!(dict.ttl(b"a", 1020), Ok(30));
    assert_eq!(dict.ttl(b"old", 1020), Ok(0));
    assert!(get(&dict, "a", 1049).is_some());
    assert_eq!(get(&dict, "a", 1050), None);
    // It is still there: something older is in front of it in the order of use.
    assert_eq!(stale(&dict, "a", 1050), Some(true));
    assert_eq!(stale(&dict, "old", 1050), Some(false));
    assert_eq!(dict.ttl(b"a", 1060), Ok(-10));
    assert_eq!(dict.expire(b"a", 10, 1060), Ok(()));
    assert_eq!(stale(&dict, "a", 1069), Some(false));
    assert_eq!(dict.expire(b"a", 0, 1070), Ok(()));
    assert!(get(&dict, "a", u64::MAX).is_some());
    assert_eq!(dict.expire(b"none", 1, 1070), Err(DictError::NotFound));
    assert_eq!(dict.ttl(b"none", 1070), Err(DictError::NotFound));
    set(&dict, "far", NUMBER, u64::MAX, 1000);
    assert!(get(&dict, "far", 1 << 60).is_some());
    assert_eq!(dict.ttl(b"far", 1000), Ok(i64::MAX));
}

#[test]
fn an_operation_drops_two_expired_entries_from_the_end() {
    let dict = dict();
    for key in ["0", "1", "2", "3"] {
        set(&dict, key, NUMBER, 10, 1000);
    }
    set(&dict, "5", NUMBER, 0, 1000);
    assert_eq!(dict.len(), 5);
    // get_stale, ttl, expire and keys drop nothing.
    assert_eq!(stale(&dict, "0", 2000), Some(true));
    assert_eq!(dict.ttl(b"0", 2000), Ok(-990));
    assert_eq!(keys(&dict, 2000), BTreeSet::from(["5".into()]));
    assert_eq!(dict.len(), 5);
    assert_eq!(get(&dict, "none", 2000), None);
    assert_eq!(dict.len(), 3);
    assert_eq!(stale(&dict, "1", 2000), None);
    assert_eq!(dict.llen(b"none", 2000), Ok(0));
    assert_eq!(dict.len(), 1);
    dict.check();
}

#[test]
fn add_and_replace() {
    let dict = dict();
    let store = |mode, now| dict.store(mode, b"k", NUMBER, 10, 0, now).0;
    assert_eq!(store(Mode::Replace, 1000), Err(DictError::NotFound));
    assert_eq!(store(Mode::Add, 1000), Ok(()));
    assert_eq!(store(Mode::Add, 1009), Err(DictError::Exists));
    assert_eq!(store(Mode::SafeAdd, 1009), Err(DictError::Exists));
    assert_eq!(store(Mode::Replace, 1009), Ok(()));
    assert_eq!(store(Mode::Replace, 1019), Err(DictError::NotFound));
    assert_eq!(store(Mode::SafeAdd, 1019), Ok(()));
    assert_eq!(dict.delete(b"k", 1020), Ok(true));
    assert_eq!(dict.delete(b"k", 1020), Ok(false));
    dict.check();
}

#[test]
fn the_least_recently_used_are_evicted() {
    let dict = room_for(3);
    for key in ["0", "1", "2"] {
        assert!(!set(&dict, key, NUMBER, 0, 1000));
    }
    assert_eq!(dict.free_space(), 0);
    assert!(get(&dict, "0", 1000).is_some());
    assert!(set(&dict, "3", NUMBER, 0, 1000));
    assert_eq!(
        keys(&dict, 1000),
        BTreeSet::from(["0", "2", "3"].map(String::from))
    );
    // What is there is written over without evicting anything.
    assert!(!set(&dict, "2", Given::Boolean(true), 0, 1000));
    // What may not evict is refused, and the others stay.
    for mode in [Mode::SafeSet, Mode::SafeAdd] {
        let refused = dict.store(mode, b"4", NUMBER, 0, 0, 1000);
        assert_eq!(refused, (Err(DictError::NoMemory), false));
    }
    assert_eq!(dict.len(), 3);
    let (sum, forcible) = dict.incr(
        b"4",
        Amount::Integer(1),
        Some((Amount::Integer(0), 0)),
        1000,
    );
    assert_eq!((sum, forcible), (Ok(Amount::Integer(1)), true));
    assert_eq!(
        keys(&dict, 1000),
        BTreeSet::from(["2", "3", "4"].map(String::from))
    );
    dict.check();
}

#[test]
fn a_store_evicts_thirty_times_and_then_gives_up() {
    let dict = room_for(200);
    for n in 0..200u8 {
        let stored = dict.store(Mode::Set, &[n], NUMBER, 0, 0, 1000);
        assert_eq!(stored, (Ok(()), false));
    }
    let large = vec![0; dict.capacity() as usize / 2];
    let refused = dict.store(Mode::Set, b"large", Given::Bytes(&large), 0, 0, 1000);
    assert_eq!(refused, (Err(DictError::NoMemory), true));
    assert_eq!(dict.len(), 170);
    let beyond = vec![0; dict.capacity() as usize];
    let mut tries = 0;
    while !dict.is_empty() {
        let refused = dict.store(Mode::Set, b"large", Given::Bytes(&beyond), 0, 0, 1000);
        assert_eq!(refused, (Err(DictError::NoMemory), true));
        tries += 1;
    }
    assert_eq!(tries, 6);
    let refused = dict.store(Mode::Set, b"large", Given::Bytes(&beyond), 0, 0, 1000);
    assert_eq!(refused, (Err(DictError::NoMemory), false));
    dict.check();
}

#[test]
fn a_value_that_does_not_fit_takes_its_old_one_along() {
    let dict = room_for(3);
    set(&dict, "0", NUMBER, 0, 1000);
    let large = vec![0; dict.capacity() as usize];
    let refused = dict.store(Mode::SafeSet, b"0", Given::Bytes(&large), 0, 0, 1000);
    assert_eq!(refused, (Err(DictError::NoMemory), false));
    assert_eq!(get(&dict, "0", 1000), None);
}

#[test]
fn incr_adds_and_starts() {
    let dict = dict();
    let incr = |key: &str, by, init, now| dict.incr(key.as_bytes(), by, init, now).0;
    let (one, half) = (Amount::Integer(1), Amount::Number(0.5));
    assert_eq!(incr("n", one, None, 1000), Err(DictError::NotFound));
    assert_eq!(
        incr("n", one, Some((Amount::Integer(9), 10)), 1000),
        Ok(Amount::Integer(10))
    );
    // The ttl of the start stays; a later one is not looked at.
    assert_eq!(
        incr("n", half, Some((one, 99)), 1009),
        Ok(Amount::Number(10.5))
    );
    assert_eq!(incr("n", one, Some((one, 0)), 1010), Ok(Amount::Integer(2)));
    set(&dict, "m", Given::Integer(i64::MAX), 0, 1000);
    assert_eq!(
        incr("m", one, None, 1000),
        Ok(Amount::Number(2f64.powi(63)))
    );
    set(&dict, "s", Given::Bytes(b"1"), 5, 1000);
    assert_eq!(
        incr("s", one, Some((one, 0)), 1000),
        Err(DictError::NotANumber)
    );
    // What has expired is no value.
    assert_eq!(incr("s", one, Some((one, 0)), 1005), Ok(Amount::Integer(2)));
    dict.push(b"l", Side::Left, Item::Integer(1), 1000).unwrap();
    assert_eq!(incr("l", one, None, 1000), Err(DictError::NotANumber));
    dict.check();
}

#[test]
fn lists() {
    let dict = dict();
    let push = |side, n| dict.push(b"l", side, Item::Integer(n), 1000);
    let pop = |side| dict.pop(b"l", side, 1000);
    assert_eq!(pop(Side::Left), Ok(None));
    assert_eq!(push(Side::Right, 1), Ok(1));
    assert_eq!(push(Side::Right, 2), Ok(2));
    assert_eq!(push(Side::Left, 0), Ok(3));
    assert_eq!(dict.llen(b"l", 1000), Ok(3));
    assert_eq!(dict.get(b"l", 1000), Err(DictError::IsAList));
    assert_eq!(dict.get_stale(b"l", 1000), Err(DictError::IsAList));
    assert_eq!(pop(Side::Left), Ok(Some(Item::Integer(0))));
    assert_eq!(pop(Side::Right), Ok(Some(Item::Integer(2))));
    assert_eq!(pop(Side::Right), Ok(Some(Item::Integer(1))));
    // A list without items is no value.
    assert_eq!(dict.llen(b"l", 1000), Ok(0));
    assert_eq!(get(&dict, "l", 1000), None);
    set(&dict, "s", NUMBER, 10, 1000);
    assert_eq!(
        dict.push(b"s", Side::Left, Item::Integer(1), 1000),
        Err(DictError::NotAList)
    );
    assert_eq!(dict.pop(b"s", Side::Left, 1000), Err(DictError::NotAList));
    assert_eq!(dict.llen(b"s", 1000), Err(DictError::NotAList));
    // What has expired gives way to a list, and an expired list to a new one.
    assert_eq!(dict.push(b"s", Side::Left, Item::Integer(1), 1010), Ok(1));
    dict.expire(b"s", 5, 1010).unwrap();
    assert_eq!(dict.llen(b"s", 1015), Ok(0));
    assert_eq!(dict.push(b"s", Side::Left, Item::Integer(1), 1015), Ok(1));
    assert_eq!(dict.ttl(b"s", 1015), Ok(0));
    // set writes over a list.
    set(&dict, "s", NUMBER, 0, 1020);
    assert_eq!(get(&dict, "s", 1020), Some(DictValue::Integer(1)));
}

#[test]
fn a_list_that_does_not_fit_is_refused() {
    let dict = Dict::new(4096);
    let large: Arc<[u8]> = vec![0; 4000].into();
    let push = |key: &[u8], item| dict.push(key, Side::Right, item, 1000);
    assert_eq!(push(b"l", Item::Bytes(large)), Err(DictError::NoMemory));
    assert!(dict.is_empty());
    let mut len = 0;
    while let Ok(now) = push(b"l", Item::Integer(1)) {
        len += 1;
        assert_eq!(now, len);
    }
    assert!(len > 40, "{len}");
    assert!(dict.free_space() < entry::ITEM_BYTES);
    assert_eq!(dict.llen(b"l", 1000), Ok(len));
    assert_eq!(push(b"m", Item::Integer(1)), Err(DictError::NoMemory));
    dict.check();
}

#[test]
fn a_long_list_is_let_go_piece_by_piece() {
    let dict = dict();
    let free = dict.free_space();
    for n in 0..5000 {
        dict.push(b"l", Side::Right, Item::Integer(n), 1000)
            .unwrap();
    }
    assert!(dict.free_space() < free - 5000 * entry::ITEM_BYTES);
    dict.delete(b"l", 1000).unwrap();
    assert_eq!(dict.free_space(), free - index::TABLE_BYTES);
    let graves = || dict.lock().graves();
    assert_eq!(graves(), 5000);
    dict.llen(b"l", 1000).unwrap();
    assert_eq!(graves(), 5000 - 8 * 32 + 24);
    for _ in 0..30 {
        dict.llen(b"l", 1000).unwrap();
    }
    assert_eq!(graves(), 0);
    // One that is written over goes the same way.
    for n in 0..2000 {
        dict.push(b"l", Side::Right, Item::Integer(n), 1000)
            .unwrap();
    }
    set(&dict, "l", NUMBER, 0, 1000);
    assert_eq!(graves(), 2000);
    assert_eq!(dict.len(), 1);
}

#[test]
fn flush_all_lets_everything_expire_at_once() {
    let dict = dict();
    for key in ["0", "1", "2", "3", "4"] {
        set(&dict, key, NUMBER, 0, 1000);
    }
    dict.flush_all(1000);
    // Three go at once; the others can still be read as stale.
    assert_eq!(dict.len(), 2);
    assert_eq!(stale(&dict, "3", 1000), Some(true));
    assert_eq!(dict.ttl(b"3", 1000), Ok(-999));
    assert!(keys(&dict, 1000).is_empty());
    assert_eq!(dict.expire(b"4", 0, 1000), Ok(()));
    assert_eq!(stale(&dict, "4", 1000), Some(false));
    assert_eq!(get(&dict, "3", 1000), None);
    set(&dict, "3", NUMBER, 0, 1000);
    assert_eq!(
        keys(&dict, 1000),
        BTreeSet::from(["3", "4"].map(String::from))
    );
    dict.flush_all(1000);
    assert!(dict.is_empty());
    dict.flush_all(1000);
    dict.check();
}

#[test]
fn flush_expired_and_keys_go_on_where_they_were() {
    let dict = Dict::new(16 << 20);
    for n in 0..3000u32 {
        let ttl = if n % 3 == 0 { 10 } else { 0 };
        set_quietly(&dict, &format!("key {n}"), ttl);
    }
    let (mut from, mut found, mut rounds) = (Some(0), BTreeSet::new(), 0);
    while let Some(at) = from {
        let (keys, next) = dict.keys(at, usize::MAX, 1010);
        assert!(keys.len() <= SLOTS_AT_ONCE as usize);
        for key in keys {
            assert!(found.insert(key.to_vec()), "a key came twice");
        }
        // Others write in between.
        set_quietly(&dict, "key 1", 0);
        dict.get(b"key 2999", 1000).unwrap();
        (from, rounds) = (next, rounds + 1);
    }
    assert_eq!((found.len(), rounds), (2000, 3));
    assert_eq!(dict.keys(0, 7, 1010).0.len(), 7);
    assert_eq!(dict.flush_expired(0, 5, 1010), (5, Some(13)));
    let (mut from, mut freed) = (Some(0), 0);
    while let Some(at) = from {
        let (some, next) = dict.flush_expired(at, usize::MAX, 1010);
        freed += some;
        from = next;
    }
    assert_eq!((freed, dict.len()), (995, 2000));
    dict.check();
}

fn set_quietly(dict: &Dict, key: &str, ttl: u64) {
    let stored = dict.store(Mode::Set, key.as_bytes(), NUMBER, ttl, 0, 1000);
    assert_eq!(stored, (Ok(()), false));
}

#[test]
fn memory_comes_back_but_for_the_slots() {
    let dict = dict();
    let free = dict.free_space();
    assert_eq!(free, dict.capacity());
    for n in 0..100 {
        set(&dict, &n.to_string(), Given::Bytes(&[0; 500]), 0, 1000);
    }
    for n in 0..100 {
        dict.delete(n.to_string().as_bytes(), 1000).unwrap();
    }
    assert_eq!(dict.free_space(), free - 100 * index::TABLE_BYTES);
    // A dictionary of the least size holds something.
    let least = Dict::new(4096);
    while !set(&least, &least.len().to_string(), NUMBER, 0, 1000) {}
    assert!(least.len() > 25, "{}", least.len());
}

#[test]
fn two_threads_at_once() {
    let dict = Dict::new(64 << 10);
    std::thread::scope(|scope| {
        for thread in 0..2u64 {
            let dict = &dict;
            scope.spawn(move || {
                for n in 0..20_000u64 {
                    let now = 1000 + n;
                    assert!(
                        dict.incr(
                            b"sum",
                            Amount::Integer(1),
                            Some((Amount::Integer(0), 0)),
                            now
                        )
                        .0
                        .is_ok()
                    );
                    let key = (n * 7919 + thread) % 500;
                    let text = key.to_string();
                    let stored = dict.store(
                        Mode::Set,
                        text.as_bytes(),
                        Given::Bytes(text.as_bytes()),
                        n % 50,
                        0,
                        now,
                    );
                    assert_eq!(stored.0, Ok(()));
                    // What is read under a key is what one of the two wrote under it, whole.
                    if let Some(record) = dict
                        .get(((n * 31) % 500).to_string().as_bytes(), now)
                        .unwrap()
                    {
                        let DictValue::Bytes(bytes) = record.value else {
                            panic!("{record:?}")
                        };
                        assert_eq!(*bytes, *((n * 31) % 500).to_string().as_bytes());
                    }
                    match n % 64 {
                        0 => drop(dict.flush_expired(0, 10, now)),
                        1 => drop(dict.keys(0, 10, now)),
                        2..20 => drop(dict.push(b"list", Side::Left, Item::Integer(1), now)),
                        20..50 => drop(dict.pop(b"list", Side::Right, now)),
                        _ => {}
                    }
                }
            });
        }
    });
    dict.check();
    // "sum" was used all the time, so it was never the one to be evicted.
    assert_eq!(
        dict.incr(b"sum", Amount::Integer(0), None, 30_000).0,
        Ok(Amount::Integer(40_000))
    );
}

#[test]
fn swap_stores_and_removes_if_it_is_told_to() {
    let dict = Dict::new(4096);
    let has = |n| {
        move |found: Option<&Record>| {
            found.is_some_and(|record| record.value == DictValue::Integer(n))
        }
    };
    let is_absent = |found: Option<&Record>| found.is_none();
    let one = Some(Given::Integer(1));
    let two = Some(Given::Integer(2));
    assert_eq!(dict.swap(b"k", has(1), two, 10, 7, 1), Ok(false));
    assert_eq!(dict.swap(b"k", is_absent, one, 10, 7, 1), Ok(true));
    assert_eq!(dict.swap(b"k", is_absent, two, 10, 7, 1), Ok(false));
    assert_eq!(dict.swap(b"k", has(1), two, 10, 7, 2), Ok(true));
    let record = dict.get(b"k", 11).unwrap().unwrap();
    assert_eq!((record.value, record.flags), (DictValue::Integer(2), 7));
    // What has expired is not there.
    assert_eq!(dict.swap(b"k", has(2), None, 0, 0, 12), Ok(false));
    assert_eq!(dict.swap(b"k", is_absent, one, 0, 0, 12), Ok(true));
    assert_eq!(dict.swap(b"k", has(1), None, 0, 0, 13), Ok(true));
    assert!(dict.get(b"k", 13).unwrap().is_none());
    let long = Some(Given::Bytes(&[b'x'; 5000]));
    assert_eq!(
        dict.swap(b"k", |_| true, long, 0, 0, 14),
        Err(DictError::NoMemory)
    );
    assert_eq!(
        dict.swap(b"", |_| true, one, 0, 0, 14),
        Err(DictError::EmptyKey)
    );
    dict.check();
}

#[test]
fn does_what_the_model_does() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut byte = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for seed in 0..300 {
        // Most dictionaries are small, so that there is much evicting.
        let size = if seed % 4 == 0 { byte() } else { byte() % 8 };
        let input: Vec<u8> = std::iter::once(size)
            .chain((0..4000).map(|_| byte()))
            .collect();
        model::exercise(&input);
    }
}
