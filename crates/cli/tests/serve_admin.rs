//! The admin API and the commands that use it, against a real server: tokens, logs, tasks, webhooks, what is badly said.

mod serve_support;

use hmac::{Hmac, KeyInit, Mac};
use rille_testkit::process::{self, Exit};
use serde_json::{Value, json};
use serve_support::admin::{self, Place, Repository};
use serve_support::{eventually, folder, get_host, rille, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn nothing_is_answered_without_the_token() {
    let place = Place::new();
    let token = place.token();
    let ask = |method: &str, target: &str, authorization: Option<String>| {
        let headers: Vec<(&str, &str)> = authorization
            .iter()
            .map(|it| ("Authorization", it.as_str()))
            .collect();
        place.raw(method, target, &headers, "")
    };
    for (method, target) in [
        ("GET", "/v1/apps"),
        ("GET", "/openapi.json"),
        ("POST", "/v1/apps/a/deploy"),
        ("POST", "/v1/apps/a/hook"),
        ("GET", "/nothing"),
        ("OPTIONS", "/v1/apps"),
    ] {
        let wrong = format!("Bearer {}x", &token[..63]);
        for authorization in [
            None,
            Some(wrong),
            Some(format!("Basic {token}")),
            Some(String::new()),
        ] {
            let response = ask(method, target, authorization);
            assert_eq!(response.header("www-authenticate"), Some("Bearer"));
            assert_eq!(response.header("access-control-allow-origin"), None);
            let (status, body) = admin::json(&response);
            assert_eq!(
                (status, &body["error"]["code"]),
                (401, &json!("unauthorized")),
                "{method} {target}"
            );
        }
    }
    assert_eq!(ask("GET", "/health", None).status, 200);
    let authorization = Some(format!("Bearer {token}"));
    assert_eq!(ask("GET", "/v1/apps", authorization.clone()).status, 200);
    assert_eq!(
        ask("GET", "/openapi.json", authorization).text(),
        include_str!("../../server/src/admin/openapi.json")
    );
    // The client without a token, and with another.
    let state = place.dir.path().join("elsewhere");
    let outcome = place.run_with(&["ps"], "RILLE_STATE", &state);
    assert_eq!(outcome.exit, Exit::Code(1));
    assert!(
        outcome
            .stderr_text()
            .contains("there is no token: set RILLE_TOKEN")
    );
    let outcome = place.run_with(&["ps"], "RILLE_TOKEN", "another-token-of-mine");
    assert!(
        outcome
            .stderr_text()
            .contains("the token is missing or wrong")
    );
}

#[test]
fn a_token_of_ones_own() {
    let place = Place::with(&[], &[("RILLE_TOKEN", "a-token-of-my-own")]);
    assert!(!place.dir.path().join("state/admin-token").exists());
    let outcome = place.run_with(&["ps"], "RILLE_TOKEN", "a-token-of-my-own");
    assert_eq!(outcome.exit, Exit::Code(0));
}

#[test]
fn what_cannot_be_started_is_told() {
    let state = folder(&[]);
    let state = state.path().to_str().unwrap();
    let start = |options: &[&str], env: &[(&str, &str)]| {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0"];
        args.extend_from_slice(options);
        let mut command = rille(&args);
        command.envs(env.iter().copied());
        let outcome = process::run(&mut command, b"", Duration::from_secs(20)).unwrap();
        assert_eq!(
            outcome.exit,
            Exit::Code(2),
            "{options:?}: {}",
            outcome.stderr_text()
        );
        outcome.stderr_text()
    };
    assert!(
        start(&[], &[]).contains("nothing to serve: name an app's folder, a folder of apps or s3:")
    );
    assert!(start(&["--admin", "127.0.0.1:0"], &[]).contains("name a folder with --state"));
    assert!(start(&["--admin", "0.0.0.0:0", "--state", state], &[]).contains("set RILLE_TOKEN"));
    let short = [("RILLE_TOKEN", "short")];
    assert!(
        start(&["--admin", "127.0.0.1:0", "--state", state], &short)
            .contains("RILLE_TOKEN: a token has 16 to")
    );
    assert!(start(&["s3://bucket/x", "s3://bucket/y"], &[]).contains("only one bucket"));
    assert!(start(&["--refresh", "10ms", "."], &[]).contains("at least 1s"));
    let nobody = run(&["ps", "--admin", "http://127.0.0.1:1", "--state", state]);
    assert_eq!(nobody.exit, Exit::Code(1));
    std::fs::write(format!("{state}/admin-token"), "x".repeat(64)).unwrap();
    assert!(
        run(&["ps", "--state", state])
            .stderr_text()
            .contains("chmod 600")
    );
}

#[test]
fn what_is_badly_said_is_told() {
    let place = Place::new();
    let app = folder(&[("index.lua", "return 'one'")]);
    place.good(&["deploy", "a", app.path().to_str().unwrap()]);
    for (method, target, body, status, code, words) in [
        (
            "POST",
            "/v1/apps/a/deploy",
            "",
            400,
            "bad_request",
            "'source' is missing",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            "{",
            400,
            "bad_request",
            "not JSON",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            "[]",
            400,
            "bad_request",
            "no JSON object",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":1}"#,
            400,
            "bad_request",
            "'source' is a string",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"/x","wait":1}"#,
            400,
            "bad_request",
            "'wait' is true or false",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"/x","reff":"y"}"#,
            400,
            "bad_request",
            "unknown field 'reff'",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"x/y"}"#,
            400,
            "bad_request",
            "whole path",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"ftp://x"}"#,
            400,
            "bad_request",
            "is not a source",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"/x","ref":"y"}"#,
            400,
            "bad_request",
            "no branches",
        ),
        (
            "POST",
            "/v1/apps/a/deploy",
            r#"{"source":"/no/such"}"#,
            422,
            "source_not_found",
            "/no/such",
        ),
        (
            "POST",
            "/v1/apps/A/deploy",
            r#"{"source":"/x"}"#,
            400,
            "bad_request",
            "cannot be an app's name",
        ),
        (
            "POST",
            "/v1/apps/-a/deploy",
            r#"{"source":"/x"}"#,
            400,
            "bad_request",
            "cannot be an app's name",
        ),
        (
            "POST",
            "/v1/apps/a/rollback",
            "",
            404,
            "not_found",
            "one version only",
        ),
        (
            "POST",
            "/v1/apps/a/rollback",
            r#"{"to":"0000"}"#,
            400,
            "bad_request",
            "first 8 digits",
        ),
        (
            "POST",
            "/v1/apps/a/rollback",
            r#"{"to":"00000000"}"#,
            404,
            "not_found",
            "has had no version 00000000",
        ),
        (
            "POST",
            "/v1/apps/a/purge",
            r#"{"path":"x"}"#,
            400,
            "bad_request",
            "leave the path out",
        ),
        (
            "POST",
            "/v1/apps/b/rollback",
            "",
            404,
            "not_found",
            "there is no app 'b'",
        ),
        (
            "POST",
            "/v1/apps/b/hook",
            "",
            404,
            "not_found",
            "there is no app 'b'",
        ),
        (
            "DELETE",
            "/v1/apps/b",
            "",
            404,
            "not_found",
            "there is no app 'b'",
        ),
        (
            "GET",
            "/v1/apps/b",
            "",
            404,
            "not_found",
            "there is no app 'b'",
        ),
        (
            "GET",
            "/v1/apps/b/logs",
            "",
            404,
            "not_found",
            "there is no app 'b'",
        ),
        ("GET", "/v1/apps/b/tasks", "", 404, "not_found", "no app"),
        (
            "GET",
            "/v1/apps/a/logs?lines=x",
            "",
            400,
            "bad_request",
            "whole number",
        ),
        (
            "GET",
            "/v1/apps/a/logs?x=1",
            "",
            400,
            "bad_request",
            "unknown parameter x=1",
        ),
        (
            "POST",
            "/v1/apps/a/tasks/0/send",
            r#"{"what":"x"}"#,
            400,
            "bad_request",
            "no task's id",
        ),
        (
            "POST",
            "/v1/apps/a/tasks/17609365913600/send",
            r#"{"what":"x"}"#,
            404,
            "not_found",
            "there is no task",
        ),
        (
            "POST",
            "/v1/apps/a/tasks/17609365913600/send",
            r#"{"what":""}"#,
            400,
            "bad_request",
            "1 to 255",
        ),
        (
            "DELETE",
            "/v1/apps/a/tasks/17609365913600",
            "",
            404,
            "not_found",
            "there is no task",
        ),
        (
            "PUT",
            "/v1/apps/a",
            "",
            405,
            "method_not_allowed",
            "GET, DELETE",
        ),
        ("GET", "/v2", "", 404, "not_found", "/openapi.json"),
    ] {
        let (is, answer) = place.send(method, target, body);
        let error = &answer["error"];
        assert_eq!(
            (is, &error["code"]),
            (status, &json!(code)),
            "{method} {target} {body}: {answer}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{answer}"
        );
    }
    let (status, answer) = place.send("POST", "/v1/apps/a/deploy", &"x".repeat((64 << 10) + 1));
    assert_eq!(
        (status, &answer["error"]["code"]),
        (413, &json!("body_too_large"))
    );
    assert_eq!(place.get("a"), "one");
}

