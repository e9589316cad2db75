//! A request's way through the server.
//!
//! ```text
//! call: host -> app -> route -> exchange -> AppVm::start --ended--> respond      (no task, no box)
//!                                               |
//!                                               +--running--> Waiting: a future in the connection's task,
//!                                                             moved to its own when the head goes out early
//! ```
//!
//! **Invariants.** Every request gets exactly one response, or its connection is cut after a head
//! that promised more. A failure is logged in one line and told to the client without the inside of
//! the app. What a connection remembers of its last request is only which app its host meant.

use crate::body::ResponseBody;
use crate::conn::{Conn, Phase};
use crate::exchange::{BodySource, Exchange, Outgoing};
use crate::finish::{end_stream, finish, inner_failure};
use crate::handler::{Next, Stage, begin};
use crate::hosts::AppIndex;
use crate::pages;
use crate::statics;
use crate::worker::{Served, Slot, Worker};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use rille_runtime::coroutine::{End, Started};
use rille_runtime::route::{FileId, Match};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// What hyper calls for each request of a connection.
pub struct ConnectionService {
    /// The worker.
    pub worker: Rc<Worker>,
    /// The connection.
    pub conn: Rc<Conn>,
    /// Its client.
    pub peer: SocketAddr,
    /// The last host and what it meant: a connection hardly ever changes it.
    pub last_host: RefCell<(Box<str>, Option<AppIndex>)>,
}

/// A response, now or later.
pub enum Answer {
    /// Now.
    Ready(Option<Response<ResponseBody>>, Rc<Conn>),
    /// Later.
    Waiting(Waiting),
}

/// A request that has not ended yet.
pub struct Waiting {
    conn: Rc<Conn>,
    /// None for what no script answers.
    exchange: Option<Rc<Exchange>>,
    work: Option<Pin<Box<dyn Future<Output = Response<ResponseBody>>>>>,
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.conn.enter(Phase::Busy);
        let (parts, body) = request.into_parts();
        match self.answer(parts, body) {
            Ok(answer) => answer,
            Err(response) => Answer::Ready(Some(*response), self.conn.clone()),
        }
    }
}

impl ConnectionService {
    /// `Err` is a response of the server's own.
    fn answer(
        &self,
        parts: Parts,
        body: Incoming,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let host = host_of(&parts);
        let Some(app) = self.app_of(host) else {
            let names = self.worker.app_names();
            return Err(Box::new(pages::no_app(
                host,
                self.peer,
                self.worker.port,
                parts.uri.path(),
                &names,
            )));
        };
        let served = match self.worker.slot(app) {
            Slot::Live(served) => served.clone(),
            Slot::Broken(name) => {
                let why =
                    format!("the app '{name}' could not be loaded; the server's log says why");
                return Err(Box::new(pages::error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &why,
                )));
            }
        };
        let app = served.vm.app().clone();
        let limits = &app.manifest.limits;
        let (target, params) = match app
            .router
            .find(parts.method.as_str(), parts.uri.path().as_bytes())
        {
            Match::Found(target, params) => (
                target,
                params
                    .into_iter()
                    .map(|(name, value)| (name.into(), value))
                    .collect(),
            ),
            Match::MethodNotAllowed(allowed) => {
                return Err(Box::new(pages::method_not_allowed(allowed)));
            }
            Match::NotFound => return self.static_file(&served, &parts),
        };
        if declared_length(&parts).is_some_and(|length| length > limits.body) {
            let why = format!(
                "the body is over the limit of {}",
                rille_runtime::units::show_size(limits.body)
            );
            return Err(Box::new(pages::error(StatusCode::PAYLOAD_TOO_LARGE, &why)));
        }
        let exchange = Rc::new(Exchange {
            parts,
            peer: self.peer,
            port: self.worker.port,
            params,
            number: self.worker.next_number(),
            started: Instant::now(),
            body: RefCell::new(BodySource::Incoming(body)),
            buffered: RefCell::default(),
            received: Default::default(),
            body_limit: limits.body,
            room: served.room.clone(),
            held: Default::default(),
            body_error: Default::default(),
            out: RefCell::new(Outgoing::default()),
            head: RefCell::default(),
            head_waker: RefCell::default(),
            fields: RefCell::default(),
            conn: self.conn.clone(),
            cpu: Default::default(),
        });
        Ok(self.run(served, exchange, target))
    }

    fn app_of(&self, host: &str) -> Option<AppIndex> {
        let mut last = self.last_host.borrow_mut();
        if *last.0 != *host || last.1.is_none() {
            *last = (host.into(), self.worker.hosts.find(host));
        }
        last.1
    }

    /// No handler answers the path; a file in `public` may.
    fn static_file(
        &self,
        served: &Served,
        parts: &Parts,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let app = served.vm.app();
        let nothing = pages::error(
            StatusCode::NOT_FOUND,
            &format!(
                "app '{}' has nothing at {}",
                app.name(),
                parts.uri.path().escape_default()
            ),
        );
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Box::new(nothing));
        }
        let Some(file) = app
            .public
            .as_ref()
            .and_then(|public| statics::path_of(public, parts.uri.path()))
        else {
            return Err(Box::new(nothing));
        };
        let conn = self.conn.clone();
        let work = statics::serve(file, conn.clone(), nothing);
        Ok(Answer::Waiting(Waiting {
            conn,
            exchange: None,
            work: Some(Box::pin(work)),
        }))
    }

    /// Starts the handler. When it ends in its first slice the response is ready.
    fn run(&self, served: Rc<Served>, exchange: Rc<Exchange>, target: FileId) -> Answer {
        let ready = |response| Answer::Ready(Some(response), self.conn.clone());
        let mut next = served.first_stage(target).map(Next::Stage);
        loop {
            let stage = match next {
                Ok(Next::Stage(stage)) => stage,
                Ok(Next::Answer(response)) => return ready(response),
                Ok(Next::Done(returned)) => {
                    return ready(finish(&served, &exchange, target, Ok(returned)));
                }
                Err(error) => {
                    return ready(finish(
                        &served,
                        &exchange,
                        target,
                        Err(inner_failure(&error)),
                    ));
                }
            };
            match begin(&served, &exchange, &stage) {
                Ok(Started::Ended(End::Done(values))) if !exchange.committed() => {
                    next = served.next_stage(target, &exchange, stage, values);
                }
                Ok(started) => {
                    let work = serve(served, exchange.clone(), target, stage, started);
                    let conn = self.conn.clone();
                    return Answer::Waiting(Waiting {
                        conn,
                        exchange: Some(exchange),
                        work: Some(Box::pin(work)),
                    });
                }
                Err(error) => next = Err(error),
            }
        }
    }
}

