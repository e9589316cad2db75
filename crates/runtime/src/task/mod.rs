//! Tasks: Erlang-like processes in Lua. A task is a coroutine with its own globals over the app's, its own instances of the app's
//! modules, and a mailbox.
//!
//! ```text
//!             its turn                   parked by receive, sleep
//!   Ready ---------------> Running ----------------------------> Receiving, Sleeping
//!     ^                     |    \--a future of the host's--> Waiting     |
//!     |                     |                                    |        |
//!     +---slice used up-----+--ends--> (told to watchers)        |        |
//!     +----------------------------------------------------------+--------+  a message, the deadline, the future's end
//! ```
//!
//! | file | what |
//! |---|---|
//! | `slab` | ids, records |
//! | `mailbox` | sending within the VM, receiving |
//! | `runner` | turns |
//! | `clock` | deadlines |
//! | `watch` | monitors and links |
//! | `guest` | mailboxes of requests |
//! | `post`, `letter` | what goes from worker to worker, and its bytes |
//! | `lasting` | the same bytes for `kv` and `cache` |
//! | `listen` | tasks for the connections to a port |
//! | `supervise`, `cron` | what the manifest starts, and starts again |
//! | `retire` | their end when another version of the app has taken the place of theirs |
//!
//! **Invariants.** A parked task costs its coroutine, two elements of tables and a record: no future, no timer without a deadline. A
//! task that is Ready is in the queue exactly once; others are not in it. All that a task holds goes when it ends
//! ([`Tasks::finish`]), and a task ends with its VM at the latest. Messages are in the VM's heap.

mod clock;
pub mod cron;
mod guest;
mod lasting;
mod letter;
mod listen;
mod mailbox;
mod post;
mod retire;
mod runner;
mod slab;
mod spawn;
pub mod supervise;
#[cfg(test)]
mod tests;
mod watch;

use crate::coroutine::Budget;
use crate::light::Threads;
use crate::vm::{AppVm, Context, Current};
use rille_lua::{Lua, LuaString, Result, Table};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

pub use listen::{Maker, Ports};
pub use mailbox::{Refused, Selector, Wait};
pub use post::{Exchange, MAX_NAME, MAX_NAMES};
pub use slab::{MAX_TASKS, Tid};
pub(crate) use spawn::find;
pub use spawn::{Entry, MAIN};
pub use watch::{Ending, MAX_TIES};

use clock::Clock;
use post::Post;
use slab::{Slab, State};

/// The most messages in a mailbox.
pub const MAX_MESSAGES: u32 = 10_000;
/// The most table entries in a message: copying one is a single step.
pub const MAX_VALUES: usize = 100_000;

/// The tasks of a VM.
pub struct Tasks {
    /// `threads[slot + 1]` is the coroutine of a task.
    threads: Table,
    /// `boxes[slot + 1]` is its only message, or the ring of its messages, or false.
    boxes: Table,
    /// `modules[tid]` is what `require` keeps for it.
    modules: Table,
    /// What messages share instead of copying it.
    kept: Table,
    words: Words,
    slab: RefCell<Slab>,
    ready: RefCell<VecDeque<u32>>,
    /// Which task has its turn.
    running: Cell<Option<u32>>,
    /// Whether the scheduler holds the runner, or runs it.
    is_queued: Cell<bool>,
    clock: Clock,
    /// The second in which a task crashed last, and how many did in it.
    crashes: Cell<(u64, u32)>,
    current: Rc<Current>,
    limits: Limits,
    entries: RefCell<spawn::Entries>,
    post: Post,
    guests: RefCell<guest::Guests>,
    supervision: RefCell<Option<supervise::Supervision>>,
    connections: listen::Connections,
    /// Nothing is spawned any more.
    is_over: Cell<bool>,
    home: RefCell<Home>,
}

/// What tasks of a VM may use.
#[derive(Clone, Copy)]
struct Limits {
    tasks: usize,
    mailbox: usize,
    /// Nanoseconds.
    cpu_per_minute: u64,
}

/// The names of an event's fields, and the event that the host sends.
struct Words {
    what: LuaString,
    sender: LuaString,
    parameter: LuaString,
    task_stopped: LuaString,
    deploy: LuaString,
    /// An event: new ones are made like it.
    event: Table,
}

/// The VM, and what the scheduler holds of it.
#[derive(Default)]
struct Home {
    vm: Weak<AppVm>,
    runner: Option<Rc<dyn crate::scheduler::Job>>,
    /// What host functions find as the current context while a task has its turn.
    context: Option<Rc<dyn Context>>,
}

