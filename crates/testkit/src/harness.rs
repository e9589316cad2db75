//! Runs a list of named cases and reports them in the format of Rust's own test harness, for test targets whose cases
//! are found at run time (`harness = false`): scripts, files of a suite.
//!
//! **Invariant:** the last line printed is `test result: ...` with the true counts, and the exit code is 0 only where
//! nothing failed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::golden::Verdict;

/// One named case.
pub struct Case<'a> {
    pub name: String,
    pub run: Box<dyn Fn() -> Verdict + Send + Sync + 'a>,
}

/// The `main` of a test target whose cases are scripts that were found; each is named by its path without the ending.
pub fn run_scripts(
    scripts: Result<Vec<PathBuf>, String>,
    run: impl Fn(&Path) -> Verdict + Send + Sync,
) -> ExitCode {
    let scripts = match scripts {
        Ok(scripts) => scripts,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    };
    let cases = (scripts.iter())
        .map(|script| Case {
            name: script.with_extension("").display().to_string(),
            run: Box::new(|| run(script)),
        })
        .collect();
    main(cases, &Arguments::from_env())
}

/// What the command line of a test target asks for. Options of the standard harness that do not apply are accepted
/// and ignored, so that `cargo test -- --nocapture` works for every target.
#[derive(Debug, Default)]
pub struct Arguments {
    filters: Vec<String>,
    skips: Vec<String>,
    exact: bool,
    list: bool,
    ignored_only: bool,
}

impl Arguments {
    pub fn from_env() -> Arguments {
        Arguments::parse(std::env::args().skip(1))
    }

    fn parse(words: impl Iterator<Item = String>) -> Arguments {
        let mut arguments = Arguments::default();
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--exact" => arguments.exact = true,
                "--list" => arguments.list = true,
                "--ignored" => arguments.ignored_only = true,
                "--skip" => arguments.skips.extend(words.next()),
                "--test-threads" | "--color" | "--format" | "-Z" | "--logfile" => {
                    words.next();
                }
                _ if word.starts_with('-') => {}
                _ => arguments.filters.push(word),
            }
        }
        arguments
    }

    fn selects(&self, name: &str) -> bool {
        let matches = |pattern: &String| {
            if self.exact {
                name == pattern
            } else {
                name.contains(pattern.as_str())
            }
        };
        let wanted = self.filters.is_empty() || self.filters.iter().any(matches);
        wanted && !self.skips.iter().any(matches)
    }
}

/// How many cases ended in which way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

/// Runs the cases the arguments select and prints the report. For use as the body of `main`.
pub fn main(cases: Vec<Case<'_>>, arguments: &Arguments) -> ExitCode {
    if arguments.list {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let total = cases.len();
    let selected: Vec<Case> = cases
        .into_iter()
        .filter(|case| !arguments.ignored_only && arguments.selects(&case.name))
        .collect();
    let counts = run(&selected, total - selected.len());
    if counts.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the cases on as many threads as the machine has cores and prints the report.
pub fn run(cases: &[Case<'_>], filtered_out: usize) -> Counts {
    let started = Instant::now();
    println!("\nrunning {} tests", cases.len());
    let next = AtomicUsize::new(0);
    let done: Mutex<(Counts, Vec<(String, String)>)> = Mutex::default();
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = (case.run)();
                    let mut done = done.lock().expect("no case panics while it holds the lock");
                    let (counts, failures) = &mut *done;
                    record(counts, failures, &case.name, verdict);
                }
            });
        }
    });
    let (counts, mut failures) = done.into_inner().expect("all threads ended well");
    failures.sort();
    report(counts, &failures, filtered_out, started);
    counts
}

fn record(counts: &mut Counts, failures: &mut Vec<(String, String)>, name: &str, verdict: Verdict) {
    match verdict {
        Verdict::Passed => {
            counts.passed += 1;
            println!("test {name} ... ok");
        }
        Verdict::Skipped(reason) => {
            counts.skipped += 1;
            println!("test {name} ... ignored, {reason}");
        }
        Verdict::Failed(text) => {
            counts.failed += 1;
            println!("test {name} ... FAILED");
            failures.push((name.to_owned(), text));
        }
    }
    let _ = std::io::stdout().flush();
}

fn report(counts: Counts, failures: &[(String, String)], filtered_out: usize, started: Instant) {
    if !failures.is_empty() {
        println!("\nfailures:");
        for (name, text) in failures {
            println!("\n---- {name} ----\n{}", text.trim_end());
        }
        println!("\nfailures:");
        for (name, _) in failures {
            println!("    {name}");
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {filtered_out} filtered out; \
         finished in {:.2}s\n",
        if counts.failed == 0 { "ok" } else { "FAILED" },
        counts.passed,
        counts.failed,
        counts.skipped,
        started.elapsed().as_secs_f64()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn selects_like_the_standard_harness() {
        assert!(arguments("").selects("any/case"));
        assert!(arguments("--nocapture case").selects("any/case"));
        assert!(!arguments("other").selects("any/case"));
        assert!(!arguments("--exact case").selects("any/case"));
        assert!(!arguments("--skip any").selects("any/case"));
        assert!(arguments("--test-threads 1").selects("x"));
    }

    #[test]
    fn counts_every_verdict_once() {
        let case = |name: &str, make: fn() -> Verdict| Case {
            name: name.into(),
            run: Box::new(make),
        };
        let counts = run(
            &[
                case("good", || Verdict::Passed),
                case("bad", || Verdict::Failed("why".into())),
                case("other", || Verdict::Skipped("not here".into())),
                case("good too", || Verdict::Passed),
            ],
            0,
        );
        assert_eq!(
            counts,
            Counts {
                passed: 2,
                failed: 1,
                skipped: 1
            }
        );
    }
}