#[test]
fn slow_clients_are_not_waited_for_for_ever() {
    let place = Place::new();
    let mut idle = TcpStream::connect(place.admin()).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let start = Instant::now();
    idle.write_all(b"GET /v1/apps HTTP/1.1\r\nHost: x").unwrap();
    let mut answer = Vec::new();
    // It is closed, with a 408 or without.
    let _ = idle.read_to_end(&mut answer);
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(25),
        "{took:?}"
    );
    assert_eq!(place.raw("GET", "/health", &[], "").status, 200);
}

#[test]
fn logs_are_followed() {
    let place = Place::new();
    let script = "return function(request) log.warn('hit ' .. request.query.n) return 'ok' end";
    let app = folder(&[("index.lua", script)]);
    place.good(&["deploy", "a", app.path().to_str().unwrap()]);
    let hit = |n: usize| get_host(place.server.address(), "a.localhost", &format!("/?n={n}"));
    hit(1);
    let shown = place.good(&["logs", "a"]);
    assert!(
        shown.ends_with("warn: hit 1\n") && shown.contains("version 1 serves"),
        "{shown}"
    );
    assert_eq!(place.good(&["logs", "a", "-n", "1"]), "warn: hit 1\n");
    let (_, answer) = place.send("GET", "/v1/apps/a/logs?lines=1", "");
    assert_eq!(answer["lines"][0]["text"], "warn: hit 1");
    let mut follower = place.client(&["logs", "a", "-f", "-n", "1"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "warn: hit 1");
    for n in 2..200 {
        hit(n);
        assert_eq!(lines.next().unwrap().unwrap(), format!("warn: hit {n}"));
    }
    // With the app it ends.
    place.good(&["rm", "a"]);
    assert!(lines.all(|line| line.unwrap().contains("removed")));
    assert!(follower.wait().unwrap().success());
}

#[test]
fn a_slow_follower_loses_the_oldest_lines_and_is_told() {
    let dir = folder(&[("operator.toml", "[ceilings]\nlog = '100 MiB'")]);
    let place = Place::in_folder(dir, &["--operator", "{dir}/operator.toml"], &[]);
    let script = "return function() for i = 1, 100 do log.info(i .. string.rep('x', 2000)) end return 'ok' end";
    let app = folder(&[
        ("rille.toml", "[limits]\nlog = '100 MiB'"),
        ("index.lua", script),
    ]);
    place.good(&["deploy", "a", app.path().to_str().unwrap()]);
    let mut slow = TcpStream::connect(place.admin()).unwrap();
    let request = format!(
        "GET /v1/apps/a/logs?follow=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        place.token()
    );
    slow.write_all(request.as_bytes()).unwrap();
    // More than sockets hold.
    for _ in 0..150 {
        assert_eq!(place.get("a"), "ok");
    }
    place.good(&["rm", "a"]);
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    let lost: u64 = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("data: {\"lines\":")?
                .trim_end_matches('}')
                .parse::<u64>()
                .ok()
        })
        .sum();
    let shown = text.lines().filter(|line| line.contains("xxxx")).count() as u64;
    assert!(lost > 1000, "{lost} lost, {shown} shown");
    assert!(
        (15_000..15_010).contains(&(lost + shown)),
        "{lost} lost, {shown} shown"
    );
}

