//! Regular expressions as routes: `match = '^/api/(\d+)\.lua$'`.
//!
//! An expression is searched for in the decoded path: without `^` and `$` it may be found anywhere in it. It is one of bytes: `\d`, `\w` and
//! `.` are those of ASCII unless it says `(?u)`. The syntax is that of the regex crate: no look-around, no back references, so that a search
//! takes time linear in the path.
//!
//! **Invariant:** what an expression takes, of memory and of time for a path, is bounded by the constants here: an app's expressions run on a
//! worker that it shares with others.

use super::{Params, percent_decode};
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::syntax;

/// Bytes of an expression.
const MAX_LENGTH: usize = 1024;
/// Bytes of what it is compiled to: a few hundred characters, or a few repetitions of large classes.
const MAX_COMPILED: usize = 64 << 10;
/// Bytes that one worker's searches may keep for it.
const CACHE: usize = 256 << 10;
/// Groups in parentheses.
const MAX_GROUPS: usize = 32;
/// Parentheses inside of one another.
const MAX_NESTING: u32 = 32;
/// The longest path, as it was sent, that is searched; a longer one matches nothing.
pub const MAX_PATH: usize = 4096;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    regex: Regex,
    /// Without the whole match.
    groups: Box<[Group]>,
}

/// A group in parentheses.
#[derive(Debug)]
struct Group {
    number: Box<str>,
    name: Option<Box<str>>,
}

impl Expression {
    /// Compiles a manifest's expression. The error says what is wrong with it, and what to do.
    pub fn parse(text: &str) -> Result<Expression, String> {
        let wrong = |why: String| Err(format!("match = '{}': {why}", shown(text)));
        if text.len() > MAX_LENGTH {
            return wrong(format!(
                "it is longer than {MAX_LENGTH} bytes; make several routes of it"
            ));
        }
        let syntax = (syntax::Config::new().unicode(false).utf8(false)).nest_limit(MAX_NESTING);
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(MAX_COMPILED))
            .onepass_size_limit(Some(MAX_COMPILED))
            .hybrid_cache_capacity(CACHE);
        let regex = match Regex::builder()
            .syntax(syntax)
            .configure(config)
            .build(text)
        {
            Ok(regex) => regex,
            Err(error) => return wrong(explain(text, &error)),
        };
        let names = regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO);
        let groups: Box<[_]> = (0..)
            .zip(names)
            .skip(1)
            .map(|(number, name): (usize, _)| Group {
                number: number.to_string().into(),
                name: name.map(Into::into),
            })
            .collect();
        if groups.len() > MAX_GROUPS {
            return wrong(format!(
                "it has more than {MAX_GROUPS} groups; write (?:...) for those that are not needed"
            ));
        }
        Ok(Expression { regex, groups })
    }

    /// The names of what it captures: numbers, then names.
    pub fn names(&self) -> Vec<String> {
        let numbers = self.groups.iter().map(|group| &group.number);
        let named = self.groups.iter().filter_map(|group| group.name.as_ref());
        numbers.chain(named).map(|name| name.to_string()).collect()
    }

    /// What the groups have captured of a path, if it matches; those that took no part are left out. Each has its number as its name, and after
    /// these come those that have names of their own.
    pub(super) fn captures(&self, path: &[u8]) -> Option<Params<'_>> {
        if path.len() > MAX_PATH {
            return None;
        }
        let path = percent_decode(path);
        if self.groups.is_empty() {
            return self.regex.is_match(&*path).then(Vec::new);
        }
        let mut found = self.regex.create_captures();
        self.regex.captures(&*path, &mut found);
        if !found.is_match() {
            return None;
        }
        let taken = |number: usize| {
            let span = found.get_group(number)?;
            Some(path.get(span.range())?.to_vec())
        };
        let (mut params, mut named) = (Vec::with_capacity(self.groups.len()), Vec::new());
        for (at, group) in (1..).zip(&self.groups) {
            let Some(value) = taken(at) else { continue };
            if let Some(name) = &group.name {
                named.push((&**name, value.clone()));
            }
            params.push((&*group.number, value));
        }
        params.append(&mut named);
        Some(params)
    }
}

/// An expression in a message of one line.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    crate::problem::one_line(&start).to_string()
}

