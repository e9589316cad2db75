//! `cargo xtask test`: the README's second command. What it leaves behind is a folder of build results and, where they
//! were missing, a few packages of the system.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use rille_testkit::{official, target_dir};

use crate::{counts, packages, shell};

/// Passed and failed tests, added up over all test targets.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Tally {
    passed: u64,
    failed: u64,
}

/// Runs everything and prints one line of totals at the end.
pub fn test(words: &[String]) -> Result<bool, String> {
    match words {
        [] => packages::install_missing()?,
        [word] if word == "--no-install" => {}
        _ => return Err("test takes no arguments but --no-install".into()),
    }
    // The download waits on the network and the build on the processor, so they overlap. A failure here is reported
    // by the test that needs the suite.
    let suite = thread::spawn(|| official::fetch(&target_dir().join("official-suite")));
    let binary = shell::release_binary()?;
    let _ = suite.join();

    // The golden scripts and the official suite judge the binary users get; everything else is built as it is developed.
    let mut command = shell::cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("RILLE_BIN", &binary)
        // It was installed above: that programs are not compared with it would be a failure.
        .env("RILLE_REFERENCE_REQUIRED", "1");
    let line = shell::announce(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{line}: {e}"))?;
    let stdout = child.stdout.take().expect("stdout was piped");
    let mut tally = Tally::default();
    for bytes in BufReader::new(stdout).split(b'\n') {
        let bytes = bytes.map_err(|e| format!("{line}: {e}"))?;
        let text = String::from_utf8_lossy(&bytes);
        println!("{text}");
        tally.add(&text);
    }
    let status = child.wait().map_err(|e| format!("{line}: {e}"))?;
    if !status.success() && tally.failed == 0 {
        // A target that did not build, or that died without a count, is a failure like any other.
        tally.failed = 1;
    }
    // Counted when nothing else runs, though instructions do not depend on that: valgrind is slow enough alone.
    let counted = counts::check(&binary)?;
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(status.success() && tally.failed == 0 && tally.passed > 0 && counted)
}

impl Tally {
    /// Adds the counts of a `test result:` line; any other line adds nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        let counts = result.split_once(". ").map_or("", |(_, counts)| counts);
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let number = words
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_result_lines_and_nothing_else() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 31 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        tally.add("test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.add("test some::result ... ok");
        tally.add("99 passed; 99 failed");
        assert_eq!(
            tally,
            Tally {
                passed: 35,
                failed: 3
            }
        );
    }
}
