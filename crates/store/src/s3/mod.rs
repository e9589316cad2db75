//! Buckets of S3 as a source, and of what speaks like it.
//!
//! ```text
//! ListObjectsV2, page by page --> is it what we have? --> GetObject, several at a time --> Writer
//! ```
//! The revision is the hash of the listing: keys, sizes, entity tags and times. Files that the host-mapped source asks for come one by one
//! ([`Files`]).
//!
//! **Invariants.** What is in memory at a time is bounded by a budget and one file. A listing has an end: pages are counted, and each has to
//! name another next one. A bundle has all objects of one listing, or is not made.

mod bucket;
mod sign;
pub mod xml;

use crate::bundle::Bundle;
use crate::cancel::blocking;
use crate::error::{Error, ErrorKind};
use crate::http::{Client, retry};
use crate::index::hex;
use crate::limits::Limits;
use crate::on_demand::Validator;
use crate::path::BundlePath;
use crate::record::Revision;
use crate::secret::Secret;
use crate::source::S3;
use crate::store::Store;
use bucket::{Bucket, Got};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use xml::Object;

/// Bytes of objects that are on their way at a time; a larger one is alone.
const BUDGET: u32 = 16 << 20;
/// Requests at a time.
const REQUESTS: usize = 8;
/// A page has up to 1000 keys, and may have fewer.
const MAX_PAGES: usize = 2000;

/// Who we are.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// AWS_ACCESS_KEY_ID
    pub access_key_id: String,
    /// AWS_SECRET_ACCESS_KEY
    pub secret_access_key: Secret,
    /// AWS_SESSION_TOKEN
    pub session_token: Option<Secret>,
}

impl Credentials {
    fn redact(&self, text: &str) -> String {
        let text = self.secret_access_key.redact(text);
        match &self.session_token {
            Some(token) => token.redact(&text),
            None => text,
        }
    }
}

/// Where the name of a bucket is in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// In the host for AWS, unless it has a dot, which no certificate would be for; in the path for other endpoints.
    #[default]
    Auto,
    /// `https://HOST/BUCKET/KEY`
    Path,
    /// `https://BUCKET.HOST/KEY`
    VirtualHost,
}

/// How S3 is spoken to.
#[derive(Debug, Clone)]
pub struct Options {
    /// AWS_ENDPOINT_URL; AWS itself if there is none.
    pub endpoint: Option<String>,
    /// AWS_REGION
    pub region: String,
    /// None for public buckets.
    pub credentials: Option<Credentials>,
    /// Where the name of the bucket goes.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            endpoint: None,
            region: "us-east-1".to_owned(),
            credentials: None,
            style: Style::Auto,
        }
    }
}

impl Options {
    /// From the AWS_* variables, which `get` looks up. One that is empty is as good as none.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Options, Error> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let credentials = match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret)) => Some(Credentials {
                access_key_id,
                secret_access_key: Secret::new(secret),
                session_token: get("AWS_SESSION_TOKEN").map(Secret::new),
            }),
            (None, None) => None,
            _ => {
                return Err(Error::new(
                    ErrorKind::Setup,
                    "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set; set both",
                ));
            }
        };
        let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
        Ok(Options {
            endpoint: get("AWS_ENDPOINT_URL_S3").or_else(|| get("AWS_ENDPOINT_URL")),
            region: region.unwrap_or_else(|| Options::default().region),
            credentials,
            style: Style::Auto,
        })
    }

    fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }

    fn style_for(&self, bucket: &str) -> Style {
        match self.style {
            Style::Auto if self.endpoint.is_none() && !bucket.contains('.') => Style::VirtualHost,
            Style::Auto => Style::Path,
            said => said,
        }
    }
}

/// Fetches a folder of a bucket. `None` if its listing is the one that is known.
pub(crate) async fn fetch(
    store: &Arc<Store>,
    client: &Client,
    options: &Options,
    source: &S3,
    known: Option<&Revision>,
) -> Result<Option<(Bundle, Revision)>, Error> {
    let bucket = Bucket::new(client.clone(), options, &source.bucket)?;
    let prefix = prefix(source);
    // What was changed meanwhile is listed again.
    retry(ErrorKind::Changed, || async {
        let objects = list(&bucket, &prefix, store.limits()).await?;
        let (revision, is_telling) = revision(&objects);
        if is_telling && known == Some(&revision) {
            return Ok(None);
        }
        let files =
            files(&objects, &prefix, store.limits()).map_err(|error| error.about(source))?;
        let bundle = get_all(store, &bucket, files)
            .await
            .map_err(|error| error.about(source))?;
        Ok(Some((bundle, revision)))
    })
    .await
}

/// What the keys of a source begin with.
fn prefix(source: &S3) -> String {
    source
        .folder
        .as_ref()
        .map(|folder| format!("{folder}/"))
        .unwrap_or_default()
}

