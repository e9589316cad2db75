//! Copies of data from one part of a program to another that is to share nothing with it: messages between tasks.
//!
//! Nil, booleans, numbers, strings and light userdata are the same in the copy. Tables are copied, with everything in them; what
//! was one table, or a cycle, is so again. Functions, coroutines and userdata have no copy: where one is, is said. Metatables stay
//! behind, but a table or a metatable that is a key of `kept` is shared: the markers of a JSON module, say.
//!
//! **Invariants.** Nothing recurses: tables wait in a list for their entries to be copied. Both tables of each pair on it are in
//! `Vm::scratch` until the end: a weak table may lose what it holds meanwhile. The list is bounded by [`CopyLimits`].

use crate::heap::Gc;
use crate::native::{Ctx, Thrown};
use crate::table::{KIND_LAYERED, Table};
use crate::value::{Type, Val};
use crate::vm::Vm;
use std::collections::HashMap;

/// What a copy may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyLimits {
    /// Entries of tables, all together.
    pub values: usize,
    /// Bytes, as [`Copied::bytes`] counts them.
    pub bytes: usize,
}

/// A copy. Root the value before the next allocation.
#[derive(Clone, Copy)]
pub struct Copied {
    /// The value.
    pub value: Val,
    /// Bytes of its tables, and of its strings as if each time were another one.
    pub bytes: usize,
}

/// Why there is no copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCopy {
    /// Something in it is no data.
    Kind {
        /// Where, as Lua would say it: `.handlers[1].callback`; empty for the value itself.
        path: String,
        /// The type's name.
        type_name: &'static str,
    },
    /// It is larger than the limits.
    TooLarge,
}

/// Bytes that a table and an entry count for.
const TABLE_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
/// Up to so many tables, one that has been copied is looked for in the list.
const FEW: usize = 8;
/// Keys on a path that is shown, and bytes of one of them.
const MAX_PATH: usize = 16;
const MAX_KEY: usize = 40;
/// Slots of a table that are looked at between two charges.
const PIECE: usize = 64;

/// A table that is copied.
struct Pair {
    from: Gc<Table>,
    to: Gc<Table>,
    /// The table that it was found in first, and under which key.
    parent: usize,
    key: Val,
}

struct Copier<'a> {
    vm: &'a mut Vm,
    kept: Option<Gc<Table>>,
    limits: CopyLimits,
    tables: Vec<Pair>,
    seen: HashMap<u64, usize>,
    values: usize,
    bytes: usize,
}

/// Why copying ended.
enum Stop {
    Thrown(Thrown),
    NoCopy(NoCopy),
}

impl From<Thrown> for Stop {
    fn from(thrown: Thrown) -> Stop {
        Stop::Thrown(thrown)
    }
}

impl Vm {
    /// A copy of `v`, which must be reachable, and so must `kept`.
    pub(crate) fn copy_data(
        &mut self,
        v: Val,
        kept: Option<Gc<Table>>,
        limits: CopyLimits,
    ) -> Result<Result<Copied, NoCopy>, Thrown> {
        let bytes = match v.as_str() {
            Some(s) => s.len(),
            None => 0,
        };
        if v.is_table() || !is_plain(v) || bytes > limits.bytes {
            return self.copy_tables(v, kept, limits);
        }
        Ok(Ok(Copied { value: v, bytes }))
    }

    fn copy_tables(
        &mut self,
        v: Val,
        kept: Option<Gc<Table>>,
        limits: CopyLimits,
    ) -> Result<Result<Copied, NoCopy>, Thrown> {
        let protected = self.scratch.len();
        let mut copier = Copier {
            vm: self,
            kept,
            limits,
            tables: Vec::new(),
            seen: HashMap::new(),
            values: 0,
            bytes: 0,
        };
        let done = copier.run(v);
        let bytes = copier.bytes;
        self.scratch.truncate(protected);
        match done {
            Ok(value) => Ok(Ok(Copied { value, bytes })),
            Err(Stop::NoCopy(why)) => Ok(Err(why)),
            Err(Stop::Thrown(thrown)) => Err(thrown),
        }
    }
}

