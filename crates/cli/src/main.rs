//! The `rille` program: picks the command, which returns the exit code.
//!
//! **Invariant:** exit codes are 0 good, 1 failed, 2 usage, 70 a limit ended the script. Errors go to
//! stderr, one line each, and say what to do. (lua(1) has its own: see `lua`.)
#![forbid(unsafe_code)]

/// Not below sanitizers, which watch the allocator of the system.
#[cfg(not(rille_loop))]
#[global_allocator]
static ALLOCATOR: rille_alloc::Keeping = rille_alloc::Keeping;

mod bucket;
mod check;
mod client;
mod deploys;
mod descriptors;
mod edge;
mod fetching;
mod lua;
mod operator;
mod reload;
mod serve;
mod sources;
mod state;
mod tls;

use clap::{Arg, ArgAction, Command, value_parser};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_else(|| "rille".into());
    let rest: Vec<OsString> = words.collect();
    // lua(1)'s options are peculiar (`-e` with its text glued on, `-` for stdin), so they go to it raw.
    if let Some(version) = lua_version(&program) {
        let invocation = lua::Invocation {
            before: None,
            version: version.to_owned(),
            program: program.clone(),
        };
        return lua::run(&invocation, &rest);
    }
    if let Some((command, args)) = rest.split_first()
        && command == "lua"
    {
        let invocation = lua::Invocation {
            before: Some(program),
            version: String::new(),
            program: command.clone(),
        };
        return lua::run(&invocation, args);
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
        Some((command, matches)) => client::run(command, matches),
        None => ExitCode::from(2),
    }
}

/// Whether the program was started under a name of lua(1), and the version in it: `Some("")` for `lua`, `Some("5.4")` for
/// `/usr/bin/lua5.4`.
fn lua_version(program: &OsStr) -> Option<&str> {
    let version = Path::new(program)
        .file_name()?
        .to_str()?
        .strip_prefix("lua")?;
    matches!(version, "" | "5.1" | "5.2" | "5.3" | "5.4" | "5.5").then_some(version)
}

fn command() -> Command {
    Command::new("rille")
        .about("Network services scripted in Lua")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve::command())
        .subcommand(check::command())
        .subcommands(client::commands())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lua_are_known() {
        let version = |name: &'static str| lua_version(OsStr::new(name));
        assert_eq!(version("lua"), Some(""));
        assert_eq!(version("/usr/local/bin/lua5.4"), Some("5.4"));
        assert_eq!(version("./lua5.1"), Some("5.1"));
        for other in [
            "rille",
            "luac",
            "lua5",
            "lua-5.4",
            "luajit",
            "lua/rille",
            "",
        ] {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
