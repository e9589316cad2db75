//! What tests of sockets need: servers, and scripts that are told where they are.

use crate::harness;
use rille_runtime::log::Log;
use rille_runtime::vm::AppVm;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

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
    files: Vec<(String, String)>,
    at: Vec<(String, String)>,
    wall: Duration,
}

impl Script {
    pub fn new(source: &str) -> Script {
        Script {
            source: source.to_owned(),
            manifest: "lua = \"5.1\"\n".to_owned(),
            files: Vec::new(),
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

    /// A further file of the app.
    pub fn file(mut self, path: &str, text: &str) -> Script {
        self.files.push((path.to_owned(), text.to_owned()));
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
        for (path, text) in &self.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let app = harness::load(folder.path());
        harness::on_a_worker(async {
            let vm = harness::vm(&app, &Log::memory());
            self.tell(&vm);
            let printed = harness::printed(&vm, "index.lua", self.wall).await;
            then(&vm);
            printed
        })
    }

    fn tell(&self, vm: &Rc<AppVm>) {
        let at = vm.lua().create_table().unwrap();
        for (name, value) in &self.at {
            match value.parse::<i64>() {
                Ok(number) => at.raw_set(name.as_str(), number).unwrap(),
                Err(_) => at.raw_set(name.as_str(), value.as_str()).unwrap(),
            }
        }
        vm.lua().globals().raw_set("at", at).unwrap();
    }
}
