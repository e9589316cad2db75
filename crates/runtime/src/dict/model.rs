//! A dictionary in naive code, and a driver that compares the real one with it.
//!
//! The model keeps its entries in one vector, newest first, and goes through all of it for everything. It shares with the
//! real one only what is charged for an entry.
//!
//! **Invariant:** [`exercise`] is a function of its input alone: there is no clock and no randomness whose effect could be
//! seen.

use super::entry::{ENTRY_BYTES, LIST_BYTES, shared_bytes};
use super::index::TABLE_BYTES;
use super::store::EVICTIONS;
use super::{Amount, Dict, DictError, DictValue, Given, Item, Mode, Record, Side};
use std::collections::{BTreeSet, VecDeque};

#[derive(Clone)]
enum Value {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Bytes(Vec<u8>),
    List(VecDeque<Item>),
}

struct Entry {
    key: Vec<u8>,
    value: Value,
    flags: i32,
    expires: u64,
}

impl Entry {
    fn charge(&self) -> u64 {
        let value = match &self.value {
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        let list = match &self.value {
            Value::List(items) => LIST_BYTES + items.iter().map(Item::bytes).sum::<u64>(),
            _ => 0,
        };
        ENTRY_BYTES + shared_bytes(self.key.len() + value) + list
    }

    fn expired(&self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

struct Model {
    capacity: u64,
    /// Newest first.
    entries: Vec<Entry>,
    /// The most entries there have been at once.
    peak: usize,
}

impl Model {
    fn free(&self) -> u64 {
        let used: u64 = self.entries.iter().map(Entry::charge).sum();
        self.capacity - used - self.peak as u64 * TABLE_BYTES
    }

    fn fits(&self, bytes: u64) -> bool {
        let slot = if self.entries.len() == self.peak {
            TABLE_BYTES
        } else {
            0
        };
        bytes + slot <= self.free()
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    fn expire(&mut self, force: bool, now: u64) -> usize {
        let before = self.entries.len();
        if force {
            self.entries.pop();
        }
        for _ in 0..2 {
            if self.entries.last().is_some_and(|entry| entry.expired(now)) {
                self.entries.pop();
            }
        }
        before - self.entries.len()
    }

    /// The position of a key, and whether it has expired; what has not is the newest from now on.
    fn touch(&mut self, key: &[u8], now: u64) -> Option<(usize, bool)> {
        let at = self.find(key)?;
        if self.entries[at].expired(now) {
            return Some((at, true));
        }
        let entry = self.entries.remove(at);
        self.entries.insert(0, entry);
        Some((0, false))
    }

    fn put(&mut self, entry: Entry, evict: bool, now: u64) -> (Result<(), DictError>, bool) {
        if let Some(at) = self.find(&entry.key) {
            self.entries.remove(at);
        }
        let mut forcible = false;
        let mut tries = 0;
        while !self.fits(entry.charge()) {
            if !evict || tries == EVICTIONS || self.expire(true, now) == 0 {
                return (Err(DictError::NoMemory), forcible);
            }
            (forcible, tries) = (true, tries + 1);
        }
        self.entries.insert(0, entry);
        self.peak = self.peak.max(self.entries.len());
        (Ok(()), forcible)
    }

    fn store(&mut self, mode: Mode, entry: Entry, now: u64) -> (Result<(), DictError>, bool) {
        self.expire(false, now);
        let live = matches!(self.touch(&entry.key, now), Some((_, false)));
        match mode {
            Mode::Replace if !live => (Err(DictError::NotFound), false),
            Mode::Add | Mode::SafeAdd if live => (Err(DictError::Exists), false),
            Mode::SafeSet | Mode::SafeAdd => self.put(entry, false, now),
            _ => self.put(entry, true, now),
        }
    }

    fn get(&mut self, key: &[u8], stale: bool, now: u64) -> Result<Option<Record>, DictError> {
        if !stale {
            self.expire(false, now);
        }
        let Some((at, expired)) = self.touch(key, now) else {
            return Ok(None);
        };
        if expired && !stale {
            return Ok(None);
        }
        let entry = &self.entries[at];
        let value = match &entry.value {
            Value::Boolean(value) => DictValue::Boolean(*value),
            Value::Integer(value) => DictValue::Integer(*value),
            Value::Number(value) => DictValue::Number(*value),
            Value::Bytes(bytes) => DictValue::Bytes(super::SharedBytes {
                data: bytes[..].into(),
                from: 0,
                to: bytes.len(),
            }),
            Value::List(_) => return Err(DictError::IsAList),
        };
        Ok(Some(Record {
            value,
            flags: entry.flags,
            stale: expired,
        }))
    }

    fn incr(
        &mut self,
        key: &[u8],
        by: Amount,
        init: Option<(Amount, u64)>,
        now: u64,
    ) -> (Result<Amount, DictError>, bool) {
        self.expire(false, now);
        if let Some((at, false)) = self.touch(key, now) {
            let (value, sum) = match (&self.entries[at].value, by) {
                (Value::Integer(a), Amount::Integer(b)) => integer_sum(*a, b),
                (Value::Integer(a), Amount::Number(b)) => float_sum(*a as f64 + b),
                (Value::Number(a), Amount::Integer(b)) => float_sum(a + b as f64),
                (Value::Number(a), Amount::Number(b)) => float_sum(a + b),
                _ => return (Err(DictError::NotANumber), false),
            };
            self.entries[at].value = value;
            return (Ok(sum), false);
        }
        let Some((init, ttl)) = init else {
            return (Err(DictError::NotFound), false);
        };
        let (value, sum) = match (by, init) {
            (Amount::Integer(a), Amount::Integer(b)) => integer_sum(a, b),
            (Amount::Integer(a), Amount::Number(b)) => float_sum(a as f64 + b),
            (Amount::Number(a), Amount::Integer(b)) => float_sum(a + b as f64),
            (Amount::Number(a), Amount::Number(b)) => float_sum(a + b),
        };
        let entry = Entry {
            key: key.to_vec(),
            value,
            flags: 0,
            expires: deadline(ttl, now),
        };
        let (stored, forcible) = self.put(entry, true, now);
        (stored.map(|()| sum), forcible)
    }

    fn list(&mut self, key: &[u8], now: u64) -> Option<Result<usize, DictError>> {
        self.expire(false, now);
        let (at, expired) = self.touch(key, now)?;
        if expired {
            return None;
        }
        match &self.entries[at].value {
            Value::List(_) => Some(Ok(at)),
            _ => Some(Err(DictError::NotAList)),
        }
    }

    fn push(&mut self, key: &[u8], side: Side, item: Item, now: u64) -> Result<usize, DictError> {
        if let Some(found) = self.list(key, now) {
            let at = found?;
            if item.bytes() > self.free() {
                return Err(DictError::NoMemory);
            }
            let Value::List(items) = &mut self.entries[at].value else {
                return Err(DictError::NotAList);
            };
            match side {
                Side::Left => items.push_front(item),
                Side::Right => items.push_back(item),
            }
            return Ok(items.len());
        }
        let mut entry = Entry {
            key: key.to_vec(),
            value: Value::List(VecDeque::new()),
            flags: 0,
            expires: 0,
        };
        if let Some(at) = self.find(key) {
            self.entries.remove(at);
        }
        if !self.fits(entry.charge()) {
            return Err(DictError::NoMemory);
        }
        // The slot is made for the list, whether its first item has room or not.
        self.peak = self.peak.max(self.entries.len() + 1);
        if let Value::List(items) = &mut entry.value {
            items.push_back(item);
        }
        if !self.fits(entry.charge()) {
            return Err(DictError::NoMemory);
        }
        self.entries.insert(0, entry);
        Ok(1)
    }

    fn pop(&mut self, key: &[u8], side: Side, now: u64) -> Result<Option<Item>, DictError> {
        let Some(found) = self.list(key, now) else {
            return Ok(None);
        };
        let at = found?;
        let Value::List(items) = &mut self.entries[at].value else {
            return Err(DictError::NotAList);
        };
        let item = match side {
            Side::Left => items.pop_front(),
            Side::Right => items.pop_back(),
        };
        if items.is_empty() {
            self.entries.remove(at);
        }
        Ok(item)
    }

    fn llen(&mut self, key: &[u8], now: u64) -> Result<usize, DictError> {
        let Some(found) = self.list(key, now) else {
            return Ok(0);
        };
        match &self.entries[found?].value {
            Value::List(items) => Ok(items.len()),
            _ => Err(DictError::NotAList),
        }
    }

    fn live(&self, now: u64) -> BTreeSet<Vec<u8>> {
        let live = self.entries.iter().filter(|entry| !entry.expired(now));
        live.map(|entry| entry.key.clone()).collect()
    }
}

fn integer_sum(a: i64, b: i64) -> (Value, Amount) {
    match a.checked_add(b) {
        Some(sum) => (Value::Integer(sum), Amount::Integer(sum)),
        None => float_sum(a as f64 + b as f64),
    }
}

fn float_sum(sum: f64) -> (Value, Amount) {
    (Value::Number(sum), Amount::Number(sum))
}

fn deadline(ttl: u64, now: u64) -> u64 {
    if ttl == 0 { 0 } else { now + ttl }
}

/// What the driver reads; zeros when it is used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    fn key(&mut self) -> Vec<u8> {
        match self.byte() % 40 {
            39 => vec![b'x'; 700],
            n => format!("key {n}").into_bytes(),
        }
    }

    fn value(&mut self) -> Value {
        match self.byte() {
            n @ 0..16 => Value::Boolean(n % 2 == 0),
            16 => Value::Integer(i64::MAX),
            17 => Value::Number(-0.5),
            n @ 18..64 => Value::Integer(i64::from(n) - 30),
            n @ 64..96 => Value::Number(f64::from(n) / 4.0),
            n @ 96..128 => Value::Bytes(vec![n; 8]),
            n @ 128..240 => Value::Bytes(vec![n; usize::from(n - 128)]),
            n => Value::Bytes(vec![n; usize::from(n - 239) * 300]),
        }
    }

    fn amount(&mut self) -> Amount {
        match self.byte() {
            0 => Amount::Integer(i64::MAX),
            n @ 1..160 => Amount::Integer(i64::from(n) - 80),
            n => Amount::Number(f64::from(n) / 8.0),
        }
    }

    fn item(&mut self) -> Item {
        match self.byte() {
            n @ 0..100 => Item::Integer(i64::from(n)),
            n @ 100..150 => Item::Number(f64::from(n) / 2.0),
            n => Item::Bytes(vec![n; usize::from(n - 150)].into()),
        }
    }

    fn side(&mut self) -> Side {
        if self.byte().is_multiple_of(2) {
            Side::Left
        } else {
            Side::Right
        }
    }

    /// Often for ever.
    fn ttl(&mut self) -> u64 {
        match self.byte() {
            n @ 0..100 => u64::from(n),
            _ => 0,
        }
    }
}

/// Interprets bytes as operations on a dictionary and on the model, and panics where they differ.
#[doc(hidden)]
pub fn exercise(input: &[u8]) {
    let mut input = Input(input);
    let capacity = 4096 + 512 * u64::from(input.byte());
    let dict = Dict::new(capacity);
    let mut model = Model {
        capacity,
        entries: Vec::new(),
        peak: 0,
    };
    let mut now = 1000;
    while !input.0.is_empty() {
        step(&mut input, &dict, &mut model, &mut now);
        assert_eq!(dict.free_space(), model.free());
        assert_eq!(dict.len(), model.entries.len());
    }
    dict.check();
}

fn step(input: &mut Input<'_>, dict: &Dict, model: &mut Model, now: &mut u64) {
    let operation = input.byte();
    let key = input.key();
    match operation % 32 {
        0..12 => store(input, dict, model, &key, operation, *now),
        12..16 => assert_eq!(dict.get(&key, *now), model.get(&key, false, *now)),
        16 => assert_eq!(dict.get_stale(&key, *now), model.get(&key, true, *now)),
        17..20 => {
            let by = input.amount();
            let init = input
                .byte()
                .is_multiple_of(2)
                .then(|| (input.amount(), input.ttl()));
            let real = dict.incr(&key, by, init, *now);
            assert_eq!(real, model.incr(&key, by, init, *now));
        }
        20..25 => {
            let (side, item) = (input.side(), input.item());
            let real = dict.push(&key, side, item.clone(), *now);
            assert_eq!(real, model.push(&key, side, item, *now));
        }
        25 => {
            let side = input.side();
            assert_eq!(dict.pop(&key, side, *now), model.pop(&key, side, *now));
        }
        26 => assert_eq!(dict.llen(&key, *now), model.llen(&key, *now)),
        27 => {
            let expires = model.find(&key).map(|at| model.entries[at].expires);
            let ttl = expires.map(|at| if at == 0 { 0 } else { at as i64 - *now as i64 });
            assert_eq!(dict.ttl(&key, *now), ttl.ok_or(DictError::NotFound));
            let ttl = input.ttl();
            let there = model.find(&key).map(|at| {
                model.entries[at].expires = deadline(ttl, *now);
            });
            let real = dict.expire(&key, ttl, *now);
            assert_eq!(real, there.ok_or(DictError::NotFound));
        }
        28 => sweep(input, dict, model, *now),
        29 => {
            model.expire(false, *now);
            let at = model.find(&key);
            at.map(|at| model.entries.remove(at));
            assert_eq!(dict.delete(&key, *now), Ok(at.is_some()));
        }
        30 if input.byte() < 32 => {
            dict.flush_all(*now);
            for entry in &mut model.entries {
                entry.expires = 1;
            }
            model.expire(true, *now);
        }
        _ => *now += u64::from(input.byte() % 32),
    }
}

fn store(
    input: &mut Input<'_>,
    dict: &Dict,
    model: &mut Model,
    key: &[u8],
    operation: u8,
    now: u64,
) {
    let mode = match operation / 32 {
        0..4 => Mode::Set,
        4 => Mode::SafeSet,
        5 => Mode::Add,
        6 => Mode::SafeAdd,
        _ => Mode::Replace,
    };
    let (value, ttl, flags) = (input.value(), input.ttl(), i32::from(input.byte() % 4));
    let given = match &value {
        Value::Boolean(value) => Given::Boolean(*value),
        Value::Integer(value) => Given::Integer(*value),
        Value::Number(value) => Given::Number(*value),
        Value::Bytes(bytes) => Given::Bytes(bytes),
        Value::List(_) => return,
    };
    let real = dict.store(mode, key, given, ttl, flags, now);
    let entry = Entry {
        key: key.to_vec(),
        value: value.clone(),
        flags,
        expires: deadline(ttl, now),
    };
    assert_eq!(real, model.store(mode, entry, now));
}

/// `flush_expired` or `get_keys`. Which of several come first is not compared.
fn sweep(input: &mut Input<'_>, dict: &Dict, model: &mut Model, now: u64) {
    if input.byte().is_multiple_of(2) {
        let (freed, next) = dict.flush_expired(0, usize::MAX, now);
        assert_eq!(next, None, "the driver's dictionaries are small");
        let before = model.entries.len();
        model.entries.retain(|entry| !entry.expired(now));
        assert_eq!(freed, before - model.entries.len());
        return;
    }
    let (keys, next) = dict.keys(0, usize::MAX, now);
    assert_eq!(next, None, "the driver's dictionaries are small");
    let found: BTreeSet<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    assert_eq!(found.len(), keys.len());
    assert_eq!(found, model.live(now));
    let some = dict.keys(0, 3, now).0.len();
    assert_eq!(some, found.len().min(3));
}
