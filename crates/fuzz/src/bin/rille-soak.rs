//! `cargo xtask soak`: all targets over ever new seeds, for a while; findings are kept and counted, not stopped at.
//!
//!     rille-soak [--target NAME] [--seconds N] [--from SEED]
//!     rille-soak --target NAME --seed SEED | --file FILE | --shrink FILE
//!
//! The seconds are shared by the targets. `--seed` and `--file` run one input, without catching its panic; `--shrink` makes
//! the input of a finding as short as it gets and overwrites the file.
#![forbid(unsafe_code)]

use rille_fuzz::{TARGETS, Target, inputs, reference, rng};
use rille_lua::Dialect;
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
    file: Option<String>,
    shrink: Option<String>,
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
    if let Some(file) = options.file.as_ref().or(options.shrink.as_ref()) {
        let data = std::fs::read(file).expect("the file can be read");
        if options.shrink.is_some() {
            let short = shrunk(chosen[0], data);
            std::fs::write(file, &short).expect("the file can be written");
            println!("{} bytes: {short:?}", short.len());
        } else {
            (chosen[0].run)(&data);
        }
        return ExitCode::SUCCESS;
    }
    let seconds = options.seconds.unwrap_or(60) as f64 / chosen.len() as f64;
    let rows: Vec<Row> = (chosen.iter())
        .map(|target| soak(target, Duration::from_secs_f64(seconds), options.from))
        .collect();
    println!(
        "{:<10} {:>12} {:>9} {:>9}",
        "target", "executions", "seconds", "findings"
    );
    for row in &rows {
        println!(
            "{:<10} {:>12} {:>9.1} {:>9}",
            row.name, row.executions, row.seconds, row.findings
        );
    }
    for dialect in Dialect::ALL {
        match reference::answers(dialect) {
            0 => {}
            n => println!("compared with {}: {n}", dialect.version()),
        }
    }
    match rows.iter().map(|row| row.findings).sum::<u64>() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{word} needs a number"))
        };
        match word.as_str() {
            "--target" => options.target = Some(value.clone()),
            "--seconds" => options.seconds = Some(number()?),
            "--from" => options.from = number()?,
            "--seed" => options.seed = Some(number()?),
            "--file" => options.file = Some(value.clone()),
            "--shrink" => options.shrink = Some(value.clone()),
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

/// Removes pieces, and makes bytes zero, for as long as what is left is a finding.
fn shrunk(target: &Target, mut data: Vec<u8>) -> Vec<u8> {
    std::panic::set_hook(Box::new(|_| {}));
    let fails = |data: &[u8]| catch_unwind(AssertUnwindSafe(|| (target.run)(data))).is_err();
    assert!(fails(&data), "the input is not a finding");
    let mut size = data.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < data.len() {
            let end = (at + size).min(data.len());
            let without = [&data[..at], &data[end..]].concat();
            let mut zeroed = data.clone();
            zeroed[at..end].fill(0);
            if fails(&without) {
                data = without;
            } else {
                if zeroed != data && fails(&zeroed) {
                    data = zeroed;
                }
                at = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    data
}

/// Puts the input where `fuzz/regressions` can have it from.
fn keep(target: &Target, seed: u64, data: &[u8]) {
    let folder = rille_testkit::target_dir().join("soak").join(target.name);
    let file = folder.join(format!("seed-{seed}"));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, data));
    let place = written.map_or_else(
        |e| e.to_string(),
        |()| Path::new(&file).display().to_string(),
    );
    eprintln!("finding of {} with seed {seed}: {place}", target.name);
}
