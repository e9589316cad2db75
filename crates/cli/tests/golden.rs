//! Every script under `tests/lua`, run by the binary: `cargo test -p rille --test golden -- FILTER`.
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::process::ExitCode;

use rille_testkit::golden::{self, Engine};
use rille_testkit::harness;

fn main() -> ExitCode {
    let engine = Engine::rille(&rille_testkit::judged_binary(env!("CARGO_BIN_EXE_rille")));
    let folder = rille_testkit::workspace_root().join("tests/lua");
    harness::run_scripts(golden::discover(&folder, ""), |script| {
        golden::check(&engine, &folder, script)
    })
}
