//! The manifest's contract: what is accepted, and how each mistake is told.

use super::*;
use crate::net::outbound::{Mode, Trust};
use crate::task::supervise::{Restart, Trigger};
use std::sync::Arc;

fn problems(text: &str) -> Vec<String> {
    let (_, problems) = Manifest::parse(text, "shop/rille.toml", "shop");
    problems.iter().map(ToString::to_string).collect()
}

fn good(text: &str) -> Manifest {
    let (manifest, problems) = Manifest::parse(text, "shop/rille.toml", "shop");
    assert_eq!(problems, []);
    manifest
}

#[test]
fn every_key_of_this_version() {
    let manifest = good(
        r#"
name = "store"
lua = "5.1"
hosts = ["shop.example.com", "*.Shop.dev", "[::1]"]
shared_dicts = { cache = "4 MiB", _locks2 = "4096 B" }
preempt = "coroutine"
debug = true
[limits]
memory = "32 MiB"
cpu = "2 s"
wall = "10s"
body = "1KiB"
sockets = 8
tasks = 1_0
kv = "1 MiB"
log = "0 B"
cpu_per_minute = "5 s"
[env]
KEY = "value"
[[route]]
path = "/u/:id"
methods = ["GET", "PUT", "GET"]
content = "users.lua"
[[route]]
path = "/u/:id"
methods = ["DELETE"]
content = "gone.lua"
"#,
    );
    assert_eq!(manifest.name, "store");
    assert_eq!(manifest.dialect, Dialect::Lua51);
    assert_eq!(manifest.hosts[1], HostPattern::Suffix(".shop.dev".into()));
    assert_eq!(manifest.shared_dicts["cache"], 4 << 20);
    assert_eq!(manifest.shared_dicts["_locks2"], 4096);
    assert_eq!(manifest.preempt, Preempt::Coroutine);
    assert!(manifest.debug);
    assert_eq!(manifest.limits.memory, 32 << 20);
    assert_eq!(manifest.limits.cpu, Duration::from_secs(2));
    assert_eq!(manifest.limits.body, 1024);
    assert_eq!(manifest.limits.tasks, 10);
    assert_eq!(manifest.env["KEY"], "value");
    assert_eq!(manifest.routes.len(), 2);
    assert_eq!(manifest.routes[0].methods, ["GET", "PUT"]);
}

#[test]
fn an_empty_manifest_is_the_default() {
    let manifest = good("");
    assert_eq!(manifest.name, "shop");
    assert_eq!(manifest.limits, Limits::default());
    assert_eq!(Manifest::default_for("My Shop!").name, "my-shop-");
}

#[test]
fn unknown_keys_name_the_nearest() {
    assert_eq!(
        problems("[limits]\nmemry = \"1 MiB\"\n"),
        ["shop/rille.toml:2: unknown key 'memry' in [limits]; did you mean 'memory'?"]
    );
    assert_eq!(
        problems("host = []"),
        ["shop/rille.toml:1: unknown key 'host'; did you mean 'hosts'?"]
    );
    let far = problems("[[route]]\npath = \"/\"\ncontent = \"a.lua\"\nbandwidth = 3");
    assert_eq!(far.len(), 1);
    assert!(far[0].starts_with(
        "shop/rille.toml:4: unknown key 'bandwidth' in [[route]]; known keys are path,"
    ));
}

