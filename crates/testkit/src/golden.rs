//! Runs golden scripts with an interpreter and compares what they do with what their headers say.
//!
//! Scripts run in the folder of the suite and under a path relative to it, so that the names in their messages are the
//! same on every machine. `lib/` below the suite holds modules the scripts `require`, not scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::diff;
use crate::process::{self, Exit, Outcome};
use crate::script::{self, Script};

/// The interpreter under test.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The program and its first arguments, such as `target/release/rille lua`.
    pub command: Vec<String>,
    /// Whether it understands the flags and the extensions of `rille lua`.
    pub is_rille: bool,
    /// Whether a collection runs at every allocation and freed objects are poisoned.
    pub gc_stress: bool,
    /// Whether it runs under AddressSanitizer or valgrind: slower, and its resident set says nothing.
    pub instrumented: bool,
}

impl Engine {
    /// `binary lua`.
    pub fn rille(binary: &Path) -> Engine {
        Engine {
            command: vec![binary.display().to_string(), "lua".into()],
            is_rille: true,
            gc_stress: false,
            instrumented: false,
        }
    }

    /// A command line such as `lua5.4` or `valgrind -q target/release/rille lua`. It counts as Rille where one of its
    /// words is a program of that name.
    pub fn from_command_line(line: &str) -> Result<Engine, String> {
        let mut command: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let program = command.first_mut().ok_or("an empty command")?;
        // Scripts run in another folder, so a relative path would no longer lead to the program.
        if program.contains('/') {
            let absolute = fs::canonicalize(&*program).map_err(|e| format!("{program}: {e}"))?;
            *program = absolute.display().to_string();
        }
        let is_rille = command.iter().any(|word| {
            Path::new(word)
                .file_name()
                .is_some_and(|name| name == "rille")
        });
        Ok(Engine {
            instrumented: command[0].contains("valgrind"),
            command,
            is_rille,
            gc_stress: false,
        })
    }

