//! Programs that are the same in every version of Lua, run in each: our own, and those of a `shared/bench` folder beside the
//! checkout, where there is one.

use rille_testkit::golden::{self, Engine, Verdict};
use rille_testkit::process::{self, Exit};
use rille_testkit::workspace_root;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const VERSIONS: [&str; 5] = ["5.1", "5.2", "5.3", "5.4", "5.5"];
const TIMEOUT: Duration = Duration::from_secs(120);

/// An argument that makes a benchmark of this name short; others take a hundred.
fn size(name: &str) -> &'static str {
    match name {
        "bintrees" | "fannkuch" => "6",
        "fib" => "15",
        "json" | "richards" => "2",
        "life" => "4",
        "mandel" => "24",
        "spectral" => "12",
        _ => "300",
    }
}

/// Programs whose output tells how a version joins numbers to strings: they run, but print different things.
const DIFFERENT: [&str; 3] = ["concat", "json", "strings"];

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "lua"))
        .collect();
    found.sort();
    found
}

/// What a program prints in a version.
fn output(version: &str, program: &Path, argument: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(["lua", "--dialect", version]);
    command.arg(program).arg(argument);
    let outcome = process::run(&mut command, b"", TIMEOUT).unwrap();
    let errors = outcome.stderr_text();
    assert_eq!(
        outcome.exit,
        Exit::Code(0),
        "{version} {}: {errors}",
        program.display()
    );
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn our_programs_print_the_same_in_every_version() {
    let folder = workspace_root().join("tests/lua");
    let programs = golden::discover(&folder, "programs/every_version/").unwrap();
    assert!(programs.len() >= 3);
    for version in VERSIONS {
        let mut engine = Engine::rille(Path::new(env!("CARGO_BIN_EXE_rille")));
        engine
            .command
            .extend(["--dialect".to_owned(), version.to_owned()]);
        for program in &programs {
            if let Verdict::Failed(report) = golden::check(&engine, &folder, program) {
                panic!("{version} {}:\n{report}", program.display());
            }
        }
    }
}

#[test]
fn benchmarks_print_the_same_in_every_version() {
    let folder = workspace_root().join("../shared/bench");
    for program in scripts(&folder) {
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        // A float that is a whole number shows it from 5.3 on.
        let outputs =
            VERSIONS.map(|version| output(version, &program, size(&name)).replace(".0\n", "\n"));
        for (version, text) in VERSIONS.iter().zip(&outputs) {
            if !DIFFERENT.contains(&name.as_str()) {
                assert_eq!(text, &outputs[3], "{name} in {version}");
            }
            assert!(!text.is_empty(), "{name}");
        }
    }
}
