//! `ngx.re` under a budget, and what it costs.

mod harness;

use rille_runtime::coroutine::End;
use rille_runtime::log::Log;
use std::fs;
use std::time::{Duration, Instant};

/// Runs a script with so much processor time: how it ends, and what it took.
fn run(source: &str, cpu: Duration) -> (String, Duration) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("rille.toml"),
        "name = \"re\"\nlua = \"5.1\"\n",
    )
    .unwrap();
    fs::write(folder.path().join("index.lua"), source).unwrap();
    let app = harness::load(folder.path());
    harness::on_a_worker(async {
        let vm = harness::vm(&app, &Log::memory());
        let begun = Instant::now();
        let end = harness::run(&vm, "index.lua", cpu, Duration::from_secs(60)).await;
        let took = begun.elapsed();
        let end = match end {
            End::Done(values) => format!("{values:?}"),
            End::Failed(failure) => failure.to_string(),
            End::Exited => "exited".into(),
        };
        (end, took)
    })
}

/// Each would take seconds to hours.
const ENDLESS: &[&str] = &[
    r"ngx.re.match(('a'):rep(1e6), [[(?=[^x]*x)(a)\1]])",
    r"ngx.re.find(('a'):rep(1e6), [[(a*)*\1b]])",
    r"ngx.re.gsub(('a'):rep(1e6), [[(?=[^x]*x)(a)\1]], 'b')",
    r"ngx.re.gsub(('a'):rep(1e6), [[(?=[^x]*x)(a)\1]], function() end)",
    r"ngx.re.gmatch(('a'):rep(1e6), [[(?<=(a))(a+)+b]])()",
    r"require('ngx.re').split(('a'):rep(1e6), [[(?=[^x]*x)(a)\1]])",
    r"while true do pcall(ngx.re.match, ('a'):rep(1e5), [[(?=[^x]*x)(a)\1]]) end",
    r"local i = 0 while true do i = i + 1 ngx.re.match('x', 'a{500}' .. i) end",
    r"local t, x = {}, 1
    for i = 1, 2e4 do x = (x * 1103515 + 12345) % 2^31 t[i] = x % 7 < 3 and 'a' or 'b' end
    ngx.re.match(table.concat(t):rep(50), '[ab]*a[ab]{12}c')",
    r"ngx.re.gsub('a', 'a', function() while true do end end)",
];

#[test]
fn a_search_is_stopped_when_the_time_is_used_up() {
    for source in ENDLESS {
        let (end, took) = run(source, Duration::from_millis(50));
        assert!(
            end.contains("processor time") || end.contains("cpu"),
            "{source}: {end}"
        );
        assert!(took < Duration::from_secs(2), "{source}: {took:?}");
    }
}

/// To be run by hand, in a release build.
#[test]
#[ignore = "a measurement"]
fn what_calls_cost() {
    let cases = [
        (
            "match uri",
            r"local m = match('/user/12345', [[^/user/(\d+)]], 'jo')",
        ),
        (
            "match uri $",
            r"local m = match('/user/12345', [[^/user/(\d+)$]], 'jo')",
        ),
        (
            "no match",
            r"local m = match('/other/12345/67', [[^/user/(\d+)]], 'jo')",
        ),
        (
            "find uri",
            r"local a, b = find('/user/12345', [[^/user/(\d+)]], 'jo')",
        ),
        (
            "find word",
            r"local a, b = find('the quick brown fox jumps over', [[fox]], 'jo')",
        ),
        (
            "named",
            r"local m = match('k=v', [[(?<key>\w+)=(?<value>\w+)]], 'jo')",
        ),
        (
            "lookahead",
            r"local m = match('/user/12345', [[^/user/(?=1)(\d+)]], 'jo')",
        ),
        (
            "gsub %XX",
            r"local s = gsub('a b&c<d>e', [[[<>&]\s?]], '[$0]', 'jo')",
        ),
        (
            "gsub func",
            r"local s = gsub('a b&c<d>e', [[[<>&]\s?]], f, 'jo')",
        ),
        (
            "string.match",
            r"local m = string.match('/user/12345', '^/user/(%d+)')",
        ),
    ];
    for (name, body) in cases {
        let n = 200_000;
        let source = format!(
            "local match, find, gsub = ngx.re.match, ngx.re.find, ngx.re.gsub
            local function f(m) return m[0] end
            for i = 1, {n} do {body} end"
        );
        let (end, took) = run(&source, Duration::from_secs(50));
        println!(
            "{name:14} {:7.1} ns {end}",
            took.as_nanos() as f64 / f64::from(n)
        );
    }
}
