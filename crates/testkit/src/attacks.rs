//! Runs the scripts under `tests/lua/attacks`, each in a process of its own with a native stack of 256 KiB, and holds what
//! became of it against its header: how it ended, the largest resident set, and the fuel it used beyond its limit.
//!
//! The ends, as the `attack:` line of a header names them:
//!
//! | end | what it means |
//! |---|---|
//! | `K` | terminated by its limit of instructions, which nothing in the script can catch |
//! | `M` | refused by the memory limit |
//! | `E` | an ordinary error, caught by the script or not |
//! | `done` | it runs to its end: the attack costs what it should and no more |
//!
//! **Invariant:** an attack without an `attack:` line, without limits, or whose process writes no report fails.

use std::path::{Path, PathBuf};

use crate::golden::{self, Engine};
use crate::process::{Exit, Outcome};
use crate::script::Script;

/// The native stack of the process, for `ulimit -s`.
const STACK_KIB: u32 = 256;
/// What the resident set may have beyond the VM's memory limit: the program itself, its buffers, and what the collector
/// needs while it works, which is at most a part of what it collects.
pub const RSS_SLACK_BYTES: u64 = 16 << 20;
/// That part, in percent of the limit.
pub const RSS_SLACK_PERCENT: u64 = 25;
/// Fuel that may be used beyond a limit: a millisecond of work where a unit takes the five nanoseconds that the slowest
/// of them do (see `crates/lua/benches/overshoot.rs`).
pub const MAX_OVERSHOOT_FUEL: u64 = 200_000;
/// Stands in front of the report on standard error.
const REPORT_MARK: &str = "rille-report: ";

/// What became of one attack.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub title: String,
    pub specified: String,
    pub outcome: String,
    pub exit: String,
    pub peak_rss_bytes: u64,
    pub memory_limit_bytes: u64,
    pub fuel_limit: Option<u64>,
    pub overshoot_fuel: u64,
    pub elapsed_ms: u128,
    /// What is wrong; empty where all is as specified.
    pub complaints: String,
}

/// The last line of a process that `RILLE_REPORT=1` was set for.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    fuel_used: u64,
    fuel_limit: Option<u64>,
    peak_rss_bytes: u64,
}

/// `rille lua` with a small native stack.
pub fn engine(binary: &Path) -> Engine {
    let line = format!("ulimit -s {STACK_KIB} && exec \"$@\"");
    let command = [
        "sh",
        "-c",
        &line,
        "sh",
        &binary.display().to_string(),
        "lua",
    ];
    Engine {
        command: command.map(str::to_owned).to_vec(),
        ..Engine::rille(binary)
    }
}

/// The attacks below the folder of the golden scripts.
pub fn discover(folder: &Path) -> Result<Vec<PathBuf>, String> {
    golden::discover(folder, "attacks/")
}

/// Runs one attack.
pub fn run(engine: &Engine, folder: &Path, relative: &Path) -> Row {
    let mut row = Row {
        name: relative
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        title: String::new(),
        specified: String::new(),
        outcome: "-".into(),
        exit: "-".into(),
        peak_rss_bytes: 0,
        memory_limit_bytes: 0,
        fuel_limit: None,
        overshoot_fuel: 0,
        elapsed_ms: 0,
        complaints: String::new(),
    };
    if let Err(problem) = fill(&mut row, engine, folder, relative) {
        row.complaints.push_str(&problem);
    }
    row
}

fn fill(row: &mut Row, engine: &Engine, folder: &Path, relative: &Path) -> Result<(), String> {
    let mut script = Script::load(&folder.join(relative))?;
    row.title = title(&folder.join(relative));
    row.specified = script.attack.join(" or ");
    if script.attack.is_empty() {
        return Err("its header has no `attack:` line\n".into());
    }
    row.memory_limit_bytes = flag(&script, "--max-memory")
        .and_then(parse_bytes)
        .ok_or("its flags have no --max-memory\n")?;
    // The limit on the resident set is this module's, for all alike.
    script.rss_limit_bytes = None;
    script.env.push(("RILLE_REPORT".into(), "1".into()));
    let mut outcome = golden::run(engine, folder, relative, &script)
        .map_err(|e| format!("cannot run {}: {e}\n", engine.command.join(" ")))?;
    row.exit = outcome.exit.to_string();
    row.elapsed_ms = outcome.elapsed.as_millis();
    let report = take_report(&mut outcome);
    row.outcome = class(&script, &outcome).into();
    if let Some(report) = golden::complaints(&script, &outcome) {
        row.complaints.push_str(&report);
    }
    let report = report.ok_or("it left no report\n")?;
    row.fuel_limit = report.fuel_limit;
    row.peak_rss_bytes = report.peak_rss_bytes;
    if !script.attack.contains(&row.outcome) {
        let text = format!("specified: {}; outcome: {}\n", row.specified, row.outcome);
        row.complaints.push_str(&text);
    }
    if let Some(limit) = report.fuel_limit {
        row.overshoot_fuel = report.fuel_used.saturating_sub(limit);
        if row.overshoot_fuel > MAX_OVERSHOOT_FUEL {
            let text = format!(
                "{} fuel beyond the limit, {MAX_OVERSHOOT_FUEL} allowed\n",
                row.overshoot_fuel
            );
            row.complaints.push_str(&text);
        }
        if row.outcome == "K" && report.fuel_used < limit {
            row.complaints.push_str("stopped with fuel left\n");
        }
    } else if script.attack.iter().any(|end| end == "K") {
        row.complaints
            .push_str("its flags have no --max-instructions\n");
    }
    let allowed = rss_bound(row.memory_limit_bytes);
    if row.peak_rss_bytes > allowed && !engine.instrumented {
        let text = format!(
            "resident set of {} KiB, {} KiB allowed\n",
            row.peak_rss_bytes / 1024,
            allowed / 1024
        );
        row.complaints.push_str(&text);
    }
    Ok(())
}

