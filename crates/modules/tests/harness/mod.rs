//! What the tests of scripts share: an app's VM on a worker of the test's own, and a coroutine in it.
#![allow(dead_code, reason = "each test program uses its own part")]

use rille_lua::{LuaString, MultiValue, Table, Value, Variadic};
use rille_runtime::app::App;
use rille_runtime::coroutine::{Budget, End};
use rille_runtime::kv::{Settings, Store};
use rille_runtime::light::end_of_all;
use rille_runtime::log::Log;
use rille_runtime::manifest::{Admission, Operator};
use rille_runtime::net::outbound::Rules;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::{AppVm, Background, Context};
use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The app in a folder, which has no problems.
pub fn load(folder: &Path) -> Arc<App> {
    // The servers of tests are on this machine.
    let operator = Arc::new(Operator::with_outbound(Rules::any()));
    load_for(folder, &Admission::of_own(&operator))
}

/// The same for an app that may have what `admission` says.
pub fn load_for(folder: &Path, admission: &Admission) -> Arc<App> {
    let loaded = App::load_for(folder, admission);
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0], "{}", folder.display());
    let app = loaded.app.map_err(|_| "the app cannot be served").unwrap();
    app.keep_in(&store());
    Arc::new(app)
}

/// A store whose folder goes when it does.
fn store() -> Arc<Store> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    Store::new(Settings::of(&path, move |line| {
        eprintln!("{}: {line}", folder.path().display());
    }))
}

/// Runs as a worker's thread does.
pub fn on_a_worker<F: Future>(f: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(f)
}

/// A VM with its modules and a scheduler; `init.lua` has not run.
pub fn vm(app: &Arc<App>, log: &Log) -> Rc<AppVm> {
    vm_on(&scheduler(), app, log)
}

/// The scheduler of a worker.
pub fn scheduler() -> Rc<Scheduler> {
    let scheduler = Scheduler::new();
    tokio::task::spawn_local(scheduler.clone().drive());
    scheduler
}

/// As [`vm`], on a worker that has others.
pub fn vm_on(scheduler: &Rc<Scheduler>, app: &Arc<App>, log: &Log) -> Rc<AppVm> {
    let vm = AppVm::new(app.clone(), scheduler.clone(), log).unwrap();
    rille_modules::install(&vm).unwrap();
    vm
}

/// The end of a file's main chunk, with globals of its own, and of its light threads.
pub async fn run(vm: &Rc<AppVm>, file: &str, cpu: Duration, wall: Duration) -> End {
    let main = vm.main(vm.app().find(file).unwrap()).unwrap();
    let thread = vm.thread(&main, None).unwrap();
    let globals = vm.lua().create_table().unwrap();
    thread.set_globals(Some(globals)).unwrap();
    let budget = Budget {
        cpu,
        per_minute: false,
        deadline: Instant::now() + wall,
        wall,
    };
    let context: Rc<dyn Context> = Background::new(budget, "timer");
    let started = vm.start(thread, MultiValue::new(), Some(context.clone()), budget);
    end_of_all(&context, started).await
}

/// What a file prints, and the error that ends it, if one does.
pub async fn printed(vm: &Rc<AppVm>, file: &str, limit: Duration) -> Vec<String> {
    let lines = Rc::new(RefCell::new(Vec::new()));
    install_print(vm, &lines);
    vm.init().await.unwrap();
    if let End::Failed(failure) = run(vm, file, limit, limit).await {
        let text = format!("error: {failure}");
        lines.borrow_mut().extend(text.lines().map(String::from));
    }
    lines.take()
}

fn install_print(vm: &Rc<AppVm>, lines: &Rc<RefCell<Vec<String>>>) {
    let lines = lines.clone();
    let print = move |lua: &rille_lua::Lua, values: Variadic<Value>| {
        let tostring: rille_lua::Function = lua.globals().raw_get("tostring")?;
        let mut texts = Vec::new();
        for value in values {
            let text: LuaString = tostring.call(value)?;
            // What is no text is shown as escapes, so that a file of expectations stays one.
            texts.push(match std::str::from_utf8(&text.as_bytes()) {
                Ok(text) if !text.contains(['\n', '\r', '\0']) => text.to_owned(),
                _ => text.as_bytes().escape_ascii().to_string(),
            });
        }
        lines.borrow_mut().push(texts.join("\t"));
        Ok(())
    };
    let globals: Table = vm.lua().globals();
    let print = vm.lua().create_function(print).unwrap();
    globals.raw_set("print", print).unwrap();
}
