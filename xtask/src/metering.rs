//! `cargo xtask metering`: what counting instructions costs. The release binary and one with the counting compiled out
//! (feature `unmetered` of rille-lua) run the same programs in turn; the figure is the ratio of their CPU times.
//!
//! What the other build still has is the test at safe points: the collector needs it too.

use crate::measure::{self, Engine};
use crate::shell;
use rille_testkit::target_dir;
use std::path::PathBuf;

/// Interleaved runs of each program.
const RUNS: usize = 5;

/// Takes folders or files of programs.
pub fn run(words: &[String]) -> Result<bool, String> {
    let places: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
    let programs = measure::programs(&places)?;
    let metered = Engine::rille(&shell::release_binary()?);
    let other = target_dir().join("unmetered");
    let mut build = shell::cargo();
    build
        .args(["build", "--release", "--package", "rille"])
        .args(["--features", "rille-lua/unmetered", "--target-dir"])
        .arg(&other);
    shell::run(&mut build)?;
    let unmetered = Engine::rille(&other.join("release/rille"));
    println!(
        "{:<20}{:>10}{:>12}{:>8}",
        "program", "metered", "unmetered", "ratio"
    );
    let mut ratios = Vec::new();
    for program in &programs {
        let (mut with, mut without) = (f64::MAX, f64::MAX);
        for _ in 0..RUNS {
            with = with.min(metered.run([program.into()])?.seconds);
            without = without.min(unmetered.run([program.into()])?.seconds);
        }
        let ratio = with / without;
        ratios.push(ratio);
        let name = measure::name_of(program);
        println!("{name:<20}{with:>10.3}{without:>12.3}{ratio:>8.2}");
    }
    let count = ratios.len();
    let mean = measure::geometric_mean(ratios);
    println!("geometric mean {mean:.3} over {count} programs");
    Ok(true)
}
