//! The address of a source, as it is written on a command line or in a request of the admin API.
//!
//! ```text
//! dir:PATH  or a path                             a folder
//! git+ssh://[USER@]HOST[:PORT]/PATH[@REF][#FOLDER]
//! git+https://HOST[:PORT]/PATH[@REF][#FOLDER]
//! git+file:///PATH[@REF][#FOLDER]                 a repository; REF is a branch, a tag or a whole commit name
//! github.com/OWNER/REPO[/FOLDER][@REF]            GitHub, by its archives
//! s3://BUCKET[/FOLDER]                            a bucket
//! ```
//! `REF` begins after the first `@` of the path. Of `github.com`, modules have a spelling of their own ([`Module`]).
//!
//! **Invariants.** Nothing in a [`Source`] can be taken for an option by a program, leave a folder, or end a line: what is put into
//! command lines, URLs and file names later is checked here, once. Written out and parsed again it is the same. It has no secrets.

use crate::error::{Error, ErrorKind, quoted};
use crate::path::BundlePath;
use std::fmt;
use std::path::PathBuf;

/// The longest address, in bytes.
pub const MAX_SOURCE: usize = 2048;
/// The longest name of a branch, tag or commit, in bytes.
pub const MAX_REFERENCE: usize = 255;

/// Where code comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A git repository.
    Git(Git),
    /// A repository on GitHub, or what answers in its place.
    GitHub(GitHub),
    /// A folder of a bucket.
    S3(S3),
}

/// A git repository, fetched by the `git` program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Git {
    /// How it is spoken to.
    pub transport: Transport,
    /// For ssh: who we are there.
    pub user: Option<String>,
    /// Host and port; empty for files.
    pub host: String,
    /// Begins with `/`.
    pub path: String,
    /// What is fetched of it; the branch its `HEAD` says if there is none.
    pub reference: Option<Reference>,
    /// The folder of it that is the app.
    pub folder: Option<BundlePath>,
}

/// How a git repository is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `ssh://`
    Ssh,
    /// `https://`
    Https,
    /// `file://`
    File,
}

/// A repository on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitHub {
    /// A user or an organisation.
    pub owner: String,
    /// Its repository.
    pub repository: String,
    /// The folder of it that is the app.
    pub folder: Option<BundlePath>,
    /// What is fetched of it; the default branch if there is none.
    pub reference: Option<Reference>,
}

/// A folder of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// The folder; the whole bucket if there is none.
    pub folder: Option<BundlePath>,
}

/// A branch, a tag or a whole commit name, by the rules of `git check-ref-format`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(Box<str>);

/// A module that is a file of a repository: `github.com/OWNER/REPO/blob/REF/FILE.lua`. Of a `REF` with a `/` in it only what comes
/// before that is taken, as there is no telling where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The repository at that reference.
    pub repository: GitHub,
    /// The file in it.
    pub file: BundlePath,
}

const FORMS: &str = "a source is a folder (dir:PATH or a path with a / in it), git+https://HOST/PATH, git+ssh://USER@HOST/PATH, \
git+file:///PATH (each with @REF and #FOLDER where needed), github.com/OWNER/REPO[/FOLDER][@REF] or s3://BUCKET[/FOLDER]";

impl Source {
    /// Parses an address. There is no look at the disk or the network.
    pub fn parse(text: &str) -> Result<Source, Error> {
        if text.len() > MAX_SOURCE || text.is_empty() || text.chars().any(char::is_control) {
            return Err(none_of_them(text, ""));
        }
        if let Some(path) = text.strip_prefix("dir:").filter(|path| !path.is_empty()) {
            return Ok(Source::Folder(path.into()));
        }
        if let Some(rest) = text.strip_prefix("github.com/") {
            return GitHub::parse(text, rest).map(Source::GitHub);
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            return S3::parse(text, rest).map(Source::S3);
        }
        if let Some(rest) = text.strip_prefix("git+") {
            return Git::parse(text, rest).map(Source::Git);
        }
        match hint(text) {
            Some(hint) => Err(none_of_them(text, hint)),
            None if text.starts_with('-') => Err(none_of_them(text, "")),
            None => Ok(Source::Folder(text.into())),
        }
    }

    /// The same source at another branch, tag or commit.
    pub fn at(mut self, reference: &str) -> Result<Source, Error> {
        let reference = Some(Reference::new(reference)?);
        match &mut self {
            Source::Git(git) => git.reference = reference,
            Source::GitHub(github) => github.reference = reference,
            Source::Folder(_) | Source::S3(_) => {
                return Err(Error::new(
                    ErrorKind::Source,
                    format!("{self} has no branches, tags or commits; leave the reference out"),
                ));
            }
        }
        Ok(self)
    }
}