#[test]
fn wrong_types_and_impossible_values() {
    for (text, expected) in [
        ("name = 3", "1: name must be a string, not a whole number"),
        (
            "name = \"A b\"",
            "1: 'A b' cannot be an app's name: use up to 63 lower-case letters, digits, '-', '_' and '.'",
        ),
        (
            "\n\nhosts = [1]",
            "3: hosts must hold strings, not a whole number",
        ),
        (
            "hosts = [\"a:80\"]",
            "1: 'a:80': leave out the port; a host answers on every port that is listened on",
        ),
        (
            "debug = \"yes\"",
            "1: debug must be true or false, not a string",
        ),
        (
            "preempt = \"always\"",
            "1: preempt is \"vm\" or \"coroutine\", not \"always\"",
        ),
        (
            "lua = \"6\"",
            "1: lua is one of \"5.1\" to \"5.5\", not \"6\"",
        ),
        (
            "limits = 1",
            "1: limits must be a table, not a whole number",
        ),
        (
            "[limits]\nmemory = 64",
            "2: memory must be a size such as \"64 MiB\", not a whole number",
        ),
        (
            "[limits]\nmemory = \"64\"",
            "2: memory: '64' is not a size; write a number with B, KiB, MiB or GiB, such as \"64 MiB\"",
        ),
        (
            "[limits]\nmemory = \"1 KiB\"",
            "2: memory = \"1 KiB\" is out of range: it goes from 1 MiB to 64 GiB",
        ),
        (
            "[limits]\ncpu = \"2 days\"",
            "2: cpu: '2 days' is not a duration; write a number with ms, s, min or h, such as \"200 ms\"",
        ),
        (
            "[limits]\ncpu = \"0 s\"",
            "2: cpu = \"0 s\" is out of range: it goes from 1 ms to 1 h",
        ),
        (
            "[limits]\ntasks = -1",
            "2: tasks is out of range: it goes from 0 to 10000000",
        ),
        (
            "shared_dicts = 4",
            "1: shared_dicts must be a table, not a whole number",
        ),
        (
            "[shared_dicts]\ncache = 4",
            "2: cache must be a size such as \"64 MiB\", not a whole number",
        ),
        (
            "[shared_dicts]\ncache = \"4095 B\"",
            "2: cache = \"4095 B\" is out of range: it goes from 4 KiB to 1024 GiB",
        ),
        (
            "[shared_dicts]\ncache = \"1025 GiB\"",
            "2: cache = \"1025 GiB\" is out of range: it goes from 4 KiB to 1024 GiB",
        ),
        (
            "\nshared_dicts = { \"my cache\" = \"4 MiB\" }",
            "2: 'my cache' cannot be a dictionary's name: use up to 63 letters, digits and '_', not a digit first",
        ),
        (
            "shared_dicts = { 2nd = \"4 MiB\" }",
            "1: '2nd' cannot be a dictionary's name: use up to 63 letters, digits and '_', not a digit first",
        ),
        ("[env]\nA = 1", "2: A must be a string, not a whole number"),
        (
            "route = 1",
            "1: route must be a list of tables, each written [[route]], not a whole number",
        ),
        (
            "[[route]]\npath = \"/a\"",
            "1: a [[route]] needs content, the file that answers, such as content = \"read.lua\"",
        ),
        (
            "[[route]]\ncontent = \"a.lua\"",
            "1: a [[route]] needs a path, such as path = \"/read\", or match, such as match = '^/read/(\\d+)$'",
        ),
        (
            "[[route]]\npath = \"/a\"\nmatch = \"a\"\ncontent = \"a.lua\"",
            "3: a [[route]] has path or match, not both",
        ),
        (
            "[[route]]\ncontent = \"a.lua\"\nmatch = \"^/a(b\"",
            "3: match = '^/a(b': unclosed group at character 4; put it right, or write a path with path = \"/...\"",
        ),
        (
            "[[route]]\npath = \"@a b\"\ncontent = \"a.lua\"",
            "2: '@a b' cannot name a route; use letters, digits, '_' and '-' after the '@'",
        ),
        (
            "[[route]]\npath = \"@a\"\ncontent = \"a.lua\"\nmethods = [\"GET\"]",
            "2: @a takes every method: leave methods out",
        ),
    ] {
        assert_eq!(
            problems(text),
            [format!("shop/rille.toml:{expected}")],
            "{text}"
        );
    }
}

#[test]
fn shared_dicts_have_a_limit_on_their_number() {
    let dicts = |count| {
        (0..count).fold(String::from("[shared_dicts]\n"), |text, n| {
            text + &format!("d{n} = \"4 KiB\"\n")
        })
    };
    assert_eq!(good(&dicts(256)).shared_dicts.len(), 256);
    assert_eq!(
        problems(&dicts(257)),
        ["shop/rille.toml:1: shared_dicts has more than 256 dictionaries"]
    );
}

