//! How a request ends: its response, or what went wrong, told once in the log and once to the client.
//!
//! **Invariant:** a failure is one line in the log, with app, file and line; the client is told its kind,
//! and more only by an app in debug.

use crate::body::{Cut, ResponseBody};
use crate::exchange::Exchange;
use crate::pages;
use crate::reply::{self, Returned};
use bytes::Bytes;
use http::{Response, StatusCode};
use rille_lua::StopReason;
use rille_runtime::coroutine::Failure;
use rille_runtime::route::FileId;
use std::rc::Rc;

/// An error outside of any script: making a coroutine, reading what was returned.
pub fn inner_failure(error: &rille_lua::Error) -> Failure {
    Failure::Script {
        message: error.message(),
        traceback: String::new(),
    }
}

/// The response of a request that has ended.
pub fn finish(
    exchange: &Rc<Exchange>,
    target: FileId,
    result: Result<Returned, Failure>,
) -> Response<ResponseBody> {
    let served = &exchange.served;
    let failure = match result {
        Ok(returned) => match reply::respond(exchange, returned) {
            Ok(response) => return response,
            Err(error) => {
                let path = &served.vm.app().file(target).path;
                Failure::Script {
                    message: format!("{path}: {}", error.message()),
                    traceback: String::new(),
                }
            }
        },
        Err(failure) => failure,
    };
    failed(exchange, target, &failure)
}

/// One line in the log, and what the client is told.
pub fn failed(exchange: &Exchange, target: FileId, failure: &Failure) -> Response<ResponseBody> {
    let served = &exchange.served;
    let debug = served.vm.app().manifest.debug;
    if let (Failure::Script { .. }, Some(error)) = (failure, exchange.body_error.get()) {
        return pages::error(error.status(), error.message());
    }
    log_failure(exchange, target, failure);
    match failure {
        Failure::Script { message, traceback } => match debug {
            true => pages::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("{message}\n{traceback}"),
            ),
            false => pages::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the handler failed; the server's log says why (or set debug = true in rille.toml)",
            ),
        },
        Failure::Memory { .. } => {
            pages::error(StatusCode::SERVICE_UNAVAILABLE, "the app is out of memory")
        }
        Failure::Stopped { limit, .. } => pages::error(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("stopped: {limit} reached"),
        ),
    }
}

/// One line in the log.
pub fn log_failure(exchange: &Exchange, target: FileId, failure: &Failure) {
    let served = &exchange.served;
    if matches!(
        failure,
        Failure::Stopped {
            reason: StopReason::Killed,
            ..
        }
    ) {
        return;
    }
    let request = exchange.describe();
    let text = failure.to_string();
    // An error that is not a string has no position: name the handler at least.
    let path = &served.vm.app().file(target).path;
    match failure {
        Failure::Script { message, .. }
            if !message.contains(".lua:") && !message.contains(&**path) =>
        {
            served
                .vm
                .log()
                .server(format_args!("{path}: {text} ({request})"));
        }
        _ => served.vm.log().server(format_args!("{text} ({request})")),
    }
}

/// Ends a response whose head is out. The value goes to nobody: the connection has its response.
pub async fn end_stream(
    exchange: &Rc<Exchange>,
    target: FileId,
    result: Result<Returned, Failure>,
) -> Response<ResponseBody> {
    // The head that a header filter is working on is not the one that is made here.
    let (status, headers) = {
        let mut out = exchange.out.borrow_mut();
        (out.status, std::mem::take(&mut out.headers))
    };
    let result = result.and_then(|returned| {
        reply::respond(exchange, returned).map_err(|error| inner_failure(&error))
    });
    {
        let mut out = exchange.out.borrow_mut();
        out.status = status;
        out.headers = headers;
    }
    let last = match result {
        Ok(response) => match response.into_body() {
            ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => Ok(bytes),
            ResponseBody::Stream(..) | ResponseBody::None => Ok(Bytes::new()),
        },
        Err(failure) => {
            log_failure(exchange, target, &failure);
            Err(Cut)
        }
    };
    exchange.end_stream(last).await;
    Response::new(ResponseBody::Full(Bytes::new()))
}
