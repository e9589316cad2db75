//! The store against a map, with a clock of the test's own.

use super::*;
use std::collections::BTreeMap;

type Key = Box<[u8]>;

/// Which space a key was read in, the key, which write its value was of, and its version.
type Seen = (usize, Key, Option<usize>, u64);

/// A small generator (xorshift64*), the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

#[derive(Clone)]
struct Entry {
    value: KvValue,
    /// 0: never.
    expires: u64,
    /// Which write it was.
    stamp: usize,
}

/// One space in naive code.
#[derive(Clone, Default)]
pub struct Model {
    entries: BTreeMap<Key, Entry>,
    quota: u64,
    stamp: usize,
}

impl Model {
    pub fn new(quota: u64) -> Model {
        Model {
            quota,
            ..Model::default()
        }
    }

    fn expire(&mut self, now: u64) {
        self.entries
            .retain(|_, entry| entry.expires == 0 || entry.expires > now);
    }

    fn used(&self) -> u64 {
        let cost =
            |(key, entry): (&Key, &Entry)| (key.len() + entry.value.len()) as u64 + ENTRY_BYTES;
        self.entries.iter().map(cost).sum()
    }

    /// Does all or nothing.
    fn put(&mut self, changes: Vec<(Box<[u8]>, Option<KvValue>, u64)>) -> Result<(), KvError> {
        let before = self.clone();
        for (key, value, expires) in changes {
            self.stamp += 1;
            match value {
                None => drop(self.entries.remove(&key)),
                Some(value) => {
                    let stamp = self.stamp;
                    let entry = Entry {
                        value,
                        expires,
                        stamp,
                    };
                    self.entries.insert(key, entry);
                }
            }
        }
        if self.used() > self.quota && self.used() > before.used() {
            *self = before;
            return Err(KvError::Quota);
        }
        Ok(())
    }

    pub fn apply(&mut self, op: &Op, now: u64) -> Result<Outcome, KvError> {
        self.expire(now);
        let at = |ttl: u64| if ttl == 0 { 0 } else { now + ttl };
        match op {
            Op::Put {
                key,
                value,
                ttl_ms,
                when,
            } => {
                let old = self.entries.get(key).map(|entry| entry.value.clone());
                if let When::Equals(expected) = when {
                    let holds = match (&old, expected) {
                        (None, None) => true,
                        (Some(old), Some(expected)) => old.equals(expected),
                        _ => false,
                    };
                    if !holds {
                        return Ok(Outcome::Not);
                    }
                } else if old.is_none() && value.is_none() {
                    return Ok(Outcome::Not);
                }
                self.put(vec![(key.clone(), value.clone(), at(*ttl_ms))])?;
                Ok(Outcome::Done)
            }
            Op::Incr {
                key,
                by,
                initial,
                ttl_ms,
            } => {
                let (base, expires) = match self.entries.get(key) {
                    None => (initial.clone(), at(*ttl_ms)),
                    Some(entry) => (entry.value.clone(), entry.expires),
                };
                let sum = base.plus(by)?;
                self.put(vec![(key.clone(), Some(sum.clone()), expires)])?;
                Ok(Outcome::Number(sum))
            }
            Op::Clear => {
                let removed = std::mem::take(&mut self.entries).len();
                Ok(Outcome::Number(KvValue::Integer(removed as i64)))
            }
            Op::Apply { changes, .. } => {
                let mut all = Vec::new();
                for change in changes {
                    let expires = match change.ttl_ms {
                        Some(ttl) => at(ttl),
                        None => self
                            .entries
                            .get(&change.key)
                            .map_or(0, |entry| entry.expires),
                    };
                    all.push((change.key.clone(), change.value.clone(), expires));
                }
                self.put(all)?;
                Ok(Outcome::Done)
            }
        }
    }

    pub fn all(&mut self, now: u64) -> Vec<(Box<[u8]>, KvValue)> {
        self.expire(now);
        let entries = self.entries.iter();
        entries
            .map(|(key, entry)| (key.clone(), entry.value.clone()))
            .collect()
    }
}

fn key(random: &mut Random) -> Box<[u8]> {
    const PARTS: [&[u8]; 6] = [b"a", b"b", b"\0", b"\xff", b"ab", b"/"];
    let mut key = vec![b'k'];
    for _ in 0..random.below(3) {
        key.extend_from_slice(PARTS[random.below(PARTS.len())]);
    }
    key.into()
}