#[test]
fn what_is_not_there_yet_is_refused() {
    let found = problems("[[task]]\nname = \"Main\"\non = \"nats:orders.*\"");
    assert!(
        found[0].starts_with("shop/rille.toml:3: on = "),
        "{found:?}"
    );
    assert!(found[0].contains("is not available yet"), "{found:?}");
}

#[test]
fn ports_of_tasks() {
    let task = |lines: &str| format!("[[task]]\nname = \"Echo\"\n{lines}");
    for (on, address) in [
        ("tcp:7000", "127.0.0.1:7000"),
        ("tcp:0", "127.0.0.1:0"),
        ("tcp:0.0.0.0:7000", "0.0.0.0:7000"),
        ("tcp:[::1]:7000", "[::1]:7000"),
    ] {
        let manifest = good(&task(&format!("on = \"{on}\"\nconnections = 5")));
        let expected = Trigger::Tcp {
            address: address.parse().unwrap(),
            connections: Some(5),
        };
        assert_eq!(manifest.tasks[0].trigger, expected);
        assert_eq!(manifest.tasks[0].restart, Restart::Temporary);
    }
    for on in [
        "tcp:",
        "tcp:65536",
        "tcp:+7",
        "tcp:host:7000",
        "tcp:::1:7000",
        "tcp:127.0.0.1",
    ] {
        let found = problems(&task(&format!("on = \"{on}\"")));
        let why = format!("shop/rille.toml:3: on = \"{on}\": write a port, such as");
        assert!(found[0].starts_with(&why), "{found:?}");
    }
    for restart in ["permanent", "transient"] {
        let found = problems(&task(&format!(
            "on = \"tcp:7000\"\nrestart = \"{restart}\""
        )));
        assert!(found[0].contains("ends with it"), "{found:?}");
    }
    let found = problems(&task("on = \"tcp:7000\"\nconnections = 0"));
    assert!(found[0].contains("connections is at least 1"), "{found:?}");
    let found = problems(&task("connections = 5"));
    assert!(
        found[0].contains("connections is for a task with on"),
        "{found:?}"
    );
}

#[test]
fn routes_that_hide_each_other() {
    let route = "[[route]]\npath = \"/a\"\ncontent = \"a.lua\"\n";
    let found = problems(&format!("{route}{route}"));
    assert_eq!(
        found,
        ["shop/rille.toml:5: the route of line 3 already answers /a"]
    );
    let route = |at: usize| format!("[[route]]\nmatch = \"^/{at}$\"\ncontent = \"a.lua\"\n");
    let found = problems(&format!("{}{}", route(1), route(1)));
    assert_eq!(
        found,
        ["shop/rille.toml:5: the route of line 3 already answers '^/1$'"]
    );
    let many: String = (0..101).map(route).collect();
    assert_eq!(
        problems(&many),
        ["shop/rille.toml:302: more than 100 routes have match; write some as path"]
    );
}

#[test]
fn text_that_is_not_toml() {
    let found = problems("name = \"a\"\nlimits = [");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("shop/rille.toml:2: not valid TOML: "),
        "{}",
        found[0]
    );
    // Nesting beyond any sense is an error, not a stack overflow.
    assert!(!problems(&format!("a = {}", "[".repeat(100_000))).is_empty());
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(
        problems("nme = \"a\"\ndebug = 1\n[limits]\ncpu = 3\nwal = \"1 s\"").len(),
        4
    );
}