/// Follows a request through its stages to its response.
async fn serve(
    served: Rc<Served>,
    exchange: Rc<Exchange>,
    target: FileId,
    mut stage: Stage,
    mut started: Started,
) -> Response<ResponseBody> {
    let result = loop {
        let values = match started.end().await {
            End::Done(values) => values,
            End::Failed(failure) => break Err(failure),
        };
        let next = match served.next_stage(target, &exchange, stage, values) {
            Ok(Next::Answer(response)) => return response,
            Ok(Next::Stage(next)) => next,
            Ok(Next::Done(returned)) => break Ok(returned),
            Err(error) => break Err(inner_failure(&error)),
        };
        stage = next;
        started = match begin(&served, &exchange, &stage) {
            Ok(started) => started,
            Err(error) => break Err(inner_failure(&error)),
        };
    };
    if exchange.committed() {
        return end_stream(&served, &exchange, target, result).await;
    }
    finish(&served, &exchange, target, result)
}

impl Future for Answer {
    type Output = std::result::Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answer::Ready(response, conn) => {
                conn.enter(Phase::Idle);
                let response = response.take();
                Poll::Ready(Ok(
                    response.unwrap_or_else(|| Response::new(ResponseBody::Full(Bytes::new())))
                ))
            }
            Answer::Waiting(waiting) => waiting.poll(cx).map(Ok),
        }
    }
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        let polled = match &mut self.work {
            Some(work) => work.as_mut().poll(cx),
            None => return Poll::Pending,
        };
        // The head may have been handed over in the very slice that ended the script.
        let head = self
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.head.borrow_mut().take());
        match (polled, head) {
            (Poll::Ready(_), Some(head)) => Poll::Ready(head),
            (Poll::Ready(response), None) => {
                if matches!(response.body(), ResponseBody::Full(_)) {
                    self.conn.enter(Phase::Idle);
                }
                Poll::Ready(response)
            }
            (Poll::Pending, Some(head)) => {
                // The script goes on by itself; it ends early if the client leaves.
                let stream = self
                    .exchange
                    .as_ref()
                    .and_then(|exchange| exchange.out.borrow().stream.clone());
                if let (Some(work), Some(stream)) = (self.work.take(), stream) {
                    tokio::task::spawn_local(async move {
                        tokio::select! {
                            _ = work => {}
                            () = stream.closed() => {}
                        }
                    });
                }
                Poll::Ready(head)
            }
            (Poll::Pending, None) => {
                if let Some(exchange) = &self.exchange {
                    exchange.head_waker.borrow_mut().replace(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// The host a request names: the `Host` header, or an absolute URI's.
pub fn host_of(parts: &Parts) -> &str {
    match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or(""),
    }
}

fn declared_length(parts: &Parts) -> Option<u64> {
    parts
        .headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
