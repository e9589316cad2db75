//! Target `gc`: operations on objects of all kinds, with a model ([`model`]) that knows what must be alive.
//!
//! Objects are tables (strong, weak in every way, with finalizers that may resurrect), closures and coroutines that wait in
//! odd places. What the machine holds is compared with the model after full collections; in between, the collector may have
//! come to anything that the model cannot reach, but not to what it can. The heap checker runs now and then, and at times
//! everything is collected at every allocation and what is freed is poisoned.

mod model;

use model::{Finalizer, Id, Key, Mode, Model, Object};
use rille_lua::{Function, IntoLuaMulti, Lua, LuaString, Table, Value};

use crate::bytes::Bytes;
use crate::machine;
use std::collections::BTreeSet;

const SLOTS: usize = 6;
const HANDLES: usize = 3;
const MAX_OPERATIONS: usize = 250;
/// Places in `harness.lua` where a coroutine can wait.
const PLACES: usize = 10;

/// The target.
pub fn target(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut test = Test::new(&mut input);
    let mut operations = 0;
    while !input.is_empty() && operations < MAX_OPERATIONS {
        test.operation(&mut input);
        operations += 1;
    }
    test.settle();
}

struct Test {
    lua: Lua,
    harness: Table,
    model: Model,
    held: Vec<Option<Value>>,
    next_id: Id,
    /// No collection may have happened since the last full one, so the machine must agree exactly.
    exact: bool,
    /// The collector runs by itself, or is made to.
    running: bool,
}

impl Test {
    fn new(input: &mut Bytes<'_>) -> Test {
        let lua = machine::lua(rille_lua::Dialect::Lua54, false);
        let harness: Table = lua
            .load(include_str!("harness.lua"))
            .set_name("=harness")
            .eval()
            .expect("the harness loads");
        lua.set_gc_quarantine(input.one_in(3));
        let running = input.one_in(2);
        if !running {
            lua.gc_stop();
        }
        let mut model = Model::default();
        model.held = vec![None; HANDLES];
        Test {
            lua,
            harness,
            model,
            held: vec![None; HANDLES],
            next_id: 1,
            exact: !running,
            running,
        }
    }

