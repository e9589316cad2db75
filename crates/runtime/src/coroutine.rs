//! A coroutine of an app from its start to its end: slices, waits, budgets.
//!
//! ```text
//!  AppVm::start --ended in its first slice--------------------------------> End
//!       |                                                                    ^
//!       +--> Running (a future) <--outcome-- Coroutine (the scheduler's job) |
//!              | waits for the host's future,            | slices           |
//!              | with the wall clock as its bound        |                  |
//!              +-----------------------------------------+------------------+
//! ```
//!
//! **Invariants.** A coroutine runs only in [`Coroutine::slice`], with its context as the VM's current
//! one. Once `stop` is set the next thing that happens to it is `terminate`, and nothing after.
//! Dropping a [`Running`] (the client has gone) stops its coroutine, which still gets to close what
//! it holds. The budgets are checked between slices, so they are overrun by one slice at most.

use crate::alarm::Alarm;
use crate::recent::InSlice;
use crate::scheduler::{Job, Slice};
use crate::units::show_duration;
use crate::vm::{AppVm, Context as Owner};
use rille_lua::{Error, LocalBoxFuture, MultiValue, Outcome, StopReason, Thread};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Fuel for the `<close>` handlers of a coroutine that is stopped, all together.
pub const CLOSING_FUEL: u64 = 200_000;

/// How many coroutines may be started each inside the one before; others wait for their turn.
const MAX_INSIDE: u32 = 8;

/// What a coroutine may use.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Processor time.
    pub cpu: Duration,
    /// Whether that is for each minute, not for all its life.
    pub per_minute: bool,
    /// When it must have ended.
    pub deadline: Instant,
    /// How long that was from its start; for messages.
    pub wall: Duration,
}

/// What is as good as no limit of wall time.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);
const MINUTE: Duration = Duration::from_secs(60);

impl Budget {
    /// That of what runs for no request: so much processor time a minute, for as long as it takes.
    pub fn of_background(vm: &AppVm) -> Budget {
        Budget {
            cpu: vm.app().manifest.limits.cpu_per_minute,
            per_minute: true,
            deadline: Instant::now() + FOREVER,
            wall: FOREVER,
        }
    }
}

/// How a coroutine ended.
#[derive(Debug)]
pub enum End {
    /// It returned.
    Done(MultiValue),
    /// It, or another coroutine of its context, asked for the end of all of them ([`Owner::has_exited`]).
    Exited,
    /// It did not.
    Failed(Failure),
}

/// Why a coroutine did not return.
#[derive(Debug)]
pub enum Failure {
    /// An error that nothing caught.
    Script {
        /// The message, with file and line where Lua gives them.
        message: String,
        /// The stack where the error was raised.
        traceback: String,
    },
    /// An allocation beyond the VM's limit that nothing caught.
    Memory {
        /// The limit in bytes.
        limit: u64,
        /// Where.
        at: Position,
    },
    /// A budget ended it.
    Stopped {
        /// The limit that was reached, for people: `cpu limit of 2 s`.
        limit: String,
        /// Which one it was.
        reason: StopReason,
        /// Where.
        at: Position,
    },
}

/// A file of the app and a line of it, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(pub Option<(String, u32)>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((file, line)) => write!(f, "{}:{line}", file.trim_start_matches('@')),
            None => f.write_str("?"),
        }
    }
}