#[test]
fn tasks_and_their_supervisor() {
    use crate::task::supervise::{Intensity, Policy, Restart, Strategy, Trigger};
    let text = "[supervisor]\nstrategy = \"rest_for_one\"\nintensity = 5\nbackoff = \"1 s\"\n
        [[task]]\nname = \"Main\"\ninstances = \"worker\"\n
        [[task]]\nname = \"night\"\non = \"cron:0 3 * * *\"\nrestart = \"transient\"\nintensity = 1\nperiod = \"1 h\"\n
        [[task]]\nname = \"tick\"\non = \"every: 5s\"\n
        [limits]\nmailbox = \"2 MiB\"";
    let (manifest, found) = Manifest::parse(text, "rille.toml", "shop");
    assert_eq!(found, []);
    assert_eq!(manifest.limits.mailbox, 2 << 20);
    let expected = Policy {
        strategy: Strategy::RestForOne,
        intensity: Intensity {
            restarts: 5,
            period: Duration::from_secs(5),
        },
        backoff: Duration::from_secs(1),
        ..Policy::default()
    };
    assert_eq!(manifest.supervisor, expected);
    let [main, night, tick] = &manifest.tasks[..] else {
        panic!("three tasks");
    };
    assert!(
        main.on_each_worker && main.restart == Restart::Permanent && main.trigger == Trigger::Start
    );
    assert!(matches!(night.trigger, Trigger::Cron(_)) && night.restart == Restart::Transient);
    let hourly = Intensity {
        restarts: 1,
        period: Duration::from_secs(3600),
    };
    assert_eq!(night.intensity, Some(hourly));
    assert_eq!(tick.trigger, Trigger::Every(Duration::from_secs(5)));
    assert!(tick.restart == Restart::Temporary && !tick.on_each_worker);
}

#[test]
fn how_versions_follow_each_other() {
    use super::DeployRules;
    let rules = |text: &str| {
        let (manifest, found) = Manifest::parse(text, "rille.toml", "shop");
        assert_eq!(found, []);
        manifest.deploy
    };
    assert_eq!(rules(""), DeployRules::default());
    let expected = DeployRules {
        grace: Duration::ZERO,
        overlap: true,
        health: Duration::from_millis(200),
    };
    let text = "[deploy]\ngrace = \"0 s\"\noverlap = true\nhealth = \"200 ms\"";
    assert_eq!(rules(text), expected);
    for (text, expected) in [
        (
            "[deploy]\ngrace = \"25 h\"",
            "2: grace = \"25 h\" is out of range: it goes from 0 us to 24 h",
        ),
        (
            "[deploy]\nhealth = \"2 min\"",
            "2: health = \"2 min\" is out of range: it goes from 1 ms to 1 min",
        ),
        (
            "[deploy]\ngrac = \"1 s\"",
            "2: unknown key 'grac' in [deploy]; did you mean 'grace'?",
        ),
    ] {
        assert_eq!(problems(text), [format!("shop/rille.toml:{expected}")]);
    }
}

#[test]
fn what_is_wrong_with_tasks() {
    for (text, expected) in [
        (
            "[[task]]",
            "1: a [[task]] needs a name, such as name = \"Main\": a file of tasks/, or a function of main.lua",
        ),
        (
            "[[task]]\nname = \"a\"\non = \"started\"",
            "3: on is \"start\", \"cron:0 3 * * *\", \"every:5s\" or \"tcp:7000\", not \"started\"",
        ),
        (
            "[[task]]\nname = \"a\"\non = \"every:5\"",
            "3: on = \"every:5\": '5' is not a duration; write a number with ms, s, min or h, such as \"200 ms\"",
        ),
        (
            "[[task]]\nname = \"a\"\non = \"every:0 s\"",
            "3: on = \"every:0 s\" is out of range: it goes from 1 ms to 8760 h",
        ),
        (
            "[[task]]\nname = \"a\"\non = \"cron:61 * * * *\"",
            "3: '61' is no minute of a cron expression: minute goes from 0 to 59",
        ),
        (
            "[[task]]\nname = \"a\"\ninstances = \"two\"",
            "3: instances is \"process\" or \"worker\", not \"two\"",
        ),
        (
            "[[task]]\nname = \"a\"\nrestart = \"always\"",
            "3: restart is \"permanent\", \"transient\" or \"temporary\", not \"always\"",
        ),
        (
            "[[task]]\nname = \"a\"\non = \"every:1s\"\nrestart = \"permanent\"",
            "4: a task that has its times ends in between: restart is \"transient\" or \"temporary\"",
        ),
        (
            "[[task]]\nname = \"a\"\n[[task]]\nname = \"a\"",
            "4: there is another [[task]] 'a'",
        ),
        (
            "[[task]]\nname = \"a\"\nrestarts = 3",
            "3: unknown key 'restarts' in [[task]]; did you mean 'restart'?",
        ),
        (
            "[supervisor]\nstrategy = \"one\"",
            "2: strategy is \"one_for_one\", \"one_for_all\" or \"rest_for_one\", not \"one\"",
        ),
        (
            "[supervisor]\npause = \"0 s\"",
            "2: pause = \"0 s\" is out of range: it goes from 1 ms to 24 h",
        ),
        (
            "[limits]\nmailbox = \"1 B\"",
            "2: mailbox = \"1 B\" is out of range: it goes from 1 KiB to 1 GiB",
        ),
    ] {
        assert_eq!(
            problems(text),
            [format!("shop/rille.toml:{expected}")],
            "{text}"
        );
    }
}

