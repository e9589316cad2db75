//! Tasks on a clock of the test's own: nothing sleeps, and nothing runs that the test does not run.

use super::Tasks;
use crate::app::App;
use crate::log::Log;
use crate::scheduler::Scheduler;
use crate::vm::AppVm;
use rille_lua::function::{Cost, NativeDef};
use rille_lua::native::{Ctx, NativeResult};
use rille_lua::value::Val;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const MS: u64 = 1_000_000;

static NAP: NativeDef = NativeDef::new("nap", nap, Cost::Constant);
static GET: NativeDef = NativeDef::new("get", get, Cost::Constant);

fn nap(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(tasks) = ctx.host_object::<Rc<Tasks>>(0) else {
        return ctx.ret0();
    };
    let millis = ctx.check_int(0)?;
    assert!(tasks.sleep(Duration::from_millis(millis as u64)));
    ctx.park(|ctx| ctx.ret0())
}

fn get(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(tasks) = ctx.host_object::<Rc<Tasks>>(0) else {
        return ctx.ret0();
    };
    let millis = ctx.check_int(0)?;
    let any = super::Selector {
        what: Val::NIL,
        sender: Val::NIL,
    };
    let wait = tasks.receive(ctx, any, Some(Duration::from_millis(millis as u64)))?;
    got(ctx, wait)
}

fn got(ctx: &mut Ctx<'_>, wait: super::Wait) -> NativeResult {
    match wait {
        super::Wait::Event(event) => ctx.ret(event),
        super::Wait::Late => ctx.ret(Val::NIL),
        super::Wait::Park => ctx.park(|ctx| {
            let Some(tasks) = ctx.host_object::<Rc<Tasks>>(0) else {
                return ctx.ret0();
            };
            let any = super::Selector {
                what: Val::NIL,
                sender: Val::NIL,
            };
            let wait = tasks.receive_again(ctx, any)?;
            got(ctx, wait)
        }),
    }
}

struct World {
    vm: Rc<AppVm>,
    scheduler: Rc<Scheduler>,
    said: Rc<RefCell<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(files: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tasks")).unwrap();
        for (path, text) in files {
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        let app = App::load(folder.path()).app.map_err(|_| "no app").unwrap();
        let scheduler = Scheduler::new();
        let vm = AppVm::new(Arc::new(app), scheduler.clone(), &Log::memory()).unwrap();
        let lua = vm.lua();
        vm.tasks().clock.now.set(Some(1));
        let object = [lua.create_host_object(vm.tasks().clone()).unwrap()];
        for def in [&NAP, &GET] {
            let native = lua.create_native_closure(def, &object).unwrap();
            lua.globals().raw_set(def.name, native).unwrap();
        }
        let said = Rc::new(RefCell::new(Vec::new()));
        let sink = said.clone();
        let say = lua.create_function(move |_, text: String| {
            sink.borrow_mut().push(text);
            Ok(())
        });
        lua.globals().raw_set("say", say.unwrap()).unwrap();
        World {
            vm,
            scheduler,
            said,
            _folder: folder,
        }
    }

    fn spawn(&self, name: &str) -> super::Tid {
        self.vm.tasks().spawn(name, &[]).unwrap().unwrap()
    }

    /// Runs everything that can run at this time.
    fn run_at(&self, millis: u64) -> Vec<String> {
        let tasks = self.vm.tasks();
        tasks.clock.now.set(Some(1 + millis * MS));
        assert!(tasks.wake_late());
        while self.scheduler.step() {}
        self.said.take()
    }
}

#[test]
fn deadlines_are_kept_in_their_order() {
    let world = World::new(&[
        (
            "tasks/a.lua",
            "nap(30) say 'a 30' nap(0) say 'a 30 again' nap(20) say 'a 50'",
        ),
        (
            "tasks/b.lua",
            "nap(10) say 'b 10' say(tostring(get(15))) say 'b 25'",
        ),
    ]);
    world.spawn("a");
    world.spawn("b");
    assert_eq!(world.run_at(0), [""; 0]);
    assert_eq!(world.run_at(9), [""; 0]);
    assert_eq!(world.run_at(10), ["b 10"]);
    assert_eq!(world.run_at(24), [""; 0]);
    assert_eq!(world.run_at(25), ["nil", "b 25"]);
    assert_eq!(world.run_at(30), ["a 30"]);
    assert_eq!(world.run_at(30), ["a 30 again"]);
    assert_eq!(world.run_at(1000), ["a 50"]);
    assert_eq!(world.vm.tasks().count(), 0);
}

#[test]
fn a_deadline_goes_with_its_wait_and_with_its_task() {
    let world = World::new(&[
        (
            "tasks/wait.lua",
            "say(get(100).what) say(tostring(get(100)))",
        ),
        ("tasks/gone.lua", "nap(100)"),
    ]);
    let wait = world.spawn("wait");
    let gone = world.spawn("gone");
    world.run_at(0);
    let tasks = world.vm.tasks();
    tasks.kill(gone);
    let slot = tasks.find(wait).unwrap();
    tasks.tell_stopped(slot, gone, "test");
    assert_eq!(world.run_at(50), ["task-stopped"]);
    assert_eq!(tasks.count(), 1);
    // The first wait's deadline would be now.
    assert_eq!(world.run_at(100), [""; 0]);
    assert_eq!(world.run_at(149), [""; 0]);
    assert_eq!(world.run_at(150), ["nil"]);
    assert_eq!(tasks.count(), 0);
}

#[test]
fn turns_go_round() {
    let world = World::new(&[(
        "tasks/busy.lua",
        "local name = (busy_count or 0) for i = 1, 3 do for j = 1, 200000 do end say('turn') end",
    )]);
    for _ in 0..3 {
        world.spawn("busy");
    }
    world.vm.tasks().clock.now.set(Some(1));
    // After its first turn nobody has done all: they take turns.
    let mut steps = 0;
    while world.said.borrow().len() < 3 {
        assert!(world.scheduler.step());
        steps += 1;
        assert!(steps < 10_000);
    }
    assert_eq!(
        world.vm.tasks().count(),
        3,
        "none is through before all have begun"
    );
    while world.scheduler.step() {}
    assert_eq!(world.said.borrow().len(), 9);
    assert_eq!(world.vm.tasks().count(), 0);
}

#[test]
fn an_end_is_told_once_and_leaves_nothing() {
    let world = World::new(&[("tasks/nap.lua", "nap(10)")]);
    let tasks = world.vm.tasks();
    let tids: Vec<super::Tid> = (0..100).map(|_| world.spawn("nap")).collect();
    world.run_at(0);
    for tid in &tids {
        assert!(tasks.kill(*tid));
        assert!(tasks.kill(*tid), "it has not ended yet");
    }
    world.run_at(0);
    for tid in &tids {
        assert!(!tasks.kill(*tid));
        assert_eq!(tasks.is_alive(*tid), Some(false));
    }
    assert_eq!(tasks.count(), 0);
    assert!(tasks.ready.borrow().is_empty());
    assert_eq!(world.run_at(20), [""; 0]);
}
