//! Which app answers a host.
//!
//! **Invariant:** built once for each change of the apps, read by every worker, and decided by the host alone: an exact name wins
//! over a wildcard, a longer wildcard over a shorter one, a named host over being the only app.

use rille_runtime::manifest::{HostPattern, Manifest};
use std::collections::HashMap;

/// The place of a served app: it keeps that for as long as it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppIndex(pub usize);

/// Which hosts are somebody's, while it is found out who fits beside whom.
#[derive(Debug, Default)]
pub struct Claims {
    /// The app that has a host.
    owners: HashMap<String, String>,
}

impl Claims {
    /// Claims an app's hosts. The error names the two apps that want the same; then nothing is claimed.
    pub fn claim(&mut self, manifest: &Manifest) -> Result<(), String> {
        let keys: Vec<String> = patterns(manifest).map(|pattern| key(&pattern)).collect();
        let others =
            |key: &&String| (self.owners.get(*key)).is_some_and(|owner| *owner != manifest.name);
        if let Some(key) = keys.iter().find(others) {
            let owner = self.owners.get(key).map_or("", String::as_str);
            return Err(format!(
                "apps '{owner}' and '{}' both answer the host {key}; change 'hosts' or 'name' in one rille.toml",
                manifest.name
            ));
        }
        let owned = keys.into_iter().map(|key| (key, manifest.name.clone()));
        self.owners.extend(owned);
        Ok(())
    }
}

/// The hosts an app answers.
fn patterns(manifest: &Manifest) -> impl Iterator<Item = HostPattern> + '_ {
    let own = HostPattern::Exact(format!("{}.localhost", manifest.name));
    std::iter::once(own).chain(manifest.hosts.iter().cloned())
}

fn key(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    }
}

/// The hosts of all apps.
#[derive(Debug, Default)]
pub struct Hosts {
    exact: HashMap<Box<str>, AppIndex>,
    /// Each starts with a dot; longest first.
    suffixes: Vec<(Box<str>, AppIndex)>,
    /// The only app answers every host.
    only: Option<AppIndex>,
}

impl Hosts {
    /// The hosts of these apps. The error names the two apps that want the same host.
    pub fn new<'a>(
        manifests: impl Iterator<Item = (AppIndex, &'a Manifest)>,
    ) -> Result<Hosts, String> {
        let mut hosts = Hosts::default();
        let (mut count, mut first) = (0, None);
        let mut claims = Claims::default();
        for (at, manifest) in manifests {
            count += 1;
            first.get_or_insert(at);
            claims.claim(manifest)?;
            for pattern in patterns(manifest) {
                match &pattern {
                    HostPattern::Exact(name) => {
                        hosts.exact.insert(name.as_str().into(), at);
                    }
                    HostPattern::Suffix(suffix) => {
                        hosts.suffixes.push((suffix.as_str().into(), at))
                    }
                }
            }
        }
        hosts.only = first.filter(|_| count == 1);
        hosts
            .suffixes
            .sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(hosts)
    }

    /// The app that answers this `Host` header, port and case aside.
    pub fn find(&self, host: &str) -> Option<AppIndex> {
        self.only.or_else(|| self.find_named(host))
    }

    /// The same, if the header names one: being the only app is not enough.
    pub fn find_named(&self, host: &str) -> Option<AppIndex> {
        let name = strip_port(host).trim_end_matches('.').to_ascii_lowercase();
        if let Some(found) = self.exact.get(name.as_str()) {
            return Some(*found);
        }
        let wildcard = |(suffix, _): &&(Box<str>, AppIndex)| {
            name.len() > suffix.len() && name.ends_with(&**suffix)
        };
        self.suffixes.iter().find(wildcard).map(|(_, index)| *index)
    }
}

/// `host:port` without the port; the brackets of an IPv6 address stay.
pub fn strip_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

/// Whether a host means this machine rather than an app: a bare name or address.
pub fn is_bare(host: &str) -> bool {
    let name = strip_port(host);
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, hosts: &[&str]) -> Manifest {
        let list = format!("name = '{name}'\nhosts = {hosts:?}");
        let (manifest, problems) = Manifest::parse(&list, "rille.toml", name);
        assert_eq!(problems, []);
        manifest
    }

    fn hosts(manifests: &[Manifest]) -> Result<Hosts, String> {
        Hosts::new((0..).map(AppIndex).zip(manifests))
    }

    #[test]
    fn one_app_answers_everything() {
        let hosts = hosts(&[manifest("shop", &[])]).unwrap();
        assert_eq!(hosts.find("anything.example"), Some(AppIndex(0)));
        assert_eq!(hosts.find(""), Some(AppIndex(0)));
    }

    #[test]
    fn several_answer_their_own() {
        let hosts = hosts(&[
            manifest("shop", &["*.shop.dev", "shop.example.com"]),
            manifest("blog", &["*.x.shop.dev", "a.shop.dev"]),
        ])
        .unwrap();
        for (host, expected) in [
            ("shop.localhost", Some(0)),
            ("Shop.LocalHost:8080", Some(0)),
            ("blog.localhost.", Some(1)),
            ("b.shop.dev", Some(0)),
            ("a.shop.dev:80", Some(1)),
            ("b.x.shop.dev", Some(1)),
            ("shop.dev", None),
            (".shop.dev", None),
            ("localhost", None),
            ("127.0.0.1:8080", None),
        ] {
            assert_eq!(hosts.find(host), expected.map(AppIndex), "{host}");
        }
    }

    #[test]
    fn two_apps_cannot_share_a_host() {
        let clash = hosts(&[manifest("shop", &["a.com"]), manifest("blog", &["A.com"])]);
        assert!(
            clash
                .unwrap_err()
                .starts_with("apps 'shop' and 'blog' both answer the host a.com;")
        );
        let twins = hosts(&[manifest("shop", &["shop.localhost"]), manifest("b", &[])]);
        assert!(twins.is_ok());
    }

    #[test]
    fn ports_and_bare_hosts() {
        assert_eq!(strip_port("[::1]:80"), "[::1]");
        assert_eq!(strip_port("[::1]"), "[::1]");
        assert!(is_bare("localhost:80") && is_bare("127.0.0.1") && is_bare("[::1]:80"));
        assert!(!is_bare("a.localhost") && !is_bare(""));
    }
}
