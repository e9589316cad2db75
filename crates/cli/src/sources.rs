//! From the paths on the command line to loaded apps.
//!
//! **Invariant:** every path gives at least one app or one problem, and a problem with one app does
//! not keep the others from being loaded.

use rille_runtime::app::{self, App, Loaded};
use rille_runtime::problem::Problem;
use std::path::{Path, PathBuf};

/// What the paths hold.
pub struct Sources {
    /// The apps, served or not, in the order of paths and names.
    pub apps: Vec<(PathBuf, Loaded)>,
    /// Paths that hold no app.
    pub problems: Vec<Problem>,
}

/// Loads what the paths hold: each an app, or a folder of apps.
pub fn load(paths: &[PathBuf]) -> Sources {
    let mut sources = Sources {
        apps: Vec::new(),
        problems: Vec::new(),
    };
    for path in paths {
        match folders(path) {
            Ok(folders) => sources.apps.extend(folders.into_iter().map(|folder| {
                let loaded = App::load(&folder);
                (folder, loaded)
            })),
            Err(problem) => sources.problems.push(problem),
        }
    }
    sources
}

/// The app folders a path means.
fn folders(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let shown = path.display().to_string();
    if path.is_file() {
        return Err(Problem::new(shown, "is a file; give the folder it is in"));
    }
    if app::is_app(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new(&shown, "there is no such folder"),
        _ => Problem::new(&shown, error.to_string()),
    })?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .filter(|folder| folder.is_dir() && app::is_app(folder))
        .collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Problem::new(
            shown,
            "holds no app: an app is a folder with an index.lua or a rille.toml",
        ));
    }
    Ok(folders)
}