    /// The command to run a file of `folder`, without the file.
    pub fn command_in(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(folder);
        for name in [
            "LUA_INIT",
            "LUA_INIT_5_2",
            "LUA_INIT_5_3",
            "LUA_INIT_5_4",
            "LUA_INIT_5_5",
            "LUA_PATH",
            "LUA_PATH_5_2",
            "LUA_PATH_5_3",
            "LUA_PATH_5_4",
            "LUA_PATH_5_5",
            "LUA_CPATH",
        ] {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if self.gc_stress {
            command
                .env("RILLE_GC_STRESS", "1")
                .env("RILLE_GC_QUARANTINE", "1");
        }
        command
    }

    /// Whether it can run scripts of a version of Lua, or of none in particular: Rille any, others (`lua5.1`, `luajit`) the one
    /// that their name says.
    fn speaks(&self, dialect: Option<&str>) -> bool {
        let (false, Some(dialect)) = (self.is_rille, dialect) else {
            return true;
        };
        let program = Path::new(&self.command[0]).file_name();
        let program = program.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let version: String = program.chars().filter(char::is_ascii_digit).collect();
        match program.starts_with("luajit") {
            true => dialect == "5.1",
            false => version == dialect.replace('.', ""),
        }
    }

    /// How much longer than usual a script may take.
    fn patience(&self) -> u32 {
        let stress = if self.gc_stress { 15 } else { 1 };
        let instruments = if self.instrumented { 10 } else { 1 };
        stress * instruments
    }
}

/// What became of a script.
#[derive(Debug)]
pub enum Verdict {
    Passed,
    /// With the reason.
    Skipped(String),
    /// With the report for people.
    Failed(String),
}

/// Finds the scripts below `folder` whose relative path contains `filter`, in order of their names.
pub fn discover(folder: &Path, filter: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(dir) = pending.pop() {
        let entries = fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
            let relative = path.strip_prefix(folder).expect("found below the folder");
            if path.is_dir() {
                if relative != Path::new("lib") {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "lua")
                && relative.to_string_lossy().contains(filter)
            {
                found.push(relative.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Runs the script at `relative` below `folder` and judges it.
pub fn check(engine: &Engine, folder: &Path, relative: &Path) -> Verdict {
    let mut script = match Script::load(&folder.join(relative)) {
        Ok(script) => script,
        Err(e) => return Verdict::Failed(e),
    };
    if engine.instrumented {
        script.rss_limit_bytes = None;
    }
    if script.only_rille && !engine.is_rille {
        return Verdict::Skipped("only for rille".into());
    }
    if !engine.speaks(script.dialect.as_deref()) {
        return Verdict::Skipped("of another version of Lua".into());
    }
    if let (true, Some(reason)) = (engine.gc_stress, &script.stress_skip) {
        return Verdict::Skipped(reason.clone());
    }
    match run(engine, folder, relative, &script) {
        Ok(outcome) => match complaints(&script, &outcome) {
            None => Verdict::Passed,
            Some(report) => Verdict::Failed(report),
        },
        Err(e) => Verdict::Failed(format!("cannot run {}: {e}", engine.command.join(" "))),
    }
}

/// Rewrites a script's expected output from what `engine` prints. Returns whether the file changed.
pub fn bless(engine: &Engine, folder: &Path, relative: &Path) -> Result<bool, String> {
    let path = folder.join(relative);
    let script = Script::load(&path)?;
    if script.only_rille && !engine.is_rille || !engine.speaks(script.dialect.as_deref()) {
        return Ok(false);
    }
    let outcome = run(engine, folder, relative, &script).map_err(|e| e.to_string())?;
    let stdout = script::output_lines(&outcome.stdout);
    // The exit code and standard error are the author's claims; only the output is taken from the run.
    let blessed = Script {
        stdout: stdout.clone(),
        ..script
    };
    if let Some(report) = complaints(&blessed, &outcome) {
        return Err(format!("{}:\n{report}", relative.display()));
    }
    let old = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let new = script::with_expected(&old, &stdout);
    if new == old {
        return Ok(false);
    }
    fs::write(&path, new).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(true)
}

fn run(
    engine: &Engine,
    folder: &Path,
    relative: &Path,
    script: &Script,
) -> std::io::Result<Outcome> {
    let mut command = engine.command_in(folder);
    if engine.is_rille {
        command.args(&script.flags);
        if let Some(dialect) = &script.dialect {
            command.args(["--dialect", dialect]);
        }
    }
    command.arg(relative).args(&script.args);
    command.envs(script.env.iter().map(|(name, value)| (name, value)));
    let limit: Duration = script.timeout * engine.patience();
    process::run(&mut command, script.stdin.as_bytes(), limit)
}

/// What is wrong with an outcome, or `None`.
fn complaints(script: &Script, outcome: &Outcome) -> Option<String> {
    let mut report = String::new();
    if outcome.exit != Exit::Code(script.exit_code) {
        report.push_str(&format!(
            "expected exit {}, got {} after {:.1} s\n",
            script.exit_code,
            outcome.exit,
            outcome.elapsed.as_secs_f64()
        ));
    }
    if let Some(diff) = diff::lines(&script.stdout, &script::output_lines(&outcome.stdout)) {
        report.push_str("standard output (- expected, + got):\n");
        report.push_str(&diff);
    }
    let stderr = outcome.stderr_text();
    for text in &script.stderr {
        if !stderr.contains(text.as_str()) {
            report.push_str(&format!("standard error lacks: {text}\n"));
        }
    }
    let silent = script.stderr.is_empty() && script.exit_code == 0;
    if silent && !stderr.is_empty() {
        report.push_str("standard error should be empty\n");
    }
    if let Some(limit) = script
        .rss_limit_bytes
        .filter(|&limit| outcome.peak_rss_bytes > limit)
    {
        report.push_str(&format!(
            "resident set reached {} KiB, limit {} KiB\n",
            outcome.peak_rss_bytes / 1024,
            limit / 1024
        ));
    }
    if report.is_empty() {
        return None;
    }
    if !stderr.is_empty() {
        report.push_str("standard error was:\n");
        for line in stderr.lines().take(25) {
            report.push_str(&format!("  {line}\n"));
        }
    }
    Some(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    /// An "interpreter" that runs a file as a shell script: `--` is then a command, defined away.
    fn shell() -> Engine {
        Engine {
            command: vec!["sh".into()],
            is_rille: false,
            gc_stress: false,
            instrumented: false,
        }
    }

    fn verdict(text: &str) -> Verdict {
        let dir = TempDir::new("golden").unwrap();
        dir.write("t.lua", text).unwrap();
        check(&shell(), dir.path(), Path::new("t.lua"))
    }

    fn failure(text: &str) -> String {
        match verdict(text) {
            Verdict::Failed(report) => report,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    #[test]
    fn passes_what_is_as_expected() {
        let text = "#!/bin/sh\n\necho one 2>&1\n[ 1 = 1 ] && exit 0\n--> one\n";
        assert!(matches!(verdict(text), Verdict::Passed));
    }

    #[test]
    fn reports_output_exit_code_and_stderr() {
        assert!(failure("\necho two\nexit 0\n--> one\n").contains("- one\n+ two"));
        assert!(failure("\nexit 3\n").contains("expected exit 0, got exit 3"));
        assert!(failure("\necho oops >&2; exit 0\n").contains("should be empty"));
    }

    #[test]
    fn directives_decide_what_passes() {
        let text = "-- Title.\n-- stderr: wanted\n-- expect: exit 127\n";
        assert!(failure(text).contains("standard error lacks: wanted"));
        assert!(matches!(
            verdict("-- Title.\n-- only: rille\n"),
            Verdict::Skipped(_)
        ));
    }

    #[test]
    fn blessing_makes_a_script_pass() {
        let dir = TempDir::new("golden").unwrap();
        let path = dir
            .write("t.lua", "\necho one; echo two; exit 0\n--> 1\n")
            .unwrap();
        let relative = Path::new("t.lua");
        assert!(bless(&shell(), dir.path(), relative).unwrap());
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with("exit 0\n--> one\n--> two\n"));
        assert!(matches!(
            check(&shell(), dir.path(), relative),
            Verdict::Passed
        ));
        assert!(!bless(&shell(), dir.path(), relative).unwrap());
    }

    #[test]
    fn discovers_in_order_and_skips_lib() {
        let dir = TempDir::new("golden").unwrap();
        for name in ["b/two.lua", "a/one.lua", "lib/helper.lua", "a/notes.txt"] {
            dir.write(name, "").unwrap();
        }
        let found = discover(dir.path(), "").unwrap();
        assert_eq!(
            found,
            [PathBuf::from("a/one.lua"), PathBuf::from("b/two.lua")]
        );
        assert_eq!(discover(dir.path(), "two").unwrap().len(), 1);
    }

    #[test]
    fn a_command_line_tells_what_it_runs() {
        assert!(!Engine::from_command_line("lua5.4 -W").unwrap().is_rille);
        assert!(
            Engine::from_command_line("valgrind rille lua")
                .unwrap()
                .is_rille
        );
        assert!(Engine::from_command_line("  ").is_err());
        assert!(Engine::from_command_line("./no/such/rille lua").is_err());
    }
}
