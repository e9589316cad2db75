//! `[[route]]`.

use super::Manifest;
use super::reader::{Reader, Section};
use crate::route::{self, Expression, Pattern};
use std::fmt;

/// The most routes by expressions: each path that nothing else answers is searched for all of them.
const MAX_EXPRESSIONS: usize = 100;

/// One `[[route]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    /// What it answers.
    pub place: Place,
    /// Upper case; empty means every method.
    pub methods: Vec<String>,
    /// The file that answers, relative to the app.
    pub content: String,
    /// Files for what comes before and after it.
    pub phases: Vec<PhaseRule>,
    /// Where the route stands in the manifest.
    pub line: u32,
}

/// What a route answers; valid as [`crate::route`] understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `/read`, `/u/:id`, `/files/*rest`.
    Path(String),
    /// Nothing by itself: `@maintenance` is where other routes may lead.
    Name(String),
    /// A regular expression.
    Match(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path(path) | Place::Name(path) => f.write_str(path),
            Place::Match(expression) => write!(f, "'{expression}'"),
        }
    }
}

/// A file of a [`RouteRule`] beside its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseRule {
    /// One of [`PHASES`].
    pub name: &'static str,
    /// The file, relative to the app.
    pub file: String,
    /// Where it stands in the manifest.
    pub line: u32,
}

/// What a route may have beside its content.
pub const PHASES: &[&str] = &["rewrite", "access", "header_filter", "body_filter", "log"];

pub(super) fn read_route<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    manifest: &mut Manifest,
) {
    const KEYS: &[&str] = &[
        "path",
        "match",
        "methods",
        "content",
        "rewrite",
        "access",
        "header_filter",
        "body_filter",
        "log",
    ];
    reader.known_keys(table, "[[route]]", KEYS);
    let mut phases = Vec::new();
    for name in PHASES {
        if let Some((file, line)) = reader.string(table, name) {
            phases.push(PhaseRule { name, file, line });
        }
    }
    let methods = read_methods(reader, table);
    let place = read_place(reader, table);
    let content = reader.string(table, "content");
    if content.is_none() && !table.has("content") {
        reader.problem(
            table.line,
            "a [[route]] needs content, the file that answers, such as content = \"read.lua\"",
        );
    }
    let (Some((place, line)), Some((content, content_line))) = (place, content) else {
        return;
    };
    if matches!(place, Place::Name(_)) && !methods.is_empty() {
        let why = format!("{place} takes every method: leave methods out");
        reader.problem(line, why);
        return;
    }
    let is_match = |place: &Place| matches!(place, Place::Match(_));
    let expressions = manifest.routes.iter().filter(|rule| is_match(&rule.place));
    if is_match(&place) && expressions.count() >= MAX_EXPRESSIONS {
        let why = format!("more than {MAX_EXPRESSIONS} routes have match; write some as path");
        reader.problem(line, why);
        return;
    }
    if let Some(other) = (manifest.routes.iter()).find(|other| overlaps(other, &place, &methods)) {
        let why = format!("the route of line {} already answers {place}", other.line);
        reader.problem(line, why);
        return;
    }
    manifest.routes.push(RouteRule {
        place,
        methods,
        content,
        phases,
        line: content_line,
    });
}

pub(super) fn read_methods<'a>(reader: &mut Reader<'a>, table: &Section<'a>) -> Vec<String> {
    let mut methods = Vec::new();
    for (method, line) in reader.strings(table, "methods") {
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            reader.problem(
                line,
                format!("'{method}' is not a method; write them in capitals, such as \"GET\""),
            );
        } else if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

/// What the route answers, and the line that says so.
fn read_place<'a>(reader: &mut Reader<'a>, table: &Section<'a>) -> Option<(Place, u32)> {
    let path = reader.string(table, "path");
    let expression = reader.string(table, "match");
    if !table.has("path") && !table.has("match") {
        reader.problem(
            table.line,
            "a [[route]] needs a path, such as path = \"/read\", or match, such as match = '^/read/(\\d+)$'",
        );
    }
    let (place, line, checked) = match (path, expression) {
        (Some(_), Some((_, line))) => {
            reader.problem(line, "a [[route]] has path or match, not both");
            return None;
        }
        (Some((name, line)), None) if route::is_name(&name) => {
            let checked = route::check_name(&name);
            (Place::Name(name), line, checked)
        }
        (Some((path, line)), None) => {
            let checked = Pattern::parse(&path).map(drop);
            (Place::Path(path), line, checked)
        }
        (None, Some((text, line))) => {
            let checked = Expression::parse(&text).map(drop);
            (Place::Match(text), line, checked)
        }
        (None, None) => return None,
    };
    match checked {
        Ok(()) => Some((place, line)),
        Err(message) => {
            reader.problem(line, message);
            None
        }
    }
}

fn overlaps(other: &RouteRule, place: &Place, methods: &[String]) -> bool {
    other.place == *place
        && (other.methods.is_empty()
            || methods.is_empty()
            || other.methods.iter().any(|m| methods.contains(m)))
}