#[test]
fn outbound() {
    let manifest = good(
        "[outbound]\nallow = [\"10.0.0.0/8\", \"127.0.0.1:6379\", \"*.internal.example\", \"unix:/run/x.sock\"]\ndeny = [\"10.9.9.9\"]\npublic = false",
    );
    assert_eq!(manifest.outbound.allow.len(), 4);
    assert_eq!(manifest.outbound.deny.len(), 1);
    assert!(!manifest.outbound.public);
    assert_eq!(good("").outbound, Wishes::default());
    for (text, expected) in [
        (
            "[outbound]\nalow = []",
            "2: unknown key 'alow' in [outbound]; did you mean 'allow'?",
        ),
        (
            "[outbound]\nallow = 1",
            "2: allow must be a list of strings, not a whole number",
        ),
        (
            "[outbound]\npublic = 1",
            "2: public must be true or false, not a whole number",
        ),
        (
            "[outbound]\ndeny = [\n'10.0.0.0/33']",
            "3: '10.0.0.0/33' is not an address or a host: write \"10.0.0.0/8\", \"127.0.0.1:6379\", \"[fd00::1]:80\", \"*.internal.example\", \"unix:/run/x.sock\" or \"self\"",
        ),
        (
            "[outbound]\nallow = ['unix:x']",
            "2: 'unix:x': the path of a unix socket begins with '/', has no '..', and may end in \"/*\"",
        ),
    ] {
        assert_eq!(problems(text), [format!("shop/rille.toml:{expected}")]);
    }
    let many = format!("[outbound]\nallow = [{}]", "'10.0.0.1',".repeat(1001));
    assert_eq!(
        problems(&many),
        ["shop/rille.toml:2: allow has more than 1000 entries"]
    );
}

#[test]
fn limits_of_every_kind() {
    let limits = good(
        "[limits]\nresponse = \"1 MiB\"\ntimers = 1\npending_timers = 2\nrunning_timers = 3\nthreads = 4\nsubrequests = 5",
    )
    .limits;
    assert_eq!(limits.response, 1 << 20);
    assert_eq!(
        (limits.timers, limits.pending_timers, limits.running_timers),
        (1, 2, 3)
    );
    assert_eq!((limits.threads, limits.subrequests), (4, 5));
    assert_eq!(limits.at_most(&Limits::MOST), limits);
    assert_eq!(Limits::default().at_most(&limits).threads, 4);
}

fn operator(text: &str) -> Arc<Operator> {
    let (operator, problems) = Operator::parse(text, "operator.toml", &[]);
    assert_eq!(problems, []);
    Arc::new(operator)
}

