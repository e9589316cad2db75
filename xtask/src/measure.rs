//! What a run of a program takes, for the commands that compare interpreters: processor time, memory, output.
//!
//! The kernel keeps the accounts of ended children together, so each run is the only child of a process of its own: this
//! program again, as `xtask measured COMMAND...`, which reports on its last line of standard error.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The word before the figures.
const REPORT: &str = "measured:";

/// What one run took.
pub struct Run {
    /// User and system time.
    pub seconds: f64,
    /// The largest resident set. Not below that of the process that started it, some 3 MiB.
    pub peak_bytes: u64,
    /// What it printed.
    pub output: Vec<u8>,
}

/// An interpreter: a program and the arguments before a script.
#[derive(Clone)]
pub struct Engine {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: &'static [&'static str],
}

impl Engine {
    /// The `lua` command of a Rille binary.
    pub fn rille(binary: &Path) -> Engine {
        Engine {
            name: "rille",
            program: binary.to_owned(),
            arguments: &["lua"],
        }
    }

    /// The command line for a script and what it is given.
    pub fn command_line(&self, rest: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
        let mut line = vec![self.program.clone().into_os_string()];
        line.extend(self.arguments.iter().map(OsString::from));
        line.extend(rest);
        line
    }

    /// Runs a script once. A run that does not end well is an error with what it said.
    pub fn run(&self, rest: impl IntoIterator<Item = OsString>) -> Result<Run, String> {
        let line = self.command_line(rest);
        let this = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let output = Command::new(this)
            .arg("measured")
            .args(&line)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", self.name))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("{}: {}", self.name, text.trim_end()));
        }
        let (seconds, peak_bytes) =
            parse_report(&text).ok_or_else(|| format!("{}: no figures in {text:?}", self.name))?;
        Ok(Run {
            seconds,
            peak_bytes,
            output: output.stdout,
        })
    }
}

/// `xtask measured COMMAND...`: runs the command and reports what it took.
pub fn measured(words: &[String]) -> Result<bool, String> {
    let [program, arguments @ ..] = words else {
        return Err("measured needs a command".into());
    };
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|e| format!("{program}: {e}"))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| format!("getrusage: {e}"))?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    eprintln!("{REPORT} {microseconds} {}", usage.max_rss());
    Ok(status.success())
}

/// Seconds and bytes from the last line of what `measured` wrote.
fn parse_report(text: &str) -> Option<(f64, u64)> {
    let mut words = text
        .lines()
        .last()?
        .strip_prefix(REPORT)?
        .split_whitespace();
    let microseconds: f64 = words.next()?.parse().ok()?;
    let kib: u64 = words.next()?.parse().ok()?;
    Some((microseconds / 1e6, kib * 1024))
}

/// The Lua programs that the words name: files, and those that lie in folders, in the order of their names.
pub fn programs(places: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut programs = Vec::new();
    for place in places {
        if place.is_file() {
            programs.push(place.clone());
            continue;
        }
        let entries = std::fs::read_dir(place).map_err(|e| format!("{}: {e}", place.display()))?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "lua"))
            .collect();
        found.sort();
        programs.append(&mut found);
    }
    match programs.is_empty() {
        true => Err("name programs, or folders that have some".into()),
        false => Ok(programs),
    }
}

/// The name of a program in a table.
pub fn name_of(program: &Path) -> String {
    program
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The geometric mean of ratios; 1 of none.
pub fn geometric_mean(ratios: impl IntoIterator<Item = f64>) -> f64 {
    let (mut logarithms, mut count) = (0.0, 0u32);
    for ratio in ratios {
        logarithms += ratio.ln();
        count += 1;
    }
    (logarithms / f64::from(count.max(1))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_the_last_line_of_standard_error() {
        assert_eq!(
            parse_report("a warning\nmeasured: 1500000 2048\n"),
            Some((1.5, 2 << 20))
        );
        assert_eq!(parse_report("measured: 1 2\nlua: an error\n"), None);
        assert_eq!(parse_report("measured: 1\n"), None);
        assert_eq!(parse_report(""), None);
    }

    #[test]
    fn the_mean_of_ratios_is_the_geometric_one() {
        assert!((geometric_mean([2.0, 0.5]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean([4.0, 1.0]) - 2.0).abs() < 1e-12);
        assert!((geometric_mean([]) - 1.0).abs() < 1e-12);
    }
}
