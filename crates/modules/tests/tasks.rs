//! What tasks do that a script alone cannot see: logs, budgets, supervision, other workers, the end of the VM.

mod harness;

use harness::on_a_worker;
use rille_lua::Value;
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::vm::AppVm;
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An app of these files.
fn app(files: &[(&str, &str)]) -> (TempDir, Arc<App>) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let app = harness::load(dir.path());
    (dir, app)
}

/// A VM on a worker of its own.
struct Worker {
    vm: Rc<AppVm>,
    log: Log,
    said: Rc<RefCell<Vec<String>>>,
}

impl Worker {
    async fn new(app: &Arc<App>) -> Worker {
        let log = Log::memory();
        let vm = harness::vm(app, &log);
        let said = Rc::new(RefCell::new(Vec::new()));
        let sink = said.clone();
        let say = vm.lua().create_function(move |_, text: String| {
            sink.borrow_mut().push(text);
            Ok(())
        });
        vm.lua().globals().raw_set("say", say.unwrap()).unwrap();
        vm.init().await.unwrap();
        Worker { vm, log, said }
    }

    fn spawn(&self, name: &str) -> i64 {
        let tid = self.vm.tasks().spawn(name, &[]).unwrap().unwrap();
        tid.to_integer()
    }

    /// Waits until that was said.
    async fn hears(&self, text: &str) {
        let start = Instant::now();
        while !self.said.borrow().iter().any(|said| said == text) {
            let (said, log) = (self.said.borrow(), self.log.lines());
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{text}: {said:?} {log:?}"
            );
            drop(said);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn logs(&self, part: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log.lines().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{part}: {:?}",
                self.log.lines()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[test]
fn a_crash_is_one_line_with_its_traceback_and_harms_nobody() {
    let (_dir, app) = app(&[
        (
            "tasks/bad.lua",
            "local function deep() error('no luck') end\nreturn function() deep() end",
        ),
        (
            "tasks/good.lua",
            "for i = 1, 3 do sleep(0.002) say('good ' .. i) end",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("good");
        let tid = worker.spawn("bad");
        worker.hears("good 3").await;
        let lines = worker.log.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            &format!("task bad ({tid}) crashed: tasks/bad.lua:1: no luck"),
            "tasks/bad.lua:1: in upvalue 'deep'",
            "tasks/bad.lua:2: in function",
        ] {
            assert!(lines[0].contains(part), "{part}: {lines:?}");
        }
    });
}

#[test]
fn a_task_that_loops_takes_turns_and_is_ended_by_its_budget() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\ncpu_per_minute = \"100 ms\""),
        (
            "tasks/spin.lua",
            "while true do pcall(function() while true do end end) end",
        ),
        (
            "tasks/watch.lua",
            "local spin = task.spawn('spin') task.monitor(spin)
             for i = 1, 5 do sleep(0.005) say('turn ' .. i) end
             say(task.receive().parameter)",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        let start = Instant::now();
        worker.spawn("watch");
        worker.hears("turn 5").await;
        assert_eq!(worker.vm.tasks().count(), 2, "it still runs");
        worker.hears("cpu limit of 100 ms a minute").await;
        assert!(start.elapsed() < Duration::from_secs(3));
        let line = worker.logs("crashed").await;
        assert!(
            line.contains("tasks/spin.lua:1: stopped: cpu limit of 100 ms a minute reached"),
            "{line}"
        );
    });
}

#[test]
fn memory_is_one_limit_for_all_and_a_task_that_fills_it_crashes_alone() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\nmemory = \"8 MiB\""),
        (
            "tasks/hog.lua",
            "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
        ),
        (
            "tasks/other.lua",
            "for e in task.receive do say('other ' .. e.what) end",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("other");
        worker.spawn("hog");
        let line = worker.logs("crashed").await;
        assert!(
            line.contains("not enough memory: memory limit of 8 MiB reached"),
            "{line}"
        );
        assert_eq!(worker.vm.tasks().count(), 1);
    });
}

