//! Whose turn it is on a worker, counted in slices and not in time: what a request waits for, and what runs between two slices of one.

mod harness;

use harness::on_a_worker;
use rille_lua::{FromLuaMulti, IntoLuaMulti, Lua, Result};
use rille_runtime::coroutine::End;
use rille_runtime::log::Log;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::AppVm;
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// No script here comes near it.
const LIMIT: Duration = Duration::from_secs(300);
/// What the wait of a request has to stay under, in slices.
const FLOOR: u64 = 10;
const REQUESTS: usize = 200;
const BUSY: usize = 8;

/// An app of these files, on a worker.
struct Tenant {
    vm: Rc<AppVm>,
    _dir: TempDir,
}

impl Tenant {
    fn new(scheduler: &Rc<Scheduler>, files: &[(&str, &str)]) -> Tenant {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let vm = harness::vm_on(scheduler, &harness::load(dir.path()), &Log::memory());
        Tenant { vm, _dir: dir }
    }

    fn global<A, R>(&self, name: &str, function: impl Fn(&Lua, A) -> Result<R> + 'static)
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let function = self.vm.lua().create_function(function).unwrap();
        self.vm.lua().globals().raw_set(name, function).unwrap();
    }

    fn spawn(&self, task: &str) {
        self.vm.tasks().spawn(task, &[]).unwrap().unwrap();
    }

    /// Runs a file to its end.
    async fn run(&self, file: &str) {
        let end = harness::run(&self.vm, file, LIMIT, LIMIT).await;
        assert!(matches!(end, End::Done(_)), "{file}: {end:?}");
    }
}

/// A request on its way, as the slices of the worker count it.
struct Requests {
    scheduler: Rc<Scheduler>,
    /// The client's end of a connection.
    client: RefCell<std::os::unix::net::UnixStream>,
    /// When the one that is on its way was sent.
    sent: Cell<Option<u64>>,
    calls: Cell<u32>,
    waited: RefCell<Vec<u64>>,
}

impl Requests {
    /// What busy scripts call in their loops: now and then it sends a request, in the midst of a slice.
    fn work(&self) {
        let calls = self.calls.get() + 1;
        self.calls.set(calls);
        if self.sent.get().is_none() && calls.is_multiple_of(977) {
            self.client.borrow_mut().write_all(b"?").unwrap();
            self.sent.set(Some(self.scheduler.slices()));
        }
    }

    /// What a request does first.
    fn begins(&self) {
        let sent = self.sent.take().unwrap();
        self.waited
            .borrow_mut()
            .push(self.scheduler.slices() - sent);
    }
}

/// Sends requests to the first of the apps while the others keep the worker busy; how many slices of others each waited for.
async fn waits(scheduler: Rc<Scheduler>, quick: &Tenant, others: &[&Tenant]) -> Vec<u64> {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let mut server = tokio::net::UnixStream::from_std(server).unwrap();
    let requests = Rc::new(Requests {
        scheduler,
        client: RefCell::new(client),
        sent: Cell::new(None),
        calls: Cell::new(0),
        waited: RefCell::default(),
    });
    for tenant in others.iter().chain([&quick]) {
        let (work, begins) = (requests.clone(), requests.clone());
        tenant.global("work", move |_, ()| {
            work.work();
            Ok(())
        });
        tenant.global("begins", move |_, ()| {
            begins.begins();
            Ok(())
        });
    }
    for tenant in others {
        tenant.spawn("busy");
    }
    for _ in 0..REQUESTS {
        let mut byte = [0];
        server.read_exact(&mut byte).await.unwrap();
        quick.run("hello.lua").await;
    }
    requests.waited.take()
}

const BUSY_TASK: (&str, &str) = ("tasks/busy.lua", "while true do work() end");
const HELLO: (&str, &str) = ("hello.lua", "begins() return 'hello'");

