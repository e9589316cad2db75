//! Which versions each app has had: what a restart without a network begins with.
//!
//! ```text
//! rille-app 1 SHA-256-OF-WHAT-FOLLOWS
//! BUNDLE SECONDS REVISION SOURCE
//! ...
//! ```
//! The newest version is first; it is the one that serves. `SECONDS` are since 1970, `REVISION` is `-` if the source has none.
//!
//! **Invariants.** A record is replaced in one step, so there is the old one or the new one. A version is put into it after its app has
//! been checked: the newest whose bundle is whole is the last good version.

use crate::bundle::{Bundle, write_synced};
use crate::error::{Error, ErrorKind, quoted};
use crate::index::{BundleId, Hash};
use crate::source::{MAX_SOURCE, Source};
use crate::store::Store;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

/// The most versions a record has.
pub const MAX_VERSIONS: usize = 64;
/// The longest name of an app, in bytes.
pub const MAX_APP_NAME: usize = 64;
/// The longest revision, in bytes.
pub const MAX_REVISION: usize = 512;
const MAX_RECORD: u64 =
    128 + (MAX_VERSIONS * (64 + 1 + 20 + 1 + MAX_REVISION + 1 + MAX_SOURCE + 8)) as u64;

const FIRST_WORDS: &str = "rille-app 1 ";

/// What a source says its state is: a commit, an entity tag, the hash of a listing. Given back to the source, it tells whether there is
/// something new.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Box<str>);

impl Revision {
    /// A revision; `None` if it is too long or is not of printable characters.
    pub fn new(text: &str) -> Option<Revision> {
        let fits = !text.is_empty() && text.len() <= MAX_REVISION && text != "-";
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Revision(text.into()))
    }

    /// From a hash in hexadecimal digits.
    pub(crate) fn of_hash(hash: &str) -> Revision {
        Revision(hash.into())
    }

    /// As the source said it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A version of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its files.
    pub bundle: BundleId,
    /// When it began to serve, in seconds since 1970.
    pub since: u64,
    /// What the source said.
    pub revision: Option<Revision>,
    /// Where it came from.
    pub source: Source,
}

/// A version that can be served.
#[derive(Debug)]
pub struct LastGood {
    /// What the record says of it.
    pub version: Version,
    /// Its files.
    pub bundle: Bundle,
    /// Why newer ones cannot be served.
    pub skipped: Vec<Error>,
}

/// Parses the text of a record; `None` if it is not exactly one that [`write()`] makes.
pub fn parse(text: &[u8]) -> Option<Vec<Version>> {
    let text = std::str::from_utf8(text).ok()?;
    let (first, rest) = text.split_once('\n')?;
    if Hash::parse(first.strip_prefix(FIRST_WORDS)?)? != Hash::of(rest.as_bytes()) {
        return None;
    }
    let versions: Vec<Version> = rest
        .split_terminator('\n')
        .map(parse_line)
        .collect::<Option<_>>()?;
    let fits = versions.len() <= MAX_VERSIONS && write(&versions) == text.as_bytes();
    fits.then_some(versions)
}

fn parse_line(line: &str) -> Option<Version> {
    let mut words = line.splitn(4, ' ');
    let bundle = Hash::parse(words.next()?)?;
    let since = words.next()?.parse().ok()?;
    let revision = match words.next()? {
        "-" => None,
        text => Some(Revision::new(text)?),
    };
    let source = Source::parse(words.next()?).ok()?;
    Some(Version {
        bundle,
        since,
        revision,
        source,
    })
}

/// The text of a record.
pub fn write(versions: &[Version]) -> Vec<u8> {
    let mut lines = String::new();
    for version in versions {
        let revision = version.revision.as_ref().map_or("-", Revision::as_str);
        lines += &format!(
            "{} {} {revision} {}\n",
            version.bundle, version.since, version.source
        );
    }
    format!("{FIRST_WORDS}{}\n{lines}", Hash::of(lines.as_bytes())).into_bytes()
}

