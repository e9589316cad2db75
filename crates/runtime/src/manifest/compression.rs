//! `[compression]`: which responses are compressed.

use super::reader::{Reader, Section};

/// A coding of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// As HTTP names it.
    pub const fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Br => "br",
            Coding::Zstd => "zstd",
        }
    }

    fn of(name: &str) -> Option<Coding> {
        [Coding::Gzip, Coding::Br, Coding::Zstd]
            .into_iter()
            .find(|coding| coding.name() == name)
    }
}

/// Types that gain from it, unless the manifest has others.
const TYPES: &[&str] = &[
    "text/html",
    "text/plain",
    "text/css",
    "text/javascript",
    "text/csv",
    "text/xml",
    "text/markdown",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/manifest+json",
    "application/wasm",
    "image/svg+xml",
    "font/ttf",
    "font/otf",
    "*+json",
    "*+xml",
];

/// The most types.
const MAX_TYPES: usize = 100;

/// Which responses are compressed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// Whether any is.
    pub enabled: bool,
    /// The shortest body that is, in bytes; what is streamed always is.
    pub min_size: u64,
    /// Lower-case types without parameters: `text/html`, `text/*`, `*+json`.
    pub types: Vec<String>,
    /// What clients are offered; of those they like equally, the first.
    pub codings: Vec<Coding>,
    /// From 1, fast, to 9, small.
    pub level: u32,
}

impl Default for Compression {
    fn default() -> Compression {
        Compression {
            enabled: true,
            min_size: 1 << 10,
            types: TYPES.iter().map(|name| (*name).to_owned()).collect(),
            codings: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            level: 4,
        }
    }
}

impl Compression {
    /// Whether a type, without parameters and in any case, is one of those that are compressed.
    pub fn has_type(&self, name: &[u8]) -> bool {
        self.types.iter().any(|known| {
            let known = known.as_bytes();
            match known {
                [b'*', end @ ..] => name
                    .len()
                    .checked_sub(end.len())
                    .and_then(|at| name.get(at..))
                    .is_some_and(|last| last.eq_ignore_ascii_case(end)),
                [start @ .., b'*'] => name
                    .get(..start.len())
                    .is_some_and(|first| first.eq_ignore_ascii_case(start)),
                whole => name.eq_ignore_ascii_case(whole),
            }
        })
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, table: &Section<'a>, rules: &mut Compression) {
    const KEYS: &[&str] = &["enabled", "min_size", "types", "codings", "level"];
    reader.known_keys(table, "[compression]", KEYS);
    if let Some((enabled, _)) = reader.boolean(table, "enabled") {
        rules.enabled = enabled;
    }
    if let Some(size) = reader.size(table, "min_size", 0, 1 << 30) {
        rules.min_size = size;
    }
    if table.has("level") {
        match reader.count(table, "level", 9) {
            Some(0) => reader.problem(table.line, "level goes from 1, fast, to 9, small"),
            Some(level) => rules.level = level as u32,
            None => {}
        }
    }
    if table.has("types") {
        rules.types.clear();
        for (name, line) in reader.strings(table, "types") {
            let name = name.to_ascii_lowercase();
            if rules.types.len() >= MAX_TYPES {
                reader.problem(line, format!("types has more than {MAX_TYPES}"));
                break;
            }
            match is_type(&name) {
                true => rules.types.push(name),
                false => reader.problem(
                    line,
                    format!("'{name}' is not a type; write it as \"text/html\", \"text/*\" or \"*+json\""),
                ),
            }
        }
    }
    if table.has("codings") {
        rules.codings.clear();
        for (name, line) in reader.strings(table, "codings") {
            match Coding::of(&name) {
                Some(coding) if !rules.codings.contains(&coding) => rules.codings.push(coding),
                Some(_) => {}
                None => reader.problem(
                    line,
                    format!("'{name}' is not a coding; there are \"zstd\", \"br\" and \"gzip\""),
                ),
            }
        }
    }
}

fn is_type(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "/+-._".contains(c);
    let plain = match (name.strip_prefix("*+"), name.strip_suffix("/*")) {
        (Some(rest), _) | (_, Some(rest)) => return !rest.is_empty() && rest.chars().all(good),
        _ => name,
    };
    plain.chars().all(good)
        && plain
            .split_once('/')
            .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty() && !rest.contains('/'))
}
