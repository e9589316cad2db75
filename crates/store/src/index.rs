//! The index of a bundle: which files it has, and what is in them.
//!
//! ```text
//! rille-bundle 1
//! SHA-256-OF-THE-FILE SIZE PATH
//! ...
//! ```
//! A bundle's name is the SHA-256 of this text, in lower-case hexadecimal digits. So the name says everything about the files that a
//! script can see: paths and contents, and nothing else (no times, no owners, no modes).
//!
//! **Invariant:** an [`Index`] is sorted by path (bytes), no path is in it twice, none is both a file and a folder, and there is one text
//! for it only: what [`Index::parse`] accepts, [`Index::text`] gives again, byte for byte.

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::path::BundlePath;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

const FIRST_LINE: &str = "rille-bundle 1";

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// Of some bytes, one after the other.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Hash {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Hash::from_hasher(hasher)
    }

    /// What a hasher has come to.
    pub(crate) fn from_hasher(hasher: Sha256) -> Hash {
        Hash(hasher.finalize().into())
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Hash> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Hash(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// The name of a bundle: the hash of its index.
pub type BundleId = Hash;

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileEntry {
    /// Of its contents.
    pub hash: Hash,
    /// In bytes.
    pub size: u64,
}

/// The files of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    files: BTreeMap<BundlePath, FileEntry>,
}

impl Index {
    /// Parses the text of an index; `None` if it is not exactly one that [`Index::text`] writes, or beyond `limits`.
    pub fn parse(text: &[u8], limits: &Limits) -> Option<Index> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let mut lines = text.split('\n');
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut checker = Checker::new(*limits);
        let mut last: Option<BundlePath> = None;
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let hash = Hash::parse(words.next()?)?;
            let digits = words.next()?;
            let size: u64 = digits
                .parse()
                .ok()
                .filter(|size: &u64| size.to_string() == digits)?;
            let path = BundlePath::new(words.next()?.as_bytes()).ok()?;
            if last.as_ref().is_some_and(|last| *last >= path) {
                return None;
            }
            checker.begin(&path).ok()?;
            checker.count(&path, size, size).ok()?;
            last = Some(path.clone());
            checker.end(path, FileEntry { hash, size });
        }
        Some(checker.finish())
    }

    /// The text that is hashed and kept.
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        for (path, file) in &self.files {
            text += &format!("{} {} {path}\n", file.hash, file.size);
        }
        text.into_bytes()
    }

    /// The name of the bundle with these files.
    pub fn id(&self) -> BundleId {
        Hash::of(&self.text())
    }

    /// A file.
    pub fn get(&self, path: &str) -> Option<FileEntry> {
        self.files.get(path).copied()
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&BundlePath, FileEntry)> {
        self.files.iter().map(|(path, file)| (path, *file))
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }
}

/// Counts what is put into a bundle, and refuses what does not belong into one: the one place where its limits are.
#[derive(Debug)]
pub(crate) struct Checker {
    limits: Limits,
    files: BTreeMap<BundlePath, FileEntry>,
    /// Of all files so far, whole or not.
    bytes: u64,
}

