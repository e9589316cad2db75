//! Runs the scripts of `tests/apps`: each folder is an app (its `rille.toml` says the version of Lua), each of its files that ends
//! with `--> ` lines a test: what it prints must be those lines. `RILLE_BLESS=1` writes what was printed in their place.
//!
//! What has to be the same as in OpenResty was compared with it once by hand; the files say where a line differs.

mod harness;

use rille_runtime::app::App;
use rille_runtime::log::Log;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const EXPECTED: &str = "--> ";

fn apps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    let mut apps: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    apps.sort();
    apps
}

#[test]
fn scripts_print_what_they_say() {
    let mut failures = String::new();
    let mut count = 0;
    for folder in apps() {
        let app = harness::load(&folder);
        for file in &app.files {
            let path = folder.join(&*file.path);
            let text = fs::read_to_string(&path).unwrap();
            if !text.lines().any(|line| line.starts_with(EXPECTED)) {
                continue;
            }
            count += 1;
            let printed = run(&app, &file.path);
            if std::env::var_os("RILLE_BLESS").is_some() {
                fs::write(&path, blessed(&text, &printed)).unwrap();
                continue;
            }
            let expected: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(EXPECTED))
                .collect();
            if printed != expected {
                failures += &format!("{}\n", path.display());
                for at in 0..printed.len().max(expected.len()) {
                    let (was, is) = (expected.get(at), printed.get(at).map(String::as_str));
                    if was.copied() != is {
                        failures += &format!("  line {}: expected {was:?}, got {is:?}\n", at + 1);
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(count > 0);
}

/// Runs a file in a VM of its own: what it prints, and the error that ends it, if one does.
fn run(app: &Arc<App>, file: &str) -> Vec<String> {
    harness::on_a_worker(async {
        let vm = harness::vm(app, &Log::memory());
        harness::printed(&vm, file, Duration::from_secs(300)).await
    })
}

fn blessed(text: &str, printed: &[String]) -> String {
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(EXPECTED))
        .collect();
    let mut out = kept.join("\n") + "\n";
    for line in printed {
        out += &format!("{EXPECTED}{line}\n");
    }
    out
}