/// What is probably meant by an address that is none.
fn hint(text: &str) -> Option<&'static str> {
    let (scheme, rest) = text.split_once(':')?;
    match scheme {
        "http" | "https" if rest.starts_with("//github.com/") => {
            Some("write it as github.com/OWNER/REPO; ")
        }
        "http" | "https" | "ssh" | "file" if rest.starts_with("//") => {
            Some("for a git repository write git+ in front; ")
        }
        // git's short form of ssh, USER@HOST:PATH.
        user if user.contains('@') && !user.contains('/') => {
            Some("write it as git+ssh://USER@HOST/PATH; ")
        }
        // A path may have a colon; behind what looks like a scheme it is taken for one.
        scheme if scheme.contains('/') => None,
        _ => Some(""),
    }
}

fn none_of_them(text: &str, hint: &str) -> Error {
    Error::new(
        ErrorKind::Source,
        format!(
            "\"{}\" is not a source: {hint}{FORMS}",
            quoted(text.as_bytes())
        ),
    )
}

/// An address that has the right beginning.
fn wrong(text: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Source,
        format!("\"{}\" is not a source: {why}", quoted(text.as_bytes())),
    )
}

fn folder(text: &str, folder: &str) -> Result<Option<BundlePath>, Error> {
    match folder.trim_matches('/') {
        "" => Ok(None),
        path => match BundlePath::new(path.as_bytes()) {
            Ok(path) if !path.as_str().contains(['#', '@', '?']) => Ok(Some(path)),
            Ok(_) => Err(wrong(text, "its folder has one of the characters # @ ?")),
            Err(error) => Err(wrong(text, &error.to_string())),
        },
    }
}

impl Reference {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Reference, Error> {
        match is_reference(name) {
            true => Ok(Reference(name.into())),
            false => Err(Error::new(
                ErrorKind::Source,
                format!(
                    "\"{}\" is not the name of a branch, a tag or a commit",
                    quoted(name.as_bytes())
                ),
            )),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a whole commit name: 40 or 64 hexadecimal digits.
    pub fn is_commit(&self) -> bool {
        matches!(self.0.len(), 40 | 64) && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// The rules of `git check-ref-format --allow-onelevel`, and no `-` at the beginning.
fn is_reference(name: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock");
    name.len() <= MAX_REFERENCE
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name
            .chars()
            .any(|c| c.is_control() || " ~^:?*[\\#\"'".contains(c))
        && name.split('/').all(part)
}

impl Git {
    fn parse(text: &str, rest: &str) -> Result<Git, Error> {
        let schemes = [
            ("ssh://", Transport::Ssh),
            ("https://", Transport::Https),
            ("file://", Transport::File),
        ];
        let Some((transport, rest)) = schemes.into_iter().find_map(|(scheme, transport)| {
            rest.strip_prefix(scheme).map(|rest| (transport, rest))
        }) else {
            return Err(none_of_them(text, ""));
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        match (transport, user) {
            (_, Some(user)) if user.contains(':') => {
                return Err(Error::new(
                    ErrorKind::Source,
                    "a password or token does not belong into the address of a source; set it up as the git token",
                ));
            }
            (Transport::Ssh, Some(user)) if is_name(user) => {}
            (_, None) => {}
            _ => return Err(wrong(text, "the user in it is wrong here")),
        }
        match transport {
            Transport::File if !host.is_empty() => {
                return Err(wrong(text, "write git+file:///PATH, with three slashes"));
            }
            Transport::Ssh | Transport::Https if !is_host(host) => {
                return Err(wrong(text, "its host is none"));
            }
            _ => {}
        }
        let (path, sub) = path.split_once('#').unwrap_or((path, ""));
        let (path, reference) = match path.split_once('@') {
            Some((path, reference)) => (path, Some(Reference::new(reference)?)),
            None => (path, None),
        };
        if path.len() < 2 || !path.bytes().all(is_path_byte) || path.starts_with("/-") {
            return Err(wrong(
                text,
                "the path of the repository is missing or has odd characters",
            ));
        }
        Ok(Git {
            transport,
            user: user.map(str::to_owned),
            host: host.to_owned(),
            path: path.to_owned(),
            reference,
            folder: folder(text, sub)?,
        })
    }

    /// The URL for the `git` program.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.transport {
            Transport::Ssh => "ssh",
            Transport::Https => "https",
            Transport::File => "file",
        };
        match &self.user {
            Some(user) => format!("{scheme}://{user}@{}{}", self.host, self.path),
            None => format!("{scheme}://{}{}", self.host, self.path),
        }
    }
}

/// A name of letters, digits and `._-`, as users, owners and repositories have, that does not begin like an option.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['-', '.'])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A host name or address, with a port or without.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port = port.is_none_or(|port| {
        port.parse::<u16>().is_ok_and(|port| port != 0) && !port.starts_with('+')
    });
    let inside = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let name = match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.len() <= 253
                && name
                    .split('.')
                    .all(|label| is_name(label) && label.len() <= 63)
        }
    };
    port && name
}

