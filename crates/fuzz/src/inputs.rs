//! The inputs that are kept in `fuzz/`: the corpus that fuzzing starts from, and the findings of the past.

use std::path::{Path, PathBuf};

use rille_testkit::workspace_root;

/// An input and where it lies.
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub data: Vec<u8>,
}

/// `fuzz/corpus/TARGET`.
pub fn corpus(target: &str) -> Vec<Input> {
    read(&workspace_root().join("fuzz/corpus").join(target))
}

/// `fuzz/regressions/TARGET`.
pub fn regressions(target: &str) -> Vec<Input> {
    read(&workspace_root().join("fuzz/regressions").join(target))
}

/// The files of a folder, by name; none where there is no folder.
fn read(folder: &Path) -> Vec<Input> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut inputs: Vec<Input> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.is_file())
        .map(|path| Input {
            data: std::fs::read(&path).expect("the file can be read"),
            path,
        })
        .collect();
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    inputs
}
