//! Tracebacks, and the names of functions in them.
//!
//! ```text
//! stack traceback:
//!         [C]: in function 'error'
//!         shop.lua:12: in upvalue 'check'
//!         shop.lua:30: in function <shop.lua:25>
//!         (...tail calls...)
//!         ...     (skipping 40 levels)
//!         [C]: in ?
//! ```

use super::names::{self, Name};
use super::{Activation, Vm};
use crate::chunk::FunctionCode;
use crate::dialect::Dialect;
use crate::heap::Gc;
use crate::table::{KIND_LAYERED, Table};
use crate::thread::{Thread, frame_flags};
use crate::value::Val;

/// Levels shown at the top of a long traceback.
const FIRST_LEVELS: usize = 10;
/// Levels shown at its end.
const LAST_LEVELS: usize = 11;
/// Where the first part of a long traceback of 5.1 and 5.2 ends.
const OLD_FIRST_LEVELS: usize = 12;
/// Levels in its second part.
const OLD_LAST_LEVELS: usize = 10;
/// Entries of loaded modules that are looked at for the name of one function.
const MAX_LOOKED_AT: usize = 10_000;

impl Vm {
    /// How the function of an activation was called, if its caller's code tells.
    pub(crate) fn call_name<'t>(
        &self,
        thread: &'t Thread,
        activation: Activation,
    ) -> Option<Name<'t>> {
        let frames = thread.frames();
        let finalizer = Name {
            kind: "metamethod",
            name: b"__gc",
        };
        // In 5.3 it is the function that a finalizer interrupts that is called so.
        let interrupted = self.dialect == Dialect::Lua53;
        let above = activation.frame.and_then(|i| frames.get(i + 1));
        if interrupted
            && above.is_some_and(|f| f.is_native() && f.flags & frame_flags::FINALIZER != 0)
        {
            return Some(finalizer);
        }
        let (flags, caller) = match activation.frame {
            Some(i) => (frames[i].flags, i.checked_sub(1)?),
            None => (0, frames.len().checked_sub(1)?),
        };
        if flags & frame_flags::HOOK == frame_flags::HOOK {
            return Some(Name {
                kind: "hook",
                name: b"?",
            });
        }
        if flags & frame_flags::TAIL != 0 {
            return None;
        }
        let frame = &frames[caller];
        if frame.is_native() {
            let called = frame.flags & frame_flags::FINALIZER != 0 && !interrupted;
            return called.then_some(finalizer);
        }
        let code = frame_code(thread, frame.func as usize)?;
        names::called_name(code, self.instruction_index(thread, caller))
    }

    /// The name of a function that is a global or in a loaded module: `print`, `string.rep`.
    pub(crate) fn module_name(&mut self, f: Val) -> Option<Vec<u8>> {
        let hash = crate::string::hash_bytes(self.heap.hash_key, LOADED);
        let key = self.heap.strings.find(hash, LOADED)?;
        let loaded = self.registry.get_interned(key).as_table()?;
        let mut left = MAX_LOOKED_AT;
        let found = search(loaded, f, &mut left);
        self.heap.spend((MAX_LOOKED_AT - left) as i64);
        found
    }

    /// The text of a traceback of a coroutine from a level on, behind a message.
    pub(crate) fn traceback(
        &mut self,
        thread: Gc<Thread>,
        message: Option<&[u8]>,
        level: usize,
    ) -> Vec<u8> {
        let mut text = Vec::with_capacity(message.map_or(0, <[u8]>::len) + 256);
        if let Some(message) = message {
            text.extend_from_slice(message);
            text.push(b'\n');
        }
        text.extend_from_slice(b"stack traceback:");
        let all: usize = self.activations(&thread).count();
        self.heap.spend((all / 8) as i64);
        if self.dialect < Dialect::Lua53 {
            self.old_traceback(thread, level, all, &mut text);
            return text;
        }
        let shown = all.saturating_sub(level);
        let skipped = if shown > FIRST_LEVELS + LAST_LEVELS + 1 {
            shown - FIRST_LEVELS - LAST_LEVELS
        } else {
            0
        };
        let first = if skipped > 0 { FIRST_LEVELS } else { shown };
        let mut wanted: Vec<Activation> =
            self.activations(&thread).skip(level).take(first).collect();
        wanted.extend(self.activations(&thread).skip(level + first + skipped));
        for (i, activation) in wanted.into_iter().enumerate() {
            if skipped > 0 && i == first {
                // The reference counts one less.
                let count = skipped - 1;
                text.extend_from_slice(b"\n\t...");
                if self.dialect >= Dialect::Lua54 {
                    let line = format!("\t(skipping {count} levels)");
                    text.extend_from_slice(line.as_bytes());
                }
            }
            self.traceback_line(thread, activation, &mut text);
        }
        text
    }

    /// The levels as 5.1 and 5.2 show them.
    fn old_traceback(&mut self, thread: Gc<Thread>, level: usize, all: usize, text: &mut Vec<u8>) {
        // Up to which level the first part goes, and how many levels the second has: 5.2 counts one off.
        let (first_end, last_levels) = match self.dialect {
            Dialect::Lua51 => (OLD_FIRST_LEVELS, OLD_LAST_LEVELS),
            _ => (OLD_FIRST_LEVELS - 1, OLD_LAST_LEVELS + 1),
        };
        let whole = OLD_FIRST_LEVELS + OLD_LAST_LEVELS + 1;
        let (first_end, last) = match all > whole.max(level.saturating_add(last_levels + 1)) {
            true => (first_end.max(level), all - last_levels),
            false => (all.max(level), all),
        };
        let first: Vec<Activation> = self
            .activations(&thread)
            .skip(level)
            .take(first_end - level)
            .collect();
        for activation in first {
            self.old_traceback_line(thread, activation, text);
        }
        if last < all {
            text.extend_from_slice(b"\n\t...");
        }
        let rest: Vec<Activation> = self.activations(&thread).skip(last).collect();
        for activation in rest {
            self.old_traceback_line(thread, activation, text);
        }
    }

    /// Begins a line: the source and the line number. The result is the function's code, if it has any.
    fn traceback_place<'t>(
        &self,
        thread: &'t Thread,
        activation: Activation,
        text: &mut Vec<u8>,
    ) -> Option<&'t FunctionCode> {
        let code = frame_code(thread, activation.func);
        text.extend_from_slice(b"\n\t");
        text.extend_from_slice(&short_source(code));
        text.push(b':');
        if let Some(line) = self.current_line(thread, activation) {
            text.extend_from_slice(format!("{line}:").as_bytes());
        }
        code
    }

    fn old_traceback_line(
        &mut self,
        thread: Gc<Thread>,
        activation: Activation,
        text: &mut Vec<u8>,
    ) {
        let code = self.traceback_place(&thread, activation, text);
        text.push(b' ');
        let first = self.dialect == Dialect::Lua51;
        let named = self
            .call_name(&thread, activation)
            .map(|n| match n.kind {
                "for iterator" if first => b"(for generator)".to_vec(),
                // 5.1 does not know how metamethods are called.
                "metamethod" if first => Vec::new(),
                _ => n.name.to_vec(),
            })
            .filter(|name| !name.is_empty());
        let named = match (named, code) {
            (None, None) if !first => self.module_name(thread.get(activation.func)),
            (named, _) => named,
        };
        match (named, code) {
            (Some(name), _) => {
                text.extend_from_slice(b"in function '");
                text.extend_from_slice(&name);
                text.push(b'\'');
            }
            (None, Some(code)) if code.line_defined == 0 => {
                text.extend_from_slice(b"in main chunk");
            }
            (None, Some(code)) => {
                text.extend_from_slice(b"in function <");
                text.extend_from_slice(&short_source(Some(code)));
                text.extend_from_slice(format!(":{}>", code.line_defined).as_bytes());
            }
            (None, None) if first => text.push(b'?'),
            (None, None) => text.extend_from_slice(b"in ?"),
        }
        if self.is_tail_call(&thread, activation) {
            text.extend_from_slice(match first {
                true => b"\n\t(tail call): ?",
                false => b"\n\t(...tail calls...)",
            });
        }
    }

    fn traceback_line(&mut self, thread: Gc<Thread>, activation: Activation, text: &mut Vec<u8>) {
        let f = thread.get(activation.func);
        let code = self.traceback_place(&thread, activation, text);
        text.extend_from_slice(b" in ");
        let called = self.call_name(&thread, activation);
        // From 5.5 on, what the calling code says comes first.
        let module = match called.is_some() && self.dialect >= Dialect::Lua55 {
            true => None,
            false => self.module_name(f),
        };
        if let Some(name) = module {
            text.extend_from_slice(b"function '");
            text.extend_from_slice(&name);
            text.push(b'\'');
        } else if let Some(name) = called {
            text.extend_from_slice(format!("{} '", name.kind).as_bytes());
            text.extend_from_slice(name.name);
            text.push(b'\'');
        } else {
            match code {
                Some(code) if code.line_defined == 0 => text.extend_from_slice(b"main chunk"),
                Some(code) => {
                    text.extend_from_slice(b"function <");
                    text.extend_from_slice(&short_source(Some(code)));
                    text.extend_from_slice(format!(":{}>", code.line_defined).as_bytes());
                }
                None => text.push(b'?'),
            }
        }
        if self.is_tail_call(&thread, activation) {
            text.extend_from_slice(b"\n\t(...tail calls...)");
        }
    }

    /// Whether the function of an activation was tail called, so that its caller is gone.
    pub(crate) fn is_tail_call(&self, thread: &Thread, activation: Activation) -> bool {
        activation
            .frame
            .is_some_and(|i| thread.frames()[i].flags & frame_flags::TAIL != 0)
    }
}