fn asked(text: &str, admission: &Admission) -> Result<Limits, Vec<String>> {
    let (manifest, problems) = Manifest::parse_for(text, "rille.toml", "shop", admission);
    match problems.is_empty() {
        true => Ok(manifest.limits),
        false => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn nobody_has_more_than_the_ceilings() {
    let text = "[defaults]\nlog = \"1 KiB\"\n[ceilings]\nmemory = \"32 MiB\"\ntasks = 7\ncpu = \"1 s\"\nshared_dicts = \"1 MiB\"";
    let operator = operator(text);
    for admission in [
        Admission::of_own(&operator),
        Admission::of_tenants(&operator),
    ] {
        // Defaults are lowered; what is asked for beyond them is refused, each with its line.
        let limits = asked("", &admission).unwrap();
        assert_eq!(
            (limits.memory, limits.tasks, limits.log),
            (32 << 20, 7, 1024)
        );
        assert_eq!(limits.cpu, Duration::from_millis(200));
        assert!(asked("[limits]\nmemory = \"32 MiB\"\ntasks = 7", &admission).is_ok());
        assert_eq!(
            asked(
                "[limits]\nmemory = \"33 MiB\"\ntasks = 8\ncpu = \"2 s\"",
                &admission
            )
            .unwrap_err(),
            [
                "rille.toml:2: memory = \"33 MiB\" is out of range: it goes from 1 MiB to 32 MiB, the operator's ceiling",
                "rille.toml:4: cpu = \"2 s\" is out of range: it goes from 1 ms to 1 s, the operator's ceiling",
                "rille.toml:3: tasks is out of range: it goes from 0 to 7, the operator's ceiling",
            ]
        );
        assert_eq!(
            asked(
                "shared_dicts = { a = \"1 MiB\", b = \"4 KiB\" }",
                &admission
            )
            .unwrap_err(),
            ["rille.toml:1: shared_dicts are 1028 KiB together: the operator's ceiling is 1 MiB"]
        );
    }
}

#[test]
fn somebody_else_s_app_has_ceilings_of_its_own() {
    let silent: Arc<Operator> = Arc::default();
    let (own, tenant) = (Admission::of_own(&silent), Admission::of_tenants(&silent));
    let text = "[limits]\nmemory = \"1 GiB\"";
    assert_eq!(asked(text, &own).unwrap().memory, 1 << 30);
    assert_eq!(asked(text, &tenant).unwrap_err().len(), 1);
    assert_eq!(asked("", &tenant).unwrap(), Limits::default());
    assert_eq!(Admission::default().trust, Trust::Tenant);
}

#[test]
fn mistakes_in_an_operator_s_file() {
    let more = ["public".to_owned(), "allow=10.0.0.1".to_owned()];
    let text = "[outbound]\nmode = \"any\"\nallow = [\"10.0.0.2\"]\ndeny = [\"8.8.8.8\"]";
    let (operator, problems) = Operator::parse(text, "operator.toml", &more);
    assert_eq!(problems, []);
    assert_eq!(operator.outbound.mode, Mode::Public);
    assert_eq!(
        (operator.outbound.allow.len(), operator.outbound.deny.len()),
        (2, 1)
    );
    for (text, expected) in [
        (
            "[ceiling]",
            "1: unknown key 'ceiling'; did you mean 'ceilings'?",
        ),
        (
            "[ceilings]\nmemry = 1",
            "2: unknown key 'memry' in [ceilings]; did you mean 'memory'?",
        ),
        (
            "[defaults]\nshared_dicts = 1",
            "2: unknown key 'shared_dicts' in [defaults]; known keys are memory, body, response, kv, cache, log, mailbox, cpu, wall, cpu_per_minute, sockets, upgrades, tasks, timers, pending_timers, running_timers, threads, subrequests",
        ),
        (
            "[ceilings]\nshared_dicts = \"2000 GiB\"",
            "2: shared_dicts = \"2000 GiB\" is out of range: it goes from 0 B to 1024 GiB",
        ),
        (
            "[outbound]\nmode = \"private\"",
            "2: mode is \"any\", \"manifests\", \"public\" or \"none\", not \"private\"",
        ),
        (
            "[outbound]\npublic = true",
            "2: unknown key 'public' in [outbound]; known keys are mode, allow, deny",
        ),
    ] {
        let (_, problems) = Operator::parse(text, "operator.toml", &[]);
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [format!("operator.toml:{expected}")]);
    }
    let (_, problems) = Operator::parse("", "operator.toml", &["allow=x y".to_owned()]);
    assert_eq!(problems.len(), 1);
}
