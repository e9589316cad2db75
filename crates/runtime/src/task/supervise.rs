//! Supervision: what the manifest starts, and starts again when it ends.
//!
//! ```text
//!             Start                    crash, or an end that is not wanted
//!   Due(when) -----> Running ---------------------------------------------> Due(now + backoff)
//!      ^                |  \--another of its group crashed--> Stopping --ends--^
//!      |                +--ends as it should--> Off
//!      +--too many restarts: after a long pause
//! ```
//!
//! **Invariants.** [`Supervisor`] knows no clock and no Lua: it is told what happens and when, and says what to do ([`Command`]). It says Start only for a child that is
//! neither Running nor Stopping. No child of a group is started while another one of it is Stopping.

use super::cron::Cron;
use super::{Ending, Tasks, Tid};
use crate::units::show_duration;
use crate::vm::AppVm;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// When a task of the manifest is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// With the VM.
    Start,
    /// So long after the VM's start, and again and again.
    Every(Duration),
    /// At these times.
    Cron(Cron),
    /// For each connection to this address.
    Tcp {
        /// Where it listens. Port 0 is any that is free.
        address: SocketAddr,
        /// Connections at once; as many as the app may have sockets, if not said.
        connections: Option<u64>,
    },
}

/// Which ends of a task make it start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// All.
    Permanent,
    /// Crashes.
    Transient,
    /// None.
    Temporary,
}

/// Which tasks are started again when one crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// That one.
    OneForOne,
    /// All that start with the VM.
    OneForAll,
    /// That one, and those after it in the manifest.
    RestForOne,
}

/// How often may be started again: so many times in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Times.
    pub restarts: u32,
    /// In this time.
    pub period: Duration,
}

/// One `[[task]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// What is spawned.
    pub name: String,
    /// When.
    pub trigger: Trigger,
    /// Whether each worker has one, or the process.
    pub on_each_worker: bool,
    /// When it is started again.
    pub restart: Restart,
    /// How often, where tasks are started again one by one.
    pub intensity: Option<Intensity>,
    /// Where it stands in the manifest.
    pub line: u32,
}

/// `[supervisor]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who is started again.
    pub strategy: Strategy,
    /// How often.
    pub intensity: Intensity,
    /// The wait before the first start again; it doubles with each further one in the period.
    pub backoff: Duration,
    /// The wait after more than that.
    pub pause: Duration,
}

/// No backoff is longer.
pub const MAX_BACKOFF: Duration = Duration::from_secs(10);

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            strategy: Strategy::OneForOne,
            intensity: Intensity {
                restarts: 3,
                period: Duration::from_secs(5),
            },
            backoff: Duration::from_millis(100),
            pause: Duration::from_secs(60),
        }
    }
}

/// A time: nanoseconds of a clock that only goes forward, and seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Nanoseconds.
    pub nanos: u64,
    /// Seconds.
    pub unix: u64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a child.
    Start(usize),
    /// End a child; its end is to be told.
    Kill(usize),
    /// Say this in the log.
    Log(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Due(u64),
    Running,
    /// It has been killed; whether, and when, it is to be started again.
    Stopping(Option<u64>),
}

#[derive(Debug)]
struct Member {
    spec: Child,
    state: State,
    /// The next time of one that has times.
    next: Option<u64>,
    restarts: VecDeque<u64>,
}

/// The children of a VM.
#[derive(Debug)]
pub struct Supervisor {
    policy: Policy,
    members: Vec<Member>,
    /// Restarts of the group, where all count together.
    restarts: VecDeque<u64>,
}

impl Supervisor {
    /// With these children, all to be started, or to have their first time, from now on.
    pub fn new(policy: Policy, children: Vec<Child>, now: Now) -> Supervisor {
        let members = children.into_iter().map(|spec| Member {
            state: match spec.trigger {
                Trigger::Start => State::Due(now.nanos),
                _ => State::Off,
            },
            next: next_time(&spec.trigger, now, now.nanos),
            spec,
            restarts: VecDeque::new(),
        });
        Supervisor {
            policy,
            members: members.collect(),
            restarts: VecDeque::new(),
        }
    }