impl Failure {
    /// The failure, with the stack if there is one.
    pub fn with_traceback(&self) -> String {
        match self {
            Failure::Script { traceback, .. } if !traceback.is_empty() => {
                format!("{self}\n{traceback}")
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Script { message, .. } => f.write_str(message),
            Failure::Memory { limit, at } => {
                write!(
                    f,
                    "{at}: not enough memory: memory limit of {} reached",
                    crate::units::show_size(*limit)
                )
            }
            Failure::Stopped { limit, at, .. } => write!(f, "{at}: stopped: {limit} reached"),
        }
    }
}

/// What a coroutine is to be given in its next slice.
enum Input {
    /// The arguments; or nothing, after a yield.
    Resume(MultiValue),
    /// What the host's future gave.
    Complete(rille_lua::Result<MultiValue>),
}

/// What whoever waits for a coroutine is told.
enum News {
    Ended(End),
    Waits(LocalBoxFuture<'static, rille_lua::Result<MultiValue>>),
}

/// A coroutine that did not end in its first slice.
pub(crate) struct Coroutine {
    vm: Rc<AppVm>,
    thread: Thread,
    /// What the host functions it calls find as the current context.
    context: Option<Rc<dyn Owner>>,
    /// As it was when it was last reached: its context may have got another since.
    budget: Cell<Budget>,
    /// Whether nobody has its Lua object: it can be used again.
    is_hidden: bool,
    /// Processor time, when there is no context to count it for.
    own_cpu: Cell<Duration>,
    /// When the minute began that its processor time is counted for.
    minute: Cell<Instant>,
    input: RefCell<Option<Input>>,
    stop: Cell<Option<StopReason>>,
    news: RefCell<Option<News>>,
    waker: RefCell<Option<Waker>>,
    /// Whether the scheduler holds it.
    queued: Cell<bool>,
    ended: Cell<bool>,
}

impl Coroutine {
    /// Runs one slice and says what it was.
    fn slice(self: &Rc<Self>) -> Slice {
        let start = Instant::now();
        if let Some(reason) = self.stop.get() {
            self.terminate(reason);
            return Slice {
                elapsed: start.elapsed(),
                preempted: false,
            };
        }
        let input = self.input.borrow_mut().take();
        let fuel = self.vm.tenant().fuel();
        let outcome = {
            let _slice = InSlice::since(start);
            let _current = self.vm.enter(self.context.clone());
            match input {
                Some(Input::Complete(result)) => self.thread.complete(result, fuel),
                Some(Input::Resume(arguments)) => self.thread.resume_with_fuel(arguments, fuel),
                None => self.thread.continue_with_fuel(fuel),
            }
        };
        let now = Instant::now();
        let elapsed = now - start;
        self.spend(elapsed);
        let preempted = self.take(outcome, now);
        if preempted {
            self.vm.tenant().used_up(elapsed);
        }
        Slice { elapsed, preempted }
    }

    fn cpu(&self) -> &Cell<Duration> {
        self.context
            .as_ref()
            .map_or(&self.own_cpu, |context| context.cpu())
    }

    fn has_exited(&self) -> bool {
        (self.context.as_ref()).is_some_and(|context| context.has_exited())
    }

    fn spend(&self, elapsed: Duration) {
        self.cpu().set(self.cpu().get() + elapsed);
    }

    /// Turns an outcome into news, or finds that there is more to run.
    fn take(self: &Rc<Self>, outcome: Outcome, now: Instant) -> bool {
        let news = match outcome {
            Outcome::Preempted => {
                self.check_budget(now);
                return true;
            }
            // A yield outside of any coroutine of the script's own gives the others a turn: light threads that do nothing
            // but yield run in their order.
            Outcome::Yielded(_) => {
                self.check_budget(now);
                *self.input.borrow_mut() = Some(Input::Resume(MultiValue::new()));
                self.queued.set(true);
                (self.vm.scheduler()).take_turns(self.vm.tenant(), self.clone());
                return false;
            }
            Outcome::Pending(_) if self.has_exited() => {
                self.thread.terminate(StopReason::Killed, CLOSING_FUEL);
                News::Ended(End::Exited)
            }
            Outcome::Pending(future) => {
                // Else a script that waits between short stretches of work would have no limit.
                self.check_budget(now);
                if self.stop.get().is_some() {
                    drop(future);
                    self.wake();
                    return false;
                }
                News::Waits(future)
            }
            Outcome::Done(values) => News::Ended(End::Done(values)),
            Outcome::Error(error) => News::Ended(End::Failed(self.vm.failure(&error))),
            Outcome::Terminated(reason) => {
                let at = Position(self.thread.current_line());
                News::Ended(End::Failed(self.stopped(reason, at)))
            }
        };
        self.tell(news);
        false
    }

