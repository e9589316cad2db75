//! Requests to a bucket: a page of its listing, an object.
//!
//! **Invariants.** Every request is signed if there are credentials. Errors have S3's own code in them and nothing of the signature. An
//! object is as long as was said.

use super::sign::{self, encode};
use super::xml::{self, Object, Page, Refusal};
use super::{Options, Style};
use crate::error::{Error, ErrorKind, quoted};
use crate::http::{Answer, Client, unavailable};
use crate::on_demand::Validator;
use crate::secret::Secret;
use http::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use http::{StatusCode, Uri};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest page of a listing, in bytes.
const MAX_PAGE: u64 = 8 << 20;
/// The longest refusal that is read, in bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// A bucket and how it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    options: Options,
    name: String,
    scheme: String,
    /// With a port, if there is one in the endpoint.
    host: String,
    /// What comes before a key, encoded, with a `/` at its end.
    base: String,
}

/// What asking for an object came to.
#[derive(Debug)]
pub(super) enum Got {
    Unchanged,
    Missing,
    Found {
        contents: Vec<u8>,
        validator: Validator,
    },
}

impl Bucket {
    pub fn new(client: Client, options: &Options, name: &str) -> Result<Bucket, Error> {
        let endpoint = options.endpoint();
        let wrong = || {
            Error::new(
                ErrorKind::Setup,
                format!(
                    "AWS_ENDPOINT_URL is \"{}\"; write http://HOST[:PORT] or https://HOST[:PORT]",
                    quoted(endpoint.as_bytes())
                ),
            )
        };
        let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong());
        }
        let folder = uri.path().trim_end_matches('/');
        let (host, base) = match options.style_for(name) {
            Style::VirtualHost => (format!("{name}.{authority}"), format!("{folder}/")),
            _ => (authority.to_string(), format!("{folder}/{name}/")),
        };
        Ok(Bucket {
            client,
            options: options.clone(),
            name: name.to_owned(),
            scheme: scheme.to_owned(),
            host,
            base,
        })
    }

    /// A page of the keys with this beginning.
    pub async fn page(&self, prefix: &str, token: Option<&str>) -> Result<Page, Error> {
        let mut query = vec![("list-type", "2"), ("prefix", prefix)];
        query.extend(token.map(|token| ("continuation-token", token)));
        let mut answer = self.get("", &query, &Validator::default()).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        let text = answer.bytes(MAX_PAGE).await?;
        xml::parse_page(&text)
            .ok_or_else(|| unavailable(answer.about(), "what it says is no listing"))
    }

    /// An object of at most `most` bytes, unless it is the one that is known.
    pub async fn object(&self, key: &str, known: &Validator, most: u64) -> Result<Got, Error> {
        let mut answer = self.get(key, &[], known).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if *known != Validator::default() => {
                return Ok(Got::Unchanged);
            }
            StatusCode::NOT_FOUND => {
                let (refusal, about) = read_refusal(answer).await;
                return match refusal.code.as_str() {
                    "NoSuchBucket" => Err(self.explain(StatusCode::NOT_FOUND, &refusal, &about)),
                    _ => Ok(Got::Missing),
                };
            }
            _ => return Err(self.refusal(answer).await),
        }
        let text = |name| {
            answer
                .header(name)
                .filter(|value| value.len() <= 256)
                .map(str::to_owned)
        };
        let validator = Validator {
            etag: text("etag"),
            modified: text("last-modified"),
        };
        let contents = answer.bytes(most).await?;
        Ok(Got::Found {
            contents,
            validator,
        })
    }

    /// The object of a listing, which must be the one that was listed.
    pub async fn listed(&self, object: &Object, most: u64) -> Result<Vec<u8>, Error> {
        let changed = |how: &str| {
            let key = quoted(object.key.as_bytes());
            Error::new(
                ErrorKind::Changed,
                format!("\"{key}\" is not what was listed: {how}; it is tried again later"),
            )
        };
        let most = object.size.map_or(most, |size| size.min(most));
        let got = self.object(&object.key, &Validator::default(), most).await;
        match got.map_err(|error| match error.kind() {
            ErrorKind::TooLarge => changed("it is larger"),
            _ => error,
        })? {
            Got::Found {
                contents,
                validator,
            } => {
                if object
                    .size
                    .is_some_and(|size| size != contents.len() as u64)
                {
                    return Err(changed(&format!("it has {} bytes", contents.len())));
                }
                let is_same =
                    object.etag.is_empty() || validator.etag.is_none_or(|etag| etag == object.etag);
                match is_same {
                    true => Ok(contents),
                    false => Err(changed("it has another entity tag")),
                }
            }
            _ => Err(changed("it is gone")),
        }
    }

    async fn get(
        &self,
        key: &str,
        query: &[(&str, &str)],
        known: &Validator,
    ) -> Result<Answer, Error> {
        let path = format!("{}{}", self.base, encode(key, true));
        let mut url = format!("{}://{}{path}", self.scheme, self.host);
        if !query.is_empty() {
            url = format!("{url}?{}", sign::query(query));
        }
        let odd = || {
            Error::new(
                ErrorKind::Setup,
                format!(
                    "the bucket {} cannot be asked: check AWS_ENDPOINT_URL and the credentials",
                    self.name
                ),
            )
        };
        let uri: Uri = url.parse().map_err(|_| odd())?;
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| -> Result<(), Error> {
            let mut value = HeaderValue::from_str(value).map_err(|_| odd())?;
            value.set_sensitive(name == AUTHORIZATION);
            headers.insert(name, value);
            Ok(())
        };
        set(HOST, &self.host)?;
        if let Some(etag) = &known.etag {
            set(IF_NONE_MATCH, etag)?;
        }
        if let Some(modified) = &known.modified {
            set(IF_MODIFIED_SINCE, modified)?;
        }
        if let Some(credentials) = &self.options.credentials {
            let time = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_secs());
            let request = sign::Request {
                region: &self.options.region,
                host: &self.host,
                path: &path,
                query,
                headers: &[],
                time,
            };
            set(
                HeaderName::from_static("x-amz-date"),
                &sign::timestamp(time),
            )?;
            set(HeaderName::from_static("x-amz-content-sha256"), sign::EMPTY)?;
            set(AUTHORIZATION, &sign::authorization(&request, credentials))?;
            if let Some(token) = credentials.session_token.as_ref().map(Secret::reveal) {
                set(HeaderName::from_static("x-amz-security-token"), token)?;
            }
        }
        self.client.get(&uri, headers).await
    }

    async fn refusal(&self, answer: Answer) -> Error {
        let status = answer.status;
        let (refusal, about) = read_refusal(answer).await;
        self.explain(status, &refusal, &about)
    }

    /// What a refusal means, and what to do.
    fn explain(&self, status: StatusCode, refusal: &Refusal, about: &str) -> Error {
        let code = refusal.code.as_str();
        let (kind, advice) = match (code, &refusal.region) {
            ("NoSuchBucket", _) => (ErrorKind::NotFound, format!("there is no bucket {}; check its name and AWS_ENDPOINT_URL", self.name)),
            (_, Some(region)) if *region != self.options.region && !status.is_success() => {
                (ErrorKind::Setup, format!("the bucket is in another region; set AWS_REGION to {}", quoted(region.as_bytes())))
            }
            ("RequestTimeTooSkewed", _) => (ErrorKind::Setup, "the clock of this machine is wrong; set it".to_owned()),
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken", _) => {
                (ErrorKind::Denied, "the credentials are not valid (any more); set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN".to_owned())
            }
            _ if matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => (ErrorKind::Denied, self.denied()),
            _ if status.is_redirection() => (ErrorKind::Setup, "the bucket is somewhere else; check AWS_REGION and AWS_ENDPOINT_URL".to_owned()),
            _ if status == StatusCode::NOT_FOUND => (ErrorKind::NotFound, "there is no such thing; check AWS_ENDPOINT_URL".to_owned()),
            _ => (ErrorKind::Unavailable, "it does not answer as it should; it is tried again later".to_owned()),
        };
        let said = quoted(format!("{code} {}", refusal.message).as_bytes());
        let said = match &self.options.credentials {
            Some(credentials) => credentials.redact(&said),
            None => said,
        };
        Error::new(
            kind,
            format!("{about}: {advice} (status {}: {said})", status.as_u16()),
        )
    }

    fn denied(&self) -> String {
        match self.options.credentials {
            Some(_) => format!(
                "access is denied; these credentials need s3:ListBucket and s3:GetObject for the bucket {}",
                self.name
            ),
            None => "access is denied; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        }
    }
}

/// What S3 says, as far as it can be read, and of what.
async fn read_refusal(mut answer: Answer) -> (Refusal, String) {
    let region = answer.header("x-amz-bucket-region").map(str::to_owned);
    let text = answer.bytes(MAX_REFUSAL).await.unwrap_or_default();
    let mut refusal = xml::parse_refusal(&text);
    refusal.region = refusal.region.or(region);
    (refusal, answer.about().to_owned())
}
