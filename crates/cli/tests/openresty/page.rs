//! The page `functions.md` and the functions of a running app say the same.
//!
//! Its rows are `| names | where |`. A name is an expression in backquotes; `tcpsock:`, `udpsock:` and `DICT:` stand for objects. Where is one
//! of
//!
//! - links to test files, each of which mentions the function;
//! - `absent: why`: the app must not have it;
//! - `in work: where`: it may have it.
//!
//! Names that end in `_by_lua` are phases, of which only the files are looked at.
//!
//! **Invariant:** every name of the app has a row, and every row says of the app what is so.

use crate::serve_support::app;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lists what there is, and says of each name of the page whether it is there.
const PROBE: &str = r#"
local objects = { tcpsock = ngx.socket.tcp(), udpsock = ngx.socket.udp(), DICT = ngx.shared.dict }
local modules = { "ngx.re", "ngx.semaphore", "ngx.ssl", "ngx.base64", "ngx.errlog", "ngx.process" }

local function walk(name, t)
  for k, v in pairs(t) do
    local full = name .. "." .. tostring(k)
    if type(v) == "table" and not getmetatable(v) and v ~= ngx.shared then
      walk(full, v)
    else
      ngx.say("has ", full)
    end
  end
end

walk("ngx", ngx)
walk("coroutine", coroutine)
for name, object in pairs(objects) do
  local meta = getmetatable(object)
  for _, t in ipairs({ type(meta) == "table" and type(meta.__index) == "table" and meta.__index or {}, object }) do
    for k, v in pairs(t) do
      if type(v) == "function" then ngx.say("has ", name, ":", k) end
    end
  end
end
for _, name in ipairs(modules) do
  for k, v in pairs(require(name)) do
    if type(v) == "function" then ngx.say("has require(\"", name, "\").", k) end
  end
end

local env = setmetatable({}, { __index = function(_, k) return objects[k] or _G[k] end })
for line in request.body:gmatch("[^\n]+") do
  local f = setfenv(assert(loadstring("return " .. line:gsub(":", "."))), env)
  local ok, value = pcall(f)
  ngx.say(ok and value ~= nil and "is " or "lacks ", line)
end
"#;

/// A row's second cell.
enum Where {
    Tested(Vec<String>),
    Absent,
    InWork,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openresty")
}

/// Between two of these are names or links.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(open).skip(1);
    parts.filter_map(move |part| part.split_once(close).map(|(inner, _)| inner))
}

fn rows() -> BTreeMap<String, Where> {
    let mut rows = BTreeMap::new();
    let page = fs::read_to_string(folder().join("functions.md")).unwrap();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        for name in cells[1].split('`').skip(1).step_by(2) {
            let place = match cells[2] {
                cell if cell.starts_with("absent: ") => Where::Absent,
                cell if cell.starts_with("in work: ") => Where::InWork,
                cell => Where::Tested(between(cell, "](", ")").map(str::to_owned).collect()),
            };
            let before = rows.insert(name.to_owned(), place);
            assert!(before.is_none(), "{name} has two rows");
        }
    }
    rows
}

/// The function's own name: `connect` of `tcpsock:connect`.
fn own_name(name: &str) -> &str {
    name.rsplit(['.', ':']).next().unwrap_or(name)
}

fn is_phase(name: &str) -> bool {
    name.ends_with("_by_lua")
}

fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn the_page_says_what_an_app_has() {
    let rows = rows();
    let app = app(&[
        (
            "rille.toml",
            "lua = \"5.1\"\nshared_dicts = { dict = \"64 KiB\" }\n",
        ),
        ("probe.lua", PROBE),
    ]);
    let names: Vec<&str> = (rows.keys().map(String::as_str))
        .filter(|name| !is_phase(name))
        .collect();
    let probed = app.send("POST", "/probe", &[], names.join("\n").as_bytes());
    assert_eq!(probed.status, 200, "{}", app.server.log());
    let text = probed.text();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let (verb, name) = line.split_once(' ').unwrap();
        match (verb, rows.get(name)) {
            ("has", None) => wrong.push(format!("{name} is not in the page")),
            ("is", Some(Where::Absent)) => wrong.push(format!("{name} is there: it has no test")),
            ("lacks", Some(Where::Tested(_))) => wrong.push(format!("{name} is not there")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(text.lines().filter(|line| line.starts_with("has ")).count() > 200);
}

#[test]
fn the_files_of_the_page_mention_the_functions() {
    let mut wrong = Vec::new();
    for (name, place) in rows() {
        let Where::Tested(files) = place else {
            continue;
        };
        if files.is_empty() {
            wrong.push(format!("{name}: no file"));
        }
        for file in files {
            match fs::read_to_string(folder().join(&file)) {
                Err(error) => wrong.push(format!("{name}: {file}: {error}")),
                Ok(text) if !is_phase(&name) && !mentions(&text, own_name(&name)) => {
                    wrong.push(format!("{name}: {file} does not mention it"));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