#[test]
fn tasks_are_listed_told_and_killed() {
    let place = Place::new();
    let task = "return function() while true do local e = task.receive() log.info(e.what .. ' ' .. json.encode(e.parameter)) end end";
    let manifest = "[[task]]\nname = 'Main'\non = 'start'\nrestart = 'temporary'";
    let app = folder(&[
        ("rille.toml", manifest),
        ("tasks/Main.lua", task),
        ("index.lua", "return 'one'"),
    ]);
    place.good(&["deploy", "a", app.path().to_str().unwrap()]);
    let (_, answer) = place.send("GET", "/v1/apps/a/tasks", "");
    assert_eq!(
        (&answer["count"], &answer["tasks"][0]["name"]),
        (&json!(1), &json!("Main"))
    );
    let shown = place.good(&["ps", "a"]);
    let tid = shown
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(tid, format!("a/{}", answer["tasks"][0]["tid"]));
    assert_eq!(
        place.good(&["send", &tid, "hello", r#"{"n":[1,2]}"#]),
        "sent\n"
    );
    assert_eq!(place.good(&["send", &tid, "hello", "no JSON"]), "sent\n");
    for line in [r#"info: hello {"n":[1,2]}"#, r#"info: hello "no JSON""#] {
        eventually(|| place.good(&["logs", "a"]).contains(line));
    }
    assert_eq!(place.good(&["kill", &tid]), "killed\n");
    eventually(|| place.send("GET", "/v1/apps/a/tasks", "").1["count"] == 0);
    assert!(place.bad(&["kill", &tid]).contains("there is no task"));
    assert!(place.bad(&["send", &tid, "x"]).contains("there is no task"));
}

#[test]
fn a_webhook_is_signed() {
    let place = Place::new();
    let repository = Repository::new(&place.dir.path().join("repo"));
    repository.commit(&[("index.lua", "return 'one'")]);
    place.good(&["deploy", "a", &repository.source()]);
    place.good(&["deploy", "b", &repository.source()]);
    repository.commit(&[("index.lua", "return 'two'")]);
    let shown = place.good(&["hook", "a"]);
    let secret = shown
        .lines()
        .find_map(|line| line.strip_prefix("secret  "))
        .unwrap();
    assert!(shown.contains(&format!("http://{}/v1/apps/a/hook", place.admin())));
    let body = r#"{"ref":"refs/heads/main"}"#;
    let sign = |secret: &str, body: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let digits: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("sha256={digits}")
    };
    let call = |app: &str, signature: &str| {
        let headers = [
            ("X-Hub-Signature-256", signature),
            ("X-GitHub-Event", "push"),
        ];
        admin::json(&place.raw("POST", &format!("/v1/apps/{app}/hook"), &headers, body)).0
    };
    let good = sign(secret, body);
    assert_eq!(call("a", &sign("another", body)), 401);
    assert_eq!(call("a", &sign(secret, "{}")), 401);
    assert_eq!(call("a", ""), 401);
    // It is one app's.
    assert_eq!(call("b", &good), 401);
    let headers = [("X-Hub-Signature-256", good.as_str())];
    assert_eq!(
        place.raw("DELETE", "/v1/apps/a", &headers, body).status,
        401
    );
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        (place.get("a"), place.get("b")),
        ("one".into(), "one".into())
    );
    assert_eq!(call("a", &good), 202);
    eventually(|| place.get("a") == "two");
    assert_eq!(place.get("b"), "one");
    // With the token no signature is needed.
    assert_eq!(place.send("POST", "/v1/apps/b/hook", body).0, 202);
    eventually(|| place.get("b") == "two");
}

