//! `cargo xtask fuzz` and `cargo xtask soak`: the targets of `crates/fuzz` for longer than a test run.
//!
//! `fuzz` is coverage-guided: cargo-fuzz on a nightly toolchain. `soak` runs ever new seeds on the stable toolchain, in a
//! release with debug assertions. What `fuzz` finds on the way stays in `fuzz/found`, not in the corpus under version
//! control.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rille_testkit::{target_dir, workspace_root};

use crate::shell;

/// Seconds for each target unless told.
const SECONDS: u64 = 60;
/// Minutes of a soak unless told.
const MINUTES: u64 = 60;
/// One input may take this long before it is a finding.
const TIMEOUT_S: u64 = 60;

/// What a target came to.
struct Row {
    name: String,
    executions: u64,
    seconds: u64,
    findings: bool,
}

/// `cargo xtask fuzz [TARGET] [--seconds N]`.
pub fn fuzz(words: &[String]) -> Result<bool, String> {
    let (mut wanted, mut seconds) = (None, SECONDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => seconds = number(word, words.next())?,
            _ if word.starts_with('-') || wanted.is_some() => {
                return Err(format!("fuzz does not take {word}"));
            }
            _ => wanted = Some(word.clone()),
        }
    }
    let targets: Vec<String> = all_targets()?
        .into_iter()
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted == name))
        .collect();
    if targets.is_empty() {
        return Err("there is no such target".into());
    }
    need_cargo_fuzz()?;
    let rows = targets
        .iter()
        .map(|name| fuzz_one(name, seconds))
        .collect::<Result<Vec<Row>, String>>()?;
    println!(
        "{:<10} {:>12} {:>9} {:>9}",
        "target", "executions", "seconds", "finding"
    );
    for row in &rows {
        let finding = if row.findings { "yes" } else { "no" };
        println!(
            "{:<10} {:>12} {:>9} {:>9}",
            row.name, row.executions, row.seconds, finding
        );
    }
    Ok(rows.iter().all(|row| !row.findings))
}

/// `cargo xtask soak [--minutes N] [--target NAME] [--from SEED]`.
pub fn soak(words: &[String]) -> Result<bool, String> {
    let mut minutes = MINUTES;
    let mut arguments = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--minutes" => minutes = number(word, words.next())?,
            _ => arguments.push(word.clone()),
        }
    }
    shell::run(shell::cargo().args(["build", "--profile", "soak", "--package", "rille-fuzz"]))?;
    let mut command = Command::new(target_dir().join("soak/rille-soak"));
    command
        .current_dir(workspace_root())
        .arg("--seconds")
        .arg((minutes * 60).to_string())
        .args(arguments);
    shell::announce(&command);
    let status = command.status().map_err(|e| e.to_string())?;
    Ok(status.success())
}

fn number(option: &str, word: Option<&String>) -> Result<u64, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("{option} needs a number"))
}

/// The targets are the files of `fuzz/fuzz_targets`.
fn all_targets() -> Result<Vec<String>, String> {
    let folder = workspace_root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// `cargo +nightly` as the rustup proxy understands it, with the environment of the cargo that runs this taken out.
fn nightly(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(folder);
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

fn need_cargo_fuzz() -> Result<(), String> {
    let works = |arguments: &[&str]| {
        let mut command = nightly(&workspace_root());
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !works(&["--version"]) {
        return Err("fuzzing needs a nightly toolchain: rustup toolchain install nightly".into());
    }
    if works(&["fuzz", "--version"]) {
        return Ok(());
    }
    println!("fuzzing needs cargo-fuzz; installing it");
    shell::run(shell::cargo().args(["install", "--locked", "cargo-fuzz"]))
}

/// Runs libFuzzer and reads its summary.
fn fuzz_one(name: &str, seconds: u64) -> Result<Row, String> {
    let folder = workspace_root().join("fuzz");
    let found: PathBuf = folder.join("found").join(name);
    std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
    let mut command = nightly(&folder);
    command
        .args(["fuzz", "run", "--fuzz-dir", ".", name])
        .arg(&found)
        .arg(folder.join("corpus").join(name));
    let regressions = folder.join("regressions").join(name);
    if regressions.is_dir() {
        command.arg(regressions);
    }
    command
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT_S}"))
        .args([
            "-max_len=4096",
            "-print_final_stats=1",
            "-rss_limit_mb=4096",
        ])
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env("CARGO_TARGET_DIR", target_dir().join("fuzz"))
        .stderr(Stdio::piped());
    let line = shell::announce(&command);
    let begin = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("{line}: {e}"))?;
    let stderr = child.stderr.take().expect("stderr was piped");
    let mut executions = None;
    for bytes in BufReader::new(stderr).split(b'\n') {
        let bytes = bytes.map_err(|e| format!("{line}: {e}"))?;
        let text = String::from_utf8_lossy(&bytes);
        eprintln!("{text}");
        if let Some(count) = text.strip_prefix("stat::number_of_executed_units:") {
            executions = count.trim().parse().ok();
        }
    }
    let status = child.wait().map_err(|e| format!("{line}: {e}"))?;
    // Without a summary it did not even start.
    let executions = executions.ok_or_else(|| format!("`{line}` did not run ({status})"))?;
    Ok(Row {
        name: name.to_owned(),
        executions,
        seconds: begin.elapsed().as_secs(),
        findings: !status.success(),
    })
}
