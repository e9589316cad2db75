//! What answers the requests of a connection.
//!
//! ```text
//! call: host -> app -> rule, or route -> exchange -> pipeline::start --ended--> Edged: respond      (no task, no box)
//!                                                             |
//!                                                             +--running--> Waiting: a future in the connection's task,
//!                                                                           moved to its own when the head goes out early
//! ```
//!
//! **Invariants.** Every request gets exactly one response, or its connection is cut after a head
//! that promised more. What a connection remembers of its last request is only which app its host meant, in one fleet.

use crate::body::ResponseBody;
use crate::edge::accept::Accepts;
use crate::edge::access::{Record, Upstream};
use crate::edge::forwarded::{self, Forwarded};
use crate::edge::{compress, rules};
use crate::exchange::{Arrived, Exchange, Source};
use crate::filter;
use crate::fleet::{Fleet, Served, Slot};
use crate::head::Head;
use crate::hostmap::tenants::Tenant;
use crate::hostmap::{self, find, purge};
use crate::hosts::AppIndex;
use crate::http1;
use crate::pages;
use crate::pipeline::{self, Route};
use crate::statics;
use crate::tls::Session;
use crate::upgrade;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{Method, Response, StatusCode};
use std::cell::{OnceCell, RefCell};
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
    meant: Meant,
    /// Of the fleet in which it meant that.
    epoch: u64,
}

/// What a host means.
#[derive(Clone, Default)]
enum Meant {
    /// Nothing, as far as is known.
    #[default]
    Nobody,
    /// An app of the fleet.
    App(AppIndex),
    /// A host of the bucket that has been asked for before.
    Tenant(Rc<Tenant>),
}

/// A response, now or later.
pub enum Answer {
    /// Now.
    Ready(Option<Response<ResponseBody>>),
    /// Later.
    Waiting(Waiting),
    /// What answers is found out first.
    Finding(Pin<Box<dyn Future<Output = Answer>>>),
}

/// A request that has not ended yet.
pub struct Waiting {
    /// None for what no script answers.
    exchange: Option<Rc<Exchange>>,
    work: Option<Pin<Box<dyn Future<Output = Response<ResponseBody>>>>>,
}

impl ConnectionService {
    /// Answers a request.
    pub fn call(&self, head: Head, body: Source) -> Edged {
        let edge = &self.worker.edge;
        if let Some(at) = &edge.health_at
            && let Some(response) = edge.health.answer(at.as_bytes(), head.path())
        {
            return Edged::from(Answer::Ready(Some(response)));
        }
        let forwarded = match &edge.trust {
            Some(trust) => trust.read(self.peer, &head).map(Rc::new),
            None => None,
        };
        let mut around = Around {
            found: None,
            accepts: Accepts::of(head.all(&ACCEPT_ENCODING)),
            is_head: head.method == Method::HEAD,
            served: None,
            record: None,
            forwarded,
        };
        if let Some(access) = &edge.access {
            let client = around.client(self, &head);
            let client = (around.address(self).ip(), client.host, client.scheme);
            around.record = Some(Record::begin(access, &head, client));
            around.found = Some(Rc::default());
        }
        let answer = match self.answer(head, body, &mut around) {
            Ok(answer) => answer,
            Err(response) => Answer::Ready(Some(*response)),
        };
        around.wrap(answer)
    }

