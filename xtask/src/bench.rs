//! `cargo xtask bench`: the programs under `benches/programs` on Rille and on whichever of `lua5.4` and `luajit` are installed,
//! then the microbenchmarks of `rille-lua`. Figures are only comparable within one run on one machine: the interpreters take
//! turns, and the fastest of several runs counts.
//!
//! Every program must print the same under `lua5.4`. LuaJIT is of an older version: where it cannot run a program or prints
//! numbers otherwise, it has no figure.

use crate::measure::{self, Engine, Run};
use crate::{packages, section, shell};
use rille_testkit::workspace_root;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs of each program on each interpreter, unless told.
const RUNS: usize = 5;
/// The table stands between these lines of `benches/README.md`.
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";
/// The microbenchmarks that go into the table too: they print Markdown.
const MICRO: [&str; 2] = ["embedding", "pauses"];

struct Options {
    runs: usize,
    write: bool,
    places: Vec<PathBuf>,
}

/// One program on one interpreter.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Best {
    seconds: f64,
    peak_bytes: u64,
}

/// One program: its best runs, Rille first. `None`: no figure.
struct Row {
    name: String,
    bests: Vec<Option<Best>>,
}

pub fn run(words: &[String]) -> Result<bool, String> {
    let options = parse(words)?;
    let whole = options.places.is_empty();
    let places = match whole {
        true => vec![workspace_root().join("benches/programs")],
        false => options.places,
    };
    let programs = measure::programs(&places)?;
    let engines = engines(&shell::release_binary()?);
    let mut rows = Vec::new();
    let mut complaints = String::new();
    let mut good = true;
    for program in &programs {
        let (row, complaint) = measure_program(&engines, program, options.runs)?;
        println!("{}", cells(&row).join("  "));
        good &= !complaint.iter().any(|(must_agree, _)| *must_agree);
        for (_, text) in complaint {
            let _ = writeln!(complaints, "{text}");
        }
        rows.push(row);
    }
    let startup = startup(&engines, options.runs)?;
    let mut report = table(&engines, &rows);
    let _ = writeln!(report, "\n{startup}");
    if whole {
        for name in MICRO {
            let _ = write!(report, "\n{}", micro(name)?);
        }
    }
    println!("\n{report}\n{complaints}");
    if options.write && good {
        let named: Vec<String> = words.to_vec();
        let head = format!(
            "{}, {}, `cargo xtask bench {}`: CPU seconds, the fastest of {} runs in turn. A ratio above 1 means that Rille is faster.\n\n",
            date(),
            processor(),
            named.join(" "),
            options.runs
        );
        let readme = workspace_root().join("benches/README.md");
        section::replace(&readme, BEGIN, END, &(head + &report))?;
    }
    Ok(good)
}

fn parse(words: &[String]) -> Result<Options, String> {
    let mut options = Options {
        runs: RUNS,
        write: false,
        places: Vec::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--write" => options.write = true,
            "-n" => {
                let number = words.next().and_then(|word| word.parse().ok());
                options.runs = number.filter(|n| *n > 0).ok_or("-n needs a number")?;
            }
            _ if word.starts_with('-') => return Err(format!("bench does not take {word}")),
            _ => options.places.push(word.into()),
        }
    }
    Ok(options)
}

/// Rille and what of the others is installed.
fn engines(binary: &Path) -> Vec<Engine> {
    let others = [
        ("lua5.4", "lua5.4", &[] as &[&str]),
        ("luajit -joff", "luajit", &["-joff"]),
    ];
    let mut engines = vec![Engine::rille(binary)];
    for (name, program, arguments) in others {
        if packages::on_path(program) {
            engines.push(Engine {
                name,
                program: program.into(),
                arguments,
            });
        } else {
            println!("{program} is not installed: no figures of it");
        }
    }
    engines
}

/// Complaints are texts, with whether the interpreter is one that has to agree.
type Complaints = Vec<(bool, String)>;

fn measure_program(
    engines: &[Engine],
    program: &Path,
    runs: usize,
) -> Result<(Row, Complaints), String> {
    let source = fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let needs_53 = source.starts_with(b"-- needs: 5.3");
    let name = measure::name_of(program);
    let mut bests: Vec<Option<Best>> = vec![None; engines.len()];
    let mut expected = Vec::new();
    let mut complaints = Complaints::new();
    for round in 0..runs {
        for (at, engine) in engines.iter().enumerate() {
            let of_same_version = engine.name != "luajit -joff";
            let has_no_figure = round > 0 && bests[at].is_none();
            if has_no_figure || (needs_53 && !of_same_version) {
                continue;
            }
            let run = match engine.run([OsString::from(program)]) {
                Ok(run) => run,
                // Without a run of Rille's there is nothing to compare with.
                Err(message) if at == 0 => return Err(format!("{name}: {message}")),
                Err(message) => {
                    complaints.push((of_same_version, format!("{name}: {message}")));
                    continue;
                }
            };
            if at == 0 && round == 0 {
                expected.clone_from(&run.output);
            } else if run.output != expected {
                let text = format!("{name}: {} prints something else", engine.name);
                complaints.push((of_same_version, text));
                bests[at] = None;
                continue;
            }
            bests[at] = Some(better(bests[at], &run));
        }
    }
    Ok((Row { name, bests }, complaints))
}

fn better(best: Option<Best>, run: &Run) -> Best {
    let new = Best {
        seconds: run.seconds,
        peak_bytes: run.peak_bytes,
    };
    best.map_or(new, |old| Best {
        seconds: old.seconds.min(new.seconds),
        peak_bytes: old.peak_bytes.min(new.peak_bytes),
    })
}

