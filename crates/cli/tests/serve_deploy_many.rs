//! A thousand deploys in this process, which has nothing else to do, so that what is left of them can be counted.

mod serve_support;

use rille_runtime::app::App;
use serve_support::here::Host;
use serve_support::{eventually, folder};
use std::sync::{Arc, Weak};

/// What the process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn nothing_is_left_of_old_versions() {
    let files = [
        (
            "rille.toml",
            "name = 'a'\n[deploy]\ngrace = '1 ms'\n[[task]]\nname = 'Main'\n[[task]]\nname = 'Each'\ninstances = 'worker'\n",
        ),
        (
            "main.lua",
            "function Main() while true do task.receive() end end function Each() while true do sleep(1) end end",
        ),
        (
            "init.lua",
            "ngx.timer.every(60, function() end) timer.every(60, function() end) shared = {}",
        ),
        ("health.lua", "return #shared == 0"),
        ("index.lua", "return function() return 'good' end"),
    ];
    let dir = folder(&files);
    let host = Host::of(2, &dir);
    let mut versions: Vec<Weak<App>> = Vec::new();
    let one = |versions: &mut Vec<Weak<App>>| {
        host.deploy(&dir).unwrap();
        versions.push(
            host.deployer()
                .current("a")
                .map(|app| Arc::downgrade(&app))
                .unwrap(),
        );
        assert_eq!(host.get("/"), "good");
    };
    for _ in 0..20 {
        one(&mut versions);
    }
    let (open, resident) = (descriptors(), resident());
    for _ in 0..980 {
        one(&mut versions);
    }
    let alive = || versions.iter().filter(|app| app.strong_count() > 0).count();
    eventually(|| alive() == 1);
    assert!(descriptors() <= open + 4, "{} from {open}", descriptors());
    let grown = resident_growth(resident);
    assert!(grown < 32 << 20, "{grown} bytes more resident");
    assert_eq!(host.deployer().list()[0].version.number, 1001);
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn resident_growth(before: u64) -> u64 {
    resident().saturating_sub(before)
}
