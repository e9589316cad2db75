//! Which endpoint answers which method and path.
//!
//! **Invariant:** [`ROUTES`] is all there is.

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Whether the process runs.
    Health,
    /// This API.
    OpenApi,
    /// The apps.
    Apps,
    /// One of them.
    App,
    /// The versions it has had.
    Versions,
    /// Serve what is at a source.
    Deploy,
    /// Serve a version from before.
    Rollback,
    /// Forget what was fetched.
    Purge,
    /// Serve it no more.
    Remove,
    /// What was said of it.
    Logs,
    /// How its webhook is called.
    HookInfo,
    /// Its source may have something new.
    Hook,
    /// Its tasks.
    Tasks,
    /// A message for one.
    Send,
    /// The end of one.
    Kill,
}

/// Method, path and what answers.
pub const ROUTES: &[(&str, &str, Endpoint)] = &[
    ("GET", "/health", Endpoint::Health),
    ("GET", "/openapi.json", Endpoint::OpenApi),
    ("GET", "/v1/apps", Endpoint::Apps),
    ("GET", "/v1/apps/{name}", Endpoint::App),
    ("DELETE", "/v1/apps/{name}", Endpoint::Remove),
    ("GET", "/v1/apps/{name}/versions", Endpoint::Versions),
    ("POST", "/v1/apps/{name}/deploy", Endpoint::Deploy),
    ("POST", "/v1/apps/{name}/rollback", Endpoint::Rollback),
    ("POST", "/v1/apps/{name}/purge", Endpoint::Purge),
    ("GET", "/v1/apps/{name}/logs", Endpoint::Logs),
    ("GET", "/v1/apps/{name}/hook", Endpoint::HookInfo),
    ("POST", "/v1/apps/{name}/hook", Endpoint::Hook),
    ("GET", "/v1/apps/{name}/tasks", Endpoint::Tasks),
    ("POST", "/v1/apps/{name}/tasks/{tid}/send", Endpoint::Send),
    ("DELETE", "/v1/apps/{name}/tasks/{tid}", Endpoint::Kill),
];

/// What stands in the places of a path.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Params {
    /// `{name}`
    pub name: String,
    /// `{tid}`
    pub tid: String,
}

/// What there is for a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Match {
    /// This.
    Found(Endpoint, Params),
    /// Something for other methods: these.
    Method(String),
    /// Nothing.
    None,
}

/// Finds what answers.
pub fn find(method: &str, path: &str) -> Match {
    let mut allowed = Vec::new();
    for (its_method, template, endpoint) in ROUTES {
        let Some(params) = matches(template, path) else {
            continue;
        };
        if *its_method == method {
            return Match::Found(*endpoint, params);
        }
        allowed.push(*its_method);
    }
    match allowed.is_empty() {
        true => Match::None,
        false => Match::Method(allowed.join(", ")),
    }
}

fn matches(template: &str, path: &str) -> Option<Params> {
    let mut params = Params::default();
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(params),
            (Some("{name}"), Some(name)) if !name.is_empty() => params.name = name.to_owned(),
            (Some("{tid}"), Some(tid)) if !tid.is_empty() => params.tid = tid.to_owned(),
            (Some(expected), Some(given)) if expected == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_are_found() {
        let named = |name: &str, tid: &str| Params {
            name: name.into(),
            tid: tid.into(),
        };
        assert_eq!(
            find("GET", "/health"),
            Match::Found(Endpoint::Health, named("", ""))
        );
        assert_eq!(
            find("DELETE", "/v1/apps/a/tasks/7"),
            Match::Found(Endpoint::Kill, named("a", "7"))
        );
        assert_eq!(
            find("PUT", "/v1/apps/a"),
            Match::Method("GET, DELETE".into())
        );
        for none in [
            "/",
            "/v1/apps/",
            "/v1/apps//logs",
            "/v1/apps/a/logs/",
            "/v1/apps/a/b/c",
            "*",
        ] {
            assert_eq!(find("GET", none), Match::None, "{none}");
        }
    }

    #[test]
    fn the_document_says_what_there_is() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("openapi.json")).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            let methods = methods.filter(|key| *key != "parameters");
            described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        }
        let routes = ROUTES.iter();
        let routes: BTreeSet<_> = routes
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(described, routes);
        assert_eq!(document["openapi"], "3.1.0");
        // What is referred to is there.
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = &reference[..reference.find('"').unwrap()];
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
