//! The official Lua 5.4 test suite in portable mode and under `--strict`, file by file, judged against
//! `tests/official-5.4.expect`: `cargo test -p rille --test official -- FILTER`. `main.lua` also runs as it is, on the binary
//! under the name `lua`.
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::path::PathBuf;
use std::process::ExitCode;

use rille_testkit::golden::Engine;
use rille_testkit::harness::{self, Arguments, Case};
use rille_testkit::official::{FILES, Suite};

fn main() -> ExitCode {
    let binary = std::env::var_os("RILLE_BIN").map(PathBuf::from);
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_rille").into());
    let engine = Engine::rille(&binary);
    let expectations = rille_testkit::workspace_root().join("tests/official-5.4.expect");
    let cache = rille_testkit::target_dir().join("official-suite");
    let suite = match Suite::open(&cache, &expectations) {
        Ok(suite) => suite,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut cases: Vec<Case> = FILES
        .iter()
        .map(|file| Case {
            name: (*file).to_owned(),
            run: Box::new(|| suite.check(&engine, file)),
        })
        .collect();
    cases.push(Case {
        name: "main.lua as it is".to_owned(),
        run: Box::new(|| suite.check_command_line(&binary)),
    });
    harness::main(cases, &Arguments::from_env())
}