    /// `Err` is a response of the server's own.
    fn answer(
        &self,
        head: Head,
        body: Source,
        around: &mut Around,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let fleet = self.worker.fleet();
        let app = match self.meant(&fleet, &head, around) {
            Meant::App(app) => app,
            Meant::Tenant(tenant) => return self.answer_tenant(&tenant, head, body, around),
            Meant::Nobody if self.worker.tenants().is_some() => {
                return Ok(self.find_tenant(head, body, around));
            }
            Meant::Nobody => return Err(Box::new(self.no_app(&fleet, &head, around))),
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
        around.answers(&served);
        if !app.rules.is_empty()
            && let Some((rule, params)) = app.rules.find(head.method.as_str(), head.path())
        {
            let client = around.client(self, &head);
            return rules::answer(&served, rule, &params, &client, (&head, body));
        }
        let Some(route) = pipeline::look_up(&app, &head.method, head.path())? else {
            return static_file(&served, &head.method, head.path());
        };
        self.here(around)
            .start(served, route, (head, body), Instant::now())
    }

    /// No app answers.
    fn no_app(&self, fleet: &Fleet, head: &Head, around: &Around) -> Response<ResponseBody> {
        let names = fleet.app_names();
        pages::no_app(
            around.host(head),
            around.address(self),
            self.origin(),
            head.path(),
            &names,
        )
    }

    fn here(&self, around: &Around) -> Here {
        Here {
            worker: self.worker.clone(),
            peer: around.address(self),
            local: self.local,
            tls: self.tls.clone(),
            forwarded: around.forwarded.clone(),
            found: around.found.clone(),
        }
    }

    /// A host of the bucket answers at once if it knows the path.
    fn answer_tenant(
        &self,
        tenant: &Rc<Tenant>,
        head: Head,
        body: Source,
        around: &mut Around,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let now = Instant::now();
        let is_special = purge::is_meant(&head) || head.query().is_some_and(hostmap::has_cb);
        let tenants = self.worker.tenants().filter(|_| !is_special);
        let Some(live) = tenants.and_then(|tenants| tenants.ready(tenant, now)) else {
            return Ok(self.find_tenant(head, body, around));
        };
        // A path that is known is one that no route of the manifest matches, whatever the method.
        let route = match live.route(head.path()) {
            Some(target) => (target, Vec::new()),
            None => match pipeline::look_up(live.served.vm.app(), &head.method, head.path())? {
                Some(route) => route,
                None => return Ok(self.find_tenant(head, body, around)),
            },
        };
        around.answers(&live.served);
        self.here(around)
            .start(live.served.clone(), route, (head, body), now)
    }

    /// Finds out what answers, if anything does.
    fn find_tenant(&self, head: Head, body: Source, around: &mut Around) -> Answer {
        let fleet = self.worker.fleet();
        let otherwise = self.no_app(&fleet, &head, around);
        around.found = Some(Rc::default());
        let here = self.here(around);
        Answer::Finding(Box::pin(find::tenant(here, head, body, otherwise)))
    }

    /// The scheme and the port that the client has used.
    fn origin(&self) -> (&'static str, u16) {
        (
            forwarded::scheme(None, self.tls.is_some()),
            self.local.port(),
        )
    }

    fn meant(&self, fleet: &Fleet, head: &Head, around: &Around) -> Meant {
        let mut last = self.last_host.borrow_mut();
        let said = (around.forwarded.as_deref()).and_then(|it| it.host.as_deref());
        let host = said.map_or_else(|| head.authority_bytes(), str::as_bytes);
        let is_known = !matches!(last.meant, Meant::Nobody);
        if *last.host != *host || !is_known || last.epoch != fleet.epoch() {
            *last = LastHost {
                host: host.into(),
                meant: self.look_up(fleet, around.host(head)),
                epoch: fleet.epoch(),
            };
        }
        last.meant.clone()
    }

    fn look_up(&self, fleet: &Fleet, host: &str) -> Meant {
        let Some(tenants) = self.worker.tenants() else {
            return fleet.find(host).map_or(Meant::Nobody, Meant::App);
        };
        if let Some(app) = fleet.find_named(host) {
            return Meant::App(app);
        }
        let tenant = hostmap::host::name(host).and_then(|host| tenants.find(&host));
        tenant.map_or(Meant::Nobody, Meant::Tenant)
    }
}

/// Where a request has come in.
pub struct Here {
    /// The worker.
    pub worker: Rc<Worker>,
    peer: SocketAddr,
    local: SocketAddr,
    tls: Option<Rc<Session>>,
    forwarded: Option<Rc<Forwarded>>,
    /// Where its exchange is put, for those who note what it has used.
    found: Option<Found>,
}

/// The exchange of a request whose answer had to be found out first.
type Found = Rc<OnceCell<Rc<Exchange>>>;

impl Here {
    /// The name of the host that the client has asked for, as far as it is known.
    pub fn host<'a>(&'a self, head: &'a Head) -> &'a str {
        forwarded::host(self.forwarded.as_deref(), head)
    }

