//! What answers the requests of a connection.
//!
//! ```text
//! call: host -> app -> route -> exchange -> pipeline::start --ended--> respond      (no task, no box)
//!                                               |
//!                                               +--running--> Waiting: a future in the connection's task,
//!                                                             moved to its own when the head goes out early
//! ```
//!
//! **Invariants.** Every request gets exactly one response, or its connection is cut after a head
//! that promised more. What a connection remembers of its last request is only which app its host meant, in one fleet.

use crate::body::ResponseBody;
use crate::exchange::{Arrived, Exchange, Source};
use crate::filter;
use crate::fleet::{Fleet, Served, Slot};
use crate::head::Head;
use crate::hosts::AppIndex;
use crate::http1;
use crate::pages;
use crate::pipeline;
use crate::statics;
use crate::tls::Session;
use crate::upgrade;
use crate::worker::Worker;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use rille_runtime::route::Match;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// Bytes a script may have said before a wait of its sends them.
const POSTPONED: usize = 1460;

/// What answers the requests of a connection.
pub struct ConnectionService {
    /// The worker.
    pub worker: Rc<Worker>,
    /// Its client.
    pub peer: SocketAddr,
    /// The address it has connected to.
    pub local: SocketAddr,
    /// How it is secured.
    pub tls: Option<Rc<Session>>,
    /// The last host and what it meant: a connection hardly ever changes it.
    pub last_host: RefCell<LastHost>,
}

/// What a connection remembers of its last request.
#[derive(Default)]
pub struct LastHost {
    host: Box<[u8]>,
    app: Option<AppIndex>,
    /// Of the fleet in which it meant that.
    epoch: u64,
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
    pub fn call(&self, head: Head, body: Source) -> Answer {
        match self.answer(head, body) {
            Ok(answer) => answer,
            Err(response) => Answer::Ready(Some(*response)),
        }
    }

    /// `Err` is a response of the server's own.
    fn answer(
        &self,
        head: Head,
        body: Source,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let fleet = self.worker.fleet();
        let Some(app) = self.app_of(&fleet, &head) else {
            let names = fleet.app_names();
            return Err(Box::new(pages::no_app(
                head.authority(),
                self.peer,
                self.origin(),
                head.path(),
                &names,
            )));
        };
        let served = match fleet.slot(app) {
            Slot::Live(served) => served.clone(),
            slot => {
                let name = slot.name();
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
            Match::Found(target, params) => (target, pipeline::owned(params)),
            Match::MethodNotAllowed(allowed) => {
                return Err(Box::new(pages::method_not_allowed(allowed)));
            }
            Match::NotFound => return static_file(&served, &head.method, head.path()),
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
        let arrived = Arrived {
            head,
            peer: self.peer,
            local: self.local,
            tls: self.tls.clone(),
            body,
            served,
            worker: self.worker.clone(),
            started: Instant::now(),
        };
        Ok(pipeline::start(Exchange::begin(arrived, params), target))
    }

    /// The scheme and the port that the client has used.
    fn origin(&self) -> (&'static str, u16) {
        let scheme = match self.tls {
            Some(_) => "https",
            None => "http",
        };
        (scheme, self.local.port())
    }

    fn app_of(&self, fleet: &Fleet, head: &Head) -> Option<AppIndex> {
        let mut last = self.last_host.borrow_mut();
        let host = head.authority_bytes();
        if *last.host != *host || last.app.is_none() || last.epoch != fleet.epoch() {
            *last = LastHost {
                host: host.into(),
                app: fleet.find(head.authority()),
                epoch: fleet.epoch(),
            };
        }
        last.app
    }
}

/// No handler answers the path; a file in `public` may.
pub fn static_file(
    served: &Served,
    method: &Method,
    path: &[u8],
) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
    let app = served.vm.app();
    let nothing = pages::error(
        StatusCode::NOT_FOUND,
        &format!(
            "app '{}' has nothing at {}",
            app.name(),
            path.escape_ascii()
        ),
    );
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Box::new(nothing));
    }
    let Some(file) = app
        .public
        .as_ref()
        .and_then(|public| statics::path_of(public, path))
    else {
        return Err(Box::new(nothing));
    };
    Ok(Answer::waiting(None, statics::serve(file, nothing)))
}

impl Answer {
    /// What `work` gives; when the head of `exchange` goes out before, that.
    pub fn waiting(
        exchange: Option<Rc<Exchange>>,
        work: impl Future<Output = Response<ResponseBody>> + 'static,
    ) -> Answer {
        Answer::Waiting(Waiting {
            exchange,
            work: Some(Box::pin(work)),
        })
    }
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

impl http1::Answer for Answer {
    fn written(&mut self) {
        if let Answer::Waiting(Waiting {
            exchange: Some(exchange),
            ..
        }) = self
        {
            filter::log(exchange);
        }
    }

    fn is_cut(&self) -> bool {
        match self {
            Answer::Waiting(Waiting {
                exchange: Some(exchange),
                ..
            }) => exchange.served.vm.is_cut(),
            _ => false,
        }
    }

    fn gone(&mut self) -> bool {
        match self {
            Answer::Waiting(Waiting {
                exchange: Some(exchange),
                ..
            }) => upgrade::client_gone(exchange),
            _ => false,
        }
    }
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        loop {
            let polled = match &mut self.work {
                Some(work) => work.as_mut().poll(cx),
                None => return Poll::Pending,
            };
            let Some(exchange) = &self.exchange else {
                return polled;
            };
            if polled.is_pending() && exchange.out.borrow().said {
                exchange.push(POSTPONED);
            }
            // The head may have been handed over in the very slice that ended the script.
            let head = exchange.started_response.borrow_mut().take();
            match (polled, head) {
                (Poll::Ready(response), None) => return Poll::Ready(response),
                (polled, Some(head)) => {
                    if let (Poll::Pending, Some(work)) = (polled, self.work.take()) {
                        tokio::task::spawn_local(follow(exchange.clone(), work));
                    }
                    if !filter::is_wanted(exchange) {
                        return Poll::Ready(*head);
                    }
                    self.work = Some(Box::pin(filter::stream(exchange.clone(), *head)));
                }
                (Poll::Pending, None) => {
                    exchange.head_waker.borrow_mut().replace(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

/// A script goes on by itself when its head is out; it ends early if the client leaves before its `ngx.eof`.
async fn follow(
    exchange: Rc<Exchange>,
    mut work: Pin<Box<dyn Future<Output = Response<ResponseBody>>>>,
) {
    let stream = exchange.out.borrow().stream.clone();
    let run = poll_fn(|cx| {
        let polled = work.as_mut().poll(cx).map(drop);
        let (said, ended) = {
            let out = exchange.out.borrow();
            (out.said, out.ended)
        };
        match polled {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if ended => Poll::Ready(false),
            Poll::Pending => {
                if said {
                    exchange.push(POSTPONED);
                }
                Poll::Pending
            }
        }
    });
    let has_ended = match stream {
        None => run.await,
        Some(stream) => {
            let mut run = std::pin::pin!(run);
            tokio::select! {
                has_ended = &mut run => has_ended,
                () = stream.closed() => match upgrade::client_gone(&exchange) {
                    true => run.await,
                    false => return,
                },
            }
        }
    };
    if !has_ended {
        work.await;
    }
}