async fn list(bucket: &Bucket, prefix: &str, limits: &Limits) -> Result<Vec<Object>, Error> {
    // Folders may be objects, too.
    let most = limits.files.saturating_mul(2);
    let mut objects: Vec<Object> = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = retry(ErrorKind::Unavailable, || {
            bucket.page(prefix, token.as_deref())
        })
        .await?;
        if page.objects.iter().any(is_odd) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the listing has keys longer than keys are; it is tried again later",
            ));
        }
        objects.extend(page.objects);
        if objects.len() > most {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "there are more than {} files in it; deploy a smaller folder",
                    limits.files
                ),
            ));
        }
        match page.next {
            None => return Ok(objects),
            same if same == token => break,
            next => token = next,
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the listing of the bucket does not end; it is tried again later",
    ))
}

/// Whether something is longer than S3 makes it.
fn is_odd(object: &Object) -> bool {
    object.key.len() > 1024 || object.etag.len() > 256 || object.modified.len() > 64
}

/// The hash of a listing, and whether everything in it can be told from other states of it.
fn revision(objects: &[Object]) -> (Revision, bool) {
    let mut hasher = Sha256::new();
    let mut is_telling = true;
    for object in objects {
        is_telling &= !object.etag.is_empty() || !object.modified.is_empty();
        let size = object.size.map(|size| size.to_string()).unwrap_or_default();
        for part in [&object.key, &object.etag, &object.modified, &size] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    (Revision::of_hash(&hex(&hasher.finalize())), is_telling)
}

/// The files among the objects, with their paths in the bundle.
fn files(
    objects: &[Object],
    prefix: &str,
    limits: &Limits,
) -> Result<Vec<(BundlePath, Object)>, Error> {
    let mut files = Vec::new();
    let mut total: u64 = 0;
    for object in objects {
        let path = object.key.strip_prefix(prefix).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "the listing has keys that were not asked for; it is tried again later",
            )
        })?;
        let size = object.size.unwrap_or(0);
        // How consoles say that there is a folder.
        if (path.is_empty() || path.ends_with('/')) && size == 0 {
            continue;
        }
        total = total.saturating_add(size);
        if size > limits.file_bytes || total > limits.total_bytes || files.len() >= limits.files {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "at the file \"{}\" it is beyond the limits ({} files, {} bytes each, {} bytes together)",
                    crate::error::quoted(path.as_bytes()),
                    limits.files,
                    limits.file_bytes,
                    limits.total_bytes
                ),
            ));
        }
        files.push((BundlePath::new(path.as_bytes())?, object.clone()));
    }
    Ok(files)
}

/// A file on its way to the disk, with its part of the budget.
enum Item {
    File(BundlePath, Vec<u8>, OwnedSemaphorePermit),
    End,
}

async fn get_all(
    store: &Arc<Store>,
    bucket: &Bucket,
    files: Vec<(BundlePath, Object)>,
) -> Result<Bundle, Error> {
    let (sender, mut receiver) = mpsc::channel(REQUESTS);
    let most = store.limits().file_bytes;
    let store = store.clone();
    let written = blocking(move |cancel| {
        let mut writer = store.writer()?;
        loop {
            match receiver.blocking_recv() {
                Some(Item::File(path, contents, _permit)) => {
                    writer.add(&path, &mut contents.as_slice(), cancel)?
                }
                Some(Item::End) => return writer.finish(),
                None => return Err(Error::new(ErrorKind::Cancelled, "cancelled")),
            }
        }
    });
    let (got, written) = tokio::join!(get_each(bucket, files, most, sender), written);
    // What failed first is what the other failed of.
    match (got, written) {
        (Err(error), _) if error.kind() != ErrorKind::Cancelled => Err(error),
        (_, written) => written,
    }
}

async fn get_each(
    bucket: &Bucket,
    files: Vec<(BundlePath, Object)>,
    most: u64,
    sender: mpsc::Sender<Item>,
) -> Result<(), Error> {
    let budget = Arc::new(Semaphore::new(BUDGET as usize));
    let mut requests = JoinSet::new();
    for (path, object) in files {
        // A small one costs something, too.
        let share = u32::try_from(object.size.unwrap_or(most)).unwrap_or(BUDGET);
        let share = share.clamp(BUDGET / REQUESTS as u32 / 16, BUDGET);
        let permit = budget
            .clone()
            .acquire_many_owned(share)
            .await
            .map_err(|_| cancelled())?;
        while requests.len() >= REQUESTS {
            finished(requests.join_next().await)?;
        }
        let (bucket, sender) = (bucket.clone(), sender.clone());
        requests.spawn(async move {
            let contents = retry(ErrorKind::Unavailable, || bucket.listed(&object, most)).await?;
            sender
                .send(Item::File(path, contents, permit))
                .await
                .map_err(|_| cancelled())
        });
    }
    while let Some(result) = requests.join_next().await {
        finished(Some(result))?;
    }
    sender.send(Item::End).await.map_err(|_| cancelled())
}