    /// Starts a request that arrived at a time on its route.
    pub fn start(
        self,
        served: Rc<Served>,
        (target, params): Route,
        (head, body): (Head, Source),
        started: Instant,
    ) -> std::result::Result<Answer, Box<Response<ResponseBody>>> {
        let limit = served.vm.app().manifest.limits.body;
        if head.declared_length().is_some_and(|length| length > limit) {
            let why = format!(
                "the body is over the limit of {}",
                rille_runtime::units::show_size(limit)
            );
            return Err(Box::new(pages::error(StatusCode::PAYLOAD_TOO_LARGE, &why)));
        }
        let arrived = Arrived {
            head,
            peer: self.peer,
            local: self.local,
            tls: self.tls,
            forwarded: self.forwarded,
            body,
            served,
            worker: self.worker,
            started,
        };
        let exchange = Exchange::begin(arrived, params);
        if let Some(found) = self.found {
            let _ = found.set(exchange.clone());
        }
        Ok(pipeline::start(exchange, target))
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

    /// The exchange of a script that did not end at once.
    fn waits(&self) -> Option<&Rc<Exchange>> {
        match self {
            Answer::Waiting(waiting) => waiting.exchange.as_ref(),
            _ => None,
        }
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
            Answer::Finding(finding) => match finding.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(found) => {
                    *self = found;
                    self.poll(cx)
                }
            },
        }
    }
}

/// What is around the answer of one request.
#[derive(Default)]
struct Around {
    /// The exchange, when it is there and somebody wants to know.
    found: Option<Found>,
    accepts: Accepts,
    is_head: bool,
    /// Whose rules of compression hold.
    served: Option<Rc<Served>>,
    record: Option<Box<Record>>,
    forwarded: Option<Rc<Forwarded>>,
}

impl Around {
    /// The client, as far as it is known.
    fn address(&self, service: &ConnectionService) -> SocketAddr {
        let forwarded = self.forwarded.as_ref();
        forwarded.map_or(service.peer, |forwarded| forwarded.client)
    }

    fn client<'a>(&'a self, service: &ConnectionService, head: &'a Head) -> rules::Client<'a> {
        let forwarded = self.forwarded.as_deref();
        rules::Client {
            peer: service.peer,
            scheme: forwarded::scheme(forwarded, service.tls.is_some()),
            host: self.host(head),
            forwarded,
        }
    }

    fn host<'a>(&'a self, head: &'a Head) -> &'a str {
        forwarded::host(self.forwarded.as_deref(), head)
    }

    /// An app answers.
    fn answers(&mut self, served: &Rc<Served>) {
        if let Some(record) = &mut self.record {
            record.note(|entry| entry.app = served.vm.app().name().into());
        }
        self.served = Some(served.clone());
    }

    /// Once for each response.
    fn finish(&mut self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        if let Some(exchange) = self.found.take().and_then(|found| found.get().cloned()) {
            if self.served.is_none() {
                self.answers(&exchange.served);
            }
            if let Some(record) = &mut self.record {
                record.is_of(&exchange);
            }
        }
        if let Some(record) = &mut self.record {
            record.note(|entry| {
                entry.status = response.status().as_u16();
                entry.upstream = response
                    .extensions()
                    .get()
                    .map(|upstream: &Upstream| upstream.0);
            });
        }
        match &self.served {
            Some(served) => {
                let rules = &served.vm.app().manifest.compression;
                compress::response(self.accepts, rules, self.is_head, response)
            }
            None => response,
        }
    }

    fn wrap(mut self, mut answer: Answer) -> Edged {
        if let Answer::Ready(response) = &mut answer
            && let Some(ready) = response.take()
        {
            answer = Answer::Ready(Some(self.finish(ready)));
        }
        Edged {
            answer,
            around: self,
        }
    }
}

/// A response as it leaves the edge: compressed, and noted.
pub struct Edged {
    answer: Answer,
    around: Around,
}

impl From<Answer> for Edged {
    fn from(answer: Answer) -> Edged {
        Edged {
            answer,
            around: Around::default(),
        }
    }
}

impl Future for Edged {
    type Output = Response<ResponseBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let is_ready = matches!(self.answer, Answer::Ready(_));
        let response = std::task::ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(match is_ready {
            true => response,
            false => self.around.finish(response),
        })
    }
}

impl http1::Answer for Edged {
    fn written(&mut self, bytes: u64) {
        if let Some(record) = &mut self.around.record {
            record.sent(bytes);
        }
        if let Some(exchange) = self.answer.waits() {
            exchange.sent.set(bytes);
            filter::log(exchange);
        }
    }

    fn is_cut(&self) -> bool {
        (self.answer.waits()).is_some_and(|exchange| exchange.served.vm.is_cut())
    }

    fn gone(&mut self) -> bool {
        self.answer.waits().is_some_and(upgrade::client_gone)
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
