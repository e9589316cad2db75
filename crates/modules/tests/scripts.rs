//! Runs the scripts of `tests/apps`: each folder is an app (its `rille.toml` says the version of Lua), each of its files that ends
//! with `--> ` lines a test: what it prints must be those lines. `RILLE_BLESS=1` writes what was printed in their place.
//!
//! What has to be the same as in OpenResty was compared with it once by hand; the files say where a line differs.

use rille_lua::{LuaString, MultiValue, Table, Value, Variadic};
use rille_runtime::app::App;
use rille_runtime::coroutine::{Budget, End};
use rille_runtime::light::end_of_all;
use rille_runtime::log::Log;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::{AppVm, Background, Context as Owner};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const EXPECTED: &str = "--> ";

fn apps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    let mut apps: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    apps.sort();
    apps
}

#[test]
fn scripts_print_what_they_say() {
    let mut failures = String::new();
    let mut count = 0;
    for folder in apps() {
        let loaded = App::load(&folder);
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{}", folder.display());
        let app = Arc::new(loaded.app.map_err(|_| "the app cannot be served").unwrap());
        for file in &app.files {
            let path = folder.join(&*file.path);
            let text = fs::read_to_string(&path).unwrap();
            if !text.lines().any(|line| line.starts_with(EXPECTED)) {
                continue;
            }
            count += 1;
            let printed = run(&app, &file.path);
            if std::env::var_os("RILLE_BLESS").is_some() {
                fs::write(&path, blessed(&text, &printed)).unwrap();
                continue;
            }
            let expected: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(EXPECTED))
                .collect();
            if printed != expected {
                failures += &format!("{}\n", path.display());
                for at in 0..printed.len().max(expected.len()) {
                    let (was, is) = (expected.get(at), printed.get(at).map(String::as_str));
                    if was.copied() != is {
                        failures += &format!("  line {}: expected {was:?}, got {is:?}\n", at + 1);
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(count > 0);
}

/// Runs a file in a VM of its own: what it prints, and the error that ends it, if one does.
fn run(app: &Arc<App>, file: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let scheduler = Scheduler::new();
        tokio::task::spawn_local(scheduler.clone().drive());
        let vm = AppVm::new(app.clone(), scheduler, &Log::memory()).unwrap();
        rille_modules::install(&vm).unwrap();
        let printed = Rc::new(RefCell::new(Vec::new()));
        install_print(&vm, &printed);
        vm.init().await.unwrap();
        let main = vm.main(app.find(file).unwrap()).unwrap();
        let thread = vm.thread(&main).unwrap();
        thread
            .set_globals(Some(vm.lua().create_table().unwrap()))
            .unwrap();
        let wall = Duration::from_secs(300);
        let budget = Budget {
            cpu: wall,
            per_minute: false,
            deadline: Instant::now() + wall,
            wall,
        };
        let context: Rc<dyn Owner> = Background::new(budget, "timer");
        let started = vm.start(thread, MultiValue::new(), Some(context.clone()), budget);
        let end = end_of_all(&context, started).await;
        if let End::Failed(failure) = end {
            let lines = format!("error: {failure}");
            printed.borrow_mut().extend(lines.lines().map(String::from));
        }
        printed.take()
    })
}

fn install_print(vm: &Rc<AppVm>, printed: &Rc<RefCell<Vec<String>>>) {
    let lua = vm.lua();
    let printed = printed.clone();
    let print = lua.create_function(move |lua, values: Variadic<Value>| {
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
        printed.borrow_mut().push(texts.join("\t"));
        Ok(())
    });
    let globals: Table = lua.globals();
    globals.raw_set("print", print.unwrap()).unwrap();
}

fn blessed(text: &str, printed: &[String]) -> String {
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(EXPECTED))
        .collect();
    let mut out = kept.join("\n") + "\n";
    for line in printed {
        out += &format!("{EXPECTED}{line}\n");
    }
    out
}
