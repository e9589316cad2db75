//! The admin API: HTTP and JSON on an address of its own.
//!
//! ```text
//!   wire.rs (connections) --> Admin::answer: token or signature, route, body --> an endpoint --> delivery, deployer, logs
//! ```
//! `openapi.json` describes it; a test holds it to [`ROUTES`].
//!
//! **Invariants.** Nothing but `/health` is answered without the token, which a browser does not send by itself; a webhook may be signed instead. It runs on a
//! thread that is no worker's, and what waits is on threads that may. Whatever is refused is
//! `{"error": {"code": ..., "message": ...}}`.

mod endpoints;
mod follow;
pub mod logs;
mod route;
mod token;
mod wire;

pub use route::{Endpoint, ROUTES};
pub use token::{FILE as TOKEN_FILE, MIN_TOKEN, Token};

use crate::delivery::{Code, Delivery, Refusal};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Request, Response, StatusCode};
use logs::Logs;
use route::{Match, Params, find};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use wire::Body;

/// The most bytes of a request's body.
pub const MAX_BODY: usize = 64 << 10;
/// The most bytes of a webhook's.
pub const MAX_HOOK: usize = 1 << 20;
/// Where GitHub has its signature.
const SIGNATURE: &str = "x-hub-signature-256";

/// Purges what is fetched on demand. It may wait.
pub trait Purge: Send + Sync {
    /// Forgets a file of an app's source, or a folder with all below it; all of it without a path. `None`: the app is not fetched on demand.
    fn purge(&self, app: &str, path: Option<&str>, is_folder: bool) -> Option<Result<(), Refusal>>;
}

/// What the API is about.
pub struct Admin {
    delivery: Delivery,
    token: Token,
    logs: Arc<Logs>,
    purge: Option<Arc<dyn Purge>>,
}

/// Binds the address. Port 0 takes a free one.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Admin {
    /// For whoever has the token.
    pub fn new(
        delivery: Delivery,
        token: Token,
        logs: Arc<Logs>,
        purge: Option<Arc<dyn Purge>>,
    ) -> Arc<Admin> {
        Arc::new(Admin {
            delivery,
            token,
            logs,
            purge,
        })
    }

    /// Answers on this runtime until it is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        wire::serve(listener, move |request| {
            let admin = self.clone();
            async move { admin.answer(request).await }
        })
        .await;
        Ok(())
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match self.try_answer(request).await {
            Ok(response) => response,
            Err(refusal) => refuse(&refusal),
        }
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let found = find(head.method.as_str(), path);
        if let Match::Found(Endpoint::Health, _) = found {
            return Ok(good(&json!({"status": "ok"})));
        }
        let header = head.headers.get(AUTHORIZATION);
        let has_token = header.is_some_and(|value| self.token.is_in(value.as_bytes()));
        let signature = head.headers.get(SIGNATURE).map(HeaderValue::as_bytes);
        if let (false, Some(signature), Match::Found(Endpoint::Hook, params)) =
            (has_token, signature, &found)
        {
            let body = read(body, MAX_HOOK).await?;
            return match self.token.has_signed(&params.name, &body, signature) {
                true => self.call(Endpoint::Hook, params, "", &body).await,
                false => Err(Refusal::new(
                    Code::Unauthorized,
                    "the signature is wrong: the webhook's secret is the one that rille hook NAME prints",
                )),
            };
        }
        if !has_token {
            return Err(Refusal::new(
                Code::Unauthorized,
                "the token is missing or wrong: send Authorization: Bearer and the token, which is in admin-token in the server's state folder or in its RILLE_TOKEN",
            ));
        }
        match found {
            Match::Found(endpoint, params) => {
                let most = match endpoint {
                    Endpoint::Hook => MAX_HOOK,
                    _ => MAX_BODY,
                };
                let body = read(body, most).await?;
                let query = head.uri.query().unwrap_or_default();
                self.call(endpoint, &params, query, &body).await
            }
            Match::Method(allowed) => {
                let refusal = Refusal::new(
                    Code::MethodNotAllowed,
                    format!("{path} takes {allowed} only"),
                );
                let mut response = refuse(&refusal);
                if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                    response.headers_mut().insert(ALLOW, allowed);
                }
                Ok(response)
            }
            Match::None => Err(Refusal::new(
                Code::NotFound,
                format!("there is no {path}; /openapi.json says what there is"),
            )),
        }
    }

    async fn call(
        self: &Arc<Self>,
        endpoint: Endpoint,
        params: &Params,
        query: &str,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        endpoints::call(self, endpoint, params, query, body).await
    }
}

/// Reads a body, which is short.
async fn read(body: Incoming, most: usize) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, most).collect();
    match tokio::time::timeout(wire::BODY, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::new(
            Code::BodyTooLarge,
            format!("the body is larger than {most} bytes"),
        )),
        Ok(Err(_)) => Err(Refusal::new(Code::BadRequest, "the body is not whole")),
        Err(_) => Err(Refusal::new(
            Code::RequestTimeout,
            "the body did not come in time",
        )),
    }
}

fn respond(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn of_json(status: u16, value: &Value) -> Response<Body> {
    let text = Bytes::from(format!("{value}\n"));
    respond(status, "application/json", Body::Whole(Some(text)))
}

fn good(value: &Value) -> Response<Body> {
    of_json(200, value)
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let error = json!({"code": refusal.code.name(), "message": refusal.message});
    let mut response = of_json(refusal.code.status(), &json!({ "error": error }));
    if refusal.code == Code::Unauthorized {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}

/// What is written to those who follow a log that says nothing, so that a connection that is gone is noticed.
const QUIET: Duration = Duration::from_secs(15);
