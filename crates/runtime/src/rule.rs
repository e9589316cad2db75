//! Rules of the manifest: redirects and proxies that come before the routes.
//!
//! ```text
//!   to = "https://new.example/{lang}/{rest}?from=old"
//!         ^ literal            ^ captured, escaped
//! ```
//!
//! **Invariants.** What is captured changes only the path and the query of where a rule leads, never the server: a place for it in scheme, host or port is
//! refused when the manifest is read, everything that has a meaning in a URL is escaped, and a path never comes to begin with `//`. Where a proxy leads, no captured
//! part goes up (`..`).

use crate::manifest::{For, RuleEntry};
use crate::route::{Expression, Match, Params, Pattern, Router, TargetId};
use std::time::Duration;

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The client is told to go elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// Another server is asked.
    Proxy {
        /// For how long it may be silent.
        timeout: Duration,
        /// Whether it is asked for the client's host, and not its own.
        preserve_host: bool,
    },
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it does.
    pub kind: Kind,
    /// Where it leads.
    pub to: Template,
    /// Lower-case names and values: of the response of a redirect, or of the request to the other server.
    pub headers: Vec<(String, String)>,
}

/// Why a request cannot go where a rule leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escapes;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Captured(String),
}

/// Where a rule leads, with places for what was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Scheme, host and port; empty: the same.
    origin: String,
    /// Path and query. Empty, of a proxy: those of the request.
    parts: Vec<Part>,
    has_query: bool,
    /// Whether it is a proxy's.
    is_guarded: bool,
}

impl Template {
    /// Reads where a rule leads. The error says what is wrong with it. `names`: what is captured.
    pub fn parse(text: &str, names: &[String], is_proxy: bool) -> Result<Template, String> {
        if text
            .chars()
            .any(|c| c.is_control() || c == ' ' || c == '\\' || !c.is_ascii())
        {
            return Err(format!(
                "'{}' has a character that a URL cannot have; escape it with %",
                text.escape_default()
            ));
        }
        let scheme = ["http://", "https://"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme));
        let (origin, rest) = match scheme {
            Some(scheme) => {
                let after = text.get(scheme.len()..).unwrap_or_default();
                let end = after.find(['/', '?', '#']).unwrap_or(after.len());
                text.split_at(scheme.len() + end)
            }
            None if is_proxy => {
                return Err(format!(
                    "'{text}' is not the URL of a server; write it as \"http://127.0.0.1:9000\" or \"https://example.com/path/{{rest}}\""
                ));
            }
            None => ("", text),
        };
        if origin.contains(['{', '}', '@']) || scheme == Some(origin) {
            return Err(format!(
                "'{text}': the host is written out, without a user and without captures"
            ));
        }
        if origin.is_empty() && (!rest.starts_with('/') || rest.starts_with("//")) {
            return Err(format!(
                "'{text}' is neither a path nor a URL; write it as \"/new\" or \"https://example.com/new\""
            ));
        }
        if is_proxy && rest.contains('#') {
            return Err(format!("'{text}': a server is not asked for a fragment"));
        }
        Ok(Template {
            origin: origin.to_owned(),
            parts: parts_of(text, rest, names)?,
            has_query: rest.contains('?'),
            is_guarded: is_proxy,
        })
    }

    /// Where a request with this target leads. `query`: what is behind its question mark; it is passed on unless the rule has one of its own.
    pub fn fill(
        &self,
        params: &[(&str, Vec<u8>)],
        target: &[u8],
        query: Option<&[u8]>,
    ) -> Result<Vec<u8>, Escapes> {
        let mut out = self.origin.clone().into_bytes();
        if self.is_guarded && self.parts.is_empty() {
            out.extend_from_slice(target);
            return Ok(out);
        }
        let start = out.len();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Captured(name) => {
                    let found = params.iter().find(|(known, _)| known == name);
                    let value = found.map(|(_, value)| &**value).unwrap_or_default();
                    if self.is_guarded && goes_up(value) {
                        return Err(Escapes);
                    }
                    escape(value, &mut out);
                }
            }
        }
        // Two slashes at the beginning of a path would be those in front of a host.
        if self.origin.is_empty() {
            let slashes = (out.iter().skip(start))
                .take_while(|byte| **byte == b'/')
                .count();
            if slashes > 1 {
                out.drain(start..start + slashes - 1);
            }
        }
        if let (false, Some(query)) = (self.has_query, query) {
            // A fragment is the last of all.
            let end = out
                .iter()
                .position(|byte| *byte == b'#')
                .unwrap_or(out.len());
            let fragment = out.split_off(end);
            out.push(b'?');
            out.extend(query.iter().filter(|byte| byte.is_ascii_graphic()));
            out.extend(fragment);
        }
        Ok(out)
    }
}

