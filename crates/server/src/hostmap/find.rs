//! The way of a request to a host of the bucket when something has to be found out first: who the host is, what answers the path.
//!
//! ```text
//! purge? -- $cb? -- edition (rille.toml, init.lua) -- route, or PATH/index.lua, PATH.lua -- VM --> pipeline::start
//!                                                         |
//!                                                         +-- public/PATH --> its bytes
//! ```
//! **Invariant:** a host of which nothing was found leaves nothing behind.

use super::site::Site;
use super::tenants::Tenants;
use super::{Shared, has_cb, host, locate, purge};
use crate::body::ResponseBody;
use crate::exchange::Source;
use crate::head::Head;
use crate::service::{Answer, Here};
use crate::{pages, pipeline, statics};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Method, Response, StatusCode};
use rille_runtime::app::files_for;
use rille_runtime::late::{Failure, Why};
use rille_runtime::route::percent_decode;
use rille_store::on_demand::Freshness;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What answers a request, or `otherwise`.
pub async fn tenant(
    here: Here,
    head: Head,
    body: Source,
    otherwise: Response<ResponseBody>,
) -> Answer {
    let tenants = here.worker.tenants().cloned();
    let (Some(host), Some(tenants)) = (host::name(here.host(&head)), tenants) else {
        return Answer::Ready(Some(otherwise));
    };
    match find(here, &tenants, &host, head, body).await {
        Ok(answer) => answer,
        Err(response) => Answer::Ready(Some(*response)),
    }
}

async fn find(
    here: Here,
    tenants: &Rc<Tenants>,
    host: &str,
    head: Head,
    body: Source,
) -> Result<Answer, Box<Response<ResponseBody>>> {
    let shared = tenants.shared();
    if purge::is_meant(&head)
        && let Some(asked) = purge::read(&tenants.map, host, &head)?
    {
        return Ok(Answer::Ready(Some(
            purge::answer(&tenants.map, asked).await,
        )));
    }
    let site = shared.site(host);
    let failed = |failure: Failure| {
        shared.complain(&format_args!("{host}: {failure}"));
        Box::new(failed(&failure))
    };
    if head.query().is_some_and(has_cb) && may_bypass(shared, &site) {
        let asked = shared.bypass(&site, head.path()).await;
        asked.map_err(failed)?;
    }
    let edition = shared.edition(&site).await.map_err(failed)?;
    let routed = pipeline::look_up(&edition.app, &head.method, head.path())?;
    let found = routed.is_none();
    let route = match routed {
        Some(route) => Some(route),
        None => {
            let found = locate(&edition.app, head.path()).await.map_err(failed)?;
            found.map(|target| (target, Vec::new()))
        }
    };
    if route.is_some() || edition.is_something() {
        site.keep(shared, &edition);
    }
    let Some((target, params)) = route else {
        let file = static_file(shared, &site, &head).await.map_err(failed)?;
        return Ok(Answer::Ready(Some(file)));
    };
    let opened = tenants.open(&site, &edition).await;
    let (_, live) = opened.map_err(|failure| Box::new(self::failed(&failure)))?;
    // Its time begins here: what was waited for is none of its own.
    let started = Instant::now();
    if !Arc::ptr_eq(live.served.vm.app(), &edition.app) {
        // A newer edition was faster; its routes are others.
        let found = locate(live.served.vm.app(), head.path()).await;
        let Some(target) = found.map_err(failed)? else {
            return Err(Box::new(nothing(host, &head)));
        };
        return here.start(live.served.clone(), (target, params), (head, body), started);
    }
    if found {
        live.learn(head.path(), target);
    }
    here.start(live.served.clone(), (target, params), (head, body), started)
}

/// Whether the app of a host is in debug, or the operator lets everybody.
fn may_bypass(shared: &Shared, site: &Site) -> bool {
    let is_debug = || (site.current()).is_some_and(|edition| edition.app.manifest.debug);
    shared.settings.bypass || is_debug()
}

fn nothing(host: &str, head: &Head) -> Response<ResponseBody> {
    let why = format!("'{host}' has nothing at {}", head.path().escape_ascii());
    pages::error(StatusCode::NOT_FOUND, &why)
}

/// The response to what kept a file from coming.
pub fn failed(failure: &Failure) -> Response<ResponseBody> {
    let (status, why) = match failure.why {
        Why::Denied => (
            StatusCode::FORBIDDEN,
            "the source of this host does not let us see it",
        ),
        Why::Unavailable => (
            StatusCode::BAD_GATEWAY,
            "the source of this host does not answer as it should",
        ),
        Why::Late => (
            StatusCode::GATEWAY_TIMEOUT,
            "the source of this host does not answer",
        ),
        Why::Limit => (StatusCode::SERVICE_UNAVAILABLE, failure.message.as_str()),
    };
    pages::error(status, why)
}

/// A file below `public`, whose path has no hidden part.
async fn static_file(
    shared: &Arc<Shared>,
    site: &Arc<Site>,
    head: &Head,
) -> Result<Response<ResponseBody>, Failure> {
    let nothing = nothing(&site.host, head);
    // What cannot be the path of a handler for its characters is none of a file either.
    let is_plain = !files_for(head.path()).is_empty();
    if !is_plain || !matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(nothing);
    }
    let decoded = percent_decode(head.path());
    let mut path = String::from_utf8_lossy(&decoded).into_owned();
    if path.ends_with('/') {
        path.push_str("index.html");
    }
    let path = format!("public/{}", path.trim_start_matches('/'));
    let (known, file, asked) = (shared.clone(), path.clone(), site.clone());
    let found = shared
        .run(async move { asked.file(&known, &file, Freshness::Cached).await })
        .await?;
    let Some(found) = found else {
        return Ok(nothing);
    };
    let etag = format!("\"{}\"", found.hash);
    let is_known = head.first(&IF_NONE_MATCH).is_some_and(|tags| {
        let mut tags = tags.split(|byte| *byte == b',');
        tags.any(|tag| {
            matches!(tag.trim_ascii(), b"*") || tag.trim_ascii().ends_with(etag.as_bytes())
        })
    });
    let mut response = Response::new(ResponseBody::Full(Bytes::new()));
    match is_known {
        true => *response.status_mut() = StatusCode::NOT_MODIFIED,
        false => {
            *response.body_mut() = ResponseBody::Full(Bytes::copy_from_slice(&found.contents));
            let kind = statics::content_type(Path::new(&path));
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}
