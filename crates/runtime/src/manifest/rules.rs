//! `[[rule]]`: what is answered before routes are looked at, by a redirect or by another server.

use super::Manifest;
use super::reader::{Reader, Section};
use super::routes::read_methods;
use crate::route::{Expression, Pattern};
use crate::rule::{Kind, Rule, Template};
use std::time::Duration;

/// The most rules.
const MAX_RULES: usize = 1000;

/// The most fields of one rule.
const MAX_FIELDS: usize = 50;

/// The most rules by expressions: each request is searched for all of them.
const MAX_EXPRESSIONS: usize = 100;

/// What a rule is for; valid as [`crate::route`] understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum For {
    /// `/old`, `/u/:id`, `/files/*rest`.
    Path(String),
    /// A regular expression.
    Match(String),
}

/// A `[[rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleEntry {
    /// What it is for.
    pub place: For,
    /// Upper case; empty means every method.
    pub methods: Vec<String>,
    /// What it does.
    pub rule: Rule,
    /// Where it stands in the manifest.
    pub line: u32,
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, table: &Section<'a>, manifest: &mut Manifest) {
    const KEYS: &[&str] = &[
        "for",
        "match",
        "methods",
        "type",
        "to",
        "status",
        "headers",
        "timeout",
        "preserve_host",
    ];
    reader.known_keys(table, "[[rule]]", KEYS);
    if manifest.rules.len() >= MAX_RULES {
        if manifest.rules.len() == MAX_RULES {
            reader.problem(table.line, format!("more than {MAX_RULES} rules"));
        }
        return;
    }
    let methods = read_methods(reader, table);
    let headers = read_headers(reader, table);
    let kind = read_kind(reader, table);
    let place = read_place(reader, table, manifest);
    let to = reader.string(table, "to");
    if to.is_none() && !table.has("to") {
        let why = "a [[rule]] needs to, where it leads, such as to = \"/new\" or to = \"http://127.0.0.1:9000\"";
        reader.problem(table.line, why);
    }
    let (Some((place, names)), Some((to, line)), Some(kind)) = (place, to, kind) else {
        return;
    };
    let is_proxy = matches!(kind, Kind::Proxy { .. });
    match Template::parse(&to, &names, is_proxy) {
        Err(why) => reader.problem(line, why),
        Ok(to) => manifest.rules.push(RuleEntry {
            place,
            methods,
            rule: Rule { kind, to, headers },
            line: table.line,
        }),
    }
}

/// What the rule does.
fn read_kind<'a>(reader: &mut Reader<'a>, table: &Section<'a>) -> Option<Kind> {
    const HOUR: Duration = Duration::from_secs(3600);
    const MS: Duration = Duration::from_millis(1);
    let kind = reader.string(table, "type");
    if kind.is_none() && !table.has("type") {
        let why = "a [[rule]] needs type = \"redirect\" or type = \"proxy\"";
        reader.problem(table.line, why);
    }
    let status = reader.count(table, "status", 999);
    let timeout = reader.duration(table, "timeout", MS, HOUR);
    let preserve_host = reader.boolean(table, "preserve_host");
    let (kind, line) = kind?;
    match kind.as_str() {
        "redirect" => {
            for key in ["timeout", "preserve_host"] {
                if table.has(key) {
                    reader.problem(table.line, format!("{key} is for rules of type \"proxy\""));
                }
            }
            match status.unwrap_or(302) {
                status @ (301 | 302 | 303 | 307 | 308) => Some(Kind::Redirect {
                    status: status as u16,
                }),
                _ => {
                    let why = "the status of a redirect is 301, 302, 303, 307 or 308";
                    reader.problem(table.line, why);
                    None
                }
            }
        }
        "proxy" => {
            if table.has("status") {
                let why = "status is for rules of type \"redirect\": a proxy passes on that of the other server";
                reader.problem(table.line, why);
            }
            Some(Kind::Proxy {
                timeout: timeout.unwrap_or(Duration::from_secs(60)),
                preserve_host: preserve_host.is_some_and(|(preserve, _)| preserve),
            })
        }
        other => {
            let why = format!("type is \"redirect\" or \"proxy\", not \"{other}\"");
            reader.problem(line, why);
            None
        }
    }
}

/// What the rule is for, and the names of what it captures.
fn read_place<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    manifest: &Manifest,
) -> Option<(For, Vec<String>)> {
    let path = reader.string(table, "for");
    let expression = reader.string(table, "match");
    if !table.has("for") && !table.has("match") {
        let why = "a [[rule]] needs for, such as for = \"/old/*rest\", or match, such as match = '^/old/(.*)$'";
        reader.problem(table.line, why);
    }
    let (line, read) = match (path, expression) {
        (Some(_), Some((_, line))) => {
            reader.problem(line, "a [[rule]] has for or match, not both");
            return None;
        }
        (Some((path, line)), None) => {
            let names = Pattern::parse(&path).map(|pattern| pattern.names());
            (line, names.map(|names| (For::Path(path), names)))
        }
        (None, Some((text, line))) => {
            let all = manifest.rules.iter();
            let others = all.filter(|entry| matches!(entry.place, For::Match(_)));
            if others.count() >= MAX_EXPRESSIONS {
                let why =
                    format!("more than {MAX_EXPRESSIONS} rules have match; write some as for");
                reader.problem(line, why);
                return None;
            }
            let names = Expression::parse(&text).map(|expression| expression.names());
            (line, names.map(|names| (For::Match(text), names)))
        }
        (None, None) => return None,
    };
    match read {
        Ok(read) => Some(read),
        Err(why) => {
            reader.problem(line, why);
            None
        }
    }
}

/// Fields that say how a message is sent, which nobody sets.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn read_headers<'a>(reader: &mut Reader<'a>, table: &Section<'a>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let Some(section) = reader.section(table, "headers") else {
        return headers;
    };
    let names: Vec<String> = section.keys().collect();
    if names.len() > MAX_FIELDS {
        reader.problem(section.line, format!("headers has more than {MAX_FIELDS}"));
        return headers;
    }
    for name in names {
        let Some((value, line)) = reader.string(&section, &name) else {
            continue;
        };
        let lower = name.to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if FRAMING.contains(&&*lower) {
            reader.problem(line, format!("the header '{name}' is the server's own"));
        } else if name.is_empty() || !name.chars().all(is_token) {
            reader.problem(line, format!("'{name}' is not the name of a header"));
        } else if value.chars().any(|c| c.is_control() && c != '\t') {
            reader.problem(
                line,
                format!("the value of '{name}' has a control character"),
            );
        } else {
            headers.push((lower, value));
        }
    }
    headers
}