#[test]
fn a_deploy_need_not_be_waited_for() {
    let place = Place::new();
    let app = folder(&[("index.lua", "x =")]);
    let source = app.path().to_str().unwrap();
    assert!(
        place
            .good(&["deploy", "a", source, "--no-wait"])
            .contains("is being deployed")
    );
    let last = || place.send("GET", "/v1/apps/a", "").1["last_deploy"].clone();
    eventually(|| last()["error"]["code"] == json!("app_refused"));
    app.write("index.lua", "return 'one'").unwrap();
    place.good(&["deploy", "a", source, "--no-wait"]);
    eventually(|| last()["error"] == Value::Null);
    assert_eq!(place.get("a"), "one");
}

#[test]
fn removing_an_app_takes_what_it_kept() {
    let place = Place::new();
    let script = "return function() return tostring(kv.incr('n', 1)) end";
    let app = folder(&[("index.lua", script)]);
    let source = app.path().to_str().unwrap();
    place.good(&["deploy", "a", source]);
    place.good(&["deploy", "b", source]);
    assert_eq!(
        (place.get("a"), place.get("a"), place.get("b")),
        ("1".into(), "2".into(), "1".into())
    );
    assert_eq!(place.good(&["rm", "a"]), "a: removed\n");
    assert!(
        place
            .bad(&["versions", "a"])
            .contains("there is no app 'a'")
    );
    assert!(place.bad(&["rm", "a"]).contains("there is no app 'a'"));
    place.good(&["deploy", "a", source]);
    assert_eq!((place.get("a"), place.get("b")), ("1".into(), "2".into()));
}