/// Whether an app may have this name: letters, digits and `._-`, neither a dot nor a hyphen first.
fn check_name(name: &str) -> Result<(), Error> {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match !name.is_empty()
        && name.len() <= MAX_APP_NAME
        && name.bytes().all(byte)
        && !name.starts_with(['.', '-'])
    {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Source,
            format!(
                "\"{}\" is not the name of an app: use up to 64 letters, digits, dots, hyphens and underscores",
                quoted(name.as_bytes())
            ),
        )),
    }
}

impl Store {
    fn record_path(&self, name: &str) -> Result<PathBuf, Error> {
        check_name(name)?;
        Ok(self.folder("apps").join(name))
    }

    fn records(&self) -> MutexGuard<'_, ()> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of all apps, sorted.
    pub fn apps(&self) -> Result<Vec<String>, Error> {
        let folder = self.folder("apps");
        let failed = |error| Error::disk("read", &folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(
                name.to_str()
                    .filter(|name| check_name(name).is_ok())
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    /// The versions of an app, the newest first; none if there is no such app.
    pub fn versions(&self, name: &str) -> Result<Vec<Version>, Error> {
        let path = self.record_path(name)?;
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_RECORD).read_to_end(&mut text));
        match read {
            Ok(_) => parse(&text).ok_or_else(|| {
                Error::new(
                    ErrorKind::Corrupt,
                    format!(
                        "the record {} is corrupt; remove it and deploy the app again",
                        path.display()
                    ),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::disk("read", &path, &error)),
        }
    }

    /// Makes a version an app's newest. One that is the newest already is replaced.
    pub fn record(&self, name: &str, version: Version) -> Result<(), Error> {
        let _one_at_a_time = self.records();
        let mut versions = self.versions(name)?;
        if versions
            .first()
            .is_some_and(|newest| newest.bundle == version.bundle)
        {
            versions.remove(0);
        }
        versions.insert(0, version);
        versions.truncate(MAX_VERSIONS);
        self.replace_record(name, &versions)
    }

    fn replace_record(&self, name: &str, versions: &[Version]) -> Result<(), Error> {
        let path = self.record_path(name)?;
        let text = write(versions);
        // A source that was not parsed may have anything in it.
        if parse(&text).as_deref() != Some(versions) {
            return Err(Error::new(
                ErrorKind::Source,
                "the source has characters that cannot be recorded; give it another name",
            ));
        }
        let temporary = self.temporary()?;
        write_synced(self, &temporary.path, &text)?;
        self.disk
            .rename(&temporary.path, &path)
            .map_err(|error| Error::disk("write", &path, &error))?;
        self.sync_records()
    }

    fn sync_records(&self) -> Result<(), Error> {
        let folder = self.folder("apps");
        self.disk
            .sync_folder(&folder)
            .map_err(|error| Error::disk("sync", &folder, &error))
    }

    /// Removes an app; its bundles stay until they are cleaned away.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        let _one_at_a_time = self.records();
        let path = self.record_path(name)?;
        self.disk
            .remove(&path)
            .map_err(|error| Error::disk("remove", &path, &error))?;
        self.sync_records()
    }

    /// The newest version of an app whose bundle is whole.
    pub fn last_good(&self, name: &str) -> Result<LastGood, Error> {
        let mut skipped = Vec::new();
        for version in self.versions(name)? {
            match self.bundle(version.bundle) {
                Ok(bundle) => {
                    return Ok(LastGood {
                        version,
                        bundle,
                        skipped,
                    });
                }
                Err(error) => skipped.push(error),
            }
        }
        Err(skipped.into_iter().next().unwrap_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no app \"{name}\"; deploy it first"),
            )
        }))
    }

    /// Cuts an app's record to so many versions, and gives the bundles of those that stay.
    pub(crate) fn trim(&self, name: &str, most: usize) -> Result<Vec<BundleId>, Error> {
        let _one_at_a_time = self.records();
        let mut versions = self.versions(name)?;
        if versions.len() > most {
            versions.truncate(most);
            self.replace_record(name, &versions)?;
        }
        Ok(versions.into_iter().map(|version| version.bundle).collect())
    }
}