/// The largest resident set that a process with this memory limit may have.
pub fn rss_bound(limit_bytes: u64) -> u64 {
    limit_bytes + limit_bytes / 100 * RSS_SLACK_PERCENT + RSS_SLACK_BYTES
}

fn class(script: &Script, outcome: &Outcome) -> &'static str {
    let memory = outcome.stderr_text().contains("not enough memory");
    let expects = |end: &str| script.attack.iter().any(|e| e == end);
    match outcome.exit {
        Exit::Code(70 | 1) if memory => "M",
        Exit::Code(70) => "K",
        Exit::Code(1) => "E",
        // A script that ends has checked by itself, in what it prints, that its attacks were refused.
        Exit::Code(0) if expects("E") => "E",
        Exit::Code(0) => "done",
        _ => "crash",
    }
}

/// Takes the report out of standard error.
fn take_report(outcome: &mut Outcome) -> Option<Report> {
    let text = outcome.stderr_text();
    let at = text.rfind(REPORT_MARK)?;
    let line = text[at + REPORT_MARK.len()..].lines().next()?;
    let report = Report {
        fuel_used: number(line, "fuel_used")?,
        fuel_limit: number(line, "fuel_limit"),
        peak_rss_bytes: number(line, "peak_rss_bytes")?,
    };
    outcome.stderr = text.as_bytes()[..at].to_vec();
    Some(report)
}

/// A number in an object of JSON without objects in it.
fn number(json: &str, key: &str) -> Option<u64> {
    let (_, rest) = json.split_once(&format!("\"{key}\":"))?;
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn flag<'a>(script: &'a Script, name: &str) -> Option<&'a str> {
    let at = script.flags.iter().position(|word| word == name)?;
    script.flags.get(at + 1).map(String::as_str)
}

fn parse_bytes(text: &str) -> Option<u64> {
    text.strip_suffix("MiB")?
        .parse::<u64>()
        .ok()
        .map(|n| n << 20)
}

/// The title of a script: its first comment.
fn title(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("--")
        .trim()
        .trim_end_matches('.')
        .to_owned()
}

/// The rows as a table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| attack | what | specified | outcome | exit | peak RSS MiB (limit) | fuel limit | overshoot fuel |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let limit = row.fuel_limit.map_or("none".into(), |n| n.to_string());
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {:.1} ({}) | {limit} | {} |\n",
            row.name,
            row.title.replace('|', "\\|"),
            row.specified,
            row.outcome,
            row.exit.trim_start_matches("exit "),
            row.peak_rss_bytes as f64 / f64::from(1 << 20),
            row.memory_limit_bytes >> 20,
            row.overshoot_fuel,
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    const LIMITS: &str = "-- flags: --max-memory 64MiB --max-instructions 100\n";

    /// A "rille" that is a shell script: the run of an attack whose process does what `body` says.
    fn row(header: &str, body: &str) -> Row {
        let dir = TempDir::new("attacks").unwrap();
        dir.write("attacks/1.lua", format!("-- Title.\n{header}"))
            .unwrap();
        let program = dir.write("program", body).unwrap();
        let engine = Engine {
            command: vec!["sh".into(), program.display().to_string()],
            ..Engine::rille(Path::new("rille"))
        };
        run(&engine, dir.path(), Path::new("attacks/1.lua"))
    }

    fn reporting(used: u64, rss: u64, code: i32) -> String {
        format!(
            "echo 'rille-report: {{\"fuel_used\": {used}, \"fuel_limit\": 100, \"peak_rss_bytes\": {rss}}}' >&2\n\
             exit {code}\n"
        )
    }

    fn killed(header: &str, used: u64, rss: u64, code: i32) -> String {
        let header = format!("-- expect: exit 70\n{header}");
        row(&header, &reporting(used, rss, code)).complaints
    }

    #[test]
    fn an_attack_that_ends_as_specified_has_no_complaint() {
        let header = format!("-- attack: K\n{LIMITS}");
        assert_eq!(killed(&header, 120, 1 << 20, 70), "");
        let row = row(
            &format!("-- expect: exit 70\n{header}"),
            &reporting(130, 5 << 20, 70),
        );
        assert_eq!((row.outcome.as_str(), row.overshoot_fuel), ("K", 30));
        assert_eq!(row.title, "Title");
        assert!(table(&[row]).contains("| 1 | Title | K | K | 70 | 5.0 (64) | 100 | 30 |"));
    }

    #[test]
    fn everything_else_is_a_complaint() {
        let header = format!("-- attack: K\n{LIMITS}");
        assert!(killed(&header, 300_000, 0, 70).contains("beyond the limit"));
        assert!(killed(&header, 99, 0, 70).contains("stopped with fuel left"));
        assert!(killed(&header, 120, 1 << 30, 70).contains("resident set"));
        assert!(killed(&header, 120, 0, 1).contains("outcome: E"));
        assert!(killed(LIMITS, 120, 0, 70).contains("no `attack:` line"));
        assert!(killed("-- attack: M\n", 120, 0, 70).contains("no --max-memory"));
        assert!(
            row(&format!("-- attack: E\n{LIMITS}"), "exit 0")
                .complaints
                .contains("no report")
        );
        assert!(
            row(&format!("-- attack: E\n{LIMITS}"), "kill -SEGV $$")
                .complaints
                .contains("signal 11")
        );
    }

    #[test]
    fn the_bound_grows_with_the_limit() {
        assert_eq!(rss_bound(0), RSS_SLACK_BYTES);
        assert!(rss_bound(64 << 20) > 64 << 20);
    }
}
