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
use crate::exchange::{Exchange, Outgoing};
use crate::finish::{end_stream, finish, inner_failure};
use crate::handler::{Next, Stage, begin};
use crate::hosts::AppIndex;
use crate::http1::{Body, Head};
use crate::pages;
use crate::statics;
use crate::worker::{Served, Slot, Worker};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use rille_runtime::coroutine::{End, Started};
use rille_runtime::route::{FileId, Match};
use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// What answers the requests of a connection.
pub struct ConnectionService {
    /// The worker.
    pub worker: Rc<Worker>,
    /// Its client.
    pub peer: SocketAddr,
    /// The last host and what it meant: a connection hardly ever changes it.
    pub last_host: RefCell<(Box<str>, Option<AppIndex>)>,
}

/// A response, now or later.
pub enum Answer {
    /// Now.
    Ready(Option<Response<ResponseBody>>),
    /// Later.
    Waiting(Waiting),
}

/// A request that has not ended yet.
pub struct Waiting {
    /// None for what no script answers.
    exchange: Option<Rc<Exchange>>,
    work: Option<Pin<Box<dyn Future<Output = Response<ResponseBody>>>>>,
}

impl ConnectionService {
    /// Answers a request.
    pub fn call(&self, head: Head, body: Body) -> Answer {
        match self.answer(head, body) {
            Ok(answer) => answer,
            Err(response) => Answer::Ready(Some(*response)),
        }
    }

    /// `Err` is a response of the server's own.
    fn answer(
        &self,
        head: Head,
        body: Body,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let host = head.authority();
        let Some(app) = self.app_of(host) else {
            let names = self.worker.app_names();
            return Err(Box::new(pages::no_app(
                host,
                self.peer,
                self.worker.port,
                head.path(),
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
        let (target, params) = match app.router.find(head.method.as_str(), head.path()) {
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
            Match::NotFound => return self.static_file(&served, &head),
        };
        if head
            .declared_length()
            .is_some_and(|length| length > limits.body)
        {
            let why = format!(
                "the body is over the limit of {}",
                rille_runtime::units::show_size(limits.body)
            );
            return Err(Box::new(pages::error(StatusCode::PAYLOAD_TOO_LARGE, &why)));
        }
        let exchange = Rc::new(Exchange {
            head,
            peer: self.peer,
            port: self.worker.port,
            params,
            number: self.worker.next_number(),
            started: Instant::now(),
            body,
            reading: Default::default(),
            buffered: RefCell::default(),
            received: Default::default(),
            body_limit: limits.body,
            room: served.room.clone(),
            held: Default::default(),
            body_error: Default::default(),
            out: RefCell::new(Outgoing::default()),
            started_response: RefCell::default(),
            head_waker: RefCell::default(),
            fields: RefCell::default(),
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
        head: &Head,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let app = served.vm.app();
        let nothing = pages::error(
            StatusCode::NOT_FOUND,
            &format!(
                "app '{}' has nothing at {}",
                app.name(),
                head.path().escape_ascii()
            ),
        );
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return Err(Box::new(nothing));
        }
        let Some(file) = app
            .public
            .as_ref()
            .and_then(|public| statics::path_of(public, head.path()))
        else {
            return Err(Box::new(nothing));
        };
        let work = statics::serve(file, nothing);
        Ok(Answer::Waiting(Waiting {
            exchange: None,
            work: Some(Box::pin(work)),
        }))
    }

    /// Starts the handler. When it ends in its first slice the response is ready.
    fn run(&self, served: Rc<Served>, exchange: Rc<Exchange>, target: FileId) -> Answer {
        let ready = |response| Answer::Ready(Some(response));
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
                    return Answer::Waiting(Waiting {
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
    type Output = Response<ResponseBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answer::Ready(response) => {
                let response = response.take();
                Poll::Ready(
                    response.unwrap_or_else(|| Response::new(ResponseBody::Full(Bytes::new()))),
                )
            }
            Answer::Waiting(waiting) => waiting.poll(cx),
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
            .and_then(|exchange| exchange.started_response.borrow_mut().take());
        match (polled, head) {
            (Poll::Ready(_), Some(head)) => Poll::Ready(head),
            (Poll::Ready(response), None) => Poll::Ready(response),
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
