//! Which file answers a path.
//!
//! | order | route | among themselves |
//! |---|---|---|
//! | first | `path` of the manifest | a literal segment wins over a parameter, a parameter over `*rest` |
//! | then | `match` of the manifest | the first in the file whose expression matches |
//! | then | the app's files | as paths |
//! | last | files of `public` | |
//!
//! What matches and does not take the method is passed over for another of the same kind, not for a later kind: if there is none, the answer is 405.
//!
//! **Invariant:** a router is built once per app version and only read afterwards, by every worker.
//! A lookup visits each node at most once (the path fixes what is compared at each depth) and searches for each expression at most once,
//! so its cost is bounded by the app's own routes, never by the request.
//!
//! A path is split at `/` first and percent-decoded segment by segment, so that `%2F` inside a
//! parameter stays in it.

mod expression;
#[cfg(test)]
mod tests;

pub use expression::Expression;

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Index of a code file in its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Index of what a route leads to in its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Param(Box<str>),
    Rest(Box<str>),
}

/// A parsed path pattern: `/u/:id`, `/files/*rest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// Parses a manifest's path. The error says what is wrong with it.
    pub fn parse(path: &str) -> Result<Pattern, String> {
        let Some(rest) = path.strip_prefix('/') else {
            return Err(format!("'{path}' is not a path: it must start with '/'"));
        };
        let mut segments = Vec::new();
        for part in rest.strip_suffix('/').unwrap_or(rest).split('/') {
            if rest.is_empty() {
                break;
            }
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err(format!(
                    "'{path}': a *name takes the rest of the path, so it must come last"
                ));
            }
            segments.push(match (part.strip_prefix(':'), part.strip_prefix('*')) {
                (Some(name), _) => Segment::Param(param_name(path, name)?),
                (_, Some(name)) => Segment::Rest(param_name(path, name)?),
                _ if part.is_empty() => {
                    return Err(format!("'{path}' has an empty segment ('//')"));
                }
                _ => Segment::Literal(part.into()),
            });
        }
        let pattern = Pattern { segments };
        pattern.check_names(path)?;
        Ok(pattern)
    }

    /// The pattern of a file: `api/users/[id].lua` is `/api/users/:id`, `[...rest].lua` takes the
    /// rest. `None` if the name's brackets do not make a parameter.
    pub fn of_file(file: &str) -> Option<Pattern> {
        let path = file.strip_suffix(".lua")?;
        let path = path
            .strip_suffix("index")
            .filter(|p| p.is_empty() || p.ends_with('/'))
            .unwrap_or(path);
        let mut segments = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return None;
            }
            let inner = part.strip_prefix('[').and_then(|p| p.strip_suffix(']'));
            segments.push(match inner {
                Some(name) => match name.strip_prefix("...") {
                    Some(name) => Segment::Rest(param_name(file, name).ok()?),
                    None => Segment::Param(param_name(file, name).ok()?),
                },
                None => Segment::Literal(part.into()),
            });
        }
        let pattern = Pattern { segments };
        pattern.check_names(file).ok()?;
        Some(pattern)
    }

    fn check_names(&self, path: &str) -> Result<(), String> {
        let names: Vec<&str> = self.param_names().collect();
        match names
            .iter()
            .enumerate()
            .find(|(at, name)| names[..*at].contains(name))
        {
            Some((_, name)) => Err(format!("'{path}' has two parameters named '{name}'")),
            None => Ok(()),
        }
    }

    fn param_names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// The names of what it captures.
    pub fn names(&self) -> Vec<String> {
        self.param_names().map(str::to_owned).collect()
    }

    /// The path itself, if the pattern has no parameters.
    fn literal_path(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let Segment::Literal(text) = segment else {
                return None;
            };
            path.push('/');
            path.push_str(text);
        }
        Some(if path.is_empty() { "/".into() } else { path })
    }
}

fn param_name(path: &str, name: &str) -> Result<Box<str>, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.len() > 64
        || !name.chars().all(good)
        || name.as_bytes()[0].is_ascii_digit()
    {
        return Err(format!(
            "'{path}': '{name}' cannot name a parameter; use letters, digits and '_'"
        ));
    }
    Ok(name.into())
}