impl Tasks {
    /// None yet.
    pub(crate) fn new(lua: &Lua, app: &crate::app::App, current: Rc<Current>) -> Result<Tasks> {
        let limits = &app.manifest.limits;
        let (id, letters) = app.exchange.join();
        let event = lua.create_table_with_capacity(0, 3)?;
        for word in ["what", "sender", "parameter"] {
            event.raw_set(word, true)?;
        }
        Ok(Tasks {
            threads: lua.create_table()?,
            boxes: lua.create_table()?,
            modules: lua.create_table()?,
            kept: lua.create_table()?,
            words: Words {
                what: lua.create_string("what")?,
                sender: lua.create_string("sender")?,
                parameter: lua.create_string("parameter")?,
                task_stopped: lua.create_string("task-stopped")?,
                deploy: lua.create_string("deploy")?,
                event,
            },
            slab: RefCell::new(Slab::new(id)),
            ready: RefCell::default(),
            running: Cell::new(None),
            is_queued: Cell::new(false),
            clock: Clock::default(),
            crashes: Cell::default(),
            current,
            limits: Limits {
                tasks: usize::try_from(limits.tasks).unwrap_or(usize::MAX),
                mailbox: usize::try_from(limits.mailbox).unwrap_or(usize::MAX),
                cpu_per_minute: limits.cpu_per_minute.as_nanos() as u64,
            },
            entries: RefCell::default(),
            post: Post::new(id, letters),
            guests: RefCell::default(),
            supervision: RefCell::default(),
            connections: listen::Connections::default(),
            is_over: Cell::new(false),
            home: RefCell::default(),
        })
    }

    /// Tells the tasks what they live in; once.
    pub(crate) fn attach(self: &Rc<Self>, vm: &Rc<AppVm>) {
        *self.home.borrow_mut() = Home {
            vm: Rc::downgrade(vm),
            runner: Some(Rc::new(runner::Runner(Rc::downgrade(self)))),
            context: Some(Rc::new(TurnContext {
                tasks: Rc::downgrade(self),
                own: TaskContext::new(None, Budget::of_background(vm)),
            })),
        };
    }

    fn vm(&self) -> Option<Rc<AppVm>> {
        self.home.borrow().vm.upgrade()
    }

    /// Messages share these tables instead of copying them, and copies keep them as their metatables.
    pub fn keep(&self, marker: &Table) -> Result<()> {
        let place = self.kept.raw_len() + 1;
        self.kept.raw_set(marker, place as i64)?;
        self.kept.raw_set(place as i64, marker)
    }

    /// The task that runs: it, one of its light threads, or one of its timers; or the guest that the current request is.
    pub fn current(&self) -> Option<Tid> {
        self.current_slot().map(|slot| self.slab.borrow().tid(slot))
    }

    /// Whether what runs is a task itself, in its turn: not one of its light threads or timers.
    #[inline]
    pub fn has_turn(&self) -> bool {
        self.running.get().is_some()
    }

    /// Whether what runs is a task, or something of a task's.
    pub fn is_in_task(&self) -> bool {
        let slab = self.slab.borrow();
        (self.current_slot()).is_some_and(|slot| slab.get(slot).state != State::Guest)
    }

    fn current_slot(&self) -> Option<u32> {
        self.running.get().or_else(|| {
            match self.current.with(|context: &TaskContext| context.tid) {
                Some(tid) => self.slab.borrow().find(tid?),
                None => self.guest_of(&self.current.context()?),
            }
        })
    }

    /// Who spawned the current task, if that was a task.
    pub fn parent(&self) -> Option<Tid> {
        let slab = self.slab.borrow();
        let parent = slab.get(self.current_slot()?).parent;
        (parent != 0).then_some(Tid(parent))
    }

    /// Whether a task of this VM is there; `None`: it is another VM's.
    pub fn is_alive(&self, tid: Tid) -> Option<bool> {
        (tid.vm() == self.post.id).then(|| self.find(tid).is_some())
    }

    fn find(&self, tid: Tid) -> Option<u32> {
        self.slab.borrow().find(tid)
    }

    /// How many tasks there are.
    pub fn count(&self) -> usize {
        self.slab.borrow().alive() - self.guests()
    }

    /// The first `max` of them: the id, the name that was spawned, what it does, and how many messages it has.
    pub fn list(&self, max: usize) -> Vec<(Tid, Rc<str>, &'static str, usize)> {
        let (slab, entries) = (self.slab.borrow(), self.entries.borrow());
        let is_task = |slot: &u32| !matches!(slab.get(*slot).state, State::Free | State::Guest);
        let shown = (0..slab.end()).filter(is_task).take(max).map(|slot| {
            let task = slab.get(slot);
            let doing = match task.state {
                State::Free => "free",
                State::Ready => "ready",
                State::Running => "running",
                State::Receiving => "receiving",
                State::Sleeping => "sleeping",
                State::Waiting => "waiting",
                State::Guest => "guest",
            };
            let name = entries.name(task.name);
            (slab.tid(slot), name, doing, task.count as usize)
        });
        shown.collect()
    }