    /// What follows a first slice that did not end with its return.
    fn go_on(self: Rc<Self>, outcome: Outcome, now: Instant, elapsed: Duration) -> Started {
        if self.take(outcome, now) {
            if !elapsed.is_zero() {
                self.vm.tenant().used_up(elapsed);
            }
            self.queued.set(true);
            self.vm
                .scheduler()
                .preempted(self.vm.tenant(), self.clone());
        }
        let ended = match self.news.borrow_mut().take() {
            Some(News::Ended(end)) => Ok(end),
            news => Err(news),
        };
        match ended {
            Ok(end) => Started::Ended(end),
            Err(news) => {
                *self.news.borrow_mut() = news;
                Started::Running(Running::new(self))
            }
        }
    }

    fn tell(&self, news: News) {
        self.ended.set(matches!(news, News::Ended(_)));
        *self.news.borrow_mut() = Some(news);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn check_budget(&self, now: Instant) {
        if self.exceeded(now).is_some() {
            self.renew_budget();
            if let Some(reason) = self.exceeded(now) {
                self.stop.set(Some(reason));
            }
        }
    }

    /// The limit that is reached.
    fn exceeded(&self, now: Instant) -> Option<StopReason> {
        let budget = self.budget.get();
        if budget.per_minute {
            let context = self.context.as_ref().and_then(|context| context.minute());
            renew(context.unwrap_or(&self.minute), self.cpu(), now);
        }
        if self.cpu().get() >= budget.cpu {
            return Some(StopReason::CpuTime);
        }
        (now >= budget.deadline).then_some(StopReason::WallTime)
    }

    /// A limit is reached: it may not be one any more (a request that has become a connection of its own).
    fn renew_budget(&self) {
        if let Some(context) = &self.context {
            self.budget.set(context.budget());
        }
    }

    /// Ends the coroutine. Whatever its handlers do, it is over.
    fn terminate(&self, reason: StopReason) {
        let at = Position(self.thread.current_line());
        {
            let _current = self.vm.enter(self.context.clone());
            self.thread.terminate(reason, CLOSING_FUEL);
        }
        self.tell(News::Ended(End::Failed(self.stopped(reason, at))));
    }

    fn stopped(&self, reason: StopReason, at: Position) -> Failure {
        let budget = self.budget.get();
        let limit = match reason {
            StopReason::CpuTime => format!(
                "cpu limit of {}{}",
                show_duration(budget.cpu),
                if budget.per_minute { " a minute" } else { "" }
            ),
            StopReason::WallTime => format!("wall limit of {}", show_duration(budget.wall)),
            StopReason::Memory => {
                return Failure::Memory {
                    limit: self.vm.app().manifest.limits.memory,
                    at,
                };
            }
            _ => "the end of the connection".to_owned(),
        };
        Failure::Stopped { limit, reason, at }
    }

    /// Its wait is over: it goes on here and now if nobody else has a better claim, as one does that has just arrived.
    fn resume(self: &Rc<Self>) {
        let (scheduler, tenant) = (self.vm.scheduler(), self.vm.tenant());
        if !scheduler.may_run_now(tenant) {
            return self.wake();
        }
        let slice = self.slice();
        scheduler.settle(tenant, slice.elapsed);
        if slice.preempted {
            self.queued.set(true);
            scheduler.preempted(tenant, self.clone());
        }
    }

    /// Whether there are light threads of its context.
    fn has_threads(&self) -> bool {
        (self.context.as_ref()).is_some_and(|context| context.threads().alive() > 0)
    }

    fn wake(self: &Rc<Self>) {
        self.queued.set(true);
        self.vm.scheduler().wake(self.vm.tenant(), self.clone());
    }
}

/// Begins a new minute, with all its processor time, when one is over.
fn renew(minute: &Cell<Instant>, cpu: &Cell<Duration>, now: Instant) {
    if now.duration_since(minute.get()) >= MINUTE {
        minute.set(now);
        cpu.set(Duration::ZERO);
    }
}

impl Job for Coroutine {
    fn run(self: Rc<Self>) -> Slice {
        if self.ended.get() {
            return Slice {
                elapsed: Duration::ZERO,
                preempted: false,
            };
        }
        self.queued.set(false);
        let slice = self.slice();
        if slice.preempted {
            self.queued.set(true);
        }
        slice
    }
}

/// A coroutine on its way; a future of its end.
pub struct Running {
    coroutine: Rc<Coroutine>,
    waits: Option<LocalBoxFuture<'static, rille_lua::Result<MultiValue>>>,
    wall: Alarm,
}

/// A coroutine that was started: most end in their first slice.
pub enum Started {
    /// It has ended.
    Ended(End),
    /// It has not.
    Running(Running),
}

impl AppVm {
    /// Starts a coroutine. It runs here and now if nobody else has a better claim.
    pub fn start(
        self: &Rc<Self>,
        thread: Thread,
        arguments: MultiValue,
        context: Option<Rc<dyn Owner>>,
        budget: Budget,
    ) -> Started {
        self.start_since(Instant::now(), thread, arguments, context, budget)
    }

