//! Examples: what lua-nginx-module documents, as small handlers with the answers they must give.
//!
//! `examples/NAME.lua` is served at `/NAME`; `examples/NAME/` holds the files of a route's phases (`content.lua` and the others).
//! Comments at the head of the file say how it is asked, and lines of `--> ` at its end what comes:
//!
//! ```lua
//! -- request: POST /name?a=b      one exchange; there may be several, which share what follows
//! -- header: X-Name: value        a header of the requests
//! -- body: text                   their body
//! -- show: X-One X-Two            headers that are compared
//! -- show-body: all               also the bodies of statuses from 300 on
//! -- set: name                    a variable that nginx wants declared
//! -- path: @name                  served at this path instead
//! -- after: name                  asked when all that are not `after` something have been
//! -- nginx: why                   not compared with nginx
//! ```
//!
//! **Invariant:** the expected lines are those of nginx, except in files that say why not. `RILLE_BLESS=1` writes what nginx answers,
//! and what is answered here only into the files that are not compared with it.

use crate::serve_support::serve_with;
use rille_testkit::http::{self, Response};
use rille_testkit::temp::{TempDir, copy_tree};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXPECTED: &str = "--> ";
const PHASES: [&str; 6] = [
    "rewrite",
    "access",
    "content",
    "header_filter",
    "body_filter",
    "log",
];
/// What the examples find in `ngx.shared`.
pub const DICTIONARIES: [&str; 2] = ["dogs", "results"];

/// One of them.
pub struct Example {
    pub name: String,
    /// The file with the comments and the expected lines.
    pub file: PathBuf,
    /// The files of its phases, relative to the folder of the examples.
    pub phases: Vec<(&'static str, String)>,
    text: String,
}

impl Example {
    /// What comments of one kind say.
    fn said<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.lines().filter_map(move |line| {
            let rest = line.strip_prefix("-- ")?.strip_prefix(kind)?;
            rest.strip_prefix(": ")
        })
    }

    pub fn path(&self) -> String {
        match self.said("path").next() {
            Some(path) => path.to_owned(),
            None => format!("/{}", self.name),
        }
    }

    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.said("set")
    }

    pub fn is_for_nginx(&self) -> bool {
        self.said("nginx").next().is_none()
    }

    fn expected(&self) -> Vec<&str> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| line.strip_prefix(EXPECTED.trim_end()))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect()
    }

    /// Asks a server what the comments say.
    fn answers(&self, address: SocketAddr) -> Vec<String> {
        let headers: Vec<(&str, &str)> = (self.said("header"))
            .map(|header| header.split_once(": ").unwrap())
            .collect();
        let body = self.said("body").next().unwrap_or_default();
        let mut lines = Vec::new();
        for request in self.said("request") {
            let (method, target) = request.split_once(' ').unwrap();
            match http::request(address, method, target, &headers, body.as_bytes()) {
                Ok(response) => self.show(&response, &mut lines),
                Err(error) => lines.push(format!("no response: {error}")),
            }
        }
        lines
    }

    fn show(&self, response: &Response, lines: &mut Vec<String>) {
        lines.push(response.status.to_string());
        for name in self.said("show").flat_map(str::split_whitespace) {
            let values = response.all(name);
            lines.extend(values.iter().map(|value| format!("{name}: {value}")));
        }
        if response.status < 300 || self.said("show-body").next() == Some("all") {
            lines.extend(
                response
                    .text()
                    .lines()
                    .map(|line| line.trim_end().to_owned()),
            );
        }
    }

    fn bless(&self, lines: &[String]) {
        let kept = self.text.lines().filter(|line| !line.starts_with("-->"));
        let shown = lines.iter().map(|line| format!("{EXPECTED}{line}"));
        let all: Vec<String> = kept.map(str::to_owned).chain(shown).collect();
        let all: Vec<&str> = all.iter().map(|line| line.trim_end()).collect();
        fs::write(&self.file, all.join("\n") + "\n").unwrap();
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openresty/examples")
}

