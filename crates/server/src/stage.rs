//! A worker's side of a deploy: versions are prepared beside those that serve, and then take their place.
//!
//! ```text
//!   Prepare --> VM, init.lua, health.lua --no--> (dropped), the reason
//!                        | yes
//!                        v
//!                     waiting --Commit--> in the fleet; the former one makes way
//!                        |
//!                        +--Abort--> (dropped)
//! ```
//!
//! **Invariants.** Until its commit a version is in no fleet: it gets no request, no connection and starts no task. A commit cannot fail. What is
//! prepared and neither committed nor aborted goes with the stage.

use crate::asked::{Answer, Ask};
use crate::bindings;
use crate::exchange::Room;
use crate::fleet::{Served, Slot};
use crate::hosts::{AppIndex, Hosts};
use crate::mk;
use crate::worker::Worker;
use rille_runtime::app::App;
use rille_runtime::problem::Problem;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::AppVm;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;

/// How often it is looked whether the old version's tasks of the process have ended.
const LOOK: Duration = Duration::from_millis(5);

/// What a worker is told.
pub enum Command {
    /// Say something about the tasks of the app in a place, or to them.
    Ask {
        /// The app's place.
        place: AppIndex,
        /// What is asked.
        ask: Ask,
        /// Takes the answer.
        reply: Sender<Answer>,
    },
    /// Make a version ready.
    Prepare {
        /// Which deploy this is.
        deploy: u64,
        /// The version.
        app: Arc<App>,
        /// Told whether it is.
        reply: Sender<Result<(), Problem>>,
    },
    /// Forget what was prepared.
    Abort {
        /// For which deploy.
        deploy: u64,
    },
    /// Serve what was prepared, or nothing any more.
    Commit {
        /// For which deploy; `None`: the app is removed.
        deploy: Option<u64>,
        /// The app's place.
        place: AppIndex,
        /// Who answers which host from now on.
        hosts: Arc<Hosts>,
        /// Told that it is done.
        reply: Sender<()>,
    },
}

enum Prepared {
    /// It is being made.
    Making(AbortHandle),
    /// It waits for its commit.
    Made(Rc<Served>),
}

/// A worker's side of deploys.
pub struct Stage {
    worker: Rc<Worker>,
    scheduler: Rc<Scheduler>,
    number: usize,
    facts: Rc<mk::Facts>,
    prepared: RefCell<HashMap<u64, Prepared>>,
}

impl Stage {
    /// Of the worker with this number.
    pub fn new(
        worker: Rc<Worker>,
        scheduler: Rc<Scheduler>,
        number: usize,
        facts: Rc<mk::Facts>,
    ) -> Rc<Stage> {
        Rc::new(Stage {
            worker,
            scheduler,
            number,
            facts,
            prepared: RefCell::default(),
        })
    }

    /// Makes an app that is there from the start: its tasks begin.
    pub async fn start_app(&self, app: &Arc<App>) -> Result<Served, Problem> {
        let served = self.make(app)?;
        let vm = Unused(Some(served.vm.clone()));
        served.vm.init().await?;
        vm.use_it();
        served.vm.tasks().start(self.is_first());
        Ok(served)
    }

    /// Does what it is told, for ever.
    pub async fn obey(self: Rc<Self>, mut commands: UnboundedReceiver<Command>) {
        let _forgets = Forgets(self.clone());
        while let Some(command) = commands.recv().await {
            match command {
                Command::Ask { place, ask, reply } => {
                    let answer = match self.worker.fleet().slot(place) {
                        Slot::Live(served) => ask.answer(&served.vm),
                        _ => Answer::NotHere,
                    };
                    let _ = reply.send(answer);
                }
                Command::Prepare { deploy, app, reply } => self.prepare(deploy, app, reply),
                Command::Abort { deploy } => self.abort(deploy),
                Command::Commit {
                    deploy,
                    place,
                    hosts,
                    reply,
                } => {
                    self.commit(deploy, place, hosts);
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(());
                }
            }
        }
    }

    /// Whether this worker has the tasks that the process has one of.
    fn is_first(&self) -> bool {
        self.number == 0
    }

