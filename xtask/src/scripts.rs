//! `golden`, `official` and `stress`: scripts under an interpreter of choice.

use std::path::Path;
use std::sync::Arc;

use rille_testkit::golden::{self, Engine};
use rille_testkit::harness::{self, Case};
use rille_testkit::official::{self, Suite};
use rille_testkit::{target_dir, workspace_root};

use crate::shell;

/// The options these commands share.
#[derive(Default)]
struct Options {
    with: Option<String>,
    bless: bool,
    names: Vec<String>,
}

impl Options {
    fn parse(words: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--with" => {
                    let line = words.next().ok_or("--with needs a command line")?;
                    options.with = Some(line.clone());
                }
                "--bless" => options.bless = true,
                _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
                _ => options.names.push(word.clone()),
            }
        }
        Ok(options)
    }

    fn engine(&self) -> Result<Engine, String> {
        match &self.with {
            Some(line) => Engine::from_command_line(line),
            None => Ok(Engine::rille(&shell::release_binary()?)),
        }
    }

    fn filter(&self) -> Result<&str, String> {
        match self.names.as_slice() {
            [] => Ok(""),
            [filter] => Ok(filter),
            _ => Err("at most one filter".into()),
        }
    }
}

/// `cargo xtask golden`.
pub fn golden(words: &[String]) -> Result<bool, String> {
    let options = Options::parse(words)?;
    let engine = options.engine()?;
    if options.bless {
        return bless(&engine, options.filter()?);
    }
    run_golden(&engine, options.filter()?)
}

/// `cargo xtask stress`.
pub fn stress(words: &[String]) -> Result<bool, String> {
    let options = Options::parse(words)?;
    if options.bless {
        return Err("--bless goes with golden".into());
    }
    let engine = Engine {
        gc_stress: true,
        ..options.engine()?
    };
    run_golden(&engine, options.filter()?)
}

/// Runs the golden scripts whose names contain `filter`.
pub fn run_golden(engine: &Engine, filter: &str) -> Result<bool, String> {
    let folder = workspace_root().join("tests/lua");
    let scripts = golden::discover(&folder, filter)?;
    if scripts.is_empty() {
        return Err(format!("no script matches `{filter}`"));
    }
    let cases: Vec<Case> = scripts
        .iter()
        .map(|script| Case {
            name: script.with_extension("").display().to_string(),
            run: Box::new(|| golden::check(engine, &folder, script)),
        })
        .collect();
    Ok(harness::run(&cases, 0).failed == 0)
}

fn bless(engine: &Engine, filter: &str) -> Result<bool, String> {
    let folder = workspace_root().join("tests/lua");
    let mut good = true;
    for script in golden::discover(&folder, filter)? {
        match golden::bless(engine, &folder, &script) {
            Ok(true) => println!("rewrote {}", script.display()),
            Ok(false) => {}
            Err(report) => {
                good = false;
                println!("left alone: {report}");
            }
        }
    }
    Ok(good)
}

/// `cargo xtask official`. Without `--with`, judged against the list of expected failures; another interpreter is
/// judged without one.
pub fn official(words: &[String]) -> Result<bool, String> {
    let options = Options::parse(words)?;
    if options.bless {
        return Err("--bless goes with golden".into());
    }
    let engine = options.engine()?;
    let list = workspace_root().join("tests/official-5.4.expect");
    let no_list = Path::new("/dev/null");
    let list = if engine.is_rille { &list } else { no_list };
    let suite = Arc::new(Suite::open(&target_dir().join("official-suite"), list)?);
    let wanted = |file: &&str| {
        options.names.is_empty()
            || options
                .names
                .iter()
                .any(|name| file.trim_end_matches(".lua") == name.trim_end_matches(".lua"))
    };
    let cases: Vec<Case> = official::FILES
        .into_iter()
        .filter(wanted)
        .map(|file| {
            let (suite, engine) = (Arc::clone(&suite), engine.clone());
            Case {
                name: file.to_owned(),
                run: Box::new(move || suite.check(&engine, file)),
            }
        })
        .collect();
    if cases.is_empty() {
        return Err(format!(
            "the suite has none of: {}",
            options.names.join(" ")
        ));
    }
    Ok(harness::run(&cases, 0).failed == 0)
}
