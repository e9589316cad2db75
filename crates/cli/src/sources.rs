//! From the paths on the command line to loaded apps.
//!
//! **Invariant:** every path gives at least one app or one problem, and a problem with one app does
//! not keep the others from being loaded.

use rille_runtime::app::{self, App, Loaded};
use rille_runtime::manifest::{self, Admission, Operator};
use rille_runtime::problem::Problem;
use std::collections::HashSet;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
pub fn load(paths: &[PathBuf], operator: &Arc<Operator>) -> Sources {
    // Folders on the command line are the operator's own.
    let admission = Admission::of_own(operator);
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
                    let loaded = App::load_for(&folder, &admission);
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

/// The most entries that are looked at for a fingerprint: what is beyond them is not seen.
const MAX_ENTRIES: usize = 100_000;

/// What stands for the code in an app's folder: another one when a Lua file or the manifest was written, came or went. It is not 0.
pub fn fingerprint(folder: &Path) -> u64 {
    let mut print = Fingerprint {
        // Where it is missing, there is nothing below it either.
        root: std::fs::canonicalize(folder).unwrap_or_default(),
        hasher: DefaultHasher::new(),
        seen: HashSet::new(),
        entries: 0,
    };
    let mut left = vec![(print.root.clone(), 0)];
    while let Some((folder, depth)) = left.pop() {
        print.visit(&folder, depth, &mut left);
    }
    print.hasher.finish().max(1)
}

/// A walk through an app's folder, by the rules by which the app is loaded.
struct Fingerprint {
    /// Nothing outside of it is looked at.
    root: PathBuf,
    hasher: DefaultHasher,
    /// Device and number of folders: links may lead in circles.
    seen: HashSet<(u64, u64)>,
    entries: usize,
}

impl Fingerprint {
    fn visit(&mut self, folder: &Path, depth: usize, left: &mut Vec<(PathBuf, usize)>) {
        let is_new = std::fs::metadata(folder)
            .is_ok_and(|about| self.seen.insert((about.dev(), about.ino())));
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) if is_new => entries,
            _ => return,
        };
        let room = MAX_ENTRIES - self.entries;
        let mut paths: Vec<PathBuf> = entries
            .take(room)
            .flatten()
            .map(|entry| entry.path())
            .collect();
        self.entries += paths.len();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_public = depth == 0 && name == "public";
            let is_code = name.ends_with(".lua") || (depth == 0 && name == manifest::FILE);
            if name.starts_with('.') {
                continue;
            }
            let Some(about) = self.about(&path) else {
                continue;
            };
            if about.is_dir() && is_public {
                is_public.hash(&mut self.hasher);
            } else if about.is_dir() && depth < app::MAX_DEPTH {
                left.push((path, depth + 1));
            } else if about.is_file() && is_code {
                let written = (about.mtime(), about.mtime_nsec());
                let changed = (about.ctime(), about.ctime_nsec());
                (&path, about.ino(), about.size(), written, changed).hash(&mut self.hasher);
            }
        }
    }

    /// What is known of a file or folder that is in the app's own folder.
    fn about(&self, path: &Path) -> Option<Metadata> {
        let about = std::fs::symlink_metadata(path).ok()?;
        if !about.is_symlink() {
            return Some(about);
        }
        let real = std::fs::canonicalize(path).ok()?;
        match real.starts_with(&self.root) {
            true => std::fs::metadata(real).ok(),
            false => None,
        }
    }
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
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path(), at("lib/round")).unwrap();
        std::os::unix::fs::symlink(outside.path(), at("lib/out")).unwrap();
        let first = fingerprint(dir.path());
        assert_eq!(fingerprint(dir.path()), first);
        for other in [".index.lua.swp", "index.lua~", "lib/.git/a.lua", "notes"] {
            fs::write(at(other), "x").unwrap();
        }
        fs::write(outside.path().join("a.lua"), "x").unwrap();
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