    /// An app's VM, with all that scripts find there; nothing of the app has run.
    fn make(&self, app: &Arc<App>) -> Result<Served, Problem> {
        let failed = |error: rille_lua::Error| {
            Problem::new(
                app.folder.display().to_string(),
                format!("cannot make the app's VM: {error}"),
            )
        };
        let number = self.number;
        let vm = AppVm::new(app.clone(), self.scheduler.clone(), self.worker.log());
        let vm = vm.map_err(failed)?;
        let request = bindings::install(vm.lua(), vm.current(), vm.json()).map_err(failed)?;
        let encode = vm.json().encode_function(vm.lua()).map_err(failed)?;
        rille_modules::install(&vm).map_err(failed)?;
        crate::ngx::install(&vm, (number, self.facts.workers)).map_err(failed)?;
        mk::install(&vm, &self.facts).map_err(failed)?;
        let handlers = RefCell::new(app.files.iter().map(|_| None).collect());
        Ok(Served {
            vm,
            request,
            encode,
            room: Room::new(app.manifest.limits.memory),
            upgraded: Rc::default(),
            forwarder: OnceCell::new(),
            handlers,
        })
    }

    fn prepare(self: &Rc<Self>, deploy: u64, app: Arc<App>, reply: Sender<Result<(), Problem>>) {
        let stage = self.clone();
        let making = tokio::task::spawn_local(async move {
            let made = stage.make_ready(&app).await;
            let answer = match made {
                Ok(served) => {
                    let made = Prepared::Made(Rc::new(served));
                    stage.prepared.borrow_mut().insert(deploy, made);
                    Ok(())
                }
                Err(problem) => {
                    stage.prepared.borrow_mut().remove(&deploy);
                    Err(problem)
                }
            };
            drop((stage, app));
            let _ = reply.send(answer);
        });
        let making = Prepared::Making(making.abort_handle());
        self.prepared.borrow_mut().insert(deploy, making);
    }

    /// Makes a version that may take the place of another.
    async fn make_ready(&self, app: &Arc<App>) -> Result<Served, Problem> {
        let served = self.make(app)?;
        let vm = Unused(Some(served.vm.clone()));
        served.vm.init().await?;
        served.vm.check_health().await?;
        vm.use_it();
        Ok(served)
    }

    fn abort(&self, deploy: u64) {
        let prepared = self.prepared.borrow_mut().remove(&deploy);
        match prepared {
            Some(Prepared::Making(making)) => making.abort(),
            Some(Prepared::Made(served)) => served.vm.dismiss(),
            None => {}
        }
    }

    fn commit(&self, deploy: Option<u64>, place: AppIndex, hosts: Arc<Hosts>) {
        let slot = match deploy {
            None => Slot::Vacant,
            Some(deploy) => match self.prepared.borrow_mut().remove(&deploy) {
                Some(Prepared::Made(served)) => Slot::Live(served),
                // Nobody commits what is not ready.
                _ => return,
            },
        };
        let (fleet, former) = self.worker.fleet().with(place, slot.clone(), hosts);
        self.worker.set_fleet(fleet);
        if let Slot::Live(former) = former {
            self.retire(place, former);
        }
        if let Slot::Live(served) = slot {
            served.vm.tasks().open(self.is_first());
            self.start_tasks(place, &served.vm);
        }
    }

    /// The version that was in this place goes when its last request has ended.
    pub fn retire(&self, place: AppIndex, served: Rc<Served>) {
        served.vm.retire();
        self.worker.retired().add(place, &served.vm);
        tokio::task::spawn_local(async move { served.vm.make_way().await });
    }

    /// Starts the tasks of the manifest: those of the first worker when the version before has none left that the process has one of.
    fn start_tasks(&self, place: AppIndex, vm: &Rc<AppVm>) {
        let has_to_wait = || self.worker.retired().has_process_tasks(place);
        if !self.is_first() || vm.app().manifest.deploy.overlap || !has_to_wait() {
            return vm.tasks().start_children(self.is_first());
        }
        let (worker, vm) = (self.worker.clone(), Rc::downgrade(vm));
        tokio::task::spawn_local(async move {
            while worker.retired().has_process_tasks(place) {
                tokio::time::sleep(LOOK).await;
            }
            if let Some(vm) = vm.upgrade() {
                vm.tasks().start_children(true);
            }
        });
    }
}

/// A VM that is dismissed unless it comes to be used.
struct Unused(Option<Rc<AppVm>>);

impl Unused {
    fn use_it(mut self) {
        self.0 = None;
    }
}

impl Drop for Unused {
    fn drop(&mut self) {
        if let Some(vm) = self.0.take() {
            vm.dismiss();
        }
    }
}

/// Aborts what is left when the stage obeys no more.
struct Forgets(Rc<Stage>);

impl Drop for Forgets {
    fn drop(&mut self) {
        let left: Vec<u64> = self.0.prepared.borrow().keys().copied().collect();
        for deploy in left {
            self.0.abort(deploy);
        }
    }
}
