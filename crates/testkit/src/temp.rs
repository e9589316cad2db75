//! Scratch folders that remove themselves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A fresh folder under the system's temporary folder, removed with all it holds when dropped.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes a folder whose name starts with `prefix`. Two calls never return the same folder.
    pub fn new(prefix: &str) -> io::Result<TempDir> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let name = format!("{prefix}-{}-{serial}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(TempDir { path }),
                // A folder a killed run left behind: take the next number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(e),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `text` to `name`, making the folders on the way, and returns the file's path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A test that failed to clean up must not hide the reason it failed.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Copies a folder and everything below it.
pub fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temp_dir_is_unique_and_goes_away() {
        let a = TempDir::new("testkit").unwrap();
        let b = TempDir::new("testkit").unwrap();
        assert_ne!(a.path(), b.path());
        let file = a.write("deep/er/file.txt", "x").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
        copy_tree(a.path(), &b.path().join("copy")).unwrap();
        assert!(b.path().join("copy/deep/er/file.txt").is_file());
        let gone = a.path().to_path_buf();
        drop(a);
        assert!(!gone.exists());
    }
}
