//! What tests of sockets need: servers, and scripts that are told where they are.

use rille_lua::{LuaString, MultiValue, Table, Value, Variadic};
use rille_runtime::app::App;
use rille_runtime::coroutine::{Budget, End};
use rille_runtime::light::end_of_all;
use rille_runtime::log::Log;
use rille_runtime::scheduler::Scheduler;
use rille_runtime::vm::{AppVm, Background, Context as Owner};
use std::cell::RefCell;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A server on this machine: its port. Each connection is handled on a thread of its own.
pub fn serve(handle: impl Fn(TcpStream) + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream));
        }
    });
    port.to_string()
}

/// A script in an app of its own.
pub struct Script {
    source: String,
    manifest: String,
    at: Vec<(String, String)>,
    wall: Duration,
}

impl Script {
    pub fn new(source: &str) -> Script {
        Script {
            source: source.to_owned(),
            manifest: "lua = \"5.1\"\n".to_owned(),
            at: Vec::new(),
            wall: Duration::from_secs(120),
        }
    }

    /// Tells it something in the table `at`: a number if it looks like one.
    pub fn at(mut self, name: &str, value: impl Into<String>) -> Script {
        self.at.push((name.to_owned(), value.into()));
        self
    }

    /// How long it may take.
    pub fn wall(mut self, wall: Duration) -> Script {
        self.wall = wall;
        self
    }

    /// What the manifest says.
    pub fn manifest(mut self, text: &str) -> Script {
        text.clone_into(&mut self.manifest);
        self
    }

    /// What it prints, and the error that ends it if one does.
    pub fn run(self) -> Vec<String> {
        self.run_then(|_| {})
    }

    /// As [`Script::run`]; `then` sees the VM when it is over.
    pub fn run_then(self, then: impl FnOnce(&Rc<AppVm>)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rille.toml"), &self.manifest).unwrap();
        fs::write(folder.path().join("index.lua"), &self.source).unwrap();
        let loaded = App::load(folder.path());
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0]);
        let app = Arc::new(loaded.app.map_err(|_| "the app cannot be served").unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        runtime.block_on(async {
            let scheduler = Scheduler::new();
            tokio::task::spawn_local(scheduler.clone().drive());
            let vm = AppVm::new(app, scheduler, &Log::memory()).unwrap();
            rille_modules::install(&vm).unwrap();
            let printed = self.go(&vm).await;
            then(&vm);
            printed
        })
    }

    async fn go(&self, vm: &Rc<AppVm>) -> Vec<String> {
        let printed = Rc::new(RefCell::new(Vec::new()));
        install_print(vm, &printed);
        let at = vm.lua().create_table().unwrap();
        for (name, value) in &self.at {
            match value.parse::<i64>() {
                Ok(number) => at.raw_set(name.as_str(), number).unwrap(),
                Err(_) => at.raw_set(name.as_str(), value.as_str()).unwrap(),
            }
        }
        vm.lua().globals().raw_set("at", at).unwrap();
        let main = vm.main(vm.app().find("index.lua").unwrap()).unwrap();
        let thread = vm.thread(&main).unwrap();
        (thread.set_globals(Some(vm.lua().create_table().unwrap()))).unwrap();
        let wall = self.wall;
        let budget = Budget {
            cpu: wall,
            per_minute: false,
            deadline: Instant::now() + wall,
            wall,
        };
        let context: Rc<dyn Owner> = Background::new(budget, "timer");
        let started = vm.start(thread, MultiValue::new(), Some(context.clone()), budget);
        if let End::Failed(failure) = end_of_all(&context, started).await {
            let lines = format!("error: {failure}");
            printed.borrow_mut().extend(lines.lines().map(String::from));
        }
        printed.take()
    }
}

fn install_print(vm: &Rc<AppVm>, printed: &Rc<RefCell<Vec<String>>>) {
    let printed = printed.clone();
    let print = vm
        .lua()
        .create_function(move |lua, values: Variadic<Value>| {
            let tostring: rille_lua::Function = lua.globals().raw_get("tostring")?;
            let mut texts = Vec::new();
            for value in values {
                let text: LuaString = tostring.call(value)?;
                texts.push(match std::str::from_utf8(&text.as_bytes()) {
                    Ok(text) if !text.contains(['\n', '\r', '\0']) => text.to_owned(),
                    _ => text.as_bytes().escape_ascii().to_string(),
                });
            }
            printed.borrow_mut().push(texts.join("\t"));
            Ok(())
        });
    let globals: Table = vm.lua().globals();
    globals.raw_set("print", print.unwrap()).unwrap();
}
