//! Deploys from folders, git and S3 through the admin API: what goes wrong leaves the last good version, and a restart needs no network.

#[path = "../../store/tests/support/s3.rs"]
#[allow(dead_code)]
mod s3;
mod serve_support;

use rille_testkit::process::{self, Exit};
use rille_testkit::server::Server;
use serde_json::json;
use serve_support::admin::{Place, Repository};
use serve_support::{eventually, folder, get_host, rille};
use std::future::Future;
use std::time::Duration;

/// For the S3 server.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_repository_goes_forth_and_back() {
    let place = Place::new();
    let repository = Repository::new(&place.dir.path().join("repo"));
    let first = repository.commit(&[
        ("index.lua", "return 'one'"),
        ("rille.toml", "name = 'whatever'"),
    ]);
    let source = repository.source();
    let shown = place.good(&["deploy", "shop", &source]);
    assert!(
        shown.starts_with("shop: version 1 serves, ") && shown.contains(&source),
        "{shown}"
    );
    assert_eq!(place.get("shop"), "one");
    assert!(
        place
            .good(&["deploy", "shop", &source])
            .contains("nothing new, version 1 serves")
    );
    repository.commit(&[("index.lua", "return 'two'")]);
    place.good(&["deploy", "shop", &source]);
    assert_eq!(place.get("shop"), "two");
    // A commit, a tag.
    place.good(&["deploy", "shop", &source, &first]);
    assert_eq!(place.get("shop"), "one");
    repository.git(&["tag", "v2"]);
    place.good(&["deploy", "shop", &source, "v2"]);
    assert_eq!(place.get("shop"), "two");
    place.good(&["rollback", "shop"]);
    assert_eq!(place.get("shop"), "one");
    place.good(&["rollback", "shop"]);
    assert_eq!(place.get("shop"), "two");
    let (_, versions) = place.send("GET", "/v1/apps/shop/versions", "");
    let versions = versions["versions"].as_array().unwrap();
    assert_eq!(
        versions
            .iter()
            .filter(|version| version["serves"] == true)
            .count(),
        1
    );
    // Five are kept.
    assert_eq!(versions.len(), 5);
    let mut past = versions.iter();
    let older = past.find(|version| version["revision"] == json!(first));
    let to = &older.unwrap()["bundle"].as_str().unwrap()[..10];
    place.good(&["rollback", "shop", "--to", to]);
    assert_eq!(place.get("shop"), "one");
    let (_, app) = place.send("GET", "/v1/apps/shop", "");
    assert_eq!(
        (&app["revision"], &app["hosts"]),
        (&json!(first), &json!(["shop.localhost"]))
    );
}

#[test]
fn killed_and_restarted_without_its_sources() {
    let place = Place::new();
    let repository = Repository::new(&place.dir.path().join("repo"));
    repository.commit(&[("index.lua", "return 'git'"), ("public/a.txt", "static")]);
    let app = folder(&[(
        "index.lua",
        "return function() return 'folder ' .. tostring(kv.incr('n', 1)) end",
    )]);
    place.good(&["deploy", "g", &repository.source()]);
    place.good(&["deploy", "f", app.path().to_str().unwrap()]);
    assert_eq!(place.get("f"), "folder 1");
    repository.commit(&[("index.lua", "return 'newer'")]);
    place.good(&["deploy", "g", &repository.source()]);
    std::fs::remove_dir_all(&repository.0).unwrap();
    drop(app);
    let place = place.kill_and_restart();
    assert_eq!(
        (place.get("g"), place.get("f")),
        ("newer".into(), "folder 2".into())
    );
    let text = get_host(place.server.address(), "g.localhost", "/a.txt");
    assert_eq!(text.text(), "static");
    place.good(&["rollback", "g"]);
    assert_eq!(place.get("g"), "git");
    let place = place.kill_and_restart();
    assert_eq!(place.get("g"), "git");
    assert!(
        place
            .bad(&["deploy", "g", &repository.source()])
            .contains("there is no such repository")
    );
    assert_eq!(place.get("g"), "git");
    place.good(&["rm", "g"]);
    let place = place.kill_and_restart();
    assert_eq!(
        get_host(place.server.address(), "f.localhost", "/").text(),
        "folder 3"
    );
    assert!(!place.good(&["ps"]).contains("git"));
}