    /// The same for what began at `start`, just before: its processor time counts from then.
    pub fn start_since(
        self: &Rc<Self>,
        start: Instant,
        thread: Thread,
        arguments: MultiValue,
        context: Option<Rc<dyn Owner>>,
        budget: Budget,
    ) -> Started {
        if !self.scheduler().may_run_now(self.tenant()) {
            let coroutine = self.coroutine(thread, context, budget, true, start);
            *coroutine.input.borrow_mut() = Some(Input::Resume(arguments));
            coroutine.wake();
            return Started::Running(Running::new(coroutine));
        }
        let outcome = {
            let _slice = InSlice::since(start);
            let _current = self.enter(context.clone());
            thread.resume_with_fuel(arguments, self.tenant().fuel())
        };
        let now = Instant::now();
        let elapsed = now - start;
        self.scheduler().settle(self.tenant(), elapsed);
        if let Some(context) = &context {
            context.cpu().set(context.cpu().get() + elapsed);
        }
        match outcome {
            Outcome::Done(values) => {
                self.recycle(thread);
                Started::Ended(End::Done(values))
            }
            Outcome::Error(error) => Started::Ended(End::Failed(self.failure(&error))),
            outcome => {
                let coroutine = self.coroutine(thread, context, budget, true, now);
                coroutine.own_cpu.set(elapsed);
                coroutine.go_on(outcome, now, elapsed)
            }
        }
    }

    /// Starts a coroutine from inside another one of the same context (a light thread): it runs here and now, and that one's slice is
    /// shorter by what it used, unless it is inside of too many already.
    pub fn start_inside(
        self: &Rc<Self>,
        thread: Thread,
        arguments: MultiValue,
        context: Rc<dyn Owner>,
        budget: Budget,
    ) -> Started {
        let depth = self.depth().get();
        if depth >= MAX_INSIDE {
            return Started::Running(self.start_later(thread, arguments, context, budget));
        }
        let coroutine = self.coroutine(thread, Some(context), budget, false, Instant::now());
        self.depth().set(depth + 1);
        let fuel = self.tenant().fuel();
        let before = self.lua().fuel_used();
        let outcome = coroutine.thread.resume_with_fuel(arguments, fuel);
        self.depth().set(depth);
        // Else a slice that spawns a thousand of them would be as long as all of theirs.
        let used = self.lua().fuel_used().saturating_sub(before);
        self.lua().charge_fuel(used);
        let now = Instant::now();
        match outcome {
            Outcome::Done(values) => Started::Ended(End::Done(values)),
            // The time is part of the slice of the one outside.
            outcome => coroutine.go_on(outcome, now, Duration::ZERO),
        }
    }

    /// Starts a coroutine of a context when its turn comes.
    pub fn start_later(
        self: &Rc<Self>,
        thread: Thread,
        arguments: MultiValue,
        context: Rc<dyn Owner>,
        budget: Budget,
    ) -> Running {
        let coroutine = self.coroutine(thread, Some(context), budget, false, Instant::now());
        *coroutine.input.borrow_mut() = Some(Input::Resume(arguments));
        coroutine.wake();
        Running::new(coroutine)
    }

