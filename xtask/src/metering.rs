//! `cargo xtask metering`: what counting instructions costs. The release binary and one with the counting compiled out
//! (feature `unmetered` of rille-lua) run the same programs in turn; the figure is the ratio of their CPU times.
//!
//! What the other build still has is the test at safe points: the collector needs it too.

use crate::shell;
use rille_testkit::target_dir;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Interleaved runs of each program.
const RUNS: usize = 5;

/// Takes folders or files of programs.
pub fn run(words: &[String]) -> Result<bool, String> {
    let mut programs = Vec::new();
    for place in words {
        collect(Path::new(place), &mut programs)?;
    }
    if programs.is_empty() {
        return Err("name programs, or folders that have some".into());
    }
    let metered = shell::release_binary()?;
    let other = target_dir().join("unmetered");
    let mut build = shell::cargo();
    build
        .args(["build", "--release", "--package", "rille"])
        .args(["--features", "rille-lua/unmetered", "--target-dir"])
        .arg(&other);
    shell::run(&mut build)?;
    let unmetered = other.join("release/rille");
    println!(
        "{:<16}{:>10}{:>12}{:>8}",
        "program", "metered", "unmetered", "ratio"
    );
    let mut product = 1.0f64;
    for program in &programs {
        let (mut with, mut without) = (f64::MAX, f64::MAX);
        for _ in 0..RUNS {
            with = with.min(cpu_seconds(&metered, program)?);
            without = without.min(cpu_seconds(&unmetered, program)?);
        }
        let ratio = with / without;
        product *= ratio;
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name:<16}{with:>10.3}{without:>12.3}{ratio:>8.2}");
    }
    let mean = product.powf(1.0 / programs.len() as f64);
    println!("geometric mean {mean:.3} over {} programs", programs.len());
    Ok(true)
}

fn collect(place: &Path, programs: &mut Vec<PathBuf>) -> Result<(), String> {
    if place.is_file() {
        programs.push(place.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(place).map_err(|e| format!("{}: {e}", place.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "lua"))
        .collect();
    found.sort();
    programs.append(&mut found);
    Ok(())
}

/// User and system time of one run, as the shell's `time` tells it.
fn cpu_seconds(binary: &Path, program: &Path) -> Result<f64, String> {
    let script = r#"TIMEFORMAT="%U %S"; time "$0" lua "$1" >/dev/null"#;
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(binary)
        .arg(program)
        .output()
        .map_err(|e| format!("bash: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let times = text.lines().last().unwrap_or_default();
    let parsed: Vec<f64> = times.split(' ').filter_map(|t| t.parse().ok()).collect();
    match (output.status.success(), &*parsed) {
        (true, [user, system]) => Ok(user + system),
        _ => Err(format!("{}: {text}", program.display())),
    }
}
