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

    /// Adds to `marked` what can be reached from `from`.
    fn mark(&self, from: Vec<Id>, marked: &mut BTreeSet<Id>) {
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
                    {
                        queue.push(key);
                    }
                    let ephemeron = object.mode.keys && matches!(key, Key::Object(_));
                    if !object.mode.values && !ephemeron {
                        queue.push(value);
                    }
                }
            }
            // Values of ephemerons whose keys are alive.
            for id in marked.iter() {
                let object = &self.objects[id];
                if !object.mode.keys || object.mode.values {
                    continue;
                }
                for (&key, &value) in &object.entries {
                    if matches!(key, Key::Object(k) if marked.contains(&k)) && !marked.contains(&value) {
                        queue.push(value);
                    }
                }
            }
            if queue.is_empty() {
                return;
            }
        }
    }

    /// What can be reached now.
    pub fn reachable(&self) -> BTreeSet<Id> {
        let mut marked = BTreeSet::new();
        self.mark(self.roots(), &mut marked);
        marked
    }

    /// A full collection, finalizers included.
    pub fn collect(&mut self) {
        let alive = self.reachable();
        self.clear_values(&alive, &alive);
        self.seen.retain(|id| alive.contains(id));
        let mut doomed: Vec<Id> = (self.objects.keys().copied())
            .filter(|id| !alive.contains(id) && self.objects[id].marked_at.is_some())
            .collect();
        // In the opposite order in which they were marked.
        doomed.sort_by_key(|id| std::cmp::Reverse(self.objects[id].marked_at));
        let mut kept = alive.clone();
        self.mark(doomed.clone(), &mut kept);
        for id in &kept {
            let object = self.objects.get_mut(id).expect("marked objects exist");
            if object.mode.keys {
                object.entries.retain(|key, _| !matches!(key, Key::Object(k) if !kept.contains(k)));
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

    /// Takes over from a description of the heap which weak references to `uncertain` objects there still are.
    pub fn adopt(&mut self, uncertain: &BTreeSet<Id>, heap: &str) {
        if uncertain.is_empty() {
            return;
        }
        let line = |start: String| -> BTreeSet<&str> {
            let line = heap.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_default().split(' ').collect()
        };
        let seen = line("seen ".into());
        self.seen.retain(|id| !uncertain.contains(id) || seen.contains(id.to_string().as_str()));
        for id in uncertain {
            if seen.contains(id.to_string().as_str()) {
                self.seen.insert(*id);
            }
        }
        for (id, object) in self.objects.iter_mut().filter(|(_, o)| o.mode.values) {
            let entries = line(format!("object {id} "));
            object.entries.retain(|key, value| {
                let text = match key {
                    Key::Index(n) => format!("#{n}={value}"),
                    Key::Object(key) => format!("{key}={value}"),
                };
                !uncertain.contains(value) || entries.contains(text.as_str())
            });
        }
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
            let mut entries: Vec<String> = (self.objects[&id].entries.iter())
                .map(|(key, value)| match key {
                    Key::Index(n) => format!("#{n}={value}"),
                    Key::Object(key) => format!("{key}={value}"),
                })
                .collect();
            entries.sort();
            lines.push(format!("object {id} {}", entries.join(" ")));
        }
        let mut seen = String::from("seen");
        for id in &self.seen {
            let _ = write!(seen, " {id}");
        }
        lines.push(if self.seen.is_empty() { "seen ".into() } else { seen });
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
