//! Archives of files (tar), as forges make them: ustar with the extensions of pax, and GNU's long names.
//!
//! **Invariants.** Nothing is understood that has two readings: whatever is not a regular file, a folder, or one of these extensions is
//! refused where it would become part of the bundle. Names go through [`BundlePath`]. Apart from the contents of files, which are passed
//! on as they are read, at most [`MAX_EXTENSION`] bytes are kept. An archive that ends before its end is an error.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::folder::irregular;
use crate::path::BundlePath;
use std::io::{self, Read};

const BLOCK: usize = 512;
/// The longest record of an extension, in bytes.
pub const MAX_EXTENSION: u64 = 1 << 20;

/// Takes a file and its contents.
pub type Take<'a> = dyn FnMut(&BundlePath, &mut dyn Read) -> Result<(), Error> + 'a;

/// What an archive says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// The comment of the whole archive: the commit, in those that git makes.
    pub comment: Option<String>,
}

/// Reads an archive to its end. Names lose their first folder, which forges put all files in; of what is left, `take` gets the files
/// below `folder`, without it, or all.
pub fn read(
    from: &mut dyn Read,
    folder: Option<&BundlePath>,
    take: &mut Take<'_>,
    cancel: &Cancel,
) -> Result<Archive, Error> {
    let mut reader = Reader {
        from,
        archive: Archive::default(),
        path: None,
        size: None,
        folder: folder.map(|folder| format!("{folder}/")),
        cancel,
    };
    while reader.entry(take)? {}
    reader.drain()?;
    Ok(reader.archive)
}

struct Reader<'a> {
    from: &'a mut dyn Read,
    archive: Archive,
    /// The name of the next entry, from an extension before it.
    path: Option<Vec<u8>>,
    /// Its size, likewise.
    size: Option<u64>,
    /// With a `/` at its end.
    folder: Option<String>,
    cancel: &'a Cancel,
}

impl Reader<'_> {
    /// Reads an entry; false at the end of the archive.
    fn entry(&mut self, take: &mut Take<'_>) -> Result<bool, Error> {
        self.cancel.check()?;
        let mut block = [0; BLOCK];
        self.from
            .read_exact(&mut block)
            .map_err(|error| broken(&error))?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(false);
        }
        let head = Head::parse(&block)?;
        match head.kind {
            b'x' | b'g' | b'L' => self.extension(&head)?,
            b'K' => self.skip(head.size)?,
            _ => self.member(&head, take)?,
        }
        Ok(true)
    }

    fn extension(&mut self, head: &Head) -> Result<(), Error> {
        if head.size > MAX_EXTENSION {
            return Err(refused("a record of it is too long"));
        }
        let mut text = Vec::new();
        let read = (&mut *self.from)
            .take(head.size)
            .read_to_end(&mut text)
            .map_err(|error| broken(&error))?;
        if read as u64 != head.size {
            return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
        }
        self.padding(head.size)?;
        match head.kind {
            b'L' => {
                while text.last() == Some(&0) {
                    text.pop();
                }
                self.path = Some(text);
            }
            kind => {
                for (key, value) in Records(&text) {
                    self.record(kind == b'g', key?, value)?;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, is_global: bool, key: &[u8], value: &[u8]) -> Result<(), Error> {
        match (key, is_global) {
            (b"comment", true) => self.archive.comment = String::from_utf8(value.to_vec()).ok(),
            // Of the whole archive these make no sense.
            (b"path" | b"size", true) => {
                return Err(refused("it has one name or size for all files"));
            }
            (b"path", false) => self.path = Some(value.to_vec()),
            (b"size", false) => {
                self.size = Some(decimal(value).ok_or_else(|| refused("a size is not a number"))?)
            }
            (key, _) if key.starts_with(b"GNU.sparse") => {
                return Err(refused("it has files with holes"));
            }
            _ => {}
        }
        Ok(())
    }

    fn member(&mut self, head: &Head, take: &mut Take<'_>) -> Result<(), Error> {
        let name = self.path.take().unwrap_or_else(|| head.path.clone());
        let size = self.size.take().unwrap_or(head.size);
        let (name, is_folder) = match name.strip_suffix(b"/") {
            Some(name) => (name, true),
            None => (name.as_slice(), head.kind == b'5'),
        };
        let path = BundlePath::new(name)?;
        let wanted = match path.as_str().split_once('/') {
            Some((_, rest)) => self.wanted(rest)?,
            None if is_folder => None,
            None => return Err(refused("a file of it is in no folder")),
        };
        match (head.kind, wanted) {
            (b'5', _) if size != 0 => return Err(refused("a folder of it has contents")),
            (b'5', _) => return Ok(()),
            (_, None) => self.skip(size)?,
            (b'0' | 0, Some(_)) if is_folder => {
                return Err(refused("a file of it has the name of a folder"));
            }
            (b'0' | 0, Some(path)) => {
                let mut contents = Contents((&mut *self.from).take(size));
                take(&path, &mut contents)?;
                if contents.0.limit() != 0 {
                    return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
                }
                self.padding(size)?;
            }
            (kind, Some(path)) => {
                return Err(irregular(path.as_str(), matches!(kind, b'1' | b'2')));
            }
        }
        Ok(())
    }

    /// The path in the bundle, if it is going to be in it.
    fn wanted(&self, path: &str) -> Result<Option<BundlePath>, Error> {
        let path = match &self.folder {
            None => Some(path),
            Some(folder) => path.strip_prefix(folder.as_str()),
        };
        path.map(|path| BundlePath::new(path.as_bytes()))
            .transpose()
    }

    /// Passes over the contents of an entry, and what fills their last block.
    fn skip(&mut self, size: u64) -> Result<(), Error> {
        let mut rest = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| refused("a size in it is too large"))?;
        let mut piece = [0; 16 * BLOCK];
        while rest > 0 {
            self.cancel.check()?;
            let count = usize::try_from(rest).unwrap_or(usize::MAX).min(piece.len());
            let piece = piece.get_mut(..count).unwrap_or_default();
            self.from
                .read_exact(piece)
                .map_err(|error| broken(&error))?;
            rest -= count as u64;
        }
        Ok(())
    }

    fn padding(&mut self, size: u64) -> Result<(), Error> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        let mut filling = [0; BLOCK];
        let count = (BLOCK - over) % BLOCK;
        self.from
            .read_exact(filling.get_mut(..count).unwrap_or_default())
            .map_err(|error| broken(&error))
    }

    /// Reads what is behind the end, so that the checksum of a compressed archive has been looked at.
    fn drain(&mut self) -> Result<(), Error> {
        let mut piece = [0; 16 * BLOCK];
        loop {
            self.cancel.check()?;
            match self.from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// The contents of a file. What goes wrong with the archive is said as such, not as something about a disk.
struct Contents<'a, 'b>(io::Take<&'a mut (dyn Read + 'b)>);

impl Read for Contents<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => broken(&error).into_io(),
        })
    }
}

