//! Values as JSON.
//!
//! **Invariant:** what is being written is a list of frames, one for each open table, at most as many as the settings allow.

use super::number::write_general;
use super::settings::{Invalid, Settings};
use super::{Marks, STEP, Step, Work, empty_array};
use crate::answer::type_name;
use crate::text::{MAX_TEXT, too_long};
use rille_lua::{Dialect, Lua, Result, Table, Value};
use std::io::Write;

/// The error of a text, or one of the VM.
enum Failure {
    Script(String),
    Vm(rille_lua::Error),
}

impl From<rille_lua::Error> for Failure {
    fn from(error: rille_lua::Error) -> Failure {
        Failure::Vm(error)
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

/// An open table.
enum Frame {
    /// Its keys are being looked at: is it an array?
    Unknown {
        table: Table,
        key: Value,
        max: f64,
        items: f64,
    },
    Array {
        table: Table,
        length: i64,
        at: i64,
        is_first: bool,
        /// Whether there was anything, written or not.
        has_items: bool,
    },
    Object {
        table: Table,
        key: Value,
        is_first: bool,
        has_items: bool,
    },
}

/// A value on its way to text.
pub(super) struct Encoder {
    /// What has been written in this step.
    out: Vec<u8>,
    /// Bytes of the steps before.
    given: usize,
    frames: Vec<Frame>,
    next: Option<Value>,
    /// Where the element begins that is being written, should it have to be taken back, and whether it is the first.
    mark: (usize, bool),
    settings: Settings,
    marks: Marks,
    /// Whether the version of the language has them.
    has_integers: bool,
}

impl Work for Encoder {
    fn step(&mut self, lua: &Lua) -> Result<std::result::Result<Step, String>> {
        let is_last = match self.work() {
            Ok(is_last) => is_last,
            Err(Failure::Script(message)) => return Ok(Err(message)),
            Err(Failure::Vm(error)) => return Err(error),
        };
        let piece = Value::String(lua.create_string(&self.out)?);
        self.given += self.out.len();
        self.out.clear();
        Ok(Ok(match is_last {
            true => Step::Last(piece),
            false => Step::Piece(piece),
        }))
    }

    fn bytes(&self) -> usize {
        self.given + self.out.len()
    }
}

fn unserialisable<T>(kind: &str, why: &str) -> Outcome<T> {
    Err(Failure::Script(format!("Cannot serialise {kind}: {why}")))
}

impl Encoder {
    pub(super) fn new(lua: &Lua, value: Value, settings: Settings, marks: Marks) -> Encoder {
        Encoder {
            out: Vec::new(),
            given: 0,
            frames: Vec::new(),
            next: Some(value),
            mark: (0, true),
            settings,
            marks,
            has_integers: lua.dialect() >= Dialect::Lua53,
        }
    }

    /// Writes up to [`STEP`] values; whether that was all.
    fn work(&mut self) -> Outcome<bool> {
        // A step does not end between the mark of an element and the element, which may have to be taken back.
        for _ in 0..STEP {
            if let Some(value) = self.next.take() {
                self.value(value)?;
            }
            if self.bytes() > MAX_TEXT {
                return Err(Failure::Vm(too_long()));
            }
            let Some(frame) = self.frames.pop() else {
                return Ok(true);
            };
            self.advance(frame)?;
        }
        if let Some(value) = self.next.take() {
            self.value(value)?;
        }
        Ok(false)
    }

    fn value(&mut self, value: Value) -> Outcome<()> {
        let out = &mut self.out;
        match value {
            Value::Nil => out.extend_from_slice(b"null"),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            // Without integers, a whole number is printed like the others.
            Value::Integer(number) if !self.has_integers => self.number(number as f64)?,
            Value::Integer(integer) => {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{integer}");
            }
            Value::Number(number) => self.number(number)?,
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => self.open(table)?,
            Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer == empty_array() => {
                out.extend_from_slice(b"[]");
            }
            _ if self.settings.skips_unsupported => self.take_back(),
            other => return unserialisable(type_name(&other), "type not supported"),
        }
        Ok(())
    }

    /// Forgets the element that cannot be written.
    fn take_back(&mut self) {
        let (length, was_first) = self.mark;
        self.out.truncate(length);
        if let Some(Frame::Array { is_first, .. } | Frame::Object { is_first, .. }) =
            self.frames.last_mut()
        {
            *is_first = was_first;
        }
    }

    fn number(&mut self, number: f64) -> Outcome<()> {
        if number.is_finite() {
            let digits = self.settings.precision.unwrap_or(14);
            write_general(&mut self.out, number, digits);
            return Ok(());
        }
        let text: &[u8] = match self.settings.encode_invalid {
            Invalid::Refused => return unserialisable("number", "must not be NaN or Infinity"),
            Invalid::Null => b"null",
            Invalid::Written if number.is_nan() => b"NaN",
            Invalid::Written if number < 0.0 => b"-Infinity",
            Invalid::Written => b"Infinity",
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        let out = &mut self.out;
        out.push(b'"');
        for &byte in text {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' if self.settings.escapes_slash => b"\\/",
                0x08 => b"\\b",
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                0x0c => b"\\f",
                b'\r' => b"\\r",
                0..=0x1f | 0x7f => {
                    let _ = write!(out, "\\u{byte:04x}");
                    continue;
                }
                _ => {
                    out.push(byte);
                    continue;
                }
            };
            out.extend_from_slice(escape);
        }
        out.push(b'"');
    }

    fn open(&mut self, table: Table) -> Outcome<()> {
        let depth = self.frames.len() as i64 + 1;
        if depth > self.settings.encode_depth {
            let message = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(Failure::Script(message));
        }
        if table
            .metatable()
            .is_some_and(|meta| meta == self.marks.array)
        {
            let length = table.raw_len() as i64;
            self.open_array(table, length);
            return Ok(());
        }
        self.frames.push(Frame::Unknown {
            table,
            key: Value::Nil,
            max: 0.0,
            items: 0.0,
        });
        Ok(())
    }

    fn open_array(&mut self, table: Table, length: i64) {
        self.out.push(b'[');
        self.frames.push(Frame::Array {
            table,
            length,
            at: 1,
            is_first: true,
            has_items: false,
        });
    }

    fn open_object(&mut self, table: Table) {
        self.out.push(b'{');
        self.frames.push(Frame::Object {
            table,
            key: Value::Nil,
            is_first: true,
            has_items: false,
        });
    }

    /// What a frame has next; it goes back on the list while it has more.
    fn advance(&mut self, frame: Frame) -> Outcome<()> {
        match frame {
            Frame::Unknown {
                table,
                key,
                max,
                items,
            } => self.look(table, key, max, items),
            Frame::Array {
                table,
                length,
                at,
                is_first,
                has_items,
            } => {
                if at > length {
                    self.close(b']', has_items);
                    return Ok(());
                }
                self.separate(is_first, self.frames.len() + 1);
                self.next = Some(table.raw_get(at)?);
                self.frames.push(Frame::Array {
                    table,
                    length,
                    at: at + 1,
                    is_first: false,
                    has_items: true,
                });
                Ok(())
            }
            Frame::Object {
                table,
                key,
                is_first,
                has_items,
            } => {
                let Some((key, value)) = table.next_entry(&key)? else {
                    self.close(b'}', has_items);
                    return Ok(());
                };
                self.separate(is_first, self.frames.len() + 1);
                self.key(&key)?;
                self.next = Some(value);
                self.frames.push(Frame::Object {
                    table,
                    key,
                    is_first: false,
                    has_items: true,
                });
                Ok(())
            }
        }
    }

    /// Looks at one more key of a table: it is an array if all are whole numbers from 1 on.
    fn look(&mut self, table: Table, key: Value, max: f64, items: f64) -> Outcome<()> {
        let Some((key, _)) = table.next_entry(&key)? else {
            return self.decide(table, max, items);
        };
        let at = match key {
            Value::Integer(at) => at as f64,
            Value::Number(at) => at,
            _ => 0.0,
        };
        if at.floor() != at || at < 1.0 {
            self.open_object(table);
            return Ok(());
        }
        self.frames.push(Frame::Unknown {
            table,
            key,
            max: max.max(at),
            items: items + 1.0,
        });
        Ok(())
    }

    fn decide(&mut self, table: Table, max: f64, items: f64) -> Outcome<()> {
        let settings = &self.settings;
        let is_sparse = settings.sparse_ratio > 0
            && max > items * settings.sparse_ratio as f64
            && max > settings.sparse_safe as f64;
        if is_sparse && !settings.sparse_convert {
            return unserialisable("table", "excessively sparse array");
        }
        let is_array = match max > 0.0 {
            true => !is_sparse,
            false => {
                !settings.empty_is_object
                    || (table.metatable()).is_some_and(|meta| meta == self.marks.empty_array)
            }
        };
        match is_array {
            true => self.open_array(table, max as i64),
            false => self.open_object(table),
        }
        Ok(())
    }

    fn separate(&mut self, is_first: bool, depth: usize) {
        self.mark = (self.out.len(), is_first);
        if !is_first {
            self.out.push(b',');
        }
        self.indent(depth);
    }

    fn indent(&mut self, depth: usize) {
        if self.settings.indent.is_empty() {
            return;
        }
        self.out.push(b'\n');
        for _ in 0..depth {
            // Checked here, since the depth may be great.
            if self.bytes() > MAX_TEXT {
                return;
            }
            self.out.extend_from_slice(&self.settings.indent);
        }
    }

    fn close(&mut self, bracket: u8, has_items: bool) {
        if has_items {
            self.indent(self.frames.len());
        }
        self.out.push(bracket);
    }

    fn key(&mut self, key: &Value) -> Outcome<()> {
        match key {
            Value::String(name) => self.string(&name.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.value(key.clone())?;
                self.out.push(b'"');
            }
            other => {
                return unserialisable(type_name(other), "table key must be a number or string");
            }
        }
        self.out.push(b':');
        if !self.settings.indent.is_empty() {
            self.out.push(b' ');
        }
        Ok(())
    }
}