    /// What `require` keeps for the current task; `None`: no task runs.
    pub fn modules(&self, lua: &Lua) -> Result<Option<Table>> {
        let Some(tid) = self.current_slot().and_then(|slot| {
            let slab = self.slab.borrow();
            (slab.get(slot).state != State::Guest).then(|| slab.tid(slot))
        }) else {
            return Ok(None);
        };
        if let Some(kept) = self.modules.raw_get::<Option<Table>>(tid.to_integer())? {
            return Ok(Some(kept));
        }
        let kept = lua.create_table()?;
        self.modules.raw_set(tid.to_integer(), &kept)?;
        Ok(Some(kept))
    }

    /// The context of the current task, for what is to end with it.
    pub fn context(&self) -> Option<Rc<TaskContext>> {
        let slot = self.current_slot()?;
        let is_task = self.slab.borrow().get(slot).state != State::Guest;
        if is_task { self.context_of(slot) } else { None }
    }

    /// The context of a task, for what outlives a turn.
    fn context_of(&self, slot: u32) -> Option<Rc<TaskContext>> {
        let vm = self.vm()?;
        let mut slab = self.slab.borrow_mut();
        let tid = slab.tid(slot);
        let task = slab.get_mut(slot);
        let cpu = task.cpu;
        let make = || {
            let made = TaskContext::new(Some(tid), Budget::of_background(&vm));
            made.cpu.set(Duration::from_nanos(cpu));
            Rc::new(made)
        };
        Some(task.extra().context.get_or_insert_with(make).clone())
    }

    /// Ends what is left when the VM goes.
    pub(crate) fn close(&self) {
        let mut contexts = Vec::new();
        {
            let mut slab = self.slab.borrow_mut();
            for slot in 0..slab.end() {
                let Some(extra) = &mut slab.get_mut(slot).extra else {
                    continue;
                };
                if let Some(future) = extra.waits.take() {
                    future.abort();
                }
                contexts.extend(extra.context.take());
            }
        }
        for context in contexts {
            context.end();
        }
        self.clock.stop();
        if let Some(supervision) = self.supervision.borrow_mut().take() {
            supervision.end();
        }
        if let Some(reader) = self.post.leave() {
            reader.abort();
        }
    }
}

/// What a task's light threads and timers run for. It is made when there is one.
pub struct TaskContext {
    tid: Option<Tid>,
    cpu: Cell<Duration>,
    minute: Cell<Instant>,
    threads: Threads,
    budget: Budget,
    /// What is aborted when the task ends.
    followers: RefCell<Vec<AbortHandle>>,
}

impl TaskContext {
    /// Something of the host's ends with the task.
    pub fn ends_with(&self, follower: AbortHandle) {
        let mut followers = self.followers.borrow_mut();
        if followers.len() == followers.capacity() {
            followers.retain(|follower| !follower.is_finished());
        }
        followers.push(follower);
    }

    /// The task has ended.
    fn end(&self) {
        self.threads.kill_all();
        for follower in self.followers.take() {
            follower.abort();
        }
    }

    fn new(tid: Option<Tid>, budget: Budget) -> TaskContext {
        TaskContext {
            tid,
            cpu: Cell::default(),
            minute: Cell::new(Instant::now()),
            threads: Threads::default(),
            budget,
            followers: RefCell::default(),
        }
    }
}

impl Context for TaskContext {
    fn cpu(&self) -> &Cell<Duration> {
        &self.cpu
    }

    fn minute(&self) -> Option<&Cell<Instant>> {
        Some(&self.minute)
    }

    fn threads(&self) -> &Threads {
        &self.threads
    }

    fn budget(&self) -> Budget {
        self.budget
    }

    fn phase(&self) -> &'static str {
        "timer"
    }
}

/// The current context during turns: whoever asks for it gets that of the task whose turn it is.
struct TurnContext {
    tasks: Weak<Tasks>,
    own: TaskContext,
}

impl Context for TurnContext {
    fn cpu(&self) -> &Cell<Duration> {
        &self.own.cpu
    }

    fn threads(&self) -> &Threads {
        &self.own.threads
    }

    fn budget(&self) -> Budget {
        self.own.budget
    }

    fn phase(&self) -> &'static str {
        "timer"
    }

    fn stands_for(&self) -> Option<Rc<dyn Context>> {
        let tasks = self.tasks.upgrade()?;
        let context = tasks.context_of(tasks.running.get()?)?;
        Some(context)
    }
}

/// Names by which tasks are spawned, each once.
type Names = HashMap<Rc<str>, u32>;