fn value(random: &mut Random) -> KvValue {
    match random.below(6) {
        0 => KvValue::Boolean(random.below(2) == 0),
        1 | 2 => KvValue::Integer(random.below(4) as i64),
        3 => KvValue::Number(random.below(4) as f64),
        4 => KvValue::Data(vec![1; random.below(200)].into()),
        _ => KvValue::Bytes(vec![b'x'; random.below(3) * 100].into()),
    }
}

fn ttl(random: &mut Random) -> u64 {
    [0, 0, 1, 50, 500][random.below(5)]
}

/// A write that reads nothing.
pub fn random_op(random: &mut Random) -> Op {
    let some = |random: &mut Random| (random.below(4) > 0).then(|| value(random));
    match random.below(8) {
        0..4 => Op::Put {
            key: key(random),
            value: some(random),
            ttl_ms: ttl(random),
            when: When::Always,
        },
        4 => Op::Put {
            key: key(random),
            value: some(random),
            ttl_ms: ttl(random),
            when: When::Equals(some(random)),
        },
        5 => Op::Incr {
            key: key(random),
            by: value(random),
            initial: KvValue::Integer(1),
            ttl_ms: ttl(random),
        },
        _ => {
            let mut changes: Vec<Change> = Vec::new();
            for _ in 0..random.below(6) {
                let change = Change {
                    key: key(random),
                    value: some(random),
                    ttl_ms: (random.below(3) > 0).then(|| ttl(random)),
                };
                if changes.iter().all(|other| other.key != change.key) {
                    changes.push(change);
                }
            }
            Op::Apply {
                reads: Vec::new(),
                changes,
            }
        }
    }
}

#[test]
fn the_store_does_what_a_map_does() {
    for seed in 0..6 {
        let (mut random, clock, disk) = (Random::new(seed), Clock::at(1000), TestDisk::default());
        let mut store = store_on(&disk, &clock);
        // What each space holds, and the stamps and versions of what was read there.
        let quotas = [QUOTA, 900];
        let mut models = quotas.map(Model::new);
        let mut reads: Vec<Seen> = Vec::new();
        wait(async {
            for step in 0..400 {
                clock.pass(random.below(40) as u64);
                let (at, now) = (random.below(2), clock.now());
                let space = store.space(["a", "ab"][at], quotas[at]);
                match random.below(12) {
                    0 => {
                        let found = all(&space, 1 + random.below(5)).await;
                        assert_eq!(found, models[at].all(now), "seed {seed}, step {step}");
                    }
                    1 if random.below(4) == 0 => {
                        drop(space);
                        store.close();
                        store = store_on(&disk, &clock);
                        store.check();
                    }
                    2 | 3 => {
                        let key = key(&mut random);
                        let found = space.read(Query::Get(key.clone())).await.unwrap().found;
                        models[at].expire(now);
                        let entry = models[at].entries.get(&key);
                        let (value, version, left) = match found {
                            Found::Record(record) => {
                                (Some(record.value), record.version, record.left_ms)
                            }
                            _ => (None, 0, None),
                        };
                        assert_eq!(value, entry.map(|entry| entry.value.clone()));
                        let left_there = entry.filter(|entry| entry.expires != 0);
                        assert_eq!(left, left_there.map(|entry| entry.expires - now));
                        reads.push((at, key, entry.map(|entry| entry.stamp), version));
                    }
                    4 if !reads.is_empty() => {
                        let (at, key, stamp, version) =
                            reads.swap_remove(random.below(reads.len()));
                        let space = store.space(["a", "ab"][at], quotas[at]);
                        models[at].expire(now);
                        let is_same = models[at].entries.get(&key).map(|e| e.stamp) == stamp;
                        let op = Op::Apply {
                            reads: vec![(key, version)],
                            changes: vec![],
                        };
                        let expected = if is_same {
                            Outcome::Done
                        } else {
                            Outcome::Conflict
                        };
                        assert_eq!(
                            write(&space, op).await,
                            Ok(expected),
                            "seed {seed}, step {step}"
                        );
                    }
                    _ => {
                        let op = random_op(&mut random);
                        let expected = models[at].apply(&op, now);
                        let found = write(&space, op.clone()).await;
                        assert_eq!(found, expected, "seed {seed}, step {step}: {op:?}");
                    }
                }
            }
        });
        store.check();
    }
}