/// What the block before an entry says.
struct Head {
    path: Vec<u8>,
    size: u64,
    kind: u8,
}

impl Head {
    fn parse(block: &[u8; BLOCK]) -> Result<Head, Error> {
        let field = |from: usize, length: usize| block.get(from..from + length).unwrap_or_default();
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    u64::from(b' ')
                } else {
                    u64::from(*byte)
                }
            })
            .sum();
        if octal(field(148, 8)) != Some(sum) {
            return Err(refused("a checksum in it is wrong"));
        }
        let magic = field(257, 8);
        if magic != b"ustar\x0000" && magic != b"ustar  \0" {
            return Err(refused("it is not of a kind we know"));
        }
        let mut path = Vec::new();
        // In GNU's kind there are times in this place.
        if magic == b"ustar\x0000" && block[345] != 0 {
            path.extend_from_slice(text(field(345, 155)));
            path.push(b'/');
        }
        path.extend_from_slice(text(field(0, 100)));
        let size =
            octal(field(124, 12)).ok_or_else(|| refused("a size in it is too large, or none"))?;
        Ok(Head {
            path,
            size,
            kind: block[156],
        })
    }
}

/// What stands before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// An octal number with spaces before it and a space or NUL behind.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits
        .iter()
        .position(|byte| matches!(byte, 0 | b' '))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    let ends = rest.iter().all(|byte| matches!(byte, 0 | b' '));
    let octal = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
    let number = || {
        digits
            .iter()
            .fold(0, |value: u64, digit| value << 3 | u64::from(digit - b'0'))
    };
    (ends && octal && (1..=12).contains(&digits.len())).then(number)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// The records of a pax extension: `LENGTH KEY=VALUE\n`.
struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    fn take(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(self.0.get(..space)?)?).ok()?;
        let (record, rest) = self.0.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        self.0 = rest;
        Some((record.get(..equals)?, record.get(equals + 1..)?))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (Result<&'a [u8], Error>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        match self.take() {
            Some((key, value)) => Some((Ok(key), value)),
            None => {
                self.0 = b"";
                Some((Err(refused("a record of it is not one")), b""))
            }
        }
    }
}

fn refused(why: &str) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("the archive cannot be used: {why}"),
    )
}

fn broken(error: &io::Error) -> Error {
    if let Some(ours) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        return ours.clone();
    }
    Error::new(
        ErrorKind::Unavailable,
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the archive ends too early; it is tried again later".to_owned()
            }
            _ => format!("the archive is damaged ({error}); it is tried again later"),
        },
    )
}

/// Counts what is read, and fails beyond a limit: what a compressed archive becomes is not known before.
#[derive(Debug)]
pub struct Counted<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R> Counted<R> {
    /// Lets `limit` bytes through.
    pub fn new(inner: R, limit: u64) -> Counted<R> {
        Counted {
            inner,
            left: limit,
            limit,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the archive unpacks to more than {} bytes; use a smaller repository",
                    self.limit
                ),
            )
            .into_io()),
        }
    }
}

#[cfg(test)]
mod tests;