/// What a pattern leads to.
#[derive(Debug)]
struct Entry {
    /// Upper case; empty means every method.
    methods: Box<[Box<str>]>,
    target: TargetId,
    params: Box<[Box<str>]>,
}

impl Entry {
    fn new(methods: &[String], target: TargetId, params: Box<[Box<str>]>) -> Entry {
        let methods = methods.iter().map(|method| method.as_str().into());
        Entry {
            methods: methods.collect(),
            target,
            params,
        }
    }
}

/// A node of the tree: what may follow, and what ends here.
#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<Box<[u8]>, Node>,
    param: Option<Box<Node>>,
    rest: Vec<Entry>,
    entries: Vec<Entry>,
}

/// The routes of one app.
#[derive(Debug, Default)]
pub struct Router {
    /// Paths of the manifest.
    paths: Layer,
    /// Expressions of the manifest, in its order.
    expressions: Vec<(Expression, Entry)>,
    files: Layer,
    /// Those without a path, which no request reaches by itself.
    named: BTreeMap<Box<str>, TargetId>,
}

/// Whether a manifest's path is a name: `@maintenance` is a route that only other routes lead to.
pub fn is_name(path: &str) -> bool {
    path.starts_with('@')
}

/// Checks the name of a route. The error says what is wrong with it.
pub fn check_name(path: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match path.strip_prefix('@') {
        Some(name) if !name.is_empty() && name.len() <= 64 && name.chars().all(good) => Ok(()),
        _ => Err(format!(
            "'{path}' cannot name a route; use letters, digits, '_' and '-' after the '@'"
        )),
    }
}

#[derive(Debug, Default)]
struct Layer {
    /// Patterns without parameters, by their whole path: the common case, one hash.
    exact: BTreeMap<Box<[u8]>, Vec<Entry>>,
    tree: Node,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// This answers; the parameters are name and decoded value.
    Found(TargetId, Params<'a>),
    /// The path exists, but not with this method; these are the ones it has, for `Allow`.
    MethodNotAllowed(Vec<&'a str>),
    /// Nothing answers this path.
    NotFound,
}

/// Route parameters in the order of the path.
pub type Params<'a> = Vec<(&'a str, Vec<u8>)>;

impl Router {
    /// Adds an explicit route. `methods` empty means all.
    pub fn add_rule(&mut self, pattern: &Pattern, methods: &[String], target: TargetId) {
        self.paths.add(pattern, methods, target);
    }

    /// Adds an explicit route by an expression, behind those that are there. `methods` empty means all.
    pub fn add_match(&mut self, expression: Expression, methods: &[String], target: TargetId) {
        let entry = Entry::new(methods, target, Box::default());
        self.expressions.push((expression, entry));
    }

    /// Adds a file's own route.
    pub fn add_file(&mut self, pattern: &Pattern, target: TargetId) {
        self.files.add(pattern, &[], target);
    }

    /// Adds a route that has a name for a path.
    pub fn add_named(&mut self, name: &str, target: TargetId) {
        self.named.insert(name.into(), target);
    }

    /// The route of a name, its `@` included.
    pub fn find_named(&self, name: &str) -> Option<TargetId> {
        self.named.get(name).copied()
    }

    /// Finds what answers `method` on the raw (still encoded) `path`.
    pub fn find(&self, method: &str, path: &[u8]) -> Match<'_> {
        match self.paths.find(method, path) {
            Match::NotFound => {}
            found => return found,
        }
        match self.find_expression(method, path) {
            Match::NotFound => self.files.find(method, path),
            found => found,
        }
    }

    fn find_expression(&self, method: &str, path: &[u8]) -> Match<'_> {
        let mut refused = Vec::new();
        for (expression, entry) in &self.expressions {
            let Some(params) = expression.captures(path) else {
                continue;
            };
            if choose(std::slice::from_ref(entry), method, &mut refused).is_some() {
                return Match::Found(entry.target, params);
            }
        }
        conclude(refused)
    }
}

impl Layer {
    fn add(&mut self, pattern: &Pattern, methods: &[String], target: TargetId) {
        let params = pattern.param_names().map(Into::into).collect();
        let entry = Entry::new(methods, target, params);
        if let Some(path) = pattern.literal_path() {
            self.exact
                .entry(path.into_bytes().into())
                .or_default()
                .push(entry);
            return;
        }
        let mut node = &mut self.tree;
        for segment in &pattern.segments {
            match segment {
                Segment::Literal(text) => {
                    node = node.literals.entry(text.as_bytes().into()).or_default()
                }
                Segment::Param(_) => node = node.param.get_or_insert_default(),
                Segment::Rest(_) => return node.rest.push(entry),
            }
        }
        node.entries.push(entry);
    }