#[test]
fn what_the_manifest_says_is_started_and_started_again() {
    let (_dir, app) = app(&[
        (
            "rille.toml",
            "[supervisor]\nbackoff = \"2 ms\"\n
             [[task]]\nname = \"Main\"\n
             [[task]]\nname = \"crash\"\nrestart = \"transient\"\nintensity = 2\nperiod = \"1 min\"\n
             [[task]]\nname = \"tick\"\non = \"every:3ms\"\n
             [[task]]\nname = \"each\"\ninstances = \"worker\"\nrestart = \"temporary\"",
        ),
        ("main.lua", "function Main() say('Main ' .. tostring(task.whereis('Main') == task.self())) task.receive() end"),
        ("tasks/crash.lua", "say('crash') sleep(0.001) error('again')"),
        ("tasks/tick.lua", "ticks = (ticks or 0) + 1 say('tick ' .. ticks)"),
        ("tasks/each.lua", "say('each ' .. tostring(task.whereis('each') == task.self()))"),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.vm.tasks().start(true);
        worker.hears("Main true").await;
        worker.hears("each true").await;
        let line = worker.logs("given up").await;
        assert!(line.contains("task crash was started again 2 times in 1 min: given up, to be tried again in 1 min"), "{line}");
        let crashes = worker
            .said
            .borrow()
            .iter()
            .filter(|said| *said == "crash")
            .count();
        assert_eq!(crashes, 3);
        // Each tick is a task with its own globals.
        let ticks = || {
            worker
                .said
                .borrow()
                .iter()
                .filter(|said| *said == "tick 1")
                .count()
        };
        let start = Instant::now();
        while ticks() < 3 {
            assert!(start.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A second end of Main brings a second Main.
        let main = worker.vm.tasks().whereis("Main").unwrap();
        worker.said.borrow_mut().clear();
        assert!(worker.vm.tasks().kill(main));
        worker.hears("Main true").await;
        assert_ne!(worker.vm.tasks().whereis("Main"), Some(main));
        // Another worker has only what each of them has.
        let second = Worker::new(&app).await;
        second.vm.tasks().start(false);
        second.hears("each true").await;
        assert_eq!(*second.said.borrow(), ["each true"]);
        // When the app stops nothing is started again.
        worker.vm.stop();
        let main = worker.vm.tasks().whereis("Main").unwrap();
        worker.said.borrow_mut().clear();
        worker.vm.tasks().kill(main);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!worker.said.borrow().contains(&"Main true".to_owned()));
    });
}

#[test]
fn a_group_is_stopped_and_started_together() {
    let (_dir, app) = app(&[
        (
            "rille.toml",
            "[supervisor]\nstrategy = \"one_for_all\"\nbackoff = \"2 ms\"\n
             [[task]]\nname = \"a\"\n[[task]]\nname = \"b\"",
        ),
        (
            "tasks/a.lua",
            "local guard <close> = setmetatable({}, {__close = function() say('a stops') end})
             say('a') task.receive()",
        ),
        ("tasks/b.lua", "say('b') task.receive() error('b fails')"),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.vm.tasks().start(true);
        worker.hears("b").await;
        let tasks = worker.vm.tasks();
        let b = tasks.whereis("b").unwrap();
        let sent = tasks.send_from_outside(b, "fail", &Value::Nil).unwrap();
        assert_eq!(sent, Ok(()));
        worker.logs("b fails").await;
        let start = Instant::now();
        while worker.said.borrow().len() < 5 {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{:?}",
                worker.said
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*worker.said.borrow(), ["a", "b", "a stops", "a", "b"]);
        assert_ne!(tasks.whereis("b"), Some(b));
    });
}

#[test]
fn tasks_of_two_workers_work_together() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\nmailbox = \"64 KiB\""),
        (
            "tasks/server.lua",
            "assert(task.register('server'))
             say('ready')
             while true do
               local e = task.receive()
               if e.what == 'stop' then return end
               if e.what == 'crash' then error('told to', 0) end
               task.send(e.sender, 'answer', {e.parameter, json.null, from = e.what})
             end",
        ),
        (
            "tasks/client.lua",
            "local server = task.whereis('server')
             say(tostring(task.alive(server)))
             say(tostring(task.send('server', 'question', {x = 42, list = {1, 2, 3}})))
             local e = task.receive(5)
             say(e.what .. ' ' .. e.parameter[1].x .. ' ' .. #e.parameter[1].list .. ' ' .. tostring(e.parameter[2] == json.null))
             say(tostring(e.sender == server))
             say(tostring(select(2, task.send(server, 'bad', {f = print}))))
             say(tostring(select(2, task.send(server, 'large', ('x'):rep(70000)))))
             task.monitor(server)
             task.trap_exits(true)
             task.link(server)
             task.send(server, 'crash')
             local one, two = task.receive(5), task.receive(5)
             say(one.what .. ' ' .. one.parameter .. ' ' .. tostring(two.sender == server))
             say(tostring(task.alive(server)) .. ' ' .. tostring(task.whereis('server')))
             task.monitor(server)
             say(task.receive(5).parameter)",
        ),
        (
            "tasks/killer.lua",
            "local server = task.whereis('server')
             task.monitor(server) task.kill(server)
             say('killed: ' .. task.receive(5).parameter)",
        ),
    ]);
    let (ready, wait) = std::sync::mpsc::channel();
    let (done, end) = tokio::sync::oneshot::channel::<()>();
    let (checked, crash_is_checked) = tokio::sync::oneshot::channel::<()>();
    let other = app.clone();
    let thread = std::thread::spawn(move || {
        on_a_worker(async {
            let worker = Worker::new(&other).await;
            worker.vm.tasks().start(false);
            worker.spawn("server");
            worker.hears("ready").await;
            ready.send(()).unwrap();
            worker.logs("task server").await;
            worker.said.borrow_mut().clear();
            // Only then may there be another of the name.
            crash_is_checked.await.unwrap();
            worker.spawn("server");
            worker.hears("ready").await;
            ready.send(()).unwrap();
            end.await.unwrap();
            assert_eq!(worker.vm.tasks().count(), 0);
        });
    });
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.vm.tasks().start(true);
        wait.recv().unwrap();
        worker.spawn("client");
        worker.hears("no such task").await;
        assert_eq!(
            *worker.said.borrow(),
            [
                "true",
                "true",
                "answer 42 3 true",
                "true",
                "parameter.f is a function: messages carry data only",
                "message too large",
                "task-stopped told to true",
                "false nil",
                "no such task",
            ]
        );
        checked.send(()).unwrap();
        wait.recv().unwrap();
        worker.spawn("killer");
        worker.hears("killed: killed").await;
        done.send(()).unwrap();
    });
    thread.join().unwrap();
}

