//! From the paths on the command line to loaded apps.
//!
//! **Invariant:** every path gives at least one app or one problem, and a problem with one app does
//! not keep the others from being loaded.

use rille_runtime::app::{self, App, Loaded};
use rille_runtime::manifest;
use rille_runtime::problem::Problem;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the paths hold.
pub struct Sources {
    /// The paths that hold something, and what.
    pub paths: Vec<(PathBuf, Kind)>,
    /// The apps, served or not, in the order of paths and names, with their fingerprints.
    pub apps: Vec<(PathBuf, u64, Loaded)>,
    /// Paths that hold no app.
    pub problems: Vec<Problem>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An app's folder.
    App,
    /// A folder of apps.
    Folder,
}

/// Loads what the paths hold: each an app, or a folder of apps.
pub fn load(paths: &[PathBuf]) -> Sources {
    let mut sources = Sources {
        paths: Vec::new(),
        apps: Vec::new(),
        problems: Vec::new(),
    };
    for path in paths {
        let kind = match app::is_app(path) {
            true => Kind::App,
            false => Kind::Folder,
        };
        match folders(path, kind) {
            Ok(folders) if folders.is_empty() => sources.problems.push(Problem::new(
                path.display().to_string(),
                "holds no app: an app is a folder with an index.lua or a rille.toml",
            )),
            Ok(folders) => {
                sources.paths.push((path.clone(), kind));
                sources.apps.extend(folders.into_iter().map(|folder| {
                    // Before: what changes meanwhile is a change.
                    let print = fingerprint(&folder);
                    let loaded = App::load(&folder);
                    (folder, print, loaded)
                }));
            }
            Err(problem) => sources.problems.push(problem),
        }
    }
    sources
}

/// The app folders a path means now.
pub fn folders(path: &Path, kind: Kind) -> Result<Vec<PathBuf>, Problem> {
    let shown = path.display().to_string();
    if path.is_file() {
        return Err(Problem::new(shown, "is a file; give the folder it is in"));
    }
    if kind == Kind::App {
        // One that is being copied may have nothing in it for a moment.
        return match app::is_app(path) {
            true => Ok(vec![path.to_owned()]),
            false => Err(Problem::new(shown, "is no app any more")),
        };
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
    Ok(folders)
}

/// What stands for the code in an app's folder: another one when a Lua file or the manifest was written, came or went. It is not 0.
pub fn fingerprint(folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut seen = HashSet::new();
    let mut left = vec![(folder.to_owned(), 0)];
    let mut files = 0;
    while let Some((folder, depth)) = left.pop() {
        let Ok(about) = std::fs::metadata(&folder) else {
            continue;
        };
        // Links may lead in circles.
        if !seen.insert((about.dev(), about.ino())) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let is_code = name.ends_with(".lua") || (depth == 0 && name == manifest::FILE);
            let Ok(about) = std::fs::metadata(&path) else {
                continue;
            };
            if about.is_dir() {
                let is_public = depth == 0 && name == "public";
                is_public.hash(&mut hasher);
                if !is_public && depth < app::MAX_DEPTH {
                    left.push((path, depth + 1));
                }
            } else if is_code {
                files += 1;
                let written = (about.mtime(), about.mtime_nsec(), about.ctime_nsec());
                (&path, about.ino(), about.size(), written).hash(&mut hasher);
            }
            if files > app::MAX_FILES {
                return hasher.finish().max(1);
            }
        }
    }
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_fingerprint_is_of_the_code() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("lib/.git")).unwrap();
        fs::write(at("index.lua"), "return 1").unwrap();
        std::os::unix::fs::symlink(dir.path(), at("lib/round")).unwrap();
        let first = fingerprint(dir.path());
        assert_eq!(fingerprint(dir.path()), first);
        for other in [".index.lua.swp", "index.lua~", "lib/.git/a.lua", "notes"] {
            fs::write(at(other), "x").unwrap();
        }
        assert_eq!(fingerprint(dir.path()), first, "none of these is code");
        let mut last = first;
        let mut changes = |what: &str| {
            let now = fingerprint(dir.path());
            assert_ne!(now, last, "{what}");
            last = now;
        };
        fs::write(at("lib/a.lua"), "return 2").unwrap();
        changes("a new file");
        fs::write(at("lib/a.lua"), "return 33").unwrap();
        changes("a longer one");
        fs::write(at("rille.toml"), "").unwrap();
        changes("a manifest");
        fs::write(at("new"), "return 9").unwrap();
        fs::rename(at("new"), at("index.lua")).unwrap();
        changes("one by rename");
        fs::create_dir(at("public")).unwrap();
        changes("a folder of static files");
        fs::remove_file(at("lib/a.lua")).unwrap();
        changes("one that went");
    }
}