impl Checker {
    pub fn new(limits: Limits) -> Checker {
        Checker {
            limits,
            files: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Before a file is read: whether there may be one of this name, or one more at all.
    pub fn begin(&self, path: &BundlePath) -> Result<(), Error> {
        if self.files.len() >= self.limits.files {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "there are more than {} files; deploy a smaller folder",
                    self.limits.files
                ),
            ));
        }
        if self.files.contains_key(path.as_str()) {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the file \"{path}\" is there twice"),
            ));
        }
        let inside = format!("{path}/");
        let below = self
            .files
            .range::<str, _>((
                std::ops::Bound::Excluded(inside.as_str()),
                std::ops::Bound::Unbounded,
            ))
            .next();
        let has_files = below.is_some_and(|(below, _)| below.as_str().starts_with(&inside));
        match has_files || path.folders().any(|folder| self.files.contains_key(folder)) {
            true => Err(Error::new(
                ErrorKind::Refused,
                format!("\"{path}\": one name is that of a file and of a folder"),
            )),
            false => Ok(()),
        }
    }

    /// While it is read: `more` bytes of it, `size` of them so far.
    pub fn count(&mut self, path: &BundlePath, more: u64, size: u64) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(more);
        if size > self.limits.file_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the file \"{path}\" is larger than {} bytes",
                    self.limits.file_bytes
                ),
            ));
        }
        if self.bytes > self.limits.total_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the files are larger than {} bytes together",
                    self.limits.total_bytes
                ),
            ));
        }
        Ok(())
    }

    /// After it was read.
    pub fn end(&mut self, path: BundlePath, file: FileEntry) {
        self.files.insert(path, file);
    }

    pub fn finish(self) -> Index {
        Index { files: self.files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            files: 3,
            file_bytes: 10,
            total_bytes: 15,
            ..Limits::default()
        }
    }

    fn index(files: &[(&str, &[u8])]) -> Result<Index, Error> {
        let mut checker = Checker::new(limits());
        for (path, data) in files {
            let path = BundlePath::new(path.as_bytes())?;
            checker.begin(&path)?;
            let size = data.len() as u64;
            checker.count(&path, size, size)?;
            let hash = Hash::of(data);
            checker.end(path, FileEntry { hash, size });
        }
        Ok(checker.finish())
    }

    #[test]
    fn the_name_is_the_hash_of_sorted_lines() {
        let one = index(&[("b", b"2"), ("a/c", b"")]).unwrap();
        let text = "rille-bundle 1\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 a/c\n\
            d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35 1 b\n";
        assert_eq!(one.text(), text.as_bytes());
        assert_eq!(one.id(), Hash::of(text.as_bytes()));
        assert_eq!(index(&[("a/c", b""), ("b", b"2")]).unwrap().id(), one.id());
        assert_ne!(index(&[("a/c", b""), ("b", b"3")]).unwrap().id(), one.id());
        assert_eq!(Index::parse(&one.text(), &limits()), Some(one));
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse(&hash.to_string().to_uppercase()), None);
        assert_eq!(Hash::parse("ab"), None);
        assert_eq!(Hash::parse(&"g".repeat(64)), None);
    }

    #[test]
    fn only_its_own_text_is_an_index() {
        let good = index(&[("a", b"1"), ("b", b"2")]).unwrap().text();
        let good = String::from_utf8(good).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        let swapped = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]);
        let twice = format!("{}\n{}\n{}\n", lines[0], lines[1], lines[1]);
        for bad in [
            good.trim_end(),
            &swapped,
            &twice,
            &good.replace("bundle 1", "bundle 2"),
            &good.replace(" 1 a", " 01 a"),
            &good.replace(" 1 a", " +1 a"),
            &good.replace(" 1 a", " -1 a"),
            &good.replace(" 1 a", " 99999999999999999999 a"),
            &good.replace(" 1 a", " 11 a"),
            &good.replace(" 1 a", " 1 ../a"),
            &good.replace(" 1 a", " 1 b/c"),
            &good.replace(" 1 a", "  a"),
            &good.replace('\n', "\r\n"),
            &format!("{good}\n"),
            "",
            "\n",
        ] {
            assert_eq!(Index::parse(bad.as_bytes(), &limits()), None, "{bad}");
        }
        assert_eq!(
            Index::parse(b"rille-bundle 1\n", &limits()),
            Some(Index::default())
        );
    }

    #[test]
    fn every_limit_and_clash_is_found() {
        let kind = |files: &[(&str, &[u8])]| index(files).unwrap_err().kind();
        assert_eq!(
            kind(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]),
            ErrorKind::TooLarge
        );
        assert_eq!(kind(&[("a", &[0; 11])]), ErrorKind::TooLarge);
        assert_eq!(
            kind(&[("a", &[0; 10]), ("b", &[0; 6])]),
            ErrorKind::TooLarge
        );
        assert_eq!(kind(&[("a", b""), ("a", b"")]), ErrorKind::Refused);
        assert_eq!(kind(&[("a", b""), ("a/b", b"")]), ErrorKind::Refused);
        assert_eq!(kind(&[("a/b/c", b""), ("a", b"")]), ErrorKind::Refused);
        assert_eq!(kind(&[("a/b/c", b""), ("a/b", b"")]), ErrorKind::Refused);
        assert!(index(&[("a", &[0; 10]), ("a.b", &[0; 5]), ("a-", b"")]).is_ok());
    }
}