/// Why an expression is none, and what to do.
fn explain(text: &str, error: &BuildError) -> String {
    if error.size_limit().is_some() {
        return format!(
            "it is too large (over {} when compiled); use smaller repetitions and classes, or several routes",
            crate::units::show_size(MAX_COMPILED as u64)
        );
    }
    let (why, at) = match error.syntax_error() {
        Some(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), error.span()),
        Some(regex_syntax::Error::Translate(error)) => (error.kind().to_string(), error.span()),
        _ => return "it cannot be compiled; write it in a simpler way".into(),
    };
    let before = text.get(..at.start.offset).unwrap_or_default();
    format!(
        "{} at character {}; put it right, or write a path with path = \"/...\"",
        why.replace('\n', " "),
        before.chars().count() + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(expression: &str, path: &str) -> Option<Vec<(String, String)>> {
        let expression = Expression::parse(expression).unwrap();
        let params = expression.captures(path.as_bytes())?;
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
        Some(
            params
                .into_iter()
                .map(|(name, value)| (name.to_owned(), text(value)))
                .collect(),
        )
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let pairs = pairs.iter().map(|(a, b)| ((*a).into(), (*b).into()));
        Some(pairs.collect())
    }

    #[test]
    fn groups_by_number_and_name() {
        let api = r"^/api/(\d+)(?:/(?<what>\w+))?\.lua$";
        assert_eq!(
            captures(api, "/api/42/list.lua"),
            pairs(&[("1", "42"), ("2", "list"), ("what", "list")])
        );
        assert_eq!(captures(api, "/api/4.lua"), pairs(&[("1", "4")]));
        assert_eq!(captures(api, "/api/x.lua"), None);
        assert_eq!(captures(api, "/api/4.lua\n"), None);
        assert_eq!(captures(r"\.lua$", "/any/where.lua"), pairs(&[]));
        assert_eq!(captures(r"^/(?i:admin)", "/ADMIN/x"), pairs(&[]));
    }

    #[test]
    fn paths_are_decoded_first() {
        assert_eq!(
            captures("^/a b/(.*)$", "/a%20b/%C3%A9%2F"),
            pairs(&[("1", "é/")])
        );
        assert_eq!(captures("^/é$", "/%c3%A9"), pairs(&[]));
        // No character of UTF-8, and still a byte.
        assert!(
            Expression::parse("^/(.)$")
                .unwrap()
                .captures(b"/%ff")
                .is_some()
        );
    }

    #[test]
    fn limits() {
        let most = format!("/{}", "a".repeat(MAX_PATH - 1));
        assert!(captures("a$", &most).is_some());
        assert_eq!(captures("a$", &format!("{most}a")), None);
        let wrong = |text: &str| Expression::parse(text).unwrap_err();
        assert!(wrong(&"a".repeat(MAX_LENGTH + 1)).contains("longer than 1024 bytes"));
        assert!(wrong("(?:a{100}){100}").contains("too large (over 64 KiB"));
        assert!(wrong(&"(a)".repeat(MAX_GROUPS + 1)).contains("more than 32 groups"));
        assert!(wrong(&format!("{}a{}", "(?:".repeat(40), ")".repeat(40))).contains("nest"));
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        for (text, why) in [
            (
                "^/é(a",
                "match = '^/é(a': unclosed group at character 4; put it right",
            ),
            (
                "a**b[",
                "match = 'a**b[': unclosed character class at character 5",
            ),
            (
                "(?=a)",
                "look-around, including look-ahead and look-behind, is not supported at character 1",
            ),
            (r"(a)\1", "backreferences are not supported at character 4"),
            (
                "(?<n>a)(?<n>b)",
                "duplicate capture group name at character 11",
            ),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(
                !error.contains('\n') && error.ends_with("path = \"/...\""),
                "{error}"
            );
        }
    }

    #[test]
    fn the_longest_path_takes_little_time() {
        let slow = Expression::parse(r"^/(a|aa|aaa)*([a-c]+[a-d]+)+([b-e]*)*$").unwrap();
        let path = [b"/".to_vec(), b"a".repeat(MAX_PATH - 2), b"!".to_vec()].concat();
        let start = std::time::Instant::now();
        assert!(slow.captures(&path).is_none());
        assert!(start.elapsed() < std::time::Duration::from_secs(1));
    }
}
