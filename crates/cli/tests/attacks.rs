//! What hostile scripts do, and what must happen: `cargo test -p rille --test attacks -- FILTER`. Each script under
//! `tests/lua/attacks` in a process of its own, with 256 KiB of native stack; see [`rille_testkit::attacks`].
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::process::ExitCode;

use rille_testkit::attacks;
use rille_testkit::golden::Verdict;
use rille_testkit::harness;

fn main() -> ExitCode {
    let engine = attacks::engine(&rille_testkit::judged_binary(env!("CARGO_BIN_EXE_rille")));
    let folder = rille_testkit::workspace_root().join("tests/lua");
    harness::run_scripts(attacks::discover(&folder), |script| {
        let row = attacks::run(&engine, &folder, script);
        match row.complaints.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed(row.complaints),
        }
    })
}
