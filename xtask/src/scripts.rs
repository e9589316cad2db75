//! `golden`, `official` and `stress`: scripts under an interpreter of choice.

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
    /// Versions of the language, for `official`.
    dialects: Vec<String>,
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
                "--dialect" => {
                    let version = words.next().ok_or("--dialect needs a version")?;
                    options.dialects.push(version.clone());
                }
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
        if !self.dialects.is_empty() {
            return Err("--dialect goes with official".into());
        }
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

/// `cargo xtask official`: the suites of all versions or of those asked for, with a table at the end. Without `--with`,
/// judged against the lists; another interpreter (by default of 5.4) is judged without one.
pub fn official(words: &[String]) -> Result<bool, String> {
    let options = Options::parse(words)?;
    if options.bless {
        return Err("--bless goes with golden".into());
    }
    let engine = options.engine()?;
    let mut dialects = official::DIALECTS.to_vec();
    match (&*options.dialects, engine.is_rille) {
        ([], true) => {}
        ([], false) => dialects.retain(|dialect| *dialect == "5.4"),
        (asked, _) => {
            if let Some(unknown) = asked.iter().find(|d| !dialects.contains(&&***d)) {
                return Err(format!("there is no suite of {unknown}"));
            }
            dialects.retain(|dialect| asked.iter().any(|d| d == dialect));
        }
    }
    let mut suites = Vec::new();
    for dialect in dialects {
        let list = workspace_root().join(format!("tests/official-{dialect}.expect"));
        let list = engine.is_rille.then_some(&*list);
        let cache = target_dir().join("official-suite");
        suites.push(Arc::new(Suite::open(&cache, dialect, list)?));
    }
    let wanted = |file: &str| {
        options.names.is_empty()
            || options
                .names
                .iter()
                .any(|name| file.trim_end_matches(".lua") == name.trim_end_matches(".lua"))
    };
    let mut cases = Vec::new();
    for suite in &suites {
        for file in suite.files().iter().filter(|file| wanted(file)) {
            let (suite, engine, file) = (Arc::clone(suite), engine.clone(), file.clone());
            cases.push(Case {
                name: format!("{}/{file}", suite.dialect()),
                run: Box::new(move || suite.check(&engine, &file)),
            });
        }
    }
    if cases.is_empty() {
        return Err(format!(
            "the suites have none of: {}",
            options.names.join(" ")
        ));
    }
    let good = harness::run(&cases, 0).failed == 0;
    for suite in &suites {
        println!("{}", suite.table());
    }
    Ok(good)
}
