//! Files out of a repository: names by `ls-tree`, contents by `cat-file`.
//!
//! **Invariant:** sizes are known and within the limits before any content is read, and each content is as long as was said.

use super::program::Program;
use crate::bundle::Bundle;
use crate::cancel::{Cancel, blocking};
use crate::error::{Error, ErrorKind, quoted};
use crate::folder::irregular;
use crate::limits::{Limits, MAX_PATH};
use crate::path::BundlePath;
use crate::store::Store;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Arc;

/// A line of `ls-tree` without its path, in bytes.
const TREE_LINE: usize = 128;
/// The longest head of an object that `cat-file` writes, in bytes.
const MAX_HEAD: u64 = 256;

/// A file in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    path: BundlePath,
    object: String,
    size: u64,
}

/// The files of a commit, below the source's folder.
pub(super) async fn list(program: &Program<'_>, commit: &str) -> Result<Vec<Blob>, Error> {
    let tree = match &program.git.folder {
        Some(folder) => format!("{commit}:{folder}"),
        None => commit.to_owned(),
    };
    let limits = program.limits;
    let most = limits.files.saturating_mul(TREE_LINE + MAX_PATH).min(64 << 20);
    let ended = program.run(&["ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", &tree], most).await?;
    match &program.git.folder {
        _ if ended.success => parse(&ended.stdout, limits),
        Some(folder) => Err(Error::new(
            ErrorKind::NotFound,
            format!("{} has no folder \"{folder}\" at {commit}; check its name", program.git.url()),
        )),
        None => Err(program.failure(&ended)),
    }
}

/// Parses what `ls-tree -r -z -l` says: `MODE TYPE OBJECT SIZE\tPATH\0`, again and again.
fn parse(listing: &[u8], limits: &Limits) -> Result<Vec<Blob>, Error> {
    let mut blobs = Vec::new();
    let mut total: u64 = 0;
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(blob) = parse_entry(entry)? else {
            continue;
        };
        total = total.saturating_add(blob.size);
        if blob.size > limits.file_bytes || total > limits.total_bytes || blobs.len() >= limits.files {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "at the file \"{}\" the repository is beyond the limits ({} files, {} bytes each, {} bytes together)",
                    blob.path, limits.files, limits.file_bytes, limits.total_bytes
                ),
            ));
        }
        blobs.push(blob);
    }
    Ok(blobs)
}

fn parse_entry(entry: &[u8]) -> Result<Option<Blob>, Error> {
    let odd = || Error::new(ErrorKind::Unavailable, format!("git says \"{}\" where a file should be", quoted(entry)));
    let tab = entry.iter().position(|byte| *byte == b'\t').ok_or_else(odd)?;
    let (head, path) = entry.split_at(tab);
    let head = std::str::from_utf8(head).map_err(|_| odd())?;
    let path = BundlePath::new(path.get(1..).unwrap_or_default())?;
    let words: Vec<&str> = head.split_ascii_whitespace().collect();
    let [mode, kind, object, size] = words[..] else {
        return Err(odd());
    };
    match (mode, kind) {
        (_, "commit") => Ok(None),
        ("120000", _) => Err(irregular(path.as_str(), true)),
        (_, "blob") if super::is_object(object) => Ok(Some(Blob {
            path,
            object: object.to_owned(),
            size: size.parse().map_err(|_| odd())?,
        })),
        _ => Err(odd()),
    }
}

/// Puts the files into a bundle.
pub(super) async fn unpack(program: &Program<'_>, store: &Arc<Store>, blobs: Vec<Blob>) -> Result<Bundle, Error> {
    let pipe = || std::io::pipe().map_err(|error| Error::new(ErrorKind::Disk, format!("the system gives no pipe: {error}")));
    let (questions, asking) = pipe()?;
    let (answers, answering) = pipe()?;
    // Ends with this future, and then so does whoever waits for its answers.
    let _run = program.start(&["cat-file", "--batch"], Stdio::from(questions), Stdio::from(answering))?;
    let store = store.clone();
    blocking(move |cancel| {
        let mut writer = store.writer()?;
        let mut batch = Batch {
            asking,
            answers: BufReader::new(answers),
        };
        for blob in &blobs {
            batch.copy(blob, &mut |contents| writer.add(&blob.path, contents, cancel), cancel)?;
        }
        writer.finish()
    })
    .await
}