impl Copier<'_> {
    fn run(&mut self, v: Val) -> Result<Val, Stop> {
        let root = self.value(v, 0, Val::NIL)?;
        let mut at = 0;
        while at < self.tables.len() {
            self.entries(at)?;
            at += 1;
        }
        Ok(root)
    }

    /// Copies the entries of a table.
    fn entries(&mut self, at: usize) -> Result<(), Stop> {
        let (from, to) = (self.tables[at].from, self.tables[at].to);
        let mut position = 0;
        loop {
            self.vm.heap.spend(4);
            let (next, key, v) = match from.entry_from(position, PIECE) {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(()),
                Err(next) => {
                    position = next;
                    self.vm.heap.spend(PIECE as i64 / 8);
                    continue;
                }
            };
            position = next;
            self.values += 1;
            self.count(ENTRY_BYTES)?;
            if self.values > self.limits.values {
                return Err(Stop::NoCopy(NoCopy::TooLarge));
            }
            if key.is_table() {
                self.vm.scratch.push(v);
            }
            let new_key = self.value(key, at, key)?;
            let new = self.value(v, at, key)?;
            self.vm.table_set(to, new_key, new)?;
        }
    }

    /// The copy of a value that was found in table `parent` under `key`. A new table has no entries yet.
    fn value(&mut self, v: Val, parent: usize, key: Val) -> Result<Val, Stop> {
        if let Some(s) = v.as_str() {
            self.count(s.len())?;
            return Ok(v);
        }
        match v.as_table() {
            Some(from) => self.table(from, parent, key),
            None if is_plain(v) => Ok(v),
            None => Err(self.refused(v, parent, key)),
        }
    }

    fn table(&mut self, from: Gc<Table>, parent: usize, key: Val) -> Result<Val, Stop> {
        if self.is_kept(Val::table(from)) {
            return Ok(Val::table(from));
        }
        if let Some(index) = self.find(from) {
            return Ok(Val::table(self.tables[index].to));
        }
        if from.header.extra & KIND_LAYERED != 0 {
            return Err(self.refused(Val::table(from), parent, key));
        }
        self.count(TABLE_BYTES)?;
        let mut counted = from;
        let room = (self.limits.values - self.values.min(self.limits.values)) as i64;
        let sequence = counted.border().clamp(0, room) as usize;
        let named = match from.has_nodes() {
            true => from.node_count().min(FEW),
            false => 0,
        };
        self.vm.heap.spend(sequence as i64 / 8);
        self.vm.scratch.push(Val::table(from));
        let to = self.vm.new_table_sized(sequence, named)?;
        self.vm.scratch.push(Val::table(to));
        if let Some(meta) = Gc::from_nullable(from.meta)
            && self.is_kept(Val::table(meta))
        {
            self.vm.set_metatable(Val::table(to), Some(meta))?;
        }
        if self.tables.len() >= FEW {
            if self.seen.is_empty() {
                let known = self.tables.iter().enumerate();
                self.seen.extend(known.map(|(i, t)| (t.from.addr(), i)));
            }
            self.seen.insert(from.addr(), self.tables.len());
        }
        self.tables.push(Pair {
            from,
            to,
            parent,
            key,
        });
        Ok(Val::table(to))
    }

    fn find(&self, from: Gc<Table>) -> Option<usize> {
        match self.seen.is_empty() {
            true => self.tables.iter().position(|pair| pair.from == from),
            false => self.seen.get(&from.addr()).copied(),
        }
    }

    fn is_kept(&self, v: Val) -> bool {
        (self.kept).is_some_and(|kept| !kept.get(self.vm.heap.hash_key, v).is_nil())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > self.limits.bytes {
            true => Err(Stop::NoCopy(NoCopy::TooLarge)),
            false => Ok(()),
        }
    }

    #[cold]
    fn refused(&self, v: Val, parent: usize, key: Val) -> Stop {
        let mut keys = Vec::new();
        let (mut at, mut key) = (parent, key);
        while !key.is_nil() && keys.len() < MAX_PATH {
            keys.push(show_key(key));
            let Some(pair) = self.tables.get(at) else {
                break;
            };
            (at, key) = (pair.parent, pair.key);
        }
        keys.reverse();
        Stop::NoCopy(NoCopy::Kind {
            path: keys.concat(),
            type_name: v.type_name(),
        })
    }
}

/// Whether a value is its own copy.
fn is_plain(v: Val) -> bool {
    matches!(
        v.type_of(),
        Type::Nil | Type::Boolean | Type::Number | Type::String | Type::LightUserData
    )
}

fn show_key(key: Val) -> String {
    if let Some(s) = key.as_str() {
        let text = String::from_utf8_lossy(&s.as_bytes()[..s.len().min(MAX_KEY)]).into_owned();
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && s.len() <= MAX_KEY;
        return match is_name {
            true => format!(".{text}"),
            false => format!("[{text:?}]"),
        };
    }
    match (key.as_int(), key.as_number()) {
        (Some(i), _) => format!("[{i}]"),
        (None, Some(f)) => format!("[{f}]"),
        _ => format!("[{}]", key.type_name()),
    }
}

impl Ctx<'_> {
    /// A copy of a value that shares nothing with it (see [`crate::copy`]); the tables that are keys of `kept` are shared.
    /// Both must be reachable. The error inside is why there is none.
    #[inline]
    pub fn copy_data(
        &mut self,
        v: Val,
        kept: Option<Gc<Table>>,
        limits: CopyLimits,
    ) -> Result<Result<Copied, NoCopy>, Thrown> {
        self.vm.copy_data(v, kept, limits)
    }
}