    fn call<R: rille_lua::FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> R {
        let f: Function = self.harness.get(name).expect("the harness has it");
        f.call(args).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn slot(input: &mut Bytes<'_>) -> u32 {
        1 + input.below(SLOTS) as u32
    }

    /// A slot that is taken, and what is in it.
    fn taken(&self, input: &mut Bytes<'_>) -> Option<(u32, Id)> {
        let n = self.model.slots.len();
        if n == 0 {
            return None;
        }
        let at = input.below(n);
        self.model
            .slots
            .iter()
            .nth(at)
            .map(|(&slot, &id)| (slot, id))
    }

    fn operation(&mut self, input: &mut Bytes<'_>) {
        match input.below(32) {
            0..=5 => self.create(input),
            6..=10 => self.link(input),
            11 | 12 => self.put(input),
            13 => self.unlink(input),
            14 | 15 => {
                let slot = Test::slot(input);
                self.model.slots.remove(&slot);
                self.call::<()>("clear", slot);
            }
            16 | 17 => self.fetch(input),
            18 => self.hold(input),
            19 => self.release(input),
            20 => self.change_metatable(input),
            21 => self.close(input),
            22 => self.take_lost(input),
            23 | 24 => self.settle(),
            25 => {
                self.exact = false;
                self.call::<()>("collect", ("step", input.below(64)));
            }
            26 => self.options(input),
            27 => self.call::<()>("churn", input.below(200)),
            28 => self.squeeze(input),
            29 => {
                self.exact = false;
                self.lua.set_gc_stress(input.one_in(2));
            }
            30 => {
                self.exact = false;
                self.lua.gc_step(input.below(16)).expect("nothing runs");
            }
            _ => machine::check_heap(&self.lua, "between operations"),
        }
    }

    fn create(&mut self, input: &mut Bytes<'_>) {
        let slot = Test::slot(input);
        let kind = input.pick(&["table", "table", "table", "closure", "coroutine"]);
        let place = 1 + input.below(PLACES);
        let (mode, finalizer) = (modes(input), finalizers(input));
        let id = self.next_id;
        self.next_id += 1;
        self.call::<()>(
            "new",
            (
                slot,
                id,
                kind,
                place,
                mode_name(mode),
                finalizer_name(finalizer),
            ),
        );
        let strong = Mode {
            keys: false,
            values: false,
        };
        self.model.objects.insert(
            id,
            Object {
                is_table: kind == "table",
                closed: false,
                mode: strong,
                finalizer: Finalizer::None,
                marked_at: None,
                entries: Default::default(),
            },
        );
        if kind == "table" {
            self.model.set_metatable(id, mode, finalizer);
        }
        self.model.seen.insert(id);
        self.model.slots.insert(slot, id);
    }

    fn object(&mut self, id: Id) -> &mut Object {
        self.model
            .objects
            .get_mut(&id)
            .expect("what is in a slot exists")
    }

    fn link(&mut self, input: &mut Bytes<'_>) {
        let (Some((a, from)), Some((b, to))) = (self.taken(input), self.taken(input)) else {
            return;
        };
        let j = 1 + input.below(3) as u32;
        if !self.object(from).closed {
            self.object(from).entries.insert(Key::Index(j), to);
            self.call::<()>("link", (a, j, b));
        }
    }

    fn put(&mut self, input: &mut Bytes<'_>) {
        let taken = (self.taken(input), self.taken(input), self.taken(input));
        let (Some((a, table)), Some((k, key)), Some((v, value))) = taken else {
            return;
        };
        if self.object(table).is_table {
            self.object(table).entries.insert(Key::Object(key), value);
            self.call::<()>("put", (a, k, v));
        }
    }

    fn unlink(&mut self, input: &mut Bytes<'_>) {
        let Some((a, from)) = self.taken(input) else {
            return;
        };
        let j = 1 + input.below(3) as u32;
        if !self.object(from).closed {
            self.object(from).entries.remove(&Key::Index(j));
            self.call::<()>("unlink", (a, j));
        }
    }

    /// Follows an entry. A weak one may be gone, unless what it leads to can be reached in other ways.
    fn fetch(&mut self, input: &mut Bytes<'_>) {
        let Some((b, from)) = self.taken(input) else {
            return;
        };
        let (a, j) = (Test::slot(input), 1 + input.below(3) as u32);
        if self.object(from).closed {
            return;
        }
        let expected = self.object(from).entries.get(&Key::Index(j)).copied();
        let got: Id = self.call("fetch", (a, b, j));
        match expected {
            Some(id) if got == id => {
                self.model.slots.insert(a, id);
            }
            Some(id) => {
                assert_eq!(got, 0, "{from} has another object at {j} than {id}");
                assert!(
                    !self.exact && !self.model.surely_reachable().contains(&id),
                    "{id} is gone from {from} but can be reached"
                );
                self.object(from).entries.remove(&Key::Index(j));
                self.model.slots.remove(&a);
            }
            None => {
                assert_eq!(got, 0, "{from} has something at {j}");
                self.model.slots.remove(&a);
            }
        }
    }

    fn hold(&mut self, input: &mut Bytes<'_>) {
        let at = input.below(HANDLES);
        match self.taken(input) {
            Some((a, id)) => {
                self.held[at] = Some(self.call("value", a));
                self.model.held[at] = Some(id);
            }
            None => {
                self.held[at] = None;
                self.model.held[at] = None;
            }
        }
    }

    fn release(&mut self, input: &mut Bytes<'_>) {
        let (at, slot) = (input.below(HANDLES), Test::slot(input));
        if let (Some(value), Some(id)) = (self.held[at].take(), self.model.held[at].take()) {
            self.call::<()>("store", (slot, value));
            self.model.slots.insert(slot, id);
        }
    }

    fn change_metatable(&mut self, input: &mut Bytes<'_>) {
        let Some((a, id)) = self.taken(input) else {
            return;
        };
        let (mode, finalizer) = (modes(input), finalizers(input));
        if self.object(id).is_table {
            // With an entry that may be gone or not, a table that becomes strong would be either of two.
            self.settle();
            self.call::<()>("metatable", (a, mode_name(mode), finalizer_name(finalizer)));
            self.model.set_metatable(id, mode, finalizer);
        }
    }

    fn close(&mut self, input: &mut Bytes<'_>) {
        let Some((a, id)) = self.taken(input) else {
            return;
        };
        let value: Value = self.call("value", a);
        if matches!(value, Value::Thread(_)) {
            self.call::<()>("close", a);
            self.object(id).closed = true;
            self.object(id).entries.clear();
        }
    }

    fn take_lost(&mut self, input: &mut Bytes<'_>) {
        self.settle();
        let n = self.model.lost.len();
        if n == 0 {
            return;
        }
        let at = input.below(n);
        let id = *self
            .model
            .lost
            .iter()
            .nth(at)
            .expect("it is below the length");
        let slot = Test::slot(input);
        assert!(
            self.call::<bool>("take", (slot, id)),
            "{id} is not among the lost"
        );
        self.model.lost.remove(&id);
        self.model.slots.insert(slot, id);
    }

    fn options(&mut self, input: &mut Bytes<'_>) {
        match input.below(6) {
            0 => {
                self.lua.gc_stop();
                self.running = false;
                assert!(!self.call::<bool>("collect", "isrunning"));
            }
            1 => {
                self.lua.gc_restart();
                self.running = true;
                self.exact = false;
                assert!(self.call::<bool>("collect", "isrunning"));
            }
            2 => self.call::<()>("collect", "generational"),
            3 => self.call::<()>("collect", "incremental"),
            4 => self.call::<()>("collect", ("setpause", 100 + input.below(200))),
            _ => self.call::<()>("collect", ("setstepmul", input.below(400))),
        }
    }

    /// Allocates until the limit, which collects everything on the way.
    fn squeeze(&mut self, input: &mut Bytes<'_>) {
        // A finalizer that has no memory fails, and the model does not know: so there is nothing to finalize.
        self.settle();
        self.exact = false;
        let room = input.below(4000);
        let limit = self.lua.used_memory() + room;
        self.lua.set_memory_limit(limit).expect("nothing runs");
        let f: Function = self.harness.get("try_churn").expect("the harness has it");
        // Even `pcall` may not fit.
        let _ = f.call::<bool>(1000);
        assert!(self.lua.used_memory() <= limit);
        self.lua
            .set_memory_limit(machine::MEMORY_LIMIT)
            .expect("nothing runs");
        machine::check_heap(&self.lua, "after running out of memory");
    }

    /// Collects everything and compares.
    fn settle(&mut self) {
        self.lua.set_gc_stress(false);
        let mut uncertain = BTreeSet::new();
        if !self.exact {
            self.lua.gc_stop();
            // Objects that a cycle in progress found dead may wait for their finalizers, which the model cannot know of.
            self.call::<()>("collect", "collect");
            uncertain = self.catch_up();
        }
        // What was found dead earlier may have kept something else until now: once nothing more happens, it does not matter.
        loop {
            self.call::<()>("collect", "collect");
            let mut changed = self.model.collect();
            if !uncertain.is_empty() {
                changed |= self.model.adopt(&uncertain, &self.describe().0);
            }
            if self.exact || !changed {
                break;
            }
        }
        machine::check_heap(&self.lua, "after a full collection");
        let (ours, log) = self.describe();
        let expected = self.model.describe();
        let exact = self.exact;
        assert!(
            ours == expected,
            "the heap is not as the model says (exact: {exact})\n---- heap ----\n{ours}\n---- model ----\n{expected}"
        );
        let (mut finalized, mut expected) =
            (log.clone(), std::mem::replace(&mut self.model.log, log));
        if !exact {
            finalized.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(finalized, expected, "finalizers (exact: {exact})");
        if self.running {
            self.lua.gc_restart();
        }
        self.exact = !self.running;
    }

    /// Tells the model which finalizers have run by themselves. Whether what only the objects keep that these brought back
    /// was dead for a moment, so that weak tables lost it, depends on when that was: there the model takes the heap's word.
    /// The result is those objects.
    fn catch_up(&mut self) -> BTreeSet<Id> {
        let log: LuaString = self.call("progress", ());
        let before = self.model.surely_reachable();
        for id in numbers(&log).into_iter().skip(self.model.log.len()) {
            assert!(
                !before.contains(&id),
                "{id} was finalized but can be reached"
            );
            self.model.finalize(id);
        }
        let uncertain: BTreeSet<Id> = self
            .model
            .reachable()
            .difference(&before)
            .copied()
            .collect();
        if !uncertain.is_empty() {
            let (heap, _) = self.describe();
            self.model.adopt(&uncertain, &heap);
        }
        uncertain
    }

    fn describe(&self) -> (String, Vec<Id>) {
        let held: rille_lua::Variadic<Value> = self.held.iter().flatten().cloned().collect();
        let (heap, log): (LuaString, LuaString) = self.call("describe", held);
        (heap.to_string_lossy(), numbers(&log))
    }
}

fn numbers(text: &LuaString) -> Vec<Id> {
    let text = text.to_string_lossy();
    text.split_whitespace()
        .map(|id| id.parse().expect("an id"))
        .collect()
}

fn modes(input: &mut Bytes<'_>) -> Mode {
    let n = input.below(6);
    Mode {
        keys: n & 1 != 0 && n < 4,
        values: n & 2 != 0 && n < 4,
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match (mode.keys, mode.values) {
        (false, false) => "",
        (true, false) => "k",
        (false, true) => "v",
        (true, true) => "kv",
    }
}

fn finalizers(input: &mut Bytes<'_>) -> Finalizer {
    input.pick(&[
        Finalizer::None,
        Finalizer::None,
        Finalizer::Plain,
        Finalizer::Resurrecting,
    ])
}

fn finalizer_name(finalizer: Finalizer) -> &'static str {
    match finalizer {
        Finalizer::None => "none",
        Finalizer::Plain => "plain",
        Finalizer::Resurrecting => "resurrecting",
    }
}
