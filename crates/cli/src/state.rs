//! The state folder: what is to outlive the process.
//!
//! **Invariant:** the folder is not made here; who writes into it makes it.

use clap::{Arg, ArgMatches, value_parser};
use rille_server::admin::Token;
use std::path::PathBuf;

/// `--state DIR`.
pub fn argument() -> Arg {
    Arg::new("state")
        .long("state")
        .value_name("DIR")
        .help("Where what lasts is kept, kv above all [default: $RILLE_STATE, $XDG_STATE_HOME/rille or ~/.local/state/rille]")
        .value_parser(value_parser!(PathBuf))
}

/// The folder that the arguments or the environment name, with its whole path: programs that use it run elsewhere. `None` if the user has no home.
pub fn folder(matches: &ArgMatches) -> Option<PathBuf> {
    let named = matches.get_one::<PathBuf>("state").cloned();
    let folder = named
        .or_else(|| variable("RILLE_STATE").map(PathBuf::from))
        .or_else(of_user)?;
    Some(std::path::absolute(&folder).unwrap_or(folder))
}

/// The token that RILLE_TOKEN says, if it says one. The error is what is wrong with it.
pub fn chosen_token() -> Result<Option<Token>, String> {
    let chosen = |text: String| Token::chosen(&text).map_err(|why| format!("RILLE_TOKEN: {why}"));
    crate::fetching::variable("RILLE_TOKEN")
        .map(chosen)
        .transpose()
}

/// The folder of this user.
pub fn of_user() -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("rille"))
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    /// git and others run in folders of their own.
    #[test]
    fn a_folder_has_its_whole_path() {
        let command = Command::new("x").arg(argument());
        let matches = command.get_matches_from(["x", "--state", "some/folder"]);
        let here = std::env::current_dir().unwrap();
        assert_eq!(folder(&matches), Some(here.join("some/folder")));
    }
}
