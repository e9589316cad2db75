//! What hostile scripts do, and what must happen: `cargo test -p rille --test attacks -- FILTER`. Each script under
//! `tests/lua/attacks` in a process of its own, with 256 KiB of native stack; see [`rille_testkit::attacks`].
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::path::PathBuf;
use std::process::ExitCode;

use rille_testkit::attacks;
use rille_testkit::golden::Verdict;
use rille_testkit::harness::{self, Arguments, Case};

fn main() -> ExitCode {
    let binary = std::env::var_os("RILLE_BIN").map(PathBuf::from);
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_rille").into());
    let engine = attacks::engine(&binary);
    let folder = rille_testkit::workspace_root().join("tests/lua");
    let scripts = match attacks::discover(&folder) {
        Ok(scripts) => scripts,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    };
    let cases = scripts
        .iter()
        .map(|script| Case {
            name: script.with_extension("").display().to_string(),
            run: Box::new(|| {
                let row = attacks::run(&engine, &folder, script);
                match row.complaints.is_empty() {
                    true => Verdict::Passed,
                    false => Verdict::Failed(row.complaints),
                }
            }),
        })
        .collect();
    harness::main(cases, &Arguments::from_env())
}
