//! Tables against a model, with parts so small that growth in pieces begins early.

use super::hash::{hash_float, hash_int};
use super::{KIND_SPLIT, MAX_WHOLE_NODES, Table};
use crate::heap::Gc;
use crate::host::StdHost;
use crate::value::{Val, tag};
use crate::vm::Vm;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// A generator of the linear congruential kind: what matters is that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

fn vm() -> Box<Vm> {
    let host = Rc::new(StdHost::default());
    Vm::new(host, usize::MAX / 2, false, Default::default()).expect("memory")
}

/// A table that a root holds.
fn table(vm: &mut Vm) -> Gc<Table> {
    let t = vm.new_table().expect("memory");
    vm.scratch.push(Val::table(t));
    t
}

/// What a key is to the model.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Key {
    Int(i64),
    Str(u32),
    Float(u32),
}

fn value_of(vm: &mut Vm, key: Key) -> Val {
    match key {
        Key::Int(i) => Val::int(i),
        Key::Str(n) => Val::str(vm.intern(format!("key{n}").as_bytes()).expect("memory")),
        Key::Float(n) => Val::float(f64::from(n) + 0.5),
    }
}

/// The entries as a traversal gives them, each key once.
fn walk(vm: &mut Vm, t: Gc<Table>) -> HashMap<(u8, u64), i64> {
    let mut found = HashMap::new();
    let mut key = Val::NIL;
    while let Some((k, v)) = vm.table_next(t, key).expect("a key of the table") {
        let twice = found.insert((k.tag, k.payload), v.raw_int());
        assert_eq!(twice, None, "{k:?} comes twice");
        key = k;
    }
    found
}

fn compare(vm: &mut Vm, t: Gc<Table>, model: &BTreeMap<Key, i64>) {
    for (&key, &v) in model {
        let k = value_of(vm, key);
        assert_eq!(t.get(vm.heap.hash_key, k).as_int(), Some(v), "{key:?}");
    }
    let found = walk(vm, t);
    assert_eq!(found.len(), model.len());
    for (&key, &v) in model {
        let k = value_of(vm, key);
        assert_eq!(found.get(&(k.tag, k.payload)), Some(&v), "{key:?}");
    }
}

/// Random stores, with keys by `choose`; every so often the table is compared with the model, and part of it removed in a traversal.
fn agrees(seed: u64, stores: u64, choose: impl Fn(&mut Random, u64) -> Key) -> bool {
    let mut random = Random(seed);
    let mut vm = vm();
    // Some begin with parts in their cell, some with larger ones, most without.
    let (slots, nodes) = (random.below(30) as usize, random.below(12) as usize);
    let t = match seed % 4 {
        0 => vm.new_table_sized(slots, nodes).expect("memory"),
        1 => vm.new_table_sized(slots, 0).expect("memory"),
        2 => vm.new_table_sized(0, nodes).expect("memory"),
        _ => vm.new_table().expect("memory"),
    };
    vm.scratch.push(Val::table(t));
    let mut model = BTreeMap::new();
    let mut was_split = false;
    for n in 0..stores {
        let key = choose(&mut random, n);
        let k = value_of(&mut vm, key);
        if random.below(5) == 0 {
            vm.table_set(t, k, Val::NIL).expect("memory");
            model.remove(&key);
        } else {
            vm.table_set(t, k, Val::int(n as i64)).expect("memory");
            model.insert(key, n as i64);
        }
        was_split |= t.header.extra & KIND_SPLIT != 0;
        if random.below(stores / 8) == 0 {
            compare(&mut vm, t, &model);
            assert_eq!(vm.check_heap(), Vec::<String>::new());
        }
        if random.below(stores / 4) == 0 {
            remove_half(&mut vm, t, &mut model, &mut random);
        }
        if random.below(stores / 4) == 0 {
            vm.collect_everything();
        }
        let n = border(t);
        assert!(n == 0 || !t.get_int(n).is_nil(), "{n} is no border");
        assert!(t.get_int(n + 1).is_nil(), "{n} is no border");
    }
    compare(&mut vm, t, &model);
    vm.scratch.pop();
    vm.collect_everything();
    assert_eq!(vm.check_heap(), Vec::<String>::new());
    was_split
}

fn border(mut t: Gc<Table>) -> i64 {
    t.border()
}