/// The registry's key for the table of loaded modules.
pub(crate) const LOADED: &[u8] = b"_LOADED";

/// The code of the Lua function at a stack index.
pub(crate) fn frame_code(thread: &Thread, func: usize) -> Option<&FunctionCode> {
    let closure = thread.get(func).as_lua_closure()?;
    // SAFETY: the function is on the thread's stack, which keeps it, its prototype and its code alive and in place
    // while the thread is borrowed.
    Some(unsafe { &*std::sync::Arc::as_ptr(&closure.proto().function) })
}

/// The chunk name as messages show it.
pub(crate) fn short_source(code: Option<&FunctionCode>) -> Vec<u8> {
    match code {
        Some(code) => crate::compiler::chunk_id_in(code.dialect, &code.source, false),
        None => b"[C]".to_vec(),
    }
}

/// Looks for a function among the loaded modules and their fields.
fn search(loaded: Gc<Table>, f: Val, left: &mut usize) -> Option<Vec<u8>> {
    let mut fields = Vec::new();
    each_entry(loaded, left, |key, v| {
        if v.raw_eq(f) {
            return Some(key.to_vec());
        }
        if let Some(module) = v.as_table() {
            fields.push((key.to_vec(), module));
        }
        None
    })
    .or_else(|| {
        fields.into_iter().find_map(|(module, t)| {
            let field = each_entry(t, left, |key, v| v.raw_eq(f).then(|| key.to_vec()))?;
            if module == b"_G" {
                return Some(field);
            }
            let mut name = module;
            name.push(b'.');
            name.extend_from_slice(&field);
            Some(name)
        })
    })
}

/// Shows `visit` the entries that have string keys, until it returns something or enough have been looked at.
fn each_entry<R>(
    t: Gc<Table>,
    left: &mut usize,
    mut visit: impl FnMut(&[u8], Val) -> Option<R>,
) -> Option<R> {
    let t = if t.header.extra & KIND_LAYERED != 0 {
        t.layered_base()
    } else {
        t
    };
    let mut at = 0;
    while let Ok(Some((next, key, v))) = t.entry_from(at, *left) {
        *left -= (next - at).min(*left);
        at = next;
        if let Some(name) = key.as_str()
            && let Some(found) = visit(name.as_bytes(), v)
        {
            return Some(found);
        }
    }
    None
}