/// All of them; those that are to be asked last come last.
pub fn all() -> Vec<Example> {
    let mut examples: Vec<Example> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name != "lib"))
        .map(read)
        .collect();
    examples.sort_by_key(|example| {
        let is_after = example.said("after").next().is_some();
        (is_after, example.name.clone())
    });
    examples
}

fn read(path: PathBuf) -> Example {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let (file, phases) = match path.is_dir() {
        false => (path, vec![("content", format!("{name}.lua"))]),
        true => {
            let phases = PHASES
                .into_iter()
                .filter(|phase| path.join(format!("{phase}.lua")).exists())
                .map(|phase| (phase, format!("{name}/{phase}.lua")))
                .collect();
            (path.join("content.lua"), phases)
        }
    };
    let text = fs::read_to_string(&file).unwrap();
    Example {
        name,
        file,
        phases,
        text,
    }
}

/// Asks all of them; `judge` gets what a server answered to each.
fn ask(address: SocketAddr, chosen: fn(&Example) -> bool, bless: bool) -> String {
    let mut failures = String::new();
    for example in all().iter().filter(|example| chosen(example)) {
        // What is left by others may take a moment to be there.
        let patience = match example.said("after").next() {
            Some(_) => Duration::from_secs(5),
            None => Duration::ZERO,
        };
        let end = Instant::now() + patience;
        let mut lines = example.answers(address);
        while lines != example.expected() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            lines = example.answers(address);
        }
        if bless && !lines.is_empty() {
            example.bless(&lines);
        } else if lines != example.expected() {
            failures += &difference(example, &lines);
        }
    }
    failures
}

fn difference(example: &Example, lines: &[String]) -> String {
    let expected = example.expected();
    let mut text = format!("{}\n", example.name);
    for at in 0..lines.len().max(expected.len()) {
        let (was, is) = (expected.get(at), lines.get(at).map(String::as_str));
        if was.copied() != is {
            text += &format!("  line {}: expected {was:?}, got {is:?}\n", at + 1);
        }
    }
    text
}

fn is_blessing() -> bool {
    std::env::var_os("RILLE_BLESS").is_some()
}

/// The examples as an app, with a manifest.
fn app() -> TempDir {
    let dir = TempDir::new("rille-examples").unwrap();
    copy_tree(&folder(), dir.path()).unwrap();
    let dictionaries = DICTIONARIES.map(|name| format!("{name} = \"1 MiB\""));
    let mut manifest = format!(
        "lua = \"5.1\"\nshared_dicts = {{ {} }}\noutbound = {{ allow = [\"self\", \"*\"] }}\n",
        dictionaries.join(", ")
    );
    for example in all() {
        manifest += &format!("[[route]]\npath = \"{}\"\n", example.path());
        for (phase, file) in &example.phases {
            manifest += &format!("{phase} = \"{file}\"\n");
        }
    }
    dir.write("rille.toml", manifest).unwrap();
    dir
}

#[test]
fn examples_answer_as_they_say() {
    let app = app();
    let server = serve_with(app.path(), &["--workers", "1"]);
    let failures = match is_blessing() {
        true => ask(server.address(), |example| !example.is_for_nginx(), true),
        false => ask(server.address(), |_| true, false),
    };
    assert!(failures.is_empty(), "\n{failures}\n{}", server.log());
    let asked = all()
        .iter()
        .filter(|e| e.said("request").next().is_some())
        .count();
    assert!(asked >= 30, "{asked} examples");
}

#[test]
fn nginx_answers_the_same() {
    let Some(nginx) = crate::nginx::serve(&all()) else {
        return;
    };
    let failures = ask(nginx.address(), Example::is_for_nginx, is_blessing());
    assert!(failures.is_empty(), "\n{failures}\n{}", nginx.log());
}
