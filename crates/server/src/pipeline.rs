//! A request's way through the phases of its route, to its response.
//!
//! ```text
//!   rewrite --> access --> content --> header_filter --> body_filter --> (written) --> log
//!      ^__________|___________|   ngx.exec and set_uri with a jump: another route, at most MAX_JUMPS times
//! ```
//!
//! **Invariants.** A phase begins when the one before has ended with all its light threads. A request without phases whose handler ends in
//! its first slice is answered without a task and without a box. `exchange.ending` is taken here and nowhere else.

use crate::body::ResponseBody;
use crate::exchange::{Ending, Exchange, Phase};
use crate::filter;
use crate::finish::{end_stream, failed, finish, inner_failure};
use crate::fleet::Served;
use crate::handler::{Next, Stage, begin};
use crate::hostmap;
use crate::ngx::status;
use crate::pages;
use crate::reply::Returned;
use crate::service::{Answer, static_file};
use crate::upgrade;
use http::{Method, Response, StatusCode};
use rille_runtime::app::App;
use rille_runtime::coroutine::{End, Started};
use rille_runtime::light::end_of_all;
use rille_runtime::route::{FileId, Match, Params, TargetId};
use rille_runtime::vm::Context;
use std::future::Future;
use std::rc::Rc;
use std::time::Instant;

/// How often a request may go to another route.
pub const MAX_JUMPS: u32 = 10;

/// What a phase leads to.
enum Flow {
    /// What comes next.
    On,
    /// Another route.
    Jump { fresh: bool, to: Option<TargetId> },
    /// The response.
    Response(Box<Response<ResponseBody>>),
}

/// Route parameters that outlive the router's own.
pub fn owned(params: Params<'_>) -> Vec<(Box<str>, Vec<u8>)> {
    let params = params.into_iter();
    params.map(|(name, value)| (name.into(), value)).collect()
}

/// A route, and the parameters in its path.
pub type Route = (TargetId, Vec<(Box<str>, Vec<u8>)>);

/// The route of an app's router; `None` if none is for the path. The error is the response to a wrong method.
pub fn look_up(
    app: &App,
    method: &Method,
    path: &[u8],
) -> Result<Option<Route>, Box<Response<ResponseBody>>> {
    match app.router.find(method.as_str(), path) {
        Match::Found(target, params) => Ok(Some((target, owned(params)))),
        Match::MethodNotAllowed(allowed) => Err(Box::new(pages::method_not_allowed(allowed))),
        Match::NotFound => Ok(None),
    }
}

/// Starts a request on the way of its route.
pub fn start(exchange: Rc<Exchange>, target: TargetId) -> Answer {
    let app = exchange.served.vm.app().clone();
    let route = app.target(target);
    exchange.target.set(target);
    if route.phases.is_some() {
        return Answer::waiting(Some(exchange.clone()), run(exchange, target, None));
    }
    let ready = |response| Answer::Ready(Some(response));
    let mut next = exchange.served.first_stage(route.content).map(Next::Stage);
    let mut since = Some(exchange.started);
    loop {
        let stage = match next {
            Ok(Next::Stage(stage)) => stage,
            Ok(Next::Answer(response)) => return ready(response),
            Ok(Next::Done(returned)) => {
                return ready(finish(&exchange, route.content, Ok(returned)));
            }
            Err(error) => {
                let failure = Err(inner_failure(&error));
                return ready(finish(&exchange, route.content, failure));
            }
        };
        let since = since.take().unwrap_or_else(Instant::now);
        match begin(&exchange.served, exchange.clone(), &stage, since) {
            Ok(Started::Ended(End::Done(values))) if is_quiet(&exchange) => {
                next = exchange
                    .served
                    .next_stage(route.content, &exchange, stage, values);
            }
            Ok(started) => {
                let work = run(exchange.clone(), target, Some((stage, started)));
                return Answer::waiting(Some(exchange), work);
            }
            Err(error) => next = Err(error),
        }
    }
}

