//! Typed access to a TOML document that remembers lines and collects problems.
//!
//! **Invariant:** a getter returns a value only if it is there and has the right type; if it is there
//! with a wrong one, a problem has been recorded. So a caller treats `None` as "not said".

use crate::problem::{Problem, nearest};
use crate::units;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// A table of the document and the line it starts on.
pub(super) struct Section<'i> {
    table: Rc<DeTable<'i>>,
    pub(super) line: u32,
}

impl Section<'_> {
    pub(super) fn keys(&self) -> impl Iterator<Item = String> + use<'_> {
        self.table.keys().map(|key| key.get_ref().to_string())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

/// The document being read, and what was found wrong with it.
pub(super) struct Reader<'i> {
    text: &'i str,
    file: &'i str,
    pub(super) problems: Vec<Problem>,
    /// Whether the most of what is being read is the operator's.
    is_operators: bool,
}

impl<'i> Reader<'i> {
    pub(super) fn new(text: &'i str, file: &'i str) -> Reader<'i> {
        Reader {
            text,
            file,
            problems: Vec::new(),
            is_operators: false,
        }
    }

    /// Whether the most of what follows is the operator's, and not what makes sense at all: for messages.
    pub(super) fn is_operators(&mut self, is_operators: bool) {
        self.is_operators = is_operators;
    }

    /// What follows the range in a message.
    fn whose(&self) -> &'static str {
        match self.is_operators {
            true => ", the operator's ceiling",
            false => "",
        }
    }

    /// The root table, unless the text is not TOML.
    pub(super) fn document(&mut self) -> Option<Section<'i>> {
        match DeTable::parse(self.text) {
            Ok(root) => Some(Section {
                table: Rc::new(root.into_inner()),
                line: 1,
            }),
            Err(error) => {
                let line = error.span().map_or(1, |span| self.line_of(span.start));
                self.problem(line, format!("not valid TOML: {}", error.message()));
                None
            }
        }
    }

    pub(super) fn problem(&mut self, line: u32, message: impl AsRef<str>) {
        self.problems.push(Problem::at(self.file, line, message));
    }

    fn line_of(&self, offset: usize) -> u32 {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count() as u32
    }

    /// Records every key of `section` that is not in `known`, with the nearest one that is.
    pub(super) fn known_keys(&mut self, section: &Section<'_>, place: &str, known: &[&str]) {
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let mut message = format!("unknown key '{name}'");
            if !place.is_empty() {
                let _ = write!(message, " in {place}");
            }
            match nearest(name, known) {
                Some(near) => {
                    let _ = write!(message, "; did you mean '{near}'?");
                }
                None => {
                    let _ = write!(message, "; known keys are {}", known.join(", "));
                }
            }
            self.problem(self.line_of(key.span().start), message);
        }
    }

    /// The value of a key through `convert`, which says what was expected if it is something else.
    fn get<T>(
        &mut self,
        section: &Section<'i>,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Option<(T, u32)> {
        let value = section.table.get(key)?;
        let line = self.line_of(value.span().start);
        match convert(value.get_ref()) {
            Some(converted) => Some((converted, line)),
            None => {
                self.problem(
                    line,
                    format!("{key} must be {expected}, not {}", kind(value.get_ref())),
                );
                None
            }
        }
    }

    pub(super) fn string(&mut self, section: &Section<'i>, key: &str) -> Option<(String, u32)> {
        self.get(section, key, "a string", |value| {
            value.as_str().map(str::to_owned)
        })
    }

    pub(super) fn boolean(&mut self, section: &Section<'i>, key: &str) -> Option<(bool, u32)> {
        self.get(section, key, "true or false", DeValue::as_bool)
    }

    /// An array of strings; each with its own line.
    pub(super) fn strings(&mut self, section: &Section<'i>, key: &str) -> Vec<(String, u32)> {
        let items = self.get(section, key, "a list of strings", |value| {
            value.as_array().cloned()
        });
        let mut strings = Vec::new();
        for item in items
            .map(|(items, _)| items)
            .iter()
            .flat_map(|items| items.iter())
        {
            let line = self.line_of(item.span().start);
            match item.get_ref().as_str() {
                Some(text) => strings.push((text.to_owned(), line)),
                None => self.problem(
                    line,
                    format!("{key} must hold strings, not {}", kind(item.get_ref())),
                ),
            }
        }
        strings
    }

    pub(super) fn section(&mut self, section: &Section<'i>, key: &str) -> Option<Section<'i>> {
        let (table, line) = self.get(section, key, "a table", |value| {
            value.as_table().map(|table| Rc::new(table.clone()))
        })?;
        Some(Section { table, line })
    }

    /// An array of tables, `[[key]]`.
    pub(super) fn sections(&mut self, section: &Section<'i>, key: &str) -> Vec<Section<'i>> {
        let expected = format!("a list of tables, each written [[{key}]]");
        let Some((items, _)) = self.get(section, key, &expected, |value| value.as_array().cloned())
        else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            let line = self.line_of(item.span().start);
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    table: Rc::new(table.clone()),
                    line,
                }),
                None => self.problem(line, format!("{key} must be {expected}")),
            }
        }
        sections
    }

    pub(super) fn size(
        &mut self,
        section: &Section<'i>,
        key: &str,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        let (text, line) = self.get(section, key, "a size such as \"64 MiB\"", string_value)?;
        let range = || {
            format!(
                "from {} to {}",
                units::show_size(least),
                units::show_size(most)
            )
        };
        self.in_range(
            key,
            line,
            &text,
            units::parse_size(&text),
            least,
            most,
            range,
        )
    }

    pub(super) fn duration(
        &mut self,
        section: &Section<'i>,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let (text, line) = self.get(section, key, "a duration such as \"200 ms\"", string_value)?;
        let range = || {
            format!(
                "from {} to {}",
                units::show_duration(least),
                units::show_duration(most)
            )
        };
        self.in_range(
            key,
            line,
            &text,
            units::parse_duration(&text),
            least,
            most,
            range,
        )
    }

    #[allow(clippy::too_many_arguments, reason = "two callers, both just above")]
    fn in_range<T: PartialOrd>(
        &mut self,
        key: &str,
        line: u32,
        text: &str,
        parsed: Result<T, String>,
        least: T,
        most: T,
        range: impl FnOnce() -> String,
    ) -> Option<T> {
        match parsed {
            Ok(value) if value >= least && value <= most => return Some(value),
            Ok(_) => self.problem(
                line,
                format!(
                    "{key} = \"{text}\" is out of range: it goes {}{}",
                    range(),
                    self.whose()
                ),
            ),
            Err(message) => self.problem(line, format!("{key}: {message}")),
        }
        None
    }

    /// A whole number from 0 to `most`.
    pub(super) fn count(&mut self, section: &Section<'i>, key: &str, most: u64) -> Option<u64> {
        let (number, line) = self.get(section, key, "a whole number", |value| {
            let integer = value.as_integer()?;
            Some(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
        })?;
        match u64::try_from(number) {
            Ok(count) if count <= most => Some(count),
            _ => {
                self.problem(
                    line,
                    format!(
                        "{key} is out of range: it goes from 0 to {most}{}",
                        self.whose()
                    ),
                );
                None
            }
        }
    }
}

fn string_value(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
