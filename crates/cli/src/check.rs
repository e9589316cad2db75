//! `rille check PATH...`: everything that is wrong with apps, without running them.

use crate::sources;
use clap::{ArgMatches, Command};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The command's arguments.
pub fn command() -> Command {
    Command::new("check")
        .about("Compile every file, validate every manifest")
        .arg(crate::paths_argument())
}

/// Prints each problem on a line of its own to stderr, and a summary to stdout when there is none.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let paths: Vec<PathBuf> = matches
        .get_many("path")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let sources = sources::load(&paths, &Arc::default());
    let problems: Vec<_> = sources
        .problems
        .iter()
        .chain(
            sources
                .apps
                .iter()
                .flat_map(|(_, _, loaded)| &loaded.problems),
        )
        .collect();
    for problem in &problems {
        let _ = writeln!(std::io::stderr(), "rille: {problem}");
    }
    if !problems.is_empty() {
        return ExitCode::from(1);
    }
    for (folder, _, loaded) in &sources.apps {
        if let Ok(app) = &loaded.app {
            let files = app.files.len();
            let s = if files == 1 { "" } else { "s" };
            let _ = writeln!(
                std::io::stdout(),
                "{}: app '{}' is good: {files} Lua file{s}",
                folder.display(),
                app.name()
            );
        }
    }
    ExitCode::SUCCESS
}