/// Whether nothing of the request is under way.
fn is_quiet(exchange: &Exchange) -> bool {
    !exchange.committed() && exchange.threads.alive() == 0 && !exchange.has_exited()
}

/// Follows a request to its response. `begun`: its content is being made already.
///
/// PERF: requests that wait have this in a box: what is seldom waited for is in boxes of its own, so that this one is below the size up to which the
/// allocator keeps what it is given back.
#[expect(
    clippy::manual_async_fn,
    reason = "an async function keeps its arguments twice"
)]
fn run(
    exchange: Rc<Exchange>,
    mut target: TargetId,
    mut begun: Option<(Stage, Started)>,
) -> impl Future<Output = Response<ResponseBody>> {
    async move {
        let mut jumps = 0;
        let mut response = loop {
            exchange.target.set(target);
            let (fresh, to) = match route(&exchange, target, &mut begun).await {
                Flow::Response(response) => break *response,
                Flow::Jump { fresh, to } => (fresh, to),
                Flow::On => (false, None),
            };
            if jumps == MAX_JUMPS {
                let log = exchange.served.vm.log();
                log.server("rewrite or internal redirection cycle");
                let why = "it was sent from route to route without end";
                break pages::error(StatusCode::INTERNAL_SERVER_ERROR, why);
            }
            jumps += 1;
            if fresh {
                exchange.ngx.forget();
            }
            exchange.ngx.is_internal.set(true);
            let found = match to {
                Some(named) => Ok(named),
                None => Box::pin(find(&exchange)).await,
            };
            match found {
                Ok(found) => target = found,
                Err(response) => break *response,
            }
        };
        if upgrade::says_farewell(&exchange) {
            Box::pin(upgrade::farewell(&exchange)).await;
        }
        match exchange.committed() {
            true => {
                if let ResponseBody::Full(last) | ResponseBody::Typed(last, _) =
                    std::mem::replace(response.body_mut(), ResponseBody::None)
                {
                    // A phase before the content has ended what it had begun.
                    Box::pin(exchange.end_stream(Ok(last))).await;
                }
                response
            }
            false if filter::is_wanted(&exchange) => {
                Box::pin(filter::whole(&exchange, response)).await
            }
            false => response,
        }
    }
}

/// The route that the request leads to as it is now.
async fn find(exchange: &Rc<Exchange>) -> Result<TargetId, Box<Response<ResponseBody>>> {
    let (method, path) = (exchange.method(), exchange.path());
    if let Some((target, params)) = look_up(exchange.served.vm.app(), &method, &path)? {
        *exchange.params.borrow_mut() = params;
        return Ok(target);
    }
    if let Some(target) = fetched(&exchange.served, &path).await? {
        return Ok(target);
    }
    match static_file(&exchange.served, &method, &path) {
        Ok(answer) => Err(Box::new(answer.await)),
        Err(response) => Err(response),
    }
}

/// The route to a file that comes when it is asked for, in an app that has such.
pub async fn fetched(
    served: &Served,
    path: &[u8],
) -> Result<Option<TargetId>, Box<Response<ResponseBody>>> {
    if !served.vm.app().is_on_demand() {
        return Ok(None);
    }
    let found = hostmap::locate(served.vm.app(), path).await;
    found.map_err(|failure| Box::new(hostmap::find::failed(&failure)))
}

/// The phases of a route up to its content.
async fn route(
    exchange: &Rc<Exchange>,
    target: TargetId,
    begun: &mut Option<(Stage, Started)>,
) -> Flow {
    let app = exchange.served.vm.app().clone();
    let route = app.target(target);
    if let (None, Some(phases)) = (&*begun, &route.phases) {
        let before = [
            (Phase::Rewrite, phases.rewrite),
            (Phase::Access, phases.access),
        ];
        for (phase, file) in before {
            let Some(file) = file else { continue };
            exchange.stage.set(phase);
            let end = Box::pin(run_file(&exchange.served, exchange.clone(), file)).await;
            match after(exchange, file, end) {
                Flow::On => {}
                flow => return flow,
            }
        }
    }
    exchange.stage.set(Phase::Content);
    content(exchange, route.content, begun).await
}

