//! Repositories on GitHub, by their archives.
//!
//! ```text
//! GET BASE/repos/OWNER/REPO/tarball[/REF] --> redirect to where archives are --> gzip --> tar --> Writer
//! ```
//! The archive's entity tag is the revision: asked again with it, an unchanged repository is one short answer.
//!
//! **Invariants.** The token goes to the host of the base URL and to no other. Redirects are few, and none leads from https to http. Where
//! one leads is not said in errors, beyond host and path: archives of private repositories have a token in the query.

use crate::bundle::Bundle;
use crate::cancel::{Cancel, blocking};
use crate::error::{Error, ErrorKind, quoted};
use crate::http::{Answer, Client, channel, retry, unavailable, without_query};
use crate::limits::Limits;
use crate::path::BundlePath;
use crate::record::Revision;
use crate::secret::Secret;
use crate::source::GitHub;
use crate::store::Store;
use crate::tar;
use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::{StatusCode, Uri};
use std::io::Read;
use std::sync::Arc;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// The most that is read of a refusal, in bytes.
const MAX_REFUSAL: u64 = 16 << 10;
/// What an archive has for each file besides its contents, in bytes: heads, extensions and what fills the last block.
const ARCHIVE_ENTRY: u64 = 4096;

/// How GitHub is spoken to.
#[derive(Debug, Clone)]
pub struct Options {
    /// The base URL of its API, without a `/` at the end.
    pub base: String,
    /// For private repositories, and for more than a few requests an hour.
    pub token: Option<Secret>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            base: "https://api.github.com".to_owned(),
            token: None,
        }
    }
}

/// Fetches a repository. `None` if it is as it was at the revision that is known.
pub(crate) async fn fetch(
    store: &Arc<Store>,
    client: &Client,
    options: &Options,
    github: &GitHub,
    known: Option<&Revision>,
) -> Result<Option<(Bundle, Revision)>, Error> {
    let is_commit = github
        .reference
        .as_ref()
        .is_some_and(|reference| reference.is_commit());
    if is_commit && known.is_some() {
        return Ok(None);
    }
    let archives = Archives {
        client,
        options,
        github,
    };
    retry(ErrorKind::Unavailable, || async {
        let Some(answer) = archives.ask(known).await? else {
            return Ok(None);
        };
        unpack(store, github.folder.clone(), answer)
            .await
            .map(Some)
            .map_err(|error| error.about(github))
    })
    .await
}

struct Archives<'a> {
    client: &'a Client,
    options: &'a Options,
    github: &'a GitHub,
}

