//! `cargo xtask soak`: all targets over ever new seeds, for a while; findings are kept and counted, not stopped at.
//!
//!     rille-soak [--target NAME] [--seconds N] [--from SEED] [--seed SEED]
//!
//! The seconds are shared by the targets. `--seed` runs one input of one target, without catching its panic.
#![forbid(unsafe_code)]

use rille_fuzz::{TARGETS, Target, inputs, rng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Options {
    target: Option<String>,
    seconds: Option<u64>,
    from: u64,
    seed: Option<u64>,
}

/// What a target came to.
struct Row {
    name: &'static str,
    executions: u64,
    seconds: f64,
    findings: u64,
}

/// Findings of one target that are kept; more of them are rarely new.
const MAX_FINDINGS: u64 = 20;

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<&Target> = (TARGETS.iter())
        .filter(|t| options.target.as_deref().is_none_or(|name| name == t.name))
        .collect();
    if chosen.is_empty() {
        eprintln!("error: there is no such target");
        return ExitCode::from(2);
    }
    if let Some(seed) = options.seed {
        for target in chosen {
            (target.run)(&rng::input(seed, &corpus(target)));
        }
        return ExitCode::SUCCESS;
    }
    let seconds = options.seconds.unwrap_or(60) as f64 / chosen.len() as f64;
    let rows: Vec<Row> = (chosen.iter())
        .map(|target| soak(target, Duration::from_secs_f64(seconds), options.from))
        .collect();
    println!("{:<10} {:>12} {:>9} {:>9}", "target", "executions", "seconds", "findings");
    for row in &rows {
        println!("{:<10} {:>12} {:>9.1} {:>9}", row.name, row.executions, row.seconds, row.findings);
    }
    match rows.iter().map(|row| row.findings).sum::<u64>() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word} needs a number"));
        match word.as_str() {
            "--target" => options.target = Some(value.clone()),
            "--seconds" => options.seconds = Some(number()?),
            "--from" => options.from = number()?,
            "--seed" => options.seed = Some(number()?),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(options)
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let inputs = inputs::corpus(target.name);
    inputs.into_iter().map(|input| input.data).collect()
}

fn soak(target: &Target, time: Duration, from: u64) -> Row {
    let corpus = corpus(target);
    let begin = Instant::now();
    let mut row = Row {
        name: target.name,
        executions: 0,
        seconds: 0.0,
        findings: 0,
    };
    while begin.elapsed() < time && row.findings < MAX_FINDINGS {
        let seed = from + row.executions;
        let data = rng::input(seed, &corpus);
        row.executions += 1;
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&data))).is_err() {
            row.findings += 1;
            keep(target, seed, &data);
        }
    }
    row.seconds = begin.elapsed().as_secs_f64();
    row
}

/// Puts the input where `fuzz/regressions` can have it from.
fn keep(target: &Target, seed: u64, data: &[u8]) {
    let folder = rille_testkit::target_dir().join("soak").join(target.name);
    let file = folder.join(format!("seed-{seed}"));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, data));
    let place = written.map_or_else(|e| e.to_string(), |()| Path::new(&file).display().to_string());
    eprintln!("finding of {} with seed {seed}: {place}", target.name);
}
