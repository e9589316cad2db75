//! What must be alive: a model of the heap as a graph, with the reference manual's rules for weak tables and finalizers.
//!
//! **Invariant:** the model only forgets at a full collection ([`Model::collect`]); between two the machine may have
//! collected less, never more, of what the model cannot reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub type Id = u32;

/// What an entry of an object is found under.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    Index(u32),
    Object(Id),
}

/// What is weak in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    pub keys: bool,
    pub values: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finalizer {
    None,
    Plain,
    Resurrecting,
}

pub struct Object {
    pub is_table: bool,
    /// A coroutine that was closed: it holds nothing.
    pub closed: bool,
    pub mode: Mode,
    /// What the metatable has.
    pub finalizer: Finalizer,
    /// When the object was marked for finalization; `None`: it is not.
    pub marked_at: Option<u32>,
    pub entries: BTreeMap<Key, Id>,
}

#[derive(Default)]
pub struct Model {
    pub objects: BTreeMap<Id, Object>,
    pub slots: BTreeMap<u32, Id>,
    /// What the host holds, by place.
    pub held: Vec<Option<Id>>,
    pub lost: BTreeSet<Id>,
    /// Ids of finalized objects, in order.
    pub log: Vec<Id>,
    /// What a weak table of all objects shows.
    pub seen: BTreeSet<Id>,
    clock: u32,
}

impl Model {
    /// Gives an object a metatable, as `setmetatable` does: with a finalizer it is marked unless it is already.
    pub fn set_metatable(&mut self, id: Id, mode: Mode, finalizer: Finalizer) {
        self.clock += 1;
        let clock = self.clock;
        let object = self.objects.get_mut(&id).expect("an object in a slot");
        object.mode = mode;
        object.finalizer = finalizer;
        if finalizer != Finalizer::None && object.marked_at.is_none() {
            object.marked_at = Some(clock);
        }
    }

    fn roots(&self) -> Vec<Id> {
        let held = self.held.iter().flatten();
        let all = self.slots.values().chain(&self.lost).chain(held);
        all.copied().collect()
    }

    /// Adds to `marked` what can be reached from `from`. A weak value that is dead may already have taken its entry with it,
    /// the key too: with `surely`, keys of weak values count only if the value can be reached otherwise.
    fn mark(&self, from: Vec<Id>, marked: &mut BTreeSet<Id>, surely: bool) {
        let mut queue = from;
        loop {
            while let Some(id) = queue.pop() {
                if !marked.insert(id) {
                    continue;
                }
                let object = &self.objects[&id];
                for (&key, &value) in &object.entries {
                    if let Key::Object(key) = key
                        && !object.mode.keys
                        && !(surely && object.mode.values)
                    {
                        queue.push(key);
                    }
                    let ephemeron = object.mode.keys && matches!(key, Key::Object(_));
                    if !object.mode.values && !ephemeron {
                        queue.push(value);
                    }
                }
            }
            // Values of ephemerons whose keys are alive, and the other way round.
            for id in marked.iter() {
                let object = &self.objects[id];
                for (&key, &value) in &object.entries {
                    let Key::Object(key) = key else { continue };
                    let (weak, strong) = match (object.mode.keys, object.mode.values) {
                        (true, false) => (key, value),
                        (false, true) if surely => (value, key),
                        _ => continue,
                    };
                    if marked.contains(&weak) && !marked.contains(&strong) {
                        queue.push(strong);
                    }
                }
            }
            if queue.is_empty() {
                return;
            }
        }
    }

    /// What can be reached now, if no collection has happened since the last full one.
    pub fn reachable(&self) -> BTreeSet<Id> {
        let mut marked = BTreeSet::new();
        self.mark(self.roots(), &mut marked, false);
        marked
    }

    /// What can be reached now, whatever collections there have been.
    pub fn surely_reachable(&self) -> BTreeSet<Id> {
        let mut marked = BTreeSet::new();
        self.mark(self.roots(), &mut marked, true);
        marked
    }

    /// A full collection, finalizers included. True if there was something to do.
    pub fn collect(&mut self) -> bool {
        let size = |model: &Model| {
            let entries = model
                .objects
                .values()
                .map(|o| o.entries.len())
                .sum::<usize>();
            // An object whose metatable has no finalizer any more is taken off the list without a trace.
            let marked = |o: &&Object| o.marked_at.is_some();
            (
                model.objects.len(),
                model.seen.len(),
                model.log.len(),
                model.objects.values().filter(marked).count(),
                entries,
            )
        };
        let before = size(self);
        self.collect_once();
        size(self) != before
    }