/// All of them, not only the 99th percentile: slices do not depend on what else the machine does.
fn check(waited: &[u64]) {
    assert_eq!(waited.len(), REQUESTS);
    let mut sorted = waited.to_vec();
    sorted.sort_unstable();
    let at = |part: usize| sorted[(REQUESTS * part / 100).min(REQUESTS - 1)];
    println!(
        "slices waited for: p50 {}, p99 {}, most {}",
        at(50),
        at(99),
        at(100)
    );
    let longest = waited.iter().max().unwrap();
    assert!(*longest < FLOOR, "{longest} slices: {waited:?}");
    // It ran beside the others: each was sent in the midst of a slice of theirs.
    assert!(waited.iter().all(|slices| *slices > 0), "{waited:?}");
}

#[test]
fn a_request_waits_for_few_slices_beside_eight_busy_tasks_of_its_app() {
    on_a_worker(async {
        let scheduler = harness::scheduler();
        let tenant = Tenant::new(&scheduler, &[BUSY_TASK, HELLO]);
        check(&waits(scheduler, &tenant, &[&tenant; BUSY]).await);
        assert_eq!(tenant.vm.tasks().count(), BUSY);
    });
}

#[test]
fn a_request_waits_for_few_slices_beside_eight_busy_tasks_of_other_apps() {
    on_a_worker(async {
        let scheduler = harness::scheduler();
        let quick = Tenant::new(&scheduler, &[HELLO]);
        let busy: Vec<_> = (0..BUSY)
            .map(|_| Tenant::new(&scheduler, &[BUSY_TASK]))
            .collect();
        let others: Vec<_> = busy.iter().collect();
        check(&waits(scheduler, &quick, &others).await);
    });
}

/// What two requests of one app do that are long between two waits: `runs` is who ran, noted each time when it was another.
const SECTIONS: &str = r#"
local SLICES = 8
runs = {}
function sections(who)
  for section = 1, 3 do
    local label, start, tasks, tenants = who .. section, slices(), task_turns(), tenant_turns()
    repeat
      if runs[#runs] ~= label then runs[#runs + 1] = label end
    until slices() - start >= SLICES
    -- Meanwhile others ran, each in its turn.
    assert(task_turns() > tasks, label .. ": tasks did not run")
    assert(tenant_turns() > tenants, label .. ": the other app did not run")
    sleep(0.001)
  end
end
"#;

/// Who ran, when two requests of an app run beside a task of it and beside another app.
fn runs(manifest: &str) -> Vec<String> {
    on_a_worker(async {
        let scheduler = harness::scheduler();
        let tenant = Tenant::new(
            &scheduler,
            &[
                ("rille.toml", manifest),
                ("init.lua", SECTIONS),
                ("a.lua", "sections('a')"),
                ("b.lua", "sections('b')"),
                ("tasks/busy.lua", "while true do turn() end"),
            ],
        );
        let other = Tenant::new(
            &scheduler,
            &[("tasks/busy.lua", "while true do turn() end")],
        );
        for (of, name) in [(&tenant, "task_turns"), (&other, "tenant_turns")] {
            let turns = Rc::new(Cell::new(0));
            let read = turns.clone();
            of.global("turn", move |_, ()| {
                turns.set(turns.get() + 1);
                Ok(())
            });
            tenant.global(name, move |_, ()| Ok(read.get()));
        }
        tenant.global("slices", move |_, ()| Ok(scheduler.slices()));
        tenant.vm.init().await.unwrap();
        tenant.spawn("busy");
        other.spawn("busy");
        tokio::join!(tenant.run("a.lua"), tenant.run("b.lua"));
        tenant.vm.lua().globals().raw_get("runs").unwrap()
    })
}

#[test]
fn requests_of_an_app_take_turns_at_waits_only_and_the_others_at_any_time() {
    let mut runs = runs("");
    runs.sort();
    assert_eq!(runs, ["a1", "a2", "a3", "b1", "b2", "b3"]);
}

#[test]
fn requests_take_turns_at_any_time_if_the_manifest_says_so() {
    let runs = runs("preempt = \"coroutine\"");
    assert!(runs.len() > 6, "{runs:?}");
}