/// What stands in the path of a repository: what a shell, a URL and git's own configuration all take as it is.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-~+=,%".contains(&byte) || byte >= 0x80
}

impl GitHub {
    fn parse(text: &str, rest: &str) -> Result<GitHub, Error> {
        let (path, reference) = match rest.split_once('@') {
            Some((path, reference)) => (path, Some(Reference::new(reference)?)),
            None => (rest, None),
        };
        let mut parts = path.splitn(3, '/');
        let owner = parts.next().unwrap_or_default();
        let repository = parts.next().unwrap_or_default();
        let repository = repository.strip_suffix(".git").unwrap_or(repository);
        if !is_name(owner) || !is_name(repository) {
            return Err(wrong(text, "write github.com/OWNER/REPO[/FOLDER][@REF]"));
        }
        Ok(GitHub {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            folder: folder(text, parts.next().unwrap_or_default())?,
            reference,
        })
    }
}

impl S3 {
    fn parse(text: &str, rest: &str) -> Result<S3, Error> {
        let (bucket, sub) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(wrong(
                text,
                "the name of a bucket has 3 to 63 lower-case letters, digits, dots and hyphens",
            ));
        }
        Ok(S3 {
            bucket: bucket.to_owned(),
            folder: folder(text, sub)?,
        })
    }

    /// What AWS_S3_CODE_PATH says: `BUCKET/FOLDER`, without a scheme.
    pub fn from_code_path(text: &str) -> Result<S3, Error> {
        S3::parse(text, text.strip_prefix("s3://").unwrap_or(text))
    }
}

fn is_bucket(name: &str) -> bool {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', '-'])
        && !name.contains("..")
}

impl Module {
    /// The module a script names, if it is one of a repository; `None` for every other name, an error for one that begins like one.
    pub fn parse(name: &str) -> Option<Result<Module, Error>> {
        let rest = name.strip_prefix("github.com/")?;
        Some(Module::parse_rest(name, rest))
    }

    fn parse_rest(name: &str, rest: &str) -> Result<Module, Error> {
        let wrong = || {
            wrong(
                name,
                "a module of a repository is github.com/OWNER/REPO/blob/REF/FILE.lua",
            )
        };
        if name.len() > MAX_SOURCE {
            return Err(wrong());
        }
        let mut parts = rest.splitn(5, '/');
        let mut part = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or_else(wrong)
        };
        let (owner, repository, blob, reference, file) =
            (part()?, part()?, part()?, part()?, part()?);
        if blob != "blob" || !is_name(owner) || !is_name(repository) {
            return Err(wrong());
        }
        Ok(Module {
            repository: GitHub {
                owner: owner.to_owned(),
                repository: repository.to_owned(),
                folder: None,
                reference: Some(Reference::new(reference)?),
            },
            file: BundlePath::new(file.as_bytes())?,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder(path) => write!(f, "dir:{}", path.display()),
            Source::Git(git) => write!(f, "git+{}", git.url())
                .and_then(|()| suffix(f, '@', git.reference.as_ref().map(Reference::as_str)))
                .and_then(|()| suffix(f, '#', git.folder.as_ref().map(BundlePath::as_str))),
            Source::GitHub(github) => github.fmt(f),
            Source::S3(s3) => s3.fmt(f),
        }
    }
}

impl fmt::Display for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "github.com/{}/{}", self.owner, self.repository)?;
        suffix(f, '/', self.folder.as_ref().map(BundlePath::as_str))?;
        suffix(f, '@', self.reference.as_ref().map(Reference::as_str))
    }
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        suffix(f, '/', self.folder.as_ref().map(BundlePath::as_str))
    }
}

fn suffix(f: &mut fmt::Formatter<'_>, mark: char, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => write!(f, "{mark}{text}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
