//! `cargo xtask asan`: the VM's own tests, then the golden scripts under GC stress, with every load and store checked by
//! AddressSanitizer. It needs a nightly toolchain and builds into a folder of its own.

use std::path::PathBuf;
use std::process::Command;

use rille_testkit::golden::Engine;
use rille_testkit::target_dir;

use crate::{scripts, shell};

/// The sanitizer is switched on per target, and naming the target keeps build scripts and macros out of it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub fn run(words: &[String]) -> Result<bool, String> {
    let filter = match words {
        [] => "",
        [filter] => filter,
        _ => return Err("asan takes at most one filter".into()),
    };
    // An instrumented VM runs every golden script, but a leak of the process as it exits is not what is looked for.
    let build_dir = target_dir().join("asan");
    if filter.is_empty() {
        let mut test = sanitized_cargo(&build_dir);
        test.args([
            "test",
            "--package",
            "rille-lua",
            "--lib",
            "--tests",
            "--target",
            TARGET,
        ]);
        shell::run(&mut test)?;
    }
    let mut build = sanitized_cargo(&build_dir);
    build.args(["build", "--package", "rille", "--target", TARGET]);
    shell::run(&mut build)?;
    let binary = build_dir.join(TARGET).join("debug/rille");
    let engine = Engine {
        gc_stress: true,
        instrumented: true,
        ..Engine::rille(&binary)
    };
    scripts::run_golden(&engine, filter)
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
            "-Zsanitizer=address -Cforce-frame-pointers=yes",
        )
        .env("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        .env("CARGO_TARGET_DIR", build_dir);
    command
}