/// What an interpreter takes to start and to end.
fn startup(engines: &[Engine], runs: usize) -> Result<String, String> {
    let mut parts = Vec::new();
    for engine in engines {
        let mut best = None;
        for _ in 0..runs.max(10) {
            let run = engine.run(["-e", ""].map(OsString::from))?;
            best = Some(better(best, &run));
        }
        if let Some(Best {
            seconds,
            peak_bytes,
        }) = best
        {
            let (milliseconds, mib) = (seconds * 1e3, mebibytes(peak_bytes));
            parts.push(format!(
                "{} {milliseconds:.2} ms, {mib:.1} MiB",
                engine.name
            ));
        }
    }
    Ok(format!(
        "Start to end with an empty script: {}.",
        parts.join("; ")
    ))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// How many times Rille is faster than the interpreter at a place.
fn ratio(row: &Row, at: usize) -> Option<f64> {
    Some(row.bests[at]?.seconds / row.bests[0]?.seconds)
}

/// The cells of a row: seconds of each, ratios to the others, memory of each.
fn cells(row: &Row) -> Vec<String> {
    let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let mut cells = vec![row.name.clone()];
    for (at, best) in row.bests.iter().enumerate() {
        cells.push(shown(best.map(|best| format!("{:.3}", best.seconds))));
        if at > 0 {
            cells.push(shown(ratio(row, at).map(|ratio| format!("{ratio:.2}"))));
        }
    }
    for best in &row.bests {
        cells.push(shown(
            best.map(|best| format!("{:.1}", mebibytes(best.peak_bytes))),
        ));
    }
    cells
}

fn table(engines: &[Engine], rows: &[Row]) -> String {
    let mut head = vec!["program".to_owned()];
    for (at, engine) in engines.iter().enumerate() {
        head.push(engine.name.into());
        if at > 0 {
            head.push("ratio".into());
        }
    }
    for engine in engines {
        head.push(format!("MiB, {}", engine.name));
    }
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    for (at, engine) in engines.iter().enumerate().skip(1) {
        let ratios: Vec<(f64, &str)> = rows
            .iter()
            .filter_map(|row| Some((ratio(row, at)?, row.name.as_str())))
            .collect();
        let mean = measure::geometric_mean(ratios.iter().map(|(ratio, _)| *ratio));
        if let Some((worst, name)) = ratios.iter().min_by(|a, b| a.0.total_cmp(&b.0)) {
            let _ = writeln!(
                text,
                "\nAgainst {}: geometric mean {mean:.2} over {} programs, worst {worst:.2} ({name}).",
                engine.name,
                ratios.len()
            );
        }
    }
    text
}

/// The output of a microbenchmark of the VM.
fn micro(name: &str) -> Result<String, String> {
    let mut command = shell::cargo();
    command.args(["bench", "--package", "rille-lua", "--bench", name]);
    let line = shell::announce(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{line}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`{line}` failed ({})", output.status)),
    }
}

/// Today, by the system's clock, as `2026-11-26`.
fn date() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = elapsed.map_or(0, |elapsed| elapsed.as_secs() / 86_400);
    civil(days)
}

/// The date so many days after 1970-01-01. Years here begin in March, so that the day a leap year has more is their last.
fn civil(days: u64) -> String {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let from_march = days + 719_468;
    let (era, day) = (
        from_march / DAYS_OF_400_YEARS,
        from_march % DAYS_OF_400_YEARS,
    );
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

/// What the system calls its processor.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let rustc = Command::new("rustc").arg("--version").output();
    let version = rustc.map_or_else(
        |_| "rustc".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let version = version.split(" (").next().unwrap_or_default();
    format!("{name}, {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, seconds: [Option<f64>; 3]) -> Row {
        let best = |seconds| Best {
            seconds,
            peak_bytes: 3 << 19,
        };
        Row {
            name: name.into(),
            bests: seconds.iter().map(|s| s.map(best)).collect(),
        }
    }

    #[test]
    fn the_table_has_ratios_their_mean_and_the_worst() {
        let engine = |name| Engine {
            name,
            program: name.into(),
            arguments: &[],
        };
        let engines = [engine("rille"), engine("lua5.4"), engine("luajit -joff")];
        let rows = [
            row("fast", [Some(0.5), Some(2.0), None]),
            row("slow", [Some(1.0), Some(1.0), Some(0.5)]),
        ];
        let text = table(&engines, &rows);
        assert!(text.contains("| fast | 0.500 | 2.000 | 4.00 | - | - | 1.5 | 1.5 | - |\n"));
        assert!(
            text.contains(
                "Against lua5.4: geometric mean 2.00 over 2 programs, worst 1.00 (slow)."
            )
        );
        assert!(text.contains(
            "Against luajit -joff: geometric mean 0.50 over 1 programs, worst 0.50 (slow)."
        ));
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), "1970-01-01");
        assert_eq!(civil(11_016), "2000-02-29");
        assert_eq!(civil(11_017), "2000-03-01");
        assert_eq!(civil(20_453), "2025-12-31");
        assert_eq!(civil(20_454), "2026-01-01");
    }

    #[test]
    fn options_are_told_from_places() {
        let words = ["-n", "3", "--write", "folder"].map(String::from);
        let options = parse(&words).unwrap();
        assert_eq!((options.runs, options.write), (3, true));
        assert_eq!(options.places, [PathBuf::from("folder")]);
        for words in [&["-n"][..], &["-n", "0"], &["-x"]] {
            let words: Vec<String> = words.iter().map(|w| (*w).into()).collect();
            assert!(parse(&words).is_err());
        }
    }
}
