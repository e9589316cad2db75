//! `cargo xtask counts`: how many machine instructions the release binary takes for a few short programs, against the counts
//! in `benches/counts.txt`. Unlike times they hardly depend on the machine and on what else it does, so they are a check
//! that can run anywhere and a margin of ten percent means something.
//!
//! A line of the file is a program of `benches/programs`, the size it is given and its count: that of three runs, each with a
//! hash key of its own. The keys are fixed, so that two counts of one binary agree; there are three, because where
//! the names of a program fall in its tables moves the count of one run by up to 15 percent.

use crate::{packages, shell};
use rille_testkit::workspace_root;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the hash keys are made from.
const SEEDS: [&str; 3] = ["1", "2", "3"];

/// Above the stored count by more than this is a failure. Runs of one binary differ by far less than a percent; this is for other
/// versions of the compiler.
const MARGIN_PERCENT: u64 = 10;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    program: String,
    size: String,
    count: u64,
}

/// What a new count is to a stored one.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Within,
    Above,
    /// Faster: the stored count no longer guards what was gained.
    Below,
}

pub fn run(words: &[String]) -> Result<bool, String> {
    let write = match words {
        [] => false,
        [word] if word == "--write" => true,
        _ => return Err("counts takes nothing but --write".into()),
    };
    let binary = shell::release_binary()?;
    if !write {
        return check(&binary);
    }
    let text = read()?;
    let mut new = String::new();
    for line in text.lines() {
        match parse_line(line)? {
            None => new.push_str(line),
            Some(entry) => {
                let count = count(&binary, &entry)?;
                let Entry { program, size, .. } = entry;
                let row = format!("{program:<18} {size:>7} {count:>12}");
                println!("{row}");
                new.push_str(&row);
            }
        }
        new.push('\n');
    }
    fs::write(path(), new).map_err(|e| format!("{}: {e}", path().display()))?;
    Ok(true)
}

/// Counts again and compares; prints a line for each program.
pub fn check(binary: &Path) -> Result<bool, String> {
    let mut good = true;
    let mut below = false;
    let mut programs = 0;
    for line in read()?.lines() {
        let Some(entry) = parse_line(line)? else {
            continue;
        };
        let count = count(binary, &entry)?;
        let remark = match verdict(count, entry.count) {
            Verdict::Within => "",
            Verdict::Above => "  TOO MANY",
            Verdict::Below => "  fewer",
        };
        good &= remark != "  TOO MANY";
        below |= remark == "  fewer";
        programs += 1;
        let percent = (count as f64 / entry.count as f64 - 1.0) * 100.0;
        println!(
            "instructions of {:<18} {count:>12} {percent:>+6.1} %{remark}",
            entry.program
        );
    }
    if programs == 0 {
        return Err(format!("{}: no programs", path().display()));
    }
    if !good {
        println!(
            "more than {MARGIN_PERCENT} % above benches/counts.txt: find out why; if it has to be, `cargo xtask counts --write`"
        );
    }
    if below {
        println!(
            "more than {MARGIN_PERCENT} % below benches/counts.txt: keep it so with `cargo xtask counts --write`"
        );
    }
    Ok(good)
}

fn path() -> PathBuf {
    workspace_root().join("benches/counts.txt")
}

fn read() -> Result<String, String> {
    fs::read_to_string(path()).map_err(|e| format!("{}: {e}", path().display()))
}

/// `None` for a comment or an empty line.
fn parse_line(line: &str) -> Result<Option<Entry>, String> {
    if line.starts_with('#') || line.trim().is_empty() {
        return Ok(None);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    match *words {
        [program, size, count] => match count.parse() {
            Ok(count) if count > 0 => Ok(Some(Entry {
                program: program.to_owned(),
                size: size.to_owned(),
                count,
            })),
            _ => Err(format!("benches/counts.txt: `{count}` is no count")),
        },
        _ => Err(format!("benches/counts.txt: what is `{line}`?")),
    }
}

fn verdict(count: u64, stored: u64) -> Verdict {
    let (count, stored) = (u128::from(count) * 100, u128::from(stored));
    if count > stored * u128::from(100 + MARGIN_PERCENT) {
        Verdict::Above
    } else if count < stored * u128::from(100 - MARGIN_PERCENT) {
        Verdict::Below
    } else {
        Verdict::Within
    }
}

/// The instructions of the program's runs, as callgrind counts them.
fn count(binary: &Path, entry: &Entry) -> Result<u64, String> {
    if !packages::on_path("valgrind") {
        return Err("counts needs valgrind (`cargo xtask test` installs it)".into());
    }
    let program = workspace_root()
        .join("benches/programs")
        .join(format!("{}.lua", entry.program));
    let mut sum = 0;
    for seed in SEEDS {
        sum += count_run(binary, &program, &entry.size, seed)?;
    }
    Ok(sum)
}

fn count_run(binary: &Path, program: &Path, size: &str, seed: &str) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary)
        .arg("lua")
        .arg(program)
        .arg(size)
        .env("RILLE_HASH_SEED", seed)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), said.trim_end()));
    }
    collected(&said).ok_or_else(|| format!("{}: no count in {said:?}", program.display()))
}

/// The number in `==123== Collected : 4567`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_judged_by_the_margin() {
        assert_eq!(verdict(1000, 1000), Verdict::Within);
        assert_eq!(verdict(1100, 1000), Verdict::Within);
        assert_eq!(verdict(1101, 1000), Verdict::Above);
        assert_eq!(verdict(900, 1000), Verdict::Within);
        assert_eq!(verdict(899, 1000), Verdict::Below);
    }

    #[test]
    fn what_callgrind_says_is_read() {
        let said = "==7== Events    : Ir\n==7== Collected : 205041\n==7== \n==7== I   refs:      205,041\n";
        assert_eq!(collected(said), Some(205_041));
        assert_eq!(collected("==7== nothing\n"), None);
    }

    #[test]
    fn a_line_is_a_program_a_size_and_a_count() {
        let entry = Entry {
            program: "string_lz".into(),
            size: "2".into(),
            count: 5,
        };
        assert_eq!(parse_line("string_lz  2  5"), Ok(Some(entry)));
        assert_eq!(parse_line("# a remark"), Ok(None));
        assert_eq!(parse_line(""), Ok(None));
        assert!(parse_line("string_lz 5").is_err());
        assert!(parse_line("string_lz 2 0").is_err());
        assert!(parse_line("string_lz 2 many").is_err());
    }

    /// The programs that the file names are there.
    #[test]
    fn the_file_names_programs() {
        let text = read().unwrap();
        let entries: Vec<Entry> = text
            .lines()
            .filter_map(|line| parse_line(line).unwrap())
            .collect();
        assert!(entries.len() >= 6);
        for entry in entries {
            let program = format!("benches/programs/{}.lua", entry.program);
            assert!(workspace_root().join(&program).is_file(), "{program}");
        }
    }
}
