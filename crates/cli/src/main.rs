//! The `rille` program: picks the command, which returns the exit code.
//!
//! **Invariant:** exit codes are 0 good, 1 failed, 2 usage, 70 a limit ended the script. Errors go to
//! stderr, one line each, and say what to do.
#![forbid(unsafe_code)]

mod check;
mod lua;
mod serve;
mod sources;

use clap::{Arg, ArgAction, Command, value_parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_else(|| "rille".into());
    let rest: Vec<OsString> = args.collect();
    // lua(1)'s options are peculiar (`-e` with its text glued on, `-` for stdin), so they go to it raw.
    if Path::new(&program)
        .file_name()
        .is_some_and(|name| name == "lua")
    {
        return lua::run(rest);
    }
    if rest.first().is_some_and(|first| first == "lua") {
        return lua::run(rest[1..].to_vec());
    }
    let matches = match command().try_get_matches_from(std::iter::once(program).chain(rest)) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are not errors; the rest is usage.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(matches),
        Some(("check", matches)) => check::run(matches),
        _ => ExitCode::from(2),
    }
}

fn command() -> Command {
    Command::new("rille")
        .about("Network services scripted in Lua")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve::command())
        .subcommand(check::command())
        .subcommand(
            // For the help only: it is dispatched above.
            Command::new("lua")
                .about("Run Lua scripts as lua(1) does, or a prompt; see rille lua --help"),
        )
}

/// `PATH...`: app folders, or folders of apps.
fn paths_argument() -> Arg {
    Arg::new("path")
        .value_name("PATH")
        .help("An app's folder, or a folder of apps")
        .required(true)
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
}