    fn coroutine(
        self: &Rc<Self>,
        thread: Thread,
        context: Option<Rc<dyn Owner>>,
        budget: Budget,
        is_hidden: bool,
        now: Instant,
    ) -> Rc<Coroutine> {
        Rc::new(Coroutine {
            vm: self.clone(),
            thread,
            context,
            budget: Cell::new(budget),
            is_hidden,
            own_cpu: Cell::default(),
            minute: Cell::new(now),
            input: RefCell::default(),
            stop: Cell::new(None),
            news: RefCell::default(),
            waker: RefCell::default(),
            queued: Cell::new(false),
            ended: Cell::new(false),
        })
    }

    /// What an error means: a limit, or the script's own fault.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        let traceback = error.traceback().unwrap_or_default();
        match error.root() {
            Error::MemoryError(_) => Failure::Memory {
                limit: self.app().manifest.limits.memory,
                at: Position::in_traceback(traceback),
            },
            _ => Failure::Script {
                message: error.message(),
                traceback: traceback.to_owned(),
            },
        }
    }
}

impl Position {
    /// The first line of a traceback that is in a file: `\tindex.lua:3: in function 'f'`.
    fn in_traceback(traceback: &str) -> Position {
        let place = |line: &str| {
            let (file, rest) = line.strip_prefix('\t')?.split_once(':')?;
            let line = rest.split(':').next()?.parse().ok()?;
            (!file.starts_with('[')).then(|| (file.to_owned(), line))
        };
        Position(traceback.lines().find_map(place))
    }
}

impl Running {
    fn new(coroutine: Rc<Coroutine>) -> Running {
        Running {
            coroutine,
            waits: None,
            wall: Alarm::new(),
        }
    }

    /// The time it may take is over while it waits: it is stopped where it waits.
    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.coroutine.budget.get().deadline;
        if self.wall.poll_at(deadline, cx).is_pending() {
            return false;
        }
        self.coroutine.renew_budget();
        let renewed = self.coroutine.budget.get().deadline;
        if renewed <= deadline {
            return true;
        }
        self.wall.reset();
        self.wall.poll_at(renewed, cx).is_ready()
    }
}

impl Future for Running {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        loop {
            if let Some(future) = &mut this.waits {
                if let Poll::Ready(result) = future.as_mut().poll(cx) {
                    this.waits = None;
                    *this.coroutine.input.borrow_mut() = Some(Input::Complete(result));
                    this.coroutine.resume();
                } else if this.overdue(cx) {
                    this.waits = None;
                    this.coroutine.stop.set(Some(StopReason::WallTime));
                    this.coroutine.wake();
                } else {
                    return Poll::Pending;
                }
            }
            let news = this.coroutine.news.borrow_mut().take();
            match news {
                Some(News::Ended(end)) => {
                    if matches!(end, End::Done(_)) && this.coroutine.is_hidden {
                        this.coroutine.vm.recycle(this.coroutine.thread.clone());
                    }
                    return Poll::Ready(end);
                }
                Some(News::Waits(future)) => {
                    this.waits = Some(future);
                    if this.coroutine.has_threads() {
                        // Light threads that were spawned before it waited begin their waits before it does: each is a task of
                        // its own, whose turn comes first.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                None => {
                    *this.coroutine.waker.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let coroutine = &self.coroutine;
        if coroutine.ended.get() {
            return;
        }
        coroutine.stop.set(Some(StopReason::Killed));
        if !coroutine.queued.get() {
            coroutine.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Coroutines of a context that began at different times do not each give it a new minute.
    #[test]
    fn a_context_has_one_minute() {
        let start = Instant::now();
        let background = crate::vm::Background::new(
            Budget {
                cpu: MINUTE,
                per_minute: true,
                deadline: start,
                wall: MINUTE,
            },
            "timer",
        );
        let context: Rc<dyn Owner> = background;
        let minute = context.minute().expect("its own");
        // Each asks at its time and uses ten seconds more.
        for (at, used) in [(30, 0), (61, 0), (70, 10), (100, 20), (122, 0), (123, 10)] {
            renew(minute, context.cpu(), start + Duration::from_secs(at));
            assert_eq!(context.cpu().get(), Duration::from_secs(used), "{at}");
            context.cpu().set(Duration::from_secs(used + 10));
        }
    }
}