fn parts_of(text: &str, mut rest: &str, names: &[String]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(format!("'{text}' has a '{{' without its '}}'"));
        };
        if !names.iter().any(|known| known == name) {
            let known = match names {
                [] => "it captures nothing".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            return Err(format!("'{text}': the rule captures no '{name}'; {known}"));
        }
        if !before.is_empty() {
            parts.push(Part::Literal(before.to_owned()));
        }
        parts.push(Part::Captured(name.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

/// Whether a part of a path leads out of where it is put. Some servers take a backslash for a slash, and decode twice.
fn goes_up(value: &[u8]) -> bool {
    value
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .map(|part| part.split(|byte| *byte == b';').next().unwrap_or_default())
        .any(|part| matches!(part, b"." | b"..") || part.contains(&b'%') || part.contains(&0))
}

/// Everything but what has no meaning in a URL, and the slash.
fn escape(value: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(*byte);
            }
            byte => out.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
}

/// The rules of an app.
#[derive(Debug, Default)]
pub struct Rules {
    router: Router,
    rules: Vec<Rule>,
}

impl Rules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Of the rules of a manifest. The error says which of them is none, and why.
    pub fn new(entries: &[RuleEntry]) -> Result<Rules, (u32, String)> {
        let mut rules = Rules::default();
        for entry in entries {
            let target = TargetId(rules.rules.len() as u32);
            rules.rules.push(entry.rule.clone());
            let (router, methods) = (&mut rules.router, &entry.methods);
            match &entry.place {
                For::Path(path) => {
                    Pattern::parse(path).map(|pattern| router.add_rule(&pattern, methods, target))
                }
                For::Match(text) => Expression::parse(text)
                    .map(|expression| router.add_match(expression, methods, target)),
            }
            .map_err(|why| (entry.line, why))?;
        }
        Ok(rules)
    }

    /// The rule for a request, and what it captures. One for other methods is none.
    pub fn find(&self, method: &str, path: &[u8]) -> Option<(&Rule, Params<'_>)> {
        match self.router.find(method, path) {
            Match::Found(target, params) => {
                self.rules.get(target.0 as usize).map(|rule| (rule, params))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn fill(to: &str, is_proxy: bool, value: &str, query: Option<&str>) -> Result<String, Escapes> {
        let template = Template::parse(to, &names(&["x"]), is_proxy).unwrap();
        let params = [("x", value.as_bytes().to_vec())];
        let filled = template.fill(&params, b"/raw%2F?q", query.map(str::as_bytes));
        filled.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn redirects() {
        for (to, value, query, expected) in [
            ("/new/{x}", "a/b c", None, "/new/a/b%20c"),
            ("/new/{x}", "a", Some("p=1"), "/new/a?p=1"),
            ("/new?id={x}", "a&b", Some("p=1"), "/new?id=a%26b"),
            ("/new#{x}", "a", Some("p=1"), "/new?p=1#a"),
            (
                "https://h.test:1/{x}",
                "\r\nSet-Cookie: a",
                None,
                "https://h.test:1/%0D%0ASet-Cookie%3A%20a",
            ),
            (
                "https://h.test/{x}",
                "/evil.test",
                None,
                "https://h.test//evil.test",
            ),
            ("https://h.test", "", Some("a=b"), "https://h.test?a=b"),
            // A path that would name another host.
            ("/{x}", "/evil.test", None, "/evil.test"),
            ("/{x}", "//evil.test", None, "/evil.test"),
            ("/{x}/y", "", None, "/y"),
            ("/{x}", "\\evil.test", None, "/%5Cevil.test"),
            ("/{x}", "@evil.test", None, "/%40evil.test"),
            ("/{x}", "a", Some("b\r\nc"), "/a?bc"),
        ] {
            assert_eq!(fill(to, false, value, query).unwrap(), expected, "{to}");
        }
    }

    #[test]
    fn proxies() {
        let to = "http://h.test/app/{x}";
        assert_eq!(
            fill(to, true, "a/b", Some("q=1")).unwrap(),
            "http://h.test/app/a/b?q=1"
        );
        for up in [
            "..", "a/../b", "../", "./a", "a/..", "..;x", "a\\..\\b", "%2e%2e", "a\0",
        ] {
            assert_eq!(fill(to, true, up, None), Err(Escapes), "{up:?}");
        }
        assert!(fill(to, true, "...", None).is_ok() && fill(to, true, "a..b", None).is_ok());
        // Without a path the request's own goes as it came.
        assert_eq!(
            fill("http://h.test", true, "..", None).unwrap(),
            "http://h.test/raw%2F?q"
        );
    }

    #[test]
    fn what_leads_nowhere() {
        for (to, is_proxy) in [
            ("", false),
            ("new", false),
            ("//evil.test", false),
            ("ftp://a.test", false),
            ("javascript:alert(1)", false),
            ("http://", false),
            ("http:///x", false),
            ("https://{x}.test/", false),
            ("https://a.test:{x}/", false),
            ("https://u:p@a.test/", false),
            ("/a b", false),
            ("/a\nb", false),
            ("/{x", false),
            ("/{y}", false),
            ("/{}", false),
            ("/new", true),
            ("http://a.test/#x", true),
        ] {
            assert!(
                Template::parse(to, &names(&["x"]), is_proxy).is_err(),
                "{to:?}"
            );
        }
    }
}