#[test]
fn a_bundle_that_is_damaged_makes_place_for_the_one_before() {
    let place = Place::new();
    let app = folder(&[("index.lua", "return 'one'")]);
    let source = app.path().to_str().unwrap();
    place.good(&["deploy", "a", source]);
    app.write("index.lua", "return 'two'").unwrap();
    place.good(&["deploy", "a", source]);
    let (_, app) = place.send("GET", "/v1/apps/a", "");
    let bundle = app["bundle"].as_str().unwrap();
    let file = place
        .dir
        .path()
        .join("state/bundles")
        .join(bundle)
        .join("files/index.lua");
    let mut mode = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    std::fs::set_permissions(&file, mode).unwrap();
    std::fs::write(&file, "return 'bad'").unwrap();
    let place = place.kill_and_restart();
    assert_eq!(place.get("a"), "one");
    assert!(
        place.server.log().contains("app a: a version is left out:"),
        "{}",
        place.server.log()
    );
    // The next deploy puts it right.
    place.good(&["deploy", "a", source]);
    assert_eq!(place.get("a"), "two");
}

#[test]
fn what_is_refused_leaves_the_last_good_version() {
    let place = Place::new();
    let repository = Repository::new(&place.dir.path().join("repo"));
    let source = repository.source();
    repository.commit(&[("index.lua", "return 'good'")]);
    place.good(&["deploy", "a", &source]);
    for (file, text, words) in [
        ("index.lua", "return (", "a/index.lua:1: unexpected symbol"),
        (
            "rille.toml",
            "nme = 'x'",
            "a/rille.toml:1: unknown key 'nme'; did you mean 'name'?",
        ),
        ("init.lua", "error('broken')", "broken"),
        ("health.lua", "return false, 'not well'", "not well"),
    ] {
        repository.commit(&[(file, text)]);
        let why = place.bad(&["deploy", "a", &source]);
        assert!(why.contains(words), "{why}");
        let body = json!({"source": source}).to_string();
        let (status, answer) = place.send("POST", "/v1/apps/a/deploy", &body);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (422, &json!("app_refused"))
        );
        assert_eq!(answer["error"]["message"], json!(why), "the same in JSON");
        assert!(place.server.log().contains(&format!(
            "app a: not deployed: {why}; the version that serves goes on"
        )));
        assert_eq!(place.get("a"), "good");
        repository.git(&["rm", "-q", file]);
        repository.commit(&[("index.lua", "return 'good'")]);
    }
    let place = place.kill_and_restart();
    assert_eq!(place.get("a"), "good");
    let empty = Repository::new(&place.dir.path().join("empty"));
    empty.commit(&[("README", "nothing")]);
    assert!(
        place
            .bad(&["deploy", "a", &empty.source()])
            .contains("there is no Lua file")
    );
    assert_eq!(place.get("a"), "good");
}

#[test]
fn two_apps_do_not_answer_one_host() {
    let place = Place::new();
    let manifest = "hosts = ['shop.example.com']";
    let app = folder(&[("rille.toml", manifest), ("index.lua", "return 'mine'")]);
    let source = app.path().to_str().unwrap();
    place.good(&["deploy", "one", source]);
    let why = place.bad(&["deploy", "two", source]);
    assert!(
        why.contains("both answer the host shop.example.com"),
        "{why}"
    );
    assert_eq!(
        get_host(place.server.address(), "shop.example.com", "/").text(),
        "mine"
    );
    // One that comes to want it when both serve, too.
    let other = folder(&[("index.lua", "return 'other'")]);
    let other_source = other.path().to_str().unwrap();
    place.good(&["deploy", "two", other_source]);
    other.write("rille.toml", manifest).unwrap();
    assert!(
        place
            .bad(&["deploy", "two", other_source])
            .contains("both answer")
    );
    assert_eq!(
        (place.get("one"), place.get("two")),
        ("mine".into(), "other".into())
    );
    // And a folder of the command line that has the host first.
    let place = {
        let Place { dir, server, .. } = place;
        drop(server);
        let folder = app.path().to_str().unwrap().to_owned();
        Place::in_folder(dir, &[&folder], &[])
    };
    assert!(
        place.server.log().contains("app one: not served: apps"),
        "{}",
        place.server.log()
    );
    assert_eq!(place.get("two"), "other");
    assert_eq!(
        get_host(place.server.address(), "shop.example.com", "/").text(),
        "mine"
    );
}

#[test]
fn a_branch_that_is_forced_and_a_commit_that_is_gone() {
    let place = Place::new();
    let repository = Repository::new(&place.dir.path().join("repo"));
    repository.commit(&[("index.lua", "return 'one'")]);
    let lost = repository.commit(&[("index.lua", "return 'two'")]);
    let source = repository.source();
    place.good(&["deploy", "a", &source]);
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repository.commit(&[("index.lua", "return 'forced'")]);
    place.good(&["deploy", "a", &source]);
    assert_eq!(place.get("a"), "forced");
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "-q", "--prune=now"]);
    let body = json!({"source": source, "ref": lost}).to_string();
    let (status, answer) = place.send("POST", "/v1/apps/a/deploy", &body);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (422, &json!("source_not_found")),
        "{answer}"
    );
    assert_eq!(place.get("a"), "forced");
    assert!(
        place
            .bad(&["deploy", "a", &source, "no-such-branch"])
            .contains("no-such-branch")
    );
}