#[test]
fn apps_of_the_command_line_are_not_replaced() {
    let app = folder(&[
        ("shop/index.lua", "return 'folder'"),
        ("other/index.lua", "return 'other'"),
    ]);
    let path = app.path().to_str().unwrap();
    let place = Place::with(&[path], &[]);
    let why = place.bad(&["deploy", "shop", &format!("{path}/other")]);
    assert!(
        why.contains("app 'shop' is served from") && why.contains("command line"),
        "{why}"
    );
    assert!(place.bad(&["rm", "shop"]).contains("command line"));
    assert!(place.bad(&["rollback", "shop"]).contains("command line"));
    assert_eq!(place.get("shop"), "folder");
    assert!(place.good(&["ps"]).contains(&format!("{path}/shop")));
}

#[test]
fn a_deployed_app_does_not_reach_the_admin_api() {
    let script = "return function(request)
        local socket = ngx.socket.tcp()
        local ok, why = socket:connect('127.0.0.1', tonumber(request.query.port))
        return ok and 'connected' or why
    end";
    let manifest = "[outbound]\nallow = ['127.0.0.0/8']";
    let app = folder(&[("rille.toml", manifest), ("index.lua", script)]);
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = other.local_addr().unwrap().port();
    for (options, reaches_others) in [(&[][..], false), (&["--outbound", "any"], true)] {
        let place = Place::with(options, &[]);
        place.good(&["deploy", "a", app.path().to_str().unwrap()]);
        let connect = |port: u16| {
            let target = format!("/?port={port}");
            get_host(place.server.address(), "a.localhost", &target).text()
        };
        let why = connect(place.admin().port());
        assert!(why.contains("refused by the outbound policy"), "{why}");
        // What is deployed is somebody else's, whatever its manifest allows.
        let found = connect(other);
        assert_eq!(found == "connected", reaches_others, "{found}");
        assert!(
            reaches_others || found.contains("refused by the outbound policy"),
            "{found}"
        );
    }
}
