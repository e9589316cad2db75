//! Files of an app's `public` folder.
//!
//! **Invariant:** what is sent lies under `public` after every link is resolved; hidden files are not
//! sent. A file is read off the worker's thread, and a large one piece by piece, as fast as
//! the client takes it.

use crate::body::{Cut, Piece, ResponseBody};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LAST_MODIFIED};
use http::{Response, StatusCode};
use rille_runtime::route::percent_decode;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Read and sent at once.
const PIECE: usize = 256 << 10;

/// A file that may be there.
pub struct Candidate {
    public: PathBuf,
    path: PathBuf,
}

/// The file a URL path means; `None` if it cannot be the name of one that may be sent.
pub fn path_of(public: &Path, path: &[u8]) -> Option<Candidate> {
    let decoded = percent_decode(path);
    let decoded = std::str::from_utf8(&decoded).ok()?;
    let mut file = public.to_owned();
    let mut last = "";
    for part in decoded.trim_start_matches('/').split('/') {
        let hidden = part.starts_with('.');
        if hidden
            || part.contains(['\0', '\\'])
            || (part.is_empty() && !last.is_empty() && !decoded.ends_with('/'))
        {
            return None;
        }
        file.push(part);
        last = part;
    }
    if last.is_empty() {
        file.push("index.html");
    }
    Some(Candidate {
        public: public.to_owned(),
        path: file,
    })
}

/// The file's content, or `otherwise` if there is none.
pub async fn serve(file: Candidate, otherwise: Response<ResponseBody>) -> Response<ResponseBody> {
    let kind = content_type(&file.path);
    let opened = tokio::task::spawn_blocking(move || open(&file)).await;
    let Ok(Ok((mut file, length, modified))) = opened else {
        return otherwise;
    };
    let mut response = Response::new(ResponseBody::Full(Bytes::new()));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if let Some(modified) = modified {
        response.headers_mut().insert(LAST_MODIFIED, modified);
    }
    if length <= PIECE as u64 {
        let read = tokio::task::spawn_blocking(move || read_piece(&mut file)).await;
        let Ok(Ok(bytes)) = read else {
            return crate::pages::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the file could not be read",
            );
        };
        *response.body_mut() = ResponseBody::Full(bytes);
        return response;
    }
    let (sender, receiver) = mpsc::channel::<Piece>(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let piece = read_piece(&mut file).map_err(|_| Cut);
            let last = !matches!(&piece, Ok(bytes) if !bytes.is_empty());
            if matches!(&piece, Ok(bytes) if bytes.is_empty())
                || sender.blocking_send(piece).is_err()
                || last
            {
                break;
            }
        }
    });
    *response.body_mut() = ResponseBody::Stream(receiver, Some(length));
    response
}

fn open(candidate: &Candidate) -> io::Result<(File, u64, Option<HeaderValue>)> {
    let root = candidate.public.canonicalize()?;
    let path = candidate.path.canonicalize()?;
    if !path.starts_with(&root) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let modified = metadata.modified().ok().map(httpdate::fmt_http_date);
    Ok((
        file,
        metadata.len(),
        modified.and_then(|date| HeaderValue::from_str(&date).ok()),
    ))
}

/// The next piece; empty at the end.
fn read_piece(file: &mut File) -> io::Result<Bytes> {
    let mut piece = Vec::new();
    file.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

/// What a file is, by its name.
pub fn content_type(path: &Path) -> HeaderValue {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or("")
        .to_ascii_lowercase();
    HeaderValue::from_static(match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> Option<String> {
        path_of(Path::new("/p"), url.as_bytes())
            .map(|candidate| candidate.path.display().to_string())
    }

    #[test]
    fn urls_stay_inside() {
        assert_eq!(path("/a/b.css").as_deref(), Some("/p/a/b.css"));
        assert_eq!(path("/a%20b.txt").as_deref(), Some("/p/a b.txt"));
        assert_eq!(path("/").as_deref(), Some("/p/index.html"));
        assert_eq!(path("/docs/").as_deref(), Some("/p/docs/index.html"));
        for bad in [
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/.git/config",
            "/a%00b",
            "/a\\b",
            "/%2e%2e%2fx",
            "/a//b",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_out_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let public = dir.path().join("public");
        std::fs::create_dir(&public).unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::fs::write(public.join("open.txt"), "o").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), public.join("link.txt")).unwrap();
        assert!(open(&path_of(&public, b"/open.txt").unwrap()).is_ok());
        assert!(open(&path_of(&public, b"/link.txt").unwrap()).is_err());
        assert!(open(&path_of(&public, b"/missing").unwrap()).is_err());
    }
}
