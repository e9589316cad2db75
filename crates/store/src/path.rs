//! Paths of files in a bundle.
//!
//! **Invariant:** a [`BundlePath`] is relative, has `/` between names of ordinary length, no name that means something else than a
//! child (`.`, `..`), and no character that a file system, a log line or another system's paths give a meaning of their own
//! (backslash, NUL, control characters). Joined to a folder it leads to a place below that folder.

use crate::error::{Error, ErrorKind, quoted};
use crate::limits::{MAX_DEPTH, MAX_NAME, MAX_PATH};
use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A path of a file in a bundle, relative to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundlePath(Box<str>);

impl BundlePath {
    /// Checks a path as it comes out of an archive, a listing or a request.
    pub fn new(path: &[u8]) -> Result<BundlePath, Error> {
        match std::str::from_utf8(path) {
            Err(_) => Err(refused(path, "is not UTF-8")),
            Ok(text) => match fault(text) {
                Some(why) => Err(refused(path, why)),
                None => Ok(BundlePath(text.into())),
            },
        }
    }

    /// The path, with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it is below `folder`.
    pub fn below(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_owned();
        path.extend(self.0.split('/'));
        path
    }

    /// The folders it is in, the outermost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.0
            .match_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
    }
}

impl Borrow<str> for BundlePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn refused(path: &[u8], why: &str) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("the path \"{}\" {why}; rename or remove it", quoted(path)),
    )
}

/// What is wrong with a path.
fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("is empty");
    }
    if path.len() > MAX_PATH {
        return Some("is longer than 1024 bytes");
    }
    if path.starts_with('/') {
        return Some("is absolute");
    }
    if path.contains('\\') {
        return Some("has a backslash");
    }
    if path.chars().any(char::is_control) {
        return Some("has a control character");
    }
    if path.split('/').count() > MAX_DEPTH {
        return Some("is more than 32 folders deep");
    }
    path.split('/').find_map(|name| match name {
        "" => Some("has an empty name"),
        "." | ".." => Some("has a name that is . or .."),
        name if name.len() > MAX_NAME => Some("has a name longer than 255 bytes"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        for path in [
            "a",
            "index.lua",
            "api/users/[id].lua",
            ".well-known/x",
            "ä/b c",
            "a/..b/...",
            "C:x",
        ] {
            let checked = BundlePath::new(path.as_bytes()).unwrap();
            assert_eq!(checked.as_str(), path);
            assert!(checked.below(Path::new("/r")).starts_with("/r"));
        }
        let path = BundlePath::new(b"a/b/c").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = "a/".repeat(MAX_DEPTH) + "b";
        let long = "a".repeat(MAX_NAME + 1);
        let longer = ["a".repeat(200).as_str(); 6].join("/");
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a/.",
            "a//b",
            "a/",
            "a\\..\\b",
            "\\x",
            "a\0b",
            "a\nb",
            "a\x7f",
            "a\u{85}",
            &deep,
            &long,
            &longer,
        ] {
            let error = BundlePath::new(path.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{path:?}");
            assert!(!error.to_string().contains('\n'));
        }
        assert!(BundlePath::new(b"\xff").is_err());
        // The limits themselves are still fine.
        assert!(BundlePath::new(("a/".repeat(MAX_DEPTH - 1) + "b").as_bytes()).is_ok());
        assert!(BundlePath::new("a".repeat(MAX_NAME).as_bytes()).is_ok());
    }
}