#[test]
fn a_vm_that_goes_takes_its_tasks_and_names_along() {
    let (_dir, app) = app(&[
        ("tasks/wait.lua", "task.register('here') task.receive(1000)"),
        (
            "tasks/timers.lua",
            "timer.every(0.001, function() end) ngx.thread.spawn(sleep, 1000) ngx.thread.wait(ngx.thread.spawn(sleep, 1000))",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.vm.tasks().start(true);
        let tid = worker.spawn("wait");
        worker.spawn("timers");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let other = Worker::new(&app).await;
        let here = other.vm.tasks().whereis("here").unwrap();
        assert_eq!(here.to_integer(), tid);
        let weak = Rc::downgrade(&worker.vm);
        // The timers' firings hold the VM for as long as they run; its own tasks do not.
        worker.vm.stop();
        for tid in worker
            .vm
            .tasks()
            .list(usize::MAX)
            .iter()
            .filter(|task| &*task.1 == "timers")
        {
            worker.vm.tasks().kill(tid.0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(worker);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(weak.upgrade().is_none());
        assert_eq!(other.vm.tasks().whereis("here"), None);
        assert!(!other.vm.tasks().ask_alive(here).await.unwrap_or(false));
    });
}

#[test]
fn many_tasks_wait_cheaply_and_all_of_them_answer() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\ntasks = 30000\nmemory = \"64 MiB\""),
        ("tasks/one.lua", "return function(boss) local e = task.receive() task.send(boss, 'done', e.parameter) end"),
        (
            "tasks/all.lua",
            "local n, all, sum = 20000, {}, 0
             for i = 1, n do all[i] = assert(task.spawn('one', task.self())) end
             sleep(0)
             collectgarbage() collectgarbage()
             say(string.format('%d bytes each', collectgarbage('count') * 1024 // n))
             for i = 1, n do assert(task.send(all[i], 'n', i)) if i % 5000 == 0 then for j = 1, 5000 do sum = sum + task.receive().parameter end end end
             say('sum ' .. sum)",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("all");
        worker.hears(&format!("sum {}", 20_000 * 20_001 / 2)).await;
        let said = worker.said.borrow()[0].clone();
        let bytes: u32 = said.split(' ').next().unwrap().parse().unwrap();
        assert!((400..750).contains(&bytes), "{said}");
        assert_eq!(worker.vm.lua().check_heap().unwrap(), [""; 0]);
        // What they were is used again.
        worker.said.borrow_mut().clear();
        worker.spawn("all");
        worker.hears(&format!("sum {}", 20_000 * 20_001 / 2)).await;
    });
}

#[test]
fn tasks_are_right_when_everything_is_collected_all_the_time() {
    let (_dir, app) = app(&[
        (
            "tasks/echo.lua",
            "return function(boss) for e in task.receive do task.send(e.sender, 'echo', e.parameter) end end",
        ),
        (
            "tasks/all.lua",
            "local tids = {}
             for i = 1, 5 do tids[i] = task.spawn('echo', {task.self()}) end
             for round = 1, 10 do
               for i, tid in ipairs(tids) do task.send(tid, 'n', {round, {i}, setmetatable({}, {})}) end
               for i = 1, 4 do task.send(task.self(), 'self', {[{}] = {}}) end
               for i, tid in ipairs(tids) do
                 local e = task.receive{what = 'echo', sender = tid}
                 assert(e.parameter[1] == round and e.parameter[2][1] == i)
               end
               for i = 1, 4 do assert(next(task.receive().parameter)) end
             end
             say('done')",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.vm.lua().set_gc_stress(true);
        worker.vm.lua().set_gc_quarantine(true);
        worker.spawn("all");
        worker.hears("done").await;
        assert_eq!(worker.vm.lua().check_heap().unwrap(), [""; 0]);
    });
}

#[test]
fn arguments_are_copies() {
    let (_dir, app) = app(&[(
        "tasks/take.lua",
        "local t = ... t.x = 2 say('took ' .. t.x)",
    )]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        let table = worker.vm.lua().create_table().unwrap();
        table.raw_set("x", 1).unwrap();
        let arguments = [Value::Table(table.clone())];
        worker
            .vm
            .tasks()
            .spawn("take", &arguments)
            .unwrap()
            .unwrap();
        worker.hears("took 2").await;
        assert_eq!(table.raw_get::<i64>("x").unwrap(), 1);
    });
}

#[test]
fn ties_arguments_and_timers_have_their_limits() {
    let (_dir, app) = app(&[
        (
            "rille.toml",
            "[limits]\ntasks = 20000\nmemory = \"128 MiB\"",
        ),
        ("tasks/wait.lua", "return function() task.receive() end"),
        (
            "tasks/ties.lua",
            "local tids = {}
             for i = 1, 10001 do tids[i] = task.spawn('wait') end
             local n = 0
             for i = 1, 10001 do
               local ok, err = pcall(i % 2 == 0 and task.monitor or task.link, tids[i])
               if ok then n = n + 1 else say(n .. ' ' .. err) end
             end
             for i = 1, 10001 do task.unlink(tids[i]) task.kill(tids[i]) end
             -- Each that was monitored says so, however many messages there may be otherwise.
             for i = 1, 5000 do assert(task.receive(5).what == 'task-stopped') end
             say('told ' .. tostring(task.receive(0)))
             say(tostring(pcall(task.monitor, tids[1])))",
        ),
        (
            "tasks/arguments.lua",
            "local t = {} for i = 1, 251 do t[i] = i end
             say(select(2, pcall(task.spawn, 'wait', table.unpack(t))))
             say(tostring(task.spawn('wait', table.unpack(t, 1, 250)) ~= nil))
             say(select(2, task.spawn('wait', ('x'):rep(600000), ('y'):rep(600000))))",
        ),
        (
            "tasks/timers.lua",
            "local n, last, err = 0
             repeat last, err = timer.after(100, print) if last then n = n + 1 end until not last
             say(n .. ' ' .. err)",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("ties");
        worker.hears("10000 too many monitors and links").await;
        worker.hears("told nil").await;
        worker.hears("true").await;
        worker.said.borrow_mut().clear();
        worker.spawn("arguments");
        worker.hears("a task has at most 250 arguments").await;
        worker.hears("true").await;
        worker.hears("message too large").await;
        worker.spawn("timers");
        worker.hears("10000 too many timers").await;
        // They went with their task.
        worker.said.borrow_mut().clear();
        tokio::time::sleep(Duration::from_millis(5)).await;
        worker.spawn("timers");
        worker.hears("10000 too many timers").await;
    });
}

#[test]
fn guests_go_with_their_requests() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\ntasks = 200"),
        (
            "tasks/echo.lua",
            "task.register('echo') for e in task.receive do task.send(e.sender, e.what, e.parameter) end",
        ),
        (
            "tasks/all.lua",
            "local done = 0
             for i = 1, 1000 do
               ngx.timer.at(0, function()
                 task.send('echo', 'n', i)
                 -- Answers are for whoever asked, however many ask at a time.
                 assert(task.receive{what = 'n', timeout = 5}.parameter == i)
                 done = done + 1
               end)
               if i % 20 == 0 then while done < i do sleep(0.001) end end
             end
             say('done')",
        ),
        ("tasks/wait.lua", "task.receive()"),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("echo");
        tokio::time::sleep(Duration::from_millis(2)).await;
        worker.spawn("all");
        worker.hears("done").await;
        assert!(
            worker.vm.tasks().list(usize::MAX).len() < 150,
            "guests that have gone are cleared away"
        );
        // They take nobody's place.
        for _ in 0..199 {
            worker.spawn("wait");
        }
        assert_eq!(worker.vm.tasks().count(), 200);
        assert_eq!(worker.vm.tasks().list(usize::MAX).len(), 200);
        assert_eq!(worker.log.lines(), [""; 0]);
    });
}

