//! Running other programs: say what runs, run it, and turn a failure into a message that names it.

use std::path::PathBuf;
use std::process::Command;

use rille_testkit::{target_dir, workspace_root};

/// `cargo` as this program was started by it, in the root of the workspace.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    command
}

/// Prints the command line and runs it. An error tells how it failed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let line = announce(command);
    let status = command.status().map_err(|e| format!("{line}: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{line}` failed ({status})")),
    }
}

/// Prints the command line a reader could type, and returns it.
pub fn announce(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    println!("+ {line}");
    line
}

/// Builds the release binary and returns its path.
pub fn release_binary() -> Result<PathBuf, String> {
    run(cargo().args(["build", "--release", "--package", "rille"]))?;
    Ok(target_dir().join("release/rille"))
}
