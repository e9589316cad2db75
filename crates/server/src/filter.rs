//! What a route does with its response: `header_filter`, `body_filter`, `log`.
//!
//! **Invariants.** The header filter runs once, before any byte of the response goes out; the body filter once for each piece, in their order, the last
//! time with `ngx.arg[2]` true. A failed filter cuts the response off, or is a 500 if nothing is out. The log runs when the response has been
//! written, or could not be.

use crate::body::{Cut, ResponseBody, name_type};
use crate::exchange::{Beside, Exchange, Phase};
use crate::finish::{failed, inner_failure, log_failure};
use crate::pipeline::run_file;
use bytes::Bytes;
use http::Response;
use rille_runtime::app::Phases;
use rille_runtime::coroutine::{End, Failure};
use rille_runtime::route::FileId;
use std::rc::Rc;
use tokio::sync::mpsc;

/// The phases of the route that answers.
fn phases<R>(exchange: &Exchange, f: impl FnOnce(&Phases) -> R) -> Option<R> {
    let app = exchange.served.vm.app();
    app.target(exchange.target.get()).phases.as_deref().map(f)
}

/// Whether a response has to go through filters.
pub fn is_wanted(exchange: &Exchange) -> bool {
    phases(exchange, |phases| {
        phases.header_filter.is_some() || phases.body_filter.is_some()
    })
    .unwrap_or(false)
}

/// Runs the file of a filter. `Err`: it failed.
async fn run(exchange: &Rc<Exchange>, phase: Phase, file: FileId) -> Result<(), Failure> {
    let context = Beside::new(exchange.clone(), phase);
    match run_file(&exchange.served, context, file).await {
        Ok(End::Done(_) | End::Exited) => Ok(()),
        Ok(End::Failed(failure)) => Err(failure),
        Err(error) => Err(inner_failure(&error)),
    }
}

/// The header filter: what it sets is in the response.
async fn head(
    exchange: &Rc<Exchange>,
    response: &mut Response<ResponseBody>,
) -> Result<(), (FileId, Failure)> {
    let Some(file) = phases(exchange, |phases| phases.header_filter).flatten() else {
        return Ok(());
    };
    {
        let mut out = exchange.out.borrow_mut();
        out.status = Some(response.status());
        out.headers = std::mem::take(response.headers_mut());
    }
    let result = run(exchange, Phase::HeaderFilter, file).await;
    let mut out = exchange.out.borrow_mut();
    if let Some(status) = out.status {
        *response.status_mut() = status;
    }
    *response.headers_mut() = std::mem::take(&mut out.headers);
    result.map_err(|failure| (file, failure))
}

/// The body filter on one piece.
async fn piece(exchange: &Rc<Exchange>, data: Bytes, last: bool) -> Result<(Bytes, bool), Failure> {
    let Some(file) = phases(exchange, |phases| phases.body_filter).flatten() else {
        return Ok((data, last));
    };
    *exchange.ngx.arg.borrow_mut() = (data, last);
    run(exchange, Phase::BodyFilter, file).await?;
    Ok(exchange.ngx.arg.take())
}

/// A whole response through the filters.
pub async fn whole(
    exchange: &Rc<Exchange>,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    if !is_wanted(exchange) {
        return response;
    }
    name_type(&mut response);
    if let Err((file, failure)) = head(exchange, &mut response).await {
        return failed(exchange, file, &failure);
    }
    match std::mem::replace(response.body_mut(), ResponseBody::Full(Bytes::new())) {
        ResponseBody::None => *response.body_mut() = ResponseBody::None,
        ResponseBody::Full(data) | ResponseBody::Typed(data, _) => {
            match piece(exchange, data, true).await {
                Ok((data, _)) => *response.body_mut() = ResponseBody::Full(data),
                Err(failure) => return failed(exchange, body_file(exchange), &failure),
            }
        }
        // A static file.
        ResponseBody::Stream(pieces, _) => {
            *response.body_mut() = forward(exchange.clone(), pieces);
        }
    }
    response
}

/// A streamed response, whose head is about to go out, through the filters.
pub async fn stream(
    exchange: Rc<Exchange>,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    if let Err((file, failure)) = head(&exchange, &mut response).await {
        // Its script finds that nobody takes its pieces.
        return failed(&exchange, file, &failure);
    }
    if let ResponseBody::Stream(pieces, _) =
        std::mem::replace(response.body_mut(), ResponseBody::Full(Bytes::new()))
    {
        *response.body_mut() = forward(exchange, pieces);
    }
    response
}

fn body_file(exchange: &Exchange) -> FileId {
    let app = exchange.served.vm.app();
    let target = app.target(exchange.target.get());
    let phases = target.phases.as_deref();
    (phases.and_then(|phases| phases.body_filter)).unwrap_or(target.content)
}

/// Pieces as the body filter makes them. Their length is not known before.
fn forward(exchange: Rc<Exchange>, mut pieces: mpsc::Receiver<crate::body::Piece>) -> ResponseBody {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_local(async move {
        loop {
            let (data, last) = match pieces.recv().await {
                Some(Ok(data)) => (data, false),
                None => (Bytes::new(), true),
                Some(Err(Cut)) => {
                    let _ = sender.send(Err(Cut)).await;
                    return;
                }
            };
            let (data, ended) = match piece(&exchange, data, last).await {
                Ok(filtered) => filtered,
                Err(failure) => {
                    log_failure(&exchange, body_file(&exchange), &failure);
                    let _ = sender.send(Err(Cut)).await;
                    return;
                }
            };
            if !data.is_empty() && sender.send(Ok(data)).await.is_err() {
                return;
            }
            if last || ended {
                return;
            }
        }
    });
    ResponseBody::Stream(receiver, None)
}

/// The response has been written, or could not be.
pub fn log(exchange: &Rc<Exchange>) {
    let Some(file) = phases(exchange, |phases| phases.log).flatten() else {
        return;
    };
    let exchange = exchange.clone();
    tokio::task::spawn_local(async move {
        let _background = exchange.served.vm.in_background();
        if let Err(failure) = run(&exchange, Phase::Log, file).await {
            log_failure(&exchange, file, &failure);
        }
    });
}