#[test]
fn crashes_do_not_flood_the_log() {
    let (_dir, app) = app(&[
        ("tasks/bad.lua", "error('again')"),
        (
            "tasks/all.lua",
            "for i = 1, 1000 do task.spawn('bad') end sleep(0.01) say('done')",
        ),
    ]);
    on_a_worker(async {
        let worker = Worker::new(&app).await;
        worker.spawn("all");
        worker.hears("done").await;
        let lines = worker.log.lines();
        // Two seconds may have been begun.
        assert!((101..=202).contains(&lines.len()), "{}", lines.len());
        let last = lines
            .iter()
            .any(|line| line.ends_with("further tasks that crash in this second are left out"));
        assert!(last);
    });
}

/// A program of tasks that do at random whatever tasks can do to one another.
const TORTURE: &str = r#"
local seed, depth = ...
local state = seed
local function random(n)
  state = (state * 6364136223846793005 + 1442695040888963407)
  return ((state >> 33) % n) + 1
end
if seed % 7 == 0 then task.trap_exits(true) end
local known = {}
local function pick() return known[random(#known + 1)] or task.self() end
local kinds = {
  function() if depth > 0 then local t = task.spawn("torture", random(1 << 30), depth - 1) known[#known + 1] = t end end,
  function() task.send(pick(), "n", random(100)) end,
  function() task.send(pick(), "t", {1, {2}, task.self(), s = ("x"):rep(random(100))}) end,
  function() local e = task.receive(random(3) / 1000) if e then known[#known + 1] = e.sender end end,
  function() task.receive{what = "t", timeout = random(2) / 1000} end,
  function() task.receive{sender = pick(), timeout = 0} end,
  function() task.monitor(pick()) end,
  function() task.demonitor(pick()) end,
  function() pcall(task.link, pick()) end,
  function() task.unlink(pick()) end,
  function() if random(10) == 1 then task.kill(pick()) end end,
  function() sleep(random(2) / 1000) end,
  function() timer.after(random(3) / 1000, function() task.send(task.self(), "timer") end) end,
  function() ngx.thread.spawn(function() sleep(0.001) task.send(pick(), "light") end) end,
  function() if random(20) == 1 then error("at random") end end,
  function() task.register("name" .. random(5)) end,
  function() task.send("name" .. random(5), "named", {random(10)}) end,
  function() task.alive(pick()) task.waiting() end,
  function() coroutine.wrap(function() task.receive(0.001) end)() end,
  function() local guard <close> = setmetatable({}, {__close = function() task.send(pick(), "closed") end}) task.receive(0.001) end,
  function() ngx.timer.at(0, function() task.send(1 << 44 | 1 << 24 | random(50), "outside") task.receive(0.001) end) end,
}
for i = 1, 60 do kinds[random(#kinds)]() end
"#;

#[test]
fn whatever_tasks_do_to_one_another_nothing_is_left() {
    let (_dir, app) = app(&[
        ("rille.toml", "[limits]\ntasks = 400\nmemory = \"64 MiB\""),
        ("tasks/torture.lua", TORTURE),
    ]);
    on_a_worker(async {
        for seed in 1..=8 {
            let worker = Worker::new(&app).await;
            worker.vm.lua().set_gc_stress(seed > 5);
            worker.vm.lua().set_gc_quarantine(seed > 5);
            let tasks = worker.vm.tasks();
            for i in 0..10 {
                let arguments = [Value::Integer(seed * 1000 + i), Value::Integer(4)];
                tasks.spawn("torture", &arguments).unwrap().unwrap();
            }
            let start = Instant::now();
            while tasks.count() > 0 && start.elapsed() < Duration::from_millis(800) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if start.elapsed().as_millis() % 50 < 5 {
                    assert_eq!(
                        worker.vm.lua().check_heap().unwrap(),
                        [""; 0],
                        "seed {seed}"
                    );
                }
            }
            for task in tasks.list(usize::MAX) {
                tasks.kill(task.0);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(
                tasks.count(),
                0,
                "seed {seed}: {:?}",
                tasks.list(usize::MAX)
            );
            assert_eq!(
                worker.vm.lua().check_heap().unwrap(),
                [""; 0],
                "seed {seed}"
            );
            for i in 1..=5 {
                assert_eq!(tasks.whereis(&format!("name{i}")), None);
            }
            let unexpected = |line: &&String| {
                !line.contains("at random")
                    && !line.contains("coroutine")
                    && !line.contains("too many")
                    && !line.contains("timers run already")
                    && !line.contains("left out")
            };
            let lines = worker.log.lines();
            assert_eq!(lines.iter().find(unexpected), None, "seed {seed}");
        }
    });
}