    /// A child's name.
    pub fn name(&self, child: usize) -> &str {
        &self.members[child].spec.name
    }

    /// Whether each worker has one.
    pub fn is_on_each_worker(&self, child: usize) -> bool {
        self.members[child].spec.on_each_worker
    }

    /// When [`Supervisor::tick`] has something to do; `None`: not before something ends.
    pub fn next(&self) -> Option<u64> {
        let due = self.members.iter().filter_map(|member| match member.state {
            State::Due(at) if !self.is_held(member) => Some(at),
            _ => None,
        });
        let times = self.members.iter().filter_map(|member| member.next);
        due.chain(times).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) -> Vec<Command> {
        let mut commands = Vec::new();
        for at in 0..self.members.len() {
            self.come_round(at, now, &mut commands);
            let member = &self.members[at];
            if matches!(member.state, State::Due(due) if due <= now.nanos) && !self.is_held(member)
            {
                self.members[at].state = State::Running;
                commands.push(Command::Start(at));
            }
        }
        commands
    }

    /// The time of a child that has times has come.
    fn come_round(&mut self, at: usize, now: Now, commands: &mut Vec<Command>) {
        let member = &mut self.members[at];
        let Some(next) = member.next.filter(|next| *next <= now.nanos) else {
            return;
        };
        member.next = next_time(&member.spec.trigger, now, next);
        match member.state {
            State::Off => member.state = State::Due(now.nanos),
            State::Due(_) => {}
            State::Running | State::Stopping(_) => commands.push(Command::Log(format!(
                "task {} still runs: its time is left out",
                member.spec.name
            ))),
        }
    }

    /// Whether a child has to wait for others of its group to end.
    fn is_held(&self, member: &Member) -> bool {
        self.policy.strategy != Strategy::OneForOne
            && member.spec.trigger == Trigger::Start
            && self
                .members
                .iter()
                .any(|m| matches!(m.state, State::Stopping(_)))
    }

    /// A child has ended, or could not be started.
    pub fn ended(&mut self, child: usize, is_normal: bool, now: Now) -> Vec<Command> {
        let member = &mut self.members[child];
        match member.state {
            State::Stopping(again) => {
                member.state = again.map_or(State::Off, State::Due);
                Vec::new()
            }
            State::Running => {
                member.state = State::Off;
                let again = match member.spec.restart {
                    Restart::Permanent => true,
                    Restart::Transient => !is_normal,
                    Restart::Temporary => false,
                };
                match again {
                    true => self.start_again(child, now),
                    false => Vec::new(),
                }
            }
            State::Off | State::Due(_) => Vec::new(),
        }
    }