/// A `cat-file` that answers.
struct Batch<W, R> {
    asking: W,
    answers: BufReader<R>,
}

impl<W: Write, R: Read> Batch<W, R> {
    fn copy(&mut self, blob: &Blob, take: &mut dyn FnMut(&mut dyn Read) -> Result<(), Error>, cancel: &Cancel) -> Result<(), Error> {
        cancel.check()?;
        let broken = || Error::new(ErrorKind::Unavailable, format!("git does not give the file \"{}\"; it is tried again later", blob.path));
        writeln!(self.asking, "{}", blob.object)
            .and_then(|()| self.asking.flush())
            .map_err(|_| broken())?;
        let mut head = Vec::new();
        let read = (&mut self.answers).take(MAX_HEAD).read_until(b'\n', &mut head);
        if read.is_err() || head != format!("{} blob {}\n", blob.object, blob.size).into_bytes() {
            return Err(broken());
        }
        let mut contents = (&mut self.answers).take(blob.size);
        take(&mut contents)?;
        let mut end = [0];
        match contents.limit() == 0 && self.answers.read_exact(&mut end).is_ok() && end == *b"\n" {
            true => Ok(()),
            false => Err(broken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn files_links_and_submodules() {
        let limits = Limits::default();
        let listing = format!("100644 blob {OBJECT}      12\ta b.lua\0100755 blob {OBJECT} 3\tx/y\0160000 commit {OBJECT}       -\tsub\0");
        let files = parse(listing.as_bytes(), &limits).unwrap();
        let files: Vec<_> = files.iter().map(|blob| (blob.path.as_str(), blob.size)).collect();
        assert_eq!(files, [("a b.lua", 12), ("x/y", 3)]);
        let kind = |listing: &str| parse(listing.replace('O', OBJECT).as_bytes(), &limits).unwrap_err().kind();
        assert_eq!(kind("120000 blob O 5\tlink\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O 5\t../x\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O 5\ta\\b\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O -\ta\0"), ErrorKind::Unavailable);
        assert_eq!(kind("100644 blob -O 5\ta\0"), ErrorKind::Unavailable);
        assert_eq!(kind("what\0"), ErrorKind::Unavailable);
        let small = Limits { file_bytes: 2, ..limits };
        assert_eq!(parse(listing.as_bytes(), &small).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    fn copied(answer: &str, size: u64) -> Result<Vec<u8>, Error> {
        let mut batch = Batch { asking: Vec::new(), answers: BufReader::new(answer.as_bytes()) };
        let blob = Blob { path: BundlePath::new(b"a")?, object: OBJECT.to_owned(), size };
        let mut contents = Vec::new();
        batch.copy(&blob, &mut |from| from.read_to_end(&mut contents).map(drop).map_err(|e| Error::new(ErrorKind::Disk, e.to_string())), &Cancel::default())?;
        assert_eq!(batch.asking, format!("{OBJECT}\n").into_bytes());
        Ok(contents)
    }

    #[test]
    fn contents_are_as_long_as_was_said() {
        assert_eq!(copied(&format!("{OBJECT} blob 3\nabc\n"), 3).unwrap(), b"abc");
        for wrong in ["missing", "blob 4\nabcd\n", "blob 3\nab", "blob 3\nabc", "blob 3\nabcd\n", "tree 3\nabc\n"] {
            assert!(copied(&format!("{OBJECT} {wrong}"), 3).is_err(), "{wrong}");
        }
    }
}