    fn find(&self, method: &str, path: &[u8]) -> Match<'_> {
        let mut refused = Vec::new();
        if let Some(found) = self
            .exact
            .get(path)
            .and_then(|entries| choose(entries, method, &mut refused))
        {
            return Match::Found(found.target, Vec::new());
        }
        let plain = path.strip_prefix(b"/").unwrap_or(path);
        let plain = plain.strip_suffix(b"/").unwrap_or(plain);
        let has_params = self.tree.param.is_some()
            || !self.tree.literals.is_empty()
            || !self.tree.rest.is_empty();
        if !has_params && !path.contains(&b'%') && !path.ends_with(b"/") {
            return conclude(refused);
        }
        let segments: Vec<Cow<'_, [u8]>> = match plain {
            b"" => Vec::new(),
            plain => plain
                .split(|byte| *byte == b'/')
                .map(percent_decode)
                .collect(),
        };
        let mut whole = Vec::with_capacity(path.len());
        for segment in &segments {
            whole.push(b'/');
            whole.extend_from_slice(segment);
        }
        if whole != path && !segments.iter().any(|segment| segment.contains(&b'/')) {
            let entries = self.exact.get(whole.as_slice());
            if let Some(found) = entries.and_then(|entries| choose(entries, method, &mut refused)) {
                return Match::Found(found.target, Vec::new());
            }
        }
        let mut values = Vec::new();
        match self.tree.find(method, &segments, &mut values, &mut refused) {
            Some(entry) => Match::Found(
                entry.target,
                entry
                    .params
                    .iter()
                    .map(|name| &**name)
                    .zip(values)
                    .collect(),
            ),
            None => conclude(refused),
        }
    }
}

fn conclude(refused: Vec<&str>) -> Match<'_> {
    if refused.is_empty() {
        Match::NotFound
    } else {
        Match::MethodNotAllowed(refused)
    }
}

impl Node {
    /// Depth is that of the app's deepest pattern, which is that of its folders or manifest.
    fn find<'a>(
        &'a self,
        method: &str,
        segments: &[Cow<'_, [u8]>],
        values: &mut Vec<Vec<u8>>,
        refused: &mut Vec<&'a str>,
    ) -> Option<&'a Entry> {
        if let Some((first, others)) = segments.split_first() {
            let literal = self.literals.get(&**first);
            if let Some(found) = literal.and_then(|node| node.find(method, others, values, refused))
            {
                return Some(found);
            }
            if let Some(node) = self.param.as_ref().filter(|_| !first.is_empty()) {
                values.push(first.to_vec());
                if let Some(found) = node.find(method, others, values, refused) {
                    return Some(found);
                }
                values.pop();
            }
        } else if let Some(found) = choose(&self.entries, method, refused) {
            return Some(found);
        }
        let found = choose(&self.rest, method, refused)?;
        values.push(segments.join(&b'/'));
        Some(found)
    }
}

/// The entry that takes `method`; a HEAD is answered by what answers GET. Else notes what is taken.
fn choose<'a>(entries: &'a [Entry], method: &str, refused: &mut Vec<&'a str>) -> Option<&'a Entry> {
    let takes = |entry: &&Entry, wanted: &str| {
        entry.methods.is_empty() || entry.methods.iter().any(|method| **method == *wanted)
    };
    let found = entries.iter().find(|entry| takes(entry, method));
    let found = found.or_else(|| {
        entries
            .iter()
            .find(|entry| method == "HEAD" && takes(entry, "GET"))
    });
    if found.is_none() {
        for method in entries.iter().flat_map(|entry| entry.methods.iter()) {
            if !refused.contains(&&**method) {
                refused.push(method);
            }
        }
    }
    found
}

/// Decodes `%XX`; what is not a valid escape stays as it is.
pub fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let escape = text
            .get(at + 1..at + 3)
            .and_then(|hex| Some(hex_digit(hex[0])? << 4 | hex_digit(hex[1])?));
        match escape {
            Some(byte) if text[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(text[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