    /// Plans the next start of a child, and of those that go with it.
    fn start_again(&mut self, child: usize, now: Now) -> Vec<Command> {
        let mut commands = Vec::new();
        let is_start = self.members[child].spec.trigger == Trigger::Start;
        let strategy = match is_start {
            true => self.policy.strategy,
            false => Strategy::OneForOne,
        };
        let (intensity, count) = match strategy {
            Strategy::OneForOne => {
                let member = &mut self.members[child];
                let intensity = member.spec.intensity.unwrap_or(self.policy.intensity);
                (intensity, note(&mut member.restarts, intensity, now))
            }
            _ => {
                let intensity = self.policy.intensity;
                (intensity, note(&mut self.restarts, intensity, now))
            }
        };
        let given_up = count > intensity.restarts;
        let delay = match given_up {
            true => self.policy.pause,
            false => backoff(self.policy.backoff, count),
        };
        let at = now.nanos + delay.as_nanos() as u64;
        if given_up {
            self.members[child].restarts.clear();
            if strategy != Strategy::OneForOne {
                self.restarts.clear();
            }
            commands.push(Command::Log(format!(
                "task {} was started again {} times in {}: given up{}, to be tried again in {}",
                self.members[child].spec.name,
                intensity.restarts,
                show_duration(intensity.period),
                if strategy == Strategy::OneForOne {
                    ""
                } else {
                    " with its group"
                },
                show_duration(delay)
            )));
        }
        self.members[child].state = State::Due(at);
        let first = match strategy {
            Strategy::OneForOne => self.members.len(),
            Strategy::OneForAll => 0,
            Strategy::RestForOne => child,
        };
        for (other, member) in self.members.iter_mut().enumerate().skip(first) {
            if other == child || member.spec.trigger != Trigger::Start {
                continue;
            }
            let again = (member.spec.restart != Restart::Temporary).then_some(at);
            match member.state {
                State::Running => {
                    member.state = State::Stopping(again);
                    commands.push(Command::Kill(other));
                }
                State::Stopping(_) => member.state = State::Stopping(again),
                State::Off | State::Due(_) => member.state = again.map_or(State::Off, State::Due),
            }
        }
        commands
    }
}

/// Counts a restart: how many there were in the period, this one included.
fn note(restarts: &mut VecDeque<u64>, intensity: Intensity, now: Now) -> u32 {
    let period = intensity.period.as_nanos() as u64;
    while restarts.front().is_some_and(|at| *at + period <= now.nanos) {
        restarts.pop_front();
    }
    restarts.push_back(now.nanos);
    restarts.len() as u32
}

fn backoff(first: Duration, count: u32) -> Duration {
    first
        .saturating_mul(1 << (count.saturating_sub(1)).min(16))
        .min(MAX_BACKOFF.max(first))
}

/// When a child that has times is to be started next, after its last time.
fn next_time(trigger: &Trigger, now: Now, last: u64) -> Option<u64> {
    match trigger {
        Trigger::Start | Trigger::Tcp { .. } => None,
        Trigger::Every(period) => {
            let period = (period.as_nanos() as u64).max(1);
            // Times that have passed are left out.
            let missed = now.nanos.saturating_sub(last) / period;
            Some(last + (missed + 1) * period)
        }
        Trigger::Cron(cron) => {
            let wait = cron.next(now.unix).saturating_sub(now.unix);
            Some(now.nanos + wait * 1_000_000_000)
        }
    }
}

/// A supervisor with its tasks.
pub(super) struct Supervision {
    supervisor: Supervisor,
    tids: Vec<Option<Tid>>,
    /// Tells the timer to look again.
    changed: Rc<Notify>,
}

impl Supervision {
    /// Nothing is started any more.
    pub(super) fn end(self) {
        self.changed.notify_one();
    }
}

