//! `cargo xtask bench`: the benchmarks of the workspace, in release mode. Figures are only comparable on one machine.

use crate::shell;

pub fn run(words: &[String]) -> Result<bool, String> {
    shell::run(shell::cargo().args(["bench", "--workspace"]).args(words))?;
    Ok(true)
}
