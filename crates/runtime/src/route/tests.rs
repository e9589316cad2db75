//! Which route answers: files, rules, expressions, and their order.

use super::*;

fn router(rules: &[(&str, &[&str])], files: &[&str]) -> Router {
    let mut router = Router::default();
    for (at, (path, methods)) in rules.iter().enumerate() {
        let methods: Vec<String> = methods.iter().map(|m| (*m).to_owned()).collect();
        router.add_rule(
            &Pattern::parse(path).unwrap(),
            &methods,
            TargetId(at as u32),
        );
    }
    for (at, file) in files.iter().enumerate() {
        router.add_file(&Pattern::of_file(file).unwrap(), TargetId(100 + at as u32));
    }
    router
}

fn found(router: &Router, path: &str) -> Option<(u32, Vec<(String, String)>)> {
    match router.find("GET", path.as_bytes()) {
        Match::Found(id, params) => Some((
            id.0,
            params
                .into_iter()
                .map(|(name, value)| {
                    (
                        name.to_owned(),
                        String::from_utf8_lossy(&value).into_owned(),
                    )
                })
                .collect(),
        )),
        _ => None,
    }
}

fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn files() {
    let router = router(
        &[],
        &[
            "index.lua",
            "api/users.lua",
            "api/users/[id].lua",
            "log/index.lua",
            "f/[...rest].lua",
        ],
    );
    assert_eq!(found(&router, "/"), Some((100, params(&[]))));
    assert_eq!(found(&router, "/api/users"), Some((101, params(&[]))));
    assert_eq!(found(&router, "/api/users/"), Some((101, params(&[]))));
    assert_eq!(
        found(&router, "/api/users/42"),
        Some((102, params(&[("id", "42")])))
    );
    assert_eq!(
        found(&router, "/api/users/a%2Fb%20c"),
        Some((102, params(&[("id", "a/b c")])))
    );
    assert_eq!(found(&router, "/log"), Some((103, params(&[]))));
    assert_eq!(found(&router, "/%6cog"), Some((103, params(&[]))));
    assert_eq!(
        found(&router, "/f/a/b"),
        Some((104, params(&[("rest", "a/b")])))
    );
    for missing in [
        "/index",
        "/api",
        "/api/users/42/x",
        "/api//42",
        "//",
        "/api%2Fusers",
        "",
    ] {
        assert_eq!(
            found(&router, missing).map(|f| f.0).filter(|id| *id != 100),
            None,
            "{missing}"
        );
    }
}

#[test]
fn rules_win_and_literals_beat_parameters() {
    let rules: &[(&str, &[&str])] = &[
        ("/u/:id", &["GET"]),
        ("/u/me", &[]),
        ("/files/*rest", &[]),
        ("/u/:id/x/:y", &[]),
        ("/a", &["POST", "GET"]),
    ];
    let router = router(rules, &["u/[name].lua", "a.lua"]);
    assert_eq!(found(&router, "/u/7"), Some((0, params(&[("id", "7")]))));
    assert_eq!(found(&router, "/u/me"), Some((1, params(&[]))));
    assert_eq!(found(&router, "/files"), Some((2, params(&[("rest", "")]))));
    assert_eq!(
        found(&router, "/files/a//b"),
        Some((2, params(&[("rest", "a//b")])))
    );
    assert_eq!(
        found(&router, "/u/7/x/8"),
        Some((3, params(&[("id", "7"), ("y", "8")])))
    );
    assert_eq!(
        router.find("PUT", b"/u/7"),
        Match::MethodNotAllowed(vec!["GET"])
    );
    assert_eq!(
        router.find("PUT", b"/a"),
        Match::MethodNotAllowed(vec!["POST", "GET"])
    );
    assert!(matches!(
        router.find("HEAD", b"/u/7"),
        Match::Found(TargetId(0), _)
    ));
    assert_eq!(router.find("GET", b"/nothing"), Match::NotFound);
}

#[test]
fn expressions_come_after_paths_and_before_files() {
    let mut router = router(
        &[("/api/:name", &["GET"]), ("/exact", &[])],
        &["api/7.lua", "f/7.lua", "g.lua"],
    );
    for (at, (expression, methods)) in [
        (r"^/(\w+)/(\d+)$", &["POST"][..]),
        (r"^/f/(?<id>\d+)$", &["PUT", "GET"]),
        ("^/f/", &[]),
        ("exact", &[]),
    ]
    .iter()
    .enumerate()
    {
        let methods: Vec<String> = methods.iter().map(|m| (*m).to_owned()).collect();
        let expression = Expression::parse(expression).unwrap();
        router.add_match(expression, &methods, TargetId(10 + at as u32));
    }
    // A path wins, also where it is less exact, and where it does not take the method.
    assert_eq!(
        found(&router, "/api/7"),
        Some((0, params(&[("name", "7")])))
    );
    assert_eq!(found(&router, "/exact"), Some((1, params(&[]))));
    assert_eq!(
        router.find("POST", b"/api/7"),
        Match::MethodNotAllowed(vec!["GET"])
    );
    // The first expression in the file that takes the method.
    assert_eq!(
        found(&router, "/f/7"),
        Some((11, params(&[("1", "7"), ("id", "7")])))
    );
    assert!(matches!(
        router.find("POST", b"/f/7"),
        Match::Found(TargetId(10), _)
    ));
    assert!(matches!(
        router.find("HEAD", b"/f/7"),
        Match::Found(TargetId(11), _)
    ));
    assert!(matches!(
        router.find("DELETE", b"/f/7"),
        Match::Found(TargetId(12), _)
    ));
    assert_eq!(
        router.find("GET", b"/g/7"),
        Match::MethodNotAllowed(vec!["POST"])
    );
    assert_eq!(found(&router, "/inexact"), Some((13, params(&[]))));
    // What no expression matches.
    assert_eq!(found(&router, "/g"), Some((102, params(&[]))));
    assert_eq!(found(&router, "/none"), None);
}

#[test]
fn a_tree_of_dead_ends_is_searched_once() {
    // Every level offers a literal and a parameter; only the very last segment fails.
    let mut rules = Vec::new();
    for depth in 1..12 {
        for mix in 0..1u32 << depth.min(6) {
            let path: String = (0..depth)
                .map(|at| {
                    if mix >> at & 1 == 1 {
                        "/a".into()
                    } else {
                        format!("/:p{at}")
                    }
                })
                .collect();
            rules.push(path + "/end");
        }
    }
    let mut router = Router::default();
    for path in &rules {
        router.add_rule(&Pattern::parse(path).unwrap(), &[], TargetId(0));
    }
    assert_eq!(
        router.find("GET", "/a".repeat(11).as_bytes()),
        Match::NotFound
    );
}

#[test]
fn bad_patterns_say_why() {
    for (path, why) in [
        ("a", "must start with '/'"),
        ("/a//b", "empty segment"),
        ("/*rest/x", "must come last"),
        ("/:", "cannot name a parameter"),
        ("/:1a", "cannot name a parameter"),
        ("/:a/:a", "two parameters named 'a'"),
    ] {
        assert!(Pattern::parse(path).unwrap_err().contains(why), "{path}");
    }
    assert_eq!(Pattern::of_file("[a b].lua"), None);
    assert_eq!(
        Pattern::parse("/").unwrap().literal_path().as_deref(),
        Some("/")
    );
}

#[test]
fn escapes() {
    assert_eq!(&*percent_decode(b"a%20b%zz%4"), b"a b%zz%4");
    assert_eq!(&*percent_decode(b"%25%00"), b"%\0");
}