#[test]
fn sources_are_asked_again_and_again() {
    let place = Place::with(&["--refresh", "1s"], &[]);
    let repository = Repository::new(&place.dir.path().join("repo"));
    repository.commit(&[("index.lua", "return 'one'")]);
    place.good(&["deploy", "a", &repository.source()]);
    repository.commit(&[("index.lua", "return 'two'")]);
    eventually(|| place.get("a") == "two");
    // What is the same is no deploy, and what is refused is told once.
    repository.commit(&[("index.lua", "return (")]);
    eventually(|| place.server.log().contains("not deployed"));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(
        place.server.log().matches("not deployed").count(),
        1,
        "{}",
        place.server.log()
    );
    assert_eq!(place.send("GET", "/v1/apps/a", "").1["version"], json!(2));
    repository.commit(&[("index.lua", "return 'three'")]);
    eventually(|| place.get("a") == "three");
    // A rollback holds until there is something new.
    place.good(&["rollback", "a"]);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(place.get("a"), "two");
    let place = place.kill_and_restart();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(place.get("a"), "two");
    repository.commit(&[("index.lua", "return 'four'")]);
    eventually(|| place.get("a") == "four");
}

#[test]
fn an_app_in_a_bucket() {
    let s3 = s3::S3::start(None);
    let bucket = s3.bucket("code");
    std::fs::create_dir_all(bucket.join("shop/lib")).unwrap();
    std::fs::write(bucket.join("shop/index.lua"), "return (require('lib.x'))").unwrap();
    std::fs::write(bucket.join("shop/lib/x.lua"), "return 'from s3'").unwrap();
    let endpoint = format!("http://{}", s3.address);
    let env = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", s3::KEY),
        ("AWS_SECRET_ACCESS_KEY", s3::SECRET),
    ];
    let place = Place::with(&["--refresh", "1s"], &env);
    place.good(&["deploy", "shop", "s3://code/shop"]);
    assert_eq!(place.get("shop"), "from s3");
    std::fs::write(bucket.join("shop/lib/x.lua"), "return 'changed'").unwrap();
    eventually(|| place.get("shop") == "changed");
    assert!(
        place
            .bad(&["deploy", "shop", "s3://code/nothing"])
            .contains("s3://code/nothing")
    );
    assert!(
        place
            .bad(&["deploy", "shop", "s3://no-bucket/x"])
            .contains("no-bucket")
    );
    assert_eq!(place.get("shop"), "changed");
    assert!(place.good(&["purge", "shop"]).contains("nothing new"));
    // Without the right key.
    let wrong = [env[0], env[1], ("AWS_SECRET_ACCESS_KEY", "another")];
    let Place { dir, server, .. } = place;
    drop(server);
    let place = Place::in_folder(dir, &[], &wrong);
    let body = json!({"source": "s3://code/shop"}).to_string();
    let (status, answer) = place.send("POST", "/v1/apps/shop/deploy", &body);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (422, &json!("source_denied")),
        "{answer}"
    );
    assert!(!answer.to_string().contains("another"));
    assert_eq!(place.get("shop"), "changed");
}

#[test]
fn a_source_on_the_command_line() {
    let dir = folder(&[]);
    let repository = Repository::new(&dir.path().join("My_Shop"));
    repository.commit(&[("index.lua", "return 'one'")]);
    let state = dir.path().join("state");
    let source = repository.source();
    let command = || {
        let args = [
            "serve",
            &source,
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
        ];
        let mut command = rille(&args);
        command.env("XDG_STATE_HOME", &state);
        command
    };
    let get = |server: &Server| get_host(server.address(), "localhost", "/").text();
    let server = Server::start(&mut command()).unwrap();
    assert_eq!(get(&server), "one");
    assert!(server.log().contains(" my_shop"), "{}", server.log());
    drop(server);
    repository.commit(&[("index.lua", "return 'two'")]);
    let server = Server::start(&mut command()).unwrap();
    assert_eq!(get(&server), "two");
    drop(server);
    std::fs::rename(&repository.0, dir.path().join("gone")).unwrap();
    let server = Server::start(&mut command()).unwrap();
    assert_eq!(get(&server), "two");
    assert!(server.log().contains("app my_shop: not deployed: "));
    drop(server);
    // Without anything from before there is nothing to serve.
    std::fs::remove_dir_all(&state).unwrap();
    let outcome = process::run(&mut command(), b"", Duration::from_secs(20)).unwrap();
    assert_eq!(outcome.exit, Exit::Code(1));
    assert!(
        outcome
            .stderr_text()
            .contains("there is no such repository"),
        "{}",
        outcome.stderr_text()
    );
}
