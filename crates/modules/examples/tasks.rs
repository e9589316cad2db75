//! Measures tasks, to be compared with `benches/tasks/ring.erl` on Erlang/OTP:
//!
//!   cargo run --release -p rille-modules --example tasks
//!
//! (with the arguments `ring [ROUNDS]`: only the last). Prints spawns a second, bytes of the resident set for a parked task, and messages passed a second round a ring of 10,000 tasks.

use rille_lua::Value;
use rille_runtime::app::App;
use rille_runtime::log::Log;
use rille_runtime::manifest::Admission;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::AppVm;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARKED: i64 = 1_000_000;
const RING: i64 = 10_000;
const ROUNDS: i64 = 500;

/// What a task said: what, how many, in how many seconds.
type Said = Rc<RefCell<Option<(String, f64, f64)>>>;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/tasks/app");
    // Its own operator's, which may ask for more tasks than somebody else's may.
    let own = Admission::of_own(&Default::default());
    let app = App::load_for(&folder, &own).app;
    let app = app.map_err(|_| "the app does not load");
    let app = Arc::new(app.expect("an app"));
    let scheduler = Scheduler::new();
    tokio::task::spawn_local(scheduler.clone().drive());
    let said = Said::default();
    let vm = machine(&app, &scheduler, &said);
    let rounds = std::env::args()
        .nth(2)
        .and_then(|rounds| rounds.parse().ok());
    for _ in 0..3 {
        spawn(&vm, "ring", &[RING, rounds.unwrap_or(ROUNDS)]);
        let (_, count, seconds) = wait(&said, "passed").await;
        println!(
            "{:.0} messages a second ({:.0} ns each)",
            count / seconds,
            seconds / count * 1e9
        );
    }
    drop(vm);
    if std::env::args().any(|argument| argument == "ring") {
        return;
    }
    let vm = machine(&app, &scheduler, &said);
    let before = resident();
    spawn(&vm, "parked", &[PARKED]);
    let (_, count, seconds) = wait(&said, "spawned").await;
    println!("{:.0} spawns a second", count / seconds);
    let (_, count, _) = wait(&said, "parked").await;
    let grown = (resident() - before) as f64;
    println!(
        "{:.0} bytes for each of {count} parked tasks ({:.0} of them in the VM)",
        grown / count,
        vm.lua().used_memory() as f64 / count
    );
}

fn machine(app: &Arc<App>, scheduler: &Rc<Scheduler>, said: &Said) -> Rc<AppVm> {
    let vm = AppVm::new(app.clone(), scheduler.clone(), &Log::stderr()).expect("a VM");
    rille_modules::install(&vm).expect("modules");
    let (said, start) = (said.clone(), Instant::now());
    let report = vm.lua().create_function(move |_, (what, count, seconds)| {
        *said.borrow_mut() = Some((what, count, seconds));
        Ok(())
    });
    let clock = (vm.lua()).create_function(move |_, ()| Ok(start.elapsed().as_secs_f64()));
    let globals = vm.lua().globals();
    globals
        .raw_set("report", report.expect("a function"))
        .expect("a global");
    globals
        .raw_set("clock", clock.expect("a function"))
        .expect("a global");
    vm
}

fn spawn(vm: &Rc<AppVm>, name: &str, arguments: &[i64]) {
    let arguments: Vec<Value> = arguments.iter().map(|n| Value::Integer(*n)).collect();
    vm.tasks()
        .spawn(name, &arguments)
        .expect("memory")
        .expect("a task");
}

async fn wait(said: &Said, what: &str) -> (String, f64, f64) {
    loop {
        if let Some(said) = said.borrow_mut().take() {
            assert_eq!(said.0, what);
            return said;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Bytes of the process's resident set.
fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<i64>().ok());
    pages.unwrap_or(0) * 4096
}
