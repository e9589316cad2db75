//! Files out of a repository: names by `ls-tree`, contents by `cat-file`.
//!
//! **Invariant:** sizes are known and within the limits before any content is read, and each content is as long as was said.

use super::listing::{Blob, parse};
use super::program::Program;
use crate::bundle::Bundle;
use crate::cancel::{Cancel, blocking};
use crate::error::{Error, ErrorKind};
use crate::limits::MAX_PATH;
use crate::store::Store;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Arc;

/// A line of `ls-tree` without its path, in bytes.
const TREE_LINE: usize = 128;
/// The longest head of an object that `cat-file` writes, in bytes.
const MAX_HEAD: u64 = 256;

/// The files of a commit, below the source's folder.
pub(super) async fn list(program: &Program<'_>, commit: &str) -> Result<Vec<Blob>, Error> {
    let tree = match &program.git.folder {
        Some(folder) => format!("{commit}:{folder}"),
        None => commit.to_owned(),
    };
    let limits = program.limits;
    let most = limits
        .files
        .saturating_mul(TREE_LINE + MAX_PATH)
        .min(64 << 20);
    let ended = program
        .run(
            &[
                "ls-tree",
                "-r",
                "-z",
                "-l",
                "--full-tree",
                "--end-of-options",
                &tree,
            ],
            most,
        )
        .await?;
    match &program.git.folder {
        _ if ended.success => parse(&ended.stdout, limits),
        Some(folder) => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "{} has no folder \"{folder}\" at {commit}; check its name",
                program.git.url()
            ),
        )),
        None => Err(program.failure(&ended)),
    }
}

/// Puts the files into a bundle.
pub(super) async fn unpack(
    program: &Program<'_>,
    store: &Arc<Store>,
    blobs: Vec<Blob>,
) -> Result<Bundle, Error> {
    let pipe = || {
        std::io::pipe().map_err(|error| {
            Error::new(
                ErrorKind::Disk,
                format!("the system gives no pipe: {error}"),
            )
        })
    };
    let (questions, asking) = pipe()?;
    let (answers, answering) = pipe()?;
    // Ends with this future, and then so does whoever waits for its answers.
    let _run = program.start(
        &["cat-file", "--batch"],
        Stdio::from(questions),
        Stdio::from(answering),
    )?;
    let store = store.clone();
    blocking(move |cancel| {
        let mut writer = store.writer()?;
        let mut batch = Batch {
            asking,
            answers: BufReader::new(answers),
        };
        for blob in &blobs {
            batch.copy(
                blob,
                &mut |contents| writer.add(&blob.path, contents, cancel),
                cancel,
            )?;
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
    fn copy(
        &mut self,
        blob: &Blob,
        take: &mut dyn FnMut(&mut dyn Read) -> Result<(), Error>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        cancel.check()?;
        let broken = || {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "git does not give the file \"{}\"; it is tried again later",
                    blob.path
                ),
            )
        };
        writeln!(self.asking, "{}", blob.object)
            .and_then(|()| self.asking.flush())
            .map_err(|_| broken())?;
        let mut head = Vec::new();
        let read = (&mut self.answers)
            .take(MAX_HEAD)
            .read_until(b'\n', &mut head);
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
    use crate::path::BundlePath;

    const OBJECT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn copied(answer: &str, size: u64) -> Result<Vec<u8>, Error> {
        let mut batch = Batch {
            asking: Vec::new(),
            answers: BufReader::new(answer.as_bytes()),
        };
        let blob = Blob {
            path: BundlePath::new(b"a")?,
            object: OBJECT.to_owned(),
            size,
        };
        let mut contents = Vec::new();
        batch.copy(
            &blob,
            &mut |from| {
                from.read_to_end(&mut contents)
                    .map(drop)
                    .map_err(|e| Error::new(ErrorKind::Disk, e.to_string()))
            },
            &Cancel::default(),
        )?;
        assert_eq!(batch.asking, format!("{OBJECT}\n").into_bytes());
        Ok(contents)
    }

    #[test]
    fn contents_are_as_long_as_was_said() {
        assert_eq!(
            copied(&format!("{OBJECT} blob 3\nabc\n"), 3).unwrap(),
            b"abc"
        );
        for wrong in [
            "missing",
            "blob 4\nabcd\n",
            "blob 3\nab",
            "blob 3\nabc",
            "blob 3\nabcd\n",
            "tree 3\nabc\n",
        ] {
            assert!(copied(&format!("{OBJECT} {wrong}"), 3).is_err(), "{wrong}");
        }
    }
}