/// Runs the file of a phase, and the function it gives: its values are nobody's.
pub async fn run_file(
    served: &Served,
    context: Rc<dyn Context>,
    file: FileId,
) -> rille_lua::Result<End> {
    let mut stage = served.first_stage(file)?;
    loop {
        let started = begin(served, context.clone(), &stage, Instant::now())?;
        let values = match end_of_all(&context, started).await {
            End::Done(values) => values,
            end => return Ok(end),
        };
        match served.function_of(file, stage, &values)? {
            Some(next) => stage = next,
            None => return Ok(End::Done(values)),
        }
    }
}

/// The content: a handler's stages.
async fn content(
    exchange: &Rc<Exchange>,
    file: FileId,
    begun: &mut Option<(Stage, Started)>,
) -> Flow {
    let context: Rc<dyn Context> = exchange.clone();
    let served = &exchange.served;
    let first = match begun.take() {
        Some(begun) => Ok(begun),
        None => served.first_stage(file).and_then(|stage| {
            let started = begin(served, exchange.clone(), &stage, Instant::now())?;
            Ok((stage, started))
        }),
    };
    let (mut stage, mut started) = match first {
        Ok(first) => first,
        Err(error) => return conclude(exchange, file, Err(inner_failure(&error))).await,
    };
    let result = loop {
        let values = match end_of_all(&context, started).await {
            End::Done(values) => values,
            End::Failed(failure) => break Err(failure),
            End::Exited => match after(exchange, file, Ok(End::Exited)) {
                Flow::On => break Ok(Returned::default()),
                Flow::Response(response) if exchange.committed() => {
                    // Its head is out: what was said before it is all there is.
                    drop(response);
                    break Ok(Returned::default());
                }
                flow => return flow,
            },
        };
        let next = match served.next_stage(file, exchange, stage, values) {
            Ok(Next::Answer(response)) => return Flow::Response(Box::new(response)),
            Ok(Next::Stage(next)) => next,
            Ok(Next::Done(returned)) => break Ok(returned),
            Err(error) => break Err(inner_failure(&error)),
        };
        stage = next;
        started = match begin(served, exchange.clone(), &stage, Instant::now()) {
            Ok(started) => started,
            Err(error) => break Err(inner_failure(&error)),
        };
    };
    conclude(exchange, file, result).await
}

async fn conclude(
    exchange: &Rc<Exchange>,
    file: FileId,
    result: Result<Returned, rille_runtime::coroutine::Failure>,
) -> Flow {
    exchange.upgrade.has_failed.set(result.is_err());
    Flow::Response(Box::new(match exchange.committed() {
        true => Box::pin(end_stream(exchange, file, result)).await,
        false => finish(exchange, file, result),
    }))
}

/// What the end of a phase leads to.
fn after(exchange: &Rc<Exchange>, file: FileId, end: rille_lua::Result<End>) -> Flow {
    let failure = match end {
        Ok(End::Done(_)) => return Flow::On,
        Ok(End::Failed(failure)) => failure,
        Err(error) => inner_failure(&error),
        Ok(End::Exited) => {
            return match exchange.ending.take() {
                None => Flow::On,
                Some(Ending::Jump { fresh, to }) => Flow::Jump { fresh, to },
                Some(Ending::Exit(code)) => match status::exited(exchange, code) {
                    Some(response) => Flow::Response(Box::new(response)),
                    None => Flow::On,
                },
            };
        }
    };
    exchange.upgrade.has_failed.set(true);
    Flow::Response(Box::new(failed(exchange, file, &failure)))
}
