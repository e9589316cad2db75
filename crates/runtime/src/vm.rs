//! One app version's Lua on one worker.
//!
//! **Invariants.** An `AppVm` never leaves its thread. Everything a script can reach is in its own heap,
//! or behind a host function that looks at the *current context*: the request (or task) whose
//! coroutine is running. The context is set for the length of a slice and only then, so one request
//! can never see another's, however they interleave; and the objects that stand for it (`request`,
//! `response`) are made once per VM, not once per request.

use crate::app::{App, INIT};
use crate::coroutine::{Budget, End, Failure, Started};
use crate::host::SandboxHost;
use crate::light::Threads;
use crate::log::{AppLog, Log};
use crate::modules::{self, json::Json};
use crate::net::Net;
use crate::problem::Problem;
use crate::route::FileId;
use crate::scheduler::{Scheduler, Tenant};
use crate::task::Tasks;
use rille_lua::{Function, Lua, LuaOptions, MultiValue, Profile, Result, Table, Thread};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Processor time `init.lua` may use.
pub const INIT_CPU: Duration = Duration::from_secs(5);
/// How long `init.lua` may take.
pub const INIT_WALL: Duration = Duration::from_secs(30);
/// Finished coroutines kept for reuse.
const POOL: usize = 64;

/// What a coroutine runs for: a request, a timer, a task.
pub trait Context: Any {
    /// Processor time used so far, by all coroutines that ran for it.
    fn cpu(&self) -> &Cell<Duration>;

    /// When the minute began that its processor time is counted for, if that is renewed: its coroutines share it, as they do the time.
    fn minute(&self) -> Option<&Cell<Instant>> {
        None
    }

    /// Its light threads.
    fn threads(&self) -> &Threads;

    /// What a further coroutine of it may use.
    fn budget(&self) -> Budget;

    /// What of its life it is in, in OpenResty's words: `content`, `timer`, ...
    fn phase(&self) -> &'static str;

    /// The context that this one, shared by many, stands for now.
    fn stands_for(&self) -> Option<Rc<dyn Context>> {
        None
    }

    /// A slice of one of its coroutines begins.
    fn entered(&self) {}

    /// Whether one of its coroutines has asked for the end of all (`ngx.exit`): whoever has waits for nothing.
    fn has_exited(&self) -> bool {
        false
    }
}

/// What `init.lua` and timers run for.
pub struct Background {
    cpu: Cell<Duration>,
    minute: Cell<Instant>,
    threads: Threads,
    budget: Budget,
    phase: &'static str,
    ctx: RefCell<Option<Table>>,
    exited: Cell<bool>,
}

impl Background {
    /// A context of its own, with this budget.
    pub fn new(budget: Budget, phase: &'static str) -> Rc<Background> {
        Rc::new(Background {
            phase,
            ctx: RefCell::default(),
            exited: Cell::new(false),
            cpu: Cell::default(),
            minute: Cell::new(Instant::now()),
            threads: Threads::default(),
            budget,
        })
    }
}

impl Background {
    /// What its coroutines keep for each other (`ngx.ctx`).
    pub fn ctx(&self, lua: &Lua) -> Result<Table> {
        if let Some(ctx) = &*self.ctx.borrow() {
            return Ok(ctx.clone());
        }
        let ctx = lua.create_table()?;
        self.set_ctx(ctx.clone());
        Ok(ctx)
    }

    /// Puts another table in its place.
    pub fn set_ctx(&self, ctx: Table) {
        *self.ctx.borrow_mut() = Some(ctx);
    }

    /// Ends all its coroutines: whoever asks for it waits for nothing from now on.
    pub fn exit(&self) {
        self.exited.set(true);
        self.threads.wake_driver();
    }
}

impl Context for Background {
    fn has_exited(&self) -> bool {
        self.exited.get()
    }

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
        self.phase
    }
}

/// The context of the coroutine that runs now.
#[derive(Default)]
pub struct Current(RefCell<Option<Rc<dyn Context>>>);

impl Current {
    /// The context.
    pub fn context(&self) -> Option<Rc<dyn Context>> {
        let context = self.0.borrow().clone()?;
        Some(context.stands_for().unwrap_or(context))
    }

    /// The context, if it is a `T`.
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let context: Rc<dyn Any> = self.0.borrow().clone()?;
        context.downcast().ok()
    }

    /// Applies `f` to the context, if it is a `T`; cheaper than [`Current::get`]. `f` must not run
    /// Lua.
    pub fn with<T: 'static, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let context = self.0.borrow();
        let context: &dyn Any = &**context.as_ref()?;
        context.downcast_ref().map(f)
    }
}

/// Puts the former context back when the slice is over.
pub struct Entered<'a> {
    current: &'a Current,
    former: Option<Rc<dyn Context>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.current.0.borrow_mut() = self.former.take();
    }
}

