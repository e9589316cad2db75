//! `POST /__purge/PATH?type=file|folder`, and `/purgecache/PATH` and `/purge/PATH`: the caches forget what they have of a path of the request's host.
//!
//! **Invariants.** Nothing is forgotten without the token, and how long a wrong one takes says nothing about the right one. The second and third
//! spelling belong to the host's own app unless the token is right.

use super::{HostMap, Purge};
use crate::body::ResponseBody;
use crate::delivery::{Code, Refusal};
use crate::head::Head;
use crate::pages;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};
use rille_runtime::route::percent_decode;

impl crate::admin::Purge for HostMap {
    fn purge(&self, app: &str, path: Option<&str>, is_folder: bool) -> Option<Result<(), Refusal>> {
        let what = match path.is_none() || is_folder {
            true => Purge::Folder,
            false => Purge::File,
        };
        let purged = HostMap::purge(self, app, path.unwrap_or_default(), what);
        Some(purged.map_err(|why| Refusal::new(Code::BadRequest, why)))
    }
}

/// The spellings, and whether each is always ours.
const PREFIXES: [(&[u8], bool); 3] = [
    (b"/__purge/", true),
    (b"/purgecache/", false),
    (b"/purge/", false),
];

/// What a request asks to be purged.
pub struct Asked {
    host: Box<str>,
    path: String,
    what: Purge,
}

/// Whether a request is to be looked at by [`read`]. Cheap.
pub fn is_meant(head: &Head) -> bool {
    head.method == Method::POST
        && PREFIXES
            .iter()
            .any(|(prefix, _)| head.path().starts_with(prefix))
}

/// What a request asks for. None: it is the app's; the error is the response.
pub fn read(
    map: &HostMap,
    host: &str,
    head: &Head,
) -> Result<Option<Asked>, Box<Response<ResponseBody>>> {
    let found = PREFIXES
        .iter()
        .find_map(|(prefix, ours)| Some((head.path().strip_prefix(*prefix)?, *ours)));
    let Some((path, is_ours)) = found else {
        return Ok(None);
    };
    if !is_allowed(map, head) {
        return match is_ours {
            true => Err(Box::new(refused(map))),
            false => Ok(None),
        };
    }
    let wrong = |why: &str| Box::new(pages::error(StatusCode::BAD_REQUEST, why));
    let path = String::from_utf8(percent_decode(path).into_owned());
    let path = path.map_err(|_| wrong("the path is not UTF-8"))?;
    let kind = head
        .query()
        .into_iter()
        .flat_map(|query| query.split(|byte| *byte == b'&'));
    let mut what = Purge::File;
    for parameter in kind {
        match parameter {
            b"type=file" => what = Purge::File,
            b"type=folder" => what = Purge::Folder,
            other if other.starts_with(b"type=") => {
                return Err(wrong("type is file or folder"));
            }
            _ => {}
        }
    }
    Ok(Some(Asked {
        host: host.into(),
        path,
        what,
    }))
}

/// Does it, where waiting for the disk does no harm.
pub async fn answer(map: &HostMap, asked: Asked) -> Response<ResponseBody> {
    let (map, shown) = (map.clone(), format!("{}/{}", asked.host, asked.path));
    let purged =
        tokio::task::spawn_blocking(move || map.purge(&asked.host, &asked.path, asked.what));
    match purged.await {
        Ok(Ok(())) => pages::text(StatusCode::OK, format!("purged {shown}\n")),
        Ok(Err(why)) => pages::error(StatusCode::BAD_REQUEST, &why),
        Err(_) => pages::error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
    }
}

fn refused(map: &HostMap) -> Response<ResponseBody> {
    if map.0.settings.token.is_none() {
        let why = "this server has no token, so nobody may purge; set RILLE_TOKEN";
        return pages::error(StatusCode::FORBIDDEN, why);
    }
    let why = "purging needs the token, as Authorization: Bearer TOKEN";
    let mut response = pages::error(StatusCode::UNAUTHORIZED, why);
    let challenge = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

fn is_allowed(map: &HostMap, head: &Head) -> bool {
    let Some(token) = &map.0.settings.token else {
        return false;
    };
    token.is_in(head.first(&AUTHORIZATION).unwrap_or_default())
}
