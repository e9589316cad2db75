//! What `ngx.exit(status)` is as a response.

use crate::body::{Kind, ResponseBody};
use crate::exchange::Exchange;
use crate::pages;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};

/// nginx closes the connection without a word for these.
const SILENT: [i64; 2] = [444, 499];

/// The response; `None` where what has been said is the response, or what is next in line makes one.
pub fn exited(exchange: &Exchange, code: i64) -> Option<Response<ResponseBody>> {
    if exchange.out.borrow().said {
        // A status that comes too late is in the log.
        return match code {
            300.. if !is_said(exchange, code) && code != 408 && !SILENT.contains(&code) => {
                super::complain(
                    exchange,
                    format_args!(
                        "attempt to set status {code} via ngx.exit after sending out the response status {}",
                        exchange
                            .out
                            .borrow()
                            .status
                            .unwrap_or(StatusCode::OK)
                            .as_u16()
                    ),
                );
                Some(said(exchange))
            }
            _ if code >= 200 || code == -1 => Some(said(exchange)),
            _ => None,
        };
    }
    if SILENT.contains(&code) {
        let mut response = Response::new(ResponseBody::None);
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        return Some(response);
    }
    let status = match code {
        -1 => StatusCode::INTERNAL_SERVER_ERROR,
        101 | 200.. => u16::try_from(code)
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok())?,
        _ => return None,
    };
    let mut out = exchange.out.borrow_mut();
    let mut response = match status.as_u16() {
        300.. => {
            let reason = status.canonical_reason().unwrap_or("");
            pages::text(status, format!("{} {reason}\n", status.as_u16()))
        }
        _ => {
            let mut response = Response::new(ResponseBody::Full(Bytes::new()));
            *response.status_mut() = out.status.unwrap_or(status);
            response
        }
    };
    for name in out.headers.keys() {
        response.headers_mut().remove(name);
    }
    response
        .headers_mut()
        .extend(std::mem::take(&mut out.headers));
    Some(response)
}

fn is_said(exchange: &Exchange, code: i64) -> bool {
    let status = exchange.out.borrow().status.unwrap_or(StatusCode::OK);
    i64::from(status.as_u16()) == code
}

/// What a script has said, as its response.
fn said(exchange: &Exchange) -> Response<ResponseBody> {
    let mut out = exchange.out.borrow_mut();
    let written = std::mem::take(&mut out.written);
    let mut response = Response::new(ResponseBody::Typed(written.into(), Kind::Text));
    *response.status_mut() = out.status.unwrap_or(StatusCode::OK);
    *response.headers_mut() = std::mem::take(&mut out.headers);
    response
}
