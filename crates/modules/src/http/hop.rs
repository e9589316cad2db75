//! One request of several that redirects make: what it sends, and what its response leads to.
//!
//! **Invariants.** What is for one server (credentials, cookies, `Host`) is not sent to another. A redirect never leads from https to http.

use super::auth::Auth;
use super::error::{Failure, Outcome};
use super::h1::Sent;
use super::head::{Fields, Head};
use super::request::{Body, Spec};
use super::url::Url;

/// The longest form that is signed, in bytes: that is one host call.
const MAX_SIGNED: usize = 1 << 20;

/// One request of several that redirects make.
pub struct Hop {
    /// The URL.
    pub url: Url,
    /// The method.
    pub method: String,
    /// The body.
    pub body: Body,
    count: u32,
}

impl Hop {
    /// The first one.
    pub fn first(spec: &Spec) -> Hop {
        Hop {
            url: spec.url.clone(),
            method: spec.method.clone(),
            body: spec.body.clone(),
            count: 0,
        }
    }

    /// Whether the response has no body, whatever it says.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether it may be sent again when nobody knows whether it has arrived.
    pub fn is_repeatable(&self) -> bool {
        let idempotent = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
        idempotent.contains(&&*self.method) && !matches!(self.body, Body::Source(_))
    }

    /// The length of the body, if it is known.
    pub fn length(&self) -> Option<u64> {
        match &self.body {
            Body::None => Some(0),
            Body::Text(text) => Some(text.len() as u64),
            Body::Source(length) => *length,
        }
    }

    /// The fields to send, those that frame the body apart.
    fn fields(&self, spec: &Spec) -> Outcome<Fields> {
        let is_home = self.url.same_origin(&spec.url);
        let has_body = !matches!(self.body, Body::None) || matches!(spec.body, Body::None);
        let kept = |name: &str| match name.to_ascii_lowercase().as_str() {
            "authorization" | "cookie" | "proxy-authorization" | "host" => is_home,
            "content-type" | "content-encoding" | "content-language" | "content-location" => {
                has_body
            }
            _ => true,
        };
        let mut fields: Fields = (spec.fields.iter())
            .filter(|(name, _)| kept(name))
            .cloned()
            .collect();
        if !has(&fields, "host") {
            fields.insert(0, ("host".to_owned(), self.url.authority().into_bytes()));
        }
        if let Some(auth) =
            (spec.auth.as_ref()).filter(|_| is_home && !has(&fields, "authorization"))
        {
            let form = match (auth, &self.body) {
                (Auth::OAuth1(_), Body::Text(text)) if spec.is_form => {
                    if text.len() > MAX_SIGNED {
                        return Err(Failure::new("a form longer than 1 MiB cannot be signed"));
                    }
                    Some(text.as_bytes())
                }
                _ => None,
            };
            let value = auth.header(&self.method, &self.url, form.as_deref());
            let value = value.map_err(|error| Failure::new(error.message()))?;
            fields.push(("authorization".to_owned(), value.into_bytes()));
        }
        Ok(fields)
    }

    /// Whether a request without a body says that it has none.
    fn says_empty(&self) -> bool {
        matches!(&*self.method, "POST" | "PUT" | "PATCH")
    }

    /// The head for HTTP/1.1, and how the body is framed.
    pub fn head_1_1(&self, spec: &Spec) -> Outcome<(Vec<u8>, Sent)> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.url.target).into_bytes();
        for (name, value) in self.fields(spec)? {
            for part in [name.as_bytes(), b": ", &value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        let sent = match self.length() {
            Some(length) => {
                if length > 0 || self.says_empty() || matches!(self.body, Body::Source(_)) {
                    head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
                }
                Sent::Length(length)
            }
            None => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\n");
                Sent::Chunked
            }
        };
        if spec.route.keep.time.is_zero()
            && !spec
                .fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("connection"))
        {
            head.extend_from_slice(b"connection: close\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok((head, sent))
    }

    /// The head for HTTP/2.
    pub fn head_2(&self, spec: &Spec) -> Outcome<http::Request<()>> {
        let mut authority = self.url.authority();
        let mut fields = http::HeaderMap::new();
        for (name, value) in self.fields(spec)? {
            match name.to_ascii_lowercase().as_str() {
                "host" => authority = String::from_utf8_lossy(&value).into_owned(),
                // They are of a connection of HTTP/1.1.
                "connection" => {}
                lower => {
                    let name =
                        http::HeaderName::from_bytes(lower.as_bytes()).map_err(Failure::new)?;
                    let value = http::HeaderValue::from_bytes(&value).map_err(Failure::new)?;
                    (fields.try_append(name, value)).map_err(Failure::new)?;
                }
            }
        }
        if let Some(length) = self
            .length()
            .filter(|length| *length > 0 || self.says_empty())
        {
            (fields.try_insert(http::header::CONTENT_LENGTH, length.into()))
                .map_err(Failure::new)?;
        }
        let uri = (http::Uri::builder())
            .scheme(self.url.scheme())
            .authority(authority)
            .path_and_query(&*self.url.target)
            .build()
            .map_err(|error| Failure::new(format!("the URL cannot be asked for: {error}")))?;
        let mut request = (http::Request::builder())
            .method(&*self.method)
            .uri(uri)
            .version(http::Version::HTTP_2)
            .body(())
            .map_err(Failure::new)?;
        *request.headers_mut() = fields;
        Ok(request)
    }

    /// What a response leads to; `None`: it is the last.
    pub fn next(&self, spec: &Spec, head: &Head) -> Outcome<Option<Hop>> {
        let is_redirect = matches!(head.status, 301 | 302 | 303 | 307 | 308);
        if !is_redirect || spec.redirects == 0 || !head.has("location") {
            return Ok(None);
        }
        let from = self.url.address();
        let Some(location) = head.only("location") else {
            return Err(Failure::new(format!("{from} sent two Location fields")));
        };
        if self.count >= spec.redirects {
            return Err(Failure::new(format!(
                "more than {} redirects",
                spec.redirects
            )));
        }
        let url = (self.url.join(location)).map_err(|why| {
            Failure::new(format!(
                "{from} sent a redirect that cannot be followed: {why}"
            ))
        })?;
        if self.url.secure && !url.secure {
            return Err(Failure::new(format!(
                "refused to follow a redirect from https to {url}"
            )));
        }
        if spec.route.socket.is_some() && !url.same_origin(&spec.url) {
            return Err(Failure::new(format!(
                "refused to follow a redirect from a unix socket to {url}"
            )));
        }
        let to_get = match head.status {
            301 | 302 => self.method == "POST",
            303 => !matches!(&*self.method, "GET" | "HEAD"),
            _ => false,
        };
        let (method, body) = match (to_get, &self.body) {
            (true, _) => ("GET".to_owned(), Body::None),
            (false, Body::Source(_)) => {
                return Err(Failure::new(format!(
                    "{from} redirects to {url}, but the body, which a function has given, cannot be sent again"
                )));
            }
            (false, body) => (self.method.clone(), body.clone()),
        };
        Ok(Some(Hop {
            url: Url { user: None, ..url },
            method,
            body,
            count: self.count + 1,
        }))
    }
}

/// How many bytes fields take.
pub fn size_of(fields: &Fields) -> usize {
    const EACH: usize = 64;
    (fields.iter())
        .map(|(name, value)| EACH + name.len() + value.len())
        .sum()
}

/// Whether there is a field of this name, in any case.
pub fn has(fields: &Fields, wanted: &str) -> bool {
    fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
}
