//! What `git` lists: references of a repository, files of a commit.
//!
//! **Invariant:** what is taken out of a listing is the name of an object, a path of a bundle or a size, and nothing else: it may go into
//! command lines and files.

use crate::error::{Error, ErrorKind, quoted};
use crate::folder::irregular;
use crate::limits::Limits;
use crate::path::BundlePath;
use crate::source::Reference;

/// What is fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A whole reference, or the commit's name.
    pub name: String,
    /// The commit it is now.
    pub commit: String,
}

impl Wanted {
    /// A commit by its name.
    pub fn commit(reference: &Reference) -> Wanted {
        let commit = reference.as_str().to_ascii_lowercase();
        Wanted {
            name: commit.clone(),
            commit,
        }
    }
}

/// What a name may stand for, the best first: a branch before a tag, as `git clone --branch` has it.
pub fn candidates(reference: Option<&Reference>) -> Vec<String> {
    match reference.map(Reference::as_str) {
        None => vec!["HEAD".to_owned()],
        Some(whole) if whole.starts_with("refs/") => vec![whole.to_owned()],
        Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
    }
}

/// Finds the best candidate in what `ls-remote` says. An annotated tag has a second line, with what it is a tag of.
pub fn choose(listing: &[u8], candidates: &[String]) -> Option<Wanted> {
    let listing = std::str::from_utf8(listing).ok()?;
    let lines: Vec<(&str, &str)> = listing
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let find = |name: &str| {
        lines
            .iter()
            .find(|(object, found)| *found == name && is_object(object))
    };
    candidates.iter().find_map(|name| {
        let (object, _) = find(&format!("{name}^{{}}")).or_else(|| find(name))?;
        Some(Wanted {
            name: name.clone(),
            commit: (*object).to_owned(),
        })
    })
}

/// Whether a text is the name of an object, as git writes it.
pub(super) fn is_object(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Below the source's folder.
    pub path: BundlePath,
    /// Its name in the repository.
    pub object: String,
    /// In bytes.
    pub size: u64,
}

/// Parses what `ls-tree -r -z -l` says: `MODE TYPE OBJECT SIZE\tPATH\0`, again and again.
pub fn parse(listing: &[u8], limits: &Limits) -> Result<Vec<Blob>, Error> {
    let mut blobs = Vec::new();
    let mut total: u64 = 0;
    for entry in listing
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
    {
        let Some(blob) = parse_entry(entry)? else {
            continue;
        };
        total = total.saturating_add(blob.size);
        if blob.size > limits.file_bytes
            || total > limits.total_bytes
            || blobs.len() >= limits.files
        {
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
    let odd = || {
        Error::new(
            ErrorKind::Unavailable,
            format!("git says \"{}\" where a file should be", quoted(entry)),
        )
    };
    let tab = entry
        .iter()
        .position(|byte| *byte == b'\t')
        .ok_or_else(odd)?;
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
        (_, "blob") if is_object(object) => Ok(Some(Blob {
            path,
            object: object.to_owned(),
            size: size.parse().map_err(|_| odd())?,
        })),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_come_before_tags_and_tags_are_followed() {
        let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(40));
        let listing = format!("{a}\trefs/tags/v1\n{b}\trefs/tags/v1^{{}}\n{c}\tx/refs/tags/v1\n");
        let reference = Reference::new("v1").unwrap();
        let names = candidates(Some(&reference));
        let found = choose(listing.as_bytes(), &names).unwrap();
        assert_eq!((found.name.as_str(), found.commit), ("refs/tags/v1", b));
        let both = format!("{listing}{c}\trefs/heads/v1\n");
        assert_eq!(choose(both.as_bytes(), &names).unwrap().commit, c);
        assert_eq!(choose(b"xyz\trefs/heads/v1\n", &names), None);
        assert_eq!(choose(b"\xff", &names), None);
        assert_eq!(candidates(None), ["HEAD"]);
    }

    const OBJECT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn files_links_and_submodules() {
        let limits = Limits::default();
        let listing = format!(
            "100644 blob {OBJECT}      12\ta b.lua\0100755 blob {OBJECT} 3\tx/y\0160000 commit {OBJECT}       -\tsub\0"
        );
        let files = parse(listing.as_bytes(), &limits).unwrap();
        let files: Vec<_> = files
            .iter()
            .map(|blob| (blob.path.as_str(), blob.size))
            .collect();
        assert_eq!(files, [("a b.lua", 12), ("x/y", 3)]);
        let kind = |listing: &str| {
            parse(listing.replace('O', OBJECT).as_bytes(), &limits)
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind("120000 blob O 5\tlink\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O 5\t../x\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O 5\ta\\b\0"), ErrorKind::Refused);
        assert_eq!(kind("100644 blob O -\ta\0"), ErrorKind::Unavailable);
        assert_eq!(kind("100644 blob -O 5\ta\0"), ErrorKind::Unavailable);
        assert_eq!(kind("what\0"), ErrorKind::Unavailable);
        let small = Limits {
            file_bytes: 2,
            ..limits
        };
        assert_eq!(
            parse(listing.as_bytes(), &small).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }
}
