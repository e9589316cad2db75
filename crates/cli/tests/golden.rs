//! Every script under `tests/lua`, run by the binary: `cargo test -p rille --test golden -- FILTER`.
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::path::PathBuf;
use std::process::ExitCode;

use rille_testkit::golden::{self, Engine};
use rille_testkit::harness::{self, Arguments, Case};

fn main() -> ExitCode {
    let binary = std::env::var_os("RILLE_BIN").map(PathBuf::from);
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_rille").into());
    let engine = Engine::rille(&binary);
    let folder = rille_testkit::workspace_root().join("tests/lua");
    let scripts = match golden::discover(&folder, "") {
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
            run: Box::new(|| golden::check(&engine, &folder, script)),
        })
        .collect();
    harness::main(cases, &Arguments::from_env())
}