impl Archives<'_> {
    fn start(&self) -> Result<Uri, Error> {
        let GitHub {
            owner,
            repository,
            reference,
            ..
        } = self.github;
        let mut url = format!("{}/repos/{owner}/{repository}/tarball", self.options.base);
        if let Some(reference) = reference {
            url.push('/');
            url.push_str(&encode(reference.as_str()));
        }
        let wrong = || {
            Error::new(
                ErrorKind::Setup,
                format!(
                    "\"{}\" is not the base URL of an API; write https://HOST[/PATH]",
                    quoted(self.options.base.as_bytes())
                ),
            )
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.authority().is_some() => Ok(uri),
            _ => Err(wrong()),
        }
    }

    /// Asks for the archive, wherever it is; `None` if it is the one that is known.
    async fn ask(&self, known: Option<&Revision>) -> Result<Option<Answer>, Error> {
        let start = self.start()?;
        let mut uri = start.clone();
        for _ in 0..=MAX_REDIRECTS {
            let is_home = (uri.scheme(), uri.authority()) == (start.scheme(), start.authority());
            let answer = self.client.get(&uri, self.headers(known, is_home)?).await?;
            match answer.status {
                StatusCode::OK => return Ok(Some(answer)),
                StatusCode::NOT_MODIFIED if known.is_some() => return Ok(None),
                status if status.is_redirection() => uri = redirect(&uri, &answer)?,
                _ => return Err(self.refusal(answer).await),
            }
        }
        Err(unavailable(
            &without_query(&start),
            "it redirects too often",
        ))
    }

    fn headers(&self, known: Option<&Revision>, is_home: bool) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/vnd.github+json, application/gzip"),
        );
        headers.insert(
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static("2022-11-28"),
        );
        // A revision may be something else, from an archive without a tag.
        let tag = known.filter(|known| known.as_str().ends_with('"'));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag.as_str()).ok()) {
            headers.insert(IF_NONE_MATCH, tag);
        }
        if let Some(token) = self.options.token.as_ref().filter(|_| is_home) {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| {
                Error::new(
                    ErrorKind::Setup,
                    "the token for GitHub has odd characters; set it up again",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    async fn refusal(&self, mut answer: Answer) -> Error {
        let limited = answer.header("x-ratelimit-remaining") == Some("0")
            || answer.status == StatusCode::TOO_MANY_REQUESTS;
        let said = answer.bytes(MAX_REFUSAL).await.unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let said = match &self.options.token {
            Some(token) => token.redact(&said),
            None => said,
        };
        let (kind, advice) = match answer.status {
            _ if limited => (
                ErrorKind::Denied,
                "there were too many requests; set up a token, or wait an hour",
            ),
            StatusCode::UNAUTHORIZED => (
                ErrorKind::Denied,
                "the token is not valid (any more); set up another",
            ),
            StatusCode::FORBIDDEN => (
                ErrorKind::Denied,
                "access is denied; set up a token that may read it",
            ),
            StatusCode::NOT_FOUND | StatusCode::GONE => (
                ErrorKind::NotFound,
                "there is no such repository, branch, tag or commit (any more), or it is private and needs a token",
            ),
            StatusCode::UNPROCESSABLE_ENTITY => (
                ErrorKind::NotFound,
                "there is no such branch, tag or commit",
            ),
            _ => (
                ErrorKind::Unavailable,
                "it does not answer as it should; it is tried again later",
            ),
        };
        let status = answer.status.as_u16();
        Error::new(
            kind,
            format!(
                "{}: {advice} (status {status}: {})",
                self.github,
                quoted(said.as_bytes())
            ),
        )
    }
}

/// Where a redirect leads.
fn redirect(from: &Uri, answer: &Answer) -> Result<Uri, Error> {
    let wrong = |why: &str| unavailable(answer.about(), why);
    let location = answer
        .header(LOCATION.as_str())
        .ok_or_else(|| wrong("it redirects to nowhere"))?;
    let target: Uri = location
        .parse()
        .map_err(|_| wrong("it redirects to what is no URL"))?;
    // A word alone would be taken for a host.
    if target.scheme().is_none() {
        if !location.starts_with('/') {
            return Err(wrong("it redirects to what is no whole URL"));
        }
        let mut parts = from.clone().into_parts();
        parts.path_and_query = target.into_parts().path_and_query;
        return Uri::from_parts(parts).map_err(|_| wrong("it redirects to what is no URL"));
    }
    match (from.scheme_str(), target.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) => Ok(target),
        _ => Err(wrong(
            "it redirects from https to something else, which is not followed",
        )),
    }
}

/// A reference in the path of a URL.
fn encode(reference: &str) -> String {
    let mut path = String::new();
    for byte in reference.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte))
            }
            _ => path += &format!("%{byte:02X}"),
        }
    }
    path
}

/// Makes a bundle of an archive as it comes.
async fn unpack(
    store: &Arc<Store>,
    folder: Option<BundlePath>,
    mut answer: Answer,
) -> Result<(Bundle, Revision), Error> {
    let tag = answer.header("etag").and_then(Revision::new);
    let most = store.limits().download_bytes;
    let (sender, receiver) = channel();
    let store = store.clone();
    let bundle = blocking(move |cancel| {
        let unpacked = unpacked_limit(store.limits());
        let mut archive = tar::Counted::new(MultiGzDecoder::new(receiver), unpacked);
        make(&store, folder.as_ref(), &mut archive, cancel)
    });
    let ((), made) = tokio::join!(sender.send_all(&mut answer, most), bundle);
    let (bundle, comment) = made?;
    let revision = tag.or_else(|| comment.as_deref().and_then(Revision::new));
    let revision = revision.unwrap_or_else(|| Revision::of_hash(&bundle.id().to_string()));
    Ok((bundle, revision))
}

fn unpacked_limit(limits: &Limits) -> u64 {
    let heads = (limits.files as u64).saturating_mul(ARCHIVE_ENTRY);
    limits.total_bytes.saturating_add(heads)
}

fn make(
    store: &Arc<Store>,
    folder: Option<&BundlePath>,
    archive: &mut dyn Read,
    cancel: &Cancel,
) -> Result<(Bundle, Option<String>), Error> {
    let mut writer = store.writer()?;
    let said = tar::read(
        archive,
        folder,
        &mut |path, contents| writer.add(path, contents, cancel),
        cancel,
    )?;
    Ok((writer.finish()?, said.comment))
}
