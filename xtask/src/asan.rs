//! `cargo xtask asan`: the VM's own tests (kills at every fuel value and refusals of every allocation among them), then the
//! golden scripts, the attacks included, with every load and store checked by AddressSanitizer; the scripts that work
//! the collector run once more under GC stress, with `--stress` all of them. It needs a nightly toolchain and builds
//! into a folder of its own.

use std::path::PathBuf;
use std::process::Command;

use rille_testkit::golden::Engine;
use rille_testkit::target_dir;

use crate::{scripts, shell};

/// The sanitizer is switched on per target, and naming the target keeps build scripts and macros out of it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The folders of scripts whose objects live and die in the ways that matter most here. All of them under stress and
/// the sanitizer (`--stress`) take most of an hour.
const STRESSED: [&str; 4] = ["gc/", "coroutines/", "locals/", "metatables/"];

pub fn run(words: &[String]) -> Result<bool, String> {
    let (all_stressed, words) = match words {
        [first, rest @ ..] if first == "--stress" => (true, rest),
        words => (false, words),
    };
    let filter = match words {
        [] => "",
        [filter] => filter,
        _ => return Err("asan takes at most one filter, behind --stress".into()),
    };
    let build_dir = target_dir().join("asan");
    let mut good = true;
    if filter.is_empty() {
        let mut test = sanitized_cargo(&build_dir);
        test.args(["test", "--package", "rille-lua", "--lib", "--tests"]);
        test.args(["--no-fail-fast", "--target", TARGET]);
        // The scripts are worth running even where a test fails.
        if let Err(message) = shell::run(&mut test) {
            println!("{message}");
            good = false;
        }
    }
    let mut build = sanitized_cargo(&build_dir);
    build.args(["build", "--package", "rille", "--target", TARGET]);
    shell::run(&mut build)?;
    let binary = build_dir.join(TARGET).join("debug/rille");
    let engine = Engine {
        instrumented: true,
        ..Engine::rille(&binary)
    };
    good &= scripts::run_golden(&engine, filter)?;
    let stressed = Engine {
        gc_stress: true,
        ..engine
    };
    if all_stressed {
        return Ok(scripts::run_golden(&stressed, filter)? && good);
    }
    for folder in STRESSED.iter().filter(|folder| folder.contains(filter)) {
        good &= scripts::run_golden(&stressed, folder)?;
    }
    Ok(good)
}

fn sanitized_cargo(build_dir: &PathBuf) -> Command {
    // `+nightly` is understood by the rustup proxy only, and CARGO may name the stable program behind it.
    let mut command = Command::new("cargo");
    command
        .arg("+nightly")
        .current_dir(rille_testkit::workspace_root());
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
        .env(
            "RUSTFLAGS",
            "--cfg rille_loop --cfg rille_pieces -Zsanitizer=address -Cforce-frame-pointers=yes",
        )
        .env("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        .env("CARGO_TARGET_DIR", build_dir);
    command
}