/// The VM of an app on this worker.
pub struct AppVm {
    lua: Lua,
    app: Arc<App>,
    scheduler: Rc<Scheduler>,
    tenant: Rc<Tenant>,
    log: Rc<AppLog>,
    json: Rc<Json>,
    net: Rc<Net>,
    current: Rc<Current>,
    tasks: Rc<Tasks>,
    /// Main functions of the app's files, made when first needed.
    mains: RefCell<Vec<Option<Main>>>,
    pool: RefCell<Vec<Thread>>,
    /// How many coroutines run inside of one another now.
    depth: Cell<u32>,
    stopping: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    timers_over: watch::Sender<bool>,
    is_cut: Cell<bool>,
    /// What runs for no request.
    background: Cell<usize>,
}

/// Something runs for no request, for as long as this lives.
pub struct InBackground(Rc<AppVm>);

impl Drop for InBackground {
    fn drop(&mut self) {
        self.0.background.set(self.0.background.get() - 1);
    }
}

impl AppVm {
    /// A VM with the sandbox library and the modules that need nothing but the runtime. `init.lua` has not run.
    pub fn new(app: Arc<App>, scheduler: Rc<Scheduler>, log: &Log) -> Result<Rc<AppVm>> {
        let limits = &app.manifest.limits;
        let log = Rc::new(AppLog::new(log.clone(), app.name(), limits.log));
        let lua = Lua::with_options(LuaOptions {
            profile: Profile::Sandbox,
            dialect: app.manifest.dialect,
            memory_limit: usize::try_from(limits.memory).unwrap_or(usize::MAX),
            host: Rc::new(SandboxHost::new(app.clone(), log.clone())),
            layered_globals: true,
            ..LuaOptions::default()
        })?;
        let current: Rc<Current> = Rc::default();
        let tasks = Rc::new(Tasks::new(&lua, &app, current.clone())?);
        let json = modules::install(&lua, &app, &log, &tasks)?.json;
        for marker in json.markers() {
            tasks.keep(marker)?;
        }
        let most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let net = Net::new(
            most(limits.sockets),
            most(limits.memory),
            app.outbound.clone(),
        );
        let vm = Rc::new(AppVm {
            lua,
            tenant: Tenant::new(app.manifest.preempt),
            scheduler,
            log,
            json,
            net,
            current,
            tasks,
            mains: RefCell::new(app.files.iter().map(|_| None).collect()),
            pool: RefCell::default(),
            depth: Cell::new(0),
            stopping: watch::Sender::new(false),
            closing: watch::Sender::new(false),
            timers_over: watch::Sender::new(false),
            is_cut: Cell::new(false),
            background: Cell::new(0),
            app,
        });
        vm.tasks.attach(&vm);
        Ok(vm)
    }

    /// Runs `init.lua`, which fills the app's shared globals.
    pub async fn init(self: &Rc<Self>) -> std::result::Result<(), Problem> {
        let Some(id) = self.app.find(INIT) else {
            return Ok(());
        };
        let budget = Budget {
            cpu: INIT_CPU,
            per_minute: false,
            deadline: Instant::now() + INIT_WALL,
            wall: INIT_WALL,
        };
        self.run_file(id, INIT, budget, true).await.map(drop)
    }

    /// Runs a file of the app at its top level for no request, to the end of its light threads: what it returns. With `shared` its globals are the app's.
    pub(crate) async fn run_file(
        self: &Rc<Self>,
        id: FileId,
        path: &str,
        budget: Budget,
        shared: bool,
    ) -> std::result::Result<MultiValue, Problem> {
        let file = self.app.display_path(path);
        let failed = |failure: Failure| {
            let (line, message) = crate::app::split_message(&failure.to_string(), path);
            match line {
                Some(line) => Problem::at(&file, line, message),
                None => Problem::new(&file, message),
            }
        };
        let started = self.main(id).and_then(|main| {
            let thread = self.lua.create_thread(main)?;
            if shared {
                thread.set_shared_writes(true);
            } else {
                thread.set_globals(Some(self.lua.create_table()?))?;
            }
            Ok(thread)
        });
        let thread = started.map_err(|error| Problem::new(&file, error.to_string()))?;
        let context = Background::new(budget, "init_worker");
        let end = self
            .start(thread, MultiValue::new(), Some(context.clone()), budget)
            .end()
            .await;
        context.threads().all_ended().await;
        match end {
            End::Done(values) => Ok(values),
            End::Exited => Ok(MultiValue::new()),
            End::Failed(failure) => Err(failed(failure)),
        }
    }

    /// The VM itself.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// The app.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The app's log on this worker.
    pub fn log(&self) -> &Rc<AppLog> {
        &self.log
    }

    /// The JSON codec of this VM.
    pub fn json(&self) -> &Rc<Json> {
        &self.json
    }

    /// What its sockets share.
    pub fn net(&self) -> &Rc<Net> {
        &self.net
    }

