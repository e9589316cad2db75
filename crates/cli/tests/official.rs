//! The official test suites of Lua 5.3, 5.4 and 5.5 under `--strict`, file by file, judged against
//! `tests/official-5.4.expect` and its like: `cargo test -p rille --test official -- FILTER`, such as `5.5/sort`.
//!
//! `RILLE_BIN` names another build of the binary to judge, such as the release one.

use std::process::ExitCode;

use rille_testkit::golden::Engine;
use rille_testkit::harness::{self, Arguments, Case};
use rille_testkit::official::{self, Suite};

fn main() -> ExitCode {
    let engine = Engine::rille(&rille_testkit::judged_binary(env!("CARGO_BIN_EXE_rille")));
    let lists = rille_testkit::workspace_root().join("tests");
    let cache = rille_testkit::target_dir().join("official-suite");
    let mut suites = Vec::new();
    for dialect in official::DIALECTS {
        let list = lists.join(format!("official-{dialect}.expect"));
        match Suite::open(&cache, dialect, Some(&list)) {
            Ok(suite) => suites.push(suite),
            Err(e) => {
                eprintln!("error: {e}");
                return ExitCode::FAILURE;
            }
        }
    }
    let cases: Vec<Case> = suites
        .iter()
        .flat_map(|suite| suite.files().iter().map(move |file| (suite, file)))
        .map(|(suite, file)| Case {
            name: format!("{}/{file}", suite.dialect()),
            run: Box::new(|| suite.check(&engine, file)),
        })
        .collect();
    harness::main(cases, &Arguments::from_env())
}