fn finished(
    result: Option<Result<Result<(), Error>, tokio::task::JoinError>>,
) -> Result<(), Error> {
    match result {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(cancelled()),
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "cancelled")
}

/// The files below a folder of a bucket, one by one.
#[derive(Debug, Clone)]
pub struct Files {
    bucket: Bucket,
    prefix: String,
    most: u64,
}

impl Files {
    pub(crate) fn new(
        client: Client,
        options: &Options,
        source: &S3,
        most: u64,
    ) -> Result<Files, Error> {
        Ok(Files {
            bucket: Bucket::new(client, options, &source.bucket)?,
            prefix: prefix(source),
            most,
        })
    }
}

impl crate::on_demand::Origin for Files {
    async fn get(
        &self,
        path: &BundlePath,
        known: &Validator,
    ) -> Result<crate::on_demand::Answer, Error> {
        use crate::on_demand::Answer;
        let key = format!("{}{path}", self.prefix);
        Ok(
            match retry(ErrorKind::Unavailable, || {
                self.bucket.object(&key, known, self.most)
            })
            .await?
            {
                Got::Unchanged => Answer::Unchanged,
                Got::Missing => Answer::Missing,
                Got::Found {
                    contents,
                    validator,
                } => Answer::Found {
                    contents,
                    validator,
                },
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, size: u64) -> Object {
        Object {
            key: key.to_owned(),
            etag: "\"x\"".to_owned(),
            size: Some(size),
            ..Object::default()
        }
    }

    #[test]
    fn files_of_a_listing() {
        let limits = Limits {
            files: 2,
            file_bytes: 10,
            total_bytes: 15,
            ..Limits::default()
        };
        let paths = |keys: &[(&str, u64)]| {
            let objects: Vec<Object> = keys.iter().map(|(key, size)| object(key, *size)).collect();
            let files = files(&objects, "app/", &limits).map_err(|error| error.kind())?;
            Ok(files
                .into_iter()
                .map(|(path, _)| path.to_string())
                .collect::<Vec<_>>())
        };
        assert_eq!(
            paths(&[("app/", 0), ("app/x/", 0), ("app/x/a", 10), ("app/b", 5)]),
            Ok(vec!["x/a".to_owned(), "b".to_owned()])
        );
        for (keys, kind) in [
            ([("app/../x", 1)].as_slice(), ErrorKind::Refused),
            (&[("app//x", 1)], ErrorKind::Refused),
            (&[("app/x/", 1)], ErrorKind::Refused),
            (&[("app/x\\y", 1)], ErrorKind::Refused),
            (&[("app/x\u{1}", 1)], ErrorKind::Refused),
            (&[("other/x", 1)], ErrorKind::Unavailable),
            (&[("app/x", 11)], ErrorKind::TooLarge),
            (&[("app/x", 10), ("app/y", 6)], ErrorKind::TooLarge),
            (
                &[("app/x", 0), ("app/y", 0), ("app/z", 0)],
                ErrorKind::TooLarge,
            ),
        ] {
            assert_eq!(paths(keys), Err(kind), "{keys:?}");
        }
    }

    #[test]
    fn a_revision_says_all_of_a_listing() {
        let one = [object("a", 1), object("b", 2)];
        assert_eq!(revision(&one), revision(&one));
        for other in [
            vec![object("a", 1)],
            vec![object("a", 1), object("b", 3)],
            vec![object("ab", 1), object("", 2)],
        ] {
            assert_ne!(revision(&other).0, revision(&one).0);
        }
        let silent = Object {
            etag: String::new(),
            ..object("a", 1)
        };
        assert!(!revision(&[silent]).1);
    }

    #[test]
    fn variables() {
        let from = |pairs: &'static [(&str, &str)]| {
            Options::from_variables(|name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let options = from(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_SESSION_TOKEN", ""),
        ])
        .unwrap();
        assert_eq!(options.region, "eu-west-1");
        assert!(options.credentials.unwrap().session_token.is_none());
        assert_eq!(
            from(&[("AWS_ACCESS_KEY_ID", "id")]).unwrap_err().kind(),
            ErrorKind::Setup
        );
        let none = from(&[]).unwrap();
        assert_eq!(none.endpoint(), "https://s3.us-east-1.amazonaws.com");
        assert_eq!(
            (none.style_for("bucket"), none.style_for("a.b")),
            (Style::VirtualHost, Style::Path)
        );
        let local = from(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")]).unwrap();
        assert_eq!(local.style_for("bucket"), Style::Path);
    }
}