/// Sets values to nil while the table is walked over, with collections between.
fn remove_half(vm: &mut Vm, t: Gc<Table>, model: &mut BTreeMap<Key, i64>, random: &mut Random) {
    let mut seen = HashSet::new();
    let mut key = Val::NIL;
    vm.scratch.push(key);
    while let Some((k, _)) = vm.table_next(t, key).expect("a key of the table") {
        assert!(seen.insert((k.tag, k.payload)), "{k:?} comes twice");
        if random.below(2) == 0 {
            vm.table_set(t, k, Val::NIL).expect("memory");
            let gone = match k.tag {
                tag::INT => Key::Int(k.raw_int()),
                tag::FLOAT => Key::Float(k.raw_float() as u32),
                _ => {
                    let name = k.as_str().expect("a string").as_bytes();
                    let digits = String::from_utf8_lossy(&name[3..]).into_owned();
                    Key::Str(digits.parse().expect("a number"))
                }
            };
            assert!(model.remove(&gone).is_some());
        }
        // A script's loop holds the key.
        *vm.scratch.last_mut().expect("pushed") = k;
        if random.below(64) == 0 {
            vm.collect_everything();
        }
        key = k;
    }
    vm.scratch.pop();
}

#[test]
fn random_keys_of_all_kinds() {
    for seed in 0..40 {
        let split = agrees(seed, 3000, |random, _| match random.below(4) {
            0 => Key::Int(random.below(600) as i64 - 50),
            1 => Key::Int(1 << random.below(40)),
            2 => Key::Str(random.below(900) as u32),
            _ => Key::Float(random.below(300) as u32),
        });
        assert!(split, "the table was never in pieces");
    }
}

#[test]
fn arrays_that_grow_and_become_sparse() {
    for seed in 0..40 {
        // Appends, then stores at random, then a range far above.
        let split = agrees(seed, 4000, |random, n| match n / 1000 {
            0 => Key::Int(n as i64 + 1),
            1 => Key::Int(random.below(1500) as i64),
            2 => Key::Int(5000 - n as i64),
            _ => Key::Int(1_000_000 + random.below(3000) as i64),
        });
        assert!(split, "the table was never in pieces");
    }
}

/// Each part leaves the table's cell when it is outgrown, and the other stays.
#[test]
fn parts_in_the_cell_are_outgrown_one_by_one() {
    let mut vm = vm();
    let before = vm.heap.used;
    let t = vm.new_table_sized(3, 4).expect("memory");
    vm.scratch.push(Val::table(t));
    assert!(t.has_inline_array() && t.has_inline_nodes());
    assert_eq!(t.part_bytes(), 0);
    assert_eq!(vm.heap.used - before, Table::cell_bytes(t.header.aux));
    for n in 1..=20 {
        vm.table_set_int(t, n, Val::int(n)).expect("memory");
    }
    assert!(!t.has_inline_array());
    let u = vm.new_table_sized(3, 4).expect("memory");
    vm.scratch.push(Val::table(u));
    for n in 1..=3 {
        vm.table_set_int(u, n, Val::int(n)).expect("memory");
    }
    for n in 0..20 {
        let key = value_of(&mut vm, Key::Str(n));
        vm.table_set(u, key, Val::int(1)).expect("memory");
    }
    assert!(!u.has_inline_nodes());
    assert_eq!(vm.check_heap(), Vec::<String>::new());
    // What does not fit has parts of its own; nothing at all has none.
    let large = vm.new_table_sized(3, 9).expect("memory");
    assert!(!large.has_inline_array() && !large.has_inline_nodes());
    assert_eq!((large.array_size, large.node_count()), (3, 16));
    assert!(vm.new_table_sized(0, usize::MAX).is_err());
    vm.scratch.clear();
    let empty = vm.new_table().expect("memory");
    assert!(!empty.has_inline_array() && empty.slot_count() == 0);
    vm.collect_everything();
    assert_eq!(vm.check_heap(), Vec::<String>::new());
}

#[test]
fn a_queue_does_not_grow() {
    let mut vm = vm();
    let t = table(&mut vm);
    const LENGTH: i64 = 500;
    let mut most = 0;
    for n in 1..200_000 {
        vm.table_set_int(t, n, Val::int(n)).expect("memory");
        if n > LENGTH {
            vm.table_set_int(t, n - LENGTH, Val::NIL).expect("memory");
        }
        most = most.max(t.part_bytes());
    }
    assert_eq!(walk(&mut vm, t).len(), LENGTH as usize);
    assert!(most < LENGTH as usize * 24 * 10, "{most} bytes");
}