impl Tasks {
    fn wall(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            nanos: self.clock.now(),
            unix: unix.map_or(0, |time| time.as_secs()),
        }
    }

    /// Begins to hear of other workers and to accept connections, once, after `init.lua`. `is_first`: this worker has the tasks that the
    /// process has one of.
    pub fn open(self: &Rc<Self>, is_first: bool) {
        self.read_letters();
        if let Some(vm) = self.vm() {
            self.listen(&vm, is_first);
        }
    }

    /// Opens, and starts the tasks of the manifest.
    pub fn start(self: &Rc<Self>, is_first: bool) {
        self.open(is_first);
        self.start_children(is_first);
    }

    /// Starts the tasks of the manifest, once, after [`Tasks::open`]; not if the app is about to stop.
    pub fn start_children(self: &Rc<Self>, is_first: bool) {
        let Some(vm) = self.vm().filter(|vm| !vm.is_stopping()) else {
            return;
        };
        let manifest = &vm.app().manifest;
        let children: Vec<Child> = (manifest.tasks.iter())
            .filter(|child| is_first || child.on_each_worker)
            .cloned()
            .collect();
        if children.is_empty() || self.supervision.borrow().is_some() {
            return;
        }
        let tids = vec![None; children.len()];
        let supervisor = Supervisor::new(manifest.supervisor, children, self.wall());
        let changed: Rc<Notify> = Rc::default();
        *self.supervision.borrow_mut() = Some(Supervision {
            supervisor,
            tids,
            changed: changed.clone(),
        });
        self.supervise(&vm);
        let weak = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            let start = match weak.upgrade() {
                Some(tasks) => Instant::now() - Duration::from_nanos(tasks.clock.now()),
                None => return,
            };
            loop {
                let next = {
                    let Some(tasks) = weak.upgrade() else { return };
                    let Some(vm) = tasks.vm().filter(|vm| !vm.is_stopping()) else {
                        return;
                    };
                    tasks.supervise(&vm);
                    let supervision = tasks.supervision.borrow();
                    supervision.as_ref().and_then(|s| s.supervisor.next())
                };
                // A long sleep looks at the wall clock now and then.
                let most = Instant::now() + Duration::from_secs(60);
                let until = next.map_or(most, |next| most.min(start + Duration::from_nanos(next)));
                tokio::select! {
                    () = tokio::time::sleep_until(until.into()) => {}
                    () = changed.notified() => {}
                }
            }
        });
    }

    /// Whether a task of the manifest that the process has one of runs here.
    pub fn has_process_tasks(&self) -> bool {
        let supervision = self.supervision.borrow();
        let Some(Supervision {
            supervisor, tids, ..
        }) = &*supervision
        else {
            return false;
        };
        (tids.iter().enumerate())
            .any(|(child, tid)| tid.is_some() && !supervisor.is_on_each_worker(child))
    }

    fn supervise(self: &Rc<Self>, vm: &Rc<AppVm>) {
        let now = self.wall();
        self.ask(vm, |supervisor| supervisor.tick(now));
    }

    fn ask(self: &Rc<Self>, vm: &Rc<AppVm>, f: impl FnOnce(&mut Supervisor) -> Vec<Command>) {
        let commands = match &mut *self.supervision.borrow_mut() {
            Some(supervision) => f(&mut supervision.supervisor),
            None => return,
        };
        for command in commands {
            match command {
                Command::Start(child) => self.start_child(vm, child),
                Command::Kill(child) => {
                    let tid = self
                        .supervision
                        .borrow()
                        .as_ref()
                        .and_then(|s| s.tids[child]);
                    if let Some(tid) = tid {
                        self.kill_here(tid, "stopped by its supervisor");
                    }
                }
                Command::Log(text) => vm.log().server(text),
            }
        }
    }

    fn start_child(self: &Rc<Self>, vm: &Rc<AppVm>, child: usize) {
        let (name, only_here) = match &*self.supervision.borrow() {
            Some(s) => (
                s.supervisor.name(child).to_owned(),
                s.supervisor.is_on_each_worker(child),
            ),
            None => return,
        };
        let why = match self.spawn(&name, &[]) {
            Ok(Ok(tid)) => {
                if let Some(supervision) = &mut *self.supervision.borrow_mut() {
                    supervision.tids[child] = Some(tid);
                }
                if let Some(slot) = self.find(tid) {
                    self.slab.borrow_mut().get_mut(slot).extra().child = Some(child);
                }
                // Where the name is taken, it is known by its id only.
                let _ = self.register(&name, tid, only_here);
                return;
            }
            Ok(Err(refused)) => refused.to_string(),
            Err(error) => error.message(),
        };
        vm.log()
            .server(format_args!("task {name} could not be started: {why}"));
        let now = self.wall();
        self.ask_later(vm, child, false, now);
    }

    /// The end of a child.
    pub(super) fn child_ended(
        self: &Rc<Self>,
        vm: &Rc<AppVm>,
        child: usize,
        tid: Tid,
        ending: &Ending,
    ) {
        let is_its = match &mut *self.supervision.borrow_mut() {
            Some(supervision) if supervision.tids[child] == Some(tid) => {
                supervision.tids[child] = None;
                true
            }
            _ => false,
        };
        if is_its && !vm.is_stopping() {
            let now = self.wall();
            self.ask_later(vm, child, ending.is_normal, now);
        }
    }

    fn ask_later(self: &Rc<Self>, vm: &Rc<AppVm>, child: usize, is_normal: bool, now: Now) {
        self.ask(vm, |supervisor| supervisor.ended(child, is_normal, now));
        if let Some(supervision) = &*self.supervision.borrow() {
            supervision.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn now(millis: u64) -> Now {
        Now {
            nanos: millis * MS,
            unix: 1_000_000_020 + millis / 1000,
        }
    }

    fn child(name: &str, trigger: Trigger, restart: Restart) -> Child {
        Child {
            name: name.into(),
            trigger,
            on_each_worker: false,
            restart,
            intensity: None,
            line: 1,
        }
    }

    fn started(restart: Restart) -> Child {
        child("a", Trigger::Start, restart)
    }

    fn supervisor(strategy: Strategy, children: Vec<Child>) -> Supervisor {
        let policy = Policy {
            strategy,
            ..Policy::default()
        };
        Supervisor::new(policy, children, now(0))
    }

    use Command::{Kill, Start};

    #[test]
    fn which_ends_start_a_task_again() {
        for (restart, is_normal, again) in [
            (Restart::Permanent, true, true),
            (Restart::Permanent, false, true),
            (Restart::Transient, true, false),
            (Restart::Transient, false, true),
            (Restart::Temporary, true, false),
            (Restart::Temporary, false, false),
        ] {
            let mut s = supervisor(Strategy::OneForOne, vec![started(restart)]);
            assert_eq!(s.tick(now(0)), [Start(0)]);
            assert_eq!(s.next(), None);
            assert_eq!(s.ended(0, is_normal, now(10)), []);
            let expected = again.then_some(110 * MS);
            assert_eq!(s.next(), expected, "{restart:?} {is_normal}");
            assert_eq!(s.tick(now(109)), []);
            assert_eq!(s.tick(now(110)).len(), usize::from(again));
        }
    }

    #[test]
    fn the_backoff_doubles_and_too_many_restarts_are_given_up() {
        let mut s = supervisor(Strategy::OneForOne, vec![started(Restart::Permanent)]);
        let mut time = 0;
        for delay in [100, 200, 400] {
            assert_eq!(s.tick(now(time)), [Start(0)]);
            assert_eq!(s.ended(0, false, now(time)), []);
            time += delay;
            assert_eq!(s.next(), Some(time * MS));
        }
        assert_eq!(s.tick(now(time)), [Start(0)]);
        let said = s.ended(0, false, now(time));
        assert_eq!(
            said,
            [Command::Log(
                "task a was started again 3 times in 5 s: given up, to be tried again in 1 min"
                    .into()
            )]
        );
        time += 60_000;
        assert_eq!(s.next(), Some(time * MS));
        assert_eq!(s.tick(now(time)), [Start(0)]);
        // It begins anew.
        assert_eq!(s.ended(0, false, now(time)), []);
        assert_eq!(s.next(), Some((time + 100) * MS));
    }

    #[test]
    fn restarts_that_are_far_apart_do_not_add_up() {
        let mut s = supervisor(Strategy::OneForOne, vec![started(Restart::Permanent)]);
        let mut time = 0;
        for _ in 0..20 {
            assert_eq!(s.tick(now(time)), [Start(0)]);
            assert_eq!(s.ended(0, false, now(time + 5000)), []);
            time += 5100;
            assert_eq!(s.next(), Some(time * MS));
        }
    }

    #[test]
    fn one_for_all_stops_the_others_first_and_starts_in_order() {
        let three = vec![
            started(Restart::Permanent),
            started(Restart::Transient),
            started(Restart::Temporary),
        ];
        let mut s = supervisor(Strategy::OneForAll, three);
        assert_eq!(s.tick(now(0)), [Start(0), Start(1), Start(2)]);
        assert_eq!(s.ended(1, false, now(0)), [Kill(0), Kill(2)]);
        assert_eq!(s.tick(now(500)), [], "two are still stopping");
        assert_eq!(s.next(), None);
        assert_eq!(s.ended(0, false, now(510)), []);
        assert_eq!(s.tick(now(510)), []);
        assert_eq!(s.ended(2, false, now(520)), []);
        assert_eq!(
            s.tick(now(520)),
            [Start(0), Start(1)],
            "a temporary one stays away"
        );
    }

    #[test]
    fn rest_for_one_leaves_those_before_alone() {
        let three = vec![started(Restart::Permanent); 3];
        let mut s = supervisor(Strategy::RestForOne, three);
        s.tick(now(0));
        assert_eq!(s.ended(1, false, now(0)), [Kill(2)]);
        assert_eq!(s.ended(2, false, now(1)), []);
        assert_eq!(s.tick(now(100)), [Start(1), Start(2)]);
        assert_eq!(s.ended(2, false, now(200)), []);
        assert_eq!(s.tick(now(400)), [Start(2)]);
    }

    #[test]
    fn a_group_counts_together() {
        let mut s = supervisor(Strategy::OneForAll, vec![started(Restart::Permanent); 2]);
        let mut time = 0;
        for round in 0..4 {
            assert_eq!(s.tick(now(time)), [Start(0), Start(1)]);
            let (child, other) = (round % 2, 1 - round % 2);
            let said = s.ended(child, false, now(time));
            assert_eq!(said.len(), if round == 3 { 2 } else { 1 });
            assert_eq!(said[said.len() - 1], Kill(other));
            s.ended(other, false, now(time));
            time = s.next().unwrap() / MS;
        }
        assert_eq!(time, 700 + 60_000);
    }

    #[test]
    fn a_task_with_times_runs_at_its_times_once_at_a_time() {
        let every = Trigger::Every(Duration::from_secs(5));
        let mut s = supervisor(
            Strategy::OneForOne,
            vec![child("tick", every, Restart::Temporary)],
        );
        assert_eq!(s.tick(now(0)), []);
        assert_eq!(s.next(), Some(5000 * MS));
        assert_eq!(s.tick(now(5000)), [Start(0)]);
        assert_eq!(
            s.tick(now(10_001)),
            [Command::Log(
                "task tick still runs: its time is left out".into()
            )]
        );
        assert_eq!(s.next(), Some(15_000 * MS));
        assert_eq!(s.ended(0, false, now(12_000)), []);
        // After a long time without the processor there is one start, not many.
        assert_eq!(s.tick(now(61_000)), [Start(0)]);
        assert_eq!(s.next(), Some(65_000 * MS));
    }

    #[test]
    fn a_task_with_times_that_crashes_is_started_again_if_it_is_to_be() {
        let cron = Trigger::Cron(Cron::parse("* * * * *").unwrap());
        let mut s = supervisor(
            Strategy::OneForAll,
            vec![
                child("c", cron, Restart::Transient),
                started(Restart::Permanent),
            ],
        );
        // 1,000,000,020 is a whole minute.
        assert_eq!(s.next(), Some(0));
        assert_eq!(s.tick(now(0)), [Start(1)]);
        assert_eq!(s.next(), Some(60_000 * MS));
        assert_eq!(s.tick(now(60_000)), [Start(0)]);
        // The group of those that start with the VM has nothing to do with it.
        assert_eq!(s.ended(0, false, now(60_010)), []);
        assert_eq!(s.tick(now(60_110)), [Start(0)]);
        assert_eq!(s.ended(0, true, now(60_200)), []);
        assert_eq!(s.next(), Some(120_000 * MS));
    }
}
