//! What can go wrong, as one small error around a kind.
//!
//! **Invariant:** a message is one line, says what to do where that is known, and never has a secret in it: no token, key,
//! signature or query of a redirect. What a peer or a program said is cut and cleaned before it gets here ([`quoted`]).

use std::fmt;
use std::io;
use std::path::Path;

/// The most of somebody else's words that a message repeats, in bytes.
const MAX_QUOTED: usize = 300;

/// What kind of thing went wrong: what a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was given is not the address of a source, the name of an app or a path.
    Source,
    /// Something has to be set up first: credentials, a key file, the `git` program.
    Setup,
    /// There is no such repository, branch, commit, bucket, folder or file (or no longer).
    NotFound,
    /// We are not allowed to see it.
    Denied,
    /// The other side did not answer as it should; it may, later.
    Unavailable,
    /// The source was changed while it was fetched.
    Changed,
    /// What came is not fit to be a bundle.
    Refused,
    /// What came is larger than a limit.
    TooLarge,
    /// It took longer than its deadline.
    TimedOut,
    /// Whoever asked has gone.
    Cancelled,
    /// What is on the disk is not what was written there.
    Corrupt,
    /// The disk is full, or a quota of it.
    Full,
    /// The disk does not do what it should.
    Disk,
}

impl ErrorKind {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            ErrorKind::Unavailable | ErrorKind::Changed | ErrorKind::TimedOut
        )
    }
}

/// What went wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
}

impl Error {
    /// An error of this kind with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into().into_boxed_str(),
        }
    }

    /// What kind it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the disk answered when `what` was done with `path`.
    pub(crate) fn disk(what: &str, path: &Path, error: &io::Error) -> Error {
        if let Some(ours) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
        {
            return ours.clone();
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(
                ErrorKind::Full,
                format!(
                    "cannot {what} {}: the disk is full; make room below the state folder, then try again",
                    path.display()
                ),
            ),
            _ => Error::new(
                ErrorKind::Disk,
                format!("cannot {what} {}: {error}", path.display()),
            ),
        }
    }

    /// The error inside one of input and output, for readers that fail with ours.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// The message with what it is about in front.
    pub(crate) fn about(self, what: impl fmt::Display) -> Error {
        Error {
            kind: self.kind,
            message: format!("{what}: {}", self.message).into_boxed_str(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Words of a peer or a program, fit for one line of a message: without control characters, and not too many.
pub(crate) fn quoted(text: &[u8]) -> String {
    let text = text.get(..text.len().min(MAX_QUOTED)).unwrap_or_default();
    let mut clean = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                if !clean.ends_with(' ') {
                    clean.push(' ');
                }
            }
            c => clean.push(c),
        }
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_fit_one_line() {
        assert_eq!(
            quoted(b"fatal: no\r\n\n\x1b[31mred\0 "),
            "fatal: no [31mred"
        );
        assert!(quoted(&[b'x'; 5000]).len() <= MAX_QUOTED);
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::disk("write", Path::new("/s/x"), &full);
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(error.to_string().contains("/s/x: the disk is full"));
        let inner = Error::new(ErrorKind::TooLarge, "too much");
        assert_eq!(
            Error::disk("write", Path::new("x"), &inner.clone().into_io()),
            inner
        );
    }
}