/// Keys of one range fill the nodes without a collision, up to the last one: then each insert has to look for a free node.
#[test]
fn a_hash_part_that_is_full_to_the_last_node() {
    let mut vm = vm();
    let t = table(&mut vm);
    for n in 0..5000i64 {
        vm.table_set_int(t, 1 << 40 | n, Val::int(n))
            .expect("memory");
        let other = Val::float(n as f64 + 0.5);
        vm.table_set(t, other, Val::int(n)).expect("memory");
    }
    assert_eq!(walk(&mut vm, t).len(), 10_000);
    assert_eq!(vm.check_heap(), Vec::<String>::new());
}

/// The memory limit refuses the new parts: what is there stays, and is found.
#[test]
fn growth_that_is_refused_changes_nothing() {
    let mut vm = vm();
    let t = table(&mut vm);
    let mut n = 0i64;
    vm.heap.limit = vm.heap.used + 300_000;
    vm.heap.update_trigger();
    while vm.table_set_int(t, n * 1000, Val::int(n)).is_ok() {
        n += 1;
    }
    assert!(n > 1000, "{n} entries");
    assert_eq!(walk(&mut vm, t).len(), n as usize);
    assert_eq!(vm.check_heap(), Vec::<String>::new());
    vm.heap.limit = usize::MAX / 2;
    vm.heap.update_trigger();
    for more in n..2 * n {
        vm.table_set_int(t, more * 1000, Val::int(more))
            .expect("memory");
    }
    assert_eq!(walk(&mut vm, t).len(), 2 * n as usize);
}

/// Numbers chosen to meet in one node: the busiest node gets about as many as if they were thrown in at random.
#[test]
fn no_choice_of_numbers_makes_long_chains() {
    const KEYS: u64 = 4096;
    const MASK: u32 = KEYS as u32 - 1;
    type Choice = fn(u64) -> Val;
    let choices: [(&str, Choice); 9] = [
        ("upper bits", |n| Val::int((n << 12) as i64)),
        ("uppermost bits", |n| Val::int((n << 52) as i64)),
        ("negative", |n| Val::int(-((n << 20) as i64))),
        ("halves", |n| Val::float(n as f64 * 4096.0 + 0.5)),
        ("less than one", |n| Val::float((n + 1) as f64 / 8192.0)),
        ("near to nothing", |n| Val::float(f64::from_bits(n + 1))),
        ("huge", |n| Val::float(f64::from_bits(0x7000 << 48 | n))),
        ("huger and huger", |n| {
            Val::float(2f64.powi(64 + n as i32 / 8) * (1.0 + (n % 8) as f64 / 8.0))
        }),
        ("negative halves", |n| {
            Val::float(-(n as f64 * 8192.0) - 0.25)
        }),
    ];
    for seed in [0, 1 << 6, 0x1234_5678, u32::MAX] {
        for (what, choice) in choices {
            let mut nodes = vec![0; KEYS as usize];
            for n in 0..KEYS {
                let key = choice(n);
                let hash = match key.tag {
                    tag::INT => hash_int(seed, key.raw_int(), MASK),
                    _ => hash_float(seed, key.payload, MASK),
                };
                nodes[(hash & MASK) as usize] += 1;
            }
            let most = nodes.iter().max();
            assert!(
                most <= Some(&16),
                "{what}, seed {seed:#x}: {most:?} in one node"
            );
        }
    }
}

/// The first indices of an array are no reason to replace a large hash part that has room for them.
#[test]
fn a_large_hash_part_is_filled_before_it_is_replaced() {
    let mut vm = vm();
    let t = table(&mut vm);
    let mut n = 0;
    while t.node_count() < 4 * MAX_WHOLE_NODES || t.header.extra & KIND_SPLIT != 0 {
        n += 1;
        vm.table_set_int(t, -n, Val::int(n)).expect("memory");
    }
    let nodes = t.node_count();
    while (n as usize) < nodes * 9 / 10 {
        n += 1;
        vm.table_set_int(t, -n, Val::int(n)).expect("memory");
    }
    for i in 1..=5 {
        vm.table_set_int(t, i, Val::int(i)).expect("memory");
    }
    assert_eq!(t.node_count(), nodes);
    // What is an array grows, whatever else the table has.
    for i in 6..=2 * nodes as i64 {
        vm.table_set_int(t, i, Val::int(i)).expect("memory");
    }
    vm.settle_table(t).expect("memory");
    assert!(t.array_size as usize >= nodes, "{} slots", t.array_size);
    assert_eq!(walk(&mut vm, t).len(), n as usize + 2 * nodes);
    assert_eq!(vm.check_heap(), Vec::<String>::new());
}