    /// Its tasks.
    pub fn tasks(&self) -> &Rc<Tasks> {
        &self.tasks
    }

    /// Where host functions find the request they are called for.
    pub fn current(&self) -> &Rc<Current> {
        &self.current
    }

    /// Becomes true when the server is about to stop, or this version of the app is.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Whether it is about to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Becomes true when connections that requests have taken are to end too: when the server is about to stop.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Another version has taken its place: timers that wait run now, its ports are closed. Connections that requests have taken stay.
    pub fn retire(&self) {
        self.stopping.send_replace(true);
    }

    /// The end is near: what waits for its time runs now, and connections that requests have taken are to end.
    pub fn stop(&self) {
        self.retire();
        self.closing.send_replace(true);
    }

    /// Ends what timers run.
    pub fn end_timers(&self) {
        self.timers_over.send_replace(true);
    }

    /// Whether timers run nothing any more.
    pub fn is_over(&self) -> bool {
        *self.timers_over.borrow()
    }

    /// The end: timers, and connections that requests have taken, are cut off.
    pub fn cut(&self) {
        self.stop();
        self.end_timers();
        self.is_cut.set(true);
    }

    /// Whether connections that requests have taken are cut off.
    pub fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// What a timer runs; `None`: it was to end before it did.
    pub async fn unless_over<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut over = self.timers_over.subscribe();
        tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => None,
            value = future => Some(value),
        }
    }

    /// Something begins to run for no request: it is waited for at the end.
    pub fn in_background(self: &Rc<Self>) -> InBackground {
        self.background.set(self.background.get() + 1);
        InBackground(self.clone())
    }

    /// How much runs for no request and is to end by itself: timers, and tasks that have a client.
    pub fn background(&self) -> usize {
        self.background.get() + self.tasks.connections()
    }

    pub(crate) fn depth(&self) -> &Cell<u32> {
        &self.depth
    }

    /// The worker's scheduler.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The app as the scheduler sees it.
    pub fn tenant(&self) -> &Rc<Tenant> {
        &self.tenant
    }

    /// Makes `context` the current one until the guard is dropped.
    pub(crate) fn enter(&self, context: Option<Rc<dyn Context>>) -> Entered<'_> {
        if let Some(context) = &context {
            context.entered();
        }
        let former = std::mem::replace(&mut *self.current.0.borrow_mut(), context);
        Entered {
            current: &self.current,
            former,
        }
    }

    /// The main function of a file that compiled: another one each time, because a script can change the environment of its
    /// main function (`_ENV = t`, `setfenv`), and one request's must not be the next one's.
    pub fn main(&self, id: FileId) -> Result<Function> {
        let spare = self.mains.borrow_mut()[id.0 as usize]
            .as_mut()
            .and_then(|main| main.spare.take());
        if let Some(spare) = spare {
            return Ok(spare);
        }
        if let Some(main) = &self.mains.borrow()[id.0 as usize] {
            return main.loaded.reload();
        }
        let main = match &self.app.file(id).code {
            Ok(chunk) => self.lua.load_chunk(chunk)?,
            Err(problem) => return Err(rille_lua::Error::runtime(problem)),
        };
        let made = main.reload();
        self.mains.borrow_mut()[id.0 as usize] = Some(Main {
            loaded: main,
            spare: None,
        });
        made
    }

    /// Takes back what [`AppVm::main`] gave, which has ended: the next one gets it if it is as it was.
    pub fn give_back_main(&self, id: FileId, main: Function) {
        if main.is_as_loaded()
            && let Some(known) = &mut self.mains.borrow_mut()[id.0 as usize]
        {
            known.spare = Some(main);
        }
    }

    /// A coroutine for `function`, a used one if there is one, with its own globals.
    pub fn thread(&self, function: &Function, globals: Option<&Table>) -> Result<Thread> {
        let used = self.pool.borrow_mut().pop();
        if let Some(thread) = used
            && thread.restart(function, globals).is_ok()
        {
            return Ok(thread);
        }
        let thread = self.lua.create_thread(function.clone())?;
        thread.set_globals(globals.cloned())?;
        Ok(thread)
    }

    /// Keeps a finished coroutine for the next request.
    pub(crate) fn recycle(&self, thread: Thread) {
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOL {
            pool.push(thread);
        }
    }
}

/// The main function of a file.
struct Main {
    /// As it was loaded; it is never run.
    loaded: Function,
    /// Another one of its code that is not running, and as it was.
    spare: Option<Function>,
}

impl Drop for AppVm {
    fn drop(&mut self) {
        self.tasks.leave(&self.app);
        self.tasks.close();
    }
}

impl Started {
    /// Waits for the end.
    pub async fn end(self) -> End {
        match self {
            Started::Ended(end) => end,
            Started::Running(running) => running.await,
        }
    }
}