    fn collect_once(&mut self) {
        let alive = self.reachable();
        self.clear_values(&alive, &alive);
        self.seen.retain(|id| alive.contains(id));
        let mut doomed: Vec<Id> = (self.objects.keys().copied())
            .filter(|id| !alive.contains(id) && self.objects[id].marked_at.is_some())
            .collect();
        // In the opposite order in which they were marked.
        doomed.sort_by_key(|id| std::cmp::Reverse(self.objects[id].marked_at));
        let mut kept = alive.clone();
        self.mark(doomed.clone(), &mut kept, false);
        for id in &kept {
            let object = self.objects.get_mut(id).expect("marked objects exist");
            if object.mode.keys {
                object
                    .entries
                    .retain(|key, _| !matches!(key, Key::Object(k) if !kept.contains(k)));
            }
        }
        let revived: BTreeSet<Id> = kept.difference(&alive).copied().collect();
        self.clear_values(&revived, &kept);
        self.objects.retain(|id, _| kept.contains(id));
        for id in doomed {
            self.finalize(id);
        }
    }

    /// Calls the finalizer of the metatable the object has now, if it has one.
    pub fn finalize(&mut self, id: Id) {
        let object = self.objects.get_mut(&id).expect("it was kept");
        object.marked_at = None;
        if object.finalizer != Finalizer::None {
            self.log.push(id);
        }
        if object.finalizer == Finalizer::Resurrecting {
            self.lost.insert(id);
        }
    }

    /// Takes over from a description of the heap which weak references to `uncertain` objects there still are, as far as it
    /// shows. True if one is gone.
    pub fn adopt(&mut self, uncertain: &BTreeSet<Id>, heap: &str) -> bool {
        let line = |start: String| -> Option<BTreeSet<&str>> {
            let line = heap.lines().find_map(|line| line.strip_prefix(&start));
            line.map(|line| line.split(' ').collect())
        };
        let mut gone = false;
        let mut still_there = |shown: &BTreeSet<&str>, id: &Id, text: String| {
            let there = !uncertain.contains(id) || shown.contains(text.as_str());
            gone |= !there;
            there
        };
        let seen = line("seen ".into()).unwrap_or_default();
        self.seen
            .retain(|id| still_there(&seen, id, id.to_string()));
        for (id, object) in self.objects.iter_mut().filter(|(_, o)| o.mode.values) {
            if let Some(entries) = line(format!("object {id} ")) {
                (object.entries)
                    .retain(|key, value| still_there(&entries, value, entry(key, value)));
            }
        }
        gone
    }

    /// In the tables among `tables`, removes weak values that are not in `alive`.
    fn clear_values(&mut self, tables: &BTreeSet<Id>, alive: &BTreeSet<Id>) {
        for id in tables {
            let object = self.objects.get_mut(id).expect("marked objects exist");
            if object.mode.values {
                object.entries.retain(|_, value| alive.contains(value));
            }
        }
    }

    /// As the harness describes its heap.
    pub fn describe(&self) -> String {
        let mut lines = Vec::new();
        for (slot, id) in &self.slots {
            lines.push(format!("slot {slot} {id}"));
        }
        for id in &self.lost {
            lines.push(format!("lost {id} {id}"));
        }
        for (at, id) in self.held.iter().flatten().enumerate() {
            lines.push(format!("held {} {id}", at + 1));
        }
        for id in self.visible() {
            let entries = self.objects[&id].entries.iter();
            let mut entries: Vec<String> = entries.map(|(key, value)| entry(key, value)).collect();
            entries.sort();
            lines.push(format!("object {id} {}", entries.join(" ")));
        }
        let mut seen = String::from("seen");
        for id in &self.seen {
            let _ = write!(seen, " {id}");
        }
        lines.push(if self.seen.is_empty() {
            "seen ".into()
        } else {
            seen
        });
        lines.sort();
        lines.join("\n")
    }

    /// What a walk along all entries meets, weak ones too.
    fn visible(&self) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut queue = self.roots();
        while let Some(id) = queue.pop() {
            if found.insert(id) {
                for (key, value) in &self.objects[&id].entries {
                    queue.push(*value);
                    if let Key::Object(key) = key {
                        queue.push(*key);
                    }
                }
            }
        }
        found
    }
}

fn entry(key: &Key, value: &Id) -> String {
    match key {
        Key::Index(n) => format!("#{n}={value}"),
        Key::Object(key) => format!("{key}={value}"),
    }
}
